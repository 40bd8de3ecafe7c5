/* SPDX-License-Identifier: BSD-2-Clause
 *
 * p2m: write the table of frames of a live PV domain, for --p2m of the other commands.
 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cmd/confine.h"
#include "cmd/p2m_save.h"
#include "io/sandbox.h"

struct p2m_args {
	struct cmd_env *env;
	const char *path; /* "-": standard output */
	bool domid_set;
	uint32_t domid;
};

enum { OPT_DOMID = 0x100 };

static error_t parse_p2m(int key, char *arg, struct argp_state *state)
{
	struct p2m_args *a = state->input;
	uint64_t v;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = a->env;
		return 0;
	case OPT_DOMID:
		if (!num_parse_u64(arg, XENHOST_DOMID_MAX, &v))
			argp_error(state, "--domid takes the number of a domain, not '%s'", arg);
		a->domid = (uint32_t)v;
		a->domid_set = true;
		return 0;
	case 'o':
		a->path = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is taken: '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		if (!a->domid_set)
			argp_error(state, "no domain named; --domid N");
		if (a->env->json && !strcmp(a->path, "-"))
			argp_error(state, "--json and the table cannot both go to standard output");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{.name = "domid", .key = OPT_DOMID, .arg = "N", .doc = "the domain, running or paused"},
	{.name = "output", .key = 'o', .arg = "FILE", .doc = "where to write (default stdout)"},
	{0},
};

static const struct argp_child children[] = {{.argp = &cmd_common_argp}, {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse_p2m,
	.args_doc = "--domid N [-o FILE]",
	.doc = "Write the table of machine frames of a PV domain: for each pfn one little-endian "
	       "64-bit number, all ones where there is no frame. The domain may be restored and "
	       "still paused. It is not changed." CMD_HELP_STATUS,
	.children = children,
};

static void tell_result(
	const struct cmd_env *env, const struct xenhost_domain *dom, const struct xenhost_p2m *t)
{
	CLEANUP_FREE char *name = cmd_safe_text(dom->name, strlen(dom->name));

	cmd_note(env, "domain %u (%s%s): %" PRIu64 " of %" PRIu64 " pfns have a frame, by %s",
		dom->domid, name && *name ? name : "no name", dom->paused ? ", paused" : "",
		t->nr_valid, t->nr, t->how);
	if (t->checked)
		cmd_note(env, "compared with %s: %" PRIu64 " entries differ", t->checked,
			t->nr_differ);
	else
		cmd_note(env, "nothing to compare it with");
	if (t->nr_foreign)
		cmd_note(env, "%" PRIu64 " entries named frames of others and were left out",
			t->nr_foreign);
}

static int run_on(struct p2m_args *a, struct xenhost *x, struct err *err)
{
	struct xenhost_domain dom;
	struct xenhost_p2m t;
	int failed, status;

	if (xenhost_domain(x, a->domid, &dom, err))
		return -1;
	if (door_is_shut()) {
		sandbox_bound_live(dom.nr_pfns);
		sandbox_bound_look(dom.nr_pfns);
	}
	if (xenhost_p2m(x, &dom, &t, err))
		return -1;
	failed = p2m_save(&t, a->path, err);
	if (!failed && a->env->json)
		failed = json_print(p2m_save_json(&dom, &t, a->path), a->env->out, err);
	else if (!failed)
		tell_result(a->env, &dom, &t);
	status = t.nr_differ || t.nr_foreign ? CMD_WARNINGS : CMD_OK;
	xenhost_p2m_fini(&t);
	return failed ? -1 : status;
}

int cmd_p2m(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	struct p2m_args a = {.env = env, .path = "-"};
	struct door_passes passes = {0};

	cmd_parse(&argp, argc, argv, &a);
	if (!strcmp(a.path, "-") && isatty(fileno(env->out)))
		return err_set(err, ERR_USAGE, "the table is binary: name a file with -o");
	door_pass_add(&passes, a.path, DOOR_OUTPUT);
	return cmd_confine(env, &a.domid, &passes, err) ? -1 : run_on(&a, env->xen, err);
}
