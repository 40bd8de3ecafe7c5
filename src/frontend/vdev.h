/* SPDX-License-Identifier: BSD-2-Clause
 *
 * vdev.h - names of virtual disks as configurations write them.
 */
#ifndef XB_FRONTEND_VDEV_H
#define XB_FRONTEND_VDEV_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The number that the tool stack gives to a virtual disk of that name: "xvda1", "d0p1", "hda",
 * "sdb", or the number itself. False: no such name.
 */
bool vdev_number(const char *name, uint64_t *ret);

#endif
