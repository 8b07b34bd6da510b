#include "execute/kubernetes/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IN_FLIGHT_MAX   128
#define CALL_TIMEOUT    (30 * NS_PER_SEC)
#define CONNECT_TIMEOUT (5 * NS_PER_SEC)
#define WATCH_IDLE      (150 * NS_PER_SEC) /* bookmarks come once a minute */
#define TOKEN_AGE       (60 * NS_PER_SEC)

struct call {
	uint64_t id; /* of the HTTP exchange, and ours; 0: free */
	bool watch;
	int status;
	struct buf body; /* ANSWER: all; watch: what is not yet a whole line */
	size_t handed;   /* watch: bytes of `body` handed out already */
};

struct kube_client {
	struct world *world;
	struct kube_access access;
	struct http_client *http;
	struct call calls[IN_FLIGHT_MAX];
	struct call *lines; /* the watch whose lines are being handed out */
	struct call *ended; /* to be freed at the next poll: its body was handed out */
	struct arena token_arena;
	struct str token;
	struct mono token_read;
	bool token_known;
};

enum err kube_client_open(struct world *w, const struct kube_access *access, struct kube_client **out,
                          struct why *why) {
	struct kube_client *c = calloc(1, sizeof *c);
	if (!c) return ERR_NOMEM;
	c->world = w;
	c->access = *access;
	arena_init(&c->token_arena, 1 << 16);
	enum err e = w->clients->open(w->clients, IN_FLIGHT_MAX, &c->http);
	if (e) {
		kube_client_close(c);
		return why_set(why, e, "cannot make an HTTP client");
	}
	*out = c;
	return OK;
}

void kube_client_close(struct kube_client *c) {
	if (!c) return;
	http_client_close(c->http);
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++) buf_done(&c->calls[i].body);
	arena_done(&c->token_arena);
	free(c);
}

/* Bound tokens rotate: the file is the truth, the copy is for a minute. */
static enum err token(struct kube_client *c, struct str *out) {
	struct mono now = clock_mono(c->world->clock);
	*out = c->access.token;
	if (!c->access.token_file.n) return OK;
	if (!c->token_known || now.ns - c->token_read.ns > TOKEN_AGE) {
		struct str text = { 0 };
		arena_reset(&c->token_arena);
		enum err e = disk_read_file(c->world->disk, &c->token_arena, str_c(&c->token_arena, c->access.token_file),
		                            16384, &text, NULL);
		if (e) return e;
		c->token = str_trim(text);
		c->token_read = now;
		c->token_known = true;
	}
	*out = c->token;
	return OK;
}

static struct call *free_call(struct kube_client *c) {
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		if (!c->calls[i].id) return &c->calls[i];
	return NULL;
}

static struct call *call_of(struct kube_client *c, uint64_t id) {
	for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
		if (c->calls[i].id == id) return &c->calls[i];
	return NULL;
}

static void release(struct call *call) {
	buf_done(&call->body);
	*call = (struct call){ 0 };
}

enum err kube_client_submit(struct kube_client *c, const struct kube_request *r, uint64_t *id) {
	struct http_header headers[4];
	struct buf url, auth;
	struct str bearer = { 0 };
	size_t n = 0;
	struct call *call = free_call(c);

	if (!call) return ERR_FULL;
	enum err e = token(c, &bearer);
	if (e) return e;
	buf_init(&url, 1 << 16);
	buf_init(&auth, 1 << 16);
	buf_str(&url, c->access.server);
	buf_str(&url, r->path);
	headers[n++] = (struct http_header){ STR("accept"), STR("application/json") };
	headers[n++] = (struct http_header){ STR("user-agent"), STR("flyball") };
	if (bearer.n) {
		buf_c(&auth, "Bearer ");
		buf_str(&auth, bearer);
		headers[n++] = (struct http_header){ STR("authorization"), buf_get(&auth) };
	}
	if (r->content_type) headers[n++] = (struct http_header){ STR("content-type"), str_of(r->content_type) };
	struct http_request request = {
		.method = str_of(r->method),
		.url = buf_get(&url),
		.headers = headers,
		.header_count = n,
		.body = r->body,
		.tls = &c->access.tls,
		.connect_timeout_ns = CONNECT_TIMEOUT,
		.timeout_ns = r->watch ? 0 : CALL_TIMEOUT,
		.idle_timeout_ns = r->watch ? WATCH_IDLE : 0,
		.answer_max = r->watch ? 0 : KUBE_ANSWER_MAX,
	};
	e = url.err || auth.err ? ERR_TOO_LARGE : http_client_submit(c->http, &request, id, NULL);
	if (!e) {
		call->id = *id;
		call->watch = r->watch;
		buf_init(&call->body, r->watch ? KUBE_LINE_MAX : KUBE_ANSWER_MAX);
	}
	if (auth.p) explicit_bzero(auth.p, auth.n);
	buf_done(&auth);
	buf_done(&url);
	return e;
}

void kube_client_cancel(struct kube_client *c, uint64_t id) {
	struct call *call = id ? call_of(c, id) : NULL;
	if (!call) return;
	http_client_cancel(c->http, id);
	if (c->lines == call) c->lines = NULL;
	if (c->ended == call) c->ended = NULL;
	release(call);
}

static enum err status_err(int status) {
	if (status / 100 == 2) return OK;
	switch (status) {
	case 401:
	case 403: return ERR_DENIED;
	case 404: return ERR_NOT_FOUND;
	case 409:
	case 412: return ERR_CONFLICT;
	case 410: return ERR_GONE;
	case 429: return ERR_AGAIN;
	default: return status >= 500 ? ERR_AGAIN : ERR_INVALID;
	}
}

/* The message of a v1 Status, else the code. */
static void status_why(const struct call *call, struct why *why) {
	struct arena a;
	const struct json *status = NULL;
	arena_init(&a, 4 << 20);
	struct str message = { 0 };
	if (json_parse(&a, buf_get(&call->body), &status, NULL) == OK) message = json_str(json_get(status, "message"));
	if (message.n)
		(void)why_set(why, OK, STR_FMT, STR_ARG(message));
	else
		(void)why_set(why, OK, "the API server answered %d", call->status);
	arena_done(&a);
}

/* Hands out the next whole line of a watch. */
static bool next_line(struct kube_client *c, struct kube_answer *out) {
	struct call *call = c->lines;
	if (!call) return false;
	const char *from = call->body.p + call->handed;
	const char *end = call->body.n > call->handed ? memchr(from, '\n', call->body.n - call->handed) : NULL;
	if (!end) {
		size_t rest = call->body.n - call->handed;
		if (call->handed && rest) memmove(call->body.p, from, rest);
		call->body.n = rest;
		call->handed = 0;
		c->lines = NULL;
		return false;
	}
	*out = (struct kube_answer){ .kind = KUBE_LINE, .id = call->id, .status = call->status };
	out->body = (struct str){ from, (size_t)(end - from) };
	call->handed += (size_t)(end - from) + 1;
	return true;
}

static void finish(struct kube_client *c, struct call *call, enum err err, const char *why, struct kube_answer *out) {
	*out = (struct kube_answer){ .kind = call->watch ? KUBE_WATCH_END : KUBE_ANSWER,
		                         .id = call->id,
		                         .status = call->status };
	out->err = err ? err : status_err(call->status);
	if (err)
		(void)why_set(&out->why, OK, "%s", why ? why : err_text(err));
	else if (out->err)
		status_why(call, &out->why);
	out->body = buf_get(&call->body);
	c->ended = call;
}

/* True: the event became an answer. */
static bool take(struct kube_client *c, const struct http_event *e, struct kube_answer *out) {
	struct call *call = call_of(c, e->id);
	if (!call) return false;
	switch (e->kind) {
	case HTTP_RESPONSE: call->status = e->status; return false;
	case HTTP_BODY:
		buf_str(&call->body, e->body);
		if (call->body.err) {
			http_client_cancel(c->http, call->id);
			finish(c, call, ERR_TOO_LARGE, "the answer is larger than our limit", out);
			return true;
		}
		if (!call->watch || call->status / 100 != 2) return false;
		c->lines = call;
		return next_line(c, out);
	case HTTP_END: finish(c, call, OK, NULL, out); return true;
	case HTTP_FAILED: finish(c, call, e->err, e->why, out); return true;
	case HTTP_REQUEST: break;
	}
	return false;
}

bool kube_client_poll(struct kube_client *c, struct kube_answer *out) {
	struct http_event e;
	if (c->ended) {
		release(c->ended);
		c->ended = NULL;
	}
	if (next_line(c, out)) return true;
	while (http_client_poll(c->http, &e))
		if (take(c, &e, out)) return true;
	return false;
}
