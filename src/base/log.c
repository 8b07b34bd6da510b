#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* One line's fields. What no longer fits is left out in whole characters. */
struct line {
	char p[LOG_FIELDS_MAX];
	size_t n;
	bool quoted; /* between quotes of the format's own */
	bool cut;
};

#define CUT      " cut=true"
#define ROOM_MAX (LOG_FIELDS_MAX - sizeof CUT - 1) /* room for a closing quote and CUT */

static void add(struct line *l, const char *p, size_t n) {
	if (l->cut || n > ROOM_MAX - l->n) {
		l->cut = true;
		return;
	}
	memcpy(l->p + l->n, p, n);
	l->n += n;
}

/* A byte or a sequence that would end a line, drive a terminal or close a quote. */
static void add_escaped(struct line *l, struct str s) {
	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];
		n = str_utf8((struct str){ s.p + i, s.n - i });
		char hex[8];
		if (c == '"' || c == '\\') {
			add(l, (char[]){ '\\', (char)c }, 2);
		} else if (c == '\n' || c == '\t' || c == '\r') {
			add(l, (char[]){ '\\', c == '\n' ? 'n' : c == '\t' ? 't' : 'r' }, 2);
		} else if (c < 0x20 || c == 0x7f || n == 0) {
			snprintf(hex, sizeof hex, "\\x%02x", c);
			add(l, hex, 4);
			n = 1;
		} else if (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0) { /* C1 controls */
			snprintf(hex, sizeof hex, "\\u%04x", (unsigned char)s.p[i + 1]);
			add(l, hex, 6);
		} else if (n == 3 && c == 0xe2 && (memcmp(s.p + i, "\u2028", 3) == 0 || memcmp(s.p + i, "\u2029", 3) == 0)) {
			add(l, s.p[i + 2] == "\u2028"[2] ? "\\u2028" : "\\u2029", 6);
		} else {
			add(l, s.p + i, n);
		}
	}
}

static bool needs_quotes(struct str s) {
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return true;
	}
	return s.n == 0;
}

static void add_value(struct line *l, struct str s) {
	bool quotes = !l->quoted && needs_quotes(s);
	if (quotes) add(l, "\"", 1);
	bool whole = !l->cut;
	add_escaped(l, s);
	if (quotes && whole && l->cut)
		l->quoted = true; /* the end of the line closes it */
	else if (quotes)
		add(l, "\"", 1);
}

/* The author's own text: trusted but for what would break the line. */
static void add_literal(struct line *l, const char *p, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (l->cut) return;
		char c = (unsigned char)p[i] < 0x20 ? ' ' : p[i];
		add(l, &c, 1);
		if (c == '"' && !l->cut) l->quoted = !l->quoted;
	}
}

/* One conversion of the format, its stars already read. */
struct spec {
	char text[24]; /* flags and length, without width and precision: "%-" "ll" 'd' */
	int width, precision;
	char length; /* 0, 'H' for hh, 'h', 'l', 'L' for ll, 'z', 'j', 't' */
	char conversion;
};

static int number(const char **p) {
	int v = 0;
	for (; **p >= '0' && **p <= '9'; ++*p) v = v < 10000 ? v * 10 + (**p - '0') : v;
	return v;
}

static void read_length(const char **p, struct spec *s) {
	char c = **p;
	if (!c || !strchr("hlzjt", c)) return;
	++*p;
	bool twice = (c == 'h' || c == 'l') && **p == c;
	if (twice) ++*p;
	s->length = twice ? (c == 'h' ? 'H' : 'L') : c;
}

/* Stars are read where they stand, so the arguments stay in order. */
#define NUMBER_OR_STAR(p, ap) (*(p) == '*' ? ((p)++, va_arg(ap, int)) : number(&(p)))

static const char *length_text(char length) {
	switch (length) {
	case 'H': return "hh";
	case 'h': return "h";
	case 'l': return "l";
	case 'L': return "ll";
	case 'z': return "z";
	case 'j': return "j";
	case 't': return "t";
	default: return "";
	}
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#define FORMAT(T)                                                                   \
	(s->precision < 0 ? snprintf(out, size, s->text, s->width, va_arg(args->ap, T)) \
	                  : snprintf(out, size, s->text, s->width, s->precision, va_arg(args->ap, T)))

/* A va_list inside a struct, so that helpers can move it on. */
struct args {
	va_list ap;
};

static int format_integer(char *out, size_t size, const struct spec *s, struct args *args) {
	switch (s->length) {
	case 'l': return FORMAT(long);
	case 'L': return FORMAT(long long);
	case 'z': return FORMAT(size_t);
	case 'j': return FORMAT(intmax_t);
	case 't': return FORMAT(ptrdiff_t);
	default: return FORMAT(int);
	}
}

static int format_double(char *out, size_t size, const struct spec *s, struct args *args) {
	return FORMAT(double);
}
#pragma GCC diagnostic pop

static int format_pointer(char *out, size_t size, struct args *args) {
	return snprintf(out, size, "%p", va_arg(args->ap, void *));
}

static void add_string(struct line *l, const struct spec *s, struct args *args) {
	const char *p = va_arg(args->ap, const char *);
	if (!p) p = "-";
	add_value(l, (struct str){ p, s->precision < 0 ? strlen(p) : strnlen(p, (size_t)s->precision) });
}

static void add_conversion(struct line *l, const struct spec *s, struct args *args) {
	char out[400]; /* %f of DBL_MAX has 309 digits before the point */
	int n = -1;
	if (s->conversion == '%') {
		add_literal(l, "%", 1);
		return;
	}
	if (s->conversion == 's') {
		add_string(l, s, args);
		return;
	}
	if (s->conversion == 'c') {
		char c = (char)va_arg(args->ap, int);
		add_value(l, (struct str){ &c, 1 });
		return;
	}
	if (strchr("diuxXo", s->conversion)) n = format_integer(out, sizeof out, s, args);
	if (strchr("fFeEgGaA", s->conversion)) n = format_double(out, sizeof out, s, args);
	if (s->conversion == 'p') n = format_pointer(out, sizeof out, args);
	assert(n >= 0); /* a conversion this function does not know */
	add(l, out, (size_t)n < sizeof out ? (size_t)n : sizeof out - 1);
}

/* From after the '%' to after the conversion's letter. */
static const char *read_spec(const char *p, struct spec *s, struct args *args) {
	*s = (struct spec){ .precision = -1 };
	char flags[8] = "";
	for (size_t n = 0; *p && strchr("-+ #0", *p); p++) {
		if (n + 1 < sizeof flags) flags[n++] = *p;
	}
	s->width = NUMBER_OR_STAR(p, args->ap);
	if (*p == '.') {
		p++;
		s->precision = NUMBER_OR_STAR(p, args->ap);
	}
	read_length(&p, s);
	s->conversion = *p;
	assert(s->conversion);
	snprintf(s->text, sizeof s->text, "%%%s*%s%s%c", flags, s->precision < 0 ? "" : ".*", length_text(s->length),
	         s->conversion);
	return p + 1;
}

static void fill(struct line *l, const char *fmt, struct args *args) {
	while (*fmt && !l->cut) {
		size_t plain = strcspn(fmt, "%");
		add_literal(l, fmt, plain);
		fmt += plain;
		if (!*fmt) break;
		struct spec s;
		fmt = read_spec(fmt + 1, &s, args);
		add_conversion(l, &s, args);
	}
	if (!l->cut) return;
	if (l->quoted) l->p[l->n++] = '"';
	memcpy(l->p + l->n, CUT, sizeof CUT - 1);
	l->n += sizeof CUT - 1;
}

void log_fields(struct buf *out, const char *fmt, va_list ap) {
	struct line l = { .n = 0 };
	struct args args;
	va_copy(args.ap, ap);
	fill(&l, fmt, &args);
	va_end(args.ap);
	buf_add(out, l.p, l.n);
}

void log_event(struct log *log, enum log_level level, const char *event, const char *fmt, ...) {
	if (!log || level < log->level) return;
	struct line l;
	l.n = 0;
	l.quoted = l.cut = false;
	struct args args;
	va_start(args.ap, fmt);
	fill(&l, fmt, &args);
	va_end(args.ap);
	log->write(log, level, event, (struct str){ l.p, l.n });
}

void log_plain(struct log *log, enum log_level level, const char *event) {
	if (!log || level < log->level) return;
	log->write(log, level, event, STR(""));
}

static const char *const levels[] = { "debug", "info", "warn", "error" };

const char *log_level_name(enum log_level level) {
	return (size_t)level < 4 ? levels[level] : "unknown";
}

bool log_level_parse(struct str s, enum log_level *out) {
	for (size_t i = 0; i < 4; i++) {
		if (!str_is(s, levels[i])) continue;
		*out = (enum log_level)i;
		return true;
	}
	return false;
}

static void stream_write(struct log *log, enum log_level level, const char *event, struct str fields) {
	struct log_stream *s = (struct log_stream *)log;
	char time[32] = "", p[LOG_FIELDS_MAX + 256];
	if (s->clock) wall_format(clock_wall(s->clock), time);
	int n = snprintf(p, sizeof p, "%s%s%slevel=%s event=%.128s%s%.*s\n", s->clock ? "time=" : "", time,
	                 s->clock ? " " : "", log_level_name(level), event, fields.n ? " " : "", STR_ARG(fields));
	assert(n > 0 && (size_t)n < sizeof p);
	s->put(s, (struct str){ p, (size_t)n });
}

void log_stream_init(struct log_stream *s, struct clock *clock, enum log_level level,
                     void (*put)(struct log_stream *, struct str), void *ctx) {
	*s = (struct log_stream){ .log = { stream_write, level }, .clock = clock, .put = put, .ctx = ctx };
}
