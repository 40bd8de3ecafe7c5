/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xccore_pages.c - which page of the guest is which of an old core dump, that lists machine frames.
 *
 * A PV guest has the table itself: start_info (public/xen.h; a page that begins with its magic, as
 * xc_linux_build.c writes it) says at which address, and the page tables of any root that maps the
 * kernel lead there. It is believed when it names most frames of the file, each once.
 *
 * An HVM guest has none. The hypervisor lists frames in the order in which they were allocated, and
 * xc_hvm_build.c takes that order for the guest's: until 3.0.3 from frame 0 on, in 3.0.4 without
 * the VGA hole; both leave out what is below 4 GiB for devices. It is believed when page tables
 * bear it out.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/xccore.h"

#define MAX_START_INFOS 8u
/* 64 GiB; guests of that age have 16 GiB at most where they have 32 bits. */
#define MAX_TABLE (UINT64_C(1) << 24)
/* Entries of tables that are looked at in all; candidates are given up when it is used up. */
#define MAX_WORK (MAX_TABLE * 4)

#define VGA_HOLE       0xa0u
#define VGA_HOLE_PAGES 0x20u
/* HVM_BELOW_4G_RAM_END and HVM_BELOW_4G_MMIO_LENGTH of public/hvm/e820.h. */
#define RAM_BELOW_4G  0xf0000u
#define DEVICES_PAGES 0x10000u

#define CR0_PG	(1u << 31)
#define CR4_PAE (1u << 5)

/* ---- page tables -------------------------------------------------------------------------- */

/* The number in the file of the page that an HVM guest calls so. */
static uint64_t place_of_gfn(const struct xccore *x, uint64_t gfn)
{
	uint64_t i = gfn;

	if (gfn >= RAM_BELOW_4G && gfn < RAM_BELOW_4G + DEVICES_PAGES)
		return UINT64_MAX;
	if (gfn >= RAM_BELOW_4G)
		i -= DEVICES_PAGES;
	if (!x->marked_hvm || gfn < VGA_HOLE)
		return i;
	return gfn < VGA_HOLE + VGA_HOLE_PAGES ? UINT64_MAX : i - VGA_HOLE_PAGES;
}

static uint64_t gfn_of_place(const struct xccore *x, uint64_t i)
{
	uint64_t gfn = x->marked_hvm && i >= VGA_HOLE ? i + VGA_HOLE_PAGES : i;

	return gfn >= RAM_BELOW_4G ? gfn + DEVICES_PAGES : gfn;
}

/* Entries of an HVM guest's tables hold its own frames. */
static const uint8_t *table_page(struct xccore *x, uint64_t frame)
{
	uint64_t i;

	if (x->hvm)
		return xccore_page(x, place_of_gfn(x, frame));
	return frames_to_pfn(&x->place, frame, &i) ? xccore_page(x, i) : NULL;
}

static bool walk_tables(
	struct xccore *x, const struct pt_mode *m, uint64_t root, uint64_t va, uint64_t *ret_frame)
{
	uint64_t frame = root;
	unsigned level;

	for (level = m->levels; level; level--) {
		const uint8_t *table = table_page(x, frame);
		unsigned index = pt_index(m, level, va);
		struct pt_entry e;

		if (!table)
			return false;
		e = pt_decode(m, level,
			m->entry_bytes == 4 ? num_le32(table + 4 * (size_t)index)
					    : num_le64(table + 8 * (size_t)index));
		if (!e.present)
			return false;
		frame = e.frame;
		if (e.large)
			frame += (va & (pt_span(m, level) - 1)) >> PAGE_SHIFT;
		if (e.large)
			break;
	}
	*ret_frame = frame;
	return true;
}

/* ---- PV ----------------------------------------------------------------------------------- */

struct search {
	struct xccore *x;
	struct err *err;
	const struct pt_mode *mode;
	const uint8_t *start_info;
	uint64_t start_info_place;
	unsigned word_bytes;
	uint64_t table, nr; /* address of the guest's table, and its entries */
	uint64_t work_left;
	uint8_t *seen; /* a bit for each page of the file */
	uint64_t nr_seen;
};

/* "xen-3.0-x86_32", "xen-3.0-x86_32p", "xen-3.0-x86_64"; the table's address, entries. */
static const struct {
	const char *end;
	unsigned levels, word_bytes, nr_pages, mfn_list;
} magics[] = {
	{"-x86_64", 4, 8, 32, 104},
	{"-x86_32p", 3, 4, 32, 68},
	{"-x86_32", 2, 4, 32, 68},
};

static uint64_t word_at(const struct search *s, const uint8_t *p)
{
	return s->word_bytes == 8 ? num_le64(p) : num_le32(p);
}

static bool is_start_info(struct search *s, uint64_t i)
{
	const uint8_t *p = xccore_page(s->x, i);
	const char *dash;
	size_t k;

	if (!p || memcmp(p, "xen-", 4) || !memchr(p, 0, 32))
		return false;
	dash = strchr((const char *)p + 4, '-');
	for (k = 0; dash && k < ARRAY_SIZE(magics); k++)
		if (!strcmp(dash, magics[k].end))
			break;
	if (!dash || k == ARRAY_SIZE(magics))
		return false;
	s->start_info = p;
	s->start_info_place = i;
	s->mode = pt_mode_for(magics[k].levels);
	s->word_bytes = magics[k].word_bytes;
	s->nr = MIN(word_at(s, p + magics[k].nr_pages), MAX_TABLE);
	s->table = word_at(s, p + magics[k].mfn_list);
	return s->table && !(s->table % s->word_bytes);
}

typedef int entry_fn(struct search *s, uint64_t pfn, uint64_t mfn, uint64_t place);

/* Entries that name a page of the file; others are of none, or of another domain's. */
static int each_of_page(struct search *s, const uint8_t *p, uint64_t *pfn, entry_fn *fn)
{
	uint64_t off = (s->table + *pfn * s->word_bytes) & PAGE_OFFSET_MASK, place;

	for (; off < PAGE_BYTES && *pfn < s->nr; off += s->word_bytes, ++*pfn) {
		uint64_t mfn = word_at(s, p + off);

		if (frames_to_pfn(&s->x->place, mfn, &place) && fn(s, *pfn, mfn, place))
			return -1;
	}
	return 0;
}

static int each_entry(struct search *s, uint64_t root, entry_fn *fn)
{
	uint64_t pfn = 0, mfn;

	while (pfn < s->nr && s->work_left) {
		uint64_t va = s->table + pfn * s->word_bytes, before = pfn;
		const uint8_t *p =
			walk_tables(s->x, s->mode, root, va & ~(uint64_t)PAGE_OFFSET_MASK, &mfn)
				? table_page(s->x, mfn)
				: NULL;

		if (!p)
			break;
		if (each_of_page(s, p, &pfn, fn))
			return -1;
		s->work_left -= MIN(s->work_left, pfn - before);
	}
	return 0;
}

static int count_entry(struct search *s, uint64_t pfn UNUSED, uint64_t mfn UNUSED, uint64_t place)
{
	uint8_t bit = (uint8_t)(1u << (place & 7));

	s->nr_seen += !(s->seen[place >> 3] & bit);
	s->seen[place >> 3] |= bit;
	return 0;
}

static int put_entry(struct search *s, uint64_t pfn, uint64_t mfn, uint64_t place)
{
	struct ckpt *ck = s->x->ck;
	struct ckpt_run run = {.pfn = pfn, .nr = 1, .off = s->x->pages_off + place * PAGE_BYTES};

	if (frames_add(&ck->frames, pfn, mfn) ||
		(place < s->x->nr_there && pagemap_add(&ck->map, run)))
		return err_nomem(s->err, "the index of pages");
	return 0;
}

/* Does that root lead to a table that names most of the file's frames? A wrong one is given up at
 * its first page. */
static bool is_right(struct search *s, uint64_t root)
{
	uint64_t mfn;

	if (!walk_tables(s->x, s->mode, root, s->table & ~(uint64_t)PAGE_OFFSET_MASK, &mfn))
		return false;
	memset(s->seen, 0, s->x->nr_listed / 8 + 1);
	s->work_left -= MIN(s->work_left, s->x->nr_listed / 64);
	s->nr_seen = 0;
	(void)each_entry(s, root, count_entry);
	return s->nr_seen && s->nr_seen >= s->x->nr_listed / 4 * 3;
}

/* Those of the vcpus first. */
static bool find_root(struct search *s, uint64_t *ret)
{
	const struct ckpt_state *state = &s->x->ck->state;
	uint64_t i;

	for (i = 0; i < state->nr_vcpus + s->x->nr_there && s->work_left; i++) {
		uint64_t root = i < state->nr_vcpus ? state->vcpus[i].root.v
						    : xccore_frame(s->x, i - state->nr_vcpus);

		if (is_right(s, root)) {
			*ret = root;
			return true;
		}
	}
	return false;
}

static enum xccore_found take_table(struct search *s, uint64_t root, struct xccore_guest *ret)
{
	struct frame_map *fm = &s->x->ck->frames;
	int rc;

	s->x->recording = true;
	(void)xccore_page(s->x, s->start_info_place);
	s->work_left = MAX_WORK;
	rc = each_entry(s, root, put_entry);
	s->x->recording = false;
	if (rc)
		return XCCORE_FAILED;
	if (frames_finish(fm)) {
		err_nomem(s->err, "the table of frames");
		return XCCORE_FAILED;
	}
	if (fm->nr_mfn_twice)
		finding_add(&s->x->ck->findings, "XB019", finding_at_offset(s->x->pages_off),
			"%" PRIu64 " machine frames stand in the guest's table more than once",
			fm->nr_mfn_twice);
	*ret = (struct xccore_guest){
		.word_bytes = s->word_bytes,
		.pt_levels = s->mode->levels,
		.root = root,
		.start_info = s->start_info,
		.start_info_off = s->x->pages_off + s->start_info_place * PAGE_BYTES,
	};
	return XCCORE_FOUND;
}

enum xccore_found xccore_number_pv(struct xccore *x, struct xccore_guest *ret, struct err *err)
{
	CLEANUP_FREE uint8_t *seen = calloc(x->nr_listed / 8 + 1, 1);
	struct search s = {.x = x, .err = err, .work_left = MAX_WORK, .seen = seen};
	unsigned tried = 0;
	uint64_t i, root;

	if (!seen) {
		err_nomem(err, "the list of pages");
		return XCCORE_FAILED;
	}
	for (i = 0; i < x->nr_there && tried < MAX_START_INFOS; i++) {
		if (!is_start_info(&s, i))
			continue;
		tried++;
		if (find_root(&s, &root))
			return take_table(&s, root, ret);
	}
	return XCCORE_NOTHING;
}

/* ---- HVM ---------------------------------------------------------------------------------- */

/* CR3 names a machine frame; false: of no page of the guest's. */
static bool settle_cr3(const struct xccore *x, struct ckpt_vcpu *v)
{
	uint64_t i;

	if (!(v->cr0 & CR0_PG) || !frames_to_pfn(&x->place, v->root.v, &i))
		return false;
	v->cr3 = gfn_of_place(x, i) << PAGE_SHIFT;
	return true;
}

/* The page that it was about to carry out must be there. Whether it is in long mode no register
 * tells. */
static bool is_borne_out(struct xccore *x, const struct ckpt_vcpu *v)
{
	unsigned levels = v->cr4 & CR4_PAE ? 4 : 2;
	uint64_t gfn;

	for (; levels >= 2; levels--) {
		if (levels == 2 && v->cr4 & CR4_PAE)
			break;
		if (walk_tables(x, pt_mode_for(levels), v->cr3 >> PAGE_SHIFT, v->ip, &gfn) &&
			table_page(x, gfn))
			return true;
	}
	return false;
}

enum xccore_found xccore_number_hvm(struct xccore *x, struct err *err)
{
	struct ckpt_state *state = &x->ck->state;
	bool borne_out = false;
	uint64_t i;

	x->recording = true;
	for (i = 0; i < state->nr_vcpus; i++) {
		struct ckpt_vcpu *v = &state->vcpus[i];

		borne_out |= settle_cr3(x, v) && is_borne_out(x, v);
		hvm_context_from_core(v);
	}
	x->recording = false;
	if (!borne_out)
		return XCCORE_NOTHING;
	for (i = 0; i < x->nr_there; i++) {
		struct ckpt_run run = {
			.pfn = gfn_of_place(x, i), .nr = 1, .off = x->pages_off + i * PAGE_BYTES};

		if (pagemap_add(&x->ck->map, run)) {
			err_nomem(err, "the index of pages");
			return XCCORE_FAILED;
		}
	}
	return XCCORE_FOUND;
}
