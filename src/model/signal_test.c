#include "model/signal.h"

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

RUN(names_read_back)
