/* SPDX-License-Identifier: BSD-2-Clause
 *
 * barewalk.c - the yardstick of make bench: the least that any reader must do, with no checks.
 *
 *   barewalk walk FILE   record headers and pfn lists of an xl save file, page data skipped
 *   barewalk sum FILE    one pass over the mapped file, adding up its 64-bit words
 *   barewalk drop FILE   let the kernel forget what it has of the file in memory
 *   barewalk kept FILE   pages of the file that the kernel has in memory, and pages of it in all
 *
 * It shares no code with the program.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static uint64_t walk(const uint8_t *p, const uint8_t *end)
{
	uint64_t pfns = 0, sum = 0;

	p += 48 + le32(p + 44); /* xl header and configuration */
	p += 16 + 8;		/* libxl header, LIBXC_CONTEXT record */
	p += 24 + 16;		/* libxc image and domain headers */
	while (p + 8 <= end) {
		uint32_t type = le32(p), len = le32(p + 4), i, n;

		if (!type)
			break;
		if (type == 1) {
			n = le32(p + 8);
			for (i = 0; i < n; i++) {
				uint64_t pfn;

				memcpy(&pfn, p + 16 + 8ull * i, 8);
				sum += pfn;
			}
			pfns += n;
		}
		p += 8 + ((len + 7ull) & ~7ull);
	}
	return pfns + (sum & 1);
}

static uint64_t sum(const uint8_t *p, const uint8_t *end)
{
	uint64_t s = 0, v;

	for (; p + 8 <= end; p += 8) {
		memcpy(&v, p, 8);
		s += v;
	}
	return s;
}

static int kept(const uint8_t *p, size_t bytes)
{
	size_t i, nr = (bytes + 4095) / 4096, kept = 0;
	unsigned char *in_core = malloc(nr);

	if (!in_core || mincore((void *)p, bytes, in_core))
		return 1;
	for (i = 0; i < nr; i++)
		kept += in_core[i] & 1;
	printf("%zu %zu\n", kept, nr);
	free(in_core);
	return 0;
}

int main(int argc, char **argv)
{
	struct stat st;
	const uint8_t *p;
	int fd;

	if (argc != 3)
		return 2;
	fd = open(argv[2], O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		return 1;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return 1;
	if (!strcmp(argv[1], "drop"))
		return fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (!strcmp(argv[1], "kept"))
		return kept(p, (size_t)st.st_size);
	if (!strcmp(argv[1], "walk"))
		printf("%" PRIu64 "\n", walk(p, p + st.st_size));
	else
		printf("%" PRIu64 "\n", sum(p, p + st.st_size));
	return 0;
}
