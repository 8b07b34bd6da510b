/* The cache in this process: bounded in bytes, what was used longest ago goes first. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/param.h"
#include "cache/registry.h"

#define DONE_MAX   4096 /* completions of a handle that were not polled */
#define ENTRY_COST 256  /* what an entry weighs beyond its own bytes: struct, map's place, malloc */
#define SET_COST   128  /* likewise a member of a set */

struct options {
	int64_t bytes;
};

static const struct param params[] = {
	{ "bytes", PARAM_BYTES, offsetof(struct options, bytes), 1 << 20, INT64_C(1) << 40, "64MiB", NULL, false,
	  "What the cache may hold; beyond it what was used longest ago is forgotten." },
	PARAM_END,
};

enum kind { VALUE = 'v', WINDOW = 'w', SET = 's' };

struct member {
	double score;
};

struct entry {
	struct list used; /* in backend.used, longest ago first */
	size_t bytes;
	char *key; /* the kind's letter, then the key */
	size_t key_n;
	/* VALUE */
	char *value;
	size_t value_n;
	struct mono expires; /* ns 0: never */
	/* WINDOW: the last times, oldest at `first` of a ring */
	int64_t *times;
	size_t first, count, cap;
	/* SET: name to struct member */
	struct map members;
};

struct backend {
	struct world *world;
	struct map entries;
	struct list used;
	size_t bytes, max;
	int handles;
};

struct answer {
	struct list link;
	struct cache_done done;
	struct arena arena; /* of the value or the members */
};

struct handle {
	struct cache cache; /* first */
	struct backend *backend;
	struct list done;
	struct answer *current;
	size_t waiting;
};

static struct handle *handle_of(struct cache *c) {
	return container_of(c, struct handle, cache);
}

/* ---- entries ---- */

static struct str key_of(const struct entry *e) {
	return (struct str){ e->key, e->key_n };
}

static void members_done(struct entry *e) {
	void *v;
	for (size_t i = 0; map_next(&e->members, &i, NULL, &v);) free(v);
	map_done(&e->members);
}

static void forget(struct backend *b, struct entry *e) {
	map_remove(&b->entries, key_of(e));
	list_remove(&e->used);
	b->bytes -= e->bytes;
	members_done(e);
	free(e->value);
	free(e->times);
	free(e->key);
	free(e);
}

static void forget_all(struct backend *b) {
	while (!list_empty(&b->used)) forget(b, container_of(b->used.next, struct entry, used));
}

/* Makes room so that `keep` may grow by `more`. ERR_FULL: not even alone. */
static enum err reserve(struct backend *b, struct entry *keep, size_t more) {
	while (b->bytes + more > b->max) {
		struct list *oldest = b->used.next;
		if (oldest == &keep->used) oldest = oldest->next;
		if (oldest == &b->used) return ERR_FULL;
		forget(b, container_of(oldest, struct entry, used));
	}
	keep->bytes += more;
	b->bytes += more;
	return OK;
}

static void release(struct backend *b, struct entry *e, size_t less) {
	assert(e->bytes >= less && b->bytes >= less);
	e->bytes -= less;
	b->bytes -= less;
}

static struct str name(char *room, enum kind kind, struct str key) {
	room[0] = (char)kind;
	if (key.n) memcpy(room + 1, key.p, key.n);
	return (struct str){ room, key.n + 1 };
}

static struct entry *find(struct backend *b, enum kind kind, struct str key) {
	char room[CACHE_KEY_MAX + 1];
	struct entry *e = map_get(&b->entries, name(room, kind, key));
	if (!e) return NULL;
	if (e->expires.ns && clock_mono(b->world->clock).ns >= e->expires.ns) {
		forget(b, e);
		return NULL;
	}
	list_remove(&e->used);
	list_push(&b->used, &e->used);
	return e;
}

/* The entry, made when it is not there. */
static enum err find_or_make(struct backend *b, enum kind kind, struct str key, struct entry **out) {
	char room[CACHE_KEY_MAX + 1];
	*out = find(b, kind, key);
	if (*out) return OK;
	struct str full = name(room, kind, key);
	struct entry *e = calloc(1, sizeof *e);
	if (e) e->key = malloc(full.n);
	if (!e || !e->key || map_put(&b->entries, full, e, NULL)) {
		if (e) free(e->key);
		free(e);
		return ERR_NOMEM;
	}
	memcpy(e->key, full.p, full.n);
	e->key_n = full.n;
	map_init(&e->members, 0);
	list_push(&b->used, &e->used);
	enum err err = reserve(b, e, ENTRY_COST + 2 * full.n);
	if (err) {
		forget(b, e);
		return err;
	}
	*out = e;
	return OK;
}

/* ---- operations ---- */

static enum err do_set(struct backend *b, const struct cache_op *op) {
	struct entry *e = NULL;
	enum err err = find_or_make(b, VALUE, op->key, &e);
	if (err) return err;
	char *copy = malloc(op->value.n + 1);
	release(b, e, e->value_n);
	free(e->value);
	e->value = copy;
	e->value_n = 0;
	err = copy ? reserve(b, e, op->value.n) : ERR_NOMEM;
	if (err) {
		forget(b, e); /* what it held is not what it should hold */
		return err;
	}
	if (op->value.n) memcpy(copy, op->value.p, op->value.n);
	e->value_n = op->value.n;
	e->expires.ns = op->ttl_ns ? clock_mono(b->world->clock).ns + op->ttl_ns : 0;
	return OK;
}

static enum err do_get(struct backend *b, const struct cache_op *op, struct answer *a) {
	struct entry *e = find(b, VALUE, op->key);
	if (!e) return ERR_NOT_FOUND;
	a->done.value = str_copy(&a->arena, (struct str){ e->value, e->value_n });
	return a->done.value.p ? OK : ERR_NOMEM;
}

static enum err grow_times(struct backend *b, struct entry *e) {
	size_t cap = e->cap ? e->cap * 2 : 8;
	int64_t *times = malloc(cap * sizeof *times);
	enum err err = times ? reserve(b, e, (cap - e->cap) * sizeof *times) : ERR_NOMEM;
	if (err) {
		free(times);
		return err;
	}
	for (size_t i = 0; i < e->count; i++) times[i] = e->times[(e->first + i) % e->cap];
	free(e->times);
	e->times = times;
	e->first = 0;
	e->cap = cap;
	return OK;
}

static void drop_oldest(struct entry *e) {
	e->first = (e->first + 1) % e->cap;
	e->count--;
}

static enum err do_count(struct backend *b, const struct cache_op *op, struct answer *a) {
	struct entry *e = NULL;
	enum err err = find_or_make(b, WINDOW, op->key, &e);
	if (err) return err;
	int64_t now = clock_mono(b->world->clock).ns;
	while (e->count && e->times[e->first] <= now - op->window_ns) drop_oldest(e);
	if (e->count == CACHE_COUNT_MAX) drop_oldest(e);
	if (e->count == e->cap) err = grow_times(b, e);
	if (err) return err;
	e->times[(e->first + e->count++) % e->cap] = now;
	a->done.count = (int64_t)e->count;
	return OK;
}

static void remove_member(struct backend *b, struct entry *e, struct str member) {
	free(map_remove(&e->members, member));
	release(b, e, SET_COST + member.n);
}

static enum err do_score(struct backend *b, const struct cache_op *op) {
	struct entry *e = isnan(op->score) ? find(b, SET, op->key) : NULL;
	if (isnan(op->score)) {
		if (e && map_get(&e->members, op->value)) remove_member(b, e, op->value);
		if (e && !e->members.count) forget(b, e);
		return OK;
	}
	enum err err = find_or_make(b, SET, op->key, &e);
	if (err) return err;
	struct member *m = map_get(&e->members, op->value);
	if (!m) {
		err = reserve(b, e, SET_COST + op->value.n);
		if (err) return err;
		m = calloc(1, sizeof *m);
		if (!m || map_put(&e->members, op->value, m, NULL)) {
			free(m);
			release(b, e, SET_COST + op->value.n);
			return ERR_NOMEM;
		}
	}
	m->score = op->score;
	return OK;
}

/* Highest score first, then by name. */
static int by_score(const void *x, const void *y) {
	const struct cache_member *a = x, *b = y;
	if (a->score != b->score) return a->score > b->score ? -1 : 1;
	return str_cmp(a->name, b->name);
}

static enum err do_top(struct backend *b, const struct cache_op *op, struct answer *a) {
	struct entry *e = find(b, SET, op->key);
	if (!e || !e->members.count) return OK;
	struct cache_member *all = arena_array(&a->arena, struct cache_member, e->members.count);
	if (!all) return ERR_NOMEM;
	size_t n = 0;
	void *v;
	for (size_t i = 0; map_next(&e->members, &i, &all[n].name, &v); n++) all[n].score = ((struct member *)v)->score;
	qsort(all, n, sizeof *all, by_score);
	if (n > op->limit) n = op->limit;
	for (size_t i = 0; i < n; i++) {
		all[i].name = str_copy(&a->arena, all[i].name);
		if (!all[i].name.p) return ERR_NOMEM;
	}
	a->done.members = all;
	a->done.member_count = n;
	return OK;
}

static enum err run(struct backend *b, const struct cache_op *op, struct answer *a) {
	if (FAULT(b->world, "cache.emptied")) forget_all(b);
	if (FAULT(b->world, "cache.unreachable")) return ERR_UNREACHABLE;
	switch (op->kind) {
	case CACHE_SET: return do_set(b, op);
	case CACHE_GET: return do_get(b, op, a);
	case CACHE_COUNT: return do_count(b, op, a);
	case CACHE_SCORE: return do_score(b, op);
	case CACHE_TOP: return do_top(b, op, a);
	}
	return ERR_INVALID;
}

/* ---- the interface ---- */

static enum err check(const struct cache_op *op) {
	if (!op->key.n || op->key.n > CACHE_KEY_MAX || op->ttl_ns < 0) return ERR_INVALID;
	switch (op->kind) {
	case CACHE_SET: return op->value.n > CACHE_VALUE_MAX ? ERR_TOO_LARGE : OK;
	case CACHE_GET: return OK;
	case CACHE_COUNT: return op->window_ns > 0 ? OK : ERR_INVALID;
	case CACHE_SCORE: return !op->value.n || op->value.n > CACHE_KEY_MAX ? ERR_INVALID : OK;
	case CACHE_TOP: return op->limit < 1 || op->limit > CACHE_TOP_MAX ? ERR_INVALID : OK;
	}
	return ERR_INVALID;
}

static enum err x_submit(struct cache *c, const struct cache_op *op, uint64_t tag) {
	struct handle *h = handle_of(c);
	enum err e = check(op);
	if (e) return e;
	if (h->waiting == DONE_MAX || FAULT(h->backend->world, "cache.full")) return ERR_FULL;
	struct answer *a = calloc(1, sizeof *a);
	if (!a) return ERR_NOMEM;
	arena_init(&a->arena, 0);
	a->done.tag = tag;
	a->done.err = run(h->backend, op, a);
	list_push(&h->done, &a->link);
	h->waiting++;
	return OK;
}

static void answer_free(struct answer *a) {
	if (!a) return;
	arena_done(&a->arena);
	free(a);
}

static bool x_poll(struct cache *c, struct cache_done *out) {
	struct handle *h = handle_of(c);
	answer_free(TAKE(h->current));
	struct list *first = list_shift(&h->done);
	if (!first) return false;
	h->waiting--;
	h->current = container_of(first, struct answer, link);
	*out = h->current->done;
	return true;
}

static enum err handle_open(struct backend *b, struct cache **out) {
	struct handle *h = calloc(1, sizeof *h);
	if (!h) return ERR_NOMEM;
	*h = (struct handle){ .cache.ops = &cache_memory, .backend = b };
	list_init(&h->done);
	b->handles++;
	*out = &h->cache;
	return OK;
}

static enum err x_attach(struct cache *c, struct cache **out) {
	return handle_open(handle_of(c)->backend, out);
}

static void backend_close(struct backend *b) {
	forget_all(b);
	map_done(&b->entries);
	free(b);
}

static void x_close(struct cache *c) {
	struct handle *h = handle_of(c);
	struct backend *b = h->backend;
	answer_free(h->current);
	for (struct list *l; (l = list_shift(&h->done));) answer_free(container_of(l, struct answer, link));
	free(h);
	if (--b->handles == 0) backend_close(b);
}

static enum err x_open(struct world *w, const struct url *u, struct cache **out, struct why *why) {
	struct options o = { 0 };
	if (u->host.n || u->path.n || u->port) return why_set(why, ERR_INVALID, "cache: memory: has neither host nor path");
	enum err e = param_url(params, u, &o, "cache: memory", why);
	if (e) return e;
	struct backend *b = calloc(1, sizeof *b);
	if (!b) return ERR_NOMEM;
	*b = (struct backend){ .world = w, .max = (size_t)o.bytes };
	map_init(&b->entries, 0);
	list_init(&b->used);
	e = handle_open(b, out);
	if (e) backend_close(b);
	return e;
}

const struct cache_ops cache_memory = {
	.scheme = "memory",
	.open = x_open,
	.attach = x_attach,
	.submit = x_submit,
	.poll = x_poll,
	.close = x_close,
};
