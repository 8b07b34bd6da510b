/* The demo: a warmed shop, two drawn faults, what Flyball did about them, told from its own events. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/run/demo_live.h"
#include "sim/run/demo_table.h"
#include "sim/run/run.h"
#include "sim/sim.h"

#define FIRST_NS  (2 * NS_PER_MIN) /* of quiet before the first fault */
#define BETWEEN_S 420.0            /* from one fault to the next: the first one is over, its cooldown too */
#define STEP_NS   (5 * NS_PER_SEC)

/* Magnitudes that people notice while they watch; a leak of a day is no story for minutes. */
static const struct {
	enum plan_kind kind;
	double least, most;
	double unit;                /* the magnitude is told in; 0: not at all */
	const char *before, *after; /* the magnitude */
} casts[] = {
	{ PLAN_ERROR_BURST, 0.12, 0.5, 0.01, "", " % of its requests fail until a restart" },
	{ PLAN_DEAD_POD, 1, 1, 0, "one pod hangs and stays in the load balancer", "" },
	{ PLAN_MEMORY_LEAK, 500, 1100, 1, "its memory is full within ", " s" },
	{ PLAN_SLOW_DATABASE, 4, 12, 1, "", " times as slow, which no action cures" },
};
#define CASTS (sizeof casts / sizeof *casts)

struct play {
	const struct demo_opts *o;
	struct run *run;
	struct fault_plan plan;
	size_t cast[DEMO_CHAPTERS];
	int64_t onset_ns[DEMO_CHAPTERS], length_ns;
	struct demo_chapter chapters[DEMO_CHAPTERS];
	struct demo_outcome outcomes[DEMO_CHAPTERS];
	char words[DEMO_CHAPTERS][200], alias[DEMO_CHAPTERS][80];
	struct run_truth truths[RUN_TRUTHS_MAX];
	struct demo_live live;
};

static bool possible(const struct shop_world *w, size_t cast) {
	return casts[cast].kind != PLAN_SLOW_DATABASE || w->database_count > 0;
}

/* Two different faults that this world can have: what is drawn first cannot be drawn again. */
static void draw(struct play *p) {
	struct rng rng = rng_seeded(p->o->seed);
	rng = rng_fork(&rng, "demo");
	p->length_ns = FIRST_NS;
	for (size_t i = 0; i < DEMO_CHAPTERS; i++) {
		do p->cast[i] = (size_t)rng_below(&rng, CASTS);
		while ((i && p->cast[i] == p->cast[i - 1]) || !possible(p->o->world, p->cast[i]));
		struct plan_step s = { .kind = casts[p->cast[i]].kind,
			                   .at_ns = p->length_ns + rng_below(&rng, 20 * NS_PER_SEC) };
		s.magnitude = exp(rng_between(&rng, log(casts[p->cast[i]].least), log(casts[p->cast[i]].most)));
		if (s.kind == PLAN_SLOW_DATABASE) s.for_ns = 4 * NS_PER_MIN; /* somebody else mends it */
		p->onset_ns[i] = s.at_ns;
		(void)plan_add(&p->plan, &s);
		p->length_ns += (int64_t)(BETWEEN_S * 1e9);
	}
}

/* ---- what is true of a chapter, from the simulation ---- */

static void cast_words(const struct play *p, size_t i, char *out, size_t n) {
	double unit = casts[p->cast[i]].unit;
	char number[32] = "";
	if (unit > 0) snprintf(number, sizeof number, "%.0f", p->plan.steps[i].magnitude / unit);
	snprintf(out, n, "%s%s%s", casts[p->cast[i]].before, number, casts[p->cast[i]].after);
}

static double first_alarm(const struct run *r, const struct run_truth *truth, bool minute, int64_t end_ns) {
	size_t n = 0;
	const struct run_alarm *a = run_alarms(r, &n);
	for (size_t i = 0; i < n; i++) {
		char entity[80];
		snprintf(entity, sizeof entity, "service/%s", a[i].service);
		if (a[i].minute != minute || a[i].at_ns < truth->onset_ns || a[i].at_ns >= end_ns) continue;
		if (run_touches(r, truth, str_of(entity))) return (double)(a[i].at_ns - truth->onset_ns) / 1e9;
	}
	return NAN;
}

/* As far as it has come: a chapter is known from its onset on, its alarms at its end. */
static void look_at_truth(struct play *p, size_t i) {
	const struct run_truth *t = &p->truths[i];
	int64_t end_ns = i + 1 < DEMO_CHAPTERS ? p->onset_ns[i + 1] : p->length_ns;
	cast_words(p, i, p->words[i], sizeof p->words[i]);
	run_alias(p->run, t, p->alias[i], sizeof p->alias[i]);
	p->chapters[i] = (struct demo_chapter){
		.number = (int)i + 1,
		.fault = shop_fault_infos[t->fault->kind].name,
		.target = t->target,
		.entity = t->entity,
		.alias = *p->alias[i] ? p->alias[i] : NULL,
		.causes = t->causes,
		.words = p->words[i],
		.curable = t->kind != PLAN_SLOW_DATABASE,
		.onset = { run_epoch(p->run).ns + p->onset_ns[i] },
		.end = { run_epoch(p->run).ns + end_ns },
		.delivered_s = t->delivered_ns < 0 ? -1 : (double)(t->delivered_ns - t->onset_ns) / 1e9,
		.alarm_s = { first_alarm(p->run, t, true, end_ns), first_alarm(p->run, t, false, end_ns) },
	};
}

static bool look_at_all(struct play *p) {
	if (run_truths(p->run, p->truths) != DEMO_CHAPTERS) return false; /* a world in which a fault cannot be */
	for (size_t i = 0; i < DEMO_CHAPTERS; i++) look_at_truth(p, i);
	return true;
}

/* ---- playing ---- */

/* The chapter that has begun by now. The fault's own truth is all that the simulation adds to what is shown. */
static void catch_up(void *self) {
	struct play *p = self;
	int64_t now = run_now(p->run);
	for (int i = p->live.chapter; i < DEMO_CHAPTERS && now >= p->onset_ns[i]; i++)
		if (look_at_all(p)) demo_live_chapter(&p->live, &p->chapters[i]);
	if (p->live.chapter > 0 && run_truths(p->run, p->truths)) {
		const struct run_truth *t = &p->truths[p->live.chapter - 1];
		p->live.over = t->over_ns >= 0;
		if (!p->live.arrived && t->delivered_ns >= 0)
			demo_live_arrived(&p->live, (double)(t->delivered_ns - t->onset_ns) / 1e9);
	}
}

/* No step goes over the beginning of a chapter, or over the end. */
static int64_t stop_before(const struct play *p, int64_t at_ns, int64_t to_ns) {
	for (size_t i = 0; i < DEMO_CHAPTERS; i++)
		if (at_ns < p->onset_ns[i] && p->onset_ns[i] < to_ns) to_ns = p->onset_ns[i];
	return to_ns < p->length_ns ? to_ns : p->length_ns;
}

/* Frames of this moment: one for each event that has come, so that each is seen. The step that is asked for then;
 * 0: nobody looks any more. */
static int64_t show(struct play *p, int64_t at_ns) {
	struct wall now = { run_epoch(p->run).ns + at_ns };
	double share = (double)at_ns / (double)p->length_ns;
	int64_t step = NS_PER_SEC;
	if (!p->live.view.round) return step; /* nothing has been answered yet */
	do {
		struct demo_frame f = demo_live_frame(&p->live, p->o->seed, now, share);
		step = p->o->show(p->o->show_self, &f);
	} while (step > 0 && demo_live_next(&p->live));
	return step;
}

static enum err play_on(struct play *p, struct why *why) {
	const struct run_watch *w = p->o->watch;
	p->live.paced = p->o->show != NULL;
	for (int64_t at = 0, next; at < p->length_ns; at = next) {
		int64_t step = p->live.paced ? show(p, at) : 0;
		p->live.paced = step > 0;
		if (!p->live.paced) demo_live_all(&p->live);
		if (!p->live.paced && w && w->progress) w->progress(w->self, "playing", (double)at / (double)p->length_ns);
		if (w && w->stop && w->stop(w->self)) return why_set(why, ERR_CLOSED, "interrupted");
		next = stop_before(p, at, at + (step > 0 ? step : STEP_NS));
		if (!run_until(p->run, next))
			return why_set(why, ERR_INVALID, "an invariant broke in the simulated world: %s",
			               run_invariants(p->run)->why);
		catch_up(p);
	}
	return OK;
}

/* ---- telling ---- */

static void opening(const struct play *p, struct buf *out) {
	const struct shop_world *w = p->o->world;
	struct demo_style style = p->o->style;
	char text[600];
	int pods = 0;
	for (size_t i = 0; i < w->service_count; i++) pods += w->services[i].replicas;
	snprintf(
		text, sizeof text,
		"Flyball watches a simulated web shop: %zu services in %d pods, %zu databases, about %.0f requests a second.",
		w->service_count, pods, w->database_count, p->o->rate);
	buf_c(out, demo_paint(style, DEMO_BOLD));
	demo_paragraph(text, style, out);
	buf_c(out, demo_paint(style, DEMO_PLAIN));
	snprintf(
		text, sizeof text,
		"It runs as it would for you: OTLP comes in, SQLite holds its state, a Kubernetes API server is what it acts "
		"on; only the clock, the disk and the network are simulated. It acts by itself (mode auto). Two faults are "
		"drawn (seed %llu). Times count from the moment a fault begins.",
		(unsigned long long)p->o->seed);
	demo_paragraph(text, style, out);
}

static void closing(const struct play *p, struct buf *out) {
	const char *dir = p->o->directory;
	buf_byte(out, '\n');
	demo_paragraph("Flyball's figures were read from its event store. Ask it why, or see another story:", p->o->style,
	               out);
	for (size_t i = 0; i < DEMO_CHAPTERS; i++) {
		const struct demo_outcome *o = &p->outcomes[i];
		if (o->incident[0])
			buf_printf(out, "  flyball explain %s --state %s\n", o->action[0] ? o->action : o->incident, dir);
	}
	buf_printf(out, "  flyball demo --seed %llu\n", (unsigned long long)p->o->seed + 1);
}

static void tell_text(struct play *p, const struct json *events, struct buf *out) {
	opening(p, out);
	for (size_t i = 0; i < DEMO_CHAPTERS; i++) demo_tell(&p->chapters[i], events, p->o->style, out, &p->outcomes[i]);
	demo_table(p->chapters, p->outcomes, DEMO_CHAPTERS, p->o->style, out);
	closing(p, out);
}

static void tell_json(struct play *p, const struct json *events, struct buf *out) {
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_int(&o, "seed", (int64_t)p->o->seed);
	json_kv_c(&o, "state", p->o->directory);
	json_key(&o, "faults");
	json_begin_array(&o);
	for (size_t i = 0; i < DEMO_CHAPTERS; i++) demo_tell_json(&p->chapters[i], events, &p->outcomes[i], &o);
	json_end_array(&o);
	json_end_object(&o);
}

/* From the store, read whole: a line that came too late to be watched stands here too. */
static enum err tell(struct play *p, struct buf *out, struct why *why) {
	struct arena a;
	struct run_record rec = { 0 };
	arena_init(&a, 0);
	enum err e = run_read(p->run, &a, &rec, why);
	if (!e && !look_at_all(p))
		e = why_set(why, ERR_UNSUPPORTED, "this world has no place for %s or %s: try another --seed",
		            plan_table[casts[p->cast[0]].kind].name, plan_table[casts[p->cast[1]].kind].name);
	if (!e && p->o->form == DEMO_JSON)
		tell_json(p, rec.events, out);
	else if (!e)
		tell_text(p, rec.events, out);
	arena_done(&a);
	return e;
}

enum err demo_play(const struct demo_opts *o, struct buf *out, struct why *why) {
	struct play p = { .o = o };
	draw(&p);
	demo_live_init(&p.live, RUN_SETTLE_NS, catch_up, &p);
	struct run_opts r = {
		.world = o->world,
		.seed = o->seed,
		.rate = o->rate,
		.mode = SCENARIO_AUTO,
		.plan = &p.plan,
		.image = o->image,
		.alarms = true,
		.guest = &demo_person_program,
		.guest_self = &p.live.person,
	};
	enum err e = run_open(&r, &p.run, why);
	if (!e) {
		demo_live_begin(&p.live, run_epoch(p.run));
		e = play_on(&p, why);
	}
	if (!e) e = tell(&p, out, why);
	if (!e) e = run_export(p.run, o->disk, o->directory, why);
	run_close(p.run);
	demo_live_done(&p.live);
	return e;
}
