/* Metrics: each kind of point, and those that are left out. */
#include <math.h>

#include "ingest/test_reading.h"

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
	             "point gauge \"m\" \"\" r{} "
	             "a{\"a\"=\"2\",\"b\"=\"3\",\"otel.scope.name\"=\"lib\",\"otel.scope.version\"=\"1.0\"}"
	             " 0 1 1\n");
	done(r);
}

/* A scope is its name, version and attributes: of two that differ in any of them each has its own series, though all
 * else is equal; what follows without a scope has none of theirs. */
TEST(each_scope_of_a_process_has_its_own_series) {
	static const struct {
		const char *name, *version, *key, *value;
	} scopes[] = { { "lib", "1.0", NULL, NULL },
		           { "lib", "2.0", NULL, NULL },
		           { "lib", "2.0", "short_name", "x" },
		           { "lib", "2.0", "short_name", "y" },
		           { "", "", NULL, NULL } };
	struct reading *r = fresh(t, false);
	struct request_out *o = &r->out;
	request_begin(o, 1);
	for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
		request_begin(o, 2);
		request_begin(o, 1);
		if (*scopes[i].name) request_text(o, 1, str_of(scopes[i].name));
		if (*scopes[i].version) request_text(o, 2, str_of(scopes[i].version));
		if (scopes[i].key) request_attr(o, 3, str_of(scopes[i].key), str_of(scopes[i].value));
		request_end(o);
		request_begin(o, 2);
		request_text(o, 1, STR("m"));
		request_begin(o, GAUGE);
		point(o, 0, 1, 1);
		request_end(o);
		request_end(o);
		request_end(o);
	}
	request_end(o);
	EXPECT_LINES(r, OTLP_METRICS,
	             "point gauge \"m\" \"\" r{} a{\"otel.scope.name\"=\"lib\",\"otel.scope.version\"=\"1.0\"} 0 1 1\n"
	             "point gauge \"m\" \"\" r{} a{\"otel.scope.name\"=\"lib\",\"otel.scope.version\"=\"2.0\"} 0 1 1\n"
	             "point gauge \"m\" \"\" r{} "
	             "a{\"otel.scope.name\"=\"lib\",\"otel.scope.short_name\"=\"x\",\"otel.scope.version\"=\"2.0\"} 0 1 1\n"
	             "point gauge \"m\" \"\" r{} "
	             "a{\"otel.scope.name\"=\"lib\",\"otel.scope.short_name\"=\"y\",\"otel.scope.version\"=\"2.0\"} 0 1 1\n"
	             "point gauge \"m\" \"\" r{} a{} 0 1 1\n");
	done(r);
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

RUN(each_kind_of_sum_is_the_series_kind_that_it_is, values_are_read_as_they_were_meant,
    histograms_are_read_packed_or_not, the_last_of_equal_keys_stays_and_the_scope_is_part_of_a_series,
    each_scope_of_a_process_has_its_own_series, points_that_cannot_be_taken_are_counted_by_reason,
    histograms_that_contradict_themselves_are_left_out, the_last_kind_of_a_metric_counts_and_its_parts_are_joined)
