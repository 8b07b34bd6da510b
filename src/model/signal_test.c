#include "model/signal.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

TEST(names_read_back) {
	for (int i = SIGNAL_ABSENT; i <= SIGNAL_VALUE; i++) {
		enum signal_state s = SIGNAL_ABSENT;
		EXPECT(signal_state_parse(str_of(signal_state_name((enum signal_state)i)), &s) && s == (enum signal_state)i);
	}
	for (int i = 0; i < SIGNAL_KINDS; i++) {
		enum signal_kind k = SIGNAL_KINDS;
		EXPECT(signal_kind_parse(str_of(signal_kind_name((enum signal_kind)i)), &k) && k == (enum signal_kind)i);
	}
	enum signal_state s = SIGNAL_STALE;
	EXPECT(!signal_state_parse(STR("unknown"), &s) && s == SIGNAL_STALE);
	enum signal_kind k = SIGNAL_CPU;
	EXPECT(!signal_kind_parse(STR("cp"), &k) && k == SIGNAL_CPU);
}

/* Whatever a signal holds, no sentence says "nan", and each has its unit. */
TEST(values_are_written_for_people) {
	static const struct {
		const char *kind;
		double v;
		const char *text;
	} cases[] = {
		{ "errors", 0.0544, "5.4 %" }, { "errors", 0.000312, "0.03 %" },  { "errors", 0, "0.0 %" },
		{ "errors", 0.2, "20 %" },     { "duration", 0.0146, "14.6 ms" }, { "duration", 2.5, "2.5 s" },
		{ "rate", 20, "20/s" },        { "memory", 0.93, "93 %" },        { "memory", 3.0 * (1 << 20), "3 MiB" },
		{ "cpu", 2.5, "2.5 cores" },   { "restarts", 3, "3/min" },        { "logs", 0.5, "0.5/s" },
		{ "ready", 0.5, "50 %" },      { "errors", NAN, "no value" },     { "else", NAN, "no value" },
		{ "else", 1234.5, "1234" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[SIGNAL_TEXT_MAX];
		signal_named_text(str_of(cases[i].kind), cases[i].v, text);
		if (strcmp(text, cases[i].text) != 0) test_fail(t, __FILE__, __LINE__, text);
	}
	for (int k = 0; k < SIGNAL_KINDS; k++) {
		char text[SIGNAL_TEXT_MAX];
		signal_value_text((enum signal_kind)k, NAN, text);
		EXPECT(strcmp(text, "no value") == 0);
		signal_value_text((enum signal_kind)k, HUGE_VAL, text);
		signal_value_text((enum signal_kind)k, -1e300, text);
	}
}

RUN(names_read_back, values_are_written_for_people)
