/* Whatever a server answers can be printed in every format, and drives no terminal. */
#include <assert.h>

#include "base/buf.h"
#include "cli/out.h"

static const struct out_column columns[] = {
	{ "ID", "id" },          { "TIME", "time", OUT_TIME },
	{ "N", "n", OUT_ROUND }, { "SHARE", "data.share", OUT_SHARE },
	{ "ALL", "data" },       COLUMN_END,
};

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
	struct arena a;
	const struct json *v = NULL;
	arena_init(&a, 64 << 20);
	if (size > 1 && !json_parse(&a, (struct str){ (const char *)data + 1, size - 1 }, &v, NULL)) {
		const enum out_format format = (enum out_format)(data[0] % 4);
		struct buf out;
		struct out_table t = { .format = format, .columns = columns };
		buf_init(&out, 64 << 20);
		out_rows(&out, format, columns, v);
		out_page(&out, &t, v);
		out_page(&out, &t, v);
		out_end(&out, &t);
		for (size_t i = 0; i < out.n && format == OUT_TABLE; i++) assert((unsigned char)out.p[i] != 0x1b);
		buf_done(&out);
	}
	arena_done(&a);
	return 0;
}
