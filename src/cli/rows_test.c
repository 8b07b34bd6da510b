#include "cli/rows.h"

#include "base/test.h"

static struct rows_run drawn(struct t *t) {
	static const char *const cases[] = { "memory_leak", "cold", "quiet" };
	return (struct rows_run){ .of = rng_next(&t->rng),
		                      .seed = rng_below(&t->rng, 100000),
		                      .which = str_of(cases[rng_below(&t->rng, 3)]),
		                      .row = str_printf(t->arena, "{\"seed\":%lld}\n", (long long)rng_below(&t->rng, 1000)) };
}

/* Wherever the power went, each run before it is read back as it was, and the next belongs where they end. */
TEST(what_was_kept_is_read_back_up_to_the_cut, .seeds = 200) {
	struct rows_run runs[8], got;
	size_t ends[8], count = (size_t)(1 + rng_below(&t->rng, 8)), read = 0, at = 0, whole = 0;
	struct why why = { "" };
	struct buf b;
	buf_init(&b, 0);
	for (size_t i = 0; i < count; i++) {
		runs[i] = drawn(t);
		rows_put(&b, &runs[i]);
		ends[i] = b.n;
	}
	size_t cut = (size_t)rng_below(&t->rng, (int64_t)b.n + 1);
	while (whole < count && ends[whole] <= cut) whole++;
	for (; rows_next(t->arena, (struct str){ b.p, cut }, &at, &got, &why); read++) {
		EXPECT(read < whole && got.of == runs[read].of && got.seed == runs[read].seed);
		EXPECT(str_eq(got.which, runs[read].which) && str_eq(got.row, str_trim(runs[read].row)));
	}
	EXPECT(!why.text[0] && read == whole && at == (whole ? ends[whole - 1] : 0));
	buf_done(&b);
}

TEST(a_line_that_is_none_is_named) {
	static const char *const bad[] = {
		"{}\n",
		"[]\n",
		"\n",
		"{\"of\":\"0\",\"seed\":1,\"case\":\"x\",\"row\":{}}\n",
		"{\"of\":\"000000000000000g\",\"seed\":1,\"case\":\"x\",\"row\":{}}\n",
		"{\"of\":\"0000000000000000\",\"seed\":-1,\"case\":\"x\",\"row\":{}}\n",
		"{\"of\":\"0000000000000000\",\"seed\":1,\"case\":\"\",\"row\":{}}\n",
		"{\"of\":\"0000000000000000\",\"seed\":1,\"case\":\"x\",\"row\":[]}\n",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct why why = { "" };
		struct rows_run got;
		size_t at = 0;
		struct str text =
			str_printf(t->arena, "{\"of\":\"00000000000000ff\",\"seed\":1,\"case\":\"x\",\"row\":{}}\n%s", bad[i]);
		EXPECT(rows_next(t->arena, text, &at, &got, &why) && got.of == 255);
		EXPECT(!rows_next(t->arena, text, &at, &got, &why));
		EXPECT_HAS(str_of(why.text), ":2: ");
	}
}

RUN(what_was_kept_is_read_back_up_to_the_cut, a_line_that_is_none_is_named)
