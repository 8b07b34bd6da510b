/* The subresources: scale, and eviction with its disruption budgets. */
#include <stdio.h>

#include "sim/kube_impl.h"
#include "sim/kube_patch.h"
#include "sim/memory.h"

static const char *selector_text(const struct doc *selector, char *out, size_t n) {
	size_t at = 0;
	out[0] = '\0';
	doc_each(l, doc_get(selector, "matchLabels")) at +=
		(size_t)snprintf(out + at, at < n ? n - at : 0, "%s%s=%s", at ? "," : "", l->key, doc_c(l));
	return out;
}

/* autoscaling/v1 Scale, as the registry builds it from the workload. */
static struct doc *scale_of(const struct doc *d) {
	static const char *const copied[] = { "name", "namespace", "uid", "resourceVersion", "creationTimestamp" };
	char selector[512];
	struct doc *s = doc_new(JSON_OBJECT), *meta = doc_make(s, "metadata"), *status = NULL;
	doc_set_c(s, "kind", "Scale");
	doc_set_c(s, "apiVersion", "autoscaling/v1");
	for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
		const struct doc *value = doc_get(doc_get(d, "metadata"), copied[i]);
		if (value) doc_set(meta, copied[i], doc_copy(value));
	}
	doc_set_int(doc_make(s, "spec"), "replicas", doc_int(doc_path(d, "spec.replicas"), 0));
	status = doc_make(s, "status");
	doc_set_int(status, "replicas", doc_int(doc_path(d, "status.replicas"), 0));
	doc_set_c(status, "selector", selector_text(doc_path(d, "spec.selector"), selector, sizeof selector));
	return s;
}

/* The workload with the patched scale's replicas and preconditions. */
static void scale_write(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                        const struct doc *live, const struct doc *scale, const struct sim_kube_call *c,
                        struct sim_kube_reply *r) {
	struct doc *now = doc_copy(live), *meta = doc_make(now, "metadata");
	struct sim_kube_call call = *c;
	const char *version = doc_c(doc_path(scale, "metadata.resourceVersion"));
	const char *uid = doc_c(doc_path(scale, "metadata.uid"));
	if (*version) doc_set_c(meta, "resourceVersion", version);
	if (*uid) doc_set_c(meta, "uid", uid);
	doc_set_int(doc_make(now, "spec"), "replicas", doc_int(doc_path(scale, "spec.replicas"), -1));
	call.subresource = "scale";
	sim_kube_do_update(k, t, ns, name, now, &call, r);
	if (r->reason) return;
	struct doc *written = r->object;
	r->object = scale_of(written);
	doc_free(written);
}

void sim_kube_do_scale(struct sim_kube *k, enum sim_kube_type t, const char *ns, const char *name,
                       enum sim_kube_patch_kind kind, const struct doc *patch, const struct sim_kube_call *c,
                       struct sim_kube_reply *r) {
	const struct doc *live = sim_kube_object(k, t, ns, name);
	struct why why = { "" };
	enum err e = OK;
	if (!live) {
		sim_kube_refuse(r, 404, "NotFound", "%s.%s \"%s\" not found", sim_kube_types[t].plural, sim_kube_types[t].group,
		                name);
		return;
	}
	struct doc *scale = scale_of(live);
	if (!patch) {
		r->code = 200;
		r->object = scale;
		return;
	}
	if (kind == KUBE_JSON)
		e = sim_kube_json_patch(&scale, patch, &why);
	else if (patch->kind == JSON_OBJECT)
		sim_kube_merge_patch(scale, patch);
	else
		e = why_set(&why, ERR_INVALID, "a patch of an object is an object");
	if (e)
		sim_kube_refuse(r, e == ERR_INVALID ? 400 : 422, e == ERR_INVALID ? "BadRequest" : "Invalid", "%s", why.text);
	else
		scale_write(k, t, ns, name, live, scale, c, r);
	doc_free(scale);
}

/* ---- eviction ---- */

static bool is_healthy(const struct doc *pod) {
	return sim_kube_pod_is_ready(pod) && !doc_path(pod, "metadata.deletionTimestamp");
}

/* "25%" of `whole`, or a number. */
static int64_t share(const struct doc *v, int64_t whole, int64_t fallback) {
	const char *text = doc_c(v);
	size_t n = strlen(text);
	int64_t percent = 0;
	if (n && text[n - 1] == '%' && str_int((struct str){ text, n - 1 }, &percent)) return (whole * percent + 99) / 100;
	return doc_int(v, fallback);
}

static bool budget_allows(const struct sim_kube *k, const struct doc *pdb, const struct doc *pod) {
	int64_t healthy = 0, expected = 0;
	for (size_t i = 0; i < k->tables[KUBE_PODS].count; i++) {
		const struct doc *p = k->tables[KUBE_PODS].entries[i].state->doc;
		if (!doc_equal(doc_path(p, "metadata.namespace"), doc_path(pdb, "metadata.namespace"))) continue;
		if (!sim_kube_labels_match(doc_path(pdb, "spec.selector"), doc_path(p, "metadata.labels"))) continue;
		healthy += is_healthy(p);
		expected++;
	}
	const struct doc *least = doc_path(pdb, "spec.minAvailable"), *most = doc_path(pdb, "spec.maxUnavailable");
	int64_t wanted = least ? share(least, expected, 0) : expected - share(most, expected, 0);
	return !is_healthy(pod) ? healthy >= wanted : healthy > wanted;
}

void sim_kube_do_evict(struct sim_kube *k, const char *ns, const char *name, const struct doc *eviction,
                       const struct sim_kube_call *c, struct sim_kube_reply *r) {
	const struct doc *pod = sim_kube_object(k, KUBE_PODS, ns, name);
	int budgets = 0;
	if (!pod) {
		sim_kube_refuse(r, 404, "NotFound", "pods \"%s\" not found", name);
		return;
	}
	for (size_t i = 0; i < k->tables[KUBE_PDBS].count; i++) {
		const struct doc *pdb = k->tables[KUBE_PDBS].entries[i].state->doc;
		if (!doc_equal(doc_path(pdb, "metadata.namespace"), doc_path(pod, "metadata.namespace")) ||
		    !sim_kube_labels_match(doc_path(pdb, "spec.selector"), doc_path(pod, "metadata.labels")))
			continue;
		if (++budgets > 1) {
			sim_kube_refuse(
				r, 500, "InternalError",
				"This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
			return;
		}
		if (!budget_allows(k, pdb, pod)) {
			sim_kube_refuse(r, 429, "TooManyRequests",
			                "Cannot evict pod as it would violate the pod's disruption budget.");
			return;
		}
	}
	sim_kube_do_delete(k, KUBE_PODS, ns, name, doc_get(eviction, "deleteOptions"), c, r);
	if (r->reason) return;
	doc_free(r->object);
	r->object =
		doc_parse(STR("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\"}"), NULL);
	r->code = 201;
}
