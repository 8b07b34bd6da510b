#include "sim/run/verdict.h"

#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "sim/memory.h"
#include "sim/run/figures.h"

#define DAY_S    86400.0
#define WEEK_S   (7 * DAY_S)
#define WORLDS   64
#define NO_BOUND NAN

enum line {
	DETECT_FAST,
	DETECT_OTHER,
	CAUSE_TIME,
	CAUSE_RIGHT,
	ABSTAINED,
	WRONG_TARGET,
	RESOLVED_QUICK,
	RESOLVED_OTHER,
	ESCALATED,
	FALSE_INCIDENTS,
	FALSE_ACTIONS,
	QUIET_DAYS,
	QUIET_WORLDS,
	COLD,
	IMPOSSIBLE,
	LINES
};

/* TIMES: seconds, or parts of the run's own bound. SHARE: of runs. RATE: counts a week. COUNT: that many. */
enum kind { TIMES, SHARE, RATE, COUNT };

/* TIMES have two bounds, the others one; `least`: it is a lower one. */
static const struct {
	const char *name, *what, *unit;
	enum kind kind;
	double bound, p90_bound;
	bool least;
} lines[LINES] = {
	[DETECT_FAST] = { "detect_fast", "found: 20 requests/s and more, unsampled spans", "s", TIMES, 12, 12, false },
	[DETECT_OTHER] = { "detect_other", "found elsewhere: of two export intervals + 2 s", "x", TIMES, 1, 1, false },
	[CAUSE_TIME] = { "cause_time", "cause named, from the incident on", "s", TIMES, 5, 5, false },
	[CAUSE_RIGHT] = { "cause_right", "the named cause is right", "share", SHARE, 0.95, NO_BOUND, true },
	[ABSTAINED] = { "abstained", "found, and no cause named", "share", SHARE, 0.10, NO_BOUND, false },
	[WRONG_TARGET] = { "wrong_target", "something else was acted on", "share", SHARE, 0, NO_BOUND, false },
	[RESOLVED_QUICK] = { "resolved_quick", "mended: as first row, starts in 20 s, maxSurge 100 %", "s", TIMES, 48, 60,
	                     false },
	[RESOLVED_OTHER] = { "resolved_other", "mended elsewhere: of its own bound", "x", TIMES, 1, 1, false },
	[ESCALATED] = { "escalated", "without a cure: to people, untouched, cause right", "share", SHARE, 1, NO_BOUND,
	                true },
	[FALSE_INCIDENTS] = { "false_incidents", "false incidents a week without faults", "a week", RATE, 1, NO_BOUND,
	                      false },
	[FALSE_ACTIONS] = { "false_actions", "false actions a week without faults", "a week", RATE, 0, NO_BOUND, false },
	[QUIET_DAYS] = { "quiet_days", "days without faults that this rests on", "days", COUNT, 90, NO_BOUND, true },
	[QUIET_WORLDS] = { "quiet_worlds", "worlds that this rests on", "worlds", COUNT, 10, NO_BOUND, true },
	[COLD] = { "cold", "found, 5 minutes after the first telemetry", "s", TIMES, NO_BOUND, NO_BOUND, false },
	[IMPOSSIBLE] = { "impossible", "faults that the world has no place for", "runs", COUNT, NO_BOUND, NO_BOUND, false },
};

struct sample {
	double *times; /* TIMES; INFINITY: never */
	size_t n, cap;
	int64_t hits, judged; /* SHARE; RATE: hits alone */
	double amount;        /* RATE: weeks; COUNT */
};
struct verdict {
	struct sample of[LINES];
	uint64_t worlds[WORLDS]; /* hashes of the names of those that were quiet */
	size_t world_count;
};

struct verdict *verdict_new(void) {
	return must_alloc(sizeof(struct verdict));
}

void verdict_free(struct verdict *v) {
	if (!v) return;
	for (int i = 0; i < LINES; i++) free(v->of[i].times);
	free(v);
}

/* ---- taking rows in ---- */

static void add_time(struct sample *s, const struct json *time, double by) {
	if (!time) return; /* not looked for */
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->times = must_grow(s->times, s->cap, sizeof *s->times);
	}
	s->times[s->n++] = time->kind == JSON_NUMBER && by > 0 ? time->number / by : INFINITY;
}

static void add_share(struct sample *s, const struct json *v) {
	if (!v || v->kind == JSON_NULL) return;
	s->judged++;
	s->hits += v->kind == JSON_TRUE;
}

static bool has_group(const struct json *row, const char *name) {
	json_each(g, json_get(row, "groups")) {
		if (str_is(json_str(g), name)) return true;
	}
	return false;
}

static void add_quiet(struct verdict *v, const struct json *row, const struct json *flyball, double quiet_s) {
	uint64_t world = hash64(json_str(json_get(row, "world")));
	size_t i = 0;
	v->of[FALSE_INCIDENTS].hits += json_int(json_path(flyball, "false_incidents_per_week.0"), 0);
	v->of[FALSE_ACTIONS].hits += json_int(json_path(flyball, "false_actions_per_week.0"), 0);
	v->of[FALSE_INCIDENTS].amount += quiet_s / WEEK_S;
	v->of[FALSE_ACTIONS].amount += quiet_s / WEEK_S;
	v->of[QUIET_DAYS].amount += quiet_s / DAY_S;
	while (i < v->world_count && v->worlds[i] != world) i++;
	if (i < v->world_count || i == WORLDS) return;
	v->worlds[v->world_count++] = world;
	v->of[QUIET_WORLDS].amount++;
}

/* A fault that people would notice, of a warmed world. */
static void add_fault(struct verdict *v, const struct json *row, const struct json *flyball) {
	const struct json *detect = json_get(flyball, "detect_s"), *resolve = json_get(flyball, "resolve_s");
	double detect_bound = json_double(json_path(row, "bounds.detect_s"), 0);
	double resolve_bound = json_double(json_path(row, "bounds.resolve_s"), 0); /* 0: no rollout ended */
	bool fast = has_group(row, "fast"), quick = has_group(row, "quick_start");
	add_time(&v->of[fast ? DETECT_FAST : DETECT_OTHER], detect, fast ? 1 : detect_bound);
	if (detect && detect->kind == JSON_NUMBER) add_time(&v->of[CAUSE_TIME], json_get(flyball, "cause_s"), 1);
	add_time(&v->of[quick ? RESOLVED_QUICK : RESOLVED_OTHER], resolve, quick ? 1 : resolve_bound);
	add_share(&v->of[CAUSE_RIGHT], json_get(flyball, "cause_right"));
	add_share(&v->of[ABSTAINED], json_get(flyball, "abstained"));
	add_share(&v->of[ESCALATED], json_get(flyball, "escalated"));
}

void verdict_add(struct verdict *v, const struct json *row) {
	const struct json *flyball = json_path(row, "subjects.flyball");
	double quiet_s = json_double(json_get(row, "quiet_s"), 0);
	v->of[IMPOSSIBLE].amount += json_get(row, "impossible") != NULL;
	if (quiet_s > 0) add_quiet(v, row, flyball, quiet_s);
	add_share(&v->of[WRONG_TARGET], json_get(flyball, "wrong_target")); /* never: however small the fault */
	if (!json_bool(json_get(row, "counts"), false)) return;
	if (has_group(row, "cold"))
		add_time(&v->of[COLD], json_get(flyball, "detect_s"), 1);
	else
		add_fault(v, row, flyball);
}

/* ---- judging ---- */

struct judged {
	int64_t n;
	double value, second; /* TIMES: median and p90 */
	double low, high;     /* 95 % bounds; NaN: none */
	const char *verdict;
};

static const char *word(int line, int64_t n, double value, double second) {
	double bound = lines[line].bound, p90 = lines[line].p90_bound;
	if (isnan(bound)) return "told";
	if (!n) return "not measured";
	bool holds = lines[line].least ? value >= bound : value <= bound;
	if (!isnan(p90)) holds = holds && second <= p90;
	return holds ? "pass" : "falls short";
}

static struct judged judge(struct verdict *v, int line) {
	struct sample *s = &v->of[line];
	struct judged j = { .value = NAN, .second = NAN, .low = NAN, .high = NAN };
	struct bounds b;
	switch (lines[line].kind) {
	case TIMES:
		j.n = (int64_t)s->n;
		j.value = figures_median(s->times, s->n);
		j.second = figures_quantile(s->times, s->n, 0.9);
		break;
	case SHARE:
	case RATE:
		b = lines[line].kind == SHARE ? figures_share(s->hits, s->judged) : figures_rate(s->hits, s->amount);
		j = (struct judged){ lines[line].kind == SHARE ? s->judged : s->hits, b.mean, NAN, b.low, b.high, NULL };
		break;
	case COUNT:
		j.value = s->amount;
		j.n = (int64_t)s->amount;
		break;
	}
	/* A rate of nothing rests on its time, not on its count; and no days at all are none, not too few. */
	bool measured = lines[line].kind == RATE ? s->amount > 0 : j.n > 0;
	j.verdict = word(line, measured, j.value, j.second);
	return j;
}

/* ---- telling ---- */

void verdict_json(struct verdict *v, struct json_out *o) {
	json_begin_array(o);
	for (int i = 0; i < LINES; i++) {
		struct judged j = judge(v, i);
		bool times = lines[i].kind == TIMES;
		json_begin_object(o);
		json_kv_c(o, "line", lines[i].name);
		json_kv_c(o, "what", lines[i].what);
		json_kv_c(o, "unit", lines[i].unit);
		json_kv_int(o, "n", j.n);
		json_kv_double(o, times ? "median" : "value", j.value); /* what never came is null, as in the sums */
		json_kv_double(o, times ? "p90" : "low", times ? j.second : j.low);
		if (!times) json_kv_double(o, "high", j.high);
		json_kv_double(o, times ? "median_bound" : "bound", lines[i].bound);
		if (times) json_kv_double(o, "p90_bound", lines[i].p90_bound);
		json_kv_c(o, "verdict", j.verdict);
		json_end_object(o);
	}
	json_end_array(o);
}

static void number_text(int line, double v, char out[24]) {
	if (isnan(v))
		snprintf(out, 24, "-");
	else if (isinf(v))
		snprintf(out, 24, "never");
	else if (lines[line].kind == SHARE)
		snprintf(out, 24, "%.3g %%", v * 100);
	else
		snprintf(out, 24, lines[line].kind == COUNT ? "%.0f" : v < 100 ? "%.2f" : "%.0f", v);
}

static void figure_text(int line, const struct judged *j, char out[80]) {
	char a[24], b[24], c[24];
	number_text(line, j->value, a);
	number_text(line, lines[line].kind == TIMES ? j->second : j->low, b);
	number_text(line, j->high, c);
	if (lines[line].kind == COUNT || isnan(j->value))
		snprintf(out, 80, "%s", a);
	else if (lines[line].kind == TIMES)
		snprintf(out, 80, "%s / %s", a, b);
	else
		snprintf(out, 80, "%s (%s-%s)", a, b, c);
}

static void bound_text(int line, char out[80]) {
	char a[24], b[24];
	number_text(line, lines[line].bound, a);
	number_text(line, lines[line].p90_bound, b);
	if (isnan(lines[line].bound))
		snprintf(out, 80, "-");
	else if (lines[line].kind == TIMES)
		snprintf(out, 80, "%s / %s", a, b);
	else
		snprintf(out, 80, "%s %s", lines[line].least ? ">=" : "<=", a);
}

void verdict_table(struct verdict *v, struct buf *out) {
	buf_c(out, "\nto beat (times: median / p90; x: parts of the run's own bound; shares, rates: 95 % bounds)\n");
	buf_printf(out, "  %-16s%-27s%-15s%6s  %-13s\n", "", "figure", "bound", "n", "");
	for (int i = 0; i < LINES; i++) {
		struct judged j = judge(v, i);
		char figure[80], bound[80];
		figure_text(i, &j, figure);
		bound_text(i, bound);
		buf_printf(out, "  %-16s%-27s%-15s%6lld  %s\n", lines[i].name, figure, bound, (long long)j.n, j.verdict);
	}
}
