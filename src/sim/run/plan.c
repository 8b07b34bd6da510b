#include "sim/run/plan.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/param.h"
#include "sim/shop/fault.h"

#define HALF_HOUR_NS (30 * NS_PER_MIN)
#define EFFECTS_MOST 400 /* a step of the daemon has some; so deaths lie anywhere in the work of seconds */

/* Frequencies are such that a drawn half hour has about one fault of the shop and three or four classes of
 * the outside's: enough that they meet, not so many that nothing else happens. */
const struct plan_info plan_table[PLAN_KINDS] = {
	/* Of the shop's own range (30 min to 24 h) half an hour would see nothing: here it is shorter. */
	[PLAN_MEMORY_LEAK] = { "memory_leak", PLAN_SECONDS, 0.15, 300, 1500, 0, 0,
	                       "A service leaks: full after this time, then killed, again and again until restarted." },
	[PLAN_CPU_HOG] = { "cpu_hog", PLAN_FACTOR, 0.15, 0, 0, 0, 0,
	                   "Threads spin in every process of a service: its work takes so many times as long." },
	[PLAN_SLOW_DATABASE] = { "slow_database", PLAN_FACTOR, 0.15, 0, 0, 300, 900,
	                         "A database takes so many times as long." },
	[PLAN_ERROR_BURST] = { "error_burst", PLAN_SHARE, 0.15, 0, 0, 0, 0,
	                       "A service fails this share of its requests until it is restarted." },
	[PLAN_POOL_EXHAUSTED] = { "pool_exhausted", PLAN_SHARE, 0.15, 0, 0, 0, 0,
	                          "This share of a service's statements keeps its connection, until none is left." },
	[PLAN_DEAD_POD] = { "dead_pod", PLAN_NOTHING, 0.15, 0, 0, 0, 0, "One pod hangs and stays in the load balancer." },
	[PLAN_BAD_DEPLOYMENT] = { "bad_deployment", PLAN_FACTOR, 0.15, 0, 0, 0, 0,
	                          "A new image is slow, failing, crashing or never ready, until it is taken back." },
	[PLAN_SLOW_LINK] = { "slow_link", PLAN_FACTOR, 0.15, 0, 0, 300, 900,
	                     "Calls from one service to another take so many times as long, and packets are lost." },
	[PLAN_FULL_VOLUME] = { "full_volume", PLAN_NOTHING, 0.1, 0, 0, 300, 900,
	                       "A database's disk is full: it reads, and does not write." },
	[PLAN_RETRY_STORM] = { "retry_storm", PLAN_FACTOR, 0.1, 0, 0, 300, 900,
	                       "Retries ask so many times what a service can do, long after what began it has gone." },
	[PLAN_KILL] = { "kill", PLAN_NOTHING, 1.5, 0, 0, 1, 60, "Flyball is killed inside a step, and started again." },
	[PLAN_RESTART_STORM] = { "restart_storm", PLAN_TIMES, 0.15, 4, 20, 0, 0,
	                         "It is killed so many times, each soon after it has come up." },
	[PLAN_POWER_LOSS] = { "power_loss", PLAN_NOTHING, 0.4, 0, 0, 5, 90,
	                      "Its machine loses power inside a step: unsynced writes are lost." },
	[PLAN_TORN_WRITE] = { "torn_write", PLAN_NOTHING, 0.4, 0, 0, 5, 90,
	                      "And some of them get to the disk in part, or out of order." },
	[PLAN_LOSS] = { "loss", PLAN_SHARE, 0.4, 0.01, 0.3, 20, 180,
	                "This share of messages to and from Flyball is lost." },
	[PLAN_DUPLICATE] = { "duplicate", PLAN_SHARE, 0.5, 0.02, 0.5, 60, 600, "This share of messages comes twice." },
	[PLAN_REORDER] = { "reorder", PLAN_SHARE, 0.5, 0.02, 0.5, 60, 600,
	                   "This share of messages is overtaken by those sent up to 2 s later." },
	[PLAN_DELAY] = { "delay", PLAN_SECONDS, 0.5, 0.2, 20, 60, 600, "Every fifth message comes later by this time." },
	[PLAN_CUT] = { "cut", PLAN_SHARE, 0.4, 0.01, 0.3, 20, 180, "This share of messages is cut, stalled or reset." },
	[PLAN_PARTITION] = { "partition", PLAN_NOTHING, 0.3, 0, 0, 5, 120,
	                     "Flyball and the API server do not reach each other." },
	[PLAN_SLOW_DISK] = { "slow_disk", PLAN_FACTOR, 0.3, 5, 500, 30, 300,
	                     "Syncs of Flyball's disk take so many times as long." },
	[PLAN_FULL_DISK] = { "full_disk", PLAN_NOTHING, 0.2, 0, 0, 10, 120, "Flyball's disk is full." },
	[PLAN_LOST_SYNC] = { "lost_sync", PLAN_SHARE, 0.2, 0.05, 1, 30, 600,
	                     "It says yes to this share of syncs, and forgets them." },
	[PLAN_CLOCK_STEP] = { "clock_step", PLAN_SECONDS, 0.3, 0.1, 60, 0, 0,
	                      "Flyball's wall clock jumps, ahead or back." },
	[PLAN_CLOCK_SKEW] = { "clock_skew", PLAN_SECONDS, 0.3, 0.1, 60, 60, 600,
	                      "The wall clock runs away by this much, and is set right at the end." },
	[PLAN_API_RESTART] = { "api_restart", PLAN_NOTHING, 0.4, 0, 0, 2, 60,
	                       "The API server is killed, and started again." },
	[PLAN_API_SLOW] = { "api_slow", PLAN_SECONDS, 0.4, 0.1, 40, 20, 300, "Its answers take up to this long." },
	[PLAN_API_FAILING] = { "api_failing", PLAN_SHARE, 0.4, 0.05, 0.7, 20, 300,
	                       "It answers 500 or 503 without having done it." },
	[PLAN_API_FORGETFUL] = { "api_forgetful", PLAN_SHARE, 0.5, 0.1, 1, 20, 600,
	                         "It does what it is asked, and answers 500." },
	[PLAN_API_STALE] = { "api_stale", PLAN_SHARE, 0.4, 0.1, 1, 20, 300, "Reads answer what was true a moment ago." },
	[PLAN_API_THROTTLED] = { "api_throttled", PLAN_SHARE, 0.3, 0.1, 0.9, 10, 120, "It answers 429." },
	[PLAN_API_COMPACT] = { "api_compact", PLAN_NOTHING, 1, 0, 0, 0, 0, "It forgets history: watches are told 410." },
	[PLAN_DEPLOYMENT] = { "deploy", PLAN_NOTHING, 0, 0, 0, 0, 0,
	                      "A service is deployed in a new version: ordinary life." },
	[PLAN_DRAIN] = { "drain", PLAN_NOTHING, 0, 0, 0, 0, 0, "A node is drained for a while: ordinary life." },
	[PLAN_SLEEP] = { "sleep", PLAN_NOTHING, 0, 0, 0, 0, 0, "A service is scaled to zero for a while: ordinary life." },
	[PLAN_BURST] = { "burst", PLAN_FACTOR, 0, 0, 0, 0, 0, "So many times as many customers: ordinary life." },
	[PLAN_GAP] = { "gap", PLAN_NOTHING, 0, 0, 0, 0, 0, "A service's telemetry is lost for a while: ordinary life." },
	[PLAN_RESET] = { "reset", PLAN_NOTHING, 0, 0, 0, 0, 0, "A service's counters begin anew: ordinary life." },
	[PLAN_SKEW] = { "skew", PLAN_SECONDS, 0, 0, 0, 0, 0, "A node's clock is off: ordinary life." },
	[PLAN_JOB] = { "job", PLAN_NOTHING, 0, 0, 0, 0, 0, "A job of the world runs: ordinary life." },
	[PLAN_APPROVE] = { "approve", PLAN_NOTHING, 0, 0, 0, 0, 0, "A person approves every action that waits." },
	[PLAN_REJECT] = { "reject", PLAN_NOTHING, 0, 0, 0, 0, 0, "A person rejects every action that waits." },
};

bool plan_is_death(enum plan_kind k) {
	return k == PLAN_KILL || k == PLAN_POWER_LOSS || k == PLAN_TORN_WRITE;
}

static_assert((int)PLAN_MEMORY_LEAK == SHOP_LEAK && (int)PLAN_BAD_DEPLOYMENT == SHOP_BAD_DEPLOYMENT &&
                  (int)PLAN_SHOP_FAULTS == SHOP_FAULTS,
              "the shop's faults come first, in the shop's order");

static const struct {
	const char *name;
	unsigned bit;
} forms[] = {
	{ "slow", SHOP_SLOWER }, { "failing", SHOP_FAILING }, { "crashing", SHOP_CRASHING }, { "unready", SHOP_UNREADY }
};
#define FORMS (sizeof forms / sizeof *forms)

bool plan_form_parse(struct str text, unsigned *out) {
	unsigned bits = 0;
	for (struct str head, tail, rest = text; rest.n; rest = tail) {
		size_t i = 0;
		(void)str_cut(rest, '+', &head, &tail);
		while (i < FORMS && !str_is(head, forms[i].name)) i++;
		if (i == FORMS) return false;
		bits |= forms[i].bit;
	}
	if (bits) *out = bits;
	return bits != 0;
}

bool plan_kind_parse(struct str name, enum plan_kind *out) {
	for (int k = 0; k < PLAN_KINDS; k++) {
		if (!str_is(name, plan_table[k].name)) continue;
		*out = (enum plan_kind)k;
		return true;
	}
	return false;
}

const char *plan_fault_nearest(struct str name) {
	const char *best = plan_table[0].name;
	size_t least = SIZE_MAX;
	for (int k = 0; k < PLAN_FAULTS; k++) {
		size_t d = str_distance(name, str_of(plan_table[k].name));
		if (d < least) least = d, best = plan_table[k].name;
	}
	return best;
}

enum err plan_faults_parse(struct str text, plan_mask *out, struct why *why) {
	plan_mask mask = 0;
	struct str name, rest = text;
	if (str_is(text, "all")) {
		*out = PLAN_ALL;
		return OK;
	}
	while (!str_is(text, "none") && rest.n) {
		enum plan_kind k;
		struct str tail;
		(void)str_cut(rest, ',', &name, &tail);
		rest = tail;
		if (!plan_kind_parse(str_trim(name), &k) || k >= PLAN_FAULTS)
			return why_set(why, ERR_INVALID,
			               "there is no fault '" STR_FMT "', did you mean '%s'? --faults list shows all", STR_ARG(name),
			               plan_fault_nearest(name));
		mask |= UINT64_C(1) << k;
	}
	*out = mask;
	return OK;
}

void plan_faults_list(struct json_out *o) {
	static const char *const units[] = { "", "factor", "share", "seconds", "times" };
	json_begin_array(o);
	for (int k = 0; k < PLAN_FAULTS; k++) {
		json_begin_object(o);
		json_kv_c(o, "name", plan_table[k].name);
		json_kv_c(o, "where", k < PLAN_SHOP_FAULTS ? "shop" : "outside");
		json_kv_c(o, "unit", units[plan_table[k].unit]);
		json_kv_c(o, "what", plan_table[k].help);
		json_end_object(o);
	}
	json_end_array(o);
}

bool plan_add(struct fault_plan *p, const struct plan_step *step) {
	if (p->count == PLAN_STEPS_MAX) return false;
	size_t i = p->count++;
	while (i && p->steps[i - 1].at_ns > step->at_ns) {
		p->steps[i] = p->steps[i - 1];
		i--;
	}
	p->steps[i] = *step;
	return true;
}

static double draw_between(struct rng *rng, double a, double b) {
	return a > 0 && b > a ? exp(rng_between(rng, log(a), log(b))) : rng_between(rng, a, b);
}

/* How many, when `expected` are: Knuth's way of drawing a Poisson number, for small expectations. */
static int draw_count(struct rng *rng, double expected) {
	double limit = exp(-expected), product = rng_unit(rng);
	int n = 0;
	for (; product > limit && n < PLAN_STEPS_MAX / PLAN_KINDS; n++) product *= rng_unit(rng);
	return n;
}

/* A drawn plan can be written down: every figure in it is one that a scenario's line says in full. */
static double as_written(enum plan_unit unit, double m) {
	char text[32];
	double v = m, percent = unit == PLAN_SHARE ? 100 : 1;
	if (unit == PLAN_SECONDS) return round(m * 1e3) / 1e3;
	if (unit == PLAN_TIMES) return floor(m);
	snprintf(text, sizeof text, "%.3g", m * percent);
	(void)str_double(str_of(text), &v);
	return v / percent;
}

static int64_t whole_ms(int64_t ns) {
	return ns / NS_PER_MS * NS_PER_MS;
}

static struct plan_step draw_step(struct rng *rng, enum plan_kind kind, int64_t length_ns) {
	const struct plan_info *info = &plan_table[kind];
	int64_t first = length_ns / 10 < NS_PER_MIN ? length_ns / 10 : NS_PER_MIN;
	struct plan_step s = { .kind = kind, .at_ns = first + rng_below(rng, length_ns * 4 / 5 - first + 1) };
	s.at_ns = whole_ms(s.at_ns);
	s.magnitude = as_written(info->unit, draw_between(rng, info->least, info->most));
	s.for_ns = whole_ms((int64_t)(draw_between(rng, info->seconds_min, info->seconds_max) * 1e9));
	if (s.at_ns + s.for_ns > length_ns * 9 / 10 && s.for_ns) s.for_ns = whole_ms(length_ns * 9 / 10 - s.at_ns);
	if ((kind == PLAN_CLOCK_STEP || kind == PLAN_CLOCK_SKEW) && rng_below(rng, 2)) s.magnitude = -s.magnitude;
	if (plan_is_death(kind)) s.effects = rng_below(rng, EFFECTS_MOST);
	return s;
}

void plan_draw(struct fault_plan *p, struct rng rng, plan_mask mask, int64_t length_ns) {
	p->count = 0;
	for (int k = 0; k < PLAN_FAULTS; k++) {
		/* a stream for each kind: switching one off moves no other */
		struct rng own = rng_fork(&rng, plan_table[k].name);
		int n = draw_count(&own, plan_table[k].often * (double)length_ns / (double)HALF_HOUR_NS);
		for (int i = 0; i < n; i++) {
			struct plan_step s = draw_step(&own, (enum plan_kind)k, length_ns);
			if (mask >> k & 1) (void)plan_add(p, &s);
		}
	}
}

void plan_step_text(const struct plan_step *s, char *out, size_t n) {
	const struct plan_info *info = &plan_table[s->kind];
	char magnitude[40] = "", lasts[40] = "", effects[40] = "", form[48] = "", text[32];
	bool measured = s->magnitude != 0; /* else the shop draws it */
	for (size_t i = 0, n_form = 0; i < FORMS && s->form; i++)
		if (s->form & forms[i].bit)
			n_form += (size_t)snprintf(form + n_form, sizeof form - n_form, "%c%s", n_form ? '+' : ' ', forms[i].name);
	if (measured && info->unit == PLAN_FACTOR) snprintf(magnitude, sizeof magnitude, " x%.3g", s->magnitude);
	if (measured && info->unit == PLAN_SHARE) snprintf(magnitude, sizeof magnitude, " %.3g%%", s->magnitude * 100);
	if (measured && info->unit == PLAN_SECONDS) {
		duration_format(llround(s->magnitude * 1e9), text);
		snprintf(magnitude, sizeof magnitude, " %s", text);
	}
	if (info->unit == PLAN_TIMES) snprintf(magnitude, sizeof magnitude, " %.0f", s->magnitude);
	if (s->for_ns) {
		duration_format(s->for_ns, text);
		snprintf(lasts, sizeof lasts, " for %s", text);
	}
	if (s->effects) snprintf(effects, sizeof effects, " after %lld effects", (long long)s->effects);
	snprintf(out, n, "%s%s%s%s%s%s%s", info->name, *s->target ? " " : "", s->target, form, magnitude, lasts, effects);
}
