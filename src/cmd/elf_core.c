/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ELF64: System V ABI, chapters 4 and 5. struct elf_prstatus: Linux include/linux/elfcore.h and
 * arch/x86/include/asm/user_64.h.
 */
#include "cmd/elf_core.h"

#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* e_phnum has 16 bits, and the notes take one. */
#define MAX_STRETCHES 60000u
/* Fewer zero pages than these, between others, are not worth a stretch of their own. */
#define FEWEST_ZEROS   16u
#define PRSTATUS_BYTES 336u
#define PRSTATUS_PID   32u
#define PRSTATUS_REGS  112u
#define NR_REGS	       27u
#define HEADER_BYTES   sizeof(Elf64_Ehdr)

/* ---- notes -------------------------------------------------------------------------------- */

static int put_notes(struct elf_core *c, const void *p, size_t bytes, struct err *err)
{
	size_t padded = (size_t)num_align_up(bytes, 4);

	if (util_grow(&c->notes, &c->cap_notes, c->nr_notes + padded, 1))
		return err_nomem(err, "the notes of a core file");
	memset(c->notes + c->nr_notes, 0, padded);
	memcpy(c->notes + c->nr_notes, p, bytes);
	c->nr_notes += padded;
	return 0;
}

int elf_core_add_note(struct elf_core *c, const char *name, uint32_t type, const void *desc,
	size_t bytes, struct err *err)
{
	const Elf64_Nhdr head = {(uint32_t)strlen(name) + 1, (uint32_t)bytes, type};

	return put_notes(c, &head, sizeof(head), err) ||
			       put_notes(c, name, strlen(name) + 1, err) ||
			       put_notes(c, desc, bytes, err)
		       ? -1
		       : 0;
}

/*
 * Where the registers of struct user_regs_struct stand in a saved context; 0: not there. In that
 * order: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss fs_base
 * gs_base ds es fs gs.
 */
static const uint16_t pv64_regs[NR_REGS] = {520, 528, 536, 544, 552, 560, 568, 576, 584, 592, 600,
	608, 616, 624, 632, 0, 648, 0, 664, 672};
/* HVM save record type 2, behind 512 bytes of FPU: ax bx cx dx bp si di sp r8 to r15 ip flags. */
static const uint16_t hvm_regs[NR_REGS] = {632, 624, 616, 608, 544, 520, 600, 592, 584, 576, 512,
	528, 536, 552, 560, 0, 640, 0, 648, 568};
#define KERNEL_CS 0x10u
#define KERNEL_SS 0x18u
#define REG_CS	  17u
#define REG_SS	  20u

int elf_core_add_vcpu(struct elf_core *c, const struct ckpt_vcpu *v, struct err *err)
{
	uint8_t status[PRSTATUS_BYTES] = {0};
	const uint16_t *at = NULL;
	unsigned i;

	if (v->kind == CKPT_VCPU_PV64)
		at = pv64_regs;
	else if (v->kind == CKPT_VCPU_HVM)
		at = hvm_regs;
	for (i = 0; at && i < NR_REGS; i++)
		if (at[i] && num_range_ok(at[i], 8, v->ctx_bytes))
			memcpy(status + PRSTATUS_REGS + 8 * i, v->ctx + at[i], 8);
	num_put_le64(status + PRSTATUS_REGS + 8 * REG_CS, KERNEL_CS);
	num_put_le64(status + PRSTATUS_REGS + 8 * REG_SS, KERNEL_SS);
	num_put_le32(status + PRSTATUS_PID, v->id);
	return elf_core_add_note(c, "CORE", NT_PRSTATUS, status, sizeof(status), err);
}

/* ---- where everything goes ---------------------------------------------------------------- */

struct layout_walk {
	struct elf_core *c;
	struct elf_stretch now;
	uint64_t fewest; /* zero pages that end a stretch */
};

/* The page, where it is to be in the file. */
static const uint8_t *page_of(const struct elf_core *c, uint64_t pfn)
{
	struct memory_page page;

	if (c->wanted && !c->wanted(c->arg, PFN(pfn)))
		return NULL;
	page = memory_page(c->memory, PFN(pfn));
	return page.state == MEMORY_DATA && !memory_is_removed(page.data) ? page.data : NULL;
}

static int close_stretch(struct layout_walk *w, struct err *err)
{
	struct elf_core *c = w->c;

	if (!w->now.nr_data && !w->now.nr_zero)
		return 0;
	if (util_grow(&c->v, &c->cap, c->nr + 1, sizeof(*c->v)))
		return err_nomem(err, "the layout of a core file");
	c->v[c->nr++] = w->now;
	c->data_pages += w->now.nr_data;
	c->zero_pages += w->now.nr_zero;
	w->now = (struct elf_stretch){0};
	return 0;
}

static int put_page(struct layout_walk *w, uint64_t pfn, bool zero, struct err *err)
{
	struct elf_stretch *s = &w->now;

	if (s->pfn + s->nr_data + s->nr_zero != pfn || (!zero && s->nr_zero >= w->fewest)) {
		if (close_stretch(w, err))
			return -1;
		s->pfn = pfn;
	}
	if (zero) {
		s->nr_zero++;
	} else {
		s->nr_data += s->nr_zero + 1;
		s->nr_zero = 0;
	}
	return 0;
}

static int find_stretches(struct elf_core *c, uint64_t fewest, struct err *err)
{
	struct layout_walk w = {.c = c, .fewest = fewest};
	struct memory_run run;
	uint64_t from = 0, i;

	c->nr = 0;
	c->data_pages = c->zero_pages = 0;
	for (; memory_next_run(c->memory, PFN(from), &run); from = run.pfn + run.nr)
		for (i = 0; i < run.nr; i++) {
			const uint8_t *page = page_of(c, run.pfn + i);

			if (page && put_page(&w, run.pfn + i, util_is_zero(page, PAGE_BYTES), err))
				return -1;
		}
	return close_stretch(&w, err);
}

/* The part of a stretch that is the kernel's image; false: none is. */
static bool in_image(const struct elf_core *c, const struct elf_stretch *s, struct elf_stretch *ret)
{
	uint64_t all = s->nr_data + s->nr_zero, skip, end, data_skip, data_end;

	if (s->pfn >= c->image_pfn + c->nr_image || s->pfn + all <= c->image_pfn)
		return false;
	skip = c->image_pfn > s->pfn ? c->image_pfn - s->pfn : 0;
	end = MIN(all, c->image_pfn + c->nr_image - s->pfn);
	data_skip = MIN(skip, s->nr_data);
	data_end = MIN(end, s->nr_data);
	*ret = (struct elf_stretch){.pfn = s->pfn + skip,
		.nr_data = data_end - data_skip,
		.off = s->off + data_skip * PAGE_BYTES};
	ret->nr_zero = end - skip - ret->nr_data;
	return true;
}

/* The notes, the stretches, and again what of them is the image. */
static size_t nr_headers(const struct elf_core *c)
{
	size_t nr = c->nr + 1, i;
	struct elf_stretch part;

	for (i = 0; i < c->nr; i++)
		nr += in_image(c, &c->v[i], &part);
	return nr;
}

static uint64_t headers_bytes(const struct elf_core *c)
{
	return HEADER_BYTES + nr_headers(c) * sizeof(Elf64_Phdr);
}

int elf_core_lay_out(struct elf_core *c, struct err *err)
{
	uint64_t fewest, off;
	size_t i;

	for (fewest = FEWEST_ZEROS;; fewest *= 8) {
		if (find_stretches(c, fewest, err))
			return -1;
		if (nr_headers(c) <= MAX_STRETCHES)
			break;
		if (fewest > UINT32_MAX)
			return err_set(err, ERR_UNSUPPORTED,
				"its memory has %zu stretches, an ELF core file has room for %u",
				c->nr, MAX_STRETCHES);
	}
	off = num_align_up(headers_bytes(c) + c->nr_notes, PAGE_BYTES);
	for (i = 0; i < c->nr; i++) {
		c->v[i].off = off;
		off += c->v[i].nr_data * PAGE_BYTES;
	}
	return 0;
}

uint64_t elf_core_bytes(const struct elf_core *c)
{
	return num_align_up(headers_bytes(c) + c->nr_notes, PAGE_BYTES) +
	       c->data_pages * PAGE_BYTES;
}

/* ---- writing it --------------------------------------------------------------------------- */

static void fill_header(const struct elf_core *c, Elf64_Ehdr *h)
{
	*h = (Elf64_Ehdr){
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(*h),
		.e_ehsize = sizeof(*h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)nr_headers(c),
	};
	memcpy(h->e_ident, ELFMAG, SELFMAG);
	h->e_ident[EI_CLASS] = ELFCLASS64;
	h->e_ident[EI_DATA] = ELFDATA2LSB;
	h->e_ident[EI_VERSION] = EV_CURRENT;
}

static Elf64_Phdr load_of(const struct elf_stretch *s, uint64_t va)
{
	uint64_t at = s->pfn * PAGE_BYTES;

	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = s->off,
		.p_vaddr = va,
		.p_paddr = at,
		.p_filesz = s->nr_data * PAGE_BYTES,
		.p_memsz = (s->nr_data + s->nr_zero) * PAGE_BYTES,
		.p_align = PAGE_BYTES,
	};
}

static int write_headers(const struct elf_core *c, elf_core_put_fn *put, void *arg, struct err *err)
{
	uint64_t bytes = headers_bytes(c);
	uint64_t padded = num_align_up(bytes + c->nr_notes, PAGE_BYTES);
	CLEANUP_FREE uint8_t *all = calloc(1, (size_t)padded);
	Elf64_Phdr p = {.p_type = PT_NOTE, .p_offset = bytes, .p_filesz = c->nr_notes};
	size_t i, at = HEADER_BYTES + sizeof(p);
	Elf64_Ehdr h;

	if (!all)
		return err_nomem(err, "the headers of a core file");
	fill_header(c, &h);
	memcpy(all, &h, sizeof(h));
	memcpy(all + HEADER_BYTES, &p, sizeof(p));
	for (i = 0; i < c->nr; i++) {
		struct elf_stretch part;

		p = load_of(&c->v[i], c->direct_map ? c->direct_map + c->v[i].pfn * PAGE_BYTES : 0);
		memcpy(all + at, &p, sizeof(p));
		at += sizeof(p);
		if (!in_image(c, &c->v[i], &part))
			continue;
		p = load_of(&part, c->image_va + (part.pfn - c->image_pfn) * PAGE_BYTES);
		memcpy(all + at, &p, sizeof(p));
		at += sizeof(p);
	}
	if (c->nr_notes)
		memcpy(all + bytes, c->notes, c->nr_notes);
	return put(arg, 0, all, (size_t)padded, err);
}

static int write_page(const struct elf_core *c, uint64_t pfn, uint64_t off, elf_core_put_fn *put,
	void *arg, struct err *err)
{
	const uint8_t *page = page_of(c, pfn);

	if (!page)
		return err_set(
			err, ERR_SYSTEM, "page 0x%" PRIx64 " changed while it was copied", pfn);
	return put(arg, off, page, PAGE_BYTES, err);
}

int elf_core_write(const struct elf_core *c, elf_core_put_fn *put, void *arg, struct err *err)
{
	uint64_t k;
	size_t i;

	if (write_headers(c, put, arg, err))
		return -1;
	for (i = 0; i < c->nr; i++)
		for (k = 0; k < c->v[i].nr_data; k++)
			if (write_page(c, c->v[i].pfn + k, c->v[i].off + k * PAGE_BYTES, put, arg,
				    err))
				return -1;
	return 0;
}

void elf_core_fini(struct elf_core *c)
{
	free(c->notes);
	free(c->v);
	*c = (struct elf_core){0};
}
