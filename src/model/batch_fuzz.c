/* Any bytes as a batch: first as they are, then as the payload behind a sound header, so that the
 * fuzzer need not find a checksum. What reads as sound must be written back to the same bytes. */
#include "model/batch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void put_histogram(struct batch_writer *w, const struct batch_histogram *h) {
	double bounds[BATCH_BOUNDS_MAX];
	uint64_t counts[BATCH_BOUNDS_MAX + 1];
	for (uint32_t i = 0; i < h->bound_count; i++) bounds[i] = batch_f64(h->bounds_le, i);
	for (uint32_t i = 0; i <= h->bound_count; i++) counts[i] = batch_u64(h->counts_le, i);
	batch_put_histogram(w, h, bounds, counts);
}

static void put(struct batch_writer *w, const struct batch_record *r) {
	switch (r->type) {
	case BATCH_RESOURCE: batch_put_resource(w, r->resource.attrs); break;
	case BATCH_SERIES: batch_put_series(w, &r->series); break;
	case BATCH_POINT: batch_put_point(w, &r->point); break;
	case BATCH_HISTOGRAM: put_histogram(w, &r->histogram); break;
	case BATCH_SPAN: batch_put_span(w, &r->span); break;
	case BATCH_LOG: batch_put_log(w, &r->log); break;
	case BATCH_POD: batch_put_pod(w, &r->pod); break;
	case BATCH_CHANGE: batch_put_change(w, &r->change); break;
	}
}

static void read_back(struct str bytes) {
	struct batch_reader r;
	struct batch_record got;
	struct batch_writer w;
	struct buf again;
	struct why why;
	if (batch_open(&r, bytes, &why)) return;
	buf_init(&again, 0);
	batch_begin(&w, &again, r.received);
	enum err e;
	while (!(e = batch_next(&r, &got))) put(&w, &got);
	if (e == ERR_NOT_FOUND && r.skipped == 0) {
		if (batch_end(&w) || again.n != bytes.n || memcmp(again.p, bytes.p, bytes.n) != 0) abort();
	}
	buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
	read_back((struct str){ (const char *)p, n });
	struct buf b;
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "FBBT", BATCH_VERSION);
	enc_bytes(&e, p, n);
	enc_end(&e);
	if (!b.err) read_back(buf_get(&b));
	buf_done(&b);
	return 0;
}
