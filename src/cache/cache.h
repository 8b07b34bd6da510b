/* Hot state that may be lost: counters by window, scores in order, copies of what state holds.
 *
 * Nothing is decided on the cache alone: a back end that is gone, slow or emptied is an answer
 * (ERR_UNREACHABLE) that callers treat as the safe side. Completion by message, as with state. */
#pragma once

#include "base/clock.h"
#include "base/str.h"
#include "base/url.h"
#include "world/world.h"

#define CACHE_KEY_MAX   512
#define CACHE_VALUE_MAX (1024 * 1024)
#define CACHE_COUNT_MAX 4096 /* events of one window; further ones are answered as this many */
#define CACHE_TOP_MAX   1000

struct cache_member {
	struct str name;
	double score;
};

struct cache_done {
	uint64_t tag;
	enum err err;                       /* ERR_NOT_FOUND: get; ERR_UNREACHABLE; ERR_FULL: it does not fit; ERR_NOMEM */
	struct str value;                   /* get */
	int64_t count;                      /* count: events in the window, this one included */
	const struct cache_member *members; /* top */
	size_t member_count;
};

enum cache_op_kind {
	CACHE_SET,   /* key, value, ttl_ns (0: none) */
	CACHE_GET,   /* key */
	CACHE_COUNT, /* key, window_ns: adds one event to the sliding window, answers how many it holds (those
	                younger than window_ns); a key has one length of window */
	CACHE_SCORE, /* key (the sorted set), value (the member), score; NaN removes */
	CACHE_TOP,   /* key, limit (1..1000): highest first, equal scores by name; no such set: none */
};

struct cache_op {
	enum cache_op_kind kind;
	struct str key, value;
	int64_t ttl_ns, window_ns;
	double score;
	size_t limit;
};

struct cache {
	const struct cache_ops *ops;
};

struct cache_ops {
	const char *scheme;
	enum err (*open)(struct world *w, const struct url *u, struct cache **out, struct why *why);
	enum err (*attach)(struct cache *, struct cache **out); /* a handle with completions of its own */
	/* Copies. Done in order of submission over all handles; values, windows and sets are three name
	 * spaces. ERR_FULL: too much waits to be polled; ERR_INVALID, ERR_TOO_LARGE, ERR_NOMEM. */
	enum err (*submit)(struct cache *, const struct cache_op *, uint64_t tag);
	bool (*poll)(struct cache *, struct cache_done *out);
	void (*close)(struct cache *); /* the last handle closes the back end */
};

static inline void cache_close(struct cache *c) {
	if (c) c->ops->close(c);
}

MUST_USE enum err cache_open(struct world *w, struct str url, struct cache **out, struct why *why);
