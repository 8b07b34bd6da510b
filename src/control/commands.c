/* What people told: taken in, checked against the row's state, recorded with their name. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_impl.h"
#include "control/rows_json.h"

#define WORDS_MAX 1024

static const char *const names[] = {
	[COMMAND_APPROVE] = "approve", [COMMAND_REJECT] = "reject", [COMMAND_UNDO] = "undo",   [COMMAND_PAUSE] = "pause",
	[COMMAND_RESUME] = "resume",   [COMMAND_ACK] = "ack",       [COMMAND_WRONG] = "wrong", [COMMAND_MUTE] = "mute"
};

/* ---- the port ---- */

static enum err command_submit(struct commands *self, const struct command *cmd, uint64_t tag) {
	struct control *c = container_of(self, struct control, commands);
	if (c->phase != PHASE_LIVE) return ERR_AGAIN;
	if (c->command_count + c->told_count >= COMMANDS_MAX) return ERR_FULL;
	if (cmd->why.n > WORDS_MAX || cmd->by.n > 128 || cmd->scope.n > 256 || cmd->id.n > 64) return ERR_TOO_LARGE;
	struct work *w = calloc(1, sizeof *w);
	if (!w) return ERR_NOMEM;
	arena_init(&w->arena, 64 * 1024);
	w->serial = ++c->work_serial;
	w->command = true;
	w->tag = tag;
	w->order = *cmd;
	w->order.id = row_text(&w->arena, cmd->id);
	w->order.scope = row_text(&w->arena, cmd->scope);
	w->order.by = row_text(&w->arena, cmd->by);
	w->order.why = row_text(&w->arena, cmd->why);
	list_push(&c->inbox, &w->node);
	c->inbox_count++;
	c->command_count++;
	c->n.commands++;
	return OK;
}

static bool command_poll(struct commands *self, struct command_done *out) {
	struct control *c = container_of(self, struct control, commands);
	if (!c->told_count) return false;
	struct told *t = &c->told[c->told_first];
	*out = t->done;
	out->why = t->why[0] ? t->why : NULL;
	c->told_first = (c->told_first + 1) % COMMANDS_MAX;
	c->told_count--;
	return true;
}

const struct commands_ops control_commands_ops = { command_submit, command_poll };

void command_answer(struct control *c, uint64_t tag, enum err err, const char *why) {
	/* one place for each that was taken in: submit counts both; changes in flight are few */
	if (c->told_count == COMMANDS_MAX) return;
	struct told *t = &c->told[(c->told_first + c->told_count++) % COMMANDS_MAX];
	t->done = (struct command_done){ .tag = tag, .err = err };
	snprintf(t->why, sizeof t->why, "%s", why ? why : "");
}

static void refuse(struct control *c, struct work *w, enum err err, const char *why) {
	command_answer(c, w->tag, err, why);
	work_done(c, w);
}

/* ---- recording ---- */

static struct str body_of(struct change *ch, const struct command *cmd, const char *state) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct json_out o = json_out(&buf);
	json_begin_object(&o);
	json_kv_c(&o, "command", names[cmd->kind]);
	text_or_null(&o, "id", cmd->id);
	text_or_null(&o, "scope", cmd->scope);
	text_or_null(&o, "why", cmd->why);
	if (cmd->for_ns) json_kv_double(&o, "for_s", (double)cmd->for_ns / NS_PER_SEC);
	if (state) json_kv_c(&o, "state", state);
	json_end_object(&o);
	return buf.err ? (struct str){ 0 } : row_text(&ch->arena, buf_get(&buf));
}

/* The answer comes when the change is durable. */
static void done_with(struct control *c, struct work *w, struct change *ch, const char *state) {
	if (!ch) {
		refuse(c, w, ERR_NOMEM, "out of memory");
		return;
	}
	ch->has_command = true;
	ch->command = w->tag;
	change_note(c, ch, "command", w->order.by, body_of(ch, &w->order, state));
	log_event(c->log, LOG_INFO, "control.command", "command=%s by=" STR_FMT " id=" STR_FMT " scope=" STR_FMT,
	          names[w->order.kind], STR_ARG(w->order.by), STR_ARG(w->order.id), STR_ARG(w->order.scope));
	work_done(c, w);
}

/* ---- actions ---- */

static void approve(struct control *c, struct work *w, struct action_row *act) {
	if (act->state != ACTION_WAITING || act->decision != GATES_ASK || act->approved_by.n) {
		char why[160];
		snprintf(why, sizeof why, "action %s is %s%s: it does not wait for an approval", act->id,
		         action_state_name(act->state), act->approved_by.n ? " and approved already" : "");
		refuse(c, w, ERR_CONFLICT, why);
		return;
	}
	act->approved_by = row_text(&act->arena, w->order.by);
	act->asked_now = true;
	done_with(c, w, change_new(c, rows_incident(&c->rows, str_of(act->incident)), act), "approved");
}

static void reject(struct control *c, struct work *w, struct action_row *act) {
	if (act->state != ACTION_WAITING) {
		char why[160];
		snprintf(why, sizeof why, "action %s is %s: there is nothing to reject", act->id,
		         action_state_name(act->state));
		refuse(c, w, ERR_CONFLICT, why);
		return;
	}
	act->end = END_REJECTED;
	struct str why = w->order.why.n ? w->order.why : STR("no reason was given");
	done_with(
		c, w,
		action_move(c, act, ACTION_REFUSED,
	                str_printf(&act->arena, "rejected by " STR_FMT ": " STR_FMT, STR_ARG(w->order.by), STR_ARG(why))),
		"refused");
}

static void undo(struct control *c, struct work *w, struct action_row *act) {
	bool way_back = action_way_back(act);
	bool room = act->log_count + 6 <= ACTION_LOG_MAX; /* whoever asks again and again is refused at last */
	if (!lifecycle_undoable(act->state) || act->changes || !way_back || !room || !c->executor) {
		char why[200];
		snprintf(why, sizeof why, "action %s is %s%s: it cannot be undone now", act->id, action_state_name(act->state),
		         way_back ? "" : " and has no way back");
		refuse(c, w, ERR_CONFLICT, why);
		return;
	}
	act->undo_from = act->state == ACTION_VERIFIED ? ACTION_VERIFIED : ACTION_INEFFECTIVE;
	act->asked_undo_by = row_text(&act->arena, w->order.by);
	done_with(c, w,
	          action_move(c, act, ACTION_UNDOING,
	                      str_printf(&act->arena, "undo asked for by " STR_FMT, STR_ARG(w->order.by))),
	          "undoing");
}

/* ---- incidents ---- */

static void mark(struct control *c, struct work *w, struct incident_row *in) {
	struct mark m = { .at = c->wall,
		              .by = row_text(&in->arena, w->order.by),
		              .why = row_text(&in->arena, w->order.why),
		              .until = { w->order.for_ns > 0 ? c->wall.ns + w->order.for_ns : 0 } };
	switch (w->order.kind) {
	case COMMAND_ACK: in->ack = m; break;
	case COMMAND_WRONG: in->wrong = m; break;
	default: in->muted = m; break;
	}
	done_with(c, w, change_new(c, in, NULL), NULL);
}

/* ---- pauses ---- */

enum err pause_set(struct control *c, struct str scope, struct str by, struct str why, struct wall until) {
	pause_clear(c, scope);
	if (c->pause_count == PAUSES_MAX) return ERR_FULL;
	struct pause_slot *s = &c->pauses[c->pause_count];
	arena_init(&s->arena, 8 * 1024);
	s->pause = (struct pause){ row_text(&s->arena, scope), row_text(&s->arena, by), row_text(&s->arena, why), until };
	c->pause_count++;
	return OK;
}

void pause_clear(struct control *c, struct str scope) {
	for (size_t i = 0; i < c->pause_count; i++) {
		if (!str_eq(c->pauses[i].pause.scope, scope)) continue;
		arena_done(&c->pauses[i].arena);
		c->pauses[i] = c->pauses[--c->pause_count];
		return;
	}
}

static bool pause_known(const struct control *c, struct str scope) {
	for (size_t i = 0; i < c->pause_count; i++)
		if (str_eq(c->pauses[i].pause.scope, scope)) return true;
	return false;
}

static struct str pause_value(struct change *ch, const struct command *cmd, struct wall until) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct json_out o = json_out(&buf);
	json_begin_object(&o);
	json_kv_str(&o, "scope", cmd->scope);
	json_kv_str(&o, "by", cmd->by);
	text_or_null(&o, "why", cmd->why);
	wall_or_null(&o, "until", until);
	json_end_object(&o);
	return buf.err ? (struct str){ 0 } : row_text(&ch->arena, buf_get(&buf));
}

static bool scope_ok(struct str scope) {
	struct str kind, name;
	if (!scope.n) return true;
	if (!str_cut(scope, '/', &kind, &name)) return true; /* a namespace */
	if (!name.n) return false;
	return str_is(kind, "service") || str_is(kind, "namespace") || str_is(kind, "handler");
}

static void pause_or_resume(struct control *c, struct work *w) {
	const struct command *cmd = &w->order;
	struct wall until = { cmd->for_ns > 0 ? c->wall.ns + cmd->for_ns : 0 };
	bool on = cmd->kind == COMMAND_PAUSE;
	if (!scope_ok(cmd->scope)) {
		refuse(c, w, ERR_INVALID, "a scope is empty, a namespace, service/NAME, namespace/NAME or handler/NAME");
		return;
	}
	if (!on && !pause_known(c, cmd->scope)) {
		refuse(c, w, ERR_NOT_FOUND, "nothing of that scope is paused (policy.paused is changed in the configuration)");
		return;
	}
	struct change *ch = change_new(c, NULL, NULL);
	if (ch) {
		ch->key = str_printf(&ch->arena, "control/pause%s" STR_FMT, cmd->scope.n ? "/" : "", STR_ARG(cmd->scope));
		ch->value = on ? pause_value(ch, cmd, until) : (struct str){ 0 };
		ch->expires = until;
	}
	if (ch && on && pause_set(c, cmd->scope, cmd->by, cmd->why, until))
		log_event(c->log, LOG_WARN, "control.pauses_full", "scope=" STR_FMT, STR_ARG(cmd->scope));
	if (ch && !on) {
		pause_clear(c, cmd->scope);
		/* what waits looks again at once */
		list_each(it, &c->rows.actions) container_of(it, struct action_row, node)->again.ns = 0;
	}
	done_with(c, w, ch, NULL);
}

/* ---- which is it ---- */

void command_take(struct control *c, struct work *w) {
	struct action_row *act = rows_action(&c->rows, w->order.id);
	struct incident_row *in = rows_incident(&c->rows, w->order.id);
	switch (w->order.kind) {
	case COMMAND_PAUSE:
	case COMMAND_RESUME: pause_or_resume(c, w); return;
	case COMMAND_APPROVE:
	case COMMAND_REJECT:
	case COMMAND_UNDO:
		if (!act || act->fresh)
			refuse(c, w, ERR_NOT_FOUND, "there is no such action; `flyball actions` lists them");
		else if (w->order.kind == COMMAND_APPROVE)
			approve(c, w, act);
		else if (w->order.kind == COMMAND_REJECT)
			reject(c, w, act);
		else
			undo(c, w, act);
		return;
	default:
		if (in)
			mark(c, w, in);
		else
			refuse(c, w, ERR_NOT_FOUND, "there is no such incident; `flyball incidents` lists them");
	}
}
