#include <stdlib.h>
#include <string.h>

#include "control/double.h"

struct op {
	struct list node;
	struct arena arena;
	int64_t due;
	uint64_t tag;
	bool query;
	struct state_write *writes;
	size_t count;
	struct state_query q;
};

struct handle {
	struct state state;
	struct double_store *s;
	struct list ops;
	struct arena answer;
};

void double_store_init(struct double_store *s, struct fake_clock *clock, struct rng *rng) {
	*s = (struct double_store){ .clock = clock, .rng = rng, .latency_ns = 4 * NS_PER_MS };
	map_init(&s->items, 0);
	list_init(&s->unsaved);
}

static void item_free(struct double_item *it) {
	if (!it) return;
	free(it->value);
	free(it);
}

static void lose(struct double_store *s);

void double_store_done(struct double_store *s) {
	size_t i = 0;
	struct str key;
	void *v;
	lose(s);
	while (map_next(&s->items, &i, &key, &v)) item_free(v);
	map_done(&s->items);
}

static struct double_item *find(struct double_store *s, struct str key) {
	struct double_item *it = map_get(&s->items, key);
	return it && (!it->expires_ns || s->clock->wall.ns < it->expires_ns) ? it : NULL;
}

const struct double_item *double_get(const struct double_store *s, const char *key) {
	return find((struct double_store *)s, str_of(key));
}

void double_touch(struct double_store *s, const char *key) {
	struct double_item *it = find(s, str_of(key));
	if (it) it->version++;
}

static void put(struct double_store *s, struct str key, struct str value, int64_t expires_ns) {
	struct double_item *old = find(s, key), *it = calloc(1, sizeof *it);
	void *before = NULL;
	if (!it) abort();
	it->value = malloc(value.n + 1);
	if (!it->value) abort();
	memcpy(it->value, value.p ? value.p : "", value.n);
	it->value[value.n] = '\0';
	it->n = value.n;
	it->version = old ? old->version + 1 : 1;
	it->expires_ns = expires_ns;
	if (map_put(&s->items, key, it, &before)) abort();
	item_free(before);
}

void double_put(struct double_store *s, const char *key, const char *value) {
	put(s, str_of(key), str_of(value), 0);
}

static bool holds(struct double_store *s, const struct state_write *w) {
	if (s->ignores_conditions) return true;
	struct double_item *it = find(s, w->key);
	if (w->check == STATE_ABSENT) return !it;
	if (w->check == STATE_VERSION) return it && it->version == w->version;
	return true;
}

/* ---- a store that lies: what it said was durable in the last second is lost in a crash ---- */

struct unsaved {
	struct list node;
	char key[STATE_KEY_MAX + 1];
	struct double_item *before; /* NULL: it was not there */
	int64_t at;
};

static void unsaved_free(struct unsaved *u) {
	list_remove(&u->node);
	item_free(u->before);
	free(u);
}

static void remember(struct double_store *s, struct str key) {
	struct double_item *it = map_get(&s->items, key);
	struct unsaved *u = calloc(1, sizeof *u);
	if (!u) abort();
	memcpy(u->key, key.p, key.n);
	u->at = s->clock->mono.ns;
	if (it) {
		u->before = calloc(1, sizeof *u->before);
		if (!u->before) abort();
		*u->before = *it;
		u->before->value = malloc(it->n + 1);
		if (!u->before->value) abort();
		memcpy(u->before->value, it->value, it->n + 1);
	}
	list_push(&s->unsaved, &u->node);
}

static void lose(struct double_store *s) {
	while (!list_empty(&s->unsaved)) {
		struct unsaved *u = container_of(s->unsaved.prev, struct unsaved, node); /* the newest first */
		if (s->clock->mono.ns - u->at < NS_PER_SEC) {
			item_free(map_remove(&s->items, str_of(u->key)));
			if (u->before && map_put(&s->items, str_of(u->key), u->before, NULL)) abort();
			u->before = NULL;
		}
		unsaved_free(u);
	}
}

/* All or nothing. */
static enum err write_all(struct double_store *s, const struct op *o, size_t *failed) {
	for (size_t i = 0; i < o->count; i++)
		if (!holds(s, &o->writes[i])) {
			*failed = i;
			return ERR_CONFLICT;
		}
	for (size_t i = 0; i < o->count; i++) {
		const struct state_write *w = &o->writes[i];
		if (s->forgets && w->effect != STATE_CHECK_ONLY) remember(s, w->key);
		if (w->effect == STATE_PUT) put(s, w->key, w->value, w->expires.ns);
		if (w->effect == STATE_REMOVE) item_free(map_remove(&s->items, w->key));
	}
	s->transactions++;
	return OK;
}

static enum err d_attach(struct state *st, struct state **out) {
	*out = double_state(((struct handle *)st)->s);
	return OK;
}

static struct op *op_new(struct handle *h, uint64_t tag) {
	struct op *o = calloc(1, sizeof *o);
	if (!o) abort();
	arena_init(&o->arena, 0);
	o->tag = tag;
	o->due = h->s->clock->mono.ns + (h->s->latency_ns ? rng_below(h->s->rng, h->s->latency_ns) : 0);
	list_push(&h->ops, &o->node);
	return o;
}

static enum err d_transact(struct state *st, const struct state_write *w, size_t count, uint64_t tag) {
	struct handle *h = (struct handle *)st;
	if (!count || count > STATE_TRANSACT_MAX) return ERR_INVALID;
	for (size_t i = 0; i < count; i++) {
		if (!w[i].key.n || w[i].key.n > STATE_KEY_MAX || w[i].value.n > STATE_VALUE_MAX) return ERR_INVALID;
		for (size_t j = 0; j < i; j++)
			if (str_eq(w[i].key, w[j].key)) return ERR_INVALID;
	}
	struct op *o = op_new(h, tag);
	o->writes = arena_array(&o->arena, struct state_write, count);
	o->count = count;
	for (size_t i = 0; i < count; i++) {
		o->writes[i] = w[i];
		o->writes[i].key = str_copy(&o->arena, w[i].key);
		o->writes[i].value = w[i].value.n ? str_copy(&o->arena, w[i].value) : (struct str){ 0 };
	}
	return OK;
}

static enum err d_query(struct state *st, const struct state_query *q, uint64_t tag) {
	struct op *o = op_new((struct handle *)st, tag);
	o->query = true;
	o->q = *q;
	o->q.prefix = str_copy(&o->arena, q->prefix);
	o->q.after = q->after.n ? str_copy(&o->arena, q->after) : (struct str){ 0 };
	return OK;
}

static int by_key(const void *a, const void *b) {
	return str_cmp(((const struct state_item *)a)->key, ((const struct state_item *)b)->key);
}

static bool wanted(const struct double_store *s, const struct state_query *q, struct str key) {
	if (s->hides && str_starts(key, str_of(s->hides))) return false;
	if (q->exact) return str_eq(key, q->prefix);
	if (!str_starts(key, q->prefix)) return false;
	return !q->after.n || (q->newest_first ? str_cmp(key, q->after) < 0 : str_cmp(key, q->after) > 0);
}

static void answer_query(struct handle *h, const struct state_query *q, struct state_done *out) {
	size_t i = 0, n = 0, max = h->s->items.count + 1;
	struct str key;
	void *v;
	struct state_item *items = arena_array(&h->answer, struct state_item, max);
	while (map_next(&h->s->items, &i, &key, &v)) {
		struct double_item *it = v;
		if (!wanted(h->s, q, key) || !find(h->s, key)) continue;
		items[n++] = (struct state_item){ str_copy(&h->answer, key),
			                              str_copy(&h->answer, (struct str){ it->value, it->n }),
			                              it->version,
			                              { it->expires_ns } };
	}
	qsort(items, n, sizeof *items, by_key);
	if (q->newest_first)
		for (size_t a = 0, b = n; a + 1 < b; a++, b--) {
			struct state_item x = items[a];
			items[a] = items[b - 1];
			items[b - 1] = x;
		}
	out->more = n > (size_t)q->limit;
	out->count = out->more ? (size_t)q->limit : n;
	out->items = items;
}

static bool d_poll(struct state *st, struct state_done *out) {
	struct handle *h = (struct handle *)st;
	arena_reset(&h->answer);
	if (list_empty(&h->ops)) return false;
	struct op *o = container_of(h->ops.next, struct op, node);
	if (o->due > h->s->clock->mono.ns) return false;
	*out = (struct state_done){ .tag = o->tag };
	if (o->query) {
		answer_query(h, &o->q, out);
	} else {
		bool broken = h->s->io_errors > 0 && rng_unit(h->s->rng) < h->s->io_errors;
		if (!broken || rng_below(h->s->rng, 2)) out->err = write_all(h->s, o, &out->failed);
		if (broken) out->err = ERR_IO;
	}
	list_remove(&o->node);
	arena_done(&o->arena);
	free(o);
	return true;
}

int64_t double_state_due(const struct state *st) {
	const struct handle *h = (const struct handle *)st;
	return list_empty(&h->ops) ? INT64_MAX : container_of(h->ops.next, struct op, node)->due;
}

static void close_handle(struct handle *h, bool crash) {
	bool going = true;
	while (!list_empty(&h->ops)) {
		struct op *o = container_of(h->ops.next, struct op, node);
		size_t failed;
		going = going && (!crash || rng_below(h->s->rng, 2));
		if (going && !o->query) (void)!write_all(h->s, o, &failed);
		list_remove(&o->node);
		arena_done(&o->arena);
		free(o);
	}
	arena_done(&h->answer);
	free(h);
}

static void d_close(struct state *st) {
	close_handle((struct handle *)st, false);
}

void double_state_crash(struct state *st) {
	lose(((struct handle *)st)->s);
	close_handle((struct handle *)st, true);
}

static const struct state_ops ops = {
	.scheme = "double",
	.attach = d_attach,
	.transact = d_transact,
	.query = d_query,
	.poll = d_poll,
	.close = d_close,
};

struct state *double_state(struct double_store *s) {
	struct handle *h = calloc(1, sizeof *h);
	if (!h) abort();
	h->state.ops = &ops;
	h->s = s;
	list_init(&h->ops);
	arena_init(&h->answer, 0);
	return &h->state;
}
