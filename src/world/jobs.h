/* Blocking work off the loop: fsync, SQLite, training.
 *
 * A lane runs its jobs one after another, in order, on a thread of its own; the loop that opened it
 * polls what has ended. So an object that only jobs of one lane touch needs no lock. In the
 * simulation a job runs at its virtual moment and its end is seen later, with a crash possible
 * between any two of these. */
#pragma once

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct job {
	void (*run)(struct job *); /* on the lane; embeds in the caller's struct */
	void *ring_[2];            /* the lane's */
};

struct lane {
	const struct lane_ops *ops;
};

struct lane_ops {
	/* The job is the lane's until polled. ERR_FULL: `depth` jobs were submitted and not polled. */
	enum err (*submit)(struct lane *, struct job *);
	struct job *(*poll)(struct lane *); /* one that has ended, in order; NULL: none */
	/* Waits for the job that runs; those that ended and were not polled, and those that did not start,
	 * are handed to `drop` (may be NULL). */
	void (*close)(struct lane *, void (*drop)(struct job *));
};

struct jobs {
	enum err (*lane)(struct jobs *, const char *name, size_t depth, struct lane **out);
};

static inline enum err lane_submit(struct lane *l, struct job *j) {
	return l->ops->submit(l, j);
}
static inline struct job *lane_poll(struct lane *l) {
	return l->ops->poll(l);
}
static inline void lane_close(struct lane *l, void (*drop)(struct job *)) {
	if (l) l->ops->close(l, drop);
}
