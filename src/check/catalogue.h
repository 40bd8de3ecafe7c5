/* SPDX-License-Identifier: BSD-2-Clause
 *
 * catalogue.h - the one list of rules: stable id, severity, what it means, what to do.
 */
#ifndef XB_CHECK_CATALOGUE_H
#define XB_CHECK_CATALOGUE_H

#include "base/util.h"

enum severity {
	SEVERITY_NOTE, /* worth knowing; never changes an exit status */
	SEVERITY_WARNING,
	SEVERITY_ERROR,
};
const char *severity_name(enum severity s); /* "note", "warning", "error" */

struct rule {
	const char *id; /* "XB101" */
	enum severity severity;
	const char *summary;	 /* one line, no stop */
	const char *explanation; /* why it matters */
	const char *remedy;	 /* what to do */
	bool still; /* a driver changes what it compares one after the other: only a suspended
		       guest holds it at every moment */
};

size_t catalogue_nr(void);
const struct rule *catalogue_rule(size_t index);   /* ascending by id */
const struct rule *catalogue_find(const char *id); /* NULL unknown */

#endif
