/* SPDX-License-Identifier: BSD-2-Clause
 *
 * html.h - a report as one HTML file that needs nothing else: no script, no network; pictures are
 * SVG in its text.
 *
 * All text of the guest, of the file and of its name goes through html_text(), which is safe in
 * content and in quoted attributes.
 */
#ifndef XB_CMD_HTML_H
#define XB_CMD_HTML_H

#include "cmd/judge.h"
#include "io/disk.h"

/* Escaped, what cmd_safe_text() replaces too. NULL: "-". */
void html_text(FILE *out, const char *text);
/* The same of a printf. */
void html_printf(FILE *out, const char *fmt, ...) PRINTF(2, 3);

/* Everything up to <body>, and from there on. */
void html_begin(FILE *out, const char *title);
void html_end(FILE *out);
/* A row of a table of two columns. NULL: unknown. */
void html_fact(FILE *out, const char *name, const char *value);

/* The class of an operation, by which it has its colour. */
const char *html_op_class(enum io_op op);

/* A disk from its first sector to its last, with the requests where they go. */
void html_disk(FILE *out, const struct blkdev *d);
/* A ring with its indices, and its shadow beside it. */
void html_ring(FILE *out, const struct blkdev *d, const struct io_ring *r);
/* The requests of a device, with what is known of each, and the first bytes of what writes carry;
 * with its disk (else NULL), whether they are on it. */
void html_requests(
	FILE *out, const struct cmd_input *in, const struct blkdev *d, const struct disk *disk);

#endif
