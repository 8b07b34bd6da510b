/* Requests come in, find their route, wait for what they asked, are answered. */
#include "api/api.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_impl.h"

/* ---- slots ---- */

static struct slot *slot_of(struct api *a, uint64_t id) {
	for (size_t i = 0; i < API_REQUESTS_MAX; i++)
		if (a->slots[i].id == id) return &a->slots[i];
	return NULL;
}

static struct slot *slot_new(struct api *a, uint64_t id) {
	struct slot *s = slot_of(a, 0);
	if (!s) return NULL;
	*s = (struct slot){ .id = id, .serial = ++a->serial };
	arena_init(&s->arena, ANSWER_BYTES_MAX);
	buf_init(&s->body, API_BODY_MAX);
	buf_init(&s->out, ANSWER_BYTES_MAX);
	s->deadline.ns = a->now.ns + ANSWER_TIMEOUT_NS;
	a->used++;
	return s;
}

void slot_free(struct api *a, struct slot *s) {
	if (!s->id) return;
	if (s->following) a->followers--;
	arena_done(&s->arena);
	buf_done(&s->body);
	buf_done(&s->out);
	s->id = 0;
	a->used--;
}

/* Slot and serial: an answer that comes after its request has gone finds another serial there. */
uint64_t slot_tag(const struct slot *s) {
	return s->serial;
}

static struct slot *slot_tagged(struct api *a, uint64_t tag) {
	for (size_t i = 0; i < API_REQUESTS_MAX; i++)
		if (a->slots[i].id && a->slots[i].serial == tag) return &a->slots[i];
	return NULL;
}

/* ---- answers ---- */

void answer(struct api *a, struct slot *s, int status, const char *type, struct str body) {
	const struct http_header headers[] = {
		{ STR("content-type"), str_of(type) },
		{ STR("cache-control"), STR("no-store") },
		{ STR("x-content-type-options"), STR("nosniff") },
		{ status == 401 ? STR("www-authenticate") : STR("retry-after"), status == 401 ? STR("Bearer") : STR("1") },
	};
	struct http_reply r = {
		.status = status, .headers = headers, .header_count = status == 401 || status == 503 ? 4 : 3, .body = body
	};
	a->n.refused += status / 100 == 4;
	a->n.errors += status / 100 == 5;
	(void)http_server_reply(a->server, s->id, &r); /* a peer that has gone needs no answer */
	slot_free(a, s);
}

void answer_json(struct api *a, struct slot *s, int status, struct str body) {
	answer(a, s, status, "application/json", body);
}

void answer_out(struct api *a, struct slot *s) {
	if (s->out.err) {
		answer_error(a, s, 500, "the answer is too large: ask for less with ?limit=");
		return;
	}
	answer_json(a, s, 200, buf_get(&s->out));
}

static struct str error_body(struct buf *buf, int status, const char *text) {
	struct json_out o = json_out(buf);
	json_begin_object(&o);
	json_kv_c(&o, "error", text);
	json_kv_int(&o, "status", status);
	json_end_object(&o);
	return buf_get(buf);
}

void answer_error(struct api *a, struct slot *s, int status, const char *fmt, ...) {
	CLEANUP(buf_done) struct buf buf;
	char text[400];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	buf_init(&buf, 0);
	answer_json(a, s, status, error_body(&buf, status, text));
}

void answer_err(struct api *a, struct slot *s, enum err e, const char *why) {
	static const struct {
		enum err err;
		int status;
	} table[] = { { ERR_NOT_FOUND, 404 }, { ERR_CONFLICT, 409 },   { ERR_DENIED, 403 }, { ERR_INVALID, 400 },
		          { ERR_TOO_LARGE, 413 }, { ERR_AGAIN, 503 },      { ERR_FULL, 503 },   { ERR_UNREACHABLE, 503 },
		          { ERR_TIMEOUT, 504 },   { ERR_UNSUPPORTED, 501 } };
	int status = 500;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].err == e) status = table[i].status;
	answer_error(a, s, status, "%s", why && *why ? why : err_text(e));
}

/* A request that got no slot. */
static void turn_away(struct api *a, uint64_t id) {
	static const struct http_header headers[] = { { { "content-type", 12 }, { "application/json", 16 } },
		                                          { { "retry-after", 11 }, { "1", 1 } } };
	struct http_reply r = {
		.status = 503,
		.headers = headers,
		.header_count = 2,
		.body = STR("{\"error\":\"too many requests are at work; try again in a second\",\"status\":503}")
	};
	a->n.full++;
	(void)http_server_reply(a->server, id, &r);
}

/* ---- asking ---- */

bool slot_query(struct api *a, struct slot *s, struct str prefix, bool exact, bool newest_first, struct str after,
                int64_t limit) {
	struct state_query q = {
		.prefix = prefix, .exact = exact, .newest_first = newest_first, .after = after, .limit = limit
	};
	enum err e = prefix.p ? state_query(a->o.state, &q, slot_tag(s)) : ERR_NOMEM;
	if (e) answer_err(a, s, e, e == ERR_FULL ? "the store is busy; try again" : NULL);
	return !e;
}

bool slot_page(struct api *a, struct slot *s) {
	struct why why;
	s->after = target_param(&s->target, "after");
	enum err e = target_int(&s->target, "limit", PAGE_DEFAULT, 1, PAGE_MAX, &s->limit, &why);
	if (e) answer_err(a, s, e, why.text);
	return !e;
}

bool slot_id(struct api *a, struct slot *s, struct str *out) {
	struct str in = s->star;
	char *p = in.n && in.n <= ULID_LEN ? arena_copy(&s->arena, in.p, in.n) : NULL;
	for (size_t i = 0; p && i < in.n; i++) {
		if (p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 32);
		if (!(p[i] >= 'A' && p[i] <= 'Z') && !(p[i] >= '0' && p[i] <= '9')) p = NULL;
	}
	if (p)
		*out = (struct str){ p, in.n };
	else
		answer_error(a, s, 400,
		             "an ID is up to %d letters and digits, as `flyball incidents` and `flyball actions` print them",
		             ULID_LEN);
	return p != NULL;
}

/* ---- a request's way in ---- */

static bool known_params(struct api *a, struct slot *s) {
	for (size_t i = 0; i < s->target.param_count; i++) {
		struct str key = s->target.params[i].key, rest = str_of(s->route->params), one = { 0 };
		bool known = false;
		for (bool more = true; more && !known;) {
			more = str_cut(rest, ' ', &one, &rest);
			known = one.n && str_eq(one, key);
		}
		if (known) continue;
		answer_error(a, s, 400, "no parameter '%.*s' here%s%s", (int)(key.n < 60 ? key.n : 60), key.p,
		             *s->route->params ? "; there are: " : "; there are none", s->route->params);
		return false;
	}
	return true;
}

static bool routed(struct api *a, struct slot *s, const struct http_event *e) {
	struct why why = { "" };
	const char *allow = NULL;
	enum err err = target_parse(&s->arena, str_copy(&s->arena, e->target), &s->target, &why);
	if (err) {
		answer_err(a, s, err, why.text);
		return false;
	}
	err = route_find(e->method, &s->target, &s->route, &s->star, &allow);
	if (err == ERR_NOT_FOUND)
		answer_error(a, s, 404, "no such path; /api/v1/status is a good start, docs/api.yaml has all");
	if (err == ERR_UNSUPPORTED) answer_error(a, s, 405, "this path takes %s", allow);
	return !err && known_params(a, s);
}

static bool allowed(struct api *a, struct slot *s, const struct http_event *e) {
	const struct route *r = s->route;
	bool changes = strcmp(r->method, "GET") != 0;
	struct str header = http_header(e, "authorization");
	const struct api_token *who = NULL;
	if (r->open || (!changes && !a->o.read_needs_token)) return true;
	switch (auth_check(a->o.tokens, a->o.token_count, header, r->role, &who)) {
	case AUTH_OK:
		s->by = str_copy(&s->arena, who->name); /* a reload may take it away meanwhile */
		return true;
	case AUTH_MISSING:
		answer_error(a, s, 401,
		             "this needs a token of the role %s: send 'Authorization: Bearer TOKEN' (flyball: FLYBALL_TOKEN or "
		             "--token-file)",
		             auth_role_name(r->role));
		return false;
	case AUTH_UNKNOWN:
		answer_error(a, s, 401, "nobody has this token: its SHA-256 must stand under tokens: in the configuration");
		return false;
	case AUTH_ROLE:
		answer_error(a, s, 403, "token '%.*s' has the role %s; this needs %s", STR_ARG(who->name),
		             auth_role_name(who->role), auth_role_name(r->role));
		return false;
	}
	return false;
}

/* Reading takes no body; one that never ends would hold a place of the few. */
static bool sends_needless_body(const struct slot *s, const struct http_event *e) {
	struct str length = http_header(e, "content-length");
	bool sends = http_header(e, "transfer-encoding").p || (length.n && !str_is(length, "0"));
	return sends && strcmp(s->route->method, "GET") == 0;
}

static void on_request(struct api *a, const struct http_event *e) {
	struct slot *s = slot_new(a, e->id);
	a->n.requests++;
	if (!s) {
		turn_away(a, e->id);
		return;
	}
	if (a->loopback && !auth_host_is_local(http_header(e, "host"))) {
		answer_error(a, s, 421, "the Host header names another machine; ask for 127.0.0.1 or localhost");
		return;
	}
	if (!routed(a, s, e) || !allowed(a, s, e)) return;
	if (sends_needless_body(s, e)) {
		answer_error(a, s, 400, "this path takes no body");
		return;
	}
	struct str resume = http_header(e, "last-event-id");
	int64_t position = 0;
	if (str_int(resume, &position) && position > 0) s->position = (uint64_t)position;
}

static void on_body(struct api *a, const struct http_event *e) {
	struct slot *s = slot_of(a, e->id);
	if (!s) return;
	buf_str(&s->body, e->body);
	if (s->body.err) answer_error(a, s, 413, "the body is larger than 64 KiB");
}

static void on_end(struct api *a, const struct http_event *e) {
	struct slot *s = slot_of(a, e->id);
	if (!s || s->started) return;
	s->started = true;
	s->route->start(a, s);
}

static void on_failed(struct api *a, const struct http_event *e) {
	struct slot *s = slot_of(a, e->id);
	if (s) slot_free(a, s);
}

static bool poll_server(struct api *a) {
	struct http_event e;
	bool did = false;
	while (http_server_poll(a->server, &e)) {
		did = true;
		switch (e.kind) {
		case HTTP_REQUEST: on_request(a, &e); break;
		case HTTP_BODY: on_body(a, &e); break;
		case HTTP_END: on_end(a, &e); break;
		case HTTP_FAILED: on_failed(a, &e); break;
		default: break;
		}
	}
	return did;
}

/* ---- answers of others ---- */

static bool poll_state(struct api *a) {
	struct state_done done;
	bool did = false;
	while (state_poll(a->o.state, &done)) {
		struct slot *s = slot_tagged(a, done.tag);
		did = true;
		if (!s || !s->route->state) continue;
		if (done.err)
			answer_err(a, s, done.err == ERR_CONFLICT ? ERR_IO : done.err, done.why);
		else
			s->route->state(a, s, &done);
	}
	return did;
}

static bool poll_bus(struct api *a) {
	struct bus_msg m;
	bool did = false;
	while (a->o.bus && a->o.bus->ops->poll(a->o.bus, &m)) {
		struct slot *s = m.kind == BUS_LISTED ? slot_tagged(a, m.tag) : NULL;
		did = true;
		if (s && s->route->listed) s->route->listed(a, s, &m);
	}
	return did;
}

static bool poll_commands(struct api *a) {
	struct command_done done;
	bool did = false;
	while (a->o.commands && a->o.commands->ops->poll(a->o.commands, &done)) {
		struct slot *s = slot_tagged(a, done.tag);
		did = true;
		if (s) change_done(a, s, &done);
	}
	return did;
}

static bool step_slot(struct api *a, struct slot *s) {
	if (!s->id) return false;
	if (s->following) return follow_step(a, s);
	if (a->now.ns < s->deadline.ns) return false;
	a->n.timeouts++;
	answer_error(a, s, s->started ? 504 : 408,
	             s->started ? "no answer within 30 s; what was asked may still happen: look again"
	                        : "the request did not end within 30 s");
	return true;
}

bool api_step(struct api *a) {
	a->now = clock_mono(a->o.clock);
	bool did = poll_server(a);
	did |= poll_state(a);
	did |= poll_bus(a);
	did |= poll_commands(a);
	for (size_t i = 0; i < API_REQUESTS_MAX && a->used; i++) did |= step_slot(a, &a->slots[i]);
	return did;
}

struct mono api_next_due(const struct api *a) {
	struct mono due = { INT64_MAX };
	for (size_t i = 0; i < API_REQUESTS_MAX; i++) {
		const struct slot *s = &a->slots[i];
		if (!s->id) continue;
		int64_t at = !s->following ? s->deadline.ns : s->waits ? INT64_MAX : s->look_at.ns;
		if (at < due.ns) due.ns = at;
	}
	return due;
}

/* ---- its own life ---- */

enum err api_open(const struct api_opts *o, struct api **out, struct why *why) {
	struct api *a = calloc(1, sizeof *a);
	if (!a) return why_set(why, ERR_NOMEM, "api: out of memory");
	a->o = *o;
	a->now = clock_mono(o->clock);
	a->loopback = str_starts(o->address, STR("127.")) || str_is(o->address, "::1") || str_is(o->address, "localhost");
	struct http_listen l = {
		.address = o->address, .port = o->port, .connections_max = 256, .idle_timeout_ns = 60 * NS_PER_SEC
	};
	enum err e = o->servers->listen(o->servers, &l, &a->server, why);
	if (e) {
		free(a);
		return why_prefix(why, e, "api");
	}
	*out = a;
	return OK;
}

void api_reload(struct api *a, const struct api_token *tokens, size_t count, bool read_needs_token) {
	a->o.tokens = tokens;
	a->o.token_count = count;
	a->o.read_needs_token = read_needs_token;
	for (size_t i = 0; read_needs_token && i < API_REQUESTS_MAX; i++) {
		struct slot *s = &a->slots[i];
		if (!s->id || !s->following) continue;
		(void)http_server_send(a->server, s->id, (struct str){ 0 }, true);
		slot_free(a, s);
	}
}

int api_port(const struct api *a) {
	return http_server_port(a->server);
}

void api_metrics(const struct api *a, struct metrics_out *m) {
	metrics_one(m, "flyball_api_requests", "counter", "Requests that came.", (double)a->n.requests);
	metrics_one(m, "flyball_api_refused", "counter", "Requests answered with 4xx.", (double)a->n.refused);
	metrics_one(m, "flyball_api_errors", "counter", "Requests answered with 5xx.", (double)a->n.errors);
	metrics_one(m, "flyball_api_timeouts", "counter", "Requests that were given up.", (double)a->n.timeouts);
	metrics_one(m, "flyball_api_turned_away", "counter", "Requests that found no place.", (double)a->n.full);
	metrics_one(m, "flyball_api_at_work", "gauge", "Requests at work, followers included.", (double)a->used);
	metrics_one(m, "flyball_api_followers", "gauge", "Followers of the events.", (double)a->followers);
}

void api_close(struct api *a) {
	if (!a) return;
	for (size_t i = 0; i < API_REQUESTS_MAX; i++) slot_free(a, &a->slots[i]);
	http_server_close(a->server);
	free(a);
}
