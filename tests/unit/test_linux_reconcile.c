/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What becomes of two ways to the same devices, and of a list of devices that breaks off.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/linux/blkfront.h"

#include "linux_guest.h"
#include "seen.h"

struct pair {
	struct snapshot sym, scan, s;
};

/* A device of one ring of 32 with one write in slot 3. */
static struct blkdev *add_device(struct snapshot *s, uint64_t va, uint64_t handle)
{
	struct blkdev *d = snapshot_add_device(s);
	struct io_request *r;
	struct io_segment *seg;

	assert_non_null(d);
	d->va = GVA(va);
	d->handle = handle;
	d->driver = &frontend_linux_blkfront;
	snprintf(d->name, sizeof(d->name), "vbd-%d", (int)handle);
	d->rings = calloc(1, sizeof(*d->rings));
	assert_non_null(d->rings);
	d->nr_rings = 1;
	d->requests_known = true;
	d->rings[0].va = GVA(va + 4096);
	d->rings[0].entries = 32;
	d->rings[0].req_prod_pvt = 8;
	d->rings[0].rsp_cons = 7;
	d->rings[0].free_list_ok = true;
	d->rings[0].nr_used = 1;
	r = io_request_append(&d->requests, &d->nr_requests);
	assert_non_null(r);
	r->slot = 3;
	r->op = IO_WRITE;
	r->sector_from = IO_SECTOR_SHADOW;
	r->sector = 100;
	r->nr_sectors = 8;
	seg = io_segment_append(r);
	assert_non_null(seg);
	seg->frame = IO_FRAME_OK;
	seg->pfn = PFN(77);
	seg->bytes = 4096;
	seg->gref = 9;
	return d;
}

static int setup(void **state)
{
	struct pair *p = test_calloc(1, sizeof(*p));

	add_device(&p->sym, 0x2000, 51728)->located_by = BLK_BY_KALLSYMS_BTF;
	add_device(&p->sym, 0x1000, 51712)->located_by = BLK_BY_KALLSYMS_BTF;
	add_device(&p->scan, 0x1000, 51712)->located_by = BLK_BY_SCAN;
	add_device(&p->scan, 0x2000, 51728)->located_by = BLK_BY_SCAN;
	snprintf(p->sym.guest.os, sizeof(p->sym.guest.os), "Linux");
	snprintf(p->sym.guest.release, sizeof(p->sym.guest.release), "6.1");
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	snapshot_fini(&p->sym);
	snapshot_fini(&p->scan);
	snapshot_fini(&p->s);
	test_free(p);
	return 0;
}

static void reconcile(struct pair *p)
{
	struct err err = ERR_INIT;

	assert_int_equal(linux_reconcile(&p->s, &p->sym, &p->scan, &err), 0);
}

static uint64_t differences(const struct pair *p)
{
	return finding_seen(&p->s.findings, "XB310");
}

static void equal_ways_confirm(void **state)
{
	struct pair *p = *state;
	size_t i;

	reconcile(p);
	assert_int_equal(p->s.nr_devices, 2);
	assert_int_equal(p->s.devices[0].handle, 51712); /* in order */
	for (i = 0; i < 2; i++) {
		assert_true(p->s.devices[i].confirmed);
		assert_int_equal(p->s.devices[i].located_by, BLK_BY_KALLSYMS_BTF);
		assert_int_equal(p->s.devices[i].requests[0].seg[0].pfn.v, 77);
	}
	assert_string_equal(p->s.guest.release, "6.1");
	assert_int_equal(differences(p), 0);
}

static struct io_request *changed(struct pair *p)
{
	return &p->scan.devices[0].requests[0];
}

static void each_difference_is_found(void **state)
{
	unsigned k;

	for (k = 0; k < 9; k++) {
		struct pair *p = *state;
		struct io_request *r = changed(p);

		switch (k) {
		case 0:
			r->sector++;
			break;
		case 1:
			r->slot++;
			break;
		case 2:
			r->op = IO_READ;
			break;
		case 3:
			r->seg[0].pfn.v++;
			break;
		case 4:
			r->seg[0].gref++;
			break;
		case 5:
			p->sym.devices[1].requests[0].seg[0].frame = IO_FRAME_UNKNOWN;
			break;
		case 6:
			r->seg[0].offset++;
			break;
		case 7:
			r->nr_seg = 0;
			break;
		default:
			p->scan.devices[0].rings[0].rsp_cons++;
		}
		reconcile(p);
		assert_int_equal(differences(p), 1);
		assert_string_equal(p->s.findings.v[0].device, "vbd-51712");
		assert_false(p->s.devices[0].confirmed);
		assert_true(p->s.devices[1].confirmed);
		assert_int_equal(p->s.devices[0].located_by, BLK_BY_KALLSYMS_BTF);
		teardown(state);
		setup(state);
	}
}

/* A way that does not know contradicts nothing, and confirms nothing. */
static void unknown_frames_neither_differ_nor_confirm(void **state)
{
	struct pair *p = *state;

	changed(p)->seg[0].frame = IO_FRAME_UNKNOWN;
	reconcile(p);
	assert_int_equal(differences(p), 0);
	assert_false(p->s.devices[0].confirmed);
	assert_true(p->s.devices[1].confirmed);
	assert_int_equal(p->s.devices[0].requests[0].seg[0].pfn.v, 77);
	assert_non_null(strstr(p->s.how, "vbd-51712: the scan agrees"));
}

static void broken_invariants_lose(void **state)
{
	struct pair *p = *state;

	p->sym.devices[1].rings[0].free_list_ok = false;
	changed(p)->sector = 200;
	reconcile(p);
	assert_int_equal(differences(p), 1);
	assert_int_equal(p->s.devices[0].located_by, BLK_BY_SCAN);
	assert_int_equal(p->s.devices[0].requests[0].sector, 200);
}

static void devices_of_one_way_stay(void **state)
{
	struct pair *p = *state;

	p->scan.devices[0].va = GVA(0x9000);
	p->scan.devices[0].rings[0].va = GVA(0xa000);
	p->scan.devices[0].handle = 51744;
	reconcile(p);
	assert_int_equal(p->s.nr_devices, 3);
	assert_int_equal(p->s.devices[2].handle, 51744);
	assert_int_equal(differences(p), 2); /* one the scan misses, one the list misses */
}

static void one_way_alone_is_no_difference(void **state)
{
	struct pair *p = *state;

	blkdev_fini(&p->sym.devices[0]);
	blkdev_fini(&p->sym.devices[1]);
	p->sym.nr_devices = 0;
	reconcile(p);
	assert_int_equal(p->s.nr_devices, 2);
	assert_int_equal(differences(p), 0);
	assert_false(p->s.devices[0].confirmed);
	assert_non_null(strstr(p->s.how, "scan only"));
}

static void list_that_breaks_off_is_said(void **state)
{
	static struct lguest g;
	static uint8_t stream[LG_STREAM];
	char path[] = "/tmp/xbdsnap-map-XXXXXX";
	const struct frontend_options opt = {.kernel_path = path};
	struct pair *p = *state;
	struct err err = ERR_INIT;
	struct source *src;
	struct ckpt *ck;
	struct guest *guest;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fprintf(f, "%" PRIx64 " R linux_banner\n%" PRIx64 " d info_list\n", (uint64_t)LG_BANNER,
		(uint64_t)LG_LIST);
	fclose(f);
	lg_build(&g, LG_5_18, false);
	lg_set(&g, g.info + 328, 0x1234, 8); /* info_list.next */
	assert_int_equal(
		source_from_memory(stream, lg_stream(&g, stream), "made up", &src, &err), 0);
	assert_int_equal(ckpt_open_source(src, &ck, &err), 0);
	assert_int_equal(guest_open(memory_of_ckpt(ck), &guest, &err), 0);
	assert_int_equal(frontend_analyse(guest, &opt, &p->s, &err), 0);
	guest_close(guest);
	ckpt_close(ck);
	unlink(path);
	assert_int_equal(p->s.nr_devices, 1);
	assert_true(p->s.devices[0].confirmed);
	assert_int_equal(finding_seen(&p->s.findings, "XB313"), 1);
}

#define WITH_PAIR(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(equal_ways_confirm),
		WITH_PAIR(each_difference_is_found),
		WITH_PAIR(unknown_frames_neither_differ_nor_confirm),
		WITH_PAIR(broken_invariants_lose),
		WITH_PAIR(devices_of_one_way_stay),
		WITH_PAIR(one_way_alone_is_no_difference),
		WITH_PAIR(list_that_breaks_off_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
