/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_ops.h - who answers what xenhost.h asks: the libraries in this process (xen_host.c), or a
 * process that has them (door_ask.c). Private to this folder.
 */
#ifndef XB_XENHOST_XEN_OPS_H
#define XB_XENHOST_XEN_OPS_H

#include "xenhost/live_memory.h"
#include "xenhost/xenhost.h"

/* Xen's own limits: HVM 128, PV 8192 in theory and 512 in practice. */
#define XEN_MAX_VCPUS 512u

/* The registers of all vcpus, and the mode of the first. */
struct xen_cpus {
	struct live_cpu v[XEN_MAX_VCPUS];
	size_t nr;
	unsigned word_bytes, pt_levels;
};

/* As the functions of xenhost.h that have these names. */
struct xen_ops {
	void (*close)(void *arg);
	void (*version)(void *arg, unsigned *ret_major, unsigned *ret_minor);
	int (*find)(void *arg, const char *word, uint32_t *ret, struct err *err);
	int (*domain)(void *arg, uint32_t domid, struct xenhost_domain *ret, struct err *err);
	uint32_t (*own_domid)(void *arg);
	int (*vbds)(
		void *arg, uint32_t domid, struct xenhost_vbd **ret, size_t *nr, struct err *err);
	int (*read_frames)(void *arg, uint32_t domid, const uint64_t *frames, size_t nr,
		uint8_t *buf, bool *ok, struct err *err);
	int (*read_granted)(void *arg, uint32_t domid, uint32_t ref, uint8_t *buf, struct err *err);
	bool (*hvm_param)(void *arg, uint32_t domid, uint64_t index, uint64_t *ret);
	int (*cpus)(
		void *arg, const struct xenhost_domain *dom, struct xen_cpus *ret, struct err *err);
	/* checked: each entry is held against its frame's owner. */
	int (*p2m)(void *arg, const struct xenhost_domain *dom, bool checked,
		struct xenhost_p2m *ret, struct err *err);
};

struct xenhost {
	const struct xen_ops *ops;
	void *arg;
};

/* Takes over arg, also on failure. */
int xenhost_new(
	const struct xen_ops *ops, void *arg, struct xenhost **ret, struct err *err) MUST_CHECK;

#endif
