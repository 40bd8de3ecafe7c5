/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/netbsd.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"

/* start_info of Xen 2.0, with which the suspend record begins. */
#define START_MFN_LIST	  40
#define START_CMDLINE	  64
#define START_CMDLINE_LEN 256

bool netbsd_may_run(const struct guest *g)
{
	return guest_info(g)->suspend_record.v != UINT64_MAX && guest_pt_levels(g) == 2;
}

bool netbsd_read_start_info(struct guest *g, struct netbsd_start_info *ret)
{
	const struct memory_info *info = guest_info(g);
	const uint8_t *page;

	if (info->suspend_record.v == UINT64_MAX)
		return false;
	page = guest_page(g, info->suspend_record);
	if (!page || num_le32(page + SUSPEND_NR_PFNS) != info->nr_pfns)
		return false;
	*ret = (struct netbsd_start_info){.mfn_list = num_le32(page + START_MFN_LIST)};
	memcpy(ret->cmdline, page + START_CMDLINE, START_CMDLINE_LEN);
	return true;
}

struct version_search {
	char line[160];
	size_t release_at, release_bytes;
};

/* "NetBSD 3.99.21 (XENU) #0: ..." as sys/conf/newvers.sh makes it. */
static bool parse_version(const uint8_t *text, size_t left, struct version_search *v)
{
	size_t name = strlen("NetBSD "), i, end;

	for (i = name; i < left && (isalnum(text[i]) || text[i] == '.' || text[i] == '_'); i++)
		;
	if (i == name || !isdigit(text[name]) || i - name >= 72 || left - i < 4 ||
		memcmp(text + i, " (", 2))
		return false;
	for (end = i; end < left && isprint(text[end]) && end < sizeof(v->line) - 1; end++)
		;
	if (!memmem(text + i, end - i, ") #", 3))
		return false;
	memcpy(v->line, text, end);
	v->line[end] = '\0';
	v->release_at = name;
	v->release_bytes = i - name;
	return true;
}

static bool search_version(const uint8_t *page, struct version_search *v)
{
	const uint8_t *at = page, *end = page + PAGE_BYTES;

	while ((at = util_find(at, (size_t)(end - at), "NetBSD ", 7))) {
		if (parse_version(at, (size_t)(end - at), v))
			return true;
		at++;
	}
	return false;
}

static void find_version(struct guest *g, struct guest_facts *ret)
{
	uint64_t pfn, nr = guest_info(g)->nr_pfns;
	struct version_search v;

	for (pfn = 0; pfn < nr; pfn++) {
		const uint8_t *page = guest_peek(g, PFN(pfn));

		if (!page || !search_version(page, &v))
			continue;
		guest_page(g, PFN(pfn));
		snprintf(ret->os, sizeof(ret->os), "NetBSD");
		snprintf(ret->release, sizeof(ret->release), "%.*s", (int)v.release_bytes,
			v.line + v.release_at);
		snprintf(ret->version, sizeof(ret->version), "%s", v.line);
		return;
	}
}

void netbsd_read_facts(struct guest *g, struct guest_facts *ret)
{
	struct netbsd_start_info start;

	if (!netbsd_may_run(g))
		return;
	find_version(g, ret);
	if (netbsd_read_start_info(g, &start) && *start.cmdline)
		ret->cmdline = strdup(start.cmdline);
}
