#include "observe/test_world.h"

#include <stdlib.h>
#include <string.h>

#include "model/schema_check.h"

#define KEYS_MAX  256
#define DONES_MAX 256

struct stored {
	char key[128];
	struct buf value;
	uint64_t version;
};

struct held {
	struct buf bytes;
	uint64_t position;
	struct held *next;
};

struct ends {
	struct transport transport;
	struct bus bus;
	struct state state;
	struct test_world *w;
	struct held *first, **last, *at; /* not let go yet; the next to read */
	uint64_t let_go;
	struct stored stored[KEYS_MAX];
	size_t stored_count;
	struct state_done dones[DONES_MAX];
	struct state_item *items; /* of each done that is a query's */
	size_t done_count;
	uint64_t published[DONES_MAX];
	size_t published_count;
};

struct test_ends {
	struct ends e;
};

static struct ends *of_transport(struct transport *t) {
	return (struct ends *)(void *)((char *)t - offsetof(struct ends, transport));
}
static struct ends *of_bus(struct bus *b) {
	return (struct ends *)(void *)((char *)b - offsetof(struct ends, bus));
}
static struct ends *of_state(struct state *s) {
	return (struct ends *)(void *)((char *)s - offsetof(struct ends, state));
}

/* ---- transport ---- */

static bool double_next(struct transport *t, uint32_t shard, struct transport_batch *out) {
	struct ends *e = of_transport(t);
	if (!e->at) return false;
	*out = (struct transport_batch){ shard, e->at->position, buf_get(&e->at->bytes) };
	e->at = e->at->next;
	return true;
}

static enum err double_let_go(struct transport *t, uint32_t shard, uint64_t position) {
	struct ends *e = of_transport(t);
	(void)shard;
	while (e->first && e->first->position <= position && e->first != e->at) {
		struct held *h = e->first;
		e->first = h->next;
		if (!e->first) e->last = &e->first;
		buf_done(&h->bytes);
		free(h);
	}
	if (position > e->let_go) e->let_go = position;
	return OK;
}

/* It outlives the observer, as a stream of its own does: positions go on by themselves. */
static enum err double_resume(struct transport *t, uint32_t shard, uint64_t position) {
	(void)t, (void)shard, (void)position;
	return OK;
}

static const struct transport_ops transport_double = {
	.scheme = "double", .resume = double_resume, .poll = double_next, .checkpoint = double_let_go
};

void test_world_put(struct test_world *w, struct str batch) {
	struct ends *e = &w->ends->e;
	struct held *h = calloc(1, sizeof *h);
	buf_init(&h->bytes, 0);
	buf_str(&h->bytes, batch);
	h->position = ++w->position;
	*e->last = h;
	e->last = &h->next;
	if (!e->at) e->at = h;
}

void test_world_redeliver(struct test_world *w) {
	w->ends->e.at = w->ends->e.first;
}

uint64_t test_world_let_go(const struct test_world *w) {
	return w->ends->e.let_go;
}

/* ---- bus ---- */

static void event_keep(struct test_world *w, const struct event *x) {
	for (uint32_t i = 0; i < w->event_count; i++)
		if (str_is(x->id, w->events[i].id)) return; /* (source, id) is the key */
	if (w->event_count == w->event_cap) {
		w->event_cap = w->event_cap ? 2 * w->event_cap : 64;
		w->events = realloc(w->events, w->event_cap * sizeof *w->events);
	}
	struct test_event *k = &w->events[w->event_count++];
	struct why why = { "" };
	*k = (struct test_event){ .at_ns = w->clock.wall.ns, .data = str_copy(&w->arena, x->data) };
	snprintf(k->type, sizeof k->type, STR_FMT, STR_ARG(x->type));
	snprintf(k->subject, sizeof k->subject, STR_FMT, STR_ARG(x->subject));
	snprintf(k->id, sizeof k->id, STR_FMT, STR_ARG(x->id));
	if (json_parse(&w->arena, k->data, &k->json, &why)) test_fail(w->t, __FILE__, __LINE__, why.text);
	if (w->verbose)
		fprintf(stderr, "%8.2f %s %s " STR_FMT "\n", (double)(k->at_ns % NS_PER_DAY) / 1e9, k->type, k->subject,
		        STR_ARG(k->data));
	if (memmem(k->data.p, k->data.n, " nan", 4)) test_fail(w->t, __FILE__, __LINE__, "a sentence says nan");
	if (!w->check) return;
	struct buf line;
	buf_init(&line, 0);
	event_write(x, &line);
	if (schema_check_event(EVENTS_DIR, buf_get(&line), &why)) {
		fprintf(stderr, STR_FMT "\n%s\n", STR_ARG(buf_get(&line)), why.text);
		test_fail(w->t, __FILE__, __LINE__, "an event does not fit its schema");
	}
	buf_done(&line);
}

static enum err double_publish(struct bus *b, const struct event *x, uint64_t tag) {
	struct ends *e = of_bus(b);
	if (e->w->bus_full || e->published_count == DONES_MAX) return ERR_FULL;
	event_keep(e->w, x);
	e->published[e->published_count++] = tag;
	return OK;
}

static bool double_message(struct bus *b, struct bus_msg *out) {
	struct ends *e = of_bus(b);
	if (!e->published_count) return false;
	*out = (struct bus_msg){ .kind = BUS_PUBLISHED, .tag = e->published[0] };
	memmove(e->published, e->published + 1, --e->published_count * sizeof *e->published);
	return true;
}

static const struct bus_ops bus_double = { .scheme = "double", .publish = double_publish, .poll = double_message };

/* ---- state ---- */

static struct stored *stored_of(struct ends *e, struct str key) {
	for (size_t i = 0; i < e->stored_count; i++)
		if (str_is(key, e->stored[i].key)) return &e->stored[i];
	return NULL;
}

static enum err state_write_one(struct ends *e, const struct state_write *w) {
	struct stored *s = stored_of(e, w->key);
	if (!s) {
		if (e->stored_count == KEYS_MAX) return ERR_FULL;
		s = &e->stored[e->stored_count++];
		snprintf(s->key, sizeof s->key, STR_FMT, STR_ARG(w->key));
		buf_init(&s->value, 0);
	}
	buf_clear(&s->value);
	buf_str(&s->value, w->value);
	s->version++;
	return OK;
}

static bool failing(const struct test_world *w, const struct state_write *writes, size_t n) {
	for (size_t i = 0; w->state_fails && i < n; i++)
		if (str_ends(writes[i].key, str_of(w->state_fails))) return true;
	return false;
}

static enum err double_transact(struct state *s, const struct state_write *writes, size_t n, uint64_t tag) {
	struct ends *e = of_state(s);
	if (e->done_count == DONES_MAX) return ERR_FULL;
	struct state_done d = { .tag = tag, .err = e->w->state_down || failing(e->w, writes, n) ? ERR_NOSPACE : OK };
	for (size_t i = 0; i < n && !d.err; i++) d.err = state_write_one(e, &writes[i]);
	e->dones[e->done_count++] = d;
	return OK;
}

static int by_key(const void *a, const void *b) {
	return strcmp(((const struct stored *)a)->key, ((const struct stored *)b)->key);
}

static enum err double_query(struct state *s, const struct state_query *q, uint64_t tag) {
	struct ends *e = of_state(s);
	struct state_done d = { .tag = tag };
	qsort(e->stored, e->stored_count, sizeof *e->stored, by_key);
	struct state_item *items = calloc(KEYS_MAX, sizeof *items);
	for (size_t i = 0; i < e->stored_count; i++) {
		struct str key = str_of(e->stored[i].key);
		bool hit = q->exact ? str_eq(key, q->prefix) : str_starts(key, q->prefix);
		if (!hit || (q->after.n && str_cmp(key, q->after) <= 0)) continue;
		if ((int64_t)d.count == q->limit) {
			d.more = true;
			break;
		}
		items[d.count++] = (struct state_item){ key, buf_get(&e->stored[i].value), e->stored[i].version, { 0 } };
	}
	free(e->items);
	d.items = e->items = items;
	e->dones[e->done_count++] = d;
	return OK;
}

static bool double_poll(struct state *s, struct state_done *out) {
	struct ends *e = of_state(s);
	if (!e->done_count) return false;
	*out = e->dones[0];
	memmove(e->dones, e->dones + 1, --e->done_count * sizeof *e->dones);
	return true;
}

static const struct state_ops state_double = {
	.scheme = "double", .transact = double_transact, .query = double_query, .poll = double_poll
};

struct buf *test_world_stored(struct test_world *w, const char *suffix) {
	struct ends *e = &w->ends->e;
	for (size_t i = 0; i < e->stored_count; i++)
		if (str_ends(str_of(e->stored[i].key), str_of(suffix))) return &e->stored[i].value;
	return NULL;
}

/* ---- the world ---- */

void test_world_init(struct test_world *w, const struct t *t, int64_t start_ns) {
	struct why why = { "" };
	*w = (struct test_world){ .t = t, .check = true };
	arena_init(&w->arena, 0);
	fake_clock_init(&w->clock, (struct wall){ start_ns });
	w->ends = calloc(1, sizeof *w->ends);
	struct ends *e = &w->ends->e;
	e->w = w;
	e->last = &e->first;
	e->transport.ops = &transport_double;
	e->bus.ops = &bus_double;
	e->state.ops = &state_double;
	w->opts = (struct observer_opts){ .clock = &w->clock.clock,
		                              .transport = &e->transport,
		                              .bus = &e->bus,
		                              .state = &e->state,
		                              .rng = rng_seeded(t->seed),
		                              .region = STR("eu-1") };
	if (param_defaults(observer_params, &w->arena, &w->opts.settings, &why)) test_fail(t, __FILE__, __LINE__, why.text);
	test_world_start(w);
}

void test_world_crash(struct test_world *w) {
	observer_close(w->observer);
	w->observer = NULL;
	w->ends->e.done_count = w->ends->e.published_count = 0;
}

void test_world_start(struct test_world *w) {
	struct why why = { "" };
	if (observer_open(&w->opts, &w->observer, &why)) test_fail(w->t, __FILE__, __LINE__, why.text);
	while (!observer_ready(w->observer)) observer_step(w->observer);
}

void test_world_done(struct test_world *w) {
	struct ends *e = &w->ends->e;
	observer_close(w->observer);
	while (e->first) {
		struct held *h = e->first;
		e->first = h->next;
		buf_done(&h->bytes);
		free(h);
	}
	for (size_t i = 0; i < e->stored_count; i++) buf_done(&e->stored[i].value);
	free(e->items);
	free(w->ends);
	free(w->events);
	arena_done(&w->arena);
}

void test_world_run(struct test_world *w, int64_t until_ns) {
	do {
		for (int n = 0; observer_step(w->observer) && n < 1000; n++) {}
		int64_t wait_ns = observer_next_due(w->observer).ns - w->clock.mono.ns;
		if (wait_ns < 10 * NS_PER_MS) wait_ns = 10 * NS_PER_MS;
		int64_t left_ns = until_ns - w->clock.wall.ns;
		if (left_ns <= 0) break;
		fake_clock_advance(&w->clock, wait_ns < left_ns ? wait_ns : left_ns);
	} while (w->clock.wall.ns < until_ns);
	for (int n = 0; observer_step(w->observer) && n < 1000; n++) {}
}

void test_world_flush(struct test_world *w) {
	for (int n = 0; observer_flush(w->observer) && n < 1000; n++) observer_step(w->observer);
}

const struct test_event *test_world_event(const struct test_world *w, const char *type, int64_t from_ns, uint32_t nth) {
	for (uint32_t i = 0; i < w->event_count; i++) {
		const struct test_event *e = &w->events[i];
		if (e->at_ns < from_ns || (type && strcmp(e->type, type) != 0)) continue;
		if (nth-- == 0) return e;
	}
	return NULL;
}

uint32_t test_world_count(const struct test_world *w, const char *type, int64_t from_ns) {
	uint32_t n = 0;
	while (test_world_event(w, type, from_ns, n)) n++;
	return n;
}
