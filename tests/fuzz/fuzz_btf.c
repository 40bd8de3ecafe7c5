/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_btf.c - any bytes as the type information of a kernel, and of a module on top of it.
 *
 * Input: u32 number of bytes of the kernel's blob, little-endian; that blob; the module's. Both
 * stand in the memory of a guest without paging.
 */
#include <stdio.h>

#include "guest/layout.h"

#define HG_PAGES 16u
#include "../unit/hvm_guest.h"

#define AT 0x1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct layout *l)
{
	static const struct field_spec spec[] = {
		{"outer", "first", 0, false},
		{"outer", "bits", sizeof(struct field), false},
		{"outer", "y.b", 2 * sizeof(struct field), false},
		{"outer", "deep.b", 3 * sizeof(struct field), false},
		{"nest", "last", 4 * sizeof(struct field), false},
		{"added", "far.deep.a", 5 * sizeof(struct field), false},
	};
	struct field f[ARRAY_SIZE(spec)];
	uint32_t bytes;
	int64_t value;
	struct err err;
	size_t i;

	if (layout_fill(l, spec, ARRAY_SIZE(spec), f, &err))
		abort();
	for (i = 0; i < ARRAY_SIZE(f); i++)
		if (f[i].bit_off > 7 || (!f[i].present && (f[i].off || f[i].bytes)))
			abort();
	if (layout_type_bytes(l, "outer", &bytes, &err) && err.cls != ERR_NOTFOUND)
		abort();
	if (layout_enum_value(l, "E_NEG", &value, &err) && err.cls != ERR_NOTFOUND)
		abort();
}

static void try_blobs(struct guest *g, size_t base_bytes, size_t bytes)
{
	struct layout *base = NULL, *split = NULL;
	struct err err;

	if (layout_from_btf(g, GVA(AT), base_bytes, &base, &err))
		return;
	ask(base);
	if (!layout_from_split_btf(
		    g, base, GVA(AT + base_bytes), bytes - base_bytes, &split, &err)) {
		ask(split);
		layout_free(split);
	}
	layout_free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hguest h;
	struct guest *g = NULL;
	struct source *src;
	struct ckpt *ck;
	uint32_t base_bytes;
	struct err err;

	if (size < 4 || size - 4 > sizeof(h.mem) - AT)
		return 0;
	memcpy(&base_bytes, data, 4);
	size -= 4;
	if (base_bytes > size)
		return 0;
	hg_init(&h, 0, 0);
	memcpy(&h.mem[0][0] + AT, data + 4, size);
	if (source_from_memory(h.stream, hg_stream(&h), "fuzz", &src, &err) ||
		ckpt_open_source(src, &ck, &err))
		abort();
	if (guest_open(memory_of_ckpt(ck), &g, &err))
		abort();
	try_blobs(g, base_bytes, size);
	guest_close(g);
	ckpt_close(ck);
	return 0;
}
