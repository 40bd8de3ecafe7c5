/* SPDX-License-Identifier: BSD-2-Clause */
#include "xenhost/live_memory.h"

#include <string.h>

#include "base/num.h"
#include "checkpoint/frames.h"
#include "guest/pfn_set.h"
#include "io/page_cache.h"

/* Pages that are copied at once: of those held, when they are renewed; beside the one that is asked
 * for, when they are asked for in their order. */
#define RENEW_PAGES 256u
#define AHEAD	    32u
/* While every page is looked at they stand in windows past the cache, as many as it takes for what
 * was handed out to stand as long as it must. */
#define NR_WINDOWS (MEMORY_HELD + 1)

#define GONE "cannot be mapped: the domain has no such page, or none any more"

struct window_pages {
	uint64_t first, nr; /* pfns; nr 0: nothing */
	uint64_t asked;	    /* when one of them was asked for last, as h->nr_asked counts */
	bool ok[AHEAD];
	uint8_t bytes[AHEAD * PAGE_BYTES];
};

/* What changes when a page is asked for. */
struct held_pages {
	struct page_cache *cache;
	uint64_t nr, last; /* in the cache; the pfn that was copied last */
	bool overflowed, sequential;
	struct window_pages window[NR_WINDOWS];
	uint64_t nr_asked;
	uint8_t ahead[AHEAD * PAGE_BYTES];
};

struct live_memory {
	struct live_facts facts;
	struct live_frames from;
	struct frame_map frames; /* PV */
	uint64_t nr_data_pages;
	struct memory_root *roots;
	size_t nr_roots, cap_roots;
	struct held_pages *held;
};

/* ---- frames ------------------------------------------------------------------------------- */

static bool is_pv(const struct live_memory *m)
{
	return m->facts.type == CKPT_GUEST_PV;
}

/* UINT64_MAX: it has none. */
static uint64_t frame_of(const struct live_memory *m, uint64_t pfn)
{
	uint64_t mfn;

	if (pfn >= m->facts.nr_pfns)
		return UINT64_MAX;
	if (!is_pv(m))
		return pfn;
	return frames_to_mfn(&m->frames, pfn, &mfn) ? mfn : UINT64_MAX;
}

/* Copy the pages of nr pfns, RENEW_PAGES at most. */
static void copy_pages(
	const struct live_memory *m, const uint64_t *pfns, size_t nr, uint8_t *buf, bool *ok)
{
	uint64_t frames[RENEW_PAGES];
	size_t place[RENEW_PAGES], i, n = 0;
	bool got[RENEW_PAGES] = {0};

	memset(ok, 0, nr * sizeof(*ok));
	for (i = 0; i < nr; i++) {
		frames[n] = frame_of(m, pfns[i]);
		place[n] = i;
		n += frames[n] != UINT64_MAX;
	}
	if (n)
		m->from.read(m->from.arg, frames, n, buf, got);
	for (i = n; i-- > 0;) { /* none stands in front of where it belongs */
		ok[place[i]] = got[i];
		if (got[i] && place[i] != i)
			memcpy(buf + place[i] * PAGE_BYTES, buf + i * PAGE_BYTES, PAGE_BYTES);
	}
}

/* ---- what is held ------------------------------------------------------------------------- */

static void keep_page(struct held_pages *h, uint64_t pfn, const uint8_t *bytes)
{
	uint8_t *room;

	if (page_cache_find(h->cache, pfn))
		return;
	room = page_cache_room(h->cache, pfn);
	if (!room)
		return;
	memcpy(room, bytes, PAGE_BYTES);
	if (h->nr < LIVE_HELD)
		h->nr++;
	else
		h->overflowed = true;
}

static const uint8_t *fetch_frame(const struct live_memory *m, uint64_t pfn)
{
	struct held_pages *h = m->held;
	uint64_t pfns[AHEAD];
	bool ok[AHEAD];
	size_t i, nr = pfn == h->last + 1 ? AHEAD : 1;

	for (i = 0; i < nr; i++)
		pfns[i] = pfn + i;
	copy_pages(m, pfns, nr, h->ahead, ok);
	h->last = pfn + nr - 1;
	/* The one that was asked for comes last, so that it stays the longest. */
	for (i = nr; i-- > 0;)
		if (ok[i])
			keep_page(h, pfn + i, h->ahead + i * PAGE_BYTES);
	return page_cache_find(h->cache, pfn);
}

static const uint8_t *in_window(const struct window_pages *w, uint64_t pfn, bool *ret_known)
{
	*ret_known = pfn >= w->first && pfn - w->first < w->nr;
	if (!*ret_known || !w->ok[pfn - w->first])
		return NULL;
	return w->bytes + (pfn - w->first) * PAGE_BYTES;
}

/* The window that has the page, or the one that was not asked for the longest. */
static struct window_pages *window_for(struct held_pages *h, uint64_t pfn)
{
	struct window_pages *oldest = &h->window[0];
	bool known = false;
	size_t i;

	for (i = 0; i < NR_WINDOWS; i++) {
		(void)in_window(&h->window[i], pfn, &known);
		if (known)
			return &h->window[i];
		if (h->window[i].asked < oldest->asked)
			oldest = &h->window[i];
	}
	return oldest;
}

/* While every page is looked at. The cache keeps what it has. */
static const uint8_t *sweep_page(const struct live_memory *m, uint64_t pfn)
{
	struct held_pages *h = m->held;
	struct window_pages *w = window_for(h, pfn);
	uint64_t pfns[AHEAD];
	const uint8_t *page;
	bool known;
	size_t i;

	w->asked = ++h->nr_asked;
	page = in_window(w, pfn, &known);
	if (known)
		return page;
	w->first = pfn;
	w->nr = AHEAD;
	for (i = 0; i < AHEAD; i++)
		pfns[i] = pfn + i;
	copy_pages(m, pfns, AHEAD, w->bytes, w->ok);
	return in_window(w, pfn, &known);
}

static struct memory_page page_of_live(const void *source, pfn_t pfn)
{
	const struct live_memory *m = source;
	const uint8_t *page = page_cache_find(m->held->cache, pfn.v);

	if (!page && frame_of(m, pfn.v) != UINT64_MAX)
		page = m->held->sequential ? sweep_page(m, pfn.v) : fetch_frame(m, pfn.v);
	if (!page)
		return (struct memory_page){.state = MEMORY_FAILED, .why = GONE};
	return (struct memory_page){.state = MEMORY_DATA, .data = page};
}

static void advise_live(const void *source, bool sequential)
{
	const struct live_memory *m = source;

	size_t i;

	m->held->sequential = sequential;
	for (i = 0; i < NR_WINDOWS; i++)
		m->held->window[i].nr = 0;
}

void live_memory_forget(struct live_memory *m)
{
	struct held_pages *h = m->held;

	page_cache_empty(h->cache);
	advise_live(m, h->sequential);
	h->nr = 0;
	h->overflowed = false;
	h->last = UINT64_MAX - 1;
}

bool live_memory_overflowed(const struct live_memory *m)
{
	return m->held->overflowed;
}

struct held_page {
	uint64_t pfn;
	uint8_t *bytes;
};

struct renewal {
	struct held_page *v;
	size_t nr;
	const struct pfn_set *keep;
};

static void note_page(void *arg, uint64_t key, uint8_t *page)
{
	struct renewal *r = arg;

	if (!r->keep || !pfn_set_has(r->keep, key))
		r->v[r->nr++] = (struct held_page){key, page};
}

static int by_pfn(const void *a, const void *b)
{
	const struct held_page *x = a, *y = b;

	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

static void renew_pages(struct live_memory *m, const struct held_page *v, size_t nr, uint8_t *room)
{
	uint64_t pfns[RENEW_PAGES] = {0};
	bool ok[RENEW_PAGES];
	size_t i;

	for (i = 0; i < nr; i++)
		pfns[i] = v[i].pfn;
	copy_pages(m, pfns, nr, room, ok);
	for (i = 0; i < nr; i++) {
		if (ok[i]) {
			memcpy(v[i].bytes, room + i * PAGE_BYTES, PAGE_BYTES);
			continue;
		}
		page_cache_drop(m->held->cache, v[i].pfn);
		m->held->nr--;
	}
}

int64_t live_memory_renew(struct live_memory *m, const struct pfn_set *keep)
{
	struct held_pages *h = m->held;
	CLEANUP_FREE struct held_page *v = calloc(h->nr + 1, sizeof(*v));
	CLEANUP_FREE uint8_t *room = malloc(RENEW_PAGES * PAGE_BYTES);
	struct renewal r = {.v = v, .keep = keep};
	size_t i;

	if (!v || !room)
		return -1;
	page_cache_for_each(h->cache, note_page, &r);
	qsort(v, r.nr, sizeof(*v), by_pfn);
	for (i = 0; i < r.nr; i += RENEW_PAGES)
		renew_pages(m, v + i, MIN(r.nr - i, (size_t)RENEW_PAGES), room);
	h->overflowed = false;
	return (int64_t)r.nr;
}

/* ---- what else is asked ------------------------------------------------------------------- */

static struct memory_info info_of_live(const void *source)
{
	const struct live_memory *m = source;

	return (struct memory_info){
		.type = m->facts.type,
		.word_bytes = m->facts.word_bytes,
		.pt_levels = m->facts.pt_levels,
		.pte_unit = is_pv(m) ? CKPT_PTE_MFN : CKPT_PTE_PFN,
		.frames_known = is_pv(m),
		.suspended = m->facts.suspended,
		.nr_pfns = m->facts.nr_pfns,
		.nr_data_pages = m->nr_data_pages,
		.nr_roots = m->nr_roots,
		.suspend_record = PFN(UINT64_MAX),
	};
}

static bool next_run_of_live(const void *source, pfn_t from, struct memory_run *ret)
{
	const struct live_memory *m = source;
	const struct frame_span *s;
	uint64_t past;
	size_t i;

	if (!is_pv(m)) {
		if (from.v >= m->facts.nr_pfns)
			return false;
		*ret = (struct memory_run){.pfn = from.v, .nr = m->facts.nr_pfns - from.v};
		return true;
	}
	i = frames_from(&m->frames, from.v);
	if (i == m->frames.nr)
		return false;
	s = &m->frames.by_pfn[i];
	past = from.v > s->pfn ? from.v - s->pfn : 0;
	*ret = (struct memory_run){.pfn = s->pfn + past, .nr = s->nr - past};
	return true;
}

static struct memory_root root_of_live(const void *source, size_t index)
{
	const struct live_memory *m = source;

	return m->roots[index];
}

static bool hvm_param_of_live(const void *source, uint64_t index, uint64_t *ret)
{
	const struct live_memory *m = source;

	return !is_pv(m) && m->from.hvm_param && m->from.hvm_param(m->from.arg, index, ret);
}

static bool to_pfn_of_live(const void *source, mfn_t mfn, pfn_t *ret)
{
	const struct live_memory *m = source;

	return frames_to_pfn(&m->frames, mfn.v, &ret->v);
}

static bool to_mfn_of_live(const void *source, pfn_t pfn, mfn_t *ret)
{
	const struct live_memory *m = source;

	return frames_to_mfn(&m->frames, pfn.v, &ret->v);
}

struct memory live_memory_of(const struct live_memory *m)
{
	static const struct memory_ops ops = {
		.info = info_of_live,
		.page = page_of_live,
		.next_run = next_run_of_live,
		.root = root_of_live,
		.hvm_param = hvm_param_of_live,
		.to_pfn = to_pfn_of_live,
		.to_mfn = to_mfn_of_live,
		.advise = advise_live,
	};

	return (struct memory){.ops = &ops, .source = m};
}

/* ---- vcpus -------------------------------------------------------------------------------- */

#define PTE_NX (UINT64_C(1) << 63)

/*
 * Linux with page-table isolation gives a process two top tables side by side: the kernel's in an
 * even frame, and in the odd one behind it (PTI_USER_PGTABLE_BIT, arch/x86/entry/calling.h) one for
 * user mode in which the kernel's half is all but empty. The user's half is the same in both, but
 * for the kernel's own mark that nothing of it may be executed (arch/x86/mm/pti.c).
 */
static bool is_user_table(const struct live_memory *m, uint64_t frame)
{
	uint64_t pfns[2] = {frame - 1, frame};
	uint8_t pages[2 * PAGE_BYTES];
	bool ok[2], any = false;
	size_t i;

	if (!(frame & 1) || m->facts.pt_levels < 4)
		return false;
	copy_pages(m, pfns, 2, pages, ok);
	for (i = 0; ok[0] && ok[1] && i < PAGE_BYTES / 2; i += 8) {
		uint64_t kernel = num_le64(pages + i), user = num_le64(pages + PAGE_BYTES + i);

		if ((kernel ^ user) & ~PTE_NX)
			return false;
		any |= user != 0;
	}
	return any;
}

/* PFN(UINT64_MAX): it is no page of the domain's. */
static pfn_t table_of(const struct live_memory *m, const struct live_cpu *cpu)
{
	pfn_t pfn = PFN(cpu->cr3_frame);

	if (is_pv(m))
		return frames_to_pfn(&m->frames, cpu->cr3_frame, &pfn.v) ? pfn : PFN(UINT64_MAX);
	if (cpu->paging && cpu->user && is_user_table(m, pfn.v))
		pfn.v--;
	return pfn;
}

int live_memory_set_cpus(struct live_memory *m, const struct live_cpu *cpus, size_t nr)
{
	unsigned user;
	size_t i;

	if (util_grow(&m->roots, &m->cap_roots, nr, sizeof(*m->roots)))
		return -1;
	m->nr_roots = 0;
	/* What the kernel itself pages with is surely whole. */
	for (user = 0; user < 2; user++)
		for (i = 0; i < nr; i++) {
			struct memory_root r = {.vcpu = cpus[i].vcpu,
				.paging = cpus[i].paging,
				.offset = cpus[i].offset,
				.table = table_of(m, &cpus[i])};

			if (cpus[i].user == (user == 1) && r.table.v != UINT64_MAX)
				m->roots[m->nr_roots++] = r;
		}
	return 0;
}

void live_memory_set_mode(struct live_memory *m, unsigned word_bytes, unsigned pt_levels)
{
	m->facts.word_bytes = word_bytes;
	m->facts.pt_levels = pt_levels;
}

/* ---- making one --------------------------------------------------------------------------- */

static int note_frames(struct live_memory *m, const uint64_t *mfn)
{
	uint64_t i;

	for (i = 0; i < m->facts.nr_pfns; i++) {
		if (mfn[i] == UINT64_MAX)
			continue;
		if (frames_add(&m->frames, i, mfn[i]))
			return -1;
		m->nr_data_pages++;
	}
	return frames_finish(&m->frames);
}

static struct held_pages *new_held(void)
{
	struct held_pages *h = calloc(1, sizeof(*h));

	if (h)
		h->cache = page_cache_new(LIVE_HELD);
	return h;
}

int live_memory_new(const struct live_facts *facts, const uint64_t *mfn, struct live_frames from,
	struct live_memory **ret, struct err *err)
{
	struct live_memory *m = calloc(1, sizeof(*m));

	if (!m && from.free)
		from.free(from.arg);
	if (!m)
		return err_nomem(err, "the memory of a domain");
	m->facts = *facts;
	m->from = from;
	m->nr_data_pages = mfn ? 0 : facts->nr_pages;
	m->held = new_held();
	if (!m->held || !m->held->cache || (mfn && note_frames(m, mfn))) {
		live_memory_free(m);
		return err_nomem(err, "the memory of a domain");
	}
	live_memory_forget(m);
	*ret = m;
	return 0;
}

void live_memory_free(struct live_memory *m)
{
	if (!m)
		return;
	if (m->from.free)
		m->from.free(m->from.arg);
	if (m->held)
		page_cache_free(m->held->cache);
	free(m->held);
	free(m->roots);
	frames_fini(&m->frames);
	free(m);
}
