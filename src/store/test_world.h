/* A world for tests of back ends: one thread, a clock that the test moves, lanes whose jobs run when
 * they are polled, and a disk in memory that can fail at any operation and lose what was not synced.
 * Test support: no product code links it. */
#pragma once

#include "base/map.h"
#include "world/world.h"

struct test_disk {
	struct disk disk;
	struct map files;   /* path to struct node */
	struct rng rng;     /* what survives a crash */
	int64_t operations; /* writes, truncations, syncs, removals, creations so far */
	int64_t fail_at;    /* that operation fails with `fail_with`; 0: none */
	int64_t fail_count; /* and as many as that in all; 0: all from there on */
	enum err fail_with;
	int64_t crash_at; /* from that operation on the disk is gone; that one may be half done; 0: never */
	bool crashed;
	bool readonly;
	int64_t space; /* bytes over all files; 0: no limit */
};

struct test_world {
	struct world world;
	struct fake_clock clock;
	struct test_disk disk;
	struct jobs jobs;
	struct log log;
	bool stalled;        /* lanes run nothing */
	const char *fault;   /* FAULT of this name happens */
	int64_t fault_share; /* one time in so many; 0: each time */
	struct rng fault_rng;
	uint64_t lanes; /* open ones: a test sees that all were closed */
};

void test_world_init(struct test_world *w, uint64_t seed);
void test_world_done(struct test_world *w); /* asserts that every file and lane was closed */
/* The machine lost power: files fall back to what was synced, and some of what was not. Everything that
 * was open must be closed before. The clock goes on. */
void test_world_crash(struct test_world *w);
/* Flips one bit of a file. */
void test_world_damage(struct test_world *w, const char *path, int64_t at);
