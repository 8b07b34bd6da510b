/* Receives telemetry and makes batches of it: OTLP over gRPC (HTTP/2) and HTTP/1.1.
 *
 * A request is answered only after its batches are safe with the next stage; when that is full the
 * sender is told to slow down (UNAVAILABLE with RetryInfo; 503 with Retry-After) and nothing of the
 * request was kept. A request of several batches whose first was taken waits for room for the others;
 * what found none in INGEST_GIVE_UP is reported as rejected (partial success): it is lost, and said
 * so. Decides nothing, keeps nothing between requests. Thread: its loop's own. */
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "model/batch.h"
#include "world/http.h"

struct ingest;

#define INGEST_READ_MAX (60 * NS_PER_SEC) /* from a request's headers to its end; then 408, DEADLINE_EXCEEDED */
#define INGEST_GIVE_UP  (10 * NS_PER_SEC) /* that a whole request waits for the next stage */

struct ingest_opts {
	struct http_host *servers; /* borrowed, all */
	struct batch_sink *next;
	struct clock *clock;
	struct log *log;
	struct str address;       /* "127.0.0.1" */
	int grpc_port, http_port; /* 4317, 4318; 0: any free; -1: off */
	int64_t body_max;         /* bytes decompressed, 64 MiB; at most 1 GiB */
	int64_t requests_max;     /* in progress at once; further ones are told to wait, or one that is slow makes room */
	int64_t connections_max;  /* to a port */
	bool assume_unsampled;    /* spans without a threshold count as one each */
	int64_t memory_max;       /* bytes of bodies held at once over all requests */
};

/* ERR_BUSY: a port is in use (why names it). ERR_INVALID: an option out of range. ERR_NOMEM. */
MUST_USE enum err ingest_open(struct ingest_opts o, struct ingest **out, struct why *why);
/* Takes what came, answers what is done; false: there was nothing to do. Never waits. */
bool ingest_step(struct ingest *in);
/* When time alone makes something ready (a request to give up); INT64_MAX: never. */
struct mono ingest_next_due(const struct ingest *in);
int ingest_grpc_port(const struct ingest *in);
int ingest_http_port(const struct ingest *in);
void ingest_metrics(const struct ingest *in, struct metrics_out *m);
void ingest_close(struct ingest *in);
