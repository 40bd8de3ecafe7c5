/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/json.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"

/* Of the document that is made, or written, in this thread. Not every json-c hands a failure on. */
static _Thread_local struct {
	FILE *out;   /* NULL: nobody prints */
	bool failed; /* something of it was lost for want of memory */
} printing;

static struct json_object *or_lost(struct json_object *o)
{
	printing.failed |= !o;
	return o;
}

struct json_object *json_hex(uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	return or_lost(json_object_new_string(text));
}

struct json_object *json_hex_or_null(uint64_t v, uint64_t unknown)
{
	return v == unknown ? NULL : json_hex(v);
}

struct json_object *json_num_or_null(uint64_t v, uint64_t unknown)
{
	return v == unknown ? NULL : or_lost(json_object_new_uint64(v));
}

struct json_object *json_int_or_null(int v)
{
	return v < 0 ? NULL : json_object_new_int(v);
}

struct json_object *json_text(const char *text)
{
	CLEANUP_FREE char *valid = NULL;

	if (!text || !*text)
		return NULL;
	valid = cmd_valid_utf8(text, strlen(text));
	return or_lost(valid ? json_object_new_string(valid) : NULL);
}

struct json_object *json_tri(enum tri v)
{
	return v == TRI_UNKNOWN ? NULL : json_object_new_boolean(v == TRI_YES);
}

void json_put(struct json_object *o, const char *key, struct json_object *value)
{
	if (o && !json_object_object_add(o, key, value))
		return;
	printing.failed = true;
	json_object_put(value);
}

void json_put_num(struct json_object *o, const char *key, uint64_t v)
{
	json_put(o, key, json_object_new_uint64(v));
}

void json_put_text(struct json_object *o, const char *key, const char *text)
{
	json_put(o, key, json_text(text));
}

void json_put_bool(struct json_object *o, const char *key, bool v)
{
	json_put(o, key, json_object_new_boolean(v));
}

#define PRINT_AT_ONCE 65536

struct later {
	struct json_object *(*make)(const void *arg);
	const void *arg;
};

/* As json-c does at this level of a pretty document: two blanks each. */
static int put_indented(struct printbuf *out, const char *text, int level, int flags)
{
	const char *end;

	for (; (end = strchr(text, '\n')) && flags & JSON_C_TO_STRING_PRETTY; text = end + 1)
		if (printbuf_memappend(out, text, (int)(end + 1 - text)) < 0 ||
			printbuf_memset(out, -1, ' ', 2 * level) < 0)
			return -1;
	return printbuf_memappend(out, text, (int)strlen(text)) < 0 ? -1 : 0;
}

/* A document of many requests need not be in memory as a whole. */
static int write_so_far(struct printbuf *out)
{
	if (!printing.out || out->bpos < PRINT_AT_ONCE)
		return 0;
	if (fwrite(out->buf, 1, (size_t)out->bpos, printing.out) != (size_t)out->bpos)
		return -1;
	printbuf_reset(out);
	return 0;
}

static int print_later(struct json_object *o, struct printbuf *out, int level, int flags)
{
	const struct later *l = json_object_get_userdata(o);
	struct json_object *value = l->make(l->arg);
	const char *text = value ? json_object_to_json_string_ext(value, flags) : NULL;
	int rc = text ? put_indented(out, text, level, flags) : -1;

	json_object_put(value);
	rc = rc ? rc : write_so_far(out);
	printing.failed |= rc < 0;
	return rc;
}

static void free_later(struct json_object *o UNUSED, void *userdata)
{
	free(userdata);
}

struct json_object *json_later(struct json_object *(*make)(const void *arg), const void *arg)
{
	struct json_object *o = json_object_new_object();
	struct later *l = malloc(sizeof(*l));

	if (!o || !l) {
		json_object_put(o);
		free(l);
		return or_lost(NULL);
	}
	*l = (struct later){make, arg};
	json_object_set_serializer(o, print_later, l, free_later);
	return o;
}

struct json_object *json_new_document(void)
{
	struct json_object *doc = json_object_new_object();

	json_put_text(doc, "schema", "xbdsnap/1");
	return doc;
}

int json_print(struct json_object *doc, FILE *out, struct err *err)
{
	const char *text;
	int rc = 0;

	printing.out = out;
	text = doc ? json_object_to_json_string_ext(
			     doc, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)
		   : NULL;
	printing.out = NULL;
	if (ferror(out))
		rc = err_sys(err, "cannot write the output");
	else if (!text || printing.failed)
		rc = err_nomem(err, "the JSON document");
	else if (fputs(text, out) == EOF || fputc('\n', out) == EOF)
		rc = err_sys(err, "cannot write the output");
	printing.failed = false;
	json_object_put(doc);
	return rc;
}
