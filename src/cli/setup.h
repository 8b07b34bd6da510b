/* From a configuration file and a state directory to a running daemon. */
#pragma once

#include "cli/cli.h"
#include "daemon/daemon.h"

/* --config, or the first of the usual places that is there; p NULL: none. */
struct str setup_path(struct cli *c);
/* Reads it (nothing: every default) into *out, all of it in `a`. */
MUST_USE enum err setup_read(struct cli *c, struct arena *a, struct str path, struct config *out, struct why *why);
/* Both, in the run's arena. */
MUST_USE enum err setup_config(struct cli *c, struct config *out, struct why *why);
/* --state, or the usual place; made when it is not there; the URLs of state and bus point into it
 * unless the configuration names others. ERR_READONLY, ERR_DENIED: the directory, and what to do. */
MUST_USE enum err setup_state(struct cli *c, struct arena *a, struct config *out, struct why *why);
