#include "ingest/memo.h"

#include <stdlib.h>
#include <string.h>

#define NONE         UINT32_MAX
#define SLOTS_FIRST  256
#define STALE_FACTOR 4 /* times its entries turned away: whoever still sends would have been found more often */

void memo_init(struct memo *m, size_t bytes_max) {
	*m = (struct memo){ .last = NONE, .expected = NONE, .bytes_max = bytes_max };
	arena_init(&m->text, 0);
}

void memo_done(struct memo *m) {
	arena_done(&m->text);
	free(m->v);
	free(m->slots);
	memo_init(m, m->bytes_max);
}

static void clear(struct memo *m) {
	arena_reset(&m->text);
	if (m->slots) memset(m->slots, 0xff, m->slot_count * sizeof *m->slots);
	m->count = 0;
	m->last = m->expected = NONE;
	m->bytes = 0;
	m->turned_away = 0;
	m->cleared++;
}

static bool same(const struct memo_entry *e, const struct hash128 *context, struct str raw) {
	return e->raw.n == raw.n && memcmp(&e->context, context, sizeof *context) == 0 &&
	       memcmp(e->raw.p, raw.p, raw.n) == 0;
}

static uint32_t hash_of(const struct hash128 *context, struct str raw) {
	uint64_t c;
	memcpy(&c, context->b, sizeof c);
	c ^= hash64(raw);
	return (uint32_t)(c ^ c >> 32);
}

/* The slot of that key, or the vacant one where it would go. */
static struct memo_slot *slot_of(const struct memo *m, uint32_t hash, const struct hash128 *context, struct str raw) {
	uint32_t mask = m->slot_count - 1;
	for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
		struct memo_slot *s = &m->slots[i];
		if (s->entry == NONE || (s->hash == hash && same(&m->v[s->entry], context, raw))) return s;
	}
}

static struct memo_entry *came(struct memo *m, uint32_t i) {
	if (m->last != NONE) m->v[m->last].after = i;
	m->last = i;
	m->expected = m->v[i].after;
	return &m->v[i];
}

struct memo_entry *memo_find(struct memo *m, const struct hash128 *context, struct str raw) {
	if (m->expected != NONE && same(&m->v[m->expected], context, raw)) return came(m, m->expected);
	if (!m->count) return NULL;
	const struct memo_slot *s = slot_of(m, hash_of(context, raw), context, raw);
	return s->entry == NONE ? NULL : came(m, s->entry);
}

static bool grow_slots(struct memo *m) {
	uint32_t count = m->slot_count ? 2 * m->slot_count : SLOTS_FIRST, mask = count - 1;
	struct memo_slot *slots = malloc(count * sizeof *slots);
	if (!slots) return false;
	memset(slots, 0xff, count * sizeof *slots);
	for (uint32_t i = 0; i < m->slot_count; i++) {
		if (m->slots[i].entry == NONE) continue;
		uint32_t to = m->slots[i].hash & mask;
		while (slots[to].entry != NONE) to = (to + 1) & mask;
		slots[to] = m->slots[i];
	}
	free(m->slots);
	m->slots = slots;
	m->slot_count = count;
	return true;
}

static bool grow_entries(struct memo *m) {
	uint32_t cap = m->cap ? 2 * m->cap : SLOTS_FIRST / 2;
	struct memo_entry *v = realloc(m->v, cap * sizeof *v);
	if (!v) return false;
	m->v = v;
	m->cap = cap;
	return true;
}

/* False: it is full, and stays as it is. */
static bool room(struct memo *m, size_t bytes) {
	if (m->bytes + bytes > m->bytes_max) {
		if (bytes > m->bytes_max || ++m->turned_away <= STALE_FACTOR * (uint64_t)m->count) return false;
		clear(m);
	}
	bool slots = 2 * (m->count + 1) <= m->slot_count || grow_slots(m);
	return slots && (m->count < m->cap || grow_entries(m));
}

static struct str kept(struct memo *m, struct str s) {
	return (struct str){ arena_copy(&m->text, s.p, s.n), s.n };
}

struct memo_entry *memo_add(struct memo *m, const struct memo_entry *e) {
	/* Twice for tables and chunks that are half full. */
	size_t bytes = 2 * (sizeof *e + 2 * sizeof(struct memo_slot)) + e->raw.n + e->form.n + 2;
	if (!room(m, bytes)) return NULL;
	struct memo_entry copy = *e;
	copy.raw = kept(m, e->raw);
	copy.form = kept(m, e->form);
	copy.after = NONE;
	if (!copy.raw.p || !copy.form.p) return NULL;
	uint32_t hash = hash_of(&e->context, e->raw), i = m->count++;
	m->bytes += bytes;
	m->v[i] = copy;
	*slot_of(m, hash, &e->context, e->raw) = (struct memo_slot){ hash, i };
	return came(m, i);
}
