/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the guest's memory says of a request (who.h): all that there is without a disk, and what a
 * disk does not know yet, for the guest writes data before it writes whose it is.
 */
#include "ondisk/ondisk.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"
#include "ondisk/memory.h"

static enum meaning_kind kind_of(const struct who *w)
{
	static const enum meaning_kind kinds[WHO_NR_KINDS] = {
		[WHO_DIRECT] = MEANING_FILE,
		[WHO_DEVICE] = MEANING_DEVICE,
		[WHO_WRITE_BACK] = MEANING_FILE,
		[WHO_CACHE_READ] = MEANING_FILE,
		[WHO_DEVICE_CACHE] = MEANING_DEVICE,
		[WHO_METADATA] = MEANING_METADATA,
		[WHO_JOURNAL] = MEANING_JOURNAL,
		[WHO_SWAP] = MEANING_SWAP,
	};

	return w->kind == WHO_METADATA && w->metadata ? w->metadata : kinds[w->kind];
}

/* Of the disk itself. "xvda2": the digits at its end. */
static uint32_t partition_of(const struct who *w)
{
	const char *name;
	size_t n;

	if (w->nr_layers < 2 || strcmp(w->layers[1].kind, "partition"))
		return 0;
	name = w->layers[1].name;
	for (n = strlen(name); n && isdigit((unsigned char)name[n - 1]); n--)
		;
	return (uint32_t)strtoul(name + n, NULL, 10);
}

/* A loop device has a file's name for a label; what is above it is in another file system than the
 * disk's. */
static bool is_loop(const struct who_layer *l)
{
	return !strcmp(l->kind, "loop");
}

static bool is_on_loop(const struct who *w)
{
	size_t i;

	for (i = 0; i < w->nr_layers; i++)
		if (is_loop(&w->layers[i]))
			return true;
	return false;
}

static void take_file(const struct who *w, uint64_t skip, struct meaning *m)
{
	if (m->kind != MEANING_FILE && m->kind != MEANING_DEVICE)
		return;
	free(m->path);
	m->path = w->path ? strdup(w->path) : NULL;
	m->inode = m->kind == MEANING_FILE ? w->inode : MEANING_UNKNOWN_U64;
	m->position = w->position == WHO_UNKNOWN_U64 ? MEANING_UNKNOWN_U64 : w->position + skip;
}

/* The stretch `m`, of which `skip` bytes of `w` come before. */
static void take_who(const struct who *w, uint64_t skip, struct meaning *m)
{
	size_t i;

	m->kind = kind_of(w);
	m->from_memory = true;
	if (w->fs[0])
		snprintf(m->fs, sizeof(m->fs), "%s", w->fs);
	if (!m->partition)
		m->partition = partition_of(w);
	for (i = 0; i < w->nr_layers; i++)
		if (w->layers[i].label[0] && !is_loop(&w->layers[i]))
			snprintf(m->volume, sizeof(m->volume), "%s", w->layers[i].label);
	take_file(w, skip, m);
	free(m->lost);
	m->lost = w->lost ? strdup(w->lost) : NULL;
}

/* The one that says of the stretch what it is; NULL: none, or several. */
static const struct who *who_of(const struct io_request *r, const struct meaning *m)
{
	size_t i;

	for (i = 0; i < r->nr_who; i++) {
		const struct who *w = &r->who[i];

		if (w->offset <= m->offset && m->bytes <= w->bytes &&
			m->offset - w->offset <= w->bytes - m->bytes)
			return w;
	}
	return NULL;
}

void ondisk_add_memory(struct io_request *r, struct meaning *m)
{
	const struct who *w = who_of(r, m);
	bool is_free = m->kind == MEANING_FREE;

	if (!w || !kind_of(w))
		return;
	if (m->kind == MEANING_FILE && kind_of(w) == MEANING_FILE && w->inode == m->inode &&
		!m->path && w->path && !is_on_loop(w)) {
		m->path = strdup(w->path);
	} else if (!m->kind || (is_free && kind_of(w) == MEANING_FILE)) {
		take_who(w, m->offset - w->offset, m);
		if (is_free)
			m->fate = MEANING_UNMAPPED;
	}
}

static int note_request(struct io_request *r, struct err *err)
{
	uint64_t start, end;
	size_t i;

	if (!io_request_range(r, &start, &end))
		return 0;
	for (i = 0; i < r->nr_who; i++) {
		CLEANUP(meaning_fini) struct meaning m;

		meaning_init(&m);
		m.offset = r->who[i].offset;
		m.bytes = r->who[i].bytes;
		take_who(&r->who[i], 0, &m);
		if (meaning_append(&r->meaning, &r->nr_meaning, &m))
			return err_nomem(err, "what requests are for");
	}
	return 0;
}

int ondisk_note_from_memory(struct blkdev *dev, struct err *err)
{
	size_t i;

	for (i = 0; i < dev->nr_requests; i++)
		if (note_request(&dev->requests[i], err))
			return -1;
	for (i = 0; i < dev->nr_queued; i++)
		if (note_request(&dev->queued[i], err))
			return -1;
	return 0;
}
