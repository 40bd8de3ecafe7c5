/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Every real Linux checkpoint, found by symbols, by the scan and by both, against its truth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "frontend/frontend.h"

struct image {
	char name[256];
	struct ckpt *ck;
	struct guest *g;
};

static void put_frame(FILE *f, const char *key, uint64_t v, bool known)
{
	if (known)
		fprintf(f, "\"%s\":\"0x%" PRIx64 "\"", key, v);
	else
		fprintf(f, "\"%s\":null", key);
}

static void put_segment(FILE *f, const struct io_segment *s)
{
	fprintf(f, "{\"offset\":%u,\"bytes\":%u,\"gref\":%" PRId64 ",", s->offset, s->bytes,
		s->gref);
	put_frame(f, "pfn", s->pfn.v, s->frame != IO_FRAME_UNKNOWN);
	fputc(',', f);
	put_frame(f, "source_mfn", s->source_mfn.v, s->source_mfn.v != MFN_NONE.v);
	fputc('}', f);
}

static void put_request(FILE *f, const struct io_request *r)
{
	size_t k;

	fprintf(f, "{\"ring\":%u,\"slot\":%u,\"op\":\"%s\",\"flags\":[%s],\"state\":\"%s\",",
		r->ring, r->slot, io_op_name(r->op),
		r->flags & IO_FLAG_INDIRECT ? "\"indirect\"" : "", io_state_name(r->state));
	if (r->sector_from == IO_SECTOR_UNKNOWN)
		fprintf(f, "\"sector\":null,");
	else
		fprintf(f, "\"sector\":%" PRIu64 ",", r->sector);
	fprintf(f, "\"nr_sectors\":%" PRIu64 ",\"segments\":[", r->nr_sectors);
	for (k = 0; k < r->nr_seg; k++) {
		if (k)
			fputc(',', f);
		put_segment(f, &r->seg[k]);
	}
	fputs("]}", f);
}

static void put_ring(FILE *f, const struct io_ring *r)
{
	fprintf(f, "{\"index\":%u,\"entries\":%u,\"req_prod_pvt\":%u,\"rsp_cons\":%u,", r->index,
		r->entries, r->req_prod_pvt, r->rsp_cons);
	fprintf(f, "\"sring_req_prod\":%u,\"sring_rsp_prod\":%u,\"pages\":[\"0x%" PRIx64 "\"]}",
		r->sring_req_prod, r->sring_rsp_prod, r->pages[0].v);
}

static void put_device(FILE *f, const struct blkdev *d)
{
	size_t i;

	fprintf(f, "{\"vdev\":\"%s\",\"handle\":%" PRIu64 ",\"rings\":[", d->name, d->handle);
	for (i = 0; i < d->nr_rings; i++) {
		if (i)
			fputc(',', f);
		put_ring(f, &d->rings[i]);
	}
	fputs("],\"requests\":[", f);
	for (i = 0; i < d->nr_requests; i++) {
		if (i)
			fputc(',', f);
		put_request(f, &d->requests[i]);
	}
	fputs("]}", f);
}

static void compare_with_truth(const char *name, const struct snapshot *s)
{
	char path[] = "/tmp/xbdsnap-dump-XXXXXX", *command;
	int fd = mkstemp(path), status;
	FILE *f;
	size_t i;

	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fputs("{\"devices\":[", f);
	for (i = 0; i < s->nr_devices; i++) {
		if (i)
			fputc(',', f);
		put_device(f, &s->devices[i]);
	}
	fputs("]}\n", f);
	fclose(f);
	assert_true(asprintf(&command,
			    "python3 '%s/tests/tools/compare_truth.py' %s '%s/%s/truth.json'",
			    getenv("SRCDIR"), path, getenv("CHECKPOINTS"), name) > 0);
	status = system(command);
	free(command);
	unlink(path);
	if (status)
		fail_msg("%s differs from its truth", name);
}

static bool open_image(const char *name, struct image *im)
{
	struct err err = ERR_INIT;
	char *path;

	snprintf(im->name, sizeof(im->name), "%s", name);
	assert_true(asprintf(&path, "%s/%s/image.save", getenv("XBDSNAP_CACHE"), name) > 0);
	if (access(path, R_OK)) {
		free(path);
		return false;
	}
	if (ckpt_open(path, &im->ck, &err) || guest_open(memory_of_ckpt(im->ck), &im->g, &err))
		fail_msg("%s: %s", path, err.text);
	free(path);
	return true;
}

static void each_image(void (*fn)(struct image *im))
{
	const char *top = getenv("CHECKPOINTS");
	struct dirent *e;
	struct image im;
	unsigned nr = 0;
	DIR *dir;

	if (!top || !getenv("XBDSNAP_CACHE") || !getenv("SRCDIR"))
		skip();
	dir = opendir(top);
	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, "linux-", 6) || !open_image(e->d_name, &im))
			continue;
		fn(&im);
		guest_close(im.g);
		ckpt_close(im.ck);
		nr++;
	}
	closedir(dir);
	assert_true(nr > 0);
}

static void analyse(struct image *im, enum frontend_locate locate, struct snapshot *s)
{
	const struct frontend_options opt = {.locate = locate};
	struct err err = ERR_INIT;

	memset(s, 0, sizeof(*s));
	if (frontend_analyse(im->g, &opt, s, &err))
		fail_msg("%s: %s", im->name, err.text);
	compare_with_truth(im->name, s);
}

static void check_device_facts(const struct image *im, const struct blkdev *d)
{
	char node[64];

	snprintf(node, sizeof(node), "device/vbd/%" PRIu64, d->handle);
	assert_string_equal(d->nodename, node);
	assert_string_equal(d->state, "connected");
	assert_int_equal(d->recovering, TRI_NO);
	assert_int_equal(d->backend_domid, 0);
	assert_int_equal(d->nr_sectors, 65536);
	assert_int_equal(d->logical_block_bytes, 512);
	assert_int_equal(d->read_only, TRI_NO);
	assert_int_equal(d->feature_flush, TRI_YES);
	assert_int_equal(d->feature_discard, TRI_YES);
	assert_int_equal(d->feature_secure_discard, TRI_NO);
	assert_int_equal(d->discard_granularity, 4096);
	assert_int_equal(d->feature_persistent, !strstr(im->name, "nopersist"));
	assert_true(d->queued_known);
	assert_int_equal(d->nr_queued, 0);
}

static void check_requests(const struct blkdev *d)
{
	size_t i, k;

	for (i = 0; i < d->nr_requests; i++) {
		const struct io_request *r = &d->requests[i];

		assert_null(r->trouble);
		assert_int_equal(r->status, d->status_waiting);
		assert_true(r->age_known);
		assert_in_range(r->age_ns, 1000000000ull, 600 * 1000000000ull);
		assert_int_equal(r->id, r->slot);
		for (k = 0; k < r->nr_seg; k++) {
			assert_true(r->seg[k].sects_known);
			assert_int_equal(r->seg[k].first_sect, r->seg[k].offset / 512);
			assert_int_equal(r->seg[k].last_sect,
				(r->seg[k].offset + r->seg[k].bytes) / 512 - 1);
			assert_int_equal(r->seg[k].grant_pfn.v != UINT64_MAX,
				d->feature_persistent == TRI_YES);
		}
	}
}

static void by_symbols(struct image *im)
{
	struct snapshot s;
	size_t i;

	analyse(im, FRONTEND_LOCATE_SYMBOLS, &s);
	assert_string_equal(s.guest.os, "Linux");
	assert_string_equal(s.guest.machine, "x86_64");
	assert_int_equal(strncmp(s.guest.release, im->name + strlen("linux-"), 3), 0);
	assert_non_null(strstr(s.guest.cmdline, "console=hvc0"));
	assert_true(s.guest.mono_known && s.guest.wall_known);
	assert_true(s.guest.mono_ns < 600 * 1000000000ull);
	assert_true(s.guest.wall_sec > 1790000000); /* the end of 2026 */
	for (i = 0; i < s.nr_devices; i++) {
		assert_int_equal(s.devices[i].located_by, BLK_BY_KALLSYMS_BTF);
		check_device_facts(im, &s.devices[i]);
		check_requests(&s.devices[i]);
	}
	assert_int_equal(s.findings.nr, 0);
	snapshot_fini(&s);
}

static void by_scan(struct image *im)
{
	struct snapshot s;
	size_t i;

	analyse(im, FRONTEND_LOCATE_SCAN, &s);
	for (i = 0; i < s.nr_devices; i++) {
		assert_int_equal(s.devices[i].located_by, BLK_BY_SCAN);
		assert_int_equal(s.devices[i].feature_flush, TRI_YES);
		assert_int_equal(s.devices[i].feature_secure_discard, TRI_NO);
	}
	assert_int_equal(s.findings.nr, 0);
	snapshot_fini(&s);
}

static void by_both(struct image *im)
{
	struct snapshot s;
	size_t i;

	analyse(im, FRONTEND_LOCATE_AUTO, &s);
	for (i = 0; i < s.nr_devices; i++)
		assert_true(s.devices[i].confirmed);
	assert_int_equal(s.findings.nr, 0);
	snapshot_fini(&s);
}

static void symbols_give_the_truth(void **state)
{
	(void)state;
	each_image(by_symbols);
}

static void scan_gives_the_truth(void **state)
{
	(void)state;
	each_image(by_scan);
}

static void both_ways_confirm_each_other(void **state)
{
	(void)state;
	each_image(by_both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbols_give_the_truth),
		cmocka_unit_test(scan_gives_the_truth),
		cmocka_unit_test(both_ways_confirm_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
