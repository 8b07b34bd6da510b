#include "sim/kube/doc.h"

#include <stdio.h>

#include "sim/memory.h"

struct doc *doc_new(enum json_kind kind) {
	struct doc *d = must_alloc(sizeof *d);
	d->kind = kind;
	return d;
}

void doc_free(struct doc *d) {
	while (d) {
		struct doc *next = d->next;
		doc_free(d->child);
		free(d->key);
		free(d->text);
		free(d);
		d = next;
	}
}

/* One node without its siblings. */
static void free_one(struct doc *d) {
	if (!d) return;
	d->next = NULL;
	doc_free(d);
}

static void set_text(struct doc *d, struct str text) {
	d->text = must_copy(text.p, text.n);
	d->text_n = text.n;
}

static struct doc *append(struct doc *parent, struct doc *value) {
	value->next = NULL;
	if (parent->last)
		parent->last->next = value;
	else
		parent->child = value;
	parent->last = value;
	return value;
}

static bool has_text(enum json_kind kind) {
	return kind == JSON_STRING || kind == JSON_NUMBER;
}

struct doc *doc_from(const struct json *j) {
	struct doc *d = doc_new(j->kind);
	if (has_text(j->kind)) set_text(d, j->text);
	json_each(c, j) {
		struct doc *child = append(d, doc_from(c));
		if (j->kind == JSON_OBJECT) child->key = must_copy(c->key.p, c->key.n);
	}
	return d;
}

struct doc *doc_parse(struct str text, struct why *why) {
	struct arena a;
	const struct json *j = NULL;
	arena_init(&a, 0);
	struct doc *d = json_parse(&a, text, &j, why) ? NULL : doc_from(j);
	arena_done(&a);
	return d;
}

struct doc *doc_copy(const struct doc *d) {
	if (!d) return NULL;
	struct doc *copy = doc_new(d->kind);
	if (has_text(d->kind)) set_text(copy, (struct str){ d->text, d->text_n });
	doc_each(c, d) {
		struct doc *child = append(copy, doc_copy(c));
		if (c->key) child->key = must_copy(c->key, strlen(c->key));
	}
	return copy;
}

bool doc_equal(const struct doc *a, const struct doc *b) {
	if (!a || !b) return a == b;
	if (a->kind != b->kind) return false;
	if (has_text(a->kind)) return a->text_n == b->text_n && !memcmp(a->text, b->text, a->text_n);
	if (doc_count(a) != doc_count(b)) return false;
	const struct doc *other = b->child;
	doc_each(c, a) {
		if (a->kind == JSON_OBJECT) other = doc_get(b, c->key);
		if (!doc_equal(c, other)) return false;
		if (a->kind == JSON_ARRAY) other = other->next;
	}
	return true;
}

void doc_write(const struct doc *d, struct json_out *o) {
	switch (d ? d->kind : JSON_NULL) {
	case JSON_NULL: json_put_null(o); break;
	case JSON_FALSE:
	case JSON_TRUE: json_put_bool(o, d->kind == JSON_TRUE); break;
	case JSON_NUMBER: json_put_raw(o, (struct str){ d->text, d->text_n }); break;
	case JSON_STRING: json_put_str(o, (struct str){ d->text, d->text_n }); break;
	case JSON_ARRAY:
		json_begin_array(o);
		doc_each(c, d) doc_write(c, o);
		json_end_array(o);
		break;
	case JSON_OBJECT:
		json_begin_object(o);
		doc_each(c, d) {
			json_key(o, c->key);
			doc_write(c, o);
		}
		json_end_object(o);
		break;
	}
}

/* ---- looking ---- */

static struct doc *get_n(const struct doc *object, const char *key, size_t n) {
	if (!object || object->kind != JSON_OBJECT) return NULL;
	/* The first letter tells most members apart, and spares the call. */
	doc_each(c, object) if ((!n || *c->key == *key) && !strncmp(c->key, key, n) && !c->key[n]) return c;
	return NULL;
}

struct doc *doc_get(const struct doc *object, const char *key) {
	return get_n(object, key, strlen(key));
}

struct doc *doc_path(const struct doc *object, const char *path) {
	while (object) {
		const char *dot = strchr(path, '.');
		struct doc *member = get_n(object, path, dot ? (size_t)(dot - path) : strlen(path));
		if (!dot) return member;
		object = member;
		path = dot + 1;
	}
	return NULL;
}

struct str doc_str(const struct doc *d) {
	return d && d->kind == JSON_STRING ? (struct str){ d->text, d->text_n } : (struct str){ NULL, 0 };
}

const char *doc_c(const struct doc *d) {
	return d && d->kind == JSON_STRING ? d->text : "";
}

int64_t doc_int(const struct doc *d, int64_t fallback) {
	int64_t v = 0;
	return d && has_text(d->kind) && str_int((struct str){ d->text, d->text_n }, &v) ? v : fallback;
}

bool doc_bool(const struct doc *d, bool fallback) {
	return d && d->kind == JSON_TRUE ? true : d && d->kind == JSON_FALSE ? false : fallback;
}

size_t doc_count(const struct doc *d) {
	size_t n = 0;
	doc_each(c, d) n++;
	return n;
}

struct doc *doc_at(const struct doc *array, size_t at) {
	struct doc *c = array ? array->child : NULL;
	while (c && at--) c = c->next;
	return c;
}

/* ---- changing ---- */

/* Unlinks the child after `before` (NULL: the first). */
static struct doc *unlink_after(struct doc *parent, struct doc *before) {
	struct doc *d = before ? before->next : parent->child;
	if (before)
		before->next = d->next;
	else
		parent->child = d->next;
	if (parent->last == d) parent->last = before;
	d->next = NULL;
	return d;
}

struct doc *doc_set(struct doc *object, const char *key, struct doc *value) {
	assert(object->kind == JSON_OBJECT);
	free(value->key);
	value->key = must_copy(key, strlen(key));
	struct doc *before = NULL;
	doc_each(c, object) {
		if (strcmp(c->key, key)) {
			before = c;
			continue;
		}
		value->next = c->next;
		if (before)
			before->next = value;
		else
			object->child = value;
		if (object->last == c) object->last = value;
		free_one(c);
		return value;
	}
	return append(object, value);
}

struct doc *doc_set_c(struct doc *object, const char *key, const char *value) {
	struct doc *d = doc_new(JSON_STRING);
	set_text(d, str_of(value));
	return doc_set(object, key, d);
}

struct doc *doc_set_int(struct doc *object, const char *key, int64_t value) {
	char text[24];
	struct doc *d = doc_new(JSON_NUMBER);
	int n = snprintf(text, sizeof text, "%lld", (long long)value);
	set_text(d, (struct str){ text, (size_t)n });
	return doc_set(object, key, d);
}

struct doc *doc_set_bool(struct doc *object, const char *key, bool value) {
	return doc_set(object, key, doc_new(value ? JSON_TRUE : JSON_FALSE));
}

struct doc *doc_take(struct doc *object, const char *key) {
	struct doc *before = NULL;
	if (!object || object->kind != JSON_OBJECT) return NULL;
	doc_each(c, object) {
		if (!strcmp(c->key, key)) return unlink_after(object, before);
		before = c;
	}
	return NULL;
}

void doc_remove(struct doc *object, const char *key) {
	doc_free(doc_take(object, key));
}

struct doc *doc_make(struct doc *object, const char *path) {
	char name[256];
	while (*path) {
		size_t n = strcspn(path, ".");
		assert(n < sizeof name);
		memcpy(name, path, n);
		name[n] = '\0';
		struct doc *member = doc_get(object, name);
		if (!member || member->kind != JSON_OBJECT) member = doc_set(object, name, doc_new(JSON_OBJECT));
		object = member;
		path += n + (path[n] == '.');
	}
	return object;
}

struct doc *doc_push(struct doc *array, struct doc *value) {
	assert(array->kind == JSON_ARRAY);
	free(value->key);
	value->key = NULL;
	return append(array, value);
}

void doc_insert(struct doc *array, size_t at, struct doc *value) {
	assert(array->kind == JSON_ARRAY && at <= doc_count(array));
	if (at == doc_count(array)) {
		doc_push(array, value);
		return;
	}
	free(value->key);
	value->key = NULL;
	struct doc *before = at ? doc_at(array, at - 1) : NULL;
	value->next = before ? before->next : array->child;
	if (before)
		before->next = value;
	else
		array->child = value;
}

struct doc *doc_take_at(struct doc *array, size_t at) {
	if (at >= doc_count(array)) return NULL;
	return unlink_after(array, at ? doc_at(array, at - 1) : NULL);
}
