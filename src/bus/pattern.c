#include "bus/pattern.h"

#include <assert.h>
#include <math.h>

enum test_kind {
	EXACT_TEXT,
	EXACT_NUMBER,
	EXACT_WORD, /* true, false, null */
	PREFIX,
	NOT_TEXTS,
	NOT_NUMBERS,
	NOT_PREFIXES,
	RANGE,
	EXISTS,
	MISSING,
};

/* One value that a field lists. */
struct test {
	enum test_kind kind;
	enum json_kind word;  /* EXACT_WORD */
	struct str text;      /* EXACT_TEXT, PREFIX */
	double number;        /* EXACT_NUMBER */
	struct str *texts;    /* NOT_TEXTS, NOT_PREFIXES */
	double *numbers;      /* NOT_NUMBERS */
	size_t count;         /* of the lists */
	double low, high;     /* RANGE */
	bool low_in, high_in; /* the bound itself belongs to it */
};

struct fields;

struct field {
	struct str key;
	/* One of the three: */
	struct test *tests;
	struct fields *nested;
	struct fields **branches; /* $or */
	size_t count;             /* of tests or branches */
};

struct fields {
	struct field *v;
	size_t count;
	bool only_missing; /* asks for nothing but absence */
};

struct pattern {
	struct fields *root;
};

struct compiler {
	struct arena *a;
	struct why *why;
	unsigned depth;
};

static enum err wrong(struct compiler *c, const struct json *at, const char *what) {
	return why_set(c->why, ERR_INVALID, "pattern, byte %u: %s", at->at, what);
}

static enum err full(struct compiler *c) {
	return why_set(c->why, ERR_NOMEM, "pattern: out of memory");
}

/* ---- operators ---- */

typedef enum err operator_compile(struct compiler *c, const struct json *v, struct test *out);

static enum err text_of(struct compiler *c, const struct json *v, struct str *out) {
	if (v->kind == JSON_OBJECT && v->child)
		return why_set(c->why, ERR_UNSUPPORTED, "pattern, byte %u: '" STR_FMT "' is not supported here yet", v->at,
		               STR_ARG(v->child->key));
	if (v->kind != JSON_STRING) return wrong(c, v, "a string is expected");
	*out = v->text;
	return OK;
}

static enum err op_prefix(struct compiler *c, const struct json *v, struct test *out) {
	out->kind = PREFIX;
	return text_of(c, v, &out->text);
}

static enum err op_exists(struct compiler *c, const struct json *v, struct test *out) {
	if (v->kind != JSON_TRUE && v->kind != JSON_FALSE) return wrong(c, v, "exists wants true or false");
	out->kind = v->kind == JSON_TRUE ? EXISTS : MISSING;
	return OK;
}

/* A string or a list of them, none empty (an empty prefix would forbid every string). */
static enum err op_not_prefix(struct compiler *c, const struct json *v, struct test *out) {
	const struct json *first = v->kind == JSON_ARRAY ? v->child : v;
	size_t n = v->kind == JSON_ARRAY ? v->count : 1;
	out->kind = NOT_PREFIXES;
	if (!n) return wrong(c, v, "the list is empty");
	out->texts = arena_array(c->a, struct str, n);
	if (!out->texts) return full(c);
	for (const struct json *i = first; out->count < n; i = i->next) {
		enum err e = text_of(c, i, &out->texts[out->count++]);
		if (e) return e;
		if (!i->text.n) return wrong(c, i, "the prefix is empty");
	}
	return OK;
}

static enum err not_values(struct compiler *c, const struct json *first, size_t n, struct test *out) {
	enum json_kind kind = first->kind;
	out->kind = kind == JSON_STRING ? NOT_TEXTS : NOT_NUMBERS;
	out->texts = kind == JSON_STRING ? arena_array(c->a, struct str, n) : NULL;
	out->numbers = kind == JSON_STRING ? NULL : arena_array(c->a, double, n);
	if (!out->texts && !out->numbers) return full(c);
	for (const struct json *i = first; out->count < n; i = i->next, out->count++) {
		if (i->kind != JSON_STRING && i->kind != JSON_NUMBER)
			return wrong(c, i, "anything-but lists strings or numbers");
		if (i->kind != kind) return wrong(c, i, "anything-but lists strings or numbers, not both");
		if (out->texts) out->texts[out->count] = i->text;
		if (out->numbers) out->numbers[out->count] = i->number;
	}
	return OK;
}

static enum err op_anything_but(struct compiler *c, const struct json *v, struct test *out) {
	if (v->kind == JSON_OBJECT) {
		if (v->count != 1) return wrong(c, v, "anything-but wants one operator");
		if (str_is(v->child->key, "prefix")) return op_not_prefix(c, v->child, out);
		return why_set(c->why, ERR_UNSUPPORTED,
		               "pattern, byte %u: anything-but with '" STR_FMT "' is not supported yet", v->at,
		               STR_ARG(v->child->key));
	}
	if (v->kind == JSON_ARRAY && !v->count) return wrong(c, v, "the list is empty");
	if (v->kind == JSON_ARRAY) return not_values(c, v->child, v->count, out);
	return not_values(c, v, 1, out);
}

/* One sign and its number; the list goes on after them. */
static enum err bound(struct compiler *c, const struct json **at, const struct json *list, struct str *sign,
                      double *n) {
	const struct json *s = *at, *number = s ? s->next : NULL;
	if (!s || s->kind != JSON_STRING) return wrong(c, s ? s : list, "numeric wants =, <, <=, > or >=, then a number");
	if (!number || number->kind != JSON_NUMBER) return wrong(c, number ? number : s, "a number is expected after it");
	*sign = s->text;
	*n = number->number;
	*at = number->next;
	return OK;
}

static bool above(struct str sign) {
	return str_is(sign, ">") || str_is(sign, ">=");
}

static bool below(struct str sign) {
	return str_is(sign, "<") || str_is(sign, "<=");
}

static void set_low(struct test *t, struct str sign, double n) {
	t->low = n;
	t->low_in = sign.n == 2;
}

static void set_high(struct test *t, struct str sign, double n) {
	t->high = n;
	t->high_in = sign.n == 2;
}

/* [">", low], ["<", high] or [">", low, "<", high], with or without the bounds themselves. */
static enum err range(struct compiler *c, const struct json *v, struct test *out) {
	struct str sign = { 0 };
	double n = 0;
	const struct json *at = v->child;
	enum err e = bound(c, &at, v, &sign, &n);
	bool has_low = !e && above(sign), more = has_low && at;
	if (has_low) set_low(out, sign, n);
	if (more) e = bound(c, &at, v, &sign, &n);
	if (e) return e;
	if (below(sign))
		set_high(out, sign, n);
	else if (!has_low || more)
		return wrong(c, v, "numeric knows =, <, <=, >, >=, and a range is [\">\", low, \"<\", high]");
	if (at) return wrong(c, at, "nothing more is expected in this list");
	return out->low < out->high ? OK : wrong(c, v, "the lower bound is not below the upper");
}

static enum err op_numeric(struct compiler *c, const struct json *v, struct test *out) {
	*out = (struct test){ .kind = RANGE, .low = (double)-INFINITY, .high = (double)INFINITY };
	if (v->kind != JSON_ARRAY) return wrong(c, v, "numeric wants a list");
	if (!str_is(json_str(v->child), "=")) return range(c, v, out);
	struct str sign = { 0 };
	const struct json *at = v->child;
	enum err e = bound(c, &at, v, &sign, &out->number);
	out->kind = EXACT_NUMBER;
	if (e) return e;
	return at ? wrong(c, at, "nothing more is expected in this list") : OK;
}

static const struct {
	const char *name;
	operator_compile *compile; /* NULL: EventBridge has it, we do not yet */
} operators[] = {
	{ "prefix", op_prefix }, { "anything-but", op_anything_but }, { "numeric", op_numeric }, { "exists", op_exists },
	{ "suffix", NULL },      { "equals-ignore-case", NULL },      { "wildcard", NULL },      { "cidr", NULL },
};
#define OPERATORS (sizeof operators / sizeof *operators)

static bool is_operator(struct str name) {
	for (size_t i = 0; i < OPERATORS; i++)
		if (str_is(name, operators[i].name)) return true;
	return false;
}

static enum err operator_test(struct compiler *c, const struct json *v, struct test *out) {
	if (v->count != 1) return wrong(c, v, "one operator is expected in an object");
	for (size_t i = 0; i < OPERATORS; i++) {
		if (!str_is(v->child->key, operators[i].name)) continue;
		if (operators[i].compile) return operators[i].compile(c, v->child, out);
		return why_set(c->why, ERR_UNSUPPORTED, "pattern, byte %u: the operator '%s' is not supported yet", v->at,
		               operators[i].name);
	}
	int shown = (int)(v->child->key.n < 64 ? v->child->key.n : 64);
	return why_set(c->why, ERR_UNSUPPORTED,
	               "pattern, byte %u: unknown operator '%.*s'; known are prefix, anything-but, numeric, exists", v->at,
	               shown, v->child->key.p);
}

static enum err value_test(struct compiler *c, const struct json *v, struct test *out) {
	switch (v->kind) {
	case JSON_STRING: *out = (struct test){ .kind = EXACT_TEXT, .text = v->text }; return OK;
	case JSON_NUMBER: *out = (struct test){ .kind = EXACT_NUMBER, .number = v->number }; return OK;
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL: *out = (struct test){ .kind = EXACT_WORD, .word = v->kind }; return OK;
	case JSON_OBJECT: return operator_test(c, v, out);
	case JSON_ARRAY: break;
	}
	return wrong(c, v, "a list in a list is not allowed");
}

/* ---- fields ---- */

static enum err compile_fields(struct compiler *c, const struct json *object, struct fields **out);

static enum err compile_tests(struct compiler *c, const struct json *list, struct field *f) {
	if (!list->count) return wrong(c, list, "the list of values is empty");
	f->tests = arena_array(c->a, struct test, list->count);
	if (!f->tests) return full(c);
	json_each(v, list) {
		enum err e = value_test(c, v, &f->tests[f->count++]);
		if (e) return e;
	}
	return OK;
}

/* "$or" lists objects that are patterns of their own. A single one is a mistake, not a field. */
static bool is_or(const struct json *v) {
	if (!str_is(v->key, "$or") || v->kind != JSON_ARRAY || !v->count) return false;
	json_each(branch, v) {
		if (branch->kind != JSON_OBJECT) return false;
		json_each(member, branch) {
			if (is_operator(member->key)) return false;
		}
	}
	return true;
}

static enum err compile_or(struct compiler *c, const struct json *list, struct field *f) {
	if (list->count < 2) return wrong(c, list, "$or wants two or more objects");
	f->branches = arena_array(c->a, struct fields *, list->count);
	if (!f->branches) return full(c);
	json_each(branch, list) {
		enum err e = compile_fields(c, branch, &f->branches[f->count++]);
		if (e) return e;
	}
	return OK;
}

static enum err compile_field(struct compiler *c, const struct json *v, struct field *f) {
	f->key = v->key;
	if (is_or(v)) return compile_or(c, v, f);
	if (v->kind == JSON_ARRAY) return compile_tests(c, v, f);
	if (v->kind == JSON_OBJECT) return compile_fields(c, v, &f->nested);
	return wrong(c, v, "a list of values, or an object, is expected");
}

static bool asks_only_absence(const struct field *f) {
	if (f->nested) return f->nested->only_missing;
	for (size_t i = 0; i < f->count; i++)
		if (f->branches ? !f->branches[i]->only_missing : f->tests[i].kind != MISSING) return false;
	return true;
}

static enum err compile_fields(struct compiler *c, const struct json *object, struct fields **out) {
	if (!object->count) return wrong(c, object, "an empty object matches nothing");
	if (c->depth == PATTERN_DEPTH_MAX) return wrong(c, object, "nested too deep");
	struct fields *f = arena_new(c->a, struct fields);
	if (f) f->v = arena_array(c->a, struct field, object->count);
	if (!f || !f->v) return full(c);
	f->only_missing = true;
	c->depth++;
	json_each(v, object) {
		enum err e = compile_field(c, v, &f->v[f->count]);
		if (e) return e;
		f->only_missing &= asks_only_absence(&f->v[f->count++]);
	}
	c->depth--;
	*out = f;
	return OK;
}

enum err pattern_compile(struct arena *a, struct str json, struct pattern **out, struct why *why) {
	struct compiler c = { .a = a, .why = why };
	const struct json *v = NULL;
	if (json.n > PATTERN_BYTES_MAX)
		return why_set(why, ERR_TOO_LARGE, "pattern: %zu bytes, at most %d", json.n, PATTERN_BYTES_MAX);
	struct str text = str_copy(a, json);
	struct pattern *p = arena_new(a, struct pattern);
	if (!text.p || !p) return full(&c);
	enum err e = json_parse(a, text, &v, why);
	if (e) return why_prefix(why, e, "pattern");
	if (v->kind != JSON_OBJECT) return wrong(&c, v, "an object is expected");
	e = compile_fields(&c, v, &p->root);
	if (e) return e;
	*out = p;
	return OK;
}

/* ---- matching ---- */

static bool in_range(const struct test *t, double n) {
	bool low = t->low_in ? n >= t->low : n > t->low;
	return low && (t->high_in ? n <= t->high : n < t->high);
}

static bool none_equals(const struct test *t, const struct json *leaf) {
	for (size_t i = 0; i < t->count; i++) {
		if (t->kind == NOT_NUMBERS && leaf->kind == JSON_NUMBER && leaf->number == t->numbers[i]) return false;
		if (t->kind == NOT_TEXTS && leaf->kind == JSON_STRING && str_eq(leaf->text, t->texts[i])) return false;
		if (t->kind == NOT_PREFIXES && leaf->kind == JSON_STRING && str_starts(leaf->text, t->texts[i])) return false;
	}
	return true;
}

static bool leaf_passes(const struct test *t, const struct json *leaf) {
	switch (t->kind) {
	case EXACT_TEXT: return leaf->kind == JSON_STRING && str_eq(leaf->text, t->text);
	case EXACT_NUMBER: return leaf->kind == JSON_NUMBER && leaf->number == t->number;
	case EXACT_WORD: return leaf->kind == t->word;
	case PREFIX: return leaf->kind == JSON_STRING && str_starts(leaf->text, t->text);
	case NOT_TEXTS:
	case NOT_NUMBERS:
	case NOT_PREFIXES: return none_equals(t, leaf);
	case RANGE: return leaf->kind == JSON_NUMBER && in_range(t, leaf->number);
	case EXISTS: return true;
	case MISSING: return false;
	}
	assert(!"a kind of test");
	return false;
}

/* Whether any leaf of v passes: of an array each element, of an object none. */
static bool passes(const struct test *t, const struct json *v) {
	if (!v || v->kind == JSON_OBJECT) return false;
	if (v->kind != JSON_ARRAY) return leaf_passes(t, v);
	json_each(element, v) {
		if (passes(t, element)) return true;
	}
	return false;
}

static const struct test any_leaf = { .kind = EXISTS };

static bool fields_match(const struct fields *f, const struct json *object);

static bool nested_match(const struct fields *f, const struct json *v) {
	if (v && v->kind == JSON_OBJECT) return fields_match(f, v);
	if (!v || v->kind != JSON_ARRAY || !v->child) return fields_match(f, NULL);
	/* What must be absent, must be so everywhere; all else is looked for in one and the same element. */
	json_each(element, v) {
		if (nested_match(f, element) != f->only_missing) return !f->only_missing;
	}
	return f->only_missing;
}

static bool field_match(const struct field *f, const struct json *object) {
	if (f->branches) {
		for (size_t i = 0; i < f->count; i++)
			if (fields_match(f->branches[i], object)) return true;
		return false;
	}
	const struct json *v = json_get_str(object, f->key);
	if (f->nested) return nested_match(f->nested, v);
	for (size_t i = 0; i < f->count; i++)
		if (f->tests[i].kind == MISSING ? !passes(&any_leaf, v) : passes(&f->tests[i], v)) return true;
	return false;
}

/* `object` NULL: there is none, and only absence matches. */
static bool fields_match(const struct fields *f, const struct json *object) {
	for (size_t i = 0; i < f->count; i++)
		if (!field_match(&f->v[i], object)) return false;
	return true;
}

bool pattern_match(const struct pattern *p, const struct json *event) {
	return nested_match(p->root, event);
}

static struct str explain(const struct fields *f, const struct json *object, struct str path, struct arena *a) {
	for (size_t i = 0; i < f->count; i++) {
		const struct field *field = &f->v[i];
		if (field_match(field, object)) continue;
		struct str key = field->key.n ? field->key : STR("\"\""); /* a path is never empty */
		struct str here = str_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(path), path.n ? "." : "", STR_ARG(key));
		const struct json *v = json_get_str(object, field->key);
		if (!field->nested || (v && v->kind == JSON_ARRAY)) return here;
		return explain(field->nested, v, here, a);
	}
	return path;
}

struct str pattern_explain(const struct pattern *p, const struct json *event, struct arena *a) {
	if (pattern_match(p, event)) return (struct str){ NULL, 0 };
	return explain(p->root, event, (struct str){ NULL, 0 }, a);
}
