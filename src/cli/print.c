#include "cli/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/words.h"

static const struct {
	enum out_format format;
	const char *name;
} formats[] = { { OUT_TABLE, "table" }, { OUT_CSV, "csv" }, { OUT_JSON, "json" }, { OUT_JSONL, "jsonl" } };

static enum err refuse_format(const struct verb *v, struct str given, struct why *why) {
	char list[64] = "";
	size_t n = 0;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!v->forms || v->forms & FORM(formats[i].format))
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", formats[i].name);
	if (!n) return why_set(why, ERR_INVALID, "%s prints nothing, so --output has no meaning here", v->name);
	return why_set(why, ERR_INVALID, "%s: --output takes %s, not '" STR_FMT "'", v->name, list, STR_ARG(given));
}

enum err cli_format(struct cli *c, const struct verb *v, struct why *why) {
	static const enum out_format piped[] = {
		[PIPED_JSON] = OUT_JSON, [PIPED_CSV] = OUT_CSV, [PIPED_TABLE] = OUT_TABLE
	};
	struct str given = args_get(&c->args, "output");
	c->format = c->terminal ? OUT_TABLE : piped[v->piped];
	if (!given.p) return OK;
	bool known = out_format_parse(given, &c->format);
	return known && (!v->forms || v->forms & FORM(c->format)) ? OK : refuse_format(v, given, why);
}

int cli_print(struct cli *c, struct str text) {
	if (c->out_over) return c->out_code;
	if ((!text.n || fwrite(text.p, 1, text.n, stdout) == text.n) && fflush(stdout) == 0) return EXIT_DONE;
	int wrong = errno;
	c->out_over = true;
	c->out_code = wrong == EPIPE
	                  ? EXIT_DONE
	                  : cli_fail(c, EXIT_USAGE, "standard output: %s; what was printed is not whole", strerror(wrong));
	return c->out_code;
}

int print_words(struct cli *c, struct str text) {
	CLEANUP(buf_done) struct buf b = { 0 };
	buf_init(&b, 0);
	words_write(text, (struct words_style){ c->columns, c->color }, &b);
	return cli_print(c, buf_get(&b));
}

static int print_buf(struct cli *c, struct buf *b) {
	int code = b->err ? cli_fail(c, EXIT_UNREACHABLE, "%s", err_text(b->err)) : cli_print(c, buf_get(b));
	buf_done(b);
	return code;
}

int print_page(struct cli *c, struct out_table *t, const struct json *array) {
	struct buf b;
	buf_init(&b, 0);
	out_page(&b, t, array);
	return print_buf(c, &b);
}

/* Whoever misses a column is told where it is. */
static void tell_left_out(const struct cli *c, const struct out_table *t) {
	if (t->any_left_out && !c->quiet && isatty(2))
		fprintf(stderr, "The window is narrow: some columns are left out; -o csv has them all.\n");
}

int print_end(struct cli *c, struct out_table *t) {
	struct buf b;
	buf_init(&b, 0);
	out_end(&b, t);
	int code = print_buf(c, &b);
	tell_left_out(c, t);
	return code;
}

int print_rows(struct cli *c, const struct out_column *columns, const struct json *array) {
	struct out_table t = { .format = c->format, .columns = columns, .color = c->color, .window = (size_t)c->columns };
	int code = print_page(c, &t, array);
	return code ? code : print_end(c, &t);
}

int print_object(struct cli *c, const struct json *object) {
	struct buf b;
	buf_init(&b, 0);
	out_object(&b, c->format, object);
	return print_buf(c, &b);
}

int print_made(struct cli *c, const struct out_column *columns, const struct buf *json) {
	const struct json *v = NULL;
	struct why why = { "" };
	enum err e = json->err ? json->err : json_parse(&c->arena, str_copy(&c->arena, buf_get(json)), &v, &why);
	if (e) return cli_fail(c, EXIT_UNREACHABLE, "%s", why.text[0] ? why.text : err_text(e));
	return columns ? print_rows(c, columns, v) : print_object(c, v);
}
