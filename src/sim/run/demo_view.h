/* What a person who watches the simulated Flyball sees: its graph, each service with its state.
 *
 * Everything here was answered by the product's own API: nodes, edges and who belongs to an incident by
 * /api/v1/graph, who sends no data by /api/v1/coverage, causes, actions and ends by /api/v1/events. Nothing comes
 * from the simulation. Pure: answers in, states out. Memory: its own. Bounded: DEMO_NODES_MAX nodes and
 * DEMO_EDGES_MAX calls; what is over is counted and left out. */
#pragma once

#include "base/json.h"
#include "base/map.h"

#define DEMO_NODES_MAX 2048
#define DEMO_EDGES_MAX 16384

enum demo_state {
	DEMO_NO_DATA,  /* every signal of it is absent or stale */
	DEMO_WELL,     /* nothing is known against it */
	DEMO_SUSPECT,  /* a signal of it belongs to an open incident */
	DEMO_CAUSE,    /* named as the cause of one */
	DEMO_HEALING,  /* an action on it runs */
	DEMO_VERIFIED, /* its incident is over: back in band, for DEMO_VERIFIED_NS */
	DEMO_STATES
};
#define DEMO_VERIFIED_NS (4 * NS_PER_MIN)

struct demo_node {
	char entity[96]; /* "service/cart" */
	bool member;     /* of an open incident, by the graph or by the event that opened it */
	bool cause, healing, blind;
	char incident[32];    /* for which it is the cause */
	struct wall verified; /* 0: never */
	uint64_t round;       /* of the answer that named it last */
};
struct demo_edge {
	uint32_t from, to; /* nodes */
};

struct demo_view {
	struct demo_node *nodes;
	struct demo_edge *edges;
	struct map by_entity;
	size_t node_count, edge_count, left_out;
	uint64_t round; /* answers of the graph so far; 0: none */
	uint64_t shape; /* hash of names and edges: whoever draws keeps a layout while it stays */
	struct wall now;
};

void demo_view_init(struct demo_view *v);
void demo_view_done(struct demo_view *v);
/* Answers of the API, parsed. `now`: the world's time at which they came. */
void demo_view_graph(struct demo_view *v, const struct json *answer, struct wall now);
void demo_view_coverage(struct demo_view *v, const struct json *answer);
void demo_view_event(struct demo_view *v, const struct json *event);
enum demo_state demo_state_of(const struct demo_view *v, const struct demo_node *n);
/* "suspect" */
const char *demo_state_name(enum demo_state s);
/* "cart" of "service/cart": what is written at its mark. */
const char *demo_node_name(const struct demo_node *n);
