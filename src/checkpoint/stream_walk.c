/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stream_walk.c - the headers are those of ckpt_xl.c, ckpt_libvirt.c, ckpt_xapi.c, ckpt_libxl.c and
 * ckpt_libxc.c, which say more of them. All streams can be told apart by their first eight bytes.
 */
#include "checkpoint/stream_walk.h"

#include <string.h>

#include "checkpoint/libxc.h"

#define FIRST_BYTES 8u

static const struct {
	const char first[FIRST_BYTES + 1];
	enum stream_place place;
} streams[] = {
	{"Xen save", STREAM_IN_XL},
	{"libvirt-", STREAM_IN_LIBVIRT},
	{"XenSaved", STREAM_IN_XAPI},
	{"LibxlFmt", STREAM_IN_LIBXL},
	{"\xff\xff\xff\xff\xff\xff\xff\xff", STREAM_IN_LIBXC},
};

/* Bytes of the header that is expected in each place. */
static const uint8_t heads[] = {
	[STREAM_AT_START] = FIRST_BYTES,
	[STREAM_IN_XL] = 48 - FIRST_BYTES,
	[STREAM_IN_LIBVIRT] = 64 - FIRST_BYTES,
	[STREAM_IN_XAPI] = 15 - FIRST_BYTES,
	[STREAM_IN_LIBXL] = 16 - FIRST_BYTES,
	[STREAM_IN_LIBXC] = 40 - FIRST_BYTES,
	[STREAM_AT_LIBXC] = 40,
	[STREAM_AT_XAPI_RECORD] = 16,
	[STREAM_AT_LIBXL_RECORD] = 8,
	[STREAM_AT_LIBXC_RECORD] = 8,
	[STREAM_AT_END] = 0,
};

size_t stream_walk_head(const struct stream_walk *w)
{
	return heads[w->place];
}

static struct stream_step step_to(
	struct stream_walk *w, enum stream_place place, enum stream_part part, uint64_t body)
{
	w->place = place;
	return (struct stream_step){.part = part, .body = body};
}

static struct stream_step give_up(struct stream_walk *w)
{
	return step_to(w, STREAM_AT_END, STREAM_UNKNOWN, 0);
}

static struct stream_step take_start(struct stream_walk *w, const uint8_t *head)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(streams) && w->depth < CKPT_MAX_LAYERS; i++)
		if (!memcmp(head, streams[i].first, FIRST_BYTES)) {
			w->depth++;
			return step_to(w, streams[i].place, STREAM_OTHER, 0);
		}
	return give_up(w);
}

static struct stream_step take_xl(struct stream_walk *w, const uint8_t *head)
{
	static const char magic[] = "d domain, xl format\n \0 \r";
	uint32_t order = num_le32(head + 24), bytes = num_le32(head + 36);

	if (memcmp(head, magic, 24) || (order != 0x01020304 && order != 0x04030201))
		return give_up(w);
	w->known = true;
	if (order != 0x01020304)
		bytes = __builtin_bswap32(bytes);
	return step_to(w, STREAM_AT_START, STREAM_OTHER, bytes);
}

static struct stream_step take_libvirt(struct stream_walk *w, const uint8_t *head)
{
	if (memcmp(head, "xml\n \0 \r", 8))
		return give_up(w);
	w->known = true;
	return step_to(w, STREAM_AT_START, STREAM_OTHER, num_le32(head + 12));
}

static struct stream_step take_xapi(struct stream_walk *w, const uint8_t *head)
{
	if (w->xapi || memcmp(head, "Domv2-\n", 7))
		return give_up(w);
	w->known = w->xapi = true;
	return step_to(w, STREAM_AT_XAPI_RECORD, STREAM_OTHER, 0);
}

static struct stream_step take_xapi_record(struct stream_walk *w, const uint8_t *head)
{
	uint64_t type = num_le64(head), bytes = num_le64(head + 8);

	switch (type) {
	case 0x00f0: /* the stream of libxc or libxl follows */
	case 0x00f1:
		return step_to(w, STREAM_AT_START, STREAM_OTHER, 0);
	case 0x000f: /* xenops */
	case 0x0f00: /* qemu-trad */
	case 0x0f01: /* qemu-xen */
	case 0x0f11: /* varstored */
	case 0x0f12: /* swtpm */
	case 0x0f13:
		return step_to(w, STREAM_AT_XAPI_RECORD, STREAM_OTHER, bytes);
	case 0xffff:
		return bytes ? give_up(w) : step_to(w, STREAM_AT_END, STREAM_LAST, 0);
	default: /* legacy streams, and what has no length */
		return give_up(w);
	}
}

static struct stream_step take_libxl(struct stream_walk *w, const uint8_t *head)
{
	if (w->libxl || num_be32(head) != 2 || num_be32(head + 4) & 1)
		return give_up(w);
	w->known = w->libxl = true;
	return step_to(w, STREAM_AT_LIBXL_RECORD, STREAM_OTHER, 0);
}

/* head: behind the marker. */
static struct stream_step take_libxc(struct stream_walk *w, const uint8_t *head)
{
	uint32_t version = num_be32(head + 4);

	if (num_be32(head) != 0x58454e46 || version < 2 || version > 3 || head[9] & 1)
		return give_up(w);
	w->known = true;
	return step_to(w, STREAM_AT_LIBXC_RECORD, STREAM_OTHER, 0);
}

static uint64_t pad_length(uint32_t bytes)
{
	return num_align_up(bytes, LIBXC_RECORD_ALIGN);
}

/* The END records of libxc and libxl. */
static struct stream_step end_payload(struct stream_walk *w)
{
	if (w->xapi)
		return step_to(w, STREAM_AT_XAPI_RECORD, STREAM_TAIL, 0);
	return step_to(w, STREAM_AT_END, STREAM_LAST, 0);
}

static struct stream_step take_libxl_record(struct stream_walk *w, const uint8_t *head)
{
	uint32_t type = num_le32(head), bytes = num_le32(head + 4);

	if (bytes > LIBXC_MAX_RECORD_BYTES || (type == LIBXL_END && bytes))
		return give_up(w);
	switch (type) {
	case LIBXL_END:
		w->libxl = false;
		return end_payload(w);
	case LIBXL_LIBXC_CONTEXT:
		return bytes ? give_up(w) : step_to(w, STREAM_AT_LIBXC, STREAM_OTHER, 0);
	case LIBXL_CHECKPOINT_END:
		return step_to(w, STREAM_AT_LIBXC_RECORD, STREAM_EPOCH, pad_length(bytes));
	default:
		return step_to(w, STREAM_AT_LIBXL_RECORD, STREAM_OTHER, pad_length(bytes));
	}
}

static struct stream_step take_libxc_record(struct stream_walk *w, const uint8_t *head)
{
	uint32_t type = num_le32(head), bytes = num_le32(head + 4);

	if (bytes > LIBXC_MAX_RECORD_BYTES || (type == LIBXC_END && bytes))
		return give_up(w);
	switch (type) {
	case LIBXC_END:
		return w->libxl ? step_to(w, STREAM_AT_LIBXL_RECORD, STREAM_TAIL, 0)
				: end_payload(w);
	case LIBXC_PAGE_DATA:
		return step_to(w, STREAM_AT_LIBXC_RECORD, w->verify ? STREAM_RESENT : STREAM_PAGES,
			pad_length(bytes));
	case LIBXC_VERIFY:
		w->verify = true;
		return step_to(w, STREAM_AT_LIBXC_RECORD, STREAM_OTHER, pad_length(bytes));
	case LIBXC_CHECKPOINT:
		w->verify = false;
		return w->libxl
			       ? step_to(w, STREAM_AT_LIBXL_RECORD, STREAM_OTHER, pad_length(bytes))
			       : step_to(w, STREAM_AT_LIBXC_RECORD, STREAM_EPOCH,
					 pad_length(bytes));
	default:
		return step_to(w, STREAM_AT_LIBXC_RECORD, STREAM_OTHER, pad_length(bytes));
	}
}

struct stream_step stream_walk_next(struct stream_walk *w, const uint8_t *head)
{
	switch (w->place) {
	case STREAM_AT_START:
		return take_start(w, head);
	case STREAM_IN_XL:
		return take_xl(w, head);
	case STREAM_IN_LIBVIRT:
		return take_libvirt(w, head);
	case STREAM_IN_XAPI:
		return take_xapi(w, head);
	case STREAM_IN_LIBXL:
		return take_libxl(w, head);
	case STREAM_IN_LIBXC:
		return take_libxc(w, head);
	case STREAM_AT_LIBXC:
		return take_libxc(w, head + FIRST_BYTES);
	case STREAM_AT_XAPI_RECORD:
		return take_xapi_record(w, head);
	case STREAM_AT_LIBXL_RECORD:
		return take_libxl_record(w, head);
	case STREAM_AT_LIBXC_RECORD:
		return take_libxc_record(w, head);
	default:
		return give_up(w);
	}
}
