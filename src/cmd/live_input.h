/* SPDX-License-Identifier: BSD-2-Clause
 *
 * live_input.h - a domain of this host in the place of a checkpoint: its memory, and what the host
 * has in the place of a configuration. It is looked at, never changed.
 */
#ifndef XB_CMD_LIVE_INPUT_H
#define XB_CMD_LIVE_INPUT_H

#include "guest/memory.h"
#include "xenhost/xenhost.h"

struct live_input;

/* `word`: its number or its name. ERR_UNSUPPORTED without Xen in the build, ERR_NOTFOUND when there
 * is no such domain. */
int live_input_open(const char *word, struct live_input **ret, struct err *err) MUST_CHECK;
void live_input_close(struct live_input *l);

const struct ckpt_info *live_input_info(const struct live_input *l);
const char *live_input_name(const struct live_input *l); /* "domain 3 (vm)" */
struct memory live_input_memory(const struct live_input *l);
size_t live_input_nr_vcpus(const struct live_input *l);
const struct xenhost_domain *live_input_domain(const struct live_input *l);

#endif
