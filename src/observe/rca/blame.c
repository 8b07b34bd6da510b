#include "observe/rca/blame.h"

#include <math.h>
#include <string.h>

#define DEPTH_MAX    12
#define MASS_MIN     0.01
#define EXCESS_S     0.001 /* time per request below which nothing is explained */
#define EXCESS_BAD   0.002 /* failures per request, likewise */
#define RATIO_MIN    1.15  /* of a call's time before it is said to be longer */
#define REPEATED     3.0   /* attempts for each that there would be */
#define REPEATED_MIN 20.0
#define REPEATED_BAD 0.3

struct flow {
	const struct rca_input *in;
	struct blame *out;
	bool *visiting;
	uint32_t *first; /* edges of node i: order[first[i]] .. order[first[i + 1]] */
	uint32_t *order;
};

static double excess(struct rca_pair p) {
	return p.now > p.usual ? p.now - p.usual : 0;
}

static double longer(struct rca_pair p) {
	return p.now > RATIO_MIN * p.usual ? p.now - p.usual : 0;
}

static void keep(struct flow *f, uint32_t node, enum blame_why why, double mass, uint32_t via) {
	struct blame *b = &f->out[node];
	b->by[why] += mass;
	if (via == RCA_NONE || mass <= b->via_share) return;
	b->via = via;
	b->via_share = mass;
}

static void flow_time(struct flow *f, uint32_t node, double mass, uint32_t via, int depth);
static void flow_failures(struct flow *f, uint32_t node, double mass, uint32_t via, int depth);

/* Whether the way of a call is as bad on most of the caller's other calls: then it is the caller's side. */
static bool callers_side(const struct flow *f, const struct rca_edge *e, bool failures) {
	double alike = 0, others = 0;
	for (uint32_t k = f->first[e->from]; k < f->first[e->from + 1]; k++) {
		const struct rca_edge *x = &f->in->edges[f->order[k]];
		if (x->to == e->to || x->calls < 5 || f->in->nodes[x->to].kind != RCA_SERVICE) continue;
		bool same = failures ? excess(x->failed) * x->failed_unanswered > EXCESS_BAD
		                     : longer(x->gap_seconds) > 0.5 * longer(e->gap_seconds);
		others++;
		alike += same;
	}
	return others >= 2 && alike > 0.6 * others;
}

/* What lies behind a slow call: the callee's own time, or the way there. */
static void call_time(struct flow *f, const struct rca_edge *e, double mass, int depth) {
	double more = excess(e->seconds), between = longer(e->gap_seconds);
	double way = more > EXCESS_S && e->joined > 0.2 ? fmin(between / more, 1) : 0;
	if (f->in->nodes[e->to].kind != RCA_SERVICE) way = 0; /* nobody answers there: it is all one */
	if (way < 0.25) way = 0;
	if (way > 0 && callers_side(f, e, false))
		keep(f, e->from, BLAME_TIME, mass * way, RCA_NONE);
	else if (way > 0)
		keep(f, e->to, BLAME_BETWEEN, mass * way, e->from);
	flow_time(f, e->to, mass * (1 - way), e->from, depth + 1);
}

/* Most of its calls fail and are made again: several times as many as its own requests account for. */
static bool repeated(const struct rca_edge *e) {
	double calls = e->asked.now / fmax(e->asked.usual, 1), asked = e->caller_asked.now / fmax(e->caller_asked.usual, 1);
	return e->asked.now >= REPEATED_MIN && calls > REPEATED * fmax(asked, 1) && e->failed.now > REPEATED_BAD;
}

/* Time of its own, which may be what lies between one attempt and the next: that is whose answer does not come. */
static void own_time(struct flow *f, uint32_t node, double mass, uint32_t via, int depth) {
	const struct rca_edge *most = NULL;
	for (uint32_t k = f->first[node]; k < f->first[node + 1]; k++) {
		const struct rca_edge *e = &f->in->edges[f->order[k]];
		if (repeated(e) && (!most || e->asked.now > most->asked.now)) most = e;
	}
	if (most)
		flow_time(f, most->to, mass, node, depth + 1);
	else
		keep(f, node, BLAME_TIME, mass, via);
}

static void flow_time(struct flow *f, uint32_t node, double mass, uint32_t via, int depth) {
	const struct rca_node *n = &f->in->nodes[node];
	if (mass < MASS_MIN) return;
	double self = n->traced ? excess(n->self_seconds) : 0, sum = self;
	for (uint32_t k = f->first[node]; k < f->first[node + 1]; k++)
		sum += excess(f->in->edges[f->order[k]].wall_seconds);
	bool blind = depth >= DEPTH_MAX || f->visiting[node] || n->kind != RCA_SERVICE;
	if (blind || !(sum > EXCESS_S)) {
		keep(f, node, BLAME_TIME, mass, via);
		if (n->kind == RCA_SERVICE && !(sum > EXCESS_S)) f->out[node].assumed += mass;
		return;
	}
	f->visiting[node] = true;
	if (self > 0) own_time(f, node, mass * self / sum, via, depth);
	for (uint32_t k = f->first[node]; k < f->first[node + 1]; k++) {
		const struct rca_edge *e = &f->in->edges[f->order[k]];
		double share = excess(e->wall_seconds) / sum;
		if (share > 0) call_time(f, e, mass * share, depth);
	}
	f->visiting[node] = false;
}

/* What lies behind a failed call: an answer that had failed, an answer that came too late, none. */
static void call_failures(struct flow *f, const struct rca_edge *e, double mass, int depth) {
	const struct rca_node *to = &f->in->nodes[e->to];
	if (to->kind != RCA_SERVICE) {
		keep(f, e->to, BLAME_FAILURES, mass, e->from);
		return;
	}
	double answered_bad = e->failed_answered_bad, unanswered = e->failed_unanswered;
	if (!e->sure) answered_bad = 1, unanswered = 0; /* nothing is known of the answers yet */
	bool slow = to->traced && to->seconds.now > 1.5 * to->seconds.usual && excess(to->seconds) > 0.05;
	double late = fmax(1 - answered_bad - unanswered, 0);
	if (slow) late += unanswered, unanswered = 0; /* given up before it answered */
	if (answered_bad > 0) flow_failures(f, e->to, mass * answered_bad, e->from, depth + 1);
	if (late > 0 && slow)
		flow_time(f, e->to, mass * late, e->from, depth + 1);
	else if (late > 0)
		keep(f, e->to, BLAME_BETWEEN, mass * late, e->from);
	if (unanswered > 0 && callers_side(f, e, true))
		keep(f, e->from, BLAME_BETWEEN, mass * unanswered, RCA_NONE);
	else if (unanswered > 0)
		keep(f, e->to, BLAME_UNREACHABLE, mass * unanswered, e->from);
	if (!e->sure) f->out[e->to].assumed += mass;
}

static void flow_failures(struct flow *f, uint32_t node, double mass, uint32_t via, int depth) {
	const struct rca_node *n = &f->in->nodes[node];
	if (mass < MASS_MIN) return;
	double own = n->traced ? excess(n->own_bad) : 0, sum = own;
	for (uint32_t k = f->first[node]; k < f->first[node + 1]; k++) sum += excess(f->in->edges[f->order[k]].blamed);
	bool blind = depth >= DEPTH_MAX || f->visiting[node] || n->kind != RCA_SERVICE;
	if (blind || !(sum > EXCESS_BAD)) {
		keep(f, node, BLAME_FAILURES, mass, via);
		if (n->kind == RCA_SERVICE && !(sum > EXCESS_BAD)) f->out[node].assumed += mass;
		return;
	}
	f->visiting[node] = true;
	if (own > 0) keep(f, node, BLAME_FAILURES, mass * own / sum, via);
	for (uint32_t k = f->first[node]; k < f->first[node + 1]; k++) {
		const struct rca_edge *e = &f->in->edges[f->order[k]];
		double share = excess(e->blamed) / sum;
		if (share > 0) call_failures(f, e, mass * share, depth);
	}
	f->visiting[node] = false;
}

/* Without traces: whoever calls someone that is out of band too hands on all it has. */
static bool deeper(const struct flow *f, uint32_t node, uint32_t *to) {
	double best = 0;
	for (uint32_t k = f->first[node]; k < f->first[node + 1]; k++) {
		const struct rca_edge *e = &f->in->edges[f->order[k]];
		const struct rca_node *n = &f->in->nodes[e->to];
		double score = fmax(n->signals[SIGNAL_ERRORS].score, n->signals[SIGNAL_DURATION].score);
		if (f->visiting[e->to] || score < 0.5 || score <= best) continue;
		best = score;
		*to = e->to;
	}
	return best > 0;
}

static void flow_untraced(struct flow *f, uint32_t node, enum blame_why why, double mass) {
	uint32_t at = node, via = RCA_NONE, next = node;
	uint32_t path[DEPTH_MAX];
	int n = 0;
	while (n < DEPTH_MAX && deeper(f, at, &next)) {
		f->visiting[at] = true;
		path[n++] = at;
		via = at;
		at = next;
	}
	while (n > 0) f->visiting[path[--n]] = false;
	keep(f, at, why, mass, via);
	f->out[at].assumed += mass / 2;
}

/* What only its callers see begins on their calls, each as far as it is worse than usual. */
static void from_calls(struct flow *f, uint32_t node, bool failures) {
	double sum = 0;
	for (int turn = 0; turn < 2; turn++) {
		for (uint32_t i = 0; i < f->in->edge_count; i++) {
			const struct rca_edge *e = &f->in->edges[i];
			double worse = e->to == node ? e->calls * excess(failures ? e->failed : e->seconds) : 0;
			if (turn == 0)
				sum += worse;
			else if (worse > 0 && failures)
				call_failures(f, e, worse / sum, 0);
			else if (worse > 0)
				call_time(f, e, worse / sum, 0);
		}
	}
	if (sum > 0) return;
	keep(f, node, failures ? BLAME_FAILURES : BLAME_TIME, 1, RCA_NONE);
	f->out[node].assumed += 1;
}

static void start(struct flow *f, uint32_t node) {
	const struct rca_node *n = &f->in->nodes[node];
	const struct rca_signal *slow = &n->signals[SIGNAL_DURATION], *bad = &n->signals[SIGNAL_ERRORS];
	if (slow->on) {
		if (slow->by_calls && n->kind == RCA_SERVICE)
			from_calls(f, node, false);
		else if (n->traced || n->kind != RCA_SERVICE)
			flow_time(f, node, 1, RCA_NONE, 0);
		else
			flow_untraced(f, node, BLAME_TIME, 1);
	}
	if (bad->on) {
		if (bad->by_calls && n->kind == RCA_SERVICE)
			from_calls(f, node, true);
		else if (n->traced || n->kind != RCA_SERVICE)
			flow_failures(f, node, 1, RCA_NONE, 0);
		else
			flow_untraced(f, node, BLAME_FAILURES, 1);
	}
	/* Pods and memory are the service's own; they open incidents without any request being slow. */
	bool own = n->signals[SIGNAL_READY].on || n->signals[SIGNAL_RESTARTS].on || n->signals[SIGNAL_MEMORY].on;
	if (own && !slow->on && !bad->on) keep(f, node, BLAME_UNREACHABLE, 1, RCA_NONE);
	if (n->signals[SIGNAL_RATE].on && !slow->on && !bad->on && !own) {
		keep(f, node, BLAME_TIME, 0.5, RCA_NONE);
		f->out[node].assumed += 0.4;
	}
}

static enum err order_edges(struct arena *a, struct flow *f) {
	const struct rca_input *in = f->in;
	f->first = arena_array(a, uint32_t, in->node_count + 2);
	f->order = arena_array(a, uint32_t, in->edge_count + 1);
	f->visiting = arena_array(a, bool, in->node_count + 1);
	if (!f->first || !f->order || !f->visiting) return ERR_NOMEM;
	for (uint32_t i = 0; i < in->edge_count; i++) f->first[in->edges[i].from + 2]++;
	for (uint32_t i = 2; i < in->node_count + 2; i++) f->first[i] += f->first[i - 1];
	for (uint32_t i = 0; i < in->edge_count; i++) f->order[f->first[in->edges[i].from + 1]++] = i;
	return OK;
}

enum err blame_flow(struct arena *a, const struct rca_input *in, struct blame *out) {
	struct flow f = { .in = in, .out = out };
	enum err e = order_edges(a, &f);
	if (e) return e;
	for (uint32_t i = 0; i < in->node_count; i++) out[i] = (struct blame){ .via = RCA_NONE };
	for (uint32_t i = 0; i < in->node_count; i++) start(&f, i);
	return OK;
}
