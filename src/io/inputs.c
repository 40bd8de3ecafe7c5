/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/inputs.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/door.h"

/* False: a kind of file that cannot be replaced or damaged. */
static bool identify_file(const struct stat *st, struct input *ret)
{
	*ret = (struct input){.block = S_ISBLK(st->st_mode)};
	ret->dev = ret->block ? st->st_rdev : st->st_dev;
	ret->ino = ret->block ? 0 : st->st_ino;
	return ret->block || S_ISREG(st->st_mode);
}

static int add_stat(struct inputs *in, const struct stat *st, const char *name, struct err *err)
{
	struct input one;

	if (!identify_file(st, &one))
		return 0;
	one.name = strdup(name);
	if (!one.name || util_grow(&in->v, &in->cap, in->nr + 1, sizeof(*in->v))) {
		free(one.name);
		return err_nomem(err, "noting an input");
	}
	in->v[in->nr++] = one;
	return 0;
}

int inputs_add_source(struct inputs *in, const struct source *src, struct err *err)
{
	return add_stat(in, source_stat(src), source_path(src), err);
}

int inputs_add_path(struct inputs *in, const char *path, struct err *err)
{
	struct stat st;

	if (!path || (strcmp(path, "-") ? door_stat(path, &st) : fstat(STDIN_FILENO, &st)))
		return 0;
	return add_stat(in, &st, path, err);
}

void inputs_fini(struct inputs *in)
{
	size_t i;

	for (i = 0; i < in->nr; i++)
		free(in->v[i].name);
	free(in->v);
	*in = (struct inputs){0};
}

static int refuse_stat(
	const struct inputs *in, const struct stat *st, const char *name, struct err *err)
{
	struct input out;
	size_t i;

	if (!identify_file(st, &out))
		return 0;
	for (i = 0; i < in->nr; i++) {
		const struct input *v = &in->v[i];

		if (v->block == out.block && v->dev == out.dev && v->ino == out.ino)
			return err_set(err, ERR_REFUSED,
				"%s is the input '%s', which is never written", name, v->name);
	}
	return 0;
}

int inputs_refuse_path(const struct inputs *in, const char *path, struct err *err)
{
	struct stat st;

	return door_stat(path, &st) ? 0 : refuse_stat(in, &st, path, err);
}

int inputs_refuse_fd(const struct inputs *in, int fd, const char *name, struct err *err)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : refuse_stat(in, &st, name, err);
}
