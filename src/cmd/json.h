/* SPDX-License-Identifier: BSD-2-Clause
 *
 * json.h - values and members of a JSON document, for every command.
 *
 * Addresses, frame numbers and memory handles are "0x..." strings; sectors, counts and sizes are
 * numbers; what is unknown is null. A value is a new object; NULL is null. What is lost for want
 * of memory is an error of json_print(). Members are taken over.
 */
#ifndef XB_CMD_JSON_H
#define XB_CMD_JSON_H

#include <json.h>

#include "frontend/request.h"

struct json_object *json_hex(uint64_t v);
struct json_object *json_hex_or_null(uint64_t v, uint64_t unknown);
struct json_object *json_num_or_null(uint64_t v, uint64_t unknown);
struct json_object *json_int_or_null(int v); /* below zero: null */
/* NULL and "" give null; broken UTF-8 is replaced. */
struct json_object *json_text(const char *text);
struct json_object *json_tri(enum tri v);

void json_put(struct json_object *o, const char *key, struct json_object *value);
void json_put_num(struct json_object *o, const char *key, uint64_t v);
void json_put_text(struct json_object *o, const char *key, const char *text);
void json_put_bool(struct json_object *o, const char *key, bool v);

/*
 * A value that is made when the document is written, and freed then: a tree takes ten times the
 * memory of its text. `arg` lives as long as the document.
 */
struct json_object *json_later(struct json_object *(*make)(const void *arg), const void *arg);

/* {"schema": ...}, with which every document begins. */
struct json_object *json_new_document(void);
/* Write and free; a document that is NULL could not be made for want of memory. */
int json_print(struct json_object *doc, FILE *out, struct err *err) MUST_CHECK;

#endif
