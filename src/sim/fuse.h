/* A host that dies inside a step.
 *
 * One thread cannot stop code in its midst, but it can keep whatever the code does after the moment of
 * death from having an effect: every port of a host that would change something outside asks the fuse
 * first. When the step returns, the host's owner sees that it has blown and finishes the crash. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sim_fuse {
	int64_t left; /* effects until death; 0: no death is planned */
	bool blown;
	bool power; /* of the planned death: the machine loses power; else the process is killed */
};

/* Called before each effect. True: the host is dead, the effect does not happen. */
static inline bool sim_fuse_blown(struct sim_fuse *f) {
	if (!f->blown && f->left > 0 && --f->left == 0) f->blown = true;
	return f->blown;
}
