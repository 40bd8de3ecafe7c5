/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/door.h"
#include "io/place.h"
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
	if (door_stat(path, &st))
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

static int open_sink(struct outfile *f, const char *path, struct err *err)
{
	f->sink = strcmp(path, "-") ? door_open(path, O_WRONLY | O_NOCTTY)
				    : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	if (f->sink < 0)
		return place_error(err, "cannot open", path);
	if (isatty(f->sink))
		return err_set(
			err, ERR_USAGE, "raw bytes do not go to a terminal; name a file or a pipe");
	return 0;
}

/* Where the bytes wait for their end. */
static int open_stream(struct outfile *f, const char *path, struct err *err)
{
	if (open_sink(f, path, err))
		return -1;
	f->file.path = strdup(path);
	f->file.fd = temp_open(err);
	if (f->file.fd < 0)
		return -1;
	if (!f->file.path || asprintf(&f->file.temp, "/dev/fd/%d", f->file.fd) < 0) {
		f->file.temp = NULL;
		return err_nomem(err, "a file name");
	}
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
	if (!(stream ? open_stream(f, path, err) : whole_open(&f->file, path, false, err)))
		return 0;
	outfile_drop(f);
	return -1;
}

int outfile_write_at(struct outfile *f, uint64_t off, const void *buf, size_t len, struct err *err)
{
	return whole_write(&f->file, off, buf, len, err);
}

static int write_stream(const struct outfile *f, const char *p, size_t len, struct err *err)
{
	return util_write(f->sink, p, len)
		       ? err_sys(err, "cannot write %s",
				 strcmp(f->file.path, "-") ? f->file.path : "the output")
		       : 0;
}

static int commit_stream(const struct outfile *f, struct err *err)
{
	char buf[65536];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(f->file.fd, buf, sizeof(buf), at))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read the temporary file");
		if (write_stream(f, buf, (size_t)n, err))
			return -1;
		at += n;
	}
	return 0;
}

int outfile_commit(struct outfile *f, struct err *err)
{
	int rc = f->sink < 0 ? whole_commit(&f->file, f->replace, err) : commit_stream(f, err);

	if (rc && err->cls == ERR_REFUSED)
		err_override(err, "force");
	outfile_drop(f);
	return rc;
}

void outfile_drop(struct outfile *f)
{
	if (f->sink >= 0) {
		free(take(f->file.temp)); /* no name of the file's own */
		close(f->sink);
	}
	whole_drop(&f->file);
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
