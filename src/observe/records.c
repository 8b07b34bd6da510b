#include "observe/records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_VERSION    2 /* 1: without what came since durations were back */
#define INCIDENT_VERSION 1

/* ---- findings ---- */

static void put_verdict(struct enc *e, const struct verdict *v) {
	enc_f64(e, v->score), enc_f64(e, v->value), enc_f64(e, v->expected), enc_f64(e, v->low), enc_f64(e, v->high);
	enc_i64(e, v->onset_ns), enc_i64(e, v->delivered_ns), enc_f64(e, v->onset_sd_s);
	enc_u8(e, (uint8_t)v->which), enc_u8(e, v->ready);
}
static void get_verdict(struct dec *d, struct verdict *v) {
	v->score = dec_f64(d), v->value = dec_f64(d), v->expected = dec_f64(d), v->low = dec_f64(d), v->high = dec_f64(d);
	v->onset_ns = dec_i64(d), v->delivered_ns = dec_i64(d), v->onset_sd_s = dec_f64(d);
	v->which = dec_u8(d) % ALTERNATIVES, v->ready = dec_u8(d) != 0;
}

static void put_finding(struct enc *e, const struct finding *f) {
	put_verdict(e, &f->v);
	enc_f64(e, f->severity), enc_u32(e, f->instance), enc_u8(e, (uint8_t)f->via), enc_u8(e, f->on), enc_u8(e, f->told);
	enc_i64(e, f->on_ns), enc_i64(e, f->data_ns), enc_i64(e, f->told_ns);
	for (int v = 0; v < VIAS; v++) enc_i64(e, f->via_ns[v]);
}
static void get_finding(struct dec *d, struct finding *f) {
	get_verdict(d, &f->v);
	f->severity = dec_f64(d), f->instance = dec_u32(d), f->via = dec_u8(d) % VIAS;
	f->on = dec_u8(d) != 0, f->told = dec_u8(d) != 0;
	f->on_ns = dec_i64(d), f->data_ns = dec_i64(d), f->told_ns = dec_i64(d);
	for (int v = 0; v < VIAS; v++) f->via_ns[v] = dec_i64(d);
}

/* ---- watches ---- */

static void put_watch(struct enc *e, const struct watch *w) {
	for (int v = 0; v < VIAS; v++) {
		enc_u8(e, w->durations[v] != NULL);
		enc_i64(e, w->window_ns[v]);
		if (!w->durations[v]) continue;
		duration_save(w->durations[v], e);
		share_save(w->shares[v], e);
		count_save(w->rates[v], e);
	}
	enc_u8(e, w->lines != NULL);
	if (w->lines) count_save(w->lines, e);
	for (int k = 0; k < SIGNAL_KINDS; k++) put_finding(e, &w->findings[k]);
	enc_f64(e, w->usual.requests), enc_f64(e, w->usual.seconds), enc_f64(e, w->usual.self_seconds);
	enc_f64(e, w->usual.bad), enc_f64(e, w->usual.own_bad);
	enc_i64(e, w->lines_ns), enc_i64(e, w->quiet_ns), enc_i64(e, w->blocked_ns);
	for (int g = 0; g < GAUGES; g++) {
		const struct level_pool *p = &w->pools[g];
		enc_u8(e, p->rank), enc_f64(e, p->n), enc_f64(e, p->mean), enc_f64(e, p->variance), enc_f64(e, p->spread2);
	}
	for (int t = 0; t < TELEMETRIES; t++) enc_u8(e, w->stale[t]);
	enc_u8(e, w->learning_told), enc_u8(e, w->ready_told);
	enc_i64(e, w->trouble_ns);
}

static bool get_detectors(struct dec *d, struct watch *w, const struct entity *x, int v) {
	bool there = dec_u8(d) != 0;
	w->window_ns[v] = dec_i64(d);
	if (!there) return true;
	const struct channel *c = x->red[v];
	if (!c || !watch_detectors(w, c)) return false;
	if (duration_load(w->durations[v], d)) return false;
	share_load(w->shares[v], d);
	count_load(w->rates[v], d);
	return true;
}

static bool get_watch(struct observer *ob, struct dec *d, uint32_t entity) {
	const struct entity *x = entity_of(ob, entity);
	struct watch *w = x ? watch_of(ob, entity) : NULL;
	if (!w) return false;
	for (int v = 0; v < VIAS; v++)
		if (!get_detectors(d, w, x, v)) return false;
	if (dec_u8(d)) {
		if (!w->lines) w->lines = calloc(1, sizeof *w->lines);
		if (!w->lines) return false;
		count_load(w->lines, d);
	}
	for (int k = 0; k < SIGNAL_KINDS; k++) get_finding(d, &w->findings[k]);
	w->usual.requests = dec_f64(d), w->usual.seconds = dec_f64(d), w->usual.self_seconds = dec_f64(d);
	w->usual.bad = dec_f64(d), w->usual.own_bad = dec_f64(d);
	w->lines_ns = dec_i64(d), w->quiet_ns = dec_i64(d), w->blocked_ns = dec_i64(d);
	for (int g = 0; g < GAUGES; g++) {
		struct level_pool *p = &w->pools[g];
		p->rank = dec_u8(d), p->n = dec_f64(d), p->mean = dec_f64(d), p->variance = dec_f64(d), p->spread2 = dec_f64(d);
	}
	for (int t = 0; t < TELEMETRIES; t++) w->stale[t] = dec_u8(d) != 0;
	w->learning_told = dec_u8(d) != 0, w->ready_told = dec_u8(d) != 0;
	if (d->version > 1) w->trouble_ns = dec_i64(d);
	return !d->err;
}

static void put_calls(struct enc *e, const struct usual_calls *u) {
	enc_f64(e, u->requests), enc_f64(e, u->calls), enc_f64(e, u->seconds), enc_f64(e, u->wall_seconds);
	enc_f64(e, u->joined), enc_f64(e, u->gap_seconds), enc_f64(e, u->failed), enc_f64(e, u->blamed);
}
static void get_calls(struct dec *d, struct usual_calls *u) {
	u->requests = dec_f64(d), u->calls = dec_f64(d), u->seconds = dec_f64(d), u->wall_seconds = dec_f64(d);
	u->joined = dec_f64(d), u->gap_seconds = dec_f64(d), u->failed = dec_f64(d), u->blamed = dec_f64(d);
}

static void put_levels(struct enc *e, const struct instance_watch *w) {
	enc_u64(e, w->uid), enc_u8(e, w->cpu_used), enc_u8(e, w->memory_used);
	if (w->cpu_used) level_save(&w->cpu, e);
	if (w->memory_used) level_save(&w->memory, e);
}

static bool get_levels(struct observer *ob, struct dec *d, uint32_t instance) {
	const struct instance *i = catalog_instance(&ob->stream->catalog, instance);
	struct instance_watch *w = i ? instance_watch_of(ob, i) : NULL;
	if (!w || dec_u64(d) != w->uid) return false;
	w->cpu_used = dec_u8(d) != 0, w->memory_used = dec_u8(d) != 0;
	if (w->cpu_used) level_load(&w->cpu, d);
	if (w->memory_used) level_load(&w->memory, d);
	return true;
}

/* ---- the whole ---- */

void records_save(const struct observer *ob, struct buf *out) {
	struct enc e = enc_begin(out, "FBOW", WATCH_VERSION);
	const struct catalog *c = &ob->stream->catalog;
	uint32_t n = 0;
	enc_u64(&e, ob->o.rng.state);
	for (uint32_t i = 0; i < ob->watch_cap; i++) n += ob->watches[i] != NULL;
	enc_u32(&e, n);
	for (uint32_t i = 0; i < ob->watch_cap; i++)
		if (ob->watches[i]) enc_u32(&e, i), put_watch(&e, ob->watches[i]);
	n = 0;
	for (uint32_t i = 0; i < ob->calls_cap; i++) n += ob->calls[i] && catalog_edge(c, i);
	enc_u32(&e, n);
	for (uint32_t i = 0; i < ob->calls_cap; i++)
		if (ob->calls[i] && catalog_edge(c, i)) enc_u32(&e, i), put_calls(&e, ob->calls[i]);
	n = 0;
	for (uint32_t i = 0; i < c->instances.count; i++) {
		const struct instance *x = catalog_instance(c, i);
		n += x && instance_watch_get(ob, x);
	}
	enc_u32(&e, n);
	for (uint32_t i = 0; i < c->instances.count; i++) {
		const struct instance *x = catalog_instance(c, i);
		if (x && instance_watch_get(ob, x)) enc_u32(&e, i), put_levels(&e, instance_watch_get(ob, x));
	}
	enc_end(&e);
}

static bool get_all(struct observer *ob, struct dec *d) {
	ob->o.rng.state = dec_u64(d);
	for (uint32_t n = dec_u32(d); n > 0 && !d->err; n--)
		if (!get_watch(ob, d, dec_u32(d))) return false;
	for (uint32_t n = dec_u32(d); n > 0 && !d->err; n--) {
		uint32_t edge = dec_u32(d);
		struct usual_calls *u = catalog_edge(&ob->stream->catalog, edge) ? usual_calls_of(ob, edge) : NULL;
		if (!u) return false;
		get_calls(d, u);
	}
	for (uint32_t n = dec_u32(d); n > 0 && !d->err; n--)
		if (!get_levels(ob, d, dec_u32(d))) return false;
	return !d->err;
}

enum err records_load(struct observer *ob, struct str bytes, struct why *why) {
	struct dec d;
	enum err e = dec_begin(&d, bytes, "FBOW", WATCH_VERSION, NULL, why);
	if (e) return e;
	if (!get_all(ob, &d)) return why_set(why, ERR_CORRUPT, "record 'FBOW': a detector in it makes no sense");
	e = dec_end(&d);
	return e ? why_set(why, e, "record 'FBOW': it does not end where it should") : OK;
}

void records_forget(struct observer *ob) {
	for (uint32_t i = 0; i < ob->watch_cap; i++) watch_free(ob->watches[i]);
	for (uint32_t i = 0; i < ob->calls_cap; i++) free(ob->calls[i]);
	for (uint32_t i = 0; i < ob->instance_cap; i++) free(ob->instances[i]);
	free(ob->watches), free(ob->calls), free(ob->instances);
	ob->watches = NULL;
	ob->calls = NULL;
	ob->instances = NULL;
	ob->watch_cap = ob->calls_cap = ob->instance_cap = 0;
}

/* ---- incidents: by names, since they may be newer than the numbers of the checkpoint ---- */

static void put_entity(const struct observer *ob, struct enc *e, uint32_t entity) {
	const struct entity *x = entity_of(ob, entity);
	enc_u8(e, x ? (uint8_t)x->kind : UINT8_MAX);
	enc_str(e, x ? x->service_namespace : (struct str){ NULL, 0 });
	enc_str(e, x ? x->own_name : (struct str){ NULL, 0 });
}
static uint32_t get_entity(struct observer *ob, struct dec *d) {
	uint8_t kind = dec_u8(d);
	struct str namespace_ = dec_str(d), name = dec_str(d);
	if (d->err || kind >= ENTITY_KINDS) return NONE;
	struct entity *x = catalog_get_entity(&ob->stream->catalog, (enum entity_kind)kind, namespace_, name, ob->now_ns);
	return x && watch_of(ob, x->index) ? x->index : NONE;
}

static void put_incident(const struct observer *ob, struct enc *e, const struct incident *in) {
	enc_u8(e, (uint8_t)in->state);
	enc_bytes(e, in->id, sizeof in->id), enc_bytes(e, in->before, sizeof in->before);
	enc_i64(e, in->opened_ns), enc_i64(e, in->onset_ns), enc_i64(e, in->delivered_ns), enc_i64(e, in->resolved_ns);
	enc_f64(e, in->severity), enc_f64(e, in->confidence), enc_u8(e, (uint8_t)in->kind), enc_u8(e, in->none),
		enc_u8(e, in->one_part);
	enc_i64(e, in->look_ns), enc_i64(e, in->reported_ns), enc_u32(e, in->events);
	put_entity(ob, e, in->cause);
	enc_u32(e, in->member_count);
	for (uint32_t i = 0; i < in->member_count; i++) put_entity(ob, e, in->members[i]);
	enc_u32(e, in->symptom_count);
	for (uint32_t i = 0; i < in->symptom_count; i++) {
		const struct symptom *s = &in->symptoms[i];
		put_entity(ob, e, s->entity);
		enc_u8(e, (uint8_t)s->signal), enc_u8(e, (uint8_t)s->via), enc_u8(e, s->binding), enc_u32(e, s->instance),
			enc_i64(e, s->on_ns), enc_i64(e, s->in_band_ns);
		put_verdict(e, &s->first);
	}
}

static void symptom_restore(struct observer *ob, struct incident *in, struct dec *d) {
	struct symptom s = { .entity = get_entity(ob, d) };
	uint8_t signal = dec_u8(d);
	s.via = dec_u8(d) % VIAS;
	s.binding = dec_u8(d) != 0;
	s.instance = dec_u32(d), s.on_ns = dec_i64(d), s.in_band_ns = dec_i64(d);
	get_verdict(d, &s.first);
	if (d->err || s.entity == NONE || signal >= SIGNAL_KINDS || in->symptom_count == SYMPTOMS_MAX) return;
	s.signal = (enum signal_kind)signal;
	in->symptoms[in->symptom_count++] = s;
	incident_hold(ob, s.entity, +1);
	struct watch *w = watch_get(ob, s.entity);
	if (in->state != INCIDENT_OPEN) return;
	w->incident = (uint32_t)(in - ob->incidents);
	w->findings[signal].on = w->findings[signal].told = true;
	if (!w->findings[signal].told_ns) w->findings[signal].told_ns = ob->now_ns; /* not silent before it was heard */
}

static bool get_incident(struct observer *ob, struct dec *d, struct incident *in) {
	*in = (struct incident){ .state = (enum incident_state)dec_u8(d), .cause = NONE };
	if (in->state != INCIDENT_OPEN && in->state != INCIDENT_RESOLVED_LATELY) return false;
	dec_bytes(d, in->id, sizeof in->id), dec_bytes(d, in->before, sizeof in->before);
	in->id[ULID_LEN] = in->before[ULID_LEN] = 0;
	in->opened_ns = dec_i64(d), in->onset_ns = dec_i64(d), in->delivered_ns = dec_i64(d), in->resolved_ns = dec_i64(d);
	in->severity = dec_f64(d), in->confidence = dec_f64(d), in->kind = dec_u8(d) % CAUSE_KINDS,
	in->none = dec_u8(d) != 0, in->one_part = dec_u8(d) != 0;
	in->look_ns = dec_i64(d), in->reported_ns = dec_i64(d), in->events = dec_u32(d);
	in->cause = get_entity(ob, d);
	incident_hold(ob, in->cause, +1);
	for (uint32_t n = dec_u32(d); n > 0 && !d->err; n--) {
		uint32_t entity = get_entity(ob, d);
		if (entity == NONE || in->member_count == MEMBERS_MAX) continue;
		in->members[in->member_count++] = entity;
		incident_hold(ob, entity, +1);
		if (in->state == INCIDENT_OPEN) watch_get(ob, entity)->incident = (uint32_t)(in - ob->incidents);
	}
	for (uint32_t n = dec_u32(d); n > 0 && !d->err; n--) symptom_restore(ob, in, d);
	return !d->err && (in->member_count > 0 || in->state != INCIDENT_OPEN);
}

static void put_event(struct enc *e, const struct out_event *x) {
	enc_bytes(e, x->id, sizeof x->id), enc_u8(e, (uint8_t)x->type), enc_str(e, str_of(x->subject));
	enc_i64(e, x->time_ns), enc_f64(e, x->severity), enc_str(e, buf_get(&x->data));
}

/* What was saved as an event's data is sent as it lies there: it has to be an object. */
static bool is_object(struct str data) {
	const struct json *v = NULL;
	struct arena a;
	arena_init(&a, 0);
	bool ok = json_parse(&a, data, &v, NULL) == OK && v->kind == JSON_OBJECT;
	arena_done(&a);
	return ok;
}

static bool get_event(struct observer *ob, struct dec *d) {
	char id[ULID_LEN + 1];
	dec_bytes(d, id, sizeof id);
	uint8_t type = dec_u8(d);
	struct str subject = dec_str(d);
	int64_t time_ns = dec_i64(d);
	double severity = dec_f64(d);
	struct str data = dec_str(d);
	if (d->err || type >= EVENT_TYPES || !is_object(data)) return false;
	struct out_event *x = publish_new(ob, (enum event_type)type, subject, severity, NULL);
	if (!x) return false;
	id[ULID_LEN] = 0;
	memcpy(x->id, id, sizeof x->id);
	x->time_ns = time_ns;
	x->kept = true; /* and it is in the store already: keep 0 */
	buf_str(&x->data, data);
	return true;
}

static size_t event_bytes(const struct out_event *x) {
	return x->data.n + strlen(x->subject) + 64;
}

uint64_t incidents_save(const struct observer *ob, struct buf *out, size_t bytes_max) {
	struct enc e = enc_begin(out, "FBOI", INCIDENT_VERSION);
	uint32_t n = 0, last = 0;
	uint64_t holds = ob->keep_wanted;
	for (int i = 0; i < INCIDENTS_MAX; i++) n += ob->incidents[i].state != INCIDENT_FREE;
	enc_u32(&e, n);
	for (int i = 0; i < INCIDENTS_MAX; i++)
		if (ob->incidents[i].state != INCIDENT_FREE) put_incident(ob, &e, &ob->incidents[i]);
	size_t bytes = out->n;
	n = 0;
	for (; last < ob->out_count; last++) {
		const struct out_event *x = &ob->outbox[last];
		if (!x->kept) continue;
		bytes += event_bytes(x);
		if (bytes > bytes_max) {
			holds = x->keep ? x->keep - 1 : 0;
			break;
		}
		n++;
	}
	enc_u32(&e, n);
	for (uint32_t i = 0; i < last; i++)
		if (ob->outbox[i].kept) put_event(&e, &ob->outbox[i]);
	enc_end(&e);
	return holds;
}

/* Refused as a whole: half of an incident would never end. */
static void incidents_forget(struct observer *ob) {
	for (int i = 0; i < INCIDENTS_MAX; i++) incident_forget(ob, &ob->incidents[i]);
	for (uint32_t i = 0; i < ob->watch_cap; i++)
		if (ob->watches[i]) ob->watches[i]->incident = NONE;
	publish_forget(ob);
}

enum err incidents_load(struct observer *ob, struct str bytes, struct why *why) {
	struct dec d;
	enum err e = dec_begin(&d, bytes, "FBOI", INCIDENT_VERSION, NULL, why);
	if (e) return e;
	uint32_t n = dec_u32(&d);
	bool ok = n <= INCIDENTS_MAX;
	for (uint32_t i = 0; i < n && ok; i++) ok = get_incident(ob, &d, &ob->incidents[i]);
	for (n = ok ? dec_u32(&d) : 0; n > 0 && ok; n--) ok = get_event(ob, &d);
	e = ok ? dec_end(&d) : ERR_CORRUPT;
	if (!e) return OK;
	incidents_forget(ob);
	return ok ? why_set(why, e, "record 'FBOI': it does not end where it should")
	          : why_set(why, e, "record 'FBOI': an incident in it makes no sense");
}
