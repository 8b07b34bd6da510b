/* Which objects of a type are whose, where, and called what: one list for each term ("owner/UID", "node/NAME",
 * "label/NAMESPACE/KEY=VALUE"), kept by the store alone. Without it each controller's look would read all pods. */
#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/memory.h"

#define TERM_MAX 700 /* a namespace, a key with its prefix (253 and 63 bytes) and a value of 63 */

struct posting { /* entries with one term, in order of their keys */
	struct sim_kube_entry **entries;
	size_t count, cap;
};

static const struct doc *owners_of(const struct doc *d) {
	return doc_path(d, "metadata.ownerReferences");
}

static const struct doc *node_of(const struct doc *d) {
	return doc_path(d, "spec.nodeName");
}

static const struct doc *labels_of(const struct doc *d) {
	return doc_path(d, "metadata.labels");
}

static struct str owner_term(char out[TERM_MAX], const char *uid) {
	return (struct str){ out, (size_t)snprintf(out, TERM_MAX, "owner/%.40s", uid) };
}

static struct str node_term(char out[TERM_MAX], const char *node) {
	return (struct str){ out, (size_t)snprintf(out, TERM_MAX, "node/%.260s", node) };
}

static struct str label_term(char out[TERM_MAX], const char *ns, const char *key, const char *value) {
	return (struct str){ out, (size_t)snprintf(out, TERM_MAX, "label/%.64s/%.320s=%.64s", ns, key, value) };
}

/* ---- keeping ---- */

static void add(struct map *index, struct str term, struct sim_kube_entry *e) {
	struct posting *p = map_get(index, term);
	if (!p) {
		p = must_alloc(sizeof *p);
		enum err err = map_put(index, term, p, NULL);
		assert(!err);
	}
	size_t at = sim_kube_entry_at(p->entries, p->count, e->key);
	if (at < p->count && p->entries[at] == e) return; /* the same term twice */
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 4;
		p->entries = must_grow(p->entries, p->cap, sizeof(struct sim_kube_entry *));
	}
	memmove(p->entries + at + 1, p->entries + at, (p->count - at) * sizeof(struct sim_kube_entry *));
	p->entries[at] = e;
	p->count++;
}

static void take(struct map *index, struct str term, struct sim_kube_entry *e) {
	struct posting *p = map_get(index, term);
	size_t at = p ? sim_kube_entry_at(p->entries, p->count, e->key) : 0;
	if (!p || at == p->count || p->entries[at] != e) return; /* the same term twice */
	p->count--;
	memmove(p->entries + at, p->entries + at + 1, (p->count - at) * sizeof(struct sim_kube_entry *));
	if (p->count) return;
	map_remove(index, term);
	free(p->entries);
	free(p);
}

static void each_term(struct map *index, const struct doc *d, struct sim_kube_entry *e,
                      void (*visit)(struct map *index, struct str term, struct sim_kube_entry *e)) {
	char term[TERM_MAX];
	const char *ns = doc_c(doc_path(d, "metadata.namespace")), *node = doc_c(node_of(d));
	doc_each(o, owners_of(d)) visit(index, owner_term(term, doc_c(doc_get(o, "uid"))), e);
	if (*node) visit(index, node_term(term, node), e);
	doc_each(l, labels_of(d)) visit(index, label_term(term, ns, l->key, doc_c(l)), e);
}

void sim_kube_index_move(struct map *index, struct sim_kube_entry *e, const struct doc *before, const struct doc *now) {
	bool same = doc_equal(node_of(before), node_of(now)) && doc_equal(owners_of(before), owners_of(now)) &&
	            doc_equal(labels_of(before), labels_of(now));
	if (same) return;
	each_term(index, before, e, take);
	each_term(index, now, e, add);
}

void sim_kube_index_done(struct map *index) {
	void *p;
	for (size_t i = 0; map_next(index, &i, NULL, &p);) {
		free(((struct posting *)p)->entries);
		free(p);
	}
	map_done(index);
}

/* ---- asking ---- */

static struct sim_kube_some with_term(const struct sim_kube *k, enum sim_kube_type t, struct str term) {
	const struct posting *p = map_get(&k->tables[t].index, term);
	return p ? (struct sim_kube_some){ p->entries, p->count } : (struct sim_kube_some){ NULL, 0 };
}

struct sim_kube_some sim_kube_owned(const struct sim_kube *k, enum sim_kube_type t, const char *uid) {
	char term[TERM_MAX];
	return with_term(k, t, owner_term(term, uid));
}

struct sim_kube_some sim_kube_on_node(const struct sim_kube *k, const char *node) {
	char term[TERM_MAX];
	return with_term(k, KUBE_PODS, node_term(term, node));
}

struct sim_kube_some sim_kube_candidates(const struct sim_kube *k, const char *ns, const struct doc *selector) {
	char term[TERM_MAX];
	struct sim_kube_some least = { k->tables[KUBE_PODS].entries, k->tables[KUBE_PODS].count };
	doc_each(l, doc_get(selector, "matchLabels")) {
		struct sim_kube_some s = with_term(k, KUBE_PODS, label_term(term, ns, l->key, doc_c(l)));
		if (s.count < least.count) least = s;
	}
	return least;
}

const struct doc *sim_kube_some_next(struct sim_kube_some *some) {
	if (!some->count) return NULL;
	some->count--;
	return (*some->entries++)->state->doc;
}
