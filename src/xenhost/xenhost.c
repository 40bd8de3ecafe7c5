/* SPDX-License-Identifier: BSD-2-Clause */
#include "xenhost/xenhost.h"

#include <string.h>

#include "xenhost/xen_ops.h"

int xenhost_new(const struct xen_ops *ops, void *arg, struct xenhost **ret, struct err *err)
{
	struct xenhost *x = malloc(sizeof(*x));

	if (!x) {
		ops->close(arg);
		return err_nomem(err, "a handle of the hypervisor");
	}
	*x = (struct xenhost){ops, arg};
	*ret = x;
	return 0;
}

void xenhost_close(struct xenhost *x)
{
	if (!x)
		return;
	x->ops->close(x->arg);
	free(x);
}

void xenhost_version(struct xenhost *x, unsigned *ret_major, unsigned *ret_minor)
{
	x->ops->version(x->arg, ret_major, ret_minor);
}

int xenhost_find(struct xenhost *x, const char *word, uint32_t *ret, struct err *err)
{
	return x->ops->find(x->arg, word, ret, err);
}

int xenhost_domain(struct xenhost *x, uint32_t domid, struct xenhost_domain *ret, struct err *err)
{
	return x->ops->domain(x->arg, domid, ret, err);
}

uint32_t xenhost_own_domid(struct xenhost *x)
{
	return x->ops->own_domid(x->arg);
}

int xenhost_vbds(
	struct xenhost *x, uint32_t domid, struct xenhost_vbd **ret, size_t *nr, struct err *err)
{
	return x->ops->vbds(x->arg, domid, ret, nr, err);
}

int xenhost_read_frames(struct xenhost *x, uint32_t domid, const uint64_t *frames, size_t nr,
	uint8_t *buf, bool *ok, struct err *err)
{
	return x->ops->read_frames(x->arg, domid, frames, nr, buf, ok, err);
}

int xenhost_read_granted(
	struct xenhost *x, uint32_t domid, uint32_t ref, uint8_t *buf, struct err *err)
{
	return x->ops->read_granted(x->arg, domid, ref, buf, err);
}

int xenhost_p2m(struct xenhost *x, const struct xenhost_domain *dom, struct xenhost_p2m *ret,
	struct err *err)
{
	return x->ops->p2m(x->arg, dom, true, ret, err);
}

/* ---- the memory of a domain ---------------------------------------------------------------- */

struct view {
	struct xenhost *x; /* borrowed */
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

	return v->x->ops->hvm_param(v->x->arg, v->domid, index, ret);
}

int xenhost_read_cpus(
	struct xenhost *x, const struct xenhost_domain *dom, struct live_memory *m, struct err *err)
{
	struct xen_cpus cpus;

	if (x->ops->cpus(x->arg, dom, &cpus, err))
		return -1;
	live_memory_set_mode(m, cpus.word_bytes, cpus.pt_levels);
	return live_memory_set_cpus(m, cpus.v, cpus.nr) ? err_nomem(err, "the vcpus of a domain")
							: 0;
}

static struct view *new_view(struct xenhost *x, uint32_t domid)
{
	struct view *v = malloc(sizeof(*v));

	if (v)
		*v = (struct view){x, domid};
	return v;
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
	struct live_frames from = {new_view(x, dom->domid), read_frames, read_param, free};

	if (!from.arg)
		return err_nomem(err, "the memory of a domain");
	return live_memory_new(&facts, mfn, from, ret, err);
}

int xenhost_memory(struct xenhost *x, const struct xenhost_domain *dom, struct live_memory **ret,
	struct err *err)
{
	struct xenhost_p2m table = {0};
	int failed;

	/* Whose frames they are is not asked: Xen refuses to map those of others. */
	if (dom->is_pv && x->ops->p2m(x->arg, dom, false, &table, err))
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
