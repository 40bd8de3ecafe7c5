/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check.h - is it safe to restore this checkpoint? Rules as pure functions over what was found.
 *
 * check_run() evaluates every rule of check/ over a snapshot and what the caller knows besides:
 * disks, the target's features, the frames with a special purpose. A rule holds, is broken
 * (findings) or could not be evaluated (a reason): nothing is passed over in silence. Rules that
 * do not concern the guest (another frontend, no disk given) hold.
 */
#ifndef XB_CHECK_CHECK_H
#define XB_CHECK_CHECK_H

#include "check/catalogue.h"
#include "checkpoint/checkpoint.h"
#include "frontend/frontend.h"
#include "guest/memory.h"
#include "io/disk.h"

/* A frame that data requests must not touch. */
struct check_special {
	uint64_t pfn;
	const char *what; /* static text: "p2m page" */
};

/* A disk beside a device, as disk_probe() saw it. */
struct check_disk {
	char vdev[32];
	char *path; /* owned */
	enum disk_format format;
	uint64_t bytes;
	uint32_t logical_block_bytes; /* 0 unknown (not a block device) */
	struct check_disk_fs *fs;     /* owned: what libblkid and the superblocks say */
	size_t nr_fs;
	const char *user; /* what uses it on this host, static text; NULL: nothing */
};

struct check_disk_fs {
	uint64_t start; /* sector of the partition */
	char type[32];	/* libblkid's TYPE; "" none recognised */
	bool unsure;	/* then because it saw several, or could not look */
	char uuid[64], label[64];
	bool super_known; /* ext2/3/4: the members below were read */
	uint64_t wtime, mtime, mnt_count;
	bool recover;		   /* ext: the journal needs recovery (so it was mounted) */
	uint64_t journal_sequence; /* of the newest committed transaction; BLK_UNKNOWN_U64 */
};

/* Size, block size and file systems (at sector 0 and where the guest has one mounted) of d->path,
 * opened read-only. The caller has set vdev, path and format; check_disk_fini() also after a
 * failure. */
int check_disk_open(struct check_disk *d, const struct blkdev *dev, struct err *err) MUST_CHECK;
void check_disk_fini(struct check_disk *d);

/* What the backend of the target offers; from a file or from xenstore. */
struct check_caps {
	bool partial; /* a backend that is not connected yet: what is absent may still come */
	enum tri flush, barrier, discard, secure_discard, persistent;
	bool read_only_known, read_only;
	uint64_t max_indirect_segments; /* BLK_UNKNOWN_U64: key absent, so none are offered */
	uint64_t max_queues;		/* BLK_UNKNOWN_U64 absent: one */
	uint64_t max_ring_page_order;	/* BLK_UNKNOWN_U64 absent: 0 */
	uint64_t sector_bytes;		/* BLK_UNKNOWN_U64 absent */
	uint64_t sectors;		/* BLK_UNKNOWN_U64 absent */
	char device[32];		/* "" = for every device */
};

/* Everything absent, so that a key that is not there means what its absence means to a frontend. */
struct check_caps check_caps_none(void);
/* Those of the device; NULL: none were given for it. */
const struct check_caps *check_caps_of(
	const struct check_caps *v, size_t nr, const struct blkdev *dev);
/* How many pages one request can have there: 11, or more with indirect descriptors. */
uint64_t check_caps_segments(const struct check_caps *c);
/* A file of key=value lines ("#" comments), or JSON: an object of such keys, or an object of such
 * objects by device, by its name or number. *ret is malloc'ed. */
int check_caps_read(
	const char *path, struct check_caps **ret, size_t *nr, struct err *err) MUST_CHECK;

struct check_input {
	const struct snapshot *snap;
	const struct ckpt_info *info;
	struct memory memory; /* .ops NULL: rules on page content and type are not evaluated */
	const struct check_special *specials; /* ascending by pfn */
	size_t nr_specials;
	bool restored;	   /* the domain exists by now, so its own backend uses the disks */
	bool target_given; /* target_mfn and target_missing were filled */
	const struct check_disk *disks;
	size_t nr_disks;
	const struct check_caps *caps;
	size_t nr_caps;
};

/* A rule that could not be evaluated, for one device or ("") for all. */
struct check_skip {
	char rule[8];
	char device[32];
	char *reason; /* owned */
};

struct check_result {
	struct finding_list findings;
	struct check_skip *skips;
	size_t nr_skips, cap_skips;
	bool no_memory; /* something is missing from this result */
};

void check_run(const struct check_input *in, struct check_result *out);
/* Of a rule that the caller evaluates: it was not, for any device. */
void check_not_evaluated(struct check_result *out, const char *rule, const char *fmt, ...)
	PRINTF(3, 4);
void check_result_fini(struct check_result *r);

/* A page of the restored domain, valid until the next call; NULL: it cannot be had, err says why.
 */
typedef const uint8_t *check_fetch_fn(void *arg, pfn_t pfn, struct err *err);
/* Compare the pages of pending requests and rings with those of the checkpoint (in->memory must be
 * there); returns how many different pages were compared. */
uint64_t check_compare_pages(
	const struct check_input *in, check_fetch_fn *fetch, void *arg, struct check_result *out);

/* Frames with a special purpose. PV: p2m pages, start_info, the store and console rings that it
 * names, the suspend record of Xen 2. HVM and PVH: the pages that the HVM parameters name. *ret is
 * a malloc'ed array, ascending. */
int check_specials(
	struct memory m, struct check_special **ret, size_t *nr, struct err *err) MUST_CHECK;

/* Each id that a rule may report; NULL behind the last: for tests. */
const char *check_rule_id(size_t index);

/* The user's severities: --rule ID=off|note|warn|error. */
struct check_policy {
	struct check_override {
		char rule[8];
		bool off;
		enum severity severity;
	} * v;
	size_t nr, cap;
};
int check_policy_add(struct check_policy *p, const char *text, struct err *err) MUST_CHECK;
/* False: the rule is switched off. An id without a row in the catalogue is an error. */
bool check_policy_severity(const struct check_policy *p, const char *rule, enum severity *ret);
void check_policy_fini(struct check_policy *p);

#endif
