/* The demo: two drawn faults in the shop, told from what Flyball wrote down.
 *
 * The world says what was done to it and when; every other line is an event of the store, with its
 * time relative to the fault's onset. Nothing is told that is not written there. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/event.h"
#include "sim/run.h"
#include "sim/sim.h"

#define FIRST_NS (2 * NS_PER_MIN)
#define APART_NS (14 * NS_PER_MIN)
#define LEAK_NS  (22 * NS_PER_MIN) /* a leak needs time to fill the memory, and to be seen to stay cured */
#define LEAST_NS (12 * NS_PER_MIN)
#define PIECE_NS (10 * NS_PER_SEC)
#define FAULTS   2
#define NEVER    INT64_MIN

struct told {
	struct run_truth truth;
	int64_t detected_ns, cause_ns, ended_ns, alarm_minute_ns, alarm_tens_ns; /* since the onset; NEVER */
	bool cause_right, acted, person;
	char incident[ULID_LEN + 1], cause[120];
};

struct demo {
	const struct demo_opts *o;
	struct run *run;
	struct run_record record;
	struct wall epoch;
	struct buf *out;
	struct told told[FAULTS];
	size_t count;
};

/* ---- words ---- */

static const char *paint(const struct demo *d, const char *code) {
	return d->o->color ? code : "";
}
#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define DIM    "\033[2m"
#define PLAIN  "\033[0m"

static void number_text(struct buf *b, const struct json *v, struct str signal) {
	if (!v || v->kind != JSON_NUMBER)
		buf_c(b, "?");
	else if (str_is(signal, "duration"))
		buf_printf(b, v->number < 1 ? "%.0f ms" : "%.2f s", v->number < 1 ? 1000 * v->number : v->number);
	else if (str_is(signal, "errors"))
		buf_printf(b, "%.1f %%", 100 * v->number);
	else if (str_is(signal, "memory") && v->number > 1e6)
		buf_printf(b, "%.0f MiB", v->number / (1 << 20));
	else
		buf_printf(b, "%.3g", v->number);
}

static void fault_words(const struct run_truth *t, char *out, size_t n) {
	double m = t->fault->magnitude;
	switch (t->kind) {
	case PLAN_MEMORY_LEAK:
		snprintf(out, n, "%s leaks memory: full in %.0f minutes, then killed", t->target, m / 60);
		break;
	case PLAN_SLOW_DATABASE: snprintf(out, n, "database %s takes %.1f times as long", t->target, m); break;
	case PLAN_ERROR_BURST:
		snprintf(out, n, "%s fails %.0f %% of its requests%s", t->target, 100 * m,
				 t->fault->deployed ? ", since a deployment" : "");
		break;
	case PLAN_DEAD_POD: snprintf(out, n, "one pod of %s hangs, and stays in the load balancer", t->target); break;
	default: snprintf(out, n, "%s", t->target); break;
	}
}

static int64_t since_onset(const struct demo *d, const struct told *f, const struct json *time) {
	struct wall t = { 0 };
	struct str s = json_str(time);
	if (!s.n || !wall_parse(s.p, s.n, &t)) return NEVER;
	return t.ns - d->epoch.ns - f->truth.onset_ns;
}

static void stamp(const struct demo *d, int64_t ns) {
	buf_printf(d->out, "%s%+9.1f s%s  ", paint(d, DIM), (double)ns / NS_PER_SEC, paint(d, PLAIN));
}

static void more(const struct demo *d) {
	buf_printf(d->out, "%13s  ", "");
}

/* ---- lines, one function an event ---- */

static void tell_signals(const struct demo *d, const struct json *list) {
	int n = 0;
	json_each(s, list) {
		struct str signal = json_str(json_get(s, "signal"));
		if (n++ == 3) break;
		more(d);
		buf_printf(d->out, STR_FMT " of " STR_FMT ": ", STR_ARG(signal), STR_ARG(json_str(json_get(s, "entity"))));
		number_text(d->out, json_get(s, "value"), signal);
		buf_c(d->out, ", expected ");
		number_text(d->out, json_get(s, "expected"), signal);
		buf_printf(d->out, ", score %.1f\n", json_double(json_get(s, "score"), 0));
	}
}

static void tell_opened(struct demo *d, struct told *f, const struct json *e, int64_t at) {
	const struct json *data = json_get(e, "data");
	int64_t delivered = since_onset(d, f, json_get(data, "delivered"));
	f->detected_ns = at;
	if (delivered != NEVER) {
		stamp(d, delivered);
		buf_c(d->out, "the first affected telemetry is delivered\n");
	}
	stamp(d, at);
	buf_printf(d->out, "%sdetected%s: incident on " STR_FMT ", severity %.2f\n", paint(d, YELLOW), paint(d, PLAIN),
			   STR_ARG(json_str(json_get(e, "subject"))), json_double(json_get(data, "severity"), 0));
	tell_signals(d, json_get(data, "signals"));
}

static bool names_kind(const char *causes, struct str kind) {
	struct str one, rest = str_of(causes);
	for (bool go = true; go;) {
		go = str_cut(rest, '|', &one, &rest);
		if (str_eq(one, kind)) return true;
	}
	return false;
}

static void tell_cause(struct demo *d, struct told *f, const struct json *e, int64_t at) {
	const struct json *data = json_get(e, "data"), *first = json_at(json_get(data, "root_causes"), 0);
	stamp(d, at);
	if (!first) {
		buf_printf(d->out, "no cause named: " STR_FMT "\n", STR_ARG(json_str(json_get(data, "reason"))));
		return;
	}
	struct str entity = json_str(json_get(first, "entity")), kind = json_str(json_get(first, "kind"));
	if (f->cause_ns == NEVER) f->cause_ns = at;
	f->cause_right = str_is(entity, f->truth.entity) && names_kind(f->truth.causes, kind);
	snprintf(f->cause, sizeof f->cause, STR_FMT ", " STR_FMT, STR_ARG(entity), STR_ARG(kind));
	buf_printf(d->out, "%scause%s: " STR_FMT ", " STR_FMT ", %.0f %% sure\n", paint(d, YELLOW), paint(d, PLAIN),
			   STR_ARG(entity), STR_ARG(kind), 100 * json_double(json_get(first, "confidence"), 0));
	json_each(line, json_get(first, "evidence")) {
		more(d);
		buf_printf(d->out, "%sbecause " STR_FMT "%s\n", paint(d, DIM), STR_ARG(json_str(line)), paint(d, PLAIN));
	}
}

static void tell_gates(struct demo *d, const struct json *gates) {
	bool first = true;
	if (!gates || !gates->child) return;
	more(d);
	buf_c(d->out, "gates:");
	json_each(g, gates) {
		struct str verdict = json_str(json_get(g, "verdict"));
		if (str_is(verdict, "not_configured")) continue;
		buf_printf(d->out, "%s " STR_FMT, first ? "" : ",", STR_ARG(json_str(json_get(g, "name"))));
		if (!str_is(verdict, "pass"))
			buf_printf(d->out, " %s" STR_FMT "%s", paint(d, RED), STR_ARG(verdict), paint(d, PLAIN));
		first = false;
	}
	buf_byte(d->out, '\n');
}

static void tell_planned(struct demo *d, struct told *f, const struct json *e, int64_t at) {
	const struct json *data = json_get(e, "data");
	struct str action = json_str(json_get(data, "action")), decision = json_str(json_get(data, "decision"));
	stamp(d, at);
	if (!action.n) {
		f->person = true;
		buf_printf(d->out, "%shanded to a person%s: " STR_FMT "\n", paint(d, YELLOW), paint(d, PLAIN),
				   STR_ARG(json_str(json_get(data, "summary"))));
		return;
	}
	buf_printf(d->out, "plan: " STR_FMT " -> " STR_FMT "\n", STR_ARG(json_str(json_get(data, "summary"))),
			   STR_ARG(decision));
	tell_gates(d, json_get(data, "gates"));
}

static void tell_move(struct demo *d, struct told *f, const struct json *e, int64_t at) {
	const struct json *data = json_get(e, "data");
	struct str state = json_str(json_get(data, "state")), why = json_str(json_get(data, "why"));
	bool good = str_is(state, "verified"), bad = str_is(state, "failed") || str_is(state, "ineffective");
	f->acted |= str_is(state, "applied");
	stamp(d, at);
	buf_printf(d->out, "action %s" STR_FMT "%s%s" STR_FMT "\n",
			   paint(d, good  ? GREEN
						: bad ? RED
							  : ""),
			   STR_ARG(state), paint(d, PLAIN), why.n ? ": " : "", STR_ARG(why));
}

static void tell_resolved(struct demo *d, struct told *f, const struct json *e, int64_t at) {
	struct str how = json_str(json_path(e, "data.how"));
	f->ended_ns = at;
	stamp(d, at);
	buf_printf(d->out, "%sover%s: %s\n", paint(d, GREEN), paint(d, PLAIN),
			   str_is(how, "in_band")   ? "the signals have been back in their band, with values"
			   : str_is(how, "adopted") ? "the new level was adopted as usual"
										: "no data any more");
	tell_signals(d, json_path(e, "data.signals"));
}

static void tell_event(struct demo *d, struct told *f, const struct json *e) {
	static const struct {
		const char *type;
		void (*tell)(struct demo *, struct told *, const struct json *, int64_t);
	} tellers[] = {
		{ "INCIDENT_OPENED", tell_opened }, { "RCA_REPORT", tell_cause },           { "ACTION_PLANNED", tell_planned },
		{ "ACTION_LOG", tell_move },        { "INCIDENT_RESOLVED", tell_resolved },
	};
	struct str type = json_str(json_get(e, "type"));
	for (size_t i = 0; i < sizeof tellers / sizeof *tellers; i++)
		if (str_is(type, tellers[i].type)) tellers[i].tell(d, f, e, since_onset(d, f, json_get(e, "time")));
}

/* ---- which event is of which fault ---- */

/* The first incident that opened between this onset and the next, and touches the fault. */
static void find_incident(struct demo *d, struct told *f, int64_t until_ns) {
	json_each(e, d->record.events) {
		if (!str_is(json_str(json_get(e, "type")), "INCIDENT_OPENED")) continue;
		int64_t at = since_onset(d, f, json_get(e, "time"));
		if (at < 0 || at + f->truth.onset_ns >= until_ns) continue;
		if (!run_touches(d->run, &f->truth, json_str(json_get(e, "subject")))) continue;
		snprintf(f->incident, sizeof f->incident, STR_FMT, STR_ARG(json_str(json_path(e, "data.incident"))));
		return;
	}
}

static void find_alarms(struct demo *d, struct told *f, int64_t until_ns) {
	size_t n = 0;
	const struct run_alarm *alarms = run_alarms(d->run, &n);
	for (size_t i = 0; i < n; i++) {
		char entity[80];
		snprintf(entity, sizeof entity, "service/%s", alarms[i].service);
		if (alarms[i].at_ns < f->truth.onset_ns || alarms[i].at_ns >= until_ns) continue;
		if (!run_touches(d->run, &f->truth, str_of(entity))) continue;
		int64_t *slot = alarms[i].minute ? &f->alarm_minute_ns : &f->alarm_tens_ns;
		if (*slot == NEVER) *slot = alarms[i].at_ns - f->truth.onset_ns;
	}
}

static void tell_fault(struct demo *d, struct told *f, size_t number, int64_t until_ns) {
	char words[200];
	fault_words(&f->truth, words, sizeof words);
	buf_printf(d->out, "\n%sFault %zu%s: %s (the world's doing; Flyball is not told)\n\n", paint(d, BOLD), number,
			   paint(d, PLAIN), words);
	stamp(d, 0);
	buf_c(d->out, "it begins\n");
	find_incident(d, f, until_ns);
	find_alarms(d, f, until_ns);
	json_each(e, d->record.events) {
		struct str incident = json_str(json_path(e, "data.incident"));
		if (f->incident[0] && str_is(incident, f->incident)) tell_event(d, f, e);
	}
	if (!f->incident[0])
		buf_c(d->out, "               no incident was opened for it\n");
	else
		buf_printf(d->out, "%sincident %s%s\n", paint(d, DIM), f->incident, paint(d, PLAIN));
}

/* ---- the table ---- */

static void cell(struct buf *b, int64_t ns) {
	if (ns == NEVER)
		buf_printf(b, "%12s", "never");
	else
		buf_printf(b, "%10.1f s", (double)ns / NS_PER_SEC);
}

static void tell_table(struct demo *d) {
	buf_printf(d->out, "\n%sIn seconds from the onset%s\n\n%-14s %-12s%12s%12s%12s %-9s%13s%13s\n", paint(d, BOLD),
			   paint(d, PLAIN), "fault", "at", "detected", "cause", "over", "by", "1-min alarm", "10-s alarm");
	for (size_t i = 0; i < d->count; i++) {
		const struct told *f = &d->told[i];
		buf_printf(d->out, "%-14s %-12.12s", plan_table[f->truth.kind].name, f->truth.target);
		cell(d->out, f->detected_ns);
		cell(d->out, f->cause_ns);
		cell(d->out, f->ended_ns);
		buf_printf(d->out, " %-9s ", f->acted ? "action" : f->person ? "a person" : "itself");
		cell(d->out, f->alarm_minute_ns);
		buf_byte(d->out, ' ');
		cell(d->out, f->alarm_tens_ns);
		buf_byte(d->out, '\n');
	}
	for (size_t i = 0; i < d->count; i++) {
		const struct told *f = &d->told[i];
		buf_printf(d->out, "\nfault %zu: named %s; the truth is %s, %s: %s%s%s", i + 1,
				   f->cause[0] ? f->cause : "nothing", f->truth.entity, f->truth.causes,
				   paint(d, f->cause_right ? GREEN : RED), f->cause_right ? "right" : "not right", paint(d, PLAIN));
	}
	buf_c(d->out, "\nThe alarms are static thresholds on the same telemetry (3 of 3 periods); they tell that\n"
				  "something is wrong, and name and correct nothing.\n");
}

/* ---- drawing and running ---- */

static int64_t length_of(enum plan_kind k) {
	return k == PLAN_MEMORY_LEAK ? LEAK_NS : k == PLAN_SLOW_DATABASE ? APART_NS : LEAST_NS;
}

/* Two different faults, strong enough for a person to feel: latency x3 and more, errors of 10 % and more. */
static int64_t draw(const struct demo_opts *o, struct fault_plan *p) {
	struct rng root = rng_seeded(o->seed), rng = rng_fork(&root, "demo");
	int64_t at = FIRST_NS;
	int first = (int)rng_below(&rng, PLAN_SHOP_FAULTS), second = (int)rng_below(&rng, PLAN_SHOP_FAULTS - 1);
	int kinds[FAULTS] = { first, second < first ? second : second + 1 };
	p->count = 0;
	for (size_t i = 0; i < FAULTS; i++) {
		struct plan_step s = { .at_ns = at + rng_below(&rng, NS_PER_MIN), .kind = (enum plan_kind)kinds[i] };
		if (s.kind == PLAN_MEMORY_LEAK) s.magnitude = rng_between(&rng, 360, 600);
		if (s.kind == PLAN_SLOW_DATABASE) s.magnitude = rng_between(&rng, 4, 15), s.for_ns = 6 * NS_PER_MIN;
		if (s.kind == PLAN_ERROR_BURST) s.magnitude = rng_between(&rng, 0.1, 0.5);
		(void)plan_add(p, &s);
		at += length_of(s.kind);
	}
	return at;
}

static enum err play(struct demo *d, int64_t length_ns, struct why *why) {
	const struct run_watch *w = d->o->watch;
	bool whole = true;
	for (int64_t at = PIECE_NS; at <= length_ns && whole; at += PIECE_NS) {
		whole = run_until(d->run, at);
		if (w && w->progress) w->progress(w->self, "playing", (double)at / (double)length_ns);
		if (w && w->stop && w->stop(w->self)) return ERR_CLOSED;
	}
	if (whole) whole = run_drain(d->run);
	return whole ? OK
				 : why_set(why, ERR_CORRUPT, "an invariant broke: flyball simulate --seeds %llu tells more",
						   (unsigned long long)d->o->seed);
}

static void collect(struct demo *d) {
	struct run_truth truths[RUN_TRUTHS_MAX];
	size_t n = run_truths(d->run, truths);
	for (size_t i = 0; i < n && d->count < FAULTS; i++)
		d->told[d->count++] = (struct told){ .truth = truths[i],
											 .detected_ns = NEVER,
											 .cause_ns = NEVER,
											 .ended_ns = NEVER,
											 .alarm_minute_ns = NEVER,
											 .alarm_tens_ns = NEVER };
}

enum err demo_play(const struct demo_opts *o, struct buf *out, struct why *why) {
	struct fault_plan plan;
	struct arena arena;
	struct demo d = { .o = o, .out = out };
	int64_t length_ns = draw(o, &plan);
	struct run_opts r = { .world = o->world,
						  .seed = o->seed,
						  .rate = o->rate,
						  .mode = SCENARIO_AUTO,
						  .plan = &plan,
						  .image = o->image,
						  .alarms = true };
	enum err e = run_open(&r, &d.run, why);
	if (e) return e;
	arena_init(&arena, 0);
	e = play(&d, length_ns, why);
	d.epoch = run_epoch(d.run);
	if (!e) collect(&d);
	if (!e) e = run_read(d.run, &arena, &d.record, why);
	if (!e) {
		buf_printf(
			out,
			"A shop of %d services, %g requests a second, one region; Flyball has watched it for hours and may act.\n",
			(int)o->world->service_count, o->rate);
		for (size_t i = 0; i < d.count; i++)
			tell_fault(&d, &d.told[i], i + 1, i + 1 < d.count ? d.told[i + 1].truth.onset_ns : INT64_MAX);
		tell_table(&d);
		e = run_export(d.run, o->disk, o->directory, why);
	}
	run_close(d.run);
	arena_done(&arena);
	return e;
}
