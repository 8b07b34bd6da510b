/* How many spans a sampled one stands for.
 *
 * OpenTelemetry's consistent probability sampling: the tracestate entry "ot" carries `th`, the
 * rejection threshold T of 56 bits in hex with trailing zeros left off; the span was kept because its
 * randomness R (the entry's `rv`, else the last 7 bytes of the trace id) is not below T. The weight
 * is 2^56 / (2^56 - T). Specification: "TraceState: Probability Sampling" and "TraceState Handling". */
#pragma once

#include "base/str.h"

enum sampling {
	SAMPLING_KNOWN,
	SAMPLING_UNKNOWN,      /* no threshold */
	SAMPLING_INCONSISTENT, /* R < T: the threshold is not what this span was kept by */
};

/* *weight: >= 1 when known, else 0. */
enum sampling sampling_weight(struct str tracestate, const unsigned char trace[16], double *weight);
