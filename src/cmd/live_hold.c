/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/live_hold.h"

#include "xenhost/pause.h"
#include "xenhost/xenhost.h"

static void close_host(struct xenhost **x)
{
	xenhost_close(*x);
}

static int begin_hold(void *arg, void **ret, struct err *err)
{
	const struct cmd_env *env = arg;
	CLEANUP(close_host) struct xenhost *x = NULL;
	struct xenhost_domain dom;
	struct pause_hold *hold;
	uint32_t domid;

	if (xenhost_open(&x, err) || xenhost_find(x, env->live, &domid, err) ||
		xenhost_domain(x, domid, &dom, err) || xenhost_pause(&dom, &hold, err))
		return -1;
	*ret = hold;
	return 0;
}

static int end_hold(void *hold, uint64_t *ret_ns, struct err *err)
{
	return pause_end(hold, ret_ns, err);
}

struct door_hold live_hold_of(const struct cmd_env *env)
{
	return (struct door_hold){begin_hold, end_hold, (void *)(uintptr_t)env};
}
