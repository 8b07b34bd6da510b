/* From an incident with a cause to a decision on record: decide, plan, look the key up, ask the gates. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/control_impl.h"
#include "control/rows_json.h"

/* ---- escalation ---- */

static struct str escalation_body(struct change *ch, const struct incident_row *in) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct json_out o = json_out(&buf);
	json_begin_object(&o);
	json_kv_c(&o, "kind", escalation_name(in->escalation));
	json_kv_str(&o, "why", in->escalation_why);
	raw_or(&o, "cause", in->has_report ? in->cause.json : (struct str){ 0 }, "null");
	json_end_object(&o);
	return buf.err ? (struct str){ 0 } : row_text(&ch->arena, buf_get(&buf));
}

void incident_escalate(struct control *c, struct incident_row *in, enum escalation e, struct str why) {
	bool again = in->state == INCIDENT_ESCALATED && in->escalation == e && str_eq(in->escalation_why, why);
	if (again) return;
	in->state = INCIDENT_ESCALATED;
	in->escalated_once = true;
	in->escalation = e;
	in->escalation_why = row_text(&in->arena, why);
	in->escalated = c->wall;
	if (in->escalations < ESCALATIONS_SAID_MAX) in->escalations++;
	c->n.escalations++;
	struct change *ch = change_new(c, in, NULL);
	if (!ch) {
		control_forget(c, RETRY_NS_MIN, "out of memory");
		return;
	}
	change_note(c, ch, "escalated", STR(FLYBALL), escalation_body(ch, in));
	log_event(c->log, LOG_WARN, "control.escalated", "incident=%s kind=%s why=" STR_FMT, in->id, escalation_name(e),
	          STR_ARG(why));
}

/* ---- deciding ---- */

static enum err row_fill(struct control *c, struct incident_row *in, const struct handler *h, struct action_row *act) {
	struct arena *a = &act->arena;
	memcpy(act->incident, in->id, sizeof act->incident);
	act->fresh = true;
	act->handler = row_text(a, h->name);
	act->kind = h->action;
	act->mode = h->mode;
	act->replicas_by = h->replicas_by;
	act->subject = row_text(a, in->cause.entity);
	act->cause = row_text(a, in->cause.json);
	act->confidence = in->cause.confidence;
	act->severity = in->severity_now;
	act->times[TIME_PLANNED] = c->wall;
	if (!act->handler.n || !act->cause.n) return ERR_NOMEM;
	return target_copy(a, &in->cause.target, &act->telemetry);
}

static void propose(struct control *c, struct incident_row *in, const struct handler *h) {
	ulid id;
	struct action_row *act;
	if (in->action_count == INCIDENT_ACTIONS_MAX) {
		incident_escalate(c, in, ESCALATE_EXHAUSTED, STR("too many actions were proposed for this incident"));
		return;
	}
	ulid_make(c->wall, &c->rng, id);
	enum err e = rows_action_new(&c->rows, str_of(id), &act);
	if (!e) e = row_fill(c, in, h, act);
	if (e) { /* too many actions are live: later */
		if (rows_action(&c->rows, str_of(id))) rows_action_drop(&c->rows, act);
		in->look = true;
		in->plan_again.ns = c->now.ns + RETRY_NS_MAX;
		log_event(c->log, LOG_WARN, "control.proposal_waits", "incident=%s err=%s", in->id, err_name(e));
		return;
	}
	in->live = act;
	propose_ask(c, act);
}

/* The first reports come from a few seconds of telemetry: the next may well be surer, and nobody is woken before that.
 */
static bool may_clear_up(const struct control *c, const struct incident_row *in, enum escalation e) {
	return (e == ESCALATE_NO_CAUSE || e == ESCALATE_UNSURE) && c->now.ns < in->patience_until.ns;
}

static void decide_on(struct control *c, struct incident_row *in) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	struct decide_facts f = { .policy = c->policy,
		                      .cause = &in->cause,
		                      .incident = str_of(in->id),
		                      .severity = in->severity_now,
		                      .history = &c->history,
		                      .passed_over = in->passed_over,
		                      .passed_over_count = in->passed_over_count };
	struct decision d;
	if (decide(&scratch, &f, &d)) {
		in->look = true;
		in->plan_again.ns = c->now.ns + RETRY_NS_MIN;
		return;
	}
	if (d.kind == DECIDE_ESCALATE && may_clear_up(c, in, d.escalation)) {
		in->look = true;
		in->plan_again = in->patience_until;
		return;
	}
	if (!in->decided.ns) in->decided = c->wall;
	if (d.kind == DECIDE_ESCALATE) incident_escalate(c, in, d.escalation, d.reason);
	if (d.kind == DECIDE_PROPOSE) propose(c, in, d.handler);
}

/* ---- the incident's own step ---- */

static bool applied_ever(const struct control *c, const struct incident_row *in) {
	for (size_t i = 0; i < c->history.count; i++) {
		const struct past *p = &c->history.ring[i];
		if (strcmp(p->incident, in->id) == 0 && (p->state == ACTION_INEFFECTIVE || p->state == ACTION_UNDONE))
			return true;
	}
	return false;
}

/* What observe said of the end, once no action of the incident is on its way. */
static void close_incident(struct control *c, struct incident_row *in) {
	in->closed = true;
	if (in->how == HOW_NO_DATA) {
		incident_escalate(
			c, in, ESCALATE_SILENT,
			STR("its signals went silent: nobody can tell whether it is over; look at the service itself"));
		return;
	}
	if (in->how == HOW_ADOPTED && applied_ever(c, in)) {
		incident_escalate(c, in, ESCALATE_EXHAUSTED,
		                  STR("what was done did not bring the signals back: the new level was adopted as normal"));
		return;
	}
	in->state = INCIDENT_RESOLVED;
	struct change *ch = change_new(c, in, NULL);
	if (!ch) {
		control_forget(c, RETRY_NS_MIN, "out of memory");
		return;
	}
	change_note(c, ch, "incident_closed", STR(FLYBALL),
	            str_printf(&ch->arena, "{\"how\":\"%s\",\"actions\":%lld}", resolved_how_name(in->how),
	                       (long long)in->action_count));
	log_event(c->log, LOG_INFO, "control.incident_closed", "incident=%s how=%s", in->id, resolved_how_name(in->how));
}

static bool silenced(const struct control *c, const struct incident_row *in) {
	return in->wrong.at.ns || (in->muted.at.ns && (!in->muted.until.ns || c->wall.ns < in->muted.until.ns));
}

bool incident_step(struct control *c, struct incident_row *in) {
	if (in->changes || in->live || in->closed) return false;
	if (in->how != HOW_OPEN) {
		if (in->closed) return false;
		close_incident(c, in);
		return true;
	}
	if (!in->look || in->state != INCIDENT_OPEN || silenced(c, in) || c->now.ns < in->plan_again.ns) return false;
	if (!in->has_report) {
		if (c->now.ns < in->patience_until.ns) return false;
		in->look = false;
		incident_escalate(c, in, ESCALATE_NO_CAUSE, STR("no report of its cause has come"));
		return true;
	}
	in->look = false;
	decide_on(c, in);
	return true;
}

/* ---- planning ---- */

static void give_up(struct control *c, struct action_row *act) {
	struct incident_row *in = rows_incident(&c->rows, str_of(act->incident));
	rows_action_drop(&c->rows, act);
	if (in) in->look = true;
}

static void plan_of(struct control *c, struct action_row *act, enum action_kind kind, int64_t replicas) {
	enum err e =
		c->executor->ops->plan(c->executor, kind, &act->telemetry, replicas, tag_make(c, TAG_PLAN, act->serial));
	if (e) {
		act->asked_now = true;
		act->again.ns = c->now.ns + retry_ns(act->tries++);
		return;
	}
	act->call = CALL_PLAN;
}

/* Asks the executor what it would do now; for a row that waits, once more. */
void propose_ask(struct control *c, struct action_row *act) {
	act->asked_now = false;
	act->replicas_now = 0;
	if (!c->executor) {
		propose_planned(c, act, NULL);
		return;
	}
	/* A wish for replicas is absolute: the plan of a restart, which only reads, tells how many there are. */
	plan_of(c, act, act->kind == ACTION_SCALE ? ACTION_ROLLOUT_RESTART : act->kind, 0);
}

/* True: the plan that came was only the look before the wish. */
static bool wish(struct control *c, struct action_row *act, const struct exec_done *done) {
	if (act->kind != ACTION_SCALE || !done || done->err || act->replicas_now) return false;
	act->replicas_now = done->plan->replicas > 0 ? done->plan->replicas : 1;
	int64_t replicas = act->replicas_now + act->replicas_by;
	plan_of(c, act, ACTION_SCALE, replicas > 0 ? replicas : 1);
	return true;
}

static struct history_query counted(const struct control *c, const struct action_row *act) {
	return (struct history_query){ c->now, act->mode == MODE_OBSERVE || !c->executor, act->id };
}

static void name_key(struct control *c, struct action_row *act) {
	struct history_query q = counted(c, act);
	struct str incident = str_of(act->incident);
	act->attempt = 1 + history_attempt(&c->history, q, incident, act->kind, action_target_id(act));
	act->handler_attempts =
		history_handler_attempts(&c->history, q, incident, hash64(act->handler), hash64(act->telemetry.service));
	struct action_key_parts parts = { .handler = act->handler,
		                              .step = act->step,
		                              .kind = act->kind,
		                              .target_uid = act->plan.uid,
		                              .incident = incident,
		                              .attempt = act->attempt };
	act->key = action_key(&parts);
}

static void look_key_up(struct control *c, struct action_row *act) {
	char key[5 + sizeof act->key.hex];
	snprintf(key, sizeof key, "key/%s", act->key.hex);
	struct state_query q = { .prefix = str_of(key), .exact = true, .limit = 1 };
	if (state_query(c->state, &q, tag_make(c, TAG_KEY, act->serial))) {
		act->asked_now = true;
		act->again.ns = c->now.ns + retry_ns(act->tries++);
		return;
	}
	act->call = CALL_KEY;
}

/* The executor cannot say what it would do. A passing trouble is asked again, until the time that an
 * action would have had is over; for the rest this handler is passed over, with the reason. */
static void not_planned(struct control *c, struct action_row *act, const struct exec_done *done) {
	struct incident_row *in = rows_incident(&c->rows, str_of(act->incident));
	bool passing = done->err == ERR_UNREACHABLE || done->err == ERR_TIMEOUT || done->err == ERR_AGAIN;
	bool late = c->wall.ns - act->times[TIME_PLANNED].ns > c->policy->verify_timeout_ns;
	struct str why = str_of(done->why && *done->why ? done->why : err_text(done->err));
	if (passing && !(act->fresh && late)) {
		act->asked_now = true;
		act->again.ns = c->now.ns + retry_ns(act->tries++);
		return;
	}
	if (!act->fresh) { /* it was planned before, and waited */
		action_move(c, act, ACTION_REFUSED,
		            str_printf(&act->arena, "it cannot be planned any more: " STR_FMT, STR_ARG(why)));
		return;
	}
	assert(in);
	if (in->passed_over_count < PASSED_OVER_MAX)
		in->passed_over[in->passed_over_count++] =
			(struct passed_over){ hash64(act->handler), done->err == ERR_NOT_FOUND, row_text(&in->arena, why) };
	struct change *ch = change_new(c, in, NULL);
	if (ch)
		change_note(c, ch, "passed_over", STR(FLYBALL),
		            str_printf(&ch->arena, "{\"handler\":\"%016llx\",\"err\":\"%s\"}",
		                       (unsigned long long)hash64(act->handler), err_name(done->err)));
	give_up(c, act);
}

void propose_planned(struct control *c, struct action_row *act, const struct exec_done *done) {
	if (done && done->err) {
		not_planned(c, act, done);
		return;
	}
	if (wish(c, act, done)) return;
	act->tries = 0;
	arena_reset(&act->plan_arena);
	act->plan = (struct plan){ 0 };
	act->planned = false;
	if (done) {
		if (plan_copy(&act->plan_arena, done->plan, &act->plan)) {
			struct exec_done large = { .err = ERR_TOO_LARGE, .why = "its plan is too large to be kept" };
			not_planned(c, act, &large);
			return;
		}
		act->planned = true;
	}
	name_key(c, act);
	look_key_up(c, act);
}

/* ---- the gates ---- */

static struct str stale_names(const struct control *c, struct str entity, struct arena *a) {
	uint32_t bits = (uint32_t)(uintptr_t)map_get(&c->stale, entity);
	struct str names = { 0 };
	for (int k = 0; k < SIGNAL_KINDS; k++)
		if (bits >> k & 1)
			names = str_printf(a, STR_FMT "%s%s", STR_ARG(names), names.n ? ", " : "",
			                   signal_kind_name((enum signal_kind)k));
	return names;
}

static struct gate_facts facts(struct control *c, struct action_row *act, const struct incident_row *in,
                               const struct handler *h, struct pause *pauses, struct arena *a, struct why *why) {
	struct gate_facts f = { .wall = c->wall,
		                    .now = c->now,
		                    .policy = c->policy,
		                    .handler = h,
		                    .cause = in->cause.kind,
		                    .target = &act->telemetry,
		                    .plan = act->planned ? &act->plan : NULL,
		                    .quality = &in->cause.quality,
		                    .stale = stale_names(c, act->subject, a),
		                    .executor_ready = !c->executor || c->executor->ops->ready(c->executor, why),
		                    .executor_why = why->text,
		                    .pauses = pauses,
		                    .pause_count = c->pause_count,
		                    .key = act->key.hex,
		                    .history = &c->history,
		                    .where = { action_target_id(act), action_place_id(act) },
		                    .incident = str_of(act->incident),
		                    .action = str_of(act->id),
		                    .attempt = act->attempt,
		                    .handler_attempts = act->handler_attempts,
		                    .approved_by = act->approved_by };
	for (size_t i = 0; i < c->pause_count; i++) pauses[i] = c->pauses[i].pause;
	return f;
}

static void gates_count(struct control *c, const struct gates_result *r) {
	c->n.decisions[r->decision]++;
	for (int i = 0; i < GATES; i++) {
		c->n.gate_denied[i] += r->gates[i].verdict == GATE_DENY;
		c->n.gate_waited[i] += r->gates[i].verdict == GATE_WAIT;
	}
}

static struct str verdict_words(struct action_row *act, const struct gates_result *r) {
	if (r->decision == GATES_REFUSE || r->decision == GATES_WAIT)
		return str_printf(&act->arena, "%s: " STR_FMT, gate_name(r->by), STR_ARG(r->gates[r->by].reason));
	return row_text(&act->arena, r->gates[GATE_MODE].reason);
}

static enum action_state state_for(enum gates_decision d) {
	static const enum action_state states[GATES_DECISIONS] = { [GATES_DO] = ACTION_CLAIMED,
		                                                       [GATES_ASK] = ACTION_WAITING,
		                                                       [GATES_TELL] = ACTION_TOLD,
		                                                       [GATES_REFUSE] = ACTION_REFUSED,
		                                                       [GATES_WAIT] = ACTION_WAITING };
	return states[d];
}

static struct str decision_body(struct change *ch, const struct action_row *act) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct json_out o = json_out(&buf);
	json_begin_object(&o);
	action_planned_members(act, &o);
	json_end_object(&o);
	return buf.err ? (struct str){ 0 } : row_text(&ch->arena, buf_get(&buf));
}

/* The row enters its first state, or leaves WAITING, or goes on waiting for something else. */
static void record_decision(struct control *c, struct action_row *act, struct incident_row *in,
                            enum action_state before, struct str why) {
	bool first = act->fresh;
	enum action_state to = state_for(act->decision);
	if (first) {
		assert(lifecycle_starts(to));
		act->state = to;
		memcpy(in->actions[in->action_count++], act->id, sizeof act->id);
	} else if (to != before) {
		lifecycle_move(&act->state, to);
	}
	act->why = why;
	if (to == ACTION_CLAIMED) act->times[TIME_CLAIMED] = c->wall;
	if (action_state_terminal(to)) act->times[TIME_ENDED] = c->wall;
	if (act->decision == GATES_ASK) {
		act->times[TIME_ASKED] = c->wall;
		act->times[TIME_EXPIRES].ns = c->wall.ns + c->policy->approval_ttl_ns;
	}
	action_line(c, act, first, before, EMIT_PLANNED | EMIT_LOG | (act->decision == GATES_ASK ? EMIT_APPROVAL : 0));
	action_entered(c, act);
	action_remember(c, act);
	struct change *ch = change_new(c, in, act);
	if (!ch) {
		control_forget(c, RETRY_NS_MIN, "out of memory");
		return;
	}
	ch->claim = to == ACTION_CLAIMED;
	change_note(c, ch, "decision", STR(FLYBALL), decision_body(ch, act));
	log_event(c->log, LOG_INFO, "control.decided",
	          "action=%s incident=%s handler=" STR_FMT " kind=%s decision=%s why=" STR_FMT, act->id, act->incident,
	          STR_ARG(act->handler), action_kind_name(act->kind), gates_decision_name(act->decision), STR_ARG(why));
}

static enum err gates_keep(struct action_row *act, const struct gates_result *r) {
	arena_reset(&act->gates_arena);
	for (int i = 0; i < GATES; i++) {
		act->gates[i] = r->gates[i];
		act->gates[i].reason = row_text(&act->gates_arena, r->gates[i].reason);
		act->gates[i].inputs = row_text(&act->gates_arena, r->gates[i].inputs);
		if (!act->gates[i].reason.n || !act->gates[i].inputs.n) return ERR_NOMEM;
	}
	act->gated = true;
	return OK;
}

static void judge(struct control *c, struct action_row *act, struct incident_row *in, const struct handler *h,
                  struct str holder) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	struct why why = { 0 };
	struct pause pauses[PAUSES_MAX];
	struct gates_result r;
	struct gate_facts f = facts(c, act, in, h, pauses, &scratch, &why);
	f.key_holder = holder;
	enum err e = gates_evaluate(&scratch, &f, &r);
	enum gates_decision before = act->decision;
	if (!e) e = gates_keep(act, &r);
	if (e) {
		control_forget(c, RETRY_NS_MIN, "out of memory");
		return;
	}
	gates_count(c, &r);
	act->mode = h->mode;
	act->decision = r.decision;
	act->again.ns = r.decision == GATES_WAIT ? c->now.ns + r.look_in_ns : 0;
	/* still the same: recorded once, not at every look */
	if (!act->fresh && r.decision == before && (r.decision == GATES_WAIT || r.decision == GATES_ASK)) return;
	if (act->log_count >= ACTION_LOG_MAX - 12 && r.decision == GATES_WAIT && !act->fresh) return;
	record_decision(c, act, in, act->state, verdict_words(act, &r));
}

void propose_key(struct control *c, struct action_row *act, const struct state_done *done) {
	struct incident_row *in = rows_incident(&c->rows, str_of(act->incident));
	const struct handler *h = control_handler(c, act->handler);
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	struct str holder = { 0 };
	const struct json *v;
	struct why why;
	if (done->err) {
		act->asked_now = true;
		act->again.ns = c->now.ns + retry_ns(act->tries++);
		return;
	}
	if (!in || in->how != HOW_OPEN || in->wrong.at.ns || !h) {
		/* the world changed meanwhile: whoever waits is moved by its own step */
		if (act->fresh)
			give_up(c, act);
		else if (!h)
			action_move(c, act, ACTION_REFUSED, STR("its handler is no longer configured"));
		return;
	}
	if (done->count) {
		holder = STR("another");
		if (!json_parse(&scratch, done->items[0].value, &v, &why) && json_str(json_get(v, "action")).n)
			holder = json_str(json_get(v, "action"));
	}
	judge(c, act, in, h, holder);
}
