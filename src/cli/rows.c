#include "cli/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF_DIGITS 16

void rows_put(struct buf *out, const struct rows_run *run) {
	char of[OF_DIGITS + 1];
	struct json_out o = json_out(out);
	snprintf(of, sizeof of, "%016llx", (unsigned long long)run->of);
	json_begin_object(&o);
	json_kv_c(&o, "of", of);
	json_kv_int(&o, "seed", run->seed);
	json_kv_str(&o, "case", run->which);
	json_key(&o, "row");
	json_put_raw(&o, str_trim(run->row));
	json_end_object(&o);
	buf_byte(out, '\n');
}

static bool of_parse(struct str s, uint64_t *out) {
	*out = 0;
	if (s.n != OF_DIGITS) return false;
	for (size_t i = 0; i < s.n; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *d = s.p[i] ? strchr(digits, s.p[i]) : NULL;
		if (!d) return false;
		*out = *out << 4 | (uint64_t)(d - digits);
	}
	return true;
}

static size_t line_number(struct str text, size_t at) {
	size_t n = 1;
	for (size_t i = 0; i < at; i++) n += text.p[i] == '\n';
	return n;
}

bool rows_next(struct arena *a, struct str text, size_t *at, struct rows_run *out, struct why *why) {
	struct str rest = { text.p + *at, text.n - *at }, line, tail;
	const struct json *v = NULL;
	struct why inner = { "" };
	if (!rest.n || !memchr(rest.p, '\n', rest.n)) return false;
	(void)str_cut(rest, '\n', &line, &tail);
	enum err e = json_parse(a, line, &v, &inner);
	const struct json *row = json_get(v, "row");
	*out = (struct rows_run){ .seed = json_int(json_get(v, "seed"), -1), .which = json_str(json_get(v, "case")) };
	bool whole = !e && of_parse(json_str(json_get(v, "of")), &out->of) && out->seed >= 0 && out->which.n && row &&
	             row->kind == JSON_OBJECT;
	if (!whole) {
		why_set(why, ERR_INVALID, ":%zu: %s", line_number(text, *at),
		        e ? inner.text : "not a run of an experiment, as --keep writes them");
		return false;
	}
	out->row = row->text;
	*at += line.n + 1;
	return true;
}
