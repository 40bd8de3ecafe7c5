/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool message_send(int socket, const void *message, size_t bytes, int fd)
{
	union control control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = bytes};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *c;
	ssize_t n;

	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(socket, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)bytes;
}

/* What came with a message that is none is closed. */
static bool refuse_message(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = ECONNRESET;
	return false;
}

bool message_receive(int socket, void *message, size_t bytes, int *fd)
{
	union control control = {0};
	struct iovec part = {.iov_base = message, .iov_len = bytes};
	/* Room for one: the kernel closes the rest. */
	struct msghdr m = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = fd ? control.bytes : NULL,
		.msg_controllen = fd ? CMSG_LEN(sizeof(int)) : 0};
	struct cmsghdr *c;
	int none = -1, *to = fd ? fd : &none;
	ssize_t n;

	*to = -1;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(to, CMSG_DATA(c), sizeof(int));
	return (n == (ssize_t)bytes && !(m.msg_flags & MSG_TRUNC)) || refuse_message(to);
}
