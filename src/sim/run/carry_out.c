/* Carrying a plan out: each step at its moment, each condition taken back at its end. */
#include <stdio.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/run/impl.h"

#define DELAY_SHARE   0.2              /* of messages that come late, while `delay` is on */
#define OVERTAKEN_NS  (2 * NS_PER_SEC) /* how much later a message may come than those sent after it */
#define SKEW_S        300.0            /* a skew without an end comes about over this time */
#define STORM_EFFECTS 60               /* it dies after at most so many effects of its own */
#define STORM_NS      (4 * NS_PER_SEC) /* between two deaths of a restart storm, on the average */

/* ---- conditions of the outside: on, and off again ---- */

static void partition(struct run *r, bool apart) {
	uint32_t a = r->host[RUN_FLYBALL].ports.host, b = r->host[RUN_KUBE].ports.host;
	sim_net_part(&r->net, a, b, apart);
	sim_net_part(&r->net, b, a, apart);
}

static bool is_condition(enum plan_kind k) {
	return k >= PLAN_LOSS && k <= PLAN_API_THROTTLED && k != PLAN_CLOCK_STEP && k != PLAN_API_RESTART;
}

/* The wall clock gains or loses `m` seconds over that time; then somebody sets it right, at once. */
static void run_away(struct run *r, bool on, double m, double seconds) {
	struct sim_clock *c = &r->host[RUN_FLYBALL].clock;
	if (on) {
		sim_clock_drift(c, m / (seconds > 0 ? seconds : SKEW_S));
	} else {
		sim_clock_drift(c, 0);
		sim_clock_step(c, r->skewed_ns - c->skew_ns);
	}
}

static void set_condition(struct run *r, enum plan_kind kind, bool on, double magnitude, double seconds) {
	double m = on ? magnitude : 0;
	struct sim_disk *disk = &r->host[RUN_FLYBALL].disk;
	bool was_on = r->condition[kind].on;
	r->conditions += (int)on - (int)was_on;
	r->condition[kind].on = on;
	r->condition_changes++;
	switch (kind) {
	case PLAN_LOSS: r->link.lost = m; break;
	case PLAN_DUPLICATE: r->link.twice = m; break;
	case PLAN_CUT: r->link.cut = r->link.reset = r->link.stalled = m / 3; break;
	case PLAN_REORDER: r->link.overtaken = (struct sim_late){ m, OVERTAKEN_NS }; break;
	case PLAN_DELAY: r->link.slow = (struct sim_late){ on ? DELAY_SHARE : 0, (int64_t)(m * 1e9) }; break;
	case PLAN_PARTITION: partition(r, on); break;
	case PLAN_SLOW_DISK: disk->slowness = on ? m : 1; break;
	case PLAN_FULL_DISK: disk->bytes_max = on ? 1 : INT64_MAX; break;
	case PLAN_LOST_SYNC: disk->sync_lost = m; break;
	case PLAN_CLOCK_SKEW:
		if (!was_on) r->skewed_ns = r->host[RUN_FLYBALL].clock.skew_ns;
		run_away(r, on, m, seconds);
		break;
	case PLAN_API_SLOW: r->server.faults.slow_ns = (int64_t)(m * 1e9); break;
	case PLAN_API_FAILING: r->server.faults.failing = m; break;
	case PLAN_API_FORGETFUL: r->server.faults.forgetful = m; break;
	case PLAN_API_STALE: r->server.faults.stale = m; break;
	case PLAN_API_THROTTLED: r->server.faults.throttled = m; break;
	default: assert(!"not a condition");
	}
}

/* arg: generation and kind. Of those that overlap the last one's end ends all, as a repair does. */
static void condition_ends(void *self, uint64_t arg) {
	struct run *r = self;
	enum plan_kind kind = (enum plan_kind)(arg & 0xff);
	if (r->draining || r->condition[kind].generation != arg >> 8) return;
	set_condition(r, kind, false, 0, 0);
	sim_trace_tell(&r->trace, "outside: %s is over", plan_table[kind].name);
}

static void condition_begins(struct run *r, const struct plan_step *s) {
	set_condition(r, s->kind, true, s->magnitude, (double)s->for_ns / 1e9);
	uint64_t generation = ++r->condition[s->kind].generation;
	if (s->for_ns) sim_queue_in(&r->queue, s->for_ns, condition_ends, r, generation << 8 | s->kind);
}

void run_plan_calm(struct run *r) {
	for (int k = 0; k < PLAN_FAULTS; k++)
		if (r->condition[k].on) set_condition(r, (enum plan_kind)k, false, 0, 0);
}

/* ---- moments ---- */

static void kube_starts(void *self, uint64_t arg) {
	struct run *r = self;
	struct why why;
	(void)arg;
	if (!r->host[RUN_KUBE].up && sim_host_start(&r->host[RUN_KUBE], &why))
		sim_trace_tell(&r->trace, "kube: does not start: %s", why.text);
}

static void kube_restarts(struct run *r, const struct plan_step *s) {
	if (!r->host[RUN_KUBE].up) return;
	r->condition_changes++;
	sim_host_crash(&r->host[RUN_KUBE], false);
	sim_queue_in(&r->queue, s->for_ns ? s->for_ns : NS_PER_SEC, kube_starts, r, 0);
}

static void flyball_dies(struct run *r, const struct plan_step *s) {
	r->down_ns = s->for_ns;
	if (s->kind != PLAN_KILL) r->host[RUN_FLYBALL].disk.tears = s->kind == PLAN_TORN_WRITE;
	run_flyball_dies(r, s->effects, s->kind != PLAN_KILL);
}

/* One death of a storm, somewhere in the work of coming up; `left` more follow. */
static void storm_dies(void *self, uint64_t left) {
	struct run *r = self;
	if (r->draining) return;
	r->down_ns = NS_PER_SEC;
	run_flyball_dies(r, rng_below(&r->rng, STORM_EFFECTS), false);
	if (left) sim_queue_in(&r->queue, (int64_t)rng_exponential(&r->rng, (double)STORM_NS), storm_dies, r, left - 1);
}

static void deploy(struct run *r, const struct plan_step *s) {
	const struct shop_service *spec = NULL;
	char patch[400];
	struct why why = { "" };
	for (size_t i = 0; i < r->world.service_count; i++)
		if (!strcmp(r->world.services[i].name, s->target)) spec = &r->world.services[i];
	if (!spec) return; /* refused by run_plan_begin */
	snprintf(
		patch, sizeof patch,
		"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"%s\",\"image\":\"registry.local/%s:2.%lld.0\"}"
		"]}}}}",
		spec->name, spec->name, (long long)++r->deployments);
	enum err e =
		sim_kube_change(r->kube, KUBE_DEPLOYMENTS, r->world.namespace_, spec->deployment, "helm", str_of(patch), &why);
	assert(!e && "a Deployment of the shop takes an image");
}

/* A piece of ordinary life; that there is such a target was seen by run_plan_begin. */
static void life(struct run *r, const struct plan_step *s) {
	switch (s->kind) {
	case PLAN_DEPLOYMENT: deploy(r, s); return;
	case PLAN_DRAIN: (void)shop_drain(r->shop, s->target, s->for_ns); return;
	case PLAN_SLEEP: (void)shop_put_to_sleep(r->shop, s->target, s->for_ns); return;
	case PLAN_BURST: shop_burst(r->shop, s->magnitude, s->for_ns); return;
	case PLAN_GAP: (void)shop_lose_telemetry(r->shop, s->target, s->for_ns); return;
	case PLAN_RESET: (void)shop_reset_counters(r->shop, s->target); return;
	case PLAN_SKEW: (void)shop_skew_clock(r->shop, s->target, (int64_t)(s->magnitude * 1e9)); return;
	case PLAN_JOB: (void)shop_run_job(r->shop, s->target); return;
	default: assert(!"not ordinary life");
	}
}

void run_plan_step(struct run *r, const struct plan_step *s) {
	char text[160];
	plan_step_text(s, text, sizeof text);
	if (r->draining) return;
	if (s->kind >= PLAN_SHOP_FAULTS) sim_trace_tell(&r->trace, "plan: %s", text);
	if (s->kind < PLAN_FAULTS) r->came[s->kind]++;
	switch (s->kind) {
	case PLAN_KILL:
	case PLAN_POWER_LOSS:
	case PLAN_TORN_WRITE: flyball_dies(r, s); return;
	case PLAN_RESTART_STORM: storm_dies(r, s->magnitude > 1 ? (uint64_t)s->magnitude - 1 : 0); return;
	case PLAN_CLOCK_STEP: sim_clock_step(&r->host[RUN_FLYBALL].clock, (int64_t)(s->magnitude * 1e9)); return;
	case PLAN_API_RESTART: kube_restarts(r, s); return;
	case PLAN_API_COMPACT: sim_kube_compact(r->kube); return;
	case PLAN_APPROVE:
	case PLAN_REJECT: run_people_answer(r, s->kind == PLAN_APPROVE); return;
	default: break;
	}
	if (plan_is_life(s->kind)) life(r, s);
	if (is_condition(s->kind)) condition_begins(r, s);
}

static void step_comes(void *self, uint64_t index) {
	struct run *r = self;
	run_plan_step(r, &r->plan.steps[index]);
}

/* ---- the shop's faults ---- */

static bool at_database(const struct plan_step *s) {
	return s->kind < PLAN_SHOP_FAULTS && shop_fault_at_database((enum shop_fault_kind)s->kind);
}

/* The index of the one of that name; -1: the world has none. */
static int index_of(const struct run *r, bool database, struct str name) {
	const struct shop_world *w = &r->world;
	for (size_t i = 0; i < (database ? w->database_count : w->service_count); i++)
		if (str_is(name, database ? w->databases[i].name : w->services[i].name)) return (int)i;
	return -1;
}

static int target_of(const struct run *r, const struct plan_step *s) {
	return index_of(r, at_database(s), str_of(s->target));
}

/* The ends of the link "a>b"; both -1 where the world has no such services. */
static void link_of(const struct run *r, const struct plan_step *s, struct shop_fault *f) {
	struct str from, to;
	bool two = str_cut(str_of(s->target), '>', &from, &to);
	f->source = two ? index_of(r, false, from) : -1;
	f->target = two ? index_of(r, false, to) : -1;
	if (f->source < 0 || f->target < 0) f->source = f->target = -1;
}

static enum err no_target(const struct run *r, const struct plan_step *s, struct why *why) {
	const char *what = s->kind == PLAN_SLOW_LINK ? "link a>b between services"
	                   : at_database(s)          ? "database"
	                                             : "service";
	return why_set(why, ERR_INVALID, "the world '%s' has no %s '%s'", r->world.name, what, s->target);
}

static void fault_ends(void *self, uint64_t index) {
	struct run *r = self;
	shop_end_fault(r->shop, r->faults[index].fault);
}

static enum err plan_shop_fault(struct run *r, const struct plan_step *s, struct why *why) {
	struct rng rng = rng_fork(&r->rng, plan_table[s->kind].name);
	rng.state ^= (uint64_t)s->at_ns; /* two of a kind draw their targets apart */
	struct shop_fault f = shop_draw_fault(r->shop, (enum shop_fault_kind)s->kind, &rng);
	if (*s->target && s->kind == PLAN_SLOW_LINK)
		link_of(r, s, &f);
	else if (*s->target)
		f.target = target_of(r, s);
	if (f.target < 0 && !*s->target) return OK; /* a world in which it cannot be */
	if (f.target < 0) return no_target(r, s, why);
	if (r->fault_count == RUN_TRUTHS_MAX) return why_set(why, ERR_INVALID, "more than %d faults", RUN_TRUTHS_MAX);
	if (s->magnitude > 0) f.magnitude = s->magnitude;
	if (s->form) f.form = s->form;
	f.onset_ns = r->begin_ns + s->at_ns;
	size_t i = r->fault_count++;
	r->faults[i].kind = s->kind;
	r->faults[i].fault = shop_plan_fault(r->shop, &f);
	r->came[s->kind]++;
	if (s->for_ns) sim_queue_at(&r->queue, f.onset_ns + s->for_ns, fault_ends, r, i);
	return OK;
}

static enum err check_target(const struct run *r, const struct plan_step *s, struct why *why) {
	int node = 0;
	bool there = false;
	const char *what = s->kind == PLAN_JOB ? "job" : s->kind == PLAN_DRAIN || s->kind == PLAN_SKEW ? "node" : "service";
	if (!plan_is_life(s->kind) || s->kind == PLAN_BURST) return OK;
	for (size_t i = 0; *what == 'j' && i < r->world.job_count; i++) there |= !strcmp(r->world.jobs[i].name, s->target);
	if (*what == 'n') there = sscanf(s->target, "node-%d", &node) == 1 && node >= 1 && node <= r->world.nodes;
	if (*what == 's') there = target_of(r, s) >= 0;
	if (there) return OK;
	return why_set(why, ERR_INVALID, "%s: the world '%s' has no %s '%s'", plan_table[s->kind].name, r->world.name, what,
	               s->target);
}

enum err run_plan_begin(struct run *r, struct why *why) {
	for (size_t i = 0; i < r->plan.count; i++) {
		const struct plan_step *s = &r->plan.steps[i];
		enum err e = s->kind < PLAN_SHOP_FAULTS ? plan_shop_fault(r, s, why) : check_target(r, s, why);
		if (e) return e;
		if (s->kind >= PLAN_SHOP_FAULTS) sim_queue_at(&r->queue, r->begin_ns + s->at_ns, step_comes, r, i);
	}
	return OK;
}

/* ---- what the API server was asked ---- */

static void trigger(struct run *r, enum scenario_when when) {
	struct plan_step *s = &r->when[when];
	if (s->at_ns < 0) return;
	s->at_ns = -1; /* once */
	run_plan_step(r, s);
}

void run_plan_served(struct run *r) {
	const struct sim_kube_server_counts *c = &r->server.counts;
	if (c->writes > r->writes_seen) invariants_write_asked(r->checks, r->queue.now_ns, "a write");
	if (c->dry_runs > r->dry_runs_seen) trigger(r, SCENARIO_DRY_RUN);
	if (c->writes - c->dry_runs > r->writes_seen - r->dry_runs_seen) trigger(r, SCENARIO_EFFECT);
	r->writes_seen = c->writes;
	r->dry_runs_seen = c->dry_runs;
}
