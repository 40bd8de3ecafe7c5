/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/frontend.h"

#include <string.h>

#include "frontend/vdev.h"
#include "guest/p2m.h"

/* The last one is for guests in which the others found nothing. */
static const struct frontend_ops *const registry[] = {
	&frontend_linux_blkfront,
	&frontend_netbsd_xbd,
	&frontend_xenlinux,
	&frontend_freebsd_blkfront,
	&frontend_netbsd_xenbus,
	&frontend_openbsd_xbf,
	&frontend_minios_blkfront,
	&frontend_unikraft_blkfront,
	&frontend_grub_xendisk,
	&frontend_windows_xenvbd,
	&frontend_ring_only,
};

const char *frontend_name(const struct frontend_ops *driver)
{
	return driver ? driver->name : "unknown";
}

static void place_unknown(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "its driver is not known", .stream = "unknown"};
}

static int keep_order(const struct blkdev *d UNUSED, const struct io_request *a UNUSED,
	const struct io_request *b UNUSED)
{
	return 0;
}

int frontend_order_by_slot(
	const struct blkdev *d UNUSED, const struct io_request *a, const struct io_request *b)
{
	return io_request_by_slot(a, b);
}

bool frontend_order_is_known(const struct blkdev *d UNUSED, const struct io_request *a UNUSED,
	const struct io_request *b UNUSED)
{
	return true;
}

bool frontend_order_is_unknown(const struct blkdev *d UNUSED, const struct io_request *a UNUSED,
	const struct io_request *b UNUSED)
{
	return false;
}

const struct frontend_resume frontend_resume_unknown = {.place = place_unknown,
	.order = keep_order,
	.order_known = frontend_order_is_unknown,
	.counts_on_barriers = true};

static void place_lost(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){
		.why = "the driver knows of no suspension: lost", .stream = "lost"};
}

const struct frontend_resume frontend_resume_lost = {.place = place_lost,
	.order = keep_order,
	.order_known = frontend_order_is_unknown,
	.suspend = FRONTEND_LOSES};

const struct frontend_resume *frontend_resume_of(const struct blkdev *d)
{
	return d->driver ? d->driver->resume : &frontend_resume_unknown;
}

bool frontend_resume_is_known(const struct snapshot *s)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (frontend_resume_of(&s->devices[i]) == &frontend_resume_unknown)
			return false;
	return s->nr_devices > 0;
}

bool frontend_counts_on_order(const struct blkdev *d)
{
	size_t i;

	for (i = 0; i < d->nr_requests; i++)
		if (d->requests[i].op == IO_BARRIER)
			return d->counts_on_barriers || frontend_resume_of(d)->counts_on_barriers;
	return false;
}

void resume_ring_fini(struct resume_ring *r)
{
	free(r->bytes);
	*r = (struct resume_ring){0};
}

/* What to do with each frame that the snapshot names. */
struct frame_visitor {
	void (*segment)(void *arg, struct io_segment *seg);
	void (*ring_page)(void *arg, struct io_ring *ring, size_t page);
	void *arg;
};

static void visit_requests(const struct frame_visitor *v, struct io_request *r, size_t nr)
{
	size_t i, k;

	for (i = 0; i < nr; i++)
		for (k = 0; k < r[i].nr_seg; k++)
			v->segment(v->arg, &r[i].seg[k]);
}

static void visit_frames(const struct frame_visitor *v, struct snapshot *s)
{
	size_t i, r, k;

	for (i = 0; i < s->nr_devices; i++) {
		struct blkdev *d = &s->devices[i];

		for (r = 0; r < d->nr_rings; r++)
			for (k = 0; k < d->rings[r].nr_pages; k++)
				v->ring_page(v->arg, &d->rings[r], k);
		visit_requests(v, d->requests, d->nr_requests);
		visit_requests(v, d->queued, d->nr_queued);
	}
}

/* The source host's view: is the page in the checkpoint, and which machine frame was it? */
struct source_view {
	struct memory mem;
	struct p2m *p2m; /* NULL: none */
};

static mfn_t lookup_frame(struct p2m *p2m, pfn_t pfn)
{
	mfn_t mfn;

	return p2m && p2m_lookup(p2m, pfn, &mfn) == P2M_VALID ? mfn : MFN_NONE;
}

static void source_segment(void *arg, struct io_segment *seg)
{
	struct source_view *v = arg;

	if (seg->frame == IO_FRAME_UNKNOWN)
		return;
	seg->frame =
		memory_page(v->mem, seg->pfn).state == MEMORY_DATA ? IO_FRAME_OK : IO_FRAME_HOLE;
	if (seg->source_mfn.v == MFN_NONE.v)
		seg->source_mfn = lookup_frame(v->p2m, seg->pfn);
}

static void source_ring_page(void *arg, struct io_ring *ring, size_t page)
{
	struct source_view *v = arg;

	if (ring->pages[page].v != UINT64_MAX && ring->page_source_mfn &&
		ring->page_source_mfn[page].v == MFN_NONE.v)
		ring->page_source_mfn[page] = lookup_frame(v->p2m, ring->pages[page]);
}

static void fill_source(struct guest *g, struct snapshot *s)
{
	struct source_view view = {.mem = guest_memory(g)};
	const struct frame_visitor v = {source_segment, source_ring_page, &view};
	struct err why = ERR_INIT;

	if (p2m_from_guest(g, &view.p2m, &why))
		view.p2m = NULL;
	if (!view.p2m && why.cls != ERR_UNSUPPORTED)
		snapshot_how(s, "source machine frames: %s", why.text);
	visit_frames(&v, s);
	p2m_free(view.p2m);
}

static void target_segment(void *arg, struct io_segment *seg)
{
	struct p2m *p2m = arg;

	if (seg->frame == IO_FRAME_UNKNOWN)
		return;
	seg->target_mfn = lookup_frame(p2m, seg->pfn);
	seg->target_missing = seg->target_mfn.v == MFN_NONE.v;
}

static void target_ring_page(void *arg, struct io_ring *ring, size_t page)
{
	struct p2m *p2m = arg;

	if (ring->pages[page].v != UINT64_MAX && ring->page_target_mfn)
		ring->page_target_mfn[page] = lookup_frame(p2m, ring->pages[page]);
}

void frontend_set_target(struct snapshot *s, struct p2m *target)
{
	const struct frame_visitor v = {target_segment, target_ring_page, target};

	visit_frames(&v, s);
}

static int note_looked_for(struct snapshot *s, const char *what, struct err *err)
{
	char *all = NULL;

	if (asprintf(&all, "%s%s%s", s->looked_for ? s->looked_for : "", s->looked_for ? "; " : "",
		    what) < 0)
		return err_nomem(err, "a message");
	free(s->looked_for);
	s->looked_for = all;
	return 0;
}

static int run_all(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(registry); i++) {
		const struct frontend_ops *ops = registry[i];

		if (ops->word_bytes && ops->word_bytes != guest_word_bytes(g)) {
			char text[96];

			snprintf(text, sizeof(text), "%s is known for %u-bit guests only",
				ops->name, ops->word_bytes * 8);
			if (note_looked_for(s, text, err))
				return -1;
			continue;
		}
		if (ops->find(g, k, opt, s, err))
			return err_in(err, "%s", ops->name);
		if (note_looked_for(s, ops->looks_for, err))
			return -1;
	}
	return 0;
}

/* The snapshot says what the kernel's own search has found. */
static int note_kernel(const struct kernel *k, struct snapshot *s, struct err *err)
{
	snapshot_how_all(s, k->linux_kernel.how);
	finding_append(&s->findings, &k->linux_kernel.findings);
	return guest_facts_copy(k->facts, &s->guest, err);
}

struct frontend_search {
	struct guest *g;
	struct symbols *file; /* the user's, NULL none */
	struct kernel kernel;
	bool looked; /* at least once */
};

int frontend_search_open(struct guest *g, const struct frontend_options *opt,
	struct frontend_search **ret, struct err *err)
{
	struct frontend_search *f = calloc(1, sizeof(*f));

	if (!f)
		return err_nomem(err, "the search for frontends");
	f->g = g;
	if (opt->kernel_path && symbols_from_file(opt->kernel_path, &f->file, err)) {
		free(f);
		return -1;
	}
	kernel_open(g, f->file, opt->locate != FRONTEND_LOCATE_SCAN, &f->kernel);
	if (opt->kernel_path)
		kernel_add_types(&f->kernel, opt->kernel_path, opt->module_path);
	*ret = f;
	return 0;
}

void frontend_search_close(struct frontend_search *f)
{
	if (!f)
		return;
	kernel_close(&f->kernel);
	symbols_free(f->file);
	free(f);
}

int frontend_search_look(struct frontend_search *f, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	const struct finding_list *source = memory_findings(guest_memory(f->g));

	if (f->looked)
		kernel_read_clock(&f->kernel);
	f->looked = true;
	if (note_kernel(&f->kernel, s, err) || run_all(f->g, &f->kernel, opt, s, err))
		return -1;
	if (s->nr_devices) {
		free(s->looked_for);
		s->looked_for = NULL;
	}
	fill_source(f->g, s);
	if (source)
		finding_append(&s->findings, source);
	return 0;
}

static void close_search(struct frontend_search **f)
{
	frontend_search_close(*f);
}

int frontend_analyse(
	struct guest *g, const struct frontend_options *opt, struct snapshot *s, struct err *err)
{
	CLEANUP(close_search) struct frontend_search *f = NULL;

	if (frontend_search_open(g, opt, &f, err))
		return -1;
	return frontend_search_look(f, opt, s, err);
}

/* Of no number: a driver whose one interface may carry any disk. */
static bool may_be_disk(const struct blkdev *d, const char *vdev)
{
	uint64_t number;

	return d->handle == BLK_UNKNOWN_U64 || !strcmp(d->name, vdev) ||
	       (vdev_number(vdev, &number) && number == d->handle);
}

void frontend_report_missing(const struct ckpt_info *info, struct snapshot *s)
{
	size_t i, k;

	for (i = 0; i < info->nr_disks; i++) {
		const struct ckpt_disk *disk = &info->disks[i];

		if (!disk->vdev || disk->cdrom)
			continue;
		for (k = 0; k < s->nr_devices && !may_be_disk(&s->devices[k], disk->vdev); k++)
			;
		if (k == s->nr_devices)
			finding_add(&s->findings, "XB028", finding_at_device(disk->vdev),
				"the configuration names this disk, but no frontend of the guest "
				"was found for it");
	}
}

static struct blkdev *device_of_number(const struct snapshot *s, const char *vdev)
{
	uint64_t number;
	size_t i;

	for (i = 0; vdev_number(vdev, &number) && i < s->nr_devices; i++)
		if (s->devices[i].handle == number)
			return &s->devices[i];
	return NULL;
}

bool frontend_confirm_config(const struct ckpt_info *info, struct snapshot *s)
{
	size_t i;

	if (!info || !info->nr_disks)
		return false;
	for (i = 0; i < info->nr_disks; i++) {
		const struct ckpt_disk *disk = &info->disks[i];
		struct blkdev *d = disk->vdev ? device_of_number(s, disk->vdev) : NULL;

		if (d)
			d->confirmed_by |= BLK_CONFIRMED_CONFIG;
		else if (disk->vdev && !disk->cdrom) /* an HVM guest has that emulated */
			snapshot_doubt(s, "the configuration has %s, the driver's list does not",
				disk->vdev);
	}
	for (i = 0; i < s->nr_devices; i++)
		if (!(s->devices[i].confirmed_by & BLK_CONFIRMED_CONFIG))
			snapshot_doubt(s, "the driver's list has %s, the configuration does not",
				s->devices[i].name);
	return true;
}
