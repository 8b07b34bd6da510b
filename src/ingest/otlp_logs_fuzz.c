#include "ingest/otlp_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
	return fuzz_request(OTLP_LOGS, p, n);
}
