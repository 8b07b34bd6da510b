#include "world/linux/http1.h"

#include "world/linux/sys.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a refused body may still send before the connection is cut: as much as the largest request that
 * anybody here accepts, so that a sender who only looks for the answer at its end gets it. */
#define DRAIN_MAX (INT64_C(64) << 20)

/* A body with less than this to come is read to its end, and the connection is used again. */
#define DISCARD_MAX (INT64_C(256) << 10)

#define ARGUMENTS_MAX 128 /* of a target: 8 KiB of the library's pool */

#define EARLY_REPLY_MAX ((size_t)16 << 10) /* fits into an empty socket's buffer */
#define OPEN_MAX        ((size_t)1 << 20)  /* of an open reply, not sent yet */
#define OPEN_BLOCK      ((size_t)16 << 10)
#define LARGE_REPLY     ((size_t)64 << 10)

static struct mono now(const struct http1_request *r) {
	return clock_mono(loop_clock(r->server->loop));
}

static void turn(struct http1_request *r, enum http1_turn whose) {
	if (!r->connection) return;
	r->connection->turn = whose;
	pace_start(&r->connection->pace, now(r));
}

static void hold(struct http1_request *r) {
	assert(!r->suspended);
	r->suspended = true;
	r->paused = now(r);
	MHD_suspend_connection(r->mhd);
}

void http1_resume(struct http1_request *r) {
	if (!r->suspended) return;
	r->suspended = false;
	if (r->connection) pace_excuse(&r->connection->pace, r->paused, now(r));
	MHD_resume_connection(r->mhd);
	loop_task(r->server->loop, &r->server->run);
}

bool http1_peer_gone(const struct http1_request *r) {
	char byte;
	ssize_t n = recv(r->connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0) return errno != EAGAIN && errno != EINTR;
	/* Who sent a whole request and closed his half may still wait for a reply, but not for ever for an
	 * open one. */
	return n == 0 && r->open;
}

/* ---- its birth and its end ---- */

static void request_free(struct exchange *x) {
	struct http1_request *r = container_of(x, struct http1_request, x);
	assert(!r->connection); /* the library would call into freed memory */
	if (r->response) MHD_destroy_response(r->response);
	buf_done(&r->out);
	free(r);
}

/* The library takes a target's arguments apart (nobody here asks for that) and forgets the connection when its pool is
 * full of them: no answer, no end. So it is told here, and cut. */
static bool has_too_many_arguments(const char *uri, const struct http1_connection *c) {
	static const char answer[] = "HTTP/1.1 414 URI Too Long\r\nContent-Length: 19\r\nConnection: close\r\n\r\n"
								 "too many arguments\n";
	int n = 0;
	while (n <= ARGUMENTS_MAX && (uri = strchr(uri, '&'))) n++, uri++;
	if (n <= ARGUMENTS_MAX) return false;
	ssize_t sent = send(c->fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent; /* the connection ends in either case */
	shutdown(c->fd, SHUT_RDWR);
	return true;
}

/* Called when the request line is there, before anything is decoded. */
void *http1_uri(void *cls, const char *uri, struct MHD_Connection *mhd) {
	struct http1 *s = cls;
	s->moved++;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http1_connection *c = info ? info->socket_context : NULL;
	if (!c || has_too_many_arguments(uri, c)) return NULL;
	struct http1_request *r = calloc(1, sizeof *r);
	if (!r) return NULL;
	r->server = s;
	r->connection = c;
	r->mhd = mhd;
	buf_init(&r->out, 0);
	if (inbox_add(&s->inbox, &r->x, request_free) != OK) {
		free(r);
		return NULL;
	}
	r->x.begin = (struct http_event){ .kind = HTTP_REQUEST, .target = exchange_copy(&r->x, str_of(uri)) };
	c->request = r;
	return r;
}

static void fail(struct http1_request *r, bool late, enum MHD_RequestTerminationCode code) {
	struct inbox *b = &r->server->inbox;
	if (late) {
		inbox_fail(b, &r->x, ERR_TIMEOUT, "the peer was too slow");
	} else if (code == MHD_REQUEST_TERMINATED_WITH_ERROR && r->state == REQUEST_BODY && !r->abort) {
		inbox_fail(b, &r->x, ERR_INVALID, "the body is malformed, or the peer closed the connection in it");
	} else {
		inbox_fail(b, &r->x, ERR_CLOSED, "the peer closed the connection");
	}
}

void http1_completed(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code) {
	(void)mhd;
	struct http1 *s = cls;
	struct http1_request *r = *request;
	s->moved++;
	*request = NULL;
	if (!r) return;
	struct http1_connection *c = r->connection;
	bool late = c->late;
	turn(r, TURN_PEER_HEAD);
	c->request = NULL;
	r->connection = NULL;
	r->mhd = NULL;
	if (r->replied && (!r->open || r->last))
		inbox_drop(&r->server->inbox, &r->x);
	else
		fail(r, late, code);
}

/* ---- its headers ---- */

struct collect {
	struct http1_request *r;
	bool whole;
};

static enum MHD_Result collect_one(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size) {
	(void)kind;
	struct collect *c = cls;
	struct str n = { name, name_size }, v = str_trim((struct str){ value ? value : "", value_size });
	c->whole = exchange_header(&c->r->x, &c->r->x.headers, n, v);
	return c->whole ? MHD_YES : MHD_NO;
}

/* False: a length that no number here can hold. */
static bool read_framing(struct http1_request *r) {
	struct http_event *e = &r->x.begin;
	struct str length;
	e->headers = r->x.headers.at;
	e->header_count = r->x.headers.count;
	r->expect = http_header(e, "expect").p != NULL;
	length = str_trim(http_header(e, "content-length"));
	r->length = http_header(e, "transfer-encoding").p ? -1 : 0;
	return r->length || !length.n || (str_int(length, &r->length) && r->length >= 0);
}

/* Nothing that follows on the connection is read: where it begins is not sure. */
static enum MHD_Result refuse(struct http1_request *r, unsigned int status, const char *text) {
	struct MHD_Response *answer =
		MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	if (!answer) return MHD_NO;
	r->replied = true;
	r->state = REQUEST_REPLY;
	turn(r, TURN_PEER_READS);
	enum MHD_Result done = MHD_add_response_header(answer, "Connection", "close");
	if (done == MHD_YES) done = MHD_queue_response(r->mhd, status, answer);
	MHD_destroy_response(answer);
	return done;
}

static enum MHD_Result begin(struct http1_request *r, const char *method, const char *version) {
	struct collect c = { r, true };
	MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, collect_one, &c);
	if (!c.whole || r->x.begin.target.n > HTTP_HEADER_BYTES_MAX)
		return refuse(r, 431, "too many or too large headers\n");
	char peer[80];
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	sys_address_format(info ? info->client_addr : NULL, peer, sizeof peer);
	r->x.begin.peer = exchange_copy(&r->x, str_of(peer));
	r->x.begin.method = exchange_copy(&r->x, str_of(method));
	if (!r->x.begin.target.p || !r->x.begin.peer.p || !r->x.begin.method.p) return MHD_NO;

	if (!read_framing(r)) return refuse(r, 413, "the body is too large\n");
	const char *refused = http1_refused(&r->x.begin, version);
	if (refused) return refuse(r, 400, refused);
	turn(r, TURN_PEER_BODY);
	inbox_head(&r->server->inbox, &r->x);
	r->state = REQUEST_BODY;
	/* What fits into one piece is read at once; before more, the poller may refuse by the headers alone. */
	if (r->expect || r->length < 0 || r->length > HTTP_PIECE_MAX) {
		r->state = REQUEST_HELD;
		hold(r);
	}
	return MHD_YES;
}

/* ---- its body ---- */

static enum MHD_Result take_body(struct http1_request *r, const char *p, size_t *size) {
	if (r->connection) pace_bytes(&r->connection->pace, now(r), *size);
	if (r->discard) {
		r->received += (int64_t)*size;
		*size = 0;
		return r->received <= DRAIN_MAX ? MHD_YES : MHD_NO;
	}
	size_t room = exchange_room(&r->x), n = *size < room ? *size : room;
	if (n && inbox_body(&r->server->inbox, &r->x, (struct str){ p, n }) != OK) return MHD_NO;
	r->received += (int64_t)n;
	*size -= n;
	if (*size) hold(r);
	return MHD_YES;
}

static enum MHD_Result give_reply(struct http1_request *r) {
	if (!r->response) return MHD_NO; /* it went out early: nothing more to say here */
	r->state = REQUEST_REPLY;
	turn(r, TURN_PEER_READS);
	enum MHD_Result done = MHD_queue_response(r->mhd, r->status, r->response);
	MHD_destroy_response(r->response);
	r->response = NULL;
	return done;
}

static enum MHD_Result wait_for_reply(struct http1_request *r) {
	if (r->replied) return give_reply(r);
	turn(r, TURN_OURS);
	hold(r);
	return MHD_YES;
}

/* Called for the headers, again for each piece of the body, and for the end; once more after each pause,
 * with what was not taken. */
enum MHD_Result http1_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_size, void **request) {
	(void)mhd, (void)url;
	struct http1 *s = cls;
	struct http1_request *r = *request;
	s->moved++;
	if (!r || s->closing || r->abort) return MHD_NO;
	switch (r->state) {
	case REQUEST_NEW: return begin(r, method, version);
	case REQUEST_HELD:
		if (r->discard && r->expect) return MHD_NO; /* refused, and its peer waits with the body */
		r->state = REQUEST_BODY;
		return MHD_YES;
	case REQUEST_BODY:
		if (*upload_size) return take_body(r, upload, upload_size);
		r->state = REQUEST_WHOLE;
		if (!r->replied) inbox_end(&s->inbox, &r->x);
		return wait_for_reply(r);
	case REQUEST_WHOLE: return wait_for_reply(r);
	case REQUEST_REPLY: return MHD_YES;
	}
	return MHD_NO;
}

/* ---- its reply ---- */

/* These are the library's to set, by how the body goes out. */
static bool is_framing(struct str name) {
	return str_is(name, "content-length") || str_is(name, "transfer-encoding") || str_is(name, "connection");
}

static enum err add_headers(struct http1_request *r, const struct http_reply *reply) {
	for (size_t i = 0; i < reply->header_count; i++) {
		const struct http_header *h = &reply->headers[i];
		if (is_framing(h->name)) continue;
		char *name = str_c(&r->x.arena, h->name), *value = str_c(&r->x.arena, h->value);
		if (!name || !value) return ERR_NOMEM;
		if (MHD_add_response_header(r->response, name, value) != MHD_YES) return ERR_INVALID;
	}
	return OK;
}

/* Called for the next bytes of an open or large reply. */
static ssize_t read_open(void *cls, uint64_t at, char *to, size_t max) {
	(void)at;
	struct http1_request *r = cls;
	r->server->moved++;
	size_t left = r->out.n - r->out_at, n = left < max ? left : max;
	if (r->abort || r->server->closing) return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0 && r->last) return MHD_CONTENT_READER_END_OF_STREAM;
	if (n == 0) {
		turn(r, TURN_OURS);
		hold(r);
		return 0;
	}
	memcpy(to, r->out.p + r->out_at, n);
	r->out_at += n;
	if (r->out_at == r->out.n) r->out.n = r->out_at = 0;
	if (r->connection->turn != TURN_PEER_READS) turn(r, TURN_PEER_READS);
	pace_bytes(&r->connection->pace, now(r), n);
	return (ssize_t)n;
}

static enum err make_response(struct http1_request *r, const struct http_reply *reply) {
	/* A large one is read from us as the peer takes it, so that his progress is seen. */
	bool large = !reply->open && reply->body.n > LARGE_REPLY;
	r->response = reply->open ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, OPEN_BLOCK, read_open, r, NULL)
	              : large     ? MHD_create_response_from_callback(reply->body.n, OPEN_BLOCK, read_open, r, NULL)
	                          : MHD_create_response_from_buffer(reply->body.n, (void *)(uintptr_t)reply->body.p,
	                                                            MHD_RESPMEM_MUST_COPY);
	if (!r->response) return ERR_NOMEM;
	if (reply->open || large) buf_str(&r->out, reply->body);
	r->last = large;
	enum err e = r->out.err ? r->out.err : add_headers(r, reply);
	if (!e) return OK;
	MHD_destroy_response(r->response);
	r->response = NULL;
	buf_clear(&r->out); /* another try begins anew */
	return e;
}

static enum err write_early(struct http1_request *r, const struct http_reply *reply, struct buf *b) {
	buf_printf(b, "HTTP/1.1 %d %s\r\n", reply->status, MHD_get_reason_phrase_for((unsigned int)reply->status));
	for (size_t i = 0; i < reply->header_count; i++) {
		const struct http_header *h = &reply->headers[i];
		if (!is_framing(h->name)) buf_printf(b, STR_FMT ": " STR_FMT "\r\n", STR_ARG(h->name), STR_ARG(h->value));
	}
	buf_printf(b, "Content-Length: %zu\r\nConnection: close\r\n\r\n", reply->body.n);
	buf_str(b, reply->body);
	if (b->err) return b->err;
	/* Nothing else is under way to this peer: the replies before it are sent, and its own is this. */
	ssize_t n = send(r->connection->fd, b->p, b->n, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n == (ssize_t)b->n ? OK : ERR_CLOSED;
}

/* The library takes a reply only before the first byte of a body or after its last. So one that comes in
 * between is written beside it; our half is closed and the rest of the body thrown away, since closing
 * with unread bytes would reset the connection before the peer has read the answer. */
static enum err reply_early(struct http1_request *r, const struct http_reply *reply) {
	struct buf b;
	buf_init(&b, 2 * EARLY_REPLY_MAX);
	enum err e = write_early(r, reply, &b);
	buf_done(&b);
	shutdown(r->connection->fd, e ? SHUT_RDWR : SHUT_WR);
	MHD_destroy_response(r->response);
	r->response = NULL;
	return e;
}

static bool is_early(const struct http1_request *r, const struct http_reply *reply) {
	if (r->state != REQUEST_HELD && r->state != REQUEST_BODY) return false;
	if (reply->open || reply->body.n > EARLY_REPLY_MAX) return false;
	return r->length < 0 || r->expect || r->length - r->received > DISCARD_MAX;
}

enum err http1_reply(struct http1_request *r, const struct http_reply *reply) {
	if (r->replied || reply->status < 200 || reply->status > 599) return ERR_INVALID;
	if (!r->connection) return ERR_CLOSED; /* FAILED waits to be polled */
	enum err e = make_response(r, reply);
	if (e) return e;
	r->status = (unsigned int)reply->status;
	r->open = reply->open;
	r->replied = true;
	r->discard = true;
	inbox_mute(&r->server->inbox, &r->x);
	if (is_early(r, reply)) e = reply_early(r, reply);
	http1_resume(r);
	return e;
}

enum err http1_send(struct http1_request *r, struct str bytes, bool last) {
	if (!r->open || r->last || !r->connection) return ERR_CLOSED;
	if (r->out.n - r->out_at > OPEN_MAX) return ERR_AGAIN;
	if (r->out_at > OPEN_MAX) { /* what was sent makes room */
		memmove(r->out.p, r->out.p + r->out_at, r->out.n - r->out_at);
		r->out.n -= r->out_at;
		r->out_at = 0;
	}
	buf_str(&r->out, bytes);
	if (r->out.err) return r->out.err;
	r->last = last;
	if (r->state == REQUEST_REPLY) http1_resume(r);
	return OK;
}
