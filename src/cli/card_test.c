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

static void has(struct t *t, const char *text, const char *want) {
	if (strstr(text, want)) return;
	fprintf(stderr, "%s\n", text);
	test_fail(t, __FILE__, __LINE__, want);
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
	has(t, text, "Incident  01KA\nState     escalated\nCause     errors of service/pay, 90 % sure\n");
	has(t, text, "Began     2026-01-05 10:00:02 UTC\nFound     2026-01-05 10:00:12 UTC, after 10s\n");
	has(t, text, "Seen at   service/pay\n          service/web\n");
	has(t, text, "Signals   service/pay: errors 20 %\n          service/pay: duration 900 ms, usually 50 ms\n");
	has(t, text, "A person  no handler answers it [31m\n"); /* nothing that moves a terminal's cursor */
	has(t, text, "flyball explain 01KA\n");
	EXPECT(!strstr(text, "nan") && !strstr(text, "Over"));
}

TEST(an_action_that_waits_says_for_what) {
	const char *text = card(
		t, card_action,
		"{\"action\":\"01KB\",\"state\":\"waiting\",\"decision\":\"ask\",\"mode\":\"approve\",\"handler\":\"restart\","
		"\"attempt\":1,\"summary\":\"restart Deployment shop/pay\",\"gates\":[{\"verdict\":\"wait\",\"reason\":\"its "
		"cooldown lasts 2m "
		"more\"},{\"verdict\":\"pass\",\"reason\":\"fine\"}],\"times\":{\"planned\":\"2026-01-05T10:00:02Z\"}}");
	has(t, text, "What      restart Deployment shop/pay\nHandler   restart, mode approve, attempt 1\n");
	has(t, text, "Waits     its cooldown lasts 2m more\n");
	has(t, text, "flyball approve 01KB, or flyball reject 01KB\n");
	EXPECT(!strstr(text, "fine"));
	has(t, card(t, card_action, "{\"gates\":[{\"verdict\":\"deny\",\"reason\":\"policy\"}]}"), "Refused   policy\n");
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
