/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/hang.h"

#include <inttypes.h>
#include <string.h>

const char *hang_name(unsigned bit)
{
	static const char *const names[HANG_NR] = {
		"backend", "guest", "unpublished", "moving", "unknown"};
	unsigned i;

	for (i = 0; i < HANG_NR; i++)
		if (bit == 1u << i)
			return names[i];
	return NULL;
}

/* Free-running indices: their distance is at most what the ring holds. */
static bool ring_distance(const struct io_ring *r, uint32_t to, uint32_t from, uint64_t *sum)
{
	uint32_t n = to - from;

	if (!r->entries || n > r->entries)
		return false;
	*sum += n;
	return true;
}

static void judge_ring(const struct io_ring *r, struct hang *h)
{
	/* Its indices may be of two times. */
	unsigned torn = r->moved ? HANG_MOVING : HANG_UNKNOWN;

	if (r->moved)
		h->why |= HANG_MOVING;
	if (!r->sring_known ||
		!ring_distance(r, r->sring_req_prod, r->sring_rsp_prod, &h->unanswered)) {
		h->why |= r->sring_known ? torn : HANG_UNKNOWN;
		return;
	}
	/* The driver's own: without them nobody knows what it has seen, and what it has not shown.
	 */
	if (r->indices != IO_INDICES_READ)
		h->why |= HANG_UNKNOWN;
	else if (!ring_distance(r, r->sring_rsp_prod, r->rsp_cons, &h->unseen) ||
		 !ring_distance(r, r->req_prod_pvt, r->sring_req_prod, &h->unpublished))
		h->why |= torn;
}

static struct hang_age older_age(struct hang_age a, struct hang_age b)
{
	if (!a.known || !b.known)
		return a.known ? a : b;
	return a.ns >= b.ns ? a : b;
}

static struct hang_age find_oldest(const struct io_request *v, size_t nr)
{
	struct hang_age oldest = {false, 0};
	size_t i;

	for (i = 0; i < nr; i++)
		if (v[i].age_known && !v[i].unsettled)
			oldest = older_age(oldest, (struct hang_age){true, v[i].age_ns});
	return oldest;
}

struct hang_age hang_oldest(const struct hang *h)
{
	return older_age(h->in_ring, h->in_queue);
}

void hang_judge(const struct blkdev *d, struct hang *ret)
{
	struct hang h = {.queued = d->queued_known ? d->nr_queued : 0};
	size_t i;

	for (i = 0; i < d->nr_rings; i++)
		judge_ring(&d->rings[i], &h);
	if (!d->nr_rings || !d->requests_known)
		h.why |= HANG_UNKNOWN;
	if (h.unanswered)
		h.why |= HANG_BACKEND;
	if (h.unseen)
		h.why |= HANG_GUEST;
	/* What is queued waits for room as long as anything is on its way. */
	if (h.unpublished || (h.queued && !h.unanswered && !h.unseen))
		h.why |= HANG_UNPUBLISHED;
	h.in_ring = find_oldest(d->requests, d->nr_requests);
	if (d->queued_known)
		h.in_queue = find_oldest(d->queued, d->nr_queued);
	*ret = h;
}

static void join_words(char *buf, size_t cap, const char *between, const char *fmt, ...)
	PRINTF(4, 5);

static void join_words(char *buf, size_t cap, const char *between, const char *fmt, ...)
{
	size_t n = strlen(buf);
	va_list ap;

	if (n)
		n += (size_t)snprintf(buf + n, cap - n, "%s", between);
	if (n >= cap)
		return;
	va_start(ap, fmt);
	vsnprintf(buf + n, cap - n, fmt, ap);
	va_end(ap);
}

static const char *plural_ending(uint64_t nr, const char *one, const char *many)
{
	return nr == 1 ? one : many;
}

static void say_age(struct hang_age oldest, char *buf, size_t cap)
{
	if (oldest.known)
		join_words(buf, cap, ", ", "the oldest for %.1f s", (double)oldest.ns / 1e9);
}

static void say_backend(const struct hang *h, const struct hang_below *below, char *buf, size_t cap)
{
	join_words(buf, cap, "",
		"the guest waits for the backend: %" PRIu64 " %s published and not answered",
		h->unanswered, plural_ending(h->unanswered, "request is", "requests are"));
	say_age(h->in_ring, buf, cap);
	if (below && below->known && below->in_flight)
		join_words(buf, cap, "; ", "the device below has %" PRIu64 " in flight",
			below->in_flight);
	else if (below && below->known)
		join_words(buf, cap, "; ",
			"the device below has none in flight, so they are in the backend");
}

static void say_unpublished(const struct hang *h, char *buf, size_t cap)
{
	bool some = h->unanswered || h->unseen;

	join_words(buf, cap, "; and ",
		"%s: %" PRIu64 " in the ring, %" PRIu64 " in the guest's queue",
		some ? "not all is published" : "nothing published", h->unpublished, h->queued);
	say_age(some ? h->in_queue : hang_oldest(h), buf, cap);
	if (!some)
		join_words(buf, cap, "; ", "the backend cannot see them");
}

void hang_sentence(const struct hang *h, const struct hang_below *below, char *buf, size_t cap)
{
	*buf = '\0';
	if (h->why & HANG_BACKEND)
		say_backend(h, below, buf, cap);
	if (h->why & HANG_GUEST)
		join_words(buf, cap, "; and ",
			"the backend has answered and the guest has not looked: %" PRIu64 " %s",
			h->unseen, plural_ending(h->unseen, "answer", "answers"));
	if (h->why & HANG_UNPUBLISHED)
		say_unpublished(h, buf, cap);
	if (h->why & HANG_MOVING)
		join_words(buf, cap, "; ",
			"it is moving: the rings changed while they were looked at");
	if (h->why & HANG_UNKNOWN)
		join_words(buf, cap, "; ", "unknown: not all indices of its rings could be read");
	if (!h->why)
		join_words(buf, cap, "", "nothing is pending");
}
