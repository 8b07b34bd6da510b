#include "cli/args.h"

#include <stdio.h>
#include <string.h>

static const struct option *by_name(const struct option *table, struct str name) {
	for (; table && table->name; table++)
		if (str_is(name, table->name)) return table;
	return NULL;
}

static const struct option *by_letter(const struct option *table, char letter) {
	for (; table && table->name; table++)
		if (table->letter == letter) return table;
	return NULL;
}

static const char *nearest(const struct option *own, const struct option *common, struct str name) {
	const struct option *tables[] = { own, common };
	const char *best = "help";
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < 2; i++) {
		for (const struct option *o = tables[i]; o && o->name; o++) {
			size_t d = str_distance(name, str_of(o->name));
			if (d < least) least = d, best = o->name;
		}
	}
	return best;
}

struct cursor {
	int argc, at;
	const char *const *argv;
};

static enum err take(struct args *a, const struct option *o, struct str value, struct why *why) {
	if (a->given_count == sizeof a->given / sizeof *a->given) return why_set(why, ERR_INVALID, "too many options");
	a->given[a->given_count++] = (struct arg){ o, value };
	return OK;
}

/* The value after an option: from "=..." or "-oV", else the next word. */
static enum err value_of(struct cursor *c, const struct option *o, struct str inline_value, bool has_inline,
                         struct str *out, struct why *why) {
	*out = inline_value;
	if (!o->value) return has_inline ? why_set(why, ERR_INVALID, "--%s takes no value", o->name) : OK;
	if (has_inline) return OK;
	if (c->at + 1 >= c->argc) return why_set(why, ERR_INVALID, "--%s needs a value: %s", o->name, o->value);
	*out = str_of(c->argv[++c->at]);
	return OK;
}

static enum err take_long(struct cursor *c, const struct option *own, const struct option *common, struct args *a,
                          struct why *why) {
	struct str name, value = { 0 };
	bool has_value = str_cut(str_of(c->argv[c->at] + 2), '=', &name, &value);
	const struct option *o = by_name(own, name);
	if (!o) o = by_name(common, name);
	if (!o)
		return why_set(why, ERR_INVALID, "unknown option --" STR_FMT ", did you mean --%s?", STR_ARG(name),
		               nearest(own, common, name));
	enum err e = value_of(c, o, value, has_value, &value, why);
	return e ? e : take(a, o, value, why);
}

static enum err take_short(struct cursor *c, const struct option *own, const struct option *common, struct args *a,
                           struct why *why) {
	const char *word = c->argv[c->at];
	const struct option *o = by_letter(own, word[1]);
	struct str value = str_of(word + 2);
	if (!o) o = by_letter(common, word[1]);
	if (!o) return why_set(why, ERR_INVALID, "unknown option -%c; -h lists them", word[1]);
	enum err e = value_of(c, o, value, value.n > 0, &value, why);
	return e ? e : take(a, o, value, why);
}

static bool is_number(const char *w) {
	return w[0] == '-' && w[1] >= '0' && w[1] <= '9';
}

enum err args_parse(int argc, const char *const *argv, const struct option *own, const struct option *common,
                    struct args *out, struct why *why) {
	struct cursor c = { argc, 0, argv };
	bool options = true;
	*out = (struct args){ 0 };
	for (; c.at < argc; c.at++) {
		const char *w = argv[c.at];
		enum err e = OK;
		if (options && strcmp(w, "--") == 0) {
			options = false;
		} else if (options && strncmp(w, "--", 2) == 0) {
			e = take_long(&c, own, common, out, why);
		} else if (options && w[0] == '-' && w[1] && !is_number(w)) {
			e = take_short(&c, own, common, out, why);
		} else {
			if (out->positional_count == ARGS_POSITIONAL_MAX) return why_set(why, ERR_INVALID, "too many arguments");
			out->positional[out->positional_count++] = str_of(w);
		}
		if (e) return e;
	}
	return OK;
}

bool args_has(const struct args *a, const char *name) {
	for (size_t i = 0; i < a->given_count; i++)
		if (strcmp(a->given[i].option->name, name) == 0) return true;
	return false;
}

struct str args_get(const struct args *a, const char *name) {
	for (size_t i = a->given_count; i > 0; i--)
		if (strcmp(a->given[i - 1].option->name, name) == 0) return a->given[i - 1].value;
	return (struct str){ 0 };
}

enum err args_int(const struct args *a, const char *name, int64_t fallback, int64_t min, int64_t max, int64_t *out,
                  struct why *why) {
	struct str s = args_get(a, name);
	*out = fallback;
	if (!s.p) return OK;
	if (!str_int(s, out) || *out < min || *out > max)
		return why_set(why, ERR_INVALID, "--%s takes a whole number from %lld to %lld, not '" STR_FMT "'", name,
		               (long long)min, (long long)max, STR_ARG(s));
	return OK;
}

enum err args_range(const struct args *a, const char *name, int64_t from, int64_t to, int64_t out[2], struct why *why) {
	struct str s = args_get(a, name);
	out[0] = from;
	out[1] = to;
	if (!s.p) return OK;
	for (size_t i = 0; i + 1 < s.n; i++) {
		if (s.p[i] != '.' || s.p[i + 1] != '.') continue;
		struct str left = { s.p, i }, right = { s.p + i + 2, s.n - i - 2 };
		if (str_int(left, &out[0]) && str_int(right, &out[1]) && out[0] <= out[1] && out[0] >= 0) return OK;
	}
	if (str_int(s, &out[0]) && out[0] >= 0) {
		out[1] = out[0];
		return OK;
	}
	return why_set(why, ERR_INVALID, "--%s takes N or A..B, not '" STR_FMT "'", name, STR_ARG(s));
}

void args_help(const struct option *table, struct buf *out) {
	for (; table && table->name; table++) {
		char left[64];
		int n = snprintf(left, sizeof left, "  %c%c%s--%s%s%s", table->letter ? '-' : ' ',
		                 table->letter ? table->letter : ' ', table->letter ? ", " : "  ", table->name,
		                 table->value ? " " : "", table->value ? table->value : "");
		buf_printf(out, "%-*s %s\n", n > 29 ? n : 29, left, table->help);
	}
}
