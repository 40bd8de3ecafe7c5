/* SPDX-License-Identifier: BSD-2-Clause
 *
 * extract: bytes of the guest: the payload of requests, a page, a range of addresses.
 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "cmd/confine.h"
#include "cmd/extract_out.h"

/* One request cannot name more: 4096 segments of a page. */
#define MAX_EXTRACT_BYTES (1u << 30)

struct extract {
	struct cmd_env *env;
	const char *path, *device;
	bool zero_holes;
	bool ring_set, slot_set, page_set, va_set, bytes_set;
	uint64_t ring, slot, page, va, bytes;
	struct cmd_input in;
	struct extract_out out;
	uint64_t holes;
};

enum {
	OPT_DEVICE = 0x100,
	OPT_RING,
	OPT_SLOT,
	OPT_ALL,
	OPT_PAGE,
	OPT_VA,
	OPT_BYTES,
	OPT_HEX,
	OPT_HOLES,
	OPT_FORCE,
};

static void parse_number(struct argp_state *state, const char *option, const char *arg,
	uint64_t max, bool *set, uint64_t *ret)
{
	if (!num_parse_u64(arg, max, ret))
		argp_error(state, "--%s takes a number up to 0x%" PRIx64 ", not '%s'", option, max,
			arg);
	*set = true;
}

static void check_output(const struct extract *x, struct argp_state *state)
{
	const struct extract_out *o = &x->out;

	if (o->path && !strcmp(o->path, "-") && x->env->json)
		argp_error(state, "--json and the bytes cannot both go to standard output");
	if (x->env->json && !o->path && !o->dir)
		argp_error(state, "--json tells what was written: --output or --all names where");
	if (o->hex && o->path && strcmp(o->path, "-"))
		argp_error(state, "--hex writes to standard output");
	if (o->dir && (o->path || o->hex))
		argp_error(state, "--all writes raw files into its folder");
	if (o->dir && !strcmp(o->dir, "-"))
		argp_error(state, "--all takes a folder, not standard output");
}

static void check_choice(const struct extract *x, struct argp_state *state)
{
	int ways = (x->out.dir != NULL) + x->page_set + x->va_set;

	cmd_need_path(state, x->env, x->path);
	if (ways > 1)
		argp_error(state, "--all, --page and --va exclude each other");
	if (x->va_set != x->bytes_set)
		argp_error(state, "--va and --bytes go together");
	if (ways && (x->device || x->ring_set || x->slot_set))
		argp_error(state, "--device, --ring and --slot choose one request");
	check_output(x, state);
}

static error_t parse_extract(int key, char *arg, struct argp_state *state)
{
	struct extract *x = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, x->env);
		return 0;
	case OPT_DEVICE:
		x->device = arg;
		return 0;
	case OPT_RING:
		parse_number(state, "ring", arg, UINT32_MAX, &x->ring_set, &x->ring);
		return 0;
	case OPT_SLOT:
		parse_number(state, "slot", arg, UINT32_MAX, &x->slot_set, &x->slot);
		return 0;
	case OPT_ALL:
		x->out.dir = arg;
		return 0;
	case OPT_PAGE:
		parse_number(state, "page", arg, (1ull << 52) - 1, &x->page_set, &x->page);
		return 0;
	case OPT_VA:
		parse_number(state, "va", arg, UINT64_MAX, &x->va_set, &x->va);
		return 0;
	case OPT_BYTES:
		parse_number(state, "bytes", arg, MAX_EXTRACT_BYTES, &x->bytes_set, &x->bytes);
		return 0;
	case OPT_HEX:
		x->out.hex = true;
		return 0;
	case OPT_HOLES:
		if (strcmp(arg, "zero") && strcmp(arg, "fail"))
			argp_error(state, "--holes takes zero or fail, not '%s'", arg);
		x->zero_holes = !strcmp(arg, "zero");
		return 0;
	case OPT_FORCE:
		x->out.force = true;
		return 0;
	case 'o':
		x->out.path = arg;
		return 0;
	case ARGP_KEY_ARG:
		cmd_take_path(state, arg, &x->path);
		return 0;
	case ARGP_KEY_END:
		check_choice(x, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- getting the bytes -------------------------------------------------------------------- */

static int fill_hole(struct extract *x, uint8_t *to, size_t len, struct err *err)
{
	if (err->cls != ERR_NODATA)
		return -1;
	if (!x->zero_holes)
		return err_override(err, "holes");
	memset(to, 0, len);
	x->holes++;
	return 0;
}

static int read_payload(struct extract *x, const struct io_request *r, uint8_t **ret,
	size_t *ret_len, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	uint64_t len = 0;
	size_t i, at = 0;

	for (i = 0; i < r->nr_seg; i++)
		len += r->seg[i].bytes;
	if (r->unsettled)
		return err_set(err, ERR_NODATA,
			"the guest went on with it while it was looked at: its pages may hold "
			"something else by now");
	if (r->nr_seg < r->segs_wanted)
		return err_set(err, ERR_NODATA,
			"only %zu of %" PRIu64 " segments could be decoded: %s", r->nr_seg,
			r->segs_wanted, r->trouble ? r->trouble : "unknown reason");
	if (len > MAX_EXTRACT_BYTES)
		return err_set(err, ERR_CORRUPT, "%" PRIu64 " bytes in one request", len);
	buf = malloc((size_t)len + 1);
	if (!buf)
		return err_nomem(err, "the payload");
	for (i = 0; i < r->nr_seg; at += r->seg[i++].bytes) {
		const struct io_segment *s = &r->seg[i];

		if (s->frame == IO_FRAME_UNKNOWN) {
			err_set(err, ERR_NODATA, "segment %zu: its page is unknown", i);
			if (fill_hole(x, buf + at, s->bytes, err))
				return -1;
		} else if (memory_is_removed(guest_peek(x->in.guest, s->pfn))) {
			err_set(err, ERR_NODATA,
				"segment %zu: its page was left out of this redacted checkpoint",
				i);
			if (fill_hole(x, buf + at, s->bytes, err))
				return -1;
		} else if (guest_read_frame(
				   x->in.guest, s->pfn, s->offset, buf + at, s->bytes, err) &&
			   fill_hole(x, buf + at, s->bytes, err)) {
			return err_in(err, "segment %zu", i);
		}
	}
	*ret = take(buf);
	*ret_len = (size_t)len;
	return 0;
}

static int read_range(struct extract *x, uint8_t **ret, size_t *ret_len, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = malloc((size_t)x->bytes + 1);
	uint64_t done = 0;

	if (!buf)
		return err_nomem(err, "the range");
	while (done < x->bytes) {
		uint64_t va = x->va + done;
		size_t n = (size_t)MIN(x->bytes - done, PAGE_BYTES - (va & PAGE_OFFSET_MASK));

		if (guest_read(x->in.guest, GVA(va), buf + done, n, err) &&
			fill_hole(x, buf + done, n, err))
			return -1;
		done += n;
	}
	*ret = take(buf);
	*ret_len = (size_t)x->bytes;
	return 0;
}

static int read_page(struct extract *x, uint8_t **ret, size_t *ret_len, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = malloc(PAGE_BYTES);
	struct memory_page p = memory_page(x->in.memory, PFN(x->page));

	if (!buf)
		return err_nomem(err, "a page");
	if (p.data) {
		memcpy(buf, p.data, PAGE_BYTES);
	} else {
		err_set(err, ERR_NODATA, "%s: pfn 0x%" PRIx64 " %s", x->in.name, x->page,
			memory_lack(&p));
		if (fill_hole(x, buf, PAGE_BYTES, err))
			return -1;
	}
	*ret = take(buf);
	*ret_len = PAGE_BYTES;
	return 0;
}

/* ---- choosing a request ------------------------------------------------------------------- */

static bool is_chosen(const struct extract *x, const struct blkdev *d, const struct io_request *r)
{
	return (!x->device || blkdev_is_named(d, x->device)) &&
	       (!x->ring_set || x->ring == r->ring) && (!x->slot_set || x->slot == r->slot);
}

/* "0-19, 23" of a ring's requests, which ascend by slot, from at on; the first of another ring. */
static size_t list_slots(const struct blkdev *d, size_t at, FILE *to)
{
	unsigned ring = d->requests[at].ring;
	const char *comma = "";

	while (at < d->nr_requests && d->requests[at].ring == ring) {
		unsigned first = d->requests[at].slot, last = first;

		while (++at < d->nr_requests && d->requests[at].ring == ring &&
			d->requests[at].slot == last + 1)
			last++;
		fprintf(to, last > first ? "%s%u-%u" : "%s%u", comma, first, last);
		comma = ", ";
	}
	return at;
}

/* malloc'ed; NULL: no memory. */
static char *list_pending(const struct extract *x)
{
	const char *semicolon = "";
	size_t i, k, bytes;
	char *text = NULL;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return NULL;
	for (i = 0; i < x->in.snap.nr_devices; i++) {
		const struct blkdev *d = &x->in.snap.devices[i];

		for (k = 0; k < d->nr_requests; semicolon = "; ") {
			fprintf(to, "%s%s ring %u: ", semicolon, d->name, d->requests[k].ring);
			k = list_slots(d, k, to);
		}
	}
	fclose(to);
	return text;
}

/* What there is instead. */
static int refuse_choice(const struct extract *x, struct err *err)
{
	CLEANUP_FREE char *pending = NULL;
	bool known = !x->device || snapshot_find_device(&x->in.snap, x->device);
	char names[200];

	snapshot_list_devices(&x->in.snap, names, sizeof(names));
	if (!known && *names) {
		err_set(err, ERR_NOTFOUND, "%s: no device '%s', but %s", x->in.name, x->device,
			names);
		return err_override(err, "said");
	}
	pending = list_pending(x);
	err_set(err, ERR_NOTFOUND, "%s: no such pending request; slots that are pending: %s",
		x->in.name, pending && *pending ? pending : "none");
	return err_override(err, "said");
}

static int choose_request(const struct extract *x, const struct blkdev **ret_dev,
	const struct io_request **ret, struct err *err)
{
	const struct io_request *found = NULL;
	size_t i, k, n = 0;

	for (i = 0; i < x->in.snap.nr_devices; i++) {
		const struct blkdev *d = &x->in.snap.devices[i];

		for (k = 0; k < d->nr_requests; k++)
			if (is_chosen(x, d, &d->requests[k])) {
				*ret_dev = d;
				found = &d->requests[k];
				n++;
			}
	}
	if (!n)
		return refuse_choice(x, err);
	if (n > 1)
		return err_set(err, ERR_USAGE,
			"%zu requests fit; --device, --ring and --slot choose one, --all takes all",
			n);
	*ret = found;
	return 0;
}

/* ---- what was asked for ------------------------------------------------------------------- */

static int extract_one(struct extract *x, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	const struct blkdev *d = NULL;
	const struct io_request *r = NULL;
	size_t len = 0;

	if (choose_request(x, &d, &r, err))
		return -1;
	if (!r->nr_seg && !r->segs_wanted) {
		err_set(err, ERR_NODATA, "ring %u slot %u of %s is a %s: it has no payload",
			r->ring, r->slot, d->name, io_op_name(r->op));
		return err_override(err, "said");
	}
	if (read_payload(x, r, &buf, &len, err))
		return -1;
	return extract_put(&x->out, extract_row_request(d, r), 0, buf, len, err);
}

/* What cannot be had is named; the others are still worth having. */
static int extract_into(
	struct extract *x, const struct blkdev *d, const struct io_request *r, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	struct err why;
	size_t len = 0;

	if (!read_payload(x, r, &buf, &len, &why))
		return extract_put_named(&x->out, d, r, buf, len, err);
	if (why.cls == ERR_SYSTEM) {
		*err = why;
		return -1;
	}
	x->holes++;
	return extract_put_failed(&x->out, d, r, &why, err);
}

static int extract_all(struct extract *x, struct err *err)
{
	size_t i, k;

	for (i = 0; i < x->in.snap.nr_devices; i++) {
		const struct blkdev *d = &x->in.snap.devices[i];

		for (k = 0; k < d->nr_requests; k++)
			if ((d->requests[k].nr_seg || d->requests[k].trouble) &&
				extract_into(x, d, &d->requests[k], err))
				return -1;
	}
	return 0;
}

static int extract_page(struct extract *x, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len = 0;

	if (read_page(x, &buf, &len, err))
		return -1;
	return extract_put(
		&x->out, extract_row_range("pfn", x->page), x->page << PAGE_SHIFT, buf, len, err);
}

static int extract_range(struct extract *x, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len = 0;

	if (!x->in.guest) {
		*err = x->in.why;
		return -1;
	}
	if (read_range(x, &buf, &len, err))
		return -1;
	return extract_put(&x->out, extract_row_range("address", x->va), x->va, buf, len, err);
}

static int extract_requests(struct extract *x, struct err *err)
{
	if (cmd_analyse(x->env, &x->in, err))
		return -1;
	cmd_note_findings(x->env, &x->in);
	return x->out.dir ? extract_all(x, err) : extract_one(x, err);
}

static int confine_extract(struct extract *x, struct err *err)
{
	struct door_passes passes = {0};

	door_pass_add(&passes, x->path, DOOR_READ);
	door_pass_add(&passes, x->out.path, DOOR_OUTPUT);
	door_pass_add(&passes, x->out.dir, DOOR_FOLDER);
	return cmd_confine(x->env, NULL, &passes, err);
}

static int run_extract(struct extract *x, struct err *err)
{
	bool of_requests = !x->page_set && !x->va_set;

	x->out.env = x->env;
	x->out.in = &x->in;
	if (confine_extract(x, err) || cmd_open(x->env, x->path, &x->in, err) ||
		extract_out_open(&x->out, err))
		return -1;
	if (x->page_set	    ? extract_page(x, err)
		: x->va_set ? extract_range(x, err)
			    : extract_requests(x, err))
		return cmd_failed(&x->in, err);
	if (extract_out_finish(&x->out, &x->in, x->holes, err))
		return -1;
	return of_requests ? cmd_verdict(&x->in, err) : cmd_unchanged(&x->in, err);
}

#define EXTRACT_DOC                                                                                \
	"Write the payload of a pending request, or other bytes of the guest." CMD_HELP_STATUS

int cmd_extract(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_option options[] = {
		{.name = "device", .key = OPT_DEVICE, .arg = "VDEV", .doc = "of this device"},
		{.name = "ring", .key = OPT_RING, .arg = "N", .doc = "of this ring"},
		{.name = "slot", .key = OPT_SLOT, .arg = "N", .doc = "of this slot"},
		{.name = "all",
			.key = OPT_ALL,
			.arg = "DIR",
			.doc = "every payload into a file of DIR, with manifest.json"},
		{.name = "page", .key = OPT_PAGE, .arg = "PFN", .doc = "a guest page instead"},
		{.name = "va",
			.key = OPT_VA,
			.arg = "ADDRESS",
			.doc = "a range of guest virtual addresses instead"},
		{.name = "bytes", .key = OPT_BYTES, .arg = "N", .doc = "length of that range"},
		{.name = "hex", .key = OPT_HEX, .doc = "as a hex dump"},
		{.name = "holes",
			.key = OPT_HOLES,
			.arg = "fail|zero",
			.doc = "at pages that are not in the checkpoint (default fail)"},
		{.name = "output", .key = 'o', .arg = "FILE", .doc = "write there, not to stdout"},
		{.name = "force", .key = OPT_FORCE, .doc = "replace files that exist"},
		{0},
	};
	static const struct argp_child children[] = {{.argp = &cmd_live_argp},
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse_extract,
		.args_doc = "FILE",
		.doc = EXTRACT_DOC,
		.children = children};
	struct extract x = {.env = env};
	int rc;

	cmd_parse(&argp, argc, argv, &x);
	rc = run_extract(&x, err);
	if (x.holes && !rc)
		cmd_note(env, "%" PRIu64 " holes", x.holes);
	extract_out_fini(&x.out);
	cmd_close(&x.in);
	return rc;
}
