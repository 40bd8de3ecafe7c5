/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/p2m.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* No frame of a file is at or above it: physical addresses have 52 bits. */
#define FILE_MAX_FRAME (UINT64_C(1) << 52)

struct reverse_row {
	uint64_t mfn, pfn;
};

struct p2m {
	/* The entry as stored. False: it cannot be read. */
	bool (*read_entry)(struct p2m *p, uint64_t pfn, uint64_t *ret);
	struct guest *g; /* NULL: `array` or `file` holds the table */
	gva_t table;
	unsigned word_bytes; /* of an entry */
	uint64_t nr;
	uint64_t *array;     /* owned */
	struct source *file; /* owned */
	struct reverse_row *reverse;
	size_t nr_reverse;
};

uint64_t p2m_entry_frame(uint64_t raw, unsigned word_bytes)
{
	return raw >> (word_bytes * 8 - 2) ? UINT64_MAX : raw;
}

typedef bool read_entry_fn(struct p2m *p, uint64_t pfn, uint64_t *ret);

static int new_p2m(read_entry_fn *read_entry, unsigned word_bytes, uint64_t nr, struct p2m **ret,
	struct err *err)
{
	struct p2m *p = calloc(1, sizeof(*p));

	if (!p)
		return err_nomem(err, "the p2m table");
	p->read_entry = read_entry;
	p->word_bytes = word_bytes;
	p->nr = nr;
	*ret = p;
	return 0;
}

static uint64_t entry_of(const struct p2m *p, const uint8_t *b)
{
	return p->word_bytes == 8 ? num_le64(b) : num_le32(b);
}

static bool read_from_memory(struct p2m *p, uint64_t pfn, uint64_t *ret)
{
	mfn_t mfn;

	*ret = memory_to_mfn(guest_memory(p->g), PFN(pfn), &mfn) ? mfn.v : UINT64_MAX;
	return true;
}

static bool read_from_page(struct p2m *p, uint64_t pfn, uint64_t *ret)
{
	unsigned per_page = PAGE_BYTES / p->word_bytes;
	pfn_t frame = memory_p2m_frame(guest_memory(p->g), (size_t)(pfn / per_page));
	struct err err;
	uint8_t b[8];

	if (guest_read_frame(
		    p->g, frame, (size_t)(pfn % per_page) * p->word_bytes, b, p->word_bytes, &err))
		return false;
	*ret = entry_of(p, b);
	return true;
}

static bool read_from_va(struct p2m *p, uint64_t pfn, uint64_t *ret)
{
	struct err err;
	uint8_t b[8];

	if (guest_read(p->g, gva_add(p->table, pfn * p->word_bytes), b, p->word_bytes, &err))
		return false;
	*ret = entry_of(p, b);
	return true;
}

static bool read_from_file(struct p2m *p, uint64_t pfn, uint64_t *ret)
{
	const uint8_t *at = source_at(p->file, pfn * 8, 8);

	if (at)
		*ret = num_le64(at);
	return at;
}

static bool read_from_array(struct p2m *p, uint64_t pfn, uint64_t *ret)
{
	*ret = p->array[pfn];
	return true;
}

int p2m_from_guest(struct guest *g, struct p2m **ret, struct err *err)
{
	const struct memory_info *info = guest_info(g);
	uint64_t listed;

	if (info->type != CKPT_GUEST_PV)
		return err_set(err, ERR_UNSUPPORTED,
			"not a PV guest: its frames have no machine frames to translate to");
	if (!info->frames_known && !info->nr_p2m_frames)
		return err_set(err, ERR_NOTFOUND, "the checkpoint lists no p2m frames");
	listed = (uint64_t)info->nr_p2m_frames * (PAGE_BYTES / guest_word_bytes(g));
	/* The source's own table is that of the host; the guest's may be stale. */
	if (info->frames_known ? new_p2m(read_from_memory, 8, info->nr_pfns, ret, err)
			       : new_p2m(read_from_page, guest_word_bytes(g),
					 MIN(info->nr_pfns, listed), ret, err))
		return -1;
	(*ret)->g = g;
	return 0;
}

int p2m_from_va(struct guest *g, gva_t table, uint64_t nr_pfns, struct p2m **ret, struct err *err)
{
	if (new_p2m(read_from_va, guest_word_bytes(g), nr_pfns, ret, err))
		return -1;
	(*ret)->g = g;
	(*ret)->table = table;
	return 0;
}

static bool is_entry(uint64_t v)
{
	return v < FILE_MAX_FRAME || v == UINT64_MAX;
}

/* Can these bytes be the table of a guest that has a page at last_pfn? */
static int check_file(const struct source *src, uint64_t last_pfn, struct err *err)
{
	uint64_t nr = source_bytes(src) / 8, i;
	const uint8_t *p = source_at(src, 0, nr * 8);

	if (source_bytes(src) % 8)
		return err_set(err, ERR_REFUSED, "%" PRIu64 " bytes are not a multiple of 8",
			source_bytes(src));
	for (i = 0; i < nr; i++)
		if (!is_entry(num_le64(p + 8 * i)))
			return err_set(err, ERR_REFUSED,
				"0x%" PRIx64 " at byte %" PRIu64 " is no machine frame",
				num_le64(p + 8 * i), 8 * i);
	if (nr <= last_pfn)
		return err_set(err, ERR_REFUSED,
			"%" PRIu64 " entries, but the guest has a page 0x%" PRIx64, nr, last_pfn);
	return 0;
}

int p2m_from_file(const char *path, uint64_t last_pfn, struct p2m **ret, struct err *err)
{
	struct source *src = NULL;

	if (source_open(path, &src, err))
		return err_in(err, "p2m table");
	if (check_file(src, last_pfn, err) ||
		new_p2m(read_from_file, 8, source_bytes(src) / 8, ret, err)) {
		source_close(src);
		return err_in(err, "p2m table '%s'", path);
	}
	(*ret)->file = src;
	return 0;
}

int p2m_from_array(uint64_t *mfns, uint64_t nr, struct p2m **ret, struct err *err)
{
	if (new_p2m(read_from_array, 8, nr, ret, err)) {
		free(mfns);
		return -1;
	}
	(*ret)->array = mfns;
	return 0;
}

void p2m_free(struct p2m *p2m)
{
	if (!p2m)
		return;
	source_close(p2m->file);
	free(p2m->array);
	free(p2m->reverse);
	free(p2m);
}

uint64_t p2m_nr(const struct p2m *p2m)
{
	return p2m->nr;
}

enum p2m_state p2m_lookup(struct p2m *p2m, pfn_t pfn, mfn_t *ret)
{
	uint64_t raw;

	if (pfn.v >= p2m->nr || !p2m->read_entry(p2m, pfn.v, &raw))
		return P2M_UNKNOWN;
	raw = p2m_entry_frame(raw, p2m->word_bytes);
	if (raw == UINT64_MAX)
		return P2M_NONE;
	*ret = MFN(raw);
	return P2M_VALID;
}

static int by_mfn(const void *a, const void *b)
{
	const struct reverse_row *x = a, *y = b;

	if (x->mfn != y->mfn)
		return x->mfn < y->mfn ? -1 : 1;
	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

static bool build_reverse(struct p2m *p)
{
	/* A guest without the pages that the header promises cannot make us allocate for them. */
	uint64_t nr = p->g ? MIN(p->nr, (uint64_t)1 << 28) : p->nr, pfn;
	struct reverse_row *rows = NULL;
	size_t cap = 0, n = 0;

	for (pfn = 0; pfn < nr; pfn++) {
		mfn_t mfn;

		if (p2m_lookup(p, PFN(pfn), &mfn) != P2M_VALID)
			continue;
		if (util_grow(&rows, &cap, n + 1, sizeof(*rows))) {
			free(rows);
			return false;
		}
		rows[n++] = (struct reverse_row){mfn.v, pfn};
	}
	if (!rows)
		return false;
	qsort(rows, n, sizeof(*rows), by_mfn);
	p->reverse = rows;
	p->nr_reverse = n;
	return true;
}

/* Frames that follow each other for pfns that do: a table has few of them. */
struct frame_run {
	uint64_t start, end;
};

static int by_start(const void *a, const void *b)
{
	const struct frame_run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int collect_runs(struct p2m *p, struct frame_run **ret, size_t *ret_nr, struct err *err)
{
	CLEANUP_FREE struct frame_run *v = NULL;
	size_t nr = 0, cap = 0;
	uint64_t pfn;

	for (pfn = 0; pfn < p->nr; pfn++) {
		mfn_t mfn;

		if (p2m_lookup(p, PFN(pfn), &mfn) != P2M_VALID)
			continue;
		if (nr && v[nr - 1].end == mfn.v) {
			v[nr - 1].end++;
			continue;
		}
		if (util_grow(&v, &cap, nr + 1, sizeof(*v)))
			return err_nomem(err, "comparing the frames of a table");
		v[nr++] = (struct frame_run){mfn.v, mfn.v + 1};
	}
	*ret = take(v);
	*ret_nr = nr;
	return 0;
}

int p2m_count_repeats(struct p2m *p2m, uint64_t *valid, uint64_t *repeats, struct err *err)
{
	CLEANUP_FREE struct frame_run *v = NULL;
	uint64_t end = 0;
	size_t i, nr = 0;

	if (collect_runs(p2m, &v, &nr, err))
		return -1;
	if (nr)
		qsort(v, nr, sizeof(*v), by_start);
	*valid = *repeats = 0;
	for (i = 0; i < nr; i++) {
		*valid += v[i].end - v[i].start;
		if (v[i].start < end)
			*repeats += MIN(end, v[i].end) - v[i].start;
		end = MAX(end, v[i].end);
	}
	return 0;
}

/* Two pfns that claim one machine frame make its owner unknown. */
enum p2m_state p2m_reverse(struct p2m *p2m, mfn_t mfn, pfn_t *ret)
{
	size_t lo = 0, hi;

	if (!p2m->reverse && !build_reverse(p2m))
		return P2M_UNKNOWN;
	hi = p2m->nr_reverse;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p2m->reverse[mid].mfn < mfn.v)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == p2m->nr_reverse || p2m->reverse[lo].mfn != mfn.v)
		return P2M_NONE;
	if (lo + 1 < p2m->nr_reverse && p2m->reverse[lo + 1].mfn == mfn.v)
		return P2M_UNKNOWN;
	*ret = PFN(p2m->reverse[lo].pfn);
	return P2M_VALID;
}
