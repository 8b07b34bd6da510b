/* What the API server writes where a user wrote nothing (pkg/apis, the versions' defaults.go). */
#include <string.h>

#include "sim/kube/impl.h"

static void default_to(struct doc *object, const char *key, struct doc *value) {
	if (doc_get(object, key))
		doc_free(value);
	else
		doc_set(object, key, value);
}

static void default_c(struct doc *object, const char *key, const char *value) {
	if (!doc_get(object, key)) doc_set_c(object, key, value);
}

static void default_int(struct doc *object, const char *key, int64_t value) {
	if (!doc_get(object, key)) doc_set_int(object, key, value);
}

static void default_pod_spec(struct doc *spec) {
	doc_each(c, doc_get(spec, "containers")) {
		default_to(c, "resources", doc_new(JSON_OBJECT));
		default_c(c, "terminationMessagePath", "/dev/termination-log");
		default_c(c, "terminationMessagePolicy", "File");
		default_c(c, "imagePullPolicy", "IfNotPresent");
		doc_each(p, doc_get(c, "ports")) default_c(p, "protocol", "TCP");
	}
	default_c(spec, "restartPolicy", "Always");
	default_int(spec, "terminationGracePeriodSeconds", 30);
	default_c(spec, "dnsPolicy", "ClusterFirst");
	default_to(spec, "securityContext", doc_new(JSON_OBJECT));
	default_c(spec, "schedulerName", "default-scheduler");
}

static void default_deployment(struct doc *d) {
	struct doc *spec = doc_make(d, "spec");
	default_int(spec, "replicas", 1);
	default_pod_spec(doc_make(spec, "template.spec"));
	doc_make(spec, "template.metadata");
	struct doc *strategy = doc_make(spec, "strategy");
	default_c(strategy, "type", "RollingUpdate");
	if (!strcmp(doc_c(doc_get(strategy, "type")), "RollingUpdate")) {
		struct doc *rolling = doc_make(strategy, "rollingUpdate");
		default_c(rolling, "maxUnavailable", "25%");
		default_c(rolling, "maxSurge", "25%");
	} else {
		doc_remove(strategy, "rollingUpdate");
	}
	default_int(spec, "revisionHistoryLimit", 10);
	default_int(spec, "progressDeadlineSeconds", 600);
}

/* Limits without requests are requests too (SetDefaults_Pod): of pods, not of templates. */
static void default_requests(struct doc *spec) {
	doc_each(c, doc_get(spec, "containers")) {
		const struct doc *limits = doc_path(c, "resources.limits");
		doc_each(l, limits) default_to(doc_make(doc_make(c, "resources"), "requests"), l->key, doc_copy(l));
	}
}

/* ---- autoscalers ---- */

static struct doc *policy(const char *type, int64_t value) {
	struct doc *p = doc_new(JSON_OBJECT);
	doc_set_c(p, "type", type);
	doc_set_int(p, "value", value);
	doc_set_int(p, "periodSeconds", 15);
	return p;
}

static void default_rules(struct doc *behavior, const char *way, bool up) {
	struct doc *rules = doc_make(behavior, way);
	if (up) default_int(rules, "stabilizationWindowSeconds", 0);
	default_c(rules, "selectPolicy", "Max");
	if (doc_get(rules, "policies")) return;
	struct doc *list = doc_set(rules, "policies", doc_new(JSON_ARRAY));
	if (up) doc_push(list, policy("Pods", 4));
	doc_push(list, policy("Percent", 100));
}

static void default_autoscaler(struct doc *d) {
	struct doc *spec = doc_make(d, "spec");
	default_int(spec, "minReplicas", 1);
	if (!doc_count(doc_get(spec, "metrics"))) {
		struct doc *m = doc_push(doc_set(spec, "metrics", doc_new(JSON_ARRAY)), doc_new(JSON_OBJECT));
		doc_set_c(m, "type", "Resource");
		doc_set_c(doc_make(m, "resource"), "name", "cpu");
		doc_set_c(doc_make(m, "resource.target"), "type", "Utilization");
		doc_set_int(doc_make(m, "resource.target"), "averageUtilization", 80);
	}
	if (!doc_get(spec, "behavior")) return;
	default_rules(doc_get(spec, "behavior"), "scaleUp", true);
	default_rules(doc_get(spec, "behavior"), "scaleDown", false);
}

void sim_kube_set_defaults(enum sim_kube_type t, struct doc *object) {
	if (t == KUBE_DEPLOYMENTS) default_deployment(object);
	if (t == KUBE_PODS) default_pod_spec(doc_make(object, "spec")), default_requests(doc_make(object, "spec"));
	if (t == KUBE_REPLICASETS) default_int(doc_make(object, "spec"), "replicas", 1);
	if (t == KUBE_HPAS) default_autoscaler(object);
}
