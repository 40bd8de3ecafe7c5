/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_eras.c - damage the structures of made-up guests of old and narrow kernels, and decode them:
 * Linux' block frontend from XenLinux to today with 32 and 64 bits, Linux and NetBSD of Xen 2.0.
 *
 * Input: a byte that chooses the guest, one for how it is decoded (decode_guest.h), then edits
 * (still_guest.h) of the pages in which anything stands. The guests are made once, by programs of
 * tests/tools, which run.sh has beside its working directory.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decode_guest.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_GUESTS 64
#define MAX_IMAGE  (8u << 20)

static struct decode_base bases[MAX_GUESTS];
static size_t nr_bases;

static void read_guest(const char *folder, const char *name, struct decode_base *b)
{
	uint8_t *bytes = malloc(MAX_IMAGE);
	char path[512];
	size_t size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (!f || !bytes)
		abort();
	size = fread(bytes, 1, MAX_IMAGE, f);
	fclose(f);
	unlink(path);
	decode_make(b, bytes, size, name);
}

/* In the order of their names, so that an input means the same guest everywhere. */
int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	char folder[] = "/tmp/xbdsnap-fuzz-XXXXXX", cmd[512];
	struct dirent **files;
	int nr, i;

	if (!mkdtemp(folder))
		abort();
	snprintf(cmd, sizeof(cmd),
		"cd ../tools && python3 mkblkfront.py --few %s && "
		"python3 mkxen2linux.py --no-data %s/xen2linux.save /dev/null && "
		"python3 mkxen2.py %s/xen2netbsd.save",
		folder, folder, folder);
	if (system(cmd))
		abort();
	nr = scandir(folder, &files, NULL, alphasort);
	for (i = 0; i < nr && nr_bases < MAX_GUESTS; i++) {
		if (files[i]->d_name[0] != '.')
			read_guest(folder, files[i]->d_name, &bases[nr_bases++]);
		free(files[i]);
	}
	free(files);
	rmdir(folder);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_input(bases, nr_bases, data, size);
	return 0;
}
