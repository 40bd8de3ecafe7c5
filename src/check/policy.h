/* SPDX-License-Identifier: BSD-2-Clause
 *
 * policy.h - the user's severities.
 */
#ifndef XB_CHECK_POLICY_H
#define XB_CHECK_POLICY_H

#include "base/err.h"
#include "check/catalogue.h"

/* The user's severities: --rule ID=off|note|warn|error. */
struct check_policy {
	struct check_override {
		char rule[8];
		bool off;
		enum severity severity;
	} * v;
	size_t nr, cap;
};
int check_policy_add(struct check_policy *p, const char *text, struct err *err) MUST_CHECK;
/* False: the rule is switched off. An id without a row in the catalogue is an error. */
bool check_policy_severity(const struct check_policy *p, const char *rule, enum severity *ret);
void check_policy_fini(struct check_policy *p);

#endif
