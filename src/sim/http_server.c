#include "sim/http_impl.h"
#include "sim/memory.h"

#define FIRST_FREE_PORT 32768

static struct sim_server *of(struct http_server *s) {
	return (struct sim_server *)s;
}

static bool server_poll(struct http_server *server, struct http_event *out) {
	struct sim_server *s = of(server);
	struct sim_message *whole = NULL;
	if (!s->ports || !sim_inbox_next(s->ports->web, &s->inbox, &s->spent, out, &whole)) return false;
	struct sim_exchange *x = sim_exchange_get(s->ports->web, out->id);
	if (x && whole) x->request_over = true;
	if (out->kind == HTTP_REQUEST && x) {
		char *end = sim_put_number(sim_put_text(s->peer, STR("10.0.0.")), x->client_host + 1);
		end = sim_put_number(sim_put_text(end, STR(":")), FIRST_FREE_PORT + (out->id & 0x3fff));
		out->peer = (struct str){ s->peer, (size_t)(end - s->peer) };
		out->http2 = s->listen.http2;
	}
	if (out->kind == HTTP_FAILED && x) sim_exchange_leave_server(s->ports->web, x);
	return true;
}

/* The answer's bytes go on their way; false: the way ended here and both ends know or will. */
static bool send_answer(struct sim_web *w, struct sim_exchange *x, struct sim_message *m) {
	int64_t at = 0;
	enum sim_fate fate = sim_net_draw(w->net, x->server_host, x->client_host, &at);
	if (at < x->last_ns) at = x->last_ns; /* one connection: pieces keep their order */
	x->last_ns = at;
	if (fate == SIM_LOST) {
		sim_message_free(m);
		return false;
	}
	if (fate == SIM_RESET) {
		sim_message_free(m);
		sim_exchange_fail(w, x, false, at, ERR_CLOSED, "the connection was reset");
		return false;
	}
	sim_message_cut(w, m, fate);
	x->unread += (int64_t)m->body.n;
	sim_message_send(w, m, at);
	return fate == SIM_ARRIVES;
}

static enum err server_reply(struct http_server *server, uint64_t id, const struct http_reply *r) {
	struct sim_server *s = of(server);
	if (!s->ports || sim_fuse_blown(s->ports->fuse)) return ERR_CLOSED;
	struct sim_web *w = s->ports->web;
	struct sim_exchange *x = sim_exchange_get(w, id);
	if (!x || x->server != s) return ERR_CLOSED;
	assert(!x->replied && r->status >= 200 && r->status <= 599);
	x->replied = x->request_over = true;
	sim_inbox_drop(&s->inbox, id);
	if (!x->client) {
		sim_exchange_leave_server(w, x);
		return ERR_CLOSED;
	}
	char length[24], *end = sim_put_number(length, r->body.n);
	struct http_header extra = { STR("content-length"), { length, (size_t)(end - length) } };
	struct sim_parts parts = { .body = r->body, .headers = r->headers, .header_count = r->header_count };
	parts.extra = &extra;
	parts.extra_count = r->open || s->listen.http2 ? 0 : 1;
	if (!r->open) parts.trailers = r->trailers, parts.trailer_count = r->trailer_count;
	struct sim_message *m = sim_message_new(w, x, &parts);
	m->head = true;
	m->status = r->status;
	m->end = !r->open;
	bool goes_on = send_answer(w, x, m) && r->open;
	if (!goes_on) sim_exchange_leave_server(w, x);
	return OK;
}

static enum err server_send(struct http_server *server, uint64_t id, struct str bytes, bool last) {
	struct sim_server *s = of(server);
	if (!s->ports || sim_fuse_blown(s->ports->fuse)) return ERR_CLOSED;
	struct sim_web *w = s->ports->web;
	struct sim_exchange *x = sim_exchange_get(w, id);
	if (!x || x->server != s) return ERR_CLOSED;
	assert(x->replied);
	if (!x->client) {
		sim_exchange_leave_server(w, x);
		return ERR_CLOSED;
	}
	if (x->unread > SIM_SEND_MAX) return ERR_AGAIN;
	struct sim_message *m = sim_message_new(w, x, &(struct sim_parts){ .body = bytes });
	m->end = last;
	if (!send_answer(w, x, m) || last) sim_exchange_leave_server(w, x);
	return OK;
}

static int server_port(struct http_server *server) {
	return of(server)->listen.port;
}

static void server_close(struct http_server *server) {
	struct sim_server *s = of(server);
	if (!s) return;
	if (s->ports) sim_server_end(s->ports->web, s, !sim_fuse_blown(s->ports->fuse));
	sim_inbox_drop(&s->inbox, 0);
	sim_message_free(s->spent);
	free(s);
}

static const struct http_server_ops server_ops = { server_poll, server_reply, server_send, server_port, server_close };

static bool port_is_taken(const struct sim_ports *p, int port) {
	list_each(it, &p->server_list)
		if (container_of(it, struct sim_server, link)->listen.port == port) return true;
	return false;
}

static bool is_loopback(struct str address) {
	return str_starts(address, STR("127.")) || str_is(address, "::1") || str_is(address, "localhost");
}

static enum err listen_here(struct http_host *host, const struct http_listen *l, struct http_server **out,
                            struct why *why) {
	struct sim_ports *p = (struct sim_ports *)host;
	int port = l->port;
	while (!port) {
		port = FIRST_FREE_PORT + p->next_port++ % 28000;
		if (port_is_taken(p, port)) port = 0;
	}
	if (port_is_taken(p, port))
		return why_set(why, ERR_BUSY, STR_FMT ":%d: the port is in use", STR_ARG(l->address), port);
	struct sim_server *s = must_alloc(sizeof *s);
	*s =
		(struct sim_server){ .server = { &server_ops }, .ports = p, .listen = *l, .loopback = is_loopback(l->address) };
	s->listen.port = port;
	list_init(&s->inbox);
	list_push(&p->server_list, &s->link);
	*out = &s->server;
	return OK;
}

void sim_ports_init(struct sim_ports *p, struct sim_web *w, uint32_t host, struct sim_fuse *fuse) {
	*p = (struct sim_ports){ .servers = { listen_here }, .web = w, .fuse = fuse, .host = host };
	list_init(&p->server_list);
	list_init(&p->client_list);
	sim_ports_init_client(p);
	w->net->host[host].ports = p;
}
