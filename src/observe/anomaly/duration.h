/* Are requests slower than they should be?
 *
 * The baseline is the distribution of durations over buckets (grid.h or a metric's own), two hours
 * of memory, moved by the season's expectation of the mean log. Alternatives: all requests x1.6, all
 * x3, a third of them x6 (one instance of three). Each bucket then has its log-likelihood ratio,
 * bounded, so that one odd request decides nothing. Requests of a moment move together: how unsure
 * the common wander is (stray.h) tells how many of them count as one (design effect 1 + (n - 1) rho,
 * Kish 1965).
 *
 * What came in the last minute or two waits in quarantine until it is known that nothing came of it (enum mood).
 * Until the baseline is known a rule serves: half of at least twenty requests take over five seconds, and those
 * before them, ten at least, did not.
 * Guards, in duration_judge: at the median or p90 x1.3 (more where whole windows stray: four of
 * their spreads), 2 ms, 8 requests. Pure. */
#pragma once

#include "observe/anomaly/evidence.h"
#include "observe/anomaly/season.h"
#include "observe/anomaly/stray.h"
#include "stream/grid.h"

#define DURATION_SHOWN      3
#define DURATION_READY_SEEN 200.0
#define DURATION_READY_S    120.0

struct duration {
	uint32_t bound_count;
	const float *bounds; /* the channel's, borrowed */
	float *memory;       /* one allocation for the arrays below, bound_count + 1 each */
	float *usual, *fresh, *held, *lately, *after, *llr[ALTERNATIVES];
	float *logs, *edges; /* logs of the buckets' middles and bounds; edges has one more */
	struct evidence evidence;
	struct season season;           /* of the mean log */
	struct stray stray;             /* of the mean log, around the season */
	double within;                  /* variance of the log of one request in its window */
	double usual_s;                 /* time learned from */
	double usual_q[DURATION_SHOWN]; /* median, p90, p99 of the distribution */
	double usual_log;               /* mean log of the distribution */
	double shift;                   /* of season and wander against it, in the tables */
	double window_seen, window_log, window_log2;
	int64_t window_ns, turned_ns, lately_ns, built_ns;
	int64_t after_ns; /* `after` holds what came of this time and later */
};

struct verdict {
	double score;           /* 1: the boundary; guards keep it below */
	double value, expected; /* what is shown to people; NaN: nothing to show */
	double low, high;
	int64_t onset_ns, delivered_ns;
	double onset_sd_s;
	int which; /* the alternative that is strongest */
	bool ready;
};

/* ERR_NOMEM. `bounds` outlive it. */
MUST_USE enum err duration_init(struct duration *d, const float *bounds, uint32_t bound_count);
void duration_done(struct duration *d);
/* One increment: `counts` has bound_count + 1 entries. */
void duration_feed(struct duration *d, const struct evidence_opts *o, const float *counts, int64_t from_ns,
                   int64_t to_ns, int64_t received_ns, enum mood mood);
/* Event time passes: windows are learned from, quarantine turns over. */
void duration_pass(struct duration *d, int64_t at_ns, enum mood mood);
struct verdict duration_judge(const struct duration *d, const struct evidence_opts *o);
/* Requests slower than this are examples of a slow one: the usual p99. NaN while not ready. */
double duration_slow(const struct duration *d);
/* Requests from `since_ns` on are looked at by themselves: whether it is well again must not be seen through what
 * `lately` still remembers of the fault. A later time begins anew; an earlier one changes nothing. */
void duration_mark(struct duration *d, int64_t since_ns);
/* Of those: how many, and the slower of median and p90 against the band (of few, the median alone). */
struct verdict duration_after(const struct duration *d, double *seen);
/* What is lately is usual from now on. */
void duration_adopt(struct duration *d);
void duration_save(const struct duration *d, struct enc *out);
/* Bounds must fit what was saved (ERR_CORRUPT). */
MUST_USE enum err duration_load(struct duration *d, struct dec *in);
