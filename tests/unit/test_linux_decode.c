/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Decoding and finding xen-blkfront in a made-up guest (linux_guest.h), whole and damaged.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/frontend.h"
#include "frontend/linux/ctx.h"
#include "kernel/linux_facts.h"
#include "guest/p2m.h"

#include "linux_guest.h"
#include "seen.h"

struct image {
	struct lguest g;
	uint8_t stream[LG_STREAM];
	struct snapshot s;
	struct linux_kernel kernel;
};

static int setup(void **state)
{
	struct image *im = test_malloc(sizeof(*im));

	memset(&im->s, 0, sizeof(im->s));
	memset(&im->kernel, 0, sizeof(im->kernel));
	*state = im;
	return 0;
}

static int teardown(void **state)
{
	struct image *im = *state;

	snapshot_fini(&im->s);
	linux_kernel_close(&im->kernel);
	test_free(im);
	return 0;
}

static void analyse(struct image *im, enum frontend_locate locate, const char *kernel)
{
	const struct frontend_options opt = {.locate = locate, .kernel_path = kernel};
	struct err err = ERR_INIT;
	struct source *src;
	struct ckpt *ck;
	struct guest *g;

	snapshot_fini(&im->s);
	assert_int_equal(source_from_memory(
				 im->stream, lg_stream(&im->g, im->stream), "made up", &src, &err),
		0);
	if (ckpt_open_source(src, &ck, &err) || guest_open(memory_of_ckpt(ck), &g, &err))
		fail_msg("%s", err.text);
	if (frontend_analyse(g, &opt, &im->s, &err))
		fail_msg("%s", err.text);
	guest_close(g);
	ckpt_close(ck);
}

static void check_segment(
	const struct io_segment *s, unsigned pfn, unsigned off, unsigned bytes, int gref)
{
	assert_int_equal(s->frame, IO_FRAME_OK);
	assert_int_equal(s->pfn.v, pfn);
	assert_int_equal(s->offset, off);
	assert_int_equal(s->bytes, bytes);
	assert_int_equal(s->gref, gref);
	assert_int_equal(s->source_mfn.v, LG_MFN + pfn);
	assert_true(s->sects_known);
	assert_int_equal(s->first_sect, off / 512);
	assert_int_equal(s->last_sect, (off + bytes) / 512 - 1);
}

static void check_ring(const struct io_ring *r)
{
	assert_int_equal(r->entries, LG_SLOTS);
	assert_int_equal(r->req_prod_pvt, 10);
	assert_int_equal(r->rsp_cons, 6);
	assert_true(r->sring_known);
	assert_int_equal(r->sring_req_prod, 10);
	assert_int_equal(r->sring_rsp_prod, 7);
	assert_int_equal(r->nr_pages, 1);
	assert_int_equal(r->pages[0].v, LG_SRING);
	assert_int_equal(r->page_source_mfn[0].v, LG_MFN + LG_SRING);
	assert_int_equal(r->nr_grefs, 1);
	assert_int_equal(r->grefs[0], 8);
	assert_true(r->free_list_ok);
	assert_int_equal(r->nr_used, 4);
	assert_int_equal(r->nr_free, LG_SLOTS - 4);
	assert_int_equal(r->nr_window, 4);
	assert_true(r->window[0].is_response);
	assert_int_equal(r->window[0].id, 1);
	assert_int_equal(r->window[2].wire_op, 5);
	assert_int_equal(r->window[2].sector, 4096);
}

static void check_requests(const struct io_request *r)
{
	assert_int_equal(r[0].op, IO_WRITE);
	assert_int_equal(r[0].sector, 100);
	assert_int_equal(r[0].sector_from, IO_SECTOR_SHADOW);
	assert_int_equal(r[0].nr_sectors, 8);
	assert_int_equal(r[0].state, IO_PENDING);
	assert_int_equal(r[0].nr_seg, 2);
	check_segment(&r[0].seg[0], LG_DATA, 512, 3584, 20);
	check_segment(&r[0].seg[1], LG_DATA + 1, 0, 512, 21);
	assert_int_equal(r[1].op, IO_READ);
	assert_int_equal(r[1].state, IO_RESPONDED);
	assert_int_equal(r[1].sector, 200);
	check_segment(&r[1].seg[0], LG_DATA + 2, 0, 4096, 22);
	assert_int_equal(r[2].op, IO_DISCARD);
	assert_int_equal(r[2].sector, 4096);
	assert_int_equal(r[2].nr_sectors, 64);
	assert_int_equal(r[2].nr_seg, 0);
	assert_int_equal(r[3].op, IO_FLUSH);
	assert_int_equal(r[3].sector_from, IO_SECTOR_UNKNOWN);
	assert_int_equal(r[3].nr_sectors, 0);
	assert_null(r[0].trouble);
}

static void check_all(const struct image *im)
{
	const struct blkdev *d = im->s.devices;

	assert_int_equal(im->s.nr_devices, 1);
	assert_string_equal(d->name, "xvda");
	assert_string_equal(d->state, "connected");
	assert_int_equal(d->handle, 51712);
	assert_int_equal(d->feature_flush, im->g.layout == LG_4_5 ? TRI_UNKNOWN : TRI_YES);
	assert_int_equal(d->feature_fua, im->g.layout == LG_4_5 ? TRI_UNKNOWN : TRI_NO);
	assert_int_equal(d->nr_rings, 1);
	check_ring(d->rings);
	assert_int_equal(d->nr_requests, 4);
	check_requests(d->requests);
}

static void scan_finds_every_layout(void **state)
{
	struct image *im = *state;
	int layout, vmalloc;

	for (layout = LG_5_18; layout <= LG_4_5; layout++)
		for (vmalloc = 0; vmalloc < 2; vmalloc++) {
			lg_build(&im->g, (enum lg_layout)layout, vmalloc);
			analyse(im, FRONTEND_LOCATE_SCAN, NULL);
			check_all(im);
			assert_int_equal(im->s.devices->located_by, BLK_BY_SCAN);
		}
}

/* Nothing but the shared ring's page. */
static bool only_rings(const struct image *im)
{
	return im->s.nr_devices == 1 && im->s.devices->located_by == BLK_BY_RING;
}

/* Without debugging and real-time locks, with Linux 7.3's small mutex, with PREEMPT_RT's large
 * spinlock, and with debugging. */
static void scan_finds_every_size_of_locks(void **state)
{
	static const struct {
		unsigned mutex, lock;
	} sizes[] = {{24, 8}, {40, 32}, {32, 64}, {168, 8}};
	struct image *im = *state;
	int layout;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (layout = LG_5_18; layout <= LG_5_8; layout++) {
			lg_build_locks(&im->g, (enum lg_layout)layout, i % 2, sizes[i].mutex,
				sizes[i].lock);
			analyse(im, FRONTEND_LOCATE_SCAN, NULL);
			check_all(im);
		}
	/* More than any lock: not a ring of this driver. */
	lg_build_locks(&im->g, LG_5_18, false, 32, 72);
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_true(only_rings(im));
}

/* Kernels that count no references of slabs name their owner instead; free pages have neither. */
static void frames_of_slabs_are_in_use(void **state)
{
	struct image *im = *state;
	unsigned i;

	lg_build(&im->g, LG_5_18, false);
	for (i = 0; i < LG_PAGES; i++) {
		lg_put(&im->g.mem[LG_PAGES_ARRAY][0] + 64 * i + 48, 0xf5000000, 4);
		lg_put(&im->g.mem[LG_PAGES_ARRAY][0] + 64 * i + 52, 0, 4);
	}
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	check_all(im);
	for (i = 0; i < LG_PAGES; i++)
		lg_put(&im->g.mem[LG_PAGES_ARRAY][0] + 64 * i + 48, 0xf0000000, 4);
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(im->s.devices->requests[0].seg[0].frame, IO_FRAME_UNKNOWN);
}

static void write_map(char *path, uint64_t banner, uint64_t list)
{
	int fd = mkstemp(path);
	FILE *f;

	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fprintf(f,
		"%016" PRIx64 " T _stext\n%016" PRIx64 " R linux_banner\n%016" PRIx64
		" d info_list\n",
		(uint64_t)LG_TEXT, banner, list);
	fclose(f);
}

static void system_map_leads_to_every_layout(void **state)
{
	char path[] = "/tmp/xbdsnap-map-XXXXXX";
	struct image *im = *state;
	int layout;

	write_map(path, LG_BANNER, LG_LIST);
	for (layout = LG_5_18; layout <= LG_4_5; layout++) {
		lg_build(&im->g, (enum lg_layout)layout, false);
		analyse(im, FRONTEND_LOCATE_SYMBOLS, path);
		check_all(im);
		assert_int_equal(im->s.devices->located_by, BLK_BY_ELF_SYMBOLS);
		assert_string_equal(im->s.guest.release, "5.10.0-made-up");
		analyse(im, FRONTEND_LOCATE_AUTO, path);
		check_all(im);
		assert_true(im->s.devices->confirmed);
	}
	unlink(path);
}

static void put_text(struct lguest *g, uint64_t va, const char *text)
{
	size_t i;

	for (i = 0; i <= strlen(text); i++)
		lg_set(g, va + i, (uint8_t)text[i], 1);
}

/* The facts, with init_uts_ns at `uts`: release at 8, machine at 73. */
static void read_facts(struct image *im, uint64_t uts)
{
	const struct linux_facts_layout l = {
		.release = {.present = true, .off = 8, .bytes = 65},
		.machine = {.present = true, .off = 73, .bytes = 65},
	};
	char path[] = "/tmp/xbdsnap-map-XXXXXX";
	struct err err = ERR_INIT;
	struct symbols *symbols;
	struct source *src;
	struct ckpt *ck;
	struct guest *g;
	FILE *f;

	write_map(path, LG_BANNER, LG_LIST);
	f = fopen(path, "a");
	assert_non_null(f);
	fprintf(f, "%016" PRIx64 " D init_uts_ns\n", uts);
	fclose(f);
	assert_int_equal(symbols_from_file(path, &symbols, &err), 0);
	unlink(path);
	assert_int_equal(source_from_memory(
				 im->stream, lg_stream(&im->g, im->stream), "made up", &src, &err),
		0);
	if (ckpt_open_source(src, &ck, &err) || guest_open(memory_of_ckpt(ck), &g, &err))
		fail_msg("%s", err.text);
	linux_kernel_close(&im->kernel);
	im->kernel = (struct linux_kernel){.g = g, .symbols = symbols};
	linux_read_facts(&im->kernel, &l);
	symbols_free(symbols);
	guest_close(g);
	ckpt_close(ck);
}

static void the_banner_knows_the_release(void **state)
{
	uint64_t uts = LG_TEXT + 0x400;
	struct image *im = *state;

	lg_build(&im->g, LG_5_18, false);
	put_text(&im->g, uts + 8, "5.10.0-made-up");
	put_text(&im->g, uts + 73, "x86_64");
	read_facts(im, uts);
	assert_string_equal(im->kernel.facts.release, "5.10.0-made-up");
	assert_string_equal(im->kernel.facts.machine, "x86_64");
	assert_null(im->kernel.how);
	read_facts(im, uts + 2); /* a symbol that leads beside it */
	assert_string_equal(im->kernel.facts.release, "5.10.0-made-up");
	assert_string_equal(im->kernel.facts.machine, "");
	assert_non_null(strstr(im->kernel.how, "init_uts_ns says otherwise"));
}

static void foreign_map_is_refused(void **state)
{
	char path[] = "/tmp/xbdsnap-map-XXXXXX";
	struct image *im = *state;

	write_map(path, LG_BANNER + 8, LG_LIST);
	lg_build(&im->g, LG_5_18, false);
	analyse(im, FRONTEND_LOCATE_AUTO, path);
	unlink(path);
	check_all(im);
	assert_int_equal(im->s.devices->located_by, BLK_BY_SCAN);
	assert_int_equal(finding_seen(&im->s.findings, "XB312"), 1);
}

static void nothing_there_is_said(void **state)
{
	struct image *im = *state;

	lg_build(&im->g, LG_5_18, false);
	/* As blkif_free() leaves it: disconnected, rinfo NULL, no rings. */
	lg_set(&im->g, im->g.info + 72, 0, 4);
	lg_set(&im->g, im->g.info + 280, 0, 8);
	lg_set(&im->g, im->g.info + 288, 0, 4);
	analyse(im, FRONTEND_LOCATE_AUTO, NULL);
	assert_true(only_rings(im));
	analyse(im, FRONTEND_LOCATE_SYMBOLS, NULL);
	assert_int_equal(im->s.nr_devices, 0);
	assert_non_null(strstr(im->s.looked_for, "blkfront"));
}

static void stale_copy_is_not_a_device(void **state)
{
	struct image *im = *state;

	lg_build(&im->g, LG_5_18, false);
	memcpy(im->g.mem[90], im->g.mem[LG_RING_NEW], 8192);
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	check_all(im);
}

static void absent_data_page_is_a_hole(void **state)
{
	struct image *im = *state;

	lg_build(&im->g, LG_5_18, false);
	im->g.absent[LG_DATA + 1] = true;
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(im->s.devices->requests[0].seg[0].frame, IO_FRAME_OK);
	assert_int_equal(im->s.devices->requests[0].seg[1].frame, IO_FRAME_HOLE);
	assert_int_equal(im->s.devices->requests[0].seg[1].pfn.v, LG_DATA + 1);
}

static void absent_list_page_is_trouble(void **state)
{
	struct image *im = *state;
	const struct io_request *r;

	lg_build(&im->g, LG_5_18, true);
	im->g.absent[LG_SG] = true;
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(im->s.nr_devices, 1);
	r = im->s.devices->requests;
	assert_int_equal(im->s.devices->nr_requests, 4);
	assert_non_null(r[0].trouble);
	assert_int_equal(r[0].segs_wanted, 2);
	assert_int_equal(r[0].nr_seg, 0);
	assert_int_equal(r[0].sector, 100);
	assert_null(r[2].trouble);
}

static void absent_ring_page_leaves_the_rest(void **state)
{
	struct image *im = *state;
	unsigned i, unreadable = 0;

	lg_build(&im->g, LG_5_18, false);
	im->g.absent[LG_RING_NEW + 1] = true;
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(im->s.nr_devices, 1);
	check_requests(im->s.devices->requests);
	for (i = 0; i < LG_SLOTS; i++)
		unreadable += im->s.devices->rings[0].slots[i].unreadable;
	assert_int_equal(unreadable, 8); /* 224 + 160 * 24.2 = 4096 */
	assert_int_equal(finding_seen(&im->s.findings, "XB311"), 8);
	assert_false(im->s.devices->rings[0].free_list_ok);
}

static void absent_shared_page_is_said(void **state)
{
	struct image *im = *state;

	lg_build(&im->g, LG_5_18, false);
	im->g.absent[LG_SRING] = true;
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(im->s.nr_devices, 1);
	assert_false(im->s.devices->rings[0].sring_known);
	assert_int_equal(im->s.devices->nr_requests, 4);
	assert_int_equal(im->s.devices->requests[1].state, IO_PENDING);
	assert_int_equal(finding_seen(&im->s.findings, "XB311"), 1);
}

static void broken_free_lists_are_seen(void **state)
{
	static const uint64_t links[] = {
		5, 9, 0, 33, LG_NIL}; /* of slot 9: cycle, self, used, far */
	struct image *im = *state;
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		lg_build(&im->g, LG_5_18, false);
		lg_set(&im->g, lg_slot(&im->g, 9) + 8, links[i], 8);
		analyse(im, FRONTEND_LOCATE_SCAN, NULL);
		assert_int_equal(im->s.nr_devices, 1);
		assert_false(im->s.devices->rings[0].free_list_ok);
		assert_int_equal(im->s.devices->nr_requests, 4);
	}
}

static void wild_counts_are_bounded(void **state)
{
	struct image *im = *state;

	lg_build(&im->g, LG_5_18, false);
	lg_set(&im->g, lg_slot(&im->g, 0) + 144, UINT32_MAX, 4);    /* num_sg */
	lg_set(&im->g, lg_direct(LG_SG, 1024) + 12, UINT32_MAX, 4); /* length */
	lg_set(&im->g, lg_direct(LG_SRING, 8), 0x80000000u, 4);	    /* rsp_prod */
	lg_set(&im->g, im->g.info + 288, 1000, 4);		    /* nr_rings */
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(im->s.nr_devices, 1);
	assert_int_equal(im->s.devices->nr_requests, 4);
	assert_non_null(im->s.devices->requests[0].trouble);
	assert_non_null(im->s.devices->requests[1].trouble);
	assert_int_equal(im->s.devices->requests[0].nr_seg, 0);
	assert_int_equal(im->s.devices->rings[0].nr_window, 0);
	assert_true(finding_seen(&im->s.findings, "XB311") >= 1);
}

/* Where the page array is cannot be told: the frames are unknown, not guessed. */
static void unproven_frames_are_unknown(void **state)
{
	struct image *im = *state;
	unsigned i;

	lg_build(&im->g, LG_5_18, false);
	for (i = 0; i < LG_PAGES; i++)
		lg_put(&im->g.mem[LG_PAGES_ARRAY][0] + 64 * i + 52, 0, 4);
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(im->s.nr_devices, 1);
	assert_int_equal(im->s.devices->nr_requests, 4);
	assert_int_equal(im->s.devices->requests[0].sector, 100);
	assert_int_equal(im->s.devices->requests[0].nr_seg, 2);
	assert_int_equal(im->s.devices->requests[0].seg[0].frame, IO_FRAME_UNKNOWN);
	assert_int_equal(im->s.devices->requests[0].seg[0].source_mfn.v, UINT64_MAX);
	assert_int_equal(im->s.devices->requests[0].seg[0].gref, 20);
}

static void target_frames_are_filled(void **state)
{
	struct image *im = *state;
	struct err err = ERR_INIT;
	uint64_t *table = calloc(LG_PAGES, sizeof(*table));
	struct p2m *p2m;
	unsigned i;

	assert_non_null(table);
	for (i = 0; i < LG_PAGES; i++)
		table[i] = i == LG_DATA + 1 ? UINT64_MAX : 0x9000 + i;
	lg_build(&im->g, LG_5_18, false);
	analyse(im, FRONTEND_LOCATE_SCAN, NULL);
	assert_int_equal(p2m_from_array(table, LG_PAGES, &p2m, &err), 0);
	frontend_set_target(&im->s, p2m);
	p2m_free(p2m);
	assert_int_equal(im->s.devices->requests[0].seg[0].target_mfn.v, 0x9000 + LG_DATA);
	assert_false(im->s.devices->requests[0].seg[0].target_missing);
	assert_true(im->s.devices->requests[0].seg[1].target_missing);
	assert_int_equal(im->s.devices->rings[0].page_target_mfn[0].v, 0x9000 + LG_SRING);
}

static void vdevice_names(void **state)
{
	static const struct {
		uint64_t vdevice;
		const char *name;
	} cases[] = {{51712, "xvda"}, {51713, "xvda1"}, {51728, "xvdb"}, {51967, "xvdp15"},
		{1u << 28 | 16 << 8, "xvdq"}, {1u << 28 | 26 << 8 | 3, "xvdaa3"},
		{1u << 28 | 702 << 8, "xvdaaa"}};
	char name[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(linux_vdev_name(cases[i].vdevice, name, sizeof(name)));
		assert_string_equal(name, cases[i].name);
	}
	assert_false(linux_vdev_name(768, name, sizeof(name)));
	assert_false(linux_vdev_name(1ull << 40, name, sizeof(name)));
}

#define WITH_IMAGE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_IMAGE(scan_finds_every_layout),
		WITH_IMAGE(scan_finds_every_size_of_locks),
		WITH_IMAGE(frames_of_slabs_are_in_use),
		WITH_IMAGE(system_map_leads_to_every_layout),
		WITH_IMAGE(the_banner_knows_the_release),
		WITH_IMAGE(foreign_map_is_refused),
		WITH_IMAGE(nothing_there_is_said),
		WITH_IMAGE(stale_copy_is_not_a_device),
		WITH_IMAGE(absent_data_page_is_a_hole),
		WITH_IMAGE(absent_list_page_is_trouble),
		WITH_IMAGE(absent_ring_page_leaves_the_rest),
		WITH_IMAGE(absent_shared_page_is_said),
		WITH_IMAGE(broken_free_lists_are_seen),
		WITH_IMAGE(wild_counts_are_bounded),
		WITH_IMAGE(unproven_frames_are_unknown),
		WITH_IMAGE(target_frames_are_filled),
		cmocka_unit_test(vdevice_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
