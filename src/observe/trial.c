/* How soon and how rightly: faults of every sort over many seeds, in the small shop of the tests.
 *
 *   observe_trial [SEEDS [FIRST [FAULT]]]
 *
 * One line a run and a summary of each fault: onset to the incident, from there to its first cause, whether the
 * cause was right, from healing to the end. Not a test: it judges nothing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "observe/test_shop.h"

#define T0   (INT64_C(1767600000) * NS_PER_SEC)
#define S(x) ((int64_t)((x)*1e9))
#define RUNS 400

struct fault {
	const char *name, *entity, *kind;
	void (*begin)(struct shop *s), (*end)(struct shop *s);
	double per_s, weight;
	bool metrics_only;
	double last_s;
};

static struct shop_service *svc(struct shop *s, const char *name) {
	return &s->services[shop_find(s, name)];
}

static void errors_on(struct shop *s) {
	svc(s, "payment")->fail = 0.05 + 0.4 * rng_unit(&s->rng);
}
static void errors_off(struct shop *s) {
	svc(s, "payment")->fail = 0;
}
static void slow_on(struct shop *s) {
	svc(s, "shipping")->slow = 3 + 10 * rng_unit(&s->rng);
}
static void slow_off(struct shop *s) {
	svc(s, "shipping")->slow = 1;
}
static void deep_on(struct shop *s) {
	svc(s, "currency")->slow = 3 + 10 * rng_unit(&s->rng);
}
static void deep_off(struct shop *s) {
	svc(s, "currency")->slow = 1;
}
static void db_on(struct shop *s) {
	s->db_slow[1] = 4 + 16 * rng_unit(&s->rng);
}
static void db_off(struct shop *s) {
	s->db_slow[1] = 1;
}
static void dbfail_on(struct shop *s) {
	s->db_fail[0] = 0.05 + 0.4 * rng_unit(&s->rng);
}
static void dbfail_off(struct shop *s) {
	s->db_fail[0] = 0;
}
static void dead_on(struct shop *s) {
	svc(s, "catalog")->dead_pod = 1;
}
static void dead_off(struct shop *s) {
	svc(s, "catalog")->dead_pod = -1;
}
static void sick_on(struct shop *s) {
	svc(s, "payment")->sick_pod = 2;
	svc(s, "payment")->fail = 0.2 + 0.6 * rng_unit(&s->rng);
}
static void sick_off(struct shop *s) {
	svc(s, "payment")->sick_pod = -1;
	svc(s, "payment")->fail = 0;
}
static void link_on(struct shop *s) {
	svc(s, "payment")->link_ms = 60 + 100 * rng_unit(&s->rng);
}
static void link_off(struct shop *s) {
	svc(s, "payment")->link_ms = 0;
}
static void leak_on(struct shop *s) {
	svc(s, "cart")->leak_per_s = 0.5 / (1800 + 3600 * rng_unit(&s->rng));
}
static void leak_off(struct shop *s) {
	svc(s, "cart")->leak_per_s = 0;
	for (int k = 0; k < 2; k++) s->pods[shop_find(s, "cart")][k].leaked = 0;
}
static void deploy_on(struct shop *s) {
	shop_tell_change(s, shop_find(s, "checkout"), "kubectl");
	svc(s, "checkout")->fail = 0.05 + 0.4 * rng_unit(&s->rng);
}
static void deploy_off(struct shop *s) {
	svc(s, "checkout")->fail = 0;
}

static const struct fault faults[] = {
	{ "errors", "service/payment", "errors", errors_on, errors_off, 60, 1, false, 60 },
	{ "errors_slow_shop", "service/payment", "errors", errors_on, errors_off, 5, 1, false, 120 },
	{ "errors_metrics", "service/payment", "errors", errors_on, errors_off, 60, 0, true, 90 },
	{ "slow", "service/shipping", "latency", slow_on, slow_off, 60, 1, false, 60 },
	{ "slow_deep", "service/currency", "latency", deep_on, deep_off, 60, 1, false, 60 },
	{ "slow_slow_shop", "service/shipping", "latency", slow_on, slow_off, 5, 1, false, 120 },
	{ "slow_db", "database/ledger-db", "dependency", db_on, db_off, 60, 1, false, 60 },
	{ "fail_db", "database/carts-db", "dependency", dbfail_on, dbfail_off, 60, 1, false, 60 },
	{ "dead_pod", "service/catalog", "crash", dead_on, dead_off, 60, 1, false, 60 },
	{ "sick_pod", "service/payment", "errors", sick_on, sick_off, 60, 1, false, 60 },
	{ "slow_link", "service/payment", "network", link_on, link_off, 60, 1, false, 60 },
	{ "leak", "service/cart", "memory", leak_on, leak_off, 10, 1, false, 900 },
	{ "deploy", "service/checkout", "deployment", deploy_on, deploy_off, 60, 1, false, 60 },
};

struct figures {
	double v[RUNS];
	int n;
};

static void note(struct figures *f, double x) {
	if (f->n < RUNS) f->v[f->n++] = x;
}
static int by_value(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}
static double at(struct figures *f, double q) {
	if (!f->n) return NAN;
	qsort(f->v, (size_t)f->n, sizeof *f->v, by_value);
	return f->v[(int)floor(q * (f->n - 1) + 0.5)];
}

struct result {
	struct figures detect, cause, end;
	int runs, found, right, kind, none, early, extra;
};

static struct str named(const struct test_event *report, const char *field) {
	return json_str(json_get(json_at(json_get(report->json, "root_causes"), 0), field));
}

static void judge(const struct fault *f, struct test_world *w, int64_t on_ns, int64_t off_ns, struct result *r) {
	const struct test_event *e = test_world_event(w, "INCIDENT_OPENED", on_ns, 0);
	const struct test_event *c = test_world_event(w, "RCA_REPORT", on_ns, 0), *last = c;
	const struct test_event *end = test_world_event(w, "INCIDENT_RESOLVED", off_ns, 0);
	for (uint32_t i = 0; c && test_world_event(w, "RCA_REPORT", on_ns, i); i++)
		last = test_world_event(w, "RCA_REPORT", on_ns, i);
	r->early += (int)test_world_count(w, "INCIDENT_OPENED", 0) - (int)test_world_count(w, "INCIDENT_OPENED", on_ns);
	int extra = (int)test_world_count(w, "INCIDENT_OPENED", on_ns) - 1;
	r->extra += extra > 0 ? extra : 0;
	r->runs++;
	struct str entity = c ? named(c, "entity") : STR("-");
	bool right = str_is(entity, f->entity);
	r->found += e != NULL;
	r->right += right;
	r->none += c && !entity.n;
	r->kind += c && right && str_is(named(c, "kind"), f->kind);
	if (e) note(&r->detect, (double)(e->at_ns - on_ns) / 1e9);
	if (c && e) note(&r->cause, (double)(c->at_ns - e->at_ns) / 1e9);
	if (end) note(&r->end, (double)(end->at_ns - off_ns) / 1e9);
	printf("  %-16s detect %6.1f cause %4.1f " STR_FMT "/" STR_FMT " then " STR_FMT " end %5.1f opened %u\n", f->name,
	       e ? (double)(e->at_ns - on_ns) / 1e9 : (double)NAN,
	       c && e ? (double)(c->at_ns - e->at_ns) / 1e9 : (double)NAN, STR_ARG(entity),
	       STR_ARG(c ? named(c, "kind") : STR("-")), STR_ARG(last ? named(last, "entity") : STR("-")),
	       end ? (double)(end->at_ns - off_ns) / 1e9 : (double)NAN, extra + 1);
}

static void run(const struct fault *f, uint64_t seed, struct result *r) {
	struct t t = { .name = f->name, .seed = seed, .rng = rng_seeded(seed) };
	struct test_world w;
	struct shop s;
	test_world_init(&w, &t, T0);
	w.check = false;
	w.verbose = getenv("VERBOSE") != NULL;
	shop_init(&s, &w, f->per_s);
	s.weight = f->weight;
	s.drift = getenv("DRIFT") ? atof(getenv("DRIFT")) : 0.1;
	if (f->metrics_only) s.request_metrics = true, s.spans_every_ns = 5 * NS_PER_SEC;
	shop_run(&s, T0 + S(1200));
	int64_t on_ns = s.at_ns + S(rng_between(&s.rng, 0, 10));
	on_ns -= on_ns % (250 * NS_PER_MS);
	shop_run(&s, on_ns);
	for (int i = 0; i < s.count; i++) s.services[i].fault_from_ns = on_ns;
	f->begin(&s);
	shop_run(&s, on_ns + S(f->last_s));
	f->end(&s);
	int64_t off_ns = s.at_ns;
	shop_run(&s, off_ns + S(90));
	judge(f, &w, on_ns, off_ns, r);
	shop_done(&s);
	test_world_done(&w);
}

/* Days without a fault: every incident is a false one. */
static void quiet(uint64_t seed, double days, double per_s) {
	struct t t = { .name = "quiet", .seed = seed, .rng = rng_seeded(seed) };
	struct test_world w;
	struct shop s;
	test_world_init(&w, &t, T0);
	w.check = false;
	w.opts.settings.checkpoint_ns = 600 * NS_PER_SEC;
	shop_init(&s, &w, per_s);
	s.drift = getenv("DRIFT") ? atof(getenv("DRIFT")) : 0.1;
	s.rhythm = 0.6;
	s.tail = 0.02;
	s.request_metrics = true;
	shop_run(&s, T0 + S(days * 86400));
	printf("quiet seed %llu: %.1f days, %u incidents, %u anomalies, %lld spans\n", (unsigned long long)seed, days,
	       test_world_count(&w, "INCIDENT_OPENED", 0), test_world_count(&w, "ANOMALY_DETECTED", 0),
	       (long long)s.spans_made);
	for (uint32_t i = 0; i < w.event_count; i++) {
		const struct test_event *e = &w.events[i];
		if (strcmp(e->type, "INCIDENT_OPENED") != 0 && !(getenv("VERBOSE") && strcmp(e->type, "ANOMALY_DETECTED") == 0))
			continue;
		const struct json *x = json_at(json_get(e->json, "signals"), 0);
		if (!x) x = e->json;
		printf("  %9.0f s %s %s " STR_FMT " value %.4g expected %.4g high %.4g score %.2f\n",
		       (double)(e->at_ns - T0) / 1e9, e->type, e->subject, STR_ARG(json_str(json_get(x, "signal"))),
		       json_double(json_get(x, "value"), NAN), json_double(json_get(x, "expected"), NAN),
		       json_double(json_get(x, "high"), NAN), json_double(json_get(x, "score"), NAN));
	}
	fflush(stdout);
	shop_done(&s);
	test_world_done(&w);
}

int main(int argc, char **argv) {
	int seeds = argc > 1 ? atoi(argv[1]) : 5, first = argc > 2 ? atoi(argv[2]) : 1;
	const char *only = argc > 3 ? argv[3] : NULL;
	if (only && strcmp(only, "quiet") == 0) {
		for (int k = 0; k < seeds; k++)
			quiet((uint64_t)(first + k), argc > 4 ? atof(argv[4]) : 1, argc > 5 ? atof(argv[5]) : 5);
		return 0;
	}
	printf("%-16s %5s %7s %7s %7s %7s %6s %6s %5s %6s %6s %6s\n", "fault", "found", "det50", "det90", "cause50",
	       "cause90", "right", "kind", "none", "end50", "end90", "false");
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct result r = { 0 };
		if (only && strcmp(only, faults[i].name) != 0) continue;
		for (int k = 0; k < seeds; k++) run(&faults[i], (uint64_t)(first + k), &r);
		printf("%-16s %2d/%2d %7.1f %7.1f %7.1f %7.1f %6d %6d %5d %6.1f %6.1f %3d+%d\n", faults[i].name, r.found,
		       r.runs, at(&r.detect, 0.5), at(&r.detect, 0.9), at(&r.cause, 0.5), at(&r.cause, 0.9), r.right, r.kind,
		       r.none, at(&r.end, 0.5), at(&r.end, 0.9), r.early, r.extra);
		fflush(stdout);
	}
	return 0;
}
