/* experiment mttd: how soon a fault is found, named and mended, by Flyball and by the alarms of today, on the
 * same telemetry in the same run.
 *
 * What was true comes from the shop: what broke, when, when the first sample that it touched was made and
 * delivered. What Flyball said comes from its event store, what it did from the API server. Nothing is left out:
 * what never came stands in the row as null. CLI columns are in sim/run/report.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/event.h"
#include "sim/run/run.h"
#include "sim/sim.h"

#define LENGTH_NS     (30 * NS_PER_MIN)
#define ONSET_NS      (5 * NS_PER_MIN) /* plus up to ONSET_DRAW_NS */
#define ONSET_DRAW_NS (5 * NS_PER_MIN)
#define AFTER_KILL_NS (10 * NS_PER_MIN) /* leaks are watched until so long after the first kill */
#define QUIET_NS      NS_PER_DAY
#define WEEK_NS       (7 * NS_PER_DAY)
#define GRACE_NS      (5 * NS_PER_MIN) /* after a fault has ended, what is still told is its own */
#define EPISODE_NS    (5 * NS_PER_MIN) /* alarms so close to one another wake people once */
#define STEP_NS       (30 * NS_PER_SEC)
#define WEEK_S        (7 * 86400.0)
#define FAST_RATE     20.0
#define QUICK_START_S 20.0
#define SEED_STRIDE   12 /* runs of a seed that draw for themselves */

/* What the experiment is to beat, for one run (docs/design/0010). */
#define FAST_DETECT_S 12.0
#define INTERVALS     2.0 /* elsewhere: so many export intervals ... */
#define INTERVALS_S   2.0 /* ... and this */
#define CAUSE_S       5.0
#define VERIFY_S      10.0

const struct report_metric mttd_metrics[] = {
	{ "delivered_s", REPORT_TIME },
	{ "decided_s", REPORT_TIME },
	{ "detect_s", REPORT_TIME },
	{ "cause_s", REPORT_TIME },
	{ "resolve_s", REPORT_TIME },
	{ "people_s", REPORT_TIME },
	{ "cause_right", REPORT_SHARE },
	{ "wrong_target", REPORT_SHARE },
	{ "abstained", REPORT_SHARE },
	{ "escalated", REPORT_SHARE },
	{ "false_incidents_per_week", REPORT_RATE },
	{ "false_actions_per_week", REPORT_RATE },
	{ NULL },
};

static const struct {
	const char *name;
	enum plan_kind kind;
	bool fault, cold;
} cases[MTTD_CASES] = {
	[MTTD_LEAK] = { "memory_leak", PLAN_MEMORY_LEAK, true, false },
	[MTTD_CPU_HOG] = { "cpu_hog", PLAN_CPU_HOG, true, false },
	[MTTD_SLOW_DATABASE] = { "slow_database", PLAN_SLOW_DATABASE, true, false },
	[MTTD_ERROR_BURST] = { "error_burst", PLAN_ERROR_BURST, true, false },
	[MTTD_POOL_EXHAUSTED] = { "pool_exhausted", PLAN_POOL_EXHAUSTED, true, false },
	[MTTD_DEAD_POD] = { "dead_pod", PLAN_DEAD_POD, true, false },
	[MTTD_BAD_DEPLOYMENT] = { "bad_deployment", PLAN_BAD_DEPLOYMENT, true, false },
	[MTTD_SLOW_LINK] = { "slow_link", PLAN_SLOW_LINK, true, false },
	[MTTD_FULL_DISK] = { "full_disk", PLAN_FULL_VOLUME, true, false },
	[MTTD_RETRY_STORM] = { "retry_storm", PLAN_RETRY_STORM, true, false },
	[MTTD_COLD] = { "cold", PLAN_ERROR_BURST, true, true },
	[MTTD_QUIET] = { "quiet", PLAN_FAULTS, false, false },
	[MTTD_WEEK] = { "week", PLAN_FAULTS, false, false },
};

const char *mttd_case_name(enum mttd_case c) {
	return cases[c].name;
}

bool mttd_case_parse(struct str name, enum mttd_case *out) {
	for (int c = 0; c < MTTD_CASES; c++) {
		if (!str_is(name, cases[c].name)) continue;
		*out = (enum mttd_case)c;
		return true;
	}
	return false;
}

/* ---- playing ---- */

struct trial {
	const struct mttd_opts *o;
	enum mttd_case which;
	uint64_t seed;
	struct run *run;
	struct run_truth truth; /* of a case with a fault; its fault NULL: the world has no place for one */
	int64_t length_ns;
	struct run_record rec;
};

/* A leak runs until ten minutes after it has filled the memory; everything else for half an hour. */
static int64_t length_of(const struct trial *t, double magnitude) {
	if (t->which == MTTD_QUIET) return QUIET_NS;
	if (t->which == MTTD_WEEK) return WEEK_NS;
	if (t->which != MTTD_LEAK) return LENGTH_NS;
	return ONSET_NS + ONSET_DRAW_NS + (int64_t)(magnitude * 1.2e9) + AFTER_KILL_NS;
}

static void plan_of(struct trial *t, struct fault_plan *plan) {
	struct rng rng = rng_seeded(t->seed);
	rng = rng_fork(&rng, cases[t->which].cold ? "cold" : cases[t->which].name);
	struct plan_step s = { .kind = cases[t->which].kind, .at_ns = ONSET_NS };
	if (!cases[t->which].cold) s.at_ns += rng_below(&rng, ONSET_DRAW_NS);
	if (cases[t->which].fault) (void)plan_add(plan, &s); /* target and magnitude are the shop's to draw */
}

enum mttd_pace mttd_pace_of(enum mttd_case c) {
	if (c == MTTD_COLD) return MTTD_UNWARMED;
	if (c == MTTD_LEAK) return MTTD_SLOW;
	return cases[c].fault ? MTTD_FAST : MTTD_QUIET_PACE;
}

double mttd_rate_of(const struct mttd_opts *o, enum mttd_pace pace) {
	if (pace == MTTD_SLOW) return fmin(MTTD_SLOW_RATE, o->rate);
	return pace == MTTD_QUIET_PACE ? fmin(MTTD_QUIET_RATE, o->rate) : o->rate;
}

static enum err go_on(struct trial *t, struct why *why) {
	const struct run_watch *w = t->o->watch;
	for (int64_t at = 0; at < t->length_ns; at += STEP_NS) {
		if (w && w->stop && w->stop(w->self)) return why_set(why, ERR_CLOSED, "interrupted");
		if (!run_until(t->run, at + STEP_NS))
			return why_set(why, ERR_INVALID, "seed %llu: an invariant broke: %s", (unsigned long long)t->seed,
			               run_invariants(t->run)->why);
	}
	return OK;
}

static enum err play(struct trial *t, struct arena *a, struct why *why) {
	struct fault_plan plan = { .count = 0 };
	struct run_truth truths[RUN_TRUTHS_MAX];
	enum mttd_pace pace = mttd_pace_of(t->which);
	plan_of(t, &plan);
	struct run_opts o = {
		.world = t->o->world,
		.seed = t->seed * SEED_STRIDE + (uint64_t)t->which,
		.rate = mttd_rate_of(t->o, pace),
		.mode = SCENARIO_AUTO,
		.plan = &plan,
		.image = pace == MTTD_UNWARMED ? NULL : t->o->images[pace],
		.alarms = true,
	};
	enum err e = run_open(&o, &t->run, why);
	if (e) return e;
	size_t count = run_truths(t->run, truths);
	if (cases[t->which].fault && !count) return OK;
	t->length_ns = length_of(t, count ? truths[0].fault->magnitude : 0);
	e = go_on(t, why);
	if (!e) e = run_read(t->run, a, &t->rec, why);
	if (!e && run_truths(t->run, truths)) t->truth = truths[0];
	return e;
}

/* ---- reading the store ---- */

static double seconds(int64_t ns) {
	return (double)ns / 1e9;
}

static int64_t time_of(const struct trial *t, const struct json *v) {
	struct wall at = { 0 };
	struct str s = json_str(v);
	return wall_parse(s.p, s.n, &at) ? at.ns - run_epoch(t->run).ns : -1;
}

static enum event_type type_of(const struct json *event) {
	return event_type_of(json_str(json_get(event, "type")));
}

/* What fills up by and by is found from its first visible effect on (memory, connections); everything else from its
 * onset. */
static int64_t base_of(const struct trial *t) {
	bool leaks = t->truth.kind == PLAN_MEMORY_LEAK || t->truth.kind == PLAN_POOL_EXHAUSTED;
	return leaks && t->truth.visible_ns >= 0 ? t->truth.visible_ns : t->truth.onset_ns;
}

static bool during(const struct trial *t, int64_t at_ns) {
	if (!cases[t->which].fault || t->truth.onset_ns < 0 || at_ns < t->truth.onset_ns) return false;
	return t->truth.over_ns < 0 || at_ns <= t->truth.over_ns + GRACE_NS;
}

static bool touched(const struct trial *t, const struct json *entities) {
	json_each(e, entities) {
		if (run_touches(t->run, &t->truth, json_str(e))) return true;
	}
	return false;
}

/* An incident is the fault's when it came while the fault was there, at something that the fault touches. */
static bool is_true(const struct trial *t, const struct json *opened) {
	return during(t, time_of(t, json_get(opened, "time"))) && touched(t, json_path(opened, "data.entities"));
}

/* When control had taken it from the bus, where it was durable before: the decision log's own word. */
static int64_t durable_ns(const struct trial *t, struct str incident, int64_t published_ns) {
	int64_t at_ns = -1;
	for (size_t i = 0; i < t->rec.item_count && at_ns < 0; i++) {
		const struct run_item *it = &t->rec.items[i];
		const struct json *entry = NULL;
		struct arena a;
		if (!str_starts(it->key, STR("audit/0")) || !memmem(it->value.p, it->value.n, incident.p, incident.n)) continue;
		arena_init(&a, 0);
		if (json_parse(&a, it->value, &entry, NULL) == OK &&
		    str_is(json_str(json_get(entry, "kind")), "incident_opened"))
			at_ns = time_of(t, json_get(entry, "at"));
		arena_done(&a);
	}
	return at_ns > published_ns ? at_ns : published_ns;
}

struct said { /* of the true incident, since the run began; -1: never */
	struct str incident;
	int64_t opened_ns, named_ns, verified_ns, resolved_ns;
	int64_t applied_ns, settled_ns; /* of the first action whose rollout ended */
	bool right, escalated, acted;
};

static bool among(struct str word, const char *list) {
	for (struct str head, tail, rest = str_of(list); rest.n; rest = tail) {
		(void)str_cut(rest, '|', &head, &tail);
		if (str_eq(word, head)) return true;
	}
	return false;
}

static bool names_it(const struct trial *t, const struct json *cause) {
	char alias[80];
	struct str entity = json_str(json_get(cause, "entity"));
	run_alias(t->run, &t->truth, alias, sizeof alias);
	return (str_is(entity, t->truth.entity) || (*alias && str_is(entity, alias))) &&
	       among(json_str(json_get(cause, "kind")), t->truth.causes);
}

static void take_move(struct str state, int64_t at, struct said *s) {
	if (s->settled_ns < 0 && str_is(state, "applied")) s->applied_ns = at;
	if (s->settled_ns < 0 && s->applied_ns >= 0 && str_is(state, "verifying")) s->settled_ns = at;
	if (s->verified_ns < 0 && str_is(state, "verified")) s->verified_ns = at;
}

static void take_event(const struct trial *t, const struct json *event, struct said *s) {
	const struct json *data = json_get(event, "data");
	int64_t at = time_of(t, json_get(event, "time"));
	if (!str_eq(json_str(json_get(data, "incident")), s->incident)) return;
	switch (type_of(event)) {
	case EVENT_RCA_REPORT:
		if (s->named_ns >= 0 || json_bool(json_get(data, "none"), true)) return;
		s->named_ns = at;
		s->right = names_it(t, json_at(json_get(data, "root_causes"), 0));
		return;
	case EVENT_ACTION_PLANNED:
		if (json_str(json_get(data, "kind")).n)
			s->acted = true;
		else if (names_it(t, json_get(data, "cause")))
			s->escalated = true;
		return;
	case EVENT_ACTION_LOG: take_move(json_str(json_get(data, "state")), at, s); return;
	case EVENT_INCIDENT_RESOLVED:
		if (str_is(json_str(json_get(data, "how")), "in_band")) s->resolved_ns = at;
		return;
	default: return;
	}
}

static struct said read_store(const struct trial *t) {
	struct said s = {
		.opened_ns = -1, .named_ns = -1, .verified_ns = -1, .resolved_ns = -1, .applied_ns = -1, .settled_ns = -1
	};
	json_each(event, t->rec.events) {
		if (s.incident.n || type_of(event) != EVENT_INCIDENT_OPENED || !is_true(t, event)) continue;
		s.incident = json_str(json_path(event, "data.incident"));
		s.opened_ns = durable_ns(t, s.incident, time_of(t, json_get(event, "time")));
	}
	if (!s.incident.n) return s;
	json_each(event, t->rec.events) take_event(t, event, &s);
	return s;
}

/* ---- what was done ---- */

static bool at_target(const struct trial *t, const struct invariant_effect *e) {
	char place[200];
	for (size_t i = 0; i < t->o->world->service_count; i++) {
		const struct shop_service *s = &t->o->world->services[i];
		snprintf(place, sizeof place, "%s/%s", t->o->world->namespace_, s->deployment);
		if (!strcmp(place, e->target)) return cases[t->which].fault && !strcmp(s->name, t->truth.target);
	}
	return false;
}

struct done {
	bool wrong;         /* something else than the target was acted on while the fault was there */
	int64_t false_ones; /* actions at nothing that was broken */
};

static struct done read_effects(const struct trial *t) {
	const struct invariants *v = run_invariants(t->run);
	struct done d = { 0 };
	for (size_t i = 0; i < v->effect_count; i++) {
		int64_t at = v->effects[i].at_ns - run_begin(t->run);
		bool right = during(t, at) && at_target(t, &v->effects[i]);
		d.wrong |= during(t, at) && !right;
		d.false_ones += !right;
	}
	return d;
}

/* ---- rows ---- */

static void put_time(struct json_out *o, const char *key, double s) {
	json_key(o, key);
	if (isnan(s) || s < 0)
		json_put_null(o);
	else
		json_put_double(o, s);
}

static void put_rate(struct json_out *o, const char *key, int64_t count, double exposure) {
	json_key(o, key);
	json_begin_array(o);
	json_put_int(o, count);
	json_put_double(o, exposure);
	json_end_array(o);
}

static void put_share(struct json_out *o, const char *key, bool known, bool v) {
	json_key(o, key);
	if (known)
		json_put_bool(o, v);
	else
		json_put_null(o);
}

static double since(int64_t at_ns, int64_t base_ns) {
	return at_ns < 0 || base_ns < 0 ? (double)NAN : seconds(at_ns - base_ns);
}

static int64_t false_incidents(const struct trial *t) {
	int64_t n = 0;
	json_each(event, t->rec.events) n += type_of(event) == EVENT_INCIDENT_OPENED && !is_true(t, event);
	return n;
}

/* By an action of Flyball's catalogue, which has all four. */
static bool curable(const struct trial *t) {
	for (int a = 0; a < SHOP_ACTIONS; a++)
		if (shop_remedy_of(t->truth.fault->kind, t->truth.fault->deployed, (enum shop_action)a) == SHOP_CURES)
			return true;
	return false;
}

/* Something that emits nothing itself (a process that hangs) is told of by others: by the export that shows it. */
static int64_t delivered_of(const struct trial *t) {
	return t->truth.delivered_ns >= 0 ? t->truth.delivered_ns : t->truth.visible_ns;
}

/* Never less than nothing: what came before the marked sample, or before a leak was visible, took no time; it is not
 * what never came. NaN stays. */
static double at_least_zero(double s) {
	return s < 0 ? 0 : s;
}

static void put_detection(struct json_out *o, const struct trial *t, int64_t at_ns) {
	put_time(o, "delivered_s", at_least_zero(since(delivered_of(t), base_of(t))));
	put_time(o, "decided_s", at_least_zero(since(at_ns, delivered_of(t))));
	put_time(o, "detect_s", at_least_zero(since(at_ns, base_of(t))));
}

static void put_flyball(const struct trial *t, struct json_out *o, const struct said *s) {
	struct done d = read_effects(t);
	double weeks = seconds(t->length_ns) / WEEK_S;
	json_key(o, "flyball");
	json_begin_object(o);
	if (cases[t->which].fault) {
		bool seen = s->opened_ns >= 0;
		put_detection(o, t, s->opened_ns);
		put_time(o, "cause_s", since(s->named_ns, s->opened_ns));
		double resolve_s = at_least_zero(since(s->verified_ns, base_of(t)));
		if (curable(t)) put_time(o, "resolve_s", s->resolved_ns < 0 ? (double)NAN : resolve_s);
		put_share(o, "cause_right", s->named_ns >= 0, s->right);
		put_share(o, "abstained", seen, s->named_ns < 0);
		put_share(o, "wrong_target", true, d.wrong);
		if (!curable(t)) put_share(o, "escalated", true, s->escalated && !s->acted);
	}
	put_rate(o, "false_incidents_per_week", false_incidents(t), weeks);
	put_rate(o, "false_actions_per_week", d.false_ones, weeks);
	json_end_object(o);
}

static bool alarm_true(const struct trial *t, const struct run_alarm *a) {
	char entity[80];
	snprintf(entity, sizeof entity, "service/%s", a->service);
	return during(t, a->at_ns) && run_touches(t->run, &t->truth, str_of(entity));
}

/* What a person would do after the alarm: the same action, settled as fast as Flyball's was. */
static void put_alarms(const struct trial *t, struct json_out *o, bool minute, double mending_s) {
	size_t n = 0;
	const struct run_alarm *a = run_alarms(t->run, &n);
	int64_t first_ns = -1, false_ones = 0, last_false_ns = -EPISODE_NS - 1;
	for (size_t i = 0; i < n; i++) {
		if (a[i].minute != minute) continue;
		if (cases[t->which].fault && alarm_true(t, &a[i])) {
			if (first_ns < 0) first_ns = a[i].at_ns;
			continue;
		}
		false_ones += a[i].at_ns - last_false_ns > EPISODE_NS;
		last_false_ns = a[i].at_ns;
	}
	json_key(o, minute ? "alarms_1min" : "alarms_10s");
	json_begin_object(o);
	if (cases[t->which].fault) {
		double detect_s = at_least_zero(since(first_ns, base_of(t)));
		put_detection(o, t, first_ns);
		if (curable(t)) put_time(o, "people_s", SIM_PEOPLE_S);
		if (curable(t)) put_time(o, "resolve_s", detect_s + SIM_PEOPLE_S + (isnan(mending_s) ? 0 : mending_s));
	}
	put_rate(o, "false_incidents_per_week", false_ones, seconds(t->length_ns) / WEEK_S);
	json_end_object(o);
}

/* ---- groups ---- */

static const struct shop_service *service_of(const struct trial *t, const char *name) {
	for (size_t i = 0; i < t->o->world->service_count; i++)
		if (!strcmp(t->o->world->services[i].name, name)) return &t->o->world->services[i];
	return NULL;
}

static bool calls(const struct shop_service *s, const char *to) {
	for (size_t e = 0; e < s->endpoint_count; e++)
		for (size_t c = 0; c < s->endpoints[e].call_count; c++)
			if (!strcmp(s->endpoints[e].calls[c].to, to)) return true;
	return false;
}

/* Requests a second at the target: as the alarms' receiver counted them; of a database those that its callers serve.
 * `traced`: of services that send spans alone. */
static double rate_of(const struct trial *t, bool traced) {
	const struct shop_world *w = t->o->world;
	double sum = 0;
	for (size_t i = 0; i < w->service_count; i++) {
		const struct shop_service *s = &w->services[i];
		bool tells = shop_fault_at_database(t->truth.fault->kind) ? calls(s, t->truth.target)
		                                                          : !strcmp(s->name, t->truth.target);
		double rate = tells && !(traced && s->no_spans) ? run_rate_of(t->run, s->name) : 0;
		if (!isnan(rate)) sum += rate;
	}
	return sum;
}

static bool is_fast(const struct trial *t) {
	return t->o->world->sampling >= 1 && rate_of(t, true) >= FAST_RATE;
}

static bool is_quick(const struct trial *t) {
	const struct shop_service *s = service_of(t, t->truth.target);
	return s && s->start_up_s <= QUICK_START_S && s->max_surge && !strcmp(s->max_surge, "100%");
}

static void put_groups(const struct trial *t, struct json_out *o) {
	bool fast = is_fast(t);
	json_key(o, "groups");
	json_begin_array(o);
	if (t->which == MTTD_COLD) {
		json_put_c(o, "cold");
	} else {
		json_put_c(o, fast ? "fast" : "slow");
		json_put_c(o, !curable(t) ? "incurable" : fast && is_quick(t) ? "quick_start" : "slow_start");
	}
	json_end_array(o);
}

/* Of the signal that tells of this fault: memory comes from the node's agent, everything else from the process. */
static double interval_s(const struct trial *t) {
	const struct shop_world *w = t->o->world;
	const struct shop_service *s = service_of(t, t->truth.target);
	int64_t ns = t->truth.kind == PLAN_MEMORY_LEAK ? w->agent_ns : s && s->no_metrics ? w->span_ns : w->metric_ns;
	return seconds(ns);
}

/* What this run is held to. `rollout_s`: NaN, no rollout ended. */
static void put_bounds(const struct trial *t, struct json_out *o, double rollout_s) {
	double interval = interval_s(t), detect_s = is_fast(t) ? FAST_DETECT_S : INTERVALS * interval + INTERVALS_S;
	json_key(o, "bounds");
	json_begin_object(o);
	put_time(o, "detect_s", detect_s);
	put_time(o, "rollout_s", rollout_s);
	if (curable(t)) put_time(o, "resolve_s", detect_s + CAUSE_S + rollout_s + VERIFY_S + interval);
	json_end_object(o);
}

/* Only what people would notice counts in the sums; the rest stands in the curve. */
static bool large(const struct trial *t) {
	return shop_fault_large(t->truth.fault);
}

static void put_curve(const struct trial *t, struct json_out *o, const struct said *s) {
	json_key(o, "curve");
	json_begin_object(o);
	json_kv_c(o, "case", mttd_case_name(t->which));
	json_kv_int(o, "seed", (int64_t)t->seed);
	json_kv_c(o, "target", t->truth.target);
	json_kv_double(o, "magnitude", t->truth.fault->magnitude);
	json_kv_double(o, "rate", rate_of(t, false));
	json_kv_bool(o, "counts", large(t));
	if (t->truth.fault->form) json_kv_int(o, "form", t->truth.fault->form);
	put_time(o, "visible_s", since(t->truth.visible_ns, t->truth.onset_ns));
	put_time(o, "detect_s", at_least_zero(since(s->opened_ns, base_of(t))));
	put_time(o, "cause_s", since(s->named_ns, s->opened_ns));
	json_kv_bool(o, "right", s->right);
	json_end_object(o);
}

static void put_fault(const struct trial *t, struct json_out *o, const struct said *s) {
	if (t->which != MTTD_COLD) json_kv_c(o, "case", mttd_case_name(t->which));
	json_kv_bool(o, "counts", large(t));
	put_groups(t, o);
	put_bounds(t, o, s->settled_ns < 0 ? (double)NAN : seconds(s->settled_ns - s->applied_ns));
	put_curve(t, o, s);
}

static void put_row(const struct trial *t, struct buf *out) {
	struct said s = read_store(t);
	double mending_s = since(s.verified_ns, s.opened_ns);
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_int(&o, "seed", (int64_t)t->seed);
	json_kv_c(&o, "world", t->o->world->name);
	if (cases[t->which].fault)
		put_fault(t, &o, &s);
	else
		json_kv_double(&o, "quiet_s", seconds(t->length_ns));
	json_key(&o, "subjects");
	json_begin_object(&o);
	put_flyball(t, &o, &s);
	put_alarms(t, &o, true, mending_s);
	put_alarms(t, &o, false, mending_s);
	json_end_object(&o);
	json_end_object(&o);
	buf_byte(out, '\n');
}

/* A world without a place for such a fault: told, and counted, so that nobody takes its silence for a success. */
static void put_impossible(const struct trial *t, struct buf *out) {
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_int(&o, "seed", (int64_t)t->seed);
	json_kv_c(&o, "world", t->o->world->name);
	json_kv_c(&o, "impossible", mttd_case_name(t->which));
	json_kv_bool(&o, "counts", false);
	json_key(&o, "subjects");
	json_begin_object(&o);
	json_end_object(&o);
	json_end_object(&o);
	buf_byte(out, '\n');
}

enum err mttd_run(const struct mttd_opts *o, uint64_t seed, enum mttd_case c, struct buf *out, struct why *why) {
	struct trial t = { .o = o, .which = c, .seed = seed };
	struct arena a;
	arena_init(&a, 0);
	enum err e = play(&t, &a, why);
	bool possible = !cases[c].fault || t.truth.fault;
	if (!e && possible && cases[c].fault && t.truth.onset_ns < 0)
		e = why_set(why, ERR_INVALID, "seed %llu: the fault did not begin", (unsigned long long)seed);
	if (!e && possible) put_row(&t, out);
	if (!e && !possible) put_impossible(&t, out);
	arena_done(&a);
	run_close(t.run);
	return e;
}
