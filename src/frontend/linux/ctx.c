/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/ctx.h"

/* The least that each takes of the guest's memory. A slot of the shadow holds a copy of a request
 * of the ring; struct request has more than this of any kernel. A request that waits has data, but
 * for a few flushes, and a segment is of a page; some have one page in common, as the page of
 * zeros, or parts of one. A ring takes a page. */
#define SLOT_BYTES    128u
#define REQUEST_BYTES 128u
#define QUEUED_BYTES  2048u
#define SEGMENT_BYTES 1024u

void linux_ctx_init(
	struct linux_ctx *c, struct guest *g, const struct linux_kernel *k, struct snapshot *s)
{
	const struct layout *types = k ? k->types : NULL;
	uint64_t pages = memory_info(guest_memory(g)).nr_data_pages;
	uint64_t segments = limit_in_guest(LINUX_MAX_SEGMENTS, pages, SEGMENT_BYTES);

	*c = (struct linux_ctx){
		.g = g,
		.word = guest_word_bytes(g),
		.abi = guest_word_bytes(g) == 8 ? &blkif_abi_x86_64 : &blkif_abi_x86_32,
		.located_by = BLK_BY_SCAN,
		.s = s,
		.left =
			{
				.rings = limit_in_guest(LINUX_MAX_RINGS, pages, PAGE_BYTES),
				.slots = limit_in_guest(LINUX_MAX_SLOTS, pages, SLOT_BYTES),
				.segments = segments,
				.tags = limit_in_guest(LINUX_MAX_TAGS, pages, REQUEST_BYTES),
				.queued = limit_in_guest(LINUX_MAX_QUEUED, pages, QUEUED_BYTES),
				.compared = segments,
			},
	};
	if (k) {
		c->facts = &k->facts;
		c->located_by = k->types_from_file ? BLK_BY_DWARF
				: k->from_file	   ? BLK_BY_ELF_SYMBOLS
						   : BLK_BY_KALLSYMS_BTF;
	}
	c->pages = k ? k->pages : linux_pages_unknown(g);
	linux_sg_layout(types, c->word, &c->sg);
	linux_bio_layout(types, c->word, &c->bio);
	linux_queue_layout(types, &c->queue);
	linux_disk_layout(types, &c->disk);
}
