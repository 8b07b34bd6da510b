#include "api/request.h"

#include <string.h>

#include "base/test.h"

TEST(a_target_is_taken_apart) {
	struct request_target g;
	struct why why;
	EXPECT_OK(target_parse(t->arena, STR("/api/v1/events?type=A%20B&limit=7&x&y=a+b&z=1=2"), &g, &why));
	EXPECT(g.part_count == 3 && str_is(g.parts[2], "events") && g.param_count == 5);
	EXPECT(str_is(target_param(&g, "type"), "A B") && str_is(target_param(&g, "y"), "a b"));
	EXPECT(str_is(target_param(&g, "z"), "1=2") && target_param(&g, "x").p && !target_param(&g, "x").n);
	EXPECT(!target_param(&g, "none").p);
	int64_t n = 0;
	EXPECT_OK(target_int(&g, "limit", 1, 1, 10, &n, &why));
	EXPECT(n == 7);
	EXPECT_OK(target_int(&g, "absent", 3, 1, 10, &n, &why));
	EXPECT(n == 3);
	EXPECT_ERR(target_int(&g, "limit", 1, 8, 10, &n, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "limit") && strstr(why.text, "8"));
	EXPECT_ERR(target_int(&g, "type", 1, 8, 10, &n, &why), ERR_INVALID);
}

TEST(what_is_no_target_is_refused) {
	static const char *const bad[] = {
		"", "x", "/a%", "/a%4", "/a%zz", "/%00", "/a?b=%", "/a?b=%f", "/a/b/c/d/e/f/g/h/i", "/%ff"
	};
	struct request_target g;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct why why = { "" };
		EXPECT_ERR(target_parse(t->arena, str_of(bad[i]), &g, &why), ERR_INVALID);
		EXPECT(why.text[0]);
	}
	struct why why;
	char *large = arena_take(t->arena, 5000, 1);
	memset(large, '/', 5000);
	EXPECT_ERR(target_parse(t->arena, (struct str){ large, 5000 }, &g, &why), ERR_TOO_LARGE);
	EXPECT_ERR(target_parse(t->arena, STR("/a?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17"), &g, &why), ERR_INVALID);
}

TEST(slashes_at_the_end_and_escapes_mean_the_same) {
	struct request_target g;
	EXPECT_OK(target_parse(t->arena, STR("/api/v1/status/"), &g, NULL));
	EXPECT(g.part_count == 3);
	EXPECT_OK(target_parse(t->arena, STR("/"), &g, NULL));
	EXPECT(g.part_count == 0);
	EXPECT_OK(target_parse(t->arena, STR("/%61%2Fb"), &g, NULL));
	EXPECT(g.part_count == 1 && str_is(g.parts[0], "a/b")); /* an escaped slash divides nothing */
}

RUN(a_target_is_taken_apart, what_is_no_target_is_refused, slashes_at_the_end_and_escapes_mean_the_same)
