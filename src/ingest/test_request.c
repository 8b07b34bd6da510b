#include "ingest/test_request.h"

#include <assert.h>
#include <string.h>

#include "ingest/wire.h"

void request_init(struct request_out *o) {
	memset(o, 0, sizeof *o);
}

void request_done(struct request_out *o) {
	for (int i = 0; i < REQUEST_DEPTH; i++) buf_done(&o->level[i]);
}

struct str request_bytes(const struct request_out *o) {
	assert(o->depth == 0 && !o->level[0].err);
	return buf_get(&o->level[0]);
}

static struct buf *top(struct request_out *o) {
	return &o->level[o->depth];
}

void request_begin(struct request_out *o, uint32_t number) {
	assert(o->depth + 1 < REQUEST_DEPTH);
	o->number[++o->depth] = number;
	buf_clear(top(o));
}

void request_end(struct request_out *o) {
	struct buf *inner = top(o);
	uint32_t number = o->number[o->depth--];
	wire_put_bytes(top(o), number, buf_get(inner));
}

void request_text(struct request_out *o, uint32_t number, struct str s) {
	wire_put_bytes(top(o), number, s);
}

void request_varint(struct request_out *o, uint32_t number, uint64_t v) {
	wire_put_varint(top(o), number, v);
}

void request_fixed64(struct request_out *o, uint32_t number, uint64_t v) {
	wire_put_fixed64(top(o), number, v);
}

void request_fixed32(struct request_out *o, uint32_t number, uint32_t v) {
	struct buf *b = top(o);
	for (uint64_t tag = (uint64_t)number << 3 | WIRE_FIXED32; tag; tag >>= 7) {
		buf_byte(b, (unsigned char)((tag & 0x7f) | (tag > 0x7f ? 0x80 : 0)));
	}
	for (unsigned i = 0; i < 4; i++) buf_byte(b, (unsigned char)(v >> (8 * i)));
}

void request_double(struct request_out *o, uint32_t number, double v) {
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	request_fixed64(o, number, bits);
}

void request_attr(struct request_out *o, uint32_t number, struct str key, struct str value) {
	request_begin(o, number);
	request_text(o, 1, key);
	request_begin(o, 2);
	request_text(o, 1, value);
	request_end(o);
	request_end(o);
}

/* ---- a sample ---- */

static void sample_point(struct request_out *o, int n) {
	static const char *const methods[] = { "GET", "POST", "PUT", "DELETE" };
	char route[64];
	struct buf b;
	buf_init(&b, 0);
	buf_printf(&b, "/api/v1/items/%d/details", n);
	memcpy(route, b.p, b.n);
	struct str r = { route, b.n };
	buf_done(&b);

	request_begin(o, 1);
	request_fixed64(o, 2, UINT64_C(1767607200000000000));
	request_fixed64(o, 3, UINT64_C(1767607260000000000) + (uint64_t)n);
	request_double(o, 4, n * 1.25);
	request_attr(o, 7, STR("http.request.method"), str_of(methods[n % 4]));
	request_attr(o, 7, STR("http.response.status_code"), n % 7 ? STR("200") : STR("503"));
	request_attr(o, 7, STR("http.route"), r);
	request_attr(o, 7, STR("server.address"), STR("cart.shop.svc.cluster.local"));
	request_end(o);
}

static void sample_resource(struct request_out *o) {
	request_begin(o, 1);
	request_attr(o, 1, STR("service.name"), STR("cart"));
	request_attr(o, 1, STR("service.namespace"), STR("shop"));
	request_attr(o, 1, STR("service.version"), STR("1.42.0"));
	request_attr(o, 1, STR("host.name"), STR("node-17"));
	request_attr(o, 1, STR("k8s.pod.name"), STR("cart-7d9f8c6b5-x2x7q"));
	request_attr(o, 1, STR("k8s.pod.uid"), STR("5f0c9a1e-0000-4000-8000-000000000001"));
	request_attr(o, 1, STR("k8s.deployment.name"), STR("cart"));
	request_attr(o, 1, STR("telemetry.sdk.language"), STR("go"));
	request_end(o);
}

static void sample_metric(struct request_out *o, int number, int first, int points) {
	char name[] = "http.server.active_requests.00";
	name[sizeof name - 3] = (char)('0' + number / 10 % 10);
	name[sizeof name - 2] = (char)('0' + number % 10);
	request_begin(o, 2);
	request_text(o, 1, str_of(name));
	request_text(o, 2, STR("Number of active HTTP server requests."));
	request_text(o, 3, STR("{request}"));
	request_begin(o, 7);
	for (int i = 0; i < points; i++) sample_point(o, first + i);
	request_varint(o, 2, 2);
	request_varint(o, 3, 1);
	request_end(o);
	request_end(o);
}

void request_metrics_sample(struct request_out *o, int points) {
	int each = points / 20 > 0 ? points / 20 : 1;
	request_begin(o, 1);
	sample_resource(o);
	request_begin(o, 2);
	request_begin(o, 1);
	request_text(o, 1, STR("io.opentelemetry.http"));
	request_end(o);
	for (int first = 0; first < points; first += each) sample_metric(o, first / each, first, each);
	request_end(o);
	request_end(o);
}
