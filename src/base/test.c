#include "base/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* What a failed assert in the code under test is told of: the one global, of tests alone. */
static char running[160];

static void aborted(int signal_number) {
	ssize_t n = write(STDERR_FILENO, running, strlen(running));
	(void)n;
	(void)signal_number;
}

void test_fail(const struct t *t, const char *file, int line, const char *what) {
	fflush(stdout);
	fprintf(stderr, "%s:%d: %s failed\n  test %s, seed %llu (FLYBALL_TEST_SEED=%llu repeats it)\n", file, line, what,
	        t->name, (unsigned long long)t->seed, (unsigned long long)t->seed);
	exit(1);
}

void test_has(const struct t *t, const char *file, int line, struct str text, const char *want) {
	if (memmem(text.p, text.n, want, strlen(want))) return;
	fprintf(stderr, "'%s' is not in:\n" STR_FMT "\n", want, STR_ARG(text));
	test_fail(t, file, line, want);
}

static void run_seed(const struct t *test, uint64_t seed, struct arena *arena) {
	struct t t = *test;
	t.seed = seed;
	t.arena = arena;
	t.rng = rng_seeded(seed);
	arena_reset(arena);
	snprintf(running, sizeof running, "aborted in test %.100s, seed %llu\n", t.name, (unsigned long long)seed);
	t.run(&t);
}

static void run_test(const struct t *test, const int64_t *only, struct arena *arena) {
	uint64_t from = only ? (uint64_t)*only : 1, n = only ? 1 : test->seeds;
	for (uint64_t i = 0; i < n; i++) run_seed(test, from + i, arena);
	printf("ok %s (%llu seeds)\n", test->name, (unsigned long long)n);
	fflush(stdout);
}

static const struct t *named(const struct t *const *tests, size_t count, const char *name) {
	for (size_t i = 0; i < count; i++) {
		if (strcmp(tests[i]->name, name) == 0) return tests[i];
	}
	fprintf(stderr, "no test '%s'; there are:\n", name);
	for (size_t i = 0; i < count; i++) fprintf(stderr, "  %s\n", tests[i]->name);
	exit(2);
}

int test_main(const struct t *const *tests, size_t count, int argc, char **argv) {
	const char *text = getenv("FLYBALL_TEST_SEED");
	int64_t seed = 0;
	if (text && !str_int(str_of(text), &seed)) {
		fprintf(stderr, "FLYBALL_TEST_SEED is not a number\n");
		return 2;
	}
	struct sigaction on_abort = { .sa_handler = aborted, .sa_flags = (int)SA_RESETHAND };
	sigaction(SIGABRT, &on_abort, NULL);

	struct arena arena;
	arena_init(&arena, 0);
	size_t passed = 0;
	for (int i = 1; i < argc; i++, passed++) run_test(named(tests, count, argv[i]), text ? &seed : NULL, &arena);
	for (; argc < 2 && passed < count; passed++) run_test(tests[passed], text ? &seed : NULL, &arena);
	arena_done(&arena);
	printf("%zu passed, 0 failed\n", passed);
	return 0;
}
