/* The outbox: events wait here until they are durable on the bus.
 *
 * Events of incidents are written to the state store first, with the incidents themselves (keep.c), so that
 * a crash between deciding and telling loses nothing; on the way back they are published again under
 * the same ids, which the bus takes for one. Others go at once and may be shed when the box is full. When it is
 * full of incidents' events, incidents wait: none opens, ends or names a cause until there is room. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "observe/observer_in.h"

static void event_free(struct out_event *e) {
	buf_done(&e->data);
}

static void outbox_remove(struct observer *ob, uint32_t i) {
	event_free(&ob->outbox[i]);
	memmove(&ob->outbox[i], &ob->outbox[i + 1], (ob->out_count - i - 1) * sizeof *ob->outbox);
	ob->out_count--;
}

bool publish_room(const struct observer *ob) {
	uint32_t kept = 0;
	if (ob->out_count < OUTBOX_MAX) return true;
	for (uint32_t i = 0; i < ob->out_count; i++) kept += ob->outbox[i].kept || ob->outbox[i].in_flight;
	return kept < OUTBOX_MAX;
}

static bool outbox_place(struct observer *ob) {
	if (!ob->outbox) ob->outbox = calloc(OUTBOX_MAX, sizeof *ob->outbox);
	if (!ob->outbox) return false;
	if (ob->out_count < OUTBOX_MAX) return true;
	for (uint32_t i = 0; i < ob->out_count; i++) {
		if (ob->outbox[i].kept || ob->outbox[i].in_flight) continue;
		outbox_remove(ob, i);
		ob->counts.events_dropped++;
		return true;
	}
	return false;
}

/* An incident's events are told apart by their number, whenever and how often they are made. */
static void id_make(struct observer *ob, struct out_event *e, struct incident *in) {
	if (!in) {
		ulid_make((struct wall){ e->time_ns }, &ob->o.rng, e->id);
		return;
	}
	char text[ULID_LEN + 1 + sizeof in->events];
	memcpy(text, in->id, ULID_LEN);
	text[ULID_LEN] = (char)e->type;
	in->events++;
	memcpy(text + ULID_LEN + 1, &in->events, sizeof in->events);
	struct rng rng = rng_seeded(hash64((struct str){ text, sizeof text }));
	/* The time in the id is the incident's own, so that it is the same when it is made again later. */
	ulid_make((struct wall){ in->opened_ns + in->events * NS_PER_MS }, &rng, e->id);
}

struct out_event *publish_new(struct observer *ob, enum event_type type, struct str subject, double severity,
                              struct incident *in) {
	if (!outbox_place(ob)) {
		ob->counts.events_dropped++;
		return NULL;
	}
	struct out_event *e = &ob->outbox[ob->out_count++];
	*e = (struct out_event){ .type = type, .time_ns = ob->now_ns, .severity = severity, .kept = in != NULL };
	size_t n = subject.n < sizeof e->subject - 1 ? subject.n : sizeof e->subject - 1;
	memcpy(e->subject, subject.p, n);
	id_make(ob, e, in);
	buf_init(&e->data, EVENT_BYTES_MAX - 4096);
	if (in) e->keep = ++ob->keep_wanted;
	return e;
}

static bool ready_to_go(const struct observer *ob, const struct out_event *e) {
	return !e->in_flight && (!e->kept || e->keep <= ob->keep_done);
}

static enum err send_one(struct observer *ob, struct out_event *e) {
	struct event x = {
		.id = { e->id, ULID_LEN },
		.source = STR("/flyball/observe"),
		.type = str_of(event_type_name(e->type)),
		.subject = str_of(e->subject),
		.time = { e->time_ns },
		.severity = e->severity,
		.region = ob->o.region,
		.data = buf_get(&e->data),
	};
	e->tag = ++ob->next_tag;
	enum err r = ob->o.bus->ops->publish(ob->o.bus, &x, e->tag);
	if (!r) e->in_flight = true;
	return r;
}

bool publish_step(struct observer *ob) {
	bool did = false;
	for (uint32_t i = 0; i < ob->out_count; i++) {
		struct out_event *e = &ob->outbox[i];
		if (!ready_to_go(ob, e)) continue;
		if (e->data.err) {
			ob->counts.events_dropped++;
			outbox_remove(ob, i--);
			continue;
		}
		enum err r = send_one(ob, e);
		if (r == ERR_FULL || r == ERR_AGAIN) break; /* back-pressure: later */
		did = true;
		if (!r) continue;
		log_event(ob->o.log, LOG_ERROR, "observe.publish", "type=%s err=%s", event_type_name(e->type), err_name(r));
		ob->counts.events_dropped++;
		outbox_remove(ob, i--);
	}
	return did;
}

bool publish_done(struct observer *ob, uint64_t tag, enum err e) {
	for (uint32_t i = 0; i < ob->out_count; i++) {
		struct out_event *x = &ob->outbox[i];
		if (!x->in_flight || x->tag != tag) continue;
		x->in_flight = false;
		if (!e) {
			ob->counts.events++;
			outbox_remove(ob, i);
		} else if (e == ERR_INVALID || e == ERR_TOO_LARGE) {
			ob->counts.events_dropped++;
			outbox_remove(ob, i);
		}
		return true; /* anything else: the store is ill; it is tried again */
	}
	return false;
}

void publish_forget(struct observer *ob) {
	for (uint32_t i = ob->out_count; i-- > 0;)
		if (ob->outbox[i].kept) outbox_remove(ob, i);
}

void publish_free(struct observer *ob) {
	for (uint32_t i = 0; i < ob->out_count; i++) event_free(&ob->outbox[i]);
	free(ob->outbox);
	ob->outbox = NULL;
	ob->out_count = 0;
}
