/* Group commit: what one loop asks for, executed in order on one lane, a whole batch in one transaction.
 *
 * A request that comes while a batch is executed joins it, so a burst costs one fsync and a lone
 * request waits for nothing. A batch commits whole or not at all; what a request refuses on its own
 * account (a condition that does not hold) it records in itself, having written nothing.
 *
 * Thread: the loop's, but for `run`, `before` and `after`, which the lane calls. What the loop pushed is
 * the lane's until group_poll hands it back to `done`. */
#pragma once

#include "base/ring.h"
#include "store/sql.h"

struct group_item {
	struct group_item *next;
	int64_t bytes; /* what it counts in the bound; the group's */
};

struct group_ops {
	/* Lane, inside the transaction. An error spoils the whole batch: nothing of it is kept. */
	enum err (*run)(void *self, struct group_item *);
	enum err (*before)(void *self);        /* lane, before the commit; may write; may be NULL */
	void (*after)(void *self, enum err e); /* lane, after commit (OK) or rollback; may be NULL */
	void (*ended)(void *self, enum err e); /* loop, before the lane goes on: what `after` left; may be NULL */
	void (*done)(void *self, struct group_item *, enum err e, const char *why); /* loop; owns the item */
	void (*drop)(void *self, struct group_item *);                              /* loop; never executed */
};

struct group_opts {
	struct jobs *jobs;
	struct sql *sql;   /* borrowed; the lane's while a job runs */
	const char *what;  /* lane's name, and in errors */
	int64_t bytes_max; /* of requests that wait */
	size_t items_max;  /* likewise */
	const struct group_ops *ops;
	void *self;
};

struct group;

MUST_USE enum err group_open(struct group_opts o, struct group **out);
/* `bytes`: what it weighs. ERR_FULL: too much waits; the item stays the caller's. `always`: not held to
 * the bound (its own bound is elsewhere, at most items_max of them). */
MUST_USE enum err group_submit(struct group *g, struct group_item *item, int64_t bytes, bool always);
/* Hands back what has ended, starts what waits. True: something has ended. */
bool group_poll(struct group *g);
/* Something waits that only a poll will start. */
bool group_wants_poll(const struct group *g);
/* Waits for the batch that runs (it may commit, but nobody is told), drops the rest. */
void group_close(struct group *g);
