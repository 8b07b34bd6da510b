/* The bus in SQLite, the lane's half: events in, deliveries out, what is too old or too much. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/param.h"
#include "bus/sqlite.h"

#define BATCH_BYTES (INT64_C(4) << 20) /* of deliveries that one batch reads */

static const char *const steps[] = {
	/* Keys of ULIDs come in order, so their index grows at its end. Dead letters hold a copy: they
	 * outlive the archive. Their numbers are never used again. */
	"CREATE TABLE event(position INTEGER PRIMARY KEY, at INTEGER NOT NULL, id BLOB NOT NULL, source BLOB NOT NULL,"
	" type BLOB NOT NULL, body BLOB NOT NULL, UNIQUE(id, source));"
	"CREATE TABLE item(queue INTEGER NOT NULL, due INTEGER NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL,"
	" receives INTEGER NOT NULL, reason BLOB, PRIMARY KEY(queue, due, position)) WITHOUT ROWID;"
	"CREATE TABLE dead(number INTEGER PRIMARY KEY AUTOINCREMENT, queue INTEGER NOT NULL, position INTEGER NOT NULL,"
	" receives INTEGER NOT NULL, died INTEGER NOT NULL, reason BLOB NOT NULL, id BLOB NOT NULL, source BLOB NOT NULL,"
	" type BLOB NOT NULL, body BLOB NOT NULL);"
	"CREATE TABLE queue(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, pattern BLOB NOT NULL,"
	" visibility INTEGER NOT NULL, receives_max INTEGER NOT NULL, age_max INTEGER NOT NULL,"
	" backoff_min INTEGER NOT NULL, backoff_max INTEGER NOT NULL);",
};

#define ITEM "queue = ?1 AND due = ?2 AND position = ?3"
#define RECEIVED \
	"SELECT item.position, receives, item.at, due, body FROM item JOIN event USING(position) WHERE queue = ?1 AND "
#define DEAD_LIST "SELECT number, queue, receives, reason, body, type, died, position, id, source FROM dead WHERE "

static const char *const statements[BUS_STATEMENTS] = {
	[EVENT_IN] =
		"INSERT INTO event(position, at, id, source, type, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(id, "
		"source) DO NOTHING",
	[EVENT_OUT] = "DELETE FROM event WHERE position >= ?1 AND position < ?2 AND at < ?3",
	[EVENT_OLDEST] = "SELECT position, at FROM event ORDER BY position LIMIT 1",
	[EVENT_NEWEST] = "SELECT position, at FROM event ORDER BY position DESC LIMIT 1",
	[EVENT_FROM] = "SELECT position, at FROM event WHERE position >= ?1 ORDER BY position LIMIT 1",
	[EVENT_THERE] = "SELECT 1 FROM event WHERE position = ?1",
	[EVENT_OF] = "SELECT position FROM event WHERE id = ?1 AND source = ?2",
	[EVENTS_UP] =
		"SELECT position, type, body FROM event WHERE position > ?1 AND position < ?2 ORDER BY position LIMIT ?3",
	[EVENTS_DOWN] =
		"SELECT position, type, body FROM event WHERE position > ?1 AND position < ?2 ORDER BY position DESC "
		"LIMIT ?3",
	[ITEM_IN] = "INSERT INTO item(queue, due, position, at, receives) VALUES(?1, ?2, ?3, ?4, 0)",
	[ITEM_OUT] = "DELETE FROM item WHERE " ITEM,
	[ITEM_BACK] = "UPDATE item SET due = ?4, reason = ?5 WHERE " ITEM,
	[ITEM_RECEIVES] =
		"UPDATE item SET receives = receives + 1 WHERE queue = ?1 AND due = 0 AND position BETWEEN ?2 AND ?3",
	[ITEM_AGAIN] = "UPDATE item SET due = -1, receives = receives + 1 WHERE " ITEM,
	[ITEM_OLDEST] = "SELECT at FROM item WHERE queue = ?1 ORDER BY due, position LIMIT 1",
	[ITEM_NEXT_DUE] = "SELECT due FROM item WHERE queue = ?1 AND due > 0 ORDER BY due LIMIT 1",
	[ITEM_LOW_AGAIN] = "SELECT min(position) FROM item WHERE queue = ?1 AND due < 0",
	[ITEM_LOW_NEW] = "SELECT position FROM item WHERE queue = ?1 AND due = 0 ORDER BY position LIMIT 1",
	[ITEM_LOW_DELAYED] = "SELECT min(position) FROM item WHERE queue = ?1 AND due > 0",
	[ITEM_OF] = "SELECT receives, at FROM item WHERE " ITEM,
	[ITEM_HAS] = "SELECT count(*) FROM item WHERE queue = ?1 AND position = ?2",
	[READY] = RECEIVED "due = 0 AND item.position > ?2 ORDER BY item.position LIMIT ?3",
	[DUE] = RECEIVED "due > 0 AND due <= ?2 ORDER BY due, item.position LIMIT ?3",
	[OLD_READY] =
		"SELECT position, due, at FROM item WHERE queue = ?1 AND due = 0 AND position > ?2 ORDER BY position LIMIT "
		"1",
	[OLD_DELAYED] = "SELECT position, due, at FROM item WHERE queue = ?1 AND due > ?2 ORDER BY due, position LIMIT 1",
	[BURY] =
		"INSERT INTO dead(queue, position, receives, died, reason, id, source, type, body) SELECT queue, position, "
		"receives, ?4, ?5, id, source, type, body FROM item JOIN event USING(position) WHERE " ITEM,
	[QUEUE_IN] = "INSERT INTO queue VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(id) DO UPDATE SET "
				 "pattern = excluded.pattern, visibility = excluded.visibility, receives_max = excluded.receives_max, "
				 "age_max = excluded.age_max, backoff_min = excluded.backoff_min, backoff_max = excluded.backoff_max",
	[DEAD_UP] = DEAD_LIST "number > ?1 AND number < ?2 ORDER BY number LIMIT ?3",
	[DEAD_DOWN] = DEAD_LIST "number > ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
	[DEAD_OUT] = "DELETE FROM dead WHERE number = ?1",
	[DEAD_FIRST] = "SELECT number, queue, died FROM dead ORDER BY number LIMIT 1",
	[DEAD_LAST] = "SELECT number FROM dead ORDER BY number DESC LIMIT 1",
	[PAGES] = "PRAGMA page_count",
	[PAGE_SIZE] = "PRAGMA page_size",
	[PAGES_FREE] = "PRAGMA freelist_count",
};

const struct sql_schema bus_schema = {
	.what = "bus",
	.application = 0x46426275, /* "FBbu" */
	.lane = "bus",
	.steps = steps,
	.step_count = sizeof steps / sizeof *steps,
	.statements = statements,
	.statement_count = BUS_STATEMENTS,
};

static sqlite3_stmt *statement(struct bus_lane *l, enum bus_statement s) {
	return l->sql.statements[s];
}

sqlite3_stmt *bus_bind1(struct bus_lane *l, enum bus_statement s, int64_t a) {
	sqlite3_bind_int64(statement(l, s), 1, a);
	return statement(l, s);
}

sqlite3_stmt *bus_bind2(struct bus_lane *l, enum bus_statement s, int64_t a, int64_t b) {
	sqlite3_bind_int64(statement(l, s), 2, b);
	return bus_bind1(l, s, a);
}

sqlite3_stmt *bus_bind3(struct bus_lane *l, enum bus_statement s, int64_t a, int64_t b, int64_t c) {
	sqlite3_bind_int64(statement(l, s), 3, c);
	return bus_bind2(l, s, a, b);
}

enum err bus_one(sqlite3_stmt *st, int64_t *a, int64_t *b) {
	bool row = false;
	enum err e = sql_row(st, &row);
	*a = row ? sqlite3_column_int64(st, 0) : 0;
	if (b) *b = row ? sqlite3_column_int64(st, 1) : 0;
	sqlite3_reset(st);
	return e;
}

/* ---- events in ---- */

/* fresh: it was not there. */
enum err bus_lane_event(struct bus_lane *l, const struct bus_request *r, bool *fresh) {
	struct lane_state *s = &l->now;
	int64_t at = r->now_ns > s->last_at ? r->now_ns : s->last_at; /* so that the archive is in order of time */
	sqlite3_stmt *st = statement(l, EVENT_IN);
	sqlite3_bind_int64(st, 1, (int64_t)s->last + 1);
	sqlite3_bind_int64(st, 2, at);
	sql_bind_str(st, 3, r->id);
	sql_bind_str(st, 4, r->source);
	sql_bind_str(st, 5, r->type);
	sql_bind_str(st, 6, r->text);
	enum err e = sql_run(st);
	*fresh = !e && sqlite3_changes(l->sql.db) == 1;
	if (!*fresh) return e;
	s->last++;
	s->last_at = at;
	if (!s->oldest) s->oldest = s->last;
	l->published++;
	return OK;
}

static void hold_back(struct bus_lane *l, unsigned queue, uint64_t position) {
	uint64_t *low = &l->now.queues[queue].delayed_low;
	if (!*low || position < *low) *low = position;
}

enum err bus_lane_item(struct bus_lane *l, unsigned queue, int64_t due_ns, uint64_t position, int64_t at_ns) {
	sqlite3_stmt *st = bus_bind3(l, ITEM_IN, queue, due_ns, (int64_t)position);
	sqlite3_bind_int64(st, 4, at_ns);
	enum err e = sql_run(st);
	if (e) return e;
	l->now.queues[queue].rows++;
	if (due_ns > 0) hold_back(l, queue, position);
	return OK;
}

static enum err publish(struct bus_lane *l, struct bus_request *r) {
	bool fresh = false;
	if (l->now.full) {
		r->err = why_set(&r->why, ERR_FULL, "the bus is full: its queues wait for all that it may keep");
		return OK;
	}
	if (r->queues & ~l->now.defined) {
		r->err = why_set(&r->why, ERR_AGAIN, "a queue that wants the event could not be saved yet");
		return OK;
	}
	enum err e = bus_lane_event(l, r, &fresh);
	if (!fresh) return e;
	for (unsigned q = 0; q < l->now.queue_count && !e; q++)
		if (r->queues >> q & 1) e = bus_lane_item(l, q, 0, l->now.last, l->now.last_at);
	return e;
}

/* ---- what becomes of an item ---- */

static enum err item_out(struct bus_lane *l, unsigned queue, int64_t due_ns, uint64_t position) {
	enum err e = sql_run(bus_bind3(l, ITEM_OUT, queue, due_ns, (int64_t)position));
	if (!e) l->now.queues[queue].rows -= sqlite3_changes(l->sql.db);
	return e;
}

enum err bus_lane_bury(struct bus_lane *l, unsigned queue, int64_t due_ns, uint64_t position, struct str reason) {
	sqlite3_stmt *st = bus_bind3(l, BURY, queue, due_ns, (int64_t)position);
	sqlite3_bind_int64(st, 4, l->now_ns);
	sql_bind_str(st, 5, reason);
	enum err e = sql_run(st);
	if (e) return e;
	l->now.queues[queue].dead += sqlite3_changes(l->sql.db);
	return item_out(l, queue, due_ns, position);
}

/* Whether an item has had its time; then `text` says so, before the reason that was last given. */
bool bus_lane_spent(const struct bus_lane *l, unsigned queue, int64_t receives, int64_t at, struct str reason,
                    struct why *text) {
	const struct lane_queue *q = &l->now.queues[queue];
	char age[32];
	int shown = (int)(reason.n < sizeof text->text ? reason.n : sizeof text->text);
	const char *sep = reason.n ? ": " : "";
	if (receives >= q->receives_max) {
		why_set(text, OK, "received %lld times%s%.*s", (long long)receives, sep, shown, reason.p ? reason.p : "");
		return true;
	}
	if (l->now_ns - at < q->age_max_ns) return false;
	duration_format(q->age_max_ns, age);
	why_set(text, OK, "older than %s%s%.*s", age, sep, shown, reason.p ? reason.p : "");
	return true;
}

static enum err give_back(struct bus_lane *l, struct bus_request *r) {
	struct why text;
	int64_t receives = 0, at = 0;
	enum err e = bus_one(bus_bind3(l, ITEM_OF, r->queue, r->was_due, (int64_t)r->position), &receives, &at);
	if (e) return e;
	if (bus_lane_spent(l, r->queue, receives, at, r->reason, &text))
		return bus_lane_bury(l, r->queue, r->was_due, r->position, str_of(text.text));
	sqlite3_stmt *st = bus_bind3(l, ITEM_BACK, r->queue, r->was_due, (int64_t)r->position);
	sqlite3_bind_int64(st, 4, r->due_ns);
	sql_bind_str(st, 5, r->reason);
	hold_back(l, r->queue, r->position);
	return sql_run(st);
}

static enum err settle(struct bus_lane *l, struct bus_request *r) {
	struct lane_queue *q = &l->now.queues[r->queue];
	enum err e = OK;
	switch (r->how) {
	case SETTLE_ACK: e = item_out(l, r->queue, r->was_due, r->position); break;
	case SETTLE_BACK: e = give_back(l, r); break;
	case SETTLE_DEAD: e = bus_lane_bury(l, r->queue, r->was_due, r->position, r->reason); break;
	}
	r->credit = q->open;
	q->credit += r->credit;
	return e;
}

static enum err queue_in(struct bus_lane *l, struct bus_request *r) {
	struct lane_queue *q = &l->now.queues[r->queue];
	if (r->revoke) {
		q->open = false;
		q->credit = 0;
		return OK;
	}
	q->open = true;
	q->credit += r->credit;
	if (!r->save) return OK;
	const struct bus_queue_opts *o = &r->opts;
	q->receives_max = o->receives_max;
	q->age_max_ns = o->age_max_ns;
	if (l->now.queue_count <= r->queue) l->now.queue_count = r->queue + 1;
	l->now.defined |= UINT64_C(1) << r->queue;
	snprintf(l->names[r->queue], sizeof l->names[0], STR_FMT, STR_ARG(o->name));
	sqlite3_stmt *st = bus_bind1(l, QUEUE_IN, r->queue);
	sql_bind_str(st, 2, o->name);
	sql_bind_str(st, 3, o->pattern);
	sqlite3_bind_int64(st, 4, o->visibility_ns);
	sqlite3_bind_int64(st, 5, o->receives_max);
	sqlite3_bind_int64(st, 6, o->age_max_ns);
	sqlite3_bind_int64(st, 7, o->backoff_min_ns);
	sqlite3_bind_int64(st, 8, o->backoff_max_ns);
	return sql_run(st);
}

enum err bus_lane_run(struct bus_lane *l, struct bus_request *r) {
	if (r->now_ns > l->now_ns) l->now_ns = r->now_ns;
	switch (r->kind) {
	case PUBLISH: return publish(l, r);
	case SETTLE: return settle(l, r);
	case QUEUE: return queue_in(l, r);
	case TICK: return OK;
	case LIST: return bus_lane_list(l, r);
	case CHANGE: return bus_lane_change(l, r);
	}
	assert(!"a kind of request");
	return ERR_INVALID;
}

/* ---- deliveries out ---- */

struct received {
	uint64_t position;
	int64_t receives, at, due;
	struct delivery *delivery;
};

static struct delivery *delivery_new(unsigned queue, sqlite3_stmt *st) {
	/* An item that was held back is moved out of the way of the new ones. */
	bool again = sqlite3_column_int64(st, 3) > 0;
	struct str body = sql_column_str(st, 4);
	struct delivery *d = malloc(sizeof *d + body.n + 1);
	if (!d) return NULL;
	*d = (struct delivery){ .message.kind = BUS_DELIVERED,
		                    .queue = queue,
		                    .due_ns = again ? DUE_AGAIN : DUE_NEW,
		                    .position = (uint64_t)sqlite3_column_int64(st, 0),
		                    .receives = sqlite3_column_int64(st, 1) + 1,
		                    .n = body.n };
	memcpy(d->text, body.p, body.n);
	d->text[body.n] = '\0';
	return d;
}

/* At most `limit` rows of a select that is bound. What is read belongs to `out`. */
static enum err read_rows(struct bus_lane *l, unsigned queue, sqlite3_stmt *st, struct received *out, size_t limit,
                          size_t *n) {
	bool row = true;
	enum err e = OK;
	*n = 0;
	while (*n < limit && !(e = sql_row(st, &row)) && row) {
		struct delivery *d = l->delivered_bytes < BATCH_BYTES ? delivery_new(queue, st) : NULL;
		if (!d) {
			/* The rest comes with the next batch. */
			l->now.more = true;
			break;
		}
		l->delivered_bytes += (int64_t)d->n;
		out[(*n)++] = (struct received){ d->position, d->receives - 1, sqlite3_column_int64(st, 2),
			                             sqlite3_column_int64(st, 3), d };
	}
	sqlite3_reset(st);
	return e;
}

/* Tells it, or buries it where it has had its time. Takes the delivery. */
static enum err tell(struct bus_lane *l, unsigned queue, struct received *r, bool *told) {
	struct why text;
	*told = !bus_lane_spent(l, queue, r->receives, r->at, (struct str){ NULL, 0 }, &text);
	if (*told) {
		list_push(&l->delivered, &r->delivery->message.link);
		l->now.queues[queue].credit--;
		return OK;
	}
	free(r->delivery);
	return bus_lane_bury(l, queue, r->due, r->position, str_of(text.text));
}

static enum err receive_due(struct bus_lane *l, unsigned queue, size_t limit) {
	struct received rows[BUS_IN_FLIGHT_MAX];
	size_t n = 0;
	enum err e = read_rows(l, queue, bus_bind3(l, DUE, queue, l->now_ns, (int64_t)limit), rows, limit, &n);
	for (size_t i = 0; i < n; i++) {
		bool told = false;
		if (e)
			free(rows[i].delivery);
		else
			e = tell(l, queue, &rows[i], &told);
		if (!e && told) e = sql_run(bus_bind3(l, ITEM_AGAIN, queue, rows[i].due, (int64_t)rows[i].position));
	}
	return e;
}

static enum err receive_ready(struct bus_lane *l, unsigned queue, size_t limit) {
	struct received rows[BUS_IN_FLIGHT_MAX];
	struct lane_queue *q = &l->now.queues[queue];
	size_t n = 0;
	enum err e = read_rows(l, queue, bus_bind3(l, READY, queue, (int64_t)q->cursor, (int64_t)limit), rows, limit, &n);
	if (!e && n)
		e = sql_run(bus_bind3(l, ITEM_RECEIVES, queue, (int64_t)rows[0].position, (int64_t)rows[n - 1].position));
	for (size_t i = 0; i < n; i++) {
		bool told = false;
		if (e)
			free(rows[i].delivery);
		else
			e = tell(l, queue, &rows[i], &told);
	}
	if (!e && n) q->cursor = rows[n - 1].position;
	return e;
}

/* What was held back goes first, but never takes more than half while there is new work. */
static enum err receive(struct bus_lane *l, unsigned queue) {
	struct lane_queue *q = &l->now.queues[queue];
	if (q->credit <= 0 || !q->rows) return OK;
	assert(q->credit <= BUS_IN_FLIGHT_MAX);
	enum err e = receive_due(l, queue, (size_t)(q->credit + 1) / 2);
	if (!e && q->credit > 0) e = receive_ready(l, queue, (size_t)q->credit);
	if (!e && q->credit > 0) e = receive_due(l, queue, (size_t)q->credit);
	return e;
}

/* ---- a batch ---- */

static enum err take_shot(struct bus_lane *l) {
	struct bus_shot *shot = &l->shot;
	shot->archived = l->now.oldest ? (int64_t)(l->now.last - l->now.oldest + 1) : 0;
	shot->more = l->now.more;
	for (unsigned q = 0; q < l->now.queue_count; q++) {
		struct queue_shot *s = &shot->queues[q];
		*s = (struct queue_shot){ .rows = l->now.queues[q].rows, .dead = l->now.queues[q].dead };
		if (!s->rows) continue;
		enum err e = bus_one(bus_bind1(l, ITEM_OLDEST, q), &s->oldest_at, NULL);
		if (!e) e = bus_one(bus_bind1(l, ITEM_NEXT_DUE, q), &s->next_due, NULL);
		if (e) return e;
	}
	return OK;
}

enum err bus_lane_before(struct bus_lane *l) {
	enum err e = bus_lane_sweep(l);
	l->now.more = false;
	for (unsigned q = 0; q < l->now.queue_count && !e; q++) e = receive(l, q);
	if (!e) e = bus_lane_trim(l);
	return e ? e : take_shot(l);
}

void bus_lane_drop_deliveries(struct bus_lane *l) {
	for (struct list *i; (i = list_shift(&l->delivered));) free(container_of(i, struct delivery, message.link));
}

void bus_lane_after(struct bus_lane *l, enum err e) {
	if (e) {
		bus_lane_drop_deliveries(l);
		l->now = l->saved;
	} else {
		l->saved = l->now;
	}
	l->published = 0;
	l->delivered_bytes = 0;
}

/* ---- at the start ---- */

static enum err count_rows(struct bus_lane *l, const char *sql, bool dead) {
	sqlite3_stmt *st = NULL;
	enum err e = vfs_err(sqlite3_prepare_v2(l->sql.db, sql, -1, &st, NULL));
	bool row = true;
	while (!e && !(e = sql_row(st, &row)) && row) {
		int64_t q = sqlite3_column_int64(st, 0);
		if (q < 0 || q >= l->now.queue_count) continue;
		int64_t *to = dead ? &l->now.queues[q].dead : &l->now.queues[q].rows;
		*to = sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	return e;
}

static enum err load_queue(struct bus_lane *l, sqlite3_stmt *st, bus_queue_found *each, void *self, struct why *why) {
	int64_t id = sqlite3_column_int64(st, 0);
	if (id < 0 || id >= BUS_QUEUES_MAX)
		return why_set(why, ERR_CORRUPT, "bus database: a queue numbered %lld", (long long)id);
	struct bus_queue_opts o = {
		.name = sql_column_str(st, 1),
		.pattern = sql_column_str(st, 2),
		.visibility_ns = sqlite3_column_int64(st, 3),
		.receives_max = sqlite3_column_int64(st, 4),
		.age_max_ns = sqlite3_column_int64(st, 5),
		.backoff_min_ns = sqlite3_column_int64(st, 6),
		.backoff_max_ns = sqlite3_column_int64(st, 7),
	};
	struct lane_queue *q = &l->now.queues[id];
	q->receives_max = o.receives_max;
	q->age_max_ns = o.age_max_ns;
	snprintf(l->names[id], sizeof l->names[0], STR_FMT, STR_ARG(o.name));
	l->now.queue_count = (unsigned)id + 1;
	l->now.defined |= UINT64_C(1) << id;
	return each(self, (unsigned)id, &o, why);
}

static enum err load_queues(struct bus_lane *l, bus_queue_found *each, void *self, struct why *why) {
	sqlite3_stmt *st = NULL;
	bool row = true;
	enum err e = vfs_err(sqlite3_prepare_v2(l->sql.db, "SELECT * FROM queue ORDER BY id", -1, &st, NULL));
	while (!e && !(e = sql_row(st, &row)) && row) {
		e = load_queue(l, st, each, self, why);
		if (!e) continue;
		sqlite3_finalize(st);
		return e;
	}
	sqlite3_finalize(st);
	return e ? sql_why(&l->sql, "bus", e, why) : OK;
}

/* A clock that was wrong must not hold anything back for longer than a caller may ask for; what was in
 * flight is new again. */
static enum err free_items(struct bus_lane *l, int64_t now_ns) {
	char sql[120];
	long long latest = (long long)(now_ns + BUS_DELAY_MAX);
	snprintf(sql, sizeof sql, "UPDATE item SET due = %lld WHERE due > %lld", latest, latest);
	enum err e = sql_exec(l->sql.db, sql);
	return e ? e : sql_exec(l->sql.db, "UPDATE item SET due = 0 WHERE due < 0"); /* nobody has them any more */
}

enum err bus_lane_load(struct bus_lane *l, int64_t now_ns, bus_queue_found *each, void *self, struct why *why) {
	int64_t position = 0, at = 0, oldest = 0;
	list_init(&l->delivered);
	l->now_ns = now_ns;
	enum err e = load_queues(l, each, self, why);
	if (e) return e;
	int64_t page_size = 0;
	e = bus_one(statement(l, PAGE_SIZE), &page_size, NULL);
	l->pages_max = l->options.bytes / (page_size > 0 ? page_size : 4096);
	if (!e) e = free_items(l, now_ns);
	if (!e) e = count_rows(l, "SELECT queue, count(*) FROM item GROUP BY queue", false);
	if (!e) e = count_rows(l, "SELECT queue, count(*) FROM dead GROUP BY queue", true);
	if (!e) e = bus_one(statement(l, EVENT_NEWEST), &position, &at);
	if (!e) e = bus_one(statement(l, EVENT_OLDEST), &oldest, NULL);
	l->now.last = (uint64_t)position;
	l->now.last_at = at;
	l->now.oldest = (uint64_t)oldest;
	for (unsigned q = 0; q < l->now.queue_count && !e; q++) e = bus_lane_delayed_low(l, q);
	if (!e) e = take_shot(l);
	if (e) return sql_why(&l->sql, "bus", e, why);
	l->saved = l->now;
	return OK;
}
