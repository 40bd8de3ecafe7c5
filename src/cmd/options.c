/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/options.h"

#include <string.h>

/* The command's own, then how to print, then the rest. */
static int rank_of(const struct argp_option *o)
{
	return o->group == OPTIONS_OWN ? 0 : o->group == OPTIONS_OUTPUT ? 1 : 2;
}

static void walk_rank(const struct argp *argp, int rank, option_fn fn, void *arg)
{
	const struct argp_option *o = argp->options;
	const struct argp_child *c = argp->children;

	for (; o && (o->name || o->key || o->doc); o++)
		if ((o->name || o->key) && rank_of(o) == rank)
			fn(arg, o);
	for (; c && c->argp; c++)
		walk_rank(c->argp, rank, fn, arg);
}

void options_walk(const struct argp *argp, option_fn fn, void *arg)
{
	int rank;

	for (rank = 0; rank < 3; rank++)
		walk_rank(argp, rank, fn, arg);
}

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = MIN(a, b);

	return MIN(ab, c);
}

/* How many letters must be changed, left out, put in or swapped with their neighbour. */
static unsigned edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned d[3][33], *row = d[0], *above = d[1], *higher = d[2];
	size_t i, k;

	if (na > 32 || nb > 32)
		return 99;
	for (k = 0; k <= nb; k++)
		row[k] = (unsigned)k;
	for (i = 1; i <= na; i++) {
		unsigned *next = higher;

		higher = above;
		above = row;
		row = next;
		row[0] = (unsigned)i;
		for (k = 1; k <= nb; k++) {
			row[k] = least_of(above[k] + 1, row[k - 1] + 1,
				above[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
				row[k] = MIN(row[k], higher[k - 2] + 1);
		}
	}
	return row[nb];
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t len = strlen(candidate);
	unsigned d = edit_distance(n->word, n->len, candidate, len);
	/* A third of the letters may be wrong; whoever typed the beginning meant the rest. */
	unsigned most = (unsigned)n->len / 3 + 1;

	if (n->len >= 3 && !strncmp(n->word, candidate, n->len))
		d = 0;
	if (d <= most && (!n->best || d < n->distance)) {
		n->best = candidate;
		n->distance = d;
	}
}

struct lookup {
	const char *name;
	size_t len;
	char letter;
	const struct argp_option *found; /* by name, or the beginning of one */
	const struct argp_option *short_found;
	struct nearest near;
};

static void look_up(void *arg, const struct argp_option *o)
{
	struct lookup *l = arg;

	if (l->letter && o->key == l->letter)
		l->short_found = o;
	if (!o->name || !l->name)
		return;
	if (!strncmp(o->name, l->name, l->len) && (!l->found || !o->name[l->len]))
		l->found = o;
	nearest_try(&l->near, o->name);
}

static bool wants_value(const struct argp_option *o)
{
	return o && o->arg && !(o->flags & OPTION_ARG_OPTIONAL);
}

/* Of "-vo": does the value of its last letter stand in the next word? */
static bool letters_want_value(const struct argp *argp, const char *letters)
{
	for (; *letters; letters++) {
		struct lookup l = {.letter = *letters};

		options_walk(argp, look_up, &l);
		if (wants_value(l.short_found))
			return !letters[1];
	}
	return false;
}

const char *options_unknown(
	const struct argp *argp, int argc, char **argv, bool in_order, const char **near)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *word = argv[i], *name = word[0] == '-' ? word + 2 : word;
		struct lookup l = {.name = name, .len = strcspn(name, "=")};

		if (word[0] != '-' && in_order)
			break;
		if (word[0] != '-' || strncmp(word, "--", 2) != 0) {
			i += word[0] == '-' && letters_want_value(argp, word + 1);
			continue;
		}
		l.near = (struct nearest){.word = name, .len = l.len};
		options_walk(argp, look_up, &l);
		*near = l.near.best;
		if (!l.found)
			return word;
		i += wants_value(l.found) && !name[l.len];
	}
	return NULL;
}
