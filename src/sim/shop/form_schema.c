/* Explaining: the same tables as a JSON Schema, and as lines of help. */
#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "sim/shop/form.h"

static const char *const durations = "^[0-9.]+(d|h|ms|m|s|us|ns)([0-9.]+(h|ms|m|s|us|ns))*$";

static void bounds(struct json_out *o, const struct form_field *x, const char *least, const char *most) {
	if (x->min == 0 && x->max == 0) return;
	json_kv_double(o, least, x->min);
	json_kv_double(o, most, x->max);
}

static void text_type(struct json_out *o, const char *pattern) {
	json_kv_c(o, "type", "string");
	json_kv_c(o, "pattern", pattern);
}

static void choice_type(struct json_out *o, const struct form_field *x) {
	json_key(o, "enum");
	json_begin_array(o);
	for (size_t i = 0; x->names[i]; i++) json_put_c(o, x->names[i]);
	json_end_array(o);
}

static void field_type(struct json_out *o, const struct form_field *x) {
	switch (x->type) {
	case FORM_WHOLE:
		json_kv_c(o, "type", "integer");
		bounds(o, x, "minimum", "maximum");
		break;
	case FORM_NUMBER:
		json_kv_c(o, "type", "number");
		bounds(o, x, "minimum", "maximum");
		break;
	case FORM_SHARE: text_type(o, "^[0-9.eE+-]+%$"); break;
	case FORM_YES: json_kv_c(o, "type", "boolean"); break;
	case FORM_TIME:
	case FORM_SECONDS: text_type(o, durations); break;
	case FORM_MIB: text_type(o, "^[0-9.]+ ?([KMGT]i?B?|B)$"); break;
	case FORM_TEXT:
		json_kv_c(o, "type", "string");
		bounds(o, x, "minLength", "maxLength");
		break;
	case FORM_WORD:
	case FORM_CHOICE: choice_type(o, x); break;
	}
}

static void put_field(struct json_out *o, const struct form_field *x) {
	json_key(o, x->key);
	json_begin_object(o);
	json_kv_c(o, "description", x->help);
	field_type(o, x);
	json_end_object(o);
}

static void put_object(struct json_out *o, const struct form *f);

static void put_part(struct json_out *o, const struct form *f) {
	json_key(o, f->key);
	json_begin_object(o);
	if (f->help) json_kv_c(o, "description", f->help);
	if (f->kind == FORM_ONE) {
		put_object(o, f);
	} else {
		json_kv_c(o, "type", f->kind == FORM_LIST ? "array" : "object");
		if (f->kind == FORM_LIST) json_kv_int(o, "maxItems", (int64_t)f->max);
		json_key(o, f->kind == FORM_LIST ? "items" : "additionalProperties");
		json_begin_object(o);
		put_object(o, f);
		json_end_object(o);
	}
	json_end_object(o);
}

static void put_required(struct json_out *o, const struct form *f) {
	size_t n = 0;
	for (const struct form_field *x = f->fields; x->key; x++) n += !x->fallback;
	for (const struct form *p = f->parts; p && p->key; p++) n += form_required(p);
	if (!n) return;
	json_key(o, "required");
	json_begin_array(o);
	for (const struct form_field *x = f->fields; x->key; x++)
		if (!x->fallback) json_put_c(o, x->key);
	for (const struct form *p = f->parts; p && p->key; p++)
		if (form_required(p)) json_put_c(o, p->key);
	json_end_array(o);
}

static void put_object(struct json_out *o, const struct form *f) {
	json_kv_c(o, "type", "object");
	json_kv_bool(o, "additionalProperties", false);
	put_required(o, f);
	json_key(o, "properties");
	json_begin_object(o);
	for (const struct form_field *x = f->fields; x->key; x++) put_field(o, x);
	for (const struct form *p = f->parts; p && p->key; p++) put_part(o, p);
	json_end_object(o);
}

/* One member a line, so that a difference between two versions can be read. */
static void spread(struct str json, struct buf *out) {
	int depth = 0;
	bool text = false;
	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];
		if (c == '"' && (!i || json.p[i - 1] != '\\')) text = !text;
		bool opens = !text && c == '{', closes = !text && c == '}';
		depth += opens - closes;
		if (closes) buf_printf(out, "\n%*s", depth * 2, "");
		buf_byte(out, (unsigned char)c);
		if (opens || (!text && c == ',' && i && json.p[i + 1] == '"' && json.p[i - 1] != '[')) {
			const char *next = json.p + i + 1, *colon = memchr(next, ':', json.n - i - 1);
			const char *end = memchr(next + 1, '"', json.n - i - 2);
			if (opens || (colon && end && colon == end + 1)) buf_printf(out, "\n%*s", depth * 2, "");
		}
		if (!text && c == ':') buf_byte(out, ' ');
	}
	buf_byte(out, '\n');
}

void form_schema(const struct form *f, const char *id, const char *title, struct buf *out) {
	struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	json_begin_object(&o);
	json_kv_c(&o, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_kv_c(&o, "$id", id);
	json_kv_c(&o, "title", title);
	put_object(&o, f);
	json_end_object(&o);
	spread(buf_get(&b), out);
	buf_done(&b);
}

static void help_of(const struct form *f, const char *path, struct buf *out) {
	for (const struct form_field *x = f->fields; x->key; x++) {
		struct param one[] = { form_param(x), PARAM_END };
		one[0].reload = true; /* nothing is said of restarts */
		buf_c(out, path);
		param_help(one, out);
	}
	for (const struct form *p = f->parts; p && p->key; p++) {
		char below[160];
		snprintf(below, sizeof below, "%s%s%s.", path, p->key,
		         p->kind == FORM_LIST  ? "[]"
		         : p->kind == FORM_MAP ? ".NAME"
		                               : "");
		help_of(p, below, out);
	}
}

void form_help(const struct form *f, struct buf *out) {
	help_of(f, "", out);
}
