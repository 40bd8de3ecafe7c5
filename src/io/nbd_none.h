/* SPDX-License-Identifier: BSD-2-Clause
 *
 * nbd_none.h - what stands in for libnbd.h in a build without it: the shapes of what io/disk.c
 * calls. Nothing of it is ever called, for nbd_lib_load() refuses (libnbd(3): the same names).
 */
#ifndef XB_IO_NBD_NONE_H
#define XB_IO_NBD_NONE_H

#include <stdint.h>
#include <sys/types.h>

#define LIBNBD_CONTEXT_BASE_ALLOCATION "base:allocation"
#define LIBNBD_STATE_ZERO	       2

struct nbd_handle;

typedef struct {
	int (*callback)(void *user_data, const char *metacontext, uint64_t offset,
		uint32_t *entries, size_t nr_entries, int *error);
	void *user_data;
	void (*free)(void *user_data);
} nbd_extent_callback;

struct nbd_handle *nbd_create(void);
void nbd_close(struct nbd_handle *h);
const char *nbd_get_error(void);
int nbd_get_errno(void);
int nbd_add_meta_context(struct nbd_handle *h, const char *name);
int nbd_connect_socket(struct nbd_handle *h, int sock);
int nbd_connect_systemd_socket_activation(struct nbd_handle *h, char **argv);
int nbd_can_flush(struct nbd_handle *h);
int nbd_can_trim(struct nbd_handle *h);
int64_t nbd_get_size(struct nbd_handle *h);
int nbd_pread(struct nbd_handle *h, void *buf, size_t count, uint64_t offset, uint32_t flags);
int nbd_pwrite(
	struct nbd_handle *h, const void *buf, size_t count, uint64_t offset, uint32_t flags);
int nbd_shutdown(struct nbd_handle *h, uint32_t flags);
int nbd_flush(struct nbd_handle *h, uint32_t flags);
int nbd_trim(struct nbd_handle *h, uint64_t count, uint64_t offset, uint32_t flags);
int nbd_zero(struct nbd_handle *h, uint64_t count, uint64_t offset, uint32_t flags);
int nbd_block_status(struct nbd_handle *h, uint64_t count, uint64_t offset,
	nbd_extent_callback extent_callback, uint32_t flags);

#endif
