#include "execute/kubernetes/kubernetes.h"

#include <string.h>

#include "base/url.h"
#include "execute/kubernetes/fake_api.h"

/* A cluster of one Deployment with three pods, told by the fake API. */
struct cluster {
	struct fake_api api;
	struct executor *executor;
	char deployment[4096], key[80];
	int generation, version, writes, dry_runs;
	int conflicts; /* writes still to be refused with 409 */
	int lost;      /* writes still to take effect without an answer */
	bool hpa, forbid_hpas;
	const char *manager; /* of spec.replicas */
};

static const char *deployment(struct cluster *c) {
	snprintf(c->deployment, sizeof c->deployment,
	         "{\"metadata\":{\"name\":\"pay-v2\",\"namespace\":\"shop\",\"uid\":\"D\",\"resourceVersion\":\"%d\","
	         "\"generation\":%d,"
	         "\"annotations\":{\"deployment.kubernetes.io/revision\":\"2\"%s%s%s},"
	         "\"managedFields\":[{\"manager\":\"%s\",\"time\":\"2026-01-01T00:00:00Z\",\"fieldsV1\":{\"f:spec\":{\"f:"
	         "replicas\":{},\"f:template\":{}}}}]},"
	         "\"spec\":{\"replicas\":3,\"template\":{\"metadata\":{\"labels\":{\"app\":\"pay\"}}}},"
	         "\"status\":{\"observedGeneration\":%d,\"replicas\":3,\"updatedReplicas\":3,\"availableReplicas\":3}}",
	         c->version, c->generation, c->key[0] ? ",\"flyball.dev/action-key\":\"" : "", c->key,
	         c->key[0] ? "\"" : "", c->manager ? c->manager : "kubectl-create", c->generation);
	return c->deployment;
}

#define SETS                                                                                             \
	"{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":["                                              \
	"{\"metadata\":{\"name\":\"pay-1\",\"namespace\":\"shop\",\"uid\":\"R1\",\"resourceVersion\":\"1\"," \
	"\"annotations\":{\"deployment.kubernetes.io/"                                                       \
	"revision\":\"1\"},\"ownerReferences\":[{\"kind\":\"Deployment\",\"name\":\"pay-v2\",\"uid\":\"D\"," \
	"\"controller\":true}]}},"                                                                           \
	"{\"metadata\":{\"name\":\"pay-2\",\"namespace\":\"shop\",\"uid\":\"R2\",\"resourceVersion\":\"1\"," \
	"\"annotations\":{\"deployment.kubernetes.io/"                                                       \
	"revision\":\"2\"},\"ownerReferences\":[{\"kind\":\"Deployment\",\"name\":\"pay-v2\",\"uid\":\"D\"," \
	"\"controller\":true}]}}]}"
#define POD(n, ready)                                                                                               \
	"{\"metadata\":{\"name\":\"p" n "\",\"namespace\":\"shop\",\"uid\":\"P" n                                       \
	"\",\"resourceVersion\":\"1\",\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"pay-2\",\"uid\":\"R2\"," \
	"\"controller\":true}]},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"" ready "\"}]}}"
#define PODS                                                                                                \
	"{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[" POD("1", "True") "," POD("2", "False") "," POD( \
		"3", "True") "]}"
#define HPAS                                                                                                         \
	"{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[{\"metadata\":{\"name\":\"h\",\"namespace\":\"shop\","     \
	"\"uid\":\"H\",\"resourceVersion\":\"1\"},\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"pay-" \
	"v2\"}}}]}"
#define NONE "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[]}"

static bool answer_write(struct cluster *c, const struct fake_request *r, int *status, const char **body) {
	const char *key = strstr(r->body, "flyball.dev/action-key");
	bool dry = strstr(r->url, "dryRun=All") || strstr(r->body, "dryRun");
	*body = "{}";
	if (dry) {
		c->dry_runs++;
		return true;
	}
	if (c->conflicts && c->conflicts--) {
		*status = 409;
		*body = "{\"kind\":\"Status\",\"message\":\"the object has been modified\"}";
		c->version++;
		return true;
	}
	c->writes++;
	c->generation++;
	c->version++;
	if (key) sscanf(key, "flyball.dev/action-key\":\"%79[^\"]", c->key);
	if (c->lost && c->lost--) *status = 0;
	return true;
}

static bool answer(struct fake_api *f, const struct fake_request *r, int *status, const char **body) {
	struct cluster *c = f->self;
	static char list[8192];
	if (r->watch) return false;
	if (strcmp(r->method, "GET") != 0) return answer_write(c, r, status, body);
	if (strstr(r->url, "/deployments/pay-v2"))
		*body = deployment(c);
	else if (strstr(r->url, "/replicasets/pay-1"))
		*body = "{\"metadata\":{\"name\":\"pay-1\",\"uid\":\"R1\"},\"spec\":{\"template\":{\"metadata\":{\"labels\":{"
				"\"app\":\"pay\",\"pod-template-hash\":\"x\"}},\"spec\":{\"a\":1}}}}";
	else if (strstr(r->url, "/pods/p2"))
		*body = POD("2", "False");
	else if (strstr(r->url, "/deployments?")) {
		snprintf(list, sizeof list, "{\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[%s]}", deployment(c));
		*body = list;
	} else if (strstr(r->url, "/replicasets?"))
		*body = SETS;
	else if (strstr(r->url, "/pods?"))
		*body = PODS;
	else if (strstr(r->url, "/horizontalpodautoscalers?") && c->forbid_hpas)
		*status = 403, *body = "{\"message\":\"forbidden\"}";
	else
		*body = c->hpa ? HPAS : NONE;
	return true;
}

static void start(struct t *t, struct cluster *c) {
	struct url u = { 0 };
	struct why why = { "" };
	static const struct service_map map[] = { { STR("mapped"), STR("shop"), STR("pay-v2"), STR("Deployment") } };
	fake_api_init(&c->api);
	c->api.answer = answer;
	c->api.self = c;
	c->generation = c->version = 5;
	struct executor_setup s = { .world = &c->api.world, .services = map, .service_count = 1 };
	EXPECT_OK(url_parse(t->arena, STR("kubernetes:?server=http://api"), &u, &why));
	EXPECT_OK(kubernetes_open(&s, &u, &c->executor, &why));
	struct exec_done d;
	for (int i = 0; i < 20; i++) EXPECT(!c->executor->ops->poll(c->executor, &d));
	EXPECT(c->executor->ops->ready(c->executor, &why));
}

static void stop(struct cluster *c) {
	c->executor->ops->close(c->executor);
	fake_api_done(&c->api);
}

static struct exec_done wait_done(struct t *t, struct cluster *c) {
	struct exec_done d;
	for (int i = 0; i < 50; i++)
		if (c->executor->ops->poll(c->executor, &d)) return d;
	test_fail(t, __FILE__, __LINE__, "no answer");
}

/* What coverage shows of a service is what an action would do: the same object by the same way, or the same reason. */
static void mapped_alike(struct t *t, struct cluster *c, struct target target, const struct exec_done *d) {
	struct plan p = { 0 };
	struct why why = { "" };
	enum err e = c->executor->ops->map(c->executor, &target, t->arena, &p, &why);
	EXPECT(e == d->err);
	if (e)
		EXPECT(strcmp(why.text, d->why) == 0);
	else
		EXPECT(str_eq(p.uid, d->plan->uid) && str_eq(p.name, d->plan->name) &&
		       str_eq(p.mapped_by, d->plan->mapped_by) && str_eq(p.owner, d->plan->owner));
}

static struct exec_done plan_of(struct t *t, struct cluster *c, enum action_kind a, struct target target,
                                int64_t replicas) {
	EXPECT_OK(c->executor->ops->plan(c->executor, a, &target, replicas, 7));
	struct exec_done d = wait_done(t, c);
	EXPECT(d.kind == EXEC_PLANNED && d.tag == 7);
	if (a == ACTION_ROLLOUT_RESTART) mapped_alike(t, c, target, &d);
	return d;
}

static struct plan kept(struct t *t, const struct plan *p) { /* beyond the next poll */
	struct plan k = *p;
	struct str *f[] = { &k.namespace_,       &k.kind,  &k.name, &k.uid,    &k.mapped_by,
		                &k.resource_version, &k.owner, &k.undo, &k.params, &k.summary };
	for (size_t i = 0; i < sizeof f / sizeof *f; i++) *f[i] = str_copy(t->arena, *f[i]);
	return k;
}

static const struct target by_attributes = { .service = STR("payment"),
	                                         .namespace_ = STR("shop"),
	                                         .workload = STR("pay-v2") };

TEST(a_service_is_mapped_by_attributes_then_pods_then_configuration_and_never_by_name) {
	static struct cluster c;
	memset(&c, 0, sizeof c);
	start(t, &c);
	struct str pods[] = { STR("unknown"), STR("P3") };
	struct exec_done d = plan_of(t, &c, ACTION_ROLLOUT_RESTART, by_attributes, 0);
	EXPECT(d.err == OK && str_is(d.plan->mapped_by, "k8s.deployment.name") && str_is(d.plan->uid, "D") &&
	       d.plan->generation == 5);
	EXPECT(d.plan->pods_disturbed == 3 && !d.plan->owner.n);
	d = plan_of(t, &c, ACTION_ROLLOUT_RESTART,
	            (struct target){ .service = STR("payment"), .pod_uids = pods, .pod_uid_count = 2 }, 0);
	EXPECT(d.err == OK && strstr(str_c(t->arena, d.plan->mapped_by), "owner references of pod shop/p3"));
	d = plan_of(t, &c, ACTION_ROLLOUT_RESTART, (struct target){ .service = STR("mapped") }, 0);
	EXPECT(d.err == OK && str_starts(d.plan->mapped_by, STR("services:")));
	d = plan_of(t, &c, ACTION_ROLLOUT_RESTART, (struct target){ .service = STR("pay-v2") },
	            0); /* equal to the Deployment's name */
	EXPECT(d.err == ERR_NOT_FOUND && strstr(d.why, "services:"));
	d = plan_of(t, &c, ACTION_ROLLOUT_RESTART,
	            (struct target){ .service = STR("x"), .namespace_ = STR("shop"), .workload = STR("gone") }, 0);
	EXPECT(d.err == ERR_NOT_FOUND && strstr(d.why, "shop/gone"));
	stop(&c);
}

TEST(an_effect_carries_the_key_and_repeating_it_writes_nothing) {
	static struct cluster c;
	memset(&c, 0, sizeof c);
	start(t, &c);
	struct action_key key = { "abc123" };
	struct plan p = kept(t, plan_of(t, &c, ACTION_ROLLOUT_RESTART, by_attributes, 0).plan);
	for (int i = 0; i < 3; i++) {
		EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_ROLLOUT_RESTART, &p, &key, 8));
		struct exec_done d = wait_done(t, &c);
		EXPECT(d.err == OK && d.kind == EXEC_APPLIED && d.repeated == (i > 0));
	}
	EXPECT(c.writes == 1 && c.dry_runs == 1 && strcmp(c.key, "abc123") == 0);
	EXPECT(strstr(c.api.log[c.api.log_count - 3].url, "fieldManager=flyball-restart"));
	stop(&c);
}

TEST(a_lost_answer_is_asked_again_and_found_done) {
	static struct cluster c;
	memset(&c, 0, sizeof c);
	c.lost = 1;
	start(t, &c);
	struct action_key key = { "abc123" };
	struct plan p = kept(t, plan_of(t, &c, ACTION_ROLLOUT_RESTART, by_attributes, 0).plan);
	EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_ROLLOUT_RESTART, &p, &key, 8));
	EXPECT(wait_done(t, &c).err == ERR_TIMEOUT);
	EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_ROLLOUT_RESTART, &p, &key, 9));
	struct exec_done d = wait_done(t, &c);
	EXPECT(d.err == OK && d.repeated && c.writes == 1);
	stop(&c);
}

TEST(a_status_change_is_read_past_and_a_changed_spec_is_a_conflict) {
	static struct cluster c;
	memset(&c, 0, sizeof c);
	c.conflicts = 2;
	start(t, &c);
	struct action_key key = { "abc123" };
	struct plan p = kept(t, plan_of(t, &c, ACTION_ROLLOUT_RESTART, by_attributes, 0).plan);
	EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_ROLLOUT_RESTART, &p, &key, 8));
	EXPECT(wait_done(t, &c).err == OK && c.writes == 1);
	c.key[0] = 0;
	c.generation++; /* somebody's kubectl edit, after the plan */
	EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_ROLLOUT_RESTART, &p, &key, 9));
	struct exec_done d = wait_done(t, &c);
	EXPECT(d.err == ERR_CONFLICT && strstr(d.why, "generation") && c.writes == 1);
	c.generation = 5;
	c.conflicts = 100;
	EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_ROLLOUT_RESTART, &p, &key, 10));
	EXPECT(wait_done(t, &c).err == ERR_CONFLICT && c.writes == 1);
	stop(&c);
}

TEST(owners_of_a_field_are_named) {
	static struct cluster c;
	memset(&c, 0, sizeof c);
	c.hpa = true;
	start(t, &c);
	struct exec_done d = plan_of(t, &c, ACTION_SCALE, by_attributes, 5);
	EXPECT(d.err == OK && str_is(d.plan->owner, "HorizontalPodAutoscaler/h"));
	EXPECT(str_is(d.plan->undo, "{\"replicas\":3}") && str_is(d.plan->params, "{\"replicas\":5}"));
	EXPECT(plan_of(t, &c, ACTION_SCALE, by_attributes, 3).err == ERR_INVALID);
	stop(&c);
	memset(&c, 0, sizeof c);
	c.manager = "fancy-operator";
	start(t, &c);
	d = plan_of(t, &c, ACTION_SCALE, by_attributes, 5);
	EXPECT(str_is(d.plan->owner, "field manager fancy-operator"));
	EXPECT(!plan_of(t, &c, ACTION_ROLLOUT_RESTART, by_attributes, 0).plan->owner.n);
	stop(&c);
	memset(&c, 0, sizeof c);
	c.forbid_hpas = true;
	start(t, &c);
	d = plan_of(t, &c, ACTION_SCALE, by_attributes, 5);
	EXPECT(str_starts(d.plan->owner, STR("unknown:")));
	stop(&c);
}

TEST(the_sick_pod_is_deleted_by_its_uid_and_a_healthy_one_never) {
	static struct cluster c;
	memset(&c, 0, sizeof c);
	start(t, &c);
	struct action_key key = { "abc123" };
	struct plan p = kept(t, plan_of(t, &c, ACTION_DELETE_POD, by_attributes, 0).plan);
	EXPECT(str_is(p.uid, "P2") && str_is(p.kind, "Pod") && p.pods_disturbed == 1);
	EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_DELETE_POD, &p, &key, 8));
	EXPECT(wait_done(t, &c).err == OK && c.dry_runs == 1 && c.writes == 1);
	EXPECT(strstr(c.api.log[c.api.log_count - 1].body, "\"preconditions\":{\"uid\":\"P2\"}"));
	EXPECT_OK(c.executor->ops->undo(c.executor, ACTION_DELETE_POD, &p, &key, 9));
	EXPECT(wait_done(t, &c).err == ERR_UNSUPPORTED);
	stop(&c);
}

TEST(an_undo_goes_back_one_revision_and_can_itself_be_taken_back) {
	static struct cluster c;
	memset(&c, 0, sizeof c);
	start(t, &c);
	struct action_key key = { "abc123" };
	struct plan p = kept(t, plan_of(t, &c, ACTION_ROLLOUT_UNDO, by_attributes, 0).plan);
	EXPECT(strstr(str_c(t->arena, p.params), "\"replicaset\":\"pay-1\"") && strstr(str_c(t->arena, p.undo), "pay-2"));
	EXPECT_OK(c.executor->ops->apply(c.executor, ACTION_ROLLOUT_UNDO, &p, &key, 8));
	EXPECT(wait_done(t, &c).err == OK && c.writes == 1);
	const char *body = c.api.log[c.api.log_count - 1].body;
	EXPECT(strstr(body, "\"path\":\"/metadata/resourceVersion\"") && !strstr(body, "pod-template-hash") &&
	       strstr(body, "\"a\":1"));
	stop(&c);
}

TEST(a_watch_resumes_where_it_ended_and_lists_anew_when_history_is_gone) {
	static struct cluster c;
	struct exec_done d;
	memset(&c, 0, sizeof c);
	start(t, &c);
	EXPECT(fake_api_count(&c.api, "GET", "/pods?watch=1") == 1);
	fake_api_line(&c.api, "/pods?watch",
	              "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"77\"}}}");
	fake_api_end(&c.api, "/pods?watch", OK);
	for (int i = 0; i < 10; i++) (void)c.executor->ops->poll(c.executor, &d);
	EXPECT(fake_api_count(&c.api, "GET", "resourceVersion=77") == 1);
	fake_api_line(&c.api, "/pods?watch", "{\"type\":\"ERROR\",\"object\":{\"code\":410}}");
	for (int i = 0; i < 10; i++) (void)c.executor->ops->poll(c.executor, &d);
	EXPECT(fake_api_count(&c.api, "GET", "/pods?limit=") == 2);
	fake_api_end(&c.api, "/pods?watch", ERR_CLOSED);
	for (int i = 0; i < 10; i++) (void)c.executor->ops->poll(c.executor, &d);
	size_t before = fake_api_count(&c.api, "GET", "/pods?watch=1");
	fake_clock_advance(&c.api.time, NS_PER_SEC);
	for (int i = 0; i < 10; i++) (void)c.executor->ops->poll(c.executor, &d);
	EXPECT(fake_api_count(&c.api, "GET", "/pods?watch=1") == before + 1);
	stop(&c);
}

RUN(a_service_is_mapped_by_attributes_then_pods_then_configuration_and_never_by_name,
    an_effect_carries_the_key_and_repeating_it_writes_nothing, a_lost_answer_is_asked_again_and_found_done,
    a_status_change_is_read_past_and_a_changed_spec_is_a_conflict, owners_of_a_field_are_named,
    the_sick_pod_is_deleted_by_its_uid_and_a_healthy_one_never,
    an_undo_goes_back_one_revision_and_can_itself_be_taken_back,
    a_watch_resumes_where_it_ended_and_lists_anew_when_history_is_gone)
