/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A swap area of Linux (include/linux/swap.h, union swap_header): its first page is the header,
 * which ends with a magic text, and of which a hibernated system changes the text.
 */
#include "ondisk/fs.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

struct area {
	uint64_t page_bytes, pages;
};

static int open_swap(struct view *v, void **ret, struct err *err)
{
	struct area *a = calloc(1, sizeof(*a));
	uint8_t magic[10], last[4];
	uint64_t page;

	if (!a)
		return err_nomem(err, "a swap area");
	for (page = 4096; page <= 65536 && !a->page_bytes; page *= 2)
		if (!view_read(v, page - sizeof(magic), magic, sizeof(magic), err) &&
			(!memcmp(magic, "SWAPSPACE2", sizeof(magic)) ||
				!memcmp(magic, "S1SUSPEND", 9)) &&
			!view_read(v, 1024 + 4, last, sizeof(last), err)) {
			a->page_bytes = page;
			a->pages = (uint64_t)num_le32(last) + 1;
		}
	if (!a->page_bytes) {
		free(a);
		return err_set(err, ERR_CORRUPT, "its header makes no sense");
	}
	*ret = a;
	return 0;
}

static uint64_t tell_swap(void *state, uint64_t off, uint64_t bytes, struct meaning *m)
{
	const struct area *a = state;
	uint64_t page = off / a->page_bytes;

	if (!page) {
		m->kind = MEANING_SWAP_HEADER;
		return MIN(bytes, a->page_bytes - off);
	}
	if (page >= a->pages) {
		m->kind = MEANING_BEHIND;
		return bytes;
	}
	m->kind = MEANING_SWAP;
	if (asprintf(&m->detail, "page %" PRIu64, page) < 0)
		m->detail = NULL;
	return MIN(bytes, a->pages * a->page_bytes - off);
}

static const char *const types[] = {"swap", "swsuspend", NULL};

const struct ondisk_fs ondisk_swap = {
	.types = types, .open = open_swap, .tell = tell_swap, .close = free};
