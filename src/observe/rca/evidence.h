/* Of a cause: its kind (kind.h), and the sentences that a person can check. Pure. */
#pragma once

#include "observe/rca/blame.h"

/* Fills kind, metric, onset, part, change and evidence of `c`, whose node, confidence and via stand. */
void evidence_write(struct arena *a, const struct rca_input *in, const struct blame *b, struct rca_cause *c);
