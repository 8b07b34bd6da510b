#include "cli/layers.h"

#include <assert.h>
#include <string.h>

#define LABEL_MIN  12 /* columns; a label is cut no further: what is left must tell it from its likes */
#define STUBS      3 /* columns of a channel besides its tracks: a blank behind the label, a piece of line on each side */
#define SWEEPS     10
#define WIDEN_MAX  6 /* columns that a channel may gain where there is room */
#define NOBODY     UINT32_MAX
#define TRACK_NONE (-1)

/* A place in its layer, or a caller's line on its way through one. */
struct item {
	uint32_t place; /* NOBODY: a line */
	uint32_t caller;
	int layer, row, track; /* track: of its calls, in the channel behind */
	double want;
	uint32_t first_right, first_left; /* links */
};
/* Between an item and one in the next layer. */
struct link {
	uint32_t from, to;
	uint32_t next_right, next_left; /* of `from`, of `to` */
};

struct work {
	const struct layers_opts *o;
	struct arena *a;
	int *depth;
	int layer_count;
	struct item *items;
	uint32_t item_count, item_cap;
	struct link *links;
	uint32_t link_count, link_cap;
	uint32_t **order; /* items of each layer, from above */
	uint32_t *counts;
	uint32_t *line;              /* [caller * layer_count + layer]: its line there, or NOBODY */
	int stubs;                   /* fewer where it is narrow: first no piece behind the label, then no blank */
	int *widths, *tracks, *left; /* of each layer; of the channel behind it; its first column */
};

/* ---- layers ---- */

struct degrees {
	uint32_t *in, *first, *next;
	bool *done;
};

/* Nobody left calls it; where a cycle leaves none such, the one that the fewest call. */
static uint32_t next_free(const struct layers_opts *o, const struct degrees *d) {
	uint32_t best = NOBODY;
	for (uint32_t i = 0; i < o->count; i++)
		if (!d->done[i] && (best == NOBODY || d->in[i] < d->in[best])) best = i;
	return best;
}

enum err layers_depths(const struct layers_opts *o, struct arena *a, int *depths) {
	struct degrees d = { arena_array(a, uint32_t, o->count + 1), arena_array(a, uint32_t, o->count + 1),
		                 arena_array(a, uint32_t, o->edge_count + 1), arena_array(a, bool, o->count + 1) };
	if (!d.in || !d.first || !d.next || !d.done) return ERR_NOMEM;
	for (size_t i = 0; i < o->count; i++) d.in[i] = 0, d.first[i] = NOBODY, d.done[i] = false, depths[i] = 0;
	for (uint32_t e = (uint32_t)o->edge_count; e-- > 0;) {
		d.in[o->edges[e].to]++;
		d.next[e] = d.first[o->edges[e].from];
		d.first[o->edges[e].from] = e;
	}
	for (uint32_t n; (n = next_free(o, &d)) != NOBODY;) {
		d.done[n] = true;
		for (uint32_t e = d.first[n]; e != NOBODY; e = d.next[e]) {
			uint32_t to = o->edges[e].to;
			d.in[to]--;
			if (!d.done[to] && depths[to] < depths[n] + 1) depths[to] = depths[n] + 1;
		}
	}
	return OK;
}

/* ---- items and links ---- */

static bool forward(const struct work *w, const struct layers_edge *e) {
	return w->depth[e->to] > w->depth[e->from];
}

static uint32_t add_item(struct work *w, uint32_t place, uint32_t caller, int layer) {
	assert(w->item_count < w->item_cap);
	w->items[w->item_count] = (struct item){ .place = place,
		                                     .caller = caller,
		                                     .layer = layer,
		                                     .track = TRACK_NONE,
		                                     .first_right = NOBODY,
		                                     .first_left = NOBODY };
	w->counts[layer]++;
	return w->item_count++;
}

static void add_link(struct work *w, uint32_t from, uint32_t to) {
	for (uint32_t k = w->items[from].first_right; k != NOBODY; k = w->links[k].next_right)
		if (w->links[k].to == to) return;
	assert(w->link_count < w->link_cap);
	w->links[w->link_count] = (struct link){ from, to, w->items[from].first_right, w->items[to].first_left };
	w->items[from].first_right = w->items[to].first_left = w->link_count++;
}

/* The caller's line in that layer, led on from its place as far as needed. */
static uint32_t lead(struct work *w, uint32_t caller, int layer) {
	uint32_t at = caller;
	for (int l = w->depth[caller] + 1; l <= layer; l++) {
		uint32_t *line = &w->line[(size_t)caller * (size_t)w->layer_count + (size_t)l];
		if (*line == NOBODY) {
			*line = add_item(w, NOBODY, caller, l);
			add_link(w, at, *line);
		}
		at = *line;
	}
	return at;
}

/* Lines that there will be at most: of each caller, one in each layer up to before its deepest call. */
static size_t count_lines(const struct work *w, int *deepest) {
	size_t n = 0;
	for (size_t i = 0; i < w->o->count; i++) deepest[i] = w->depth[i] + 1;
	for (size_t e = 0; e < w->o->edge_count; e++) {
		const struct layers_edge *g = &w->o->edges[e];
		if (w->depth[g->to] > deepest[g->from]) deepest[g->from] = w->depth[g->to];
	}
	for (size_t i = 0; i < w->o->count; i++) n += (size_t)(deepest[i] - w->depth[i] - 1);
	return n;
}

static enum err make_items(struct work *w) {
	size_t count = w->o->count, cells = count * (size_t)w->layer_count;
	int *deepest = arena_array(w->a, int, count + 1);
	w->line = arena_array(w->a, uint32_t, cells + 1);
	if (!deepest || !w->line) return ERR_NOMEM;
	size_t lines = count_lines(w, deepest);
	/* no layer may hold more than there are rows: what is far too much is not even tried */
	if (count + lines > (size_t)w->o->rows * (size_t)w->layer_count) return ERR_TOO_LARGE;
	w->item_cap = (uint32_t)(count + lines);
	w->link_cap = (uint32_t)(w->o->edge_count + lines);
	w->items = arena_array(w->a, struct item, w->item_cap + 1);
	w->links = arena_array(w->a, struct link, w->link_cap + 1);
	if (!w->items || !w->links) return ERR_NOMEM;
	for (size_t i = 0; i < cells; i++) w->line[i] = NOBODY;
	for (uint32_t i = 0; i < count; i++) (void)add_item(w, i, i, w->depth[i]);
	for (size_t e = 0; e < w->o->edge_count; e++) {
		const struct layers_edge *g = &w->o->edges[e];
		if (forward(w, g)) add_link(w, lead(w, g->from, w->depth[g->to] - 1), g->to);
	}
	for (int l = 0; l < w->layer_count; l++)
		if (w->counts[l] > (uint32_t)w->o->rows) return ERR_TOO_LARGE;
	return OK;
}

/* ---- order and rows ---- */

/* The mean row of its neighbours on one side, or on both (bits: 1 left, 2 right). */
static double mean_of(const struct work *w, const struct item *it, int sides) {
	double sum = 0;
	int n = 0;
	for (uint32_t k = sides & 1 ? it->first_left : NOBODY; k != NOBODY; k = w->links[k].next_left, n++)
		sum += w->items[w->links[k].from].row;
	for (uint32_t k = sides & 2 ? it->first_right : NOBODY; k != NOBODY; k = w->links[k].next_right, n++)
		sum += w->items[w->links[k].to].row;
	return n ? sum / n : it->row;
}

static void sort_layer(struct work *w, int layer) {
	uint32_t *o = w->order[layer];
	for (uint32_t i = 1; i < w->counts[layer]; i++) { /* stable, and mostly sorted already */
		uint32_t it = o[i], k = i;
		for (; k && w->items[o[k - 1]].want > w->items[it].want; k--) o[k] = o[k - 1];
		o[k] = it;
	}
}

/* Rows as near to those wanted as order and height allow. */
static void settle_rows(struct work *w, int layer) {
	uint32_t n = w->counts[layer], *o = w->order[layer];
	int rows = w->o->rows, gap = n > 1 ? (rows - 1) / ((int)n - 1) : 1;
	if (gap > 2) gap = 2;
	for (uint32_t i = 0; i < n; i++) {
		int least = i ? w->items[o[i - 1]].row + gap : 0, row = (int)(w->items[o[i]].want + 0.5);
		w->items[o[i]].row = row < least ? least : row;
	}
	for (uint32_t i = n; i-- > 0;) {
		int most = rows - 1 - ((int)n - 1 - (int)i) * gap;
		if (i + 1 < n && w->items[o[i + 1]].row - gap < most) most = w->items[o[i + 1]].row - gap;
		if (w->items[o[i]].row > most) w->items[o[i]].row = most;
	}
}

/* At first evenly over the height. */
static enum err first_rows(struct work *w) {
	for (int l = 0; l < w->layer_count; l++) {
		w->order[l] = arena_array(w->a, uint32_t, w->counts[l] + 1);
		if (!w->order[l]) return ERR_NOMEM;
		w->counts[l] = 0;
	}
	for (uint32_t i = 0; i < w->item_count; i++) w->order[w->items[i].layer][w->counts[w->items[i].layer]++] = i;
	for (int l = 0; l < w->layer_count; l++)
		for (uint32_t i = 0; i < w->counts[l]; i++)
			w->items[w->order[l][i]].row = (int)(((double)i + 0.5) * w->o->rows / w->counts[l]);
	return OK;
}

static void sweep(struct work *w, int layer, int sides, bool sorting) {
	for (uint32_t i = 0; i < w->counts[layer]; i++) {
		struct item *it = &w->items[w->order[layer][i]];
		it->want = mean_of(w, it, sides);
	}
	if (sorting) sort_layer(w, layer);
	settle_rows(w, layer);
}

/* What is free above and below, half and half. */
static void center(struct work *w) {
	int low = w->o->rows, high = 0;
	for (uint32_t i = 0; i < w->item_count; i++) {
		low = w->items[i].row < low ? w->items[i].row : low;
		high = w->items[i].row > high ? w->items[i].row : high;
	}
	for (uint32_t i = 0; i < w->item_count; i++) w->items[i].row += (w->o->rows - 1 - high - low) / 2;
}

static enum err order_items(struct work *w) {
	enum err e = first_rows(w);
	if (e) return e;
	for (int turn = 0; turn < SWEEPS; turn++) {
		for (int l = 1; l < w->layer_count; l++) sweep(w, l, 1, true);
		for (int l = w->layer_count - 1; l-- > 0;) sweep(w, l, 2, true);
	}
	for (int l = 0; l < w->layer_count; l++) sweep(w, l, l ? 1 : 3, false);
	center(w);
	return OK;
}

/* ---- tracks ---- */

struct span {
	int low, high;
};

static struct span span_of(const struct work *w, const struct item *it) {
	struct span s = { it->row, it->row };
	for (uint32_t k = it->first_right; k != NOBODY; k = w->links[k].next_right) {
		int row = w->items[w->links[k].to].row;
		s.low = row < s.low ? row : s.low;
		s.high = row > s.high ? row : s.high;
	}
	return s;
}

static bool needs_track(const struct work *w, const struct item *it) {
	struct span s = span_of(w, it);
	return s.low != s.high;
}

/* `a` begins in a row in which `b` ends at somebody whom `a` does not call: there `a` must turn off before. */
static bool turns_before(const struct work *w, const struct item *a, const struct item *b) {
	bool ends = false;
	for (uint32_t k = b->first_right; k != NOBODY; k = w->links[k].next_right)
		ends |= w->items[w->links[k].to].row == a->row;
	for (uint32_t k = a->first_right; k != NOBODY; k = w->links[k].next_right)
		if (w->items[w->links[k].to].row == a->row) return false;
	return ends;
}

static bool may_take(const struct work *w, int layer, const struct item *it, int track) {
	struct span s = span_of(w, it);
	for (uint32_t i = 0; i < w->counts[layer]; i++) {
		const struct item *other = &w->items[w->order[layer][i]];
		struct span t = span_of(w, other);
		if (other == it || other->track == TRACK_NONE) continue;
		if (other->track == track && s.low <= t.high && t.low <= s.high) return false;
	}
	return true;
}

/* All that must turn off before it have their tracks; -1: not yet. Else the first that it may take. */
static int least_track(const struct work *w, int layer, const struct item *it, bool whatever) {
	int least = 0;
	for (uint32_t i = 0; i < w->counts[layer]; i++) {
		const struct item *other = &w->items[w->order[layer][i]];
		if (other == it || !needs_track(w, other) || !turns_before(w, other, it)) continue;
		if (other->track == TRACK_NONE && !whatever) return -1;
		if (other->track >= least) least = other->track + 1;
	}
	while (!may_take(w, layer, it, least)) least++;
	return least;
}

/* One after the other as they may; where each waits for another (a cycle), one goes first. */
static void give_tracks(struct work *w, int layer) {
	w->tracks[layer] = 0;
	for (bool whatever = false;;) {
		bool left = false, gave = false;
		for (uint32_t i = 0; i < w->counts[layer] && !(gave && whatever); i++) {
			struct item *it = &w->items[w->order[layer][i]];
			if (it->track != TRACK_NONE || !needs_track(w, it)) continue;
			int track = least_track(w, layer, it, whatever);
			left |= track < 0;
			if (track < 0) continue;
			it->track = track;
			gave = true;
			if (track + 1 > w->tracks[layer]) w->tracks[layer] = track + 1;
		}
		if (!left && !(gave && whatever)) return;
		whatever = !gave;
	}
}

/* ---- columns ---- */

static int total(const struct work *w) {
	int n = 0;
	for (int l = 0; l < w->layer_count; l++) n += w->widths[l] + (l + 1 < w->layer_count ? w->tracks[l] + w->stubs : 0);
	return n;
}

static void measure(struct work *w) {
	for (int l = 0; l < w->layer_count; l++) w->widths[l] = 1;
	for (uint32_t i = 0; i < w->o->count; i++) {
		int *width = &w->widths[w->depth[i]];
		if (w->o->widths[i] > *width) *width = w->o->widths[i];
	}
}

/* Where it is too wide, the channels give way first; then the widest labels are cut, a column at a time. */
static enum err fit(struct work *w) {
	while (total(w) > w->o->columns && w->stubs > 1) w->stubs--;
	while (total(w) > w->o->columns) {
		int widest = 0;
		for (int l = 1; l < w->layer_count; l++)
			if (w->widths[l] > w->widths[widest]) widest = l;
		if (w->widths[widest] <= LABEL_MIN) return ERR_TOO_LARGE;
		w->widths[widest]--;
	}
	return OK;
}

/* What is over makes the channels wider. */
static void place_columns(struct work *w) {
	int channels = w->layer_count - 1, spare = channels > 0 ? (w->o->columns - total(w)) / channels : 0, column = 0;
	if (spare > WIDEN_MAX) spare = WIDEN_MAX;
	for (int l = 0; l < w->layer_count; l++) {
		w->left[l] = column;
		column += w->widths[l] + w->tracks[l] + w->stubs + spare;
	}
}

/* Tracks stand in the middle of what their channel has. */
static int track_column(const struct work *w, int layer, int track) {
	int begin = w->left[layer] + w->widths[layer], end = w->left[layer + 1];
	return begin + (end - begin - w->tracks[layer] + 1) / 2 + track;
}

/* ---- paths ---- */

static void step(struct layers_point *points, size_t *n, int row, int column) {
	points[(*n)++] = (struct layers_point){ row, column };
}

/* From `from` through its channel to `to`. */
static void hop(const struct work *w, const struct item *from, const struct item *to, struct layers_point *p,
                size_t *n) {
	if (from->row == to->row) return; /* straight on */
	int column = track_column(w, from->layer, from->track);
	step(p, n, from->row, column);
	step(p, n, to->row, column);
}

static enum err make_path(struct work *w, const struct layers_edge *g, struct layers_path *out) {
	int layer = w->depth[g->from], last = w->depth[g->to];
	struct layers_point *p = arena_array(w->a, struct layers_point, (size_t)(last - layer) * 2 + 2);
	const struct item *at = &w->items[g->from], *end = &w->items[g->to];
	int width = w->o->widths[g->from] < w->widths[layer] ? w->o->widths[g->from] : w->widths[layer];
	size_t n = 0;
	if (!p) return ERR_NOMEM;
	step(p, &n, at->row, w->left[layer] + width + (w->stubs > 1));
	for (; layer + 1 < last; layer++) {
		const struct item *line = &w->items[w->line[(size_t)g->from * (size_t)w->layer_count + (size_t)layer + 1]];
		hop(w, at, line, p, &n);
		at = line;
	}
	hop(w, at, end, p, &n);
	step(p, &n, end->row, w->left[last] - 1);
	*out = (struct layers_path){ p, n };
	return OK;
}

static enum err hand_over(struct work *w, struct layers *out) {
	size_t count = w->o->count, edges = w->o->edge_count;
	*out = (struct layers){ .places = arena_array(w->a, struct layers_place, count + 1),
		                    .paths = arena_array(w->a, struct layers_path, edges + 1),
		                    .layer_count = w->layer_count };
	if (!out->places || !out->paths) return ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		int layer = w->depth[i], most = w->widths[layer], width = w->o->widths[i];
		out->places[i] = (struct layers_place){ layer, w->items[i].row, w->left[layer], width < most ? width : most };
	}
	enum err e = OK;
	for (size_t i = 0; i < edges && !e; i++) {
		out->paths[i] = (struct layers_path){ 0 };
		if (forward(w, &w->o->edges[i]))
			e = make_path(w, &w->o->edges[i], &out->paths[i]);
		else
			out->back++;
	}
	return e;
}

/* ---- all of it ---- */

static enum err begin(struct work *w) {
	w->depth = arena_array(w->a, int, w->o->count + 1);
	enum err e = w->depth ? layers_depths(w->o, w->a, w->depth) : ERR_NOMEM;
	for (size_t i = 0; i < w->o->count && !e; i++)
		if (w->depth[i] >= w->layer_count) w->layer_count = w->depth[i] + 1;
	size_t n = (size_t)w->layer_count + 1;
	if (e) return e;
	if (w->layer_count * 2 >= w->o->columns) return ERR_TOO_LARGE;
	w->order = arena_array(w->a, uint32_t *, n);
	w->counts = arena_array(w->a, uint32_t, n);
	w->widths = arena_array(w->a, int, n);
	w->tracks = arena_array(w->a, int, n);
	w->left = arena_array(w->a, int, n);
	if (!w->order || !w->counts || !w->widths || !w->tracks || !w->left) return ERR_NOMEM;
	memset(w->counts, 0, n * sizeof *w->counts);
	return OK;
}

enum err layers_lay(const struct layers_opts *o, struct arena *a, struct layers *out) {
	struct work w = { .o = o, .a = a, .stubs = STUBS };
	if (o->rows < 1 || o->columns < 1) return ERR_TOO_LARGE;
	enum err e = begin(&w);
	if (!e) e = make_items(&w);
	if (!e) e = order_items(&w);
	if (e) return e;
	for (int l = 0; l < w.layer_count; l++) give_tracks(&w, l);
	measure(&w);
	e = fit(&w);
	if (e) return e;
	place_columns(&w);
	return hand_over(&w, out);
}
