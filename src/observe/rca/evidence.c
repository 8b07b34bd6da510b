#include "observe/rca/evidence.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "stream/catalog.h"

#define CHANGE_BEFORE_NS (900 * NS_PER_SEC) /* a rollout so long before the onset may be it */
#define CPU_BUSY         0.6                /* of the limit: where queues begin to form */
#define CHANGE_AFTER_NS  (15 * NS_PER_SEC)  /* clocks and slots err */

PRINTF(3, 4) static void say(struct arena *a, struct rca_cause *c, const char *fmt, ...) {
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n <= 0 || c->evidence_count >= RCA_EVIDENCE) return;
	size_t used = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
	struct str s = str_copy(a, (struct str){ text, used });
	if (s.n) c->evidence[c->evidence_count++] = s;
}

/* ---- the kind ---- */

static const struct rca_change *change_of(const struct rca_input *in, const struct rca_node *n) {
	if (n->change == RCA_NONE) return NULL;
	const struct rca_change *x = &in->changes[n->change];
	int64_t before_ns = in->onset_ns - x->at_ns;
	return before_ns <= CHANGE_BEFORE_NS && before_ns >= -CHANGE_AFTER_NS ? x : NULL;
}

static enum blame_why main_why(const struct blame *b) {
	int best = 0;
	for (int w = 1; w < BLAME_WHYS; w++)
		if (b->by[w] > b->by[best]) best = w;
	return (enum blame_why)best;
}

static bool hinted(const struct rca_node *n, enum hint h) {
	return n->hints >> h & 1;
}

static enum cause_kind service_kind(const struct rca_input *in, const struct rca_node *n, const struct blame *b) {
	bool out_of_memory = n->oom || n->signals[SIGNAL_MEMORY].on || n->memory_high;
	if (change_of(in, n)) return CAUSE_DEPLOYMENT;
	if (out_of_memory) return CAUSE_MEMORY;
	if (n->pods_down || n->pods_restarted || n->crash_loop) return CAUSE_CRASH;
	if (hinted(n, HINT_DISK)) return CAUSE_DISK;
	bool busy = n->signals[SIGNAL_CPU].on && n->cpu_share > CPU_BUSY && main_why(b) == BLAME_TIME;
	if (n->cpu_high || busy || hinted(n, HINT_POOL)) return CAUSE_SATURATION;
	switch (main_why(b)) {
	case BLAME_TIME:
		return n->signals[SIGNAL_RATE].on && !n->signals[SIGNAL_DURATION].on ? CAUSE_UNKNOWN : CAUSE_LATENCY;
	case BLAME_FAILURES: return CAUSE_ERRORS;
	case BLAME_BETWEEN: return CAUSE_NETWORK;
	default: return CAUSE_CRASH;
	}
}

static int main_metric(const struct rca_node *n, const struct blame *b, enum cause_kind k) {
	if (k == CAUSE_MEMORY) return SIGNAL_MEMORY;
	if (k == CAUSE_CRASH) return n->pods_restarted && !n->pods_down ? SIGNAL_RESTARTS : SIGNAL_READY;
	if (n->signals[SIGNAL_RATE].on && !n->signals[SIGNAL_DURATION].on && !n->signals[SIGNAL_ERRORS].on)
		return SIGNAL_RATE;
	return main_why(b) == BLAME_FAILURES || main_why(b) == BLAME_UNREACHABLE ? SIGNAL_ERRORS : SIGNAL_DURATION;
}

/* ---- the sentences ---- */

static void say_part(struct arena *a, const struct rca_node *n, struct rca_cause *c) {
	if (n->pods_down) {
		say(a, c,
		    "%u of %u pods not ready"
		    "%s" STR_FMT "%s",
		    n->pods_down, n->parts > n->pods_down ? n->parts : n->pods_down, n->reason.n ? " (" : "",
		    STR_ARG(n->reason), n->reason.n ? ")" : "");
		c->one_part = n->pods_down == 1 && n->parts > 1;
		c->part_uid = n->pod_down_uid;
	} else if (n->pods_restarted) {
		say(a, c, "%u pods restarted%s" STR_FMT "%s", n->pods_restarted, n->reason.n ? " (" : "", STR_ARG(n->reason),
		    n->reason.n ? ")" : "");
	}
	if (n->worst.sick && !c->one_part) {
		c->one_part = true;
		c->part_uid = n->worst.uid;
		say(a, c,
		    "one of %u copies (" STR_FMT ") has %.0f of the failed and %.0f of the slow requests; the others are well",
		    n->parts, STR_ARG(n->worst.name.n ? n->worst.name : n->worst.uid), n->worst.bad, n->worst.slow);
	}
}

static void say_own(struct arena *a, const struct rca_node *n, const struct blame *b, struct rca_cause *c) {
	if (!n->traced) return;
	if (b->by[BLAME_TIME] > 0 && n->self_seconds.usual > 0 && n->self_seconds.now > n->self_seconds.usual)
		say(a, c, "its own time per request, without calls: %.1f ms, usually %.1f ms (%.0f requests)",
		    1e3 * n->self_seconds.now, 1e3 * n->self_seconds.usual, n->requests);
	if (b->by[BLAME_FAILURES] > 0 && n->own_bad.now > n->own_bad.usual)
		say(a, c, "%.1f %% of its requests fail on its own account, usually %.2f %%", 100 * n->own_bad.now,
		    100 * n->own_bad.usual);
}

static void say_edge(struct arena *a, const struct rca_input *in, const struct rca_edge *e, struct rca_cause *c) {
	struct str from = in->nodes[e->from].subject, to = in->nodes[e->to].subject;
	if (e->seconds.usual > 0 && e->seconds.now > 1.2 * e->seconds.usual) /* 0: not known yet */
		say(a, c, "calls from " STR_FMT " to " STR_FMT " take %.1f ms, usually %.1f ms (%.0f calls)", STR_ARG(from),
		    STR_ARG(to), 1e3 * e->seconds.now, 1e3 * e->seconds.usual, e->calls);
	if (e->failed.now > e->failed.usual + 0.005) {
		char unanswered[48] = "";
		if (e->failed_unanswered >= 0.005)
			snprintf(unanswered, sizeof unanswered, "; %.0f %% of those got no answer", 100 * e->failed_unanswered);
		say(a, c, "%.1f %% of the calls from " STR_FMT " to " STR_FMT " fail, usually %.2f %%%s", 100 * e->failed.now,
		    STR_ARG(from), STR_ARG(to), 100 * e->failed.usual, unanswered);
	}
	if (e->gap_seconds.now > 1.5 * e->gap_seconds.usual + 0.001)
		say(a, c, "%.1f ms of them lie between " STR_FMT " and " STR_FMT ", usually %.1f ms", 1e3 * e->gap_seconds.now,
		    STR_ARG(from), STR_ARG(to), 1e3 * e->gap_seconds.usual);
}

/* What is usual may not be known yet. */
static void say_cpu(struct arena *a, const struct rca_signal *cpu, struct rca_cause *c) {
	char value[SIGNAL_TEXT_MAX], usual[SIGNAL_TEXT_MAX];
	bool known = isfinite(cpu->expected);
	signal_value_text(SIGNAL_CPU, cpu->value, value);
	signal_value_text(SIGNAL_CPU, cpu->expected, usual);
	say(a, c, "CPU at %s%s%s", value, known ? ", usually " : "", known ? usual : "");
}

static void say_resources(struct arena *a, const struct rca_node *n, struct rca_cause *c) {
	if (n->oom) say(a, c, "a container was killed for its memory");
	if (n->signals[SIGNAL_MEMORY].on || n->memory_high) {
		if (isfinite(n->runs_out_s))
			say(a, c, "memory at %.0f %% of its limit and growing: it runs out in %.0f min", 100 * n->memory_share,
			    n->runs_out_s / 60);
		else
			say(a, c, "memory at %.0f %% of its limit", 100 * n->memory_share);
	}
	if (n->cpu_high)
		say(a, c, "CPU at %.0f %% of its limit", 100 * n->cpu_share);
	else if (n->signals[SIGNAL_CPU].on)
		say_cpu(a, &n->signals[SIGNAL_CPU], c);
	static const char *const hints[HINTS] = { "memory", "refused connections", "time-outs", "a full disk",
		                                      "an exhausted pool" };
	for (int h = 0; h < HINTS; h++)
		if (hinted(n, (enum hint)h)) say(a, c, "its error lines speak of %s", hints[h]);
}

static void say_change(struct arena *a, const struct rca_input *in, const struct rca_node *n, struct rca_cause *c) {
	const struct rca_change *x = change_of(in, n);
	if (!x) return;
	c->change = n->change;
	double seconds = (double)(in->onset_ns - x->at_ns) / 1e9;
	say(a, c, STR_FMT " %.0f s %s the onset", STR_ARG(x->what), fabs(seconds), seconds >= 0 ? "before" : "after");
}

/* Of what its requests show; else of its pods and memory; else the incident's. */
static int64_t onset_of(const struct rca_input *in, const struct rca_node *n) {
	static const enum signal_kind groups[2][3] = { { SIGNAL_ERRORS, SIGNAL_DURATION, SIGNAL_RATE },
		                                           { SIGNAL_READY, SIGNAL_RESTARTS, SIGNAL_MEMORY } };
	for (int g = 0; g < 2; g++) {
		int64_t onset_ns = 0;
		for (int k = 0; k < 3; k++) {
			const struct rca_signal *x = &n->signals[groups[g][k]];
			if (x->onset_ns && x->on && (!onset_ns || x->onset_ns < onset_ns)) onset_ns = x->onset_ns;
		}
		if (onset_ns) return onset_ns;
	}
	return in->onset_ns;
}

void evidence_write(struct arena *a, const struct rca_input *in, const struct blame *b, struct rca_cause *c) {
	const struct rca_node *n = &in->nodes[c->node];
	c->kind = n->kind == RCA_SERVICE ? service_kind(in, n, b) : CAUSE_DEPENDENCY;
	c->metric = main_metric(n, b, c->kind);
	c->onset_ns = onset_of(in, n);
	say_change(a, in, n, c);
	say_part(a, n, c);
	say_resources(a, n, c);
	say_own(a, n, b, c);
	for (uint32_t i = 0; i < in->edge_count && c->evidence_count < RCA_EVIDENCE; i++)
		if (in->edges[i].to == c->node && in->edges[i].calls >= 1) say_edge(a, in, &in->edges[i], c);
	if (!c->evidence_count) say(a, c, "%.0f %% of the blame ends here along the calls", 100 * c->confidence);
}
