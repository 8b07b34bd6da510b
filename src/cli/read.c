#include <stdio.h>

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
	{ "SERVICE", "service" },
	{ "SIGNALS", "signals" },
	{ "SOURCE", "source" },
	{ "SAMPLING", "sampling" },
	{ "WORKLOAD", "workload" },
	{ "WHY NOT", "why_not" },
	COLUMN_END,
};
static const struct out_column graph_columns[] = {
	{ "CALLER", "caller" }, { "CALLEE", "callee" }, { "KIND", "kind" }, { "CALLS", "calls" }, COLUMN_END,
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

/* New events every second, until interrupted: each page resumes behind the last position. */
static int follow(struct cli *c, struct str path, const struct json *first) {
	struct process *p = c->world->process;
	const struct json *answer = first;
	while (!p->ops->stopping(p)) {
		struct str next = json_str(json_get(answer, "next"));
		int64_t position = json_int(json_get(answer, "next"), 0);
		world_linux_wait(c->real, (struct mono){ clock_mono(c->world->clock).ns + NS_PER_SEC });
		struct str more = next.n ? str_printf(&c->arena, STR_FMT "&after=" STR_FMT, STR_ARG(path), STR_ARG(next))
								 : str_printf(&c->arena, STR_FMT "&after=%lld", STR_ARG(path), (long long)position);
		int code = client_get(c, more, &answer);
		if (code) return code;
		print_rows(c, event_columns, answer);
	}
	return EXIT_DONE;
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
