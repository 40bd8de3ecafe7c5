/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The parts of xenhost/ that need no Xen: disks out of a made-up or recorded xenstore, and the walk
 * through a p2m in a made-up memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "cmd/p2m_save.h"
#include "guest/p2m.h"
#include "xenhost/xenhost.h"

/* --- a xenstore out of lines "/path = "value"" --- */

#define MAX_NODES 512

struct tree {
	char *text;
	const char *path[MAX_NODES], *value[MAX_NODES];
	size_t nr;
};

static void tree_parse(struct tree *t, const char *text)
{
	char *line, *save = NULL;

	memset(t, 0, sizeof(*t));
	t->text = strdup(text);
	assert_non_null(t->text);
	for (line = strtok_r(t->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strstr(line, " = \"");
		size_t len;

		if (!value)
			continue;
		assert_true(t->nr < MAX_NODES);
		*value = '\0';
		value += 4;
		len = strlen(value);
		assert_true(len && value[len - 1] == '"');
		value[len - 1] = '\0';
		t->path[t->nr] = line;
		t->value[t->nr++] = value;
	}
}

static char *tree_read(void *arg, const char *path)
{
	const struct tree *t = arg;
	size_t i;

	for (i = 0; i < t->nr; i++)
		if (!strcmp(t->path[i], path))
			return strdup(t->value[i]);
	return NULL;
}

/* As xs_directory() does it: pointers and names in one block. */
static char **tree_list(void *arg, const char *path, unsigned *nr)
{
	const struct tree *t = arg;
	size_t len = strlen(path), i, n = 0, at;
	char **names = calloc(MAX_NODES, sizeof(*names) + 64), *text;

	assert_non_null(names);
	text = (char *)(names + MAX_NODES);
	for (i = 0, at = 0; i < t->nr; i++) {
		const char *rest = t->path[i] + len + 1;

		if (strncmp(t->path[i], path, len) || t->path[i][len] != '/' || strchr(rest, '/'))
			continue;
		names[n++] = strcpy(text + at, rest);
		at += strlen(rest) + 1;
	}
	*nr = (unsigned)n;
	if (n)
		return names;
	free(names);
	return NULL;
}

static int disks_of(
	const char *text, uint32_t domid, struct xenhost_vbd **ret, size_t *nr, struct err *err)
{
	struct tree t;
	const struct xenhost_store store = {&t, tree_read, tree_list};
	int failed;

	tree_parse(&t, text);
	failed = xenhost_vbds_from(&store, domid, ret, nr, err);
	free(t.text);
	return failed;
}

static const char two_queues[] =
	"/local/domain/7/device/vbd/51712 = \"\"\n"
	"/local/domain/7/device/vbd/51712/backend = \"/local/domain/2/backend/vbd/7/51712\"\n"
	"/local/domain/7/device/vbd/51712/backend-id = \"2\"\n"
	"/local/domain/7/device/vbd/51712/state = \"4\"\n"
	"/local/domain/7/device/vbd/51712/protocol = \"x86_32-abi\"\n"
	"/local/domain/7/device/vbd/51712/multi-queue-num-queues = \"2\"\n"
	"/local/domain/7/device/vbd/51712/queue-0 = \"\"\n"
	"/local/domain/7/device/vbd/51712/queue-0/ring-ref0 = \"8\"\n"
	"/local/domain/7/device/vbd/51712/queue-0/ring-ref1 = \"9\"\n"
	"/local/domain/7/device/vbd/51712/queue-0/event-channel = \"21\"\n"
	"/local/domain/7/device/vbd/51712/queue-1/ring-ref0 = \"11\"\n"
	"/local/domain/7/device/vbd/51712/queue-1/ring-ref1 = \"0\"\n"
	"/local/domain/7/device/vbd/51712/queue-1/event-channel = \"22\"\n"
	"/local/domain/2/backend/vbd/7/51712/frontend = \"/local/domain/7/device/vbd/51712\"\n"
	"/local/domain/2/backend/vbd/7/51712/state = \"2\"\n"
	"/local/domain/2/backend/vbd/7/51712/mode = \"r\"\n"
	"/local/domain/2/backend/vbd/7/51712/feature-barrier = \"0\"\n"
	"/local/domain/2/backend/vbd/7/51712/feature-discard = \"yes\"\n"
	"/local/domain/2/backend/vbd/7/51712/sectors = \"-1\"\n"
	"/local/domain/2/backend/vbd/7/51712/max-ring-page-order = \"4\"\n";

static void several_queues_and_odd_values(void **state UNUSED)
{
	struct xenhost_vbd *v;
	struct err err;
	size_t nr;

	assert_int_equal(disks_of(two_queues, 7, &v, &nr, &err), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(v->handle, 51712);
	assert_int_equal(v->backend_domid, 2);
	assert_int_equal(v->frontend_state, 4);
	assert_int_equal(v->backend_state, 2);
	assert_string_equal(v->protocol, "x86_32-abi");
	assert_string_equal(v->mode, "r");
	assert_int_equal(v->nr_rings, 2);
	assert_int_equal(v->rings[0].nr_refs, 2);
	assert_int_equal(v->rings[0].ref[0], 8);
	assert_int_equal(v->rings[0].ref[1], 9);
	assert_int_equal(v->rings[0].event_channel, 21);
	assert_int_equal(v->rings[1].ref[0], 11);
	assert_int_equal(v->rings[1].ref[1], 0);
	assert_int_equal(v->rings[1].event_channel, 22);
	assert_int_equal(v->feature[BACKEND_BARRIER], 0);
	assert_true(v->feature[BACKEND_FLUSH] == XENHOST_UNKNOWN);
	assert_true(v->feature[BACKEND_DISCARD] == XENHOST_UNKNOWN); /* "yes" is no flag */
	assert_true(v->feature[BACKEND_SECTORS] == XENHOST_UNKNOWN);
	assert_int_equal(v->feature[BACKEND_MAX_RING_PAGE_ORDER], 4);
	assert_true(v->feature[BACKEND_MAX_INDIRECT_SEGMENTS] == XENHOST_UNKNOWN);
	xenhost_vbds_free(v, nr);
}

static void a_backend_must_point_back(void **state UNUSED)
{
	static const char stolen[] =
		"/local/domain/7/device/vbd/51712 = \"\"\n"
		"/local/domain/7/device/vbd/51712/backend = \"/local/domain/0/backend/vbd/3/768\"\n"
		"/local/domain/7/device/vbd/51728 = \"\"\n"
		"/local/domain/7/device/vbd/51728/backend = \"/b\"\n"
		"/b/frontend = \"/local/domain/7/device/vbd/51728\"\n"
		"/b/state = \"4\"\n"
		"/local/domain/0/backend/vbd/3/768/frontend = \"/local/domain/3/device/vbd/768\"\n";
	struct xenhost_vbd *v;
	struct err err;
	size_t nr;

	assert_int_equal(disks_of(stolen, 7, &v, &nr, &err), 0);
	assert_int_equal(nr, 2);
	assert_int_equal(v[0].handle, 51712);
	assert_int_equal(v[0].why.cls, ERR_SYSTEM);
	assert_non_null(strstr(v[0].why.text, "does not point back"));
	assert_null(v[0].rings);
	/* The other is none the worse. */
	assert_int_equal(v[1].why.cls, ERR_NONE);
	assert_int_equal(v[1].backend_state, 4);
	xenhost_vbds_free(v, nr);
}

static void odd_names_and_no_disks(void **state UNUSED)
{
	struct xenhost_vbd *v = NULL;
	struct err err;
	size_t nr = 9;

	assert_int_equal(disks_of("/local/domain/7/device/vbd/x = \"\"\n", 7, &v, &nr, &err), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(v->handle, XENHOST_UNKNOWN);
	assert_non_null(strstr(v->why.text, "has no number"));
	xenhost_vbds_free(v, nr);
	assert_int_equal(disks_of(two_queues, 8, &v, &nr, &err), 0);
	assert_int_equal(nr, 0);
	xenhost_vbds_free(v, nr);
}

static void many_queues_are_bounded(void **state UNUSED)
{
	static const char text[] =
		"/local/domain/7/device/vbd/1 = \"\"\n"
		"/local/domain/7/device/vbd/1/backend = \"/b\"\n"
		"/local/domain/7/device/vbd/1/multi-queue-num-queues = \"4294967295\"\n"
		"/b/frontend = \"/local/domain/7/device/vbd/1\"\n";
	struct xenhost_vbd *v;
	struct err err;
	size_t nr;

	assert_int_equal(disks_of(text, 7, &v, &nr, &err), 0);
	assert_int_equal(v->nr_rings, XENHOST_MAX_RINGS);
	assert_int_equal(v->rings[255].nr_refs, 0);
	xenhost_vbds_free(v, nr);
}

/* What dom0's xenstore held beside a real checkpoint. */
static void recorded_xenstore(void **state UNUSED)
{
	const char *truths = getenv("CHECKPOINTS");
	char path[512], text[65536];
	struct xenhost_vbd *v;
	struct err err;
	size_t nr, len;
	FILE *f;

	if (!truths)
		skip();
	snprintf(path, sizeof(path), "%s/linux-6.1-base/xenstore.txt", truths);
	f = fopen(path, "r");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	assert_int_equal(disks_of(text, 1, &v, &nr, &err), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(v->handle, 51712);
	assert_string_equal(v->vdev, "xvda");
	assert_string_equal(v->backend_path, "/local/domain/0/backend/vbd/1/51712");
	assert_string_equal(v->params, "/dev/mapper/stuck");
	assert_string_equal(v->type, "phy");
	assert_string_equal(v->mode, "w");
	assert_string_equal(v->protocol, "x86_64-abi");
	assert_int_equal(v->backend_domid, 0);
	assert_int_equal(v->backend_state, 4);
	assert_int_equal(v->frontend_state, 4);
	assert_int_equal(v->nr_rings, 1);
	assert_int_equal(v->rings[0].nr_refs, 1);
	assert_int_equal(v->rings[0].ref[0], 8);
	assert_int_equal(v->rings[0].event_channel, 8);
	assert_int_equal(v->feature[BACKEND_SECTORS], 65536);
	assert_int_equal(v->feature[BACKEND_SECTOR_BYTES], 512);
	assert_int_equal(v->physical_sector_bytes, 512);
	assert_int_equal(v->feature[BACKEND_MAX_INDIRECT_SEGMENTS], 256);
	assert_int_equal(v->feature[BACKEND_MAX_QUEUES], 1);
	assert_int_equal(v->feature[BACKEND_MAX_RING_PAGE_ORDER], 4);
	assert_int_equal(v->feature[BACKEND_FLUSH], 1);
	assert_int_equal(v->feature[BACKEND_BARRIER], 1);
	assert_int_equal(v->feature[BACKEND_DISCARD], 1);
	assert_int_equal(v->feature[BACKEND_SECURE_DISCARD], 0);
	assert_int_equal(v->discard_granularity, 4096);
	assert_int_equal(v->feature[BACKEND_PERSISTENT], 1);
	assert_int_equal(v->frontend_persistent, 1);
	xenhost_vbds_free(v, nr);
}

/* --- the walk --- */

#define BASE_VA	    UINT64_C(0xffffc90000000000)
#define FIRST_FRAME 0x700

struct host_memory {
	uint8_t page[4][PAGE_BYTES];
	unsigned unmapped; /* page of the table that has no mapping; >= 4: none */
	unsigned unreadable;
	unsigned nr_reads;
};

static uint64_t mem_translate(void *arg, uint64_t va)
{
	const struct host_memory *m = arg;
	uint64_t index = (va >> PAGE_SHIFT) - (BASE_VA >> PAGE_SHIFT);

	if (index >= 4 || index == m->unmapped)
		return 0;
	return FIRST_FRAME - index; /* frames descend while addresses ascend */
}

static bool mem_read(void *arg, uint64_t frame, uint8_t *buf)
{
	struct host_memory *m = arg;
	uint64_t index = FIRST_FRAME - frame;

	m->nr_reads++;
	assert_true(index < 4);
	if (index == m->unreadable)
		return false;
	memcpy(buf, m->page[index], PAGE_BYTES);
	return true;
}

static void put(struct host_memory *m, uint64_t at, uint64_t v, unsigned word)
{
	uint8_t *p = &m->page[at >> PAGE_SHIFT][at & PAGE_OFFSET_MASK];

	if (word == 8)
		num_put_le64(p, v);
	else
		num_put_le32(p, (uint32_t)v);
}

static void walk_in_both_widths(void **state UNUSED)
{
	static const unsigned widths[] = {4, 8};
	uint64_t mfn[1100], nr = ARRAY_SIZE(mfn), i;
	unsigned w;

	for (w = 0; w < ARRAY_SIZE(widths); w++) {
		unsigned word = widths[w], off = 3 * word;
		struct host_memory m = {.unmapped = 9, .unreadable = 9};
		const struct xenhost_memory mem = {&m, mem_translate, mem_read};
		uint64_t top = UINT64_C(1) << (word * 8 - 1);

		for (i = 0; i < nr; i++)
			put(&m, off + i * word, 0x20000 + i * 3, word);
		put(&m, off + 5 * word, UINT64_MAX, word);
		put(&m, off + 6 * word, top | 0x1234, word);
		put(&m, off + 7 * word, top >> 1 | 0x1234, word);
		/* The table begins inside a page. */
		assert_int_equal(xenhost_walk_p2m(&mem, BASE_VA + off, word, mfn, nr),
			(off + nr * word + PAGE_BYTES - 1) / PAGE_BYTES);
		for (i = 0; i < nr; i++) {
			bool none = i >= 5 && i <= 7;

			assert_true(mfn[i] == (none ? UINT64_MAX : 0x20000 + i * 3));
		}
	}
}

static void holes_in_the_table(void **state UNUSED)
{
	struct host_memory m = {.unmapped = 1, .unreadable = 2};
	const struct xenhost_memory mem = {&m, mem_translate, mem_read};
	uint64_t mfn[2048], i;

	for (i = 0; i < 2048; i++)
		put(&m, i * 8, i + 1, 8);
	assert_int_equal(xenhost_walk_p2m(&mem, BASE_VA, 8, mfn, 2048), 2);
	assert_int_equal(m.nr_reads, 3);
	for (i = 0; i < 2048; i++)
		assert_true(mfn[i] == (i >= 512 && i < 1536 ? UINT64_MAX : i + 1));
	assert_int_equal(xenhost_walk_p2m(&mem, 0, 8, mfn, 2048), 0);
	assert_int_equal(xenhost_walk_p2m(&mem, BASE_VA + 4, 8, mfn, 2048), 0);
	assert_int_equal(xenhost_walk_p2m(&mem, BASE_VA, 3, mfn, 2048), 0);
}

static void tables_are_compared(void **state UNUSED)
{
	static const uint64_t a[] = {1, 2, UINT64_MAX, 4}, b[] = {1, 3, UINT64_MAX, UINT64_MAX};

	assert_int_equal(xenhost_count_differences(a, a, 4), 0);
	assert_int_equal(xenhost_count_differences(a, b, 4), 2);
}

static void table_becomes_a_file(void **state UNUSED)
{
	char dir[] = "/tmp/xbdsnap-p2m-XXXXXX", path[64];
	struct xenhost_p2m t = {.nr = 9001};
	struct p2m *back;
	struct err err;
	struct stat st;
	uint64_t i;
	mfn_t mfn;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/p2m", dir);
	t.mfn = calloc(t.nr, sizeof(*t.mfn));
	assert_non_null(t.mfn);
	for (i = 0; i < t.nr; i++)
		t.mfn[i] = i % 5 ? 0x123456000 + i : UINT64_MAX;
	/* Twice: an older table is replaced. */
	assert_int_equal(p2m_save(&t, path, &err), 0);
	assert_int_equal(p2m_save(&t, path, &err), 0);
	assert_int_equal(p2m_from_file(path, t.nr - 1, &back, &err), 0);
	assert_int_equal(p2m_nr(back), t.nr);
	for (i = 0; i < t.nr; i++) {
		enum p2m_state got = p2m_lookup(back, PFN(i), &mfn);

		assert_int_equal(got, i % 5 ? P2M_VALID : P2M_NONE);
		assert_true(!(i % 5) || mfn.v == 0x123456000 + i);
	}
	p2m_free(back);
	unlink(path);
	rmdir(dir);
	/* A device stays what it is, and its errors are told. */
	assert_int_equal(p2m_save(&t, "/dev/full", &err), -1);
	assert_int_equal(err.cls, ERR_SYSTEM);
	assert_int_equal(stat("/dev/full", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
	free(t.mfn);
}

/* This machine runs no Xen, or the build has none: an error with a text, and no crash. */
static void opening_without_xen(void **state UNUSED)
{
	struct xenhost *x = NULL;
	struct err err = ERR_INIT;

	if (!xenhost_open(&x, &err)) {
		xenhost_close(x);
		skip();
	}
#ifdef HAVE_XEN
	assert_int_equal(err.cls, ERR_SYSTEM);
#else
	assert_int_equal(err.cls, ERR_UNSUPPORTED);
	assert_string_equal(err.text, "built without Xen support, so no live domain can be asked");
#endif
	xenhost_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_queues_and_odd_values),
		cmocka_unit_test(a_backend_must_point_back),
		cmocka_unit_test(odd_names_and_no_disks),
		cmocka_unit_test(many_queues_are_bounded),
		cmocka_unit_test(recorded_xenstore),
		cmocka_unit_test(walk_in_both_widths),
		cmocka_unit_test(holes_in_the_table),
		cmocka_unit_test(tables_are_compared),
		cmocka_unit_test(table_becomes_a_file),
		cmocka_unit_test(opening_without_xen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
