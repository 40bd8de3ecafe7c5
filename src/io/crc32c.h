/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef XB_IO_CRC32C_H
#define XB_IO_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (RFC 3720, 12.1), to be continued from `crc`; 0 at first. */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len);

#endif
