/* Incidents and actions as the state store has them: lists, one whole, the story of one. */
#include <string.h>

#include "api/api_impl.h"
#include "api/story.h"

static const char *const prefixes[] = { "incident/", "action/" };
static const char *const names[] = { "incident", "action" };

static const struct json *parsed(struct arena *a, const struct state_item *it) {
	const struct json *v = NULL;
	struct str text = str_copy(a, it->value);
	return text.p && !json_parse(a, text, &v, NULL) ? v : NULL;
}

static void put_or_null(struct json_out *o, const char *key, const struct json *v) {
	json_key(o, key);
	if (v)
		json_put_value(o, v);
	else
		json_put_null(o);
}

/* ---- lists ---- */

static void incident_item(struct json_out *o, const struct json *row) {
	static const char *const keys[] = { "id",       "state",    "opened", "onset",  "severity",
		                                "entities", "resolved", "how",    "actions" };
	const struct json *cause = json_at(json_path(row, "rca.root_causes"), 0);
	json_begin_object(o);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) put_or_null(o, keys[i], json_get(row, keys[i]));
	put_or_null(o, "cause", json_get(cause, "entity"));
	put_or_null(o, "cause_kind", json_get(cause, "kind"));
	put_or_null(o, "confidence", json_get(cause, "confidence"));
	put_or_null(o, "escalation", json_path(row, "escalation.why"));
	json_end_object(o);
}

static void action_item(struct json_out *o, const struct json *row) {
	static const char *const keys[] = { "state",    "kind",    "summary", "mode",    "decision",
		                                "incident", "handler", "target",  "attempt", "times" };
	json_begin_object(o);
	json_kv_str(o, "id", json_str(json_get(row, "action")));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) put_or_null(o, keys[i], json_get(row, keys[i]));
	put_or_null(o, "why", json_path(row, "result.why"));
	json_end_object(o);
}

void start_rows(struct api *a, struct slot *s) {
	if (!slot_page(a, s)) return;
	struct str prefix = str_of(prefixes[s->route->what]);
	struct str after =
		s->after.n ? str_printf(&s->arena, STR_FMT STR_FMT, STR_ARG(prefix), STR_ARG(s->after)) : (struct str){ 0 };
	(void)slot_query(a, s, prefix, false, true, after, s->limit);
}

void state_rows(struct api *a, struct slot *s, const struct state_done *done) {
	struct json_out o = json_out(&s->out);
	size_t cut = strlen(prefixes[s->route->what]);
	json_begin_object(&o);
	json_key(&o, "items");
	json_begin_array(&o);
	for (size_t i = 0; i < done->count; i++) {
		CLEANUP(arena_done) struct arena scratch;
		arena_init(&scratch, 0);
		const struct json *row = parsed(&scratch, &done->items[i]);
		if (!row) continue; /* damaged: named in the log by whoever reads rows back */
		if (s->route->what == ROWS_INCIDENTS)
			incident_item(&o, row);
		else
			action_item(&o, row);
	}
	json_end_array(&o);
	json_key(&o, "next");
	if (done->more && done->count) {
		struct str key = done->items[done->count - 1].key;
		json_put_str(&o, (struct str){ key.p + cut, key.n - cut });
	} else {
		json_put_null(&o);
	}
	json_end_object(&o);
	answer_out(a, s);
}

/* ---- one, by its ID or the beginning of it ---- */

static void ask_row(struct api *a, struct slot *s, int kind) {
	struct str id = { 0 };
	s->stage = kind;
	if (!slot_id(a, s, &id)) return;
	(void)slot_query(a, s, str_printf(&s->arena, "%s" STR_FMT, prefixes[kind], STR_ARG(id)), false, false,
	                 (struct str){ 0 }, 2);
}

void start_row(struct api *a, struct slot *s) {
	ask_row(a, s, s->route->what);
}

/* False: answered. */
static bool one(struct api *a, struct slot *s, const struct state_done *done) {
	if (done->count == 1) return true;
	if (done->count > 1)
		answer_error(a, s, 409, "more than one ID begins with '" STR_FMT "': give more of it", STR_ARG(s->star));
	return false;
}

void state_row(struct api *a, struct slot *s, const struct state_done *done) {
	if (!done->count)
		answer_error(a, s, 404, "there is no such %s; `flyball %ss` lists them", names[s->stage], names[s->stage]);
	else if (one(a, s, done))
		answer_json(a, s, 200, done->items[0].value);
}

/* ---- the story: an incident, and every action of it ---- */

enum { STORY_INCIDENT, STORY_ACTION, STORY_INCIDENT_OF, STORY_ACTIONS };

void start_explain(struct api *a, struct slot *s) {
	ask_row(a, s, STORY_INCIDENT);
}

static void tell(struct api *a, struct slot *s) {
	struct story_facts f = {
		.incident = s->incident, .actions = s->actions, .action_count = s->action_count, .about = s->action_id
	};
	story_write(&s->arena, &f, &s->out);
	answer_out(a, s);
}

static void next_action(struct api *a, struct slot *s) {
	const struct json *ids = json_get(s->incident, "actions");
	s->stage = STORY_ACTIONS;
	if (s->action_next >= (ids ? ids->count : 0) || s->action_count == STORY_ACTIONS_MAX) {
		tell(a, s);
		return;
	}
	struct str id = json_str(json_at(ids, s->action_next++));
	(void)slot_query(a, s, str_printf(&s->arena, "action/" STR_FMT, STR_ARG(id)), true, false, (struct str){ 0 }, 1);
}

static void take_action(struct api *a, struct slot *s, const struct state_done *done) {
	const struct json *row = parsed(&s->arena, &done->items[0]);
	s->action_id = json_str(json_get(row, "action"));
	s->incident_id = json_str(json_get(row, "incident"));
	s->actions[0] = row; /* told alone, should its incident have gone */
	s->action_count = 1;
	s->stage = STORY_INCIDENT_OF;
	(void)slot_query(a, s, str_printf(&s->arena, "incident/" STR_FMT, STR_ARG(s->incident_id)), true, false,
	                 (struct str){ 0 }, 1);
}

void state_explain(struct api *a, struct slot *s, const struct state_done *done) {
	switch (s->stage) {
	case STORY_INCIDENT:
		if (!done->count)
			ask_row(a, s, STORY_ACTION);
		else if (one(a, s, done)) {
			s->incident = parsed(&s->arena, &done->items[0]);
			next_action(a, s);
		}
		return;
	case STORY_ACTION:
		if (!done->count)
			answer_error(
				a, s, 404,
				"there is no incident and no action with this ID; `flyball incidents` and `flyball actions` list them");
		else if (one(a, s, done))
			take_action(a, s, done);
		return;
	case STORY_INCIDENT_OF:
		if (!done->count) {
			tell(a, s);
			return;
		}
		s->incident = parsed(&s->arena, &done->items[0]);
		s->action_count = 0;
		next_action(a, s);
		return;
	default:
		if (done->count) {
			const struct json *row = parsed(&s->arena, &done->items[0]);
			if (row) s->actions[s->action_count++] = row;
		}
		next_action(a, s);
	}
}
