#include "observe/rca/kind.h"

#include <math.h>

#define CHANGE_BEFORE_NS (900 * NS_PER_SEC) /* a rollout so long before the onset may be it */
#define CHANGE_AFTER_NS  (15 * NS_PER_SEC)  /* clocks and slots err */
#define CPU_BUSY         0.6                /* of the limit: where queues begin to form */
#define CPU_RATIO        1.3
#define REFUSED_MOST     0.5 /* of what fails */
#define REFUSED_MIN      3.0 /* requests */
#define OVERRUN          1.6 /* times as many calls */
#define OVERRUN_SD       4.0
#define DEMAND           1.25 /* times as many requests of those who call */
#define OVERRUN_MIN      20.0

const struct rca_change *kind_change(const struct rca_input *in, const struct rca_node *n) {
	if (n->change == RCA_NONE) return NULL;
	const struct rca_change *x = &in->changes[n->change];
	int64_t before_ns = in->onset_ns - x->at_ns;
	return before_ns <= CHANGE_BEFORE_NS && before_ns >= -CHANGE_AFTER_NS ? x : NULL;
}

enum blame_why kind_why(const struct blame *b) {
	int best = 0;
	for (int w = 1; w < BLAME_WHYS; w++)
		if (b->by[w] > b->by[best]) best = w;
	return (enum blame_why)best;
}

bool kind_cpu_busy(const struct rca_node *n) {
	return n->cpu.now > CPU_BUSY && n->cpu.now >= CPU_RATIO * n->cpu.usual;
}

bool kind_turned_away(const struct rca_node *n) {
	return n->refused >= REFUSED_MIN && n->refused > REFUSED_MOST * n->failed;
}

/* By more than chance makes of it (Poisson). */
static bool grown(const struct rca_pair *p, double times) {
	return p->now >= OVERRUN_MIN && p->now > times * p->usual && p->now - p->usual > OVERRUN_SD * sqrt(p->usual + 1);
}

bool kind_overrun(const struct rca_node *n) {
	return grown(&n->asked, OVERRUN);
}

bool kind_demand_grown(const struct rca_node *n) {
	const struct rca_signal *rate = &n->signals[SIGNAL_RATE];
	if (n->callers_asked.now > 0 || n->callers_asked.usual > 0) return grown(&n->callers_asked, DEMAND);
	return rate->on && rate->value > rate->expected;
}

static bool full(const struct rca_node *n, enum blame_why why) {
	if (kind_hinted(n, HINT_POOL) || kind_turned_away(n)) return true;
	bool slow = why == BLAME_TIME;
	return n->cpu_high || (slow && (kind_cpu_busy(n) || kind_overrun(n)));
}

static struct kind proved(enum cause_kind k) {
	return (struct kind){ .is = k, .proved = true };
}

/* How it shows is all that there is. */
static struct kind shown(const struct rca_node *n, enum blame_why why) {
	bool rate = n->signals[SIGNAL_RATE].on && !n->signals[SIGNAL_DURATION].on;
	switch (why) {
	case BLAME_TIME: return (struct kind){ rate ? CAUSE_UNKNOWN : CAUSE_LATENCY, false, n->cpu_due };
	case BLAME_FAILURES: return (struct kind){ CAUSE_ERRORS, false, n->lines_due };
	case BLAME_BETWEEN: return (struct kind){ .is = CAUSE_NETWORK };
	default: return (struct kind){ .is = CAUSE_CRASH };
	}
}

static struct kind of_service(const struct rca_input *in, const struct rca_node *n, enum blame_why why) {
	if (kind_change(in, n)) return proved(CAUSE_DEPLOYMENT);
	if (n->oom || n->signals[SIGNAL_MEMORY].on || n->memory_high) return proved(CAUSE_MEMORY);
	if (n->pods_down || n->pods_restarted || n->crash_loop) return proved(CAUSE_CRASH);
	if (kind_hinted(n, HINT_DISK)) return proved(CAUSE_DISK);
	return full(n, why) ? proved(CAUSE_SATURATION) : shown(n, why);
}

/* Of what sends no telemetry: what it answered, and what those who ask it say of that. */
static struct kind of_other(const struct rca_node *n, enum blame_why why) {
	if (why == BLAME_FAILURES && kind_hinted(n, HINT_DISK)) return proved(CAUSE_DISK);
	if (why == BLAME_FAILURES && kind_hinted(n, HINT_POOL)) return proved(CAUSE_SATURATION);
	return (struct kind){ .is = CAUSE_DEPENDENCY };
}

struct kind kind_of(const struct rca_input *in, const struct rca_node *n, const struct blame *b) {
	return n->kind == RCA_SERVICE ? of_service(in, n, kind_why(b)) : of_other(n, kind_why(b));
}
