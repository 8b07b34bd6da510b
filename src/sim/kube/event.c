/* Kubernetes Events: what the cluster says of itself (client-go's tools/record, events_cache.go).
 *
 * The same words again count up the Event that is there; from the tenth different one of one reason about one object on
 * all are told as one, until there was none for ten minutes; an Event that was not told again for an hour is forgotten
 * (kube-apiserver's
 * --event-ttl). */
#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "sim/kube/impl.h"
#include "sim/memory.h"

#define TTL_NS      (3600 * NS_PER_SEC)
#define SIMILAR_MAX 10
#define SIMILAR_NS  (600 * NS_PER_SEC)
#define COMBINED    "(combined from similar events): "
#define EVENTS_MAX  10000 /* then the oldest goes before its time */

struct told {
	struct list link; /* the last told at the end */
	char key[400];
	uint64_t what;    /* hash of all that is said; in k->told_by_what */
	uint64_t similar; /* hash of it without the message */
	uint64_t run;     /* id of the run that it counts in; 0: none, it is the one for many */
	int64_t last_ns, count;
};

struct run { /* of Events that differ in their message only, without ten minutes between; in k->run_by_similar */
	struct list link; /* the last told at the end */
	uint64_t similar, id;
	int64_t last_ns;
	int messages; /* different ones that are remembered */
};

static struct str name_of(const uint64_t *hash) {
	return (struct str){ (const char *)hash, sizeof *hash };
}

static struct told *find(const struct sim_kube *k, uint64_t what) {
	return map_get(&k->told_by_what, name_of(&what));
}

/* It counts in that run from now on; NULL: in none. A run that it counted in before may have ended. */
static void count_in(struct sim_kube *k, struct told *e, struct run *run) {
	struct run *before = map_get(&k->run_by_similar, name_of(&e->similar));
	if (before && before->id == e->run) before->messages--;
	e->run = run ? run->id : 0;
	if (run) run->messages++;
}

static void forget(struct sim_kube *k, struct told *e) {
	count_in(k, e, NULL);
	sim_kube_erase(k, KUBE_EVENTS, e->key);
	map_remove(&k->told_by_what, name_of(&e->what));
	list_remove(&e->link);
	k->told_count--;
	free(e);
}

static void forget_old(struct sim_kube *k) {
	list_each_safe(it, &k->told) {
		struct told *e = container_of(it, struct told, link);
		if (e->last_ns > k->o.queue->now_ns - TTL_NS && k->told_count < EVENTS_MAX) return;
		forget(k, e);
	}
}

void sim_kube_events_free(struct sim_kube *k) {
	list_each_safe(it, &k->told) free(container_of(it, struct told, link));
	list_each_safe(it, &k->told_runs) free(container_of(it, struct run, link));
	map_done(&k->told_by_what);
	map_done(&k->run_by_similar);
}

static void end_runs(struct sim_kube *k) {
	list_each_safe(it, &k->told_runs) {
		struct run *r = container_of(it, struct run, link);
		if (r->last_ns >= k->o.queue->now_ns - SIMILAR_NS) return;
		map_remove(&k->run_by_similar, name_of(&r->similar));
		list_remove(&r->link);
		free(r);
	}
}

static struct run *run_of(struct sim_kube *k, uint64_t similar) {
	end_runs(k);
	struct run *r = map_get(&k->run_by_similar, name_of(&similar));
	if (r) {
		list_remove(&r->link);
	} else {
		r = must_alloc(sizeof *r);
		r->similar = similar;
		r->id = (uint64_t)++k->told_ever;
		enum err e = map_put(&k->run_by_similar, name_of(&similar), r, NULL);
		assert(!e);
	}
	list_push(&k->told_runs, &r->link);
	r->last_ns = k->o.queue->now_ns;
	return r;
}

/* How many different messages a run has, with that one. */
static int different(const struct run *r, const struct told *this) {
	return r->messages + (!this || this->run != r->id);
}

static struct doc *event_doc(struct sim_kube *k, const struct doc *about, const struct sim_kube_saying *s,
                             const char *message) {
	static const char *const copied[] = { "namespace", "name", "uid", "resourceVersion" };
	const struct doc *meta = doc_get(about, "metadata");
	char name[300], time[32];
	struct doc *e = doc_new(JSON_OBJECT), *object = doc_make(e, "involvedObject");
	snprintf(name, sizeof name, "%s.%llx", doc_c(doc_get(meta, "name")),
	         (unsigned long long)(k->o.epoch.ns + k->o.queue->now_ns + k->told_ever++ % 1000));
	doc_set_c(doc_make(e, "metadata"), "name", name);
	doc_set_c(object, "kind", doc_c(doc_get(about, "kind")));
	doc_set_c(object, "apiVersion", doc_c(doc_get(about, "apiVersion")));
	for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
		if (doc_get(meta, copied[i])) doc_set(object, copied[i], doc_copy(doc_get(meta, copied[i])));
	sim_kube_time(k, time);
	doc_set_c(e, "reason", s->reason);
	doc_set_c(e, "message", message);
	doc_set_c(e, "type", s->warning ? "Warning" : "Normal");
	doc_set_c(doc_make(e, "source"), "component", s->component);
	doc_set_c(e, "reportingComponent", s->component);
	doc_set_c(e, "firstTimestamp", time);
	doc_set_c(e, "lastTimestamp", time);
	doc_set_int(e, "count", 1);
	return e;
}

static void tell_again(struct sim_kube *k, struct told *e, const char *message) {
	char time[32];
	struct sim_kube_state *state = sim_kube_find(k, KUBE_EVENTS, e->key);
	list_remove(&e->link);
	list_push(&k->told, &e->link);
	e->last_ns = k->o.queue->now_ns;
	e->count++;
	if (!state) return; /* somebody has deleted it */
	struct doc *now = doc_copy(state->doc);
	sim_kube_time(k, time);
	doc_set_int(now, "count", e->count);
	doc_set_c(now, "lastTimestamp", time);
	doc_set_c(now, "message", message);
	sim_kube_store(k, KUBE_EVENTS, now, NULL);
}

static void tell_first(struct sim_kube *k, const struct doc *about, const struct sim_kube_saying *s,
                       const char *message, uint64_t what, uint64_t similar) {
	const char *ns = doc_c(doc_path(about, "metadata.namespace"));
	struct sim_kube_call c = { s->component, s->component, NULL, false, false, true, false };
	struct sim_kube_reply r = { 0 };
	sim_kube_do_create(k, KUBE_EVENTS, *ns ? ns : "default", event_doc(k, about, s, message), &c, &r);
	if (!r.reason) {
		struct told *e = must_alloc(sizeof *e);
		*e = (struct told){ .what = what, .similar = similar, .last_ns = k->o.queue->now_ns, .count = 1 };
		sim_kube_key(e->key, *ns ? ns : "default", doc_c(doc_path(r.object, "metadata.name")));
		list_push(&k->told, &e->link);
		enum err err = map_put(&k->told_by_what, name_of(&what), e, NULL);
		assert(!err);
		k->told_count++;
	}
	sim_kube_reply_done(&r);
}

void sim_kube_say(struct sim_kube *k, const struct doc *about, const struct sim_kube_saying *s, const char *fmt, ...) {
	char message[1024], text[1400];
	va_list args;
	va_start(args, fmt);
	int n = snprintf(message, sizeof message, COMBINED);
	vsnprintf(message + n, sizeof message - (size_t)n, fmt, args);
	va_end(args);
	const char *plain = message + n;
	snprintf(text, sizeof text, "%s/%s/%d/%s/", s->component, s->reason, s->warning,
	         doc_c(doc_path(about, "metadata.uid")));
	uint64_t similar = hash64(str_of(text));
	snprintf(text + strlen(text), sizeof text - strlen(text), "%s", plain);
	uint64_t what = hash64(str_of(text));
	forget_old(k);
	struct told *e = find(k, what);
	struct run *run = run_of(k, similar);
	bool combined = different(run, e) >= SIMILAR_MAX;
	if (combined) e = find(k, what = similar);
	if (e)
		tell_again(k, e, combined ? message : plain);
	else
		tell_first(k, about, s, combined ? message : plain, what, similar);
	e = find(k, what);
	if (e && !combined) count_in(k, e, run);
}
