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

RUN(a_table_lines_up_and_hides_control_bytes, csv_quotes_what_must_be_quoted, json_prints_the_objects_whole)
