/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/render_json.h"

#include <string.h>

#include "cmd/look.h"
#include "cmd/meaning.h"
#include "cmd/who.h"

/* None in a file that is cut: nobody knows. */
static struct json_object *count_of(const struct ckpt_info *info, uint64_t nr)
{
	return info->complete || nr ? json_object_new_uint64(nr) : NULL;
}

struct json_object *json_source(const struct cmd_input *in)
{
	const struct ckpt_info *info = in->info;
	struct json_object *o = json_object_new_object(), *layers = json_object_new_array();
	unsigned i;

	json_put_text(o, "path", in->name);
	json_put_text(o, "format", info->format);
	for (i = 0; i < info->nr_layers; i++)
		json_object_array_add(layers, json_text(info->layers[i]));
	json_put(o, "layers", layers);
	json_put_bool(o, "complete", info->complete);
	json_put_text(o, "incomplete_why", info->incomplete_why);
	json_put(o, "bytes",
		in->ck ? json_object_new_uint64(source_bytes(ckpt_source(in->ck))) : NULL);
	json_put(o, "xen_version", NULL);
	if (info->xen_major) {
		char text[32];

		snprintf(text, sizeof(text), "%u.%u", info->xen_major, info->xen_minor);
		json_put_text(o, "xen_version", text);
	}
	json_put_text(o, "written_by", info->written_by);
	json_put_text(o, "restore", info->restore);
	/* A file that is cut may have been cut before any of them. */
	json_put(o, "data_pages", count_of(info, info->nr_data_pages));
	json_put(o, "repeated_pages",
		info->nr_data_pages ? json_object_new_uint64(info->nr_repeats)
				    : count_of(info, info->nr_repeats));
	json_put(o, "emulator_records", count_of(info, info->nr_emulator_records));
	return o;
}

static const char *guest_type_name(enum ckpt_guest_type type)
{
	static const char *const names[] = {
		[CKPT_GUEST_UNKNOWN] = NULL,
		[CKPT_GUEST_PV] = "pv",
		[CKPT_GUEST_PVH] = "pvh",
		[CKPT_GUEST_HVM] = "hvm",
	};

	return names[type];
}

static struct json_object *json_guest(const struct cmd_input *in)
{
	const struct ckpt_info *info = in->info;
	const struct guest_facts *f = &in->snap.guest;
	struct json_object *o = json_object_new_object();

	json_put_text(o, "type", guest_type_name(info->guest_type));
	json_put(o, "word_bytes", json_num_or_null(info->word_bytes, 0));
	json_put(o, "pt_levels", json_num_or_null(info->pt_levels, 0));
	json_put(o, "vcpus", count_of(info, cmd_nr_vcpus(in)));
	json_put(o, "nr_pfns", json_num_or_null(info->nr_pfns, 0));
	json_put_bool(o, "suspended", info->suspended);
	json_put_text(o, "name", info->name);
	json_put_text(o, "uuid", info->uuid);
	json_put_text(o, "os", f->os);
	json_put_text(o, "release", f->release);
	json_put_text(o, "version", f->version);
	json_put_text(o, "machine", f->machine);
	json_put_text(o, "hostname", f->hostname);
	json_put_text(o, "cmdline", f->cmdline);
	json_put(o, "monotonic_ns", f->mono_known ? json_object_new_uint64(f->mono_ns) : NULL);
	json_put(o, "wall_sec", f->wall_known ? json_object_new_uint64(f->wall_sec) : NULL);
	return o;
}

static struct json_object *json_config(const struct ckpt_info *info)
{
	static const char *const kinds[] = {
		[CKPT_CONFIG_NONE] = NULL,
		[CKPT_CONFIG_XL_JSON] = "xl-json",
		[CKPT_CONFIG_SXP] = "sxp",
		[CKPT_CONFIG_XLCFG] = "xlcfg",
		[CKPT_CONFIG_XML] = "libvirt-xml",
		[CKPT_CONFIG_XENOPS] = "xenops",
		[CKPT_CONFIG_XENSTORE] = "xenstore",
	};
	struct json_object *o = json_object_new_object(), *disks = json_object_new_array();
	size_t i;

	json_put_text(o, "kind", kinds[info->config_kind]);
	json_put(o, "vcpus", json_num_or_null(info->config_vcpus, 0));
	for (i = 0; i < info->nr_disks; i++) {
		const struct ckpt_disk *d = &info->disks[i];
		struct json_object *j = json_object_new_object();

		json_put_text(j, "vdev", d->vdev);
		json_put_text(j, "path", d->path);
		json_put_text(j, "format", d->format);
		json_put_text(j, "backend", d->backend);
		json_put_bool(j, "read_only", d->read_only);
		json_put_bool(j, "cdrom", d->cdrom);
		json_object_array_add(disks, j);
	}
	if (info->config_kind == CKPT_CONFIG_NONE) {
		json_object_put(disks);
		disks = NULL;
	}
	json_put(o, "disks", disks);
	return o;
}

static struct json_object *json_segment(const struct io_segment *s)
{
	struct json_object *o = json_object_new_object();
	bool known = s->frame != IO_FRAME_UNKNOWN;

	json_put(o, "pfn", known ? json_hex(s->pfn.v) : NULL);
	json_put_num(o, "offset", s->offset);
	json_put_num(o, "bytes", s->bytes);
	json_put(o, "gref", s->gref < 0 ? NULL : json_object_new_int64(s->gref));
	json_put(o, "grant_pfn", json_hex_or_null(s->grant_pfn.v, UINT64_MAX));
	json_put(o, "source_mfn", json_hex_or_null(s->source_mfn.v, UINT64_MAX));
	json_put(o, "target_mfn", json_hex_or_null(s->target_mfn.v, UINT64_MAX));
	json_put(o, "present", known ? json_object_new_boolean(s->frame == IO_FRAME_OK) : NULL);
	return o;
}

static struct json_object *json_flags(unsigned bits)
{
	struct json_object *a = json_object_new_array();
	unsigned bit;

	for (bit = 1; bit; bit <<= 1)
		if (bits & bit && io_flag_name(bit))
			json_object_array_add(a, json_text(io_flag_name(bit)));
	return a;
}

struct json_object *json_request(const struct io_request *r)
{
	struct json_object *o = json_object_new_object(), *segs = json_object_new_array();
	size_t i;

	json_put_num(o, "ring", r->ring);
	json_put_num(o, "slot", r->slot);
	json_put_text(o, "op", io_op_name(r->op));
	json_put(o, "flags", json_flags(r->flags));
	json_put(o, "sector",
		r->sector_from == IO_SECTOR_UNKNOWN ? NULL : json_object_new_uint64(r->sector));
	json_put_text(o, "sector_from", io_sector_from_name(r->sector_from));
	json_put(o, "nr_sectors",
		io_request_size_known(r) ? json_object_new_uint64(r->nr_sectors) : NULL);
	json_put_text(o, "state", io_state_name(r->state));
	if (r->unsettled)
		json_put_bool(o, "unsettled", true);
	json_put(o, "response_status",
		r->state == IO_RESPONDED ? json_object_new_int(r->rsp_status) : NULL);
	json_put_num(o, "wire_op", r->wire_op);
	json_put(o, "id", json_hex(r->id));
	json_put(o, "request", json_hex_or_null(r->request_va.v, 0));
	json_put(o, "age_ns", r->age_known ? json_object_new_uint64(r->age_ns) : NULL);
	json_put_text(o, "trouble", r->trouble);
	for (i = 0; i < r->nr_seg; i++)
		json_object_array_add(segs, json_segment(&r->seg[i]));
	json_put(o, "segments", segs);
	if (r->nr_who) /* else nobody asked */
		json_put(o, "who", json_who(r));
	if (r->nr_meaning)
		json_put(o, "meaning", json_meaning(r));
	return o;
}

static struct json_object *json_ring(const struct io_ring *r)
{
	struct json_object *o = json_object_new_object(), *pages = json_object_new_array();
	struct json_object *source = json_object_new_array(), *target = json_object_new_array();
	struct json_object *grefs = json_object_new_array();
	bool indices = r->indices == IO_INDICES_READ;
	size_t i;

	json_put_num(o, "index", r->index);
	json_put(o, "entries", json_num_or_null(r->entries, 0));
	json_put(o, "req_prod_pvt", indices ? json_object_new_uint64(r->req_prod_pvt) : NULL);
	json_put(o, "rsp_cons", indices ? json_object_new_uint64(r->rsp_cons) : NULL);
	json_put(o, "sring_req_prod",
		r->sring_known ? json_object_new_uint64(r->sring_req_prod) : NULL);
	json_put(o, "sring_rsp_prod",
		r->sring_known ? json_object_new_uint64(r->sring_rsp_prod) : NULL);
	json_put(o, "used", r->slots ? json_object_new_uint64(r->nr_used) : NULL);
	json_put(o, "free", r->slots ? json_object_new_uint64(r->nr_free) : NULL);
	json_put(o, "free_list_ok", r->slots ? json_object_new_boolean(r->free_list_ok) : NULL);
	for (i = 0; i < r->nr_pages; i++) {
		json_object_array_add(pages, json_hex_or_null(r->pages[i].v, UINT64_MAX));
		if (r->page_source_mfn)
			json_object_array_add(
				source, json_hex_or_null(r->page_source_mfn[i].v, UINT64_MAX));
		if (r->page_target_mfn)
			json_object_array_add(
				target, json_hex_or_null(r->page_target_mfn[i].v, UINT64_MAX));
	}
	for (i = 0; i < r->nr_grefs; i++)
		json_object_array_add(grefs, json_object_new_uint64(r->grefs[i]));
	json_put(o, "pages", pages);
	json_put(o, "source_mfns", source);
	json_put(o, "target_mfns", target);
	json_put(o, "grefs", grefs);
	json_put(o, "address", json_hex_or_null(r->va.v, 0));
	json_put(o, "shadow", json_hex_or_null(r->shadow_va.v, 0));
	return o;
}

static struct json_object *json_features(const struct blkdev *d)
{
	struct json_object *o = json_object_new_object();

	json_put(o, "flush", json_tri(d->feature_flush));
	json_put(o, "fua", json_tri(d->feature_fua));
	json_put(o, "discard", json_tri(d->feature_discard));
	json_put(o, "secure_discard", json_tri(d->feature_secure_discard));
	json_put(o, "persistent", json_tri(d->feature_persistent));
	json_put(o, "bounce", json_tri(d->bounce));
	json_put(o, "max_indirect_segments",
		json_num_or_null(d->max_indirect_segments, BLK_UNKNOWN_U64));
	json_put(o, "discard_granularity",
		json_num_or_null(d->discard_granularity, BLK_UNKNOWN_U64));
	return o;
}

static struct json_object *make_request(const void *r)
{
	return json_request(r);
}

static struct json_object *json_requests(const struct io_request *r, size_t nr)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < nr; i++)
		json_object_array_add(a, json_later(make_request, &r[i]));
	return a;
}

static struct json_object *confirmed_by(const struct blkdev *d)
{
	struct json_object *a = json_object_new_array();
	int i;

	for (i = 0; i < BLK_NR_CONFIRMED; i++)
		if (d->confirmed_by & 1u << i)
			json_object_array_add(a, json_text(blk_confirmed_name(1u << i)));
	return a;
}

static struct json_object *json_device(const struct blkdev *d, bool with_requests)
{
	struct json_object *o = json_object_new_object(), *rings = json_object_new_array();
	size_t i;

	json_put_text(o, "vdev", d->name);
	json_put(o, "handle", json_num_or_null(d->handle, BLK_UNKNOWN_U64));
	json_put_text(o, "frontend", d->driver ? d->driver->name : NULL);
	json_put_text(o, "frontend_version", *d->driver_version ? d->driver_version : NULL);
	json_put_text(o, "located_by", blk_located_name(d->located_by));
	json_put_bool(o, "confirmed", d->confirmed);
	json_put(o, "confirmed_by", confirmed_by(d));
	json_put_text(o, "state", d->state);
	json_put_text(o, "nodename", d->nodename);
	json_put(o, "backend_domid", json_int_or_null(d->backend_domid));
	json_put(o, "nr_sectors", json_num_or_null(d->nr_sectors, BLK_UNKNOWN_U64));
	json_put_text(o, "scheduler", d->scheduler);
	json_put(o, "logical_block_bytes", json_num_or_null(d->logical_block_bytes, 0));
	json_put(o, "physical_block_bytes", json_num_or_null(d->physical_block_bytes, 0));
	json_put(o, "read_only", json_tri(d->read_only));
	json_put(o, "features", json_features(d));
	json_put(o, "nr_requests",
		d->requests_known ? json_object_new_uint64(d->nr_requests) : NULL);
	json_put(o, "nr_queued", d->queued_known ? json_object_new_uint64(d->nr_queued) : NULL);
	for (i = 0; i < d->nr_rings; i++)
		json_object_array_add(rings, json_ring(&d->rings[i]));
	json_put(o, "rings", rings);
	if (with_requests) {
		json_put(o, "requests", json_requests(d->requests, d->nr_requests));
		json_put(o, "queued",
			d->queued_known ? json_requests(d->queued, d->nr_queued) : NULL);
	}
	return o;
}

struct json_object *json_finding(const struct finding *f, enum severity severity)
{
	struct json_object *o = json_object_new_object();

	json_put_text(o, "rule", f->rule);
	json_put_text(o, "severity", severity_name(severity));
	json_put_text(o, "message", f->message);
	json_put_text(o, "device", f->device);
	json_put(o, "ring", json_int_or_null(f->ring));
	json_put(o, "slot", json_int_or_null(f->slot));
	json_put(o, "offset", json_num_or_null(f->offset, FINDING_NO_OFFSET));
	return o;
}

static struct json_object *json_findings(const struct finding_list *list)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < list->nr; i++) {
		const struct rule *r = catalogue_find(list->v[i].rule);

		json_object_array_add(
			a, json_finding(&list->v[i], r ? r->severity : SEVERITY_ERROR));
	}
	return a;
}

/* One rule of them. */
static struct json_object *json_left_out(const struct finding_count *c, enum severity severity)
{
	struct json_object *o = json_object_new_object();

	json_put_text(o, "rule", c->rule);
	json_put_text(o, "severity", severity_name(severity));
	json_put_num(o, "count", finding_left_out(c));
	return o;
}

void json_put_left_out(
	struct json_object *doc, const struct finding_list *list, const struct check_policy *policy)
{
	struct json_object *a = NULL;
	enum severity severity;
	size_t i;

	for (i = 0; i < list->nr_counts; i++) {
		const struct finding_count *c = &list->counts[i];

		if (!finding_left_out(c) || !check_policy_severity(policy, c->rule, &severity))
			continue;
		if (!a && !json_object_object_get_ex(doc, "findings_left_out", &a)) {
			a = json_object_new_array();
			json_put(doc, "findings_left_out", a);
		}
		json_object_array_add(a, json_left_out(c, severity));
	}
}

struct json_object *json_document(const struct cmd_input *in, bool with_requests)
{
	/* Without a guest the decoders never ran; the stream's own findings still count. */
	const struct finding_list *findings =
		in->guest ? &in->snap.findings : memory_findings(in->memory);
	struct json_object *doc = json_new_document(), *devices = json_object_new_array();
	size_t i;

	json_put(doc, "source", json_source(in));
	json_put(doc, "guest", json_guest(in));
	json_put(doc, "config", json_config(in->info));
	for (i = 0; i < in->snap.nr_devices; i++)
		json_object_array_add(devices, json_device(&in->snap.devices[i], with_requests));
	if (!in->guest) { /* nobody looked */
		json_object_put(devices);
		devices = NULL;
	}
	json_put(doc, "devices", devices);
	if (in->live)
		json_put(doc, "live", look_json(in));
	json_put_bool(doc, "every_page", in->snap.every_page);
	json_put_text(doc, "doubt", in->snap.doubt);
	json_put_text(doc, "looked_for", in->snap.nr_devices ? NULL : in->snap.looked_for);
	json_put(doc, "findings", json_findings(findings));
	json_put_left_out(doc, findings, NULL);
	return doc;
}
