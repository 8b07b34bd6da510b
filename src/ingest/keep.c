#include "ingest/keep.h"

#define KEEP(key, why) \
	{ STR(key), true, why }
#define LEAVE(key, why) \
	{ STR(key), false, why }

/* Names: OpenTelemetry semantic conventions 1.x; those before 1.23 too, which many SDKs still send. */
static const struct keep_rule rules[] = {
	LEAVE("db.statement", "may hold data, and is long"),
	LEAVE("db.query.text", "may hold data, and is long"),
	LEAVE("db.query.parameter.", "holds data"),
	LEAVE("db.connection_string", "may hold a password"),
	LEAVE("rpc.grpc.request.metadata.", "may hold credentials"),
	LEAVE("rpc.grpc.response.metadata.", "may hold credentials"),
	LEAVE("rpc.connect_rpc.request.metadata.", "may hold credentials"),
	LEAVE("rpc.connect_rpc.response.metadata.", "may hold credentials"),
	KEEP("service.", "names the service, where a span overrides its resource"),
	KEEP("peer.service", "names the called service: an edge"),
	KEEP("server.address", "the called host: an edge to what sends no telemetry"),
	KEEP("server.port", "tells two databases on one host apart"),
	KEEP("net.peer.name", "server.address, as it was named before"),
	KEEP("net.peer.port", "server.port, as it was named before"),
	KEEP("db.", "kind and name of a database: an entity"),
	KEEP("messaging.", "broker and destination: the edge between producer and consumer"),
	KEEP("rpc.", "called service and method, and the status that makes an error"),
	KEEP("http.request.method", "an operation's name"),
	KEEP("http.method", "http.request.method, as it was named before"),
	KEEP("http.route", "an operation's name, with few values"),
	KEEP("http.response.status_code", "what makes an error"),
	KEEP("http.status_code", "http.response.status_code, as it was named before"),
	KEEP("error.type", "kind of an error: evidence"),
	KEEP("k8s.", "the pod and the workload behind it"),
	KEEP("deployment.", "environment and version: candidates for a cause"),
	KEEP("host.name", "the node"),
	KEEP("cloud.region", "the region"),
	KEEP("cloud.account.id", "the account"),
	KEEP("faas.invoked_name", "the called function: an edge"),
};
#define RULES (sizeof rules / sizeof *rules)

const struct keep_rule *keep_rules(size_t *count) {
	*count = RULES;
	return rules;
}

static bool fits(const struct keep_rule *r, struct str key) {
	bool prefix = r->key.p[r->key.n - 1] == '.';
	return prefix ? str_starts(key, r->key) : str_eq(key, r->key);
}

bool keep_span_attribute(struct str key) {
	for (size_t i = 0; i < RULES; i++) {
		if (key.n && key.p[0] == rules[i].key.p[0] && fits(&rules[i], key)) return rules[i].keep;
	}
	return false;
}
