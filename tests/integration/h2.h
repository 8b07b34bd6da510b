/* HTTP/2 frames by hand, and calls of gRPC made of them. Only header compression is the library's. */
#pragma once

#include "line.h"

#include <nghttp2/nghttp2.h>

enum { H2_DATA, H2_HEADERS, H2_PRIORITY, H2_RST, H2_SETTINGS, H2_PUSH, H2_PING, H2_GOAWAY, H2_WINDOW, H2_CONTINUATION };
#define H2_END_STREAM  1
#define H2_ACK         1
#define H2_END_HEADERS 4

struct h2 {
	struct line line;
	nghttp2_hd_inflater *inflater;
	uint32_t next; /* stream */
	int64_t window, stream_window, stream_window_first;
	bool goaway;
	uint32_t goaway_code;
};

struct frame {
	uint8_t type, flags;
	uint32_t stream;
	struct str payload; /* until the next frame is read */
};

struct call {
	uint32_t stream;
	bool done, reset;
	uint32_t reset_code;
	struct str headers; /* "name: value\n" of headers and trailers */
	struct str body;
};

/* Preface and settings. */
struct h2 h2_open(struct t *t, int port);
void h2_close(struct h2 *h);
bool h2_frame(struct h2 *h, uint8_t type, uint8_t flags, uint32_t stream, struct str payload);
/* A block of headers, literally and without an index. */
void h2_literal(struct buf *out, const char *name, struct str value);
/* HEADERS of a POST; `headers`: "name: value\n" more. The stream. */
uint32_t h2_post(struct h2 *h, const char *path, const char *headers, bool end);
/* DATA in frames as the windows allow. False: the other side ended the stream or the connection. */
bool h2_body(struct h2 *h, struct call *c, struct str bytes, bool end);
/* Next frame; what concerns the connection (settings, pings, windows) is seen to. False: the end. */
bool h2_next(struct h2 *h, struct frame *f);
/* Reads until the stream ends. */
void h2_finish(struct h2 *h, struct call *c);
/* A unary call. -1: it ended without a grpc-status. */
int grpc_call(struct h2 *h, const char *path, const char *headers, struct str message, struct call *c);
/* The same on a connection of its own. */
int grpc_once(struct t *t, int port, const char *path, struct str message);
struct str call_header(const struct call *c, const char *name);
/* Five bytes before a message. */
struct str grpc_framed(struct t *t, struct str message, bool compressed);

#define GRPC_METRICS "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
#define GRPC_TRACES  "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define GRPC_LOGS    "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
