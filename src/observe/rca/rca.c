#include "observe/rca/rca.h"

#include <math.h>
#include <stdlib.h>

#include "observe/rca/blame.h"
#include "observe/rca/evidence.h"

#define CONFIDENCE_MAX 0.97

/* What happened there makes it likelier, by factors that stand for odds, not for sums. */
static double raised(const struct rca_node *n, const struct blame *b) {
	double mass = blame_sum(b);
	if (n->pods_down || n->pods_restarted || n->crash_loop) mass *= 1.5;
	if (n->oom || n->signals[SIGNAL_MEMORY].on) mass *= 1.3;
	if (n->signals[SIGNAL_CPU].on || n->cpu_high) mass *= 1.15;
	if (n->change != RCA_NONE) mass *= 1.25;
	return mass;
}

struct ranked {
	uint32_t node;
	double mass;
};

static int by_mass(const void *x, const void *y) {
	const struct ranked *a = x, *b = y;
	if (a->mass != b->mass) return a->mass > b->mass ? -1 : 1;
	return a->node < b->node ? -1 : 1;
}

/* How much of what should be known of it is known. */
static double completeness(const struct rca_node *n, const struct blame *b) {
	double sum = blame_sum(b), all = 1;
	if (sum > 0) all -= 0.45 * fmin(b->assumed / sum, 1);
	if (!n->current && n->kind == RCA_SERVICE && !n->pods_down) all -= 0.15;
	return all;
}

static struct rca_cause cause_of(struct arena *a, const struct rca_input *in, const struct blame *b, struct ranked r,
                                 double sum) {
	const struct rca_node *n = &in->nodes[r.node];
	struct rca_cause c = { .node = r.node, .change = RCA_NONE, .via = b->via };
	c.confidence = fmin(r.mass / sum * completeness(n, b), CONFIDENCE_MAX);
	evidence_write(a, in, b, &c);
	return c;
}

static struct str why_none(struct arena *a, const struct rca_input *in, const struct rca_report *r) {
	if (!r->count) return str_printf(a, "not enough data: no call or time of its own explains what is out of band");
	const struct rca_cause *top = &r->causes[0];
	struct str first = in->nodes[top->node].subject;
	if (top->kind == CAUSE_UNKNOWN)
		return str_printf(a, "not enough data: fewer requests reach " STR_FMT ", and nothing of its own tells why",
		                  STR_ARG(first));
	if (r->count > 1 && top->confidence >= RCA_CONFIDENCE_MIN)
		return str_printf(a, "not enough data: " STR_FMT " (%.0f %%) and " STR_FMT " (%.0f %%) are too close",
		                  STR_ARG(first), 100 * top->confidence, STR_ARG(in->nodes[r->causes[1].node].subject),
		                  100 * r->causes[1].confidence);
	return str_printf(a, "not enough data: " STR_FMT " is the likeliest, but only at %.0f %%", STR_ARG(first),
	                  100 * top->confidence);
}

enum err rca_run(struct arena *a, const struct rca_input *in, struct rca_report *out) {
	struct blame *blames = arena_array(a, struct blame, in->node_count + 1);
	struct ranked *ranks = arena_array(a, struct ranked, in->node_count + 1);
	*out = (struct rca_report){ .none = true };
	if (!blames || !ranks) return ERR_NOMEM;
	enum err e = blame_flow(a, in, blames);
	if (e) return e;

	double sum = 0;
	for (uint32_t i = 0; i < in->node_count; i++) {
		ranks[i] = (struct ranked){ i, raised(&in->nodes[i], &blames[i]) };
		sum += ranks[i].mass;
	}
	qsort(ranks, in->node_count, sizeof *ranks, by_mass);
	for (uint32_t i = 0; i < in->node_count && out->count < RCA_CAUSES && ranks[i].mass > 0.02 * sum; i++)
		out->causes[out->count++] = cause_of(a, in, &blames[ranks[i].node], ranks[i], sum);
	if (out->count) out->completeness = completeness(&in->nodes[ranks[0].node], &blames[ranks[0].node]);

	double first = out->count ? out->causes[0].confidence : 0, second = out->count > 1 ? out->causes[1].confidence : 0;
	bool unknown = out->count && out->causes[0].kind == CAUSE_UNKNOWN;
	out->none = first < RCA_CONFIDENCE_MIN || first - second < RCA_MARGIN_MIN || unknown;
	if (out->none) out->reason = why_none(a, in, out);
	return OK;
}
