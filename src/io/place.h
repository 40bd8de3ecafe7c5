/* SPDX-License-Identifier: BSD-2-Clause
 *
 * place.h - where an output goes: the folder of its path, reached without following a symbolic link
 * that others may have put there.
 *
 * A link is followed where it is ours or root's and stands in a folder that not everybody can write
 * to. Each call walks the path anew and acts in the folder that it has reached, so that nothing
 * that is put in the way meanwhile leads elsewhere. They are door.h's calls, made where the door is
 * open: -1 and errno, which is ELOOP at such a link.
 */
#ifndef XB_IO_PLACE_H
#define XB_IO_PLACE_H

#include "base/err.h"

/* What is there, for writing. */
int place_open(const char *path, int flags) MUST_CHECK;
/* What is not there yet. */
int place_create(const char *path) MUST_CHECK;
/* A new file beside the path; *name is malloc'ed. */
int place_create_beside(const char *path, char **name) MUST_CHECK;
int place_mkdir(const char *path) MUST_CHECK;
/* The folder of both is the second one's. */
int place_rename(const char *from, const char *to, unsigned flags) MUST_CHECK;
int place_link(const char *from, const char *to) MUST_CHECK;
int place_unlink(const char *path);
int place_open_folder(const char *path) MUST_CHECK;

/* For messages: errno is of one of the above. */
int place_error(struct err *err, const char *what, const char *path);

#endif
