/* What is read can be written, and what was written reads as the same. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct buf *b, const struct json *v) {
	struct json_out o = json_out(b);
	json_put_value(&o, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	struct buf once, twice;
	struct why why = { "" };
	const struct json *v = NULL, *again = NULL;
	arena_init(&a, (size_t)64 << 20);
	buf_init(&once, 0);
	buf_init(&twice, 0);
	enum err e = json_parse(&a, (struct str){ (const char *)data, size }, &v, &why);
	assert(e == OK || (v == NULL && strncmp(why.text, "JSON, byte ", 11) == 0));
	if (!e) {
		write_value(&once, v);
		assert(once.err == OK && json_parse(&a, buf_get(&once), &again, NULL) == OK);
		write_value(&twice, again);
		assert(str_eq(buf_get(&once), buf_get(&twice)));
		(void)json_int(json_path(v, "a.0.b"), 0);
	}
	buf_done(&once);
	buf_done(&twice);
	arena_done(&a);
	return 0;
}
