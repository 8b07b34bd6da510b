/* The one list of cache back ends. */
#pragma once

#include "cache/cache.h"

extern const struct cache_ops *const cache_backends[];
extern const size_t cache_backend_count;

extern const struct cache_ops cache_memory; /* memory:?bytes=64MiB */
