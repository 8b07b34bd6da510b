#include "observe/observer.h"

#include <math.h>
#include <string.h>

#include "observe/test_shop.h"

#define T0   (INT64_C(1767600000) * NS_PER_SEC) /* 2026-01-05T08:00:00Z */
#define S(x) ((int64_t)((x)*1e9))
#define WARM 330.0

struct run {
	struct test_world w;
	struct shop shop;
	int64_t fault_ns;
};

/* A shop at `per_s` requests a second that has run quietly for a while. */
static void run_begin(struct run *r, const struct t *t, double per_s) {
	test_world_init(&r->w, t, T0);
	shop_init(&r->shop, &r->w, per_s);
	r->shop.drift = 0.05;
	shop_run(&r->shop, T0 + S(WARM));
	r->fault_ns = r->shop.at_ns + rng_below(&r->shop.rng, 20) * 250 * NS_PER_MS;
	shop_run(&r->shop, r->fault_ns);
	EXPECT(test_world_count(&r->w, "INCIDENT_OPENED", 0) == 0);
}

static void run_end(struct run *r) {
	shop_done(&r->shop);
	test_world_done(&r->w);
}

static struct shop_service *faulty(struct run *r, const char *name) {
	struct shop_service *x = &r->shop.services[shop_find(&r->shop, name)];
	x->fault_from_ns = r->fault_ns;
	return x;
}

static void pass(struct run *r, double seconds) {
	shop_run(&r->shop, r->shop.at_ns + S(seconds));
}

static const struct test_event *event(const struct run *r, const char *type) {
	return test_world_event(&r->w, type, r->fault_ns, 0);
}

static const struct json *cause(const struct test_event *report) {
	return json_at(json_get(report->json, "root_causes"), 0);
}
static bool named(const struct test_event *report, const char *entity, const char *kind) {
	const struct json *c = cause(report);
	return str_is(json_str(json_get(c, "entity")), entity) && str_is(json_str(json_get(c, "kind")), kind);
}

/* Found within `detect_s` of the fault, its cause named within 5 s of that, rightly. */
static const struct test_event *found(const struct run *r, const struct t *t, double detect_s, const char *entity,
                                      const char *kind) {
	const struct test_event *e = event(r, "INCIDENT_OPENED"), *c = event(r, "RCA_REPORT");
	EXPECT(e && e->at_ns - r->fault_ns <= S(detect_s));
	EXPECT(c && c->at_ns - e->at_ns <= S(5));
	EXPECT(named(c, entity, kind));
	return c;
}

/* The values told at the end are those on which it was decided: none lies outside its band. */
static bool within(const struct test_event *resolved) {
	bool all = true;
	json_each(x, json_get(resolved->json, "signals")) {
		double value = json_double(json_get(x, "value"), NAN), high = json_double(json_get(x, "high"), NAN);
		all = all && !(value > high) && !(json_double(json_get(x, "score"), 0) > 1);
	}
	return all && json_get(resolved->json, "signals")->count > 0;
}

/* Ended, with the signals back in band, within `seconds` of `healed_ns`; and nothing else was opened. */
static void ended(const struct run *r, const struct t *t, int64_t healed_ns, double seconds) {
	const struct test_event *e = test_world_event(&r->w, "INCIDENT_RESOLVED", healed_ns, 0);
	EXPECT(e && e->at_ns - healed_ns <= S(seconds) && e->at_ns - healed_ns >= S(9));
	EXPECT(str_is(json_str(json_get(e->json, "how")), "in_band") && within(e));
	EXPECT(test_world_count(&r->w, "INCIDENT_OPENED", 0) == 1);
}

TEST(an_error_burst_is_found_named_and_ended, .seeds = 2) {
	struct run r;
	run_begin(&r, t, 40);
	faulty(&r, "payment")->fail = 0.3;
	pass(&r, 40);
	const struct test_event *c = found(&r, t, 12, "service/payment", "errors");
	const struct json *target = json_get(cause(c), "target");
	EXPECT(str_is(json_str(json_get(target, "workload")), "pay")); /* which is not the service's name */
	EXPECT(json_get(target, "pods")->count == 3 && json_get(target, "pod_uid")->kind == JSON_NULL);
	EXPECT(json_get(c->json, "traces")->count > 0 && json_get(c->json, "timeline")->count > 0);
	faulty(&r, "payment")->fail = 0;
	int64_t healed_ns = r.shop.at_ns;
	pass(&r, 45);
	ended(&r, t, healed_ns, 35);
	run_end(&r);
}

/* While nothing is known of what is usual a rule opens the incident, and it is over when the rule says so, however long
 * that takes. */
TEST(what_a_rule_has_opened_lasts_while_the_rule_is_broken, .seeds = 4) {
	struct run r;
	test_world_init(&r.w, t, T0);
	shop_init(&r.shop, &r.w, 8 + (double)rng_below(&t->rng, 40));
	r.shop.drift = 0.05;
	shop_run(&r.shop, T0 + S(90));
	r.fault_ns = r.shop.at_ns;
	faulty(&r, "payment")->fail = 0.5;
	pass(&r, 40 + (double)rng_below(&r.shop.rng, 120));
	const struct test_event *opened = event(&r, "INCIDENT_OPENED");
	EXPECT(opened && opened->at_ns - r.fault_ns <= S(15));
	EXPECT(!event(&r, "INCIDENT_RESOLVED"));
	faulty(&r, "payment")->fail = 0;
	int64_t healed_ns = r.shop.at_ns;
	pass(&r, 75);
	ended(&r, t, healed_ns, 60); /* few requests a second: what came lately is long ago */
	run_end(&r);
}

/* Everybody up the calls gets slow; one of them is slow by nature. The database is named, and it has no target. */
TEST(a_slow_database_is_named_and_its_callers_are_not, .seeds = 2) {
	struct run r;
	test_world_init(&r.w, t, T0);
	shop_init(&r.shop, &r.w, 40);
	r.shop.services[shop_find(&r.shop, "checkout")].self_ms = 250;
	shop_run(&r.shop, T0 + S(WARM));
	r.fault_ns = r.shop.at_ns;
	r.shop.db_slow[1] = 12;
	pass(&r, 60);
	const struct test_event *c = found(&r, t, 12, "database/ledger-db", "dependency");
	EXPECT(json_get(cause(c), "target")->kind == JSON_NULL);
	for (uint32_t i = 0; test_world_event(&r.w, "RCA_REPORT", 0, i); i++)
		EXPECT(named(test_world_event(&r.w, "RCA_REPORT", 0, i), "database/ledger-db", "dependency"));
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 1); /* one cascade, one incident */
	r.shop.db_slow[1] = 1;
	int64_t healed_ns = r.shop.at_ns;
	pass(&r, 40);
	ended(&r, t, healed_ns, 30);
	run_end(&r);
}

TEST(the_one_sick_pod_of_three_is_told, .seeds = 2) {
	struct run r;
	run_begin(&r, t, 40);
	struct shop_service *pay = faulty(&r, "payment");
	pay->fail = 0.6;
	pay->sick_pod = (int)rng_below(&t->rng, 3);
	pass(&r, 60);
	found(&r, t, 12, "service/payment", "errors");
	const struct test_event *last = NULL;
	for (uint32_t i = 0; test_world_event(&r.w, "RCA_REPORT", 0, i); i++)
		last = test_world_event(&r.w, "RCA_REPORT", 0, i);
	const struct shop_pod *pod = &r.shop.pods[shop_find(&r.shop, "payment")][pay->sick_pod];
	EXPECT(str_is(json_str(json_path(cause(last), "target.pod_uid")), pod->uid));
	run_end(&r);
}

/* A pod hangs: no span of it comes, its callers get no answer, and the orchestrator notices later. */
TEST(a_dead_pod_is_found_by_its_callers_and_named_a_crash, .seeds = 2) {
	struct run r;
	run_begin(&r, t, 40);
	int catalog = shop_find(&r.shop, "catalog");
	for (int k = 0; k < 2; k++) shop_tell_pod(&r.shop, catalog, k, true, false, NULL);
	faulty(&r, "catalog")->dead_pod = 1;
	pass(&r, 15);
	shop_tell_pod(&r.shop, catalog, 1, false, false, "Error");
	pass(&r, 20);
	found(&r, t, 12, "service/catalog", "crash");
	run_end(&r);
}

TEST(a_leak_is_found_before_it_kills_and_ends_with_new_pods, .seeds = 2) {
	struct run r;
	run_begin(&r, t, 10);
	faulty(&r, "cart")->leak_per_s = 0.5 / 1200;
	pass(&r, 240);
	found(&r, t, 220, "service/cart", "memory");
	faulty(&r, "cart")->leak_per_s = 0;
	shop_replace(&r.shop, shop_find(&r.shop, "cart"));
	int64_t healed_ns = r.shop.at_ns;
	pass(&r, 90);
	ended(&r, t, healed_ns, 60);
	run_end(&r);
}

/* A rollout by somebody else just before makes it a deployment; our own does not. */
TEST(failures_after_a_rollout_are_a_deployments, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 40);
	bool ours = t->seed % 2;
	shop_tell_change(&r.shop, shop_find(&r.shop, "checkout"), ours ? "flyball" : "kubectl");
	faulty(&r, "checkout")->fail = 0.3;
	pass(&r, 30);
	const struct test_event *c = found(&r, t, 12, "service/checkout", ours ? "errors" : "deployment");
	EXPECT((json_get(cause(c), "change")->kind == JSON_NULL) == ours);
	run_end(&r);
}

/* Pods that come and go in good order, telemetry that stops and comes back, a wave of requests: no incident. */
TEST(ordinary_life_stays_quiet, .seeds = 1) {
	struct run r;
	run_begin(&r, t, 40);
	for (int k = 0; k < 3; k++) shop_tell_pod(&r.shop, shop_find(&r.shop, "payment"), k, true, false, NULL);
	pass(&r, 10);
	shop_tell_change(&r.shop, shop_find(&r.shop, "payment"), "kubectl");
	shop_replace(&r.shop, shop_find(&r.shop, "payment"));
	pass(&r, 60);
	r.shop.per_s *= 3;
	pass(&r, 60);
	r.shop.per_s /= 3;
	pass(&r, 60);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 0);
	run_end(&r);
}

TEST(telemetry_that_stops_is_stale_not_zero) {
	struct run r;
	run_begin(&r, t, 40);
	r.shop.services[shop_find(&r.shop, "email")].mute = true;
	pass(&r, 120);
	const struct test_event *e = event(&r, "DATA_STALE");
	EXPECT(e && strcmp(e->subject, "service/email") == 0 && str_is(json_str(json_get(e->json, "state")), "stale"));
	r.shop.services[shop_find(&r.shop, "email")].mute = false;
	int64_t back_ns = r.shop.at_ns;
	pass(&r, 30);
	e = test_world_event(&r.w, "DATA_STALE", back_ns, 0);
	EXPECT(e && str_is(json_str(json_get(e->json, "state")), "value"));
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 0);
	run_end(&r);
}

/* Requests that are told of by metrics alone, every ten seconds, by each pod in its own time. */
TEST(metrics_alone_find_it_within_two_exports, .seeds = 2) {
	struct run r;
	test_world_init(&r.w, t, T0);
	shop_init(&r.shop, &r.w, 40);
	r.shop.request_metrics = true;
	r.shop.spans_every_ns = 0;
	for (int i = 0; i < r.shop.count; i++)
		for (int k = 0; k < SHOP_PODS; k++) r.shop.pods[i][k].next_spans_ns = INT64_MAX;
	shop_run(&r.shop, T0 + S(WARM));
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 0);
	r.fault_ns = r.shop.at_ns;
	faulty(&r, "payment")->fail = 0.4;
	pass(&r, 40);
	const struct test_event *e = event(&r, "INCIDENT_OPENED");
	EXPECT(e && e->at_ns - r.fault_ns <= S(22));
	run_end(&r);
}

/* A level that stays is adopted after the configured time, and then it is usual. */
TEST(a_level_that_stays_is_adopted) {
	struct run r;
	test_world_init(&r.w, t, T0);
	test_world_crash(&r.w);
	r.w.opts.settings.adopt_ns = 300 * NS_PER_SEC;
	test_world_start(&r.w);
	shop_init(&r.shop, &r.w, 30);
	shop_run(&r.shop, T0 + S(WARM));
	r.fault_ns = r.shop.at_ns;
	faulty(&r, "shipping")->slow = 3;
	pass(&r, 420);
	const struct test_event *e = event(&r, "INCIDENT_RESOLVED");
	EXPECT(e && str_is(json_str(json_get(e->json, "how")), "adopted"));
	int64_t adopted_ns = e->at_ns;
	pass(&r, 300);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", adopted_ns + S(60)) == 0);
	run_end(&r);
}

/* ---- restarts ---- */

/* One goes on, the other is stopped in good order and starts from what it saved: both decide alike, down to
 * the ids of the events, and nothing is told twice. */
TEST(from_a_checkpoint_it_decides_as_if_it_had_gone_on, .seeds = 1) {
	struct run r[2];
	for (int k = 0; k < 2; k++) {
		run_begin(&r[k], t, 40);
		if (k == 1) {
			test_world_flush(&r[k].w);
			test_world_crash(&r[k].w);
			test_world_start(&r[k].w);
		}
		faulty(&r[k], "payment")->fail = 0.3;
		pass(&r[k], 30);
		faulty(&r[k], "payment")->fail = 0;
		pass(&r[k], 45);
	}
	static const char *const types[] = { "INCIDENT_OPENED", "RCA_REPORT", "INCIDENT_RESOLVED" };
	for (int i = 0; i < 3; i++) {
		const struct test_event *a = event(&r[0], types[i]), *b = event(&r[1], types[i]);
		EXPECT(a && b && strcmp(a->id, b->id) == 0);
		EXPECT(test_world_count(&r[1].w, types[i], 0) == test_world_count(&r[0].w, types[i], 0));
	}
	EXPECT(named(event(&r[1], "RCA_REPORT"), "service/payment", "errors"));
	run_end(&r[0]);
	run_end(&r[1]);
}

/* Killed with an incident open and without a word: what was read but not saved comes again; nothing is told twice,
 * and the incident ends as it should. */
TEST(a_crash_in_the_midst_of_an_incident_tells_nothing_twice, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 40);
	faulty(&r, "payment")->fail = 0.3;
	pass(&r, 3 + rng_unit(&t->rng) * 8);
	test_world_crash(&r.w);
	test_world_redeliver(&r.w);
	test_world_start(&r.w);
	pass(&r, 25);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 1);
	found(&r, t, 16, "service/payment", "errors");
	faulty(&r, "payment")->fail = 0;
	int64_t healed_ns = r.shop.at_ns;
	pass(&r, 60);
	ended(&r, t, healed_ns, 50);
	run_end(&r);
}

/* ---- of a daemon that no longer runs ---- */

static struct str graph_of(struct run *r, struct t *t) {
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	observer_graph(r->w.observer, &o);
	return str_copy(t->arena, buf_get(&b));
}

/* Frozen it shows what was saved as it stood then, days later too, and changes nothing of it. */
TEST(what_was_saved_is_shown_as_it_stood) {
	struct run r;
	run_begin(&r, t, 20);
	test_world_flush(&r.w);
	test_world_crash(&r.w);
	r.w.clock.wall.ns += 3 * NS_PER_DAY;
	r.w.opts.frozen = true;
	test_world_start(&r.w);
	uint32_t told = r.w.event_count;
	struct str first = graph_of(&r, t);
	const struct json *j = NULL;
	double calls = 0;
	EXPECT_OK(json_parse(t->arena, first, &j, NULL));
	json_each(e, json_get(j, "edges")) calls += json_double(json_get(e, "calls_per_s"), 0);
	EXPECT(json_get(j, "edges")->count >= 13 && calls > 10);
	for (int i = 0; i < 100; i++) {
		r.w.clock.wall.ns += 3600 * NS_PER_SEC;
		while (observer_step(r.w.observer)) {}
	}
	EXPECT(str_eq(first, graph_of(&r, t)));
	EXPECT(!observer_flush(r.w.observer) && r.w.event_count == told);
	run_end(&r);
}

static const char *damaged_reason(const struct run *r, struct arena *a) {
	for (uint32_t i = 0; test_world_event(&r->w, "MODEL_STATE", 0, i); i++) {
		const struct test_event *e = test_world_event(&r->w, "MODEL_STATE", 0, i);
		if (str_is(json_str(json_get(e->json, "state")), "damaged"))
			return str_c(a, json_str(json_get(e->json, "reason")));
	}
	return NULL;
}

/* A flipped bit; or as a newer program would have written it, its sum included. */
static void spoil(struct buf *b, bool newer, int64_t where) {
	struct buf x;
	if (!b) return;
	if (!newer) {
		b->p[(size_t)where % b->n] ^= 0x20;
		return;
	}
	buf_init(&x, 0);
	struct enc e = enc_begin(&x, "FBOP", 9);
	enc_u64(&e, 1);
	enc_end(&e);
	buf_clear(b);
	buf_str(b, buf_get(&x));
	buf_done(&x);
}

/* A checkpoint that is damaged, cut, of another generation or of a newer program is refused by name; it starts to learn
 * anew, and works. */
TEST(a_bad_checkpoint_is_refused_by_name_and_relearned, .seeds = 6) {
	struct run r;
	run_begin(&r, t, 20);
	test_world_flush(&r.w);
	test_world_crash(&r.w);
	bool newer = t->seed % 3 == 1;
	int64_t where = rng_below(&t->rng, 1000);
	spoil(test_world_stored(&r.w, t->seed % 3 == 0 ? "manifest" : "a/0000"), newer, where);
	if (t->seed % 3 != 0) spoil(test_world_stored(&r.w, "b/0000"), newer, where); /* one of them is the current one */
	test_world_start(&r.w);
	test_world_run(&r.w, r.w.clock.wall.ns + S(1));
	const char *reason = damaged_reason(&r, t->arena);
	EXPECT(reason && strstr(reason, "record 'FBO"));
	if (newer) EXPECT(strstr(reason, "version 9"));
	r.fault_ns = r.shop.at_ns + S(400);
	pass(&r, 400);
	faulty(&r, "payment")->fail = 0.5;
	pass(&r, 40);
	found(&r, t, 20, "service/payment", "errors");
	run_end(&r);
}

/* A batch is let go only when what it led to is durable; a bus that is full holds events back, nothing is lost. */
TEST(nothing_is_let_go_before_it_is_durable) {
	struct run r;
	run_begin(&r, t, 40);
	r.w.bus_full = true;
	faulty(&r, "payment")->fail = 0.3;
	pass(&r, 150);
	uint64_t before = test_world_let_go(&r.w);
	EXPECT(before < r.w.position && test_world_count(&r.w, "INCIDENT_OPENED", 0) == 0);
	r.w.bus_full = false;
	pass(&r, 70);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 1 && test_world_let_go(&r.w) > before);
	run_end(&r);
}

/* The disk fails just where open incidents are written, and then it crashes: what was not written down was not told
 * either, so that reading the batches again, at another time, opens no second one. */
TEST(an_incident_that_could_not_be_written_down_is_not_told, .seeds = 6) {
	struct run r;
	run_begin(&r, t, 40);
	test_world_flush(&r.w);
	r.w.state_fails = "/incidents";
	faulty(&r, "payment")->fail = 0.3;
	pass(&r, 14 + 3 * rng_unit(&t->rng));
	if (t->seed % 2) {
		test_world_crash(&r.w);
		test_world_redeliver(&r.w);
		fake_clock_advance(&r.w.clock, S(2 * rng_unit(&t->rng)));
		r.w.state_fails = NULL;
		test_world_start(&r.w);
		shop_skip(&r.shop, r.w.clock.wall.ns);
	} else {
		EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 0);
		r.w.state_fails = NULL;
	}
	pass(&r, 25);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 1);
	EXPECT(named(event(&r, "RCA_REPORT"), "service/payment", "errors"));
	faulty(&r, "payment")->fail = 0;
	int64_t healed_ns = r.shop.at_ns;
	pass(&r, 60);
	ended(&r, t, healed_ns, 50);
	run_end(&r);
}

/* A store that fails holds incidents back, and says so; once it works they are told, and nothing is lost. */
TEST(without_a_store_incidents_wait_and_people_see_why) {
	struct run r;
	struct buf b;
	run_begin(&r, t, 40);
	r.w.state_down = true;
	faulty(&r, "payment")->fail = 0.3;
	pass(&r, 90);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 0);
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	observer_status(r.w.observer, &o);
	EXPECT(memmem(b.p, b.n, "\"untold\":\"", 10));
	r.w.state_down = false;
	pass(&r, 90);
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 1);
	EXPECT(named(event(&r, "RCA_REPORT"), "service/payment", "errors"));
	EXPECT(test_world_let_go(&r.w) > 0);
	buf_clear(&b);
	o = json_out(&b);
	observer_status(r.w.observer, &o);
	EXPECT(memmem(b.p, b.n, "\"untold\":null", 13));
	buf_done(&b);
	run_end(&r);
}

static bool covered(const struct run *r, const struct t *t, const char *subject) {
	struct buf b;
	const struct json *j = NULL;
	bool there = false;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	observer_coverage(r->w.observer, NULL, &o);
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, buf_get(&b)), &j, NULL));
	json_each(e, json_get(j, "services")) there = there || str_is(json_str(json_get(e, "entity")), subject);
	buf_done(&b);
	return there;
}

/* Two weeks without a word, and a service is forgotten with all that was learned of it; one that an open incident
 * speaks of is not, until it has ended. Numbers are used again by those that come back: nothing of the old is theirs.
 */
TEST(what_is_not_heard_of_for_two_weeks_is_forgotten) {
	struct run r;
	run_begin(&r, t, 40);
	faulty(&r, "payment")->fail = 0.4;
	pass(&r, 15);
	EXPECT(event(&r, "INCIDENT_OPENED"));
	EXPECT(covered(&r, t, "service/email") && covered(&r, t, "service/payment"));
	r.shop.services[shop_find(&r.shop, "email")].mute = r.shop.services[shop_find(&r.shop, "payment")].mute = true;
	faulty(&r, "payment")->fail = 0;
	fake_clock_advance(&r.w.clock, 15 * NS_PER_DAY);
	shop_skip(&r.shop, r.w.clock.wall.ns);
	int64_t later_ns = r.shop.at_ns;
	pass(&r, 5);
	EXPECT(!covered(&r, t, "service/email") && covered(&r, t, "service/payment"));
	pass(&r, 400);
	EXPECT(test_world_count(&r.w, "INCIDENT_RESOLVED", later_ns) == 1);
	EXPECT(!covered(&r, t, "service/payment") && covered(&r, t, "service/checkout"));
	EXPECT(test_world_count(&r.w, "INCIDENT_OPENED", 0) == 1);
	run_end(&r);
}

static void tell_service(void *self, const struct target *t, struct json_out *o) {
	(*(int *)self)++;
	json_kv_str(o, "acts_on", t->service);
}

/* What people see is JSON, whatever happens. */
TEST(views_are_json) {
	struct run r;
	struct buf b;
	const struct json *j;
	struct why why = { "" };
	run_begin(&r, t, 20);
	faulty(&r, "payment")->fail = 0.5;
	pass(&r, 20);
	int asked = 0;
	struct target_teller teller = { &asked, tell_service };
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	observer_coverage(r.w.observer, &teller, &o);
	EXPECT_OK(json_parse(t->arena, buf_get(&b), &j, &why));
	EXPECT(json_get(j, "services")->count == 8 && json_get(j, "others")->count == 3 && asked == 8);
	json_each(it, json_get(j, "services")) {
		char want[80];
		snprintf(want, sizeof want, "service/%s", str_c(t->arena, json_str(json_get(it, "acts_on"))));
		EXPECT(str_is(json_str(json_get(it, "entity")), want));
	}
	buf_clear(&b);
	o = json_out(&b);
	observer_graph(r.w.observer, &o);
	EXPECT_OK(json_parse(t->arena, buf_get(&b), &j, &why));
	EXPECT(json_get(j, "edges")->count >= 13);
	buf_clear(&b);
	o = json_out(&b);
	observer_status(r.w.observer, &o);
	EXPECT_OK(json_parse(t->arena, buf_get(&b), &j, &why));
	EXPECT(json_get(j, "incidents")->count == 1 && json_bool(json_get(j, "ready"), false));
	buf_clear(&b);
	struct metrics_out m = metrics_out(&b);
	observer_metrics(r.w.observer, &m);
	metrics_end(&m);
	EXPECT(b.err == OK && b.n > 1000);
	buf_done(&b);
	run_end(&r);
}

/* Of whatever report came within `seconds`: the last one's cause. */
static bool named_by(const struct run *r, double seconds, const char *entity, const char *kind) {
	const struct test_event *e, *last = NULL;
	for (uint32_t n = 0; (e = test_world_event(&r->w, "RCA_REPORT", r->fault_ns, n)); n++)
		if (e->at_ns - r->fault_ns <= S(seconds)) last = e;
	return last && named(last, entity, kind);
}

/* Threads spin in every copy. Its agent tells of that within ten seconds, maybe after the first report. */
TEST(slowness_with_a_busy_cpu_is_saturation, .seeds = 6) {
	struct run r;
	run_begin(&r, t, 40);
	struct shop_service *x = faulty(&r, "currency");
	x->slow = 6 + 6 * rng_unit(&t->rng);
	x->cpu = 0.9 + 0.1 * rng_unit(&t->rng);
	pass(&r, 30);
	EXPECT(named_by(&r, 30, "service/currency", "saturation"));
	uint32_t reports = test_world_count(&r.w, "RCA_REPORT", r.fault_ns);
	EXPECT(reports <= 2 * test_world_count(&r.w, "INCIDENT_OPENED", r.fault_ns));
	run_end(&r);
}

TEST(errors_that_speak_of_an_empty_pool_are_saturation, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 40);
	struct shop_service *x = faulty(&r, "payment");
	x->fail = 0.2 + 0.6 * rng_unit(&t->rng);
	x->says = "HikariPool-1 - Connection is not available, request timed out after 30000ms (total=10, active=10)";
	pass(&r, 30);
	found(&r, t, 20, "service/payment", "saturation");
	run_end(&r);
}

TEST(a_database_that_answers_that_its_disk_is_full_is_a_disk, .seeds = 4) {
	struct run r;
	run_begin(&r, t, 40);
	r.shop.db_fail[0] = 0.2 + 0.6 * rng_unit(&t->rng);
	r.shop.db_code[0] = t->seed % 2 ? "53100" : "42601"; /* SQLSTATE disk_full, syntax_error */
	pass(&r, 30);
	found(&r, t, 20, "database/carts-db", t->seed % 2 ? "disk" : "dependency");
	run_end(&r);
}

RUN(slowness_with_a_busy_cpu_is_saturation, errors_that_speak_of_an_empty_pool_are_saturation,
    a_database_that_answers_that_its_disk_is_full_is_a_disk, an_error_burst_is_found_named_and_ended,
    what_a_rule_has_opened_lasts_while_the_rule_is_broken, a_slow_database_is_named_and_its_callers_are_not,
    the_one_sick_pod_of_three_is_told, a_dead_pod_is_found_by_its_callers_and_named_a_crash,
    a_leak_is_found_before_it_kills_and_ends_with_new_pods, failures_after_a_rollout_are_a_deployments,
    ordinary_life_stays_quiet, telemetry_that_stops_is_stale_not_zero, metrics_alone_find_it_within_two_exports,
    a_level_that_stays_is_adopted, from_a_checkpoint_it_decides_as_if_it_had_gone_on,
    what_was_saved_is_shown_as_it_stood, a_crash_in_the_midst_of_an_incident_tells_nothing_twice,
    a_bad_checkpoint_is_refused_by_name_and_relearned, nothing_is_let_go_before_it_is_durable,
    an_incident_that_could_not_be_written_down_is_not_told, without_a_store_incidents_wait_and_people_see_why,
    what_is_not_heard_of_for_two_weeks_is_forgotten, views_are_json)
