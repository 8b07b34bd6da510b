/* Resources become sources, instances and services. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/feed.h"

/* The same whatever the order of the attributes: a sum over hashes of pairs. */
static struct hash128 attrs_key(struct attrs a) {
	uint64_t sum[2] = { a.n, 0 };
	for (size_t i = 0; i < a.n; i++) {
		struct hash128 pair[2] = { hash128(a.v[i].key), hash128(a.v[i].value) };
		struct hash128 h = hash128((struct str){ (const char *)pair, sizeof pair });
		uint64_t part[2];
		memcpy(part, h.b, sizeof part);
		sum[0] += part[0];
		sum[1] += part[1];
	}
	struct hash128 key;
	memcpy(key.b, sum, sizeof sum);
	return key;
}

/* The same by a look at what these bytes gave the last time. Every batch brings its resources, so most were seen
 * seconds ago; a hash over all the bytes is a tenth of one over each attribute. */
static struct hash128 resource_key(struct stream *st, const struct batch_resource *r) {
	struct hash128 bytes = hash128(r->bytes);
	struct resource_key *k = &st->resource_keys[bytes.b[0] & (RESOURCE_KEYS - 1)];
	if (memcmp(&k->bytes, &bytes, sizeof bytes) != 0) *k = (struct resource_key){ bytes, attrs_key(r->attrs) };
	return k->key;
}

/* What tells this copy of the service from its siblings; `out` holds 40 bytes for the last resort. */
static struct str instance_uid(const struct resource_facts *f, const struct hash128 *key, char *out) {
	if (f->pod_uid.n) return f->pod_uid;
	if (f->instance_id.n) return f->instance_id;
	if (f->container_id.n) return f->container_id;
	hex_encode(key->b, sizeof key->b, out);
	return (struct str){ out, 2 * sizeof key->b };
}

static void workload_note(struct entity *e, const struct workload *w) {
	if (!w->name.n) return;
	if (e->workload.name.n && !str_eq(e->workload.name, w->name)) e->workload_differs = true;
	text_set(&e->workload.namespace_, w->namespace_);
	text_set(&e->workload.kind, w->kind);
	text_set(&e->workload.name, w->name);
}

static void instance_describe(struct instance *i, const struct resource_facts *f) {
	i->pod = i->pod || f->pod_uid.n > 0;
	if (f->namespace_.n) text_set(&i->namespace_, f->namespace_);
	if (f->pod.n) text_set(&i->name, f->pod);
	if (f->node.n || f->host.n) text_set(&i->node, f->node.n ? f->node : f->host);
	if (!f->workload.n) return;
	text_set(&i->workload.namespace_, f->namespace_);
	text_set(&i->workload.kind, f->workload_kind);
	text_set(&i->workload.name, f->workload);
}

/* A service that names itself only "unknown_service" has no name. */
static bool named(const struct resource_facts *f) {
	return f->service.n && !str_starts(f->service, STR("unknown_service"));
}

static void source_describe(struct stream *st, struct source *s, struct attrs attrs) {
	struct catalog *c = &st->catalog;
	struct resource_facts f = resource_read(attrs);
	char hex[40];
	struct entity *e = NULL;
	struct instance *i = NULL;
	if (named(&f)) e = catalog_get_entity(c, ENTITY_SERVICE, f.service_namespace, f.service, st->now_ns);
	if (e || f.pod_uid.n) i = catalog_get_instance(c, instance_uid(&f, &s->key, hex), st->now_ns);
	if (i) {
		s->instance = i->index;
		instance_describe(i, &f);
	}
	if (!e) return;
	catalog_own_source(c, s, e->index);
	if (f.region.n) text_set(&e->region, f.region);
	if (!i) return;
	catalog_own_instance(c, i, e->index);
	workload_note(e, &i->workload);
}

void feed_resource(struct stream *st, const struct batch_resource *r) {
	bool fresh = false;
	struct source *s = catalog_get_source(&st->catalog, resource_key(st, r), &fresh, st->now_ns);
	if (s && (fresh || s->instance == NONE)) source_describe(st, s, r->attrs);
	if (s && s->instance != NONE) catalog_instance(&st->catalog, s->instance)->last_ns = st->now_ns;
	if (!feed_grow((void **)&st->batch_sources, &st->source_cap, st->source_count, sizeof *st->batch_sources)) return;
	st->batch_sources[st->source_count++] = s ? s->index : NONE;
}

struct source *feed_source(struct stream *st, uint32_t resource) {
	return resource < st->source_count ? catalog_source(&st->catalog, st->batch_sources[resource]) : NULL;
}

uint32_t feed_entity(struct stream *st, const struct source *s) {
	if (s->entity != NONE) return s->entity;
	const struct instance *i = catalog_instance(&st->catalog, s->instance);
	return i ? i->entity : NONE;
}

struct channel *feed_channel(struct stream *st, struct entity *e, enum via via, const float *bounds, uint32_t count) {
	(void)st;
	if (!e->red[via]) e->red[via] = channel_open(e->index, via, bounds, count);
	return e->red[via];
}

/* ---- whom a call goes to, as the caller names it ---- */

/* A database is known by its server: that is what gets slow, whatever the names inside. Bare numbers and
 * the machine itself name nothing. */
static bool named_host(struct str address) {
	for (size_t i = 0; i < address.n; i++) {
		char c = address.p[i];
		bool of_number = (c >= '0' && c <= '9') || c == '.' || c == ':' || (c >= 'a' && c <= 'f');
		if (!of_number) return !str_is(address, "localhost") && address.p[0] != '/';
	}
	return false;
}

static struct edge *database_edge(struct stream *st, uint32_t from, const struct request_facts *f) {
	struct str name = named_host(f->address) ? f->address : f->db.n ? f->db : f->address.n ? f->address : f->db_system;
	struct entity *db = catalog_get_entity(&st->catalog, ENTITY_DATABASE, (struct str){ NULL, 0 }, name, st->now_ns);
	return db ? catalog_get_edge(&st->catalog, from, EDGE_DATABASE, name, db->index, st->now_ns) : NULL;
}

static struct edge *queue_edge(struct stream *st, uint32_t from, const struct request_facts *f, bool consumes) {
	struct str name = f->destination.n ? f->destination : f->messaging_system;
	struct entity *q = catalog_get_entity(&st->catalog, ENTITY_QUEUE, (struct str){ NULL, 0 }, name, st->now_ns);
	if (!q) return NULL;
	if (!consumes) return catalog_get_edge(&st->catalog, from, EDGE_PUBLISH, name, q->index, st->now_ns);
	struct entity *e = catalog_entity(&st->catalog, from);
	return e ? catalog_get_edge(&st->catalog, q->index, EDGE_CONSUME, e->subject, from, st->now_ns) : NULL;
}

static struct edge *call_edge(struct stream *st, uint32_t from, const struct request_facts *f) {
	char text[300];
	struct str host = f->peer.n ? f->peer : f->address;
	if (!host.n || host.n > 255) return NULL;
	size_t n = host.n;
	memcpy(text, host.p, n);
	if (!f->peer.n && f->port.n && f->port.n < 8) {
		text[n++] = ':';
		memcpy(text + n, f->port.p, f->port.n);
		n += f->port.n;
	}
	return catalog_get_edge(&st->catalog, from, EDGE_CALL, (struct str){ text, n }, NONE, st->now_ns);
}

struct edge *feed_edge(struct stream *st, uint32_t from, const struct request_facts *f, enum span_kind kind) {
	if (f->db_system.n) return database_edge(st, from, f);
	if (f->messaging_system.n || f->destination.n) return queue_edge(st, from, f, kind == SPAN_CONSUMER);
	return kind == SPAN_CONSUMER ? NULL : call_edge(st, from, f);
}
