/* Do more requests fail than should?
 *
 * Failures are counted against a learned share (six hours of memory, a prior of one in four hundred
 * worth 600 requests). Alternatives: 1.5, 6 and 30 points more (or twice, five and twenty
 * times, if that is more), each a Bernoulli log-likelihood ratio. The usual share is itself an estimate, of few
 * failures where few requests come: what is usual is taken as it would be predicted after what has come since the
 * evidence began (Beta-binomial predictive; Dawid 1984), so that each further failure surprises less. Failures that
 * come in clusters count by their design effect, 1 + (n - 1) rho, rho from the windows' variance beyond the binomial
 * (moments of the beta-binomial, Griffiths 1973). Quarantine as with durations.
 * Until the share is known a rule serves: a fifth of what came lately failed, ten at least.
 * Guards, in share_judge: half a point more than usual, twice the usual, 4 failures. Pure. */
#pragma once

#include "observe/anomaly/duration.h"

struct share {
	struct evidence evidence;
	double usual_bad, usual_seen; /* aged */
	double fresh_bad, fresh_seen, held_bad, held_seen;
	double lately_bad, lately_seen;
	double since_bad, since_seen; /* since there is evidence */
	double excess, room;          /* of the variance of windows: rho is their quotient */
	double window_bad, window_seen;
	double usual_s;
	int64_t window_ns, turned_ns, lately_ns;
};

void share_feed(struct share *s, const struct evidence_opts *o, double seen, double bad, int64_t from_ns, int64_t to_ns,
                int64_t received_ns, enum mood mood);
void share_pass(struct share *s, int64_t at_ns, enum mood mood);
struct verdict share_judge(const struct share *s, const struct evidence_opts *o);
double share_usual(const struct share *s);
/* The share of failures that speaks neither for the usual nor for that alternative: above, it is as it was. */
double share_turn(const struct share *s, int which);
void share_adopt(struct share *s);
void share_save(const struct share *s, struct enc *out);
void share_load(struct share *s, struct dec *in);
