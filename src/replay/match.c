/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay/match.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* Is every byte of it there, and does it fit? */
static int check_request(
	struct memory m, const struct io_request *r, uint64_t disk_bytes, struct err *err)
{
	uint64_t start, sum = 0;
	size_t i;

	if (r->sector_from == IO_SECTOR_UNKNOWN)
		return err_set(err, ERR_NOTFOUND, "its sector is not known");
	if (r->nr_seg < r->segs_wanted)
		return err_set(err, ERR_NODATA,
			"only %zu of its %" PRIu64 " segments could be decoded", r->nr_seg,
			r->segs_wanted);
	for (i = 0; i < r->nr_seg; i++) {
		const struct io_segment *seg = &r->seg[i];
		struct memory_page page = {.state = MEMORY_ABSENT};

		if (seg->frame != IO_FRAME_UNKNOWN)
			page = memory_page(m, seg->pfn);
		if (!page.data)
			return err_set(err, ERR_NODATA, "the page of segment %zu %s", i,
				memory_lack(&page));
		if (memory_is_removed(page.data))
			return err_set(err, ERR_NODATA,
				"the page of segment %zu was left out of this redacted checkpoint",
				i);
		if (!num_range_ok(seg->offset, seg->bytes, PAGE_BYTES) ||
			!num_add(sum, seg->bytes, &sum))
			return err_set(err, ERR_NODATA, "segment %zu leaves its page", i);
	}
	/* The driver sends whole sectors, and as many as it says. */
	if (sum % SECTOR_BYTES || sum / SECTOR_BYTES != r->nr_sectors)
		return err_set(err, ERR_NODATA,
			"its segments hold %" PRIu64 " bytes, not its %" PRIu64 " sectors", sum,
			r->nr_sectors);
	if (!num_mul(r->sector, SECTOR_BYTES, &start) || !num_range_ok(start, sum, disk_bytes))
		return err_set(err, ERR_NOTFOUND,
			"sector %" PRIu64 " and %" PRIu64 " bytes reach beyond the disk's %" PRIu64
			" bytes",
			r->sector, sum, disk_bytes);
	return 0;
}

int replay_walk(struct memory m, const struct io_request *r, uint64_t disk_bytes,
	int (*fn)(void *arg, uint64_t off, const uint8_t *data, uint32_t len, struct err *err),
	void *arg, struct err *err)
{
	uint64_t off;
	size_t i;

	if (r->unsettled)
		return err_set(err, ERR_NODATA, "the guest went on with it while it was looked at");
	if (check_request(m, r, disk_bytes, err))
		return -1;
	off = r->sector * SECTOR_BYTES;
	for (i = 0; i < r->nr_seg; i++) {
		const struct io_segment *seg = &r->seg[i];
		const uint8_t *page = memory_page(m, seg->pfn).data;

		if (!page) /* a page of a live domain can go between two looks */
			return err_set(err, ERR_NODATA, "the page of segment %zu is gone", i);
		if (fn(arg, off, page + seg->offset, seg->bytes, err))
			return -1;
		off += seg->bytes;
	}
	return 0;
}

const char *replay_match_name(enum replay_match_state state)
{
	static const char *const names[] = {
		[REPLAY_UNDECIDED] = "unknown",
		[REPLAY_NO_DATA] = "no-data",
		[REPLAY_LANDED] = "landed",
		[REPLAY_MISSING] = "not-landed",
		[REPLAY_TORN] = "torn",
		[REPLAY_SAME] = "filled",
		[REPLAY_DIFFERENT] = "not-filled",
	};

	return names[state];
}

struct compare {
	const struct disk *d;
	struct replay_match *m;
	uint64_t nr_same;
};

static int add_difference(struct replay_match *m, uint64_t off, uint64_t end, struct err *err)
{
	if (m->nr && m->differs[m->nr - 1].end == off) {
		m->differs[m->nr - 1].end = end;
		return 0;
	}
	if (util_grow(&m->differs, &m->cap, m->nr + 1, sizeof(*m->differs)))
		return err_nomem(err, "comparing with the disk");
	m->differs[m->nr++] = (struct replay_range){off, end};
	return 0;
}

static int compare_run(void *arg, uint64_t off, const uint8_t *data, uint32_t len, struct err *err)
{
	struct compare *c = arg;
	uint8_t disk[PAGE_BYTES];
	uint32_t at, n;

	if (disk_read(c->d, off, disk, len, err))
		return -1;
	for (at = 0; at < len; at += n) {
		n = MIN(len - at, SECTOR_BYTES);
		if (!memcmp(disk + at, data + at, n))
			c->nr_same++;
		else if (add_difference(c->m, off + at, off + at + n, err))
			return -1;
	}
	return 0;
}

static enum replay_match_state decide_state(const struct io_request *r, const struct compare *c)
{
	if (r->op == IO_READ)
		return c->m->nr ? REPLAY_DIFFERENT : REPLAY_SAME;
	if (!c->m->nr)
		return REPLAY_LANDED;
	return c->nr_same ? REPLAY_TORN : REPLAY_MISSING;
}

int replay_compare(struct memory m, const struct io_request *r, const struct disk *d,
	struct replay_match *ret, struct err *err)
{
	struct compare c = {.d = d, .m = ret};

	*ret = (struct replay_match){.state = REPLAY_NO_DATA};
	if (!io_request_moves_data(r))
		return 0;
	if (!replay_walk(m, r, d->bytes, compare_run, &c, err)) {
		ret->state = decide_state(r, &c);
		return 0;
	}
	if (err->cls != ERR_NODATA && err->cls != ERR_NOTFOUND)
		return -1;
	ret->state = REPLAY_UNDECIDED;
	ret->why = *err;
	return 0;
}

void replay_match_fini(struct replay_match *m)
{
	free(m->differs);
	*m = (struct replay_match){0};
}
