#include "ingest/keep.h"

#include <string.h>

#include "base/test.h"

TEST(what_entities_and_edges_are_made_of_is_kept) {
	static const char *const kept[] = { "service.name",
		                                "peer.service",
		                                "server.address",
		                                "server.port",
		                                "db.system.name",
		                                "db.namespace",
		                                "messaging.destination.name",
		                                "rpc.service",
		                                "http.route",
		                                "http.request.method",
		                                "http.response.status_code",
		                                "error.type",
		                                "k8s.pod.uid",
		                                "deployment.environment.name",
		                                "host.name",
		                                "cloud.region",
		                                "cloud.account.id" };
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) EXPECT(keep_span_attribute(str_of(kept[i])));
}

TEST(what_may_hold_secrets_or_is_of_no_use_stays_outside) {
	static const char *const left[] = { "",
		                                "db.statement",
		                                "db.query.text",
		                                "db.query.parameter.0",
		                                "db.connection_string",
		                                "rpc.grpc.request.metadata.authorization",
		                                "http.request.header.cookie",
		                                "url.full",
		                                "user_agent.original",
		                                "enduser.id",
		                                "host.names",
		                                "http.routes",
		                                "host",
		                                "service",
		                                "k8s",
		                                "server.addres" };
	for (size_t i = 0; i < sizeof left / sizeof *left; i++) EXPECT(!keep_span_attribute(str_of(left[i])));
}

/* The table is the manual: every line has a reason, none is hidden by one above it. */
TEST(every_rule_has_a_reason_and_decides_something) {
	size_t n;
	const struct keep_rule *rules = keep_rules(&n);
	for (size_t i = 0; i < n; i++) {
		EXPECT(strlen(rules[i].why) > 5);
		struct str probe = str_printf(t->arena, STR_FMT "%s", STR_ARG(rules[i].key),
		                              rules[i].key.p[rules[i].key.n - 1] == '.' ? "probe" : "");
		EXPECT(keep_span_attribute(probe) == rules[i].keep);
	}
}

RUN(what_entities_and_edges_are_made_of_is_kept, what_may_hold_secrets_or_is_of_no_use_stays_outside,
    every_rule_has_a_reason_and_decides_something)
