/* Can a world run? What its tables cannot say: names, rings, numbers that do not go together. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "sim/shop/fault.h"
#include "sim/shop/file.h"
#include "sim/shop/graph.h"

struct checker {
	const struct shop_world *w;
	const char *file;
	struct why *why;
};

static enum err bad(const struct checker *c, int line, const char *who, const char *what) {
	return why_set(c->why, ERR_INVALID, "%s:%d: %.60s: %s", c->file, line, who, what);
}

/* RFC 1123, as Kubernetes wants the names of its objects and containers. */
static bool is_label(const char *s) {
	size_t n = strlen(s);
	if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-') return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* Printable and without what would need escaping in a body, a URL or a log line. */
static bool is_words(const char *s, size_t most) {
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\') return false;
	return n >= 1 && n <= most;
}

static bool is_amount(const char *s) {
	size_t digits = s ? strspn(s, "0123456789") : 0;
	if (!s || !*s) return true;
	return digits >= 1 && digits <= 3 && (!s[digits] || !strcmp(s + digits, "%"));
}

static bool is_region(const struct shop_world *w, const char *region) {
	if (!region || !*region) return true;
	for (size_t i = 0; i < w->region_count; i++)
		if (!strcmp(w->regions[i].name, region)) return true;
	return false;
}

static enum err check_service(const struct checker *c, const struct shop_service *s) {
	if (!is_label(s->name) || !is_label(s->deployment))
		return bad(c, s->line, is_label(s->name) ? s->deployment : s->name,
		           "names of services and Deployments are 1 to 63 of a-z, 0-9 and '-'");
	if (s->memory_base >= s->memory_limit) return bad(c, s->line, s->name, "'memory' must be less than 'memory_limit'");
	if (!is_amount(s->max_surge) || !is_amount(s->max_unavailable))
		return bad(c, s->line, s->name, "'max_surge' and 'max_unavailable' take a number or a percent, '1' or '25%'");
	if (s->max_surge && s->max_unavailable && (!strcmp(s->max_surge, "0") || !strcmp(s->max_surge, "0%")) &&
	    (!strcmp(s->max_unavailable, "0") || !strcmp(s->max_unavailable, "0%")))
		return bad(c, s->line, s->name, "with 'max_surge' and 'max_unavailable' both 0 no rollout could ever go on");
	if (!is_region(c->w, s->region)) return bad(c, s->line, s->name, "its 'region' is not among 'regions'");
	if (s->autoscale.most && s->autoscale.most < s->autoscale.least)
		return bad(c, s->line, s->name, "'autoscale' takes a 'max' of at least 'min'");
	if (!s->endpoint_count) return bad(c, s->line, s->name, "a service needs 'endpoints'");
	for (size_t i = 0; i < s->endpoint_count; i++) {
		const struct shop_endpoint *e = &s->endpoints[i];
		if (!is_words(e->name, 120) || !strchr(e->name, ' '))
			return bad(c, e->line, e->name, "an endpoint is a method and a route, 'GET /product/{id}'");
		for (size_t k = 0; k < e->call_count; k++)
			if (!is_words(e->calls[k].endpoint, 120))
				return bad(c, e->calls[k].line, s->name, "'endpoint' takes 1 to 120 printable characters");
	}
	return OK;
}

/* ---- calls ---- */

static bool sleeps(const struct shop_service *s) {
	return s->sleep.from != s->sleep.until;
}

/* One endpoint takes requests, or from one message queue. */
static enum err check_consumer(const struct checker *c, const struct shop_graph *g, const struct shop_graph_edge *e,
                               const struct shop_call **taken) {
	const struct shop_call *call = e->call, *before = taken[e->target];
	const struct shop_service *to = &c->w->services[g->points[e->target].service];
	bool queue = call->queue && *call->queue;
	if (queue && !is_words(call->queue, 63))
		return bad(c, call->line, call->queue, "a queue's name is 1 to 63 printable characters");
	if (!queue && !call->optional && sleeps(to))
		return bad(c, call->line, to->name, "it sleeps: calls to it must be 'optional', or go by a 'queue'");
	taken[e->target] = call;
	if (!before || strcmp(before->queue ? before->queue : "", call->queue ? call->queue : "") == 0) return OK;
	return bad(c, call->line, call->endpoint, "it takes requests and messages, or messages of two queues");
}

static bool by_queue(const struct shop_call *c) {
	return c && c->queue && *c->queue;
}

static enum err check_calls(const struct checker *c, const struct shop_graph *g, struct arena *a) {
	const struct shop_call **taken = arena_array(a, const struct shop_call *, g->point_count + 1);
	if (!taken) return ERR_NOMEM;
	for (size_t i = 0; i < g->point_count; i++) {
		const struct shop_graph_point *p = &g->points[i];
		int copies = 0;
		for (size_t k = 0; k < p->endpoint->call_count; k++) {
			const struct shop_graph_edge *e = &p->edges[k];
			copies += e->call->copies > 0 ? e->call->copies : 1;
			if (copies > 200)
				return bad(c, e->call->line, p->endpoint->name, "more than 200 calls of one request, copies included");
			if (e->database && e->call->queue && *e->call->queue)
				return bad(c, e->call->line, e->call->to, "a database takes no messages: leave 'queue' out");
			enum err err = e->database ? OK : check_consumer(c, g, e, taken);
			if (err) return err;
		}
	}
	for (size_t i = 0; i < c->w->entry_count; i++)
		if (by_queue(taken[g->entries[i]]))
			return bad(c, c->w->entries[i].line, c->w->entries[i].endpoint,
			           "it takes messages: customers cannot ask it");
	for (size_t i = 0; i < c->w->job_count; i++)
		if (by_queue(taken[g->jobs[i]]))
			return bad(c, c->w->jobs[i].line, c->w->jobs[i].endpoint, "it takes messages: a job cannot ask it");
	return OK;
}

/* ---- names ---- */

/* No two of the names that could be meant by one. */
static enum err check_names(const struct checker *c) {
	const struct shop_world *w = c->w;
	for (size_t i = 0; i < w->service_count; i++)
		for (size_t k = i + 1; k < w->service_count; k++)
			if (!strcmp(w->services[i].deployment, w->services[k].deployment))
				return bad(c, w->services[k].line, w->services[k].name, "another service runs in that Deployment");
	for (size_t i = 0; i < w->database_count; i++) {
		const struct shop_database *d = &w->databases[i];
		if (!is_words(d->name, 63) || !is_words(d->namespace_, 63) || strchr(d->name, '/'))
			return bad(c, d->line, d->name, "names of databases are 1 to 63 printable characters");
		if (!is_region(c->w, d->region)) return bad(c, d->line, d->name, "its 'region' is not among 'regions'");
		for (size_t k = 0; k < w->service_count; k++)
			if (!strcmp(w->services[k].name, d->name))
				return bad(c, d->line, d->name, "a service has that name already: calls would not know which is meant");
	}
	return OK;
}

static bool is_place(const struct shop_world *w, bool database, struct str name) {
	for (size_t i = 0; i < (database ? w->database_count : w->service_count); i++)
		if (str_is(name, database ? w->databases[i].name : w->services[i].name)) return true;
	return false;
}

/* A fault is one that there is, at places that there are, and as hard as it can be. */
static enum err check_fault(const struct checker *c, const struct shop_harm *h) {
	int kind = 0;
	size_t least = SIZE_MAX;
	const char *near = "";
	char text[160];
	for (int k = 0; k < SHOP_FAULTS; k++) {
		size_t d = str_distance(str_of(h->kind), str_of(shop_fault_infos[k].name));
		if (d < least) least = d, near = shop_fault_infos[k].name, kind = k;
	}
	snprintf(text, sizeof text, "there is no such fault, did you mean '%s'?", near);
	if (least) return bad(c, h->line, h->kind, text);
	if (h->most > 0 && (h->least > h->most || h->least <= 0))
		return bad(c, h->line, h->kind, "'least' is more than 0, and not more than 'most'");
	struct str head, tail;
	bool database = shop_fault_at_database((enum shop_fault_kind)kind);
	for (struct str rest = str_of(h->at); rest.n; rest = tail) {
		(void)str_cut(rest, ',', &head, &tail);
		head = str_trim(head);
		snprintf(text, sizeof text, "there is no %s '%.*s'", database ? "database" : "service",
		         head.n < 63 ? (int)head.n : 63, head.p);
		if (!is_place(c->w, database, head)) return bad(c, h->line, h->kind, text);
	}
	return OK;
}

/* Those that are called before their callers: who waits for an overloaded one is overloaded too. */
static enum err check_load(const struct checker *c, const struct shop_graph *g, struct arena *a) {
	const struct shop_world *w = c->w;
	struct shop_load l;
	char text[120];
	enum err e = shop_load_make(g, a, &l);
	for (size_t i = 0; i < w->database_count && !e; i++) {
		if (l.databases[i] <= 1) continue;
		snprintf(text, sizeof text, "its callers ask for %.3g %% of its servers", l.databases[i] * 100);
		e = bad(c, w->databases[i].line, w->databases[i].name, text);
	}
	for (size_t i = g->point_count; i && !e; i--) {
		size_t at = g->points[g->order[i - 1]].service;
		bool cpu = l.cpus[at] > 1;
		if (l.services[at] <= 1 && !cpu) continue;
		snprintf(text, sizeof text, "%.3g requests a second ask for %.3g %% of its %s", l.service_rates[at],
		         (cpu ? l.cpus[at] : l.services[at]) * 100, cpu ? "CPU ('cpu_limit')" : "workers");
		e = bad(c, w->services[at].line, w->services[at].name, text);
	}
	return e;
}

static enum err check_entries(const struct checker *c) {
	double weight = 0;
	for (size_t i = 0; i < c->w->entry_count; i++) weight += c->w->entries[i].weight;
	if (!c->w->service_count) return bad(c, 1, "services", "a world needs at least one");
	return weight > 0 ? OK : bad(c, 1, "entries", "customers need at least one of a weight above 0");
}

enum err shop_world_check(const struct shop_world *w, const char *file, struct why *why) {
	struct checker c = { w, file, why };
	struct shop_graph g;
	struct arena a;
	if (!is_words(w->name, 63)) return bad(&c, 1, "name", "takes 1 to 63 printable characters");
	for (size_t i = 0; i < w->region_count; i++)
		if (!is_words(w->regions[i].name, 63))
			return bad(&c, w->regions[i].line, "regions", "names are 1 to 63 printable characters");
	if (!is_label(w->namespace_)) return bad(&c, 1, "namespace", "takes 1 to 63 of a-z, 0-9 and '-'");
	enum err e = check_entries(&c);
	for (size_t i = 0; i < w->service_count && !e; i++) e = check_service(&c, &w->services[i]);
	if (!e) e = check_names(&c);
	for (size_t i = 0; i < w->fault_count && !e; i++) e = check_fault(&c, &w->faults[i]);
	arena_init(&a, 0);
	if (!e) e = shop_graph_make(w, &a, file, &g, why);
	if (!e) e = check_calls(&c, &g, &a);
	if (!e) e = check_load(&c, &g, &a);
	arena_done(&a);
	return e;
}
