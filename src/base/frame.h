/* SPDX-License-Identifier: BSD-2-Clause
 *
 * frame.h - the three kinds of number that must never be mixed up.
 *
 * pfn: guest pseudo-physical frame number (for HVM and PVH: gfn, which is the same thing there).
 * mfn: machine frame number, of the source host or of the target host; the variable says which.
 * gva: guest virtual address, in bytes.
 */
#ifndef XB_BASE_FRAME_H
#define XB_BASE_FRAME_H

#include <stdint.h>

typedef struct {
	uint64_t v;
} pfn_t;

typedef struct {
	uint64_t v;
} mfn_t;

typedef struct {
	uint64_t v;
} gva_t;

#define PFN(x) ((pfn_t){(x)})
#define MFN(x) ((mfn_t){(x)})
#define GVA(x) ((gva_t){(x)})

#define PAGE_SHIFT	 12
#define PAGE_BYTES	 4096u
#define PAGE_OFFSET_MASK 4095u
#define SECTOR_BYTES	 512u /* always; a device's own block size is something else */

#define MFN_NONE MFN(UINT64_MAX)

/* Ids of domains from here on are the hypervisor's own (DOMID_FIRST_RESERVED, public/xen.h). */
#define XEN_FIRST_RESERVED_DOMID 0x7ff0u

static inline gva_t gva_add(gva_t a, uint64_t bytes)
{
	return GVA(a.v + bytes);
}

#endif
