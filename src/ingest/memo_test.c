#include "ingest/memo.h"

#include <string.h>

#include "base/test.h"

#define KEYS 200

static struct str key(struct t *t, int64_t n) {
	return str_printf(t->arena, "attributes of %lld", (long long)n);
}

static struct hash128 context(int64_t n) {
	return (struct hash128){ { (unsigned char)n } };
}

static const struct memo_entry *learn(struct t *t, struct memo *m, int64_t c, int64_t k) {
	struct memo_entry e = { .raw = key(t, k), .context = context(c), .number = (uint64_t)(c * KEYS + k) };
	e.form = str_printf(t->arena, "%lld/%lld", (long long)c, (long long)k);
	return memo_add(m, &e);
}

/* In whatever order keys come, what is found is what was learned under that very key, and what was never
 * learned is not found. The twin is an array. */
TEST(what_is_found_was_learned, .seeds = 100) {
	struct memo m;
	bool known[3][KEYS] = { { false } };
	memo_init(&m, 1 << 20);
	for (int i = 0; i < 3000; i++) {
		int64_t c = rng_below(&t->rng, 3), k = rng_below(&t->rng, 2) ? i % KEYS : rng_below(&t->rng, KEYS);
		struct hash128 in = context(c);
		const struct memo_entry *e = memo_find(&m, &in, key(t, k));
		EXPECT((e != NULL) == known[c][k]);
		if (!e) e = learn(t, &m, c, k);
		EXPECT(e && e->number == (uint64_t)(c * KEYS + k) && str_eq(e->raw, key(t, k)));
		EXPECT(str_eq(e->form, str_printf(t->arena, "%lld/%lld", (long long)c, (long long)k)));
		known[c][k] = true;
	}
	memo_done(&m);
}

TEST(a_sender_that_keeps_its_order_is_expected) {
	struct memo m;
	memo_init(&m, 1 << 20);
	for (int64_t k = 0; k < KEYS; k++) EXPECT(learn(t, &m, 0, k));
	for (int round = 0; round < 3; round++) {
		for (int64_t k = 0; k < KEYS; k++) {
			struct hash128 in = context(0);
			if (round) EXPECT(m.expected == (uint32_t)k);
			EXPECT(memo_find(&m, &in, key(t, k)));
		}
	}
	memo_done(&m);
}

/* Twice as many senders as fit: half of them stay known. Once others have taken their place, those are. */
TEST(its_memory_is_bounded_and_serves_who_still_sends) {
	struct memo m;
	size_t max = 20000;
	int64_t found = 0, fits = 0;
	memo_init(&m, max);
	for (int64_t k = 0; learn(t, &m, 0, k); k++) fits++;
	EXPECT(fits > 20);
	for (int round = 0; round < 3; round++) {
		for (int64_t k = 0; k < 2 * fits; k++) {
			struct hash128 in = context(0);
			if (memo_find(&m, &in, key(t, k)))
				found++;
			else
				learn(t, &m, 0, k);
		}
	}
	EXPECT(found == 3 * fits && !m.cleared);
	for (int64_t k = 0; k < 6 * fits; k++) {
		struct hash128 in = context(1);
		if (!memo_find(&m, &in, key(t, k % fits))) learn(t, &m, 1, k % fits);
		EXPECT(m.bytes <= max);
	}
	struct hash128 in = context(1);
	EXPECT(m.cleared == 1 && memo_find(&m, &in, key(t, 1)));
	memo_done(&m);
}

TEST(what_can_never_fit_is_left_out) {
	struct memo m;
	memo_init(&m, 1000);
	EXPECT(learn(t, &m, 0, 1));
	struct memo_entry e = { .raw = { m.v[0].raw.p, m.v[0].raw.n }, .context = context(2) };
	e.form = (struct str){ arena_take(t->arena, 2000, 1), 2000 };
	for (int i = 0; i < 100; i++) EXPECT(!memo_add(&m, &e));
	struct hash128 in = context(0);
	EXPECT(memo_find(&m, &in, key(t, 1)) && !m.cleared);
	memo_done(&m);
	memo_done(&m);
}

RUN(what_is_found_was_learned, a_sender_that_keeps_its_order_is_expected,
    its_memory_is_bounded_and_serves_who_still_sends, what_can_never_fit_is_left_out)
