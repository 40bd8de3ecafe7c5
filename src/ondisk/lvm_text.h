/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lvm_text.h - the text in which LVM writes down volumes: sections in sections, and values that are
 * numbers, words in quotation marks, or lists of these.
 */
#ifndef XB_ONDISK_LVM_TEXT_H
#define XB_ONDISK_LVM_TEXT_H

#include "base/util.h"

#define LVM_MAX_DEPTH  8u
#define LVM_NAME_BYTES 128u
#define LVM_MAX_LIST   2u /* of a list the first ones are kept */

struct lvm_value {
	char names[LVM_MAX_DEPTH][LVM_NAME_BYTES]; /* of the sections, the outermost first */
	unsigned depth;
	char key[LVM_NAME_BYTES];
	unsigned nr; /* of the value's words; more than are kept where it is a long list */
	char words[LVM_MAX_LIST][LVM_NAME_BYTES];
};

/* Call fn for each value. False: it is no such text, or fn was false. */
bool lvm_text_parse(const char *text, size_t bytes,
	bool (*fn)(void *arg, const struct lvm_value *v), void *arg);

#endif
