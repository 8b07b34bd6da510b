/* For the tests of the readers: a request written, read, and its records as lines. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "ingest/otlp.h"
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

static inline struct reading *fresh(struct t *t, bool unsampled) {
	struct reading *r = arena_new(t->arena, struct reading);
	EXPECT_OK(otlp_new((struct otlp_opts){ .assume_unsampled = unsampled, .batch_bytes_max = 1 << 28 }, &r->o));
	EXPECT_OK(pack_new(&r->p));
	request_init(&r->out);
	buf_init(&r->lines, 0);
	return r;
}

static inline void done(struct reading *r) {
	otlp_free(r->o);
	pack_free(r->p);
	request_done(&r->out);
	buf_done(&r->lines);
}

static inline enum err decode(struct t *t, struct reading *r, enum otlp_signal s, struct str bytes) {
	/* Bytes of their own, so that a read past their end shows. */
	char *own = arena_copy(t->arena, bytes.p, bytes.n);
	r->why.text[0] = '\0';
	return otlp_decode(r->o, s, (struct str){ own, bytes.n }, (struct wall){ 77 }, r->p, &r->result, &r->why);
}

/* Reads what was written; the lines of its records. */
static inline struct str lines(struct t *t, struct reading *r, enum otlp_signal s) {
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

/* ---- pieces ---- */

enum { GAUGE = 5, SUM = 7, HISTOGRAM = 9, EXPONENTIAL = 10, SUMMARY = 11 };

static inline void begin_metric(struct request_out *o, const char *name, uint32_t data) {
	request_begin(o, 1);
	request_begin(o, 2);
	request_begin(o, 2);
	request_text(o, 1, str_of(name));
	request_begin(o, data);
}

static inline void end_metric(struct request_out *o) {
	for (int i = 0; i < 4; i++) request_end(o);
}

static inline void point(struct request_out *o, uint64_t start, uint64_t at, double v) {
	request_begin(o, 1);
	request_fixed64(o, 2, start);
	request_fixed64(o, 3, at);
	request_double(o, 4, v);
	request_end(o);
}

static inline void times(struct request_out *o) {
	request_fixed64(o, 2, 5);
	request_fixed64(o, 3, 6);
}

static inline void weighted(struct request_out *o, const char *state) {
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

static inline void log_of(struct request_out *o, uint64_t at, uint64_t observed, uint64_t severity, const char *text,
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

static inline void reject_one(struct t *t, struct reading *r, enum otlp_signal s, enum otlp_reason reason,
                              int64_t count) {
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
