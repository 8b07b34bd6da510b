/* What was told of somebody since the onset that says of which kind the trouble is: CPU, refusals, words of errors,
 * how often it was asked. */
#include <math.h>

#include "observe/observer_in.h"

#define CPU_OLD_NS   (180 * NS_PER_SEC) /* who has not told for so long does not tell */
#define CPU_MORE     0.05               /* of the limit, in the sample as it came: less may be chance */
#define OVERLAP_NS   (NS_PER_SEC / 2)   /* of a sample with the time since the onset, to say anything */
#define HEARD_NS     (4 * NS_PER_SEC)   /* of it after the onset, which may be dated early, to have been heard */
#define LINES_NS     NS_PER_SEC         /* likewise of lines */
#define CPU_MOST     1.2
#define HINT_BACK_NS (5 * NS_PER_SEC)
#define BEFORE_SLOTS 24 /* against which «asked more often» is seen ... */
#define APART_SLOTS  2  /* ... so long before the onset, which may be dated late */
#define LINES_OLD_NS (1800 * NS_PER_SEC)

/* ---- CPU ---- */

/* CPU of one copy over a while, in shares of its limit. */
struct sample {
	int64_t from_ns, to_ns;
	double share, usual; /* usual NaN: not known yet */
};

/* A mean of a time that began before the onset holds only a part of what came after; NaN: it says nothing. */
static double since_onset(const struct sample *s, int64_t onset_ns) {
	int64_t from_ns = s->from_ns > onset_ns ? s->from_ns : onset_ns;
	if (s->to_ns - from_ns < OVERLAP_NS || !(s->to_ns > s->from_ns)) return NAN;
	double part = (double)(s->to_ns - from_ns) / (double)(s->to_ns - s->from_ns);
	if (!(s->share - s->usual >= CPU_MORE)) return s->share;
	return fmin(s->usual + (s->share - s->usual) / part, CPU_MOST);
}

static bool by_agent(const struct observer *ob, const struct instance *i, struct sample *out) {
	const struct gauge *g = &i->gauges[GAUGE_CPU];
	const struct instance_watch *iw = instance_watch_get(ob, i);
	if (!g->before_ns || !(g->limit > 0) || !iw || !iw->cpu_used) return false;
	struct evidence_opts o = watch_opts(ob);
	double usual = level_judge(&iw->cpu, &o).expected;
	*out = (struct sample){ g->before_ns, g->at_ns, g->value / g->limit, usual / g->limit };
	return true;
}

static bool by_itself(const struct instance *i, struct sample *out) {
	const struct burn *b = &i->burn;
	if (!b->to_ns || !(b->usual > 0) || !(i->cores_limit > 0)) return false;
	*out = (struct sample){ b->from_ns, b->to_ns, b->cores / i->cores_limit, b->usual / i->cores_limit };
	return true;
}

static void cpu_take(struct rca_node *n, const struct sample *s, int64_t onset_ns) {
	double now = since_onset(s, onset_ns);
	if (!isfinite(now) || now <= n->cpu.now) return;
	n->cpu = (struct rca_pair){ .usual = s->usual, .now = now };
}

/* Of copies that were there when it began: what a new one burns is its start. */
static void told_cpu(const struct observer *ob, struct rca_node *n, const struct entity *e, int64_t onset_ns) {
	n->cpu = (struct rca_pair){ NAN, NAN };
	for (uint32_t k = e->first_instance; k != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, k);
		struct sample s;
		k = i->next;
		if (i->gone || i->first_ns > onset_ns) continue;
		int64_t heard_ns = 0;
		if (by_agent(ob, i, &s)) cpu_take(n, &s, onset_ns), heard_ns = s.to_ns;
		if (by_itself(i, &s)) {
			cpu_take(n, &s, onset_ns);
			if (s.to_ns > heard_ns) heard_ns = s.to_ns;
		}
		bool tells = heard_ns && ob->now_ns - heard_ns < CPU_OLD_NS;
		n->cpu_due = n->cpu_due || (tells && heard_ns < onset_ns + HEARD_NS);
	}
}

/* ---- errors ---- */

static unsigned hints_since(const struct entity *e, int64_t since_ns) {
	unsigned hints = 0;
	for (int h = 0; h < HINTS; h++)
		if (e->hint_ns[h] >= since_ns) hints |= 1u << h;
	return hints;
}

/* What a database's disk does to those who write is in their lines: they say what it answered. */
static unsigned hints_of_callers(const struct observer *ob, const struct entity *e, int64_t since_ns) {
	const struct catalog *c = &ob->stream->catalog;
	unsigned hints = 0;
	for (uint32_t k = 0; k < c->edges.count; k++) {
		const struct edge *g = catalog_edge(c, k);
		if (g && g->to == e->index && g->from != e->index) hints |= hints_since(catalog_entity(c, g->from), since_ns);
	}
	return hints & 1u << HINT_DISK;
}

static void told_errors(const struct observer *ob, struct rca_node *n, const struct entity *e, int64_t onset_ns,
                        int64_t first, int64_t last) {
	n->hints = hints_since(e, onset_ns - HINT_BACK_NS);
	if (e->kind != ENTITY_SERVICE) n->hints |= hints_of_callers(ob, e, onset_ns - HINT_BACK_NS);
	enum via v = watch_via(ob, e);
	if (v == VIAS) return;
	struct slot s = channel_sum(e->red[v], first, last);
	n->failed = (double)s.bad, n->refused = (double)s.refused;
	int64_t told_ns = (e->line_newest + 1) * stream_slot_ns(ob->stream);
	n->lines_due = told_ns < onset_ns + LINES_NS && ob->now_ns - told_ns < LINES_OLD_NS;
}

/* ---- how often it is asked ---- */

/* Slots before the onset, and since: as far as anybody has told. */
struct spell {
	int64_t before, first, last;
};

static double usually(double before, const struct spell *s) {
	return before / (BEFORE_SLOTS - APART_SLOTS) * (double)(s->last - s->first + 1);
}

static void asked_add(const struct observer *ob, struct rca_node *n, const struct edge *g, const struct spell *s) {
	const struct entity *from = catalog_entity(&ob->stream->catalog, g->from);
	n->asked.usual += usually((double)edge_sum(g, s->before, s->first - APART_SLOTS - 1).calls, s);
	n->asked.now += (double)edge_sum(g, s->first, s->last).calls;
	const struct channel *c = from->red[VIA_SPANS];
	if (!c) return;
	n->callers_asked.usual += usually((double)channel_sum(c, s->before, s->first - APART_SLOTS - 1).seen, s);
	n->callers_asked.now += (double)channel_sum(c, s->first, s->last).seen;
}

static void told_asked(const struct observer *ob, struct rca_node *n, const struct entity *e, int64_t first) {
	const struct catalog *c = &ob->stream->catalog;
	struct spell s = { first - BEFORE_SLOTS, first, 0 };
	for (uint32_t k = 0; k < c->edges.count; k++) {
		const struct edge *g = catalog_edge(c, k);
		if (g && g->to == e->index && g->newest > s.last) s.last = g->newest;
	}
	if (s.last <= s.first || s.last - s.before >= SLOTS) return; /* too soon to say, or too late */
	for (uint32_t k = 0; k < c->edges.count; k++) {
		const struct edge *g = catalog_edge(c, k);
		if (g && g->to == e->index && g->from != e->index) asked_add(ob, n, g, &s);
	}
}

void cause_told(const struct observer *ob, struct rca_node *n, const struct entity *e, int64_t onset_ns, int64_t first,
                int64_t last) {
	told_cpu(ob, n, e, onset_ns);
	told_errors(ob, n, e, onset_ns, first, last);
	told_asked(ob, n, e, first);
}
