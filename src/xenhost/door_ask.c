/* SPDX-License-Identifier: BSD-2-Clause
 *
 * door_ask.c - the end of xen_door.h that asks.
 */
#include "xenhost/xen_door.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "io/message.h"
#include "io/sandbox.h"
#include "xenhost/xen_wire.h"

static int ask_server(
	const struct xen_door *d, const struct xen_call *c, struct xen_answer *a, struct err *err)
{
	if (!message_send(d->fd, c, sizeof(*c), -1) || !message_receive(d->fd, a, sizeof(*a), NULL))
		return err_sys(err, "the process that asks the hypervisor does not answer");
	if (a->rc && err)
		*err = a->err;
	return a->rc ? -1 : 0;
}

/* The long result of the call before: a->bytes. malloc'ed. */
static int fetch_result(
	const struct xen_door *d, const struct xen_answer *a, uint8_t **ret, struct err *err)
{
	CLEANUP_FREE uint8_t *all = malloc(a->bytes + 1);
	struct xen_call c = {.what = XEN_FETCH};
	struct xen_answer piece;

	if (!all)
		return err_nomem(err, "an answer of the hypervisor");
	for (; c.arg < a->bytes; c.arg += XEN_WINDOW_BYTES) {
		if (ask_server(d, &c, &piece, err))
			return -1;
		memcpy(all + c.arg, d->window, MIN(a->bytes - c.arg, (uint64_t)XEN_WINDOW_BYTES));
	}
	*ret = take(all);
	return 0;
}

/* ---- what can be asked --------------------------------------------------------------------- */

static void ask_version(void *arg, unsigned *ret_major, unsigned *ret_minor)
{
	const struct xen_call c = {.what = XEN_VERSION};
	struct xen_answer a;
	uint64_t both = ask_server(arg, &c, &a, NULL) ? 0 : a.value;

	*ret_major = (unsigned)(both >> 32);
	*ret_minor = (unsigned)both;
}

/* The word is the one that the other end knows. */
static int ask_find(void *arg, const char *word UNUSED, uint32_t *ret, struct err *err)
{
	const struct xen_call c = {.what = XEN_FIND};
	struct xen_answer a;

	if (ask_server(arg, &c, &a, err))
		return -1;
	*ret = (uint32_t)a.value;
	return 0;
}

static int ask_domain(void *arg, uint32_t domid, struct xenhost_domain *ret, struct err *err)
{
	const struct xen_call c = {.what = XEN_DOMAIN, .domid = domid};
	struct xen_answer a;

	if (ask_server(arg, &c, &a, err))
		return -1;
	*ret = a.domain;
	return 0;
}

static uint32_t ask_own_domid(void *arg)
{
	const struct xen_call c = {.what = XEN_OWN_DOMID};
	struct xen_answer a;

	return ask_server(arg, &c, &a, NULL) ? 0 : (uint32_t)a.value;
}

/* As pack_vbds() of the other end put them. Takes them over. */
static int unpack_vbds(uint8_t *packed, size_t bytes, size_t nr, struct err *err)
{
	struct xenhost_vbd *v = (void *)packed;
	size_t at = nr * sizeof(*v), i;

	for (i = 0; i < nr; i++)
		v[i].rings = NULL;
	for (i = 0; i < nr; i++) {
		size_t all = v[i].nr_rings * sizeof(*v[i].rings);

		v[i].rings = malloc(all + 1);
		if (!v[i].rings || !num_range_ok(at, all, bytes)) {
			xenhost_vbds_free(v, nr);
			return err_nomem(err, "the disks of a domain");
		}
		memcpy(v[i].rings, packed + at, all);
		at += all;
	}
	return 0;
}

static int ask_vbds(
	void *arg, uint32_t domid, struct xenhost_vbd **ret, size_t *nr, struct err *err)
{
	const struct xen_call c = {.what = XEN_VBDS, .domid = domid};
	struct xen_answer a;
	uint8_t *packed;

	if (ask_server(arg, &c, &a, err) || fetch_result(arg, &a, &packed, err) ||
		unpack_vbds(packed, (size_t)a.bytes, (size_t)a.value, err))
		return -1;
	*ret = (void *)packed;
	*nr = (size_t)a.value;
	return 0;
}

static int ask_some_frames(
	const struct xen_door *d, struct xen_call *c, uint8_t *buf, bool *ok, struct err *err)
{
	struct xen_answer a;
	size_t i;

	memset(ok, 0, (size_t)c->nr * sizeof(*ok));
	if (ask_server(d, c, &a, err))
		return -1;
	for (i = 0; i < c->nr; i++) {
		ok[i] = a.ok[i];
		if (ok[i])
			memcpy(buf + i * PAGE_BYTES, (uint8_t *)d->window + i * PAGE_BYTES,
				PAGE_BYTES);
	}
	return 0;
}

/* An error only where none can be read, as at the other end. */
static int ask_frames(void *arg, uint32_t domid, const uint64_t *frames, size_t nr, uint8_t *buf,
	bool *ok, struct err *err)
{
	struct xen_call c = {.what = XEN_FRAMES, .domid = domid};
	bool any = !nr;
	size_t i;

	for (i = 0; i < nr; i += XEN_WINDOW_PAGES) {
		c.nr = MIN(nr - i, (size_t)XEN_WINDOW_PAGES);
		memcpy(c.frames, frames + i, (size_t)c.nr * sizeof(*frames));
		any |= !ask_some_frames(arg, &c, buf + i * PAGE_BYTES, ok + i, err);
	}
	return any ? 0 : -1;
}

static int ask_granted(void *arg, uint32_t domid, uint32_t ref, uint8_t *buf, struct err *err)
{
	const struct xen_call c = {.what = XEN_GRANTED, .domid = domid, .arg = ref};
	const struct xen_door *d = arg;
	struct xen_answer a;

	if (ask_server(d, &c, &a, err))
		return -1;
	memcpy(buf, d->window, PAGE_BYTES);
	return 0;
}

static bool ask_param(void *arg, uint32_t domid, uint64_t index, uint64_t *ret)
{
	const struct xen_call c = {.what = XEN_PARAM, .domid = domid, .arg = index};
	struct xen_answer a;

	if (ask_server(arg, &c, &a, NULL))
		return false;
	*ret = a.value;
	return true;
}

static int ask_cpus(
	void *arg, const struct xenhost_domain *dom, struct xen_cpus *ret, struct err *err)
{
	const struct xen_call c = {.what = XEN_CPUS, .domid = dom->domid};
	const struct xen_door *d = arg;
	struct xen_answer a;

	if (ask_server(d, &c, &a, err))
		return -1;
	memcpy(ret, d->window, sizeof(*ret));
	return 0;
}

static int ask_p2m(void *arg, const struct xenhost_domain *dom, bool checked,
	struct xenhost_p2m *ret, struct err *err)
{
	const struct xen_call c = {.what = XEN_P2M, .domid = dom->domid, .arg = checked};
	struct xen_answer a;
	uint8_t *table;

	if (ask_server(arg, &c, &a, err))
		return -1;
	if (a.p2m.nr != dom->nr_pfns)
		return err_set(err, ERR_SYSTEM, "the size of domain %u has changed", dom->domid);
	if (fetch_result(arg, &a, &table, err))
		return -1;
	*ret = a.p2m;
	ret->mfn = (void *)table;
	return 0;
}

/* ---- the door ------------------------------------------------------------------------------- */

void xen_door_close(struct xen_door *door)
{
	if (door->fd >= 0)
		close(door->fd);
	if (door->window)
		munmap(door->window, XEN_WINDOW_BYTES);
	*door = (struct xen_door){.fd = -1};
}

static void free_door(void *arg)
{
	xen_door_close(arg);
	free(arg);
}

int xen_door_enter(struct xen_door *door, struct xenhost **ret, struct err *err)
{
	static const struct xen_ops ops = {
		.close = free_door,
		.version = ask_version,
		.find = ask_find,
		.domain = ask_domain,
		.own_domid = ask_own_domid,
		.vbds = ask_vbds,
		.read_frames = ask_frames,
		.read_granted = ask_granted,
		.hvm_param = ask_param,
		.cpus = ask_cpus,
		.p2m = ask_p2m,
	};
	struct xen_door *d = malloc(sizeof(*d));
	struct xen_answer hello;

	if (!d) {
		xen_door_close(door);
		return err_nomem(err, "a handle of the hypervisor");
	}
	*d = *door;
	*door = (struct xen_door){.fd = -1};
	if (!message_receive(d->fd, &hello, sizeof(hello), NULL))
		err_sys(err, "the process that asks the hypervisor does not answer");
	else if (hello.rc)
		*err = hello.err;
	else
		return xenhost_new(&ops, d, ret, err);
	free_door(d);
	return -1;
}

/* ---- the process that answers -------------------------------------------------------------- */

/* Files of others, and standard output, whose reader waits for its end. Errors may be said. */
static void drop_files(int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
	}
	util_close_range(STDERR_FILENO + 1, (unsigned)keep - 1);
	util_close_range((unsigned)keep + 1, ~0u);
}

static _Noreturn void become_server(
	const struct xen_named *named, const struct xen_door *door, pid_t parent)
{
	struct xenhost *x = NULL;
	struct err why = ERR_INIT;
	unsigned layers;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != parent)
		_exit(1);
	drop_files(door->fd);
	if (!xenhost_open(&x, &why) && sandbox_enter(SANDBOX_XEN, &layers, &why)) {
		xenhost_close(x);
		x = NULL;
	}
	xen_door_serve(x, &why, named, door);
	_exit(0);
}

int xen_door_start(const struct xen_named *named, struct xen_door *ret, struct err *err)
{
	struct xen_door server = {.fd = -1}, asker = {.fd = -1};
	pid_t parent = getpid(), child;
	int ends[2];

	asker.window = mmap(
		NULL, XEN_WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (asker.window == MAP_FAILED)
		return err_sys(err, "cannot share memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
		err_sys(err, "cannot make a socket");
		xen_door_close(&asker);
		return -1;
	}
	asker.fd = ends[0];
	server = (struct xen_door){ends[1], asker.window};
	child = fork();
	if (!child)
		become_server(named, &server, parent);
	if (child < 0)
		err_sys(err, "cannot start the process that asks the hypervisor");
	close(server.fd);
	if (child < 0)
		xen_door_close(&asker);
	else
		*ret = asker;
	return child < 0 ? -1 : 0;
}
