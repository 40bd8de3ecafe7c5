/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/policy.h"

#include <string.h>

static const struct {
	const char *word;
	bool off;
	enum severity severity;
} words[] = {
	{"off", true, SEVERITY_NOTE},
	{"note", false, SEVERITY_NOTE},
	{"warn", false, SEVERITY_WARNING},
	{"warning", false, SEVERITY_WARNING},
	{"error", false, SEVERITY_ERROR},
};

int check_policy_add(struct check_policy *p, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	struct check_override o = {0};
	size_t i;

	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(o.rule))
		return err_set(
			err, ERR_USAGE, "'%s' is not of the form ID=off|note|warn|error", text);
	memcpy(o.rule, text, (size_t)(equals - text));
	if (!catalogue_find(o.rule))
		return err_set(err, ERR_USAGE, "there is no rule '%s'", o.rule);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(equals + 1, words[i].word))
			break;
	if (i == ARRAY_SIZE(words))
		return err_set(err, ERR_USAGE,
			"'%s' is no severity for %s: off, note, warn or error", equals + 1, o.rule);
	o.off = words[i].off;
	o.severity = words[i].severity;
	if (util_grow(&p->v, &p->cap, p->nr + 1, sizeof(*p->v)))
		return err_nomem(err, "noting a severity");
	p->v[p->nr++] = o;
	return 0;
}

bool check_policy_severity(const struct check_policy *p, const char *rule, enum severity *ret)
{
	const struct rule *row = catalogue_find(rule);
	size_t i;

	*ret = row ? row->severity : SEVERITY_ERROR;
	for (i = p ? p->nr : 0; i-- > 0;) {
		if (strcmp(p->v[i].rule, rule))
			continue;
		*ret = p->v[i].severity;
		return !p->v[i].off;
	}
	return true;
}

void check_policy_fini(struct check_policy *p)
{
	free(p->v);
	memset(p, 0, sizeof(*p));
}
