/* Kubernetes' quantities ("250m", "1.5", "64Mi"; apimachinery's api/resource), in thousandths.
 *
 * Pure. The controllers reckon in thousandths (MilliValue), so these do too. */
#pragma once

#include "base/str.h"

/* Thousandths, rounded up as MilliValue does; `fallback`: not a quantity, or too large for int64_t. */
int64_t sim_kube_milli(struct str text, int64_t fallback);
/* The canonical text: decimal ("150m", "2", "3k"), or binary ("64Mi") where it is a whole number of
 * 1024s: what is not comes back decimal from the API server, whatever it was written as. `out`: 32 bytes. */
void sim_kube_quantity(int64_t milli, bool binary, char out[32]);
