/* The command line: verbs with tables of options; one table is parser, help and completion at once. */
#pragma once

#include "base/str.h"

struct option {
	const char *name;  /* "seeds", given as --seeds V or --seeds=V */
	char letter;       /* 'o' for -o V; 0: none */
	const char *value; /* "A..B": takes one; NULL: a switch */
	const char *help;  /* one sentence */
};
#define OPTION_END \
	{ .name = NULL }

#define ARGS_POSITIONAL_MAX 64

struct arg {
	const struct option *option;
	struct str value;
};

struct args {
	struct arg given[64];
	size_t given_count;
	struct str positional[ARGS_POSITIONAL_MAX];
	size_t positional_count;
};

/* Options of `own` and `common` in any order, "--" ends them, "-" is a positional. ERR_INVALID: which
 * one, and the nearest valid name. */
MUST_USE enum err args_parse(int argc, const char *const *argv, const struct option *own, const struct option *common,
                             struct args *out, struct why *why);
bool args_has(const struct args *a, const char *name);
struct str args_get(const struct args *a, const char *name); /* the last one given; {NULL,0}: not given */
/* The value as a whole number within bounds, or `fallback` when it was not given. */
MUST_USE enum err args_int(const struct args *a, const char *name, int64_t fallback, int64_t min, int64_t max,
                           int64_t *out, struct why *why);
/* "A..B" or "N". */
MUST_USE enum err args_range(const struct args *a, const char *name, int64_t from, int64_t to, int64_t out[2],
                             struct why *why);
void args_help(const struct option *table, struct buf *out);
