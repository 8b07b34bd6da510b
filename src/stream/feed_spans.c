/* Spans become requests served, calls made, and what traces.h makes of both. */
#include <string.h>

#include "stream/feed.h"

#define EDGE_GUESS_CALLS 30.0 /* unanswered calls after which an address is taken for an outsider */
#define EDGE_GUESS_NS    (60 * NS_PER_SEC)
#define WEIGHT_LOSS      0.02f
#define LATELY_S         20.0 /* of operations: spans come within a few seconds */

static void example_keep(struct entity *e, const struct batch_span *s, bool failed, int64_t at_ns) {
	struct example *x = &e->examples[e->example_next++ % EXAMPLES];
	memcpy(x->trace, s->trace, sizeof x->trace);
	x->at_ns = at_ns;
	x->failed = failed;
}

struct seen_request {
	const struct batch_span *span;
	int64_t end_ns;
	double seconds;
	bool failed, refused;
	enum hint hint; /* HINTS: none */
};

static void channel_add(struct stream *st, struct channel *c, const struct seen_request *q) {
	struct slot *slot = channel_slot(c, stream_slot(st, q->end_ns));
	double weight = q->span->weight > 0 ? q->span->weight : 1;
	c->known = q->span->weight > 0;
	c->weight += c->seen_total ? (double)WEIGHT_LOSS * (weight - c->weight) : weight;
	c->seen_total++;
	if (slot) {
		slot->requests += (float)weight;
		slot->seen++;
		slot->bad += q->failed;
		slot->refused += q->refused;
		slot->seconds += (float)q->seconds;
	}
	struct tally *y = &c->tally;
	y->seen++;
	y->bad += q->failed;
	y->requests += weight;
	y->seconds += q->seconds;
	y->counts[grid_bucket(q->seconds)] += (float)mix_weigh(&c->mix, hash64(q->span->name), 1, LATELY_S, st->now_ns);
	feed_touch(st, c, q->end_ns, q->end_ns);
}

static void part_add(struct stream *st, struct instance *i, const struct channel *c, const struct seen_request *q) {
	struct part *p = i ? instance_part(i, stream_slot(st, q->end_ns)) : NULL;
	if (!p) return;
	p->seen++;
	p->bad += q->failed;
	p->slow += c->slow_s > 0 && q->seconds > (double)c->slow_s;
	p->seconds += (float)q->seconds;
	i->served_ns = st->now_ns;
}

static void request_served(struct stream *st, struct source *src, struct entity *e, const struct seen_request *q) {
	struct channel *c = feed_channel(st, e, VIA_SPANS, st->grid, GRID_BOUNDS);
	if (!c) return;
	channel_add(st, c, q);
	part_add(st, catalog_instance(&st->catalog, src->instance), c, q);
	if (q->failed || (c->slow_s > 0 && q->seconds > (double)c->slow_s)) example_keep(e, q->span, q->failed, q->end_ns);
}

/* An address that answers with no span of ours is an outsider, unless a service goes by that name. */
static void edge_guess(struct stream *st, struct edge *e) {
	if (e->to != NONE || e->kind != EDGE_CALL || e->joined > 0 || e->calls < EDGE_GUESS_CALLS) return;
	if (st->now_ns - e->first_ns < EDGE_GUESS_NS) return;
	struct str host = e->address, rest, port;
	str_cut(e->address, ':', &host, &port);
	struct entity *to = NULL;
	for (uint32_t i = 0; i < st->catalog.entities.count && !to; i++) {
		struct entity *x = catalog_entity(&st->catalog, i);
		struct str first = host;
		str_cut(host, '.', &first, &rest);
		if (x && x->kind == ENTITY_SERVICE && str_eq(x->name, first)) to = x;
	}
	if (!to) to = catalog_get_entity(&st->catalog, ENTITY_EXTERNAL, (struct str){ NULL, 0 }, e->address, st->now_ns);
	if (to) e->to = to->index;
}

static void call_made(struct stream *st, struct edge *e, const struct seen_request *q) {
	struct edge_slot *s = edge_slot(e, stream_slot(st, q->end_ns));
	e->calls++;
	if (s) s->calls++, s->failed += q->failed, s->seconds += (float)q->seconds;
	edge_guess(st, e);
	struct entity *to = catalog_entity(&st->catalog, e->to);
	if (!to) return;
	bool ours = to->kind == ENTITY_SERVICE;
	if (!ours) to->last_ns = st->now_ns;
	if (q->hint < HINTS && q->end_ns > to->hint_ns[q->hint]) to->hint_ns[q->hint] = q->end_ns;
	struct channel *c = feed_channel(st, to, ours ? VIA_CALLS : VIA_SPANS, st->grid, GRID_BOUNDS);
	if (!c) return;
	channel_add(st, c, q);
	if (ours) return; /* it keeps examples of its own */
	if (q->failed || (c->slow_s > 0 && q->seconds > (double)c->slow_s)) example_keep(to, q->span, q->failed, q->end_ns);
}

static bool call_kind(enum span_kind k) {
	return k == SPAN_CLIENT || k == SPAN_PRODUCER;
}
static bool serve_kind(enum span_kind k) {
	return k == SPAN_SERVER || k == SPAN_CONSUMER;
}

void feed_span(struct stream *st, const struct batch_span *s) {
	struct source *src = feed_source(st, s->resource);
	struct entity *e = src ? catalog_entity(&st->catalog, feed_entity(st, src)) : NULL;
	st->counts.spans++;
	if (!e) {
		st->counts.unnamed++;
		return;
	}
	struct seen_request q = { .span = s, .end_ns = s->end.ns, .hint = HINTS };
	bool timely = feed_time(st, &q.end_ns);
	if (q.end_ns > src->batch_ns[TELEMETRY_SPANS]) src->batch_ns[TELEMETRY_SPANS] = q.end_ns;
	if (!timely) return;
	int64_t length_ns = s->end.ns > s->start.ns ? s->end.ns - s->start.ns : 0;
	q.seconds = (double)length_ns / 1e9;

	struct request_facts f = { 0 };
	if (s->kind != SPAN_INTERNAL) f = request_read(s->attrs);
	q.failed = s->kind != SPAN_INTERNAL && request_failed(&f, s->status == SPAN_ERROR);
	q.refused = s->kind != SPAN_INTERNAL && request_refused(&f);
	if (q.failed) q.hint = request_hint(&f);
	struct edge *edge =
		s->kind == SPAN_INTERNAL || s->kind == SPAN_SERVER ? NULL : feed_edge(st, e->index, &f, s->kind);
	/* Its channel first: the sums of traces_add go there. */
	if (serve_kind(s->kind) && !feed_channel(st, e, VIA_SPANS, st->grid, GRID_BOUNDS)) return;
	struct span_news news = { .trace = s->trace,
		                      .id = s->id,
		                      .parent = s->parent,
		                      .kind = s->kind,
		                      .failed = q.failed,
		                      .entity = e->index,
		                      .edge = call_kind(s->kind) && edge ? edge->index : NONE,
		                      .slot = stream_slot(st, q.end_ns),
		                      .start_ns = q.end_ns - length_ns,
		                      .end_ns = q.end_ns,
		                      .now_ns = st->now_ns };
	if (!traces_add(&st->traces, &st->catalog, &news)) {
		st->counts.duplicates++;
		return;
	}
	if (serve_kind(s->kind)) request_served(st, src, e, &q);
	if (edge && call_kind(s->kind)) call_made(st, edge, &q);
	if (edge && s->kind == SPAN_CONSUMER) edge->calls++;
}
