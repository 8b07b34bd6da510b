/* The simulated cluster by itself: what its controllers do. (sim/kube/replay_test compares them with the real ones.) */
#include <stdio.h>

#include "base/test.h"
#include "sim/kube/rig.h"
#include "sim/memory.h"

static const struct doc *deployment(const struct kube_rig *r) {
	return sim_kube_object(r->kube, KUBE_DEPLOYMENTS, "shop", "cart");
}

static int64_t ready_pods(const struct kube_rig *r, int64_t *all) {
	const struct doc *d;
	int64_t ready = 0;
	*all = 0;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_PODS, &i));) {
		if (doc_path(d, "metadata.deletionTimestamp")) continue;
		ready += sim_kube_pod_is_ready(d);
		(*all)++;
	}
	return ready;
}

/* By the ReplicaSets' specs: the controllers that carry them out may be a moment behind, as in life. */
static int64_t wanted_pods(const struct kube_rig *r) {
	const struct doc *d;
	int64_t sum = 0;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_REPLICASETS, &i));)
		sum += doc_int(doc_path(d, "spec.replicas"), 0);
	return sum;
}

TEST(a_deployment_becomes_pods_that_get_ready) {
	struct kube_rig r;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 0 && all == 4 && !sim_kube_rolled_out(deployment(&r)));
	kube_rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && all == 4 && sim_kube_rolled_out(deployment(&r)));
	const struct doc *d = deployment(&r);
	EXPECT(doc_int(doc_path(d, "status.availableReplicas"), 0) == 4 &&
	       doc_int(doc_path(d, "metadata.generation"), 0) == 1);
	EXPECT(sim_kube_condition_is(d, "Available", "True") && sim_kube_condition_is(d, "Progressing", "True"));
	EXPECT(doc_int(doc_get(doc_path(d, "metadata.annotations"), "deployment.kubernetes.io/revision"), 0) == 1);
	uint64_t version = sim_kube_version(r.kube);
	kube_rig_run(&r, 600 * NS_PER_SEC);
	EXPECT(sim_kube_version(r.kube) == version); /* at rest nothing writes */
	kube_rig_done(&r);
}

/* With 4 replicas, 25 % surge and 25 % unavailable: never more than 5 pods, never fewer than 3 ready. */
TEST(a_rolling_update_keeps_its_limits_and_ends, .seeds = 20) {
	struct kube_rig r;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl",
	                          STR("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"x\":\"1\"}}}}}"), NULL));
	int steps = 0;
	for (; steps < 3000 && !sim_kube_rolled_out(deployment(&r)); steps++) {
		kube_rig_run(&r, 10 * NS_PER_MS);
		EXPECT(ready_pods(&r, &all) >= 3 && wanted_pods(&r) <= 5);
	}
	EXPECT(steps > 300 && steps < 2000); /* two waves of about three seconds */
	EXPECT(sim_kube_count(r.kube, KUBE_REPLICASETS) == 2);
	EXPECT(doc_int(doc_get(doc_path(deployment(&r), "metadata.annotations"), "deployment.kubernetes.io/revision"), 0) ==
	       2);
	/* Back to the first template: its set is found again and becomes revision 3. */
	EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl",
	                          STR("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":null}}}}"), NULL));
	kube_rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(sim_kube_count(r.kube, KUBE_REPLICASETS) == 2 && sim_kube_rolled_out(deployment(&r)));
	EXPECT(doc_int(doc_get(doc_path(deployment(&r), "metadata.annotations"), "deployment.kubernetes.io/revision"), 0) ==
	       3);
	kube_rig_done(&r);
}

TEST(scaling_in_the_middle_of_a_rollout_is_shared_out) {
	struct kube_rig r;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	r.start_ns = 1000 * NS_PER_SEC; /* the new ones do not get ready */
	EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl",
	                          STR("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"x\":\"1\"}}}}}"), NULL));
	kube_rig_run(&r, 20 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 3 && all == 5);
	EXPECT_OK(
		sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":8}}"), NULL));
	kube_rig_run(&r, 20 * NS_PER_SEC);
	(void)ready_pods(&r, &all);
	EXPECT(all == 10); /* 8 and a surge of 2 */
	const struct doc *set;
	int64_t old = -1;
	for (size_t i = 0; (set = sim_kube_next(r.kube, KUBE_REPLICASETS, &i));)
		if (doc_int(doc_path(set, "status.readyReplicas"), 0) == 3) old = doc_int(doc_path(set, "spec.replicas"), 0);
	EXPECT(old == 6); /* GetReplicaSetFraction: 3 of 5 become 3 * 10 / 5 */
	kube_rig_done(&r);
}

TEST(a_rollout_that_does_not_move_is_said_to_be_stuck) {
	struct kube_rig r;
	kube_rig_init(&r, t->seed);
	r.start_ns = INT64_C(100000) * NS_PER_SEC;
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 500 * NS_PER_SEC);
	EXPECT(sim_kube_condition_is(deployment(&r), "Progressing", "True"));
	kube_rig_run(&r, 200 * NS_PER_SEC);
	EXPECT(sim_kube_condition_is(deployment(&r), "Progressing", "False"));
	kube_rig_done(&r);
}

TEST(a_container_that_dies_comes_back_later_and_later) {
	struct kube_rig r;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	size_t i = 0;
	const struct doc *pod = sim_kube_next(r.kube, KUBE_PODS, &i);
	char uid[37], name[128];
	snprintf(uid, sizeof uid, "%s", doc_c(doc_path(pod, "metadata.uid")));
	snprintf(name, sizeof name, "%s", doc_c(doc_path(pod, "metadata.name")));
	static const int64_t waits_s[] = { 0, 10, 20, 40, 80, 160, 300, 300 };
	for (size_t n = 0; n < sizeof waits_s / sizeof *waits_s; n++) {
		sim_kube_pod_exited(r.kube, uid, "OOMKilled", 137);
		pod = sim_kube_object(r.kube, KUBE_PODS, "shop", name);
		const struct doc *c = doc_at(doc_path(pod, "status.containerStatuses"), 0);
		EXPECT(!sim_kube_pod_is_ready(pod) && doc_int(doc_get(c, "restartCount"), 0) == (int64_t)n + 1);
		EXPECT(!strcmp(doc_c(doc_path(c, "lastState.terminated.reason")), "OOMKilled"));
		EXPECT(!strcmp(doc_c(doc_path(c, "state.waiting.reason")), n ? "CrashLoopBackOff" : "ContainerCreating"));
		if (waits_s[n]) kube_rig_run(&r, waits_s[n] * NS_PER_SEC);
		EXPECT(!sim_kube_pod_is_ready(sim_kube_object(r.kube, KUBE_PODS, "shop", name)));
		kube_rig_run(&r, 4 * NS_PER_SEC);
		EXPECT(sim_kube_pod_is_ready(sim_kube_object(r.kube, KUBE_PODS, "shop", name)));
	}
	kube_rig_done(&r);
}

TEST(a_deleted_pod_is_replaced_and_a_hung_one_killed_after_its_grace) {
	struct kube_rig r;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	r.hang = true;
	size_t i = 0;
	const struct doc *pod = sim_kube_next(r.kube, KUBE_PODS, &i);
	struct sim_kube_call c = { "test", "test", NULL, false, false, false };
	struct sim_kube_reply reply = { 0 };
	char name[128];
	snprintf(name, sizeof name, "%s", doc_c(doc_path(pod, "metadata.name")));
	sim_kube_do_delete(r.kube, KUBE_PODS, "shop", name, NULL, &c, &reply);
	EXPECT(reply.code == 200);
	sim_kube_reply_done(&reply);
	kube_rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && all == 4 && sim_kube_object(r.kube, KUBE_PODS, "shop", name));
	kube_rig_run(&r, 26 * NS_PER_SEC);
	EXPECT(!sim_kube_object(r.kube, KUBE_PODS, "shop", name) && r.killed == 1);
	size_t count = 0;
	const struct sim_kube_effect *e = sim_kube_effects(r.kube, &count);
	EXPECT(count == 1 && e->verb == KUBE_DELETE && e->spec_changed && !strcmp(e->name, name));
	kube_rig_done(&r);
}

TEST(a_snapshot_is_what_was_there_then, .seeds = 10) {
	struct kube_rig r;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, rng_below(&t->rng, 4 * NS_PER_SEC));
	uint64_t version = sim_kube_version(r.kube);
	struct sim_kube_state **now = NULL, **then = NULL;
	size_t a = 0, b = 0;
	EXPECT_OK(sim_kube_snapshot(r.kube, KUBE_PODS, 0, &now, &a));
	EXPECT_OK(
		sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":2}}"), NULL));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	EXPECT_OK(sim_kube_snapshot(r.kube, KUBE_PODS, version, &then, &b));
	EXPECT(a == b);
	for (size_t i = 0; i < a; i++) {
		EXPECT(now[i] == then[i]);
		sim_kube_drop(now[i]);
		sim_kube_drop(then[i]);
	}
	free(now);
	free(then);
	sim_kube_compact(r.kube);
	EXPECT_ERR(sim_kube_snapshot(r.kube, KUBE_PODS, version, &then, &b), ERR_GONE);
	kube_rig_done(&r);
}

/* ---- nodes ---- */

static size_t pods_on(const struct kube_rig *r, const char *node) {
	const struct doc *d;
	size_t n = 0;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_PODS, &i));)
		n += !strcmp(doc_c(doc_path(d, "spec.nodeName")), node);
	return n;
}

static void add_budget(const struct t *t, struct kube_rig *r) {
	EXPECT_OK(
		sim_kube_create(r->kube, KUBE_PDBS,
	                    STR("{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\"},\"spec\":{\"maxUnavailable\":1,"
	                        "\"selector\":{\"matchLabels\":{\"app\":\"cart\"}}}}"),
	                    NULL));
}

TEST(a_drained_node_empties_as_far_as_the_budget_lets_it, .seeds = 10) {
	struct kube_rig r;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	add_budget(t, &r);
	kube_rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(pods_on(&r, "node-1") == 2 || pods_on(&r, "node-2") == 2 || pods_on(&r, "node-3") == 2);
	EXPECT(sim_kube_drain(r.kube, "node-9") == ERR_NOT_FOUND);
	for (int i = 1; i <= 2; i++) { /* two nodes, one after another: all must fit on the third */
		char node[16];
		snprintf(node, sizeof node, "node-%d", i);
		EXPECT_OK(sim_kube_drain(r.kube, node));
		EXPECT_OK(sim_kube_drain(r.kube, node)); /* once more changes nothing */
		for (int s = 0; s < 600 && sim_kube_draining(r.kube, node); s++) {
			kube_rig_run(&r, NS_PER_SEC / 10);
			EXPECT(ready_pods(&r, &all) >= 3);
		}
		EXPECT(!sim_kube_draining(r.kube, node) && pods_on(&r, node) == 0);
	}
	kube_rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && pods_on(&r, "node-3") == 4);
	EXPECT_OK(sim_kube_cordon(r.kube, "node-1", false));
	kube_rig_run(&r, NS_PER_SEC);
	EXPECT(!doc_path(sim_kube_object(r.kube, KUBE_NODES, "", "node-1"), "spec.taints"));
	EXPECT(doc_path(sim_kube_object(r.kube, KUBE_NODES, "", "node-2"), "spec.taints"));
	kube_rig_done(&r);
}

TEST(a_pod_that_finds_no_node_waits_for_one) {
	struct kube_rig r;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	for (int i = 1; i <= 3; i++)
		EXPECT_OK(sim_kube_cordon(r.kube, (const char *[]){ "node-1", "node-2", "node-3" }[i - 1], true));
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 60 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 0 && all == 4 && pods_on(&r, "") == 4);
	EXPECT_OK(sim_kube_cordon(r.kube, "node-2", false));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && pods_on(&r, "node-2") == 4);
	kube_rig_done(&r);
}

TEST(a_node_that_is_not_ready_loses_its_pods_after_300_s) {
	struct kube_rig r;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	int64_t there = (int64_t)pods_on(&r, "node-1");
	EXPECT_OK(sim_kube_node_ready(r.kube, "node-1", false));
	kube_rig_run(&r, 295 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 - there && all == 4 && (int64_t)pods_on(&r, "node-1") == there);
	kube_rig_run(&r, 20 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && pods_on(&r, "node-1") == 0);
	EXPECT_OK(sim_kube_node_ready(r.kube, "node-1", true));
	kube_rig_run(&r, NS_PER_SEC);
	EXPECT(!doc_path(sim_kube_object(r.kube, KUBE_NODES, "", "node-1"), "spec.taints"));
	kube_rig_done(&r);
}

TEST(a_pod_that_its_kubelet_gave_up_is_replaced) {
	struct kube_rig r;
	char uid[37];
	size_t i = 0;
	int64_t all = 0;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	kube_rig_run(&r, 10 * NS_PER_SEC);
	snprintf(uid, sizeof uid, "%s", doc_c(doc_path(sim_kube_next(r.kube, KUBE_PODS, &i), "metadata.uid")));
	sim_kube_pod_failed(r.kube, uid, "Evicted");
	sim_kube_pod_exited(r.kube, uid, "Error", 1); /* it does not come back */
	kube_rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && all == 5);
	kube_rig_done(&r);
}

/* ---- Events ---- */

static const struct doc *event_of(const struct kube_rig *r, const char *reason, const char *words) {
	const struct doc *d;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_EVENTS, &i));)
		if (!strcmp(doc_c(doc_get(d, "reason")), reason) && strstr(doc_c(doc_get(d, "message")), words)) return d;
	return NULL;
}

TEST(what_repeats_is_one_event_and_many_alike_are_told_as_one) {
	struct kube_rig r;
	struct sim_kube_saying s = { "tester", "Trying", true };
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	for (int i = 0; i < 20; i++) {
		sim_kube_say(r.kube, deployment(&r), &s, "the same");
		kube_rig_run(&r, NS_PER_SEC);
	}
	const struct doc *e = event_of(&r, "Trying", "the same");
	EXPECT(doc_int(doc_get(e, "count"), 0) == 20 && !strcmp(doc_c(doc_get(e, "type")), "Warning"));
	for (int i = 0; i < 12; i++) sim_kube_say(r.kube, deployment(&r), &s, "number %d", i);
	EXPECT(event_of(&r, "Trying", "number 7") && event_of(&r, "Trying", "combined"));
	e = event_of(&r, "Trying", "combined");
	EXPECT(doc_int(doc_get(e, "count"), 0) == 4 && strstr(doc_c(doc_get(e, "message")), "number 11"));
	kube_rig_run(&r, 601 * NS_PER_SEC); /* ten quiet minutes, and each is told by itself again */
	sim_kube_say(r.kube, deployment(&r), &s, "once more");
	EXPECT(!strcmp(doc_c(doc_get(event_of(&r, "Trying", "once more"), "message")), "once more"));
	kube_rig_run(&r, 3700 * NS_PER_SEC);
	sim_kube_say(r.kube, deployment(&r), &s, "an hour later");
	EXPECT(sim_kube_count(r.kube, KUBE_EVENTS) == 1);
	kube_rig_done(&r);
}

TEST(available_is_ready_for_min_ready_seconds) {
	struct kube_rig r;
	kube_rig_init(&r, t->seed);
	EXPECT_OK(kube_rig_add_cart(&r));
	EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "test",
	                          STR("{\"spec\":{\"minReadySeconds\":20}}"), NULL));
	kube_rig_run(&r, 15 * NS_PER_SEC);
	EXPECT(doc_int(doc_path(deployment(&r), "status.readyReplicas"), 0) == 4 &&
	       !doc_path(deployment(&r), "status.availableReplicas"));
	kube_rig_run(&r, 15 * NS_PER_SEC);
	EXPECT(doc_int(doc_path(deployment(&r), "status.availableReplicas"), 0) == 4 &&
	       sim_kube_rolled_out(deployment(&r)));
	kube_rig_done(&r);
}

RUN(a_deployment_becomes_pods_that_get_ready, a_rolling_update_keeps_its_limits_and_ends,
    scaling_in_the_middle_of_a_rollout_is_shared_out, a_rollout_that_does_not_move_is_said_to_be_stuck,
    a_container_that_dies_comes_back_later_and_later, a_deleted_pod_is_replaced_and_a_hung_one_killed_after_its_grace,
    a_snapshot_is_what_was_there_then, a_drained_node_empties_as_far_as_the_budget_lets_it,
    a_pod_that_finds_no_node_waits_for_one, a_node_that_is_not_ready_loses_its_pods_after_300_s,
    a_pod_that_its_kubelet_gave_up_is_replaced, what_repeats_is_one_event_and_many_alike_are_told_as_one,
    available_is_ready_for_min_ready_seconds)
