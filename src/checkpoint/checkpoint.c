/* SPDX-License-Identifier: BSD-2-Clause
 *
 * checkpoint.c - the state that a format fills while it opens, and what is handed out of it.
 */
#include "checkpoint/checkpoint.h"

#include <stdarg.h>
#include <string.h>

#include "checkpoint/ckpt_priv.h"

bool ckpt_has_magic(const struct source *src, uint64_t off, const char *magic, size_t len)
{
	const uint8_t *p = source_at(src, off, len);

	return p && !memcmp(p, magic, len);
}

void ckpt_add_layer(struct ckpt *ck, const char *fmt, ...)
{
	struct ckpt_info *info = &ck->info;
	va_list ap;

	if (info->nr_layers == CKPT_MAX_LAYERS)
		return;
	va_start(ap, fmt);
	vsnprintf(info->layers[info->nr_layers], sizeof(info->layers[0]), fmt, ap);
	va_end(ap);
	info->nr_layers++;
}

static void roll_back(struct ckpt *ck, uint64_t off)
{
	pagemap_ignore_from(&ck->map, ck->committed_runs);
	free(ck->state.vcpus);
	ck->state = ck->committed;
	memset(&ck->committed, 0, sizeof(ck->committed));
	finding_add(&ck->findings, "XB016", finding_at_offset(off),
		"epoch %u is not complete; the state is that of epoch %u", ck->nr_epochs + 1,
		ck->nr_epochs);
}

int ckpt_incomplete(struct ckpt *ck, uint64_t off, const char *fmt, ...)
{
	struct ckpt_info *info = &ck->info;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(info->incomplete_why, sizeof(info->incomplete_why), fmt, ap);
	va_end(ap);
	info->complete = false;
	finding_add(&ck->findings, "XB001", finding_at_offset(off), "%s", info->incomplete_why);
	if (ck->nr_epochs)
		roll_back(ck, off);
	return 0;
}

int ckpt_commit(struct ckpt *ck, struct err *err)
{
	struct ckpt_state *s = &ck->state;
	struct ckpt_vcpu *copy = ck->committed.vcpus;
	size_t cap = ck->committed.cap_vcpus;

	ck->committed_runs = ck->map.nr;
	pagemap_close_run(&ck->map);
	ck->nr_epochs++;
	/* An epoch may be as small as its end marker; the copy is not. */
	if (!s->changed)
		return 0;
	s->changed = false;
	/* There may be very many epochs: the room of the last one serves. */
	if (util_grow(&copy, &cap, s->nr_vcpus, sizeof(*copy)))
		return err_nomem(err, "the vcpus of an epoch");
	if (s->nr_vcpus)
		memcpy(copy, s->vcpus, s->nr_vcpus * sizeof(*copy));
	ck->committed = *s;
	ck->committed.vcpus = copy;
	ck->committed.cap_vcpus = cap;
	return 0;
}

/* Where the vcpu of that id is or belongs. */
static size_t vcpu_place(const struct ckpt_state *s, uint32_t id)
{
	size_t low = 0, high = s->nr_vcpus;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->vcpus[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool ckpt_has_vcpu(const struct ckpt *ck, uint32_t id)
{
	size_t at = vcpu_place(&ck->state, id);

	return at < ck->state.nr_vcpus && ck->state.vcpus[at].id == id;
}

struct ckpt_vcpu *ckpt_new_vcpu(struct ckpt *ck, uint32_t id, struct err *err)
{
	struct ckpt_state *s = &ck->state;
	size_t at = vcpu_place(s, id);

	if (id >= CKPT_MAX_VCPUS) {
		err_set(err, ERR_CORRUPT, "vcpu %u, expected below %u", id, CKPT_MAX_VCPUS);
		return NULL;
	}
	s->changed = true;
	if (at == s->nr_vcpus || s->vcpus[at].id != id) {
		if (util_grow(&s->vcpus, &s->cap_vcpus, s->nr_vcpus + 1, sizeof(*s->vcpus))) {
			err_nomem(err, "vcpus");
			return NULL;
		}
		memmove(s->vcpus + at + 1, s->vcpus + at, (s->nr_vcpus - at) * sizeof(*s->vcpus));
		s->nr_vcpus++;
	}
	memset(&s->vcpus[at], 0, sizeof(s->vcpus[at]));
	s->vcpus[at].id = id;
	s->vcpus[at].root = PFN_NONE;
	s->vcpus[at].user_root = PFN_NONE;
	return &s->vcpus[at];
}

void ckpt_settle_guest_type(struct ckpt *ck, enum ckpt_guest_type config_type)
{
	enum ckpt_guest_type *type = &ck->info.guest_type;

	if (config_type == CKPT_GUEST_UNKNOWN)
		return;
	if (*type == CKPT_GUEST_UNKNOWN) {
		*type = config_type; /* the stream was cut before it said */
		return;
	}
	if ((*type == CKPT_GUEST_PV) != (config_type == CKPT_GUEST_PV)) {
		finding_add(&ck->findings, "XB026", finding_at_offset(ck->info.stream_off),
			"the configuration is that of %s guest, the stream that of %s guest",
			config_type == CKPT_GUEST_PV ? "a PV" : "an HVM or PVH",
			*type == CKPT_GUEST_PV ? "a PV" : "an HVM or PVH");
		return;
	}
	*type = config_type;
	if (config_type == CKPT_GUEST_PVH && ck->info.nr_emulator_records)
		finding_add(&ck->findings, "XB006", finding_at_offset(ck->info.stream_off),
			"the stream of a PVH guest holds %u records of an emulator, of which it "
			"has none",
			ck->info.nr_emulator_records);
}

void ckpt_close(struct ckpt *ck)
{
	size_t i;

	if (!ck)
		return;
	for (i = 0; i < ck->info.nr_disks; i++) {
		struct ckpt_disk *d = &ck->info.disks[i];

		free(d->vdev);
		free(d->path);
		free(d->format);
		free(d->backend);
	}
	free(ck->info.disks);
	free(ck->info.name);
	free(ck->info.uuid);
	free(ck->state.vcpus);
	free(ck->committed.vcpus);
	squeeze_free(ck->squeeze);
	kdump_free(ck->kdump);
	free(ck->needed);
	free(ck->extras);
	pagemap_fini(&ck->map);
	frames_fini(&ck->frames);
	finding_fini(&ck->findings);
	source_close(ck->src);
	free(ck);
}

const struct ckpt_info *ckpt_info(const struct ckpt *ck)
{
	return &ck->info;
}

const struct source *ckpt_source(const struct ckpt *ck)
{
	return ck->src;
}

const struct finding_list *ckpt_findings(const struct ckpt *ck)
{
	return &ck->findings;
}

size_t ckpt_nr_vcpus(const struct ckpt *ck)
{
	return ck->state.nr_vcpus;
}

const struct ckpt_vcpu *ckpt_vcpu(const struct ckpt *ck, size_t index)
{
	return &ck->state.vcpus[index];
}

bool ckpt_has_frames(const struct ckpt *ck)
{
	return ck->frames.nr > 0;
}

bool ckpt_to_pfn(const struct ckpt *ck, mfn_t mfn, pfn_t *ret)
{
	return frames_to_pfn(&ck->frames, mfn.v, &ret->v);
}

bool ckpt_to_mfn(const struct ckpt *ck, pfn_t pfn, mfn_t *ret)
{
	return frames_to_mfn(&ck->frames, pfn.v, &ret->v);
}

bool ckpt_pages_stay(const struct ckpt *ck)
{
	return !ck->squeeze && !ck->kdump;
}

struct ckpt_page ckpt_page(const struct ckpt *ck, pfn_t pfn)
{
	const struct ckpt_run *run = pagemap_find(&ck->map, pfn.v);
	struct ckpt_page page = {.kind = CKPT_PAGE_ABSENT};

	if (!run)
		return page;
	page.type = run->type;
	if (run->squeezed) {
		page.off = run->off;
		page.data = squeeze_page(ck->squeeze, run, &page.why);
		page.kind = page.data ? CKPT_PAGE_DATA : CKPT_PAGE_FAILED;
	} else if (run->packed) {
		page.data = kdump_page(
			ck->kdump, run->off / PAGE_BYTES + (pfn.v - run->pfn), &page.why);
		page.kind = page.data ? CKPT_PAGE_DATA : CKPT_PAGE_FAILED;
	} else if (ckpt_type_has_data(run->type)) {
		page.kind = CKPT_PAGE_DATA;
		page.off = run->off + (pfn.v - run->pfn) * PAGE_BYTES;
		page.data = source_at(ck->src, page.off, PAGE_BYTES);
	} else {
		page.kind = run->type == CKPT_TYPE_BROKEN ? CKPT_PAGE_BROKEN : CKPT_PAGE_NO_DATA;
	}
	return page;
}

size_t ckpt_nr_runs(const struct ckpt *ck)
{
	return ck->map.nr_current;
}

size_t ckpt_run_from(const struct ckpt *ck, pfn_t pfn)
{
	return pagemap_index(&ck->map, pfn.v);
}

struct ckpt_run ckpt_run(const struct ckpt *ck, size_t index)
{
	return ck->map.current[index];
}

size_t ckpt_nr_file_runs(const struct ckpt *ck)
{
	return ck->map.nr;
}

struct ckpt_run ckpt_file_run(const struct ckpt *ck, size_t index)
{
	return ck->map.runs[index];
}

int ckpt_for_each_source(
	const struct ckpt *ck, const struct ckpt_run *run, ckpt_run_fn *fn, void *arg)
{
	return squeeze_for_each_source(ck->squeeze, run, fn, arg);
}

int ckpt_for_each_literal(
	const struct ckpt *ck, const struct ckpt_run *run, ckpt_literal_fn *fn, void *arg)
{
	return squeeze_for_each_literal(ck->squeeze, run, fn, arg);
}

int ckpt_add_extra(struct ckpt *ck, uint64_t off, uint64_t bytes, struct err *err)
{
	if (util_grow(&ck->extras, &ck->cap_extras, ck->nr_extras + 1, sizeof(*ck->extras)))
		return err_nomem(err, "the list of other content");
	ck->extras[ck->nr_extras++] = (struct ckpt_extra){off, bytes};
	return 0;
}

int ckpt_add_needed(struct ckpt *ck, uint64_t off)
{
	if (util_grow(&ck->needed, &ck->cap_needed, ck->nr_needed + 1, sizeof(*ck->needed)))
		return -1;
	ck->needed[ck->nr_needed++] = off;
	return 0;
}

size_t ckpt_nr_needed(const struct ckpt *ck)
{
	return ck->nr_needed;
}

uint64_t ckpt_needed(const struct ckpt *ck, size_t index)
{
	return ck->needed[index];
}

size_t ckpt_nr_extras(const struct ckpt *ck)
{
	return ck->nr_extras;
}

struct ckpt_extra ckpt_extra(const struct ckpt *ck, size_t index)
{
	return ck->extras[index];
}

uint64_t ckpt_start(const struct ckpt *ck)
{
	return ck->start;
}

uint64_t ckpt_end(const struct ckpt *ck)
{
	return MIN(ck->end, source_bytes(ck->src));
}

size_t ckpt_nr_p2m_frames(const struct ckpt *ck)
{
	uint64_t nr = 0;
	unsigned i;

	for (i = 0; i < ck->nr_p2m; i++)
		nr = MAX(nr, ck->p2m[i].first + ck->p2m[i].nr);
	return (size_t)nr;
}

pfn_t ckpt_p2m_frame(const struct ckpt *ck, size_t index)
{
	unsigned i;

	/* A later part replaces an earlier one. */
	for (i = ck->nr_p2m; i--;) {
		const struct ckpt_p2m_part *p = &ck->p2m[i];
		const uint8_t *word;

		if (index < p->first || index - p->first >= p->nr)
			continue;
		word = p->words + (index - p->first) * p->word_bytes;
		return PFN(p->word_bytes == 8 ? num_le64(word) : num_le32(word));
	}
	return PFN_NONE;
}

const uint8_t *ckpt_shared_info(const struct ckpt *ck)
{
	return ck->state.shared_info;
}
