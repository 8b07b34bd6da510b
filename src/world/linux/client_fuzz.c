#include "world/linux/rig_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The first byte says what the client asks, the rest is what it is answered. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
	if (n > 1) fuzz_client(fuzz_world(false), bytes + 1, n - 1, bytes[0]);
	return 0;
}
