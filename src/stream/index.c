#include "stream/index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAP_FIRST 256

void index_init(struct index *x, size_t max) {
	*x = (struct index){ .max = max };
}

void index_done(struct index *x) {
	free(x->slots);
	*x = (struct index){ .max = x->max };
}

static size_t home(const struct index *x, const struct hash128 *key) {
	uint64_t h;
	memcpy(&h, key->b, sizeof h);
	return (size_t)h & (x->cap - 1);
}

/* The slot that holds `key`, or the free one where it would go. */
static size_t find(const struct index *x, const struct hash128 *key) {
	size_t i = home(x, key);
	while (x->slots[i].value != INDEX_NONE && memcmp(&x->slots[i].key, key, sizeof *key) != 0)
		i = (i + 1) & (x->cap - 1);
	return i;
}

uint32_t index_get(const struct index *x, const struct hash128 *key) {
	return x->cap ? x->slots[find(x, key)].value : INDEX_NONE;
}

static enum err grow(struct index *x) {
	struct index bigger = { .cap = x->cap ? 2 * x->cap : CAP_FIRST, .count = x->count, .max = x->max };
	bigger.slots = malloc(bigger.cap * sizeof *bigger.slots);
	if (!bigger.slots) return ERR_NOMEM;
	for (size_t i = 0; i < bigger.cap; i++) bigger.slots[i].value = INDEX_NONE;
	for (size_t i = 0; i < x->cap; i++)
		if (x->slots[i].value != INDEX_NONE) bigger.slots[find(&bigger, &x->slots[i].key)] = x->slots[i];
	free(x->slots);
	*x = bigger;
	return OK;
}

enum err index_put(struct index *x, const struct hash128 *key, uint32_t value) {
	assert(value != INDEX_NONE);
	if (x->count >= x->max) return ERR_FULL;
	if (3 * (x->count + 1) > 2 * x->cap) {
		enum err e = grow(x);
		if (e) return e;
	}
	size_t i = find(x, key);
	assert(x->slots[i].value == INDEX_NONE);
	x->slots[i] = (struct index_slot){ .key = *key, .value = value };
	x->count++;
	return OK;
}

/* Closes the gap at `free_at`: whoever was pushed past it by a collision moves back
 * (Knuth, The Art of Computer Programming 3, section 6.4, algorithm R). */
static void close_gap(struct index *x, size_t free_at) {
	size_t mask = x->cap - 1;
	for (size_t i = (free_at + 1) & mask; x->slots[i].value != INDEX_NONE; i = (i + 1) & mask) {
		size_t want = home(x, &x->slots[i].key);
		if (((i - want) & mask) < ((i - free_at) & mask)) continue;
		x->slots[free_at] = x->slots[i];
		free_at = i;
	}
	x->slots[free_at].value = INDEX_NONE;
}

uint32_t index_remove(struct index *x, const struct hash128 *key) {
	if (!x->cap) return INDEX_NONE;
	size_t i = find(x, key);
	uint32_t value = x->slots[i].value;
	if (value == INDEX_NONE) return INDEX_NONE;
	close_gap(x, i);
	x->count--;
	return value;
}
