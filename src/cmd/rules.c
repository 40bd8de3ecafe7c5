/* SPDX-License-Identifier: BSD-2-Clause
 *
 * rules: the catalogue, as a list or one rule in full.
 */
#include "cmd/cmd.h"

#include "check/catalogue.h"
#include "cmd/render_json.h"

struct rules {
	struct cmd_env *env;
	const char *id;
};

static error_t parse_rules(int key, char *arg, struct argp_state *state)
{
	struct rules *r = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, r->env);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "one rule at a time");
		r->id = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static struct json_object *json_rule(const struct rule *r)
{
	struct json_object *o = json_object_new_object();

	json_put(o, "id", json_text(r->id));
	json_put(o, "severity", json_text(severity_name(r->severity)));
	json_put(o, "summary", json_text(r->summary));
	json_put(o, "explanation", json_text(r->explanation));
	json_put(o, "remedy", json_text(r->remedy));
	return o;
}

static int print_json(const struct rule *one, FILE *out, struct err *err)
{
	struct json_object *doc = json_object_new_object(), *array = json_object_new_array();
	size_t i;

	json_put(doc, "schema", json_text("xbdsnap/1"));
	json_put(doc, "rules", array);
	for (i = 0; i < catalogue_nr(); i++)
		if (!one || one == catalogue_rule(i))
			json_object_array_add(array, json_rule(catalogue_rule(i)));
	return json_print(doc, out, err);
}

static void print_text(const struct rule *one, FILE *out)
{
	size_t i;

	if (one) {
		fprintf(out, "%s %s: %s\n\n%s\n\n%s\n", severity_name(one->severity), one->id,
			one->summary, one->explanation, one->remedy);
		return;
	}
	for (i = 0; i < catalogue_nr(); i++) {
		const struct rule *r = catalogue_rule(i);

		fprintf(out, "%s  %-7s  %s\n", r->id, severity_name(r->severity), r->summary);
	}
}

int cmd_rules(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.parser = parse_rules,
		.args_doc = "[ID]",
		.doc = "List what can be found, or explain one rule." CMD_HELP_STATUS,
		.children = children};
	struct rules r = {.env = env};
	const struct rule *one = NULL;

	cmd_parse(&argp, argc, argv, &r);
	if (r.id) {
		one = catalogue_find(r.id);
		if (!one)
			return err_set(err, ERR_USAGE, "there is no rule '%s'", r.id);
	}
	if (env->json)
		return print_json(one, env->out, err);
	print_text(one, env->out);
	return CMD_OK;
}
