/* Doing a recording again. The kubelets here are as the fake ones of the recordings (tests/e2e/kube/kwok.yaml). */
#include "sim/kube/replay.h"

#include <stdio.h>

#include "sim/memory.h"

#define NODES    7
#define BEGIN_NS (20 * NS_PER_SEC)
#define APART_NS                                                                                        \
	NS_PER_SEC /* by so much less may two looks of the autoscaler be apart otherwise than the real ones \
	            */
#define LATE_NS   (3 * NS_PER_SEC)  /* a look that has not come by then does not come */
#define STEER     "kubetest/"       /* annotations that steer the kubelet */
#define WINDOW_NS (20 * NS_PER_SEC) /* of samples, as in the recordings */

struct later { /* what a kubelet will do */
	struct list link;
	struct replay *r;
	char uid[37];
	enum { BE_READY, BE_GONE, FAIL } what;
};

struct replay {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_kube *kube;
	struct replay_names names;
	struct list laters;
	struct doc *head, *row;
	struct doc *used; /* what pods use, by alias */
	const char *ns;
	bool which;
	int64_t shift_ns;             /* virtual time less the recording's */
	int64_t synced_ns, looked_ns; /* the last look: in the recording, here */
	uint64_t since;
	struct buf *out;
	struct replay_result *result;
};

/* ---- kubelets ---- */

static const char *steer(const struct doc *pod, const char *key) {
	char name[64];
	snprintf(name, sizeof name, STEER "%s", key);
	return doc_c(doc_get(doc_path(pod, "metadata.annotations"), name));
}

static const struct doc *pod_by_uid(struct replay *r, const char *uid) {
	const struct doc *d;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_PODS, &i));)
		if (!strcmp(doc_c(doc_path(d, "metadata.uid")), uid)) return d;
	return NULL;
}

static void become_ready(struct replay *r, const struct doc *pod) {
	char uid[37];
	bool ready = strcmp(steer(pod, "not-ready"), "true") != 0;
	snprintf(uid, sizeof uid, "%s", doc_c(doc_path(pod, "metadata.uid")));
	sim_kube_pod_running(r->kube, uid);
	sim_kube_pod_ready(r->kube, uid, ready);
}

static void later_moment(void *self, uint64_t arg) {
	struct later *l = self;
	const struct doc *pod = pod_by_uid(l->r, l->uid);
	(void)arg;
	if (pod && l->what == BE_READY) become_ready(l->r, pod);
	if (pod && l->what == BE_GONE) sim_kube_pod_exited(l->r->kube, l->uid, "Completed", 0);
	if (pod && l->what == FAIL) sim_kube_pod_failed(l->r->kube, l->uid, "Error");
	list_remove(&l->link);
	free(l);
}

static void later(struct replay *r, const char *uid, int what, int64_t ns) {
	struct later *l = must_alloc(sizeof *l);
	l->r = r;
	l->what = what;
	snprintf(l->uid, sizeof l->uid, "%s", uid);
	list_push(&r->laters, &l->link);
	sim_queue_in(&r->queue, ns, later_moment, l, 0);
}

static int64_t delay_of(const struct doc *pod, const char *key) { /* "4s" */
	return atoll(steer(pod, key)) * NS_PER_SEC;
}

static void start_container(void *self, const struct sim_kube_pod *pod) {
	struct replay *r = self;
	const struct doc *d = pod_by_uid(r, pod->uid);
	int64_t due = pod->created_ns + delay_of(d, "ready-delay") - r->queue.now_ns; /* the fake kubelet starts at once */
	if (strcmp(steer(d, "hold"), "true") != 0) later(r, pod->uid, BE_READY, due > 0 ? due : 0);
}

static void stop_container(void *self, const struct sim_kube_pod *pod, int64_t grace_ns) {
	struct replay *r = self;
	(void)grace_ns;
	later(r, pod->uid, BE_GONE, delay_of(pod_by_uid(r, pod->uid), "delete-delay"));
}

static void kill_container(void *self, const struct sim_kube_pod *pod) {
	(void)self, (void)pod;
}

static const struct sim_kube_runtime kubelets = { start_container, stop_container, kill_container };

/* The node that the real scheduler chose. */
static const char *node_of(void *self, const struct doc *pod) {
	struct replay *r = self;
	replay_names_meet(&r->names, r->kube);
	const struct doc *node =
		doc_get(doc_get(r->row, "nodes"), replay_alias(&r->names, doc_c(doc_path(pod, "metadata.name"))));
	return node ? doc_c(node) : NULL;
}

/* As metrics_api.py: by the longest alias that fits; null: no sample. */
static bool usage(void *self, const struct sim_kube_pod *pod, struct sim_kube_usage *out) {
	struct replay *r = self;
	const struct doc *d = pod_by_uid(r, pod->uid), *value;
	char alias[300], *dot;
	if (strcmp(doc_c(doc_path(d, "status.phase")), "Running") != 0 || doc_path(d, "metadata.deletionTimestamp"))
		return false;
	snprintf(alias, sizeof alias, "%s", replay_alias(&r->names, pod->name));
	while (!(value = doc_get(r->used, alias)) && (dot = strrchr(alias, '.'))) *dot = '\0';
	if (!value || value->kind == JSON_NULL) return false;
	bool pair = value->kind == JSON_ARRAY;
	*out = (struct sim_kube_usage){ .cpu_milli = doc_int(pair ? doc_at(value, 0) : value, 0),
		                            .memory_bytes = pair ? doc_int(doc_at(value, 1), 0) : 0,
		                            .at_ns = r->queue.now_ns,
		                            .window_ns = WINDOW_NS };
	return true;
}

/* ---- doing ---- */

static void run_until(struct replay *r, int64_t until_ns) {
	do { r->trace.now_ns = r->queue.now_ns; } while (sim_queue_next(&r->queue, until_ns));
}

static bool type_of(const char *plural, enum sim_kube_type *out) {
	static const struct {
		const char *name;
		enum sim_kube_type type;
	} types[] = { { "deployments", KUBE_DEPLOYMENTS },
		          { "pods", KUBE_PODS },
		          { "hpas", KUBE_HPAS },
		          { "pdbs", KUBE_PDBS },
		          { "nodes", KUBE_NODES } };
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(types[i].name, plural)) {
			*out = types[i].type;
			return true;
		}
	return false;
}

static void differs(struct replay *r, const char *who, const char *line) {
	r->result->different++;
	buf_printf(r->out, "    only the %s: %s\n", who, line);
}

static void expect_code(struct replay *r, const struct sim_kube_reply *reply, int code) {
	char text[300];
	if (reply->code == code) {
		r->result->equal++;
		return;
	}
	snprintf(text, sizeof text, "answers %d (%.200s), not %d", reply->code, reply->message, code);
	differs(r, "simulated one", text);
}

/* A pod that goes by another name here, when another of its equals was deleted. */
static const char *pod_named(struct replay *r, const char *alias) {
	const char *name = replay_named(&r->names, alias);
	if (sim_kube_object(r->kube, KUBE_PODS, r->ns, name)) return name;
	const char *dot = strrchr(alias, '.');
	size_t n = dot ? (size_t)(dot - alias) + 1 : 0;
	for (size_t i = 0; i < r->names.count && n; i++) {
		const struct replay_name *other = &r->names.all[i];
		if (!other->set && !strncmp(other->alias, alias, n) && sim_kube_object(r->kube, KUBE_PODS, r->ns, other->name))
			return other->name;
	}
	return name;
}

/* The fake kubelet goes on posting that its pods are ready, though it says of itself that it is not. */
static void still_ready(struct replay *r, const char *node) {
	const struct doc *d;
	for (size_t i = 0; (d = sim_kube_next(r->kube, KUBE_PODS, &i));)
		if (!strcmp(doc_c(doc_path(d, "spec.nodeName")), node) && sim_kube_pod_is_ready(d))
			later(r, doc_c(doc_path(d, "metadata.uid")), BE_READY, NS_PER_SEC / 2);
}

static void do_node(struct replay *r, const char *name, const struct doc *patch, const struct sim_kube_call *c,
                    struct sim_kube_reply *reply) {
	const struct doc *sick = doc_get(doc_path(patch, "metadata.annotations"), STEER "node-not-ready");
	sim_kube_do_patch(r->kube, KUBE_NODES, "", name, KUBE_MERGE, patch, c, reply);
	if (sick && sim_kube_node_ready(r->kube, name, sick->kind == JSON_NULL)) differs(r, "real one", "has that node");
	if (sick) still_ready(r, name);
}

static void do_kubelet(struct replay *r) {
	const char *key = doc_c(doc_get(r->row, "key")), *name = pod_named(r, doc_c(doc_get(r->row, "pod")));
	const struct doc *value = doc_get(r->row, "value"), *pod;
	char patch[300], uid[37];
	snprintf(patch, sizeof patch, "{\"metadata\":{\"annotations\":{\"" STEER "%s\":%s%s%s}}}", key,
	         *doc_c(value) ? "\"" : "", *doc_c(value) ? doc_c(value) : "null", *doc_c(value) ? "\"" : "");
	if (sim_kube_change(r->kube, KUBE_PODS, r->ns, name, "kubectl", str_of(patch), NULL)) {
		differs(r, "real one", "has that pod");
		return;
	}
	pod = sim_kube_object(r->kube, KUBE_PODS, r->ns, name);
	snprintf(uid, sizeof uid, "%s", doc_c(doc_path(pod, "metadata.uid")));
	if (!strcmp(key, "fail"))
		later(r, uid, FAIL, NS_PER_SEC / 5);
	else
		become_ready(r, pod);
}

static void do_evict(struct replay *r, const struct sim_kube_call *c, struct sim_kube_reply *reply) {
	char cause[400];
	sim_kube_do_evict(r->kube, r->ns, pod_named(r, doc_c(doc_get(r->row, "name"))), NULL, c, reply);
	expect_code(r, reply, (int)doc_int(doc_get(r->row, "code"), 0));
	snprintf(cause, sizeof cause, "%s", doc_c(doc_get(doc_at(reply->causes, 0), "message")));
	if (!strcmp(cause, doc_c(doc_get(r->row, "cause")))) {
		r->result->equal++;
		return;
	}
	differs(r, "simulated one", cause);
	differs(r, "real one", doc_c(doc_get(r->row, "cause")));
}

static void do_object(struct replay *r, const char *what, enum sim_kube_type t, const struct sim_kube_call *c,
                      struct sim_kube_reply *reply) {
	const char *name = doc_c(doc_get(r->row, "name"));
	const struct doc *patch = doc_get(r->row, "patch");
	if (t == KUBE_PODS) name = pod_named(r, name);
	if (!strcmp(what, "create"))
		sim_kube_do_create(r->kube, t, r->ns, doc_copy(doc_get(r->row, "object")), c, reply);
	else if (!strcmp(what, "delete"))
		sim_kube_do_delete(r->kube, t, r->ns, name, NULL, c, reply);
	else if (t == KUBE_NODES)
		do_node(r, name, patch, c, reply);
	else
		sim_kube_do_patch(r->kube, t, r->ns, name, t == KUBE_DEPLOYMENTS ? KUBE_STRATEGIC : KUBE_MERGE, patch, c,
		                  reply);
	expect_code(r, reply, !strcmp(what, "create") ? 201 : 200);
}

static void do_it(struct replay *r) {
	const char *what = doc_c(doc_get(r->row, "do"));
	struct sim_kube_call c = { "admin", "kubectl", NULL, false, false, false, false };
	struct sim_kube_reply reply = { 0 };
	enum sim_kube_type t;
	if (!strcmp(what, "use")) {
		doc_free(r->used);
		r->used = doc_copy(doc_get(r->row, "used"));
	} else if (!strcmp(what, "kubelet")) {
		do_kubelet(r);
	} else if (!strcmp(what, "evict")) {
		do_evict(r, &c, &reply);
	} else if (type_of(doc_c(doc_get(r->row, "type")), &t)) {
		do_object(r, what, t, &c, &reply);
	}
	sim_kube_reply_done(&reply);
}

/* Runs on to the autoscaler's next look, and keeps time by it: what came so much after it comes so much after it. */
static void look(struct replay *r, int64_t number, int64_t t_ns) {
	size_t first = 0;
	int64_t at = 0;
	char text[100], name[128];
	snprintf(name, sizeof name, "%s", doc_c(doc_path(sim_kube_next(r->kube, KUBE_HPAS, &first), "metadata.name")));
	while (sim_kube_hpa_looks(r->kube, r->ns, name, &at) < number && r->queue.now_ns < t_ns + r->shift_ns + LATE_NS)
		run_until(r, r->queue.now_ns + NS_PER_MS);
	if (sim_kube_hpa_looks(r->kube, r->ns, name, &at) != number) {
		differs(r, "real one", "looks now");
		return;
	}
	int64_t apart = r->synced_ns ? (at - r->looked_ns) - (t_ns - r->synced_ns) : at - t_ns - r->shift_ns;
	snprintf(text, sizeof text, "looks %.3f s off the real one's time", (double)apart / 1e9);
	if (apart >= APART_NS || apart <= -APART_NS)
		differs(r, "simulated one", text);
	else
		r->result->equal++;
	r->shift_ns = at - t_ns;
	r->synced_ns = t_ns;
	r->looked_ns = at;
}

/* ---- comparing ---- */

static void compare_lines(struct replay *r, const char *key, const struct replay_lines *got, bool sorted) {
	struct replay_lines want = { 0 };
	size_t a = 0, b = 0;
	doc_each(line, doc_get(r->row, key)) replay_lines_add(&want, "%s", doc_c(line));
	if (sorted) replay_lines_sort(&want);
	while (a < want.count || b < got->count) {
		int order = a == want.count ? 1 : b == got->count ? -1 : strcmp(want.all[a], got->all[b]);
		if (!order) r->result->equal++;
		if (order && !sorted && a < want.count && b < got->count) { /* in order: place by place */
			differs(r, "real one", want.all[a++]);
			differs(r, "simulated one", got->all[b++]);
			continue;
		}
		if (order < 0) differs(r, "real one", want.all[a]);
		if (order > 0) differs(r, "simulated one", got->all[b]);
		a += order <= 0;
		b += order >= 0;
	}
	replay_lines_done(&want);
}

static void compare(struct replay *r) {
	struct replay_story s = { 0 };
	replay_tell(r->kube, &r->names, r->since, r->which, &s);
	r->since = sim_kube_version(r->kube);
	if (!strcmp(doc_c(doc_get(r->row, "type")), "nodes"))
		replay_node_line(r->kube, doc_c(doc_get(r->row, "name")), &s.is);
	size_t first = 0;
	if (doc_get(r->row, "sync")) replay_autoscaler_line(sim_kube_next(r->kube, KUBE_HPAS, &first), &s.is);
	replay_lines_unite(&s.is);
	compare_lines(r, "ordered", &s.ordered, false);
	compare_lines(r, "free", &s.free, true);
	compare_lines(r, "is", &s.is, true);
	replay_lines_done(&s.ordered);
	replay_lines_done(&s.free);
	replay_lines_done(&s.is);
}

static int64_t time_of(const struct doc *row, const char *key) {
	return (int64_t)(strtod(doc_get(row, key) ? doc_get(row, key)->text : "0", NULL) * 1e9);
}

static void one_row(struct replay *r) {
	size_t before = r->result->different, began = r->out->n;
	int64_t t = time_of(r->row, "t");
	buf_printf(r->out, "  at %.3f s (%s%s %s):\n", (double)t / 1e9, doc_c(doc_get(r->row, "do")),
	           doc_get(r->row, "sync") ? "look" : "", doc_c(doc_get(r->row, doc_get(r->row, "pod") ? "pod" : "name")));
	if (doc_get(r->row, "sync"))
		look(r, doc_int(doc_get(r->row, "sync"), 0), t);
	else {
		run_until(r, t + r->shift_ns);
		do_it(r);
	}
	run_until(r, time_of(r->row, "until") + r->shift_ns);
	compare(r);
	r->result->moments++;
	if (r->result->different == before) r->out->n = began; /* nothing to tell of it */
}

/* ---- from begin to end ---- */

static void open_world(struct replay *r, uint64_t seed) {
	struct wall epoch = { 1767607200 * NS_PER_SEC };
	char text[200], name[16];
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	list_init(&r->laters);
	struct sim_kube_opts k = { &r->queue, &r->trace, rng_seeded(seed), epoch, NODES, &kubelets, r, 20000 };
	r->kube = sim_kube_new(&k);
	map_init(&r->names.told, 0);
	sim_kube_place(r->kube, node_of, r);
	sim_kube_serve_metrics(r->kube, usage, r);
	snprintf(text, sizeof text, "{\"metadata\":{\"name\":\"%s\"}}", r->ns);
	enum err e = sim_kube_create(r->kube, KUBE_NAMESPACES, str_of(text), NULL);
	int node = 0;
	doc_each(pool, doc_get(r->head, "nodes")) for (int64_t i = 0; i < doc_int(pool, 0) && !e; i++) {
		snprintf(name, sizeof name, "node-%d", ++node);
		snprintf(text, sizeof text, "{\"metadata\":{\"labels\":{\"pool\":\"%s\"}}}", pool->key);
		e = sim_kube_change(r->kube, KUBE_NODES, "", name, "kubectl", str_of(text), NULL);
	}
	assert(!e);
	r->shift_ns = BEGIN_NS;
	run_until(r, BEGIN_NS - NS_PER_SEC);
	r->since = sim_kube_version(r->kube);
}

static void close_world(struct replay *r) {
	sim_kube_free(r->kube);
	list_each_safe(it, &r->laters) free(container_of(it, struct later, link));
	replay_names_done(&r->names);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
	doc_free(r->used);
}

enum err replay_run(struct str recording, uint64_t seed, struct buf *out, struct replay_result *result) {
	struct replay r = { .out = out, .result = result };
	struct str line;
	str_cut(recording, '\n', &line, &recording);
	r.head = doc_parse(line, NULL);
	r.ns = doc_c(doc_get(r.head, "recording"));
	r.which = doc_bool(doc_get(r.head, "which"), false);
	if (!*r.ns) {
		doc_free(r.head);
		return ERR_INVALID;
	}
	open_world(&r, seed);
	while (str_cut(recording, '\n', &line, &recording)) {
		r.row = doc_parse(line, NULL);
		if (r.row) one_row(&r);
		doc_free(r.row);
	}
	close_world(&r);
	doc_free(r.head);
	return OK;
}
