#include "api/story.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/param.h"
#include "model/cause.h"
#include "model/signal.h"

#define LINES_MAX 512
#define MORE_MAX  24

/* One moment: a sentence, and what stands below it. */
struct moment {
	struct wall at;
	int order; /* among moments of one instant: in the order they were told */
	struct str what;
	struct str more[MORE_MAX];
	size_t more_count;
};

struct story {
	struct arena *a;
	const struct story_facts *f;
	struct moment *moments;
	size_t count;
	struct str needed[MORE_MAX];
	size_t needed_count;
};

/* ---- small words ---- */

static struct str text(const struct json *v, const char *path) {
	return json_str(json_path(v, path));
}

static struct wall time_of(struct str s) {
	struct wall t = { 0 };
	if (!s.n || !wall_parse(s.p, s.n, &t)) return (struct wall){ 0 };
	return t;
}

static struct wall at(const struct json *v, const char *path) {
	return time_of(text(v, path));
}

static struct moment *say(struct story *s, struct wall when, struct str what) {
	if (!when.ns || !what.n || s->count == LINES_MAX) return NULL;
	struct moment *m = &s->moments[s->count];
	*m = (struct moment){ .at = when, .order = (int)s->count, .what = what };
	s->count++;
	return m;
}

static void more(struct moment *m, struct str what) {
	if (m && what.n && m->more_count < MORE_MAX) m->more[m->more_count++] = what;
}

static void need(struct story *s, struct str what) {
	for (size_t i = 0; i < s->needed_count; i++)
		if (str_eq(s->needed[i], what)) return;
	if (what.n && s->needed_count < MORE_MAX) s->needed[s->needed_count++] = what;
}

static const char *span(int64_t ns, char out[32]) {
	int64_t s = (ns + NS_PER_SEC / 2) / NS_PER_SEC;
	if (ns < NS_PER_SEC)
		snprintf(out, 32, "%lld ms", (long long)(ns / NS_PER_MS));
	else if (s < 60)
		snprintf(out, 32, "%lld s", (long long)s);
	else if (s < 3600)
		snprintf(out, 32, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else
		snprintf(out, 32, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
	return out;
}

static struct str list_words(struct arena *a, const struct json *list) {
	struct str s = { 0 };
	json_each(it, list) s = str_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(s), s.n ? ", " : "", STR_ARG(json_str(it)));
	return s;
}

/* ---- what was seen ---- */

static struct str named_value(struct arena *a, struct str signal, const struct json *v) {
	char words[SIGNAL_TEXT_MAX];
	signal_named_text(signal, json_double(v, NAN), words);
	return str_printf(a, "%s", words);
}

/* "usually 50 ms (normal up to 100 ms)", or nothing while that is not known. */
static struct str usual_words(struct arena *a, const struct json *g) {
	struct str name = text(g, "signal");
	const struct json *expected = json_get(g, "expected"), *low = json_get(g, "low"), *high = json_get(g, "high");
	if (!expected || expected->kind != JSON_NUMBER) return (struct str){ 0 };
	struct str usual = named_value(a, name, expected), to = named_value(a, name, high);
	if (!high || high->kind != JSON_NUMBER) return str_printf(a, ", usually " STR_FMT, STR_ARG(usual));
	if (!(json_double(low, 0) > 0))
		return str_printf(a, ", usually " STR_FMT " (normal up to " STR_FMT ")", STR_ARG(usual), STR_ARG(to));
	return str_printf(a, ", usually " STR_FMT " (normal from " STR_FMT " to " STR_FMT ")", STR_ARG(usual),
	                  STR_ARG(named_value(a, name, low)), STR_ARG(to));
}

/* "service/payment: duration 900 ms, usually 50 ms (normal up to 100 ms)"; no data is never zero. */
static struct str signal_words(struct arena *a, const struct json *g) {
	struct str name = text(g, "signal"), state = text(g, "state");
	struct str value = str_is(state, "value") || str_is(state, "zero")
	                       ? named_value(a, name, json_get(g, "value"))
	                       : str_printf(a, "no data (" STR_FMT ")", STR_ARG(state));
	return str_printf(a, STR_FMT ": " STR_FMT " " STR_FMT STR_FMT, STR_ARG(text(g, "entity")), STR_ARG(name),
	                  STR_ARG(value), STR_ARG(usual_words(a, g)));
}

static void tell_seen(struct story *s, const struct json *in) {
	struct arena *a = s->a;
	say(s, at(in, "onset"), STR("it began: the earliest signal left its usual band"));
	struct moment *m =
		say(s, at(in, "opened"),
	        str_printf(a, "found: severity %.2f of 1, at " STR_FMT, json_double(json_get(in, "severity"), NAN),
	                   STR_ARG(list_words(a, json_get(in, "entities")))));
	json_each(g, json_get(in, "signals")) more(m, signal_words(a, g));
}

/* ---- the cause ---- */

/* "memory shortage of service/cart" */
static struct str cause_words(struct arena *a, const struct json *c) {
	enum cause_kind k = CAUSE_UNKNOWN;
	(void)cause_kind_parse(text(c, "kind"), &k);
	return str_printf(a, "%s " STR_FMT, cause_kind_words(k), STR_ARG(text(c, "entity")));
}

static void tell_suspects(struct story *s, struct moment *m, const struct json *rca) {
	size_t n = 0;
	json_each(c, json_get(rca, "root_causes")) {
		if (n++ == 0 || n > 4) continue;
		more(m, str_printf(s->a, "also suspected: " STR_FMT ", %.0f %% sure", STR_ARG(cause_words(s->a, c)),
		                   100 * json_double(json_get(c, "confidence"), NAN)));
	}
}

static void tell_cause(struct story *s, const struct json *in) {
	struct arena *a = s->a;
	const struct json *rca = json_get(in, "rca"), *best = json_at(json_get(rca, "root_causes"), 0);
	if (!rca || rca->kind != JSON_OBJECT) return;
	if (!best) {
		struct str why = text(rca, "reason");
		say(s, at(in, "rca_at"), str_printf(a, "no cause could be named%s" STR_FMT, why.n ? ": " : "", STR_ARG(why)));
		return;
	}
	struct moment *m = say(s, at(in, "rca_at"),
	                       str_printf(a, "cause: " STR_FMT ", %.0f %% sure", STR_ARG(cause_words(a, best)),
	                                  100 * json_double(json_get(best, "confidence"), NAN)));
	json_each(e, json_get(best, "evidence")) more(m, str_printf(a, "- " STR_FMT, STR_ARG(json_str(e))));
	tell_suspects(s, m, rca);
	json_each(t, json_get(rca, "traces")) more(m, str_printf(a, "trace " STR_FMT, STR_ARG(json_str(t))));
}

/* ---- what was decided ---- */

static struct str decision_words(struct str d) {
	if (str_is(d, "do")) return STR("do it");
	if (str_is(d, "ask")) return STR("ask a person");
	if (str_is(d, "tell")) return STR("say it, and do nothing");
	if (str_is(d, "refuse")) return STR("refuse it");
	return STR("wait and look again");
}

static const struct {
	const char *gate, *words;
} gate_names[] = {
	{ "paused_or_maintenance", "not paused" },  { "policy", "policy" },
	{ "ownership", "no other owner" },          { "data_quality", "fresh data" },
	{ "idempotency_key", "not done before" },   { "circuit_breaker", "circuit breaker" },
	{ "blast_radius_budget", "pods at once" },  { "attempts_cooldown_rate", "attempts, cooldown" },
	{ "arbitration", "one handler at a time" }, { "mode", "mode" },
};

static struct str gate_words(struct arena *a, const struct json *g) {
	struct str verdict = text(g, "verdict"), name = text(g, "name");
	const char *mark = str_is(verdict, "pass")   ? "ok"
	                   : str_is(verdict, "deny") ? "NO"
	                   : str_is(verdict, "wait") ? "WAIT"
	                                             : "-";
	for (size_t i = 0; i < sizeof gate_names / sizeof *gate_names; i++)
		if (str_is(name, gate_names[i].gate)) name = str_of(gate_names[i].words);
	return str_printf(a, "%-4s  %-21.*s  " STR_FMT, mark, STR_ARG(name), STR_ARG(text(g, "reason")));
}

static void tell_plan(struct story *s, const struct json *act) {
	struct arena *a = s->a;
	struct str mapped = text(act, "target.mapped_by");
	struct moment *m =
		say(s, at(act, "times.planned"),
	        str_printf(a, "handler " STR_FMT " (mode " STR_FMT ") proposes: " STR_FMT, STR_ARG(text(act, "handler")),
	                   STR_ARG(text(act, "mode")), STR_ARG(text(act, "summary"))));
	if (mapped.n)
		more(m, str_printf(a, "on " STR_FMT " " STR_FMT "/" STR_FMT ", found by " STR_FMT,
		                   STR_ARG(text(act, "target.kind")), STR_ARG(text(act, "target.namespace")),
		                   STR_ARG(text(act, "target.name")), STR_ARG(mapped)));
}

/* The row keeps the answers of the last time the gates were asked; the decision log has the earlier ones. */
static void tell_gates(struct story *s, const struct json *act, struct wall when) {
	struct arena *a = s->a;
	struct moment *m = say(s, when,
	                       str_printf(a, "checked before acting (attempt %lld): " STR_FMT,
	                                  (long long)json_int(json_get(act, "attempt"), 1),
	                                  STR_ARG(decision_words(text(act, "decision")))));
	json_each(g, json_get(act, "gates")) more(m, gate_words(a, g));
}

/* ---- what was done ---- */

/* `why` is told behind the words unless they say it already. */
static const struct {
	const char *state, *words;
	bool alone;
} states[] = {
	{ "told", "said, not done", false },
	{ "refused", "refused", false },
	{ "waiting", "it waits", false },
	{ "claimed", "written down with the way back, before anything is done", true },
	{ "acting", "sent to the API server", true },
	{ "applied", "done", false },
	{ "verifying", "waiting for the signals to come back", false },
	{ "verified", "VERIFIED", false },
	{ "ineffective", "it did not help", false },
	{ "undoing", "being taken back", false },
	{ "undone", "taken back", false },
	{ "failed", "it failed", false },
	{ "expired", "given up", false },
};

static struct str move_words(struct arena *a, struct str state, struct str why) {
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		if (!str_is(state, states[i].state)) continue;
		bool alone = states[i].alone || !why.n;
		return str_printf(a, "%s%s" STR_FMT, states[i].words, alone ? "" : ": ", STR_ARG(alone ? STR("") : why));
	}
	return str_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(state), why.n ? ": " : "", STR_ARG(why));
}

static bool decides(const struct json *line) {
	return json_int(json_get(line, "emit"), 0) & 1; /* it was told as ACTION_PLANNED */
}

static void tell_moves(struct story *s, const struct json *act) {
	struct arena *a = s->a;
	struct str by = text(act, "result.approved_by");
	const struct json *last = NULL;
	json_each(l, json_get(act, "log")) last = decides(l) ? l : last;
	json_each(l, json_get(act, "log")) {
		struct str why = text(l, "why"), state = text(l, "state");
		if (l == last) tell_gates(s, act, at(l, "at"));
		/* without a target the mode is asked all the same; it is not what held the action back */
		bool targetless = str_is(state, "told") && !str_is(text(act, "mode"), "observe");
		if (targetless) why = STR("there is no target to act on");
		struct moment *m = say(s, at(l, "at"), move_words(a, state, why));
		if (!str_is(state, "claimed")) continue;
		if (by.n) more(m, str_printf(a, "approved by " STR_FMT, STR_ARG(by)));
		more(m, str_printf(a, "its key " STR_FMT, STR_ARG(text(act, "key"))));
	}
}

/* ---- how it ended ---- */

static void tell_marks(struct story *s, const struct json *in) {
	static const struct {
		const char *key, *words;
	} marks[] = { { "ack", "acknowledged" }, { "wrong", "marked as wrong: no incident" }, { "muted", "muted" } };
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		const struct json *v = json_get(in, marks[i].key);
		struct str why = text(v, "why");
		say(s, at(v, "at"),
		    str_printf(s->a, "%s by " STR_FMT "%s" STR_FMT, marks[i].words, STR_ARG(text(v, "by")), why.n ? ": " : "",
		               STR_ARG(why)));
	}
}

static void tell_end(struct story *s, const struct json *in) {
	struct arena *a = s->a;
	struct str how = text(in, "how"), why = text(in, "escalation.why");
	if (why.n) say(s, at(in, "escalation.at"), str_printf(a, "handed to a person: " STR_FMT, STR_ARG(why)));
	if (str_is(how, "in_band"))
		say(s, at(in, "resolved"), STR("over: the signals have been back within their band, with values"));
	if (str_is(how, "no_data"))
		say(s, at(in, "resolved"), STR("the signals went silent: that is no proof that it is over"));
	if (str_is(how, "adopted")) say(s, at(in, "resolved"), STR("the new level was adopted as normal"));
	tell_marks(s, in);
}

/* ---- what would have been needed ---- */

static const struct {
	const char *gate, *needed;
} gate_needs[] = {
	{ "paused_or_maintenance", "the end of the pause or maintenance window (`flyball resume`)" },
	{ "policy", "a policy that allows it (policy.allow, policy.deny)" },
	{ "ownership", "that its other owner lets go of the field, or does it itself" },
	{ "data_quality", "fresh values of the signals and of the target" },
	{ "idempotency_key", "nothing: this very action was done already" },
	{ "blast_radius_budget", "room in policy.budget, by time or by a larger one" },
	{ "attempts_cooldown_rate", "time since the last action, or more attempts for the handler" },
};

static void need_gate(struct story *s, const struct json *g) {
	struct str verdict = text(g, "verdict"), name = text(g, "name");
	if (!str_is(verdict, "deny") && !str_is(verdict, "wait")) return;
	for (size_t i = 0; i < sizeof gate_needs / sizeof *gate_needs; i++)
		if (str_is(name, gate_needs[i].gate))
			need(s, str_printf(s->a, "%s (" STR_FMT ")", gate_needs[i].needed, STR_ARG(text(g, "reason"))));
}

static void need_action(struct story *s, const struct json *act) {
	struct arena *a = s->a;
	struct str state = text(act, "state"), handler = text(act, "handler");
	bool waits = str_is(state, "waiting"), said = str_is(state, "told");
	if (!waits && !said && !str_is(state, "refused") && !str_is(state, "expired")) return;
	json_each(g, json_get(act, "gates")) need_gate(s, g);
	if (said && str_is(text(act, "mode"), "observe"))
		need(s, str_printf(a, "mode: approve or mode: auto for handler " STR_FMT, STR_ARG(handler)));
	else if (said)
		need(s, STR("a target: in the configuration (kubernetes:...)"));
	if (waits && str_is(text(act, "decision"), "ask"))
		need(s, str_printf(a, "an approval before " STR_FMT ": flyball approve " STR_FMT,
		                   STR_ARG(text(act, "times.expires")), STR_ARG(text(act, "action"))));
	if (str_is(state, "expired") && !str_is(text(act, "result.end"), "over")) need(s, STR("an approval in time"));
	if (str_is(text(act, "result.end"), "rejected")) need(s, STR("that the person who rejected it had approved it"));
}

static const struct {
	const char *kind, *needed;
} escalation_needs[] = {
	{ "no_cause", "more telemetry around the fault: traces that join the services, and signals on each" },
	{ "no_target",
	  "a workload that the cause maps to (k8s.* attributes, or services: in the configuration), or a person who "
	  "mends what is not ours" },
	{ "no_remedy", "a handler whose kinds: hold this cause, or a person: nothing that is configured cures it" },
	{ "unsure", "more certainty, or a handler with a lower confidence_min or severity_min" },
	{ "exhausted", "a person: every configured remedy was tried, refused or found nothing to do" },
	{ "person", "a person's decision" },
	{ "silent", "telemetry: without values nobody can tell whether it is over" },
};

static void need_all(struct story *s) {
	const struct json *in = s->f->incident;
	for (size_t i = 0; i < s->f->action_count; i++) need_action(s, s->f->actions[i]);
	struct str kind = text(in, "escalation.kind");
	if (!str_is(text(in, "state"), "escalated")) return;
	for (size_t i = 0; i < sizeof escalation_needs / sizeof *escalation_needs; i++)
		if (str_is(kind, escalation_needs[i].kind)) need(s, str_of(escalation_needs[i].needed));
}

/* ---- the first line ---- */

static bool has_state(const struct story *s, const char *a, const char *b) {
	for (size_t i = 0; i < s->f->action_count; i++) {
		struct str state = text(s->f->actions[i], "state");
		if (str_is(state, a) || (b && str_is(state, b))) return true;
	}
	return false;
}

/* Anything was sent to the API server. */
static bool has_done(const struct story *s) {
	for (size_t i = 0; i < s->f->action_count; i++)
		json_each(l, json_get(s->f->actions[i], "log"))
			if (str_is(text(l, "state"), "acting")) return true;
	return false;
}

struct summary {
	const char *is, *more; /* "over", "Flyball did nothing." */
};

static struct summary summary_of(const struct story *s, struct str state) {
	if (str_is(state, "resolved") && has_state(s, "verified", NULL))
		return (struct summary){ "corrected and verified", "" };
	if (str_is(state, "resolved") && !s->f->action_count) return (struct summary){ "over", " Flyball did nothing." };
	if (str_is(state, "resolved") && !has_done(s))
		return (struct summary){ "over", " Flyball did nothing but say what it would do." };
	if (str_is(state, "resolved")) return (struct summary){ "over", " What Flyball did is not what ended it." };
	if (str_is(state, "escalated")) return (struct summary){ "handed to a person", "" };
	if (!json_at(json_path(s->f->incident, "rca.root_causes"), 0))
		return (struct summary){ "open", " Its cause is not known." };
	if (has_state(s, "waiting", NULL)) return (struct summary){ "open", " An action waits." };
	if (has_state(s, "acting", "verifying") || has_state(s, "claimed", "applied"))
		return (struct summary){ "being corrected", "" };
	if (has_state(s, "told", NULL)) return (struct summary){ "open", " Flyball has said what it would do." };
	return (struct summary){ "open", "" };
}

static struct str headline(const struct story *s) {
	const struct json *in = s->f->incident;
	struct arena *a = s->a;
	char took[32];
	if (!in)
		return str_printf(a, "Action " STR_FMT " (its incident is no longer kept)",
		                  STR_ARG(text(s->f->actions[0], "action")));
	struct str state = text(in, "state");
	struct wall from = at(in, "opened"), to = at(in, "resolved");
	const struct json *best = json_at(json_path(in, "rca.root_causes"), 0);
	struct str what = best ? cause_words(a, best) : str_printf(a, "a fault at " STR_FMT, STR_ARG(text(in, "subject")));
	struct summary words = summary_of(s, state);
	bool over = to.ns && from.ns && to.ns >= from.ns;
	return str_printf(a, "Incident " STR_FMT ": " STR_FMT "\nIt is %s%s%s%s.%s", STR_ARG(text(in, "id")), STR_ARG(what),
	                  words.is, over ? ", " : "", over ? span(to.ns - from.ns, took) : "",
	                  over ? " after it was found" : "", words.more);
}

/* ---- putting it down ---- */

static int by_time(const void *x, const void *y) {
	const struct moment *a = x, *b = y;
	if (a->at.ns != b->at.ns) return a->at.ns < b->at.ns ? -1 : 1;
	return a->order - b->order;
}

static bool going(const struct story *s) {
	return has_state(s, "waiting", NULL) && !at(s->f->incident, "resolved").ns;
}

/* "10:03:12.2" of the RFC 3339 text; the date stands above the first. */
static void text_write(const struct story *s, struct buf *out) {
	char now[32], day[32] = "";
	struct str head = headline(s);
	buf_str(out, head);
	buf_c(out, "\n\n");
	for (size_t i = 0; i < s->count; i++) {
		const struct moment *m = &s->moments[i];
		wall_format(m->at, now);
		if (strncmp(day, now, 10) != 0) buf_printf(out, "%.10s, times in UTC\n", now);
		memcpy(day, now, sizeof day);
		buf_printf(out, "%.10s  " STR_FMT "\n", now + 11, STR_ARG(m->what));
		for (size_t j = 0; j < m->more_count; j++) buf_printf(out, "              " STR_FMT "\n", STR_ARG(m->more[j]));
	}
	if (s->needed_count)
		buf_printf(out, "\n%s:\n",
		           going(s) ? "For it to go on, this is needed" : "For more to have been done, this was needed");
	for (size_t i = 0; i < s->needed_count; i++) buf_printf(out, "  - " STR_FMT "\n", STR_ARG(s->needed[i]));
}

static void moments_write(const struct story *s, struct json_out *o) {
	json_key(o, "story");
	json_begin_array(o);
	for (size_t i = 0; i < s->count; i++) {
		const struct moment *m = &s->moments[i];
		json_begin_object(o);
		json_kv_wall(o, "at", m->at);
		json_kv_str(o, "what", m->what);
		json_key(o, "more");
		json_begin_array(o);
		for (size_t j = 0; j < m->more_count; j++) json_put_str(o, m->more[j]);
		json_end_array(o);
		json_end_object(o);
	}
	json_end_array(o);
	json_key(o, "needed");
	json_begin_array(o);
	for (size_t i = 0; i < s->needed_count; i++) json_put_str(o, s->needed[i]);
	json_end_array(o);
}

static void value_or_null(struct json_out *o, const char *key, const struct json *v) {
	json_key(o, key);
	if (v)
		json_put_value(o, v);
	else
		json_put_null(o);
}

static void all_write(const struct story *s, struct buf *out) {
	CLEANUP(buf_done) struct buf words;
	const struct json *in = s->f->incident;
	struct json_out o = json_out(out);
	buf_init(&words, 0);
	text_write(s, &words);
	json_begin_object(&o);
	value_or_null(&o, "id", in ? json_get(in, "id") : json_get(s->f->actions[0], "action"));
	json_kv_str(&o, "about", s->f->about.n ? s->f->about : text(in, "id"));
	value_or_null(&o, "state", json_get(in, "state"));
	value_or_null(&o, "cause", json_at(json_path(in, "rca.root_causes"), 0));
	moments_write(s, &o);
	value_or_null(&o, "incident", in);
	json_key(&o, "actions");
	json_begin_array(&o);
	for (size_t i = 0; i < s->f->action_count; i++) json_put_value(&o, s->f->actions[i]);
	json_end_array(&o);
	json_kv_str(&o, "text", buf_get(&words));
	json_end_object(&o);
}

void story_write(struct arena *a, const struct story_facts *f, struct buf *out) {
	struct story s = { .a = a, .f = f, .moments = arena_array(a, struct moment, LINES_MAX) };
	if (!s.moments || (!f->incident && !f->action_count)) {
		out->err = s.moments ? ERR_INVALID : ERR_NOMEM;
		return;
	}
	if (f->incident) {
		tell_seen(&s, f->incident);
		tell_cause(&s, f->incident);
	}
	for (size_t i = 0; i < f->action_count; i++) {
		tell_plan(&s, f->actions[i]);
		tell_moves(&s, f->actions[i]);
	}
	if (f->incident) tell_end(&s, f->incident);
	need_all(&s);
	qsort(s.moments, s.count, sizeof *s.moments, by_time);
	all_write(&s, out);
}
