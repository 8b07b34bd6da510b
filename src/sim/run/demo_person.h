/* A person before a screen in the simulated world: a host that asks Flyball's API, again and again.
 *
 * Asks for the graph and for new events every second of the world's time, for the coverage every five; a demo that is
 * only read later asks all the same, so that one seed is one story however it is shown. What is answered goes to
 * whoever watches, parsed, and is gone when that returns. */
#pragma once

#include "base/json.h"
#include "sim/host.h"

#define DEMO_ASKS 3

struct demo_person {
	void (*graph)(void *self, const struct json *answer);
	void (*coverage)(void *self, const struct json *answer);
	void (*event)(void *self, const struct json *event);
	void *self;
	int64_t begin_ns;  /* in the world's time: nothing is asked before */
	struct wall since; /* events from then on */
	/* Its own from here on. */
	struct sim_host *host;
	struct http_client *client;
	struct demo_ask {
		uint64_t id; /* of the exchange; 0: none runs */
		int64_t next_ns;
		int status;
		struct buf body;
	} asks[DEMO_ASKS];
	int64_t position; /* of the last event */
};

extern const struct sim_program demo_person_program; /* its `self` is a struct demo_person */
