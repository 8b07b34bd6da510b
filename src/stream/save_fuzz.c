/* Any payload under a valid header: refused, or a state that can be used, and that is the same when saved and read
 * again. */
#include <stdlib.h>

#include "base/codec.h"
#include "stream/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct stream_opts opts = { 10 * NS_PER_SEC, 90 * NS_PER_SEC, 1000, 50, 1000 };

/* What was taken once is taken again, whole, and says the same. */
static void holds(struct str bytes) {
	struct stream *st = NULL;
	struct str rest;
	struct buf again;
	buf_init(&again, 1 << 26);
	if (stream_open(opts, &st) || stream_load(st, bytes, &rest, NULL) || rest.n) abort();
	stream_save(st, &again);
	if (!str_eq(buf_get(&again), bytes)) abort();
	stream_close(st);
	buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct stream *st = NULL;
	struct buf b, saved;
	struct str rest;
	buf_init(&b, 1 << 24), buf_init(&saved, 1 << 26);
	struct enc e = enc_begin(&b, "FBST", 2);
	enc_i64(&e, opts.window_ns);
	enc_bytes(&e, data, size);
	enc_end(&e);
	if (stream_open(opts, &st)) abort();
	if (stream_load(st, buf_get(&b), &rest, NULL) == OK) {
		stream_save(st, &saved);
		if (stream_watermark(st, 0, VIA_SPANS, st->now_ns) < 0 && stream_interval(st, 0, VIA_SPANS) < 0) abort();
		holds(buf_get(&saved));
	}
	stream_close(st);
	buf_done(&b), buf_done(&saved);
	return 0;
}
