/* SPDX-License-Identifier: BSD-2-Clause
 *
 * request.h - what the analysis found: devices, rings, requests. Host order, bytes, provenance.
 *
 * The structures own what they point to; snapshot_fini() frees all. Unknown values are marked by a
 * flag beside them or by the sentinel named here, never by 0.
 */
#ifndef XB_FRONTEND_REQUEST_H
#define XB_FRONTEND_REQUEST_H

#include "base/finding.h"
#include "base/frame.h"
#include "frontend/blkif_abi.h"
#include "frontend/meaning.h"
#include "frontend/who.h"
#include "kernel/facts.h"

enum io_op {
	IO_READ,
	IO_WRITE,
	IO_BARRIER,
	IO_FLUSH,
	IO_DISCARD,
	IO_PROBE,   /* Xen 2: the driver asks for the list of disks */
	IO_UNKNOWN, /* the wire operation is none of the above; see wire_op */
};
/* BLKIF_OP_* of an operation on data. */
enum io_op io_op_of_blkif(uint32_t data_op);
const char *io_op_name(enum io_op op); /* "read" ...; "unknown" */

enum io_state {
	IO_PENDING,
	IO_RESPONDED, /* the ring holds an answer that the guest has not consumed; it will be
			 re-issued */
	IO_QUEUED,    /* held by the guest's block layer; never reached the ring */
};
const char *io_state_name(enum io_state state);

enum io_sector_from {
	IO_SECTOR_UNKNOWN,
	IO_SECTOR_SHADOW,
	IO_SECTOR_RING,	   /* recovered from the shared ring */
	IO_SECTOR_REQUEST, /* recovered from the driver's own request */
};
const char *io_sector_from_name(enum io_sector_from from); /* NULL when unknown */

#define IO_FLAG_INDIRECT (1u << 0) /* segments came through indirect descriptor pages */
#define IO_FLAG_SECURE	 (1u << 1) /* secure discard */
#define IO_FLAG_FUA	 (1u << 2) /* the guest asked for forced unit access */
#define IO_FLAG_PREFLUSH (1u << 3) /* the guest asked for a flush before the data */
/* Name of one flag bit, for output: "indirect", "secure", "fua", "preflush". */
const char *io_flag_name(unsigned bit);

enum io_frame_state {
	IO_FRAME_OK,	  /* page data is in the checkpoint */
	IO_FRAME_HOLE,	  /* the checkpoint lists no data for this pfn */
	IO_FRAME_UNKNOWN, /* the pfn itself could not be found out */
};

struct io_segment {
	enum io_frame_state frame;
	pfn_t pfn;	 /* valid unless frame is IO_FRAME_UNKNOWN */
	uint32_t offset; /* in the page, bytes */
	uint32_t bytes;
	int64_t gref;	     /* grant reference; -1 unknown or none */
	pfn_t grant_pfn;     /* the bounce or persistent-grant page; UINT64_MAX none or unknown */
	mfn_t source_mfn;    /* MFN_NONE unknown (or HVM/PVH, where there is none) */
	mfn_t target_mfn;    /* MFN_NONE until a target is given, or when it maps none */
	bool target_missing; /* a target was given and maps no frame for this pfn */
	bool sects_known;    /* first_sect and last_sect stand as the wire or log entry has them */
	uint8_t first_sect, last_sect; /* for the rules (first <= last <= 7); not clamped */
	bool unbiased; /* netbsd-xbd: the logged frame is below XPMAP_OFFSET, so it names none */
};

struct io_request {
	unsigned ring, slot; /* slot: index in the shadow ring; queued: the tag */
	enum io_op op;
	uint8_t wire_op;      /* as the driver stored it (6 = indirect) */
	uint16_t wire_handle; /* device/handle of the wire request; Xen 2: the vdevice */
	unsigned flags;	      /* IO_FLAG_* */
	bool handle_known;
	uint64_t id;			 /* as the shadow stores it */
	enum io_sector_from sector_from; /* IO_SECTOR_UNKNOWN: `sector` means nothing */
	uint64_t sector;		 /* 512 bytes, device-relative */
	uint64_t nr_sectors;		 /* 0 for a flush and a probe; sum of segments otherwise */
	uint64_t recorded_sector; /* netbsd-xbd: the garbage in the log, never to be used as a
				     sector */
	enum io_state state;
	bool unsettled;	    /* a guest that runs changed it while it was looked at: settle.h */
	int16_t rsp_status; /* IO_RESPONDED: the backend's status */
	struct io_segment *seg;
	size_t nr_seg;
	uint64_t segs_wanted; /* segment count that the slot claims; > nr_seg when some could not be
				 read */
	char *trouble;	      /* owned; what could not be decoded and why, or NULL */
	gva_t slot_va;	      /* of the shadow slot */
	gva_t request_va;     /* of the guest's own request structure; 0 unknown */
	bool rq_sector_known; /* linux: what that structure says, for comparison */
	uint64_t rq_sector;
	uint32_t status;	/* linux: blk_shadow.status as stored; UINT32_MAX absent */
	uint64_t associated_id; /* linux: UINT64_MAX none */
	bool age_known;
	uint64_t age_ns;   /* at the instant of the suspension */
	uint64_t start_ns; /* guest's monotonic clock when age_known */
	struct who *who;   /* owned; who asked for it, by its data; none where nobody looked */
	size_t nr_who;
	struct meaning *meaning; /* owned; what its sectors are; none where nobody looked */
	size_t nr_meaning;
};

/* A slot of the shadow as stored, used and free ones alike, for the rules. */
struct io_slot {
	bool used;
	bool waiting; /* of a request that is not on the ring yet, or no longer: neither free */
	bool unreadable;
	uint8_t wire_op;
	uint16_t nr_seg_wire;
	uint64_t id;	  /* used: as stored; free: the link to the next free slot */
	uint64_t request; /* linux: request pointer; netbsd: the same as id */
	uint32_t status;
	uint64_t associated_id;
};

/* A request or response as it stands in the shared ring, in the window that is still meaningful. */
struct io_ring_entry {
	uint32_t index; /* free-running producer index */
	bool is_response;
	uint8_t wire_op;
	uint8_t nr_seg;
	int16_t status; /* response */
	uint64_t id;
	uint64_t sector;
	bool sects_known; /* the next two are set */
	uint8_t first_sect[BLKIF_MAX_SEGMENTS],
		last_sect[BLKIF_MAX_SEGMENTS]; /* of each segment's page */
	uint64_t nr_sectors;		       /* of a discard */
	bool grefs_known;		       /* the next are the grants of each segment's page */
	uint32_t gref[BLKIF_MAX_SEGMENTS];     /* else: of the indirect pages; Xen 2: the
						  frame_and_sects words */
};

enum io_indices { /* what is known of the driver's own indices */
	IO_INDICES_UNKNOWN,
	IO_INDICES_DERIVED, /* from the shared ring and the number of used slots, with which they
			       agree by construction */
	IO_INDICES_READ,
};

struct io_ring {
	unsigned index;
	gva_t va; /* of the driver's ring structure */
	gva_t shadow_va;
	gva_t sring_va;
	uint32_t entries; /* slots of the ring; the shadow has as many */
	enum io_indices indices;
	uint32_t req_prod_pvt, rsp_cons; /* nothing when `indices` is unknown */
	/* The shared page was found, and it was in the checkpoint. False: sring_va.v == 0 not
	 * found, else not in the checkpoint. */
	bool sring_known;
	bool moved;		  /* a guest that runs went on with it while it was looked at */
	bool publishes_at_once;	  /* the driver holds a lock from making a request to showing it */
	bool repeats_in_recovery; /* it issues twice what comes in while it recovers */
	uint32_t sring_req_prod, sring_rsp_prod, sring_req_event, sring_rsp_event;
	pfn_t *pages; /* of the shared ring; v == UINT64_MAX where unknown */
	mfn_t *page_source_mfn, *page_target_mfn; /* beside pages; MFN_NONE unknown */
	size_t nr_pages;
	uint32_t *grefs; /* ring_ref; nr_grefs entries */
	size_t nr_grefs;
	uint64_t free_head; /* head of the free list as stored */
	uint64_t free_nil;  /* the value that ends the list in this frontend */
	bool free_list_ok;  /* walked: acyclic, in range, closes on exactly the free slots */
	uint32_t nr_free, nr_used;
	struct io_slot *slots;	      /* `entries` of them, or NULL */
	struct io_ring_entry *window; /* unconsumed responses, then unanswered requests */
	size_t nr_window;
};

enum blk_located {
	BLK_BY_ELF_SYMBOLS, /* --kernel FILE */
	BLK_BY_KALLSYMS_BTF,
	BLK_BY_DWARF,
	BLK_BY_SCAN,
	BLK_BY_KSYMS, /* the symbols that the loader left in the guest's memory */
	BLK_BY_RING,  /* the shared ring alone: nothing is known of the driver's own books */
};
const char *blk_located_name(
	enum blk_located by); /* "elf-symbols", "kallsyms+btf", "dwarf", "scan", "ksyms", "ring" */

/* What confirms that a device is what symbols made of it: blkdev.confirmed_by. */
#define BLK_CONFIRMED_BUS	(1u << 0) /* the guest's own bus lists it, with the same structure */
#define BLK_CONFIRMED_CONFIG	(1u << 1) /* the domain's configuration names it */
#define BLK_CONFIRMED_STRUCTURE (1u << 2) /* its rings have the shape that the scan looks for */
#define BLK_CONFIRMED_RING	(1u << 3) /* its shared rings agree with its shadow */
#define BLK_CONFIRMED_SCAN	(1u << 4) /* the scan of every page gave the same requests */
#define BLK_CONFIRMED_STORE	(1u << 5) /* what the guest told xenstore names it */
#define BLK_CONFIRMED_GRANTS	(1u << 6) /* the guest's grant table gives away its ring */
#define BLK_NR_CONFIRMED	7
/* "bus", "configuration", "structure", "ring", "scan", "xenstore", "grant-table" */
const char *blk_confirmed_name(unsigned bit);

/* Tri-state facts about a device's negotiated features. */
enum tri {
	TRI_UNKNOWN = -1,
	TRI_NO = 0,
	TRI_YES = 1,
};

#define BLK_UNKNOWN_U64 UINT64_MAX

/*
 * The order of the requests that Linux's blkif_recover() puts back whole on the block layer's
 * requeue list (linux/resume.c). blkfront_resume() lists them last slot first. Up to 6.4
 * blk_mq_requeue_request() turns that round and blk_mq_requeue_work() turns it round again; since
 * 6.5, which gave struct request_queue its flush_list, only the latter does.
 */
enum blk_requeue {
	BLK_REQUEUE_UNKNOWN,
	BLK_REQUEUE_LAST_FIRST,
	BLK_REQUEUE_FIRST_FIRST,
};

/* What Linux's blkfront does with its shadow when it resumes (linux/resume.c). */
enum blk_repost {
	BLK_REPOST_UNKNOWN,
	BLK_REPOST_SLOTS,   /* posts each slot again, with the frames of the data: up to 3.7 */
	BLK_REPOST_COPIES,  /* the same with the copies that it granted: 3.8 to 3.10 */
	BLK_REPOST_RECOVER, /* starts from the block layer's requests, on the new rings: 3.11 to 4.7
			     */
	BLK_REPOST_COLLECT, /* the same, before it gives up the old rings: since 4.8 */
};

struct frontend_ops;

struct blkdev {
	char name[32]; /* "xvda"; "vbd-51712" when only the number is known; "xbd" */
	const struct frontend_ops *driver; /* whose device it is; NULL unknown */
	char driver_version[32];	   /* as the driver says; "" unknown */
	enum blk_located located_by;
	unsigned confirmed_by; /* BLK_CONFIRMED_*: what held */
	bool confirmed;	       /* and that is enough */
	uint64_t handle;       /* virtual-device number; BLK_UNKNOWN_U64 unknown */
	char nodename[64];     /* "device/vbd/51712" or "" */
	char state[24];	       /* "connected", "suspended", "disconnected", "error", "unknown" */
	int backend_domid;     /* -1 unknown */
	uint64_t nr_sectors;   /* capacity, 512 bytes; BLK_UNKNOWN_U64 unknown */
	uint32_t logical_block_bytes, physical_block_bytes; /* 0 unknown */
	uint64_t max_indirect_segments;			    /* BLK_UNKNOWN_U64 unknown */
	enum tri feature_flush, feature_fua, feature_discard, feature_secure_discard;
	enum tri feature_persistent, bounce, read_only;
	enum blk_requeue requeue; /* linux-blkfront */
	enum blk_repost repost;	  /* the same */
	bool counts_on_barriers;  /* this kernel may, where the driver's others do not */
	char scheduler[17]; /* of the guest's queue: "mq-deadline", "none"; "" unknown, "?" unnamed
			     */
	uint64_t discard_granularity; /* BLK_UNKNOWN_U64 unknown */
	gva_t va;		      /* of the driver's device structure; 0 unknown */
	bool shares_ring; /* one ring for all disks of the guest, which stands with each of them */
	struct io_ring *rings;
	size_t nr_rings;
	struct io_request *requests; /* in the shadow, by ring then slot */
	size_t nr_requests;
	bool requests_known; /* every ring could be read; false: there may be more of them */
	/* How many are on the way by the driver's own counter, where it has one. */
	bool claimed_known;
	uint32_t claimed;
	struct io_request *queued; /* in the block layer only */
	size_t nr_queued;
	bool queued_known;     /* the queue could be read; false: `queued` says nothing */
	enum tri recovering;   /* the driver was already re-issuing requests when it was saved */
	struct mounted_fs *fs; /* mounted file systems that were found */
	size_t nr_fs;
	bool fs_known; /* the guest's mounts could be read; false: `fs` says nothing */
	struct witness_list witnesses; /* blocks that the guest remembers; where it was asked */
	/* linux: the io_request.status of one that is on the ring, as this kernel counts;
	 * UINT32_MAX unknown */
	uint32_t status_waiting;
};

struct snapshot {
	struct guest_facts guest;
	struct blkdev *devices;
	size_t nr_devices;
	struct finding_list findings; /* of the decoders */
	char *looked_for; /* owned; when no device was found: what was looked for, for the message
			   */
	char *how;	  /* owned; -v: one line a step of how things were located; NULL none */
	bool every_page;  /* was looked at */
	char *doubt; /* owned; why what symbols led to is not confirmed by what costs little, and
			every page was looked at where that was allowed; NULL: it is, or nobody
			asked
		      */
};

void io_request_fini(struct io_request *r);
void blkdev_fini(struct blkdev *d);
void snapshot_fini(struct snapshot *s);

/* Append a device with every field unknown; returned pointer is valid until the next append. NULL:
 * no memory. */
struct blkdev *snapshot_add_device(struct snapshot *s);
/* Append a zeroed ring, with its index. NULL: no memory. */
struct io_ring *blkdev_add_ring(struct blkdev *d);
/* "xvda, xvdb", cut to cap. */
void snapshot_list_devices(const struct snapshot *s, char *buf, size_t cap);
/* Is it the device that a user, a file or a toolstack names by its name ("xvda") or its number
 * ("51712", "0xca00")? */
bool blkdev_is_named(const struct blkdev *d, const char *vdev);
/* Request i of those in slots, and behind them of those that are queued; NULL behind the last. */
const struct io_request *blkdev_request(const struct blkdev *d, size_t i);
/* Requests ascend by ring, then slot. NULL: none is there. */
const struct io_request *blkdev_find_request(const struct blkdev *d, unsigned ring, unsigned slot);
/* Of a guest that runs: may what was read there be of two times? Where no request is, as the ring
 * does; ring, slot -1: any. */
bool blkdev_is_unsettled(const struct blkdev *d, int ring, int slot);
/* Where what is known of its disk ends: its size, or the last sector of a request; at least 1. */
uint64_t blkdev_end(const struct blkdev *d);
/* NULL: none is named so. */
const struct blkdev *snapshot_find_device(const struct snapshot *s, const char *vdev);
/* The same; NULL: ERR_USAGE, which names those that there are. */
const struct blkdev *snapshot_need_device(
	const struct snapshot *s, const char *vdev, struct err *err);
/* Append a request with unknown fields marked so to an array. NULL: no memory. */
struct io_request *io_request_append(struct io_request **array, size_t *nr);
/* What a request does, by its operation and whether it has data: a flush or a barrier with some
 * is a write. */
bool io_request_is_flush(const struct io_request *r);	  /* or a barrier, with data or without */
bool io_request_moves_data(const struct io_request *r);	  /* from or to pages of the guest */
bool io_request_writes_data(const struct io_request *r);  /* from them to the disk */
bool io_request_changes_disk(const struct io_request *r); /* writes data or discards some */
bool io_request_has_place(const struct io_request *r);	  /* its sector matters */
/* Its place on the disk, in sectors. False: it has none, it is not known or empty, or it wraps. */
bool io_request_range(const struct io_request *r, uint64_t *ret_start, uint64_t *ret_end);
/* By ring, then slot, as qsort() wants it. */
int io_request_by_slot(const struct io_request *a, const struct io_request *b);
/* Append a segment. NULL: no memory. */
struct io_segment *io_segment_append(struct io_request *r);
/* Is nr_sectors all that it asks for? Not when its operation or some of its segments are not known.
 */
bool io_request_size_known(const struct io_request *r);
/* Requests in the shadows of all devices. *ret_all: there are no more than these. */
size_t snapshot_pending(const struct snapshot *s, bool *ret_all);
/* Say why every page has to be looked at; the first reason stands. */
void snapshot_doubt(struct snapshot *s, const char *fmt, ...) PRINTF(2, 3);
/* Append a line to s->how; or lines that end as such, NULL none. */
void snapshot_how_all(struct snapshot *s, const char *lines);
void snapshot_how(struct snapshot *s, const char *fmt, ...) PRINTF(2, 3);

#endif
