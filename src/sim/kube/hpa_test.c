/* The autoscaler in its parts, and whole: sim/kube/replay_test compares it with the real one. */
#include "sim/kube/hpa.h"

#include <stdio.h>

#include "base/test.h"
#include "sim/kube/quantity.h"
#include "sim/kube/rig.h"
#include "sim/memory.h"

/* ---- quantities ---- */

TEST(a_quantity_is_read_as_thousandths_and_written_canonically) {
	static const struct {
		const char *text;
		int64_t milli;
	} read[] = { { "250m", 250 },          { "1", 1000 },     { "1.5", 1500 },
		         { "0.1", 100 },           { "2k", 2000000 }, { "64Mi", 67108864000 },
		         { "1Gi", 1073741824000 }, { "", -1 },        { "x", -1 },
		         { "1.2.3", -1 },          { "5Xi", -1 },     { "9999999T", -1 } };
	static const struct {
		int64_t milli;
		bool binary;
		const char *text;
	} written[] = { { 150, false, "150m" },       { 2000, false, "2" }, { 1500, false, "1500m" },
		            { 3000000, false, "3k" },     { 0, false, "0" },    { 67108864000, true, "64Mi" },
		            { 40000000000, true, "40M" }, { 0, true, "0" } };
	char text[32];
	for (size_t i = 0; i < sizeof read / sizeof *read; i++)
		EXPECT(sim_kube_milli(str_of(read[i].text), -1) == read[i].milli);
	for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
		sim_kube_quantity(written[i].milli, written[i].binary, text);
		EXPECT(!strcmp(text, written[i].text));
	}
}

/* ---- counting ---- */

#define READY(used) \
	{ SIM_KUBE_HPA_READY, used, 200 }
#define UNREADY \
	{ SIM_KUBE_HPA_UNREADY, 0, 200 }
#define MISSING \
	{ SIM_KUBE_HPA_MISSING, 0, 200 }
#define IGNORED(used) \
	{ SIM_KUBE_HPA_IGNORED, used, 200 }

/* Each case in words: what the rules of replica_calculator.go come to, worked out by hand. */
TEST(samples_become_replicas_as_the_rules_say) {
	static const struct {
		struct sim_kube_hpa_pod pods[4];
		size_t count;
		int64_t replicas;
	} cases[] = {
		{ { READY(100), READY(100) }, 2, 2 },                     /* half of 200: as wanted */
		{ { READY(108), READY(108) }, 2, 2 },                     /* 54 %: within a tenth */
		{ { READY(112), READY(112) }, 2, 3 },                     /* 56 %: 2.24 */
		{ { READY(200), READY(200) }, 2, 4 },                     /* 100 %: doubled */
		{ { READY(40), READY(40), READY(40), READY(40) }, 4, 2 }, /* 20 %: 1.6 */
		{ { READY(200), READY(200), UNREADY, UNREADY }, 4, 4 },   /* growing: the unready count as idle, 50 % */
		{ { READY(300), READY(300), UNREADY, UNREADY }, 4, 6 },   /* 75 % over four */
		{ { READY(40), READY(40), UNREADY, UNREADY }, 4, 1 },     /* shrinking: they do not count, ceil(0.8) */
		{ { READY(150), READY(150), MISSING, MISSING },
		  4,
		  4 }, /* 75 %, with two idle 37 %: the other way, so nothing */
		{ { READY(40), READY(40), READY(40), MISSING }, 4, 4 },          /* 20 %, with one full 40 %: ceil(3.2) */
		{ { READY(200), READY(200), IGNORED(0), IGNORED(9999) }, 4, 4 }, /* two that are on their way out */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sim_kube_hpa_question q = {
			cases[i].pods, cases[i].count, (int64_t)cases[i].count, 50, false, 0.1, 0.1
		};
		struct sim_kube_hpa_count c;
		EXPECT_OK(sim_kube_hpa_count(&q, &c));
		EXPECT(c.replicas == cases[i].replicas);
	}
}

TEST(without_a_sample_or_a_request_nothing_is_counted) {
	struct sim_kube_hpa_pod pods[] = { UNREADY, MISSING }, free_rider[] = { { SIM_KUBE_HPA_READY, 100, 0 } };
	struct sim_kube_hpa_question q = { pods, 2, 2, 50, false, 0.1, 0.1 };
	struct sim_kube_hpa_count c;
	EXPECT_ERR(sim_kube_hpa_count(&q, &c), ERR_NOT_FOUND);
	q = (struct sim_kube_hpa_question){ free_rider, 1, 1, 50, false, 0.1, 0.1 };
	EXPECT_ERR(sim_kube_hpa_count(&q, &c), ERR_INVALID);
	q.by_value = true;
	EXPECT_OK(sim_kube_hpa_count(&q, &c));
	EXPECT(c.replicas == 2 && c.average == 100);
}

/* ---- rules ---- */

/* Whatever is recommended, the result lies within the bounds and goes up by no more than doubling or four, and never
 * below the highest recommendation of the last five minutes, as far as the bounds let it. */
TEST(without_behaviour_it_goes_up_by_doubling_and_down_after_five_minutes, .seeds = 200) {
	struct sim_kube_hpa_memory m = { 0 };
	int64_t now = 3, said[200], at[200];
	for (int i = 0; i < 200; i++) {
		struct sim_kube_hpa_limits l = { 2, 30, now, (i + 1) * (15 * NS_PER_SEC + NS_PER_MS), NULL };
		struct sim_kube_hpa_verdict v;
		int64_t highest = 0;
		said[i] = 1 + rng_below(&t->rng, i < 100 ? 40 : 4);
		at[i] = l.at_ns;
		sim_kube_hpa_rule(&m, &l, said[i], &v);
		for (int j = 0; j <= i; j++)
			if (at[j] >= l.at_ns - SIM_KUBE_HPA_DOWN_NS && said[j] > highest) highest = said[j];
		int64_t most = now * 2 > 4 ? now * 2 : 4;
		if (most > 30) most = 30;
		EXPECT(v.replicas == (highest < 2 ? 2 : highest > most ? most : highest));
		EXPECT(v.is_limited == (v.replicas != highest));
		now = v.replicas;
	}
	EXPECT(m.said.count <= 22); /* places are used again */
	sim_kube_hpa_memory_done(&m);
}

/* A change leads to two pods more, or one fewer, than a minute before, at most; whatever is recommended. */
TEST(policies_hold_over_any_period, .seeds = 200) {
	struct doc *b = doc_parse(
		STR("{\"scaleUp\":{\"stabilizationWindowSeconds\":0,\"selectPolicy\":\"Max\",\"policies\":[{\"type\":\"Pods\","
	        "\"value\":2,\"periodSeconds\":60}]},\"scaleDown\":{\"stabilizationWindowSeconds\":0,\"selectPolicy\":"
	        "\"Max\","
	        "\"policies\":[{\"type\":\"Pods\",\"value\":1,\"periodSeconds\":60}]}}"),
		NULL);
	struct sim_kube_hpa_memory m = { 0 };
	int64_t now = 10, sizes[300];
	for (int i = 0; i < 300; i++) {
		struct sim_kube_hpa_limits l = { 1, 100, now, (i + 1) * (15 * NS_PER_SEC + NS_PER_MS), b };
		struct sim_kube_hpa_verdict v;
		sim_kube_hpa_rule(&m, &l, 1 + rng_below(&t->rng, 60), &v);
		if (v.replicas != now) sim_kube_hpa_scaled(&m, b, now, v.replicas, l.at_ns);
		sizes[i] = now = v.replicas;
		int64_t start = i < 4 ? 10 : sizes[i - 4], before = i ? sizes[i - 1] : 10; /* a minute ago; at the last look */
		EXPECT(now <= before || now <= start + 2);
		EXPECT(now >= before || now >= start - 1);
	}
	EXPECT(m.ups.count <= 6 && m.downs.count <= 6);
	sim_kube_hpa_memory_done(&m);
	doc_free(b);
}

/* ---- whole ---- */

struct load {
	struct kube_rig r;
	int64_t total_milli; /* shared by the pods that run */
};

static bool usage(void *self, const struct sim_kube_pod *pod, struct sim_kube_usage *out) {
	struct load *l = self;
	const struct doc *d;
	int64_t running = 0;
	for (size_t i = 0; (d = sim_kube_next(l->r.kube, KUBE_PODS, &i));) running += sim_kube_pod_is_ready(d);
	(void)pod;
	*out = (struct sim_kube_usage){ l->total_milli / (running ? running : 1), 0, l->r.queue.now_ns, 20 * NS_PER_SEC };
	return running > 0;
}

static int64_t size_of(const struct load *l) {
	return doc_int(doc_path(sim_kube_object(l->r.kube, KUBE_DEPLOYMENTS, "shop", "cart"), "spec.replicas"), 0);
}

TEST(a_load_that_comes_and_goes_is_followed_up_at_once_and_down_after_five_minutes, .seeds = 5) {
	struct load l = { .total_milli = 400 };
	int64_t last = 0;
	kube_rig_init(&l.r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&l.r));
	sim_kube_serve_metrics(l.r.kube, usage, &l);
	EXPECT_OK(sim_kube_change(l.r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "test",
	                          STR("{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"cart\",\"resources\":"
	                              "{\"requests\":{\"cpu\":"
	                              "\"200m\"}}}]}}}}"),
	                          NULL));
	EXPECT_OK(sim_kube_create(l.r.kube, KUBE_HPAS,
	                          STR("{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\"},\"spec\":{"
	                              "\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":"
	                              "\"cart\"},\"minReplicas\":2,\"maxReplicas\":20,\"metrics\":[{\"type\":\"Resource\","
	                              "\"resource\":{\"name\":\"cpu\",\"target\":"
	                              "{\"type\":\"Utilization\",\"averageUtilization\":50}}}]}}"),
	                          NULL));
	kube_rig_run(&l.r, 120 * NS_PER_SEC);
	EXPECT(size_of(&l) == 4 && sim_kube_hpa_looks(l.r.kube, "shop", "cart", &last) == 7);
	l.total_milli = 1200;
	kube_rig_run(&l.r, 120 * NS_PER_SEC);
	EXPECT(size_of(&l) == 12);
	const struct doc *d = sim_kube_object(l.r.kube, KUBE_DEPLOYMENTS, "shop", "cart");
	EXPECT(str_is(sim_kube_fields_owner(d, "spec.replicas"), "kube-controller-manager"));
	l.total_milli = 300;
	kube_rig_run(&l.r, 270 * NS_PER_SEC);
	EXPECT(size_of(&l) == 12);
	kube_rig_run(&l.r, 90 * NS_PER_SEC);
	EXPECT(size_of(&l) == 3);
	size_t effects = 0;
	(void)sim_kube_effects(l.r.kube, &effects);
	EXPECT(effects == 0); /* what controllers do is nobody's effect */
	kube_rig_done(&l.r);
}

RUN(a_quantity_is_read_as_thousandths_and_written_canonically, samples_become_replicas_as_the_rules_say,
    without_a_sample_or_a_request_nothing_is_counted,
    without_behaviour_it_goes_up_by_doubling_and_down_after_five_minutes, policies_hold_over_any_period,
    a_load_that_comes_and_goes_is_followed_up_at_once_and_down_after_five_minutes)
