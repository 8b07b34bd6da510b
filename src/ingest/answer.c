#include "ingest/answer.h"

#include <stdio.h>

#include "ingest/wire.h"

#define MESSAGE_MAX 1024 /* bytes of a sentence in a header */

static const struct {
	const char *name;
	int http, grpc;
} refusals[] = {
#define X(name, label, http, grpc) { label, http, grpc },
	REFUSAL_TABLE(X)
#undef X
};

const char *refusal_name(enum refusal r) {
	return refusals[r].name;
}

/* ---- messages ---- */

void answer_response(struct buf *out, int64_t rejected, struct str message) {
	if (!rejected && !message.n) return; /* partial_success must be unset on full success */
	struct buf partial;
	buf_init(&partial, 0);
	if (rejected) wire_put_varint(&partial, 1, (uint64_t)rejected);
	if (message.n) wire_put_bytes(&partial, 2, message);
	wire_put_bytes(out, 1, buf_get(&partial));
	if (partial.err && !out->err) out->err = partial.err;
	buf_done(&partial);
}

/* google.protobuf.Any in Status.details. */
static void put_detail(struct buf *out, const char *type, struct buf *value) {
	struct buf any;
	buf_init(&any, 0);
	wire_put_bytes(&any, 1, str_of(type));
	wire_put_bytes(&any, 2, buf_get(value));
	wire_put_bytes(out, 3, buf_get(&any));
	if (any.err && !out->err) out->err = any.err;
	buf_done(&any);
}

/* RetryInfo { Duration retry_delay = 1 { int64 seconds = 1 } } */
static void put_retry_info(struct buf *out) {
	struct buf duration, info;
	buf_init(&duration, 0);
	buf_init(&info, 0);
	wire_put_varint(&duration, 1, RETRY_AFTER_S);
	wire_put_bytes(&info, 1, buf_get(&duration));
	put_detail(out, "type.googleapis.com/google.rpc.RetryInfo", &info);
	buf_done(&info);
	buf_done(&duration);
}

/* BadRequest { repeated FieldViolation field_violations = 1 { field = 1, description = 2 } } */
static void put_bad_request(struct buf *out, struct str message) {
	struct buf violation, bad;
	buf_init(&violation, 0);
	buf_init(&bad, 0);
	wire_put_bytes(&violation, 1, STR("body"));
	wire_put_bytes(&violation, 2, message);
	wire_put_bytes(&bad, 1, buf_get(&violation));
	put_detail(out, "type.googleapis.com/google.rpc.BadRequest", &bad);
	buf_done(&bad);
	buf_done(&violation);
}

/* HTTP's refusals that gRPC has no code of its own for are "invalid argument" in the Status body. */
static uint64_t code_of(enum refusal r) {
	return refusals[r].grpc < 0 ? 3 : (uint64_t)refusals[r].grpc;
}

void answer_status(struct buf *out, enum refusal r, struct str message) {
	wire_put_varint(out, 1, code_of(r));
	wire_put_bytes(out, 2, message);
	if (r == REFUSE_OVERLOADED) put_retry_info(out);
	if (r == REFUSE_MALFORMED) put_bad_request(out, message);
}

void answer_percent(struct buf *out, struct str message) {
	for (size_t i = 0; i < message.n; i++) {
		unsigned char c = (unsigned char)message.p[i];
		if (c < 0x20 || c > 0x7e || c == '%') {
			buf_printf(out, "%%%02X", c);
		} else {
			buf_byte(out, c);
		}
	}
}

/* ---- HTTP ---- */

static enum err http_reply(struct http_server *s, uint64_t id, int status, struct buf *body) {
	char seconds[16];
	snprintf(seconds, sizeof seconds, "%d", RETRY_AFTER_S);
	struct http_header headers[3] = { { STR("content-type"), STR("application/x-protobuf") } };
	size_t n = 1;
	if (status == 503) headers[n++] = (struct http_header){ STR("retry-after"), str_of(seconds) };
	if (status == 405) headers[n++] = (struct http_header){ STR("allow"), STR("POST") };
	if (status == 415) headers[n++] = (struct http_header){ STR("accept-encoding"), STR("gzip, identity") };
	struct http_reply reply = { .status = status, .headers = headers, .header_count = n, .body = buf_get(body) };
	return body->err ? body->err : http_server_reply(s, id, &reply);
}

/* ---- gRPC ---- */

static void prefix(struct buf *out, size_t n) {
	buf_byte(out, 0);
	for (int shift = 24; shift >= 0; shift -= 8) buf_byte(out, (unsigned char)(n >> shift));
}

static enum err grpc_reply(struct http_server *s, uint64_t id, const struct http_header *trailers, size_t n,
                           struct str body) {
	static const struct http_header headers[] = { { STR("content-type"), STR("application/grpc") },
		                                          { STR("grpc-accept-encoding"), STR("identity,gzip") } };
	return http_server_reply(s, id,
	                         &(struct http_reply){ .status = 200,
	                                               .headers = headers,
	                                               .header_count = 2,
	                                               .body = body,
	                                               .trailers = trailers,
	                                               .trailer_count = n });
}

/* Base64 of a header's value goes without its padding. */
static struct str unpadded(struct buf *b) {
	size_t n = b->n;
	while (n && b->p[n - 1] == '=') n--;
	return (struct str){ b->p, n };
}

static enum err grpc_refuse(struct http_server *s, uint64_t id, enum refusal r, struct str message) {
	if (refusals[r].grpc < 0) { return http_server_reply(s, id, &(struct http_reply){ .status = refusals[r].http }); }
	struct buf words, status, details;
	buf_init(&words, 0);
	buf_init(&status, 0);
	buf_init(&details, 0);
	answer_percent(&words, message);
	answer_status(&status, r, message);
	base64_encode(&details, buf_get(&status));
	char code[16];
	snprintf(code, sizeof code, "%d", refusals[r].grpc);
	struct http_header trailers[] = { { STR("grpc-status"), str_of(code) },
		                              { STR("grpc-message"), buf_get(&words) },
		                              { STR("grpc-status-details-bin"), unpadded(&details) } };
	bool has_details = r == REFUSE_OVERLOADED || r == REFUSE_MALFORMED;
	enum err e = words.err ? words.err : status.err ? status.err : details.err;
	if (!e) e = grpc_reply(s, id, trailers, has_details ? 3 : 2, (struct str){ NULL, 0 });
	buf_done(&details);
	buf_done(&status);
	buf_done(&words);
	return e;
}

/* ---- the two ---- */

enum err answer_accept(struct http_server *s, uint64_t id, bool grpc, int64_t rejected, struct str message) {
	static const struct http_header fine[] = { { STR("grpc-status"), STR("0") } };
	struct buf response, framed;
	buf_init(&response, 0);
	buf_init(&framed, 0);
	answer_response(&response, rejected, message);
	enum err e;
	if (grpc) {
		prefix(&framed, response.n);
		buf_str(&framed, buf_get(&response));
		e = response.err ? response.err : framed.err;
		if (!e) e = grpc_reply(s, id, fine, 1, buf_get(&framed));
	} else {
		e = http_reply(s, id, 200, &response);
	}
	buf_done(&framed);
	buf_done(&response);
	return e;
}

enum err answer_refuse(struct http_server *s, uint64_t id, bool grpc, enum refusal r, struct str message) {
	if (message.n > MESSAGE_MAX) message.n = MESSAGE_MAX;
	if (grpc) return grpc_refuse(s, id, r, message);
	struct buf body;
	buf_init(&body, 0);
	answer_status(&body, r, message);
	enum err e = http_reply(s, id, refusals[r].http, &body);
	buf_done(&body);
	return e;
}
