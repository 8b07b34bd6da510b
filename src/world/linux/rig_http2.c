#include "world/linux/rig_http2.h"

#include <stdlib.h>
#include <sys/socket.h>

static struct answer *of(struct h2 *h, int32_t stream) {
	return &h->answers[(stream - 1) / 2];
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags, void *arg) {
	(void)session, (void)flags;
	struct h2 *h = arg;
	struct t *t = h->rig->t;
	struct answer *a = of(h, frame->hd.stream_id);
	struct http_header copy = {
		.name = str_copy(t->arena, (struct str){ (const char *)name, name_size }),
		.value = str_copy(t->arena, (struct str){ (const char *)value, value_size }),
	};
	if (str_is(copy.name, ":status")) {
		a->status = atoi(str_c(t->arena, copy.value));
	} else if (h->trailing[a - h->answers]) {
		a->trailers[a->trailer_count++] = copy;
	} else {
		if (!a->head.headers) a->head.headers = arena_array(t->arena, struct http_header, HTTP_HEADERS_MAX);
		((struct http_header *)(uintptr_t)a->head.headers)[a->head.header_count++] = copy;
	}
	return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
	(void)session;
	struct h2 *h = arg;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		h->goaway = true;
		h->goaway_code = frame->goaway.error_code;
	}
	if (frame->hd.type == NGHTTP2_HEADERS) h->trailing[(frame->hd.stream_id - 1) / 2] = true;
	if (frame->hd.stream_id && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
	    (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
		of(h, frame->hd.stream_id)->done = true;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *arg) {
	(void)session, (void)flags;
	buf_add(&of(arg, stream)->body, p, n);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *arg) {
	(void)session;
	struct h2 *h = arg;
	struct answer *a = of(h, stream);
	h->reset_code[a - h->answers] = code;
	if (!a->done) a->failed = true;
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t max, uint32_t *flags,
                         nghttp2_data_source *source, void *arg) {
	(void)session, (void)stream, (void)arg;
	struct h2_body *b = source->ptr;
	size_t left = b->bytes.n - b->at, n = left < max ? left : max;
	if (n) memcpy(to, b->bytes.p + b->at, n);
	b->at += n;
	if (b->at < b->bytes.n) return (ssize_t)n;
	if (!b->hold) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	} else if (n == 0) {
		b->waits = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)n;
}

void h2_open(struct h2 *h, struct rig *r, int port) {
	struct t *t = r->t;
	nghttp2_session_callbacks *c;
	*h = (struct h2){ .rig = r };
	EXPECT(nghttp2_session_callbacks_new(&c) == 0);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	EXPECT(nghttp2_session_client_new(&h->session, c, h) == 0);
	nghttp2_session_callbacks_del(c);
	EXPECT(nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
	EXPECT(nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, 16 << 20) == 0);
	peer_open(r, &h->peer, port);
}

void h2_close(struct h2 *h) {
	nghttp2_session_del(h->session);
	peer_close(&h->peer);
	for (size_t i = 0; i < H2_STREAMS; i++) answer_done(&h->answers[i]);
}

static nghttp2_nv nv(struct str name, struct str value) {
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n, value.n,
		                 NGHTTP2_NV_FLAG_NONE };
}

struct answer *h2_ask(struct h2 *h, const char *method, const char *path, const struct http_header *headers,
                      size_t count, const struct h2_body *body) {
	struct t *t = h->rig->t;
	nghttp2_nv all[128] = {
		nv(STR(":method"), str_of(method)),
		nv(STR(":path"), str_of(path)),
		nv(STR(":scheme"), STR("http")),
		nv(STR(":authority"), STR("here")),
	};
	EXPECT(count <= 124);
	for (size_t i = 0; i < count; i++) all[4 + i] = nv(headers[i].name, headers[i].value);
	size_t at = (nghttp2_session_get_next_stream_id(h->session) - 1) / 2;
	EXPECT(at < H2_STREAMS);
	if (body) h->bodies[at] = *body;
	nghttp2_data_provider provider = { .source.ptr = &h->bodies[at], .read_callback = read_body };
	int32_t stream = nghttp2_submit_request(h->session, NULL, all, 4 + count, body ? &provider : NULL, NULL);
	EXPECT(stream > 0);
	struct answer *a = of(h, stream);
	a->id = (uint64_t)stream;
	return a;
}

void h2_more(struct h2 *h, struct answer *a, struct str bytes, bool hold) {
	struct h2_body *b = &h->bodies[a - h->answers];
	*b = (struct h2_body){ .bytes = bytes, .hold = hold, .waits = b->waits };
	if (b->waits) nghttp2_session_resume_data(h->session, (int32_t)a->id);
	b->waits = false;
}

void h2_reset(struct h2 *h, struct answer *a, uint32_t code) {
	nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, (int32_t)a->id, code);
}

uint32_t h2_code(struct h2 *h, const struct answer *a) {
	return h->reset_code[a - h->answers];
}

void h2_turn(struct h2 *h) {
	const uint8_t *p;
	/* A little at a time, so that a peer who is not read does not make us wait. */
	for (ssize_t n; (n = nghttp2_session_mem_send(h->session, &p)) > 0;) {
		if (!peer_send(h->rig, &h->peer, (struct str){ (const char *)p, (size_t)n })) break;
	}
	rig_turn(h->rig);
	if (h->deaf) return;
	peer_read(&h->peer);
	if (h->peer.got.n) (void)nghttp2_session_mem_recv(h->session, (uint8_t *)h->peer.got.p, h->peer.got.n);
	buf_clear(&h->peer.got);
}
