#include <assert.h>
#include <string.h>

#include "bus/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A pattern, a line break, an event. What matches has no field that failed, and the reverse. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
	struct str pattern, event, all = { (const char *)p, n };
	struct arena a;
	struct pattern *compiled = NULL;
	const struct json *v = NULL;
	struct why why = { "" };
	arena_init(&a, 0);
	str_cut(all, '\n', &pattern, &event);
	enum err e = pattern_compile(&a, pattern, &compiled, &why);
	assert(!e == !why.text[0]);
	if (!e && json_parse(&a, event, &v, NULL) == OK) {
		bool match = pattern_match(compiled, v);
		assert((pattern_explain(compiled, v, &a).n == 0) == match);
	}
	arena_done(&a);
	return 0;
}
