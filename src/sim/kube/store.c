#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/memory.h"

const struct sim_kube_type_info sim_kube_types[KUBE_TYPES] = {
	[KUBE_NAMESPACES] = { "", "v1", "namespaces", "Namespace", false, false },
	[KUBE_NODES] = { "", "v1", "nodes", "Node", false, false },
	[KUBE_PODS] = { "", "v1", "pods", "Pod", true, false },
	[KUBE_EVENTS] = { "", "v1", "events", "Event", true, false },
	[KUBE_DEPLOYMENTS] = { "apps", "v1", "deployments", "Deployment", true, true },
	[KUBE_REPLICASETS] = { "apps", "v1", "replicasets", "ReplicaSet", true, true },
	[KUBE_HPAS] = { "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true, false },
	[KUBE_PDBS] = { "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true, false },
};

const char *sim_kube_api_version(enum sim_kube_type t) {
	static const char *const names[KUBE_TYPES] = {
		"v1", "v1", "v1", "v1", "apps/v1", "apps/v1", "autoscaling/v2", "policy/v1",
	};
	return names[t];
}

/* ---- names, times ---- */

void sim_kube_time(const struct sim_kube *k, char out[32]) {
	struct wall now = { k->o.epoch.ns + k->o.queue->now_ns };
	wall_format((struct wall){ now.ns / NS_PER_SEC * NS_PER_SEC }, out);
	char *dot = strchr(out, '.');
	if (dot) memcpy(dot, "Z", 2); /* the API server's times have no fraction */
}

void sim_kube_uid(struct sim_kube *k, char out[37]) {
	uint64_t a = rng_next(&k->rng), b = rng_next(&k->rng);
	snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
	         (unsigned)(a & 0xfff), (unsigned)(0x8000 | (b >> 48 & 0x3fff)), (unsigned long long)(b & 0xffffffffffff));
}

/* apimachinery's util/rand: no vowels, no digits that look like letters. */
void sim_kube_suffix(struct sim_kube *k, char *out, size_t n) {
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	for (size_t i = 0; i < n; i++) out[i] = letters[rng_below(&k->rng, sizeof letters - 1)];
	out[n] = '\0';
}

void sim_kube_key(char out[260], const char *ns, const char *name) {
	snprintf(out, 260, "%s%s%s", ns ? ns : "", ns && *ns ? "/" : "", name);
}

static void key_of(char out[260], enum sim_kube_type t, const struct doc *d) {
	const struct doc *meta = doc_get(d, "metadata");
	sim_kube_key(out, sim_kube_types[t].namespaced ? doc_c(doc_get(meta, "namespace")) : "",
	             doc_c(doc_get(meta, "name")));
}

/* ---- states ---- */

static struct sim_kube_state *state_new(struct doc *doc, uint64_t version) {
	struct sim_kube_state *s = must_alloc(sizeof *s);
	*s = (struct sim_kube_state){ .refs = 1, .doc = doc, .version = version };
	return s;
}

struct sim_kube_state *sim_kube_hold(struct sim_kube_state *s) {
	if (s) s->refs++;
	return s;
}

void sim_kube_drop(struct sim_kube_state *s) {
	if (!s || --s->refs) return;
	doc_free(s->doc);
	free(s->json);
	free(s);
}

struct str sim_kube_json(struct sim_kube_state *s) {
	if (!s->json) {
		struct buf b;
		buf_init(&b, 0);
		struct json_out o = json_out(&b);
		doc_write(s->doc, &o);
		s->json = b.p;
		s->json_n = b.n;
	}
	return (struct str){ s->json, s->json_n };
}

/* ---- tables ---- */

size_t sim_kube_entry_at(struct sim_kube_entry *const *entries, size_t count, const char *key) {
	size_t low = 0, high = count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (strcmp(entries[mid]->key, key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t place_of(const struct sim_kube_table *t, const char *key) {
	return sim_kube_entry_at(t->entries, t->count, key);
}

static bool is_at(const struct sim_kube_table *t, size_t at, const char *key) {
	return at < t->count && !strcmp(t->entries[at]->key, key);
}

struct sim_kube_state *sim_kube_find(const struct sim_kube *k, enum sim_kube_type t, const char *key) {
	const struct sim_kube_table *table = &k->tables[t];
	size_t at = place_of(table, key);
	return is_at(table, at, key) ? table->entries[at]->state : NULL;
}

static struct sim_kube_entry *table_insert(struct sim_kube_table *t, size_t at, const char *key,
                                           struct sim_kube_state *s) {
	struct sim_kube_entry *e = must_alloc(sizeof *e);
	*e = (struct sim_kube_entry){ must_copy(key, strlen(key)), s };
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 32;
		t->entries = must_grow(t->entries, t->cap, sizeof(struct sim_kube_entry *));
	}
	memmove(t->entries + at + 1, t->entries + at, (t->count - at) * sizeof(struct sim_kube_entry *));
	t->entries[at] = e;
	t->count++;
	return e;
}

static void table_remove(struct sim_kube_table *t, size_t at) {
	struct sim_kube_entry *e = t->entries[at];
	t->count--;
	memmove(t->entries + at, t->entries + at + 1, (t->count - at) * sizeof(struct sim_kube_entry *));
	free(e->key);
	free(e);
}

static struct sim_kube_change *change_at(const struct sim_kube *k, const struct sim_kube_table *t, size_t i) {
	return &t->history[(t->first + i) % (size_t)k->o.history_max];
}

static void forget_oldest(struct sim_kube *k, struct sim_kube_table *t) {
	struct sim_kube_change *c = change_at(k, t, 0);
	t->compacted = c->version;
	sim_kube_drop(c->before);
	sim_kube_drop(c->now);
	sim_kube_drop(c->removed);
	t->first = (t->first + 1) % (size_t)k->o.history_max;
	t->length--;
}

static void remember(struct sim_kube *k, enum sim_kube_type type, struct sim_kube_change change) {
	struct sim_kube_table *t = &k->tables[type];
	if (t->length == (size_t)k->o.history_max) forget_oldest(k, t);
	*change_at(k, t, t->length++) = change;
	t->changed = change.version;
	sim_trace_mix(k->o.trace, change.version << 8 | type);
	if (k->changed) k->changed(k->changed_self);
}

void sim_kube_compact(struct sim_kube *k) {
	for (int t = 0; t < KUBE_TYPES; t++) {
		while (k->tables[t].length) forget_oldest(k, &k->tables[t]);
		k->tables[t].compacted = k->version;
	}
}

static void set_version(struct doc *d, uint64_t version) {
	char text[24];
	snprintf(text, sizeof text, "%llu", (unsigned long long)version);
	doc_set_c(doc_make(d, "metadata"), "resourceVersion", text);
}

static bool is_new_generation(enum sim_kube_type t, const struct doc *before, const struct doc *now,
                              const char *subresource) {
	if (!before) return true;
	if (subresource && !strcmp(subresource, "status")) return false;
	if (t == KUBE_DEPLOYMENTS &&
	    !doc_equal(doc_path(before, "metadata.annotations"), doc_path(now, "metadata.annotations")))
		return true;
	return !doc_equal(doc_get(before, "spec"), doc_get(now, "spec")) ||
	       (!doc_path(before, "metadata.deletionTimestamp") && doc_path(now, "metadata.deletionTimestamp"));
}

void sim_kube_set_generation(enum sim_kube_type t, const struct doc *before, struct doc *now, const char *subresource) {
	if (t == KUBE_EVENTS || t == KUBE_NAMESPACES || t == KUBE_NODES) return;
	struct doc *meta = doc_make(now, "metadata");
	int64_t old = doc_int(doc_path(before, "metadata.generation"), 0);
	doc_set_int(meta, "generation", is_new_generation(t, before, now, subresource) ? old + 1 : old);
}

struct sim_kube_state *sim_kube_store(struct sim_kube *k, enum sim_kube_type t, struct doc *doc,
                                      const char *subresource) {
	char key[260];
	struct sim_kube_table *table = &k->tables[t];
	key_of(key, t, doc);
	size_t at = place_of(table, key);
	struct sim_kube_entry *e = is_at(table, at, key) ? table->entries[at] : NULL;
	struct sim_kube_state *before = e ? e->state : NULL;
	sim_kube_set_generation(t, before ? before->doc : NULL, doc, subresource);
	if (before) {
		set_version(doc, before->version);
		if (doc_equal(before->doc, doc)) {
			doc_free(doc);
			return before;
		}
	}
	struct sim_kube_state *now = state_new(doc, ++k->version);
	set_version(doc, now->version);
	if (!e) e = table_insert(table, at, key, now);
	e->state = now;
	sim_kube_index_move(&table->index, e, before ? before->doc : NULL, now->doc);
	remember(
		k, t,
		(struct sim_kube_change){ now->version, before, sim_kube_hold(now), NULL }); /* history takes `before` over */
	sim_kube_object_changed(k, t, before ? before->doc : NULL, now->doc);
	return now;
}

void sim_kube_erase(struct sim_kube *k, enum sim_kube_type t, const char *key) {
	struct sim_kube_table *table = &k->tables[t];
	size_t at = place_of(table, key);
	if (!is_at(table, at, key)) return;
	struct sim_kube_state *before = table->entries[at]->state;
	struct sim_kube_state *removed = state_new(doc_copy(before->doc), ++k->version);
	set_version(removed->doc, removed->version);
	sim_kube_index_move(&table->index, table->entries[at], before->doc, NULL);
	table_remove(table, at);
	remember(k, t, (struct sim_kube_change){ removed->version, before, NULL, removed });
	sim_kube_object_changed(k, t, removed->doc, NULL);
}

/* The table as it was: what is there now, less what came since, plus what was there before a change. */
enum err sim_kube_snapshot(struct sim_kube *k, enum sim_kube_type type, uint64_t version, struct sim_kube_state ***out,
                           size_t *count) {
	struct sim_kube_table *t = &k->tables[type];
	if (version && version < t->compacted) return ERR_GONE;
	struct sim_kube_table then = { 0 };
	for (size_t i = 0; i < t->count; i++) table_insert(&then, then.count, t->entries[i]->key, t->entries[i]->state);
	for (size_t i = t->length; version && i > 0 && change_at(k, t, i - 1)->version > version; i--) {
		struct sim_kube_change *c = change_at(k, t, i - 1);
		char key[260];
		key_of(key, type, (c->now ? c->now : c->removed)->doc);
		size_t at = place_of(&then, key);
		if (is_at(&then, at, key)) table_remove(&then, at);
		if (c->before) table_insert(&then, at, key, c->before);
	}
	*out = must_array(then.count, sizeof **out);
	*count = then.count;
	for (size_t i = 0; i < then.count; i++) (*out)[i] = sim_kube_hold(then.entries[i]->state);
	while (then.count) table_remove(&then, then.count - 1);
	free(then.entries);
	return OK;
}

enum err sim_kube_find_at(struct sim_kube *k, enum sim_kube_type type, const char *key, uint64_t version,
                          struct sim_kube_state **out) {
	const struct sim_kube_table *t = &k->tables[type];
	struct sim_kube_state *found = sim_kube_find(k, type, key);
	if (version && version < t->compacted) return ERR_GONE;
	for (size_t i = t->length; version && i > 0 && change_at(k, t, i - 1)->version > version; i--) {
		const struct sim_kube_change *c = change_at(k, t, i - 1);
		char its[260];
		key_of(its, type, (c->now ? c->now : c->removed)->doc);
		if (!strcmp(its, key)) found = c->before;
	}
	*out = sim_kube_hold(found);
	return OK;
}

/* ---- looking ---- */

const struct sim_kube_change *sim_kube_change_at(const struct sim_kube *k, enum sim_kube_type t, size_t i) {
	return i < k->tables[t].length ? change_at(k, &k->tables[t], i) : NULL;
}

uint64_t sim_kube_compacted(const struct sim_kube *k, enum sim_kube_type t) {
	return k->tables[t].compacted;
}

const struct doc *sim_kube_object(const struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name) {
	char key[260];
	sim_kube_key(key, sim_kube_types[t].namespaced ? ns : "", name);
	struct sim_kube_state *s = sim_kube_find(k, t, key);
	return s ? s->doc : NULL;
}

const struct doc *sim_kube_next(const struct sim_kube *k, enum sim_kube_type t, size_t *i) {
	const struct sim_kube_table *table = &k->tables[t];
	return *i < table->count ? table->entries[(*i)++]->state->doc : NULL;
}

size_t sim_kube_count(const struct sim_kube *k, enum sim_kube_type t) {
	return k->tables[t].count;
}

uint64_t sim_kube_changed(const struct sim_kube *k, enum sim_kube_type t) {
	return k->tables[t].changed;
}

uint64_t sim_kube_version(const struct sim_kube *k) {
	return k->version;
}

const struct sim_kube_effect *sim_kube_effects(const struct sim_kube *k, size_t *count) {
	*count = k->effect_count;
	return k->effects;
}

struct sim_kube_mutations *sim_kube_mutations(struct sim_kube *k) {
	return &k->mutations;
}
