#include "stream/catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PART_IDLE_NS    (600 * NS_PER_SEC)
#define EDGE_IDLE_NS    (3 * NS_PER_DAY)
#define ENTITY_IDLE_NS  (14 * NS_PER_DAY) /* a job that runs once a week is known the next time, and the one after */
#define CROWDED_IDLE_NS (2 * 3600 * NS_PER_SEC) /* over SERIES_IDLE_NS: a series names its edge */

#define GAP_FACTOR 2.5 /* usual gaps, after which something was missed */
#define GAP_MIN_S  4.0

const char *entity_kind_name(enum entity_kind k) {
	static const char *const names[ENTITY_KINDS] = { "service", "database", "queue", "external" };
	return names[k];
}

void text_free(struct str *kept) {
	free((void *)(uintptr_t)kept->p);
	*kept = (struct str){ NULL, 0 };
}

bool text_set(struct str *kept, struct str value) {
	if (str_eq(*kept, value)) return true;
	char *copy = NULL;
	if (value.n) {
		copy = malloc(value.n);
		if (!copy) return false;
		memcpy(copy, value.p, value.n);
	}
	text_free(kept);
	*kept = (struct str){ copy, value.n };
	return true;
}

static void workload_free(struct workload *w) {
	text_free(&w->namespace_), text_free(&w->kind), text_free(&w->name);
}

/* ---- tables ---- */

/* The lowest free place, so that a table is never longer than its fullest hour, and what is read back from a
 * checkpoint goes on as the original would have. */
static bool table_place(struct table *t, uint32_t *at) {
	while (!t->restoring && t->free_from < t->count && t->v[t->free_from]) t->free_from++;
	if (!t->restoring && t->free_from < t->count) {
		*at = t->free_from;
		return true;
	}
	if (t->count == t->cap) {
		uint32_t cap = t->cap ? 2 * t->cap : 64;
		void **v = realloc(t->v, cap * sizeof *v);
		if (!v) return false;
		t->v = v;
		t->cap = cap;
	}
	t->v[t->count] = NULL;
	*at = t->count++;
	return true;
}

/* A zeroed object of `size` bytes under `key`; NULL: it did not fit. */
static void *table_add(struct catalog *c, struct table *t, const struct hash128 *key, size_t size, uint32_t *at) {
	void *p = t->by_key.count < t->by_key.max ? calloc(1, size) : NULL;
	if (p && table_place(t, at) && index_put(&t->by_key, key, *at) == OK) {
		t->v[*at] = p;
		return p;
	}
	free(p);
	c->refused++;
	return NULL;
}

static void table_drop(struct table *t, const struct hash128 *key, uint32_t at) {
	index_remove(&t->by_key, key);
	t->v[at] = NULL;
	if (at < t->free_from) t->free_from = at;
}

static void *table_get(const struct table *t, const struct hash128 *key) {
	uint32_t i = index_get(&t->by_key, key);
	return i == INDEX_NONE ? NULL : t->v[i];
}

static struct hash128 key_of(char tag, uint32_t number, struct str a, struct str b) {
	char text[600];
	size_t n = 0;
	text[n++] = tag;
	memcpy(text + n, &number, sizeof number);
	n += sizeof number;
	uint32_t length = (uint32_t)a.n;
	memcpy(text + n, &length, sizeof length);
	n += sizeof length;
	if (a.n + b.n > sizeof text - n) { /* a long address: by the hashes of its parts */
		struct hash128 ha = hash128(a), hb = hash128(b);
		memcpy(text + n, &ha, sizeof ha);
		memcpy(text + n + sizeof ha, &hb, sizeof hb);
		return hash128((struct str){ text, n + sizeof ha + sizeof hb });
	}
	if (a.n) memcpy(text + n, a.p, a.n);
	if (b.n) memcpy(text + n + a.n, b.p, b.n);
	return hash128((struct str){ text, n + a.n + b.n });
}

/* ---- life ---- */

void catalog_init(struct catalog *c, struct catalog_limits limits) {
	*c = (struct catalog){ .limits = limits };
	index_init(&c->entities.by_key, (size_t)limits.entities);
	index_init(&c->instances.by_key, (size_t)limits.instances);
	index_init(&c->sources.by_key, (size_t)limits.sources);
	index_init(&c->edges.by_key, (size_t)limits.edges);
}

static void entity_free(struct entity *e) {
	if (!e) return;
	for (int v = 0; v < VIAS; v++) channel_close(e->red[v]);
	text_free(&e->subject), text_free(&e->service_namespace), text_free(&e->region);
	workload_free(&e->workload);
	free(e);
}

static void instance_free(struct instance *i) {
	if (!i) return;
	text_free(&i->uid), text_free(&i->namespace_), text_free(&i->name), text_free(&i->node), text_free(&i->reason);
	workload_free(&i->workload);
	free(i);
}

static void edge_free(struct edge *e) {
	if (!e) return;
	text_free(&e->address);
	free(e);
}

static void table_done(struct table *t) {
	free(t->v);
	index_done(&t->by_key);
}

void catalog_done(struct catalog *c) {
	for (uint32_t i = 0; i < c->entities.count; i++) entity_free(c->entities.v[i]);
	for (uint32_t i = 0; i < c->instances.count; i++) instance_free(c->instances.v[i]);
	for (uint32_t i = 0; i < c->sources.count; i++) free(c->sources.v[i]);
	for (uint32_t i = 0; i < c->edges.count; i++) edge_free(c->edges.v[i]);
	table_done(&c->entities), table_done(&c->instances), table_done(&c->sources), table_done(&c->edges);
	free(c->gone_entities.v), free(c->gone_edges.v);
	*c = (struct catalog){ .limits = c->limits };
}

static struct table *table_of(struct catalog *c, enum catalog_table which) {
	struct table *const all[] = { &c->entities, &c->instances, &c->sources, &c->edges };
	return all[which];
}

bool catalog_restore_at(struct catalog *c, enum catalog_table which, uint32_t at) {
	struct table *t = table_of(c, which);
	uint32_t hole;
	if (at < t->count || at > 16 * (uint32_t)t->by_key.max) return false;
	t->restoring = true;
	while (t->count < at)
		if (!table_place(t, &hole)) return false;
	return true;
}

void catalog_restored(struct catalog *c) {
	for (int i = 0; i < CATALOG_TABLES; i++) table_of(c, (enum catalog_table)i)->restoring = false;
}

/* ---- finding and making ---- */

/* "service/payment"; `long_form`: "service/shop/payment". */
static bool subject_set(struct entity *e, struct str namespace_, struct str name, bool long_form) {
	const char *kind = entity_kind_name(e->kind);
	char text[1024];
	size_t at = strlen(kind);
	if (at + 1 + namespace_.n + 1 + name.n > sizeof text) return false;
	memcpy(text, kind, at);
	text[at++] = '/';
	size_t n = at;
	if (long_form) {
		memcpy(text + n, namespace_.p, namespace_.n);
		n += namespace_.n;
		text[n++] = '/';
	}
	memcpy(text + n, name.p, name.n);
	n += name.n;
	if (!text_set(&e->subject, (struct str){ text, n })) return false;
	e->name = (struct str){ e->subject.p + at, n - at };
	e->own_name = (struct str){ e->subject.p + n - name.n, name.n };
	return text_set(&e->service_namespace, namespace_);
}

static bool subject_taken(const struct catalog *c, const struct entity *e) {
	for (uint32_t i = 0; i < c->entities.count; i++) {
		const struct entity *x = c->entities.v[i];
		if (x && x != e && str_eq(x->subject, e->subject)) return true;
	}
	return false;
}

/* The long form where another namespace has a service of that name already. */
static bool subject_choose(const struct catalog *c, struct entity *e, struct str namespace_, struct str name) {
	if (!subject_set(e, namespace_, name, false)) return false;
	return !namespace_.n || !subject_taken(c, e) || subject_set(e, namespace_, name, true);
}

bool catalog_subject_long(const struct entity *e) {
	return e->name.n != e->own_name.n;
}

bool catalog_restore_subject(struct entity *e, bool long_form) {
	char name[256], namespace_[1024];
	if (catalog_subject_long(e) == long_form) return true;
	if (e->own_name.n > sizeof name || e->service_namespace.n > sizeof namespace_ || !e->service_namespace.n)
		return false;
	memcpy(name, e->own_name.p, e->own_name.n); /* what they lie in is replaced */
	memcpy(namespace_, e->service_namespace.p, e->service_namespace.n);
	return subject_set(e, (struct str){ namespace_, e->service_namespace.n }, (struct str){ name, e->own_name.n },
	                   long_form);
}

static struct hash128 entity_key(enum entity_kind kind, struct str namespace_, struct str name) {
	return key_of('E', (uint32_t)kind, namespace_, name);
}

struct entity *catalog_get_entity(struct catalog *c, enum entity_kind kind, struct str namespace_, struct str name,
                                  int64_t now_ns) {
	struct hash128 key = entity_key(kind, namespace_, name);
	struct entity *e = table_get(&c->entities, &key);
	if (e) {
		e->last_ns = now_ns;
		return e;
	}
	uint32_t at;
	if (!name.n || name.n > 255) return NULL;
	e = table_add(c, &c->entities, &key, sizeof *e, &at);
	if (!e) return NULL;
	e->index = at;
	e->kind = kind;
	e->first_source = e->first_instance = e->first_edge = NONE;
	e->first_ns = e->last_ns = now_ns;
	if (!subject_choose(c, e, namespace_, name)) {
		table_drop(&c->entities, &key, at);
		entity_free(e);
		return NULL;
	}
	return e;
}

struct entity *catalog_find_entity(const struct catalog *c, struct str subject) {
	for (uint32_t i = 0; i < c->entities.count; i++) {
		struct entity *e = c->entities.v[i];
		if (e && str_eq(e->subject, subject)) return e;
	}
	return NULL;
}

static struct hash128 instance_key(struct str uid) {
	return key_of('I', 0, uid, (struct str){ NULL, 0 });
}

struct instance *catalog_get_instance(struct catalog *c, struct str uid, int64_t now_ns) {
	struct hash128 key = instance_key(uid);
	struct instance *i = table_get(&c->instances, &key);
	if (!i) {
		uint32_t at;
		i = table_add(c, &c->instances, &key, sizeof *i, &at);
		if (!i) return NULL;
		i->index = at;
		i->entity = i->next = NONE;
		i->first_ns = now_ns;
		for (int g = 0; g < GAUGES; g++) i->gauges[g] = (struct gauge){ .limit = __builtin_nan(""), .rank = UINT8_MAX };
		if (!text_set(&i->uid, uid)) return NULL;
	}
	i->last_ns = now_ns;
	return i;
}

struct source *catalog_get_source(struct catalog *c, struct hash128 key, bool *fresh, int64_t now_ns) {
	struct source *s = table_get(&c->sources, &key);
	*fresh = !s;
	if (!s) {
		uint32_t at;
		s = table_add(c, &c->sources, &key, sizeof *s, &at);
		if (!s) return NULL;
		*s = (struct source){ .key = key, .entity = NONE, .instance = NONE, .index = at, .next = NONE };
	}
	s->last_ns = now_ns;
	return s;
}

static void edge_link(struct catalog *c, struct edge *e) {
	struct entity *caller = catalog_entity(c, e->from);
	if (!caller) return;
	uint32_t *link = &caller->first_edge;
	while (*link != NONE && *link > e->index) link = &catalog_edge(c, *link)->next;
	e->next = *link;
	*link = e->index;
}

struct edge *catalog_get_edge(struct catalog *c, uint32_t from, enum edge_kind kind, struct str address, uint32_t to,
                              int64_t now_ns) {
	char target[8] = { (char)kind };
	if (!address.n) memcpy(target + 1, &to, sizeof to); /* nothing but who answered tells the edges apart */
	struct hash128 key = key_of('G', from, address, (struct str){ target, sizeof target });
	struct edge *e = table_get(&c->edges, &key);
	if (!e) {
		uint32_t at;
		e = table_add(c, &c->edges, &key, sizeof *e, &at);
		if (!e) return NULL;
		*e = (struct edge){
			.index = at, .key = key, .next = NONE, .from = from, .to = to, .kind = kind, .first_ns = now_ns
		};
		edge_link(c, e);
		if (!text_set(&e->address, address)) return NULL;
	}
	e->last_ns = now_ns;
	return e;
}

static bool workload_eq(const struct workload *a, const struct workload *b) {
	return str_eq(a->name, b->name) && str_eq(a->namespace_, b->namespace_) && str_eq(a->kind, b->kind);
}

uint32_t catalog_by_workload(const struct catalog *c, const struct workload *w) {
	if (!w->name.n) return NONE;
	for (uint32_t i = 0; i < c->entities.count; i++) {
		const struct entity *e = c->entities.v[i];
		if (e && e->kind == ENTITY_SERVICE && workload_eq(&e->workload, w)) return i;
	}
	return NONE;
}

void catalog_own_source(struct catalog *c, struct source *s, uint32_t entity) {
	struct entity *e = catalog_entity(c, entity);
	if (!e || s->entity != NONE) return;
	uint32_t *link = &e->first_source;
	while (*link != NONE && *link > s->index) link = &catalog_source(c, *link)->next;
	s->entity = entity;
	s->next = *link;
	*link = s->index;
}

void catalog_own_instance(struct catalog *c, struct instance *i, uint32_t entity) {
	struct entity *e = catalog_entity(c, entity);
	if (!e || i->entity != NONE) return;
	uint32_t *link = &e->first_instance;
	while (*link != NONE && *link > i->index) link = &catalog_instance(c, *link)->next;
	i->entity = entity;
	i->next = *link;
	*link = i->index;
}

/* ---- ageing ---- */

static void instance_drop(struct catalog *c, struct instance *x) {
	struct entity *e = catalog_entity(c, x->entity);
	struct hash128 key = instance_key(x->uid);
	uint32_t *link = e ? &e->first_instance : NULL;
	while (link && *link != x->index) link = &catalog_instance(c, *link)->next;
	if (link) *link = x->next;
	table_drop(&c->instances, &key, x->index);
	instance_free(x);
}

static void source_drop(struct catalog *c, struct source *x) {
	struct entity *e = catalog_entity(c, x->entity);
	uint32_t *link = e ? &e->first_source : NULL;
	while (link && *link != x->index) link = &catalog_source(c, *link)->next;
	if (link) *link = x->next;
	table_drop(&c->sources, &x->key, x->index);
	free(x);
}

static void edge_drop(struct catalog *c, struct edge *x) {
	struct entity *e = catalog_entity(c, x->from);
	uint32_t *link = e ? &e->first_edge : NULL;
	while (link && *link != x->index) link = &catalog_edge(c, *link)->next;
	if (link) *link = x->next;
	table_drop(&c->edges, &x->key, x->index);
	edge_free(x);
}

static void entity_drop(struct catalog *c, struct entity *x) {
	struct hash128 key = entity_key(x->kind, x->service_namespace, x->own_name);
	table_drop(&c->entities, &key, x->index);
	entity_free(x);
}

static bool gone_note(struct gone *g, uint32_t index) {
	if (g->count == g->cap) {
		uint32_t cap = g->cap ? 2 * g->cap : 16;
		uint32_t *v = realloc(g->v, cap * sizeof *v);
		if (!v) return false; /* it stays until the next sweep */
		g->v = v;
		g->cap = cap;
	}
	g->v[g->count++] = index;
	return true;
}

static void parts_expire(struct catalog *c, int64_t before_ns) {
	for (uint32_t i = 0; i < c->instances.count; i++) {
		struct instance *x = c->instances.v[i];
		if (x && x->last_ns < before_ns) instance_drop(c, x);
	}
	for (uint32_t i = 0; i < c->sources.count; i++) {
		struct source *x = c->sources.v[i];
		if (x && x->instance != NONE && !c->instances.v[x->instance]) x->instance = NONE;
		if (x && x->last_ns < before_ns) source_drop(c, x);
	}
}

static void edges_expire(struct catalog *c, int64_t before_ns) {
	for (uint32_t i = 0; i < c->entities.count; i++)
		if (c->entities.v[i]) ((struct entity *)c->entities.v[i])->called = false;
	for (uint32_t i = 0; i < c->edges.count; i++) {
		struct edge *x = c->edges.v[i];
		if (!x) continue;
		if (x->last_ns < before_ns && gone_note(&c->gone_edges, i)) {
			edge_drop(c, x);
			continue;
		}
		struct entity *to = catalog_entity(c, x->to);
		if (to) to->called = true;
	}
}

static void entities_expire(struct catalog *c, int64_t before_ns) {
	for (uint32_t i = 0; i < c->entities.count; i++) {
		struct entity *x = c->entities.v[i];
		if (!x || x->last_ns >= before_ns || x->holds || x->called) continue;
		if (x->first_source != NONE || x->first_instance != NONE || x->first_edge != NONE) continue;
		if (gone_note(&c->gone_entities, i)) entity_drop(c, x);
	}
}

/* Room is made before it is needed: what would have been kept for its history goes sooner. */
static bool crowded(const struct table *t) {
	return t->by_key.count > t->by_key.max - t->by_key.max / 8;
}

void catalog_expire(struct catalog *c, int64_t now_ns) {
	bool entities = crowded(&c->entities), edges = entities || crowded(&c->edges);
	c->gone_edges.count = c->gone_entities.count = 0;
	parts_expire(c, now_ns - PART_IDLE_NS);
	edges_expire(c, now_ns - (edges ? CROWDED_IDLE_NS : EDGE_IDLE_NS));
	entities_expire(c, now_ns - (entities ? CROWDED_IDLE_NS : ENTITY_IDLE_NS));
}

/* ---- slots ---- */

struct edge_slot *edge_slot(struct edge *e, int64_t slot_number) {
	if (!slots_reach(e->slots, sizeof e->slots[0], &e->newest, slot_number)) return NULL;
	return &e->slots[slot_number % SLOTS];
}

struct edge_slot edge_sum(const struct edge *e, int64_t first, int64_t last) {
	struct edge_slot sum = { 0 };
	if (first <= e->newest - SLOTS) first = e->newest - SLOTS + 1;
	if (last > e->newest) last = e->newest;
	for (int64_t k = first; k <= last; k++) {
		const struct edge_slot *s = &e->slots[k % SLOTS];
		sum.calls += s->calls, sum.failed += s->failed, sum.seconds += s->seconds;
		sum.wall_seconds += s->wall_seconds, sum.blamed += s->blamed, sum.joined += s->joined;
		sum.gap_seconds += s->gap_seconds, sum.failed_joined += s->failed_joined;
		sum.joined_failed += s->joined_failed;
	}
	return sum;
}

struct part *instance_part(struct instance *i, int64_t slot_number) {
	if (!slots_reach(i->parts, sizeof i->parts[0], &i->part_newest, slot_number)) return NULL;
	return &i->parts[slot_number % SLOTS];
}

struct part instance_sum(const struct instance *i, int64_t first, int64_t last) {
	struct part sum = { 0 };
	if (first <= i->part_newest - SLOTS) first = i->part_newest - SLOTS + 1;
	if (last > i->part_newest) last = i->part_newest;
	for (int64_t k = first; k <= last; k++) {
		const struct part *p = &i->parts[k % SLOTS];
		sum.seen += p->seen, sum.bad += p->bad, sum.slow += p->slow, sum.seconds += p->seconds;
	}
	return sum;
}

/* The usual gap is followed towards its upper quartile: senders skip what is empty, so a gap is
 * rarely shorter than the interval and sometimes a multiple of it (stochastic approximation of a
 * quantile, Robbins and Monro 1951, with a step in proportion to the estimate). */
void pulse_beat(struct pulse *p, int64_t received_ns, int64_t at_ns) {
	double gap_s = (double)(received_ns - p->last_ns) / 1e9;
	double usual_s = p->interval_s > GAP_MIN_S ? p->interval_s : GAP_MIN_S;
	if (!p->beats || gap_s > GAP_FACTOR * usual_s)
		p->since_ns = at_ns - (int64_t)(p->interval_s * 1e9); /* what it had to say before was not heard */
	if (p->beats && gap_s > 0.05) {
		if (!(p->interval_s > 0))
			p->interval_s = gap_s;
		else if (p->beats < 8)
			p->interval_s += 0.5 * (gap_s - p->interval_s);
		else
			p->interval_s *= gap_s > p->interval_s ? 1.03 : 0.99;
	}
	if (!p->beats || gap_s > 0.05) {
		p->beats++;
		p->last_ns = received_ns;
	}
	if (at_ns > p->at_ns) p->at_ns = at_ns;
	p->gone = false;
}
