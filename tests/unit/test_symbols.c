/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Symbols, types and the p2m of real guests, against what the guests and dom0 said themselves.
 */
#include "real.h"

#include <inttypes.h>

#include "base/num.h"
#include "guest/layout.h"
#include "guest/p2m.h"
#include "guest/symbols.h"

static struct symbols *kallsyms(struct guest *g)
{
	struct symbols *s = NULL;
	struct err err;

	if (symbols_from_kallsyms(g, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

/* Names that stand often in a kernel: static functions of drivers. */
#define MAX_NAMESAKES 2048

static bool has_symbol(const struct symbols *s, const char *name, uint64_t addr, char type)
{
	struct symbol found[MAX_NAMESAKES];
	size_t i, nr = symbols_lookup(s, name, found, MAX_NAMESAKES);

	assert_true(nr <= MAX_NAMESAKES);
	for (i = 0; i < nr; i++)
		if (found[i].addr.v == addr && found[i].type == type)
			return true;
	return false;
}

/* What stands at an address has a name, which leads back to it. */
static void at_leads_back(const struct symbols *s, uint64_t addr)
{
	struct symbol found[MAX_NAMESAKES];
	char name[600];
	size_t i, nr;

	assert_true(symbols_at(s, GVA(addr), name, sizeof(name)));
	nr = symbols_lookup(s, name, found, MAX_NAMESAKES);
	for (i = 0; i < nr && found[i].addr.v != addr; i++)
		;
	if (i == nr)
		fail_msg("%s is not at 0x%" PRIx64, name, addr);
}

/* /proc/kallsyms of the guest lists the same symbols; modules' lines follow. */
static void kallsyms_equal_the_guests_own(void **state UNUSED)
{
	struct ckpt *ck;
	struct guest *g = real_open("linux-6.1-base", &ck);
	FILE *f = real_truth("linux-6.1-base", "guest-kallsyms.xz");
	struct symbols *s = kallsyms(g);
	char none[8];
	struct err err;
	gva_t addr;
	size_t i;

	assert_int_equal(symbols_nr(s), 87347);
	for (i = 0; i < symbols_nr(s); i++) {
		uint64_t at;
		char type, name[600];

		assert_int_equal(fscanf(f, "%" SCNx64 " %c %599s%*[^\n]", &at, &type, name), 3);
		if (!has_symbol(s, name, at, type))
			fail_msg("%s is not at 0x%" PRIx64, name, at);
		if (i % 16 == 0)
			at_leads_back(s, at);
	}
	assert_false(symbols_at(s, GVA(UINT64_MAX), none, sizeof(none)));
	assert_int_equal(symbols_get(s, "xen_hypercall_pv", &addr, &err), 0);
	assert_true(addr.v + 5 == ckpt_vcpu(ck, 0)->ip);
	pclose(f);
	symbols_free(s);
	real_close(g, ck);
}

static void kallsyms_of(const char *image, size_t nr, uint64_t text)
{
	struct ckpt *ck;
	struct guest *g = real_open(image, &ck);
	struct symbols *s = kallsyms(g);
	gva_t addr, end;
	struct err err;

	if (nr)
		assert_int_equal(symbols_nr(s), nr);
	assert_int_equal(symbols_get(s, "_text", &addr, &err), 0);
	if (text)
		assert_true(addr.v == text);
	else
		assert_true(addr.v != 0xffffffff81000000ull && addr.v > 0xffffffff80000000ull);
	assert_int_equal(symbols_get(s, "__start_BTF", &addr, &err), 0);
	assert_int_equal(symbols_get(s, "__stop_BTF", &end, &err), 0);
	assert_true(end.v > addr.v);
	assert_int_equal(symbols_get(s, "no such symbol", &addr, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	symbols_free(s);
	real_close(g, ck);
}

static void kallsyms_of_other_guests(void **state UNUSED)
{
	kallsyms_of("linux-6.12-discard", 154649, 0xffffffff81000000ull);
	kallsyms_of("linux-6.1-pvh", 87347, 0xffffffff81000000ull);
	kallsyms_of("linux-6.1-hvm", 0, 0); /* randomised */
}

static void types_by_name(void **state UNUSED)
{
	static const struct want {
		const char *type, *member;
		uint32_t off;
	} want[] = {
		/* Read from the same kernel by another reader. */
		{"request", "__sector", 48}, {"request", "__data_len", 44}, {"request", "bio", 56},
		{"request", "mq_hctx", 16}, {"module", "name", 24},
		{"module", "btf_data_size", 680}, {"module", "core_layout.base", 320},
		{"gendisk", "disk_name", 12}, {"timekeeper", "tkr_mono.base", 40},
		{"scatterlist", "length", 12},
		{"page", "mapping", 24}, /* inside anonymous members */
	};
	struct ckpt *ck;
	struct guest *g = real_open("linux-6.1-base", &ck);
	struct symbols *s = kallsyms(g);
	struct layout *l = NULL;
	gva_t start, stop;
	uint32_t bytes;
	int64_t value;
	struct err err;
	size_t i;

	assert_int_equal(symbols_get(s, "__start_BTF", &start, &err), 0);
	assert_int_equal(symbols_get(s, "__stop_BTF", &stop, &err), 0);
	if (layout_from_btf(g, start, stop.v - start.v, &l, &err))
		fail_msg("%s", err.text);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		struct field f;
		struct field_spec spec = {want[i].type, want[i].member, 0, true};

		if (layout_fill(l, &spec, 1, &f, &err))
			fail_msg("%s", err.text);
		assert_int_equal(f.off, want[i].off);
	}
	assert_int_equal(layout_type_bytes(l, "page", &bytes, &err), 0);
	assert_int_equal(bytes, 64);
	assert_int_equal(layout_type_bytes(l, "no_such_type", &bytes, &err), -1);
	assert_int_equal(layout_enum_value(l, "MQ_RQ_IN_FLIGHT", &value, &err), 0);
	assert_int_equal(value, 1);
	layout_free(l);
	symbols_free(s);
	real_close(g, ck);
}

/* Every frame as dom0 saw it; those without a frame there have none here either. */
static void p2m_of(const char *image)
{
	struct ckpt *ck;
	struct guest *g = real_open(image, &ck);
	FILE *truth = real_truth(image, "source-p2m.bin.xz");
	struct p2m *p = NULL;
	uint64_t pfn, valid = 0;
	uint8_t b[8];
	struct err err;

	if (p2m_from_guest(g, &p, &err))
		fail_msg("%s: %s", image, err.text);
	for (pfn = 0; fread(b, 8, 1, truth); pfn++) {
		mfn_t mfn = {0};
		pfn_t back;

		if (num_le64(b) == UINT64_MAX) {
			assert_int_equal(p2m_lookup(p, PFN(pfn), &mfn), P2M_NONE);
			continue;
		}
		valid++;
		assert_int_equal(p2m_lookup(p, PFN(pfn), &mfn), P2M_VALID);
		assert_true(mfn.v == num_le64(b));
		assert_int_equal(p2m_reverse(p, mfn, &back), P2M_VALID);
		assert_true(back.v == pfn);
	}
	assert_int_equal(pfn, p2m_nr(p));
	assert_true(valid > pfn * 9 / 10);
	assert_int_equal(p2m_reverse(p, MFN(1), &(pfn_t){0}), P2M_NONE);
	pclose(truth);
	p2m_free(p);
	real_close(g, ck);
}

static void p2m_equals_dom0s(void **state UNUSED)
{
	p2m_of("linux-6.1-base");
	p2m_of("linux-6.1-nopersist");
	p2m_of("linux-6.1-indirect");
	p2m_of("linux-6.1-mq");
	p2m_of("linux-6.1-flush");
	p2m_of("linux-6.1-ext4");
	p2m_of("linux-6.12-discard");
}

/* A frame that two pfns claim has no known owner. */
static void p2m_of_an_array(void **state UNUSED)
{
	uint64_t *v = malloc(5 * sizeof(*v));
	struct p2m *p = NULL;
	struct err err;
	mfn_t mfn;
	pfn_t pfn;

	v[0] = 7;
	v[1] = UINT64_MAX;
	v[2] = 9;
	v[3] = 7;
	v[4] = 1ull << 62 | 4; /* identity */
	assert_int_equal(p2m_from_array(v, 5, &p, &err), 0);
	assert_int_equal(p2m_lookup(p, PFN(2), &mfn), P2M_VALID);
	assert_true(mfn.v == 9);
	assert_int_equal(p2m_lookup(p, PFN(1), &mfn), P2M_NONE);
	assert_int_equal(p2m_lookup(p, PFN(4), &mfn), P2M_NONE);
	assert_int_equal(p2m_lookup(p, PFN(5), &mfn), P2M_UNKNOWN);
	assert_int_equal(p2m_reverse(p, MFN(9), &pfn), P2M_VALID);
	assert_true(pfn.v == 2);
	assert_int_equal(p2m_reverse(p, MFN(7), &pfn), P2M_UNKNOWN);
	assert_int_equal(p2m_reverse(p, MFN(8), &pfn), P2M_NONE);
	p2m_free(p);
}

static void ambiguous_symbols_are_refused(void **state UNUSED)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	struct symbol found[4];
	struct symbols *s;
	char path[4096];
	gva_t addr;
	struct err err;

	if (!cache)
		skip();
	snprintf(path, sizeof(path), "%s/xen2-netbsd/netbsd.syms", cache);
	if (symbols_from_file(path, &s, &err))
		fail_msg("%s", err.text);
	assert_int_equal(symbols_get(s, "rec_ring", &addr, &err), 0);
	assert_true(addr.v >= 0xc0000000u && addr.v <= 0xffffffffu);
	assert_int_equal(symbols_lookup(s, "state", found, 4), 3);
	assert_int_equal(symbols_get(s, "state", &addr, &err), -1);
	symbols_free(s);
	assert_int_equal(symbols_from_file("/dev/null", &s, &err), -1);
	assert_int_equal(symbols_from_file("/nonexistent", &s, &err), -1);
	assert_int_equal(err.cls, ERR_SYSTEM);
}

static void reads_system_map(void **state UNUSED)
{
	char path[] = "/tmp/xbdsnap-map-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct symbols *s;
	gva_t addr;
	struct err err;

	fputs("ffffffff81000000 T _text\nffffffffc0001000 d info_list\t[xen_blkfront]\n", f);
	fclose(f);
	if (symbols_from_file(path, &s, &err))
		fail_msg("%s", err.text);
	assert_int_equal(symbols_nr(s), 2);
	assert_int_equal(symbols_get(s, "info_list", &addr, &err), 0);
	assert_true(addr.v == 0xffffffffc0001000ull);
	symbols_free(s);
	f = fopen(path, "w");
	fputs("ffffffff81000000 T _text\nnonsense\n", f);
	fclose(f);
	assert_int_equal(symbols_from_file(path, &s, &err), -1);
	assert_int_equal(err.cls, ERR_CORRUPT);
	remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kallsyms_equal_the_guests_own),
		cmocka_unit_test(kallsyms_of_other_guests),
		cmocka_unit_test(types_by_name),
		cmocka_unit_test(p2m_equals_dom0s),
		cmocka_unit_test(p2m_of_an_array),
		cmocka_unit_test(ambiguous_symbols_are_refused),
		cmocka_unit_test(reads_system_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
