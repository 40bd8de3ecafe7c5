/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_unsupported.c - files that are refused by name, because what they are can be told, and that
 * it is no guest of Xen. Whatever Xen saved has a format of its own.
 */
#include "checkpoint/ckpt_priv.h"

typedef bool looks_like_fn(const struct source *src, uint64_t off);

static bool is_elf(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "\177ELF", 4);
}

static bool is_packed(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "\x89LZO\0\r\n", 7) ||
	       ckpt_has_magic(src, off, "LZIP", 4) || ckpt_has_magic(src, off, "\x1f\x9d", 2);
}

/* Ordered: what is certain before what is guessed. */
static const struct {
	const char *name;
	looks_like_fn *looks_like;
} known[] = {
	{"ELF file that is no dump of a guest's memory", is_elf},
	{"file packed with lzop, lzip or compress: unpack it first", is_packed},
};

static const char *name_of(const struct source *src, uint64_t off)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].looks_like(src, off))
			return known[i].name;
	return NULL;
}

static enum ckpt_probe probe_unsupported(const struct source *src, uint64_t off, struct err *err)
{
	const char *name = name_of(src, off);

	if (!name)
		return CKPT_PROBE_NO;
	err_set(err, ERR_UNSUPPORTED, "%s", name);
	return CKPT_PROBE_BROKEN;
}

/* The probe has already refused. */
static int open_unsupported(struct ckpt *ck UNUSED, uint64_t off UNUSED, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "no guest of Xen");
}

const struct ckpt_format ckpt_format_unsupported = {
	.name = "unsupported", .probe = probe_unsupported, .open = open_unsupported};
