/* HTTP as two ports: requests and answers are messages, polled by one loop; nobody waits.
 *
 * The real ones (world/linux) are libmicrohttpd for HTTP/1.1, nghttp2 for HTTP/2 and libcurl for
 * the client; in the simulation both are messages with delay, loss, cut and reset. A body comes in
 * pieces of at most HTTP_PIECE_MAX bytes and whoever polls sets the pace: what is not polled is
 * not read from the peer (at most one piece of each exchange waits here). Slices in an event live until
 * the next poll of the same port. No secret of a message (its Authorization, its query) is in a `why`.
 * Thread: one loop's own. */
#pragma once

#include "base/clock.h"
#include "base/str.h"

#define HTTP_PIECE_MAX   (64 * 1024)
#define HTTP_HEADERS_MAX 64 /* a message with more, or with over 16 KiB of them, is refused (431) */

struct http_header {
	struct str name; /* lower case */
	struct str value;
};

enum http_event_kind {
	HTTP_REQUEST,  /* server: a request's headers are complete */
	HTTP_RESPONSE, /* client: the answer's status and headers */
	HTTP_BODY,     /* both: a piece of the body */
	HTTP_END,      /* both: the message is whole; client: the exchange is over; `headers` are trailers */
	HTTP_FAILED,   /* both: it will not be whole; `err` and `why` say why; the id is dead */
};

struct http_event {
	enum http_event_kind kind;
	uint64_t id;               /* of the exchange; never 0, never used again */
	struct str method, target; /* REQUEST: "POST", "/v1/traces?x=y" as sent */
	int status;                /* RESPONSE */
	const struct http_header *headers;
	size_t header_count;
	struct str body; /* BODY */
	struct str peer; /* REQUEST: "127.0.0.1:41234" */
	bool http2;      /* REQUEST */
	enum err err;    /* FAILED: ERR_UNREACHABLE, ERR_TIMEOUT, ERR_CLOSED, ERR_TOO_LARGE, ERR_DENIED (TLS),
	                  * ERR_INVALID (not HTTP, or malformed), ERR_NOMEM */
	const char *why; /* FAILED */
};

/* The first header of that (lower-case) name, or the empty slice with p == NULL. */
struct str http_header(const struct http_event *e, const char *name);

/* ---- server ----
 *
 * A request gives REQUEST, BODY*, END, or FAILED at any point after REQUEST. Its reply ends that: no
 * further event of it comes, but FAILED for an `open` reply whose peer goes before its last piece. A
 * request whose peer goes before it was polled is never told. HTTP/2's :authority is told as "host".
 *
 * A peer may be silent for idle_timeout_ns, and must send and take at least 4 KiB a second on average;
 * else its request fails with ERR_TIMEOUT. Time in which nothing was polled, or no reply was made, is not
 * his. Over HTTP/1.1 a refusal in the middle of a large body ends the connection after it. */

struct http_reply {
	int status; /* 200..599 */
	/* content-length, transfer-encoding and connection are the server's own and left out. */
	const struct http_header *headers;
	size_t header_count;
	struct str body;
	bool open;                          /* the body goes on: http_server_send follows (watches, server-sent events) */
	const struct http_header *trailers; /* HTTP/2, sent after the body when not `open` */
	size_t trailer_count;
};

struct http_listen {
	struct str address;      /* "127.0.0.1", "::1", "0.0.0.0" */
	int port;                /* 0: any free one */
	bool http2;              /* HTTP/2 with prior knowledge (gRPC); else HTTP/1.1 */
	int64_t connections_max; /* further ones are closed at once; 1..65536; at most a quarter of the files
	                          * that the process may have open */
	int64_t idle_timeout_ns; /* of a connection, also of a slow sender */
};

struct http_server {
	const struct http_server_ops *ops;
};

struct http_server_ops {
	/* False: nothing now. */
	bool (*poll)(struct http_server *, struct http_event *out);
	/* Allowed once an exchange, any time after REQUEST (before END too: the rest of the body is
	 * thrown away). Everything is copied. ERR_CLOSED: the peer has gone; ERR_INVALID: a second reply, a
	 * status or a header that HTTP does not allow (another may be tried then). */
	enum err (*reply)(struct http_server *, uint64_t id, const struct http_reply *);
	/* More body of an `open` reply. ERR_AGAIN: the peer is slow (over 1 MiB waits); ERR_CLOSED. */
	enum err (*send)(struct http_server *, uint64_t id, struct str bytes, bool last);
	int (*port)(struct http_server *); /* the bound one */
	/* Replies that were made still go out as far as the sockets take them; HTTP/2 peers are told. */
	void (*close)(struct http_server *);
};

/* Where servers come from: the world's. ERR_BUSY: the port is in use (why names it). */
struct http_host {
	enum err (*listen)(struct http_host *, const struct http_listen *, struct http_server **out, struct why *);
};

static inline bool http_server_poll(struct http_server *s, struct http_event *out) {
	return s->ops->poll(s, out);
}
static inline enum err http_server_reply(struct http_server *s, uint64_t id, const struct http_reply *r) {
	return s->ops->reply(s, id, r);
}
static inline enum err http_server_send(struct http_server *s, uint64_t id, struct str b, bool last) {
	return s->ops->send(s, id, b, last);
}
static inline int http_server_port(struct http_server *s) {
	return s->ops->port(s);
}
static inline void http_server_close(struct http_server *s) {
	if (s) s->ops->close(s);
}

/* ---- client ----
 *
 * HTTP/1.1; connections are kept and used again. No redirect is followed, no proxy used, nothing taken
 * from the environment; headers are sent as given, with a Host and the framing that the body needs. A
 * request whose kept connection turns out to be dead before a byte of an answer is sent again on a new
 * one, so a peer may see it twice: what must not happen twice carries a key. */

/* How to trust the peer and to be trusted by it. All slices PEM, borrowed until the client's
 * exchange ends. */
struct http_tls {
	struct str ca;          /* empty: the system's */
	struct str cert, key;   /* client certificate, or empty */
	struct str server_name; /* empty: from the URL */
	bool insecure;          /* only when an operator wrote it down */
};

struct http_request {
	struct str method, url; /* "http://..." or "https://..." */
	const struct http_header *headers;
	size_t header_count;
	struct str body;
	const struct http_tls *tls;
	int64_t connect_timeout_ns;
	int64_t timeout_ns;      /* of the whole exchange; 0: none (a watch) */
	int64_t idle_timeout_ns; /* no byte for so long fails it; 0: none */
	int64_t answer_max;      /* bytes of body; more fails it with ERR_TOO_LARGE; 0: none (a watch) */
};

struct http_client {
	const struct http_client_ops *ops;
};

struct http_client_ops {
	/* Copies the request. Events come by poll, in order: RESPONSE, BODY*, END, or FAILED at any
	 * point. ERR_FULL: too many in flight (until END or FAILED is polled); ERR_INVALID: the URL (one with a
	 * user or password too), the method or a header. */
	enum err (*submit)(struct http_client *, const struct http_request *, uint64_t *id, struct why *);
	bool (*poll)(struct http_client *, struct http_event *out);
	void (*cancel)(struct http_client *, uint64_t id); /* no further event of it */
	void (*close)(struct http_client *);
};

/* Each user of the network opens a client of its own, so that no event needs handing on. */
struct http_clients {
	enum err (*open)(struct http_clients *, int64_t in_flight_max, struct http_client **out);
};

static inline enum err http_client_submit(struct http_client *c, const struct http_request *r, uint64_t *id,
                                          struct why *w) {
	return c->ops->submit(c, r, id, w);
}
static inline bool http_client_poll(struct http_client *c, struct http_event *out) {
	return c->ops->poll(c, out);
}
static inline void http_client_cancel(struct http_client *c, uint64_t id) {
	c->ops->cancel(c, id);
}
static inline void http_client_close(struct http_client *c) {
	if (c) c->ops->close(c);
}
