/* What verbs print: one array of JSON objects, as table, csv, json or jsonl. */
#pragma once

#include "base/json.h"

enum out_format { OUT_TABLE, OUT_CSV, OUT_JSON, OUT_JSONL };

struct out_column {
	const char *header; /* "AGE" in tables */
	const char *path;   /* "cause.entity": into each object */
};
#define COLUMN_END \
	{ .header = NULL }

bool out_format_parse(struct str s, enum out_format *out);
/* Rows of `array` by `columns`; json and jsonl print the objects whole. Appends to `out`. */
void out_rows(struct buf *out, enum out_format f, const struct out_column *columns, const struct json *array);
/* A value as a cell: strings bare, numbers as written, arrays of scalars joined by ",", objects as JSON. */
void out_cell(struct buf *out, const struct json *v);
