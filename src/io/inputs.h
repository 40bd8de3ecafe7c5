/* SPDX-License-Identifier: BSD-2-Clause
 *
 * inputs.h - the files that a run reads, so that no output of it takes their place.
 *
 * A file is what the kernel takes for it, by device and inode number, whatever its name: a symbolic
 * or hard link to an input is that input. Pipes and character devices can be both.
 */
#ifndef XB_IO_INPUTS_H
#define XB_IO_INPUTS_H

#include "io/source.h"

struct input {
	char *name; /* owned */
	bool block;
	uint64_t dev, ino; /* of a block device its own number and 0 */
};

struct inputs {
	struct input *v;
	size_t nr, cap;
};

int inputs_add_source(struct inputs *in, const struct source *src, struct err *err) MUST_CHECK;
/* NULL: no file. "-" is standard input. Whether it is there is for those to say who open it. */
int inputs_add_path(struct inputs *in, const char *path, struct err *err) MUST_CHECK;
void inputs_fini(struct inputs *in);

/* ERR_REFUSED when writing to that path, or to what is open there, would change one of them. */
int inputs_refuse_path(const struct inputs *in, const char *path, struct err *err) MUST_CHECK;
int inputs_refuse_fd(const struct inputs *in, int fd, const char *name, struct err *err) MUST_CHECK;

#endif
