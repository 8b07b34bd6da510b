#include "model/action.h"

#include <assert.h>

static bool find(const char *const *names, size_t count, struct str s, size_t *out) {
	for (size_t i = 0; i < count; i++) {
		if (!str_is(s, names[i])) continue;
		*out = i;
		return true;
	}
	return false;
}

static const char *const kinds[ACTION_KINDS] = {
	[ACTION_ROLLOUT_RESTART] = "rollout_restart",
	[ACTION_DELETE_POD] = "delete_pod",
	[ACTION_ROLLOUT_UNDO] = "rollout_undo",
	[ACTION_SCALE] = "scale",
};

const char *action_kind_name(enum action_kind k) {
	assert((unsigned)k < ACTION_KINDS);
	return kinds[k];
}

bool action_kind_parse(struct str s, enum action_kind *out) {
	size_t i = 0;
	if (!find(kinds, ACTION_KINDS, s, &i)) return false;
	*out = (enum action_kind)i;
	return true;
}

static const char *const states[ACTION_STATES] = {
	[ACTION_TOLD] = "told",           [ACTION_REFUSED] = "refused",   [ACTION_WAITING] = "waiting",
	[ACTION_CLAIMED] = "claimed",     [ACTION_ACTING] = "acting",     [ACTION_APPLIED] = "applied",
	[ACTION_VERIFYING] = "verifying", [ACTION_VERIFIED] = "verified", [ACTION_INEFFECTIVE] = "ineffective",
	[ACTION_UNDOING] = "undoing",     [ACTION_UNDONE] = "undone",     [ACTION_FAILED] = "failed",
	[ACTION_EXPIRED] = "expired",
};

const char *action_state_name(enum action_state s) {
	assert((unsigned)s < ACTION_STATES);
	return states[s];
}

bool action_state_parse(struct str s, enum action_state *out) {
	size_t i = 0;
	if (!find(states, ACTION_STATES, s, &i)) return false;
	*out = (enum action_state)i;
	return true;
}

bool action_state_terminal(enum action_state s) {
	switch (s) {
	case ACTION_TOLD:
	case ACTION_REFUSED:
	case ACTION_VERIFIED:
	case ACTION_INEFFECTIVE:
	case ACTION_UNDONE:
	case ACTION_FAILED:
	case ACTION_EXPIRED: return true;
	case ACTION_WAITING:
	case ACTION_CLAIMED:
	case ACTION_ACTING:
	case ACTION_APPLIED:
	case ACTION_VERIFYING:
	case ACTION_UNDOING: return false;
	case ACTION_STATES: break;
	}
	assert(!"a state");
	return false;
}

static const char *const verdicts[] = {
	[GATE_PASS] = "pass",
	[GATE_DENY] = "deny",
	[GATE_WAIT] = "wait",
	[GATE_NOT_CONFIGURED] = "not_configured",
};
#define VERDICTS (sizeof verdicts / sizeof *verdicts)

const char *gate_verdict_name(enum gate_verdict v) {
	assert((unsigned)v < VERDICTS);
	return verdicts[v];
}

bool gate_verdict_parse(struct str s, enum gate_verdict *out) {
	size_t i = 0;
	if (!find(verdicts, VERDICTS, s, &i)) return false;
	*out = (enum gate_verdict)i;
	return true;
}

/* ---- the idempotency key ---- */

#define KEY_PREFIX "FBAK1"

static void put_le(struct buf *b, uint64_t v, size_t bytes) {
	for (size_t i = 0; i < bytes; i++, v >>= 8) buf_byte(b, (unsigned char)v);
}

static void put_part(struct buf *b, struct str s) {
	assert(s.n <= UINT32_MAX);
	put_le(b, s.n, 4);
	buf_str(b, s);
}

struct action_key action_key(const struct action_key_parts *p) {
	struct action_key key;
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, KEY_PREFIX);
	put_part(&b, p->handler);
	put_part(&b, p->step);
	put_part(&b, str_of(action_kind_name(p->kind)));
	put_part(&b, p->target_uid);
	put_part(&b, p->incident);
	put_le(&b, (uint64_t)p->attempt, 8);
	assert(!b.err); /* a few hundred bytes: without them nothing else works either */
	struct sha256 h = sha256(buf_get(&b));
	hex_encode(h.b, sizeof h.b, key.hex);
	buf_done(&b);
	return key;
}
