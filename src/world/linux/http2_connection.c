#include "world/linux/http2.h"

#include "world/linux/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_WINDOW (1 << 20) /* bytes of all its streams that were not polled */
#define READ_SIZE         (64 * 1024)
#define WRITE_SIZE        (64 * 1024)
#define KEPT_SIZE         (16 * 1024) /* of a buffer that is empty */
#define READS_A_TURN      4

/* A peer that opens streams and cuts them short makes work for nothing (CVE-2023-44487, CVE-2025-8671).
 * A burst of deadlines passes; a steady stream of cuts does not. */
#define RESETS_BURST    500.0
#define RESETS_A_SECOND 20.0

#define NOT_HTTP2                                                                       \
	"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" \
	"this port speaks HTTP/2 with prior knowledge only (as gRPC does)\n"

static struct mono now(const struct http2_connection *c) {
	return clock_mono(loop_clock(c->server->loop));
}

void http2_disconnect(struct http2_connection *c, enum err e, const char *why) {
	list_each_safe(n, &c->requests) http2_lost(container_of(n, struct http2_request, node), e, why);
	nghttp2_session_del(c->session);
	loop_unwatch(c->server->loop, &c->watch);
	close(c->watch.fd);
	list_remove(&c->node);
	list_remove(&c->dirty);
	c->server->count--;
	buf_done(&c->out);
	free(c);
}

void http2_dirty(struct http2_connection *c) {
	if (!list_linked(&c->dirty)) list_push(&c->server->dirty, &c->dirty);
	loop_task(c->server->loop, &c->server->flush);
}

void http2_goaway(struct http2_connection *c, uint32_t code) {
	nghttp2_session_terminate_session(c->session, code);
	c->closing = true;
	http2_dirty(c);
}

/* ---- writing ---- */

/* Gathers frames until there is a good mouthful. False: the session is broken. */
static bool gather(struct http2_connection *c) {
	if (c->out_at == c->out.n || c->out_at > WRITE_SIZE) {
		c->out.n -= c->out_at;
		if (c->out.n) memmove(c->out.p, c->out.p + c->out_at, c->out.n);
		c->out_at = 0;
	}
	while (c->out.n - c->out_at < WRITE_SIZE) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(c->session, &p);
		if (n < 0) return false;
		if (n == 0) return true;
		buf_add(&c->out, p, (size_t)n);
		if (c->out.err) return false;
	}
	return true;
}

/* 1: all was taken; 0: the socket is full; -1: it is broken. */
static int drain(struct http2_connection *c) {
	while (c->out_at < c->out.n) {
		ssize_t n = send(c->watch.fd, c->out.p + c->out_at, c->out.n - c->out_at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return errno == EAGAIN ? 0 : -1;
		c->out_at += (size_t)n;
		c->stuck_since = now(c);
	}
	return 1;
}

/* Who does not read is not read: what he makes us answer would pile up. */
static void want_writable(struct http2_connection *c, bool wanted) {
	if (!wanted && c->out.cap > KEPT_SIZE) buf_done(&c->out), c->out_at = 0;
	if (c->writable_wanted == wanted) return;
	c->writable_wanted = wanted;
	if (wanted) c->stuck_since = now(c);
	loop_change(c->server->loop, &c->watch, wanted ? EPOLLOUT : EPOLLIN);
}

static bool finished(const struct http2_connection *c) {
	return !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session);
}

bool http2_flush(struct http2_connection *c) {
	int went;
	do { went = gather(c) ? drain(c) : -1; } while (went > 0 && c->out.n && nghttp2_session_want_write(c->session));
	if (went < 0 || (went > 0 && finished(c))) {
		http2_disconnect(c, ERR_CLOSED, went < 0 ? "the peer closed the connection" : "the connection was ended");
		return false;
	}
	want_writable(c, went == 0);
	return true;
}

/* ---- reading ---- */

/* What is not HTTP/2 at all is told so in the language it speaks. */
static void say_not_http2(struct http2_connection *c) {
	ssize_t n = send(c->watch.fd, NOT_HTTP2, sizeof NOT_HTTP2 - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)n; /* the connection ends in either case */
	http2_disconnect(c, ERR_INVALID, "the peer does not speak HTTP/2");
}

/* The last words, as far as the socket takes them. */
static void cut(struct http2_connection *c, uint32_t code, enum err e, const char *why) {
	http2_goaway(c, code);
	if (http2_flush(c)) http2_disconnect(c, e, why);
}

/* False: the connection is no more. */
static bool feed(struct http2_connection *c, const char *p, size_t n) {
	ssize_t used = nghttp2_session_mem_recv(c->session, (const uint8_t *)p, n);
	if (used == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
		say_not_http2(c);
	} else if (c->resets > RESETS_BURST || used == NGHTTP2_ERR_FLOODED) {
		cut(c, NGHTTP2_ENHANCE_YOUR_CALM, ERR_DENIED, "the peer resets too many streams");
	} else if (used < 0) {
		cut(c, NGHTTP2_PROTOCOL_ERROR, ERR_INVALID, "the peer sent malformed HTTP/2");
	} else {
		return true;
	}
	return false;
}

static void connection_ready(struct watch *w, uint32_t events) {
	struct http2_connection *c = container_of(w, struct http2_connection, watch);
	char bytes[READ_SIZE];
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		for (int i = 0; i < READS_A_TURN; i++) {
			ssize_t n = recv(w->fd, bytes, sizeof bytes, 0);
			if (n < 0 && errno == EINTR) continue;
			if (n < 0 && errno == EAGAIN) break;
			if (n <= 0) {
				http2_disconnect(c, ERR_CLOSED, "the peer closed the connection");
				return;
			}
			if (!feed(c, bytes, (size_t)n)) return;
			if ((size_t)n < sizeof bytes) break;
		}
	}
	http2_flush(c);
}

/* ---- limits ---- */

void http2_was_cut(struct http2_connection *c) {
	double passed = (double)(now(c).ns - c->resets_at.ns) / (double)NS_PER_SEC;
	c->resets_at = now(c);
	c->resets -= passed * RESETS_A_SECOND;
	if (c->resets < 0) c->resets = 0;
	c->resets++;
}

/* Whose turn it is: the sender's while nothing of his waits to be polled, the reader's while something
 * waits to be sent. */
static bool peers_turn(const struct http2_request *r) {
	if (r->replied) return !r->deferred;
	return !r->whole && !r->paused.ns;
}

static void look_at(struct http2_connection *c, struct http2_request *r) {
	if (!peers_turn(r) || !pace_late(&r->pace, now(c), c->server->idle_ns)) return;
	int32_t stream = r->stream;
	nghttp2_session_set_stream_user_data(c->session, stream, NULL);
	http2_lost(r, ERR_TIMEOUT, "the peer was too slow");
	nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
	http2_dirty(c);
}

void http2_look(struct http2_connection *c) {
	int64_t idle = c->server->idle_ns, at = now(c).ns;
	/* With the connection's window shut by what nobody polled, none of its senders is to blame. */
	bool ours = nghttp2_session_get_effective_recv_data_length(c->session) >= CONNECTION_WINDOW / 2;
	if (!ours)
		list_each_safe(n, &c->requests) look_at(c, container_of(n, struct http2_request, node));
	if (list_empty(&c->requests) && c->had_requests) c->idle_since = now(c);
	c->had_requests = !list_empty(&c->requests);
	bool stuck = c->writable_wanted && at - c->stuck_since.ns > idle;
	bool unused = list_empty(&c->requests) && at - c->idle_since.ns > idle;
	if (stuck || (unused && (c->closing || c->writable_wanted))) {
		http2_disconnect(c, ERR_TIMEOUT, "the peer takes nothing");
	} else if (unused) {
		http2_goaway(c, NGHTTP2_NO_ERROR);
	}
}

void http2_connect(struct http2 *s, int fd, const char *peer) {
	struct http2_connection *c = calloc(1, sizeof *c);
	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	c->watch = (struct watch){ .fd = fd, .ready = connection_ready };
	c->idle_since = c->resets_at = clock_mono(loop_clock(s->loop));
	strncpy(c->peer, peer, sizeof c->peer - 1);
	list_init(&c->requests);
	buf_init(&c->out, 0);
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_PIECE_MAX - 1 },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADER_BYTES_MAX },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
	};
	if (nghttp2_session_server_new2(&c->session, s->callbacks, c, s->option) != 0 ||
	    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) != 0 ||
	    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) != 0 ||
	    loop_watch(s->loop, &c->watch, EPOLLIN) != OK) {
		nghttp2_session_del(c->session);
		close(fd);
		free(c);
		return;
	}
	list_push(&s->connections, &c->node);
	s->count++;
	http2_flush(c);
}
