/* Memory by lifetime: a process, a configuration, a window, a request.
 *
 * A bump allocator over chunks. Nothing in it is freed alone; arena_reset ends the lifetime and
 * keeps the first chunk, arena_done gives all back. `max` is a promise to the operator: past it
 * arena_take answers NULL. Thread: its owner's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *head; /* newest chunk */
	size_t bytes;             /* sum of all chunks */
	size_t max;               /* limit on bytes; 0: none */
	size_t high_water;        /* most bytes ever held */
};

/* `max`: bytes, 0 for no limit. Takes no memory yet. */
void arena_init(struct arena *a, size_t max);
void arena_reset(struct arena *a);
void arena_done(struct arena *a);
/* Zeroed memory, or NULL when the arena is full. align: a power of two, at most 64. */
void *arena_take(struct arena *a, size_t size, size_t align);
/* `n` bytes copied and closed with a NUL; NULL when full. */
char *arena_copy(struct arena *a, const void *p, size_t n);

#define arena_new(a, T)      ((T *)arena_take((a), sizeof(T), _Alignof(T)))
#define arena_array(a, T, n) ((T *)arena_take_array((a), sizeof(T), (n), _Alignof(T)))
void *arena_take_array(struct arena *a, size_t size, size_t n, size_t align);
