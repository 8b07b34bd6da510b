/* Tests: a name that is a promise, a seed that a failure prints.
 *
 *   TEST(a_full_ring_refuses, .seeds = 100) { ... EXPECT(...); }
 *   RUN(a_full_ring_refuses)
 *
 * The body sees `t`: its arena (reset for each seed), its rng, its seed. A failure prints file,
 * line, name and seed and ends the program. `x_test NAME` runs one; FLYBALL_TEST_SEED=N one seed. */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"

struct t {
	const char *name;
	void (*run)(struct t *);
	uint64_t seeds, seed;
	struct arena *arena;
	struct rng rng;
};

#define TEST(fn, ...)                                                                       \
	static void fn##_run(struct t *t);                                                      \
	static const struct t fn = { .name = #fn, .run = fn##_run, .seeds = 1, ##__VA_ARGS__ }; \
	static void fn##_run(struct t *t)

void test_fail(const struct t *t, const char *file, int line, const char *what) __attribute__((noreturn));
#define EXPECT(cond)                                          \
	do {                                                      \
		if (!(cond)) test_fail(t, __FILE__, __LINE__, #cond); \
	} while (0)
#define EXPECT_ERR(expr, want)                                                      \
	do {                                                                            \
		enum err got_ = (expr);                                                     \
		if (got_ != (want)) {                                                       \
			fprintf(stderr, "%s:%d: got %s\n", __FILE__, __LINE__, err_name(got_)); \
			test_fail(t, __FILE__, __LINE__, #expr " == " #want);                   \
		}                                                                           \
	} while (0)
#define EXPECT_OK(expr) EXPECT_ERR(expr, OK)
#define EXPECT_NEAR(a, b, tolerance)                                                     \
	do {                                                                                 \
		double a_ = (a), b_ = (b);                                                       \
		if (!(a_ - b_ <= (tolerance) && b_ - a_ <= (tolerance))) {                       \
			fprintf(stderr, "%s:%d: %.17g against %.17g\n", __FILE__, __LINE__, a_, b_); \
			test_fail(t, __FILE__, __LINE__, #a " near " #b);                            \
		}                                                                                \
	} while (0)

/* `want` stands somewhere in `text`; a failure prints both. */
#define EXPECT_HAS(text, want) test_has(t, __FILE__, __LINE__, text, want)
void test_has(const struct t *t, const char *file, int line, struct str text, const char *want);

int test_main(const struct t *const *tests, size_t count, int argc, char **argv);
#define TEST_REF_(x) &x,
#define RUN(...)                                                                 \
	int main(int argc, char **argv) {                                            \
		const struct t all[] = { __VA_ARGS__ };                                  \
		const struct t *refs[sizeof all / sizeof *all];                          \
		for (size_t i = 0; i < sizeof all / sizeof *all; i++) refs[i] = &all[i]; \
		return test_main(refs, sizeof all / sizeof *all, argc, argv);            \
	}
