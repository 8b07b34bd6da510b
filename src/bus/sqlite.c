/* The bus in SQLite, the loop's half: queues, publishing, polling. */
#include "bus/sqlite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/param.h"

#define WAITING_MAX ((size_t)8192) /* requests; settles alone can be BUS_QUEUES_MAX * BUS_IN_FLIGHT_MAX */
#define RETRY_NS    NS_PER_SEC
#define TICK_NS     NS_PER_MIN /* looks at ages, where nothing else happens */
#define ARENA_KEPT  ((size_t)1 << 20)

static const struct param params[] = {
	{ "queue", PARAM_BYTES, offsetof(struct bus_options, queue_bytes), 1 << 20, INT64_C(1) << 40, "16MiB", NULL, false,
	  "Requests that may wait for the disk; more are refused and tried again." },
	{ "bytes", PARAM_BYTES, offsetof(struct bus_options, bytes), 1 << 20, INT64_C(1) << 50, "512MiB", NULL, false,
	  "Size of the file above which the oldest events that no queue waits for are let go." },
	{ "age", PARAM_DURATION, offsetof(struct bus_options, age_ns), (double)NS_PER_SEC, 3.2e18, "7d", NULL, false,
	  "How long events stay in the archive." },
	{ "dead", PARAM_DURATION, offsetof(struct bus_options, dead_ns), (double)NS_PER_SEC, 3.2e18, "14d", NULL, false,
	  "How long dead letters are kept." },
	PARAM_END,
};

static struct handle *handle_of(struct bus *bus) {
	return container_of(bus, struct handle, bus);
}

struct mono bus_mono(const struct backend *b) {
	return clock_mono(b->world->clock);
}

/* Nothing on the bus jumps when the wall clock does. */
int64_t bus_now(const struct backend *b) {
	return b->base_wall.ns + (bus_mono(b).ns - b->base_mono.ns);
}

struct queue *bus_queue_named(struct backend *b, struct str name, unsigned *index) {
	for (unsigned q = 0; q < b->queue_count; q++) {
		if (!str_eq(b->queues[q].opts.name, name)) continue;
		*index = q;
		return &b->queues[q];
	}
	return NULL;
}

/* ---- requests ---- */

struct bus_request *bus_request_new(struct backend *b, enum request_kind kind, size_t extra) {
	struct bus_request *r = calloc(1, sizeof *r + extra);
	if (!r) return NULL;
	r->kind = kind;
	r->now_ns = bus_now(b);
	arena_init(&r->arena, 0);
	return r;
}

void bus_request_free(struct bus_request *r) {
	if (!r) return;
	arena_done(&r->arena);
	free(r);
}

enum err bus_request_submit(struct backend *b, struct handle *h, struct bus_request *r, int64_t bytes, bool always) {
	r->handle = h;
	enum err e = group_submit(b->group, &r->item, bytes, always);
	if (!e && h) h->asked++;
	return e;
}

void bus_tell(struct handle *h, struct message *m) {
	list_push(&h->done, &m->link);
	h->fresh = true;
}

static void handle_release(struct handle *h) {
	if (h->asked) return;
	arena_done(&h->arena);
	free(h);
}

/* One request of the handle has ended. */
static void tell(struct bus_request *r) {
	struct handle *h = r->handle;
	if (!h) {
		bus_request_free(r);
		return;
	}
	h->asked--;
	if (!h->closed) {
		bus_tell(h, &r->message);
		return;
	}
	bus_request_free(r);
	handle_release(h);
}

static void failed(struct backend *b) {
	b->retry.ns = bus_mono(b).ns + RETRY_NS;
}

static void queue_done(struct backend *b, struct bus_request *r, enum err e) {
	struct queue *q = &b->queues[r->queue];
	q->asking--;
	if (e) {
		if (r->save) q->unsaved = true;
		failed(b);
	} else if (r->revoke) {
		q->credited = 0;
	} else {
		q->credited += r->credit;
	}
}

static void loop_ended(void *self, enum err e) {
	struct backend *b = self;
	if (e) return;
	b->shot = b->lane.shot;
	for (struct list *l; (l = list_shift(&b->lane.delivered));) list_push(&b->arrived, l);
}

static void loop_done(void *self, struct group_item *i, enum err e, const char *why) {
	struct backend *b = self;
	struct bus_request *r = container_of(i, struct bus_request, item);
	if (r->kind == SETTLE) bus_settled(b, r, e);
	if (r->kind == QUEUE) queue_done(b, r, e);
	if (r->kind == TICK) b->ticking = false;
	if (r->kind == TICK && e) failed(b);
	if (e) {
		r->err = e;
		why_set(&r->why, e, "%s", why);
	} else if (r->again && !r->handle->closed && !group_submit(b->group, &r->item, r->item.bytes, true)) {
		return; /* a list or change that goes on */
	}
	tell(r);
}

static void loop_drop(void *self, struct group_item *i) {
	(void)self;
	struct bus_request *r = container_of(i, struct bus_request, item);
	struct handle *h = r->handle;
	bus_request_free(r);
	if (!h) return;
	h->asked--;
	if (h->closed) handle_release(h);
}

static enum err lane_run(void *self, struct group_item *i) {
	struct backend *b = self;
	return bus_lane_run(&b->lane, container_of(i, struct bus_request, item));
}

static enum err lane_before(void *self) {
	return bus_lane_before(&((struct backend *)self)->lane);
}

static void lane_after(void *self, enum err e) {
	bus_lane_after(&((struct backend *)self)->lane, e);
}

static const struct group_ops group_ops = {
	.run = lane_run,
	.before = lane_before,
	.after = lane_after,
	.ended = loop_ended,
	.done = loop_done,
	.drop = loop_drop,
};

/* ---- queues ---- */

/* Saves what is not saved, and gives the lane what credit it lacks; one such request at a time. */
static void ask_queue(struct backend *b, unsigned index) {
	struct queue *q = &b->queues[index];
	int64_t credit = q->receiver ? BUS_IN_FLIGHT_MAX - q->in_flight - q->credited : 0;
	if (q->asking || (!q->unsaved && credit <= 0)) return;
	struct bus_request *r = bus_request_new(b, QUEUE, q->opts.name.n + q->opts.pattern.n);
	if (!r) return;
	char *to = (char *)(r + 1);
	r->queue = index;
	r->save = q->unsaved;
	r->credit = credit;
	r->opts = q->opts;
	r->opts.name = (struct str){ to, q->opts.name.n };
	r->opts.pattern = (struct str){ to + q->opts.name.n, q->opts.pattern.n };
	memcpy(to, q->opts.name.p, q->opts.name.n);
	memcpy(to + q->opts.name.n, q->opts.pattern.p, q->opts.pattern.n);
	if (bus_request_submit(b, NULL, r, sizeof *r, true)) {
		bus_request_free(r);
		return;
	}
	q->asking++;
	q->unsaved = false;
}

static void ask_queues(struct backend *b) {
	for (unsigned q = 0; q < b->queue_count; q++) ask_queue(b, q);
}

static void revoke(struct backend *b, unsigned index) {
	struct bus_request *r = bus_request_new(b, QUEUE, 0);
	b->queues[index].receiver = NULL;
	if (!r) return; /* what arrives for nobody is given back, so this only costs */
	r->queue = index;
	r->revoke = true;
	if (bus_request_submit(b, NULL, r, sizeof *r, true))
		bus_request_free(r);
	else
		b->queues[index].asking++;
}

static void set_defaults(struct bus_queue_opts *o) {
	if (!o->visibility_ns) o->visibility_ns = 30 * NS_PER_SEC;
	if (!o->receives_max) o->receives_max = 8;
	if (!o->age_max_ns) o->age_max_ns = 4 * NS_PER_DAY;
	if (o->backoff_min_ns || o->backoff_max_ns) return;
	o->backoff_min_ns = NS_PER_SEC;
	o->backoff_max_ns = 5 * NS_PER_MIN;
}

static enum err check_opts(const struct bus_queue_opts *o, struct why *why) {
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	if (!o->name.n || o->name.n > BUS_NAME_MAX) return why_set(why, ERR_INVALID, "queue: a name has 1 to 64 letters");
	for (size_t i = 0; i < o->name.n; i++)
		if (!o->name.p[i] || !strchr(letters, o->name.p[i]))
			return why_set(why, ERR_INVALID, "queue: a name has only small letters, digits, '-', '_' and '.'");
	if (o->visibility_ns < NS_PER_MS || o->visibility_ns > BUS_DELAY_MAX)
		return why_set(why, ERR_INVALID, "queue: the visibility time-out is from 1 ms to 12 h");
	if (o->receives_max < 1 || o->receives_max > 1000)
		return why_set(why, ERR_INVALID, "queue: at most 1 to 1000 receives");
	if (o->age_max_ns < NS_PER_SEC) return why_set(why, ERR_INVALID, "queue: the greatest age is at least 1 s");
	if (o->backoff_min_ns < 0 || o->backoff_max_ns < o->backoff_min_ns || o->backoff_max_ns > BUS_DELAY_MAX)
		return why_set(why, ERR_INVALID, "queue: the back-off rises from its least to its most, at most 12 h");
	return OK;
}

/* Into place `q`; what stood there is gone only on success. */
static enum err define(struct queue *q, const struct bus_queue_opts *o, struct why *why) {
	struct arena a;
	struct pattern *pattern = NULL;
	arena_init(&a, 0);
	enum err e = pattern_compile(&a, o->pattern, &pattern, why);
	struct bus_queue_opts copy = *o;
	copy.name = str_copy(&a, o->name);
	copy.pattern = str_copy(&a, o->pattern);
	if (!e && (!copy.name.p || !copy.pattern.p)) e = ERR_NOMEM;
	if (e) {
		arena_done(&a);
		return e;
	}
	arena_done(&q->arena);
	q->arena = a;
	q->opts = copy;
	q->pattern = pattern;
	return OK;
}

static bool same(const struct bus_queue_opts *a, const struct bus_queue_opts *b) {
	return str_eq(a->pattern, b->pattern) && a->visibility_ns == b->visibility_ns &&
	       a->receives_max == b->receives_max && a->age_max_ns == b->age_max_ns &&
	       a->backoff_min_ns == b->backoff_min_ns && a->backoff_max_ns == b->backoff_max_ns;
}

static enum err x_subscribe(struct bus *bus, const struct bus_queue_opts *opts, struct why *why) {
	struct handle *h = handle_of(bus);
	struct backend *b = h->backend;
	struct bus_queue_opts o = *opts;
	unsigned index = b->queue_count;
	set_defaults(&o);
	enum err e = check_opts(&o, why);
	if (e) return e;
	struct queue *q = bus_queue_named(b, o.name, &index);
	if (!q && index == BUS_QUEUES_MAX)
		return why_set(why, ERR_FULL, "bus: there are %d queues already", BUS_QUEUES_MAX);
	bool known = q && same(&q->opts, &o);
	e = known ? OK : define(&b->queues[index], &o, why);
	if (e) return why_prefix(why, e, "queue '" STR_FMT "'", STR_ARG(o.name));
	if (!q) b->queue_count++;
	b->queues[index].unsaved |= !known;
	b->queues[index].receiver = h;
	ask_queue(b, index);
	return OK;
}

/* ---- publishing ---- */

static enum err match(struct backend *b, struct str text, uint64_t *queues) {
	const struct json *v = NULL;
	if (b->arena.bytes > ARENA_KEPT) arena_done(&b->arena);
	arena_reset(&b->arena);
	enum err e = json_parse(&b->arena, text, &v, NULL);
	*queues = 0;
	for (unsigned q = 0; q < b->queue_count && !e; q++)
		if (pattern_match(b->queues[q].pattern, v)) *queues |= UINT64_C(1) << q;
	return e;
}

static struct str copy(char **to, struct str s) {
	struct str c = { *to, s.n };
	memcpy(*to, s.p, s.n);
	*to += s.n;
	return c;
}

static enum err x_publish(struct bus *bus, const struct event *ev, uint64_t tag) {
	struct handle *h = handle_of(bus);
	struct backend *b = h->backend;
	uint64_t queues = 0;
	if (!ev->id.n || !ev->source.n || !ev->type.n) return ERR_INVALID;
	if (FAULT(b->world, "bus.full")) return ERR_FULL;
	buf_clear(&b->text);
	event_write(ev, &b->text);
	if (b->text.err) return b->text.err;
	enum err e = match(b, buf_get(&b->text), &queues);
	if (e) return e;
	size_t bytes = ev->id.n + ev->source.n + ev->type.n + b->text.n;
	struct bus_request *r = bus_request_new(b, PUBLISH, bytes);
	if (!r) return ERR_NOMEM;
	char *to = (char *)(r + 1);
	r->message.kind = BUS_PUBLISHED;
	r->tag = tag;
	r->queues = queues;
	r->id = copy(&to, ev->id);
	r->source = copy(&to, ev->source);
	r->type = copy(&to, ev->type);
	r->text = copy(&to, buf_get(&b->text));
	ask_queues(b); /* an unsaved queue goes first */
	e = bus_request_submit(b, h, r, (int64_t)(sizeof *r + bytes), false);
	if (e) bus_request_free(r);
	return e;
}

static enum err x_settle(struct bus *bus, uint64_t receipt, bool ack, int64_t delay_ns, struct str reason,
                         uint64_t tag) {
	return bus_settle(handle_of(bus), receipt, ack, delay_ns, reason, tag);
}

/* ---- time ---- */

/* When the lane should look at the clock again. */
static int64_t tick_due(const struct backend *b) {
	int64_t due = INT64_MAX;
	if (b->ticking) return due;
	for (unsigned i = 0; i < b->queue_count; i++) {
		const struct queue_shot *s = &b->shot.queues[i];
		int64_t at = b->base_mono.ns + (s->next_due - b->base_wall.ns);
		if (s->next_due && b->queues[i].receiver && b->queues[i].credited > 0 && at < due) due = at;
		if ((s->rows || s->dead) && b->ticked.ns + TICK_NS < due) due = b->ticked.ns + TICK_NS;
	}
	if (b->shot.archived > 1 && b->ticked.ns + TICK_NS < due) due = b->ticked.ns + TICK_NS;
	if (b->shot.more) due = 0;
	return due > b->retry.ns ? due : b->retry.ns;
}

static void tick(struct backend *b) {
	struct bus_request *r = bus_request_new(b, TICK, 0);
	if (!r) return;
	if (bus_request_submit(b, NULL, r, sizeof *r, true)) {
		bus_request_free(r);
		return;
	}
	b->ticking = true;
	b->ticked = bus_mono(b);
}

static bool needs_asking(const struct backend *b) {
	for (unsigned i = 0; i < b->queue_count; i++) {
		const struct queue *q = &b->queues[i];
		if (q->asking) continue;
		if (q->unsaved || (q->receiver && BUS_IN_FLIGHT_MAX - q->in_flight - q->credited > 0)) return true;
	}
	return false;
}

static void pump(struct backend *b) {
	group_poll(b->group);
	bus_deliver(b);
	bus_expire(b);
	int64_t now = bus_mono(b).ns;
	if (now >= b->retry.ns) ask_queues(b);
	if (now >= tick_due(b)) tick(b);
}

static struct mono x_next_due(struct bus *bus) {
	struct handle *h = handle_of(bus);
	struct backend *b = h->backend;
	int64_t due = tick_due(b);
	/* What the caller left unpolled on purpose does not wake it again and again. */
	if (h->fresh || !list_empty(&b->arrived) || group_wants_poll(b->group)) return (struct mono){ 0 };
	if (b->expires.ns < due) due = b->expires.ns;
	if (needs_asking(b) && b->retry.ns < due) due = b->retry.ns;
	return (struct mono){ due };
}

/* ---- polling ---- */

static void message_free(struct message *m) {
	if (!m) return;
	if (m->kind == BUS_DELIVERED)
		free(container_of(m, struct delivery, message));
	else
		bus_request_free(container_of(m, struct bus_request, message));
}

/* False: it is not to be told, since its time is over or it is no event. */
static bool show_delivery(struct handle *h, const struct delivery *d, struct bus_msg *out) {
	struct why why;
	if (!bus_hand_out(h->backend, d)) return false;
	*out = (struct bus_msg){ .kind = BUS_DELIVERED,
		                     .queue = h->backend->queues[d->queue].opts.name,
		                     .receipt = d->receipt,
		                     .receives = d->receives,
		                     .text = { d->text, d->n } };
	arena_reset(&h->arena);
	enum err e = event_parse(&h->arena, out->text, &out->event, &why);
	if (e) bus_bury(h->backend, d, e == ERR_NOMEM ? "out of memory" : why.text);
	return !e;
}

static void show_request(const struct bus_request *r, struct bus_msg *out) {
	*out = (struct bus_msg){ .kind = r->message.kind,
		                     .tag = r->tag,
		                     .err = r->err,
		                     .list = r->err ? NULL : r->listed,
		                     .count = r->err ? 0 : r->count,
		                     .more = r->more,
		                     .why = r->why.text[0] ? r->why.text : NULL };
}

static bool x_poll(struct bus *bus, struct bus_msg *out) {
	struct handle *h = handle_of(bus);
	message_free(TAKE(h->current));
	if (list_empty(&h->done)) pump(h->backend);
	h->fresh = false;
	for (struct list *l; (l = list_shift(&h->done));) {
		struct message *m = h->current = container_of(l, struct message, link);
		if (m->kind != BUS_DELIVERED) {
			show_request(container_of(m, struct bus_request, message), out);
			return true;
		}
		if (show_delivery(h, container_of(m, struct delivery, message), out)) return true;
		message_free(TAKE(h->current));
	}
	return false;
}

/* ---- opening and closing ---- */

static enum err handle_open(struct backend *b, struct bus **out) {
	struct handle *h = calloc(1, sizeof *h);
	if (!h) return ERR_NOMEM;
	*h = (struct handle){ .bus = { &bus_sqlite, &bus_sqlite_admin }, .backend = b };
	list_init(&h->done);
	arena_init(&h->arena, 0);
	b->handles++;
	*out = &h->bus;
	return OK;
}

static enum err x_attach(struct bus *bus, struct bus **out) {
	return handle_open(handle_of(bus)->backend, out);
}

static void backend_close(struct backend *b) {
	group_close(b->group);
	bus_lane_drop_deliveries(&b->lane);
	for (struct list *l; (l = list_shift(&b->arrived));) message_free(container_of(l, struct message, link));
	for (unsigned q = 0; q < BUS_QUEUES_MAX; q++) arena_done(&b->queues[q].arena);
	sql_close(&b->lane.sql);
	buf_done(&b->text);
	arena_done(&b->arena);
	free(b);
}

static void x_close(struct bus *bus) {
	struct handle *h = handle_of(bus);
	struct backend *b = h->backend;
	message_free(h->current);
	for (struct list *l; (l = list_shift(&h->done));) message_free(container_of(l, struct message, link));
	h->closed = true;
	if (--b->handles) {
		for (unsigned q = 0; q < b->queue_count; q++)
			if (b->queues[q].receiver == h) revoke(b, q);
		bus_give_back(b, h);
		handle_release(h);
		return;
	}
	handle_release(h);
	backend_close(b);
}

static enum err found(void *self, unsigned index, const struct bus_queue_opts *o, struct why *why) {
	struct backend *b = self;
	if (b->queue_count <= index) b->queue_count = index + 1;
	enum err e = define(&b->queues[index], o, why);
	return e ? why_prefix(why, e, "bus database, queue '" STR_FMT "'", STR_ARG(o->name)) : OK;
}

static struct backend *backend_new(struct world *w, const struct bus_options *o) {
	struct backend *b = calloc(1, sizeof *b);
	if (!b) return NULL;
	b->world = w;
	b->lane.options = *o;
	b->rng = rng_fork(&w->rng, "bus.back-off");
	/* Receipts of another run, of another file, are none of this one's. */
	uint64_t start = (uint64_t)clock_wall(w->clock).ns ^ rng_next(&b->rng);
	b->serial = rng_next(&(struct rng){ start }) >> 14;
	b->base_wall = clock_wall(w->clock);
	b->base_mono = b->ticked = clock_mono(w->clock);
	b->expires.ns = INT64_MAX;
	b->retry.ns = INT64_MIN;
	list_init(&b->arrived);
	list_init(&b->lane.delivered);
	buf_init(&b->text, EVENT_BYTES_MAX);
	arena_init(&b->arena, 0);
	for (unsigned q = 0; q < BUS_QUEUES_MAX; q++) arena_init(&b->queues[q].arena, 0);
	return b;
}

static enum err open_backend(struct backend *b, const struct url *u, struct why *why) {
	struct world *w = b->world;
	enum err e = sql_open(&b->lane.sql, w, u, &bus_schema, why);
	if (!e) e = bus_lane_load(&b->lane, b->base_wall.ns, found, b, why);
	if (e) return e;
	b->shot = b->lane.shot;
	return group_open((struct group_opts){ .jobs = w->jobs,
	                                       .sql = &b->lane.sql,
	                                       .what = "bus",
	                                       .bytes_max = b->lane.options.queue_bytes,
	                                       .items_max = WAITING_MAX,
	                                       .ops = &group_ops,
	                                       .self = b },
	                  &b->group);
}

static enum err x_open(struct world *w, const struct url *u, struct bus **out, struct why *why) {
	struct bus_options o = { 0 };
	enum err e = param_url(params, u, &o, "bus: sqlite", why);
	if (e) return e;
	struct backend *b = backend_new(w, &o);
	if (!b) return ERR_NOMEM;
	e = open_backend(b, u, why);
	if (!e) e = handle_open(b, out);
	if (e) backend_close(b);
	return e;
}

const struct bus_ops bus_sqlite = {
	.scheme = "sqlite",
	.open = x_open,
	.attach = x_attach,
	.subscribe = x_subscribe,
	.publish = x_publish,
	.poll = x_poll,
	.settle = x_settle,
	.next_due = x_next_due,
	.close = x_close,
};
