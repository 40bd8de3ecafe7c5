/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/sysmacros.h>

static int in_use(const struct disk *d, struct err *err, const char *why)
{
	return err_set(err, ERR_REFUSED, "%s is in use: %s; --allow=in-use goes on all the same",
		d->path, why);
}

/* proc_pid_mountinfo(5): the third field is major:minor. */
static int refuse_mounted(const struct disk *d, struct err *err)
{
	CLEANUP_FILE FILE *f = fopen("/proc/self/mountinfo", "re");
	CLEANUP_FREE char *line = NULL;
	unsigned major, minor;
	size_t cap = 0;

	if (!f)
		return err_sys(err, "cannot tell what is mounted");
	while (getline(&line, &cap, f) > 0)
		if (sscanf(line, "%*u %*u %u:%u", &major, &minor) == 2 &&
			makedev(major, minor) == d->dev)
			return in_use(d, err, "it is mounted");
	return 0;
}

static int refuse_loop(const struct disk *d, struct err *err)
{
	glob_t g = {0};
	size_t i;
	int rc = 0;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &g))
		return 0;
	for (i = 0; i < g.gl_pathc && !rc; i++) {
		CLEANUP_FILE FILE *f = fopen(g.gl_pathv[i], "re");
		CLEANUP_FREE char *line = NULL;
		size_t cap = 0;
		ssize_t n = f ? getline(&line, &cap, f) : -1;

		if (n > 0 && line[n - 1] == '\n')
			line[n - 1] = 0;
		if (n > 0 && !strcmp(line, d->path))
			rc = in_use(d, err, "a loop device stands on it");
	}
	globfree(&g);
	return rc;
}

static int lock(const struct disk *d, struct err *err)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (d->nbd)
		return 0; /* its server has locked it */
	if (!fcntl(d->fd, d->write ? F_OFD_SETLK : F_OFD_GETLK, &whole) &&
		(d->write || whole.l_type == F_UNLCK))
		return 0;
	if (!d->write)
		return in_use(d, err, "another process holds a lock on it");
	if (errno == EAGAIN || errno == EACCES)
		return in_use(d, err, "another process holds a lock on it");
	return err_sys(err, "cannot lock %s", d->path);
}

int disk_hold(const struct disk *d, struct err *err)
{
	if ((d->block && refuse_mounted(d, err)) || (!d->block && refuse_loop(d, err)))
		return -1;
	return lock(d, err);
}
