/* The harness on itself; test_fail_test.c is the other half, a failure that must end in a failed program. */
#include "base/test.h"

#include <string.h>

#include "base/str.h"

TEST(each_seed_starts_afresh, .seeds = 50) {
	EXPECT(t->seeds == 50 && t->rng.state == t->seed && strcmp(t->name, "each_seed_starts_afresh") == 0);
	EXPECT(t->arena->bytes <= 4096); /* what the last seed took is gone */
	EXPECT(arena_take(t->arena, 1, 1) && arena_take(t->arena, 100000, 8));
}

static void count_run(struct t *t) {
	uint64_t *runs = arena_new(t->arena, uint64_t);
	EXPECT(runs && *runs == 0);
}

static void never_run(struct t *t) {
	EXPECT(!t->name);
}

/* A run inside a run: the names given are run, and only they. */
TEST(a_name_runs_one) {
	const struct t one = { .name = "one", .run = count_run, .seeds = 3 },
				   two = { .name = "two", .run = never_run, .seeds = 1 };
	const struct t *const all[] = { &one, &two };
	char program[] = "x_test", name[] = "one", *args[] = { program, name, NULL };
	EXPECT(test_main(all, 2, 2, args) == 0);
}

TEST(what_holds_passes) {
	EXPECT(1 + 1 == 2);
	EXPECT_OK(OK);
	EXPECT_ERR(why_set(NULL, ERR_IO, "x"), ERR_IO);
	EXPECT_NEAR(1.0, 1.05, 0.1);
}

RUN(each_seed_starts_afresh, a_name_runs_one, what_holds_passes)
