/* Customers: how many come, by the hour, the day of the week, by chance, and because they were told to. */
#include <math.h>

#include "sim/shop/impl.h"

#define NOISE_STEP_NS (30 * NS_PER_SEC)
#define NOISE_DECAY   0.95 /* of the noise from step to step: ten minutes or so */
#define BURST_MAX     20.0
#define BURST_RAMP_NS (20 * NS_PER_SEC)
#define MONDAY        3 /* 1970-01-01 was a Thursday: days since then, plus this, modulo 7 are 0 on Mondays */

/* ---- rhythms ---- */

static int64_t day_of(int64_t wall_ns) {
	return wall_ns / NS_PER_DAY;
}

static bool is_weekend(int64_t day) {
	return (day + MONDAY) % 7 >= 5;
}

/* Of a weekday's rate. From noon to noon it goes over evenly: people do not change at midnight. */
static double week(const struct shop *s, int64_t wall_ns) {
	double weekend = s->world->weekend > 0 ? s->world->weekend : 1;
	int64_t noon = wall_ns - NS_PER_DAY / 2;
	double before = is_weekend(day_of(noon)) ? weekend : 1, after = is_weekend(day_of(noon) + 1) ? weekend : 1;
	double share = (double)(noon % NS_PER_DAY) / (double)NS_PER_DAY;
	return before + (after - before) * share;
}

/* 0 outside, 1 inside, and a slope of `ramp` at both ends. */
static double plateau(int64_t since_ns, int64_t length_ns, int64_t ramp_ns) {
	if (since_ns < 0 || since_ns >= length_ns) return 0;
	int64_t near = since_ns < length_ns - since_ns ? since_ns : length_ns - since_ns;
	return near >= ramp_ns ? 1 : (double)near / (double)ramp_ns;
}

static double campaigns(const struct shop *s, int64_t wall_ns) {
	double factor = 1;
	for (size_t i = 0; i < s->world->campaign_count; i++) {
		const struct shop_campaign *c = &s->world->campaigns[i];
		int64_t first = (int64_t)(c->hour * 3600e9);
		for (int64_t back = 0; back <= 1; back++) { /* one that began yesterday may go on */
			int64_t day = day_of(wall_ns) - back;
			if (c->day && (day + MONDAY) % 7 != c->day - 1) continue;
			factor *= 1 + (c->factor - 1) * plateau(wall_ns - day * NS_PER_DAY - first, c->length_ns, c->ramp_ns);
		}
	}
	return factor;
}

static double bursts(const struct shop *s) {
	const struct shop_burst *b = &s->burst;
	return 1 + b->add * plateau(s->queue->now_ns - b->from_ns, b->until_ns - b->from_ns, BURST_RAMP_NS);
}

/* Requests a second now. */
double shop_rate_now(const struct shop *s) {
	int64_t wall = shop_wall(s, s->queue->now_ns);
	double hours = (double)(wall % NS_PER_DAY) / (3600.0 * (double)NS_PER_SEC);
	double day = 1 + s->world->daily * cos(2 * M_PI * (hours - s->world->peak_h) / 24);
	return s->world->rate * day * exp(s->noise) * s->rate_factor * week(s, wall) * campaigns(s, wall) * bursts(s);
}

static void customer_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	(void)arg;
	double rate = shop_rate_now(s);
	if (rate > 0) shop_customer(s);
	/* The rate moves slowly: over one gap between customers it stands still. */
	int64_t gap = rate > 0 ? (int64_t)(rng_exponential(&s->traffic_rng, 1 / rate) * 1e9) : NS_PER_SEC;
	sim_queue_in(s->queue, gap, customer_moment, s, 0);
}

/* ---- chance ---- */

/* Of variance 1: normal, or Student's t of so many degrees of freedom (a normal over the root of a chi-squared). */
static double noise_step(struct shop *s) {
	double df = s->world->noise_df, sum = 0, z = rng_normal(&s->traffic_rng);
	if (df <= 2) return z; /* a t of two or fewer has no variance */
	for (int i = 0; i < (int)df; i++) {
		double x = rng_normal(&s->traffic_rng);
		sum += x * x;
	}
	return z / sqrt(sum / (int)df) * sqrt(((int)df - 2.0) / (int)df);
}

/* An Ornstein-Uhlenbeck walk, sampled. */
static void noise_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	double sd = s->world->noise * sqrt(1 - NOISE_DECAY * NOISE_DECAY);
	(void)arg;
	s->noise = s->noise * NOISE_DECAY + sd * noise_step(s);
	sim_queue_in(s->queue, NOISE_STEP_NS, noise_moment, s, 0);
}

void shop_burst(struct shop *s, double factor, int64_t for_ns) {
	s->burst = (struct shop_burst){ factor - 1, s->queue->now_ns, s->queue->now_ns + for_ns };
	sim_trace_tell(s->o.trace, "customers: %.2g times as many for %.0f s", factor, (double)for_ns / 1e9);
}

static void burst_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	const struct shop_world *w = s->world;
	(void)arg;
	double times = pow(1 - rng_unit(&s->life_rng), -1 / w->burst_alpha);
	double length = rng_exponential(&s->life_rng, (double)w->burst_ns) + 2 * BURST_RAMP_NS;
	double add = w->burst_size * times;
	shop_burst(s, 1 + (add < BURST_MAX ? add : BURST_MAX), (int64_t)length);
	sim_queue_in(s->queue, shop_next_in_day(s, w->bursts_day), burst_moment, s, 0);
}

void shop_set_rate(struct shop *s, double factor) {
	s->rate_factor = factor;
}

void shop_traffic_start(struct shop *s, int64_t calm_ns) {
	sim_queue_in(s->queue, calm_ns, customer_moment, s, 0);
	sim_queue_in(s->queue, calm_ns, noise_moment, s, 0);
	if (s->world->bursts_day > 0)
		sim_queue_in(s->queue, calm_ns + shop_next_in_day(s, s->world->bursts_day), burst_moment, s, 0);
}
