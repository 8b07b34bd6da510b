/* The bus in SQLite, the loop's half: what is in flight, who has it, until when. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/param.h"

#include "bus/sqlite.h"

#define RETRY_NS NS_PER_SEC

static struct slot *slot_of(struct backend *b, uint64_t receipt, unsigned *queue, unsigned *slot) {
	*slot = receipt % BUS_IN_FLIGHT_MAX;
	*queue = receipt / BUS_IN_FLIGHT_MAX % BUS_QUEUES_MAX;
	struct slot *s = &b->queues[*queue].slots[*slot];
	return receipt && s->receipt == receipt ? s : NULL;
}

static void until(struct backend *b, struct slot *s, int64_t ns) {
	s->until.ns = ns;
	if (ns < b->expires.ns) b->expires.ns = ns;
}

/* ---- settling ---- */

/* Takes the request in any case. */
static enum err send(struct backend *b, struct handle *h, struct slot *s, unsigned queue, unsigned slot,
                     struct bus_request *r) {
	r->message.kind = BUS_SETTLED;
	r->queue = queue;
	r->slot = slot;
	r->position = s->position;
	r->was_due = s->due_ns;
	enum err e = bus_request_submit(b, h, r, (int64_t)(sizeof *r + r->reason.n), true);
	if (e)
		bus_request_free(r);
	else
		s->settling = true;
	return e;
}

static struct bus_request *settle_new(struct backend *b, enum settle_how how, struct str reason) {
	if (reason.n > BUS_REASON_MAX) reason.n = BUS_REASON_MAX;
	struct bus_request *r = bus_request_new(b, SETTLE, reason.n);
	if (!r) return NULL;
	r->how = how;
	r->due_ns = r->now_ns;
	r->reason = (struct str){ (char *)(r + 1), reason.n };
	if (reason.n) memcpy(r + 1, reason.p, reason.n);
	return r;
}

/* On the bus's own account. What fails is tried again later: until then the slot stays taken. */
static void settle_for(struct backend *b, unsigned queue, unsigned slot, enum settle_how how, struct str reason) {
	struct slot *s = &b->queues[queue].slots[slot];
	struct bus_request *r = settle_new(b, how, reason);
	if (!r || send(b, NULL, s, queue, slot, r)) until(b, s, bus_mono(b).ns + RETRY_NS);
}

void bus_settled(struct backend *b, struct bus_request *r, enum err e) {
	struct queue *q = &b->queues[r->queue];
	struct slot *s = &q->slots[r->slot];
	assert(s->settling);
	if (e) {
		s->settling = false;
		int64_t soonest = bus_mono(b).ns + RETRY_NS;
		until(b, s, s->until.ns > soonest ? s->until.ns : soonest);
		return;
	}
	*s = (struct slot){ 0 };
	q->in_flight--;
	q->credited += r->credit;
}

/* Exponential with full jitter: anywhere up to the limit, which doubles with each receive. */
static int64_t back_off(struct backend *b, const struct queue *q, int64_t receives) {
	int64_t limit = q->opts.backoff_min_ns;
	for (int64_t i = 1; i < receives && limit < q->opts.backoff_max_ns; i++) limit *= 2;
	if (limit > q->opts.backoff_max_ns) limit = q->opts.backoff_max_ns;
	return (int64_t)(rng_unit(&b->rng) * (double)limit);
}

/* Told at the next poll, without the lane. */
static enum err told_now(struct handle *h, uint64_t tag, enum err e) {
	struct bus_request *r = bus_request_new(h->backend, SETTLE, 0);
	if (!r) return ERR_NOMEM;
	r->message.kind = BUS_SETTLED;
	r->handle = h;
	r->tag = tag;
	r->err = e;
	if (e) why_set(&r->why, e, "the receipt is stale: the time to settle it was over");
	bus_tell(h, &r->message);
	return OK;
}

enum err bus_settle(struct handle *h, uint64_t receipt, bool ack, int64_t delay_ns, struct str reason, uint64_t tag) {
	struct backend *b = h->backend;
	unsigned queue = 0, slot = 0;
	struct slot *s = slot_of(b, receipt, &queue, &slot);
	if (!s || s->settling || s->until.ns <= bus_mono(b).ns) return told_now(h, tag, ERR_GONE);
	if (delay_ns > BUS_DELAY_MAX) delay_ns = BUS_DELAY_MAX;
	if (!ack && delay_ns >= 0 && !reason.n) {
		enum err e = told_now(h, tag, OK);
		if (!e) until(b, s, bus_mono(b).ns + delay_ns);
		return e;
	}
	struct bus_request *r = settle_new(b, ack ? SETTLE_ACK : SETTLE_BACK, ack ? (struct str){ NULL, 0 } : reason);
	if (!r) return ERR_NOMEM;
	r->tag = tag;
	r->due_ns += delay_ns >= 0 ? delay_ns : back_off(b, &b->queues[queue], s->receives);
	return send(b, h, s, queue, slot, r);
}

/* ---- time ---- */

static void expire_slot(struct backend *b, unsigned queue, unsigned slot, int64_t now) {
	struct slot *s = &b->queues[queue].slots[slot];
	char duration[32];
	if (!s->receipt || s->settling) return;
	if (s->until.ns <= now) {
		struct why reason;
		duration_format(b->queues[queue].opts.visibility_ns, duration);
		why_set(&reason, OK, "not settled within %s", duration);
		settle_for(b, queue, slot, SETTLE_BACK, str_of(reason.text));
	}
	if (!s->settling && s->until.ns < b->expires.ns) b->expires = s->until;
}

void bus_expire(struct backend *b) {
	int64_t now = bus_mono(b).ns;
	if (now < b->expires.ns) return;
	b->expires.ns = INT64_MAX;
	for (unsigned q = 0; q < b->queue_count; q++)
		for (unsigned i = 0; b->queues[q].in_flight && i < BUS_IN_FLIGHT_MAX; i++) expire_slot(b, q, i, now);
}

/* ---- deliveries ---- */

static unsigned free_slot(const struct queue *q) {
	unsigned i = 0;
	while (i < BUS_IN_FLIGHT_MAX && q->slots[i].receipt) i++;
	assert(i < BUS_IN_FLIGHT_MAX); /* credit and in flight together are no more */
	return i;
}

static void place(struct backend *b, struct delivery *d) {
	struct queue *q = &b->queues[d->queue];
	unsigned i = free_slot(q);
	struct slot *s = &q->slots[i];
	q->credited--;
	q->in_flight++;
	d->receipt = (++b->serial * BUS_QUEUES_MAX + d->queue) * BUS_IN_FLIGHT_MAX + i;
	*s = (struct slot){ .receipt = d->receipt,
		                .position = d->position,
		                .due_ns = d->due_ns,
		                .receives = d->receives,
		                .handle = q->receiver };
	until(b, s, bus_mono(b).ns + q->opts.visibility_ns);
	if (q->receiver) {
		bus_tell(q->receiver, &d->message);
		return;
	}
	settle_for(b, d->queue, i, SETTLE_BACK, STR("nobody receives from the queue"));
	free(d);
}

void bus_deliver(struct backend *b) {
	for (struct list *l; (l = list_shift(&b->arrived));) place(b, container_of(l, struct delivery, message.link));
}

bool bus_hand_out(struct backend *b, const struct delivery *d) {
	unsigned queue = 0, slot = 0;
	struct slot *s = slot_of(b, d->receipt, &queue, &slot);
	if (!s || s->settling) return false;
	/* At least once: that it comes a second time while the first is being worked on can always be. */
	if (FAULT(b->world, "bus.twice")) until(b, s, bus_mono(b).ns);
	return true;
}

void bus_bury(struct backend *b, const struct delivery *d, const char *reason) {
	unsigned queue = 0, slot = 0;
	if (slot_of(b, d->receipt, &queue, &slot)) settle_for(b, queue, slot, SETTLE_DEAD, str_of(reason));
}

void bus_give_back(struct backend *b, struct handle *h) {
	for (unsigned q = 0; q < b->queue_count; q++) {
		for (unsigned i = 0; i < BUS_IN_FLIGHT_MAX; i++) {
			struct slot *s = &b->queues[q].slots[i];
			if (!s->receipt || s->handle != h) continue;
			s->handle = NULL;
			if (!s->settling) settle_for(b, q, i, SETTLE_BACK, STR("its receiver has gone"));
		}
	}
}
