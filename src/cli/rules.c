#include <stdio.h>

#include "bus/pattern.h"
#include "cli/cli.h"
#include "cli/verbs.h"

#define RULES_MAX (64 << 20)

/* JSON's errors name the byte; people look for a line. */
static void with_line(struct str text, struct why *why) {
	unsigned at = 0, line = 1;
	if (sscanf(why->text, "JSON, byte %u", &at) != 1) return;
	for (size_t i = 0; i < at && i < text.n; i++) line += text.p[i] == '\n';
	(void)why_prefix(why, ERR_INVALID, "line %u", line);
}

static int read_json(struct cli *c, struct str path, const struct json **out) {
	struct str text = { 0 };
	struct why why = { "" };
	enum err e = cli_read(c, &c->arena, path, RULES_MAX, &text, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	e = json_parse(&c->arena, text, out, &why);
	if (!e) return EXIT_DONE;
	with_line(text, &why);
	(void)why_file(&why, e, str_c(&c->arena, path));
	return cli_fail(c, EXIT_USAGE, "%s", why.text);
}

/* The rules file: one object, name to pattern. */
static int read_rules(struct cli *c, struct str path, const struct json **out) {
	int code = read_json(c, path, out);
	if (code) return code;
	if ((*out)->kind != JSON_OBJECT)
		return cli_fail(c, EXIT_USAGE, STR_FMT ": rules are {\"name\": {pattern}, ...}", STR_ARG(path));
	return EXIT_DONE;
}

static enum err compile(struct cli *c, const struct json *rule, struct pattern **out, struct why *why) {
	return pattern_compile(&c->arena, rule->text, out, why);
}

int verb_rules_check(struct cli *c) {
	static const struct out_column columns[] = {
		{ "RULE", "rule" }, { "OK", "ok" }, { "REASON", "reason" }, COLUMN_END
	};
	const struct json *rules = NULL;
	bool all = true;
	struct buf b;
	if (c->args.positional_count != 1) return cli_fail(c, EXIT_USAGE, "rules check takes one FILE");
	int code = read_rules(c, c->args.positional[0], &rules);
	if (code) return code;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_begin_array(&o);
	json_each(rule, rules) {
		struct pattern *p = NULL;
		struct why why = { "" };
		enum err e = compile(c, rule, &p, &why);
		all &= e == OK;
		json_begin_object(&o);
		json_kv_str(&o, "rule", rule->key);
		json_kv_bool(&o, "ok", e == OK);
		json_kv_c(&o, "reason", e ? (why.text[0] ? why.text : err_text(e)) : NULL);
		json_end_object(&o);
	}
	json_end_array(&o);
	code = print_made(c, columns, &b);
	buf_done(&b);
	return code ? code : all ? EXIT_DONE : EXIT_NEGATIVE;
}

int verb_rules_test(struct cli *c) {
	static const struct out_column columns[] = {
		{ "RULE", "rule" }, { "MATCHES", "matches" }, { "FAILED", "failed" }, COLUMN_END
	};
	const struct json *rules = NULL, *event = NULL;
	struct why why = { "" };
	struct buf b;
	bool any = false;
	if (c->args.positional_count != 2) return cli_fail(c, EXIT_USAGE, "rules test takes FILE EVENT");
	int code = read_rules(c, c->args.positional[0], &rules);
	if (!code) code = read_json(c, c->args.positional[1], &event);
	if (code) return code;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_begin_array(&o);
	json_each(rule, rules) {
		struct pattern *p = NULL;
		if (compile(c, rule, &p, &why)) {
			code = cli_fail(c, EXIT_USAGE, "rule '" STR_FMT "': %s", STR_ARG(rule->key), why.text);
			break;
		}
		bool matches = pattern_match(p, event);
		any |= matches;
		json_begin_object(&o);
		json_kv_str(&o, "rule", rule->key);
		json_kv_bool(&o, "matches", matches);
		json_key(&o, "failed");
		if (matches)
			json_put_null(&o);
		else
			json_put_str(&o, pattern_explain(p, event, &c->arena));
		json_end_object(&o);
	}
	json_end_array(&o);
	if (!code) code = print_made(c, columns, &b);
	buf_done(&b);
	return code ? code : any ? EXIT_DONE : EXIT_NEGATIVE;
}
