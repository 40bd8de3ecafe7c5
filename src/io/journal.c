/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
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
		return err_sys(err, "%s: no journal there", path);
	ret = fd;
	fd = -1;
	return ret;
}

static void put_bytes(struct journal_entry *e, const void *data, size_t n)
{
	memcpy(e->data + e->bytes, data, n);
	e->bytes += n;
}

void journal_add(struct journal_entry *e, const char *name, const char *value)
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

void journal_add_num(struct journal_entry *e, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	journal_add(e, name, text);
}

void journal_begin(struct journal_entry *e, enum journal_priority priority, const char *message)
{
	e->bytes = 0;
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
