/* The door's insides, shared by ingest.c, request.c and route.c; nobody else includes it. */
#pragma once

#include "base/list.h"
#include "ingest/answer.h"
#include "ingest/body.h"
#include "ingest/ingest.h"

#define PEER_MAX 64

/* How a request ended, beside the refusals. */
enum outcome { OUTCOME_OK = REFUSALS, OUTCOME_PARTIAL, OUTCOME_GONE, OUTCOMES };
enum { SIGNAL_NONE = OTLP_SIGNALS, SIGNALS }; /* the path named none */
enum { PROTOCOL_HTTP, PROTOCOL_GRPC, PROTOCOLS };

struct counts {
	int64_t requests[PROTOCOLS][SIGNALS][OUTCOMES];
	int64_t accepted[OTLP_SIGNALS], rejected[OTLP_SIGNALS][OTLP_REASONS], lost[OTLP_SIGNALS];
	int64_t bytes_received, bytes_read; /* as sent; decompressed */
	int64_t batches, batch_bytes;
	int64_t bodies_cut, unweighted, inconsistent;
	int64_t requests_now, requests_high, memory_now, memory_high;
};

struct request {
	struct list node; /* in `reading` or `waiting` */
	struct http_server *server;
	uint64_t id;
	bool grpc;
	enum otlp_signal signal;
	char peer[PEER_MAX];
	struct mono due;  /* reading: when it is too slow; waiting: when it is given up */
	size_t held;      /* counted in memory_now */
	struct body body; /* reading */
	uint64_t serial;  /* waiting: the high part of its puts' tags */
	struct packed *batches;
	size_t count, next; /* of batches; `next` was not put yet */
	size_t open;        /* puts without an end */
	size_t safe;        /* puts that ended well */
	int64_t lost;       /* records of those that did not */
	struct otlp_result result;
};

struct ingest {
	struct ingest_opts opts;
	struct http_server *servers[PROTOCOLS];
	struct otlp *otlp;
	struct pack *pack;
	struct list reading, waiting;
	uint64_t serial;
	struct counts counts;
	struct mono logged[OUTCOMES]; /* when a line about it was last written; ns 0: never */
};

static inline int protocol_of(const struct request *r) {
	return r->grpc ? PROTOCOL_GRPC : PROTOCOL_HTTP;
}

/* ---- route.c: what a request's head asks for ---- */

struct route {
	enum otlp_signal signal;
	enum body_coding coding;
};
/* True: a body is wanted. False: the refusal and its sentence. `signal` is set wherever the path names one. */
bool route_of(const struct http_event *e, bool grpc, struct route *out, int *signal, enum refusal *r, struct why *why);
/* Bytes that the head promises; 0: it does not say. */
uint64_t route_length(const struct http_event *e);

/* ---- request.c ---- */

void request_head(struct ingest *in, int protocol, const struct http_event *e);
void request_body(struct ingest *in, struct request *r, struct str piece);
void request_whole(struct ingest *in, struct request *r);
void request_gone(struct ingest *in, struct request *r);
/* Puts what waits, takes ends of puts, answers, gives up. True: something was done. */
bool request_turn(struct ingest *in);
void request_free(struct ingest *in, struct request *r);
