/* Spans and logs. */
#include "ingest/test_reading.h"

static void span(struct request_out *o, struct str trace, struct str id, struct str parent, uint64_t start,
                 uint64_t end) {
	request_begin(o, 2);
	request_text(o, 1, trace);
	request_text(o, 2, id);
	if (parent.p) request_text(o, 4, parent);
	request_fixed64(o, 7, start);
	request_fixed64(o, 8, end);
	request_end(o);
}

TEST(spans_without_ids_or_times_are_left_out) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	static const char zeros[16];
	struct str trace = STR("0123456789abcdef"), id = STR("01234567"), none = { NULL, 0 };
	request_begin(o, 1);
	request_begin(o, 2);
	span(o, STR("0123456789abcde"), id, none, 1, 2);
	span(o, (struct str){ zeros, 16 }, id, none, 1, 2);
	span(o, trace, STR("0123456"), none, 1, 2);
	span(o, trace, (struct str){ zeros, 8 }, none, 1, 2);
	span(o, trace, id, STR("0123"), 1, 2);
	request_end(o);
	request_end(o);
	reject_one(t, r, OTLP_TRACES, OTLP_IDS, 5);

	request_begin(o, 1);
	request_begin(o, 2);
	span(o, trace, id, none, 0, 2);
	span(o, trace, id, none, 3, 2);
	span(o, trace, id, none, 1, UINT64_MAX);
	request_end(o);
	request_end(o);
	reject_one(t, r, OTLP_TRACES, OTLP_TIME, 3);

	request_begin(o, 1);
	request_begin(o, 2);
	span(o, trace, id, (struct str){ zeros, 8 }, 1, 1);
	span(o, trace, id, STR("abcdefgh"), 1, 2);
	request_end(o);
	request_end(o);
	EXPECT_LINES(r, OTLP_TRACES,
	             "span r{} 30313233343536373839616263646566 3031323334353637 0000000000000000 1 0 1 1 0 \"\" a{}\n"
	             "span r{} 30313233343536373839616263646566 3031323334353637 6162636465666768 1 0 1 2 0 \"\" a{}\n");
	EXPECT(r->result.unweighted == 2);
	done(r);
}

TEST(a_span_counts_by_its_threshold_else_by_the_operators_word) {
	static const struct {
		const char *state;
		bool unsampled;
		double weight;
		int64_t unweighted, inconsistent;
	} cases[] = {
		{ "", false, 0, 1, 0 },
		{ "", true, 1, 0, 0 },
		{ "ot=th:c", false, 4, 0, 0 },
		{ "ot=th:c", true, 4, 0, 0 },
		{ "ot=th:0", false, 1, 0, 0 },
		{ "ot=th:c;rv:00000000000000", false, 0, 1, 1 },
		{ "ot=th:c;rv:00000000000000", true, 0, 1, 1 },
		{ "x=y", true, 1, 0, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reading *r = fresh(t, cases[i].unsampled);
		weighted(&r->out, cases[i].state);
		struct str got = lines(t, r, OTLP_TRACES);
		struct str want = str_printf(t->arena, " 1 0 1 2 %.17g ", cases[i].weight);
		EXPECT(strstr(str_c(t->arena, got), want.p));
		EXPECT(r->result.unweighted == cases[i].unweighted && r->result.inconsistent == cases[i].inconsistent);
		done(r);
	}
}

TEST(logs_have_a_time_and_a_severity_wherever_they_come_from) {
	static const struct {
		uint64_t at, observed, severity;
		const char *text, *line;
	} cases[] = {
		{ 5, 6, 13, "whatever", " 5 13 " }, { 0, 6, 0, "error", " 6 17 " }, { 0, 0, 0, "Warning", " 77 13 " },
		{ 5, 0, 99, "FATAL", " 5 21 " },    { 5, 0, 0, "loud", " 5 0 " },   { 5, 0, UINT64_MAX, "", " 5 0 " },
		{ 5, 0, 0, "INF", " 5 0 " },        { 5, 0, 0, "INFOS", " 5 0 " },
	};
	struct reading *r = fresh(t, false);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		log_of(&r->out, cases[i].at, cases[i].observed, cases[i].severity, cases[i].text, STR("text"));
		struct str want = str_printf(t->arena,
		                             "log r{}%s00000000000000000000000000000000 0000000000000000 \"text\" "
		                             "a{\"event.name\"=\"device.app\"}\n",
		                             cases[i].line);
		EXPECT_LINES(r, OTLP_LOGS, want.p);
	}
	log_of(&r->out, UINT64_MAX, 0, 0, "", STR("x"));
	reject_one(t, r, OTLP_LOGS, OTLP_TIME, 1);
	done(r);
}

TEST(a_long_text_is_cut_between_two_characters, .seeds = 20) {
	struct reading *r = fresh(t, false);
	size_t n = OTLP_LOG_BODY_MAX + (size_t)rng_below(&t->rng, 1000);
	char *p = arena_take(t->arena, n + 3, 1);
	size_t at = 0;
	while (at < n) {
		bool wide = rng_below(&t->rng, 2);
		memcpy(p + at, wide ? "\xe6\x97\xa5" : "abc", 3);
		at += wide ? 3 : 1 + (size_t)rng_below(&t->rng, 3);
	}
	log_of(&r->out, 1, 0, 0, "", (struct str){ p, at });
	struct packed *b;
	EXPECT_OK(decode(t, r, OTLP_LOGS, request_bytes(&r->out)));
	EXPECT_OK(pack_end(r->p, &b, &r->batches));
	struct batch_reader *reader = arena_new(t->arena, struct batch_reader);
	struct batch_record got;
	EXPECT_OK(batch_open(reader, buf_get(&b[0].bytes), NULL));
	do EXPECT_OK(batch_next(reader, &got));
	while (got.type != BATCH_LOG);
	bool cut = at > OTLP_LOG_BODY_MAX;
	EXPECT(r->result.bodies_cut == cut && str_is_utf8(got.log.body));
	EXPECT(cut ? got.log.body.n <= OTLP_LOG_BODY_MAX && got.log.body.n > OTLP_LOG_BODY_MAX - 4 : got.log.body.n == at);
	EXPECT(memcmp(got.log.body.p, p, got.log.body.n) == 0);
	done(r);
}

RUN(spans_without_ids_or_times_are_left_out, a_span_counts_by_its_threshold_else_by_the_operators_word,
    logs_have_a_time_and_a_severity_wherever_they_come_from, a_long_text_is_cut_between_two_characters)
