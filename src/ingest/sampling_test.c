#include "ingest/sampling.h"

#include <string.h>

#include "base/test.h"

static const unsigned char most[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* The table of the specification ("Converting floating-point probability to threshold value"): threshold
 * and exact adjusted count. */
TEST(weights_are_those_of_the_specification) {
	static const struct {
		const char *th;
		double count;
	} rows[] = {
		{ "0", 1 },
		{ "8", 2 },
		{ "aab", 3.0007326007326007 },
		{ "aaaab", 3.0000028610256777 },
		{ "c", 4 },
		{ "cccd", 5.0000762951094835 },
		{ "e", 8 },
		{ "e66", 9.990243902439024 },
		{ "f", 16 },
		{ "fd71", 100.05496183206107 },
		{ "fd70a4", 100.00009536752259 },
		{ "ffbe77", 1000.012874769029 },
		{ "fff97247", 9999.99370426336 },
		{ "ffff584", 100013.21013412817 },
		{ "ffffef391", 1.0000069374699865e+06 },
		{ "ffffffffffffff", 72057594037927936.0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char state[64] = "ot=th:";
		double weight;
		strcat(state, rows[i].th);
		EXPECT(sampling_weight(str_of(state), most, &weight) == SAMPLING_KNOWN);
		EXPECT_NEAR(weight / rows[i].count, 1, 1e-15);
	}
}

TEST(without_a_threshold_the_weight_is_not_known) {
	static const char *const states[] = {
		"",
		",",
		"=",
		"ot",
		"ot=",
		"ot=;",
		"ot=rv:00000000000000",
		"ot=p:8;r:62",
		"vendor=th:8",
		"xot=th:8",
		"ot=th",
		"ot=th:",
		"ot=th:g",
		"ot=th:C",
		"ot=th:0x8",
		"ot=th:000000000000000",
		"ot=xth:8",
		"ot=th:-1",
	};
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		double weight = 7;
		enum sampling s = sampling_weight(str_of(states[i]), most, &weight);
		if (s != SAMPLING_UNKNOWN) fprintf(stderr, "%s\n", states[i]);
		EXPECT(s == SAMPLING_UNKNOWN && weight == 0);
	}
	double weight;
	EXPECT(sampling_weight((struct str){ NULL, 0 }, most, &weight) == SAMPLING_UNKNOWN);
}

TEST(the_entry_is_found_among_others) {
	static const char *const states[] = { "ot=th:c",
		                                  "a=b,ot=th:c",
		                                  "a=b , ot=th:c ,c=d",
		                                  "ot=rv:ffffffffffffff;th:c",
		                                  "ot=th:c;rv:ffffffffffffff",
		                                  "a=th:8;ot=x,ot=th:c",
		                                  "tenant@vendor=1,ot=x:1;th:c00" };
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		double weight;
		EXPECT(sampling_weight(str_of(states[i]), most, &weight) == SAMPLING_KNOWN && weight == 4);
	}
}

/* R >= T, or the threshold is not what the span was kept by; rv goes before the trace id. */
TEST(a_span_that_its_threshold_would_have_dropped_has_no_weight) {
	unsigned char trace[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0 };
	double weight;
	EXPECT(sampling_weight(STR("ot=th:c"), trace, &weight) == SAMPLING_KNOWN && weight == 4);
	EXPECT(sampling_weight(STR("ot=th:c0000000000001"), trace, &weight) == SAMPLING_INCONSISTENT && weight == 0);
	trace[9] = 0xbf;
	EXPECT(sampling_weight(STR("ot=th:c"), trace, &weight) == SAMPLING_INCONSISTENT && weight == 0);
	EXPECT(sampling_weight(STR("ot=th:c;rv:c0000000000000"), trace, &weight) == SAMPLING_KNOWN);
	EXPECT(sampling_weight(STR("ot=th:c;rv:bfffffffffffff"), most, &weight) == SAMPLING_INCONSISTENT);
	EXPECT(sampling_weight(STR("ot=th:c;rv:ff"), trace, &weight) ==
	       SAMPLING_INCONSISTENT); /* no rv: 14 digits are wanted */
}

RUN(weights_are_those_of_the_specification, without_a_threshold_the_weight_is_not_known,
    the_entry_is_found_among_others, a_span_that_its_threshold_would_have_dropped_has_no_weight)
