/* The contract: what is written, by whom, and what is refused. */
#include <stdio.h>

#include "base/clock.h"
#include "sim/kube/contract_impl.h"
#include "sim/memory.h"

static void create_and_ready(struct contract_suite *s) {
	char body[900], path[100];
	s->promise = "a Deployment becomes pods that are ready";
	snprintf(path, sizeof path, "/api/v1/namespaces");
	snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"%s\"}}", s->c->namespace_);
	doc_free(contract_expect(s, "POST", path, JSON, body, 201, NULL));
	static const char deployment[] = "{\"metadata\":{\"name\":\"cart\"},\"spec\":{\"replicas\":4,\"selector\":{"
									 "\"matchLabels\":{\"app\":\"cart\"}},\"template\":"
									 "{\"metadata\":{\"labels\":{\"app\":\"cart\"}},\"spec\":{\"containers\":[{"
									 "\"name\":\"cart\",\"image\":\"registry.local/"
									 "cart:1\",\"resources\":{\"limits\":{\"memory\":\"64Mi\"}}}]}}}}";
	struct doc *d = contract_expect(s, "POST", s->deployments, JSON, deployment, 201, NULL);
	snprintf(s->uid, sizeof s->uid, "%s", doc_c(doc_path(d, "metadata.uid")));
	contract_check(s, strlen(s->uid) == 36 && doc_int(doc_path(d, "metadata.generation"), 0) == 1,
	               "no uid, or not generation 1");
	contract_check(s, !strcmp(doc_c(doc_path(d, "spec.strategy.rollingUpdate.maxSurge")), "25%"), "no defaults");
	contract_check(s,
	               !strcmp(doc_c(doc_path(doc_at(doc_path(d, "spec.template.spec.containers"), 0), "imagePullPolicy")),
	                       "IfNotPresent"),
	               "no defaults in the template");
	doc_free(d);
	contract_refuse(s, "POST", s->deployments, JSON, deployment, 409, "AlreadyExists");
	contract_wait_rolled_out(s);
	d = contract_cart(s);
	contract_check(s, !strcmp(contract_revision(d), "1"), "revision %s, not 1", contract_revision(d));
	contract_check(s, doc_int(doc_path(d, "status.readyReplicas"), 0) == 4, "not 4 ready");
	doc_free(d);
	d = contract_list(s, s->pods);
	contract_check(s, doc_count(doc_get(d, "items")) == 4 && !strcmp(doc_c(doc_get(d, "kind")), "PodList"),
	               "no list of 4 pods");
	doc_each(p, doc_get(d, "items")) {
		const struct doc *owner = doc_at(doc_path(p, "metadata.ownerReferences"), 0);
		contract_check(s,
		               !strcmp(doc_c(doc_get(owner, "kind")), "ReplicaSet") &&
		                   doc_bool(doc_get(owner, "controller"), false) &&
		                   doc_get(doc_path(p, "metadata.labels"), "pod-template-hash") && !doc_get(p, "kind"),
		               "a pod is not its ReplicaSet's");
		contract_check(s,
		               *doc_c(doc_path(p, "spec.nodeName")) && !strcmp(doc_c(doc_path(p, "status.phase")), "Running"),
		               "a pod runs nowhere");
	}
	doc_free(d);
}

#define OTHER_UID "00000000-0000-4000-8000-000000000000"
#define APPLIED \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"%s\",\"uid\":\"" OTHER_UID "\"}}"

static void refusals(struct contract_suite *s) {
	static const struct {
		const char *method, *path, *type, *body; /* path: after the Deployment's own */
		int status;
		const char *reason;
	} cases[] = {
		{ "GET", "x", "", "", 404, "NotFound" },
		{ "PATCH", "x", MERGE, "{}", 404, "NotFound" },
		{ "PATCH", "", MERGE, "{\"metadata\":{\"resourceVersion\":\"1\"}}", 409, "Conflict" },
		{ "PATCH", "", MERGE, "{\"metadata\":{\"uid\":\"" OTHER_UID "\"}}", 422, "Invalid" },
		{ "PATCH", "", MERGE, "{\"metadata\":{\"name\":\"other\"}}", 400, "BadRequest" },
		{ "PATCH", "", MERGE, "{\"spec\":{\"replicas\":-1}}", 422, "Invalid" },
		{ "PATCH", "", MERGE, "{\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"x\"}}}}", 422, "Invalid" },
		{ "PATCH", "", MERGE, "{", 400, "BadRequest" },
		{ "PATCH", "", "text/plain", "{}", 415, "UnsupportedMediaType" },
		{ "PATCH", "?dryRun=Some", MERGE, "{}", 422, "Invalid" },
		{ "PATCH", "/scale", MERGE, "{\"metadata\":{\"uid\":\"" OTHER_UID "\"},\"spec\":{\"replicas\":3}}", 409,
		  "Conflict" },
		{ "PATCH", "", STRATEGIC, "[]", 400, "BadRequest" },
		{ "PATCH", "", JSONPATCH, "{}", 400, "BadRequest" },
		{ "PATCH", "", JSONPATCH, "[{\"op\":\"test\",\"path\":\"/metadata/name\",\"value\":\"x\"}]", 422, "Invalid" },
		{ "PATCH", "", JSONPATCH, "[{\"op\":\"add\",\"path\":\"/a/b/c\",\"value\":1}]", 422, "Invalid" },
		{ "PATCH", "", APPLY, "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}", 422, "Invalid" },
		{ "PATCH", "?fieldManager=m&force=true", APPLY, APPLIED, 422, "Invalid" },
		{ "PATCH", "x?fieldManager=m&force=true", APPLY, APPLIED, 409, "Conflict" },
		{ "DELETE", "", JSON, "{\"preconditions\":{\"uid\":\"" OTHER_UID "\"}}", 409, "Conflict" },
		{ "DELETE", "x", JSON, "", 404, "NotFound" },
	};
	char path[400], body[300];
	s->promise = "what cannot be done is refused with the right words";
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool applied = cases[i].body[0] && strstr(cases[i].body, "%s");
		snprintf(body, sizeof body, APPLIED, cases[i].path[0] == 'x' ? "cartx" : "cart");
		snprintf(path, sizeof path, "%s%s", s->cart, cases[i].path);
		contract_refuse(s, cases[i].method, path, cases[i].type, applied ? body : cases[i].body, cases[i].status,
		                cases[i].reason);
	}
	snprintf(path, sizeof path, "%s?fieldSelector=spec.nothing%%3Dx", s->pods);
	contract_refuse(s, "GET", path, "", "", 400, "BadRequest");
	contract_check(s, contract_cart_int(s, "metadata.generation") == 1, "a refused write changed the generation");
}

static void rights(struct contract_suite *s) {
	char path[300];
	static const char review[] =
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SelfSubjectAccessReview\",\"spec\":{"
		"\"resourceAttributes\":{\"verb\":\"%s\",\"group\":\"apps\",\"resource\":\"deployments\"}}}";
	s->promise = "who may look may not touch";
	doc_free(contract_expect_as(s, "look", "GET", s->cart, "", "", 200, NULL));
	doc_free(contract_expect_as(s, "look", "GET", "/apis/autoscaling/v2/horizontalpodautoscalers", "", "", 200, NULL));
	doc_free(contract_expect_as(s, "look", "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":1}}", 403, "Forbidden"));
	snprintf(path, sizeof path, "%s/x", s->pods);
	doc_free(contract_expect_as(s, "look", "DELETE", path, "", "", 403, "Forbidden"));
	doc_free(contract_expect_as(s, "look", "GET", "/api/v1/nodes", "", "", 403, "Forbidden"));
	doc_free(contract_expect_as(s, "nobody", "GET", s->cart, "", "", 401, "Unauthorized"));
	for (int i = 0; i < 2; i++) {
		char body[400];
		snprintf(body, sizeof body, review, i ? "patch" : "list");
		struct doc *d = contract_expect_as(s, "look", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
		                                   JSON, body, 201, NULL);
		contract_check(s, doc_bool(doc_path(d, "status.allowed"), i == 0 ? false : true) == (i == 0),
		               "a review answers wrongly");
		doc_free(d);
	}
}

static void restart_body(struct contract_suite *s, const char *version, char *body, size_t n) {
	snprintf(body, n,
	         "{\"apiVersion\":\"apps/"
	         "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"cart\",\"namespace\":\"%s\",\"uid\":\"%s\""
	         "%s%s%s,\"annotations\":{\"flyball.dev/"
	         "action-key\":\"k1\"}},\"spec\":{\"template\":{\"metadata\":{\"annotations\":{"
	         "\"kubectl.kubernetes.io/restartedAt\":\"2026-01-05T10:00:00Z\"}}}}}",
	         s->c->namespace_, s->uid, *version ? ",\"resourceVersion\":\"" : "", version, *version ? "\"" : "");
}

static bool entry_is(const struct doc *e, const char *manager, const char *operation, const char *subresource) {
	return !strcmp(doc_c(doc_get(e, "manager")), manager) && !strcmp(doc_c(doc_get(e, "operation")), operation) &&
	       !strcmp(doc_c(doc_get(e, "subresource")), subresource);
}

static const struct doc *fields_of(const struct doc *d, const char *manager, const char *operation, const char *sub) {
	doc_each(e, doc_path(d, "metadata.managedFields")) if (entry_is(e, manager, operation, sub)) return doc_get(
		e, "fieldsV1");
	return NULL;
}

static void restart(struct contract_suite *s) {
	char path[300], body[900], version[40];
	s->promise = "a restart by server-side apply: dry first, then once, then never again";
	restart_body(s, "", body, sizeof body);
	snprintf(path, sizeof path, "%s?fieldManager=flyball-restart&fieldValidation=Strict&force=true&dryRun=All",
	         s->cart);
	struct doc *d = contract_expect(s, "PATCH", path, APPLY, body, 200, NULL);
	contract_check(s, doc_int(doc_path(d, "metadata.generation"), 0) == 2,
	               "the dry run does not show the next generation");
	doc_free(d);
	d = contract_cart(s);
	contract_check(s, doc_int(doc_path(d, "metadata.generation"), 0) == 1, "the dry run did something");
	snprintf(version, sizeof version, "%s", doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	snprintf(path, sizeof path, "%s?fieldManager=flyball-restart&fieldValidation=Strict&force=true", s->cart);
	restart_body(s, "1", body, sizeof body);
	contract_refuse(s, "PATCH", path, APPLY, body, 409, "Conflict");
	restart_body(s, version, body, sizeof body);
	d = contract_expect(s, "PATCH", path, APPLY, body, 200, NULL);
	contract_check(s, doc_int(doc_path(d, "metadata.generation"), 0) == 2, "not generation 2");
	const struct doc *f = fields_of(d, "flyball-restart", "Apply", "");
	contract_check(s, doc_path(f, "f:spec.f:template.f:metadata.f:annotations"), "its fields are not its own");
	contract_check(s, doc_count(doc_path(f, "f:spec")) == 1 && !doc_path(f, "f:spec.f:replicas"),
	               "it owns more than it wrote");
	doc_free(d);
	contract_wait_rolled_out(s);
	d = contract_cart(s);
	contract_check(s, !strcmp(contract_revision(d), "2") && doc_int(doc_path(d, "metadata.generation"), 0) == 2,
	               "no second revision");
	snprintf(version, sizeof version, "%s", doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	restart_body(s, "", body, sizeof body);
	doc_free(contract_expect(s, "PATCH", path, APPLY, body, 200, NULL));
	d = contract_cart(s);
	contract_check(s, !strcmp(version, doc_c(doc_path(d, "metadata.resourceVersion"))), "repeating it wrote something");
	doc_free(d);
	d = contract_sets(s);
	int64_t old = 0;
	doc_each(set, doc_get(d, "items")) old += doc_int(doc_path(set, "spec.replicas"), 0) == 0;
	contract_check(s, doc_count(doc_get(d, "items")) == 2 && old == 1, "not one old and one new ReplicaSet");
	doc_free(d);
}

static void ownership(struct contract_suite *s) {
	char path[300];
	s->promise = "applying what another owns is a conflict, unless forced";
	static const char five[] =
		"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"cart\"},\"spec\":{"
		"\"replicas\":5}}";
	snprintf(path, sizeof path, "%s?fieldManager=other", s->cart);
	struct doc *d = contract_expect(s, "PATCH", path, APPLY, five, 409, "Conflict");
	const struct doc *cause = doc_at(doc_path(d, "details.causes"), 0);
	contract_check(s,
	               !strcmp(doc_c(doc_get(cause, "reason")), "FieldManagerConflict") &&
	                   !strcmp(doc_c(doc_get(cause, "field")), ".spec.replicas"),
	               "the conflict does not name its field");
	doc_free(d);
	snprintf(path, sizeof path, "%s?fieldManager=other&force=true", s->cart);
	d = contract_expect(s, "PATCH", path, APPLY, five, 200, NULL);
	contract_check(s,
	               doc_int(doc_path(d, "spec.replicas"), 0) == 5 &&
	                   doc_path(fields_of(d, "other", "Apply", ""), "f:spec.f:replicas"),
	               "force does not take it");
	doc_free(d);
	static const char none[] = "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"cart\"}}";
	d = contract_expect(s, "PATCH", path, APPLY, none, 200, NULL);
	contract_check(s, !fields_of(d, "other", "Apply", ""), "it still owns what it let go");
	doc_free(d);
	doc_free(contract_expect(s, "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":4}}", 200, NULL));
	contract_wait_rolled_out(s);
}

static void patches(struct contract_suite *s) {
	char path[300];
	s->promise = "each patch does what its kind does";
	snprintf(path, sizeof path, "%s?fieldManager=hand", s->cart);
	struct doc *d = contract_expect(
		s, "PATCH", path, STRATEGIC,
		"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"cart\",\"image\":\"registry.local/cart:2\"}]"
		"}}}}",
		200, NULL);
	const struct doc *c = doc_at(doc_path(d, "spec.template.spec.containers"), 0);
	contract_check(s, !strcmp(doc_c(doc_get(c, "image")), "registry.local/cart:2") && doc_path(c, "resources.limits"),
	               "a strategic patch replaces the container");
	contract_check(s, doc_path(fields_of(d, "hand", "Update", ""), "f:spec.f:template.f:spec.f:containers"),
	               "its fields are not its");
	doc_free(d);
	contract_wait_rolled_out(s);
	/* Back to the template before, by JSON patch with tests, as an undo does it. */
	d = contract_sets(s);
	const struct doc *old = NULL;
	doc_each(set, doc_get(d, "items")) if (!strcmp(contract_revision(set), "2")) old = set;
	if (!contract_check(s, old, "there is no ReplicaSet of revision 2")) {
		doc_free(d);
		return;
	}
	struct doc *template = doc_copy(doc_path(old, "spec.template"));
	doc_remove(doc_path(template, "metadata.labels"), "pod-template-hash");
	struct buf b;
	buf_init(&b, 0);
	buf_printf(&b,
	           "[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"%s\"},{\"op\":\"replace\",\"path\":\"/spec/"
	           "template\",\"value\":",
	           s->uid);
	struct json_out o = json_out(&b);
	doc_write(template, &o);
	buf_c(&b, "}]");
	buf_byte(&b, 0);
	doc_free(template);
	doc_free(d);
	doc_free(contract_expect(s, "PATCH", path, JSONPATCH, b.p, 200, NULL));
	buf_done(&b);
	contract_wait_rolled_out(s);
	d = contract_cart(s);
	contract_check(s, !strcmp(contract_revision(d), "4"), "an old template is revision %s again, not 4",
	               contract_revision(d));
	doc_free(d);
	d = contract_sets(s);
	contract_check(s, doc_count(doc_get(d, "items")) == 3, "its ReplicaSet was not found again");
	doc_free(d);
}

static void scaling(struct contract_suite *s) {
	char path[300], body[200];
	s->promise = "scale is a subresource with a version";
	snprintf(path, sizeof path, "%s/scale?fieldManager=scaler", s->cart);
	struct doc *d = contract_expect(s, "GET", path, "", "", 200, NULL);
	contract_check(s,
	               !strcmp(doc_c(doc_get(d, "kind")), "Scale") && doc_int(doc_path(d, "spec.replicas"), 0) == 4 &&
	                   !strcmp(doc_c(doc_path(d, "status.selector")), "app=cart"),
	               "no Scale of 4");
	snprintf(body, sizeof body, "{\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":{\"replicas\":6}}",
	         doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	contract_refuse(s, "PATCH", path, MERGE, "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":6}}",
	                409, "Conflict");
	d = contract_expect(s, "PATCH", path, MERGE, body, 200, NULL);
	contract_check(s, doc_int(doc_path(d, "spec.replicas"), 0) == 6, "not scaled to 6");
	doc_free(d);
	d = contract_cart(s);
	contract_check(s, doc_path(fields_of(d, "scaler", "Update", "scale"), "f:spec.f:replicas"),
	               "who scaled is not on record");
	doc_free(d);
	contract_wait_rolled_out(s);
	doc_free(contract_expect(s, "PATCH", path, MERGE, "{\"spec\":{\"replicas\":4}}", 200, NULL));
	contract_wait_rolled_out(s);
}

static void creations(struct contract_suite *s) {
	char path[300], body[600];
	s->promise = "what is not there is made by create, by apply, and by neither when it is only tried";
	static const char bare[] =
		"\"metadata\":{\"name\":\"other\"},\"spec\":{\"replicas\":0,\"selector\":{\"matchLabels\":{\"app\":"
		"\"other\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"other\"}},\"spec\":{\"containers\":[{"
		"\"name\":\"main\",\"image\":\"registry.local/other:1\"}]}}}";
	snprintf(path, sizeof path, "%s?dryRun=All", s->deployments);
	snprintf(body, sizeof body, "{%s}", bare);
	struct doc *d = contract_expect(s, "POST", path, JSON, body, 201, NULL);
	contract_check(s, *doc_c(doc_path(d, "metadata.uid")), "what a dry run would make has no uid");
	doc_free(d);
	snprintf(path, sizeof path, "%s/other", s->deployments);
	contract_refuse(s, "GET", path, "", "", 404, "NotFound");
	snprintf(path, sizeof path, "%s/other?fieldManager=maker", s->deployments);
	snprintf(body, sizeof body, "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",%s}", bare);
	d = contract_expect(s, "PATCH", path, APPLY, body, 201, NULL);
	contract_check(s, doc_path(fields_of(d, "maker", "Apply", ""), "f:spec.f:replicas"),
	               "who applied first does not own it");
	doc_free(d);
	doc_free(contract_expect(s, "PATCH", path, APPLY, body, 200, NULL));
	snprintf(path, sizeof path, "%s/other", s->deployments);
	doc_free(contract_expect(s, "DELETE", path, JSON, "", 200, NULL));
}

static char *text_of(const struct doc *d) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	doc_write(d, &o);
	buf_byte(&b, 0);
	return b.p;
}

static void updates(struct contract_suite *s) {
	s->promise = "an update is of the version that was read, or a conflict";
	struct doc *d = contract_cart(s);
	doc_set_c(doc_make(doc_make(d, "metadata"), "annotations"), "note", "one");
	char *body = text_of(d);
	struct doc *now = contract_expect(s, "PUT", s->cart, JSON, body, 200, NULL);
	contract_check(
		s, doc_int(doc_path(now, "metadata.generation"), 0) == doc_int(doc_path(d, "metadata.generation"), 0) + 1,
		"a Deployment's annotation is no new generation");
	contract_refuse(s, "PUT", s->cart, JSON, body, 409, "Conflict");
	doc_free(now);
	doc_free(d);
	free(body);
}

static void status_part(struct contract_suite *s) {
	char path[300];
	s->promise = "the status is written by its subresource, and by it nothing else";
	int64_t generation = contract_cart_int(s, "metadata.generation");
	struct doc *d = contract_expect(s, "PATCH", s->cart, MERGE, "{\"status\":{\"replicas\":77}}", 200, NULL);
	contract_check(s, doc_int(doc_path(d, "status.replicas"), 0) == 4, "a patch of the object wrote its status");
	doc_free(d);
	snprintf(path, sizeof path, "%s/status?fieldManager=teller", s->cart);
	d = contract_expect(s, "GET", path, "", "", 200, NULL);
	contract_check(s, !strcmp(doc_c(doc_get(d, "kind")), "Deployment") && doc_path(d, "status.conditions"),
	               "no Deployment with its status");
	doc_free(d);
	d = contract_expect(s, "PATCH", path, MERGE,
	                    "{\"spec\":{\"replicas\":9},\"status\":{\"readyReplicas\":3,\"availableReplicas\":3}}", 200,
	                    NULL);
	contract_check(s,
	               doc_int(doc_path(d, "spec.replicas"), 0) == 4 &&
	                   doc_int(doc_path(d, "metadata.generation"), 0) == generation,
	               "a patch of the status wrote the object");
	contract_check(s, doc_int(doc_path(d, "status.readyReplicas"), 0) == 3, "a patch of the status did not write it");
	contract_check(s, doc_path(fields_of(d, "teller", "Update", "status"), "f:status.f:readyReplicas"),
	               "who wrote it is not on record");
	doc_free(d);
	snprintf(path, sizeof path, "%s/nothing", s->cart);
	contract_refuse(s, "GET", path, "", "", 404, "NotFound");
	doc_free(contract_expect_as(s, "look", "PATCH", s->cart, MERGE, "{\"status\":{}}", 403, "Forbidden"));
	contract_wait_rolled_out(s);
}

contract_promise *const contract_writes[] = { create_and_ready, refusals, rights,    restart, ownership,
	                                          patches,          scaling,  creations, updates, status_part };
const size_t contract_write_count = sizeof contract_writes / sizeof *contract_writes;
