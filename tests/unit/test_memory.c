/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Readers of a guest's memory when it is no mapped file: pages that go away as soon as memory.h
 * allows it, and pages that cannot be had. What a page held is overwritten and freed, so a reader
 * that keeps one too long is found by its result, or by the address sanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/num.h"
#include "cmd/render_json.h"
#include "guest/guest.h"
#include "replay/match.h"
#include "replay/write.h"

struct pages {
	uint8_t *given[MEMORY_HELD]; /* the last ones; each is freed when as many others were given
				      */
	unsigned next;
	uint64_t nr_given;
	uint64_t failing; /* pfn */
	bool fill;	  /* put its own number into each word of a page */
};

struct fleeting {
	struct memory whole;
	struct pages *pages;
};

static struct memory_info fleeting_info(const void *source)
{
	const struct fleeting *f = source;
	struct memory_info info = memory_info(f->whole);

	info.pages_stay = false;
	return info;
}

static struct memory_page fleeting_page(const void *source, pfn_t pfn)
{
	const struct fleeting *f = source;
	struct memory_page page = memory_page(f->whole, pfn);
	uint8_t **slot = &f->pages->given[f->pages->next];
	size_t i;

	if (page.data && pfn.v == f->pages->failing)
		return (struct memory_page){.state = MEMORY_FAILED, .why = "cannot be mapped"};
	if (!page.data)
		return page;
	if (*slot)
		memset(*slot, 0xa5, PAGE_BYTES);
	free(*slot);
	*slot = malloc(PAGE_BYTES);
	assert_non_null(*slot);
	page.data = memcpy(*slot, page.data, PAGE_BYTES);
	for (i = 0; f->pages->fill && i < PAGE_BYTES; i += 8)
		num_put_le64(*slot + i, pfn.v);
	f->pages->next = (f->pages->next + 1) % MEMORY_HELD;
	f->pages->nr_given++;
	return page;
}

static bool fleeting_next_run(const void *source, pfn_t from, struct memory_run *ret)
{
	const struct fleeting *f = source;
	bool found = memory_next_run(f->whole, from, ret);

	ret->data = NULL;
	return found;
}

static struct memory_root fleeting_root(const void *source, size_t index)
{
	const struct fleeting *f = source;

	return memory_root(f->whole, index);
}

static pfn_t fleeting_p2m_frame(const void *source, size_t index)
{
	const struct fleeting *f = source;

	return memory_p2m_frame(f->whole, index);
}

static const struct finding_list *fleeting_findings(const void *source)
{
	const struct fleeting *f = source;

	return memory_findings(f->whole);
}

static const struct memory_ops fleeting_ops = {
	.info = fleeting_info,
	.page = fleeting_page,
	.next_run = fleeting_next_run,
	.root = fleeting_root,
	.p2m_frame = fleeting_p2m_frame,
	.findings = fleeting_findings,
};

struct world {
	struct cmd_env env;
	struct pages pages;
	struct fleeting fleeting;
	struct cmd_input in;
};

static struct world *open_world(const char *fixture, enum frontend_locate locate, bool stay)
{
	struct world *w = calloc(1, sizeof(*w));
	const char *src = getenv("SRCDIR");
	struct err err = ERR_INIT;
	char path[4096];

	assert_non_null(w);
	w->env.out = stdout;
	snprintf(path, sizeof(path), "%s/tests/fixtures/%s/checkpoint.save.zst", src ? src : ".",
		fixture);
	if (cmd_open(&w->env, path, &w->in, &err))
		fail_msg("%s", err.text);
	w->pages.failing = UINT64_MAX;
	w->fleeting = (struct fleeting){w->in.memory, &w->pages};
	if (!stay) {
		guest_close(w->in.guest);
		w->in.memory = (struct memory){&fleeting_ops, &w->fleeting};
		if (guest_open(w->in.memory, &w->in.guest, &err))
			fail_msg("%s", err.text);
	}
	w->env.frontend.locate = locate;
	return w;
}

static void analyse(struct world *w)
{
	struct err err = ERR_INIT;

	if (cmd_analyse(&w->env, &w->in, &err))
		fail_msg("%s", err.text);
	assert_true(w->in.snap.nr_devices > 0);
}

static void close_world(struct world *w)
{
	unsigned i;

	cmd_close(&w->in);
	for (i = 0; i < MEMORY_HELD; i++)
		free(w->pages.given[i]);
	free(w);
}

static void same_answer(const char *fixture, enum frontend_locate locate)
{
	struct world *file = open_world(fixture, locate, true);
	struct world *other = open_world(fixture, locate, false);
	struct json_object *a, *b;

	analyse(file);
	analyse(other);
	assert_true(other->pages.nr_given > MEMORY_HELD);
	a = json_document(&file->in, true);
	b = json_document(&other->in, true);
	if (!json_object_equal(a, b))
		fail_msg("%s: pages that go away give another answer", fixture);
	json_object_put(a);
	json_object_put(b);
	close_world(file);
	close_world(other);
}

static void nobody_keeps_a_page(void **state UNUSED)
{
	same_answer("linux-6.1-base", FRONTEND_LOCATE_SYMBOLS);
	same_answer("linux-6.1-base", FRONTEND_LOCATE_SCAN);
	same_answer("linux-6.1-pvh", FRONTEND_LOCATE_SYMBOLS);
	same_answer("xen2-netbsd", FRONTEND_LOCATE_SCAN);
}

/* A plan on a disk holds the data of all writes at once. */
static void writes_keep_their_data(void **state UNUSED)
{
	struct world *w = open_world("linux-6.1-base", FRONTEND_LOCATE_SYMBOLS, false);
	struct replay_plan plan = {0};
	struct err err = ERR_INIT;
	struct replay_ops ops;
	size_t i, k = 0, nr = 0;

	analyse(w);
	w->pages.fill = true;
	assert_int_equal(replay_plan_build(&w->in.snap, &plan, &err), 0);
	assert_int_equal(replay_ops_build(w->in.memory, &plan, &w->in.snap.devices[0],
				 UINT64_C(1) << 40, 0, false, &ops, &err),
		0);
	for (i = 0; i < ops.nr; i++) {
		if (ops.v[i].kind != REPLAY_OP_WRITE)
			continue;
		k = i && ops.v[i - 1].item == ops.v[i].item ? k + 1 : 0;
		assert_int_equal(num_le64(ops.v[i].data), ops.v[i].item->req->seg[k].pfn.v);
		nr++;
	}
	assert_true(nr > MEMORY_HELD);
	replay_ops_fini(&ops);
	replay_plan_fini(&plan);
	close_world(w);
}

static int count_page(void *arg, pfn_t pfn UNUSED, const uint8_t *page UNUSED)
{
	(*(uint64_t *)arg)++;
	return 0;
}

static void a_page_that_fails_is_said(void **state UNUSED)
{
	struct world *w = open_world("linux-6.1-base", FRONTEND_LOCATE_SYMBOLS, false);
	uint64_t before = 0, after = 0;
	struct memory_root root = memory_root(w->in.memory, 0);
	struct guest_map map;
	struct err err = ERR_INIT;
	uint8_t word[8];

	memory_for_each_page(w->in.memory, count_page, &before);
	w->pages.failing = 1;
	while (!memory_page(w->fleeting.whole, PFN(w->pages.failing)).data ||
		memory_page(w->fleeting.whole, PFN(w->pages.failing)).level)
		w->pages.failing++;
	memory_for_each_page(w->in.memory, count_page, &after);
	assert_int_equal(after, before - 1);
	assert_int_equal(
		guest_read_frame(w->in.guest, PFN(w->pages.failing), 0, word, 8, &err), -1);
	assert_int_equal(err.cls, ERR_NODATA);
	assert_non_null(strstr(err.text, " cannot be mapped"));
	w->pages.failing = root.table.v;
	assert_int_equal(guest_translate(w->in.guest, GVA(0xffffffff81000000), &map, &err), -1);
	assert_int_equal(err.cls, ERR_NODATA);
	assert_non_null(strstr(err.text, "page table level 4"));
	assert_non_null(strstr(err.text, " cannot be mapped"));
	close_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_keeps_a_page),
		cmocka_unit_test(writes_keep_their_data),
		cmocka_unit_test(a_page_that_fails_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
