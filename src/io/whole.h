/* SPDX-License-Identifier: BSD-2-Clause
 *
 * whole.h - a file that appears under its name when it is whole, or not at all.
 *
 * Written under a temporary name in the same folder, synced, named, and then the folder is synced,
 * for a name is on the disk only when its folder is. Interrupted, there is none of that name. It is
 * for its owner alone whatever the umask: it may hold what a guest keeps for itself.
 */
#ifndef XB_IO_WHOLE_H
#define XB_IO_WHOLE_H

#include "base/err.h"

struct whole_file {
	char *path; /* owned; as it was given, for messages */
	char *temp; /* owned; where it can be read meanwhile */
	int fd;
	bool precious; /* nothing that is not synced is passed over */
};

#define WHOLE_INIT                                                                                 \
	{                                                                                          \
		.fd = -1                                                                           \
	}

int whole_open(struct whole_file *f, const char *path, bool precious, struct err *err) MUST_CHECK;
int whole_write(struct whole_file *f, uint64_t off, const void *buf, size_t len,
	struct err *err) MUST_CHECK;
/* Ends the file in any case. ERR_REFUSED: the name is taken, and not to be replaced. */
int whole_commit(struct whole_file *f, bool replace, struct err *err) MUST_CHECK;
void whole_drop(struct whole_file *f);

#endif
