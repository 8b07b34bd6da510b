/* A cache of what the cluster holds, kept by list and watch.
 *
 * Each kind is listed in pages, then watched from the list's version with bookmarks; a watch that
 * ends is resumed from the last version seen, 410 lists anew, errors back off with jitter up to 30 s.
 * The protocol: kubernetes.io "Efficient detection of changes". Thread: one loop's own. */
#pragma once

#include "base/map.h"
#include "execute/kubernetes/client.h"
#include "execute/kubernetes/object.h"

struct kube_watch;

#define KUBE_OBJECTS_MAX 200000 /* over all kinds; more makes the cache say that it is not ready */

struct kube_watch_opts {
	struct kube_client *client; /* borrowed */
	struct clock *clock;
	struct log *log;
	struct rng rng;
	struct str namespace_; /* empty: all */
	/* Called when an object came (before NULL), changed or went (now NULL). Both live for the call. */
	void (*changed)(void *self, const struct kube_object *before, const struct kube_object *now);
	void *self;
};

MUST_USE enum err kube_watch_open(const struct kube_watch_opts *o, struct kube_watch **out);
/* Lists and watches as time asks; false: nothing to do. */
bool kube_watch_step(struct kube_watch *w);
/* True: the answer belonged to the watch. */
bool kube_watch_take(struct kube_watch *w, const struct kube_answer *a);
struct mono kube_watch_next_due(const struct kube_watch *w);
/* Deployments, ReplicaSets and pods were listed and heard of within the last two minutes, and HPAs were
 * listed or refused. False: why. */
bool kube_watch_ready(const struct kube_watch *w, struct why *why);
/* HPAs may be forbidden to us: then nobody can say whether one owns a workload. */
bool kube_watch_knows_hpas(const struct kube_watch *w, struct why *why);

const struct kube_object *kube_watch_uid(const struct kube_watch *w, enum kube_kind k, struct str uid);
const struct kube_object *kube_watch_name(const struct kube_watch *w, enum kube_kind k, struct str ns, struct str name);
/* for (size_t i = 0; (o = kube_watch_next(w, KUBE_POD, &i));) */
const struct kube_object *kube_watch_next(const struct kube_watch *w, enum kube_kind k, size_t *i);
size_t kube_watch_count(const struct kube_watch *w, enum kube_kind k);
int64_t kube_watch_relists(const struct kube_watch *w);
void kube_watch_close(struct kube_watch *w);
