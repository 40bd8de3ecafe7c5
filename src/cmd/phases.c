/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/phases.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"
#include "io/sandbox.h"

#define MIB (UINT64_C(1) << 20)

static void print_layers(unsigned layers)
{
	const char *before = "";
	unsigned bit;

	for (bit = 1; bit < SANDBOX_NR_BITS; bit <<= 1)
		if (layers & bit) {
			printf("%s%s", before, sandbox_layer_name(bit));
			before = ", ";
		}
	if (!layers)
		fputs("nothing", stdout);
}

static void print_missing(unsigned layers)
{
	unsigned bit;

	for (bit = 1; bit < SANDBOX_NR_BITS; bit <<= 1)
		if (!(layers & bit))
			printf("not on this kernel, or not in this build: %s\n",
				sandbox_layer_name(bit));
}

static void print_bounds(void)
{
	printf("; processor %u s and 1 s for each %" PRIu64 " MiB of input", LIMIT_SECONDS,
		LIMIT_BYTES_A_SECOND / MIB);
	if (sandbox_bounds_memory())
		printf("; memory %" PRIu64 " MiB and %u bytes for each page of the guest, %" PRIu64
		       " MiB more while it is unpacked",
			LIMIT_MEMORY_BYTES / MIB, LIMIT_MEMORY_A_PAGE, LIMIT_UNPACK_MEMORY / MIB);
	else
		fputs("; memory not bounded in this build", stdout);
}

void phases_print(void)
{
	unsigned closed = sandbox_try(SANDBOX_CLOSED), xen = sandbox_try(SANDBOX_XEN);

	fputs("what opens and writes the files of the command line, and reads nothing that a guest "
	      "wrote: not confined\nwhat reads, unpacks and decodes, from the first byte on: ",
		stdout);
	print_layers(closed);
	print_bounds();
	fputs("\nwith --live, --domid, watch and p2m, what asks the hypervisor of the domains that "
	      "are named, and reads no more of a guest than its tables of frames: ",
		stdout);
	print_layers(xen);
	fputs(", but for calls of Xen's devices\nwhat asks libblkid about a disk: ", stdout);
	print_layers(closed);
	printf("; processor %u s for each question", LIMIT_PROBE_SECONDS);
	if (sandbox_bounds_memory())
		printf("; memory %" PRIu64 " MiB", LIMIT_MEMORY_BYTES / MIB);
	putchar('\n');
	print_missing(closed & xen);
}
