#include "control/lifecycle.h"

#include <assert.h>

#define TO(s) (1U << ACTION_##s)

static const unsigned starts = TO(TOLD) | TO(REFUSED) | TO(WAITING) | TO(CLAIMED);

static const unsigned moves[ACTION_STATES] = {
	/* the gates were asked again: after an approval, or when what they waited for has come */
	[ACTION_WAITING] = TO(CLAIMED) | TO(REFUSED) | TO(EXPIRED) | TO(TOLD),
	/* refused: the incident ended, or everything was paused for too long, before anything was done */
	[ACTION_CLAIMED] = TO(ACTING) | TO(REFUSED),
	[ACTION_ACTING] = TO(APPLIED) | TO(FAILED),
	[ACTION_APPLIED] = TO(VERIFYING) | TO(INEFFECTIVE) | TO(UNDOING),
	[ACTION_VERIFYING] = TO(VERIFIED) | TO(INEFFECTIVE) | TO(UNDOING),
	[ACTION_VERIFIED] = TO(UNDOING),
	[ACTION_INEFFECTIVE] = TO(UNDOING),
	/* an undo that is refused leaves the row where it came from */
	[ACTION_UNDOING] = TO(UNDONE) | TO(INEFFECTIVE) | TO(VERIFIED),
};

bool lifecycle_starts(enum action_state s) {
	return starts >> s & 1;
}

bool lifecycle_allowed(enum action_state from, enum action_state to) {
	return from < ACTION_STATES && to < ACTION_STATES && (moves[from] >> to & 1);
}

void lifecycle_move(enum action_state *s, enum action_state to) {
	assert(lifecycle_allowed(*s, to));
	*s = to;
}

bool lifecycle_claimed(enum action_state s) {
	switch (s) {
	case ACTION_TOLD:
	case ACTION_REFUSED:
	case ACTION_WAITING:
	case ACTION_EXPIRED: return false;
	default: return true;
	}
}

bool lifecycle_undoable(enum action_state s) {
	return s == ACTION_APPLIED || s == ACTION_VERIFYING || s == ACTION_VERIFIED || s == ACTION_INEFFECTIVE;
}
