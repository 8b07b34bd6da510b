/* Ordinary interruptions, as the driver lives them: none of them is an incident. */
#include <math.h>
#include <string.h>

#include "observe/test_shop.h"

#define T0   (INT64_C(1767600000) * NS_PER_SEC) /* 2026-01-05T08:00:00Z */
#define S(x) ((int64_t)((x)*1e9))

struct run {
	struct test_world w;
	struct shop shop;
};

static void run_begin(struct run *r, const struct t *t, double per_s, bool metrics_only) {
	test_world_init(&r->w, t, T0);
	shop_init(&r->shop, &r->w, per_s);
	r->shop.drift = 0.05;
	r->shop.request_metrics = true;
	if (metrics_only) {
		r->shop.spans_every_ns = 0;
		for (int i = 0; i < r->shop.count; i++)
			for (int k = 0; k < SHOP_PODS; k++) r->shop.pods[i][k].next_spans_ns = INT64_MAX;
	}
	shop_run(&r->shop, T0 + S(420));
}

static void pass(struct run *r, double seconds) {
	shop_run(&r->shop, r->shop.at_ns + S(seconds));
}

/* Nothing was opened, and a fault is found as before. */
static void calm(struct run *r, const struct t *t, double detect_s) {
	EXPECT(test_world_count(&r->w, "INCIDENT_OPENED", 0) == 0);
	int64_t fault_ns = r->shop.at_ns;
	struct shop_service *x = &r->shop.services[shop_find(&r->shop, "payment")];
	x->fault_from_ns = fault_ns;
	x->fail = 0.4;
	pass(r, detect_s);
	const struct test_event *e = test_world_event(&r->w, "INCIDENT_OPENED", 0, 0);
	EXPECT(e);
	shop_done(&r->shop);
	test_world_done(&r->w);
}

static void mute_all(struct run *r, bool mute) {
	for (int i = 0; i < r->shop.count; i++) r->shop.services[i].mute = mute;
}

/* The collector is away for a while: what was not told is not a drop, and what is told again is no surge. */
TEST(a_gap_in_telemetry_is_no_incident, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 20, t->seed % 2);
	mute_all(&r, true);
	pass(&r, 30 + 400 * rng_unit(&t->rng));
	mute_all(&r, false);
	pass(&r, 180);
	calm(&r, t, 40);
}

/* Stopped for a while, in good order or not, while the world went on. */
TEST(a_restart_is_no_incident, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 20, t->seed % 2);
	if (t->seed > 2) test_world_flush(&r.w);
	test_world_crash(&r.w);
	int64_t away_ns = S(20 + 600 * rng_unit(&t->rng));
	fake_clock_advance(&r.w.clock, away_ns);
	shop_skip(&r.shop, r.w.clock.wall.ns);
	test_world_start(&r.w);
	pass(&r, 420);
	calm(&r, t, 40);
}

/* Told by its orchestrator, not called any more, and back later with cold copies. */
TEST(scaling_to_zero_and_back_is_no_incident, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 20, t->seed % 2);
	int email = shop_find(&r.shop, "email");
	struct shop_service *checkout = &r.shop.services[shop_find(&r.shop, "checkout")];
	for (int k = 0; k < r.shop.services[email].pods; k++) shop_tell_pod(&r.shop, email, k, true, false, NULL);
	pass(&r, 30);
	checkout->call_count--; /* email is its last */
	for (int k = 0; k < r.shop.services[email].pods; k++) shop_tell_pod(&r.shop, email, k, false, true, NULL);
	r.shop.services[email].mute = true;
	pass(&r, 60 + 900 * rng_unit(&t->rng));
	shop_replace(&r.shop, email);
	r.shop.services[email].mute = false;
	checkout->call_count++;
	pass(&r, 180);
	calm(&r, t, 40);
}

/* A rush of requests that ends as it came: fewer than just before, but not fewer than usual. */
TEST(a_campaign_that_ends_is_no_incident, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 15, t->seed % 2);
	pass(&r, 1200);
	r.shop.per_s *= 6;
	pass(&r, 300);
	r.shop.per_s /= 6;
	pass(&r, 180);
	calm(&r, t, 40);
}

/* A service that was told of by many and is asked by nobody any more is well, whoever counts its requests. */
TEST(who_is_not_asked_any_more_is_well, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 30, false);
	struct shop_service *checkout = &r.shop.services[shop_find(&r.shop, "checkout")];
	pass(&r, 400);
	checkout->call_count--;
	pass(&r, 500);
	checkout->call_count++;
	pass(&r, 120);
	calm(&r, t, 40);
}

/* Every counter begins anew, with or without saying so, one copy after the other or all at once. */
TEST(counters_that_begin_anew_are_no_incident, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 20, true);
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < r.shop.count; i++) {
			for (int k = 0; k < r.shop.services[i].pods; k++) {
				struct shop_pod *p = &r.shop.pods[i][k];
				memset(p->hist, 0, sizeof p->hist), memset(p->hist_bad, 0, sizeof p->hist_bad);
				p->sum = p->sum_bad = 0;
				if (t->seed % 2) p->hist_start_ns = r.shop.at_ns;
			}
			if (turn == 1) pass(&r, 5);
		}
		pass(&r, 90);
	}
	calm(&r, t, 40);
}

/* A job asks a thing of its own, many times as slow as what customers ask: the others are as quick as before. It asks
 * less than they do: of a service that does little else, nobody could say what is usual. */
TEST(a_job_is_no_incident, .seeds = 6) {
	struct run r;
	run_begin(&r, t, 10 + 20 * rng_unit(&t->rng), false);
	pass(&r, 300);
	r.shop.job = shop_find(&r.shop, t->seed % 2 ? "catalog" : "payment");
	r.shop.job_ms = 40 + 200 * rng_unit(&t->rng);
	r.shop.job_per_s = (0.05 + 0.25 * rng_unit(&t->rng)) * r.shop.per_s; /* payment is asked by two in five */
	pass(&r, 300);
	r.shop.job_per_s = 0;
	pass(&r, 120);
	calm(&r, t, 40);
}

/* Somebody asks now and then: how long nobody does is chance, and no telemetry is stale for it. */
TEST(rare_requests_are_not_stale, .seeds = 6) {
	struct run r;
	run_begin(&r, t, 0.02 + 0.05 * rng_unit(&t->rng), false);
	pass(&r, 7200); /* it is known by then how rare */
	int64_t from_ns = r.shop.at_ns;
	pass(&r, 14400);
	EXPECT(test_world_count(&r.w, "DATA_STALE", from_ns) == 0);
	shop_done(&r.shop);
	test_world_done(&r.w);
}

RUN(a_job_is_no_incident, rare_requests_are_not_stale, a_gap_in_telemetry_is_no_incident, a_restart_is_no_incident,
    scaling_to_zero_and_back_is_no_incident, a_campaign_that_ends_is_no_incident, who_is_not_asked_any_more_is_well,
    counters_that_begin_anew_are_no_incident)
