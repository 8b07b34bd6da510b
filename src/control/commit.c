/* Changes become durable: several of them in one transaction, one transaction at a time. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_impl.h"
#include "control/rows_json.h"

#define CHANGE_BYTES_MAX (64 * 1024)

/* ---- making ---- */

struct change *change_new(struct control *c, struct incident_row *in, struct action_row *act) {
	struct change *ch = calloc(1, sizeof *ch);
	if (!ch) return NULL;
	arena_init(&ch->arena, CHANGE_BYTES_MAX);
	ch->in = in;
	ch->act = act;
	if (in) in->changes++;
	if (act) act->changes++;
	list_push(&c->changes, &ch->node);
	return ch;
}

void change_note(struct control *c, struct change *ch, const char *kind, struct str by, struct str body) {
	(void)c;
	if (!ch) return;
	assert(ch->note_count < NOTES_MAX);
	struct note *n = &ch->notes[ch->note_count++];
	n->kind = kind;
	n->by = row_text(&ch->arena, by);
	n->body = row_text(&ch->arena, body);
	/* a body too large for the log is left out rather than the entry */
	if (body.n && !n->body.n) n->body = STR("{\"cut\":true}");
}

static void change_free(struct control *c, struct change *ch) {
	(void)c;
	list_remove(&ch->node);
	arena_done(&ch->arena);
	free(ch);
}

/* ---- writing ---- */

static struct str kept(struct control *c, struct buf *buf) {
	struct str s = buf->err ? (struct str){ 0 } : str_copy(&c->batch, buf_get(buf));
	buf_clear(buf);
	return s;
}

static bool put(struct control *c, struct state_write w) {
	if (!w.key.p || (w.effect == STATE_PUT && !w.value.p)) return false;
	c->writes[c->write_count++] = w;
	return true;
}

static bool written(const struct control *c, struct str key) {
	for (size_t i = 0; i < c->write_count; i++)
		if (str_eq(c->writes[i].key, key)) return true;
	return false;
}

static struct wall later(struct control *c, bool over, int64_t ns) {
	return (struct wall){ over ? c->wall.ns + ns : 0 };
}

static bool put_incident(struct control *c, struct incident_row *in, struct buf *buf) {
	struct str key = str_printf(&c->batch, "incident/%s", in->id);
	if (written(c, key)) return true;
	incident_write(in, buf);
	return put(c, (struct state_write){ .effect = STATE_PUT,
	                                    .key = key,
	                                    .value = kept(c, buf),
	                                    .expires = later(c, in->how != HOW_OPEN, KEEP_ROWS_NS) });
}

static bool put_action(struct control *c, struct action_row *act, struct buf *buf) {
	struct str key = str_printf(&c->batch, "action/%s", act->id);
	if (written(c, key)) return true;
	action_write(act, buf);
	act->published_stored = act->published;
	return put(c, (struct state_write){ .effect = STATE_PUT,
	                                    .key = key,
	                                    .value = kept(c, buf),
	                                    .expires = later(c, action_state_terminal(act->state), KEEP_ROWS_NS) });
}

static bool put_claim(struct control *c, const struct action_row *act) {
	return put(c, (struct state_write){ .effect = STATE_PUT,
	                                    .check = STATE_ABSENT,
	                                    .key = str_printf(&c->batch, "key/%s", act->key.hex),
	                                    .value = str_printf(&c->batch, "{\"action\":\"%s\"}", act->id),
	                                    .expires = later(c, true, KEEP_KEYS_NS) });
}

/* A later change of the same item takes the earlier one's place. */
static bool put_extra(struct control *c, const struct change *ch) {
	struct state_write w = {
		.effect = ch->value.n ? STATE_PUT : STATE_REMOVE, .key = ch->key, .value = ch->value, .expires = ch->expires
	};
	for (size_t i = 0; i < c->write_count; i++)
		if (str_eq(c->writes[i].key, ch->key)) {
			c->writes[i] = w;
			return true;
		}
	return put(c, w);
}

static bool put_note(struct control *c, const struct change *ch, const struct note *n, struct buf *buf) {
	char key[AUDIT_KEY_LEN + 1];
	struct audit_entry e = { .seq = c->next_head.seq + 1,
		                     .at = c->wall,
		                     .kind = str_of(n->kind),
		                     .by = n->by,
		                     .action = ch->act ? str_of(ch->act->id) : (struct str){ 0 },
		                     .incident = ch->in    ? str_of(ch->in->id)
		                                 : ch->act ? str_of(ch->act->incident)
		                                           : (struct str){ 0 },
		                     .body = n->body };
	audit_key(e.seq, key);
	audit_append(&c->next_head, &e, buf);
	return put(c, (struct state_write){ .effect = STATE_PUT,
	                                    .check = STATE_ABSENT,
	                                    .key = str_copy(&c->batch, str_of(key)),
	                                    .value = kept(c, buf) });
}

static bool put_change(struct control *c, struct change *ch, struct buf *buf) {
	bool ok = true;
	if (ch->in) ok = put_incident(c, ch->in, buf);
	if (ok && ch->act) ok = put_action(c, ch->act, buf);
	if (ok && ch->claim) ok = put_claim(c, ch->act);
	if (ok && ch->key.n) ok = put_extra(c, ch);
	for (size_t i = 0; ok && i < ch->note_count; i++) ok = put_note(c, ch, &ch->notes[i], buf);
	return ok;
}

static bool put_head(struct control *c, struct buf *buf) {
	if (c->next_head.seq == c->head.seq) return true;
	audit_head_write(&c->next_head, buf);
	return put(c, (struct state_write){ .effect = STATE_PUT,
	                                    .check = c->head_version ? STATE_VERSION : STATE_ABSENT,
	                                    .version = c->head_version,
	                                    .key = STR("audit/head"),
	                                    .value = kept(c, buf) });
}

static size_t items_of(const struct change *ch) {
	return (ch->in != NULL) + (ch->act != NULL) + ch->claim + (ch->key.n > 0) + ch->note_count;
}

/* As many changes as fit, in order; guard and head take two places. False: no memory. */
static bool batch_make(struct control *c) {
	CLEANUP(buf_done) struct buf buf;
	buf_init(&buf, 0);
	bool ok = true;
	arena_reset(&c->batch);
	c->write_count = 0;
	c->next_head = c->head;
	ok = put(c, lease_guard(c->lease));
	while (ok && !list_empty(&c->changes)) {
		struct change *ch = container_of(c->changes.next, struct change, node);
		if (c->write_count + items_of(ch) + 1 > STATE_TRANSACT_MAX) break;
		ok = put_change(c, ch, &buf);
		list_remove(&ch->node);
		list_push(&c->flight, &ch->node);
	}
	return ok && put_head(c, &buf);
}

/* ---- the transaction's way ---- */

static bool submit(struct control *c) {
	enum err e = state_transact(c->state, c->writes, c->write_count, tag_make(c, TAG_COMMIT, 0));
	if (e == ERR_FULL || e == ERR_AGAIN) {
		c->commit_again.ns = c->now.ns + 10 * NS_PER_MS;
		return false;
	}
	if (e) {
		log_event(c->log, LOG_ERROR, "control.commit_refused", "err=%s writes=%lld", err_name(e),
		          (long long)c->write_count);
		control_forget(c, RETRY_NS_MIN, "a transaction was refused");
		return true;
	}
	c->flying = true;
	return true;
}

bool commit_step(struct control *c) {
	if (c->flying || c->now.ns < c->commit_again.ns || !lease_held(c->lease)) return false;
	if (!list_empty(&c->flight)) return submit(c); /* the one before was not taken */
	if (list_empty(&c->changes)) return false;
	if (!batch_make(c)) {
		control_forget(c, RETRY_NS_MIN, "out of memory");
		return true;
	}
	return submit(c);
}

static void change_durable(struct control *c, struct change *ch) {
	if (ch->in) ch->in->changes--;
	if (ch->act) {
		ch->act->changes--;
		ch->act->fresh = false;
	}
	if (ch->has_receipt && c->bus)
		(void)c->bus->ops->settle(c->bus, ch->receipt, true, 0, (struct str){ 0 }, tag_make(c, TAG_ACK, 0));
	if (ch->has_command) command_answer(c, ch->command, OK, NULL);
	change_free(c, ch);
}

static void committed(struct control *c) {
	if (c->next_head.seq != c->head.seq) c->head_version++;
	c->head = c->next_head;
	c->commit_failures = 0;
	c->n.commits++;
	while (!list_empty(&c->flight)) change_durable(c, container_of(c->flight.next, struct change, node));
}

void commit_take(struct control *c, const struct state_done *done) {
	c->flying = false;
	if (!done->err) {
		committed(c);
		return;
	}
	if (done->err == ERR_CONFLICT) c->n.conflicts++;
	log_event(c->log, LOG_WARN, "control.commit_failed", "err=%s item=%lld why=%s", err_name(done->err),
	          (long long)done->failed, done->why ? done->why : "");
	/* one conflict is another writer's and read back at once; one after another is something that stays */
	control_forget(c,
	               c->commit_failures++        ? retry_ns(c->commit_failures - 2)
	               : done->err == ERR_CONFLICT ? 0
	                                           : RETRY_NS_MIN,
	               err_text(done->err));
}

static void change_drop(struct control *c, struct change *ch) {
	if (ch->has_receipt && c->bus)
		(void)c->bus->ops->settle(c->bus, ch->receipt, false, 0, STR("control reads its state back"),
		                          tag_make(c, TAG_ACK, 0));
	if (ch->has_command) command_answer(c, ch->command, ERR_AGAIN, "control is reading its state back; try again");
	change_free(c, ch);
}

void commit_drop(struct control *c) {
	while (!list_empty(&c->flight)) change_drop(c, container_of(c->flight.next, struct change, node));
	while (!list_empty(&c->changes)) change_drop(c, container_of(c->changes.next, struct change, node));
	c->flying = false;
	c->commit_again = (struct mono){ 0 };
}
