/* ScopeLogs: log records. */
#include <string.h>

#include "ingest/otlp_in.h"

struct line {
	uint64_t at, observed, severity;
	struct str severity_text, event, body;
	struct str trace, span;
};

static bool line_read(struct otlp *o, struct str bytes, struct line *l) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	while (!o->err && wire_next(&w, &f)) {
		switch (f.number) {
		case 1:
			if (wire_is(&w, &f, WIRE_FIXED64)) l->at = f.value;
			break;
		case 2:
			if (wire_is(&w, &f, WIRE_VARINT)) l->severity = f.value;
			break;
		case 3: wire_text(&w, &f, &l->severity_text); break;
		case 5:
			if (wire_is(&w, &f, WIRE_BYTES)) l->body = f.bytes;
			break;
		case 6: otlp_attribute(o, &o->record, &w, &f); break;
		case 9:
			if (wire_is(&w, &f, WIRE_BYTES)) l->trace = f.bytes;
			break;
		case 10:
			if (wire_is(&w, &f, WIRE_BYTES)) l->span = f.bytes;
			break;
		case 11:
			if (wire_is(&w, &f, WIRE_FIXED64)) l->observed = f.value;
			break;
		case 12: wire_text(&w, &f, &l->event); break;
		}
	}
	return otlp_sound(o, &w);
}

static bool same_word(struct str s, const char *word) {
	if (s.n != strlen(word)) return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 'a' + 'A') : s.p[i];
		if (c != word[i]) return false;
	}
	return true;
}

/* The number, or what its text means: forwarders often send the text alone. The numbers are those of
 * the log data model's appendix B. */
static uint8_t severity(const struct line *l) {
	static const struct {
		const char *word;
		uint8_t number;
	} words[] = { { "TRACE", 1 },  { "DEBUG", 5 },    { "INFO", 9 },      { "INFORMATION", 9 }, { "NOTICE", 10 },
		          { "WARN", 13 },  { "WARNING", 13 }, { "ERROR", 17 },    { "ERR", 17 },        { "CRITICAL", 18 },
		          { "ALERT", 19 }, { "FATAL", 21 },   { "EMERGENCY", 21 } };
	if (l->severity >= 1 && l->severity <= 24) return (uint8_t)l->severity;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (same_word(l->severity_text, words[i].word)) return words[i].number;
	}
	return 0;
}

/* The text, cut at a character's end. */
static struct str body_of(struct otlp *o, struct str any) {
	struct str text;
	if (!any.p || !otlp_any_text(o, &o->record.text, any, &text)) return (struct str){ NULL, 0 };
	if (text.n <= OTLP_LOG_BODY_MAX) return text;
	o->result->bodies_cut++;
	text.n = OTLP_LOG_BODY_MAX;
	while (text.n && ((unsigned char)text.p[text.n] & 0xc0) == 0x80) text.n--;
	return text;
}

/* When it happened, else when it was first seen, else when it came to us. */
static bool time_of(const struct otlp *o, const struct line *l, struct wall *at) {
	uint64_t ns = l->at ? l->at : l->observed;
	*at = o->received;
	return ns == 0 || otlp_time(ns, at);
}

static void line(struct otlp *o, struct str bytes) {
	struct line l = { 0 };
	otlp_list_clear(&o->record);
	if (o->scope.n) otlp_list_add(&o->record, STR("otel.scope.name"), o->scope);
	if (!line_read(o, bytes, &l)) return;
	if (l.event.n) otlp_list_add(&o->record, STR("event.name"), l.event);

	struct batch_log out = { .severity = severity(&l), .body = body_of(o, l.body) };
	if (o->err) return;
	if (o->resource.too_many || o->record.too_many) {
		otlp_reject(o, OTLP_ATTRIBUTES, 1);
	} else if (!time_of(o, &l, &out.at)) {
		otlp_reject(o, OTLP_TIME, 1);
	} else {
		/* An id of another length is as good as none (logs.proto). */
		if (l.trace.n == 16) memcpy(out.trace, l.trace.p, 16);
		if (l.span.n == 8) memcpy(out.span, l.span.p, 8);
		out.attrs = otlp_list_attrs(&o->record);
		otlp_booked(o, pack_log(o->pack, &out));
	}
}

void otlp_scope_logs(struct otlp *o, struct str bytes) {
	struct wire w = wire_of(bytes);
	struct wire_field f;
	otlp_scope_none(o);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 1 && wire_is(&w, &f, WIRE_BYTES)) otlp_scope_read(o, f.bytes);
	}
	if (!otlp_sound(o, &w)) return;
	w = wire_of(bytes);
	while (!o->err && wire_next(&w, &f)) {
		if (f.number == 2 && wire_is(&w, &f, WIRE_BYTES)) line(o, f.bytes);
	}
	otlp_sound(o, &w);
}
