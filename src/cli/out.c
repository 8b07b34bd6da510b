#include "cli/out.h"

#include <stdio.h>
#include <string.h>

#define GAP       2  /* columns between two of a table */
#define CUT_WELL  20 /* columns that a cell keeps as long as others may go instead ... */
#define CUT_LEAST 12 /* ... and when none may any more */

bool out_format_parse(struct str s, enum out_format *out) {
	static const char *const names[] = { "table", "csv", "json", "jsonl" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!str_is(s, names[i])) continue;
		*out = (enum out_format)i;
		return true;
	}
	return false;
}

void out_cell(struct buf *out, const struct json *v) {
	if (!v || v->kind == JSON_NULL) return;
	if (v->kind == JSON_STRING || v->kind == JSON_NUMBER) {
		buf_str(out, v->text);
	} else if (v->kind == JSON_ARRAY &&
	           (!v->child || (v->child->kind != JSON_OBJECT && v->child->kind != JSON_ARRAY))) {
		json_each(item, v) {
			if (item != v->child) buf_byte(out, ',');
			out_cell(out, item);
		}
	} else {
		struct json_out o = json_out(out);
		json_put_value(&o, v);
	}
}

/* Control bytes never reach a terminal. */
static void printable(struct buf *b, size_t from) {
	for (size_t i = from; i < b->n; i++)
		if ((unsigned char)b->p[i] < 0x20 || b->p[i] == 0x7f) b->p[i] = ' ';
}

static size_t columns_of(struct str s) { /* code points: near enough to columns */
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* "2026-01-05 10:03:12" of "2026-01-05T10:03:12.250Z"; what is no such time stays as it is. */
static void time_text(struct buf *cell, struct str s) {
	bool whole = s.n >= 20 && s.p[10] == 'T' && s.p[s.n - 1] == 'Z';
	buf_add(cell, s.p, whole ? 10 : s.n);
	if (!whole) return;
	buf_byte(cell, ' ');
	buf_add(cell, s.p + 11, 8);
}

static void cell_text(struct buf *cell, const struct json *row, const struct out_column *c) {
	const struct json *v = json_path(row, c->path);
	bool number = v && v->kind == JSON_NUMBER;
	buf_clear(cell);
	if (c->style == OUT_TIME && json_str(v).n)
		time_text(cell, v->text);
	else if (c->style == OUT_ROUND && number)
		buf_printf(cell, "%.3g", v->number);
	else if (c->style == OUT_SHARE && number)
		buf_printf(cell, "%.3g %%", 100 * v->number);
	else
		out_cell(cell, v);
	printable(cell, 0);
}

static void widen(struct out_table *t, struct buf *cell, const struct json *array) {
	for (size_t i = 0; i < OUT_COLUMNS_MAX && t->columns[i].header; i++) {
		size_t *width = &t->widths[i], header = strlen(t->columns[i].header);
		if (header > *width) *width = header;
		json_each(row, array) {
			cell_text(cell, row, &t->columns[i]);
			size_t w = columns_of(buf_get(cell));
			if (w > *width) *width = w;
		}
	}
}

/* ---- a narrow window ---- */

static size_t total_width(const struct out_table *t) {
	size_t n = 0;
	for (size_t i = 0; t->columns[i].header; i++)
		if (!t->left_out[i]) n += t->widths[i] + (n ? GAP : 0);
	return n;
}

/* The column that goes next; OUT_COLUMNS_MAX: none does. */
static size_t most_spare(const struct out_table *t) {
	size_t best = OUT_COLUMNS_MAX;
	for (size_t i = 0; t->columns[i].header; i++) {
		if (t->left_out[i] || !t->columns[i].spare) continue;
		if (best == OUT_COLUMNS_MAX || t->columns[i].spare > t->columns[best].spare) best = i;
	}
	return best;
}

/* How much could be cut off, if each keeps `least`. */
static size_t slack(const struct out_table *t, size_t least) {
	size_t n = 0;
	for (size_t i = 0; t->columns[i].header; i++)
		if (!t->left_out[i] && t->columns[i].cut && t->widths[i] > least) n += t->widths[i] - least;
	return n;
}

static void cut_widest(struct out_table *t) {
	size_t widest = OUT_COLUMNS_MAX;
	for (size_t i = 0; t->columns[i].header; i++) {
		if (t->left_out[i] || !t->columns[i].cut || t->widths[i] <= CUT_LEAST) continue;
		if (widest == OUT_COLUMNS_MAX || t->widths[i] > t->widths[widest]) widest = i;
	}
	if (widest != OUT_COLUMNS_MAX) t->widths[widest]--;
}

/* Columns go until what is left fits when it is cut; then it is, the widest first. */
static void fit(struct out_table *t) {
	if (!t->window) return;
	for (size_t i; total_width(t) > t->window + slack(t, CUT_WELL) && (i = most_spare(t)) < OUT_COLUMNS_MAX;)
		t->left_out[i] = t->any_left_out = true;
	while (total_width(t) > t->window && slack(t, CUT_LEAST)) cut_widest(t);
}

static bool is_last(const struct out_table *t, size_t column) {
	for (size_t i = column + 1; t->columns[i].header; i++)
		if (!t->left_out[i]) return false;
	return true;
}

/* Green is well, red is open or has failed, blue waits or runs; what is told and done with has none. */
static const char *state_paint(struct str s) {
	static const struct {
		const char *state, *code;
	} paints[] = { { "resolved", "\033[32m" },  { "verified", "\033[32m" },    { "open", "\033[31m" },
		           { "failed", "\033[31m" },    { "ineffective", "\033[31m" }, { "waiting", "\033[34m" },
		           { "escalated", "\033[34m" }, { "acting", "\033[34m" },      { "applied", "\033[34m" },
		           { "verifying", "\033[34m" } };
	for (size_t i = 0; i < sizeof paints / sizeof *paints; i++)
		if (str_is(s, paints[i].state)) return paints[i].code;
	return NULL;
}

/* A cell and what fills its column; nothing fills the last one. */
static void padded(struct buf *out, const struct out_table *t, size_t column, struct str text) {
	size_t wide = columns_of(text);
	if (t->left_out[column]) return;
	if (t->window && wide > t->widths[column]) {
		size_t n = 0, kept = 0; /* bytes, columns */
		for (; n < text.n && (kept < t->widths[column] - 1 || ((unsigned char)text.p[n] & 0xc0) == 0x80); n++)
			kept += ((unsigned char)text.p[n] & 0xc0) != 0x80;
		buf_add(out, text.p, n);
		buf_byte(out, '~');
		wide = t->widths[column];
	} else {
		const char *paint = t->color && t->columns[column].style == OUT_STATE ? state_paint(text) : NULL;
		if (paint) buf_c(out, paint);
		buf_str(out, text);
		if (paint) buf_c(out, "\033[0m");
	}
	for (; !is_last(t, column) && wide < t->widths[column] + GAP; wide++) buf_byte(out, ' ');
}

/* ---- tables ---- */

static void table(struct buf *out, struct out_table *t, const struct json *array) {
	CLEANUP(buf_done) struct buf cell;
	buf_init(&cell, 1 << 20);
	widen(t, &cell, array);
	fit(t);
	for (size_t i = 0; !t->headed && t->columns[i].header; i++) padded(out, t, i, str_of(t->columns[i].header));
	if (!t->headed) buf_byte(out, '\n');
	json_each(row, array) {
		for (size_t i = 0; t->columns[i].header; i++) {
			cell_text(&cell, row, &t->columns[i]);
			padded(out, t, i, buf_get(&cell));
		}
		buf_byte(out, '\n');
	}
}

static void csv_cell(struct buf *out, struct str s) {
	bool quote = false;
	for (size_t i = 0; i < s.n; i++) quote |= s.p[i] == ',' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
	if (!quote) {
		buf_str(out, s);
		return;
	}
	buf_byte(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"') buf_byte(out, '"');
		buf_byte(out, (unsigned char)s.p[i]);
	}
	buf_byte(out, '"');
}

static void csv(struct buf *out, const struct out_table *t, const struct json *array) {
	CLEANUP(buf_done) struct buf cell;
	buf_init(&cell, 1 << 20);
	for (const struct out_column *c = t->columns; !t->headed && c->header; c++)
		buf_printf(out, "%s%s", c == t->columns ? "" : ",", c->path);
	if (!t->headed) buf_byte(out, '\n');
	json_each(row, array) {
		for (const struct out_column *c = t->columns; c->header; c++) {
			buf_clear(&cell);
			out_cell(&cell, json_path(row, c->path));
			if (c != t->columns) buf_byte(out, ',');
			csv_cell(out, buf_get(&cell));
		}
		buf_byte(out, '\n');
	}
}

static void json_line(struct buf *out, const struct json *v) {
	struct json_out o = json_out(out);
	json_put_value(&o, v);
	buf_byte(out, '\n');
}

static void json_rows(struct buf *out, struct out_table *t, const struct json *array) {
	if (!t->headed) buf_byte(out, '[');
	json_each(row, array) {
		struct json_out o = json_out(out);
		if (t->any) buf_byte(out, ',');
		json_put_value(&o, row);
		t->any = true;
	}
}

void out_page(struct buf *out, struct out_table *t, const struct json *array) {
	switch (t->format) {
	case OUT_TABLE: table(out, t, array); break;
	case OUT_CSV: csv(out, t, array); break;
	case OUT_JSON: json_rows(out, t, array); break;
	case OUT_JSONL: json_each(row, array) json_line(out, row);
	}
	t->headed = true;
}

void out_end(struct buf *out, struct out_table *t) {
	if (t->format == OUT_JSON) buf_c(out, t->headed ? "]\n" : "[]\n");
}

void out_rows(struct buf *out, enum out_format f, const struct out_column *columns, const struct json *array) {
	struct out_table t = { .format = f, .columns = columns };
	out_page(out, &t, array);
	out_end(out, &t);
}

/* ---- one object ---- */

#define FIELD_PATH_MAX 512

struct fields {
	struct buf *out;
	enum out_format format;
	size_t width; /* of the longest path, in a table */
	bool measuring;
};

static void field(struct fields *f, const char *path, const struct json *v) {
	CLEANUP(buf_done) struct buf cell;
	size_t n = strlen(path);
	buf_init(&cell, 1 << 20);
	if (f->measuring) {
		if (n > f->width) f->width = n;
		return;
	}
	out_cell(&cell, v);
	if (f->format == OUT_CSV) {
		csv_cell(f->out, str_of(path));
		buf_byte(f->out, ',');
		csv_cell(f->out, buf_get(&cell));
	} else {
		size_t from = f->out->n;
		buf_printf(f->out, "%-*s  ", (int)f->width, path);
		buf_str(f->out, buf_get(&cell));
		printable(f->out, from);
	}
	buf_byte(f->out, '\n');
}

static bool plain(const struct json *v) {
	if (v->kind == JSON_OBJECT) return !v->child;
	return v->kind != JSON_ARRAY || !v->child || (v->child->kind != JSON_OBJECT && v->child->kind != JSON_ARRAY);
}

static void fields_of(struct fields *f, const char *path, const struct json *v) {
	size_t i = 0;
	json_each(m, v) {
		char at[FIELD_PATH_MAX];
		const char *dot = *path ? "." : "";
		if (v->kind == JSON_OBJECT)
			snprintf(at, sizeof at, "%s%s" STR_FMT, path, dot, STR_ARG(m->key));
		else
			snprintf(at, sizeof at, "%s%s%zu", path, dot, i++);
		if (plain(m))
			field(f, at, m);
		else
			fields_of(f, at, m);
	}
}

void out_object(struct buf *out, enum out_format f, const struct json *object) {
	struct fields fields = { .out = out, .format = f, .measuring = true, .width = strlen("FIELD") };
	if (f == OUT_JSON || f == OUT_JSONL) {
		json_line(out, object);
		return;
	}
	fields_of(&fields, "", object);
	fields.measuring = false;
	if (f == OUT_CSV)
		buf_c(out, "field,value\n");
	else
		buf_printf(out, "%-*s  VALUE\n", (int)fields.width, "FIELD");
	fields_of(&fields, "", object);
}
