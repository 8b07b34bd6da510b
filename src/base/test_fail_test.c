/* Must fail: meson expects it to. One failure for each check, chosen by name; with none, the first of them. */
#include <math.h>

#include "base/test.h"

TEST(a_condition) {
	EXPECT(t->seed == 0);
}
TEST(a_code) {
	EXPECT_OK(ERR_IO);
}
TEST(a_number) {
	EXPECT_NEAR(1.0, 2.0, 0.5);
}
TEST(not_a_number) {
	EXPECT_NEAR(NAN, NAN, 0.5);
}
TEST(the_third_seed, .seeds = 3) {
	EXPECT(t->seed < 3);
}

RUN(a_condition, a_code, a_number, not_a_number, the_third_seed)
