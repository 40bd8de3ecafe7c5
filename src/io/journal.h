/* SPDX-License-Identifier: BSD-2-Clause
 *
 * journal.h - entries with fields for the system's journal, or its log.
 *
 * systemd's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram an entry, a line a
 * field, "NAME=value"; a value that holds a newline goes with its length. One write() on a
 * connected socket sends it, so that a confined process can.
 *
 * A log daemon that knows no fields (RFC 3164) takes "<PRIORITY>xbdsnap[PID]: MESSAGE", with the
 * fields behind it as name="value": without XBDSNAP_, in small letters, the quote and the backslash
 * behind a backslash, the bytes below a space as question marks. It has a clock of its own.
 */
#ifndef XB_IO_JOURNAL_H
#define XB_IO_JOURNAL_H

#include "base/err.h"

/* The journal's own socket (systemd-journald.service(8)). */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
/* That of log daemons (syslog(3)). */
#define SYSLOG_SOCKET "/dev/log"

enum journal_form {
	JOURNAL_NATIVE,
	JOURNAL_SYSLOG,
};

/* Priorities of syslog(3) that are in use. */
enum journal_priority {
	JOURNAL_ERROR = 3,
	JOURNAL_WARNING = 4,
	JOURNAL_INFO = 6,
};

/* A longer value is cut; a field for which there is no room is left out. */
#define JOURNAL_VALUE_BYTES 1024u
#define JOURNAL_ENTRY_BYTES 8192u

struct journal_entry {
	enum journal_form form;
	char data[JOURNAL_ENTRY_BYTES];
	size_t bytes;
};

/* A socket to send entries with, or -1. Whoever sends waits a second at most. */
int journal_connect(const char *path, struct err *err) MUST_CHECK;

void journal_begin(struct journal_entry *e, enum journal_form form, enum journal_priority priority,
	const char *message);
/* The name: capitals, digits and underscores. */
void journal_add(struct journal_entry *e, const char *name, const char *value);
void journal_add_num(struct journal_entry *e, const char *name, uint64_t value);
int journal_send(int fd, const struct journal_entry *e, struct err *err) MUST_CHECK;

#endif
