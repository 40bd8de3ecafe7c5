/* SPDX-License-Identifier: BSD-2-Clause */
#include "ondisk/lvm_text.h"

#include <ctype.h>
#include <string.h>

struct scanner {
	const char *at, *end;
	char word[LVM_NAME_BYTES];
};

static void skip_blanks(struct scanner *s)
{
	while (s->at < s->end && (isspace((unsigned char)*s->at) || *s->at == '#')) {
		if (*s->at == '#')
			while (s->at < s->end && *s->at != '\n')
				s->at++;
		else
			s->at++;
	}
}

/* The next character that is no blank, without taking it; '\0': the text ends. */
static char peek_char(struct scanner *s)
{
	skip_blanks(s);
	return s->at < s->end ? *s->at : '\0';
}

static bool take_char(struct scanner *s, char want)
{
	if (peek_char(s) != want)
		return false;
	s->at++;
	return true;
}

static bool is_of_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.+-", c));
}

/* A name, a number, or what stands in quotation marks; cut to what a word has room for. */
static bool take_word(struct scanner *s)
{
	bool quoted = take_char(s, '"');
	size_t n = 0;

	if (!quoted && !is_of_word(peek_char(s)))
		return false;
	while (s->at < s->end && (quoted ? *s->at != '"' : is_of_word(*s->at))) {
		if (quoted && *s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		if (n < sizeof(s->word) - 1)
			s->word[n++] = *s->at;
		s->at++;
	}
	s->word[n] = '\0';
	return !quoted || take_char(s, '"');
}

static bool put_word(struct scanner *s, struct lvm_value *v)
{
	if (!take_word(s))
		return false;
	if (v->nr < LVM_MAX_LIST)
		memcpy(v->words[v->nr], s->word, sizeof(s->word));
	v->nr++;
	return true;
}

static bool take_value(struct scanner *s, struct lvm_value *v)
{
	v->nr = 0;
	if (!take_char(s, '['))
		return put_word(s, v);
	while (peek_char(s) != ']') {
		if (!put_word(s, v))
			return false;
		if (!take_char(s, ',') && peek_char(s) != ']')
			return false;
	}
	return take_char(s, ']');
}

bool lvm_text_parse(
	const char *text, size_t bytes, bool (*fn)(void *arg, const struct lvm_value *v), void *arg)
{
	struct scanner s = {.at = text, .end = text + bytes};
	struct lvm_value v = {.depth = 0};

	while (peek_char(&s)) {
		if (take_char(&s, '}')) {
			if (!v.depth--)
				return false;
			continue;
		}
		if (!take_word(&s))
			return false;
		if (take_char(&s, '{')) {
			if (v.depth == LVM_MAX_DEPTH)
				return false;
			memcpy(v.names[v.depth++], s.word, sizeof(s.word));
			continue;
		}
		memcpy(v.key, s.word, sizeof(s.word));
		if (!take_char(&s, '=') || !take_value(&s, &v) || !fn(arg, &v))
			return false;
	}
	return !v.depth;
}
