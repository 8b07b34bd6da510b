/* A JSON value that can be changed: what the simulated Kubernetes server keeps objects as.
 *
 * Nodes are malloc'd and owned by their parent; members keep their order; numbers keep their text. A
 * path is member names joined by dots ("spec.template.metadata"); names with dots in them need doc_get. */
#pragma once

#include "base/json.h"

struct doc {
	enum json_kind kind;
	char *key;  /* of a member; NULL elsewhere */
	char *text; /* STRING, NUMBER */
	size_t text_n;
	struct doc *child, *last, *next;
};

struct doc *doc_new(enum json_kind kind);
void doc_free(struct doc *d); /* takes NULL; the whole tree */
struct doc *doc_from(const struct json *j);
/* NULL: not JSON; *why says where. */
struct doc *doc_parse(struct str text, struct why *why);
struct doc *doc_copy(const struct doc *d);                /* NULL gives NULL; the copy has no key */
bool doc_equal(const struct doc *a, const struct doc *b); /* members in any order; NULL equals NULL only */
void doc_write(const struct doc *d, struct json_out *o);  /* NULL: null */

/* Looking: each takes NULL and answers as if absent. */
struct doc *doc_get(const struct doc *object, const char *key);
struct doc *doc_path(const struct doc *object, const char *path);
struct str doc_str(const struct doc *d); /* STRING, else {NULL,0} */
const char *doc_c(const struct doc *d);  /* STRING, else "" */
int64_t doc_int(const struct doc *d, int64_t fallback);
bool doc_bool(const struct doc *d, bool fallback);
size_t doc_count(const struct doc *d);

/* Changing an object: `value` becomes the object's; an old member of that name is freed, its place kept. */
struct doc *doc_set(struct doc *object, const char *key, struct doc *value);
struct doc *doc_set_c(struct doc *object, const char *key, const char *value);
struct doc *doc_set_int(struct doc *object, const char *key, int64_t value);
struct doc *doc_set_bool(struct doc *object, const char *key, bool value);
void doc_remove(struct doc *object, const char *key);
struct doc *doc_take(struct doc *object, const char *key); /* removed and the caller's; NULL: absent */
/* The object at a path, made where it is missing. */
struct doc *doc_make(struct doc *object, const char *path);
/* Changing an array. */
struct doc *doc_push(struct doc *array, struct doc *value);
void doc_insert(struct doc *array, size_t at, struct doc *value); /* at == count: at the end */
struct doc *doc_take_at(struct doc *array, size_t at);
struct doc *doc_at(const struct doc *array, size_t at);
#define doc_each(it, d) for (struct doc *it = (d) ? (d)->child : NULL; it; it = it->next)
