#include "model/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void audit_key(uint64_t seq, char out[AUDIT_KEY_LEN + 1]) {
	snprintf(out, AUDIT_KEY_LEN + 1, "audit/%020" PRIu64, seq);
}

static void hash_hex(const struct sha256 *h, char out[65]) {
	hex_encode(h->b, sizeof h->b, out);
}

static void or_null(struct json_out *o, const char *key, struct str s) {
	json_key(o, key);
	if (s.n)
		json_put_str(o, s);
	else
		json_put_null(o);
}

/* SHA-256(prev || canonical). The two are joined in `scratch`, which is left empty. */
static struct sha256 chain(const struct sha256 *prev, struct str canonical, struct buf *scratch) {
	buf_clear(scratch);
	buf_add(scratch, prev->b, sizeof prev->b);
	buf_str(scratch, canonical);
	struct sha256 h = sha256(buf_get(scratch));
	buf_clear(scratch);
	return h;
}

void audit_append(struct audit_head *head, const struct audit_entry *e, struct buf *out) {
	CLEANUP(buf_done) struct buf scratch;
	buf_init(&scratch, 0);
	char hex[65];
	size_t start = out->n;
	struct json_out o = json_out(out);
	json_begin_object(&o);
	json_kv_int(&o, "seq", (int64_t)head->seq + 1);
	json_kv_wall(&o, "at", e->at);
	hash_hex(&head->hash, hex);
	json_kv_c(&o, "prev", hex);
	json_kv_str(&o, "kind", e->kind);
	json_kv_str(&o, "by", e->by);
	or_null(&o, "action", e->action);
	or_null(&o, "incident", e->incident);
	json_key(&o, "body");
	json_put_raw(&o, e->body.n ? e->body : STR("null"));
	json_end_object(&o);
	if (out->err) return;
	head->hash = chain(&head->hash, (struct str){ out->p + start, out->n - start }, &scratch);
	head->seq++;
	hash_hex(&head->hash, hex);
	out->n--; /* the closing brace comes again, after the hash */
	buf_printf(out, ",\"hash\":\"%s\"}", hex);
	if (scratch.err && !out->err) out->err = scratch.err;
}

void audit_head_write(const struct audit_head *h, struct buf *out) {
	char hex[65];
	hash_hex(&h->hash, hex);
	buf_printf(out, "{\"seq\":%" PRIu64 ",\"hash\":\"%s\"}", h->seq, hex);
}

static enum err head_fields(const struct json *v, struct audit_head *out, struct why *why) {
	int64_t seq = json_int(json_get(v, "seq"), -1);
	struct audit_head h = { 0 };
	if (seq < 0 || !hex_decode(json_str(json_get(v, "hash")), h.hash.b, sizeof h.hash.b))
		return why_set(why, ERR_INVALID, "a head is {\"seq\":NUMBER,\"hash\":\"64 hex digits\"}");
	h.seq = (uint64_t)seq;
	*out = h;
	return OK;
}

enum err audit_head_read(struct arena *a, struct str json, struct audit_head *out, struct why *why) {
	const struct json *v;
	enum err e = json_parse(a, json, &v, why);
	return e ? e : head_fields(v, out, why);
}

enum err audit_head_parse(struct arena *a, struct str text, struct audit_head *out, struct why *why) {
	struct str seq, hex, t = str_trim(text);
	int64_t n = 0;
	struct audit_head h = { 0 };
	if (t.n && t.p[0] == '{') return audit_head_read(a, t, out, why);
	if (!str_cut(t, ':', &seq, &hex) || !str_int(seq, &n) || n < 0 || !hex_decode(hex, h.hash.b, sizeof h.hash.b))
		return why_set(why, ERR_INVALID, "a published head is SEQ:HASH, as the log line audit.head has them");
	h.seq = (uint64_t)n;
	*out = h;
	return OK;
}

struct audit_verifier audit_verifier(struct audit_head published) {
	return (struct audit_verifier){ .published = published, .met = !published.seq };
}

static const char *const order[] = { "seq", "at", "prev", "kind", "by", "action", "incident", "body", NULL };

/* The entry as it was hashed: every member but `hash`, in the one order. */
static enum err canonical(const struct json *v, struct buf *out, struct why *why) {
	struct json_out o = json_out(out);
	const char *const *want = order;
	json_begin_object(&o);
	json_each(m, v) {
		if (*want && str_is(m->key, *want)) {
			json_key(&o, *want++);
			json_put_value(&o, m);
		} else if (*want || !str_is(m->key, "hash")) {
			return why_set(why, ERR_INVALID, "an entry has the members seq at prev kind by action incident body hash");
		}
	}
	json_end_object(&o);
	if (*want) return why_set(why, ERR_INVALID, "an entry lacks its '%s'", *want);
	return out->err;
}

static enum err follows(struct audit_verifier *v, uint64_t seq, const struct sha256 *prev, struct why *why) {
	if (seq != v->at.seq + 1)
		return why_set(why, ERR_CORRUPT, "entry %" PRIu64 " is missing: after %" PRIu64 " comes %" PRIu64,
		               v->at.seq + 1, v->at.seq, seq);
	if (memcmp(prev, &v->at.hash, sizeof *prev) != 0)
		return why_set(why, ERR_CORRUPT,
		               "entry %" PRIu64 " does not follow entry %" PRIu64 ": its prev is another hash", seq, v->at.seq);
	return OK;
}

enum err audit_verify_next(struct audit_verifier *v, struct arena *scratch, struct str entry, struct why *why) {
	CLEANUP(buf_done) struct buf buf;
	CLEANUP(buf_done) struct buf joined;
	buf_init(&buf, 0);
	buf_init(&joined, 0);
	const struct json *j;
	struct audit_head now;
	struct sha256 prev;
	enum err e = json_parse(scratch, entry, &j, why);
	if (e) return e;
	if (j->kind != JSON_OBJECT || !hex_decode(json_str(json_get(j, "prev")), prev.b, sizeof prev.b))
		return why_set(why, ERR_INVALID, "not an entry of the decision log");
	e = head_fields(j, &now, why);
	if (e) return e;
	e = follows(v, now.seq, &prev, why);
	if (e) return e;
	e = canonical(j, &buf, why);
	if (e) return e;
	struct sha256 hash = chain(&prev, buf_get(&buf), &joined);
	if (joined.err) return joined.err;
	if (memcmp(&hash, &now.hash, sizeof hash) != 0)
		return why_set(why, ERR_CORRUPT, "entry %" PRIu64 " was changed: its hash is not that of its content", now.seq);
	if (now.seq == v->published.seq && memcmp(&hash, &v->published.hash, sizeof hash) != 0)
		return why_set(why, ERR_CORRUPT,
		               "entry %" PRIu64 " has another hash than the head published then: the log was rewritten",
		               now.seq);
	v->met = v->met || now.seq == v->published.seq;
	v->at = now;
	return OK;
}

enum err audit_verify_end(const struct audit_verifier *v, const struct audit_head *stored, struct why *why) {
	if (!v->met)
		return why_set(why, ERR_CORRUPT,
		               "the log ends at entry %" PRIu64 ", but head %" PRIu64 " was published: the tail was cut",
		               v->at.seq, v->published.seq);
	if (stored && (stored->seq != v->at.seq || memcmp(&stored->hash, &v->at.hash, sizeof stored->hash) != 0))
		return why_set(why, ERR_CORRUPT,
		               "the log ends at entry %" PRIu64 ", but its stored head is %" PRIu64 ": entries are missing",
		               v->at.seq, stored->seq);
	return OK;
}
