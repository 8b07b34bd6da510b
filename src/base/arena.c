#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define HIDE(p, n) ((void)(p), (void)(n))
#define SHOW(p, n) ((void)(p), (void)(n))
#endif

#define CHUNK_FIRST ((size_t)4096)
#define CHUNK_LAST  ((size_t)4 << 20) /* doubling ends here: half of a chunk may stay unused */
#define ALIGN_MAX   ((size_t)64)

struct arena_chunk {
	struct arena_chunk *prev;
	size_t size, used; /* of the whole chunk, this header included */
};

void arena_init(struct arena *a, size_t max) {
	*a = (struct arena){ .max = max };
}

static void chunk_free(struct arena *a, struct arena_chunk *c) {
	a->bytes -= c->size;
	SHOW(c, c->size);
	free(c);
}

void arena_reset(struct arena *a) {
	while (a->head && a->head->prev) {
		struct arena_chunk *prev = a->head->prev;
		chunk_free(a, a->head);
		a->head = prev;
	}
	if (!a->head) return;
	a->head->used = sizeof *a->head;
	HIDE((char *)a->head + a->head->used, a->head->size - a->head->used);
}

void arena_done(struct arena *a) {
	if (!a) return;
	arena_reset(a);
	if (a->head) chunk_free(a, a->head);
	a->head = NULL;
}

/* A chunk with room for `need` bytes: twice the newest, less where the limit is near. */
static struct arena_chunk *chunk_new(struct arena *a, size_t need) {
	size_t size = a->head ? a->head->size * 2 : CHUNK_FIRST;
	if (size > CHUNK_LAST) size = CHUNK_LAST;
	if (size < need) size = need;
	if (a->max && size > a->max - a->bytes) size = a->max - a->bytes;
	if (size < need) return NULL;

	struct arena_chunk *c = malloc(size);
	if (!c) return NULL;
	*c = (struct arena_chunk){ .prev = a->head, .size = size, .used = sizeof *c };
	HIDE((char *)c + c->used, size - c->used);
	a->head = c;
	a->bytes += size;
	if (a->bytes > a->high_water) a->high_water = a->bytes;
	return c;
}

/* NULL when the chunk has no room left for it. */
static void *chunk_take(struct arena_chunk *c, size_t size, size_t align) {
	uintptr_t base = (uintptr_t)c;
	uintptr_t at = (base + c->used + align - 1) & ~(uintptr_t)(align - 1);
	if (at - base > c->size || size > c->size - (at - base)) return NULL;
	c->used = at - base + size;
	void *p = (char *)c + (at - base);
	SHOW(p, size);
	return memset(p, 0, size);
}

void *arena_take(struct arena *a, size_t size, size_t align) {
	assert(align && align <= ALIGN_MAX && (align & (align - 1)) == 0);
	void *p = a->head ? chunk_take(a->head, size, align) : NULL;
	if (p) return p;
	if (size > SIZE_MAX / 2) return NULL;
	struct arena_chunk *c = chunk_new(a, sizeof *c + align + size);
	return c ? chunk_take(c, size, align) : NULL;
}

void *arena_take_array(struct arena *a, size_t size, size_t n, size_t align) {
	size_t bytes;
	if (__builtin_mul_overflow(size, n, &bytes)) return NULL;
	return arena_take(a, bytes, align);
}

char *arena_copy(struct arena *a, const void *p, size_t n) {
	if (n == SIZE_MAX) return NULL;
	char *copy = arena_take(a, n + 1, 1);
	if (copy && n) memcpy(copy, p, n);
	return copy;
}
