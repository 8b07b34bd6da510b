#include "execute/kubernetes/fake_api.h"

#include "base/list.h"

#include <stdlib.h>
#include <string.h>

static struct fake_api *self(struct http_client *c) {
	return container_of(c, struct fake_api, client);
}

static void push(struct fake_api *f, struct http_event e, const char *text) {
	struct fake_event *slot = &f->queue[f->tail++ % 1024];
	if (f->tail - f->head > 1024) abort();
	slot->text = text ? strdup(text) : NULL;
	e.body = str_of(slot->text);
	slot->event = e;
}

static void copy(char *out, size_t n, struct str s) {
	if (s.n >= n) abort();
	if (s.n) memcpy(out, s.p, s.n);
	out[s.n] = 0;
}

static enum err submit(struct http_client *c, const struct http_request *r, uint64_t *id, struct why *why) {
	struct fake_api *f = self(c);
	struct fake_request *q = &f->log[f->log_count++];
	const char *body = "";
	int status = 200;
	(void)why;
	if (f->log_count > 512) abort();
	q->id = *id = f->log_count;
	copy(q->method, sizeof q->method, r->method);
	copy(q->url, sizeof q->url, r->url);
	copy(q->body, sizeof q->body, r->body);
	for (size_t i = 0; i < r->header_count; i++)
		if (str_is(r->headers[i].name, "content-type"))
			copy(q->content_type, sizeof q->content_type, r->headers[i].value);
	q->watch = strstr(q->url, "watch=1") != NULL;
	bool whole = f->answer(f, q, &status, &body);
	if (status == 0) {
		push(f, (struct http_event){ .kind = HTTP_FAILED, .id = *id, .err = ERR_TIMEOUT, .why = "no answer in time" },
		     NULL);
		return OK;
	}
	push(f, (struct http_event){ .kind = HTTP_RESPONSE, .id = *id, .status = status }, NULL);
	if (!whole) return OK;
	push(f, (struct http_event){ .kind = HTTP_BODY, .id = *id }, body);
	push(f, (struct http_event){ .kind = HTTP_END, .id = *id }, NULL);
	return OK;
}

static bool poll(struct http_client *c, struct http_event *out) {
	struct fake_api *f = self(c);
	free(f->handed);
	f->handed = NULL;
	if (f->head == f->tail) return false;
	struct fake_event *e = &f->queue[f->head++ % 1024];
	*out = e->event;
	f->handed = e->text;
	return true;
}

static void cancel(struct http_client *c, uint64_t id) {
	struct fake_api *f = self(c);
	for (size_t i = f->head; i != f->tail; i++)
		if (f->queue[i % 1024].event.id == id) f->queue[i % 1024].event.id = UINT64_MAX;
}

static void close_(struct http_client *c) {
	(void)c;
}
static const struct http_client_ops client_ops = { submit, poll, cancel, close_ };

static enum err open_client(struct http_clients *c, int64_t max, struct http_client **out) {
	(void)max;
	*out = &container_of(c, struct fake_api, clients)->client;
	return OK;
}

void fake_api_init(struct fake_api *f) {
	memset(f, 0, sizeof *f);
	fake_clock_init(&f->time, (struct wall){ INT64_C(1767607392) * NS_PER_SEC });
	f->clients.open = open_client;
	f->client.ops = &client_ops;
	f->world = (struct world){ .clock = &f->time.clock, .clients = &f->clients, .rng = rng_seeded(1) };
}

void fake_api_done(struct fake_api *f) {
	free(f->handed);
	for (; f->head != f->tail; f->head++) free(f->queue[f->head % 1024].text);
}

static uint64_t newest(const struct fake_api *f, const char *what) {
	for (size_t i = f->log_count; i > 0; i--)
		if (f->log[i - 1].watch && strstr(f->log[i - 1].url, what)) return f->log[i - 1].id;
	abort();
}

void fake_api_line(struct fake_api *f, const char *what, const char *json) {
	push(f, (struct http_event){ .kind = HTTP_BODY, .id = newest(f, what) }, json);
	push(f, (struct http_event){ .kind = HTTP_BODY, .id = newest(f, what) }, "\n");
}

void fake_api_end(struct fake_api *f, const char *what, enum err err) {
	push(f,
	     (struct http_event){
			 .kind = err ? HTTP_FAILED : HTTP_END, .id = newest(f, what), .err = err, .why = "connection lost" },
	     NULL);
}

size_t fake_api_count(const struct fake_api *f, const char *method, const char *what) {
	size_t n = 0;
	for (size_t i = 0; i < f->log_count; i++) n += strcmp(f->log[i].method, method) == 0 && strstr(f->log[i].url, what);
	return n;
}
