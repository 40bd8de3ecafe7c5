/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bio.c - where the data of a command lies.
 *
 * Until 9.x the driver maps cm_data; since 10.0 it maps the bio itself (bus_dmamap_load_bio), which
 * has an address, or for a file system's buffers that are not mapped an array of pages. The members
 * of struct bio (sys/sys/bio.h) that are needed follow each other in all versions:
 *
 *   struct disk *, s64 offset, long bcount, char *data, vm_page **ma, int ma_offset, int ma_n
 *
 * so that the pointer to the disk, which the softc has too, is where they begin. BIO_UNMAPPED
 * (0x10) of bio_flags says which it is. struct vm_page has {two lists, object, u64 index, paddr}.
 */
#include "frontend/freebsd/blkfront.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

#define BIO_HEAD     48u /* bytes in which bio_disk stands */
#define BIO_BYTES    128u
#define MAX_MA	     4096u
#define UNMAPPED     0x10u
#define PADDR_WIDE   48u
#define PADDR_NARROW 28u

struct bio_data {
	uint64_t offset, bytes, data, ma;
	uint8_t cmd;
	uint32_t ma_offset, ma_n;
	bool unmapped;
};

/* `disk`: what the softc has. */
static bool read_bio(struct guest *g, uint64_t bio, uint64_t disk, struct bio_data *ret)
{
	unsigned word = guest_word_bytes(g), at;
	uint8_t raw[BIO_BYTES];

	if (!disk || guest_read(g, GVA(bio), raw, sizeof(raw), NULL))
		return false;
	for (at = word; at < BIO_HEAD; at += word) {
		const uint8_t *p = raw + at;

		if ((word == 8 ? num_le64(p) : num_le32(p)) != disk)
			continue;
		ret->cmd = raw[0];
		ret->offset = num_le64(p + word);
		p += word + 8;
		ret->bytes = word == 8 ? num_le64(p) : num_le32(p);
		ret->data = word == 8 ? num_le64(p + 8) : num_le32(p + 4);
		ret->ma = word == 8 ? num_le64(p + 16) : num_le32(p + 8);
		ret->ma_offset = num_le32(p + 3 * word);
		ret->ma_n = num_le32(p + 3 * word + 4);
		/* bio_cmd and bio_flags had 8 bits each until 11. */
		ret->unmapped = ret->ma && (num_le16(raw + 2) & UNMAPPED || raw[1] & UNMAPPED);
		return true;
	}
	return false;
}

static bool page_frame(struct guest *g, uint64_t page, pfn_t *ret)
{
	bool wide = guest_word_bytes(g) == 8;
	uint64_t pa;

	if (guest_read_u64(g, GVA(page + (wide ? PADDR_WIDE : PADDR_NARROW)), &pa, NULL))
		return false;
	if (!wide && pa >> 40) /* without PAE the next member follows 32 bits */
		pa = (uint32_t)pa;
	*ret = PFN(pa >> PAGE_SHIFT);
	return !(pa & PAGE_OFFSET_MASK) && ret->v < guest_info(g)->nr_pfns;
}

/* An array of pages, of which the first begins at an offset. */
static int add_unmapped(struct guest *g, const struct bio_data *b, uint64_t bytes,
	struct io_request *r, struct err *err)
{
	unsigned word = guest_word_bytes(g), i;
	uint64_t left = bytes, page;

	for (i = 0; left && i < b->ma_n && i < MAX_MA; i++) {
		struct io_segment *s = io_segment_append(r);

		if (!s)
			return err_nomem(err, "the segments of a request");
		s->offset = i ? 0 : b->ma_offset & PAGE_OFFSET_MASK;
		s->bytes = (uint32_t)MIN(left, (uint64_t)PAGE_BYTES - s->offset);
		left -= s->bytes;
		if (!guest_read_word(g, GVA(b->ma + (uint64_t)i * word), &page, NULL) &&
			page_frame(g, page, &s->pfn))
			s->frame = IO_FRAME_OK;
	}
	return 0;
}

static uint64_t word_of(const struct guest *g, const uint8_t *p)
{
	return guest_word_bytes(g) == 8 ? num_le64(p) : num_le32(p);
}

/* Where all of a command's data lies, and how much it is. */
static bool read_data(
	struct guest *g, const struct fb_device *f, const uint8_t *raw, struct bio_data *ret)
{
	uint64_t bio = word_of(g, raw + f->at->bio), disk;

	*ret = (struct bio_data){0};
	if (bio && !guest_read_word(g, gva_add(f->softc, guest_word_bytes(g)), &disk, NULL) &&
		read_bio(g, bio, disk, ret))
		return true;
	ret->data = word_of(g, raw + f->at->data);
	ret->bytes = word_of(g, raw + f->at->length);
	return ret->data && ret->bytes;
}

int fb_find_data(struct guest *g, const struct fb_device *f, const uint8_t *raw, uint64_t bytes,
	struct io_request *r, struct err *err)
{
	struct bio_data b;

	if (!read_data(g, f, raw, &b) || b.bytes < bytes || b.bytes > MAX_MA * PAGE_BYTES) {
		util_note(&r->trouble, "neither its bio nor its own pointer leads to its data");
		return 0;
	}
	if (!bytes)
		bytes = b.bytes;
	return b.unmapped ? add_unmapped(g, &b, bytes, r, err)
			  : driver_ring_segments(g, GVA(b.data), bytes, r, err);
}

/* ---- those that wait for a command --------------------------------------------------------- */

/*
 * struct bio_queue_head begins with a TAILQ_HEAD, behind dev and disk of the softc. Where a bio has
 * its TAILQ_ENTRY {next, link to what points to it} differs; but only there the first bio of the
 * list has the address of the list's head.
 */
#define BIO_LINK_BYTES 320u
#define MAX_BIOS       4096u

static uint64_t head_of(const struct guest *g, const struct fb_device *f)
{
	return f->softc.v + 2ull * guest_word_bytes(g);
}

bool fb_bioq_open(struct guest *g, const struct fb_device *f, struct fb_bioq *ret)
{
	unsigned word = guest_word_bytes(g), at;
	uint8_t raw[BIO_LINK_BYTES];

	*ret = (struct fb_bioq){.link = head_of(g, f), .left = MAX_BIOS};
	if (guest_read_word(g, GVA(ret->link), &ret->next, NULL))
		return false;
	if (!ret->next)
		return true;
	if (guest_read(g, GVA(ret->next), raw, sizeof(raw), NULL))
		return false;
	for (at = word; at < sizeof(raw); at += word)
		if (word_of(g, raw + at) == ret->link) {
			ret->link_off = at - word;
			return true;
		}
	return false;
}

int fb_bioq_next(struct guest *g, const struct fb_device *f, struct fb_bioq *q, uint64_t *ret)
{
	unsigned word = guest_word_bytes(g);
	uint64_t back;

	*ret = q->next;
	if (!q->next) /* tqh_last points to the last one's link */
		return q->link == head_of(g, f) || (!guest_read_word(g, GVA(head_of(g, f) + word),
							    &back, NULL) &&
							   back == q->link)
			       ? 0
			       : -1;
	if (!q->left-- || guest_read_word(g, GVA(q->next + q->link_off + word), &back, NULL) ||
		back != q->link)
		return -1;
	q->link = q->next + q->link_off;
	return guest_read_word(g, GVA(q->link), &q->next, NULL) ? -1 : 1;
}

/* BIO_DELETE and BIO_FLUSH are 3 and 5 since 11.0, bits before. */
static enum io_op op_of(uint8_t cmd)
{
	switch (cmd) {
	case 1:
		return IO_READ;
	case 2:
		return IO_WRITE;
	case 3:
	case 4:
		return IO_DISCARD;
	case 5:
	case 0x10:
		return IO_FLUSH;
	default:
		return IO_UNKNOWN;
	}
}

int fb_fill_bio(struct guest *g, const struct fb_device *f, uint64_t bio, uint64_t *left,
	struct io_request *r, struct err *err)
{
	struct bio_data b = {0};
	uint64_t disk;

	r->request_va = GVA(bio);
	if (guest_read_word(g, gva_add(f->softc, guest_word_bytes(g)), &disk, NULL) ||
		!read_bio(g, bio, disk, &b)) {
		util_note(&r->trouble, "the bio at 0x%" PRIx64 " cannot be read", bio);
		return 0;
	}
	r->op = op_of(b.cmd);
	if (r->op == IO_FLUSH || r->op == IO_UNKNOWN)
		return 0;
	r->sector_from = IO_SECTOR_REQUEST;
	r->sector = b.offset / SECTOR_BYTES;
	if (r->op == IO_DISCARD) {
		r->nr_sectors = b.bytes / SECTOR_BYTES;
		return 0;
	}
	if (b.bytes / PAGE_BYTES >= *left) {
		util_note(&r->trouble, "more pages of data wait than are looked at");
		return 0;
	}
	*left -= b.bytes / PAGE_BYTES + 1;
	return b.unmapped ? add_unmapped(g, &b, b.bytes, r, err)
			  : driver_ring_segments(g, GVA(b.data), b.bytes, r, err);
}
