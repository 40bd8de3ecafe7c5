/* SPDX-License-Identifier: BSD-2-Clause
 *
 * libxc_records.c - what each record of a libxc stream must look like, and what we keep of it.
 *
 * Bodies: docs/specs/libxc-migration-stream.pandoc; what the restorer insists on:
 * xg_sr_restore.c, xg_sr_restore_x86_{pv,hvm}.c.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/libxc.h"

#define PV_ONLY	 1u /* belongs in a PV stream */
#define HVM_ONLY 2u
#define V3_ONLY	 4u

struct type_row {
	const char *name;
	unsigned flags;
	uint32_t bytes; /* exact length of the body, or ANY_BYTES */
	uint32_t each;	/* else: what follows the first `head` bytes is a multiple of this */
	uint32_t head;
	uint32_t needs;	 /* bits of the types that must come before */
	uint32_t before; /* bits of the types that must not come before */
	int (*keep)(struct libxc *x, const struct libxc_record *rec, struct err *err);
};

#define ANY_BYTES UINT32_MAX
#define BIT(type) (1u << (type))
#define VCPUS                                                                                      \
	(BIT(LIBXC_PV_VCPU_BASIC) | BIT(LIBXC_PV_VCPU_EXTENDED) | BIT(LIBXC_PV_VCPU_XSAVE) |       \
		BIT(LIBXC_PV_VCPU_MSRS))

static void bad_size(struct libxc *x, const struct libxc_record *rec, const char *expected)
{
	finding_add(&x->ck->findings, "XB008", finding_at_offset(rec->off),
		"the %s record at 0x%" PRIx64 " has %u bytes, expected %s",
		libxc_type_name(rec->type), rec->off, rec->len, expected);
}

static void check_reserved(struct libxc *x, const struct libxc_record *rec, size_t from, size_t nr)
{
	size_t i;

	for (i = from; i < from + nr && i < rec->len; i++) {
		if (!rec->body[i])
			continue;
		finding_add(&x->ck->findings, "XB003", finding_at_offset(rec->body_off + i),
			"the %s record at 0x%" PRIx64 " has a non-zero reserved field at byte %zu",
			libxc_type_name(rec->type), rec->off, i);
		return;
	}
}

/* u8 guest width, u8 page table levels, 6 bytes 0 */
static int keep_pv_info(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	unsigned width, levels;

	if (rec->len != 8)
		return err_set(err, ERR_CORRUPT,
			"X86_PV_INFO record at 0x%" PRIx64 ": %u bytes, expected 8", rec->off,
			rec->len);
	width = rec->body[0];
	levels = rec->body[1];
	if (!(width == 4 && levels == 3) && !(width == 8 && levels == 4))
		return err_set(err, ERR_CORRUPT,
			"X86_PV_INFO record at 0x%" PRIx64
			": width %u with %u levels, expected 4 with 3 or 8 with 4",
			rec->off, width, levels);
	x->ck->info.word_bytes = width;
	x->ck->info.pt_levels = levels;
	check_reserved(x, rec, 2, 6);
	return 0;
}

/* u32 first pfn, u32 last pfn (inclusive), u64 frame[] of the p2m pages that cover them */
static int keep_p2m_frames(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	struct ckpt *ck = x->ck;
	struct cursor c = cur_over(rec->body, rec->len, rec->body_off, "P2M_FRAMES record");
	uint64_t first = cur_u32(&c), last = cur_u32(&c), per_page, want, nr = cur_left(&c) / 8;

	if (cur_check(&c, err))
		return -1;
	if (!ck->info.word_bytes)
		return 0; /* the order is already a finding; the unit is unknown */
	if (first > last)
		return err_set(err, ERR_CORRUPT,
			"P2M_FRAMES record at 0x%" PRIx64 ": first pfn 0x%" PRIx64
			" above last 0x%" PRIx64,
			rec->off, first, last);
	per_page = PAGE_BYTES / ck->info.word_bytes;
	want = last / per_page - first / per_page + 1;
	if (nr != want || cur_left(&c) % 8)
		finding_add(&ck->findings, "XB009", finding_at_offset(rec->off),
			"the P2M_FRAMES record at 0x%" PRIx64 " lists %" PRIu64
			" frames, expected %" PRIu64 " for pfns 0x%" PRIx64 " to 0x%" PRIx64,
			rec->off, nr, want, first, last);
	/* Without this a single record could make a list of millions of holes. */
	if (first / per_page > ckpt_nr_p2m_frames(ck)) {
		finding_add(&ck->findings, "XB009", finding_at_offset(rec->off),
			"the P2M_FRAMES record at 0x%" PRIx64 " begins with pfn 0x%" PRIx64
			" and leaves a gap",
			rec->off, first);
		return 0;
	}
	nr = MIN(nr, want);
	if (ck->nr_p2m == CKPT_MAX_P2M_PARTS)
		return err_set(err, ERR_CORRUPT,
			"P2M_FRAMES record at 0x%" PRIx64 ": more than %u such records", rec->off,
			CKPT_MAX_P2M_PARTS);
	ck->p2m[ck->nr_p2m++] = (struct ckpt_p2m_part){
		.first = first / per_page,
		.words = c.pos,
		.nr = nr,
		.word_bytes = 8,
	};
	x->max_pfn = x->has_max_pfn ? MAX(x->max_pfn, last) : last;
	x->has_max_pfn = true;
	ck->info.nr_pfns = x->max_pfn + 1;
	return 0;
}

/* u32 vcpu, u32 0, vcpu_guest_context */
static int keep_vcpu(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	struct ckpt *ck = x->ck;
	bool wide = ck->info.word_bytes != 4;
	enum ckpt_vcpu_kind kind = wide ? CKPT_VCPU_PV64 : CKPT_VCPU_PV32;
	struct ckpt_vcpu *v;

	if (rec->len == 8) { /* nothing in it: the restorer passes it over */
		check_reserved(x, rec, 4, 4);
		return 0;
	}
	if (rec->len != 8 + pv_context_bytes(kind))
		return err_set(err, ERR_CORRUPT,
			"X86_PV_VCPU_BASIC record at 0x%" PRIx64
			": %u bytes, expected %zu for a %u-bit guest",
			rec->off, rec->len, 8 + pv_context_bytes(kind), wide ? 64 : 32);
	check_reserved(x, rec, 4, 4);
	v = ckpt_new_vcpu(ck, num_le32(rec->body), err);
	if (!v)
		return err_in(err, "X86_PV_VCPU_BASIC record at 0x%" PRIx64, rec->off);
	v->kind = kind;
	v->ctx = rec->body + 8;
	v->ctx_bytes = rec->len - 8;
	v->ctx_off = rec->body_off + 8;
	pv_context_decode(v);
	return 0;
}

/* What the restorer accepts behind the header of these records; it also takes nothing at all, as
 * 4.6 to 4.8 wrote it. */
#define EXTENDED_MAX 128u
#define XSAVE_MIN    16u

/* u32 vcpu, u32 0, and a part of the vcpu that reading memory does not need */
static int keep_vcpu_part(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	uint32_t id;

	if (rec->len < 8) {
		bad_size(x, rec, "at least 8");
		return 0;
	}
	if (rec->type == LIBXC_PV_VCPU_EXTENDED && rec->len > 8 + EXTENDED_MAX)
		bad_size(x, rec, "at most 136");
	if (rec->type == LIBXC_PV_VCPU_XSAVE && rec->len > 8 && rec->len < 8 + XSAVE_MIN)
		bad_size(x, rec, "at least 24");
	check_reserved(x, rec, 4, 4);
	if (rec->len == 8)
		return 0;
	id = num_le32(rec->body);
	if (id >= CKPT_MAX_VCPUS)
		return err_set(err, ERR_CORRUPT,
			"%s record at 0x%" PRIx64 ": vcpu %u, expected below %u",
			libxc_type_name(rec->type), rec->off, id, CKPT_MAX_VCPUS);
	x->parts[id / 64] |= UINT64_C(1) << id % 64;
	return 0;
}

static int keep_shared_info(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	if (rec->len != PAGE_BYTES)
		return err_set(err, ERR_CORRUPT,
			"SHARED_INFO record at 0x%" PRIx64 ": %u bytes, expected %u", rec->off,
			rec->len, PAGE_BYTES);
	x->ck->state.shared_info = rec->body;
	x->ck->state.changed = true;
	return 0;
}

static int keep_tsc_info(struct libxc *x, const struct libxc_record *rec, struct err *err UNUSED)
{
	check_reserved(x, rec, 20, 4);
	return 0;
}

static int keep_hvm_context(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	if (!rec->len)
		bad_size(x, rec, "at least 1");
	return hvm_context_decode(x->ck, rec->body, rec->len, rec->body_off, err);
}

/* u32 count, u32 0, {u64 index, u64 value}[count] */
static int keep_hvm_params(struct libxc *x, const struct libxc_record *rec, struct err *err UNUSED)
{
	uint64_t nr;

	if (rec->len < 8) {
		bad_size(x, rec, "at least 8");
		return 0;
	}
	check_reserved(x, rec, 4, 4);
	nr = num_le32(rec->body);
	if (rec->len == 8 + 16 * nr && nr) { /* an empty one changes nothing */
		x->ck->state.hvm_params = rec->body + 8;
		x->ck->state.nr_hvm_params = (uint32_t)nr;
		x->ck->state.changed = true;
	}
	if (rec->len != 8 + 16 * nr)
		finding_add(&x->ck->findings, "XB008", finding_at_offset(rec->off),
			"the HVM_PARAMS record at 0x%" PRIx64 " has %u bytes, expected %" PRIu64
			" for %" PRIu64 " parameters",
			rec->off, rec->len, 8 + 16 * nr, nr);
	return 0;
}

static int keep_verify(
	struct libxc *x, const struct libxc_record *rec UNUSED, struct err *err UNUSED)
{
	x->verify = true;
	return 0;
}

static int keep_checkpoint(struct libxc *x, const struct libxc_record *rec, struct err *err UNUSED)
{
	if (!x->ck->nr_epochs)
		finding_add(&x->ck->findings, "XB017", finding_at_offset(rec->off),
			"the stream has checkpoints, the first at 0x%" PRIx64
			": xl restore does not take it",
			rec->off);
	x->verify = false;
	return 0;
}

static int keep_toolstack(struct libxc *x, const struct libxc_record *rec, struct err *err UNUSED)
{
	finding_add(&x->ck->findings, "XB025", finding_at_offset(rec->off),
		"the record at 0x%" PRIx64
		" holds data of the tool stack, as early versions of the stream had it",
		rec->off);
	return 0;
}

static int keep_dirty_pfns(struct libxc *x, const struct libxc_record *rec, struct err *err UNUSED)
{
	finding_add(&x->ck->findings, "XB006", finding_at_offset(rec->off),
		"the record at 0x%" PRIx64
		" is a list of dirty pages, which travels only backwards",
		rec->off);
	return 0;
}

static void require_record(struct libxc *x, const struct libxc_record *end, uint32_t type)
{
	if (!(x->seen & BIT(type)))
		finding_add(&x->ck->findings, "XB007", finding_at_offset(end->off),
			"the stream ends at 0x%" PRIx64 " without a %s record", end->off,
			libxc_type_name(type));
}

/* The records of a vcpu may come in any order, but without its registers the others say nothing. */
static void require_contexts(struct libxc *x, const struct libxc_record *end)
{
	uint32_t id;

	for (id = 0; id < CKPT_MAX_VCPUS; id++)
		if (x->parts[id / 64] >> id % 64 & 1 && !ckpt_has_vcpu(x->ck, id))
			finding_add(&x->ck->findings, "XB007", finding_at_offset(end->off),
				"the stream has state of vcpu %u, but no X86_PV_VCPU_BASIC record "
				"of it",
				id);
}

static int keep_end(struct libxc *x, const struct libxc_record *rec, struct err *err UNUSED)
{
	const struct ckpt_state *s = &x->ck->state;

	if (x->version >= 3)
		require_record(x, rec, LIBXC_STATIC_DATA_END);
	if (x->hvm) {
		require_record(x, rec, LIBXC_HVM_CONTEXT);
		if (x->seen & BIT(LIBXC_HVM_CONTEXT) && !s->nr_vcpus)
			finding_add(&x->ck->findings, "XB007", finding_at_offset(rec->off),
				"the HVM context has no record of any vcpu");
		return 0;
	}
	require_record(x, rec, LIBXC_PV_INFO);
	require_record(x, rec, LIBXC_PV_P2M_FRAMES);
	require_record(x, rec, LIBXC_SHARED_INFO);
	require_record(x, rec, LIBXC_PV_VCPU_BASIC);
	if (s->nr_vcpus && s->vcpus[0].id)
		finding_add(&x->ck->findings, "XB007", finding_at_offset(rec->off),
			"the stream has no context of vcpu 0; the first is that of vcpu %u",
			s->vcpus[0].id);
	if (s->nr_vcpus)
		require_contexts(x, rec);
	return 0;
}

static const struct type_row rows[LIBXC_NR_TYPES] = {
	[LIBXC_END] = {"END", .bytes = 0, .keep = keep_end},
	[LIBXC_PAGE_DATA] = {"PAGE_DATA", .bytes = ANY_BYTES, .keep = libxc_page_data},
	[LIBXC_PV_INFO] = {"X86_PV_INFO", PV_ONLY, ANY_BYTES,
		.before = BIT(LIBXC_PV_INFO) | BIT(LIBXC_PV_P2M_FRAMES) | BIT(LIBXC_PAGE_DATA) |
			  VCPUS,
		.keep = keep_pv_info},
	/* It may come again, with more, when the guest grew during a live save; that pages need the
	 * first one is said with PAGE_DATA. */
	[LIBXC_PV_P2M_FRAMES] = {"X86_PV_P2M_FRAMES", PV_ONLY, ANY_BYTES,
		.needs = BIT(LIBXC_PV_INFO), .keep = keep_p2m_frames},
	[LIBXC_PV_VCPU_BASIC] = {"X86_PV_VCPU_BASIC", PV_ONLY, ANY_BYTES,
		.needs = BIT(LIBXC_PV_INFO) | BIT(LIBXC_PAGE_DATA), .keep = keep_vcpu},
	[LIBXC_PV_VCPU_EXTENDED] = {"X86_PV_VCPU_EXTENDED", PV_ONLY, ANY_BYTES,
		.keep = keep_vcpu_part},
	[LIBXC_PV_VCPU_XSAVE] = {"X86_PV_VCPU_XSAVE", PV_ONLY, ANY_BYTES, .keep = keep_vcpu_part},
	[LIBXC_SHARED_INFO] = {"SHARED_INFO", PV_ONLY, ANY_BYTES, .needs = BIT(LIBXC_PV_INFO),
		.keep = keep_shared_info},
	[LIBXC_TSC_INFO] = {"X86_TSC_INFO", .bytes = 24, .keep = keep_tsc_info},
	[LIBXC_HVM_CONTEXT] = {"HVM_CONTEXT", HVM_ONLY, ANY_BYTES, .keep = keep_hvm_context},
	[LIBXC_HVM_PARAMS] = {"HVM_PARAMS", HVM_ONLY, ANY_BYTES, .keep = keep_hvm_params},
	[LIBXC_TOOLSTACK] = {"TOOLSTACK", .bytes = ANY_BYTES, .keep = keep_toolstack},
	[LIBXC_PV_VCPU_MSRS] = {"X86_PV_VCPU_MSRS", PV_ONLY, ANY_BYTES, 16, 8,
		.keep = keep_vcpu_part},
	[LIBXC_VERIFY] = {"VERIFY", .bytes = 0, .keep = keep_verify},
	[LIBXC_CHECKPOINT] = {"CHECKPOINT", .bytes = 0, .keep = keep_checkpoint},
	[LIBXC_DIRTY_PFNS] = {"CHECKPOINT_DIRTY_PFN_LIST", .bytes = ANY_BYTES,
		.keep = keep_dirty_pfns},
	[LIBXC_STATIC_DATA_END] = {"STATIC_DATA_END", V3_ONLY, 0,
		.before = BIT(LIBXC_STATIC_DATA_END) | BIT(LIBXC_PV_P2M_FRAMES) |
			  BIT(LIBXC_PAGE_DATA)},
	[LIBXC_CPUID_POLICY] = {"X86_CPUID_POLICY", V3_ONLY, ANY_BYTES, 24,
		.before = BIT(LIBXC_STATIC_DATA_END)},
	[LIBXC_MSR_POLICY] = {"X86_MSR_POLICY", V3_ONLY, ANY_BYTES, 16,
		.before = BIT(LIBXC_STATIC_DATA_END)},
};

const char *libxc_type_name(uint32_t type)
{
	return type < LIBXC_NR_TYPES ? rows[type].name : "unknown";
}

static void check_size(struct libxc *x, const struct libxc_record *rec, const struct type_row *row)
{
	char expected[48];

	if (row->bytes != ANY_BYTES && rec->len != row->bytes) {
		snprintf(expected, sizeof(expected), "%u", row->bytes);
		bad_size(x, rec, expected);
	} else if (row->each && (rec->len > row->head || !row->head) &&
		   (rec->len < row->each || (rec->len - row->head) % row->each)) {
		snprintf(expected, sizeof(expected), "%u and a multiple of %u", row->head,
			row->each);
		bad_size(x, rec, expected);
	}
}

/* A record in the wrong stream: its name and what the stream is. */
static bool is_foreign(struct libxc *x, const struct libxc_record *rec, const struct type_row *row)
{
	const char *where = NULL;

	if (row->flags & PV_ONLY && x->hvm)
		where = "of an HVM or PVH guest";
	else if (row->flags & HVM_ONLY && !x->hvm)
		where = "of a PV guest";
	else if (row->flags & V3_ONLY && x->version < 3)
		where = "of version 2";
	if (where)
		finding_add(&x->ck->findings, "XB006", finding_at_offset(rec->off),
			"the stream %s holds a %s record at 0x%" PRIx64, where, row->name,
			rec->off);
	return where;
}

static void check_order(struct libxc *x, const struct libxc_record *rec, const struct type_row *row)
{
	uint32_t needs = row->needs, before = row->before & x->seen;
	uint32_t type;

	if (rec->type == LIBXC_PAGE_DATA || rec->type == LIBXC_PV_P2M_FRAMES) {
		if (rec->type == LIBXC_PAGE_DATA && !x->hvm)
			needs |= BIT(LIBXC_PV_P2M_FRAMES);
		if (x->version >= 3)
			needs |= BIT(LIBXC_STATIC_DATA_END);
	}
	needs &= ~x->seen;
	if (!needs && !before)
		return;
	type = (uint32_t)__builtin_ctz(needs ? needs : before);
	/* Once per type: the second PAGE_DATA says nothing new. */
	if (x->told & BIT(rec->type))
		return;
	x->told |= BIT(rec->type);
	finding_add(&x->ck->findings, "XB005", finding_at_offset(rec->off),
		needs ? "the %s record at 0x%" PRIx64 " comes before any %s record"
		      : "the %s record at 0x%" PRIx64 " comes after a %s record",
		row->name, rec->off, rows[type].name);
}

static void unknown_record(struct libxc *x, const struct libxc_record *rec)
{
	bool optional = rec->type & LIBXC_OPTIONAL;

	finding_add(&x->ck->findings, optional ? "XB011" : "XB012", finding_at_offset(rec->off),
		"%s libxc record of unknown type 0x%x at 0x%" PRIx64 ", %u bytes, was skipped",
		optional ? "an optional" : "a mandatory", rec->type, rec->off, rec->len);
}

int libxc_record(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	const struct type_row *row;

	if (rec->type >= LIBXC_NR_TYPES) {
		unknown_record(x, rec);
		return 0;
	}
	row = &rows[rec->type];
	if (is_foreign(x, rec, row))
		return 0;
	check_size(x, rec, row);
	check_order(x, rec, row);
	x->seen |= BIT(rec->type);
	return row->keep ? row->keep(x, rec, err) : 0;
}
