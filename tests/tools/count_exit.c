/* SPDX-License-Identifier: BSD-2-Clause
 *
 * count_exit.c - in a build that counts lines (D=gcov): a process that ends with _exit() writes its
 * counts too. The linker leads those calls here.
 */
#include <stdlib.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
