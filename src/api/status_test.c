#include "api/status.h"

#include <string.h>

#include "base/test.h"

static const char *words(struct t *t, const char *status) {
	const struct json *v = NULL;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(json_parse(t->arena, str_of(status), &v, NULL));
	status_words(v, &b);
	EXPECT_OK(b.err);
	return str_c(t->arena, buf_get(&b));
}

#define PART(name, ready, status) "\"" name "\":{\"ready\":" ready ",\"status\":" status "}"
#define INGEST                    PART("ingest", "true", "{\"otlp_grpc\":4317,\"otlp_http\":-1}")
#define OBSERVE(saved)                                                                                               \
	PART("observe", "true",                                                                                          \
	     "{\"entities\":7,\"edges\":1,\"series\":120,\"checkpoint_generation\":3,\"checkpoint\":\"2026-01-05T10:03:" \
	     "04.250Z\",\"refused_checkpoint\":" saved "}")
#define CONTROL(open, more)                                                                                        \
	PART("control", "true",                                                                                        \
	     "{\"phase\":\"live\",\"paused\":false,\"incidents_open\":" open ",\"incidents_escalated\":0,\"approvals_" \
	     "pending\":1,\"handlers\":[{\"mode\":\"observe\"},{\"mode\":\"auto\"},{\"mode\":\"observe\"}],"           \
	     "\"audit\":{\"seq\":12}" more "}")

TEST(it_says_what_a_person_on_call_asks_first) {
	const char *text =
		words(t, "{\"version\":\"1.2\",\"ready\":true,\"parts\":{" INGEST "," OBSERVE("null") "," CONTROL(
					 "2", ",\"pauses\":[{\"scope\":\"shop\",\"by\":\"alice\",\"why\":\"release\","
						  "\"until\":\"2026-01-05T12:00:00Z\"}]") "}}");
	EXPECT_HAS(str_of(text), "Flyball 1.2 is ready.\n");
	EXPECT_HAS(str_of(text), "Incidents  2 open (flyball incidents)\n");
	EXPECT_HAS(str_of(text), "Approvals  1 action waits for a person");
	EXPECT_HAS(str_of(text), "nothing to act on is configured (target:)");
	EXPECT_HAS(str_of(text), "2 handlers only say what they would do (observe), 1 handler acts by itself (auto)\n");
	EXPECT_HAS(str_of(text), "PAUSED: shop, by alice until 2026-01-05T12:00:00Z: release\n");
	EXPECT_HAS(str_of(text), "7 services and databases, 1 call between them, 120 series\n");
	EXPECT_HAS(str_of(text), "last saved at 2026-01-05 10:03:04 UTC\n");
	EXPECT_HAS(str_of(text), "OTLP over gRPC on port 4317, over HTTP off\n");
	EXPECT_HAS(str_of(text), "12 entries in the decision log");
}

TEST(what_is_wrong_is_not_hidden) {
	const char *text = words(
		t, "{\"version\":\"1.2\",\"ready\":false,\"parts\":{" OBSERVE("\"a part is missing\"") "," CONTROL(
			   "0", "") "," PART("target", "false", "{\"ready\":false,\"reason\":\"pods are not listed yet\"}") "}}");
	EXPECT_HAS(str_of(text), "is not ready yet; it waits for: target\n");
	EXPECT_HAS(str_of(text), "Incidents  none is open\n");
	EXPECT_HAS(str_of(text), "Acting     not now: pods are not listed yet\n");
	EXPECT_HAS(str_of(text), "refused, and is learned anew: a part is missing\n");
}

TEST(what_a_daemon_left_behind_is_told_as_that) {
	const char *text = words(t, "{\"version\":\"1.2\",\"ready\":true,\"parts\":{" OBSERVE("null") "}}");
	EXPECT_HAS(str_of(text), "nothing of it runs here");
	EXPECT(!strstr(text, "Incidents"));
	EXPECT_HAS(str_of(words(t, "{}")), "is not ready");
	EXPECT_HAS(str_of(words(t, "{\"parts\":{\"control\":3,\"observe\":{\"status\":[]}}}")), "0 services");
}

RUN(it_says_what_a_person_on_call_asks_first, what_is_wrong_is_not_hidden, what_a_daemon_left_behind_is_told_as_that)
