/* SPDX-License-Identifier: BSD-2-Clause
 *
 * backing.c - what the block layer of this host holds of a disk.
 */
#include "xenhost/xenhost.h"

#include <inttypes.h>
#include <string.h>

#include "io/door.h"

/* "fd:0", hexadecimal, as the hotplug scripts write it into physical-device. */
static bool parse_device(const char *text, unsigned *major, unsigned *minor)
{
	int used = 0;

	return sscanf(text, "%x:%x%n", major, minor, &used) == 2 && used && !text[used];
}

/* Documentation/ABI/stable/sysfs-block: two numbers, reads and writes. */
bool xenhost_in_flight(
	const char *sysfs, const char *device, uint64_t *ret_reads, uint64_t *ret_writes)
{
	uint64_t reads, writes;
	unsigned major, minor;
	char path[256];
	bool ok;
	FILE *f;

	if (!parse_device(device, &major, &minor))
		return false;
	snprintf(path, sizeof(path), "%s/dev/block/%u:%u/inflight", sysfs, major, minor);
	f = door_fopen(path);
	if (!f)
		return false;
	ok = fscanf(f, "%" SCNu64 " %" SCNu64, &reads, &writes) == 2;
	fclose(f);
	if (ok) {
		*ret_reads = reads;
		*ret_writes = writes;
	}
	return ok;
}
