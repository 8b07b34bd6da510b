#include "api/api.h"

#include <stdio.h>
#include <string.h>

#include "api/test_http.h"
#include "base/yaml.h"
#include "bus/bus.h"
#include "model/audit.h"
#include "store/test_world.h"

/* The api on the real store and bus, on a world of one thread, with a peer that the test plays. */
struct fix {
	struct t *t;
	struct test_world w;
	struct test_http http;
	struct state *state;
	struct bus *bus, *lists;
	struct api *api;
	struct commands commands;
	struct command got; /* the last one submitted */
	char got_id[32], got_by[32], got_why[64], got_scope[64];
	uint64_t got_tag;
	enum err submit_err, done_err;
	int submitted;
	bool pending, hold;
	bool part_ready;
};

static enum err submit(struct commands *self, const struct command *cmd, uint64_t tag) {
	struct fix *f = container_of(self, struct fix, commands);
	if (f->submit_err) return f->submit_err;
	f->got = *cmd;
	snprintf(f->got_id, sizeof f->got_id, STR_FMT, STR_ARG(cmd->id));
	snprintf(f->got_by, sizeof f->got_by, STR_FMT, STR_ARG(cmd->by));
	snprintf(f->got_why, sizeof f->got_why, STR_FMT, STR_ARG(cmd->why));
	snprintf(f->got_scope, sizeof f->got_scope, STR_FMT, STR_ARG(cmd->scope));
	f->got_tag = tag;
	f->pending = true;
	f->submitted++;
	return OK;
}

static bool command_poll(struct commands *self, struct command_done *out) {
	struct fix *f = container_of(self, struct fix, commands);
	if (!f->pending || f->hold) return false;
	f->pending = false;
	*out = (struct command_done){ f->got_tag, f->done_err, f->done_err ? "the control plane says no" : NULL };
	return true;
}

static const struct commands_ops command_ops = { submit, command_poll };

static bool ready(const void *self) {
	return *(const bool *)self;
}
static void status(const void *self, struct json_out *o) {
	(void)self;
	json_begin_object(o);
	json_kv_c(o, "phase", "live");
	json_kv_int(o, "open", 2);
	json_key(o, "list");
	json_begin_array(o);
	json_end_array(o);
	json_end_object(o);
}
static void graph(const void *self, struct json_out *o) {
	(void)self;
	json_begin_object(o);
	json_end_object(o);
}
static void metrics(const void *self, struct metrics_out *m) {
	(void)self;
	metrics_one(m, "flyball_fake_things", "gauge", "Things.", 3);
}

static void open_api(struct fix *f, bool read_needs_token) {
	struct t *t = f->t;
	struct why why = { "" };
	struct api_token *tokens = arena_array(t->arena, struct api_token, 3);
	tokens[0] = (struct api_token){ STR("eve"), ROLE_VIEWER, sha256(STR("view")) };
	tokens[1] = (struct api_token){ STR("anna"), ROLE_APPROVER, sha256(STR("approve")) };
	tokens[2] = (struct api_token){ STR("olaf"), ROLE_OPERATOR, sha256(STR("operate")) };
	struct api_part *part = arena_new(t->arena, struct api_part);
	*part = (struct api_part){ "control", &f->part_ready, ready, status, NULL, graph, metrics };
	struct api_opts o = { .servers = &f->http.host,
		                  .address = STR("127.0.0.1"),
		                  .port = 8555,
		                  .clock = &f->w.clock.clock,
		                  .bus = f->lists,
		                  .state = f->state,
		                  .commands = &f->commands,
		                  .tokens = tokens,
		                  .token_count = 3,
		                  .read_needs_token = read_needs_token,
		                  .parts = part,
		                  .part_count = 1,
		                  .version = "0.1.0" };
	EXPECT_OK(api_open(&o, &f->api, &why));
}

static struct fix *start(struct t *t) {
	struct fix *f = arena_new(t->arena, struct fix);
	struct why why = { "" };
	f->t = t;
	f->part_ready = true;
	f->commands.ops = &command_ops;
	test_world_init(&f->w, t->seed);
	test_http_init(&f->http);
	EXPECT_OK(state_open(&f->w.world, STR("sqlite:///state.db"), &f->state, &why));
	EXPECT_OK(bus_open(&f->w.world, STR("sqlite:///bus.db"), &f->bus, &why));
	EXPECT_OK(f->bus->ops->attach(f->bus, &f->lists));
	open_api(f, false);
	return f;
}

static void stop(struct fix *f) {
	api_close(f->api);
	bus_close(f->lists);
	bus_close(f->bus);
	state_close(f->state);
	test_http_done(&f->http);
	test_world_done(&f->w);
}

static void turn(struct fix *f, int64_t ns) {
	for (int i = 0; i < 50; i++) (void)api_step(f->api);
	fake_clock_advance(&f->w.clock, ns);
	for (int i = 0; i < 50; i++) (void)api_step(f->api);
}

static const struct test_exchange *ask(struct fix *f, const char *method, const char *target, const char *headers,
                                       const char *body) {
	uint64_t id = test_http_send(&f->http, method, target, headers, str_of(body));
	turn(f, NS_PER_MS);
	return &f->http.exchanges[id];
}

static const struct json *json_of(struct t *t, const struct test_exchange *x) {
	const struct json *v = NULL;
	EXPECT(strncmp(x->type, "application/json", 16) == 0);
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, buf_get(&x->body)), &v, NULL));
	return v;
}

static const struct json *get(struct fix *f, const char *target, int status_) {
	struct t *t = f->t;
	const struct test_exchange *x = ask(f, "GET", target, NULL, NULL);
	if (x->status != status_) fprintf(stderr, "%s: %d " STR_FMT "\n", target, x->status, STR_ARG(buf_get(&x->body)));
	EXPECT(x->status == status_);
	return json_of(t, x);
}

static const char *error_of(struct t *t, const struct test_exchange *x) {
	struct str e = json_str(json_get(json_of(t, x), "error"));
	EXPECT(e.n > 10); /* a sentence */
	return str_c(t->arena, e);
}

static void put(struct fix *f, const char *key, struct str value) {
	struct t *t = f->t;
	struct state_done d;
	struct state_write w = { .effect = STATE_PUT, .key = str_of(key), .value = value };
	EXPECT_OK(state_transact(f->state, &w, 1, 0));
	for (int i = 0; i < 100; i++)
		if (state_poll(f->state, &d)) break;
	EXPECT_OK(d.err);
}

#define INCIDENT "01KE0000000000000000000001"
#define ACTION   "01KE0000000000000000000002"

static const char *const incident =
	"{\"id\":\"" INCIDENT
	"\",\"state\":\"resolved\",\"opened\":\"2026-01-05T10:00:12.000Z\",\"onset\":\"2026-01-05T10:00:02.000Z\","
	"\"severity\":0.8,\"subject\":\"service/payment\",\"entities\":[\"service/payment\",\"service/"
	"checkout\"],\"signals\":[{\"entity\":"
	"\"service/"
	"payment\",\"signal\":\"duration\",\"state\":\"value\",\"value\":0.912,\"expected\":0.05,\"low\":0,\"high\":0.1,"
	"\"score\":4.21}],"
	"\"rca_at\":\"2026-01-05T10:00:20.000Z\",\"rca\":{\"root_causes\":[{\"entity\":\"service/"
	"payment\",\"kind\":\"latency\","
	"\"confidence\":0.9,\"evidence\":[\"its duration rose 4 s before its "
	"callers'\"]}],\"traces\":[\"abc\"],\"reason\":null},"
	"\"resolved\":\"2026-01-05T10:01:42.000Z\",\"how\":\"in_band\",\"actions\":[\"" ACTION "\"],\"escalation\":null}";
static const char *const action =
	"{\"action\":\"" ACTION "\",\"incident\":\"" INCIDENT
	"\",\"handler\":\"restart\",\"kind\":\"rollout_restart\",\"mode\":\"auto\","
	"\"decision\":\"do\",\"summary\":\"restart Deployment shop/pay (3 pods, "
	"rolling)\",\"attempt\":1,\"key\":\"ff00\",\"state\":\"verified\","
	"\"target\":{\"service\":\"payment\",\"namespace\":\"shop\",\"kind\":\"Deployment\",\"name\":\"pay\",\"mapped_by\":"
	"\"k8s.deployment.name\"},"
	"\"gates\":[{\"name\":\"policy\",\"verdict\":\"pass\",\"reason\":\"no rule denies it\",\"inputs\":{}}],"
	"\"times\":{\"planned\":\"2026-01-05T10:00:20.100Z\"},\"result\":{\"why\":\"back\"},\"log\":["
	"{\"state\":\"claimed\",\"previous\":null,\"at\":\"2026-01-05T10:00:20.200Z\",\"why\":\"handler restart acts by "
	"itself\"},"
	"{\"state\":\"verified\",\"previous\":\"verifying\",\"at\":\"2026-01-05T10:01:43.000Z\",\"why\":\"the signals are "
	"back\"}]}";

static void fill(struct fix *f) {
	put(f, "incident/" INCIDENT, str_of(incident));
	put(f, "action/" ACTION, str_of(action));
}

TEST(probes_answer_without_a_token) {
	struct fix *f = start(t);
	EXPECT(ask(f, "GET", "/healthz", NULL, NULL)->status == 200);
	EXPECT(json_bool(json_get(get(f, "/readyz", 200), "ready"), false));
	f->part_ready = false;
	const struct json *v = get(f, "/readyz", 503);
	EXPECT(str_is(json_str(json_at(json_get(v, "waiting_for"), 0)), "control"));
	api_close(f->api);
	open_api(f, true);
	EXPECT(ask(f, "GET", "/healthz", NULL, NULL)->status == 200);
	EXPECT(ask(f, "GET", "/api/v1/status", NULL, NULL)->status == 401);
	EXPECT(ask(f, "GET", "/metrics", NULL, NULL)->status == 401);
	EXPECT(ask(f, "GET", "/api/v1/status", "authorization: Bearer view", NULL)->status == 200);
	stop(f);
}

TEST(parts_speak_for_themselves) {
	struct fix *f = start(t);
	const struct json *v = get(f, "/api/v1/status", 200);
	EXPECT(json_int(json_path(v, "parts.control.status.open"), 0) == 2);
	EXPECT(strstr(str_c(t->arena, json_str(json_get(v, "text"))), "Flyball 0.1.0 is ready.\n\nIncidents  "));
	EXPECT(get(f, "/api/v1/graph", 200)->kind == JSON_OBJECT);
	(void)get(f, "/api/v1/coverage", 404);
	const struct test_exchange *x = ask(f, "GET", "/metrics", NULL, NULL);
	EXPECT(x->status == 200 && strstr(x->type, "application/openmetrics-text"));
	char *text = str_c(t->arena, buf_get(&x->body));
	EXPECT(strstr(text, "flyball_fake_things 3") && strstr(text, "flyball_api_requests_total"));
	EXPECT(strstr(text, "flyball_part_ready{part=\"control\"} 1") && str_ends(buf_get(&x->body), STR("# EOF\n")));
	stop(f);
}

TEST(lists_are_paged_newest_first) {
	struct fix *f = start(t);
	for (int i = 0; i < 7; i++) {
		struct str id = str_printf(t->arena, "01KE000000000000000000000%d", i);
		put(f, str_printf(t->arena, "incident/" STR_FMT, STR_ARG(id)).p,
		    str_printf(t->arena, "{\"id\":\"" STR_FMT "\",\"state\":\"open\"}", STR_ARG(id)));
	}
	const char *target = "/api/v1/incidents?limit=3";
	int seen = 7;
	for (int pages = 0; target; pages++) {
		const struct json *v = get(f, target, 200);
		EXPECT(pages < 3 && json_get(v, "items")->count == (pages < 2 ? 3 : 1));
		json_each(it, json_get(v, "items")) {
			struct str id = json_str(json_get(it, "id"));
			EXPECT(id.p[25] - '0' == --seen);
		}
		struct str next = json_str(json_get(v, "next"));
		target = next.n ? str_printf(t->arena, "/api/v1/incidents?limit=3&after=" STR_FMT, STR_ARG(next)).p : NULL;
	}
	EXPECT(seen == 0);
	stop(f);
}

TEST(rows_are_found_by_their_beginning) {
	struct fix *f = start(t);
	fill(f);
	EXPECT(str_is(json_str(json_get(get(f, "/api/v1/incidents/" INCIDENT, 200), "state")), "resolved"));
	EXPECT(str_is(json_str(json_get(get(f, "/api/v1/incidents/01ke", 200), "id")), INCIDENT));
	EXPECT(str_is(json_str(json_get(get(f, "/api/v1/actions/" ACTION, 200), "kind")), "rollout_restart"));
	put(f, "incident/01KE0000000000000000000009", STR("{}"));
	EXPECT(strstr(error_of(t, ask(f, "GET", "/api/v1/incidents/01KE", NULL, NULL)), "more than one"));
	(void)get(f, "/api/v1/incidents/01KX", 404);
	(void)get(f, "/api/v1/incidents/..%2F..", 400);
	const struct json *v = get(f, "/api/v1/incidents", 200), *first = json_at(json_get(v, "items"), 1);
	EXPECT(str_is(json_str(json_get(first, "cause")), "service/payment") &&
	       str_is(json_str(json_get(first, "cause_kind")), "latency"));
	v = json_at(json_get(get(f, "/api/v1/actions", 200), "items"), 0);
	EXPECT(str_is(json_str(json_get(v, "id")), ACTION) && str_is(json_str(json_get(v, "why")), "back"));
	stop(f);
}

TEST(a_story_is_told_of_an_incident_and_of_its_action) {
	struct fix *f = start(t);
	fill(f);
	struct str whole = json_str(json_get(get(f, "/api/v1/explain/" INCIDENT, 200), "text"));
	const struct json *v = get(f, "/api/v1/explain/" ACTION, 200);
	EXPECT(str_eq(whole, json_str(json_get(v, "text"))));
	EXPECT(str_is(json_str(json_get(v, "about")), ACTION) && str_is(json_str(json_get(v, "id")), INCIDENT));
	EXPECT(strstr(str_c(t->arena, whole), "corrected and verified, 1 min 30 s after it was found"));
	(void)get(f, "/api/v1/explain/01KX", 404);
	stop(f);
}

static void publish(struct fix *f, int n, const char *type) {
	struct t *t = f->t;
	struct str id = str_printf(t->arena, "01KE00000000000000000001%02d", n);
	struct event e = { .id = id,
		               .source = STR("/flyball/observe"),
		               .type = str_of(type),
		               .subject = STR("service/a"),
		               .time = clock_wall(&f->w.clock.clock),
		               .severity = 0.5,
		               .data = STR("{}") };
	struct bus_msg m;
	EXPECT_OK(f->bus->ops->publish(f->bus, &e, 5));
	for (int i = 0; i < 200; i++)
		if (f->bus->ops->poll(f->bus, &m)) break;
	EXPECT(m.kind == BUS_PUBLISHED && !m.err);
}

TEST(events_are_listed_and_resumed) {
	struct fix *f = start(t);
	for (int i = 0; i < 5; i++) publish(f, i, i % 2 ? "RCA_REPORT" : "INCIDENT_OPENED");
	const struct json *v = get(f, "/api/v1/events?limit=3", 200);
	EXPECT(json_get(v, "items")->count == 3); /* the newest three, in the order of time */
	struct str last = json_str(json_get(json_at(json_get(v, "items"), 2), "id"));
	EXPECT(str_is(last, "01KE0000000000000000000104"));
	int64_t next = json_int(json_get(v, "next"), 0);
	EXPECT(next == json_int(json_get(json_at(json_get(v, "items"), 2), "position"), -1));
	const char *more = str_printf(t->arena, "/api/v1/events?after=%lld", (long long)next).p;
	EXPECT(json_get(get(f, more, 200), "items")->count == 0);
	publish(f, 9, "ACTION_LOG");
	EXPECT(json_get(get(f, more, 200), "items")->count == 1);
	EXPECT(json_get(get(f, "/api/v1/events?type=RCA_REPORT", 200), "items")->count == 2);
	EXPECT(json_get(get(f, "/api/v1/events?since=1h", 200), "items")->count == 6);
	/* of a time too: the newest page, unless it is asked for from the beginning */
	v = get(f, "/api/v1/events?since=1h&limit=2", 200);
	EXPECT(str_is(json_str(json_get(json_at(json_get(v, "items"), 1), "id")), "01KE0000000000000000000109"));
	v = get(f, "/api/v1/events?since=1h&limit=2&after=0", 200);
	EXPECT(str_is(json_str(json_get(json_at(json_get(v, "items"), 0), "id")), "01KE0000000000000000000100"));
	EXPECT(json_bool(json_get(v, "more"), false) && !json_bool(json_get(get(f, more, 200), "more"), true));
	(void)get(f, "/api/v1/events?since=yesterday", 400);
	(void)get(f, "/api/v1/events?limit=0", 400);
	(void)get(f, "/api/v1/events?limit=1001", 400);
	stop(f);
}

TEST(followers_see_what_comes) {
	struct fix *f = start(t);
	publish(f, 1, "INCIDENT_OPENED");
	uint64_t id = test_http_send(&f->http, "GET", "/api/v1/events?follow=1", NULL, (struct str){ 0 });
	const struct test_exchange *x = &f->http.exchanges[id];
	turn(f, 2 * NS_PER_SEC);
	EXPECT(x->status == 200 && x->open && strcmp(x->type, "text/event-stream") == 0);
	EXPECT(strstr(str_c(t->arena, buf_get(&x->body)), "event: INCIDENT_OPENED\ndata: {"));
	publish(f, 2, "RCA_REPORT");
	EXPECT(api_next_due(f->api).ns <= clock_mono(&f->w.clock.clock).ns + 2 * NS_PER_SEC);
	turn(f, 2 * NS_PER_SEC);
	turn(f, 2 * NS_PER_SEC);
	char *text = str_c(t->arena, buf_get(&x->body));
	EXPECT(strstr(text, "event: RCA_REPORT"));
	EXPECT(strstr(strstr(text, "INCIDENT_OPENED") + 1, "event: INCIDENT_OPENED") == NULL); /* once */
	for (int i = 0; i < 20; i++) turn(f, NS_PER_SEC);
	EXPECT(strstr(str_c(t->arena, buf_get(&x->body)), ": still here"));
	/* a slow reader is not cut, and misses nothing */
	f->http.slow = true;
	publish(f, 3, "ACTION_LOG");
	turn(f, 2 * NS_PER_SEC);
	turn(f, 2 * NS_PER_SEC);
	f->http.slow = false;
	turn(f, 2 * NS_PER_SEC);
	turn(f, 2 * NS_PER_SEC);
	EXPECT(strstr(str_c(t->arena, buf_get(&x->body)), "event: ACTION_LOG"));
	test_http_cut(&f->http, id);
	turn(f, NS_PER_SEC);
	EXPECT(api_next_due(f->api).ns == INT64_MAX);
	stop(f);
}

static int sent(struct t *t, const struct test_exchange *x, const char *type) {
	int n = 0;
	char line[40];
	snprintf(line, sizeof line, "event: %s\n", type);
	for (const char *p = str_c(t->arena, buf_get(&x->body)); (p = strstr(p, line)); p++) n++;
	return n;
}

/* What is older than asked for never comes, however long nothing new does; what is newer comes whole. */
TEST(followers_since_a_time_see_all_of_it_and_nothing_older) {
	struct fix *f = start(t);
	for (int i = 0; i < 3; i++) publish(f, i, "INCIDENT_OPENED");
	fake_clock_advance(&f->w.clock, 7200 * NS_PER_SEC);
	uint64_t id = test_http_send(&f->http, "GET", "/api/v1/events?follow=1&since=1h&limit=2", NULL, (struct str){ 0 });
	const struct test_exchange *x = &f->http.exchanges[id];
	for (int i = 0; i < 5; i++) turn(f, 2 * NS_PER_SEC);
	EXPECT(x->open && sent(t, x, "INCIDENT_OPENED") == 0);
	for (int i = 3; i < 8; i++) publish(f, i, "RCA_REPORT");
	for (int i = 0; i < 5; i++) turn(f, 2 * NS_PER_SEC);
	EXPECT(sent(t, x, "INCIDENT_OPENED") == 0 && sent(t, x, "RCA_REPORT") == 5);
	id = test_http_send(&f->http, "GET", "/api/v1/events?follow=1&since=1h&limit=2", NULL, (struct str){ 0 });
	x = &f->http.exchanges[id];
	for (int i = 0; i < 5; i++) turn(f, 2 * NS_PER_SEC);
	EXPECT(sent(t, x, "INCIDENT_OPENED") == 0 && sent(t, x, "RCA_REPORT") == 5);
	stop(f);
}

TEST(followers_are_bounded) {
	struct fix *f = start(t);
	uint64_t last = 0;
	for (int i = 0; i <= API_FOLLOWERS_MAX; i++)
		last = test_http_send(&f->http, "GET", "/api/v1/events?follow=1", NULL, (struct str){ 0 });
	turn(f, NS_PER_MS);
	EXPECT(f->http.exchanges[last].status == 503 && f->http.exchanges[last - 1].status == 200);
	stop(f);
}

TEST(who_changes_something_needs_the_role_for_it) {
	static const struct {
		const char *target;
		enum api_role role;
		enum command_kind kind;
	} cases[] = {
		{ "/api/v1/actions/" ACTION "/approve", ROLE_APPROVER, COMMAND_APPROVE },
		{ "/api/v1/actions/" ACTION "/reject", ROLE_APPROVER, COMMAND_REJECT },
		{ "/api/v1/actions/" ACTION "/undo", ROLE_OPERATOR, COMMAND_UNDO },
		{ "/api/v1/incidents/" INCIDENT "/ack", ROLE_APPROVER, COMMAND_ACK },
		{ "/api/v1/incidents/" INCIDENT "/wrong", ROLE_APPROVER, COMMAND_WRONG },
		{ "/api/v1/incidents/" INCIDENT "/mute", ROLE_APPROVER, COMMAND_MUTE },
		{ "/api/v1/pause", ROLE_OPERATOR, COMMAND_PAUSE },
		{ "/api/v1/resume", ROLE_OPERATOR, COMMAND_RESUME },
	};
	static const char *const who[] = { "authorization: Bearer view", "authorization: Bearer approve",
		                               "authorization: Bearer operate" };
	struct fix *f = start(t);
	fill(f);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		EXPECT(strstr(error_of(t, ask(f, "POST", cases[i].target, NULL, "{}")), "Authorization: Bearer"));
		EXPECT(ask(f, "POST", cases[i].target, "authorization: Bearer nonsense", "{}")->status == 401);
		EXPECT(ask(f, "POST", cases[i].target, "cookie: token=operate", "{}")->status ==
		       401); /* no cookie is ever looked at */
		for (int r = 0; r < 3; r++) {
			int before = f->submitted;
			const struct test_exchange *x = ask(f, "POST", cases[i].target, who[r], "{\"why\":\"checked\"}");
			EXPECT(x->status == (r >= (int)cases[i].role ? 200 : 403));
			EXPECT(f->submitted == before + (r >= (int)cases[i].role));
			if (x->status != 200) continue;
			EXPECT(f->got.kind == cases[i].kind && strcmp(f->got_why, "checked") == 0);
			EXPECT(strcmp(f->got_by, r == 1 ? "anna" : "olaf") == 0);
		}
		EXPECT(ask(f, "GET", cases[i].target, who[2], NULL)->status == 405);
	}
	stop(f);
}

TEST(bodies_are_checked) {
	static const struct {
		const char *target, *body, *says;
	} cases[] = {
		{ "/api/v1/pause", "[]", "object" },
		{ "/api/v1/pause", "{", "JSON" },
		{ "/api/v1/pause", "{\"way\":1}", "why, scope, for_s" },
		{ "/api/v1/pause", "{\"why\":1}", "string" },
		{ "/api/v1/pause", "{\"for_s\":-1}", "seconds" },
		{ "/api/v1/pause", "{\"for_s\":1e99}", "year" },
		{ "/api/v1/pause", "{\"for\":\"soon\"}", "2h" },
		{ "/api/v1/resume", "{\"for_s\":1}", "why, scope" },
		{ "/api/v1/incidents/" INCIDENT "/ack", "{\"scope\":\"x\"}", "why" },
	};
	struct fix *f = start(t);
	fill(f);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct test_exchange *x = ask(f, "POST", cases[i].target, "authorization: Bearer operate", cases[i].body);
		if (x->status != 400 || !strstr(error_of(t, x), cases[i].says))
			test_fail(t, __FILE__, __LINE__, error_of(t, x));
	}
	EXPECT(f->submitted == 0);
	EXPECT(ask(f, "POST", "/api/v1/pause", "authorization: Bearer operate", "{\"scope\":\"service/a\",\"for\":\"2h\"}")
	           ->status == 200);
	EXPECT(f->got.for_ns == 7200 * NS_PER_SEC && strcmp(f->got_scope, "service/a") == 0);
	EXPECT(ask(f, "POST", "/api/v1/pause", "authorization: Bearer operate", NULL)->status == 200);
	EXPECT(f->got.for_ns == 0);
	char *large = arena_take(t->arena, API_BODY_MAX + 2, 1);
	memset(large, ' ', API_BODY_MAX + 1);
	EXPECT(ask(f, "POST", "/api/v1/pause", "authorization: Bearer operate", large)->status == 413);
	stop(f);
}

TEST(the_control_plane_s_answer_is_handed_on) {
	static const struct {
		enum err err;
		int status;
	} cases[] = { { ERR_CONFLICT, 409 }, { ERR_NOT_FOUND, 404 }, { ERR_DENIED, 403 }, { ERR_AGAIN, 503 } };
	struct fix *f = start(t);
	fill(f);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		f->done_err = cases[i].err;
		const struct test_exchange *x =
			ask(f, "POST", "/api/v1/actions/01KE/undo", "authorization: Bearer operate", NULL);
		EXPECT(x->status == cases[i].status && strstr(error_of(t, x), "control plane says no"));
		EXPECT(strcmp(f->got_id, ACTION) == 0); /* the short ID was made whole */
	}
	f->submit_err = ERR_AGAIN;
	EXPECT(ask(f, "POST", "/api/v1/pause", "authorization: Bearer operate", NULL)->status == 503);
	EXPECT(ask(f, "POST", "/api/v1/actions/01KX/undo", "authorization: Bearer operate", NULL)->status == 404);
	stop(f);
}

TEST(a_request_that_gets_no_answer_is_told_so) {
	struct fix *f = start(t);
	f->hold = true;
	uint64_t id = test_http_send(&f->http, "POST", "/api/v1/pause", "authorization: Bearer operate", STR("{}"));
	uint64_t half = test_http_begin(&f->http, "POST", "/api/v1/pause", "authorization: Bearer operate");
	turn(f, 29 * NS_PER_SEC);
	EXPECT(!f->http.exchanges[id].status && !f->http.exchanges[half].status);
	turn(f, 2 * NS_PER_SEC);
	EXPECT(f->http.exchanges[id].status == 504 && f->http.exchanges[half].status == 408);
	f->hold = false; /* the late answer finds nobody */
	turn(f, NS_PER_SEC);
	EXPECT(api_next_due(f->api).ns == INT64_MAX);
	stop(f);
}

TEST(requests_are_bounded) {
	struct fix *f = start(t);
	uint64_t ids[API_REQUESTS_MAX + 1];
	for (int i = 0; i <= API_REQUESTS_MAX; i++) ids[i] = test_http_begin(&f->http, "GET", "/healthz", NULL);
	turn(f, NS_PER_MS);
	EXPECT(f->http.exchanges[ids[API_REQUESTS_MAX]].status == 503);
	for (int i = 0; i < API_REQUESTS_MAX; i++) {
		EXPECT(!f->http.exchanges[ids[i]].status);
		test_http_end(&f->http, ids[i]);
	}
	turn(f, NS_PER_MS);
	for (int i = 0; i < API_REQUESTS_MAX; i++) EXPECT(f->http.exchanges[ids[i]].status == 200);
	stop(f);
}

TEST(a_web_page_cannot_read_through_a_name_of_its_own) {
	struct fix *f = start(t);
	EXPECT(ask(f, "GET", "/api/v1/status", "host: evil.example:8555", NULL)->status == 421);
	EXPECT(ask(f, "POST", "/api/v1/pause", "host: evil.example\nauthorization: Bearer operate", "{}")->status == 421);
	EXPECT(ask(f, "GET", "/api/v1/status", "host: 127.0.0.1:8555", NULL)->status == 200);
	EXPECT(f->submitted == 0);
	stop(f);
}

TEST(unknown_paths_methods_and_parameters_are_named) {
	struct fix *f = start(t);
	EXPECT(strstr(error_of(t, ask(f, "GET", "/api/v1/nothing", NULL, NULL)), "no such path"));
	EXPECT(ask(f, "DELETE", "/api/v1/status", NULL, NULL)->status == 405);
	EXPECT(strstr(error_of(t, ask(f, "GET", "/api/v1/events?tpye=x", NULL, NULL)), "limit after type since follow"));
	EXPECT(ask(f, "GET", "/api/v1/events?type=%zz", NULL, NULL)->status == 400);
	stop(f);
}

static struct audit_head log_fill(struct fix *f, int n) {
	struct audit_head head = { 0 };
	struct buf b;
	buf_init(&b, 0);
	for (int i = 1; i <= n; i++) {
		char key[AUDIT_KEY_LEN + 1];
		struct audit_entry e = {
			.seq = (uint64_t)i, .kind = STR("move"), .by = STR("flyball"), .body = STR("{\"a\":1}")
		};
		buf_clear(&b);
		audit_append(&head, &e, &b);
		audit_key((uint64_t)i, key);
		put(f, key, buf_get(&b));
	}
	buf_clear(&b);
	audit_head_write(&head, &b);
	put(f, "audit/head", buf_get(&b));
	buf_done(&b);
	return head;
}

TEST(the_decision_log_is_listed_and_checked) {
	struct fix *f = start(t);
	char hex[65];
	struct audit_head head = log_fill(f, 12);
	hex_encode(head.hash.b, 32, hex);
	const struct json *v = get(f, "/api/v1/audit?limit=5", 200);
	EXPECT(json_int(json_get(json_at(json_get(v, "items"), 0), "seq"), 0) == 12);
	EXPECT(str_is(json_str(json_get(v, "next")), "8"));
	v = get(f, "/api/v1/audit?limit=5&after=8", 200);
	EXPECT(json_int(json_get(json_at(json_get(v, "items"), 0), "seq"), 0) == 7);
	v = get(f, "/api/v1/audit?order=asc&limit=100", 200);
	EXPECT(json_get(v, "items")->count == 12 && json_get(v, "next")->kind == JSON_NULL);
	v = get(f, str_printf(t->arena, "/api/v1/audit/verify?head=12:%s", hex).p, 200);
	EXPECT(json_bool(json_get(v, "whole"), false) && json_int(json_get(v, "entries"), 0) == 12);
	hex[0] = hex[0] == '0' ? '1' : '0';
	v = get(f, str_printf(t->arena, "/api/v1/audit/verify?head=12:%s", hex).p, 200);
	EXPECT(!json_bool(json_get(v, "whole"), true));
	EXPECT(strstr(str_c(t->arena, json_str(json_get(v, "text"))), "rewritten"));
	put(f, "audit/00000000000000000005", STR("{}"));
	EXPECT(!json_bool(json_get(get(f, "/api/v1/audit/verify", 200), "whole"), true));
	(void)get(f, "/api/v1/audit/verify?head=nonsense", 400);
	(void)get(f, "/api/v1/audit?order=up", 400);
	(void)get(f, "/api/v1/audit?after=x", 400);
	stop(f);
}

TEST(a_port_in_use_is_named) {
	struct test_http h;
	struct api *api = NULL;
	struct why why = { "" };
	struct fake_clock clock;
	fake_clock_init(&clock, (struct wall){ 0 });
	test_http_init(&h);
	h.port_busy = true;
	struct api_opts o = { .servers = &h.host, .address = STR("127.0.0.1"), .port = 8555, .clock = &clock.clock };
	EXPECT_ERR(api_open(&o, &api, &why), ERR_BUSY);
	EXPECT(strstr(why.text, "api: port 8555 is in use"));
	test_http_done(&h);
}

RUN(probes_answer_without_a_token, parts_speak_for_themselves, lists_are_paged_newest_first,
    rows_are_found_by_their_beginning, a_story_is_told_of_an_incident_and_of_its_action, events_are_listed_and_resumed,
    followers_see_what_comes, followers_since_a_time_see_all_of_it_and_nothing_older, followers_are_bounded,
    who_changes_something_needs_the_role_for_it, bodies_are_checked, the_control_plane_s_answer_is_handed_on,
    a_request_that_gets_no_answer_is_told_so, requests_are_bounded, a_web_page_cannot_read_through_a_name_of_its_own,
    unknown_paths_methods_and_parameters_are_named, the_decision_log_is_listed_and_checked, a_port_in_use_is_named)
