/* The demo: a warmed shop, two drawn faults, what Flyball did about them, told from its own events. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/run/demo_story.h"
#include "sim/run/run.h"
#include "sim/sim.h"

#define CHAPTERS  2
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
	{ PLAN_ERROR_BURST, 0.12, 0.5, 0.01, "", " % of its requests fail until it is restarted" },
	{ PLAN_DEAD_POD, 1, 1, 0, "one pod hangs and stays in the load balancer", "" },
	{ PLAN_MEMORY_LEAK, 500, 1100, 1, "its memory is full within ", " s" },
	{ PLAN_SLOW_DATABASE, 4, 12, 1, "", " times as slow; no action of ours cures it" },
};
#define CASTS (sizeof casts / sizeof *casts)

struct play {
	const struct demo_opts *o;
	struct run *run;
	struct fault_plan plan;
	size_t cast[CHAPTERS];
	int64_t onset_ns[CHAPTERS], length_ns;
};

/* Two different faults: what is drawn first cannot be drawn again. */
static void draw(struct play *p) {
	struct rng rng = rng_seeded(p->o->seed);
	rng = rng_fork(&rng, "demo");
	p->length_ns = FIRST_NS;
	for (size_t i = 0; i < CHAPTERS; i++) {
		do p->cast[i] = (size_t)rng_below(&rng, CASTS);
		while (i && p->cast[i] == p->cast[i - 1]);
		struct plan_step s = { .kind = casts[p->cast[i]].kind,
			                   .at_ns = p->length_ns + rng_below(&rng, 20 * NS_PER_SEC) };
		s.magnitude = exp(rng_between(&rng, log(casts[p->cast[i]].least), log(casts[p->cast[i]].most)));
		if (s.kind == PLAN_SLOW_DATABASE) s.for_ns = 4 * NS_PER_MIN; /* somebody else mends it */
		p->onset_ns[i] = s.at_ns;
		(void)plan_add(&p->plan, &s);
		p->length_ns += (int64_t)(BETWEEN_S * 1e9);
	}
}

static enum err play_on(struct play *p, struct why *why) {
	const struct run_watch *w = p->o->watch;
	for (int64_t at = 0; at < p->length_ns; at += STEP_NS) {
		if (w && w->progress) w->progress(w->self, "playing", (double)at / (double)p->length_ns);
		if (w && w->stop && w->stop(w->self)) return why_set(why, ERR_CLOSED, "interrupted");
		if (!run_until(p->run, at + STEP_NS))
			return why_set(why, ERR_INVALID, "an invariant broke in the simulated world: %s",
			               run_invariants(p->run)->why);
	}
	return OK;
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

static void cast_words(const struct play *p, size_t i, char *out, size_t n) {
	double unit = casts[p->cast[i]].unit;
	char number[32] = "";
	if (unit > 0) snprintf(number, sizeof number, "%.0f", p->plan.steps[i].magnitude / unit);
	snprintf(out, n, "%s%s%s", casts[p->cast[i]].before, number, casts[p->cast[i]].after);
}

static void opening(const struct play *p, struct buf *out) {
	const struct shop_world *w = p->o->world;
	const char *bold = p->o->color ? "\033[1m" : "", *plain = p->o->color ? "\033[0m" : "";
	int pods = 0;
	for (size_t i = 0; i < w->service_count; i++) pods += w->services[i].replicas;
	buf_printf(
		out,
		"%sFlyball watches a simulated web shop%s: %zu services in %d pods, %zu databases, about %.0f requests a "
		"second.\n"
		"It runs as it would for you: OTLP comes in, SQLite holds its state, a Kubernetes API server is what it\n"
		"acts on; only the clock, the disk and the network are simulated. It acts by itself (mode auto).\n"
		"Two faults are drawn (seed %llu). Times count from the moment a fault begins.\n",
		bold, plain, w->service_count, pods, w->database_count, p->o->rate, (unsigned long long)p->o->seed);
}

static void closing(const struct play *p, const struct demo_outcome *o, struct buf *out) {
	const char *dir = p->o->directory;
	buf_printf(out, "\nEvery figure of Flyball's above was read from its event store, which lies in %s:\n\n", dir);
	for (size_t i = 0; i < CHAPTERS; i++)
		if (o[i].incident[0])
			buf_printf(out, "  flyball explain %s --state %s\n", o[i].action[0] ? o[i].action : o[i].incident, dir);
	buf_printf(out, "  flyball incidents --state %s\n  flyball events --state %s\n\n", dir, dir);
	buf_printf(out, "Another story: flyball demo --seed %llu\n", (unsigned long long)p->o->seed + 1);
}

static enum err tell(struct play *p, const struct run_truth *truths, struct buf *out, struct why *why) {
	struct arena a;
	struct run_record rec = { 0 };
	struct demo_chapter chapters[CHAPTERS];
	struct demo_outcome outcomes[CHAPTERS];
	struct demo_style style = { p->o->color };
	char words[CHAPTERS][200], alias[CHAPTERS][80];
	arena_init(&a, 0);
	enum err e = run_read(p->run, &a, &rec, why);
	opening(p, out);
	for (size_t i = 0; !e && i < CHAPTERS; i++) {
		const struct run_truth *t = &truths[i];
		int64_t end_ns = i + 1 < CHAPTERS ? p->onset_ns[i + 1] : p->length_ns;
		cast_words(p, i, words[i], sizeof words[i]);
		run_alias(p->run, t, alias[i], sizeof alias[i]);
		chapters[i] = (struct demo_chapter){
			.number = (int)i + 1,
			.fault = shop_fault_infos[t->fault->kind].name,
			.target = t->target,
			.entity = t->entity,
			.alias = *alias[i] ? alias[i] : NULL,
			.causes = t->causes,
			.words = words[i],
			.curable = t->kind != PLAN_SLOW_DATABASE,
			.onset = { run_epoch(p->run).ns + t->onset_ns },
			.end = { run_epoch(p->run).ns + end_ns },
			.delivered_s = t->delivered_ns < 0 ? -1 : (double)(t->delivered_ns - t->onset_ns) / 1e9,
			.alarm_s = { first_alarm(p->run, t, true, end_ns), first_alarm(p->run, t, false, end_ns) },
		};
		demo_tell(&chapters[i], rec.events, style, out, &outcomes[i]);
	}
	if (!e) {
		demo_table(chapters, outcomes, CHAPTERS, style, out);
		closing(p, outcomes, out);
	}
	arena_done(&a);
	return e;
}

enum err demo_play(const struct demo_opts *o, struct buf *out, struct why *why) {
	struct play p = { .o = o };
	struct run_truth truths[RUN_TRUTHS_MAX];
	draw(&p);
	struct run_opts r = {
		.world = o->world,
		.seed = o->seed,
		.rate = o->rate,
		.mode = SCENARIO_AUTO,
		.plan = &p.plan,
		.image = o->image,
		.alarms = true,
	};
	enum err e = run_open(&r, &p.run, why);
	if (e) return e;
	e = play_on(&p, why);
	if (!e && run_truths(p.run, truths) == CHAPTERS) e = tell(&p, truths, out, why);
	if (!e) e = run_export(p.run, o->disk, o->directory, why);
	run_close(p.run);
	return e;
}
