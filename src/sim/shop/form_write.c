/* Writing: structs as YAML with comments. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim/shop/form.h"

#define EXPLAINED_MAX 64
#define WIDTH         110 /* of a line of comment */

struct writer {
	struct buf *out;
	bool comments;
	const struct form *explained[EXPLAINED_MAX]; /* what its keys mean stands above already */
	size_t explained_count;
};

static void indent(struct writer *w, int depth) {
	for (int i = 0; i < depth; i++) buf_c(w->out, "  ");
}

/* Words that YAML would take for something else, and all that is not made of harmless bytes, go in quotes. */
static bool plain(struct str s) {
	static const char *const others[] = { "true", "false", "null", "yes", "no", "on", "off", "y", "n" };
	if (!s.n || !((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z'))) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./", s.p[i])) return false;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (s.n == strlen(others[i]) && str_distance(s, str_of(others[i])) == 0) return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 'a') return true;
	return false; /* capitals only: TRUE, NULL and their like among them */
}

static void put_text(struct buf *out, struct str s) {
	if (plain(s)) {
		buf_str(out, s);
		return;
	}
	struct json_out o = json_out(out); /* a JSON string is a YAML one */
	json_put_str(&o, s);
}

static void put_value(struct buf *out, const struct form_field *x, const void *from) {
	if (x->type == FORM_TEXT)
		put_text(out, str_of(*(const char *const *)((const char *)from + x->offset)));
	else
		form_value(x, from, out);
}

/* Is it what it would be if nothing were said? */
static bool usual(const struct form_field *x, const void *from) {
	struct buf b;
	if (!x->fallback) return false;
	if (x->type == FORM_TEXT) {
		struct str s = str_of(*(const char *const *)((const char *)from + x->offset));
		return str_is(s, x->fallback);
	}
	buf_init(&b, 0);
	form_fallback(x, &b);
	size_t n = b.n;
	form_value(x, from, &b);
	bool same = str_eq((struct str){ b.p, n }, (struct str){ b.p + n, b.n - n });
	buf_done(&b);
	return same;
}

/* ---- comments ---- */

static void comment(struct writer *w, int depth, const char *lead, const char *text) {
	size_t column = 0, from = (size_t)depth * 2 + 2 + strlen(lead);
	if (!w->comments) return;
	indent(w, depth);
	buf_printf(w->out, "# %s", lead);
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " ");
		if (column && from + column + n > WIDTH) {
			buf_byte(w->out, '\n');
			indent(w, depth);
			buf_printf(w->out, "# %*s", (int)strlen(lead), "");
			column = 0;
		}
		buf_printf(w->out, "%s%.*s", column ? " " : "", (int)n, p);
		column += n + (column > 0);
		p += n;
		while (*p == ' ') p++;
	}
	buf_byte(w->out, '\n');
}

static void explain_field(struct writer *w, const struct form_field *x, int depth) {
	char lead[80];
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, x->help);
	if (x->type == FORM_WORD || x->type == FORM_CHOICE) {
		buf_c(&b, " One of");
		for (size_t i = 0; x->names[i]; i++) buf_printf(&b, "%s %s", i ? "," : "", x->names[i]);
		buf_byte(&b, '.');
	}
	if (!x->fallback)
		buf_c(&b, " Required.");
	else if (*x->fallback)
		buf_printf(&b, " Default %s.", x->fallback);
	buf_byte(&b, 0);
	snprintf(lead, sizeof lead, "%s: ", x->key);
	comment(w, depth, lead, b.p ? b.p : "");
	buf_done(&b);
}

/* What the keys of a list's or map's elements mean: once, above the first. */
static void explain(struct writer *w, const struct form *f, int depth) {
	if (!w->comments) return;
	for (size_t i = 0; i < w->explained_count; i++)
		if (w->explained[i] == f) return;
	if (w->explained_count < EXPLAINED_MAX) w->explained[w->explained_count++] = f;
	if (f->help) comment(w, depth, "", f->help);
	for (const struct form_field *x = f->fields; x->key; x++) explain_field(w, x, depth);
}

/* ---- objects ---- */

static void write_flat(struct writer *w, const struct form *f, const void *from) {
	bool first = true;
	buf_byte(w->out, '{');
	for (const struct form_field *x = f->fields; x->key; x++) {
		if (usual(x, from)) continue;
		buf_printf(w->out, "%s%s: ", first ? "" : ", ", x->key);
		put_value(w->out, x, from);
		first = false;
	}
	buf_byte(w->out, '}');
}

static bool all_usual(const struct form *f, const void *from) {
	for (const struct form_field *x = f->fields; x->key; x++)
		if (!usual(x, from)) return false;
	return true;
}

/* `whole`: every field, with its meaning above it; else those that differ from the defaults. Returns whether
 * anything was written. */
static bool write_object(struct writer *w, const struct form *f, const void *from, int depth, bool whole);

static bool write_one(struct writer *w, const struct form *f, const void *from, int depth, bool whole) {
	if (f->flat) {
		if (!whole && all_usual(f, from)) return false;
		explain(w, f, depth);
		indent(w, depth);
		buf_printf(w->out, "%s: ", f->key);
		write_flat(w, f, from);
		buf_byte(w->out, '\n');
		return true;
	}
	size_t before = w->out->n;
	if (w->comments && depth == 0) buf_byte(w->out, '\n');
	if (f->help && whole) comment(w, depth, "", f->help);
	indent(w, depth);
	buf_printf(w->out, "%s:\n", f->key);
	if (write_object(w, f, from, depth + 1, whole) || whole) return true;
	w->out->n = before;
	return false;
}

static void write_name(struct writer *w, const struct form *f, const char *element, int depth) {
	indent(w, depth);
	put_text(w->out, str_of(*(const char *const *)(element + f->name)));
	buf_byte(w->out, ':');
}

static void write_element(struct writer *w, const struct form *f, const char *element, int depth) {
	if (f->kind == FORM_MAP) {
		write_name(w, f, element, depth);
		if (f->flat) {
			buf_byte(w->out, ' ');
			write_flat(w, f, element);
			buf_byte(w->out, '\n');
			return;
		}
		size_t before = w->out->n;
		buf_byte(w->out, '\n');
		if (write_object(w, f, element, depth + 1, false)) return;
		w->out->n = before;
		buf_c(w->out, " {}\n");
		return;
	}
	assert(f->flat && "a list's elements are written on one line each");
	indent(w, depth);
	buf_c(w->out, "- ");
	write_flat(w, f, element);
	buf_byte(w->out, '\n');
}

static bool write_many(struct writer *w, const struct form *f, const void *around, int depth) {
	const char *all = *(const char *const *)((const char *)around + f->offset);
	size_t n = *(const size_t *)((const char *)around + f->count);
	if (!n) return false;
	if (w->comments && depth == 0) buf_byte(w->out, '\n');
	explain(w, f, depth);
	indent(w, depth);
	buf_printf(w->out, "%s:\n", f->key);
	for (size_t i = 0; i < n; i++) write_element(w, f, all + i * f->size, depth + 1);
	return true;
}

static bool write_object(struct writer *w, const struct form *f, const void *from, int depth, bool whole) {
	bool any = false;
	for (const struct form_field *x = f->fields; x->key; x++) {
		if (!whole && usual(x, from)) continue;
		if (whole) explain_field(w, x, depth);
		indent(w, depth);
		buf_printf(w->out, "%s: ", x->key);
		put_value(w->out, x, from);
		buf_byte(w->out, '\n');
		any = true;
	}
	for (const struct form *p = f->parts; p && p->key; p++)
		any |= p->kind == FORM_ONE ? write_one(w, p, (const char *)from + p->offset, depth, whole)
		                           : write_many(w, p, from, depth);
	return any;
}

void form_write(const struct form *f, const void *from, bool comments, struct buf *out) {
	struct writer w = { .out = out, .comments = comments };
	write_object(&w, f, from, 0, true);
}
