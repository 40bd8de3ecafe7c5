/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "io/door.h"
#include "io/nbd_lib.h"

static const struct {
	const char *name, *qemus;
} formats[] = {
	[DISK_RAW] = {"raw", "raw"},
	[DISK_QCOW2] = {"qcow2", "qcow2"},
	[DISK_VHD] = {"vhd", "vpc"},
	[DISK_VHDX] = {"vhdx", "vhdx"},
	[DISK_VMDK] = {"vmdk", "vmdk"},
	[DISK_VDI] = {"vdi", "vdi"},
};

const char *disk_format_of_qemu(enum disk_format format)
{
	return formats[format].qemus;
}

/* The path in "[FORMAT:]PATH". */
static const char *parse_spec(const char *spec, enum disk_format *format)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		size_t len = strlen(formats[i].name);

		if (!strncmp(spec, formats[i].name, len) && spec[len] == ':') {
			*format = (enum disk_format)i;
			return spec + len + 1;
		}
	}
	*format = DISK_UNSAID;
	return spec;
}

int disk_parse(const char *text, char *vdev, size_t cap, const char **path,
	enum disk_format *format, struct err *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1] || (size_t)(equals - text) >= cap)
		return err_set(err, ERR_USAGE, "'%s' is not of the form VDEV=[FORMAT:]PATH", text);
	memset(vdev, 0, cap);
	memcpy(vdev, text, (size_t)(equals - text));
	*path = parse_spec(equals + 1, format);
	return 0;
}

const char *disk_format_name(enum disk_format format)
{
	return formats[format].name;
}

/* Is it read through qemu-nbd? */
static bool needs_server(enum disk_format format)
{
	return format != DISK_RAW && format != DISK_UNSAID;
}

void disk_pass_add(struct door_passes *list, const char *path, enum disk_format format)
{
	if (needs_server(format))
		door_pass_add_image(list, path, disk_format_of_qemu(format));
	else
		door_pass_add(list, path, DOOR_READ);
}

void disk_prepare(const struct door_passes *list)
{
	struct nbd_lib *lib = NULL;
	size_t i;

	for (i = 0; i < list->nr && !list->v[i].image; i++)
		;
	if (i < list->nr && !nbd_lib_load(&lib, NULL))
		free(lib); /* the library stays */
}

/* The cookie of a VHD, in parts: whole it is a misspelling to those who look for them. */
#define VHD_COOKIE                                                                                 \
	"conec"                                                                                    \
	"tix"

/* Of qemu's docs/interop/qcow2.txt, the VHD and VHDX specifications, and VMware's and VirtualBox's
 * sparse formats. A dynamic VHD starts with a copy of the footer that a fixed one has at its end;
 * a VMDK can be a text that names other files. */
static const struct disk_magic magics[] = {
	{DISK_QCOW2, 0, 4, "QFI\xfb", false},
	{DISK_VHD, 0, 8, VHD_COOKIE, false},
	{DISK_VHD, 512, 8, VHD_COOKIE, true},
	{DISK_VHDX, 0, 8, "vhdxfile", false},
	{DISK_VMDK, 0, 4, "KDMV", false},
	{DISK_VMDK, 0, 4, "COWD", false},
	{DISK_VMDK, 0, 21, "# Disk DescriptorFile", false},
	{DISK_VDI, 64, 4, "\x7f\x10\xda\xbe", false},
};

const struct disk_magic *disk_magic(size_t index)
{
	return index < ARRAY_SIZE(magics) ? &magics[index] : NULL;
}

static int refuse_formats(const struct disk *d, struct err *err)
{
	const struct disk_magic *m;
	size_t i;

	for (i = 0; (m = disk_magic(i)); i++) {
		uint64_t off = m->at_end ? d->bytes - m->off : m->off;
		const char *name = formats[m->format].name;
		uint8_t have[DISK_MAX_MAGIC];

		if (!num_range_ok(off, m->len, d->bytes))
			continue;
		if (disk_read(d, off, have, m->len, err))
			return -1;
		if (memcmp(have, m->magic, m->len) != 0)
			continue;
		err_set(err, ERR_UNSUPPORTED,
			"%s looks like %s: say %s:PATH when it is, and raw:PATH when the guest "
			"wrote those bytes",
			d->path, name, name);
		return err_override(err, "said");
	}
	return 0;
}

/* ---- images, through qemu-nbd ------------------------------------------------------------- */

#define NBD_STEP (1u << 20) /* bytes a message; servers take 32 MiB */

static int image_failed(const struct disk *d, const char *what, uint64_t off, struct err *err)
{
	int number = d->lib->get_errno();

	err_set(err, ERR_SYSTEM, "cannot %s %s at byte %" PRIu64 ": %s", what, d->path, off,
		d->lib->get_error());
	err->sys_errno = number;
	return -1;
}

/*
 * qemu locks what it opens, but only says so on standard error. One that writes holds byte 101: of
 * block/file-posix.c RAW_LOCK_PERM_BASE and the bit of BLK_PERM_WRITE.
 */
static int refuse_locked(const struct disk *d, struct err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (!d->write) {
		lock.l_start = 101;
		lock.l_len = 1;
	}
	if (fcntl(d->fd, F_OFD_GETLK, &lock))
		return err_sys(err, "cannot tell whether %s is locked", d->path);
	return lock.l_type == F_UNLCK
		       ? 0
		       : err_set(err, ERR_REFUSED,
				 "%s is in use: another process holds a lock on it", d->path);
}

static int refuse_image(const struct disk *d, const char *why, struct err *err)
{
	return err_set(err, ERR_SYSTEM, "qemu-nbd does not serve %s as %s: %s", d->path,
		formats[d->format].name, why);
}

/* The server is a child of the keeper, which knows the path and the format. */
static int connect_keepers(struct disk *d, struct err *err)
{
	int fd = door_serve_image(d->path, formats[d->format].qemus);

	if (fd < 0)
		return refuse_image(d, strerror(errno), err);
	return d->lib->connect_socket(d->nbd, fd) ? refuse_image(d, d->lib->get_error(), err) : 0;
}

/* The server is our child; it ends when we do. */
static int connect_own(struct disk *d, struct err *err)
{
	char program[] = "qemu-nbd", format[] = "--format", discard[] = "--discard=unmap";
	char name[16], end[] = "--", read_only[] = "--read-only";
	char *argv[] = {program, format, name, discard, d->write ? end : read_only,
		d->write ? d->path : end, d->write ? NULL : d->path, NULL};

	snprintf(name, sizeof(name), "%s", formats[d->format].qemus);
	return d->lib->connect_systemd_socket_activation(d->nbd, argv)
		       ? refuse_image(d, d->lib->get_error(), err)
		       : 0;
}

/* The server's own complaint goes to our standard error. */
static int serve_image(struct disk *d, struct err *err)
{
	int64_t bytes;

	if (refuse_locked(d, err) || nbd_lib_load(&d->lib, err))
		return -1;
	d->nbd = d->lib->create();
	if (!d->nbd || d->lib->add_meta_context(d->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION))
		return err_nomem(err, "a connection");
	if (door_is_shut() ? connect_keepers(d, err) : connect_own(d, err))
		return -1;
	bytes = d->lib->get_size(d->nbd);
	if (bytes < 0)
		return err_set(err, ERR_SYSTEM, "qemu-nbd does not tell the size of %s: %s",
			d->path, d->lib->get_error());
	d->bytes = (uint64_t)bytes;
	return 0;
}

static int image_read(const struct disk *d, uint64_t off, uint8_t *buf, size_t len, struct err *err)
{
	if (off > d->bytes || len > d->bytes - off)
		return err_set(err, ERR_SYSTEM, "%s ends at byte %" PRIu64, d->path, d->bytes);
	while (len) {
		size_t n = MIN(len, (size_t)NBD_STEP);

		if (d->lib->pread(d->nbd, buf, n, off, 0))
			return image_failed(d, "read", off, err);
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int image_write(
	const struct disk *d, uint64_t off, const uint8_t *buf, size_t len, struct err *err)
{
	while (len) {
		size_t n = MIN(len, (size_t)NBD_STEP);

		if (d->lib->pwrite(d->nbd, buf, n, off, 0))
			return image_failed(d, "write", off, err);
		buf += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int image_discard(const struct disk *d, uint64_t off, uint64_t len, struct err *err)
{
	if (d->lib->can_trim(d->nbd) != 1)
		return err_set(err, ERR_UNSUPPORTED, "%s cannot discard", d->path);
	while (len) {
		uint64_t n = MIN(len, (uint64_t)1 << 30);

		if (d->lib->trim(d->nbd, n, off, 0))
			return image_failed(d, "discard", off, err);
		off += n;
		len -= n;
	}
	return 0;
}

static int image_sync(const struct disk *d, struct err *err)
{
	if (d->lib->can_flush(d->nbd) != 1)
		return err_set(err, ERR_SYSTEM, "the server of %s cannot flush", d->path);
	return d->lib->flush(d->nbd, 0) ? image_failed(d, "sync", 0, err) : 0;
}

/* ---- any disk ----------------------------------------------------------------------------- */

static int measure_disk(struct disk *d, struct err *err)
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
		return err_set(err, ERR_USAGE, "%s is no file and no block device", d->path);
	d->block = true;
	d->dev = st.st_rdev;
	if (ioctl(d->fd, BLKGETSIZE64, &d->bytes))
		return err_sys(err, "cannot tell the size of %s", d->path);
	return 0;
}

/* Of an image the server is told to write, not we. */
static int open_flags(const struct disk *d, unsigned flags)
{
	int ret = O_NONBLOCK;
	struct stat st;

	if (!(flags & DISK_WRITE) || d->format != DISK_RAW)
		return ret | O_RDONLY;
	/* Without O_CREAT, O_EXCL has a meaning for block devices only. */
	if (!(flags & DISK_SHARED) && !door_stat(d->path, &st) && S_ISBLK(st.st_mode))
		ret |= O_EXCL;
	return ret | O_RDWR;
}

int disk_open(
	struct disk *d, const char *path, enum disk_format format, unsigned flags, struct err *err)
{
	*d = (struct disk){.fd = -1,
		.format = format == DISK_UNSAID ? DISK_RAW : format,
		.write = flags & DISK_WRITE};
	d->path = door_realpath(path);
	if (!d->path)
		return err_sys(err, "cannot open %s", path);
	d->fd = door_open(d->path, open_flags(d, flags));
	if (d->fd < 0 && errno == EBUSY) {
		err_set(err, ERR_REFUSED, "%s is in use", d->path);
		err_override(err, "in-use");
	} else if (d->fd < 0)
		err_sys(err, "cannot open %s", d->path);
	else if (!measure_disk(d, err) && (format != DISK_UNSAID || !refuse_formats(d, err)) &&
		 (d->format == DISK_RAW || !serve_image(d, err)))
		return 0;
	disk_drop(d);
	return -1;
}

int disk_read(const struct disk *d, uint64_t off, void *buf, size_t len, struct err *err)
{
	char *p = buf;

	if (d->nbd)
		return image_read(d, off, buf, len, err);
	while (len) {
		ssize_t n = pread(d->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read %s at byte %" PRIu64, d->path, off);
		if (!n)
			return err_set(err, ERR_SYSTEM, "%s ends at byte %" PRIu64, d->path, off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int disk_write(const struct disk *d, uint64_t off, const void *buf, size_t len, struct err *err)
{
	const char *p = buf;

	if (d->nbd)
		return image_write(d, off, buf, len, err);
	while (len) {
		ssize_t n = pwrite(d->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot write %s at byte %" PRIu64, d->path, off);
		if (!n)
			return err_set(
				err, ERR_SYSTEM, "%s takes nothing at byte %" PRIu64, d->path, off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int disk_sync(const struct disk *d, struct err *err)
{
	if (d->nbd)
		return image_sync(d, err);
	return fsync(d->fd) ? err_sys(err, "cannot sync %s", d->path) : 0;
}

int disk_discard(const struct disk *d, uint64_t off, uint64_t len, struct err *err)
{
	uint64_t range[2] = {off, len};
	int rc;

	if (d->nbd)
		return image_discard(d, off, len, err);
	rc = d->block ? ioctl(d->fd, BLKDISCARD, range)
		      : fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
				(off_t)len);
	if (!rc)
		return 0;
	if (errno == EOPNOTSUPP)
		return err_set(err, ERR_UNSUPPORTED, "%s cannot discard", d->path);
	return err_sys(err, "cannot discard %s at byte %" PRIu64, d->path, off);
}

/* Pairs of length and flags, from where it was asked on: count the bytes that are zero at first. */
static int count_zeros(void *arg, const char *context UNUSED, uint64_t off UNUSED,
	uint32_t *entries, size_t nr, int *error UNUSED)
{
	uint64_t *zeros = arg;
	size_t i;

	for (i = 0; i + 1 < nr && entries[i + 1] & LIBNBD_STATE_ZERO; i += 2)
		*zeros += entries[i];
	return 0;
}

/* Is the range zero without that anything of it was written? */
static bool is_hole(const struct disk *d, uint64_t off, size_t len)
{
	uint64_t zeros = 0;
	off_t data;

	if (d->nbd)
		return !d->lib->block_status(d->nbd, len, off,
			       (nbd_extent_callback){.callback = count_zeros, .user_data = &zeros},
			       0) &&
		       zeros >= len;
	if (d->block)
		return false;
	data = lseek(d->fd, (off_t)off, SEEK_DATA);
	return data < 0 ? errno == ENXIO : (uint64_t)data >= off + len;
}

int disk_zero(const struct disk *d, uint64_t off, size_t len, struct err *err)
{
	static const uint8_t zeros[4096];

	if (is_hole(d, off, len))
		return 0;
	if (d->nbd)
		return d->lib->zero(d->nbd, len, off, 0) ? image_failed(d, "zero", off, err) : 0;
	while (len) {
		size_t n = MIN(len, sizeof(zeros));

		if (disk_write(d, off, zeros, n, err))
			return -1;
		off += n;
		len -= n;
	}
	return 0;
}

void disk_forget_cache(const struct disk *d)
{
	(void)posix_fadvise(d->fd, 0, 0, POSIX_FADV_DONTNEED);
}

int disk_close(struct disk *d, struct err *err)
{
	int fd = d->fd, rc = 0;

	if (d->nbd && d->lib->shutdown(d->nbd, 0))
		rc = err_set(err, ERR_SYSTEM, "cannot close %s: %s", d->path, d->lib->get_error());
	d->fd = -1;
	if (fd >= 0 && close(fd))
		rc = err_sys(err, "cannot close %s", d->path);
	disk_drop(d);
	return rc;
}

void disk_drop(struct disk *d)
{
	if (d->nbd)
		d->lib->close(d->nbd);
	free(d->lib);
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	*d = (struct disk)DISK_INIT;
}
