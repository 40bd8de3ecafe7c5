/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/door.h"
#include "io/place.h"

int whole_open(struct whole_file *f, const char *path, bool precious, struct err *err)
{
	*f = (struct whole_file){.fd = -1, .precious = precious, .path = strdup(path)};
	if (!f->path)
		return err_nomem(err, "a file name");
	f->fd = door_create_beside(f->path, &f->temp);
	if (f->fd >= 0)
		return 0;
	place_error(err, "cannot create a file beside", f->path);
	whole_drop(f);
	return -1;
}

int whole_write(struct whole_file *f, uint64_t off, const void *buf, size_t len, struct err *err)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot write %s", f->path);
		if (!n)
			return err_set(
				err, ERR_SYSTEM, "%s takes nothing at byte %" PRIu64, f->path, off);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* NFS and its like have no rename that does not replace, but links, which never do. */
static int link_over(const struct whole_file *f)
{
	if (door_link(f->temp, f->path))
		return -1;
	door_unlink(f->temp);
	return 0;
}

/* A file system that has neither: between the question and the rename somebody may come. */
static int rename_if_free(const struct whole_file *f)
{
	struct stat st;

	if (!door_stat(f->path, &st)) {
		errno = EEXIST;
		return -1;
	}
	return errno == ENOENT ? door_rename(f->temp, f->path, 0) : -1;
}

static bool is_not_known(int error)
{
	return error == EINVAL || error == ENOSYS || error == EPERM || error == EOPNOTSUPP;
}

static int give_name(const struct whole_file *f, bool replace, struct err *err)
{
	if (replace)
		return door_rename(f->temp, f->path, 0) ? err_sys(err, "cannot replace %s", f->path)
							: 0;
	if (!door_rename(f->temp, f->path, RENAME_NOREPLACE) ||
		(is_not_known(errno) && !link_over(f)) ||
		(is_not_known(errno) && !rename_if_free(f)))
		return 0;
	return errno == EEXIST ? err_set(err, ERR_REFUSED, "%s exists", f->path)
			       : err_sys(err, "cannot name %s", f->path);
}

static int sync_folder(const struct whole_file *f, struct err *err)
{
	CLEANUP_CLOSE int fd = door_open_folder_of(f->path);

	if (fd >= 0 && !fsync(fd))
		return 0;
	/* One may write in a folder that one must not read. */
	return f->precious ? err_sys(err, "cannot sync the folder of %s", f->path) : 0;
}

static int sync_and_close(struct whole_file *f, struct err *err)
{
	int fd = f->fd, rc = 0;

	f->fd = -1;
	if (fsync(fd) && (f->precious || (errno != EINVAL && errno != EROFS)))
		rc = err_sys(err, "cannot sync %s", f->path);
	if (close(fd) && !rc)
		rc = err_sys(err, "cannot close %s", f->path);
	return rc;
}

int whole_commit(struct whole_file *f, bool replace, struct err *err)
{
	int rc = sync_and_close(f, err);

	if (!rc)
		rc = give_name(f, replace, err);
	if (!rc) {
		free(take(f->temp));
		rc = sync_folder(f, err);
	}
	whole_drop(f);
	return rc;
}

void whole_drop(struct whole_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temp)
		door_unlink(f->temp);
	free(f->temp);
	free(f->path);
	*f = (struct whole_file)WHOLE_INIT;
}
