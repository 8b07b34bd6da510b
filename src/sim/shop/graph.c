#include "sim/shop/graph.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/map.h"
#include "base/str.h"
#include "sim/memory.h"

/* ---- names ---- */

static size_t find_service(const struct shop_world *w, const char *name) {
	for (size_t i = 0; i < w->service_count; i++)
		if (!strcmp(w->services[i].name, name)) return i;
	return SIZE_MAX;
}

static size_t find_database(const struct shop_world *w, const char *name) {
	for (size_t i = 0; i < w->database_count; i++)
		if (!strcmp(w->databases[i].name, name)) return i;
	return SIZE_MAX;
}

static size_t find_endpoint(const struct shop_service *s, const char *name) {
	for (size_t i = 0; i < s->endpoint_count; i++)
		if (!strcmp(s->endpoints[i].name, name)) return i;
	return SIZE_MAX;
}

static const char *nearest_name(const struct shop_world *w, const char *name) {
	const char *best = "";
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < w->service_count + w->database_count; i++) {
		const char *other = i < w->service_count ? w->services[i].name : w->databases[i - w->service_count].name;
		size_t d = str_distance(str_of(name), str_of(other));
		if (d < least) least = d, best = other;
	}
	return best;
}

static const char *nearest_endpoint(const struct shop_service *s, const char *name) {
	const char *best = "nothing: it has no endpoints";
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < s->endpoint_count; i++) {
		size_t d = str_distance(str_of(name), str_of(s->endpoints[i].name));
		if (d < least) least = d, best = s->endpoints[i].name;
	}
	return best;
}

struct maker {
	struct shop_graph *g;
	const struct shop_world *w;
	const char *file;
	struct why *why;
	/* of the walk */
	uint8_t *state; /* 0: not seen, 1: being walked, 2: done */
	size_t left;    /* places of `order` that are not taken */
};

static enum err no_name(const struct maker *m, int line, const char *who, const char *to) {
	return why_set(m->why, ERR_INVALID, "%s:%d: %s: there is no service or database '%s', did you mean '%s'?", m->file,
	               line, who, to, nearest_name(m->w, to));
}

static enum err find_point(const struct maker *m, int line, const char *who, const char *service, const char *endpoint,
                           size_t *out) {
	size_t s = find_service(m->w, service);
	if (s == SIZE_MAX) return no_name(m, line, who, service);
	size_t e = find_endpoint(&m->w->services[s], endpoint);
	if (e == SIZE_MAX)
		return why_set(m->why, ERR_INVALID, "%s:%d: %s: '%s' has no endpoint '%s', did you mean '%s'?", m->file, line,
		               who, service, endpoint, nearest_endpoint(&m->w->services[s], endpoint));
	*out = m->g->first[s] + e;
	return OK;
}

/* ---- resolving ---- */

static enum err resolve_call(const struct maker *m, const struct shop_graph_point *p, const struct shop_call *c,
                             struct shop_graph_edge *out) {
	*out = (struct shop_graph_edge){ .call = c, .target = find_database(m->w, c->to) };
	out->database = out->target != SIZE_MAX;
	if (out->database) return OK;
	return find_point(m, c->line, m->w->services[p->service].name, c->to, c->endpoint, &out->target);
}

static enum err resolve(struct maker *m, struct arena *a) {
	struct shop_graph *g = m->g;
	for (size_t i = 0; i < g->point_count; i++) {
		struct shop_graph_point *p = &g->points[i];
		struct shop_graph_edge *edges = arena_array(a, struct shop_graph_edge, p->endpoint->call_count + 1);
		if (!edges) return ERR_NOMEM;
		p->edges = edges;
		for (size_t c = 0; c < p->endpoint->call_count; c++) {
			enum err e = resolve_call(m, p, &p->endpoint->calls[c], &edges[c]);
			if (e) return e;
		}
	}
	for (size_t i = 0; i < m->w->entry_count; i++) {
		const struct shop_entry *x = &m->w->entries[i];
		enum err e = find_point(m, x->line, "entries", x->service, x->endpoint, &g->entries[i]);
		if (e) return e;
	}
	for (size_t i = 0; i < m->w->job_count; i++) {
		const struct shop_job *j = &m->w->jobs[i];
		enum err e = find_point(m, j->line, j->name, j->service, j->endpoint, &g->jobs[i]);
		if (e) return e;
	}
	return OK;
}

static enum err in_a_ring(const struct maker *m, const struct shop_graph_point *p, const struct shop_call *c) {
	return why_set(
		m->why, ERR_INVALID,
		"%s:%d: '%s' of %s calls '%s' of %s, which calls it back over one or more others: calls must not go in a ring",
		m->file, c->line, p->endpoint->name, m->w->services[p->service].name, c->endpoint, c->to);
}

/* Those that it calls first, then itself from the end: so callers come before the called. */
static enum err walk(struct maker *m, size_t point, int depth) {
	const struct shop_graph_point *p = &m->g->points[point];
	m->state[point] = 1;
	for (size_t i = 0; i < p->endpoint->call_count; i++) {
		const struct shop_graph_edge *e = &p->edges[i];
		if (e->database || m->state[e->target] == 2) continue;
		if (m->state[e->target] == 1) return in_a_ring(m, p, e->call);
		if (depth == SHOP_DEPTH_MAX)
			return why_set(m->why, ERR_INVALID, "%s:%d: calls below calls, more than %d deep", m->file, e->call->line,
			               SHOP_DEPTH_MAX);
		enum err err = walk(m, e->target, depth + 1);
		if (err) return err;
	}
	m->state[point] = 2;
	m->g->order[--m->left] = point;
	return OK;
}

static enum err put_in_order(struct maker *m) {
	struct shop_graph *g = m->g;
	enum err e = OK;
	m->left = g->point_count;
	m->state = must_array(g->point_count, 1);
	for (size_t i = 0; i < g->point_count && !e; i++)
		if (!m->state[i]) e = walk(m, i, 1);
	free(m->state);
	return e;
}

enum err shop_graph_make(const struct shop_world *w, struct arena *a, const char *file, struct shop_graph *out,
                         struct why *why) {
	struct maker m = { .g = out, .w = w, .file = file, .why = why };
	size_t points = 0;
	for (size_t i = 0; i < w->service_count; i++) points += w->services[i].endpoint_count;
	*out = (struct shop_graph){ .world = w };
	out->points = arena_array(a, struct shop_graph_point, points + 1);
	out->first = arena_array(a, size_t, w->service_count + 1);
	out->order = arena_array(a, size_t, points + 1);
	out->entries = arena_array(a, size_t, w->entry_count + 1);
	out->jobs = arena_array(a, size_t, w->job_count + 1);
	if (!out->jobs || !out->points || !out->first || !out->order || !out->entries) return ERR_NOMEM;
	for (size_t i = 0; i < w->service_count; i++) {
		out->first[i] = out->point_count;
		for (size_t e = 0; e < w->services[i].endpoint_count; e++)
			out->points[out->point_count++] =
				(struct shop_graph_point){ .service = i, .endpoint = &w->services[i].endpoints[e] };
	}
	enum err e = resolve(&m, a);
	return e ? e : put_in_order(&m);
}

/* ---- what its traffic asks of it ---- */

#define TAIL_MAX 50.0 /* as shop_draw has it */

/* Of a Pareto of exponent `alpha` from 1 on, cut at TAIL_MAX: the integral of its survival function. */
static double tail_mean(double alpha) {
	if (fabs(alpha - 1) < 1e-9) return 1 + log(TAIL_MAX);
	return 1 + (1 - pow(TAIL_MAX, 1 - alpha)) / (alpha - 1);
}

double shop_time_mean(const struct shop_time *t) {
	if (t->shape != SHOP_LOGNORMAL) return t->median;
	double body = t->median * exp(t->sigma * t->sigma / 2);
	return t->tail > 0 ? body * (1 - t->tail + t->tail * tail_mean(t->tail_alpha)) : body;
}

/* So many calls a request, at the mean. */
static double call_share(const struct shop_call *c) {
	double chance = c->probability > 0 ? c->probability : 1;
	return chance * (1 - c->cache_hits) * (c->copies > 0 ? c->copies : 1);
}

static bool waits_not(const struct shop_call *c) {
	return c->queue && *c->queue;
}

/* What one call adds to the time of its caller: nothing, when it does not wait. */
static double call_mean(const struct shop_graph *g, const struct shop_load *l, const struct shop_graph_edge *e) {
	if (waits_not(e->call)) return 0;
	double mean = e->database ? shop_time_mean(&g->world->databases[e->target].work) : l->means[e->target];
	double most = (double)(e->call->timeout_ns ? e->call->timeout_ns : 2 * NS_PER_SEC) / 1e9;
	double share = call_share(e->call);
	return (share < 1 ? share : 1) * (mean < most ? mean : most);
}

/* The groups after one another, of each the longest. */
static double calls_mean(const struct shop_graph *g, const struct shop_load *l, const struct shop_graph_point *p) {
	double sum = 0;
	int last = -1;
	for (;;) {
		int group = INT32_MAX;
		double longest = 0;
		for (size_t i = 0; i < p->endpoint->call_count; i++) {
			int of = p->edges[i].call->group;
			double mean = call_mean(g, l, &p->edges[i]);
			if (of <= last || of > group) continue;
			longest = of < group || mean > longest ? mean : longest;
			group = of;
		}
		if (group == INT32_MAX) return sum;
		sum += longest;
		last = group;
	}
}

/* The share of a statement's load that one of the database's servers takes: reads go to the replicas. */
static double at_primary(const struct shop_graph *g, const struct shop_graph_edge *e) {
	int replicas = g->world->databases[e->target].replicas;
	return replicas && !shop_statement_writes(e->call->endpoint) ? 1.0 / replicas : 1;
}

static void add_rates(const struct shop_graph *g, struct shop_load *l) {
	const struct shop_world *w = g->world;
	double weight = 0;
	for (size_t i = 0; i < w->entry_count; i++) weight += w->entries[i].weight;
	for (size_t i = 0; i < w->entry_count && weight > 0; i++)
		l->rates[g->entries[i]] += w->rate * w->entries[i].weight / weight;
	for (size_t i = 0; i < g->point_count; i++) {
		const struct shop_graph_point *p = &g->points[g->order[i]];
		double rate = l->rates[g->order[i]];
		for (size_t c = 0; c < p->endpoint->call_count; c++) {
			const struct shop_graph_edge *e = &p->edges[c];
			double share = call_share(e->call);
			if (e->database)
				l->databases[e->target] += rate * share * at_primary(g, e); /* rates yet; busy shares at the end */
			else
				l->rates[e->target] += rate * share;
		}
	}
}

/* A request fails by itself, or by a call that it cannot do without. */
static double failure(const struct shop_load *l, const struct shop_graph_point *p) {
	double sound = 1 - p->endpoint->errors;
	for (size_t i = 0; i < p->endpoint->call_count; i++) {
		const struct shop_graph_edge *e = &p->edges[i];
		if (e->database || e->call->optional || waits_not(e->call)) continue;
		double share = call_share(e->call);
		sound *= 1 - (share < 1 ? share : 1) * pow(l->failures[e->target], e->call->retries + 1);
	}
	return 1 - sound;
}

enum err shop_load_make(const struct shop_graph *g, struct arena *a, struct shop_load *out) {
	const struct shop_world *w = g->world;
	struct shop_load l = { .rates = arena_array(a, double, g->point_count + 1),
		                   .means = arena_array(a, double, g->point_count + 1),
		                   .services = arena_array(a, double, w->service_count + 1),
		                   .service_rates = arena_array(a, double, w->service_count + 1),
		                   .databases = arena_array(a, double, w->database_count + 1),
		                   .failures = arena_array(a, double, g->point_count + 1) };
	l.cpus = arena_array(a, double, w->service_count + 1);
	if (!l.cpus || !l.failures || !l.rates || !l.means || !l.services || !l.service_rates || !l.databases)
		return ERR_NOMEM;
	add_rates(g, &l);
	for (size_t i = g->point_count; i; i--) {
		size_t at = g->order[i - 1];
		const struct shop_graph_point *p = &g->points[at];
		const struct shop_service *s = &w->services[p->service];
		l.means[at] = shop_time_mean(&p->endpoint->work) + calls_mean(g, &l, p);
		l.services[p->service] += l.rates[at] * l.means[at] / ((double)s->replicas * s->workers);
		l.cpus[p->service] += l.rates[at] * shop_time_mean(&p->endpoint->work) * s->cpu / (s->replicas * s->cpu_limit);
		l.service_rates[p->service] += l.rates[at];
		l.failures[at] = failure(&l, p);
	}
	for (size_t i = 0; i < w->database_count; i++)
		l.databases[i] *= shop_time_mean(&w->databases[i].work) / w->databases[i].servers;
	*out = l;
	return OK;
}

bool shop_statement_writes(const char *statement) {
	static const char *const words[] = { "INSERT", "UPDATE", "DELETE", "UPSERT", "MERGE", "SET", "HSET",   "LPUSH",
		                                 "RPUSH",  "SADD",   "ZADD",   "XADD",   "INCR",  "put", "insert", "update" };
	size_t n = strcspn(statement, " ");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == n && !strncasecmp(words[i], statement, n)) return true;
	return false;
}

/* ---- who reaches whom ---- */

static bool reaches(const struct shop_world *w, const char *from, const char *to, bool *seen) {
	size_t i = find_service(w, from);
	if (!strcmp(from, to)) return true;
	if (i == SIZE_MAX || seen[i]) return false;
	seen[i] = true;
	const struct shop_service *s = &w->services[i];
	for (size_t e = 0; e < s->endpoint_count; e++)
		for (size_t c = 0; c < s->endpoints[e].call_count; c++)
			if (reaches(w, s->endpoints[e].calls[c].to, to, seen)) return true;
	return false;
}

bool shop_world_reaches(const struct shop_world *w, const char *from, const char *to) {
	bool *seen = must_array(w->service_count, sizeof *seen);
	bool found = reaches(w, from, to, seen);
	free(seen);
	return found;
}
