#include "world/linux/net.h"

#include "base/list.h"
#include "world/linux/lanes.h"
#include "world/linux/sys.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESSES_MAX 8
#define RESOLVE_DEPTH 64
#define SEND_MAX      ((size_t)1 << 20)
#define READ_SIZE     ((size_t)64 * 1024)

/* One name on its way through the lane. It outlives its connection when that is closed meanwhile. */
struct resolve {
	struct job job;
	uint64_t id;
	char host[256], port[8];
	struct sys_address found[ADDRESSES_MAX];
	size_t count;
	bool again; /* the resolver says: later */
};

struct connection {
	struct list node, ready;
	struct net_linux *net;
	uint64_t id;
	struct watch watch; /* fd -1: none yet */
	struct timer timeout;
	struct sys_address to[ADDRESSES_MAX];
	size_t to_count, to_next;
	bool connected, told, readable, full, writable, closed;
	enum err err;
	struct buf out;
	size_t out_at;
};

struct net_linux {
	struct net net;
	struct loop *loop;
	struct jobs *jobs;
	struct lane *lane;
	struct list connections, ready;
	size_t count;
	uint64_t serial;
	char *bytes; /* the last event's */
};

static struct net_linux *self(struct net *n) {
	return container_of(n, struct net_linux, net);
}

static struct connection *find(struct net_linux *n, uint64_t id) {
	list_each(it, &n->connections) {
		struct connection *c = container_of(it, struct connection, node);
		if (c->id == id) return c;
	}
	return NULL;
}

static void make_ready(struct connection *c) {
	if (!list_linked(&c->ready)) list_push(&c->net->ready, &c->ready);
	loop_kick(c->net->loop);
}

static void drop_socket(struct connection *c) {
	if (c->watch.fd < 0) return;
	loop_unwatch(c->net->loop, &c->watch);
	close(c->watch.fd);
	c->watch.fd = -1;
}

static void free_connection(struct connection *c) {
	drop_socket(c);
	loop_timer_stop(&c->timeout);
	list_remove(&c->node);
	list_remove(&c->ready);
	c->net->count--;
	buf_done(&c->out);
	free(c);
}

static void fail(struct connection *c, enum err e) {
	if (c->closed) return;
	drop_socket(c);
	loop_timer_stop(&c->timeout);
	c->closed = true;
	c->err = e;
	make_ready(c);
}

/* ---- connecting ---- */

static void try_next(struct connection *c);

static void opened(struct connection *c) {
	loop_timer_stop(&c->timeout);
	c->connected = true;
	make_ready(c);
}

static void connect_done(struct connection *c) {
	int number = 0;
	socklen_t n = sizeof number;
	getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &number, &n);
	if (!number) {
		opened(c);
		return;
	}
	drop_socket(c);
	c->err = sys_err(number);
	try_next(c);
}

static void drain(struct connection *c) {
	while (c->out_at < c->out.n) {
		ssize_t n = send(c->watch.fd, c->out.p + c->out_at, c->out.n - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0) {
			fail(c, sys_err(errno));
			return;
		}
		c->out_at += (size_t)n;
	}
	if (c->out_at == c->out.n) c->out.n = c->out_at = 0;
	if (c->full && c->out.n - c->out_at <= SEND_MAX / 2) {
		c->full = false;
		c->writable = true;
		make_ready(c);
	}
}

/* Edge-triggered: a mark is made, and the poller reads when it likes. */
static void socket_ready(struct watch *w, uint32_t events) {
	struct connection *c = container_of(w, struct connection, watch);
	if (!c->connected) {
		if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) connect_done(c);
		if (!c->connected) return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
		c->readable = true;
		make_ready(c);
	}
	if (events & EPOLLOUT) drain(c);
}

static bool start_connect(struct connection *c, const struct sys_address *to) {
	int fd = socket(to->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		c->err = sys_err(errno);
		return false;
	}
	const int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	c->watch.fd = fd;
	if (connect(fd, (const struct sockaddr *)&to->storage, to->size) != 0 && errno != EINPROGRESS) {
		c->err = sys_err(errno);
		close(fd);
		c->watch.fd = -1;
		return false;
	}
	c->err = loop_watch(c->net->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	if (!c->err) return true;
	close(fd);
	c->watch.fd = -1;
	return false;
}

static void try_next(struct connection *c) {
	while (c->to_next < c->to_count) {
		if (start_connect(c, &c->to[c->to_next++])) return;
	}
	fail(c, c->err ? c->err : ERR_UNREACHABLE);
}

static void timed_out(struct timer *t) {
	fail(container_of(t, struct connection, timeout), ERR_TIMEOUT);
}

/* ---- names ---- */

static void resolve_run(struct job *j) {
	struct resolve *r = container_of(j, struct resolve, job);
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
	struct addrinfo *all = NULL;
	int code = getaddrinfo(r->host, r->port, &hints, &all);
	r->again = code == EAI_AGAIN;
	for (const struct addrinfo *a = all; !code && a && r->count < ADDRESSES_MAX; a = a->ai_next) {
		struct sys_address *to = &r->found[r->count++];
		memcpy(&to->storage, a->ai_addr, a->ai_addrlen);
		to->size = a->ai_addrlen;
	}
	if (all) freeaddrinfo(all);
}

static void resolve_done(struct net_linux *n, struct resolve *r) {
	struct connection *c = find(n, r->id);
	if (c && !c->closed) {
		memcpy(c->to, r->found, sizeof c->to);
		c->to_count = r->count;
		c->err = r->again ? ERR_AGAIN : ERR_UNREACHABLE;
		try_next(c);
	}
	free(r);
}

static void resolved(void *arg) {
	struct net_linux *n = arg;
	for (struct job *j; (j = lane_poll(n->lane));) resolve_done(n, container_of(j, struct resolve, job));
}

static void resolve_drop(struct job *j) {
	free(container_of(j, struct resolve, job));
}

static enum err resolve(struct net_linux *n, struct connection *c, struct str host, int port) {
	if (!n->lane) {
		enum err e = n->jobs->lane(n->jobs, "resolver", RESOLVE_DEPTH, &n->lane);
		if (e) return e;
		lane_on_end(n->lane, resolved, n);
	}
	struct resolve *r = calloc(1, sizeof *r);
	if (!r) return ERR_NOMEM;
	r->job.run = resolve_run;
	r->id = c->id;
	memcpy(r->host, host.p, host.n);
	snprintf(r->port, sizeof r->port, "%d", port);
	enum err e = lane_submit(n->lane, &r->job);
	if (e) free(r);
	return e;
}

/* ---- the port ---- */

static bool is_host(struct str host) {
	if (host.n == 0 || host.n > 255) return false;
	return !memchr(host.p, '\0', host.n);
}

static enum err begin(struct net_linux *n, struct connection *c, struct str host, int port) {
	if (!sys_address_numeric(host, port, &c->to[0])) return resolve(n, c, host, port);
	c->to_count = 1;
	try_next(c);
	return OK;
}

static enum err linux_connect(struct net *net, struct str host, int port, int64_t timeout_ns, uint64_t *id,
                              struct why *why) {
	struct net_linux *n = self(net);
	if (!is_host(host) || port < 1 || port > 65535)
		return why_set(why, ERR_INVALID, "'" STR_FMT "' port %d is no place to connect to", STR_ARG(host), port);
	if (n->count == NET_CONNECTIONS_MAX)
		return why_set(why, ERR_FULL, "%d connections are open already; try later", NET_CONNECTIONS_MAX);
	struct connection *c = calloc(1, sizeof *c);
	if (!c) return why_set(why, ERR_NOMEM, "no memory for a connection");
	*c = (struct connection){
		.net = n, .id = ++n->serial, .watch = { .fd = -1, .ready = socket_ready }, .timeout = { .fire = timed_out }
	};
	buf_init(&c->out, 0);
	list_push(&n->connections, &c->node);
	n->count++;
	loop_timer(n->loop, &c->timeout, (struct mono){ clock_mono(loop_clock(n->loop)).ns + timeout_ns });
	enum err e = begin(n, c, host, port);
	if (e) {
		free_connection(c);
		return why_set(why, e, "cannot look up '" STR_FMT "': %s", STR_ARG(host), err_text(e));
	}
	*id = c->id;
	return OK;
}

static enum err linux_send(struct net *net, uint64_t id, struct str bytes) {
	struct connection *c = find(self(net), id);
	if (!c || c->closed) return ERR_CLOSED;
	if (c->out.n - c->out_at > SEND_MAX) {
		c->full = true;
		return ERR_AGAIN;
	}
	if (c->out_at > SEND_MAX) {
		memmove(c->out.p, c->out.p + c->out_at, c->out.n - c->out_at);
		c->out.n -= c->out_at;
		c->out_at = 0;
	}
	buf_str(&c->out, bytes);
	if (c->out.err) return c->out.err;
	if (c->connected) drain(c);
	return c->closed ? ERR_CLOSED : OK;
}

/* False: there was nothing to read after all. */
static bool read_bytes(struct connection *c, struct net_event *out) {
	ssize_t n;
	do { n = recv(c->watch.fd, c->net->bytes, READ_SIZE, 0); } while (n < 0 && errno == EINTR);
	if (n > 0) {
		*out = (struct net_event){ .kind = NET_BYTES, .id = c->id, .bytes = { c->net->bytes, (size_t)n } };
		return true;
	}
	c->readable = false;
	if (n == 0 || errno != EAGAIN) fail(c, n == 0 ? ERR_CLOSED : sys_err(errno));
	return false;
}

/* The next of this connection; false: none. CLOSED frees it. */
static bool next_event(struct connection *c, struct net_event *out) {
	if (c->connected && !c->told && !c->closed) {
		c->told = true;
		*out = (struct net_event){ .kind = NET_OPEN, .id = c->id };
		drain(c); /* what was sent before it was open */
		return true;
	}
	if (c->writable && !c->closed) {
		c->writable = false;
		*out = (struct net_event){ .kind = NET_WRITABLE, .id = c->id };
		return true;
	}
	if (c->readable && !c->closed && read_bytes(c, out)) return true;
	if (!c->closed) return false;
	*out = (struct net_event){ .kind = NET_CLOSED, .id = c->id, .err = c->err };
	free_connection(c);
	return true;
}

static bool linux_poll(struct net *net, struct net_event *out) {
	struct net_linux *n = self(net);
	for (struct list *first; (first = list_shift(&n->ready));) {
		struct connection *c = container_of(first, struct connection, ready);
		if (!next_event(c, out)) continue;
		if (out->kind != NET_CLOSED && !list_linked(&c->ready)) list_push(&n->ready, &c->ready);
		return true;
	}
	return false;
}

static void linux_close(struct net *net, uint64_t id) {
	struct connection *c = find(self(net), id);
	if (c) free_connection(c);
}

static const struct net_ops ops = {
	.connect = linux_connect, .send = linux_send, .poll = linux_poll, .close = linux_close
};

enum err net_linux_open(struct loop *l, struct jobs *jobs, struct net_linux **out) {
	struct net_linux *n = calloc(1, sizeof *n);
	char *bytes = malloc(READ_SIZE);
	if (!n || !bytes) {
		free(n);
		free(bytes);
		return ERR_NOMEM;
	}
	*n = (struct net_linux){ .net = { &ops }, .loop = l, .jobs = jobs, .bytes = bytes };
	list_init(&n->connections);
	list_init(&n->ready);
	*out = n;
	return OK;
}

struct net *net_linux_net(struct net_linux *n) {
	return &n->net;
}

void net_linux_close(struct net_linux *n) {
	if (!n) return;
	list_each_safe(it, &n->connections) free_connection(container_of(it, struct connection, node));
	lane_close(n->lane, resolve_drop);
	free(n->bytes);
	free(n);
}
