/* SPDX-License-Identifier: BSD-2-Clause
 *
 * export: the guest as an ELF core file, for crash and drgn.
 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cmd/confine.h"
#include "cmd/elf_core.h"
#include "cmd/outfile.h"
#include "kernel/linux.h"

/* include/linux/crash_core.h: VMCOREINFO_BYTES is a page. */
#define MAX_VMCOREINFO (4u * PAGE_BYTES)
/* The kernel's window is 1 GiB at most (arch/x86/include/asm/page_64_types.h). */
#define MAX_IMAGE (1u << 30)

struct exporter {
	struct cmd_env *env;
	const char *in_path, *out_path;
	bool reduced, force;
	struct cmd_input in;
	struct elf_core core;
	struct outfile out;
};

enum { OPT_REDUCED = 0x100, OPT_FORCE };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct exporter *x = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, x->env);
		return 0;
	case OPT_REDUCED:
		x->reduced = true;
		return 0;
	case OPT_FORCE:
		x->force = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!x->in_path)
			x->in_path = arg;
		else if (!x->out_path)
			x->out_path = arg;
		else
			argp_error(state, "too many file names");
		return 0;
	case ARGP_KEY_END:
		if (!x->out_path)
			argp_error(state, "two file names are needed: FILE and OUT");
		if (x->env->json)
			argp_error(state, "what export writes is no JSON");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- what the kernel says of itself ------------------------------------------------------- */

/* The text that the kernel keeps for kdump: phys_base, swapper_pg_dir, offsets. */
static int add_vmcoreinfo(struct exporter *x, const struct linux_kernel *k, struct err *err)
{
	char text[MAX_VMCOREINFO];
	uint64_t at, bytes;
	gva_t var, size;

	if (symbols_get(k->symbols, "vmcoreinfo_data", &var, NULL) ||
		symbols_get(k->symbols, "vmcoreinfo_size", &size, NULL) ||
		guest_read_word(k->g, var, &at, NULL) ||
		guest_read_word(k->g, size, &bytes, NULL) || !bytes || bytes > sizeof(text) ||
		guest_read(k->g, GVA(at), text, (size_t)bytes, NULL)) {
		cmd_note(x->env, "the guest's VMCOREINFO was not found, without which crash and "
				 "drgn need to be told where its kernel is");
		return 0;
	}
	return elf_core_add_note(&x->core, "VMCOREINFO", 0, text, (size_t)bytes, err);
}

/* The image is one piece of memory: what maps its start says where. */
static void find_image(struct exporter *x, const struct linux_kernel *k)
{
	struct guest_map map;
	gva_t start, end;

	if (symbols_get(k->symbols, "_text", &start, NULL) ||
		symbols_get(k->symbols, "_end", &end, NULL) || end.v <= start.v ||
		end.v - start.v > MAX_IMAGE || start.v % PAGE_BYTES ||
		guest_translate(k->g, start, &map, NULL))
		return;
	x->core.image_va = start.v;
	x->core.image_pfn = map.pfn.v;
	x->core.nr_image = (end.v - start.v + PAGE_BYTES - 1) / PAGE_BYTES;
}

static void find_direct_map(struct exporter *x, const struct linux_kernel *k)
{
	gva_t var;

	if (symbols_get(k->symbols, "page_offset_base", &var, NULL) ||
		guest_read_word(k->g, var, &x->core.direct_map, NULL))
		x->core.direct_map = 0;
}

static int add_notes(struct exporter *x, struct err *err)
{
	CLEANUP(linux_kernel_close) struct linux_kernel k = {0};
	struct err why;
	size_t i;

	for (i = 0; i < ckpt_nr_vcpus(x->in.ck); i++)
		if (elf_core_add_vcpu(&x->core, ckpt_vcpu(x->in.ck, i), err))
			return -1;
	if (!x->in.guest || linux_kernel_open(x->in.guest, NULL, &k, &why)) {
		cmd_note(x->env, "no Linux was found in it; the file has its memory all the same");
		return 0;
	}
	find_direct_map(x, &k);
	find_image(x, &k);
	return add_vmcoreinfo(x, &k, err);
}

/* ---- writing ------------------------------------------------------------------------------ */

static int put_file(void *arg, uint64_t off, const void *buf, size_t len, struct err *err)
{
	struct exporter *x = arg;

	return outfile_write_at(&x->out, off, buf, len, err);
}

/* The bytes come in order and without a hole. */
static int put_stream(void *arg, uint64_t off UNUSED, const void *buf, size_t len, struct err *err)
{
	struct exporter *x = arg;

	return fwrite(buf, 1, len, x->env->out) == len
		       ? 0
		       : err_sys(err, "cannot write to standard output");
}

static int write_out(struct exporter *x, struct err *err)
{
	if (!strcmp(x->out_path, "-")) {
		if (isatty(fileno(x->env->out)))
			return err_set(err, ERR_REFUSED,
				"standard output is a terminal, which a core file does no good");
		return elf_core_write(&x->core, put_stream, x, err) ? -1
								    : cmd_unchanged(&x->in, err);
	}
	if (outfile_open(&x->out, x->out_path, x->force, &x->in.files, err))
		return -1;
	if (elf_core_write(&x->core, put_file, x, err) || cmd_unchanged(&x->in, err)) {
		outfile_drop(&x->out);
		return cmd_failed(&x->in, err);
	}
	return outfile_commit(&x->out, err);
}

static bool was_read(void *guest, pfn_t pfn)
{
	return guest_was_read(guest, pfn);
}

/* Pages that the analysis reads, who asked and what is remembered included. */
static int find_reduced(struct exporter *x, struct err *err)
{
	if (!x->in.guest)
		return err_set(err, x->in.why.cls, "%s", x->in.why.text);
	x->env->frontend.who = true;
	x->core.wanted = was_read;
	x->core.arg = x->in.guest;
	return guest_track_reads(x->in.guest, err) || cmd_analyse(x->env, &x->in, err) ? -1 : 0;
}

static int check_input(const struct exporter *x, struct err *err)
{
	const struct ckpt_info *info = x->in.info;

	if (info->pte_unit == CKPT_PTE_MFN)
		return err_set(err, ERR_UNSUPPORTED,
			"%s: its page tables name machine frames, of which crash and drgn know "
			"nothing",
			x->in.name);
	if (info->word_bytes && info->word_bytes != 8)
		return err_set(
			err, ERR_UNSUPPORTED, "%s: export is for guests of 64 bits", x->in.name);
	return 0;
}

static int confine_export(struct exporter *x, struct err *err)
{
	struct door_passes passes = {0};

	door_pass_add(&passes, x->in_path, DOOR_READ);
	door_pass_add(&passes, x->out_path, DOOR_OUTPUT);
	return cmd_confine(x->env, NULL, &passes, err);
}

static int run_export(struct exporter *x, struct err *err)
{
	if (confine_export(x, err) || cmd_open(x->env, x->in_path, &x->in, err) ||
		check_input(x, err))
		return -1;
	x->core.memory = x->in.memory;
	if (x->reduced && find_reduced(x, err))
		return -1;
	if (add_notes(x, err) || elf_core_lay_out(&x->core, err) || write_out(x, err))
		return -1;
	cmd_note(x->env,
		"%" PRIu64 " pages and %" PRIu64 " of zeros in %zu stretches, %" PRIu64 " MiB",
		x->core.data_pages, x->core.zero_pages, x->core.nr, elf_core_bytes(&x->core) >> 20);
	return x->in.info->complete ? CMD_OK
				    : err_set(err, ERR_CORRUPT, "%s: %s", x->in.name,
					      x->in.info->incomplete_why);
}

int cmd_export(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_option options[] = {
		{.name = "reduced",
			.key = OPT_REDUCED,
			.doc = "only the pages that the analysis reads"},
		{.name = "force", .key = OPT_FORCE, .doc = "replace OUT when it exists"},
		{0},
	};
	static const struct argp_child children[] = {
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse_option,
		.args_doc = "FILE OUT",
		.doc = "Write the guest's memory as an ELF core file, which crash and drgn open; "
		       "pages of zeros are left out." CMD_HELP_STATUS,
		.children = children};
	struct exporter x = {.env = env, .out = OUTFILE_INIT};
	int rc;

	cmd_parse(&argp, argc, argv, &x);
	rc = run_export(&x, err);
	outfile_drop(&x.out);
	elf_core_fini(&x.core);
	cmd_close(&x.in);
	return rc;
}
