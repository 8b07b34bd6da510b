#include "observe/rca/kind.h"

#include <math.h>

#include "base/test.h"

#define T0 (INT64_C(1767600000) * NS_PER_SEC)

/* Somebody who is blamed, and of whom nothing is told. */
static struct rca_node node_of(enum rca_entity kind) {
	return (struct rca_node){ .kind = kind, .change = RCA_NONE, .cpu = { NAN, NAN }, .cpu_share = NAN };
}

static struct kind ask(const struct rca_node *n, enum blame_why why) {
	struct rca_input in = { .nodes = n, .node_count = 1, .onset_ns = T0 };
	struct blame b = { .via = RCA_NONE };
	b.by[why] = 1;
	return kind_of(&in, n, &b);
}

TEST(without_a_word_it_is_what_it_looks_like) {
	static const enum cause_kind looks[BLAME_WHYS] = { CAUSE_LATENCY, CAUSE_ERRORS, CAUSE_NETWORK, CAUSE_CRASH };
	struct rca_node n = node_of(RCA_SERVICE), db = node_of(RCA_DATABASE);
	for (int w = 0; w < BLAME_WHYS; w++) {
		struct kind k = ask(&n, (enum blame_why)w);
		EXPECT(k.is == looks[w] && !k.proved && !k.awaiting);
		EXPECT(ask(&db, (enum blame_why)w).is == CAUSE_DEPENDENCY);
	}
}

/* A CPU that is busy, and was not: drawn on both sides of where queues form. */
TEST(a_busy_cpu_makes_slowness_saturation, .seeds = 200) {
	struct rca_node n = node_of(RCA_SERVICE);
	n.cpu = (struct rca_pair){ .usual = rng_unit(&t->rng), .now = 1.1 * rng_unit(&t->rng) };
	bool busy = n.cpu.now > 0.6 && n.cpu.now >= 1.3 * n.cpu.usual;
	struct kind k = ask(&n, BLAME_TIME);
	EXPECT(k.is == (busy ? CAUSE_SATURATION : CAUSE_LATENCY) && k.proved == busy);
	EXPECT(ask(&n, BLAME_FAILURES).is == CAUSE_ERRORS); /* failures of its own do not come of that */
}

TEST(what_may_yet_be_told_is_waited_for) {
	struct rca_node n = node_of(RCA_SERVICE);
	n.cpu_due = true;
	EXPECT(ask(&n, BLAME_TIME).awaiting && !ask(&n, BLAME_FAILURES).awaiting);
	n.cpu_due = false, n.lines_due = true;
	EXPECT(!ask(&n, BLAME_TIME).awaiting && ask(&n, BLAME_FAILURES).awaiting);
	n.hints = 1u << HINT_POOL;
	EXPECT(!ask(&n, BLAME_FAILURES).awaiting); /* it is proved: nothing to wait for */
}

/* Asked as often as chance would have it: no storm. Several times as often: one, if it is slow. */
TEST(more_calls_than_chance_brings_overrun_it, .seeds = 300) {
	struct rca_node n = node_of(RCA_SERVICE);
	double expected = exp(rng_between(&t->rng, log(2), log(2000)));
	n.asked = (struct rca_pair){ expected, fmax(0, expected + 2.5 * sqrt(expected) * (2 * rng_unit(&t->rng) - 1)) };
	EXPECT(ask(&n, BLAME_TIME).is == CAUSE_LATENCY);
	n.asked.now = expected * (3 + 10 * rng_unit(&t->rng)) + 20;
	EXPECT(ask(&n, BLAME_TIME).is == CAUSE_SATURATION);
	EXPECT(ask(&n, BLAME_FAILURES).is == CAUSE_ERRORS); /* who fails at once is asked again, too */
	EXPECT(ask(&n, BLAME_UNREACHABLE).is == CAUSE_CRASH);
}

/* Callers that fail ask again: what they are asked tells whether more is wanted. */
TEST(calls_alone_are_no_demand, .seeds = 200) {
	struct rca_node n = node_of(RCA_SERVICE);
	double usual = exp(rng_between(&t->rng, log(50), log(5000)));
	n.asked = (struct rca_pair){ usual, usual * rng_between(&t->rng, 2, 5) };
	n.callers_asked = (struct rca_pair){ usual, fmax(0, usual + 3 * sqrt(usual) * (2 * rng_unit(&t->rng) - 1)) };
	EXPECT(kind_overrun(&n) && !kind_demand_grown(&n));
	n.callers_asked.now = 2 * usual + 20;
	EXPECT(kind_demand_grown(&n));
}

TEST(who_has_no_callers_is_judged_by_its_own_rate) {
	struct rca_node n = node_of(RCA_SERVICE);
	n.signals[SIGNAL_RATE] = (struct rca_signal){ .on = true, .value = 90, .expected = 40 };
	EXPECT(kind_demand_grown(&n));
	n.signals[SIGNAL_RATE].value = 10;
	EXPECT(!kind_demand_grown(&n));
	n.signals[SIGNAL_RATE] = (struct rca_signal){ .on = false, .value = 90, .expected = 40 };
	EXPECT(!kind_demand_grown(&n));
}

TEST(who_turns_requests_away_has_no_room, .seeds = 100) {
	struct rca_node n = node_of(RCA_SERVICE);
	n.failed = 5 + (double)rng_below(&t->rng, 500);
	n.refused = floor(rng_unit(&t->rng) * n.failed);
	bool away = n.refused >= 3 && n.refused > 0.5 * n.failed;
	EXPECT(ask(&n, BLAME_FAILURES).is == (away ? CAUSE_SATURATION : CAUSE_ERRORS));
}

TEST(a_databases_own_words_give_its_kind) {
	struct rca_node db = node_of(RCA_DATABASE);
	db.hints = 1u << HINT_DISK;
	EXPECT(ask(&db, BLAME_FAILURES).is == CAUSE_DISK && ask(&db, BLAME_FAILURES).proved);
	EXPECT(ask(&db, BLAME_TIME).is == CAUSE_DEPENDENCY); /* slow for another reason */
	db.hints = 1u << HINT_POOL;
	EXPECT(ask(&db, BLAME_FAILURES).is == CAUSE_SATURATION);
	db.hints = 1u << HINT_TIMEOUT | 1u << HINT_REFUSED;
	EXPECT(ask(&db, BLAME_FAILURES).is == CAUSE_DEPENDENCY);
}

/* What happened there comes before what its gauges show of it. */
TEST(a_rollout_memory_and_pods_come_first) {
	struct rca_node n = node_of(RCA_SERVICE);
	struct rca_change x = { .node = 0, .at_ns = T0 - 30 * NS_PER_SEC };
	struct rca_input in = { .nodes = &n, .node_count = 1, .changes = &x, .change_count = 1, .onset_ns = T0 };
	struct blame b = { .via = RCA_NONE, .by = { [BLAME_TIME] = 1 } };
	n.cpu = (struct rca_pair){ 0.1, 1 };
	n.hints = 1u << HINT_POOL;
	EXPECT(ask(&n, BLAME_TIME).is == CAUSE_SATURATION);
	n.pods_down = 1;
	EXPECT(ask(&n, BLAME_TIME).is == CAUSE_CRASH);
	n.oom = true;
	EXPECT(ask(&n, BLAME_TIME).is == CAUSE_MEMORY);
	n.change = 0;
	EXPECT(kind_of(&in, &n, &b).is == CAUSE_DEPLOYMENT);
}

RUN(without_a_word_it_is_what_it_looks_like, a_busy_cpu_makes_slowness_saturation, what_may_yet_be_told_is_waited_for,
    more_calls_than_chance_brings_overrun_it, calls_alone_are_no_demand, who_has_no_callers_is_judged_by_its_own_rate,
    who_turns_requests_away_has_no_room, a_databases_own_words_give_its_kind, a_rollout_memory_and_pods_come_first)
