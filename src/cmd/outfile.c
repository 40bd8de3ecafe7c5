/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/temp.h"

static int refuse_existing(const char *path, struct err *err)
{
	err_set(err, ERR_REFUSED, "%s exists", path);
	return err_override(err, "force");
}

/* *stream: what is there takes bytes, and is not to be replaced by a file. */
static int look_at(const char *path, bool replace, bool *stream, struct err *err)
{
	struct stat st;

	*stream = false;
	if (!strcmp(path, "-")) {
		*stream = true;
		return 0;
	}
	if (stat(path, &st))
		return 0;
	if (S_ISREG(st.st_mode))
		return replace ? 0 : refuse_existing(path, err);
	if (S_ISBLK(st.st_mode))
		return err_set(err, ERR_REFUSED, "%s is a block device, a file is needed", path);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return err_sys(err, "cannot write %s", path);
	}
	*stream = true;
	return 0;
}

static int open_stream(struct outfile *f, struct err *err)
{
	f->sink = strcmp(f->path, "-") ? open(f->path, O_WRONLY | O_CLOEXEC | O_NOCTTY)
				       : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (f->sink < 0)
		return err_sys(err, "cannot open %s", f->path);
	if (isatty(f->sink))
		return err_set(
			err, ERR_USAGE, "raw bytes do not go to a terminal; name a file or a pipe");
	f->fd = temp_open(err);
	if (f->fd < 0)
		return -1;
	if (asprintf(&f->temp, "/proc/self/fd/%d", f->fd) < 0) {
		f->temp = NULL;
		return err_nomem(err, "a file name");
	}
	return 0;
}

static int open_beside(struct outfile *f, struct err *err)
{
	mode_t mask = umask(0);

	umask(mask);
	if (asprintf(&f->temp, "%s.XXXXXX", f->path) < 0) {
		f->temp = NULL;
		return err_nomem(err, "a file name");
	}
	f->fd = mkostemp(f->temp, O_CLOEXEC);
	if (f->fd < 0) {
		free(take(f->temp));
		return err_sys(err, "cannot create a file beside %s", f->path);
	}
	/* mkostemp creates it for the owner alone; give it what open() would have given. */
	if (fchmod(f->fd, 0666 & ~mask))
		return err_sys(err, "cannot set the mode of %s", f->temp);
	return 0;
}

int outfile_open(struct outfile *f, const char *path, bool replace, const struct inputs *inputs,
	struct err *err)
{
	bool stream;

	*f = (struct outfile)OUTFILE_INIT;
	if ((inputs && inputs_refuse_path(inputs, path, err)) ||
		look_at(path, replace, &stream, err))
		return -1;
	f->replace = replace;
	f->path = strdup(path);
	if (!f->path)
		return err_nomem(err, "a file name");
	if (stream ? open_stream(f, err) : open_beside(f, err)) {
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
			return err_sys(err, "cannot write %s", f->path);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int give_name(const struct outfile *f, struct err *err)
{
	if (f->replace)
		return rename(f->temp, f->path) ? err_sys(err, "cannot replace %s", f->path) : 0;
	if (!renameat2(AT_FDCWD, f->temp, AT_FDCWD, f->path, RENAME_NOREPLACE))
		return 0;
	if (errno == EEXIST)
		return refuse_existing(f->path, err);
	/* Not every file system knows that flag. */
	if (errno == EINVAL && access(f->path, F_OK) && errno == ENOENT &&
		!rename(f->temp, f->path))
		return 0;
	return err_sys(err, "cannot name %s", f->path);
}

static int commit_file(struct outfile *f, struct err *err)
{
	int fd = f->fd, rc = 0;

	f->fd = -1;
	if (fsync(fd) && errno != EINVAL && errno != EROFS)
		rc = err_sys(err, "cannot sync %s", f->path);
	if (close(fd) && !rc)
		rc = err_sys(err, "cannot close %s", f->path);
	if (!rc)
		rc = give_name(f, err);
	if (!rc)
		free(take(f->temp));
	return rc;
}

static int write_stream(const struct outfile *f, const char *p, ssize_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = write(f->sink, p, (size_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(err, "cannot write %s",
				strcmp(f->path, "-") ? f->path : "the output");
		p += n;
		len -= n;
	}
	return 0;
}

static int commit_stream(const struct outfile *f, struct err *err)
{
	char buf[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(f->fd, buf, sizeof(buf), at))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read the temporary file");
		if (write_stream(f, buf, n, err))
			return -1;
		at += n;
	}
	return 0;
}

int outfile_commit(struct outfile *f, struct err *err)
{
	int rc = f->sink < 0 ? commit_file(f, err) : commit_stream(f, err);

	outfile_drop(f);
	return rc;
}

void outfile_drop(struct outfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->temp && f->sink < 0)
		unlink(f->temp);
	if (f->sink >= 0)
		close(f->sink);
	free(f->temp);
	free(f->path);
	*f = (struct outfile)OUTFILE_INIT;
}

int outfile_put(const char *path, bool replace, const struct inputs *inputs, const void *buf,
	size_t len, struct err *err)
{
	struct outfile f;

	if (outfile_open(&f, path, replace, inputs, err))
		return -1;
	if (outfile_write_at(&f, 0, buf, len, err)) {
		outfile_drop(&f);
		return -1;
	}
	return outfile_commit(&f, err);
}
