/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/render_json.h"

#include <string.h>

#include "check/catalogue.h"

static struct json_object *json_hex(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v);
	return json_object_new_string(text);
}

static struct json_object *json_hex_or_null(uint64_t v, uint64_t unknown)
{
	return v == unknown ? NULL : json_hex(v);
}

struct json_object *json_num_or_null(uint64_t v, uint64_t unknown)
{
	return v == unknown ? NULL : json_object_new_uint64(v);
}

static struct json_object *text_n(const char *text, size_t bytes)
{
	CLEANUP_FREE char *valid = NULL;

	if (!text || !bytes)
		return NULL;
	valid = cmd_valid_utf8(text, bytes);
	return valid ? json_object_new_string(valid) : NULL;
}

struct json_object *json_text(const char *text)
{
	return text ? text_n(text, strlen(text)) : NULL;
}

static struct json_object *json_tri(enum tri v)
{
	return v == TRI_UNKNOWN ? NULL : json_object_new_boolean(v == TRI_YES);
}

static void put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

static void put_num(struct json_object *o, const char *key, uint64_t v)
{
	put(o, key, json_object_new_uint64(v));
}

static void put_text(struct json_object *o, const char *key, const char *text)
{
	put(o, key, json_text(text));
}

static void put_bool(struct json_object *o, const char *key, bool v)
{
	put(o, key, json_object_new_boolean(v));
}

static struct json_object *json_source(const struct ckpt *ck)
{
	const struct ckpt_info *info = ckpt_info(ck);
	struct json_object *o = json_object_new_object(), *layers = json_object_new_array();
	unsigned i;

	put_text(o, "path", source_path(ckpt_source(ck)));
	put_text(o, "format", info->format);
	for (i = 0; i < info->nr_layers; i++)
		json_object_array_add(layers, json_text(info->layers[i]));
	put(o, "layers", layers);
	put_bool(o, "complete", info->complete);
	put_text(o, "incomplete_why", info->incomplete_why);
	put_num(o, "bytes", source_bytes(ckpt_source(ck)));
	put(o, "xen_version", NULL);
	if (info->xen_major) {
		char text[32];

		snprintf(text, sizeof(text), "%u.%u", info->xen_major, info->xen_minor);
		put_text(o, "xen_version", text);
	}
	put_num(o, "data_pages", info->nr_data_pages);
	put_num(o, "repeated_pages", info->nr_repeats);
	put_num(o, "emulator_records", info->nr_emulator_records);
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

static struct json_object *json_guest(const struct ckpt *ck, const struct snapshot *s)
{
	const struct ckpt_info *info = ckpt_info(ck);
	const struct guest_facts *f = &s->guest;
	struct json_object *o = json_object_new_object();

	put_text(o, "type", guest_type_name(info->guest_type));
	put(o, "word_bytes", json_num_or_null(info->word_bytes, 0));
	put(o, "pt_levels", json_num_or_null(info->pt_levels, 0));
	put_num(o, "vcpus", ckpt_nr_vcpus(ck));
	put_num(o, "nr_pfns", info->nr_pfns);
	put_text(o, "name", info->name);
	put_text(o, "uuid", info->uuid);
	put_text(o, "os", f->os);
	put_text(o, "release", f->release);
	put_text(o, "version", f->version);
	put_text(o, "machine", f->machine);
	put_text(o, "hostname", f->hostname);
	put_text(o, "cmdline", f->cmdline);
	put(o, "monotonic_ns", f->mono_known ? json_object_new_uint64(f->mono_ns) : NULL);
	put(o, "wall_sec", f->wall_known ? json_object_new_uint64(f->wall_sec) : NULL);
	return o;
}

static struct json_object *json_config(const struct ckpt *ck)
{
	static const char *const kinds[] = {
		[CKPT_CONFIG_NONE] = NULL,
		[CKPT_CONFIG_XL_JSON] = "xl-json",
		[CKPT_CONFIG_SXP] = "sxp",
		[CKPT_CONFIG_XLCFG] = "xlcfg",
	};
	const struct ckpt_info *info = ckpt_info(ck);
	struct json_object *o = json_object_new_object(), *disks = json_object_new_array();
	size_t i;

	put_text(o, "kind", kinds[info->config_kind]);
	put(o, "vcpus", json_num_or_null(info->config_vcpus, 0));
	for (i = 0; i < info->nr_disks; i++) {
		const struct ckpt_disk *d = &info->disks[i];
		struct json_object *j = json_object_new_object();

		put_text(j, "vdev", d->vdev);
		put_text(j, "path", d->path);
		put_text(j, "format", d->format);
		put_text(j, "backend", d->backend);
		put_bool(j, "read_only", d->read_only);
		put_bool(j, "cdrom", d->cdrom);
		json_object_array_add(disks, j);
	}
	put(o, "disks", disks);
	return o;
}

static struct json_object *segment(const struct io_segment *s)
{
	struct json_object *o = json_object_new_object();
	bool known = s->frame != IO_FRAME_UNKNOWN;

	put(o, "pfn", known ? json_hex(s->pfn.v) : NULL);
	put_num(o, "offset", s->offset);
	put_num(o, "bytes", s->bytes);
	put(o, "gref", s->gref < 0 ? NULL : json_object_new_int64(s->gref));
	put(o, "grant_pfn", json_hex_or_null(s->grant_pfn.v, UINT64_MAX));
	put(o, "source_mfn", json_hex_or_null(s->source_mfn.v, UINT64_MAX));
	put(o, "target_mfn", json_hex_or_null(s->target_mfn.v, UINT64_MAX));
	put(o, "present", known ? json_object_new_boolean(s->frame == IO_FRAME_OK) : NULL);
	return o;
}

static struct json_object *flags(unsigned bits)
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

	put_num(o, "ring", r->ring);
	put_num(o, "slot", r->slot);
	put_text(o, "op", io_op_name(r->op));
	put(o, "flags", flags(r->flags));
	put(o, "sector",
		r->sector_from == IO_SECTOR_UNKNOWN ? NULL : json_object_new_uint64(r->sector));
	put_text(o, "sector_from", io_sector_from_name(r->sector_from));
	put_num(o, "nr_sectors", r->nr_sectors);
	put_text(o, "state", io_state_name(r->state));
	put(o, "response_status",
		r->state == IO_RESPONDED ? json_object_new_int(r->rsp_status) : NULL);
	put_num(o, "wire_op", r->wire_op);
	put(o, "id", json_hex(r->id));
	put(o, "request", json_hex_or_null(r->request_va.v, 0));
	put(o, "age_ns", r->age_known ? json_object_new_uint64(r->age_ns) : NULL);
	put_text(o, "trouble", r->trouble);
	for (i = 0; i < r->nr_seg; i++)
		json_object_array_add(segs, segment(&r->seg[i]));
	put(o, "segments", segs);
	return o;
}

static struct json_object *ring(const struct io_ring *r)
{
	struct json_object *o = json_object_new_object(), *pages = json_object_new_array();
	struct json_object *source = json_object_new_array(), *target = json_object_new_array();
	struct json_object *grefs = json_object_new_array();
	size_t i;

	put_num(o, "index", r->index);
	put_num(o, "entries", r->entries);
	put_num(o, "req_prod_pvt", r->req_prod_pvt);
	put_num(o, "rsp_cons", r->rsp_cons);
	put(o, "sring_req_prod", r->sring_known ? json_object_new_uint64(r->sring_req_prod) : NULL);
	put(o, "sring_rsp_prod", r->sring_known ? json_object_new_uint64(r->sring_rsp_prod) : NULL);
	put_num(o, "used", r->nr_used);
	put_num(o, "free", r->nr_free);
	put_bool(o, "free_list_ok", r->free_list_ok);
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
	put(o, "pages", pages);
	put(o, "source_mfns", source);
	put(o, "target_mfns", target);
	put(o, "grefs", grefs);
	put(o, "address", json_hex_or_null(r->va.v, 0));
	put(o, "shadow", json_hex_or_null(r->shadow_va.v, 0));
	return o;
}

static struct json_object *features(const struct blkdev *d)
{
	struct json_object *o = json_object_new_object();

	put(o, "flush", json_tri(d->feature_flush));
	put(o, "fua", json_tri(d->feature_fua));
	put(o, "discard", json_tri(d->feature_discard));
	put(o, "secure_discard", json_tri(d->feature_secure_discard));
	put(o, "persistent", json_tri(d->feature_persistent));
	put(o, "bounce", json_tri(d->bounce));
	put(o, "max_indirect_segments",
		json_num_or_null(d->max_indirect_segments, BLK_UNKNOWN_U64));
	put(o, "discard_granularity", json_num_or_null(d->discard_granularity, BLK_UNKNOWN_U64));
	return o;
}

static struct json_object *requests(const struct io_request *r, size_t nr)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < nr; i++)
		json_object_array_add(a, json_request(&r[i]));
	return a;
}

static struct json_object *json_device(const struct blkdev *d, bool with_requests)
{
	struct json_object *o = json_object_new_object(), *rings = json_object_new_array();
	size_t i;

	put_text(o, "vdev", d->name);
	put(o, "handle", json_num_or_null(d->handle, BLK_UNKNOWN_U64));
	put_text(o, "frontend", d->driver ? d->driver->name : NULL);
	put_text(o, "located_by", blk_located_name(d->located_by));
	put_bool(o, "confirmed", d->confirmed);
	put_text(o, "state", d->state);
	put_text(o, "nodename", d->nodename);
	put(o, "backend_domid",
		d->backend_domid < 0 ? NULL : json_object_new_int(d->backend_domid));
	put(o, "nr_sectors", json_num_or_null(d->nr_sectors, BLK_UNKNOWN_U64));
	put_text(o, "scheduler", d->scheduler);
	put(o, "logical_block_bytes", json_num_or_null(d->logical_block_bytes, 0));
	put(o, "physical_block_bytes", json_num_or_null(d->physical_block_bytes, 0));
	put(o, "read_only", json_tri(d->read_only));
	put(o, "features", features(d));
	put_num(o, "nr_requests", d->nr_requests);
	put(o, "nr_queued", d->queued_known ? json_object_new_uint64(d->nr_queued) : NULL);
	for (i = 0; i < d->nr_rings; i++)
		json_object_array_add(rings, ring(&d->rings[i]));
	put(o, "rings", rings);
	if (with_requests) {
		put(o, "requests", requests(d->requests, d->nr_requests));
		put(o, "queued", d->queued_known ? requests(d->queued, d->nr_queued) : NULL);
	}
	return o;
}

static struct json_object *json_findings(const struct finding_list *list)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < list->nr; i++) {
		const struct finding *f = &list->v[i];
		const struct rule *r = catalogue_find(f->rule);
		struct json_object *o = json_object_new_object();

		put_text(o, "rule", f->rule);
		put_text(o, "severity", severity_name(r ? r->severity : SEVERITY_ERROR));
		put_text(o, "message", f->message);
		put_text(o, "device", f->device);
		put(o, "ring", f->ring < 0 ? NULL : json_object_new_int(f->ring));
		put(o, "slot", f->slot < 0 ? NULL : json_object_new_int(f->slot));
		put(o, "offset", json_num_or_null(f->offset, FINDING_NO_OFFSET));
		json_object_array_add(a, o);
	}
	return a;
}

struct json_object *json_document(const struct cmd_input *in, bool with_requests)
{
	struct json_object *doc = json_object_new_object(), *devices = json_object_new_array();
	size_t i;

	put_text(doc, "schema", "xbdsnap/1");
	put(doc, "source", json_source(in->ck));
	put(doc, "guest", json_guest(in->ck, &in->snap));
	put(doc, "config", json_config(in->ck));
	for (i = 0; i < in->snap.nr_devices; i++)
		json_object_array_add(devices, json_device(&in->snap.devices[i], with_requests));
	put(doc, "devices", devices);
	put_text(doc, "looked_for", in->snap.nr_devices ? NULL : in->snap.looked_for);
	/* Without a guest the decoders never ran; the stream's own findings still count. */
	put(doc, "findings", json_findings(in->guest ? &in->snap.findings : ckpt_findings(in->ck)));
	return doc;
}

int json_print(struct json_object *doc, FILE *out, struct err *err)
{
	const char *text = json_object_to_json_string_ext(
		doc, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	int rc = 0;

	if (!text)
		rc = err_nomem(err, "the JSON document");
	else if (fputs(text, out) == EOF || fputc('\n', out) == EOF)
		rc = err_sys(err, "cannot write the output");
	json_object_put(doc);
	return rc;
}
