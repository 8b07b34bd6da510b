#include "world/linux/http2.h"

#include "world/linux/servers.h"
#include "world/linux/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

/* Exchanges of all connections; a request past it is refused (REFUSED_STREAM, safe to repeat). */
#define EXCHANGES_MAX 65536

static struct http2 *self(struct http_server *s) {
	return container_of(s, struct http2, server);
}

/* ---- accepting ---- */

static void look_again(struct http2 *s) {
	if (list_empty(&s->connections) || list_linked(&s->sweep.node)) return;
	int64_t now = clock_mono(loop_clock(s->loop)).ns;
	loop_timer(s->loop, &s->sweep, (struct mono){ now + pace_look_ns(s->idle_ns) });
}

static void take_one(struct http2 *s, int fd, const struct sys_address *from) {
	if (s->count >= s->max) {
		close(fd);
		return;
	}
	const int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	char peer[80];
	sys_address_format((const struct sockaddr *)&from->storage, peer, sizeof peer);
	http2_connect(s, fd, peer);
	look_again(s);
}

static void accept_ready(struct watch *w, uint32_t events) {
	(void)events;
	struct http2 *s = container_of(w, struct http2, listener);
	for (int n = 0; n < 64; n++) { /* the others have their turn too */
		struct sys_address from = { .size = sizeof from.storage };
		int fd = accept4(w->fd, (struct sockaddr *)&from.storage, &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			take_one(s, fd, &from);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* No descriptor is free: without a pause the waiting connection would wake us for ever. */
			loop_change(s->loop, w, 0);
			s->accepting = false;
			loop_timer(s->loop, &s->sweep, (struct mono){ clock_mono(loop_clock(s->loop)).ns + NS_PER_SEC / 10 });
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static void sweep(struct timer *t) {
	struct http2 *s = container_of(t, struct http2, sweep);
	if (!s->accepting) {
		s->accepting = true;
		loop_change(s->loop, &s->listener, EPOLLIN);
	}
	list_each_safe(n, &s->connections) http2_look(container_of(n, struct http2_connection, node));
	look_again(s);
}

static void flush(struct task *t) {
	struct http2 *s = container_of(t, struct http2, flush);
	for (struct list *n; (n = list_shift(&s->dirty));)
		(void)http2_flush(container_of(n, struct http2_connection, dirty));
}

/* ---- the port ---- */

static bool server_poll(struct http_server *server, struct http_event *out) {
	struct http2 *s = self(server);
	struct exchange *x = inbox_poll(&s->inbox, out);
	if (!x) return false;
	if (out->kind == HTTP_BODY) http2_taken(container_of(x, struct http2_request, x), out->body.n);
	return true;
}

static struct http2_request *find(struct http2 *s, uint64_t id) {
	struct exchange *x = inbox_find(&s->inbox, id);
	return x ? container_of(x, struct http2_request, x) : NULL;
}

static enum err server_reply(struct http_server *server, uint64_t id, const struct http_reply *reply) {
	struct http2_request *r = find(self(server), id);
	return r ? http2_reply(r, reply) : ERR_CLOSED;
}

static enum err server_send(struct http_server *server, uint64_t id, struct str bytes, bool last) {
	struct http2_request *r = find(self(server), id);
	return r ? http2_send(r, bytes, last) : ERR_CLOSED;
}

static int server_port(struct http_server *server) {
	return self(server)->port;
}

static void server_free(struct http2 *s) {
	inbox_close(&s->inbox);
	nghttp2_option_del(s->option);
	nghttp2_session_callbacks_del(s->callbacks);
	if (s->listener.fd >= 0) close(s->listener.fd);
	free(s);
}

static void server_close(struct http_server *server) {
	struct http2 *s = self(server);
	loop_unwatch(s->loop, &s->listener);
	loop_timer_stop(&s->sweep);
	list_each_safe(n, &s->connections) {
		struct http2_connection *c = container_of(n, struct http2_connection, node);
		/* Replies that were made a moment ago, then the goodbye, as far as the socket takes them. */
		if (!http2_flush(c)) continue;
		http2_goaway(c, NGHTTP2_NO_ERROR);
		(void)http2_flush(c);
	}
	list_each_safe(n, &s->connections) {
		http2_disconnect(container_of(n, struct http2_connection, node), ERR_CLOSED, "the server closes");
	}
	loop_task_stop(&s->flush);
	server_free(s);
}

static const struct http_server_ops ops = {
	.poll = server_poll,
	.reply = server_reply,
	.send = server_send,
	.port = server_port,
	.close = server_close,
};

static enum err set_up(struct http2 *s) {
	if (nghttp2_session_callbacks_new(&s->callbacks) != 0 || nghttp2_option_new(&s->option) != 0) return ERR_NOMEM;
	http2_register(s->callbacks);
	nghttp2_option_set_no_auto_window_update(s->option, 1);
	nghttp2_option_set_max_outbound_ack(s->option, 100);
	nghttp2_option_set_max_settings(s->option, 32);
	nghttp2_option_set_no_closed_streams(s->option, 1);
	return loop_watch(s->loop, &s->listener, EPOLLIN);
}

enum err http2_open(struct loop *l, const struct http_listen *o, int fd, int port, struct http_server **out) {
	struct http2 *s = calloc(1, sizeof *s);
	if (!s) {
		close(fd);
		return ERR_NOMEM;
	}
	*s = (struct http2){
		.server = { &ops },
		.loop = l,
		.listener = { .fd = fd, .ready = accept_ready },
		.accepting = true,
		.sweep = { .fire = sweep },
		.flush = { .run = flush },
		.max = o->connections_max,
		.idle_ns = o->idle_timeout_ns,
		.port = port,
	};
	list_init(&s->connections);
	list_init(&s->dirty);
	int64_t most = s->max * HTTP2_STREAMS_MAX;
	enum err e = inbox_open(&s->inbox, l, (size_t)(most < EXCHANGES_MAX ? most : EXCHANGES_MAX));
	if (!e) e = set_up(s);
	if (e) {
		server_free(s);
		return e;
	}
	*out = &s->server;
	return OK;
}
