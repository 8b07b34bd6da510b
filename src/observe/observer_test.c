#include "observe/observer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "observe/test_shop.h"

#define T0   (INT64_C(1767600000) * NS_PER_SEC) /* 2026-01-05T08:00:00Z */
#define S(x) ((int64_t)((x)*1e9))

struct run {
	struct test_world w;
	struct shop shop;
	int64_t fault_ns;
};

/* A shop that has run quietly for `warm_s` seconds. */
static void run_begin(struct run *r, const struct t *t, double per_s, double warm_s) {
	test_world_init(&r->w, t, T0);
	r->w.verbose = getenv("VERBOSE") != NULL;
	shop_init(&r->shop, &r->w, per_s);
	shop_run(&r->shop, T0 + S(warm_s));
	r->fault_ns = T0 + S(warm_s) + S(rng_between(&r->shop.rng, 0, 5));
}

static void run_end(struct run *r) {
	shop_done(&r->shop);
	test_world_done(&r->w);
}

static const struct test_event *opened(const struct run *r) {
	return test_world_event(&r->w, "INCIDENT_OPENED", r->fault_ns, 0);
}

static struct str cause_of(const struct test_event *report, const char *field) {
	return json_str(json_get(json_at(json_get(report->json, "root_causes"), 0), field));
}

static const struct test_event *last_report(const struct run *r) {
	const struct test_event *last = NULL;
	for (uint32_t i = 0;; i++) {
		const struct test_event *e = test_world_event(&r->w, "RCA_REPORT", r->fault_ns, i);
		if (!e) return last;
		last = e;
	}
}

TEST(an_error_burst_is_found_named_and_ended, .seeds = 3) {
	struct run r;
	run_begin(&r, t, 60, 400);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 0);
	struct shop_service *pay = &r.shop.services[shop_find(&r.shop, "payment")];
	pay->fault_from_ns = r.fault_ns;
	pay->fail = 0.3;
	shop_run(&r.shop, r.fault_ns + S(40));
	const struct test_event *e = opened(&r), *c = last_report(&r);
	EXPECT(e && c);
	EXPECT(e->at_ns - r.fault_ns <= S(12));
	EXPECT(c->at_ns - e->at_ns <= S(5));
	EXPECT(str_is(cause_of(c, "entity"), "service/payment") && str_is(cause_of(c, "kind"), "errors"));
	pay->fail = 0;
	int64_t healed_ns = r.shop.at_ns;
	shop_run(&r.shop, healed_ns + S(40));
	const struct test_event *end = test_world_event(&r.w, "INCIDENT_RESOLVED", healed_ns, 0);
	EXPECT(end && end->at_ns - healed_ns <= S(25));
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 1);
	run_end(&r);
}

RUN(an_error_burst_is_found_named_and_ended)
