/* Half hours of a shop under drawn faults, each a row: did every invariant hold? */
#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "model/event.h"
#include "sim/run/run.h"
#include "sim/run/shrink.h"
#include "sim/shop/file.h"
#include "sim/sim.h"

#define STEP_NS      (30 * NS_PER_SEC) /* virtual, between two looks at the watch */
#define SHRINK_TRIES 60                /* runs that a failing seed is worth, so that people read less */

struct played {
	uint64_t trace;
	double virtual_s;
	struct run_counts counts;
	int64_t incidents, actions;
	int broken; /* an enum invariant; -1: none */
};

/* Most seeds act; some ask first, some only tell: each mode has promises of its own. */
static enum scenario_mode draw_mode(struct rng *rng) {
	int64_t u = rng_below(rng, 10);
	return u < 6 ? SCENARIO_AUTO : u < 8 ? SCENARIO_APPROVE : SCENARIO_OBSERVE;
}

/* In approve mode people look in now and then, and mostly say yes. */
static void add_people(struct fault_plan *p, struct rng *rng, int64_t length_ns) {
	for (int64_t at = 0; at < length_ns * 9 / 10; at += NS_PER_MIN + rng_below(rng, 4 * NS_PER_MIN)) {
		struct plan_step s = { .at_ns = at, .kind = rng_below(rng, 4) ? PLAN_APPROVE : PLAN_REJECT };
		(void)plan_add(p, &s);
	}
}

static void add_deployments(struct fault_plan *p, const struct shop_world *w, struct rng *rng, int64_t length_ns) {
	int64_t n = rng_below(rng, 3);
	for (int64_t i = 0; i < n; i++) {
		struct plan_step s = { .at_ns = rng_below(rng, length_ns * 4 / 5), .kind = PLAN_DEPLOYMENT };
		snprintf(s.target, sizeof s.target, "%s", w->services[rng_below(rng, (int64_t)w->service_count)].name);
		(void)plan_add(p, &s);
	}
}

static void count_events(const struct run *r, const struct run_record *rec, struct played *p) {
	int64_t end_ns = run_epoch(r).ns + (int64_t)(p->virtual_s * 1e9); /* then the shop closed */
	json_each(event, rec->events) {
		struct wall at = { 0 };
		struct str time = json_str(json_get(event, "time"));
		if (!wall_parse(time.p, time.n, &at) || at.ns > end_ns) continue;
		enum event_type t = event_type_of(json_str(json_get(event, "type")));
		p->incidents += t == EVENT_INCIDENT_OPENED;
		p->actions += t == EVENT_ACTION_LOG && str_is(json_str(json_path(event, "data.state")), "applied");
	}
}

static void tell_broken(struct run *r, struct buf *story) {
	const struct invariants *v = run_invariants(r);
	if (v->broken < 0) return;
	run_story(r, story);
	buf_printf(story, "broken: %s: %s\n  at %.3f s of the run: %s\n", invariant_name((enum invariant)v->broken),
	           invariant_text((enum invariant)v->broken), (double)run_now(r) / 1e9, v->why);
}

static enum err play_on(struct run *r, const struct run_watch *watch, int64_t length_ns, struct why *why) {
	for (int64_t at = 0; at < length_ns;) {
		if (watch && watch->stop && watch->stop(watch->self)) return why_set(why, ERR_CLOSED, "interrupted");
		at = at + STEP_NS < length_ns ? at + STEP_NS : length_ns;
		if (!run_until(r, at)) return OK;
	}
	return OK;
}

/* To its end, the store read, everything checked. `rec` lies in `a`; it is empty when an invariant broke before. */
static enum err finish(struct run *r, struct arena *a, struct run_record *rec, struct played *p, struct why *why) {
	struct invariants *v = run_invariants(r);
	p->virtual_s = (double)run_now(r) / 1e9;
	if (v->broken < 0) (void)run_drain(r);
	p->trace = run_trace(r);
	if (v->broken < 0) {
		enum err e = run_read(r, a, rec, why);
		if (e == ERR_NOMEM) return e;
		if (e)
			invariants_break(v, INVARIANT_RESTARTS, run_now(r), "its store cannot be read: %s", why->text);
		else
			invariants_record(v, rec, rec->heads, rec->head_count, run_now(r));
	}
	p->counts = run_counted(r);
	p->broken = v->broken;
	count_events(r, rec, p);
	return OK;
}

static enum err play(const struct run_opts *o, const struct simulate_opts *s, int64_t length_ns, struct played *p,
                     struct buf *story, struct why *why) {
	struct run *r = NULL;
	struct arena a;
	struct run_record rec = { 0 };
	*p = (struct played){ .broken = -1 };
	enum err e = run_open(o, &r, why);
	if (e) return e;
	arena_init(&a, 0);
	e = play_on(r, s->watch, length_ns, why);
	if (!e) e = finish(r, &a, &rec, p, why);
	if (!e) tell_broken(r, story);
	arena_done(&a);
	run_close(r);
	return e;
}

/* ---- a failing seed, with the fewest steps ---- */

struct shrinking {
	struct run_opts o;
	const struct simulate_opts *s;
	int64_t length_ns;
	int broken; /* the invariant that has to break again */
};

static bool breaks_again(void *self, const struct fault_plan *plan) {
	struct shrinking *h = self;
	struct played p;
	struct buf story;
	struct why why = { "" };
	h->o.plan = plan;
	buf_init(&story, 0);
	enum err e = play(&h->o, h->s, h->length_ns, &p, &story, &why);
	buf_done(&story);
	return !e && p.broken == h->broken;
}

static void tell_shrunk(const struct run_opts *o, const struct simulate_opts *s, int64_t length_ns, int broken,
                        struct buf *story) {
	static const char *const modes[] = { "auto", "approve", "observe" };
	struct shrinking h = { *o, s, length_ns, broken };
	struct fault_plan fewest = *o->plan;
	char length[32];
	int tries = plan_shrink(&fewest, breaks_again, &h, SHRINK_TRIES);
	duration_format(length_ns, length);
	buf_printf(story,
	           "shrunk to %zu of %zu steps in %d runs; saved as FILE.sim, this is it again: flyball simulate FILE.sim\n"
	           "seed %llu\nmode %s\nrate %.17g\n%sfor %s\n",
	           fewest.count, o->plan->count, tries, (unsigned long long)o->seed, modes[o->mode],
	           o->rate > 0 ? o->rate : o->world->rate, o->image ? "" : "cold\n", length);
	plan_write(&fewest, story);
}

/* ---- rows ---- */

static void put_faults(struct json_out *o, const struct played *p) {
	json_key(o, "by_fault");
	json_begin_object(o);
	for (int k = 0; k < PLAN_FAULTS; k++)
		if (p->counts.faults[k]) json_kv_int(o, plan_table[k].name, p->counts.faults[k]);
	json_end_object(o);
}

static void put_row(struct buf *out, const char *key, struct str name, uint64_t seed, const struct played *p,
                    int64_t broken) {
	char hash[17];
	int64_t faults = 0;
	for (int k = 0; k < PLAN_FAULTS; k++) faults += p->counts.faults[k];
	snprintf(hash, sizeof hash, "%016llx", (unsigned long long)p->trace);
	struct json_out o = json_out(out);
	json_begin_object(&o);
	if (name.n) json_kv_str(&o, key, name);
	json_kv_int(&o, "seed", (int64_t)seed);
	json_kv_c(&o, "trace_hash", hash);
	json_kv_double(&o, "virtual_s", p->virtual_s);
	json_kv_int(&o, "events", (int64_t)p->counts.events);
	json_kv_int(&o, "incidents", p->incidents);
	json_kv_int(&o, "actions", p->actions);
	json_kv_int(&o, "faults", faults);
	json_kv_int(&o, "broken", broken);
	json_kv_c(&o, "invariant", p->broken < 0 ? NULL : invariant_name((enum invariant)p->broken));
	json_kv_int(&o, "starts", p->counts.starts);
	json_kv_int(&o, "requests", (int64_t)p->counts.shop.requests);
	put_faults(&o, p);
	json_end_object(&o);
	buf_byte(out, '\n');
}

enum err simulate_seed(const struct simulate_opts *s, uint64_t seed, struct buf *out, struct buf *story,
                       struct why *why) {
	struct rng rng = rng_seeded(seed);
	struct rng mode = rng_fork(&rng, "mode"), life = rng_fork(&rng, "life");
	struct fault_plan plan;
	struct played first, second;
	int64_t length_ns = (int64_t)(s->hours * 3600e9);

	plan_draw(&plan, rng_fork(&rng, "plan"), s->faults, length_ns);
	struct run_opts o = { .world = s->world, .seed = seed, .rate = s->rate, .mode = draw_mode(&mode), .plan = &plan };
	o.image = s->image;
	o.broken = s->broken;
	if (o.mode == SCENARIO_APPROVE) add_people(&plan, &life, length_ns);
	add_deployments(&plan, s->world, &life, length_ns);
	enum err e = play(&o, s, length_ns, &first, story, why);
	int64_t broken = first.broken >= 0;
	if (!e && broken) tell_shrunk(&o, s, length_ns, first.broken, story);
	if (!e && s->twice && !broken) {
		e = play(&o, s, length_ns, &second, story, why);
		if (!e && second.trace != first.trace) {
			broken++;
			buf_printf(story, "broken: the same seed gave two traces: %016llx and %016llx\n",
			           (unsigned long long)first.trace, (unsigned long long)second.trace);
		}
	}
	if (!e) put_row(out, NULL, (struct str){ 0 }, seed, &first, broken);
	return e;
}

/* ---- scenarios ---- */

enum err simulate_scenario_world(const struct scenario *s, struct arena *a, struct shop_world *w, struct why *why) {
	for (size_t i = 0; i < s->setting_count; i++) {
		const struct scenario_setting *x = &s->settings[i];
		enum err e = str_is(x->section, "world") ? shop_world_set(a, w, x->key, x->value, why) : OK;
		if (e) return why_prefix(why, e == ERR_NOMEM ? e : ERR_INVALID, "%s:%d: set world", x->file, x->line);
	}
	return OK;
}

static struct scenario_write *writes_of(struct run *r, struct arena *a, size_t *count) {
	const struct invariants *v = run_invariants(r);
	int64_t begin = (int64_t)(run_begin(r));
	struct scenario_write *w = arena_array(a, struct scenario_write, v->effect_count + 1);
	*count = w ? v->effect_count : 0;
	for (size_t i = 0; i < *count; i++)
		w[i] = (struct scenario_write){ v->effects[i].at_ns - begin, str_of(v->effects[i].target),
			                            str_of(v->effects[i].key) };
	return w;
}

/* One play of the scenario under `plan`, its row under `name`. */
static enum err play_scenario(const struct simulate_opts *s, const struct scenario *c, const struct fault_plan *plan,
                              struct str name, struct played *p, struct buf *out, struct buf *story, struct why *why) {
	struct run *r = NULL;
	struct arena a;
	struct run_record rec = { 0 };
	struct run_opts o = {
		.world = s->world,
		.seed = c->seed,
		.rate = s->rate,
		.mode = c->mode,
		.settings = c->settings,
		.setting_count = c->setting_count,
		.plan = plan,
		.when = c->when,
		.image = c->cold ? NULL : s->image,
		.broken = s->broken,
	};
	int64_t failed = 0;
	*p = (struct played){ .broken = -1 };
	enum err e = run_open(&o, &r, why);
	if (e) return e;
	arena_init(&a, 0);
	e = play_on(r, s->watch, c->length_ns, why);
	size_t write_count = 0;
	struct scenario_write *writes = writes_of(r, &a, &write_count); /* before the shop closes */
	if (!e) e = finish(r, &a, &rec, p, why);
	if (!e && p->broken < 0) {
		struct scenario_facts f = { rec.events, run_epoch(r).ns, c->length_ns, writes, write_count };
		failed = (int64_t)scenario_check(c, &f, story);
	}
	if (!e) tell_broken(r, story);
	if (!e && story->n && !str_eq(name, c->name)) buf_printf(story, "so it went in " STR_FMT "\n", STR_ARG(name));
	if (!e) put_row(out, "scenario", name, c->seed, p, failed + (p->broken >= 0));
	arena_done(&a);
	run_close(r);
	return e;
}

/* One play for each number of effects after which Flyball dies, until a death is too late or none comes. */
static enum err play_each(const struct simulate_opts *s, const struct scenario *c, struct buf *out, struct buf *story,
                          struct why *why) {
	struct plan_step step = c->each.step;
	for (step.effects = c->each.effects;; step.effects += c->each.effects) {
		struct fault_plan plan = c->plan;
		struct played p;
		struct buf row, told;
		char name[300];
		if (!plan_add(&plan, &step)) return why_set(why, ERR_INVALID, STR_FMT ": too many steps", STR_ARG(c->name));
		snprintf(name, sizeof name, STR_FMT " after %lld effects", STR_ARG(c->name), (long long)step.effects);
		buf_init(&row, 0);
		buf_init(&told, 0);
		enum err e = play_scenario(s, c, &plan, str_of(name), &p, &row, &told, why);
		bool last = p.counts.died_ns < 0 || p.counts.died_ns > c->each.until_ns;
		if (!e && !last) {
			buf_str(out, buf_get(&row));
			buf_str(story, buf_get(&told));
		}
		buf_done(&row);
		buf_done(&told);
		if (e || last) return e;
		double gone = (double)(p.counts.died_ns - step.at_ns), whole = (double)(c->each.until_ns - step.at_ns);
		if (s->watch && s->watch->progress) s->watch->progress(s->watch->self, "dying at each moment", gone / whole);
	}
}

enum err simulate_scenario(const struct simulate_opts *s, const struct scenario *c, struct buf *out, struct buf *story,
                           struct why *why) {
	struct played p;
	if (c->each.effects) return play_each(s, c, out, story, why);
	return play_scenario(s, c, &c->plan, c->name, &p, out, story, why);
}
