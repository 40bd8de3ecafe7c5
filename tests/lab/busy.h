/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * busy.h - a disk that is read and written all the time.
 */
#ifndef LAB_BUSY_H
#define LAB_BUSY_H

/*
 * From two processors at once, a few requests of several sizes each, a new one for each that is
 * done, where no plan has any; until there is a file /stop. Returns how many failed, or read what
 * nobody wrote.
 */
unsigned keep_busy(const char *device);

#endif
