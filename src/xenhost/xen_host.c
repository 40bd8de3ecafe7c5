/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_host.c - domains, frames and xenstore through libxenctrl and libxenstore (4.17).
 */
#ifdef HAVE_XEN
#include "xenhost/xen_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/num.h"

#define MAP_BATCH 256u

/* A table may be larger than the domain's memory by the hole below 4 GiB (1M frames). What it
 * claims beyond that is not believed: it is the guest that says how far its table goes. */
#define PFN_SLACK (UINT64_C(1) << 20)

static void say_nothing(xentoollog_logger *logger UNUSED, xentoollog_level level UNUSED,
	int errnoval UNUSED, const char *context UNUSED, const char *format UNUSED,
	va_list al UNUSED)
{
}

static void destroy_nothing(xentoollog_logger *logger UNUSED)
{
}

void xen_silence(xentoollog_logger *logger)
{
	*logger = (xentoollog_logger){.vmessage = say_nothing, .destroy = destroy_nothing};
}

static char *store_read(void *arg, const char *path)
{
	struct xen_handles *x = arg;
	unsigned len;

	return xs_read(x->xs, XBT_NULL, path, &len);
}

static char **store_list(void *arg, const char *path, unsigned *nr)
{
	struct xen_handles *x = arg;

	return xs_directory(x->xs, XBT_NULL, path, nr);
}

static int read_vbds(
	void *arg, uint32_t domid, struct xenhost_vbd **ret, size_t *nr, struct err *err)
{
	const struct xenhost_store store = {arg, store_read, store_list};

	return xenhost_vbds_from(&store, domid, ret, nr, err);
}

static void read_version(void *arg, unsigned *ret_major, unsigned *ret_minor)
{
	struct xen_handles *x = arg;
	int version = xc_version(x->xch, XENVER_version, NULL);

	*ret_major = version > 0 ? (unsigned)version >> 16 : 0;
	*ret_minor = version > 0 ? (unsigned)version & 0xffff : 0;
}

static int find_domain(void *arg, const char *word, uint32_t *ret, struct err *err)
{
	const struct xenhost_store store = {arg, store_read, store_list};

	return xenhost_find_from(&store, word, ret, err);
}

static uint32_t read_own_domid(void *arg)
{
	CLEANUP_FREE char *value = store_read(arg, "domid");
	uint64_t domid;

	return value && num_parse_u64(value, XENHOST_DOMID_MAX, &domid) ? (uint32_t)domid : 0;
}

static void format_uuid(const uint8_t handle[16], char *buf)
{
	unsigned i;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*buf++ = '-';
		buf += sprintf(buf, "%02x", handle[i]);
	}
}

/* What the domain itself says, held against what it may have. */
static int size_facts(struct xen_handles *x, const xc_domaininfo_t *info, struct xenhost_domain *d,
	struct err *err)
{
	uint64_t most = MAX((uint64_t)info->tot_pages, (uint64_t)info->max_pages) + PFN_SLACK;
	xen_pfn_t nr = 0;

	if (d->is_pv && xc_domain_get_guest_width(x->xch, d->domid, &d->word_bytes))
		return err_sys(err, "cannot ask for the word size of domain %u", d->domid);
	if (xc_domain_nr_gpfns(x->xch, d->domid, &nr) || !nr)
		nr = d->nr_pages;
	d->nr_pfns = MIN((uint64_t)nr, most);
	return 0;
}

static void state_facts(const xc_domaininfo_t *info, struct xenhost_domain *d)
{
	d->is_pv = !(info->flags & XEN_DOMINF_hvm_guest);
	/* libxl gives a PVH guest a local APIC, and nothing else that is emulated. */
	d->is_pvh = !d->is_pv && !(info->arch_config.emulation_flags & ~XEN_X86_EMU_LAPIC);
	d->paused = info->flags & XEN_DOMINF_paused;
	d->shut_down = info->flags & XEN_DOMINF_shutdown;
	d->dying = info->flags & XEN_DOMINF_dying;
	d->shutdown_reason = info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
	d->cpu_ns = info->cpu_time;
	d->nr_vcpus = info->nr_online_vcpus;
	d->nr_vcpu_ids = info->max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : info->max_vcpu_id + 1;
}

static int read_domain(void *arg, uint32_t domid, struct xenhost_domain *ret, struct err *err)
{
	struct xen_handles *x = arg;
	struct xenhost_domain d = {.domid = domid};
	CLEANUP_FREE char *name = NULL;
	xc_domaininfo_t info;
	char path[48];
	int n;

	n = xc_domain_getinfolist(x->xch, domid, 1, &info);
	if (n < 0)
		return err_sys(err, "cannot ask for domain %u", domid);
	/* The list begins at the first domain that is not below the number. */
	if (!n || info.domain != domid) {
		err_set(err, ERR_NOTFOUND, "there is no domain %u", domid);
		return err_override(err, "domain");
	}
	state_facts(&info, &d);
	d.nr_pages = d.nr_pfns = info.tot_pages;
	d.shared_info = info.shared_info_frame;
	format_uuid(info.handle, d.uuid);
	snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
	name = store_read(x, path);
	snprintf(d.name, sizeof(d.name), "%s", name ? name : "");
	if (size_facts(x, &info, &d, err))
		return -1;
	*ret = d;
	return 0;
}

bool xen_read_frame(struct xen_handles *x, uint32_t domid, uint64_t frame, uint8_t *buf)
{
	const void *at =
		xc_map_foreign_range(x->xch, domid, PAGE_BYTES, PROT_READ, (unsigned long)frame);

	if (!at)
		return false;
	memcpy(buf, at, PAGE_BYTES);
	munmap((void *)(uintptr_t)at, PAGE_BYTES);
	return true;
}

/* False when the batch could not be mapped as a whole: then frame by frame. */
static bool read_batch(struct xen_handles *x, uint32_t domid, const uint64_t *frames, unsigned nr,
	uint8_t *buf, bool *ok)
{
	xen_pfn_t list[MAP_BATCH] = {0};
	int errs[MAP_BATCH];
	const uint8_t *at;
	unsigned i;

	for (i = 0; i < nr; i++)
		list[i] = (xen_pfn_t)frames[i];
	at = xc_map_foreign_bulk(x->xch, domid, PROT_READ, list, errs, nr);
	if (!at)
		return false;
	for (i = 0; i < nr; i++) {
		ok[i] = !errs[i];
		if (ok[i])
			memcpy(buf + (size_t)i * PAGE_BYTES, at + (size_t)i * PAGE_BYTES,
				PAGE_BYTES);
	}
	munmap((void *)(uintptr_t)at, (size_t)nr * PAGE_BYTES);
	return true;
}

static int read_frames(void *arg, uint32_t domid, const uint64_t *frames, size_t nr, uint8_t *buf,
	bool *ok, struct err *err)
{
	struct xen_handles *x = arg;
	size_t done, i, good = 0;

	for (done = 0; done < nr;) {
		unsigned n = (unsigned)MIN(nr - done, (size_t)MAP_BATCH);

		if (!read_batch(x, domid, frames + done, n, buf + done * PAGE_BYTES, ok + done))
			for (i = done; i < done + n; i++)
				ok[i] = xen_read_frame(x, domid, frames[i], buf + i * PAGE_BYTES);
		done += n;
	}
	for (i = 0; i < nr; i++)
		good += ok[i];
	if (nr && !good)
		return err_sys(err, "cannot map any of %zu frames of domain %u", nr, domid);
	return 0;
}

/* ---- the handles --------------------------------------------------------------------------- */

static void close_handles(void *arg)
{
	struct xen_handles *x = arg;

	if (x->grants)
		xengnttab_close(x->grants);
	if (x->xs)
		xs_close(x->xs);
	if (x->xch)
		xc_interface_close(x->xch);
	free(x);
}

static int open_handles(struct xen_handles *x, struct err *err)
{
	xen_silence(&x->quiet);
	x->xch = xc_interface_open(&x->quiet, &x->quiet, 0);
	if (!x->xch)
		return err_sys(
			err, "cannot talk to the hypervisor (is this dom0, and are you root?)");
	x->xs = xs_open(0);
	if (!x->xs)
		return err_sys(err, "cannot talk to xenstore");
	x->grants = xengnttab_open(&x->quiet, 0);
	x->grants_errno = errno;
	return 0;
}

int xenhost_open(struct xenhost **ret, struct err *err)
{
	static const struct xen_ops ops = {
		.close = close_handles,
		.version = read_version,
		.find = find_domain,
		.domain = read_domain,
		.own_domid = read_own_domid,
		.vbds = read_vbds,
		.read_frames = read_frames,
		.read_granted = xen_read_granted,
		.hvm_param = xen_hvm_param,
		.cpus = xen_read_cpus,
		.p2m = xen_p2m,
	};
	struct xen_handles *x = calloc(1, sizeof(*x));

	if (!x)
		return err_nomem(err, "a handle of the hypervisor");
	if (open_handles(x, err)) {
		close_handles(x);
		return -1;
	}
	return xenhost_new(&ops, x, ret, err);
}

#endif
