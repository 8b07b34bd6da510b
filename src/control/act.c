/* The action's own life, from the claimed key to its verified end; one move a step. */
#include <assert.h>
#include <string.h>

#include "control/control_impl.h"
#include "control/rows_json.h"

#define SETTLE_FACTOR 4 /* a rollout may take as many verify time-outs before it counts as failed */

/* ---- bookkeeping of a move ---- */

void action_line(struct control *c, struct action_row *act, bool first, enum action_state previous, int emit) {
	assert(act->log_count < ACTION_LOG_MAX);
	act->log[act->log_count++] = (struct log_line){
		.state = act->state, .previous = previous, .first = first, .at = c->wall, .why = act->why, .emit = emit
	};
	c->n.moves[act->state]++;
}

void action_entered(struct control *c, struct action_row *act) {
	int64_t verify = c->policy->verify_timeout_ns;
	act->tries = 0;
	if (act->state != ACTION_WAITING) act->again.ns = 0;
	switch (act->state) {
	case ACTION_WAITING:
		act->deadline =
			act->times[TIME_EXPIRES].ns
				? control_deadline(c, act->times[TIME_ASKED], act->times[TIME_EXPIRES].ns - act->times[TIME_ASKED].ns)
				: (struct mono){ INT64_MAX };
		break;
	case ACTION_CLAIMED: act->deadline = control_deadline(c, act->times[TIME_CLAIMED], verify); break;
	case ACTION_ACTING: act->deadline = control_deadline(c, act->times[TIME_ACTING], verify); break;
	case ACTION_APPLIED: act->deadline = control_deadline(c, act->times[TIME_APPLIED], SETTLE_FACTOR * verify); break;
	case ACTION_VERIFYING: act->deadline = control_deadline(c, act->times[TIME_SETTLED], verify); break;
	case ACTION_UNDOING: act->deadline = control_deadline(c, act->times[TIME_UNDOING], SETTLE_FACTOR * verify); break;
	default: act->deadline.ns = INT64_MAX; break;
	}
}

static int32_t pods_of(const struct action_row *act) {
	int64_t n = act->planned ? act->plan.pods_disturbed : 0;
	return n < INT32_MAX / 4 ? (int32_t)n : INT32_MAX / 4;
}

/* When it acted, at the latest: a response may come long after its effect, and the other way round. */
static struct mono acted_at(const struct control *c, const struct action_row *act) {
	static const enum action_time order[] = { TIME_UNDOING, TIME_APPLIED, TIME_ACTING, TIME_CLAIMED, TIME_PLANNED };
	bool failed = act->state == ACTION_FAILED;
	struct wall at = failed ? act->times[TIME_ENDED] : (struct wall){ 0 };
	for (size_t i = 0; i < sizeof order / sizeof *order && !at.ns; i++) at = act->times[order[i]];
	int64_t ago = c->wall.ns - at.ns;
	return (struct mono){ c->now.ns - (ago > 0 ? ago : 0) };
}

void action_remember(struct control *c, const struct action_row *act) {
	struct past *p = history_entry(&c->history, str_of(act->id));
	enum action_state before = p->state;
	bool known = p->incident[0];
	memcpy(p->incident, act->incident, sizeof p->incident);
	p->handler = hash64(act->handler);
	p->service = hash64(act->telemetry.service);
	p->target = action_target_id(act);
	p->place = action_place_id(act);
	p->kind = act->kind;
	p->state = act->state;
	p->end = act->end;
	p->attempt = act->attempt;
	p->told = act->state == ACTION_TOLD;
	p->claimed = p->told || act->times[TIME_CLAIMED].ns;
	p->pods = pods_of(act);
	p->lost = act->planned ? (int32_t)gates_lost(act->kind, &act->plan, act->replicas_by) : 0;
	if (act->state == ACTION_UNDONE) p->pods *= 2; /* the way back moves pods too */
	if (!known || act->resumed) {
		p->acted = acted_at(c, act);
		return;
	}
	/* In this process the monotonic clock itself, at each step that may have touched the target. */
	switch (act->state) {
	case ACTION_TOLD:
	case ACTION_CLAIMED:
	case ACTION_ACTING:
	case ACTION_APPLIED:
	case ACTION_FAILED:
	case ACTION_UNDOING:
	case ACTION_UNDONE:
		if (before != act->state) p->acted = c->now;
		break;
	default: break;
	}
}

static const enum action_time time_of_state[ACTION_STATES] = {
	[ACTION_CLAIMED] = TIME_CLAIMED,   [ACTION_ACTING] = TIME_ACTING,     [ACTION_APPLIED] = TIME_APPLIED,
	[ACTION_VERIFYING] = TIME_SETTLED, [ACTION_VERIFIED] = TIME_VERIFIED, [ACTION_UNDOING] = TIME_UNDOING,
};

static struct str move_body(struct change *ch, const struct action_row *act, enum action_state previous) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct json_out o = json_out(&buf);
	json_begin_object(&o);
	json_kv_c(&o, "state", action_state_name(act->state));
	json_kv_c(&o, "previous", action_state_name(previous));
	text_or_null(&o, "why", act->why);
	ulid_or_null(&o, "key", act->key.hex);
	json_kv_bool(&o, "repeated", act->repeated);
	json_end_object(&o);
	return buf.err ? (struct str){ 0 } : row_text(&ch->arena, buf_get(&buf));
}

struct change *action_move(struct control *c, struct action_row *act, enum action_state to, struct str why) {
	enum action_state previous = act->state;
	lifecycle_move(&act->state, to);
	act->why = row_text(&act->arena, why);
	if (time_of_state[to]) act->times[time_of_state[to]] = c->wall;
	if (action_state_terminal(to)) act->times[TIME_ENDED] = c->wall;
	act->call = CALL_NONE;
	action_line(c, act, false, previous, EMIT_LOG);
	action_remember(c, act);
	act->resumed = false;
	action_entered(c, act);
	struct change *ch = change_new(c, rows_incident(&c->rows, str_of(act->incident)), act);
	if (!ch) {
		control_forget(c, RETRY_NS_MIN, "out of memory");
		return NULL;
	}
	change_note(c, ch, "move", STR(FLYBALL), move_body(ch, act, previous));
	log_event(c->log, LOG_INFO, "control.moved", "action=%s incident=%s state=%s previous=%s why=" STR_FMT, act->id,
	          act->incident, action_state_name(to), action_state_name(previous), STR_ARG(act->why));
	return ch;
}

/* ---- verification ---- */

static struct str verification(struct action_row *act, bool ok, struct wall since, struct str signals) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct json_out o = json_out(&buf);
	json_begin_object(&o);
	json_kv_bool(&o, "ok", ok);
	wall_or_null(&o, "since", since);
	raw_or(&o, "signals", signals, "[]");
	json_end_object(&o);
	return buf.err ? (struct str){ 0 } : row_text(&act->arena, buf_get(&buf));
}

/* It did not help. What made it worse is taken back where there is a way back. */
static void in_vain(struct control *c, struct action_row *act, const struct incident_row *in, struct str why) {
	if (in && in->severity_now >= act->severity + WORSE_BY) act->worse = true;
	act->verification = verification(act, false, (struct wall){ 0 }, in ? in->end_signals : (struct str){ 0 });
	if (act->worse && action_way_back(act)) {
		act->undo_from = ACTION_INEFFECTIVE;
		action_move(c, act, ACTION_UNDOING,
		            str_printf(&act->arena, STR_FMT "; it got worse: taken back", STR_ARG(why)));
		return;
	}
	action_move(c, act, ACTION_INEFFECTIVE, why);
}

static void verified(struct control *c, struct action_row *act, const struct incident_row *in) {
	bool before =
		in->in_band_since.ns && act->times[TIME_ACTING].ns && in->in_band_since.ns < act->times[TIME_ACTING].ns;
	act->verification = verification(act, true, in->in_band_since, in->end_signals);
	action_move(c, act, ACTION_VERIFIED,
	            before ? STR("the signals are back, with values; they were on their way before the action took effect")
	                   : STR("the signals that opened the incident are back within their band, with values"));
}

static bool step_verifying(struct control *c, struct action_row *act, const struct incident_row *in) {
	if (in && in->how == HOW_IN_BAND) {
		verified(c, act, in);
	} else if (in && in->how == HOW_NO_DATA) {
		in_vain(c, act, in, STR("the signals went silent: no data is no proof"));
	} else if (in && in->how == HOW_ADOPTED) {
		in_vain(c, act, in, STR("the signals stayed where they were, and that was adopted as normal"));
	} else if (c->now.ns >= act->deadline.ns) {
		char t[32];
		duration_format(c->policy->verify_timeout_ns, t);
		in_vain(c, act, in, str_printf(&act->arena, "the signals did not come back within %s", t));
	} else {
		return false;
	}
	return true;
}

/* ---- waiting ---- */

static bool step_waiting(struct control *c, struct action_row *act, const struct incident_row *in) {
	if (!in || in->how != HOW_OPEN || in->wrong.at.ns) {
		act->end = END_OVER;
		action_move(c, act, ACTION_EXPIRED,
		            in && in->wrong.at.ns ? STR("the incident was marked as wrong")
		                                  : STR("the incident ended before anything was done"));
		return true;
	}
	bool asks = act->decision == GATES_ASK && !act->approved_by.n;
	if (asks && c->now.ns >= act->deadline.ns) {
		if (!c->policy->approval_default_approve) {
			action_move(c, act, ACTION_EXPIRED, STR("nobody approved it in time"));
			return true;
		}
		act->approved_by = STR("default");
		act->asked_now = true;
	}
	if (c->now.ns < act->again.ns) return false;
	bool approved = act->decision == GATES_ASK && act->approved_by.n;
	if (!act->asked_now && !approved && act->decision != GATES_WAIT) return false;
	propose_ask(c, act);
	return true;
}

/* ---- acting ---- */

static bool step_claimed(struct control *c, struct action_row *act, const struct incident_row *in) {
	if (!in || in->how != HOW_OPEN || in->wrong.at.ns) {
		act->end = END_OVER;
		action_move(c, act, ACTION_REFUSED, STR("the incident ended before anything was done"));
	} else if (c->now.ns >= act->deadline.ns) {
		act->end = END_OVER;
		action_move(c, act, ACTION_REFUSED, STR("too much time passed since the decision: nothing was done"));
	} else if (control_paused(c, act)) {
		act->again.ns = c->now.ns + NS_PER_SEC;
		return false;
	} else {
		action_move(c, act, ACTION_ACTING, STR("the intent, its key and the way back are on record"));
	}
	return true;
}

static bool step_acting(struct control *c, struct action_row *act, const struct incident_row *in) {
	bool unknown = act->resumed || act->tries > 0 || act->call == CALL_APPLY;
	bool over = !in || in->how != HOW_OPEN || in->wrong.at.ns;
	if (over || c->now.ns >= act->deadline.ns) {
		act->end = over ? END_OVER : END_NONE;
		action_move(
			c, act, ACTION_FAILED,
			str_printf(&act->arena, "%s; %s",
		               over ? "the incident ended before the call was confirmed" : "the call was never confirmed",
		               unknown ? "whether it took effect is not known" : "nothing was called"));
		return true;
	}
	if (control_paused(c, act)) {
		act->again.ns = c->now.ns + NS_PER_SEC;
		return false;
	}
	enum err e = !c->executor ? ERR_UNREACHABLE
	                          : c->executor->ops->apply(c->executor, act->kind, &act->plan, &act->key,
	                                                    tag_make(c, TAG_APPLY, act->serial));
	if (e) {
		act->again.ns = c->now.ns + retry_ns(act->tries++);
		return false;
	}
	c->n.applies++;
	act->call = CALL_APPLY;
	return true;
}

static bool step_applied(struct control *c, struct action_row *act, const struct incident_row *in) {
	if (c->now.ns >= act->deadline.ns) {
		in_vain(c, act, in, STR("the rollout did not come to an end"));
		return true;
	}
	enum err e = !c->executor ? ERR_UNREACHABLE
	                          : c->executor->ops->settle(c->executor, act->kind, &act->plan, &act->key,
	                                                     tag_make(c, TAG_SETTLE, act->serial));
	if (e) {
		act->again.ns = c->now.ns + retry_ns(act->tries++);
		return false;
	}
	act->call = CALL_SETTLE;
	return true;
}

static bool step_undoing(struct control *c, struct action_row *act) {
	if (c->now.ns >= act->deadline.ns) {
		action_move(c, act, act->undo_from, STR("the undo was never confirmed; whether it took effect is not known"));
		return true;
	}
	if (!act->asked_undo_by.n && control_paused(c, act)) {
		act->again.ns = c->now.ns + NS_PER_SEC;
		return false;
	}
	enum err e = !c->executor ? ERR_UNREACHABLE
	                          : c->executor->ops->undo(c->executor, act->kind, &act->plan, &act->key,
	                                                   tag_make(c, TAG_UNDO, act->serial));
	if (e) {
		act->again.ns = c->now.ns + retry_ns(act->tries++);
		return false;
	}
	act->call = CALL_UNDO;
	return true;
}

/* A call that is out is waited for, but not beyond what its state allows: a lost answer is asked
 * for again with the same key, which changes nothing. */
bool action_step(struct control *c, struct action_row *act) {
	struct incident_row *in = rows_incident(&c->rows, str_of(act->incident));
	if (act->changes || act->call == CALL_PLAN || act->call == CALL_KEY) return false;
	if (act->call != CALL_NONE && c->now.ns < act->deadline.ns) return false;
	if (act->fresh || act->state != ACTION_WAITING) {
		if (c->now.ns < act->again.ns && c->now.ns < act->deadline.ns) return false;
	}
	if (act->fresh) {
		if (!act->asked_now) return false;
		propose_ask(c, act);
		return true;
	}
	switch (act->state) {
	case ACTION_WAITING: return step_waiting(c, act, in);
	case ACTION_CLAIMED: return step_claimed(c, act, in);
	case ACTION_ACTING: return step_acting(c, act, in);
	case ACTION_APPLIED: return step_applied(c, act, in);
	case ACTION_VERIFYING: return step_verifying(c, act, in);
	case ACTION_UNDOING: return step_undoing(c, act);
	default: return false;
	}
}

/* ---- answers ---- */

static bool passing(enum err e) {
	return e == ERR_UNREACHABLE || e == ERR_TIMEOUT || e == ERR_AGAIN || e == ERR_CLOSED || e == ERR_FULL;
}

static struct str words(const struct exec_done *done) {
	return str_of(done->why && *done->why ? done->why : err_text(done->err));
}

static void again(struct control *c, struct action_row *act) {
	act->again.ns = c->now.ns + retry_ns(act->tries++);
}

static void on_applied(struct control *c, struct action_row *act, const struct exec_done *done) {
	if (done->err && passing(done->err)) {
		again(c, act);
	} else if (done->err) {
		act->end = done->err == ERR_CONFLICT ? END_CONFLICT : END_NONE;
		action_move(c, act, ACTION_FAILED, words(done));
	} else {
		act->repeated = done->repeated;
		c->n.repeated += done->repeated;
		action_move(c, act, ACTION_APPLIED,
		            done->repeated ? STR("the effect had been there already: the key was found on the object")
		                           : STR("the API server confirmed the effect"));
	}
}

static void on_settled(struct control *c, struct action_row *act, const struct exec_done *done) {
	struct incident_row *in = rows_incident(&c->rows, str_of(act->incident));
	if (!done->err) {
		char t[32];
		act->settle_ns = done->settle_ns;
		duration_format(done->settle_ns / NS_PER_SEC * NS_PER_SEC, t);
		action_move(c, act, ACTION_VERIFYING, str_printf(&act->arena, "the workload settled after %s", t));
	} else if (done->err == ERR_TIMEOUT) {
		act->worse = true;
		in_vain(c, act, in, str_printf(&act->arena, "the rollout did not succeed: " STR_FMT, STR_ARG(words(done))));
	} else if (passing(done->err)) {
		again(c, act);
	} else {
		in_vain(c, act, in, words(done));
	}
}

static void on_undone(struct control *c, struct action_row *act, const struct exec_done *done) {
	if (!done->err)
		action_move(c, act, ACTION_UNDONE, STR("what was there before is back"));
	else if (passing(done->err))
		again(c, act);
	else
		action_move(c, act, act->undo_from,
		            str_printf(&act->arena, "the undo was refused: " STR_FMT, STR_ARG(words(done))));
}

void action_done(struct control *c, const struct exec_done *done) {
	static const enum call expected[] = {
		[TAG_PLAN] = CALL_PLAN, [TAG_APPLY] = CALL_APPLY, [TAG_SETTLE] = CALL_SETTLE, [TAG_UNDO] = CALL_UNDO
	};
	enum tag_kind kind = tag_kind(done->tag);
	struct action_row *act = tag_current(c, done->tag) ? rows_serial(&c->rows, tag_serial(done->tag)) : NULL;
	if (!act || kind < TAG_PLAN || kind > TAG_UNDO || act->call != expected[kind]) return;
	act->call = CALL_NONE;
	switch (kind) {
	case TAG_PLAN: propose_planned(c, act, done); break;
	case TAG_APPLY: on_applied(c, act, done); break;
	case TAG_SETTLE: on_settled(c, act, done); break;
	default: on_undone(c, act, done); break;
	}
}
