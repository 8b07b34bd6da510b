/* The simulated API server over the simulated network. */
#include <stdio.h>

#include "base/test.h"
#include "sim/kube/rig.h"
#include "sim/kube/server.h"
#include "sim/memory.h"
#include "sim/test_person.h"

struct net_rig {
	struct kube_rig c;
	struct sim_net net;
	struct sim_web *web;
	struct sim_host host;
	struct test_person person;
	struct sim_kube_server server;
};

static const struct doc *deployment(const struct net_rig *r) {
	return sim_kube_object(r->c.kube, KUBE_DEPLOYMENTS, "shop", "cart");
}

static void net_init(const struct t *t, struct net_rig *r) {
	static const struct sim_kube_rule all = { "*", "*", "*", NULL };
	static struct sim_kube_user users[2];
	users[0] = (struct sim_kube_user){ "admin-token", "admin", &all, 1 };
	users[1] = (struct sim_kube_user){ "look-token", "system:serviceaccount:flyball:flyball", sim_kube_rules_look,
		                               sim_kube_rules_look_count };
	kube_rig_init(&r->c, t->seed);
	struct rng rng = rng_seeded(t->seed);
	sim_net_init(&r->net, &r->c.queue, &r->c.trace, rng);
	r->web = sim_web_new(&r->net);
	r->server = (struct sim_kube_server){ .kube = r->c.kube, .users = users, .user_count = 2, .port = 6443 };
	struct sim_host_opts o = {
		"kube",    &r->c.queue, &r->c.trace, r->web, sim_net_add(&r->net, "kube"), { 0 }, rng, &sim_kube_server_program,
		&r->server
	};
	sim_host_init(&r->host, &o);
	o.name = "person";
	o.number = sim_net_add(&r->net, "person");
	o.program = &test_person_program;
	o.self = &r->person;
	sim_host_init(&r->person.host, &o);
	EXPECT_OK(sim_host_start(&r->host, NULL));
	EXPECT_OK(sim_host_start(&r->person.host, NULL));
	EXPECT_OK(kube_rig_add_cart(&r->c));
	kube_rig_run(&r->c, 10 * NS_PER_SEC);
}

static void net_done(struct net_rig *r) {
	sim_host_done(&r->person.host);
	sim_host_done(&r->host);
	sim_web_free(r->web);
	sim_net_done(&r->net);
	kube_rig_done(&r->c);
}

static uint64_t send(const struct t *t, struct net_rig *r, const char *token, const char *method, const char *path,
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
	EXPECT_OK(http_client_submit(r->person.client, &q, &id, NULL));
	return id;
}

/* The status and the body as a document (the caller's), of a request that ends. */
static int ask(const struct t *t, struct net_rig *r, const char *token, const char *method, const char *path,
               const char *type, const char *body, struct doc **out) {
	uint64_t id = send(t, r, token, method, path, type, body);
	struct buf b;
	int status = 0;
	bool over = false;
	buf_init(&b, 0);
	for (int i = 0; i < 1000 && !over; i++) {
		struct http_event e;
		kube_rig_run(&r->c, 10 * NS_PER_MS);
		while (http_client_poll(r->person.client, &e)) {
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
		{ "admin-token", "POST", "/apis/apps/v1/namespaces/shop/deployments", JSON, KUBE_RIG_CART, 409,
		  "AlreadyExists" },
		{ "admin-token", "POST", "/apis/apps/v1/namespaces/none/deployments", JSON, KUBE_RIG_CART, 404, "NotFound" },
		{ "admin-token", "DELETE", CART, JSON, "{\"preconditions\":{\"uid\":\"x\"}}", 409, "Conflict" },
		{ "admin-token", "DELETE", CART "?dryRun=All", JSON, "", 200, NULL },
		{ "admin-token", "GET", "/api/v1/pods?labelSelector=%3D", "", "", 400, "BadRequest" },
		{ "admin-token", "GET", "/api/v1/pods?continue=x", "", "", 400, "BadRequest" },
	};
	struct net_rig r;
	net_init(t, &r);
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
	(void)sim_kube_effects(r.c.kube, &effects);
	EXPECT(effects == 0 && doc_int(doc_path(deployment(&r), "metadata.generation"), 0) == 1); /* nothing was done */
	net_done(&r);
}

TEST(writes_count_as_effects_once_and_dry_runs_not_at_all) {
	struct net_rig r;
	struct doc *d = NULL;
	size_t effects = 0;
	net_init(t, &r);
	const char *restart = "{\"metadata\":{\"annotations\":{\"flyball.dev/action-key\":\"k1\"}},\"spec\":{\"template\":{"
						  "\"metadata\":{\"annotations\":{\"at\":\"1\"}}}}}";
	EXPECT(ask(t, &r, "admin-token", "PATCH", CART "?dryRun=All&fieldManager=f", MERGE, restart, &d) == 200);
	EXPECT(doc_int(doc_path(d, "metadata.generation"), 0) == 2); /* as it would be */
	doc_free(d);
	(void)sim_kube_effects(r.c.kube, &effects);
	EXPECT(effects == 0 && doc_int(doc_path(deployment(&r), "metadata.generation"), 0) == 1);
	for (int i = 0; i < 3; i++)
		EXPECT(ask(t, &r, "admin-token", "PATCH", CART "?fieldManager=f", MERGE, restart, NULL) == 200);
	const struct sim_kube_effect *e = sim_kube_effects(r.c.kube, &effects);
	EXPECT(effects >= 1 && e[0].spec_changed && !strcmp(e[0].key, "k1") && !strcmp(e[0].manager, "f"));
	for (size_t i = 1; i < effects; i++) EXPECT(!e[i].spec_changed); /* the controller had written between */
	EXPECT(ask(t, &r, "admin-token", "PATCH", CART "/scale?fieldManager=s", MERGE, "{\"spec\":{\"replicas\":6}}", &d) ==
	       200);
	EXPECT(!strcmp(doc_c(doc_get(d, "kind")), "Scale") && doc_int(doc_path(d, "spec.replicas"), 0) == 6);
	doc_free(d);
	EXPECT(str_is(sim_kube_fields_owner(deployment(&r), "spec.replicas"), "s"));
	kube_rig_run(&r.c, 20 * NS_PER_SEC);
	EXPECT(doc_int(doc_path(deployment(&r), "status.availableReplicas"), 0) == 6);
	net_done(&r);
}

TEST(lists_come_in_pages_of_one_moment) {
	struct net_rig r;
	struct doc *d = NULL;
	char path[400];
	net_init(t, &r);
	EXPECT(ask(t, &r, "admin-token", "GET", "/api/v1/namespaces/shop/pods?limit=3", "", "", &d) == 200);
	EXPECT(!strcmp(doc_c(doc_get(d, "kind")), "PodList") && doc_count(doc_get(d, "items")) == 3);
	EXPECT(!doc_get(doc_at(doc_get(d, "items"), 0), "kind"));
	snprintf(path, sizeof path, "/api/v1/namespaces/shop/pods?limit=3&continue=%s",
	         doc_c(doc_path(d, "metadata.continue")));
	doc_free(d);
	EXPECT_OK(sim_kube_change(r.c.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":0}}"),
	                          NULL));
	kube_rig_run(&r.c, 5 * NS_PER_SEC);
	EXPECT(sim_kube_count(r.c.kube, KUBE_PODS) == 0);
	EXPECT(ask(t, &r, "admin-token", "GET", path, "", "", &d) == 200);
	EXPECT(doc_count(doc_get(d, "items")) == 1 && !doc_path(d, "metadata.continue"));
	doc_free(d);
	sim_kube_compact(r.c.kube);
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
static void read_watch(struct net_rig *r, struct buf *b, bool *over) {
	struct http_event e;
	while (http_client_poll(r->person.client, &e)) {
		if (e.kind == HTTP_BODY) buf_str(b, e.body);
		*over = *over || e.kind == HTTP_END || e.kind == HTTP_FAILED;
	}
}

TEST(a_watch_tells_every_change_from_its_version_on_and_410_when_it_cannot) {
	struct net_rig r;
	char path[300];
	bool over = false;
	struct buf b;
	net_init(t, &r);
	buf_init(&b, 0);
	snprintf(path, sizeof path, "/api/v1/pods?watch=1&allowWatchBookmarks=true&timeoutSeconds=100&resourceVersion=%llu",
	         (unsigned long long)sim_kube_version(r.c.kube));
	(void)send(t, &r, "admin-token", "GET", path, "", "");
	EXPECT_OK(sim_kube_change(r.c.kube, KUBE_DEPLOYMENTS, "shop", "cart", "kubectl", STR("{\"spec\":{\"replicas\":5}}"),
	                          NULL));
	kube_rig_run(&r.c, 90 * NS_PER_SEC);
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
	kube_rig_run(&r.c, 20 * NS_PER_SEC);
	read_watch(&r, &b, &over);
	EXPECT(over); /* timeoutSeconds */
	sim_kube_compact(r.c.kube);
	buf_clear(&b);
	over = false;
	(void)send(t, &r, "admin-token", "GET", path, "", "");
	kube_rig_run(&r.c, NS_PER_SEC);
	read_watch(&r, &b, &over);
	EXPECT(over && b.p && strstr(b.p, "\"ERROR\"") && strstr(b.p, "410"));
	buf_done(&b);
	net_done(&r);
}

TEST(an_eviction_asks_the_disruption_budget) {
	struct net_rig r;
	struct doc *d = NULL;
	char path[300];
	net_init(t, &r);
	EXPECT_OK(
		sim_kube_create(r.c.kube, KUBE_PDBS,
	                    STR("{\"metadata\":{\"name\":\"cart\",\"namespace\":\"shop\"},\"spec\":{\"minAvailable\":4,"
	                        "\"selector\":{\"matchLabels\":{\"app\":\"cart\"}}}}"),
	                    NULL));
	kube_rig_run(&r.c, NS_PER_SEC); /* until the disruption controller has counted */
	size_t i = 0;
	snprintf(path, sizeof path, "/api/v1/namespaces/shop/pods/%s/eviction",
	         doc_c(doc_path(sim_kube_next(r.c.kube, KUBE_PODS, &i), "metadata.name")));
	EXPECT(ask(t, &r, "admin-token", "POST", path, JSON, "{\"kind\":\"Eviction\"}", &d) == 429);
	doc_free(d);
	EXPECT_OK(
		sim_kube_change(r.c.kube, KUBE_PDBS, "shop", "cart", "kubectl", STR("{\"spec\":{\"minAvailable\":3}}"), NULL));
	kube_rig_run(&r.c, NS_PER_SEC);
	EXPECT(ask(t, &r, "admin-token", "POST", path, JSON, "{\"kind\":\"Eviction\"}", &d) == 201);
	doc_free(d);
	kube_rig_run(&r.c, 10 * NS_PER_SEC);
	size_t effects = 0;
	const struct sim_kube_effect *e = sim_kube_effects(r.c.kube, &effects);
	EXPECT(effects == 1 && e->verb == KUBE_EVICT);
	net_done(&r);
}

TEST(one_may_ask_what_one_may) {
	struct net_rig r;
	struct doc *d = NULL;
	net_init(t, &r);
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

RUN(the_server_answers_as_the_real_one_by_status_code, writes_count_as_effects_once_and_dry_runs_not_at_all,
    lists_come_in_pages_of_one_moment, a_watch_tells_every_change_from_its_version_on_and_410_when_it_cannot,
    an_eviction_asks_the_disruption_budget, one_may_ask_what_one_may)
