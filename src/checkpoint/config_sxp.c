/* SPDX-License-Identifier: BSD-2-Clause
 *
 * config_sxp.c - what xend's s-expression says about a domain (Xen 2.0: XendDomainInfo.py).
 *
 * The restore uses the child `config` of `(domain ...)`, which holds `(vm ...)`; the rest describes
 * the domain as it ran. A form is found by walking its parent's children; nothing is copied
 * before it is wanted.
 */
#include <string.h>

#include "checkpoint/ckpt_priv.h"

#define MAX_DISKS 256u
/* xend nests about eight deep. */
#define MAX_DEPTH 64u

struct text {
	const char *p, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct text *t)
{
	while (t->p < t->end && is_blank(*t->p))
		t->p++;
}

/* Behind a quoted string whose opening quote is at p. */
static const char *skip_quoted(const char *p, const char *end)
{
	char quote = *p++;

	for (; p < end && *p != quote; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : end;
}

static bool is_quote(char c)
{
	return c == '\'' || c == '"';
}

/* Behind the balanced form at p; NULL when it does not end or nests too deep. */
static const char *skip_form(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		if (is_quote(*p)) {
			p = skip_quoted(p, end);
			continue;
		}
		if (*p == '(' && ++depth > MAX_DEPTH)
			return NULL;
		if (*p == ')' && (!depth || !--depth))
			return p + 1;
		p++;
	}
	return NULL;
}

/* The next item of a list: a form with its parentheses, or an atom. */
static bool next_item(struct text *list, struct text *ret)
{
	const char *p;

	skip_blanks(list);
	if (list->p >= list->end)
		return false;
	p = list->p;
	if (*p == '(') {
		p = skip_form(p, list->end);
		if (!p)
			return false;
	} else if (is_quote(*p)) {
		p = skip_quoted(p, list->end);
	} else {
		while (p < list->end && !is_blank(*p) && *p != '(' && *p != ')')
			p++;
		if (p == list->p)
			return false;
	}
	*ret = (struct text){list->p, p};
	list->p = p;
	return true;
}

/* If the item is a form, its name and what follows the name. */
static bool open_form(struct text item, struct text *name, struct text *body)
{
	if (item.end - item.p < 2 || *item.p != '(')
		return false;
	*body = (struct text){item.p + 1, item.end - 1};
	return next_item(body, name) && *name->p != '(';
}

static bool text_is(struct text t, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(t.end - t.p) == n && !memcmp(t.p, word, n);
}

/* The body of the first child form of that name. */
static bool child(struct text list, const char *name, struct text *ret)
{
	struct text item, word, body;

	while (next_item(&list, &item)) {
		if (!open_form(item, &word, &body) || !text_is(word, name))
			continue;
		*ret = body;
		return true;
	}
	return false;
}

/* A copy of the first atom in the child of that name; *ret stays when there is none. */
static int copy_atom(struct text list, const char *name, char **ret, struct err *err)
{
	struct text body, atom;

	if (!child(list, name, &body) || !next_item(&body, &atom) || *atom.p == '(')
		return 0;
	if (is_quote(*atom.p) && atom.end - atom.p >= 2) {
		atom.p++;
		atom.end--;
	}
	free(*ret);
	*ret = strndup(atom.p, (size_t)(atom.end - atom.p));
	return *ret ? 0 : err_nomem(err, "the configuration");
}

/* "phy:vg0/root" -> backend "phy", path "vg0/root". */
static int split_uname(struct ckpt_disk *d, struct err *err)
{
	char *colon = d->path ? strchr(d->path, ':') : NULL;

	if (!colon)
		return 0;
	d->backend = strndup(d->path, (size_t)(colon - d->path));
	if (!d->backend)
		return err_nomem(err, "the configuration");
	memmove(d->path, colon + 1, strlen(colon + 1) + 1);
	return 0;
}

static int add_vbd(struct ckpt *ck, struct text vbd, struct err *err)
{
	CLEANUP_FREE char *mode = NULL;
	struct ckpt_disk *d;

	if (ck->info.nr_disks >= MAX_DISKS)
		return 0;
	d = config_add_disk(ck, err);
	if (!d || copy_atom(vbd, "dev", &d->vdev, err) || copy_atom(vbd, "uname", &d->path, err) ||
		copy_atom(vbd, "mode", &mode, err))
		return -1;
	d->read_only = mode && !strchr(mode, 'w');
	return split_uname(d, err);
}

/* Every `(device (vbd ...))` of the list. */
static int add_devices(struct ckpt *ck, struct text list, struct err *err)
{
	struct text item, name, body, vbd;

	while (next_item(&list, &item))
		if (open_form(item, &name, &body) && text_is(name, "device") &&
			child(body, "vbd", &vbd) && add_vbd(ck, vbd, err))
			return -1;
	return 0;
}

struct ckpt_disk *config_add_disk(struct ckpt *ck, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	struct ckpt_disk *grown;

	/* At most MAX_DISKS of them: growing one by one costs nothing. */
	grown = reallocarray(info->disks, info->nr_disks + 1, sizeof(*grown));
	if (!grown) {
		err_nomem(err, "the configuration's disks");
		return NULL;
	}
	info->disks = grown;
	memset(&grown[info->nr_disks], 0, sizeof(*grown));
	return &grown[info->nr_disks++];
}

int config_parse_sxp(struct ckpt *ck, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	struct text all = {info->config, info->config + info->config_bytes};
	struct text item, name, domain, config, vm;

	if (!next_item(&all, &item) || !open_form(item, &name, &domain)) {
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the configuration is not an s-expression");
		return 0;
	}
	if (copy_atom(domain, "name", &info->name, err) ||
		copy_atom(domain, "uuid", &info->uuid, err))
		return -1;
	if (!child(domain, "config", &config) || !child(config, "vm", &vm))
		return 0;
	if (!info->name && copy_atom(vm, "name", &info->name, err))
		return -1;
	return add_devices(ck, vm, err);
}
