/* Lanes in virtual time: a job runs whole at its moment; its end is seen when the time it took is over.
 *
 * The time is what the lane needs to start it, what the disk says it did (disk.h's busy_ns), and a
 * drawn rest. A host may die between any two of: submitted, run, seen. `wake` is called whenever a lane
 * has something to poll. The queue's moments outlive a closed lane: they name it by slot and generation. */
#pragma once

#include "base/rng.h"
#include "sim/disk.h"
#include "world/jobs.h"

#define SIM_LANES 16

struct sim_jobs {
	struct jobs jobs;
	struct sim_queue *queue;
	struct sim_trace *trace;
	struct sim_disk *disk;
	struct sim_fuse *fuse;
	struct rng rng;
	struct sim_lane *lanes[SIM_LANES];
	uint32_t generation; /* rises with each lane opened */
	double slowness;     /* multiplies the drawn part; 1: usual */
	void (*wake)(void *self);
	void *wake_self;
};

void sim_jobs_init(struct sim_jobs *j, struct sim_queue *queue, struct sim_disk *disk, struct rng rng);
