/* SPDX-License-Identifier: BSD-2-Clause
 *
 * err.h - errors as values.
 *
 * A function that can fail returns 0 or -1 and takes a caller-owned `struct err *` as its last
 * parameter. The text is one clause without a capital or a full stop; it gains context from the
 * inside out through err_in(). Nothing below the front door prints or exits. No allocation.
 * A caller who does not want to know the reason hands over NULL.
 */
#ifndef XB_BASE_ERR_H
#define XB_BASE_ERR_H

#include "base/util.h"

enum err_class {
	ERR_NONE,
	ERR_SYSTEM,	 /* the operating system said no: I/O, memory, permission, Xen call */
	ERR_CORRUPT,	 /* the input contradicts its own format, or ends too early */
	ERR_UNSUPPORTED, /* understood what it is, but this is not implemented */
	ERR_NODATA,	 /* a page that is needed is not in the checkpoint */
	ERR_NOTFOUND,	 /* looked for it, it is not there: address unmapped, no such symbol */
	ERR_REFUSED,	 /* unsafe; `override` is what lifts it, where anything does */
	ERR_USAGE,	 /* the user's words make no sense */
};

#define ERR_TEXT_BYTES 640

struct err {
	enum err_class cls;
	int sys_errno;	      /* meaningful for ERR_SYSTEM */
	const char *override; /* what would help, in a word ("in-use"), or NULL; the text does
				 not name the user's options, the front door does: cmd_hint() */
	char text[ERR_TEXT_BYTES];
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.cls = ERR_NONE                                                                    \
	}

/* Set a fresh error. Always returns -1. */
int err_set(struct err *err, enum err_class cls, const char *fmt, ...) PRINTF(3, 4);
/* ERR_SYSTEM from errno; appends the system's own text. Always returns -1. */
int err_sys(struct err *err, const char *fmt, ...) PRINTF(2, 3);
/* Say what would help: static text. Always returns -1. */
int err_override(struct err *err, const char *word);
/* Out of memory while doing `what`. Always returns -1. */
int err_nomem(struct err *err, const char *what);
/* Prepend context ("cannot read slot 7: " + what was there). Keeps the innermost text when it
 * does not fit; the cut is visible. Always returns -1. */
int err_in(struct err *err, const char *fmt, ...) PRINTF(2, 3);

#endif
