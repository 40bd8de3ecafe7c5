/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_live.c - a live domain as a source of memory: its vcpus' registers and its frames, through
 * libxenctrl. Nothing of the domain is changed. The hypervisor itself holds a vcpu for the
 * microseconds in which it reads the registers.
 */
#ifdef HAVE_XEN
#include "xenhost/xen_priv.h"

#include <string.h>
#include <xen/hvm/save.h>

#include "xenhost/live_memory.h"
#include "xenhost/pause.h"

/* Xen's own limits: HVM 128, PV 8192 in theory and 512 in practice. */
#define MAX_VCPUS 512u

#define CR0_PG	 (UINT64_C(1) << 31)
#define CR4_PAE	 (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define EFER_LMA (UINT64_C(1) << 10)
/* The descriptor's privilege level in the attributes of SS is the vcpu's (AMD64 manual, volume 2,
 * 15.5.1). */
#define ARBYTES_DPL(a) ((a) >> 5 & 3)

struct view {
	struct xenhost *x;
	uint32_t domid;
};

static void read_frames(void *arg, const uint64_t *frames, size_t nr, uint8_t *buf, bool *ok)
{
	struct view *v = arg;

	if (xenhost_read_frames(v->x, v->domid, frames, nr, buf, ok, NULL))
		memset(ok, 0, nr * sizeof(*ok));
}

static bool read_param(void *arg, uint64_t index, uint64_t *ret)
{
	struct view *v = arg;

	return index < HVM_NR_PARAMS &&
	       !xc_hvm_param_get(v->x->xch, v->domid, (uint32_t)index, ret);
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
static bool read_hvm_cpu(struct xenhost *x, const struct xenhost_domain *dom, uint32_t vcpu,
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
static bool read_pv_cpu(struct xenhost *x, const struct xenhost_domain *dom, uint32_t vcpu,
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

int xenhost_read_cpus(
	struct xenhost *x, const struct xenhost_domain *dom, struct live_memory *m, struct err *err)
{
	struct live_cpu cpus[MAX_VCPUS];
	unsigned levels = 0, first = 0;
	size_t nr = 0;
	uint32_t i;

	for (i = 0; i < MIN(dom->nr_vcpu_ids, MAX_VCPUS); i++) {
		bool got = dom->is_pv ? read_pv_cpu(x, dom, i, &cpus[nr], &levels)
				      : read_hvm_cpu(x, dom, i, &cpus[nr], &levels);

		if (got && !first)
			first = levels;
		nr += got;
	}
	if (!nr)
		return err_sys(err, "cannot read the registers of domain %u", dom->domid);
	live_memory_set_mode(m,
		dom->is_pv		   ? dom->word_bytes
		: first == 2 || first == 3 ? 4
					   : 8,
		first);
	return live_memory_set_cpus(m, cpus, nr) ? err_nomem(err, "the vcpus of a domain") : 0;
}

static int new_memory(struct xenhost *x, const struct xenhost_domain *dom, const uint64_t *mfn,
	struct live_memory **ret, struct err *err)
{
	struct live_facts facts = {
		.type = dom->is_pv    ? CKPT_GUEST_PV
			: dom->is_pvh ? CKPT_GUEST_PVH
				      : CKPT_GUEST_HVM,
		.nr_pfns = dom->nr_pfns,
		.nr_pages = dom->nr_pages,
		.suspended = xenhost_is_still(dom),
	};
	struct view *v = calloc(1, sizeof(*v));
	struct live_frames from = {v, read_frames, read_param, free};

	if (!v)
		return err_nomem(err, "the memory of a domain");
	*v = (struct view){x, dom->domid};
	return live_memory_new(&facts, mfn, from, ret, err);
}

int xenhost_memory(struct xenhost *x, const struct xenhost_domain *dom, struct live_memory **ret,
	struct err *err)
{
	struct xenhost_p2m table = {0};
	int failed;

	if (dom->is_pv && xenhost_p2m_unchecked(x, dom, &table, err))
		return -1;
	failed = new_memory(x, dom, table.mfn, ret, err);
	xenhost_p2m_fini(&table);
	if (failed)
		return -1;
	if (!xenhost_read_cpus(x, dom, *ret, err))
		return 0;
	live_memory_free(*ret);
	return -1;
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

int xenhost_pause(struct xenhost *x UNUSED, const struct xenhost_domain *dom,
	struct pause_hold **ret, struct err *err)
{
	const struct pause_ops ops = {(void *)(uintptr_t)dom->domid, open_pauser, pause_domain,
		unpause_domain, close_pauser, PAUSE_LIMIT_MS};

	return pause_begin(&ops, ret, err);
}

#endif
