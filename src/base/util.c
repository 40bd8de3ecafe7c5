/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/util.h"

#include <string.h>
#include <unistd.h>

void util_free_ptr(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	free(p);
}

void util_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void util_close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

int util_grow(void *array, size_t *cap, size_t want, size_t each)
{
	size_t next = *cap ? *cap : 8;
	size_t bytes;
	void *old, *grown;

	if (want <= *cap)
		return 0;
	while (next < want)
		if (__builtin_mul_overflow(next, (size_t)2, &next))
			return -1;
	if (__builtin_mul_overflow(next, each, &bytes))
		return -1;
	memcpy(&old, array, sizeof(old));
	grown = realloc(old, bytes);
	if (!grown)
		return -1;
	memcpy(array, &grown, sizeof(grown));
	*cap = next;
	return 0;
}
