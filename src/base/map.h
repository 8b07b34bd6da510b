/* A hash map from byte strings to pointers, bounded, in insertion order.
 *
 * Open addressing over an array of entries; iteration follows insertion, so it is the same in every
 * run. Keys are copied. Hash: XXH3-64 with a fixed seed. Thread: its owner's. */
#pragma once

#include "base/str.h"

struct map {
	struct map_entry *entries;
	uint32_t *slots;
	size_t count; /* live entries */
	size_t used;  /* entries in the array, removed ones included */
	size_t cap;   /* slots, a power of two; 0 before the first insert */
	size_t max;   /* limit on live entries; 0: none */
};

void map_init(struct map *m, size_t max);
void map_done(struct map *m);                       /* the values are the owner's to free first */
void *map_get(const struct map *m, struct str key); /* NULL: absent */
/* Inserts or replaces; `old` (may be NULL) receives what stood there, NULL where nothing did. `value` is
 * not NULL. ERR_FULL, ERR_NOMEM: nothing has changed, `old` included. */
MUST_USE enum err map_put(struct map *m, struct str key, void *value, void **old);
void *map_remove(struct map *m, struct str key); /* what stood there, or NULL */
/* for (size_t i = 0; map_next(m, &i, &key, &value);) ; removing the current one is allowed (its key
 * goes with it), inserting is not. `key` and `value` may be NULL. */
bool map_next(const struct map *m, size_t *i, struct str *key, void **value);
