#include "cli/scene.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HEAD_ROWS  5  /* title, three sentences, legend */
#define HEAD_LABEL 8  /* columns */
#define ALL_LINES  10 /* rows of the story from which on it is told whole, else its main lines in a row each */

static const struct {
	const char *mark;
	enum paint mark_paint, name_paint;
} looks[DEMO_STATES] = {
	[DEMO_NO_DATA] = { "\u25cb", PAINT_DIM, PAINT_DIM },       [DEMO_WELL] = { "\u25cf", PAINT_GREEN, PAINT_PLAIN },
	[DEMO_SUSPECT] = { "\u25b2", PAINT_YELLOW, PAINT_YELLOW }, [DEMO_CAUSE] = { "\u2717", PAINT_ALARM, PAINT_ALARM },
	[DEMO_HEALING] = { "\u21bb", PAINT_BLUE, PAINT_BLUE },     [DEMO_VERIFIED] = { "\u2713", PAINT_GREEN, PAINT_GREEN },
};
/* As they matter to who looks. */
static const enum demo_state by_weight[DEMO_STATES] = { DEMO_CAUSE,    DEMO_HEALING, DEMO_SUSPECT,
	                                                    DEMO_VERIFIED, DEMO_NO_DATA, DEMO_WELL };

/* ---- the head ---- */

static void title(struct canvas *c, const struct demo_frame *f, const struct scene_pace *pace) {
	char left[120], right[60];
	int n = snprintf(left, sizeof left, "Flyball demo, seed %llu", (unsigned long long)f->seed);
	if (f->chapter)
		snprintf(left + n, sizeof left - (size_t)n, ", fault %d of %d, +%.1f s", f->chapter, f->chapters, f->since_s);
	snprintf(right, sizeof right, "%s%.3gx real time, %2.0f %%", pace->paused ? "paused, " : "", pace->speed,
	         100 * f->share);
	int wide = (int)strlen(right);
	canvas_text(c, 0, 0, c->columns, PAINT_BOLD, str_of(left));
	if (c->columns > (int)strlen(left) + 2 + wide)
		canvas_text(c, 0, c->columns - wide, wide, pace->paused ? PAINT_ALARM : PAINT_DIM, str_of(right));
}

static void sentence(struct canvas *c, int row, const char *label, enum paint p, const char *text) {
	canvas_text(c, row, 0, HEAD_LABEL, PAINT_DIM, str_of(label));
	canvas_text(c, row, HEAD_LABEL, c->columns - HEAD_LABEL, p, str_of(text));
}

static enum paint paint_of(enum demo_phase phase) {
	switch (phase) {
	case DEMO_FOUND: return PAINT_YELLOW;
	case DEMO_NAMED: return PAINT_YELLOW;
	case DEMO_ACTING:
	case DEMO_WAITS: return PAINT_BLUE;
	case DEMO_OVER: return PAINT_GREEN;
	default: return PAINT_PLAIN;
	}
}

static void head(struct canvas *c, const struct demo_frame *f, const struct scene_pace *pace) {
	char fault[400];
	snprintf(fault, sizeof fault, "%s%s", f->over ? "over: " : "", f->fault);
	title(c, f, pace);
	sentence(c, 1, "Fault", f->over || !f->chapter ? PAINT_DIM : PAINT_RED, fault);
	sentence(c, 2, "Knows", f->phase == DEMO_QUIET || f->phase == DEMO_OVER ? PAINT_PLAIN : PAINT_YELLOW, f->knows);
	sentence(c, 3, "Does", paint_of(f->phase), f->does);
}

/* "✗ 1 cause  ▲ 3 suspect  ● 11 well": each state, also one that none is in, so that its mark is known before. */
static void legend(struct canvas *c, int row, const struct demo_frame *f, size_t back) {
	static const enum demo_state order[] = { DEMO_WELL,    DEMO_SUSPECT,  DEMO_CAUSE,
		                                     DEMO_HEALING, DEMO_VERIFIED, DEMO_NO_DATA };
	int counts[DEMO_STATES] = { 0 }, column = 0;
	for (size_t i = 0; i < f->view->node_count; i++) counts[demo_state_of(f->view, &f->view->nodes[i])]++;
	for (size_t i = 0; i < DEMO_STATES && column < c->columns; i++) {
		enum demo_state s = order[i];
		char text[40];
		snprintf(text, sizeof text, " %d %s", counts[s], demo_state_name(s));
		column += canvas_text(c, row, column, c->columns - column, looks[s].mark_paint, str_of(looks[s].mark));
		column +=
			canvas_text(c, row, column, c->columns - column, counts[s] ? PAINT_PLAIN : PAINT_DIM, str_of(text)) + 2;
	}
	if (!back) return;
	char text[60];
	snprintf(text, sizeof text, "(%zu calls go back: not drawn)", back);
	canvas_text(c, row, column, c->columns - column, PAINT_DIM, str_of(text));
}

/* ---- the graph ---- */

static int label_width(const struct demo_node *n) {
	return (int)demo_columns(str_of(demo_node_name(n))) + 2; /* behind its mark and a blank */
}

static void forget(struct scene *s) {
	arena_done(&s->arena);
	arena_init(&s->arena, 0);
	s->fits = false;
	s->depths = NULL;
	s->layer_count = 0;
}

static void list_instead(struct scene *s, const struct layers_opts *o) {
	s->depths = arena_array(&s->arena, int, o->count + 1);
	if (s->depths && layers_depths(o, &s->arena, s->depths)) s->depths = NULL;
	for (size_t i = 0; s->depths && i < o->count; i++)
		if (s->depths[i] >= s->layer_count) s->layer_count = s->depths[i] + 1;
}

/* Anew where the graph or the room for it is another. */
static void lay(struct scene *s, const struct demo_view *v, int columns, int rows) {
	if (s->shape == v->shape && s->columns == columns && s->rows == rows) return;
	forget(s);
	s->shape = v->shape;
	s->columns = columns;
	s->rows = rows;
	int *widths = arena_array(&s->arena, int, v->node_count + 1);
	struct layers_edge *edges = arena_array(&s->arena, struct layers_edge, v->edge_count + 1);
	if (!widths || !edges) return;
	for (size_t i = 0; i < v->node_count; i++) widths[i] = label_width(&v->nodes[i]);
	for (size_t i = 0; i < v->edge_count; i++) edges[i] = (struct layers_edge){ v->edges[i].from, v->edges[i].to };
	struct layers_opts o = { widths, v->node_count, edges, v->edge_count, columns, rows };
	s->fits = layers_lay(&o, &s->arena, &s->layout) == OK;
	if (!s->fits) list_instead(s, &o);
}

static bool troubled(const struct demo_view *v, uint32_t node) {
	enum demo_state s = demo_state_of(v, &v->nodes[node]);
	return s == DEMO_SUSPECT || s == DEMO_CAUSE || s == DEMO_HEALING;
}

/* One column further at both ends, where the labels are. */
static void draw_path(struct canvas *c, const struct layers_path *p, int top, struct wire w) {
	for (size_t i = 1; i < p->count; i++) {
		const struct layers_point *a = &p->points[i - 1], *b = &p->points[i];
		w.comes_from = i == 1;
		w.goes_to = i + 1 == p->count;
		w.row = a->row + top;
		w.to_row = b->row + top;
		w.column = a->column - w.comes_from;
		w.to_column = b->column + w.goes_to;
		canvas_wire(c, &w);
	}
}

/* Calls between two that are both in trouble are strong: the way that it spread. */
static void draw_edges(const struct scene *s, struct canvas *c, const struct demo_view *v, int top, bool hot) {
	for (size_t e = 0; e < v->edge_count; e++) {
		struct wire w = { .net = v->edges[e].from, .strong = hot, .paint = hot ? PAINT_YELLOW : PAINT_DIM };
		if ((troubled(v, v->edges[e].from) && troubled(v, v->edges[e].to)) == hot)
			draw_path(c, &s->layout.paths[e], top, w);
	}
}

static int label(struct canvas *c, int row, int column, int width, const struct demo_view *v,
                 const struct demo_node *n) {
	enum demo_state s = demo_state_of(v, n);
	int took = canvas_text(c, row, column, width, looks[s].mark_paint, str_of(looks[s].mark));
	if (took < width) took += canvas_text(c, row, column + took, 1, looks[s].name_paint, STR(" "));
	return took + canvas_text(c, row, column + took, width - took, looks[s].name_paint, str_of(demo_node_name(n)));
}

static void draw_layers(const struct scene *s, struct canvas *c, const struct demo_view *v, int top) {
	draw_edges(s, c, v, top, false);
	draw_edges(s, c, v, top, true);
	for (size_t i = 0; i < v->node_count; i++) {
		const struct layers_place *p = &s->layout.places[i];
		(void)label(c, p->row + top, p->column, p->width, v, &v->nodes[i]);
	}
}

/* ---- where it does not fit: a list ---- */

struct listing {
	struct canvas *c;
	const struct demo_view *v;
	int row, end, column;
	bool dry; /* only counts rows */
};
#define LIST_INDENT  4
#define LIST_RESERVE 10 /* columns of the last row that "+12 more" may need */

/* False: no room. */
static bool list_node(struct listing *l, const struct demo_node *n) {
	int width = label_width(n) + 2, columns = l->c->columns;
	if (width > columns - LIST_INDENT) width = columns - LIST_INDENT;
	if (l->column + width - 2 + (l->row + 1 == l->end ? LIST_RESERVE : 0) > columns) {
		if (l->row + 1 >= l->end) return false;
		l->row++;
		l->column = LIST_INDENT;
	}
	if (!l->dry) (void)label(l->c, l->row, l->column, width - 2, l->v, n);
	l->column += width;
	return true;
}

/* Those that matter first, then the well by name as long as there is room, then their number. */
static void list_layer(struct listing *l, const struct scene *s, int layer) {
	size_t more = 0;
	for (size_t w = 0; w < DEMO_STATES; w++) {
		for (size_t i = 0; i < l->v->node_count; i++) {
			const struct demo_node *n = &l->v->nodes[i];
			if (s->depths[i] != layer || demo_state_of(l->v, n) != by_weight[w]) continue;
			if (more || !list_node(l, n)) more++;
		}
	}
	char text[40];
	snprintf(text, sizeof text, "+%zu more", more);
	if (more && !l->dry) canvas_text(l->c, l->row, l->column, l->c->columns - l->column, PAINT_DIM, str_of(text));
}

/* Rows of all layers, where none may have more than `each`. */
static int list_rows(const struct scene *s, struct canvas *c, const struct demo_view *v, int each) {
	int n = 0;
	for (int layer = 0; layer < s->layer_count; layer++) {
		struct listing l = { c, v, 0, each, LIST_INDENT, true };
		list_layer(&l, s, layer);
		n += l.row + 1;
	}
	return n;
}

static void draw_list(const struct scene *s, struct canvas *c, const struct demo_view *v, int top, int rows) {
	int each = rows;
	while (each > 1 && list_rows(s, c, v, each) > rows) each--;
	for (int layer = 0, row = top; layer < s->layer_count && row < top + rows; layer++) {
		char number[16];
		struct listing l = { c, v, row, row + each, LIST_INDENT, false };
		if (l.end > top + rows) l.end = top + rows;
		snprintf(number, sizeof number, "%2d", layer + 1);
		canvas_text(c, row, 0, 3, PAINT_DIM, str_of(number));
		list_layer(&l, s, layer);
		row = l.row + 1;
	}
}

static void graph(struct scene *s, struct canvas *c, const struct demo_frame *f, int top, int rows) {
	lay(s, f->view, c->columns, rows);
	if (s->fits)
		draw_layers(s, c, f->view, top);
	else if (s->depths)
		draw_list(s, c, f->view, top, rows);
}

/* ---- the story ---- */

static enum paint tone_paint(enum demo_tone t) {
	static const enum paint paints[] = { PAINT_PLAIN,  PAINT_BOLD,  PAINT_DIM, PAINT_RED,
		                                 PAINT_YELLOW, PAINT_GREEN, PAINT_BLUE };
	return paints[t];
}

/* How the story is told here; what is left out or cut stands whole in the text afterwards. */
struct telling {
	size_t columns;
	int line_rows; /* at most, of a line */
	bool whole;    /* with evidence and gates */
};

static bool is_told(const struct telling *t, const struct demo_line *l) {
	return t->whole || (*l->word && strcmp(l->word, "gates"));
}

static int rows_of(const struct telling *t, const struct demo_line *l) {
	struct str rest = str_of(l->text);
	int n = 0;
	if (!is_told(t, l)) return 0;
	do (void)demo_fold(&rest, t->columns), n++;
	while (rest.n && n < t->line_rows);
	return n;
}

static void story_line(struct canvas *c, int row, const struct telling *t, const struct demo_line *l) {
	bool dim = !*l->word || l->tone == DEMO_DIM;
	enum paint p = dim ? PAINT_DIM : l->tone == DEMO_BOLD ? PAINT_BOLD : PAINT_PLAIN;
	struct str rest = str_of(l->text);
	char time[32];
	demo_time(l->at_s, time, sizeof time);
	int n = (int)strlen(time);
	canvas_text(c, row, DEMO_TIME_WIDTH - 2 - n, n, PAINT_DIM, str_of(time));
	canvas_text(c, row, DEMO_TIME_WIDTH, DEMO_WORD_WIDTH - 1, tone_paint(l->tone), str_of(l->word));
	for (n = 1; n < t->line_rows && rest.n; n++)
		canvas_text(c, row++, DEMO_INDENT, (int)t->columns, p, demo_fold(&rest, t->columns));
	canvas_text(c, row, DEMO_INDENT, (int)t->columns, p, rest); /* an ellipsis where it is longer */
}

/* The newest lines, as many as there are rows for. */
static void story(struct canvas *c, const struct demo_frame *f, int top, int rows) {
	size_t columns = c->columns > DEMO_INDENT + 1 ? (size_t)(c->columns - DEMO_INDENT) : 1, first = f->line_count;
	struct telling t = { columns < DEMO_WIDTH_MAX ? columns : DEMO_WIDTH_MAX, rows < ALL_LINES ? 1 : 2,
		                 rows >= ALL_LINES };
	int used = 0;
	while (first && used + rows_of(&t, &f->lines[first - 1]) <= rows) used += rows_of(&t, &f->lines[--first]);
	for (int row = top; first < f->line_count; first++) {
		int took = rows_of(&t, &f->lines[first]);
		if (took) story_line(c, row, &t, &f->lines[first]);
		row += took;
	}
}

/* ---- all of it ---- */

static void foot(struct canvas *c, const struct scene_pace *pace) {
	const char *text =
		pace->keys ? "space pauses   left, right: slower, faster   q: to the end   Ctrl-C: stop" : "Ctrl-C: stop";
	canvas_text(c, c->rows - 1, 0, c->columns, PAINT_DIM, str_of(text));
}

void scene_init(struct scene *s) {
	*s = (struct scene){ 0 };
	arena_init(&s->arena, 0);
}

void scene_done(struct scene *s) {
	arena_done(&s->arena);
}

void scene_draw(struct scene *s, struct canvas *c, const struct demo_frame *f, const struct scene_pace *pace) {
	int lines = (c->rows - 12) / 3 > 2 ? (c->rows - 6) / 3 : 4;
	if (lines > 14) lines = 14;
	int rows = c->rows - HEAD_ROWS - lines - 2, below = HEAD_ROWS + rows;
	canvas_clear(c);
	head(c, f, pace);
	if (rows > 0) graph(s, c, f, HEAD_ROWS, rows);
	legend(c, HEAD_ROWS - 1, f, s->fits && rows > 0 ? s->layout.back : 0);
	if (rows > 0) canvas_rule(c, below, PAINT_DIM);
	if (below + 1 < c->rows) story(c, f, rows > 0 ? below + 1 : HEAD_ROWS, rows > 0 ? lines : c->rows - HEAD_ROWS - 1);
	foot(c, pace);
}
