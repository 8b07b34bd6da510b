#include "observe/rca/rca.h"

#include <math.h>
#include <string.h>

#include "base/test.h"
#include "stream/catalog.h"

#define NODES 24
#define T0    (INT64_C(1767600000) * NS_PER_SEC)

/* A system without circles: node i calls only later ones. Times and failures follow from each node's own. */
struct system {
	struct rca_node nodes[NODES];
	struct rca_edge edges[NODES * 4];
	struct rca_change changes[2];
	double self[NODES], own[NODES], gap[NODES * 4], calls[NODES * 4], reach[NODES * 4];
	char names[NODES][24];
	uint32_t n, edge_count, change_count;
};

static void edge_add(struct system *s, struct rng *rng, uint32_t from, uint32_t to) {
	uint32_t k = s->edge_count++;
	s->edges[k] = (struct rca_edge){ .from = from, .to = to };
	s->calls[k] = 0.4 + rng_unit(rng);
	s->gap[k] = 0.0005 + 0.001 * rng_unit(rng);
	s->reach[k] = 1;
}

static void system_draw(struct system *s, struct rng *rng) {
	memset(s, 0, sizeof *s);
	s->n = 4 + (uint32_t)rng_below(rng, NODES - 4);
	for (uint32_t i = 0; i < s->n; i++) {
		bool leaf = i + 3 >= s->n;
		s->self[i] = 0.002 + 0.02 * rng_unit(rng);
		s->own[i] = 0.0005 * rng_unit(rng);
		s->nodes[i].kind = leaf && rng_below(rng, 2) ? RCA_DATABASE : RCA_SERVICE;
		snprintf(s->names[i], sizeof s->names[i], "%s/n%u", s->nodes[i].kind == RCA_SERVICE ? "service" : "database",
		         i);
		s->nodes[i].subject = str_of(s->names[i]);
		s->nodes[i].change = RCA_NONE;
		s->nodes[i].parts = 3;
		s->nodes[i].memory_share = s->nodes[i].cpu_share = s->nodes[i].runs_out_s = NAN;
	}
	for (uint32_t i = 0; i + 1 < s->n; i++) {
		if (s->nodes[i].kind != RCA_SERVICE) continue;
		int64_t fan = 1 + rng_below(rng, 3);
		for (int64_t f = 0; f < fan; f++) {
			uint32_t to = i + 1 + (uint32_t)rng_below(rng, s->n - i - 1);
			bool there = false;
			for (uint32_t k = 0; k < s->edge_count; k++)
				there = there || (s->edges[k].from == i && s->edges[k].to == to);
			if (!there) edge_add(s, rng, i, to);
		}
	}
}

/* What would be measured: total time, failures and their shares, into `usual` or `now`. */
static void measure(struct system *s, bool now) {
	double total[NODES], bad[NODES];
#define PUT(pair, x) (now ? ((pair).now = (x)) : ((pair).usual = (x)))
	for (uint32_t i = s->n; i-- > 0;) {
		struct rca_node *n = &s->nodes[i];
		double t = s->self[i], ok = 1 - s->own[i];
		for (uint32_t k = 0; k < s->edge_count; k++) {
			struct rca_edge *e = &s->edges[k];
			if (e->from != i) continue;
			double failed = 1 - (1 - bad[e->to]) * s->reach[k], wall = s->calls[k] * (total[e->to] + s->gap[k]);
			PUT(e->seconds, total[e->to] + s->gap[k]);
			PUT(e->gap_seconds, s->gap[k]);
			PUT(e->wall_seconds, wall);
			PUT(e->failed, failed);
			PUT(e->blamed, fmin(s->calls[k], 1) * failed);
			t += wall;
			ok *= 1 - fmin(s->calls[k], 1) * failed;
			e->calls = 200;
			e->heard = e->joined = 1;
			e->sure = true;
			e->failed_answered_bad = failed > 0 ? bad[e->to] / failed : 0;
			e->failed_unanswered = failed > 0 ? fmax(1 - e->failed_answered_bad, 0) : 0;
			if (s->nodes[e->to].kind != RCA_SERVICE)
				e->failed_answered_bad = 0, e->failed_unanswered = 1, e->joined = 0;
		}
		total[i] = t;
		bad[i] = 1 - ok;
		PUT(n->seconds, t);
		PUT(n->self_seconds, s->self[i]);
		PUT(n->bad, bad[i]);
		PUT(n->own_bad, s->own[i]);
		n->traced = n->kind == RCA_SERVICE;
		n->current = true;
		n->requests = 300;
	}
}

/* Whoever is a third slower and 2 ms, or fails two points more, is out of band. */
static int symptoms(struct system *s) {
	int on = 0;
	for (uint32_t i = 0; i < s->n; i++) {
		struct rca_node *n = &s->nodes[i];
		bool slow = n->seconds.now > 1.33 * n->seconds.usual && n->seconds.now - n->seconds.usual > 0.002;
		bool bad = n->bad.now > n->bad.usual + 0.02;
		n->signals[SIGNAL_DURATION] = (struct rca_signal){ .on = slow, .score = slow ? 2 : 0, .onset_ns = T0 };
		n->signals[SIGNAL_ERRORS] = (struct rca_signal){ .on = bad, .score = bad ? 2 : 0, .onset_ns = T0 };
		on += slow + bad;
	}
	return on;
}

static struct rca_report run(struct system *s, const struct t *t) {
	struct rca_report r;
	struct rca_input in = { s->nodes, s->n, s->edges, s->edge_count, s->changes, s->change_count, T0 };
	EXPECT_OK(rca_run(t->arena, &in, &r));
	return r;
}

/* In any system, the node whose own time grew is named, whoever else hurts; callers that only wait are
 * never named before it. */
TEST(whose_own_time_grew_is_named, .seeds = 500) {
	struct system s;
	system_draw(&s, &t->rng);
	measure(&s, false);
	uint32_t culprit = (uint32_t)rng_below(&t->rng, s.n);
	s.self[culprit] *= 5 + 10 * rng_unit(&t->rng);
	for (uint32_t i = 0; i < s.n; i++) s.self[i] *= 1 + 0.03 * rng_normal(&t->rng); /* nobody is quite as usual */
	measure(&s, true);
	if (!symptoms(&s)) return;
	struct rca_report r = run(&s, t);
	EXPECT(r.count > 0 && r.causes[0].node == culprit);
	EXPECT(!r.none && r.causes[0].confidence > 0.6);
	EXPECT(r.causes[0].kind == (s.nodes[culprit].kind == RCA_SERVICE ? CAUSE_LATENCY : CAUSE_DEPENDENCY));
	EXPECT(r.causes[0].evidence_count > 0);
}

TEST(where_failures_begin_is_named, .seeds = 500) {
	struct system s;
	system_draw(&s, &t->rng);
	measure(&s, false);
	uint32_t culprit = (uint32_t)rng_below(&t->rng, s.n);
	s.own[culprit] = 0.05 + 0.4 * rng_unit(&t->rng);
	measure(&s, true);
	if (!symptoms(&s)) return;
	struct rca_report r = run(&s, t);
	EXPECT(r.count > 0 && r.causes[0].node == culprit && !r.none);
	EXPECT(r.causes[0].kind == (s.nodes[culprit].kind == RCA_SERVICE ? CAUSE_ERRORS : CAUSE_DEPENDENCY));
}

/* Nobody answers at one service although it is well itself: it is named, as a crash. */
TEST(who_does_not_answer_is_named, .seeds = 300) {
	struct system s;
	system_draw(&s, &t->rng);
	measure(&s, false);
	uint32_t k = (uint32_t)rng_below(&t->rng, s.edge_count), to = s.edges[k].to;
	if (s.nodes[to].kind != RCA_SERVICE) return;
	for (uint32_t i = 0; i < s.edge_count; i++)
		if (s.edges[i].to == to) s.reach[i] = 0.7;
	measure(&s, true);
	if (!symptoms(&s)) return;
	struct rca_report r = run(&s, t);
	EXPECT(r.count > 0 && r.causes[0].node == to && r.causes[0].kind == CAUSE_CRASH);
}

/* Time that neither side spent lies between them: the network, at the callee. */
TEST(a_slow_way_is_the_network, .seeds = 300) {
	struct system s;
	system_draw(&s, &t->rng);
	measure(&s, false);
	uint32_t k = (uint32_t)rng_below(&t->rng, s.edge_count), to = s.edges[k].to;
	if (s.nodes[to].kind != RCA_SERVICE) return;
	for (uint32_t i = 0; i < s.edge_count; i++)
		if (s.edges[i].to == to) s.gap[i] = 0.2;
	measure(&s, true);
	if (!symptoms(&s)) return;
	struct rca_report r = run(&s, t);
	EXPECT(r.count > 0 && r.causes[0].node == to && r.causes[0].kind == CAUSE_NETWORK);
}

static struct system two_in_a_row(const struct t *t, struct rng *rng) {
	struct system s;
	do system_draw(&s, rng);
	while (s.nodes[1].kind != RCA_SERVICE || s.nodes[0].kind != RCA_SERVICE);
	(void)t;
	measure(&s, false);
	return s;
}

TEST(a_rollout_just_before_makes_it_a_deployment) {
	struct system s = two_in_a_row(t, &t->rng);
	s.own[1] = 0.4;
	measure(&s, true);
	symptoms(&s);
	s.changes[s.change_count++] =
		(struct rca_change){ .node = 1, .at_ns = T0 - 60 * NS_PER_SEC, .what = STR("rollout") };
	s.nodes[1].change = 0;
	struct rca_report r = run(&s, t);
	EXPECT(r.causes[0].node == 1 && r.causes[0].kind == CAUSE_DEPLOYMENT && r.causes[0].change == 0);
	s.changes[0].at_ns = T0 - 3600 * NS_PER_SEC; /* an hour ago is not just before */
	r = run(&s, t);
	EXPECT(r.causes[0].kind == CAUSE_ERRORS && r.causes[0].change == RCA_NONE);
}

TEST(what_happened_to_the_pods_gives_the_kind) {
	struct system s = two_in_a_row(t, &t->rng);
	s.own[1] = 0.4;
	measure(&s, true);
	symptoms(&s);
	s.nodes[1].pods_down = 1;
	s.nodes[1].pod_down_uid = STR("u-2");
	struct rca_report r = run(&s, t);
	EXPECT(r.causes[0].kind == CAUSE_CRASH && r.causes[0].one_part && str_is(r.causes[0].part_uid, "u-2"));
	s.nodes[1].oom = true;
	r = run(&s, t);
	EXPECT(r.causes[0].kind == CAUSE_MEMORY);
	s.nodes[1].oom = false, s.nodes[1].pods_down = 0;
	s.nodes[1].worst = (struct rca_part){ .uid = STR("u-3"), .seen = 100, .bad = 90, .sick = true };
	r = run(&s, t);
	EXPECT(r.causes[0].kind == CAUSE_ERRORS && r.causes[0].one_part && str_is(r.causes[0].part_uid, "u-3"));
	s.nodes[1].hints = 1u << HINT_DISK;
	r = run(&s, t);
	EXPECT(r.causes[0].kind == CAUSE_DISK);
}

/* Before a baseline is ready nothing is usual, and no sentence pretends that something is. */
TEST(what_is_not_known_is_not_told) {
	struct system s = two_in_a_row(t, &t->rng);
	bool told = false;
	s.own[1] = 0.4;
	measure(&s, true);
	symptoms(&s);
	s.nodes[1].signals[SIGNAL_CPU] = (struct rca_signal){ .on = true, .score = 2, .value = 0.97, .expected = NAN };
	struct rca_report r = run(&s, t);
	for (uint32_t i = 0; i < r.count; i++)
		for (uint32_t k = 0; k < r.causes[i].evidence_count; k++) {
			EXPECT(!strstr(str_c(t->arena, r.causes[i].evidence[k]), " nan"));
			told |= str_is(r.causes[i].evidence[k], "CPU at 97 %");
		}
	EXPECT(told);
}

/* Two that are to blame alike, or nothing that explains it: no name. */
TEST(it_abstains_when_it_cannot_tell) {
	struct system s;
	memset(&s, 0, sizeof s);
	s.n = 3;
	for (uint32_t i = 0; i < 3; i++) {
		snprintf(s.names[i], sizeof s.names[i], "service/n%u", i);
		s.nodes[i] = (struct rca_node){
			.subject = str_of(s.names[i]), .change = RCA_NONE, .memory_share = NAN, .cpu_share = NAN, .runs_out_s = NAN
		};
		s.self[i] = 0.01;
	}
	edge_add(&s, &t->rng, 0, 1), edge_add(&s, &t->rng, 0, 2);
	s.calls[0] = s.calls[1] = 1;
	measure(&s, false);
	s.self[1] = s.self[2] = 0.05;
	measure(&s, true);
	symptoms(&s);
	struct rca_report r = run(&s, t);
	EXPECT(r.none && r.reason.n && r.count >= 2);

	for (uint32_t i = 0; i < 3; i++) s.nodes[i].traced = s.nodes[i].current = false;
	s.nodes[1].signals[SIGNAL_DURATION].on = s.nodes[2].signals[SIGNAL_DURATION].on = false;
	memset(s.nodes[1].signals, 0, sizeof s.nodes[1].signals);
	memset(s.nodes[2].signals, 0, sizeof s.nodes[2].signals);
	s.edge_count = 0;
	r = run(&s, t);
	EXPECT(r.count == 1 && r.causes[0].confidence < 0.7); /* itself, for want of a better one, and not surely */
	memset(s.nodes[0].signals, 0, sizeof s.nodes[0].signals);
	r = run(&s, t);
	EXPECT(r.none && r.count == 0 && r.reason.n);
}

/* Without traces the deepest one that is out of band is named, less surely. */
TEST(without_traces_the_deepest_one_out_of_band_is_named) {
	struct system s;
	memset(&s, 0, sizeof s);
	s.n = 4;
	for (uint32_t i = 0; i < 4; i++) {
		snprintf(s.names[i], sizeof s.names[i], "service/n%u", i);
		s.nodes[i] = (struct rca_node){ .subject = str_of(s.names[i]),
			                            .change = RCA_NONE,
			                            .memory_share = NAN,
			                            .cpu_share = NAN,
			                            .runs_out_s = NAN,
			                            .current = true };
		if (i < 3) s.nodes[i].signals[SIGNAL_ERRORS] = (struct rca_signal){ .on = true, .score = 2, .onset_ns = T0 };
		if (i > 0) edge_add(&s, &t->rng, i - 1, i);
	}
	struct rca_report r = run(&s, t);
	EXPECT(!r.none && r.causes[0].node == 2 && r.causes[0].confidence < 0.9);
}

/* Calls in a circle end. */
TEST(circles_end, .seeds = 20) {
	struct system s;
	system_draw(&s, &t->rng);
	measure(&s, false);
	s.self[s.n - 1] *= 8;
	measure(&s, true);
	symptoms(&s);
	edge_add(&s, &t->rng, s.n - 1, 0);
	s.edges[s.edge_count - 1].wall_seconds = (struct rca_pair){ 0.01, 0.2 };
	s.edges[s.edge_count - 1].seconds = (struct rca_pair){ 0.01, 0.2 };
	run(&s, t);
}

/* Calls that come too late are made again and again. What its caller waits between them is no time of its own. */
TEST(who_asks_again_is_not_to_blame_for_the_wait, .seeds = 300) {
	struct system s;
	system_draw(&s, &t->rng);
	measure(&s, false);
	uint32_t k = (uint32_t)rng_below(&t->rng, s.edge_count), to = s.edges[k].to;
	uint32_t from = s.edges[k].from;
	if (s.nodes[to].kind != RCA_SERVICE) return;
	s.self[to] *= 5 + 10 * rng_unit(&t->rng);
	s.self[from] += s.self[to] * (0.5 + 2 * rng_unit(&t->rng)); /* back-off */
	measure(&s, true);
	if (!symptoms(&s)) return;
	double expected = 10 + 100 * rng_unit(&t->rng);
	s.edges[k].caller_asked = (struct rca_pair){ expected, expected * (0.8 + 0.4 * rng_unit(&t->rng)) };
	s.edges[k].asked = (struct rca_pair){ expected, expected * (5 + 20 * rng_unit(&t->rng)) };
	s.edges[k].failed.now = 0.5 + 0.5 * rng_unit(&t->rng);
	s.nodes[to].asked = s.edges[k].asked, s.nodes[to].callers_asked = s.edges[k].caller_asked;
	struct rca_report r = run(&s, t);
	EXPECT(r.count > 0 && r.causes[0].node == to && r.causes[0].kind == CAUSE_SATURATION);
	double sure = r.causes[0].confidence;
	s.edges[k].asked.now = s.edges[k].asked.usual; /* as often as ever: that time is its caller's own */
	r = run(&s, t);
	for (uint32_t i = 0; i < r.count; i++) EXPECT(r.causes[i].node != to || r.causes[i].confidence <= sure);
}

RUN(who_asks_again_is_not_to_blame_for_the_wait, whose_own_time_grew_is_named, where_failures_begin_is_named,
    who_does_not_answer_is_named, a_slow_way_is_the_network, a_rollout_just_before_makes_it_a_deployment,
    what_happened_to_the_pods_gives_the_kind, what_is_not_known_is_not_told, it_abstains_when_it_cannot_tell,
    without_traces_the_deepest_one_out_of_band_is_named, circles_end)
