/* The contract on the simulated server: containers that are ready after two seconds, in virtual time. */
#include "sim/kube/contract.h"

#include <stdio.h>

#include "base/test.h"
#include "sim/kube/server.h"
#include "sim/memory.h"
#include "sim/test_person.h"

struct rig {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_net net;
	struct sim_web *web;
	struct sim_kube *kube;
	struct sim_kube_server server;
	struct sim_host host;
	struct test_person person;
};

static void ready_soon(void *self, uint64_t arg);

static void start_container(void *self, const struct sim_kube_pod *pod) {
	struct rig *r = self;
	sim_kube_pod_running(r->kube, pod->uid);
	sim_queue_in(&r->queue, 2 * NS_PER_SEC, ready_soon, r, 0);
}
/* Whatever runs has become ready. */
static void ready_soon(void *self, uint64_t arg) {
	struct rig *r = self;
	const struct doc *d;
	(void)arg;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_PODS, &i));) {
		char uid[37];
		snprintf(uid, sizeof uid, "%s", doc_c(doc_path(d, "metadata.uid")));
		sim_kube_pod_ready(r->kube, uid, true);
	}
}
static void stop_container(void *self, const struct sim_kube_pod *pod, int64_t grace_ns) {
	(void)grace_ns;
	sim_kube_pod_exited(((struct rig *)self)->kube, pod->uid, "Completed", 0);
}
static void kill_container(void *self, const struct sim_kube_pod *pod) {
	(void)self, (void)pod;
}
static const struct sim_kube_runtime runtime = { start_container, stop_container, kill_container };

static void run_for(struct rig *r, int64_t ns) {
	int64_t until = r->queue.now_ns + ns;
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until));
}

/* ---- a person with a client ---- */

static uint64_t submit(struct rig *r, const char *user, const char *method, const char *path, const char *type,
                       const char *body) {
	char url[1200], bearer[100];
	snprintf(url, sizeof url, "http://kube:6443%s", path);
	snprintf(bearer, sizeof bearer, "Bearer %s-token", user);
	struct http_header h[] = { { STR("authorization"), str_of(bearer) }, { STR("content-type"), str_of(type) } };
	struct http_request q = {
		.method = str_of(method), .url = str_of(url), .headers = h, .header_count = *type ? 2 : 1
	};
	q.body = str_of(body);
	uint64_t id = 0;
	return http_client_submit(r->person.client, &q, &id, NULL) ? 0 : id;
}

/* Reads one exchange until it ends or the time is over. */
static int read_answer(struct rig *r, uint64_t id, int64_t for_ns, struct buf *b, bool *over) {
	int status = -1;
	*over = false;
	for (int64_t t = 0; t < for_ns && !*over; t += 5 * NS_PER_MS) {
		struct http_event e;
		run_for(r, 5 * NS_PER_MS);
		while (http_client_poll(r->person.client, &e)) {
			if (e.id != id) continue;
			if (e.kind == HTTP_RESPONSE) status = e.status;
			if (e.kind == HTTP_BODY) buf_str(b, e.body);
			*over = *over || e.kind == HTTP_END || e.kind == HTTP_FAILED;
		}
	}
	if (!*over) http_client_cancel(r->person.client, id);
	return status;
}

static int ask(void *self, const char *user, const char *method, const char *path, const char *type, const char *body,
               struct doc **out) {
	struct buf b;
	bool over;
	buf_init(&b, 0);
	int status = read_answer(self, submit(self, user, method, path, type, body), 10 * NS_PER_SEC, &b, &over);
	if (out) *out = doc_parse(buf_get(&b), NULL);
	buf_done(&b);
	return status;
}

static int watch(void *self, const char *path, int64_t for_ns, struct buf *lines, bool *over) {
	return read_answer(self, submit(self, "admin", "GET", path, "", ""), for_ns, lines, over);
}

static void pass(void *self, int64_t ns) {
	run_for(self, ns);
}

TEST(the_simulated_server_keeps_the_contract, .seeds = 3) {
	static const struct sim_kube_rule all = { "*", "*", "*", NULL };
	const struct sim_kube_user users[] = {
		{ "admin-token", "admin", &all, 1 },
		{ "look-token", "look", sim_kube_rules_look, sim_kube_rules_look_count },
	};
	struct rig *r = must_alloc(sizeof *r);
	struct rng rng = rng_seeded(t->seed);
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	sim_net_init(&r->net, &r->queue, &r->trace, rng);
	r->web = sim_web_new(&r->net);
	struct wall epoch = { 1767607200 * NS_PER_SEC };
	struct sim_kube_opts k = { &r->queue, &r->trace, rng, epoch, 3, &runtime, r, 0 };
	r->kube = sim_kube_new(&k);
	r->server = (struct sim_kube_server){ .kube = r->kube, .users = users, .user_count = 2, .port = 6443 };
	struct sim_host_opts o = {
		"kube",    &r->queue, &r->trace, r->web, sim_net_add(&r->net, "kube"), epoch, rng, &sim_kube_server_program,
		&r->server
	};
	sim_host_init(&r->host, &o);
	o = (struct sim_host_opts){
		"person",  &r->queue, &r->trace, r->web, sim_net_add(&r->net, "person"), epoch, rng, &test_person_program,
		&r->person
	};
	sim_host_init(&r->person.host, &o);
	EXPECT_OK(sim_host_start(&r->host, NULL));
	EXPECT_OK(sim_host_start(&r->person.host, NULL));
	struct contract c = { r, ask, watch, pass, "contract" };
	struct buf out;
	size_t kept = 0;
	buf_init(&out, 0);
	size_t broken = contract_run(&c, &out, &kept);
	if (broken) fprintf(stderr, STR_FMT, STR_ARG(buf_get(&out)));
	EXPECT(broken == 0 && kept > 100);
	buf_done(&out);
	sim_host_done(&r->person.host);
	sim_host_done(&r->host);
	sim_kube_free(r->kube);
	sim_web_free(r->web);
	sim_net_done(&r->net);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
	free(r);
}

RUN(the_simulated_server_keeps_the_contract)
