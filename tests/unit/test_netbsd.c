/* SPDX-License-Identifier: BSD-2-Clause
 *
 * NetBSD's recovery ring: on the checkpoint that the original driver's code wrote, and on images
 * of tests/tools/mkxen2.py, whole and with one thing broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "frontend/netbsd/xbd.h"

#include "seen.h"

struct world {
	struct ckpt *ck;
	struct guest *g;
	struct symbols *sym;
	struct snapshot snap;
	struct json_object *truth;
};

/* As frontend_analyse() does it, with a symbol table at hand. */
static int find_devices(
	struct world *w, const struct symbols *sym, enum frontend_locate locate, struct err *err)
{
	struct frontend_options opt = {.locate = locate};
	struct kernel k;
	int rc;

	kernel_open(w->g, sym, locate != FRONTEND_LOCATE_SCAN, &k);
	rc = guest_facts_copy(k.facts, &w->snap.guest, err) ||
	     frontend_netbsd_xbd.find(w->g, &k, &opt, &w->snap, err);
	kernel_close(&k);
	return rc;
}

static void open_world(struct world *w, const char *image, const char *elf, const char *truth,
	enum frontend_locate locate)
{
	struct err err = ERR_INIT;

	memset(w, 0, sizeof(*w));
	if (ckpt_open(image, &w->ck, &err) || guest_open(memory_of_ckpt(w->ck), &w->g, &err) ||
		(elf && symbols_from_file(elf, &w->sym, &err)))
		fail_msg("%s: %s", image, err.text);
	w->truth = json_object_from_file(truth);
	assert_non_null(w->truth);
	if (find_devices(w, w->sym, locate, &err))
		fail_msg("%s: %s", image, err.text);
}

static void close_world(struct world *w)
{
	json_object_put(w->truth);
	snapshot_fini(&w->snap);
	symbols_free(w->sym);
	guest_close(w->g);
	ckpt_close(w->ck);
}

/* An image of the generator; `faults` are separated by blanks. */
static void generate(
	struct world *w, int seed, const char *faults, bool with_elf, enum frontend_locate locate)
{
	const char *src = getenv("SRCDIR");
	char dir[] = "/tmp/xbdsnap-netbsd-XXXXXX", cmd[1024], args[512] = "", one[32];
	char image[64], elf[64], truth[64];

	while (sscanf(faults, "%31s", one) == 1) {
		strcat(strcat(args, " --with "), one);
		faults += strspn(faults, " ");
		faults += strlen(one);
	}
	assert_non_null(mkdtemp(dir));
	snprintf(image, sizeof(image), "%s/image.save", dir);
	snprintf(elf, sizeof(elf), "%s/netbsd", dir);
	snprintf(truth, sizeof(truth), "%s/truth.json", dir);
	snprintf(cmd, sizeof(cmd),
		"python3 '%s/tests/tools/mkxen2.py' %s --elf %s --truth %s --seed %d%s",
		src ? src : ".", image, elf, truth, seed, args);
	assert_int_equal(system(cmd), 0);
	open_world(w, image, with_elf ? elf : NULL, truth, locate);
	unlink(image);
	unlink(elf);
	unlink(truth);
	rmdir(dir);
}

static int64_t number(struct json_object *o, const char *key)
{
	return json_object_get_int64(json_object_object_get(o, key));
}

static uint64_t number_u64(struct json_object *o, const char *key)
{
	return json_object_get_uint64(json_object_object_get(o, key));
}

static bool flag(struct json_object *o, const char *key)
{
	return json_object_get_boolean(json_object_object_get(o, key));
}

static const struct io_request *find(const struct world *w, int64_t slot)
{
	size_t i, j;

	for (i = 0; i < w->snap.nr_devices; i++)
		for (j = 0; j < w->snap.devices[i].nr_requests; j++)
			if (w->snap.devices[i].requests[j].slot == slot)
				return &w->snap.devices[i].requests[j];
	return NULL;
}

static const struct io_request *victim(const struct world *w)
{
	const struct io_request *r = find(w, number(w->truth, "victim"));

	assert_non_null(r);
	return r;
}

static bool is_missing(const struct world *w, int64_t pfn)
{
	struct json_object *list = json_object_object_get(w->truth, "missing");
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (json_object_get_int64(json_object_array_get_idx(list, i)) == pfn)
			return true;
	return false;
}

static void same_segments(const struct world *w, const struct io_request *r, struct json_object *t)
{
	struct json_object *segs = json_object_object_get(t, "segments");
	size_t i, nr = json_object_array_length(segs);

	assert_int_equal(r->nr_seg, nr);
	assert_int_equal(r->segs_wanted, nr);
	for (i = 0; i < nr; i++) {
		struct json_object *s = json_object_array_get_idx(segs, i);
		const struct io_segment *seg = &r->seg[i];

		assert_int_equal(seg->pfn.v, number(s, "pfn"));
		assert_int_equal(seg->source_mfn.v, number(s, "mfn"));
		assert_int_equal(seg->offset, 512 * number(s, "first"));
		assert_int_equal(seg->bytes, 512 * (number(s, "last") - number(s, "first") + 1));
		assert_int_equal(
			seg->frame, is_missing(w, number(s, "pfn")) ? IO_FRAME_HOLE : IO_FRAME_OK);
	}
}

/* Every request of the truth and no other; no sector that is wrong. Returns how many are known. */
static unsigned same_requests(const struct world *w)
{
	struct json_object *pending = json_object_object_get(w->truth, "pending");
	size_t i, nr = json_object_array_length(pending), found = 0;
	unsigned known = 0;

	for (i = 0; i < w->snap.nr_devices; i++)
		found += w->snap.devices[i].nr_requests;
	assert_int_equal(found, nr);
	for (i = 0; i < nr; i++) {
		struct json_object *t = json_object_array_get_idx(pending, i);
		const struct io_request *r = find(w, number(t, "slot"));
		const char *op = json_object_get_string(json_object_object_get(t, "op"));

		assert_non_null(r);
		assert_int_equal(strcasecmp(io_op_name(r->op), op), 0);
		assert_int_equal(r->wire_handle, number(t, "device"));
		assert_true(r->recorded_sector == number_u64(t, "recorded_sector"));
		same_segments(w, r, t);
		if (r->sector_from == IO_SECTOR_UNKNOWN)
			continue;
		assert_true(r->sector == number_u64(t, "sector"));
		known++;
	}
	return known;
}

/* With both sources at hand, a sector may only be lost when the request's place was answered over
 * and it fills its piece to the end of a page: then its buffer may have gone on. */
static void only_the_uncertain_are_unknown(const struct world *w)
{
	struct json_object *pending = json_object_object_get(w->truth, "pending");
	size_t i;

	for (i = 0; i < json_object_array_length(pending); i++) {
		struct json_object *t = json_object_array_get_idx(pending, i);
		const struct io_request *r = find(w, number(t, "slot"));

		if (r->sector_from != IO_SECTOR_UNKNOWN)
			continue;
		assert_false(flag(t, "in_window"));
		assert_int_equal(r->nr_seg, 11);
		assert_int_equal(r->seg[10].last_sect, 7);
	}
}

static size_t nr_pending(const struct world *w)
{
	return json_object_array_length(json_object_object_get(w->truth, "pending"));
}

static void original_driver(void **state UNUSED)
{
	static const enum frontend_locate ways[] = {
		FRONTEND_LOCATE_AUTO, FRONTEND_LOCATE_SYMBOLS, FRONTEND_LOCATE_SCAN};
	const char *cache = getenv("XBDSNAP_CACHE"), *truths = getenv("CHECKPOINTS");
	char image[512], elf[512], truth[512];
	struct world w;
	size_t i;

	if (!cache || !truths)
		skip();
	snprintf(image, sizeof(image), "%s/xen2-netbsd/image.save", cache);
	snprintf(elf, sizeof(elf), "%s/xen2-netbsd/netbsd.syms", cache);
	snprintf(truth, sizeof(truth), "%s/xen2-netbsd/truth.json", truths);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		open_world(&w, image, ways[i] == FRONTEND_LOCATE_SCAN ? NULL : elf, truth, ways[i]);
		assert_int_equal(w.snap.nr_devices, 2);
		assert_int_equal(same_requests(&w), 30);
		assert_string_equal(w.snap.devices[0].name, "hda1");
		assert_string_equal(w.snap.devices[1].name, "hda2");
		assert_true(w.snap.devices[0].nr_sectors == 2097152);
		assert_true(w.snap.devices[1].nr_sectors == 65536);
		assert_int_equal(w.snap.devices[0].rings[0].req_prod_pvt, 300);
		assert_int_equal(w.snap.devices[0].rings[0].rsp_cons, 270);
		assert_int_equal(w.snap.devices[0].rings[0].free_head, 13);
		assert_true(w.snap.devices[0].rings[0].free_list_ok);
		assert_int_equal(w.snap.devices[0].confirmed, ways[i] == FRONTEND_LOCATE_AUTO);
		/* `state` stands three times in the file, never beside the driver's variables. */
		assert_string_equal(w.snap.devices[0].state, "unknown");
		assert_string_equal(w.snap.guest.os, "");
		assert_int_equal(w.snap.findings.nr, 0);
		close_world(&w);
	}
}

static void same_ring(const struct world *w)
{
	const struct io_ring *ring = &w->snap.devices[0].rings[0];

	assert_true(ring->sring_known);
	assert_int_equal(ring->sring_va.v, number(w->truth, "blk_ring"));
	assert_int_equal(ring->shadow_va.v, number(w->truth, "rec_ring"));
	assert_int_equal(ring->sring_req_prod, number(w->truth, "req_prod"));
	assert_int_equal(ring->sring_rsp_prod, number(w->truth, "resp_prod"));
	assert_int_equal(ring->req_prod_pvt, number(w->truth, "req_prod"));
	assert_int_equal(ring->rsp_cons, number(w->truth, "resp_cons"));
	assert_int_equal(ring->free_head, number(w->truth, "rec_ring_free"));
	assert_int_equal(ring->nr_used, nr_pending(w));
	assert_int_equal(ring->nr_free, 64 - nr_pending(w));
	assert_true(ring->free_list_ok);
	assert_int_equal(ring->nr_window, ring->req_prod_pvt - ring->rsp_cons);
}

static void generated_both_ways(void **state UNUSED)
{
	struct world w;
	int seed;

	for (seed = 1; seed <= 8; seed++) {
		generate(&w, seed, "", true, FRONTEND_LOCATE_AUTO);
		same_requests(&w);
		only_the_uncertain_are_unknown(&w);
		same_ring(&w);
		assert_int_equal(w.snap.findings.nr, 0);
		assert_true(w.snap.devices[0].confirmed);
		assert_int_equal(w.snap.devices[0].located_by, BLK_BY_ELF_SYMBOLS);
		assert_string_equal(w.snap.devices[0].state, "connected");
		assert_int_equal(w.snap.devices[0].recovering, TRI_NO);
		assert_string_equal(w.snap.guest.os, "NetBSD");
		assert_string_equal(w.snap.guest.release, "3.99.21");
		assert_string_equal(w.snap.guest.cmdline, "root=wd0a bootdev=wd0");
		close_world(&w);
		generate(&w, seed, "", false, FRONTEND_LOCATE_AUTO);
		same_requests(&w);
		only_the_uncertain_are_unknown(&w);
		same_ring(&w);
		assert_int_equal(w.snap.devices[0].located_by, BLK_BY_SCAN);
		assert_true(w.snap.devices[0].nr_sectors == 2097152);
		close_world(&w);
	}
}

static unsigned count_from(const struct world *w, enum io_sector_from from)
{
	unsigned nr = 0, slot;

	for (slot = 0; slot < 64; slot++) {
		const struct io_request *r = find(w, slot);

		nr += r && r->sector_from == from;
	}
	return nr;
}

/* One source is not in the checkpoint: the other alone must tell what it can, and nothing false. */
static void one_source_only(void **state UNUSED)
{
	struct world w;
	int seed;

	for (seed = 1; seed <= 6; seed++) {
		struct json_object *pending;
		size_t i;

		generate(&w, seed, "noxbdreqs", true, FRONTEND_LOCATE_AUTO);
		same_requests(&w);
		assert_int_equal(count_from(&w, IO_SECTOR_REQUEST), 0);
		pending = json_object_object_get(w.truth, "pending");
		for (i = 0; i < json_object_array_length(pending); i++) {
			struct json_object *t = json_object_array_get_idx(pending, i);

			if (flag(t, "in_window"))
				assert_int_equal(
					find(&w, number(t, "slot"))->sector_from, IO_SECTOR_RING);
			if (!flag(t, "in_ring"))
				assert_int_equal(find(&w, number(t, "slot"))->sector_from,
					IO_SECTOR_UNKNOWN);
		}
		close_world(&w);
		generate(&w, seed, "noring", true, FRONTEND_LOCATE_AUTO);
		assert_true(same_requests(&w) > nr_pending(&w) / 2);
		assert_int_equal(count_from(&w, IO_SECTOR_RING), 0);
		close_world(&w);
		generate(&w, seed, "noring noxbdreqs", false, FRONTEND_LOCATE_AUTO);
		assert_int_equal(same_requests(&w), 0);
		close_world(&w);
	}
}

static void one_buffer_twice_is_ambiguous(void **state UNUSED)
{
	struct world w;
	unsigned slot, twins = 0;

	generate(&w, 1, "twins noxbdreqs", true, FRONTEND_LOCATE_AUTO);
	same_requests(&w);
	for (slot = 0; slot < 64; slot++) {
		const struct io_request *r = find(&w, slot);

		if (!r || r->sector_from != IO_SECTOR_UNKNOWN)
			continue;
		twins++;
		assert_non_null(strstr(r->trouble, "another pending request uses the same buffer"));
	}
	assert_int_equal(twins, 2);
	close_world(&w);
	/* The driver's own requests tell them apart. */
	generate(&w, 1, "twins", true, FRONTEND_LOCATE_AUTO);
	assert_int_equal(same_requests(&w), nr_pending(&w));
	close_world(&w);
}

static void garbage_in_the_ring_proves_nothing(void **state UNUSED)
{
	struct world w;

	generate(&w, 2, "reissued noxbdreqs", true, FRONTEND_LOCATE_AUTO);
	same_requests(&w);
	assert_int_equal(victim(&w)->sector_from, IO_SECTOR_UNKNOWN);
	assert_non_null(strstr(victim(&w)->trouble, "earlier resume"));
	close_world(&w);
	generate(&w, 2, "reissued", true, FRONTEND_LOCATE_AUTO);
	same_requests(&w);
	assert_int_equal(victim(&w)->sector_from, IO_SECTOR_REQUEST);
	close_world(&w);
}

static void contradicting_sources_are_unknown(void **state UNUSED)
{
	struct world w;

	generate(&w, 3, "wrongring", true, FRONTEND_LOCATE_AUTO);
	same_requests(&w);
	assert_int_equal(victim(&w)->sector_from, IO_SECTOR_UNKNOWN);
	assert_int_equal(finding_seen(&w.snap.findings, "XB211"), 1);
	close_world(&w);
	generate(&w, 3, "parent", true, FRONTEND_LOCATE_AUTO);
	same_requests(&w);
	assert_int_equal(victim(&w)->sector_from, IO_SECTOR_RING);
	assert_true(finding_seen(&w.snap.findings, "XB212") >= 1);
	close_world(&w);
}

static void broken_slots_are_shown_with_their_trouble(void **state UNUSED)
{
	static const struct {
		const char *fault, *trouble;
	} cases[] = {
		{"segments", "200 segments, more than the 11 of a slot"},
		{"op", "operation 9 does not exist"},
		{"firstlast", "segment 0 has the malformed word"},
	};
	struct world w;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		generate(&w, 4, cases[i].fault, true, FRONTEND_LOCATE_AUTO);
		assert_int_equal(victim(&w)->sector_from, IO_SECTOR_UNKNOWN);
		assert_non_null(victim(&w)->trouble);
		assert_non_null(strstr(victim(&w)->trouble, cases[i].trouble));
		assert_int_equal(w.snap.devices[0].rings[0].nr_used, nr_pending(&w));
		close_world(&w);
	}
	generate(&w, 4, "firstlast", false, FRONTEND_LOCATE_SCAN);
	assert_int_equal(victim(&w)->seg[0].first_sect, 6);
	assert_int_equal(victim(&w)->seg[0].last_sect, 2);
	assert_int_equal(victim(&w)->seg[0].bytes, 0);
	close_world(&w);
}

static void frames_outside_the_guest(void **state UNUSED)
{
	struct world w;

	generate(&w, 5, "lowpfn", true, FRONTEND_LOCATE_AUTO);
	assert_true(victim(&w)->seg[0].unbiased);
	assert_int_equal(victim(&w)->seg[0].frame, IO_FRAME_UNKNOWN);
	assert_non_null(strstr(victim(&w)->trouble, "pseudo-physical 0x42000"));
	close_world(&w);
	generate(&w, 5, "highpfn", true, FRONTEND_LOCATE_AUTO);
	assert_int_equal(victim(&w)->seg[0].pfn.v, 1029);
	assert_int_equal(victim(&w)->seg[0].frame, IO_FRAME_HOLE);
	assert_true(victim(&w)->seg[0].source_mfn.v == MFN_NONE.v);
	close_world(&w);
}

static void broken_free_list(void **state UNUSED)
{
	struct world w;

	generate(&w, 6, "cycle", true, FRONTEND_LOCATE_AUTO);
	assert_int_equal(same_requests(&w), nr_pending(&w));
	assert_false(w.snap.devices[0].rings[0].free_list_ok);
	close_world(&w);
	generate(&w, 6, "both", false, FRONTEND_LOCATE_AUTO);
	assert_int_equal(same_requests(&w), nr_pending(&w));
	assert_false(w.snap.devices[0].rings[0].free_list_ok);
	close_world(&w);
}

static void no_recovery_ring_yet(void **state UNUSED)
{
	struct world w;

	generate(&w, 1, "null", true, FRONTEND_LOCATE_AUTO);
	assert_int_equal(w.snap.nr_devices, 1);
	assert_string_equal(w.snap.devices[0].name, "xbd");
	assert_string_equal(w.snap.devices[0].state, "closed");
	assert_int_equal(w.snap.devices[0].nr_requests, 0);
	assert_int_equal(w.snap.devices[0].nr_rings, 0);
	assert_int_equal(finding_seen(&w.snap.findings, "XB208"), 1);
	close_world(&w);
	generate(&w, 1, "null", false, FRONTEND_LOCATE_AUTO);
	assert_int_equal(w.snap.nr_devices, 0);
	close_world(&w);
}

static void log_not_in_the_checkpoint(void **state UNUSED)
{
	struct world w;

	generate(&w, 1, "nolog", true, FRONTEND_LOCATE_AUTO);
	assert_int_equal(w.snap.nr_devices, 2);
	assert_int_equal(w.snap.devices[0].nr_rings, 0);
	assert_int_equal(w.snap.devices[0].nr_requests, 0);
	assert_int_equal(w.snap.devices[1].nr_requests, 0);
	assert_int_equal(finding_seen(&w.snap.findings, "XB209"), 1);
	close_world(&w);
	generate(&w, 1, "nolog", false, FRONTEND_LOCATE_AUTO);
	assert_int_equal(w.snap.nr_devices, 0);
	close_world(&w);
}

static void table_of_frames_not_in_the_checkpoint(void **state UNUSED)
{
	struct world w;
	unsigned slot;

	generate(&w, 1, "nop2m", true, FRONTEND_LOCATE_AUTO);
	for (slot = 0; slot < 64; slot++) {
		const struct io_request *r = find(&w, slot);

		if (!r)
			continue;
		assert_true(r->seg[0].source_mfn.v == MFN_NONE.v);
		assert_int_not_equal(r->sector_from, IO_SECTOR_RING);
	}
	close_world(&w);
}

static void a_probe_belongs_to_no_disk(void **state UNUSED)
{
	struct world w;
	const struct blkdev *d;

	generate(&w, 7, "probe", true, FRONTEND_LOCATE_AUTO);
	assert_int_equal(same_requests(&w), nr_pending(&w) - 1);
	assert_int_equal(w.snap.nr_devices, 3);
	d = &w.snap.devices[2];
	assert_string_equal(d->name, "xbd");
	assert_true(d->handle == BLK_UNKNOWN_U64);
	assert_int_equal(d->nr_requests, 1);
	assert_int_equal(d->requests[0].op, IO_PROBE);
	assert_int_equal(d->requests[0].nr_sectors, 0);
	assert_null(d->requests[0].trouble);
	close_world(&w);
}

static void unconsumed_answers(void **state UNUSED)
{
	struct json_object *pending;
	unsigned answered = 0;
	struct world w;
	size_t i;

	generate(&w, 8, "unconsumed", true, FRONTEND_LOCATE_AUTO);
	same_requests(&w);
	only_the_uncertain_are_unknown(&w);
	pending = json_object_object_get(w.truth, "pending");
	for (i = 0; i < json_object_array_length(pending); i++) {
		struct json_object *t = json_object_array_get_idx(pending, i);

		answered += flag(t, "answered");
		assert_int_equal(find(&w, number(t, "slot"))->state,
			flag(t, "answered") ? IO_RESPONDED : IO_PENDING);
	}
	assert_int_equal(answered, 5);
	assert_true(w.snap.devices[0].rings[0].window[4].is_response);
	assert_false(w.snap.devices[0].rings[0].window[5].is_response);
	same_ring(&w);
	close_world(&w);
}

static void driver_state(void **state UNUSED)
{
	struct world w;

	generate(&w, 9, "recovery", true, FRONTEND_LOCATE_AUTO);
	assert_string_equal(w.snap.devices[0].state, "disconnected");
	assert_int_equal(w.snap.devices[0].recovering, TRI_YES);
	close_world(&w);
	generate(&w, 9, "recovery", false, FRONTEND_LOCATE_AUTO);
	assert_string_equal(w.snap.devices[0].state, "unknown");
	assert_int_equal(w.snap.devices[0].recovering, TRI_UNKNOWN);
	close_world(&w);
}

static void disks(void **state UNUSED)
{
	struct world w;

	generate(&w, 10, "readonly", false, FRONTEND_LOCATE_AUTO);
	assert_int_equal(w.snap.devices[0].read_only, TRI_NO);
	assert_int_equal(w.snap.devices[1].read_only, TRI_YES);
	close_world(&w);
	generate(&w, 10, "novbds", true, FRONTEND_LOCATE_AUTO);
	assert_int_equal(same_requests(&w), nr_pending(&w));
	assert_int_equal(w.snap.nr_devices, 2);
	assert_true(w.snap.devices[0].nr_sectors == BLK_UNKNOWN_U64);
	assert_int_equal(w.snap.devices[0].read_only, TRI_UNKNOWN);
	close_world(&w);
}

static void one_id_twice_in_the_ring(void **state UNUSED)
{
	struct world w;

	generate(&w, 11, "duplicate", true, FRONTEND_LOCATE_AUTO);
	same_requests(&w);
	assert_int_not_equal(victim(&w)->sector_from, IO_SECTOR_RING);
	close_world(&w);
}

/* --- one image in memory, changed and read again --- */

struct memory_image {
	uint8_t *bytes;
	size_t len;
	struct symbols *sym;
};

static void load(struct memory_image *m, int seed, const char *faults)
{
	char dir[] = "/tmp/xbdsnap-netbsd-XXXXXX", image[64], elf[64], cmd[1024];
	const char *src = getenv("SRCDIR");
	struct err err;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(image, sizeof(image), "%s/image.save", dir);
	snprintf(elf, sizeof(elf), "%s/netbsd", dir);
	snprintf(cmd, sizeof(cmd), "python3 '%s/tests/tools/mkxen2.py' %s --elf %s --seed %d %s",
		src ? src : ".", image, elf, seed, faults);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(symbols_from_file(elf, &m->sym, &err), 0);
	f = fopen(image, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	m->len = (size_t)ftell(f);
	rewind(f);
	m->bytes = malloc(m->len);
	assert_non_null(m->bytes);
	assert_int_equal(fread(m->bytes, 1, m->len, f), m->len);
	fclose(f);
	unlink(image);
	unlink(elf);
	rmdir(dir);
}

/* False when the damage is such that nothing can be opened. */
static bool reopen(struct world *w, const struct memory_image *m)
{
	struct source *src;
	struct err err;

	memset(w, 0, sizeof(*w));
	assert_int_equal(source_from_memory(m->bytes, m->len, "image", &src, &err), 0);
	if (ckpt_open_source(src, &w->ck, &err))
		return false;
	if (!guest_open(memory_of_ckpt(w->ck), &w->g, &err))
		return true;
	ckpt_close(w->ck);
	return false;
}

static void rescan(struct world *w, struct symbols *sym, enum frontend_locate locate)
{
	struct err err = ERR_INIT;

	if (find_devices(w, sym, locate, &err))
		fail_msg("%s", err.text);
}

static void same_snapshot(const struct snapshot *a, const struct snapshot *b)
{
	size_t i, j;

	assert_int_equal(a->nr_devices, b->nr_devices);
	for (i = 0; i < a->nr_devices; i++) {
		const struct blkdev *d = &a->devices[i], *e = &b->devices[i];

		assert_string_equal(d->name, e->name);
		assert_true(d->nr_sectors == e->nr_sectors);
		assert_int_equal(d->nr_requests, e->nr_requests);
		assert_int_equal(d->confirmed, e->confirmed);
		for (j = 0; j < d->nr_requests; j++) {
			assert_int_equal(d->requests[j].slot, e->requests[j].slot);
			assert_int_equal(d->requests[j].sector_from, e->requests[j].sector_from);
			assert_true(d->requests[j].sector == e->requests[j].sector);
			assert_int_equal(d->requests[j].state, e->requests[j].state);
		}
	}
	assert_string_equal(a->guest.release, b->guest.release);
}

/* A reduced checkpoint keeps the pages that were read: they must be enough to say the same. */
static void pages_that_were_read_suffice(void **state UNUSED)
{
	struct world whole, reduced;
	struct memory_image m;
	struct err err;
	int with_symbols;

	for (with_symbols = 0; with_symbols < 2; with_symbols++) {
		struct memory_image copy;
		size_t zeroed = 0;
		uint64_t pfn;

		load(&m, 12, "--with unconsumed");
		copy = m;
		copy.bytes = malloc(m.len);
		assert_non_null(copy.bytes);
		memcpy(copy.bytes, m.bytes, m.len);
		assert_true(reopen(&whole, &m));
		assert_int_equal(guest_track_reads(whole.g, &err), 0);
		rescan(&whole, with_symbols ? m.sym : NULL, FRONTEND_LOCATE_AUTO);
		assert_true(whole.snap.nr_devices > 0);
		for (pfn = 0; pfn < 1024; pfn++) {
			struct ckpt_page page = ckpt_page(whole.ck, PFN(pfn));

			if (!page.data || guest_was_read(whole.g, PFN(pfn)))
				continue;
			memset(copy.bytes + page.off, 0, PAGE_BYTES);
			zeroed++;
		}
		assert_true(zeroed > 900);
		assert_true(reopen(&reduced, &copy));
		rescan(&reduced, with_symbols ? m.sym : NULL, FRONTEND_LOCATE_AUTO);
		same_snapshot(&whole.snap, &reduced.snap);
		close_world(&whole);
		close_world(&reduced);
		free(copy.bytes);
		free(m.bytes);
		symbols_free(m.sym);
	}
}

static uint32_t next_random(uint64_t *s)
{
	*s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*s >> 33);
}

/* Where the driver's objects, its variables, the suspend record and the page tables lie. */
static size_t interesting(const struct memory_image *m, uint64_t off[16])
{
	static const uint32_t places[] = {
		0xca000000, 0xca002000, 0xca004000, 0xca006000, 0xca008000, 0xc0164000};
	static const uint64_t pfns[] = {149, 150, 151, 152};
	struct guest_map map;
	struct world w;
	struct err err;
	size_t i, nr = 0;

	assert_true(reopen(&w, m));
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		assert_int_equal(guest_translate(w.g, GVA(places[i]), &map, &err), 0);
		off[nr++] = ckpt_page(w.ck, map.pfn).off;
	}
	for (i = 0; i < ARRAY_SIZE(pfns); i++)
		off[nr++] = ckpt_page(w.ck, PFN(pfns[i])).off;
	close_world(&w);
	return nr;
}

static void sane(const struct snapshot *s)
{
	size_t i, j;

	for (i = 0; i < s->nr_devices; i++) {
		const struct blkdev *d = &s->devices[i];

		assert_true(d->nr_requests <= 64);
		assert_true(d->nr_rings <= 1);
		assert_true(!d->nr_rings || d->rings[0].nr_window <= 64);
		for (j = 0; j < d->nr_requests; j++) {
			const struct io_request *r = &d->requests[j];

			assert_true(r->slot < 64);
			assert_true(r->nr_seg <= 11);
			assert_true(r->nr_sectors <= 88);
			assert_true(r->op == IO_PROBE || r->sector_from || r->trouble);
		}
	}
}

static void random_damage_is_survived(void **state UNUSED)
{
	uint64_t seed = 20060424, off[16];
	struct memory_image m, copy;
	unsigned turn, found = 0;
	struct world w;
	size_t nr;

	load(&m, 13, "--with unconsumed --with probe");
	nr = interesting(&m, off);
	copy = m;
	copy.bytes = malloc(m.len);
	assert_non_null(copy.bytes);
	for (turn = 0; turn < 300; turn++) {
		unsigned hits = 1 + next_random(&seed) % 12;

		memcpy(copy.bytes, m.bytes, m.len);
		while (hits--) {
			uint32_t v = next_random(&seed), kind = next_random(&seed) % 4;
			uint64_t at = off[next_random(&seed) % nr] + next_random(&seed) % 4092;

			v = kind == 0 ? UINT32_MAX : kind == 1 ? v % 70 : v << 1;
			memcpy(copy.bytes + at, &v, sizeof(v));
		}
		if (!reopen(&w, &copy))
			continue;
		rescan(&w, turn & 1 ? m.sym : NULL, (enum frontend_locate)(turn % 3));
		found += w.snap.nr_devices > 0;
		sane(&w.snap);
		close_world(&w);
	}
	assert_true(found > 100);
	free(copy.bytes);
	free(m.bytes);
	symbols_free(m.sym);
}

static void disk_names(void **state UNUSED)
{
	static const struct {
		uint16_t device;
		const char *name;
	} cases[] = {
		{0x0340, "hdb"},
		{769, "hda1"},
		{0x0342, "hdb2"},
		{22 << 8 | 1, "hdc1"},
		{91 << 8 | 64, "hdt"},
		{8 << 8 | 1, "sda1"},
		{65 << 8 | 0x11, "sdr1"},
		{66 << 8 | 0x10, "sdah"},
		{11 << 8 | 3, "scd3"},
		{202 << 8, "xvda"},
		{0x1234, "vbd-4660"},
		{0, "vbd-0"},
	};
	char name[32];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		nb_device_name(cases[i].device, name, sizeof(name));
		assert_string_equal(name, cases[i].name);
	}
}

static void free_lists(void **state UNUSED)
{
	struct nb_wire log[NB_SLOTS] = {{0}};
	unsigned i;

	for (i = 0; i < NB_SLOTS; i++)
		log[i].id = i + 1 < NB_SLOTS ? i + 1 : NB_NIL;
	assert_true(nb_free_head(log).known);
	assert_int_equal(nb_free_head(log).v, 0);
	assert_true(nb_free_list_ok(log, 0));
	assert_false(nb_free_list_ok(log, 1)); /* slot 0 is left out */
	assert_false(nb_free_list_ok(log, 64));
	log[63].id = 0;
	assert_false(nb_free_list_ok(log, 0));
	assert_false(nb_free_head(log).known);
	for (i = 0; i < NB_SLOTS; i++)
		log[i].id = 0xc0504000 + 44 * i;
	assert_true(nb_free_head(log).known);
	assert_int_equal(nb_free_head(log).v, NB_NIL);
	assert_true(nb_free_list_ok(log, NB_NIL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disk_names),
		cmocka_unit_test(free_lists),
		cmocka_unit_test(original_driver),
		cmocka_unit_test(generated_both_ways),
		cmocka_unit_test(one_source_only),
		cmocka_unit_test(one_buffer_twice_is_ambiguous),
		cmocka_unit_test(garbage_in_the_ring_proves_nothing),
		cmocka_unit_test(contradicting_sources_are_unknown),
		cmocka_unit_test(broken_slots_are_shown_with_their_trouble),
		cmocka_unit_test(frames_outside_the_guest),
		cmocka_unit_test(broken_free_list),
		cmocka_unit_test(no_recovery_ring_yet),
		cmocka_unit_test(log_not_in_the_checkpoint),
		cmocka_unit_test(table_of_frames_not_in_the_checkpoint),
		cmocka_unit_test(a_probe_belongs_to_no_disk),
		cmocka_unit_test(unconsumed_answers),
		cmocka_unit_test(driver_state),
		cmocka_unit_test(disks),
		cmocka_unit_test(one_id_twice_in_the_ring),
		cmocka_unit_test(pages_that_were_read_suffice),
		cmocka_unit_test(random_damage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
