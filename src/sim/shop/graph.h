/* A world's call graph resolved, and what its traffic asks of it.
 *
 * A point is one endpoint of one service; its edges are its calls. Rates and busy shares are expectations at the
 * world's mean rate, without failures and waiting: what cannot be met even so, cannot be met. Pure. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "sim/shop/world.h"

#define SHOP_DEPTH_MAX 64 /* calls below calls */

struct shop_graph_edge {
	const struct shop_call *call;
	size_t target; /* a point, or a database by index */
	bool database;
};
struct shop_graph_point {
	size_t service;
	const struct shop_endpoint *endpoint;
	const struct shop_graph_edge *edges; /* endpoint->call_count of them */
};
struct shop_graph {
	const struct shop_world *world;
	struct shop_graph_point *points;
	size_t point_count;
	size_t *first;   /* of each service: its first point */
	size_t *order;   /* points, callers before those they call */
	size_t *entries; /* points, one for each entry */
	size_t *jobs;    /* likewise */
};
/* ERR_INVALID: "FILE:LINE: ...": a name that is not there, calls that go in a ring or too deep; ERR_NOMEM. */
MUST_USE enum err shop_graph_make(const struct shop_world *w, struct arena *a, const char *file, struct shop_graph *out,
                                  struct why *why);

struct shop_load {
	double *rates;         /* requests a second at each point */
	double *means;         /* seconds that one takes there, those that it calls included */
	double *services;      /* share of its workers that are busy */
	double *cpus;          /* share of its cores that they use */
	double *databases;     /* share of its servers that are busy; the primary, or each replica */
	double *service_rates; /* requests a second */
	double *failures;      /* share of each point's requests that fail, by `errors` alone */
};
MUST_USE enum err shop_load_make(const struct shop_graph *g, struct arena *a, struct shop_load *out);
/* Expected seconds of a time of work. */
double shop_time_mean(const struct shop_time *t);
