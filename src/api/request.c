#include "api/request.h"

#include <string.h>

static int hex_of(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	if (c >= 'A' && c <= 'F') return c - 'A' + 10;
	return -1;
}

/* Percent-decodes; in a query "+" is a space. A NUL and what is no UTF-8 are refused. */
static enum err decode(struct arena *a, struct str s, bool query, struct str *out, struct why *why) {
	char *p = arena_take(a, s.n + 1, 1);
	size_t n = 0;
	if (!p) return ERR_NOMEM;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '%') {
			bool whole = s.n - i > 2;
			int high = whole ? hex_of(s.p[i + 1]) : -1, low = whole ? hex_of(s.p[i + 2]) : -1;
			if (high < 0 || low < 0) return why_set(why, ERR_INVALID, "a %% in the address needs two hex digits");
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && query) {
			c = ' ';
		}
		p[n++] = c;
	}
	*out = (struct str){ p, n };
	if (memchr(p, '\0', n) || !str_is_utf8(*out)) return why_set(why, ERR_INVALID, "the address is not UTF-8");
	return OK;
}

static enum err path_parse(struct arena *a, struct str path, struct request_target *t, struct why *why) {
	struct str rest = path, part;
	if (!rest.n || rest.p[0] != '/') return why_set(why, ERR_INVALID, "the address must begin with /");
	rest = (struct str){ rest.p + 1, rest.n - 1 };
	for (bool more = rest.n > 0; more;) {
		more = str_cut(rest, '/', &part, &rest);
		if (!part.n && !more) break; /* a slash at the end */
		if (t->part_count == TARGET_PARTS_MAX) return why_set(why, ERR_INVALID, "the address has too many parts");
		enum err e = decode(a, part, false, &t->parts[t->part_count++], why);
		if (e) return e;
	}
	return OK;
}

static enum err query_parse(struct arena *a, struct str query, struct request_target *t, struct why *why) {
	struct str pair, rest = query;
	for (bool more = query.n > 0; more;) {
		more = str_cut(rest, '&', &pair, &rest);
		if (!pair.n) continue;
		if (t->param_count == TARGET_PARAMS_MAX) return why_set(why, ERR_INVALID, "too many parameters");
		struct target_param *p = &t->params[t->param_count++];
		struct str key, value = { 0 };
		if (!str_cut(pair, '=', &key, &value)) value = STR("");
		enum err e = decode(a, key, true, &p->key, why);
		if (!e) e = decode(a, value, true, &p->value, why);
		if (e) return e;
	}
	return OK;
}

enum err target_parse(struct arena *a, struct str text, struct request_target *out, struct why *why) {
	struct request_target t = { 0 };
	struct str path, query = { 0 };
	if (text.n > TARGET_BYTES_MAX) return why_set(why, ERR_TOO_LARGE, "the address is longer than 4 KiB");
	if (!str_cut(text, '?', &path, &query)) query = (struct str){ 0 };
	enum err e = path_parse(a, path, &t, why);
	if (!e) e = query_parse(a, query, &t, why);
	if (!e) *out = t;
	return e;
}

struct str target_param(const struct request_target *t, const char *key) {
	for (size_t i = 0; i < t->param_count; i++)
		if (str_is(t->params[i].key, key)) return t->params[i].value;
	return (struct str){ 0 };
}

enum err target_int(const struct request_target *t, const char *key, int64_t fallback, int64_t min, int64_t max,
                    int64_t *out, struct why *why) {
	struct str s = target_param(t, key);
	int64_t v = fallback;
	if (s.p && (!str_int(s, &v) || v < min || v > max))
		return why_set(why, ERR_INVALID, "%s must be a whole number from %lld to %lld", key, (long long)min,
		               (long long)max);
	*out = v;
	return OK;
}
