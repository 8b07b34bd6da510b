#include "sim/kube_server.h"

#include <stdio.h>

#include "base/url.h"
#include "base/yaml.h"
#include "sim/kube_impl.h"
#include "sim/kube_select.h"
#include "sim/memory.h"

#define BODY_MAX    (3 * 1024 * 1024)
#define BOOKMARK_NS (60 * NS_PER_SEC)
#define BATCH_MAX   (256 * 1024) /* of watch events sent at once */
#define WATCH_MIN_S 1800         /* kube-apiserver --min-request-timeout: watches live that long to twice of it */

struct request {
	struct list link;
	uint64_t id;
	char method[16];
	char *target;
	char token[256], type[96], agent[96];
	struct buf body;
};

/* A request taken apart. Strings live in the arena. */
struct route {
	const char *verb; /* RBAC's */
	bool found, watch, has_namespace;
	enum kube_type type;
	const char *group, *version, *resource, *ns, *name, *sub;
	struct url url;
};

struct watch {
	struct list link, all;
	uint64_t id; /* of the exchange */
	enum kube_type type;
	char ns[64];
	char *labels, *fields;
	uint64_t position;
	bool bookmarks;
	int64_t deadline_ns, bookmark_ns; /* virtual moments */
	bool lagging;                     /* the peer is slow: try again */
};

struct exchange { /* what a handler needs */
	struct kube_server *s;
	struct request *q;
	struct route route;
	struct arena *a;
	const struct kube_user *user;
};

/* ---- answers ---- */

static void answer_json(struct exchange *x, int status, struct str json) {
	struct http_header h[2] = { { STR("content-type"), STR("application/json") }, { STR("retry-after"), STR("1") } };
	struct http_reply r = { .status = status, .headers = h, .header_count = status == 429 ? 2 : 1, .body = json };
	(void)http_server_reply(x->s->http, x->q->id, &r);
}

static void answer_doc(struct exchange *x, int status, const struct doc *d) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	doc_write(d, &o);
	answer_json(x, status, buf_get(&b));
	buf_done(&b);
}

static void put_status(struct json_out *o, int code, const char *reason, const char *message, const struct doc *causes,
					   const struct route *route) {
	json_begin_object(o);
	json_kv_c(o, "kind", "Status");
	json_kv_c(o, "apiVersion", "v1");
	json_key(o, "metadata");
	json_begin_object(o);
	json_end_object(o);
	json_kv_c(o, "status", "Failure");
	json_kv_c(o, "message", message);
	json_kv_c(o, "reason", reason);
	if (route && route->resource) {
		json_key(o, "details");
		json_begin_object(o);
		if (route->name) json_kv_c(o, "name", route->name);
		if (route->group && *route->group) json_kv_c(o, "group", route->group);
		json_kv_c(o, "kind", route->resource);
		if (causes && causes->child) {
			json_key(o, "causes");
			doc_write(causes, o);
		}
		json_end_object(o);
	}
	json_kv_int(o, "code", code);
	json_end_object(o);
}

static void answer_status(struct exchange *x, int code, const char *reason, const char *message,
						  const struct doc *causes) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	put_status(&o, code, reason, message, causes, &x->route);
	x->s->counts.refused++;
	answer_json(x, code, buf_get(&b));
	buf_done(&b);
}

static void answer_reply(struct exchange *x, struct kube_reply *r) {
	if (r->reason)
		answer_status(x, r->code, r->reason, r->message, r->causes);
	else
		answer_doc(x, r->code, r->object);
	kube_reply_done(r);
}

/* ---- routes ---- */

static const char *query(const struct exchange *x, const char *key) {
	struct str v = url_param(&x->route.url, key);
	return v.p ? str_c(x->a, v) : NULL;
}

static bool query_true(const struct exchange *x, const char *key) {
	const char *v = query(x, key);
	return v && (!strcmp(v, "1") || !strcmp(v, "true"));
}

/* The next part of a path, or NULL. */
static const char *part(struct arena *a, struct str *path) {
	struct str head, tail = { NULL, 0 };
	while (path->n && *path->p == '/') path->p++, path->n--;
	if (!path->n) return NULL;
	(void)str_cut(*path, '/', &head, &tail);
	*path = tail;
	return str_c(a, head);
}

static bool find_type(struct route *r) {
	for (int t = 0; t < KUBE_TYPES; t++)
		if (r->resource && !strcmp(kube_types[t].plural, r->resource) && !strcmp(kube_types[t].group, r->group) &&
			!strcmp(kube_types[t].version, r->version)) {
			r->type = (enum kube_type)t;
			return true;
		}
	return false;
}

/* /api/v1/... and /apis/GROUP/VERSION/...: [namespaces/NS/]RESOURCE[/NAME[/SUB]]. */
static bool parse_resource(struct arena *a, struct str path, struct route *r) {
	const char *root = part(a, &path);
	if (!root) return false;
	if (!strcmp(root, "api"))
		r->group = "";
	else if (!strcmp(root, "apis"))
		r->group = part(a, &path);
	else
		return false;
	r->version = part(a, &path);
	const char *first = part(a, &path), *second = part(a, &path), *third = part(a, &path);
	if (!r->group || !r->version || !first) return false;
	if (!strcmp(first, "namespaces") && third) {
		r->ns = second;
		r->has_namespace = true;
		r->resource = third;
		r->name = part(a, &path);
		r->sub = part(a, &path);
	} else {
		r->resource = first;
		r->name = second;
		r->sub = third;
	}
	r->found = find_type(r);
	return true;
}

static const char *verb_of(const struct exchange *x) {
	const char *m = x->q->method;
	const struct route *r = &x->route;
	if (!strcmp(m, "GET")) return r->watch ? "watch" : r->name ? "get" : "list";
	if (!strcmp(m, "POST")) return "create";
	if (!strcmp(m, "PUT")) return "update";
	if (!strcmp(m, "PATCH")) return "patch";
	return !strcmp(m, "DELETE") ? "delete" : "other";
}

/* ---- who may what ---- */

static bool in_list(const char *list, const char *word) {
	for (size_t n; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if ((n == 1 && *list == '*') || (n == strlen(word) && !strncmp(list, word, n))) return true;
	}
	return false;
}

static bool allowed(const struct kube_user *u, const char *verb, const char *group, const char *resource,
					const char *sub, const char *ns) {
	char full[160];
	snprintf(full, sizeof full, "%s%s%s", resource, sub && *sub ? "/" : "", sub ? sub : "");
	for (size_t i = 0; i < u->rule_count; i++) {
		const struct kube_rule *r = &u->rules[i];
		if (r->namespace_ && (!ns || strcmp(r->namespace_, ns))) continue;
		if (in_list(r->verbs, verb) && (in_list(r->groups, group) || (!*group && !*r->groups)) &&
			in_list(r->resources, full))
			return true;
	}
	return false;
}

const struct kube_rule kube_rules_look[] = {
	{ "get,list,watch", "", "pods", NULL },
	{ "get,list,watch", "apps", "deployments,replicasets", NULL },
	{ "get,list,watch", "autoscaling", "horizontalpodautoscalers", NULL },
};
const struct kube_rule kube_rules_act[] = {
	{ "get,list,watch,delete", "", "pods", NULL },
	{ "get,list,watch,patch", "apps", "deployments", NULL },
	{ "get,list,watch", "apps", "replicasets", NULL },
	{ "get,patch", "apps", "deployments/scale", NULL },
	{ "get,list,watch", "autoscaling", "horizontalpodautoscalers", NULL },
};
const size_t kube_rules_look_count = sizeof kube_rules_look / sizeof *kube_rules_look;
const size_t kube_rules_act_count = sizeof kube_rules_act / sizeof *kube_rules_act;

static bool authorize(struct exchange *x) {
	const struct route *r = &x->route;
	char where[160], what[160];
	if (allowed(x->user, r->verb, r->group, r->resource, r->sub, r->ns)) return true;
	snprintf(where, sizeof where, r->ns ? "in the namespace \"%s\"" : "at the cluster scope%s", r->ns ? r->ns : "");
	snprintf(what, sizeof what, "%s%s%s", r->resource, r->sub ? "/" : "", r->sub ? r->sub : "");
	answer_status(x, 403, "Forbidden",
				  str_c(x->a, str_printf(x->a,
										 "%s%s%s%s%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group "
										 "\"%s\" %s",
										 r->resource, *r->group ? "." : "", r->group, r->name ? " " : "",
										 r->name ? r->name : "", x->user->name, r->verb, what, r->group, where)),
				  NULL);
	return false;
}

static bool authenticate(struct exchange *x) {
	for (size_t i = 0; i < x->s->user_count; i++)
		if (*x->q->token && !strcmp(x->s->users[i].token, x->q->token)) {
			x->user = &x->s->users[i];
			return true;
		}
	answer_status(x, 401, "Unauthorized", "Unauthorized", NULL);
	return false;
}

/* ---- lists ---- */

static bool selected(const struct exchange *x, const struct doc *d) {
	const struct route *r = &x->route;
	if (r->ns && kube_types[r->type].namespaced && strcmp(r->ns, doc_c(doc_path(d, "metadata.namespace"))))
		return false;
	return kube_labels_selected(url_param(&r->url, "labelSelector"), doc_path(d, "metadata.labels")) &&
		   kube_fields_selected(url_param(&r->url, "fieldSelector"), d);
}

static void put_item(struct json_out *o, const struct doc *d) { /* in a list, an object does not say its kind */
	json_begin_object(o);
	doc_each(c, d) {
		if (!strcmp(c->key, "kind") || !strcmp(c->key, "apiVersion")) continue;
		json_key(o, c->key);
		doc_write(c, o);
	}
	json_end_object(o);
}

static bool parse_continue(struct exchange *x, const char *token, uint64_t *version, const char **start) {
	struct buf b;
	buf_init(&b, 4096);
	struct doc *d = base64_decode(&b, str_of(token)) ? NULL : doc_parse(buf_get(&b), NULL);
	buf_done(&b);
	*version = (uint64_t)doc_int(doc_get(d, "rv"), 0);
	*start = str_c(x->a, doc_str(doc_get(d, "start")));
	bool ok = d && *version && **start;
	doc_free(d);
	return ok;
}

static void put_continue(struct json_out *o, uint64_t version, const char *start) {
	struct buf raw, text;
	buf_init(&raw, 4096);
	buf_init(&text, 8192);
	struct json_out j = json_out(&raw);
	json_begin_object(&j);
	json_kv_c(&j, "v", "meta.k8s.io/v1");
	json_kv_int(&j, "rv", (int64_t)version);
	json_kv_c(&j, "start", start);
	json_end_object(&j);
	base64_encode(&text, buf_get(&raw));
	json_kv_str(o, "continue", buf_get(&text));
	buf_done(&raw);
	buf_done(&text);
}

static void put_list(struct exchange *x, struct json_out *o, uint64_t version, struct kube_state **all, size_t count,
					 const char *start, int64_t limit) {
	const struct route *r = &x->route;
	char text[300];
	const char *next = NULL;
	snprintf(text, sizeof text, "%sList", kube_types[r->type].kind);
	json_begin_object(o);
	json_kv_c(o, "kind", text);
	json_kv_c(o, "apiVersion", kube_api_version(r->type));
	json_key(o, "items");
	json_begin_array(o);
	int64_t given = 0;
	char key[260];
	for (size_t i = 0; i < count && !next; i++) {
		const struct doc *meta = doc_get(all[i]->doc, "metadata");
		kube_key(key, kube_types[r->type].namespaced ? doc_c(doc_get(meta, "namespace")) : "",
				 doc_c(doc_get(meta, "name")));
		if ((start && strcmp(key, start) < 0) || !selected(x, all[i]->doc)) continue;
		if (limit > 0 && given == limit) {
			next = key;
			break;
		}
		put_item(o, all[i]->doc);
		given++;
	}
	json_end_array(o);
	json_key(o, "metadata");
	json_begin_object(o);
	snprintf(text, sizeof text, "%llu", (unsigned long long)version);
	json_kv_c(o, "resourceVersion", text);
	if (next) put_continue(o, version, next);
	json_end_object(o);
	json_end_object(o);
}

static void gone(struct exchange *x) {
	x->s->counts.gone++;
	answer_status(x, 410, "Expired", "The provided continue parameter is too old to display a consistent list result.",
				  NULL);
}

/* What was true a moment ago, when the server lies. */
static uint64_t stale_version(struct exchange *x) {
	struct kube_server *s = x->s;
	if (s->faults.stale <= 0 || rng_unit(&s->rng) >= s->faults.stale) return 0;
	uint64_t oldest = kube_compacted(s->kube, x->route.type), now = kube_version(s->kube);
	s->counts.stale++;
	return now - (uint64_t)rng_below(&s->rng, (int64_t)(now - oldest < 20 ? now - oldest : 20) + 1);
}

static void do_list(struct exchange *x) {
	struct kube *k = x->s->kube;
	const char *token = query(x, "continue"), *start = NULL, *version_text = query(x, "resourceVersion");
	uint64_t version = 0;
	struct kube_state **all = NULL;
	size_t count = 0;
	const char *match = query(x, "resourceVersionMatch"), *limit = query(x, "limit");
	if (token && *token && !parse_continue(x, token, &version, &start)) {
		answer_status(x, 400, "BadRequest", "continue key is not valid", NULL);
		return;
	}
	if (!token && match && !strcmp(match, "Exact") && version_text) version = strtoull(version_text, NULL, 10);
	if (!version) version = stale_version(x);
	if (kube_snapshot(k, x->route.type, version, &all, &count)) {
		gone(x);
		return;
	}
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	put_list(x, &o, version ? version : kube_version(k), all, count, start, limit ? atoll(limit) : 0);
	answer_json(x, 200, buf_get(&b));
	buf_done(&b);
	for (size_t i = 0; i < count; i++) kube_drop(all[i]);
	free(all);
}

static void do_get(struct exchange *x) {
	const struct route *r = &x->route;
	struct kube_state **all = NULL;
	size_t count = 0;
	if (kube_snapshot(x->s->kube, r->type, stale_version(x), &all, &count)) {
		gone(x);
		return;
	}
	const struct doc *found = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct doc *meta = doc_get(all[i]->doc, "metadata");
		bool here = !kube_types[r->type].namespaced || !strcmp(doc_c(doc_get(meta, "namespace")), r->ns ? r->ns : "");
		if (here && !strcmp(doc_c(doc_get(meta, "name")), r->name)) found = all[i]->doc;
	}
	if (found) {
		answer_doc(x, 200, found);
	} else {
		answer_status(x, 404, "NotFound",
					  str_c(x->a, str_printf(x->a, "%s%s%s \"%s\" not found", r->resource, *r->group ? "." : "",
											 r->group, r->name)),
					  NULL);
	}
	for (size_t i = 0; i < count; i++) kube_drop(all[i]);
	free(all);
}

/* ---- watches ---- */

static void watch_free(struct watch *w) {
	list_remove(&w->link);
	list_remove(&w->all);
	free(w->labels);
	free(w->fields);
	free(w);
}

static bool watched(const struct watch *w, const struct doc *d) {
	if (!d || (*w->ns && strcmp(w->ns, doc_c(doc_path(d, "metadata.namespace"))))) return false;
	return kube_labels_selected(str_of(w->labels), doc_path(d, "metadata.labels")) &&
		   kube_fields_selected(str_of(w->fields), d);
}

static void put_event(struct buf *b, const char *type, struct str object) {
	buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
	buf_str(b, object);
	buf_c(b, "}\n");
}

static void put_change(struct buf *b, const struct watch *w, const struct kube_change *c) {
	bool before = watched(w, c->before ? c->before->doc : NULL), now = watched(w, c->now ? c->now->doc : NULL);
	if (now)
		put_event(b, before ? "MODIFIED" : "ADDED", kube_json(c->now));
	else if (before)
		put_event(b, "DELETED", kube_json(c->now ? c->now : c->removed));
}

static void put_bookmark(struct buf *b, const struct watch *w, uint64_t version, bool initial) {
	buf_printf(b,
			   "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{"
			   "\"resourceVersion\":\"%llu\",\"creationTimestamp\":null%s}}}\n",
			   kube_types[w->type].kind, kube_api_version(w->type), (unsigned long long)version,
			   initial ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
}

static void put_error(struct buf *b, int code, const char *reason, const char *message) {
	buf_c(b, "{\"type\":\"ERROR\",\"object\":");
	struct json_out o = json_out(b);
	put_status(&o, code, reason, message, NULL, NULL);
	buf_c(b, "}\n");
}

/* Sends what came since its position. False: the watch is over and freed. */
static bool pump(struct kube_server *s, struct watch *w) {
	struct kube *k = s->kube;
	int64_t now = s->host->queue->now_ns;
	bool last = now >= w->deadline_ns;
	uint64_t position = w->position;
	struct buf b;
	buf_init(&b, 0);
	if (position < kube_compacted(k, w->type)) {
		s->counts.gone++;
		put_error(&b, 410, "Expired", "too old resource version");
		last = true;
	} else {
		const struct kube_change *c;
		for (size_t i = 0; (c = kube_change_at(k, w->type, i)) && b.n < BATCH_MAX; i++) {
			if (c->version <= position) continue;
			put_change(&b, w, c);
			position = c->version;
		}
		if (!c) position = kube_version(k) > position ? kube_version(k) : position;
	}
	if (w->bookmarks && (now >= w->bookmark_ns || last)) {
		put_bookmark(&b, w, position, false);
		w->bookmark_ns = now + BOOKMARK_NS;
	}
	enum err e = b.n || last ? http_server_send(s->http, w->id, buf_get(&b), last) : OK;
	buf_done(&b);
	w->lagging = e == ERR_AGAIN;
	if (!e) w->position = position;
	if ((!e && !last) || e == ERR_AGAIN) return true;
	watch_free(w);
	return false;
}

static uint64_t initial_events(struct exchange *x, struct watch *w, struct buf *b) {
	struct kube *k = x->s->kube;
	struct kube_table *t = &k->tables[w->type];
	for (size_t i = 0; i < t->count; i++)
		if (watched(w, t->entries[i].state->doc)) put_event(b, "ADDED", kube_json(t->entries[i].state));
	if (query_true(x, "sendInitialEvents")) put_bookmark(b, w, kube_version(k), true);
	return kube_version(k);
}

static void do_watch(struct exchange *x) {
	struct kube_server *s = x->s;
	const char *version = query(x, "resourceVersion"), *limit = query(x, "timeoutSeconds");
	const char *labels = query(x, "labelSelector"), *fields = query(x, "fieldSelector");
	int64_t now = s->host->queue->now_ns, seconds = limit ? atoll(limit) : 0;
	if (seconds <= 0) seconds = WATCH_MIN_S + rng_below(&s->rng, WATCH_MIN_S);
	struct watch *w = must_alloc(sizeof *w);
	*w = (struct watch){ .id = x->q->id, .type = x->route.type, .bookmarks = query_true(x, "allowWatchBookmarks") };
	snprintf(w->ns, sizeof w->ns, "%s", x->route.ns ? x->route.ns : "");
	w->labels = must_copy(labels ? labels : "", labels ? strlen(labels) : 0);
	w->fields = must_copy(fields ? fields : "", fields ? strlen(fields) : 0);
	w->deadline_ns = now + seconds * NS_PER_SEC;
	w->bookmark_ns = now + BOOKMARK_NS;
	struct buf b;
	buf_init(&b, 0);
	bool initial = !version || !*version || !strcmp(version, "0") || query_true(x, "sendInitialEvents");
	w->position = initial ? initial_events(x, w, &b) : strtoull(version, NULL, 10);
	struct http_header h[] = { { STR("content-type"), STR("application/json") } };
	struct http_reply r = { .status = 200, .headers = h, .header_count = 1, .body = buf_get(&b), .open = true };
	enum err e = http_server_reply(s->http, x->q->id, &r);
	buf_done(&b);
	list_push(&s->watches, &w->link);
	list_push(&s->kube->watchers, &w->all);
	s->counts.watches++;
	if (e)
		watch_free(w);
	else
		(void)pump(s, w);
}

/* ---- writes ---- */

static struct doc *body_doc(struct exchange *x, struct why *why) {
	const struct json *j = NULL;
	if (!strstr(x->q->type, "yaml")) return doc_parse(buf_get(&x->q->body), why);
	if (yaml_parse(x->a, buf_get(&x->q->body), &j, why)) return NULL;
	return doc_from(j);
}

static const struct {
	const char *type;
	enum kube_patch_kind kind;
} patch_types[] = {
	{ "application/merge-patch+json", KUBE_MERGE },
	{ "application/strategic-merge-patch+json", KUBE_STRATEGIC },
	{ "application/json-patch+json", KUBE_JSON },
	{ "application/apply-patch+yaml", KUBE_APPLY },
};

static bool patch_kind(const char *type, enum kube_patch_kind *out) {
	for (size_t i = 0; i < sizeof patch_types / sizeof *patch_types; i++)
		if (!strncmp(type, patch_types[i].type, strlen(patch_types[i].type))) {
			*out = patch_types[i].kind;
			return true;
		}
	return false;
}

static bool dry_run(struct exchange *x, const struct doc *body, bool *out) {
	const char *asked = query(x, "dryRun");
	if (!asked && !strcmp(x->route.verb, "delete")) asked = str_c(x->a, doc_str(doc_at(doc_get(body, "dryRun"), 0)));
	*out = asked && !strcmp(asked, "All");
	if (!asked || *out || !*asked) return true;
	answer_status(x, 400, "BadRequest", "dryRun: Unsupported value: supported values: \"All\"", NULL);
	return false;
}

/* fieldManager, else the first word of the client's name. */
static const char *manager(struct exchange *x) {
	const char *given = query(x, "fieldManager");
	if (given && *given) return given;
	struct str head, tail;
	(void)str_cut(str_of(x->q->agent), '/', &head, &tail);
	return head.n ? str_c(x->a, head) : "unknown";
}

static void do_patch(struct exchange *x, const struct doc *body, struct kube_call *c, struct kube_reply *r) {
	const struct route *t = &x->route;
	enum kube_patch_kind kind;
	if (!patch_kind(x->q->type, &kind)) {
		kube_refuse(r, 415, "UnsupportedMediaType", "the body of the request was in an unknown format");
		return;
	}
	if (kind == KUBE_APPLY && !query(x, "fieldManager")) {
		kube_refuse(r, 422, "Invalid",
					"PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
					"required for apply patch");
		return;
	}
	c->force = query_true(x, "force");
	if (t->sub && !strcmp(t->sub, "scale")) {
		kube_do_scale(x->s->kube, t->type, t->ns, t->name, kind, body, c, r);
		return;
	}
	c->subresource = t->sub;
	kube_do_patch(x->s->kube, t->type, t->ns, t->name, kind, body, c, r);
}

static void do_write(struct exchange *x) {
	const struct route *t = &x->route;
	struct kube *k = x->s->kube;
	struct why why = { "" };
	struct doc *body = x->q->body.n ? body_doc(x, &why) : NULL;
	struct kube_reply r = { 0 };
	struct kube_call c = { .user = x->user->name, .manager = manager(x) };
	if ((x->q->body.n || strcmp(t->verb, "delete")) && !body) {
		answer_status(x, 400, "BadRequest", why.text, NULL);
		return;
	}
	if (!dry_run(x, body, &c.dry_run)) {
		doc_free(body);
		return;
	}
	if (t->sub && !strcmp(t->sub, "eviction") && !strcmp(t->verb, "create")) {
		kube_do_evict(k, t->ns, t->name, body, &c, &r);
	} else if (!strcmp(t->verb, "patch")) {
		do_patch(x, body, &c, &r);
	} else if (!strcmp(t->verb, "delete")) {
		kube_do_delete(k, t->type, t->ns, t->name, body, &c, &r);
	} else if (!strcmp(t->verb, "update") && t->sub && !strcmp(t->sub, "scale")) {
		kube_do_scale(k, t->type, t->ns, t->name, KUBE_MERGE, body, &c, &r);
	} else if (!strcmp(t->verb, "update")) {
		c.subresource = t->sub;
		kube_do_update(k, t->type, t->ns, t->name, TAKE(body), &c, &r);
	} else {
		kube_do_create(k, t->type, t->ns ? t->ns : "", TAKE(body), &c, &r);
	}
	doc_free(body);
	if (!r.reason && x->s->faults.forgetful > 0 && rng_unit(&x->s->rng) < x->s->faults.forgetful) {
		x->s->counts.forgetful++;
		kube_reply_done(&r);
		kube_refuse(&r, 500, "InternalError", "etcdserver: request timed out");
	}
	answer_reply(x, &r);
}

static void do_review(struct exchange *x) {
	struct why why = { "" };
	struct doc *d = body_doc(x, &why);
	if (!d) {
		answer_status(x, 400, "BadRequest", why.text, NULL);
		return;
	}
	const struct doc *a = doc_path(d, "spec.resourceAttributes");
	const char *ns = doc_c(doc_get(a, "namespace"));
	bool yes = allowed(x->user, doc_c(doc_get(a, "verb")), doc_c(doc_get(a, "group")), doc_c(doc_get(a, "resource")),
					   doc_c(doc_get(a, "subresource")), *ns ? ns : NULL);
	doc_set_bool(doc_make(d, "status"), "allowed", yes);
	answer_doc(x, 201, d);
	doc_free(d);
}

/* ---- dispatch ---- */

static bool simple_path(struct exchange *x, struct str path) {
	if (str_is(path, "/healthz") || str_is(path, "/livez") || str_is(path, "/readyz")) {
		struct http_reply r = { .status = 200, .body = STR("ok") };
		(void)http_server_reply(x->s->http, x->q->id, &r);
		return true;
	}
	if (!str_is(path, "/version")) return false;
	answer_json(x, 200,
				STR("{\"major\":\"1\",\"minor\":\"36\",\"gitVersion\":\"v1.36.3\",\"platform\":\"linux/amd64\"}"));
	return true;
}

static bool misbehave(struct exchange *x) {
	const struct kube_server_faults *f = &x->s->faults;
	if (f->failing + f->throttled <= 0) return false;
	double u = rng_unit(&x->s->rng);
	if (u < f->failing) {
		x->s->counts.failing++;
		answer_status(x, 500, "InternalError", "an error on the server has prevented the request from succeeding",
					  NULL);
		return true;
	}
	if (u >= f->failing + f->throttled) return false;
	x->s->counts.throttled++;
	answer_status(x, 429, "TooManyRequests", "The server has received too many requests and has asked us to try again",
				  NULL);
	return true;
}

static void route_resource(struct exchange *x) {
	struct route *r = &x->route;
	bool reads = !strcmp(x->q->method, "GET");
	if (!kube_selector_valid(url_param(&r->url, "labelSelector")) ||
		!kube_selector_valid(url_param(&r->url, "fieldSelector"))) {
		answer_status(x, 400, "BadRequest", "unable to parse requirement of a selector", NULL);
	} else if (!strcmp(r->verb, "other") ||
			   (!r->name && (!strcmp(r->verb, "patch") || !strcmp(r->verb, "update") || !strcmp(r->verb, "delete")))) {
		answer_status(x, 405, "MethodNotAllowed", "the server does not allow this method on the requested resource",
					  NULL);
	} else if (r->watch) {
		do_watch(x);
	} else if (reads && r->sub && !strcmp(r->sub, "scale")) {
		struct kube_reply reply = { 0 };
		kube_do_scale(x->s->kube, r->type, r->ns ? r->ns : "", r->name, KUBE_MERGE, NULL, NULL, &reply);
		answer_reply(x, &reply);
	} else if (reads) {
		if (r->name)
			do_get(x);
		else
			do_list(x);
	} else {
		do_write(x);
	}
}

static void handle(struct exchange *x) {
	struct why why = { "" };
	struct str text = str_printf(x->a, "http://kube%s", x->q->target);
	x->s->counts.requests++;
	if (url_parse(x->a, text, &x->route.url, &why)) {
		answer_status(x, 400, "BadRequest", why.text, NULL);
		return;
	}
	if (simple_path(x, x->route.url.path) || !authenticate(x)) return;
	bool parsed = parse_resource(x->a, x->route.url.path, &x->route);
	x->route.watch = query_true(x, "watch");
	x->route.verb = verb_of(x);
	if (parsed && x->route.resource && !strcmp(x->route.resource, "selfsubjectaccessreviews")) {
		do_review(x);
		return;
	}
	bool scale = x->route.sub && !strcmp(x->route.sub, "scale") && !(x->route.found && kube_types[x->route.type].scale);
	if (!parsed || !x->route.found || scale) {
		answer_status(x, 404, "NotFound", "the server could not find the requested resource", NULL);
		return;
	}
	if (!authorize(x) || misbehave(x)) return;
	route_resource(x);
}

/* ---- the process ---- */

static void request_free(struct request *q) {
	list_remove(&q->link);
	free(q->target);
	buf_done(&q->body);
	free(q);
}

static struct request *find_request(struct kube_server *s, uint64_t id) {
	list_each(it, &s->requests) {
		struct request *q = container_of(it, struct request, link);
		if (q->id == id) return q;
	}
	return NULL;
}

static void copy_header(const struct http_event *e, const char *name, char *to, size_t n) {
	struct str v = http_header(e, name);
	snprintf(to, n, STR_FMT, STR_ARG(v));
}

static void begin(struct kube_server *s, const struct http_event *e) {
	struct request *q = must_alloc(sizeof *q);
	char bearer[300];
	q->id = e->id;
	snprintf(q->method, sizeof q->method, STR_FMT, STR_ARG(e->method));
	q->target = must_copy(e->target.p, e->target.n);
	copy_header(e, "authorization", bearer, sizeof bearer);
	if (!strncmp(bearer, "Bearer ", 7)) snprintf(q->token, sizeof q->token, "%s", bearer + 7);
	copy_header(e, "content-type", q->type, sizeof q->type);
	copy_header(e, "user-agent", q->agent, sizeof q->agent);
	buf_init(&q->body, BODY_MAX);
	list_push(&s->requests, &q->link);
}

static void take(struct kube_server *s, const struct http_event *e) {
	if (e->kind == HTTP_REQUEST) {
		begin(s, e);
		return;
	}
	struct request *q = find_request(s, e->id);
	if (!q) return;
	if (e->kind == HTTP_BODY) buf_str(&q->body, e->body);
	if (e->kind == HTTP_END) {
		struct arena a;
		arena_init(&a, 0);
		struct exchange x = { .s = s, .q = q, .a = &a };
		if (q->body.err)
			answer_status(&x, 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", NULL);
		else
			handle(&x);
		arena_done(&a);
	}
	if (e->kind == HTTP_END || e->kind == HTTP_FAILED) request_free(q);
}

static void wake(void *self) {
	sim_host_wake(((struct kube_server *)self)->host);
}

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct kube_server *s = self;
	s->host = host;
	s->rng = rng_fork(&host->world.rng, "kube-apiserver");
	list_init(&s->requests);
	list_init(&s->watches);
	s->kube->changed = wake;
	s->kube->changed_self = s;
	struct http_listen l = { STR("0.0.0.0"), s->port, false, 10000, 90 * NS_PER_SEC };
	return host->world.servers->listen(host->world.servers, &l, &s->http, why);
}

static bool step(void *self) {
	struct kube_server *s = self;
	struct http_event e;
	while (http_server_poll(s->http, &e)) take(s, &e);
	list_each_safe(it, &s->watches) (void)pump(s, container_of(it, struct watch, link));
	return false;
}

static struct mono next_due(void *self) {
	struct kube_server *s = self;
	int64_t due = INT64_MAX, now = s->host->queue->now_ns;
	list_each(it, &s->watches) {
		const struct watch *w = container_of(it, struct watch, link);
		int64_t at = w->bookmarks && w->bookmark_ns < w->deadline_ns ? w->bookmark_ns : w->deadline_ns;
		if (w->lagging) at = now + 100 * NS_PER_MS;
		if (at < due) due = at;
	}
	return (struct mono){ due == INT64_MAX ? due : due + s->host->clock.booted_ns };
}

static void stop(void *self) {
	struct kube_server *s = self;
	s->kube->changed = NULL;
	list_each_safe(it, &s->requests) request_free(container_of(it, struct request, link));
	list_each_safe(it, &s->watches) watch_free(container_of(it, struct watch, link));
	http_server_close(s->http);
	s->http = NULL;
}

const struct sim_program kube_server_program = { start, step, next_due, stop };
