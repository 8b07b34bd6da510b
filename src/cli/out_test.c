#include "cli/out.h"

#include "base/test.h"

static const struct out_column columns[] = {
	{ "ID", "id" }, { "CAUSE", "cause.entity" }, { "TAGS", "tags" }, COLUMN_END
};

static void prints(struct t *t, enum out_format f, const char *json, const char *want) {
	const struct json *array = NULL;
	struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(json_parse(t->arena, str_of(json), &array, NULL));
	out_rows(&b, f, columns, array);
	if (!str_is(buf_get(&b), want)) fprintf(stderr, "got:\n%.*s", (int)b.n, b.p);
	EXPECT(str_is(buf_get(&b), want));
	buf_done(&b);
}

#define ROWS \
	"[{\"id\":\"a\",\"cause\":{\"entity\":\"service/p\\u0007,\\\"x\\\"\"},\"tags\":[1,2]},{\"id\":\"long-id\"}]"

TEST(a_table_lines_up_and_hides_control_bytes) {
	prints(t, OUT_TABLE, ROWS,
	       "ID       CAUSE           TAGS\na        service/p ,\"x\"  1,2\nlong-id                  \n");
	prints(t, OUT_TABLE, "[]", "ID  CAUSE  TAGS\n");
}

TEST(csv_quotes_what_must_be_quoted) {
	prints(t, OUT_CSV, ROWS, "id,cause.entity,tags\na,\"service/p\a,\"\"x\"\"\",\"1,2\"\nlong-id,,\n");
}

TEST(json_prints_the_objects_whole) {
	prints(t, OUT_JSON, "[{\"id\":1.50,\"x\":null}]", "[{\"id\":1.50,\"x\":null}]\n");
	prints(t, OUT_JSONL, "[{\"id\":1},{\"id\":2}]", "{\"id\":1}\n{\"id\":2}\n");
}

/* Pages are one table: a header once, columns that keep their place or move outwards. */
TEST(pages_have_one_header) {
	static const char *const pages[] = { "[{\"id\":\"a\"}]", "[]", "[{\"id\":\"longer\",\"tags\":[1]}]",
		                                 "[{\"id\":\"b\"}]" };
	static const struct {
		enum out_format format;
		const char *want;
	} cases[] = {
		{ OUT_TABLE, "ID  CAUSE  TAGS\na          \nlonger         1\nb              \n" },
		{ OUT_CSV, "id,cause.entity,tags\na,,\nlonger,,1\nb,,\n" },
		{ OUT_JSONL, "{\"id\":\"a\"}\n{\"id\":\"longer\",\"tags\":[1]}\n{\"id\":\"b\"}\n" },
		{ OUT_JSON, "[{\"id\":\"a\"},{\"id\":\"longer\",\"tags\":[1]},{\"id\":\"b\"}]\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct out_table table = { .format = cases[i].format, .columns = columns };
		CLEANUP(buf_done) struct buf b;
		buf_init(&b, 0);
		for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) {
			const struct json *array = NULL;
			EXPECT_OK(json_parse(t->arena, str_of(pages[k]), &array, NULL));
			out_page(&b, &table, array);
		}
		out_end(&b, &table);
		if (!str_is(buf_get(&b), cases[i].want)) test_fail(t, __FILE__, __LINE__, str_c(t->arena, buf_get(&b)));
	}
}

static void object(struct t *t, enum out_format f, const char *json, const char *want) {
	const struct json *v = NULL;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(json_parse(t->arena, str_of(json), &v, NULL));
	out_object(&b, f, v);
	if (!str_is(buf_get(&b), want)) test_fail(t, __FILE__, __LINE__, str_c(t->arena, buf_get(&b)));
}

TEST(an_object_is_printed_in_every_form) {
	static const char *const v =
		"{\"a\":{\"b\":1.50,\"c\":[\"x\",\"y\"]},\"d\":[{\"e\":\"f,\\u0007\"}],\"g\":null,\"h\":[]}";
	object(t, OUT_JSON, "{\"a\":1}", "{\"a\":1}\n");
	object(t, OUT_JSONL, "{\"a\":1}", "{\"a\":1}\n");
	object(t, OUT_CSV, v, "field,value\na.b,1.50\na.c,\"x,y\"\nd.0.e,\"f,\a\"\ng,\nh,\n");
	object(t, OUT_TABLE, v, "FIELD  VALUE\na.b    1.50\na.c    x,y\nd.0.e  f, \ng      \nh      \n");
	object(t, OUT_CSV, "{}", "field,value\n");
}

TEST(tables_round_for_people_and_csv_does_not) {
	static const struct out_column styled[] = {
		{ "T", "t", OUT_TIME }, { "N", "n", OUT_ROUND }, { "S", "s", OUT_SHARE }, COLUMN_END
	};
	const struct json *array = NULL;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	EXPECT_OK(json_parse(
		t->arena,
		STR("[{\"t\":\"2026-01-05T10:03:12.250Z\",\"n\":0.62209114,\"s\":0.0544},{\"t\":\"soon\",\"n\":\"x\"}]"),
		&array, NULL));
	out_rows(&b, OUT_TABLE, styled, array);
	EXPECT(str_is(buf_get(&b),
	              "T                    N      S\n2026-01-05 10:03:12  0.622  5.44 %\nsoon                 x      \n"));
	buf_clear(&b);
	out_rows(&b, OUT_CSV, styled, array);
	EXPECT(str_is(buf_get(&b), "t,n,s\n2026-01-05T10:03:12.250Z,0.62209114,0.0544\nsoon,x,\n"));
}

/* In a narrow window the spare columns go, the most spare first; then what may be cut is; an ID stays whole. */
TEST(a_table_fits_its_window) {
	static const struct out_column some[] = {
		{ "ID", "id" },
		{ "OVER", "over", .spare = 2 },
		{ "CAUSE", "cause", .cut = true },
		{ "KIND", "kind", .spare = 1 },
		COLUMN_END,
	};
	static const struct {
		size_t window;
		const char *want;
	} cases[] = {
		{ 0, "ID          OVER   CAUSE                   KIND\n0123456789  later  service/recommendation  errors\n" },
		{ 49, "ID          OVER   CAUSE                   KIND\n0123456789  later  service/recommendation  errors\n" },
		{ 47, "ID          OVER   CAUSE                 KIND\n0123456789  later  service/recommendat~  errors\n" },
		{ 46, "ID          CAUSE                   KIND\n0123456789  service/recommendation  errors\n" },
		{ 36, "ID          CAUSE\n0123456789  service/recommendation\n" },
		{ 25, "ID          CAUSE\n0123456789  service/reco~\n" },
		{ 5, "ID          CAUSE\n0123456789  service/rec~\n" }, /* no more can go */
	};
	const struct json *array = NULL;
	EXPECT_OK(json_parse(t->arena,
	                     STR("[{\"id\":\"0123456789\",\"over\":\"later\",\"cause\":\"service/recommendation\",\"kind\":"
	                         "\"errors\"}]"),
	                     &array, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct out_table table = { .format = OUT_TABLE, .columns = some, .window = cases[i].window };
		CLEANUP(buf_done) struct buf b = { 0 };
		buf_init(&b, 0);
		out_page(&b, &table, array);
		if (!str_is(buf_get(&b), cases[i].want))
			fprintf(stderr, "%zu:\n" STR_FMT, cases[i].window, STR_ARG(buf_get(&b)));
		EXPECT(str_is(buf_get(&b), cases[i].want) && table.any_left_out == (cases[i].window && cases[i].window < 47));
	}
}

TEST(a_state_has_its_colour_and_keeps_its_column) {
	static const struct out_column some[] = { { "STATE", "s", OUT_STATE }, { "X", "x" }, COLUMN_END };
	const struct json *array = NULL;
	EXPECT_OK(json_parse(t->arena,
	                     STR("[{\"s\":\"open\",\"x\":1},{\"s\":\"resolved\",\"x\":2},{\"s\":\"told\",\"x\":3}]"),
	                     &array, NULL));
	for (int color = 0; color < 2; color++) {
		struct out_table table = { .format = OUT_TABLE, .columns = some, .color = color };
		CLEANUP(buf_done) struct buf b = { 0 };
		buf_init(&b, 0);
		out_page(&b, &table, array);
		EXPECT(str_is(buf_get(&b),
		              color ? "STATE     X\n\033[31mopen\033[0m      1\n\033[32mresolved\033[0m  2\ntold      3\n"
		                    : "STATE     X\nopen      1\nresolved  2\ntold      3\n"));
	}
}

RUN(a_table_lines_up_and_hides_control_bytes, csv_quotes_what_must_be_quoted, json_prints_the_objects_whole,
    pages_have_one_header, an_object_is_printed_in_every_form, tables_round_for_people_and_csv_does_not,
    a_table_fits_its_window, a_state_has_its_colour_and_keeps_its_column)
