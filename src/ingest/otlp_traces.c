/* ScopeSpans: spans, with what entities and edges are made of. */
#include <string.h>

#include "ingest/keep.h"
#include "ingest/otlp_in.h"
#include "ingest/sampling.h"

struct span {
	struct str trace, id, parent, tracestate, name;
	uint64_t kind, start, end, status;
	struct str exception; /* exception.type of the last exception event */
};

static void attribute(struct otlp *o, struct wire *w, const struct wire_field *f) {
	struct str key, any, value;
	struct attr a;
	if (f->type == WIRE_BYTES && otlp_plain(f->bytes, &a)) {
		if (keep_span_attribute(a.key)) otlp_list_add(&o->record, a.key, a.value);
		return;
	}
	if (!otlp_key_value(o, w, f, &key, &any) || !keep_span_attribute(key)) return;
	if (otlp_any_text(o, &o->record.text, any, &value)) otlp_list_add(&o->record, key, value);
}

static void event(struct otlp *o, struct str bytes, struct span *s) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	struct str name = { NULL, 0 }, key, any, type = { NULL, 0 };
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 2) wire_text(&w, &f, &name);
		if (f.number != 3 || !otlp_key_value(o, &w, &f, &key, &any)) continue;
		if (str_is(key, "exception.type")) otlp_any_text(o, &o->record.text, any, &type);
	}
	if (otlp_sound(o, &w) && type.n && str_is(name, "exception")) s->exception = type;
}

static void status(struct otlp *o, struct str bytes, struct span *s) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (wire_next(&w, &f)) {
		if (f.number == 3 && wire_is(&w, &f, WIRE_VARINT)) s->status = f.value;
	}
	otlp_sound(o, &w);
}

static bool span_read(struct otlp *o, struct str bytes, struct span *s) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (!o->err && wire_next(&w, &f)) {
		switch (f.number) {
		case 1:
			if (wire_is(&w, &f, WIRE_BYTES)) s->trace = f.bytes;
			break;
		case 2:
			if (wire_is(&w, &f, WIRE_BYTES)) s->id = f.bytes;
			break;
		case 3: wire_text(&w, &f, &s->tracestate); break;
		case 4:
			if (wire_is(&w, &f, WIRE_BYTES)) s->parent = f.bytes;
			break;
		case 5: wire_text(&w, &f, &s->name); break;
		case 6:
			if (wire_is(&w, &f, WIRE_VARINT)) s->kind = f.value;
			break;
		case 7:
			if (wire_is(&w, &f, WIRE_FIXED64)) s->start = f.value;
			break;
		case 8:
			if (wire_is(&w, &f, WIRE_FIXED64)) s->end = f.value;
			break;
		case 9: attribute(o, &w, &f); break;
		case 11:
			if (wire_is(&w, &f, WIRE_BYTES)) event(o, f.bytes, s);
			break;
		case 13: wire_is(&w, &f, WIRE_BYTES); break; /* links */
		case 15:
			if (wire_is(&w, &f, WIRE_BYTES)) status(o, f.bytes, s);
			break;
		}
	}
	return otlp_sound(o, &w);
}

static bool id_of(struct str s, unsigned char *out, size_t n) {
	static const unsigned char none[16];
	if (s.n != n || memcmp(s.p, none, n) == 0) return false;
	memcpy(out, s.p, n);
	return true;
}

static bool ids_of(const struct span *s, struct batch_span *out) {
	if (!id_of(s->trace, out->trace, 16) || !id_of(s->id, out->id, 8)) return false;
	/* A root has no parent; some senders write eight zeros. */
	return s->parent.n == 0 || id_of(s->parent, out->parent, 8) || s->parent.n == 8;
}

static bool times_of(const struct span *s, struct batch_span *out) {
	return s->start && otlp_time(s->start, &out->start) && otlp_time(s->end, &out->end) && s->start <= s->end;
}

static double weight_of(struct otlp *o, const struct span *s, const unsigned char trace[16]) {
	double weight;
	enum sampling known = sampling_weight(s->tracestate, trace, &weight);
	if (known == SAMPLING_UNKNOWN && o->opts.assume_unsampled) return 1;
	if (known != SAMPLING_KNOWN) o->result->unweighted++;
	if (known == SAMPLING_INCONSISTENT) o->result->inconsistent++;
	return weight;
}

static void span(struct otlp *o, struct str bytes) {
	struct span s = { 0 };
	struct batch_span out = { 0 };
	otlp_list_clear(&o->record);
	if (!span_read(o, bytes, &s)) return;
	if (s.exception.n) otlp_list_add(&o->record, STR("exception.type"), s.exception);
	if (o->resource.too_many || o->record.too_many) {
		otlp_reject(o, OTLP_ATTRIBUTES, 1);
	} else if (!ids_of(&s, &out)) {
		otlp_reject(o, OTLP_IDS, 1);
	} else if (!times_of(&s, &out)) {
		otlp_reject(o, OTLP_TIME, 1);
	} else {
		out.kind = s.kind >= SPAN_INTERNAL && s.kind <= SPAN_CONSUMER ? (enum span_kind)s.kind : SPAN_INTERNAL;
		out.status = s.status <= SPAN_ERROR ? (enum span_status)s.status : SPAN_UNSET;
		out.weight = weight_of(o, &s, out.trace);
		out.name = s.name;
		out.attrs = otlp_list_attrs(&o->record);
		otlp_booked(o, pack_span(o->pack, &out));
	}
}

void otlp_scope_spans(struct otlp *o, struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 2 && wire_is(&w, &f, WIRE_BYTES)) span(o, f.bytes);
	}
	otlp_sound(o, &w);
}
