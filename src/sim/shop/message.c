/* Message queues: what a call sends is kept until a consumer has a free place, and is delivered again when it fails.
 *
 * The queue has no end: a broker's disk is large. Consumers ask for messages, so a full one takes none. */
#include "sim/shop/impl.h"

#define POLL_NS    (100 * NS_PER_MS) /* a consumer that had no place, or was not there, asks again */
#define AGAIN_NS   NS_PER_SEC        /* until what failed is delivered again; doubles */
#define AGAIN_MOST 5

static uint64_t name_of(const struct shop *s, uint32_t i) {
	return (uint64_t)s->messages[i].gen << 32 | i;
}

static uint32_t message_new(struct shop *s) {
	if (!s->free_message_count) {
		uint32_t count = s->message_count ? 2 * s->message_count : 64;
		s->messages = must_grow(s->messages, count, sizeof *s->messages);
		s->free_messages = must_grow(s->free_messages, count, sizeof *s->free_messages);
		memset(s->messages + s->message_count, 0, (count - s->message_count) * sizeof *s->messages);
		for (uint32_t i = count; i > s->message_count; i--) s->free_messages[s->free_message_count++] = i - 1;
		s->message_count = count;
	}
	s->counts.messages++;
	return s->free_messages[--s->free_message_count];
}

static void message_free(struct shop *s, uint32_t i) {
	s->messages[i].gen++;
	s->free_messages[s->free_message_count++] = i;
}

/* Whether a pod of the consumer has a place; which. */
static bool free_pod(struct shop *s, uint32_t service, uint32_t *pod) {
	const struct shop_member *m = &s->members[service];
	if (!m->serving_count) return false;
	uint32_t first = (uint32_t)rng_below(&s->route_rng, m->serving_count);
	for (uint32_t i = 0; i < m->serving_count; i++) {
		*pod = m->serving[(first + i) % m->serving_count];
		const struct shop_pod *p = s->pods[*pod];
		if (!p->hung && p->station.busy < p->station.workers) return true;
	}
	return false;
}

static void deliver_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	uint32_t i = (uint32_t)arg, pod = 0;
	if (s->messages[i].gen != (uint32_t)(arg >> 32)) return;
	const struct shop_edge *e = &s->edges[s->messages[i].edge];
	if (!free_pod(s, s->points[e->target].service, &pod)) {
		sim_queue_in(s->queue, POLL_NS, deliver_moment, s, arg);
		return;
	}
	shop_deliver(s, pod, e->target, i);
}

/* A broker writes it down before it says so. */
static int64_t broker_work(struct shop *s) {
	static const struct shop_time work = { .median = 0.001, .sigma = 0.4, .tail = 0.002, .tail_alpha = 1.5 };
	return (int64_t)(shop_draw(&s->network_rng, &work) * 1e9);
}

int64_t shop_publish(struct shop *s, uint32_t edge, uint32_t flow, uint64_t span) {
	uint32_t i = message_new(s);
	struct shop_message *m = &s->messages[i];
	const struct shop_flow *f = &s->flows[flow];
	const struct shop_edge *e = &s->edges[edge];
	*m = (struct shop_message){ .gen = m->gen, .edge = edge, .trace_hi = f->trace_hi, .trace_lo = f->trace_lo };
	m->sampled = f->sampled;
	m->span = span;
	int64_t there = shop_way(s, e) + broker_work(s);
	sim_queue_in(s->queue, there, deliver_moment, s, name_of(s, i));
	return there + shop_way(s, e);
}

void shop_message_ended(struct shop *s, uint32_t i, enum shop_outcome o) {
	struct shop_message *m = &s->messages[i];
	if (o == SHOP_OK || m->attempt >= s->edges[m->edge].retries) {
		s->counts.messages_lost += o != SHOP_OK;
		message_free(s, i);
		return;
	}
	int doubled = m->attempt < AGAIN_MOST ? m->attempt : AGAIN_MOST;
	m->attempt++;
	sim_queue_in(s->queue, AGAIN_NS << doubled, deliver_moment, s, name_of(s, i));
}

void shop_messages_done(struct shop *s) {
	free(s->messages);
	free(s->free_messages);
}
