#include "model/event.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

static struct str random_text(struct t *t, size_t max) {
	static const char *const parts[] = { "a", "B", "/", "-", " ", "\"", "\\", "\n", "\t", "\x01", "é", "€", "𝄞", "{" };
	struct buf b;
	buf_init(&b, 0);
	buf_byte(&b, 'x');
	for (int64_t n = rng_below(&t->rng, (int64_t)max); n > 0; n--) buf_c(&b, parts[rng_below(&t->rng, 14)]);
	struct str s = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return s;
}

static struct str maybe_text(struct t *t) {
	return rng_below(&t->rng, 2) ? random_text(t, 20) : (struct str){ NULL, 0 };
}

static struct str written(struct t *t, const struct event *e) {
	struct buf b;
	buf_init(&b, 0);
	event_write(e, &b);
	EXPECT(!b.err);
	struct str s = str_copy(t->arena, buf_get(&b));
	buf_done(&b);
	return s;
}

static const char *const values[] = { "{\"a\":[1,2.50,{}]}", "null", "\"te\\\"xt\\\\\"", "1.50", "[]", "false", "" };

/* What is written is one line and reads back as the same event, data's text included. */
TEST(an_event_reads_back_as_it_was_written, .seeds = 300) {
	struct event e = { .id = random_text(t, 10), .source = random_text(t, 10), .type = random_text(t, 10) };
	e.subject = maybe_text(t);
	e.region = maybe_text(t);
	e.traceparent = maybe_text(t);
	e.idempotencykey = maybe_text(t);
	e.time.ns = rng_below(&t->rng, INT64_MAX / NS_PER_MS) * NS_PER_MS;
	e.severity = rng_below(&t->rng, 2) ? rng_unit(&t->rng) : (double)NAN;
	e.data = str_of(values[rng_below(&t->rng, 7)]);

	struct event got;
	struct why why;
	struct str text = written(t, &e);
	EXPECT(!memchr(text.p, '\n', text.n));
	EXPECT_OK(event_parse(t->arena, text, &got, &why));
	EXPECT(str_eq(got.id, e.id) && str_eq(got.source, e.source) && str_eq(got.type, e.type));
	EXPECT(str_eq(got.subject, e.subject) && str_eq(got.region, e.region) && str_eq(got.traceparent, e.traceparent));
	EXPECT(str_eq(got.idempotencykey, e.idempotencykey) && got.time.ns == e.time.ns && str_eq(got.data, e.data));
	EXPECT(isnan(e.severity) ? isnan(got.severity) : got.severity == e.severity);
	EXPECT(str_eq(written(t, &got), text));
}

TEST(line_breaks_in_data_are_left_out) {
	struct event e = { .id = STR("1"), .source = STR("/s"), .type = STR("T"), .severity = (double)NAN };
	e.data = STR("{\r\n  \"a\": \"b\\nc\",\n  \"d\": [1,\n2]\n}");
	EXPECT(str_is(written(t, &e), "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\","
	                              "\"datacontenttype\":\"application/json\","
	                              "\"data\":{  \"a\": \"b\\nc\",  \"d\": [1,2]}}"));
}

#define OPENING "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\""

TEST(what_others_send_is_read) {
	struct event e;
	EXPECT_OK(event_parse(t->arena, STR(OPENING "}"), &e, NULL));
	EXPECT(isnan(e.severity) && !e.time.ns && !e.data.n && !e.subject.n);
	EXPECT_OK(event_parse(t->arena,
	                      STR(OPENING ",\"comexample\":1,\"datacontenttype\":\"application/json; charset=utf-8\","
	                                  "\"time\":\"2026-01-05T11:03:12.25+01:00\",\"data\": \"x\\u0041\" }"),
	                      &e, NULL));
	EXPECT(e.time.ns == INT64_C(1767607392250000000));
	EXPECT(str_is(e.data, "\"x\\u0041\""));
	EXPECT_OK(event_parse(t->arena, STR(OPENING ",\"datacontenttype\":\"application/cloudevents+json\"}"), &e, NULL));
}

/* Each is refused, and the sentence names the field. */
TEST(what_is_no_event_is_refused_by_field) {
	static const struct {
		const char *text, *names;
	} cases[] = {
		{ "[]", "object" },
		{ "{\"specversion\":\"1.0\"}", "'id'" },
		{ "{\"id\":\"1\"}", "'specversion'" },
		{ "{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"T\"}", "'specversion'" },
		{ "{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/s\",\"type\":\"T\"}", "'id'" },
		{ "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":2,\"type\":\"T\"}", "'source'" },
		{ "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\"}", "'type'" },
		{ OPENING ",\"time\":\"yesterday\"}", "'time'" },
		{ OPENING ",\"severity\":1.01}", "'severity'" },
		{ OPENING ",\"severity\":\"1\"}", "'severity'" },
		{ OPENING ",\"subject\":null}", "'subject'" },
		{ OPENING ",\"datacontenttype\":\"text/xml\"}", "'datacontenttype'" },
		{ OPENING ",\"data_base64\":\"AA==\"}", "'data_base64'" },
		{ OPENING ",\"id\":\"2\"}", "twice" },
		{ OPENING, "byte" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct event e;
		struct why why = { "" };
		EXPECT_ERR(event_parse(t->arena, str_of(cases[i].text), &e, &why), ERR_INVALID);
		EXPECT(strstr(why.text, cases[i].names));
	}
}

TEST(an_event_over_the_limit_is_refused) {
	struct event e;
	char *text = arena_take(t->arena, EVENT_BYTES_MAX + 1, 1);
	memset(text, ' ', EVENT_BYTES_MAX + 1);
	EXPECT_ERR(event_parse(t->arena, (struct str){ text, EVENT_BYTES_MAX + 1 }, &e, NULL), ERR_TOO_LARGE);
	memcpy(text, OPENING "}", sizeof OPENING);
	EXPECT_OK(event_parse(t->arena, (struct str){ text, EVENT_BYTES_MAX }, &e, NULL));
}

TEST(a_type_and_its_name_are_one_to_one) {
	for (int i = EVENT_OTHER + 1; i < EVENT_TYPES; i++) {
		enum event_type type = (enum event_type)i;
		EXPECT(event_type_of(str_of(event_type_name(type))) == type);
	}
	EXPECT(event_type_of(STR("ANOMALY_EVENT")) == EVENT_ANOMALY_DETECTED);
	EXPECT(event_type_of(STR("Object Created")) == EVENT_OTHER);
	EXPECT(event_type_of(STR("OTHER")) == EVENT_OTHER);
}

/* By the specification's example 1469918176385 ms is 01ARYZ6S41; whatever the chance, a later
 * millisecond sorts later, and two of one millisecond differ. */
TEST(ulids_sort_by_time_and_differ, .seeds = 200) {
	char a[ULID_LEN + 1], b[ULID_LEN + 1], c[ULID_LEN + 1];
	struct wall at = { INT64_C(1767607392250000000) + rng_below(&t->rng, NS_PER_DAY * 365) };
	ulid_make((struct wall){ INT64_C(1469918176385999999) }, &t->rng, c);
	EXPECT(memcmp(c, "01ARYZ6S41", 10) == 0);
	ulid_make(at, &t->rng, a);
	ulid_make((struct wall){ at.ns + NS_PER_MS }, &t->rng, b);
	ulid_make(at, &t->rng, c);
	EXPECT(strlen(a) == ULID_LEN && strcmp(a, b) < 0 && strcmp(a, c) != 0 && memcmp(a, c, 10) == 0);
	EXPECT(strspn(a, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == ULID_LEN);
}

RUN(an_event_reads_back_as_it_was_written, line_breaks_in_data_are_left_out, what_others_send_is_read,
    what_is_no_event_is_refused_by_field, an_event_over_the_limit_is_refused, a_type_and_its_name_are_one_to_one,
    ulids_sort_by_time_and_differ)
