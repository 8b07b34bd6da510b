#include "model/schema_check.h"

#include <string.h>

#include "base/test.h"
#include "model/action.h"
#include "model/event.h"
#include "model/signal.h"

static enum err check(struct t *t, const char *schema, const char *value, struct why *why) {
	const struct json *s = NULL, *v = NULL;
	EXPECT_OK(json_parse(t->arena, str_of(schema), &s, why));
	EXPECT_OK(json_parse(t->arena, str_of(value), &v, why));
	return schema_check(s, v, why);
}

/* Each keyword passes what it should and refuses what it should. The cases follow the examples of the
 * specification (json-schema.org, draft 2020-12, validation). */
TEST(each_keyword_passes_and_refuses) {
	static const struct {
		const char *schema, *good, *bad;
	} cases[] = {
		{ "{\"type\":\"integer\"}", "3.0", "3.5" },
		{ "{\"type\":\"number\"}", "3.5", "\"3\"" },
		{ "{\"type\":[\"string\",\"null\"]}", "null", "false" },
		{ "{\"type\":\"boolean\"}", "false", "0" },
		{ "{\"required\":[\"a\"]}", "{\"a\":null}", "{\"b\":1}" },
		{ "{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"b\":1}", "{\"a\":1}" },
		{ "{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", "{\"a\":1,\"b\":1}" },
		{ "{\"additionalProperties\":{\"type\":\"null\"}}", "{\"a\":null}", "{\"a\":1}" },
		{ "{\"items\":{\"type\":\"string\"}}", "[\"a\"]", "[\"a\",1]" },
		{ "{\"enum\":[\"a\",null,[1,{\"x\":2,\"y\":3}]]}", "[1,{\"y\":3,\"x\":2}]", "[1,{\"x\":2}]" },
		{ "{\"const\":1}", "1.0", "true" },
		{ "{\"minimum\":0}", "0", "-0.1" },
		{ "{\"maximum\":1}", "1", "1.01" },
		{ "{\"minLength\":2}", "\"ab\"", "\"\xe2\x82\xac\"" },
		{ "{\"maxLength\":1}", "\"\xe2\x82\xac\"", "\"ab\"" },
		{ "{\"pattern\":\"^[0-9]+(ms|s)$\"}", "\"20ms\"", "\"20\"" },
		{ "{\"minItems\":1}", "[1]", "[]" },
		{ "{\"maxItems\":1}", "[1]", "[1,2]" },
		{ "{\"format\":\"date-time\"}", "\"2026-01-05T10:03:12Z\"", "\"2026-01-05\"" },
		{ "{\"anyOf\":[{\"type\":\"null\"},{\"minimum\":3}]}", "null", "2" },
		{ "{\"oneOf\":[{\"minimum\":3},{\"maximum\":5}]}", "6", "4" },
		{ "{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"type\":\"null\"}}}", "null", "1" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct why why = { "" };
		EXPECT_OK(check(t, cases[i].schema, cases[i].good, &why));
		EXPECT_ERR(check(t, cases[i].schema, cases[i].bad, &why), ERR_INVALID);
		EXPECT(why.text[0]);
	}
}

/* What cannot be checked is never taken for checked. */
TEST(a_schema_that_asks_more_is_refused) {
	static const char *const schemas[] = { "{\"multipleOf\":3}", "{\"format\":\"ipv4\"}", "{\"$ref\":\"other.json\"}",
		                                   "{\"$ref\":\"#/$defs/none\"}",
		                                   "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}" };
	for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
		struct why why = { "" };
		EXPECT_ERR(check(t, schemas[i], "\"x\"", &why), ERR_INVALID);
		EXPECT(strstr(why.text, "schema"));
	}
}

TEST(the_place_of_an_error_is_told) {
	struct why why = { "" };
	EXPECT_ERR(check(t, "{\"properties\":{\"a\":{\"items\":{\"properties\":{\"b\":{\"type\":\"string\"}}}}}}",
	                 "{\"a\":[{\"b\":\"x\"},{\"b\":1}]}", &why),
	           ERR_INVALID);
	EXPECT(strcmp(why.text, "a[1].b: is not of type string") == 0);
	EXPECT_ERR(
		check(t, "{\"properties\":{\"a\":{\"anyOf\":[{\"maximum\":1},{\"type\":\"null\"}]}}}", "{\"a\":2}", &why),
		ERR_INVALID);
	EXPECT(strcmp(why.text, "a: more than 1") == 0);
}

/* ---- the schemas of docs/events ---- */

#define ENVELOPE(type)                                                                                \
	"{\"specversion\":\"1.0\",\"id\":\"01JGXW4R8Q0000000000000000\",\"source\":\"/flyball/observe\"," \
	"\"type\":\"" type "\",\"subject\":\"service/payment\",\"time\":\"2026-01-05T10:03:12.250Z\","    \
	"\"datacontenttype\":\"application/json\",\"severity\":0.9,\"data\":"
#define ULID "\"01JGXW4R8Q0000000000000000\""
#define TIME "\"2026-01-05T10:03:12.250Z\""
#define SIGNAL_BODY                                                                                              \
	"\"entity\":\"service/payment\",\"signal\":\"duration\",\"state\":\"value\",\"value\":1.9,\"expected\":0.2," \
	"\"low\":0.1,\"high\":0.3,\"score\":4.2,\"onset\":" TIME ",\"onset_sd_s\":2,\"delivered\":" TIME             \
	",\"interval_s\":10"
#define CAUSE                                                                                                     \
	"{\"entity\":\"database/orders\",\"kind\":\"latency\",\"confidence\":0.8,\"metric\":null,\"onset\":" TIME     \
	",\"demand\":\"usual\",\"evidence\":[\"it slowed "                                                            \
	"first\"],\"target\":{\"service\":\"payment\",\"namespace\":\"shop\",\"workload\":"                           \
	"\"payment\",\"workload_kind\":\"Deployment\",\"pods\":[\"0d6b\"],\"pod_uid\":null},\"change\":{\"at\":" TIME \
	",\"entity\":\"service/payment\",\"from\":\"1.1\",\"to\":\"1.2\"}}"
#define KEY "\"65d26330c7b17761ff82dfe6dad76a96aa8c9bd3915f27e3b1a11c4b8f69bb77\""

static const struct {
	const char *name, *text;
} examples[] = {
	{ "ANOMALY_DETECTED", ENVELOPE("ANOMALY_DETECTED") "{" SIGNAL_BODY ",\"engine\":\"seasonal\",\"severity\":0.9}}" },
	{ "INCIDENT_OPENED",
	  ENVELOPE("INCIDENT_OPENED") "{\"incident\":" ULID ",\"opened\":" TIME ",\"onset\":null,\"delivered\":" TIME
	                              ",\"severity\":0.9,\"entities\":[\"service/payment\"],\"signals\":[{" SIGNAL_BODY
	                              "}],\"engine\":\"fused\"}}" },
	{ "RCA_REPORT",
	  ENVELOPE(
		  "RCA_REPORT") "{\"incident\":" ULID ",\"root_causes\":[" CAUSE
	                    "],\"none\":false,\"reason\":null,\"timeline\":[{\"at\":" TIME
	                    ",\"entity\":\"service/payment\",\"what\":\"duration left its band\"}],\"change_point\":" TIME
	                    ",\"traces\":[\"4bf92f3577b34da6a3ce929d0e0e4736\"],\"data_quality\":{\"signals\":9,"
	                    "\"with_value\":8,\"stale\":1,\"absent\":0,\"oldest_s\":12.5}}}" },
	{ "INCIDENT_RESOLVED",
	  ENVELOPE("INCIDENT_RESOLVED") "{\"incident\":" ULID ",\"resolved\":" TIME
	                                ",\"in_band_since\":null,\"how\":\"no_data\",\"signals\":[]}}" },
	{ "DATA_STALE", ENVELOPE("DATA_STALE") "{\"entity\":\"service/payment\",\"signals\":[\"rate\"],\"state\":\"stale\","
	                                       "\"last\":null,\"interval_s\":60}}" },
	{ "MODEL_STATE",
	  ENVELOPE("MODEL_STATE") "{\"model\":\"seasonal\",\"version\":\"3\",\"state\":\"learning\",\"reason\":"
	                          "null,\"progress\":0.42,\"eta_s\":10800}}" },
	{ "ACTION_PLANNED",
	  ENVELOPE("ACTION_PLANNED") "{\"action\":" ULID ",\"incident\":" ULID
	                             ",\"handler\":\"restart\",\"step\":\"1\",\"kind\":\"rollout_restart\",\"target\":{"
	                             "\"service\":\"payment\",\"namespace\":\"shop\",\"kind\":\"Deployment\",\"name\":"
	                             "\"payment\",\"uid\":\"0d6b\",\"generation\":3,\"mapped_by\":\"k8s.deployment.name\"},"
	                             "\"cause\":" CAUSE ",\"mode\":\"auto\",\"decision\":\"do\",\"summary\":\"restart it\","
	                             "\"gates\":[{\"name\":\"pause\",\"verdict\":\"pass\",\"reason\":\"not paused\","
	                             "\"inputs\":{\"scope\":\"\"}}],\"key\":" KEY
	                             ",\"attempt\":1,\"undo\":{\"any\":[1]}}}" },
	{ "APPROVAL_REQUESTED",
	  ENVELOPE("APPROVAL_REQUESTED") "{\"action\":" ULID ",\"incident\":" ULID
	                                 ",\"summary\":\"restart it\",\"expires\":" TIME ",\"default\":\"reject\"}}" },
	{ "ACTION_LOG", ENVELOPE("ACTION_LOG") "{\"action\":" ULID ",\"incident\":" ULID
	                                       ",\"state\":\"verified\",\"previous\":\"verifying\",\"at\":" TIME
	                                       ",\"why\":null,\"key\":" KEY ",\"attempt\":1,\"repeated\":false,"
	                                       "\"verification\":{\"ok\":true,\"since\":" TIME ",\"signals\":[]}}}" },
};
#define EXAMPLES (sizeof examples / sizeof *examples)

TEST(an_example_of_each_event_passes) {
	for (size_t i = 0; i < EXAMPLES; i++) {
		struct why why = { "" };
		enum err e = schema_check_event(EVENTS_DIR, str_of(examples[i].text), &why);
		if (e) fprintf(stderr, "%s: %s\n", examples[i].name, why.text);
		EXPECT_OK(e);
	}
}

/* Writes v without its member number `skip` (counted over the whole tree, in order); -1: whole. With
 * `extra`, that object gets a member that nobody knows instead. */
static void write_without(struct json_out *o, const struct json *v, int64_t *skip, bool extra) {
	if (v->kind == JSON_ARRAY) {
		json_begin_array(o);
		json_each(i, v) write_without(o, i, skip, extra);
		json_end_array(o);
		return;
	}
	if (v->kind != JSON_OBJECT) {
		json_put_value(o, v);
		return;
	}
	json_begin_object(o);
	json_each(m, v) {
		bool hit = (*skip)-- == 0;
		if (hit && extra) json_kv_int(o, "nobody_knows", 1);
		if (hit && !extra) continue;
		json_key_str(o, m->key);
		write_without(o, m, skip, extra);
	}
	json_end_object(o);
}

/* The schemas are strict: no member of any example may be left out, none added, but for the free objects. */
TEST(a_member_less_or_more_is_refused) {
	for (size_t i = 0; i < EXAMPLES; i++) {
		const struct json *v = NULL;
		EXPECT_OK(json_parse(t->arena, str_of(examples[i].text), &v, NULL));
		int64_t members = 0, passed_without = 0, passed_with = 0;
		for (int64_t left = -1, n = 0;; n++) {
			struct buf less, more;
			buf_init(&less, 0);
			buf_init(&more, 0);
			struct json_out o = json_out(&less), p = json_out(&more);
			left = n;
			write_without(&o, v, &left, false);
			bool beyond = left >= 0;
			left = n;
			write_without(&p, v, &left, true);
			passed_without += !beyond && schema_check_event(EVENTS_DIR, buf_get(&less), NULL) == OK;
			passed_with += !beyond && schema_check_event(EVENTS_DIR, buf_get(&more), NULL) == OK;
			buf_done(&less);
			buf_done(&more);
			members = n;
			if (beyond) break;
		}
		/* Optional: the extension `severity`. Free: a gate's `inputs`, and `undo`, both in ACTION_PLANNED. */
		bool planned = strcmp(examples[i].name, "ACTION_PLANNED") == 0;
		EXPECT(members > 10);
		EXPECT(passed_without == 1 + (planned ? 2 : 0));
		EXPECT(passed_with == (planned ? 2 : 0));
	}
}

/* Times are times, not words; enumerations know our names; shares stay in [0,1]. */
TEST(a_wrong_value_is_refused) {
	static const struct {
		const char *name, *from, *to;
	} cases[] = {
		{ "INCIDENT_OPENED", "\"opened\":" TIME, "\"opened\":\"noon\"" },
		{ "INCIDENT_OPENED", "\"entities\":[\"service/payment\"]", "\"entities\":[]" },
		{ "RCA_REPORT", "\"confidence\":0.8", "\"confidence\":80" },
		{ "RCA_REPORT", "\"demand\":\"usual\"", "\"demand\":\"less\"" },
		{ "RCA_REPORT", "\"kind\":\"latency\"", "\"kind\":\"slow\"" },
		{ "RCA_REPORT", "\"traces\":[\"4b", "\"traces\":[\"1\",\"2\",\"3\",\"4b" },
		{ "ACTION_LOG", "\"state\":\"verified\"", "\"state\":\"done\"" },
		{ "ACTION_PLANNED", "\"attempt\":1", "\"attempt\":0" },
		{ "ACTION_PLANNED", "\"verdict\":\"pass\"", "\"verdict\":\"ok\"" },
		{ "DATA_STALE", "\"state\":\"stale\"", "\"state\":\"gone\"" },
		{ "ANOMALY_DETECTED", "\"interval_s\":10", "\"interval_s\":-1" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *text = NULL;
		for (size_t j = 0; j < EXAMPLES; j++)
			if (strcmp(examples[j].name, cases[i].name) == 0) text = examples[j].text;
		const char *at = strstr(text, cases[i].from);
		EXPECT(at);
		struct str changed =
			str_printf(t->arena, "%.*s%s%s", (int)(at - text), text, cases[i].to, at + strlen(cases[i].from));
		EXPECT_ERR(schema_check_event(EVENTS_DIR, changed, NULL), ERR_INVALID);
	}
}

static const struct json *schema_of(struct t *t, const char *name) {
	const struct json *v = NULL;
	static char text[1 << 16];
	char path[512];
	snprintf(path, sizeof path, "%s/%s.schema.json", EVENTS_DIR, name);
	FILE *f = fopen(path, "rb");
	EXPECT(f);
	size_t n = fread(text, 1, sizeof text, f);
	fclose(f);
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, (struct str){ text, n }), &v, NULL));
	return v;
}

static struct str compact(struct t *t, const struct json *v) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_put_value(&o, v);
	struct str s = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return s;
}

/* What has one name in several schemas is one thing: a signal of INCIDENT_OPENED and of ACTION_LOG. */
TEST(a_definition_is_the_same_in_every_schema) {
	for (size_t i = 0; i < EXAMPLES; i++) {
		const struct json *mine = json_get(schema_of(t, examples[i].name), "$defs");
		EXPECT(mine && mine->count);
		for (size_t j = 0; j < i; j++) {
			const struct json *others = json_get(schema_of(t, examples[j].name), "$defs");
			json_each(def, mine) {
				const struct json *other = json_get_str(others, def->key);
				EXPECT(!other || str_eq(compact(t, def), compact(t, other)));
			}
		}
	}
}

static size_t count_known(struct t *t, const char *schema, const char *def, const char *const *names, size_t n) {
	const struct json *values = json_get(json_get(json_get(schema_of(t, schema), "$defs"), def), "enum");
	size_t known = 0;
	json_each(v, values) {
		for (size_t i = 0; i < n; i++) known += str_is(json_str(v), names[i]);
	}
	return values && values->count == n ? known : 0;
}

/* The enumerations of the schemas are those of the code. */
TEST(the_schemas_know_the_names_of_the_code) {
	const char *names[ACTION_STATES + ACTION_KINDS + SIGNAL_KINDS];
	for (int i = 0; i < ACTION_STATES; i++) names[i] = action_state_name((enum action_state)i);
	EXPECT(count_known(t, "ACTION_LOG", "action_state", names, ACTION_STATES) == ACTION_STATES);
	for (int i = 0; i < ACTION_KINDS; i++) names[i] = action_kind_name((enum action_kind)i);
	EXPECT(count_known(t, "ACTION_PLANNED", "action_kind", names, ACTION_KINDS) == ACTION_KINDS);
	for (int i = 0; i < SIGNAL_KINDS; i++) names[i] = signal_kind_name((enum signal_kind)i);
	EXPECT(count_known(t, "DATA_STALE", "signal_name", names, SIGNAL_KINDS) == SIGNAL_KINDS);
	for (int i = SIGNAL_ABSENT; i <= SIGNAL_VALUE; i++) names[i] = signal_state_name((enum signal_state)i);
	EXPECT(count_known(t, "DATA_STALE", "signal_state", names, 4) == 4);
}

RUN(each_keyword_passes_and_refuses, a_schema_that_asks_more_is_refused, the_place_of_an_error_is_told,
    an_example_of_each_event_passes, a_member_less_or_more_is_refused, a_wrong_value_is_refused,
    a_definition_is_the_same_in_every_schema, the_schemas_know_the_names_of_the_code)
