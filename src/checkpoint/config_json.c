/* SPDX-License-Identifier: BSD-2-Clause
 *
 * config_json.c - what xl's JSON configuration says (libxl_domain_config of libxl_types.idl).
 * Members with their default value are not written.
 */
#include <json-c/json.h>
#include <string.h>

#include "checkpoint/config.h"

static void put_json(struct json_object **o)
{
	json_object_put(*o);
}

static void free_tokener(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static struct json_object *get_member(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, name, &v)
		       ? v
		       : NULL;
}

/* A copy of a string or number; *ret stays NULL when the member is missing. */
static int copy_text(struct json_object *o, const char *name, char **ret, struct err *err)
{
	struct json_object *v = get_member(o, name);

	if (!v || json_object_is_type(v, json_type_object) ||
		json_object_is_type(v, json_type_array))
		return 0;
	free(*ret);
	*ret = strdup(json_object_get_string(v));
	return *ret ? 0 : err_nomem(err, "the configuration");
}

static bool is_true(struct json_object *o, const char *name)
{
	struct json_object *v = get_member(o, name);

	if (json_object_is_type(v, json_type_string))
		return !strcasecmp(json_object_get_string(v), "true");
	return v && json_object_get_boolean(v);
}

static int fill_disk(struct ckpt_disk *d, struct json_object *o, struct err *err)
{
	if (copy_text(o, "vdev", &d->vdev, err) || copy_text(o, "pdev_path", &d->path, err) ||
		copy_text(o, "format", &d->format, err) ||
		copy_text(o, "backend", &d->backend, err))
		return -1;
	d->cdrom = is_true(o, "is_cdrom");
	d->read_only = !is_true(o, "readwrite");
	return 0;
}

static int add_disks(struct ckpt *ck, struct json_object *disks, struct err *err)
{
	size_t i, nr;
	bool full = false;

	if (!json_object_is_type(disks, json_type_array))
		return 0;
	nr = json_object_array_length(disks);
	for (i = 0; i < nr && !full; i++) {
		struct ckpt_disk *d = config_add_disk(ck, &full, err);

		if (!d && !full)
			return -1;
		if (d && fill_disk(d, json_object_array_get_idx(disks, i), err))
			return -1;
	}
	return 0;
}

static enum ckpt_guest_type guest_type(struct json_object *c_info)
{
	struct json_object *v = get_member(c_info, "type");
	const char *text = v ? json_object_get_string(v) : NULL;

	if (!text)
		return CKPT_GUEST_UNKNOWN;
	if (!strcmp(text, "pvh"))
		return CKPT_GUEST_PVH;
	if (!strcmp(text, "hvm"))
		return CKPT_GUEST_HVM;
	return strcmp(text, "pv") ? CKPT_GUEST_UNKNOWN : CKPT_GUEST_PV;
}

int config_parse_json(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	CLEANUP(free_tokener) struct json_tokener *tok = json_tokener_new();
	CLEANUP(put_json) struct json_object *root = NULL;
	struct json_object *c_info, *vcpus;

	if (!tok)
		return err_nomem(err, "the configuration");
	/* The length is at most CKPT_MAX_CONFIG_BYTES; the depth is the tokener's own 32. */
	root = json_tokener_parse_ex(tok, info->config, (int)info->config_bytes);
	if (!json_object_is_type(root, json_type_object)) {
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the configuration is not a JSON object: %s",
			json_tokener_error_desc(json_tokener_get_error(tok)));
		return 0;
	}
	c_info = get_member(root, "c_info");
	*ret_type = guest_type(c_info);
	if (*ret_type == CKPT_GUEST_UNKNOWN)
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the configuration does not say what kind of guest it is");
	vcpus = get_member(get_member(root, "b_info"), "max_vcpus");
	if (vcpus)
		info->config_vcpus = (unsigned)MIN(
			MAX(json_object_get_int64(vcpus), INT64_C(0)), INT64_C(65536));
	if (copy_text(c_info, "name", &info->name, err) ||
		copy_text(c_info, "uuid", &info->uuid, err))
		return -1;
	return add_disks(ck, get_member(root, "disks"), err);
}
