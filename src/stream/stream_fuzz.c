/* Any batch under a valid header, twice: the second time everything in it is known already. */
#include <stdlib.h>

#include "base/codec.h"
#include "stream/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct stream_opts o = { 10 * NS_PER_SEC, 90 * NS_PER_SEC, 100, 10, 1000 };
	struct stream *st = NULL;
	struct buf b;
	buf_init(&b, BATCH_BYTES_MAX);
	struct enc e = enc_begin(&b, "FBBT", BATCH_VERSION);
	enc_i64(&e, INT64_C(1767600000) * NS_PER_SEC);
	enc_bytes(&e, data, size);
	enc_end(&e);
	if (stream_open(o, &st)) abort();
	enum err first = stream_apply(st, buf_get(&b), NULL), second = stream_apply(st, buf_get(&b), NULL);
	if (first != second) abort();
	stream_close(st);
	buf_done(&b);
	return 0;
}
