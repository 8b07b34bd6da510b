#include "base/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CAPACITY_MAX ((size_t)1 << 20)
#define LINE         64 /* bytes; each side's words lie on lines of their own */

/* `pushed` and `popped` only rise; their difference is the count. Each side keeps what it last saw of
 * the other and looks again only when that says full or empty. */
struct ring {
	size_t mask;
	_Alignas(LINE) _Atomic size_t pushed;
	size_t popped_seen; /* the producer's */
	_Alignas(LINE) _Atomic size_t popped;
	size_t pushed_seen; /* the consumer's */
	_Alignas(LINE) void *slots[];
};

enum err ring_open(size_t capacity, struct ring **out) {
	if (capacity < 1 || capacity > CAPACITY_MAX) return ERR_INVALID;
	size_t n = 1;
	while (n < capacity) n *= 2;
	size_t bytes = (sizeof(struct ring) + n * sizeof(void *) + LINE - 1) / LINE * LINE;
	struct ring *r = aligned_alloc(LINE, bytes);
	if (!r) return ERR_NOMEM;
	r->mask = n - 1;
	r->popped_seen = r->pushed_seen = 0;
	atomic_init(&r->pushed, 0);
	atomic_init(&r->popped, 0);
	*out = r;
	return OK;
}

void ring_close(struct ring *r, void (*drop)(void *)) {
	if (!r) return;
	for (void *p; drop && (p = ring_pop(r));) drop(p);
	free(r);
}

bool ring_push(struct ring *r, void *p) {
	assert(p);
	size_t at = atomic_load_explicit(&r->pushed, memory_order_relaxed);
	if (at - r->popped_seen > r->mask) {
		r->popped_seen = atomic_load_explicit(&r->popped, memory_order_acquire);
		if (at - r->popped_seen > r->mask) return false;
	}
	r->slots[at & r->mask] = p;
	atomic_store_explicit(&r->pushed, at + 1, memory_order_release);
	return true;
}

void *ring_pop(struct ring *r) {
	size_t at = atomic_load_explicit(&r->popped, memory_order_relaxed);
	if (at == r->pushed_seen) {
		r->pushed_seen = atomic_load_explicit(&r->pushed, memory_order_acquire);
		if (at == r->pushed_seen) return NULL;
	}
	void *p = r->slots[at & r->mask];
	atomic_store_explicit(&r->popped, at + 1, memory_order_release);
	return p;
}

/* `popped` first: the other way round it could pass what was read of `pushed`. */
size_t ring_count(const struct ring *r) {
	size_t popped = atomic_load_explicit(&r->popped, memory_order_acquire);
	size_t n = atomic_load_explicit(&r->pushed, memory_order_acquire) - popped;
	return n <= r->mask ? n : r->mask + 1;
}

size_t ring_capacity(const struct ring *r) {
	return r->mask + 1;
}
