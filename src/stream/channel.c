#include "stream/channel.h"

#include <stdlib.h>
#include <string.h>

const char *via_name(enum via v) {
	static const char *const names[VIAS] = { "spans", "metrics", "calls" };
	return names[v];
}

struct channel *channel_open(uint32_t entity, enum via via, const float *bounds, uint32_t bound_count) {
	size_t counts_at = sizeof(struct channel), bounds_at = counts_at + (bound_count + 1) * sizeof(float);
	struct channel *c = calloc(1, bounds_at + bound_count * sizeof(float));
	if (!c) return NULL;
	float *copy = (float *)(void *)((char *)c + bounds_at);
	if (bound_count) memcpy(copy, bounds, bound_count * sizeof *bounds);
	c->via = via;
	c->entity = entity;
	c->bounds = copy;
	c->bound_count = bound_count;
	c->tally.counts = (float *)(void *)((char *)c + counts_at);
	return c;
}

void channel_close(struct channel *c) {
	free(c);
}

bool slots_reach(void *slots, size_t size, int64_t *newest, int64_t slot_number) {
	if (slot_number <= *newest - SLOTS) return false;
	if (slot_number <= *newest) return true;
	int64_t gap = slot_number - *newest;
	if (gap >= SLOTS) {
		memset(slots, 0, size * SLOTS);
	} else {
		for (int64_t k = *newest + 1; k <= slot_number; k++)
			memset((char *)slots + size * (size_t)(k % SLOTS), 0, size);
	}
	*newest = slot_number;
	return true;
}

struct slot *channel_slot(struct channel *c, int64_t slot_number) {
	if (!slots_reach(c->slots, sizeof c->slots[0], &c->newest, slot_number)) return NULL;
	return &c->slots[slot_number % SLOTS];
}

struct slot channel_sum(const struct channel *c, int64_t first, int64_t last) {
	struct slot sum = { 0 };
	if (first <= c->newest - SLOTS) first = c->newest - SLOTS + 1;
	if (last > c->newest) last = c->newest;
	for (int64_t k = first; k <= last; k++) {
		const struct slot *s = &c->slots[k % SLOTS];
		sum.requests += s->requests;
		sum.seen += s->seen;
		sum.bad += s->bad;
		sum.own_bad += s->own_bad;
		sum.seconds += s->seconds;
		sum.self_seconds += s->self_seconds;
		sum.refused += s->refused;
	}
	return sum;
}

void channel_tally_clear(struct channel *c) {
	float *counts = c->tally.counts;
	memset(counts, 0, (c->bound_count + 1) * sizeof *counts);
	c->tally = (struct tally){ .counts = counts };
	c->touched = false;
}
