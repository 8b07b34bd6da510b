/* A warmed world: the disk that a daemon left after hours of ordinary life, and the moment it did.
 *
 * Its models lie in it as the product's own checkpoint; a run that begins with it resumes as the
 * product does after an orderly stop. Images are kept in a cache file, named by everything that they
 * follow from (program, world, rate, hours, seed), and made anew when that is not there or damaged. */
#pragma once

#include "sim/shop/shop.h"

struct run_image {
	struct wall end;   /* when it was stopped */
	struct buf disk;   /* sim_disk_save's record */
	struct buf alarms; /* thresholds of the alarms */
};

struct run_warm {
	const struct shop_world *world;
	double rate; /* 0: the world's own */
	double hours;
	uint64_t seed;
};

/* What a long piece of work tells, and asks, from time to time. */
struct run_watch {
	void (*progress)(void *self, const char *what, double share); /* may be NULL */
	bool (*stop)(void *self);                                     /* true: give up (ERR_CLOSED); may be NULL */
	void *self;
};

/* Plays the hours. ERR_CLOSED: it was stopped. */
MUST_USE enum err run_image_make(const struct run_warm *w, const struct run_watch *watch, struct run_image *out,
                                 struct why *why);
void run_image_done(struct run_image *i); /* takes a zeroed one */

/* From the cache `directory` of a real disk, else made and put there (a cache that cannot be written costs
 * time, nothing else). `program`: a hash of the program that runs. */
MUST_USE enum err run_image_get(struct disk *disk, const char *directory, uint64_t program, const struct run_warm *w,
                                const struct run_watch *watch, struct run_image *out, struct why *why);
