/* Requests written field by field, and what becomes of them. */
#include "ingest/otlp.h"

#include <math.h>
#include <string.h>

#include "base/test.h"
#include "ingest/test_render.h"
#include "ingest/test_request.h"

struct reading {
	struct otlp *o;
	struct pack *p;
	struct request_out out;
	struct otlp_result result;
	struct why why;
	struct buf lines;
	size_t batches;
};

static struct reading *fresh(struct t *t, bool unsampled) {
	struct reading *r = arena_new(t->arena, struct reading);
	EXPECT_OK(otlp_new((struct otlp_opts){ .assume_unsampled = unsampled, .batch_bytes_max = 1 << 28 }, &r->o));
	EXPECT_OK(pack_new(&r->p));
	request_init(&r->out);
	buf_init(&r->lines, 0);
	return r;
}

static void done(struct reading *r) {
	otlp_free(r->o);
	pack_free(r->p);
	request_done(&r->out);
	buf_done(&r->lines);
}

static enum err decode(struct t *t, struct reading *r, enum otlp_signal s, struct str bytes) {
	/* Bytes of their own, so that a read past their end shows. */
	char *own = arena_copy(t->arena, bytes.p, bytes.n);
	r->why.text[0] = '\0';
	return otlp_decode(r->o, s, (struct str){ own, bytes.n }, (struct wall){ 77 }, r->p, &r->result, &r->why);
}

/* Reads what was written; the lines of its records. */
static struct str lines(struct t *t, struct reading *r, enum otlp_signal s) {
	struct packed *batches;
	enum err e = decode(t, r, s, request_bytes(&r->out));
	if (e) fprintf(stderr, "%s\n", r->why.text);
	EXPECT_OK(e);
	EXPECT_OK(pack_end(r->p, &batches, &r->batches));
	buf_clear(&r->lines);
	for (size_t i = 0; i < r->batches; i++) EXPECT(render_batch(buf_get(&batches[i].bytes), &r->lines));
	buf_clear(&r->out.level[0]);
	return buf_get(&r->lines);
}

#define EXPECT_LINES(r, signal, want)                                                  \
	do {                                                                               \
		struct str got_ = lines(t, r, signal);                                         \
		if (!str_is(got_, want)) fprintf(stderr, "got  " STR_FMT "\n", STR_ARG(got_)); \
		EXPECT(str_is(got_, want));                                                    \
	} while (0)

/* ---- pieces of metrics ---- */

enum { GAUGE = 5, SUM = 7, HISTOGRAM = 9, EXPONENTIAL = 10, SUMMARY = 11 };

static void begin_metric(struct request_out *o, const char *name, uint32_t data) {
	request_begin(o, 1);
	request_begin(o, 2);
	request_begin(o, 2);
	request_text(o, 1, str_of(name));
	request_begin(o, data);
}

static void end_metric(struct request_out *o) {
	for (int i = 0; i < 4; i++) request_end(o);
}

static void point(struct request_out *o, uint64_t start, uint64_t at, double v) {
	request_begin(o, 1);
	request_fixed64(o, 2, start);
	request_fixed64(o, 3, at);
	request_double(o, 4, v);
	request_end(o);
}

static void times(struct request_out *o) {
	request_fixed64(o, 2, 5);
	request_fixed64(o, 3, 6);
}

/* ---- kinds of points ---- */

TEST(each_kind_of_sum_is_the_series_kind_that_it_is) {
	static const struct {
		uint64_t temporality;
		bool monotonic;
		const char *line;
	} kinds[] = {
		{ 1, true, "point delta \"m\" \"\" r{} a{} 5 6 3\n" },
		{ 2, true, "point cumulative \"m\" \"\" r{} a{} 5 6 3\n" },
		{ 2, false, "point updown \"m\" \"\" r{} a{} 5 6 3\n" },
	};
	struct reading *r = fresh(t, false);
	for (size_t i = 0; i < 3; i++) {
		begin_metric(&r->out, "m", SUM);
		point(&r->out, 5, 6, 3);
		request_varint(&r->out, 2, kinds[i].temporality); /* behind the points: they are read after all */
		request_varint(&r->out, 3, kinds[i].monotonic);
		end_metric(&r->out);
		EXPECT_LINES(r, OTLP_METRICS, kinds[i].line);
	}
	done(r);
}

TEST(values_are_read_as_they_were_meant) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	begin_metric(o, "m", GAUGE);
	request_begin(o, 1); /* an int, the last of the two */
	request_fixed64(o, 3, 1);
	request_double(o, 4, 1.5);
	request_fixed64(o, 6, (uint64_t)-7);
	request_end(o);
	request_begin(o, 1); /* the flag: nothing was recorded */
	request_fixed64(o, 3, 2);
	request_varint(o, 8, 1);
	request_end(o);
	point(o, 0, 3, NAN); /* Prometheus' stale marker, or a gauge that cannot say */
	point(o, 0, 4, -0.5);
	end_metric(o);
	EXPECT_LINES(r, OTLP_METRICS,
				 "point gauge \"m\" \"\" r{} a{} 0 1 -7\n"
				 "point gauge \"m\" \"\" r{} a{} 0 2 none\n"
				 "point gauge \"m\" \"\" r{} a{} 0 3 none\n"
				 "point gauge \"m\" \"\" r{} a{} 0 4 -0.5\n");
	EXPECT(r->result.accepted == 4 && otlp_rejected(&r->result) == 0);
	done(r);
}

static void counts_of(struct request_out *o, uint32_t number, const uint64_t *v, size_t n, bool packed) {
	if (packed) {
		request_text(o, number, (struct str){ (const char *)v, n * 8 }); /* little-endian here as there */
	} else {
		for (size_t i = 0; i < n; i++) request_fixed64(o, number, v[i]);
	}
}

TEST(histograms_are_read_packed_or_not) {
	static const double bounds[] = { -1, 0.5, 10 };
	static const uint64_t counts[] = { 1, 0, 4, 2 };
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	for (int packed = 0; packed < 2; packed++) {
		begin_metric(o, "h", HISTOGRAM);
		request_begin(o, 1);
		times(o);
		request_fixed64(o, 4, 7);
		request_double(o, 5, 12.25);
		counts_of(o, 6, counts, 4, packed);
		counts_of(o, 7, (const uint64_t *)(const void *)bounds, 3, packed);
		request_end(o);
		request_begin(o, 1); /* no buckets: count and sum alone */
		times(o);
		request_fixed64(o, 4, 9);
		request_end(o);
		request_begin(o, 1);
		times(o);
		request_varint(o, 10, 1);
		request_end(o);
		request_varint(o, 2, packed ? 1 : 2);
		end_metric(o);
		EXPECT_LINES(r, OTLP_METRICS,
					 packed
						 ? "histogram histogram_delta \"h\" \"\" r{} a{} 5 6 7 12.25 [ -1 0.5 10 ] [ 1 0 4 2 ]\n"
						   "histogram histogram_delta \"h\" \"\" r{} a{} 5 6 9 none [ ] [ 9 ]\n"
						   "histogram histogram_delta \"h\" \"\" r{} a{} 5 6 none\n"
						 : "histogram histogram_cumulative \"h\" \"\" r{} a{} 5 6 7 12.25 [ -1 0.5 10 ] [ 1 0 4 2 ]\n"
						   "histogram histogram_cumulative \"h\" \"\" r{} a{} 5 6 9 none [ ] [ 9 ]\n"
						   "histogram histogram_cumulative \"h\" \"\" r{} a{} 5 6 none\n");
	}
	done(r);
}

/* ---- values ---- */

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

TEST(the_last_of_equal_keys_stays_and_the_scope_is_part_of_a_series) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	request_begin(o, 1);
	request_begin(o, 2);
	request_begin(o, 2);
	request_text(o, 1, STR("m"));
	request_begin(o, GAUGE);
	request_begin(o, 1);
	request_attr(o, 7, STR("b"), STR("1"));
	request_attr(o, 7, STR("a"), STR("2"));
	request_attr(o, 7, STR("b"), STR("3"));
	request_fixed64(o, 3, 1);
	request_double(o, 4, 1);
	request_end(o);
	request_end(o);
	request_end(o);
	request_begin(o, 1); /* the scope, behind its metrics */
	request_text(o, 1, STR("lib"));
	request_text(o, 2, STR("1.0"));
	request_end(o);
	request_end(o);
	request_end(o);
	EXPECT_LINES(r, OTLP_METRICS,
				 "point gauge \"m\" \"\" r{} a{\"a\"=\"2\",\"b\"=\"3\",\"otel.scope.name\"=\"lib\"} 0 1 1\n");
	done(r);
}

/* ---- what is left out ---- */

static void reject_one(struct t *t, struct reading *r, enum otlp_signal s, enum otlp_reason reason, int64_t count) {
	struct str got = lines(t, r, s);
	struct buf words;
	buf_init(&words, 0);
	otlp_explain(s, &r->result, &words);
	if (r->result.rejected[reason] != count) {
		fprintf(stderr, "%s: %lld; " STR_FMT "\n", otlp_reason_name(reason), (long long)r->result.rejected[reason],
				STR_ARG(buf_get(&words)));
	}
	EXPECT(r->result.rejected[reason] == count && otlp_rejected(&r->result) == count);
	EXPECT(got.n == 0 && r->batches == 0 && words.n > 20);
	buf_done(&words);
}

TEST(points_that_cannot_be_taken_are_counted_by_reason) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	for (uint32_t kind = EXPONENTIAL; kind <= SUMMARY; kind++) {
		begin_metric(o, "m", kind);
		for (int i = 0; i < 3; i++) point(o, 5, 6, 1);
		if (kind == EXPONENTIAL) request_varint(o, 2, 2);
		end_metric(o);
		reject_one(t, r, OTLP_METRICS, OTLP_KIND, 3);
	}
	begin_metric(o, "m", SUM); /* a non-monotonic delta */
	point(o, 5, 6, 1);
	request_varint(o, 2, 1);
	end_metric(o);
	reject_one(t, r, OTLP_METRICS, OTLP_KIND, 1);

	for (uint32_t kind = SUM; kind <= HISTOGRAM; kind += 2) {
		begin_metric(o, "m", kind);
		point(o, 5, 6, 1);
		end_metric(o);
		reject_one(t, r, OTLP_METRICS, OTLP_TEMPORALITY, 1);
	}
	begin_metric(o, "", GAUGE);
	point(o, 5, 6, 1);
	end_metric(o);
	reject_one(t, r, OTLP_METRICS, OTLP_NAME, 1);

	begin_metric(o, "m", GAUGE);
	point(o, 5, 0, 1);
	point(o, 7, 6, 1);
	point(o, 5, UINT64_MAX, 1);
	point(o, UINT64_MAX, UINT64_MAX, 1);
	end_metric(o);
	reject_one(t, r, OTLP_METRICS, OTLP_TIME, 4);

	begin_metric(o, "m", GAUGE);
	point(o, 5, 6, INFINITY);
	point(o, 5, 6, -INFINITY);
	request_begin(o, 1);
	times(o);
	request_end(o);
	end_metric(o);
	reject_one(t, r, OTLP_METRICS, OTLP_VALUE, 3);

	begin_metric(o, "m", SUM); /* a counter below zero */
	point(o, 5, 6, -1);
	request_varint(o, 2, 2);
	request_varint(o, 3, 1);
	end_metric(o);
	reject_one(t, r, OTLP_METRICS, OTLP_VALUE, 1);
	done(r);
}

TEST(histograms_that_contradict_themselves_are_left_out) {
	static const struct {
		uint64_t count, counts[4];
		double bounds[4], sum;
		size_t count_n, bound_n;
		enum otlp_reason reason;
	} bad[] = {
		{ 3, { 1, 1 }, { 0.5 }, 1, 2, 1, OTLP_BUCKETS },          /* 1 + 1 is not 3 */
		{ 2, { 1, 1 }, { 0.5, 0.6 }, 1, 2, 2, OTLP_BUCKETS },     /* two bounds make three buckets */
		{ 2, { 2 }, { 0 }, 1, 0, 1, OTLP_BUCKETS },               /* bounds without counts */
		{ 2, { 1, 1, 0 }, { 0.5, 0.5 }, 1, 3, 2, OTLP_BUCKETS },  /* bounds stand still */
		{ 2, { 1, 1 }, { NAN }, 1, 2, 1, OTLP_BUCKETS },          /* no number */
		{ 2, { 1, 1 }, { INFINITY }, 1, 2, 1, OTLP_BUCKETS },     /* no finite one */
		{ 1, { UINT64_MAX, 2 }, { 0.5 }, 1, 2, 1, OTLP_BUCKETS }, /* the sum wraps around */
		{ 2, { 1, 1 }, { 0.5 }, INFINITY, 2, 1, OTLP_VALUE },
	};
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		begin_metric(o, "m", HISTOGRAM);
		request_begin(o, 1);
		times(o);
		request_fixed64(o, 4, bad[i].count);
		request_double(o, 5, bad[i].sum);
		for (size_t k = 0; k < bad[i].count_n; k++) request_fixed64(o, 6, bad[i].counts[k]);
		for (size_t k = 0; k < bad[i].bound_n; k++) request_double(o, 7, bad[i].bounds[k]);
		request_end(o);
		request_varint(o, 2, 2);
		end_metric(o);
		reject_one(t, r, OTLP_METRICS, bad[i].reason, 1);
	}
	for (size_t n = BATCH_BOUNDS_MAX; n <= BATCH_BOUNDS_MAX + 1; n++) {
		begin_metric(o, "m", HISTOGRAM);
		request_begin(o, 1);
		times(o);
		for (size_t k = 0; k <= n; k++) request_fixed64(o, 6, 0);
		for (size_t k = 0; k < n; k++) request_double(o, 7, (double)k);
		request_end(o);
		request_varint(o, 2, 2);
		end_metric(o);
		lines(t, r, OTLP_METRICS);
		EXPECT(r->result.accepted == (n == BATCH_BOUNDS_MAX) &&
			   r->result.rejected[OTLP_BUCKETS] == (n > BATCH_BOUNDS_MAX));
	}
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

/* ---- spans ---- */

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

static void weighted(struct request_out *o, const char *state) {
	request_begin(o, 1);
	request_begin(o, 2);
	request_begin(o, 2);
	request_text(o, 1, STR("123456789\xff\xff\xff\xff\xff\xff\xff"));
	request_text(o, 2, STR("01234567"));
	request_text(o, 3, str_of(state));
	request_varint(o, 6, 99); /* a kind of the future is internal */
	request_fixed64(o, 7, 1);
	request_fixed64(o, 8, 2);
	for (int i = 0; i < 3; i++) request_end(o);
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

/* ---- logs ---- */

static void log_of(struct request_out *o, uint64_t at, uint64_t observed, uint64_t severity, const char *text,
				   struct str body) {
	request_begin(o, 1);
	request_begin(o, 2);
	request_begin(o, 2);
	if (at) request_fixed64(o, 1, at);
	request_varint(o, 2, severity);
	request_text(o, 3, str_of(text));
	request_begin(o, 5);
	request_text(o, 1, body);
	request_end(o);
	request_text(o, 9, STR("short")); /* an id of another length is as good as none */
	if (observed) request_fixed64(o, 11, observed);
	request_text(o, 12, STR("device.app"));
	for (int i = 0; i < 3; i++) request_end(o);
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

/* ---- malformed ---- */

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

/* ---- properties ---- */

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

/* Of a oneof the last member counts; one that comes in parts is joined. */
TEST(the_last_kind_of_a_metric_counts_and_its_parts_are_joined) {
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	request_begin(o, 1);
	request_begin(o, 2);
	request_begin(o, 2);
	request_text(o, 1, STR("m"));
	static const uint32_t kinds[] = { GAUGE, SUM, GAUGE, GAUGE };
	for (int i = 0; i < 4; i++) {
		request_begin(o, kinds[i]);
		point(o, 0, 1 + (uint64_t)i, i);
		request_end(o);
	}
	for (int i = 0; i < 3; i++) request_end(o);
	EXPECT_LINES(r, OTLP_METRICS,
				 "point gauge \"m\" \"\" r{} a{} 0 3 2\n"
				 "point gauge \"m\" \"\" r{} a{} 0 4 3\n");
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

RUN(each_kind_of_sum_is_the_series_kind_that_it_is, values_are_read_as_they_were_meant,
	histograms_are_read_packed_or_not, every_kind_of_value_has_a_text, values_nested_too_deeply_are_malformed,
	the_last_of_equal_keys_stays_and_the_scope_is_part_of_a_series, points_that_cannot_be_taken_are_counted_by_reason,
	histograms_that_contradict_themselves_are_left_out, attributes_are_bounded_and_the_records_counted,
	spans_without_ids_or_times_are_left_out, a_span_counts_by_its_threshold_else_by_the_operators_word,
	logs_have_a_time_and_a_severity_wherever_they_come_from, a_long_text_is_cut_between_two_characters,
	strings_that_are_not_utf8_are_malformed_wherever_they_are_read, a_known_field_of_another_wire_type_is_malformed,
	fields_in_any_order_with_unknown_ones_between_say_the_same,
	the_last_kind_of_a_metric_counts_and_its_parts_are_joined, bytes_of_any_kind_are_read_or_refused,
	what_grows_beyond_its_bound_is_refused)
