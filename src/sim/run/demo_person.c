#include "sim/run/demo_person.h"

#include "sim/queue.h"

#define URL        "http://flyball:8555"
#define TIMEOUT_NS (5 * NS_PER_SEC)
#define ANSWER_MAX ((size_t)8 << 20)
#define PAGE       500

enum { GRAPH, COVERAGE, EVENTS };
static const int64_t every_ns[DEMO_ASKS] = { NS_PER_SEC, 5 * NS_PER_SEC, NS_PER_SEC };

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct demo_person *p = self;
	(void)why;
	p->host = host;
	for (int i = 0; i < DEMO_ASKS; i++) {
		p->asks[i] = (struct demo_ask){ .next_ns = p->begin_ns };
		buf_init(&p->asks[i].body, ANSWER_MAX);
	}
	return host->world.clients->open(host->world.clients, DEMO_ASKS, &p->client);
}

/* ---- asking ---- */

static struct str url_of(const struct demo_person *p, int which, struct arena *a) {
	char since[32];
	if (which == GRAPH) return STR(URL "/api/v1/graph");
	if (which == COVERAGE) return STR(URL "/api/v1/coverage");
	wall_format(p->since, since);
	return str_printf(a, URL "/api/v1/events?limit=%d&since=%s&after=%lld", PAGE, since, (long long)p->position);
}

static void ask(struct demo_person *p, int which) {
	struct demo_ask *k = &p->asks[which];
	struct arena a;
	struct why why;
	k->next_ns = p->host->queue->now_ns + every_ns[which];
	if (k->id) return; /* the one before is still on its way */
	arena_init(&a, 0);
	struct http_request q = {
		.method = STR("GET"),
		.url = url_of(p, which, &a),
		.connect_timeout_ns = TIMEOUT_NS,
		.timeout_ns = TIMEOUT_NS,
		.answer_max = ANSWER_MAX,
	};
	buf_clear(&k->body);
	k->status = 0;
	if (http_client_submit(p->client, &q, &k->id, &why)) k->id = 0;
	arena_done(&a);
}

/* ---- being answered ---- */

static void take_events(struct demo_person *p, const struct json *answer) {
	json_each(event, json_get(answer, "items")) p->event(p->self, event);
	p->position = json_int(json_get(answer, "next"), p->position);
	if (json_bool(json_get(answer, "more"), false)) p->asks[EVENTS].next_ns = p->host->queue->now_ns;
}

static void answered(struct demo_person *p, int which) {
	struct demo_ask *k = &p->asks[which];
	const struct json *answer = NULL;
	struct arena a;
	arena_init(&a, 0);
	if (k->status == 200 && json_parse(&a, buf_get(&k->body), &answer, NULL) == OK) {
		if (which == GRAPH) p->graph(p->self, answer);
		if (which == COVERAGE) p->coverage(p->self, answer);
		if (which == EVENTS) take_events(p, answer);
	}
	arena_done(&a);
}

static void take(struct demo_person *p, const struct http_event *e) {
	for (int i = 0; i < DEMO_ASKS; i++) {
		struct demo_ask *k = &p->asks[i];
		if (!k->id || k->id != e->id) continue;
		if (e->kind == HTTP_RESPONSE) k->status = e->status;
		if (e->kind == HTTP_BODY) buf_str(&k->body, e->body);
		if (e->kind != HTTP_END && e->kind != HTTP_FAILED) return;
		k->id = 0;
		if (e->kind == HTTP_END) answered(p, i);
		return;
	}
}

/* ---- the program ---- */

static bool step(void *self) {
	struct demo_person *p = self;
	struct http_event e;
	while (http_client_poll(p->client, &e)) take(p, &e);
	for (int i = 0; i < DEMO_ASKS; i++)
		if (p->host->queue->now_ns >= p->asks[i].next_ns) ask(p, i);
	return false;
}

static struct mono next_due(void *self) {
	const struct demo_person *p = self;
	int64_t at = INT64_MAX;
	for (int i = 0; i < DEMO_ASKS; i++) at = p->asks[i].next_ns < at ? p->asks[i].next_ns : at;
	return (struct mono){ at + p->host->clock.booted_ns };
}

static void stop(void *self) {
	struct demo_person *p = self;
	http_client_close(p->client);
	p->client = NULL;
	for (int i = 0; i < DEMO_ASKS; i++) buf_done(&p->asks[i].body);
}

const struct sim_program demo_person_program = { start, step, next_due, stop };
