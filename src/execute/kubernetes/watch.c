#include "execute/kubernetes/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE        500
#define BACKOFF_MIN (500 * NS_PER_MS)
#define BACKOFF_MAX (30 * NS_PER_SEC)
#define SILENCE_MAX (120 * NS_PER_SEC)
#define WATCH_S     "240" /* the server ends a watch after so long; we resume */

enum phase { PHASE_LIST, PHASE_LISTING, PHASE_WATCH, PHASE_WATCHING, PHASE_WAITING };

struct follow { /* one kind */
	enum kube_kind kind;
	enum phase phase, after_wait;
	uint64_t request;
	struct map by_uid;
	struct buf version, page; /* resourceVersion to resume from; continue token */
	uint64_t mark;
	bool synced, forbidden;
	int64_t backoff_ns;
	struct mono wait_until, heard;
	struct why why;
};

struct kube_watch {
	struct kube_watch_opts o;
	struct follow kinds[KUBE_KINDS];
	struct arena arena; /* of one answer */
	size_t objects;
	int64_t relists;
	bool overflow;
};

enum err kube_watch_open(const struct kube_watch_opts *o, struct kube_watch **out) {
	struct kube_watch *w = calloc(1, sizeof *w);
	if (!w) return ERR_NOMEM;
	w->o = *o;
	arena_init(&w->arena, 512u << 20);
	for (int k = 0; k < KUBE_KINDS; k++) {
		w->kinds[k].kind = (enum kube_kind)k;
		map_init(&w->kinds[k].by_uid, KUBE_OBJECTS_MAX);
		buf_init(&w->kinds[k].version, 1024);
		buf_init(&w->kinds[k].page, 65536);
		(void)why_set(&w->kinds[k].why, OK, "not listed yet");
	}
	*out = w;
	return OK;
}

void kube_watch_close(struct kube_watch *w) {
	if (!w) return;
	for (int k = 0; k < KUBE_KINDS; k++) {
		struct follow *f = &w->kinds[k];
		void *o;
		for (size_t i = 0; map_next(&f->by_uid, &i, NULL, &o);) kube_object_free(o);
		map_done(&f->by_uid);
		buf_done(&f->version);
		buf_done(&f->page);
	}
	arena_done(&w->arena);
	free(w);
}

/* ---- the cache ---- */

static void remove_object(struct kube_watch *w, struct follow *f, struct str uid) {
	struct kube_object *old = map_remove(&f->by_uid, uid);
	if (!old) return;
	w->objects--;
	w->o.changed(w->o.self, old, NULL);
	kube_object_free(old);
}

static enum err keep(struct kube_watch *w, struct follow *f, const struct json *j) {
	struct kube_object *now = NULL;
	void *old = NULL;
	enum err e = kube_object_parse(f->kind, j, &now);
	if (e) return e;
	now->mark = f->mark;
	if (w->objects >= KUBE_OBJECTS_MAX && !map_get(&f->by_uid, now->uid))
		e = ERR_FULL;
	else
		e = map_put(&f->by_uid, now->uid, now, &old);
	if (e) {
		kube_object_free(now);
		w->overflow |= e == ERR_FULL;
		return e == ERR_FULL ? OK : e; /* goes on with what fits; kube_watch_ready says so */
	}
	if (!old) w->objects++;
	w->o.changed(w->o.self, old, now);
	kube_object_free(old);
	return OK;
}

static void drop_unseen(struct kube_watch *w, struct follow *f) {
	void *o;
	for (size_t i = 0; map_next(&f->by_uid, &i, NULL, &o);) {
		struct kube_object *object = o;
		if (object->mark != f->mark) remove_object(w, f, object->uid);
	}
}

/* ---- moving from phase to phase ---- */

static void set_version(struct follow *f, struct str version) {
	if (!version.n) return;
	buf_clear(&f->version);
	buf_str(&f->version, version);
}

static void back_off(struct kube_watch *w, struct follow *f, enum phase then) {
	f->backoff_ns = f->backoff_ns ? f->backoff_ns * 2 : BACKOFF_MIN;
	if (f->backoff_ns > BACKOFF_MAX) f->backoff_ns = BACKOFF_MAX;
	f->wait_until.ns = clock_mono(w->o.clock).ns + f->backoff_ns / 2 + rng_below(&w->o.rng, f->backoff_ns / 2 + 1);
	f->phase = PHASE_WAITING;
	f->after_wait = then;
	f->request = 0;
}

static void percent(struct buf *b, struct str s) {
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_' || c == '.';
		buf_printf(b, plain ? "%c" : "%%%02X", c);
	}
}

static void collection(const struct kube_watch *w, const struct follow *f, struct buf *path) {
	buf_c(path, kube_kind_group(f->kind));
	if (w->o.namespace_.n) {
		buf_c(path, "/namespaces/");
		percent(path, w->o.namespace_);
	}
	buf_printf(path, "/%s?", kube_kind_plural(f->kind));
}

static void submit(struct kube_watch *w, struct follow *f, bool watch) {
	struct buf path;
	buf_init(&path, 1 << 17);
	collection(w, f, &path);
	if (watch) {
		buf_c(&path, "watch=1&allowWatchBookmarks=true&timeoutSeconds=" WATCH_S "&resourceVersion=");
		percent(&path, buf_get(&f->version));
	} else {
		buf_printf(&path, "limit=%d", PAGE);
		if (f->page.n) {
			buf_c(&path, "&continue=");
			percent(&path, buf_get(&f->page));
		}
	}
	struct kube_request r = { .method = "GET", .path = buf_get(&path), .watch = watch };
	enum err e = path.err ? path.err : kube_client_submit(w->o.client, &r, &f->request);
	if (e) {
		(void)why_set(&f->why, e, "cannot ask for %s: %s", kube_kind_plural(f->kind), err_text(e));
		back_off(w, f, PHASE_LIST);
	} else {
		f->phase = watch ? PHASE_WATCHING : PHASE_LISTING;
	}
	buf_done(&path);
}

bool kube_watch_step(struct kube_watch *w) {
	bool did = false;
	struct mono now = clock_mono(w->o.clock);
	for (int k = 0; k < KUBE_KINDS; k++) {
		struct follow *f = &w->kinds[k];
		if (f->phase == PHASE_WAITING && now.ns >= f->wait_until.ns) f->phase = f->after_wait;
		if (f->phase != PHASE_LIST && f->phase != PHASE_WATCH) continue;
		if (f->phase == PHASE_LIST && !f->page.n) f->mark++;
		submit(w, f, f->phase == PHASE_WATCH);
		did = true;
	}
	return did;
}

/* ---- answers ---- */

static enum err take_page(struct kube_watch *w, struct follow *f, struct str body) {
	const struct json *list = NULL;
	enum err e = json_parse(&w->arena, body, &list, &f->why);
	json_each(item, json_get(list, "items"))
		if (!e) e = keep(w, f, item);
	if (e) return e;
	struct str more = json_str(json_path(list, "metadata.continue"));
	buf_clear(&f->page);
	buf_str(&f->page, more);
	if (more.n) {
		f->phase = PHASE_LIST;
		return OK;
	}
	set_version(f, json_str(json_path(list, "metadata.resourceVersion")));
	drop_unseen(w, f);
	f->synced = true;
	f->forbidden = false;
	f->backoff_ns = 0;
	f->phase = PHASE_WATCH;
	return OK;
}

static void relist(struct kube_watch *w, struct follow *f) {
	w->relists++;
	buf_clear(&f->page);
	kube_client_cancel(w->o.client, f->request);
	f->request = 0;
	f->phase = PHASE_LIST;
}

static void take_line(struct kube_watch *w, struct follow *f, struct str line) {
	const struct json *event = NULL;
	if (!str_trim(line).n) return;
	enum err e = json_parse(&w->arena, line, &event, &f->why);
	const struct json *object = json_get(event, "object");
	struct str type = json_str(json_get(event, "type"));
	if (e || str_is(type, "ERROR")) { /* 410 comes so, with HTTP's 200 before it */
		relist(w, f);
		return;
	}
	set_version(f, json_str(json_path(object, "metadata.resourceVersion")));
	if (str_is(type, "DELETED"))
		remove_object(w, f, json_str(json_path(object, "metadata.uid")));
	else if (!str_is(type, "BOOKMARK") && keep(w, f, object) != OK)
		relist(w, f);
	f->backoff_ns = 0;
}

static void take_failure(struct kube_watch *w, struct follow *f, const struct kube_answer *a) {
	bool was_listing = f->phase == PHASE_LISTING;
	(void)why_set(&f->why, a->err, "%s: %s", kube_kind_plural(f->kind), a->why.text);
	f->forbidden = a->err == ERR_DENIED;
	if (a->err == ERR_GONE) {
		relist(w, f);
		return;
	}
	if (!f->backoff_ns)
		log_event(w->o.log, LOG_WARN, "kubernetes.watch", "kind=%s reason=%s", kube_kind_name(f->kind), a->why.text);
	if (was_listing) buf_clear(&f->page);
	back_off(w, f, was_listing || !f->version.n ? PHASE_LIST : PHASE_WATCH);
}

bool kube_watch_take(struct kube_watch *w, const struct kube_answer *a) {
	struct follow *f = NULL;
	for (int k = 0; k < KUBE_KINDS; k++)
		if (w->kinds[k].request == a->id && a->id) f = &w->kinds[k];
	if (!f) return false;
	arena_reset(&w->arena);
	if (!a->err) f->heard = clock_mono(w->o.clock);
	if (a->kind == KUBE_LINE) {
		take_line(w, f, a->body);
		return true;
	}
	if (a->err) {
		take_failure(w, f, a);
	} else if (a->kind == KUBE_WATCH_END) {
		f->phase = PHASE_WATCH; /* its time was up: go on where it ended */
	} else if (take_page(w, f, a->body)) {
		back_off(w, f, PHASE_LIST);
	}
	if (f->request == a->id) f->request = 0;
	return true;
}

struct mono kube_watch_next_due(const struct kube_watch *w) {
	struct mono due = { INT64_MAX };
	for (int k = 0; k < KUBE_KINDS; k++) {
		const struct follow *f = &w->kinds[k];
		if (f->phase == PHASE_WAITING && f->wait_until.ns < due.ns) due = f->wait_until;
		if (f->phase == PHASE_LIST || f->phase == PHASE_WATCH) due.ns = 0;
	}
	return due;
}

/* ---- what it knows ---- */

static bool fresh(const struct kube_watch *w, const struct follow *f, struct why *why) {
	int64_t silence = clock_mono(w->o.clock).ns - f->heard.ns;
	if (!f->synced) return why_set(why, ERR_AGAIN, "Kubernetes: %s", f->why.text), false;
	if (silence > SILENCE_MAX && f->phase != PHASE_WATCHING)
		return why_set(why, ERR_AGAIN, "Kubernetes: nothing heard of %s for %lld s: %s", kube_kind_plural(f->kind),
		               (long long)(silence / NS_PER_SEC), f->why.text),
		       false;
	return true;
}

bool kube_watch_ready(const struct kube_watch *w, struct why *why) {
	if (w->overflow)
		return why_set(why, ERR_FULL, "Kubernetes: more than %d objects; name one with target kubernetes:?namespace=",
		               KUBE_OBJECTS_MAX),
		       false;
	const struct follow *hpas = &w->kinds[KUBE_HPA];
	if (!hpas->synced && !hpas->forbidden) return fresh(w, hpas, why);
	return fresh(w, &w->kinds[KUBE_DEPLOYMENT], why) && fresh(w, &w->kinds[KUBE_REPLICASET], why) &&
	       fresh(w, &w->kinds[KUBE_POD], why);
}

bool kube_watch_knows_hpas(const struct kube_watch *w, struct why *why) {
	return fresh(w, &w->kinds[KUBE_HPA], why);
}

const struct kube_object *kube_watch_uid(const struct kube_watch *w, enum kube_kind k, struct str uid) {
	return map_get(&w->kinds[k].by_uid, uid);
}

const struct kube_object *kube_watch_next(const struct kube_watch *w, enum kube_kind k, size_t *i) {
	void *o = NULL;
	return map_next(&w->kinds[k].by_uid, i, NULL, &o) ? o : NULL;
}

const struct kube_object *kube_watch_name(const struct kube_watch *w, enum kube_kind k, struct str ns,
                                          struct str name) {
	const struct kube_object *o;
	for (size_t i = 0; (o = kube_watch_next(w, k, &i));)
		if (str_eq(o->name, name) && str_eq(o->namespace_, ns)) return o;
	return NULL;
}

size_t kube_watch_count(const struct kube_watch *w, enum kube_kind k) {
	return w->kinds[k].by_uid.count;
}
int64_t kube_watch_relists(const struct kube_watch *w) {
	return w->relists;
}
