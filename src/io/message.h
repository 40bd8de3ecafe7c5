/* SPDX-License-Identifier: BSD-2-Clause
 *
 * message.h - one message of a SOCK_SEQPACKET socket, of a size that both ends know, and a
 * descriptor beside it where it has one.
 */
#ifndef XB_IO_MESSAGE_H
#define XB_IO_MESSAGE_H

#include "base/util.h"

/* fd -1: none; it stays the caller's. False and errno. */
bool message_send(int socket, const void *message, size_t bytes, int fd) MUST_CHECK;

/*
 * False and errno; ECONNRESET: nobody is there, or does not know the words. *fd becomes the
 * caller's, -1 where none came, and on failure; NULL: none is taken.
 */
bool message_receive(int socket, void *message, size_t bytes, int *fd) MUST_CHECK;

#endif
