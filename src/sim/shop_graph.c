/* Questions about a world's call graph. */
#include "sim/memory.h"
#include "sim/shop_world.h"

static const struct shop_service *service_of(const struct shop_world *w, const char *name) {
	for (size_t i = 0; i < w->service_count; i++)
		if (!strcmp(w->services[i].name, name)) return &w->services[i];
	return NULL;
}

static bool reaches(const struct shop_world *w, const char *from, const char *to, bool *seen) {
	const struct shop_service *s = service_of(w, from);
	if (!strcmp(from, to)) return true;
	if (!s || seen[s - w->services]) return false;
	seen[s - w->services] = true;
	for (size_t e = 0; e < s->endpoint_count; e++)
		for (size_t c = 0; c < s->endpoints[e].call_count; c++)
			if (reaches(w, s->endpoints[e].calls[c].to, to, seen)) return true;
	return false;
}

bool shop_world_reaches(const struct shop_world *w, const char *from, const char *to) {
	bool *seen = must_array(w->service_count, sizeof *seen);
	bool found = reaches(w, from, to, seen);
	free(seen);
	return found;
}
