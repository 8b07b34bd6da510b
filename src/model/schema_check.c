#include "model/schema_check.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

struct checker {
	const struct json *root;
	struct why *why;
	char path[160]; /* of the value looked at; cut when longer */
	unsigned depth; /* of $ref, anyOf and nesting together: a schema may be a ring */
};

#define DEPTH_MAX        128
#define SCHEMA_BYTES_MAX ((size_t)1 << 20)

typedef enum err keyword(struct checker *c, const struct json *schema, const struct json *k, const struct json *v);

static enum err check(struct checker *c, const struct json *schema, const struct json *v);

static enum err bad(struct checker *c, const char *what, struct str detail) {
	return why_set(c->why, ERR_INVALID, "%s: %s" STR_FMT, c->path[0] ? c->path : "(event)", what, STR_ARG(detail));
}

/* One step down and, after it, up again. */
static enum err check_at(struct checker *c, const struct json *schema, const struct json *v, const char *sep,
                         struct str name) {
	size_t n = strlen(c->path);
	snprintf(c->path + n, sizeof c->path - n, "%s" STR_FMT "%s", n || *sep == '[' ? sep : "", STR_ARG(name),
	         *sep == '[' ? "]" : "");
	enum err e = check(c, schema, v);
	c->path[n] = '\0';
	return e;
}

/* JSON Schema's equality: by value, members in any order. */
static bool equal(const struct json *a, const struct json *b) {
	if (a->kind != b->kind) return false;
	if (a->kind == JSON_NUMBER) return a->number == b->number;
	if (a->kind == JSON_STRING) return str_eq(a->text, b->text);
	if (a->count != b->count) return false;
	if (a->kind == JSON_OBJECT) {
		json_each(m, a) {
			const struct json *other = json_get_str(b, m->key);
			if (!other || !equal(m, other)) return false;
		}
	}
	if (a->kind == JSON_ARRAY) {
		const struct json *other = b->child;
		for (const struct json *i = a->child; i; i = i->next, other = other->next)
			if (!equal(i, other)) return false;
	}
	return true;
}

static bool is_type(const struct json *v, struct str name) {
	switch (v->kind) {
	case JSON_NULL: return str_is(name, "null");
	case JSON_FALSE:
	case JSON_TRUE: return str_is(name, "boolean");
	case JSON_STRING: return str_is(name, "string");
	case JSON_ARRAY: return str_is(name, "array");
	case JSON_OBJECT: return str_is(name, "object");
	case JSON_NUMBER: break;
	}
	bool integer = v->number == (double)(int64_t)v->number;
	return str_is(name, "number") || (integer && str_is(name, "integer"));
}

static enum err type(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	if (k->kind == JSON_STRING) return is_type(v, k->text) ? OK : bad(c, "is not of type ", k->text);
	json_each(t, k) {
		if (is_type(v, json_str(t))) return OK;
	}
	return bad(c, "is not of a type in ", k->text);
}

static enum err required(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	if (v->kind != JSON_OBJECT) return OK;
	json_each(name, k) {
		if (!json_get_str(v, json_str(name))) return bad(c, "lacks ", json_str(name));
	}
	return OK;
}

static enum err properties(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	if (v->kind != JSON_OBJECT) return OK;
	json_each(m, v) {
		const struct json *of = json_get_str(k, m->key);
		enum err e = of ? check_at(c, of, m, ".", m->key) : OK;
		if (e) return e;
	}
	return OK;
}

static enum err additional(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	if (v->kind != JSON_OBJECT || k->kind == JSON_TRUE) return OK;
	const struct json *known = json_get(schema, "properties");
	json_each(m, v) {
		if (json_get_str(known, m->key)) continue;
		if (k->kind == JSON_FALSE) return bad(c, "has a member that the schema does not know: ", m->key);
		enum err e = check_at(c, k, m, ".", m->key);
		if (e) return e;
	}
	return OK;
}

static enum err items(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	if (v->kind != JSON_ARRAY) return OK;
	size_t i = 0;
	json_each(item, v) {
		char index[24];
		snprintf(index, sizeof index, "%zu", i++);
		enum err e = check_at(c, k, item, "[", str_of(index));
		if (e) return e;
	}
	return OK;
}

static enum err one_of_values(struct checker *c, const struct json *s, const struct json *k, const struct json *v) {
	(void)s;
	json_each(choice, k) {
		if (equal(choice, v)) return OK;
	}
	return bad(c, "is none of ", k->text);
}

static enum err constant(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return equal(k, v) ? OK : bad(c, "is not ", k->text);
}

static enum err minimum(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return v->kind == JSON_NUMBER && v->number < k->number ? bad(c, "less than ", k->text) : OK;
}

static enum err maximum(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return v->kind == JSON_NUMBER && v->number > k->number ? bad(c, "more than ", k->text) : OK;
}

/* JSON Schema counts characters, not bytes. */
static double length(struct str s) {
	double n = 0;
	for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static enum err min_length(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return v->kind == JSON_STRING && length(v->text) < k->number ? bad(c, "shorter than ", k->text) : OK;
}

static enum err max_length(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return v->kind == JSON_STRING && length(v->text) > k->number ? bad(c, "longer than ", k->text) : OK;
}

static enum err pattern(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	char text[256], wanted[256];
	regex_t r;
	if (v->kind != JSON_STRING) return OK;
	snprintf(text, sizeof text, STR_FMT, STR_ARG(v->text));
	snprintf(wanted, sizeof wanted, STR_FMT, STR_ARG(k->text));
	if (v->text.n >= sizeof text || k->text.n >= sizeof wanted || regcomp(&r, wanted, REG_EXTENDED | REG_NOSUB))
		return bad(c, "the schema's pattern, or its value, cannot be used: ", k->text);
	bool matches = regexec(&r, text, 0, NULL, 0) == 0;
	regfree(&r);
	return matches ? OK : bad(c, "does not match ", k->text);
}

static enum err min_items(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return v->kind == JSON_ARRAY && v->count < k->number ? bad(c, "fewer items than ", k->text) : OK;
}

static enum err max_items(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return v->kind == JSON_ARRAY && v->count > k->number ? bad(c, "more items than ", k->text) : OK;
}

static enum err format(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	struct wall t;
	if (!str_is(json_str(k), "date-time")) return bad(c, "the schema has an unknown format: ", k->text);
	if (v->kind != JSON_STRING || wall_parse(v->text.p, v->text.n, &t)) return OK;
	return bad(c, "is not an RFC 3339 time: ", v->text);
}

static size_t matching(struct checker *c, const struct json *choices, const struct json *v) {
	size_t n = 0;
	json_each(choice, choices) n += check(c, choice, v) == OK;
	return n;
}

static enum err any_of(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	json_each(choice, k) {
		if (!check(c, choice, v)) return OK;
		if (!choice->next || v->kind == JSON_NULL) continue;
		/* `X or null` is what most of these are: what X said of a value tells more than what null said. */
		if (json_get(choice->next, "type") && str_is(json_str(json_get(choice->next, "type")), "null")) break;
	}
	return ERR_INVALID;
}

static enum err one_of(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	return matching(c, k, v) == 1 ? OK : bad(c, "matches none, or several, of oneOf", (struct str){ 0 });
}

static enum err reference(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)schema;
	struct str name = json_str(k), prefix = STR("#/$defs/");
	if (!str_starts(name, prefix)) return bad(c, "the schema has a $ref that is not local: ", k->text);
	name = (struct str){ name.p + prefix.n, name.n - prefix.n };
	const struct json *def = json_get_str(json_get(c->root, "$defs"), name);
	return def ? check(c, def, v) : bad(c, "the schema lacks its definition ", name);
}

static enum err note(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	(void)c, (void)schema, (void)k, (void)v;
	return OK;
}

static const struct {
	const char *name;
	keyword *run;
} keywords[] = {
	{ "type", type },
	{ "required", required },
	{ "properties", properties },
	{ "additionalProperties", additional },
	{ "items", items },
	{ "enum", one_of_values },
	{ "const", constant },
	{ "minimum", minimum },
	{ "maximum", maximum },
	{ "minLength", min_length },
	{ "maxLength", max_length },
	{ "pattern", pattern },
	{ "minItems", min_items },
	{ "maxItems", max_items },
	{ "format", format },
	{ "anyOf", any_of },
	{ "oneOf", one_of },
	{ "$ref", reference },
	{ "$defs", note },
	{ "$schema", note },
	{ "$id", note },
	{ "title", note },
	{ "description", note },
};

static enum err apply(struct checker *c, const struct json *schema, const struct json *k, const struct json *v) {
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		if (str_is(k->key, keywords[i].name)) return keywords[i].run(c, schema, k, v);
	}
	return bad(c, "the schema has a keyword that is not supported: ", k->key);
}

static enum err check(struct checker *c, const struct json *schema, const struct json *v) {
	if (schema->kind == JSON_TRUE) return OK;
	if (schema->kind != JSON_OBJECT) return bad(c, "nothing is allowed here", (struct str){ 0 });
	if (c->depth == DEPTH_MAX) return bad(c, "the schema goes round in a ring", (struct str){ 0 });
	c->depth++;
	enum err e = OK;
	for (const struct json *k = schema->child; k && !e; k = k->next) e = apply(c, schema, k, v);
	c->depth--;
	return e;
}

enum err schema_check(const struct json *schema, const struct json *value, struct why *why) {
	struct checker c = { .root = schema, .why = why };
	return check(&c, schema, value);
}

enum err schema_text(struct arena *a, const char *path, struct str *out, struct why *why) {
	FILE *f = fopen(path, "rb");
	if (!f) return why_set(why, ERR_NOT_FOUND, "there is no schema %s", path);
	char *text = arena_take(a, SCHEMA_BYTES_MAX, 1);
	size_t n = text ? fread(text, 1, SCHEMA_BYTES_MAX, f) : 0;
	bool whole = text && !ferror(f) && n < SCHEMA_BYTES_MAX;
	fclose(f);
	if (!whole) return why_set(why, ERR_IO, "the schema %s cannot be read", path);
	*out = (struct str){ text, n };
	return OK;
}

static enum err check_event(struct arena *a, const char *dir, struct str event, struct why *why) {
	const struct json *value = NULL, *schema = NULL;
	enum err e = json_parse(a, event, &value, why);
	if (e) return e;
	struct str name = json_str(json_get(value, "type"));
	if (!name.n || memchr(name.p, '/', name.n)) return why_set(why, ERR_INVALID, "type: not the name of a schema");
	struct str path = str_printf(a, "%s/" STR_FMT ".schema.json", dir, STR_ARG(name));
	struct str text;
	e = schema_text(a, path.p, &text, why);
	if (!e) e = json_parse(a, text, &schema, why);
	if (e) return why_prefix(why, e, STR_FMT, STR_ARG(path));
	return schema_check(schema, value, why);
}

enum err schema_check_event(const char *dir, struct str event, struct why *why) {
	struct arena a;
	arena_init(&a, 0);
	enum err e = check_event(&a, dir, event, why);
	arena_done(&a);
	return e;
}
