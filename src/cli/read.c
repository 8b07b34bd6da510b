#include "cli/read.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/card.h"
#include "cli/verbs.h"

/* Verbs that read: one GET each, printed as rows or whole. */

static const struct out_column incident_columns[] = {
	{ "ID", "id" },
	{ "STATE", "state", OUT_STATE },
	{ "FOUND (UTC)", "opened", OUT_TIME },
	{ "OVER (UTC)", "resolved", OUT_TIME, .spare = 4 },
	{ "SEVERITY", "severity", OUT_ROUND, .spare = 3 },
	{ "KIND", "cause_kind", .spare = 1 },
	{ "CAUSE", "cause", .cut = true },
	{ "SEEN AT", "entities", .spare = 2, .cut = true },
	COLUMN_END,
};
static const struct out_column action_columns[] = {
	{ "ID", "id" },
	{ "STATE", "state", OUT_STATE },
	{ "PLANNED (UTC)", "times.planned", OUT_TIME },
	{ "WHAT", "summary", .cut = true },
	{ "HANDLER", "handler", .spare = 2 },
	{ "MODE", "mode", .spare = 1 },
	{ "INCIDENT", "incident", .spare = 3 },
	COLUMN_END,
};
static const struct out_column coverage_columns[] = {
	{ "SERVICE", "entity" },
	{ "REQUESTS FROM", "source", .spare = 1 },
	{ "SAMPLED", "sampling", OUT_SHARE, .spare = 2 },
	{ "MODEL", "model" },
	{ "PODS", "pods" },
	{ "ACTS ON", "acts_on.object", .cut = true },
	{ "FOUND BY", "acts_on.mapped_by", .spare = 3 },
	{ "WHY NOT", "acts_on_missing", .cut = true },
	COLUMN_END,
};
static const struct out_column graph_columns[] = {
	{ "FROM", "from" },
	{ "TO", "to" },
	{ "KIND", "kind", .spare = 1 },
	{ "CALLS/S", "calls_per_s", OUT_ROUND },
	{ "FAILED", "failed", OUT_SHARE },
	{ "MEAN S", "mean_s", OUT_ROUND },
	COLUMN_END,
};

/* To a person who would otherwise wonder. */
static void hint(const struct cli *c, const char *words) {
	if (!c->quiet && isatty(2)) fprintf(stderr, "%s\n", words);
}

/* Rows, or for people who watch a word where there are none. */
static int list(struct cli *c, const struct out_column *columns, const struct json *items, const char *none) {
	if (c->format == OUT_TABLE && c->terminal && (!items || !items->child)) {
		hint(c, none);
		return EXIT_DONE;
	}
	return print_rows(c, columns, items);
}

/* As a table the answer's own words, else all of it. */
static int words_or_whole(struct cli *c, const struct json *answer) {
	struct str text = json_str(json_get(answer, "text"));
	if (c->format != OUT_TABLE || !text.n) return print_object(c, answer);
	return print_words(c, text);
}

int read_get(struct cli *c, struct str path, const struct json **out) {
	int code = client_local(c, ROLE_API);
	return code ? code : client_get(c, path, out);
}

/* A directory without a checkpoint, or with one that cannot be read, shows nothing: that is told. */
static int checkpoint_there(struct cli *c) {
	const struct json *answer = NULL;
	struct str dir = args_get(&c->args, "state");
	int code = dir.p ? client_get(c, STR("/api/v1/status"), &answer) : EXIT_DONE;
	if (code || !dir.p) return code;
	const struct json *observe = json_path(answer, "parts.observe.status");
	struct str refused = json_str(json_get(observe, "refused_checkpoint"));
	if (refused.n)
		return cli_fail(c, EXIT_USAGE, STR_FMT ": what is saved there cannot be used: " STR_FMT, STR_ARG(dir),
		                STR_ARG(refused));
	if (json_int(json_get(observe, "checkpoint_generation"), 0) > 0) return EXIT_DONE;
	return cli_fail(c, EXIT_NEGATIVE,
	                STR_FMT
	                " holds no checkpoint yet: a daemon that has seen telemetry saves one every minute, and when "
	                "it is stopped",
	                STR_ARG(dir));
}

/* Of what the observer knows: a directory holds it as well, in its checkpoint. */
static int get_view(struct cli *c, struct str path, const struct json **out) {
	int code = client_local(c, ROLE_API | ROLE_VIEW);
	if (!code) code = checkpoint_there(c);
	return code ? code : client_get(c, path, out);
}

/* ---- incidents and actions ---- */

struct rows {
	const char *path, *none;
	const struct out_column *columns;
	void (*card)(const struct json *, struct buf *);
};

static int one(struct cli *c, const struct rows *r) {
	const struct json *answer = NULL;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	int code = read_get(c, str_printf(&c->arena, "%s/" STR_FMT, r->path, STR_ARG(c->args.positional[0])), &answer);
	if (code) return code;
	if (c->format != OUT_TABLE) return print_object(c, answer);
	r->card(answer, &b);
	return print_words(c, buf_get(&b));
}

static int all(struct cli *c, const struct rows *r) {
	const struct json *answer = NULL;
	struct why why = { "" };
	int64_t limit = 100;
	if (args_int(&c->args, "limit", 100, 1, 1000, &limit, &why)) return cli_fail(c, EXIT_USAGE, "%s", why.text);
	int code = read_get(c, str_printf(&c->arena, "%s?limit=%lld", r->path, (long long)limit), &answer);
	if (!code) code = list(c, r->columns, json_get(answer, "items"), r->none);
	if (!code && json_str(json_get(answer, "next")).n) hint(c, "There are older ones: --limit N shows more.");
	return code;
}

/* LIST without an argument, one whole with ID. */
static int list_or_one(struct cli *c, const struct rows *r) {
	return c->args.positional_count ? one(c, r) : all(c, r);
}

int verb_incidents(struct cli *c) {
	static const struct rows r = { "/api/v1/incidents", "No incident so far.", incident_columns, card_incident };
	return list_or_one(c, &r);
}

int verb_actions(struct cli *c) {
	static const struct rows r = { "/api/v1/actions", "No action so far.", action_columns, card_action };
	return list_or_one(c, &r);
}

int verb_explain(struct cli *c) {
	const struct json *answer = NULL;
	if (c->args.positional_count != 1) return cli_fail(c, EXIT_USAGE, "explain takes the ID of an incident or action");
	int code = read_get(c, str_printf(&c->arena, "/api/v1/explain/" STR_FMT, STR_ARG(c->args.positional[0])), &answer);
	return code ? code : words_or_whole(c, answer);
}

/* ---- what the daemon knows now ---- */

int verb_status(struct cli *c) {
	const struct json *answer = NULL;
	int code = client_local(c, ROLE_API | ROLE_VIEW);
	if (!code) code = client_get(c, STR("/api/v1/status"), &answer);
	return code ? code : words_or_whole(c, answer);
}

int verb_coverage(struct cli *c) {
	const struct json *answer = NULL;
	int code = get_view(c, STR("/api/v1/coverage"), &answer);
	if (code) return code;
	return list(c, coverage_columns, json_get(answer, "services"),
	            "No service is known yet: point an OpenTelemetry SDK or Collector at Flyball.");
}

int verb_graph(struct cli *c) {
	const struct json *answer = NULL;
	int code = get_view(c, STR("/api/v1/graph"), &answer);
	if (code) return code;
	if (c->format == OUT_JSON) return print_object(c, answer);
	return list(c, graph_columns, json_get(answer, "edges"), "No call is known yet: spans tell who calls whom.");
}
