/* Series by their identity, each with what settling needs to know of its last points.
 *
 * Bounded by `max`; a series not heard of for SERIES_IDLE_NS is let go. Thread: its owner's. */
#pragma once

#include "stream/index.h"
#include "stream/semconv.h"
#include "stream/settle.h"

#define SERIES_IDLE_NS (3600 * NS_PER_SEC)

struct series {
	struct series_id id;
	uint32_t source;
	enum series_kind kind;
	struct metric_facts facts;
	bool failed;        /* requests of this series failed */
	bool refused;       /* for want of room */
	uint64_t operation; /* hash of what is asked */
	uint32_t edge;      /* of calls made; NONE */
	struct settle settle;
	uint64_t *counts; /* of the last cumulative histogram point: bound_count + 1 */
	float *bounds;    /* of a histogram */
	uint32_t bound_count;
	int64_t last_ns; /* arrival */
};

struct series_table {
	struct series **v;
	uint32_t count, cap, free_from;
	struct index by_id;
};

void series_table_init(struct series_table *t, size_t max);
void series_table_done(struct series_table *t);
/* INDEX_NONE: not there. */
uint32_t series_find(const struct series_table *t, struct series_id id);
/* INDEX_NONE: full or no memory. Zeroed but for the id. */
uint32_t series_add(struct series_table *t, struct series_id id);
/* Gets the histogram ready for these bounds; false: too many, or no memory. `changed`: they are new. */
bool series_bounds(struct series *s, const unsigned char *bounds_le, uint32_t count, double scale, bool *changed);
void series_expire(struct series_table *t, int64_t before_ns);
