#include "stream/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/test.h"

#define KEYS 300

/* Few distinct first bytes, so that probes collide and removals have gaps to close. */
static struct hash128 key_of(int64_t k) {
	struct hash128 h = { { 0 } };
	h.b[0] = (unsigned char)(k % 7);
	memcpy(h.b + 8, &k, sizeof k);
	return h;
}

/* Whatever is put and removed in whatever order, the table answers as an array would. */
TEST(answers_as_an_array_would, .seeds = 50) {
	struct index x;
	uint32_t twin[KEYS];
	memset(twin, 0xff, sizeof twin);
	index_init(&x, KEYS);

	for (int step = 0; step < 3000; step++) {
		int64_t k = rng_below(&t->rng, KEYS);
		struct hash128 key = key_of(k);
		EXPECT(index_get(&x, &key) == twin[k]);
		if (twin[k] != INDEX_NONE && rng_below(&t->rng, 2)) {
			EXPECT(index_remove(&x, &key) == twin[k]);
			twin[k] = INDEX_NONE;
		} else if (twin[k] == INDEX_NONE) {
			twin[k] = (uint32_t)rng_below(&t->rng, 1000);
			EXPECT_OK(index_put(&x, &key, twin[k]));
		}
	}
	for (int64_t k = 0; k < KEYS; k++) {
		struct hash128 key = key_of(k);
		EXPECT(index_get(&x, &key) == twin[k]);
	}
	index_done(&x);
}

TEST(a_full_table_refuses_and_keeps_what_it_has) {
	struct index x;
	index_init(&x, 2);
	struct hash128 a = key_of(1), b = key_of(2), c = key_of(3);
	EXPECT(index_get(&x, &a) == INDEX_NONE && index_remove(&x, &a) == INDEX_NONE);
	EXPECT_OK(index_put(&x, &a, 10));
	EXPECT_OK(index_put(&x, &b, 20));
	EXPECT_ERR(index_put(&x, &c, 30), ERR_FULL);
	EXPECT(index_get(&x, &a) == 10 && index_get(&x, &b) == 20 && index_get(&x, &c) == INDEX_NONE);
	index_done(&x);
}

RUN(answers_as_an_array_would, a_full_table_refuses_and_keeps_what_it_has)
