/* SPDX-License-Identifier: BSD-2-Clause
 *
 * frontend.h - finding the block frontends of a guest and decoding their shadow rings.
 *
 * What differs between drivers stands behind struct frontend_ops: a device points to those of its
 * driver, and nobody outside frontend/<family>/ asks which driver it is.
 */
#ifndef XB_FRONTEND_FRONTEND_H
#define XB_FRONTEND_FRONTEND_H

#include "frontend/request.h"
#include "guest/guest.h"
#include "kernel/kernel.h"

enum frontend_locate {
	FRONTEND_LOCATE_AUTO, /* symbols, and the scan where they are not confirmed otherwise */
	FRONTEND_LOCATE_BOTH, /* symbols and scan, compared where both work */
	FRONTEND_LOCATE_SYMBOLS,
	FRONTEND_LOCATE_SCAN,
};

struct frontend_options {
	enum frontend_locate locate;
	const char *kernel_path; /* --kernel FILE, or NULL */
	const char *module_path; /* --module FILE, or NULL */
	bool facts_only;	 /* enough for `info`: skip what only `dump -v` shows */
	bool who;		 /* find out who asked for each request */
	bool running; /* the guest does: what disagrees may have changed, so that every page is
			 looked at only where nothing is found otherwise */
	uint64_t witness_pages; /* find the blocks that the guest remembers, among so many pages of
				   its caches; 0 none, UINT64_MAX all */
	uint64_t witness_seed;	/* which of them */
	const struct ckpt_info *config; /* the domain's configuration; NULL not known */
};

/* What resume does with a pending request. */
struct resume_place {
	const char *why;    /* static text: its place in the order */
	const char *stream; /* static text: how it travels; what travels differently may overtake */
	bool order_known;   /* its place in its device's stream */
	/* Its data is submitted to the guest's block layer anew, which cuts it where the target's
	 * limits ask; false also when that is not known. */
	bool resubmitted;
	/* The backend gets what its pages hold by then, not a copy that was made for it before;
	 * false also when that is not known. */
	bool copied_anew;
};

/* A request of a device, pending or queued. */
struct resume_item {
	const struct blkdev *dev;
	const struct io_request *req;
};

/* The shared ring as the driver will have filled it on the target host. */
struct resume_ring {
	uint8_t *bytes; /* malloc'ed */
	size_t nr_bytes;
	size_t nr_skipped;
};
void resume_ring_fini(struct resume_ring *r);

/* What becomes of a request that is on the ring when the guest is saved. */
enum frontend_suspend {
	FRONTEND_REISSUES,
	FRONTEND_DRAINS, /* there is none: the driver waits for the answers before it suspends */
	FRONTEND_LOSES,	 /* the driver knows of no suspension: nobody ever answers it */
};

/* What a driver does when its guest resumes. Pure functions over what was decoded. */
struct frontend_resume {
	void (*place)(const struct blkdev *d, const struct io_request *r, struct resume_place *ret);
	/* Of two of its requests, which does it hand on first? As qsort() wants it; 0: as they
	 * stand in the snapshot. */
	int (*order)(
		const struct blkdev *d, const struct io_request *a, const struct io_request *b);
	/* Do they reach the backend in that order? */
	bool (*order_known)(
		const struct blkdev *d, const struct io_request *a, const struct io_request *b);
	enum frontend_suspend suspend;
	bool forgets_flushes; /* it does not wait for a flush before it suspends, but for all else
			       */
	bool one_log; /* one order over all disks of the guest, which `order` may be asked for */
	/* Its block layer makes writes behind a barrier before the barrier is answered, and counts
	 * on their order. Elsewhere nobody does: who needs an order waits for the answers. */
	bool counts_on_barriers;
	/*
	 * The ring that these make, in this order; their target frames are set. ERR_REFUSED: more
	 * than it holds; or a sector or a frame is unknown and skip_unknown is not set. NULL: the
	 * driver grants its pages anew, so that its ring cannot be known before.
	 */
	int (*ring_image)(const struct resume_item *v, size_t nr, bool skip_unknown,
		struct resume_ring *ret, struct err *err);
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
	int (*find)(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
		struct snapshot *s, struct err *err);
	const struct frontend_resume *resume;
};

extern const struct frontend_ops frontend_linux_blkfront;
extern const struct frontend_ops frontend_netbsd_xbd;
extern const struct frontend_ops frontend_xenlinux;
extern const struct frontend_ops frontend_freebsd_blkfront;
extern const struct frontend_ops frontend_netbsd_xenbus;
extern const struct frontend_ops frontend_openbsd_xbf;
extern const struct frontend_ops frontend_minios_blkfront;
extern const struct frontend_ops frontend_unikraft_blkfront;
extern const struct frontend_ops frontend_grub_xendisk;
extern const struct frontend_ops frontend_windows_xenvbd;
extern const struct frontend_ops frontend_ring_only;

/* "unknown" for NULL. */
const char *frontend_name(const struct frontend_ops *driver);
/* For struct frontend_resume: order by slot; and it is what the backend sees, or nobody knows. */
int frontend_order_by_slot(
	const struct blkdev *d, const struct io_request *a, const struct io_request *b);
bool frontend_order_is_known(
	const struct blkdev *d, const struct io_request *a, const struct io_request *b);
bool frontend_order_is_unknown(
	const struct blkdev *d, const struct io_request *a, const struct io_request *b);
/* Of a driver of which nobody here knows what it does. */
extern const struct frontend_resume frontend_resume_unknown;
/* Of one that knows of no suspension. */
extern const struct frontend_resume frontend_resume_lost;
/* There are devices, and of all of them it is known what resume does. */
bool frontend_resume_is_known(const struct snapshot *s);
/* Never NULL: of a driver that is not known, no order is known. */
const struct frontend_resume *frontend_resume_of(const struct blkdev *d);

/*
 * The parts of frontend_analyse(), for a guest that is looked at more than once: its kernel is
 * found once, its devices at each look, with the clock as it is by then. Borrows g. `opt` of all
 * calls has the same --kernel and --locate.
 */
struct frontend_search;
int frontend_search_open(struct guest *g, const struct frontend_options *opt,
	struct frontend_search **ret, struct err *err) MUST_CHECK;
int frontend_search_look(struct frontend_search *f, const struct frontend_options *opt,
	struct snapshot *s, struct err *err) MUST_CHECK;
void frontend_search_close(struct frontend_search *f);

/*
 * Say who the guest's kernel is, run every frontend that fits the guest, fill source_mfn of every
 * segment and ring page, and add the checkpoint's own findings. ERR_NOTFOUND is not raised:
 * s->nr_devices == 0 and s->looked_for say it. `s` must be zeroed; the caller frees it with
 * snapshot_fini() also on failure.
 */
int frontend_analyse(struct guest *g, const struct frontend_options *opt, struct snapshot *s,
	struct err *err) MUST_CHECK;

/* Did the guest count on an order among writes in flight? Resume does not keep it. */
bool frontend_counts_on_order(const struct blkdev *d);

/*
 * A finding for each disk of the configuration that no device of the snapshot is for: its driver is
 * not known here, or what it keeps was damaged beyond recognition.
 */
void frontend_report_missing(const struct ckpt_info *info, struct snapshot *s);

/*
 * For who confirms what the driver's list led to: BLK_CONFIRMED_CONFIG of each device that the
 * configuration names; a doubt where one has what the other has not. False: there is no
 * configuration to compare with.
 */
bool frontend_confirm_config(const struct ckpt_info *info, struct snapshot *s);

struct p2m;
/* Fill target_mfn / target_missing of every segment and ring page. */
void frontend_set_target(struct snapshot *s, struct p2m *target);

#endif
