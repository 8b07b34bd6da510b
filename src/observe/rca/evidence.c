#include "observe/rca/evidence.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "observe/rca/kind.h"

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

static int main_metric(const struct rca_node *n, const struct blame *b, enum cause_kind k) {
	if (k == CAUSE_MEMORY) return SIGNAL_MEMORY;
	if (k == CAUSE_CRASH) return n->pods_restarted && !n->pods_down ? SIGNAL_RESTARTS : SIGNAL_READY;
	if (n->signals[SIGNAL_RATE].on && !n->signals[SIGNAL_DURATION].on && !n->signals[SIGNAL_ERRORS].on)
		return SIGNAL_RATE;
	return kind_why(b) == BLAME_FAILURES || kind_why(b) == BLAME_UNREACHABLE ? SIGNAL_ERRORS : SIGNAL_DURATION;
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
	if (kind_cpu_busy(n))
		say(a, c, "CPU at %.0f %% of its limit since the onset, usually %.0f %%", 100 * fmin(n->cpu.now, 1),
		    100 * n->cpu.usual);
	else if (n->cpu_high)
		say(a, c, "CPU at %.0f %% of its limit", 100 * n->cpu_share);
	else if (n->signals[SIGNAL_CPU].on)
		say_cpu(a, &n->signals[SIGNAL_CPU], c);
}

static void say_hints(struct arena *a, const struct rca_node *n, struct rca_cause *c) {
	static const char *const hints[HINTS] = { "memory", "refused connections", "time-outs", "a full disk",
		                                      "a want of free connections" };
	const char *whose = n->kind == RCA_SERVICE ? "its errors" : "errors of those who ask it";
	for (int h = 0; h < HINTS; h++)
		if (kind_hinted(n, (enum hint)h)) say(a, c, "%s speak of %s", whose, hints[h]);
}

/* Whether there is room for what is asked. */
static void say_load(struct arena *a, const struct rca_node *n, struct rca_cause *c) {
	if (kind_turned_away(n))
		say(a, c, "%.0f of %.0f failed requests were turned away for want of room", fmin(n->refused, n->failed),
		    n->failed);
	if (!kind_overrun(n)) return;
	bool retried = n->callers_asked.usual > 0 && !kind_demand_grown(n);
	say(a, c, "asked %.1f times as often as just before (%.0f calls)%s", n->asked.now / fmax(n->asked.usual, 1),
	    n->asked.now, retried ? "; what its callers are asked for did not grow: they ask again" : "");
}

static void say_change(struct arena *a, const struct rca_input *in, const struct rca_node *n, struct rca_cause *c) {
	const struct rca_change *x = kind_change(in, n);
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
	struct kind k = kind_of(in, n, b);
	c->kind = k.is;
	c->kind_proved = k.proved;
	c->kind_awaits = k.awaiting;
	c->demand_grown = kind_demand_grown(n);
	c->metric = main_metric(n, b, c->kind);
	c->onset_ns = onset_of(in, n);
	say_change(a, in, n, c);
	say_part(a, n, c);
	say_resources(a, n, c);
	say_hints(a, n, c);
	say_load(a, n, c);
	say_own(a, n, b, c);
	for (uint32_t i = 0; i < in->edge_count && c->evidence_count < RCA_EVIDENCE; i++)
		if (in->edges[i].to == c->node && in->edges[i].calls >= 1) say_edge(a, in, &in->edges[i], c);
	if (!c->evidence_count) say(a, c, "%.0f %% of the blame ends here along the calls", 100 * c->confidence);
}
