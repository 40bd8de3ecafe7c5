/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_domu.c - damage the structures of made-up guests of all kinds but Linux, and decode them.
 *
 * Input: one byte that chooses the guest, then edits {u16 place, u8 length, bytes}. A place counts
 * in words of 8 bytes through the pages in which anything stands. The guests are made once, by
 * mkdomu.py, which run.sh has beside its working directory.
 */
#include <string.h>
#include <unistd.h>

#include "check/catalogue.h"
#include "check/check.h"
#include "frontend/frontend.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const recipes[] = {
	"ring --with two --with grants --with store --with indirect",
	"ring --bits 32 --with wrapped --with disorder",
	"freebsd --with indirect --with queued",
	"freebsd --bits 32 --with old --with unmapped",
	"freebsd --with unmapped --with two",
	"netbsd --with indirect",
	"netbsd --bits 32 --with old --with disorder",
	"minios",
	"unikraft",
	"grub",
	"windows --with wrapped",
};
#define NR_RECIPES  (sizeof(recipes) / sizeof(recipes[0]))
#define MAX_IMAGE   (8u << 20)
#define FIRST_FRAME 3u /* the page tables */
#define MAX_FRAMES  256u

struct base {
	uint8_t *bytes;
	size_t size;
	uint64_t at[MAX_FRAMES]; /* of pages that hold something, in the file */
	size_t nr;
};

static struct base bases[NR_RECIPES];
static uint8_t image[MAX_IMAGE];

static void make_image(const char *recipe, struct base *b)
{
	char path[] = "/tmp/xbdsnap-fuzz-XXXXXX", cmd[512];
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");

	snprintf(cmd, sizeof(cmd), "python3 ../tools/mkdomu.py %s %s", recipe, path);
	b->bytes = malloc(MAX_IMAGE);
	if (!f || !b->bytes || system(cmd))
		abort();
	b->size = fread(b->bytes, 1, MAX_IMAGE, f);
	fclose(f);
	unlink(path);
}

static bool is_empty(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE_BYTES - 1);
}

static void find_pages(struct base *b)
{
	struct source *src;
	struct ckpt *ck;
	uint64_t pfn;

	if (source_from_memory(b->bytes, b->size, "made up", &src, NULL) ||
		ckpt_open_source(src, &ck, NULL))
		abort();
	for (pfn = FIRST_FRAME; pfn < ckpt_info(ck)->nr_pfns && b->nr < MAX_FRAMES; pfn++) {
		struct ckpt_page page = ckpt_page(ck, PFN(pfn));

		if (page.data && !is_empty(page.data))
			b->at[b->nr++] = page.off;
	}
	ckpt_close(ck);
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	size_t i;

	for (i = 0; i < NR_RECIPES; i++) {
		make_image(recipes[i], &bases[i]);
		find_pages(&bases[i]);
	}
	return 0;
}

static void edit(const struct base *b, const uint8_t *data, size_t size)
{
	while (size > 3) {
		size_t place = (size_t)(data[0] | data[1] << 8) % (b->nr * 512), n = data[2] % 33;
		uint64_t at = b->at[place / 512] + place % 512 * 8;

		data += 3;
		size -= 3;
		n = MIN(n, size);
		n = MIN(n, (size_t)(b->at[place / 512] + PAGE_BYTES - at));
		memcpy(image + at, data, n);
		data += n;
		size -= n;
	}
}

/* What every snapshot promises its users, and that the rules can be asked. */
static void check(const struct snapshot *s, const struct ckpt_info *info, struct memory m)
{
	const struct check_input in = {.snap = s, .info = info, .memory = m};
	struct check_result out = {0};
	size_t i, k;

	for (i = 0; i < s->nr_devices; i++)
		for (k = 0; k < s->devices[i].nr_requests; k++) {
			const struct io_request *r = &s->devices[i].requests[k];

			if (r->ring >= s->devices[i].nr_rings)
				abort();
		}
	for (i = 0; i < s->findings.nr; i++)
		if (!catalogue_find(s->findings.v[i].rule))
			abort();
	check_run(&in, &out);
	check_result_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot s = {0};
	struct source *src;
	struct ckpt *ck;
	struct guest *g;
	const struct base *b;

	if (!size)
		return 0;
	b = &bases[data[0] % NR_RECIPES];
	memcpy(image, b->bytes, b->size);
	edit(b, data + 1, size - 1);
	if (source_from_memory(image, b->size, "made up", &src, NULL) ||
		ckpt_open_source(src, &ck, NULL))
		abort();
	if (!guest_open(memory_of_ckpt(ck), &g, NULL)) {
		const struct frontend_options opt = {.config = ckpt_info(ck)};

		if (!frontend_analyse(g, &opt, &s, NULL))
			check(&s, ckpt_info(ck), guest_memory(g));
		snapshot_fini(&s);
		guest_close(g);
	}
	ckpt_close(ck);
	return 0;
}
