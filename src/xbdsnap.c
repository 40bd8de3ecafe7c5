/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xbdsnap.c - the front door.
 */
#include <stdio.h>

int main(void)
{
	fputs("xbdsnap " XBDSNAP_VERSION "\n", stdout);
	return 0;
}
