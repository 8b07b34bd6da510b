/* What people are shown: coverage, graph, status, metrics. */
#include <math.h>

#include "observe/observer_in.h"
#include "stream/series_table.h"

static void put_text(struct json_out *o, const char *key, struct str s) {
	json_key(o, key);
	if (s.n)
		json_put_str(o, s);
	else
		json_put_null(o);
}

static void put_signals(const struct observer *ob, struct json_out *o, const struct entity *e) {
	const struct watch *w = watch_get(ob, e->index);
	json_key(o, "signals");
	json_begin_array(o);
	for (int k = 0; w && k < SIGNAL_KINDS; k++) {
		if (!w->findings[k].told_ns) continue;
		tell_signal(ob, o, e, (enum signal_kind)k, &w->findings[k].v, true);
	}
	json_end_array(o);
}

static void put_workload(struct json_out *o, const struct entity *e) {
	json_key(o, "workload");
	if (!e->workload.name.n || e->workload_differs)
		json_put_null(o);
	else {
		json_begin_object(o);
		put_text(o, "namespace", e->workload.namespace_);
		put_text(o, "kind", e->workload.kind);
		put_text(o, "name", e->workload.name);
		json_end_object(o);
	}
	json_kv_c(o, "workload_missing",
	          e->workload_differs ? "its telemetry names more than one workload"
	          : e->workload.name.n
	              ? NULL
	              : "its telemetry names no workload (k8s.deployment.name and the like), and no pod of it is known");
}

static void put_sampling(struct json_out *o, const struct entity *e) {
	const struct channel *c = e->red[VIA_SPANS];
	json_key(o, "sampling");
	if (!c || !c->known)
		json_put_null(o);
	else
		json_put_double(o, c->weight > 0 ? 1 / c->weight : (double)NAN);
}

static uint32_t pods_of(const struct observer *ob, const struct entity *e) {
	uint32_t n = 0;
	for (uint32_t k = e->first_instance; k != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, k);
		n += i->pod && !i->gone;
		k = i->next;
	}
	return n;
}

static void put_target(const struct observer *ob, const struct target_teller *teller, struct json_out *o,
                       const struct entity *e) {
	struct str pods[TARGET_PODS_MAX];
	struct target t = tell_target(ob, e, pods);
	if (teller) teller->tell(teller->self, &t, o);
}

static void put_entity(const struct observer *ob, const struct target_teller *teller, struct json_out *o,
                       const struct entity *e) {
	const struct watch *w = watch_get(ob, e->index);
	enum via v = watch_via(ob, e);
	struct evidence_opts opts = watch_opts(ob);
	bool ready = w && v != VIAS && w->durations[v] && duration_judge(w->durations[v], &opts).ready;
	json_begin_object(o);
	json_kv_str(o, "entity", e->subject);
	json_kv_c(o, "source", v == VIAS ? NULL : via_name(v));
	put_sampling(o, e);
	json_kv_c(o, "model", ready ? "ready" : "learning");
	json_kv_int(o, "pods", pods_of(ob, e));
	if (e->kind == ENTITY_SERVICE) {
		put_workload(o, e);
		put_target(ob, teller, o, e);
	}
	put_signals(ob, o, e);
	json_end_object(o);
}

void observer_coverage(const struct observer *ob, const struct target_teller *teller, struct json_out *o) {
	const struct catalog *c = &ob->stream->catalog;
	json_begin_object(o);
	json_key(o, "services");
	json_begin_array(o);
	for (uint32_t i = 0; i < c->entities.count; i++) {
		const struct entity *e = catalog_entity(c, i);
		if (e && e->kind == ENTITY_SERVICE) put_entity(ob, teller, o, e);
	}
	json_end_array(o);
	json_key(o, "others");
	json_begin_array(o);
	for (uint32_t i = 0; i < c->entities.count; i++) {
		const struct entity *e = catalog_entity(c, i);
		if (e && e->kind != ENTITY_SERVICE) put_entity(ob, teller, o, e);
	}
	json_end_array(o);
	json_end_object(o);
}

static double worst_score(const struct watch *w) {
	double worst = 0;
	for (int k = 0; w && k < SIGNAL_KINDS; k++) worst = fmax(worst, w->findings[k].v.score);
	return worst;
}

static void put_edge(const struct observer *ob, struct json_out *o, const struct edge *g) {
	static const char *const kinds[] = { "call", "database", "publish", "consume" };
	const struct entity *to = entity_of(ob, g->to);
	int64_t last = stream_slot(ob->stream, ob->now_ns);
	struct edge_slot s = edge_sum(g, last - 6 * WINDOW_SLOT, last);
	double span_s = 6.0 * (double)ob->o.settings.window_ns / 1e9;
	json_begin_object(o);
	json_kv_str(o, "from", entity_of(ob, g->from)->subject);
	put_text(o, "to", to ? to->subject : (struct str){ NULL, 0 });
	put_text(o, "address", g->address);
	json_kv_c(o, "kind", kinds[g->kind]);
	json_kv_double(o, "calls_per_s", (double)s.calls / span_s);
	json_kv_double(o, "failed", s.calls > 0 ? (double)(s.failed / s.calls) : (double)NAN);
	json_kv_double(o, "mean_s", s.calls > 0 ? (double)(s.seconds / s.calls) : (double)NAN);
	json_kv_wall(o, "last", (struct wall){ g->last_ns });
	json_end_object(o);
}

void observer_graph(const struct observer *ob, struct json_out *o) {
	const struct catalog *c = &ob->stream->catalog;
	json_begin_object(o);
	json_key(o, "nodes");
	json_begin_array(o);
	for (uint32_t i = 0; i < c->entities.count; i++) {
		const struct entity *e = catalog_entity(c, i);
		if (!e) continue;
		const struct watch *w = watch_get(ob, i);
		const struct incident *in = w ? incident_at(ob, w->incident) : NULL;
		json_begin_object(o);
		json_kv_str(o, "entity", e->subject);
		json_kv_c(o, "kind", entity_kind_name(e->kind));
		json_kv_double(o, "score", worst_score(w));
		json_kv_c(o, "incident", in ? in->id : NULL);
		json_end_object(o);
	}
	json_end_array(o);
	json_key(o, "edges");
	json_begin_array(o);
	for (uint32_t i = 0; i < c->edges.count; i++)
		if (catalog_edge(c, i)) put_edge(ob, o, catalog_edge(c, i));
	json_end_array(o);
	json_end_object(o);
}

static void put_incidents(const struct observer *ob, struct json_out *o) {
	json_key(o, "incidents");
	json_begin_array(o);
	for (uint32_t i = 0; i < INCIDENTS_MAX; i++) {
		const struct incident *in = incident_at(ob, i);
		if (!in) continue;
		const struct entity *cause = entity_of(ob, in->cause);
		json_begin_object(o);
		json_kv_c(o, "id", in->id);
		json_kv_wall(o, "opened", (struct wall){ in->opened_ns });
		json_kv_double(o, "severity", in->severity);
		put_text(o, "cause", cause ? cause->subject : (struct str){ NULL, 0 });
		json_kv_int(o, "entities", in->member_count);
		json_end_object(o);
	}
	json_end_array(o);
}

void observer_status(const struct observer *ob, struct json_out *o) {
	const struct catalog *c = &ob->stream->catalog;
	json_begin_object(o);
	json_kv_bool(o, "ready", observer_ready(ob));
	json_kv_c(o, "refused_checkpoint", ob->damaged[0] ? ob->damaged : NULL);
	json_kv_c(o, "untold", ob->untold[0] ? ob->untold : NULL);
	json_kv_int(o, "shard", ob->o.shard);
	json_kv_int(o, "entities", (int64_t)c->entities.by_key.count);
	json_kv_int(o, "instances", (int64_t)c->instances.by_key.count);
	json_kv_int(o, "edges", (int64_t)c->edges.by_key.count);
	json_kv_int(o, "series", (int64_t)ob->stream->series->by_id.count);
	json_kv_int(o, "batches", ob->counts.batches);
	json_kv_int(o, "events_waiting", ob->out_count);
	json_kv_int(o, "checkpoint_generation", (int64_t)ob->generation);
	json_kv_wall(o, "checkpoint", (struct wall){ ob->saved_ns });
	put_incidents(ob, o);
	json_end_object(o);
}

/* ---- metrics ---- */

static void stream_families(const struct stream_counts *n, struct metrics_out *m) {
	metrics_one(m, "flyball_observe_spans", "counter", "Spans read.", (double)n->spans);
	metrics_one(m, "flyball_observe_points", "counter", "Metric points read.", (double)(n->points + n->histograms));
	metrics_one(m, "flyball_observe_logs", "counter", "Log lines read.", (double)n->logs);
	metrics_one(m, "flyball_observe_late", "counter", "Samples too late for their window.", (double)n->late);
	metrics_one(m, "flyball_observe_future", "counter", "Samples dated in the future, taken as of now.",
	            (double)n->future);
	metrics_one(m, "flyball_observe_duplicates", "counter", "Points and spans that had come before.",
	            (double)n->duplicates);
	metrics_one(m, "flyball_observe_out_of_order", "counter", "Points older than one that had come.", (double)n->old);
	metrics_one(m, "flyball_observe_resets", "counter", "Restarts of counters.", (double)n->resets);
	metrics_one(m, "flyball_observe_bad_points", "counter", "Points that make no sense.", (double)n->bad);
	metrics_one(m, "flyball_observe_series_refused", "counter", "Series over series_max.", (double)n->series_refused);
	metrics_one(m, "flyball_observe_unnamed", "counter", "Spans and points of no service.", (double)n->unnamed);
}

void observer_metrics(const struct observer *ob, struct metrics_out *m) {
	const struct observer_counts *n = &ob->counts;
	stream_families(&ob->stream->counts, m);
	metrics_one(m, "flyball_observe_batches", "counter", "Batches read.", (double)n->batches);
	metrics_one(m, "flyball_observe_batches_refused", "counter", "Batches that were damaged.", (double)n->refused);
	metrics_one(m, "flyball_observe_anomalies", "counter", "Signals that left their band.", (double)n->anomalies);
	metrics_one(m, "flyball_observe_incidents", "counter", "Incidents opened.", (double)n->incidents);
	metrics_one(m, "flyball_observe_incidents_resolved", "counter", "Incidents that ended.", (double)n->resolved);
	metrics_one(m, "flyball_observe_reports", "counter", "Causes reported.", (double)n->reports);
	metrics_one(m, "flyball_observe_abstained", "counter", "Reports that named no cause.", (double)n->abstained);
	metrics_one(m, "flyball_observe_events", "counter", "Events published.", (double)n->events);
	metrics_one(m, "flyball_observe_events_dropped", "counter", "Events shed or refused.", (double)n->events_dropped);
	metrics_one(m, "flyball_observe_events_waiting", "gauge", "Events not yet durable.", (double)ob->out_count);
	metrics_one(m, "flyball_observe_checkpoints", "counter", "Checkpoints written.", (double)n->checkpoints);
	metrics_one(m, "flyball_observe_incident_write_failures", "counter",
	            "Writes of open incidents that failed; until one works, incidents are not told.",
	            (double)n->keep_failures);
	metrics_one(m, "flyball_observe_checkpoint_failures", "counter", "Checkpoints that failed.",
	            (double)n->checkpoint_failures);
	metrics_one(m, "flyball_observe_checkpoint_bytes", "gauge", "Size of the newest checkpoint.",
	            (double)n->checkpoint_bytes);
	metrics_one(m, "flyball_observe_entities", "gauge", "Services and what they call.",
	            (double)ob->stream->catalog.entities.by_key.count);
	metrics_one(m, "flyball_observe_refused", "counter", "Entities, instances, sources, edges that did not fit.",
	            (double)ob->stream->catalog.refused);
	metrics_one(m, "flyball_observe_series", "gauge", "Series followed.", (double)ob->stream->series->by_id.count);
	metrics_one(m, "flyball_observe_spans_forgotten", "counter", "Spans let go before their relatives came.",
	            (double)ob->stream->traces.forgotten);
}
