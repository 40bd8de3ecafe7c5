/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/show.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cmd/options.h"
#include "cmd/table.h"

enum { OPT_BYTES = 0x600, OPT_TIMES };

static const char *const time_names[] = {
	[SHOW_AGES] = "age",
	[SHOW_SECONDS] = "seconds",
	[SHOW_UTC] = "utc",
};

static error_t parse_show(int key, char *arg, struct argp_state *state)
{
	struct show_style *style = state->input;
	size_t i;

	switch (key) {
	case OPT_BYTES:
		style->bytes = true;
		return 0;
	case OPT_TIMES:
		for (i = 0; i < ARRAY_SIZE(time_names); i++)
			if (!strcmp(time_names[i], arg)) {
				style->times = (enum show_times)i;
				return 0;
			}
		argp_error(state, "--time-format takes age, seconds or utc, not '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{.name = "bytes",
		.key = OPT_BYTES,
		.doc = "sizes in bytes, not in K, M or G",
		.group = OPTIONS_OUTPUT},
	{.name = "time-format",
		.key = OPT_TIMES,
		.arg = "age|seconds|utc",
		.doc = "before the save, or when (default age)",
		.group = OPTIONS_OUTPUT},
	{0},
};

const struct argp show_argp = {.options = options, .parser = parse_show};

void show_bytes(const struct show_style *style, uint64_t bytes, char *buf, size_t cap)
{
	if (style && style->bytes)
		snprintf(buf, cap, "%" PRIu64, bytes);
	else
		table_bytes(bytes, buf, cap);
}

#define NS 1000000000u

static bool show_utc(uint64_t age_ns, const struct guest_facts *guest, char *buf, size_t cap)
{
	struct tm tm;
	time_t t;

	if (!guest || !guest->wall_known || age_ns / NS > INT64_MAX / 2)
		return false;
	/* The guest's clock at the save has whole seconds. */
	t = (time_t)(guest->wall_sec - (int64_t)(age_ns / NS));
	return gmtime_r(&t, &tm) && strftime(buf, cap, "%FT%TZ", &tm);
}

bool show_age(const struct show_style *style, uint64_t age_ns, const struct guest_facts *guest,
	char *buf, size_t cap)
{
	switch (style ? style->times : SHOW_AGES) {
	case SHOW_UTC:
		return show_utc(age_ns, guest, buf, cap);
	case SHOW_SECONDS:
		snprintf(
			buf, cap, "%" PRIu64 ".%03" PRIu64, age_ns / NS, age_ns % NS / (NS / 1000));
		return true;
	default:
		table_duration(age_ns, buf, cap);
		return true;
	}
}

static const struct {
	const char *word, *color, *escape;
} colors[] = {
	{"error", "red", "\033[31m"},
	{"NO", "red", "\033[31m"},
	{"hole", "red", "\033[31m"},
	{"torn", "red", "\033[31m"},
	{"unreadable", "red", "\033[31m"},
	{"warning", "brown", "\033[33m"},
	{"not-landed", "brown", "\033[33m"},
	{"responded", "brown", "\033[33m"},
	{"?", "magenta", "\033[35m"},
	{"unknown", "magenta", "\033[35m"},
	{"unsupported", "magenta", "\033[35m"},
};

static size_t find_color(const char *word)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(colors) && strcmp(colors[i].word, word) != 0)
		i++;
	return i;
}

const char *show_color(const char *word)
{
	size_t i = find_color(word);

	return i < ARRAY_SIZE(colors) ? colors[i].color : NULL;
}

const char *show_begin(bool on, const char *word)
{
	size_t i = find_color(word);

	return on && i < ARRAY_SIZE(colors) ? colors[i].escape : "";
}

const char *show_end(bool on, const char *word)
{
	return *show_begin(on, word) ? "\033[0m" : "";
}
