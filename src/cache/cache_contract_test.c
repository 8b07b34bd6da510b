/* What every cache back end promises, run over the table in registry.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/test.h"
#include "cache/registry.h"

/* A new back end gets a line here; small, so that forgetting can be seen. */
static const char *url_of(const struct cache_ops *ops) {
	return strcmp(ops->scheme, "memory") == 0 ? "memory:?bytes=1MiB" : NULL;
}

/* A clock, and faults by name: all that a cache in this process asks of the world. */
struct small_world {
	struct world world;
	struct fake_clock clock;
	const char *fault;
};

static bool fault(struct world *world, const char *name) {
	struct small_world *w = container_of(world, struct small_world, world);
	return w->fault && strcmp(w->fault, name) == 0;
}

static void world_init(struct small_world *w) {
	*w = (struct small_world){ .world = { .clock = &w->clock.clock, .fault = fault } };
	fake_clock_init(&w->clock, (struct wall){ 0 });
}

struct fix {
	struct small_world w;
	const struct cache_ops *ops;
	struct cache *c;
};

static void start(struct t *t, struct fix *f, size_t backend) {
	*f = (struct fix){ .ops = cache_backends[backend] };
	world_init(&f->w);
	EXPECT(url_of(f->ops));
	EXPECT_OK(cache_open(&f->w.world, str_of(url_of(f->ops)), &f->c, NULL));
}

static void stop(struct fix *f) {
	cache_close(f->c);
}

#define EACH_BACKEND(f)                                                   \
	for (size_t backend_ = 0; backend_ < cache_backend_count; backend_++) \
		for (struct fix f, *once_ = (start(t, &f, backend_), &f); once_; stop(&f), once_ = NULL)

static struct cache_done wait_done(struct t *t, struct cache *c) {
	struct cache_done d = { 0 };
	for (int i = 0; i < 1000; i++)
		if (c->ops->poll(c, &d)) return d;
	EXPECT(!"no completion came");
	return d;
}

static struct cache_done ask(struct t *t, struct fix *f, struct cache_op op) {
	EXPECT_OK(f->ops->submit(f->c, &op, 5));
	struct cache_done d = wait_done(t, f->c);
	EXPECT(d.tag == 5);
	return d;
}

#define SET(k, v, ...) \
	ask(t, &f, (struct cache_op){ .kind = CACHE_SET, .key = str_of(k), .value = str_of(v), ##__VA_ARGS__ })
#define GET(k)      ask(t, &f, (struct cache_op){ .kind = CACHE_GET, .key = str_of(k) })
#define COUNT(k, w) ask(t, &f, (struct cache_op){ .kind = CACHE_COUNT, .key = str_of(k), .window_ns = (w) })
#define SCORE(k, m, s) \
	ask(t, &f, (struct cache_op){ .kind = CACHE_SCORE, .key = str_of(k), .value = str_of(m), .score = (s) })
#define TOP(k, n) ask(t, &f, (struct cache_op){ .kind = CACHE_TOP, .key = str_of(k), .limit = (n) })

TEST(a_value_is_had_until_its_time_is_over) {
	EACH_BACKEND(f) {
		EXPECT_ERR(GET("a").err, ERR_NOT_FOUND);
		EXPECT_OK(SET("a", "1").err);
		EXPECT(str_is(GET("a").value, "1"));
		EXPECT_OK(SET("a", "", .ttl_ns = NS_PER_SEC).err);
		EXPECT(GET("a").err == OK && GET("a").value.n == 0);
		fake_clock_advance(&f.w.clock, NS_PER_SEC - 1);
		EXPECT_OK(GET("a").err);
		fake_clock_advance(&f.w.clock, 1);
		EXPECT_ERR(GET("a").err, ERR_NOT_FOUND);
		EXPECT_OK(SET("a", "2").err);
		fake_clock_advance(&f.w.clock, NS_PER_DAY);
		EXPECT(str_is(GET("a").value, "2"));
	}
}

/* Against a plain list of times. */
TEST(a_window_counts_what_is_younger, .seeds = 30) {
	EACH_BACKEND(f) {
		int64_t times[200], n = 0, window = 10 * NS_PER_SEC;
		for (; n < 200; n++) {
			int64_t expected = 1;
			times[n] = f.w.clock.mono.ns;
			for (int64_t i = 0; i < n; i++) expected += times[i] > times[n] - window;
			EXPECT(COUNT("w", window).count == expected);
			if (rng_below(&t->rng, 3) == 0) fake_clock_advance(&f.w.clock, rng_below(&t->rng, 4 * NS_PER_SEC));
		}
	}
}

TEST(an_event_leaves_its_window_when_it_is_as_old) {
	EACH_BACKEND(f) {
		EXPECT(COUNT("w", NS_PER_SEC).count == 1);
		fake_clock_advance(&f.w.clock, NS_PER_SEC - 1);
		EXPECT(COUNT("w", NS_PER_SEC).count == 2);
		fake_clock_advance(&f.w.clock, 1);
		EXPECT(COUNT("w", NS_PER_SEC).count == 2);
	}
}

TEST(a_count_stops_at_its_limit) {
	EACH_BACKEND(f) {
		for (int i = 1; i < CACHE_COUNT_MAX + 20; i++)
			EXPECT(COUNT("w", NS_PER_SEC).count == (i < CACHE_COUNT_MAX ? i : CACHE_COUNT_MAX));
	}
}

/* Against a plain table. */
TEST(a_sorted_set_gives_its_highest, .seeds = 30) {
	EACH_BACKEND(f) {
		double scores[20];
		for (int i = 0; i < 20; i++) scores[i] = (double)NAN;
		EXPECT(TOP("s", 3).member_count == 0);
		for (int n = 0; n < 200; n++) {
			int i = (int)rng_below(&t->rng, 20);
			char name[8];
			snprintf(name, sizeof name, "m%02d", i);
			scores[i] = rng_below(&t->rng, 3) ? (double)rng_below(&t->rng, 10) : (double)NAN;
			EXPECT_OK(SCORE("s", name, scores[i]).err);

			size_t limit = (size_t)rng_below(&t->rng, 25) + 1, live = 0;
			for (int k = 0; k < 20; k++) live += !isnan(scores[k]);
			struct cache_done d = TOP("s", limit);
			EXPECT(d.member_count == (live < limit ? live : limit));
			for (size_t k = 0; k < d.member_count; k++) {
				int m = atoi(d.members[k].name.p + 1);
				EXPECT(d.members[k].score == scores[m]);
				if (k == 0) continue;
				EXPECT(d.members[k - 1].score > d.members[k].score ||
				       (d.members[k - 1].score == d.members[k].score &&
				        str_cmp(d.members[k - 1].name, d.members[k].name) < 0));
			}
			if (d.member_count) /* nothing that was left out is higher */
				for (int k = 0, higher = 0; k < 20; k++) {
					higher += scores[k] > d.members[d.member_count - 1].score;
					EXPECT(higher < (int)limit);
				}
		}
	}
}

TEST(values_windows_and_sets_do_not_meet) {
	EACH_BACKEND(f) {
		EXPECT_OK(SET("k", "v").err);
		EXPECT(COUNT("k", NS_PER_SEC).count == 1);
		EXPECT_OK(SCORE("k", "m", 1).err);
		EXPECT(str_is(GET("k").value, "v") && COUNT("k", NS_PER_SEC).count == 2 && TOP("k", 9).member_count == 1);
	}
}

/* It never holds more than it may: what was used longest ago goes, what is in use stays. */
TEST(what_was_used_longest_ago_is_forgotten) {
	EACH_BACKEND(f) {
		static char big[100 * 1024];
		EXPECT_OK(SET("keep", "v").err);
		for (int i = 0; i < 50; i++) {
			char key[8];
			snprintf(key, sizeof key, "k%d", i);
			struct cache_op op = { .kind = CACHE_SET, .key = str_of(key), .value = { big, sizeof big } };
			EXPECT_OK(ask(t, &f, op).err);
			EXPECT_OK(GET("keep").err);
			EXPECT_OK(GET(key).err);
		}
		EXPECT_ERR(GET("k0").err, ERR_NOT_FOUND);
		EXPECT_OK(GET("k49").err);
		for (int i = 0; i < 20000; i++) {
			char member[16];
			snprintf(member, sizeof member, "m%d", i);
			enum err e = SCORE("s", member, i).err;
			EXPECT(e == OK || e == ERR_FULL);
			if (e == ERR_FULL) break;
		}
		EXPECT(TOP("s", 1).member_count == 1); /* the set in use did not forget itself */
	}
}

TEST(what_does_not_fit_at_all_is_told) {
	EACH_BACKEND(f) {
		static char big[CACHE_VALUE_MAX + 1];
		struct cache_op op = { .kind = CACHE_SET, .key = STR("k"), .value = { big, CACHE_VALUE_MAX } };
		EXPECT_OK(SET("k", "old").err);
		EXPECT_ERR(ask(t, &f, op).err, ERR_FULL);
		EXPECT_ERR(GET("k").err, ERR_NOT_FOUND); /* never the old value for the new one */
		op.value.n++;
		EXPECT_ERR(f.ops->submit(f.c, &op, 1), ERR_TOO_LARGE);
	}
}

TEST(what_is_out_of_bounds_is_refused_at_once) {
	static char long_key[CACHE_KEY_MAX + 1];
	static const struct cache_op bad[] = {
		{ .kind = CACHE_GET },
		{ .kind = CACHE_GET, .key = { long_key, sizeof long_key } },
		{ .kind = CACHE_SET, .key = { "k", 1 }, .ttl_ns = -1 },
		{ .kind = CACHE_COUNT, .key = { "k", 1 } },
		{ .kind = CACHE_SCORE, .key = { "k", 1 }, .score = 1 },
		{ .kind = CACHE_TOP, .key = { "k", 1 } },
		{ .kind = CACHE_TOP, .key = { "k", 1 }, .limit = CACHE_TOP_MAX + 1 },
	};
	EACH_BACKEND(f) {
		for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT_ERR(f.ops->submit(f.c, &bad[i], 1), ERR_INVALID);
	}
}

TEST(completions_that_nobody_polls_are_bounded) {
	EACH_BACKEND(f) {
		struct cache_op op = { .kind = CACHE_GET, .key = STR("k") };
		uint64_t n = 0;
		enum err e = OK;
		while (!(e = f.ops->submit(f.c, &op, n)) && n < 1000000) n++;
		EXPECT_ERR(e, ERR_FULL);
		for (uint64_t i = 0; i < n; i++) EXPECT(wait_done(t, f.c).tag == i);
		EXPECT_OK(f.ops->submit(f.c, &op, n));
	}
}

TEST(each_handle_hears_of_its_own_and_sees_the_same) {
	EACH_BACKEND(f) {
		struct cache *other = NULL;
		struct cache_done d;
		struct cache_op op = { .kind = CACHE_GET, .key = STR("a") };
		EXPECT_OK(f.ops->attach(f.c, &other));
		EXPECT_OK(SET("a", "1").err);
		EXPECT_OK(f.ops->submit(other, &op, 2));
		EXPECT(!f.ops->poll(f.c, &d));
		d = wait_done(t, other);
		EXPECT(d.tag == 2 && str_is(d.value, "1"));
		cache_close(f.c);
		f.c = other;
		EXPECT(str_is(GET("a").value, "1"));
	}
}

/* Gone or emptied, it says so, and nobody takes that for an answer. */
TEST(a_cache_that_is_gone_says_so) {
	EACH_BACKEND(f) {
		EXPECT_OK(SET("a", "1").err);
		f.w.fault = "cache.unreachable";
		EXPECT_ERR(GET("a").err, ERR_UNREACHABLE);
		EXPECT_ERR(COUNT("w", 1).err, ERR_UNREACHABLE);
		f.w.fault = "cache.emptied";
		EXPECT_ERR(GET("a").err, ERR_NOT_FOUND);
		f.w.fault = "cache.full";
		struct cache_op op = { .kind = CACHE_GET, .key = STR("k") };
		EXPECT_ERR(f.ops->submit(f.c, &op, 1), ERR_FULL);
	}
}

TEST(a_wrong_url_is_told) {
	struct small_world w;
	struct cache *c = NULL;
	struct why why = { "" };
	world_init(&w);
	EXPECT_ERR(cache_open(&w.world, STR("redis://x/"), &c, &why), ERR_UNSUPPORTED);
	EXPECT(strstr(why.text, "'redis'") && strstr(why.text, "memory:"));
	EXPECT_ERR(cache_open(&w.world, STR("memory:?byte=1MiB"), &c, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "bytes"));
	EXPECT_ERR(cache_open(&w.world, STR("memory:?bytes=1"), &c, &why), ERR_INVALID);
	EXPECT_ERR(cache_open(&w.world, STR("memory:///x"), &c, &why), ERR_INVALID);
}

RUN(a_value_is_had_until_its_time_is_over, a_window_counts_what_is_younger,
    an_event_leaves_its_window_when_it_is_as_old, a_count_stops_at_its_limit, a_sorted_set_gives_its_highest,
    values_windows_and_sets_do_not_meet, what_was_used_longest_ago_is_forgotten, what_does_not_fit_at_all_is_told,
    what_is_out_of_bounds_is_refused_at_once, completions_that_nobody_polls_are_bounded,
    each_handle_hears_of_its_own_and_sees_the_same, a_cache_that_is_gone_says_so, a_wrong_url_is_told)
