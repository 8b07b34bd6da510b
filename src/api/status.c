#include "api/status.h"

#include <stdio.h>

/* ---- small words ---- */

static const struct json *part(const struct json *status, const char *name) {
	return json_get(json_get(json_get(status, "parts"), name), "status");
}

static int64_t count(const struct json *part, const char *key) {
	return json_int(json_get(part, key), 0);
}

/* "1 service", "2 services" */
static void number(struct buf *out, int64_t n, const char *what) {
	buf_printf(out, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
}

static void label(struct buf *out, const char *word) {
	buf_printf(out, "%-11s", word);
}

/* ---- the lines ---- */

static void head(const struct json *status, struct buf *out) {
	const char *comma = "";
	buf_printf(out, "Flyball " STR_FMT " is ", STR_ARG(json_str(json_get(status, "version"))));
	if (json_bool(json_get(status, "ready"), false)) {
		buf_c(out, "ready.\n\n");
		return;
	}
	buf_c(out, "not ready yet; it waits for: ");
	json_each(p, json_get(status, "parts")) {
		if (json_bool(json_get(p, "ready"), true)) continue;
		buf_printf(out, "%s" STR_FMT, comma, STR_ARG(p->key));
		comma = ", ";
	}
	buf_c(out, "\n\n");
}

static void incidents(const struct json *control, struct buf *out) {
	int64_t open = count(control, "incidents_open"), person = count(control, "incidents_escalated"),
			asking = count(control, "approvals_pending");
	label(out, "Incidents");
	if (!open && !person) buf_c(out, "none is open");
	if (open) buf_printf(out, "%lld open", (long long)open);
	if (person) buf_printf(out, "%s%lld handed to a person", open ? ", " : "", (long long)person);
	if (open || person) buf_c(out, " (flyball incidents)");
	buf_byte(out, '\n');
	if (!asking) return;
	label(out, "Approvals");
	buf_printf(out, "%lld action%s a person (flyball actions)\n", (long long)asking,
	           asking == 1 ? " waits for" : "s wait for");
}

static void pauses(const struct json *control, struct buf *out) {
	if (json_bool(json_get(control, "paused"), false)) {
		label(out, "");
		buf_c(out, "PAUSED by the configuration (policy.paused): nothing is done\n");
	}
	json_each(p, json_get(control, "pauses")) {
		struct str scope = json_str(json_get(p, "scope")), until = json_str(json_get(p, "until")),
				   why = json_str(json_get(p, "why"));
		label(out, "");
		buf_printf(out, "PAUSED: " STR_FMT ", by " STR_FMT "%s" STR_FMT "%s" STR_FMT "\n",
		           STR_ARG(scope.n ? scope : STR("everything")), STR_ARG(json_str(json_get(p, "by"))),
		           until.n ? " until " : "", STR_ARG(until), why.n ? ": " : "", STR_ARG(why));
	}
}

/* "2 handlers only say what they would do (observe), 1 acts by itself (auto)" */
static void handlers(const struct json *control, struct buf *out) {
	static const struct {
		const char *mode, *one, *many;
	} modes[] = {
		{ "observe", "only says what it would do (observe)", "only say what they would do (observe)" },
		{ "approve", "asks first (approve)", "ask first (approve)" },
		{ "auto", "acts by itself (auto)", "act by themselves (auto)" },
	};
	const char *comma = "";
	label(out, "");
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		int64_t n = 0;
		json_each(h, json_get(control, "handlers")) n += str_is(json_str(json_get(h, "mode")), modes[i].mode);
		if (!n) continue;
		buf_c(out, comma);
		number(out, n, "handler");
		buf_printf(out, " %s", n == 1 ? modes[i].one : modes[i].many);
		comma = ", ";
	}
	buf_c(out, *comma ? "\n" : "no handler is configured\n");
}

static void acting(const struct json *status, const struct json *control, struct buf *out) {
	const struct json *target = part(status, "target");
	label(out, "Acting");
	if (!target)
		buf_c(out, "nothing to act on is configured (target:), so everything is only told\n");
	else if (json_bool(json_get(target, "ready"), false))
		buf_c(out, "the target answers, and what is known of it is fresh\n");
	else
		buf_printf(out, "not now: " STR_FMT "\n", STR_ARG(json_str(json_get(target, "reason"))));
	handlers(control, out);
	pauses(control, out);
	if (str_is(json_str(json_get(control, "phase")), "standby")) {
		label(out, "");
		buf_c(out, "another process holds the lease: this one stands by\n");
	}
}

static void watching(const struct json *observe, struct buf *out) {
	struct str saved = json_str(json_get(observe, "checkpoint")),
			   refused = json_str(json_get(observe, "refused_checkpoint"));
	label(out, "Watching");
	number(out, count(observe, "entities"), "service");
	buf_c(out, " and databases, ");
	number(out, count(observe, "edges"), "call");
	buf_c(out, " between them, ");
	buf_printf(out, "%lld series\n", (long long)count(observe, "series"));
	label(out, "");
	if (count(observe, "checkpoint_generation") && saved.n)
		buf_printf(out, "what was learned was last saved at %.10s %.8s UTC\n", saved.p,
		           saved.n > 19 ? saved.p + 11 : "");
	else
		buf_c(out, "what was learned has not been saved yet\n");
	if (!refused.n) return;
	label(out, "");
	buf_printf(out, "what had been saved was refused, and is learned anew: " STR_FMT "\n", STR_ARG(refused));
}

static void port(struct buf *out, const char *what, int64_t number, const char *comma) {
	if (number >= 0)
		buf_printf(out, "%s%s on port %lld", comma, what, (long long)number);
	else
		buf_printf(out, "%s%s off", comma, what);
}

static void telemetry(const struct json *ingest, struct buf *out) {
	label(out, "Telemetry");
	port(out, "OTLP over gRPC", json_int(json_get(ingest, "otlp_grpc"), -1), "");
	port(out, "over HTTP", json_int(json_get(ingest, "otlp_http"), -1), ", ");
	buf_byte(out, '\n');
}

static void on_record(const struct json *control, struct buf *out) {
	int64_t n = json_int(json_path(control, "audit.seq"), 0);
	label(out, "On record");
	buf_printf(out, "%lld %s in the decision log (flyball audit verify)\n", (long long)n, n == 1 ? "entry" : "entries");
}

void status_words(const struct json *status, struct buf *out) {
	const struct json *control = part(status, "control"), *observe = part(status, "observe"),
					  *ingest = part(status, "ingest");
	head(status, out);
	if (control) {
		incidents(control, out);
		acting(status, control, out);
	}
	if (observe) watching(observe, out);
	if (ingest) telemetry(ingest, out);
	if (control)
		on_record(control, out);
	else
		buf_c(out, "This is what a daemon left behind: nothing of it runs here.\n");
}
