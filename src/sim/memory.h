/* Memory for the simulation's own parts: a tool that runs out of memory ends, at once and loudly.
 *
 * Only sim/ uses it; what runs inside a simulated world keeps its own limits and answers ERR_NOMEM. */
#pragma once

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline void *must(void *p) {
	assert(p && "the simulation is out of memory");
	return p;
}
static inline void *must_alloc(size_t n) { /* zeroed */
	return must(calloc(1, n ? n : 1));
}
static inline void *must_array(size_t n, size_t size) {
	return must(calloc(n ? n : 1, size));
}
static inline void *must_grow(void *p, size_t n, size_t size) {
	assert(!size || n <= SIZE_MAX / size);
	return must(realloc(p, n ? n * size : 1));
}
static inline char *must_copy(const void *p, size_t n) { /* closed by a NUL */
	char *copy = must(malloc(n + 1));
	if (n) memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}
