#include "cli/out.h"

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

static void cell_text(struct buf *cell, const struct json *row, const char *path) {
	buf_clear(cell);
	out_cell(cell, json_path(row, path));
	printable(cell, 0);
}

static void table(struct buf *out, const struct out_column *columns, const struct json *array) {
	size_t widths[32] = { 0 }, n = 0;
	struct buf cell;
	buf_init(&cell, 1 << 20);
	for (; columns[n].header && n < 32; n++) {
		widths[n] = strlen(columns[n].header);
		json_each(row, array) {
			cell_text(&cell, row, columns[n].path);
			size_t w = columns_of(buf_get(&cell));
			if (w > widths[n]) widths[n] = w;
		}
	}
	for (size_t i = 0; i < n; i++)
		buf_printf(out, i + 1 < n ? "%-*s  " : "%*s", i + 1 < n ? (int)widths[i] : 0, columns[i].header);
	buf_byte(out, '\n');
	json_each(row, array) {
		for (size_t i = 0; i < n; i++) {
			cell_text(&cell, row, columns[i].path);
			buf_str(out, buf_get(&cell));
			for (size_t w = columns_of(buf_get(&cell)); i + 1 < n && w < widths[i] + 2; w++) buf_byte(out, ' ');
		}
		buf_byte(out, '\n');
	}
	buf_done(&cell);
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

static void csv(struct buf *out, const struct out_column *columns, const struct json *array) {
	struct buf cell;
	buf_init(&cell, 1 << 20);
	for (const struct out_column *c = columns; c->header; c++)
		buf_printf(out, "%s%s", c == columns ? "" : ",", c->path);
	buf_byte(out, '\n');
	json_each(row, array) {
		for (const struct out_column *c = columns; c->header; c++) {
			buf_clear(&cell);
			out_cell(&cell, json_path(row, c->path));
			if (c != columns) buf_byte(out, ',');
			csv_cell(out, buf_get(&cell));
		}
		buf_byte(out, '\n');
	}
	buf_done(&cell);
}

void out_rows(struct buf *out, enum out_format f, const struct out_column *columns, const struct json *array) {
	if (f == OUT_TABLE) {
		table(out, columns, array);
	} else if (f == OUT_CSV) {
		csv(out, columns, array);
	} else if (f == OUT_JSON) {
		struct json_out o = json_out(out);
		json_put_value(&o, array);
		buf_byte(out, '\n');
	} else {
		json_each(row, array) {
			struct json_out o = json_out(out);
			json_put_value(&o, row);
			buf_byte(out, '\n');
		}
	}
}
