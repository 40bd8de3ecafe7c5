/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_live.c - a live domain as a source of memory: its vcpus' registers and its frames, through
 * libxenctrl. Nothing of the domain is changed. The hypervisor itself holds a vcpu for the
 * microseconds in which it reads the registers.
 */
#ifdef HAVE_XEN
#include "xenhost/xen_priv.h"

#include <xen/hvm/save.h>

#include "xenhost/pause.h"

#define CR0_PG	 (UINT64_C(1) << 31)
#define CR4_PAE	 (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)
/* The descriptor's privilege level in the attributes of SS is the vcpu's (AMD64 manual, volume 2,
 * 15.5.1). */
#define ARBYTES_DPL(a) ((a) >> 5 & 3)

bool xen_hvm_param(void *arg, uint32_t domid, uint64_t index, uint64_t *ret)
{
	struct xen_handles *x = arg;

	return index < HVM_NR_PARAMS && !xc_hvm_param_get(x->xch, domid, (uint32_t)index, ret);
}

static unsigned levels_of(const struct hvm_hw_cpu *c)
{
	if (!(c->cr0 & CR0_PG))
		return 0;
	if (c->msr_efer & EFER_LMA)
		return c->cr4 & CR4_LA57 ? 5 : 4;
	return c->cr4 & CR4_PAE ? 3 : 2;
}

/* Bits 63-52 are no part of the address. The top table of PAE paging has 32 bytes: Intel SDM volume
 * 3, 4.4.1. */
static bool read_hvm_cpu(struct xen_handles *x, const struct xenhost_domain *dom, uint32_t vcpu,
	struct live_cpu *ret, unsigned *ret_levels)
{
	struct hvm_hw_cpu c;

	if (xc_domain_hvm_getcontext_partial(
		    x->xch, dom->domid, HVM_SAVE_CODE(CPU), (uint16_t)vcpu, &c, sizeof(c)))
		return false;
	*ret_levels = levels_of(&c);
	*ret = (struct live_cpu){
		.vcpu = vcpu,
		.paging = *ret_levels != 0,
		.user = ARBYTES_DPL(c.ss_arbytes) == 3,
		.cr3_frame = (c.cr3 & ((UINT64_C(1) << 52) - 1)) >> PAGE_SHIFT,
		.offset = *ret_levels == 3 ? (unsigned)(c.cr3 & 0xfe0) : 0,
	};
	return true;
}

/* The kernel's top table, also while the vcpu is in user mode: that has one of its own. */
static bool read_pv_cpu(struct xen_handles *x, const struct xenhost_domain *dom, uint32_t vcpu,
	struct live_cpu *ret, unsigned *ret_levels)
{
	vcpu_guest_context_any_t c;

	if (xc_vcpu_getcontext(x->xch, dom->domid, vcpu, &c))
		return false;
	*ret_levels = dom->word_bytes == 8 ? 4 : 3;
	*ret = (struct live_cpu){
		.vcpu = vcpu,
		.paging = true,
		.cr3_frame = dom->word_bytes == 8 ? xen_cr3_to_pfn_x86_64(c.x64.ctrlreg[3])
						  : xen_cr3_to_pfn_x86_32(c.x32.ctrlreg[3]),
	};
	return true;
}

int xen_read_cpus(
	void *arg, const struct xenhost_domain *dom, struct xen_cpus *ret, struct err *err)
{
	struct xen_handles *x = arg;
	unsigned levels = 0, first = 0;
	size_t nr = 0;
	uint32_t i;

	for (i = 0; i < MIN(dom->nr_vcpu_ids, XEN_MAX_VCPUS); i++) {
		bool got = dom->is_pv ? read_pv_cpu(x, dom, i, &ret->v[nr], &levels)
				      : read_hvm_cpu(x, dom, i, &ret->v[nr], &levels);

		if (got && !first)
			first = levels;
		nr += got;
	}
	if (!nr)
		return err_sys(err, "cannot read the registers of domain %u", dom->domid);
	ret->nr = nr;
	ret->pt_levels = first;
	ret->word_bytes = dom->is_pv ? dom->word_bytes : first == 2 || first == 3 ? 4 : 8;
	return 0;
}

/* ---- pausing ------------------------------------------------------------------------------ */

struct pauser {
	xc_interface *xch;
	xentoollog_logger quiet;
	uint32_t domid;
};

/* Of its own: the memory that a handle makes hypercalls with is not inherited. */
static void *open_pauser(void *arg)
{
	struct pauser *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->domid = (uint32_t)(uintptr_t)arg;
	xen_silence(&p->quiet);
	p->xch = xc_interface_open(&p->quiet, &p->quiet, 0);
	if (p->xch)
		return p;
	free(p);
	return NULL;
}

static int pause_domain(void *handle)
{
	struct pauser *p = handle;

	return xc_domain_pause(p->xch, p->domid);
}

static int unpause_domain(void *handle)
{
	struct pauser *p = handle;

	return xc_domain_unpause(p->xch, p->domid);
}

static void close_pauser(void *handle)
{
	struct pauser *p = handle;

	xc_interface_close(p->xch);
	free(p);
}

int xenhost_pause(const struct xenhost_domain *dom, struct pause_hold **ret, struct err *err)
{
	const struct pause_ops ops = {(void *)(uintptr_t)dom->domid, open_pauser, pause_domain,
		unpause_domain, close_pauser, PAUSE_LIMIT_MS};

	return pause_begin(&ops, ret, err);
}

#endif
