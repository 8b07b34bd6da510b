#include "ingest/pack.h"

#include <string.h>

#include "base/test.h"
#include "ingest/test_render.h"

static struct pack *fresh(struct t *t, size_t max) {
	struct pack *p = NULL;
	EXPECT_OK(pack_new(&p));
	pack_begin(p, (struct wall){ 7 }, max);
	return p;
}

static struct attrs one_attr(struct t *t, const char *key, struct str value) {
	struct attr *v = arena_new(t->arena, struct attr);
	*v = (struct attr){ str_of(key), value };
	return (struct attrs){ v, 1 };
}

static struct str number(struct t *t, int64_t n) {
	return str_printf(t->arena, "%lld", (long long)n);
}

/* The batches' records as lines, and how often each kind of item stands in them. */
struct seen {
	struct buf lines;
	int items[16];
	size_t batches;
	int64_t records;
};

static struct seen read_all(struct t *t, struct pack *p) {
	struct seen s = { 0 };
	struct packed *b;
	struct batch_reader *r = arena_new(t->arena, struct batch_reader);
	struct batch_record got;
	buf_init(&s.lines, 0);
	EXPECT_OK(pack_end(p, &b, &s.batches));
	for (size_t i = 0; i < s.batches; i++) {
		EXPECT(b[i].bytes.n <= BATCH_BYTES_MAX && b[i].records > 0);
		EXPECT(render_batch(buf_get(&b[i].bytes), &s.lines));
		EXPECT_OK(batch_open(r, buf_get(&b[i].bytes), NULL));
		EXPECT(r->received.ns == 7);
		while (batch_next(r, &got) == OK) s.items[got.type]++;
		s.records += b[i].records;
	}
	return s;
}

static const struct pack_metric metric = { STR("m"), STR("1"), SERIES_GAUGE };

static enum err put_point(struct pack *p, const struct pack_metric *m, struct attrs attrs, struct batch_point *v) {
	struct pack_series s;
	enum err e = pack_name(p, m, attrs, &s);
	return e ? e : pack_point(p, m, &s, v);
}

TEST(a_resource_or_series_is_written_once_a_batch) {
	struct pack *p = fresh(t, 1 << 24);
	for (int i = 0; i < 1000; i++) {
		pack_resource(p, one_attr(t, "service.name", number(t, i % 2)), 5);
		struct batch_point v = { .at = { i + 1 }, .value = i };
		EXPECT_OK(put_point(p, &metric, one_attr(t, "k", number(t, i % 10)), &v));
	}
	struct seen s = read_all(t, p);
	EXPECT(s.batches == 1 && s.items[BATCH_RESOURCE] == 2 && s.items[BATCH_SERIES] == 10 &&
	       s.items[BATCH_POINT] == 1000);
	buf_done(&s.lines);
	pack_free(p);
}

/* The same name and attributes as another kind is another series, with the same identity. */
TEST(a_series_that_changes_its_kind_is_written_again) {
	struct pack *p = fresh(t, 1 << 24);
	struct pack_metric other = metric;
	other.kind = SERIES_CUMULATIVE;
	pack_resource(p, (struct attrs){ 0 }, 5);
	for (int i = 0; i < 4; i++) {
		struct batch_point v = { .at = { i + 1 }, .value = i };
		EXPECT_OK(put_point(p, i % 2 ? &other : &metric, (struct attrs){ 0 }, &v));
	}
	struct seen s = read_all(t, p);
	EXPECT(s.items[BATCH_SERIES] == 2 && s.items[BATCH_POINT] == 4);
	buf_done(&s.lines);
	pack_free(p);
}

/* Records of any size, keys that change: each batch stands alone within the limit, and the records are
 * those that were put, in order within a key. */
TEST(what_does_not_fit_goes_into_another_batch_and_nothing_is_lost, .seeds = 4) {
	struct pack *p = fresh(t, 1 << 28);
	int put = 0;
	char *big = arena_take(t->arena, BATCH_BYTES_MAX, 1);
	memset(big, 'x', BATCH_BYTES_MAX);
	for (int i = 0; i < 60; i++) {
		pack_resource(p, one_attr(t, "service.name", number(t, rng_below(&t->rng, 3))),
		              (uint64_t)rng_below(&t->rng, 2));
		struct batch_log l = { .at = { i }, .body = { big, (size_t)rng_below(&t->rng, 1 << 20) } };
		struct batch_point v = { .at = { i }, .value = i };
		EXPECT_OK(rng_below(&t->rng, 2) ? pack_log(p, &l) : put_point(p, &metric, one_attr(t, "k", l.body), &v));
		put++;
	}
	struct seen s = read_all(t, p);
	EXPECT(s.records == put && s.items[BATCH_LOG] + s.items[BATCH_POINT] == put && s.batches > 4);
	buf_done(&s.lines);
	pack_free(p);
}

TEST(a_record_too_large_for_any_batch_is_refused_alone) {
	struct pack *p = fresh(t, 1 << 28);
	char *big = arena_take(t->arena, BATCH_BYTES_MAX, 1);
	struct batch_log l = { .body = { big, BATCH_BYTES_MAX } }, small = { .body = STR("x") };
	pack_resource(p, one_attr(t, "service.name", STR("a")), 1);
	EXPECT_ERR(pack_log(p, &l), ERR_TOO_LARGE);
	EXPECT_OK(pack_log(p, &small));
	EXPECT_ERR(pack_log(p, &l), ERR_TOO_LARGE);
	EXPECT_OK(pack_log(p, &small));
	struct seen s = read_all(t, p);
	EXPECT(s.records == 2 && s.items[BATCH_LOG] == 2);
	buf_done(&s.lines);

	pack_begin(p, (struct wall){ 7 }, 1 << 28);
	pack_resource(p, one_attr(t, "service.name", (struct str){ big, BATCH_BYTES_MAX }), 1);
	EXPECT_ERR(pack_log(p, &small), ERR_TOO_LARGE);
	s = read_all(t, p);
	EXPECT(s.batches == 0);
	buf_done(&s.lines);
	pack_free(p);
}

TEST(batches_of_a_request_are_bounded) {
	struct pack *p = fresh(t, 10 << 20);
	char *big = arena_take(t->arena, 1 << 20, 1);
	struct batch_log l = { .body = { big, 1 << 20 } };
	pack_resource(p, (struct attrs){ 0 }, 1);
	enum err e = OK;
	int n = 0;
	while (!e && n < 100) e = pack_log(p, &l), n++;
	EXPECT(e == ERR_FULL && n > 9 && n < 18);
	pack_begin(p, (struct wall){ 7 }, 10 << 20);
	pack_resource(p, (struct attrs){ 0 }, 1);
	EXPECT_OK(pack_log(p, &l));
	struct seen s = read_all(t, p);
	EXPECT(s.records == 1);
	buf_done(&s.lines);
	pack_free(p);
}

/* A request of very many series makes the table grow, and the next one is served as ever. */
TEST(many_series_in_a_request_are_told_apart) {
	struct pack *p = fresh(t, 1 << 28);
	for (int round = 0; round < 2; round++) {
		pack_begin(p, (struct wall){ 7 }, 1 << 28);
		pack_resource(p, (struct attrs){ 0 }, 1);
		for (int i = 0; i < 30000; i++) {
			char digits[16];
			int n = 0;
			for (int v = i; n == 0 || v; v /= 10) digits[n++] = (char)('0' + v % 10);
			struct attr a = { STR("k"), { digits, (size_t)n } };
			struct batch_point v = { .at = { i + 1 }, .value = i };
			EXPECT_OK(put_point(p, &metric, (struct attrs){ &a, 1 }, &v));
			EXPECT_OK(put_point(p, &metric, (struct attrs){ &a, 1 }, &v));
		}
		struct seen s = read_all(t, p);
		EXPECT(s.items[BATCH_SERIES] == 30000 && s.items[BATCH_POINT] == 60000 && s.batches == 1);
		buf_done(&s.lines);
	}
	pack_free(p);
}

TEST(a_request_of_nothing_makes_no_batch) {
	struct pack *p = fresh(t, 1 << 20);
	struct seen s = read_all(t, p);
	EXPECT(s.batches == 0);
	pack_resource(p, one_attr(t, "service.name", STR("a")), 1);
	s = read_all(t, p);
	EXPECT(s.batches == 0);
	pack_free(p);
	pack_free(NULL);
}

/* What was learned is the same again: named alike, written once a batch, sharded alike. */
TEST(what_was_learned_is_the_same_again) {
	struct pack *p = fresh(t, 1 << 24);
	struct batch_point v = { .at = { 1 }, .value = 1 };
	struct pack_series first, again;
	uint64_t key = 0;
	for (int request = 0; request < 3; request++) {
		pack_begin(p, (struct wall){ 7 }, 1 << 24);
		EXPECT(pack_resource_known(p, STR("bytes of b"), &key) == (request > 0));
		pack_resource(p, one_attr(t, "service.name", STR("a")), 5);
		struct hash128 context = pack_context(p, &metric, &(struct hash128){ { 1 } });
		if (!request) {
			pack_resource_learn(p, STR("bytes of a"));
			EXPECT_OK(pack_name(p, &metric, one_attr(t, "k", STR("v")), &first));
			pack_series_learn(p, &context, STR("bytes of v"), &first);
			EXPECT_OK(pack_point(p, &metric, &first, &v));
			pack_resource(p, one_attr(t, "service.name", STR("b")), 6);
			pack_resource_learn(p, STR("bytes of b"));
		}
		EXPECT(pack_resource_known(p, STR("bytes of a"), &key) && key == 5);
		struct hash128 now = pack_context(p, &metric, &(struct hash128){ { 1 } });
		EXPECT(memcmp(&context, &now, sizeof now) == 0);
		for (int i = 0; i < 2; i++) {
			EXPECT(pack_series_known(p, &context, STR("bytes of v"), &again));
			EXPECT(series_id_eq(first.id, again.id));
			EXPECT_OK(pack_point(p, &metric, &again, &v));
		}
		struct seen s = read_all(t, p);
		EXPECT(s.batches == 1 && s.items[BATCH_RESOURCE] == 1 && s.items[BATCH_SERIES] == 1);
		EXPECT(s.items[BATCH_POINT] == (request ? 2 : 3));
		buf_done(&s.lines);
	}
	pack_free(p);
}

RUN(what_was_learned_is_the_same_again, a_resource_or_series_is_written_once_a_batch,
    a_series_that_changes_its_kind_is_written_again, what_does_not_fit_goes_into_another_batch_and_nothing_is_lost,
    a_record_too_large_for_any_batch_is_refused_alone, batches_of_a_request_are_bounded,
    many_series_in_a_request_are_told_apart, a_request_of_nothing_makes_no_batch)
