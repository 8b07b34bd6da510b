/* Watches: each reads the history from its own position on. */
#include <stdio.h>

#include "sim/kube/select.h"
#include "sim/kube/server_impl.h"
#include "sim/memory.h"

#define BOOKMARK_NS (60 * NS_PER_SEC)
#define LAST_NS     (2 * NS_PER_SEC) /* one more comes so long before a watch's time is up (cacher's bookmark timer) */
#define BATCH_MAX   (256 * 1024)     /* of watch events sent at once */
#define WATCH_MIN_S 1800             /* kube-apiserver --min-request-timeout: watches live that long to twice of it */

void sim_kube_watch_free(struct sim_kube_watch *w) {
	list_remove(&w->link);
	list_remove(&w->all);
	free(w->labels);
	free(w->fields);
	free(w);
}

static bool watched(const struct sim_kube_watch *w, const struct doc *d) {
	if (!d || (*w->ns && strcmp(w->ns, doc_c(doc_path(d, "metadata.namespace"))))) return false;
	return sim_kube_labels_selected(str_of(w->labels), doc_path(d, "metadata.labels")) &&
	       sim_kube_fields_selected(str_of(w->fields), d);
}

static void put_event(struct buf *b, const char *type, struct str object) {
	buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
	buf_str(b, object);
	buf_c(b, "}\n");
}

static void put_change(struct buf *b, const struct sim_kube_watch *w, const struct sim_kube_change *c) {
	bool before = watched(w, c->before ? c->before->doc : NULL), now = watched(w, c->now ? c->now->doc : NULL);
	if (now)
		put_event(b, before ? "MODIFIED" : "ADDED", sim_kube_json(c->now));
	else if (before)
		put_event(b, "DELETED", sim_kube_json(c->now ? c->now : c->removed));
}

static void put_bookmark(struct buf *b, const struct sim_kube_watch *w, uint64_t version, bool initial) {
	buf_printf(b,
	           "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
	           "\"resourceVersion\":\"%llu\",\"creationTimestamp\":null%s}}}\n",
	           sim_kube_types[w->type].kind, sim_kube_api_version(w->type), (unsigned long long)version,
	           initial ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
}

static void put_error(struct buf *b, int code, const char *reason, const char *message) {
	buf_c(b, "{\"type\":\"ERROR\",\"object\":");
	struct json_out o = json_out(b);
	sim_kube_put_status(&o, code, reason, message, NULL, NULL);
	buf_c(b, "}\n");
}

static int64_t next_bookmark(const struct sim_kube_watch *w, int64_t now) {
	int64_t last = w->deadline_ns - LAST_NS, next = now + BOOKMARK_NS;
	return last > now && last < next ? last : next;
}

/* Sends what came since its position. False: the watch is over and freed. */
bool sim_kube_watch_pump(struct sim_kube_server *s, struct sim_kube_watch *w) {
	struct sim_kube *k = s->kube;
	int64_t now = s->host->queue->now_ns;
	bool last = now >= w->deadline_ns;
	uint64_t position = w->position;
	struct buf b;
	buf_init(&b, 0);
	if (position < sim_kube_compacted(k, w->type)) {
		s->counts.gone++;
		put_error(&b, 410, "Expired", "too old resource version");
		last = true;
	} else {
		const struct sim_kube_change *c;
		for (size_t i = 0; (c = sim_kube_change_at(k, w->type, i)) && b.n < BATCH_MAX; i++) {
			if (c->version <= position) continue;
			put_change(&b, w, c);
			position = c->version;
		}
		if (!c) position = sim_kube_version(k) > position ? sim_kube_version(k) : position;
	}
	if (w->bookmarks && now >= w->bookmark_ns) {
		put_bookmark(&b, w, position, false);
		w->bookmark_ns = next_bookmark(w, now);
	}
	enum err e = b.n || last ? http_server_send(s->http, w->id, buf_get(&b), last) : OK;
	buf_done(&b);
	w->lagging = e == ERR_AGAIN;
	if (!e) w->position = position;
	if ((!e && !last) || e == ERR_AGAIN) return true;
	sim_kube_watch_free(w);
	return false;
}

static uint64_t initial_events(struct sim_kube_exchange *x, struct sim_kube_watch *w, struct buf *b) {
	struct sim_kube *k = x->s->kube;
	struct sim_kube_table *t = &k->tables[w->type];
	for (size_t i = 0; i < t->count; i++)
		if (watched(w, t->entries[i]->state->doc)) put_event(b, "ADDED", sim_kube_json(t->entries[i]->state));
	if (w->bookmarks || sim_kube_query_true(x, "sendInitialEvents")) put_bookmark(b, w, sim_kube_version(k), true);
	return sim_kube_version(k);
}

void sim_kube_watch(struct sim_kube_exchange *x) {
	struct sim_kube_server *s = x->s;
	const char *version = sim_kube_query(x, "resourceVersion"), *limit = sim_kube_query(x, "timeoutSeconds");
	const char *labels = sim_kube_query(x, "labelSelector"), *fields = sim_kube_query(x, "fieldSelector");
	int64_t now = s->host->queue->now_ns, seconds = limit ? atoll(limit) : 0;
	if (seconds <= 0) seconds = WATCH_MIN_S + rng_below(&s->rng, WATCH_MIN_S);
	struct sim_kube_watch *w = must_alloc(sizeof *w);
	*w = (struct sim_kube_watch){ .id = x->q->id,
		                          .type = x->route.type,
		                          .bookmarks = sim_kube_query_true(x, "allowWatchBookmarks") };
	snprintf(w->ns, sizeof w->ns, "%s", x->route.ns ? x->route.ns : "");
	w->labels = must_copy(labels ? labels : "", labels ? strlen(labels) : 0);
	w->fields = must_copy(fields ? fields : "", fields ? strlen(fields) : 0);
	w->deadline_ns = now + seconds * NS_PER_SEC;
	w->bookmark_ns = next_bookmark(w, now);
	struct buf b;
	buf_init(&b, 0);
	bool initial = !version || !*version || !strcmp(version, "0") || sim_kube_query_true(x, "sendInitialEvents");
	w->position = initial ? initial_events(x, w, &b) : strtoull(version, NULL, 10);
	struct http_header h[] = { { STR("content-type"), STR("application/json") } };
	struct http_reply r = { .status = 200, .headers = h, .header_count = 1, .body = buf_get(&b), .open = true };
	enum err e = http_server_reply(s->http, x->q->id, &r);
	buf_done(&b);
	list_push(&s->watches, &w->link);
	list_push(&s->kube->watchers, &w->all);
	s->counts.watches++;
	if (e)
		sim_kube_watch_free(w);
	else
		(void)sim_kube_watch_pump(s, w);
}
