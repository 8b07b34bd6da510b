#include "model/batch.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

#define RECORDS 60

/* What was put, to be compared with what is read. */
struct put {
	struct batch_record r;
	const double *bounds;
	const uint64_t *counts;
};

static struct str word(struct t *t) {
	size_t n = (size_t)rng_below(&t->rng, 20);
	char *p = arena_take(t->arena, n + 1, 1);
	for (size_t i = 0; i < n; i++) p[i] = (char)rng_below(&t->rng, 256);
	return (struct str){ p, n };
}

static struct attrs some_attrs(struct t *t) {
	size_t n = (size_t)rng_below(&t->rng, rng_below(&t->rng, 20) ? 6 : ATTRS_MAX + 1);
	struct attr *v = arena_array(t->arena, struct attr, n + 1);
	for (size_t i = 0; i < n; i++) v[i] = (struct attr){ word(t), word(t) };
	return (struct attrs){ v, n };
}

static struct wall instant(struct t *t) {
	return (struct wall){ (int64_t)rng_next(&t->rng) };
}

static void fill(struct t *t, void *p, size_t n) {
	for (size_t i = 0; i < n; i++) ((unsigned char *)p)[i] = (unsigned char)rng_below(&t->rng, 256);
}

static uint32_t below(struct t *t, uint32_t n) {
	return (uint32_t)rng_below(&t->rng, n);
}

static void histogram(struct t *t, struct batch_writer *w, struct put *p) {
	struct batch_histogram *h = &p->r.histogram;
	*h = (struct batch_histogram){ below(t, w->series), instant(t), instant(t), .sum = NAN };
	h->no_value = rng_below(&t->rng, 4) == 0;
	h->bound_count = h->no_value ? 0 : below(t, 30);
	double *bounds = arena_array(t->arena, double, 30), at = rng_between(&t->rng, -100, 100);
	uint64_t *counts = arena_array(t->arena, uint64_t, 31);
	for (uint32_t i = 0; i < h->bound_count; i++) bounds[i] = at += rng_between(&t->rng, 0.001, 10);
	for (uint32_t i = 0; i <= h->bound_count && !h->no_value; i++) h->count += counts[i] = rng_next(&t->rng) >> 6;
	if (rng_below(&t->rng, 2)) h->sum = rng_normal(&t->rng);
	p->bounds = bounds;
	p->counts = counts;
	batch_put_histogram(w, h, bounds, counts);
}

static void span(struct t *t, struct batch_writer *w, struct batch_span *s) {
	*s = (struct batch_span){ .resource = below(t, w->resources), .start = instant(t), .end = instant(t) };
	fill(t, s->trace, 16);
	fill(t, s->id, 8);
	fill(t, s->parent, 8);
	s->kind = 1 + below(t, 5);
	s->status = below(t, 3);
	s->weight = rng_below(&t->rng, 2) ? 1 + rng_exponential(&t->rng, 100) : 0;
	s->name = word(t);
	s->attrs = some_attrs(t);
	batch_put_span(w, s);
}

static void series(struct t *t, struct batch_writer *w, struct batch_series *s) {
	*s = (struct batch_series){ w->series, below(t, w->resources), .kind = below(t, 6), .name = word(t) };
	fill(t, s->id.h.b, 16);
	s->unit = word(t);
	s->attrs = some_attrs(t);
	EXPECT(batch_put_series(w, s) == s->index);
}

static void log_line(struct t *t, struct batch_writer *w, struct batch_log *l) {
	*l = (struct batch_log){ below(t, w->resources), instant(t), (uint8_t)below(t, 25), word(t) };
	fill(t, l->trace, 16);
	fill(t, l->span, 8);
	l->attrs = some_attrs(t);
	batch_put_log(w, l);
}

/* One record that may stand here; definitions come first. */
static void put_some(struct t *t, struct batch_writer *w, struct put *p) {
	struct batch_record *r = &p->r;
	int64_t choice = rng_below(&t->rng, 8);
	if (w->resources == 0 || choice == 0) {
		r->type = BATCH_RESOURCE;
		r->resource = (struct batch_resource){ w->resources, some_attrs(t) };
		EXPECT(batch_put_resource(w, r->resource.attrs) == r->resource.index);
	} else if (w->series == 0 || choice == 1) {
		r->type = BATCH_SERIES;
		series(t, w, &r->series);
	} else if (choice == 2) {
		r->type = BATCH_POINT;
		r->point = (struct batch_point){ below(t, w->series), instant(t), instant(t), .no_value = below(t, 2) };
		if (!r->point.no_value) r->point.value = rng_normal(&t->rng) * 1e10;
		batch_put_point(w, &r->point);
	} else if (choice == 3) {
		r->type = BATCH_HISTOGRAM;
		histogram(t, w, p);
	} else if (choice == 4) {
		r->type = BATCH_SPAN;
		span(t, w, &r->span);
	} else if (choice == 5) {
		r->type = BATCH_LOG;
		log_line(t, w, &r->log);
	} else if (choice == 6) {
		r->type = BATCH_POD;
		r->pod = (struct batch_pod){ instant(t), word(t),     word(t),     word(t),     word(t),     word(t),
			                         word(t),    below(t, 2), below(t, 2), below(t, 9), below(t, 9), word(t) };
		batch_put_pod(w, &r->pod);
	} else {
		r->type = BATCH_CHANGE;
		r->change = (struct batch_change){ instant(t), word(t), word(t), word(t), word(t), word(t), word(t) };
		batch_put_change(w, &r->change);
	}
}

static bool same_attrs(struct attrs a, struct attrs b) {
	bool same = a.n == b.n;
	for (size_t i = 0; same && i < a.n; i++)
		same = str_eq(a.v[i].key, b.v[i].key) && str_eq(a.v[i].value, b.v[i].value);
	return same;
}

static bool same_histogram(const struct put *p, const struct batch_histogram *b) {
	const struct batch_histogram *a = &p->r.histogram;
	bool same = a->series == b->series && a->start.ns == b->start.ns && a->at.ns == b->at.ns && a->count == b->count;
	same = same && (isnan(a->sum) ? isnan(b->sum) : a->sum == b->sum) && a->no_value == b->no_value;
	same = same && a->bound_count == b->bound_count;
	for (uint32_t i = 0; same && i < a->bound_count; i++) same = p->bounds[i] == batch_f64(b->bounds_le, i);
	for (uint32_t i = 0; same && i <= a->bound_count; i++) same = p->counts[i] == batch_u64(b->counts_le, i);
	return same;
}

static bool same_span(const struct batch_span *a, const struct batch_span *b) {
	return a->resource == b->resource && memcmp(a->trace, b->trace, 16) == 0 && memcmp(a->id, b->id, 8) == 0 &&
	       memcmp(a->parent, b->parent, 8) == 0 && a->kind == b->kind && a->status == b->status &&
	       a->start.ns == b->start.ns && a->end.ns == b->end.ns && a->weight == b->weight && str_eq(a->name, b->name) &&
	       same_attrs(a->attrs, b->attrs);
}

static bool same_pod(const struct batch_pod *a, const struct batch_pod *b) {
	return a->at.ns == b->at.ns && str_eq(a->namespace_, b->namespace_) && str_eq(a->name, b->name) &&
	       str_eq(a->uid, b->uid) && str_eq(a->node, b->node) && str_eq(a->workload_kind, b->workload_kind) &&
	       str_eq(a->workload, b->workload) && a->ready == b->ready && a->gone == b->gone &&
	       a->restarts == b->restarts && a->wanted == b->wanted && str_eq(a->reason, b->reason);
}

static bool same_change(const struct batch_change *a, const struct batch_change *b) {
	return a->at.ns == b->at.ns && str_eq(a->namespace_, b->namespace_) && str_eq(a->workload_kind, b->workload_kind) &&
	       str_eq(a->workload, b->workload) && str_eq(a->kind, b->kind) && str_eq(a->by, b->by) &&
	       str_eq(a->revision, b->revision);
}

static bool same(const struct put *p, const struct batch_record *b) {
	const struct batch_record *a = &p->r;
	if (a->type != b->type) return false;
	switch (a->type) {
	case BATCH_RESOURCE:
		return a->resource.index == b->resource.index && same_attrs(a->resource.attrs, b->resource.attrs);
	case BATCH_SERIES:
		return a->series.index == b->series.index && a->series.resource == b->series.resource &&
		       series_id_eq(a->series.id, b->series.id) && a->series.kind == b->series.kind &&
		       str_eq(a->series.name, b->series.name) && str_eq(a->series.unit, b->series.unit) &&
		       same_attrs(a->series.attrs, b->series.attrs);
	case BATCH_POINT:
		return a->point.series == b->point.series && a->point.start.ns == b->point.start.ns &&
		       a->point.at.ns == b->point.at.ns && a->point.value == b->point.value &&
		       a->point.no_value == b->point.no_value;
	case BATCH_HISTOGRAM: return same_histogram(p, &b->histogram);
	case BATCH_SPAN: return same_span(&a->span, &b->span);
	case BATCH_LOG:
		return a->log.resource == b->log.resource && a->log.at.ns == b->log.at.ns &&
		       a->log.severity == b->log.severity && str_eq(a->log.body, b->log.body) &&
		       memcmp(a->log.trace, b->log.trace, 16) == 0 && memcmp(a->log.span, b->log.span, 8) == 0 &&
		       same_attrs(a->log.attrs, b->log.attrs);
	case BATCH_POD: return same_pod(&a->pod, &b->pod);
	case BATCH_CHANGE: return same_change(&a->change, &b->change);
	}
	return false;
}

TEST(what_was_put_is_what_is_read, .seeds = 200) {
	struct buf b;
	struct batch_writer w;
	struct put *put = arena_array(t->arena, struct put, RECORDS);
	buf_init(&b, 0);
	struct wall received = instant(t);
	batch_begin(&w, &b, received);
	for (int i = 0; i < RECORDS; i++) put_some(t, &w, &put[i]);
	EXPECT(w.items == RECORDS);
	EXPECT_OK(batch_end(&w));

	struct batch_reader *r = arena_new(t->arena, struct batch_reader);
	struct batch_record got;
	struct why why;
	EXPECT_OK(batch_open(r, buf_get(&b), &why));
	EXPECT(r->received.ns == received.ns);
	for (int i = 0; i < RECORDS; i++) {
		EXPECT_OK(batch_next(r, &got));
		EXPECT(same(&put[i], &got));
	}
	EXPECT_ERR(batch_next(r, &got), ERR_NOT_FOUND);
	EXPECT_ERR(batch_next(r, &got), ERR_NOT_FOUND);
	buf_done(&b);
}

static struct buf some_batch(struct t *t, int records) {
	struct buf b;
	struct batch_writer w;
	struct put put;
	buf_init(&b, 0);
	batch_begin(&w, &b, instant(t));
	for (int i = 0; i < records; i++) put_some(t, &w, &put);
	EXPECT_OK(batch_end(&w));
	return b;
}

static enum err read_all(struct str bytes, struct batch_reader *r) {
	struct batch_record got;
	enum err e = batch_open(r, bytes, NULL);
	while (!e) e = batch_next(r, &got);
	return e;
}

TEST(a_batch_that_is_cut_or_has_a_flipped_bit_is_refused, .seeds = 60) {
	struct buf b = some_batch(t, 10);
	struct batch_reader *r = arena_new(t->arena, struct batch_reader);
	EXPECT_ERR(read_all(buf_get(&b), r), ERR_NOT_FOUND);
	for (int i = 0; i < 50; i++) {
		size_t cut = (size_t)rng_below(&t->rng, (int64_t)b.n);
		EXPECT_ERR(read_all((struct str){ b.p, cut }, r), ERR_CORRUPT);
		size_t at = (size_t)rng_below(&t->rng, (int64_t)b.n);
		char was = b.p[at];
		b.p[at] = (char)(was ^ (1 << rng_below(&t->rng, 8)));
		enum err e = read_all(buf_get(&b), r);
		EXPECT(e == ERR_CORRUPT || e == ERR_VERSION);
		b.p[at] = was;
	}
	buf_byte(&b, 0);
	EXPECT_ERR(read_all(buf_get(&b), r), ERR_CORRUPT);
	buf_done(&b);
}

/* A record with a sound frame around any payload. */
static struct buf framed(struct str payload) {
	struct buf b;
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "FBBT", BATCH_VERSION);
	enc_bytes(&e, payload.p, payload.n);
	enc_end(&e);
	return b;
}

/* The checksum holds, the contents are damaged: whatever is handed out has indices, kinds, flags and
 * lengths in range, and the reader ends. (The sanitizers see to the memory.) */
TEST(a_damaged_payload_never_leads_out_of_range, .seeds = 200) {
	struct buf b = some_batch(t, 12);
	struct batch_reader *r = arena_new(t->arena, struct batch_reader);
	for (int i = 0; i < 20; i++) {
		size_t at = CODEC_HEADER + (size_t)rng_below(&t->rng, (int64_t)(b.n - CODEC_HEADER));
		b.p[at] = (char)rng_next(&t->rng);
		struct buf again = framed((struct str){ b.p + CODEC_HEADER, b.n - CODEC_HEADER });
		struct batch_record got;
		EXPECT_OK(batch_open(r, buf_get(&again), NULL));
		enum err e;
		for (int n = 0; !(e = batch_next(r, &got)); n++) {
			EXPECT(n < 100);
			if (got.type == BATCH_SERIES) EXPECT(got.series.resource < r->resources && got.series.kind <= 5);
			if (got.type == BATCH_POINT) EXPECT(got.point.series < r->series && isfinite(got.point.value));
			if (got.type == BATCH_HISTOGRAM) EXPECT(got.histogram.series < r->series);
			if (got.type == BATCH_SPAN) EXPECT(got.span.resource < r->resources && got.span.kind - 1 < 5);
			if (got.type == BATCH_LOG) EXPECT(got.log.resource < r->resources && got.log.severity <= 24);
		}
		EXPECT(e == ERR_CORRUPT || e == ERR_NOT_FOUND);
		if (e == ERR_CORRUPT) EXPECT_ERR(batch_next(r, &got), ERR_CORRUPT);
		buf_done(&again);
	}
	buf_done(&b);
}

TEST(an_item_of_a_later_kind_is_stepped_over_and_counted) {
	struct buf p;
	buf_init(&p, 0);
	struct enc e = { .buf = &p };
	enc_i64(&e, 42);
	enc_u8(&e, 200);
	enc_str(&e, STR("what a later version says"));
	enc_u8(&e, BATCH_RESOURCE);
	enc_u32(&e, 4);
	enc_u32(&e, 0);
	struct buf b = framed(buf_get(&p));
	struct batch_reader *r = arena_new(t->arena, struct batch_reader);
	struct batch_record got;
	EXPECT_OK(batch_open(r, buf_get(&b), NULL));
	EXPECT_OK(batch_next(r, &got));
	EXPECT(got.type == BATCH_RESOURCE && got.resource.index == 0 && r->skipped == 1 && r->received.ns == 42);
	EXPECT_ERR(batch_next(r, &got), ERR_NOT_FOUND);
	buf_done(&b);
	buf_done(&p);
}

/* One body each, damaged in one field. */
static const struct {
	unsigned char type;
	const char *body;
	size_t n;
} bad[] = {
#define BODY(type, bytes) \
	{ type, bytes, sizeof bytes - 1 }
	BODY(BATCH_RESOURCE, "\x81\0\0\0"),             /* 129 attributes */
	BODY(BATCH_RESOURCE, "\x01\0\0\0\x05\0\0\0ab"), /* a key past the end */
	BODY(BATCH_RESOURCE, "\0\0\0\0\0"),             /* a byte too many */
	BODY(BATCH_SERIES, "\x01\0\0\0\0"
	                   "0123456789abcdef"
	                   "\0\0\0\0"
	                   "\0\0\0\0"
	                   "\0\0\0\0"), /* no such resource */
	BODY(BATCH_SERIES, "\0\0\0\0\x06"
	                   "0123456789abcdef"
	                   "\0\0\0\0"
	                   "\0\0\0\0"
	                   "\0\0\0\0"), /* no such kind */
	BODY(BATCH_POINT, "\x01\0\0\0"
	                  "12345678"
	                  "12345678"
	                  "\0\0\0\0\0\0\0\0"
	                  "\0"), /* no such series */
	BODY(BATCH_POINT, "\0\0\0\0"
	                  "12345678"
	                  "12345678"
	                  "\0\0\0\0\0\0\0\0"
	                  "\x02"), /* no such flag */
	BODY(BATCH_POINT, "\0\0\0\0"
	                  "12345678"
	                  "12345678"
	                  "\0\0\0\0\0\0\xf0\x7f"
	                  "\0"), /* infinite */
	BODY(BATCH_POINT, "\0\0\0\0"
	                  "12345678"
	                  "12345678"
	                  "\0\0\0\0\0\0\xf0\x3f"
	                  "\x01"), /* a value and none */
	BODY(BATCH_HISTOGRAM, "\0\0\0\0"
	                      "12345678"
	                      "12345678"
	                      "\x02\0\0\0\0\0\0\0"
	                      "\0\0\0\0\0\0\0\0"
	                      "\0"
	                      "\0\0\0\0"
	                      "\x01\0\0\0\0\0\0\0"), /* 2 in all, 1 in the bucket */
	BODY(BATCH_HISTOGRAM, "\0\0\0\0"
	                      "12345678"
	                      "12345678"
	                      "\0\0\0\0\0\0\0\0"
	                      "\0\0\0\0\0\0\0\0"
	                      "\0"
	                      "\x02\0\0\0"
	                      "\0\0\0\0\0\0\0\0"
	                      "\0\0\0\0\0\0\0\0"
	                      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), /* bounds that do not rise */
	BODY(BATCH_POD, "12345678"
	                "\x04"
	                "\0\0\0\0"
	                "\0\0\0\0"
	                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
#undef BODY
};

TEST(each_check_of_the_reader_refuses) {
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf p;
		buf_init(&p, 0);
		struct enc e = { .buf = &p };
		enc_i64(&e, 0);
		enc_u8(&e, BATCH_RESOURCE);
		enc_str(&e, (struct str){ "\0\0\0\0", 4 });
		enc_u8(&e, BATCH_SERIES);
		enc_str(&e, (struct str){ "\0\0\0\0\0"
		                          "0123456789abcdef"
		                          "\0\0\0\0"
		                          "\0\0\0\0"
		                          "\0\0\0\0",
		                          33 });
		enc_u8(&e, bad[i].type);
		enc_str(&e, (struct str){ bad[i].body, bad[i].n });
		struct buf b = framed(buf_get(&p));
		struct batch_reader *r = arena_new(t->arena, struct batch_reader);
		struct batch_record got;
		EXPECT_OK(batch_open(r, buf_get(&b), NULL));
		EXPECT_OK(batch_next(r, &got));
		EXPECT_OK(batch_next(r, &got));
		if (batch_next(r, &got) != ERR_CORRUPT) fprintf(stderr, "bad[%zu] was taken\n", i);
		EXPECT_ERR(batch_next(r, &got), ERR_CORRUPT);
		buf_done(&b);
		buf_done(&p);
	}
}

TEST(what_does_not_fit_can_be_taken_back) {
	struct buf b;
	struct batch_writer w;
	char *big = arena_take(t->arena, BATCH_BYTES_MAX, 1);
	buf_init(&b, 0);
	batch_begin(&w, &b, (struct wall){ 1 });
	batch_put_resource(&w, (struct attrs){ NULL, 0 });
	struct batch_log fits = { .body = { big, BATCH_BYTES_MAX / 2 } };
	batch_put_log(&w, &fits);
	struct batch_mark before = batch_mark(&w);
	batch_put_resource(&w, (struct attrs){ NULL, 0 });
	batch_put_log(&w, &fits);
	EXPECT(b.err == ERR_TOO_LARGE);
	batch_back(&w, before);
	EXPECT(!b.err && w.resources == 1 && w.items == 2);
	EXPECT_OK(batch_end(&w));
	EXPECT(b.n <= BATCH_BYTES_MAX);
	struct batch_reader *r = arena_new(t->arena, struct batch_reader);
	EXPECT_ERR(read_all(buf_get(&b), r), ERR_NOT_FOUND);
	EXPECT(r->resources == 1);

	batch_begin(&w, &b, (struct wall){ 1 }); /* behind the first, with bounds of its own */
	batch_put_resource(&w, (struct attrs){ NULL, 0 });
	batch_put_log(&w, &fits);
	EXPECT_OK(batch_end(&w));
	buf_done(&b);
}

TEST(no_batch_is_over_the_limit) {
	struct batch_reader *r = arena_new(t->arena, struct batch_reader);
	char *big = arena_take(t->arena, BATCH_BYTES_MAX + 1, 1);
	EXPECT_ERR(batch_open(r, (struct str){ big, BATCH_BYTES_MAX + 1 }, NULL), ERR_TOO_LARGE);
	struct batch_record got;
	EXPECT_ERR(batch_next(r, &got), ERR_CORRUPT);
}

/* The bytes of a small batch, written down: a reader of any other version, language or byte order must
 * read these, and this writer must go on writing them. */
TEST(the_format_is_what_it_was) {
	struct buf b;
	struct batch_writer w;
	struct attr who[] = { { STR("service.name"), STR("cart") } };
	buf_init(&b, 0);
	batch_begin(&w, &b, (struct wall){ 0x0102030405060708 });
	batch_put_resource(&w, (struct attrs){ who, 1 });
	struct batch_series s = { .kind = SERIES_CUMULATIVE, .name = STR("m"), .unit = STR("By") };
	memcpy(s.id.h.b, "0123456789abcdef", 16);
	batch_put_series(&w, &s);
	batch_put_point(&w, &(struct batch_point){ .start = { 1 }, .at = { 2 }, .value = 1.5 });
	EXPECT_OK(batch_end(&w));
	char hex[400];
	hex_encode(b.p + CODEC_HEADER, b.n - CODEC_HEADER, hex);
	EXPECT(strcmp(hex, "0807060504030201"
	                   "011c000000"
	                   "01000000"
	                   "0c000000"
	                   "736572766963652e6e616d65"
	                   "04000000"
	                   "63617274"
	                   "0224000000"
	                   "00000000"
	                   "02"
	                   "30313233343536373839616263646566"
	                   "02000000"
	                   "4279"
	                   "01000000"
	                   "6d"
	                   "00000000"
	                   "031d000000"
	                   "00000000"
	                   "0100000000000000"
	                   "0200000000000000"
	                   "000000000000f83f"
	                   "00") == 0);
	buf_done(&b);
}

RUN(what_was_put_is_what_is_read, a_batch_that_is_cut_or_has_a_flipped_bit_is_refused,
    a_damaged_payload_never_leads_out_of_range, an_item_of_a_later_kind_is_stepped_over_and_counted,
    each_check_of_the_reader_refuses, what_does_not_fit_can_be_taken_back, no_batch_is_over_the_limit,
    the_format_is_what_it_was)
