/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* UTF-8 for the ellipsis; marks the place where text was cut. */
#define CUT "\xe2\x80\xa6"

static void mark_cut(char *text, size_t cap, int wanted)
{
	if (wanted >= 0 && (size_t)wanted >= cap)
		memcpy(text + cap - sizeof(CUT), CUT, sizeof(CUT));
}

int err_set(struct err *err, enum err_class cls, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!err)
		return -1;
	err->cls = cls;
	err->sys_errno = 0;
	err->override = NULL;
	va_start(ap, fmt);
	n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	mark_cut(err->text, sizeof(err->text), n);
	return -1;
}

int err_override(struct err *err, const char *word)
{
	if (err)
		err->override = word;
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int saved = errno;
	char text[ERR_TEXT_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(err, ERR_SYSTEM, "%s: %s", text, strerror(saved));
	if (err)
		err->sys_errno = saved;
	return -1;
}

int err_nomem(struct err *err, const char *what)
{
	err_set(err, ERR_SYSTEM, "out of memory for %s", what);
	if (err)
		err->sys_errno = ENOMEM;
	return -1;
}

int err_in(struct err *err, const char *fmt, ...)
{
	char inner[ERR_TEXT_BYTES];
	char outer[ERR_TEXT_BYTES / 2];
	size_t inner_len, outer_len, room;
	va_list ap;
	int n;

	if (!err)
		return -1;
	inner_len = strlen(err->text);
	memcpy(inner, err->text, inner_len + 1);
	va_start(ap, fmt);
	n = vsnprintf(outer, sizeof(outer), fmt, ap);
	va_end(ap);
	mark_cut(outer, sizeof(outer), n);
	outer_len = strlen(outer);
	/* The cause matters most: keep all of the inner text and cut the context. */
	room = sizeof(err->text) - 1 - inner_len;
	if (room < sizeof(CUT) + 2)
		return -1;
	if (outer_len + 2 > room) {
		outer_len = room - 2 - (sizeof(CUT) - 1);
		memcpy(outer + outer_len, CUT, sizeof(CUT));
		outer_len += sizeof(CUT) - 1;
	}
	memcpy(err->text, outer, outer_len);
	memcpy(err->text + outer_len, ": ", 2);
	memcpy(err->text + outer_len + 2, inner, inner_len + 1);
	return -1;
}
