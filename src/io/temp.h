/* SPDX-License-Identifier: BSD-2-Clause
 *
 * temp.h - a temporary file without a name.
 */
#ifndef XB_IO_TEMP_H
#define XB_IO_TEMP_H

#include "base/err.h"

/* In TMPDIR or /var/tmp, for reading and writing; gone when it is closed. The descriptor, or -1. */
int temp_open(struct err *err) MUST_CHECK;

#endif
