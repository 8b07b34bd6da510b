/* Events and commands come in: taken from their queues, matched with their rows, recorded. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_impl.h"
#include "control/rows_json.h"

#define PATTERN "{\"type\":[\"INCIDENT_OPENED\",\"INCIDENT_RESOLVED\",\"RCA_REPORT\",\"DATA_STALE\"]}"

/* ---- taking in ---- */

static struct work *work_new(struct control *c) {
	struct work *w = calloc(1, sizeof *w);
	if (!w) return NULL;
	arena_init(&w->arena, 2 * EVENT_BYTES_MAX + 64 * 1024);
	w->serial = ++c->work_serial;
	list_push(&c->inbox, &w->node);
	c->inbox_count++;
	return w;
}

void work_done(struct control *c, struct work *w) {
	if (w->command) c->command_count--;
	c->inbox_count--;
	list_remove(&w->node);
	arena_done(&w->arena);
	free(w);
}

static void settle(struct control *c, uint64_t receipt, bool ack, int64_t delay_ns, struct str reason) {
	if (c->bus) (void)c->bus->ops->settle(c->bus, receipt, ack, delay_ns, reason, tag_make(c, TAG_ACK, 0));
}

/* Comes back later (delay_ns -1: by the queue's back-off) and at last lies with the dead letters. */
static void refuse(struct control *c, struct work *w, int64_t delay_ns, const char *reason) {
	c->n.events_refused++;
	log_event(c->log, LOG_WARN, "control.event_refused", "type=%s id=" STR_FMT " why=%s", event_type_name(w->type),
	          STR_ARG(w->event.id), reason);
	settle(c, w->receipt, false, delay_ns, str_of(reason));
	work_done(c, w);
}

static enum err event_copy(struct work *w, const struct event *e) {
	w->event = *e;
	w->event.id = row_text(&w->arena, e->id);
	w->event.subject = row_text(&w->arena, e->subject);
	w->event.source = w->event.type = w->event.region = w->event.traceparent = (struct str){ 0 };
	w->event.idempotencykey = (struct str){ 0 };
	w->event.data = row_text(&w->arena, e->data);
	return e->data.n && !w->event.data.n ? ERR_NOMEM : OK;
}

static void deliver(struct control *c, const struct bus_msg *m) {
	struct work *w = work_new(c);
	if (!w) return; /* it is seen again after its visibility time-out */
	c->n.events++;
	w->receipt = m->receipt;
	w->type = event_type_of(m->event.type);
	if (event_copy(w, &m->event)) refuse(c, w, RETRY_NS_MIN, "out of memory");
}

static bool subscribe(struct control *c) {
	struct why why = { "" };
	struct bus_queue_opts q = { .name = STR(QUEUE_NAME),
		                        .pattern = STR(PATTERN),
		                        .visibility_ns = 30 * NS_PER_SEC,
		                        .receives_max = 8,
		                        .age_max_ns = 4 * NS_PER_DAY,
		                        .backoff_min_ns = NS_PER_SEC,
		                        .backoff_max_ns = 5 * NS_PER_MIN };
	enum err e = c->bus ? OK : c->bus_of->ops->attach(c->bus_of, &c->bus);
	if (!e) e = c->bus->ops->subscribe(c->bus, &q, &why);
	if (!e) return true;
	c->bus_again.ns = c->now.ns + RETRY_NS_MIN;
	log_event(c->log, LOG_ERROR, "control.subscribe_failed", "err=%s why=%s", err_name(e), why.text);
	return false;
}

bool control_inbox_poll(struct control *c) {
	struct bus_msg m;
	bool did = false;
	if (!c->subscribed && c->now.ns >= c->bus_again.ns) c->subscribed = subscribe(c);
	if (!c->subscribed) return false;
	while (c->inbox_count < INBOX_MAX && c->bus->ops->poll(c->bus, &m)) {
		did = true;
		if (m.kind == BUS_DELIVERED) deliver(c, &m);
		if (m.kind == BUS_PUBLISHED) outbox_take(c, &m);
	}
	return did;
}

void control_inbox_drop(struct control *c) {
	list_each_safe(it, &c->inbox) {
		struct work *w = container_of(it, struct work, node);
		if (w->command)
			command_answer(c, w->tag, ERR_AGAIN, "control is reading its state back; try again");
		else
			settle(c, w->receipt, false, 0, STR("control reads its state back"));
		work_done(c, w);
	}
}

/* ---- what an event does to its incident ---- */

static struct wall time_of(const struct json *v) {
	struct wall t = { 0 };
	struct str s = json_str(v);
	return s.n && wall_parse(s.p, s.n, &t) ? t : (struct wall){ 0 };
}

static struct str raw_copy(struct arena *a, const struct json *v, size_t max) {
	if (!v || v->kind == JSON_NULL || v->text.n > max) return (struct str){ 0 };
	return row_text(a, v->text);
}

/* The change that makes the event's effect durable, and acknowledges it then. */
static struct change *record(struct control *c, struct work *w, struct incident_row *in, const char *kind,
                             struct str body) {
	struct change *ch = change_new(c, in, NULL);
	if (!ch) return NULL;
	ch->has_receipt = true;
	ch->receipt = w->receipt;
	if (kind) change_note(c, ch, kind, STR(FLYBALL), body);
	return ch;
}

static void ignore(struct control *c, struct work *w) {
	c->n.events_ignored++;
	settle(c, w->receipt, true, 0, (struct str){ 0 });
	work_done(c, w);
}

static struct str opened_body(struct work *w, const struct incident_row *in) {
	return str_printf(&w->arena, "{\"severity\":%.4f,\"entities\":" STR_FMT "}", in->severity,
	                  STR_ARG(in->entities.n ? in->entities : STR("[]")));
}

static void opened_again(struct control *c, struct work *w, struct incident_row *in, double severity) {
	if (severity <= in->severity_now) {
		ignore(c, w);
		return;
	}
	in->severity_now = severity;
	if (!record(c, w, in, NULL, (struct str){ 0 })) {
		refuse(c, w, RETRY_NS_MIN, "out of memory");
		return;
	}
	work_done(c, w);
}

static void opened(struct control *c, struct work *w, struct incident_row *in) {
	const struct json *v = w->data;
	double severity = json_double(json_get(v, "severity"), NAN);
	if (!(severity >= 0 && severity <= 1)) {
		refuse(c, w, -1, "INCIDENT_OPENED: severity must be in 0..1");
		return;
	}
	if (in) {
		opened_again(c, w, in, severity);
		return;
	}
	enum err e = rows_incident_new(&c->rows, json_str(json_get(v, "incident")), &in);
	if (e) {
		c->n.incidents_full += e == ERR_FULL;
		refuse(c, w, 5 * NS_PER_SEC, e == ERR_FULL ? "too many incidents are open" : "out of memory");
		return;
	}
	struct arena *a = &in->arena;
	in->opened = time_of(json_get(v, "opened"));
	if (!in->opened.ns) in->opened = w->event.time.ns ? w->event.time : c->wall;
	in->onset = time_of(json_get(v, "onset"));
	in->delivered = time_of(json_get(v, "delivered"));
	in->severity = in->severity_now = severity;
	in->subject = row_text(a, w->event.subject);
	in->engine = row_text(a, json_str(json_get(v, "engine")));
	in->entities = raw_copy(a, json_get(v, "entities"), EVENT_DATA_BYTES_MAX);
	in->signals = raw_copy(a, json_get(v, "signals"), EVENT_DATA_BYTES_MAX);
	in->look = true;
	in->patience_until.ns = c->now.ns + c->policy->patience_ns;
	if (!record(c, w, in, "incident_opened", opened_body(w, in))) {
		rows_incident_drop(&c->rows, in);
		refuse(c, w, RETRY_NS_MIN, "out of memory");
		return;
	}
	work_done(c, w);
}

/* The report replaces the one before; what is decided on it is decided in incident_step. */
static void report(struct control *c, struct work *w, struct incident_row *in) {
	struct cause next;
	struct why why;
	if (w->event.data.n > EVENT_DATA_BYTES_MAX) {
		refuse(c, w, -1, "RCA_REPORT: larger than 64 KiB");
		return;
	}
	if (cause_read(&w->arena, w->event.data, &next, &why)) {
		refuse(c, w, -1, why.text);
		return;
	}
	bool same = in->has_report && cause_same(&in->cause, &next) && in->cause.confidence >= next.confidence;
	arena_reset(&in->report);
	in->rca = row_text(&in->report, w->event.data);
	if (!in->rca.n || cause_copy(&in->report, &next, &in->cause)) {
		refuse(c, w, RETRY_NS_MIN, "out of memory");
		control_forget(c, RETRY_NS_MIN, "a report could not be kept");
		return;
	}
	in->has_report = true;
	if (!same) in->passed_over_count = 0; /* another target may be found */
	in->report_at = w->event.time.ns ? w->event.time : c->wall;
	if (w->event.severity >= 0 && w->event.severity <= 1) in->severity_now = w->event.severity;
	if (in->state == INCIDENT_ESCALATED && !same && escalation_may_change(in->escalation)) {
		in->state = INCIDENT_OPEN;
		in->look = true;
	}
	if (in->state == INCIDENT_OPEN) in->look = true;
	in->plan_again.ns = 0; /* what waited for a better report has one to look at */
	if (!record(c, w, in, "report", in->cause.none ? STR("{\"none\":true}") : in->cause.json)) {
		refuse(c, w, RETRY_NS_MIN, "out of memory");
		return;
	}
	work_done(c, w);
}

static void resolved(struct control *c, struct work *w, struct incident_row *in) {
	const struct json *v = w->data;
	enum resolved_how how;
	if (!resolved_how_parse(json_str(json_get(v, "how")), &how)) {
		refuse(c, w, -1, "INCIDENT_RESOLVED: how must be in_band, no_data or adopted");
		return;
	}
	if (in->how != HOW_OPEN) {
		ignore(c, w);
		return;
	}
	in->how = how;
	in->resolved = time_of(json_get(v, "resolved"));
	if (!in->resolved.ns) in->resolved = w->event.time.ns ? w->event.time : c->wall;
	in->in_band_since = time_of(json_get(v, "in_band_since"));
	in->end_signals = raw_copy(&in->arena, json_get(v, "signals"), EVENT_DATA_BYTES_MAX);
	in->look = true; /* incident_step closes it, when its action is over */
	if (!record(c, w, in, "incident_resolved", str_printf(&w->arena, "{\"how\":\"%s\"}", resolved_how_name(how)))) {
		refuse(c, w, RETRY_NS_MIN, "out of memory");
		return;
	}
	work_done(c, w);
}

/* ---- stale signals ---- */

static uint32_t bits_of(const struct json *names) {
	uint32_t bits = 0;
	json_each(it, names)
		for (int k = 0; k < SIGNAL_KINDS; k++)
			if (str_is(json_str(it), signal_kind_name((enum signal_kind)k))) bits |= 1U << k;
	return bits;
}

static struct str stale_value(struct arena *a, struct str entity, uint32_t bits) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	struct json_out o = json_out(&buf);
	json_begin_object(&o);
	json_kv_str(&o, "entity", entity);
	json_key(&o, "signals");
	json_begin_array(&o);
	for (int k = 0; k < SIGNAL_KINDS; k++)
		if (bits >> k & 1) json_put_c(&o, signal_kind_name((enum signal_kind)k));
	json_end_array(&o);
	json_end_object(&o);
	return buf.err ? (struct str){ 0 } : str_copy(a, buf_get(&buf));
}

static void data_stale(struct control *c, struct work *w) {
	struct str entity = json_str(json_get(w->data, "entity"));
	struct str state = json_str(json_get(w->data, "state"));
	uint32_t bits = bits_of(json_get(w->data, "signals"));
	if (!entity.n || entity.n > 512 || !bits) {
		refuse(c, w, -1, "DATA_STALE: it needs an entity and the names of signals");
		return;
	}
	uint32_t before = (uint32_t)(uintptr_t)map_get(&c->stale, entity);
	bool gone = str_is(state, "stale") || str_is(state, "absent");
	uint32_t after = gone ? before | bits : before & ~bits;
	struct change *ch = record(c, w, NULL, NULL, (struct str){ 0 });
	if (!ch) {
		refuse(c, w, RETRY_NS_MIN, "out of memory");
		return;
	}
	stale_set(c, entity, after);
	ch->key = str_printf(&ch->arena, "control/stale/" STR_FMT, STR_ARG(entity));
	ch->value = after ? stale_value(&ch->arena, entity, after) : (struct str){ 0 };
	ch->expires.ns = c->wall.ns + NS_PER_DAY;
	work_done(c, w);
}

/* ---- matching work with rows ---- */

static const char *row_kind(const struct work *w) {
	if (!w->command) return w->type == EVENT_DATA_STALE ? NULL : "incident";
	switch (w->order.kind) {
	case COMMAND_APPROVE:
	case COMMAND_REJECT:
	case COMMAND_UNDO: return "action";
	case COMMAND_ACK:
	case COMMAND_WRONG:
	case COMMAND_MUTE: return "incident";
	default: return NULL;
	}
}

static struct str row_id(const struct work *w) {
	return w->command ? w->order.id : json_str(json_get(w->data, "incident"));
}

static bool row_here(const struct control *c, const struct work *w, const char *kind) {
	return strcmp(kind, "action") == 0 ? rows_action(&c->rows, row_id(w)) != NULL
	                                   : rows_incident(&c->rows, row_id(w)) != NULL;
}

static bool fetch(struct control *c, struct work *w, const char *kind) {
	struct str key = str_printf(&w->arena, "%s/" STR_FMT, kind, STR_ARG(row_id(w)));
	struct state_query q = { .prefix = key, .exact = true, .limit = 1 };
	if (!key.p || state_query(c->state, &q, tag_make(c, TAG_FETCH, w->serial))) return false;
	w->fetching = true;
	return true;
}

void event_take(struct control *c, struct work *w, struct incident_row *in) {
	switch (w->type) {
	case EVENT_INCIDENT_OPENED: opened(c, w, in); return;
	case EVENT_DATA_STALE: data_stale(c, w); return;
	default: break;
	}
	if (!in) {
		refuse(c, w, -1, "its incident is not known (yet)");
		return;
	}
	if (in->state == INCIDENT_RESOLVED) {
		ignore(c, w);
		return;
	}
	if (w->type == EVENT_RCA_REPORT)
		report(c, w, in);
	else
		resolved(c, w, in);
}

static void take(struct control *c, struct work *w) {
	if (w->command)
		command_take(c, w);
	else
		event_take(c, w, rows_incident(&c->rows, row_id(w)));
}

/* True: the event can be worked on. Else it was refused, and is gone. */
static bool readable(struct control *c, struct work *w) {
	struct why why;
	if (w->command || w->data) return true;
	if (w->type != EVENT_INCIDENT_OPENED && w->type != EVENT_INCIDENT_RESOLVED && w->type != EVENT_RCA_REPORT &&
	    w->type != EVENT_DATA_STALE) {
		ignore(c, w);
		return false;
	}
	if (json_parse(&w->arena, w->event.data, &w->data, &why)) {
		refuse(c, w, -1, why.text);
		return false;
	}
	if (w->type != EVENT_DATA_STALE && row_id(w).n != ULID_LEN) {
		refuse(c, w, -1, "data.incident must be a ULID");
		return false;
	}
	return true;
}

bool control_inbox_step(struct control *c) {
	bool did = false;
	list_each_safe(it, &c->inbox) {
		struct work *w = container_of(it, struct work, node);
		uint32_t generation = c->generation;
		if (w->fetching || c->now.ns < w->again.ns || !readable(c, w)) continue;
		const char *kind = row_kind(w);
		if (kind && row_id(w).n != ULID_LEN) w->missing = true; /* no row has such a name */
		if (kind && !w->missing && !row_here(c, w, kind)) {
			did |= fetch(c, w, kind);
			continue;
		}
		take(c, w);
		did = true;
		if (generation != c->generation) return true; /* the inbox was dropped */
	}
	return did;
}

static struct work *work_serial(struct control *c, uint32_t serial) {
	list_each(it, &c->inbox) {
		struct work *w = container_of(it, struct work, node);
		if (w->serial == serial) return w;
	}
	return NULL;
}

/* The row is back, or there is none: the work is done before the row could be let go again. */
void control_inbox_fetched(struct control *c, const struct state_done *done) {
	struct work *w = work_serial(c, tag_serial(done->tag));
	if (!w) return;
	w->fetching = false;
	if (done->err) {
		w->again.ns = c->now.ns + RETRY_NS_MIN;
		return;
	}
	const char *kind = row_kind(w);
	enum err e = OK;
	struct incident_row *in;
	struct action_row *act;
	w->missing = !done->count;
	if (done->count && !row_here(c, w, kind)) {
		bool action = strcmp(kind, "action") == 0;
		struct str json = done->items[0].value;
		e = action ? load_action(c, row_id(w), json, &act) : load_incident(c, row_id(w), json, &in);
		if (!e && !action) in->look = false;
	}
	if (e && w->command) {
		command_answer(c, w->tag, e, "its row could not be read");
		work_done(c, w);
	} else if (e) {
		refuse(c, w, 5 * NS_PER_SEC, "its row could not be read");
	} else {
		take(c, w);
	}
}
