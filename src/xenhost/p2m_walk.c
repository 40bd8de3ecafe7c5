/* SPDX-License-Identifier: BSD-2-Clause
 *
 * p2m_walk.c - the linear p2m of a PV guest through its own page tables.
 *
 * In a domain that was restored and is still paused this is the one table that is true: restore
 * has written the target's frames into its pages, while shared_info still has the source's
 * p2m_cr3 and no frame-list tree. The address in p2m_vaddr is the guest's and does not change.
 */
#include "xenhost/xenhost.h"

#include <string.h>

#include "base/num.h"
#include "guest/p2m.h"

static uint64_t frame_at(const uint8_t *at, unsigned word_bytes)
{
	return p2m_entry_frame(word_bytes == 8 ? num_le64(at) : num_le32(at), word_bytes);
}

uint64_t xenhost_walk_p2m(const struct xenhost_memory *mem, uint64_t va, unsigned word_bytes,
	uint64_t *mfn, uint64_t nr)
{
	uint64_t i = 0, nr_read = 0;
	uint8_t page[PAGE_BYTES];

	if (word_bytes != 4 && word_bytes != 8)
		return 0;
	/* A table that is not aligned to its entries is no table. */
	if (!va || va % word_bytes)
		return 0;
	for (i = 0; i < nr; i++)
		mfn[i] = UINT64_MAX;
	for (i = 0; i < nr;) {
		uint64_t at = va + i * word_bytes, off = at & PAGE_OFFSET_MASK;
		uint64_t n = MIN(nr - i, (PAGE_BYTES - off) / word_bytes), k;
		uint64_t frame = mem->translate(mem->arg, at);

		if (frame && mem->read(mem->arg, frame, page)) {
			nr_read++;
			for (k = 0; k < n; k++)
				mfn[i + k] = frame_at(page + off + k * word_bytes, word_bytes);
		}
		i += n;
	}
	return nr_read;
}

uint64_t xenhost_count_differences(const uint64_t *a, const uint64_t *b, uint64_t nr)
{
	uint64_t i, differ = 0;

	for (i = 0; i < nr; i++)
		differ += a[i] != b[i];
	return differ;
}
