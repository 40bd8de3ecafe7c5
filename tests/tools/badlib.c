/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded: libraries that fail at what a guest wrote, as BADLIB says: libblkid by "crash",
 * "spin" for ever, or "content" (a crash, but not at a table of partitions); libbpf by "btf".
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int blkid_do_safeprobe(void *probe);
void *blkid_probe_get_partitions(void *probe);
void *btf__new(const void *data, uint32_t size);

static int is_wanted(const char *how)
{
	const char *wanted = getenv("BADLIB");

	return wanted && !strcmp(wanted, how);
}

static void fail(void)
{
	while (is_wanted("spin"))
		;
	raise(SIGSEGV);
}

int blkid_do_safeprobe(void *probe)
{
	int (*real)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "blkid_do_safeprobe");

	if (!is_wanted("btf"))
		fail();
	return real(probe);
}

void *blkid_probe_get_partitions(void *probe)
{
	void *(*real)(void *) = (void *(*)(void *))dlsym(RTLD_NEXT, "blkid_probe_get_partitions");

	if (!is_wanted("btf") && !is_wanted("content"))
		fail();
	return real(probe);
}

void *btf__new(const void *data, uint32_t size)
{
	void *(*real)(const void *, uint32_t) =
		(void *(*)(const void *, uint32_t))dlsym(RTLD_NEXT, "btf__new");

	if (is_wanted("btf"))
		fail();
	return real(data, size);
}
