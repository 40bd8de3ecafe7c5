/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_guest.h - a tiny 64-bit PV Linux guest, made of nothing but what xen-blkfront keeps.
 *
 * For unit tests and fuzzing. Shares no code with the readers: pages, page tables and the stream
 * are written here byte by byte. Four requests are in the ring of 32:
 *   slot 0  write, sector 100, 2 segments: pfn 40 from byte 512, pfn 41 from 0 (3584 + 512 bytes)
 *   slot 1  read, sector 200, 1 segment: pfn 42, 4096 bytes; its response waits to be consumed
 *   slot 2  discard, sector 4096, 64 sectors
 *   slot 3  flush
 */
#ifndef TESTS_LINUX_GUEST_H
#define TESTS_LINUX_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LG_PAGES   128u
#define LG_SLOTS   32u
#define LG_DIRECT  0xffff888000000000ull
#define LG_VMALLOC 0xffffc90000000000ull
#define LG_VMEMMAP 0xffffea0000000000ull
#define LG_TEXT	   0xffffffff81000000ull
#define LG_BANNER  LG_TEXT
#define LG_LIST	   (LG_TEXT + 0x100) /* info_list */
#define LG_STREAM  (4096u * LG_PAGES + 8u * LG_PAGES + 16384u)
#define LG_NIL	   0x0fffffffu
#define LG_MFN	   0x5000u /* source frame of pfn 0 */

/* Frames by use. */
enum {
	LG_L4 = 1,
	LG_TABLES = 2, /* three tables a region, four regions */
	LG_P2M = 14,
	LG_KERNEL = 15,
	LG_INFO = 16,
	LG_GENDISK = 17,
	LG_SRING = 18,
	LG_RING_NEW = 20,
	LG_SG = 24, /* 1 KiB a slot: scatter list, grants, grant pointers */
	LG_RQ = 32, /* struct request, 256 bytes a slot */
	LG_PAGES_ARRAY = 34,
	LG_DATA = 40,
	LG_RING_OLD = 64,
};

enum lg_layout {
	LG_5_18,
	LG_5_8,
	LG_4_5,
};

struct lguest {
	uint8_t mem[LG_PAGES][4096];
	bool absent[LG_PAGES];
	enum lg_layout layout;
	bool vmalloc;	      /* the ring structure lies in scattered frames */
	unsigned mutex, lock; /* bytes before xbdev and before the front ring */
	uint64_t info, ring;
};

static inline void lg_put(uint8_t *p, uint64_t v, unsigned bytes)
{
	while (bytes--) {
		*p++ = (uint8_t)v;
		v >>= 8;
	}
}

static inline unsigned lg_ring_pages(const struct lguest *g)
{
	return g->layout == LG_4_5 ? 21 : 2;
}

static inline unsigned lg_ring_frame(const struct lguest *g, unsigned k)
{
	unsigned first = g->layout == LG_4_5 ? LG_RING_OLD : LG_RING_NEW;

	return g->vmalloc ? first + lg_ring_pages(g) - 1 - k : first + k;
}

/* The byte at a kernel address. */
static inline uint8_t *lg_at(struct lguest *g, uint64_t va)
{
	if (va >= LG_TEXT)
		return &g->mem[LG_KERNEL][va - LG_TEXT];
	if (va >= LG_VMEMMAP)
		return &g->mem[LG_PAGES_ARRAY][0] + (va - LG_VMEMMAP);
	if (va >= LG_VMALLOC)
		return &g->mem[lg_ring_frame(g, (unsigned)((va - LG_VMALLOC) >> 12))][va & 4095];
	return &g->mem[0][0] + (va - LG_DIRECT);
}

static inline void lg_set(struct lguest *g, uint64_t va, uint64_t v, unsigned bytes)
{
	unsigned i;

	for (i = 0; i < bytes; i++, v >>= 8)
		*lg_at(g, va + i) = (uint8_t)v;
}

static inline void lg_map_region(
	struct lguest *g, unsigned region, uint64_t va, unsigned nr, const unsigned *frames)
{
	unsigned table = LG_TABLES + 3 * region, k;
	uint64_t flags = 0x67; /* present, writable, user, accessed, dirty */

	lg_put(&g->mem[LG_L4][8 * ((va >> 39) & 511)], (uint64_t)table << 12 | flags, 8);
	lg_put(&g->mem[table][8 * ((va >> 30) & 511)], (uint64_t)(table + 1) << 12 | flags, 8);
	lg_put(&g->mem[table + 1][8 * ((va >> 21) & 511)], (uint64_t)(table + 2) << 12 | flags, 8);
	for (k = 0; k < nr; k++)
		lg_put(&g->mem[table + 2][8 * (((va >> 12) + k) & 511)],
			(uint64_t)frames[k] << 12 | flags, 8);
}

static inline void lg_map(struct lguest *g)
{
	static const unsigned kernel[] = {LG_KERNEL};
	static const unsigned array[] = {LG_PAGES_ARRAY, LG_PAGES_ARRAY + 1};
	unsigned frames[LG_PAGES], k;

	for (k = 0; k < LG_PAGES; k++)
		frames[k] = k;
	lg_map_region(g, 0, LG_DIRECT, LG_PAGES, frames);
	lg_map_region(g, 1, LG_TEXT, 1, kernel);
	lg_map_region(g, 2, LG_VMEMMAP, 2, array);
	for (k = 0; k < lg_ring_pages(g); k++)
		frames[k] = lg_ring_frame(g, k);
	if (g->vmalloc)
		lg_map_region(g, 3, LG_VMALLOC, lg_ring_pages(g), frames);
}

static inline uint64_t lg_direct(unsigned frame, unsigned off)
{
	return LG_DIRECT + 4096ull * frame + off;
}

static inline uint64_t lg_slot(const struct lguest *g, unsigned i)
{
	return g->ring + g->lock + (g->layout == LG_4_5 ? 160 : 216) + 160ull * i;
}

static inline unsigned lg_tail(const struct lguest *g) /* of shadow_free; dev_info is next */
{
	return g->lock + (g->layout == LG_4_5 ? 82120 : 200);
}

static inline void lg_fill_info(struct lguest *g)
{
	unsigned shift = g->layout == LG_5_18 ? 8 : 0;
	uint64_t i = g->info + g->mutex - 32;
	unsigned rinfo = 272 + shift;

	lg_set(g, i + 40, lg_direct(LG_GENDISK, 0), 8);
	lg_set(g, i + 56 + shift, 51712, 4);
	lg_set(g, i + 60 + shift, 51712, 2);
	lg_set(g, i + 64 + shift, 1, 4);
	lg_set(g, i + 68 + shift, 1, 4);
	lg_set(g, i + 72 + shift, lg_direct(LG_RQ, 0), 8); /* any address will do */
	lg_set(g, i + 80 + shift, 5, 1);		   /* feature_flush, feature_discard */
	lg_set(g, i + rinfo, g->ring, 8);
	lg_set(g, i + rinfo + 8, 1, 4);
	if (g->layout != LG_4_5)
		lg_set(g, i + rinfo + 12, g->lock + 216 + 160 * LG_SLOTS, 4);
	lg_set(g, i + rinfo + 48, LG_LIST, 8);
	lg_set(g, i + rinfo + 56, LG_LIST, 8);
	lg_set(g, LG_LIST, i + rinfo + 48, 8);
	lg_set(g, LG_LIST + 8, i + rinfo + 48, 8);
	memcpy(&g->mem[LG_GENDISK][12], "xvda", 5);
}

static inline void lg_fill_ring(struct lguest *g)
{
	uint64_t r = g->ring, s = lg_direct(LG_SRING, 0);
	unsigned i;

	lg_set(g, r + g->lock, 10, 4);	  /* req_prod_pvt */
	lg_set(g, r + g->lock + 4, 6, 4); /* rsp_cons */
	lg_set(g, r + g->lock + 8, LG_SLOTS, 4);
	lg_set(g, r + g->lock + 16, s, 8);
	lg_set(g, r + g->lock + 24, 8, 4);
	lg_set(g, r + lg_tail(g), 4, 8);
	lg_set(g, r + lg_tail(g) + 8, g->info, 8);
	lg_set(g, s, 10, 4); /* req_prod */
	lg_set(g, s + 4, 11, 4);
	lg_set(g, s + 8, 7, 4); /* rsp_prod */
	lg_set(g, s + 12, 7, 4);
	lg_set(g, s + 64 + 6 * 112, 1, 8); /* the response to slot 1 */
	for (i = 0; i < LG_SLOTS; i++) {
		uint64_t slot = lg_slot(g, i), own = lg_direct(LG_SG, 1024 * i);

		lg_set(g, slot + 8, i < 4 ? i : i + 1 == LG_SLOTS ? LG_NIL : i + 1, 8);
		lg_set(g, slot + 120, own + 512 + 384, 8); /* grants_used */
		lg_set(g, slot + 136, own, 8);		   /* sg */
	}
}

static inline void lg_fill_request(
	struct lguest *g, unsigned slot, unsigned op, uint64_t sector, unsigned nr_seg)
{
	uint64_t s = lg_slot(g, slot), copy = lg_direct(LG_SRING, 64 + 112 * (6 + slot));

	lg_set(g, s, op, 1);
	lg_set(g, s + 1, nr_seg, 1);
	lg_set(g, s + 2, 51712, 2);
	lg_set(g, s + 16, sector, 8);
	lg_set(g, s + 112, lg_direct(LG_RQ, 256 * slot), 8);
	lg_set(g, s + 144, nr_seg, 4);
	lg_set(g, s + 148, 1, 4);
	lg_set(g, s + 152, UINT64_MAX, 8);
	if (slot) /* the response to slot 1 overwrote the first entry */
		memcpy(lg_at(g, copy), lg_at(g, s), 112);
}

static inline void lg_fill_segment(struct lguest *g, unsigned slot, unsigned k, unsigned frame,
	unsigned off, unsigned bytes, unsigned gref)
{
	uint64_t own = lg_direct(LG_SG, 1024 * slot), s = lg_slot(g, slot);

	lg_set(g, own + 32 * k, (LG_VMEMMAP + 64ull * frame) | (k ? 2 : 0), 8);
	lg_set(g, own + 32 * k + 8, off, 4);
	lg_set(g, own + 32 * k + 12, bytes, 4);
	lg_set(g, own + 512 + 32 * k, gref, 4);
	lg_set(g, own + 512 + 384 + 8 * k, own + 512 + 32 * k, 8);
	lg_set(g, s + 24 + 8 * k, gref, 4);
	lg_set(g, s + 28 + 8 * k, off / 512, 1);
	lg_set(g, s + 29 + 8 * k, (off + bytes) / 512 - 1, 1);
}

/* Of a kernel whose locks have those sizes. */
static inline void lg_build_locks(
	struct lguest *g, enum lg_layout layout, bool vmalloc, unsigned mutex, unsigned lock)
{
	static const char banner[] = "Linux version 5.10.0-made-up (nobody)";
	unsigned i;

	memset(g, 0, sizeof(*g));
	g->layout = layout;
	g->vmalloc = vmalloc;
	g->mutex = mutex;
	g->lock = lock;
	g->info = lg_direct(LG_INFO, 512);
	g->ring = vmalloc ? LG_VMALLOC : lg_direct(lg_ring_frame(g, 0), 0);
	lg_map(g);
	memcpy(g->mem[LG_KERNEL], banner, sizeof(banner));
	for (i = 0; i < 512; i++)
		lg_put(&g->mem[LG_P2M][8 * i], i < LG_PAGES ? LG_MFN + i : UINT64_MAX, 8);
	for (i = 0; i < LG_PAGES; i++) /* struct page: one reference */
		lg_put(&g->mem[LG_PAGES_ARRAY][0] + 64 * i + 52, 1, 4);
	lg_fill_info(g);
	lg_fill_ring(g);
	lg_fill_segment(g, 0, 0, LG_DATA, 512, 3584, 20);
	lg_fill_segment(g, 0, 1, LG_DATA + 1, 0, 512, 21);
	lg_fill_request(g, 0, 1, 100, 2);
	lg_fill_segment(g, 1, 0, LG_DATA + 2, 0, 4096, 22);
	lg_fill_request(g, 1, 0, 200, 1);
	lg_set(g, lg_slot(g, 2) + 24, 64, 8);
	lg_fill_request(g, 2, 5, 4096, 0);
	lg_fill_request(g, 3, 3, 0, 0);
}

static inline void lg_build(struct lguest *g, enum lg_layout layout, bool vmalloc)
{
	lg_build_locks(g, layout, vmalloc, 32, 8);
}

/* Level of a page-table frame, 0 for others. */
static inline unsigned lg_level(const struct lguest *g, unsigned frame)
{
	if (frame == LG_L4)
		return 4;
	if (frame < LG_TABLES || frame >= LG_TABLES + (g->vmalloc ? 12 : 9))
		return 0;
	return 3 - (frame - LG_TABLES) % 3;
}

static inline uint8_t *lg_record(uint8_t *p, uint32_t type, uint32_t bytes)
{
	lg_put(p, type, 4);
	lg_put(p + 4, bytes, 4);
	return p + 8;
}

static inline uint8_t *lg_page_data(const struct lguest *g, uint8_t *p)
{
	unsigned nr = 0, i;
	uint8_t *list, *data;

	for (i = 0; i < LG_PAGES; i++)
		nr += !g->absent[i];
	p = lg_record(p, 1, 8 + nr * (8 + 4096));
	lg_put(p, nr, 8);
	list = p + 8;
	data = list + 8 * nr;
	for (i = 0; i < LG_PAGES; i++) {
		if (g->absent[i])
			continue;
		lg_put(list, (uint64_t)lg_level(g, i) << 60 | i, 8);
		list += 8;
		memcpy(data, g->mem[i], 4096);
		data += 4096;
	}
	return data;
}

/* A libxc v2 stream into buf of LG_STREAM bytes; returns its length. */
static inline size_t lg_stream(const struct lguest *g, uint8_t *buf)
{
	static const uint8_t head[40] = {255, 255, 255, 255, 255, 255, 255, 255, 'X', 'E', 'N', 'F',
		0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 17, 0, 0,
		0};
	uint8_t *p = buf;

	memset(buf, 0, LG_STREAM);
	memcpy(p, head, sizeof(head));
	p = lg_record(p + sizeof(head), 2, 8); /* X86_PV_INFO: width, levels */
	p[0] = 8;
	p[1] = 4;
	p = lg_record(p + 8, 3, 16); /* X86_PV_P2M_FRAMES: first, last, frame */
	lg_put(p + 4, LG_PAGES - 1, 4);
	lg_put(p + 8, LG_P2M, 8);
	p = lg_page_data(g, p + 16);
	p = lg_record(p, 7, 4096) + 4096; /* SHARED_INFO */
	p = lg_record(p, 4, 8 + 5168);	  /* X86_PV_VCPU_BASIC */
	lg_put(p + 8 + 5008, (uint64_t)LG_L4 << 12, 8);
	p = lg_record(p + 8 + 5168, 0, 0);
	return (size_t)(p - buf);
}

#endif
