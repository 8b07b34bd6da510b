#include "sim/run/demo_story.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/event.h"
#include "model/signal.h"

#define WIDTH        100
#define TIME_WIDTH   11
#define WORD_WIDTH   10
#define INDENT       (TIME_WIDTH + WORD_WIDTH)
#define EVIDENCE_MAX 3
#define OTHERS_MAX   400 /* bytes of "also out of band" */

enum paint { PLAIN, BOLD, DIM, RED, YELLOW, GREEN, BLUE };

struct teller {
	const struct demo_chapter *c;
	const struct json *events;
	struct demo_style style;
	struct buf *out;
	struct demo_outcome *o;
	bool seen; /* the incident's own signals were told */
	bool cause_told;
	char others[OTHERS_MAX]; /* what else left its band, one cascade */
	char told_action[32];
};

static const char *paint_code(struct demo_style s, enum paint p) {
	static const char *const codes[] = {
		"\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[33m", "\033[32m", "\033[34m"
	};
	return s.color ? codes[p] : "";
}

/* Columns of UTF-8 text. */
static size_t columns(const char *s) {
	size_t n = 0;
	for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Up to the next place where a line may be broken: a number keeps its unit, "4.9 ms". */
static size_t unbroken(const char *p) {
	size_t n = strcspn(p, " ");
	if (!p[n] || p[n - (n > 0)] < '0' || p[n - (n > 0)] > '9') return n;
	size_t unit = strcspn(p + n + 1, " ,.;)");
	return unit <= 3 ? n + 1 + strcspn(p + n + 1, " ") : n;
}

/* A line in its columns: time, word, text; the text is folded at WIDTH and goes on below itself. */
static void line(struct teller *t, double at_s, enum paint paint, const char *word, const char *text) {
	char time[32] = "";
	if (!isnan(at_s)) snprintf(time, sizeof time, at_s < 100 ? "+%.1f s" : "+%.0f s", at_s);
	buf_printf(t->out, "%s%*s%s  %s%s%-*s%s", paint_code(t->style, DIM), TIME_WIDTH - 2, time,
	           paint_code(t->style, PLAIN), paint_code(t->style, BOLD), paint_code(t->style, paint), WORD_WIDTH, word,
	           paint_code(t->style, PLAIN));
	if (!*word || paint == DIM) buf_c(t->out, paint_code(t->style, DIM));
	size_t at = INDENT;
	for (const char *p = text; *p;) {
		char piece[256];
		size_t n = unbroken(p);
		if (n >= sizeof piece) n = sizeof piece - 1;
		memcpy(piece, p, n);
		piece[n] = 0;
		size_t wide = columns(piece);
		if (at > INDENT && at + 1 + wide > WIDTH) {
			buf_printf(t->out, "\n%*s", INDENT, "");
			at = INDENT;
		} else if (at > INDENT) {
			buf_byte(t->out, ' ');
			at++;
		}
		buf_add(t->out, piece, n);
		at += wide;
		p += n + (p[n] == ' ');
	}
	buf_c(t->out, paint_code(t->style, PLAIN));
	buf_byte(t->out, '\n');
}

__attribute__((format(printf, 5, 6))) static void linef(struct teller *t, double at_s, enum paint paint,
                                                        const char *word, const char *fmt, ...) {
	char text[1024];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	line(t, at_s, paint, word, text);
}

/* ---- reading events ---- */

static double since_onset(const struct demo_chapter *c, const struct json *time) {
	struct wall at = { 0 };
	struct str s = json_str(time);
	return wall_parse(s.p, s.n, &at) ? (double)(at.ns - c->onset.ns) / 1e9 : (double)NAN;
}

static double event_s(const struct teller *t, const struct json *event) {
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

static void tell_incident(struct teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data");
	double at = event_s(t, event);
	char text[256];
	t->o->incidents++;
	json_each(signal, json_get(data, "signals")) {
		signal_text(signal, text, sizeof text);
		line(t, at, RED, "seen", text);
	}
	text_of(json_str(json_get(data, "incident")), text, 40);
	linef(t, at, RED, "incident", "%s, severity %.2f", text, json_double(json_get(data, "severity"), 0));
	if (isnan(t->o->detected_s)) {
		t->o->detected_s = at;
		snprintf(t->o->incident, sizeof t->o->incident, "%.26s", text);
	}
	t->seen = true;
}

/* The rest of the cascade: in one line later, since it is one incident. */
static void keep_other(struct teller *t, const struct json *event) {
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

static void tell_others(struct teller *t) {
	if (*t->others) linef(t, NAN, DIM, "", "the same incident also holds: %s", t->others);
	t->others[0] = 0;
}

static void tell_none(struct teller *t, const struct json *data, double at) {
	char text[256];
	text_of(json_str(json_get(data, "reason")), text, sizeof text);
	line(t, at, YELLOW, "cause", text);
}

static void tell_cause(struct teller *t, const struct json *event) {
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
	linef(t, at, YELLOW, "cause", STR_FMT ", " STR_FMT ", %.0f %% sure", STR_ARG(entity), STR_ARG(kind),
	      100 * json_double(json_get(cause, "confidence"), 0));
	json_each(evidence, json_get(cause, "evidence")) {
		if (shown++ == EVIDENCE_MAX) break;
		linef(t, NAN, DIM, "", "- " STR_FMT, STR_ARG(json_str(evidence)));
	}
	if (isnan(t->o->cause_s)) {
		t->o->cause_s = at;
		t->o->right = is_it(t->c, entity) && among(kind, t->c->causes);
	}
	snprintf(t->o->cause, sizeof t->o->cause, "%s", named);
	t->cause_told = true;
}

/* Every gate's answer: those that let it pass by name, the others with their reason. */
static void tell_gates(struct teller *t, const struct json *data) {
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
	line(t, NAN, DIM, "gates", text);
}

static void tell_planned(struct teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data");
	struct str summary = json_str(json_get(data, "summary")), decision = json_str(json_get(data, "decision"));
	char text[512];
	double at = event_s(t, event);
	text_of(summary, text, sizeof text);
	if (!json_str(json_get(data, "kind")).n) {
		if (json_get(data, "cause") && json_get(data, "cause")->kind == JSON_OBJECT) t->o->escalated = true;
		const char *after = strstr(text, "escalation, no action: ");
		line(t, at, BLUE, "people", after ? after + strlen("escalation, no action: ") : text);
		return;
	}
	tell_gates(t, data);
	if (!str_is(decision, "do")) {
		linef(t, at, BLUE, "decision", STR_FMT ": %s", STR_ARG(decision), text);
		return;
	}
	line(t, at, BLUE, "action", text);
	text_of(json_str(json_get(data, "action")), t->o->action, sizeof t->o->action);
	if (isnan(t->o->acted_s)) t->o->acted_s = at;
	t->o->actions++;
}

static void tell_log(struct teller *t, const struct json *event) {
	const struct json *data = json_get(event, "data");
	struct str state = json_str(json_get(data, "state"));
	char why[300];
	double at = event_s(t, event);
	text_of(json_str(json_get(data, "why")), why, sizeof why);
	if (str_is(state, "claimed") || str_is(state, "acting")) return; /* said by the action and its end */
	if (str_is(state, "verified")) {
		tell_others(t);
		double since = since_onset(t->c, json_path(data, "verification.since"));
		linef(t, at, GREEN, "verified", "%s, since +%.1f s", why, since);
		if (isnan(t->o->resolved_s)) t->o->resolved_s = at;
		return;
	}
	bool bad = str_is(state, "failed") || str_is(state, "ineffective") || str_is(state, "expired");
	char word[32];
	text_of(str_is(state, "verifying") ? STR("settled") : state, word, sizeof word);
	line(t, at, bad ? RED : PLAIN, word, why);
}

static void tell_resolved(struct teller *t, const struct json *event) {
	struct str how = json_str(json_path(event, "data.how"));
	double since = since_onset(t->c, json_path(event, "data.in_band_since"));
	tell_others(t);
	if (str_is(how, "in_band"))
		linef(t, event_s(t, event), GREEN, "over", "every signal of the incident is within its band since +%.1f s",
		      since);
	else
		linef(t, event_s(t, event), YELLOW, "over", "it ends without a cure: " STR_FMT, STR_ARG(how));
}

static void tell_event(struct teller *t, const struct json *event) {
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

void demo_tell(const struct demo_chapter *c, const struct json *events, struct demo_style style, struct buf *out,
               struct demo_outcome *outcome) {
	struct teller t = { .c = c, .events = events, .style = style, .out = out, .o = outcome };
	char clock[32];
	*outcome = (struct demo_outcome){ .detected_s = NAN, .cause_s = NAN, .acted_s = NAN, .resolved_s = NAN };
	wall_format(c->onset, clock);
	buf_printf(out, "\n%s%d. %s on %s at %.8s%s: %s\n\n", paint_code(style, BOLD), c->number, c->fault, c->target,
	           clock + 11, paint_code(style, PLAIN), c->words);
	line(&t, 0, DIM, "breaks", "the simulation breaks it and tells nobody");
	if (c->delivered_s >= 0)
		linef(&t, c->delivered_s, DIM, "arrives", "the first telemetry that the fault has touched");
	json_each(event, events) {
		double at = event_s(&t, event);
		if (isnan(at) || at < 0 || at >= (double)(c->end.ns - c->onset.ns) / 1e9) continue;
		tell_event(&t, event);
	}
	tell_others(&t);
	if (isnan(outcome->detected_s)) line(&t, NAN, RED, "missed", "Flyball did not see it");
}

/* ---- the closing table ---- */

#define CELL 64

static void seconds(double s, const char *never, char out[CELL]) {
	char text[24];
	snprintf(text, sizeof text, s < 100 ? "%.1f s" : "%.0f s", s);
	snprintf(out, CELL, "%.40s", isnan(s) ? never : text);
}

static void row(struct buf *out, const char *name, char cells[][CELL], size_t n) {
	buf_printf(out, "  %-30s", name);
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s", cells[i]);
		for (size_t w = columns(cells[i]); i + 1 < n && w < 33; w++) buf_byte(out, ' ');
	}
	buf_byte(out, '\n');
}

#define CHAPTERS_MAX 8

void demo_table(const struct demo_chapter *c, const struct demo_outcome *o, size_t n, struct demo_style style,
                struct buf *out) {
	char cells[CHAPTERS_MAX][CELL];
	if (n > CHAPTERS_MAX) n = CHAPTERS_MAX;
	buf_printf(out, "\n%sIn short%s, since each fault began\n\n", paint_code(style, BOLD), paint_code(style, PLAIN));
	for (size_t i = 0; i < n; i++) snprintf(cells[i], CELL, "%.30s on %.25s", c[i].fault, c[i].target);
	row(out, "", cells, n);
	for (size_t i = 0; i < n; i++) seconds(o[i].detected_s, "missed", cells[i]);
	row(out, "Flyball: detected", cells, n);
	for (size_t i = 0; i < n; i++) {
		char at[CELL];
		seconds(o[i].cause_s, "", at);
		if (isnan(o[i].cause_s))
			snprintf(cells[i], CELL, "not named");
		else
			snprintf(cells[i], CELL, "%.20s, %s", at, o[i].right ? "right" : "wrong");
	}
	row(out, "         cause named", cells, n);
	for (size_t i = 0; i < n; i++) {
		bool by_people = isnan(o[i].resolved_s) && o[i].escalated && !o[i].actions;
		seconds(o[i].resolved_s, by_people ? "told to people, nothing touched" : "not resolved", cells[i]);
	}
	row(out, "         resolved, verified", cells, n);
	for (size_t i = 0; i < n; i++) seconds(c[i].alarm_s[1], "no alarm", cells[i]);
	row(out, "alarms of ten seconds", cells, n);
	for (size_t i = 0; i < n; i++) seconds(c[i].alarm_s[0], "no alarm", cells[i]);
	row(out, "alarms of one minute", cells, n);
	buf_c(out, "\n  The alarms are static thresholds on the same telemetry; they name no cause and mend nothing:\n"
	           "  a person begins to look when they ring.\n");
}
