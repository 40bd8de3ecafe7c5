/* SPDX-License-Identifier: BSD-2-Clause
 *
 * door_serve.c - the end of xen_door.h that has the hypervisor. It believes nothing that it is
 * asked: numbers are checked, and a domain is one that the command line names, as the hypervisor
 * described it last.
 */
#include "xenhost/xen_door.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "io/message.h"
#include "io/sandbox.h"
#include "xenhost/xen_wire.h"

/* A domain that may be asked for. */
struct allowed {
	bool named, asked; /* asked: `domain` holds */
	bool bounded;	   /* there is room for its tables */
	uint32_t domid;
	struct xenhost_domain domain;
};

struct server {
	struct xenhost *x;
	const struct xen_named *named;
	uint8_t *window;
	struct allowed allowed[2]; /* by its word, by its number */
	uint8_t *result;	   /* the last long one; owned */
	size_t result_bytes;
};

static struct allowed *find_allowed(struct server *s, uint32_t domid)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(s->allowed); i++)
		if (s->allowed[i].named && s->allowed[i].domid == domid)
			return &s->allowed[i];
	return NULL;
}

static int refuse_domain(uint32_t domid, struct err *err)
{
	errno = EPERM;
	return err_sys(err, "domain %u is not the one that was named", domid);
}

static int answer_find(struct server *s, struct xen_answer *a)
{
	uint32_t domid;

	errno = EPERM;
	if (!s->named->word)
		return err_sys(&a->err, "no domain was named");
	if (xenhost_find(s->x, s->named->word, &domid, &a->err))
		return -1;
	s->allowed[0] = (struct allowed){.named = true, .domid = domid};
	a->value = domid;
	return 0;
}

static int answer_domain(struct server *s, uint32_t domid, struct xen_answer *a)
{
	struct allowed *d = find_allowed(s, domid);

	if (!d)
		return refuse_domain(domid, &a->err);
	d->asked = false;
	if (xenhost_domain(s->x, domid, &d->domain, &a->err))
		return -1;
	if (!d->bounded)
		sandbox_bound_live(d->domain.nr_pfns);
	d->asked = d->bounded = true;
	a->domain = d->domain;
	return 0;
}

static int keep_result(struct server *s, void *result, size_t bytes, struct xen_answer *a)
{
	s->result = result;
	s->result_bytes = bytes;
	a->bytes = bytes;
	return result ? 0 : err_nomem(&a->err, "an answer");
}

/* All disks, and behind them all rings: the pointers mean nothing elsewhere. */
static uint8_t *pack_vbds(const struct xenhost_vbd *v, size_t nr, size_t *ret_bytes)
{
	size_t bytes = nr * sizeof(*v), i;
	uint8_t *out, *at;

	for (i = 0; i < nr; i++)
		bytes += v[i].nr_rings * sizeof(*v[i].rings);
	at = out = malloc(bytes + 1);
	*ret_bytes = bytes;
	if (!out)
		return NULL;
	memcpy(at, v, nr * sizeof(*v));
	at += nr * sizeof(*v);
	for (i = 0; i < nr; i++) {
		if (v[i].nr_rings)
			memcpy(at, v[i].rings, v[i].nr_rings * sizeof(*v[i].rings));
		at += v[i].nr_rings * sizeof(*v[i].rings);
	}
	return out;
}

static int answer_vbds(struct server *s, uint32_t domid, struct xen_answer *a)
{
	struct xenhost_vbd *v;
	size_t nr, bytes = 0;
	uint8_t *packed;

	if (xenhost_vbds(s->x, domid, &v, &nr, &a->err))
		return -1;
	packed = nr ? pack_vbds(v, nr, &bytes) : calloc(1, 1);
	xenhost_vbds_free(v, nr);
	a->value = nr;
	return keep_result(s, packed, bytes, a);
}

static int answer_frames(struct server *s, const struct xen_call *c, struct xen_answer *a)
{
	if (c->nr > XEN_WINDOW_PAGES)
		return err_set(&a->err, ERR_SYSTEM, "too many frames at once");
	return xenhost_read_frames(
		s->x, c->domid, c->frames, (size_t)c->nr, s->window, a->ok, &a->err);
}

static int answer_granted(struct server *s, const struct xen_call *c, struct xen_answer *a)
{
	if (c->arg > UINT32_MAX)
		return err_set(&a->err, ERR_SYSTEM, "no such grant");
	return xenhost_read_granted(s->x, c->domid, (uint32_t)c->arg, s->window, &a->err);
}

static int answer_cpus(struct server *s, const struct allowed *d, struct xen_answer *a)
{
	struct xen_cpus cpus = {0};

	_Static_assert(sizeof(cpus) <= XEN_WINDOW_BYTES, "they are one answer");
	if (s->x->ops->cpus(s->x->arg, &d->domain, &cpus, &a->err))
		return -1;
	memcpy(s->window, &cpus, sizeof(cpus));
	return 0;
}

static int answer_p2m(struct server *s, const struct allowed *d, bool checked, struct xen_answer *a)
{
	if (s->x->ops->p2m(s->x->arg, &d->domain, checked, &a->p2m, &a->err))
		return -1;
	return keep_result(s, take(a->p2m.mfn), (size_t)a->p2m.nr * sizeof(*a->p2m.mfn), a);
}

static int answer_fetch(struct server *s, uint64_t from, struct xen_answer *a)
{
	if (from >= s->result_bytes)
		return err_set(&a->err, ERR_SYSTEM, "there is no more of it");
	memcpy(s->window, s->result + from, MIN(s->result_bytes - (size_t)from, XEN_WINDOW_BYTES));
	return 0;
}

/* Of a domain that was named and described. */
static int answer_of(struct server *s, const struct xen_call *c, struct xen_answer *a)
{
	const struct allowed *d = find_allowed(s, c->domid);

	if (!d || !d->asked)
		return refuse_domain(c->domid, &a->err);
	switch ((enum xen_what)c->what) {
	case XEN_VBDS:
		return answer_vbds(s, c->domid, a);
	case XEN_FRAMES:
		return answer_frames(s, c, a);
	case XEN_GRANTED:
		return answer_granted(s, c, a);
	case XEN_PARAM:
		return s->x->ops->hvm_param(s->x->arg, c->domid, c->arg, &a->value) ? 0 : -1;
	case XEN_CPUS:
		return answer_cpus(s, d, a);
	case XEN_P2M:
		return answer_p2m(s, d, c->arg != 0, a);
	default:
		return err_set(&a->err, ERR_SYSTEM, "no such call");
	}
}

static int answer_call(struct server *s, const struct xen_call *c, struct xen_answer *a)
{
	unsigned major, minor;

	if (c->what == XEN_FETCH)
		return answer_fetch(s, c->arg, a);
	free(take(s->result));
	s->result_bytes = 0;
	switch ((enum xen_what)c->what) {
	case XEN_VERSION:
		xenhost_version(s->x, &major, &minor);
		a->value = (uint64_t)major << 32 | minor;
		return 0;
	case XEN_FIND:
		return answer_find(s, a);
	case XEN_DOMAIN:
		return answer_domain(s, c->domid, a);
	case XEN_OWN_DOMID:
		a->value = xenhost_own_domid(s->x);
		return 0;
	default:
		return answer_of(s, c, a);
	}
}

/* False: there is nobody any more, or it does not know the words. */
static bool serve_one(struct server *s, int fd)
{
	struct xen_answer a = {0};
	struct xen_call c;

	if (!message_receive(fd, &c, sizeof(c), NULL))
		return false;
	a.rc = answer_call(s, &c, &a);
	return message_send(fd, &a, sizeof(a), -1);
}

void xen_door_serve(struct xenhost *x, const struct err *why, const struct xen_named *named,
	const struct xen_door *door)
{
	struct server s = {.x = x, .named = named, .window = door->window};
	struct xen_answer hello = {.rc = x ? 0 : -1};

	if (!x)
		hello.err = *why;
	if (named->domid)
		s.allowed[1] = (struct allowed){.named = true, .domid = *named->domid};
	if (message_send(door->fd, &hello, sizeof(hello), -1) && x)
		while (serve_one(&s, door->fd))
			;
	free(s.result);
}
