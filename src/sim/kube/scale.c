/* The subresource scale. */
#include <stdio.h>

#include "sim/kube/impl.h"
#include "sim/kube/patch.h"
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
