#include "sim/kube_contract.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "sim/memory.h"

#define MERGE     "application/merge-patch+json"
#define STRATEGIC "application/strategic-merge-patch+json"
#define JSONPATCH "application/json-patch+json"
#define APPLY     "application/apply-patch+yaml"
#define JSON      "application/json"
#define PATIENCE  120 /* half seconds until something that the controllers do has to have happened */

struct suite {
	const struct contract *c;
	struct buf *out;
	size_t kept, broken;
	const char *promise;
	char deployments[200], pods[200], cart[220], uid[64];
};

static bool check(struct suite *s, bool kept, const char *fmt, ...) PRINTF(3, 4);

static bool check(struct suite *s, bool kept, const char *fmt, ...) {
	if (kept) {
		s->kept++;
		return true;
	}
	char text[400];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_printf(s->out, "%s: %s\n", s->promise, text);
	s->broken++;
	return false;
}

/* ---- asking ---- */

static int ask(struct suite *s, const char *method, const char *path, const char *type, const char *body,
               struct doc **out) {
	return s->c->ask(s->c->self, "admin", method, path, type, body, out);
}

/* The answer has that status, and when it is a refusal that reason; returns the answer. */
static struct doc *expect_as(struct suite *s, const char *user, const char *method, const char *path, const char *type,
                             const char *body, int status, const char *reason) {
	struct doc *d = NULL;
	int got = s->c->ask(s->c->self, user, method, path, type, body, &d);
	check(s, got == status, "%s %s as %s answers %d, not %d (%s)", method, path, user, got, status,
	      doc_c(doc_get(d, "message")));
	if (reason && got == status) {
		check(s, !strcmp(doc_c(doc_get(d, "reason")), reason), "%s %s: reason %s, not %s", method, path,
		      doc_c(doc_get(d, "reason")), reason);
		check(s, doc_int(doc_get(d, "code"), 0) == status && !strcmp(doc_c(doc_get(d, "kind")), "Status"),
		      "%s %s: no Status of code %d", method, path, status);
	}
	return d;
}

static struct doc *expect(struct suite *s, const char *method, const char *path, const char *type, const char *body,
                          int status, const char *reason) {
	return expect_as(s, "admin", method, path, type, body, status, reason);
}

static void refuse(struct suite *s, const char *method, const char *path, const char *type, const char *body,
                   int status, const char *reason) {
	doc_free(expect(s, method, path, type, body, status, reason));
}

static struct doc *cart(struct suite *s) {
	struct doc *d = NULL;
	(void)ask(s, "GET", s->cart, "", "", &d);
	return d;
}

static int64_t cart_int(struct suite *s, const char *path) {
	struct doc *d = cart(s);
	int64_t v = doc_int(doc_path(d, path), 0);
	doc_free(d);
	return v;
}

static bool rolled_out(const struct doc *d) {
	const struct doc *st = doc_get(d, "status");
	int64_t wanted = doc_int(doc_path(d, "spec.replicas"), 1);
	return doc_int(doc_get(st, "observedGeneration"), 0) >= doc_int(doc_path(d, "metadata.generation"), 0) &&
	       doc_int(doc_get(st, "updatedReplicas"), 0) == wanted && doc_int(doc_get(st, "replicas"), 0) == wanted &&
	       doc_int(doc_get(st, "availableReplicas"), 0) == wanted;
}

static void wait_rolled_out(struct suite *s) {
	s->c->wait(s->c->self, NS_PER_SEC); /* until the controllers have looked */
	for (int i = 0; i < PATIENCE; i++) {
		struct doc *d = cart(s);
		bool done = rolled_out(d);
		doc_free(d);
		if (done) return;
		s->c->wait(s->c->self, NS_PER_SEC / 2);
	}
	check(s, false, "the rollout does not end");
}

static const char *revision(const struct doc *d) {
	return doc_c(doc_get(doc_path(d, "metadata.annotations"), "deployment.kubernetes.io/revision"));
}

static struct doc *list(struct suite *s, const char *path) {
	struct doc *d = NULL;
	(void)ask(s, "GET", path, "", "", &d);
	return d;
}

static struct doc *sets(struct suite *s) {
	char path[300];
	snprintf(path, sizeof path, "/apis/apps/v1/namespaces/%s/replicasets", s->c->namespace_);
	return list(s, path);
}

/* ---- promises ---- */

static void create_and_ready(struct suite *s) {
	char body[900], path[100];
	s->promise = "a Deployment becomes pods that are ready";
	snprintf(path, sizeof path, "/api/v1/namespaces");
	snprintf(body, sizeof body, "{\"metadata\":{\"name\":\"%s\"}}", s->c->namespace_);
	doc_free(expect(s, "POST", path, JSON, body, 201, NULL));
	static const char deployment[] = "{\"metadata\":{\"name\":\"cart\"},\"spec\":{\"replicas\":4,\"selector\":{"
									 "\"matchLabels\":{\"app\":\"cart\"}},\"template\":"
									 "{\"metadata\":{\"labels\":{\"app\":\"cart\"}},\"spec\":{\"containers\":[{"
									 "\"name\":\"cart\",\"image\":\"registry.local/"
									 "cart:1\",\"resources\":{\"limits\":{\"memory\":\"64Mi\"}}}]}}}}";
	struct doc *d = expect(s, "POST", s->deployments, JSON, deployment, 201, NULL);
	snprintf(s->uid, sizeof s->uid, "%s", doc_c(doc_path(d, "metadata.uid")));
	check(s, strlen(s->uid) == 36 && doc_int(doc_path(d, "metadata.generation"), 0) == 1,
	      "no uid, or not generation 1");
	check(s, !strcmp(doc_c(doc_path(d, "spec.strategy.rollingUpdate.maxSurge")), "25%"), "no defaults");
	check(s,
	      !strcmp(doc_c(doc_path(doc_at(doc_path(d, "spec.template.spec.containers"), 0), "imagePullPolicy")),
	              "IfNotPresent"),
	      "no defaults in the template");
	doc_free(d);
	refuse(s, "POST", s->deployments, JSON, deployment, 409, "AlreadyExists");
	wait_rolled_out(s);
	d = cart(s);
	check(s, !strcmp(revision(d), "1"), "revision %s, not 1", revision(d));
	check(s, doc_int(doc_path(d, "status.readyReplicas"), 0) == 4, "not 4 ready");
	doc_free(d);
	d = list(s, s->pods);
	check(s, doc_count(doc_get(d, "items")) == 4 && !strcmp(doc_c(doc_get(d, "kind")), "PodList"), "no list of 4 pods");
	doc_each(p, doc_get(d, "items")) {
		const struct doc *owner = doc_at(doc_path(p, "metadata.ownerReferences"), 0);
		check(s,
		      !strcmp(doc_c(doc_get(owner, "kind")), "ReplicaSet") && doc_bool(doc_get(owner, "controller"), false) &&
		          doc_get(doc_path(p, "metadata.labels"), "pod-template-hash") && !doc_get(p, "kind"),
		      "a pod is not its ReplicaSet's");
		check(s, *doc_c(doc_path(p, "spec.nodeName")) && !strcmp(doc_c(doc_path(p, "status.phase")), "Running"),
		      "a pod runs nowhere");
	}
	doc_free(d);
}

#define OTHER_UID "00000000-0000-4000-8000-000000000000"
#define APPLIED \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"%s\",\"uid\":\"" OTHER_UID "\"}}"

static void refusals(struct suite *s) {
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
		refuse(s, cases[i].method, path, cases[i].type, applied ? body : cases[i].body, cases[i].status,
		       cases[i].reason);
	}
	snprintf(path, sizeof path, "%s?fieldSelector=spec.nothing%%3Dx", s->pods);
	refuse(s, "GET", path, "", "", 400, "BadRequest");
	check(s, cart_int(s, "metadata.generation") == 1, "a refused write changed the generation");
}

static void rights(struct suite *s) {
	char path[300];
	static const char review[] =
		"{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SelfSubjectAccessReview\",\"spec\":{"
		"\"resourceAttributes\":{\"verb\":\"%s\",\"group\":\"apps\",\"resource\":\"deployments\"}}}";
	s->promise = "who may look may not touch";
	doc_free(expect_as(s, "look", "GET", s->cart, "", "", 200, NULL));
	doc_free(expect_as(s, "look", "GET", "/apis/autoscaling/v2/horizontalpodautoscalers", "", "", 200, NULL));
	doc_free(expect_as(s, "look", "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":1}}", 403, "Forbidden"));
	snprintf(path, sizeof path, "%s/x", s->pods);
	doc_free(expect_as(s, "look", "DELETE", path, "", "", 403, "Forbidden"));
	doc_free(expect_as(s, "look", "GET", "/api/v1/nodes", "", "", 403, "Forbidden"));
	doc_free(expect_as(s, "nobody", "GET", s->cart, "", "", 401, "Unauthorized"));
	for (int i = 0; i < 2; i++) {
		char body[400];
		snprintf(body, sizeof body, review, i ? "patch" : "list");
		struct doc *d = expect_as(s, "look", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", JSON,
		                          body, 201, NULL);
		check(s, doc_bool(doc_path(d, "status.allowed"), i == 0 ? false : true) == (i == 0),
		      "a review answers wrongly");
		doc_free(d);
	}
}

static void restart_body(struct suite *s, const char *version, char *body, size_t n) {
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

static void restart(struct suite *s) {
	char path[300], body[900], version[40];
	s->promise = "a restart by server-side apply: dry first, then once, then never again";
	restart_body(s, "", body, sizeof body);
	snprintf(path, sizeof path, "%s?fieldManager=flyball-restart&fieldValidation=Strict&force=true&dryRun=All",
	         s->cart);
	struct doc *d = expect(s, "PATCH", path, APPLY, body, 200, NULL);
	check(s, doc_int(doc_path(d, "metadata.generation"), 0) == 2, "the dry run does not show the next generation");
	doc_free(d);
	d = cart(s);
	check(s, doc_int(doc_path(d, "metadata.generation"), 0) == 1, "the dry run did something");
	snprintf(version, sizeof version, "%s", doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	snprintf(path, sizeof path, "%s?fieldManager=flyball-restart&fieldValidation=Strict&force=true", s->cart);
	restart_body(s, "1", body, sizeof body);
	refuse(s, "PATCH", path, APPLY, body, 409, "Conflict");
	restart_body(s, version, body, sizeof body);
	d = expect(s, "PATCH", path, APPLY, body, 200, NULL);
	check(s, doc_int(doc_path(d, "metadata.generation"), 0) == 2, "not generation 2");
	const struct doc *f = fields_of(d, "flyball-restart", "Apply", "");
	check(s, doc_path(f, "f:spec.f:template.f:metadata.f:annotations"), "its fields are not its own");
	check(s, doc_count(doc_path(f, "f:spec")) == 1 && !doc_path(f, "f:spec.f:replicas"), "it owns more than it wrote");
	doc_free(d);
	wait_rolled_out(s);
	d = cart(s);
	check(s, !strcmp(revision(d), "2") && doc_int(doc_path(d, "metadata.generation"), 0) == 2, "no second revision");
	snprintf(version, sizeof version, "%s", doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	restart_body(s, "", body, sizeof body);
	doc_free(expect(s, "PATCH", path, APPLY, body, 200, NULL));
	d = cart(s);
	check(s, !strcmp(version, doc_c(doc_path(d, "metadata.resourceVersion"))), "repeating it wrote something");
	doc_free(d);
	d = sets(s);
	int64_t old = 0;
	doc_each(set, doc_get(d, "items")) old += doc_int(doc_path(set, "spec.replicas"), 0) == 0;
	check(s, doc_count(doc_get(d, "items")) == 2 && old == 1, "not one old and one new ReplicaSet");
	doc_free(d);
}

static void ownership(struct suite *s) {
	char path[300];
	s->promise = "applying what another owns is a conflict, unless forced";
	static const char five[] =
		"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"cart\"},\"spec\":{"
		"\"replicas\":5}}";
	snprintf(path, sizeof path, "%s?fieldManager=other", s->cart);
	struct doc *d = expect(s, "PATCH", path, APPLY, five, 409, "Conflict");
	const struct doc *cause = doc_at(doc_path(d, "details.causes"), 0);
	check(s,
	      !strcmp(doc_c(doc_get(cause, "reason")), "FieldManagerConflict") &&
	          !strcmp(doc_c(doc_get(cause, "field")), ".spec.replicas"),
	      "the conflict does not name its field");
	doc_free(d);
	snprintf(path, sizeof path, "%s?fieldManager=other&force=true", s->cart);
	d = expect(s, "PATCH", path, APPLY, five, 200, NULL);
	check(s,
	      doc_int(doc_path(d, "spec.replicas"), 0) == 5 &&
	          doc_path(fields_of(d, "other", "Apply", ""), "f:spec.f:replicas"),
	      "force does not take it");
	doc_free(d);
	static const char none[] = "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"cart\"}}";
	d = expect(s, "PATCH", path, APPLY, none, 200, NULL);
	check(s, !fields_of(d, "other", "Apply", ""), "it still owns what it let go");
	doc_free(d);
	doc_free(expect(s, "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":4}}", 200, NULL));
	wait_rolled_out(s);
}

static void patches(struct suite *s) {
	char path[300];
	s->promise = "each patch does what its kind does";
	snprintf(path, sizeof path, "%s?fieldManager=hand", s->cart);
	struct doc *d = expect(
		s, "PATCH", path, STRATEGIC,
		"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"cart\",\"image\":\"registry.local/cart:2\"}]"
		"}}}}",
		200, NULL);
	const struct doc *c = doc_at(doc_path(d, "spec.template.spec.containers"), 0);
	check(s, !strcmp(doc_c(doc_get(c, "image")), "registry.local/cart:2") && doc_path(c, "resources.limits"),
	      "a strategic patch replaces the container");
	check(s, doc_path(fields_of(d, "hand", "Update", ""), "f:spec.f:template.f:spec.f:containers"),
	      "its fields are not its");
	doc_free(d);
	wait_rolled_out(s);
	/* Back to the template before, by JSON patch with tests, as an undo does it. */
	d = sets(s);
	const struct doc *old = NULL;
	doc_each(set, doc_get(d, "items")) if (!strcmp(revision(set), "2")) old = set;
	if (!check(s, old, "there is no ReplicaSet of revision 2")) {
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
	doc_free(expect(s, "PATCH", path, JSONPATCH, b.p, 200, NULL));
	buf_done(&b);
	wait_rolled_out(s);
	d = cart(s);
	check(s, !strcmp(revision(d), "4"), "an old template is revision %s again, not 4", revision(d));
	doc_free(d);
	d = sets(s);
	check(s, doc_count(doc_get(d, "items")) == 3, "its ReplicaSet was not found again");
	doc_free(d);
}

static void scaling(struct suite *s) {
	char path[300], body[200];
	s->promise = "scale is a subresource with a version";
	snprintf(path, sizeof path, "%s/scale?fieldManager=scaler", s->cart);
	struct doc *d = expect(s, "GET", path, "", "", 200, NULL);
	check(s,
	      !strcmp(doc_c(doc_get(d, "kind")), "Scale") && doc_int(doc_path(d, "spec.replicas"), 0) == 4 &&
	          !strcmp(doc_c(doc_path(d, "status.selector")), "app=cart"),
	      "no Scale of 4");
	snprintf(body, sizeof body, "{\"metadata\":{\"resourceVersion\":\"%s\"},\"spec\":{\"replicas\":6}}",
	         doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	refuse(s, "PATCH", path, MERGE, "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":6}}", 409,
	       "Conflict");
	d = expect(s, "PATCH", path, MERGE, body, 200, NULL);
	check(s, doc_int(doc_path(d, "spec.replicas"), 0) == 6, "not scaled to 6");
	doc_free(d);
	d = cart(s);
	check(s, doc_path(fields_of(d, "scaler", "Update", "scale"), "f:spec.f:replicas"), "who scaled is not on record");
	doc_free(d);
	wait_rolled_out(s);
	doc_free(expect(s, "PATCH", path, MERGE, "{\"spec\":{\"replicas\":4}}", 200, NULL));
	wait_rolled_out(s);
}

static void pods_go(struct suite *s) {
	char path[400], body[200], name[160], uid[64];
	s->promise = "a pod goes by its uid alone, and is replaced";
	struct doc *d = list(s, s->pods);
	const struct doc *p = doc_at(doc_get(d, "items"), 0);
	snprintf(name, sizeof name, "%s", doc_c(doc_path(p, "metadata.name")));
	snprintf(uid, sizeof uid, "%s", doc_c(doc_path(p, "metadata.uid")));
	doc_free(d);
	snprintf(path, sizeof path, "%s/%s", s->pods, name);
	refuse(s, "DELETE", path, JSON, "{\"preconditions\":{\"uid\":\"00000000-0000-4000-8000-000000000000\"}}", 409,
	       "Conflict");
	snprintf(body, sizeof body, "{\"preconditions\":{\"uid\":\"%s\"},\"dryRun\":[\"All\"]}", uid);
	doc_free(expect(s, "DELETE", path, JSON, body, 200, NULL));
	d = expect(s, "GET", path, "", "", 200, NULL);
	check(s, !doc_path(d, "metadata.deletionTimestamp"), "a dry run deleted it");
	doc_free(d);
	snprintf(body, sizeof body, "{\"preconditions\":{\"uid\":\"%s\"}}", uid);
	doc_free(expect(s, "DELETE", path, JSON, body, 200, NULL));
	int status = 0;
	for (int i = 0; i < PATIENCE && status != 404; i++) {
		s->c->wait(s->c->self, NS_PER_SEC / 2);
		status = ask(s, "GET", path, "", "", NULL);
	}
	check(s, status == 404, "it is still there");
	wait_rolled_out(s);
	d = list(s, s->pods);
	check(s, doc_count(doc_get(d, "items")) == 4, "it was not replaced");
	doc_free(d);
}

static void evictions(struct suite *s) {
	char path[400], body[300], pdbs[200];
	s->promise = "an eviction asks the budget";
	snprintf(pdbs, sizeof pdbs, "/apis/policy/v1/namespaces/%s/poddisruptionbudgets", s->c->namespace_);
	doc_free(expect(s, "POST", pdbs, JSON,
	                "{\"metadata\":{\"name\":\"cart\"},\"spec\":{\"minAvailable\":4,\"selector\":{\"matchLabels\":{"
	                "\"app\":\"cart\"}}}}",
	                201, NULL));
	s->c->wait(s->c->self, 3 * NS_PER_SEC);
	struct doc *d = list(s, s->pods);
	char name[160];
	snprintf(name, sizeof name, "%s", doc_c(doc_path(doc_at(doc_get(d, "items"), 0), "metadata.name")));
	doc_free(d);
	snprintf(path, sizeof path, "%s/%s/eviction", s->pods, name);
	snprintf(body, sizeof body,
	         "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"}}",
	         name, s->c->namespace_);
	refuse(s, "POST", path, JSON, body, 429, "TooManyRequests");
	snprintf(pdbs + strlen(pdbs), sizeof pdbs - strlen(pdbs), "/cart");
	doc_free(expect(s, "PATCH", pdbs, MERGE, "{\"spec\":{\"minAvailable\":3}}", 200, NULL));
	s->c->wait(s->c->self, 3 * NS_PER_SEC);
	doc_free(expect(s, "POST", path, JSON, body, 201, NULL));
	wait_rolled_out(s);
}

static void pages(struct suite *s) {
	char path[900];
	s->promise = "lists come in pages and by selector";
	snprintf(path, sizeof path, "%s?limit=3", s->pods);
	struct doc *d = expect(s, "GET", path, "", "", 200, NULL);
	size_t first = doc_count(doc_get(d, "items"));
	int64_t left = doc_int(doc_path(d, "metadata.remainingItemCount"), 0);
	snprintf(path, sizeof path, "%s?limit=3&continue=%s", s->pods, doc_c(doc_path(d, "metadata.continue")));
	doc_free(d);
	d = expect(s, "GET", path, "", "", 200, NULL);
	check(s, first == 3 && doc_count(doc_get(d, "items")) == 1 && !*doc_c(doc_path(d, "metadata.continue")),
	      "4 pods are not 3 and 1");
	check(s, left == 1, "%lld are said to be left of 1", (long long)left);
	doc_free(d);
	snprintf(path, sizeof path, "%s?continue=x", s->pods);
	refuse(s, "GET", path, "", "", 400, "BadRequest");
	static const struct {
		const char *query;
		size_t count;
	} selectors[] = { { "labelSelector=app%3Dcart", 4 },
		              { "labelSelector=app!%3Dcart", 0 },
		              { "labelSelector=app%20in%20(cart,x)", 4 },
		              { "labelSelector=!app", 0 },
		              { "fieldSelector=status.phase%3DRunning", 4 },
		              { "fieldSelector=metadata.name%3Dx", 0 } };
	for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++) {
		snprintf(path, sizeof path, "%s?%s", s->pods, selectors[i].query);
		d = expect(s, "GET", path, "", "", 200, NULL);
		check(s, doc_count(doc_get(d, "items")) == selectors[i].count, "%s finds %zu", selectors[i].query,
		      doc_count(doc_get(d, "items")));
		doc_free(d);
	}
}

/* How many events of a type the lines hold; the last version goes to `version`. */
static size_t events_of(struct buf *lines, const char *type, char version[40]) {
	size_t n = 0;
	for (struct str rest = buf_get(lines), line; str_cut(rest, '\n', &line, &rest);) {
		struct doc *d = doc_parse(line, NULL);
		n += !strcmp(doc_c(doc_get(d, "type")), type);
		const char *v = doc_c(doc_path(d, "object.metadata.resourceVersion"));
		if (*v) snprintf(version, 40, "%s", v);
		doc_free(d);
	}
	return n;
}

static void watches(struct suite *s) {
	char path[400], version[40], ignored[40] = "";
	struct buf b;
	bool over = false;
	buf_init(&b, 0);
	s->promise = "a watch tells each change after its version, and ends when its time is up";
	struct doc *d = list(s, s->pods);
	snprintf(version, sizeof version, "%s", doc_c(doc_path(d, "metadata.resourceVersion")));
	doc_free(d);
	doc_free(expect(s, "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":5}}", 200, NULL));
	wait_rolled_out(s);
	snprintf(path, sizeof path, "%s?watch=1&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=%s", s->pods,
	         version);
	int status = s->c->watch(s->c->self, path, 10 * NS_PER_SEC, &b, &over);
	check(s, status == 200 && events_of(&b, "ADDED", version) == 1 && events_of(&b, "MODIFIED", version) >= 2,
	      "status %d: not one pod added and modified", status);
	check(s, over, "its time is up and it goes on");
	buf_clear(&b);
	doc_free(expect(s, "PATCH", s->cart, MERGE, "{\"spec\":{\"replicas\":4}}", 200, NULL));
	wait_rolled_out(s);
	s->c->wait(s->c->self, 5 * NS_PER_SEC);
	snprintf(path, sizeof path, "%s?watch=1&timeoutSeconds=3&resourceVersion=%s", s->pods, version);
	status = s->c->watch(s->c->self, path, 10 * NS_PER_SEC, &b, &over);
	check(s, status == 200 && events_of(&b, "ADDED", ignored) == 0 && events_of(&b, "DELETED", ignored) == 1,
	      "resumed, it does not tell the deletion alone");
	buf_done(&b);
}

/* 4 replicas, a quarter more, a quarter fewer: by the ReplicaSets' specs 5 at most, by status 3 available at least. */
static void limits(struct suite *s) {
	s->promise = "a rolling update keeps maxSurge and maxUnavailable";
	doc_free(expect(s, "PATCH", s->cart, STRATEGIC,
	                "{\"spec\":{\"template\":{\"metadata\":{\"annotations\":{\"n\":\"1\"}}}}}", 200, NULL));
	for (int i = 0; i < 10 * PATIENCE; i++) {
		struct doc *all = sets(s), *d = cart(s);
		int64_t spec = 0;
		doc_each(set, doc_get(all, "items")) spec += doc_int(doc_path(set, "spec.replicas"), 0);
		int64_t available = doc_int(doc_path(d, "status.availableReplicas"), 0);
		bool done = rolled_out(d);
		doc_free(all);
		doc_free(d);
		if (!check(s, spec <= 5 && available >= 3, "%lld wanted, %lld available", (long long)spec,
		           (long long)available))
			return;
		if (done) return;
		s->c->wait(s->c->self, 50 * NS_PER_MS);
	}
	check(s, false, "the rollout does not end");
}

static void deletion(struct suite *s) {
	s->promise = "what a Deployment owns goes with it";
	struct doc *d = expect(s, "DELETE", s->cart, JSON, "", 200, NULL);
	check(s, !strcmp(doc_c(doc_get(d, "status")), "Success"), "no Status of success");
	doc_free(d);
	size_t left = 1;
	for (int i = 0; i < PATIENCE && left; i++) {
		s->c->wait(s->c->self, NS_PER_SEC / 2);
		struct doc *pods = list(s, s->pods), *all = sets(s);
		left = doc_count(doc_get(pods, "items")) + doc_count(doc_get(all, "items"));
		doc_free(pods);
		doc_free(all);
	}
	check(s, !left, "%zu objects are left", left);
}

size_t contract_run(const struct contract *c, struct buf *out, size_t *kept) {
	static void (*const promises[])(struct suite *) = {
		create_and_ready, refusals,  rights, restart, ownership, patches,  scaling,
		pods_go,          evictions, pages,  watches, limits,    deletion,
	};
	struct suite s = { .c = c, .out = out };
	snprintf(s.deployments, sizeof s.deployments, "/apis/apps/v1/namespaces/%s/deployments", c->namespace_);
	snprintf(s.cart, sizeof s.cart, "%s/cart", s.deployments);
	snprintf(s.pods, sizeof s.pods, "/api/v1/namespaces/%s/pods", c->namespace_);
	for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) promises[i](&s);
	*kept = s.kept;
	return s.broken;
}
