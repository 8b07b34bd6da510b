/* The body of one request: pieces in, the decompressed bytes out, bounded at every step.
 *
 * gzip is inflated piece by piece and stopped at the limit, so that a bomb costs no more memory than
 * an honest body. A gRPC body is one message behind a prefix of five bytes (flag, length); the flag
 * says whether that message is compressed. Thread: its owner's. */
#pragma once

#include "base/str.h"

enum body_coding { BODY_PLAIN, BODY_GZIP };

struct inflater;

struct body {
	struct buf bytes; /* decompressed */
	enum body_coding coding;
	struct inflater *inflater; /* NULL: none was needed yet */
	bool grpc;
	unsigned char prefix[5];
	size_t prefix_n;
	uint64_t left; /* bytes of the gRPC message that are still to come */
	struct why why;
};

/* `max`: bytes, decompressed. With `grpc` the coding is that of messages whose flag is set. */
void body_init(struct body *b, size_t max, bool grpc, enum body_coding coding);
void body_done(struct body *b);

/* ERR_TOO_LARGE: over the limit, compressed or not. ERR_INVALID: broken gzip or framing, ERR_UNSUPPORTED: a
 * compressed message without a known coding (`why` in the body). ERR_NOMEM. */
MUST_USE enum err body_add(struct body *b, struct str piece);
/* The body is whole: ERR_INVALID when it ends early. */
MUST_USE enum err body_end(struct body *b);
/* Memory that it holds now. */
size_t body_held(const struct body *b);
