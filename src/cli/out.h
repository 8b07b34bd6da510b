/* What verbs print: one array of JSON objects or one object, as table, csv, json or jsonl. */
#pragma once

#include "base/json.h"

enum out_format { OUT_TABLE, OUT_CSV, OUT_JSON, OUT_JSONL };

/* How a cell of a table is written; csv, json and jsonl always give what was read, whole. */
enum out_style {
	OUT_AS_IS,
	OUT_TIME,  /* an RFC 3339 time, to the second, without its zone: the header says UTC */
	OUT_ROUND, /* a number, to three digits */
	OUT_SHARE, /* 0..1, in percent */
	OUT_STATE, /* of an incident or action: in its colour, where there are colours */
};

#define OUT_COLUMNS_MAX 32

struct out_column {
	const char *header; /* "AGE" in tables */
	const char *path;   /* "cause.entity": into each object */
	enum out_style style;
	unsigned spare; /* in a window that is too narrow those with the most go first; 0: stays */
	bool cut;       /* and then this one's cells may be cut */
};
#define COLUMN_END \
	{ .header = NULL }

/* Rows that come page by page: one header, and columns that only grow. */
struct out_table {
	enum out_format format;
	const struct out_column *columns;
	bool color;    /* of OUT_TABLE only */
	size_t window; /* columns of the terminal; 0: as wide as it gets. Of OUT_TABLE only */
	size_t widths[OUT_COLUMNS_MAX];
	bool left_out[OUT_COLUMNS_MAX], any_left_out;
	bool headed; /* the header is out; of OUT_JSON the array is open */
	bool any;    /* rows are */
};

bool out_format_parse(struct str s, enum out_format *out);
/* Rows of `array` by `columns`; json and jsonl print the objects whole. Appends to `out`. */
void out_rows(struct buf *out, enum out_format f, const struct out_column *columns, const struct json *array);
/* The same, a page at a time; out_end closes the array of OUT_JSON, and is nothing to the others. */
void out_page(struct buf *out, struct out_table *t, const struct json *array);
void out_end(struct buf *out, struct out_table *t);
/* One object: whole as json and jsonl, else its scalars one a row, "cause.0.entity" and the value. */
void out_object(struct buf *out, enum out_format f, const struct json *object);
/* A value as a cell: strings bare, numbers as written, arrays of scalars joined by ",", objects as JSON. */
void out_cell(struct buf *out, const struct json *v);
