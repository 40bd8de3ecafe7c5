/* SPDX-License-Identifier: BSD-2-Clause
 *
 * image_server.h - qemu-nbd for a process that cannot run it: who can starts the server, connects,
 * and hands over the connection. The server only reads, and ends when the connection does.
 */
#ifndef XB_IO_IMAGE_SERVER_H
#define XB_IO_IMAGE_SERVER_H

#include <sys/types.h>

#define IMAGE_MAX_SERVERS 64u

struct image_servers {
	pid_t pid[IMAGE_MAX_SERVERS]; /* 0: none */
};

/* A socket; -1 and errno. `format` is qemu's word (disk_format_of_qemu()). */
int image_serve(struct image_servers *s, const char *path, const char *format);
/* All of them end now, and with them their locks. */
void image_servers_stop(struct image_servers *s);

#endif
