/* SPDX-License-Identifier: BSD-2-Clause
 *
 * frontend.h - finding the block frontends of a guest and decoding their shadow rings.
 */
#ifndef XB_FRONTEND_FRONTEND_H
#define XB_FRONTEND_FRONTEND_H

#include "frontend/request.h"
#include "guest/guest.h"
#include "guest/symbols.h"

enum frontend_locate {
	FRONTEND_LOCATE_AUTO, /* symbols and scan, compared where both work */
	FRONTEND_LOCATE_SYMBOLS,
	FRONTEND_LOCATE_SCAN,
};

struct frontend_options {
	enum frontend_locate locate;
	const char *kernel_path; /* --kernel FILE, or NULL */
	bool facts_only;	 /* enough for `info`: skip what only `dump -v` shows */
};

struct frontend_ops {
	const char *name;
	/* What is looked for, one clause, for the message when nothing is found. */
	const char *looks_for;
	unsigned word_bytes; /* of the guests that can have it: 4, 8, or 0 for any */
	/*
	 * Append the devices found to s. 0 also when there are none. An error only for what the
	 * user must know (memory, unreadable --kernel file); trouble inside the guest becomes
	 * a finding or a request's `trouble`.
	 */
	int (*scan)(struct guest *g, const struct frontend_options *opt,
		const struct symbols *kernel_file, struct snapshot *s, struct err *err);
};

extern const struct frontend_ops frontend_linux_blkfront;
extern const struct frontend_ops frontend_netbsd_xbd;

/*
 * Run every frontend that fits the guest, fill source_mfn of every segment and ring page, and add
 * the checkpoint's own findings. ERR_NOTFOUND is not raised: s->nr_devices == 0 and s->looked_for
 * say it. `s` must be zeroed; the caller frees it with snapshot_fini() also on failure.
 */
int frontend_analyse(struct guest *g, const struct frontend_options *opt, struct snapshot *s,
	struct err *err) MUST_CHECK;

struct p2m;
/* Fill target_mfn / target_missing of every segment and ring page. */
void frontend_set_target(struct snapshot *s, struct p2m *target);

#endif
