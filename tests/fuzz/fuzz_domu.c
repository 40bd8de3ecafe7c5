/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_domu.c - damage the structures of made-up guests of all kinds but Linux, and decode them.
 *
 * Input: a byte that chooses the guest, one for how it is decoded (decode_guest.h), then edits
 * (still_guest.h) of the pages in which anything stands. The guests are made once, by mkdomu.py,
 * which run.sh has beside its working directory.
 */
#include <stdio.h>
#include <unistd.h>

#include "decode_guest.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const recipes[] = {
	"ring --with two --with grants --with store --with indirect",
	"ring --bits 32 --with wrapped --with disorder",
	"freebsd --with indirect --with queued --with bioq",
	"freebsd --bits 32 --with old --with unmapped",
	"freebsd --with unmapped --with two",
	"netbsd --with indirect",
	"netbsd --bits 32 --with old --with disorder",
	"minios",
	"unikraft",
	"grub",
	"windows --with wrapped",
	"openbsd --banner openbsd",
};
#define NR_RECIPES  (sizeof(recipes) / sizeof(recipes[0]))
#define HEAD	    2u
#define MAX_IMAGE   (8u << 20)
#define FIRST_FRAME 3u /* the page tables */
#define MAX_FRAMES  256u

struct base {
	struct still_guest guest;
	struct decode_known known;
	uint64_t at[MAX_FRAMES]; /* of pages that hold something, in the file */
	size_t nr;
};

static struct base bases[NR_RECIPES];

static void make_guest(const char *recipe, struct base *b)
{
	char path[] = "/tmp/xbdsnap-fuzz-XXXXXX", cmd[512];
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
	uint8_t *bytes = malloc(MAX_IMAGE);

	snprintf(cmd, sizeof(cmd), "python3 ../tools/mkdomu.py %s %s", recipe, path);
	if (!f || !bytes || system(cmd))
		abort();
	still_open(&b->guest, bytes, fread(bytes, 1, MAX_IMAGE, f), NULL, 0);
	fclose(f);
	unlink(path);
}

static void find_pages(struct base *b)
{
	const struct ckpt *ck = b->guest.ck;
	uint64_t pfn;

	for (pfn = FIRST_FRAME; pfn < ckpt_info(ck)->nr_pfns && b->nr < MAX_FRAMES; pfn++) {
		struct ckpt_page page = ckpt_page(ck, PFN(pfn));

		if (page.data && !util_is_zero(page.data, PAGE_BYTES))
			b->at[b->nr++] = page.off;
	}
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	size_t i;

	for (i = 0; i < NR_RECIPES; i++) {
		make_guest(recipes[i], &bases[i]);
		find_pages(&bases[i]);
		decode_learn(&bases[i].guest, recipes[i], &bases[i].known);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct base *b;

	if (size < HEAD)
		return 0;
	b = &bases[data[0] % NR_RECIPES];
	still_edit(&b->guest, b->at, b->nr, data + HEAD, size - HEAD);
	decode_so(&b->known, &b->guest, data[1]);
	still_undo(&b->guest, b->at, b->nr, data + HEAD, size - HEAD);
	return 0;
}
