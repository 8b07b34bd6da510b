#include "ingest/keep.h"

#define KEEP(key, why) \
	{ STR(key), true, why }
#define LEAVE(key, why) \
	{ STR(key), false, why }

/* Names: OpenTelemetry semantic conventions 1.x; those before 1.23 too, which many SDKs still send. */
static const struct keep_rule rules[] = {
	/* by first letter */
	KEEP("cloud.region", "the region"),
	KEEP("cloud.account.id", "the account"),
	LEAVE("db.statement", "may hold data, and is long"),
	LEAVE("db.query.text", "may hold data, and is long"),
	LEAVE("db.query.parameter.", "holds data"),
	LEAVE("db.connection_string", "may hold a password"),
	KEEP("db.", "kind and name of a database: an entity"),
	KEEP("deployment.", "environment and version: candidates for a cause"),
	KEEP("error.type", "kind of an error: evidence"),
	KEEP("faas.invoked_name", "the called function: an edge"),
	KEEP("http.request.method", "an operation's name"),
	KEEP("http.method", "http.request.method, as it was named before"),
	KEEP("http.route", "an operation's name, with few values"),
	KEEP("http.response.status_code", "what makes an error"),
	KEEP("http.status_code", "http.response.status_code, as it was named before"),
	KEEP("host.name", "the node"),
	KEEP("k8s.", "the pod and the workload behind it"),
	KEEP("messaging.", "broker and destination: the edge between producer and consumer"),
	KEEP("net.peer.name", "server.address, as it was named before"),
	KEEP("net.peer.port", "server.port, as it was named before"),
	KEEP("peer.service", "names the called service: an edge"),
	LEAVE("rpc.grpc.request.metadata.", "may hold credentials"),
	LEAVE("rpc.grpc.response.metadata.", "may hold credentials"),
	LEAVE("rpc.connect_rpc.request.metadata.", "may hold credentials"),
	LEAVE("rpc.connect_rpc.response.metadata.", "may hold credentials"),
	KEEP("rpc.", "called service and method, and the status that makes an error"),
	KEEP("service.", "names the service, where a span overrides its resource"),
	KEEP("server.address", "the called host: an edge to what sends no telemetry"),
	KEEP("server.port", "tells two databases on one host apart"),
};
#define RULES (sizeof rules / sizeof *rules)

const struct keep_rule *keep_rules(size_t *count) {
	*count = RULES;
	return rules;
}

/* Which rules begin with a letter: the test knows if they do not. A span has a dozen attributes, most of which no
 * rule of its letter even resembles. */
static const struct {
	uint8_t first, end;
} letters[26] = { ['c' - 'a'] = { 0, 2 },   ['d' - 'a'] = { 2, 8 },   ['e' - 'a'] = { 8, 9 },
	              ['f' - 'a'] = { 9, 10 },  ['h' - 'a'] = { 10, 16 }, ['k' - 'a'] = { 16, 17 },
	              ['m' - 'a'] = { 17, 18 }, ['n' - 'a'] = { 18, 20 }, ['p' - 'a'] = { 20, 21 },
	              ['r' - 'a'] = { 21, 26 }, ['s' - 'a'] = { 26, 29 } };

static bool fits(const struct keep_rule *r, struct str key) {
	bool prefix = r->key.p[r->key.n - 1] == '.';
	return prefix ? str_starts(key, r->key) : str_eq(key, r->key);
}

bool keep_span_attribute(struct str key) {
	size_t letter = key.n ? (size_t)((unsigned char)key.p[0] - 'a') : SIZE_MAX;
	if (letter >= sizeof letters / sizeof *letters) return false;
	for (size_t i = letters[letter].first; i < letters[letter].end; i++)
		if (fits(&rules[i], key)) return rules[i].keep;
	return false;
}
