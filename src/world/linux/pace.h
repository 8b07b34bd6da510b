/* How slow a peer may be.
 *
 * A peer that sends one byte now and then would keep a connection for ever. So besides the longest
 * silence there is an average: `idle_ns` for free, then one second for each PACE_BYTES. */
#pragma once

#include "base/clock.h"

#define PACE_BYTES 4096 /* a second; below a 56k modem's */

struct pace {
	struct mono since, last; /* when it began; when the last byte came */
	int64_t bytes;
};

static inline void pace_start(struct pace *p, struct mono now) {
	*p = (struct pace){ .since = now, .last = now };
}
static inline void pace_bytes(struct pace *p, struct mono now, size_t n) {
	p->last = now;
	p->bytes += (int64_t)n;
}
/* The time since `from` was ours, not the peer's. */
static inline void pace_excuse(struct pace *p, struct mono from, struct mono now) {
	p->since.ns += now.ns - from.ns;
	p->last = now;
}
static inline bool pace_late(const struct pace *p, struct mono now, int64_t idle_ns) {
	if (now.ns - p->last.ns > idle_ns) return true;
	return now.ns - p->since.ns > idle_ns + p->bytes / PACE_BYTES * NS_PER_SEC;
}
/* How often to look, so that nobody is much later than he may be. */
static inline int64_t pace_look_ns(int64_t idle_ns) {
	int64_t every = idle_ns / 4;
	return every < 20 * NS_PER_MS ? 20 * NS_PER_MS : every > NS_PER_SEC ? NS_PER_SEC : every;
}
