/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The hypervisor for a process that must not have it: what goes through the door arrives whole, and
 * who asks for more than was named, or nonsense, gets nothing. The host is made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xenhost/xen_door.h"
#include "xenhost/xen_wire.h"

#define NR_PFNS 200001u /* more than one window of table */

/* ---- the host ------------------------------------------------------------------------------ */

static void host_close(void *arg UNUSED)
{
}

static void host_version(void *arg UNUSED, unsigned *ret_major, unsigned *ret_minor)
{
	*ret_major = 4;
	*ret_minor = 17;
}

static int host_find(void *arg UNUSED, const char *word, uint32_t *ret, struct err *err)
{
	if (strcmp(word, "vm"))
		return err_set(err, ERR_NOTFOUND, "there is no domain of the name '%s'", word);
	*ret = 7;
	return 0;
}

static int host_domain(
	void *arg UNUSED, uint32_t domid, struct xenhost_domain *ret, struct err *err)
{
	if (domid == 9) {
		err_set(err, ERR_NOTFOUND, "there is no domain %u", domid);
		return err_override(err, "domain");
	}
	*ret = (struct xenhost_domain){
		.domid = domid, .is_pv = true, .word_bytes = 8, .nr_pfns = NR_PFNS, .name = "vm"};
	return 0;
}

static uint32_t host_own_domid(void *arg UNUSED)
{
	return 3;
}

/* Disk i has i rings, of which ring k has the grant 10 i + k. */
static int host_vbds(void *arg UNUSED, uint32_t domid UNUSED, struct xenhost_vbd **ret, size_t *nr,
	struct err *err UNUSED)
{
	struct xenhost_vbd *v = calloc(3, sizeof(*v));
	size_t i, k;

	for (i = 0; i < 3; i++) {
		v[i].handle = 51712 + 16 * i;
		v[i].nr_rings = i;
		v[i].rings = calloc(i + 1, sizeof(*v[i].rings));
		for (k = 0; k < i; k++) {
			v[i].rings[k].nr_refs = 1;
			v[i].rings[k].ref[0] = (uint32_t)(10 * i + k);
		}
	}
	*ret = v;
	*nr = 3;
	return 0;
}

/* A frame is full of its number; odd ones cannot be mapped. */
static int host_frames(void *arg UNUSED, uint32_t domid, const uint64_t *frames, size_t nr,
	uint8_t *buf, bool *ok, struct err *err)
{
	size_t i, good = 0;

	for (i = 0; i < nr; i++) {
		ok[i] = !(frames[i] & 1);
		good += ok[i];
		if (ok[i])
			memset(buf + i * PAGE_BYTES, (int)(frames[i] / 2 % 256), PAGE_BYTES);
	}
	errno = EFAULT;
	return good || !nr ? 0
			   : err_sys(err, "cannot map any of %zu frames of domain %u", nr, domid);
}

static int host_granted(
	void *arg UNUSED, uint32_t domid UNUSED, uint32_t ref, uint8_t *buf, struct err *err)
{
	if (ref == 8)
		return err_set(err, ERR_SYSTEM, "cannot map grant 8");
	memset(buf, (int)ref, PAGE_BYTES);
	return 0;
}

static bool host_param(void *arg UNUSED, uint32_t domid UNUSED, uint64_t index, uint64_t *ret)
{
	*ret = index * 3;
	return index < 10;
}

static int host_cpus(void *arg UNUSED, const struct xenhost_domain *dom, struct xen_cpus *ret,
	struct err *err UNUSED)
{
	*ret = (struct xen_cpus){.nr = 2, .word_bytes = dom->word_bytes, .pt_levels = 4};
	ret->v[1] = (struct live_cpu){.vcpu = 1, .paging = true, .cr3_frame = 0x1234};
	return 0;
}

static int host_p2m(void *arg UNUSED, const struct xenhost_domain *dom, bool checked,
	struct xenhost_p2m *ret, struct err *err UNUSED)
{
	uint64_t i;

	*ret = (struct xenhost_p2m){.nr = dom->nr_pfns, .nr_valid = 5, .how = "p2m_vaddr"};
	ret->checked = checked ? "its owners" : NULL;
	ret->mfn = calloc(ret->nr, sizeof(*ret->mfn));
	for (i = 0; i < ret->nr; i++)
		ret->mfn[i] = i * 7;
	return 0;
}

static const struct xen_ops host = {host_close, host_version, host_find, host_domain,
	host_own_domid, host_vbds, host_frames, host_granted, host_param, host_cpus, host_p2m};

/* ---- both ends ----------------------------------------------------------------------------- */

struct setup {
	struct xen_door door;
	pid_t child;
};

static struct setup open_door(const struct xen_named *named, const struct err *why)
{
	struct setup s;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	s.door.fd = ends[0];
	s.door.window = mmap(
		NULL, XEN_WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s.door.window, MAP_FAILED);
	s.child = fork();
	assert_true(s.child >= 0);
	if (!s.child) {
		struct xenhost x = {&host, NULL};
		struct xen_door mine = {ends[1], s.door.window};

		close(ends[0]);
		xen_door_serve(why ? NULL : &x, why, named, &mine);
		_exit(0);
	}
	close(ends[1]);
	return s;
}

static struct xenhost *enter_door(struct setup *s)
{
	struct xenhost *x = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(xen_door_enter(&s->door, &x, &err), 0);
	assert_int_equal(s->door.fd, -1);
	return x;
}

/* It ends by itself when nobody asks any more. */
static void end_server(const struct setup *s)
{
	int status = -1;

	assert_int_equal(waitpid(s->child, &status, 0), s->child);
	assert_int_equal(status, 0);
}

static void what_the_host_says_arrives(void **state UNUSED)
{
	const struct xen_named named = {.word = "vm"};
	struct setup s = open_door(&named, NULL);
	struct xenhost *x = enter_door(&s);
	struct xenhost_domain dom;
	struct xenhost_p2m table;
	struct xenhost_vbd *v;
	struct xen_cpus cpus;
	struct err err = ERR_INIT;
	unsigned major, minor;
	uint64_t value;
	uint32_t domid;
	size_t nr, i;

	xenhost_version(x, &major, &minor);
	assert_int_equal(major, 4);
	assert_int_equal(minor, 17);
	assert_int_equal(xenhost_own_domid(x), 3);
	assert_int_equal(xenhost_find(x, "vm", &domid, &err), 0);
	assert_int_equal(domid, 7);
	assert_int_equal(xenhost_domain(x, 7, &dom, &err), 0);
	assert_string_equal(dom.name, "vm");
	assert_int_equal(dom.nr_pfns, NR_PFNS);

	assert_int_equal(xenhost_vbds(x, 7, &v, &nr, &err), 0);
	assert_int_equal(nr, 3);
	assert_int_equal(v[2].handle, 51744);
	assert_int_equal(v[0].nr_rings, 0);
	assert_int_equal(v[1].rings[0].ref[0], 10);
	assert_int_equal(v[2].rings[1].ref[0], 21);
	xenhost_vbds_free(v, nr);

	assert_int_equal(xenhost_p2m(x, &dom, &table, &err), 0);
	assert_int_equal(table.nr, NR_PFNS);
	assert_int_equal(table.nr_valid, 5);
	assert_string_equal(table.checked, "its owners");
	for (i = 0; i < table.nr; i++)
		if (table.mfn[i] != i * 7)
			fail_msg("entry %zu is %" PRIu64, i, table.mfn[i]);
	xenhost_p2m_fini(&table);

	assert_int_equal(x->ops->cpus(x->arg, &dom, &cpus, &err), 0);
	assert_int_equal(cpus.nr, 2);
	assert_int_equal(cpus.v[1].cr3_frame, 0x1234);
	assert_true(x->ops->hvm_param(x->arg, 7, 9, &value));
	assert_int_equal(value, 27);
	assert_false(x->ops->hvm_param(x->arg, 7, 10, &value));
	xenhost_close(x);
	end_server(&s);
}

static void frames_come_in_windows(void **state UNUSED)
{
	enum { NR = 2 * XEN_WINDOW_PAGES + 3 };
	const uint32_t number = 7;
	const struct xen_named named = {.domid = &number};
	struct setup s = open_door(&named, NULL);
	struct xenhost *x = enter_door(&s);
	uint8_t *buf = calloc(NR, PAGE_BYTES);
	struct xenhost_domain dom;
	struct err err = ERR_INIT;
	uint64_t frames[NR];
	bool ok[NR];
	size_t i;

	assert_non_null(buf);
	for (i = 0; i < NR; i++)
		frames[i] = i < XEN_WINDOW_PAGES ? 2 * i + 1 : 2 * i; /* the first window: none */
	assert_int_equal(xenhost_domain(x, 7, &dom, &err), 0);
	assert_int_equal(xenhost_read_frames(x, 7, frames, NR, buf, ok, &err), 0);
	for (i = 0; i < NR; i++) {
		assert_int_equal(ok[i], i >= XEN_WINDOW_PAGES);
		assert_int_equal(buf[i * PAGE_BYTES + 4095], ok[i] ? i % 256 : 0);
	}
	assert_int_equal(xenhost_read_frames(x, 7, frames, 4, buf, ok, &err), -1);
	assert_string_equal(err.text, "cannot map any of 4 frames of domain 7: Bad address");
	assert_int_equal(xenhost_read_granted(x, 7, 0x5a, buf, &err), 0);
	assert_int_equal(buf[4095], 0x5a);
	assert_int_equal(xenhost_read_granted(x, 7, 8, buf, &err), -1);
	assert_string_equal(err.text, "cannot map grant 8");
	free(buf);
	xenhost_close(x);
	end_server(&s);
}

static void nobody_asks_for_other_domains(void **state UNUSED)
{
	const uint32_t number = 9;
	const struct xen_named named = {.word = "vm", .domid = &number};
	struct setup s = open_door(&named, NULL);
	struct xenhost *x = enter_door(&s);
	struct xenhost_domain dom = {.domid = 7, .nr_pfns = NR_PFNS};
	struct xenhost_p2m table;
	struct err err = ERR_INIT;
	uint8_t page[PAGE_BYTES];
	uint64_t frame = 2;
	uint32_t domid;
	bool ok = true;

	/* Its name was not looked up yet, then it was not described. */
	assert_int_equal(xenhost_domain(x, 7, &dom, &err), -1);
	assert_int_equal(err.sys_errno, EPERM);
	assert_int_equal(xenhost_find(x, "another", &domid, &err), 0);
	assert_int_equal(domid, 7);
	assert_int_equal(xenhost_read_frames(x, 7, &frame, 1, page, &ok, &err), -1);
	assert_int_equal(err.sys_errno, EPERM);
	assert_false(ok);
	assert_int_equal(xenhost_domain(x, 7, &dom, &err), 0);
	assert_int_equal(xenhost_read_frames(x, 7, &frame, 1, page, &ok, &err), 0);
	/* One that was named and is not there. */
	assert_int_equal(xenhost_domain(x, 9, &dom, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	assert_string_equal(err.override, "domain");
	assert_int_equal(xenhost_read_granted(x, 9, 1, page, &err), -1);
	/* Any other. */
	dom.domid = 0;
	assert_int_equal(xenhost_domain(x, 0, &dom, &err), -1);
	assert_int_equal(xenhost_read_frames(x, 0, &frame, 1, page, &ok, &err), -1);
	assert_int_equal(xenhost_p2m(x, &dom, &table, &err), -1);
	assert_string_equal(
		err.text, "domain 0 is not the one that was named: Operation not permitted");
	xenhost_close(x);
	end_server(&s);
}

static void nonsense_is_answered_with_errors(void **state UNUSED)
{
	static const struct {
		struct xen_call call;
		int32_t rc;
	} calls[] = {
		{{.what = XEN_FETCH}, -1},
		{{.what = XEN_FRAMES, .domid = 7, .nr = XEN_WINDOW_PAGES + 1}, -1},
		{{.what = XEN_FRAMES, .domid = 7, .nr = UINT64_MAX}, -1},
		{{.what = XEN_GRANTED, .domid = 7, .arg = UINT64_C(1) << 32}, -1},
		{{.what = XEN_FIND}, -1},
		{{.what = XEN_NR_WHATS, .domid = 7}, -1},
		{{.what = UINT32_MAX, .domid = 7}, -1},
		{{.what = XEN_P2M, .domid = 7}, 0},
		{{.what = XEN_FETCH, .arg = NR_PFNS * 8 - 1}, 0},
		{{.what = XEN_FETCH, .arg = NR_PFNS * 8}, -1},
		{{.what = XEN_FETCH, .arg = UINT64_MAX}, -1},
		{{.what = XEN_VERSION}, 0},
		{{.what = XEN_FETCH}, -1},
	};
	const uint32_t number = 7;
	const struct xen_named named = {.domid = &number};
	struct setup s = open_door(&named, NULL);
	struct xen_call c = {.what = XEN_DOMAIN, .domid = 7};
	struct xen_answer a;
	size_t i;

	assert_int_equal(recv(s.door.fd, &a, sizeof(a), 0), sizeof(a));
	assert_int_equal(a.rc, 0);
	assert_int_equal(send(s.door.fd, &c, sizeof(c), 0), sizeof(c));
	assert_int_equal(recv(s.door.fd, &a, sizeof(a), 0), sizeof(a));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		assert_int_equal(send(s.door.fd, &calls[i].call, sizeof(c), 0), sizeof(c));
		assert_int_equal(recv(s.door.fd, &a, sizeof(a), 0), sizeof(a));
		if (a.rc != calls[i].rc)
			fail_msg("call %zu: %d, %s", i, a.rc, a.err.text);
	}
	/* Who does not know the words is not answered at all. */
	assert_int_equal(send(s.door.fd, "x", 1, 0), 1);
	assert_int_equal(recv(s.door.fd, &a, sizeof(a), 0), 0);
	xen_door_close(&s.door);
	end_server(&s);
}

static void a_host_that_cannot_be_asked_is_told(void **state UNUSED)
{
	const struct xen_named named = {.word = "vm"};
	struct err why = ERR_INIT, err = ERR_INIT;
	struct xenhost *x;
	struct setup s;

	err_set(&why, ERR_UNSUPPORTED, "built without Xen support");
	err_override(&why, "xen");
	s = open_door(&named, &why);
	assert_int_equal(xen_door_enter(&s.door, &x, &err), -1);
	assert_int_equal(err.cls, ERR_UNSUPPORTED);
	assert_string_equal(err.text, "built without Xen support");
	assert_string_equal(err.override, "xen");
	end_server(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_host_says_arrives),
		cmocka_unit_test(frames_come_in_windows),
		cmocka_unit_test(nobody_asks_for_other_domains),
		cmocka_unit_test(nonsense_is_answered_with_errors),
		cmocka_unit_test(a_host_that_cannot_be_asked_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
