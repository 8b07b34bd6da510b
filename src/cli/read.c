#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "cli/cli.h"
#include "cli/verbs.h"

/* Verbs that read: one GET each, printed as rows or whole. */

static const struct out_column incident_columns[] = {
	{ "ID", "id" },       { "STATE", "state" },     { "OPENED", "opened" },     { "SEVERITY", "severity" },
	{ "CAUSE", "cause" }, { "KIND", "cause_kind" }, { "ENTITIES", "entities" }, { "RESOLVED", "resolved" },
	COLUMN_END,
};
static const struct out_column action_columns[] = {
	{ "ID", "id" },     { "STATE", "state" },       { "KIND", "kind" },         { "SUMMARY", "summary" },
	{ "MODE", "mode" }, { "DECISION", "decision" }, { "INCIDENT", "incident" }, COLUMN_END,
};
static const struct out_column event_columns[] = {
	{ "TIME", "time" },         { "TYPE", "type" }, { "SUBJECT", "subject" },
	{ "SEVERITY", "severity" }, { "ID", "id" },     COLUMN_END,
};
static const struct out_column coverage_columns[] = {
	{ "ENTITY", "entity" }, { "SOURCE", "source" },     { "SAMPLING", "sampling" },        { "MODEL", "model" },
	{ "PODS", "pods" },     { "WORKLOAD", "workload" }, { "WHY NOT", "workload_missing" }, COLUMN_END,
};
static const struct out_column graph_columns[] = {
	{ "FROM", "from" },     { "TO", "to" },         { "KIND", "kind" }, { "CALLS/S", "calls_per_s" },
	{ "FAILED", "failed" }, { "MEAN S", "mean_s" }, COLUMN_END,
};

static int print_whole(struct cli *c, const struct json *v) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_put_value(&o, v);
	buf_byte(&b, '\n');
	int code = cli_print(c, buf_get(&b));
	buf_done(&b);
	return code;
}

static int print_rows(struct cli *c, const struct out_column *columns, const struct json *answer) {
	const struct json *items = json_get(answer, "items");
	if (!items) items = json_get(answer, "services");
	struct buf b;
	buf_init(&b, 0);
	out_rows(&b, c->format, columns, items ? items : answer);
	int code = cli_print(c, buf_get(&b));
	buf_done(&b);
	return code;
}

/* On a terminal the answer's own words (`text`), else the whole answer. */
static int print_text(struct cli *c, const struct json *answer) {
	struct str text = json_str(json_get(answer, "text"));
	if (c->format != OUT_TABLE || !text.n) return print_whole(c, answer);
	cli_print(c, text);
	return text.p[text.n - 1] == '\n' ? EXIT_DONE : cli_print(c, STR("\n"));
}

/* A path with ?limit=... and what else was given. ERR: printed. */
static int listing(struct cli *c, const char *path, struct str *out) {
	struct why why = { "" };
	struct str since = args_get(&c->args, "since"), type = args_get(&c->args, "type");
	int64_t limit = 100, ns = 0;
	if (args_int(&c->args, "limit", 100, 1, 1000, &limit, &why)) return cli_fail(c, EXIT_USAGE, "%s", why.text);
	*out = str_printf(&c->arena, "%s?limit=%lld", path, (long long)limit);
	if (since.p) {
		char text[32];
		if (duration_parse(since, &ns) || ns <= 0)
			return cli_fail(c, EXIT_USAGE, "--since takes a duration like 30m or 24h, not '" STR_FMT "'",
			                STR_ARG(since));
		wall_format((struct wall){ clock_wall(c->world->clock).ns - ns }, text);
		*out = str_printf(&c->arena, STR_FMT "&since=%s", STR_ARG(*out), text);
	}
	for (size_t i = 0; i < type.n; i++)
		if (type.p[i] != '_' && (type.p[i] < 'A' || type.p[i] > 'Z'))
			return cli_fail(c, EXIT_USAGE, "--type takes a name like INCIDENT_OPENED, not '" STR_FMT "'",
			                STR_ARG(type));
	if (type.n) *out = str_printf(&c->arena, STR_FMT "&type=" STR_FMT, STR_ARG(*out), STR_ARG(type));
	return EXIT_DONE;
}

static int get(struct cli *c, struct str path, const struct json **out) {
	int code = client_local(c);
	return code ? code : client_get(c, path, out);
}

/* LIST without an argument, one whole with ID. */
static int list_or_one(struct cli *c, const char *path, const struct out_column *columns) {
	const struct json *answer = NULL;
	struct str where = { 0 };
	if (c->args.positional_count > 1) return cli_fail(c, EXIT_USAGE, "%s takes at most one ID", c->verb->name);
	int code = EXIT_DONE;
	if (c->args.positional_count)
		where = str_printf(&c->arena, "%s/" STR_FMT, path, STR_ARG(c->args.positional[0]));
	else
		code = listing(c, path, &where);
	if (!code) code = get(c, where, &answer);
	if (code) return code;
	return c->args.positional_count ? print_whole(c, answer) : print_rows(c, columns, answer);
}

int verb_incidents(struct cli *c) {
	return list_or_one(c, "/api/v1/incidents", incident_columns);
}
int verb_actions(struct cli *c) {
	return list_or_one(c, "/api/v1/actions", action_columns);
}

int verb_explain(struct cli *c) {
	const struct json *answer = NULL;
	if (c->args.positional_count != 1) return cli_fail(c, EXIT_USAGE, "explain takes the ID of an incident or action");
	int code = get(c, str_printf(&c->arena, "/api/v1/explain/" STR_FMT, STR_ARG(c->args.positional[0])), &answer);
	return code ? code : print_text(c, answer);
}

int verb_status(struct cli *c) {
	const struct json *answer = NULL;
	int code = get(c, STR("/api/v1/status"), &answer);
	return code ? code : print_text(c, answer);
}

int verb_coverage(struct cli *c) {
	const struct json *answer = NULL;
	int code = get(c, STR("/api/v1/coverage"), &answer);
	return code ? code : print_rows(c, coverage_columns, answer);
}

int verb_graph(struct cli *c) {
	const struct json *answer = NULL;
	int code = get(c, STR("/api/v1/graph"), &answer);
	if (code) return code;
	const struct json *edges = json_get(answer, "edges");
	return c->format == OUT_JSON ? print_whole(c, answer) : print_rows(c, graph_columns, edges ? edges : answer);
}

/* Where the page after this one begins: behind its last event. */
static bool cursor(const struct json *answer, char *out, size_t n) {
	const struct json *next = json_get(answer, "next");
	if (!next || (next->kind != JSON_STRING && next->kind != JSON_NUMBER) || next->text.n >= n) return false;
	memcpy(out, next->text.p, next->text.n);
	out[next->text.n] = 0;
	return true;
}

/* New events every second, until interrupted; each page has a memory of its own. */
static int follow(struct cli *c, struct str path, const struct json *first) {
	struct process *p = c->world->process;
	struct arena kept = c->arena;
	char after[64] = "0";
	int code = EXIT_DONE;
	(void)cursor(first, after, sizeof after);
	while (!p->ops->stopping(p) && !code) {
		const struct json *answer = NULL;
		world_linux_wait(c->real, (struct mono){ clock_mono(c->world->clock).ns + NS_PER_SEC });
		arena_init(&c->arena, 0);
		code = client_get(c, str_printf(&c->arena, STR_FMT "&after=%s", STR_ARG(path), after), &answer);
		if (!code) print_rows(c, event_columns, answer);
		if (!code) (void)cursor(answer, after, sizeof after);
		arena_done(&c->arena);
	}
	c->arena = kept;
	return code;
}

int verb_events(struct cli *c) {
	const struct json *answer = NULL;
	struct str path = { 0 };
	int code = listing(c, "/api/v1/events", &path);
	if (!code) code = get(c, path, &answer);
	if (code) return code;
	print_rows(c, event_columns, answer);
	return args_has(&c->args, "follow") ? follow(c, path, answer) : EXIT_DONE;
}
