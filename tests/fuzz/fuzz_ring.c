/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_ring.c - damage the driver's structures of a made-up Linux guest and decode it.
 *
 * Input: one byte of settings (layout, vmalloc), then edits {u16 place, u8 length, bytes}. A place
 * counts in words of 8 bytes through the frames that matter: page tables, device, shared ring,
 * ring structure, lists, requests, queue. The guest is analysed by the scan and by symbols, and
 * its queue is walked.
 */
#include <inttypes.h>
#include <unistd.h>

#include "check/catalogue.h"
#include "frontend/frontend.h"

#include "../unit/linux_queue_guest.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned frames[] = {LG_INFO, LG_SRING, LG_RING_NEW, LG_RING_NEW + 1, LG_SG, LG_SG + 1,
	LG_RQ, LG_RQ + 1, 36, 37, 38, LG_PAGES_ARRAY, LG_RING_OLD, LG_RING_OLD + 20, LG_GENDISK,
	LG_KERNEL, LG_L4, 2, 3, 4, 8, 9, 10, 11, 12, 13, LG_P2M};
#define NR_PLACES (sizeof(frames) / sizeof(frames[0]) * 512)

static struct lguest base[6], guest;
static uint8_t stream[LG_STREAM];
static struct symbols *symbols;

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
	for (i = 0; i < 6; i++) {
		lg_build(&base[i], (enum lg_layout)(i / 2), i & 1);
		lq_build(&base[i]);
	}
	return 0;
}

static void edit(struct lguest *g, const uint8_t *data, size_t size)
{
	while (size > 3) {
		unsigned place = (data[0] | data[1] << 8) % NR_PLACES, at = place % 512 * 8;
		size_t n = data[2] % 33;

		data += 3;
		size -= 3;
		n = MIN(n, size);
		n = MIN(n, (size_t)4096 - at);
		memcpy(g->mem[frames[place / 512]] + at, data, n);
		data += n;
		size -= n;
	}
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

static void analyse(struct guest *g, enum frontend_locate how)
{
	const struct frontend_options opt = {.locate = how};
	struct snapshot s = {0};
	struct err err = ERR_INIT;
	struct kernel k;

	kernel_open(g, symbols, true, &k);
	if (!frontend_linux_blkfront.find(g, &k, &opt, &s, &err))
		check(&s);
	kernel_close(&k);
	snapshot_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct source *src;
	struct ckpt *ck;
	struct guest *g;

	if (!size)
		return 0;
	guest = base[data[0] % 6];
	edit(&guest, data + 1, size - 1);
	if (source_from_memory(stream, lg_stream(&guest, stream), "made up", &src, &err) ||
		ckpt_open_source(src, &ck, &err))
		abort();
	if (!guest_open(memory_of_ckpt(ck), &g, &err)) {
		analyse(g, FRONTEND_LOCATE_AUTO);
		walk_queue(g, GVA(guest.info));
		guest_close(g);
	}
	ckpt_close(ck);
	return 0;
}
