/* What became of actions and incidents, told on the bus.
 *
 * A line of an action's log is told once it is durable, and told again after a crash: its events' ids
 * follow from the action and the line, so the bus knows them again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/control_impl.h"
#include "control/rows_json.h"

/* The same id for the same thing in every run: the time is recorded, the chance a hash of the name. */
static void event_id(struct wall at, const char *of, long long n, enum event_type type, ulid out) {
	char name[80];
	int len = snprintf(name, sizeof name, "%s/%lld/%s", of, n, event_type_name(type));
	struct rng rng = rng_seeded(hash64((struct str){ name, (size_t)len }));
	ulid_make(at, &rng, out);
}

static struct event envelope(const char *id, enum event_type type, struct str subject, struct wall at, double severity,
                             struct str key, const struct buf *data) {
	return (struct event){ .id = str_of(id),
		                   .source = STR("/flyball/control"),
		                   .type = str_of(event_type_name(type)),
		                   .subject = subject.n ? subject : STR("unknown"),
		                   .time = at,
		                   .severity = severity,
		                   .idempotencykey = key,
		                   .data = buf_get(data) };
}

/* ---- data of each type ---- */

static void planned_data(const struct action_row *act, struct buf *out) {
	struct json_out o = json_out(out);
	json_begin_object(&o);
	action_planned_members(act, &o);
	json_end_object(&o);
}

static void approval_data(const struct control *c, const struct action_row *act, struct buf *out) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_c(&o, "action", act->id);
	json_kv_c(&o, "incident", act->incident);
	json_kv_str(&o, "summary", action_summary(act, &scratch));
	json_kv_wall(&o, "expires", act->times[TIME_EXPIRES]);
	json_kv_c(&o, "default", c->policy->approval_default_approve ? "approve" : "reject");
	json_end_object(&o);
}

static void log_data(const struct action_row *act, const struct log_line *l, struct buf *out) {
	bool checked = l->state == ACTION_VERIFIED || l->state == ACTION_INEFFECTIVE || l->state == ACTION_UNDOING;
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_c(&o, "action", act->id);
	json_kv_c(&o, "incident", act->incident);
	json_kv_c(&o, "state", action_state_name(l->state));
	text_or_null(&o, "previous", l->first ? (struct str){ 0 } : str_of(action_state_name(l->previous)));
	json_kv_wall(&o, "at", l->at);
	text_or_null(&o, "why", l->why);
	ulid_or_null(&o, "key", act->key.hex);
	json_kv_int(&o, "attempt", act->attempt);
	json_kv_bool(&o, "repeated", act->repeated);
	raw_or(&o, "verification", checked ? act->verification : (struct str){ 0 }, "null");
	json_end_object(&o);
}

/* An escalation is a plan without an action: it says the cause, and that nothing will be done. */
static void escalation_data(const struct incident_row *in, struct buf *out) {
	CLEANUP(arena_done) struct arena scratch;
	arena_init(&scratch, 0);
	struct json_out o = json_out(out);
	json_begin_object(&o);
	text_or_null(&o, "action", (struct str){ 0 });
	json_kv_c(&o, "incident", in->id);
	static const char *const nulls[] = { "handler", "step", "kind", "target" };
	for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++) text_or_null(&o, nulls[i], (struct str){ 0 });
	raw_or(&o, "cause", in->has_report ? in->cause.json : (struct str){ 0 }, "null");
	json_kv_c(&o, "mode", "observe");
	json_kv_c(&o, "decision", "tell");
	json_kv_str(&o, "summary", str_printf(&scratch, "escalation, no action: " STR_FMT, STR_ARG(in->escalation_why)));
	json_key(&o, "gates");
	json_begin_array(&o);
	json_end_array(&o);
	text_or_null(&o, "key", (struct str){ 0 });
	json_kv_int(&o, "attempt", 1);
	text_or_null(&o, "undo", (struct str){ 0 });
	json_end_object(&o);
}

/* ---- telling ---- */

static bool publish(struct control *c, const struct event *e, uint64_t tag) {
	if (e->data.n == 0) return false;
	enum err err = c->bus ? c->bus->ops->publish(c->bus, e, tag) : ERR_AGAIN;
	if (err && err != ERR_FULL && err != ERR_AGAIN)
		log_event(c->log, LOG_ERROR, "control.publish_refused", "type=" STR_FMT " err=%s", STR_ARG(e->type),
		          err_name(err));
	return !err;
}

static bool tell_one(struct control *c, struct action_row *act, enum event_type type) {
	CLEANUP(buf_done) struct buf data;
	buf_init(&data, EVENT_BYTES_MAX);
	ulid id;
	const struct log_line *l = &act->log[act->published];
	switch (type) {
	case EVENT_ACTION_PLANNED: planned_data(act, &data); break;
	case EVENT_APPROVAL_REQUESTED: approval_data(c, act, &data); break;
	default: log_data(act, l, &data); break;
	}
	if (data.err) return false;
	event_id(l->at, act->id, (long long)act->published, type, id);
	struct event e = envelope(id, type, act->subject, l->at, act->severity, str_of(act->key.hex), &data);
	return publish(c, &e, tag_make(c, TAG_PUBLISH, act->serial));
}

static bool tell_action(struct control *c, struct action_row *act) {
	static const struct {
		int bit;
		enum event_type type;
	} kinds[] = { { EMIT_PLANNED, EVENT_ACTION_PLANNED },
		          { EMIT_APPROVAL, EVENT_APPROVAL_REQUESTED },
		          { EMIT_LOG, EVENT_ACTION_LOG } };
	if (act->fresh || act->changes || act->in_flight || act->published >= act->log_count) return false;
	if (c->now.ns < act->publish_again.ns) return false;
	int emit = act->log[act->published].emit;
	act->publish_failed = false;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (!(emit & kinds[i].bit)) continue;
		if (tell_one(c, act, kinds[i].type))
			act->in_flight++;
		else
			act->publish_failed = true;
	}
	if (!act->in_flight) act->publish_again.ns = c->now.ns + RETRY_NS_MIN;
	return act->in_flight > 0;
}

static bool tell_incident(struct control *c, struct incident_row *in) {
	if (in->changes || in->publishing || in->escalations_published >= in->escalations) return false;
	if (c->now.ns < in->publish_again.ns) return false;
	CLEANUP(buf_done) struct buf data;
	buf_init(&data, EVENT_BYTES_MAX);
	ulid id;
	event_id(in->escalated, in->id, (long long)in->escalations, EVENT_ACTION_PLANNED, id);
	escalation_data(in, &data);
	struct event e =
		envelope(id, EVENT_ACTION_PLANNED, in->has_report && !in->cause.none ? in->cause.entity : in->subject,
	             in->escalated, in->severity_now, (struct str){ 0 }, &data);
	in->publishing = !data.err && publish(c, &e, tag_make(c, TAG_PUBLISH_INCIDENT, in->serial));
	if (!in->publishing) in->publish_again.ns = c->now.ns + RETRY_NS_MIN;
	return in->publishing;
}

bool outbox_step(struct control *c) {
	bool did = false;
	list_each(it, &c->rows.actions) did |= tell_action(c, container_of(it, struct action_row, node));
	list_each(it, &c->rows.incidents) did |= tell_incident(c, container_of(it, struct incident_row, node));
	return did;
}

static void told_action(struct control *c, struct action_row *act, enum err err) {
	if (err) act->publish_failed = true;
	if (--act->in_flight) return;
	if (act->publish_failed)
		act->publish_again.ns = c->now.ns + RETRY_NS_MIN;
	else
		act->published++;
}

void outbox_take(struct control *c, const struct bus_msg *msg) {
	if (!tag_current(c, msg->tag)) return;
	struct action_row *act;
	struct incident_row *in;
	switch (tag_kind(msg->tag)) {
	case TAG_PUBLISH:
		act = rows_serial(&c->rows, tag_serial(msg->tag));
		if (act && act->in_flight) told_action(c, act, msg->err);
		return;
	case TAG_PUBLISH_INCIDENT:
		in = rows_incident_serial(&c->rows, tag_serial(msg->tag));
		if (!in) return;
		in->publishing = false;
		if (msg->err)
			in->publish_again.ns = c->now.ns + RETRY_NS_MIN;
		else
			in->escalations_published = in->escalations;
		return;
	default: return;
	}
}
