/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/target.h"

#include <inttypes.h>

#include "base/num.h"
#include "cmd/options.h"
#include "frontend/frontend.h"

enum { OPT_P2M = 0x300, OPT_DOMID, OPT_CAPS };

static error_t parse_target(int key, char *arg, struct argp_state *state)
{
	struct target *t = state->input;
	uint64_t domid;

	switch (key) {
	case OPT_P2M:
		t->p2m_path = arg;
		return 0;
	case OPT_CAPS:
		t->caps_path = arg;
		return 0;
	case OPT_DOMID:
		if (!num_parse_u64(arg, XENHOST_DOMID_MAX, &domid))
			argp_error(state, "--domid takes the number of a domain, not '%s'", arg);
		t->domid = (uint32_t)domid;
		t->live_given = true;
		return 0;
	case ARGP_KEY_END:
		if (t->p2m_path && t->live_given)
			argp_error(state, "--p2m and --domid exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option frames_options[] = {
	{.doc = "Target host:", .group = OPTIONS_TARGET},
	{.name = "p2m",
		.key = OPT_P2M,
		.arg = "FILE",
		.doc = "the target's frames: a u64 for each pfn, little-endian",
		.group = OPTIONS_TARGET},
	{.name = "domid",
		.key = OPT_DOMID,
		.arg = "N",
		.doc = "the target is this domain, restored and still paused",
		.group = OPTIONS_TARGET},
	{0},
};

static const struct argp_option caps_options[] = {
	{.name = "target-caps",
		.key = OPT_CAPS,
		.arg = "FILE",
		.doc = "the target's features: lines of key=value, or JSON",
		.group = OPTIONS_TARGET},
	{0},
};

const struct argp target_frames_argp = {.options = frames_options, .parser = parse_target};

const struct argp target_caps_argp = {.options = caps_options, .parser = parse_target};

static error_t init_children(int key, char *arg UNUSED, struct argp_state *state)
{
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->child_inputs[1] = state->input;
	return 0;
}

static const struct argp_child both[] = {
	{.argp = &target_caps_argp}, {.argp = &target_frames_argp}, {0}};

const struct argp target_argp = {.parser = init_children, .children = both};

static int read_live(
	const struct cmd_env *env, struct target *t, bool caps, struct snapshot *s, struct err *err)
{
	if (live_open(&t->live, env->xen, t->domid, &s->findings, err))
		return -1;
	if (t->live.target)
		frontend_set_target(s, t->live.target);
	else
		cmd_note(env,
			"domain %u is no PV domain: its pfns are its frames, there is nothing to "
			"translate",
			t->domid);
	if (!caps || t->caps)
		return 0;
	if (live_read_caps(&t->live, s, err))
		return -1;
	t->caps = t->live.caps;
	t->nr_caps = t->live.nr_caps;
	return 0;
}

/* A name that is not one of the checkpoint's would leave that device unchecked in silence. */
static int known_devices(const struct target *t, const struct snapshot *s, struct err *err)
{
	size_t i;

	for (i = 0; i < t->nr_caps && s->nr_devices; i++)
		if (t->own[i].device[0] && !snapshot_need_device(s, t->own[i].device, err))
			return err_in(err, "%s", t->caps_path);
	return 0;
}

/* The highest page that the restore will give a frame and content. */
static uint64_t last_page(struct memory m)
{
	struct memory_run run = {0};
	uint64_t last = 0;

	while (memory_next_run(m, PFN(run.pfn + run.nr), &run))
		last = run.pfn + run.nr - 1;
	return last;
}

/* Some repeats may come of a table that was written while its domain ran; a constant does not. */
static int check_repeats(const struct target *t, struct snapshot *s, struct err *err)
{
	uint64_t valid, repeats;

	if (p2m_count_repeats(t->table, &valid, &repeats, err))
		return -1;
	if (repeats > valid / 2)
		return err_set(err, ERR_REFUSED,
			"p2m table '%s': %" PRIu64 " of its %" PRIu64
			" frames stand there more than once",
			t->p2m_path, repeats, valid);
	if (repeats)
		finding_add(&s->findings, "XB523", finding_anywhere(),
			"%s: %" PRIu64 " of %" PRIu64 " frames stand there more than once",
			t->p2m_path, repeats, valid);
	return 0;
}

static int read_table(
	const struct cmd_env *env, struct target *t, struct cmd_input *in, struct err *err)
{
	enum ckpt_guest_type type = in->info->guest_type;

	if (type == CKPT_GUEST_HVM || type == CKPT_GUEST_PVH) {
		cmd_note(env, "this is no PV guest: its pfns are its frames, %s is not used",
			t->p2m_path);
		return 0;
	}
	if (p2m_from_file(t->p2m_path, last_page(in->memory), &t->table, err) ||
		check_repeats(t, &in->snap, err))
		return -1;
	frontend_set_target(&in->snap, t->table);
	return 0;
}

int target_read(const struct cmd_env *env, struct target *t, bool caps, struct cmd_input *in,
	struct err *err)
{
	struct snapshot *s = &in->snap;

	if (t->p2m_path && read_table(env, t, in, err))
		return -1;
	if (t->caps_path && (check_caps_read(t->caps_path, &t->own, &t->nr_caps, err) ||
				    known_devices(t, s, err)))
		return -1;
	t->caps = t->own;
	return t->live_given ? read_live(env, t, caps, s, err) : 0;
}

void target_passes(const struct target *t, struct door_passes *passes)
{
	door_pass_add(passes, t->p2m_path, DOOR_READ);
	door_pass_add(passes, t->caps_path, DOOR_READ);
}

const uint32_t *target_domid(const struct target *t)
{
	return t->live_given ? &t->domid : NULL;
}

bool target_translates(const struct target *t)
{
	return t->table || t->live.target;
}

void target_fini(struct target *t)
{
	free(t->own);
	p2m_free(t->table);
	live_fini(&t->live);
}
