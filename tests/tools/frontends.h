/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The structures of frontends whose guests mkdomu.py makes up, for the compiler to say where their
 * members are. Only members that matter are named; the rest has their size. SHIFT: a build whose
 * locks are larger (debugging).
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long word;

#ifdef SHIFT
#define LOCK_WORDS 8
#define MORE	   word more[6];
#else
#define LOCK_WORDS 4
#define MORE
#endif

struct front_ring {
	u32 req_prod_pvt, rsp_cons, nr_ents;
	void *sring;
};
struct list {
	void *first, *last;
};

/* ---- FreeBSD ---- */

struct fb_command {
	struct list link;
	void *sc;
	u32 flags;
	void *map;
	u64 id;
	u32 *refs;
	void *bio;
	u32 gref_head;
	void *data;
	word length;
	u32 nseg;
	int op;
	u64 sector;
	int status;
	void *complete;
#ifdef INDIRECT
	void *indirect;
	u32 indirect_refs[8];
#endif
};
struct fb_queue {
	struct list list;
	u32 length, max;
};
struct fb_callback {
	void *next, *fn, *arg;
	u16 count;
};
#ifndef REFS
#define REFS 32
#endif
struct fb_softc {
	void *dev, *disk;
	struct list bioq;
	u64 last_offset;
	void *insert_point;
	MORE int unit, flags;
#ifndef OLD
	int frozen;
#endif
	int vdevice, state;
	u32 ring_pages, max_requests, max_segments, max_size, max_indirect;
	u32 refs[REFS];
	struct front_ring ring;
#ifdef OLD
	u32 irq;
	struct fb_callback callback;
	struct list lists[4];
	struct {
		u32 length, max;
	} stat[5];
	void *dmat;
	int users;
	word lock[LOCK_WORDS];
#else
	void *interrupt;
	struct fb_callback callback;
	struct fb_queue queues[5];
	void *dmat;
	int users;
	word lock[LOCK_WORDS];
#endif
	void *shadow;
};
struct fb_bio {
#ifdef OLD
	u8 cmd, flags, cflags, pflags;
	void *dev;
#else
	u16 cmd, flags, cflags, pflags;
	void *dev;
#endif
	void *disk;
	long long offset;
	word bcount;
	void *data;
	void **ma;
	int ma_offset, ma_n;
	int error;
	word resid;
	void *done, *driver[2], *caller[2];
	struct list queue;
	word rest[40];
};
struct fb_page {
	struct list plinks, listq;
	void *object;
	u64 pindex, phys;
	word rest[5];
};
struct fb_devclass {
	struct list link;
	void *parent;
	struct list drivers;
	char *name;
	void **devices;
	int maxunit;
};
struct fb_device {
	void *ops;
	struct list link, devlink;
	void *parent;
	struct list children;
	void *driver, *devclass;
	int unit;
	char *nameunit, *desc;
	int busy, state;
	u32 devflags, flags;
	u8 order;
	void *ivars, *softc;
};

/* ---- NetBSD ---- */

struct nx_req {
	void *next;
	u16 id;
#ifdef NEW
	void *map, *parent, *child;
	u8 parent_done;
	union {
		struct {
			u32 grants[22];
			void *bp, *data, *indirect;
		};
		struct {
			int s_error, s_done;
		};
	};
#else
	union {
		struct {
			u32 grants[11];
			int nseg;
			void *bp, *data;
		};
		struct {
			int s_error, s_done;
		};
	};
#endif
};
struct nx_indirect {
	void *next, *addr;
	u32 grant;
};
struct nx_softc {
	word dk[64];
	MORE void *xbusd;
#ifdef NEW
	u32 evtchn;
	void *ih;
	word locks[LOCK_WORDS * 3];
	struct front_ring ring;
	u32 grant;
#else
	struct front_ring ring;
	u32 evtchn, grant;
#endif
	struct nx_req reqs[32];
	void *free;
#ifdef NEW
	struct nx_indirect indirect[32];
	void *indirect_free;
	word unalign;
	void *unalign_used;
#elif !defined(V3)
	u8 wait;
#endif
	int state, shutdown;
	u64 sectors;
	word secsize;
	u64 size;
	word info, handle;
	int features;
};
struct nx_cfdriver {
	struct list link, attach;
	void **devs;
	char *name;
	int cls, ndevs;
};
struct nx_device {
	int cls;
	struct list list;
	void *cfdata, *cfdriver, *cfattach;
	int unit;
	char xname[16];
	void *parent;
	int depth, flags;
	void *priv;
};

/* ---- the small ones ---- */

struct mini_aiocb {
	void *dev, *buf;
	word nbytes;
	long long offset;
	word total;
	u8 is_write;
	void *data;
	u32 gref[11];
	int n;
	void *cb;
};
struct uk_request {
	void *req;
	void *gref[11];
	u16 nr;
	void *queue;
};
struct uk_blkreq {
	int op;
	word start, sectors;
	void *buf, *cb, *cookie;
	int state, result;
};
struct grub_virtdisk {
	int handle;
	char *fullname, *backend, *frontend;
	void *shared_page;
	struct front_ring ring;
	u32 grant, evtchn;
	void *dma_page;
	u32 dma_grant;
	void *next;
};
