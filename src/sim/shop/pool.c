/* Connections to databases: each process has a few, and who finds none waits for one.
 *
 * A statement takes a connection of its process's pool and gives it back at its end; a fault may keep it. Who waits
 * gives up at the call's time-out: then no statement was sent, so there is no client span and no operation metric of
 * it, and the caller logs what its library says. Libraries that are instrumented tell of their pools by the
 * conventions' db.client.connection.* (Status: Development; Java's, .NET's and Node's instrumentation do). */
#include <stdio.h>

#include "sim/shop/impl.h"

#define SIZE 10 /* HikariCP's default, and near enough the others' */

static bool instrumented(const char *language) {
	return !strcmp(language, "java") || !strcmp(language, "dotnet") || !strcmp(language, "nodejs");
}

/* ---- the world resolved ---- */

void shop_pool_add(struct shop *s, uint32_t service, struct shop_edge *e) {
	struct shop_member *m = &s->members[service];
	char name[200];
	for (e->pool = 0; e->pool < m->pool_count; e->pool++)
		if (m->pools[e->pool].database == e->target) return;
	m->pools = must_grow(m->pools, m->pool_count + 1, sizeof *m->pools);
	struct shop_pool_form *form = &m->pools[m->pool_count++];
	*form = (struct shop_pool_form){ .database = e->target };
	snprintf(name, sizeof name, "%s/%s", s->dbs[e->target].spec->name, s->dbs[e->target].spec->namespace_);
	for (int i = 0; i < 3; i++) shop_attr_str(&form->attributes[i], 7, "db.client.connection.pool.name", name);
	shop_attr_str(&form->attributes[0], 7, "db.client.connection.state", "idle");
	shop_attr_str(&form->attributes[1], 7, "db.client.connection.state", "used");
}

void shop_pool_forms_done(struct shop_member *m) {
	for (uint32_t i = 0; i < m->pool_count; i++)
		for (int k = 0; k < 3; k++) sw_done(&m->pools[i].attributes[k]);
	free(m->pools);
}

/* ---- of a process ---- */

void shop_pools_reset(struct shop *s, struct shop_pod *p, bool fresh) {
	for (uint32_t i = 0; i < s->members[p->service].pool_count; i++) {
		struct shop_pool *pool = &p->pools[i];
		pool->used = pool->queued = 0;
		pool->first = pool->count = 0;
		if (fresh) pool->kept = 0, pool->timeouts = 0;
	}
}

void shop_pools_free(struct shop *s, struct shop_pod *p) {
	for (uint32_t i = 0; i < s->members[p->service].pool_count; i++) free(p->pools[i].line);
	free(p->pools);
}

static struct shop_pool *pool_of(struct shop *s, const struct shop_call_state *c) {
	return &s->pods[s->flows[c->flow].pod]->pools[s->edges[c->edge].pool];
}

static void line_up(struct shop_pool *pool, uint64_t call) {
	if (pool->count == pool->cap) {
		uint32_t cap = pool->cap ? 2 * pool->cap : 32;
		uint64_t *line = must_array(cap, sizeof *line);
		for (uint32_t i = 0; i < pool->count; i++) line[i] = pool->line[(pool->first + i) % pool->cap];
		free(pool->line);
		pool->line = line;
		pool->cap = cap;
		pool->first = 0;
	}
	pool->line[(pool->first + pool->count++) % pool->cap] = call;
	pool->queued++;
}

bool shop_pool_take(struct shop *s, uint32_t call) {
	struct shop_call_state *c = &s->calls[call];
	struct shop_pool *pool = pool_of(s, c);
	if (pool->used + pool->kept < SIZE) {
		pool->used++;
		c->connected = true;
		return true;
	}
	c->queued = true;
	c->touched |= s->pods[s->flows[c->flow].pod]->keep_mask;
	line_up(pool, (uint64_t)c->gen << 32 | call);
	return false;
}

/* Whoever waits longest is served; who has given up meanwhile is passed over. */
static void serve(struct shop *s, struct shop_pool *pool) {
	while (pool->count && pool->used + pool->kept < SIZE) {
		uint64_t name = pool->line[pool->first];
		struct shop_call_state *c = &s->calls[(uint32_t)name];
		pool->first = (pool->first + 1) % pool->cap;
		pool->count--;
		if (!c->used || c->gen != (uint32_t)(name >> 32)) continue;
		pool->used++;
		pool->queued--;
		c->queued = false;
		c->connected = true;
		shop_call_send(s, (uint32_t)name);
	}
}

void shop_pool_give(struct shop *s, const struct shop_call_state *c) {
	struct shop_pod *p = s->pods[s->flows[c->flow].pod];
	struct shop_pool *pool = pool_of(s, c);
	pool->used--;
	if (p->keeps > 0 && rng_unit(&s->fault_rng) < p->keeps) pool->kept++;
	serve(s, pool);
}

void shop_pool_gave_up(struct shop *s, const struct shop_call_state *c) {
	struct shop_pool *pool = pool_of(s, c);
	pool->queued--;
	pool->timeouts++;
}

/* The fault has ended: what it kept is given back. */
void shop_pools_mended(struct shop *s, uint32_t index) {
	struct shop_pod *p = s->pods[index];
	for (uint32_t i = 0; i < s->members[p->service].pool_count; i++) {
		if (!p->pools[i].kept) continue;
		p->pools[i].kept = 0;
		serve(s, &p->pools[i]);
	}
}

bool shop_pool_is_empty(const struct shop_pool *pool) {
	return pool->kept >= SIZE;
}

/* ---- what is told ---- */

static void put(struct sim_wire *points, double v, int64_t start_ns, int64_t at_ns, const struct sim_wire *attributes) {
	shop_put_number(points, v, true, start_ns, at_ns, attributes);
}

bool shop_pool_told(const struct shop *s, uint32_t service) {
	return s->members[service].pool_count && instrumented(s->members[service].spec->language);
}

void shop_pool_metrics(struct shop *s, const struct shop_pod *p, struct sim_wire *metrics) {
	static const char *const names[] = { "db.client.connection.count", "db.client.connection.max",
		                                 "db.client.connection.pending_requests", "db.client.connection.timeouts" };
	static const char *const units[] = { "{connection}", "{connection}", "{request}", "{timeout}" };
	const struct shop_member *m = &s->members[p->service];
	int64_t start = shop_wall(s, p->began_ns), now = shop_wall(s, s->queue->now_ns);
	struct sim_wire points[4] = { { 0 } };
	if (!shop_pool_told(s, p->service)) return;
	for (uint32_t i = 0; i < m->pool_count; i++) {
		const struct shop_pool *pool = &p->pools[i];
		const struct sim_wire *a = m->pools[i].attributes;
		put(&points[0], SIZE - pool->used - pool->kept, start, now, &a[0]);
		put(&points[0], pool->used + pool->kept, start, now, &a[1]);
		put(&points[1], SIZE, start, now, &a[2]);
		put(&points[2], pool->queued, start, now, &a[2]);
		put(&points[3], (double)pool->timeouts, start, now, &a[2]);
		s->counts.points += 5;
	}
	for (int i = 0; i < 4; i++) {
		shop_put_metric(metrics, names[i], units[i], i == 3 ? SHOP_SUM : SHOP_UPDOWN, &points[i]);
		sw_done(&points[i]);
	}
}

/* What libraries say when a pool gives nothing; by language and system. */
void shop_pool_text(const struct shop *s, const struct shop_pod *p, uint32_t edge, double ms, char *out, size_t n) {
	const struct shop_edge *e = &s->edges[edge];
	const char *language = s->members[e->service].spec->language, *db = s->dbs[e->target].spec->name;
	bool sql =
		!strcmp(s->dbs[e->target].spec->system, "postgresql") || !strcmp(s->dbs[e->target].spec->system, "mysql");
	if (!strcmp(language, "java") && sql)
		snprintf(out, n,
		         "HikariPool-1 - Connection is not available, request timed out after %.0fms "
		         "(total=%d, active=%d, idle=0, waiting=%d)",
		         ms, SIZE, SIZE, (int)p->pools[e->pool].queued);
	else if (!strcmp(language, "java"))
		snprintf(out, n, "Timed out after %.0f ms while waiting for a connection to server %s", ms, db);
	else if (!strcmp(language, "dotnet"))
		snprintf(out, n,
		         "The connection pool has been exhausted, either raise 'Max Pool Size' (currently %d) or "
		         "'Timeout' (currently %.0f seconds) in your connection string.",
		         SIZE, ms / 1000);
	else if (!strcmp(language, "python"))
		snprintf(out, n, "QueuePool limit of size %d overflow 0 reached, connection timed out, timeout %.2f", SIZE,
		         ms / 1000);
	else if (!strcmp(language, "nodejs"))
		snprintf(out, n, "timeout exceeded when trying to connect");
	else if (!strcmp(s->dbs[e->target].spec->system, "redis"))
		snprintf(out, n, "redis: connection pool timeout");
	else
		snprintf(out, n,
		         "timed out while checking out a connection from connection pool: context deadline exceeded; "
		         "maxPoolSize: %d",
		         SIZE);
}
