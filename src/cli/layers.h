/* A graph of calls laid out in layers: who calls stands left of whom it calls, as far right as the calls go deep.
 *
 * After Sugiyama, Tagawa and Toda (1981): layers by the longest way from a caller that nobody calls; calls over more
 * than one layer pass through the layers between, those of one caller together; order within a layer by barycenters;
 * then rows. Between two layers runs a channel, in which each caller has an upright track of its own, so that two
 * lines never run into one another (where that cannot be had, it is rather drawn so than not at all).
 * A call that goes back, in a cycle, gets no path: it is counted. Pure, deterministic, no recursion. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct layers_edge {
	uint32_t from, to; /* places */
};
struct layers_opts {
	const int *widths; /* of each place's label, in columns */
	size_t count;
	const struct layers_edge *edges;
	size_t edge_count;
	int columns, rows; /* into which all of it must fit */
};

struct layers_place {
	int layer, row, column;
	int width; /* for its label: cut where the columns do not suffice */
};
struct layers_point {
	int row, column;
};
struct layers_path { /* of an edge: corners, from right behind the caller's label to right before the other's */
	const struct layers_point *points;
	size_t count; /* 0: not drawn */
};

struct layers {
	struct layers_place *places; /* of each */
	struct layers_path *paths;
	int layer_count;
	size_t back; /* calls without a path */
};

/* The layer of each place alone: for lists. ERR_NOMEM. */
MUST_USE enum err layers_depths(const struct layers_opts *o, struct arena *a, int *depths);
/* Everything lies in `a`. ERR_TOO_LARGE: it does not fit; ERR_NOMEM. */
MUST_USE enum err layers_lay(const struct layers_opts *o, struct arena *a, struct layers *out);
