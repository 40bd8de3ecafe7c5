/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The structures of Linux' block frontend through its history, as its headers declare them, for the
 * compiler to lay out: mkblkfront.py compiles this for either size of a pointer and reads the
 * places of the members from the assembly. Nothing here is linked, and nothing is included.
 *
 * ERA says whose they are: 0 XenLinux 2.6.18; pvops 1 up to 3.7, 2 3.8, 3 3.10, 4 3.11, 5 4.4, 6
 * later 4.4, 7 4.5, 8 5.8, 9 5.18. What options of a kernel add: LOCK longs to each lock, WORK
 * longs to struct work_struct, LIST longs to the front of an entry of a scatter list; ADDR is the
 * size of a bus address, and SG_LENGTH 1 where it has a length of its own.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifndef LOCK
#define LOCK 0
#endif
#ifndef WORK
#define WORK 0
#endif
#ifndef LIST
#define LIST 0
#endif
#ifndef SG_LENGTH
#define SG_LENGTH 1
#endif

struct list {
	struct list *next, *prev;
};
struct spinlock {
	u32 slock;
	unsigned long debug[LOCK];
};
struct mutex {
	unsigned long owner;
	struct spinlock wait;
	u32 osq;
	struct list waiters;
	unsigned long debug[LOCK];
};
struct work {
	unsigned long data;
	struct list entry;
	void *func;
	unsigned long debug[WORK];
};
struct callback {
	void *next, *fn, *arg;
	u16 count;
};
struct scatterlist {
	unsigned long debug[LIST];
	unsigned long page_link;
	u32 offset, length;
#if ADDR == 8
	u64 dma;
#else
	u32 dma;
#endif
#if SG_LENGTH
	u32 dma_length;
#endif
};

struct segment {
	u32 gref;
	u8 first_sect, last_sect;
};
struct request_rw {
	u8 op, nr_segments;
	u16 handle;
	u64 id, sector;
	struct segment seg[11];
};
struct request_discard {
	u8 op, flag;
	u16 handle;
	u64 id, sector, nr_sectors;
};
struct request_indirect {
	u8 op, indirect_op;
	u16 nr_segments;
	u64 id, sector;
	u16 handle;
	u32 grefs[8];
};
union ring_request {
	struct request_rw rw;
	struct request_discard discard;
	struct request_indirect indirect;
};
struct response {
	u64 id;
	u8 op;
	short status;
};
union entry {
	union ring_request req;
	struct response rsp;
};
struct sring {
	u32 req_prod, req_event, rsp_prod, rsp_event;
	u8 pad[48];
	union entry ring[1];
};
struct front_ring {
	u32 req_prod_pvt, rsp_cons, nr_ents;
	struct sring *sring;
};

struct grant {
	u32 gref;
#if ERA < 5
	unsigned long pfn;
#else
	void *page;
#endif
	struct list node;
};

struct blk_shadow {
	union ring_request req;
	void *request;
#if ERA <= 2
	unsigned long frame[11];
#endif
#if ERA == 2 || ERA == 3
	struct grant *grants_used[11];
#endif
#if ERA == 3
	struct scatterlist sg[11];
#endif
#if ERA >= 4
	struct grant **grants_used, **indirect_grants;
	struct scatterlist *sg;
#endif
#if ERA >= 5
	u32 num_sg;
#endif
#if ERA == 6
	u8 inflight;
#endif
#if ERA >= 7
	u32 status;
	unsigned long associated_id;
#endif
};

struct tag_set {
	unsigned long words[21];
};

#if ERA >= 7
struct blkfront_ring_info {
	struct spinlock lock;
	struct front_ring ring;
	u32 ring_ref[16];
	u32 evtchn, irq;
	struct work work;
	struct callback callback;
#if ERA == 7
	struct blk_shadow shadow[512];
#endif
	struct list indirect_pages, grants;
	u32 persistent_gnts_c;
	unsigned long shadow_free;
	struct blkfront_info *dev_info;
#if ERA != 7
	struct blk_shadow shadow[];
#endif
};
struct blkfront_info {
	struct mutex mutex;
	void *xbdev, *gd;
	u16 sector_size;
	u32 physical_sector_size;
#if ERA == 9
	unsigned long vdisk_info;
#endif
	int vdevice;
	u16 handle;
	u32 connected;
	u32 nr_ring_pages;
	void *rq;
#if ERA == 7
	u32 flush;
	u32 discard;
	u32 granularity, alignment;
	u32 persistent;
#else
	u32 features;
	u32 granularity, alignment;
#endif
	u32 max_indirect_segments;
	int is_ready;
	struct tag_set tag_set;
	struct blkfront_ring_info *rinfo;
	u32 nr_rings;
#if ERA != 7
	u32 rinfo_size;
#endif
	struct list requests, bio_list, info_list;
};
#elif ERA == 0
struct blkfront_info {
	void *xbdev;
	u32 dev;
	void *gd;
	int vdevice;
	u16 handle;
	int connected, ring_ref;
	struct front_ring ring;
	u32 irq;
	void *mi, *rq;
	struct work work;
	struct callback callback;
	struct blk_shadow shadow[32];
	unsigned long shadow_free;
	int feature_barrier, users;
};
#else
struct blkfront_info {
#if ERA != 1
	struct spinlock io_lock;
#endif
	struct mutex mutex;
	void *xbdev, *gd;
	int vdevice;
	u16 handle;
	u32 connected;
#if ERA >= 5
	int ring_ref[16];
	u32 nr_ring_pages;
#else
	int ring_ref;
#endif
	struct front_ring ring;
#if ERA <= 2
	struct scatterlist sg[11];
#endif
	u32 evtchn, irq;
	void *rq;
	struct work work;
	struct callback callback;
	struct blk_shadow shadow[ERA >= 5 ? 512 : 32];
#if ERA == 2
	void *persistent_gnts;
#elif ERA != 1
	struct list grants;
#endif
#if ERA >= 4
	struct list indirect_pages;
#endif
#if ERA != 1
	u32 persistent_gnts_c;
#endif
	unsigned long shadow_free;
	u32 feature_flush, flush_op;
	u32 discard;
	u32 granularity, alignment;
	u32 persistent;
	int is_ready;
};
#endif

struct gendisk {
	int major, first_minor, minors;
	char disk_name[32];
	void *more[3 * sizeof(void *)];
	void *fops, *queue, *private_data;
};

/* The block layer, as far as it leads to what waits outside of the ring. */
struct bio_vec {
	void *bv_page;
	u32 bv_len, bv_offset;
};
#if ERA <= 3
struct bio {
	u64 bi_sector;
	struct bio *bi_next;
	void *bi_bdev;
	unsigned long bi_flags, bi_rw;
	u16 bi_vcnt, bi_idx;
	u32 bi_phys_segments, bi_size, bi_seg_front_size, bi_seg_back_size, bi_max_vecs;
	u32 bi_cnt;
	struct bio_vec *bi_io_vec;
};
#else
struct bvec_iter {
	u64 bi_sector;
	u32 bi_size, bi_idx, bi_bvec_done;
};
struct bio {
	struct bio *bi_next;
	void *bi_bdev;
	u32 bi_opf;
	u16 bi_flags, bi_ioprio;
	struct bvec_iter bi_iter;
	void *bi_end_io, *bi_private;
	u16 bi_vcnt, bi_max_vecs;
	u32 bi_cnt;
	struct bio_vec *bi_io_vec;
};
#endif
#if ERA <= 6
struct request {
	struct list queuelist;
	struct work csd;
	void *q, *mq_ctx;
	u64 cmd_flags;
	int cmd_type;
	unsigned long atomic_flags;
	int cpu;
	u32 __data_len;
	u64 __sector;
	struct bio *bio, *biotail;
};
#else
struct request {
	void *q, *mq_ctx, *mq_hctx;
	u32 cmd_flags, rq_flags;
	int tag, internal_tag;
	u32 __data_len;
	u64 __sector;
	struct bio *bio, *biotail;
	struct list queuelist;
	void *part;
	u64 start_time_ns, io_start_time_ns;
	u32 stats_sectors;
	u16 nr_phys_segments, ioprio;
	u32 state;
	struct {
		struct {
			int counter;
		} refs;
	} ref;
	struct {
		u32 seq;
		struct list list;
		void *saved_end_io;
	} flush;
};
#endif
struct blk_mq_tags {
	u32 nr_tags, nr_reserved_tags, active_queues;
	unsigned long bitmaps[2 + LOCK];
	struct request **rqs, **static_rqs;
};
struct blk_flush_queue {
	struct spinlock mq_flush_lock;
	u32 flush_pending_idx : 1, flush_running_idx : 1;
	unsigned long flush_pending_since;
	struct list flush_queue[2];
	struct request *flush_rq;
};
struct blk_mq_hw_ctx {
	struct spinlock lock;
	struct list dispatch;
	unsigned long state;
	struct request_queue *queue;
	struct blk_flush_queue *fq;
	struct blk_mq_tags *tags, *sched_tags;
};
struct xa_node {
	u8 shift, offset, count, nr_values;
	void *parent, *array;
	struct list private;
	void *slots[64];
};
struct xarray {
	struct spinlock xa_lock;
	u32 xa_flags;
	void *xa_head;
};
struct request_queue {
	void *last_merge, *elevator;
#if ERA >= 9
	struct xarray hctx_table;
#else
	struct blk_mq_hw_ctx **queue_hw_ctx;
#endif
	u32 nr_hw_queues;
};

/* The buses of the guest, one of which has the driver's devices. */
struct kobject {
	const char *name;
	struct list entry;
	void *parent, *kset, *ktype, *sd;
	u32 kref, state;
};
struct kset {
	struct list list;
	struct spinlock list_lock;
	struct kobject kobj;
	void *uevent_ops;
};
struct klist {
	struct spinlock k_lock;
	struct list k_list;
	void *get, *put;
};
struct klist_node {
	void *n_klist;
	struct list n_node;
	u32 n_ref;
};
struct bus_type {
	const char *name;
	void *dev_attrs, *match, *uevent, *probe;
};
#if ERA <= 1
#define subsys_private bus_type_private
#endif
struct subsys_private {
	struct kset subsys;
	void *drivers_kset, *devices_kset;
	struct klist klist_devices, klist_drivers;
	unsigned long notifier[4];
	struct bus_type *bus;
};
struct device_private {
	struct klist klist_children;
	struct klist_node knode_parent, knode_driver, knode_bus;
#if ERA <= 3
	void *driver_data;
#endif
	struct device *device;
};
struct device {
	void *parent;
	struct device_private *p;
	struct kobject kobj;
	void *init_name, *type;
	struct mutex mutex;
	struct bus_type *bus;
	void *driver, *platform_data;
#if ERA > 3
	void *driver_data;
#endif
};
struct xenbus_device {
	const char *devicetype, *nodename, *otherend;
	int otherend_id;
	unsigned long watch[5];
	struct device dev;
	int state;
};

#ifdef TYPES_ONLY /* for the types of a kernel file */
struct blkfront_info *some_info;
struct grant *some_grant;
struct request_queue *some_queue;
struct bio *some_bio;
struct xa_node *some_node;
enum status { REQ_PROCESSING, REQ_WAITING } some_status;
struct kset *some_kset;
struct subsys_private *some_private;
struct xenbus_device *some_xen;
enum req_flag_bits {
#if ERA <= 6
	__REQ_WRITE,
	__REQ_FAILFAST_DEV,
	__REQ_DISCARD = 7,
	__REQ_FUA = 12,
	__REQ_FLUSH
#else
	__REQ_FAILFAST_DEV = 8,
	__REQ_FUA = 17,
	__REQ_PREFLUSH
#endif
} some_bits;
#else
/* What a kernel calls them. */
#define TAG_front_ring	     front_ring
#define TAG_bio		     bio
#define TAG_bio_vec	     bio_vec
#define TAG_bus		     bus_type
#define TAG_device_private   device_private
#define TAG_gendisk	     gendisk
#define TAG_grant	     grant
#define TAG_hctx	     blk_mq_hw_ctx
#define TAG_info	     blkfront_info
#define TAG_klist	     klist
#define TAG_knode	     klist_node
#define TAG_kset	     kset
#define TAG_private	     subsys_private
#define TAG_queue	     request_queue
#define TAG_request_discard  request_discard
#define TAG_request_indirect request_indirect
#define TAG_request_rw	     request_rw
#define TAG_response	     response
#define TAG_rq		     request
#define TAG_ring_info	     blkfront_ring_info
#define TAG_scatterlist	     scatterlist
#define TAG_segment	     segment
#define TAG_shadow	     blk_shadow
#define TAG_sring	     sring
#define TAG_tags	     blk_mq_tags
#define TAG_xa_node	     xa_node
#define TAG_xenbus	     xenbus_device

#define SAY(name, value)  __asm__("\n->" name " %0" : : "i"((unsigned long)(value)))
#define OFF(type, member) SAY(#type "." #member, __builtin_offsetof(struct TAG_##type, member))
#define SIZE(type)	  SAY(#type, sizeof(struct TAG_##type))

void layouts(void);
void layouts(void)
{
	OFF(request_rw, nr_segments);
	OFF(request_rw, handle);
	OFF(request_rw, id);
	OFF(request_rw, sector);
	OFF(request_rw, seg);
	OFF(request_discard, flag);
	OFF(request_discard, nr_sectors);
	OFF(request_indirect, indirect_op);
	OFF(request_indirect, nr_segments);
	OFF(request_indirect, handle);
	OFF(request_indirect, grefs);
	OFF(segment, first_sect);
	OFF(segment, last_sect);
	SIZE(segment);
	OFF(response, op);
	OFF(response, status);
	OFF(sring, req_event);
	OFF(sring, rsp_prod);
	OFF(sring, rsp_event);
	OFF(sring, ring);
	SAY("entry", sizeof(union entry));
	SAY("request", sizeof(union ring_request));
	OFF(front_ring, rsp_cons);
	OFF(front_ring, nr_ents);
	OFF(front_ring, sring);
	OFF(scatterlist, page_link);
	OFF(scatterlist, offset);
	OFF(scatterlist, length);
	SIZE(scatterlist);
	SIZE(grant);
	OFF(grant, gref);
#if ERA < 5
	OFF(grant, pfn);
#else
	OFF(grant, page);
#endif
	SIZE(shadow);
	OFF(shadow, request);
#if ERA <= 2
	OFF(shadow, frame);
#endif
#if ERA >= 2
	OFF(shadow, grants_used);
#endif
#if ERA >= 3
	OFF(shadow, sg);
#endif
#if ERA >= 4
	OFF(shadow, indirect_grants);
#endif
#if ERA >= 5
	OFF(shadow, num_sg);
#endif
#if ERA >= 7
	OFF(shadow, status);
	OFF(shadow, associated_id);
	OFF(info, rinfo);
	OFF(info, nr_rings);
	OFF(info, info_list);
	OFF(info, rq);
	OFF(info, nr_ring_pages);
#if ERA != 7
	OFF(info, rinfo_size);
#endif
	SIZE(ring_info);
	OFF(ring_info, ring);
	OFF(ring_info, ring_ref);
	OFF(ring_info, shadow);
	OFF(ring_info, shadow_free);
	OFF(ring_info, dev_info);
#else
	OFF(info, ring);
	OFF(info, ring_ref);
	OFF(info, shadow);
	OFF(info, shadow_free);
#endif
#if ERA >= 5
	OFF(info, nr_ring_pages);
#endif
	SIZE(info);
	OFF(info, xbdev);
	OFF(info, gd);
	OFF(info, vdevice);
	OFF(info, handle);
	OFF(info, connected);
	OFF(gendisk, disk_name);
	OFF(gendisk, private_data);
	SIZE(gendisk);
	OFF(bio_vec, bv_page);
	OFF(bio_vec, bv_len);
	OFF(bio_vec, bv_offset);
	SIZE(bio_vec);
	OFF(bio, bi_next);
#if ERA <= 3
	OFF(bio, bi_size);
	OFF(bio, bi_idx);
#else
	OFF(bio, bi_iter.bi_size);
	OFF(bio, bi_iter.bi_idx);
	OFF(bio, bi_iter.bi_bvec_done);
#endif
	OFF(bio, bi_io_vec);
	SIZE(bio);
	OFF(rq, cmd_flags);
	OFF(rq, __data_len);
	OFF(rq, __sector);
	OFF(rq, bio);
#if ERA > 6
	OFF(rq, ref);
#endif
	SIZE(rq);
	OFF(tags, nr_tags);
	OFF(tags, static_rqs);
	SIZE(tags);
	OFF(hctx, tags);
	OFF(hctx, sched_tags);
	SIZE(hctx);
	OFF(kset, list);
	SIZE(kset);
	OFF(bus, name);
	SIZE(bus);
	OFF(private, subsys.kobj.entry);
	OFF(private, klist_devices);
	OFF(private, bus);
	SIZE(private);
	OFF(klist, k_list);
	OFF(knode, n_klist);
	OFF(knode, n_node);
	OFF(device_private, knode_bus);
	OFF(device_private, device);
	SIZE(device_private);
#if ERA <= 3
	OFF(device_private, driver_data);
#else
	OFF(xenbus, dev.driver_data);
#endif
	OFF(xenbus, nodename);
	OFF(xenbus, dev);
	SIZE(xenbus);
	OFF(xa_node, slots);
	SIZE(xa_node);
	OFF(queue, nr_hw_queues);
#if ERA >= 9
	OFF(queue, hctx_table.xa_head);
#else
	OFF(queue, queue_hw_ctx);
#endif
	SIZE(queue);
}
#endif
