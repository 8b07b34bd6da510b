/* State: what must survive a crash, behind what SQLite and DynamoDB both can do.
 *
 * Items have a key, a value and a version that rises with each write. Requests are submitted and
 * complete by message; writes of one transaction happen together or not at all, and are durable
 * when the message comes. Keys are paths ("incident/01J.../action/1"); a query walks a prefix in
 * byte order. What is past its expiry is never answered.
 * Thread: one loop's own. */
#pragma once

#include "base/clock.h"
#include "base/str.h"
#include "base/url.h"
#include "world/world.h"

#define STATE_KEY_MAX      1024
#define STATE_VALUE_MAX    (380 * 1024) /* DynamoDB's 400 KB less key and overhead; larger blobs are split */
#define STATE_TRANSACT_MAX 100

#define STATE_TRANSACT_BYTES_MAX (4 * 1024 * 1024) /* keys and values of one transaction */
#define STATE_QUERY_MAX          1000              /* items of one answer */
#define STATE_ANSWER_MAX         (1024 * 1024)     /* bytes of one answer, but for its first item */

struct state_item {
	struct str key, value;
	uint64_t version;    /* 1 for a new item */
	struct wall expires; /* ns 0: never */
};

enum state_check {
	STATE_ANY,
	STATE_ABSENT,  /* there is no such (unexpired) item */
	STATE_VERSION, /* it is at exactly `version` */
};
enum state_effect { STATE_PUT, STATE_REMOVE, STATE_CHECK_ONLY };

struct state_write {
	enum state_effect effect;
	enum state_check check;
	struct str key, value;
	uint64_t version;
	struct wall expires;
};

struct state_query {
	struct str prefix; /* with `exact`: the key itself */
	bool exact;
	bool newest_first; /* from the last key down */
	struct str after;  /* resume behind this key, in the direction of the walk; empty: from the start */
	int64_t limit;     /* 1..1000 */
};

struct state_done {
	uint64_t tag;
	enum err err;                   /* ERR_CONFLICT: condition `failed` did not hold, nothing was written.
	                                   ERR_NOSPACE, ERR_READONLY, ERR_IO, ERR_CORRUPT, ERR_UNREACHABLE: not
	                                   done as far as we know, but a restart may find it done: read again */
	size_t failed;                  /* index into the writes */
	const struct state_item *items; /* of a query; until the next poll */
	size_t count;
	bool more; /* the limit, or STATE_ANSWER_MAX, cut it: go on `after` its last key */
	const char *why;
};

struct state {
	const struct state_ops *ops;
};

struct state_ops {
	const char *scheme; /* "sqlite" in sqlite:///var/lib/flyball/state.db */
	enum err (*open)(struct world *w, const struct url *u, struct state **out, struct why *why);
	/* Another handle on the same back end, with completions of its own: one for each stage. */
	enum err (*attach)(struct state *, struct state **out);
	/* Copies everything. 1..100 writes of distinct keys, none of them empty. A PUT of what is absent or
	 * expired makes version 1, else one more than there was. Requests of all handles are done in the
	 * order of their submission; a query sees what was submitted before it, or fails with it.
	 * ERR_FULL: too much waits, try after a poll; ERR_TOO_LARGE; ERR_INVALID; ERR_NOMEM. */
	enum err (*transact)(struct state *, const struct state_write *, size_t count, uint64_t tag);
	enum err (*query)(struct state *, const struct state_query *, uint64_t tag);
	bool (*poll)(struct state *, struct state_done *out);
	/* The last handle closes the back end. What was not polled is lost to its caller; whether it was
	 * done, a later query says. */
	void (*close)(struct state *);
};

/* By scheme, from the table in store/registry.c. ERR_UNSUPPORTED lists the known ones. */
MUST_USE enum err state_open(struct world *w, struct str url, struct state **out, struct why *why);
static inline enum err state_transact(struct state *s, const struct state_write *w, size_t n, uint64_t tag) {
	return s->ops->transact(s, w, n, tag);
}
static inline enum err state_query(struct state *s, const struct state_query *q, uint64_t tag) {
	return s->ops->query(s, q, tag);
}
static inline bool state_poll(struct state *s, struct state_done *out) {
	return s->ops->poll(s, out);
}
static inline void state_close(struct state *s) {
	if (s) s->ops->close(s);
}
