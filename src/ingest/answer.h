/* What a sender is told, in the words of OTLP/HTTP and of gRPC.
 *
 * Refusals are one table: HTTP status, gRPC code, whether to come back. The body of a refusal is a
 * google.rpc.Status; with it goes, for gRPC, the same in grpc-status-details-bin where it has more
 * to say (RetryInfo, BadRequest). Specification: OTLP 1.x, "OTLP/gRPC Throttling", "OTLP/HTTP
 * Response"; gRPC over HTTP/2, "Responses". */
#pragma once

#include "ingest/otlp.h"
#include "world/http.h"

/* name, label in metrics, HTTP status, gRPC code (-1: HTTP's status is the answer there too) */
#define REFUSAL_TABLE(X)               \
	X(MALFORMED, "malformed", 400, 3)  \
	X(FRAMING, "framing", 400, 13)     \
	X(NOT_FOUND, "not_found", 404, 12) \
	X(METHOD, "method", 405, -1)       \
	X(SLOW, "slow", 408, 4)            \
	X(TOO_LARGE, "too_large", 413, 8)  \
	X(MEDIA, "media_type", 415, -1)    \
	X(CODING, "coding", 415, 12)       \
	X(OVERLOADED, "overloaded", 503, 14)

enum refusal {
#define X(name, label, http, grpc) REFUSE_##name,
	REFUSAL_TABLE(X)
#undef X
		REFUSALS
};
const char *refusal_name(enum refusal r);

#define RETRY_AFTER_S 1 /* the ring empties at the pace of one loop: soon, or it stays full and is asked again */

/* ExportMetricsServiceResponse and its like: empty, or with partial_success. */
void answer_response(struct buf *out, int64_t rejected, struct str message);
/* google.rpc.Status of a refusal. */
void answer_status(struct buf *out, enum refusal r, struct str message);
/* grpc-message: every byte but printable ASCII, and '%', as %XX. */
void answer_percent(struct buf *out, struct str message);

/* Sends it; ERR_CLOSED: the peer has gone; ERR_NOMEM. */
enum err answer_accept(struct http_server *s, uint64_t id, bool grpc, int64_t rejected, struct str message);
enum err answer_refuse(struct http_server *s, uint64_t id, bool grpc, enum refusal r, struct str message);
