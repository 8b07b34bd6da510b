/* What people have today: alarms with static thresholds, 3 of 3 periods, on the telemetry as delivered.
 *
 * Each series is one signal of one service. Every `period_ns` it is looked at: a ratio (errors of requests,
 * seconds of requests) over what was delivered since the last look; a level (memory, pods ready) as last
 * delivered. Where nothing came since, the last value stands for two of the source's intervals, so that
 * a slow exporter costs the alarms delay, not blindness. Thresholds are the p99.9 of what was seen while
 * learning (p0.1 where low is bad). An alarm is raised by three breaches in a row and falls with the
 * first look that breaches no more. Pure; memory its own. */
#pragma once

#include "base/codec.h"
#include "base/str.h"

#define BASELINE_SERIES_MAX 512
#define BASELINE_BREACHES   3

struct baseline;

struct baseline *baseline_new(int64_t period_ns);
void baseline_free(struct baseline *b); /* takes NULL */
/* The number of a series, for the calls below; -1: too many. `low`: low is bad (pods ready). */
int baseline_series(struct baseline *b, struct str service, const char *signal, bool low, int64_t interval_ns);
/* Delivered now: `part` of `whole` (3 errors of 120 requests; 4.2 seconds of 120 requests). */
void baseline_ratio(struct baseline *b, int series, double part, double whole);
void baseline_level(struct baseline *b, int series, double value);

struct baseline_alarm {
	const char *service, *signal; /* until baseline_free */
	double value, threshold;
};
/* A look at every series, due each period: raised alarms go to `out` (at most `max`). While learning none is. */
size_t baseline_look(struct baseline *b, struct baseline_alarm *out, size_t max);
/* Ends the learning: thresholds from what was seen. A series seen fewer than 30 times has none. */
void baseline_learned(struct baseline *b);
/* Thresholds saved with a warmed world, and read back; ERR_CORRUPT. */
void baseline_save(const struct baseline *b, struct enc *e);
MUST_USE enum err baseline_load(struct baseline *b, struct dec *d);
