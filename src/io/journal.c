/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/journal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/num.h"

int journal_connect(const char *path, struct err *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 1};
	CLEANUP_CLOSE int fd = -1;
	int ret;

	if (strlen(path) >= sizeof(name.sun_path))
		return err_set(err, ERR_USAGE, "%s: too long for the name of a socket", path);
	memcpy(name.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return err_sys(err, "cannot make a socket");
	if (connect(fd, (const struct sockaddr *)&name, sizeof(name)))
		return err_sys(err, "%s: nobody takes entries there", path);
	ret = fd;
	fd = -1;
	return ret;
}

static void put_bytes(struct journal_entry *e, const void *data, size_t n)
{
	memcpy(e->data + e->bytes, data, n);
	e->bytes += n;
}

static void put_printable(struct journal_entry *e, unsigned char c)
{
	if (c < ' ' || c == 0x7f)
		c = '?';
	put_bytes(e, &c, 1);
}

static void add_to_line(struct journal_entry *e, const char *name, const char *value)
{
	size_t named = strlen(name), n = strnlen(value, JOURNAL_VALUE_BYTES), i;

	if (named + 2 * n + sizeof(" =\"\"") > sizeof(e->data) - e->bytes)
		return;
	if (!strncmp(name, "XBDSNAP_", strlen("XBDSNAP_")))
		name += strlen("XBDSNAP_");
	put_bytes(e, " ", 1);
	for (; *name; name++)
		put_printable(e, (unsigned char)tolower((unsigned char)*name));
	put_bytes(e, "=\"", 2);
	for (i = 0; i < n; i++) {
		if (value[i] == '"' || value[i] == '\\')
			put_bytes(e, "\\", 1);
		put_printable(e, (unsigned char)value[i]);
	}
	put_bytes(e, "\"", 1);
}

static void add_field(struct journal_entry *e, const char *name, const char *value)
{
	size_t named = strlen(name), n = strnlen(value, JOURNAL_VALUE_BYTES);
	unsigned char length[8];

	/* The longer of the two ways. */
	if (named + n + sizeof(length) + 2 > sizeof(e->data) - e->bytes)
		return;
	put_bytes(e, name, named);
	if (memchr(value, '\n', n)) {
		num_put_le64(length, n);
		put_bytes(e, "\n", 1);
		put_bytes(e, length, sizeof(length));
	} else {
		put_bytes(e, "=", 1);
	}
	put_bytes(e, value, n);
	put_bytes(e, "\n", 1);
}

void journal_add(struct journal_entry *e, const char *name, const char *value)
{
	if (e->form == JOURNAL_SYSLOG)
		add_to_line(e, name, value);
	else
		add_field(e, name, value);
}

void journal_add_num(struct journal_entry *e, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	journal_add(e, name, text);
}

static void begin_line(struct journal_entry *e, enum journal_priority priority, const char *message)
{
	char head[48];
	size_t i;

	snprintf(
		head, sizeof(head), "<%d>xbdsnap[%d]: ", LOG_DAEMON | (int)priority, (int)getpid());
	put_bytes(e, head, strlen(head));
	for (i = 0; i < JOURNAL_VALUE_BYTES && message[i]; i++)
		put_printable(e, (unsigned char)message[i]);
}

void journal_begin(struct journal_entry *e, enum journal_form form, enum journal_priority priority,
	const char *message)
{
	e->form = form;
	e->bytes = 0;
	if (form == JOURNAL_SYSLOG) {
		begin_line(e, priority, message);
		return;
	}
	journal_add(e, "MESSAGE", message);
	journal_add_num(e, "PRIORITY", priority);
	journal_add(e, "SYSLOG_IDENTIFIER", "xbdsnap");
	journal_add_num(e, "SYSLOG_PID", (uint64_t)getpid());
}

int journal_send(int fd, const struct journal_entry *e, struct err *err)
{
	ssize_t n;

	do
		n = write(fd, e->data, e->bytes);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(err, "the journal took no entry") : 0;
}
