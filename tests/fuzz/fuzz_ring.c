/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_ring.c - damage the driver's structures of a made-up Linux guest and decode it.
 *
 * Input: one byte of settings (layout, vmalloc, and how it is decoded), then edits (still_guest.h)
 * of the frames that matter: page tables, device, shared ring, ring structure, lists, requests,
 * queue. One in eight ways is whole: the guest's kernel is found, the guest is analysed by the scan
 * and by symbols, and its queue is walked. The others do one of these, of a kernel that was found
 * before the damage, which takes a tenth of the time.
 */
#include <inttypes.h>
#include <unistd.h>

#include "check/catalogue.h"
#include "frontend/frontend.h"

#include "../unit/linux_queue_guest.h"
#include "still_guest.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned frames[] = {LG_INFO, LG_SRING, LG_RING_NEW, LG_RING_NEW + 1, LG_SG, LG_SG + 1,
	LG_RQ, LG_RQ + 1, 36, 37, 38, LG_PAGES_ARRAY, LG_RING_OLD, LG_RING_OLD + 20, LG_GENDISK,
	LG_KERNEL, LG_L4, 2, 3, 4, 8, 9, 10, 11, 12, 13, LG_P2M};
#define NR_FRAMES (sizeof(frames) / sizeof(frames[0]))

static struct base {
	struct still_guest guest;
	uint64_t at[NR_FRAMES]; /* those, in the file */
	gva_t info;
	struct guest *g;
	struct kernel kernel; /* of the undamaged guest */
} bases[6];
static struct symbols *symbols;

static void make_guest(struct base *b, enum lg_layout layout, bool vmalloc)
{
	static struct lguest made;
	uint8_t *stream = malloc(LG_STREAM);
	size_t i;

	if (!stream)
		abort();
	lg_build(&made, layout, vmalloc);
	lq_build(&made);
	still_open(&b->guest, stream, lg_stream(&made, stream), frames, NR_FRAMES);
	for (i = 0; i < NR_FRAMES; i++)
		b->at[i] = ckpt_page(b->guest.ck, PFN(frames[i])).off;
	b->info = GVA(made.info);
	if (guest_open(still_memory(&b->guest), &b->g, NULL))
		abort();
	kernel_open(b->g, symbols, true, &b->kernel);
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	char path[] = "/tmp/xbdsnap-fuzz-XXXXXX";
	struct err err = ERR_INIT;
	int fd = mkstemp(path), i;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		abort();
	fprintf(f, "%" PRIx64 " R linux_banner\n%" PRIx64 " d info_list\n", (uint64_t)LG_BANNER,
		(uint64_t)LG_LIST);
	fclose(f);
	if (symbols_from_file(path, &symbols, &err))
		abort();
	unlink(path);
	for (i = 0; i < 6; i++)
		make_guest(&bases[i], (enum lg_layout)(i / 2), i & 1);
	return 0;
}

/* What every snapshot promises its users. */
static void check(const struct snapshot *s)
{
	size_t i, k;

	for (i = 0; i < s->nr_devices; i++)
		for (k = 0; k < s->devices[i].nr_requests; k++) {
			const struct io_request *r = &s->devices[i].requests[k];

			if (r->ring >= s->devices[i].nr_rings ||
				r->slot >= s->devices[i].rings[r->ring].entries)
				abort();
		}
	for (i = 0; i < s->findings.nr; i++)
		if (!catalogue_find(s->findings.v[i].rule))
			abort();
}

static void walk_queue(struct guest *g, gva_t info)
{
	struct snapshot s = {0};
	struct err err = ERR_INIT;
	struct linux_ctx c;
	struct blkdev *d = snapshot_add_device(&s);

	linux_ctx_init(&c, g, NULL, &s);
	linux_layout_builtin(&c.l, &(struct linux_builtin_shape){.which = LINUX_BUILTIN_5_18,
					   .word = 8,
					   .mutex_bytes = LINUX_MUTEX_BYTES(8),
					   .lock_bytes = LINUX_LOCK_BYTES(8)});
	lq_layout(&c);
	c.pages.start = LG_VMEMMAP;
	c.pages.known = true;
	if (d && !linux_decode_device(&c, info, d, &err))
		check(&s);
	snapshot_fini(&s);
}

static void find_devices(struct guest *g, const struct kernel *k, enum frontend_locate how)
{
	const struct frontend_options opt = {.locate = how};
	struct snapshot s = {0};

	if (!frontend_linux_blkfront.find(g, k, &opt, &s, NULL))
		check(&s);
	snapshot_fini(&s);
}

static void decode_whole(const struct base *b)
{
	struct kernel k;
	struct guest *g;

	if (guest_open(still_memory(&b->guest), &g, NULL))
		return;
	kernel_open(g, symbols, true, &k);
	find_devices(g, &k, FRONTEND_LOCATE_AUTO);
	kernel_close(&k);
	walk_queue(g, b->info);
	guest_close(g);
}

static void decode(const struct base *b, unsigned way)
{
	if (!(way % 8)) {
		decode_whole(b);
		return;
	}
	if (guest_reload(b->g, NULL))
		return;
	if (way % 8 < 4)
		walk_queue(b->g, b->info);
	else if (way % 8 < 7)
		find_devices(b->g, &b->kernel, FRONTEND_LOCATE_SYMBOLS);
	else
		find_devices(b->g, &b->kernel, FRONTEND_LOCATE_SCAN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct base *b;

	if (!size)
		return 0;
	b = &bases[data[0] % 6];
	still_edit(&b->guest, b->at, NR_FRAMES, data + 1, size - 1);
	decode(b, data[0] / 6);
	still_undo(&b->guest, b->at, NR_FRAMES, data + 1, size - 1);
	return 0;
}
