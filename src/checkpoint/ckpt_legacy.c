/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_legacy.c - header and epochs of a libxc stream of Xen 3.0 to 4.5; see legacy.h.
 */
#include <string.h>

#include "checkpoint/legacy.h"

#define OLDEST	     0x0300u
#define NEWEST	     0x0405u
#define XSAVE_MIN    16u
#define XSAVE_MAX    (64u << 10)
#define SHOWN_BYTES  16u
#define HEADER_BYTES 8u

const uint8_t *legacy_take(struct legacy *l, uint64_t n, const char *what)
{
	const uint8_t *p = source_at(l->ck->src, l->off, n);

	if (!p) {
		l->cut = true;
		ckpt_incomplete(l->ck, l->off,
			"the file ends at 0x%" PRIx64 ", in %s (%" PRIu64 " bytes at 0x%" PRIx64
			")",
			source_bytes(l->ck->src), what, n, l->off);
		return NULL;
	}
	l->off += n;
	return p;
}

void legacy_not_before(struct legacy *l, unsigned version)
{
	l->age.first = MAX(l->age.first, version);
}

void legacy_not_after(struct legacy *l, unsigned version)
{
	l->age.last = MIN(l->age.last, version);
}

/* ---- header ------------------------------------------------------------------------------- */

/* "vcpu": a context as it was before the guest was suspended. Only its size tells something. */
static int read_vcpu_block(struct legacy *l, const struct cursor *block, struct err *err)
{
	struct ckpt_info *info = &l->ck->info;
	size_t bytes = cur_left(block);

	if (bytes == pv_context_bytes(CKPT_VCPU_PV64))
		info->word_bytes = 8;
	else if (bytes == pv_context_bytes(CKPT_VCPU_PV32))
		info->word_bytes = 4;
	else
		return err_set(err, ERR_CORRUPT,
			"extended information at 0x%" PRIx64 ": a context of %zu bytes, expected "
			"2800 or 5168",
			cur_tell(block), bytes);
	return 0;
}

/* "xcnt": what each vcpu of the tail has of xsave state, with its head of 16 bytes */
static int read_xsave_block(struct legacy *l, struct cursor *block, struct err *err)
{
	uint64_t at = cur_tell(block);

	l->xsave_bytes = cur_u32(block);
	if (!cur_ok(block) || (l->xsave_bytes && l->xsave_bytes < XSAVE_MIN) ||
		l->xsave_bytes > XSAVE_MAX)
		return err_set(err, ERR_CORRUPT,
			"extended information at 0x%" PRIx64
			": %u bytes of xsave state a vcpu, expected %u to %u",
			at, l->xsave_bytes, XSAVE_MIN, XSAVE_MAX);
	legacy_not_before(l, 0x0401);
	return 0;
}

static int read_block(struct legacy *l, const uint8_t *id, struct cursor *block, struct err *err)
{
	if (!memcmp(id, "vcpu", 4))
		return read_vcpu_block(l, block, err);
	if (!memcmp(id, "xcnt", 4))
		return read_xsave_block(l, block, err);
	if (!memcmp(id, "extv", 4)) {
		l->extv = true;
		legacy_not_before(l, 0x0302);
	} else {
		l->ck->origin.refused = "a block of the extended information is unknown";
	}
	return 0; /* as Xen does with one that it does not know */
}

/* ulong ~0, u32 bytes that follow, {char id[4], u32 bytes, body}; they stand before the list of
 * frames. */
static int read_extended(struct legacy *l, struct err *err)
{
	const uint8_t *p = legacy_take(l, l->form.tools + 4, "the extended information");
	struct cursor c;
	uint32_t bytes;
	uint64_t off;

	if (!p)
		return 0;
	bytes = num_le32(p + l->form.tools);
	off = l->off;
	p = legacy_take(l, bytes, "the extended information");
	if (!p)
		return 0;
	c = cur_over(p, bytes, off, "extended information");
	while (cur_left(&c)) {
		const uint8_t *id = cur_bytes(&c, 4);
		struct cursor block = cur_split(&c, cur_u32(&c), "block of extended information");

		if (cur_check(&c, err) || read_block(l, id, &block, err))
			return -1;
	}
	if (!l->extv)
		legacy_not_after(l, 0x0301); /* 3.0.3 and 3.1, for PAE guests */
	return 0;
}

/* Xen counts a guest's own words to a page, and writes its own. */
static int read_frame_list(struct legacy *l)
{
	struct ckpt *ck = l->ck;
	uint64_t per_page = PAGE_BYTES / ck->info.word_bytes;
	uint64_t nr = num_align_up(l->form.p2m_size, per_page) / per_page;
	uint64_t bytes = l->form.extended ? nr * l->form.tools : l->form.list_bytes;
	const uint8_t *list = legacy_take(l, bytes, "the list of p2m frames");

	nr = MIN(nr, bytes / l->form.tools);
	if (list)
		ck->p2m[ck->nr_p2m++] = (struct ckpt_p2m_part){
			.words = list,
			.nr = nr,
			.word_bytes = l->form.tools,
		};
	return 0;
}

static int read_header(struct legacy *l, struct err *err)
{
	struct ckpt_info *info = &l->ck->info;

	legacy_take(l, l->form.tools, "p2m_size");
	if (l->form.hvm) {
		info->guest_type = CKPT_GUEST_HVM;
		legacy_not_before(l, 0x0301);
		return 0;
	}
	info->guest_type = CKPT_GUEST_PV;
	info->nr_pfns = l->form.p2m_size;
	/* Without more information guest and tool stack are as wide. */
	info->word_bytes = l->form.tools;
	if (l->form.extended && read_extended(l, err))
		return -1;
	if (!l->form.extended)
		legacy_not_after(l, 0x0301);
	return l->cut ? 0 : read_frame_list(l);
}

/* ---- epochs ------------------------------------------------------------------------------- */

/* 32-bit guests with two and with three levels differ in nothing but their page tables. */
static void settle_levels(struct legacy *l)
{
	struct ckpt_info *info = &l->ck->info;

	if (info->guest_type == CKPT_GUEST_PV)
		info->pt_levels = info->word_bytes == 8 ? 4 : l->top_level >= 2 ? l->top_level : 0;
}

/* The list of missing pfns is for the whole of the guest; only the last one counts. */
static void replace_missing(struct legacy *l, size_t before)
{
	pagemap_ignore(&l->ck->map, l->missing_first, l->nr_missing);
	l->missing_first = before;
	l->nr_missing = l->ck->map.nr - before;
}

static int read_tail(struct legacy *l, struct err *err)
{
	size_t before = l->ck->map.nr;

	settle_levels(l);
	if (l->form.hvm)
		return legacy_hvm_tail(l, err);
	pagemap_close_run(&l->ck->map);
	if (legacy_pv_tail(l, err))
		return -1;
	if (!l->cut)
		replace_missing(l, before);
	return 0;
}

static int broken_epoch(struct legacy *l, struct err *err)
{
	if (!l->ck->nr_epochs || err->cls != ERR_CORRUPT)
		return -1;
	l->cut = true;
	return ckpt_incomplete(l->ck, l->off, "%.140s", err->text);
}

/* Only what comes first in an epoch: zeros behind a stream are none. */
static bool epoch_follows(const struct legacy *l)
{
	return !l->last && legacy_chunk_follows(l->ck->src, l->off, &l->form);
}

static int read_epochs(struct legacy *l, struct err *err)
{
	for (;;) {
		if (legacy_body(l, err) || (!l->cut && read_tail(l, err)))
			return broken_epoch(l, err);
		if (l->cut || !epoch_follows(l))
			return 0;
		if (!l->ck->nr_epochs)
			finding_add(&l->ck->findings, "XB017", finding_at_offset(l->off),
				"the stream has checkpoints, the second begins at 0x%" PRIx64,
				l->off);
		if (ckpt_commit(l->ck, err))
			return -1;
		l->verify = false;
		l->compressed = l->compress;
	}
}

/* What a whole stream lacks tells its age, too. */
static void note_absent(struct legacy *l)
{
	if (l->cut)
		return;
	if (!(l->seen & 1u << 2))
		legacy_not_after(l, 0x0300);
	if (!(l->seen & 1u << 7))
		legacy_not_after(l, 0x0304);
	if (!l->last && !l->ck->nr_epochs)
		legacy_not_after(l, 0x0400);
}

/* What convert-legacy-stream makes of it. */
static void note_origin(const struct legacy *l)
{
	struct ckpt_origin *o = &l->ck->origin;

	o->first = l->age.first;
	o->last = l->age.last;
	o->tools = l->form.tools;
	o->no_extended = !l->form.hvm && !l->form.extended;
	if (l->seen & (1u << 5 | 1u << 6))
		o->refused = "it holds pages of tmem";
	else if (l->compress)
		o->refused = "its checkpoints are compressed";
}

static int refuse_form(struct ckpt *ck, uint64_t off, struct err *err)
{
	uint64_t left = source_bytes(ck->src) - off;
	size_t i, n = (size_t)MIN(left, (uint64_t)SHOWN_BYTES);
	const uint8_t *p = source_at(ck->src, off, n);
	char hex[3 * SHOWN_BYTES + 1] = "";

	if (left < HEADER_BYTES)
		return ckpt_incomplete(ck, off,
			"the file ends at 0x%" PRIx64 ", in the header of a legacy libxc stream",
			source_bytes(ck->src));
	for (i = 0; i < n; i++)
		snprintf(hex + 3 * i, sizeof(hex) - 3 * i, " %02x", p[i]);
	err_set(err, ERR_CORRUPT, "no libxc stream of Xen 3.0 to 4.5 begins with%s", hex);
	return err_override(err, "formats");
}

static void free_words(struct legacy *l)
{
	free(l->words);
}

int legacy_open(struct ckpt *ck, uint64_t off, enum legacy_hint hint, struct err *err)
{
	CLEANUP(free_words)
	struct legacy l = {
		.ck = ck,
		.off = off,
		.age = {OLDEST, NEWEST},
		.vcpus = {1},
		.wrapped = hint != LEGACY_UNKNOWN,
	};

	ck->body = &ckpt_format_legacy;
	ck->info.stream_off = off;
	if (!legacy_recognise(ck->src, off, hint, &l.form))
		return refuse_form(ck, off, err);
	ckpt_add_layer(ck, "legacy libxc");
	if (read_header(&l, err) || (!l.cut && read_epochs(&l, err)))
		return -1;
	note_absent(&l);
	note_origin(&l);
	ck->end = l.off;
	return 0;
}

static enum ckpt_probe probe_legacy(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	struct legacy_form form;

	return legacy_recognise(src, off, LEGACY_UNKNOWN, &form) ? CKPT_PROBE_YES : CKPT_PROBE_NO;
}

static int open_raw(struct ckpt *ck, uint64_t off, struct err *err)
{
	return legacy_open(ck, off, LEGACY_UNKNOWN, err);
}

const struct ckpt_format ckpt_format_legacy = {
	.name = "legacy", .probe = probe_legacy, .open = open_raw, .verify = ckpt_verify_pv};
