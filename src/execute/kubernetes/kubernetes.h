/* The `kubernetes:` executor: plans, applies, settles and undoes on one API server.
 *
 * An operation is a row with a step; each answer of the API server moves it by one. An effect is read
 * first (our key on the object: done already), then dry-run, then written with the version just read
 * as precondition; when a status change moved that version it is read again, at most five times. */
#pragma once

#include "base/url.h"
#include "execute/execute.h"

MUST_USE enum err kubernetes_open(const struct executor_setup *s, const struct url *u, struct executor **out,
                                  struct why *why);
void kubernetes_metrics(const struct executor *e, struct metrics_out *m);
/* Ends every name of executor_ops of this kind: for the registry. */
extern const struct executor_ops kubernetes_ops;
