/* What is saved, and read again; docs/design/0004-engine-state.md has the rules.
 *
 *   checkpoint/observe/SHARD/a/NNNN, b/NNNN  parts of a generation, odd ones in a, even ones in b
 *   checkpoint/observe/SHARD/manifest        which generation is whole, and up to which batch it reaches
 *   checkpoint/observe/SHARD/incidents       open incidents and events not yet on the bus: keep.c
 *
 * Parts are written first and the manifest last, so a crash leaves the generation before. A batch is
 * let go on the transport only when a manifest that holds it is durable and what it led to is on the bus. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/observer_in.h"
#include "observe/records.h"

#define PART_BYTES    (300 * 1024)
#define PART_FRAME    ((size_t)CODEC_HEADER + 16) /* generation, number, length */
#define PARTS_MAX     4096
#define PARTS_AT_ONCE 4
#define BYTES_BETWEEN (16 << 20) /* of telemetry: the transport must not fill up while time is short */
#define RETRY_NS      (10 * NS_PER_SEC)
#define QUERY_PARTS   16

static void key_of(const struct observer *ob, const char *what, char out[96]) {
	snprintf(out, 96, "checkpoint/observe/%u/%s", ob->o.shard, what);
}

static void part_key(const struct observer *ob, uint64_t generation, uint32_t part, char out[96]) {
	char what[24];
	snprintf(what, sizeof what, "%c/%04u", generation % 2 ? 'a' : 'b', part);
	key_of(ob, what, out);
}

static enum err put(struct observer *ob, const char *key, const struct buf *value, uint64_t tag) {
	struct state_write w = { .effect = STATE_PUT, .check = STATE_ANY, .key = str_of(key), .value = buf_get(value) };
	if (value->err) return value->err;
	return state_transact(ob->o.state, &w, 1, tag);
}

/* ---- saving ---- */

static void saving_end(struct observer *ob, bool ok) {
	struct saving *s = &ob->saving;
	for (uint32_t i = 0; i < s->count; i++) buf_done(&s->parts[i]);
	free(s->parts);
	ob->counts.checkpoints += ok;
	ob->counts.checkpoint_failures += !ok;
	if (!ok) ob->saved_ns = ob->now_ns - ob->o.settings.checkpoint_ns + RETRY_NS;
	*s = (struct saving){ 0 };
}

/* As much as the one before took and an eighth more: growing step by step copies it all twice over. */
static size_t room_for(size_t before, size_t most) {
	return before + before / 8 < most ? before + before / 8 : most;
}

/* One consistent picture, taken between two batches and cut into parts. */
static bool saving_begin(struct observer *ob) {
	struct saving *s = &ob->saving;
	struct buf all;
	buf_init(&all, (size_t)PARTS_MAX * PART_BYTES);
	(void)buf_grow(&all, room_for((size_t)ob->counts.checkpoint_bytes, all.max));
	stream_save(ob->stream, &all);
	records_save(ob, &all);
	*s = (struct saving){ .state = SAVING_PARTS, .generation = ob->generation + 1, .position = ob->position };
	s->count = (uint32_t)((all.n + PART_BYTES - 1) / PART_BYTES);
	s->parts = calloc(s->count ? s->count : 1, sizeof *s->parts);
	bool ok = !all.err && s->parts;
	for (uint32_t i = 0; i < s->count && ok; i++) {
		size_t from = (size_t)i * PART_BYTES, n = all.n - from < PART_BYTES ? all.n - from : PART_BYTES;
		buf_init(&s->parts[i], 0);
		(void)buf_grow(&s->parts[i], n + PART_FRAME);
		struct enc e = enc_begin(&s->parts[i], "FBOP", 1);
		enc_u64(&e, s->generation), enc_u32(&e, i);
		enc_str(&e, (struct str){ all.p + from, n });
		enc_end(&e);
		ok = !s->parts[i].err;
	}
	ob->counts.checkpoint_bytes = (int64_t)all.n;
	ob->saved_ns = ob->now_ns;
	ob->bytes_since = 0;
	buf_done(&all);
	if (!ok) saving_end(ob, false);
	return ok;
}

static bool saving_parts(struct observer *ob) {
	struct saving *s = &ob->saving;
	bool did = false;
	char key[96];
	while (s->sent < s->count && s->pending < PARTS_AT_ONCE) {
		part_key(ob, s->generation, s->sent, key);
		enum err e = put(ob, key, &s->parts[s->sent], STATE_TAG(TAG_PART, s->sent));
		if (e == ERR_FULL) break;
		if (e) {
			s->failed = true;
			break;
		}
		s->sent++, s->pending++;
		did = true;
	}
	return did;
}

static void saving_manifest(struct observer *ob) {
	struct saving *s = &ob->saving;
	struct buf b;
	char key[96];
	buf_init(&b, 0);
	struct enc e = enc_begin(&b, "FBOM", 1);
	enc_u64(&e, s->generation), enc_u64(&e, s->position), enc_u32(&e, s->count), enc_i64(&e, ob->now_ns);
	enc_end(&e);
	key_of(ob, "manifest", key);
	enum err r = put(ob, key, &b, STATE_TAG(TAG_MANIFEST, 0));
	buf_done(&b);
	if (r == ERR_FULL) return;
	if (r)
		s->failed = true;
	else
		s->state = SAVING_MANIFEST;
}

static bool saving_step(struct observer *ob) {
	struct saving *s = &ob->saving;
	if (s->failed && !s->pending) {
		saving_end(ob, false);
		return true;
	}
	if (s->state != SAVING_PARTS || s->failed) return false;
	bool did = saving_parts(ob);
	if (s->sent == s->count && !s->pending && !s->failed) {
		saving_manifest(ob);
		did = true;
	}
	return did;
}

/* Batches whose effect is durable are let go: in the manifest, and nothing told of them waits. */
static void let_go(struct observer *ob) {
	if (ob->saved_position <= ob->let_go || ob->out_count) return;
	if (ob->o.transport->ops->checkpoint(ob->o.transport, ob->o.shard, ob->saved_position) == OK)
		ob->let_go = ob->saved_position;
}

/* ---- reading ---- */

static void ask(struct observer *ob, const char *what, bool exact, const char *after) {
	char prefix[96], from[96];
	key_of(ob, what, prefix);
	struct state_query q = { .prefix = str_of(prefix), .exact = exact, .limit = exact ? 1 : QUERY_PARTS };
	if (after) {
		snprintf(from, sizeof from, "%s", after);
		q.after = str_of(from);
	}
	ob->loading.asked = state_query(ob->o.state, &q, STATE_TAG(TAG_LOAD, 0)) == OK;
}

static void loading_fail(struct observer *ob, const char *what) {
	snprintf(ob->damaged, sizeof ob->damaged, "%s", what);
	ob->loading.parts = 0;
	buf_clear(&ob->loading.bytes);
	ob->loading.state = LOADING_INCIDENTS;
}

static void manifest_read(struct observer *ob, const struct state_done *d) {
	struct loading *l = &ob->loading;
	struct dec x;
	struct why why = { "" };
	if (d->err) {
		loading_fail(ob, d->why ? d->why : err_text(d->err));
		return;
	}
	if (!d->count) {
		l->state = LOADING_INCIDENTS;
		return;
	}
	if (dec_begin(&x, d->items[0].value, "FBOM", 1, NULL, &why)) {
		loading_fail(ob, why.text);
		return;
	}
	l->generation = dec_u64(&x), l->position = dec_u64(&x), l->parts = dec_u32(&x);
	dec_i64(&x);
	ob->generation = l->generation; /* whatever comes of it, the next one is another */
	if (dec_end(&x) || l->parts > PARTS_MAX)
		loading_fail(ob, "record 'FBOM': damaged");
	else
		l->state = l->parts ? LOADING_PARTS : LOADING_INCIDENTS;
}

static bool part_read(struct observer *ob, struct str value, struct why *why) {
	struct loading *l = &ob->loading;
	struct dec x;
	if (dec_begin(&x, value, "FBOP", 1, NULL, why)) return false;
	uint64_t generation = dec_u64(&x);
	uint32_t number = dec_u32(&x);
	struct str bytes = dec_str(&x);
	if (dec_end(&x) || number != l->have || generation != l->generation) {
		why_set(why, ERR_CORRUPT, "record 'FBOP': part %u of another generation or out of order", number);
		return false;
	}
	buf_str(&l->bytes, bytes);
	l->have++;
	return true;
}

static void parts_read(struct observer *ob, const struct state_done *d) {
	struct loading *l = &ob->loading;
	struct why why = { "" };
	if (d->err || !d->count) {
		loading_fail(ob, d->err ? err_text(d->err) : "a part of the checkpoint is missing");
		return;
	}
	for (size_t i = 0; i < d->count && l->have < l->parts; i++) {
		if (part_read(ob, d->items[i].value, &why)) continue;
		loading_fail(ob, why.text);
		return;
	}
	if (l->have == l->parts)
		l->state = LOADING_INCIDENTS;
	else if (!d->more)
		loading_fail(ob, "a part of the checkpoint is missing");
}

/* A stream that refused what was saved is half full: a new one. */
static enum err renew(struct observer *ob) {
	struct stream_opts o = ob->stream->opts;
	stream_close(TAKE(ob->stream));
	records_forget(ob);
	return stream_open(o, &ob->stream);
}

static void apply(struct observer *ob) {
	struct loading *l = &ob->loading;
	struct why why = { "" };
	struct str rest;
	if (l->bytes.n) {
		enum err e = stream_load(ob->stream, buf_get(&l->bytes), &rest, &why);
		if (!e) e = records_load(ob, rest, &why);
		if (e) {
			snprintf(ob->damaged, sizeof ob->damaged, "%s", why.text);
			if (renew(ob)) ob->broken = true;
		} else {
			ob->position = ob->let_go = ob->saved_position = l->position;
		}
	}
	if (ob->position && ob->o.transport->ops->resume(ob->o.transport, ob->o.shard, ob->position)) ob->broken = true;
	buf_done(&l->bytes);
	l->applied = true;
	if (!ob->damaged[0]) return;
	log_event(ob->o.log, LOG_ERROR, "observe.checkpoint", "refused=%s", ob->damaged);
	tell_model(ob, STR("flyball/observe"), "damaged", ob->damaged, 0, NAN);
}

static void incidents_read(struct observer *ob, const struct state_done *d) {
	if (!ob->loading.applied) apply(ob);
	if (!ob->broken && keep_read(ob, d)) return;
	ob->loading.state = LOADING_DONE;
	ob->listening_ns = ob->now_ns;
}

bool checkpoint_load_step(struct observer *ob) {
	struct loading *l = &ob->loading;
	char side[4] = { l->generation % 2 ? 'a' : 'b', '/', 0 }, last[96];
	if (l->asked || l->state == LOADING_DONE) return false;
	switch (l->state) {
	case LOADING_MANIFEST: ask(ob, "manifest", true, NULL); break;
	case LOADING_PARTS:
		if (l->have) part_key(ob, l->generation, l->have - 1, last);
		ask(ob, side, false, l->have ? last : NULL);
		break;
	case LOADING_INCIDENTS: l->asked = keep_ask(ob, STATE_TAG(TAG_LOAD, 0)); break;
	case LOADING_DONE: break;
	}
	return l->asked;
}

static void loaded(struct observer *ob, const struct state_done *d) {
	ob->loading.asked = false;
	switch (ob->loading.state) {
	case LOADING_MANIFEST: manifest_read(ob, d); break;
	case LOADING_PARTS: parts_read(ob, d); break;
	case LOADING_INCIDENTS: incidents_read(ob, d); break;
	case LOADING_DONE: break;
	}
}

/* ---- ---- */

static void manifest_written(struct observer *ob, enum err e) {
	if (!e) {
		ob->generation = ob->saving.generation;
		ob->saved_position = ob->saving.position;
	}
	saving_end(ob, !e);
}

void checkpoint_state_done(struct observer *ob, const struct state_done *d) {
	switch (d->tag >> 56) {
	case TAG_PART:
		ob->saving.pending--;
		ob->saving.failed = ob->saving.failed || d->err;
		break;
	case TAG_MANIFEST: manifest_written(ob, d->err); break;
	case TAG_KEEP: keep_written(ob, d); return;
	case TAG_LOAD: loaded(ob, d); break;
	default: break;
	}
	if (d->err && d->tag >> 56 != TAG_LOAD)
		log_event(ob->o.log, LOG_WARN, "observe.checkpoint", "err=%s", err_name(d->err));
}

bool checkpoint_step(struct observer *ob, bool now) {
	bool did = keep_step(ob);
	bool due = ob->now_ns - ob->saved_ns >= ob->o.settings.checkpoint_ns || ob->bytes_since > BYTES_BETWEEN || now;
	if (ob->saving.state == SAVING_IDLE && due && (now || ob->position != ob->saved_position)) did |= saving_begin(ob);
	did |= saving_step(ob);
	let_go(ob);
	return did;
}

void checkpoint_free(struct observer *ob) {
	for (uint32_t i = 0; i < ob->saving.count; i++) buf_done(&ob->saving.parts[i]);
	free(ob->saving.parts);
	buf_done(&ob->loading.bytes);
	buf_done(&ob->loading.kept);
}
