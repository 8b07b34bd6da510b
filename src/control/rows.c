#include "control/rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const incident_states[] = { "open", "resolved", "escalated" };
static const char *const hows[] = { NULL, "in_band", "no_data", "adopted" };
static const char *const times[ACTION_TIMES] = { "planned",  "claimed", "acting", "applied", "settled",
	                                             "verified", "ended",   "asked",  "expires", "undoing" };

const char *incident_state_name(enum incident_state s) {
	return incident_states[s];
}

const char *resolved_how_name(enum resolved_how h) {
	return hows[h];
}

bool resolved_how_parse(struct str s, enum resolved_how *out) {
	for (int h = HOW_IN_BAND; h < HOWS; h++)
		if (str_is(s, hows[h])) {
			*out = (enum resolved_how)h;
			return true;
		}
	return false;
}

const char *action_time_name(enum action_time t) {
	return times[t];
}

void rows_init(struct rows *r) {
	*r = (struct rows){ 0 };
	list_init(&r->incidents);
	list_init(&r->actions);
	map_init(&r->by_incident, INCIDENTS_MAX);
	map_init(&r->by_action, ACTIONS_MAX);
}

void rows_clear(struct rows *r) {
	list_each_safe(it, &r->incidents) rows_incident_drop(r, container_of(it, struct incident_row, node));
	list_each_safe(it, &r->actions) rows_action_drop(r, container_of(it, struct action_row, node));
}

void rows_done(struct rows *r) {
	if (!r->incidents.next) return;
	rows_clear(r);
	map_done(&r->by_incident);
	map_done(&r->by_action);
}

enum err rows_incident_new(struct rows *r, struct str id, struct incident_row **out) {
	assert(id.n == ULID_LEN);
	if (rows_incident(r, id)) return ERR_EXISTS;
	if (r->incident_count >= INCIDENTS_MAX) return ERR_FULL;
	struct incident_row *in = calloc(1, sizeof *in);
	if (!in) return ERR_NOMEM;
	memcpy(in->id, id.p, id.n);
	enum err e = map_put(&r->by_incident, id, in, NULL);
	if (e) {
		free(in);
		return e;
	}
	arena_init(&in->arena, ROW_BYTES_MAX);
	arena_init(&in->report, ROW_BYTES_MAX);
	in->serial = ++r->serial;
	list_push(&r->incidents, &in->node);
	r->incident_count++;
	*out = in;
	return OK;
}

enum err rows_action_new(struct rows *r, struct str id, struct action_row **out) {
	assert(id.n == ULID_LEN);
	if (rows_action(r, id)) return ERR_EXISTS;
	if (r->action_count >= ACTIONS_MAX) return ERR_FULL;
	struct action_row *act = calloc(1, sizeof *act);
	if (!act) return ERR_NOMEM;
	memcpy(act->id, id.p, id.n);
	enum err e = map_put(&r->by_action, id, act, NULL);
	if (e) {
		free(act);
		return e;
	}
	arena_init(&act->arena, ROW_BYTES_MAX);
	arena_init(&act->plan_arena, ROW_BYTES_MAX);
	arena_init(&act->gates_arena, ROW_BYTES_MAX);
	act->serial = ++r->serial;
	list_push(&r->actions, &act->node);
	r->action_count++;
	*out = act;
	return OK;
}

struct incident_row *rows_incident(const struct rows *r, struct str id) {
	return map_get(&r->by_incident, id);
}

struct action_row *rows_action(const struct rows *r, struct str id) {
	return map_get(&r->by_action, id);
}

struct action_row *rows_serial(const struct rows *r, uint32_t serial) {
	list_each(it, &r->actions) {
		struct action_row *act = container_of(it, struct action_row, node);
		if (act->serial == serial) return act;
	}
	return NULL;
}

struct incident_row *rows_incident_serial(const struct rows *r, uint32_t serial) {
	list_each(it, &r->incidents) {
		struct incident_row *in = container_of(it, struct incident_row, node);
		if (in->serial == serial) return in;
	}
	return NULL;
}

void rows_incident_drop(struct rows *r, struct incident_row *in) {
	map_remove(&r->by_incident, str_of(in->id));
	list_remove(&in->node);
	arena_done(&in->arena);
	arena_done(&in->report);
	free(in);
	r->incident_count--;
}

void rows_action_drop(struct rows *r, struct action_row *act) {
	struct incident_row *in = rows_incident(r, str_of(act->incident));
	if (in && in->live == act) in->live = NULL;
	map_remove(&r->by_action, str_of(act->id));
	list_remove(&act->node);
	arena_done(&act->arena);
	arena_done(&act->plan_arena);
	arena_done(&act->gates_arena);
	free(act);
	r->action_count--;
}

uint64_t action_target_id(const struct action_row *act) {
	char name[600];
	if (act->planned && act->plan.uid.n) return hash64(act->plan.uid);
	struct str ns = act->planned ? act->plan.namespace_ : act->telemetry.namespace_;
	struct str workload = act->planned ? act->plan.name : act->telemetry.workload;
	int n =
		snprintf(name, sizeof name, "%.*s/%.*s/%.*s", STR_ARG(ns), STR_ARG(workload), STR_ARG(act->telemetry.service));
	return hash64((struct str){ name, (size_t)n < sizeof name ? (size_t)n : sizeof name - 1 });
}

uint64_t action_place_id(const struct action_row *act) {
	char name[600];
	struct str ns = act->planned ? act->plan.namespace_ : act->telemetry.namespace_;
	int n = snprintf(name, sizeof name, "%.*s/%.*s", STR_ARG(ns), STR_ARG(act->telemetry.service));
	return hash64((struct str){ name, (size_t)n < sizeof name ? (size_t)n : sizeof name - 1 });
}

bool action_way_back(const struct action_row *act) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	const struct json *v;
	if (!act->planned || !act->plan.undo.n || json_parse(&scratch, act->plan.undo, &v, NULL)) return false;
	return v->kind == JSON_OBJECT && v->count && !json_get(v, "none");
}

struct str row_text(struct arena *a, struct str s) {
	return s.n ? str_copy(a, s) : (struct str){ 0 };
}

enum err plan_copy(struct arena *a, const struct plan *p, struct plan *out) {
	struct plan c = *p;
	struct str *const fields[] = { &c.namespace_,       &c.kind,  &c.name, &c.uid,    &c.mapped_by,
		                           &c.resource_version, &c.owner, &c.undo, &c.params, &c.summary };
	if (strs_copy(a, fields, sizeof fields / sizeof *fields)) return ERR_NOMEM;
	*out = c;
	return OK;
}
