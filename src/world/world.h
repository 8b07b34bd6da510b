/* The outside, as one daemon sees it.
 *
 * Only a back end's `open`, whose needs vary, and the wiring are handed the whole; every other
 * module takes the single ports that it uses. world/linux makes the real one, sim/ a simulated one. */
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "world/disk.h"
#include "world/http.h"
#include "world/jobs.h"
#include "world/net.h"
#include "world/process.h"

struct world {
	struct clock *clock;
	struct disk *disk;
	struct jobs *jobs;
	struct net *net;
	struct http_host *servers;
	struct http_clients *clients;
	struct process *process;
	struct log *log;
	struct rng rng; /* forked by name, never drawn from */
	/* True where the simulation lets the place `name` misbehave now; always false on Linux. */
	bool (*fault)(struct world *, const char *name);
};

/* Marks a place where the outside may misbehave: a branch on the world handed in, in every build. */
#define FAULT(w, name) ((w)->fault && (w)->fault((w), (name)))
