#include "control/lifecycle.h"

#include "base/test.h"

/* The page docs/design/0007 as data: every other move is a bug. */
static const struct {
	enum action_state from, to;
} allowed[] = {
	{ ACTION_WAITING, ACTION_CLAIMED },       { ACTION_WAITING, ACTION_REFUSED },
	{ ACTION_WAITING, ACTION_EXPIRED },       { ACTION_WAITING, ACTION_TOLD },
	{ ACTION_CLAIMED, ACTION_ACTING },        { ACTION_CLAIMED, ACTION_REFUSED },
	{ ACTION_ACTING, ACTION_APPLIED },        { ACTION_ACTING, ACTION_FAILED },
	{ ACTION_APPLIED, ACTION_VERIFYING },     { ACTION_APPLIED, ACTION_INEFFECTIVE },
	{ ACTION_APPLIED, ACTION_UNDOING },       { ACTION_VERIFYING, ACTION_VERIFIED },
	{ ACTION_VERIFYING, ACTION_INEFFECTIVE }, { ACTION_VERIFYING, ACTION_UNDOING },
	{ ACTION_VERIFIED, ACTION_UNDOING },      { ACTION_INEFFECTIVE, ACTION_UNDOING },
	{ ACTION_UNDOING, ACTION_UNDONE },        { ACTION_UNDOING, ACTION_INEFFECTIVE },
	{ ACTION_UNDOING, ACTION_VERIFIED },
};

TEST(only_these_moves_exist) {
	size_t found = 0;
	for (int from = 0; from < ACTION_STATES; from++)
		for (int to = 0; to < ACTION_STATES; to++) {
			bool want = false;
			for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
				want = want || ((int)allowed[i].from == from && (int)allowed[i].to == to);
			EXPECT(lifecycle_allowed((enum action_state)from, (enum action_state)to) == want);
			found += want;
		}
	EXPECT(found == sizeof allowed / sizeof *allowed);
}

/* Nothing is stuck: every state that is not an end has a way on, and no effect lies behind an end but by
 * a person's undo. */
TEST(every_state_leads_somewhere) {
	for (int s = 0; s < ACTION_STATES; s++) {
		int ways = 0;
		for (int to = 0; to < ACTION_STATES; to++) {
			if (!lifecycle_allowed((enum action_state)s, (enum action_state)to)) continue;
			ways++;
			if (action_state_terminal((enum action_state)s)) EXPECT(to == ACTION_UNDOING);
		}
		if (!action_state_terminal((enum action_state)s)) EXPECT(ways > 0);
	}
}

/* No way to ACTING but through CLAIMED, and none to CLAIMED twice: one claimed key, one effect. */
TEST(acting_needs_a_claimed_key) {
	for (int s = 0; s < ACTION_STATES; s++) {
		EXPECT(lifecycle_allowed((enum action_state)s, ACTION_ACTING) == (s == ACTION_CLAIMED));
		EXPECT(lifecycle_allowed((enum action_state)s, ACTION_CLAIMED) == (s == ACTION_WAITING));
	}
	EXPECT(!lifecycle_starts(ACTION_ACTING) && lifecycle_starts(ACTION_CLAIMED) && lifecycle_starts(ACTION_TOLD));
	EXPECT(lifecycle_starts(ACTION_WAITING) && lifecycle_starts(ACTION_REFUSED) && !lifecycle_starts(ACTION_APPLIED));
	EXPECT(lifecycle_claimed(ACTION_ACTING) && !lifecycle_claimed(ACTION_WAITING));
	EXPECT(lifecycle_undoable(ACTION_VERIFIED) && !lifecycle_undoable(ACTION_ACTING));
}

RUN(only_these_moves_exist, every_state_leads_somewhere, acting_needs_a_claimed_key)
