#include "cli/card.h"

#include <string.h>

#include "base/test.h"

static const char *card(struct t *t, void (*write)(const struct json *, struct buf *), const char *json) {
	const struct json *v = NULL;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(json_parse(t->arena, str_of(json), &v, NULL));
	write(v, &b);
	EXPECT_OK(b.err);
	return str_c(t->arena, buf_get(&b));
}

TEST(an_incident_is_read_at_a_glance) {
	const char *text = card(
		t, card_incident,
		"{\"id\":\"01KA\",\"state\":\"escalated\",\"onset\":\"2026-01-05T10:00:02Z\",\"opened\":\"2026-01-05T10:"
		"00:12Z\",\"severity\":0.8,\"entities\":[\"service/pay\",\"service/web\"],\"signals\":[{\"entity\":"
		"\"service/pay\",\"signal\":\"errors\",\"value\":0.2,\"expected\":null},{\"entity\":\"service/pay\","
		"\"signal\":\"duration\",\"value\":0.9,\"expected\":0.05}],\"actions\":[\"01KB\"],\"rca\":{\"root_causes\":"
		"[{\"entity\":\"service/pay\",\"kind\":\"errors\",\"confidence\":0.9}]},\"escalation\":{\"why\":\"no "
		"handler answers it\\u001b[31m\"}}");
	EXPECT_HAS(str_of(text), "Incident  01KA\nState     escalated\nCause     errors of service/pay, 90 % sure\n");
	EXPECT_HAS(str_of(text), "Began     2026-01-05 10:00:02 UTC\nFound     2026-01-05 10:00:12 UTC, after 10s\n");
	EXPECT_HAS(str_of(text), "Seen at   service/pay\n          service/web\n");
	EXPECT_HAS(str_of(text),
	           "Signals   service/pay: errors 20 %\n          service/pay: duration 900 ms, usually 50 ms\n");
	EXPECT_HAS(str_of(text), "A person  no handler answers it [31m\n"); /* nothing that moves a terminal's cursor */
	EXPECT_HAS(str_of(text), "flyball explain 01KA\n");
	EXPECT(!strstr(text, "nan") && !strstr(text, "Over"));
}

TEST(an_action_that_waits_says_for_what) {
	const char *text = card(
		t, card_action,
		"{\"action\":\"01KB\",\"state\":\"waiting\",\"decision\":\"ask\",\"mode\":\"approve\",\"handler\":\"restart\","
		"\"attempt\":1,\"summary\":\"restart Deployment shop/pay\",\"gates\":[{\"verdict\":\"wait\",\"reason\":\"its "
		"cooldown lasts 2m "
		"more\"},{\"verdict\":\"pass\",\"reason\":\"fine\"}],\"times\":{\"planned\":\"2026-01-05T10:00:02Z\"}}");
	EXPECT_HAS(str_of(text), "What      restart Deployment shop/pay\nHandler   restart, mode approve, attempt 1\n");
	EXPECT_HAS(str_of(text), "Waits     its cooldown lasts 2m more\n");
	EXPECT_HAS(str_of(text), "flyball approve 01KB, or flyball reject 01KB\n");
	EXPECT(!strstr(text, "fine"));
	EXPECT_HAS(str_of(card(t, card_action, "{\"gates\":[{\"verdict\":\"deny\",\"reason\":\"policy\"}]}")),
	           "Refused   policy\n");
}

/* A row of another version, or one that was cut. */
TEST(what_is_missing_is_left_out) {
	static const char *const rows[] = { "{}", "[]", "3",
		                                "{\"signals\":[3],\"rca\":[],\"entities\":7,\"gates\":{\"a\":1}}" };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		EXPECT(!strstr(card(t, card_incident, rows[i]), "nan"));
		EXPECT(!strstr(card(t, card_action, rows[i]), "nan"));
	}
}

RUN(an_incident_is_read_at_a_glance, an_action_that_waits_says_for_what, what_is_missing_is_left_out)
