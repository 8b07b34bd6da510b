/* A file format as tables: one table reads it, checks it, writes it, explains it and makes its JSON Schema.
 *
 * A form describes an object: fields that are one value each, and parts that are objects again: one, a list of them,
 * or a map by name. Values land in plain structs in an arena, written as people write them (6ms, 5%, 512MiB). Errors
 * name file and line, the key, and the nearest valid one. Pure. */
#pragma once

#include "base/json.h"

enum form_type {
	FORM_WHOLE,   /* int; its bounds keep it one */
	FORM_NUMBER,  /* double */
	FORM_SHARE,   /* double, written "5%" */
	FORM_YES,     /* bool */
	FORM_TIME,    /* int64_t, ns */
	FORM_SECONDS, /* double, s; written as a duration */
	FORM_MIB,     /* double, MiB; written as a size */
	FORM_TEXT,    /* const char *, closed by a NUL; bounds are of its length */
	FORM_WORD,    /* const char *, one of `names` */
	FORM_CHOICE,  /* int: index into `names` */
};

struct form_field {
	const char *key;
	enum form_type type;
	size_t offset;        /* in the struct of its form */
	double min, max;      /* inclusive, in the field's unit; both 0: unbounded (shares: 0..1) */
	const char *fallback; /* default as text; NULL: required */
	const char *const *names;
	const char *help; /* one sentence */
};
#define FORM_END \
	{ .key = NULL }

enum form_kind {
	FORM_ONE,  /* an object, always there: its fields have defaults */
	FORM_LIST, /* a list of objects */
	FORM_MAP,  /* objects by name */
};

struct form {
	const char *key; /* in the object around it */
	enum form_kind kind;
	size_t offset; /* in the struct around it: of the struct (ONE), or of a pointer to the first */
	size_t count;  /* LIST, MAP: of the size_t that counts them */
	size_t size;   /* of one, in bytes */
	size_t max;    /* so many at most */
	size_t name;   /* MAP: of the const char * that takes its name */
	size_t line;   /* of an int that takes its line, for later errors; FORM_NO_LINE: none */
	bool flat;     /* one is written on one line */
	const struct form_field *fields;
	const struct form *parts; /* ended by one without a key; NULL: none */
	const char *help;
};
#define FORM_NO_LINE SIZE_MAX

/* Reads the object `node` into `into` (zeroed, of the form's size), every default filled in; strings and lists lie in
 * `a`. ERR_INVALID: "FILE:LINE: ..."; ERR_NOMEM. */
MUST_USE enum err form_read(const struct form *f, struct arena *a, const struct json *node, void *into,
                            const char *file, struct why *why);
/* Sets one value by its path, "telemetry.sampling": through parts that are ONE. ERR_NOT_FOUND: names the nearest;
 * ERR_INVALID; ERR_NOMEM. */
MUST_USE enum err form_set(const struct form *f, struct arena *a, void *into, struct str path, struct str value,
                           struct why *why);
/* As YAML that form_read takes and that reads back the same. `comments`: with what each key means, where it first
 * appears. Of the elements of lists and maps only what differs from the defaults is written. */
void form_write(const struct form *f, const void *from, bool comments, struct buf *out);
/* As a JSON Schema, draft 2020-12. */
void form_schema(const struct form *f, const char *id, const char *title, struct buf *out);
/* Every key: path, type, bounds, default and meaning, one a line. */
void form_help(const struct form *f, struct buf *out);

/* ---- between the files of form ---- */
struct param;
/* The field as a row of base/param's tables; `bounds` in its unit. */
struct param form_param(const struct form_field *f);
/* Its default, written as form_value would; not of a TEXT. */
void form_fallback(const struct form_field *f, struct buf *out);
/* A ONE that cannot be left out: one of its fields has no default. */
bool form_required(const struct form *f);
/* Its value as text, unquoted. */
void form_value(const struct form_field *f, const void *from, struct buf *out);
