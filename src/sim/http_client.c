#include <stdio.h>

#include "sim/http_impl.h"
#include "sim/memory.h"

#define CONNECT_NS       (60 * NS_PER_SEC) /* where the caller set no limit */
#define HEADER_BYTES_MAX (16 * 1024)
#define HOST_MAX         ((size_t)253) /* bytes of a name (RFC 1035) */

static struct sim_client *of(struct http_client *c) {
	return (struct sim_client *)c;
}

/* ---- where a request goes ---- */

struct address {
	struct str host, target;
	int port;
};

static bool parse_port(struct str s, int *out) {
	int64_t n = 0;
	if (!str_int(s, &n) || n < 1 || n > 65535) return false;
	*out = (int)n;
	return true;
}

/* "http://host:port/path?query" apart; IPv6 hosts in brackets. */
static bool parse_address(struct str url, struct address *out) {
	static const struct {
		struct str scheme;
		int port;
	} schemes[] = { { { "http://", 7 }, 80 }, { { "https://", 8 }, 443 } };
	for (size_t i = 0; i < 2; i++) {
		if (!str_starts(url, schemes[i].scheme)) continue;
		struct str rest = { url.p + schemes[i].scheme.n, url.n - schemes[i].scheme.n }, tail;
		const char *end = rest.p;
		while (end < rest.p + rest.n && *end != '/' && *end != '?') end++;
		struct str where = { rest.p, (size_t)(end - rest.p) };
		out->target = (struct str){ end, rest.n - where.n };
		out->port = schemes[i].port;
		if (where.n && *where.p == '[') {
			if (!str_cut((struct str){ where.p + 1, where.n - 1 }, ']', &out->host, &tail)) return false;
			return !tail.n || (*tail.p == ':' && parse_port((struct str){ tail.p + 1, tail.n - 1 }, &out->port));
		}
		return (!str_cut(where, ':', &out->host, &tail) || parse_port(tail, &out->port)) && out->host.n;
	}
	return false;
}

static struct sim_server *listener(struct sim_web *w, uint32_t from, uint32_t host, int port) {
	struct sim_ports *p = w->net->host[host].ports;
	if (!p) return NULL;
	list_each(it, &p->server_list) {
		struct sim_server *s = container_of(it, struct sim_server, link);
		if (s->listen.port == port && (!s->loopback || from == host)) return s;
	}
	return NULL;
}

/* ---- time-outs ---- */

static void time_is_over(void *self, uint64_t id) {
	struct sim_web *w = self;
	struct sim_exchange *x = sim_exchange_get(w, id);
	if (!x || !x->client) return;
	struct sim_message *m = sim_message_new(w, x, &(struct sim_parts){ 0 });
	m->failed = ERR_TIMEOUT;
	m->why = "no answer in time";
	sim_inbox_drop(&x->client->inbox, id);
	sim_message_send(w, m, w->net->queue->now_ns);
}

static void idle_check(void *self, uint64_t id) {
	struct sim_web *w = self;
	struct sim_exchange *x = sim_exchange_get(w, id);
	if (!x || !x->client) return;
	if (w->net->queue->now_ns - x->heard_ns >= x->idle_ns)
		time_is_over(w, id);
	else
		sim_queue_at(w->net->queue, x->heard_ns + x->idle_ns, idle_check, w, id);
}

static void server_tires(void *self, uint64_t id) {
	struct sim_web *w = self;
	struct sim_exchange *x = sim_exchange_get(w, id);
	if (x && x->server && !x->request_over)
		sim_exchange_fail(w, x, true, w->net->queue->now_ns, ERR_TIMEOUT, "the peer sent nothing for too long");
}

/* ---- submit ---- */

static struct sim_message *request_message(struct sim_web *w, struct sim_exchange *x, const struct http_request *r,
                                           const struct address *to) {
	char length[24], host[300], *length_end = sim_put_number(length, r->body.n);
	struct str name = { to->host.p, to->host.n < HOST_MAX ? to->host.n : HOST_MAX };
	char *host_end = sim_put_number(sim_put_text(sim_put_text(host, name), STR(":")), (uint64_t)to->port);
	struct http_header extra[] = { { STR("host"), { host, (size_t)(host_end - host) } },
		                           { STR("content-length"), { length, (size_t)(length_end - length) } } };
	bool empty = !r->body.n && (str_is(r->method, "GET") || str_is(r->method, "HEAD"));
	struct str target = to->target;
	char rooted[4096];
	if (!target.n || *target.p != '/') {
		int n = snprintf(rooted, sizeof rooted, "/" STR_FMT, STR_ARG(to->target));
		target = (struct str){ rooted, (size_t)n < sizeof rooted ? (size_t)n : sizeof rooted - 1 };
	}
	struct sim_parts parts = { r->method, target, r->body, r->headers, NULL, extra, r->header_count, 0, empty ? 1 : 2 };
	struct sim_message *m = sim_message_new(w, x, &parts);
	m->to_server = m->head = m->end = true;
	return m;
}

static void attach(struct sim_exchange *x, struct sim_server *s) {
	x->server = s;
	s->connections++;
}

/* The same request once more, as a middlebox that tries again makes it: its answer goes nowhere. */
static void maybe_twice(struct sim_web *w, const struct sim_exchange *x, struct sim_server *s,
                        const struct http_request *r, const struct address *to) {
	int64_t at = 0;
	if (!r->timeout_ns || !sim_net_draw_twice(w->net, x->client_host, x->server_host, &at)) return;
	struct sim_exchange *again = sim_exchange_new(w);
	again->client_host = x->client_host;
	again->server_host = x->server_host;
	attach(again, s);
	sim_message_send(w, request_message(w, again, r, to), at);
}

static void send_request(struct sim_web *w, struct sim_exchange *x, struct sim_server *s, const struct http_request *r,
                         const struct address *to) {
	int64_t at = 0;
	enum sim_fate fate = sim_net_draw(w->net, x->client_host, x->server_host, &at);
	bool dark = !w->net->host[x->server_host].ports;
	if (fate == SIM_LOST || dark) {
		int64_t limit = r->connect_timeout_ns ? r->connect_timeout_ns : CONNECT_NS;
		sim_exchange_fail(w, x, false, w->net->queue->now_ns + limit, ERR_TIMEOUT, "no connection in time");
		return;
	}
	if (!s || s->connections >= s->listen.connections_max || fate == SIM_RESET) {
		enum err e = s ? ERR_CLOSED : ERR_UNREACHABLE;
		sim_exchange_fail(w, x, false, at, e, s ? "the connection was reset" : "connection refused");
		return;
	}
	attach(x, s);
	struct sim_message *m = request_message(w, x, r, to);
	sim_message_cut(w, m, fate);
	if (fate == SIM_STALLED && s->listen.idle_timeout_ns)
		sim_queue_at(w->net->queue, at + s->listen.idle_timeout_ns, server_tires, w, x->id);
	if (fate == SIM_CUT) sim_exchange_fail(w, x, false, at, ERR_CLOSED, "the connection was reset");
	sim_message_send(w, m, at);
	if (fate == SIM_ARRIVES) maybe_twice(w, x, s, r, to);
}

static bool headers_are_too_large(const struct http_request *r) {
	size_t bytes = 0;
	for (size_t i = 0; i < r->header_count; i++) bytes += r->headers[i].name.n + r->headers[i].value.n + 4;
	return r->header_count + 2 > HTTP_HEADERS_MAX || bytes > HEADER_BYTES_MAX;
}

static void refuse_headers(struct sim_web *w, struct sim_exchange *x) {
	struct sim_message *m = sim_message_new(w, x, &(struct sim_parts){ 0 });
	int64_t at = 0;
	sim_net_draw(w->net, x->client_host, x->server_host, &at);
	m->head = m->end = true;
	m->status = 431;
	sim_message_send(w, m, at);
}

static enum err client_submit(struct http_client *client, const struct http_request *r, uint64_t *id, struct why *why) {
	struct sim_client *c = of(client);
	struct address to;
	if (!c->ports) return why_set(why, ERR_CLOSED, "this host is down");
	if (c->in_flight >= c->in_flight_max) return ERR_FULL;
	if (!parse_address(r->url, &to))
		return why_set(why, ERR_INVALID, STR_FMT ": not a URL of the form http://host:port/path", STR_ARG(r->url));
	struct sim_web *w = c->ports->web;
	struct sim_exchange *x = sim_exchange_new(w);
	int host = sim_net_find(w->net, c->ports->host, to.host);
	*x = (struct sim_exchange){ .id = x->id, .client = c, .client_host = c->ports->host };
	x->server_host = host < 0 ? c->ports->host : (uint32_t)host;
	x->heard_ns = w->net->queue->now_ns;
	x->idle_ns = r->idle_timeout_ns;
	x->answer_max = r->answer_max;
	c->in_flight++;
	*id = x->id;
	if (sim_fuse_blown(c->ports->fuse)) return OK; /* the dead send nothing, and never learn it */
	if (r->timeout_ns) sim_queue_in(w->net->queue, r->timeout_ns, time_is_over, w, x->id);
	if (r->idle_timeout_ns) sim_queue_in(w->net->queue, r->idle_timeout_ns, idle_check, w, x->id);
	if (host < 0) {
		sim_exchange_fail(w, x, false, w->net->queue->now_ns + NS_PER_MS, ERR_UNREACHABLE, "no such host");
	} else if (headers_are_too_large(r)) {
		refuse_headers(w, x);
	} else {
		send_request(w, x, listener(w, x->client_host, x->server_host, to.port), r, &to);
	}
	return OK;
}

/* ---- answers ---- */

/* The client wants nothing more of it; the server hears that, or finds out when it answers. */
static void give_up(struct sim_web *w, struct sim_exchange *x, int64_t at_ns) {
	if (x->server && !x->request_over)
		sim_exchange_fail(w, x, true, at_ns, ERR_CLOSED, "the client closed the connection");
	sim_exchange_leave_client(w, x);
}

static bool client_poll(struct http_client *client, struct http_event *out) {
	struct sim_client *c = of(client);
	struct sim_message *whole = NULL;
	if (!c->ports || !sim_inbox_next(c->ports->web, &c->inbox, &c->spent, out, &whole)) return false;
	struct sim_web *w = c->ports->web;
	struct sim_exchange *x = sim_exchange_get(w, out->id);
	if (!x) return true;
	if (out->kind == HTTP_BODY) {
		x->unread -= (int64_t)out->body.n;
		x->answer_bytes += (int64_t)out->body.n;
	}
	if (x->answer_max && x->answer_bytes > x->answer_max) {
		*out = (struct http_event){ .kind = HTTP_FAILED, .id = x->id, .err = ERR_TOO_LARGE };
		out->why = "the answer is larger than the limit";
		give_up(w, x, w->net->queue->now_ns);
	} else if (whole) {
		give_up(w, x, w->net->queue->now_ns);
	}
	return true;
}

static void client_cancel(struct http_client *client, uint64_t id) {
	struct sim_client *c = of(client);
	if (!c->ports) return;
	struct sim_exchange *x = sim_exchange_get(c->ports->web, id);
	if (x && x->client == c) give_up(c->ports->web, x, c->ports->web->net->queue->now_ns);
}

static void client_close(struct http_client *client) {
	struct sim_client *c = of(client);
	if (!c) return;
	if (c->ports) sim_client_end(c->ports->web, c, !sim_fuse_blown(c->ports->fuse));
	sim_inbox_drop(&c->inbox, 0);
	sim_message_free(c->spent);
	free(c);
}

static const struct http_client_ops client_ops = { client_submit, client_poll, client_cancel, client_close };

static enum err open_client(struct http_clients *clients, int64_t in_flight_max, struct http_client **out) {
	struct sim_ports *p = container_of(clients, struct sim_ports, clients);
	struct sim_client *c = must_alloc(sizeof *c);
	*c = (struct sim_client){ .client = { &client_ops }, .ports = p, .in_flight_max = in_flight_max };
	list_init(&c->inbox);
	list_push(&p->client_list, &c->link);
	*out = &c->client;
	return OK;
}

void sim_ports_init_client(struct sim_ports *p) {
	p->clients = (struct http_clients){ open_client };
}
