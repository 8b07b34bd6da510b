/* Hosts, lanes and the network together: two programs that talk under every fault of the outside. */
#include "sim/host.h"

#include "base/test.h"
#include "sim/memory.h"

#define CALLS 200

struct rig {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_net net;
	struct sim_web *web;
	struct sim_host a, b; /* a calls, b answers */
};

struct caller {
	struct sim_host *host;
	struct http_client *client;
	int started, ended, failed;
	uint64_t ids[CALLS];
	int state[CALLS]; /* 0 not begun, 1 under way, 2 answered, 3 failed */
	uint64_t body_hash;
	size_t body_bytes;
	int64_t due_ns;
	int alive; /* of the process; what is above is the world's memory of it */
};

struct server {
	struct sim_host *host;
	struct http_server *server;
	struct lane *lane;
	struct work {
		struct job job;
		uint64_t id, bytes;
	} work[CALLS * 3];
	int used, seen, replied;
	uint64_t bytes;
	uint64_t current;
};

#define CALL_BYTES(i) ((size_t)(i)*997 % 200000)

static enum err caller_start(void *self, struct sim_host *h, struct why *why) {
	struct caller *c = self;
	(void)why;
	c->host = h;
	c->alive = 1;
	return h->world.clients->open(h->world.clients, 50, &c->client);
}

static void caller_take(struct caller *c, const struct http_event *e) {
	for (int i = 0; i < c->started; i++) {
		if (c->ids[i] != e->id) continue;
		if (c->state[i] != 1) c->failed = -1000000; /* an event after the end */
		if (e->kind == HTTP_RESPONSE && e->status != 200) c->failed = -1000000;
		if (e->kind == HTTP_END || e->kind == HTTP_FAILED) {
			c->state[i] = e->kind == HTTP_END ? 2 : 3;
			c->ended++;
			c->failed += e->kind == HTTP_FAILED;
		}
		return;
	}
}

static bool caller_step(void *self) {
	struct caller *c = self;
	struct http_event e;
	while (http_client_poll(c->client, &e)) caller_take(c, &e);
	if (c->started == CALLS || c->host->queue->now_ns < c->due_ns) return false;
	static char body[200000];
	struct http_request r = { .method = STR("POST"), .url = STR("http://b:80/x"), .timeout_ns = 3 * NS_PER_SEC };
	r.connect_timeout_ns = NS_PER_SEC;
	r.body = (struct str){ body, CALL_BYTES(c->started) };
	struct why why;
	if (http_client_submit(c->client, &r, &c->ids[c->started], &why)) return false;
	c->state[c->started++] = 1;
	c->due_ns = c->host->queue->now_ns + 20 * NS_PER_MS;
	return false;
}

static struct mono caller_due(void *self) {
	struct caller *c = self;
	return c->started == CALLS ? (struct mono){ INT64_MAX } : (struct mono){ c->due_ns + c->host->clock.booted_ns };
}

static void caller_stop(void *self) {
	struct caller *c = self;
	http_client_close(c->client);
	c->client = NULL;
	c->alive = 0;
}

static enum err server_start(void *self, struct sim_host *h, struct why *why) {
	struct server *s = self;
	s->host = h;
	s->used = 0;
	struct http_listen l = { STR("0.0.0.0"), 80, false, 1000, 5 * NS_PER_SEC };
	enum err e = h->world.servers->listen(h->world.servers, &l, &s->server, why);
	return e ? e : h->world.jobs->lane(h->world.jobs, "work", CALLS * 3, &s->lane);
}

static void work_run(struct job *job) {
	(void)job;
}

static bool server_step(void *self) {
	struct server *s = self;
	struct http_event e;
	while (http_server_poll(s->server, &e)) {
		if (e.kind == HTTP_REQUEST) s->current = e.id, s->bytes = 0;
		if (e.kind == HTTP_BODY) s->bytes += e.body.n;
		if (e.kind != HTTP_END) continue;
		struct work *w = &s->work[s->used++];
		*w = (struct work){ { work_run, { NULL, NULL } }, e.id, s->bytes };
		s->seen++;
		if (lane_submit(s->lane, &w->job)) return false;
	}
	for (struct job *j = lane_poll(s->lane); j; j = lane_poll(s->lane)) {
		struct work *w = container_of(j, struct work, job);
		struct http_reply r = { .status = 200, .body = STR("ok") };
		s->replied += http_server_reply(s->server, w->id, &r) == OK;
	}
	return false;
}

static struct mono server_due(void *self) {
	(void)self;
	return (struct mono){ INT64_MAX };
}

static void server_stop(void *self) {
	struct server *s = self;
	http_server_close(s->server);
	lane_close(s->lane, NULL);
}

static const struct sim_program caller_program = { caller_start, caller_step, caller_due, caller_stop };
static const struct sim_program server_program = { server_start, server_step, server_due, server_stop };

static void rig_init(struct rig *r, uint64_t seed, struct caller *c, struct server *s) {
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	struct rng rng = rng_seeded(seed);
	sim_net_init(&r->net, &r->queue, &r->trace, rng_fork(&rng, "net"));
	r->web = sim_web_new(&r->net);
	struct sim_host_opts o = { "a", &r->queue,       &r->trace, r->web, sim_net_add(&r->net, "a"), { NS_PER_DAY },
		                       rng, &caller_program, c };
	sim_host_init(&r->a, &o);
	o.name = "b";
	o.number = sim_net_add(&r->net, "b");
	o.program = &server_program;
	o.self = s;
	sim_host_init(&r->b, &o);
}

static void rig_done(struct rig *r) {
	sim_host_done(&r->a);
	sim_host_done(&r->b);
	sim_web_free(r->web);
	sim_net_done(&r->net);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

static void run_for(struct rig *r, int64_t ns) {
	int64_t until = r->queue.now_ns + ns;
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until));
}

TEST(without_faults_every_call_is_answered_once) {
	struct caller c = { 0 };
	struct server *s = must_alloc(sizeof *s);
	struct rig r;
	rig_init(&r, t->seed, &c, s);
	EXPECT_OK(sim_host_start(&r.b, NULL));
	EXPECT_OK(sim_host_start(&r.a, NULL));
	run_for(&r, 60 * NS_PER_SEC);
	EXPECT(c.ended == CALLS && c.failed == 0 && s->seen == CALLS && s->replied == CALLS);
	EXPECT(sim_web_exchanges(r.web) == 0);
	rig_done(&r);
	free(s);
}

static void faulty(struct rig *r, struct rng *rng) {
	struct sim_link l = { .delay_ns = NS_PER_MS, .delay_sigma = 1 };
	l.lost = 0.05 * rng_unit(rng);
	l.reset = 0.05 * rng_unit(rng);
	l.cut = 0.05 * rng_unit(rng);
	l.stalled = 0.05 * rng_unit(rng);
	l.twice = 0.1 * rng_unit(rng);
	l.slow = (struct sim_late){ 0.1, 2 * NS_PER_SEC };
	sim_net_link(&r->net, 0, &l);
}

static uint64_t chaos(const struct t *t, uint64_t seed, int *failed) {
	struct caller c = { 0 };
	struct server *s = must_alloc(sizeof *s);
	struct rng rng = rng_seeded(seed);
	struct rig r;
	rig_init(&r, seed, &c, s);
	faulty(&r, &rng);
	EXPECT_OK(sim_host_start(&r.b, NULL));
	EXPECT_OK(sim_host_start(&r.a, NULL));
	for (int i = 0; i < 20; i++) {
		run_for(&r, rng_below(&rng, NS_PER_SEC));
		if (r.b.up && rng_below(&rng, 3) == 0) sim_host_crash_after(&r.b, rng_below(&rng, 30), rng_below(&rng, 2));
		if (!r.b.up && rng_below(&rng, 2)) EXPECT_OK(sim_host_start(&r.b, NULL));
	}
	if (!r.b.up) EXPECT_OK(sim_host_start(&r.b, NULL));
	run_for(&r, 60 * NS_PER_SEC);
	EXPECT(c.ended == c.started && c.started == CALLS && c.failed >= 0);
	EXPECT(sim_web_exchanges(r.web) == 0);
	*failed += c.failed;
	uint64_t hash = r.trace.hash;
	rig_done(&r);
	free(s);
	return hash;
}

TEST(under_every_fault_each_call_ends_once_and_a_seed_repeats_itself, .seeds = 40) {
	int failed = 0;
	uint64_t first = chaos(t, t->seed, &failed), second = chaos(t, t->seed, &failed);
	EXPECT(first == second && failed > 0);
	EXPECT(first != chaos(t, t->seed + 1000000, &failed));
}

TEST(a_killed_server_is_noticed_at_once_and_a_dark_one_by_the_clock) {
	for (int dark = 0; dark < 2; dark++) {
		struct caller c = { .due_ns = NS_PER_SEC };
		struct server *s = must_alloc(sizeof *s);
		struct rig r;
		rig_init(&r, t->seed, &c, s);
		EXPECT_OK(sim_host_start(&r.b, NULL));
		EXPECT_OK(sim_host_start(&r.a, NULL));
		sim_host_crash(&r.b, dark);
		run_for(&r, NS_PER_SEC + 100 * NS_PER_MS);
		EXPECT(dark ? c.failed == 0 : c.failed > 0);
		run_for(&r, 2 * NS_PER_SEC);
		EXPECT(c.failed > 0);
		rig_done(&r);
		free(s);
	}
}

TEST(a_loopback_listener_is_its_own_hosts_only) {
	struct caller c = { 0 };
	struct server *s = must_alloc(sizeof *s);
	struct rig r;
	rig_init(&r, t->seed, &c, s);
	struct http_listen l = { STR("127.0.0.1"), 80, false, 10, 0 };
	struct http_server *server = NULL;
	EXPECT_OK(r.b.world.servers->listen(r.b.world.servers, &l, &server, NULL));
	struct http_server *busy = NULL;
	struct why why;
	EXPECT_ERR(r.b.world.servers->listen(r.b.world.servers, &l, &busy, &why), ERR_BUSY);
	struct http_client *far = NULL, *near = NULL;
	EXPECT_OK(r.a.world.clients->open(r.a.world.clients, 1, &far));
	EXPECT_OK(r.b.world.clients->open(r.b.world.clients, 1, &near));
	struct http_request q = { .method = STR("GET"), .url = STR("http://b/"), .timeout_ns = NS_PER_SEC };
	uint64_t id = 0;
	EXPECT_OK(http_client_submit(far, &q, &id, NULL));
	EXPECT_ERR(http_client_submit(far, &q, &id, NULL), ERR_FULL);
	q.url = STR("http://localhost/");
	EXPECT_OK(http_client_submit(near, &q, &id, NULL));
	q.url = STR("ftp://b/");
	EXPECT_ERR(http_client_submit(near, &q, &id, &why), ERR_FULL);
	r.a.ports.wake = r.b.ports.wake = (void (*)(void *))free; /* of NULL: nobody is woken in this test */
	r.a.ports.wake_self = r.b.ports.wake_self = NULL;
	run_for(&r, 100 * NS_PER_MS);
	struct http_event e;
	EXPECT(http_client_poll(far, &e) && e.kind == HTTP_FAILED && e.err == ERR_UNREACHABLE);
	EXPECT(http_server_poll(server, &e) && e.kind == HTTP_REQUEST && str_is(e.target, "/"));
	EXPECT(http_server_poll(server, &e) && e.kind == HTTP_END && !http_server_poll(server, &e));
	http_client_close(far);
	http_client_close(near);
	http_server_close(server);
	rig_done(&r);
	free(s);
}

/* An open answer: pieces come in order; who does not read slows the sender down. */
TEST(a_watch_keeps_its_order_and_its_bound) {
	struct caller c = { 0 };
	struct server *s = must_alloc(sizeof *s);
	struct rig r;
	rig_init(&r, t->seed, &c, s);
	r.net.usual.delay_sigma = 2;
	r.a.ports.wake = r.b.ports.wake = (void (*)(void *))free;
	r.a.ports.wake_self = r.b.ports.wake_self = NULL;
	struct http_server *server = NULL;
	struct http_client *client = NULL;
	struct http_listen l = { STR("0.0.0.0"), 80, true, 10, 0 };
	EXPECT_OK(r.b.world.servers->listen(r.b.world.servers, &l, &server, NULL));
	EXPECT_OK(r.a.world.clients->open(r.a.world.clients, 1, &client));
	struct http_request q = { .method = STR("GET"), .url = STR("http://b/?watch=1") };
	uint64_t id = 0;
	EXPECT_OK(http_client_submit(client, &q, &id, NULL));
	run_for(&r, NS_PER_SEC);
	struct http_event e;
	EXPECT(http_server_poll(server, &e) && e.kind == HTTP_REQUEST && e.http2 && str_is(e.target, "/?watch=1"));
	EXPECT_OK(http_server_reply(server, e.id, &(struct http_reply){ .status = 200, .open = true }));
	static char piece[100000];
	int sent = 0, got = 0;
	while (sent < 100) {
		memset(piece, sent, sizeof piece);
		if (http_server_send(server, e.id, (struct str){ piece, sizeof piece }, false) == ERR_AGAIN) break;
		sent++;
	}
	EXPECT(sent >= 10 && sent <= 12);
	run_for(&r, 60 * NS_PER_SEC);
	uint64_t server_id = e.id;
	size_t bytes = 0;
	while (http_client_poll(client, &e)) {
		EXPECT(e.kind == HTTP_RESPONSE || (e.kind == HTTP_BODY && e.body.n <= HTTP_PIECE_MAX));
		if (e.kind != HTTP_BODY) continue;
		EXPECT(e.body.p[0] == (char)(bytes / sizeof piece));
		bytes += e.body.n;
		got++;
	}
	EXPECT(bytes == (size_t)sent * sizeof piece && got > sent);
	EXPECT_OK(http_server_send(server, server_id, STR("end"), true));
	run_for(&r, 60 * NS_PER_SEC);
	EXPECT(http_client_poll(client, &e) && e.kind == HTTP_BODY);
	EXPECT(http_client_poll(client, &e) && e.kind == HTTP_END);
	EXPECT(sim_web_exchanges(r.web) == 0);
	http_client_close(client);
	http_server_close(server);
	rig_done(&r);
	free(s);
}

RUN(without_faults_every_call_is_answered_once, under_every_fault_each_call_ends_once_and_a_seed_repeats_itself,
    a_killed_server_is_noticed_at_once_and_a_dark_one_by_the_clock, a_loopback_listener_is_its_own_hosts_only,
    a_watch_keeps_its_order_and_its_bound)
