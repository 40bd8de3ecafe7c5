/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_legacy.c - streams of Xen 3.0 to 4.5. One without a header must prove itself before it is
 * read, so each input is opened as it is and once more behind a header of xend's, which takes its
 * word for it.
 */
#include "visit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT "(domain (name a) (image (linux)))"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "LinuxGuestRecord\0\0\0\41" TEXT;
	uint8_t *bytes = malloc(sizeof(head) - 1 + size);

	visit_bytes(data, size);
	if (!bytes)
		return 0;
	memcpy(bytes, head, sizeof(head) - 1);
	if (size)
		memcpy(bytes + sizeof(head) - 1, data, size);
	visit_bytes(bytes, sizeof(head) - 1 + size);
	free(bytes);
	return 0;
}
