#include "base/map.h"

#include <string.h>

#include "base/test.h"

#define KEYS 60

/* An array of keys in order of insertion is the twin. */
struct twin {
	int order[KEYS];
	char *values[KEYS];
	size_t n;
};

static size_t at(const struct twin *w, int key) {
	size_t i = 0;
	while (i < w->n && w->order[i] != key) i++;
	return i;
}

static char *twin_remove(struct twin *w, int key) {
	size_t i = at(w, key);
	if (i == w->n) return NULL;
	char *value = w->values[i];
	w->n--;
	for (; i < w->n; i++) {
		w->order[i] = w->order[i + 1];
		w->values[i] = w->values[i + 1];
	}
	return value;
}

static struct str name(int key, char text[16]) {
	int n = snprintf(text, 16, "k%d", key);
	return (struct str){ text, key ? (size_t)n : 0 }; /* key 0 is the empty one */
}

static void check(const struct t *t, const struct map *m, const struct twin *w) {
	struct str key;
	void *value;
	char text[16];
	size_t k = 0;
	for (size_t i = 0; map_next(m, &i, &key, &value); k++) {
		EXPECT(k < w->n && str_eq(key, name(w->order[k], text)) && value == w->values[k]);
		EXPECT(map_get(m, key) == value);
	}
	EXPECT(k == w->n && m->count == w->n);
}

TEST(a_map_is_what_was_put_in_the_order_it_was_put, .seeds = 300) {
	struct map m;
	struct twin w = { .n = 0 };
	char text[16], storage[1000];
	map_init(&m, 50);
	for (int step = 0; step < 1000; step++) {
		int k = (int)rng_below(&t->rng, KEYS);
		struct str key = name(k, text);
		void *old = &m;
		size_t i = at(&w, k);
		if (rng_below(&t->rng, 5) < 2) {
			EXPECT(map_remove(&m, key) == twin_remove(&w, k) && map_get(&m, key) == NULL);
		} else if (i == w.n && w.n == 50) {
			EXPECT_ERR(map_put(&m, key, storage, &old), ERR_FULL);
			EXPECT(old == &m);
		} else {
			EXPECT_OK(map_put(&m, key, storage + step, &old));
			EXPECT(old == (i < w.n ? w.values[i] : NULL));
			if (i == w.n) w.order[w.n++] = k;
			w.values[i] = storage + step;
		}
		if (step % 50 == 0) check(t, &m, &w);
		EXPECT(m.cap <= 256); /* holes do not make it grow without end */
	}
	check(t, &m, &w);
	map_done(&m);
	map_done(&m);
}

TEST(the_current_one_may_be_removed_while_walking) {
	struct map m;
	char text[16], value;
	map_init(&m, 0);
	for (int i = 1; i <= 1000; i++) EXPECT_OK(map_put(&m, name(i % 1000, text), &value, NULL));
	struct str key;
	int n = 0;
	for (size_t i = 0; map_next(&m, &i, &key, NULL); n++) {
		if (n % 3) EXPECT(map_remove(&m, key) == &value);
	}
	EXPECT(n == 1000 && m.count == 334);
	n = 0;
	for (size_t i = 0; map_next(&m, &i, NULL, NULL);) n++;
	EXPECT(n == 334);
	map_done(&m);
	map_done(NULL);
}

TEST(keys_are_copied_and_may_hold_any_byte) {
	struct map m;
	char key[] = "a\0b", one, two;
	map_init(&m, 0);
	EXPECT(map_get(&m, STR("a")) == NULL && map_remove(&m, STR("a")) == NULL);
	EXPECT_OK(map_put(&m, (struct str){ key, 3 }, &one, NULL));
	EXPECT_OK(map_put(&m, STR("a"), &two, NULL));
	memset(key, 'x', 3);
	EXPECT(map_get(&m, STR("a\0b")) == &one && map_get(&m, STR("a")) == &two && map_get(&m, STR("xxx")) == NULL);
	map_done(&m);
}

RUN(a_map_is_what_was_put_in_the_order_it_was_put, the_current_one_may_be_removed_while_walking,
    keys_are_copied_and_may_hold_any_byte)
