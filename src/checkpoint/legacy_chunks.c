/* SPDX-License-Identifier: BSD-2-Clause
 *
 * legacy_chunks.c - the chunks of a body: {i32 id, ...}. An id has no length: what is not known
 * cannot be passed over.
 *
 * Ids and bodies: XC_SAVE_ID_* in tools/libxc/xg_save_restore.h (4.1 to 4.5), pagebuf_get_one() in
 * xc_domain_restore.c, and xc_tmem.c.
 */
#include "checkpoint/legacy.h"

#define VARIES UINT32_MAX

enum chunk_id {
	CHUNK_END = 0,
	CHUNK_VERIFY = -1,
	CHUNK_VCPU_INFO = -2,
	CHUNK_LAST_CHECKPOINT = -9,
	CHUNK_LOWEST = -20,
};

struct chunk_row {
	const char *name;
	unsigned since; /* the first Xen that writes it: 0x0401 is 4.1 */
	uint32_t bytes; /* behind the id, or VARIES */
	int param; /* HVM: index of the parameter that it carries (public/hvm/params.h); 0: none */
	int (*read)(struct legacy *l, struct err *err); /* for those that vary, and flags */
};

static int read_verify(struct legacy *l, struct err *err UNUSED)
{
	l->verify = true;
	return 0;
}

/* i32 highest id, u64 map[]: a word until 4.2, since then as many as the id needs */
static int read_vcpu_info(struct legacy *l, struct err *err)
{
	const uint8_t *p = legacy_take(l, 4, "the map of vcpus");
	uint32_t highest, i;

	if (!p)
		return 0;
	highest = num_le32(p);
	if (highest >= CKPT_MAX_VCPUS)
		return err_set(err, ERR_CORRUPT,
			"map of vcpus at 0x%" PRIx64 ": highest vcpu %u, expected below %u",
			l->off - 4, highest, CKPT_MAX_VCPUS);
	if (highest >= 64)
		legacy_not_before(l, 0x0402);
	p = legacy_take(l, 8 * (uint64_t)(highest / 64 + 1), "the map of vcpus");
	if (!p)
		return 0;
	for (i = 0; i < ARRAY_SIZE(l->vcpus); i++)
		l->vcpus[i] = i <= highest / 64 ? num_le64(p + 8 * (size_t)i) : 0;
	/* Xen looks no further than the highest. */
	if (highest % 64 != 63)
		l->vcpus[highest / 64] &= (UINT64_C(1) << (highest % 64 + 1)) - 1;
	return 0;
}

static int read_last(struct legacy *l, struct err *err UNUSED)
{
	l->last = true;
	return 0;
}

/* u32 length: the physmap of qemu (libxl__toolstack_save) */
static int read_toolstack(struct legacy *l, struct err *err UNUSED)
{
	const uint8_t *p = legacy_take(l, 4, "data of the tool stack");

	if (p)
		legacy_take(l, num_le32(p), "data of the tool stack");
	return 0;
}

static const struct chunk_row rows[-CHUNK_LOWEST + 1] = {
	[0] = {"end of the body", 0x0300, .bytes = 0},
	[1] = {"VERIFY_MODE", 0x0300, 0, .read = read_verify},
	[2] = {"VCPU_INFO", 0x0301, VARIES, .read = read_vcpu_info},
	[3] = {"HVM_IDENT_PT", 0x0303, 12, .param = 12},
	[4] = {"HVM_VM86_TSS", 0x0304, 12, .param = 15},
	[5] = {"TMEM", 0x0400, VARIES, .read = legacy_tmem},
	[6] = {"TMEM_EXTRA", 0x0400, VARIES, .read = legacy_tmem_extra},
	/* u32 mode, u64 ns, u32 kHz, u32 incarnation */
	[7] = {"TSC_INFO", 0x0400, .bytes = 20},
	[8] = {"HVM_CONSOLE_PFN", 0x0401, 12, .param = 17},
	[9] = {"LAST_CHECKPOINT", 0x0401, 0, .read = read_last},
	[10] = {"HVM_ACPI_IOPORTS_LOCATION", 0x0401, 12, .param = 19},
	[11] = {"HVM_VIRIDIAN", 0x0402, 12, .param = 9},
	[12] = {"COMPRESSED_DATA", 0x0402, VARIES, .read = legacy_compressed_data},
	[13] = {"ENABLE_COMPRESSION", 0x0402, 0, .read = legacy_enable_compression},
	[14] = {"HVM_GENERATION_ID_ADDR", 0x0402, 12, .param = 34},
	[15] = {"HVM_PAGING_RING_PFN", 0x0402, 12, .param = 27},
	[16] = {"HVM_ACCESS_RING_PFN", 0x0402, 12, .param = 28},
	[17] = {"HVM_SHARING_RING_PFN", 0x0402, 12, .param = 29},
	[18] = {"TOOLSTACK", 0x0402, VARIES, .read = read_toolstack},
	[19] = {"HVM_IOREQ_SERVER_PFN", 0x0405, 12, .param = 32},
	[20] = {"HVM_NR_IOREQ_SERVER_PAGES", 0x0405, 12, .param = 33},
};

static const struct chunk_row *row_of(int32_t id)
{
	return id <= 0 && id >= CHUNK_LOWEST && rows[-id].name ? &rows[-id] : NULL;
}

bool legacy_chunk_is_known(int32_t id)
{
	return row_of(id);
}

bool legacy_chunk_is_fixed(int32_t id, uint32_t *ret_bytes)
{
	const struct chunk_row *row = row_of(id);

	if (!row || row->bytes == VARIES)
		return false;
	*ret_bytes = row->bytes;
	return true;
}

/* u32 padding, u64 value */
static void keep_param(struct legacy *l, const struct chunk_row *row, const uint8_t *body)
{
	uint64_t off = l->off - row->bytes - 4;

	if (l->form.hvm)
		ckpt_set_hvm_param(l->ck, (unsigned)row->param, num_le64(body + 4));
	else
		finding_add(&l->ck->findings, "XB006", finding_at_offset(off),
			"the stream of a PV guest holds a %s chunk at 0x%" PRIx64, row->name, off);
}

static int read_chunk(struct legacy *l, const struct chunk_row *row, struct err *err)
{
	const uint8_t *body = NULL;

	l->seen |= 1u << (row - rows);
	legacy_not_before(l, row->since);
	if (row->bytes != VARIES)
		body = legacy_take(l, row->bytes, row->name);
	if (l->cut)
		return 0;
	if (row->param)
		keep_param(l, row, body);
	return row->read ? row->read(l, err) : 0;
}

static void stop_at_unknown(struct legacy *l, uint64_t off, int32_t id)
{
	l->cut = true;
	ckpt_incomplete(l->ck, off,
		"the chunk at 0x%" PRIx64
		" has the unknown id %d: without a length nothing behind it "
		"can be found",
		off, id);
}

int legacy_body(struct legacy *l, struct err *err)
{
	while (!l->cut) {
		uint64_t at = l->off;
		const uint8_t *p = legacy_take(l, 4, "the id of a chunk");
		int32_t id = p ? (int32_t)num_le32(p) : 0;
		const struct chunk_row *row = l->old && id < CHUNK_VERIFY ? NULL : row_of(id);
		int failed = 0;

		if (!p)
			break;
		if (id == CHUNK_END)
			return legacy_check_compressed(l, err);
		if (id > LEGACY_MAX_BATCH)
			failed = err_set(err, ERR_CORRUPT,
				"batch at 0x%" PRIx64 ": count %d, expected at most %d", at, id,
				LEGACY_MAX_BATCH);
		else if (id > 0)
			failed = legacy_batch(l, (uint32_t)id, err);
		else if (row)
			failed = read_chunk(l, row, err);
		else
			stop_at_unknown(l, at, id);
		if (failed)
			return -1;
	}
	return 0;
}
