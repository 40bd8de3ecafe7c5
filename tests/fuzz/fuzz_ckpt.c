/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_ckpt.c - open any bytes as a checkpoint.
 */
#include "visit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	visit_bytes(data, size);
	return 0;
}
