/* SPDX-License-Identifier: BSD-2-Clause
 *
 * extract: bytes of the guest: the payload of requests, a page, a range of addresses.
 */
#include "cmd/cmd.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "cmd/outfile.h"
#include "cmd/render_json.h"

/* One request cannot name more: 4096 segments of a page. */
#define MAX_EXTRACT_BYTES (1u << 30)

struct extract {
	struct cmd_env *env;
	const char *path, *device, *out_path, *all_dir;
	bool hex, zero_holes, force;
	bool ring_set, slot_set, page_set, va_set, bytes_set;
	uint64_t ring, slot, page, va, bytes;
	struct cmd_input in;
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

static void number(struct argp_state *state, const char *option, const char *arg, uint64_t max,
	bool *set, uint64_t *ret)
{
	if (!num_parse_u64(arg, max, ret))
		argp_error(state, "--%s takes a number up to 0x%llx, not '%s'", option,
			(unsigned long long)max, arg);
	*set = true;
}

static void check_choice(const struct extract *x, struct argp_state *state)
{
	int ways = (x->all_dir != NULL) + x->page_set + x->va_set;

	if (!x->path)
		argp_error(state, "no checkpoint named");
	if (ways > 1)
		argp_error(state, "--all, --page and --va exclude each other");
	if (x->va_set != x->bytes_set)
		argp_error(state, "--va and --bytes go together");
	if (ways && (x->device || x->ring_set || x->slot_set))
		argp_error(state, "--device, --ring and --slot choose one request");
	if (x->all_dir && (x->out_path || x->hex))
		argp_error(state, "--all writes raw files into its folder");
}

static error_t parse(int key, char *arg, struct argp_state *state)
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
		number(state, "ring", arg, UINT32_MAX, &x->ring_set, &x->ring);
		return 0;
	case OPT_SLOT:
		number(state, "slot", arg, UINT32_MAX, &x->slot_set, &x->slot);
		return 0;
	case OPT_ALL:
		x->all_dir = arg;
		return 0;
	case OPT_PAGE:
		number(state, "page", arg, (1ull << 52) - 1, &x->page_set, &x->page);
		return 0;
	case OPT_VA:
		number(state, "va", arg, UINT64_MAX, &x->va_set, &x->va);
		return 0;
	case OPT_BYTES:
		number(state, "bytes", arg, MAX_EXTRACT_BYTES, &x->bytes_set, &x->bytes);
		return 0;
	case OPT_HEX:
		x->hex = true;
		return 0;
	case OPT_HOLES:
		if (strcmp(arg, "zero") && strcmp(arg, "fail"))
			argp_error(state, "--holes takes zero or fail, not '%s'", arg);
		x->zero_holes = !strcmp(arg, "zero");
		return 0;
	case OPT_FORCE:
		x->force = true;
		return 0;
	case 'o':
		x->out_path = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (x->path)
			argp_error(state, "one checkpoint at a time");
		x->path = arg;
		return 0;
	case ARGP_KEY_END:
		check_choice(x, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- getting the bytes -------------------------------------------------------------------- */

static int hole(struct extract *x, uint8_t *to, size_t len, struct err *err)
{
	if (!x->zero_holes || err->cls != ERR_NODATA) {
		if (err->cls == ERR_NODATA)
			err_in(err, "a hole (--holes=zero fills it)");
		return -1;
	}
	memset(to, 0, len);
	x->holes++;
	return 0;
}

static int payload(struct extract *x, const struct io_request *r, uint8_t **ret, size_t *ret_len,
	struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	uint64_t len = 0;
	size_t i, at = 0;

	for (i = 0; i < r->nr_seg; i++)
		len += r->seg[i].bytes;
	if (r->nr_seg < r->segs_wanted)
		return err_set(err, ERR_NODATA, "only %zu of %llu segments could be decoded: %s",
			r->nr_seg, (unsigned long long)r->segs_wanted,
			r->trouble ? r->trouble : "unknown reason");
	if (len > MAX_EXTRACT_BYTES)
		return err_set(
			err, ERR_CORRUPT, "%llu bytes in one request", (unsigned long long)len);
	buf = malloc((size_t)len + 1);
	if (!buf)
		return err_nomem(err, "the payload");
	for (i = 0; i < r->nr_seg; at += r->seg[i++].bytes) {
		const struct io_segment *s = &r->seg[i];

		if (s->frame == IO_FRAME_UNKNOWN) {
			err_set(err, ERR_NODATA, "segment %zu: its page is unknown", i);
			if (hole(x, buf + at, s->bytes, err))
				return -1;
		} else if (memory_is_removed(guest_peek(x->in.guest, s->pfn))) {
			err_set(err, ERR_NODATA,
				"segment %zu: its page was left out of this redacted checkpoint",
				i);
			if (hole(x, buf + at, s->bytes, err))
				return -1;
		} else if (guest_read_phys(
				   x->in.guest, s->pfn, s->offset, buf + at, s->bytes, err) &&
			   hole(x, buf + at, s->bytes, err)) {
			return err_in(err, "segment %zu", i);
		}
	}
	*ret = take(buf);
	*ret_len = (size_t)len;
	return 0;
}

static int range(struct extract *x, uint8_t **ret, size_t *ret_len, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = malloc((size_t)x->bytes + 1);
	uint64_t done = 0;

	if (!buf)
		return err_nomem(err, "the range");
	while (done < x->bytes) {
		uint64_t va = x->va + done;
		size_t n = (size_t)MIN(x->bytes - done, PAGE_BYTES - (va & PAGE_OFFSET_MASK));

		if (guest_read(x->in.guest, GVA(va), buf + done, n, err) &&
			hole(x, buf + done, n, err))
			return -1;
		done += n;
	}
	*ret = take(buf);
	*ret_len = (size_t)x->bytes;
	return 0;
}

static int page(struct extract *x, uint8_t **ret, size_t *ret_len, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = malloc(PAGE_BYTES);
	struct memory_page p = memory_page(x->in.memory, PFN(x->page));

	if (!buf)
		return err_nomem(err, "a page");
	if (p.data) {
		memcpy(buf, p.data, PAGE_BYTES);
	} else {
		err_set(err, ERR_NODATA, "%s: pfn 0x%llx %s", x->path, (unsigned long long)x->page,
			memory_lack(&p));
		if (hole(x, buf, PAGE_BYTES, err))
			return -1;
	}
	*ret = take(buf);
	*ret_len = PAGE_BYTES;
	return 0;
}

/* ---- choosing a request ------------------------------------------------------------------- */

static bool matches(const struct extract *x, const struct blkdev *d, const struct io_request *r)
{
	return (!x->device || !strcmp(x->device, d->name)) &&
	       (!x->ring_set || x->ring == r->ring) && (!x->slot_set || x->slot == r->slot);
}

static int choose(const struct extract *x, const struct io_request **ret, struct err *err)
{
	const struct io_request *found = NULL;
	size_t i, k, n = 0;

	for (i = 0; i < x->in.snap.nr_devices; i++) {
		const struct blkdev *d = &x->in.snap.devices[i];

		for (k = 0; k < d->nr_requests; k++)
			if (matches(x, d, &d->requests[k])) {
				found = &d->requests[k];
				n++;
			}
	}
	if (!n)
		return err_set(err, ERR_NOTFOUND, "%s: no such pending request", x->path);
	if (n > 1)
		return err_set(err, ERR_USAGE,
			"%zu requests fit; --device, --ring and --slot choose one, --all takes all",
			n);
	*ret = found;
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------ */

static void print_hex(FILE *out, uint64_t origin, const uint8_t *p, size_t len)
{
	size_t at, i;

	for (at = 0; at < len; at += 16) {
		size_t n = MIN(len - at, (size_t)16);

		fprintf(out, "%016llx ", (unsigned long long)(origin + at));
		for (i = 0; i < 16; i++)
			if (i < n)
				fprintf(out, "%s%02x", i == 8 ? "  " : " ", p[at + i]);
			else
				fputs(i == 8 ? "    " : "   ", out);
		fputs("  |", out);
		for (i = 0; i < n; i++)
			fputc(isprint(p[at + i]) && p[at + i] < 0x80 ? p[at + i] : '.', out);
		fputs("|\n", out);
	}
}

static int emit(struct extract *x, uint64_t origin, const uint8_t *p, size_t len, struct err *err)
{
	struct outfile f;

	if (x->hex && !x->out_path) {
		print_hex(x->env->out, origin, p, len);
		return 0;
	}
	if (!x->out_path) {
		if (isatty(fileno(x->env->out)))
			return err_set(err, ERR_USAGE,
				"not writing raw bytes to a terminal; --hex, or -o FILE");
		return fwrite(p, 1, len, x->env->out) == len
			       ? 0
			       : err_sys(err, "cannot write the output");
	}
	if (x->hex)
		return err_set(err, ERR_USAGE, "--hex writes to standard output");
	if (outfile_open(&f, x->out_path, err))
		return -1;
	if (outfile_write_at(&f, 0, p, len, err)) {
		outfile_drop(&f);
		return -1;
	}
	return outfile_commit(&f, x->force, err);
}

/* The device's name comes from the guest: nothing of it may be a path. */
static void file_name(const struct blkdev *d, const struct io_request *r, char *buf, size_t cap)
{
	char name[sizeof(d->name)];
	size_t i;

	for (i = 0; d->name[i] && i + 1 < sizeof(name); i++)
		name[i] = isalnum((unsigned char)d->name[i]) ? d->name[i] : '_';
	name[i] = 0;
	if (r->sector_from == IO_SECTOR_UNKNOWN)
		snprintf(
			buf, cap, "%s-ring%u-slot%u-%s", name, r->ring, r->slot, io_op_name(r->op));
	else
		snprintf(buf, cap, "%s-ring%u-slot%u-%s-sector%llu", name, r->ring, r->slot,
			io_op_name(r->op), (unsigned long long)r->sector);
}

static int extract_into(struct extract *x, const struct blkdev *d, const struct io_request *r,
	struct json_object *manifest, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	CLEANUP_FREE char *path = NULL;
	struct json_object *row = json_request(r);
	char name[160];
	size_t len = 0;
	int rc;

	file_name(d, r, name, sizeof(name));
	json_object_object_add(row, "device", json_text(d->name));
	json_object_array_add(manifest, row);
	if (payload(x, r, &buf, &len, err)) {
		if (err->cls == ERR_SYSTEM)
			return -1;
		/* The others are still worth having; the manifest says what is missing. */
		cmd_note(x->env, "%s: %s", name, err->text);
		json_object_object_add(row, "error", json_text(err->text));
		x->holes++;
		return 0;
	}
	json_object_object_add(row, "file", json_text(name));
	if (asprintf(&path, "%s/%s", x->all_dir, name) < 0)
		return err_nomem(err, "a file name");
	x->out_path = path;
	rc = emit(x, 0, buf, len, err);
	x->out_path = NULL;
	return rc;
}

static int write_manifest(struct extract *x, struct json_object *manifest, struct err *err)
{
	const char *text = json_object_to_json_string_ext(manifest, JSON_C_TO_STRING_PRETTY);
	CLEANUP_FREE char *path = NULL;
	int rc;

	if (!text || asprintf(&path, "%s/manifest.json", x->all_dir) < 0)
		return err_nomem(err, "the manifest");
	x->out_path = path;
	rc = emit(x, 0, (const uint8_t *)text, strlen(text), err);
	x->out_path = NULL;
	return rc;
}

static int extract_all(struct extract *x, struct err *err)
{
	struct json_object *manifest = json_object_new_array();
	size_t i, k;
	int rc = 0;

	if (mkdir(x->all_dir, 0777) && errno != EEXIST)
		rc = err_sys(err, "cannot make %s", x->all_dir);
	for (i = 0; !rc && i < x->in.snap.nr_devices; i++) {
		const struct blkdev *d = &x->in.snap.devices[i];

		for (k = 0; !rc && k < d->nr_requests; k++)
			if (d->requests[k].nr_seg || d->requests[k].trouble)
				rc = extract_into(x, d, &d->requests[k], manifest, err);
	}
	if (!rc)
		rc = write_manifest(x, manifest, err);
	json_object_put(manifest);
	return rc;
}

static int run(struct extract *x, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	const struct io_request *r = NULL;
	size_t len = 0;

	if (cmd_open(x->path, &x->in, err))
		return -1;
	if (x->page_set) {
		if (page(x, &buf, &len, err))
			return -1;
		return emit(x, x->page << PAGE_SHIFT, buf, len, err);
	}
	if (x->va_set) {
		if (!x->in.guest) {
			*err = x->in.why;
			return -1;
		}
		return range(x, &buf, &len, err) ? -1 : emit(x, x->va, buf, len, err);
	}
	if (cmd_analyse(x->env, &x->in, err))
		return -1;
	cmd_note_findings(x->env, &x->in);
	if (x->all_dir) {
		if (extract_all(x, err))
			return -1;
	} else if (choose(x, &r, err) || payload(x, r, &buf, &len, err) ||
		   emit(x, 0, buf, len, err)) {
		return -1;
	}
	return cmd_verdict(&x->in, err);
}

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
			.arg = "HOW",
			.doc = "pages that are not in the checkpoint: fail (default) or zero"},
		{.name = "output", .key = 'o', .arg = "FILE", .doc = "write there, not to stdout"},
		{.name = "force", .key = OPT_FORCE, .doc = "replace files that exist"},
		{0},
	};
	static const struct argp_child children[] = {
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "FILE",
		.doc = "Write the payload of a pending request, or other bytes of the guest." //
		CMD_HELP_STATUS,
		.children = children};
	struct extract x = {.env = env};
	int rc;

	cmd_parse(&argp, argc, argv, &x);
	rc = run(&x, err);
	if (x.holes && !rc)
		cmd_note(env, "%llu holes", (unsigned long long)x.holes);
	cmd_close(&x.in);
	return rc;
}
