/* SPDX-License-Identifier: BSD-2-Clause
 *
 * parse_checkpoint.c - the registry of formats: recognise a checkpoint and open it.
 */
#include "checkpoint/checkpoint.h"

#include <inttypes.h>

#include "checkpoint/ckpt_priv.h"
#include "io/door.h"
#include "io/sandbox.h"

/* The first that says anything but no has the file; long magics first, guesses last. */
static const struct ckpt_format *const formats[] = {
	&ckpt_format_xl,
	&ckpt_format_libxl,
	&ckpt_format_libxc,
	&ckpt_format_xen20,
	&ckpt_format_xend,
	&ckpt_format_xencore,
	&ckpt_format_xccore,
	&ckpt_format_libvirt,
	&ckpt_format_xapi,
	&ckpt_format_xapi_old,
	&ckpt_format_vmcore,
	&ckpt_format_kdump,
	&ckpt_format_unsupported,
	&ckpt_format_foreign,
	&ckpt_format_legacy,
	&ckpt_format_disk,
};

#define HEX_BYTES   32u
#define FOUND_BYTES 200u

static int refuse_unknown(const struct ckpt *ck, uint64_t off, struct err *err)
{
	uint64_t left = source_bytes(ck->src) - off;
	size_t i, n = (size_t)MIN(left, (uint64_t)HEX_BYTES);
	const uint8_t *p = source_at(ck->src, off, n);
	char hex[3 * HEX_BYTES + 1] = "", found[FOUND_BYTES];

	if (!n) {
		err_set(err, ERR_CORRUPT, "not a checkpoint: the file is empty");
		return err_override(err, "empty");
	}
	for (i = 0; i < n; i++)
		snprintf(hex + 3 * i, sizeof(hex) - 3 * i, " %02x", p[i]);
	ckpt_name_streams(ck->src, off + 1, found, sizeof(found));
	err_set(err, ERR_CORRUPT, "not a checkpoint: no known format begins with%s%s%s", hex,
		*found ? "; the file has headers of " : "", found);
	return err_override(err, *found ? "offset" : "formats");
}

int ckpt_open_payload(struct ckpt *ck, uint64_t off, struct err *err)
{
	size_t i;

	if (++ck->depth > CKPT_MAX_LAYERS)
		return err_set(err, ERR_CORRUPT, "more than %u formats are wrapped in each other",
			CKPT_MAX_LAYERS);
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct ckpt_format *f = formats[i];
		enum ckpt_probe answer = f->probe(ck->src, off, err);

		if (answer == CKPT_PROBE_NO)
			continue;
		if (answer == CKPT_PROBE_BROKEN)
			return -1;
		if (!ck->info.format)
			ck->info.format = f->name;
		ck->body = f;
		return f->open(ck, off, err);
	}
	return refuse_unknown(ck, off, err);
}

static int index_pages(struct ckpt *ck, struct err *err)
{
	struct ckpt_info *info = &ck->info;

	if (pagemap_finish(&ck->map) || (ck->squeeze && squeeze_finish(ck->squeeze, &ck->map)))
		return err_nomem(err, "the index of pages");
	info->nr_data_pages = ck->map.nr_data_pages;
	info->nr_repeats = ck->map.nr_repeats;
	if (info->guest_type != CKPT_GUEST_PV || !info->nr_pfns)
		info->nr_pfns = ck->map.end_pfn;
	hvm_context_mode(ck);
	ckpt_verify_vcpus(ck);
	if (ck->body->verify)
		ck->body->verify(ck);
	return 0;
}

static void check_end(struct ckpt *ck)
{
	uint64_t bytes = source_bytes(ck->src);
	char found[FOUND_BYTES];

	if (!ck->info.complete || ck->end >= bytes)
		return;
	ckpt_name_streams(ck->src, ck->end, found, sizeof(found));
	finding_add(&ck->findings, "XB013", finding_at_offset(ck->end),
		"%" PRIu64 " bytes follow the end of the stream%s%s", bytes - ck->end,
		*found ? ", among them headers of " : "", found);
}

static int open_all(struct ckpt *ck, struct err *err)
{
	if (source_compression(ck->src))
		ckpt_add_layer(ck, "%s", source_compression(ck->src));
	ck->info.complete = true;
	ck->info.suspended = true;
	if (ckpt_open_payload(ck, ck->start, err) || index_pages(ck, err))
		return err_in(err, "%s", source_path(ck->src));
	/* One that does not say so read all of it. */
	if (!ck->end)
		ck->end = source_bytes(ck->src);
	check_end(ck);
	ckpt_say_origin(ck);
	return 0;
}

static int open_at(struct source *src, uint64_t off, struct ckpt **ret, struct err *err)
{
	struct ckpt *ck = calloc(1, sizeof(*ck));

	if (!ck) {
		source_close(src);
		return err_nomem(err, "a checkpoint");
	}
	ck->src = src;
	ck->start = off;
	if (open_all(ck, err)) {
		ckpt_close(ck);
		return -1;
	}
	*ret = ck;
	return 0;
}

int ckpt_open_source(struct source *src, struct ckpt **ret, struct err *err)
{
	return open_at(src, 0, ret, err);
}

int ckpt_open_at(const char *path, uint64_t off, uint64_t most, struct ckpt **ret, struct err *err)
{
	struct source *src;
	uint64_t bytes;

	if (source_open_at_most(path, most, &src, err))
		return -1;
	if (off && off >= source_bytes(src)) {
		err_set(err, ERR_USAGE,
			"%s: it has 0x%" PRIx64 " bytes, nothing begins at 0x%" PRIx64, path,
			source_bytes(src), off);
		source_close(src);
		return -1;
	}
	bytes = source_bytes(src);
	if (open_at(src, off, ret, err))
		return -1;
	if (door_is_shut())
		sandbox_settle(bytes, ckpt_info(*ret)->nr_pfns);
	return 0;
}

int ckpt_open(const char *path, struct ckpt **ret, struct err *err)
{
	return ckpt_open_at(path, 0, 0, ret, err);
}
