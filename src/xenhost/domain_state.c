/* SPDX-License-Identifier: BSD-2-Clause
 *
 * domain_state.c - what the hypervisor's word on a domain means.
 */
#include "xenhost/xenhost.h"

#include <string.h>

#include "base/num.h"

/* public/sched.h */
#define SHUTDOWN_SUSPEND 2u
#define SHUTDOWN_CRASH	 3u

bool xenhost_is_still(const struct xenhost_domain *d)
{
	if (d->shut_down)
		return d->shutdown_reason == SHUTDOWN_SUSPEND;
	/* It was made, and has never run here: what there is of it was restored. */
	return d->paused && !d->cpu_ns;
}

const char *xenhost_state(const struct xenhost_domain *d)
{
	if (d->dying)
		return "dying";
	if (d->shut_down && d->shutdown_reason == SHUTDOWN_SUSPEND)
		return "suspended";
	if (d->shut_down)
		return d->shutdown_reason == SHUTDOWN_CRASH ? "crashed" : "shut down";
	if (d->paused)
		return d->cpu_ns ? "paused" : "restored";
	return "running";
}

/* Of the domain that a folder of xenstore is for; "" none. */
static bool has_name(const struct xenhost_store *st, const char *domid, const char *name)
{
	CLEANUP_FREE char *value = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%.16s/name", domid);
	value = st->read(st->arg, path);
	return value && !strcmp(value, name);
}

int xenhost_find_from(
	const struct xenhost_store *store, const char *word, uint32_t *ret, struct err *err)
{
	CLEANUP_FREE char **names = NULL;
	uint64_t number, found = UINT64_MAX;
	unsigned nr = 0, i;

	if (num_parse_u64(word, XENHOST_DOMID_MAX, &number)) {
		*ret = (uint32_t)number;
		return 0;
	}
	names = store->list(store->arg, "/local/domain", &nr);
	for (i = 0; names && i < nr; i++) {
		if (!num_parse_u64(names[i], XENHOST_DOMID_MAX, &number) ||
			!has_name(store, names[i], word))
			continue;
		if (found != UINT64_MAX)
			return err_set(err, ERR_USAGE,
				"domains %u and %u both have the name '%.64s': give the number",
				(unsigned)found, (unsigned)number, word);
		found = number;
	}
	if (found == UINT64_MAX)
		return err_set(err, ERR_NOTFOUND, "there is no domain of the name '%.64s'", word);
	*ret = (uint32_t)found;
	return 0;
}
