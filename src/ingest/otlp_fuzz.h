/* What the three fuzzers of OTLP requests share: read it, and whatever came out must be sound. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static inline void fuzz_batch(struct str bytes, int64_t *records) {
	struct batch_reader r;
	struct batch_record got;
	if (batch_open(&r, bytes, NULL)) abort();
	enum err e;
	while (!(e = batch_next(&r, &got))) *records += got.type != BATCH_RESOURCE && got.type != BATCH_SERIES;
	if (e != ERR_NOT_FOUND || r.skipped) abort();
}

static inline int fuzz_request(enum otlp_signal s, const uint8_t *p, size_t n) {
	struct otlp *o = NULL;
	struct pack *pack = NULL;
	struct otlp_result result;
	struct why why;
	struct packed *batches;
	size_t count;
	int64_t records = 0, packed = 0;
	if (otlp_new((struct otlp_opts){ .batch_bytes_max = 64 << 20 }, &o) || pack_new(&pack)) abort();
	enum err e = otlp_decode(o, s, (struct str){ (const char *)p, n }, (struct wall){ 1 }, pack, &result, &why);
	if (e && e != ERR_INVALID && e != ERR_TOO_LARGE) abort();
	if (!e) {
		if (pack_end(pack, &batches, &count)) abort();
		for (size_t i = 0; i < count; i++) {
			fuzz_batch(buf_get(&batches[i].bytes), &records);
			packed += batches[i].records;
		}
		if (records != packed || records != result.accepted) abort();
		struct buf words;
		buf_init(&words, 0);
		otlp_explain(s, &result, &words);
		if ((words.n > 0) != (otlp_rejected(&result) > 0)) abort();
		buf_done(&words);
	}
	pack_free(pack);
	otlp_free(o);
	return 0;
}
