/* OTLP export requests (protobuf) become batches: metrics, logs, traces.
 *
 * A request is read whole or refused whole when its bytes are malformed; within a sound request a
 * record that cannot be taken (OTLP_REASON_TABLE) is left out and counted, the rest is kept. Field
 * numbers: opentelemetry-proto 1.x, collector/{metrics,logs,trace}/v1. Unknown fields are skipped;
 * a known field of another wire type, a string that is not UTF-8 and values nested deeper than
 * OTLP_DEPTH_MAX are malformed. Exemplars, links, descriptions and the like are stepped over unread.
 * Thread: its owner's; one request at a time. */
#pragma once

#include "ingest/pack.h"

enum otlp_signal { OTLP_METRICS, OTLP_LOGS, OTLP_TRACES, OTLP_SIGNALS };
const char *otlp_signal_name(enum otlp_signal s); /* "metrics" "logs" "traces" */
const char *otlp_record_name(enum otlp_signal s); /* "data points" "log records" "spans" */

#define OTLP_DEPTH_MAX    32          /* lists within lists in one attribute's value */
#define OTLP_LOG_BODY_MAX (64 * 1024) /* bytes of a log's text that are kept; the rest is cut and counted */

/* Why a record was left out: name in metrics, and what the sender is told. */
#define OTLP_REASON_TABLE(X)                                                                                     \
	X(ATTRIBUTES, "attributes", "with more than 128 attributes on it or its resource")                           \
	X(KIND, "kind", "of a kind that is not taken yet (exponential histogram, summary, non-monotonic delta sum)") \
	X(TEMPORALITY, "temporality", "of a sum or histogram without aggregation temporality")                       \
	X(NAME, "name", "of a metric without a name")                                                                \
	X(TIME, "time", "without a time, or with an end before its start")                                           \
	X(VALUE, "value", "without a value, or with one that is not finite")                                         \
	X(BUCKETS, "buckets", "whose bounds do not rise, are over 1024, or whose counts do not add up to the total") \
	X(IDS, "ids", "without a valid trace or span id")                                                            \
	X(SIZE, "size", "larger than 4 MiB by itself")

enum otlp_reason {
#define X(name, label, text) OTLP_##name,
	OTLP_REASON_TABLE(X)
#undef X
		OTLP_REASONS
};
const char *otlp_reason_name(enum otlp_reason r);

struct otlp_result {
	int64_t accepted;
	int64_t rejected[OTLP_REASONS];
	int64_t bodies_cut;   /* logs whose text was cut */
	int64_t unweighted;   /* spans whose sampling is not known */
	int64_t inconsistent; /* spans that their own threshold would have dropped: not known either */
};
int64_t otlp_rejected(const struct otlp_result *r);
/* "3 data points of a kind that ...; 1 ..."; empty when nothing was rejected. */
void otlp_explain(enum otlp_signal s, const struct otlp_result *r, struct buf *out);

struct otlp;
struct otlp_opts {
	bool assume_unsampled;  /* the operator's word: every span is exported, so one without a threshold weighs 1 */
	size_t batch_bytes_max; /* of all batches of one request */
};

MUST_USE enum err otlp_new(struct otlp_opts o, struct otlp **out);
void otlp_free(struct otlp *o); /* takes NULL */

/* Reads one request into `pack`, begun anew. ERR_INVALID: malformed, *why names what and at which
 * byte; ERR_TOO_LARGE: its batches pass batch_bytes_max; ERR_NOMEM. On an error nothing of `pack` counts. */
MUST_USE enum err otlp_decode(struct otlp *o, enum otlp_signal s, struct str body, struct wall received,
                              struct pack *pack, struct otlp_result *out, struct why *why);
