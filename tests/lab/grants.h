/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grants.h - leave the guest without a free grant, so that its drivers can give no page to anyone.
 */
#ifndef LAB_GRANTS_H
#define LAB_GRANTS_H

/* Until the descriptor is closed; -1 with errno. *ret_nr: how many were taken. */
int grants_take_all(unsigned *ret_nr);

#endif
