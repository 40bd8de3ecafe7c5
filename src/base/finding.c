/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/finding.h"

#include <stdarg.h>
#include <string.h>

static struct finding_count *count_of(struct finding_list *list, const char *rule)
{
	struct finding_count *c;
	size_t i;

	for (i = 0; i < list->nr_counts; i++)
		if (!strcmp(list->counts[i].rule, rule))
			return &list->counts[i];
	if (util_grow(&list->counts, &list->cap_counts, list->nr_counts + 1, sizeof(*c)))
		return NULL;
	c = &list->counts[list->nr_counts++];
	memset(c, 0, sizeof(*c));
	snprintf(c->rule, sizeof(c->rule), "%s", rule);
	return c;
}

/* Takes over `message`, which may be NULL when memory ran out. */
static void store_finding(
	struct finding_list *list, const char *rule, struct finding_at at, char *message)
{
	struct finding_count *c = count_of(list, rule);
	struct finding *f;

	if (!c || !message || util_grow(&list->v, &list->cap, list->nr + 1, sizeof(*f))) {
		list->lost = true;
		free(message);
		return;
	}
	if (c->seen++ >= FINDING_MAX_PER_RULE) {
		free(message);
		return;
	}
	f = &list->v[list->nr++];
	memset(f, 0, sizeof(*f));
	snprintf(f->rule, sizeof(f->rule), "%s", rule);
	f->message = message;
	if (at.device)
		snprintf(f->device, sizeof(f->device), "%s", at.device);
	f->ring = at.ring;
	f->slot = at.slot;
	f->offset = at.offset;
}

void finding_add(
	struct finding_list *list, const char *rule, struct finding_at at, const char *fmt, ...)
{
	char *message = NULL;
	va_list ap;

	if (!list)
		return;
	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		message = NULL;
	va_end(ap);
	store_finding(list, rule, at, message);
}

void finding_append(struct finding_list *list, const struct finding_list *from)
{
	size_t i;

	for (i = 0; i < from->nr; i++) {
		const struct finding *f = &from->v[i];
		struct finding_at at = {f->device, f->ring, f->slot, f->offset};

		store_finding(list, f->rule, at, strdup(f->message));
	}
	for (i = 0; i < from->nr_counts; i++) {
		struct finding_count *c = count_of(list, from->counts[i].rule);
		uint64_t stored = MIN(from->counts[i].seen, (uint64_t)FINDING_MAX_PER_RULE);

		if (c)
			c->seen += from->counts[i].seen - stored;
	}
	list->lost |= from->lost;
}

void finding_fini(struct finding_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		free(list->v[i].message);
	free(list->v);
	free(list->counts);
	memset(list, 0, sizeof(*list));
}
