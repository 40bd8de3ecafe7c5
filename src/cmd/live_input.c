/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/live_input.h"

#include <inttypes.h>
#include <string.h>

#include "xenhost/live_memory.h"

struct live_input {
	struct xenhost *x;
	struct xenhost_domain dom;
	struct live_memory *memory;
	struct xenhost_vbd *vbds;
	size_t nr_vbds;
	struct err why_no_vbds; /* ERR_NONE: they are known */
	struct ckpt_info info;
	char name[128];
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
		struct ckpt_disk *d = &info->disks[info->nr_disks++];

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
	uint32_t domid;

	if (xenhost_open(&l->x, err) || xenhost_find(l->x, word, &domid, err) ||
		xenhost_domain(l->x, domid, &l->dom, err))
		return -1;
	if (!l->dom.nr_pages)
		return err_set(err, ERR_NODATA, "domain %u has no memory: it is %s", domid,
			xenhost_state(&l->dom));
	snprintf(l->name, sizeof(l->name), *l->dom.name ? "domain %u (%s)" : "domain %u", domid,
		l->dom.name);
	return xenhost_memory(l->x, &l->dom, &l->memory, err) || note_info(l, err) ? -1 : 0;
}

int live_input_open(const char *word, struct live_input **ret, struct err *err)
{
	struct live_input *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(err, "a live domain");
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
	live_memory_free(l->memory);
	xenhost_close(l->x);
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
