/* What control says of itself: an object for the API, families for /metrics. */
#include "control/control_impl.h"
#include "control/rows_json.h"

static const char *const phases[] = { "standby", "loading", "live" };

struct tally {
	int64_t open, escalated, actions[ACTION_STATES], asking;
};

static struct tally tally(const struct control *c) {
	struct tally t = { 0 };
	list_each(it, &c->rows.incidents) {
		const struct incident_row *in = container_of(it, struct incident_row, node);
		t.open += in->state == INCIDENT_OPEN;
		t.escalated += in->state == INCIDENT_ESCALATED;
	}
	list_each(it, &c->rows.actions) {
		const struct action_row *act = container_of(it, struct action_row, node);
		if (act->fresh) continue;
		t.actions[act->state]++;
		t.asking += act->state == ACTION_WAITING && act->decision == GATES_ASK && !act->approved_by.n;
	}
	return t;
}

static void pauses_write(const struct control *c, struct json_out *o) {
	json_key(o, "pauses");
	json_begin_array(o);
	for (size_t i = 0; i < c->pause_count; i++) {
		const struct pause *p = &c->pauses[i].pause;
		if (p->until.ns && p->until.ns <= c->wall.ns) continue;
		json_begin_object(o);
		json_kv_str(o, "scope", p->scope);
		json_kv_str(o, "by", p->by);
		text_or_null(o, "why", p->why);
		wall_or_null(o, "until", p->until);
		json_end_object(o);
	}
	json_end_array(o);
}

static void handlers_write(const struct control *c, struct json_out *o) {
	json_key(o, "handlers");
	json_begin_array(o);
	for (size_t i = 0; i < c->policy->handler_count; i++) {
		const struct handler *h = &c->policy->handlers[i];
		json_begin_object(o);
		json_kv_str(o, "name", h->name);
		json_kv_c(o, "action", action_kind_name(h->action));
		json_kv_c(o, "mode", control_mode_name(h->mode));
		json_end_object(o);
	}
	json_end_array(o);
}

void control_status(const struct control *c, struct json_out *o) {
	struct tally t = tally(c);
	char hex[65];
	hex_encode(c->head.hash.b, sizeof c->head.hash.b, hex);
	json_begin_object(o);
	json_kv_c(o, "phase", phases[c->phase]);
	json_kv_bool(o, "leader", c->phase != PHASE_STANDBY);
	json_kv_bool(o, "paused", c->policy->paused);
	json_kv_int(o, "incidents_open", t.open);
	json_kv_int(o, "incidents_escalated", t.escalated);
	json_kv_int(o, "approvals_pending", t.asking);
	json_key(o, "actions_live");
	json_begin_object(o);
	for (int s = 0; s < ACTION_STATES; s++)
		if (t.actions[s]) json_kv_int(o, action_state_name((enum action_state)s), t.actions[s]);
	json_end_object(o);
	handlers_write(c, o);
	pauses_write(c, o);
	json_key(o, "audit");
	json_begin_object(o);
	json_kv_int(o, "seq", (int64_t)c->head.seq);
	json_kv_c(o, "hash", hex);
	json_end_object(o);
	json_end_object(o);
}

static void by_name(struct metrics_out *m, const char *label, const char *name, int64_t v) {
	char text[96];
	metrics_value(m, metrics_label(text, sizeof text, label, str_of(name)), (double)v);
}

static void gates_metrics(const struct control *c, struct metrics_out *m) {
	metrics_family(m, "flyball_control_gate_denied", "counter", "Decisions that this gate refused.");
	for (int g = 0; g < GATES; g++) by_name(m, "gate", gate_name((enum gate)g), c->n.gate_denied[g]);
	metrics_family(m, "flyball_control_gate_waited", "counter", "Looks at which this gate said to wait.");
	for (int g = 0; g < GATES; g++) by_name(m, "gate", gate_name((enum gate)g), c->n.gate_waited[g]);
}

static void rows_metrics(const struct control *c, struct metrics_out *m) {
	struct tally t = tally(c);
	metrics_one(m, "flyball_control_leader", "gauge", "1 while this process holds the lease and may act.",
	            c->phase != PHASE_STANDBY);
	metrics_one(m, "flyball_control_incidents_open", "gauge", "Incidents that are open.", (double)t.open);
	metrics_one(m, "flyball_control_incidents_escalated", "gauge", "Incidents that wait for a person.",
	            (double)t.escalated);
	metrics_one(m, "flyball_control_approvals_pending", "gauge", "Actions that wait for an approval.",
	            (double)t.asking);
	metrics_one(m, "flyball_control_rows", "gauge", "Incidents and actions held in memory.",
	            (double)(c->rows.incident_count + c->rows.action_count));
	metrics_one(m, "flyball_control_inbox", "gauge", "Events and commands taken in and not done.",
	            (double)c->inbox_count);
	metrics_one(m, "flyball_control_pauses", "gauge", "Pauses in force.", (double)c->pause_count);
	metrics_one(m, "flyball_control_stale_entities", "gauge", "Entities with stale signals.", (double)c->stale.count);
}

void control_metrics(const struct control *c, struct metrics_out *m) {
	const struct counters *n = &c->n;
	rows_metrics(c, m);
	metrics_one(m, "flyball_control_events", "counter", "Events taken from the queue.", (double)n->events);
	metrics_one(m, "flyball_control_events_ignored", "counter", "Events that told nothing new.",
	            (double)n->events_ignored);
	metrics_one(m, "flyball_control_events_refused", "counter", "Events handed back, with the reason.",
	            (double)n->events_refused);
	metrics_one(m, "flyball_control_incidents_full", "counter", "Incidents put off because too many are open.",
	            (double)n->incidents_full);
	metrics_one(m, "flyball_control_commands", "counter", "Commands of people.", (double)n->commands);
	metrics_one(m, "flyball_control_escalations", "counter", "Incidents handed to a person.", (double)n->escalations);
	metrics_one(m, "flyball_control_applies", "counter", "Calls that ask for an effect.", (double)n->applies);
	metrics_one(m, "flyball_control_repeated", "counter", "Effects that had been there already.", (double)n->repeated);
	metrics_one(m, "flyball_control_commits", "counter", "Transactions that became durable.", (double)n->commits);
	metrics_one(m, "flyball_control_conflicts", "counter", "Transactions that met another writer.",
	            (double)n->conflicts);
	metrics_one(m, "flyball_control_reloads", "counter", "Times the rows were read back.", (double)n->reloads);
	metrics_one(m, "flyball_control_stale_dropped", "counter", "Entities too many to remember as stale.",
	            (double)n->stale_dropped);
	metrics_family(m, "flyball_control_decisions", "counter", "Decisions by their outcome.");
	for (int d = 0; d < GATES_DECISIONS; d++)
		by_name(m, "decision", gates_decision_name((enum gates_decision)d), n->decisions[d]);
	metrics_family(m, "flyball_control_moves", "counter", "Moves of actions by the state entered.");
	for (int s = 0; s < ACTION_STATES; s++) by_name(m, "state", action_state_name((enum action_state)s), n->moves[s]);
	gates_metrics(c, m);
}
