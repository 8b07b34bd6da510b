#include "cli/out.h"

#include <stdio.h>
#include <string.h>

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

/* A cell and what fills its column; nothing fills the last one. */
static void padded(struct buf *out, const struct out_table *t, size_t column, struct str text) {
	buf_str(out, text);
	if (!t->columns[column + 1].header) return;
	for (size_t w = columns_of(text); w < t->widths[column] + 2; w++) buf_byte(out, ' ');
}

static void table(struct buf *out, struct out_table *t, const struct json *array) {
	CLEANUP(buf_done) struct buf cell;
	buf_init(&cell, 1 << 20);
	widen(t, &cell, array);
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
