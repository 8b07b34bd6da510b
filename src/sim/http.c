#include "sim/http.h"

#include "sim/http_impl.h"
#include "sim/memory.h"

#define SLOT_BITS 20
#define SLOT_MASK ((UINT64_C(1) << SLOT_BITS) - 1)

/* ---- exchanges ---- */

struct sim_web *sim_web_new(struct sim_net *net) {
	struct sim_web *w = must_alloc(sizeof *w);
	w->net = net;
	list_init(&w->messages);
	return w;
}

void sim_web_free(struct sim_web *w) {
	if (!w) return;
	list_each_safe(it, &w->messages) sim_message_free(container_of(it, struct sim_message, all));
	for (uint32_t i = 0; i < w->slot_count; i++) free(w->slots[i]);
	free(w->slots);
	free(w->generation);
	free(w->vacant);
	free(w);
}

static void more_slots(struct sim_web *w) {
	uint32_t count = w->slot_count ? 2 * w->slot_count : 64;
	assert(count <= SLOT_MASK + 1 && "a million exchanges at once");
	w->slots = must_grow(w->slots, count, sizeof(struct sim_exchange *));
	w->generation = must_grow(w->generation, count, sizeof *w->generation);
	w->vacant = must_grow(w->vacant, count, sizeof *w->vacant);
	for (uint32_t i = count; i > w->slot_count; i--) {
		w->slots[i - 1] = must_alloc(sizeof(struct sim_exchange));
		w->generation[i - 1] = 0;
		w->vacant[w->vacant_count++] = i - 1;
	}
	w->slot_count = count;
}

struct sim_exchange *sim_exchange_new(struct sim_web *w) {
	if (!w->vacant_count) more_slots(w);
	uint32_t slot = w->vacant[--w->vacant_count];
	struct sim_exchange *x = w->slots[slot];
	*x = (struct sim_exchange){ .id = ++w->generation[slot] << SLOT_BITS | slot };
	return x;
}

struct sim_exchange *sim_exchange_get(const struct sim_web *w, uint64_t id) {
	uint64_t slot = id & SLOT_MASK;
	return slot < w->slot_count && w->slots[slot]->id == id ? w->slots[slot] : NULL;
}

size_t sim_web_exchanges(const struct sim_web *w) {
	return w->slot_count - w->vacant_count;
}

static void maybe_over(struct sim_web *w, struct sim_exchange *x) {
	if (x->client || x->server) return;
	w->vacant[w->vacant_count++] = (uint32_t)(x->id & SLOT_MASK);
	x->id = 0;
}

void sim_exchange_leave_client(struct sim_web *w, struct sim_exchange *x) {
	if (!x->client) return;
	x->client->in_flight--;
	sim_inbox_drop(&x->client->inbox, x->id);
	x->client = NULL;
	maybe_over(w, x);
}

void sim_exchange_leave_server(struct sim_web *w, struct sim_exchange *x) {
	if (!x->server) return;
	x->server->connections--;
	sim_inbox_drop(&x->server->inbox, x->id);
	x->server = NULL;
	maybe_over(w, x);
}

void sim_exchange_fail(struct sim_web *w, struct sim_exchange *x, bool to_server, int64_t at_ns, enum err e,
                       const char *why) {
	struct sim_message *m = sim_message_new(w, x, &(struct sim_parts){ 0 });
	m->to_server = to_server;
	m->failed = e;
	m->why = why;
	sim_message_send(w, m, at_ns);
}

/* ---- messages ---- */

static size_t headers_size(const struct http_header *h, size_t n) {
	size_t size = n * sizeof *h;
	for (size_t i = 0; i < n; i++) size += h[i].name.n + h[i].value.n;
	return size;
}

char *sim_put_number(char *at, uint64_t v) {
	char digits[20], *first = digits + sizeof digits;
	do *--first = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return sim_put_text(at, (struct str){ first, (size_t)(digits + sizeof digits - first) });
}

static struct str copy_str(char **at, struct str s) {
	struct str copy = { *at, s.n };
	*at = sim_put_text(*at, s);
	return copy;
}

static void copy_headers(char **at, struct http_header *to, const struct http_header *from, size_t n) {
	for (size_t i = 0; i < n; i++)
		to[i] = (struct http_header){ copy_str(at, from[i].name), copy_str(at, from[i].value) };
}

struct sim_message *sim_message_new(struct sim_web *w, const struct sim_exchange *x, const struct sim_parts *p) {
	size_t headers = p->header_count + p->extra_count, table = (headers + p->trailer_count) * sizeof *p->headers;
	size_t size = headers_size(p->headers, p->header_count) + headers_size(p->extra, p->extra_count) +
	              headers_size(p->trailers, p->trailer_count) + p->method.n + p->target.n + p->body.n;
	struct sim_message *m = must(malloc(sizeof *m + size));
	*m = (struct sim_message){ .exchange = x->id, .header_count = headers, .trailer_count = p->trailer_count };
	char *at = m->block + table;
	m->headers = (struct http_header *)(void *)m->block;
	m->trailers = m->headers + headers;
	copy_headers(&at, m->headers, p->headers, p->header_count);
	copy_headers(&at, m->headers + p->header_count, p->extra, p->extra_count);
	copy_headers(&at, m->trailers, p->trailers, p->trailer_count);
	m->method = copy_str(&at, p->method);
	m->target = copy_str(&at, p->target);
	m->body = copy_str(&at, p->body);
	list_push(&w->messages, &m->all);
	return m;
}

void sim_message_free(struct sim_message *m) {
	if (!m) return;
	list_remove(&m->all);
	list_remove(&m->link);
	free(m);
}

static void trace_message(struct sim_web *w, const struct sim_message *m) {
	sim_trace_mix(w->net->trace, m->exchange << 8 | (uint64_t)m->failed);
	sim_trace_bytes(w->net->trace, m->target);
	sim_trace_bytes(w->net->trace, m->body);
}

/* The moment at which a message lies in its receiver's inbox. */
static void arrive(void *self, uint64_t arg) {
	struct sim_web *w = self;
	struct sim_message *m = (struct sim_message *)(uintptr_t)arg;
	struct sim_exchange *x = sim_exchange_get(w, m->exchange);
	struct sim_ports *ports = !x             ? NULL
	                          : m->to_server ? (x->server ? x->server->ports : NULL)
	                                         : (x->client ? x->client->ports : NULL);
	if (!ports) {
		sim_message_free(m);
		return;
	}
	trace_message(w, m);
	if (!m->to_server) x->heard_ns = w->net->queue->now_ns;
	list_push(m->to_server ? &x->server->inbox : &x->client->inbox, &m->link);
	ports->wake(ports->wake_self);
}

void sim_message_send(struct sim_web *w, struct sim_message *m, int64_t at_ns) {
	sim_queue_at(w->net->queue, at_ns, arrive, w, (uint64_t)(uintptr_t)m);
}

void sim_message_cut(struct sim_web *w, struct sim_message *m, enum sim_fate fate) {
	if (fate != SIM_CUT && fate != SIM_STALLED) return;
	m->end = false;
	m->body.n = (size_t)rng_below(&w->net->rng, (int64_t)m->body.n + 1);
	if (fate == SIM_CUT) {
		m->failed = ERR_CLOSED;
		m->why = "the connection was closed in the middle";
	}
}

/* ---- inboxes ---- */

void sim_inbox_drop(struct list *inbox, uint64_t exchange) {
	list_each_safe(it, inbox) {
		struct sim_message *m = container_of(it, struct sim_message, link);
		if (!exchange || m->exchange == exchange) sim_message_free(m);
	}
}

static void give_head(struct sim_message *m, struct http_event *out) {
	m->head_given = true;
	out->kind = m->to_server ? HTTP_REQUEST : HTTP_RESPONSE;
	out->method = m->method;
	out->target = m->target;
	out->status = m->status;
	out->headers = m->headers;
	out->header_count = m->header_count;
}

static void give_piece(struct sim_message *m, struct http_event *out) {
	size_t n = m->body.n - m->given;
	if (n > HTTP_PIECE_MAX) n = HTTP_PIECE_MAX;
	out->kind = HTTP_BODY;
	out->body = (struct str){ m->body.p + m->given, n };
	m->given += n;
}

static void give_last(struct sim_message *m, struct http_event *out) {
	out->kind = m->failed ? HTTP_FAILED : HTTP_END;
	out->err = m->failed;
	out->why = m->why;
	out->headers = m->trailers;
	out->header_count = m->trailer_count;
}

bool sim_inbox_next(struct sim_web *w, struct list *inbox, struct sim_message **spent, struct http_event *out,
                    struct sim_message **whole) {
	(void)w;
	sim_message_free(*spent);
	*spent = NULL;
	*whole = NULL;
	while (!list_empty(inbox)) {
		struct sim_message *m = container_of(inbox->next, struct sim_message, link);
		*out = (struct http_event){ .id = m->exchange };
		if (m->head && !m->head_given) return give_head(m, out), true;
		if (m->given < m->body.n) return give_piece(m, out), true;
		list_remove(&m->link);
		sim_message_free(*spent);
		*spent = m;
		if (!m->end && !m->failed) continue;
		give_last(m, out);
		*whole = m;
		return true;
	}
	return false;
}

/* ---- the life of a host's ports ---- */

void sim_server_end(struct sim_web *w, struct sim_server *s, bool told) {
	for (uint32_t i = 0; i < w->slot_count; i++) {
		struct sim_exchange *x = w->slots[i];
		if (!x->id || x->server != s) continue;
		if (told && x->client)
			sim_exchange_fail(w, x, false, w->net->queue->now_ns, ERR_CLOSED, "the server closed the connection");
		sim_exchange_leave_server(w, x);
	}
	s->ports = NULL;
	list_remove(&s->link);
}

void sim_client_end(struct sim_web *w, struct sim_client *c, bool told) {
	for (uint32_t i = 0; i < w->slot_count; i++) {
		struct sim_exchange *x = w->slots[i];
		if (!x->id || x->client != c) continue;
		if (told && x->server && !x->request_over)
			sim_exchange_fail(w, x, true, w->net->queue->now_ns, ERR_CLOSED, "the client closed the connection");
		sim_exchange_leave_client(w, x);
	}
	c->ports = NULL;
	list_remove(&c->link);
}

void sim_ports_die(struct sim_ports *p, bool told) {
	list_each_safe(it, &p->server_list) sim_server_end(p->web, container_of(it, struct sim_server, link), told);
	list_each_safe(it, &p->client_list) sim_client_end(p->web, container_of(it, struct sim_client, link), told);
	if (!told) p->web->net->host[p->host].ports = NULL; /* not even a refusal comes back */
}

void sim_ports_up(struct sim_ports *p) {
	p->web->net->host[p->host].ports = p;
}
