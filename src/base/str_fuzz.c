/* Base64: each text has one meaning, each meaning one padded text. Numbers: as strtod reads them. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void base64(struct str text) {
	struct buf bytes, again;
	buf_init(&bytes, 0);
	buf_init(&again, 0);
	if (base64_decode(&bytes, text) == OK) {
		base64_encode(&again, buf_get(&bytes));
		while (again.n > text.n && again.p[again.n - 1] == '=') again.n--; /* it came unpadded */
		assert(str_eq(buf_get(&again), text));
	}
	buf_clear(&bytes);
	buf_clear(&again);
	base64_encode(&bytes, text); /* as bytes, too */
	assert(base64_decode(&again, buf_get(&bytes)) == OK && str_eq(buf_get(&again), text));
	buf_done(&bytes);
	buf_done(&again);
}

static void number(struct str text) {
	char c[STR_NUMBER_MAX + 1], *end;
	double got, want;
	int64_t i;
	if (!str_double(text, &got)) {
		assert(!str_int(text, &i) || text.n > STR_NUMBER_MAX);
		return;
	}
	memcpy(c, text.p, text.n);
	c[text.n] = '\0';
	want = strtod(c, &end);
	assert(*end == '\0' && memcmp(&got, &want, sizeof got) == 0 && isfinite(got));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct str text = { (const char *)data, size };
	base64(text);
	number(text);
	(void)str_is_utf8(text);
	return 0;
}
