/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/backend.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "cmd/live_input.h"

#define SYSFS "/sys"

/* The words that all rings begin with: req_prod, req_event, rsp_prod, rsp_event (public/io/ring.h).
 */
#define SRING_REQ_PROD 0
#define SRING_RSP_PROD 8

static void read_ring(struct live_input *l, uint32_t gref, struct backend_ring *ret)
{
	uint8_t page[PAGE_BYTES];

	ret->gref = gref;
	if (xenhost_read_granted(
		    live_input_xen(l), live_input_domain(l)->domid, gref, page, &ret->why))
		return;
	ret->mapped = true;
	ret->req_prod = num_le32(page + SRING_REQ_PROD);
	ret->rsp_prod = num_le32(page + SRING_RSP_PROD);
}

static void read_rings(struct live_input *l, struct backend_disk *b)
{
	size_t i;

	for (i = 0; i < b->dev->nr_rings; i++) {
		struct backend_ring *r = &b->rings[i];

		if (!b->vbd || i >= b->vbd->nr_rings || !b->vbd->rings[i].nr_refs)
			err_set(&r->why, ERR_NOTFOUND, "xenstore has no grant of it");
		else if (b->vbd->backend_domid != live_input_own_domid(l))
			err_set(&r->why, ERR_NOTFOUND, "the backend runs in another domain");
		else
			read_ring(l, b->vbd->rings[i].ref[0], r);
	}
}

static int read_disk(
	struct live_input *l, const struct blkdev *dev, struct backend_disk *b, struct err *err)
{
	struct hang_below below = {0};

	b->dev = dev;
	b->vbd = live_input_vbd(l, dev, &b->why_no_vbd);
	b->rings = calloc(dev->nr_rings + 1, sizeof(*b->rings));
	if (!b->rings)
		return err_nomem(err, "the rings of a backend");
	read_rings(l, b);
	if (b->vbd && b->vbd->backend_domid == live_input_own_domid(l))
		b->in_flight_known =
			xenhost_in_flight(SYSFS, b->vbd->physical_device, &b->reads, &b->writes);
	below.known = b->in_flight_known;
	below.in_flight = b->reads + b->writes;
	hang_judge(dev, &b->hang);
	hang_sentence(&b->hang, &below, b->sentence, sizeof(b->sentence));
	return 0;
}

int backends_read(struct cmd_input *in, struct backends *ret, struct err *err)
{
	size_t i;

	ret->v = calloc(in->snap.nr_devices + 1, sizeof(*ret->v));
	ret->nr = 0;
	if (!ret->v)
		return err_nomem(err, "the backends of a domain");
	for (i = 0; i < in->snap.nr_devices; i++)
		if (read_disk(in->live, &in->snap.devices[i], &ret->v[ret->nr++], err))
			return -1;
	return 0;
}

void backends_fini(struct backends *b)
{
	size_t i;

	for (i = 0; i < b->nr; i++)
		free(b->v[i].rings);
	free(b->v);
	*b = (struct backends){0};
}

/* Of a ring that moves on nothing need agree. */
static enum tri same_ring(const struct io_ring *r, const struct backend_ring *b)
{
	if (!b->mapped || !r->sring_known || r->moved)
		return TRI_UNKNOWN;
	return r->sring_req_prod == b->req_prod && r->sring_rsp_prod == b->rsp_prod ? TRI_YES
										    : TRI_NO;
}

/* xenbus.h */
static const char *state_name(uint64_t state)
{
	static const char *const names[] = {"unknown", "initialising", "waiting", "initialised",
		"connected", "closing", "closed", "reconfiguring", "reconfigured"};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

static void print_ring(const struct io_ring *r, const struct backend_ring *b, FILE *out)
{
	fprintf(out, "  ring %u: ", r->index);
	if (r->sring_known)
		fprintf(out, "published %u, answered %u", r->sring_req_prod, r->sring_rsp_prod);
	else
		fputs("shared page unknown", out);
	if (r->indices == IO_INDICES_READ)
		fprintf(out, "; the guest made %u and has seen %u", r->req_prod_pvt, r->rsp_cons);
	fputc('\n', out);
	if (!b->mapped)
		fprintf(out, "    not seen as the backend maps it: %s\n", b->why.text);
	else
		fprintf(out, "    as the backend maps it (grant %u): published %u, answered %u%s\n",
			b->gref, b->req_prod, b->rsp_prod,
			same_ring(r, b) == TRI_NO ? ": NOT THE SAME" : "");
}

static void print_backend(const struct backend_disk *b, FILE *out)
{
	const struct xenhost_vbd *v = b->vbd;

	if (!v) {
		fprintf(out, "  backend: unknown, %s\n", b->why_no_vbd);
		return;
	}
	fprintf(out, "  backend: %s in domain %" PRIu64 ", %s; frontend %s\n",
		*v->type ? v->type : "of unknown type", v->backend_domid,
		state_name(v->backend_state), state_name(v->frontend_state));
	if (b->in_flight_known)
		fprintf(out,
			"  device below: %s (%s), %" PRIu64 " reads and %" PRIu64
			" writes in flight\n",
			v->params, v->physical_device, b->reads, b->writes);
	else
		fprintf(out, "  device below: %s, in flight unknown\n",
			*v->params ? v->params : "unknown");
}

void backends_print(const struct backends *b, FILE *out)
{
	size_t i, k;

	for (i = 0; i < b->nr; i++) {
		const struct backend_disk *d = &b->v[i];

		fprintf(out, "\n%s: %s\n", d->dev->name, d->sentence);
		for (k = 0; k < d->dev->nr_rings; k++)
			print_ring(&d->dev->rings[k], &d->rings[k], out);
		print_backend(d, out);
	}
}

static struct json_object *json_words(unsigned why)
{
	struct json_object *a = json_object_new_array();
	unsigned i;

	for (i = 0; i < HANG_NR; i++)
		if (why & 1u << i)
			json_object_array_add(a, json_text(hang_name(1u << i)));
	return a;
}

static struct json_object *json_ring(const struct io_ring *r, const struct backend_ring *b)
{
	struct json_object *o = json_object_new_object();
	enum tri same = same_ring(r, b);

	json_put_num(o, "ring", r->index);
	json_put(o, "gref", b->mapped ? json_object_new_int64(b->gref) : NULL);
	json_put(o, "req_prod", b->mapped ? json_object_new_int64(b->req_prod) : NULL);
	json_put(o, "rsp_prod", b->mapped ? json_object_new_int64(b->rsp_prod) : NULL);
	json_put(o, "same", same == TRI_UNKNOWN ? NULL : json_object_new_boolean(same == TRI_YES));
	json_put_text(o, "why", b->mapped ? NULL : b->why.text);
	return o;
}

static struct json_object *json_number(uint64_t v)
{
	return json_num_or_null(v, XENHOST_UNKNOWN);
}

static struct json_object *json_backend(const struct backend_disk *b)
{
	struct json_object *o = json_object_new_object();
	const struct xenhost_vbd *v = b->vbd;

	json_put_text(o, "path", v->backend_path);
	json_put(o, "domid", json_number(v->backend_domid));
	json_put(o, "state", json_number(v->backend_state));
	json_put(o, "frontend_state", json_number(v->frontend_state));
	json_put_text(o, "type", v->type);
	json_put_text(o, "params", v->params);
	json_put_text(o, "device", v->physical_device);
	json_put(
		o, "reads_in_flight", b->in_flight_known ? json_object_new_uint64(b->reads) : NULL);
	json_put(o, "writes_in_flight",
		b->in_flight_known ? json_object_new_uint64(b->writes) : NULL);
	return o;
}

static struct json_object *json_disk(const struct backend_disk *b)
{
	struct json_object *o = json_object_new_object(), *rings = json_object_new_array();
	const struct hang *h = &b->hang;
	struct hang_age oldest = hang_oldest(h);
	size_t i;

	json_put_text(o, "vdev", b->dev->name);
	json_put(o, "verdict", json_words(h->why));
	json_put_text(o, "sentence", b->sentence);
	json_put_num(o, "unanswered", h->unanswered);
	json_put_num(o, "unseen", h->unseen);
	json_put_num(o, "unpublished", h->unpublished);
	json_put(o, "queued", b->dev->queued_known ? json_object_new_uint64(h->queued) : NULL);
	json_put(o, "oldest_ns", oldest.known ? json_object_new_uint64(oldest.ns) : NULL);
	for (i = 0; i < b->dev->nr_rings; i++)
		json_object_array_add(rings, json_ring(&b->dev->rings[i], &b->rings[i]));
	json_put(o, "rings", rings);
	json_put(o, "backend", b->vbd ? json_backend(b) : NULL);
	return o;
}

struct json_object *backends_json(const struct backends *b)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < b->nr; i++)
		json_object_array_add(a, json_disk(&b->v[i]));
	return a;
}
