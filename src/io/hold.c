/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/loop.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "io/door.h"

/* proc_pid_mountinfo(5): the third field is major:minor. */
static bool is_mounted(const struct disk *d)
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

/* The first line of a file, without its end; malloc'ed, NULL: none. */
static char *first_line(const char *path)
{
	CLEANUP_FILE FILE *f = fopen(path, "re");
	CLEANUP_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t n = f ? getline(&line, &cap, f) : -1;

	if (n <= 0)
		return NULL;
	if (line[n - 1] == '\n')
		line[n - 1] = 0;
	return take(line);
}

/* A file can have several names, and a device's node too: the kernel's own numbers decide. */
static bool stands_on(const char *name, const struct disk *d)
{
	CLEANUP_FREE char *node = NULL, *file = NULL, *path = NULL;
	CLEANUP_CLOSE int fd = -1;
	struct loop_info64 info;

	if (asprintf(&node, "/dev/%s", name) < 0)
		node = NULL;
	fd = node ? open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd >= 0 && !ioctl(fd, LOOP_GET_STATUS64, &info))
		return d->block ? info.lo_rdevice == d->dev
				: info.lo_device == d->dev && info.lo_inode == d->ino;
	if (asprintf(&file, "/sys/block/%s/loop/backing_file", name) < 0)
		file = NULL;
	path = file ? first_line(file) : NULL;
	return path && !strcmp(path, d->path);
}

static bool under_loop(const struct disk *d)
{
	const size_t start = strlen("/sys/block/");
	bool found = false;
	glob_t g = {0};
	size_t i;

	if (glob("/sys/block/loop*/loop", 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		char *name = g.gl_pathv[i] + start;

		name[strcspn(name, "/")] = 0;
		found = stands_on(name, d);
	}
	globfree(&g);
	return found;
}

bool disk_listed(const char *pattern, uint64_t dev)
{
	bool found = false;
	glob_t g = {0};
	size_t i;

	if (glob(pattern, 0, NULL, &g))
		return false;
	for (i = 0; i < g.gl_pathc && !found; i++) {
		CLEANUP_FREE char *line = first_line(g.gl_pathv[i]);
		unsigned major, minor;

		found = line && sscanf(line, "%x:%x", &major, &minor) == 2 &&
			makedev(major, minor) == dev;
	}
	globfree(&g);
	return found;
}

/* Mounts, also of a partition, and devices made of it open it exclusively, as we try to. */
static bool is_claimed(const struct disk *d)
{
	CLEANUP_CLOSE int fd = -1;

	if (d->write)
		return false; /* it is ours: disk_open() */
	fd = open(d->path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 && errno == EBUSY;
}

static bool is_locked(const struct disk *d)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	/* The server of an image has locked it. */
	return !d->nbd && !fcntl(d->fd, F_OFD_GETLK, &whole) && whole.l_type != F_UNLCK;
}

/*
 * A lease for reading is granted only while nobody has the file open for writing: a program that
 * takes no lock, tapdisk or the kernel. Should somebody open it before we give the lease back, the
 * kernel tells with a signal, which must not end us.
 */
static bool has_writer(const struct disk *d)
{
	if (d->write || d->block || fcntl(d->fd, F_SETSIG, SIGURG))
		return false;
	if (fcntl(d->fd, F_SETLEASE, F_RDLCK))
		return errno == EAGAIN;
	(void)fcntl(d->fd, F_SETLEASE, F_UNLCK);
	return false;
}

/* xen-blkback opens a device beside others, so O_EXCL does not see it. Its xenbus.c. */
#define BLKBACK "/sys/bus/xen-backend/devices/vbd-*/physical_device"

static enum disk_use look_for_use(const struct disk *d)
{
	if (d->block && is_mounted(d))
		return DISK_USE_MOUNT;
	if (d->block && is_claimed(d))
		return DISK_USE_DEVICE;
	if (d->block && disk_listed(BLKBACK, d->dev))
		return DISK_USE_DOMAIN;
	if (under_loop(d))
		return DISK_USE_LOOP;
	if (is_locked(d))
		return DISK_USE_LOCK;
	return has_writer(d) ? DISK_USE_WRITER : DISK_USE_NONE;
}

enum disk_use disk_use(const struct disk *d)
{
	int use;

	if (!door_is_shut())
		return look_for_use(d);
	use = door_disk_use(d->path, d->nbd);
	return use >= 0 && use < DISK_NR_USES ? (enum disk_use)use : DISK_USE_NONE;
}

const char *disk_user(const struct disk *d)
{
	static const char *const text[DISK_NR_USES] = {
		[DISK_USE_MOUNT] = "it is mounted",
		[DISK_USE_DEVICE] = "another device is made of it, or a part of it is mounted",
		[DISK_USE_DOMAIN] = "a domain of this host has it",
		[DISK_USE_LOOP] = "a loop device stands on it",
		[DISK_USE_LOCK] = "another process holds a lock on it",
		[DISK_USE_WRITER] = "another process has it open for writing",
	};

	return text[disk_use(d)];
}

static int in_use(const struct disk *d, struct err *err, const char *why)
{
	err_set(err, ERR_REFUSED, "%s is in use: %s", d->path, why);
	return err_override(err, "in-use");
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

int disk_look(const char *path, struct err *err)
{
	struct disk d;
	int rc;

	if (disk_open(&d, path, DISK_RAW, 0, err))
		return -1;
	rc = disk_hold(&d, err);
	disk_drop(&d);
	return rc;
}
