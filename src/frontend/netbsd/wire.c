/* SPDX-License-Identifier: BSD-2-Clause
 *
 * wire.c - the block interface of Xen 2.0 as bytes: requests, the log's free list, names.
 */
#include "frontend/netbsd/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

/*
 * blkif_request_t, packed: operation u8, nr_segments u8, device u16, id u32 at 4, sector_number
 * u64 at 8, frame_and_sects[11] u32 at 16: bits 2:0 last sector, 5:3 first, 31:12 page.
 */
struct nb_wire nb_wire_parse(const uint8_t bytes[NB_SLOT_BYTES])
{
	struct nb_wire w = {
		.op = bytes[0],
		.nr_seg = bytes[1],
		.device = num_le16(bytes + 2),
		.id = num_le32(bytes + 4),
		.sector = num_le64(bytes + 8),
	};
	unsigned i;

	for (i = 0; i < NB_MAX_SEGS; i++)
		w.fas[i] = num_le32(bytes + 16 + 4 * i);
	return w;
}

void nb_wire_put(const struct nb_wire *w, uint8_t bytes[NB_SLOT_BYTES])
{
	unsigned i;

	bytes[0] = w->op;
	bytes[1] = w->nr_seg;
	num_put_le16(bytes + 2, w->device);
	num_put_le32(bytes + 4, w->id);
	num_put_le64(bytes + 8, w->sector);
	for (i = 0; i < NB_MAX_SEGS; i++)
		num_put_le32(bytes + 16 + 4 * i, w->fas[i]);
}

/* blkif_response_t, packed: id u32, operation u8, status s16 at 5. */
struct nb_response nb_response_parse(const uint8_t bytes[NB_SLOT_BYTES])
{
	return (struct nb_response){num_le32(bytes), bytes[4], (int16_t)num_le16(bytes + 5)};
}

const uint8_t *nb_ring_slot(const uint8_t ring[NB_RING_BYTES], uint32_t index)
{
	return ring + NB_RING_HDR + (size_t)(index & (NB_SLOTS - 1)) * NB_SLOT_BYTES;
}

struct nb_wire nb_ring_request(const uint8_t ring[NB_RING_BYTES], uint32_t index)
{
	return nb_wire_parse(nb_ring_slot(ring, index));
}

bool nb_wire_ok(const struct nb_wire *w)
{
	unsigned i;

	if (w->op > NB_OP_PROBE || !w->nr_seg || w->nr_seg > NB_MAX_SEGS)
		return false;
	for (i = 0; i < w->nr_seg; i++)
		if (!nb_fas_ok(w->fas[i]))
			return false;
	return true;
}

uint64_t nb_wire_bytes(const struct nb_wire *w)
{
	unsigned i, nr = MIN(w->nr_seg, (uint8_t)NB_MAX_SEGS);
	uint64_t sum = 0;

	for (i = 0; i < nr; i++)
		if (nb_fas_ok(w->fas[i]))
			sum += (nb_fas_last(w->fas[i]) - nb_fas_first(w->fas[i]) + 1) *
			       SECTOR_BYTES;
	return sum;
}

static enum tri same_fas(struct p2m *p2m, uint32_t logged, uint32_t wire)
{
	uint32_t page = logged >> PAGE_SHIFT;
	mfn_t mfn;

	if ((logged ^ wire) & PAGE_OFFSET_MASK)
		return TRI_NO;
	if (page < NB_BIAS_PAGES)
		return TRI_UNKNOWN;
	if (p2m_lookup(p2m, PFN(page - NB_BIAS_PAGES), &mfn) != P2M_VALID)
		return TRI_UNKNOWN;
	return mfn.v == wire >> PAGE_SHIFT ? TRI_YES : TRI_NO;
}

enum tri nb_same_geometry(struct p2m *p2m, const struct nb_wire *logged, const struct nb_wire *wire)
{
	enum tri all = TRI_YES;
	unsigned i;

	if (!logged->nr_seg || logged->nr_seg > NB_MAX_SEGS)
		return TRI_UNKNOWN;
	for (i = 0; i < logged->nr_seg; i++) {
		enum tri one = same_fas(p2m, logged->fas[i], wire->fas[i]);

		if (one == TRI_NO)
			return TRI_NO;
		if (one == TRI_UNKNOWN)
			all = TRI_UNKNOWN;
	}
	return all;
}

struct nb_value nb_free_head(const struct nb_wire log[NB_SLOTS])
{
	struct nb_value head = {.known = true, .v = NB_NIL};
	bool linked[NB_SLOTS] = {false};
	unsigned i, nr = 0;

	for (i = 0; i < NB_SLOTS; i++)
		if (log[i].id < NB_SLOTS)
			linked[log[i].id] = true;
	for (i = 0; i < NB_SLOTS; i++) {
		if (nb_is_used(&log[i]) || linked[i])
			continue;
		head.v = i;
		nr++;
	}
	head.known = nr == 1;
	/* A list without an end has no head; without any free slot the head is NIL. */
	if (!nr) {
		head.known = true;
		for (i = 0; i < NB_SLOTS; i++)
			head.known = head.known && nb_is_used(&log[i]);
	}
	return head;
}

static unsigned chain_length(const struct nb_wire log[NB_SLOTS], uint32_t head)
{
	bool seen[NB_SLOTS] = {false};
	unsigned nr = 0;

	while (head < NB_SLOTS && !seen[head] && !nb_is_used(&log[head])) {
		seen[head] = true;
		head = log[head].id;
		nr++;
	}
	return nr;
}

uint32_t nb_longest_list(const struct nb_wire log[NB_SLOTS])
{
	uint32_t i, best = NB_NIL;
	unsigned most = 0;

	for (i = 0; i < NB_SLOTS; i++) {
		unsigned nr = chain_length(log, i);

		if (nr <= most)
			continue;
		most = nr;
		best = i;
	}
	return best;
}

bool nb_free_list_ok(const struct nb_wire log[NB_SLOTS], uint32_t head)
{
	bool seen[NB_SLOTS] = {false};
	unsigned i;

	while (head < NB_SLOTS && !seen[head] && !nb_is_used(&log[head])) {
		seen[head] = true;
		head = log[head].id;
	}
	if (head != NB_NIL)
		return false;
	for (i = 0; i < NB_SLOTS; i++)
		if (seen[i] == nb_is_used(&log[i]))
			return false;
	return true;
}

/* Majors of Linux, as get_xbda() of the driver maps them: 64 minors a disk for IDE, 16 for SCSI. */
static const uint8_t ide_majors[] = {3, 22, 33, 34, 56, 57, 88, 89, 90, 91};
static const uint8_t scsi_majors[] = {
	8, 65, 66, 67, 68, 69, 70, 71, 128, 129, 130, 131, 132, 133, 134, 135};
#define MAJOR_SCSI_CD 11
#define MAJOR_XVD     202

static int major_index(const uint8_t *majors, size_t nr, unsigned major)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (majors[i] == major)
			return (int)i;
	return -1;
}

/* "sd" and 27 give "sdab". */
static void disk_name(char *buf, size_t cap, const char *prefix, unsigned disk, unsigned part)
{
	char letters[4] = "", number[12] = "";

	if (disk >= 26)
		snprintf(letters, sizeof(letters), "%c%c", (char)('a' + (disk / 26 - 1) % 26),
			(char)('a' + disk % 26));
	else
		snprintf(letters, sizeof(letters), "%c", (char)('a' + disk));
	if (part)
		snprintf(number, sizeof(number), "%u", part);
	snprintf(buf, cap, "%s%s%s", prefix, letters, number);
}

void nb_device_name(uint16_t device, char *buf, size_t cap)
{
	unsigned major = device >> 8, minor = device & 0xff;
	int i;

	if ((i = major_index(ide_majors, sizeof(ide_majors), major)) >= 0)
		disk_name(buf, cap, "hd", (unsigned)i * 2 + (minor >> 6 & 1), minor & 63);
	else if ((i = major_index(scsi_majors, sizeof(scsi_majors), major)) >= 0)
		disk_name(buf, cap, "sd", (unsigned)i * 16 + (minor >> 4), minor & 15);
	else if (major == MAJOR_SCSI_CD)
		snprintf(buf, cap, "scd%u", minor);
	else if (major == MAJOR_XVD)
		disk_name(buf, cap, "xvd", minor >> 4, minor & 15);
	else
		snprintf(buf, cap, "vbd-%u", device);
}

bool nb_device_known(uint16_t device)
{
	unsigned major = device >> 8;

	return major_index(ide_majors, sizeof(ide_majors), major) >= 0 ||
	       major_index(scsi_majors, sizeof(scsi_majors), major) >= 0 ||
	       major == MAJOR_SCSI_CD || major == MAJOR_XVD;
}

unsigned nb_vbds_parse(const uint8_t *bytes, size_t len, struct nb_vbd vbd[NB_MAX_VBDS])
{
	unsigned nr = 0;

	while (nr < NB_MAX_VBDS && len >= NB_VDISK_BYTES) {
		struct nb_vbd v = {num_le64(bytes), num_le16(bytes + 8), num_le16(bytes + 10)};
		unsigned type = v.info & NB_INFO_TYPE, i;

		/* Floppy 0, tape 1, CD 5, optical 7, disk 0x20. A capacity of 2^40 sectors is
		 * 512 TiB: beyond anything that a tool stack of 2005 exported. */
		if (!v.sectors || v.sectors >> 40 || !nb_device_known(v.device) ||
			v.info & ~(NB_INFO_TYPE | NB_INFO_READONLY | NB_INFO_VIRTUAL))
			break;
		if (type > 1 && type != 5 && type != 7 && type != 0x20)
			break;
		for (i = 0; i < nr && vbd[i].device != v.device; i++)
			;
		if (i < nr)
			break;
		vbd[nr++] = v;
		bytes += NB_VDISK_BYTES;
		len -= NB_VDISK_BYTES;
	}
	return nr;
}
