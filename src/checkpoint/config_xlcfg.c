/* SPDX-License-Identifier: BSD-2-Clause
 *
 * config_xlcfg.c - the configuration as the administrator wrote it for xl (docs/man/xl.cfg.pod.5):
 * `name = value`, one a line or divided by ';'; a value is a word, a quoted text or a list of them
 * in brackets, which may run over lines; '#' begins a comment.
 */
#include <string.h>

#include "checkpoint/config.h"

struct text {
	const char *p, *end;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_quote(char c)
{
	return c == '\'' || c == '"';
}

/* Blanks and comments; line ends too where a list goes on. */
static void skip_blank(struct text *t, bool lines)
{
	while (t->p < t->end) {
		if (*t->p == '#')
			while (t->p < t->end && *t->p != '\n')
				t->p++;
		else if (is_space(*t->p) || (lines && *t->p == '\n'))
			t->p++;
		else
			break;
	}
}

/* A quoted text without its quotes, or a word. Empty when there is neither. */
static struct text take_word(struct text *t)
{
	struct text word = {t->p, t->p};

	if (t->p < t->end && is_quote(*t->p)) {
		char quote = *t->p++;

		word.p = t->p;
		while (t->p < t->end && *t->p != quote && *t->p != '\n')
			t->p += *t->p == '\\' && t->p + 1 < t->end ? 2 : 1;
		word.end = MIN(t->p, t->end);
		t->p = MIN(word.end + 1, t->end);
		return word;
	}
	while (t->p < t->end && !is_space(*t->p) && !strchr("=,;[]#\n", *t->p))
		t->p++;
	word.end = t->p;
	return word;
}

static void skip_statement(struct text *t)
{
	while (t->p < t->end && *t->p != '\n' && *t->p != ';') {
		if (is_quote(*t->p))
			(void)take_word(t);
		else
			t->p++;
	}
	t->p += t->p < t->end;
}

static bool text_is(struct text t, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(t.end - t.p) == n && !memcmp(t.p, word, n);
}

static int copy_text(struct text t, char **ret, struct err *err)
{
	free(*ret);
	*ret = strndup(t.p, (size_t)(t.end - t.p));
	return *ret ? 0 : err_nomem(err, "the configuration");
}

/* ---- disks -------------------------------------------------------------------------------- */

/* Positional parameters: target, format, vdev, access; without a format when the target has a
 * prefix that says it ("phy:/dev/a,xvda,w"). */
static int set_positional(struct ckpt_disk *d, unsigned *place, struct text word, struct err *err)
{
	/* Nothing stands in the place of a format that the target says. */
	if (*place == 1 && (d->backend || d->format))
		++*place;
	switch ((*place)++) {
	case 0:
		return copy_text(word, &d->path, err) ? -1 : config_split_target(d, err);
	case 1:
		return word.p < word.end ? copy_text(word, &d->format, err) : 0;
	case 2:
		return copy_text(word, &d->vdev, err);
	case 3:
		d->read_only = text_is(word, "r") || text_is(word, "ro");
		return 0;
	default:
		return 0;
	}
}

static int set_named(struct ckpt_disk *d, struct text key, struct text value, struct err *err)
{
	if (text_is(key, "vdev"))
		return copy_text(value, &d->vdev, err);
	if (text_is(key, "format"))
		return copy_text(value, &d->format, err);
	if (text_is(key, "backendtype"))
		return copy_text(value, &d->backend, err);
	if (text_is(key, "target"))
		return copy_text(value, &d->path, err);
	if (text_is(key, "access"))
		d->read_only = text_is(value, "r") || text_is(value, "ro");
	else if (text_is(key, "devtype"))
		d->cdrom |= text_is(value, "cdrom");
	return 0;
}

static struct text trim_text(struct text t)
{
	while (t.p < t.end && is_space(*t.p))
		t.p++;
	while (t.end > t.p && is_space(t.end[-1]))
		t.end--;
	return t;
}

static const char *find_char(struct text t, char c)
{
	const char *p = memchr(t.p, c, (size_t)(t.end - t.p));

	return p ? p : t.end;
}

static int parse_disk(struct ckpt_disk *d, struct text spec, struct err *err)
{
	unsigned place = 0;

	while (spec.p < spec.end) {
		struct text item = {spec.p, find_char(spec, ',')}, key;
		const char *equals = find_char(item, '=');

		key = trim_text((struct text){item.p, equals});
		/* A target is the last: it may have commas. */
		if (equals < item.end && text_is(key, "target"))
			item.end = spec.end;
		spec.p = MIN(item.end + 1, spec.end);
		if (equals < item.end) {
			if (set_named(d, key, trim_text((struct text){equals + 1, item.end}), err))
				return -1;
		} else if (text_is(trim_text(item), "cdrom")) {
			d->cdrom = true;
		} else if (set_positional(d, &place, trim_text(item), err)) {
			return -1;
		}
	}
	config_trim_vdev(d);
	return config_split_target(d, err);
}

/* [ 'disk', "disk", ] */
static int parse_disks(struct ckpt *ck, struct text *t, struct err *err)
{
	bool full = false;

	if (t->p >= t->end || *t->p++ != '[')
		return 0;
	for (;;) {
		struct ckpt_disk *d;
		struct text spec;

		skip_blank(t, true);
		if (t->p >= t->end || !is_quote(*t->p))
			return 0;
		spec = take_word(t);
		d = config_add_disk(ck, &full, err);
		if (!d)
			return full ? 0 : -1;
		if (parse_disk(d, spec, err))
			return -1;
		skip_blank(t, true);
		t->p += t->p < t->end && *t->p == ',';
	}
}

/* ------------------------------------------------------------------------------------------- */

static int parse_vcpus(struct ckpt *ck, struct text value, struct err *err)
{
	CLEANUP_FREE char *text = NULL;

	if (copy_text(value, &text, err))
		return -1;
	config_set_vcpus(ck, text);
	return 0;
}

static int parse_value(struct ckpt *ck, struct text key, struct text *t,
	enum ckpt_guest_type *ret_type, struct err *err)
{
	struct text value;

	if (text_is(key, "disk"))
		return parse_disks(ck, t, err);
	value = take_word(t);
	if (text_is(key, "name"))
		return copy_text(value, &ck->info.name, err);
	if (text_is(key, "uuid"))
		return copy_text(value, &ck->info.uuid, err);
	/* The highest that it may have counts. */
	if (text_is(key, "vcpus") && !ck->info.config_vcpus)
		return parse_vcpus(ck, value, err);
	if (text_is(key, "maxvcpus"))
		return parse_vcpus(ck, value, err);
	if (text_is(key, "builder"))
		*ret_type = text_is(value, "hvm") ? CKPT_GUEST_HVM : CKPT_GUEST_PV;
	return 0;
}

int config_parse_xlcfg(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err)
{
	struct text t = {ck->info.config, ck->info.config + ck->info.config_bytes};
	size_t nr = 0;

	*ret_type = CKPT_GUEST_PV; /* what xl makes when no builder is named */
	while (t.p < t.end) {
		struct text key;

		skip_blank(&t, true);
		key = take_word(&t);
		skip_blank(&t, false);
		if (key.p < key.end && t.p < t.end && *t.p == '=') {
			t.p++;
			skip_blank(&t, false);
			nr++;
			if (parse_value(ck, key, &t, ret_type, err))
				return -1;
		}
		skip_statement(&t);
	}
	if (nr)
		return 0;
	*ret_type = CKPT_GUEST_UNKNOWN;
	finding_add(&ck->findings, "XB014", finding_anywhere(),
		"the configuration assigns nothing: it is not one of xl's");
	return 0;
}
