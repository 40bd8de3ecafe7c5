/* SPDX-License-Identifier: BSD-2-Clause
 *
 * blkfront.h - FreeBSD's block frontend (sys/dev/xen/blkfront): xbd since 10.0, xb before.
 *
 * struct xbd_softc has the front ring among its members, and a pointer to an array of commands.
 * Their order is the same in all versions, while what lies between differs:
 *
 *   softc    device_t dev, disk *, bioq, ..., int vdevice, state, u_int ring_pages, max_requests,
 *            three limits, u32 ring_ref[], front ring, interrupt, callback, lists of commands,
 *            dma tag, users, mutex, command *shadow
 *   command  TAILQ link (two pointers), softc *, u32 flags, dma map *, u64 id (its index),
 *            u32 *grants, bio *, u32, void *data, size_t length, u32 segments, int operation,
 *            u64 sector, int status, complete *, [void *indirect pages, u32 refs[8], since 2015]
 *
 * A command knows its device and its index, so that the array and its stride prove themselves.
 */
#ifndef XB_FRONTEND_FREEBSD_BLKFRONT_H
#define XB_FRONTEND_FREEBSD_BLKFRONT_H

#include "frontend/driver_ring.h"
#include "frontend/frontend.h"

/* Where a command has its members: the same in all versions for one width of a pointer. */
struct fb_command_layout {
	uint8_t sc, flags, id, refs, bio, data, length, nseg, op, sector, indirect;
};
#define FB_MAX_COMMAND_BYTES 256u

enum fb_queue { /* where a command is; xbd_q_index_t, and the bits XB_ON_XBQ_* before 10.0 */
	FB_FREE,
	FB_READY,
	FB_BUSY,
	FB_COMPLETE,
	FB_NONE,
};

struct fb_device {
	gva_t softc;
	struct front_ring ring;
	gva_t shadow;
	uint32_t nr, stride; /* commands, and bytes of each */
	bool bits;	     /* flags as before 10.0 */
	const struct fb_command_layout *at;
	/* Of the members before the ring, where they were told: */
	bool head_known;
	uint32_t vdevice, state, ring_pages;
	uint32_t refs_before; /* bytes from ring_ref[] to the ring */
};

/* What array_driver.h asks for, of devices that are struct fb_device. */
bool fb_match(struct guest *g, const struct front_ring *r, void *ret);
int fb_by_symbols(struct guest *g, const struct symbols *symbols, void *v, size_t max, size_t *nr,
	struct err *err) MUST_CHECK;
int fb_decode(struct guest *g, const void *device, const struct ckpt_info *config,
	struct snapshot *s, struct err *err) MUST_CHECK;

enum fb_queue fb_queue_of(const struct fb_device *f, const uint8_t *raw);

/* bio.c: the pages of a command's data, by its bio or by its own pointer; of `bytes`, 0: of all. */
int fb_find_data(struct guest *g, const struct fb_device *f, const uint8_t *raw, uint64_t bytes,
	struct io_request *r, struct err *err) MUST_CHECK;

/* bio.c: the bios that wait for a command, in the softc's list. */
struct fb_bioq {
	uint64_t next, link; /* the next bio, and what points to it */
	uint32_t link_off;   /* of struct bio.bio_queue */
	unsigned left;	     /* so many more are followed */
};
/* False: what is there is no such list. */
bool fb_bioq_open(struct guest *g, const struct fb_device *f, struct fb_bioq *ret);
/* 1: *ret is the next one, 0: there is none, -1: the list is broken. */
int fb_bioq_next(struct guest *g, const struct fb_device *f, struct fb_bioq *q, uint64_t *ret);
/* Operation, sector and data of a bio, of at most *left pages. */
int fb_fill_bio(struct guest *g, const struct fb_device *f, uint64_t bio, uint64_t *left,
	struct io_request *r, struct err *err) MUST_CHECK;

extern const struct frontend_resume fb_resume;

#endif
