#include "api/story.h"

#include "base/test.h"

#define GATES                                                                                               \
	"\"gates\":[{\"name\":\"policy\",\"verdict\":\"pass\",\"reason\":\"no rule denies it\",\"inputs\":{}}," \
	"{\"name\":\"attempts_cooldown_rate\",\"verdict\":\"%s\",\"reason\":\"its cooldown lasts 2m "           \
	"more\",\"inputs\":{}}]"

static const struct json *parse(struct t *t, struct str text) {
	const struct json *v = NULL;
	struct why why = { "" };
	if (json_parse(t->arena, text, &v, &why)) test_fail(t, __FILE__, __LINE__, why.text);
	return v;
}

static const struct json *incident(struct t *t, const char *state, const char *more) {
	return parse(
		t,
		str_printf(
			t->arena,
			"{\"id\":\"I\",\"state\":\"%s\",\"opened\":\"2026-01-05T10:00:12Z\",\"onset\":\"2026-01-05T10:00:02Z\","
			"\"severity\":0.8,\"subject\":\"service/pay\",\"entities\":[\"service/pay\",\"service/web\"],"
			"\"signals\":[{\"entity\":\"service/pay\",\"signal\":\"duration\",\"state\":\"value\",\"value\":0.9123,"
			"\"expected\":0.05,\"low\":0,\"high\":0.1,\"score\":4.2},{\"entity\":\"service/web\",\"signal\":\"rate\","
			"\"state\":\"absent\",\"value\":null,\"expected\":20,\"low\":15,\"high\":25,\"score\":null}]%s}",
			state, more));
}

static const struct json *action(struct t *t, const char *state, const char *mode, const char *decision,
                                 const char *verdict) {
	return parse(
		t, str_printf(
			   t->arena,
			   "{\"action\":\"A\",\"incident\":\"I\",\"handler\":\"restart\",\"mode\":\"%s\",\"decision\":\"%s\","
			   "\"state\":\"%s\",\"summary\":\"restart Deployment shop/pay\",\"attempt\":1,\"key\":\"ff\"," GATES
			   ",\"times\":{\"planned\":\"2026-01-05T10:00:30Z\",\"expires\":\"2026-01-05T10:15:30Z\"},"
			   "\"target\":{\"kind\":\"Deployment\",\"namespace\":\"shop\",\"name\":\"pay\",\"mapped_by\":\"labels\"},"
			   "\"log\":[{\"state\":\"%s\",\"at\":\"2026-01-05T10:00:31Z\",\"why\":\"words\",\"emit\":5}]}",
			   mode, decision, state, verdict, state));
}

static const struct json *story(struct t *t, const struct json *in, const struct json *act, char **text) {
	struct buf out;
	const struct json *acts[] = { act };
	struct story_facts f = { .incident = in, .actions = acts, .action_count = act ? 1 : 0 };
	buf_init(&out, 0);
	story_write(t->arena, &f, &out);
	EXPECT_OK(out.err);
	const struct json *v = parse(t, str_copy(t->arena, buf_get(&out)));
	*text = str_c(t->arena, json_str(json_get(v, "text")));
	buf_done(&out);
	return v;
}

#define RCA                                                                                                            \
	",\"rca_at\":\"2026-01-05T10:00:20Z\",\"rca\":{\"root_causes\":[{\"entity\":\"service/pay\",\"kind\":\"latency\"," \
	"\"confidence\":0.9,\"evidence\":[\"it rose "                                                                      \
	"first\"]},{\"entity\":\"service/web\",\"kind\":\"errors\",\"confidence\":0.3}]}"

TEST(it_begins_at_the_beginning_and_shows_what_was_seen) {
	char *text;
	const struct json *v = story(t, incident(t, "open", RCA), NULL, &text);
	EXPECT_HAS(str_of(text), "Incident I: latency of service/pay\nIt is open.\n");
	EXPECT_HAS(str_of(text), "2026-01-05, times in UTC\n10:00:02.0  it began");
	EXPECT_HAS(str_of(text), "10:00:12.0  found: severity 0.80 of 1, at service/pay, service/web\n");
	EXPECT_HAS(str_of(text), "              service/pay: duration 912 ms, usually 50 ms (normal up to 100 ms)\n");
	EXPECT_HAS(
		str_of(text),
		"service/web: rate no data (absent), usually 20/s (normal from 15/s to 25/s)\n"); /* no data is never zero */
	EXPECT_HAS(str_of(text), "cause: latency of service/pay, 90 % sure\n              - it rose first\n");
	EXPECT_HAS(str_of(text), "also suspected: errors of service/web, 30 % sure");
	(void)story(t, incident(t, "open", ""), NULL, &text);
	EXPECT_HAS(str_of(text), "Incident I: a fault at service/pay\nIt is open. Its cause is not known.\n");
	(void)story(t, incident(t, "open", RCA), action(t, "told", "auto", "tell", "pass"), &text);
	EXPECT_HAS(str_of(text), "said, not done: there is no target to act on\n");
	int64_t last = 0;
	json_each(m, json_get(v, "story")) {
		struct wall at;
		struct str s = json_str(json_get(m, "at"));
		EXPECT(wall_parse(s.p, s.n, &at) && at.ns >= last);
		last = at.ns;
	}
}

TEST(it_says_what_would_have_been_needed) {
	static const struct {
		const char *state, *mode, *decision, *verdict, *needed;
	} cases[] = {
		{ "waiting", "auto", "wait", "wait",
		  "time since the last action, or more attempts for the handler (its cooldown lasts 2m more)" },
		{ "waiting", "approve", "ask", "pass", "an approval before 2026-01-05T10:15:30Z: flyball approve A" },
		{ "told", "observe", "tell", "pass", "mode: approve or mode: auto for handler restart" },
		{ "told", "auto", "tell", "pass", "target: in the configuration" },
		{ "refused", "auto", "refuse", "deny", "more attempts for the handler" },
		{ "expired", "approve", "ask", "pass", "an approval in time" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text;
		const struct json *v =
			story(t, incident(t, "open", RCA),
		          action(t, cases[i].state, cases[i].mode, cases[i].decision, cases[i].verdict), &text);
		EXPECT_HAS(str_of(text), cases[i].needed);
		EXPECT_HAS(str_of(text), i < 2 ? "For it to go on, this is needed:" : "this was needed:");
		EXPECT(json_get(v, "needed")->count == 1);
		EXPECT_HAS(str_of(text), "ok    policy                 no rule denies it\n");
	}
}

TEST(what_was_done_needs_nothing) {
	char *text;
	const struct json *v =
		story(t, incident(t, "resolved", RCA ",\"resolved\":\"2026-01-05T11:03:13Z\",\"how\":\"in_band\""),
	          action(t, "verified", "auto", "do", "pass"), &text);
	EXPECT(json_get(v, "needed")->count == 0);
	EXPECT_HAS(str_of(text), "It is corrected and verified, 1 h 3 min after it was found.\n");
	EXPECT_HAS(str_of(text), "10:00:31.0  checked before acting (attempt 1): do it\n");
	EXPECT_HAS(str_of(text), "VERIFIED: words");
	EXPECT_HAS(str_of(text), "on Deployment shop/pay, found by labels");
}

TEST(an_escalation_says_why_and_what_is_needed) {
	static const char *const kinds[] = {
		"no_cause", "no_target", "no_remedy", "unsure", "exhausted", "person", "silent"
	};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char *text;
		struct str more = str_printf(
			t->arena, ",\"escalation\":{\"kind\":\"%s\",\"why\":\"the reason\",\"at\":\"2026-01-05T10:00:40Z\"}",
			kinds[i]);
		const struct json *v = story(t, incident(t, "escalated", more.p), NULL, &text);
		EXPECT_HAS(str_of(text), "handed to a person: the reason");
		EXPECT(json_get(v, "needed")->count == 1);
	}
}

/* A row of another version, or one that was cut: what is missing is left out, and nothing else happens. */
TEST(missing_pieces_are_left_out, .seeds = 500) {
	static const char *const values[] = { "null", "1",          "\"x\"",     "[]",   "{}",
		                                  "[{}]", "{\"at\":7}", "[\"a\",3]", "true", "\"2026-01-05T10:00:40Z\"" };
	static const char *const keys[] = { "id",     "opened", "onset",    "severity",   "entities", "signals", "rca",
		                                "rca_at", "how",    "resolved", "escalation", "log",      "gates",   "times",
		                                "target", "state",  "action",   "result",     "ack" };
	struct buf b;
	char *text;
	buf_init(&b, 0);
	buf_byte(&b, '{');
	for (size_t i = 0, n = 0; i < sizeof keys / sizeof *keys; i++)
		if (rng_below(&t->rng, 3))
			buf_printf(&b, "%s\"%s\":%s", n++ ? "," : "", keys[i],
			           values[rng_below(&t->rng, sizeof values / sizeof *values)]);
	buf_byte(&b, '}');
	const struct json *v = parse(t, str_copy(t->arena, buf_get(&b)));
	EXPECT(story(t, rng_below(&t->rng, 4) ? v : NULL, v, &text)->kind == JSON_OBJECT);
	buf_done(&b);
}

RUN(it_begins_at_the_beginning_and_shows_what_was_seen, it_says_what_would_have_been_needed,
    what_was_done_needs_nothing, an_escalation_says_why_and_what_is_needed, missing_pieces_are_left_out)
