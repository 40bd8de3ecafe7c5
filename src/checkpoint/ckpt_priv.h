/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_priv.h - what the formats share; nobody outside checkpoint/ includes it.
 *
 * A format's probe looks at a few bytes and says no, yes, or "mine but broken"; its open fills the
 * checkpoint from a file offset on. Wrappers open what they wrap with ckpt_open_payload().
 */
#ifndef XB_CHECKPOINT_CKPT_PRIV_H
#define XB_CHECKPOINT_CKPT_PRIV_H

#include "base/cursor.h"
#include "base/limits.h"
#include "base/num.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/frames.h"
#include "checkpoint/pagemap.h"
#include "checkpoint/squeeze.h"
#include "checkpoint/kdump.h"

/* Above the highest index of public/hvm/params.h of 4.5. */
#define CKPT_NR_SINGLE_PARAMS 64u

#define PFN_NONE PFN(UINT64_MAX)

/* What every epoch of a checkpointed stream sends again. */
struct ckpt_state {
	struct ckpt_vcpu *vcpus; /* ascending by id */
	size_t nr_vcpus, cap_vcpus;
	const uint8_t *shared_info; /* PAGE_BYTES bytes, or NULL */
	const uint8_t *hvm_params;  /* nr_hvm_params of 16 bytes, or NULL */
	uint32_t nr_hvm_params;
	/* Parameters that a stream sends one by one; by index. */
	uint64_t param_set; /* bit per index */
	uint64_t param[CKPT_NR_SINGLE_PARAMS];
	bool changed; /* since the last commit */
};

struct ckpt_p2m_part {
	uint64_t first;	      /* index of the first entry in the whole list */
	const uint8_t *words; /* little-endian */
	uint64_t nr;
	unsigned word_bytes;
};

/* What a format found out about who wrote it; origin.c puts it into words. */
struct ckpt_origin {
	unsigned first, last; /* versions of Xen, 0x0401 for 4.1; 0: no limit */
	unsigned tools;	      /* bytes of a legacy tool stack's word; 0: does not matter */
	bool emulator;	      /* a dump of memory, with notes of an emulator's */
	bool converted;	      /* by convert-legacy-stream */
	bool no_extended;     /* a legacy PV stream without extended information */
	bool skip_qemu;	      /* qemu's state as that script does not know it */
	const char *refused;  /* what else it refuses in a legacy stream; NULL: nothing */
};

struct ckpt_format;

struct ckpt {
	struct source *src;
	struct ckpt_info info;
	struct finding_list findings;
	struct pagemap map;
	struct frame_map frames;
	struct squeeze *squeeze; /* NULL: no page is compressed */
	struct kdump *kdump;	 /* NULL: pages are not packed one by one */
	struct ckpt_state state;
	struct ckpt_state committed; /* as of the last complete epoch */
	size_t committed_runs;
	unsigned nr_epochs; /* complete ones */
	struct ckpt_origin origin;
	struct ckpt_p2m_part p2m[CKPT_MAX_P2M_PARTS];
	unsigned nr_p2m;
	unsigned depth;	  /* of wrappers */
	uint64_t start;	  /* where the outermost format begins */
	uint64_t end;	  /* see ckpt_end() */
	uint64_t *needed; /* see ckpt_needed() */
	size_t nr_needed, cap_needed;
	struct ckpt_extra *extras;
	size_t nr_extras, cap_extras;
	const struct ckpt_format *body; /* innermost */
};

enum ckpt_probe {
	CKPT_PROBE_NO,
	CKPT_PROBE_YES,
	CKPT_PROBE_BROKEN, /* mine, but err says why it cannot be opened */
};

struct ckpt_format {
	const char *name; /* info.format */
	enum ckpt_probe (*probe)(const struct source *src, uint64_t off, struct err *err);
	int (*open)(struct ckpt *ck, uint64_t off, struct err *err);
	/* What can be said when all pages are indexed, as findings; NULL: nothing. Called for the
	 * innermost format, the one whose pages they are. */
	void (*verify)(struct ckpt *ck);
};

extern const struct ckpt_format ckpt_format_xl, ckpt_format_libxl, ckpt_format_libxc,
	ckpt_format_xen20, ckpt_format_xend, ckpt_format_xccore, ckpt_format_libvirt,
	ckpt_format_xapi, ckpt_format_xapi_old, ckpt_format_legacy, ckpt_format_xencore,
	ckpt_format_vmcore, ckpt_format_kdump, ckpt_format_unsupported, ckpt_format_foreign,
	ckpt_format_disk;

/* Do the bytes at off begin with this text? */
bool ckpt_has_magic(const struct source *src, uint64_t off, const char *magic, size_t len);

/* Open what begins at off; outermost calls it with 0. */
int ckpt_open_payload(struct ckpt *ck, uint64_t off, struct err *err) MUST_CHECK;
void ckpt_add_layer(struct ckpt *ck, const char *fmt, ...) PRINTF(2, 3);
/* The stream ends or breaks here; what was read before stays. Adds XB001. Always returns 0. */
int ckpt_incomplete(struct ckpt *ck, uint64_t off, const char *fmt, ...) PRINTF(3, 4);

/* A cleared vcpu of that id, replacing an earlier one. NULL and err: no memory, or id too big. */
struct ckpt_vcpu *ckpt_new_vcpu(struct ckpt *ck, uint32_t id, struct err *err);
/* HVM: the value that a restore sets. */
void ckpt_set_hvm_param(struct ckpt *ck, unsigned index, uint64_t value);
bool ckpt_has_vcpu(const struct ckpt *ck, uint32_t id);
/* The stream knows PV from HVM; only the configuration knows HVM from PVH. */
void ckpt_settle_guest_type(struct ckpt *ck, enum ckpt_guest_type config_type);
/* Content of the guest's that is no page; in file order. */
int ckpt_add_extra(struct ckpt *ck, uint64_t off, uint64_t bytes, struct err *err) MUST_CHECK;
/* The page at that file offset tells what pages there are. -1: out of memory. */
int ckpt_add_needed(struct ckpt *ck, uint64_t off) MUST_CHECK;
/* origin.c: fill info.written_by and restore, when all is read. */
void ckpt_say_origin(struct ckpt *ck);
/* find_stream.c: "xl at 0x200, xl at 0x8041000": headers in the file from that offset on, as far as
 * it is looked; "" when there are none. */
void ckpt_name_streams(const struct source *src, uint64_t from, char *buf, size_t cap);
/* The epoch is complete. */
int ckpt_commit(struct ckpt *ck, struct err *err) MUST_CHECK;

/* pv_context.c: decode v->ctx by v->kind; the context has the size of its kind. */
void pv_context_decode(struct ckpt_vcpu *v);
size_t pv_context_bytes(enum ckpt_vcpu_kind kind);
/* What xen-unstable of 2005 saved in so many bytes. */
enum ckpt_vcpu_kind pv_context_of_2005(uint64_t bytes, enum ckpt_vcpu_kind otherwise);
uint64_t pv_context_gdt_frame(const struct ckpt_vcpu *v, unsigned index);
uint64_t pv_context_gdt_ents(const struct ckpt_vcpu *v);
/* Never more than the context has room for. */
unsigned pv_context_nr_gdt_frames(const struct ckpt_vcpu *v);

/* hvm_context.c: take the vcpus out of an HVM context blob, in place of those of an earlier one. */
int hvm_context_decode(
	struct ckpt *ck, const uint8_t *blob, size_t len, uint64_t off, struct err *err) MUST_CHECK;
/* The same of a vcpu_guest_context that pv_context_decode() has read, as core dumps have it. */
void hvm_context_from_core(struct ckpt_vcpu *v);
/* Word size and paging levels of the guest, from its first vcpu. Needs the page map. */
void hvm_context_mode(struct ckpt *ck);

/* ckpt_verify.c: the domain is made with the configuration's number of vcpus before its state is
 * loaded. */
void ckpt_verify_vcpus(struct ckpt *ck);
/* Frames that a restore of a PV guest depends on, after the page map is done; nothing for other
 * guests. A ckpt_format.verify of the save streams. */
void ckpt_verify_pv(struct ckpt *ck);
/* What is to be said of every core dump. A ckpt_format.verify. */
void ckpt_verify_core(struct ckpt *ck);

#endif
