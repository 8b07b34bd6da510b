/* One table per module is parser, validator, help, manual and reload rule at once.
 *
 * A table binds a key to a field of the module's options struct: type, unit, bounds, default, one
 * sentence of help. Values come as text (from YAML, a URL, a flag) and land in the struct, or an
 * error says which key, which bound, and the nearest valid name. */
#pragma once

#include "base/str.h"

enum param_type {
	PARAM_INT,      /* int64_t */
	PARAM_DOUBLE,   /* double */
	PARAM_BOOL,     /* bool: true false yes no on off */
	PARAM_DURATION, /* int64_t ns, never negative: 500ms 30s 5m 24h 7d */
	PARAM_BYTES,    /* int64_t, never negative: 64KiB 30MiB 1GB */
	PARAM_PERCENT,  /* double, 0..1, written as "51%" and not otherwise */
	PARAM_STR,      /* struct str, copied into the arena; its bounds are of its length in bytes */
	PARAM_ENUM,     /* int: index into `names` */
};

struct param {
	const char *key;
	enum param_type type;
	size_t offset;            /* offsetof(struct x_opts, field) */
	double min, max;          /* inclusive, in the type's base unit; both 0: unbounded */
	const char *fallback;     /* default as text; NULL: required */
	const char *const *names; /* PARAM_ENUM: NULL-terminated */
	bool reload;              /* may change without a restart */
	const char *help;         /* one sentence */
};

#define PARAM_END \
	{ .key = NULL }

/* Fills every default. ERR_INVALID only if a table is wrong, which a test would have shown. */
MUST_USE enum err param_defaults(const struct param *table, struct arena *a, void *opts, struct why *why);
/* Sets one field from text; on an error it is as it was. ERR_NOT_FOUND: no such key, *why names the nearest;
 * ERR_INVALID: not of its type, or out of bounds; ERR_NOMEM. A PARAM_STR's value is never repeated in *why. */
MUST_USE enum err param_set(const struct param *table, struct arena *a, void *opts, struct str key, struct str value,
                            struct why *why);
/* A back end's options: every default, then the URL's parameters. For tables without strings. ERR_INVALID: `what`, then
 * what is wrong, an unknown name among it. */
struct url;
MUST_USE enum err param_url(const struct param *table, const struct url *u, void *opts, const char *what,
                            struct why *why);
const struct param *param_find(const struct param *table, struct str key);
/* The key of the table nearest to `key` by edit distance; NULL for an empty table. */
const char *param_nearest(const struct param *table, struct str key);
/* One value as people would write it ("30s", "64KiB"). */
void param_format(const struct param *p, const void *opts, struct buf *out);
/* Key, type, default, bounds, "restart" where a reload does not reach, and sentence of each, one a line. */
void param_help(const struct param *table, struct buf *out);

/* "1h30m", "250ms", "1.5s", "0": units d h m s ms us ns, each at most once and falling; at most 292 years.
 * ERR_INVALID: anything else, a bare number and a sign among it. */
MUST_USE enum err duration_parse(struct str s, int64_t *ns);
/* "1h30m"; exact, so that duration_parse gives the same. A negative one gets a '-' for people's eyes. */
void duration_format(int64_t ns, char out[32]);
/* "64KiB", "64Ki", "1.5GB", "512": bytes, decimal or binary units up to T. ERR_INVALID. */
MUST_USE enum err bytes_parse(struct str s, int64_t *bytes);
/* With the largest binary unit that divides it: "64KiB", "1000B". */
void bytes_format(int64_t bytes, char out[32]);
