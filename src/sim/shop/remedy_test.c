/* What each action comes to for each fault: the mechanism is held to the table of remedies. */
#include <math.h>
#include <stdio.h>

#include "base/test.h"
#include "sim/kube/impl.h"
#include "sim/shop/impl.h"
#include "sim/shop/rig.h"

/* One fault, how it is measured, and how hard it is: hard enough that a cure, a relief and nothing are far apart. */
struct sickness {
	struct shop_fault fault;
	const char *target, *source;    /* services or databases by name */
	const char *service, *endpoint; /* where it is measured */
	double rate;
};
static const struct sickness sicknesses[] = {
	{ { .kind = SHOP_LEAK, .magnitude = 1800 }, "cart", NULL, "cart", "GET /cart", 30 },
	{ { .kind = SHOP_CPU_HOG, .magnitude = 6 }, "currency", NULL, "currency", "GET /convert", 40 },
	{ { .kind = SHOP_SLOW_DATABASE, .magnitude = 10 }, "orders-db", NULL, "orders", "POST /orders", 60 },
	{ { .kind = SHOP_ERROR_BURST, .magnitude = 0.5 }, "catalogue", NULL, "catalogue", "GET /products", 40 },
	{ { .kind = SHOP_POOL_EXHAUSTED, .magnitude = 1 }, "catalogue", NULL, "catalogue", "GET /products", 40 },
	{ { .kind = SHOP_DEAD_POD, .magnitude = 1 }, "catalogue", NULL, "catalogue", "GET /products", 40 },
	{ { .kind = SHOP_BAD_DEPLOYMENT, .magnitude = 15, .form = SHOP_SLOWER },
	  "catalogue",
	  NULL,
	  "catalogue",
	  "GET /products",
	  40 },
	{ { .kind = SHOP_BAD_DEPLOYMENT, .magnitude = 18, .form = SHOP_FAILING }, "cart", NULL, "cart", "GET /cart", 60 },
	{ { .kind = SHOP_SLOW_LINK, .magnitude = 12 }, "currency", "shipping", "shipping", "GET /quote", 100 },
	{ { .kind = SHOP_FULL_DISK, .magnitude = 1 }, "orders-db", NULL, "orders", "POST /orders", 60 },
	{ { .kind = SHOP_RETRY_STORM, .magnitude = 2.5 }, "search", NULL, "frontend", "GET /search", 100 },
	/* in an image */
	{ { .kind = SHOP_LEAK, .magnitude = 1800, .deployed = true }, "cart", NULL, "cart", "GET /cart", 30 },
	{ { .kind = SHOP_CPU_HOG, .magnitude = 6, .deployed = true }, "currency", NULL, "currency", "GET /convert", 40 },
	{ { .kind = SHOP_ERROR_BURST, .magnitude = 0.5, .deployed = true },
	  "catalogue",
	  NULL,
	  "catalogue",
	  "GET /products",
	  40 },
	{ { .kind = SHOP_POOL_EXHAUSTED, .magnitude = 1, .deployed = true },
	  "catalogue",
	  NULL,
	  "catalogue",
	  "GET /products",
	  40 },
};

static int index_of(const struct shop_world *w, bool database, const char *name) {
	for (size_t i = 0; i < (database ? w->database_count : w->service_count); i++)
		if (!strcmp(database ? w->databases[i].name : w->services[i].name, name)) return (int)i;
	return -1;
}

static void change(const struct t *t, struct rig *r, const char *deployment, const char *patch) {
	EXPECT_OK(sim_kube_change(r->kube, KUBE_DEPLOYMENTS, "shop", deployment, "test", str_of(patch), NULL));
}

static void image_of(struct rig *r, const char *deployment, char out[128]) {
	const struct doc *d = sim_kube_object(r->kube, KUBE_DEPLOYMENTS, "shop", deployment);
	snprintf(out, 128, "%s", doc_c(doc_get(doc_at(doc_path(d, "spec.template.spec.containers"), 0), "image")));
}

static void set_image(const struct t *t, struct rig *r, const struct shop_service *s, const char *image) {
	char patch[400];
	snprintf(patch, sizeof patch,
	         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"%s\",\"image\":\"%s\"}]}}}}", s->name,
	         image);
	change(t, r, s->deployment, patch);
}

/* The sick pod where there is one, else any that serves. */
static void delete_pod(struct rig *r, const struct shop_fault *f, const char *service) {
	for (uint32_t i = 0; i < r->shop->pod_count; i++) {
		const struct shop_pod *p = r->shop->pods[i];
		if (!p || strcmp(r->shop->members[p->service].spec->name, service) != 0) continue;
		if (f->kind == SHOP_DEAD_POD ? !p->hung : !p->listed) continue;
		struct sim_kube_call call = { .user = "test", .manager = "test", .internal = true };
		struct sim_kube_reply reply = { 0 };
		sim_kube_do_delete(r->kube, KUBE_PODS, "shop", p->kube.name, NULL, &call, &reply);
		sim_kube_reply_done(&reply);
		return;
	}
}

static void act(const struct t *t, struct rig *r, const struct shop_service *s, const struct shop_fault *f,
                enum shop_action a, const char *image_before) {
	char patch[200];
	switch (a) {
	case SHOP_RESTART:
		snprintf(patch, sizeof patch, "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"at\":\"%lld\"}}}}}",
		         (long long)r->queue.now_ns);
		change(t, r, s->deployment, patch);
		return;
	case SHOP_DELETE_POD: delete_pod(r, f, s->name); return;
	case SHOP_UNDO: set_image(t, r, s, image_before); return;
	default:
		snprintf(patch, sizeof patch, "{\"spec\":{\"replicas\":%d}}", s->replicas + 1);
		change(t, r, s->deployment, patch);
	}
}

/* How bad it is: of a leak, how many of those that serve have it; else failures, and time over the usual. */
static double badness(struct rig *r, const struct sickness *k, const struct shop_fault *f, double usual_s,
                      double seconds) {
	int serving = 0, carriers = 0;
	(void)shop_measured(r->shop, k->service, k->endpoint);
	run_for(r, seconds);
	struct shop_measure m = shop_measured(r->shop, k->service, k->endpoint);
	shop_pods(r->shop, k->service, &serving);
	for (uint32_t i = 0; f && i < r->shop->pod_count; i++)
		carriers += r->shop->pods[i] && r->shop->pods[i]->listed && f->begun && r->shop->pods[i]->leak_mask;
	if (f && f->kind == SHOP_LEAK) return serving ? (double)carriers / serving : 1;
	if (f && f->kind == SHOP_DEAD_POD) /* its callers see it until its probe does; then it is missing */
		return fmax(1 - (double)serving / r->shop->members[f->target].spec->replicas, 0);
	if (!m.count) return 1;
	double slower = usual_s > 0 ? m.seconds / (double)m.count / usual_s - 1 : 0;
	return (double)m.failed / (double)m.count + fmax(slower, 0);
}

static const char *const actions[] = { "restart", "delete pod", "undo", "scale" };
static const char *const remedy_names[] = { "nothing", "helps", "cures", "harms" };

static void try(const struct t *t, const struct sickness *k, enum shop_action a) {
	struct rig r;
	struct shop_world w = shop_builtin;
	char at_first[128], before[128], after[128];
	w.deployments_day = 0;
	w.rate = k->rate;
	rig_init(&r, &w, t->seed);
	run_for(&r, 90);
	struct shop_fault f = k->fault;
	f.target = index_of(&w, shop_fault_at_database(f.kind), k->target);
	f.source = k->source ? index_of(&w, false, k->source) : -1;
	const struct shop_service *s =
		&w.services[index_of(&w, false, shop_fault_at_database(f.kind) ? k->service : k->target)];
	image_of(&r, s->deployment, at_first);
	if (!shop_in_image(&f)) set_image(t, &r, s, "registry.local/other:2"); /* somebody's work, which is sound */
	run_for(&r, 150);                                                      /* code gets warm */
	struct shop_measure m = (shop_measured(r.shop, k->service, k->endpoint), run_for(&r, 120),
	                         shop_measured(r.shop, k->service, k->endpoint));
	double usual_s = m.seconds / (double)m.count;
	f.onset_ns = r.queue.now_ns;
	const struct shop_fault *run = shop_plan_fault(r.shop, &f);
	run_for(&r, f.kind == SHOP_DEAD_POD ? 50 : 150);
	image_of(&r, s->deployment, before);
	double sick = badness(&r, k, run, usual_s, 60);
	EXPECT(run->begun && run->carried && !run->over && sick > 0.2);
	act(t, &r, s, &f, a, at_first);
	run_for(&r, 150); /* rolled out, and warm */
	double now = badness(&r, k, run, usual_s, 60);
	image_of(&r, s->deployment, after);
	enum shop_remedy told = shop_remedy_of(f.kind, f.deployed, a);
	bool ok = false;
	switch (told) {
	case SHOP_CURES: ok = run->over && now < 0.1; break;
	case SHOP_HELPS:
		ok = !run->over && now < 0.9 * sick;
		if (f.kind == SHOP_RETRY_STORM) ok = run->over ? now < 0.1 : now < 1.25 * sick; /* see below */
		break;
	case SHOP_NOTHING: ok = !run->over && now > 0.75 * sick; break;
	case SHOP_HARMS: ok = strcmp(before, after) != 0 && !shop_in_image(&f); break; /* sound work is gone */
	}
	if (!ok)
		fprintf(stderr, "%s%s: %s %s by the table; badness %.3f, then %.3f, %s\n", shop_fault_infos[f.kind].name,
		        f.deployed ? " (deployed)" : "", actions[a], remedy_names[told], sick, now,
		        run->over ? "over" : "not over");
	EXPECT(ok);
	rig_done(&r);
}

/* One seed a fault: they are told apart in what fails, and may be run by themselves. */
TEST(each_action_does_what_the_table_says, .seeds = sizeof sicknesses / sizeof *sicknesses) {
	for (int a = 0; a < SHOP_ACTIONS; a++) try(t, &sicknesses[t->seed % (sizeof sicknesses / sizeof *sicknesses)], a);
}

/* An empty queue for a moment breaks some storms: a restart most of those at 2.5 times the capacity. */
TEST(a_restart_ends_many_a_storm) {
	int ended = 0;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct rig r;
		struct shop_world w = shop_builtin;
		w.deployments_day = 0;
		rig_init(&r, &w, seed);
		run_for(&r, 200);
		int target = index_of(&w, false, "search");
		struct shop_fault f = {
			.kind = SHOP_RETRY_STORM, .target = target, .magnitude = 2.5, .onset_ns = r.queue.now_ns
		};
		const struct shop_fault *run = shop_plan_fault(r.shop, &f);
		run_for(&r, 120);
		EXPECT(!run->over);
		act(t, &r, &w.services[target], &f, SHOP_RESTART, "");
		run_for(&r, 150);
		ended += run->over;
		rig_done(&r);
	}
	EXPECT(ended >= 2);
}

TEST(every_fault_stands_in_the_table) {
	uint32_t seen = 0;
	for (size_t i = 0; i < sizeof sicknesses / sizeof *sicknesses; i++) seen |= 1u << sicknesses[i].fault.kind;
	EXPECT(seen == (1u << SHOP_FAULTS) - 1);
}

RUN(each_action_does_what_the_table_says, a_restart_ends_many_a_storm, every_fault_stands_in_the_table)
