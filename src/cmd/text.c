/* SPDX-License-Identifier: BSD-2-Clause
 *
 * text.c - text of the guest, made safe for a terminal or for JSON.
 */
#include "cmd/cmd.h"

#include <string.h>

/* Length of the well-formed UTF-8 sequence at p (RFC 3629), 0 when it is none. */
static size_t utf8_step(const unsigned char *p, size_t left)
{
	static const struct {
		unsigned char first_lo, first_hi, second_lo, second_hi;
		size_t bytes;
	} forms[] = {
		{0x00, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		if (*p < forms[i].first_lo || *p > forms[i].first_hi || left < forms[i].bytes)
			continue;
		if (forms[i].bytes > 1 && (p[1] < forms[i].second_lo || p[1] > forms[i].second_hi))
			continue;
		for (k = 2; k < forms[i].bytes && (p[k] & 0xc0) == 0x80; k++)
			;
		if (forms[i].bytes <= 2 || k == forms[i].bytes)
			return forms[i].bytes;
	}
	return 0;
}

/* U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: a name that they turn round reads as another.
 */
static bool turns_writing(const unsigned char *p, size_t step)
{
	return step == 3 && p[0] == 0xe2 &&
	       ((p[1] == 0x80 &&
			(p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xaa && p[2] <= 0xae))) ||
		       (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

/* C0 and C1 controls and DEL move the cursor, change colours or rename windows. */
static bool is_control(const unsigned char *p, size_t step)
{
	return (step == 1 && (*p < 0x20 || *p == 0x7f)) ||
	       (step == 2 && p[0] == 0xc2 && p[1] < 0xa0) || turns_writing(p, step);
}

static char *convert_text(const char *text, size_t bytes, bool for_terminal)
{
	const unsigned char *p = (const unsigned char *)text;
	char *out = malloc(bytes * 8 + 1), *to = out;
	size_t left, step;

	if (!out)
		return NULL;
	for (left = bytes; left; p += step, left -= step) {
		size_t i;

		step = utf8_step(p, left);
		if (for_terminal && (!step || is_control(p, step))) {
			step = step ? step : 1;
			for (i = 0; i < step; i++)
				to += sprintf(to, "\\x%02x", p[i]);
		} else if (!step) {
			step = 1;
			memcpy(to, "\xef\xbf\xbd", 3);
			to += 3;
		} else {
			memcpy(to, p, step);
			to += step;
		}
	}
	*to = 0;
	return out;
}

char *cmd_safe_text(const char *text, size_t bytes)
{
	return convert_text(text, bytes, true);
}

char *cmd_valid_utf8(const char *text, size_t bytes)
{
	return convert_text(text, bytes, false);
}
