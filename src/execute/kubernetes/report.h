/* What the orchestrator says of itself, as telemetry: pods and changes, in batches. */
#pragma once

#include "execute/kubernetes/watch.h"
#include "model/batch.h"

struct kube_report;

struct kube_report_opts {
	struct batch_sink *next; /* borrowed; NULL: nothing is reported */
	struct clock *clock;
	uint64_t shard_key;
};

/* Every pod's state is told again each KUBE_REPORT_EVERY, so that silence means that we are blind. */
#define KUBE_REPORT_EVERY (10 * NS_PER_SEC)

MUST_USE enum err kube_report_open(const struct kube_report_opts *o, struct kube_report **out);
/* A change of an object (as kube_watch_opts.changed); `synced` false: part of the first list, no news. */
void kube_report_change(struct kube_report *r, const struct kube_watch *w, const struct kube_object *before,
                        const struct kube_object *now, bool synced);
/* Sends what is due; false: nothing. A full sink is tried again: the newest state wins. */
bool kube_report_step(struct kube_report *r, const struct kube_watch *w);
struct mono kube_report_next_due(const struct kube_report *r);
int64_t kube_report_refused(const struct kube_report *r);
void kube_report_close(struct kube_report *r);
