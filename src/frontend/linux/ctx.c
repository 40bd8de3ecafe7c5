/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/ctx.h"

void linux_ctx_init(
	struct linux_ctx *c, struct guest *g, const struct linux_kernel *k, struct snapshot *s)
{
	const struct layout *types = k ? k->types : NULL;

	*c = (struct linux_ctx){
		.g = g,
		.word = guest_word_bytes(g),
		.abi = guest_word_bytes(g) == 8 ? &blkif_abi_x86_64 : &blkif_abi_x86_32,
		.located_by = BLK_BY_SCAN,
		.s = s,
		.left =
			{
				.rings = LINUX_MAX_RINGS,
				.slots = LINUX_MAX_SLOTS,
				.segments = LINUX_MAX_SEGMENTS,
				.tags = LINUX_MAX_TAGS,
				.compared = LINUX_MAX_SEGMENTS,
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
