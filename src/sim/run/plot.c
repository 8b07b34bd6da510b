#include "sim/run/plot.h"

#include <math.h>
#include <stdio.h>

#include "sim/memory.h"
#include "sim/run/figures.h"

enum { FOUND, NAMED, MENDED, PANELS };
enum { FLYBALL, TENS, MINUTE, SUBJECTS };

static const char *const headings[PANELS] = {
	[FOUND] = "Found",
	[NAMED] = "Cause named (alarms: by people, an assumption)",
	[MENDED] = "Mended, verified (alarms: by people, an assumption)",
};
static const struct {
	const char *key, *label, *shape; /* shape: around 0,0 */
} subjects[SUBJECTS] = {
	[FLYBALL] = { "flyball", "Flyball", "<circle id=\"p0\" r=\"3\"/>" },
	[TENS] = { "alarms_10s", "10 s alarms", "<rect id=\"p1\" x=\"-3\" y=\"-3\" width=\"6\" height=\"6\"/>" },
	[MINUTE] = { "alarms_1min", "1 min alarms", "<path id=\"p2\" d=\"M0-3.8 3.6 2.8H-3.6Z\"/>" },
};
static const struct {
	double s;
	const char *label;
} ticks[] = { { 1, "1 s" },    { 10, "10 s" },    { 60, "1 min" },    { 600, "10 min" },
	          { 3600, "1 h" }, { 36000, "10 h" }, { 360000, "100 h" } };
#define TICKS (sizeof ticks / sizeof *ticks)

#define WIDTH     960
#define LEFT      140 /* of the axis */
#define AXIS      560
#define NEVER_X   740
#define WORDS_X   790
#define TOP       76
#define ROW       50
#define HEADING   30
#define PANEL_GAP 34
#define BAR       32
#define PANEL     (HEADING + SUBJECTS * ROW + PANEL_GAP)
#define HEIGHT    (TOP + PANELS * PANEL + 20)
#define SPREAD    7 /* points of a row stand on so many lines, so that they hide one another less */

struct times {
	double *v; /* INFINITY: never */
	size_t n, cap;
};
struct plot {
	struct times of[PANELS][SUBJECTS];
};

struct plot *plot_new(void) {
	return must_alloc(sizeof(struct plot));
}

void plot_free(struct plot *p) {
	if (!p) return;
	for (int i = 0; i < PANELS; i++)
		for (int s = 0; s < SUBJECTS; s++) free(p->of[i][s].v);
	free(p);
}

static void push(struct times *t, double v) {
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->v = must_grow(t->v, t->cap, sizeof *t->v);
	}
	t->v[t->n++] = v;
}

static double time_of(const struct json *v) {
	return v->kind == JSON_NUMBER ? v->number : INFINITY;
}

static void add_subject(struct plot *p, int subject, const struct json *figures) {
	const struct json *detect = json_get(figures, "detect_s"), *resolve = json_get(figures, "resolve_s");
	const struct json *then = json_get(figures, subject == FLYBALL ? "cause_s" : "people_s");
	if (detect) push(&p->of[FOUND][subject], time_of(detect));
	if (detect && then) push(&p->of[NAMED][subject], time_of(detect) + time_of(then));
	if (resolve) push(&p->of[MENDED][subject], time_of(resolve));
}

void plot_add(struct plot *p, const struct json *row) {
	if (!json_bool(json_get(row, "counts"), false) || !json_get(row, "case")) return;
	for (int s = 0; s < SUBJECTS; s++) add_subject(p, s, json_get(json_get(row, "subjects"), subjects[s].key));
}

/* ---- drawing ---- */

/* The axis ends at the first tick that no time passes. */
static size_t last_tick(const struct plot *p) {
	double most = 600; /* never so short that a minute fills it */
	for (int i = 0; i < PANELS; i++)
		for (int s = 0; s < SUBJECTS; s++)
			for (size_t k = 0; k < p->of[i][s].n; k++)
				if (isfinite(p->of[i][s].v[k])) most = fmax(most, p->of[i][s].v[k]);
	size_t last = 0;
	while (last + 1 < TICKS && ticks[last].s < most) last++;
	return last;
}

static double x_of(double s, double end_s) {
	double share = log(fmax(s, 1)) / log(end_s); /* what took less than a second stands at one */
	return LEFT + AXIS * fmin(share, 1);
}

static void time_text(double s, char out[24]) {
	if (isnan(s) || isinf(s))
		snprintf(out, 24, isnan(s) ? "-" : "never");
	else if (s < 120)
		snprintf(out, 24, "%.1f s", s);
	else
		snprintf(out, 24, s < 7200 ? "%.1f min" : "%.1f h", s < 7200 ? s / 60 : s / 3600);
}

static void escaped(struct buf *out, struct str s) {
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '<': buf_c(out, "&lt;"); break;
		case '>': buf_c(out, "&gt;"); break;
		case '&': buf_c(out, "&amp;"); break;
		default: buf_byte(out, (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
		}
	}
}

static void put_axis(struct buf *out, int top, size_t last) {
	int bottom = top + SUBJECTS * ROW;
	for (size_t i = 0; i <= last; i++) {
		double x = x_of(ticks[i].s, ticks[last].s);
		buf_printf(out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>", x, top, bottom);
		buf_printf(out, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x, bottom + 16,
		           ticks[i].label);
	}
	buf_printf(out, "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">never</text>\n", NEVER_X,
	           bottom + 16);
}

/* In order of rank, so that the order of the rows does not show. */
static void put_points(struct buf *out, const struct times *t, int subject, int middle, double end_s) {
	size_t drawn = t->n < PLOT_POINTS ? t->n : PLOT_POINTS;
	for (size_t k = 0; k < drawn; k++) {
		double v = t->v[k * t->n / drawn];
		double y = middle + ((double)(k * 3 % SPREAD) - (SPREAD - 1) / 2.0) * 3.4;
		if (isfinite(v)) buf_printf(out, "<use href=\"#p%d\" x=\"%.1f\" y=\"%.1f\"/>", subject, x_of(v, end_s), y);
	}
	buf_byte(out, '\n');
}

static void put_bar(struct buf *out, struct times *t, int middle, double end_s) {
	double low = figures_quantile(t->v, t->n, 0.1), high = figures_quantile(t->v, t->n, 0.9);
	if (isinf(low)) return;
	double from = x_of(low, end_s), to = isinf(high) ? LEFT + AXIS : x_of(high, end_s);
	buf_printf(out, "<rect class=\"bar\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n", from, middle - BAR / 2,
	           fmax(to - from, 1), BAR);
}

/* Over the points, in the text's own ink. */
static void put_median(struct buf *out, struct times *t, int middle, double end_s) {
	double median = figures_median(t->v, t->n);
	if (isfinite(median))
		buf_printf(out, "<path class=\"median\" d=\"M%.1f %dV%d\"/>\n", x_of(median, end_s), middle - 20, middle + 20);
}

static void put_words(struct buf *out, struct times *t, int middle) {
	char median[24], p90[24];
	size_t never = 0;
	for (size_t i = 0; i < t->n; i++) never += isinf(t->v[i]) != 0;
	time_text(figures_median(t->v, t->n), median);
	time_text(figures_quantile(t->v, t->n, 0.9), p90);
	buf_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%zu</text>", NEVER_X, middle + 5, never);
	buf_printf(out, "<text x=\"%d\" y=\"%d\">median %s</text>", WORDS_X, middle - 3, median);
	buf_printf(out, "<text class=\"tick\" x=\"%d\" y=\"%d\">p90 %s, %zu runs</text>\n", WORDS_X, middle + 14, p90,
	           t->n);
}

static void put_row(struct buf *out, struct times *t, int subject, int middle, double end_s) {
	buf_printf(out, "<g class=\"s%d\"><text class=\"name\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", subject,
	           LEFT - 14, middle + 5, subjects[subject].label);
	if (t->n) {
		put_bar(out, t, middle, end_s); /* sorts */
		put_points(out, t, subject, middle, end_s);
		put_median(out, t, middle, end_s);
	}
	put_words(out, t, middle);
	buf_c(out, "</g>\n");
}

static void put_style(struct buf *out) {
	buf_c(out,
	      "<style>\n"
	      "svg{--back:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--c0:#0b5cad;--c1:#a04a00;--c2:#5b5f66}\n"
	      "@media(prefers-color-scheme:dark){svg{--back:#0d1117;--ink:#e6edf3;--soft:#9da7b3;--line:#30363d;"
	      "--c0:#6cb6ff;--c1:#f0a35e;--c2:#b6bcc4}}\n"
	      "text{font:14px system-ui,'DejaVu Sans',sans-serif;fill:var(--ink)}.tick{font-size:12px;fill:var(--soft)}\n"
	      ".title{font-size:19px;font-weight:600}.heading{font-size:15px;font-weight:600}.grid{stroke:var(--line)}\n"
	      ".s0{--c:var(--c0)}.s1{--c:var(--c1)}.s2{--c:var(--c2)}.bar{fill:var(--c);fill-opacity:.18;"
	      "stroke:var(--c)}\n"
	      ".median{stroke:var(--ink);stroke-width:3}use{fill:var(--back);fill-opacity:.6;stroke:var(--c);"
	      "stroke-width:1.2}.s0 use{fill:var(--c)}.name{font-weight:600}\n"
	      "</style>\n");
}

void plot_svg(struct plot *p, struct str title, struct buf *out) {
	size_t last = last_tick(p);
	buf_printf(out,
	           "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
	           "role=\"img\">\n<title>",
	           WIDTH, HEIGHT, WIDTH, HEIGHT);
	escaped(out, title);
	buf_c(out, "</title>\n");
	put_style(out);
	buf_c(out, "<defs>");
	for (int s = 0; s < SUBJECTS; s++) buf_c(out, subjects[s].shape);
	buf_printf(out, "</defs>\n<rect width=\"%d\" height=\"%d\" style=\"fill:var(--back)\"/>\n", WIDTH, HEIGHT);
	buf_c(out, "<text class=\"title\" x=\"24\" y=\"34\">");
	escaped(out, title);
	buf_c(out, "</text>\n<text class=\"tick\" x=\"24\" y=\"56\">time since the fault began (leaks: since it could be "
	           "seen); bar: 10th to 90th percentile, stroke: median</text>\n");
	for (int i = 0; i < PANELS; i++) {
		int top = TOP + i * PANEL + HEADING;
		buf_printf(out, "<text class=\"heading\" x=\"24\" y=\"%d\">%s</text>\n", top - 10, headings[i]);
		put_axis(out, top, last);
		for (int s = 0; s < SUBJECTS; s++) put_row(out, &p->of[i][s], s, top + s * ROW + ROW / 2, ticks[last].s);
	}
	buf_c(out, "</svg>\n");
}
