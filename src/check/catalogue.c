/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/catalogue.h"

#include <string.h>

/* Ascending by id; a test holds the order and compares the list with the manual page. */
static const struct rule rules[] = {
	{
		.id = "XB001",
		.severity = SEVERITY_ERROR,
		.summary = "the checkpoint is incomplete",
		.explanation =
			"The end marker of the stream was not found: the save failed half-way, "
			"or the file was cut. What was read before that point is shown, but "
			"nothing proves that it is all.",
		.remedy = "Do not restore it. Look for another copy of the file.",
	},
};

const char *severity_name(enum severity s)
{
	static const char *const names[] = {
		[SEVERITY_NOTE] = "note",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_ERROR] = "error",
	};

	return names[s];
}

size_t catalogue_nr(void)
{
	return ARRAY_SIZE(rules);
}

const struct rule *catalogue_rule(size_t index)
{
	return &rules[index];
}

const struct rule *catalogue_find(const char *id)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++)
		if (!strcmp(rules[i].id, id))
			return &rules[i];
	return NULL;
}
