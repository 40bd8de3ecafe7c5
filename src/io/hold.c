/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* proc_pid_mountinfo(5): the third field is major:minor. */
static bool mounted(const struct disk *d)
{
	CLEANUP_FILE FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	unsigned major, minor;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) > 0)
		if (sscanf(line, "%*u %*u %u:%u", &major, &minor) == 2 &&
			makedev(major, minor) == d->dev)
			return true;
	return false;
}

static bool under_loop(const struct disk *d)
{
	bool found = false;
	glob_t g = {0};
	size_t i;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		CLEANUP_FILE FILE *f = fopen(g.gl_pathv[i], "re");
		CLEANUP_FREE char *line = NULL;
		size_t cap = 0;
		ssize_t n = f ? getline(&line, &cap, f) : -1;

		if (n > 0 && line[n - 1] == '\n')
			line[n - 1] = 0;
		found = n > 0 && !strcmp(line, d->path);
	}
	globfree(&g);
	return found;
}

/* Mounts, also of a partition, and devices made of it open it exclusively, as we try to. */
static bool claimed(const struct disk *d)
{
	CLEANUP_CLOSE int fd = -1;

	if (d->write)
		return false; /* it is ours: disk_open() */
	fd = open(d->path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 && errno == EBUSY;
}

static bool locked(const struct disk *d)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	/* The server of an image has locked it. */
	return !d->nbd && !fcntl(d->fd, F_OFD_GETLK, &whole) && whole.l_type != F_UNLCK;
}

const char *disk_user(const struct disk *d)
{
	if (d->block && mounted(d))
		return "it is mounted";
	if (d->block && claimed(d))
		return "another device is made of it, or a part of it is mounted";
	if (!d->block && under_loop(d))
		return "a loop device stands on it";
	return locked(d) ? "another process holds a lock on it" : NULL;
}

static int in_use(const struct disk *d, struct err *err, const char *why)
{
	return err_set(err, ERR_REFUSED, "%s is in use: %s; --allow=in-use goes on all the same",
		d->path, why);
}

int disk_hold(const struct disk *d, struct err *err)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const char *user = disk_user(d);

	if (user)
		return in_use(d, err, user);
	if (d->nbd || !d->write || !fcntl(d->fd, F_OFD_SETLK, &whole))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return in_use(d, err, "another process holds a lock on it");
	return err_sys(err, "cannot lock %s", d->path);
}
