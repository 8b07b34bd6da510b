#include "store/group.h"

#include <assert.h>
#include <stdlib.h>

/* Of one transaction: more would keep those who wait for it too long. */
#define BATCH_ITEMS 1024
#define BATCH_BYTES (INT64_C(8) << 20)

struct group {
	struct group_opts o;
	struct lane *lane;
	struct ring *ring; /* from the loop to the lane */
	struct job job;
	bool running;  /* the loop's: the job is submitted and not yet polled */
	int64_t bytes; /* the loop's: of items that are not done */
	size_t items;  /* likewise */
	/* The lane's while the job runs, the loop's otherwise. */
	struct group_item *first, **last;
	enum err err;
	struct why why;
};

static struct group *group_of(struct job *j) {
	return (struct group *)(void *)((char *)j - offsetof(struct group, job));
}

/* ---- on the lane ---- */

static void keep(struct group *g, struct group_item *i) {
	i->next = NULL;
	*g->last = i;
	g->last = &i->next;
}

/* What waits, and what comes meanwhile. After an error the rest is left for the next batch. */
static enum err run_items(struct group *g) {
	int64_t bytes = 0;
	size_t n = 0;
	enum err e = OK;
	for (struct group_item *i; !e && n < BATCH_ITEMS && bytes < BATCH_BYTES && (i = ring_pop(g->ring)); n++) {
		bytes += i->bytes;
		keep(g, i);
		e = g->o.ops->run(g->o.self, i);
	}
	return e;
}

static enum err transaction(struct group *g) {
	sqlite3 *db = g->o.sql->db;
	enum err e = sql_exec(db, "BEGIN");
	if (!e) e = run_items(g);
	if (!e && g->o.ops->before) e = g->o.ops->before(g->o.self);
	if (!e) e = sql_exec(db, "COMMIT");
	if (e) sql_why(g->o.sql, g->o.what, e, &g->why);
	sql_rollback(db);
	return e;
}

static void run(struct job *j) {
	struct group *g = group_of(j);
	g->err = transaction(g);
	/* Where not even BEGIN came through, one request has to hear of it, or all would wait for ever. */
	if (g->err && !g->first) {
		struct group_item *i = ring_pop(g->ring);
		if (i) keep(g, i);
	}
	if (g->o.ops->after) g->o.ops->after(g->o.self, g->err);
}

/* ---- on the loop ---- */

enum err group_open(struct group_opts o, struct group **out) {
	struct group *g = calloc(1, sizeof *g);
	if (!g) return ERR_NOMEM;
	*g = (struct group){ .o = o, .job.run = run };
	g->last = &g->first;
	enum err e = ring_open(o.items_max * 2, &g->ring);
	if (!e) e = o.jobs->lane(o.jobs, o.what, 1, &g->lane);
	if (e) {
		ring_close(g->ring, NULL);
		free(g);
		return e;
	}
	*out = g;
	return OK;
}

static void start(struct group *g) {
	if (g->running || !ring_count(g->ring)) return;
	/* A lane that has no place now is tried again at the next poll. */
	g->running = lane_submit(g->lane, &g->job) == OK;
}

enum err group_submit(struct group *g, struct group_item *item, int64_t bytes, bool always) {
	bool full = g->items >= g->o.items_max || g->bytes + bytes > g->o.bytes_max;
	if (full && !always) return ERR_FULL;
	item->bytes = bytes;
	if (!ring_push(g->ring, item)) return ERR_FULL;
	g->bytes += bytes;
	g->items++;
	start(g);
	return OK;
}

bool group_poll(struct group *g) {
	struct job *j = g->running ? lane_poll(g->lane) : NULL;
	if (!j) {
		start(g);
		return false;
	}
	g->running = false;
	struct group_item *i = g->first;
	g->first = NULL;
	g->last = &g->first;
	enum err e = g->err;
	struct why why = g->why;
	if (g->o.ops->ended) g->o.ops->ended(g->o.self, e);
	start(g);
	while (i) {
		struct group_item *next = i->next;
		assert(g->items > 0);
		g->items--;
		g->bytes -= i->bytes;
		g->o.ops->done(g->o.self, i, e, why.text);
		i = next;
	}
	return true;
}

bool group_wants_poll(const struct group *g) {
	return !g->running && g->items > 0;
}

void group_close(struct group *g) {
	if (!g) return;
	lane_close(g->lane, NULL);
	for (struct group_item *i = g->first; i;) {
		struct group_item *next = i->next;
		g->o.ops->drop(g->o.self, i);
		i = next;
	}
	for (struct group_item *i; (i = ring_pop(g->ring));) g->o.ops->drop(g->o.self, i);
	ring_close(g->ring, NULL);
	free(g);
}
