/* Reading back: head of the decision log, pauses, stale signals, actions, incidents; page by page. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_impl.h"
#include "control/rows_json.h"

enum { LOAD_HEAD, LOAD_CONTROL, LOAD_ACTIONS, LOAD_INCIDENTS, LOAD_DONE };

static const struct {
	const char *prefix;
	bool exact;
} steps[LOAD_DONE] = { { "audit/head", true }, { "control/", false }, { "action/", false }, { "incident/", false } };

enum err load_incident(struct control *c, struct str id, struct str json, struct incident_row **out) {
	struct why why = { 0 };
	struct incident_row *in;
	enum err e = rows_incident_new(&c->rows, id, &in);
	if (e) return e;
	e = incident_read(in, json, &why);
	if (e) {
		log_event(c->log, LOG_ERROR, "control.row_damaged", "key=incident/%s why=%s", in->id, why.text);
		rows_incident_drop(&c->rows, in);
		return e;
	}
	in->look = in->state == INCIDENT_OPEN;
	in->patience_until = control_deadline(c, in->opened, c->policy->patience_ns);
	*out = in;
	return OK;
}

enum err load_action(struct control *c, struct str id, struct str json, struct action_row **out) {
	struct why why = { 0 };
	struct action_row *act;
	enum err e = rows_action_new(&c->rows, id, &act);
	if (e) return e;
	e = action_read(act, json, &why);
	if (e) {
		log_event(c->log, LOG_ERROR, "control.row_damaged", "key=action/%s why=%s", act->id, why.text);
		rows_action_drop(&c->rows, act);
		return e;
	}
	act->resumed = true;
	action_entered(c, act);
	*out = act;
	return OK;
}

/* ---- one item each ---- */

static enum err take_head(struct control *c, const struct state_item *it) {
	struct why why;
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 0);
	enum err e = audit_head_read(&a, it->value, &c->head, &why);
	if (e) log_event(c->log, LOG_ERROR, "control.row_damaged", "key=audit/head why=%s", why.text);
	c->head_version = it->version;
	return e;
}

static enum err take_pause(struct control *c, const struct json *v) {
	struct wall until = { 0 };
	struct str t = json_str(json_get(v, "until"));
	if (t.n && !wall_parse(t.p, t.n, &until)) return ERR_CORRUPT;
	return pause_set(c, json_str(json_get(v, "scope")), json_str(json_get(v, "by")), json_str(json_get(v, "why")),
	                 until);
}

static uint32_t signal_bits(const struct json *names) {
	uint32_t bits = 0;
	json_each(it, names)
		for (int k = 0; k < SIGNAL_KINDS; k++)
			if (str_is(json_str(it), signal_kind_name((enum signal_kind)k))) bits |= 1U << k;
	return bits;
}

static enum err take_control(struct control *c, const struct state_item *it) {
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 0);
	const struct json *v;
	struct why why;
	if (json_parse(&a, it->value, &v, &why)) return ERR_CORRUPT;
	if (str_starts(it->key, STR("control/pause"))) return take_pause(c, v);
	if (str_starts(it->key, STR("control/stale/")))
		stale_set(c, json_str(json_get(v, "entity")), signal_bits(json_get(v, "signals")));
	return OK;
}

/* An ended action stays in history only, unless an event of it may not have been told yet. */
static enum err take_action(struct control *c, const struct state_item *it) {
	struct action_row *act;
	struct str id = { it->key.p + strlen("action/"), it->key.n - strlen("action/") };
	if (id.n != ULID_LEN) return ERR_CORRUPT;
	enum err e = load_action(c, id, it->value, &act);
	if (e) return e;
	action_remember(c, act);
	if (action_state_terminal(act->state) && act->published >= act->log_count) rows_action_drop(&c->rows, act);
	return OK;
}

static bool needed(struct control *c, struct incident_row *in) {
	bool live = false;
	list_each(it, &c->rows.actions) {
		struct action_row *act = container_of(it, struct action_row, node);
		if (strcmp(act->incident, in->id) != 0) continue;
		live = true;
		if (!action_state_terminal(act->state) && act->state != ACTION_UNDOING) in->live = act;
	}
	if (in->state == INCIDENT_ESCALATED && in->how == HOW_OPEN && c->rows.incident_count > INCIDENTS_MAX / 2)
		return live;
	return live || !in->closed;
}

/* One that only waits for a person is read again when something comes of it. */
static bool room_made(struct control *c) {
	list_each(it, &c->rows.incidents) {
		struct incident_row *in = container_of(it, struct incident_row, node);
		if (in->state != INCIDENT_ESCALATED || in->how != HOW_OPEN || in->live) continue;
		rows_incident_drop(&c->rows, in);
		return true;
	}
	return false;
}

static enum err take_incident(struct control *c, const struct state_item *it) {
	struct incident_row *in;
	struct str id = { it->key.p + strlen("incident/"), it->key.n - strlen("incident/") };
	if (id.n != ULID_LEN) return ERR_CORRUPT;
	enum err e = load_incident(c, id, it->value, &in);
	if (e == ERR_FULL && room_made(c)) e = load_incident(c, id, it->value, &in);
	if (e) return e;
	if (!needed(c, in)) rows_incident_drop(&c->rows, in);
	return OK;
}

static enum err take_item(struct control *c, const struct state_item *it) {
	switch (c->load_step) {
	case LOAD_HEAD: return take_head(c, it);
	case LOAD_CONTROL: return take_control(c, it);
	case LOAD_ACTIONS: return take_action(c, it);
	default: return take_incident(c, it);
	}
}

/* ---- pages ---- */

bool load_step(struct control *c) {
	if (c->load_waits || c->now.ns < c->load_at.ns) return false;
	struct state_query q = { .prefix = str_of(steps[c->load_step].prefix),
		                     .exact = steps[c->load_step].exact,
		                     .after = str_of(c->load_after),
		                     .limit = LOAD_PAGE };
	enum err e = state_query(c->state, &q, tag_make(c, TAG_LOAD, 0));
	if (e) {
		c->load_at.ns = c->now.ns + (e == ERR_FULL || e == ERR_AGAIN ? 10 * NS_PER_MS : RETRY_NS_MIN);
		return false;
	}
	c->load_waits = true;
	return true;
}

static void live(struct control *c) {
	c->phase = PHASE_LIVE;
	log_event(c->log, LOG_INFO, "control.ready", "incidents=%lld actions=%lld audit_seq=%lld",
	          (long long)c->rows.incident_count, (long long)c->rows.action_count, (long long)c->head.seq);
}

static void left_out(struct control *c, const struct state_item *it) {
	c->n.incidents_full++;
	log_event(c->log, LOG_ERROR, "control.rows_full", "key=" STR_FMT, STR_ARG(it->key));
}

/* A damaged row is named in the log and left out; anything else that fails is tried again. */
void load_take(struct control *c, const struct state_done *done) {
	c->load_waits = false;
	enum err e = done->err;
	for (size_t i = 0; i < done->count && !e; i++) {
		e = take_item(c, &done->items[i]);
		if (c->load_step == LOAD_INCIDENTS && e == ERR_FULL) left_out(c, &done->items[i]);
		if (c->load_step != LOAD_HEAD && (e == ERR_CORRUPT || e == ERR_EXISTS || e == ERR_FULL)) e = OK;
	}
	if (e) {
		log_event(c->log, LOG_WARN, "control.load_failed", "what=%s err=%s why=%s", steps[c->load_step].prefix,
		          err_name(e), done->why ? done->why : err_text(e));
		control_forget(c, RETRY_NS_MIN, "reading back failed");
		return;
	}
	if (done->more && done->count) {
		struct str key = done->items[done->count - 1].key;
		snprintf(c->load_after, sizeof c->load_after, "%.*s", STR_ARG(key));
		return;
	}
	c->load_after[0] = '\0';
	if (++c->load_step == LOAD_DONE) live(c);
}

/* ---- stale signals ---- */

void stale_set(struct control *c, struct str entity, uint32_t bits) {
	if (!entity.n) return;
	if (!bits) {
		map_remove(&c->stale, entity);
		return;
	}
	if (map_put(&c->stale, entity, (void *)(uintptr_t)bits, NULL)) c->n.stale_dropped++;
}
