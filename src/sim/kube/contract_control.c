/* The contract: what the controllers do. */
#include <stdio.h>

#include "base/clock.h"
#include "sim/kube/contract_impl.h"
#include "sim/memory.h"

static void pods_go(struct contract_suite *s) {
	char path[400], body[200], name[160], uid[64];
	s->promise = "a pod goes by its uid alone, and is replaced";
	struct doc *d = contract_list(s, s->pods);
	const struct doc *p = doc_at(doc_get(d, "items"), 0);
	snprintf(name, sizeof name, "%s", doc_c(doc_path(p, "metadata.name")));
	snprintf(uid, sizeof uid, "%s", doc_c(doc_path(p, "metadata.uid")));
	doc_free(d);
	snprintf(path, sizeof path, "%s/%s", s->pods, name);
	contract_refuse(s, "DELETE", path, JSON, "{\"preconditions\":{\"uid\":\"00000000-0000-4000-8000-000000000000\"}}",
	                409, "Conflict");
	snprintf(body, sizeof body, "{\"preconditions\":{\"uid\":\"%s\"},\"dryRun\":[\"All\"]}", uid);
	doc_free(contract_expect(s, "DELETE", path, JSON, body, 200, NULL));
	d = contract_expect(s, "GET", path, "", "", 200, NULL);
	contract_check(s, !doc_path(d, "metadata.deletionTimestamp"), "a dry run deleted it");
	doc_free(d);
	snprintf(body, sizeof body, "{\"preconditions\":{\"uid\":\"%s\"}}", uid);
	doc_free(contract_expect(s, "DELETE", path, JSON, body, 200, NULL));
	int status = 0;
	for (int i = 0; i < PATIENCE && status != 404; i++) {
		s->c->wait(s->c->self, NS_PER_SEC / 2);
		status = contract_ask(s, "GET", path, "", "", NULL);
	}
	contract_check(s, status == 404, "it is still there");
	contract_wait_rolled_out(s);
	d = contract_list(s, s->pods);
	contract_check(s, doc_count(doc_get(d, "items")) == 4, "it was not replaced");
	doc_free(d);
}

static void evictions(struct contract_suite *s) {
	char path[400], body[300], pdbs[200];
	s->promise = "an eviction asks the budget";
	snprintf(pdbs, sizeof pdbs, "/apis/policy/v1/namespaces/%s/poddisruptionbudgets", s->c->namespace_);
	doc_free(
		contract_expect(s, "POST", pdbs, JSON,
	                    "{\"metadata\":{\"name\":\"cart\"},\"spec\":{\"minAvailable\":4,\"selector\":{\"matchLabels\":{"
	                    "\"app\":\"cart\"}}}}",
	                    201, NULL));
	s->c->wait(s->c->self, 3 * NS_PER_SEC);
	struct doc *d = contract_list(s, s->pods);
	char name[160];
	snprintf(name, sizeof name, "%s", doc_c(doc_path(doc_at(doc_get(d, "items"), 0), "metadata.name")));
	doc_free(d);
	snprintf(path, sizeof path, "%s/%s/eviction", s->pods, name);
	snprintf(body, sizeof body,
	         "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"}}",
	         name, s->c->namespace_);
	contract_refuse(s, "POST", path, JSON, body, 429, "TooManyRequests");
	snprintf(pdbs + strlen(pdbs), sizeof pdbs - strlen(pdbs), "/cart");
	doc_free(contract_expect(s, "PATCH", pdbs, MERGE, "{\"spec\":{\"minAvailable\":3}}", 200, NULL));
	s->c->wait(s->c->self, 3 * NS_PER_SEC);
	doc_free(contract_expect(s, "POST", path, JSON, body, 201, NULL));
	contract_wait_rolled_out(s);
}

/* 4 replicas, a quarter more, a quarter fewer: by the ReplicaSets' specs 5 at most, by status 3 available at least. */
static void limits(struct contract_suite *s) {
	s->promise = "a rolling update keeps maxSurge and maxUnavailable";
	doc_free(contract_expect(s, "PATCH", s->cart, STRATEGIC,
	                         "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"n\":\"1\"}}}}}", 200, NULL));
	for (int i = 0; i < 10 * PATIENCE; i++) {
		struct doc *all = contract_sets(s), *d = contract_cart(s);
		int64_t spec = 0;
		doc_each(set, doc_get(all, "items")) spec += doc_int(doc_path(set, "spec.replicas"), 0);
		int64_t available = doc_int(doc_path(d, "status.availableReplicas"), 0);
		bool done = contract_rolled_out(d);
		doc_free(all);
		doc_free(d);
		if (!contract_check(s, spec <= 5 && available >= 3, "%lld wanted, %lld available", (long long)spec,
		                    (long long)available))
			return;
		if (done) return;
		s->c->wait(s->c->self, 50 * NS_PER_MS);
	}
	contract_check(s, false, "the rollout does not end");
}

static void deletion(struct contract_suite *s) {
	s->promise = "what a Deployment owns goes with it";
	struct doc *d = contract_expect(s, "DELETE", s->cart, JSON, "", 200, NULL);
	contract_check(s, !strcmp(doc_c(doc_get(d, "status")), "Success"), "no Status of success");
	doc_free(d);
	size_t left = 1;
	for (int i = 0; i < PATIENCE && left; i++) {
		s->c->wait(s->c->self, NS_PER_SEC / 2);
		struct doc *pods = contract_list(s, s->pods), *all = contract_sets(s);
		left = doc_count(doc_get(pods, "items")) + doc_count(doc_get(all, "items"));
		doc_free(pods);
		doc_free(all);
	}
	contract_check(s, !left, "%zu objects are left", left);
}

static void more_evictions(struct contract_suite *s) {
	char path[400], pdb[300], name[160];
	s->promise = "a refused eviction names its budget, and one that is tried evicts nobody";
	snprintf(pdb, sizeof pdb, "/apis/policy/v1/namespaces/%s/poddisruptionbudgets/cart", s->c->namespace_);
	s->c->wait(s->c->self, 3 * NS_PER_SEC);
	struct doc *d = contract_expect(s, "GET", pdb, "", "", 200, NULL);
	contract_check(s,
	               doc_int(doc_path(d, "status.currentHealthy"), 0) == 4 &&
	                   doc_int(doc_path(d, "status.desiredHealthy"), 0) == 3 &&
	                   doc_int(doc_path(d, "status.disruptionsAllowed"), 0) == 1,
	               "its status is not 4 of 3 healthy, 1 allowed");
	doc_free(d);
	d = contract_list(s, s->pods);
	snprintf(name, sizeof name, "%s", doc_c(doc_path(doc_at(doc_get(d, "items"), 0), "metadata.name")));
	doc_free(d);
	snprintf(path, sizeof path, "%s/%s/eviction", s->pods, name);
	contract_refuse(s, "POST", path, JSON,
	                "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"x\"}}", 400,
	                "BadRequest");
	char body[300];
	snprintf(body, sizeof body, "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\"}}",
	         name);
	snprintf(path, sizeof path, "%s/%s/eviction?dryRun=All", s->pods, name);
	doc_free(contract_expect(s, "POST", path, JSON, body, 201, NULL));
	snprintf(path, sizeof path, "%s/%s", s->pods, name);
	d = contract_expect(s, "GET", path, "", "", 200, NULL);
	contract_check(s, !doc_path(d, "metadata.deletionTimestamp"), "it was evicted");
	doc_free(d);
	doc_free(contract_expect(s, "PATCH", pdb, MERGE, "{\"spec\":{\"minAvailable\":4}}", 200, NULL));
	s->c->wait(s->c->self, 3 * NS_PER_SEC);
	snprintf(path, sizeof path, "%s/%s/eviction", s->pods, name);
	d = contract_expect(s, "POST", path, JSON, body, 429, "TooManyRequests");
	const struct doc *cause = doc_at(doc_path(d, "details.causes"), 0);
	contract_check(s,
	               !strcmp(doc_c(doc_get(cause, "reason")), "DisruptionBudget") &&
	                   !strcmp(doc_c(doc_get(cause, "message")),
	                           "The disruption budget cart needs 4 healthy pods and has 4 currently"),
	               "the cause is: %s", doc_c(doc_get(cause, "message")));
	doc_free(d);
	doc_free(contract_expect(s, "DELETE", pdb, JSON, "", 200, NULL));
}

static const struct doc *condition(const struct doc *d, const char *type) {
	doc_each(c, doc_path(d, "status.conditions")) if (!strcmp(doc_c(doc_get(c, "type")), type)) return c;
	return NULL;
}

/* No API server of the suite's serves metrics. */
static void autoscalers(struct contract_suite *s) {
	char path[300], one[330];
	s->promise = "an autoscaler gets its defaults, is looked at, and says when it has no metrics";
	snprintf(path, sizeof path, "/apis/autoscaling/v2/namespaces/%s/horizontalpodautoscalers", s->c->namespace_);
	snprintf(one, sizeof one, "%s/cart", path);
	contract_refuse(s, "POST", path, JSON,
	                "{\"metadata\":{\"name\":\"cart\"},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
	                "v1\",\"kind\":\"Deployment\","
	                "\"name\":\"cart\"},\"minReplicas\":5,\"maxReplicas\":3}}",
	                422, "Invalid");
	struct doc *d = contract_expect(
		s, "POST", path, JSON,
		"{\"metadata\":{\"name\":\"cart\"},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\",\"kind\":"
		"\"Deployment\",\"name\":\"cart\"},\"maxReplicas\":6,\"behavior\":{\"scaleDown\":{\"policies\":[{"
		"\"type\":\"Pods\",\"value\":1,\"periodSeconds\":60}]}}}}",
		201, NULL);
	const struct doc *metric = doc_at(doc_path(d, "spec.metrics"), 0), *up = doc_path(d, "spec.behavior.scaleUp");
	contract_check(s,
	               doc_int(doc_path(d, "spec.minReplicas"), 0) == 1 &&
	                   doc_int(doc_path(metric, "resource.target.averageUtilization"), 0) == 80,
	               "no defaults");
	contract_check(s,
	               doc_count(doc_get(up, "policies")) == 2 && !strcmp(doc_c(doc_get(up, "selectPolicy")), "Max") &&
	                   doc_int(doc_get(up, "stabilizationWindowSeconds"), -1) == 0,
	               "no default rules upwards");
	contract_check(s,
	               doc_count(doc_path(d, "spec.behavior.scaleDown.policies")) == 1 &&
	                   !doc_path(d, "spec.behavior.scaleDown.stabilizationWindowSeconds"),
	               "other rules downwards than given");
	const struct doc *active = NULL;
	for (int i = 0; i < PATIENCE && !active; i++) {
		doc_free(d);
		s->c->wait(s->c->self, NS_PER_SEC / 2);
		d = contract_list(s, one);
		active = condition(d, "ScalingActive");
	}
	contract_check(s,
	               !strcmp(doc_c(doc_get(active, "status")), "False") &&
	                   !strcmp(doc_c(doc_get(active, "reason")), "FailedGetResourceMetric"),
	               "ScalingActive is %s, %s", doc_c(doc_get(active, "status")), doc_c(doc_get(active, "reason")));
	contract_check(s,
	               !strcmp(doc_c(doc_get(condition(d, "AbleToScale"), "reason")), "SucceededGetScale") &&
	                   doc_int(doc_path(d, "status.currentReplicas"), 0) == 4,
	               "it has not seen its target");
	doc_free(d);
	doc_free(contract_expect(s, "DELETE", one, JSON, "", 200, NULL));
}

static void events(struct contract_suite *s) {
	char path[400];
	s->promise = "controllers tell what they do as Events";
	snprintf(path, sizeof path,
	         "/api/v1/namespaces/%s/"
	         "events?fieldSelector=involvedObject.kind%%3DDeployment,involvedObject.name%%3Dcart,reason%%"
	         "3DScalingReplicaSet",
	         s->c->namespace_);
	struct doc *d = contract_expect(s, "GET", path, "", "", 200, NULL);
	const struct doc *first = NULL;
	doc_each(e, doc_get(d, "items")) if (strstr(doc_c(doc_get(e, "message")), " from 0 to 4")) first = e;
	contract_check(s,
	               first && !strncmp(doc_c(doc_get(first, "message")), "Scaled up replica set cart-", 27) &&
	                   !strcmp(doc_c(doc_get(first, "type")), "Normal") && doc_int(doc_get(first, "count"), 0) >= 1 &&
	                   !strcmp(doc_c(doc_path(first, "source.component")), "deployment-controller") &&
	                   !strcmp(doc_c(doc_path(first, "involvedObject.uid")), s->uid),
	               "nobody tells that cart was scaled to 4");
	doc_free(d);
}

static bool has_taint(struct contract_suite *s, const char *path, bool wanted) {
	bool has = !wanted;
	for (int i = 0; i < PATIENCE && has != wanted; i++) {
		struct doc *d = contract_list(s, path);
		has = false;
		doc_each(t, doc_path(d, "spec.taints")) has =
			has || !strcmp(doc_c(doc_get(t, "key")), "node.kubernetes.io/unschedulable");
		doc_free(d);
		if (has != wanted) s->c->wait(s->c->self, NS_PER_SEC / 2);
	}
	return has;
}

static void cordons(struct contract_suite *s) {
	char path[300];
	s->promise = "a node that is cordoned is tainted, until it is let go";
	struct doc *d = contract_list(s, "/api/v1/nodes");
	snprintf(path, sizeof path, "/api/v1/nodes/%s",
	         doc_c(doc_path(doc_at(doc_get(d, "items"), doc_count(doc_get(d, "items")) - 1), "metadata.name")));
	doc_free(d);
	doc_free(contract_expect(s, "PATCH", path, MERGE, "{\"spec\":{\"unschedulable\":true}}", 200, NULL));
	contract_check(s, has_taint(s, path, true), "it is not tainted");
	doc_free(contract_expect(s, "PATCH", path, MERGE, "{\"spec\":{\"unschedulable\":null}}", 200, NULL));
	contract_check(s, !has_taint(s, path, false), "it is tainted still");
	doc_free(
		contract_expect_as(s, "look", "PATCH", path, MERGE, "{\"spec\":{\"unschedulable\":true}}", 403, "Forbidden"));
}

contract_promise *const contract_controls[] = { pods_go, evictions, more_evictions, autoscalers,
	                                            events,  cordons,   limits,         deletion };
const size_t contract_control_count = sizeof contract_controls / sizeof *contract_controls;
