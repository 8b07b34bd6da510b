#include "model/action.h"

#include <string.h>

#include "base/test.h"

static const struct action_key_parts parts = {
	.handler = { "restart-slow-service", 20 },
	.step = { "1", 1 },
	.kind = ACTION_ROLLOUT_RESTART,
	.target_uid = { "0d6b2c5e-7f1a-4c0e-9a64-0c1d2e3f4a5b", 36 },
	.incident = { "01JGXW4R8Q0000000000000000", 26 },
	.attempt = 1,
};

/* The digest was computed by another program (hashlib) from the rule in action.h: what is on record in
 * clusters and databases must mean the same in every later version. */
TEST(the_key_is_the_documented_hash) {
	struct action_key key = action_key(&parts);
	EXPECT(strcmp(key.hex, "65d26330c7b17761ff82dfe6dad76a96aa8c9bd3915f27e3b1a11c4b8f69bb77") == 0);
}

static bool same(const struct action_key_parts *p) {
	struct action_key a = action_key(&parts), b = action_key(p);
	return strcmp(a.hex, b.hex) == 0;
}

TEST(each_part_moves_the_key) {
	struct action_key_parts p = parts;
	EXPECT(same(&p));
	p.handler.n--;
	EXPECT(!same(&p));
	p = parts, p.step = STR("2");
	EXPECT(!same(&p));
	p = parts, p.kind = ACTION_SCALE;
	EXPECT(!same(&p));
	p = parts, p.target_uid.n--;
	EXPECT(!same(&p));
	p = parts, p.incident.n--;
	EXPECT(!same(&p));
	p = parts, p.attempt = 2;
	EXPECT(!same(&p));
}

/* Lengths stand before the parts: the same bytes cut elsewhere are another key. */
TEST(a_part_cannot_borrow_from_its_neighbour) {
	struct action_key_parts a = parts, b = parts;
	a.handler = STR("ab"), a.step = STR("c");
	b.handler = STR("a"), b.step = STR("bc");
	struct action_key x = action_key(&a), y = action_key(&b);
	EXPECT(strcmp(x.hex, y.hex) != 0);
}

TEST(names_read_back) {
	for (int i = 0; i < ACTION_KINDS; i++) {
		enum action_kind k = ACTION_KINDS;
		EXPECT(action_kind_parse(str_of(action_kind_name((enum action_kind)i)), &k) && k == (enum action_kind)i);
	}
	for (int i = 0; i < ACTION_STATES; i++) {
		enum action_state s = ACTION_STATES;
		EXPECT(action_state_parse(str_of(action_state_name((enum action_state)i)), &s) && s == (enum action_state)i);
	}
	for (int i = GATE_PASS; i <= GATE_NOT_CONFIGURED; i++) {
		enum gate_verdict v = GATE_PASS;
		EXPECT(gate_verdict_parse(str_of(gate_verdict_name((enum gate_verdict)i)), &v) && v == (enum gate_verdict)i);
	}
	enum action_kind k = ACTION_SCALE;
	EXPECT(!action_kind_parse(STR("reboot"), &k) && k == ACTION_SCALE);
	EXPECT(!action_kind_parse(STR(""), &k));
}

TEST(the_states_that_end_an_action) {
	static const char *const ends[] = { "told", "refused", "verified", "ineffective", "undone", "failed", "expired" };
	size_t n = 0;
	for (int i = 0; i < ACTION_STATES; i++) {
		bool end = false;
		for (size_t j = 0; j < 7; j++) end |= strcmp(action_state_name((enum action_state)i), ends[j]) == 0;
		EXPECT(action_state_terminal((enum action_state)i) == end);
		n += end;
	}
	EXPECT(n == 7);
}

RUN(the_key_is_the_documented_hash, each_part_moves_the_key, a_part_cannot_borrow_from_its_neighbour, names_read_back,
    the_states_that_end_an_action)
