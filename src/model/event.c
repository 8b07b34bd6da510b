#include "model/event.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define SPECVERSION  "1.0"
#define CONTENT_TYPE "application/json"

enum event_type event_type_of(struct str type) {
	for (int t = EVENT_OTHER + 1; t < EVENT_TYPES; t++) {
		if (str_is(type, event_type_name((enum event_type)t))) return (enum event_type)t;
	}
	/* The paper that the project began from has a second name for one thing. */
	return str_is(type, "ANOMALY_EVENT") ? EVENT_ANOMALY_DETECTED : EVENT_OTHER;
}

const char *event_type_name(enum event_type t) {
	static const char *const names[EVENT_TYPES] = { "OTHER",
#define X(name) #name,
		                                            EVENT_TYPE_TABLE(X)
#undef X
	};
	assert((unsigned)t < EVENT_TYPES);
	return names[t];
}

/* https://github.com/ulid/spec: big-endian, Crockford's base32; the first digit holds three bits. */
void ulid_make(struct wall t, struct rng *rng, char out[ULID_LEN + 1]) {
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t ms = t.ns > 0 ? (uint64_t)(t.ns / NS_PER_MS) & ((UINT64_C(1) << 48) - 1) : 0;
	uint64_t high = rng_next(rng), low = rng_next(rng); /* 40 bits of each: 8 digits */

	for (int i = 9; i >= 0; i--, ms >>= 5) out[i] = digits[ms & 31];
	for (int i = 17; i >= 10; i--, high >>= 5) out[i] = digits[high & 31];
	for (int i = 25; i >= 18; i--, low >>= 5) out[i] = digits[low & 31];
	out[ULID_LEN] = '\0';
}

static void put_text(struct json_out *o, const char *key, struct str s) {
	if (s.n) json_kv_str(o, key, s);
}

/* JSON may hold line breaks between its tokens, and nowhere else: without them it means the same. */
static void put_data(struct json_out *o, struct str data) {
	json_key(o, "data");
	if (!memchr(data.p, '\n', data.n) && !memchr(data.p, '\r', data.n)) {
		json_put_raw(o, data);
		return;
	}
	json_put_raw(o, (struct str){ NULL, 0 });
	for (size_t i = 0; i < data.n; i++) {
		if (data.p[i] != '\n' && data.p[i] != '\r') buf_byte(o->buf, (unsigned char)data.p[i]);
	}
}

void event_write(const struct event *e, struct buf *out) {
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_c(&o, "specversion", SPECVERSION);
	json_kv_str(&o, "id", e->id);
	json_kv_str(&o, "source", e->source);
	json_kv_str(&o, "type", e->type);
	put_text(&o, "subject", e->subject);
	if (e->time.ns) json_kv_wall(&o, "time", e->time);
	if (e->data.n) json_kv_c(&o, "datacontenttype", CONTENT_TYPE);
	if (!isnan(e->severity)) json_kv_double(&o, "severity", e->severity);
	put_text(&o, "region", e->region);
	put_text(&o, "traceparent", e->traceparent);
	put_text(&o, "idempotencykey", e->idempotencykey);
	if (e->data.n) put_data(&o, e->data);
	json_end_object(&o);
}

/* ---- reading ---- */

static enum err wrong(struct why *why, const char *field, const char *what) {
	return why_set(why, ERR_INVALID, "event: '%s' %s", field, what);
}

static enum err text_of(const struct json *event, const char *field, bool required, struct str *out, struct why *why) {
	const struct json *v = json_get(event, field);
	if (!v) return required ? wrong(why, field, "is missing") : OK;
	if (v->kind != JSON_STRING) return wrong(why, field, "is not a string");
	if (!v->text.n) return wrong(why, field, "is empty");
	*out = v->text;
	return OK;
}

static enum err time_of(const struct json *event, struct wall *out, struct why *why) {
	struct str text = { 0 };
	enum err e = text_of(event, "time", false, &text, why);
	if (e || !text.n) return e;
	if (!wall_parse(text.p, text.n, out)) return wrong(why, "time", "is not an RFC 3339 time");
	return OK;
}

static enum err severity_of(const struct json *event, double *out, struct why *why) {
	const struct json *v = json_get(event, "severity");
	*out = NAN;
	if (!v) return OK;
	if (v->kind != JSON_NUMBER || !(v->number >= 0 && v->number <= 1))
		return wrong(why, "severity", "is not a number in [0,1]");
	*out = v->number;
	return OK;
}

static enum err envelope_check(const struct json *event, struct why *why) {
	struct str version = { 0 }, type = { 0 };
	if (event->kind != JSON_OBJECT) return why_set(why, ERR_INVALID, "event: not a JSON object");
	enum err e = text_of(event, "specversion", true, &version, why);
	if (e) return e;
	if (!str_is(version, SPECVERSION)) return wrong(why, "specversion", "is not \"" SPECVERSION "\"");
	if (json_get(event, "data_base64")) return wrong(why, "data_base64", "is not taken: send JSON in 'data'");
	e = text_of(event, "datacontenttype", false, &type, why);
	if (e) return e;
	/* Parameters may follow (RFC 2045): "application/json; charset=utf-8". */
	struct str media = { 0 }, parameters;
	str_cut(type, ';', &media, &parameters);
	media = str_trim(media);
	if (type.n && !str_is(media, CONTENT_TYPE) && !str_ends(media, STR("+json")))
		return wrong(why, "datacontenttype", "is not " CONTENT_TYPE);
	return OK;
}

/* `data` as it was written. A string's own text is decoded, so it is looked up in the source. */
static struct str raw_value(struct str text, const struct json *v) {
	if (v->kind != JSON_STRING) return v->text;
	if (v->text.p == text.p + v->at + 1) return (struct str){ text.p + v->at, v->text.n + 2 }; /* nothing was decoded */
	size_t end = v->at + 1;
	while (text.p[end] != '"') end += text.p[end] == '\\' ? 2 : 1;
	return (struct str){ text.p + v->at, end + 1 - v->at };
}

enum err event_of_json(const struct json *j, struct str text, struct event *out, struct why *why) {
	struct event ev = { .severity = NAN };
	enum err e = envelope_check(j, why);
	if (!e) e = text_of(j, "id", true, &ev.id, why);
	if (!e) e = text_of(j, "source", true, &ev.source, why);
	if (!e) e = text_of(j, "type", true, &ev.type, why);
	if (!e) e = text_of(j, "subject", false, &ev.subject, why);
	if (!e) e = time_of(j, &ev.time, why);
	if (!e) e = severity_of(j, &ev.severity, why);
	if (!e) e = text_of(j, "region", false, &ev.region, why);
	if (!e) e = text_of(j, "traceparent", false, &ev.traceparent, why);
	if (!e) e = text_of(j, "idempotencykey", false, &ev.idempotencykey, why);
	if (e) return e;
	const struct json *data = json_get(j, "data");
	if (data) ev.data = raw_value(text, data);
	*out = ev;
	return OK;
}

enum err event_parse(struct arena *a, struct str text, struct event *out, struct why *why) {
	const struct json *j = NULL;
	if (text.n > EVENT_BYTES_MAX)
		return why_set(why, ERR_TOO_LARGE, "event: %zu bytes, at most %d", text.n, EVENT_BYTES_MAX);
	enum err e = json_parse(a, text, &j, why);
	if (e) return why_prefix(why, e, "event");
	return event_of_json(j, text, out, why);
}
