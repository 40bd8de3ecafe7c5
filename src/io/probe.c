/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/limits.h"
#include "base/num.h"
#include "io/door.h"
#include "io/message.h"
#include "io/prober.h"

/* Superblocks stand at the start of what they describe, some at its end. */
#define PROBE_START (2u << 20)
#define PROBE_END   (1u << 20)

static int copy_part(const struct disk *disk, int fd, uint64_t off, uint64_t len, struct err *err)
{
	uint8_t buf[65536];
	uint64_t end = MIN(off + len, disk->bytes);

	for (; off < end; off += sizeof(buf)) {
		size_t n = (size_t)MIN(end - off, (uint64_t)sizeof(buf));

		if (disk_read(disk, off, buf, n, err))
			return -1;
		if (pwrite(fd, buf, n, (off_t)off) != (ssize_t)n)
			return err_sys(err, "cannot copy %s for a look at it", disk->path);
	}
	return 0;
}

/* libblkid wants a file: those parts of an image that it looks at, in memory. *ret is the caller's
 * to close, unless -1, in any case. */
static int image_part(
	const struct disk *disk, uint64_t start, uint64_t bytes, int *ret, struct err *err)
{
	uint64_t end = bytes ? start + bytes : disk->bytes;
	uint64_t tail = end > PROBE_END ? end - PROBE_END : 0;

	*ret = memfd_create("xbdsnap-probe", MFD_CLOEXEC);
	if (*ret < 0 || ftruncate(*ret, (off_t)disk->bytes))
		return err_sys(err, "cannot make a copy of %s for a look at it", disk->path);
	return copy_part(disk, *ret, start, PROBE_START, err) ||
			       copy_part(disk, *ret, MAX(tail, start), PROBE_END, err)
		       ? -1
		       : 0;
}

/* ---- who is asked ------------------------------------------------------------------------- */

/* Of this process, as its door is; one that fails, or answers nonsense, is not asked again. */
static struct {
	pthread_mutex_t lock;
	int socket; /* -1: there is none yet */
	unsigned failed;
} prober = {PTHREAD_MUTEX_INITIALIZER, -1, 0};

static void drop_prober(void)
{
	close(prober.socket);
	prober.socket = -1;
	prober.failed++;
}

static int ask_other(const struct prober_call *c, int fd, struct prober_answer *a, struct err *err)
{
	if (prober.failed >= LIMIT_PROBE_FAILURES)
		return err_set(err, ERR_CORRUPT,
			"libblkid has failed %u times and is asked no more", prober.failed);
	if (prober.socket < 0)
		prober.socket = door_prober();
	if (prober.socket < 0)
		return err_sys(err, "cannot start a process that asks libblkid");
	if (message_send(prober.socket, c, sizeof(*c), fd) &&
		message_receive(prober.socket, a, sizeof(*a), NULL) &&
		(a->rc || prober_answer_sound(c, a)))
		return 0;
	drop_prober();
	a->rc = -1;
	return 0;
}

static int ask_prober(const struct prober_call *c, int fd, struct prober_answer *a, struct err *err)
{
	int rc;

	if (!door_is_shut()) {
		prober_look(c, fd, a);
		return 0;
	}
	pthread_mutex_lock(&prober.lock);
	rc = ask_other(c, fd, a, err);
	pthread_mutex_unlock(&prober.lock);
	return rc;
}

/* Of a stretch. An answer that failed is an error that says so. */
static int ask_about(
	const struct disk *d, const struct prober_call *c, struct prober_answer *a, struct err *err)
{
	CLEANUP_CLOSE int copy = -1;

	if (!num_range_ok(c->start, c->bytes, MIN(d->bytes, (uint64_t)INT64_MAX)))
		return err_set(err, ERR_CORRUPT, "%s ends before byte %" PRIu64, d->path,
			c->start + c->bytes);
	if (d->nbd && image_part(d, c->start, c->bytes, &copy, err))
		return -1;
	if (ask_prober(c, d->nbd ? copy : d->fd, a, err))
		return -1;
	if (a->rc)
		return err_set(err, ERR_CORRUPT,
			"libblkid fails at what stands from byte %" PRIu64 " of %s on", c->start,
			d->path);
	return 0;
}

int probe_content(const struct disk *d, uint64_t start, uint64_t bytes, enum probe_for what,
	struct probed *ret, struct err *err)
{
	CLEANUP_FREE struct prober_answer *a = calloc(1, sizeof(*a));
	const struct prober_call c = {
		.what = what == PROBE_FILE_SYSTEM ? PROBER_FILE_SYSTEM : PROBER_ANYTHING,
		.start = start,
		.bytes = bytes};

	*ret = (struct probed){.unsure = true};
	if (!a)
		return err_nomem(err, "probing a disk");
	if (ask_about(d, &c, a, err))
		return -1;
	*ret = a->content;
	return 0;
}

int probe_table(const struct disk *d, struct probed_table *ret, struct err *err)
{
	CLEANUP_FREE struct prober_answer *a = calloc(1, sizeof(*a));
	const struct prober_call c = {.what = PROBER_TABLE, .sectors = d->bytes / SECTOR_BYTES};

	*ret = (struct probed_table){0};
	if (!a)
		return err_nomem(err, "probing a disk");
	if (ask_about(d, &c, a, err))
		return -1;
	*ret = a->table;
	return 0;
}
