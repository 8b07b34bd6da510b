#include "sim/run/demo_story.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/event.h"
#include "model/signal.h"

#define EVIDENCE_MAX 3
#define ESCALATION   "escalation, no action: " /* how the summary of one begins */

/* What others wrote (names, evidence) never commands a terminal. */
static void disarm(char *s) {
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f) *s = ' ';
}

static void line(struct demo_teller *t, double at_s, enum demo_tone tone, const char *word, const char *text) {
	char plain[1024], first[DEMO_WORD_WIDTH];
	snprintf(plain, sizeof plain, "%s", text);
	snprintf(first, sizeof first, "%s", word);
	disarm(plain);
	disarm(first);
	struct demo_line l = { at_s, tone, first, plain };
	t->sink.line(t->sink.self, &l);
}

__attribute__((format(printf, 5, 6))) static void linef(struct demo_teller *t, double at_s, enum demo_tone tone,
                                                        const char *word, const char *fmt, ...) {
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	line(t, at_s, tone, word, text);
}

__attribute__((format(printf, 2, 3))) static void knows(struct demo_teller *t, const char *fmt, ...) {
	va_list args;
	va_start(args, fmt);
	vsnprintf(t->knows, sizeof t->knows, fmt, args);
	va_end(args);
	disarm(t->knows);
}

__attribute__((format(printf, 3, 4))) static void does(struct demo_teller *t, enum demo_phase phase, const char *fmt,
                                                       ...) {
	va_list args;
	va_start(args, fmt);
	vsnprintf(t->does, sizeof t->does, fmt, args);
	va_end(args);
	disarm(t->does);
	t->phase = phase;
}

/* ---- reading events ---- */

static double since_onset(const struct demo_chapter *c, const struct json *time) {
	struct wall at = { 0 };
	struct str s = json_str(time);
	return wall_parse(s.p, s.n, &at) ? (double)(at.ns - c->onset.ns) / 1e9 : (double)NAN;
}

static double event_s(const struct demo_teller *t, const struct json *event) {
	return since_onset(t->c, json_get(event, "time"));
}

static void text_of(struct str s, char *out, size_t n) {
	snprintf(out, n, STR_FMT, STR_ARG(s));
}

static void signal_text(const struct json *signal, char *out, size_t n) {
	struct str name = json_str(json_get(signal, "signal"));
	char value[SIGNAL_TEXT_MAX], expected[SIGNAL_TEXT_MAX];
	double usual = json_double(json_get(signal, "expected"), NAN);
	signal_named_text(name, json_double(json_get(signal, "value"), NAN), value);
	signal_named_text(name, usual, expected);
	snprintf(out, n, STR_FMT ": " STR_FMT " %s%s%s", STR_ARG(json_str(json_get(signal, "entity"))), STR_ARG(name),
	         value, isnan(usual) ? "" : ", usually ", isnan(usual) ? "" : expected);
}

static bool among(struct str word, const char *list) {
	for (struct str head, tail, rest = str_of(list); rest.n; rest = tail) {
		(void)str_cut(rest, '|', &head, &tail);
		if (str_eq(word, head)) return true;
	}
	return false;
}

static bool is_it(const struct demo_chapter *c, struct str entity) {
	return str_is(entity, c->entity) || (c->alias && str_is(entity, c->alias));
}

/* ---- lines, by type of event ---- */

static void tell_incident(struct demo_teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data");
	double at = event_s(t, event);
	char text[256];
	t->o->incidents++;
	json_each(signal, json_get(data, "signals")) {
		signal_text(signal, text, sizeof text);
		line(t, at, DEMO_BAD, "seen", text);
	}
	text_of(json_str(json_get(data, "incident")), text, 40);
	linef(t, at, DEMO_BAD, "incident", "%s, severity %.2f", text, json_double(json_get(data, "severity"), 0));
	if (isnan(t->o->detected_s)) {
		t->o->detected_s = at;
		snprintf(t->o->incident, sizeof t->o->incident, "%.26s", text);
	}
	t->seen = true;
	const struct json *first = json_at(json_get(data, "signals"), 0);
	if (first) signal_text(first, text, sizeof text);
	knows(t, "an incident: %s", text);
	does(t, DEMO_FOUND, "looks for the cause: who calls whom, and whose signals left their band first");
}

/* The rest of the cascade: in one line later, since it is one incident. */
static void keep_other(struct demo_teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data");
	char text[128];
	size_t n = strlen(t->others);
	if (!t->seen) return;
	snprintf(text, sizeof text, STR_FMT " " STR_FMT, STR_ARG(json_str(json_get(data, "entity"))),
	         STR_ARG(json_str(json_get(data, "signal"))));
	if (strstr(t->others, text)) return;
	if (n + strlen(text) + 3 < sizeof t->others)
		snprintf(t->others + n, sizeof t->others - n, "%s%s", n ? ", " : "", text);
}

static void tell_others(struct demo_teller *t) {
	if (*t->others) linef(t, NAN, DEMO_DIM, "", "the same incident also holds: %s", t->others);
	t->others[0] = 0;
}

static void tell_none(struct demo_teller *t, const struct json *data, double at) {
	char text[256];
	text_of(json_str(json_get(data, "reason")), text, sizeof text);
	line(t, at, DEMO_WARN, "cause", text);
	knows(t, "an incident, and no cause yet: %s", text);
}

static void tell_cause(struct demo_teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data"), *cause = json_at(json_get(data, "root_causes"), 0);
	struct str entity = json_str(json_get(cause, "entity")), kind = json_str(json_get(cause, "kind"));
	double at = event_s(t, event);
	char named[sizeof t->o->cause];
	int shown = 0;
	if (json_bool(json_get(data, "none"), true)) {
		if (!t->cause_told) tell_none(t, data, at);
		return;
	}
	snprintf(named, sizeof named, STR_FMT " (" STR_FMT ")", STR_ARG(entity), STR_ARG(kind));
	if (!strcmp(named, t->o->cause)) return; /* a later report says it again */
	tell_others(t);
	linef(t, at, DEMO_WARN, "cause", STR_FMT ", " STR_FMT ", %.0f %% sure", STR_ARG(entity), STR_ARG(kind),
	      100 * json_double(json_get(cause, "confidence"), 0));
	json_each(evidence, json_get(cause, "evidence")) {
		if (shown++ == EVIDENCE_MAX) break;
		linef(t, NAN, DEMO_DIM, "", "- " STR_FMT, STR_ARG(json_str(evidence)));
	}
	if (isnan(t->o->cause_s)) {
		t->o->cause_s = at;
		t->o->right = is_it(t->c, entity) && among(kind, t->c->causes);
	}
	snprintf(t->o->cause, sizeof t->o->cause, "%s", named);
	t->cause_told = true;
	knows(t, "the cause is " STR_FMT " (" STR_FMT "), %.0f %% sure", STR_ARG(entity), STR_ARG(kind),
	      100 * json_double(json_get(cause, "confidence"), 0));
	if (t->phase == DEMO_FOUND) does(t, DEMO_NAMED, "asks its gates whether it may act");
}

/* Every gate's answer: those that let it pass by name, the others with their reason. */
static void tell_gates(struct demo_teller *t, const struct json *data) {
	char text[900];
	size_t n = 0;
	int pass = 0, absent = 0;
	json_each(gate, json_get(data, "gates")) {
		pass += str_is(json_str(json_get(gate, "verdict")), "pass");
		absent += str_is(json_str(json_get(gate, "verdict")), "not_configured");
	}
	if (!pass && !absent) return;
	n = (size_t)snprintf(text, sizeof text, "%d pass (", pass);
	bool first = true;
	json_each(gate, json_get(data, "gates")) {
		if (!str_is(json_str(json_get(gate, "verdict")), "pass") || n > 700) continue;
		n += (size_t)snprintf(text + n, sizeof text - n, "%s" STR_FMT, first ? "" : ", ",
		                      STR_ARG(json_str(json_get(gate, "name"))));
		first = false;
	}
	n += (size_t)snprintf(text + n, sizeof text - n, "), %d not configured", absent);
	json_each(gate, json_get(data, "gates")) {
		struct str verdict = json_str(json_get(gate, "verdict"));
		if (str_is(verdict, "pass") || str_is(verdict, "not_configured") || n > 700) continue;
		n += (size_t)snprintf(text + n, sizeof text - n, "; " STR_FMT ": " STR_FMT ", " STR_FMT, STR_ARG(verdict),
		                      STR_ARG(json_str(json_get(gate, "name"))), STR_ARG(json_str(json_get(gate, "reason"))));
	}
	line(t, NAN, DEMO_DIM, "gates", text);
}

static void tell_planned(struct demo_teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data");
	struct str summary = json_str(json_get(data, "summary")), decision = json_str(json_get(data, "decision"));
	char text[512];
	double at = event_s(t, event);
	text_of(summary, text, sizeof text);
	if (!json_str(json_get(data, "kind")).n) {
		if (json_get(data, "cause") && json_get(data, "cause")->kind == JSON_OBJECT) t->o->escalated = true;
		const char *after = strstr(text, ESCALATION);
		line(t, at, DEMO_ACT, "people", after ? after + strlen(ESCALATION) : text);
		if (isnan(t->o->told_s)) t->o->told_s = at;
		does(t, DEMO_WAITS, "leaves it to people: %s", after ? after + strlen(ESCALATION) : text);
		return;
	}
	tell_gates(t, data);
	if (!str_is(decision, "do")) {
		linef(t, at, DEMO_ACT, "decision", STR_FMT ": %s", STR_ARG(decision), text);
		does(t, DEMO_WAITS, "does not act (" STR_FMT "): %s", STR_ARG(decision), text);
		return;
	}
	does(t, DEMO_ACTING, "%s", text);
	snprintf(t->act, sizeof t->act, "%.180s", text);
	line(t, at, DEMO_ACT, "action", text);
	text_of(json_str(json_get(data, "action")), t->o->action, sizeof t->o->action);
	if (isnan(t->o->acted_s)) t->o->acted_s = at;
	t->o->actions++;
}

static void tell_log(struct demo_teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data");
	struct str state = json_str(json_get(data, "state"));
	char why[300];
	double at = event_s(t, event);
	text_of(json_str(json_get(data, "why")), why, sizeof why);
	if (str_is(state, "claimed") || str_is(state, "acting")) return; /* said by the action and its end */
	if (str_is(state, "verified")) {
		tell_others(t);
		double since = since_onset(t->c, json_path(data, "verification.since"));
		linef(t, at, DEMO_GOOD, "verified", "%s, since +%.1f s", why, since);
		if (isnan(t->o->resolved_s)) t->o->resolved_s = at;
		does(t, DEMO_OVER, "verified: %s", t->act);
		return;
	}
	bool bad = str_is(state, "failed") || str_is(state, "ineffective") || str_is(state, "expired");
	bool settled = str_is(state, "verifying");
	char word[32];
	text_of(settled ? STR("settled") : str_is(state, "ineffective") ? STR("no effect") : state, word, sizeof word);
	line(t, at, bad ? DEMO_BAD : DEMO_PLAIN, word, why);
	if (bad)
		does(t, DEMO_WAITS, "its action has not helped: %s", why);
	else
		does(t, DEMO_ACTING, "%s: %s", settled ? "watches whether it helped" : word, t->act);
}

static void tell_resolved(struct demo_teller *t, const struct json *event) {
	struct str how = json_str(json_path(event, "data.how"));
	double since = since_onset(t->c, json_path(event, "data.in_band_since")), at = event_s(t, event);
	tell_others(t);
	knows(t, str_is(how, "in_band") ? "every signal of the incident is within its band again"
	                                : "the incident ended without a cure");
	if (t->phase != DEMO_ACTING)
		does(t, DEMO_OVER, "watches"); /* else its verification comes */ /* else its verification comes */
	if (str_is(how, "in_band") && isnan(t->o->over_s)) t->o->over_s = at;
	if (str_is(how, "in_band"))
		linef(t, at, DEMO_GOOD, "over", "every signal of the incident is within its band since +%.1f s", since);
	else
		linef(t, at, DEMO_WARN, "over", "it ends without a cure: " STR_FMT, STR_ARG(how));
}

static void tell_event(struct demo_teller *t, const struct json *event) {
	switch (event_type_of(json_str(json_get(event, "type")))) {
	case EVENT_INCIDENT_OPENED: tell_incident(t, event); return;
	case EVENT_ANOMALY_DETECTED: keep_other(t, event); return;
	case EVENT_RCA_REPORT: tell_cause(t, event); return;
	case EVENT_ACTION_PLANNED: tell_planned(t, event); return;
	case EVENT_ACTION_LOG: tell_log(t, event); return;
	case EVENT_INCIDENT_RESOLVED: tell_resolved(t, event); return;
	default: return; /* a model that is ready: no part of this */
	}
}

/* ---- a chapter ---- */

void demo_teller_begin(struct demo_teller *t, const struct demo_chapter *c, struct demo_sink sink,
                       struct demo_outcome *outcome) {
	*t = (struct demo_teller){ .c = c, .sink = sink, .o = outcome };
	*outcome = (struct demo_outcome){
		.detected_s = NAN, .cause_s = NAN, .acted_s = NAN, .resolved_s = NAN, .over_s = NAN, .told_s = NAN
	};
	knows(t, "nothing yet: no incident is open");
	does(t, DEMO_QUIET, "watches");
	line(t, 0, DEMO_DIM, "breaks", "the simulation breaks it and tells nobody");
}

void demo_teller_arrived(struct demo_teller *t, double delivered_s) {
	line(t, delivered_s, DEMO_DIM, "arrives", "the first telemetry that the fault has touched");
}

void demo_teller_event(struct demo_teller *t, const struct json *event) {
	double at = event_s(t, event);
	if (isnan(at) || at < 0 || at >= (double)(t->c->end.ns - t->c->onset.ns) / 1e9) return;
	tell_event(t, event);
}

void demo_teller_end(struct demo_teller *t) {
	tell_others(t);
	if (isnan(t->o->detected_s)) line(t, NAN, DEMO_BAD, "missed", "Flyball did not see it");
}

void demo_heading(const struct demo_chapter *c, char *out, size_t n) {
	char clock[32];
	wall_format(c->onset, clock);
	snprintf(out, n, "%d. %s on %s at %.8s: %s", c->number, c->fault, c->target, clock + 11, c->words);
}

struct writer {
	struct demo_style style;
	struct buf *out;
};

static void write_line(void *self, const struct demo_line *l) {
	struct writer *w = self;
	demo_line_write(l, w->style, w->out);
}

void demo_tell(const struct demo_chapter *c, const struct json *events, struct demo_style style, struct buf *out,
               struct demo_outcome *outcome) {
	struct writer w = { style, out };
	struct demo_teller t;
	char heading[400];
	demo_heading(c, heading, sizeof heading);
	buf_printf(out, "\n%s", demo_paint(style, DEMO_BOLD));
	demo_paragraph(heading, style, out);
	buf_printf(out, "%s\n", demo_paint(style, DEMO_PLAIN));
	demo_teller_begin(&t, c, (struct demo_sink){ write_line, &w }, outcome);
	if (c->delivered_s >= 0) demo_teller_arrived(&t, c->delivered_s);
	json_each(event, events) demo_teller_event(&t, event);
	demo_teller_end(&t);
}
