/* HTTP/2 by nghttp2, split in three: the server (http2.c), one connection (http2_connection.c), one
 * request on it (http2_request.c).
 *
 * Prior knowledge only. The library does no I/O: bytes go in by nghttp2_session_mem_recv and come out by
 * nghttp2_session_mem_send. Flow control is the back-pressure: a window opens only as pieces are polled. */
#pragma once

#include "world/linux/inbox.h"
#include "world/linux/pace.h"

#include <nghttp2/nghttp2.h>

#define HTTP2_STREAMS_MAX 100

struct http2 {
	struct http_server server;
	struct loop *loop;
	struct watch listener;
	bool accepting;
	struct timer sweep;
	struct task flush;
	struct inbox inbox;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	struct list connections, dirty; /* dirty: with something to send */
	int64_t count, max, idle_ns;
	int port;
};

struct http2_connection {
	struct list node, dirty;
	struct http2 *server;
	struct watch watch;
	nghttp2_session *session;
	char peer[80];
	struct buf out; /* not taken by the socket, from out_at on */
	size_t out_at;
	struct mono idle_since, stuck_since; /* no stream; nothing taken of `out` */
	struct list requests;
	double resets; /* a bucket that leaks: streams that were cut short */
	struct mono resets_at;
	bool writable_wanted, closing;
	bool had_requests; /* when it was looked at last */
};

struct http2_request {
	struct exchange x;
	struct list node; /* of its connection's */
	struct http2 *server;
	struct http2_connection *connection; /* NULL: the stream is closed */
	int32_t stream;
	struct pace pace;   /* of its sender */
	struct mono paused; /* 0: we read; else since when its window is shut by us */
	bool too_large, whole;
	bool replied, open, last;
	struct buf out;
	size_t out_at;
	nghttp2_nv *trailers; /* in the arena */
	size_t trailer_count;
	bool deferred; /* the library waits for http2_send */
};

/* ---- a connection ---- */
void http2_connect(struct http2 *s, int fd, const char *peer);
void http2_disconnect(struct http2_connection *c, enum err e, const char *why); /* frees it */
void http2_dirty(struct http2_connection *c);   /* something is to be sent before the next sleep */
bool http2_flush(struct http2_connection *c);   /* false: it was freed */
void http2_was_cut(struct http2_connection *c); /* one of its streams, before its time */
void http2_look(struct http2_connection *c);    /* for slowness; may free it */
void http2_goaway(struct http2_connection *c, uint32_t code);

/* ---- a request ---- */
void http2_register(nghttp2_session_callbacks *callbacks);
enum err http2_reply(struct http2_request *r, const struct http_reply *reply);
enum err http2_send(struct http2_request *r, struct str bytes, bool last);
void http2_taken(struct http2_request *r, size_t n);                   /* n bytes of its body were polled */
void http2_lost(struct http2_request *r, enum err e, const char *why); /* its stream is no more */
