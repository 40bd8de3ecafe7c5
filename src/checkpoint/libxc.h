/* SPDX-License-Identifier: BSD-2-Clause
 *
 * libxc.h - the libxc migration stream, versions 2 and 3
 * (Xen: docs/specs/libxc-migration-stream.pandoc).
 *
 * A wrapper starts it with libxc_begin(), then calls libxc_records() until it says why it stopped;
 * after a checkpoint the wrapper may read records of its own and call again.
 */
#ifndef XB_CHECKPOINT_LIBXC_H
#define XB_CHECKPOINT_LIBXC_H

#include "base/limits.h"
#include "checkpoint/ckpt_priv.h"

enum libxc_type {
	LIBXC_END = 0,
	LIBXC_PAGE_DATA = 1,
	LIBXC_PV_INFO = 2,
	LIBXC_PV_P2M_FRAMES = 3,
	LIBXC_PV_VCPU_BASIC = 4,
	LIBXC_PV_VCPU_EXTENDED = 5,
	LIBXC_PV_VCPU_XSAVE = 6,
	LIBXC_SHARED_INFO = 7,
	LIBXC_TSC_INFO = 8,
	LIBXC_HVM_CONTEXT = 9,
	LIBXC_HVM_PARAMS = 10,
	LIBXC_TOOLSTACK = 11,
	LIBXC_PV_VCPU_MSRS = 12,
	LIBXC_VERIFY = 13,
	LIBXC_CHECKPOINT = 14,
	LIBXC_DIRTY_PFNS = 15,
	LIBXC_STATIC_DATA_END = 16,
	LIBXC_CPUID_POLICY = 17,
	LIBXC_MSR_POLICY = 18,
	LIBXC_NR_TYPES,
};

/* Of libxl's records around it. */
enum libxl_type {
	LIBXL_END = 0,
	LIBXL_LIBXC_CONTEXT = 1,
	LIBXL_EMULATOR_XENSTORE = 2,
	LIBXL_EMULATOR_CONTEXT = 3,
	LIBXL_CHECKPOINT_END = 4,
	LIBXL_CHECKPOINT_STATE = 5,
};

#define LIBXC_OPTIONAL	   UINT32_C(0x80000000)
#define LIBXC_RECORD_ALIGN 8u

struct libxc_record {
	uint32_t type;
	uint32_t len;
	uint64_t off; /* of the record's header */
	uint64_t body_off;
	const uint8_t *body; /* `have` bytes */
	uint32_t have;	     /* less than len when the file ends inside */
};

/* A record's header, and the list of the frames of a batch as every writer makes it: 1024 of them
 * (MAX_BATCH_SIZE in xg_sr_common.h), behind {u32 number, u32 0}. */
#define LIBXC_AHEAD_BYTES (8u + 8u + 8u * 1024u)

struct libxc {
	struct ckpt *ck;
	uint64_t off; /* of the next record */
	unsigned version;
	bool hvm;
	bool verify;   /* behind a VERIFY record: pages are resent for comparison */
	uint32_t seen; /* bit per record type, in the whole stream */
	uint32_t told; /* bit per record type whose place has been found wrong */
	bool has_max_pfn;
	uint64_t max_pfn;
	uint64_t parts[CKPT_MAX_VCPUS / 64]; /* bit per vcpu: state besides its context was seen */
	/* The start of the record at `off`, copied; 0 bytes: it was not. */
	uint8_t ahead[LIBXC_AHEAD_BYTES];
	size_t ahead_bytes;
};

enum libxc_stop {
	LIBXC_STOP_END,
	LIBXC_STOP_CHECKPOINT,
	LIBXC_STOP_CUT, /* the file ends here; the checkpoint is marked incomplete */
};

bool libxc_has_magic(const struct source *src, uint64_t off);
/* ckpt_libxl.c: of the stream around it */
bool libxl_has_magic(const struct source *src, uint64_t off);
/* Read the image and domain headers. *ret_cut: the file ends inside them. */
int libxc_begin(
	struct libxc *x, struct ckpt *ck, uint64_t off, bool *ret_cut, struct err *err) MUST_CHECK;
int libxc_records(struct libxc *x, enum libxc_stop *ret, struct err *err) MUST_CHECK;

/*
 * Read a record header at off: shared by libxc and libxl, whose framing is the same. Returns 1 and
 * fills `ret`; 0 when the file ends inside the header or the body (then ret->have < ret->len, or
 * ret->body is NULL for a cut header); -1 on a length beyond the limit. `head`: its eight bytes,
 * NULL: not read yet. `stream` is for messages.
 */
int record_read(const struct source *src, uint64_t off, const uint8_t *head, const char *stream,
	struct libxc_record *ret, struct err *err) MUST_CHECK;
uint64_t record_next(const struct libxc_record *rec);
/* Padding must be zero; XB002 when it is not. */
void record_check_padding(struct ckpt *ck, const struct libxc_record *rec, const char *stream);
/* A record that contradicts itself, as err says, ends the epoch. 0 when an earlier complete epoch
 * is there and the checkpoint is now marked incomplete; else -1. */
int record_broken(struct ckpt *ck, const struct libxc_record *rec, struct err *err) MUST_CHECK;

/* libxc_records.c: one record. */
int libxc_record(struct libxc *x, const struct libxc_record *rec, struct err *err) MUST_CHECK;
const char *libxc_type_name(uint32_t type);
/* libxc_pages.c */
int libxc_page_data(struct libxc *x, const struct libxc_record *rec, struct err *err) MUST_CHECK;

#endif
