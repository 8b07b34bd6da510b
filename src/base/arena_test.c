#include "base/arena.h"

#include <string.h>

#include "base/test.h"

struct piece {
	unsigned char *p;
	size_t n;
	unsigned char fill;
};

static bool holds(const unsigned char *p, size_t n, unsigned char c) {
	for (size_t i = 0; i < n; i++) {
		if (p[i] != c) return false;
	}
	return true;
}

/* Every piece is zeroed, aligned, and keeps what was written to it whatever is taken after. */
TEST(pieces_are_zeroed_aligned_and_apart, .seeds = 200) {
	struct arena a;
	struct piece pieces[200];
	arena_init(&a, 0);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 200; i++) {
			size_t n = (size_t)rng_below(&t->rng, rng_below(&t->rng, 20) == 0 ? 20000 : 100);
			size_t align = (size_t)1 << rng_below(&t->rng, 7);
			pieces[i] = (struct piece){ arena_take(&a, n, align), n, (unsigned char)(i + 1) };
			EXPECT(pieces[i].p && (uintptr_t)pieces[i].p % align == 0);
			EXPECT(holds(pieces[i].p, n, 0));
			memset(pieces[i].p, pieces[i].fill, n);
		}
		for (size_t i = 0; i < 200; i++) EXPECT(holds(pieces[i].p, pieces[i].n, pieces[i].fill));
		EXPECT(a.high_water >= a.bytes);
		arena_reset(&a);
		EXPECT(a.bytes <= 65536); /* the first chunk, which one large piece may have made larger */
	}
	arena_done(&a);
	EXPECT(a.bytes == 0 && a.high_water > 4096);
}

TEST(the_limit_holds_for_any_sizes, .seeds = 300) {
	struct arena a;
	size_t max = 64 + (size_t)rng_below(&t->rng, 100000), sum = 0;
	arena_init(&a, max);
	for (int i = 0; i < 2000; i++) {
		size_t n = (size_t)rng_below(&t->rng, 500);
		if (arena_take(&a, n, 1)) sum += n;
		EXPECT(a.bytes <= max && a.high_water <= max && sum <= max);
	}
	/* 2000 requests of 250 bytes are five times the limit: it is reached, and nearly used up. */
	EXPECT(sum + 500 + max / 4 + 64 >= max);
	arena_reset(&a);
	if (max > 8192) EXPECT(arena_take(&a, 1000, 8) != NULL);
	arena_done(&a);
}

TEST(no_size_overflows) {
	struct arena a;
	arena_init(&a, 0);
	EXPECT(!arena_take(&a, SIZE_MAX, 1) && !arena_take(&a, SIZE_MAX - 64, 64));
	EXPECT(!arena_take_array(&a, 16, SIZE_MAX / 8, 8) && !arena_copy(&a, "", SIZE_MAX));
	EXPECT(a.bytes == 0);
	EXPECT(arena_take(&a, 0, 1) && arena_take_array(&a, 8, 0, 8));
	arena_done(&a);
}

TEST(copies_are_closed_by_a_nul) {
	const char *copy = arena_copy(t->arena, "abc", 2);
	EXPECT(copy && strcmp(copy, "ab") == 0);
	EXPECT(strcmp(arena_copy(t->arena, NULL, 0), "") == 0);
	struct pair {
		int64_t a, b;
	} *one = arena_new(t->arena, struct pair), *many = arena_array(t->arena, struct pair, 3);
	EXPECT(one && many && one->a == 0 && many[2].b == 0);
}

TEST(done_takes_null_and_twice) {
	struct arena a;
	arena_init(&a, 0);
	arena_reset(&a);
	arena_done(&a);
	EXPECT(arena_take(&a, 10, 1) != NULL);
	arena_done(&a);
	arena_done(&a);
	arena_done(NULL);
	EXPECT(a.head == NULL && a.bytes == 0);
}

RUN(pieces_are_zeroed_aligned_and_apart, the_limit_holds_for_any_sizes, no_size_overflows, copies_are_closed_by_a_nul,
    done_takes_null_and_twice)
