/* Test support: a transport, a bus and a state store in memory, a clock that is moved, and an
 * observer between them. No product code links it. Every event published is kept and checked
 * against docs/events. */
#pragma once

#include "base/test.h"
#include "observe/observer.h"

struct test_event {
	char type[32], subject[160], id[32];
	int64_t at_ns;           /* when it was published */
	struct str data;         /* JSON, in the world's arena */
	const struct json *json; /* of data */
};

struct test_world {
	const struct t *t;
	struct arena arena;
	struct fake_clock clock;
	struct observer *observer;
	struct test_event *events;
	uint32_t event_count, event_cap;
	uint64_t position;
	bool check; /* events against their schemas (default) */
	bool bus_full, state_down;
	const char *state_fails; /* writes of keys that end so; NULL: none */
	struct test_ends *ends;
	struct observer_opts opts;
	bool verbose;
};

void test_world_init(struct test_world *w, const struct t *t, int64_t start_ns);
void test_world_done(struct test_world *w);
/* Stops the observer as a crash would, or opens one on what was saved. */
void test_world_crash(struct test_world *w);
void test_world_start(struct test_world *w);
/* A batch for the observer; copied. */
void test_world_put(struct test_world *w, struct str batch);
/* Moves the clock and turns the observer until it is idle. */
void test_world_run(struct test_world *w, int64_t until_ns);
void test_world_flush(struct test_world *w);
/* Batches that were read but not let go come again. */
void test_world_redeliver(struct test_world *w);
uint64_t test_world_let_go(const struct test_world *w);

/* The nth event (from 0) of that type at or after `from_ns`; NULL: none. */
const struct test_event *test_world_event(const struct test_world *w, const char *type, int64_t from_ns, uint32_t nth);
uint32_t test_world_count(const struct test_world *w, const char *type, int64_t from_ns);
/* What lies in the store under a key; for tests that damage it. */
struct buf *test_world_stored(struct test_world *w, const char *suffix);
