/* SPDX-License-Identifier: BSD-2-Clause
 *
 * vbd_nodes.c - a domain's disks out of xenstore.
 *
 * Keys: xen/include/public/io/blkif.h. The frontend's folder is written by the guest, so nothing
 * in it is believed beyond its form: numbers are parsed strictly, texts are cut, counts bounded.
 */
#include "xenhost/xenhost.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

#define NODE_BYTES 512u

static char *read_key(const struct xenhost_store *st, const char *dir, const char *key)
{
	char path[NODE_BYTES];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, key);

	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	return st->read(st->arg, path);
}

static void read_text(
	const struct xenhost_store *st, const char *dir, const char *key, char *buf, size_t cap)
{
	CLEANUP_FREE char *value = read_key(st, dir, key);

	snprintf(buf, cap, "%s", value ? value : "");
}

static uint64_t read_number(const struct xenhost_store *st, const char *dir, const char *key)
{
	CLEANUP_FREE char *value = read_key(st, dir, key);
	uint64_t v;

	return value && num_parse_u64(value, UINT64_MAX - 1, &v) ? v : XENHOST_UNKNOWN;
}

static bool add_ref(
	const struct xenhost_store *st, const char *dir, const char *key, struct xenhost_ring *ring)
{
	uint64_t v = read_number(st, dir, key);

	if (v > UINT32_MAX || ring->nr_refs == XENHOST_MAX_REFS)
		return false;
	ring->ref[ring->nr_refs++] = (uint32_t)v;
	return true;
}

/* One page: "ring-ref"; several: "ring-ref0", "ring-ref1" ... */
static void read_ring(const struct xenhost_store *st, const char *dir, struct xenhost_ring *ring)
{
	char key[24];
	unsigned i;

	memset(ring, 0, sizeof(*ring));
	ring->event_channel = read_number(st, dir, "event-channel");
	if (add_ref(st, dir, "ring-ref", ring))
		return;
	for (i = 0; i < XENHOST_MAX_REFS; i++) {
		snprintf(key, sizeof(key), "ring-ref%u", i);
		if (!add_ref(st, dir, key, ring))
			return;
	}
}

/* The rings stand in the folder itself, or in queue-0, queue-1 ... when there are several. */
static int read_rings(const struct xenhost_store *st, struct xenhost_vbd *v, struct err *err)
{
	uint64_t queues = read_number(st, v->frontend_path, "multi-queue-num-queues"), i;
	char dir[NODE_BYTES];

	if (queues == XENHOST_UNKNOWN || !queues)
		queues = 0;
	queues = MIN(queues, (uint64_t)XENHOST_MAX_RINGS);
	v->rings = calloc(queues ? queues : 1, sizeof(*v->rings));
	if (!v->rings)
		return err_nomem(err, "the rings of a disk");
	v->nr_rings = queues ? queues : 1;
	if (!queues)
		read_ring(st, v->frontend_path, &v->rings[0]);
	for (i = 0; i < queues; i++) {
		snprintf(dir, sizeof(dir), "%s/queue-%u", v->frontend_path, (unsigned)i);
		read_ring(st, dir, &v->rings[i]);
	}
	return 0;
}

static void read_backend(const struct xenhost_store *st, struct xenhost_vbd *v)
{
	const char *dir = v->backend_path;
	unsigned i;

	v->backend_state = read_number(st, dir, "state");
	v->physical_sector_bytes = read_number(st, dir, "physical-sector-size");
	v->info = read_number(st, dir, "info");
	v->discard_granularity = read_number(st, dir, "discard-granularity");
	v->discard_alignment = read_number(st, dir, "discard-alignment");
	for (i = 0; i < BACKEND_NR_NUMBERS; i++)
		v->feature[i] = read_number(st, dir, backend_key_name(i));
	read_text(st, dir, "dev", v->vdev, sizeof(v->vdev));
	read_text(st, dir, "params", v->params, sizeof(v->params));
	read_text(st, dir, "physical-device", v->physical_device, sizeof(v->physical_device));
	read_text(st, dir, "type", v->type, sizeof(v->type));
	read_text(st, dir, backend_key_name(BACKEND_MODE), v->mode, sizeof(v->mode));
}

/*
 * The guest may write any path into its "backend" key. It counts only when that folder points back
 * at the frontend: xl writes both, and a guest cannot write there.
 */
static bool backend_points_back(const struct xenhost_store *st, const struct xenhost_vbd *v)
{
	CLEANUP_FREE char *back = NULL;

	if (!*v->backend_path)
		return false;
	back = read_key(st, v->backend_path, "frontend");
	return back && !strcmp(back, v->frontend_path);
}

static int read_vbd(const struct xenhost_store *st, uint32_t domid, const char *name,
	struct xenhost_vbd *v, struct err *err)
{
	if (!num_parse_u64(name, UINT32_MAX, &v->handle))
		return err_set(err, ERR_SYSTEM,
			"xenstore: device/vbd/%s of domain %u has no number", name, domid);
	snprintf(v->frontend_path, sizeof(v->frontend_path), "/local/domain/%u/device/vbd/%s",
		domid, name);
	read_text(st, v->frontend_path, "backend", v->backend_path, sizeof(v->backend_path));
	v->backend_domid = read_number(st, v->frontend_path, "backend-id");
	v->frontend_state = read_number(st, v->frontend_path, "state");
	v->frontend_persistent =
		read_number(st, v->frontend_path, backend_key_name(BACKEND_PERSISTENT));
	read_text(st, v->frontend_path, "protocol", v->protocol, sizeof(v->protocol));
	if (!backend_points_back(st, v))
		return err_set(err, ERR_SYSTEM,
			"xenstore: backend '%s' of %s does not point back at it", v->backend_path,
			v->frontend_path);
	read_backend(st, v);
	return read_rings(st, v, err);
}

int xenhost_vbds_from(const struct xenhost_store *store, uint32_t domid, struct xenhost_vbd **ret,
	size_t *nr, struct err *err)
{
	CLEANUP_FREE char **names = NULL;
	struct xenhost_vbd *v;
	char dir[64];
	unsigned n = 0, i;

	snprintf(dir, sizeof(dir), "/local/domain/%u/device/vbd", domid);
	names = store->list(store->arg, dir, &n);
	if (!names)
		n = 0;
	if (n > XENHOST_MAX_VBDS)
		return err_set(err, ERR_UNSUPPORTED, "domain %u has %u disks, more than %u", domid,
			n, XENHOST_MAX_VBDS);
	v = calloc(n ? n : 1, sizeof(*v));
	if (!v)
		return err_nomem(err, "the disks of a domain");
	for (i = 0; i < n; i++) {
		v[i].handle = XENHOST_UNKNOWN;
		/* One that comes, or goes, or that the guest has spoilt, is no reason to know
		 * nothing of the others. */
		if (read_vbd(store, domid, names[i], &v[i], &v[i].why) &&
			v[i].why.sys_errno == ENOMEM) {
			*err = v[i].why;
			xenhost_vbds_free(v, n);
			return -1;
		}
	}
	*ret = v;
	*nr = n;
	return 0;
}

void xenhost_vbds_free(struct xenhost_vbd *v, size_t nr)
{
	size_t i;

	for (i = 0; v && i < nr; i++)
		free(v[i].rings);
	free(v);
}
