/* The bus in SQLite, the lane's half: what is too old, what is too much. */
#include "bus/sqlite.h"

#define SWEEP_EVERY NS_PER_SEC /* looks at ages */
#define SWEEP_ROWS  32         /* of each queue, and of the dead letters, a look */
#define TRIM_ROWS   64         /* of the archive a batch, and twice what it published */

/* Items that nobody received in time, of the queue's new ones or of those held back. */
static enum err bury_old(struct bus_lane *l, unsigned queue, enum bus_statement which) {
	struct lane_queue *q = &l->now.queues[queue];
	for (int i = 0; i < SWEEP_ROWS; i++) {
		struct why text;
		bool row = false;
		sqlite3_stmt *st = bus_bind2(l, which, queue, which == OLD_READY ? (int64_t)q->cursor : 0);
		enum err e = sql_row(st, &row);
		uint64_t position = row ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
		int64_t due = row ? sqlite3_column_int64(st, 1) : 0, at = row ? sqlite3_column_int64(st, 2) : 0;
		sqlite3_reset(st);
		if (e || !row || !bus_lane_spent(l, queue, -1, at, (struct str){ NULL, 0 }, &text)) return e;
		e = bus_lane_bury(l, queue, due, position, str_of(text.text));
		if (e) return e;
	}
	return OK;
}

static enum err forget_dead(struct bus_lane *l) {
	for (int i = 0; i < SWEEP_ROWS; i++) {
		bool row = false;
		sqlite3_stmt *st = l->sql.statements[DEAD_FIRST];
		enum err e = sql_row(st, &row);
		int64_t number = row ? sqlite3_column_int64(st, 0) : 0, queue = row ? sqlite3_column_int64(st, 1) : 0;
		bool old = row && l->now_ns - sqlite3_column_int64(st, 2) >= l->options.dead_ns;
		sqlite3_reset(st);
		if (e || !old) return e;
		e = sql_run(bus_bind1(l, DEAD_OUT, number));
		if (e) return e;
		l->now.queues[queue].dead--;
	}
	return OK;
}

enum err bus_lane_sweep(struct bus_lane *l) {
	if (l->now_ns - l->now.swept_ns < SWEEP_EVERY) return OK;
	l->now.swept_ns = l->now_ns;
	enum err e = forget_dead(l);
	for (unsigned q = 0; q < l->now.queue_count && !e; q++) {
		if (!l->now.queues[q].rows) continue;
		e = bury_old(l, q, OLD_READY);
		if (!e) e = bury_old(l, q, OLD_DELAYED);
	}
	return e;
}

enum err bus_lane_delayed_low(struct bus_lane *l, unsigned queue) {
	int64_t position = 0;
	enum err e = bus_one(bus_bind1(l, ITEM_LOW_DELAYED, queue), &position, NULL);
	if (!e) l->now.queues[queue].delayed_low = (uint64_t)position;
	return e;
}

static void lower(uint64_t *low, uint64_t position) {
	if (position && position < *low) *low = position;
}

/* The oldest position that a queue still waits for. Those held back lie in another order, so they are walked:
 * at most once a second, and only where the archive is to be cut. */
static enum err find_low(struct bus_lane *l, uint64_t *low) {
	struct lane_state *s = &l->now;
	bool walk = l->now_ns - s->low_ns >= SWEEP_EVERY;
	if (walk) s->low_ns = l->now_ns;
	*low = s->last;
	for (unsigned q = 0; q < s->queue_count; q++) {
		int64_t again = 0, first = 0;
		if (!s->queues[q].rows) continue;
		enum err e = bus_one(bus_bind1(l, ITEM_LOW_AGAIN, q), &again, NULL);
		if (!e) e = bus_one(bus_bind1(l, ITEM_LOW_NEW, q), &first, NULL);
		if (!e && walk && s->queues[q].delayed_low) e = bus_lane_delayed_low(l, q);
		if (e) return e;
		lower(low, (uint64_t)again);
		lower(low, (uint64_t)first);
		lower(low, s->queues[q].delayed_low);
	}
	return OK;
}

static enum err over_bytes(struct bus_lane *l, bool *over) {
	int64_t pages = 0, free_pages = 0;
	enum err e = bus_one(l->sql.statements[PAGES], &pages, NULL);
	if (!e) e = bus_one(l->sql.statements[PAGES_FREE], &free_pages, NULL);
	*over = pages - free_pages > l->pages_max;
	return e;
}

/* Events before `at` and up to `rows` of them; none that a queue waits for, and never the newest one, whose
 * position must not be given twice. */
static enum err cut(struct bus_lane *l, int64_t at, size_t rows) {
	struct lane_state *s = &l->now;
	uint64_t end = s->oldest + rows, low = 0;
	enum err e = find_low(l, &low);
	if (end > low) end = low;
	if (e || end <= s->oldest) return e;
	e = sql_run(bus_bind3(l, EVENT_OUT, (int64_t)s->oldest, (int64_t)end, at));
	int64_t oldest = 0;
	if (!e) e = bus_one(l->sql.statements[EVENT_OLDEST], &oldest, NULL);
	if (!e) s->oldest = (uint64_t)oldest;
	return e;
}

enum err bus_lane_trim(struct bus_lane *l) {
	bool over = false;
	size_t rows = TRIM_ROWS + 2 * l->published;
	if (!l->now.oldest) return OK;
	if (!l->published && !l->now.full && l->now_ns - l->now.trimmed_ns < SWEEP_EVERY) return OK;
	l->now.trimmed_ns = l->now_ns;
	int64_t position = 0, at = 0;
	enum err e = bus_one(l->sql.statements[EVENT_OLDEST], &position, &at);
	if (!e && l->now_ns - at > l->options.age_ns) e = cut(l, l->now_ns - l->options.age_ns, rows);
	if (!e) e = over_bytes(l, &over);
	if (!e && over) e = cut(l, INT64_MAX, rows);
	if (!e && over) e = over_bytes(l, &over);
	l->now.full = over;
	return e;
}
