#include "cli/layers.h"

#include <string.h>

#include "base/test.h"
#include "cli/canvas.h"

#define PLACES_MAX 40
#define EDGES_MAX  120

struct graph {
	int widths[PLACES_MAX];
	struct layers_edge edges[EDGES_MAX];
	struct layers_opts o;
};

/* Any graph: with cycles, with calls given twice, with places that nobody calls. */
static void draw(struct t *t, struct graph *g) {
	g->o = (struct layers_opts){ .widths = g->widths, .edges = g->edges };
	g->o.count = 1 + (size_t)rng_below(&t->rng, PLACES_MAX);
	g->o.edge_count = g->o.count > 1 ? (size_t)rng_below(&t->rng, EDGES_MAX) : 0;
	g->o.columns = 20 + (int)rng_below(&t->rng, 240);
	g->o.rows = 1 + (int)rng_below(&t->rng, 60);
	bool cycles = rng_below(&t->rng, 4) == 0;
	for (size_t i = 0; i < g->o.count; i++) g->widths[i] = 3 + (int)rng_below(&t->rng, 20);
	for (size_t e = 0; e < g->o.edge_count; e++) {
		uint32_t a = (uint32_t)rng_below(&t->rng, (int64_t)g->o.count), b;
		do b = (uint32_t)rng_below(&t->rng, (int64_t)g->o.count);
		while (a == b);
		g->edges[e] = cycles || a < b ? (struct layers_edge){ a, b } : (struct layers_edge){ b, a };
	}
}

static void places_lie_apart(struct t *t, const struct graph *g, const struct layers *l) {
	for (size_t i = 0; i < g->o.count; i++) {
		const struct layers_place *p = &l->places[i];
		EXPECT(p->row >= 0 && p->row < g->o.rows && p->layer >= 0 && p->layer < l->layer_count);
		EXPECT(p->column >= 0 && p->width >= 1 && p->column + p->width <= g->o.columns);
		EXPECT(p->width == g->widths[i] || p->width >= 12);
		for (size_t k = 0; k < i; k++) {
			const struct layers_place *q = &l->places[k];
			EXPECT(p->row != q->row || p->column + p->width < q->column || q->column + q->width < p->column);
		}
	}
}

/* Does a piece go over a label that is neither its caller's nor its callee's? */
static bool over(const struct layers_place *p, const struct layers_point *a, const struct layers_point *b) {
	int top = a->row < b->row ? a->row : b->row, bottom = a->row + b->row - top;
	int left = a->column < b->column ? a->column : b->column, right = a->column + b->column - left;
	return p->row >= top && p->row <= bottom && p->column + p->width - 1 >= left && p->column <= right;
}

static void paths_lead_there(struct t *t, const struct graph *g, const struct layers *l) {
	size_t back = 0;
	for (size_t e = 0; e < g->o.edge_count; e++) {
		const struct layers_path *p = &l->paths[e];
		const struct layers_place *from = &l->places[g->edges[e].from], *to = &l->places[g->edges[e].to];
		back += !p->count;
		if (!p->count) {
			EXPECT(from->layer >= to->layer);
			continue;
		}
		EXPECT(from->layer < to->layer && p->points[0].row == from->row);
		EXPECT(p->points[0].column >= from->column + from->width &&
		       p->points[0].column <= from->column + from->width + 1);
		EXPECT(p->points[p->count - 1].row == to->row && p->points[p->count - 1].column == to->column - 1);
		for (size_t i = 1; i < p->count; i++) {
			const struct layers_point *a = &p->points[i - 1], *b = &p->points[i];
			EXPECT((a->row == b->row) != (a->column == b->column) || (a->row == b->row && a->column == b->column));
			EXPECT(b->column >= a->column); /* never back */
			for (size_t k = 0; k < g->o.count; k++) EXPECT(!over(&l->places[k], a, b));
		}
	}
	EXPECT(back == l->back);
}

TEST(every_label_lies_in_the_window_and_no_line_over_one, .seeds = 2000) {
	struct graph g;
	struct layers l;
	draw(t, &g);
	enum err e = layers_lay(&g.o, t->arena, &l);
	EXPECT(e == OK || e == ERR_TOO_LARGE);
	if (e) return;
	places_lie_apart(t, &g, &l);
	paths_lead_there(t, &g, &l);
}

/* Twice the window holds what the window holds. */
TEST(what_fits_fits_in_more, .seeds = 300) {
	struct graph g;
	struct layers l;
	draw(t, &g);
	if (layers_lay(&g.o, t->arena, &l)) return;
	g.o.columns *= 2;
	g.o.rows *= 2;
	EXPECT_OK(layers_lay(&g.o, t->arena, &l));
}

TEST(the_same_graph_is_the_same_picture, .seeds = 100) {
	struct graph g;
	struct layers one, two;
	draw(t, &g);
	if (layers_lay(&g.o, t->arena, &one)) return;
	EXPECT_OK(layers_lay(&g.o, t->arena, &two));
	EXPECT(!memcmp(one.places, two.places, g.o.count * sizeof *one.places));
}

TEST(who_calls_stands_left_of_whom_it_calls) {
	static const struct layers_edge edges[] = { { 0, 1 }, { 1, 2 }, { 0, 2 }, { 2, 3 }, { 3, 1 } };
	static const int widths[] = { 5, 5, 5, 5, 5 };
	struct layers_opts o = { widths, 5, edges, 5, 80, 10 };
	int depths[5];
	struct layers l;
	EXPECT_OK(layers_depths(&o, t->arena, depths));
	EXPECT(depths[0] == 0 && depths[1] == 1 && depths[2] == 2 && depths[3] == 3 && depths[4] == 0);
	EXPECT_OK(layers_lay(&o, t->arena, &l));
	EXPECT(l.back == 1 && !l.paths[4].count && l.layer_count == 4); /* the call that closes the cycle */
}

TEST(what_does_not_fit_is_refused) {
	static const int widths[] = { 20, 20, 20 };
	static const struct layers_edge edges[] = { { 0, 1 }, { 0, 2 } };
	struct layers_opts o = { widths, 3, edges, 2, 80, 1 };
	struct layers l;
	EXPECT_ERR(layers_lay(&o, t->arena, &l), ERR_TOO_LARGE); /* two in one layer, and one row */
	o.rows = 2;
	EXPECT_OK(layers_lay(&o, t->arena, &l));
	o.columns = 24;
	EXPECT_ERR(layers_lay(&o, t->arena, &l), ERR_TOO_LARGE);
	o.columns = 26; /* labels give way down to twelve columns */
	EXPECT_OK(layers_lay(&o, t->arena, &l));
	EXPECT(l.places[0].width == 12);
}

RUN(every_label_lies_in_the_window_and_no_line_over_one, what_fits_fits_in_more, the_same_graph_is_the_same_picture,
    who_calls_stands_left_of_whom_it_calls, what_does_not_fit_is_refused)
