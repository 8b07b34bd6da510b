/* For tests and benchmarks: protobuf written field by field, messages within messages. */
#pragma once

#include "base/rng.h"
#include "ingest/otlp.h"

#define REQUEST_DEPTH 80

struct request_out {
	struct buf level[REQUEST_DEPTH]; /* [0] is the request; each open message has its own */
	uint32_t number[REQUEST_DEPTH];
	int depth;
};

void request_init(struct request_out *o);
void request_done(struct request_out *o);
/* What was written; every message is closed. */
struct str request_bytes(const struct request_out *o);

void request_begin(struct request_out *o, uint32_t number); /* a message that is field `number` */
void request_end(struct request_out *o);
void request_text(struct request_out *o, uint32_t number, struct str s);
void request_varint(struct request_out *o, uint32_t number, uint64_t v);
void request_fixed64(struct request_out *o, uint32_t number, uint64_t v);
void request_fixed32(struct request_out *o, uint32_t number, uint32_t v);
void request_double(struct request_out *o, uint32_t number, double v);
/* A KeyValue with a string. */
void request_attr(struct request_out *o, uint32_t number, struct str key, struct str value);

/* 1000 number points of 20 metrics, 4 attributes each, from one service: what `bench` measures. */
void request_metrics_sample(struct request_out *o, int points);
