#include "base/log.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/test.h"

/* Keeps the last line. */
struct kept {
	struct log log;
	enum log_level level;
	const char *event;
	char fields[LOG_FIELDS_MAX + 1];
	size_t n;
	int lines;
};

static void keep(struct log *log, enum log_level level, const char *event, struct str fields) {
	struct kept *k = (struct kept *)log;
	k->level = level;
	k->event = event;
	k->n = fields.n;
	memcpy(k->fields, fields.p, fields.n);
	k->fields[fields.n] = '\0';
	k->lines++;
}

#define LINE(want, ...)                                           \
	do {                                                          \
		log_event(&k.log, LOG_WARN, "x.y", __VA_ARGS__);          \
		if (strcmp(k.fields, want) != 0) fputs(k.fields, stderr); \
		EXPECT(strcmp(k.fields, want) == 0);                      \
	} while (0)

TEST(conversions_are_printfs) {
	struct kept k = { .log = { keep, LOG_INFO } };
	LINE("a=-1 b=2 c=3 d=ff e=Ff", "a=%d b=%u c=%i d=%x e=F%x", -1, 2u, 3, 255u, 15u);
	LINE("a=-5000000000 b=18446744073709551615 c=7", "a=%lld b=%llu c=%zu", -5000000000LL, ~0ULL, (size_t)7);
	LINE("a=-5 b=5 c=1f", "a=%ld b=%lu c=%llx", -5L, 5UL, 31ULL);
	LINE("[   42] [42   ] [00042] [+42] [  042]", "[%5d] [%-5d] [%05d] [%+d] [%5.3d]", 42, 42, 42, 42, 42);
	LINE("[    7] [7    ] [3.142]", "[%*d] [%-*d] [%.*f]", 5, 7, 5, 7, 3, 3.14159);
	LINE("a=1.5 b=0.333333 c=1e+10 d=50%", "a=%.1f b=%f c=%g d=%d%%", 1.5, 1 / 3.0, 1e10, 50);
	LINE("a=x b=inf c=nan", "a=%c b=%f c=%f", 'x', INFINITY, fabs(NAN));
	LINE("a=-3 b=-4 c=9", "a=%hd b=%hhd c=%jd", (short)-3, (signed char)-4, (intmax_t)9);
}

TEST(strings_are_quoted_when_they_must_be) {
	struct kept k = { .log = { keep, LOG_INFO } };
	LINE("path=/var/lib", "path=%s", "/var/lib");
	LINE("path=\"/a b\"", "path=%s", "/a b");
	LINE("path=\"\" next=1", "path=%s next=%d", "", 1);
	const char *volatile none = NULL; /* volatile: not for the compiler to see */
	LINE("path=- next=1", "path=%s next=%d", none, 1);
	LINE("a=\"say \\\"hi\\\"\"", "a=%s", "say \"hi\"");
	LINE("a=\"b=c\"", "a=%s", "b=c");
	LINE("a=\"\\\\\"", "a=%s", "\\");
	LINE("a=\"x\\ny\\r\\t\\x1b[0m\\x7f\"", "a=%s", "x\ny\r\t\x1b[0m\x7f");
	LINE("a=\"\xc3\xa9\" b=\"\\xff\" c=\"\\u0085\" d=\"\\u2028\\u2029\"", "a=%s b=%s c=%s d=%s", "\xc3\xa9", "\xff",
	     "\xc2\x85", "\xe2\x80\xa8\xe2\x80\xa9");
	LINE("s=abc t=\"a b\"", "s=%.*s t=" STR_FMT, 3, "abcdef", STR_ARG(STR("a b")));
	LINE("a=\"\\\"\" b=\"\\n\"", "a=%c b=%c", '"', '\n');
}

TEST(between_the_formats_own_quotes_a_string_is_escaped_only) {
	struct kept k = { .log = { keep, LOG_INFO } };
	LINE("why=\"could not: a b\" n=1", "why=\"could not: %s\" n=%d", "a b", 1);
	LINE("why=\"x\\\" level=error\"", "why=\"%s\"", "x\" level=error");
	LINE("a=\"\" b=\"\"", "a=\"%s\" b=%s", "", "");
}

TEST(levels_below_are_not_made_and_no_log_is_no_crash) {
	struct kept k = { .log = { keep, LOG_WARN } };
	log_event(&k.log, LOG_INFO, "a", "x=%d", 1);
	EXPECT(k.lines == 0);
	log_event(&k.log, LOG_WARN, "a", "x=%d", 1);
	log_event(&k.log, LOG_ERROR, "b", "x=%d", 2);
	EXPECT(k.lines == 2 && k.level == LOG_ERROR && strcmp(k.event, "b") == 0);
	log_event(NULL, LOG_ERROR, "c", "x=%d", 1);
	log_plain(NULL, LOG_ERROR, "c");
	log_plain(&k.log, LOG_INFO, "d");
	EXPECT(k.lines == 2);
	log_plain(&k.log, LOG_WARN, "d");
	EXPECT(k.lines == 3 && k.n == 0 && strcmp(k.event, "d") == 0);
}

/* Reads logfmt back; false when the line is not what a reader could take apart. */
static bool next_field(const char **p, struct str *key, char *value, size_t *n) {
	const char *from = *p;
	*n = 0;
	while (**p && **p != '=' && **p != ' ') ++*p;
	*key = (struct str){ from, (size_t)(*p - from) };
	if (*(*p)++ != '=') return false;
	bool quoted = **p == '"';
	if (quoted) ++*p;
	while (**p && (quoted ? **p != '"' : **p != ' ')) {
		if (!quoted && (**p == '"' || **p == '=')) return false;
		if (quoted && **p == '\\') {
			value[(*n)++] = *(*p)++;
			if (!**p) return false;
		}
		value[(*n)++] = *(*p)++;
	}
	if (quoted && *(*p)++ != '"') return false;
	if (**p == ' ')
		++*p;
	else if (**p)
		return false;
	return true;
}

/* Whatever a value holds, a line has its own fields, no others, and no byte that moves a terminal. */
TEST(no_value_forges_a_field_or_a_line, .seeds = 5000) {
	struct kept k = { .log = { keep, LOG_DEBUG } };
	char a[40], b[3000], value[4000];
	const char *alphabet = "ab =\"\\\n\t\x01\x1b\x7f\x80\xc2\x85\xe2\x80\xa8\xff";
	size_t na = (size_t)rng_below(&t->rng, sizeof a), n;
	size_t nb = (size_t)rng_below(&t->rng, rng_below(&t->rng, 10) ? 40 : 3000);
	for (size_t i = 0; i < na; i++) a[i] = alphabet[rng_below(&t->rng, 19)];
	for (size_t i = 0; i < nb; i++) b[i] = alphabet[rng_below(&t->rng, 19)];
	log_event(&k.log, LOG_INFO, "x", "first=%.*s n=%d said=\"%.*s\" last=%.*s", (int)na, a, 5, (int)nb, b, (int)nb, b);
	EXPECT(k.n <= LOG_FIELDS_MAX && strlen(k.fields) == k.n && str_is_utf8((struct str){ k.fields, k.n }));
	for (size_t i = 0; i < k.n; i++) EXPECT((unsigned char)k.fields[i] >= 0x20 && k.fields[i] != 0x7f);
	const char *p = k.fields;
	static const char *const keys[] = { "first", "n", "said", "last" };
	for (size_t i = 0; *p; i++) {
		struct str key;
		EXPECT(next_field(&p, &key, value, &n));
		bool cut = !*p && str_is(key, "cut") && n == 4;
		EXPECT(cut || (i < 4 && str_is(key, keys[i])));
		EXPECT(cut || i != 1 || (n == 1 && *value == '5'));
		EXPECT(!cut || k.n > LOG_FIELDS_MAX - 30);
	}
}

TEST(a_long_line_is_cut_and_says_so) {
	struct kept k = { .log = { keep, LOG_INFO } };
	char text[5000] = "";
	memset(text, 'x', sizeof text - 1);
	log_event(&k.log, LOG_INFO, "x", "a=%s b=%d", text, 1);
	EXPECT(k.n <= LOG_FIELDS_MAX && strcmp(k.fields + k.n - 9, " cut=true") == 0 && k.fields[100] == 'x');
	text[10] = ' ';
	log_event(&k.log, LOG_INFO, "x", "a=%s b=%d", text, 1);
	EXPECT(k.n <= LOG_FIELDS_MAX && strcmp(k.fields + k.n - 10, "\" cut=true") == 0);
	log_event(&k.log, LOG_INFO, "x", "a=%f", DBL_MAX);
	EXPECT(k.n == 2 + 309 + 7);
}

static void append(struct log_stream *s, struct str line) {
	buf_str(s->ctx, line);
}

TEST(a_stream_makes_whole_lines) {
	struct buf b;
	struct fake_clock c;
	struct log_stream s;
	buf_init(&b, 0);
	fake_clock_init(&c, (struct wall){ INT64_C(1767607392250000000) });
	log_stream_init(&s, &c.clock, LOG_INFO, append, &b);
	log_event(&s.log, LOG_DEBUG, "not.this", "a=%d", 1);
	log_event(&s.log, LOG_WARN, "wal.slow", "fsync_ms=%d", 12);
	EXPECT(str_is(buf_get(&b), "time=2026-01-05T10:03:12.250Z level=warn event=wal.slow fsync_ms=12\n"));
	buf_clear(&b);
	log_stream_init(&s, NULL, LOG_DEBUG, append, &b);
	log_plain(&s.log, LOG_ERROR, "x");
	EXPECT(str_is(buf_get(&b), "level=error event=x\n"));
	buf_done(&b);
}

TEST(level_names_read_back) {
	for (int i = LOG_DEBUG; i <= LOG_ERROR; i++) {
		enum log_level level = LOG_DEBUG;
		EXPECT(log_level_parse(str_of(log_level_name((enum log_level)i)), &level) && (int)level == i);
	}
	enum log_level level = LOG_WARN;
	EXPECT(!log_level_parse(STR("loud"), &level) && level == LOG_WARN);
}

RUN(conversions_are_printfs, strings_are_quoted_when_they_must_be,
    between_the_formats_own_quotes_a_string_is_escaped_only, levels_below_are_not_made_and_no_log_is_no_crash,
    no_value_forges_a_field_or_a_line, a_long_line_is_cut_and_says_so, a_stream_makes_whole_lines,
    level_names_read_back)
