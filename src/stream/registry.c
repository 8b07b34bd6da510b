/* The transports there are: the only list. */
#include "stream/transport.h"
#include "stream/transport_memory.h"

static const struct transport_ops *const transports[] = { &transport_memory };

static enum err unknown(struct str scheme, struct why *why) {
	struct buf known;
	buf_init(&known, 128);
	for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
		buf_printf(&known, "%s%s:", i ? ", " : "", transports[i]->scheme);
	}
	buf_byte(&known, '\0');
	enum err e = why_set(why, ERR_UNSUPPORTED, "stream: no transport '" STR_FMT "'; there are: %s", STR_ARG(scheme),
	                     known.err ? "" : known.p);
	buf_done(&known);
	return e;
}

enum err transport_open(struct world *w, struct str url, struct transport **out, struct why *why) {
	struct arena a;
	arena_init(&a, 64 * 1024);
	struct url u;
	enum err e = url_parse(&a, url, &u, why);
	const struct transport_ops *found = NULL;
	for (size_t i = 0; !e && i < sizeof transports / sizeof *transports; i++) {
		if (str_is(u.scheme, transports[i]->scheme)) found = transports[i];
	}
	if (!e) e = found ? found->open(w, &u, out, why) : unknown(u.scheme, why);
	arena_done(&a);
	return e;
}
