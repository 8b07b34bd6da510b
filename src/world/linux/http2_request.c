#include "world/linux/http2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX ((size_t)1 << 20) /* of an open reply, not sent yet */

static struct mono now(const struct http2_connection *c) {
	return clock_mono(loop_clock(c->server->loop));
}

static struct http2_request *of(nghttp2_session *session, int32_t stream) {
	return nghttp2_session_get_stream_user_data(session, stream);
}

static struct inbox *inbox_of(struct http2_request *r) {
	return &r->server->inbox;
}

/* ---- its birth and its end ---- */

static void request_free(struct exchange *x) {
	struct http2_request *r = container_of(x, struct http2_request, x);
	buf_done(&r->out);
	free(r);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
	struct http2_connection *c = arg;
	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
	struct http2_request *r = calloc(1, sizeof *r);
	if (!r || inbox_add(&c->server->inbox, &r->x, request_free) != OK) {
		free(r);
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
	}
	r->server = c->server;
	r->connection = c;
	r->stream = frame->hd.stream_id;
	r->x.begin = (struct http_event){ .kind = HTTP_REQUEST, .http2 = true };
	buf_init(&r->out, 0);
	pace_start(&r->pace, now(c));
	list_push(&c->requests, &r->node);
	return nghttp2_session_set_stream_user_data(session, r->stream, r);
}

void http2_lost(struct http2_request *r, enum err e, const char *why) {
	/* What was not polled goes back to the connection's window, or that would shrink for ever. */
	nghttp2_session_consume_connection(r->connection->session, r->x.body.n);
	r->connection = NULL;
	list_remove(&r->node);
	if (r->replied && (!r->open || r->last))
		inbox_drop(inbox_of(r), &r->x);
	else
		inbox_fail(inbox_of(r), &r->x, e, why);
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg) {
	struct http2_connection *c = arg;
	struct http2_request *r = of(session, stream);
	if (code != NGHTTP2_NO_ERROR) http2_was_cut(c);
	if (!r) return 0;
	http2_lost(r, ERR_CLOSED, code == NGHTTP2_NO_ERROR ? "the stream was closed" : "the peer reset the stream");
	if (list_empty(&c->requests)) c->idle_since = now(c);
	return 0;
}

/* For a stream that was refused before it had a request: too many at a time, malformed. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg) {
	(void)session, (void)frame, (void)code;
	http2_was_cut(arg);
	return 0;
}

/* ---- its headers ---- */

static void take_pseudo(struct http2_request *r, struct str name, struct str value) {
	struct http_event *e = &r->x.begin;
	if (str_is(name, ":method")) e->method = exchange_copy(&r->x, value);
	if (str_is(name, ":path") && value.n <= HTTP_HEADER_BYTES_MAX) e->target = exchange_copy(&r->x, value);
	if (str_is(name, ":authority") && !exchange_header(&r->x, &r->x.headers, STR("host"), value)) r->too_large = true;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags, void *arg) {
	(void)flags, (void)arg;
	struct http2_request *r = of(session, frame->hd.stream_id);
	if (!r || r->too_large) return 0;
	struct str n = { (const char *)name, name_size }, v = { (const char *)value, value_size };
	bool first = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
	if (n.n && n.p[0] == ':') {
		take_pseudo(r, n, v);
	} else if (!exchange_header(&r->x, first ? &r->x.headers : &r->x.trailers, n, v)) {
		r->too_large = true;
	}
	return 0;
}

static void refuse(struct http2_request *r) {
	const struct http_reply reply = { .status = 431, .body = STR("too many or too large headers\n") };
	if (http2_reply(r, &reply) != OK)
		nghttp2_submit_rst_stream(r->connection->session, NGHTTP2_FLAG_NONE, r->stream, NGHTTP2_INTERNAL_ERROR);
}

static void headers_complete(struct http2_request *r) {
	struct http_event *e = &r->x.begin;
	e->peer = exchange_copy(&r->x, str_of(r->connection->peer));
	/* CONNECT has no path; nobody here speaks it. */
	if (r->too_large || !e->method.p || !e->target.p || !e->peer.p)
		refuse(r);
	else
		inbox_head(inbox_of(r), &r->x);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
	(void)arg;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
	struct http2_request *r = of(session, frame->hd.stream_id);
	if (!r) return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) headers_complete(r);
	if (frame->hd.type == NGHTTP2_HEADERS && r->too_large && !r->replied) refuse(r); /* by its trailers */
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
	r->whole = true;
	if (!r->replied) inbox_end(inbox_of(r), &r->x);
	return 0;
}

/* ---- its body ---- */

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *arg) {
	(void)flags;
	struct http2_connection *c = arg;
	struct http2_request *r = of(session, stream);
	if (!r || r->replied) { /* thrown away */
		http2_dirty(c);
		return nghttp2_session_consume(session, stream, n);
	}
	pace_bytes(&r->pace, now(c), n);
	/* The window is smaller than the room, so more would have been refused before it came here. */
	if (n > exchange_room(&r->x) || inbox_body(inbox_of(r), &r->x, (struct str){ (const char *)p, n }) != OK)
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_INTERNAL_ERROR);
	if (!r->paused.ns) r->paused = now(c);
	return 0;
}

void http2_taken(struct http2_request *r, size_t n) {
	struct http2_connection *c = r->connection;
	if (!c || n == 0) return;
	nghttp2_session_consume(c->session, r->stream, n);
	if (r->paused.ns) pace_excuse(&r->pace, r->paused, now(c));
	r->paused = (struct mono){ 0 };
	http2_dirty(c);
}

/* ---- its reply ---- */

static void finish(struct http2_request *r, nghttp2_session *session, uint32_t *flags) {
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (!r->trailer_count) return;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	nghttp2_submit_trailer(session, r->stream, r->trailers, r->trailer_count);
}

static ssize_t read_reply(nghttp2_session *session, int32_t stream, uint8_t *to, size_t max, uint32_t *flags,
                          nghttp2_data_source *source, void *arg) {
	(void)stream;
	struct http2_request *r = source->ptr;
	size_t left = r->out.n - r->out_at, n = left < max ? left : max;
	if (n) memcpy(to, r->out.p + r->out_at, n);
	r->out_at += n;
	if (r->out_at == r->out.n) r->out.n = r->out_at = 0;
	pace_bytes(&r->pace, now(arg), n);
	if (r->out.n == 0 && (!r->open || r->last)) {
		finish(r, session, flags);
	} else if (n == 0) {
		r->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

/* A reply that ends before its request: the stream is given back without error (RFC 9113, 8.1), so that
 * the peer stops sending and still reads the answer. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
	(void)arg;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
	if (nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) != 0) return 0;
	return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
}

/* Of the connection, not of a message (RFC 9113, 8.2.2); the length is ours to say. */
static bool is_framing(struct str name) {
	return str_is(name, "content-length") || str_is(name, "transfer-encoding") || str_is(name, "connection") ||
	       str_is(name, "keep-alive") || str_is(name, "upgrade");
}

/* A block of name and value pairs in the request's arena; ERR_INVALID: a byte that HTTP does not allow. */
struct block {
	nghttp2_nv *at;
	size_t count;
};

static enum err block_add(struct http2_request *r, struct block *b, struct str name, struct str value) {
	char *n = arena_copy(&r->x.arena, name.p, name.n), *v = arena_copy(&r->x.arena, value.p, value.n);
	if (!n || !v) return ERR_NOMEM;
	for (size_t i = 0; i < name.n; i++) {
		if (n[i] >= 'A' && n[i] <= 'Z') n[i] = (char)(n[i] - 'A' + 'a');
	}
	if (n[0] != ':' && !nghttp2_check_header_name((uint8_t *)n, name.n)) return ERR_INVALID;
	if (!nghttp2_check_header_value_rfc9113((uint8_t *)v, value.n)) return ERR_INVALID;
	b->at[b->count++] = (nghttp2_nv){ (uint8_t *)n, (uint8_t *)v, name.n, value.n, NGHTTP2_NV_FLAG_NONE };
	return OK;
}

static enum err block_open(struct http2_request *r, struct block *b, size_t room) {
	*b = (struct block){ .at = arena_array(&r->x.arena, nghttp2_nv, room) };
	return b->at ? OK : ERR_NOMEM;
}

static enum err block_headers(struct http2_request *r, struct block *b, const struct http_header *h, size_t count) {
	enum err e = OK;
	for (size_t i = 0; !e && i < count; i++) {
		if (!is_framing(h[i].name)) e = block_add(r, b, h[i].name, h[i].value);
	}
	return e;
}

static enum err make_head(struct http2_request *r, const struct http_reply *reply, struct block *b) {
	char text[32];
	snprintf(text, sizeof text, "%d", reply->status);
	enum err e = block_open(r, b, reply->header_count + 2);
	if (!e) e = block_add(r, b, STR(":status"), str_of(text));
	if (!e) e = block_headers(r, b, reply->headers, reply->header_count);
	bool sized = !reply->open && !reply->trailer_count && reply->status != 204 && reply->status != 304;
	snprintf(text, sizeof text, "%zu", reply->body.n);
	if (!e && sized) e = block_add(r, b, STR("content-length"), str_of(text));
	return e;
}

static enum err make_trailers(struct http2_request *r, const struct http_reply *reply) {
	if (reply->open || !reply->trailer_count) return OK;
	struct block b;
	enum err e = block_open(r, &b, reply->trailer_count);
	if (!e) e = block_headers(r, &b, reply->trailers, reply->trailer_count);
	if (e) return e;
	r->trailers = b.at;
	r->trailer_count = b.count;
	return OK;
}

enum err http2_reply(struct http2_request *r, const struct http_reply *reply) {
	struct http2_connection *c = r->connection;
	if (!c) return ERR_CLOSED; /* FAILED waits to be polled */
	if (r->replied || reply->status < 200 || reply->status > 599) return ERR_INVALID;
	struct block head;
	enum err e = make_head(r, reply, &head);
	if (!e) e = make_trailers(r, reply);
	bool bodiless = str_is(r->x.begin.method, "HEAD") || reply->status == 204 || reply->status == 304;
	if (!e && !bodiless) buf_str(&r->out, reply->body);
	if (!e) e = r->out.err;
	if (e) {
		buf_clear(&r->out); /* another try begins anew */
		return e;
	}

	nghttp2_data_provider provider = { .source.ptr = r, .read_callback = read_reply };
	bool any = (reply->open && !bodiless) || r->out.n || r->trailer_count;
	int failed = nghttp2_submit_response(c->session, r->stream, head.at, head.count, any ? &provider : NULL);
	if (failed) return failed == NGHTTP2_ERR_NOMEM ? ERR_NOMEM : ERR_CLOSED;
	http2_taken(r, r->x.body.n);
	inbox_mute(inbox_of(r), &r->x);
	r->open = reply->open && !bodiless;
	r->replied = true;
	pace_start(&r->pace, now(c));
	http2_dirty(c);
	return OK;
}

enum err http2_send(struct http2_request *r, struct str bytes, bool last) {
	if (!r->connection || !r->open || r->last) return ERR_CLOSED;
	if (r->out.n - r->out_at > OPEN_MAX) return ERR_AGAIN;
	if (r->out_at > OPEN_MAX) { /* what was sent makes room */
		memmove(r->out.p, r->out.p + r->out_at, r->out.n - r->out_at);
		r->out.n -= r->out_at;
		r->out_at = 0;
	}
	buf_str(&r->out, bytes);
	if (r->out.err) return r->out.err;
	r->last = last;
	if (r->deferred && (bytes.n || last)) {
		r->deferred = false;
		pace_start(&r->pace, now(r->connection));
		nghttp2_session_resume_data(r->connection->session, r->stream);
		http2_dirty(r->connection);
	}
	return OK;
}

void http2_register(nghttp2_session_callbacks *c) {
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
}
