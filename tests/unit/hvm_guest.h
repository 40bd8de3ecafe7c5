/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hvm_guest.h - a tiny HVM guest with page tables of the test's own making. Shares no code with
 * the readers: tables, vcpu and stream are written here byte by byte.
 */
#ifndef TESTS_HVM_GUEST_H
#define TESTS_HVM_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef HG_PAGES
#define HG_PAGES 32u
#endif
#define HG_CPU_BYTES 1032u
#define HG_STREAM    (HG_PAGES * (8u + 4096u) + 8192u)

struct hguest {
	uint8_t mem[HG_PAGES][4096];
	bool absent[HG_PAGES];
	uint64_t cr0, cr3, cr4, efer;
	uint8_t stream[HG_STREAM];
};

static inline void hg_put(uint8_t *p, uint64_t v, unsigned bytes)
{
	while (bytes--) {
		*p++ = (uint8_t)v;
		v >>= 8;
	}
}

/* levels 0 (paging off), 2 to 5 */
static inline void hg_init(struct hguest *h, unsigned levels, uint64_t cr3)
{
	memset(h, 0, sizeof(*h));
	h->cr0 = levels ? 0x80000001u : 1;
	h->cr3 = cr3;
	h->cr4 = (levels > 2 ? 0x20 : 0x10) | (levels == 5 ? 0x1000 : 0);
	h->efer = levels > 3 ? 0x500 : 0;
}

static inline void hg_entry(
	struct hguest *h, unsigned frame, unsigned off, uint64_t entry, unsigned bytes)
{
	hg_put(&h->mem[frame][off], entry, bytes);
}

static inline uint8_t *hg_pages(struct hguest *h, uint8_t *p)
{
	unsigned nr = 0, i;
	uint8_t *data;

	for (i = 0; i < HG_PAGES; i++)
		nr += !h->absent[i];
	hg_put(p, 1, 4); /* PAGE_DATA */
	hg_put(p + 4, 8 + nr * (8 + 4096), 4);
	hg_put(p + 8, nr, 8);
	p += 16;
	data = p + 8ul * nr;
	for (i = 0; i < HG_PAGES; i++) {
		if (h->absent[i])
			continue;
		hg_put(p, i, 8);
		memcpy(data, h->mem[i], 4096);
		p += 8;
		data += 4096;
	}
	return data;
}

static inline uint8_t *hg_context(struct hguest *h, uint8_t *p)
{
	uint8_t *body = p + 8;

	hg_put(p, 9, 4); /* HVM_CONTEXT: header, one vcpu, end */
	hg_put(p + 4, 8 + 24 + 8 + HG_CPU_BYTES + 8, 4);
	hg_put(body, 1, 4);
	hg_put(body + 4, 24, 4);
	hg_put(body + 8, 0x54381286, 4);
	hg_put(body + 12, 1, 4);
	body += 32;
	hg_put(body, 2, 4);
	hg_put(body + 4, HG_CPU_BYTES, 4);
	hg_put(body + 8 + 656, h->cr0, 8);
	hg_put(body + 8 + 672, h->cr3, 8);
	hg_put(body + 8 + 680, h->cr4, 8);
	hg_put(body + 8 + 992, h->efer, 8);
	return body + 8 + HG_CPU_BYTES + 8;
}

/* A libxc v2 stream in h->stream; returns its length. */
static inline size_t hg_stream(struct hguest *h)
{
	static const uint8_t head[40] = {255, 255, 255, 255, 255, 255, 255, 255, 'X', 'E', 'N', 'F',
		0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 17, 0, 0,
		0};
	uint8_t *p = h->stream;

	memset(h->stream, 0, sizeof(h->stream));
	memcpy(p, head, sizeof(head));
	p = hg_pages(h, p + sizeof(head));
	p = hg_context(h, p);
	return (size_t)(p + 8 - h->stream); /* END is all zero */
}

#endif
