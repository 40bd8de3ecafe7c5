/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_who.c - damage what tells who asked for requests, and which blocks a guest remembers.
 *
 * A real checkpoint (tests/fixtures/linux-6.1-ext4) is opened once: its symbols, types and
 * requests. Input: edits {u16 page, u16 word, u8 what, u16 value}, in the pages that only these two
 * walks read. `what`: 0 the value, 1 the address of word `value` of the same page, 2 that of the
 * first word of page `value`, 3 the word there: so lists go in circles and structures stand in for
 * others. A byte behind them chooses what is walked: walk().
 */
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/frontend.h"
#include "frontend/linux/who.h"
#include "kernel/linux_witness.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BYTES  (64u << 20)
#define EDIT	   7u
#define EVERYTHING 255u
#define MAX_EDITS  64u

struct place {
	uint64_t off; /* in the file */
	uint64_t va;  /* in the direct map */
};

static struct world {
	uint8_t *bytes, *good;
	size_t nr;
	struct ckpt *ck;
	struct guest *g;
	struct snapshot snap;
	struct linux_kernel k;
	struct place *places;
	size_t nr_places;
} w;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- what no edit changes ------------------------------------------------------------------ */

/*
 * Each walk asks anew for the kernel's types and symbols, which takes a third of its time. Nothing
 * is edited that these are read from, so that the answers of the first time stand: the linker leads
 * these calls here (see the Makefile).
 */
#define MAX_ANSWERS 512u

struct answer {
	const void *from;
	const char *name;
	int rc;
	int64_t value;
	gva_t address;
};

struct filled {
	const struct field_spec *spec;
	struct field *fields;
};

static struct answer enumerators[MAX_ANSWERS], addresses[MAX_ANSWERS];
static struct filled filled[MAX_ANSWERS];

int __real_layout_enum_value(
	const struct layout *l, const char *name, int64_t *ret, struct err *err);
int __wrap_layout_enum_value(
	const struct layout *l, const char *name, int64_t *ret, struct err *err);
int __real_symbols_get(const struct symbols *s, const char *name, gva_t *ret, struct err *err);
int __wrap_symbols_get(const struct symbols *s, const char *name, gva_t *ret, struct err *err);
void __real_layout_fill_known(
	const struct layout *l, const struct field_spec *spec, size_t nr, void *dest);
void __wrap_layout_fill_known(
	const struct layout *l, const struct field_spec *spec, size_t nr, void *dest);

/* An empty one where it was not asked for yet. */
static struct answer *find_answer(struct answer *v, const void *from, const char *name)
{
	while (v->name && (v->from != from || strcmp(v->name, name)))
		v++;
	return v;
}

static void put_answer(struct answer *a, const void *from, const char *name)
{
	a->from = from;
	a->name = strdup(name);
	must(a->name);
}

/* The types of a module are read and freed in each walk. */
int __wrap_layout_enum_value(
	const struct layout *l, const char *name, int64_t *ret, struct err *err)
{
	struct answer *a;

	if (l != w.k.types)
		return __real_layout_enum_value(l, name, ret, err);
	a = find_answer(enumerators, l, name);
	if (!a->name) {
		a->rc = __real_layout_enum_value(l, name, &a->value, NULL);
		put_answer(a, l, name);
	}
	*ret = a->value;
	return a->rc ? err_set(err, ERR_NOTFOUND, "%s", name) : 0;
}

int __wrap_symbols_get(const struct symbols *s, const char *name, gva_t *ret, struct err *err)
{
	struct answer *a;

	if (s != w.k.symbols)
		return __real_symbols_get(s, name, ret, err);
	a = find_answer(addresses, s, name);
	if (!a->name) {
		a->rc = __real_symbols_get(s, name, &a->address, NULL);
		put_answer(a, s, name);
	}
	*ret = a->address;
	return a->rc ? err_set(err, ERR_NOTFOUND, "%s", name) : 0;
}

void __wrap_layout_fill_known(
	const struct layout *l, const struct field_spec *spec, size_t nr, void *dest)
{
	struct filled *f = filled;
	size_t i;

	if (l != w.k.types) {
		__real_layout_fill_known(l, spec, nr, dest);
		return;
	}
	while (f->spec && f->spec != spec)
		f++;
	if (!f->spec) {
		__real_layout_fill_known(l, spec, nr, dest);
		f->fields = calloc(nr, sizeof(*f->fields));
		must(f->fields);
		for (i = 0; i < nr; i++)
			memcpy(&f->fields[i], (uint8_t *)dest + spec[i].dest, sizeof(struct field));
		f->spec = spec;
	}
	for (i = 0; i < nr; i++)
		memcpy((uint8_t *)dest + spec[i].dest, &f->fields[i], sizeof(struct field));
}

/* ---- the guest ----------------------------------------------------------------------------- */

static void load(void)
{
	const char *top = getenv("SRCDIR");
	char cmd[2048];
	size_t got;
	FILE *f;

	/* tests/fuzz/run.sh goes to its own folder. */
	snprintf(cmd, sizeof(cmd),
		"cd '%s' && python3 tests/tools/shrink.py "
		"tests/fixtures/linux-6.1-ext4",
		top ? top : "../..");
	f = popen(cmd, "r");
	must(f);
	w.bytes = malloc(MAX_BYTES);
	must(w.bytes);
	while ((got = fread(w.bytes + w.nr, 1, MAX_BYTES - w.nr, f)) > 0)
		w.nr += got;
	must(!pclose(f) && w.nr && w.nr < MAX_BYTES);
	w.good = malloc(w.nr);
	must(w.good);
	memcpy(w.good, w.bytes, w.nr);
}

static void forget_who(void)
{
	size_t i, k, n;

	for (i = 0; i < w.snap.nr_devices; i++) {
		struct blkdev *d = &w.snap.devices[i];

		for (k = 0; k < d->nr_requests + d->nr_queued; k++) {
			struct io_request *r = k < d->nr_requests ? &d->requests[k]
								  : &d->queued[k - d->nr_requests];

			for (n = 0; n < r->nr_who; n++)
				who_fini(&r->who[n]);
			free(r->who);
			r->who = NULL;
			r->nr_who = 0;
		}
	}
}

/* What both walks promise, whatever the memory holds. */
static void check_request(const struct io_request *r)
{
	size_t i, k;

	must(r->nr_who > 0);
	for (i = 0; i < r->nr_who; i++) {
		const struct who *n = &r->who[i];

		must(n->kind < WHO_NR_KINDS && who_kind_name(n->kind));
		must(n->kind != WHO_UNKNOWN || n->lost);
		must(strlen(n->comm) < sizeof(n->comm) && strlen(n->fs) < sizeof(n->fs));
		must(!n->path || strlen(n->path) < 8192);
		for (k = 0; k < n->nr_layers; k++)
			must(strlen(n->layers[k].name) < sizeof(n->layers[k].name));
	}
}

static void walk_requests(struct snapshot *snap)
{
	size_t i, k;

	must(!linux_note_who(&w.k, snap, NULL));
	for (i = 0; i < snap->nr_devices; i++) {
		for (k = 0; k < snap->devices[i].nr_requests; k++)
			check_request(&snap->devices[i].requests[k]);
		for (k = 0; k < snap->devices[i].nr_queued; k++)
			check_request(&snap->devices[i].queued[k]);
	}
	forget_who();
}

/* Of the device that has any, `nr` from the one at `from` on. */
static void walk_some_requests(size_t from, size_t nr)
{
	struct snapshot some = {.nr_devices = 1};
	struct blkdev dev;
	size_t i = 0;

	while (!w.snap.devices[i].nr_requests)
		i++;
	dev = w.snap.devices[i];
	some.devices = &dev;
	dev.nr_queued = 0;
	from %= dev.nr_requests;
	dev.requests += from;
	dev.nr_requests = MIN(nr, dev.nr_requests - from);
	walk_requests(&some);
}

static void walk_caches(void)
{
	const struct linux_witness_options opt = {UINT64_MAX, 0};
	const char *const disks[] = {"xvda", "xvdb"};
	struct witness_list found[2] = {{0}, {0}};
	size_t i, k;

	must(!linux_witness_read(&w.k, disks, 2, &opt, found, NULL));
	for (i = 0; i < 2; i++) {
		for (k = 0; k < found[i].nr; k++)
			must(found[i].v[k].bytes && num_range_ok(found[i].v[k].offset,
							    found[i].v[k].bytes, PAGE_BYTES));
		witness_list_fini(&found[i]);
	}
}

/* Most requests have the same structures behind them: four of them, seldom everything. */
static void walk(unsigned which)
{
	if (which == EVERYTHING) {
		walk_caches();
		walk_requests(&w.snap);
	} else if (which % 4 == 1) {
		walk_caches();
	} else {
		walk_some_requests(which / 4, 4);
	}
}

/* Pages that these walks read, and nothing else. */
static void find_places(void)
{
	const struct frontend_options plain = {.locate = FRONTEND_LOCATE_SYMBOLS};
	uint64_t pfn, nr = ckpt_info(w.ck)->nr_pfns, base = 0;
	struct err err = ERR_INIT;
	struct guest *other;
	gva_t var;

	must(!guest_open(memory_of_ckpt(w.ck), &other, &err) && !guest_track_reads(other, &err) &&
		!frontend_analyse(other, &plain, &w.snap, &err));
	must(!guest_track_reads(w.g, &err));
	walk(EVERYTHING);
	must(!symbols_get(w.k.symbols, "page_offset_base", &var, &err) &&
		!guest_read_u64(w.g, var, &base, &err));
	w.places = calloc(nr, sizeof(*w.places));
	must(w.places);
	for (pfn = 0; pfn < nr; pfn++) {
		struct ckpt_page page = ckpt_page(w.ck, PFN(pfn));

		if (guest_was_read(w.g, PFN(pfn)) && !guest_was_read(other, PFN(pfn)) &&
			page.kind == CKPT_PAGE_DATA && !ckpt_type_level(page.type))
			w.places[w.nr_places++] = (struct place){page.off, base + pfn * PAGE_BYTES};
	}
	guest_close(other);
	must(w.nr_places > 20);
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	struct err err = ERR_INIT;
	struct source *src;

	load();
	must(!source_from_memory(w.bytes, w.nr, "fuzz", &src, &err) &&
		!ckpt_open_source(src, &w.ck, &err) &&
		!guest_open(memory_of_ckpt(w.ck), &w.g, &err) &&
		!linux_kernel_open(w.g, NULL, &w.k, &err));
	find_places();
	return 0;
}

static void edit(const uint8_t *e)
{
	const struct place *p = &w.places[num_le16(e) % w.nr_places];
	uint64_t word = num_le16(e + 2) % 512 * 8, value = num_le16(e + 5);
	const struct place *q = &w.places[value % w.nr_places];

	if (e[4] % 4 == 1)
		value = p->va + value % 512 * 8;
	else if (e[4] % 4 == 2)
		value = q->va;
	else if (e[4] % 4 == 3)
		value = num_le64(w.good + q->off + word);
	num_put_le64(w.bytes + p->off + word, value);
}

static void undo(const uint8_t *e)
{
	const struct place *p = &w.places[num_le16(e) % w.nr_places];

	memcpy(w.bytes + p->off, w.good + p->off, PAGE_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t i, nr = MIN(size / EDIT, (size_t)MAX_EDITS);

	for (i = 0; i < nr; i++)
		edit(data + i * EDIT);
	walk(size % EDIT ? data[size - 1] : 0);
	for (i = 0; i < nr; i++)
		undo(data + i * EDIT);
	return 0;
}
