/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/replay_disks.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/cells.h"
#include "cmd/render_json.h"

int replay_target_add(struct replay_targets *t, const char *text, struct err *err)
{
	struct replay_target *grown, one = {.disk = DISK_INIT};

	if (disk_parse(text, one.vdev, sizeof(one.vdev), &one.path, &one.format, err))
		return -1;
	grown = realloc(t->v, (t->nr + 1) * sizeof(*grown));
	if (!grown)
		return err_nomem(err, "noting a disk");
	t->v = grown;
	t->v[t->nr++] = one;
	return 0;
}

static int find_device(const struct replay_targets *t, struct replay_target *one,
	const struct snapshot *s, struct err *err)
{
	size_t i;

	one->dev = snapshot_need_device(s, one->vdev, err);
	if (!one->dev)
		return -1;
	for (i = 0; &t->v[i] != one; i++)
		if (t->v[i].dev == one->dev)
			return err_set(err, ERR_USAGE, "two disks for %s", one->dev->name);
	return 0;
}

int replay_targets_open(struct replay_targets *t, const struct snapshot *s, struct err *err)
{
	size_t i;

	for (i = 0; i < t->nr; i++) {
		struct replay_target *one = &t->v[i];

		if (find_device(t, one, s, err) ||
			disk_open(&one->disk, one->path, one->format, 0, err))
			return -1;
		one->seen_dev = one->disk.dev;
		one->seen_ino = one->disk.ino;
		one->seen_bytes = one->disk.bytes;
	}
	return 0;
}

void replay_targets_fini(struct replay_targets *t)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		disk_drop(&t->v[i].disk);
	free(t->v);
	*t = (struct replay_targets){0};
}

const struct disk *replay_targets_disk(const struct replay_targets *t, const struct blkdev *dev)
{
	size_t i;

	for (i = 0; i < t->nr; i++)
		if (t->v[i].dev == dev)
			return &t->v[i].disk;
	return NULL;
}

int replay_matches_get(struct memory m, const struct replay_plan *plan,
	const struct replay_targets *t, struct replay_matches *ret, struct err *err)
{
	size_t i;

	ret->v = calloc(plan->nr + 1, sizeof(*ret->v));
	ret->compared = calloc(plan->nr + 1, sizeof(*ret->compared));
	if (!ret->v || !ret->compared)
		return err_nomem(err, "comparing with the disk");
	ret->nr = plan->nr;
	for (i = 0; i < plan->nr; i++) {
		const struct disk *d = replay_targets_disk(t, plan->v[i].dev);

		ret->compared[i] = d != NULL;
		if (d && replay_compare(m, plan->v[i].req, d, &ret->v[i], err))
			return -1;
	}
	return 0;
}

void replay_matches_fini(struct replay_matches *m)
{
	size_t i;

	for (i = 0; i < m->nr; i++)
		replay_match_fini(&m->v[i]);
	free(m->v);
	free(m->compared);
	*m = (struct replay_matches){0};
}

/* A table has room for some ranges; JSON has all. */
#define MAX_SHOWN 3

struct match_row {
	struct request_row request;
	size_t step;
	const struct replay_match *m; /* NULL: no disk was given */
};

static char *cell_step(const void *row)
{
	return table_text("%zu", ((const struct match_row *)row)->step);
}

static char *cell_place(const void *row)
{
	const struct match_row *r = row;

	return io_request_has_place(r->request.req) ? cell_sector(row) : NULL;
}

static char *cell_on_disk(const void *row)
{
	const struct match_row *r = row;

	return r->m ? strdup(replay_match_name(r->m->state)) : NULL;
}

static char *cell_differs(const void *row)
{
	const struct replay_match *m = ((const struct match_row *)row)->m;
	char text[256] = "";
	size_t i, at = 0;

	if (!m)
		return NULL;
	if (m->state == REPLAY_UNDECIDED)
		return strdup(m->why.text);
	for (i = 0; i < m->nr && i < MAX_SHOWN; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%" PRIu64 "-%" PRIu64,
			i ? "," : "", m->differs[i].start, m->differs[i].end - 1);
	if (m->nr > MAX_SHOWN)
		snprintf(text + at, sizeof(text) - at, " and %zu more", m->nr - MAX_SHOWN);
	return *text ? strdup(text) : NULL;
}

static const struct table_column columns[] = {
	{"STEP", true, "place in the order", cell_step},
	{"DEVICE", false, "virtual device", cell_device},
	{"RING", true, "ring of the device", cell_ring},
	{"SLOT", true, "slot of the shadow ring; q: tag of a queued request", cell_slot_or_tag},
	{"OP", false, "read, write, barrier, flush, discard, probe", cell_op},
	{"SECTOR", true, "first sector; ? unknown", cell_place},
	{"SECTORS", true, "length in sectors", cell_sectors},
	{"ON-DISK", false, "landed, not-landed, torn; of a read filled, not-filled", cell_on_disk},
	{"DIFFERS", false, "bytes of the disk that differ, first to last", cell_differs},
};

int replay_matches_table(const struct cmd_env *env, const struct replay_plan *plan,
	const struct replay_matches *m, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(columns)];
	struct libscols_table *t;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++)
		cols[i] = &columns[i];
	t = table_new(env, cols, ARRAY_SIZE(columns));
	if (!t)
		return err_nomem(err, "the table");
	for (i = 0; i < plan->nr; i++) {
		const struct replay_item *it = &plan->v[i];
		const struct match_row row = {
			{.dev = it->dev, .req = it->req}, i + 1, m->compared[i] ? &m->v[i] : NULL};

		table_row(t, cols, ARRAY_SIZE(columns), &row);
	}
	return table_print(t, err);
}

static struct json_object *match_json(const struct replay_match *m)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	size_t i;

	if (!o || !list) {
		json_object_put(o);
		json_object_put(list);
		return NULL;
	}
	for (i = 0; i < m->nr; i++) {
		struct json_object *range = json_object_new_object();

		json_put(range, "start", json_object_new_uint64(m->differs[i].start));
		json_put(range, "end", json_object_new_uint64(m->differs[i].end));
		json_object_array_add(list, range);
	}
	json_put(o, "state", json_text(replay_match_name(m->state)));
	json_put(o, "differs", list);
	json_put(o, "why", m->state == REPLAY_UNDECIDED ? json_text(m->why.text) : NULL);
	return o;
}

int replay_matches_json(const struct replay_matches *m, struct json_object *list)
{
	size_t i;

	for (i = 0; i < m->nr; i++) {
		struct json_object *o = NULL;

		if (m->compared[i] && !(o = match_json(&m->v[i])))
			return -1;
		json_put(json_object_array_get_idx(list, i), "on_disk", o);
	}
	return 0;
}
