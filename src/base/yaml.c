#include "base/yaml.h"

#include <assert.h>
#include <string.h>
#include <yaml.h>

/* Walks libyaml's events and builds the tree; one function for each production. */
struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	bool held;          /* `event` must be deleted */
	struct arena *a;
	struct why *why;
	size_t nodes;
};

#define NODES_MAX 1000000

static uint32_t line_of(const struct reader *r) {
	return (uint32_t)r->event.start_mark.line + 1;
}

static enum err fail(struct reader *r, const char *what) {
	return why_set(r->why, ERR_INVALID, "line %u: %s", line_of(r), what);
}

static enum err next(struct reader *r) {
	if (r->held) yaml_event_delete(&r->event);
	r->held = false;
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		const char *problem = r->parser.problem ? r->parser.problem : "not YAML";
		if (r->parser.error == YAML_MEMORY_ERROR) return ERR_NOMEM;
		return why_set(r->why, ERR_INVALID, "line %zu: %s", r->parser.problem_mark.line + 1, problem);
	}
	r->held = true;
	return OK;
}

static bool one_of(struct str s, const char *const *words) {
	for (; *words; words++)
		if (str_is(s, *words)) return true;
	return false;
}

/* YAML 1.2 core schema for plain scalars; quoted ones are strings. */
static void type_scalar(struct json *n, bool plain) {
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	n->kind = JSON_STRING;
	if (!plain) return;
	if (one_of(n->text, nulls))
		n->kind = JSON_NULL;
	else if (one_of(n->text, trues))
		n->kind = JSON_TRUE;
	else if (one_of(n->text, falses))
		n->kind = JSON_FALSE;
	else if (str_double(n->text, &n->number))
		n->kind = JSON_NUMBER;
}

static enum err read_node(struct reader *r, int depth, struct json **out);

static enum err read_scalar(struct reader *r, struct json *n) {
	n->text = str_copy(r->a, (struct str){ (const char *)r->event.data.scalar.value, r->event.data.scalar.length });
	if (!n->text.p && r->event.data.scalar.length) return ERR_NOMEM;
	if (!n->text.p) n->text = STR("");
	if (!str_is_utf8(n->text)) return fail(r, "not valid UTF-8");
	type_scalar(n, r->event.data.scalar.plain_implicit != 0);
	return OK;
}

static enum err read_sequence(struct reader *r, int depth, struct json *n) {
	struct json **tail = &n->child;
	n->kind = JSON_ARRAY;
	for (;;) {
		enum err e = next(r);
		if (e) return e;
		if (r->event.type == YAML_SEQUENCE_END_EVENT) return OK;
		e = read_node(r, depth + 1, tail);
		if (e) return e;
		tail = &(*tail)->next;
		n->count++;
	}
}

static enum err read_key(struct reader *r, const struct json *n, struct str *key) {
	if (r->event.type != YAML_SCALAR_EVENT) return fail(r, "a key must be a plain word");
	*key = str_copy(r->a, (struct str){ (const char *)r->event.data.scalar.value, r->event.data.scalar.length });
	if (!key->p && r->event.data.scalar.length) return ERR_NOMEM;
	if (json_get_str(n, *key))
		return why_set(r->why, ERR_INVALID, "line %u: key '" STR_FMT "' stands there twice", line_of(r), STR_ARG(*key));
	return OK;
}

static enum err read_mapping(struct reader *r, int depth, struct json *n) {
	struct json **tail = &n->child;
	n->kind = JSON_OBJECT;
	for (;;) {
		struct str key = { 0 };
		enum err e = next(r);
		if (e) return e;
		if (r->event.type == YAML_MAPPING_END_EVENT) return OK;
		e = read_key(r, n, &key);
		if (e) return e;
		uint32_t line = line_of(r);
		e = next(r);
		if (e) return e;
		e = read_node(r, depth + 1, tail);
		if (e) return e;
		(*tail)->key = key;
		(*tail)->at = line; /* of the key: what a person looks for */
		tail = &(*tail)->next;
		n->count++;
	}
}

static enum err read_node(struct reader *r, int depth, struct json **out) {
	if (depth > JSON_DEPTH_MAX) return fail(r, "nested too deeply");
	if (++r->nodes > NODES_MAX) return fail(r, "too many values");
	struct json *n = arena_new(r->a, struct json);
	if (!n) return ERR_NOMEM;
	*out = n;
	n->at = line_of(r);
	switch (r->event.type) {
	case YAML_SCALAR_EVENT:
		if (r->event.data.scalar.anchor || (r->event.data.scalar.tag && !r->event.data.scalar.quoted_implicit))
			return fail(r, "anchors and tags are not taken; write the value out");
		return read_scalar(r, n);
	case YAML_SEQUENCE_START_EVENT:
		if (r->event.data.sequence_start.anchor) return fail(r, "anchors are not taken; write the value out");
		return read_sequence(r, depth, n);
	case YAML_MAPPING_START_EVENT:
		if (r->event.data.mapping_start.anchor) return fail(r, "anchors are not taken; write the value out");
		return read_mapping(r, depth, n);
	case YAML_ALIAS_EVENT: return fail(r, "aliases are not taken; write the value out");
	default: return fail(r, "a value was expected");
	}
}

static enum err read_document(struct reader *r, const struct json **out) {
	struct json *root = arena_new(r->a, struct json);
	if (!root) return ERR_NOMEM;
	enum err e = next(r); /* stream start */
	if (!e) e = next(r);  /* document start, or the end of an empty stream */
	if (e) return e;
	if (r->event.type != YAML_STREAM_END_EVENT) {
		e = next(r);
		if (!e) e = read_node(r, 0, &root);
		if (!e) e = next(r); /* document end */
		if (!e) e = next(r); /* stream end */
		if (e) return e;
		if (r->event.type != YAML_STREAM_END_EVENT) return fail(r, "one document only");
	}
	*out = root;
	return OK;
}

enum err yaml_parse(struct arena *a, struct str text, const struct json **out, struct why *why) {
	struct reader r = { .a = a, .why = why };
	if (!yaml_parser_initialize(&r.parser)) return ERR_NOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
	enum err e = read_document(&r, out);
	if (r.held) yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return e;
}
