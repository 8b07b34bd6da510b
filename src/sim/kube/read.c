/* Lists and gets, of now or of a moment ago. */
#include <stdio.h>

#include "sim/kube/select.h"
#include "sim/kube/server_impl.h"
#include "sim/memory.h"

static bool selected(const struct sim_kube_exchange *x, const struct doc *d) {
	const struct sim_kube_route *r = &x->route;
	if (r->ns && sim_kube_types[r->type].namespaced && strcmp(r->ns, doc_c(doc_path(d, "metadata.namespace"))))
		return false;
	return sim_kube_labels_selected(url_param(&r->url, "labelSelector"), doc_path(d, "metadata.labels")) &&
	       sim_kube_fields_selected(url_param(&r->url, "fieldSelector"), d);
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

static bool parse_continue(struct sim_kube_exchange *x, const char *token, uint64_t *version, const char **start) {
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

static void put_list(struct sim_kube_exchange *x, struct json_out *o, uint64_t version, struct sim_kube_state **all,
                     size_t count, const char *start, int64_t limit) {
	const struct sim_kube_route *r = &x->route;
	char text[300];
	const char *next = NULL;
	snprintf(text, sizeof text, "%sList", sim_kube_types[r->type].kind);
	json_begin_object(o);
	json_kv_c(o, "kind", text);
	json_kv_c(o, "apiVersion", sim_kube_api_version(r->type));
	json_key(o, "items");
	json_begin_array(o);
	int64_t given = 0;
	int64_t left = 0;
	char key[260], after[260];
	for (size_t i = 0; i < count; i++) {
		const struct doc *meta = doc_get(all[i]->doc, "metadata");
		sim_kube_key(key, sim_kube_types[r->type].namespaced ? doc_c(doc_get(meta, "namespace")) : "",
		             doc_c(doc_get(meta, "name")));
		if ((start && strcmp(key, start) < 0) || !selected(x, all[i]->doc)) continue;
		if (limit > 0 && given == limit) {
			if (!left++) snprintf(after, sizeof after, "%s", key), next = after;
			continue;
		}
		put_item(o, all[i]->doc);
		given++;
	}
	json_end_array(o);
	json_key(o, "metadata");
	json_begin_object(o);
	snprintf(text, sizeof text, "%llu", (unsigned long long)version);
	json_kv_c(o, "resourceVersion", text);
	if (next) {
		put_continue(o, version, next);
		if (!url_param(&r->url, "labelSelector").n && !url_param(&r->url, "fieldSelector").n)
			json_kv_int(o, "remainingItemCount", left);
	}
	json_end_object(o);
	json_end_object(o);
}

static void gone(struct sim_kube_exchange *x) {
	x->s->counts.gone++;
	sim_kube_answer_status(x, 410, "Expired",
	                       "The provided continue parameter is too old to display a consistent list result.", NULL);
}

/* What was true a moment ago, when the server lies. */
static uint64_t stale_version(struct sim_kube_exchange *x) {
	struct sim_kube_server *s = x->s;
	if (s->faults.stale <= 0 || rng_unit(&s->rng) >= s->faults.stale) return 0;
	uint64_t oldest = sim_kube_compacted(s->kube, x->route.type), now = sim_kube_version(s->kube);
	s->counts.stale++;
	return now - (uint64_t)rng_below(&s->rng, (int64_t)(now - oldest < 20 ? now - oldest : 20) + 1);
}

void sim_kube_list(struct sim_kube_exchange *x) {
	struct sim_kube *k = x->s->kube;
	const char *token = sim_kube_query(x, "continue"), *start = NULL,
			   *version_text = sim_kube_query(x, "resourceVersion");
	uint64_t version = 0;
	struct sim_kube_state **all = NULL;
	size_t count = 0;
	const char *match = sim_kube_query(x, "resourceVersionMatch"), *limit = sim_kube_query(x, "limit");
	if (token && *token && !parse_continue(x, token, &version, &start)) {
		sim_kube_answer_status(x, 400, "BadRequest", "continue key is not valid", NULL);
		return;
	}
	if (!token && match && !strcmp(match, "Exact") && version_text) version = strtoull(version_text, NULL, 10);
	if (!version) version = stale_version(x);
	if (sim_kube_snapshot(k, x->route.type, version, &all, &count)) {
		gone(x);
		return;
	}
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	put_list(x, &o, version ? version : sim_kube_version(k), all, count, start, limit ? atoll(limit) : 0);
	sim_kube_answer_json(x, 200, buf_get(&b));
	buf_done(&b);
	for (size_t i = 0; i < count; i++) sim_kube_drop(all[i]);
	free(all);
}

void sim_kube_get(struct sim_kube_exchange *x) {
	const struct sim_kube_route *r = &x->route;
	struct sim_kube_state *found = NULL;
	char key[260];
	sim_kube_key(key, sim_kube_types[r->type].namespaced ? r->ns : "", r->name);
	if (sim_kube_find_at(x->s->kube, r->type, key, stale_version(x), &found)) {
		gone(x);
		return;
	}
	if (found) {
		sim_kube_answer_doc(x, 200, found->doc);
	} else {
		sim_kube_answer_status(x, 404, "NotFound",
		                       str_c(x->a, str_printf(x->a, "%s%s%s \"%s\" not found", r->resource,
		                                              *r->group ? "." : "", r->group, r->name)),
		                       NULL);
	}
	sim_kube_drop(found);
}
