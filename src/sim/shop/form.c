/* Reading: from a tree of YAML into structs. */
#include "sim/shop/form.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/param.h"

#define FIELDS_MAX 64
#define NS_PER_S   1e9
#define MIB        (1024.0 * 1024.0)

/* ---- one value ---- */

/* What base/param calls it, and how many of param's units are one of ours. */
static const struct {
	enum param_type type;
	double units;
} types[] = {
	[FORM_WHOLE] = { PARAM_INT, 1 },     [FORM_NUMBER] = { PARAM_DOUBLE, 1 },
	[FORM_SHARE] = { PARAM_PERCENT, 1 }, [FORM_YES] = { PARAM_BOOL, 1 },
	[FORM_TIME] = { PARAM_DURATION, 1 }, [FORM_SECONDS] = { PARAM_DURATION, NS_PER_S },
	[FORM_MIB] = { PARAM_BYTES, MIB },   [FORM_TEXT] = { PARAM_STR, 1 },
	[FORM_WORD] = { PARAM_ENUM, 1 },     [FORM_CHOICE] = { PARAM_ENUM, 1 },
};

struct param form_param(const struct form_field *f) {
	double units = types[f->type].units;
	return (struct param){ .key = f->key,
		                   .type = types[f->type].type,
		                   .min = f->min * units,
		                   .max = f->max * units,
		                   .fallback = f->fallback,
		                   .names = f->names,
		                   .help = f->help };
}

/* Where base/param leaves a value, and takes it from. */
union slot {
	int64_t i;
	double d;
	bool yes;
	int choice;
	struct str s;
};

/* Milliseconds first, as the built-in world is written: 6ms is 6 * 0.001 there, to the last bit. */
static double seconds_of(int64_t ns) {
	return (double)ns / 1e6 * 0.001;
}

static void put(const struct form_field *f, void *into, const union slot *v) {
	void *field = (char *)into + f->offset;
	switch (f->type) {
	case FORM_WHOLE: *(int *)field = (int)v->i; break;
	case FORM_NUMBER:
	case FORM_SHARE: *(double *)field = v->d; break;
	case FORM_YES: *(bool *)field = v->yes; break;
	case FORM_TIME: *(int64_t *)field = v->i; break;
	case FORM_SECONDS: *(double *)field = seconds_of(v->i); break;
	case FORM_MIB: *(double *)field = (double)v->i / MIB; break;
	case FORM_TEXT: *(const char **)field = v->s.p; break; /* base/param's copy is closed by a NUL */
	case FORM_WORD: *(const char **)field = f->names[v->choice]; break;
	case FORM_CHOICE: *(int *)field = v->choice; break;
	}
}

static int word_index(const struct form_field *f, const char *word) {
	int i = 0;
	while (f->names[i] && word && strcmp(f->names[i], word) != 0) i++;
	assert(f->names[i] && "a word of the table");
	return i;
}

static union slot get(const struct form_field *f, const void *from) {
	const void *field = (const char *)from + f->offset;
	switch (f->type) {
	case FORM_WHOLE: return (union slot){ .i = *(const int *)field };
	case FORM_NUMBER:
	case FORM_SHARE: return (union slot){ .d = *(const double *)field };
	case FORM_YES: return (union slot){ .yes = *(const bool *)field };
	case FORM_TIME: return (union slot){ .i = *(const int64_t *)field };
	case FORM_SECONDS: return (union slot){ .i = llround(*(const double *)field * NS_PER_S) };
	case FORM_MIB: return (union slot){ .i = llround(*(const double *)field * MIB) };
	case FORM_TEXT: return (union slot){ .s = str_of(*(const char *const *)field) };
	case FORM_WORD: return (union slot){ .choice = word_index(f, *(const char *const *)field) };
	case FORM_CHOICE: return (union slot){ .choice = *(const int *)field };
	}
	return (union slot){ 0 };
}

/* "4.3ms" rather than "4ms300us", where that says the same. */
static void put_duration(int64_t ns, struct buf *out) {
	char text[40];
	int64_t back = 0;
	bool short_ = ns < 1000000000;
	snprintf(text, sizeof text, short_ ? "%.9gms" : "%.9gs", (double)ns / (short_ ? 1e6 : 1e9));
	if (ns % 1000000000 == 0 || duration_parse(str_of(text), &back) || back != ns) duration_format(ns, text);
	buf_c(out, text);
}

void form_value(const struct form_field *f, const void *from, struct buf *out) {
	struct param p = form_param(f);
	union slot v = get(f, from);
	if (p.type == PARAM_DURATION)
		put_duration(v.i, out);
	else
		param_format(&p, &v, out);
}

static enum err set(const struct form_field *f, struct arena *a, void *into, struct str text, struct why *why) {
	struct param one[] = { form_param(f), PARAM_END };
	union slot v = { 0 };
	enum err e = param_set(one, a, &v, str_of(f->key), text, why);
	if (!e) put(f, into, &v);
	return e;
}

void form_fallback(const struct form_field *f, struct buf *out) {
	union slot room = { 0 };
	struct form_field here = *f;
	here.offset = 0;
	enum err e = set(&here, NULL, &room, str_of(f->fallback), NULL);
	assert(!e && f->type != FORM_TEXT && "a default is a value of its field");
	form_value(&here, &room, out);
}

/* ---- objects ---- */

struct reader {
	struct arena *a;
	const char *file;
	struct why *why;
};

static enum err at_line(const struct reader *r, enum err e, const struct json *node) {
	return e == ERR_NOMEM ? e : why_prefix(r->why, ERR_INVALID, "%s:%u", r->file, node->at);
}

static const struct form_field *find_field(const struct form *f, struct str key) {
	for (const struct form_field *x = f->fields; x->key; x++)
		if (str_is(key, x->key)) return x;
	return NULL;
}

static const struct form *find_part(const struct form *f, struct str key) {
	for (const struct form *p = f->parts; p && p->key; p++)
		if (str_is(key, p->key)) return p;
	return NULL;
}

static const char *nearest(const struct form *f, struct str key) {
	const char *best = "";
	size_t least = SIZE_MAX;
	for (const struct form_field *x = f->fields; x->key; x++) {
		size_t d = str_distance(key, str_of(x->key));
		if (d < least) least = d, best = x->key;
	}
	for (const struct form *p = f->parts; p && p->key; p++) {
		size_t d = str_distance(key, str_of(p->key));
		if (d < least) least = d, best = p->key;
	}
	return best;
}

static enum err unknown(const struct form *f, struct str key, struct why *why) {
	if (key.n > 40) key.n = 40;
	return why_set(why, ERR_NOT_FOUND, "unknown key '" STR_FMT "', did you mean '%s'?", STR_ARG(key), nearest(f, key));
}

static enum err defaults(const struct form *f, struct reader *r, void *into) {
	for (const struct form_field *x = f->fields; x->key; x++) {
		enum err e = x->fallback ? set(x, r->a, into, str_of(x->fallback), r->why) : OK;
		if (e) return e;
	}
	for (const struct form *p = f->parts; p && p->key; p++) {
		enum err e = p->kind == FORM_ONE ? defaults(p, r, (char *)into + p->offset) : OK;
		if (e) return e;
	}
	return OK;
}

static enum err read_object(const struct form *f, struct reader *r, const struct json *node, void *into);

static enum err read_element(const struct form *f, struct reader *r, const struct json *node, void *into) {
	enum err e = defaults(f, r, into);
	if (e) return e;
	if (f->line != FORM_NO_LINE) *(int *)((char *)into + f->line) = (int)node->at;
	if (f->kind == FORM_MAP) {
		if (!node->key.n || node->key.n > 120)
			return at_line(r, why_set(r->why, ERR_INVALID, "a name of 1 to 120 bytes was expected"), node);
		const char *name = str_c(r->a, node->key);
		if (!name) return ERR_NOMEM;
		*(const char **)((char *)into + f->name) = name;
	}
	return read_object(f, r, node, into);
}

/* A list or a map: its elements one after another. */
static enum err read_many(const struct form *f, struct reader *r, const struct json *node, void *around) {
	enum json_kind wanted = f->kind == FORM_LIST ? JSON_ARRAY : JSON_OBJECT;
	if (node->kind == JSON_NULL) return OK;
	if (node->kind != wanted)
		return at_line(r,
		               why_set(r->why, ERR_INVALID, "'%s' takes %s", f->key,
		                       f->kind == FORM_LIST ? "a list ('- ' before each)" : "names, each with its own keys"),
		               node);
	if (node->count > f->max)
		return at_line(r, why_set(r->why, ERR_INVALID, "'%s' takes at most %zu, not %u", f->key, f->max, node->count),
		               node);
	char *all = arena_take_array(r->a, f->size, node->count ? node->count : 1, _Alignof(max_align_t));
	size_t n = 0;
	if (!all) return ERR_NOMEM;
	json_each(m, node) {
		enum err e = read_element(f, r, m, all + n++ * f->size);
		if (e) return e;
	}
	*(void **)((char *)around + f->offset) = all;
	*(size_t *)((char *)around + f->count) = n;
	return OK;
}

static enum err read_part(const struct form *f, struct reader *r, const struct json *node, void *around) {
	if (f->kind != FORM_ONE) return read_many(f, r, node, around);
	if (node->kind == JSON_NULL && !form_required(f)) return OK;
	return read_object(f, r, node, (char *)around + f->offset);
}

static enum err read_field(const struct form_field *x, struct reader *r, const struct json *m, void *into) {
	if (m->kind == JSON_ARRAY || m->kind == JSON_OBJECT)
		return at_line(r, why_set(r->why, ERR_INVALID, "'%s' takes one value", x->key), m);
	enum err e = set(x, r->a, into, m->text, r->why);
	return e ? at_line(r, e, m) : OK;
}

bool form_required(const struct form *f) {
	bool any = false;
	for (const struct form_field *x = f->fields; x->key; x++) any |= !x->fallback;
	return f->kind == FORM_ONE && any;
}

static enum err missing(const struct form *f, struct reader *r, const struct json *node, const bool *given) {
	for (const struct form_field *x = f->fields; x->key; x++)
		if (!x->fallback && !given[x - f->fields])
			return at_line(r, why_set(r->why, ERR_INVALID, "'%s' is missing: %s", x->key, x->help), node);
	for (const struct form *p = f->parts; p && p->key; p++)
		if (form_required(p) && !json_get(node, p->key))
			return at_line(
				r,
				why_set(r->why, ERR_INVALID, "'%s' is missing, like '%s: {%s: ...}'", p->key, p->key, p->fields[0].key),
				node);
	return OK;
}

static enum err read_object(const struct form *f, struct reader *r, const struct json *node, void *into) {
	bool given[FIELDS_MAX] = { false };
	if (node->kind != JSON_OBJECT)
		return at_line(r, why_set(r->why, ERR_INVALID, "keys and values were expected, like '%s:'", f->fields[0].key),
		               node);
	json_each(m, node) {
		const struct form_field *x = find_field(f, m->key);
		const struct form *part = x ? NULL : find_part(f, m->key);
		enum err e = OK;
		if (x) {
			assert(x - f->fields < FIELDS_MAX);
			given[x - f->fields] = true;
			e = read_field(x, r, m, into);
		} else {
			e = part ? read_part(part, r, m, into) : at_line(r, unknown(f, m->key, r->why), m);
		}
		if (e) return e;
	}
	return missing(f, r, node, given);
}

enum err form_read(const struct form *f, struct arena *a, const struct json *node, void *into, const char *file,
                   struct why *why) {
	struct reader r = { a, file, why };
	enum err e = defaults(f, &r, into);
	return e ? e : read_object(f, &r, node, into);
}

enum err form_set(const struct form *f, struct arena *a, void *into, struct str path, struct str value,
                  struct why *why) {
	struct str head, tail;
	if (!str_cut(path, '.', &head, &tail)) {
		const struct form_field *x = find_field(f, path);
		return x ? set(x, a, into, value, why) : unknown(f, path, why);
	}
	const struct form *part = find_part(f, head);
	if (!part) return unknown(f, head, why);
	if (part->kind != FORM_ONE)
		return why_set(why, ERR_INVALID, "'%s' holds many: write them in a file of the world", part->key);
	return form_set(part, a, (char *)into + part->offset, tail, value, why);
}
