/* SPDX-License-Identifier: BSD-2-Clause
 *
 * show.h - how sizes, times and what matters are shown to people.
 */
#ifndef XB_CMD_SHOW_H
#define XB_CMD_SHOW_H

#include "cmd/cmd.h"

enum show_times {
	SHOW_AGES,    /* 23.1s, 4min: how long before the guest was saved */
	SHOW_SECONDS, /* the same, as a number of seconds */
	SHOW_UTC,     /* when, by the guest's clock */
};

struct show_style {
	bool bytes; /* sizes as plain numbers */
	enum show_times times;
};

/* --bytes and --time-format; a show_style as input. */
extern const struct argp show_argp;

void show_bytes(const struct show_style *style, uint64_t bytes, char *buf, size_t cap);
/* What happened `age_ns` before the guest was saved. False: its clock is not known. */
bool show_age(const struct show_style *style, uint64_t age_ns, const struct guest_facts *guest,
	char *buf, size_t cap);

/*
 * The colour of a word, as libsmartcols calls it: what is wrong, what is doubtful, and what is not
 * known have one each. NULL: none.
 */
const char *show_color(const char *word);
/* The escape sequence that begins such a colour, and the one that ends all; "" when `on` is false.
 */
const char *show_begin(bool on, const char *word);
const char *show_end(bool on, const char *word);

#endif
