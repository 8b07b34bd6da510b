/* What happens next: every moment of a simulated world in one heap, on one thread.
 *
 * Moments of equal time run in the order in which they were asked for, so the same requests give the
 * same run. There is no taking back: whoever asked looks, when the moment comes, whether it is still
 * wanted (a generation in `arg`). `self` must live until then. Time: nanoseconds since the world began. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void sim_queue_run(void *self, uint64_t arg);

struct sim_queue_key { /* 16 bytes, so that four children share a cache line */
	int64_t at_ns;
	uint32_t order, slot;
};
struct sim_queue_item {
	sim_queue_run *run;
	void *self;
	uint64_t arg;
};

struct sim_queue {
	int64_t now_ns;
	struct sim_queue_key *heap; /* four children a node */
	struct sim_queue_item *items;
	uint32_t *vacant; /* slots without an item */
	uint32_t count, cap, order;
	uint64_t ran;
};

void sim_queue_init(struct sim_queue *q);
void sim_queue_done(struct sim_queue *q);
/* A moment in the past is now. */
void sim_queue_at(struct sim_queue *q, int64_t at_ns, sim_queue_run *run, void *self, uint64_t arg);
static inline void sim_queue_in(struct sim_queue *q, int64_t delay_ns, sim_queue_run *run, void *self, uint64_t arg) {
	sim_queue_at(q, q->now_ns + delay_ns, run, self, arg);
}
/* Runs the next moment, if it is not after `until_ns`. False: there is none, and it is `until_ns` now. */
bool sim_queue_next(struct sim_queue *q, int64_t until_ns);
