#include "execute/kubernetes/kubernetes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "execute/kubernetes/effect.h"
#include "execute/kubernetes/plan.h"
#include "execute/kubernetes/report.h"

#define OPS_MAX      64
#define OP_BYTES_MAX (64u << 20)
#define READS_MAX    5                 /* when a status change moves the version under us */
#define SETTLE_MAX   (10 * NS_PER_MIN) /* a rollout that takes longer has failed */
#define LOOK_EVERY   NS_PER_SEC

enum step {
	STEP_FREE,
	STEP_READ,     /* the object */
	STEP_REVISION, /* the ReplicaSet to go to */
	STEP_DRY,
	STEP_WRITE,
	STEP_SETTLE, /* looks at the cache */
	STEP_DONE,   /* the answer waits to be polled */
};

struct op {
	enum step step;
	enum exec_kind kind;
	enum action_kind action;
	uint64_t tag, request;
	struct arena arena;
	struct plan plan;
	struct str key;
	struct target target;
	int64_t replicas;
	const struct json *now, *revision;
	int reads;
	struct mono began;
	struct exec_done done;
	struct why why;
};

struct kubernetes {
	struct executor base;
	struct world *world;
	struct kube_client *client;
	struct kube_watch *watch;
	struct kube_report *report;
	struct arena arena; /* of its whole life: access, services */
	const struct service_map *services;
	size_t service_count;
	struct op ops[OPS_MAX];
	struct op *handed; /* its answer is in the caller's hands until the next poll */
	int64_t done_count[EXEC_UNDONE + 1], failed_count[EXEC_UNDONE + 1];
};

static struct kubernetes *self(struct executor *e) {
	return (struct kubernetes *)e;
}

/* ---- rows ---- */

static struct op *row(struct kubernetes *k, enum exec_kind kind, enum action_kind action, uint64_t tag) {
	for (size_t i = 0; i < OPS_MAX; i++) {
		struct op *op = &k->ops[i];
		if (op->step != STEP_FREE) continue;
		*op = (struct op){ .kind = kind, .action = action, .tag = tag, .began = clock_mono(k->world->clock) };
		arena_init(&op->arena, OP_BYTES_MAX);
		return op;
	}
	return NULL;
}

static void finish(struct kubernetes *k, struct op *op, enum err e) {
	op->step = STEP_DONE;
	op->done.kind = op->kind;
	op->done.tag = op->tag;
	op->done.err = e;
	op->done.why = op->why.text[0] ? op->why.text : err_text(e);
	op->done.settle_ns = clock_mono(k->world->clock).ns - op->began.ns;
	(e ? k->failed_count : k->done_count)[op->kind]++;
}

static struct plan copy_plan(struct arena *a, const struct plan *p) {
	struct plan c = *p;
	struct str *const fields[] = { &c.namespace_,       &c.kind,  &c.name, &c.uid,    &c.mapped_by,
		                           &c.resource_version, &c.owner, &c.undo, &c.params, &c.summary };
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) *fields[i] = str_copy(a, *fields[i]);
	return c;
}

static struct target copy_target(struct arena *a, const struct target *t) {
	struct target c = *t;
	struct str *const fields[] = { &c.service, &c.namespace_, &c.workload, &c.workload_kind, &c.pod };
	struct str *uids = arena_array(a, struct str, t->pod_uid_count ? t->pod_uid_count : 1);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) *fields[i] = str_copy(a, *fields[i]);
	if (!uids) c.pod_uid_count = 0;
	for (size_t i = 0; i < c.pod_uid_count; i++) uids[i] = str_copy(a, t->pod_uids[i]);
	c.pod_uids = uids;
	return c;
}

/* ---- steps ---- */

static void submit(struct kubernetes *k, struct op *op, enum step step, const struct kube_request *r) {
	enum err e = kube_client_submit(k->client, r, &op->request);
	op->step = step;
	if (!e) return;
	finish(k, op, why_set(&op->why, e == ERR_FULL ? ERR_AGAIN : e, "cannot ask the API server: %s", err_text(e)));
}

static void read(struct kubernetes *k, struct op *op, enum step step, struct str path) {
	struct kube_request r = { .method = "GET", .path = path };
	submit(k, op, step, &r);
}

static struct effect_inputs inputs(const struct op *op) {
	return (struct effect_inputs){ op->action, op->kind == EXEC_UNDONE, &op->plan, op->key, op->now, op->revision };
}

static void write(struct kubernetes *k, struct op *op, bool dry) {
	struct effect_inputs in = inputs(op);
	struct kube_request r = { 0 };
	enum err e = effect_request(&in, dry, &op->arena, &r, &op->why);
	if (e)
		finish(k, op, e);
	else
		submit(k, op, dry ? STEP_DRY : STEP_WRITE, &r);
}

/* Resolved anew: the cache may have moved while the object was read. */
static void planned(struct kubernetes *k, struct op *op) {
	struct kube_resolved found = { 0 };
	enum err e =
		kube_resolve(k->watch, op->action, &op->target, k->services, k->service_count, &op->arena, &found, &op->why);
	struct plan_inputs in = { op->action, k->watch, &found, op->now, op->replicas, clock_wall(k->world->clock) };
	if (!e) e = kube_plan(&in, &op->arena, &op->plan, &op->why);
	if (!e) op->done.plan = &op->plan;
	finish(k, op, e);
}

static void effect_read(struct kubernetes *k, struct op *op) {
	struct effect_inputs in = inputs(op);
	switch (effect_state(&in, &op->why)) {
	case EFFECT_THERE:
		op->done.repeated = true;
		finish(k, op, OK);
		return;
	case EFFECT_CONFLICT: finish(k, op, ERR_CONFLICT); return;
	case EFFECT_WANTED: break;
	}
	struct str revision = effect_revision_path(&in, &op->arena);
	if (revision.n)
		read(k, op, STEP_REVISION, revision);
	else
		write(k, op, true);
}

/* ---- answers ---- */

static bool keep(struct op *op, const struct kube_answer *a, const struct json **out) {
	struct str text = str_copy(&op->arena, a->body);
	return json_parse(&op->arena, text, out, &op->why) == OK;
}

/* A pod that is not there any more is what a delete wanted. */
static bool gone_is_done(const struct op *op, const struct kube_answer *a) {
	return op->action == ACTION_DELETE_POD && a->err == ERR_NOT_FOUND && op->kind == EXEC_APPLIED;
}

static void failed(struct kubernetes *k, struct op *op, const struct kube_answer *a) {
	bool writing = op->step == STEP_DRY || op->step == STEP_WRITE;
	/* A JSON patch whose `test` fails is answered 422, not 409. */
	bool moved = a->err == ERR_CONFLICT || (a->status == 422 && op->action == ACTION_ROLLOUT_UNDO);
	if (gone_is_done(op, a)) {
		op->done.repeated = op->step != STEP_WRITE;
		finish(k, op, OK);
		return;
	}
	if (writing && moved && op->action != ACTION_DELETE_POD && ++op->reads < READS_MAX) {
		read(k, op, STEP_READ, effect_path(op->action, &op->plan, &op->arena));
		return;
	}
	op->why = a->why;
	finish(k, op, a->err == ERR_CLOSED || a->err == ERR_GONE ? ERR_UNREACHABLE : a->err);
}

static void answered(struct kubernetes *k, struct op *op, const struct kube_answer *a) {
	op->request = 0;
	if (a->err) {
		failed(k, op, a);
		return;
	}
	switch (op->step) {
	case STEP_READ:
		if (!keep(op, a, &op->now))
			finish(k, op, ERR_INVALID);
		else if (op->kind == EXEC_PLANNED)
			planned(k, op);
		else
			effect_read(k, op);
		break;
	case STEP_REVISION:
		if (!keep(op, a, &op->revision))
			finish(k, op, ERR_INVALID);
		else
			write(k, op, true);
		break;
	case STEP_DRY: write(k, op, false); break;
	case STEP_WRITE: finish(k, op, OK); break;
	default: assert(!"an answer for an operation that asked nothing");
	}
}

static void take(struct kubernetes *k, const struct kube_answer *a) {
	if (kube_watch_take(k->watch, a)) return;
	for (size_t i = 0; i < OPS_MAX; i++)
		if (k->ops[i].request == a->id && k->ops[i].step != STEP_FREE) {
			answered(k, &k->ops[i], a);
			return;
		}
}

/* ---- settling: every pod is of the new kind and ready ---- */

static bool rolled_out(const struct kube_object *d) {
	return d->observed >= d->generation && d->updated >= d->wanted && d->total == d->updated &&
	       d->available >= d->wanted;
}

static void look(struct kubernetes *k, struct op *op) {
	const struct kube_object *d = kube_watch_name(k->watch, KUBE_DEPLOYMENT, op->plan.namespace_, op->plan.name);
	bool pod_gone = true;
	if (op->action == ACTION_DELETE_POD) {
		const struct json *params = NULL;
		pod_gone = !kube_watch_uid(k->watch, KUBE_POD, op->plan.uid);
		struct str uid = json_parse(&op->arena, op->plan.params, &params, NULL)
		                     ? STR("")
		                     : json_str(json_get(params, "deployment_uid"));
		d = kube_watch_uid(k->watch, KUBE_DEPLOYMENT, uid);
	}
	if (!kube_watch_ready(k->watch, &op->why)) return;
	bool carries = op->action == ACTION_DELETE_POD || (d && str_eq(d->key, op->key));
	if (d && carries && pod_gone && rolled_out(d)) {
		finish(k, op, OK);
	} else if (!d) {
		finish(k, op, why_set(&op->why, ERR_NOT_FOUND, "the Deployment is gone"));
	} else if (d->stuck && carries) {
		finish(k, op, why_set(&op->why, ERR_TIMEOUT, "the rollout is stuck: ProgressDeadlineExceeded"));
	} else if (clock_mono(k->world->clock).ns - op->began.ns > SETTLE_MAX) {
		finish(k, op,
		       why_set(&op->why, ERR_TIMEOUT, "the rollout did not end within %lld minutes",
		               (long long)(SETTLE_MAX / NS_PER_MIN)));
	}
}

/* ---- the executor ---- */

static enum err start_plan(struct executor *e, enum action_kind action, const struct target *t, int64_t replicas,
                           uint64_t tag) {
	struct kubernetes *k = self(e);
	struct op *op = row(k, EXEC_PLANNED, action, tag);
	struct kube_resolved found = { 0 };
	if (!op) return ERR_FULL;
	op->replicas = replicas;
	op->target = copy_target(&op->arena, t);
	enum err bad = kube_watch_ready(k->watch, &op->why) ? OK : ERR_AGAIN;
	if (!bad)
		bad = kube_resolve(k->watch, action, &op->target, k->services, k->service_count, &op->arena, &found, &op->why);
	if (bad) {
		finish(k, op, bad);
		return OK;
	}
	const struct kube_object *o = action == ACTION_DELETE_POD ? found.pod : found.deployment;
	struct plan place = { .namespace_ = o->namespace_, .name = o->name };
	read(k, op, STEP_READ, effect_path(action, &place, &op->arena));
	return OK;
}

static enum err start_effect(struct kubernetes *k, enum exec_kind kind, enum action_kind action, const struct plan *p,
                             struct str key, uint64_t tag) {
	struct op *op = row(k, kind, action, tag);
	if (!op) return ERR_FULL;
	op->plan = copy_plan(&op->arena, p);
	op->key = str_copy(&op->arena, key);
	if (kind == EXEC_UNDONE && !effect_can_undo(action))
		finish(k, op, why_set(&op->why, ERR_UNSUPPORTED, "%s leaves nothing to take back", action_kind_name(action)));
	else
		read(k, op, STEP_READ, effect_path(action, &op->plan, &op->arena));
	return OK;
}

static enum err apply(struct executor *e, enum action_kind action, const struct plan *p, const struct action_key *key,
                      uint64_t tag) {
	return start_effect(self(e), EXEC_APPLIED, action, p, str_of(key->hex), tag);
}

static enum err undo(struct executor *e, enum action_kind action, const struct plan *p, const struct action_key *key,
                     uint64_t tag) {
	char value[80];
	strcpy(value, key->hex);
	strcat(value, "-undo");
	return start_effect(self(e), EXEC_UNDONE, action, p, str_of(value), tag);
}

static enum err settle(struct executor *e, enum action_kind action, const struct plan *p, const struct action_key *key,
                       uint64_t tag) {
	struct op *op = row(self(e), EXEC_SETTLED, action, tag);
	if (!op) return ERR_FULL;
	op->plan = copy_plan(&op->arena, p);
	op->key = str_copy(&op->arena, str_of(key->hex));
	op->step = STEP_SETTLE;
	return OK;
}

static void turn(struct kubernetes *k) {
	struct kube_answer a;
	while (kube_client_poll(k->client, &a)) take(k, &a);
	while (kube_watch_step(k->watch)) {}
	while (kube_report_step(k->report, k->watch)) {}
	for (size_t i = 0; i < OPS_MAX; i++)
		if (k->ops[i].step == STEP_SETTLE) look(k, &k->ops[i]);
}

static bool poll(struct executor *e, struct exec_done *out) {
	struct kubernetes *k = self(e);
	if (k->handed) {
		arena_done(&k->handed->arena);
		k->handed->step = STEP_FREE;
		k->handed = NULL;
	}
	turn(k);
	for (size_t i = 0; i < OPS_MAX; i++) {
		if (k->ops[i].step != STEP_DONE) continue;
		k->handed = &k->ops[i];
		*out = k->handed->done;
		return true;
	}
	return false;
}

static enum err map(struct executor *e, const struct target *t, struct arena *a, struct plan *out, struct why *why) {
	struct kubernetes *k = self(e);
	struct kube_resolved found = { 0 };
	if (!kube_watch_ready(k->watch, why)) return ERR_AGAIN;
	enum err bad = kube_resolve(k->watch, ACTION_ROLLOUT_RESTART, t, k->services, k->service_count, a, &found, why);
	if (bad) return bad;
	const struct kube_object *d = found.deployment;
	*out = (struct plan){
		.namespace_ = str_copy(a, d->namespace_),
		.kind = STR("Deployment"),
		.name = str_copy(a, d->name),
		.uid = str_copy(a, d->uid),
		.mapped_by = str_copy(a, found.mapped_by),
	};
	if (d->owner_kind.n)
		out->owner = str_printf(a, STR_FMT "/" STR_FMT, STR_ARG(d->owner_kind), STR_ARG(d->owner_name));
	return OK;
}

static bool ready(struct executor *e, struct why *why) {
	return kube_watch_ready(self(e)->watch, why);
}

static struct mono next_due(struct executor *e) {
	struct kubernetes *k = self(e);
	struct mono due = kube_watch_next_due(k->watch), report = kube_report_next_due(k->report);
	int64_t now = clock_mono(k->world->clock).ns;
	if (kube_watch_ready(k->watch, NULL) && report.ns < due.ns) due = report;
	for (size_t i = 0; i < OPS_MAX; i++) {
		if (k->ops[i].step == STEP_DONE) due.ns = 0;
		if (k->ops[i].step == STEP_SETTLE && now + LOOK_EVERY < due.ns) due.ns = now + LOOK_EVERY;
	}
	return due;
}

static void close_(struct executor *e) {
	struct kubernetes *k = self(e);
	if (!k) return;
	for (size_t i = 0; i < OPS_MAX; i++)
		if (k->ops[i].step != STEP_FREE) arena_done(&k->ops[i].arena);
	kube_watch_close(k->watch);
	kube_report_close(k->report);
	kube_client_close(k->client);
	arena_done(&k->arena);
	free(k);
}

static void changed(void *p, const struct kube_object *before, const struct kube_object *now) {
	struct kubernetes *k = p;
	kube_report_change(k->report, k->watch, before, now, kube_watch_ready(k->watch, NULL));
}

const struct executor_ops kubernetes_ops = { start_plan, apply, settle, undo, poll, map, ready, next_due, close_ };

static enum err copy_services(struct kubernetes *k, const struct executor_setup *s) {
	struct service_map *all = arena_array(&k->arena, struct service_map, s->service_count ? s->service_count : 1);
	if (!all) return ERR_NOMEM;
	for (size_t i = 0; i < s->service_count; i++) {
		const struct service_map *m = &s->services[i];
		all[i] = (struct service_map){ str_copy(&k->arena, m->service), str_copy(&k->arena, m->namespace_),
			                           str_copy(&k->arena, m->workload), str_copy(&k->arena, m->kind) };
	}
	k->services = all;
	k->service_count = s->service_count;
	return OK;
}

static enum err open_parts(struct kubernetes *k, const struct executor_setup *s, const struct url *u, struct why *why) {
	struct kube_access access = { 0 };
	enum err e = kube_access_find(s->world, &k->arena, u, &access, why);
	if (e) return why_prefix(why, e, "target kubernetes");
	struct kube_report_opts report = { s->telemetry, s->world->clock, s->telemetry_key };
	e = kube_client_open(s->world, &access, &k->client, why);
	if (!e) e = kube_report_open(&report, &k->report);
	struct kube_watch_opts watch = {
		.client = k->client,
		.clock = s->world->clock,
		.log = s->world->log,
		.rng = rng_fork(&s->world->rng, "kubernetes"),
		.namespace_ = str_copy(&k->arena, url_param(u, "namespace")),
		.changed = changed,
		.self = k,
	};
	if (!e) e = kube_watch_open(&watch, &k->watch);
	if (!e)
		log_event(s->world->log, LOG_INFO, "kubernetes.open", "server=%s by=%s", str_c(&k->arena, access.server),
		          str_c(&k->arena, access.where));
	return e;
}

enum err kubernetes_open(const struct executor_setup *s, const struct url *u, struct executor **out, struct why *why) {
	struct kubernetes *k = calloc(1, sizeof *k);
	if (!k) return ERR_NOMEM;
	k->base.ops = &kubernetes_ops;
	k->world = s->world;
	arena_init(&k->arena, 16u << 20);
	enum err e = copy_services(k, s);
	if (!e) e = open_parts(k, s, u, why);
	if (e) {
		close_(&k->base);
		return e;
	}
	*out = &k->base;
	return OK;
}

void kubernetes_metrics(const struct executor *e, struct metrics_out *m) {
	static const char *const names[] = { "plan", "apply", "settle", "undo" };
	const struct kubernetes *k = (const struct kubernetes *)e;
	char label[64];
	metrics_family(m, "flyball_execute_operations", "counter", "Operations of the executor that succeeded.");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		metrics_value(m, metrics_label(label, sizeof label, "operation", str_of(names[i])), (double)k->done_count[i]);
	metrics_family(m, "flyball_execute_failures", "counter",
	               "Operations of the executor that failed, conflicts included.");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		metrics_value(m, metrics_label(label, sizeof label, "operation", str_of(names[i])), (double)k->failed_count[i]);
	metrics_family(m, "flyball_kubernetes_objects", "gauge", "Objects in the cache.");
	for (int i = 0; i < KUBE_KINDS; i++)
		metrics_value(m, metrics_label(label, sizeof label, "kind", str_of(kube_kind_name((enum kube_kind)i))),
		              (double)kube_watch_count(k->watch, (enum kube_kind)i));
	metrics_one(m, "flyball_kubernetes_relists", "counter", "Times that a watch had to start anew.",
	            (double)kube_watch_relists(k->watch));
	metrics_one(m, "flyball_kubernetes_reports_refused", "counter", "Batches about pods that the stream refused.",
	            (double)kube_report_refused(k->report));
}
