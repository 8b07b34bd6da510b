/* What wall_parse takes, wall_format writes to the millisecond and wall_parse takes again. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct wall at, back;
	char text[32];
	if (!wall_parse((const char *)data, size, &at)) return 0;
	wall_format(at, text);
	if (at.ns < INT64_MIN + NS_PER_SEC) return 0; /* its millisecond lies before the first instant */
	assert(wall_parse(text, strlen(text), &back));
	assert(back.ns <= at.ns && at.ns - back.ns < NS_PER_MS && back.ns % NS_PER_MS == 0);
	return 0;
}
