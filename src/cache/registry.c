#include "cache/registry.h"

#include <stdio.h>

const struct cache_ops *const cache_backends[] = { &cache_memory };
const size_t cache_backend_count = sizeof cache_backends / sizeof *cache_backends;

static enum err unknown(struct str scheme, struct why *why) {
	struct buf known;
	buf_init(&known, 200);
	for (size_t i = 0; i < cache_backend_count; i++)
		buf_printf(&known, "%s%s:", i ? ", " : "", cache_backends[i]->scheme);
	enum err e = why_set(why, ERR_UNSUPPORTED, "cache: unknown scheme '" STR_FMT "', known are " STR_FMT,
	                     STR_ARG(scheme), STR_ARG(buf_get(&known)));
	buf_done(&known);
	return e;
}

enum err cache_open(struct world *w, struct str url, struct cache **out, struct why *why) {
	struct arena a;
	struct url u;
	arena_init(&a, 0);
	enum err e = url_parse(&a, url, &u, why);
	if (e) why_prefix(why, e, "cache");
	const struct cache_ops *ops = NULL;
	for (size_t i = 0; !e && i < cache_backend_count; i++)
		if (str_is(u.scheme, cache_backends[i]->scheme)) ops = cache_backends[i];
	if (!e) e = ops ? ops->open(w, &u, out, why) : unknown(u.scheme, why);
	arena_done(&a);
	return e;
}
