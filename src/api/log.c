/* The decision log: its entries as they are stored, and the check of the whole chain. */
#include <string.h>

#include "api/api_impl.h"
#include "model/audit.h"

#define VERIFY_PAGE 500

/* ---- entries ---- */

static bool oldest_first(const struct slot *s) {
	return str_is(target_param(&s->target, "order"), "asc");
}

void start_audit(struct api *a, struct slot *s) {
	struct str order = target_param(&s->target, "order");
	char key[AUDIT_KEY_LEN + 1];
	int64_t seq = 0;
	if (!slot_page(a, s)) return;
	if (order.p && !str_is(order, "asc") && !str_is(order, "desc")) {
		answer_error(a, s, 400, "order is asc or desc");
		return;
	}
	if (s->after.n && (!str_int(s->after, &seq) || seq < 0)) {
		answer_error(a, s, 400, "after is the seq of an entry");
		return;
	}
	audit_key((uint64_t)seq, key);
	struct str after = s->after.n ? str_copy(&s->arena, str_of(key)) : (struct str){ 0 };
	/* "audit/0" leaves out "audit/head" */
	(void)slot_query(a, s, STR("audit/0"), false, !oldest_first(s), after, s->limit);
}

void state_audit(struct api *a, struct slot *s, const struct state_done *done) {
	struct json_out o = json_out(&s->out);
	int64_t last = 0;
	json_begin_object(&o);
	json_key(&o, "items");
	json_begin_array(&o);
	for (size_t i = 0; i < done->count; i++) json_put_raw(&o, done->items[i].value);
	json_end_array(&o);
	json_key(&o, "next");
	struct str key = done->count ? done->items[done->count - 1].key : (struct str){ 0 };
	if (done->more && key.n == AUDIT_KEY_LEN && str_int((struct str){ key.p + 6, 20 }, &last))
		json_put_str(&o, str_printf(&s->arena, "%lld", (long long)last));
	else
		json_put_null(&o);
	json_end_object(&o);
	answer_out(a, s);
}

/* ---- the check ---- */

static void verdict(struct api *a, struct slot *s, bool whole, const char *why) {
	const struct audit_verifier *v = s->verifier;
	struct json_out o = json_out(&s->out);
	char hex[65];
	hex_encode(v->at.hash.b, sizeof v->at.hash.b, hex);
	json_begin_object(&o);
	json_kv_bool(&o, "whole", whole);
	json_kv_int(&o, "entries", (int64_t)s->entries);
	json_kv_int(&o, "seq", (int64_t)v->at.seq);
	json_kv_c(&o, "hash", hex);
	json_kv_bool(&o, "against_published_head", v->published.seq > 0);
	json_kv_c(&o, "why", why);
	struct str text =
		whole ? str_printf(&s->arena, "%lld entries, the chain is whole%s; head %lld:%s", (long long)s->entries,
	                       v->published.seq ? " and holds the head that was published" : "", (long long)v->at.seq, hex)
			  : str_printf(&s->arena, "tampered with: %s", why);
	json_kv_str(&o, "text", text);
	json_end_object(&o);
	answer_out(a, s);
}

static void more_entries(struct api *a, struct slot *s) {
	s->deadline.ns = a->now.ns + ANSWER_TIMEOUT_NS; /* a long log takes its time, page by page */
	(void)slot_query(a, s, STR("audit/0"), false, false, s->after, VERIFY_PAGE);
}

enum { VERIFY_ENTRIES, VERIFY_HEAD };

void start_verify(struct api *a, struct slot *s) {
	struct audit_head published = { 0 };
	struct why why = { "" };
	struct str head = target_param(&s->target, "head");
	struct audit_verifier *v = arena_new(&s->arena, struct audit_verifier);
	enum err e = !v ? ERR_NOMEM : head.n ? audit_head_parse(&s->arena, head, &published, &why) : OK;
	if (e) {
		answer_err(a, s, e, why.text);
		return;
	}
	*v = audit_verifier(published);
	s->verifier = v;
	s->stage = VERIFY_ENTRIES;
	more_entries(a, s);
}

static void check_head(struct api *a, struct slot *s, const struct state_done *done) {
	struct audit_head head = { 0 };
	struct why why = { "" };
	enum err e = done->count ? audit_head_read(&s->arena, done->items[0].value, &head, &why) : OK;
	/* entries may have come since the last page was read: then the head is ahead, and more is read */
	struct audit_verifier *v = s->verifier;
	if (!e && head.seq > v->at.seq && s->stage++ < VERIFY_HEAD + 3) {
		more_entries(a, s);
		return;
	}
	if (!e) e = audit_verify_end(v, &head, &why);
	verdict(a, s, !e, e ? why.text : NULL);
}

static bool check_page(struct api *a, struct slot *s, const struct state_done *done) {
	struct why why = { "" };
	for (size_t i = 0; i < done->count; i++) {
		CLEANUP(arena_done) struct arena scratch;
		arena_init(&scratch, 0);
		if (audit_verify_next(s->verifier, &scratch, done->items[i].value, &why)) {
			verdict(a, s, false, why.text);
			return false;
		}
		s->entries++;
	}
	return true;
}

void state_verify(struct api *a, struct slot *s, const struct state_done *done) {
	bool head = done->count == 1 && str_is(done->items[0].key, "audit/head");
	if (head || (!done->count && s->waits)) {
		s->waits = false;
		check_head(a, s, done);
		return;
	}
	if (!check_page(a, s, done)) return;
	if (done->count) s->after = str_copy(&s->arena, done->items[done->count - 1].key);
	if (done->more) {
		more_entries(a, s);
		return;
	}
	s->waits = true; /* for the head */
	(void)slot_query(a, s, STR("audit/head"), true, false, (struct str){ 0 }, 1);
}
