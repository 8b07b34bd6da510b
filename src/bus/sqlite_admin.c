/* The bus in SQLite, for people: the archive, the dead letters, depths. A long walk is cut into steps, each
 * in a batch of its own, so that the events go on. */
#include <string.h>

#include "bus/sqlite.h"

#define LIST_STEP   2000 /* rows that one batch looks at */
#define CHANGE_STEP 256  /* dead letters that one batch moves */

/* ---- on the lane: lists ---- */

/* The first position that came at `since` or later; the archive is in order of time. */
static enum err position_at(struct bus_lane *l, int64_t since, uint64_t *out) {
	uint64_t low = l->now.oldest, high = l->now.last + 1; /* it is in [low, high] */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		int64_t position = 0, at = 0;
		enum err e = bus_one(bus_bind1(l, EVENT_FROM, (int64_t)middle), &position, &at);
		if (e) return e;
		if (!position || at >= since)
			high = middle;
		else
			low = (uint64_t)position + 1;
	}
	*out = low;
	return OK;
}

/* The walk's ends, both exclusive: r->at and r->last; downwards from r->last. */
static enum err begin_list(struct bus_lane *l, struct bus_request *r) {
	const struct bus_list *q = &r->list;
	uint64_t low = 0;
	enum err e = OK;
	if (!q->dead && q->since.ns && l->now.oldest) {
		e = position_at(l, q->since.ns, &low);
		low = low ? low - 1 : 0;
	}
	r->at = low;
	r->last = INT64_MAX;
	if (q->newest_first && q->after) r->last = q->after;
	if (!q->newest_first && q->after > low) r->at = q->after;
	r->listed = arena_array(&r->arena, struct bus_listed, (size_t)q->limit);
	return e || r->listed ? e : ERR_NOMEM;
}

static bool wanted(const struct bus_request *r, sqlite3_stmt *st) {
	const struct bus_list *q = &r->list;
	if (q->type.n && !str_eq(q->type, sql_column_str(st, q->dead ? 5 : 1))) return false;
	if (!q->dead) return true;
	return (r->every_queue || sqlite3_column_int64(st, 1) == (int64_t)r->queue) &&
	       sqlite3_column_int64(st, 6) >= q->since.ns;
}

static bool take(struct bus_lane *l, struct bus_request *r, sqlite3_stmt *st) {
	struct bus_listed *to = &r->listed[r->count];
	*to = (struct bus_listed){ .position = (uint64_t)sqlite3_column_int64(st, 0),
		                       .event = str_copy(&r->arena, sql_column_str(st, r->list.dead ? 4 : 2)) };
	if (r->list.dead) {
		int64_t queue = sqlite3_column_int64(st, 1);
		to->queue = str_of(queue >= 0 && queue < BUS_QUEUES_MAX ? l->names[queue] : "");
		to->receives = sqlite3_column_int64(st, 2);
		to->reason = str_copy(&r->arena, sql_column_str(st, 3));
	}
	r->bytes += to->event.n;
	r->count++;
	return to->event.p != NULL;
}

/* One row; false: the list is full, or memory is. */
static bool visit(struct bus_lane *l, struct bus_request *r, sqlite3_stmt *st) {
	if (wanted(r, st)) {
		size_t n = (size_t)sqlite3_column_bytes(st, r->list.dead ? 4 : 2);
		r->more = r->count == (size_t)r->list.limit || (r->count && r->bytes + n > BUS_LIST_BYTES);
		if (r->more) return false;
		if (!take(l, r, st)) {
			r->err = ERR_NOMEM;
			return false;
		}
	}
	uint64_t position = (uint64_t)sqlite3_column_int64(st, 0);
	if (r->list.newest_first)
		r->last = position;
	else
		r->at = position;
	return true;
}

enum err bus_lane_list(struct bus_lane *l, struct bus_request *r) {
	static const enum bus_statement walks[2][2] = { { EVENTS_UP, EVENTS_DOWN }, { DEAD_UP, DEAD_DOWN } };
	enum err e = r->listed ? OK : begin_list(l, r);
	if (e == ERR_NOMEM) {
		r->err = e; /* this answer's memory, nobody else's trouble */
		return OK;
	}
	if (e) return e;
	sqlite3_stmt *st =
		bus_bind3(l, walks[r->list.dead][r->list.newest_first], (int64_t)r->at, (int64_t)r->last, LIST_STEP);
	bool row = true;
	int rows = 0;
	r->again = true;
	while (r->again && !(e = sql_row(st, &row)) && row) {
		r->again = visit(l, r, st);
		rows++;
	}
	sqlite3_reset(st);
	if (rows < LIST_STEP) r->again = false;
	return e;
}

/* ---- on the lane: redrive and purge ---- */

/* The event is in no archive any more: it comes anew, or under the position where it came a second time. */
static enum err revive(struct bus_lane *l, sqlite3_stmt *st, int64_t *position, bool *fresh) {
	struct bus_request event = { .now_ns = l->now_ns,
		                         .id = sql_column_str(st, 8),
		                         .source = sql_column_str(st, 9),
		                         .type = sql_column_str(st, 5),
		                         .text = sql_column_str(st, 4) };
	enum err e = bus_lane_event(l, &event, fresh);
	*position = (int64_t)l->now.last;
	if (e || *fresh) return e;
	sqlite3_stmt *of = l->sql.statements[EVENT_OF];
	sql_bind_str(of, 1, event.id);
	sql_bind_str(of, 2, event.source);
	return bus_one(of, position, NULL);
}

static enum err redrive(struct bus_lane *l, sqlite3_stmt *st) {
	unsigned queue = (unsigned)sqlite3_column_int64(st, 1);
	int64_t position = sqlite3_column_int64(st, 7), there = 0;
	bool fresh = false;
	enum err e = bus_one(bus_bind1(l, EVENT_THERE, position), &there, NULL);
	if (!e && !there) e = revive(l, st, &position, &fresh);
	if (e) return e;
	/* Where the queue has it already, it has come a second time since. */
	int64_t has = 0;
	if (!there && !fresh) e = bus_one(bus_bind2(l, ITEM_HAS, queue, position), &has, NULL);
	if (e || has) return e;
	return bus_lane_item(l, queue, fresh ? DUE_NEW : l->now_ns, (uint64_t)position, l->now_ns);
}

static enum err change_one(struct bus_lane *l, struct bus_request *r, sqlite3_stmt *st) {
	int64_t queue = sqlite3_column_int64(st, 1);
	if (queue < 0 || queue >= l->now.queue_count) return OK;
	if (!r->every_queue && queue != (int64_t)r->queue) return OK;
	enum err e = r->admin == BUS_REDRIVE ? redrive(l, st) : OK;
	if (!e) e = sql_run(bus_bind1(l, DEAD_OUT, sqlite3_column_int64(st, 0)));
	if (!e) l->now.queues[queue].dead--;
	return e;
}

enum err bus_lane_change(struct bus_lane *l, struct bus_request *r) {
	int64_t last = 0;
	enum err e = r->last ? OK : bus_one(l->sql.statements[DEAD_LAST], &last, NULL);
	if (e) return e;
	if (!r->last) r->last = (uint64_t)last + 1; /* what dies again meanwhile is not moved twice */
	r->again = false;
	for (int i = 0; i < CHANGE_STEP; i++) {
		sqlite3_stmt *st = bus_bind3(l, DEAD_UP, (int64_t)r->at, (int64_t)r->last, 1);
		bool row = false;
		e = sql_row(st, &row);
		if (e || !row) return e;
		r->at = (uint64_t)sqlite3_column_int64(st, 0);
		e = change_one(l, r, st);
		sqlite3_reset(st);
		if (e) return e;
	}
	r->again = true;
	return OK;
}

/* ---- on the loop ---- */

static struct handle *handle_of(struct bus *bus) {
	return container_of(bus, struct handle, bus);
}

static struct str copy(char **to, struct str s) {
	struct str c = { *to, s.n };
	if (s.n) memcpy(*to, s.p, s.n);
	*to += s.n;
	return c;
}

static enum err x_list(struct bus *bus, const struct bus_list *q, uint64_t tag) {
	struct handle *h = handle_of(bus);
	struct backend *b = h->backend;
	unsigned queue = 0;
	if (q->limit < 1 || q->limit > BUS_LIST_MAX) return ERR_INVALID;
	if (q->queue.n && !bus_queue_named(b, q->queue, &queue)) return ERR_NOT_FOUND;
	struct bus_request *r = bus_request_new(b, LIST, q->type.n);
	if (!r) return ERR_NOMEM;
	char *room = (char *)(r + 1);
	r->tag = tag;
	r->message.kind = BUS_LISTED;
	r->list = *q;
	r->list.type = copy(&room, q->type);
	r->queue = queue;
	r->every_queue = !q->queue.n;
	enum err e = bus_request_submit(b, h, r, 256 << 10, false);
	if (e) bus_request_free(r);
	return e;
}

static enum err x_change(struct bus *bus, enum bus_admin what, struct str name, uint64_t tag) {
	struct handle *h = handle_of(bus);
	struct backend *b = h->backend;
	unsigned queue = 0;
	if (name.n && !bus_queue_named(b, name, &queue)) return ERR_NOT_FOUND;
	struct bus_request *r = bus_request_new(b, CHANGE, 0);
	if (!r) return ERR_NOMEM;
	r->tag = tag;
	r->message.kind = BUS_SETTLED;
	r->admin = what;
	r->queue = queue;
	r->every_queue = !name.n;
	enum err e = bus_request_submit(b, h, r, 1 << 10, false);
	if (e) bus_request_free(r);
	return e;
}

static void add(const struct backend *b, unsigned q, struct bus_stats *out) {
	const struct queue_shot *s = &b->shot.queues[q];
	int64_t in_flight = b->queues[q].in_flight, age = s->rows ? bus_now(b) - s->oldest_at : 0;
	out->waiting += s->rows > in_flight ? s->rows - in_flight : 0;
	out->in_flight += in_flight;
	out->dead += s->dead;
	if (age > out->oldest_age_ns) out->oldest_age_ns = age;
}

static void x_stats(struct bus *bus, struct str name, struct bus_stats *out) {
	struct backend *b = handle_of(bus)->backend;
	unsigned queue = 0;
	*out = (struct bus_stats){ 0 };
	if (name.n && !bus_queue_named(b, name, &queue)) return;
	out->archived = b->shot.archived;
	for (unsigned q = 0; q < b->queue_count; q++)
		if (!name.n || q == queue) add(b, q, out);
}

const struct bus_admin_ops bus_sqlite_admin = { x_list, x_change, x_stats };
