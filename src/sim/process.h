/* What a simulated process is told of itself: a name, a number, entropy from the world's seed. */
#pragma once

#include "base/rng.h"
#include "world/process.h"

#define SIM_ENV_MAX 8

struct sim_process {
	struct process process;
	struct rng rng;
	char host[48];
	int64_t id; /* rises with each start */
	bool stopping, reload;
	struct {
		const char *name, *value; /* literals */
	} env[SIM_ENV_MAX];
};

void sim_process_init(struct sim_process *p, const char *host, struct rng rng);
