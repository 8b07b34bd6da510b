/* Paths, methods, media types and codings: tables. */
#include "ingest/ingest_in.h"

/* JSON is one more line here, with its reader beside otlp_decode. */
static const char *const media_types[] = { "application/x-protobuf" };

static const struct {
	const char *path[PROTOCOLS];
	enum otlp_signal signal;
} paths[] = {
	{ { "/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" }, OTLP_METRICS },
	{ { "/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export" }, OTLP_LOGS },
	{ { "/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export" }, OTLP_TRACES },
};

static bool same(struct str a, const char *b) {
	size_t i = 0;
	for (; i < a.n && b[i]; i++) {
		char c = a.p[i] >= 'A' && a.p[i] <= 'Z' ? (char)(a.p[i] - 'A' + 'a') : a.p[i];
		if (c != b[i]) return false;
	}
	return i == a.n && !b[i];
}

static bool path_of(struct str target, bool grpc, enum otlp_signal *out) {
	struct str path, query;
	str_cut(target, '?', &path, &query);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (!str_is(path, paths[i].path[grpc])) continue;
		*out = paths[i].signal;
		return true;
	}
	return false;
}

/* "application/x-protobuf; charset=..." */
static bool media_known(const struct http_event *e, bool grpc) {
	struct str type, rest;
	str_cut(http_header(e, "content-type"), ';', &type, &rest);
	type = str_trim(type);
	if (grpc) return same(type, "application/grpc") || same(type, "application/grpc+proto");
	for (size_t i = 0; i < sizeof media_types / sizeof *media_types; i++) {
		if (same(type, media_types[i])) return true;
	}
	return false;
}

static bool coding_of(struct str name, enum body_coding *out) {
	name = str_trim(name);
	*out = same(name, "gzip") || same(name, "x-gzip") ? BODY_GZIP : BODY_PLAIN;
	return *out == BODY_GZIP || name.n == 0 || same(name, "identity") || same(name, "none");
}

uint64_t route_length(const struct http_event *e) {
	int64_t n;
	return str_int(http_header(e, "content-length"), &n) && n > 0 ? (uint64_t)n : 0;
}

bool route_of(const struct http_event *e, bool grpc, struct route *out, int *signal, enum refusal *r, struct why *why) {
	struct str coding = http_header(e, grpc ? "grpc-encoding" : "content-encoding");
	*signal = SIGNAL_NONE;
	if (grpc && !media_known(e, true)) {
		why_set(why, ERR_UNSUPPORTED, "this port takes gRPC (content-type application/grpc)");
		*r = REFUSE_MEDIA;
	} else if (!path_of(e->target, grpc, &out->signal)) {
		why_set(why, ERR_NOT_FOUND, "telemetry is not taken there; the paths are %s, %s and %s", paths[0].path[grpc],
		        paths[1].path[grpc], paths[2].path[grpc]);
		*r = REFUSE_NOT_FOUND;
	} else if (*signal = (int)out->signal, !str_is(e->method, "POST")) {
		why_set(why, ERR_UNSUPPORTED, "telemetry is sent by POST");
		*r = REFUSE_METHOD;
	} else if (!media_known(e, grpc)) {
		why_set(why, ERR_UNSUPPORTED, "content-type is not taken; send %s (JSON is not taken yet)", media_types[0]);
		*r = REFUSE_MEDIA;
	} else if (!coding_of(coding, &out->coding)) {
		why_set(why, ERR_UNSUPPORTED, "coding is not taken; send gzip or none");
		*r = REFUSE_CODING;
	} else {
		return true;
	}
	return false;
}
