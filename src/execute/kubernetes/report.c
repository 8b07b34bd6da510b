#include "execute/kubernetes/report.h"

#include <stdlib.h>

#define PODS_A_BATCH 2000

struct kube_report {
	struct kube_report_opts o;
	struct buf urgent; /* a batch being written: changes and pods that turned */
	struct batch_writer writer;
	bool open;        /* `urgent` has a batch under way */
	struct mono next; /* of the whole round */
	size_t at;        /* in the round: index into the pods; 0: none under way */
	bool in_round;
	int64_t refused;
};

enum err kube_report_open(const struct kube_report_opts *o, struct kube_report **out) {
	struct kube_report *r = calloc(1, sizeof *r);
	if (!r) return ERR_NOMEM;
	r->o = *o;
	buf_init(&r->urgent, BATCH_BYTES_MAX);
	*out = r;
	return OK;
}

void kube_report_close(struct kube_report *r) {
	if (!r) return;
	buf_done(&r->urgent);
	free(r);
}

static void send(struct kube_report *r) {
	struct batch_sink *s = r->o.next;
	r->open = false;
	if (batch_end(&r->writer) || s->ops->put(s, buf_get(&r->urgent), r->o.shard_key, 1)) r->refused++;
}

static void begin(struct kube_report *r) {
	if (r->open && r->urgent.n > BATCH_BYTES_MAX / 2) send(r);
	if (r->open) return;
	buf_clear(&r->urgent);
	batch_begin(&r->writer, &r->urgent, clock_wall(r->o.clock));
	r->open = true;
}

/* The Deployment above a pod, for its name and wanted replicas. */
static const struct kube_object *workload_of(const struct kube_watch *w, const struct kube_object *pod) {
	const struct kube_object *set = kube_watch_uid(w, KUBE_REPLICASET, pod->owner_uid);
	return set ? kube_watch_uid(w, KUBE_DEPLOYMENT, set->owner_uid) : NULL;
}

static void put_pod(struct kube_report *r, const struct kube_watch *w, const struct kube_object *pod, bool gone) {
	const struct kube_object *d = workload_of(w, pod);
	struct batch_pod p = {
		.at = clock_wall(r->o.clock),
		.namespace_ = pod->namespace_,
		.name = pod->name,
		.uid = pod->uid,
		.node = pod->node,
		.workload_kind = d ? STR("Deployment") : pod->owner_kind,
		.workload = d ? d->name : pod->owner_name,
		.ready = pod->ready && !pod->deleting && !gone,
		.gone = gone,
		.restarts = (uint32_t)pod->restarts,
		.wanted = d ? (uint32_t)d->wanted : 0,
		.reason = pod->reason,
	};
	batch_put_pod(&r->writer, &p);
}

static void put_change(struct kube_report *r, const struct kube_object *d, const char *kind) {
	struct batch_change c = {
		.at = clock_wall(r->o.clock),
		.namespace_ = d->namespace_,
		.workload_kind = STR("Deployment"),
		.workload = d->name,
		.kind = str_of(kind),
		.by = d->manager,
		.revision = d->revision,
	};
	batch_put_change(&r->writer, &c);
}

/* A pod that is about to be replaced is reported as gone: it no longer speaks for its workload. */
static bool turned(const struct kube_object *before, const struct kube_object *now) {
	return !before || before->ready != now->ready || before->restarts != now->restarts ||
	       before->deleting != now->deleting || !str_eq(before->reason, now->reason);
}

void kube_report_change(struct kube_report *r, const struct kube_watch *w, const struct kube_object *before,
                        const struct kube_object *now, bool synced) {
	const struct kube_object *any = now ? now : before;
	if (!r->o.next) return;
	if (any->kind == KUBE_POD && (before || synced) &&
	    (!now || turned(before, now))) { /* a first list is told by the round */
		begin(r);
		put_pod(r, w, any, !now || now->deleting);
	}
	if (any->kind != KUBE_DEPLOYMENT || !before || !now || !synced) return;
	bool rolled = now->revision.n && before->revision.n && !str_eq(before->revision, now->revision);
	if (!rolled && before->wanted == now->wanted) return;
	begin(r);
	put_change(r, now, rolled ? "rollout" : "scale");
}

/* One batch of the round. */
static void round_piece(struct kube_report *r, const struct kube_watch *w) {
	const struct kube_object *pod = NULL;
	begin(r);
	for (int n = 0; n < PODS_A_BATCH && (pod = kube_watch_next(w, KUBE_POD, &r->at)); n++)
		put_pod(r, w, pod, pod->deleting);
	if (!pod) r->in_round = false;
}

bool kube_report_step(struct kube_report *r, const struct kube_watch *w) {
	struct mono now = clock_mono(r->o.clock);
	struct sink_done done;
	if (!r->o.next) return false;
	while (r->o.next->ops->poll(r->o.next, &done)) r->refused += done.err != OK;
	if (!r->in_round && now.ns >= r->next.ns && kube_watch_ready(w, NULL)) {
		r->next.ns = now.ns + KUBE_REPORT_EVERY;
		r->in_round = true;
		r->at = 0;
	}
	if (r->in_round) round_piece(r, w);
	if (!r->open) return false;
	send(r);
	return true;
}

struct mono kube_report_next_due(const struct kube_report *r) {
	return r->o.next ? (r->in_round || r->open ? (struct mono){ 0 } : r->next) : (struct mono){ INT64_MAX };
}

int64_t kube_report_refused(const struct kube_report *r) {
	return r->refused;
}
