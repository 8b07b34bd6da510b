/* What a daemon left behind, read by the product's own interfaces: the state store and the bus are opened
 * on the host that it ran on, by a program that only asks. */
#include <string.h>

#include "sim/memory.h"
#include "sim/run/impl.h"
#include "store/state.h"

#define PAGE      500
#define PAGE_TAG  1
#define WRITE_TAG 2
#define READ_NS   (10 * NS_PER_MIN) /* virtual; a page takes milliseconds */
#define DEAD_MAX  100000
#define ITEMS_MAX 1000000

enum phase { EVENTS, DEAD, ITEMS, TAMPER, OVER };

struct reader {
	struct run *run;
	struct arena *a;
	struct state *state;
	struct bus *bus;
	enum phase phase;
	bool asked;
	uint64_t after_event;
	struct str after_key;
	struct buf events; /* JSON array */
	size_t event_count;
	struct run_dead *dead;
	size_t dead_count, dead_cap;
	struct run_item *items;
	size_t item_count, item_cap;
	struct bus_stats stats;
	enum err err;
	struct why why;
};

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct reader *r = self;
	enum err e = state_open(&host->world, STR("sqlite:///" RUN_STATE_DIR "/state.db"), &r->state, why);
	if (!e) e = bus_open(&host->world, STR("sqlite:///" RUN_STATE_DIR "/bus.db"), &r->bus, why);
	if (e) {
		state_close(r->state);
		r->state = NULL;
	}
	return e;
}

static void fail(struct reader *r, enum err e, const char *why) {
	r->err = why_set(&r->why, e, "the event store cannot be read: %s", why ? why : err_text(e));
	r->phase = OVER;
}

/* ---- asking for the next page ---- */

static enum err ask_bus(struct reader *r) {
	struct bus_list q = { .after = r->after_event, .dead = r->phase == DEAD, .limit = PAGE };
	if (r->phase == EVENTS) q.since = run_epoch(r->run);
	return r->bus->admin->list(r->bus, &q, PAGE_TAG);
}

static enum err ask_state(struct reader *r) {
	struct state_query q = { .after = r->after_key, .limit = PAGE };
	return state_query(r->state, &q, PAGE_TAG);
}

/* Somebody writes into the store behind Flyball's back: a forged entry of the decision log, whose hash no longer
 * follows from the one before; or an action that looks half done. */
static enum err tamper(struct reader *r) {
	bool log = r->run->o.broken == BREAK_LOG;
	struct str where = log ? STR("audit/0") : STR("action/");
	struct str from = log ? STR("\"flyball\"") : STR("\"state\":\"verified\"");
	struct str to = log ? STR("\"nobody_\"") : STR("\"state\":\"applied\" ");
	for (size_t i = 0; i < r->item_count; i++) {
		struct run_item *it = &r->items[i];
		char *word = str_starts(it->key, where) ? memmem(it->value.p, it->value.n, from.p, from.n) : NULL;
		if (!word) continue;
		memcpy(word, to.p, to.n);
		struct state_write w = { .effect = STATE_PUT, .check = STATE_ANY, .key = it->key, .value = it->value };
		return state_transact(r->state, &w, 1, WRITE_TAG);
	}
	r->phase = OVER; /* there is nothing to forge */
	return OK;
}

static bool ask(struct reader *r) {
	if (r->asked || r->phase == OVER) return false;
	enum err e = r->phase == TAMPER ? tamper(r) : r->phase == ITEMS ? ask_state(r) : ask_bus(r);
	if (e)
		fail(r, e, NULL);
	else
		r->asked = r->phase != OVER;
	return true;
}

/* ---- taking it in ---- */

static void next_phase(struct reader *r) {
	r->after_event = 0;
	r->phase++;
	if (r->phase == TAMPER && r->run->o.broken != BREAK_LOG && r->run->o.broken != BREAK_ROW) r->phase = OVER;
}

static void keep_dead(struct reader *r, const struct bus_listed *l) {
	if (r->dead_count == r->dead_cap) {
		r->dead_cap = r->dead_cap ? r->dead_cap * 2 : 16;
		r->dead = must_grow(r->dead, r->dead_cap, sizeof *r->dead);
	}
	r->dead[r->dead_count++] =
		(struct run_dead){ str_copy(r->a, l->queue), str_copy(r->a, l->reason), str_copy(r->a, l->event) };
}

static void take_listed(struct reader *r, const struct bus_msg *m) {
	r->asked = false;
	if (m->err) {
		fail(r, m->err, m->why);
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		const struct bus_listed *l = &m->list[i];
		r->after_event = l->position;
		if (r->phase == DEAD) {
			keep_dead(r, l);
			continue;
		}
		if (r->event_count++) buf_byte(&r->events, ',');
		buf_str(&r->events, l->event);
	}
	if (m->count < PAGE) next_phase(r);
}

static void take_items(struct reader *r, const struct state_done *d) {
	r->asked = false;
	if (d->err) {
		fail(r, d->err, d->why);
		return;
	}
	if (d->tag == WRITE_TAG) {
		r->phase = OVER;
		return;
	}
	for (size_t i = 0; i < d->count; i++) {
		if (r->item_count == r->item_cap) {
			r->item_cap = r->item_cap ? r->item_cap * 2 : 256;
			r->items = must_grow(r->items, r->item_cap, sizeof *r->items);
		}
		struct run_item *it = &r->items[r->item_count++];
		*it = (struct run_item){ str_copy(r->a, d->items[i].key), str_copy(r->a, d->items[i].value) };
		r->after_key = it->key;
	}
	if (!d->more) next_phase(r);
}

static bool step(void *self) {
	struct reader *r = self;
	struct bus_msg m;
	struct state_done d;
	bool did = ask(r);
	while (r->bus->ops->poll(r->bus, &m))
		if (m.kind == BUS_LISTED) take_listed(r, &m), did = true;
	while (state_poll(r->state, &d)) take_items(r, &d), did = true;
	if (r->phase == OVER) r->bus->admin->stats(r->bus, (struct str){ 0 }, &r->stats);
	return did && r->phase != OVER;
}

static struct mono next_due(void *self) {
	struct reader *r = self;
	return r->phase == OVER ? (struct mono){ INT64_MAX } : r->bus->ops->next_due(r->bus);
}

static void stop(void *self) {
	struct reader *r = self;
	state_close(r->state);
	bus_close(r->bus);
	r->state = NULL;
	r->bus = NULL;
}

static const struct sim_program reader_program = { start, step, next_due, stop };

/* ---- in place of the daemon ---- */

static void retire(struct run *r) {
	r->stopped = true;
	sim_host_stop(&r->host[RUN_FLYBALL]);
	run_plan_calm(r);
	r->host[RUN_FLYBALL].fuse = (struct sim_fuse){ 0 };
}

static enum err read_all(struct run *r, struct reader *reader, struct why *why) {
	struct sim_host *h = &r->host[RUN_FLYBALL];
	int64_t until = r->queue.now_ns + READ_NS;
	h->program = &reader_program;
	h->self = reader;
	enum err e = sim_host_start(h, why);
	if (e) return e;
	while (reader->phase != OVER && sim_queue_next(&r->queue, until)) r->trace.now_ns = r->queue.now_ns;
	if (reader->phase != OVER) fail(reader, ERR_TIMEOUT, NULL);
	sim_host_stop(h);
	if (reader->err) *why = reader->why;
	return reader->err;
}

static enum err hand_over(struct run *r, struct reader *reader, struct run_record *out, struct why *why) {
	buf_byte(&reader->events, ']');
	struct str text = str_copy(reader->a, buf_get(&reader->events));
	if (reader->events.err || !text.p) return ERR_NOMEM;
	*out = (struct run_record){
		.event_count = reader->event_count,
		.dead_count = reader->dead_count,
		.waiting = reader->stats.waiting,
		.in_flight = reader->stats.in_flight,
		.item_count = reader->item_count,
		.heads = r->heads,
		.head_count = r->head_count,
	};
	struct run_dead *dead = arena_array(reader->a, struct run_dead, reader->dead_count + 1);
	struct run_item *items = arena_array(reader->a, struct run_item, reader->item_count + 1);
	if (!dead || !items) return ERR_NOMEM;
	if (reader->dead_count) memcpy(dead, reader->dead, reader->dead_count * sizeof *dead);
	if (reader->item_count) memcpy(items, reader->items, reader->item_count * sizeof *items);
	out->dead = dead;
	out->items = items;
	return json_parse(reader->a, text, &out->events, why);
}

enum err run_read(struct run *r, struct arena *a, struct run_record *out, struct why *why) {
	struct reader reader = { .run = r, .a = a };
	buf_init(&reader.events, 0);
	buf_byte(&reader.events, '[');
	retire(r);
	enum err e = read_all(r, &reader, why);
	if (!e) e = hand_over(r, &reader, out, why);
	buf_done(&reader.events);
	free(reader.dead);
	free(reader.items);
	return e;
}

enum err run_export(struct run *r, struct disk *disk, const char *directory, struct why *why) {
	return sim_disk_export(&r->host[RUN_FLYBALL].disk, RUN_STATE_DIR, disk, directory, why);
}
