/* From a 128-bit identity to a number: the table behind series, sources, entities and edges.
 *
 * Open addressing with linear probing and backward-shift removal, doubled when two thirds full, up
 * to `max` entries. Identities are hashes already (base/hash.h), so their first bytes choose the
 * slot. Nothing here depends on the order of insertion but the numbers that the caller stores.
 * Thread: its owner's. */
#pragma once

#include "base/err.h"
#include "base/hash.h"

#define INDEX_NONE UINT32_MAX

struct index_slot {
	struct hash128 key;
	uint32_t value; /* INDEX_NONE: free */
	uint32_t spare_;
};

struct index {
	struct index_slot *slots;
	size_t cap; /* a power of two; 0 before the first insert */
	size_t count;
	size_t max; /* most entries; further ones are ERR_FULL */
};

void index_init(struct index *x, size_t max);
void index_done(struct index *x);
uint32_t index_get(const struct index *x, const struct hash128 *key); /* INDEX_NONE: absent */
/* The key is not there yet (assert). ERR_FULL, ERR_NOMEM. */
MUST_USE enum err index_put(struct index *x, const struct hash128 *key, uint32_t value);
/* INDEX_NONE: it was not there. */
uint32_t index_remove(struct index *x, const struct hash128 *key);
