/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_p2m.c - the p2m of a live PV domain, three ways.
 *
 * 1. Through p2m_vaddr and the guest's own page tables: right in every state of the domain.
 * 2. xc_map_domain_meminfo(): trusts shared_info.arch.p2m_cr3, which is the source host's until
 *    the guest resumes; it fails then, or on the same host could even name a frame of the
 *    domain's. So it is only a comparison, or the way for guests without p2m_vaddr.
 * 3. The hypervisor's machine-to-phys table, with the ownership of each frame: independent of what
 *    the guest says of its table, but it looks at all machine memory. The last resort.
 *
 * Whatever gave the table, each entry must be a frame that the domain owns and that the
 * machine-to-phys table maps back.
 */
#ifdef HAVE_XEN
#include "xenhost/xen_priv.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "guest/p2m.h"

/* In libxenctrl 4.17, but in no public header. XEN_DOMCTL_getpageframeinfo3: in, frames; out, the
 * type in the top nibble of 32 bits, or the XTAB type for a frame that is not the domain's. */
int xc_get_pfn_type_batch(xc_interface *xch, uint32_t dom, unsigned int num, xen_pfn_t *arr)
	__attribute__((weak));

#define TYPE_BATCH 1024u
/* libxenguest maps the table in pieces of 2 MiB (M2P_SHIFT of xg_private.h). */
#define M2P_PIECE (UINT64_C(1) << 21)

struct m2p {
	xen_pfn_t *table; /* NULL: could not be mapped */
	unsigned long nr;
};

static void m2p_map(struct xen_handles *x, struct m2p *m)
{
	unsigned long mfn0;

	m->table = NULL;
	m->nr = 0;
	if (xc_maximum_ram_page(x->xch, &m->nr) || !m->nr)
		return;
	m->table = xc_map_m2p(x->xch, m->nr, PROT_READ, &mfn0);
}

static void m2p_unmap(struct m2p *m)
{
	uint64_t bytes = (uint64_t)m->nr * sizeof(*m->table);

	if (m->table)
		munmap(m->table, (bytes + M2P_PIECE - 1) & ~(M2P_PIECE - 1));
}

static uint64_t translate_address(void *arg, uint64_t va)
{
	void *const *both = arg;
	const struct xenhost_domain *dom = both[1];
	struct xen_handles *x = both[0];

	return xc_translate_foreign_address(x->xch, dom->domid, 0, va);
}

static bool read_table_frame(void *arg, uint64_t frame, uint8_t *buf)
{
	void *const *both = arg;
	const struct xenhost_domain *dom = both[1];

	return xen_read_frame(both[0], dom->domid, frame, buf);
}

/* arch_shared_info.p2m_vaddr; 0 when the guest does not publish it. */
static int p2m_address(
	struct xen_handles *x, const struct xenhost_domain *dom, uint64_t *ret, struct err *err)
{
	uint8_t page[PAGE_BYTES];
	shared_info_any_t info;

	if (!xen_read_frame(x, dom->domid, dom->shared_info, page))
		return err_sys(err, "cannot map the shared info of domain %u (frame 0x%" PRIx64 ")",
			dom->domid, dom->shared_info);
	_Static_assert(sizeof(info) <= PAGE_BYTES, "shared_info is one page");
	memcpy(&info, page, sizeof(info));
	*ret = dom->word_bytes == 8 ? info.x64.arch.p2m_vaddr : info.x32.arch.p2m_vaddr;
	return 0;
}

/* False when the guest publishes no address, or nothing is mapped there. */
static int by_address(struct xen_handles *x, struct xenhost_domain *dom, uint64_t *mfn, bool *ret,
	struct err *err)
{
	void *both[2] = {x, dom};
	const struct xenhost_memory mem = {both, translate_address, read_table_frame};
	uint64_t va;

	*ret = false;
	if (p2m_address(x, dom, &va, err))
		return -1;
	*ret = xenhost_walk_p2m(&mem, va, dom->word_bytes, mfn, dom->nr_pfns) > 0;
	return 0;
}

static bool by_meminfo(struct xen_handles *x, const struct xenhost_domain *dom, uint64_t *mfn)
{
	struct xc_domain_meminfo info;
	uint64_t i;

	memset(&info, 0, sizeof(info));
	if (xc_map_domain_meminfo(x->xch, dom->domid, &info))
		return false;
	for (i = 0; i < dom->nr_pfns; i++) {
		uint64_t v = UINT64_MAX;

		if (i < info.p2m_size && info.guest_width == 8)
			v = ((const uint64_t *)info.p2m_table)[i];
		else if (i < info.p2m_size)
			v = ((const uint32_t *)info.p2m_table)[i];
		mfn[i] = p2m_entry_frame(v, info.guest_width);
	}
	xc_unmap_domain_meminfo(x->xch, &info);
	return true;
}

/* Turn frames into "is the domain's". */
static bool are_owned(struct xen_handles *x, uint32_t domid, xen_pfn_t *frames, unsigned nr)
{
	unsigned i;

	if (!xc_get_pfn_type_batch || xc_get_pfn_type_batch(x->xch, domid, nr, frames))
		return false;
	for (i = 0; i < nr; i++)
		frames[i] = (frames[i] & XEN_DOMCTL_PFINFO_LTAB_MASK) != XEN_DOMCTL_PFINFO_XTAB;
	return true;
}

struct m2p_scan {
	struct xen_handles *x;
	const struct xenhost_domain *dom;
	uint64_t *mfn, nr_found;
	xen_pfn_t batch[TYPE_BATCH];
	/* The pfn is read once: the guest may change its entry of the live table at any time. */
	uint64_t frame[TYPE_BATCH], pfn[TYPE_BATCH];
	unsigned n;
};

static bool flush_scan(struct m2p_scan *s)
{
	unsigned i;

	if (!are_owned(s->x, s->dom->domid, s->batch, s->n))
		return false;
	for (i = 0; i < s->n; i++) {
		if (!s->batch[i])
			continue;
		s->mfn[s->pfn[i]] = s->frame[i];
		s->nr_found++;
	}
	s->n = 0;
	return true;
}

/* Every frame of the machine that the domain owns and the hypervisor maps to one of its pfns. */
static bool by_m2p(struct xen_handles *x, const struct xenhost_domain *dom, const struct m2p *m2p,
	uint64_t *mfn)
{
	CLEANUP_FREE struct m2p_scan *s = calloc(1, sizeof(*s));
	unsigned long frame;
	uint64_t i;

	if (!s || !m2p->table)
		return false;
	s->x = x;
	s->dom = dom;
	s->mfn = mfn;
	for (i = 0; i < dom->nr_pfns; i++)
		mfn[i] = UINT64_MAX;
	for (frame = 0; frame < m2p->nr; frame++) {
		uint64_t pfn = *(const volatile xen_pfn_t *)&m2p->table[frame];

		if (pfn >= dom->nr_pfns)
			continue;
		s->pfn[s->n] = pfn;
		s->frame[s->n] = frame;
		s->batch[s->n++] = frame;
		if (s->n == TYPE_BATCH && !flush_scan(s))
			return false;
	}
	return (!s->n || flush_scan(s)) && s->nr_found;
}

/* Entries of a batch: drop those whose frame is not the domain's or maps back elsewhere. */
static bool check_batch(struct xen_handles *x, const struct xenhost_domain *dom,
	const struct m2p *m2p, struct xenhost_p2m *t, const uint64_t *pfns, unsigned n)
{
	xen_pfn_t frames[TYPE_BATCH];
	unsigned i;

	for (i = 0; i < n; i++)
		frames[i] = (xen_pfn_t)t->mfn[pfns[i]];
	if (!are_owned(x, dom->domid, frames, n))
		return false;
	for (i = 0; i < n; i++) {
		uint64_t mfn = t->mfn[pfns[i]];

		if (!frames[i]) {
			t->nr_foreign++;
			t->mfn[pfns[i]] = UINT64_MAX;
		} else if (mfn >= m2p->nr || m2p->table[mfn] != pfns[i]) {
			t->nr_differ++;
		}
	}
	return true;
}

static void check_ownership(struct xen_handles *x, const struct xenhost_domain *dom,
	const struct m2p *m2p, struct xenhost_p2m *t)
{
	uint64_t pfns[TYPE_BATCH], i;
	unsigned n = 0;

	if (!m2p->table)
		return;
	for (i = 0; i < t->nr; i++) {
		if (t->mfn[i] == UINT64_MAX)
			continue;
		pfns[n++] = i;
		if (n == TYPE_BATCH) {
			if (!check_batch(x, dom, m2p, t, pfns, n))
				return;
			n = 0;
		}
	}
	if (!n || check_batch(x, dom, m2p, t, pfns, n))
		t->checked = t->checked
				     ? "xc_map_domain_meminfo, the machine-to-phys table and the "
				       "owner of each frame"
				     : "the machine-to-phys table and the owner of each frame";
}

/* The ways in their order; `other` is for the comparison. */
static int collect_frames(struct xen_handles *x, const struct xenhost_domain *dom,
	const struct m2p *m2p, struct xenhost_p2m *t, uint64_t *other, struct err *err)
{
	struct xenhost_domain copy = *dom;
	bool ok;

	if (by_address(x, &copy, t->mfn, &ok, err))
		return -1;
	if (ok) {
		t->how = "p2m_vaddr";
		if (by_meminfo(x, dom, other)) {
			t->checked = "xc_map_domain_meminfo";
			t->nr_differ = xenhost_count_differences(t->mfn, other, t->nr);
		}
		return 0;
	}
	if (by_m2p(x, dom, m2p, t->mfn)) {
		t->how = "the machine-to-phys table and the owner of each frame";
		t->checked = t->how;
		return 0;
	}
	if (!by_meminfo(x, dom, t->mfn))
		return err_sys(err,
			"cannot find the p2m of domain %u: it publishes no address, and "
			"xc_map_domain_meminfo failed",
			dom->domid);
	t->how = "xc_map_domain_meminfo";
	return 0;
}

/* Only where the guest publishes the table's address; false: it does not. */
static int read_unchecked(struct xen_handles *x, const struct xenhost_domain *dom,
	struct xenhost_p2m *ret, bool *ret_ok, struct err *err)
{
	struct xenhost_p2m t = {.nr = dom->nr_pfns, .how = "p2m_vaddr"};
	struct xenhost_domain copy = *dom;
	int failed;

	t.mfn = calloc(t.nr + 1, sizeof(*t.mfn));
	if (!t.mfn)
		return err_nomem(err, "a table of frames");
	failed = by_address(x, &copy, t.mfn, ret_ok, err);
	if (!failed && *ret_ok)
		*ret = t;
	else
		free(t.mfn);
	return failed;
}

static int read_checked(struct xen_handles *x, const struct xenhost_domain *dom,
	struct xenhost_p2m *ret, struct err *err)
{
	struct xenhost_p2m t = {.nr = dom->nr_pfns};
	CLEANUP_FREE uint64_t *other = NULL;
	struct m2p m2p;
	uint64_t i;
	int failed;

	if (!dom->is_pv) {
		err_set(err, ERR_UNSUPPORTED,
			"domain %u is no PV domain: its pfns are its frames, there is nothing to "
			"translate",
			dom->domid);
		return err_override(err, "said");
	}
	if (!t.nr)
		return err_set(err, ERR_NOTFOUND, "domain %u has no memory", dom->domid);
	t.mfn = calloc(t.nr, sizeof(*t.mfn));
	other = calloc(t.nr, sizeof(*other));
	if (!t.mfn || !other) {
		free(t.mfn);
		return err_nomem(err, "a table of frames");
	}
	m2p_map(x, &m2p);
	failed = collect_frames(x, dom, &m2p, &t, other, err);
	/* What the third way gave is that table. */
	if (!failed && t.checked != t.how)
		check_ownership(x, dom, &m2p, &t);
	m2p_unmap(&m2p);
	if (failed) {
		free(t.mfn);
		return -1;
	}
	for (i = 0; i < t.nr; i++)
		t.nr_valid += t.mfn[i] != UINT64_MAX;
	*ret = t;
	return 0;
}

int xen_p2m(void *arg, const struct xenhost_domain *dom, bool checked, struct xenhost_p2m *ret,
	struct err *err)
{
	bool ok = false;

	if (!checked && read_unchecked(arg, dom, ret, &ok, err))
		return -1;
	return ok ? 0 : read_checked(arg, dom, ret, err);
}

#endif
