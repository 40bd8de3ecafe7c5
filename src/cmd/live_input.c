/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/live_input.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"
#include "guest/pfn_set.h"
#include "io/door.h"
#include "io/sandbox.h"
#include "xenhost/live_memory.h"
#include "xenhost/pause.h"

struct live_input {
	struct xenhost *x; /* borrowed */
	struct xenhost_domain dom;
	struct live_memory *memory;
	struct xenhost_vbd *vbds;
	size_t nr_vbds;
	struct err why_no_vbds; /* ERR_NONE: they are known */
	struct ckpt_info info;
	char name[128];
	struct frontend_search *search; /* from the first look on */
	struct live_look look;
	bool gone;
};

static char *copy_text(const char *text)
{
	return *text ? strdup(text) : NULL;
}

/* What a configuration would say of the disks, the host knows. */
static int note_disks(struct live_input *l, struct err *err)
{
	struct ckpt_info *info = &l->info;
	size_t i;

	if (xenhost_vbds(l->x, l->dom.domid, &l->vbds, &l->nr_vbds, &l->why_no_vbds))
		return 0;
	info->config_kind = CKPT_CONFIG_XENSTORE;
	info->disks = calloc(l->nr_vbds + 1, sizeof(*info->disks));
	if (!info->disks)
		return err_nomem(err, "the disks of a domain");
	for (i = 0; i < l->nr_vbds; i++) {
		const struct xenhost_vbd *v = &l->vbds[i];
		struct ckpt_disk *d = &info->disks[info->nr_disks];

		if (v->why.cls != ERR_NONE)
			continue;
		info->nr_disks++;
		*d = (struct ckpt_disk){.path = copy_text(v->params),
			.backend = copy_text(v->type),
			.vdev = copy_text(v->vdev),
			.read_only = v->mode[0] == 'r'};
		if (!d->vdev && asprintf(&d->vdev, "%" PRIu64, v->handle) < 0)
			d->vdev = NULL;
		if (!d->vdev)
			return err_nomem(err, "the disks of a domain");
	}
	return 0;
}

static int note_info(struct live_input *l, struct err *err)
{
	struct ckpt_info *info = &l->info;
	const struct xenhost_domain *dom = &l->dom;
	struct memory_info mem = memory_info(live_memory_of(l->memory));

	info->format = "live";
	info->complete = true;
	info->suspended = mem.suspended;
	info->guest_type = mem.type;
	info->word_bytes = mem.word_bytes;
	info->pt_levels = mem.pt_levels;
	info->pte_unit = mem.pte_unit;
	info->nr_pfns = mem.nr_pfns;
	info->nr_data_pages = mem.nr_data_pages;
	xenhost_version(l->x, &info->xen_major, &info->xen_minor);
	snprintf(info->layers[info->nr_layers++], sizeof(info->layers[0]), "live");
	snprintf(info->written_by, sizeof(info->written_by), "nobody: it is a domain of this host");
	snprintf(info->restore, sizeof(info->restore), "nothing to restore: it is %s",
		xenhost_state(dom));
	info->name = copy_text(dom->name);
	info->uuid = copy_text(dom->uuid);
	return note_disks(l, err);
}

static int open_domain(struct live_input *l, const char *word, struct err *err)
{
	CLEANUP_FREE char *safe = NULL;
	uint32_t domid;

	if (xenhost_find(l->x, word, &domid, err) || xenhost_domain(l->x, domid, &l->dom, err))
		return -1;
	if (!l->dom.nr_pages)
		return err_set(err, ERR_NODATA, "domain %u has no memory: it is %s", domid,
			xenhost_state(&l->dom));
	if (door_is_shut())
		sandbox_bound_live(l->dom.nr_pfns);
	safe = cmd_safe_text(l->dom.name, strlen(l->dom.name));
	snprintf(l->name, sizeof(l->name), safe && *safe ? "domain %u (%s)" : "domain %u", domid,
		safe);
	return xenhost_memory(l->x, &l->dom, &l->memory, err) || note_info(l, err) ? -1 : 0;
}

int live_input_open(struct xenhost *x, const char *word, struct live_input **ret, struct err *err)
{
	struct live_input *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(err, "a live domain");
	l->x = x;
	if (open_domain(l, word, err)) {
		live_input_close(l);
		return -1;
	}
	*ret = l;
	return 0;
}

void live_input_close(struct live_input *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->info.nr_disks; i++) {
		free(l->info.disks[i].vdev);
		free(l->info.disks[i].path);
		free(l->info.disks[i].backend);
	}
	free(l->info.disks);
	free(l->info.name);
	free(l->info.uuid);
	xenhost_vbds_free(l->vbds, l->nr_vbds);
	frontend_search_close(l->search);
	settle_fini(&l->look.settle);
	live_memory_free(l->memory);
	free(l);
}

const struct ckpt_info *live_input_info(const struct live_input *l)
{
	return &l->info;
}

const char *live_input_name(const struct live_input *l)
{
	return l->name;
}

struct memory live_input_memory(const struct live_input *l)
{
	return live_memory_of(l->memory);
}

size_t live_input_nr_vcpus(const struct live_input *l)
{
	return l->dom.nr_vcpus;
}

const struct xenhost_domain *live_input_domain(const struct live_input *l)
{
	return &l->dom;
}

struct xenhost *live_input_xen(struct live_input *l)
{
	return l->x;
}

uint32_t live_input_own_domid(const struct live_input *l)
{
	return xenhost_own_domid(l->x);
}

const struct xenhost_vbd *live_input_vbd(
	const struct live_input *l, const struct blkdev *d, const char **ret_why)
{
	char number[24];
	size_t i;

	*ret_why =
		l->why_no_vbds.cls != ERR_NONE ? l->why_no_vbds.text : "xenstore has none for it";
	for (i = 0; i < l->nr_vbds; i++) {
		snprintf(number, sizeof(number), "%" PRIu64, l->vbds[i].handle);
		if (blkdev_is_named(d, number) ||
			(l->vbds[i].vdev[0] && blkdev_is_named(d, l->vbds[i].vdev)))
			break;
	}
	if (i == l->nr_vbds)
		return NULL;
	*ret_why = l->vbds[i].why.text;
	return l->vbds[i].why.cls == ERR_NONE ? &l->vbds[i] : NULL;
}

int live_input_refresh(struct live_input *l, struct err *err)
{
	struct xenhost_domain now;

	if (xenhost_domain(l->x, l->dom.domid, &now, err)) {
		l->gone = err->cls == ERR_NOTFOUND;
		return -1;
	}
	l->gone = now.dying || strcmp(now.uuid, l->dom.uuid);
	if (l->gone)
		return err_set(err, ERR_NOTFOUND, "%s is gone", l->name);
	l->dom = now;
	l->info.suspended = xenhost_is_still(&now);
	return 0;
}

bool live_input_is_gone(const struct live_input *l)
{
	return l->gone;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* A process may end while its page tables are walked: then the next look finds what this did not.
 */
#define TRIES 1u
/* As often as the guest changed something between two looks. */
#define PAIRS 3u

/* All pages that the look before needed; then the registers, and right behind them the top table
 * that they name: its process may end. */
static int copy_anew(
	struct live_input *l, struct guest *g, const struct pfn_set *keep, struct err *err)
{
	struct memory m = live_memory_of(l->memory);

	if (live_memory_renew(l->memory, keep) < 0)
		return err_nomem(err, "copying pages of the domain");
	if (xenhost_read_cpus(l->x, &l->dom, l->memory, err))
		return -1;
	if (memory_info(m).nr_roots)
		(void)memory_page(m, memory_root(m, 0).table);
	return guest_reload(g, err);
}

static void empty_snapshot(struct snapshot *s)
{
	snapshot_fini(s);
	*s = (struct snapshot){0};
}

/* Which pages it takes is only known when they were needed once. */
static int find_pages(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	if (!l->search && frontend_search_open(g, opt, &l->search, err))
		return -1;
	live_memory_forget(l->memory);
	return frontend_search_look(l->search, opt, s, err);
}

static int first_look(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	unsigned i;

	for (i = 0;; i++) {
		int rc = find_pages(l, g, opt, s, err);

		if ((!rc && s->nr_devices) || !opt->running || i == TRIES)
			return rc;
		empty_snapshot(s);
		frontend_search_close(take(l->search));
		live_memory_forget(l->memory);
		if (copy_anew(l, g, NULL, err))
			return -1;
	}
}

/* The pages of all requests. */
static int requests_pages(const struct snapshot *s, struct pfn_set **ret, struct err *err)
{
	size_t i, k, n;

	if (pfn_set_new(ret, err))
		return -1;
	for (i = 0; i < s->nr_devices; i++)
		for (k = 0; k < s->devices[i].nr_requests; k++) {
			const struct io_request *r = &s->devices[i].requests[k];

			for (n = 0; n < r->nr_seg; n++)
				if (r->seg[n].frame == IO_FRAME_OK)
					pfn_set_add(*ret, r->seg[n].pfn.v);
		}
	return 0;
}

static void free_set(struct pfn_set **set)
{
	pfn_set_free(*set);
}

static int second_look(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	CLEANUP(snapshot_fini) struct snapshot again = {0};
	CLEANUP(free_set) struct pfn_set *payload = NULL;

	if (requests_pages(s, &payload, err) || copy_anew(l, g, payload, err))
		return -1;
	l->look.overflowed = live_memory_overflowed(l->memory);
	return frontend_search_look(l->search, opt, &again, err) ||
			       settle_compare(s, &again, &l->look.settle, err)
		       ? -1
		       : 0;
}

static int look_pair(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	uint64_t began = util_now_ns(CLOCK_MONOTONIC);

	empty_snapshot(s);
	settle_fini(&l->look.settle);
	if (copy_anew(l, g, NULL, err) || frontend_search_look(l->search, opt, s, err) ||
		second_look(l, g, opt, s, err))
		return -1;
	l->look.apart_ns = util_now_ns(CLOCK_MONOTONIC) - began;
	return 0;
}

static int look_twice(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	unsigned i;

	for (i = 0;; i++) {
		int rc = look_pair(l, g, opt, s, err);

		/* Its page tables may go while they are walked, or its requests. */
		if (!opt->running || i + 1 == PAIRS ||
			(!rc && s->nr_devices && l->look.settle.consistent))
			return rc;
	}
}

/* A confined process starts none that could hold the pause. */
static int hold_domain(struct live_input *l, struct pause_hold **ret, struct err *err)
{
	*ret = NULL;
	return door_is_shut() ? door_hold_begin(err) : xenhost_pause(&l->dom, ret, err);
}

static int let_domain_go(struct pause_hold *hold, uint64_t *ret_ns, struct err *err)
{
	return hold ? pause_end(hold, ret_ns, err) : door_hold_end(ret_ns, err);
}

static int look_paused(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	struct pause_hold *hold;
	struct err why = ERR_INIT;
	int failed;

	if (hold_domain(l, &hold, err))
		return -1;
	empty_snapshot(s);
	failed = copy_anew(l, g, NULL, &why) || frontend_search_look(l->search, opt, s, &why);
	l->look.overflowed = live_memory_overflowed(l->memory);
	if (let_domain_go(hold, &l->look.paused_ns, err))
		return -1;
	l->look.paused = true;
	l->look.settle.consistent = true;
	if (failed)
		*err = why;
	return failed ? -1 : 0;
}

int live_input_look(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	bool pause, struct snapshot *s, struct err *err)
{
	if (door_is_shut())
		sandbox_bound_look(l->dom.nr_pfns);
	settle_fini(&l->look.settle);
	l->look = (struct live_look){0};
	empty_snapshot(s);
	/* After the first time the pages are known. */
	if (!l->search && first_look(l, g, opt, s, err))
		return -1;
	return pause ? look_paused(l, g, opt, s, err) : look_twice(l, g, opt, s, err);
}

const struct live_look *live_input_looked(const struct live_input *l)
{
	return &l->look;
}
