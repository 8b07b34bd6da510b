#include "cli/rows.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever lies in the file: each run that is read is written as a line that reads the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	struct why why = { "" };
	struct rows_run run, again;
	size_t at = 0, from = 0;
	struct str text = { (const char *)data, size };
	arena_init(&a, 0);
	while (rows_next(&a, text, &at, &run, &why)) {
		struct buf b;
		assert(at > from && at <= size);
		from = at;
		buf_init(&b, 0);
		rows_put(&b, &run);
		size_t back = 0;
		bool same = rows_next(&a, buf_get(&b), &back, &again, &why);
		assert(same && again.of == run.of && again.seed == run.seed && str_eq(again.which, run.which));
		buf_done(&b);
	}
	arena_done(&a);
	return 0;
}
