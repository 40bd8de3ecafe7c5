/* SPDX-License-Identifier: BSD-2-Clause
 *
 * report.h - what `validate` found, with the user's severities, as text or JSON.
 */
#ifndef XB_CMD_REPORT_H
#define XB_CMD_REPORT_H

#include <json.h>

#include "check/check.h"
#include "check/policy.h"

struct report {
	const char *path;
	const struct check_policy *policy;
	const struct finding_list *lists[2]; /* of the decoders, of the rules; NULL: none */
	const struct check_result *result;   /* NULL: no rule could be evaluated */
	const struct snapshot *snap;	     /* NULL: the guest's memory could not be read */
	bool color;
	uint64_t nr[SEVERITY_ERROR + 1]; /* by severity; report_count() fills it */
};

void report_count(struct report *r);
/* One line a finding; verbose adds explanation, remedy and the rules that were not evaluated. */
void report_findings(const struct report *r, bool verbose, FILE *out);
/* The line that sums up: the last one. */
void report_sum(const struct report *r, FILE *out);
/* Adds findings, not_evaluated and counts to a document. -1: no memory. */
int report_json(const struct report *r, struct json_object *doc);

#endif
