/* SPDX-License-Identifier: BSD-2-Clause */
#include "ondisk/view.h"

#include <inttypes.h>

#include "base/num.h"

void view_init(struct view *v, const struct disk *d, uint64_t start, uint64_t bytes)
{
	*v = (struct view){.disk = d, .start = start, .bytes = bytes, .left = VIEW_MAX_READ};
}

int view_read(struct view *v, uint64_t off, void *buf, size_t bytes, struct err *err)
{
	if (!num_range_ok(off, bytes, v->bytes) ||
		!num_range_ok(v->start, v->bytes, v->disk->bytes))
		return err_set(
			err, ERR_CORRUPT, "it ends before byte %" PRIu64, off + (uint64_t)bytes);
	if (bytes > v->left)
		return err_set(err, ERR_REFUSED, "looking further would take too long");
	v->left -= bytes;
	return disk_read(v->disk, v->start + off, buf, bytes, err);
}
