/* Which world a verb on the simulation is about: --world FILE, or the built-in shop. */
#pragma once

#include "cli/cli.h"
#include "sim/shop/world.h"

/* Lies in the run's arena. Answers EXIT_DONE, or the exit code after having printed what is wrong. */
int cli_world(struct cli *c, struct shop_world *out);
/* The usual rate of a verb, or the world's own where that is less. */
double cli_world_rate(const struct cli *c, const struct shop_world *w, double usual);
/* What else to give to the same program, so that it means the same world: --world VALUE, or nothing. */
size_t cli_world_arguments(struct cli *c, const char **argv);

int verb_experiment_world(struct cli *c);
