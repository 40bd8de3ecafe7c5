/* SPDX-License-Identifier: BSD-2-Clause
 *
 * config_sxp.c - what xend's s-expression says about a domain (XendDomainInfo.py, XendConfig.py).
 *
 * Xen 2.0: the restore uses the child `config` of `(domain ...)`, which holds `(vm ...)`; the rest
 * describes the domain as it ran. Since 3.0 everything stands in `(domain ...)` itself. A form is
 * found by walking its parent's children; nothing is copied before it is wanted.
 */
#include <string.h>

#include "checkpoint/config.h"

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
		/* OCaml leaves no blank before a quoted atom. */
		while (p < list->end && !is_blank(*p) && *p != '(' && *p != ')' && *p != '"')
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
static bool find_child(struct text list, const char *name, struct text *ret)
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

	if (!find_child(list, name, &body) || !next_item(&body, &atom) || *atom.p == '(')
		return 0;
	if (is_quote(*atom.p) && atom.end - atom.p >= 2) {
		atom.p++;
		atom.end--;
	}
	free(*ret);
	*ret = strndup(atom.p, (size_t)(atom.end - atom.p));
	return *ret ? 0 : err_nomem(err, "the configuration");
}

static int add_disk(struct ckpt *ck, struct text vbd, struct err *err)
{
	CLEANUP_FREE char *mode = NULL;
	bool full;
	struct ckpt_disk *d = config_add_disk(ck, &full, err);

	if (!d)
		return full ? 0 : -1;
	if (copy_atom(vbd, "dev", &d->vdev, err) || copy_atom(vbd, "uname", &d->path, err) ||
		copy_atom(vbd, "mode", &mode, err))
		return -1;
	d->read_only = mode && !strchr(mode, 'w');
	config_trim_vdev(d);
	return config_split_target(d, err);
}

/* Every `(device (CLASS ...))` of the list whose class is one of disks. */
static int add_devices(struct ckpt *ck, struct text list, struct err *err)
{
	struct text item, name, body, device;

	while (next_item(&list, &item))
		if (open_form(item, &name, &body) && text_is(name, "device") &&
			(find_child(body, "vbd", &device) || find_child(body, "tap", &device) ||
				find_child(body, "tap2", &device)) &&
			add_disk(ck, device, err))
			return -1;
	return 0;
}

/* `(image (hvm ...))` or `(image (linux ...))`; xend names no other kind of PV guest. */
static enum ckpt_guest_type guest_type(struct text domain)
{
	struct text image, form, name, body;

	if (!find_child(domain, "image", &image) || !next_item(&image, &form) ||
		!open_form(form, &name, &body))
		return CKPT_GUEST_UNKNOWN;
	return text_is(name, "hvm") ? CKPT_GUEST_HVM : CKPT_GUEST_PV;
}

static int read_domain(struct ckpt *ck, struct text domain, struct err *err)
{
	CLEANUP_FREE char *vcpus = NULL;
	struct ckpt_info *info = &ck->info;
	struct text config, vm;

	if (copy_atom(domain, "name", &info->name, err) ||
		copy_atom(domain, "uuid", &info->uuid, err) ||
		copy_atom(domain, "vcpus", &vcpus, err) || add_devices(ck, domain, err))
		return -1;
	config_set_vcpus(ck, vcpus);
	if (!find_child(domain, "config", &config) || !find_child(config, "vm", &vm))
		return 0;
	if (!info->name && copy_atom(vm, "name", &info->name, err))
		return -1;
	return add_devices(ck, vm, err);
}

int config_parse_sxp(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	struct text all = {info->config, info->config + info->config_bytes};
	struct text item, name, domain;

	if (!next_item(&all, &item) || !open_form(item, &name, &domain)) {
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the configuration is not an s-expression");
		return 0;
	}
	*ret_type = guest_type(domain);
	return read_domain(ck, domain, err);
}

/* ---- xenopsd ------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What a quoted atom stands for, as Sexplib writes it: \" \\ \n \t \r \b and \ddd, decimal. */
static char *unquote_atom(struct text atom)
{
	char *text = malloc((size_t)(atom.end - atom.p) + 1), *to = text;
	const char *p = atom.p;

	while (text && p < atom.end) {
		if (*p != '\\' || p + 1 == atom.end) {
			*to++ = *p++;
		} else if (atom.end - p >= 4 && is_digit(p[1]) && is_digit(p[2]) &&
			   is_digit(p[3])) {
			*to++ = (char)((p[1] - '0') * 100 + (p[2] - '0') * 10 + p[3] - '0');
			p += 4;
		} else {
			*to++ = p[1] == 'n' ? '\n' : p[1];
			p += 2;
		}
	}
	if (to)
		*to = 0;
	return text;
}

/* The inside of a list of forms. */
static bool open_list(struct text all, struct text *ret)
{
	struct text item;

	if (!next_item(&all, &item) || *item.p != '(' || item.end - item.p < 2)
		return false;
	*ret = (struct text){item.p + 1, item.end - 1};
	return true;
}

static int read_vm(struct ckpt *ck, struct text vm, struct err *err)
{
	CLEANUP_FREE char *vcpus = NULL;
	struct ckpt_info *info = &ck->info;

	if (copy_atom(vm, "name", &info->name, err) || copy_atom(vm, "id", &info->uuid, err) ||
		copy_atom(vm, "vcpu_max", &vcpus, err))
		return -1;
	config_set_vcpus(ck, vcpus);
	return 0;
}

int config_parse_xenops(struct ckpt *ck, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	struct text all = {info->config, info->config + info->config_bytes};
	struct text record, body, atom, vm;
	CLEANUP_FREE char *inner = NULL;

	if (!open_list(all, &record)) {
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the xenops record is not an s-expression");
		return 0;
	}
	/* Images of before 2016 have none. */
	if (!find_child(record, "vm_str", &body) || !next_item(&body, &atom) ||
		!is_quote(*atom.p) || atom.end - atom.p < 2)
		return 0;
	inner = unquote_atom((struct text){atom.p + 1, atom.end - 1});
	if (!inner)
		return err_nomem(err, "the configuration");
	vm = (struct text){inner, inner + strlen(inner)};
	return open_list(vm, &vm) ? read_vm(ck, vm, err) : 0;
}
