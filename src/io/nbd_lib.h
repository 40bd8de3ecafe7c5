/* SPDX-License-Identifier: BSD-2-Clause
 *
 * nbd_lib.h - libnbd, loaded when a disk needs it.
 *
 * Linked in, it would bring a TLS library into every run, whose start takes longer than `info` does
 * for all the rest; and most disks are raw.
 */
#ifndef XB_IO_NBD_LIB_H
#define XB_IO_NBD_LIB_H

#include "base/err.h"

#ifdef HAVE_NBD
#include <libnbd.h>
#else
#include "io/nbd_none.h"
#endif

#define NBD_LIB_FUNCTIONS(X)                                                                       \
	X(add_meta_context)                                                                        \
	X(block_status)                                                                            \
	X(can_flush)                                                                               \
	X(can_trim)                                                                                \
	X(close)                                                                                   \
	X(connect_socket)                                                                          \
	X(connect_systemd_socket_activation)                                                       \
	X(create)                                                                                  \
	X(flush)                                                                                   \
	X(get_errno)                                                                               \
	X(get_error)                                                                               \
	X(get_size)                                                                                \
	X(pread)                                                                                   \
	X(pwrite)                                                                                  \
	X(shutdown)                                                                                \
	X(trim)                                                                                    \
	X(zero)

/* nbd_create() is lib->create(), and so on. */
struct nbd_lib {
#define NBD_LIB_MEMBER(name) __typeof__(nbd_##name) *name;
	NBD_LIB_FUNCTIONS(NBD_LIB_MEMBER)
#undef NBD_LIB_MEMBER
};

/* *ret is malloc'ed; the library stays loaded. ERR_SYSTEM: it is not there. */
int nbd_lib_load(struct nbd_lib **ret, struct err *err) MUST_CHECK;

#endif
