/* A sequential test: evidence for a change adds up as it arrives, and is worth what it has proved
 * to be worth.
 *
 * Every increment is weighed by log-likelihood ratios (nats) of a few alternatives against normal;
 * each alternative has a CUSUM of them (Page 1954; Lorden 1971 shows that no test with that rate of
 * false alarms decides sooner in the worst case). Slots of event time keep the same sums for two
 * questions: when did it begin (the start that makes the sum greatest, the maximum-likelihood
 * estimate of a change-point), and when was it last out of band.
 *
 * The alarm boundary is not a sigma. It follows from the time that may pass between two false
 * alarms: an excursion of the CUSUM that passes 1 nat passes h with probability exp(-theta (h-1))
 * where increments are independent and the model is right (theta = 1), and with a smaller theta
 * where they are not. So the peaks of excursions in quiet times are counted and averaged (peaks over
 * a threshold, as extreme value theory does it; Siffer et al. 2017 stream it), theta and the
 * excursions' rate follow with a prior worth EVIDENCE_PRIOR excursions, and
 * h = 1 + ln(rate * budget) / theta, never below 1.15 of the highest quiet peak of late.
 * One increment alone moves a sum by at most EVIDENCE_ONE of h: two must agree.
 *
 * Pure: numbers in, numbers out. Times are event time unless said otherwise. */
#pragma once

#include "base/clock.h"
#include "base/codec.h"

#define ALTERNATIVES   3
#define EVIDENCE_SLOTS 64
#define EVIDENCE_PRIOR 25.0
#define EVIDENCE_ONE   0.75

struct cusum {
	double sum, peak;
	int64_t since_ns;     /* when it last left zero */
	int64_t delivered_ns; /* arrival of the increment that made it do so */
	/* Quiet excursions past 1 nat: how many, by how much, how high; they age. */
	double excursions, excess, highest;
};

struct evidence_slot {
	float seen;
	float llr[ALTERNATIVES];
};

struct evidence {
	struct cusum cusums[ALTERNATIVES];
	struct evidence_slot slots[EVIDENCE_SLOTS];
	int64_t newest;                  /* highest slot number */
	double quiet_s;                  /* time over which excursions were counted; ages with them */
	double fresh_s;                  /* of it, what has not aged yet */
	int64_t last_ns;                 /* arrival of the newest increment */
	double boundaries[ALTERNATIVES]; /* kept, since they change slowly; 0: not known */
};

struct increment {
	int64_t from_ns, to_ns;   /* event time covered */
	int64_t received_ns;      /* arrival */
	double seen;              /* size of the sample */
	double llr[ALTERNATIVES]; /* already discounted for samples that move together */
};

struct evidence_opts {
	int64_t slot_ns;
	double budget_s; /* mean time between two false alarms of this signal */
};

/* What comes in a quiet time is learned. What comes while evidence rises is held until it is known what became of
 * it: nothing, then it was chance and is learned like the rest (left out, the usual would seem better than it is,
 * and the next chance worse); trouble, then it is dropped. */
enum mood { MOOD_QUIET, MOOD_UNSETTLED, MOOD_TROUBLE };

/* `learn`: this is a quiet time; what happens now tells what chance does. */
void evidence_feed(struct evidence *e, const struct evidence_opts *o, const struct increment *i, bool learn);
/* Sum over boundary of the strongest alternative, *which (may be NULL). 1: the boundary. */
double evidence_score(const struct evidence *e, const struct evidence_opts *o, int *which);
double evidence_boundary(const struct evidence *e, const struct evidence_opts *o, int which); /* nats */
/* Estimated start of the change and its standard deviation; 0 when there is no evidence for one. */
int64_t evidence_onset(const struct evidence *e, const struct evidence_opts *o, int which, double *sd_s);
/* End of the newest slot at or after `from_ns` that speaks for the change; 0: none does. */
int64_t evidence_last_bad(const struct evidence *e, const struct evidence_opts *o, int which, int64_t from_ns);
/* What the slots from `from_ns` on say of the change, nats: well below zero they speak for normal. */
double evidence_since(const struct evidence *e, const struct evidence_opts *o, int which, int64_t from_ns);
/* The alternative that the slots from `from_ns` on speak for most. */
int evidence_strongest(const struct evidence *e, const struct evidence_opts *o, int64_t from_ns);
bool evidence_any(const struct evidence *e); /* some sum is above zero */
/* Forgets what is added up; what was learned of chance stays. */
void evidence_clear(struct evidence *e);
void evidence_save(const struct evidence *e, struct enc *out);
void evidence_load(struct evidence *e, struct dec *in);
