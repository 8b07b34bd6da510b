/* A request's body in pieces: gRPC's prefix, gzip or none. The first byte chooses, the second is the
 * size of the pieces. However it is cut, it is whole with the same bytes, or it is refused (for either of
 * its faults, if it has two); the limit holds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define LIMIT 100000

static enum err feed(struct body *b, struct str bytes, size_t piece) {
	enum err e = OK;
	while (!e && bytes.n) {
		size_t k = bytes.n < piece ? bytes.n : piece;
		e = body_add(b, (struct str){ bytes.p, k });
		bytes = (struct str){ bytes.p + k, bytes.n - k };
		if (b->bytes.n > LIMIT || b->bytes.cap > LIMIT) abort();
	}
	return e ? e : body_end(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
	if (n < 2) return 0;
	enum body_coding coding = p[0] & 1 ? BODY_GZIP : BODY_PLAIN;
	bool grpc = p[0] & 2;
	struct str bytes = { (const char *)p + 2, n - 2 };
	struct body a, b;
	body_init(&a, LIMIT, grpc, coding);
	body_init(&b, LIMIT, grpc, coding);
	enum err x = feed(&a, bytes, bytes.n + 1), y = feed(&b, bytes, (size_t)p[1] + 1);
	if (x == ERR_NOMEM || y == ERR_NOMEM) abort();
	if (!x != !y || (!x && (a.bytes.n != b.bytes.n || (a.bytes.n && memcmp(a.bytes.p, b.bytes.p, a.bytes.n))))) abort();
	if (x && !a.why.text[0]) abort();
	body_done(&a);
	body_done(&b);
	return 0;
}
