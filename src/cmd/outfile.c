/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int outfile_open(struct outfile *f, const char *path, struct err *err)
{
	mode_t mask = umask(0);

	umask(mask);
	*f = (struct outfile)OUTFILE_INIT;
	f->path = strdup(path);
	if (!f->path || asprintf(&f->temp, "%s.XXXXXX", path) < 0) {
		f->temp = NULL;
		outfile_drop(f);
		return err_nomem(err, "a file name");
	}
	f->fd = mkostemp(f->temp, O_CLOEXEC);
	if (f->fd < 0) {
		free(take(f->temp));
		outfile_drop(f);
		return err_sys(err, "cannot create a file beside %s", path);
	}
	/* mkostemp creates it for the owner alone; give it what open() would have given. */
	if (fchmod(f->fd, 0666 & ~mask)) {
		err_sys(err, "cannot set the mode of %s", f->temp);
		outfile_drop(f);
		return -1;
	}
	return 0;
}

int outfile_write_at(struct outfile *f, uint64_t off, const void *buf, size_t len, struct err *err)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, "cannot write %s", f->temp);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int give_name(const struct outfile *f, bool replace, struct err *err)
{
	if (replace)
		return rename(f->temp, f->path) ? err_sys(err, "cannot replace %s", f->path) : 0;
	if (!renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->path, RENAME_NOREPLACE))
		return 0;
	if (errno == EEXIST)
		return err_set(err, ERR_REFUSED, "%s exists; --force replaces it", f->path);
	/* Not every file system knows that flag. */
	if (errno == EINVAL && access(f->path, F_OK) && errno == ENOENT &&
		!rename(f->temp, f->path))
		return 0;
	return err_sys(err, "cannot name %s", f->path);
}

int outfile_commit(struct outfile *f, bool replace, struct err *err)
{
	int fd = f->fd, rc = 0;

	f->fd = -1;
	if (fsync(fd) && errno != EINVAL && errno != EROFS)
		rc = err_sys(err, "cannot sync %s", f->temp);
	if (close(fd) && !rc)
		rc = err_sys(err, "cannot close %s", f->temp);
	if (!rc)
		rc = give_name(f, replace, err);
	if (!rc)
		free(take(f->temp));
	outfile_drop(f);
	return rc;
}

void outfile_drop(struct outfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temp)
		unlink(f->temp);
	free(f->temp);
	free(f->path);
	*f = (struct outfile)OUTFILE_INIT;
}
