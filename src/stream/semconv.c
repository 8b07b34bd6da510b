#include "stream/semconv.h"

#include <stdlib.h>
#include <string.h>

/* One table for all attributes: key, and what it means. Short ones are compared by length first. */
enum field {
	F_NONE,
	F_SERVICE,
	F_SERVICE_NAMESPACE,
	F_INSTANCE,
	F_POD_UID,
	F_POD,
	F_K8S_NAMESPACE,
	F_NODE,
	F_REGION,
	F_DEPLOYMENT,
	F_STATEFULSET,
	F_DAEMONSET,
	F_JOB,
	F_CRONJOB,
	F_HOST,
	F_PID,
	F_CONTAINER,
	F_ADDRESS,
	F_PORT,
	F_PEER,
	F_DB_SYSTEM,
	F_DB,
	F_DB_OLD,
	F_DESTINATION,
	F_MESSAGING,
	F_OPERATION,
	F_ERROR,
	F_HTTP,
	F_GRPC,
	F_RPC,
	F_DB_STATUS,
	F_ROUTE,
	F_METHOD,
};

struct known {
	const char *key;
	uint8_t n;
	uint8_t field;
};
#define K(text, f) \
	{ text, sizeof(text) - 1, f }

static const struct known resource_keys[] = {
	K("service.name", F_SERVICE),
	K("service.namespace", F_SERVICE_NAMESPACE),
	K("service.instance.id", F_INSTANCE),
	K("k8s.pod.uid", F_POD_UID),
	K("k8s.pod.name", F_POD),
	K("k8s.namespace.name", F_K8S_NAMESPACE),
	K("k8s.node.name", F_NODE),
	K("cloud.region", F_REGION),
	K("k8s.deployment.name", F_DEPLOYMENT),
	K("k8s.statefulset.name", F_STATEFULSET),
	K("k8s.daemonset.name", F_DAEMONSET),
	K("k8s.job.name", F_JOB),
	K("k8s.cronjob.name", F_CRONJOB),
	K("host.name", F_HOST),
	K("process.pid", F_PID),
	K("container.id", F_CONTAINER),
};

static const struct known request_keys[] = {
	K("server.address", F_ADDRESS),
	K("server.port", F_PORT),
	K("net.peer.name", F_ADDRESS),
	K("net.peer.port", F_PORT),
	K("network.peer.address", F_NONE),
	K("peer.service", F_PEER),
	K("db.system.name", F_DB_SYSTEM),
	K("db.system", F_DB_SYSTEM),
	K("db.namespace", F_DB),
	K("db.name", F_DB_OLD),
	K("messaging.system", F_MESSAGING),
	K("messaging.destination.name", F_DESTINATION),
	K("messaging.destination", F_DESTINATION),
	K("messaging.operation.type", F_OPERATION),
	K("messaging.operation", F_OPERATION),
	K("db.response.status_code", F_DB_STATUS),
	K("db.operation.name", F_ROUTE),
	K("http.route", F_ROUTE),
	K("rpc.method", F_ROUTE),
	K("http.request.method", F_METHOD),
	K("http.method", F_METHOD),
	K("error.type", F_ERROR),
	K("http.response.status_code", F_HTTP),
	K("http.status_code", F_HTTP),
	K("rpc.grpc.status_code", F_GRPC),
	K("rpc.response.status_code", F_RPC),
};

static enum field field_of(const struct known *keys, size_t n, struct str key) {
	for (size_t i = 0; i < n; i++)
		if (keys[i].n == key.n && memcmp(keys[i].key, key.p, key.n) == 0) return keys[i].field;
	return F_NONE;
}
#define FIELD_OF(table, key) field_of(table, sizeof(table) / sizeof *(table), key)

struct workload_word {
	uint8_t field;
	const char *kind;
};
/* A Job of a CronJob belongs to the CronJob. */
static const struct workload_word workload_words[] = {
	{ F_DEPLOYMENT, "Deployment" },
	{ F_STATEFULSET, "StatefulSet" },
	{ F_DAEMONSET, "DaemonSet" },
	{ F_CRONJOB, "CronJob" },
	{ F_JOB, "Job" },
};

struct resource_facts resource_read(struct attrs a) {
	struct str by_field[F_METHOD + 1] = { 0 };
	for (size_t i = 0; i < a.n; i++) by_field[FIELD_OF(resource_keys, a.v[i].key)] = a.v[i].value;
	struct resource_facts f = {
		.service = by_field[F_SERVICE],
		.service_namespace = by_field[F_SERVICE_NAMESPACE],
		.instance_id = by_field[F_INSTANCE],
		.pod_uid = by_field[F_POD_UID],
		.pod = by_field[F_POD],
		.namespace_ = by_field[F_K8S_NAMESPACE],
		.node = by_field[F_NODE],
		.region = by_field[F_REGION],
		.host = by_field[F_HOST],
		.pid = by_field[F_PID],
		.container_id = by_field[F_CONTAINER],
	};
	for (size_t i = 0; i < sizeof workload_words / sizeof *workload_words && !f.workload.n; i++) {
		f.workload = by_field[workload_words[i].field];
		if (f.workload.n) f.workload_kind = str_of(workload_words[i].kind);
	}
	return f;
}

static int32_t small_int(struct str s, int32_t fallback) {
	int64_t v;
	return str_int(s, &v) && v >= 0 && v < 1000 ? (int32_t)v : fallback;
}

/* New conventions give gRPC's code by name. */
static int32_t rpc_code(struct str s) {
	static const char *const names[] = {
		"OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
		"NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
		"DATA_LOSS", "UNAUTHENTICATED"
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(s, names[i])) return (int32_t)i;
	return small_int(s, -1);
}

struct request_facts request_read(struct attrs a) {
	struct request_facts f = { .rpc_status = -1 };
	for (size_t i = 0; i < a.n; i++) {
		struct str v = a.v[i].value;
		switch (FIELD_OF(request_keys, a.v[i].key)) {
		case F_ADDRESS: f.address = v; break;
		case F_PORT: f.port = v; break;
		case F_PEER: f.peer = v; break;
		case F_DB_SYSTEM: f.db_system = v; break;
		case F_DB: f.db = v; break;
		case F_DB_OLD:
			if (!f.db.n) f.db = v;
			break;
		case F_DESTINATION: f.destination = v; break;
		case F_MESSAGING: f.messaging_system = v; break;
		case F_OPERATION:
			f.consumes = str_is(v, "process") || str_is(v, "receive") || str_is(v, "deliver");
			f.publishes = str_is(v, "send") || str_is(v, "publish") || str_is(v, "create");
			break;
		case F_ERROR: f.error_type = v; break;
		case F_DB_STATUS: f.db_status = v; break;
		case F_ROUTE: f.route = v; break;
		case F_METHOD: f.method = v; break;
		case F_HTTP: f.http_status = small_int(v, 0); break;
		case F_GRPC: f.rpc_status = small_int(v, -1); break;
		case F_RPC: f.rpc_status = rpc_code(v); break;
		default: break;
		}
	}
	return f;
}

/* gRPC codes that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL,
 * UNAVAILABLE, DATA_LOSS (semantic conventions for RPC spans, server side). */
static bool rpc_failed(int32_t code) {
	return code == 2 || code == 4 || (code >= 12 && code <= 15);
}

bool request_failed(const struct request_facts *f, bool span_error) {
	if (f->http_status) return f->http_status >= 500;
	if (f->rpc_status >= 0) return rpc_failed(f->rpc_status);
	return span_error || f->error_type.n > 0;
}

bool request_refused(const struct request_facts *f) {
	return f->http_status == 503 || f->http_status == 429 || f->rpc_status == 8;
}

enum hint request_hint(const struct request_facts *f) {
	if (!f->db_system.n) return HINTS;
	enum hint h = hint_of_code(f->db_system, f->db_status);
	return h == HINTS ? hint_of_code(f->db_system, f->error_type) : h;
}

struct metric_word {
	const char *name;
	uint8_t role, rank;
	bool share;
};

/* In each group the first is what tells best. */
static const struct metric_word metric_words[] = {
	{ "http.server.request.duration", ROLE_SERVER, 0, false },
	{ "rpc.server.call.duration", ROLE_SERVER, 0, false },
	{ "rpc.server.duration", ROLE_SERVER, 0, false },
	{ "http.server.duration", ROLE_SERVER, 0, false },
	{ "messaging.process.duration", ROLE_SERVER, 0, false },
	{ "http.client.request.duration", ROLE_CLIENT, 0, false },
	{ "http.client.duration", ROLE_CLIENT, 0, false },
	{ "rpc.client.call.duration", ROLE_CLIENT, 0, false },
	{ "rpc.client.duration", ROLE_CLIENT, 0, false },
	{ "db.client.operation.duration", ROLE_CLIENT, 0, false },
	{ "messaging.client.operation.duration", ROLE_CLIENT, 0, false },
	{ "k8s.pod.cpu_limit_utilization", ROLE_CPU, 0, true },
	{ "k8s.container.cpu_limit_utilization", ROLE_CPU, 1, true },
	{ "k8s.pod.cpu.usage", ROLE_CPU, 2, false },
	{ "container.cpu.usage", ROLE_CPU, 3, false },
	{ "container.cpu.time", ROLE_CPU_TIME, 4, false },
	{ "container.cpu.utilization", ROLE_CPU, 5, true },
	{ "process.cpu.time", ROLE_CPU_TIME, 6, false },
	{ "process.cpu.utilization", ROLE_CPU, 7, true },
	{ "jvm.cpu.time", ROLE_CPU_TIME, 8, false },
	{ "jvm.cpu.recent_utilization", ROLE_CPU, 9, true },
	{ "k8s.container.cpu_limit", ROLE_CPU_LIMIT, 0, false },
	{ "k8s.pod.memory_limit_utilization", ROLE_MEMORY, 0, true },
	{ "k8s.container.memory_limit_utilization", ROLE_MEMORY, 1, true },
	{ "k8s.pod.memory.working_set", ROLE_MEMORY, 2, false },
	{ "container.memory.working_set", ROLE_MEMORY, 3, false },
	{ "k8s.pod.memory.usage", ROLE_MEMORY, 4, false },
	{ "container.memory.usage", ROLE_MEMORY, 5, false },
	{ "process.memory.usage", ROLE_MEMORY, 6, false },
	{ "jvm.memory.used", ROLE_MEMORY, 7, false },
	{ "k8s.container.memory_limit", ROLE_MEMORY_LIMIT, 0, false },
	{ "container.memory.limit", ROLE_MEMORY_LIMIT, 1, false },
	{ "jvm.memory.limit", ROLE_MEMORY_LIMIT, 7, false },
};

static double scale_of(struct str unit) {
	if (str_is(unit, "ms")) return 1e-3;
	if (str_is(unit, "us")) return 1e-6;
	if (str_is(unit, "ns")) return 1e-9;
	if (str_is(unit, "KiBy")) return 1024;
	if (str_is(unit, "MiBy")) return 1024.0 * 1024;
	return 1;
}

struct metric_facts metric_read(struct str name, struct str unit) {
	for (size_t i = 0; i < sizeof metric_words / sizeof *metric_words; i++) {
		const struct metric_word *w = &metric_words[i];
		if (!str_is(name, w->name)) continue;
		struct metric_facts f = { (enum role)w->role, w->rank, w->share, scale_of(unit) };
		/* The older duration metrics were in milliseconds, and some senders leave the unit out. */
		if (!unit.n && (str_is(name, "http.server.duration") || str_is(name, "rpc.server.duration"))) f.scale = 1e-3;
		return f;
	}
	return (struct metric_facts){ .role = ROLE_NONE, .scale = 1 };
}
