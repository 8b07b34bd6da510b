/* Log lines, the orchestrator's pods, changes. */
#include <string.h>

#include "stream/feed.h"

#define SEVERITY_ERROR 17 /* OTLP severity numbers: ERROR..FATAL are 17..24 */

/* ---- logs ---- */

static void hints_note(struct entity *e, struct str body, int64_t at_ns) {
	unsigned hints = hints_of_text(body);
	for (int h = 0; h < HINTS; h++)
		if (hints >> h & 1 && at_ns > e->hint_ns[h]) e->hint_ns[h] = at_ns;
}

static struct line_news *line_news_of(struct stream *st, uint32_t entity) {
	for (uint32_t i = 0; i < st->line_count; i++)
		if (st->lines[i].entity == entity) return &st->lines[i];
	if (!FEED_ROOM(st, line)) return NULL;
	st->lines[st->line_count] = (struct line_news){ .entity = entity };
	return &st->lines[st->line_count++];
}

void feed_log(struct stream *st, const struct batch_log *l) {
	struct source *src = feed_source(st, l->resource);
	struct entity *e = src ? catalog_entity(&st->catalog, feed_entity(st, src)) : NULL;
	int64_t at_ns = l->at.ns ? l->at.ns : st->now_ns;
	st->counts.logs++;
	if (!e || !feed_time(st, &at_ns)) return;
	bool error = l->severity >= SEVERITY_ERROR;
	if (slots_reach(e->lines, sizeof e->lines[0], &e->line_newest, stream_slot(st, at_ns))) {
		struct line_slot *s = &e->lines[stream_slot(st, at_ns) % SLOTS];
		s->lines++;
		s->errors += error;
	}
	if (at_ns > src->batch_ns[TELEMETRY_LOGS]) src->batch_ns[TELEMETRY_LOGS] = at_ns;
	if (error) hints_note(e, l->body, at_ns);
	struct line_news *n = line_news_of(st, e->index);
	if (!n) return;
	if (!n->from_ns || at_ns < n->from_ns) n->from_ns = at_ns;
	if (at_ns > n->to_ns) n->to_ns = at_ns;
	n->lines++;
	n->errors += error;
}

/* ---- pods ---- */

static void pod_place(struct stream *st, struct instance *i, const struct batch_pod *p) {
	struct workload w = { p->namespace_, p->workload_kind, p->workload };
	i->pod = true;
	text_set(&i->namespace_, p->namespace_);
	text_set(&i->name, p->name);
	text_set(&i->node, p->node);
	if (w.name.n) {
		text_set(&i->workload.namespace_, w.namespace_);
		text_set(&i->workload.kind, w.kind);
		text_set(&i->workload.name, w.name);
	}
	if (i->entity == NONE) catalog_own_instance(&st->catalog, i, catalog_by_workload(&st->catalog, &w));
	struct entity *e = catalog_entity(&st->catalog, i->entity);
	if (!e || !w.name.n || e->workload.name.n) return;
	text_set(&e->workload.namespace_, w.namespace_);
	text_set(&e->workload.kind, w.kind);
	text_set(&e->workload.name, w.name);
}

static struct pod_news pod_differences(struct instance *i, const struct batch_pod *p, int64_t at_ns) {
	struct pod_news n = { .instance = i->index, .at_ns = at_ns, .fresh = !i->told };
	n.lost_ready = i->told && i->ready && !p->ready && !p->gone;
	n.got_ready = p->ready && !i->ready;
	n.restarted = i->told && p->restarts > i->restarts;
	n.gone = p->gone && !i->gone;
	return n;
}

static void pod_note(struct instance *i, const struct batch_pod *p, const struct pod_news *n) {
	i->told = true;
	i->ready = p->ready && !p->gone;
	i->was_ready = i->was_ready || p->ready;
	i->gone = p->gone;
	i->restarts = p->restarts;
	i->wanted = p->wanted;
	text_set(&i->reason, p->reason);
	if (n->got_ready) i->ready_ns = n->at_ns;
	if (n->lost_ready || (n->fresh && !p->ready)) i->unready_ns = n->at_ns;
	if (n->restarted) i->restarted_ns = n->at_ns;
	if (n->gone) i->gone_ns = n->at_ns;
}

/* A pod that has gone exports no more: nobody waits for it. */
static void pod_sources_end(struct stream *st, const struct instance *i) {
	const struct entity *e = catalog_entity(&st->catalog, i->entity);
	for (uint32_t k = e ? e->first_source : NONE; k != NONE;) {
		struct source *s = catalog_source(&st->catalog, k);
		for (int t = 0; s->instance == i->index && t < TELEMETRIES; t++) s->pulses[t].gone = true;
		k = s->next;
	}
}

void feed_pod(struct stream *st, const struct batch_pod *p) {
	st->counts.pods++;
	if (!p->uid.n) return;
	struct instance *i = catalog_get_instance(&st->catalog, p->uid, st->now_ns);
	if (!i) return;
	int64_t at_ns = p->at.ns ? p->at.ns : st->now_ns;
	if (at_ns > st->now_ns) at_ns = st->now_ns;
	pod_place(st, i, p);
	struct pod_news n = pod_differences(i, p, at_ns);
	pod_note(i, p, &n);
	if (n.gone) pod_sources_end(st, i);
	struct entity *e = catalog_entity(&st->catalog, i->entity);
	if (e) {
		pulse_beat(&e->pulses[SIGNAL_READY], st->now_ns, at_ns);
		pulse_beat(&e->pulses[SIGNAL_RESTARTS], st->now_ns, at_ns);
	}
	if (FEED_ROOM(st, pod)) st->pods[st->pod_count++] = n;
}

/* ---- changes ---- */

void feed_change(struct stream *st, const struct batch_change *c) {
	struct change *x = &st->changes[st->change_count++ % CHANGES];
	st->counts.changes++;
	if (st->fresh_changes < CHANGES) st->fresh_changes++;
	text_set(&x->workload.namespace_, c->namespace_);
	text_set(&x->workload.kind, c->workload_kind);
	text_set(&x->workload.name, c->workload);
	text_set(&x->kind, c->kind);
	text_set(&x->by, c->by);
	text_set(&x->revision, c->revision);
	x->at = c->at.ns && c->at.ns < st->now_ns ? c->at : (struct wall){ st->now_ns };
	x->entity = catalog_by_workload(&st->catalog, &x->workload);
}
