#include "h2.h"

#include <stdlib.h>

#define FRAME_MAX 16384

static void put32(char *p, uint32_t v) {
	for (int i = 0; i < 4; i++) p[i] = (char)(v >> (24 - 8 * i));
}

static uint32_t get32(const char *p) {
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

bool h2_frame(struct h2 *h, uint8_t type, uint8_t flags, uint32_t stream, struct str payload) {
	struct buf b;
	char head[9] = { (char)(payload.n >> 16), (char)(payload.n >> 8), (char)payload.n, (char)type, (char)flags };
	put32(head + 5, stream);
	buf_init(&b, 0);
	buf_add(&b, head, sizeof head);
	buf_str(&b, payload);
	bool sent = line_send(&h->line, buf_get(&b));
	buf_done(&b);
	return sent;
}

struct h2 h2_open(struct t *t, int port) {
	struct h2 h = { .line = line_open(t, port), .next = 1, .window = 65535, .stream_window_first = 65535 };
	if (nghttp2_hd_inflate_new(&h.inflater) != 0) FAIL("out of memory");
	EXPECT(line_send(&h.line, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
	EXPECT(h2_frame(&h, H2_SETTINGS, 0, 0, (struct str){ 0 }));
	return h;
}

void h2_close(struct h2 *h) {
	line_close(&h->line);
	nghttp2_hd_inflate_del(h->inflater);
}

static void put_length(struct buf *out, size_t n) {
	if (n < 127) {
		buf_byte(out, (unsigned char)n);
		return;
	}
	buf_byte(out, 127);
	for (n -= 127; n >= 128; n >>= 7) buf_byte(out, (unsigned char)(n | 128));
	buf_byte(out, (unsigned char)n);
}

void h2_literal(struct buf *out, const char *name, struct str value) {
	buf_byte(out, 0x10); /* never indexed, new name */
	put_length(out, strlen(name));
	buf_c(out, name);
	put_length(out, value.n);
	buf_str(out, value);
}

static void put_lines(struct buf *out, const char *headers) {
	struct str rest = str_of(headers), one, key, value;
	for (bool more = rest.n > 0; more;) {
		char name[80];
		more = str_cut(rest, '\n', &one, &rest);
		if (!one.n) continue;
		(void)str_cut((struct str){ one.p + 1, one.n - 1 }, ':', &key, &value); /* a pseudo header begins with one */
		snprintf(name, sizeof name, "%.*s", (int)key.n + 1, one.p);
		h2_literal(out, name, str_trim(value));
	}
}

uint32_t h2_post(struct h2 *h, const char *path, const char *headers, bool end) {
	struct buf b;
	uint32_t stream = h->next;
	h->next += 2;
	buf_init(&b, 0);
	h2_literal(&b, ":method", STR("POST"));
	h2_literal(&b, ":scheme", STR("http"));
	h2_literal(&b, ":path", str_of(path));
	h2_literal(&b, ":authority", STR("127.0.0.1"));
	put_lines(&b, headers);
	h->stream_window = h->stream_window_first;
	(void)h2_frame(h, H2_HEADERS, (uint8_t)(H2_END_HEADERS | (end ? H2_END_STREAM : 0)), stream, buf_get(&b));
	buf_done(&b);
	return stream;
}

/* ---- reading ---- */

static void settings(struct h2 *h, struct str payload) {
	for (size_t i = 0; i + 6 <= payload.n; i += 6) {
		const unsigned char *p = (const unsigned char *)payload.p + i;
		if ((p[0] << 8 | p[1]) != NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) continue;
		int64_t first = get32(payload.p + i + 2);
		h->stream_window += first - h->stream_window_first; /* tests that care have one stream at a time */
		h->stream_window_first = first;
	}
	(void)h2_frame(h, H2_SETTINGS, H2_ACK, 0, (struct str){ 0 });
}

bool h2_next(struct h2 *h, struct frame *f) {
	if (!line_need(&h->line, 9)) return false;
	const char *p = line_unused(&h->line).p;
	size_t n = get32(p) >> 8;
	*f = (struct frame){ .type = (uint8_t)p[3], .flags = (uint8_t)p[4], .stream = get32(p + 5) & 0x7fffffff };
	if (!line_need(&h->line, 9 + n)) return false;
	f->payload = (struct str){ line_unused(&h->line).p + 9, n };
	h->line.used += 9 + n;
	if (f->type == H2_SETTINGS && !(f->flags & H2_ACK)) settings(h, f->payload);
	if (f->type == H2_PING && !(f->flags & H2_ACK)) (void)h2_frame(h, H2_PING, H2_ACK, 0, f->payload);
	if (f->type == H2_WINDOW && n == 4)
		*(f->stream ? &h->stream_window : &h->window) += get32(f->payload.p) & 0x7fffffff;
	if (f->type == H2_GOAWAY && n >= 8) h->goaway = true, h->goaway_code = get32(f->payload.p + 4);
	return true;
}

static void take_headers(struct h2 *h, struct call *c, struct str block) {
	struct t *t = h->line.t;
	struct buf b;
	const uint8_t *p = (const uint8_t *)block.p;
	size_t left = block.n;
	buf_init(&b, 0);
	buf_str(&b, c->headers);
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, p, left, 1);
		if (n < 0) FAIL("headers cannot be read: %s", nghttp2_strerror((int)n));
		p += n, left -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			buf_printf(&b, "%.*s: %.*s\n", (int)nv.namelen, (const char *)nv.name, (int)nv.valuelen,
			           (const char *)nv.value);
		if (flags & NGHTTP2_HD_INFLATE_FINAL || (n == 0 && !(flags & NGHTTP2_HD_INFLATE_EMIT))) break;
	}
	nghttp2_hd_inflate_end_headers(h->inflater);
	c->headers = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
}

static void take_data(struct h2 *h, struct call *c, struct str bytes) {
	char grant[4];
	struct t *t = h->line.t;
	char *all = arena_take(t->arena, c->body.n + bytes.n + 1, 1);
	if (c->body.n) memcpy(all, c->body.p, c->body.n);
	if (!bytes.n) return;
	memcpy(all + c->body.n, bytes.p, bytes.n);
	c->body = (struct str){ all, c->body.n + bytes.n };
	put32(grant, (uint32_t)bytes.n);
	(void)h2_frame(h, H2_WINDOW, 0, 0, (struct str){ grant, 4 });
}

static void take(struct h2 *h, struct call *c, const struct frame *f) {
	if (f->type == H2_HEADERS) take_headers(h, f->stream == c->stream ? c : &(struct call){ 0 }, f->payload);
	if (f->stream != c->stream) return;
	if (f->type == H2_DATA) take_data(h, c, f->payload);
	if (f->type == H2_RST) c->reset = c->done = true, c->reset_code = get32(f->payload.p);
	if ((f->type == H2_DATA || f->type == H2_HEADERS) && f->flags & H2_END_STREAM) c->done = true;
}

void h2_finish(struct h2 *h, struct call *c) {
	struct frame f;
	while (!c->done && h2_next(h, &f)) take(h, c, &f);
}

bool h2_body(struct h2 *h, struct call *c, struct str bytes, bool end) {
	struct frame f;
	do {
		size_t n = bytes.n < FRAME_MAX ? bytes.n : FRAME_MAX;
		while (!c->done && (h->window < (int64_t)n || h->stream_window < (int64_t)n)) {
			if (!h2_next(h, &f)) return false;
			take(h, c, &f);
		}
		if (c->done) return false;
		h->window -= (int64_t)n, h->stream_window -= (int64_t)n;
		struct str piece = { bytes.p, n };
		bytes.p += n, bytes.n -= n;
		if (!h2_frame(h, H2_DATA, end && !bytes.n ? H2_END_STREAM : 0, c->stream, piece)) return false;
	} while (bytes.n);
	return true;
}

/* ---- gRPC ---- */

struct str grpc_framed(struct t *t, struct str message, bool compressed) {
	char *p = arena_take(t->arena, message.n + 5, 1);
	p[0] = compressed;
	put32(p + 1, (uint32_t)message.n);
	if (message.n) memcpy(p + 5, message.p, message.n);
	return (struct str){ p, message.n + 5 };
}

struct str call_header(const struct call *c, const char *name) {
	struct str rest = c->headers, one, key, value;
	for (bool more = rest.n > 0; more;) {
		more = str_cut(rest, '\n', &one, &rest);
		if (!one.n || !str_cut((struct str){ one.p + 1, one.n - 1 }, ':', &key, &value)) continue;
		if (str_is((struct str){ one.p, key.n + 1 }, name)) return str_trim(value);
	}
	return (struct str){ 0 };
}

int grpc_call(struct h2 *h, const char *path, const char *headers, struct str message, struct call *c) {
	int64_t status = -1;
	*c = (struct call){ .stream = h2_post(h, path, headers, false) };
	(void)h2_body(h, c, message, true);
	h2_finish(h, c);
	return str_int(call_header(c, "grpc-status"), &status) ? (int)status : -1;
}

int grpc_once(struct t *t, int port, const char *path, struct str message) {
	struct h2 h = h2_open(t, port);
	struct call c;
	int status =
		grpc_call(&h, path, "content-type: application/grpc\nte: trailers\n", grpc_framed(t, message, false), &c);
	h2_close(&h);
	return status;
}
