/* Worlds that Flyball has watched for some hours: made once, kept as files, resumed by every verb on the simulation. */
#pragma once

#include "cli/jobs.h"
#include "sim/sim.h"

/* Tells of progress, and ends where the user interrupts. */
struct run_watch cli_watch(struct progress *p);
/* Answers EXIT_DONE, or the exit code after having printed what is wrong. *out is run_image_done()'s. */
int cli_warm(struct cli *c, const struct shop_world *world, double rate, double hours, struct run_image *out);
/* Where they are kept: --cache, $XDG_CACHE_HOME/flyball, ~/.cache/flyball. */
const char *cli_warm_directory(struct cli *c);
/* What this program is: a world warmed by another one is another world. */
uint64_t cli_program(struct cli *c);
/* --NAME as a number from `least` to `most`, else `fallback`. EXIT_DONE, or the exit code as above. */
int cli_number(struct cli *c, const char *name, double fallback, double least, double most, double *out);
