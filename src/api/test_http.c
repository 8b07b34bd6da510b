#include "api/test_http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
	struct list node;
	struct arena arena;
	struct http_event event;
};

static enum err listen_(struct http_host *host, const struct http_listen *l, struct http_server **out,
                        struct why *why) {
	struct test_http *h = container_of(host, struct test_http, host);
	if (h->port_busy) return why_set(why, ERR_BUSY, "port %d is in use", l->port);
	h->listening = true;
	*out = &h->server;
	return OK;
}

static void waiting_free(struct waiting *w) {
	list_remove(&w->node);
	arena_done(&w->arena);
	free(w);
}

static bool poll_(struct http_server *s, struct http_event *out) {
	struct test_http *h = container_of(s, struct test_http, server);
	arena_reset(&h->polled);
	if (list_empty(&h->events)) return false;
	struct waiting *w = container_of(h->events.next, struct waiting, node);
	*out = w->event;
	out->method = str_copy(&h->polled, w->event.method);
	out->target = str_copy(&h->polled, w->event.target);
	out->body = str_copy(&h->polled, w->event.body);
	struct http_header *headers = arena_array(&h->polled, struct http_header, w->event.header_count + 1);
	for (size_t i = 0; i < w->event.header_count; i++)
		headers[i] = (struct http_header){ str_copy(&h->polled, w->event.headers[i].name),
			                               str_copy(&h->polled, w->event.headers[i].value) };
	out->headers = headers;
	waiting_free(w);
	return true;
}

static enum err reply_(struct http_server *s, uint64_t id, const struct http_reply *r) {
	struct test_http *h = container_of(s, struct test_http, server);
	struct test_exchange *x = &h->exchanges[id];
	assert(id && id < h->next && !x->status); /* once an exchange */
	if (x->failed) return ERR_CLOSED;
	x->status = r->status;
	x->open = r->open;
	buf_str(&x->body, r->body);
	for (size_t i = 0; i < r->header_count; i++)
		if (str_is(r->headers[i].name, "content-type"))
			snprintf(x->type, sizeof x->type, "%.*s", STR_ARG(r->headers[i].value));
	return OK;
}

static enum err send_(struct http_server *s, uint64_t id, struct str bytes, bool last) {
	struct test_http *h = container_of(s, struct test_http, server);
	struct test_exchange *x = &h->exchanges[id];
	assert(x->open);
	if (x->failed) return ERR_CLOSED;
	if (h->slow) return ERR_AGAIN;
	buf_str(&x->body, bytes);
	x->open = !last;
	return OK;
}

static int port_(struct http_server *s) {
	(void)s;
	return 8555;
}

static void close_(struct http_server *s) {
	container_of(s, struct test_http, server)->listening = false;
}

static const struct http_server_ops ops = { poll_, reply_, send_, port_, close_ };

void test_http_init(struct test_http *h) {
	memset(h, 0, sizeof *h);
	h->host.listen = listen_;
	h->server.ops = &ops;
	h->next = 1;
	list_init(&h->events);
	arena_init(&h->polled, 0);
	for (size_t i = 0; i < TEST_EXCHANGES; i++) buf_init(&h->exchanges[i].body, 0);
}

void test_http_done(struct test_http *h) {
	while (!list_empty(&h->events)) waiting_free(container_of(h->events.next, struct waiting, node));
	arena_done(&h->polled);
	for (size_t i = 0; i < TEST_EXCHANGES; i++) buf_done(&h->exchanges[i].body);
}

static struct waiting *add(struct test_http *h, enum http_event_kind kind, uint64_t id) {
	struct waiting *w = calloc(1, sizeof *w);
	if (!w) abort();
	arena_init(&w->arena, 0);
	w->event = (struct http_event){ .kind = kind, .id = id };
	list_push(&h->events, &w->node);
	return w;
}

uint64_t test_http_begin(struct test_http *h, const char *method, const char *target, const char *headers) {
	uint64_t id = h->next++;
	assert(id < TEST_EXCHANGES);
	struct waiting *w = add(h, HTTP_REQUEST, id);
	struct http_header *list = arena_array(&w->arena, struct http_header, 16);
	struct str rest = str_of(headers), line, name, value;
	w->event.method = str_copy(&w->arena, str_of(method));
	w->event.target = str_copy(&w->arena, str_of(target));
	for (bool more = rest.n > 0; more;) {
		more = str_cut(rest, '\n', &line, &rest);
		if (!str_cut(line, ':', &name, &value)) continue;
		list[w->event.header_count++] =
			(struct http_header){ str_copy(&w->arena, name), str_copy(&w->arena, str_trim(value)) };
	}
	w->event.headers = list;
	return id;
}

void test_http_piece(struct test_http *h, uint64_t id, struct str body) {
	struct waiting *w = add(h, HTTP_BODY, id);
	w->event.body = str_copy(&w->arena, body);
}

void test_http_end(struct test_http *h, uint64_t id) {
	add(h, HTTP_END, id);
}

void test_http_cut(struct test_http *h, uint64_t id) {
	h->exchanges[id].failed = true;
	add(h, HTTP_FAILED, id)->event.err = ERR_CLOSED;
}

uint64_t test_http_send(struct test_http *h, const char *method, const char *target, const char *headers,
                        struct str body) {
	uint64_t id = test_http_begin(h, method, target, headers);
	if (body.n) test_http_piece(h, id, body);
	test_http_end(h, id);
	return id;
}
