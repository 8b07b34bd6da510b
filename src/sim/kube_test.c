/* The simulated cluster by itself: patches, ownership, controllers, and its REST server over the network. */
#include <stdio.h>

#include "base/test.h"
#include "sim/kube_impl.h"
#include "sim/kube_patch.h"
#include "sim/kube_server.h"
#include "sim/memory.h"

/* ---- a cluster whose containers start after two seconds and stop at once ---- */

struct later {
	struct rig *r;
	char uid[37];
	int what; /* 0 running, 1 ready, 2 exited */
};

struct rig {
	struct later later[2000];
	size_t later_count;
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_kube *kube;
	int64_t start_ns;
	bool hang; /* containers ignore SIGTERM */
	int killed;
	/* over the network */
	struct sim_net net;
	struct sim_web *web;
	struct sim_host host, person;
	struct sim_kube_server server;
	struct http_client *client;
};

static void later_moment(void *self, uint64_t arg) {
	struct later *l = self;
	(void)arg;
	if (l->what == 0) sim_kube_pod_running(l->r->kube, l->uid);
	if (l->what == 1) sim_kube_pod_ready(l->r->kube, l->uid, true);
	if (l->what == 2) sim_kube_pod_exited(l->r->kube, l->uid, "Completed", 0);
}

static void later(struct rig *r, const char *uid, int what, int64_t ns) {
	assert(r->later_count < sizeof r->later / sizeof *r->later);
	struct later *l = &r->later[r->later_count++];
	*l = (struct later){ .r = r, .what = what };
	snprintf(l->uid, sizeof l->uid, "%s", uid);
	sim_queue_in(&r->queue, ns, later_moment, l, 0);
}

static void start_container(void *self, const struct sim_kube_pod *pod) {
	struct rig *r = self;
	later(r, pod->uid, 0, NS_PER_MS);
	later(r, pod->uid, 1, r->start_ns);
}
static void stop_container(void *self, const struct sim_kube_pod *pod, int64_t grace_ns) {
	struct rig *r = self;
	(void)grace_ns;
	if (!r->hang) later(r, pod->uid, 2, 100 * NS_PER_MS);
}
static void kill_container(void *self, const struct sim_kube_pod *pod) {
	(void)pod;
	((struct rig *)self)->killed++;
}
static const struct sim_kube_runtime runtime = { start_container, stop_container, kill_container };

static void rig_init(struct rig *r, uint64_t seed) {
	*r = (struct rig){ .start_ns = 2 * NS_PER_SEC };
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	struct rng rng = rng_seeded(seed);
	struct sim_kube_opts o = { &r->queue, &r->trace, rng_fork(&rng, "kube"), { 1767607200 * NS_PER_SEC }, 3, &runtime,
		                       r,         0 };
	r->kube = sim_kube_new(&o);
}

static void rig_done(struct rig *r) {
	sim_kube_free(r->kube);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

static void run_for(struct rig *r, int64_t ns) {
	int64_t until = r->queue.now_ns + ns;
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until));
}

static const char cart[] =
	"{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\"},\"spec\":{\"replicas\":4,\"selector\":{\"matchLabels\":{"
	"\"app\":\"cart\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"cart\"}},\"spec\":{\"containers\":[{\"name\":"
	"\"cart\",\"image\":\"shop/cart:1\",\"resources\":{\"limits\":{\"memory\":\"256Mi\"}}}]}}}}";

static void add_cart(const struct t *t, struct rig *r) {
	struct why why = { "" };
	EXPECT_OK(sim_kube_create(r->kube, KUBE_NAMESPACES, STR("{\"metadata\":{\"name\":\"shop\"}}"), &why));
	EXPECT_OK(sim_kube_create(r->kube, KUBE_DEPLOYMENTS, str_of(cart), &why));
}

static const struct doc *deployment(const struct rig *r) {
	return sim_kube_object(r->kube, KUBE_DEPLOYMENTS, "shop", "cart");
}

static int64_t ready_pods(const struct rig *r, int64_t *all) {
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
static int64_t wanted_pods(const struct rig *r) {
	const struct doc *d;
	int64_t sum = 0;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_REPLICASETS, &i));)
		sum += doc_int(doc_path(d, "spec.replicas"), 0);
	return sum;
}

/* ---- documents and patches ---- */

static struct doc *of(const struct t *t, const char *json) {
	struct why why = { "" };
	struct doc *d = doc_parse(str_of(json), &why);
	EXPECT(d);
	return d;
}

static bool is(const struct t *t, struct doc *d, const char *json) {
	struct doc *want = of(t, json);
	bool same = doc_equal(d, want);
	doc_free(d);
	doc_free(want);
	return same;
}

TEST(merge_patch_follows_its_rfc) {
	static const char *const cases[][3] = {
		/* RFC 7386, appendix A */
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doc *d = of(t, cases[i][0]), *p = of(t, cases[i][1]);
		sim_kube_merge_patch(d, p);
		doc_free(p);
		EXPECT(is(t, d, cases[i][2]));
	}
}

TEST(strategic_patch_merges_lists_by_their_keys) {
	static const char *const cases[][3] = {
		{ "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\"}]}",
		  "{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"c\"}]}",
		  "{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"b\"},{\"name\":\"c\"}]}" },
		{ "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
		  "{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}", "{\"containers\":[{\"name\":\"b\"}]}" },
		{ "{\"args\":[1,2]}", "{\"args\":[3]}", "{\"args\":[3]}" },
		{ "{\"finalizers\":[\"a\",\"b\"]}", "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}",
		  "{\"finalizers\":[\"b\"]}" },
		{ "{\"m\":{\"a\":1}}", "{\"m\":{\"$patch\":\"replace\",\"b\":2}}", "{\"m\":{\"b\":2}}" },
		{ "{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{}}}",
		  "{\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\"}}",
		  "{\"strategy\":{\"type\":\"Recreate\"}}" },
		{ "{\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\"}]}",
		  "{\"ports\":[{\"containerPort\":80,\"name\":\"x\"}]}",
		  "{\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\",\"name\":\"x\"}]}" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doc *d = of(t, cases[i][0]), *p = of(t, cases[i][1]);
		EXPECT_OK(sim_kube_strategic_patch(d, p, NULL));
		doc_free(p);
		EXPECT(is(t, d, cases[i][2]));
	}
}

TEST(json_patch_follows_its_rfc) {
	static const struct {
		const char *before, *ops, *after;
		enum err err;
	} cases[] = {
		{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
		  "{\"baz\":\"qux\",\"foo\":\"bar\"}", OK },
		{ "{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
		  "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", OK },
		{ "{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":1}]", "{\"foo\":[\"bar\",1]}", OK },
		{ "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
		  "{\"foo\":[\"bar\",\"baz\"]}", OK },
		{ "{\"a/b\":{\"m~n\":1}}", "[{\"op\":\"replace\",\"path\":\"/a~1b/m~0n\",\"value\":2}]",
		  "{\"a/b\":{\"m~n\":2}}", OK },
		{ "{\"a\":1,\"b\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b/c\"}]", "{\"b\":{\"c\":1}}", OK },
		{ "{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"a\":1,\"b\":1}", OK },
		{ "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]", "{\"a\":1}", OK },
		{ "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]", NULL, ERR_CONFLICT },
		{ "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", NULL, ERR_NOT_FOUND },
		{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":1}]", NULL, ERR_NOT_FOUND },
		{ "{\"a\":1}", "[{\"op\":\"jump\",\"path\":\"/a\",\"value\":1}]", NULL, ERR_INVALID },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doc *d = of(t, cases[i].before), *ops = of(t, cases[i].ops);
		struct why why;
		EXPECT_ERR(sim_kube_json_patch(&d, ops, &why), cases[i].err);
		doc_free(ops);
		if (cases[i].after)
			EXPECT(is(t, d, cases[i].after));
		else
			doc_free(d);
	}
}

/* ---- server-side apply ---- */

static enum err apply(const struct t *t, struct doc **object, const char *config, const char *name, bool force) {
	struct doc *c = of(t, config), *causes = doc_new(JSON_ARRAY), *out = NULL;
	struct sim_kube_manager m = { name, "", "2026-01-05T10:00:00Z", "apps/v1" };
	struct why why = { "" };
	enum err e = sim_kube_fields_apply(*object, c, &m, force, &out, causes, &why);
	EXPECT((e == ERR_CONFLICT) == (causes->child && !force));
	doc_free(c);
	doc_free(causes);
	if (e) return e;
	doc_free(*object);
	*object = out;
	return OK;
}

TEST(apply_owns_conflicts_takes_and_lets_go) {
	struct doc *d = NULL;
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":3,\"paused\":false}}", "a", false));
	EXPECT(str_is(sim_kube_fields_owner(d, "spec.replicas"), "a"));
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":3}}", "b", false)); /* the same value is shared */
	EXPECT_ERR(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", false), ERR_CONFLICT);
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", true));
	EXPECT(str_is(sim_kube_fields_owner(d, "spec.replicas"), "b") &&
	       str_is(sim_kube_fields_owner(d, "spec.paused"), "a"));
	EXPECT_OK(apply(t, &d, "{\"spec\":{}}", "a", false)); /* lets go of paused: nobody else has it */
	EXPECT(!doc_path(d, "spec.paused") && doc_int(doc_path(d, "spec.replicas"), 0) == 4);
	struct doc *before = doc_copy(d);
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", true));
	EXPECT(doc_equal(before, d)); /* again changes nothing */
	doc_free(before);
	before = doc_copy(d);
	doc_set_int(doc_make(d, "spec"), "replicas", 7);
	struct sim_kube_manager hand = { "kubectl", "", "2026-01-05T10:00:01Z", "apps/v1" };
	sim_kube_fields_update(before, d, &hand);
	EXPECT(str_is(sim_kube_fields_owner(d, "spec.replicas"), "kubectl")); /* a plain write takes it silently */
	EXPECT_ERR(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", false), ERR_CONFLICT);
	doc_free(before);
	doc_free(d);
}

TEST(apply_merges_lists_of_containers_by_name) {
	struct doc *d = NULL;
	EXPECT_OK(apply(t, &d,
	                "{\"spec\":{\"containers\":[{\"name\":\"x\",\"image\":\"1\"},{\"name\":\"y\",\"image\":\"1\"}]}}",
	                "a", false));
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"containers\":[{\"name\":\"z\",\"image\":\"1\"}]}}", "b", false));
	EXPECT(doc_count(doc_path(d, "spec.containers")) == 3);
	EXPECT_ERR(apply(t, &d, "{\"spec\":{\"containers\":[{\"name\":\"x\",\"image\":\"2\"}]}}", "b", false),
	           ERR_CONFLICT);
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"containers\":[{\"name\":\"x\",\"image\":\"1\"}]}}", "a", false)); /* y goes */
	EXPECT(doc_count(doc_path(d, "spec.containers")) == 2);
	doc_free(d);
}

/* ---- controllers ---- */

TEST(a_deployment_becomes_pods_that_get_ready) {
	struct rig r;
	int64_t all = 0;
	rig_init(&r, t->seed);
	add_cart(t, &r);
	run_for(&r, NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 0 && all == 4 && !sim_kube_rolled_out(deployment(&r)));
	run_for(&r, 5 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && all == 4 && sim_kube_rolled_out(deployment(&r)));
	const struct doc *d = deployment(&r);
	EXPECT(doc_int(doc_path(d, "status.availableReplicas"), 0) == 4 &&
	       doc_int(doc_path(d, "metadata.generation"), 0) == 1);
	EXPECT(sim_kube_condition_is(d, "Available", "True") && sim_kube_condition_is(d, "Progressing", "True"));
	EXPECT(doc_int(doc_get(doc_path(d, "metadata.annotations"), "deployment.kubernetes.io/revision"), 0) == 1);
	uint64_t version = sim_kube_version(r.kube);
	run_for(&r, 600 * NS_PER_SEC);
	EXPECT(sim_kube_version(r.kube) == version); /* at rest nothing writes */
	rig_done(&r);
}

/* With 4 replicas, 25 % surge and 25 % unavailable: never more than 5 pods, never fewer than 3 ready. */
TEST(a_rolling_update_keeps_its_limits_and_ends, .seeds = 20) {
	struct rig r;
	int64_t all = 0;
	rig_init(&r, t->seed);
	add_cart(t, &r);
	run_for(&r, 10 * NS_PER_SEC);
	EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl",
	                          STR("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"x\":\"1\"}}}}}"), NULL));
	int steps = 0;
	for (; steps < 3000 && !sim_kube_rolled_out(deployment(&r)); steps++) {
		run_for(&r, 10 * NS_PER_MS);
		EXPECT(ready_pods(&r, &all) >= 3 && wanted_pods(&r) <= 5);
	}
	EXPECT(steps > 300 && steps < 2000); /* two waves of about three seconds */
	EXPECT(sim_kube_count(r.kube, KUBE_REPLICASETS) == 2);
	EXPECT(doc_int(doc_get(doc_path(deployment(&r), "metadata.annotations"), "deployment.kubernetes.io/revision"), 0) ==
	       2);
	/* Back to the first template: its set is found again and becomes revision 3. */
	EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl",
	                          STR("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":null}}}}"), NULL));
	run_for(&r, 30 * NS_PER_SEC);
	EXPECT(sim_kube_count(r.kube, KUBE_REPLICASETS) == 2 && sim_kube_rolled_out(deployment(&r)));
	EXPECT(doc_int(doc_get(doc_path(deployment(&r), "metadata.annotations"), "deployment.kubernetes.io/revision"), 0) ==
	       3);
	rig_done(&r);
}

TEST(scaling_in_the_middle_of_a_rollout_is_shared_out) {
	struct rig r;
	int64_t all = 0;
	rig_init(&r, t->seed);
	add_cart(t, &r);
	run_for(&r, 10 * NS_PER_SEC);
	r.start_ns = 1000 * NS_PER_SEC; /* the new ones do not get ready */
	EXPECT_OK(sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl",
	                          STR("{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"x\":\"1\"}}}}}"), NULL));
	run_for(&r, 20 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 3 && all == 5);
	EXPECT_OK(
		sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":8}}"), NULL));
	run_for(&r, 20 * NS_PER_SEC);
	(void)ready_pods(&r, &all);
	EXPECT(all == 10); /* 8 and a surge of 2 */
	const struct doc *set;
	int64_t old = -1;
	for (size_t i = 0; (set = sim_kube_next(r.kube, KUBE_REPLICASETS, &i));)
		if (doc_int(doc_path(set, "status.readyReplicas"), 0) == 3) old = doc_int(doc_path(set, "spec.replicas"), 0);
	EXPECT(old == 6); /* GetReplicaSetFraction: 3 of 5 become 3 * 10 / 5 */
	rig_done(&r);
}

TEST(a_rollout_that_does_not_move_is_said_to_be_stuck) {
	struct rig r;
	rig_init(&r, t->seed);
	r.start_ns = INT64_C(100000) * NS_PER_SEC;
	add_cart(t, &r);
	run_for(&r, 500 * NS_PER_SEC);
	EXPECT(sim_kube_condition_is(deployment(&r), "Progressing", "True"));
	run_for(&r, 200 * NS_PER_SEC);
	EXPECT(sim_kube_condition_is(deployment(&r), "Progressing", "False"));
	rig_done(&r);
}

TEST(a_container_that_dies_comes_back_later_and_later) {
	struct rig r;
	rig_init(&r, t->seed);
	add_cart(t, &r);
	run_for(&r, 10 * NS_PER_SEC);
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
		if (waits_s[n]) run_for(&r, waits_s[n] * NS_PER_SEC);
		EXPECT(!sim_kube_pod_is_ready(sim_kube_object(r.kube, KUBE_PODS, "shop", name)));
		run_for(&r, 4 * NS_PER_SEC);
		EXPECT(sim_kube_pod_is_ready(sim_kube_object(r.kube, KUBE_PODS, "shop", name)));
	}
	rig_done(&r);
}

TEST(a_deleted_pod_is_replaced_and_a_hung_one_killed_after_its_grace) {
	struct rig r;
	int64_t all = 0;
	rig_init(&r, t->seed);
	add_cart(t, &r);
	run_for(&r, 10 * NS_PER_SEC);
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
	run_for(&r, 5 * NS_PER_SEC);
	EXPECT(ready_pods(&r, &all) == 4 && all == 4 && sim_kube_object(r.kube, KUBE_PODS, "shop", name));
	run_for(&r, 26 * NS_PER_SEC);
	EXPECT(!sim_kube_object(r.kube, KUBE_PODS, "shop", name) && r.killed == 1);
	size_t count = 0;
	const struct sim_kube_effect *e = sim_kube_effects(r.kube, &count);
	EXPECT(count == 1 && e->verb == KUBE_DELETE && e->spec_changed && !strcmp(e->name, name));
	rig_done(&r);
}

TEST(a_snapshot_is_what_was_there_then, .seeds = 10) {
	struct rig r;
	rig_init(&r, t->seed);
	add_cart(t, &r);
	run_for(&r, rng_below(&t->rng, 4 * NS_PER_SEC));
	uint64_t version = sim_kube_version(r.kube);
	struct sim_kube_state **now = NULL, **then = NULL;
	size_t a = 0, b = 0;
	EXPECT_OK(sim_kube_snapshot(r.kube, KUBE_PODS, 0, &now, &a));
	EXPECT_OK(
		sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":2}}"), NULL));
	run_for(&r, 10 * NS_PER_SEC);
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
	rig_done(&r);
}

/* ---- over HTTP ---- */

static enum err person_start(void *self, struct sim_host *h, struct why *why) {
	(void)why;
	return h->world.clients->open(h->world.clients, 100, &((struct rig *)self)->client);
}
static bool person_step(void *self) {
	(void)self;
	return false;
}
static struct mono person_due(void *self) {
	(void)self;
	return (struct mono){ INT64_MAX };
}
static void person_stop(void *self) {
	http_client_close(((struct rig *)self)->client);
}
static const struct sim_program person = { person_start, person_step, person_due, person_stop };

static void net_rig(const struct t *t, struct rig *r) {
	static const struct sim_kube_rule all = { "*", "*", "*", NULL };
	static struct sim_kube_user users[2];
	users[0] = (struct sim_kube_user){ "admin-token", "admin", &all, 1 };
	users[1] = (struct sim_kube_user){ "look-token", "system:serviceaccount:flyball:flyball", sim_kube_rules_look,
		                               sim_kube_rules_look_count };
	rig_init(r, t->seed);
	struct rng rng = rng_seeded(t->seed);
	sim_net_init(&r->net, &r->queue, &r->trace, rng);
	r->web = sim_web_new(&r->net);
	r->server = (struct sim_kube_server){ .kube = r->kube, .users = users, .user_count = 2, .port = 6443 };
	struct sim_host_opts o = {
		"kube",    &r->queue, &r->trace, r->web, sim_net_add(&r->net, "kube"), { 0 }, rng, &sim_kube_server_program,
		&r->server
	};
	sim_host_init(&r->host, &o);
	o.name = "person";
	o.number = sim_net_add(&r->net, "person");
	o.program = &person;
	o.self = r;
	sim_host_init(&r->person, &o);
	EXPECT_OK(sim_host_start(&r->host, NULL));
	EXPECT_OK(sim_host_start(&r->person, NULL));
	add_cart(t, r);
	run_for(r, 10 * NS_PER_SEC);
}

static void net_done(struct rig *r) {
	sim_host_done(&r->person);
	sim_host_done(&r->host);
	sim_web_free(r->web);
	sim_net_done(&r->net);
	rig_done(r);
}

static uint64_t send(const struct t *t, struct rig *r, const char *token, const char *method, const char *path,
                     const char *type, const char *body) {
	char url[600], bearer[100];
	snprintf(url, sizeof url, "http://kube:6443%s", path);
	snprintf(bearer, sizeof bearer, "Bearer %s", token);
	struct http_header h[] = { { STR("authorization"), str_of(bearer) },
		                       { STR("content-type"), str_of(type) },
		                       { STR("user-agent"), STR("curl/8") } };
	struct http_request q = { .method = str_of(method), .url = str_of(url), .headers = h, .header_count = 3 };
	q.body = str_of(body);
	uint64_t id = 0;
	EXPECT_OK(http_client_submit(r->client, &q, &id, NULL));
	return id;
}

/* The status and the body as a document (the caller's), of a request that ends. */
static int ask(const struct t *t, struct rig *r, const char *token, const char *method, const char *path,
               const char *type, const char *body, struct doc **out) {
	uint64_t id = send(t, r, token, method, path, type, body);
	struct buf b;
	int status = 0;
	bool over = false;
	buf_init(&b, 0);
	for (int i = 0; i < 1000 && !over; i++) {
		struct http_event e;
		run_for(r, 10 * NS_PER_MS);
		while (http_client_poll(r->client, &e)) {
			if (e.id != id) continue;
			if (e.kind == HTTP_RESPONSE) status = e.status;
			if (e.kind == HTTP_BODY) buf_str(&b, e.body);
			over = over || e.kind == HTTP_END || e.kind == HTTP_FAILED;
		}
	}
	EXPECT(over);
	if (out) *out = doc_parse(buf_get(&b), NULL);
	buf_done(&b);
	return status;
}

#define CART  "/apis/apps/v1/namespaces/shop/deployments/cart"
#define JSON  "application/json"
#define MERGE "application/merge-patch+json"

TEST(the_server_answers_as_the_real_one_by_status_code) {
	static const struct {
		const char *token, *method, *path, *type, *body;
		int status;
		const char *reason;
	} cases[] = {
		{ "admin-token", "GET", "/version", "", "", 200, NULL },
		{ "none", "GET", CART, "", "", 401, "Unauthorized" },
		{ "admin-token", "GET", CART, "", "", 200, NULL },
		{ "admin-token", "GET", CART "x", "", "", 404, "NotFound" },
		{ "admin-token", "GET", "/apis/apps/v1/namespaces/shop/nothings", "", "", 404, "NotFound" },
		{ "look-token", "GET", CART, "", "", 200, NULL },
		{ "look-token", "GET", "/api/v1/nodes", "", "", 403, "Forbidden" },
		{ "look-token", "PATCH", CART, MERGE, "{}", 403, "Forbidden" },
		{ "look-token", "DELETE", "/api/v1/namespaces/shop/pods/x", "", "", 403, "Forbidden" },
		{ "admin-token", "PATCH", CART, "text/plain", "{}", 415, "UnsupportedMediaType" },
		{ "admin-token", "PATCH", CART, MERGE, "{", 400, "BadRequest" },
		{ "admin-token", "PATCH", CART, MERGE, "{\"metadata\":{\"resourceVersion\":\"1\"}}", 409, "Conflict" },
		{ "admin-token", "PATCH", CART, MERGE, "{\"metadata\":{\"uid\":\"1\"}}", 422, "Invalid" },
		{ "admin-token", "PATCH", CART, MERGE, "{\"spec\":{\"replicas\":-1}}", 422, "Invalid" },
		{ "admin-token", "PATCH", CART, MERGE, "{\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"x\"}}}}", 422,
		  "Invalid" },
		{ "admin-token", "PATCH", CART "?dryRun=Some", MERGE, "{}", 422, "Invalid" },
		{ "admin-token", "PATCH", CART, "application/json-patch+json",
		  "[{\"op\":\"test\",\"path\":\"/metadata/name\",\"value\":\"x\"}]", 422, "Invalid" },
		{ "admin-token", "PATCH", CART, "application/apply-patch+yaml", "{}", 422, "Invalid" },
		{ "admin-token", "PATCH", CART "?fieldManager=x", "application/apply-patch+yaml",
		  "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cart\nspec:\n  replicas: 9\n", 409, "Conflict" },
		{ "admin-token", "POST", "/apis/apps/v1/namespaces/shop/deployments", JSON, cart, 409, "AlreadyExists" },
		{ "admin-token", "POST", "/apis/apps/v1/namespaces/none/deployments", JSON, cart, 404, "NotFound" },
		{ "admin-token", "DELETE", CART, JSON, "{\"preconditions\":{\"uid\":\"x\"}}", 409, "Conflict" },
		{ "admin-token", "DELETE", CART "?dryRun=All", JSON, "", 200, NULL },
		{ "admin-token", "GET", "/api/v1/pods?labelSelector=%3D", "", "", 400, "BadRequest" },
		{ "admin-token", "GET", "/api/v1/pods?continue=x", "", "", 400, "BadRequest" },
	};
	struct rig r;
	net_rig(t, &r);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doc *d = NULL;
		int status = ask(t, &r, cases[i].token, cases[i].method, cases[i].path, cases[i].type, cases[i].body, &d);
		if (status != cases[i].status) fprintf(stderr, "%s %s: %d\n", cases[i].method, cases[i].path, status);
		EXPECT(status == cases[i].status && d);
		if (cases[i].reason) {
			EXPECT(!strcmp(doc_c(doc_get(d, "kind")), "Status") &&
			       !strcmp(doc_c(doc_get(d, "reason")), cases[i].reason));
			EXPECT(doc_int(doc_get(d, "code"), 0) == status);
		}
		doc_free(d);
	}
	size_t effects = 0;
	(void)sim_kube_effects(r.kube, &effects);
	EXPECT(effects == 0 && doc_int(doc_path(deployment(&r), "metadata.generation"), 0) == 1); /* nothing was done */
	net_done(&r);
}

TEST(writes_count_as_effects_once_and_dry_runs_not_at_all) {
	struct rig r;
	struct doc *d = NULL;
	size_t effects = 0;
	net_rig(t, &r);
	const char *restart = "{\"metadata\":{\"annotations\":{\"flyball.dev/action-key\":\"k1\"}},\"spec\":{\"template\":{"
						  "\"metadata\":{\"annotations\":{\"at\":\"1\"}}}}}";
	EXPECT(ask(t, &r, "admin-token", "PATCH", CART "?dryRun=All&fieldManager=f", MERGE, restart, &d) == 200);
	EXPECT(doc_int(doc_path(d, "metadata.generation"), 0) == 2); /* as it would be */
	doc_free(d);
	(void)sim_kube_effects(r.kube, &effects);
	EXPECT(effects == 0 && doc_int(doc_path(deployment(&r), "metadata.generation"), 0) == 1);
	for (int i = 0; i < 3; i++)
		EXPECT(ask(t, &r, "admin-token", "PATCH", CART "?fieldManager=f", MERGE, restart, NULL) == 200);
	const struct sim_kube_effect *e = sim_kube_effects(r.kube, &effects);
	EXPECT(effects >= 1 && e[0].spec_changed && !strcmp(e[0].key, "k1") && !strcmp(e[0].manager, "f"));
	for (size_t i = 1; i < effects; i++) EXPECT(!e[i].spec_changed); /* the controller had written between */
	EXPECT(ask(t, &r, "admin-token", "PATCH", CART "/scale?fieldManager=s", MERGE, "{\"spec\":{\"replicas\":6}}", &d) ==
	       200);
	EXPECT(!strcmp(doc_c(doc_get(d, "kind")), "Scale") && doc_int(doc_path(d, "spec.replicas"), 0) == 6);
	doc_free(d);
	EXPECT(str_is(sim_kube_fields_owner(deployment(&r), "spec.replicas"), "s"));
	run_for(&r, 20 * NS_PER_SEC);
	EXPECT(doc_int(doc_path(deployment(&r), "status.availableReplicas"), 0) == 6);
	net_done(&r);
}

TEST(lists_come_in_pages_of_one_moment) {
	struct rig r;
	struct doc *d = NULL;
	char path[400];
	net_rig(t, &r);
	EXPECT(ask(t, &r, "admin-token", "GET", "/api/v1/namespaces/shop/pods?limit=3", "", "", &d) == 200);
	EXPECT(!strcmp(doc_c(doc_get(d, "kind")), "PodList") && doc_count(doc_get(d, "items")) == 3);
	EXPECT(!doc_get(doc_at(doc_get(d, "items"), 0), "kind"));
	snprintf(path, sizeof path, "/api/v1/namespaces/shop/pods?limit=3&continue=%s",
	         doc_c(doc_path(d, "metadata.continue")));
	doc_free(d);
	EXPECT_OK(
		sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":0}}"), NULL));
	run_for(&r, 5 * NS_PER_SEC);
	EXPECT(sim_kube_count(r.kube, KUBE_PODS) == 0);
	EXPECT(ask(t, &r, "admin-token", "GET", path, "", "", &d) == 200);
	EXPECT(doc_count(doc_get(d, "items")) == 1 && !doc_path(d, "metadata.continue"));
	doc_free(d);
	sim_kube_compact(r.kube);
	EXPECT(ask(t, &r, "admin-token", "GET", path, "", "", &d) == 410);
	doc_free(d);
	EXPECT(ask(t, &r, "admin-token", "GET", "/apis/apps/v1/deployments?labelSelector=x%20in%20(a,b)", "", "", &d) ==
	       200);
	EXPECT(doc_count(doc_get(d, "items")) == 0);
	doc_free(d);
	EXPECT(ask(t, &r, "admin-token", "GET", "/apis/apps/v1/deployments?fieldSelector=metadata.name%3Dcart", "", "",
	           &d) == 200);
	EXPECT(doc_count(doc_get(d, "items")) == 1);
	doc_free(d);
	net_done(&r);
}

/* Reads what a watch sent so far, as a list of events. */
static void read_watch(struct rig *r, struct buf *b, bool *over) {
	struct http_event e;
	while (http_client_poll(r->client, &e)) {
		if (e.kind == HTTP_BODY) buf_str(b, e.body);
		*over = *over || e.kind == HTTP_END || e.kind == HTTP_FAILED;
	}
}

TEST(a_watch_tells_every_change_from_its_version_on_and_410_when_it_cannot) {
	struct rig r;
	char path[300];
	bool over = false;
	struct buf b;
	net_rig(t, &r);
	buf_init(&b, 0);
	snprintf(path, sizeof path, "/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=100&resourceVersion=%llu",
	         (unsigned long long)sim_kube_version(r.kube));
	(void)send(t, &r, "admin-token", "GET", path, "", "");
	EXPECT_OK(
		sim_kube_change(r.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":5}}"), NULL));
	run_for(&r, 90 * NS_PER_SEC);
	read_watch(&r, &b, &over);
	int added = 0, modified = 0, bookmarks = 0;
	int64_t last = 0;
	for (struct str rest = buf_get(&b), line; rest.n;) {
		if (!str_cut(rest, '\n', &line, &rest)) break;
		struct doc *d = doc_parse(line, NULL);
		EXPECT(d);
		const char *type = doc_c(doc_get(d, "type"));
		added += !strcmp(type, "ADDED");
		modified += !strcmp(type, "MODIFIED");
		bookmarks += !strcmp(type, "BOOKMARK");
		int64_t version = doc_int(doc_path(d, "object.metadata.resourceVersion"), 0);
		EXPECT(version >= last && version > 0);
		last = version;
		doc_free(d);
	}
	EXPECT(added == 1 && modified >= 3 && bookmarks == 1 && !over);
	run_for(&r, 20 * NS_PER_SEC);
	read_watch(&r, &b, &over);
	EXPECT(over); /* timeoutSeconds */
	sim_kube_compact(r.kube);
	buf_clear(&b);
	over = false;
	(void)send(t, &r, "admin-token", "GET", path, "", "");
	run_for(&r, NS_PER_SEC);
	read_watch(&r, &b, &over);
	EXPECT(over && b.p && strstr(b.p, "\"ERROR\"") && strstr(b.p, "410"));
	buf_done(&b);
	net_done(&r);
}

TEST(an_eviction_asks_the_disruption_budget) {
	struct rig r;
	struct doc *d = NULL;
	char path[300];
	net_rig(t, &r);
	EXPECT_OK(
		sim_kube_create(r.kube, KUBE_PDBS,
	                    STR("{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\"},\"spec\":{\"minAvailable\":4,"
	                        "\"selector\":{\"matchLabels\":{\"app\":\"cart\"}}}}"),
	                    NULL));
	run_for(&r, NS_PER_SEC); /* until the disruption controller has counted */
	size_t i = 0;
	snprintf(path, sizeof path, "/api/v1/namespaces/shop/pods/%s/eviction",
	         doc_c(doc_path(sim_kube_next(r.kube, KUBE_PODS, &i), "metadata.name")));
	EXPECT(ask(t, &r, "admin-token", "POST", path, JSON, "{\"kind\":\"Eviction\"}", &d) == 429);
	doc_free(d);
	EXPECT_OK(
		sim_kube_change(r.kube, KUBE_PDBS, "shop", "cart", "kubectl", STR("{\"spec\":{\"minAvailable\":3}}"), NULL));
	run_for(&r, NS_PER_SEC);
	EXPECT(ask(t, &r, "admin-token", "POST", path, JSON, "{\"kind\":\"Eviction\"}", &d) == 201);
	doc_free(d);
	run_for(&r, 10 * NS_PER_SEC);
	size_t effects = 0;
	const struct sim_kube_effect *e = sim_kube_effects(r.kube, &effects);
	EXPECT(effects == 1 && e->verb == KUBE_EVICT);
	net_done(&r);
}

TEST(one_may_ask_what_one_may) {
	struct rig r;
	struct doc *d = NULL;
	net_rig(t, &r);
	static const char *const asked[] = { "list", "patch" };
	for (int i = 0; i < 2; i++) {
		char body[300];
		snprintf(
			body, sizeof body,
			"{\"spec\":{\"resourceAttributes\":{\"verb\":\"%s\",\"group\":\"apps\",\"resource\":\"deployments\"}}}",
			asked[i]);
		EXPECT(ask(t, &r, "look-token", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", JSON, body,
		           &d) == 201);
		EXPECT(doc_bool(doc_path(d, "status.allowed"), i) == !i);
		doc_free(d);
	}
	net_done(&r);
}

RUN(merge_patch_follows_its_rfc, strategic_patch_merges_lists_by_their_keys, json_patch_follows_its_rfc,
    apply_owns_conflicts_takes_and_lets_go, apply_merges_lists_of_containers_by_name,
    a_deployment_becomes_pods_that_get_ready, a_rolling_update_keeps_its_limits_and_ends,
    scaling_in_the_middle_of_a_rollout_is_shared_out, a_rollout_that_does_not_move_is_said_to_be_stuck,
    a_container_that_dies_comes_back_later_and_later, a_deleted_pod_is_replaced_and_a_hung_one_killed_after_its_grace,
    a_snapshot_is_what_was_there_then, the_server_answers_as_the_real_one_by_status_code,
    writes_count_as_effects_once_and_dry_runs_not_at_all, lists_come_in_pages_of_one_moment,
    a_watch_tells_every_change_from_its_version_on_and_410_when_it_cannot, an_eviction_asks_the_disruption_budget,
    one_may_ask_what_one_may)
