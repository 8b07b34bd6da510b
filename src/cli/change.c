#include "base/param.h"
#include "cli/cli.h"
#include "cli/verbs.h"

/* Verbs that change something: one POST each, answered with what became of it. */

/* "approve 01KA...: on record, by alice". */
static int told(struct cli *c, const struct json *answer) {
	struct str id = json_str(json_get(answer, "id")), by = json_str(json_get(answer, "by"));
	struct str words = str_printf(&c->arena, "%s" STR_FMT STR_FMT ": on record, by " STR_FMT "\n", c->verb->name,
	                              STR_ARG(id.n ? STR(" ") : id), STR_ARG(id), STR_ARG(by));
	return cli_print(c, words);
}

static int post(struct cli *c, struct str path) {
	const struct json *answer = NULL;
	struct str why = args_get(&c->args, "why"), duration = args_get(&c->args, "for"),
			   scope = args_get(&c->args, "scope");
	struct buf body;
	int64_t for_ns = 0;

	if (duration.p && (duration_parse(duration, &for_ns) || for_ns <= 0))
		return cli_fail(c, EXIT_USAGE, "--for takes a duration like 30m or 2h, not '" STR_FMT "'", STR_ARG(duration));
	buf_init(&body, 1 << 16);
	struct json_out o = json_out(&body);
	json_begin_object(&o);
	if (why.p) json_kv_str(&o, "why", why);
	if (scope.p) json_kv_str(&o, "scope", scope);
	if (for_ns) json_kv_double(&o, "for_s", (double)for_ns / (double)NS_PER_SEC);
	json_end_object(&o);
	int code = client_post(c, path, buf_get(&body), &answer);
	buf_done(&body);
	if (code) return code;
	if (c->format == OUT_TABLE) return told(c, answer);
	return print_object(c, answer);
}

static int on_id(struct cli *c, const char *kind, const char *what) {
	if (c->args.positional_count != 1) return cli_fail(c, EXIT_USAGE, "%s takes one ID", c->verb->name);
	return post(c, str_printf(&c->arena, "/api/v1/%s/" STR_FMT "/%s", kind, STR_ARG(c->args.positional[0]), what));
}

int verb_approve(struct cli *c) {
	return on_id(c, "actions", "approve");
}
int verb_reject(struct cli *c) {
	return on_id(c, "actions", "reject");
}
int verb_undo(struct cli *c) {
	return on_id(c, "actions", "undo");
}
int verb_incident_ack(struct cli *c) {
	return on_id(c, "incidents", "ack");
}
int verb_incident_wrong(struct cli *c) {
	return on_id(c, "incidents", "wrong");
}
int verb_incident_mute(struct cli *c) {
	return on_id(c, "incidents", "mute");
}
int verb_pause(struct cli *c) {
	return post(c, STR("/api/v1/pause"));
}
int verb_resume(struct cli *c) {
	return post(c, STR("/api/v1/resume"));
}
