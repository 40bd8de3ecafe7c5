/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report: what there is to know of a checkpoint, as one HTML file.
 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "check/disk_facts.h"
#include "check/witness.h"
#include "cmd/html.h"
#include "cmd/meaning.h"
#include "cmd/outfile.h"
#include "cmd/table.h"

#define MAX_RINGS 32u /* of a device, that are drawn */

struct page {
	struct judge judge;
	const char *out_path;
	bool force;
};

enum { OPT_FORCE = 0x100 };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct page *p = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, p->judge.env);
		state->child_inputs[0] = &p->judge;
		return 0;
	case 'o':
		p->out_path = arg;
		return 0;
	case OPT_FORCE:
		p->force = true;
		return 0;
	case ARGP_KEY_ARG:
		cmd_take_path(state, arg, &p->judge.path);
		return 0;
	case ARGP_KEY_END:
		cmd_need_path(state, p->judge.env, p->judge.path);
		if (p->judge.env->json)
			argp_error(state, "a report is HTML; validate and dump have JSON");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the top ------------------------------------------------------------------------------ */

static const char *verdict_sentence(enum cmd_status said)
{
	switch (said) {
	case CMD_OK:
		return "Nothing was found that speaks against a restore.";
	case CMD_WARNINGS:
		return "A restore is possible; read the warnings before.";
	case CMD_UNSAFE:
		return "Do not restore this before the errors below are understood.";
	case CMD_CORRUPT:
		return "The file is not whole.";
	default:
		return "No block frontend was found that is known here, so nothing can be said.";
	}
}

static void put_verdict(FILE *out, const struct judge *j)
{
	const char *word = judge_word(j->said);

	fputs("<h1>", out);
	html_text(out, j->in.name);
	fprintf(out, "</h1>\n<p><span class=\"verdict %s\">%s</span> %s</p>\n", word, word,
		verdict_sentence(j->said));
	fprintf(out,
		"<p class=\"dim\">Errors: %" PRIu64 ", warnings: %" PRIu64 ", notes: %" PRIu64
		", rules not evaluated: %zu. By xbdsnap %s.</p>\n",
		j->report.nr[SEVERITY_ERROR], j->report.nr[SEVERITY_WARNING],
		j->report.nr[SEVERITY_NOTE], j->result.nr_skips, XBDSNAP_VERSION);
}

static void put_guest(FILE *out, const struct judge *j)
{
	const struct ckpt_info *info = j->in.info;
	const struct guest_facts *f = &j->in.snap.guest;
	char text[64];

	fputs("<h2>The guest</h2>\n<table>\n", out);
	html_fact(out, "name", info->name);
	html_fact(out, "UUID", info->uuid);
	html_fact(out, "host name", f->hostname);
	html_fact(out, "system", f->os);
	html_fact(out, "release", f->release);
	html_fact(out, "version", f->version);
	html_fact(out, "command line", f->cmdline);
	html_fact(out, "format", info->format);
	html_fact(out, "written by", info->written_by);
	snprintf(text, sizeof(text), "%zu", cmd_nr_vcpus(&j->in));
	html_fact(out, "vcpus", text);
	snprintf(text, sizeof(text), "%" PRIu64 " MiB", info->nr_data_pages >> 8);
	html_fact(out, "memory with content", text);
	if (f->mono_known)
		table_duration(f->mono_ns, text, sizeof(text));
	html_fact(out, "up for", f->mono_known ? text : NULL);
	fputs("</table>\n", out);
}

/* ---- findings ----------------------------------------------------------------------------- */

static void put_finding(FILE *out, const struct judge *j, const struct finding *f)
{
	const struct rule *rule = catalogue_find(f->rule);
	enum severity s;

	if (!check_policy_severity(&j->policy, f->rule, &s))
		return;
	fprintf(out, "<div class=\"finding %s\"><strong>%s %s</strong> ", severity_name(s),
		severity_name(s), f->rule);
	if (*f->device)
		html_printf(out, "%s: ", f->device);
	html_text(out, f->message);
	if (rule) {
		fputs("<p class=\"dim\">", out);
		html_text(out, rule->explanation);
		fputs("</p><p>", out);
		html_text(out, rule->remedy);
		fputs("</p>", out);
	}
	fputs("</div>\n", out);
}

/* How many of a rule are only counted. */
static void put_left_out(FILE *out, const struct judge *j, const struct finding_count *c)
{
	enum severity s;

	if (finding_left_out(c) && check_policy_severity(&j->policy, c->rule, &s))
		fprintf(out, "<p class=\"%s\">%s %s: %" PRIu64 " more of these</p>\n",
			severity_name(s), severity_name(s), c->rule, finding_left_out(c));
}

static void put_findings(FILE *out, const struct judge *j)
{
	size_t l, i, nr = 0;

	fputs("<h2>Findings</h2>\n", out);
	for (l = 0; l < ARRAY_SIZE(j->report.lists); l++)
		for (i = 0; j->report.lists[l] && i < j->report.lists[l]->nr; i++, nr++)
			put_finding(out, j, &j->report.lists[l]->v[i]);
	if (!nr)
		fputs("<p>None.</p>\n", out);
	for (l = 0; l < ARRAY_SIZE(j->report.lists); l++)
		for (i = 0; j->report.lists[l] && i < j->report.lists[l]->nr_counts; i++)
			put_left_out(out, j, &j->report.lists[l]->counts[i]);
	for (i = 0; j->witnessed && i < j->nr_disks; i++)
		if (j->witnessed[i].blocks)
			html_printf(out,
				"%" PRIu64 " blocks that the guest remembers of %s were compared "
				"with %s, %" PRIu64 " differ. ",
				j->witnessed[i].blocks, j->witnessed[i].dev->name, j->disks[i].path,
				j->witnessed[i].differ);
}

/* ---- devices ------------------------------------------------------------------------------ */

static void put_key(FILE *out)
{
	static const char *const kinds[][2] = {{"read", "read"}, {"write", "write"},
		{"flush", "flush, response"}, {"discard", "discard"}, {"free", "free"},
		{"overlap", "its order with another counts"}};
	size_t i;

	fputs("<p class=\"dim\">", out);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		fprintf(out,
			"<span class=\"key\"><svg viewBox=\"0 0 1 1\"><rect class=\"%s\" "
			"width=\"1\" height=\"1\"/></svg>%s</span>",
			kinds[i][0], kinds[i][1]);
	fputs("Pale: held by the guest's block layer.</p>\n", out);
}

static void put_device_facts(FILE *out, const struct blkdev *d)
{
	char text[96];
	size_t i;

	fputs("<table>\n", out);
	html_fact(out, "driver", frontend_name(d->driver));
	html_fact(out, "state", d->state);
	snprintf(text, sizeof(text), "%" PRIu64 " sectors", d->nr_sectors);
	html_fact(out, "capacity", d->nr_sectors == BLK_UNKNOWN_U64 ? NULL : text);
	html_fact(out, "scheduler", d->scheduler);
	snprintf(text, sizeof(text), "%zu in the ring, %zu held by the block layer", d->nr_requests,
		d->nr_queued);
	html_fact(out, "requests", d->requests_known ? text : NULL);
	for (i = 0; i < d->nr_fs && i < MAX_RINGS; i++) {
		snprintf(text, sizeof(text), "%s %s from sector %" PRIu64, d->fs[i].type,
			d->fs[i].uuid, d->fs[i].start);
		html_fact(out, "mounted", text);
	}
	fputs("</table>\n", out);
}

static const struct disk *judged_disk(const void *arg, const struct blkdev *d)
{
	const struct judge *j = arg;
	const struct check_disk *given = check_disk_of(j->disks, j->nr_disks, d);

	return given && given->opened ? &given->disk : NULL;
}

static void put_requests(FILE *out, const struct judge *j, const struct blkdev *d)
{
	html_requests(out, &j->in, d, judged_disk(j, d));
}

static void put_device(FILE *out, const struct judge *j, const struct blkdev *d)
{
	size_t i;

	fputs("<h2>", out);
	html_text(out, d->name);
	fputs("</h2>\n", out);
	put_device_facts(out, d);
	fputs("<h3>The disk</h3>\n", out);
	html_disk(out, d);
	put_key(out);
	for (i = 0; i < MIN(d->nr_rings, (size_t)MAX_RINGS); i++) {
		fprintf(out, "<h3>Ring %zu</h3>\n", i);
		html_ring(out, d, &d->rings[i]);
	}
	if (d->nr_rings > MAX_RINGS)
		fprintf(out, "<p>%zu more rings are not drawn.</p>\n", d->nr_rings - MAX_RINGS);
	fputs("<h3>Requests</h3>\n", out);
	put_requests(out, j, d);
}

static void put_page(FILE *out, const struct judge *j)
{
	size_t i;

	html_begin(out, j->in.name);
	put_verdict(out, j);
	put_findings(out, j);
	put_guest(out, j);
	for (i = 0; i < j->in.snap.nr_devices; i++)
		put_device(out, j, &j->in.snap.devices[i]);
	html_end(out);
}

/* ---- all ---------------------------------------------------------------------------------- */

/* The report must not take the place of what it is about. */
static int note_disks(struct page *p, struct err *err)
{
	size_t i;

	for (i = 0; i < p->judge.nr_disks; i++)
		if (inputs_add_path(&p->judge.in.files, p->judge.disks[i].path, err))
			return -1;
	return 0;
}

static int write_page(struct page *p, struct err *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return err_nomem(err, "the report");
	put_page(f, &p->judge);
	if (fclose(f))
		return err_nomem(err, "the report");
	return outfile_put(p->out_path, p->force, &p->judge.in.files, text, bytes, err);
}

static int confine_report(struct page *p, struct err *err)
{
	struct door_passes passes = {0};

	judge_passes(&p->judge, &passes);
	door_pass_add(&passes, p->judge.path, DOOR_READ);
	door_pass_add(&passes, p->out_path, DOOR_OUTPUT);
	return cmd_confine(p->judge.env, target_domid(&p->judge.target), &passes, err);
}

static int run_report(struct page *p, struct err *err)
{
	struct judge *j = &p->judge;
	struct err why;

	j->env->frontend.who = true;
	if (confine_report(p, err) || cmd_open(j->env, j->path, &j->in, err) || judge_run(j, err) ||
		note_disks(p, err) || meaning_look(judged_disk, j, &j->in.snap, err) ||
		write_page(p, err))
		return -1;
	if (cmd_verdict(&j->in, &why))
		cmd_note_err(j->env, &why);
	return judge_status(j);
}

int cmd_report(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_option options[] = {
		{.name = "output",
			.key = 'o',
			.arg = "OUT",
			.doc = "into this file (default, and '-': standard output)"},
		{.name = "force", .key = OPT_FORCE, .doc = "replace OUT when it exists"},
		{0},
	};
	static const struct argp_child children[] = {{.argp = &judge_argp},
		{.argp = &cmd_live_argp}, {.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse_option,
		.args_doc = "FILE",
		.doc = "Write what there is to know of a checkpoint as one HTML file: the verdict, "
		       "the guest, its disks and rings as pictures, findings, "
		       "requests." CMD_HELP_STATUS,
		.children = children};
	struct page p = {.out_path = "-"};
	int rc;

	judge_init(&p.judge, env);
	cmd_parse(&argp, argc, argv, &p);
	rc = run_report(&p, err);
	judge_fini(&p.judge);
	return rc;
}
