#include "store/registry.h"

#include <stdio.h>

const struct state_ops *const state_backends[] = { &state_sqlite };
const size_t state_backend_count = sizeof state_backends / sizeof *state_backends;

static enum err unknown(struct str scheme, struct why *why) {
	struct buf known;
	buf_init(&known, 200);
	for (size_t i = 0; i < state_backend_count; i++)
		buf_printf(&known, "%s%s:", i ? ", " : "", state_backends[i]->scheme);
	enum err e = why_set(why, ERR_UNSUPPORTED, "state: unknown scheme '" STR_FMT "', known are " STR_FMT,
	                     STR_ARG(scheme), STR_ARG(buf_get(&known)));
	buf_done(&known);
	return e;
}

enum err state_open(struct world *w, struct str url, struct state **out, struct why *why) {
	struct arena a;
	struct url u;
	arena_init(&a, 0);
	enum err e = url_parse(&a, url, &u, why);
	if (e) why_prefix(why, e, "state");
	const struct state_ops *ops = NULL;
	for (size_t i = 0; !e && i < state_backend_count; i++)
		if (str_is(u.scheme, state_backends[i]->scheme)) ops = state_backends[i];
	if (!e) e = ops ? ops->open(w, &u, out, why) : unknown(u.scheme, why);
	arena_done(&a);
	return e;
}
