#include "feed.h"

#include "ingest/test_request.h"

#include <stdlib.h>
#include <zlib.h>

static void resource(struct request_out *o, const char *service) {
	char uid[64], pod[64];
	snprintf(uid, sizeof uid, "uid-of-%s", service);
	snprintf(pod, sizeof pod, "%s-0", service);
	request_begin(o, 1);
	request_attr(o, 1, STR("service.name"), str_of(service));
	request_attr(o, 1, STR("k8s.namespace.name"), STR("shop"));
	request_attr(o, 1, STR("k8s.deployment.name"), str_of(service));
	request_attr(o, 1, STR("k8s.pod.name"), str_of(pod));
	request_attr(o, 1, STR("k8s.pod.uid"), str_of(uid));
	request_end(o);
}

static struct str finish(struct t *t, struct request_out *o) {
	struct str bytes = str_copy(t->arena, request_bytes(o));
	request_done(o);
	return bytes;
}

static struct str id(struct t *t, size_t n) {
	char *p = arena_take(t->arena, n, 1);
	for (size_t i = 0; i < n; i++) p[i] = (char)(rng_next(&t->rng) | 1);
	return (struct str){ p, n };
}

struct str feed_spans(struct t *t, const char *service, int n, int failed) {
	struct request_out o;
	uint64_t now = (uint64_t)rig_wall_ns();
	request_init(&o);
	request_begin(&o, 1);
	resource(&o, service);
	request_begin(&o, 2);
	for (int i = 0; i < n; i++) {
		request_begin(&o, 2);
		request_text(&o, 1, id(t, 16));
		request_text(&o, 2, id(t, 8));
		request_text(&o, 5, STR("GET /"));
		request_varint(&o, 6, 2);
		request_fixed64(&o, 7, now - 20000000);
		request_fixed64(&o, 8, now);
		request_attr(&o, 9, STR("http.response.status_code"), i < failed ? STR("500") : STR("200"));
		request_end(&o);
	}
	request_end(&o);
	request_end(&o);
	return finish(t, &o);
}

struct str feed_logs(struct t *t, const char *service, int n) {
	struct request_out o;
	request_init(&o);
	request_begin(&o, 1);
	resource(&o, service);
	request_begin(&o, 2);
	for (int i = 0; i < n; i++) {
		request_begin(&o, 2);
		request_fixed64(&o, 1, (uint64_t)rig_wall_ns());
		request_varint(&o, 2, 9);
		request_begin(&o, 5);
		request_text(&o, 1, STR("order taken"));
		request_end(&o);
		request_end(&o);
	}
	request_end(&o);
	request_end(&o);
	return finish(t, &o);
}

static void gauge(struct request_out *o, uint64_t at, double value, int which) {
	char name[16];
	request_begin(o, 1);
	request_fixed64(o, 3, at);
	request_double(o, 4, value);
	snprintf(name, sizeof name, "%d", which);
	if (which >= 0) request_attr(o, 7, STR("which"), str_of(name));
	request_end(o);
}

struct str feed_gauges(struct t *t, const char *service, int n) {
	struct request_out o;
	request_init(&o);
	request_begin(&o, 1);
	resource(&o, service);
	request_begin(&o, 2);
	request_begin(&o, 2);
	request_text(&o, 1, STR("shop.queue.length"));
	request_begin(&o, 5);
	for (int i = 0; i < n; i++) gauge(&o, (uint64_t)rig_wall_ns(), i, i);
	request_end(&o);
	request_end(&o);
	request_end(&o);
	request_end(&o);
	return finish(t, &o);
}

/* ---- compression ---- */

struct str feed_gzip(struct t *t, struct str bytes) {
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)bytes.p, .avail_in = (uInt)bytes.n };
	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) FAIL("out of memory");
	size_t room = deflateBound(&z, bytes.n);
	char *out = arena_take(t->arena, room, 1);
	z.next_out = (unsigned char *)out;
	z.avail_out = (uInt)room;
	EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
	size_t n = z.total_out;
	deflateEnd(&z);
	return (struct str){ out, n };
}

struct str feed_bomb(struct t *t, size_t n) {
	static const unsigned char zeros[65536];
	struct buf b;
	unsigned char piece[16384];
	z_stream z = { 0 };
	buf_init(&b, 0);
	if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) FAIL("out of memory");
	for (bool last = false; !last;) {
		size_t some = n < sizeof zeros ? n : sizeof zeros;
		n -= some;
		last = n == 0;
		z.next_in = (unsigned char *)(uintptr_t)zeros;
		z.avail_in = (uInt)some;
		do {
			z.next_out = piece;
			z.avail_out = sizeof piece;
			deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
			buf_add(&b, piece, sizeof piece - z.avail_out);
		} while (z.avail_out == 0);
	}
	deflateEnd(&z);
	struct str bytes = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return bytes;
}
