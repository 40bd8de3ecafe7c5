/* SPDX-License-Identifier: BSD-2-Clause
 *
 * watch: a live domain's disks, again and again: how many requests are pending, and how old is the
 * oldest? A line each time that something changes, and an end when one is too old.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "check/hang.h"
#include "cmd/confine.h"
#include "cmd/json.h"
#include "cmd/live_input.h"
#include "cmd/log.h"

#define NS_PER_S 1000000000u
/* A day, in seconds, for what the user may ask for. */
#define MAX_SECONDS 86400.0
/* Looks that may fail one after the other: a guest that boots, or resumes, has no frontend yet. */
#define MAX_FAILED 5u

/* A request that was seen, in a ring or held back, and since when. The guest's clock stands still
 * while it sleeps. */
struct watched {
	unsigned device, queued, ring, slot;
	uint64_t id, request, sector, start_ns;
	uint64_t since_ns; /* of this process' clock */
	uint64_t age_ns;   /* by the guest's clock; 0 unknown */
};

struct watched_list {
	struct watched *v;
	size_t nr, cap;
};

/* What a line says. */
struct state {
	size_t pending, queued;
	bool queued_known, oldest_known;
	uint64_t oldest_ns;
	struct watched oldest;
	unsigned why; /* HANG_* */
};

struct watch {
	struct cmd_env *env;
	const char *device;
	double interval, older_than; /* seconds; older_than 0: never */
	uint64_t count;		     /* looks; 0: without end */
	struct cmd_input in;
	struct watched_list seen;
	struct state *last; /* by device; of the line that was printed */
	size_t nr_last;
	bool too_old;
};

enum { OPT_DEVICE = 0x100, OPT_INTERVAL, OPT_OLDER, OPT_COUNT };

static void parse_seconds(
	const char *option, const char *arg, double *ret, struct argp_state *state)
{
	char *end;
	double v = strtod(arg, &end);

	if (end == arg || *end || !isfinite(v) || v < 0 || v > MAX_SECONDS)
		argp_error(state, "--%s takes seconds, 0 to 86400, not '%s'", option, arg);
	*ret = v;
}

static error_t parse_watch(int key, char *arg, struct argp_state *state)
{
	struct watch *w = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, w->env);
		return 0;
	case OPT_DEVICE:
		w->device = arg;
		return 0;
	case OPT_INTERVAL:
		parse_seconds("interval", arg, &w->interval, state);
		return 0;
	case OPT_OLDER:
		parse_seconds("older-than", arg, &w->older_than, state);
		return 0;
	case OPT_COUNT:
		if (!num_parse_u64(arg, UINT32_MAX, &w->count) || !w->count)
			argp_error(state, "--count takes a number of looks, not '%s'", arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is taken: '%s'; --live names the domain", arg);
		return 0;
	case ARGP_KEY_END:
		if (!w->env->live)
			argp_error(state, "no domain named; --live DOMAIN");
		if (w->env->pause)
			argp_error(state, "watch never pauses a domain");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- ages --------------------------------------------------------------------------------- */

/* Those of one place are told apart too. */
static int order_watched(const void *one, const void *other)
{
	const struct watched *a = one, *b = other;
	const uint64_t pairs[][2] = {{a->device, b->device}, {a->queued, b->queued},
		{a->ring, b->ring}, {a->slot, b->slot}, {a->id, b->id}, {a->request, b->request},
		{a->sector, b->sector}, {a->start_ns, b->start_ns}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		if (pairs[i][0] != pairs[i][1])
			return pairs[i][0] < pairs[i][1] ? -1 : 1;
	return 0;
}

static bool same_watched(const struct watched *a, const struct watched *b)
{
	return !order_watched(a, b);
}

/* Both lists ascend: *at goes along the older one. */
static void carry_over(const struct watched_list *old, size_t *at, struct watched *w)
{
	while (*at < old->nr && order_watched(&old->v[*at], w) < 0)
		++*at;
	if (*at < old->nr && same_watched(&old->v[*at], w))
		w->since_ns = old->v[*at].since_ns;
}

static void note_age(struct state *st, const struct watched *w, uint64_t now)
{
	uint64_t age = MAX(now - w->since_ns, w->age_ns);

	if (st->oldest_known && age <= st->oldest_ns)
		return;
	st->oldest_known = true;
	st->oldest_ns = age;
	st->oldest = *w;
}

static int list_device(struct watched_list *l, const struct blkdev *d, unsigned index, uint64_t now,
	struct err *err)
{
	const struct io_request *r;
	size_t i;

	for (i = 0; (r = blkdev_request(d, i)); i++) {
		if (util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v)))
			return err_nomem(err, "the requests of a disk");
		l->v[l->nr++] = (struct watched){.device = index,
			.queued = r->state == IO_QUEUED,
			.ring = r->ring,
			.slot = r->slot,
			.id = r->id,
			.request = r->request_va.v,
			.sector = r->sector,
			.start_ns = r->start_ns,
			.since_ns = now,
			.age_ns = r->age_known ? r->age_ns : 0};
	}
	return 0;
}

static int watch_device(struct watch *w, unsigned index, struct watched_list *now_seen, size_t *at,
	struct state *st, struct err *err)
{
	const struct blkdev *d = &w->in.snap.devices[index];
	uint64_t now = util_now_ns(CLOCK_MONOTONIC);
	size_t i, first = now_seen->nr;
	struct hang h;

	hang_judge(d, &h);
	*st = (struct state){.pending = d->nr_requests,
		.queued = d->nr_queued,
		.queued_known = d->queued_known,
		.why = h.why};
	if (list_device(now_seen, d, index, now, err))
		return -1;
	if (now_seen->nr > first)
		qsort(&now_seen->v[first], now_seen->nr - first, sizeof(*now_seen->v),
			order_watched);
	for (i = first; i < now_seen->nr; i++) {
		carry_over(&w->seen, at, &now_seen->v[i]);
		note_age(st, &now_seen->v[i], now);
	}
	return 0;
}

/* ---- lines -------------------------------------------------------------------------------- */

static void print_words(unsigned why, FILE *out)
{
	const char *plus = "";
	unsigned i;

	if (!why)
		fputs("idle", out);
	for (i = 0; i < HANG_NR; i++)
		if (why & 1u << i) {
			fprintf(out, "%s%s", plus, hang_name(1u << i));
			plus = "+";
		}
}

static void print_counts(const struct blkdev *d, const struct state *st, FILE *out)
{
	fprintf(out, "%s: %zu pending, ", d->name, st->pending);
	if (st->queued_known)
		fprintf(out, "%zu queued, ", st->queued);
	if (st->oldest_known)
		fprintf(out, "oldest %.1f s, ", (double)st->oldest_ns / NS_PER_S);
	print_words(st->why, out);
}

static void print_stamp(char *buf, size_t cap)
{
	time_t t = time(NULL);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, cap, "%FT%TZ", &tm))
		snprintf(buf, cap, "?");
}

static void print_text(const struct watch *w, const struct blkdev *d, const struct state *st)
{
	FILE *out = w->env->out;
	char when[32];

	print_stamp(when, sizeof(when));
	fprintf(out, "%s ", when);
	print_counts(d, st, out);
	fputc('\n', out);
}

static char *words_of(unsigned why)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return NULL;
	print_words(why, f);
	fclose(f);
	return text;
}

static void log_state(
	const struct watch *w, const struct blkdev *d, const struct state *st, bool too_old)
{
	CLEANUP_FREE char *words = words_of(st->why);
	CLEANUP_FREE char *text = NULL;
	struct journal_entry e;
	size_t bytes;
	FILE *f;

	if (!log_wanted(w->env) || !words)
		return;
	f = open_memstream(&text, &bytes);
	if (!f)
		return;
	fprintf(f, "%s: ", w->in.name);
	print_counts(d, st, f);
	fclose(f);
	log_begin(w->env, &e, too_old ? JOURNAL_ERROR : JOURNAL_INFO, text ? text : "", "watch",
		w->in.name);
	journal_add_num(&e, "XBDSNAP_DOMID", live_input_domain(w->in.live)->domid);
	journal_add(&e, "XBDSNAP_DEVICE", d->name);
	journal_add(&e, "XBDSNAP_VERDICT", words);
	journal_add_num(&e, "XBDSNAP_PENDING", st->pending);
	if (st->queued_known)
		journal_add_num(&e, "XBDSNAP_QUEUED", st->queued);
	if (st->oldest_known)
		journal_add_num(&e, "XBDSNAP_OLDEST_NS", st->oldest_ns);
	journal_add(&e, "XBDSNAP_TOO_OLD", too_old ? "yes" : "no");
	log_send(w->env, &e);
}

static int print_json(
	const struct watch *w, const struct blkdev *d, const struct state *st, struct err *err)
{
	struct json_object *o = json_new_document(), *words = json_object_new_array();
	const char *text;
	char when[32];
	unsigned i;

	print_stamp(when, sizeof(when));
	json_put_text(o, "time", when);
	json_put_num(o, "domid", live_input_domain(w->in.live)->domid);
	json_put_text(o, "state", xenhost_state(live_input_domain(w->in.live)));
	json_put_text(o, "vdev", d->name);
	json_put_num(o, "pending", st->pending);
	json_put(o, "queued", st->queued_known ? json_object_new_uint64(st->queued) : NULL);
	json_put(o, "oldest_ns", st->oldest_known ? json_object_new_uint64(st->oldest_ns) : NULL);
	for (i = 0; i < HANG_NR; i++)
		if (st->why & 1u << i)
			json_object_array_add(words, json_text(hang_name(1u << i)));
	json_put(o, "verdict", words);
	json_put_bool(o, "too_old",
		w->older_than > 0 && st->oldest_known &&
			(double)st->oldest_ns / NS_PER_S > w->older_than);
	text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN) : NULL;
	if (text)
		fprintf(w->env->out, "%s\n", text);
	json_object_put(o);
	return text ? 0 : err_nomem(err, "a line of JSON");
}

static bool is_news(const struct watch *w, size_t index, const struct state *st)
{
	const struct state *last = index < w->nr_last ? &w->last[index] : NULL;

	return !last || last->pending != st->pending || last->queued != st->queued ||
	       last->why != st->why || last->oldest_known != st->oldest_known ||
	       (st->oldest_known && !same_watched(&last->oldest, &st->oldest));
}

static int tell_state(struct watch *w, unsigned index, const struct state *st, struct err *err)
{
	const struct blkdev *d = &w->in.snap.devices[index];
	bool too_old = w->older_than > 0 && st->oldest_known &&
		       (double)st->oldest_ns / NS_PER_S > w->older_than;

	w->too_old |= too_old;
	if (!too_old && !is_news(w, index, st))
		return 0;
	log_state(w, d, st, too_old);
	if (w->env->json)
		return print_json(w, d, st, err);
	print_text(w, d, st);
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------ */

static bool is_wanted(const struct watch *w, const struct blkdev *d)
{
	return !w->device || blkdev_is_named(d, w->device);
}

static int watch_all(struct watch *w, struct err *err)
{
	struct watched_list now_seen = {0};
	struct state *states = calloc(w->in.snap.nr_devices + 1, sizeof(*states));
	size_t at = 0, i, found = 0;
	int failed = states ? 0 : err_nomem(err, "the disks");

	for (i = 0; !failed && i < w->in.snap.nr_devices; i++) {
		if (!is_wanted(w, &w->in.snap.devices[i]))
			continue;
		found++;
		failed = watch_device(w, (unsigned)i, &now_seen, &at, &states[i], err) ||
			 tell_state(w, (unsigned)i, &states[i], err);
	}
	free(w->seen.v);
	w->seen = now_seen;
	free(w->last);
	w->last = states;
	w->nr_last = failed ? 0 : w->in.snap.nr_devices;
	if (!failed && w->device && !found && w->in.snap.nr_devices)
		return snapshot_need_device(&w->in.snap, w->device, err) ? 0 : -1;
	fflush(w->env->out);
	return failed ? -1 : 0;
}

static int look_once(struct watch *w, struct err *err)
{
	if (!w->in.guest && cmd_open(w->env, NULL, &w->in, err))
		return -1;
	if (!w->in.guest) {
		*err = w->in.why;
		return -1;
	}
	if (live_input_refresh(w->in.live, err) || cmd_look(w->env, &w->in, err))
		return -1;
	if (!w->in.snap.nr_devices)
		return err_set(err, ERR_NOTFOUND, "%s: no known block frontend found", w->in.name);
	return watch_all(w, err);
}

static void start_over(struct watch *w)
{
	cmd_close(&w->in);
	w->in = (struct cmd_input){0};
}

static void rest_until(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - floor(seconds)) * NS_PER_S)};

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static int run_watch(struct watch *w, struct err *err)
{
	struct door_passes none = {0};
	unsigned failed = 0;
	uint64_t nr;

	if (log_open(w->env, err) || cmd_confine(w->env, NULL, &none, err))
		return -1;
	for (nr = 0;;) {
		bool opened = w->in.live;

		if (!look_once(w, err)) {
			failed = 0;
			nr++;
		} else if (opened && live_input_is_gone(w->in.live)) {
			cmd_note(w->env, "%s is gone", w->in.name);
			return CMD_OK;
		} else {
			/* The guest may have moved its tables, or be on its way up. */
			if (!opened || err->cls == ERR_USAGE || ++failed == MAX_FAILED)
				return -1;
			start_over(w);
		}
		if (w->too_old)
			return CMD_UNSAFE;
		if (nr == w->count)
			return CMD_OK;
		rest_until(w->interval);
	}
}

static const struct argp_option options[] = {
	{.name = "device", .key = OPT_DEVICE, .arg = "VDEV", .doc = "only this device"},
	{.name = "interval",
		.key = OPT_INTERVAL,
		.arg = "SECONDS",
		.doc = "between two looks (default 1)"},
	{.name = "older-than",
		.key = OPT_OLDER,
		.arg = "SECONDS",
		.doc = "end with status 3 as soon as a request waits for longer"},
	{.name = "count", .key = OPT_COUNT, .arg = "N", .doc = "end after so many looks"},
	{0},
};

int cmd_watch(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &cmd_live_argp},
		{.argp = &cmd_locate_argp}, {.argp = &cmd_log_argp}, {.argp = &cmd_common_argp},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse_watch,
		.args_doc = "--live DOMAIN",
		.doc = "Watch the pending requests of a live domain: a line each time that they "
		       "change, -J as JSON.\v"
		       "Exit status: 0 the looks of --count are done, or the domain is gone; 2 "
		       "usage; 3 a request is older than --older-than; 4 no domain or no known "
		       "frontend; 6 operational failure.",
		.children = children};
	struct watch w = {.env = env, .interval = 1};
	int rc;

	env->frontend.facts_only = true;
	cmd_parse(&argp, argc, argv, &w);
	rc = run_watch(&w, err);
	if (rc < 0)
		log_error(env, "watch", env->live, err);
	free(w.seen.v);
	free(w.last);
	cmd_close(&w.in);
	return rc;
}
