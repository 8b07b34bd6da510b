#include "world/linux/rig_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The first byte says what the server does, the rest is what its peer sends. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
	if (n > 1) fuzz_server(fuzz_world(false), bytes + 1, n - 1, bytes[0]);
	return 0;
}
