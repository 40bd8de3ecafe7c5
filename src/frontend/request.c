/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/request.h"

#include <stdarg.h>
#include <string.h>

#include "base/num.h"

enum io_op io_op_of_blkif(uint32_t data_op)
{
	switch (data_op) {
	case BLKIF_OP_READ:
		return IO_READ;
	case BLKIF_OP_WRITE:
		return IO_WRITE;
	case BLKIF_OP_WRITE_BARRIER:
		return IO_BARRIER;
	case BLKIF_OP_FLUSH:
		return IO_FLUSH;
	case BLKIF_OP_DISCARD:
		return IO_DISCARD;
	default:
		return IO_UNKNOWN;
	}
}

const char *io_op_name(enum io_op op)
{
	static const char *const names[] = {
		[IO_READ] = "read",
		[IO_WRITE] = "write",
		[IO_BARRIER] = "barrier",
		[IO_FLUSH] = "flush",
		[IO_DISCARD] = "discard",
		[IO_PROBE] = "probe",
		[IO_UNKNOWN] = "unknown",
	};

	return names[op];
}

const char *io_state_name(enum io_state state)
{
	static const char *const names[] = {
		[IO_PENDING] = "pending",
		[IO_RESPONDED] = "responded",
		[IO_QUEUED] = "queued",
	};

	return names[state];
}

const char *io_sector_from_name(enum io_sector_from from)
{
	static const char *const names[] = {
		[IO_SECTOR_UNKNOWN] = NULL,
		[IO_SECTOR_SHADOW] = "shadow",
		[IO_SECTOR_RING] = "ring",
		[IO_SECTOR_REQUEST] = "request",
	};

	return names[from];
}

const char *io_flag_name(unsigned bit)
{
	switch (bit) {
	case IO_FLAG_INDIRECT:
		return "indirect";
	case IO_FLAG_SECURE:
		return "secure";
	case IO_FLAG_FUA:
		return "fua";
	case IO_FLAG_PREFLUSH:
		return "preflush";
	default:
		return NULL;
	}
}

const char *blk_located_name(enum blk_located by)
{
	static const char *const names[] = {
		[BLK_BY_ELF_SYMBOLS] = "elf-symbols",
		[BLK_BY_KALLSYMS_BTF] = "kallsyms+btf",
		[BLK_BY_DWARF] = "dwarf",
		[BLK_BY_SCAN] = "scan",
		[BLK_BY_KSYMS] = "ksyms",
		[BLK_BY_RING] = "ring",
	};

	return names[by];
}

const char *blk_confirmed_name(unsigned bit)
{
	switch (bit) {
	case BLK_CONFIRMED_BUS:
		return "bus";
	case BLK_CONFIRMED_CONFIG:
		return "configuration";
	case BLK_CONFIRMED_STRUCTURE:
		return "structure";
	case BLK_CONFIRMED_RING:
		return "ring";
	case BLK_CONFIRMED_SCAN:
		return "scan";
	case BLK_CONFIRMED_STORE:
		return "xenstore";
	case BLK_CONFIRMED_GRANTS:
		return "grant-table";
	default:
		return NULL;
	}
}

void io_request_fini(struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_meaning; i++)
		meaning_fini(&r->meaning[i]);
	free(r->meaning);
	for (i = 0; i < r->nr_who; i++)
		who_fini(&r->who[i]);
	free(r->who);
	free(r->seg);
	free(r->trouble);
	memset(r, 0, sizeof(*r));
}

static void io_ring_fini(struct io_ring *r)
{
	free(r->pages);
	free(r->page_source_mfn);
	free(r->page_target_mfn);
	free(r->grefs);
	free(r->slots);
	free(r->window);
	memset(r, 0, sizeof(*r));
}

void blkdev_fini(struct blkdev *d)
{
	size_t i;

	for (i = 0; i < d->nr_rings; i++)
		io_ring_fini(&d->rings[i]);
	for (i = 0; i < d->nr_requests; i++)
		io_request_fini(&d->requests[i]);
	for (i = 0; i < d->nr_queued; i++)
		io_request_fini(&d->queued[i]);
	free(d->rings);
	free(d->requests);
	free(d->queued);
	free(d->fs);
	witness_list_fini(&d->witnesses);
	memset(d, 0, sizeof(*d));
}

void snapshot_fini(struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		blkdev_fini(&s->devices[i]);
	free(s->devices);
	guest_facts_fini(&s->guest);
	free(s->looked_for);
	free(s->how);
	free(s->doubt);
	finding_fini(&s->findings);
	memset(s, 0, sizeof(*s));
}

struct blkdev *snapshot_add_device(struct snapshot *s)
{
	struct blkdev *d = util_append_zeroed(&s->devices, &s->nr_devices, sizeof(*d));

	if (!d)
		return NULL;
	d->handle = d->nr_sectors = d->max_indirect_segments = BLK_UNKNOWN_U64;
	d->discard_granularity = BLK_UNKNOWN_U64;
	d->backend_domid = -1;
	d->status_waiting = UINT32_MAX;
	d->feature_flush = d->feature_fua = d->feature_discard = TRI_UNKNOWN;
	d->feature_secure_discard = d->feature_persistent = TRI_UNKNOWN;
	d->bounce = d->read_only = d->recovering = TRI_UNKNOWN;
	snprintf(d->state, sizeof(d->state), "unknown");
	return d;
}

struct io_ring *blkdev_add_ring(struct blkdev *d)
{
	struct io_ring *r = util_append_zeroed(&d->rings, &d->nr_rings, sizeof(*r));

	if (r)
		r->index = (unsigned)d->nr_rings - 1;
	return r;
}

void snapshot_list_devices(const struct snapshot *s, char *buf, size_t cap)
{
	size_t i, n = 0;

	buf[0] = 0;
	for (i = 0; i < s->nr_devices && n < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "%s%s", i ? ", " : "", s->devices[i].name);
}

bool blkdev_is_named(const struct blkdev *d, const char *vdev)
{
	uint64_t number;

	if (!strcmp(vdev, d->name))
		return true;
	return d->handle != BLK_UNKNOWN_U64 && num_parse_u64(vdev, UINT64_MAX, &number) &&
	       number == d->handle;
}

const struct io_request *blkdev_request(const struct blkdev *d, size_t i)
{
	if (i < d->nr_requests)
		return &d->requests[i];
	return i - d->nr_requests < d->nr_queued ? &d->queued[i - d->nr_requests] : NULL;
}

uint64_t blkdev_end(const struct blkdev *d)
{
	uint64_t all = d->nr_sectors == BLK_UNKNOWN_U64 ? 0 : d->nr_sectors, start, end;
	const struct io_request *r;
	size_t i;

	for (i = 0; (r = blkdev_request(d, i)); i++)
		if (io_request_range(r, &start, &end))
			all = MAX(all, end);
	return MAX(all, (uint64_t)1);
}

const struct io_request *blkdev_find_request(const struct blkdev *d, unsigned ring, unsigned slot)
{
	size_t low = 0, high = d->nr_requests;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct io_request *r = &d->requests[mid];

		if (r->ring < ring || (r->ring == ring && r->slot < slot))
			low = mid + 1;
		else
			high = mid;
	}
	return low < d->nr_requests && d->requests[low].ring == ring &&
			       d->requests[low].slot == slot
		       ? &d->requests[low]
		       : NULL;
}

bool blkdev_is_unsettled(const struct blkdev *d, int ring, int slot)
{
	const struct io_request *r =
		ring >= 0 && slot >= 0 ? blkdev_find_request(d, (unsigned)ring, (unsigned)slot)
				       : NULL;
	size_t i;

	if (r)
		return r->unsettled;
	for (i = 0; i < d->nr_rings; i++)
		if (d->rings[i].moved && (ring < 0 || (int)d->rings[i].index == ring))
			return true;
	return false;
}

const struct blkdev *snapshot_find_device(const struct snapshot *s, const char *vdev)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (blkdev_is_named(&s->devices[i], vdev))
			return &s->devices[i];
	return NULL;
}

const struct blkdev *snapshot_need_device(
	const struct snapshot *s, const char *vdev, struct err *err)
{
	const struct blkdev *d = snapshot_find_device(s, vdev);
	char names[200];
	const char *rest;

	if (d)
		return d;
	snapshot_list_devices(s, names, sizeof(names));
	rest = strchr(names, ',');
	err_set(err, ERR_USAGE, "the checkpoint has no device %s; its first is %.*s%s%s", vdev,
		*names ? (int)strcspn(names, ",") : 4, *names ? names : "none",
		rest ? ", then" : "", rest ? rest + 1 : "");
	return NULL;
}

struct io_request *io_request_append(struct io_request **array, size_t *nr)
{
	struct io_request *r = util_append_zeroed(array, nr, sizeof(*r));

	if (!r)
		return NULL;
	r->op = IO_UNKNOWN;
	r->status = UINT32_MAX;
	r->associated_id = UINT64_MAX;
	return r;
}

bool io_request_is_flush(const struct io_request *r)
{
	return r->op == IO_FLUSH || r->op == IO_BARRIER;
}

bool io_request_writes_data(const struct io_request *r)
{
	return r->op == IO_WRITE || (io_request_is_flush(r) && r->nr_sectors);
}

bool io_request_moves_data(const struct io_request *r)
{
	return r->op == IO_READ || io_request_writes_data(r);
}

bool io_request_changes_disk(const struct io_request *r)
{
	return r->op == IO_DISCARD || io_request_writes_data(r);
}

bool io_request_has_place(const struct io_request *r)
{
	return r->op == IO_DISCARD || io_request_moves_data(r);
}

bool io_request_range(const struct io_request *r, uint64_t *ret_start, uint64_t *ret_end)
{
	if (!io_request_has_place(r) || r->sector_from == IO_SECTOR_UNKNOWN || !r->nr_sectors)
		return false;
	*ret_start = r->sector;
	return !__builtin_add_overflow(r->sector, r->nr_sectors, ret_end);
}

int io_request_by_slot(const struct io_request *a, const struct io_request *b)
{
	if (a->ring != b->ring)
		return a->ring < b->ring ? -1 : 1;
	return a->slot < b->slot ? -1 : a->slot > b->slot;
}

struct io_segment *io_segment_append(struct io_request *r)
{
	struct io_segment *s = util_append_zeroed(&r->seg, &r->nr_seg, sizeof(*s));

	if (!s)
		return NULL;
	s->frame = IO_FRAME_UNKNOWN;
	s->gref = -1;
	s->grant_pfn = PFN(UINT64_MAX);
	s->source_mfn = s->target_mfn = MFN_NONE;
	return s;
}

void snapshot_doubt(struct snapshot *s, const char *fmt, ...)
{
	va_list ap;

	if (s->doubt)
		return;
	va_start(ap, fmt);
	if (vasprintf(&s->doubt, fmt, ap) < 0)
		s->doubt = NULL;
	va_end(ap);
}

void snapshot_how_all(struct snapshot *s, const char *lines)
{
	size_t len = lines ? strlen(lines) : 0;

	if (len)
		snapshot_how(s, "%.*s", (int)len - 1, lines);
}

void snapshot_how(struct snapshot *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	util_vnote(&s->how, fmt, ap);
	va_end(ap);
}

bool io_request_size_known(const struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_seg; i++)
		if (r->seg[i].sects_known && r->seg[i].first_sect > r->seg[i].last_sect)
			return false;
	return r->op != IO_UNKNOWN && r->nr_seg >= r->segs_wanted;
}

size_t snapshot_pending(const struct snapshot *s, bool *ret_all)
{
	size_t i, nr = 0;

	*ret_all = s->nr_devices > 0;
	for (i = 0; i < s->nr_devices; i++) {
		nr += s->devices[i].nr_requests;
		*ret_all = *ret_all && s->devices[i].requests_known;
	}
	return nr;
}
