/* Where a program's CPU time goes, by folder of its source: a look at the stack every few milliseconds of CPU time
 * (SIGPROF), resolved afterwards by addr2line from the program's own debug information. What runs inside a library
 * counts for the code that called it. For benchmarks alone: it owns the signal and is one for the process. */
#pragma once

#include <stddef.h>

void sampler_start(void);
void sampler_stop(void);
/* The share, 0..1, of the samples since sampler_start whose source lies in `folder` ("src/sim/"); negative: it could
 * not be told (no addr2line, no debug information, no samples). *samples: how many there were. */
double sampler_share(const char *folder, size_t *samples);
