/* OpenTelemetry's semantic conventions, as far as we read them: names become numbers of an enum.
 *
 * Old and new spellings mean the same. Values are borrowed from the batch. Pure functions. */
#pragma once

#include "model/batch.h"
#include "model/series.h"
#include "stream/hints.h"

/* What a resource says of itself. Empty: not said. */
struct resource_facts {
	struct str service, service_namespace, instance_id;
	struct str pod_uid, pod, namespace_, node, region;
	struct str workload_kind, workload; /* "Deployment", "cart" */
	struct str host, pid, container_id;
};
struct resource_facts resource_read(struct attrs a);

/* What a span or a metric's point says of a request. */
struct request_facts {
	struct str address, port;    /* server.address and its like: what the caller calls */
	struct str peer;             /* peer.service */
	struct str db_system, db;    /* database and its name */
	struct str destination;      /* messaging.destination.name */
	struct str messaging_system; /* set: this is about a queue */
	struct str error_type;
	struct str db_status;     /* db.response.status_code: SQLSTATE, or the system's own number */
	struct str route, method; /* http.route, rpc.method, db.operation.name; http.request.method: what is asked */
	int32_t http_status;      /* 0: none */
	int32_t rpc_status;       /* -1: none */
	bool consumes, publishes; /* messaging.operation.type */
};
struct request_facts request_read(struct attrs a);
/* The server failed (a client's mistake, 4xx, is not its failure). `span_error`: the span's status. */
bool request_failed(const struct request_facts *f, bool span_error);

/* It was turned away for want of room: 503 and 429 (RFC 9110, 6585), gRPC's RESOURCE_EXHAUSTED. */
bool request_refused(const struct request_facts *f);
/* HINTS: none. What a database's code says. */
enum hint request_hint(const struct request_facts *f);

/* What a metric tells, by its name. */
enum role {
	ROLE_NONE,
	ROLE_SERVER, /* durations of requests served: rate, errors, durations */
	ROLE_CLIENT, /* durations of calls made */
	ROLE_CPU,
	ROLE_CPU_TIME, /* seconds of CPU used, a sum */
	ROLE_CPU_LIMIT,
	ROLE_MEMORY,
	ROLE_MEMORY_LIMIT,
};
struct metric_facts {
	enum role role;
	uint8_t rank; /* of metrics that tell the same: the lowest is best */
	bool share;   /* already a share of the limit */
	double scale; /* to seconds, cores, bytes */
};
struct metric_facts metric_read(struct str name, struct str unit);
