/* What every verb is given, and what it answers: an exit code (CLI.md).
 *
 * 0 done; 1 a negative answer; 2 wrong usage or bad input; 3 a server or back end could not be
 * reached; 4 refused by policy. Results go to standard output, everything else to standard error. */
#pragma once

#include "base/json.h"
#include "cli/args.h"
#include "cli/out.h"
#include "cli/print.h"
#include "daemon/daemon.h"
#include "world/linux/linux.h"

enum exit_code { EXIT_DONE = 0, EXIT_NEGATIVE = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3, EXIT_REFUSED = 4 };

struct cli {
	struct world_linux *real; /* `linux` is a macro of the compiler */
	struct world *world;
	struct arena arena; /* of the whole run */
	struct args args;
	enum out_format format;
	bool color, quiet, verbose, terminal; /* terminal: standard output is one */
	int columns;                          /* of that terminal; 0: there is none */
	uint64_t seed;
	struct str server, token;
	const struct verb *verb;
	struct daemon *local; /* reads a state directory in place of a server; or NULL */
	bool out_over;        /* standard output takes no more: it failed, or its reader has gone */
	int out_code;         /* what that means for the exit code */
};

/* Bits of enum out_format. */
#define FORM(format) (1u << (format))
#define FORMS_TEXT   FORM(OUT_TABLE) /* words for people, and nothing else */
#define FORMS_NONE   FORM(31)        /* nothing goes to standard output */
/* What a pipe is given where -o is left out. */
enum piped { PIPED_JSON, PIPED_CSV, PIPED_TABLE };

struct verb {
	const char *name;    /* "incidents", "config check" */
	const char *usage;   /* "[ID]" */
	const char *summary; /* one sentence */
	const char *example;
	const struct option *options;
	int (*run)(struct cli *);
	unsigned forms; /* that -o may ask for; 0: each */
	enum piped piped;
	size_t arguments; /* words that it takes at most, besides options */
};

/* Every verb, ended by one without a name. A verb that does not work yet is not in it. */
extern const struct verb verbs[];
extern const struct option common_options[];

/* -o, or what this verb does without it. ERR_INVALID: what it can print. */
MUST_USE enum err cli_format(struct cli *c, const struct verb *v, struct why *why);
/* Prints "flyball: ..." to standard error and answers `code`. */
int cli_fail(const struct cli *c, int code, const char *fmt, ...) PRINTF(3, 4);
/* The exit code for what an operation answered. */
int cli_code(enum err e);
/* The whole file (or standard input for "-"), at most `max` bytes, into `a`. */
MUST_USE enum err cli_read(struct cli *c, struct arena *a, struct str path, size_t max, struct str *out,
                           struct why *why);

/* With --state DIR: opens what lies there, to be asked in place of a server. `roles` of daemon.h: ROLE_API, and
 * ROLE_VIEW for what the observer knew. */
MUST_USE int client_local(struct cli *c, unsigned roles);
/* One request to the daemon. `body` empty: GET, else POST. On success the answer is parsed into the
 * arena. Answers EXIT_DONE, or the exit code after having printed what is wrong. */
int client_get(struct cli *c, struct str path, const struct json **out);
int client_post(struct cli *c, struct str path, struct str body, const struct json **out);
