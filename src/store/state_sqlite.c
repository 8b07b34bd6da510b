/* State in one SQLite file.
 *
 * A transaction reads what its conditions ask before it writes anything, so one that fails has
 * nothing to undo and needs no savepoint among the others of its batch. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/param.h"
#include "store/group.h"
#include "store/registry.h"

#define WAITING_MAX 4096                /* requests */
#define SWEEP       32                  /* expired items taken out with each batch that writes */
#define EXACT_COST  (INT64_C(16) << 10) /* what the answer of a query is taken to weigh while it waits */
#define RANGE_COST  (INT64_C(256) << 10)

static const char *const steps[] = {
	/* Values are large, so rows are not kept in the key's tree. */
	"CREATE TABLE item(key BLOB NOT NULL UNIQUE, version INTEGER NOT NULL, expires INTEGER NOT NULL, value BLOB NOT "
	"NULL);"
	"CREATE INDEX item_expires ON item(expires) WHERE expires > 0;",
};

enum statement { LOOK, PUT, REMOVE, SWEEP_EXPIRED, UP, DOWN, STATEMENTS };

#define SELECT_RANGE                                                     \
	"SELECT key, value, version, expires FROM item WHERE key >= ?1 AND " \
	"key < ?2 AND (expires = 0 OR expires > ?3) ORDER BY key "

static const char *const statements[STATEMENTS] = {
	[LOOK] = "SELECT version FROM item WHERE key = ?1 AND (expires = 0 OR expires > ?2)",
	[PUT] = "INSERT INTO item(key, version, expires, value) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(key) DO UPDATE SET "
			"version = excluded.version, expires = excluded.expires, value = excluded.value",
	[REMOVE] = "DELETE FROM item WHERE key = ?1",
	[SWEEP_EXPIRED] = "DELETE FROM item WHERE rowid IN (SELECT rowid FROM item WHERE expires > 0 AND expires <= ?1 "
					  "ORDER BY expires LIMIT ?2)",
	[UP] = SELECT_RANGE "LIMIT ?4",
	[DOWN] = SELECT_RANGE "DESC LIMIT ?4",
};

static const struct sql_schema schema = {
	.what = "state",
	.application = 0x46427374, /* "FBst" */
	.lane = "state",
	.steps = steps,
	.step_count = sizeof steps / sizeof *steps,
	.statements = statements,
	.statement_count = STATEMENTS,
};

struct options {
	int64_t queue_bytes;
};

static const struct param params[] = {
	{ "queue", PARAM_BYTES, offsetof(struct options, queue_bytes), 1 << 20, INT64_C(1) << 40, "32MiB", NULL, false,
	  "Requests that may wait for the disk; more are refused and tried again." },
	PARAM_END,
};

struct backend {
	struct world *world;
	struct sql sql;
	struct group *group;
	int handles;
	/* The lane's, of the batch that runs. */
	bool wrote;
	int64_t now_ns;
};

struct handle {
	struct state state; /* first */
	struct backend *backend;
	struct list done;        /* requests that poll hands out */
	struct request *current; /* what was handed out last */
	size_t in_flight;
	bool closed;
};

struct request {
	struct group_item item; /* first */
	struct list link;       /* in handle.done */
	struct handle *handle;
	uint64_t tag;
	int64_t now_ns; /* wall clock of the loop when it was asked */
	/* One of them: */
	struct state_write *writes;
	size_t write_count;
	struct state_query query;
	/* The answer. */
	enum err err;
	size_t failed;
	struct arena arena; /* of a query's items */
	struct state_item *items;
	size_t count;
	bool more;
	struct why why;
};

static struct handle *handle_of(struct state *s) {
	return container_of(s, struct handle, state);
}

static void request_free(struct request *r) {
	if (!r) return;
	arena_done(&r->arena);
	free(r);
}

/* ---- on the lane: writing ---- */

/* 0: there is no such item (or it has expired). */
static enum err look(struct backend *b, const struct request *r, struct str key, uint64_t *version) {
	sqlite3_stmt *st = b->sql.statements[LOOK];
	bool row = false;
	sql_bind_str(st, 1, key);
	sqlite3_bind_int64(st, 2, r->now_ns);
	enum err e = sql_row(st, &row);
	*version = row ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return e;
}

static bool holds(const struct state_write *w, uint64_t version) {
	switch (w->check) {
	case STATE_ANY: return true;
	case STATE_ABSENT: return version == 0;
	case STATE_VERSION: return version == w->version && version != 0;
	}
	return false;
}

static enum err put(struct backend *b, const struct state_write *w, uint64_t version) {
	sqlite3_stmt *st = b->sql.statements[PUT];
	sql_bind_str(st, 1, w->key);
	sqlite3_bind_int64(st, 2, (int64_t)version);
	sqlite3_bind_int64(st, 3, w->expires.ns);
	sql_bind_str(st, 4, w->value);
	return sql_run(st);
}

static enum err apply(struct backend *b, const struct state_write *w, uint64_t version) {
	if (w->effect == STATE_CHECK_ONLY) return OK;
	b->wrote = true;
	if (w->effect == STATE_PUT) return put(b, w, version + 1);
	sql_bind_str(b->sql.statements[REMOVE], 1, w->key);
	return sql_run(b->sql.statements[REMOVE]);
}

static enum err run_writes(struct backend *b, struct request *r) {
	uint64_t versions[STATE_TRANSACT_MAX];
	enum err e = OK;
	for (size_t i = 0; i < r->write_count; i++) {
		e = look(b, r, r->writes[i].key, &versions[i]);
		if (e) return e;
		if (holds(&r->writes[i], versions[i])) continue;
		r->err = ERR_CONFLICT;
		r->failed = i;
		return OK;
	}
	for (size_t i = 0; i < r->write_count && !e; i++) e = apply(b, &r->writes[i], versions[i]);
	return e;
}

/* ---- on the lane: reading ---- */

/* Keys from *low to before *high. A key and a zero byte is the next key there is; no key is as long as
 * a run of 0xff that is longer than any. */
static enum err bounds(struct arena *a, const struct state_query *q, struct str *low, struct str *high) {
	struct str last = q->prefix;
	*low = q->prefix;
	if (q->exact) {
		*high = (struct str){ arena_copy(a, q->prefix.p, q->prefix.n), q->prefix.n + 1 };
	} else {
		while (last.n && (unsigned char)last.p[last.n - 1] == 0xff) last.n--;
		char *end = arena_take(a, STATE_KEY_MAX + 1, 1);
		if (!end) return ERR_NOMEM;
		memset(end, 0xff, STATE_KEY_MAX + 1);
		if (last.n) memcpy(end, last.p, last.n);
		if (last.n) end[last.n - 1]++;
		*high = (struct str){ end, last.n ? last.n : STATE_KEY_MAX + 1 };
	}
	if (!q->after.n) return high->p ? OK : ERR_NOMEM;
	struct str next = { arena_copy(a, q->after.p, q->after.n), q->after.n + 1 };
	if (q->newest_first && str_cmp(q->after, *high) < 0) *high = q->after;
	if (!q->newest_first && str_cmp(next, *low) > 0) *low = next;
	return high->p && next.p ? OK : ERR_NOMEM;
}

/* False: the arena is full. */
static bool take_item(struct request *r, sqlite3_stmt *st, struct state_item *out) {
	struct str key = sql_column_str(st, 0), value = sql_column_str(st, 1);
	*out = (struct state_item){
		.key = { arena_copy(&r->arena, key.p, key.n), key.n },
		.value = { arena_copy(&r->arena, value.p, value.n), value.n },
		.version = (uint64_t)sqlite3_column_int64(st, 2),
		.expires = { sqlite3_column_int64(st, 3) },
	};
	return out->key.p && out->value.p;
}

static enum err read_items(struct request *r, sqlite3_stmt *st) {
	size_t limit = (size_t)r->query.limit, bytes = 0;
	r->items = arena_array(&r->arena, struct state_item, limit);
	bool row = true;
	while (r->items) {
		enum err e = sql_row(st, &row);
		if (e || !row) return e;
		bytes += (size_t)sqlite3_column_bytes(st, 0) + (size_t)sqlite3_column_bytes(st, 1);
		r->more = r->count == limit || (r->count && bytes > STATE_ANSWER_MAX);
		if (r->more) return OK;
		if (!take_item(r, st, &r->items[r->count])) break;
		r->count++;
	}
	return ERR_NOMEM;
}

static enum err run_query(struct backend *b, struct request *r) {
	struct str low, high;
	sqlite3_stmt *st = b->sql.statements[r->query.newest_first ? DOWN : UP];
	r->err = bounds(&r->arena, &r->query, &low, &high);
	if (r->err) return OK;
	sql_bind_str(st, 1, low);
	sql_bind_str(st, 2, high);
	sqlite3_bind_int64(st, 3, r->now_ns);
	sqlite3_bind_int64(st, 4, r->query.limit + 1);
	enum err e = read_items(r, st);
	sqlite3_reset(st);
	if (e != ERR_NOMEM) return e;
	r->err = e; /* this answer's memory, nobody else's trouble */
	return OK;
}

static enum err lane_run(void *self, struct group_item *i) {
	struct backend *b = self;
	struct request *r = container_of(i, struct request, item);
	b->now_ns = r->now_ns;
	return r->writes ? run_writes(b, r) : run_query(b, r);
}

/* A batch that writes anyway takes a few expired items with it. */
static enum err lane_before(void *self) {
	struct backend *b = self;
	sqlite3_stmt *st = b->sql.statements[SWEEP_EXPIRED];
	if (!b->wrote) return OK;
	sqlite3_bind_int64(st, 1, b->now_ns);
	sqlite3_bind_int(st, 2, SWEEP);
	return sql_run(st);
}

static void lane_after(void *self, enum err e) {
	(void)e;
	((struct backend *)self)->wrote = false;
}

/* ---- on the loop ---- */

static void handle_release(struct handle *h);

static void loop_done(void *self, struct group_item *i, enum err e, const char *why) {
	(void)self;
	struct request *r = container_of(i, struct request, item);
	struct handle *h = r->handle;
	h->in_flight--;
	if (h->closed) {
		request_free(r);
		handle_release(h);
		return;
	}
	if (e) {
		r->err = e;
		r->count = 0;
		why_set(&r->why, e, "%s", why);
	}
	list_push(&h->done, &r->link);
}

static void loop_drop(void *self, struct group_item *i) {
	(void)self;
	struct request *r = container_of(i, struct request, item);
	struct handle *h = r->handle;
	h->in_flight--;
	request_free(r);
	if (h->closed) handle_release(h);
}

static const struct group_ops group_ops = {
	.run = lane_run,
	.before = lane_before,
	.after = lane_after,
	.done = loop_done,
	.drop = loop_drop,
};

static void handle_release(struct handle *h) {
	if (h->in_flight) return;
	free(h);
}

static enum err submit(struct handle *h, struct request *r, int64_t bytes) {
	if (FAULT(h->backend->world, "state.full")) return ERR_FULL;
	enum err e = group_submit(h->backend->group, &r->item, bytes, false);
	if (!e) h->in_flight++;
	return e;
}

static enum err check_write(const struct state_write *w, size_t count, size_t i) {
	if (!w[i].key.n || w[i].key.n > STATE_KEY_MAX || w[i].expires.ns < 0) return ERR_INVALID;
	if (w[i].check == STATE_VERSION && !w[i].version) return ERR_INVALID;
	for (size_t j = i + 1; j < count; j++)
		if (str_eq(w[i].key, w[j].key)) return ERR_INVALID;
	return w[i].effect == STATE_PUT && w[i].value.n > STATE_VALUE_MAX ? ERR_TOO_LARGE : OK;
}

static struct str move(char **to, struct str s) {
	struct str copy = { *to, s.n };
	if (s.n) memcpy(*to, s.p, s.n);
	*to += s.n;
	return copy;
}

/* One block: the request, the writes, their bytes. */
static struct request *copy_writes(const struct state_write *w, size_t count, size_t bytes) {
	struct request *r = calloc(1, sizeof *r + count * sizeof *w + bytes);
	if (!r) return NULL;
	r->writes = (struct state_write *)(void *)(r + 1);
	r->write_count = count;
	char *to = (char *)(r->writes + count);
	for (size_t i = 0; i < count; i++) {
		r->writes[i] = w[i];
		r->writes[i].key = move(&to, w[i].key);
		r->writes[i].value = w[i].effect == STATE_PUT ? move(&to, w[i].value) : (struct str){ NULL, 0 };
	}
	return r;
}

static enum err x_transact(struct state *s, const struct state_write *w, size_t count, uint64_t tag) {
	struct handle *h = handle_of(s);
	size_t bytes = 0;
	if (count < 1 || count > STATE_TRANSACT_MAX) return ERR_INVALID;
	for (size_t i = 0; i < count; i++) {
		enum err e = check_write(w, count, i);
		if (e) return e;
		bytes += w[i].key.n + (w[i].effect == STATE_PUT ? w[i].value.n : 0);
	}
	if (bytes > STATE_TRANSACT_BYTES_MAX) return ERR_TOO_LARGE;
	struct request *r = copy_writes(w, count, bytes);
	if (!r) return ERR_NOMEM;
	r->handle = h;
	r->tag = tag;
	r->now_ns = clock_wall(h->backend->world->clock).ns;
	enum err e = submit(h, r, (int64_t)(sizeof *r + count * sizeof *w + bytes));
	if (e) request_free(r);
	return e;
}

static enum err x_query(struct state *s, const struct state_query *q, uint64_t tag) {
	struct handle *h = handle_of(s);
	if (q->limit < 1 || q->limit > STATE_QUERY_MAX || q->prefix.n > STATE_KEY_MAX || q->after.n > STATE_KEY_MAX)
		return ERR_INVALID;
	if (q->exact && !q->prefix.n) return ERR_INVALID;
	struct request *r = calloc(1, sizeof *r + q->prefix.n + q->after.n);
	if (!r) return ERR_NOMEM;
	char *to = (char *)(r + 1);
	arena_init(&r->arena, 0);
	r->query = *q;
	r->query.prefix = move(&to, q->prefix);
	r->query.after = move(&to, q->after);
	r->handle = h;
	r->tag = tag;
	r->now_ns = clock_wall(h->backend->world->clock).ns;
	enum err e = submit(h, r, q->exact ? EXACT_COST : RANGE_COST);
	if (e) request_free(r);
	return e;
}

static bool x_poll(struct state *s, struct state_done *out) {
	struct handle *h = handle_of(s);
	request_free(TAKE(h->current));
	if (list_empty(&h->done)) group_poll(h->backend->group);
	struct list *first = list_shift(&h->done);
	if (!first) return false;
	struct request *r = h->current = container_of(first, struct request, link);
	*out = (struct state_done){
		.tag = r->tag,
		.err = r->err,
		.failed = r->failed,
		.items = r->items,
		.count = r->count,
		.more = r->more,
		.why = r->why.text[0] ? r->why.text : NULL,
	};
	return true;
}

static enum err handle_open(struct backend *b, struct state **out) {
	struct handle *h = calloc(1, sizeof *h);
	if (!h) return ERR_NOMEM;
	*h = (struct handle){ .state.ops = &state_sqlite, .backend = b };
	list_init(&h->done);
	b->handles++;
	*out = &h->state;
	return OK;
}

static enum err x_attach(struct state *s, struct state **out) {
	return handle_open(handle_of(s)->backend, out);
}

static void backend_close(struct backend *b) {
	group_close(b->group);
	sql_close(&b->sql);
	free(b);
}

static void x_close(struct state *s) {
	struct handle *h = handle_of(s);
	struct backend *b = h->backend;
	request_free(h->current);
	for (struct list *l; (l = list_shift(&h->done));) request_free(container_of(l, struct request, link));
	h->closed = true;
	handle_release(h);
	if (--b->handles == 0) backend_close(b);
}

static enum err x_open(struct world *w, const struct url *u, struct state **out, struct why *why) {
	struct options o = { 0 };
	enum err e = param_url(params, u, &o, "state: sqlite", why);
	if (e) return e;
	struct backend *b = calloc(1, sizeof *b);
	if (!b) return ERR_NOMEM;
	b->world = w;
	e = sql_open(&b->sql, w, u, &schema, why);
	if (e) {
		free(b);
		return e;
	}
	e = group_open((struct group_opts){ .jobs = w->jobs,
	                                    .sql = &b->sql,
	                                    .what = "state",
	                                    .bytes_max = o.queue_bytes,
	                                    .items_max = WAITING_MAX,
	                                    .ops = &group_ops,
	                                    .self = b },
	               &b->group);
	if (!e) e = handle_open(b, out);
	if (e) backend_close(b);
	return e;
}

const struct state_ops state_sqlite = {
	.scheme = "sqlite",
	.open = x_open,
	.attach = x_attach,
	.transact = x_transact,
	.query = x_query,
	.poll = x_poll,
	.close = x_close,
};
