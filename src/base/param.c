#include "base/param.h"

#include "base/url.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A value between text and field. */
struct value {
	int64_t i;
	double d;
	struct str s;
};

static const char *type_name(enum param_type type) {
	static const char *const names[] = { "integer", "number",  "yes or no", "duration",
		                                 "size",    "percent", "text",      "one of" };
	return (size_t)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

static const char *example(enum param_type type) {
	static const char *const examples[] = {
		"42", "0.5", "true or false", "500ms, 30s, 5m or 24h", "64KiB, 30MiB or 1GB", "51%", "text", ""
	};
	return examples[type];
}

static bool read_bool(struct str s, int64_t *out) {
	bool yes = str_is(s, "true") || str_is(s, "yes") || str_is(s, "on");
	bool no = str_is(s, "false") || str_is(s, "no") || str_is(s, "off");
	*out = yes;
	return yes || no;
}

static bool read_percent(struct str s, double *out) {
	if (!str_ends(s, STR("%")) || !str_double(str_trim((struct str){ s.p, s.n - 1 }), out)) return false;
	*out /= 100;
	return true;
}

static bool read_enum(const struct param *p, struct str s, int64_t *out) {
	for (*out = 0; p->names[*out]; ++*out) {
		if (str_is(s, p->names[*out])) return true;
	}
	return false;
}

static bool read_value(const struct param *p, struct str s, struct value *v) {
	*v = (struct value){ 0 };
	switch (p->type) {
	case PARAM_INT: return str_int(s, &v->i);
	case PARAM_DOUBLE: return str_double(s, &v->d);
	case PARAM_BOOL: return read_bool(s, &v->i);
	case PARAM_DURATION: return duration_parse(s, &v->i) == OK;
	case PARAM_BYTES: return bytes_parse(s, &v->i) == OK;
	case PARAM_PERCENT: return read_percent(s, &v->d);
	case PARAM_ENUM: return read_enum(p, s, &v->i);
	case PARAM_STR: v->s = s; return true;
	}
	return false;
}

static bool is_real(enum param_type type) {
	return type == PARAM_DOUBLE || type == PARAM_PERCENT;
}

static bool bounded(const struct param *p) {
	return (p->min != 0 || p->max != 0) && p->type != PARAM_BOOL && p->type != PARAM_ENUM;
}

static bool within(const struct param *p, const struct value *v) {
	if (p->type == PARAM_PERCENT && !(v->d >= 0 && v->d <= 1)) return false;
	if (!bounded(p)) return true;
	double x = is_real(p->type) ? v->d : p->type == PARAM_STR ? (double)v->s.n : (double)v->i;
	return x >= p->min && x <= p->max;
}

static void store(const struct param *p, void *opts, const struct value *v) {
	void *field = (char *)opts + p->offset;
	switch (p->type) {
	case PARAM_INT:
	case PARAM_DURATION:
	case PARAM_BYTES: *(int64_t *)field = v->i; break;
	case PARAM_DOUBLE:
	case PARAM_PERCENT: *(double *)field = v->d; break;
	case PARAM_BOOL: *(bool *)field = v->i != 0; break;
	case PARAM_ENUM: *(int *)field = (int)v->i; break;
	case PARAM_STR: *(struct str *)field = v->s; break;
	}
}

static struct value load(const struct param *p, const void *opts) {
	const void *field = (const char *)opts + p->offset;
	switch (p->type) {
	case PARAM_INT:
	case PARAM_DURATION:
	case PARAM_BYTES: return (struct value){ .i = *(const int64_t *)field };
	case PARAM_DOUBLE:
	case PARAM_PERCENT: return (struct value){ .d = *(const double *)field };
	case PARAM_BOOL: return (struct value){ .i = *(const bool *)field };
	case PARAM_ENUM: return (struct value){ .i = *(const int *)field };
	case PARAM_STR: return (struct value){ .s = *(const struct str *)field };
	}
	return (struct value){ 0 };
}

static void format_real(double v, struct buf *out) {
	char text[32];
	for (int digits = 15; digits <= 17; digits++) {
		double back;
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (str_double(str_of(text), &back) && back == v) break;
	}
	buf_c(out, text);
}

/* The percent whose hundredth is v again. 0.07 * 100 is 7.000000000000001, and "7" is wanted. */
static void format_percent(double v, struct buf *out) {
	char text[40];
	for (int digits = 3; digits <= 17; digits++) {
		double back;
		snprintf(text, sizeof text, "%.*g", digits, v * 100);
		if (str_double(str_of(text), &back) && back / 100 == v) break;
	}
	buf_printf(out, "%s%%", text);
}

static void format_value(const struct param *p, const struct value *v, struct buf *out) {
	char text[32];
	switch (p->type) {
	case PARAM_INT: buf_printf(out, "%lld", (long long)v->i); break;
	case PARAM_DOUBLE: format_real(v->d, out); break;
	case PARAM_BOOL: buf_c(out, v->i ? "true" : "false"); break;
	case PARAM_DURATION:
		duration_format(v->i, text);
		buf_c(out, text);
		break;
	case PARAM_BYTES:
		bytes_format(v->i, text);
		buf_c(out, text);
		break;
	case PARAM_PERCENT: format_percent(v->d, out); break;
	case PARAM_ENUM: buf_c(out, p->names[v->i]); break;
	case PARAM_STR: buf_str(out, v->s); break;
	}
}

void param_format(const struct param *p, const void *opts, struct buf *out) {
	struct value v = load(p, opts);
	format_value(p, &v, out);
}

/* A bound is written as a value of its type would be. */
static void format_bound(const struct param *p, double bound, struct buf *out) {
	struct value v = { .d = bound };
	if (!is_real(p->type)) v.i = bound >= 0x1p63 ? INT64_MAX : bound <= -0x1p63 ? INT64_MIN : (int64_t)bound;
	if (p->type == PARAM_STR)
		buf_printf(out, "%lld", (long long)v.i);
	else
		format_value(p, &v, out);
}

static void format_bounds(const struct param *p, struct buf *out) {
	format_bound(p, p->min, out);
	buf_c(out, "..");
	format_bound(p, p->max, out);
	if (p->type == PARAM_STR) buf_c(out, " bytes");
}

static void format_names(const struct param *p, struct buf *out) {
	for (size_t i = 0; p->names[i]; i++) {
		if (i) buf_c(out, ", ");
		buf_c(out, p->names[i]);
	}
}

static const char *nearest_name(const struct param *p, struct str s) {
	const char *best = p->names[0];
	for (size_t i = 1; best && p->names[i]; i++) {
		if (str_distance(s, str_of(p->names[i])) < str_distance(s, str_of(best))) best = p->names[i];
	}
	return best;
}

#define SHOWN 40 /* bytes of a wrong value that an error repeats */

static enum err wrong_type(const struct param *p, struct str s, struct why *why) {
	struct buf out;
	buf_init(&out, 1024);
	if (s.n > SHOWN) s.n = SHOWN;
	if (p->type == PARAM_ENUM) {
		buf_printf(&out, "one of ");
		format_names(p, &out);
		if (s.n) buf_printf(&out, "; did you mean '%s'?", nearest_name(p, s));
	} else {
		buf_printf(&out, "%s, for example %s", type_name(p->type), example(p->type));
	}
	why_set(why, ERR_INVALID, "%s: '" STR_FMT "' is not a value; it wants %.*s", p->key, STR_ARG(s),
	        STR_ARG(buf_get(&out)));
	buf_done(&out);
	return ERR_INVALID;
}

static enum err out_of_bounds(const struct param *p, struct str s, struct why *why) {
	struct buf out;
	buf_init(&out, 1024);
	if (bounded(p))
		format_bounds(p, &out);
	else
		buf_c(&out, "0%..100%");
	if (p->type == PARAM_STR)
		why_set(why, ERR_INVALID, "%s: its length must be " STR_FMT ", it is %zu", p->key, STR_ARG(buf_get(&out)), s.n);
	else
		why_set(why, ERR_INVALID, "%s: '%.*s' is out of bounds, it must be " STR_FMT, p->key,
		        (int)(s.n < SHOWN ? s.n : SHOWN), s.p, STR_ARG(buf_get(&out)));
	buf_done(&out);
	return ERR_INVALID;
}

static enum err set(const struct param *p, struct arena *a, void *opts, struct str text, struct why *why) {
	struct value v;
	if (!read_value(p, text, &v)) return wrong_type(p, text, why);
	if (!within(p, &v)) return out_of_bounds(p, text, why);
	if (p->type == PARAM_STR) {
		v.s = str_copy(a, text);
		if (!v.s.p) return why_set(why, ERR_NOMEM, "%s: out of memory", p->key);
	}
	store(p, opts, &v);
	return OK;
}

enum err param_defaults(const struct param *table, struct arena *a, void *opts, struct why *why) {
	for (const struct param *p = table; p->key; p++) {
		if (!p->fallback) continue;
		enum err e = set(p, a, opts, str_of(p->fallback), why);
		if (e) return why_prefix(why, e, "default");
	}
	return OK;
}

const struct param *param_find(const struct param *table, struct str key) {
	for (const struct param *p = table; p->key; p++) {
		if (str_is(key, p->key)) return p;
	}
	return NULL;
}

const char *param_nearest(const struct param *table, struct str key) {
	const char *best = NULL;
	size_t least = SIZE_MAX;
	for (const struct param *p = table; p->key; p++) {
		size_t d = str_distance(key, str_of(p->key));
		if (d >= least) continue;
		least = d;
		best = p->key;
	}
	return best;
}

enum err param_set(const struct param *table, struct arena *a, void *opts, struct str key, struct str value,
                   struct why *why) {
	const struct param *p = param_find(table, key);
	if (p) return set(p, a, opts, value, why);
	const char *near = param_nearest(table, key);
	if (key.n > SHOWN) key.n = SHOWN;
	if (!near) return why_set(why, ERR_NOT_FOUND, "no such key '" STR_FMT "'; none is known here", STR_ARG(key));
	return why_set(why, ERR_NOT_FOUND, "no such key '" STR_FMT "'; did you mean '%s'?", STR_ARG(key), near);
}

static void help_line(const struct param *p, int width, struct buf *out) {
	buf_printf(out, "%-*s  %s", width, p->key, type_name(p->type));
	if (p->type == PARAM_ENUM) {
		buf_byte(out, ' ');
		format_names(p, out);
	}
	if (bounded(p)) {
		buf_c(out, " ");
		format_bounds(p, out);
	}
	if (p->fallback)
		buf_printf(out, ", default %s", *p->fallback ? p->fallback : "empty");
	else
		buf_c(out, ", required");
	if (!p->reload) buf_c(out, ", restart");
	buf_printf(out, ": %s\n", p->help ? p->help : "");
}

void param_help(const struct param *table, struct buf *out) {
	size_t width = 0;
	for (const struct param *p = table; p->key; p++) {
		if (strlen(p->key) > width) width = strlen(p->key);
	}
	for (const struct param *p = table; p->key; p++) help_line(p, (int)width, out);
}

enum err param_url(const struct param *table, const struct url *u, void *opts, const char *what, struct why *why) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	for (const struct param *p = table; p->key; p++) assert(p->type != PARAM_STR); /* it would lie in `scratch` */
	enum err e = param_defaults(table, &scratch, opts, why);
	for (size_t i = 0; !e && i < u->param_count; i++)
		e = param_set(table, &scratch, opts, u->params[i].key, u->params[i].value, why);
	return e ? why_prefix(why, e == ERR_NOT_FOUND ? ERR_INVALID : e, "%s", what) : OK;
}
