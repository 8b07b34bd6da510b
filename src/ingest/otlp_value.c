/* Attributes and the values they have: KeyValue, AnyValue, ArrayValue, KeyValueList. */
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "ingest/otlp_in.h"

void otlp_list_clear(struct attr_list *l) {
	l->n = 0;
	l->too_many = false;
	if (l->text.head) arena_reset(&l->text);
}

void otlp_list_add(struct attr_list *l, struct str key, struct str value) {
	if (l->n == ATTRS_MAX) {
		l->too_many = true;
		return;
	}
	l->v[l->n++] = (struct attr){ key, value };
}

struct attrs otlp_list_attrs(struct attr_list *l) {
	l->n = attrs_canonical(l->v, l->n);
	return (struct attrs){ l->v, l->n };
}

/* What an AnyValue holds: the last of its oneof. */
struct any {
	uint32_t number; /* 0: nothing */
	uint64_t value;
	struct str bytes;
};
enum { ANY_STRING = 1, ANY_BOOL, ANY_INT, ANY_DOUBLE, ANY_ARRAY, ANY_LIST, ANY_BYTES };

static bool any_read(struct otlp *o, struct str bytes, struct any *out) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	*out = (struct any){ 0 };
	while (wire_next(&w, &f)) {
		switch (f.number) {
		case ANY_STRING: wire_text(&w, &f, &out->bytes); break;
		case ANY_BOOL:
		case ANY_INT: wire_is(&w, &f, WIRE_VARINT); break;
		case ANY_DOUBLE: wire_is(&w, &f, WIRE_FIXED64); break;
		case ANY_ARRAY:
		case ANY_LIST:
		case ANY_BYTES: wire_is(&w, &f, WIRE_BYTES); break;
		default: continue;
		}
		*out = (struct any){ f.number, f.value, f.bytes };
	}
	return otlp_sound(o, &w);
}

static bool key_value(struct otlp *o, struct str bytes, struct str *key, struct str *any) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	*key = *any = (struct str){ "", 0 };
	while (wire_next(&w, &f)) {
		if (f.number == 1) wire_text(&w, &f, key);
		if (f.number == 2 && wire_is(&w, &f, WIRE_BYTES)) *any = f.bytes;
	}
	return otlp_sound(o, &w);
}

bool otlp_key_value(struct otlp *o, struct wire *w, const struct wire_field *f, struct str *key, struct str *any) {
	return wire_is(w, f, WIRE_BYTES) && key_value(o, f->bytes, key, any);
}

static void any_json(struct otlp *o, struct json_out *out, struct str bytes, int depth);

static void array_json(struct otlp *o, struct json_out *out, struct str bytes, int depth) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	json_begin_array(out);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 1 && wire_is(&w, &f, WIRE_BYTES)) any_json(o, out, f.bytes, depth + 1);
	}
	json_end_array(out);
	otlp_sound(o, &w);
}

static void list_json(struct otlp *o, struct json_out *out, struct str bytes, int depth) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	struct str key, any;
	json_begin_object(out);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number != 1 || !otlp_key_value(o, &w, &f, &key, &any)) continue;
		json_key_str(out, key);
		any_json(o, out, any, depth + 1);
	}
	json_end_object(out);
	otlp_sound(o, &w);
}

static void bytes_json(struct json_out *out, struct str bytes) {
	struct buf b;
	buf_init(&b, 0);
	base64_encode(&b, bytes);
	if (b.err && !out->buf->err) out->buf->err = b.err;
	json_put_str(out, buf_get(&b));
	buf_done(&b);
}

static void any_json(struct otlp *o, struct json_out *out, struct str bytes, int depth) {
	struct any v = { 0 };
	if (depth > OTLP_DEPTH_MAX) otlp_stop(o, ERR_INVALID, "values nested too deeply");
	if (o->err || !any_read(o, bytes, &v)) v.number = 0;
	switch (v.number) {
	case ANY_STRING: json_put_str(out, v.bytes); break;
	case ANY_BOOL: json_put_bool(out, v.value != 0); break;
	case ANY_INT: json_put_int(out, (int64_t)v.value); break;
	case ANY_DOUBLE: json_put_double(out, wire_double(v.value)); break;
	case ANY_ARRAY: array_json(o, out, v.bytes, depth); break;
	case ANY_LIST: list_json(o, out, v.bytes, depth); break;
	case ANY_BYTES: bytes_json(out, v.bytes); break;
	default: json_put_null(out);
	}
}

static void double_text(struct buf *out, double v) {
	if (isnan(v)) {
		buf_c(out, "NaN");
	} else if (isinf(v)) {
		buf_c(out, v > 0 ? "Infinity" : "-Infinity");
	} else {
		struct json_out number = json_out(out);
		json_put_double(&number, v);
	}
}

static void composite_text(struct otlp *o, const struct any *v) {
	struct json_out out = json_out(&o->text);
	if (v->number == ANY_ARRAY) array_json(o, &out, v->bytes, 1);
	if (v->number == ANY_LIST) list_json(o, &out, v->bytes, 1);
}

bool otlp_any_text(struct otlp *o, struct arena *a, struct str any, struct str *out) {
	struct any v;
	*out = (struct str){ "", 0 };
	if (!any_read(o, any, &v)) return false;
	if (v.number == ANY_STRING) *out = v.bytes;
	if (v.number == ANY_STRING || v.number == 0) return true;
	buf_clear(&o->text);
	switch (v.number) {
	case ANY_BOOL: buf_c(&o->text, v.value ? "true" : "false"); break;
	case ANY_INT: buf_int(&o->text, (int64_t)v.value); break;
	case ANY_DOUBLE: double_text(&o->text, wire_double(v.value)); break;
	case ANY_BYTES: base64_encode(&o->text, v.bytes); break;
	default: composite_text(o, &v);
	}
	if (o->err) return false;
	if (!o->text.err) *out = str_copy(a, buf_get(&o->text));
	if (o->text.err || !out->p) {
		otlp_stop(o, ERR_NOMEM, "no memory for an attribute");
		return false;
	}
	return true;
}

/* Nearly every attribute is a short ASCII string: 0a KEYLEN key 12 LEN 0a VALUELEN value, with lengths of
 * one byte. False: it is something else, and is read field by field. */
static inline bool plain(struct str kv, struct attr *out) {
	const unsigned char *p = (const unsigned char *)kv.p;
	if (kv.n < 6 || kv.n > 0x7f + 6 || p[0] != 0x0a) return false;
	size_t k = p[1];
	if (k + 6 > kv.n || p[2 + k] != 0x12 || p[4 + k] != 0x0a) return false;
	size_t v = p[5 + k];
	if (k + v + 6 != kv.n || p[3 + k] != v + 2 || !wire_ascii(kv)) return false;
	*out = (struct attr){ { kv.p + 2, k }, { kv.p + 6 + k, v } };
	return true;
}

void otlp_attribute(struct otlp *o, struct attr_list *l, struct wire *w, const struct wire_field *f) {
	struct attr a;
	struct str any;
	bool known = f->type == WIRE_BYTES && plain(f->bytes, &a);
	if (!known && (!otlp_key_value(o, w, f, &a.key, &any) || !otlp_any_text(o, &l->text, any, &a.value))) return;
	otlp_list_add(l, a.key, a.value);
}
