#include "cli/words.h"

#include <string.h>

#include "sim/run/demo_text.h"

#define COLUMNS_MIN 40 /* a narrower window folds by itself */

/* What a line says, by how its text begins; the first that fits. */
static const struct {
	const char *begins;
	enum demo_tone tone;
} tones[] = {
	{ "Incident ", DEMO_BOLD }, { "Action ", DEMO_BOLD }, { "VERIFIED", DEMO_GOOD },
	{ "over:", DEMO_GOOD },     { "found:", DEMO_BAD },   { "cause:", DEMO_WARN },
	{ "FAILED", DEMO_BAD },     { "refused", DEMO_BAD },  { "handed to a person", DEMO_ACT },
	{ "handler ", DEMO_ACT },   { "done:", DEMO_ACT },
};

static enum demo_tone tone_of(struct str text) {
	for (size_t i = 0; i < sizeof tones / sizeof *tones; i++)
		if (str_starts(text, str_of(tones[i].begins))) return tones[i].tone;
	return DEMO_PLAIN;
}

/* Bytes before the line's text: behind its last column, as far as that leaves room for text. */
static size_t text_begins(struct str line, size_t columns) {
	size_t at = 0;
	for (size_t i = 0; i + 2 < line.n; i++) {
		if (line.p[i] != ' ' || line.p[i + 1] != ' ') continue;
		while (i < line.n && line.p[i] == ' ') i++;
		if (i > columns * 3 / 5) break;
		at = i;
	}
	return at < line.n ? at : 0;
}

static void write_line(struct str line, struct words_style s, struct buf *out) {
	struct demo_style style = { .color = s.color };
	size_t columns = (size_t)s.columns, at = text_begins(line, columns);
	struct str rest = { line.p + at, line.n - at };
	size_t indent = demo_columns((struct str){ line.p, at });
	enum demo_tone tone = tone_of(rest);
	size_t hang = indent + (str_starts(rest, STR("- ")) ? 2 : 0);
	buf_add(out, line.p, at);
	if (tone != DEMO_PLAIN) buf_c(out, demo_paint(style, tone));
	for (size_t left = columns - indent; rest.n; left = columns - hang) {
		struct str row = demo_fold(&rest, left);
		buf_str(out, row);
		if (rest.n) buf_printf(out, "\n%*s", (int)hang, "");
	}
	if (tone != DEMO_PLAIN) buf_c(out, demo_paint(style, DEMO_PLAIN));
	buf_byte(out, '\n');
}

void words_write(struct str text, struct words_style s, struct buf *out) {
	if (s.columns < COLUMNS_MIN) {
		buf_str(out, text);
		return;
	}
	for (struct str line, rest = text; rest.n;) {
		(void)str_cut(rest, '\n', &line, &rest);
		write_line(line, s, out);
	}
}
