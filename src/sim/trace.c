#include "sim/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/hash.h"
#include "sim/memory.h"

void sim_trace_init(struct sim_trace *t) {
	*t = (struct sim_trace){ .hash = UINT64_C(0x2545f4914f6cdd1d) };
	t->story = must_array(TRACE_LINES, TRACE_LINE_MAX);
}

void sim_trace_done(struct sim_trace *t) {
	if (!t) return;
	free(t->story);
	*t = (struct sim_trace){ 0 };
}

void sim_trace_bytes(struct sim_trace *t, struct str bytes) {
	sim_trace_mix(t, hash64(bytes) + bytes.n);
}

void sim_trace_tell(struct sim_trace *t, const char *fmt, ...) {
	char *line = t->story[t->lines++ % TRACE_LINES];
	int n = snprintf(line, TRACE_LINE_MAX, "%" PRId64 ".%03ds ", t->now_ns / NS_PER_SEC,
	                 (int)(t->now_ns % NS_PER_SEC / NS_PER_MS));
	va_list args;
	va_start(args, fmt);
	vsnprintf(line + n, (size_t)(TRACE_LINE_MAX - n), fmt, args);
	va_end(args);
	sim_trace_bytes(t, str_of(line));
	if (t->verbose && t->echo) t->echo(t->echo_self, str_of(line));
}

void sim_trace_story(const struct sim_trace *t, struct buf *out) {
	uint64_t first = t->lines > TRACE_LINES ? t->lines - TRACE_LINES : 0;
	for (uint64_t i = first; i < t->lines; i++) {
		buf_c(out, t->story[i % TRACE_LINES]);
		buf_byte(out, '\n');
	}
}
