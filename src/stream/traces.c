#include "stream/traces.h"

#include <stdlib.h>
#include <string.h>

#define GROUP     8
#define STRETCHES 6 /* of time, that are told apart; the closest two become one when there are more */
#define CALLS     4 /* callees of one request whose share of its time is told apart */
#define GROUPS    256

struct call_share {
	uint32_t edge;
	float seconds;
};

/* Time covered by calls, microseconds from base_ns; no two of one span overlap. */
struct stretch {
	int32_t from, to;
};

/* What is known of one span, and what its relatives left for it. */
struct pending {
	uint64_t trace; /* hash of the trace id */
	unsigned char id[8], parent[8];
	bool here; /* the span itself came */
	bool failed, blamed, answered, answer_failed;
	uint8_t kind;
	uint32_t entity, edge;
	int64_t slot;
	float seconds;
	/* from calls inside it */
	int64_t base_ns; /* what the stretches count from */
	struct stretch stretches[STRETCHES];
	uint8_t stretch_count;
	float covered_s;
	uint32_t failed_edge;
	struct call_share calls[CALLS];
	/* from the span that answered it */
	uint32_t answer_entity;
	float answer_s;
};

void traces_init(struct traces *t, size_t max) {
	*t = (struct traces){ .groups_max = max / GROUP ? max / GROUP : 1 };
}

void traces_done(struct traces *t) {
	free(t->entries);
	free(t->tags);
	free(t->born_ns);
	*t = (struct traces){ .groups_max = t->groups_max };
}

/* ---- the table ---- */

static uint64_t mix(uint64_t trace, const unsigned char *id) {
	uint64_t h;
	memcpy(&h, id, sizeof h);
	h = (h ^ trace) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ (h >> 32);
}

static uint16_t tag_of(uint64_t h) {
	return (uint16_t)((h >> 48) | 1);
}

static bool resize(struct traces *t, size_t groups) {
	struct traces bigger = *t;
	bigger.groups = groups;
	bigger.entries = malloc(groups * GROUP * sizeof *bigger.entries);
	bigger.tags = calloc(groups * GROUP, sizeof *bigger.tags);
	bigger.born_ns = malloc(groups * GROUP * sizeof *bigger.born_ns);
	if (!bigger.entries || !bigger.tags || !bigger.born_ns) {
		free(bigger.entries);
		free(bigger.tags);
		free(bigger.born_ns);
		return false;
	}
	for (size_t i = 0; i < t->groups * GROUP; i++) {
		if (!t->tags[i]) continue;
		uint64_t h = mix(t->entries[i].trace, t->entries[i].id);
		size_t at = (h & (groups - 1)) * GROUP;
		while (bigger.tags[at]) at++; /* what comes here is of one old group */
		bigger.tags[at] = t->tags[i];
		bigger.born_ns[at] = t->born_ns[i];
		bigger.entries[at] = t->entries[i];
	}
	free(t->entries);
	free(t->tags);
	free(t->born_ns);
	*t = bigger;
	return true;
}

static size_t oldest_of(const struct traces *t, size_t first) {
	size_t oldest = first;
	for (size_t i = first; i < first + GROUP; i++) {
		if (!t->tags[i]) return i;
		if (t->born_ns[i] < t->born_ns[oldest]) oldest = i;
	}
	return oldest;
}

/* The entry of that span, made if need be; NULL: no memory. */
static struct pending *entry(struct traces *t, uint64_t trace, const unsigned char *id, int64_t now_ns) {
	uint64_t h = mix(trace, id);
	uint16_t tag = tag_of(h);
	if (!t->groups && !resize(t, GROUPS < t->groups_max ? GROUPS : 1)) return NULL;
	size_t first = (h & (t->groups - 1)) * GROUP;
	for (size_t i = first; i < first + GROUP; i++) {
		struct pending *p = &t->entries[i];
		if (t->tags[i] == tag && p->trace == trace && memcmp(p->id, id, sizeof p->id) == 0) return p;
	}
	size_t at = oldest_of(t, first);
	bool young = t->tags[at] && now_ns - t->born_ns[at] < TRACES_YOUNG_NS;
	if (young && 2 * t->groups <= t->groups_max && resize(t, 2 * t->groups)) return entry(t, trace, id, now_ns);
	t->forgotten += young;
	t->tags[at] = tag;
	struct pending *p = &t->entries[at];
	memset(p, 0, sizeof *p);
	p->trace = trace;
	memcpy(p->id, id, sizeof p->id);
	t->born_ns[at] = now_ns;
	p->entity = p->edge = p->failed_edge = p->answer_entity = NONE;
	for (int i = 0; i < CALLS; i++) p->calls[i].edge = NONE;
	return p;
}

/* ---- calls inside a request ---- */

static void share_add(struct pending *p, uint32_t edge, float seconds) {
	int i = 0;
	while (i < CALLS - 1 && p->calls[i].edge != NONE && p->calls[i].edge != edge) i++;
	if (p->calls[i].edge != NONE && p->calls[i].edge != edge) return; /* a fifth callee: covered, but nobody's */
	p->calls[i].edge = edge;
	p->calls[i].seconds += seconds;
}

static void edge_add_wall(struct catalog *c, uint32_t edge, int64_t slot, float seconds) {
	struct edge *e = catalog_edge(c, edge);
	struct edge_slot *s = e ? edge_slot(e, slot) : NULL;
	if (s) s->wall_seconds += seconds;
}

static void edge_add_blame(struct catalog *c, uint32_t edge, int64_t slot) {
	struct edge *e = catalog_edge(c, edge);
	struct edge_slot *s = e ? edge_slot(e, slot) : NULL;
	if (s) s->blamed++;
}

static struct slot *served_slot(struct catalog *c, const struct pending *p) {
	struct entity *e = catalog_entity(c, p->entity);
	return e && e->red[VIA_SPANS] ? channel_slot(e->red[VIA_SPANS], p->slot) : NULL;
}

/* A request whose sum was made already gets a call that came late. */
static void request_amend(struct catalog *c, struct pending *p, uint32_t edge, float seconds, bool failed) {
	struct slot *s = served_slot(c, p);
	edge_add_wall(c, edge, p->slot, seconds);
	if (s) s->self_seconds -= seconds;
	if (!failed || !p->failed || p->blamed) return;
	p->blamed = true;
	edge_add_blame(c, edge, p->slot);
	if (s) s->own_bad--;
}

static bool serves(const struct pending *p) {
	return p->kind == SPAN_SERVER || p->kind == SPAN_CONSUMER;
}

static int32_t micros(int64_t ns) {
	int64_t us = ns / NS_PER_US;
	return us > INT32_MAX ? INT32_MAX : us < INT32_MIN ? INT32_MIN : (int32_t)us;
}

static int32_t least(int32_t a, int32_t b) {
	return a < b ? a : b;
}
static int32_t most(int32_t a, int32_t b) {
	return a > b ? a : b;
}

/* The stretch next to [from, to], by the gap between them. */
static int nearest(const struct pending *p, struct stretch x) {
	int best = 0;
	int64_t gap = INT64_MAX;
	for (int i = 0; i < p->stretch_count; i++) {
		const struct stretch *y = &p->stretches[i];
		int64_t between = (int64_t)most(x.from, y->from) - least(x.to, y->to);
		if (between < gap) gap = between, best = i;
	}
	return best;
}

/* Seconds of [start, end] that no call had covered yet; from now on they are covered. */
static float cover(struct pending *p, int64_t start_ns, int64_t end_ns) {
	if (!p->stretch_count) p->base_ns = start_ns;
	struct stretch x = { micros(start_ns - p->base_ns), micros(end_ns - p->base_ns) };
	int64_t fresh = (int64_t)x.to - x.from;
	for (int i = 0; i < p->stretch_count; i++) {
		int64_t both = (int64_t)least(x.to, p->stretches[i].to) - most(x.from, p->stretches[i].from);
		if (both > 0) fresh -= both;
	}
	while (p->stretch_count) {
		int i = nearest(p, x);
		struct stretch *y = &p->stretches[i];
		bool apart = x.from > y->to || x.to < y->from;
		if (apart && p->stretch_count < STRETCHES) break;
		x = (struct stretch){ least(x.from, y->from), most(x.to, y->to) };
		*y = p->stretches[--p->stretch_count];
	}
	p->stretches[p->stretch_count++] = x;
	return fresh > 0 ? (float)fresh / 1e6f : 0;
}

/* Time that a call covers of the request around it and no other call does, handed up through internal
 * spans to the request itself. */
static void call_cover(struct traces *t, struct catalog *c, const struct span_news *s, uint64_t trace,
                       const unsigned char *parent, int depth) {
	static const unsigned char root[8];
	if (depth > 16 || memcmp(parent, root, sizeof root) == 0) return;
	struct pending *p = entry(t, trace, parent, s->now_ns);
	if (!p) return;
	float seconds = cover(p, s->start_ns, s->end_ns > s->start_ns ? s->end_ns : s->start_ns);
	if (p->here && p->kind == SPAN_INTERNAL) {
		unsigned char up[8]; /* a copy: the table may move */
		memcpy(up, p->parent, sizeof up);
		call_cover(t, c, s, trace, up, depth + 1);
	} else if (p->here) {
		if (serves(p)) request_amend(c, p, s->edge, seconds, s->failed);
	} else {
		p->covered_s += seconds;
		share_add(p, s->edge, seconds);
		if (s->failed) p->failed_edge = s->edge;
	}
}

/* An internal span hands what its calls left to the span around it. */
static void internal_pass(struct traces *t, struct catalog *c, struct pending *p, int64_t now_ns) {
	static const unsigned char root[8];
	struct pending left = *p; /* making the parent's entry may move or take this one */
	if (!(left.covered_s > 0) || memcmp(left.parent, root, sizeof root) == 0) return;
	struct pending *up = entry(t, left.trace, left.parent, now_ns);
	if (!up) return;
	if (up->here && up->kind == SPAN_INTERNAL) return; /* its parent ended before it: broken clocks */
	for (int i = 0; i < CALLS && left.calls[i].edge != NONE; i++) {
		bool failed = left.failed_edge == left.calls[i].edge;
		if (up->here && serves(up))
			request_amend(c, up, left.calls[i].edge, left.calls[i].seconds, failed);
		else
			share_add(up, left.calls[i].edge, left.calls[i].seconds);
	}
	up->covered_s += left.covered_s;
	for (int i = 0; i < left.stretch_count; i++)
		cover(up, left.base_ns + left.stretches[i].from * NS_PER_US, left.base_ns + left.stretches[i].to * NS_PER_US);
	if (left.failed_edge != NONE) up->failed_edge = left.failed_edge;
}

static void request_settle(struct catalog *c, struct pending *p) {
	struct slot *s = served_slot(c, p);
	if (s) s->self_seconds += p->seconds > p->covered_s ? p->seconds - p->covered_s : 0;
	for (int i = 0; i < CALLS && p->calls[i].edge != NONE; i++)
		edge_add_wall(c, p->calls[i].edge, p->slot, p->calls[i].seconds);
	if (!p->failed) return;
	p->blamed = p->failed_edge != NONE;
	if (p->blamed)
		edge_add_blame(c, p->failed_edge, p->slot);
	else if (s)
		s->own_bad++;
}

/* ---- a call and its answer ---- */

static void join(struct traces *t, struct catalog *c, struct pending *call, int64_t now_ns) {
	struct edge *e = catalog_edge(c, call->edge);
	bool unnamed = !e;
	if (unnamed) {
		e = catalog_get_edge(c, call->entity, EDGE_CALL, (struct str){ NULL, 0 }, call->answer_entity, now_ns);
		if (!e) return;
		call->edge = e->index;
	}
	struct edge_slot *s = edge_slot(e, call->slot);
	if (e->kind == EDGE_CALL) e->to = call->answer_entity;
	e->joined++;
	t->joined++;
	if (!s) return;
	if (unnamed) {
		s->calls++, s->failed += call->failed, s->seconds += call->seconds;
		e->calls++;
	}
	s->joined++;
	s->failed_joined += call->failed;
	s->joined_failed += call->answer_failed;
	s->gap_seconds += call->seconds > call->answer_s ? call->seconds - call->answer_s : 0;
}

static void answer_leave(struct traces *t, struct catalog *c, const struct span_news *s, uint64_t trace) {
	static const unsigned char root[8];
	if (memcmp(s->parent, root, sizeof root) == 0) return;
	struct pending *call = entry(t, trace, s->parent, s->now_ns);
	if (!call || call->answered) return;
	if (call->here && call->kind != SPAN_CLIENT && call->kind != SPAN_PRODUCER) return;
	call->answered = true;
	call->answer_entity = s->entity;
	call->answer_failed = s->failed;
	call->answer_s = (float)(s->end_ns - s->start_ns) / 1e9f;
	if (call->here && call->entity != s->entity) join(t, c, call, s->now_ns);
}

bool traces_add(struct traces *t, struct catalog *c, const struct span_news *s) {
	uint64_t trace = hash64((struct str){ (const char *)s->trace, 16 });
	struct pending *p = entry(t, trace, s->id, s->now_ns);
	if (!p) return true; /* no memory: it counts, alone */
	if (p->here) return false;
	p->here = true;
	p->kind = (uint8_t)s->kind;
	p->failed = s->failed;
	p->entity = s->entity;
	p->edge = s->edge;
	p->slot = s->slot;
	p->seconds = (float)(s->end_ns - s->start_ns) / 1e9f;
	memcpy(p->parent, s->parent, sizeof p->parent);
	switch (s->kind) {
	case SPAN_SERVER:
	case SPAN_CONSUMER:
		request_settle(c, p);
		answer_leave(t, c, s, trace);
		break;
	case SPAN_CLIENT:
	case SPAN_PRODUCER:
		if (p->answered && p->answer_entity != p->entity) join(t, c, p, s->now_ns);
		call_cover(t, c, s, trace, s->parent, 0);
		break;
	case SPAN_INTERNAL: internal_pass(t, c, p, s->now_ns); break;
	}
	return true;
}
