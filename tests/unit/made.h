/* SPDX-License-Identifier: BSD-2-Clause
 *
 * made.h - checkpoints that tests/tools/mkstream.py makes, for the tests that open them.
 */
#ifndef XB_TESTS_MADE_H
#define XB_TESTS_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "checkpoint/checkpoint.h"

#include "seen.h"

#define MAX_STREAM_BYTES (512u << 10)

/* What a tool under tests/tools prints. */
static UNUSED size_t run_tool(const char *tool, const char *args, uint8_t *buf, size_t cap)
{
	const char *src = getenv("SRCDIR");
	char cmd[2048];
	size_t n = 0, got;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "python3 '%s/tests/tools/%s' %s", src ? src : ".", tool, args);
	f = popen(cmd, "r");
	assert_non_null(f);
	while (n < cap && (got = fread(buf + n, 1, cap - n, f)) > 0)
		n += got;
	assert_int_equal(pclose(f), 0);
	assert_true(n < cap);
	return n;
}

struct stream {
	uint8_t *bytes;
	size_t nr;
};

/* Every recipe of mkstream.py, made once. */
static char made_dir[] = "/tmp/xbdsnap-made-XXXXXX";

static UNUSED int make_all(void **state UNUSED)
{
	char args[128];
	uint8_t none[1];

	if (!mkdtemp(made_dir))
		return -1;
	snprintf(args, sizeof(args), "--corpus %s", made_dir);
	run_tool("mkstream.py", args, none, sizeof(none));
	return 0;
}

static UNUSED int remove_all(void **state UNUSED)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", made_dir);
	return system(cmd);
}

static UNUSED struct stream make(const char *recipe)
{
	struct stream s = {.bytes = malloc(MAX_STREAM_BYTES)};
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", made_dir, recipe);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_non_null(s.bytes);
	s.nr = fread(s.bytes, 1, MAX_STREAM_BYTES, f);
	fclose(f);
	return s;
}

static int open_bytes(const void *bytes, size_t nr, struct ckpt **ret, struct err *err)
{
	struct source *src;

	if (source_from_memory(bytes, nr, "made", &src, err))
		return -1;
	return ckpt_open_source(src, ret, err);
}

static UNUSED struct ckpt *open_made(const struct stream *s, const char *name)
{
	struct ckpt *ck = NULL;
	struct err err = ERR_INIT;

	if (open_bytes(s->bytes, s->nr, &ck, &err))
		fail_msg("%s: %s", name, err.text);
	return ck;
}

#endif
