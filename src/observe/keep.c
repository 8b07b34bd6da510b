/* Open incidents and what they tell, written at each change and read back at the start.
 *
 * Events of incidents leave the outbox only when a write that holds them is durable: told but not written down, an
 * incident would be opened a second time by whoever reads its batches again. So a store that fails holds them back;
 * they are tried again each RETRY_NS, and people see why. One record, cut into parts of one transaction:
 *
 *   checkpoint/observe/SHARD/incidents, .../incidents/0001, ...
 *
 * Parts of a longer record before it stay behind the last one and are not read: the record knows its length. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "observe/observer_in.h"
#include "observe/records.h"

#define PART_BYTES (300 * 1024)
#define PARTS_MAX  12
#define RECORD_BYTES                                                                                 \
	((size_t)PARTS_MAX * PART_BYTES) /* of one transaction; events that do not fit wait for the next \
	                                  */
#define RETRY_NS NS_PER_SEC

static_assert(RECORD_BYTES + PARTS_MAX * 200 < STATE_TRANSACT_BYTES_MAX, "it is one transaction");

static void keep_failed(struct observer *ob, enum err e, const char *why) {
	ob->counts.keep_failures++;
	ob->keep_due_ns = ob->now_ns + RETRY_NS;
	if (!ob->untold[0]) log_event(ob->o.log, LOG_ERROR, "observe.incidents", "err=%s", err_name(e));
	snprintf(ob->untold, sizeof ob->untold, "open incidents cannot be written: %s", why ? why : err_text(e));
}

static enum err keep_put(struct observer *ob, struct str record) {
	struct state_write w[PARTS_MAX];
	char keys[PARTS_MAX][96];
	size_t n = 0;
	for (size_t from = 0; from < record.n && n < PARTS_MAX; from += PART_BYTES, n++) {
		struct str part = { record.p + from, record.n - from < PART_BYTES ? record.n - from : PART_BYTES };
		if (n)
			snprintf(keys[n], sizeof keys[n], "checkpoint/observe/%u/incidents/%04zu", ob->o.shard, n);
		else
			snprintf(keys[n], sizeof keys[n], "checkpoint/observe/%u/incidents", ob->o.shard);
		w[n] = (struct state_write){ .effect = STATE_PUT, .check = STATE_ANY, .key = str_of(keys[n]), .value = part };
	}
	return state_transact(ob->o.state, w, n, STATE_TAG(TAG_KEEP, 0));
}

bool keep_step(struct observer *ob) {
	if (ob->keep_pending || ob->keep_wanted == ob->keep_sent || ob->now_ns < ob->keep_due_ns) return false;
	struct buf b;
	buf_init(&b, RECORD_BYTES);
	uint64_t holds = incidents_save(ob, &b, RECORD_BYTES - 4096);
	enum err e = b.err ? b.err : keep_put(ob, buf_get(&b));
	buf_done(&b);
	if (e == ERR_FULL) return false;
	if (e) {
		keep_failed(ob, e, NULL);
		return true;
	}
	if (holds < ob->keep_wanted) ob->keep_due_ns = ob->now_ns + RETRY_NS; /* when some have left the outbox */
	ob->keep_sent = holds;
	ob->keep_pending = true;
	return true;
}

void keep_written(struct observer *ob, const struct state_done *d) {
	ob->keep_pending = false;
	if (d->err) {
		ob->keep_sent = ob->keep_done;
		keep_failed(ob, d->err, d->why);
		return;
	}
	if (ob->keep_sent > ob->keep_done) ob->keep_done = ob->keep_sent;
	if (ob->untold[0]) log_event(ob->o.log, LOG_INFO, "observe.incidents", "written=again");
	ob->untold[0] = 0;
}

bool keep_ask(struct observer *ob, uint64_t tag) {
	struct loading *l = &ob->loading;
	char prefix[96];
	snprintf(prefix, sizeof prefix, "checkpoint/observe/%u/incidents", ob->o.shard);
	struct state_query q = { .prefix = str_of(prefix), .after = str_of(l->kept_after), .limit = PARTS_MAX };
	return state_query(ob->o.state, &q, tag) == OK;
}

/* True: there is more to ask for. */
bool keep_read(struct observer *ob, const struct state_done *d) {
	struct loading *l = &ob->loading;
	struct why why = { "" };
	for (size_t i = 0; i < d->count; i++) buf_str(&l->kept, d->items[i].value);
	if (!d->err && d->more && d->count) {
		struct str last = d->items[d->count - 1].key;
		snprintf(l->kept_after, sizeof l->kept_after, STR_FMT, STR_ARG(last));
		return true;
	}
	enum err e = d->err;
	if (e) why_set(&why, e, "open incidents cannot be read: %s", d->why ? d->why : err_text(e));
	if (!e && l->kept.n) e = incidents_load(ob, buf_get(&l->kept), &why);
	buf_done(&l->kept);
	if (!e) return false;
	log_event(ob->o.log, LOG_ERROR, "observe.incidents", "refused=%s", why.text);
	tell_model(ob, STR("flyball/observe"), "damaged", why.text, 0, NAN);
	return false;
}
