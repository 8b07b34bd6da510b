/* What bytes of a request were found to mean, so that the same bytes need not be read again.
 *
 * A sender tells the same series at every export: the bytes of their attributes come again and again, and
 * most of reading metrics is finding the same identity once more. A key is the bytes as they were sent, and
 * a context in which they have their meaning; both must be equal, byte by byte. Only what was read whole
 * and found sound is kept, so what is found needs no second look. It is a cache: when it is dropped nothing but
 * time changes.
 *
 * Senders keep their order too, so an entry knows which one followed it the last time, and that one is
 * compared first: no hash, no probe, and memory in the order in which it lies.
 *
 * Bounded by `bytes_max`. When full it takes nothing in, until so many were turned away that most of it must be
 * of senders that have gone; then it begins anew. Thread: its owner's. */
#pragma once

#include "base/arena.h"
#include "base/hash.h"
#include "base/str.h"

struct memo_entry {
	struct str raw, form; /* the bytes as sent, and what they mean */
	struct hash128 context, id;
	uint64_t number;
	uint32_t after;       /* which followed it the last time */
	uint32_t stamp_index; /* the owner's: what it is within the batch of that number */
	uint64_t stamp_batch;
};

struct memo_slot {
	uint32_t hash, entry;
};

struct memo {
	struct arena text;
	struct memo_entry *v;
	struct memo_slot *slots; /* open addressing, at most half full */
	uint32_t count, cap, slot_count;
	uint32_t last, expected; /* the entry found last; the one that should come now */
	size_t bytes, bytes_max;
	uint64_t turned_away, cleared;
};

void memo_init(struct memo *m, size_t bytes_max);
void memo_done(struct memo *m);
/* NULL: not known. Valid until the next memo_add. */
struct memo_entry *memo_find(struct memo *m, const struct hash128 *context, struct str raw);
/* For a key that memo_find did not know. Everything is copied. NULL: it was not kept. */
struct memo_entry *memo_add(struct memo *m, const struct memo_entry *e);
