#include "base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* As CPython's dict: slots hold numbers of entries, entries lie in order of insertion. A removed
 * entry leaves a hole; holes go when the array is full and is rebuilt. */
struct map_entry {
	char *key; /* NULL: a hole */
	size_t n;
	uint64_t hash;
	void *value;
};

#define EMPTY     UINT32_C(0)
#define GONE      UINT32_MAX /* a hole's slot: a search goes on past it */
#define FIRST_CAP ((size_t)16)
#define CAP_MAX   ((size_t)1 << 31)

static size_t room(size_t cap) {
	return cap / 4 * 3;
}

void map_init(struct map *m, size_t max) {
	*m = (struct map){ .max = max };
}

void map_done(struct map *m) {
	if (!m) return;
	for (size_t i = 0; i < m->used; i++) free(m->entries[i].key);
	free(m->entries);
	free(m->slots);
	map_init(m, m->max);
}

/* The slot of `key`, or SIZE_MAX. */
static size_t find(const struct map *m, struct str key, uint64_t hash) {
	if (!m->cap) return SIZE_MAX;
	size_t mask = m->cap - 1;
	for (size_t s = hash & mask; m->slots[s] != EMPTY; s = (s + 1) & mask) {
		if (m->slots[s] == GONE) continue;
		const struct map_entry *e = &m->entries[m->slots[s] - 1];
		if (e->hash == hash && str_eq((struct str){ e->key, e->n }, key)) return s;
	}
	return SIZE_MAX;
}

void *map_get(const struct map *m, struct str key) {
	size_t s = find(m, key, hash64(key));
	return s == SIZE_MAX ? NULL : m->entries[m->slots[s] - 1].value;
}

static void slot_in(uint32_t *slots, size_t cap, uint64_t hash, size_t entry) {
	size_t s = hash & (cap - 1);
	while (slots[s] != EMPTY) s = (s + 1) & (cap - 1);
	slots[s] = (uint32_t)(entry + 1);
}

/* New arrays without holes, with room for twice what lives. On failure the map is as it was. */
static enum err rebuild(struct map *m) {
	size_t cap = FIRST_CAP;
	while (room(cap) < m->count * 2) cap *= 2;
	if (cap > CAP_MAX) return ERR_FULL;
	struct map_entry *entries = malloc(room(cap) * sizeof *entries);
	uint32_t *slots = calloc(cap, sizeof *slots);
	if (!entries || !slots) {
		free(entries);
		free(slots);
		return ERR_NOMEM;
	}
	size_t n = 0;
	for (size_t i = 0; i < m->used; i++) {
		if (!m->entries[i].key) continue;
		entries[n] = m->entries[i];
		slot_in(slots, cap, entries[n].hash, n);
		n++;
	}
	assert(n == m->count);
	free(m->entries);
	free(m->slots);
	m->entries = entries;
	m->slots = slots;
	m->cap = cap;
	m->used = n;
	return OK;
}

static enum err insert(struct map *m, struct str key, uint64_t hash, void *value) {
	if (m->max && m->count >= m->max) return ERR_FULL;
	if (m->used == room(m->cap)) {
		enum err e = rebuild(m);
		if (e) return e;
	}
	char *copy = malloc(key.n + 1);
	if (!copy) return ERR_NOMEM;
	if (key.n) memcpy(copy, key.p, key.n);
	copy[key.n] = '\0';
	m->entries[m->used] = (struct map_entry){ copy, key.n, hash, value };
	slot_in(m->slots, m->cap, hash, m->used);
	m->used++;
	m->count++;
	return OK;
}

enum err map_put(struct map *m, struct str key, void *value, void **old) {
	assert(value);
	uint64_t hash = hash64(key);
	size_t s = find(m, key, hash);
	void *before = NULL;
	if (s != SIZE_MAX) {
		struct map_entry *e = &m->entries[m->slots[s] - 1];
		before = e->value;
		e->value = value;
	} else {
		enum err e = insert(m, key, hash, value);
		if (e) return e;
	}
	if (old) *old = before;
	return OK;
}

void *map_remove(struct map *m, struct str key) {
	size_t s = find(m, key, hash64(key));
	if (s == SIZE_MAX) return NULL;
	struct map_entry *e = &m->entries[m->slots[s] - 1];
	void *value = e->value;
	free(e->key);
	e->key = NULL;
	m->slots[s] = GONE;
	m->count--;
	return value;
}

bool map_next(const struct map *m, size_t *i, struct str *key, void **value) {
	while (*i < m->used && !m->entries[*i].key) ++*i;
	if (*i >= m->used) return false;
	const struct map_entry *e = &m->entries[(*i)++];
	if (key) *key = (struct str){ e->key, e->n };
	if (value) *value = e->value;
	return true;
}
