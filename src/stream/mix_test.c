#include "stream/mix.h"

#include <math.h>

#include "base/test.h"

#define S(x) ((int64_t)((x)*1e9))

/* A service that is asked a few things, each in a share of its own. */
struct service {
	struct mix mix;
	uint64_t names[8];
	double shares[8], per_s;
	int count;
	int64_t now_ns;
};

static void service_draw(struct service *s, struct rng *rng) {
	*s = (struct service){ .count = 1 + (int)rng_below(rng, 8), .now_ns = S(1e9) };
	s->per_s = exp(rng_between(rng, log(2), log(200)));
	for (int i = 0; i < s->count; i++) s->names[i] = rng_next(rng), s->shares[i] = 0.05 + rng_unit(rng);
}

static int draw(const struct service *s, struct rng *rng) {
	double sum = 0;
	for (int i = 0; i < s->count; i++) sum += s->shares[i];
	double at = rng_unit(rng) * sum;
	int i = 0;
	while (i < s->count - 1 && (at -= s->shares[i]) > 0) i++;
	return i;
}

/* Mean weight of what is asked in `seconds`, of the job (`per_s` a second beside the rest) in `job`. */
static double live(struct service *s, struct rng *rng, double seconds, uint64_t name, double per_s, double *job) {
	double sum = 0, n = 0, jobs = 0, job_sum = 0, rate = s->per_s + per_s;
	int64_t until_ns = s->now_ns + S(seconds);
	while (s->now_ns < until_ns) {
		s->now_ns += S(rng_exponential(rng, 1 / rate));
		bool of_job = rng_unit(rng) * rate < per_s;
		double w = mix_weigh(&s->mix, of_job ? name : s->names[draw(s, rng)], 1, 20, s->now_ns);
		if (of_job)
			jobs++, job_sum += w;
		else
			n++, sum += w;
	}
	if (job) *job = jobs > 0 ? job_sum / jobs : 0;
	return n > 0 ? sum / n : 1;
}

TEST(what_is_usual_counts_whole, .seeds = 40) {
	struct service s;
	service_draw(&s, &t->rng);
	live(&s, &t->rng, 300, 0, 0, NULL);
	EXPECT(live(&s, &t->rng, 300, 0, 0, NULL) > 0.97);
}

/* However often it asks: it counts for next to nothing, and takes nothing from the others. */
TEST(a_job_that_asks_one_thing_moves_nothing, .seeds = 40) {
	struct service s;
	service_draw(&s, &t->rng);
	live(&s, &t->rng, 1800, 0, 0, NULL);
	double job, rest = live(&s, &t->rng, 240, rng_next(&t->rng), s.per_s * (0.1 + 0.7 * rng_unit(&t->rng)), &job);
	EXPECT(job < 0.35 && rest > 0.95);
}

/* Twice the requests in the same shares are no other mix. */
TEST(more_of_everything_counts_whole, .seeds = 20) {
	struct service s;
	service_draw(&s, &t->rng);
	live(&s, &t->rng, 600, 0, 0, NULL);
	s.per_s *= 5;
	EXPECT(live(&s, &t->rng, 120, 0, 0, NULL) > 0.95);
}

/* A new version gives all its routes other names: it is not overlooked for long. */
TEST(when_everything_is_new_it_gets_usual_in_minutes, .seeds = 20) {
	struct service s;
	service_draw(&s, &t->rng);
	live(&s, &t->rng, 3600, 0, 0, NULL);
	for (int i = 0; i < s.count; i++) s.names[i] = rng_next(&t->rng);
	live(&s, &t->rng, 300, 0, 0, NULL);
	EXPECT(live(&s, &t->rng, 60, 0, 0, NULL) > 0.9);
}

/* Names that hold numbers: no operation is like another, so none is stranger than the rest. */
TEST(names_without_end_count_as_without_names, .seeds = 10) {
	struct mix m = { 0 };
	double sum = 0;
	int64_t now_ns = S(1e9);
	for (int i = 0; i < 20000; i++) {
		now_ns += S(rng_exponential(&t->rng, 0.02));
		double w = mix_weigh(&m, rng_next(&t->rng), 1, 20, now_ns);
		if (i >= 10000) sum += w;
	}
	EXPECT(m.count == MIX_OPERATIONS && sum / 10000 > 0.8);
}

/* Thousands a second for hours: sums are large, and one request more is still one more. */
TEST(a_busy_channel_keeps_its_shares) {
	struct mix m = { 0 };
	int64_t now_ns = S(1e9);
	double w = 1;
	for (int k = 0; k < 40000; k++, now_ns += S(0.5)) {
		mix_weigh(&m, 1, 4990, 20, now_ns);
		for (int i = 0; i < 10; i++) w = fmin(mix_weigh(&m, 2, 1, 20, now_ns), w);
	}
	EXPECT(w > 0.99 && fabs(m.operations[1].usual / m.usual - 0.002) < 0.0001);
}

TEST(what_is_saved_weighs_the_same, .seeds = 10) {
	struct service s;
	struct mix m;
	struct buf b;
	struct dec d;
	service_draw(&s, &t->rng);
	live(&s, &t->rng, 100, 0, 0, NULL);
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "TEST", 1);
	mix_save(&s.mix, &e);
	enc_end(&e);
	EXPECT_OK(dec_begin(&d, buf_get(&b), "TEST", 1, NULL, NULL));
	mix_load(&m, &d);
	EXPECT_OK(dec_end(&d));
	for (int i = 0; i < 100; i++) {
		uint64_t name = s.names[draw(&s, &t->rng)];
		double x = mix_weigh(&m, name, 1, 20, s.now_ns), y = mix_weigh(&s.mix, name, 1, 20, s.now_ns);
		EXPECT(x == y);
	}
	buf_done(&b);
}

RUN(what_is_usual_counts_whole, a_job_that_asks_one_thing_moves_nothing, more_of_everything_counts_whole,
    when_everything_is_new_it_gets_usual_in_minutes, names_without_end_count_as_without_names,
    a_busy_channel_keeps_its_shares, what_is_saved_weighs_the_same)
