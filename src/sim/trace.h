/* The trace: one hash over everything that happens in a simulated world, in order, and the last
 * lines of its story.
 *
 * Two runs with equal hashes did the same: every moment, message, write and reading of a clock goes in.
 * The story is what people read when a promise broke: a bounded ring of lines. */
#pragma once

#include "base/str.h"

#define TRACE_LINES    256
#define TRACE_LINE_MAX 240

struct sim_trace {
	uint64_t hash, count;
	int64_t now_ns; /* for the story's lines; the world's owner keeps it right */
	uint64_t lines; /* ever told; the last TRACE_LINES are kept */
	char (*story)[TRACE_LINE_MAX];
	bool verbose; /* tell every line through `echo` at once */
	void (*echo)(void *self, struct str line);
	void *echo_self;
};

void sim_trace_init(struct sim_trace *t);
void sim_trace_done(struct sim_trace *t);

/* One multiplication a value; the finaliser of Moremur (Pelle Evensen, 2019) is not needed for a
 * difference that only has to stay a difference. */
static inline void sim_trace_mix(struct sim_trace *t, uint64_t v) {
	uint64_t h = (t->hash ^ v) * UINT64_C(0x9fb21c651e98df25);
	t->hash = h ^ (h >> 35);
	t->count++;
}
void sim_trace_bytes(struct sim_trace *t, struct str bytes);
/* A line of the story: goes into the hash too. "12.345s " stands before it. */
void sim_trace_tell(struct sim_trace *t, const char *fmt, ...) PRINTF(2, 3);
/* The kept lines, oldest first, each closed by a newline. */
void sim_trace_story(const struct sim_trace *t, struct buf *out);
