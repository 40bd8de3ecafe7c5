/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each bio of btrfs is part of a struct btrfs_bio, which says what ends it and whose it is.
 */
#include "frontend/linux/who.h"

#include <string.h>

struct btrfs_layout {
	/* struct btrfs_bio, btrfs_dio_private */
	struct field bio, end_io, private, dio_bio;
};

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct btrfs_layout, dest), false                           \
	}

static const struct field_spec specs[] = {
	MAY("btrfs_bio", "bio", bio), MAY("btrfs_bio", "end_io", end_io),
	MAY("btrfs_bio", "private", private),
	MAY("btrfs_dio_private", "bio", dio_bio), /* 6.0 to 6.2 */
};

enum linux_btrfs_bio linux_btrfs_above(struct linux_who *w, struct linux_bio_part *at)
{
	struct btrfs_layout l = {0};
	uint64_t own, whose, end_io;
	const char *end;

	if (at->end->types)
		layout_fill_known(at->end->types, specs, ARRAY_SIZE(specs), &l);
	own = at->made - l.bio.off;
	if (!l.bio.present || layout_read(w->g, GVA(own), &l.end_io, &end_io, NULL) ||
		layout_read(w->g, GVA(own), &l.private, &whose, NULL) ||
		!guest_is_kernel_addr(w->g, whose))
		return LINUX_BTRFS_TOP;
	end = linux_code_at(&w->code, end_io)->name;
	if (!strcmp(end, "btrfs_dio_end_io")) { /* since 6.3: it is iomap's own */
		at->private = whose;
		return LINUX_BTRFS_IOMAP;
	}
	if (!strcmp(end, "btrfs_end_dio_bio") && l.dio_bio.present)
		at->made = whose + l.dio_bio.off; /* a piece of it */
	else if (!strcmp(end, "btrfs_orig_bbio_end_io"))
		at->made = whose + l.bio.off; /* the same, within btrfs; since 6.3 */
	else
		return LINUX_BTRFS_TOP;
	return LINUX_BTRFS_PIECE;
}
