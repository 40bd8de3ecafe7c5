/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lvm.h - a physical volume of LVM 2: lvm.c says what lies in it, lvm_label.c reads where that is.
 */
#ifndef XB_ONDISK_LVM_H
#define XB_ONDISK_LVM_H

#include "ondisk/content.h"
#include "ondisk/lvm_text.h"

#define LVM_MAX_AREAS	 4u
#define LVM_MAX_VOLUMES	 1024u
#define LVM_MAX_SEGMENTS 65536u

/* So many bytes of a volume, in one piece on this disk. */
struct lvm_segment {
	uint64_t place, bytes; /* on the physical volume */
	uint64_t at;	       /* in the logical one */
	size_t volume;
	bool plain; /* what lies here is the volume's own bytes */
};

struct lvm_volume {
	char name[LVM_NAME_BYTES];
	uint64_t bytes;
	/* what lies in it, once that is asked for */
	struct view_piece *pieces; /* owned */
	size_t nr_pieces;
	struct content content;
};

struct lvm {
	struct view *view;
	uint64_t label; /* byte at which its sector begins */
	char uuid[33];
	struct ondisk_range areas[LVM_MAX_AREAS]; /* of metadata */
	size_t nr_areas;
	char group[LVM_NAME_BYTES];
	uint64_t extent_bytes, first; /* where the first extent is */
	struct lvm_segment *v;	      /* owned; ascending by place */
	size_t nr, cap;
	struct lvm_volume *volumes; /* owned; does not move once they are all there */
	size_t nr_volumes, cap_volumes;
};

/* Fill all but what lies in the volumes. */
int lvm_read(struct lvm *l, struct err *err) MUST_CHECK;

#endif
