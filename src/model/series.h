/* The identity of a time series, and of what it belongs to.
 *
 * Identity is XXH3-128 (seed 0) over one canonical byte string: "FBID1", then the resource's
 * attributes, the metric's name, and the point's attributes, each list sorted by key, each string
 * with its u32 little-endian length before it, each list with its u32 count. Equal in every process
 * and version; a change of the rule is a new prefix. docs/design/0001-series-identity.md tells why. */
#pragma once

#include "base/hash.h"
#include "base/str.h"

struct attr {
	struct str key, value; /* values as text: ints decimal, doubles shortest, bools true/false */
};

struct attrs {
	const struct attr *v;
	size_t n;
};

#define ATTRS_MAX 128 /* a resource or point with more is refused, and counted */

struct series_id {
	struct hash128 h;
};

/* Sorts in place by key, bytewise; of equal keys the last one stays. Returns how many are left. */
size_t attrs_canonical(struct attr *v, size_t n);

/* Sorts both lists in place (they are the caller's) and hashes. Duplicate keys: the last wins. Takes
 * memory only past 4 KiB of canonical bytes, and ends the program when there is none. */
struct series_id series_identity(struct attr *resource, size_t resource_count, struct str metric, struct attr *point,
                                 size_t point_count);
static inline bool series_id_eq(struct series_id a, struct series_id b) {
	return __builtin_memcmp(&a, &b, sizeof a) == 0;
}
struct str attrs_get(struct attrs a, const char *key); /* {NULL,0}: absent; of equal keys the last */

/* The same identity for many series of one resource: the resource's part is written once, and the
 * bytes behind it serve the batch too. Lists are canonical already. Errors stick in `bytes`. */
struct series_namer {
	struct buf bytes;
	size_t resource_end;
};
void series_namer_init(struct series_namer *n);
void series_namer_done(struct series_namer *n);
/* Begins anew. `out`: the resource's own hash, over its canonical bytes alone. */
void series_namer_resource(struct series_namer *n, struct attrs resource, struct hash128 *out);
/* The resource's list in canonical bytes, until the next call of this or series_namer_id; and the same resource
 * again from those bytes, without its attributes. */
struct str series_namer_list(const struct series_namer *n);
void series_namer_again(struct series_namer *n, struct str list);
/* `tail` (may be NULL): the canonical bytes of metric and attributes, until the next call. */
MUST_USE enum err series_namer_id(struct series_namer *n, struct str metric, struct attrs point, struct series_id *out,
                                  struct str *tail);

/* How a number's points relate to one another. Settled into increments at the door (stream/). */
enum series_kind {
	SERIES_GAUGE,
	SERIES_DELTA,      /* each point is the increment of its interval */
	SERIES_CUMULATIVE, /* monotonic since start_ns; a new start or a fall is a reset */
	SERIES_UPDOWN,     /* cumulative, not monotonic: its value is a level */
	SERIES_HISTOGRAM_DELTA,
	SERIES_HISTOGRAM_CUMULATIVE,
};
