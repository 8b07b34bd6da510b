/* What a request usually costs, and where: sums of quiet windows, an hour of memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "observe/observer_in.h"

#define HALF_S 3600.0
#define MANY   2000.0 /* requests after which the memory is one of time, not of requests */

struct usual_calls *usual_calls_get(const struct observer *ob, uint32_t edge) {
	return edge < ob->calls_cap ? ob->calls[edge] : NULL;
}

struct usual_calls *usual_calls_of(struct observer *ob, uint32_t edge) {
	if (edge >= ob->calls_cap) {
		uint32_t cap = ob->calls_cap ? ob->calls_cap : 64;
		while (cap <= edge) cap *= 2;
		struct usual_calls **v = realloc(ob->calls, cap * sizeof *v);
		if (!v) return NULL;
		memset(v + ob->calls_cap, 0, (cap - ob->calls_cap) * sizeof *v);
		ob->calls = v;
		ob->calls_cap = cap;
	}
	if (!ob->calls[edge]) ob->calls[edge] = calloc(1, sizeof **ob->calls);
	return ob->calls[edge];
}

void usual_calls_forget(struct observer *ob, uint32_t edge) {
	if (edge >= ob->calls_cap) return;
	free(ob->calls[edge]);
	ob->calls[edge] = NULL;
}

static void learn_calls(struct observer *ob, const struct edge *g, const struct slot *caller, int64_t first,
                        int64_t last, double keep) {
	struct usual_calls *u = usual_calls_of(ob, g->index);
	if (!u) return;
	struct edge_slot s = edge_sum(g, first, last);
	u->requests = keep * u->requests + (double)caller->seen;
	u->calls = keep * u->calls + (double)s.calls;
	u->seconds = keep * u->seconds + (double)s.seconds;
	u->wall_seconds = keep * u->wall_seconds + (double)s.wall_seconds;
	u->joined = keep * u->joined + (double)s.joined;
	u->gap_seconds = keep * u->gap_seconds + (double)s.gap_seconds;
	u->failed = keep * u->failed + (double)s.failed;
	u->blamed = keep * u->blamed + (double)s.blamed;
}

/* One window late, so that what has just begun to go wrong is not learned as usual. */
void usual_learn(struct observer *ob, struct watch *w, int64_t first, int64_t last) {
	const struct entity *e = entity_of(ob, w->entity);
	int64_t back = 3 * (last - first + 1);
	first -= back, last -= back;
	struct slot s = channel_sum(e->red[VIA_SPANS], first, last);
	if (!watch_quiet(ob, w) || !(s.seen > 0)) return;
	double window_s = (double)ob->o.settings.window_ns / 1e9;
	double keep = w->usual.requests < MANY ? 1 : exp2(-window_s / HALF_S);
	struct usual *u = &w->usual;
	u->requests = keep * u->requests + (double)s.seen;
	u->seconds = keep * u->seconds + (double)s.seconds;
	u->self_seconds = keep * u->self_seconds + (double)s.self_seconds;
	u->bad = keep * u->bad + (double)s.bad;
	u->own_bad = keep * u->own_bad + (double)s.own_bad;
	for (uint32_t i = e->first_edge; i != NONE;) {
		const struct edge *g = catalog_edge(&ob->stream->catalog, i);
		learn_calls(ob, g, &s, first, last, keep);
		i = g->next;
	}
}
