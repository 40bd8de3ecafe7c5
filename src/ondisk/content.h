/* SPDX-License-Identifier: BSD-2-Clause
 *
 * content.h - what lies in a partition, a logical volume, or on a whole disk, and who reads it.
 *
 * What cannot be read there is unknown, and `lost` says why; the rest of the disk goes on. Only
 * without memory that is an error.
 */
#ifndef XB_ONDISK_CONTENT_H
#define XB_ONDISK_CONTENT_H

#include "ondisk/fs.h"

struct content {
	char type[32];		    /* libblkid's; "" none */
	bool unsure;		    /* it looks like several things */
	const struct ondisk_fs *fs; /* NULL: nobody can read it */
	void *state;		    /* owned, of fs; NULL: not opened yet, or `lost` says why not */
	struct view view;	    /* of state, so it must not move once that is opened */
	char *lost;		    /* owned */
};

/* Recognise it by bytes of the disk, where its superblocks are. */
int content_look(struct content *c, const struct disk *d, uint64_t start, uint64_t bytes,
	struct err *err) MUST_CHECK;
/* Through c->view, which is filled; what will be asked is ascending and apart. */
int content_open(
	struct content *c, const struct ondisk_range *asked, size_t nr, struct err *err) MUST_CHECK;
/* What begins at this byte: so many bytes of it. False: nobody reads it, and m->lost is filled. */
bool content_tell(
	const struct content *c, uint64_t off, uint64_t bytes, struct meaning *m, uint64_t *ret);
/* It cannot be read, and why. What is without memory is an error of all. */
int content_lose(struct content *c, const struct err *why, struct err *err) MUST_CHECK;
void content_close(struct content *c);

#endif
