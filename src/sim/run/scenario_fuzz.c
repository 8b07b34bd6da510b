/* Any bytes are a scenario or an error that names the file. */
#include <assert.h>
#include <string.h>

#include "sim/run/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	struct scenario *s;
	struct why why = { "" };
	arena_init(&a, 0);
	s = arena_new(&a, struct scenario);
	enum err e = scenario_parse(&a, (struct str){ (const char *)data, size }, "x.sim", s, &why);
	assert(e == OK || e == ERR_INVALID);
	assert(e == OK || strncmp(why.text, "x.sim", 5) == 0);
	if (e == OK) {
		const struct json *events = NULL;
		struct buf out;
		buf_init(&out, 0);
		assert(json_parse(&a, STR("[]"), &events, NULL) == OK);
		struct scenario_facts f = { .events = events, .length_ns = s->length_ns };
		size_t failed = scenario_check(s, &f, &out);
		assert(failed <= s->expect_count && (failed > 0) == (out.n > 0));
		buf_done(&out);
	}
	arena_done(&a);
	return 0;
}
