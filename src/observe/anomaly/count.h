/* Does it come more rarely, or more often, than it should? Counts of closed windows: requests
 * served, error lines.
 *
 * The square root of a Poisson count has a variance of about 1/4 at any level (Anscombe 1948), so
 * the season lives on that scale; what the variance is beyond 1/4 is learned and divides the
 * evidence. Alternatives for a drop: to 60 %, 30 %, 3 % of what is expected; for a surge (lines): to
 * x3, x8, x30 and at least 1, 3, 10 more a window. Guards, in count_judge: a drop to 60 % of at least 20
 * expected; a surge to x3 and 10 more. Pure. */
#pragma once

#include "observe/anomaly/duration.h"

enum count_side { COUNT_DROP, COUNT_SURGE };

struct count {
	struct evidence evidence;
	struct season season; /* of the square root of a window's count */
	double dispersion;    /* variance over Poisson's; 0: not known yet */
	double lately, lately_expected;
	int64_t last_ns;
};

/* One closed window: `n` came in [from, to). `expected` outside information of what should have come
 * (NaN: the season's own). */
void count_feed(struct count *c, const struct evidence_opts *o, enum count_side side, double n, int64_t from_ns,
                int64_t to_ns, int64_t received_ns, bool quiet);
struct verdict count_judge(const struct count *c, const struct evidence_opts *o, enum count_side side);
/* Expected count of a window at that time. A drop is one from what is usual then, too: the end of a rush is none. */
double count_expect(const struct count *c, enum count_side side, int64_t at_ns);
void count_adopt(struct count *c);
void count_save(const struct count *c, struct enc *out);
void count_load(struct count *c, struct dec *in);
