/* A bounded ring between two threads that moves ownership of pointers.
 *
 * One producer, one consumer, no lock (Lamport 1983, with acquire and release). What is pushed
 * belongs to the ring until it is popped. A full ring refuses: the sender slows down. */
#pragma once

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* `capacity`: 1..2^20 entries, rounded up to a power of two. ERR_INVALID, ERR_NOMEM. */
MUST_USE enum err ring_open(size_t capacity, struct ring **out);
/* Entries still inside are handed to `drop` (may be NULL). Both threads have ended. */
void ring_close(struct ring *r, void (*drop)(void *));
/* Producer. False: full, the entry stays the caller's. `p` is not NULL. */
bool ring_push(struct ring *r, void *p);
/* Consumer. NULL: empty. */
void *ring_pop(struct ring *r);
/* Either; a moment's truth. */
size_t ring_count(const struct ring *r);
size_t ring_capacity(const struct ring *r);
