#include "sim/run/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "sim/memory.h"
#include "sim/run/figures.h"

#define SUBJECTS_MAX 8
#define CURVE_MAX    100000 /* points; further rows' are counted as dropped */
#define ROW_BYTES    (1 << 16)

struct metric { /* of one subject in one block */
	double *times;
	size_t n, cap, never;
	int64_t hits, judged;
	double exposure;
	bool seen;
};
struct block { /* everything, a case, or a group */
	char *name;
	int64_t runs, impossible;
	struct metric metrics[SUBJECTS_MAX][REPORT_METRICS_MAX];
};
enum { ALL, CASES, GROUPS, KINDS };

struct report {
	struct report_opts o;
	struct map blocks[KINDS]; /* ALL has one, called "" */
	char *subjects[SUBJECTS_MAX];
	size_t subject_count;
	struct buf curve; /* values of JSON, separated by commas */
	int64_t curve_count, runs;
};

enum err report_open(struct report_opts o, struct report **out) {
	struct report *r = must_alloc(sizeof *r);
	r->o = o;
	for (int i = 0; i < KINDS; i++) map_init(&r->blocks[i], 256);
	buf_init(&r->curve, 0);
	*out = r;
	return OK;
}

static void block_free(struct block *b) {
	for (size_t s = 0; s < SUBJECTS_MAX; s++)
		for (size_t m = 0; m < REPORT_METRICS_MAX; m++) free(b->metrics[s][m].times);
	free(b->name);
	free(b);
}

void report_close(struct report *r) {
	if (!r) return;
	for (int i = 0; i < KINDS; i++) {
		void *block = NULL;
		for (size_t at = 0; map_next(&r->blocks[i], &at, NULL, &block);) block_free(block);
		map_done(&r->blocks[i]);
	}
	for (size_t i = 0; i < r->subject_count; i++) free(r->subjects[i]);
	buf_done(&r->curve);
	free(r);
}

/* ---- taking rows in ---- */

static struct block *block_of(struct report *r, int kind, struct str name) {
	struct block *b = map_get(&r->blocks[kind], name);
	if (b) return b;
	b = must_alloc(sizeof *b);
	b->name = must_copy(name.p, name.n);
	if (map_put(&r->blocks[kind], name, b, NULL) == OK) return b;
	block_free(b);
	return NULL;
}

static int subject_of(struct report *r, struct str name) {
	for (size_t i = 0; i < r->subject_count; i++)
		if (str_is(name, r->subjects[i])) return (int)i;
	if (r->subject_count == SUBJECTS_MAX) return -1;
	r->subjects[r->subject_count] = must_copy(name.p, name.n);
	return (int)r->subject_count++;
}

static const struct report_metric *metric_named(const struct report *r, struct str name, size_t *at) {
	for (*at = 0; r->o.metrics[*at].name; ++*at)
		if (str_is(name, r->o.metrics[*at].name)) return &r->o.metrics[*at];
	return NULL;
}

static bool fits(enum report_kind kind, const struct json *v) {
	switch (kind) {
	case REPORT_TIME: return v->kind == JSON_NULL || (v->kind == JSON_NUMBER && v->number >= 0);
	case REPORT_SHARE: return v->kind == JSON_NULL || v->kind == JSON_TRUE || v->kind == JSON_FALSE;
	case REPORT_RATE:
		return v->kind == JSON_ARRAY && v->count == 2 && json_int(json_at(v, 0), -1) >= 0 &&
		       json_double(json_at(v, 1), -1) >= 0;
	}
	return false;
}

static void metric_add(struct metric *m, enum report_kind kind, const struct json *v) {
	m->seen = true;
	if (kind == REPORT_TIME) {
		if (m->n == m->cap) {
			m->cap = m->cap ? m->cap * 2 : 32;
			m->times = must_grow(m->times, m->cap, sizeof *m->times);
		}
		m->never += v->kind == JSON_NULL;
		m->times[m->n++] = v->kind == JSON_NULL ? INFINITY : v->number;
	} else if (kind == REPORT_SHARE) {
		m->judged += v->kind != JSON_NULL;
		m->hits += v->kind == JSON_TRUE;
	} else {
		m->hits += json_int(json_at(v, 0), 0);
		m->exposure += json_double(json_at(v, 1), 0);
	}
}

/* Every metric of every subject of the row, or an error before anything was added. */
static enum err check(struct report *r, const struct json *row, struct why *why) {
	const struct json *subjects = json_get(row, "subjects");
	if (!subjects || subjects->kind != JSON_OBJECT) return why_set(why, ERR_INVALID, "a row without subjects");
	json_each(s, subjects) {
		if (subject_of(r, s->key) < 0) return why_set(why, ERR_INVALID, "more than %d subjects", SUBJECTS_MAX);
		json_each(v, s) {
			size_t at = 0;
			const struct report_metric *m = metric_named(r, v->key, &at);
			if (!m) return why_set(why, ERR_INVALID, "no metric is called '" STR_FMT "'", STR_ARG(v->key));
			if (!fits(m->kind, v)) return why_set(why, ERR_INVALID, "'%s' has not the value of its kind", m->name);
		}
	}
	return OK;
}

static void block_add(struct report *r, struct block *b, const struct json *row, bool counts) {
	b->runs += counts;
	json_each(s, json_get(row, "subjects")) {
		int subject = subject_of(r, s->key);
		json_each(v, s) {
			size_t at = 0;
			const struct report_metric *m = metric_named(r, v->key, &at);
			if (counts || m->kind == REPORT_RATE) metric_add(&b->metrics[subject][at], m->kind, v);
		}
	}
}

static void curve_add(struct report *r, const struct json *point) {
	if (!point || point->kind != JSON_OBJECT || r->curve_count == CURVE_MAX) return;
	if (r->curve_count++) buf_byte(&r->curve, ',');
	struct json_out o = json_out(&r->curve);
	json_put_value(&o, point);
}

enum err report_add(struct report *r, const struct json *row, struct why *why) {
	enum err e = check(r, row, why);
	if (e) return e;
	bool counts = json_bool(json_get(row, "counts"), true);
	struct str name = json_str(json_get(row, "case"));
	struct block *b = block_of(r, ALL, STR(""));
	if (b) block_add(r, b, row, counts && name.n);
	if (name.n) {
		b = block_of(r, CASES, name);
		if (!b) return why_set(why, ERR_FULL, "too many cases");
		block_add(r, b, row, counts);
	}
	json_each(g, json_get(row, "groups")) {
		b = block_of(r, GROUPS, json_str(g));
		if (!b) return why_set(why, ERR_FULL, "too many groups");
		block_add(r, b, row, counts);
	}
	name = json_str(json_get(row, "impossible"));
	if (name.n) {
		b = block_of(r, CASES, name);
		if (!b) return why_set(why, ERR_FULL, "too many cases");
		b->impossible++;
	}
	curve_add(r, json_get(row, "curve"));
	r->runs++;
	return OK;
}

/* ---- as JSON ---- */

static void put_time(struct json_out *o, struct metric *m) {
	json_begin_object(o);
	json_kv_double(o, "median", figures_median(m->times, m->n)); /* infinite and NaN are null */
	json_kv_double(o, "p90", figures_quantile(m->times, m->n, 0.9));
	json_kv_double(o, "worst", figures_quantile(m->times, m->n, 1));
	json_kv_int(o, "n", (int64_t)m->n);
	json_kv_int(o, "never", (int64_t)m->never);
	json_end_object(o);
}

static struct bounds metric_bounds(const struct metric *m, enum report_kind kind) {
	return kind == REPORT_SHARE ? figures_share(m->hits, m->judged) : figures_rate(m->hits, m->exposure);
}

static void put_bounds(struct json_out *o, const struct metric *m, enum report_kind kind) {
	struct bounds b = metric_bounds(m, kind);
	json_begin_object(o);
	json_kv_double(o, "mean", b.mean);
	json_kv_double(o, "low", b.low);
	json_kv_double(o, "high", b.high);
	json_kv_int(o, "n", kind == REPORT_SHARE ? m->judged : m->hits);
	if (kind == REPORT_RATE) json_kv_double(o, "exposure", m->exposure);
	json_end_object(o);
}

static void put_subjects(struct report *r, struct json_out *o, struct block *b) {
	json_begin_object(o);
	for (size_t s = 0; b && s < r->subject_count; s++) {
		json_key(o, r->subjects[s]);
		json_begin_object(o);
		for (size_t i = 0; r->o.metrics[i].name; i++) {
			struct metric *m = &b->metrics[s][i];
			if (!m->seen) continue;
			json_key(o, r->o.metrics[i].name);
			if (r->o.metrics[i].kind == REPORT_TIME)
				put_time(o, m);
			else
				put_bounds(o, m, r->o.metrics[i].kind);
		}
		json_end_object(o);
	}
	json_end_object(o);
}

static void put_blocks(struct report *r, struct json_out *o, const char *key, int kind) {
	struct str name;
	void *block = NULL;
	json_key(o, key);
	json_begin_object(o);
	for (size_t at = 0; map_next(&r->blocks[kind], &at, &name, &block);) {
		json_key_str(o, name);
		put_subjects(r, o, block);
	}
	json_end_object(o);
}

static void put_impossible(struct report *r, struct json_out *o) {
	struct str name;
	void *block = NULL;
	json_key(o, "impossible");
	json_begin_object(o);
	for (size_t at = 0; map_next(&r->blocks[CASES], &at, &name, &block);) {
		const struct block *b = block;
		if (!b->impossible) continue;
		json_key_str(o, name);
		json_put_int(o, b->impossible);
	}
	json_end_object(o);
}

void report_json(struct report *r, struct verdict *v, struct json_out *o) {
	json_begin_object(o);
	json_kv_c(o, "experiment", r->o.experiment);
	json_key(o, "seeds");
	json_begin_array(o);
	json_put_int(o, r->o.seeds[0]);
	json_put_int(o, r->o.seeds[1]);
	json_end_array(o);
	json_kv_int(o, "runs", r->runs);
	put_impossible(r, o);
	if (v) {
		json_key(o, "summary");
		verdict_json(v, o);
	}
	json_key(o, "subjects");
	put_subjects(r, o, map_get(&r->blocks[ALL], STR("")));
	put_blocks(r, o, "cases", CASES);
	put_blocks(r, o, "groups", GROUPS);
	json_key(o, "curve");
	json_begin_array(o);
	if (r->curve.n) json_put_raw(o, buf_get(&r->curve));
	json_end_array(o);
	json_end_object(o);
}

/* ---- for people ---- */

#define NAME_WIDTH 26
#define CELL_WIDTH 24

static void time_text(double s, char out[16]) {
	if (isnan(s))
		snprintf(out, 16, "-");
	else if (isinf(s))
		snprintf(out, 16, "never");
	else
		snprintf(out, 16, s < 100 ? "%.1f" : "%.0f", s);
}

static void rate_text(double v, char out[16]) {
	if (isnan(v) || isinf(v))
		snprintf(out, 16, "-");
	else
		snprintf(out, 16, v < 100 ? "%.2f" : "%.0f", v);
}

static void cell(char out[64], struct metric *m, enum report_kind kind) {
	char a[16], b[16], c[16];
	if (!m->seen) {
		snprintf(out, 64, "-");
	} else if (kind == REPORT_TIME) {
		time_text(figures_median(m->times, m->n), a);
		time_text(figures_quantile(m->times, m->n, 0.9), b);
		time_text(figures_quantile(m->times, m->n, 1), c);
		snprintf(out, 64, "%s / %s / %s", a, b, c);
	} else {
		struct bounds v = metric_bounds(m, kind);
		double by = kind == REPORT_SHARE ? 100 : 1;
		rate_text(v.mean * by, a);
		rate_text(v.low * by, b);
		rate_text(v.high * by, c);
		if (kind == REPORT_SHARE && !isnan(v.mean))
			snprintf(out, 64, "%.0f %% (%.0f-%.0f)", v.mean * 100, v.low * 100, v.high * 100);
		else
			snprintf(out, 64, kind == REPORT_SHARE ? "-" : "%s (%s-%s)", a, b, c);
	}
}

static bool metric_seen(const struct report *r, const struct block *b, size_t metric) {
	for (size_t s = 0; s < r->subject_count; s++)
		if (b->metrics[s][metric].seen) return true;
	return false;
}

static void block_table(struct report *r, struct block *b, const char *title, struct buf *out) {
	buf_printf(out, "\n%s%s%lld run%s", title, *title ? ": " : "", (long long)b->runs, b->runs == 1 ? "" : "s");
	if (b->impossible) buf_printf(out, ", %lld times without a place", (long long)b->impossible);
	buf_byte(out, '\n');
	for (size_t i = 0; r->o.metrics[i].name; i++) {
		if (!metric_seen(r, b, i)) continue;
		buf_printf(out, "  %-*s", NAME_WIDTH, r->o.metrics[i].name);
		for (size_t s = 0; s < r->subject_count; s++) {
			char text[64];
			cell(text, &b->metrics[s][i], r->o.metrics[i].kind);
			buf_printf(out, s + 1 < r->subject_count ? "%-*s" : "%*s", s + 1 < r->subject_count ? CELL_WIDTH : 0, text);
		}
		buf_byte(out, '\n');
	}
}

void report_table(struct report *r, struct buf *out) {
	buf_printf(out, "%s, seeds %lld..%lld\n", r->o.experiment, (long long)r->o.seeds[0], (long long)r->o.seeds[1]);
	buf_c(out, "times: median / p90 / worst, in seconds; shares and rates: mean (95 % bounds)\n\n");
	buf_printf(out, "  %-*s", NAME_WIDTH, "");
	for (size_t s = 0; s < r->subject_count; s++)
		buf_printf(out, s + 1 < r->subject_count ? "%-*s" : "%*s", s + 1 < r->subject_count ? CELL_WIDTH : 0,
		           r->subjects[s]);
	buf_byte(out, '\n');
	for (int kind = ALL; kind < KINDS; kind++) {
		void *block = NULL;
		for (size_t at = 0; map_next(&r->blocks[kind], &at, NULL, &block);) {
			char title[128];
			const char *name = ((struct block *)block)->name;
			snprintf(title, sizeof title, "%s%s", kind == ALL ? "all faults" : kind == GROUPS ? "group " : "", name);
			block_table(r, block, title, out);
		}
	}
}
