/* Single copies of a service: their gauges, and what the orchestrator says of them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "observe/observer_in.h"

#define NEAR_LIMIT      0.93
#define GROWTH_LIMIT    0.02 /* of the limit: growth that is worth a word */
#define GROWTH_LEVEL    0.1  /* of the level, where no limit is known */
#define RUN_OUT_S       (30.0 * 3600)
#define NEAR_S          1800.0
#define POOL_SCORE      0.3
#define CPU_MORE        0.05 /* of the limit */
#define CPU_RATIO       1.3
#define GAUGE_SILENT_NS (300 * NS_PER_SEC)
#define UNREADY_NS      (8 * NS_PER_SEC)   /* a pod that ends in good order is gone by then, or says so */
#define ROLLOUT_NS      (120 * NS_PER_SEC) /* while pods are being replaced, unready ones are normal */
#define RESTARTED_NS    (60 * NS_PER_SEC)
#define STUCK_NS        (600 * NS_PER_SEC) /* a new pod that never got ready */

static bool reach(struct observer *ob, uint32_t instance) {
	if (instance < ob->instance_cap) return true;
	uint32_t cap = ob->instance_cap ? ob->instance_cap : 64;
	while (cap <= instance) cap *= 2;
	struct instance_watch **v = realloc(ob->instances, cap * sizeof *v);
	if (!v) return false;
	memset(v + ob->instance_cap, 0, (cap - ob->instance_cap) * sizeof *v);
	ob->instances = v;
	ob->instance_cap = cap;
	return true;
}

struct instance_watch *instance_watch_get(const struct observer *ob, const struct instance *i) {
	struct instance_watch *w = i->index < ob->instance_cap ? ob->instances[i->index] : NULL;
	return w && w->uid == hash64(i->uid) ? w : NULL;
}

struct instance_watch *instance_watch_of(struct observer *ob, const struct instance *i) {
	struct instance_watch *w = instance_watch_get(ob, i);
	if (w) return w;
	if (!reach(ob, i->index)) return NULL;
	w = ob->instances[i->index];
	if (!w) w = ob->instances[i->index] = calloc(1, sizeof *w);
	if (w) *w = (struct instance_watch){ .uid = hash64(i->uid) };
	return w;
}

/* ---- gauges ---- */

/* Memory matters when it leads somewhere: near the limit, or on the way there. */
static struct verdict memory_verdict(const struct level_watch *lw, const struct evidence_opts *o, double limit) {
	struct verdict v = level_judge(lw, o);
	struct level_outlook l = level_look(lw, limit);
	double usual = lw->slow < lw->quick ? lw->slow : lw->quick;
	double growth = lw->last - usual, worth = limit > 0 ? GROWTH_LIMIT * limit : GROWTH_LEVEL * usual;
	bool leads = limit > 0 ? l.runs_out_s < RUN_OUT_S : true;
	if (v.score >= 1 && !(growth >= worth && leads && l.climbs)) v.score = 0.99;
	bool near = limit > 0 && lw->last >= NEAR_LIMIT * limit;
	if (near && l.climbs && l.runs_out_s < NEAR_S) {
		v.score = fmax(v.score, lw->last / (NEAR_LIMIT * limit));
		v.high = NEAR_LIMIT * limit;
		if (!v.onset_ns) v.onset_ns = lw->last_ns, v.delivered_ns = lw->last_ns;
	}
	return v;
}

static struct verdict gauge_verdict(const struct observer *ob, const struct instance *i, enum signal_kind k) {
	struct evidence_opts o = watch_opts(ob);
	const struct instance_watch *iw = instance_watch_get(ob, i);
	if (k == SIGNAL_MEMORY) return memory_verdict(&iw->memory, &o, i->gauges[GAUGE_MEMORY].limit);
	struct verdict v = level_judge(&iw->cpu, &o);
	double limit = i->gauges[GAUGE_CPU].limit, more = v.value - v.expected;
	if (v.score >= 1 && (v.value < v.expected * CPU_RATIO || (limit > 0 && more < CPU_MORE * limit))) v.score = 0.99;
	return v;
}

static bool gauge_live(const struct observer *ob, const struct instance *i, enum signal_kind k) {
	const struct instance_watch *iw = instance_watch_get(ob, i);
	if (!iw || i->gone || !(k == SIGNAL_MEMORY ? iw->memory_used : iw->cpu_used)) return false;
	const struct gauge *g = &i->gauges[k == SIGNAL_MEMORY ? GAUGE_MEMORY : GAUGE_CPU];
	return ob->now_ns - g->at_ns < GAUGE_SILENT_NS;
}

/* The copy that is worst speaks for the service. */
static void gauge_judge(struct observer *ob, struct watch *w, enum signal_kind k, int64_t at_ns) {
	const struct entity *e = entity_of(ob, w->entity);
	struct verdict worst = { .score = -1 };
	uint32_t who = NONE;
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		n = i->next;
		if (!gauge_live(ob, i, k)) continue;
		struct verdict v = gauge_verdict(ob, i, k);
		if (v.score <= worst.score) continue;
		worst = v;
		who = i->index;
	}
	if (who == NONE) return;
	if (at_ns > w->findings[k].data_ns) w->findings[k].data_ns = at_ns;
	finding_set(ob, w, k, worst, who);
}

struct verdict instance_after(const struct observer *ob, const struct watch *w, enum signal_kind k) {
	const struct entity *e = entity_of(ob, w->entity);
	struct verdict worst = { .score = -1 };
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		n = i->next;
		if (!gauge_live(ob, i, k)) continue;
		const struct instance_watch *iw = instance_watch_get(ob, i);
		bool memory = k == SIGNAL_MEMORY;
		double limit = i->gauges[memory ? GAUGE_MEMORY : GAUGE_CPU].limit;
		struct verdict v = level_after(memory ? &iw->memory : &iw->cpu, limit);
		if (v.score > worst.score) worst = v;
	}
	if (worst.score < 0)
		worst = (struct verdict){ .score = INFINITY, .value = NAN, .expected = NAN, .low = NAN, .high = NAN };
	return worst;
}

void instance_release(struct observer *ob, struct watch *w) {
	const struct entity *e = entity_of(ob, w->entity);
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		struct instance_watch *iw = instance_watch_get(ob, i);
		n = i->next;
		if (!iw) continue;
		evidence_clear(&iw->memory.evidence);
		evidence_clear(&iw->cpu.evidence);
	}
}

static void level_news(struct observer *ob, const struct level *l) {
	struct instance *i = catalog_instance(&ob->stream->catalog, l->instance);
	struct watch *w = i && i->entity != NONE ? watch_of(ob, i->entity) : NULL;
	struct instance_watch *iw = w ? instance_watch_of(ob, i) : NULL;
	if (!iw) return;
	struct evidence_opts o = watch_opts(ob);
	bool memory = l->signal == SIGNAL_MEMORY;
	struct level_watch *lw = memory ? &iw->memory : &iw->cpu;
	if (memory)
		iw->memory_used = true;
	else
		iw->cpu_used = true;
	struct level_pool *pool = &w->pools[memory ? GAUGE_MEMORY : GAUGE_CPU];
	if (lw->first_ns && lw->rank != l->rank) *lw = (struct level_watch){ 0 }; /* another metric speaks from now on */
	lw->rank = l->rank;
	if (l->rank < pool->rank || !(pool->n > 0)) *pool = (struct level_pool){ .rank = l->rank };
	if (l->rank != pool->rank) pool = NULL;
	bool quiet = watch_quiet(ob, w);
	level_feed(lw, &o, pool, l->value, l->limit > 0 ? l->limit : l->value, l->at_ns, ob->stream->now_ns, quiet);
	if (pool && quiet && evidence_score(&lw->evidence, &o, NULL) < POOL_SCORE) level_pool_learn(pool, lw);
	gauge_judge(ob, w, l->signal, l->at_ns);
}

void instance_adopt(struct observer *ob, struct watch *w, enum signal_kind k) {
	const struct entity *e = entity_of(ob, w->entity);
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		struct instance_watch *iw = instance_watch_get(ob, i);
		if (iw) level_adopt(k == SIGNAL_MEMORY ? &iw->memory : &iw->cpu);
		n = i->next;
	}
}

/* ---- pods ---- */

struct pods {
	uint32_t told, ready, wanted, down, restarted;
	uint32_t sick; /* the one that is down, or restarted last; NONE */
	int64_t since_ns, newest_ns, told_ns;
	bool grave; /* a reason that is no start-up */
};

static bool grave(struct str reason) {
	return str_is(reason, "OOMKilled") || str_is(reason, "CrashLoopBackOff") || str_is(reason, "Error") ||
	       str_is(reason, "Evicted") || str_is(reason, "ContainerCannotRun") || str_is(reason, "RunContainerError");
}

bool instance_replacing(const struct observer *ob, const struct entity *e) {
	for (uint32_t k = 0;; k++) {
		const struct change *c = stream_change(ob->stream, k);
		if (!c || ob->now_ns - c->at.ns > ROLLOUT_NS) break;
		if (c->entity == e->index) return true;
	}
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		if (i->told && (ob->now_ns - i->gone_ns < ROLLOUT_NS ||
		                (!i->gone && ob->now_ns - i->first_ns < ROLLOUT_NS && i->first_ns - e->first_ns > ROLLOUT_NS)))
			return true;
		n = i->next;
	}
	return false;
}

static bool pod_down(const struct observer *ob, const struct instance *i, bool in_rollout) {
	if (i->ready || i->gone || str_is(i->reason, "Terminating")) return false;
	if (!i->was_ready) return grave(i->reason) || ob->now_ns - i->first_ns > STUCK_NS;
	if (grave(i->reason)) return true;
	return !in_rollout && ob->now_ns - i->unready_ns >= UNREADY_NS;
}

int64_t instance_heard(const struct observer *ob, const struct entity *e) {
	int64_t newest_ns = 0;
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		if (i->told && !i->gone && i->last_ns > newest_ns) newest_ns = i->last_ns;
		n = i->next;
	}
	return newest_ns;
}

static struct pods pods_count(const struct observer *ob, const struct entity *e) {
	struct pods p = { .sick = NONE };
	bool in_rollout = instance_replacing(ob, e);
	int64_t heard_ns = instance_heard(ob, e);
	for (uint32_t n = e->first_instance; n != NONE;) {
		const struct instance *i = catalog_instance(&ob->stream->catalog, n);
		n = i->next;
		if (!i->told || i->gone) continue;
		if (heard_ns - i->last_ns > INSTANCE_FORGOTTEN_NS) continue; /* it went while we were not looking */
		p.told++;
		p.ready += i->ready;
		if (i->wanted > p.wanted) p.wanted = i->wanted;
		if (i->last_ns > p.told_ns) p.told_ns = i->last_ns;
		bool down = pod_down(ob, i, in_rollout);
		bool restarted = i->restarted_ns && ob->now_ns - i->restarted_ns < RESTARTED_NS;
		p.down += down;
		p.restarted += restarted;
		if (!down && !restarted) continue;
		p.grave = p.grave || grave(i->reason);
		p.sick = i->index;
		int64_t since_ns = down && i->unready_ns ? i->unready_ns : i->restarted_ns ? i->restarted_ns : i->first_ns;
		if (!p.since_ns || since_ns < p.since_ns) p.since_ns = since_ns;
	}
	return p;
}

/* By rule: there is nothing to learn of what should be true at all times. */
void instance_pass(struct observer *ob, struct watch *w) {
	const struct entity *e = entity_of(ob, w->entity);
	struct pods p = pods_count(ob, e);
	if (!p.told) return;
	double wanted = p.wanted ? p.wanted : p.told;
	struct verdict ready = { .score = p.down ? 1 + (double)p.down / wanted : 0,
		                     .value = (double)p.ready / wanted,
		                     .expected = 1,
		                     .low = 1,
		                     .high = 1,
		                     .onset_ns = p.since_ns,
		                     .delivered_ns = p.since_ns,
		                     .onset_sd_s = 1,
		                     .ready = true };
	struct verdict restarts = { .score = p.restarted ? 1 + (double)p.restarted / wanted : 0,
		                        .value = p.restarted,
		                        .expected = 0,
		                        .low = 0,
		                        .high = 0,
		                        .onset_ns = p.since_ns,
		                        .delivered_ns = p.since_ns,
		                        .onset_sd_s = 1,
		                        .ready = true };
	w->findings[SIGNAL_READY].data_ns = w->findings[SIGNAL_RESTARTS].data_ns = ob->now_ns;
	if (p.restarted && !p.grave && !p.down) restarts.score = 0.99; /* one restart in good order is no news */
	finding_set(ob, w, SIGNAL_READY, ready, p.sick);
	finding_set(ob, w, SIGNAL_RESTARTS, restarts, p.sick);
}

void instance_news(struct observer *ob) {
	for (uint32_t i = 0; i < ob->stream->level_count; i++) level_news(ob, &ob->stream->levels[i]);
	for (uint32_t i = 0; i < ob->stream->pod_count; i++) {
		const struct instance *x = catalog_instance(&ob->stream->catalog, ob->stream->pods[i].instance);
		struct watch *w = x && x->entity != NONE ? watch_of(ob, x->entity) : NULL;
		if (w) instance_pass(ob, w);
	}
}
