#include "sim/queue.h"

#include "sim/memory.h"

#define ARITY     4
#define FIRST_CAP 1024

void sim_queue_init(struct sim_queue *q) {
	*q = (struct sim_queue){ 0 };
}

void sim_queue_done(struct sim_queue *q) {
	if (!q) return;
	free(q->heap);
	free(q->items);
	free(q->vacant);
	*q = (struct sim_queue){ 0 };
}

static void grow(struct sim_queue *q) {
	uint32_t cap = q->cap ? q->cap * 2 : FIRST_CAP;
	assert(cap > q->cap);
	q->heap = must_grow(q->heap, cap, sizeof *q->heap);
	q->items = must_grow(q->items, cap, sizeof *q->items);
	q->vacant = must_grow(q->vacant, cap, sizeof *q->vacant);
	for (uint32_t i = q->cap; i < cap; i++) q->vacant[i] = i; /* vacant[count..cap) are free */
	q->cap = cap;
}

/* The order of two requests survives a wrap of its 32 bits while they are less than 2^31 apart. */
static inline bool before(struct sim_queue_key a, struct sim_queue_key b) {
	return a.at_ns != b.at_ns ? a.at_ns < b.at_ns : (int32_t)(a.order - b.order) < 0;
}

void sim_queue_at(struct sim_queue *q, int64_t at_ns, sim_queue_run *run, void *self, uint64_t arg) {
	if (q->count == q->cap) grow(q);
	uint32_t i = q->count, slot = q->vacant[q->count++];
	struct sim_queue_key key = { at_ns < q->now_ns ? q->now_ns : at_ns, q->order++, slot };
	q->items[slot] = (struct sim_queue_item){ run, self, arg };

	while (i) {
		uint32_t parent = (i - 1) / ARITY;
		if (!before(key, q->heap[parent])) break;
		q->heap[i] = q->heap[parent];
		i = parent;
	}
	q->heap[i] = key;
}

static uint32_t least_child(const struct sim_queue *q, uint32_t i) {
	uint32_t first = i * ARITY + 1, last = first + ARITY, best = first;
	if (last > q->count) last = q->count;
	for (uint32_t c = first + 1; c < last; c++)
		if (before(q->heap[c], q->heap[best])) best = c;
	return best;
}

/* Fills the root's place with the last key and lets it sink. */
static void sink(struct sim_queue *q) {
	struct sim_queue_key key = q->heap[--q->count];
	uint32_t i = 0;
	while (i * ARITY + 1 < q->count) {
		uint32_t child = least_child(q, i);
		if (!before(q->heap[child], key)) break;
		q->heap[i] = q->heap[child];
		i = child;
	}
	if (q->count) q->heap[i] = key;
}

bool sim_queue_next(struct sim_queue *q, int64_t until_ns) {
	if (!q->count || q->heap[0].at_ns > until_ns) {
		if (q->now_ns < until_ns) q->now_ns = until_ns;
		return false;
	}
	struct sim_queue_key key = q->heap[0];
	struct sim_queue_item item = q->items[key.slot];
	sink(q);
	q->vacant[q->count] = key.slot;
	assert(key.at_ns >= q->now_ns);
	q->now_ns = key.at_ns;
	q->ran++;
	item.run(item.self, item.arg);
	return true;
}
