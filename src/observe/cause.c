/* An incident's surroundings as arrays for rca/, and what to do with the answer. */
#include <math.h>
#include <string.h>

#include "observe/observer_in.h"

#define NODES_MAX      256
#define EDGES_MAX      1024
#define CHANGES_USED   16
#define NEAR_HOPS      4
#define WINDOW_MAX_NS  (60 * NS_PER_SEC)
#define CHANGE_BACK_NS (900 * NS_PER_SEC)
#define POD_BACK_NS    (120 * NS_PER_SEC)
#define SICK_SHARE     0.75
#define SURE           0.8
#define ONSET_SURE     1.5
#define BETTER         0.1
#define NEAR_LIMIT     0.9
#define KIND_UNTIL_NS  (20 * NS_PER_SEC) /* since it opened: two exports of most agents */

struct scene {
	struct observer *ob;
	struct incident *in;
	struct rca_node *nodes;
	uint32_t *entities; /* of each node */
	uint32_t node_count;
	struct rca_edge *edges;
	uint32_t edge_count;
	struct rca_change *changes;
	uint32_t change_count;
	int64_t first, last; /* slots since the onset */
	bool due;            /* the report must be made now */
	int64_t from_ns;
};

static uint32_t node_find(const struct scene *s, uint32_t entity) {
	for (uint32_t i = 0; i < s->node_count; i++)
		if (s->entities[i] == entity) return i;
	return RCA_NONE;
}

static uint32_t node_add(struct scene *s, uint32_t entity) {
	uint32_t at = node_find(s, entity);
	if (at != RCA_NONE || s->node_count == NODES_MAX || !entity_of(s->ob, entity)) return at;
	s->entities[s->node_count] = entity;
	return s->node_count++;
}

/* ---- nodes ---- */

static double per(double sum, double n) {
	return n > 0 ? sum / n : 0;
}

static void node_flow(struct scene *s, struct rca_node *n, const struct entity *e, const struct watch *w) {
	const struct channel *c = e->red[VIA_SPANS];
	if (!c || !w || w->usual.requests < 20) return;
	struct slot now = channel_sum(c, s->first, s->last);
	const struct usual *u = &w->usual;
	n->requests = (double)now.seen;
	n->current = now.seen > 0;
	n->traced = now.seen >= 3 && e->kind == ENTITY_SERVICE;
	n->seconds = (struct rca_pair){ per(u->seconds, u->requests), per((double)now.seconds, (double)now.seen) };
	n->self_seconds =
		(struct rca_pair){ per(u->self_seconds, u->requests), per((double)now.self_seconds, (double)now.seen) };
	n->bad = (struct rca_pair){ per(u->bad, u->requests), per((double)now.bad, (double)now.seen) };
	n->own_bad = (struct rca_pair){ per(u->own_bad, u->requests), per((double)now.own_bad, (double)now.seen) };
}

/* The copy with most of the trouble, if it has nearly all of it and its siblings serve as well. */
static void node_parts(struct scene *s, struct rca_node *n, const struct entity *e) {
	double bad = 0, slow = 0, seen = 0, worst = 0;
	for (uint32_t k = e->first_instance; k != NONE;) {
		const struct instance *i = catalog_instance(&s->ob->stream->catalog, k);
		k = i->next;
		struct part p = instance_sum(i, s->first, s->last);
		if (!(p.seen > 0)) continue;
		n->parts++;
		bad += (double)p.bad, slow += (double)p.slow, seen += (double)p.seen;
		double trouble = (double)p.bad + (double)p.slow;
		if (trouble <= worst) continue;
		worst = trouble;
		n->worst = (struct rca_part){ .uid = i->pod ? i->uid : (struct str){ NULL, 0 },
			                          .name = i->name,
			                          .seen = (double)p.seen,
			                          .bad = (double)p.bad,
			                          .slow = (double)p.slow };
	}
	double others_seen = seen - n->worst.seen, others = bad + slow - worst;
	n->worst.sick = n->parts > 1 && worst >= 5 && worst >= SICK_SHARE * (bad + slow) && others_seen >= 5 &&
	                others < 0.1 * others_seen && worst > 0.3 * n->worst.seen;
}

static bool pod_lost(const struct instance *i, int64_t since_ns, int64_t now_ns) {
	if (i->ready || i->gone || !i->was_ready) return false;
	return i->unready_ns >= since_ns && (now_ns - i->unready_ns > 2 * NS_PER_SEC || i->restarted_ns >= since_ns);
}

static void node_pods(struct scene *s, struct rca_node *n, const struct entity *e, const struct watch *w) {
	int64_t since_ns = s->from_ns - POD_BACK_NS;
	bool rule = w && (w->findings[SIGNAL_READY].v.score >= 1 || w->findings[SIGNAL_RESTARTS].v.score >= 1);
	if (!instance_replacing(s->ob, e)) rule = true;
	uint32_t told = 0;
	int64_t heard_ns = instance_heard(s->ob, e);
	for (uint32_t k = e->first_instance; k != NONE;) {
		const struct instance *i = catalog_instance(&s->ob->stream->catalog, k);
		k = i->next;
		if (!i->told || heard_ns - i->last_ns > INSTANCE_FORGOTTEN_NS) continue;
		told += !i->gone;
		bool restarted = i->restarted_ns >= since_ns && i->restarted_ns > 0;
		bool down = rule && pod_lost(i, since_ns, s->ob->now_ns);
		n->pods_restarted += restarted;
		n->pods_down += down;
		bool recent = restarted || down || (i->gone && i->gone_ns >= since_ns);
		n->oom = n->oom || (recent && str_is(i->reason, "OOMKilled"));
		n->crash_loop = n->crash_loop || (!i->gone && str_is(i->reason, "CrashLoopBackOff"));
		if (!down && !restarted) continue;
		n->pod_down_uid = i->uid, n->pod_down_name = i->name, n->reason = i->reason;
	}
	if (told > n->parts) n->parts = told;
}

static void node_gauges(struct scene *s, struct rca_node *n, const struct entity *e) {
	n->memory_share = n->cpu_share = n->runs_out_s = NAN;
	for (uint32_t k = e->first_instance; k != NONE;) {
		const struct instance *i = catalog_instance(&s->ob->stream->catalog, k);
		k = i->next;
		if (i->gone) continue;
		const struct gauge *m = &i->gauges[GAUGE_MEMORY], *c = &i->gauges[GAUGE_CPU];
		int64_t old_ns = s->ob->now_ns - 3 * WINDOW_MAX_NS;
		if (m->at_ns > old_ns && m->limit > 0 && !(m->value / m->limit <= n->memory_share)) {
			const struct instance_watch *iw = instance_watch_get(s->ob, i);
			n->memory_share = m->value / m->limit;
			n->runs_out_s = iw ? level_look(&iw->memory, m->limit).runs_out_s : (double)NAN;
		}
		if (c->at_ns > old_ns && c->limit > 0 && !(c->value / c->limit <= n->cpu_share))
			n->cpu_share = c->value / c->limit;
	}
	n->memory_high = n->memory_share > NEAR_LIMIT;
	n->cpu_high = n->cpu_share > NEAR_LIMIT;
}

static void node_fill(struct scene *s, uint32_t at) {
	struct rca_node *n = &s->nodes[at];
	const struct entity *e = entity_of(s->ob, s->entities[at]);
	const struct watch *w = watch_get(s->ob, e->index);
	n->kind = (enum rca_entity)e->kind;
	n->subject = e->subject;
	n->change = RCA_NONE;
	for (int k = 0; w && k < SIGNAL_KINDS; k++) {
		const struct finding *f = &w->findings[k];
		n->signals[k] = (struct rca_signal){
			f->v.score >= 1,   f->via == VIA_CALLS && w->durations[VIA_CALLS] && k <= SIGNAL_DURATION,
			f->v.score,        f->v.onset_ns,
			f->v.delivered_ns, f->v.onset_sd_s,
			f->v.value,        f->v.expected
		};
	}
	cause_told(s->ob, n, e, s->from_ns, s->first, s->last);
	node_flow(s, n, e, w);
	node_parts(s, n, e);
	node_pods(s, n, e, w);
	node_gauges(s, n, e);
}

/* ---- edges ---- */

struct answers {
	double told; /* failed calls whose answers should have been told by now */
	double good, bad;
};

/* Answers come later than calls. Of a time that the callee has not told of yet, an answer that came is one, but one
 * that did not come says nothing; when the report is due, what the calls that went well lack in the same slot, those
 * that failed are taken to lack for the same reason. */
static struct answers edge_answered(const struct scene *s, const struct edge *g, int64_t heard) {
	struct answers a = { 0 };
	int64_t first = s->first > g->newest - SLOTS ? s->first : g->newest - SLOTS + 1;
	for (int64_t k = first; k <= s->last && k <= g->newest; k++) {
		struct edge_slot x = edge_sum(g, k, k);
		double failed = (double)x.failed, well = (double)x.calls - failed;
		double joined = fmin((double)x.failed_joined, failed), bad = fmin((double)x.joined_failed, joined);
		double share = k <= heard;
		if (s->due && well > 0) share = ((double)x.joined - joined) / well;
		a.told += fmax(failed * fmin(fmax(share, 0), 1), joined);
		a.bad += bad;
		a.good += joined - bad;
	}
	return a;
}

static void edge_answers(const struct scene *s, const struct edge *g, struct rca_edge *e) {
	int64_t heard = s->last;
	const struct entity *to = entity_of(s->ob, g->to);
	if (to->kind == ENTITY_SERVICE && to->red[VIA_SPANS])
		heard = stream_slot(s->ob->stream, stream_heard(s->ob->stream, g->to, VIA_SPANS, s->ob->now_ns)) - 1;
	struct edge_slot all = edge_sum(g, s->first, s->last), known = edge_sum(g, s->first, heard);
	struct answers a = edge_answered(s, g, heard);
	e->heard = per((double)known.calls, (double)all.calls);
	e->joined =
		known.calls > 0 ? per((double)known.joined, (double)known.calls) : per((double)all.joined, (double)all.calls);
	e->failed_unanswered = per(a.told - a.good - a.bad, a.told);
	e->failed_answered_bad = per(a.bad, a.told);
	e->sure = a.told >= (s->due ? 1 : 3) || !(all.failed > 0);
}

static void edge_fill(struct scene *s, const struct edge *g, uint32_t from, uint32_t to) {
	if (s->edge_count == EDGES_MAX) return;
	struct rca_edge *e = &s->edges[s->edge_count++];
	const struct entity *caller = entity_of(s->ob, g->from);
	const struct usual_calls *u = usual_calls_get(s->ob, g->index), none = { 0 };
	if (!u) u = &none;
	struct edge_slot now = edge_sum(g, s->first, s->last);
	struct slot asked = { 0 };
	if (caller->red[VIA_SPANS]) asked = channel_sum(caller->red[VIA_SPANS], s->first, s->last);
	double calls = (double)now.calls, n = (double)asked.seen;
	*e = (struct rca_edge){ .from = from, .to = to, .calls = calls };
	e->wall_seconds = (struct rca_pair){ per(u->wall_seconds, u->requests), per((double)now.wall_seconds, n) };
	e->seconds = (struct rca_pair){ per(u->seconds, u->calls), per((double)now.seconds, calls) };
	e->gap_seconds =
		(struct rca_pair){ per(u->gap_seconds, u->joined), per((double)now.gap_seconds, (double)now.joined) };
	e->failed = (struct rca_pair){ per(u->failed, u->calls), per((double)now.failed, calls) };
	e->blamed = (struct rca_pair){ per(u->blamed, u->requests), per((double)now.blamed, n) };
	edge_answers(s, g, e);
	cause_told_edge(s->ob, e, g, s->first);
}

/* Everything along the calls from those that hurt, and their callers among them. */
static void reach(struct scene *s) {
	for (uint32_t i = 0; i < s->in->member_count; i++) node_add(s, s->in->members[i]);
	uint32_t from = 0, until = s->node_count;
	const struct catalog *c = &s->ob->stream->catalog;
	for (uint32_t k = 0; k < c->edges.count; k++) { /* those who see it from outside */
		const struct edge *g = catalog_edge(c, k);
		uint32_t to = g && g->to != NONE && g->to != g->from ? node_find(s, g->to) : RCA_NONE;
		if (to != RCA_NONE && to < until) node_add(s, g->from);
	}
	for (int hop = 0; hop < NEAR_HOPS && from < until; hop++) {
		for (uint32_t i = from; i < until; i++) {
			const struct entity *e = entity_of(s->ob, s->entities[i]);
			for (uint32_t k = e->first_edge; k != NONE;) {
				const struct edge *g = catalog_edge(&s->ob->stream->catalog, k);
				if (g->to != NONE && g->to != g->from) node_add(s, g->to);
				k = g->next;
			}
		}
		from = until;
		until = s->node_count;
	}
}

static void edges_fill(struct scene *s) {
	for (uint32_t i = 0; i < s->node_count; i++) {
		const struct entity *e = entity_of(s->ob, s->entities[i]);
		for (uint32_t k = e->first_edge; k != NONE;) {
			const struct edge *g = catalog_edge(&s->ob->stream->catalog, k);
			uint32_t to = g->to == NONE || g->to == g->from ? RCA_NONE : node_find(s, g->to);
			if (to != RCA_NONE) edge_fill(s, g, i, to);
			k = g->next;
		}
	}
}

/* ---- changes ---- */

static bool ours(const struct change *c) {
	return str_starts(c->by, STR("flyball"));
}

static void changes_fill(struct scene *s) {
	struct stream *st = s->ob->stream;
	for (uint32_t k = 0; s->change_count < CHANGES_USED; k++) {
		const struct change *c = stream_change(st, k);
		if (!c || c->at.ns < s->from_ns - CHANGE_BACK_NS) break;
		uint32_t entity = c->entity != NONE ? c->entity : catalog_by_workload(&st->catalog, &c->workload);
		uint32_t node = entity == NONE ? RCA_NONE : node_find(s, entity);
		if (node == RCA_NONE || ours(c) || c->at.ns > s->in->opened_ns || str_is(c->kind, "scale")) continue;
		struct str what = str_printf(&s->ob->arena, STR_FMT " of " STR_FMT " " STR_FMT "/" STR_FMT "%s" STR_FMT,
		                             STR_ARG(c->kind.n ? c->kind : STR("change")), STR_ARG(c->workload.kind),
		                             STR_ARG(c->workload.namespace_), STR_ARG(c->workload.name), c->by.n ? " by " : "",
		                             STR_ARG(c->by));
		s->changes[s->change_count] =
			(struct rca_change){ .node = node, .at_ns = c->at.ns, .what = what, .to = c->revision };
		if (s->nodes[node].change == RCA_NONE) s->nodes[node].change = s->change_count;
		s->change_count++;
	}
}

static bool scene_make(struct scene *s) {
	struct arena *a = &s->ob->arena;
	s->nodes = arena_array(a, struct rca_node, NODES_MAX);
	s->entities = arena_array(a, uint32_t, NODES_MAX);
	s->edges = arena_array(a, struct rca_edge, EDGES_MAX);
	s->changes = arena_array(a, struct rca_change, CHANGES_USED);
	if (!s->nodes || !s->entities || !s->edges || !s->changes) return false;
	s->last = stream_slot(s->ob->stream, s->ob->now_ns) + 1;
	s->first = stream_slot(s->ob->stream, s->from_ns);
	reach(s);
	for (uint32_t i = 0; i < s->node_count; i++) node_fill(s, i);
	edges_fill(s);
	changes_fill(s);
	return true;
}

/* ---- the answer ---- */

/* The onset of those requests that hurt: of the estimates that are about as sure as the surest one, the
 * earliest; and not longer ago than the slots hold. */
static int64_t onset_of(const struct observer *ob, const struct incident *in) {
	double surest = INFINITY;
	int64_t onset_ns = 0;
	for (int turn = 0; turn < 2; turn++) {
		for (uint32_t i = 0; i < in->symptom_count; i++) {
			const struct symptom *s = &in->symptoms[i];
			if (s->signal != SIGNAL_ERRORS && s->signal != SIGNAL_DURATION) continue;
			const struct verdict *now = &watch_get(ob, s->entity)->findings[s->signal].v;
			const struct verdict *v = now->onset_ns && now->score >= 1 ? now : &s->first;
			double sd_s = v->onset_sd_s > 0 ? v->onset_sd_s : 30;
			if (!v->onset_ns) continue;
			if (turn == 0)
				surest = fmin(surest, sd_s);
			else if (sd_s <= ONSET_SURE * surest + 0.5 && (!onset_ns || v->onset_ns < onset_ns))
				onset_ns = v->onset_ns;
		}
	}
	if (!onset_ns) onset_ns = in->onset_ns ? in->onset_ns : in->opened_ns - WINDOW_MAX_NS / 4;
	int64_t oldest = ob->now_ns - WINDOW_MAX_NS;
	return onset_ns > oldest ? onset_ns : oldest;
}

/* `fresh`: nothing was done yet that what is told now could come of. */
static bool better(const struct incident *in, const struct rca_report *r, uint32_t entity, bool fresh) {
	if (!in->reported_ns) return true;
	if (r->none) return false; /* what was named stands; what was not is known already */
	if (in->none) return true;
	if (entity == in->cause && r->causes[0].one_part && !in->one_part) return true;
	bool other = entity == in->cause && r->causes[0].kind != in->kind;
	if (other && r->causes[0].kind_proved && !in->kind_proved) return fresh;
	if (entity == in->cause) return other && r->causes[0].confidence > in->confidence + BETTER;
	return r->causes[0].confidence > in->confidence + BETTER;
}

static void report(struct observer *ob, struct incident *in, const struct rca_input *x, const struct rca_report *r,
                   const uint32_t *entities) {
	uint32_t entity = r->none ? NONE : entities[r->causes[0].node];
	if (!better(in, r, entity, ob->now_ns - in->opened_ns < KIND_UNTIL_NS)) return;
	in->reported_ns = ob->now_ns;
	in->none = r->none;
	incident_hold(ob, in->cause, -1);
	incident_hold(ob, entity, +1);
	in->cause = entity;
	in->one_part = !r->none && r->causes[0].one_part;
	in->confidence = r->none ? 0 : r->causes[0].confidence;
	in->kind = r->none ? CAUSE_UNKNOWN : r->causes[0].kind;
	in->kind_proved = !r->none && r->causes[0].kind_proved;
	ob->counts.reports++;
	ob->counts.abstained += r->none;
	tell_report(ob, in, x, r, entities);
}

/* Early when it is clear, at the latest when the time for it has come; then again while it may get clearer. */
void cause_look(struct observer *ob, struct incident *in) {
	struct scene s = { .ob = ob, .in = in, .from_ns = onset_of(ob, in) };
	struct rca_report r;
	arena_reset(&ob->arena);
	bool due = ob->now_ns >= in->opened_ns + REPORT_BY_NS;
	in->look_ns = in->reported_ns || due ? ob->now_ns + REPORT_AGAIN_NS : ob->now_ns + NS_PER_SEC;
	if (!in->reported_ns && !due && in->look_ns > in->opened_ns + REPORT_BY_NS)
		in->look_ns = in->opened_ns + REPORT_BY_NS;
	if (in->reported_ns && ob->now_ns - in->opened_ns > REPORT_UNTIL_NS) in->look_ns = 0;
	s.due = due;
	if (!scene_make(&s)) return;
	struct rca_input x = { s.nodes, s.node_count, s.edges, s.edge_count, s.changes, s.change_count, s.from_ns };
	if (rca_run(&ob->arena, &x, &r)) return;
	bool clear = !r.none && r.causes[0].confidence >= SURE && r.completeness > 0.9 && !r.causes[0].kind_awaits;
	if (clear || due) report(ob, in, &x, &r, s.entities);
}
