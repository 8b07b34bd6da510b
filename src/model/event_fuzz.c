#include <assert.h>
#include <stdlib.h>

#include "model/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What reads as an event is written so that it reads as the same event again. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
	struct arena a;
	struct event e, again;
	struct why why;
	struct buf first, second;
	arena_init(&a, 0);
	buf_init(&first, 0);
	buf_init(&second, 0);
	if (event_parse(&a, (struct str){ (const char *)p, n }, &e, &why) == OK) {
		event_write(&e, &first);
		if (first.n <= EVENT_BYTES_MAX) {
			enum err err = event_parse(&a, buf_get(&first), &again, &why);
			assert(err == OK);
			event_write(&again, &second);
			assert(str_eq(buf_get(&first), buf_get(&second)));
		}
	}
	buf_done(&first);
	buf_done(&second);
	arena_done(&a);
	return 0;
}
