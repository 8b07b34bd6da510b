/* Writes by request, and the question what one may do. */
#include <stdio.h>

#include "base/yaml.h"
#include "sim/kube/server_impl.h"
#include "sim/memory.h"

static struct doc *body_doc(struct sim_kube_exchange *x, struct why *why) {
	const struct json *j = NULL;
	if (!strstr(x->q->type, "yaml")) return doc_parse(buf_get(&x->q->body), why);
	if (yaml_parse(x->a, buf_get(&x->q->body), &j, why)) return NULL;
	return doc_from(j);
}

static const struct {
	const char *type;
	enum sim_kube_patch_kind kind;
} patch_types[] = {
	{ "application/merge-patch+json", KUBE_MERGE },
	{ "application/strategic-merge-patch+json", KUBE_STRATEGIC },
	{ "application/json-patch+json", KUBE_JSON },
	{ "application/apply-patch+yaml", KUBE_APPLY },
};

static bool patch_kind(const char *type, enum sim_kube_patch_kind *out) {
	for (size_t i = 0; i < sizeof patch_types / sizeof *patch_types; i++)
		if (!strncmp(type, patch_types[i].type, strlen(patch_types[i].type))) {
			*out = patch_types[i].kind;
			return true;
		}
	return false;
}

static bool dry_run(struct sim_kube_exchange *x, const struct doc *body, bool *out) {
	const char *asked = sim_kube_query(x, "dryRun");
	if (!asked && !strcmp(x->route.verb, "delete")) asked = str_c(x->a, doc_str(doc_at(doc_get(body, "dryRun"), 0)));
	*out = asked && !strcmp(asked, "All");
	x->s->counts.dry_runs += *out;
	if (!asked || *out || !*asked) return true;
	sim_kube_answer_status(x, 422, "Invalid", "\"\" is invalid: dryRun: Unsupported value: supported values: \"All\"",
	                       NULL);
	return false;
}

/* fieldManager, else the first word of the client's name. */
static const char *manager(struct sim_kube_exchange *x) {
	const char *given = sim_kube_query(x, "fieldManager");
	if (given && *given) return given;
	struct str head, tail;
	(void)str_cut(str_of(x->q->agent), '/', &head, &tail);
	return head.n ? str_c(x->a, head) : "unknown";
}

static void do_patch(struct sim_kube_exchange *x, const struct doc *body, struct sim_kube_call *c,
                     struct sim_kube_reply *r) {
	const struct sim_kube_route *t = &x->route;
	enum sim_kube_patch_kind kind;
	if (!patch_kind(x->q->type, &kind)) {
		sim_kube_refuse(r, 415, "UnsupportedMediaType", "the body of the request was in an unknown format");
		return;
	}
	if (kind == KUBE_APPLY && !sim_kube_query(x, "fieldManager")) {
		sim_kube_refuse(r, 422, "Invalid",
		                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
		                "required for apply patch");
		return;
	}
	c->force = sim_kube_query_true(x, "force");
	if (t->sub && !strcmp(t->sub, "scale")) {
		sim_kube_do_scale(x->s->kube, t->type, t->ns, t->name, kind, body, c, r);
		return;
	}
	c->subresource = t->sub;
	sim_kube_do_patch(x->s->kube, t->type, t->ns, t->name, kind, body, c, r);
}

void sim_kube_edit(struct sim_kube_exchange *x) {
	const struct sim_kube_route *t = &x->route;
	struct sim_kube *k = x->s->kube;
	struct why why = { "" };
	struct doc *body = x->q->body.n ? body_doc(x, &why) : NULL;
	struct sim_kube_reply r = { 0 };
	struct sim_kube_call c = { .user = x->user->name, .manager = manager(x) };
	if ((x->q->body.n || strcmp(t->verb, "delete")) && !body) {
		sim_kube_answer_status(x, 400, "BadRequest", why.text, NULL);
		return;
	}
	if (!dry_run(x, body, &c.dry_run)) {
		doc_free(body);
		return;
	}
	if (t->sub && !strcmp(t->sub, "eviction") && !strcmp(t->verb, "create")) {
		sim_kube_do_evict(k, t->ns, t->name, body, &c, &r);
	} else if (!strcmp(t->verb, "patch")) {
		do_patch(x, body, &c, &r);
	} else if (!strcmp(t->verb, "delete")) {
		sim_kube_do_delete(k, t->type, t->ns, t->name, body, &c, &r);
	} else if (!strcmp(t->verb, "update") && t->sub && !strcmp(t->sub, "scale")) {
		sim_kube_do_scale(k, t->type, t->ns, t->name, KUBE_MERGE, body, &c, &r);
	} else if (!strcmp(t->verb, "update")) {
		c.subresource = t->sub;
		sim_kube_do_update(k, t->type, t->ns, t->name, TAKE(body), &c, &r);
	} else {
		sim_kube_do_create(k, t->type, t->ns ? t->ns : "", TAKE(body), &c, &r);
	}
	doc_free(body);
	if (!r.reason && x->s->faults.forgetful > 0 && rng_unit(&x->s->rng) < x->s->faults.forgetful) {
		x->s->counts.forgetful++;
		sim_kube_reply_done(&r);
		sim_kube_refuse(&r, 500, "InternalError", "etcdserver: request timed out");
	}
	sim_kube_answer_reply(x, &r);
}

void sim_kube_review(struct sim_kube_exchange *x) {
	struct why why = { "" };
	struct doc *d = body_doc(x, &why);
	if (!d) {
		sim_kube_answer_status(x, 400, "BadRequest", why.text, NULL);
		return;
	}
	const struct doc *a = doc_path(d, "spec.resourceAttributes");
	const char *ns = doc_c(doc_get(a, "namespace"));
	bool yes = sim_kube_allowed(x->user, doc_c(doc_get(a, "verb")), doc_c(doc_get(a, "group")),
	                            doc_c(doc_get(a, "resource")), doc_c(doc_get(a, "subresource")), *ns ? ns : NULL);
	doc_set_bool(doc_make(d, "status"), "allowed", yes);
	sim_kube_answer_doc(x, 201, d);
	doc_free(d);
}
