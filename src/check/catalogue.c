/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/catalogue.h"

#include <string.h>

#include "check/catalogue_rows.h"

const char *severity_name(enum severity s)
{
	static const char *const names[] = {
		[SEVERITY_NOTE] = "note",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_ERROR] = "error",
	};

	return names[s];
}

static const struct rule_rows *const parts[] = {
	&catalogue_file,
	&catalogue_ring,
	&catalogue_driver,
	&catalogue_host,
	&catalogue_other,
};

size_t catalogue_nr(void)
{
	size_t i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		nr += parts[i]->nr;
	return nr;
}

const struct rule *catalogue_rule(size_t index)
{
	size_t i;

	for (i = 0; index >= parts[i]->nr; i++)
		index -= parts[i]->nr;
	return &parts[i]->v[index];
}

const struct rule *catalogue_find(const char *id)
{
	size_t i, nr = catalogue_nr();

	for (i = 0; i < nr; i++)
		if (!strcmp(catalogue_rule(i)->id, id))
			return catalogue_rule(i);
	return NULL;
}
