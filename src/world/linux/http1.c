#include "world/linux/http1.h"

#include "world/linux/servers.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection's own pool: the headers and the piece of a body that was read last. */
#define CONNECTION_BYTES ((size_t)64 * 1024)
#define CONNECTION_STEP  ((size_t)16 * 1024)

#define STILL_MAX   16               /* runs on end without a move: more is no coincidence */
#define STILL_PAUSE (2 * NS_PER_MS)  /* then between two runs; sockets wake it as before */
#define STUCK_NS    (2 * NS_PER_SEC) /* without a byte of a chunk, while the library is stuck on somebody */

static struct http1 *self(struct http_server *s) {
	return container_of(s, struct http1, server);
}

/* ---- the library's loop in ours ---- */

static void look_again(struct http1 *s) {
	if (list_empty(&s->connections)) return;
	int64_t now = clock_mono(loop_clock(s->loop)).ns;
	if (!list_linked(&s->sweep.node)) loop_timer(s->loop, &s->sweep, (struct mono){ now + pace_look_ns(s->idle_ns) });
}

/* It serves each ready connection once a run; busy says that some are still ready. But a connection whose pool is full
 * of a chunk's extension is busy for ever: it neither reads nor refuses. So who is busy without moving is run
 * again after a pause, until the sweep has cut him. */
static void run(struct http1 *s) {
	MHD_UNSIGNED_LONG_LONG ms;
	uint64_t before = s->moved;
	MHD_run(s->daemon);
	bool busy = MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms == 0;
	s->still = busy && s->moved == before ? s->still + 1 : 0;
	if (s->still > STILL_MAX)
		loop_timer(s->loop, &s->again, (struct mono){ clock_mono(loop_clock(s->loop)).ns + STILL_PAUSE });
	else if (busy)
		loop_task(s->loop, &s->run);
	look_again(s);
}

static void run_ready(struct watch *w, uint32_t events) {
	(void)events;
	run(container_of(w, struct http1, watch));
}

static void run_task(struct task *t) {
	run(container_of(t, struct http1, run));
}

static void run_again(struct timer *t) {
	run(container_of(t, struct http1, again));
}

static enum MHD_Result accept_policy(void *cls, const struct sockaddr *a, socklen_t n) {
	(void)a, (void)n;
	const struct http1 *s = cls;
	return s->count < s->max ? MHD_YES : MHD_NO;
}

static void connection_changed(void *cls, struct MHD_Connection *mhd, void **context,
                               enum MHD_ConnectionNotificationCode code) {
	struct http1 *s = cls;
	struct http1_connection *c = *context;
	s->moved++;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (!c) return;
		list_remove(&c->node);
		s->count--;
		free(c);
		*context = NULL;
		return;
	}
	c = calloc(1, sizeof *c);
	if (!c) return; /* its first request is refused */
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	c->server = s;
	c->fd = fd ? fd->connect_fd : -1;
	pace_start(&c->pace, clock_mono(loop_clock(s->loop)));
	list_push(&s->connections, &c->node);
	s->count++;
	*context = c;
}

/* ---- slow and vanished peers ---- */

/* One that the library may be stuck on: chunks shall come, none does, and it claims to be busy. */
static bool is_stuck(const struct http1 *s, const struct http1_connection *c) {
	const struct http1_request *r = c->request;
	if (s->still <= STILL_MAX || !r || r->suspended || r->state != REQUEST_BODY || r->length >= 0) return false;
	return clock_mono(loop_clock(s->loop)).ns - c->pace.last.ns > STUCK_NS;
}

/* He left in the middle of what he sent. The library does not see an end that came together with the last bytes. */
static bool has_left(const struct http1_connection *c) {
	char byte;
	bool reading = c->turn == TURN_PEER_HEAD || c->turn == TURN_PEER_BODY;
	if (!reading || (c->request && c->request->suspended)) return false;
	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool is_late(const struct http1 *s, const struct http1_connection *c) {
	if (c->turn == TURN_OURS || (c->request && c->request->suspended)) return false;
	return pace_late(&c->pace, clock_mono(loop_clock(s->loop)), s->idle_ns) || is_stuck(s, c);
}

static void look_at(struct http1 *s, struct http1_connection *c) {
	struct http1_request *r = c->request;
	if (r && r->suspended && c->turn == TURN_OURS && http1_peer_gone(r)) {
		r->abort = true;
		http1_resume(r);
	} else if (has_left(c)) {
		shutdown(c->fd, SHUT_RDWR);
	} else if (is_late(s, c)) {
		/* The library sees the end of the connection at its next run, and cleans up. One that it is stuck on it does
		 * not look at; there its own clock helps. */
		if (is_stuck(s, c) && !c->late) MHD_set_connection_option(r->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
		c->late = true;
		shutdown(c->fd, SHUT_RDWR);
	}
}

static void sweep(struct timer *t) {
	struct http1 *s = container_of(t, struct http1, sweep);
	list_each(n, &s->connections) look_at(s, container_of(n, struct http1_connection, node));
	look_again(s);
}

/* ---- the port ---- */

static bool server_poll(struct http_server *server, struct http_event *out) {
	struct http1 *s = self(server);
	/* Whoever saw the headers and polls again wants the body. */
	struct exchange *before = s->inbox.lent;
	if (before && !before->gone) {
		struct http1_request *r = container_of(before, struct http1_request, x);
		if (r->state == REQUEST_HELD) http1_resume(r);
	}
	struct exchange *x = inbox_poll(&s->inbox, out);
	if (!x) return false;
	struct http1_request *r = container_of(x, struct http1_request, x);
	if (out->kind == HTTP_BODY && r->state == REQUEST_BODY) http1_resume(r);
	return true;
}

static struct http1_request *find(struct http1 *s, uint64_t id) {
	struct exchange *x = inbox_find(&s->inbox, id);
	return x ? container_of(x, struct http1_request, x) : NULL;
}

static enum err server_reply(struct http_server *server, uint64_t id, const struct http_reply *reply) {
	struct http1_request *r = find(self(server), id);
	return r ? http1_reply(r, reply) : ERR_CLOSED;
}

static enum err server_send(struct http_server *server, uint64_t id, struct str bytes, bool last) {
	struct http1_request *r = find(self(server), id);
	return r ? http1_send(r, bytes, last) : ERR_CLOSED;
}

static int server_port(struct http_server *server) {
	return self(server)->port;
}

static void resume_all(struct http1 *s) {
	list_each(n, &s->connections) {
		struct http1_connection *c = container_of(n, struct http1_connection, node);
		if (c->request) http1_resume(c->request);
	}
}

static void server_close(struct http_server *server) {
	struct http1 *s = self(server);
	MHD_run(s->daemon); /* replies that were made a moment ago still go out */
	s->closing = true;
	resume_all(s); /* the library must not be stopped with suspended connections */
	loop_unwatch(s->loop, &s->watch);
	loop_timer_stop(&s->sweep);
	loop_timer_stop(&s->again);
	loop_task_stop(&s->run);
	MHD_stop_daemon(s->daemon);
	inbox_close(&s->inbox);
	free(s);
}

static const struct http_server_ops ops = {
	.poll = server_poll,
	.reply = server_reply,
	.send = server_send,
	.port = server_port,
	.close = server_close,
};

static struct MHD_Daemon *start(struct http1 *s, int fd) {
	/* Its own time-out and its limit are set so that ours come first. */
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, accept_policy, s, http1_handle, s,
	                        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)s->max + 16,
	                        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
	                        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, CONNECTION_STEP, MHD_OPTION_STRICT_FOR_CLIENT, 1,
	                        MHD_OPTION_URI_LOG_CALLBACK, http1_uri, s, MHD_OPTION_NOTIFY_COMPLETED, http1_completed, s,
	                        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s, MHD_OPTION_END);
}

enum err http1_open(struct loop *l, const struct http_listen *o, int fd, int port, struct http_server **out) {
	struct http1 *s = calloc(1, sizeof *s);
	enum err e = s ? inbox_open(&s->inbox, l, (size_t)o->connections_max + 16) : ERR_NOMEM;
	if (e) goto failed;
	s->server.ops = &ops;
	s->loop = l;
	s->max = o->connections_max;
	s->idle_ns = o->idle_timeout_ns;
	s->port = port;
	s->run.run = run_task;
	s->again.fire = run_again;
	s->sweep.fire = sweep;
	list_init(&s->connections);
	e = ERR_NOMEM;
	s->daemon = start(s, fd);
	if (!s->daemon) goto failed;
	fd = -1; /* the library's */

	const union MHD_DaemonInfo *epoll = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	s->watch = (struct watch){ .fd = epoll ? epoll->epoll_fd : -1, .ready = run_ready };
	e = loop_watch(l, &s->watch, EPOLLIN);
	if (e) goto failed;
	*out = &s->server;
	return OK;

failed:
	if (s && s->daemon) MHD_stop_daemon(s->daemon);
	if (s) inbox_close(&s->inbox);
	free(s);
	if (fd >= 0) close(fd);
	return e;
}
