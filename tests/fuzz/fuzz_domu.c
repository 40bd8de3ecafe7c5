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
#define NR_RECIPES (sizeof(recipes) / sizeof(recipes[0]))
#define MAX_IMAGE  (8u << 20)

static struct decode_base bases[NR_RECIPES];

static void make_guest(const char *recipe, struct decode_base *b)
{
	char path[] = "/tmp/xbdsnap-fuzz-XXXXXX", cmd[512];
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
	uint8_t *bytes = malloc(MAX_IMAGE);

	snprintf(cmd, sizeof(cmd), "python3 ../tools/mkdomu.py %s %s", recipe, path);
	if (!f || !bytes || system(cmd))
		abort();
	decode_make(b, bytes, fread(bytes, 1, MAX_IMAGE, f), recipe);
	fclose(f);
	unlink(path);
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	size_t i;

	for (i = 0; i < NR_RECIPES; i++)
		make_guest(recipes[i], &bases[i]);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_input(bases, NR_RECIPES, data, size);
	return 0;
}
