#include "ingest/test_http.h"

#include <assert.h>
#include <string.h>

static struct test_server *of(struct http_server *s) {
	return container_of(s, struct test_server, server);
}

static bool server_poll(struct http_server *s, struct http_event *out) {
	struct list *first = list_shift(&of(s)->events);
	if (!first) return false;
	*out = container_of(first, struct test_event, node)->event;
	return true;
}

static size_t copy_headers(struct arena *a, struct http_header *to, const struct http_header *from, size_t n) {
	assert(n <= TEST_HEADERS);
	for (size_t i = 0; i < n; i++) {
		to[i] = (struct http_header){ str_copy(a, from[i].name), str_copy(a, from[i].value) };
	}
	return n;
}

static struct test_exchange *exchange(struct test_http *h, uint64_t id) {
	list_each(it, &h->exchanges) {
		struct test_exchange *x = container_of(it, struct test_exchange, node);
		if (x->id == id) return x;
	}
	return NULL;
}

static enum err server_reply(struct http_server *s, uint64_t id, const struct http_reply *r) {
	struct test_http *h = of(s)->http;
	struct test_exchange *x = exchange(h, id);
	assert(x && !of(s)->closed);
	if (x->gone) return ERR_CLOSED;
	x->reply.times++;
	x->reply.status = r->status;
	x->reply.body = str_copy(h->a, r->body);
	x->reply.header_count = copy_headers(h->a, x->reply.headers, r->headers, r->header_count);
	x->reply.trailer_count = copy_headers(h->a, x->reply.trailers, r->trailers, r->trailer_count);
	return OK;
}

static enum err server_send(struct http_server *s, uint64_t id, struct str bytes, bool last) {
	(void)s, (void)id, (void)bytes, (void)last;
	assert(!"no answer of the door is open-ended");
	return ERR_UNSUPPORTED;
}

static int server_port(struct http_server *s) {
	return of(s)->listen.port ? of(s)->listen.port : 40000;
}

static void server_close(struct http_server *s) {
	assert(!of(s)->closed);
	of(s)->closed = true;
}

static const struct http_server_ops server_ops = { server_poll, server_reply, server_send, server_port, server_close };

static enum err host_listen(struct http_host *host, const struct http_listen *l, struct http_server **out,
                            struct why *why) {
	struct test_http *h = container_of(host, struct test_http, host);
	if (l->port && l->port == h->busy_port) return why_set(why, ERR_BUSY, "port %d is in use", l->port);
	struct test_server *s = &h->servers[l->http2];
	*s = (struct test_server){ .server = { &server_ops }, .http = h, .listen = *l };
	list_init(&s->events);
	*out = &s->server;
	return OK;
}

void test_http_init(struct test_http *h, struct arena *a) {
	*h = (struct test_http){ .host = { host_listen }, .a = a };
	list_init(&h->exchanges);
}

static struct http_event *push(struct test_http *h, bool http2, struct test_exchange *x, enum http_event_kind kind) {
	struct test_event *e = arena_new(h->a, struct test_event);
	e->event = (struct http_event){ .kind = kind, .id = x->id, .http2 = http2 };
	list_push(&h->servers[http2].events, &e->node);
	return &e->event;
}

struct test_exchange *test_http_head(struct test_http *h, bool http2, const char *method, const char *target,
                                     const char *headers) {
	struct test_exchange *x = arena_new(h->a, struct test_exchange);
	x->id = ++h->last_id;
	list_push(&h->exchanges, &x->node);
	struct http_event *e = push(h, http2, x, HTTP_REQUEST);
	struct http_header *list = arena_array(h->a, struct http_header, TEST_HEADERS);
	struct str rest = str_copy(h->a, str_of(headers)), line;
	while (rest.n && e->header_count < TEST_HEADERS) {
		str_cut(rest, '\n', &line, &rest);
		struct http_header *to = &list[e->header_count++];
		str_cut(line, ':', &to->name, &to->value);
		to->value = str_trim(to->value);
	}
	e->headers = list;
	e->method = str_copy(h->a, str_of(method));
	e->target = str_copy(h->a, str_of(target));
	e->peer = STR("127.0.0.1:5555");
	return x;
}

void test_http_body(struct test_http *h, bool http2, struct test_exchange *x, struct str piece) {
	assert(piece.n <= HTTP_PIECE_MAX);
	push(h, http2, x, HTTP_BODY)->body = str_copy(h->a, piece);
}

void test_http_end(struct test_http *h, bool http2, struct test_exchange *x) {
	push(h, http2, x, HTTP_END);
}

void test_http_fail(struct test_http *h, bool http2, struct test_exchange *x) {
	x->gone = true;
	struct http_event *e = push(h, http2, x, HTTP_FAILED);
	e->err = ERR_CLOSED;
	e->why = "the peer closed";
}

struct test_exchange *test_http_post(struct test_http *h, bool http2, const char *target, const char *headers,
                                     struct str body, size_t piece) {
	struct test_exchange *x = test_http_head(h, http2, "POST", target, headers);
	for (size_t at = 0; at < body.n; at += piece) {
		size_t n = body.n - at < piece ? body.n - at : piece;
		test_http_body(h, http2, x, (struct str){ body.p + at, n });
	}
	test_http_end(h, http2, x);
	return x;
}

struct str test_header(const struct http_header *headers, size_t n, const char *name) {
	for (size_t i = 0; i < n; i++) {
		if (str_is(headers[i].name, name)) return headers[i].value;
	}
	return (struct str){ NULL, 0 };
}
