/* What all three readers share: values, attributes, malformed requests, and any order of fields. */
#include <math.h>

#include "ingest/test_reading.h"

static void any(struct request_out *o, int kind, int depth) {
	if (kind == 0) request_text(o, 1, STR("text"));
	if (kind == 1) request_varint(o, 2, 1);
	if (kind == 2) request_varint(o, 3, (uint64_t)-5);
	if (kind == 3) request_double(o, 4, 0.1);
	if (kind == 4 || kind == 5) {
		request_begin(o, (uint32_t)kind + 1);
		request_begin(o, 1);
		if (kind == 5) {
			request_text(o, 1, STR("key"));
			request_begin(o, 2);
		}
		any(o, depth > 0 ? kind : 1, depth - 1);
		if (kind == 5) request_end(o);
		request_end(o);
		request_end(o);
	}
	if (kind == 6) request_text(o, 7, (struct str){ "\0\xff", 2 });
	if (kind == 8) request_double(o, 4, -INFINITY);
	if (kind == 9) request_double(o, 4, 3);
}

static void attr_of(struct request_out *o, const char *key, int kind, int depth) {
	request_begin(o, 1);
	request_text(o, 1, str_of(key));
	request_begin(o, 2);
	any(o, kind, depth);
	request_end(o);
	request_end(o);
}

TEST(every_kind_of_value_has_a_text) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	request_begin(o, 1);
	request_begin(o, 2);
	request_begin(o, 2);
	request_fixed64(o, 1, 1);
	request_end(o);
	request_end(o);
	request_begin(o, 1); /* the resource, behind what belongs to it */
	for (int i = 0; i < 10; i++) attr_of(o, str_printf(t->arena, "k%d", i).p, i, 1);
	request_end(o);
	request_end(o);
	EXPECT_LINES(r, OTLP_LOGS,
	             "log r{\"k0\"=\"text\",\"k1\"=\"true\",\"k2\"=\"-5\",\"k3\"=\"0.1\",\"k4\"=\"[[true]]\","
	             "\"k5\"=\"{\\x22key\\x22:{\\x22key\\x22:true}}\",\"k6\"=\"AP8=\",\"k7\"=\"\",\"k8\"=\"-Infinity\","
	             "\"k9\"=\"3\"} "
	             "1 0 00000000000000000000000000000000 0000000000000000 \"\" a{}\n");
	done(r);
}

/* Lists take two messages of the builder for each level, so that its own bound is not reached. */
TEST(values_nested_too_deeply_are_malformed) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	for (int over = 0; over < 2; over++) {
		request_begin(o, 1);
		request_begin(o, 1);
		attr_of(o, "k", 4, OTLP_DEPTH_MAX - 2 + over);
		request_end(o);
		request_end(o);
		EXPECT_ERR(decode(t, r, OTLP_LOGS, request_bytes(o)), over ? ERR_INVALID : OK);
		buf_clear(&o->level[0]);
	}
	EXPECT(strstr(r->why.text, "nested too deeply"));
	done(r);
}

/* 128 are taken, 129 are not: of the point, of the span, of the log; of the resource for all below it. */
TEST(attributes_are_bounded_and_the_records_counted) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	for (int n = ATTRS_MAX; n <= ATTRS_MAX + 1; n++) {
		for (int of_resource = 0; of_resource < 2; of_resource++) {
			for (enum otlp_signal s = 0; s < OTLP_SIGNALS; s++) {
				request_begin(o, 1);
				request_begin(o, 1);
				for (int i = 0; of_resource && i < n; i++)
					request_attr(o, 1, str_printf(t->arena, "db.%d", i), STR("v"));
				request_end(o);
				request_begin(o, 2);
				request_begin(o, 2);
				if (s == OTLP_METRICS) {
					request_text(o, 1, STR("m"));
					request_begin(o, GAUGE);
					request_begin(o, 1);
					request_double(o, 4, 1);
				}
				uint32_t number = s == OTLP_METRICS ? 7 : s == OTLP_LOGS ? 6 : 9;
				for (int i = 0; !of_resource && i < n; i++)
					request_attr(o, number, str_printf(t->arena, "db.%d", i), STR("v"));
				request_fixed64(o, s == OTLP_METRICS ? 3 : s == OTLP_LOGS ? 1 : 7, 1);
				if (s == OTLP_METRICS) {
					request_end(o);
					request_end(o);
				}
				if (s == OTLP_TRACES) {
					request_text(o, 1, STR("0123456789abcdef"));
					request_text(o, 2, STR("01234567"));
					request_fixed64(o, 8, 1);
				}
				for (int i = 0; i < 3; i++) request_end(o);
				if (n > ATTRS_MAX) {
					reject_one(t, r, s, OTLP_ATTRIBUTES, 1);
				} else {
					lines(t, r, s);
					EXPECT(r->result.accepted == 1);
				}
			}
		}
	}
	done(r);
}

static void expect_malformed(struct t *t, struct reading *r, enum otlp_signal s, const char *says) {
	EXPECT_ERR(decode(t, r, s, request_bytes(&r->out)), ERR_INVALID);
	if (!strstr(r->why.text, says)) fprintf(stderr, "%s\n", r->why.text);
	EXPECT(strstr(r->why.text, says));
	buf_clear(&r->out.level[0]);
}

TEST(strings_that_are_not_utf8_are_malformed_wherever_they_are_read) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	struct str bad = { "\xc3(", 2 };
	for (int i = 0; i < 3; i++) { /* a key, a value, a metric's name */
		begin_metric(o, "m", GAUGE);
		request_begin(o, 1);
		request_attr(o, 7, i == 0 ? bad : STR("k"), i == 1 ? bad : STR("v"));
		times(o);
		request_end(o);
		request_end(o);
		if (i == 2) request_text(o, 1, bad);
		for (int k = 0; k < 3; k++) request_end(o);
		expect_malformed(t, r, OTLP_METRICS, "not UTF-8");
	}
	log_of(o, 1, 0, 0, "", bad);
	expect_malformed(t, r, OTLP_LOGS, "not UTF-8");
	weighted(o, "\xff");
	expect_malformed(t, r, OTLP_TRACES, "not UTF-8");
	done(r);
}

/* Each known field once as something else. */
TEST(a_known_field_of_another_wire_type_is_malformed) {
	static const struct {
		enum otlp_signal s;
		uint32_t path[6]; /* messages on the way, 0 ends */
		uint32_t number;
		bool varint; /* it is one; then a string is sent, else a varint */
	} fields[] = {
		{ OTLP_METRICS, { 0 }, 1, false },
		{ OTLP_METRICS, { 1, 0 }, 1, false },
		{ OTLP_METRICS, { 1, 0 }, 2, false },
		{ OTLP_METRICS, { 1, 1, 0 }, 1, false },
		{ OTLP_METRICS, { 1, 1, 1, 0 }, 1, false },
		{ OTLP_METRICS, { 1, 1, 1, 0 }, 2, false },
		{ OTLP_METRICS, { 1, 1, 1, 2, 0 }, 1, false },
		{ OTLP_METRICS, { 1, 1, 1, 2, 0 }, 2, true },
		{ OTLP_METRICS, { 1, 2, 0 }, 1, false },
		{ OTLP_METRICS, { 1, 2, 0 }, 2, false },
		{ OTLP_METRICS, { 1, 2, 2, 0 }, 1, false },
		{ OTLP_METRICS, { 1, 2, 2, 0 }, 7, false },
		{ OTLP_METRICS, { 1, 2, 2, 7, 0 }, 1, false },
		{ OTLP_METRICS, { 1, 2, 2, 7, 0 }, 2, true },
		{ OTLP_METRICS, { 1, 2, 2, 7, 0 }, 3, true },
		{ OTLP_METRICS, { 1, 2, 2, 5, 1, 0 }, 3, false },
		{ OTLP_METRICS, { 1, 2, 2, 5, 1, 0 }, 4, false },
		{ OTLP_METRICS, { 1, 2, 2, 5, 1, 0 }, 7, false },
		{ OTLP_METRICS, { 1, 2, 2, 5, 1, 0 }, 8, true },
		{ OTLP_LOGS, { 1, 2, 2, 0 }, 1, false },
		{ OTLP_LOGS, { 1, 2, 2, 0 }, 2, true },
		{ OTLP_LOGS, { 1, 2, 2, 0 }, 5, false },
		{ OTLP_LOGS, { 1, 2, 2, 0 }, 6, false },
		{ OTLP_LOGS, { 1, 2, 2, 0 }, 11, false },
		{ OTLP_TRACES, { 1, 2, 2, 0 }, 1, false },
		{ OTLP_TRACES, { 1, 2, 2, 0 }, 3, false },
		{ OTLP_TRACES, { 1, 2, 2, 0 }, 6, true },
		{ OTLP_TRACES, { 1, 2, 2, 0 }, 7, false },
		{ OTLP_TRACES, { 1, 2, 2, 0 }, 9, false },
		{ OTLP_TRACES, { 1, 2, 2, 0 }, 11, false },
		{ OTLP_TRACES, { 1, 2, 2, 0 }, 15, false },
		{ OTLP_TRACES, { 1, 2, 2, 11, 0 }, 3, false },
		{ OTLP_TRACES, { 1, 2, 2, 15, 0 }, 3, true },
	};
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		int depth = 0;
		while (fields[i].path[depth]) {
			request_begin(o, fields[i].path[depth]);
			/* A metric wants a name, or its points are not looked at. */
			if (depth++ == 2 && fields[i].path[3] == 5) request_text(o, 1, STR("m"));
		}
		if (fields[i].varint) {
			request_text(o, fields[i].number, STR("x"));
		} else {
			request_varint(o, fields[i].number, 1);
		}
		while (depth--) request_end(o);
		enum err e = decode(t, r, fields[i].s, request_bytes(o));
		if (e != ERR_INVALID) fprintf(stderr, "field %zu was taken\n", i);
		EXPECT_ERR(e, ERR_INVALID);
		buf_clear(&o->level[0]);
	}
	done(r);
}

/* A message's fields, moved about at random (those of one number keep their order) with unknown ones
 * between: a reader that follows the format gives the same records. */
struct field {
	uint32_t number;
	struct str bytes; /* tag and all */
};

static bool is_message(enum otlp_signal s, int depth, uint32_t number) {
	if (depth == 0) return number == 1;
	if (depth == 1) return number <= 2;
	if (depth == 2) return number <= 2;
	if (s == OTLP_METRICS && depth == 3) return number >= GAUGE && number <= SUMMARY && number != 6 && number != 8;
	return s == OTLP_METRICS && depth == 4 && number == 1;
}

static void unknown(struct t *t, struct buf *out) {
	switch (rng_below(&t->rng, 4)) {
	case 0:
		buf_add(out,
		        "\xa2\x1f\x03"
		        "abc",
		        6);
		break;                                          /* 500: bytes */
	case 1: buf_add(out, "\xa0\x1f\xff\x01", 4); break; /* 500: varint */
	case 2:
		buf_add(out,
		        "\xa1\x1f"
		        "12345678",
		        10);
		break; /* 500: fixed64 */
	case 3:
		buf_add(out,
		        "\xa5\x1f"
		        "1234",
		        6);
		break; /* 500: fixed32 */
	}
}

static struct str mixed(struct t *t, enum otlp_signal s, struct str message, int depth) {
	enum { MOST = 600 };
	struct field *f = arena_array(t->arena, struct field, MOST);
	size_t n = 0;
	const unsigned char *p = (const unsigned char *)message.p, *end = p + message.n;
	while (p < end && n < MOST) {
		const unsigned char *begin = p;
		uint64_t tag = 0, len = 0;
		for (int shift = 0;; shift += 7) {
			tag |= (uint64_t)(*p & 0x7f) << shift;
			if (*p++ < 0x80) break;
		}
		if ((tag & 7) == 0) {
			while (*p++ >= 0x80) {}
		}
		if ((tag & 7) == 1) p += 8;
		if ((tag & 7) == 5) p += 4;
		struct buf out;
		buf_init(&out, 0);
		if ((tag & 7) == 2) {
			for (int shift = 0;; shift += 7) {
				len |= (uint64_t)(*p & 0x7f) << shift;
				if (*p++ < 0x80) break;
			}
			struct str inner = { (const char *)p, len };
			p += len;
			if (is_message(s, depth, (uint32_t)(tag >> 3))) {
				inner = mixed(t, s, inner, depth + 1);
				buf_byte(&out, (unsigned char)tag);
				for (uint64_t v = inner.n;; v >>= 7) {
					buf_byte(&out, (unsigned char)(v > 0x7f ? v | 0x80 : v));
					if (v <= 0x7f) break;
				}
				buf_str(&out, inner);
			}
		}
		if (out.n == 0) buf_add(&out, begin, (size_t)(p - begin));
		f[n++] = (struct field){ (uint32_t)(tag >> 3), str_copy(t->arena, buf_get(&out)) };
		buf_done(&out);
	}
	EXPECT(p == end);
	for (size_t i = 1; i < n; i++) { /* neighbours of different numbers change places now and then */
		for (size_t j = i; j > 0 && f[j].number != f[j - 1].number && rng_below(&t->rng, 2); j--) {
			struct field moved = f[j];
			f[j] = f[j - 1];
			f[j - 1] = moved;
		}
	}
	struct buf out;
	buf_init(&out, 0);
	for (size_t i = 0; i < n; i++) {
		if (rng_below(&t->rng, 4) == 0) unknown(t, &out);
		buf_str(&out, f[i].bytes);
	}
	struct str result = str_copy(t->arena, buf_get(&out));
	buf_done(&out);
	return result;
}

static struct str word(struct t *t) {
	static const char *const words[] = { "cart", "payment", "http.route",  "GET",         "größe",
		                                 "日本", "",        "k8s.pod.uid", "db.namespace" };
	return str_of(words[rng_below(&t->rng, 9)]);
}

static void some_attrs(struct t *t, struct request_out *o, uint32_t number) {
	for (int64_t n = rng_below(&t->rng, 6); n > 0; n--) request_attr(o, number, word(t), word(t));
}

static void some_record(struct t *t, struct request_out *o, enum otlp_signal s) {
	request_begin(o, 2);
	if (s == OTLP_METRICS) {
		bool sum = rng_below(&t->rng, 2);
		request_text(o, 1, STR("m"));
		request_begin(o, sum ? SUM : GAUGE);
		for (int64_t n = rng_below(&t->rng, 5); n >= 0; n--) {
			request_begin(o, 1);
			request_fixed64(o, 3, 1 + (uint64_t)rng_below(&t->rng, 1000));
			request_double(o, 4, rng_unit(&t->rng));
			some_attrs(t, o, 7);
			request_end(o);
		}
		if (sum) request_varint(o, 2, 1 + (uint64_t)rng_below(&t->rng, 2));
		if (sum) request_varint(o, 3, 1);
		request_end(o);
	} else if (s == OTLP_LOGS) {
		request_fixed64(o, 1, (uint64_t)rng_below(&t->rng, 1000));
		request_begin(o, 5);
		request_text(o, 1, word(t));
		request_end(o);
		some_attrs(t, o, 6);
	} else {
		request_text(o, 1, STR("0123456789abcdef"));
		request_text(o, 2, STR("01234567"));
		request_text(o, 5, word(t));
		request_fixed64(o, 7, 1 + (uint64_t)rng_below(&t->rng, 1000));
		request_fixed64(o, 8, 1000 + (uint64_t)rng_below(&t->rng, 1000));
		some_attrs(t, o, 9);
	}
	request_end(o);
}

TEST(fields_in_any_order_with_unknown_ones_between_say_the_same, .seeds = 300) {
	struct reading *r = fresh(t, false);
	enum otlp_signal s = (enum otlp_signal)(t->seed % 3);
	struct request_out *o = &r->out;
	for (int64_t i = rng_below(&t->rng, 4); i >= 0; i--) {
		request_begin(o, 1);
		request_begin(o, 1);
		some_attrs(t, o, 1);
		request_end(o);
		request_begin(o, 2);
		request_begin(o, 1);
		request_text(o, 1, word(t));
		request_end(o);
		for (int64_t k = rng_below(&t->rng, 5); k >= 0; k--) some_record(t, o, s);
		request_end(o);
		request_end(o);
	}
	struct str plain = str_copy(t->arena, request_bytes(o));
	struct str want = str_copy(t->arena, lines(t, r, s));
	int64_t accepted = r->result.accepted;
	EXPECT(accepted > 0 && otlp_rejected(&r->result) == 0);
	for (int i = 0; i < 5; i++) {
		buf_str(&o->level[0], mixed(t, s, plain, 0));
		struct str got = lines(t, r, s);
		if (!str_eq(got, want)) fprintf(stderr, "want " STR_FMT "\ngot  " STR_FMT "\n", STR_ARG(want), STR_ARG(got));
		EXPECT(str_eq(got, want) && r->result.accepted == accepted);
	}
	done(r);
}

TEST(bytes_of_any_kind_are_read_or_refused, .seeds = 2000) {
	struct reading *r = fresh(t, false);
	request_metrics_sample(&r->out, 20);
	struct str good = request_bytes(&r->out);
	char *p = arena_copy(t->arena, good.p, good.n);
	for (int64_t n = rng_below(&t->rng, 8); n >= 0; n--)
		p[rng_below(&t->rng, (int64_t)good.n)] = (char)rng_next(&t->rng);
	for (enum otlp_signal s = 0; s < OTLP_SIGNALS; s++) {
		enum err e = decode(t, r, s, (struct str){ p, good.n });
		EXPECT(e == OK || e == ERR_INVALID);
	}
	done(r);
}

static struct str lines_of(struct t *t, struct reading *r, enum err e) {
	struct packed *batches;
	buf_clear(&r->lines);
	if (e || pack_end(r->p, &batches, &r->batches)) return (struct str){ NULL, 0 };
	for (size_t i = 0; i < r->batches; i++) EXPECT(render_batch(buf_get(&batches[i].bytes), &r->lines));
	return buf_get(&r->lines);
}

/* Who has read the like before says of any bytes just what one says who sees them for the first time. */
TEST(what_was_read_before_changes_nothing, .seeds = 300) {
	struct reading *knows = fresh(t, false);
	request_metrics_sample(&knows->out, 40);
	struct str good = request_bytes(&knows->out);
	for (int round = 0; round < 6; round++) {
		struct reading *new = fresh(t, false);
		char *p = arena_copy(t->arena, good.p, good.n);
		for (int64_t n = round ? rng_below(&t->rng, 6) : 0; n > 0; n--)
			p[rng_below(&t->rng, (int64_t)good.n)] = (char)rng_next(&t->rng);
		enum err a = decode(t, knows, OTLP_METRICS, (struct str){ p, good.n });
		enum err b = decode(t, new, OTLP_METRICS, (struct str){ p, good.n });
		EXPECT(a == b && knows->result.accepted == new->result.accepted);
		EXPECT(otlp_rejected(&knows->result) == otlp_rejected(&new->result));
		EXPECT(str_eq(lines_of(t, knows, a), lines_of(t, new, b)));
		done(new);
	}
	done(knows);
}

/* A request that would take more memory as batches than it may is refused, not answered with less. */
TEST(what_grows_beyond_its_bound_is_refused) {
	struct reading *r = fresh(t, false);
	otlp_free(r->o);
	EXPECT_OK(otlp_new((struct otlp_opts){ .batch_bytes_max = 5 << 20 }, &r->o));
	request_metrics_sample(&r->out, 60000);
	EXPECT_ERR(decode(t, r, OTLP_METRICS, request_bytes(&r->out)), ERR_TOO_LARGE);
	EXPECT(strstr(r->why.text, "too large"));
	done(r);
}

RUN(every_kind_of_value_has_a_text, values_nested_too_deeply_are_malformed,
    attributes_are_bounded_and_the_records_counted, strings_that_are_not_utf8_are_malformed_wherever_they_are_read,
    a_known_field_of_another_wire_type_is_malformed, fields_in_any_order_with_unknown_ones_between_say_the_same,
    bytes_of_any_kind_are_read_or_refused, what_was_read_before_changes_nothing, what_grows_beyond_its_bound_is_refused)
