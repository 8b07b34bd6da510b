/* What every state back end promises, run over the table in registry.c. */
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "store/registry.h"
#include "store/test_world.h"

/* A new back end gets a line here. */
static const char *url_of(const struct state_ops *ops) {
	return strcmp(ops->scheme, "sqlite") == 0 ? "sqlite:///state.db" : NULL;
}

struct fix {
	struct test_world w;
	const struct state_ops *ops;
	struct state *s;
};

static void reopen(struct t *t, struct fix *f) {
	struct why why = { "" };
	state_close(f->s);
	enum err e = state_open(&f->w.world, str_of(url_of(f->ops)), &f->s, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
}

static void start(struct t *t, struct fix *f, size_t backend) {
	*f = (struct fix){ .ops = state_backends[backend] };
	test_world_init(&f->w, t->seed);
	EXPECT(url_of(f->ops));
	reopen(t, f);
}

static void stop(struct fix *f) {
	state_close(f->s);
	test_world_done(&f->w);
}

#define EACH_BACKEND(f)                                                   \
	for (size_t backend_ = 0; backend_ < state_backend_count; backend_++) \
		for (struct fix f, *once_ = (start(t, &f, backend_), &f); once_; stop(&f), once_ = NULL)

/* The next completion; a back end that never answers fails the test. */
static struct state_done wait_done(struct t *t, struct state *s) {
	struct state_done d = { 0 };
	for (int i = 0; i < 1000; i++)
		if (state_poll(s, &d)) return d;
	EXPECT(!"no completion came");
	return d;
}

static struct state_done transact(struct t *t, struct state *s, const struct state_write *w, size_t n) {
	EXPECT_OK(state_transact(s, w, n, 7));
	struct state_done d = wait_done(t, s);
	EXPECT(d.tag == 7 && d.count == 0);
	return d;
}

static enum err put(struct t *t, struct state *s, const char *key, const char *value) {
	struct state_write w = { .effect = STATE_PUT, .key = str_of(key), .value = str_of(value) };
	return transact(t, s, &w, 1).err;
}

static struct state_done query(struct t *t, struct state *s, struct state_query q) {
	EXPECT_OK(state_query(s, &q, 8));
	struct state_done d = wait_done(t, s);
	EXPECT(d.tag == 8 && d.err == OK);
	return d;
}

static struct state_done get(struct t *t, struct state *s, const char *key) {
	struct state_done d = query(t, s, (struct state_query){ .prefix = str_of(key), .exact = true, .limit = 1 });
	EXPECT(d.count <= 1 && !d.more);
	return d;
}

static bool is(struct t *t, struct state *s, const char *key, const char *value, uint64_t version) {
	struct state_done d = get(t, s, key);
	return d.count == 1 && str_is(d.items->key, key) && str_is(d.items->value, value) && d.items->version == version;
}

TEST(what_is_written_is_read_back) {
	EACH_BACKEND(f) {
		EXPECT(get(t, f.s, "a").count == 0);
		EXPECT_OK(put(t, f.s, "a", "1"));
		EXPECT(is(t, f.s, "a", "1", 1));
		EXPECT_OK(put(t, f.s, "a", ""));
		EXPECT(is(t, f.s, "a", "", 2));
		struct state_write gone = { .effect = STATE_REMOVE, .key = STR("a") };
		EXPECT_OK(transact(t, f.s, &gone, 1).err);
		EXPECT_OK(transact(t, f.s, &gone, 1).err);
		EXPECT(get(t, f.s, "a").count == 0);
		EXPECT_OK(put(t, f.s, "a", "2"));
		EXPECT(is(t, f.s, "a", "2", 1));
	}
}

TEST(what_was_written_is_there_after_a_restart) {
	EACH_BACKEND(f) {
		EXPECT_OK(put(t, f.s, "a", "1"));
		EXPECT_OK(put(t, f.s, "a", "2"));
		reopen(t, &f);
		EXPECT(is(t, f.s, "a", "2", 2));
	}
}

static const struct {
	enum state_check check;
	uint64_t version;
	bool holds_absent, holds_at_2;
} conditions[] = {
	{ STATE_ANY, 0, true, true },      { STATE_ABSENT, 0, true, false },   { STATE_VERSION, 1, false, false },
	{ STATE_VERSION, 2, false, true }, { STATE_VERSION, 3, false, false },
};

/* Each condition, on an item that is absent and on one at version 2, with each effect; where one fails
 * it is named and nothing of its transaction is done. */
TEST(a_condition_decides_all_of_its_transaction) {
	EACH_BACKEND(f) {
		for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
			for (int there = 0; there < 2; there++) {
				struct state_write clear[] = { { .effect = STATE_REMOVE, .key = STR("a") },
					                           { .effect = STATE_REMOVE, .key = STR("b") } };
				EXPECT_OK(transact(t, f.s, clear, 2).err);
				for (int j = 0; there && j < 2; j++) EXPECT_OK(put(t, f.s, "a", "old"));
				bool holds = there ? conditions[i].holds_at_2 : conditions[i].holds_absent;
				struct state_write w[] = {
					{ .effect = STATE_PUT, .key = STR("b"), .value = STR("new") },
					{ .effect = STATE_CHECK_ONLY,
					  .check = conditions[i].check,
					  .key = STR("a"),
					  .version = conditions[i].version },
				};
				struct state_done d = transact(t, f.s, w, 2);
				EXPECT(d.err == (holds ? OK : ERR_CONFLICT));
				EXPECT(holds || d.failed == 1);
				EXPECT(get(t, f.s, "b").count == (size_t)holds);
				EXPECT(get(t, f.s, "a").count == (size_t)there);
			}
		}
	}
}

/* Of many that want to be the first, one is. */
TEST(one_of_many_wins) {
	EACH_BACKEND(f) {
		for (uint64_t i = 0; i < 20; i++) {
			struct state_write w = {
				.effect = STATE_PUT, .check = STATE_ABSENT, .key = STR("key/x"), .value = STR("v")
			};
			EXPECT_OK(state_transact(f.s, &w, 1, i));
		}
		for (uint64_t i = 0; i < 20; i++) {
			struct state_done d = wait_done(t, f.s);
			EXPECT(d.tag == i && d.err == (i ? ERR_CONFLICT : OK));
		}
	}
}

TEST(what_has_expired_is_as_if_it_had_never_been) {
	EACH_BACKEND(f) {
		struct wall at = { clock_wall(&f.w.clock.clock).ns + NS_PER_SEC };
		struct state_write w = { .effect = STATE_PUT, .key = STR("a"), .value = STR("1"), .expires = at };
		EXPECT_OK(transact(t, f.s, &w, 1).err);
		EXPECT_OK(transact(t, f.s, &w, 1).err);
		fake_clock_advance(&f.w.clock, NS_PER_SEC - 1);
		EXPECT(is(t, f.s, "a", "1", 2));
		EXPECT(get(t, f.s, "a").items->expires.ns == at.ns);
		fake_clock_advance(&f.w.clock, 1);
		EXPECT(get(t, f.s, "a").count == 0);
		EXPECT(query(t, f.s, (struct state_query){ .limit = 10 }).count == 0);
		struct state_write again = { .effect = STATE_PUT, .check = STATE_VERSION, .key = STR("a"), .version = 2 };
		EXPECT_ERR(transact(t, f.s, &again, 1).err, ERR_CONFLICT);
		again.check = STATE_ABSENT;
		again.value = STR("2");
		EXPECT_OK(transact(t, f.s, &again, 1).err);
		EXPECT(is(t, f.s, "a", "2", 1));
	}
}

TEST(a_query_walks_a_prefix) {
	static const char *const keys[] = {
		"a", "a/", "a/1", "a/2", "a/\xff", "a/\xff\xff", "a0", "b", "\xff", "\xff\xff"
	};
	EACH_BACKEND(f) {
		for (size_t i = 0; i < 10; i++) EXPECT_OK(put(t, f.s, keys[i], "v"));
		static const struct {
			struct state_query q;
			const char *first, *last;
			size_t count;
			bool more;
		} cases[] = {
			{ { .limit = 100 }, "a", "\xff\xff", 10, false },
			{ { .limit = 10 }, "a", "\xff\xff", 10, false },
			{ { .limit = 9 }, "a", "\xff", 9, true },
			{ { .prefix = { "a/", 2 }, .limit = 100 }, "a/", "a/\xff\xff", 5, false },
			{ { .prefix = { "a/", 2 }, .limit = 2, .after = { "a/1", 3 } }, "a/2", "a/\xff", 2, true },
			{ { .prefix = { "a/", 2 }, .limit = 9, .after = { "a/\xff\xff", 4 } }, NULL, NULL, 0, false },
			{ { .prefix = { "a/", 2 }, .limit = 9, .after = { "Z", 1 } }, "a/", "a/\xff\xff", 5, false },
			{ { .prefix = { "a/", 2 }, .limit = 2, .newest_first = true }, "a/\xff\xff", "a/\xff", 2, true },
			{ { .prefix = { "a/", 2 }, .limit = 9, .newest_first = true, .after = { "a/2", 3 } },
			  "a/1",
			  "a/",
			  2,
			  false },
			{ { .prefix = { "a/", 2 }, .limit = 9, .newest_first = true, .after = { "z", 1 } },
			  "a/\xff\xff",
			  "a/",
			  5,
			  false },
			{ { .prefix = { "\xff", 1 }, .limit = 9 }, "\xff", "\xff\xff", 2, false },
			{ { .prefix = { "a", 1 }, .exact = true, .limit = 9 }, "a", "a", 1, false },
			{ { .prefix = { "c", 1 }, .limit = 9 }, NULL, NULL, 0, false },
		};
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			struct state_done d = query(t, f.s, cases[i].q);
			EXPECT(d.count == cases[i].count && d.more == cases[i].more);
			EXPECT(!d.count || str_is(d.items[0].key, cases[i].first));
			EXPECT(!d.count || str_is(d.items[d.count - 1].key, cases[i].last));
		}
	}
}

/* An answer is bounded in bytes too, and going on after its last key misses nothing. */
TEST(a_long_answer_comes_in_parts) {
	EACH_BACKEND(f) {
		char *big = arena_take(t->arena, 300 * 1024, 1);
		for (int i = 0; i < 9; i++) {
			char key[] = { 'k', (char)('0' + i) };
			struct state_write w = { .effect = STATE_PUT, .key = { key, 2 }, .value = { big, 300 * 1024 } };
			EXPECT_OK(transact(t, f.s, &w, 1).err);
		}
		struct state_query q = { .limit = 1000 };
		size_t seen = 0, answers = 0;
		for (bool more = true; more; answers++) {
			struct state_done d = query(t, f.s, q);
			EXPECT(d.count >= 1 && d.count <= 4);
			for (size_t i = 0; i < d.count; i++) EXPECT(d.items[i].key.p[1] == (char)('0' + seen++));
			more = d.more;
			q.after = str_copy(t->arena, d.items[d.count - 1].key);
		}
		EXPECT(seen == 9 && answers >= 3);
	}
}

TEST(what_is_out_of_bounds_is_refused_at_once) {
	EACH_BACKEND(f) {
		static struct state_write many[STATE_TRANSACT_MAX + 1];
		static char long_key[STATE_KEY_MAX + 1], long_value[STATE_VALUE_MAX + 1];
		memset(long_key, 'k', sizeof long_key);
		for (size_t i = 0; i <= STATE_TRANSACT_MAX; i++)
			many[i] =
				(struct state_write){ .effect = STATE_PUT, .key = { long_key, i + 1 }, .value = { long_value, 45000 } };
		EXPECT_ERR(state_transact(f.s, many, 0, 1), ERR_INVALID);
		EXPECT_ERR(state_transact(f.s, many, STATE_TRANSACT_MAX + 1, 1), ERR_INVALID);
		EXPECT_ERR(state_transact(f.s, many, STATE_TRANSACT_MAX, 1), ERR_TOO_LARGE);
		many[0].key.n = 0;
		EXPECT_ERR(state_transact(f.s, many, 1, 1), ERR_INVALID);
		many[0].key.n = STATE_KEY_MAX + 1;
		EXPECT_ERR(state_transact(f.s, many, 1, 1), ERR_INVALID);
		many[0].key.n = 2; /* as the second's */
		EXPECT_ERR(state_transact(f.s, many, 2, 1), ERR_INVALID);
		many[0].value.n = STATE_VALUE_MAX + 1;
		EXPECT_ERR(state_transact(f.s, many, 1, 1), ERR_TOO_LARGE);
		many[0].key.n = STATE_KEY_MAX;
		many[0].value.n = STATE_VALUE_MAX;
		EXPECT_OK(transact(t, f.s, many, 1).err);
		struct state_query q = { .prefix = { long_key, STATE_KEY_MAX }, .exact = true, .limit = 1 };
		EXPECT(query(t, f.s, q).items->value.n == STATE_VALUE_MAX);
		q.limit = 0;
		EXPECT_ERR(state_query(f.s, &q, 1), ERR_INVALID);
		q.limit = STATE_QUERY_MAX + 1;
		EXPECT_ERR(state_query(f.s, &q, 1), ERR_INVALID);
	}
}

/* A back end that does not keep up refuses instead of growing, and takes again once it has caught up. */
TEST(too_much_that_waits_is_refused) {
	EACH_BACKEND(f) {
		struct state_write w = { .effect = STATE_PUT, .key = STR("a"), .value = STR("v") };
		f.w.stalled = true;
		uint64_t taken = 0;
		enum err e = OK;
		while (!(e = state_transact(f.s, &w, 1, taken)) && taken < 1000000) taken++;
		EXPECT(e == ERR_FULL && taken > 100);
		f.w.stalled = false;
		for (uint64_t i = 0; i < taken; i++) {
			struct state_done d = wait_done(t, f.s);
			EXPECT(d.tag == i && d.err == OK);
		}
		EXPECT_OK(put(t, f.s, "a", "last"));
		EXPECT(is(t, f.s, "a", "last", taken + 1));
	}
}

TEST(each_handle_hears_of_its_own) {
	EACH_BACKEND(f) {
		struct state *other = NULL;
		struct state_done d;
		EXPECT_OK(f.ops->attach(f.s, &other));
		struct state_write w = { .effect = STATE_PUT, .key = STR("a"), .value = STR("1") };
		EXPECT_OK(state_transact(f.s, &w, 1, 1));
		EXPECT_OK(state_transact(other, &w, 1, 2));
		EXPECT(wait_done(t, other).tag == 2);
		EXPECT(!state_poll(other, &d));
		EXPECT(wait_done(t, f.s).tag == 1);
		EXPECT(!state_poll(f.s, &d));

		/* One that closes in the middle of its work takes nothing with it. */
		EXPECT_OK(state_transact(other, &w, 1, 3));
		EXPECT_OK(state_transact(f.s, &w, 1, 4));
		state_close(other);
		EXPECT(wait_done(t, f.s).tag == 4);
		EXPECT(is(t, f.s, "a", "1", 4));
	}
}

TEST(a_handle_may_close_with_work_in_flight) {
	EACH_BACKEND(f) {
		struct state_write w = { .effect = STATE_PUT, .key = STR("a"), .value = STR("1") };
		EXPECT_OK(state_transact(f.s, &w, 1, 1));
		f.w.stalled = true;
		reopen(t, &f);
		f.w.stalled = false;
		EXPECT(get(t, f.s, "a").count <= 1);
	}
}

TEST(a_full_world_is_told) {
	EACH_BACKEND(f) {
		struct state_write w = { .effect = STATE_PUT, .key = STR("a"), .value = STR("1") };
		f.w.fault = "state.full";
		EXPECT_ERR(state_transact(f.s, &w, 1, 1), ERR_FULL);
		f.w.fault = NULL;
		EXPECT_OK(transact(t, f.s, &w, 1).err);
	}
}

TEST(an_unknown_scheme_lists_the_known) {
	struct test_world w;
	struct state *s = NULL;
	struct why why = { "" };
	test_world_init(&w, 1);
	EXPECT_ERR(state_open(&w.world, STR("redis://x/"), &s, &why), ERR_UNSUPPORTED);
	EXPECT(strstr(why.text, "'redis'") && strstr(why.text, "sqlite:"));
	EXPECT_ERR(state_open(&w.world, STR("no url"), &s, &why), ERR_INVALID);
	test_world_done(&w);
}

/* ---- against a model ---- */

#define MODEL_KEYS 12

struct model {
	struct {
		char key[8];
		uint64_t version; /* 0: absent */
		int64_t expires;
		char value[8];
	} items[MODEL_KEYS]; /* in byte order of key */
};

static void model_init(struct model *m) {
	for (int i = 0; i < MODEL_KEYS; i++) snprintf(m->items[i].key, 8, "%c/%d", 'a' + i / 4, i % 4);
}

static void model_expire(struct model *m, int64_t now) {
	for (int i = 0; i < MODEL_KEYS; i++)
		if (m->items[i].expires && m->items[i].expires <= now) m->items[i].version = 0;
}

static enum err model_apply(struct model *m, const struct state_write *w, const int *at, size_t n, size_t *failed) {
	for (size_t i = 0; i < n; i++) {
		uint64_t v = m->items[at[i]].version;
		bool ok = w[i].check == STATE_ANY || (w[i].check == STATE_ABSENT ? v == 0 : v == w[i].version);
		*failed = i;
		if (!ok) return ERR_CONFLICT;
	}
	for (size_t i = 0; i < n; i++) {
		if (w[i].effect == STATE_REMOVE) m->items[at[i]].version = 0;
		if (w[i].effect != STATE_PUT) continue;
		m->items[at[i]].version++;
		m->items[at[i]].expires = w[i].expires.ns;
		snprintf(m->items[at[i]].value, 8, STR_FMT, STR_ARG(w[i].value));
	}
	return OK;
}

struct expected {
	bool is_query;
	enum err err;
	size_t failed;
	struct state_item items[MODEL_KEYS];
	size_t count;
	bool more;
};

static struct expected random_transact(struct t *t, struct fix *f, struct model *m, uint64_t tag) {
	struct state_write w[3];
	int at[3];
	size_t n = 0;
	int64_t now = clock_wall(&f->w.clock.clock).ns;
	for (int k = 0; k < MODEL_KEYS && n < 3; k++) {
		if (rng_below(&t->rng, 5)) continue;
		at[n] = k;
		w[n] = (struct state_write){ .key = str_of(m->items[k].key),
			                         .effect = (enum state_effect)rng_below(&t->rng, 3),
			                         .check = (enum state_check)rng_below(&t->rng, 3),
			                         .version = (uint64_t)rng_below(&t->rng, 3) + 1,
			                         .value = str_printf(t->arena, "%d", (int)rng_below(&t->rng, 1000)) };
		if (rng_below(&t->rng, 3) == 0) w[n].expires.ns = now + rng_below(&t->rng, 5) * NS_PER_SEC;
		n++;
	}
	if (n == 0) {
		at[0] = 0;
		w[n++] = (struct state_write){ .key = str_of(m->items[0].key), .effect = STATE_CHECK_ONLY };
	}
	struct expected x = { 0 };
	model_expire(m, now);
	x.err = model_apply(m, w, at, n, &x.failed);
	model_expire(m, now);
	EXPECT_OK(state_transact(f->s, w, n, tag));
	return x;
}

static struct expected random_query(struct t *t, struct fix *f, struct model *m, uint64_t tag) {
	static const char *const prefixes[] = { "", "a", "b/", "c/1", "d" };
	struct expected x = { .is_query = true };
	struct state_query q = { .prefix = str_of(prefixes[rng_below(&t->rng, 5)]),
		                     .limit = 1 + rng_below(&t->rng, 6),
		                     .newest_first = rng_below(&t->rng, 2) };
	if (rng_below(&t->rng, 2)) q.after = str_of(m->items[rng_below(&t->rng, MODEL_KEYS)].key);
	model_expire(m, clock_wall(&f->w.clock.clock).ns);
	for (int i = 0; i < MODEL_KEYS; i++) {
		int k = q.newest_first ? MODEL_KEYS - 1 - i : i;
		struct str key = str_of(m->items[k].key);
		int order = q.after.n ? str_cmp(key, q.after) : q.newest_first ? -1 : 1;
		if (!m->items[k].version || !str_starts(key, q.prefix) || (q.newest_first ? order >= 0 : order <= 0)) continue;
		x.more = x.count == (size_t)q.limit;
		if (x.more) break;
		x.items[x.count++] = (struct state_item){ .key = key,
			                                      .value = str_printf(t->arena, "%s", m->items[k].value),
			                                      .version = m->items[k].version };
	}
	EXPECT_OK(state_query(f->s, &q, tag));
	return x;
}

static void compare(struct t *t, const struct expected *x, const struct state_done *d) {
	EXPECT_ERR(d->err, x->err);
	if (x->err) EXPECT(d->failed == x->failed);
	if (!x->is_query) return;
	EXPECT(d->count == x->count && d->more == x->more);
	for (size_t i = 0; i < x->count; i++) {
		EXPECT(str_eq(d->items[i].key, x->items[i].key) && str_eq(d->items[i].value, x->items[i].value));
		EXPECT(d->items[i].version == x->items[i].version);
	}
}

/* Whatever is asked, in whatever bursts, the answers are those of one thing after another. */
TEST(it_behaves_as_one_thing_after_another, .seeds = 40) {
	EACH_BACKEND(f) {
		struct model m = { 0 };
		model_init(&m);
		for (int round = 0; round < 20; round++) {
			struct expected x[16];
			uint64_t n = (uint64_t)rng_below(&t->rng, 16) + 1;
			for (uint64_t i = 0; i < n; i++)
				x[i] = rng_below(&t->rng, 3) ? random_transact(t, &f, &m, i) : random_query(t, &f, &m, i);
			for (uint64_t i = 0; i < n; i++) {
				struct state_done d = wait_done(t, f.s);
				EXPECT(d.tag == i);
				compare(t, &x[i], &d);
			}
			if (rng_below(&t->rng, 8) == 0) reopen(t, &f);
			if (rng_below(&t->rng, 3) == 0) fake_clock_advance(&f.w.clock, rng_below(&t->rng, 3) * NS_PER_SEC);
		}
	}
}

RUN(what_is_written_is_read_back, what_was_written_is_there_after_a_restart, a_condition_decides_all_of_its_transaction,
    one_of_many_wins, what_has_expired_is_as_if_it_had_never_been, a_query_walks_a_prefix, a_long_answer_comes_in_parts,
    what_is_out_of_bounds_is_refused_at_once, too_much_that_waits_is_refused, each_handle_hears_of_its_own,
    a_handle_may_close_with_work_in_flight, a_full_world_is_told, an_unknown_scheme_lists_the_known,
    it_behaves_as_one_thing_after_another)
