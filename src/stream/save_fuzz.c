/* Any payload under a valid header: refused, or a state that can be used and saved again. */
#include <stdlib.h>

#include "base/codec.h"
#include "stream/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct stream_opts o = { 10 * NS_PER_SEC, 90 * NS_PER_SEC, 1000, 50, 1000 };
	struct stream *st = NULL;
	struct buf b, again;
	struct str rest;
	buf_init(&b, 1 << 24), buf_init(&again, 1 << 26);
	struct enc e = enc_begin(&b, "FBST", 2);
	enc_i64(&e, o.window_ns);
	enc_bytes(&e, data, size);
	enc_end(&e);
	if (stream_open(o, &st)) abort();
	if (stream_load(st, buf_get(&b), &rest, NULL) == OK) {
		stream_save(st, &again);
		if (stream_watermark(st, 0, VIA_SPANS, st->now_ns) < 0 && stream_interval(st, 0, VIA_SPANS) < 0) abort();
	}
	stream_close(st);
	buf_done(&b), buf_done(&again);
	return 0;
}
