/* SPDX-License-Identifier: BSD-2-Clause
 *
 * handover.h - between the confined process, which looks, and its keeper, who does what needs
 * rights (door_order()): what is to be done goes one way, what became of it the other.
 */
#ifndef XB_CMD_HANDOVER_H
#define XB_CMD_HANDOVER_H

#include "base/err.h"

/* All of an order, which is sealed. NULL: err. */
const uint8_t *handover_map(int order, size_t *ret, struct err *err) MUST_CHECK;
void handover_unmap(const uint8_t *bytes, size_t len);

/* What became of it: 0, or -1 and an error; then `bytes` of the caller's, when it went well. */
void handover_give(int result, int rc, const struct err *err, const void *data, size_t bytes);
/* -1: it did not go well, or nothing is known of it. */
int handover_take(int result, void *data, size_t bytes, struct err *err) MUST_CHECK;

#endif
