/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay_main.c - a fuzzer without libFuzzer: each file of the arguments once.
 *
 * The options of run.sh that matter here are those that libFuzzer has under the same names:
 * -timeout=SECONDS for one input, -rss_limit_mb=N for the process.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Not every fuzzer has one. */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s\n", path, what);
	exit(1);
}

static uint8_t *read_all(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0)
		die(path, "cannot be read");
	rewind(f);
	/* Of its exact size, so that a read past its end is seen. */
	data = malloc((size_t)size);
	if (size && (!data || fread(data, 1, (size_t)size, f) != (size_t)size))
		die(path, "cannot be read");
	fclose(f);
	*ret_size = (size_t)size;
	return data;
}

static void replay(const char *path, unsigned timeout, long rss_limit_mb)
{
	struct rusage usage;
	size_t size;
	uint8_t *data = read_all(path, &size);

	/* The last name stands above what kills us. */
	fprintf(stderr, "%s\n", path);
	alarm(timeout);
	LLVMFuzzerTestOneInput(data, size);
	alarm(0);
	free(data);
	if (rss_limit_mb && !getrusage(RUSAGE_SELF, &usage) &&
		usage.ru_maxrss / 1024 > rss_limit_mb)
		die(path, "took too much memory");
}

int main(int argc, char **argv)
{
	unsigned timeout = 0;
	long rss_limit_mb = 0;
	int i;

	if (LLVMFuzzerInitialize && LLVMFuzzerInitialize(&argc, &argv))
		return 1;
	for (i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "-timeout=", 9))
			timeout = (unsigned)atoi(argv[i] + 9);
		else if (!strncmp(argv[i], "-rss_limit_mb=", 14))
			rss_limit_mb = atol(argv[i] + 14);
		else
			replay(argv[i], timeout, rss_limit_mb);
	}
	return 0;
}
