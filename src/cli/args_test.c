#include "cli/args.h"

#include <string.h>

#include "base/test.h"

static const struct option own[] = {
	{ "seeds", 0, "A..B", "Seeds to run." },
	{ "twice", 0, NULL, "Run each twice." },
	OPTION_END,
};
static const struct option common[] = {
	{ "output", 'o', "FORMAT", "table, csv, json or jsonl." },
	{ "quiet", 'q', NULL, "Say less." },
	OPTION_END,
};
#define PARSE(out, ...)                                                              \
	args_parse((int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)), \
	           (const char *const[]){ __VA_ARGS__ }, own, common, out, &why)

TEST(options_come_in_any_order_and_spelling) {
	struct args a;
	struct why why;
	int64_t seeds[2];
	EXPECT_OK(PARSE(&a, "x", "-ojson", "--seeds=3..9", "-", "--twice", "--", "--not-an-option"));
	EXPECT(str_is(args_get(&a, "output"), "json") && args_has(&a, "twice") && !args_has(&a, "quiet"));
	EXPECT_OK(args_range(&a, "seeds", 1, 1, seeds, &why));
	EXPECT(seeds[0] == 3 && seeds[1] == 9);
	EXPECT(a.positional_count == 3 && str_is(a.positional[1], "-") && str_is(a.positional[2], "--not-an-option"));
	EXPECT_OK(PARSE(&a, "--seeds", "7", "--seeds", "8", "-q", "-5"));
	EXPECT_OK(args_range(&a, "seeds", 1, 1, seeds, &why));
	EXPECT(seeds[0] == 8 && seeds[1] == 8 && args_has(&a, "quiet") && str_is(a.positional[0], "-5"));
}

TEST(what_is_wrong_is_named_with_what_would_be_right) {
	struct args a;
	struct why why;
	int64_t n, r[2];
	EXPECT_ERR(PARSE(&a, "--sedes", "1"), ERR_INVALID);
	EXPECT(strstr(why.text, "--sedes") && strstr(why.text, "--seeds"));
	EXPECT_ERR(PARSE(&a, "--seeds"), ERR_INVALID);
	EXPECT(strstr(why.text, "A..B"));
	EXPECT_ERR(PARSE(&a, "--twice=1"), ERR_INVALID);
	EXPECT_ERR(PARSE(&a, "-z"), ERR_INVALID);
	EXPECT_OK(PARSE(&a, "--seeds", "9..3"));
	EXPECT_ERR(args_range(&a, "seeds", 1, 1, r, &why), ERR_INVALID);
	EXPECT_ERR(args_int(&a, "seeds", 1, 0, 5, &n, &why), ERR_INVALID);
}

RUN(options_come_in_any_order_and_spelling, what_is_wrong_is_named_with_what_would_be_right)
