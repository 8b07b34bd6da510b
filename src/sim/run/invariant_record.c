/* What must hold of the store that a daemon leaves behind. */
#include <string.h>

#include "model/action.h"
#include "model/audit.h"
#include "model/event.h"
#include "sim/run/run.h"

static const struct run_item *item(const struct run_record *rec, const char *prefix, struct str name) {
	size_t n = strlen(prefix);
	for (size_t i = 0; i < rec->item_count; i++) {
		struct str key = rec->items[i].key;
		if (key.n == n + name.n && !memcmp(key.p, prefix, n) && !memcmp(key.p + n, name.p, name.n))
			return &rec->items[i];
	}
	return NULL;
}

static void check_intents(struct invariants *v, const struct run_record *rec, int64_t now_ns) {
	for (size_t i = 0; i < v->effect_count; i++) {
		struct str key = str_of(v->effects[i].key);
		if (v->effects[i].undo) key.n -= strlen("-undo");
		if (key.n && !item(rec, "key/", key))
			invariants_break(v, INVARIANT_INTENT, now_ns, "%s was changed under key %.16s, which no intent claimed",
			                 v->effects[i].target, v->effects[i].key);
	}
}

static bool among_the_dead(const struct run_record *rec, struct str event_id) {
	for (size_t i = 0; i < rec->dead_count; i++)
		if (memmem(rec->dead[i].event.p, rec->dead[i].event.n, event_id.p, event_id.n))
			return rec->dead[i].reason.n > 0;
	return false;
}

static void check_handled(struct invariants *v, const struct run_record *rec, int64_t now_ns) {
	if (rec->waiting || rec->in_flight)
		invariants_break(v, INVARIANT_HANDLED, now_ns, "%lld events wait and %lld are in flight though all was quiet",
		                 (long long)rec->waiting, (long long)rec->in_flight);
	json_each(event, rec->events) {
		if (event_type_of(json_str(json_get(event, "type"))) != EVENT_INCIDENT_OPENED) continue;
		struct str incident = json_str(json_path(event, "data.incident"));
		if (item(rec, "incident/", incident) || among_the_dead(rec, json_str(json_get(event, "id")))) continue;
		invariants_break(v, INVARIANT_HANDLED, now_ns,
		                 "incident " STR_FMT " is neither on record nor among the dead letters", STR_ARG(incident));
	}
}

static enum err verify_against(const struct run_record *rec, struct audit_head published, struct why *why) {
	struct audit_verifier walk = audit_verifier(published);
	struct audit_head stored = { 0 };
	const struct run_item *head = item(rec, "audit/", STR("head"));
	struct arena scratch;
	enum err e = OK;
	arena_init(&scratch, 0);
	for (size_t i = 0; i < rec->item_count && !e; i++) {
		struct str key = rec->items[i].key;
		if (!str_starts(key, STR("audit/")) || str_is(key, "audit/head")) continue;
		arena_reset(&scratch);
		e = audit_verify_next(&walk, &scratch, rec->items[i].value, why);
	}
	if (!e && head) e = audit_head_read(&scratch, head->value, &stored, why);
	if (!e) e = audit_verify_end(&walk, head ? &stored : NULL, why);
	arena_done(&scratch);
	return e;
}

static void check_chain(struct invariants *v, const struct run_record *rec, const struct str *heads, size_t head_count,
                        int64_t now_ns) {
	struct arena scratch;
	struct why why = { "" };
	arena_init(&scratch, 0);
	enum err e = verify_against(rec, (struct audit_head){ 0 }, &why);
	for (size_t i = 0; i < head_count && !e; i++) {
		struct audit_head published;
		e = audit_head_parse(&scratch, heads[i], &published, &why);
		if (!e) e = verify_against(rec, published, &why);
	}
	if (e) invariants_break(v, INVARIANT_CHAIN, now_ns, "%s", why.text[0] ? why.text : err_text(e));
	arena_done(&scratch);
}

static void check_ends(struct invariants *v, const struct run_record *rec, int64_t now_ns) {
	struct arena scratch;
	arena_init(&scratch, 0);
	for (size_t i = 0; i < rec->item_count; i++) {
		const struct json *row = NULL;
		if (!str_starts(rec->items[i].key, STR("action/"))) continue;
		arena_reset(&scratch);
		if (json_parse(&scratch, rec->items[i].value, &row, NULL)) continue;
		struct str state = json_str(json_get(row, "state"));
		bool over = str_is(state, action_state_name(ACTION_WAITING));
		for (int s = 0; s < ACTION_STATES; s++)
			over |=
				action_state_terminal((enum action_state)s) && str_is(state, action_state_name((enum action_state)s));
		if (!over)
			invariants_break(v, INVARIANT_ENDS, now_ns, STR_FMT " is still in state " STR_FMT,
			                 STR_ARG(rec->items[i].key), STR_ARG(state));
	}
	arena_done(&scratch);
}

void invariants_record(struct invariants *v, const struct run_record *rec, const struct str *heads, size_t head_count,
                       int64_t now_ns) {
	check_intents(v, rec, now_ns);
	check_handled(v, rec, now_ns);
	check_chain(v, rec, heads, head_count, now_ns);
	check_ends(v, rec, now_ns);
}
