/* Time as a port, in two types that the compiler keeps apart.
 *
 * `struct mono` measures durations and never goes back; `struct wall` is what people and other
 * machines call now (nanoseconds since 1970-01-01 UTC) and may step. Within one wake-up of a loop
 * neither moves. Nothing outside world/ and sim/ reads a clock of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US  INT64_C(1000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MIN (60 * NS_PER_SEC)
#define NS_PER_DAY (86400 * NS_PER_SEC)

struct mono {
	int64_t ns;
};
struct wall {
	int64_t ns;
};

struct clock {
	struct mono (*mono)(struct clock *);
	struct wall (*wall)(struct clock *);
};

static inline struct mono clock_mono(struct clock *c) {
	return c->mono(c);
}
static inline struct wall clock_wall(struct clock *c) {
	return c->wall(c);
}

/* A clock that stands still until its owner moves it: tests and the simulation. */
struct fake_clock {
	struct clock clock;
	struct mono mono;
	struct wall wall;
};
void fake_clock_init(struct fake_clock *c, struct wall start);
void fake_clock_advance(struct fake_clock *c, int64_t ns);

/* RFC 3339 in UTC with milliseconds: "2026-01-05T10:03:12.250Z". `out` holds 32 bytes. */
void wall_format(struct wall t, char out[32]);
/* Reads RFC 3339 (any offset, 0 to 9 fraction digits; a leap second is the second after it). False: not a
 * time, or outside 1677-09-21..2262-04-11, which int64_t nanoseconds cannot hold; *out is untouched. */
bool wall_parse(const char *p, size_t n, struct wall *out);
