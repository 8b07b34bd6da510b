/* People before their screens: every few seconds one looks whether Flyball answers; and when the plan says
 * so, one says yes or no to whatever waits for an approval. */
#include "sim/run/impl.h"

#define LOOK_NS    (10 * NS_PER_SEC)
#define TIMEOUT_NS (5 * NS_PER_SEC)
#define URL        "http://flyball:8555"

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct run_people *p = self;
	(void)why;
	p->host = host;
	buf_init(&p->body, 8 << 20);
	p->next_ns = p->run->begin_ns + LOOK_NS;
	return host->world.clients->open(host->world.clients, 32, &p->client);
}

static uint64_t ask(struct run_people *p, const char *method, struct str url) {
	struct http_header headers[2] = { { STR("authorization"), STR("Bearer " RUN_TOKEN) },
		                              { STR("content-type"), STR("application/json") } };
	struct http_request q = {
		.method = str_of(method),
		.url = url,
		.headers = headers,
		.header_count = 2,
		.body = method[0] == 'P' ? STR("{\"why\":\"as the plan says\"}") : (struct str){ 0 },
		.connect_timeout_ns = TIMEOUT_NS,
		.timeout_ns = TIMEOUT_NS,
		.answer_max = 8 << 20,
	};
	struct why why;
	uint64_t id = 0;
	return http_client_submit(p->client, &q, &id, &why) ? 0 : id;
}

/* ---- does it answer ---- */

/* Excused: it was down or being restarted, or something was between it and the people. */
static bool excused(const struct run_people *p) {
	const struct run *r = p->run;
	const struct sim_host *h = &r->host[RUN_FLYBALL];
	return r->stopped || !h->up || r->starts != p->starts || r->conditions > 0 || r->condition_changes != p->changes;
}

static void probed(struct run_people *p, bool ok, const char *how) {
	struct invariants *v = p->run->checks;
	p->probe = 0;
	v->probes++;
	v->answers += ok;
	if (!ok && !excused(p))
		invariants_break(v, INVARIANT_ANSWERS, p->run->queue.now_ns, "GET /healthz was sent at %.3f s: %s",
		                 (double)p->asked_ns / 1e9, how);
}

static void look(struct run_people *p) {
	p->next_ns = p->run->queue.now_ns + LOOK_NS;
	if (p->probe || !p->run->host[RUN_FLYBALL].up || p->run->conditions > 0) return;
	p->asked_ns = p->run->queue.now_ns;
	p->starts = p->run->starts;
	p->changes = p->run->condition_changes;
	p->probe = ask(p, "GET", STR(URL "/healthz"));
}

/* ---- yes and no ---- */

static void answer_each(struct run_people *p) {
	const struct json *all = NULL;
	struct arena a;
	arena_init(&a, 0);
	if (p->status == 200 && json_parse(&a, buf_get(&p->body), &all, NULL) == OK) {
		const struct json *items = json_get(all, "items");
		json_each(act, items ? items : all) {
			if (!str_is(json_str(json_get(act, "state")), action_state_name(ACTION_WAITING))) continue;
			struct str id = json_str(json_get(act, "id"));
			if (!id.n) id = json_str(json_get(act, "action"));
			(void)ask(
				p, "POST",
				str_printf(&a, URL "/api/v1/actions/" STR_FMT "/%s", STR_ARG(id), p->approve ? "approve" : "reject"));
			sim_trace_tell(&p->run->trace, "people: %s " STR_FMT, p->approve ? "approve" : "reject", STR_ARG(id));
		}
	}
	arena_done(&a);
	p->approve = p->reject = false;
}

void run_people_answer(struct run *r, bool approve) {
	struct run_people *p = &r->people;
	if (!p->client || p->list) return;
	p->approve = approve;
	p->reject = !approve;
	buf_clear(&p->body);
	p->list = ask(p, "GET", STR(URL "/api/v1/actions?limit=1000"));
}

/* ---- the program ---- */

static void take(struct run_people *p, const struct http_event *e) {
	if (e->kind == HTTP_RESPONSE && e->id == p->list) p->status = e->status;
	if (e->kind == HTTP_RESPONSE && e->id == p->probe) p->status = e->status;
	if (e->kind == HTTP_BODY && e->id == p->list) buf_str(&p->body, e->body);
	if (e->kind == HTTP_END && e->id == p->probe) probed(p, p->status == 200, "it answered, but not 200");
	if (e->kind == HTTP_FAILED && e->id == p->probe) probed(p, false, e->why ? e->why : err_text(e->err));
	if ((e->kind == HTTP_END || e->kind == HTTP_FAILED) && e->id == p->list) {
		p->list = 0;
		if (e->kind == HTTP_END) answer_each(p);
	}
}

static bool step(void *self) {
	struct run_people *p = self;
	struct http_event e;
	while (http_client_poll(p->client, &e)) take(p, &e);
	if (p->run->queue.now_ns >= p->next_ns) look(p);
	return false;
}

static struct mono next_due(void *self) {
	struct run_people *p = self;
	return (struct mono){ p->next_ns + p->host->clock.booted_ns };
}

static void stop(void *self) {
	struct run_people *p = self;
	http_client_close(p->client);
	p->client = NULL;
	buf_done(&p->body);
}

const struct sim_program run_people_program = { start, step, next_due, stop };
