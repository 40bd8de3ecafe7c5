/* SPDX-License-Identifier: BSD-2-Clause
 *
 * redact: a checkpoint that keeps only the pages that the analysis reads.
 */
#include "cmd/redact.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd/confine.h"
#include "cmd/outfile.h"
#include "cmd/render_json.h"
#include "guest/pfn_set.h"
#include "cmd/table.h"

struct redact {
	struct cmd_env *env;
	const char *in_path, *out_path;
	bool keep_payload, force;
	struct cmd_input in;
	struct outfile out;
	uint64_t *payload;	   /* pfns of data pages, ascending */
	struct pfn_set *witnesses; /* of blocks that the guest remembers */
	size_t nr_payload, cap_payload;
	uint64_t *sources; /* file offsets of what pages made of deltas need, ascending */
	size_t nr_sources, cap_sources;
	uint64_t kept, zeroed;
};

enum { OPT_KEEP = 0x100, OPT_KEEP_WHO, OPT_KEEP_WITNESSES, OPT_FORCE };

static error_t parse_redact(int key, char *arg, struct argp_state *state)
{
	struct redact *r = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, r->env);
		return 0;
	case OPT_KEEP:
		r->keep_payload = true;
		return 0;
	case OPT_KEEP_WHO:
		r->env->frontend.who = true;
		return 0;
	case OPT_KEEP_WITNESSES:
		r->env->frontend.witness_pages = UINT64_MAX;
		return 0;
	case OPT_FORCE:
		r->force = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!r->in_path)
			r->in_path = arg;
		else if (!r->out_path)
			r->out_path = arg;
		else
			argp_error(state, "too many file names");
		return 0;
	case ARGP_KEY_END:
		if (!r->out_path)
			argp_error(state, "two file names are needed: IN and OUT");
		else if (r->env->json && !strcmp(r->out_path, "-"))
			argp_error(state, "--json and the copy cannot both go to standard output");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int add_payload(struct redact *r, const struct io_request *v, size_t nr, struct err *err)
{
	size_t i, k;

	for (i = 0; i < nr; i++)
		for (k = 0; k < v[i].nr_seg; k++) {
			const struct io_segment *s = &v[i].seg[k];

			if (util_grow(&r->payload, &r->cap_payload, r->nr_payload + 2,
				    sizeof(*r->payload)))
				return err_nomem(err, "the list of payload pages");
			if (s->frame == IO_FRAME_OK)
				r->payload[r->nr_payload++] = s->pfn.v;
			if (s->grant_pfn.v != UINT64_MAX)
				r->payload[r->nr_payload++] = s->grant_pfn.v;
		}
	return 0;
}

static int collect_payload(struct redact *r, struct err *err)
{
	size_t i;

	for (i = 0; i < r->in.snap.nr_devices; i++) {
		const struct blkdev *d = &r->in.snap.devices[i];

		if (add_payload(r, d->requests, d->nr_requests, err) ||
			add_payload(r, d->queued, d->nr_queued, err))
			return -1;
	}
	if (r->payload)
		qsort(r->payload, r->nr_payload, sizeof(*r->payload), compare_u64);
	return 0;
}

static int collect_witnesses(struct redact *r, struct err *err)
{
	size_t i, k;

	if (pfn_set_new(&r->witnesses, err))
		return -1;
	for (i = 0; i < r->in.snap.nr_devices; i++) {
		const struct witness_list *l = &r->in.snap.devices[i].witnesses;

		for (k = 0; k < l->nr; k++)
			pfn_set_add(r->witnesses, l->v[k].pfn);
	}
	return 0;
}

static bool is_payload(const struct redact *r, uint64_t pfn)
{
	return r->payload && bsearch(&pfn, r->payload, r->nr_payload, sizeof(pfn), compare_u64);
}

/* Where the file holds what a page of the run is, or is made from. */
static uint64_t page_off(const struct ckpt_run *run, uint64_t pfn)
{
	return run->squeezed ? run->off : run->off + (pfn - run->pfn) * PAGE_BYTES;
}

static bool is_wanted(const struct redact *r, uint64_t pfn)
{
	return guest_was_read(r->in.guest, PFN(pfn)) || (r->keep_payload && is_payload(r, pfn)) ||
	       pfn_set_has(r->witnesses, pfn);
}

struct source_call {
	struct redact *r;
	uint64_t pfn;
	struct err *err;
};

static int add_source(void *arg, const struct ckpt_run *run)
{
	const struct source_call *call = arg;
	struct redact *r = call->r;

	if (util_grow(&r->sources, &r->cap_sources, r->nr_sources + 1, sizeof(*r->sources)))
		return err_nomem(call->err, "the list of pages");
	r->sources[r->nr_sources++] = page_off(run, call->pfn);
	return 0;
}

/* What the file is understood by; and what pages that are made of deltas need: copies that later
 * ones replaced, too. */
static int collect_sources(struct redact *r, struct err *err)
{
	size_t i;

	for (i = 0; i < ckpt_nr_needed(r->in.ck); i++) {
		if (util_grow(&r->sources, &r->cap_sources, r->nr_sources + 1, sizeof(*r->sources)))
			return err_nomem(err, "the list of pages");
		r->sources[r->nr_sources++] = ckpt_needed(r->in.ck, i);
	}
	for (i = 0; i < ckpt_nr_runs(r->in.ck); i++) {
		struct ckpt_run run = ckpt_run(r->in.ck, i);
		struct source_call call = {r, run.pfn, err};

		if (run.squeezed && is_wanted(r, run.pfn) &&
			ckpt_for_each_source(r->in.ck, &run, add_source, &call))
			return -1;
	}
	if (r->sources)
		qsort(r->sources, r->nr_sources, sizeof(*r->sources), compare_u64);
	return 0;
}

static bool is_current(const struct redact *r, uint64_t pfn, uint64_t off)
{
	size_t i = ckpt_run_from(r->in.ck, PFN(pfn));
	struct ckpt_run run;

	if (i == ckpt_nr_runs(r->in.ck))
		return false;
	run = ckpt_run(r->in.ck, i);
	return run.pfn <= pfn && page_off(&run, pfn) == off;
}

static bool keep_page(const struct redact *r, uint64_t pfn, uint64_t off)
{
	if (r->sources && bsearch(&off, r->sources, r->nr_sources, sizeof(off), compare_u64))
		return true;
	return is_current(r, pfn, off) && is_wanted(r, pfn);
}

/* Write [from, to) of the input, in steps; zero pages stay holes of the new file. */
static int copy_range(struct redact *r, uint64_t from, uint64_t to, struct err *err)
{
	const struct source *src = ckpt_source(r->in.ck);

	while (from < to) {
		uint64_t n = from < source_bytes(src) ? source_stretch(src, from) : 1;
		const uint8_t *p = source_at(src, from, MIN(n, to - from));

		if (!p)
			return err_set(err, ERR_CORRUPT, "%s: 0x%" PRIx64 " is outside the file",
				r->in_path, from);
		n = MIN(n, to - from);
		if (outfile_write_at(&r->out, from, p, (size_t)n, err))
			return -1;
		from += n;
	}
	return 0;
}

static int compare_runs(const void *a, const void *b)
{
	const struct ckpt_run *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

/* Runs with data in the order of the file. */
static struct ckpt_run *sorted_runs(const struct ckpt *ck, size_t *nr)
{
	size_t all = ckpt_nr_file_runs(ck), i, n = 0;
	struct ckpt_run *v = calloc(all + 1, sizeof(*v));

	if (!v)
		return NULL;
	for (i = 0; i < all; i++) {
		struct ckpt_run run = ckpt_file_run(ck, i);

		if (ckpt_type_has_data(run.type))
			v[n++] = run;
	}
	qsort(v, n, sizeof(*v), compare_runs);
	*nr = n;
	return v;
}

/* The place of page content, which is left out of the file: zeros, or, as nobody may take zeros for
 * what the guest meant to write, the mark. */
struct hole {
	struct redact *r;
	uint64_t *at; /* the file is written up to here */
	bool marked;
	struct err *err;
};

static int leave_out(void *arg, uint32_t from, uint64_t off, uint32_t bytes)
{
	static const uint8_t mark[PAGE_BYTES] = CKPT_REMOVED_MARK;
	const struct hole *h = arg;

	if (copy_range(h->r, *h->at, off, h->err))
		return -1;
	*h->at = off + bytes;
	if (!h->marked)
		return 0;
	return outfile_write_at(&h->r->out, off, mark + from, bytes, h->err);
}

static int write_run(struct redact *r, const struct ckpt_run *run, uint64_t *at, struct err *err)
{
	uint32_t k;

	for (k = 0; k < run->nr; k++) {
		uint64_t pfn = run->pfn + k, off = page_off(run, pfn);
		struct hole hole = {r, at, is_payload(r, pfn), err};

		if (!run->ignored && keep_page(r, pfn, off)) {
			r->kept++;
			continue;
		}
		r->zeroed++;
		if (run->squeezed ? ckpt_for_each_literal(r->in.ck, run, leave_out, &hole)
				  : leave_out(&hole, 0, off, PAGE_BYTES))
			return -1;
	}
	return 0;
}

/* Content that is of no page; it stands between those that are. */
static int write_extras(
	struct redact *r, size_t *next, uint64_t until, uint64_t *at, struct err *err)
{
	for (; *next < ckpt_nr_extras(r->in.ck); ++*next) {
		struct ckpt_extra extra = ckpt_extra(r->in.ck, *next);
		struct hole hole = {r, at, false, err};

		if (extra.off >= until)
			break;
		if (leave_out(&hole, 0, extra.off, (uint32_t)extra.bytes))
			return -1;
	}
	return 0;
}

/* Nobody knows what stands in front of the checkpoint, or behind its end. */
static int write_out(struct redact *r, struct err *err)
{
	const struct source *src = ckpt_source(r->in.ck);
	CLEANUP_FREE struct ckpt_run *runs = NULL;
	size_t nr, i, extra = 0;
	uint64_t at = ckpt_start(r->in.ck);

	runs = sorted_runs(r->in.ck, &nr);
	if (!runs)
		return err_nomem(err, "the list of pages");
	if (ftruncate(r->out.file.fd, (off_t)source_bytes(src)))
		return err_sys(err, "cannot size %s", r->out_path);
	source_advise_sequential(src, true);
	for (i = 0; i < nr; i++)
		if (write_extras(r, &extra, runs[i].off, &at, err) ||
			write_run(r, &runs[i], &at, err))
			return -1;
	if (write_extras(r, &extra, UINT64_MAX, &at, err))
		return -1;
	return copy_range(r, at, ckpt_end(r->in.ck), err);
}

/* What is said of the bytes behind the checkpoint, which are left out. */
static void drop_trailer(struct json_object *findings)
{
	size_t i;

	for (i = json_object_array_length(findings); i--;) {
		struct json_object *rule, *f = json_object_array_get_idx(findings, i);

		if (json_object_object_get_ex(f, "rule", &rule) &&
			!strcmp(json_object_get_string(rule), "XB013"))
			json_object_array_del_idx(findings, i, 1);
	}
}

/* The analysis as a document, without the names of the files. */
static struct json_object *essence_of(const struct cmd_input *in)
{
	struct json_object *doc = json_document(in, true), *src, *findings;

	if (json_object_object_get_ex(doc, "findings", &findings))
		drop_trailer(findings);

	if (json_object_object_get_ex(doc, "source", &src)) {
		json_object_object_del(src, "path");
		json_object_object_del(src, "layers"); /* the new file is never compressed */
	}
	return doc;
}

/* The new file must tell the same story; otherwise it is worth nothing. */
static int verify_copy(struct redact *r, struct err *err)
{
	struct json_object *before, *after;
	struct cmd_input again;
	int rc;

	if (cmd_open(r->env, r->out.file.temp, &again, err) || cmd_analyse(r->env, &again, err)) {
		cmd_close(&again);
		return err_in(err, "the redacted file cannot be read back");
	}
	before = essence_of(&r->in);
	after = essence_of(&again);
	rc = json_object_equal(before, after)
		     ? 0
		     : err_set(err, ERR_SYSTEM,
			       "the redacted file does not give the same analysis; not written");
	json_object_put(before);
	json_object_put(after);
	cmd_close(&again);
	return rc;
}

static int tell_result(const struct redact *r, struct err *err)
{
	struct json_object *doc, *o;
	char kept[32];

	if (!r->env->json) {
		table_bytes(r->kept * PAGE_BYTES, kept, sizeof(kept));
		cmd_note(r->env,
			"%s: kept %" PRIu64 " pages (%s), zeroed %" PRIu64
			"; info and dump are the same",
			r->out_path, r->kept, kept, r->zeroed);
		return 0;
	}
	doc = json_new_document();
	o = json_object_new_object();
	json_put_text(o, "path", r->out_path);
	json_put_num(o, "bytes", source_bytes(ckpt_source(r->in.ck)));
	json_put_num(o, "kept_pages", r->kept);
	json_put_num(o, "zeroed_pages", r->zeroed);
	json_put_bool(o, "payload_kept", r->keep_payload);
	json_put(doc, "source", json_source(&r->in));
	json_put(doc, "redacted", o);
	return json_print(doc, r->env->out, err);
}

/* Of r->in, which is open. */
static int make_copy(struct redact *r, struct err *err)
{
	if (ckpt_nr_file_runs(r->in.ck) && ckpt_file_run(r->in.ck, 0).packed) {
		err_set(err, ERR_UNSUPPORTED,
			"%s: its pages are packed one by one, none can be left out in its place",
			r->in_path);
		return err_override(err, "elf");
	}
	if (r->in.guest && guest_track_reads(r->in.guest, err))
		return -1;
	if (cmd_analyse(r->env, &r->in, err) || collect_payload(r, err) ||
		collect_witnesses(r, err) || collect_sources(r, err) ||
		outfile_open(&r->out, r->out_path, r->force, &r->in.files, err))
		return -1;
	if (write_out(r, err) || verify_copy(r, err) || cmd_unchanged(&r->in, err)) {
		outfile_drop(&r->out);
		return cmd_failed(&r->in, err);
	}
	return outfile_commit(&r->out, err) ? -1 : tell_result(r, err);
}

static void fini_redact(struct redact *r)
{
	outfile_drop(&r->out);
	cmd_close(&r->in);
	free(r->payload);
	pfn_set_free(r->witnesses);
	free(r->sources);
}

/* The copy is for whoever looks at it by either way. */
static void locate_both(struct cmd_env *env)
{
	if (env->frontend.locate == FRONTEND_LOCATE_AUTO)
		env->frontend.locate = FRONTEND_LOCATE_BOTH;
}

int redact_source(const struct cmd_env *env, struct source *src, const char *out_path, bool force,
	struct err *err)
{
	struct cmd_env own = *env;
	struct redact r = {.env = &own,
		.in_path = source_path(src),
		.out_path = out_path,
		.force = force,
		.out = OUTFILE_INIT};
	int rc;

	locate_both(&own);
	rc = cmd_open_source(&own, src, &r.in, err) ? -1 : make_copy(&r, err);
	fini_redact(&r);
	return rc;
}

static int confine_redact(struct redact *r, struct err *err)
{
	struct door_passes passes = {0};

	door_pass_add(&passes, r->in_path, DOOR_READ);
	door_pass_add(&passes, r->out_path, DOOR_OUTPUT);
	return cmd_confine(r->env, NULL, &passes, err);
}

static int run_redact(struct redact *r, struct err *err)
{
	if (confine_redact(r, err) || cmd_open(r->env, r->in_path, &r->in, err) ||
		make_copy(r, err))
		return -1;
	return cmd_verdict(&r->in, err);
}

int cmd_redact(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_option options[] = {
		{.name = "keep-payload",
			.key = OPT_KEEP,
			.doc = "keep the data pages of pending requests too"},
		{.name = "keep-who",
			.key = OPT_KEEP_WHO,
			.doc = "keep what tells who asked for them, too: see dump --who"},
		{.name = "keep-witnesses",
			.key = OPT_KEEP_WITNESSES,
			.doc = "keep the blocks of the disks that the guest remembers, too: see "
			       "validate --disk"},
		{.name = "force", .key = OPT_FORCE, .doc = "replace OUT when it exists"},
		{0},
	};
	static const struct argp_child children[] = {
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse_redact,
		.args_doc = "IN OUT",
		.doc = "Write a copy that keeps only the pages that the analysis reads; every "
		       "other "
		       "page is zeroed. info and dump of OUT equal those of IN." CMD_HELP_STATUS,
		.children = children};
	struct redact r = {.env = env, .out = OUTFILE_INIT};
	int rc;

	cmd_parse(&argp, argc, argv, &r);
	locate_both(env);
	rc = run_redact(&r, err);
	fini_redact(&r);
	return rc;
}
