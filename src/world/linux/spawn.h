/* This program again, in processes of its own: how `--jobs N` of the command line uses several cores.
 *
 * A child runs the same file with other arguments; its standard output comes back line by line, its
 * standard error is ours. Waiting, unlike the ports: for verbs of the command line, never for a loop.
 * Bounded: SPAWN_CHILDREN_MAX at once, a line of at most SPAWN_LINE_MAX bytes. Thread: the caller's. */
#pragma once

#include "base/str.h"

#define SPAWN_CHILDREN_MAX 64
#define SPAWN_LINE_MAX     (1024 * 1024)

struct spawn;

enum spawn_kind {
	SPAWN_QUIET, /* nothing came in time */
	SPAWN_LINE,  /* of `child` */
	SPAWN_ENDED, /* `child` is over, after its last line; its number may be given again */
	SPAWN_NONE,  /* no child runs */
};
struct spawn_event {
	enum spawn_kind kind;
	size_t child;
	struct str line; /* without the newline; until the next call */
	int status;      /* ENDED: the exit code; 128 + N: ended by signal N, or -1: a line was too long */
};

MUST_USE enum err spawn_open(struct spawn **out);
/* Arguments without the program's name, ended by NULL. ERR_FULL: too many run; ERR_IO. */
MUST_USE enum err spawn_start(struct spawn *s, const char *const *arguments, size_t *child, struct why *why);
/* Waits for at most `timeout_ms`. */
struct spawn_event spawn_next(struct spawn *s, int timeout_ms);
/* Ends what still runs (SIGTERM) and waits for it; takes NULL. */
void spawn_close(struct spawn *s);
