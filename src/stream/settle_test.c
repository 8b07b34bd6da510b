#include "stream/settle.h"

#include <math.h>

#include "base/test.h"

#define T0 (INT64_C(1767600000) * NS_PER_SEC)

static struct wall at_s(double s) {
	return (struct wall){ T0 + (int64_t)(s * 1e9) };
}

/* Whatever a sender does (restarts with or without a new start, sends twice, out of order), the
 * increments add up to what it counted while it was seen. */
TEST(increments_add_up_over_restarts, .seeds = 200) {
	struct settle s = { 0 };
	bool starts = rng_below(&t->rng, 2);
	double count = 0, counted = 0, sum = 0, start = 0, now = 0, unseen = 0;

	for (int i = 0; i < 200; i++) {
		now += rng_between(&t->rng, 5, 15);
		if (i > 0 && rng_below(&t->rng, 10) == 0) { /* a restart: what it counts from here on is new */
			start = now - rng_between(&t->rng, 0.5, 4);
			count = 0;
		}
		double more = (double)(1 + rng_below(&t->rng, 50));
		if (!starts && start > 0 && count == 0) more = 0; /* without a start a fall must show */
		count += more;
		if (i == 0) unseen = count;
		counted += more;
		struct wall from = starts ? at_s(start - 1000) : (struct wall){ 0 };
		if (starts && start > 0) from = at_s(start);
		struct settled got = settle_number(&s, SERIES_CUMULATIVE, from, at_s(now), count);
		EXPECT(got.result == (i ? SETTLE_INCREMENT : SETTLE_FIRST));
		if (got.result == SETTLE_INCREMENT) {
			EXPECT(got.value >= 0 && got.from.ns < got.to.ns);
			sum += got.value;
		}
		if (rng_below(&t->rng, 4) == 0) {
			got = settle_number(&s, SERIES_CUMULATIVE, from, at_s(now), count);
			EXPECT(got.result == SETTLE_DUPLICATE);
			got = settle_number(&s, SERIES_CUMULATIVE, from, at_s(now - 1), count - 1);
			EXPECT(got.result == SETTLE_OLD || got.result == SETTLE_BAD);
		}
	}
	EXPECT_NEAR(sum, counted - unseen, 1e-6);
}

TEST(a_first_cumulative_point_counts_only_from_a_recent_start) {
	struct settle young = { 0 }, old = { 0 }, unknown = { 0 };
	struct settled got = settle_number(&young, SERIES_CUMULATIVE, at_s(0), at_s(30), 12);
	EXPECT(got.result == SETTLE_INCREMENT && got.value == 12 && got.from.ns == at_s(0).ns);
	EXPECT(settle_number(&old, SERIES_CUMULATIVE, at_s(0), at_s(3000), 12).result == SETTLE_FIRST);
	EXPECT(settle_number(&unknown, SERIES_CUMULATIVE, (struct wall){ 0 }, at_s(30), 12).result == SETTLE_FIRST);
	got = settle_number(&old, SERIES_CUMULATIVE, at_s(0), at_s(3060), 15);
	EXPECT(got.result == SETTLE_INCREMENT && got.value == 3);
}

/* A start that moves although the process did not restart makes no count of its own. */
TEST(a_start_that_jitters_is_no_restart) {
	struct settle s = { 0 };
	settle_number(&s, SERIES_CUMULATIVE, at_s(-5000), at_s(0), 1000);
	struct settled got = settle_number(&s, SERIES_CUMULATIVE, at_s(-4000), at_s(10), 1010);
	EXPECT(got.result == SETTLE_INCREMENT && got.value == 10 && !got.reset);
}

TEST(deltas_may_come_out_of_order_but_count_once, .seeds = 100) {
	struct settle s = { 0 };
	double sum = 0;
	bool sent[64] = { false };
	for (int i = 0; i < 300; i++) {
		int k = (int)rng_below(&t->rng, 3) + i / 5; /* within the last four of the newest */
		struct settled got = settle_number(&s, SERIES_DELTA, at_s(k * 10), at_s(k * 10 + 10), 7);
		if (!sent[k]) EXPECT(got.result == SETTLE_INCREMENT || got.result == SETTLE_OLD);
		if (sent[k]) EXPECT(got.result == SETTLE_DUPLICATE || got.result == SETTLE_OLD);
		if (got.result == SETTLE_INCREMENT) {
			EXPECT(got.from.ns == at_s(k * 10).ns && got.to.ns == at_s(k * 10 + 10).ns);
			sum += got.value;
			sent[k] = true;
		}
	}
	int count = 0;
	for (int k = 0; k < 64; k++) count += sent[k];
	EXPECT_NEAR(sum, 7 * count, 1e-9);
}

TEST(levels_keep_the_newest) {
	struct settle s = { 0 };
	EXPECT(settle_number(&s, SERIES_UPDOWN, at_s(0), at_s(10), -3).result == SETTLE_LEVEL);
	EXPECT(settle_number(&s, SERIES_UPDOWN, at_s(0), at_s(5), 1).result == SETTLE_OLD);
	EXPECT(settle_number(&s, SERIES_GAUGE, at_s(0), at_s(20), NAN).result == SETTLE_BAD);
	EXPECT(settle_number(&s, SERIES_GAUGE, at_s(0), at_s(20), 4).value == 4);
}

TEST(a_histogram_settles_as_its_counts_do) {
	struct settle s = { 0 };
	uint64_t before[3] = { 0 }, now[3] = { 5, 3, 1 };
	double sum = 4.5;
	EXPECT(settle_histogram(&s, true, at_s(-9000), at_s(0), before, now, 3, &sum).result == SETTLE_FIRST);
	uint64_t next[3] = { 9, 3, 2 };
	sum = 6;
	struct settled got = settle_histogram(&s, true, at_s(-9000), at_s(10), before, next, 3, &sum);
	EXPECT(got.result == SETTLE_INCREMENT && next[0] == 4 && next[1] == 0 && next[2] == 1);
	EXPECT_NEAR(sum, 1.5, 1e-9);
	uint64_t fallen[3] = { 1, 0, 0 };
	sum = 0.1;
	got = settle_histogram(&s, true, at_s(-9000), at_s(20), before, fallen, 3, &sum);
	EXPECT(got.result == SETTLE_INCREMENT && got.reset && fallen[0] == 1 && fallen[2] == 0);
	EXPECT_NEAR(sum, 0.1, 1e-9);
}

RUN(increments_add_up_over_restarts, a_first_cumulative_point_counts_only_from_a_recent_start,
    a_start_that_jitters_is_no_restart, deltas_may_come_out_of_order_but_count_once, levels_keep_the_newest,
    a_histogram_settles_as_its_counts_do)
