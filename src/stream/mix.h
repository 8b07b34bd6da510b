/* What is asked, and how that changes: operations of one channel, each with its usual share and the one of late.
 *
 * Durations are judged against the distribution of all requests of a channel. A job that asks one slow operation moves
 * that distribution, and nothing is slower. So a request of an operation that is asked for far more than usual counts
 * for as much as its operation usually would (importance weights, capped at 1: nothing is ever counted up), and what is
 * asked for seldom is judged by what it usually is of the whole.
 *
 * Operations are names with few values: of spans, routes, statements' kinds. Where they are not (an address with a
 * number in it), the table is full and a new name takes the place, and the shares, of the rarest (space-saving,
 * Metwally et al. 2005): then all weigh about 1, as without this. What is asked for mostly (half of the requests of
 * late are none of the usual) is not held to be strange for long: it gets usual within minutes, else within an hour or
 * two. Pure. */
#pragma once

#include "base/clock.h"
#include "base/codec.h"

#define MIX_OPERATIONS 32

struct mix {
	uint32_t count;
	struct operation {
		uint64_t name; /* hash */
		double usual;  /* requests; a float would lose single ones among tens of millions */
		float lately;
	} operations[MIX_OPERATIONS];
	double usual; /* of all */
	float lately;
	float strange;   /* share of late that did not count */
	bool hurries;    /* most was strange: what is asked becomes usual quickly */
	int64_t aged_ns; /* arrival, to which both are aged */
};

/* One request (or `n` at once) came: what each of them counts for, in 0..1. `lately_s`: mean memory of what is lately,
 * so long that all who tell have told. */
double mix_weigh(struct mix *m, uint64_t name, double n, double lately_s, int64_t now_ns);
void mix_save(const struct mix *m, struct enc *out);
void mix_load(struct mix *m, struct dec *in); /* makes sense of anything */
