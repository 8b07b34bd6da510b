#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *text;
} errs[] = {
#define X(name, text) [name] = { #name, text },
	ERR_TABLE(X)
#undef X
};

#define ERR_COUNT (sizeof errs / sizeof *errs)

const char *err_text(enum err e) {
	return (size_t)e < ERR_COUNT ? errs[e].text : "unknown error";
}

const char *err_name(enum err e) {
	return (size_t)e < ERR_COUNT ? errs[e].name : "ERR_UNKNOWN";
}

/* Steps back from `n` to the beginning of the UTF-8 sequence that a cut at n would split. */
static size_t cut_at(const char *p, size_t n) {
	while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80) n--;
	return n;
}

/* A sentence comes out whole or ends in "..."; a byte from outside cannot break the line. */
static void store(struct why *why, const char *text, bool cut) {
	size_t room = sizeof why->text - 1;
	size_t n = strlen(text);
	if (n > room || cut) {
		n = cut_at(text, (n > room ? room : n) - 3);
		memmove(why->text, text, n);
		memcpy(why->text + n, "...", 4);
	} else {
		memmove(why->text, text, n + 1);
	}
	for (char *c = why->text; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
	}
}

/* One buffer for prefix, ": " and the old sentence. */
#define ROOM (2 * sizeof(struct why) + 4)

enum err why_set(struct why *why, enum err e, const char *fmt, ...) {
	if (!why) return e;
	char text[ROOM];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	store(why, n < 0 ? err_text(e) : text, n >= (int)sizeof text);
	return e;
}

enum err why_prefix(struct why *why, enum err e, const char *fmt, ...) {
	if (!why) return e;
	char text[ROOM];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof why->text, fmt, ap);
	va_end(ap);
	if (n < 0) return e;
	size_t at = strlen(text);
	snprintf(text + at, sizeof text - at, ": %s", why->text[0] ? why->text : err_text(e));
	store(why, text, false);
	return e;
}

enum err why_file(struct why *why, enum err e, const char *file) {
	if (!why) return e;
	char text[ROOM];
	static const char word[] = "line ";
	const size_t n = sizeof word - 1;
	bool lined = strncmp(why->text, word, n) == 0;
	size_t digits = lined ? strspn(why->text + n, "0123456789") : 0;
	lined = digits && why->text[n + digits] == ':';
	if (!lined) return why_prefix(why, e, "%s", file);
	snprintf(text, sizeof text, "%s:%s", file, why->text + n);
	store(why, text, false);
	return e;
}
