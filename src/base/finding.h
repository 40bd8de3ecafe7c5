/* SPDX-License-Identifier: BSD-2-Clause
 *
 * finding.h - facts worth telling, named by the stable id of a rule.
 *
 * Any layer may add a finding; severity, explanation and remedy live in the one catalogue of
 * check/, looked up by id. Ids: XB0xx file and stream, XB1xx ring and shadow of any frontend,
 * XB2xx netbsd-xbd, XB3xx linux-blkfront, XB4xx disks, XB5xx target host, XB6xx hazards.
 */
#ifndef XB_BASE_FINDING_H
#define XB_BASE_FINDING_H

#include "base/err.h"
#include "base/limits.h"

#define FINDING_NO_OFFSET UINT64_MAX

struct finding {
	char rule[8];	 /* "XB101" */
	char *message;	 /* owned */
	char device[32]; /* vdev, or "" */
	int ring, slot;	 /* -1 = not about one */
	uint64_t offset; /* in the checkpoint file, or FINDING_NO_OFFSET */
};

struct finding_count {
	char rule[8];
	uint64_t seen; /* stored and dropped */
};

/* Of them, those that are only counted. */
static inline uint64_t finding_left_out(const struct finding_count *c)
{
	return c->seen > FINDING_MAX_PER_RULE ? c->seen - FINDING_MAX_PER_RULE : 0;
}

struct finding_list {
	struct finding *v;
	size_t nr, cap;
	struct finding_count *counts;
	size_t nr_counts, cap_counts;
	bool lost; /* memory ran out: at least one finding is missing */
};

/* Where a finding belongs. */
struct finding_at {
	const char *device; /* vdev, or NULL */
	int ring, slot;	    /* -1 = not about one */
	uint64_t offset;    /* in the file, or FINDING_NO_OFFSET */
};

static inline struct finding_at finding_at_slot(const char *device, int ring, int slot)
{
	return (struct finding_at){device, ring, slot, FINDING_NO_OFFSET};
}

static inline struct finding_at finding_at_device(const char *device)
{
	return finding_at_slot(device, -1, -1);
}

static inline struct finding_at finding_at_offset(uint64_t offset)
{
	return (struct finding_at){NULL, -1, -1, offset};
}

static inline struct finding_at finding_anywhere(void)
{
	return finding_at_offset(FINDING_NO_OFFSET);
}

/* Never fails: when memory is out the list is marked `lost`. `list` may be NULL (then nothing). */
void finding_add(struct finding_list *list, const char *rule, struct finding_at at, const char *fmt,
	...) PRINTF(4, 5);
/* Append copies of all of `from`. */
void finding_append(struct finding_list *list, const struct finding_list *from);
void finding_fini(struct finding_list *list);

#endif
