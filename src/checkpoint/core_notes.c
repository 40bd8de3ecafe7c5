/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/core_notes.h"

#include <inttypes.h>
#include <string.h>

#define MAX_NOTES (4 * CKPT_MAX_VCPUS)

/* QEMUCPUState, 64 bits: u32 version, u32 size, rax rbx rcx rdx rsi rdi rsp rbp r8..r15 rip rflags,
 * ten segments of 24 bytes, cr0..cr4, kernel_gs_base (since version 1's 440 bytes). */
#define QEMU_RDX       32
#define QEMU_RSI       40
#define QEMU_RSP       56
#define QEMU_RIP       136
#define QEMU_CR0       392
#define QEMU_CR3       416
#define QEMU_CR4       424
#define QEMU_MIN_BYTES 432u
#define QEMU_TYPE      0u
#define QEMU_VERSION   1u

#define CR0_PG	 (1u << 31)
#define CR4_PAE	 (1u << 5)
#define CR4_LA57 (1u << 12)

/* __START_KERNEL_map of 64 bits, PAGE_OFFSET of 32: the kernel's image, whose tables these are. */
#define KERNEL_MAP_64 UINT64_C(0xffffffff80000000)
#define KERNEL_MAP_32 UINT64_C(0xc0000000)

int core_notes_walk(
	const uint8_t *buf, size_t len, uint64_t off, core_note_fn *fn, void *arg, struct err *err)
{
	struct cursor c = cur_over(buf, len, off, "notes");
	unsigned nr;

	for (nr = 0; nr < MAX_NOTES && cur_left(&c); nr++) {
		struct core_note n = {.name_len = cur_u32(&c), .desc_len = cur_u32(&c)};

		n.type = cur_u32(&c);
		n.name = cur_bytes(&c, num_align_up(n.name_len, 4));
		n.off = cur_tell(&c);
		n.desc = cur_bytes(&c, num_align_up(n.desc_len, 4));
		if (!n.desc)
			break;
		if (fn(arg, &n, err))
			return -1;
	}
	return 0;
}

/* Its length counts the NUL, or does not. */
bool core_note_is_named(const struct core_note *note, const char *name)
{
	size_t n = strlen(name);

	return note->name_len >= n && !memcmp(note->name, name, n) &&
	       (note->name_len == n || !note->name[n]);
}

struct reading {
	struct ckpt *ck;
	struct core_notes *notes;
};

static int read_qemu(struct reading *r, const struct core_note *note, struct err *err)
{
	const uint8_t *desc = note->desc;
	struct ckpt_vcpu *v;

	if (note->type != QEMU_TYPE || note->desc_len < QEMU_MIN_BYTES ||
		num_le32(desc) != QEMU_VERSION)
		return 0;
	v = ckpt_new_vcpu(r->ck, r->notes->nr_qemu, err);
	if (!v)
		return -1;
	v->ctx = desc;
	v->ctx_bytes = note->desc_len;
	v->ctx_off = note->off;
	v->cr0 = num_le64(desc + QEMU_CR0);
	v->cr3 = num_le64(desc + QEMU_CR3);
	v->cr4 = num_le64(desc + QEMU_CR4);
	v->ip = num_le64(desc + QEMU_RIP);
	v->sp = num_le64(desc + QEMU_RSP);
	v->dx = num_le64(desc + QEMU_RDX);
	v->si = num_le64(desc + QEMU_RSI);
	hvm_context_from_core(v);
	r->notes->nr_qemu++;
	return 0;
}

static int read_note(void *arg, const struct core_note *note, struct err *err)
{
	struct reading *r = arg;

	if (core_note_is_named(note, "QEMU"))
		return read_qemu(r, note, err);
	r->notes->of_host |= core_note_is_named(note, "Xen");
	if (core_note_is_named(note, "VMCOREINFO")) {
		r->notes->kernel = (const char *)note->desc;
		r->notes->kernel_bytes = note->desc_len;
	}
	return 0;
}

int core_notes_read(struct ckpt *ck, const uint8_t *buf, size_t len, uint64_t off,
	struct core_notes *ret, struct err *err)
{
	struct reading r = {ck, ret};

	return core_notes_walk(buf, len, off, read_note, &r, err);
}

/* The value of a line "KEY=value", NULL: there is none. */
static const char *kernel_line(const struct core_notes *n, const char *key, size_t *ret_len)
{
	const char *at = n->kernel, *end = n->kernel + n->kernel_bytes;
	size_t len = strlen(key);

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		stop = stop ? stop : end;
		if ((size_t)(stop - at) > len && !memcmp(at, key, len) && at[len] == '=') {
			*ret_len = (size_t)(stop - at) - len - 1;
			return at + len + 1;
		}
		at = stop + 1;
	}
	return NULL;
}

/* SYMBOL()s are hexadecimal without 0x, NUMBER()s decimal. */
static bool kernel_number(const struct core_notes *n, const char *key, int base, uint64_t *ret)
{
	char text[24], *end;
	size_t len;
	const char *at = kernel_line(n, key, &len);

	if (!at || !len || len >= sizeof(text))
		return false;
	memcpy(text, at, len);
	text[len] = '\0';
	*ret = strtoull(text, &end, base);
	return !*end;
}

/* Where the kernel's own top table stands: a vcpu that pages with it, made up. */
static int use_kernel_root(struct ckpt *ck, const struct core_notes *n, struct err *err)
{
	uint64_t table, base = 0, five = 0, list_head = 16;
	struct ckpt_vcpu *v;
	size_t len;

	if (!n->kernel || !kernel_number(n, "SYMBOL(swapper_pg_dir)", 16, &table))
		return 0;
	(void)kernel_number(n, "NUMBER(phys_base)", 10, &base);
	(void)kernel_number(n, "NUMBER(pgtable_l5_enabled)", 10, &five);
	(void)kernel_number(n, "SIZE(list_head)", 10, &list_head);
	v = ckpt_new_vcpu(ck, 0, err);
	if (!v)
		return -1;
	v->ctx = (const uint8_t *)n->kernel;
	v->ctx_bytes = n->kernel_bytes;
	v->cr0 = CR0_PG;
	v->cr3 = table + base - KERNEL_MAP_64;
	v->cr4 = CR4_PAE | (five ? CR4_LA57 : 0);
	v->ip = KERNEL_MAP_64; /* of 64 bits */
	if (list_head == 8) {
		v->cr3 = table - KERNEL_MAP_32;
		v->cr4 = kernel_line(n, "CONFIG_X86_PAE", &len) ? CR4_PAE : 0;
		v->ip = KERNEL_MAP_32;
	}
	hvm_context_from_core(v);
	return 0;
}

/* Under Xen the emulator does not run the vcpus: its own have just been reset. */
static bool has_pages(const struct ckpt *ck)
{
	return ck->state.nr_vcpus && ck->state.vcpus[0].cr0 & CR0_PG && ck->state.vcpus[0].cr3;
}

int core_notes_settle(struct ckpt *ck, const struct core_notes *notes, struct err *err)
{
	ck->info.guest_type = CKPT_GUEST_HVM;
	ck->info.suspended = false;
	ck->origin.emulator = notes->nr_qemu;
	if (notes->of_host)
		return err_set(err, ERR_UNSUPPORTED,
			"core dump of a Xen host with all its domains: recognised, not supported");
	if (!notes->nr_qemu && !notes->kernel)
		return err_set(err, ERR_UNSUPPORTED,
			"core dump with segments, but without notes of an emulator or of a Linux "
			"kernel: it is not one of a guest");
	return has_pages(ck) ? 0 : use_kernel_root(ck, notes, err);
}
