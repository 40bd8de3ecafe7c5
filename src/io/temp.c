/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/temp.h"

#include "io/door.h"

int temp_open(struct err *err)
{
	int fd = door_temp();

	return fd >= 0 ? fd
		       : err_sys(err, "cannot create a temporary file in '%s'", door_temp_folder());
}
