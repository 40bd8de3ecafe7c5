/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/p2m_save.h"

#include <sys/stat.h>

#include "base/num.h"
#include "cmd/outfile.h"

/* Calls put() with the table as bytes, in order. */
static int each_piece(const struct xenhost_p2m *t,
	int (*put)(void *arg, uint64_t off, const void *buf, size_t len, struct err *err),
	void *arg, struct err *err)
{
	uint8_t buf[8 * 4096];
	uint64_t i, start = 0;
	size_t n = 0;

	for (i = 0; i < t->nr; i++) {
		num_put_le64(buf + n, t->mfn[i]);
		n += 8;
		if (n < sizeof(buf) && i + 1 < t->nr)
			continue;
		if (put(arg, start, buf, n, err))
			return -1;
		start += n;
		n = 0;
	}
	return 0;
}

static int put_stream(void *arg, uint64_t off UNUSED, const void *buf, size_t len, struct err *err)
{
	return fwrite(buf, 1, len, arg) == len ? 0 : err_sys(err, "cannot write the output");
}

int p2m_save_stream(const struct xenhost_p2m *t, FILE *out, struct err *err)
{
	return each_piece(t, put_stream, out, err);
}

static int put_file(void *arg, uint64_t off, const void *buf, size_t len, struct err *err)
{
	return outfile_write_at(arg, off, buf, len, err);
}

static int save_special(const struct xenhost_p2m *t, const char *path, struct err *err)
{
	FILE *f = fopen(path, "wb");
	int rc;

	if (!f)
		return err_sys(err, "cannot open %s", path);
	rc = each_piece(t, put_stream, f, err);
	if (fclose(f) && !rc)
		rc = err_sys(err, "cannot write %s", path);
	return rc;
}

int p2m_save(const struct xenhost_p2m *t, const char *path, struct err *err)
{
	struct outfile out = OUTFILE_INIT;
	struct stat st;

	/* A device or a pipe is written to, not replaced. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return save_special(t, path, err);
	if (outfile_open(&out, path, err))
		return -1;
	if (each_piece(t, put_file, &out, err) || outfile_commit(&out, true, err)) {
		outfile_drop(&out);
		return -1;
	}
	return 0;
}
