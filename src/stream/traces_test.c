#include "stream/traces.h"

#include <math.h>
#include <string.h>

#include "base/test.h"

#define SLOT_NS  (2 * NS_PER_SEC)
#define T0       (INT64_C(1767600000) * NS_PER_SEC)
#define SERVICES 5
#define SPANS    64

/* A request through services 0 -> 1, 2 -> 3, 4 with calls one after another, some of them inside an internal
 * span, some failing: and what should come of it, added up beside. */
struct plant {
	struct span_news spans[SPANS];
	unsigned char ids[SPANS][8], trace[16];
	int count;
	double self[SERVICES], wall[SERVICES][SERVICES], gap[SERVICES][SERVICES];
	int joined[SERVICES][SERVICES], own_bad[SERVICES], blamed[SERVICES][SERVICES];
};

struct forest {
	struct catalog catalog;
	struct traces traces;
	uint32_t entity[SERVICES], edge[SERVICES][SERVICES];
	float grid[GRID_BOUNDS];
};

static void forest_init(struct forest *f, const struct t *t) {
	static const char *const names[SERVICES] = { "a", "b", "c", "d", "e" };
	catalog_init(&f->catalog, (struct catalog_limits){ 100, 100, 100, 100 });
	traces_init(&f->traces, 1 << 14);
	grid_bounds(f->grid);
	for (int i = 0; i < SERVICES; i++) {
		struct entity *e =
			catalog_get_entity(&f->catalog, ENTITY_SERVICE, (struct str){ NULL, 0 }, str_of(names[i]), T0);
		EXPECT(e);
		f->entity[i] = e->index;
		e->red[VIA_SPANS] = channel_open(e->index, VIA_SPANS, f->grid, GRID_BOUNDS);
		EXPECT(e->red[VIA_SPANS]);
	}
	for (int i = 0; i < SERVICES; i++)
		for (int k = 0; k < SERVICES; k++) {
			struct edge *g = catalog_get_edge(&f->catalog, f->entity[i], EDGE_CALL, str_of(names[k]), NONE, T0);
			f->edge[i][k] = g->index;
		}
}

static void forest_done(struct forest *f) {
	traces_done(&f->traces);
	catalog_done(&f->catalog);
}

static struct span_news *plant_span(struct plant *p, struct rng *rng, enum span_kind kind, uint32_t entity,
                                    const unsigned char *parent) {
	struct span_news *s = &p->spans[p->count];
	uint64_t id = rng_next(rng) | 1;
	memcpy(p->ids[p->count], &id, 8);
	static const unsigned char root[8];
	*s = (struct span_news){ .trace = p->trace,
		                     .id = p->ids[p->count],
		                     .parent = parent ? parent : root,
		                     .kind = kind,
		                     .entity = entity,
		                     .edge = NONE,
		                     .now_ns = T0 };
	p->count++;
	return s;
}

static int64_t ms(struct rng *rng, int least, int most) {
	return (least + rng_below(rng, most - least)) * NS_PER_MS;
}

/* Fills `s` (a server span of service `who`) from `at` on; its end. */
static int64_t grow(struct plant *p, const struct forest *f, struct rng *rng, int who, struct span_news *s,
                    int64_t at) {
	static const int callees[SERVICES][3] = {
		{ 1, 2, -1 }, { 3, -1, -1 }, { 3, 4, -1 }, { -1, -1, -1 }, { -1, -1, -1 }
	};
	int64_t now = at + ms(rng, 1, 20);
	const unsigned char *parent = s->id;
	struct span_news *inner = NULL;
	int failed_callee = -1;
	p->self[who] += (double)(now - at) / 1e9;
	if (rng_below(rng, 2)) {
		inner = plant_span(p, rng, SPAN_INTERNAL, s->entity, parent);
		inner->start_ns = now;
		parent = inner->id;
	}
	for (int i = 0; callees[who][i] >= 0; i++) {
		int to = callees[who][i];
		struct span_news *call = plant_span(p, rng, SPAN_CLIENT, s->entity, parent);
		call->edge = f->edge[who][to];
		call->start_ns = now;
		struct span_news *answer = plant_span(p, rng, SPAN_SERVER, f->entity[to], call->id);
		answer->start_ns = now + ms(rng, 0, 3);
		int64_t end = grow(p, f, rng, to, answer, answer->start_ns);
		call->end_ns = end + ms(rng, 0, 3);
		call->failed = answer->failed || rng_below(rng, 10) == 0;
		if (call->failed) failed_callee = to;
		p->wall[who][to] += (double)(call->end_ns - call->start_ns) / 1e9;
		p->gap[who][to] += (double)((call->end_ns - call->start_ns) - (answer->end_ns - answer->start_ns)) / 1e9;
		p->joined[who][to]++;
		now = call->end_ns;
	}
	if (inner) inner->end_ns = now;
	int64_t end = now + ms(rng, 1, 20);
	p->self[who] += (double)(end - now) / 1e9;
	s->end_ns = end;
	s->failed = failed_callee >= 0 || rng_below(rng, 8) == 0;
	if (s->failed && failed_callee >= 0) p->blamed[who][failed_callee]++;
	if (s->failed && failed_callee < 0) p->own_bad[who]++;
	return end;
}

static void shuffle(struct plant *p, struct rng *rng) {
	for (int i = p->count - 1; i > 0; i--) {
		int k = (int)rng_below(rng, i + 1);
		struct span_news x = p->spans[i];
		p->spans[i] = p->spans[k];
		p->spans[k] = x;
	}
}

static void check(const struct t *t, const struct forest *f, const struct plant *p) {
	for (int i = 0; i < SERVICES; i++) {
		const struct entity *e = catalog_entity(&f->catalog, f->entity[i]);
		struct slot s = channel_sum(e->red[VIA_SPANS], 0, INT64_MAX);
		EXPECT_NEAR((double)s.self_seconds, p->self[i], 2e-4);
		EXPECT_NEAR((double)s.own_bad, p->own_bad[i], 1e-6);
		double blamed = 0, expected = 0;
		for (int k = 0; k < SERVICES; k++) {
			const struct edge *g = catalog_edge(&f->catalog, f->edge[i][k]);
			struct edge_slot x = edge_sum(g, 0, INT64_MAX);
			EXPECT_NEAR((double)x.wall_seconds, p->wall[i][k], 2e-4);
			EXPECT_NEAR((double)x.gap_seconds, p->gap[i][k], 2e-4);
			EXPECT_NEAR((double)x.joined, p->joined[i][k], 1e-6);
			blamed += (double)x.blamed, expected += p->blamed[i][k];
			if (p->joined[i][k]) EXPECT(g->to == f->entity[k]);
		}
		EXPECT_NEAR(blamed, expected, 1e-6);
	}
}

/* In whatever order the spans of a request come, and though some come twice: time, failures and edges add
 * up to what happened. Which of two failed calls is to blame is told by their order, so only that one of
 * them is to blame is checked. */
TEST(any_order_of_spans_adds_up_to_what_happened, .seeds = 400) {
	struct forest f;
	struct plant p = { .count = 0 };
	forest_init(&f, t);
	uint64_t trace[2] = { rng_next(&t->rng), rng_next(&t->rng) };
	memcpy(p.trace, trace, sizeof p.trace);
	struct span_news *root = plant_span(&p, &t->rng, SPAN_SERVER, f.entity[0], NULL);
	root->start_ns = T0;
	grow(&p, &f, &t->rng, 0, root, T0);
	for (int i = 0; i < p.count; i++) p.spans[i].slot = p.spans[i].end_ns / SLOT_NS;
	shuffle(&p, &t->rng);
	for (int i = 0; i < p.count; i++) {
		EXPECT(traces_add(&f.traces, &f.catalog, &p.spans[i]));
		if (rng_below(&t->rng, 5) == 0) EXPECT(!traces_add(&f.traces, &f.catalog, &p.spans[i]));
	}
	check(t, &f, &p);
	forest_done(&f);
}

/* Calls side by side cover their time once: the request's own time is what no call covers. */
TEST(calls_side_by_side_cover_time_once, .seeds = 200) {
	struct forest f;
	struct plant p = { .count = 0 };
	bool busy[200] = { false };
	forest_init(&f, t);
	struct span_news *root = plant_span(&p, &t->rng, SPAN_SERVER, f.entity[0], NULL);
	root->start_ns = T0;
	root->end_ns = T0 + 200 * NS_PER_MS;
	for (int n = 0; n < 4; n++) {
		struct span_news *call = plant_span(&p, &t->rng, SPAN_CLIENT, f.entity[0], root->id);
		int from = (int)rng_below(&t->rng, 150), length = 1 + (int)rng_below(&t->rng, 49);
		call->edge = f.edge[0][1 + n];
		call->start_ns = T0 + from * NS_PER_MS;
		call->end_ns = call->start_ns + length * NS_PER_MS;
		for (int i = from; i < from + length; i++) busy[i] = true;
	}
	double idle = 0;
	for (int i = 0; i < 200; i++) idle += !busy[i];
	for (int i = 0; i < p.count; i++) p.spans[i].slot = T0 / SLOT_NS;
	shuffle(&p, &t->rng);
	for (int i = 0; i < p.count; i++) traces_add(&f.traces, &f.catalog, &p.spans[i]);
	struct slot s = channel_sum(catalog_entity(&f.catalog, f.entity[0])->red[VIA_SPANS], 0, INT64_MAX);
	EXPECT_NEAR((double)s.self_seconds, idle / 1e3, 1e-4);
	forest_done(&f);
}

/* A table that is too small forgets, keeps working, and says how often. */
TEST(a_small_table_forgets_the_oldest_and_counts) {
	struct forest f;
	forest_init(&f, t);
	traces_done(&f.traces);
	traces_init(&f.traces, 64);
	for (int n = 0; n < 500; n++) {
		struct plant p = { .count = 0 };
		uint64_t trace[2] = { rng_next(&t->rng), rng_next(&t->rng) };
		memcpy(p.trace, trace, sizeof p.trace);
		struct span_news *root = plant_span(&p, &t->rng, SPAN_SERVER, f.entity[0], NULL);
		root->start_ns = T0;
		grow(&p, &f, &t->rng, 0, root, T0);
		for (int i = 0; i < p.count; i++) {
			p.spans[i].slot = T0 / SLOT_NS;
			p.spans[i].now_ns = T0 + n * NS_PER_MS;
			traces_add(&f.traces, &f.catalog, &p.spans[i]);
		}
	}
	EXPECT(f.traces.forgotten > 100 && f.traces.groups <= 8);
	forest_done(&f);
}

/* A call without an address is told from others by who answers it. */
TEST(an_answer_names_a_call_without_address) {
	struct forest f;
	struct plant p = { .count = 0 };
	forest_init(&f, t);
	struct span_news *call = plant_span(&p, &t->rng, SPAN_CLIENT, f.entity[0], NULL);
	struct span_news *answer = plant_span(&p, &t->rng, SPAN_SERVER, f.entity[3], call->id);
	call->start_ns = answer->start_ns = T0;
	call->end_ns = T0 + 30 * NS_PER_MS;
	answer->end_ns = T0 + 20 * NS_PER_MS;
	call->slot = answer->slot = T0 / SLOT_NS;
	call->failed = answer->failed = true;
	traces_add(&f.traces, &f.catalog, answer);
	traces_add(&f.traces, &f.catalog, call);
	struct edge *g = catalog_get_edge(&f.catalog, f.entity[0], EDGE_CALL, (struct str){ NULL, 0 }, f.entity[3], T0);
	struct edge_slot s = edge_sum(g, 0, INT64_MAX);
	EXPECT(s.calls == 1 && s.failed == 1 && s.joined == 1 && s.joined_failed == 1 && s.failed_joined == 1);
	EXPECT_NEAR((double)s.gap_seconds, 0.01, 1e-6);
	forest_done(&f);
}

RUN(any_order_of_spans_adds_up_to_what_happened, calls_side_by_side_cover_time_once,
    a_small_table_forgets_the_oldest_and_counts, an_answer_names_a_call_without_address)
