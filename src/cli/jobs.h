/* `--jobs N`: this program again for each piece of work, N at a time, their lines brought together. */
#pragma once

#include "cli/cli.h"

#define JOBS_ARGUMENTS_MAX 24

struct jobs_work {
	size_t count; /* pieces of work */
	int64_t at_once;
	/* The piece's arguments, ended by NULL; they live in the run's arena. */
	void (*arguments)(void *self, size_t piece, const char *argv[JOBS_ARGUMENTS_MAX + 1]);
	/* One line of its standard output. */
	void (*line)(void *self, size_t piece, struct str line);
	void (*ended)(void *self, size_t done); /* how many are over; may be NULL */
	void *self;
};

/* The worst exit code of all; EXIT_UNREACHABLE when processes could not be started or were killed; it stops
 * early when the user interrupts. */
int jobs_run(struct cli *c, const struct jobs_work *w);

/* Progress on standard error, on a terminal alone: one line that is rewritten. */
struct progress {
	struct cli *cli;
	bool shown;
	int64_t began_ns, last_ns;
};
struct progress progress_begin(struct cli *c);
/* `share` of the work is done, 0..1. */
void progress_tell(struct progress *p, const char *what, double share);
void progress_end(struct progress *p);
/* True: the user wants it to end. Reads the clocks and the signals. */
bool cli_interrupted(struct cli *c);
