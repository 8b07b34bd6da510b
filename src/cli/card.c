#include "cli/card.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "model/signal.h"

/* Control bytes of what others sent never reach a terminal. */
static void put(struct buf *out, struct str s) {
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		buf_byte(out, c < 0x20 || c == 0x7f ? ' ' : c);
	}
}

static void line(struct buf *out, const char *label, struct str value) {
	if (!value.n) return;
	buf_printf(out, "%-9s ", label);
	put(out, value);
	buf_byte(out, '\n');
}

static struct str text(const struct json *v, const char *path) {
	return json_str(json_path(v, path));
}

static struct wall at(const struct json *v, const char *path) {
	struct wall t = { 0 };
	struct str s = text(v, path);
	return s.n && wall_parse(s.p, s.n, &t) ? t : (struct wall){ 0 };
}

/* "2026-01-05 10:03:12 UTC", and how long after `from` where that is known. */
static void moment(struct buf *out, const char *label, struct wall t, struct wall from) {
	char when[32], took[32], words[96];
	if (!t.ns) return;
	wall_format(t, when);
	bool later = from.ns && t.ns > from.ns;
	duration_format((t.ns - from.ns) / NS_PER_SEC * NS_PER_SEC, took);
	snprintf(words, sizeof words, "%.10s %.8s UTC%s%s", when, when + 11, later ? ", after " : "", later ? took : "");
	line(out, label, str_of(words));
}

static void listed(struct buf *out, const char *label, const struct json *list) {
	json_each(it, list) {
		line(out, label, json_str(it));
		label = "";
	}
}

static void sentence(struct buf *out, const char *label, const char *fmt, ...) PRINTF(3, 4);
static void sentence(struct buf *out, const char *label, const char *fmt, ...) {
	char words[512];
	va_list args;
	va_start(args, fmt);
	vsnprintf(words, sizeof words, fmt, args);
	va_end(args);
	line(out, label, str_of(words));
}

static void signal_line(struct buf *out, const char *label, const struct json *g) {
	char value[SIGNAL_TEXT_MAX], usual[SIGNAL_TEXT_MAX];
	struct str name = text(g, "signal");
	double expected = json_double(json_get(g, "expected"), NAN);
	signal_named_text(name, json_double(json_get(g, "value"), NAN), value);
	signal_named_text(name, expected, usual);
	sentence(out, label, STR_FMT ": " STR_FMT " %s%s%s", STR_ARG(text(g, "entity")), STR_ARG(name), value,
	         isnan(expected) ? "" : ", usually ", isnan(expected) ? "" : usual);
}

void card_incident(const struct json *row, struct buf *out) {
	const struct json *cause = json_at(json_path(row, "rca.root_causes"), 0);
	struct wall began = at(row, "onset");
	const char *label = "Signals";
	line(out, "Incident", text(row, "id"));
	line(out, "State", text(row, "state"));
	if (cause)
		sentence(out, "Cause", STR_FMT " of " STR_FMT ", %.0f %% sure", STR_ARG(text(cause, "kind")),
		         STR_ARG(text(cause, "entity")), 100 * json_double(json_get(cause, "confidence"), NAN));
	else
		line(out, "Cause", json_path(row, "rca.none") ? STR("none could be named") : STR("not known yet"));
	moment(out, "Began", began, (struct wall){ 0 });
	moment(out, "Found", at(row, "opened"), began);
	moment(out, "Over", at(row, "resolved"), began);
	double severity = json_double(json_get(row, "severity"), NAN);
	if (!isnan(severity)) sentence(out, "Severity", "%.2f of 1", severity);
	listed(out, "Seen at", json_get(row, "entities"));
	json_each(g, json_get(row, "signals")) {
		signal_line(out, label, g);
		label = "";
	}
	listed(out, "Actions", json_get(row, "actions"));
	line(out, "A person", text(row, "escalation.why"));
	buf_printf(out, "\nWhy it acted, or did not: flyball explain " STR_FMT "\n", STR_ARG(text(row, "id")));
}

static void checks(const struct json *row, struct buf *out) {
	json_each(g, json_get(row, "gates")) {
		struct str verdict = text(g, "verdict");
		if (!str_is(verdict, "deny") && !str_is(verdict, "wait")) continue;
		sentence(out, str_is(verdict, "deny") ? "Refused" : "Waits", STR_FMT, STR_ARG(text(g, "reason")));
	}
}

void card_action(const struct json *row, struct buf *out) {
	struct wall planned = at(row, "times.planned");
	line(out, "Action", text(row, "action"));
	line(out, "State", text(row, "state"));
	line(out, "What", text(row, "summary"));
	sentence(out, "Handler", STR_FMT ", mode " STR_FMT ", attempt %lld", STR_ARG(text(row, "handler")),
	         STR_ARG(text(row, "mode")), (long long)json_int(json_get(row, "attempt"), 1));
	line(out, "Found by", text(row, "target.mapped_by"));
	checks(row, out);
	moment(out, "Planned", planned, (struct wall){ 0 });
	moment(out, "Applied", at(row, "times.applied"), planned);
	moment(out, "Settled", at(row, "times.settled"), planned);
	moment(out, "Ended", at(row, "times.ended"), planned);
	line(out, "Result", text(row, "result.why"));
	line(out, "Approved", text(row, "result.approved_by"));
	line(out, "Incident", text(row, "incident"));
	if (str_is(text(row, "state"), "waiting") && str_is(text(row, "decision"), "ask"))
		buf_printf(out, "\nIt waits for a person: flyball approve " STR_FMT ", or flyball reject " STR_FMT "\n",
		           STR_ARG(text(row, "action")), STR_ARG(text(row, "action")));
	buf_printf(out, "\nWhy it acted, or did not: flyball explain " STR_FMT "\n", STR_ARG(text(row, "action")));
}
