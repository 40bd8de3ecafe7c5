/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of qemu's docs/interop/qcow2.txt, the VHD and VHDX specifications, and VMware's and VirtualBox's
 * sparse formats. A dynamic VHD starts with a copy of the footer that a fixed one has at its end.
 */
static const struct {
	const char *name;
	unsigned off, len;
	const char *magic;
	bool at_end; /* off counts from the end */
} formats[] = {
	{"qcow2", 0, 4, "QFI\xfb", false},
	{"VHD", 0, 8,
		"conec"
		"tix",
		false},
	{"VHD", 512, 8,
		"conec"
		"tix",
		true},
	{"VHDX", 0, 8, "vhdxfile", false},
	{"VMDK", 0, 4, "KDMV", false},
	{"VDI", 64, 4, "\x7f\x10\xda\xbe", false},
};

static int refuse_formats(const struct disk *d, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		uint64_t off = formats[i].at_end ? d->bytes - formats[i].off : formats[i].off;
		uint8_t have[8];

		if (d->bytes < 1024)
			continue;
		if (disk_read(d, off, have, formats[i].len, err))
			return -1;
		if (!memcmp(have, formats[i].magic, formats[i].len))
			return err_set(err, ERR_UNSUPPORTED,
				"%s looks like %s, and only raw disks are supported; export it "
				"with qemu-nbd, or say --raw when the guest wrote those bytes",
				d->path, formats[i].name);
	}
	return 0;
}

static int measure(struct disk *d, struct err *err)
{
	struct stat st;

	if (fstat(d->fd, &st))
		return err_sys(err, "cannot look at %s", d->path);
	if (S_ISREG(st.st_mode)) {
		d->bytes = (uint64_t)st.st_size;
		d->dev = st.st_dev;
		d->ino = st.st_ino;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED, "%s is no file and no block device", d->path);
	d->block = true;
	d->dev = st.st_rdev;
	if (ioctl(d->fd, BLKGETSIZE64, &d->bytes))
		return err_sys(err, "cannot tell the size of %s", d->path);
	return 0;
}

int disk_open(struct disk *d, const char *path, bool write, bool raw, bool shared, struct err *err)
{
	int flags = (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK;
	struct stat st;

	*d = (struct disk)DISK_INIT;
	d->path = realpath(path, NULL);
	if (!d->path)
		return err_sys(err, "cannot open %s", path);
	/* Without O_CREAT, O_EXCL has a meaning for block devices only. */
	if (write && !shared && !stat(d->path, &st) && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	d->fd = open(d->path, flags);
	if (d->fd < 0 && errno == EBUSY)
		err_set(err, ERR_REFUSED, "%s is in use; --allow=in-use goes on all the same",
			d->path);
	else if (d->fd < 0)
		err_sys(err, "cannot open %s", d->path);
	else if (!measure(d, err) && (raw || !refuse_formats(d, err)))
		return 0;
	disk_drop(d);
	return -1;
}

int disk_read(const struct disk *d, uint64_t off, void *buf, size_t len, struct err *err)
{
	char *p = buf;

	while (len) {
		ssize_t n = pread(d->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read %s at byte %llu", d->path,
				(unsigned long long)off);
		if (!n)
			return err_set(err, ERR_SYSTEM, "%s ends at byte %llu", d->path,
				(unsigned long long)off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int disk_write(const struct disk *d, uint64_t off, const void *buf, size_t len, struct err *err)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(d->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot write %s at byte %llu", d->path,
				(unsigned long long)off);
		if (!n)
			return err_set(err, ERR_SYSTEM, "%s takes nothing at byte %llu", d->path,
				(unsigned long long)off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int disk_sync(const struct disk *d, struct err *err)
{
	return fsync(d->fd) ? err_sys(err, "cannot sync %s", d->path) : 0;
}

int disk_discard(const struct disk *d, uint64_t off, uint64_t len, struct err *err)
{
	uint64_t range[2] = {off, len};
	int rc = d->block ? ioctl(d->fd, BLKDISCARD, range)
			  : fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
				    (off_t)len);

	if (!rc)
		return 0;
	if (errno == EOPNOTSUPP)
		return err_set(err, ERR_UNSUPPORTED, "%s cannot discard", d->path);
	return err_sys(err, "cannot discard %s at byte %llu", d->path, (unsigned long long)off);
}

void disk_forget_cache(const struct disk *d)
{
	(void)posix_fadvise(d->fd, 0, 0, POSIX_FADV_DONTNEED);
}

int disk_close(struct disk *d, struct err *err)
{
	int fd = d->fd, rc = 0;

	d->fd = -1;
	if (fd >= 0 && close(fd))
		rc = err_sys(err, "cannot close %s", d->path);
	disk_drop(d);
	return rc;
}

void disk_drop(struct disk *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	*d = (struct disk)DISK_INIT;
}
