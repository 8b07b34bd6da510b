/* The bus: durable queues of events between the layers.
 *
 * At least once. An event is durable before its producer is told so; a queue gets it when its
 * pattern matches; a receiver has it to itself for the visibility time-out, extends that while it
 * works, and deletes it only after its effect is recorded. What fails comes back later and later
 * (exponential, full jitter), and after `receives_max` or `age_max` goes to the dead letters with the reason.
 * Completion by message. Thread: one loop's own.
 *
 * Nothing grows for ever. sqlite:///FILE?queue=16MiB&bytes=512MiB&age=7d&dead=14d: `queue` bounds what waits
 * for the disk (ERR_FULL at once); an event leaves the archive after `age`, or earlier where the file is
 * larger than `bytes`, but never while a queue waits for it: where that is all there is, publishes are
 * refused (ERR_FULL in the message) until somebody has taken something. Dead letters, which hold a copy
 * of their event, are kept for `dead`. */
#pragma once

#include "base/clock.h"
#include "base/str.h"
#include "base/url.h"
#include "bus/pattern.h"
#include "model/event.h"
#include "world/world.h"

#define BUS_QUEUES_MAX    64
#define BUS_NAME_MAX      64  /* of a queue: small letters, digits, '-', '_', '.' */
#define BUS_IN_FLIGHT_MAX 64  /* deliveries of one queue that are not settled */
#define BUS_REASON_MAX    512 /* bytes of a reason that are kept */
#define BUS_DELAY_MAX     (12 * 60 * NS_PER_MIN)
#define BUS_LIST_MAX      1000
#define BUS_LIST_BYTES    (4 * 1024 * 1024) /* of one answer, but for its first event */

struct bus_queue_opts {
	struct str name;                        /* "control" */
	struct str pattern;                     /* EventBridge pattern, JSON; compiled at subscribe */
	int64_t visibility_ns;                  /* 1 ms..12 h; 0: 30 s */
	int64_t receives_max;                   /* 1..1000; 0: 8 */
	int64_t age_max_ns;                     /* from 1 s; 0: 4 days */
	int64_t backoff_min_ns, backoff_max_ns; /* up to 12 h; both 0: 1 s, 5 min */
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
	uint64_t position; /* order of arrival on the bus, or among the dead letters */
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
	bool more; /* LISTED: the limit, or BUS_LIST_BYTES, cut it: go on `after` the last position */
	const char *why;
};

struct bus_list {
	struct str type;   /* empty: any */
	struct wall since; /* when it came to the bus, or died; ns 0: all that is kept */
	uint64_t after;    /* position, exclusive, in the direction of the list; 0: from its beginning */
	bool dead;         /* dead letters rather than the archive */
	struct str queue;  /* of dead letters; empty: every queue */
	bool newest_first;
	int64_t limit; /* 1..1000 */
};

/* Of the dead letters of a queue, or of all queues: back into their queues, as if new there; or thrown away. */
enum bus_admin { BUS_REDRIVE, BUS_PURGE };

struct bus_stats {
	int64_t waiting, in_flight, dead, archived;
	int64_t oldest_age_ns; /* of the first that is not settled; where all are held back, of the next one due */
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
	/* Deliveries of that queue come to this handle, no more to another one. Idempotent by name; the newest options
	 * count. A queue stays when nobody receives from it, also over restarts: it goes on filling.
	 * ERR_INVALID: the pattern, with its position, or an option; ERR_UNSUPPORTED, ERR_TOO_LARGE: the
	 * pattern; ERR_FULL: BUS_QUEUES_MAX. */
	enum err (*subscribe)(struct bus *, const struct bus_queue_opts *, struct why *why);
	/* Copies. A second publish with the same (source, id) is PUBLISHED and changes nothing, as long as the
	 * first is kept in the archive. ERR_FULL, here or in the message: back-pressure, try later;
	 * ERR_TOO_LARGE; ERR_INVALID: id, source or type is missing, or data is not JSON. */
	enum err (*publish)(struct bus *, const struct event *, uint64_t tag);
	bool (*poll)(struct bus *, struct bus_msg *out); /* at most 64 deliveries in flight a queue */
	/* ack: delete. Without: `delay_ns` >= 0 and no reason extends: it stays with this receiver, under the same
	 * receipt, for that long from now. Else it is given back: seen again after `delay_ns` (-1: the
	 * queue's back-off), with the reason kept; the receipt is void. Delays end at BUS_DELAY_MAX.
	 * Any handle may settle. ERR_NOMEM. */
	enum err (*settle)(struct bus *, uint64_t receipt, bool ack, int64_t delay_ns, struct str reason, uint64_t tag);
	struct mono (*next_due)(struct bus *); /* when poll may have something by time alone; INT64_MAX: never */
	/* What this handle received and did not settle is given back. The last handle closes the back end;
	 * what is in flight then, or when the process dies, is seen again after the next start. */
	void (*close)(struct bus *);
};

/* For people: the archive, the dead letters, depths. */
struct bus_admin_ops {
	/* ERR_INVALID: limit; ERR_NOT_FOUND: no such queue; ERR_FULL, ERR_NOMEM. */
	enum err (*list)(struct bus *, const struct bus_list *, uint64_t tag);
	/* BUS_SETTLED. ERR_NOT_FOUND: no such queue; empty: all. ERR_FULL, ERR_NOMEM. */
	enum err (*change)(struct bus *, enum bus_admin, struct str queue, uint64_t tag);
	/* As of the last commit; of all queues together where `queue` is empty. No such queue: zeros. */
	void (*stats)(struct bus *, struct str queue, struct bus_stats *out);
};

static inline void bus_close(struct bus *b) {
	if (b) b->ops->close(b);
}

/* By scheme, from the table in bus/registry.c. ERR_UNSUPPORTED lists the known ones. */
MUST_USE enum err bus_open(struct world *w, struct str url, struct bus **out, struct why *why);
