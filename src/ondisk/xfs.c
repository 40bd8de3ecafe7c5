/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xfs: its superblocks, the headers of its allocation groups and its log stand at fixed places.
 * What the other blocks are is not looked up.
 */
#include "ondisk/fs.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "io/xfs_super.h"

static int open_xfs(struct view *v, void **ret, struct err *err)
{
	struct xfs_super *s = calloc(1, sizeof(*s));
	uint8_t raw[XFS_SUPER_BYTES];

	if (!s)
		return err_nomem(err, "a file system");
	if (view_read(v, 0, raw, sizeof(raw), err) || !xfs_super_parse(raw, s)) {
		err_set(err, ERR_CORRUPT, "its superblock makes no sense");
		free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

/* Each group begins with a superblock and three headers, a sector each; the rest of that block is
 * not used. */
static uint64_t tell_head(
	const struct xfs_super *s, uint64_t group, uint64_t off, struct meaning *m)
{
	static const char *const headers[] = {NULL, "AGF", "AGI", "AGFL"};
	uint64_t sector = off / s->sector_bytes, left = s->sector_bytes - off % s->sector_bytes;
	int n;

	if (sector >= ARRAY_SIZE(headers)) {
		m->kind = MEANING_FREE;
		return s->block_bytes - off;
	}
	m->kind = sector ? MEANING_SPACE_HEADERS : group ? MEANING_SUPER_BACKUP : MEANING_SUPER;
	n = sector ? asprintf(&m->detail, "%s of group %" PRIu64, headers[sector], group)
		   : asprintf(&m->detail, "group %" PRIu64, group);
	if (n < 0)
		m->detail = NULL;
	return left;
}

/* Up to the next place that is known. */
static uint64_t tell_block(
	const struct xfs_super *s, uint64_t group, uint64_t off, uint64_t log, struct meaning *m)
{
	uint64_t size = (uint64_t)s->ag_blocks * s->block_bytes, at = off - group * size;
	uint64_t left = size - at;

	if (asprintf(&m->detail, "group %" PRIu64 ", block %" PRIu64, group, at / s->block_bytes) <
		0)
		m->detail = NULL;
	m->lost = strdup("blocks of xfs are not looked up");
	return log > off ? MIN(left, log - off) : left;
}

static uint64_t tell_xfs(void *state, uint64_t off, uint64_t bytes, struct meaning *m)
{
	const struct xfs_super *s = state;
	uint64_t size = (uint64_t)s->ag_blocks * s->block_bytes, group = off / size, n;
	uint64_t log = s->log_start * s->block_bytes;
	uint64_t log_bytes = log ? (uint64_t)s->log_blocks * s->block_bytes : 0;

	if (off >= s->blocks * s->block_bytes) {
		m->kind = MEANING_BEHIND;
		n = bytes;
	} else if (log_bytes && off >= log && off - log < log_bytes) {
		m->kind = MEANING_JOURNAL;
		m->position = off - log;
		n = log_bytes - (off - log);
	} else if (off - group * size < s->block_bytes) {
		n = tell_head(s, group, off - group * size, m);
	} else {
		n = tell_block(s, group, off, log, m);
	}
	return MIN(n, bytes);
}

static const char *const types[] = {"xfs", NULL};

const struct ondisk_fs ondisk_xfs = {
	.types = types, .open = open_xfs, .tell = tell_xfs, .close = free};
