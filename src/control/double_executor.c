#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/double.h"

struct request {
	struct list node;
	struct arena arena;
	enum exec_kind kind;
	enum action_kind action;
	struct target target;
	struct plan plan;
	struct action_key key;
	int64_t replicas, due;
	uint64_t tag;
};

struct handle {
	struct executor executor;
	struct double_cluster *k;
	struct list requests;
	struct request *last; /* what the answer points into */
	char why[160];
};

void double_cluster_init(struct double_cluster *k, struct fake_clock *clock, struct rng *rng) {
	*k = (struct double_cluster){
		.clock = clock, .rng = rng, .latency_ns = 20 * NS_PER_MS, .settle_ns = 20 * NS_PER_SEC
	};
	list_init(&k->late);
}

static void request_free(struct request *q) {
	if (!q) return;
	if (list_linked(&q->node)) list_remove(&q->node);
	arena_done(&q->arena);
	free(q);
}

void double_cluster_done(struct double_cluster *k) {
	while (!list_empty(&k->late)) request_free(container_of(k->late.next, struct request, node));
}

struct double_object *double_object(struct double_cluster *k, const char *service) {
	for (size_t i = 0; i < k->object_count; i++)
		if (strcmp(k->objects[i].service, service) == 0) return &k->objects[i];
	return NULL;
}

static struct double_object *by_uid(struct double_cluster *k, struct str uid) {
	for (size_t i = 0; i < k->object_count; i++) {
		struct double_object *o = &k->objects[i];
		if (str_is(uid, o->uid) || (o->pod_uid && str_is(uid, o->pod_uid))) return o;
	}
	return NULL;
}

static bool happened(const struct double_cluster *k, const char *key, bool undo) {
	for (size_t i = 0; i < k->effect_count; i++)
		if (k->effects[i].undo == undo && strcmp(k->effects[i].key, key) == 0) return true;
	return false;
}

/* ---- what the server does ---- */

static enum err effect(struct double_cluster *k, const struct request *q, bool undo, bool *repeated) {
	struct double_object *o = by_uid(k, q->plan.uid);
	if (!o) return ERR_NOT_FOUND;
	*repeated = !k->forgets_keys && happened(k, q->key.hex, undo);
	if (*repeated) return OK;
	if (!undo && o->generation != q->plan.generation && !k->forgets_keys) return ERR_CONFLICT;
	if (k->effect_count == DOUBLE_EFFECTS) abort();
	struct double_effect *e = &k->effects[k->effect_count++];
	*e = (struct double_effect){
		.at_ns = k->clock->mono.ns, .kind = q->action, .undo = undo, .pods = q->plan.pods_disturbed
	};
	memcpy(e->key, q->key.hex, sizeof e->key);
	snprintf(e->uid, sizeof e->uid, "%.*s", STR_ARG(q->plan.uid));
	if (q->action != ACTION_DELETE_POD) o->generation++;
	if (q->action == ACTION_SCALE) o->replicas = undo ? q->plan.replicas : q->plan.replicas + 1;
	if (k->on_effect) k->on_effect(k->arg, e);
	return OK;
}

void double_cluster_step(struct double_cluster *k) {
	list_each_safe(it, &k->late) {
		struct request *q = container_of(it, struct request, node);
		bool repeated;
		if (q->due > k->clock->mono.ns) continue;
		(void)!effect(k, q, q->kind == EXEC_UNDONE, &repeated);
		request_free(q);
	}
}

static enum err plan_for(struct handle *h, struct request *q) {
	struct double_object *o = NULL;
	for (size_t i = 0; i < h->k->object_count; i++)
		if (str_is(q->target.service, h->k->objects[i].service)) o = &h->k->objects[i];
	if (!o) {
		snprintf(h->why, sizeof h->why, "no object serves %.*s", STR_ARG(q->target.service));
		return ERR_NOT_FOUND;
	}
	if (o->plan_err) {
		snprintf(h->why, sizeof h->why, "%s", o->why ? o->why : "told to fail");
		return o->plan_err;
	}
	bool pod = q->action == ACTION_DELETE_POD;
	bool scale = q->action == ACTION_SCALE;
	if (scale && q->replicas == o->replicas) return ERR_INVALID;
	q->plan =
		(struct plan){ .namespace_ = str_of(o->namespace_),
		               .kind = pod ? STR("Pod") : STR("Deployment"),
		               .name = str_of(o->name),
		               .uid = str_of(pod && o->pod_uid ? o->pod_uid : o->uid),
		               .mapped_by = STR("k8s.deployment.name"),
		               .generation = o->generation,
		               .resource_version = STR("7"),
		               .replicas = o->replicas,
		               .pods_ready = o->replicas,
		               .pods_disturbed = pod     ? 1
		                                 : scale ? 0
		                                         : o->replicas,
		               .owner = str_of(o->owner),
		               .undo = q->action == ACTION_SCALE
		                           ? str_printf(&q->arena, "{\"replicas\":%lld}", (long long)o->replicas)
		                       : q->action == ACTION_ROLLOUT_UNDO ? STR("{\"revision\":\"2\"}")
		                                                          : STR("{\"none\":\"nothing to take back\"}"),
		               .params = STR("{}"),
		               .summary = str_printf(&q->arena, "%s Deployment %s/%s (%lld pods)", action_kind_name(q->action),
		                                     o->namespace_, o->name, (long long)o->replicas) };
	return OK;
}

/* ---- the port ---- */

static struct request *ask(struct handle *h, enum exec_kind kind, enum action_kind action, uint64_t tag) {
	struct request *q = calloc(1, sizeof *q);
	if (!q) abort();
	arena_init(&q->arena, 0);
	q->kind = kind;
	q->action = action;
	q->tag = tag;
	q->due = h->k->clock->mono.ns + 1 + rng_below(h->k->rng, h->k->latency_ns) +
	         (kind == EXEC_SETTLED ? h->k->settle_ns : 0);
	list_push(&h->requests, &q->node);
	return q;
}

static struct plan copy(struct arena *a, const struct plan *p) {
	struct plan c = *p;
	struct str *f[] = { &c.namespace_,       &c.kind,  &c.name, &c.uid,    &c.mapped_by,
		                &c.resource_version, &c.owner, &c.undo, &c.params, &c.summary };
	for (size_t i = 0; i < sizeof f / sizeof *f; i++) *f[i] = str_copy(a, *f[i]);
	return c;
}

static enum err e_plan(struct executor *e, enum action_kind action, const struct target *t, int64_t replicas,
                       uint64_t tag) {
	struct handle *h = (struct handle *)e;
	struct request *q = ask(h, EXEC_PLANNED, action, tag);
	h->k->plans++;
	q->target.service = str_copy(&q->arena, t->service);
	q->replicas = replicas;
	return OK;
}

static enum err call(struct executor *e, enum exec_kind kind, enum action_kind action, const struct plan *p,
                     const struct action_key *key, uint64_t tag) {
	struct request *q = ask((struct handle *)e, kind, action, tag);
	q->plan = copy(&q->arena, p);
	q->key = *key;
	return OK;
}

static enum err e_apply(struct executor *e, enum action_kind a, const struct plan *p, const struct action_key *key,
                        uint64_t tag) {
	((struct handle *)e)->k->applies++;
	return call(e, EXEC_APPLIED, a, p, key, tag);
}

static enum err e_settle(struct executor *e, enum action_kind a, const struct plan *p, const struct action_key *key,
                         uint64_t tag) {
	((struct handle *)e)->k->settles++;
	return call(e, EXEC_SETTLED, a, p, key, tag);
}

static enum err e_undo(struct executor *e, enum action_kind a, const struct plan *p, const struct action_key *key,
                       uint64_t tag) {
	((struct handle *)e)->k->undos++;
	return call(e, EXEC_UNDONE, a, p, key, tag);
}

static void serve(struct handle *h, struct request *q, struct exec_done *out) {
	struct double_cluster *k = h->k;
	struct double_object *o = by_uid(k, q->plan.uid);
	h->why[0] = '\0';
	bool unreachable = k->unreachable > 0 && rng_unit(k->rng) < k->unreachable;
	if (unreachable) {
		out->err = ERR_UNREACHABLE;
		return;
	}
	switch (q->kind) {
	case EXEC_PLANNED:
		out->err = plan_for(h, q);
		if (!out->err && k->plan_acts) (void)!effect(k, q, false, &out->repeated);
		out->plan = &q->plan;
		break;
	case EXEC_APPLIED: out->err = o && o->apply_err ? o->apply_err : effect(k, q, false, &out->repeated); break;
	case EXEC_SETTLED:
		out->err = o && o->cannot_settle ? ERR_TIMEOUT : OK;
		out->settle_ns = k->settle_ns;
		break;
	case EXEC_UNDONE: out->err = effect(k, q, true, &out->repeated); break;
	}
	bool lost = q->kind != EXEC_PLANNED && k->lost_answers > 0 && rng_unit(k->rng) < k->lost_answers;
	if (lost && q->kind != EXEC_SETTLED) out->err = ERR_TIMEOUT;
	if (lost && q->kind == EXEC_SETTLED) out->err = ERR_UNREACHABLE;
}

static bool e_poll(struct executor *e, struct exec_done *out) {
	struct handle *h = (struct handle *)e;
	request_free(h->last);
	h->last = NULL;
	list_each(it, &h->requests) {
		struct request *q = container_of(it, struct request, node);
		if (q->due > h->k->clock->mono.ns) continue;
		list_remove(&q->node);
		h->last = q;
		*out = (struct exec_done){ .kind = q->kind, .tag = q->tag };
		serve(h, q, out);
		out->why = h->why[0] ? h->why : NULL;
		return true;
	}
	return false;
}

static bool e_ready(struct executor *e, struct why *why) {
	struct handle *h = (struct handle *)e;
	if (h->k->not_ready) (void)why_set(why, OK, "the watch is behind");
	return !h->k->not_ready;
}

static struct mono e_next_due(struct executor *e) {
	struct handle *h = (struct handle *)e;
	int64_t due = INT64_MAX;
	list_each(it, &h->requests) {
		int64_t at = container_of(it, struct request, node)->due;
		if (at < due) due = at;
	}
	list_each(it, &h->k->late) {
		int64_t at = container_of(it, struct request, node)->due;
		if (at < due) due = at;
	}
	return (struct mono){ due };
}

static void close_handle(struct handle *h, bool crash) {
	request_free(h->last);
	while (!list_empty(&h->requests)) {
		struct request *q = container_of(h->requests.next, struct request, node);
		bool write = q->kind == EXEC_APPLIED || q->kind == EXEC_UNDONE;
		list_remove(&q->node);
		if (crash && write && rng_below(h->k->rng, 2)) {
			list_push(&h->k->late, &q->node); /* it is on the wire: it will arrive */
			continue;
		}
		request_free(q);
	}
	free(h);
}

static void e_close(struct executor *e) {
	close_handle((struct handle *)e, false);
}

void double_executor_crash(struct executor *e) {
	close_handle((struct handle *)e, true);
}

static enum err e_map(struct executor *x, const struct target *q, struct arena *a, struct plan *out, struct why *why) {
	struct double_object *o = double_object(((struct handle *)x)->k, str_c(a, q->service));
	if (!o) return why_set(why, ERR_NOT_FOUND, "no object serves it");
	*out = (struct plan){
		.namespace_ = str_of(o->namespace_), .kind = STR("Deployment"), .name = str_of(o->name), .uid = str_of(o->uid)
	};
	return OK;
}

static const struct executor_ops ops = {
	e_plan, e_apply, e_settle, e_undo, e_poll, e_map, e_ready, e_next_due, e_close
};

struct executor *double_executor(struct double_cluster *k) {
	struct handle *h = calloc(1, sizeof *h);
	if (!h) abort();
	h->executor.ops = &ops;
	h->k = k;
	list_init(&h->requests);
	return &h->executor;
}
