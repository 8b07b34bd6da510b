/* The contract of a transport, run over every entry of the list below, and what memory: adds. */
#include "stream/transport.h"

#include <string.h>

#include "base/test.h"

static const char *const urls[] = { "memory:", "memory:?shards=3", "memory:?bytes=64MiB&shards=1&batches=100" };
#define URLS (sizeof urls / sizeof *urls)

static struct transport *opened(struct t *t, const char *url) {
	static const struct world nowhere = { 0 };
	struct world w = nowhere;
	struct transport *tr = NULL;
	struct why why = { "" };
	struct world *copy = arena_new(t->arena, struct world);
	*copy = w;
	EXPECT_OK(transport_open(copy, str_of(url), &tr, &why));
	return tr;
}

/* A batch whose bytes say its key and number. */
static struct str body(struct t *t, uint64_t key, uint64_t number, size_t pad) {
	char *p = arena_array(t->arena, char, 16 + pad);
	memcpy(p, &key, 8);
	memcpy(p + 8, &number, 8);
	memset(p + 16, 'x', pad);
	return (struct str){ p, 16 + pad };
}

TEST(batches_of_one_key_keep_their_order_and_none_is_lost, .seeds = 30) {
	struct transport *tr = opened(t, urls[t->seed % URLS]);
	struct batch_sink *sink = transport_sink(tr);
	uint64_t put[8] = { 0 }, seen[8] = { 0 }, position[256] = { 0 }, puts = 0, ends = 0, reads = 0;
	struct sink_done done;
	struct transport_batch got;
	for (int step = 0; step < 2000; step++) {
		uint64_t key = (uint64_t)rng_below(&t->rng, 8);
		if (rng_below(&t->rng, 2)) {
			enum err e = sink->ops->put(sink, body(t, key, put[key] + 1, (size_t)rng_below(&t->rng, 100)), key, puts);
			EXPECT(e == OK || e == ERR_AGAIN);
			if (!e) put[key]++, puts++;
		}
		while (rng_below(&t->rng, 2) && sink->ops->poll(sink, &done)) {
			EXPECT(!done.err && done.tag == ends);
			ends++;
		}
		for (uint32_t s = 0; s < transport_shards(tr); s++) {
			if (rng_below(&t->rng, 3) || !transport_poll(tr, s, &got)) continue;
			uint64_t k, n;
			memcpy(&k, got.bytes.p, 8);
			memcpy(&n, got.bytes.p + 8, 8);
			EXPECT(n == ++seen[k] && got.position == position[s] + 1 && got.shard == s);
			position[s] = got.position;
			reads++;
			if (rng_below(&t->rng, 4) == 0) EXPECT_OK(transport_checkpoint(tr, s, position[s]));
			EXPECT(memcmp(got.bytes.p, &k, 8) == 0); /* its bytes are ours until the next poll */
		}
	}
	while (sink->ops->poll(sink, &done)) ends++;
	for (uint32_t s = 0; s < transport_shards(tr); s++) {
		while (transport_poll(tr, s, &got)) reads++;
	}
	EXPECT(ends == puts && reads == puts && puts > 100);
	transport_close(tr);
}

TEST(only_what_was_read_can_be_let_go) {
	struct transport *tr = opened(t, "memory:");
	struct batch_sink *sink = transport_sink(tr);
	struct transport_batch got;
	EXPECT_OK(transport_checkpoint(tr, 0, 0));
	EXPECT_OK(sink->ops->put(sink, body(t, 1, 1, 0), 1, 1));
	EXPECT_OK(transport_checkpoint(tr, 0, 0));
	EXPECT_ERR(transport_checkpoint(tr, 0, 1), ERR_INVALID);
	EXPECT(transport_poll(tr, 0, &got) && got.position == 1);
	EXPECT_OK(transport_checkpoint(tr, 0, 1));
	EXPECT_OK(transport_checkpoint(tr, 0, 1));
	EXPECT(!transport_poll(tr, 0, &got));
	int64_t batches, bytes, high;
	transport_depth(tr, 0, &batches, &bytes, &high);
	EXPECT(batches == 0 && bytes == 0 && high == 16);
	transport_close(tr);
}

/* Whatever the order of puts, polls and checkpoints, what is held stays within the bounds, and a full
 * transport takes again as soon as enough was let go. */
TEST(what_is_held_stays_bounded_and_a_refusal_is_not_for_ever, .seeds = 20) {
	struct transport *tr = opened(t, "memory:?bytes=8MiB&shards=2&batches=40");
	struct batch_sink *sink = transport_sink(tr);
	struct transport_batch got;
	struct sink_done done;
	int refused = 0;
	char *big = arena_array(t->arena, char, 1 << 20);
	for (int step = 0; step < 500; step++) {
		size_t n = (size_t)rng_below(&t->rng, rng_below(&t->rng, 2) ? 1 << 20 : 64);
		uint64_t key = rng_next(&t->rng);
		enum err e = sink->ops->put(sink, (struct str){ big, n }, key, 7);
		while (sink->ops->poll(sink, &done)) {}
		for (uint32_t s = 0; s < 2; s++) {
			int64_t batches, bytes, high;
			transport_depth(tr, s, &batches, &bytes, &high);
			EXPECT(batches <= 20 && bytes <= 4 << 20 && high <= 4 << 20);
		}
		if (e != ERR_AGAIN) continue;
		refused++;
		for (uint32_t s = 0; s < 2; s++) {
			uint64_t last = 0;
			while (transport_poll(tr, s, &got)) last = got.position;
			if (last) EXPECT_OK(transport_checkpoint(tr, s, last));
			EXPECT(!transport_poll(tr, s, &got));
		}
		EXPECT_OK(sink->ops->put(sink, (struct str){ big, n }, key, 7));
		EXPECT(sink->ops->poll(sink, &done) && done.tag == 7 && !done.err);
	}
	EXPECT(refused > 5);
	transport_close(tr);
}

TEST(a_producer_that_never_looks_is_refused_in_the_end) {
	struct transport *tr = opened(t, "memory:?batches=10");
	struct batch_sink *sink = transport_sink(tr);
	struct transport_batch got;
	for (int i = 0; i < 10; i++) {
		EXPECT_OK(sink->ops->put(sink, body(t, 1, 1, 0), 1, 1));
		EXPECT(transport_poll(tr, 0, &got));
		EXPECT_OK(transport_checkpoint(tr, 0, got.position));
	}
	EXPECT(!transport_poll(tr, 0, &got));
	EXPECT_ERR(sink->ops->put(sink, body(t, 1, 1, 0), 1, 1), ERR_AGAIN);
	transport_close(tr);
}

TEST(each_producer_hears_of_its_own_puts_only) {
	struct transport *tr = opened(t, "memory:");
	struct batch_sink *a = transport_sink(tr), *b = transport_sink(tr);
	struct sink_done done;
	EXPECT(a != b);
	EXPECT_OK(a->ops->put(a, STR("x"), 1, 11));
	EXPECT_OK(b->ops->put(b, STR("y"), 1, 22));
	EXPECT(b->ops->poll(b, &done) && done.tag == 22 && !b->ops->poll(b, &done));
	EXPECT(a->ops->poll(a, &done) && done.tag == 11 && !a->ops->poll(a, &done));
	struct transport_batch got;
	EXPECT(transport_poll(tr, 0, &got) && str_is(got.bytes, "x"));
	EXPECT(transport_poll(tr, 0, &got) && str_is(got.bytes, "y"));
	transport_close(tr);
}

TEST(a_batch_over_the_limit_is_refused_for_good) {
	struct transport *tr = opened(t, "memory:");
	struct batch_sink *sink = transport_sink(tr);
	char *big = arena_array(t->arena, char, BATCH_BYTES_MAX + 1);
	EXPECT_ERR(sink->ops->put(sink, (struct str){ big, BATCH_BYTES_MAX + 1 }, 1, 1), ERR_TOO_LARGE);
	EXPECT_OK(sink->ops->put(sink, (struct str){ big, BATCH_BYTES_MAX }, 1, 1));
	transport_close(tr);
}

static bool always(struct world *w, const char *name) {
	(void)w;
	return strcmp(name, "stream.put.full") == 0;
}

TEST(the_world_may_make_it_full) {
	struct world w = { .fault = always };
	struct transport *tr = NULL;
	struct why why;
	EXPECT_OK(transport_open(&w, STR("memory:"), &tr, &why));
	struct batch_sink *sink = transport_sink(tr);
	EXPECT_ERR(sink->ops->put(sink, STR("x"), 1, 1), ERR_AGAIN);
	transport_close(tr);
}

TEST(a_wrong_url_says_what_is_right) {
	static const struct {
		const char *url;
		enum err err;
		const char *says;
	} wrong[] = {
		{ "kafka:", ERR_UNSUPPORTED, "memory:" },
		{ "memory:?shard=2", ERR_INVALID, "shards" },
		{ "memory:?shards=0", ERR_INVALID, "shards" },
		{ "memory:?bytes=1MiB", ERR_INVALID, "bytes" },
		{ "memory:?bytes=8MiB&shards=3", ERR_INVALID, "12MiB" },
		{ "memory://host", ERR_INVALID, "no host" },
	};
	struct world w = { 0 };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct transport *tr = NULL;
		struct why why = { "" };
		EXPECT_ERR(transport_open(&w, str_of(wrong[i].url), &tr, &why), wrong[i].err);
		if (!strstr(why.text, wrong[i].says)) fprintf(stderr, "%s: %s\n", wrong[i].url, why.text);
		EXPECT(strstr(why.text, wrong[i].says) && !tr);
	}
	transport_close(NULL);
}

/* A new process, an old checkpoint: whatever comes lies behind what was read before. */
TEST(a_resumed_shard_numbers_on) {
	struct transport_batch got;
	struct transport *tr = opened(t, "memory:");
	struct batch_sink *sink = transport_sink(tr);
	EXPECT_OK(sink->ops->put(sink, STR("before"), 0, 1));
	EXPECT_OK(transport_resume(tr, 0, 1000));
	EXPECT_OK(sink->ops->put(sink, STR("after"), 0, 2));
	EXPECT(transport_poll(tr, 0, &got) && got.position == 1001 && str_is(got.bytes, "before"));
	EXPECT_ERR(transport_resume(tr, 0, 2000), ERR_INVALID);
	EXPECT(transport_poll(tr, 0, &got) && got.position == 1002 && str_is(got.bytes, "after"));
	EXPECT_OK(transport_checkpoint(tr, 0, 1001));
	EXPECT_ERR(transport_checkpoint(tr, 0, 1003), ERR_INVALID);
	transport_close(tr);
}

RUN(batches_of_one_key_keep_their_order_and_none_is_lost, only_what_was_read_can_be_let_go,
    what_is_held_stays_bounded_and_a_refusal_is_not_for_ever, a_producer_that_never_looks_is_refused_in_the_end,
    each_producer_hears_of_its_own_puts_only, a_batch_over_the_limit_is_refused_for_good, the_world_may_make_it_full,
    a_wrong_url_says_what_is_right, a_resumed_shard_numbers_on)
