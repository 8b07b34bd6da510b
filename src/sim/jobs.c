#include "sim/jobs.h"

#include <math.h>

#include "sim/memory.h"

#define START_NS (20 * NS_PER_US) /* a thread wakes up */
#define REST_NS  (60 * NS_PER_US) /* median of what the job computes; sigma 0.8 */

struct sim_lane {
	struct lane lane;
	struct sim_jobs *owner;
	uint32_t slot, generation;
	struct job **waiting; /* a ring of `depth`; submitted, not started */
	struct job **ended;   /* likewise; to be polled */
	size_t depth, waiting_first, waiting_count, ended_first, ended_count;
	struct job *running;
};

static void lane_moment(void *self, uint64_t arg);

static uint64_t name_of(const struct sim_lane *l) {
	return (uint64_t)l->slot << 32 | l->generation;
}

/* Runs the next job that waits, and asks for the moment when its time is over. */
static void lane_start(struct sim_lane *l) {
	struct sim_jobs *j = l->owner;
	l->running = l->waiting[l->waiting_first];
	l->waiting_first = (l->waiting_first + 1) % l->depth;
	l->waiting_count--;
	j->disk->busy_ns = 0;
	l->running->run(l->running);
	int64_t took = j->disk->busy_ns + (int64_t)((double)REST_NS * j->slowness * exp(0.8 * rng_normal(&j->rng)));
	sim_queue_in(j->queue, took, lane_moment, j, name_of(l));
}

/* A job's start, or its end. */
static void lane_moment(void *self, uint64_t arg) {
	struct sim_jobs *j = self;
	struct sim_lane *l = j->lanes[arg >> 32];
	if (!l || l->generation != (uint32_t)arg || j->fuse->blown) return;
	sim_trace_mix(j->trace, arg);
	if (l->running) {
		l->ended[(l->ended_first + l->ended_count++) % l->depth] = l->running;
		l->running = NULL;
		j->wake(j->wake_self);
	}
	if (l->waiting_count) lane_start(l);
}

static enum err submit(struct lane *lane, struct job *job) {
	struct sim_lane *l = (struct sim_lane *)lane;
	if (l->waiting_count + l->ended_count + (l->running ? 1 : 0) >= l->depth) return ERR_FULL;
	bool idle = !l->running && !l->waiting_count;
	l->waiting[(l->waiting_first + l->waiting_count++) % l->depth] = job;
	if (idle) sim_queue_in(l->owner->queue, START_NS, lane_moment, l->owner, name_of(l));
	return OK;
}

static struct job *poll(struct lane *lane) {
	struct sim_lane *l = (struct sim_lane *)lane;
	if (!l->ended_count) return NULL;
	struct job *job = l->ended[l->ended_first];
	l->ended_first = (l->ended_first + 1) % l->depth;
	l->ended_count--;
	return job;
}

static void drop_ring(struct job **ring, size_t depth, size_t first, size_t count, void (*drop)(struct job *)) {
	for (size_t i = 0; drop && i < count; i++) drop(ring[(first + i) % depth]);
}

/* What has run is the caller's again, seen or not. */
static void close_lane(struct lane *lane, void (*drop)(struct job *)) {
	struct sim_lane *l = (struct sim_lane *)lane;
	if (!l) return;
	if (l->running && drop) drop(l->running);
	drop_ring(l->ended, l->depth, l->ended_first, l->ended_count, drop);
	drop_ring(l->waiting, l->depth, l->waiting_first, l->waiting_count, drop);
	l->owner->lanes[l->slot] = NULL;
	free(l->waiting);
	free(l->ended);
	free(l);
}

static const struct lane_ops lane_ops = { submit, poll, close_lane };

static enum err open_lane(struct jobs *jobs, const char *name, size_t depth, struct lane **out) {
	struct sim_jobs *j = (struct sim_jobs *)jobs;
	if (!depth || depth > 1 << 20) return ERR_INVALID;
	uint32_t slot = 0;
	while (slot < SIM_LANES && j->lanes[slot]) slot++;
	if (slot == SIM_LANES) return ERR_FULL;
	struct sim_lane *l = must_alloc(sizeof *l);
	*l = (struct sim_lane){ .lane = { &lane_ops }, .owner = j, .slot = slot, .generation = ++j->generation };
	l->depth = depth;
	l->waiting = must_array(depth, sizeof *l->waiting);
	l->ended = must_array(depth, sizeof *l->ended);
	j->lanes[slot] = l;
	sim_trace_bytes(j->trace, str_of(name));
	*out = &l->lane;
	return OK;
}

void sim_jobs_init(struct sim_jobs *j, struct sim_queue *queue, struct sim_disk *disk, struct rng rng) {
	*j = (struct sim_jobs){ .jobs = { open_lane }, .queue = queue, .disk = disk, .rng = rng, .slowness = 1 };
	j->trace = disk->trace;
	j->fuse = disk->fuse;
}
