/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The features of a target's backend, by the names that xenstore has for them.
 */
#include "check/caps.h"

#include <ctype.h>
#include <errno.h>
#include <json.h>
#include <string.h>

#include "base/num.h"
#include "io/door.h"

#define CAPS_MAX_BYTES	 65536u
#define CAPS_MAX_DEVICES 256u

/* Where a flag or a number goes. */
static const size_t places[BACKEND_NR_NUMBERS] = {
	[BACKEND_FLUSH] = offsetof(struct check_caps, flush),
	[BACKEND_BARRIER] = offsetof(struct check_caps, barrier),
	[BACKEND_DISCARD] = offsetof(struct check_caps, discard),
	[BACKEND_SECURE_DISCARD] = offsetof(struct check_caps, secure_discard),
	[BACKEND_PERSISTENT] = offsetof(struct check_caps, persistent),
	[BACKEND_MAX_INDIRECT_SEGMENTS] = offsetof(struct check_caps, max_indirect_segments),
	[BACKEND_MAX_QUEUES] = offsetof(struct check_caps, max_queues),
	[BACKEND_MAX_RING_PAGE_ORDER] = offsetof(struct check_caps, max_ring_page_order),
	[BACKEND_SECTOR_BYTES] = offsetof(struct check_caps, sector_bytes),
	[BACKEND_SECTORS] = offsetof(struct check_caps, sectors),
};

struct check_caps check_caps_none(void)
{
	return (struct check_caps){
		.max_indirect_segments = BLK_UNKNOWN_U64,
		.max_queues = BLK_UNKNOWN_U64,
		.max_ring_page_order = BLK_UNKNOWN_U64,
		.sector_bytes = BLK_UNKNOWN_U64,
		.sectors = BLK_UNKNOWN_U64,
	};
}

static int set_mode(struct check_caps *c, const char *value, struct err *err)
{
	if (strcmp(value, "r") && strcmp(value, "w"))
		return err_set(err, ERR_USAGE, "mode is '%s', neither r nor w", value);
	c->read_only_known = true;
	c->read_only = *value == 'r';
	return 0;
}

void check_caps_set(struct check_caps *c, enum backend_key key, uint64_t value)
{
	enum tri yes = value == BLK_UNKNOWN_U64 ? TRI_UNKNOWN : value ? TRI_YES : TRI_NO;

	if (key < BACKEND_NR_FLAGS)
		memcpy((char *)c + places[key], &yes, sizeof(yes));
	else if (key < BACKEND_NR_NUMBERS)
		memcpy((char *)c + places[key], &value, sizeof(value));
}

/* One key of the backend's directory, by its xenstore name. ERR_USAGE: the value is nonsense;
 * ERR_NOTFOUND: no such key is known. */
static int set_cap(struct check_caps *c, const char *name, const char *value, struct err *err)
{
	enum backend_key key = backend_key_by_name(name);
	uint64_t v;

	if (key == BACKEND_NR_KEYS)
		return err_set(err, ERR_NOTFOUND, "no feature is called '%s'", name);
	if (key == BACKEND_MODE)
		return set_mode(c, value, err);
	if (!num_parse_u64(value, UINT64_MAX - 1, &v))
		return err_set(err, ERR_USAGE, "%s is '%s', not a number", name, value);
	check_caps_set(c, key, v);
	return 0;
}

static char *trim_text(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int read_lines(char *text, struct check_caps *c, struct err *err)
{
	char *save = NULL, *line;
	unsigned nr = 0;

	for (; (line = strtok_r(nr ? NULL : text, "\n", &save)); nr++) {
		char *equals;

		line = trim_text(line);
		if (!*line || *line == '#')
			continue;
		equals = strchr(line, '=');
		if (!equals)
			return err_set(
				err, ERR_USAGE, "'%.40s' is not of the form key=value", line);
		*equals = '\0';
		if (set_cap(c, trim_text(line), trim_text(equals + 1), err))
			return -1;
	}
	return 0;
}

static int read_object(struct json_object *o, struct check_caps *c, struct err *err)
{
	json_object_object_foreach(o, key, val)
	{
		const char *text = json_object_get_string(val);

		if (json_object_is_type(val, json_type_boolean))
			text = json_object_get_boolean(val) ? "1" : "0";
		if (set_cap(c, key, text ? text : "", err))
			return -1;
	}
	return 0;
}

static int append_device(struct check_caps **v, size_t *nr, const char *device, struct err *err)
{
	struct check_caps *grown = realloc(*v, (*nr + 1) * sizeof(**v));

	if (!grown)
		return err_nomem(err, "reading features");
	*v = grown;
	grown[*nr] = check_caps_none();
	snprintf(grown[(*nr)++].device, sizeof(grown->device), "%s", device);
	return 0;
}

static int read_json(const char *text, struct check_caps **v, size_t *nr, struct err *err)
{
	struct json_object *top = json_tokener_parse(text);
	int ret = 0;

	if (!json_object_is_type(top, json_type_object)) {
		json_object_put(top);
		return err_set(err, ERR_USAGE, "it is not a JSON object");
	}
	{
		json_object_object_foreach(top, key, val)
		{
			bool device = json_object_is_type(val, json_type_object);

			if (ret || *nr >= CAPS_MAX_DEVICES)
				break;
			if (!device) {
				ret = append_device(v, nr, "", err) || read_object(top, *v, err)
					      ? -1
					      : 0;
				break;
			}
			ret = append_device(v, nr, key, err) ||
					      read_object(val, &(*v)[*nr - 1], err)
				      ? -1
				      : 0;
		}
	}
	json_object_put(top);
	if (!ret && !*nr) /* {}: a target that offers nothing */
		ret = append_device(v, nr, "", err);
	return ret;
}

/* The whole text, or NULL; the caller frees it. */
static char *read_all(const char *path, struct err *err)
{
	char *text = calloc(1, CAPS_MAX_BYTES + 1);
	FILE *f = door_fopen(path);
	size_t got = 0;
	int bad = 0;

	if (!f)
		bad = err_sys(err, "cannot open %s", path);
	else if (!text)
		bad = err_nomem(err, "reading features");
	else
		got = fread(text, 1, CAPS_MAX_BYTES, f);
	if (!bad && ferror(f))
		bad = err_sys(err, "cannot read %s", path);
	else if (!bad && (got == CAPS_MAX_BYTES || strlen(text) != got))
		bad = err_set(err, ERR_USAGE, "%s is not a list of features", path);
	if (f)
		fclose(f);
	if (bad)
		free(take(text));
	return text;
}

int check_caps_read(const char *path, struct check_caps **ret, size_t *nr, struct err *err)
{
	char *text = read_all(path, err);
	int bad;

	*ret = NULL;
	*nr = 0;
	if (!text)
		return -1;
	if (*trim_text(text) == '{')
		bad = read_json(text, ret, nr, err);
	else
		bad = append_device(ret, nr, "", err) || read_lines(text, *ret, err) ? -1 : 0;
	free(text);
	if (!bad)
		return 0;
	free(take(*ret));
	*nr = 0;
	if (err->cls == ERR_NOTFOUND)
		err->cls = ERR_USAGE;
	return err_in(err, "cannot use %s", path);
}

const struct check_caps *check_caps_of(
	const struct check_caps *v, size_t nr, const struct blkdev *dev)
{
	const struct check_caps *all = NULL;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (v[i].device[0] && blkdev_is_named(dev, v[i].device))
			return &v[i];
		if (!v[i].device[0])
			all = &v[i];
	}
	return all;
}

/* A direct request carries BLKIF_MAX_SEGMENTS, an indirect one what the target offers. */
uint64_t check_caps_segments(const struct check_caps *c)
{
	return c->max_indirect_segments == BLK_UNKNOWN_U64
		       ? BLKIF_MAX_SEGMENTS
		       : MAX(c->max_indirect_segments, BLKIF_MAX_SEGMENTS);
}
