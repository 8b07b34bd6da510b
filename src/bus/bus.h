/* The bus: durable queues of events between the layers.
 *
 * At least once. An event is durable before its producer is told so; a queue gets it when its
 * pattern matches; a receiver has it to itself for the visibility time-out, extends that while it
 * works, and deletes it only after its effect is recorded. What fails comes back later and later
 * (exponential, full jitter), and after `receives_max` or `age_max` goes to the dead letters with the reason.
 * Completion by message. Thread: one loop's own. */
#pragma once

#include "base/clock.h"
#include "base/str.h"
#include "base/url.h"
#include "bus/pattern.h"
#include "model/event.h"
#include "world/world.h"

struct bus_queue_opts {
	struct str name;                        /* "control" */
	struct str pattern;                     /* EventBridge pattern, JSON; compiled at subscribe */
	int64_t visibility_ns;                  /* 30 s */
	int64_t receives_max;                   /* 8 */
	int64_t age_max_ns;                     /* 4 days */
	int64_t backoff_min_ns, backoff_max_ns; /* 1 s, 5 min */
};

enum bus_msg_kind {
	BUS_PUBLISHED, /* tag: durable, on every queue that wants it (or `err`) */
	BUS_DELIVERED, /* queue, receipt, event, receives */
	BUS_SETTLED,   /* tag: an ack, nack or extend is recorded (or `err`; ERR_GONE: the receipt is stale) */
	BUS_LISTED,    /* tag: events or dead letters asked for */
};

struct bus_listed {
	struct str queue, reason; /* dead letters: where from, and why */
	int64_t receives;
	uint64_t position; /* order of arrival on the bus */
	struct str event;  /* JSON text */
};

struct bus_msg {
	enum bus_msg_kind kind;
	uint64_t tag;
	enum err err;
	struct str queue;
	uint64_t receipt;
	int64_t receives;   /* 1 for the first time */
	struct event event; /* everything lives until the next poll */
	struct str text;    /* the event's JSON */
	const struct bus_listed *list;
	size_t count;
	const char *why;
};

struct bus_list {
	struct str type;   /* empty: any */
	struct wall since; /* ns 0: all that is kept */
	uint64_t after;    /* position; 0: from the start */
	bool dead;         /* dead letters rather than the archive */
	struct str queue;  /* of dead letters; empty: every queue */
	bool newest_first;
	int64_t limit; /* 1..1000 */
};

enum bus_admin { BUS_REDRIVE, BUS_PURGE };

struct bus_stats {
	int64_t waiting, in_flight, dead, archived;
	int64_t oldest_age_ns;
};

struct bus {
	const struct bus_ops *ops;
	const struct bus_admin_ops *admin;
};

struct bus_ops {
	const char *scheme;
	enum err (*open)(struct world *w, const struct url *u, struct bus **out, struct why *why);
	/* Another handle on the same back end, with completions and deliveries of its own. */
	enum err (*attach)(struct bus *, struct bus **out);
	/* Deliveries of that queue come to this handle. Idempotent by name.
	 * ERR_INVALID: the pattern, with its position. */
	enum err (*subscribe)(struct bus *, const struct bus_queue_opts *, struct why *why);
	/* Copies. A second publish with the same (source, id) is PUBLISHED and changes nothing.
	 * ERR_FULL: back-pressure; ERR_TOO_LARGE, ERR_INVALID. */
	enum err (*publish)(struct bus *, const struct event *, uint64_t tag);
	bool (*poll)(struct bus *, struct bus_msg *out); /* at most 64 deliveries in flight a queue */
	/* ack: delete. Else `delay_ns` (-1: the queue's back-off) until it is seen again, `reason` kept. */
	enum err (*settle)(struct bus *, uint64_t receipt, bool ack, int64_t delay_ns, struct str reason, uint64_t tag);
	struct mono (*next_due)(struct bus *); /* when poll may have something by time alone */
	void (*close)(struct bus *);           /* the last handle closes the back end */
};

/* For people: the archive, the dead letters, depths. */
struct bus_admin_ops {
	enum err (*list)(struct bus *, const struct bus_list *, uint64_t tag);
	enum err (*change)(struct bus *, enum bus_admin, struct str queue, uint64_t tag); /* BUS_SETTLED */
	void (*stats)(struct bus *, struct str queue, struct bus_stats *out);             /* as of the last commit */
};

static inline void bus_close(struct bus *b) {
	if (b) b->ops->close(b);
}

MUST_USE enum err bus_open(struct world *w, struct str url, struct bus **out, struct why *why);
