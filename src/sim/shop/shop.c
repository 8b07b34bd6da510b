/* The shop's frame: its world resolved, its Deployments, its customers, its people. */
#include "sim/shop/shop.h"

#include <math.h>
#include <stdio.h>

#include "sim/shop/impl.h"

/* ---- the world resolved ---- */

static uint32_t find_service(const struct shop *s, const char *name) {
	for (uint32_t i = 0; i < s->world->service_count; i++)
		if (!strcmp(s->world->services[i].name, name)) return i;
	return SHOP_NONE;
}

static uint32_t find_point(const struct shop *s, const char *service, const char *endpoint) {
	uint32_t i = find_service(s, service);
	if (i == SHOP_NONE) return SHOP_NONE;
	for (uint32_t n = 0; n < s->members[i].point_count; n++)
		if (!strcmp(s->points[s->members[i].first_point + n].spec->name, endpoint))
			return s->members[i].first_point + n;
	return SHOP_NONE;
}

static uint32_t find_db(const struct shop *s, const char *name) {
	for (uint32_t i = 0; i < s->world->database_count; i++)
		if (!strcmp(s->world->databases[i].name, name)) return i;
	return SHOP_NONE;
}

/* "GET /product/{id}": the method, and where the route begins. */
static const char *split(const char *endpoint, char method[16]) {
	size_t n = strcspn(endpoint, " ");
	snprintf(method, 16, "%.*s", (int)n, endpoint);
	return endpoint[n] ? endpoint + n + 1 : endpoint;
}

static void add_points(struct shop *s) {
	for (uint32_t i = 0; i < s->world->service_count; i++) {
		struct shop_member *m = &s->members[i];
		m->spec = &s->world->services[i];
		m->first_point = s->point_count;
		for (; m->point_count < m->spec->endpoint_count; m->point_count++) {
			s->points = must_grow(s->points, s->point_count + 1, sizeof *s->points);
			s->points[s->point_count++] = (struct shop_point){ .service = i,
				                                               .index = m->point_count,
				                                               .spec = &m->spec->endpoints[m->point_count] };
		}
	}
}

/* What both ends of a message queue say of it. */
static void put_messaging(struct sim_wire *w, const char *queue, const char *type, const char *name) {
	shop_attr_str(w, 9, "messaging.system", "kafka");
	shop_attr_str(w, 9, "messaging.destination.name", queue);
	shop_attr_str(w, 9, "messaging.operation.type", type);
	shop_attr_str(w, 9, "messaging.operation.name", name);
}

static void consumer_forms(struct shop_point *pt) {
	char name[100];
	struct sim_wire a = { 0 };
	snprintf(name, sizeof name, "process %s", pt->queue);
	put_messaging(&a, pt->queue, "process", "process");
	shop_form_init(&pt->form, name, 5, &a, "kafka", true);
	sw_done(&a);
	for (int o = 0; o < SHOP_OUTCOMES; o++) {
		put_messaging(&pt->metric_attributes[o], pt->queue, "process", "process");
		shop_attr_outcome(&pt->metric_attributes[o], 9, (enum shop_outcome)o, "kafka");
	}
}

static void point_forms(struct shop *s, struct shop_point *pt) {
	char method[16];
	if (pt->queue) {
		consumer_forms(pt);
		return;
	}
	const char *route = split(pt->spec->name, method), *service = s->members[pt->service].spec->name;
	struct sim_wire a = { 0 };
	shop_attr_str(&a, 9, "http.request.method", method);
	shop_attr_str(&a, 9, "http.route", route);
	shop_attr_str(&a, 9, "url.scheme", "http");
	shop_attr_str(&a, 9, "url.path", route);
	shop_attr_str(&a, 9, "server.address", service);
	shop_attr_int(&a, 9, "server.port", 8080);
	shop_attr_str(&a, 9, "network.protocol.version", "1.1");
	shop_form_init(&pt->form, pt->spec->name, 2, &a, NULL, true);
	sw_done(&a);
	for (int o = 0; o < SHOP_OUTCOMES; o++) {
		struct sim_wire *w = &pt->metric_attributes[o];
		shop_attr_str(w, 9, "http.request.method", method);
		shop_attr_str(w, 9, "http.route", route);
		shop_attr_str(w, 9, "url.scheme", "http");
		shop_attr_str(w, 9, "network.protocol.version", "1.1");
		shop_attr_outcome(w, 9, (enum shop_outcome)o, NULL);
	}
}

static void http_edge_forms(struct shop *s, struct shop_edge *e) {
	char method[16], url[200];
	const struct shop_point *to = &s->points[e->target];
	const char *route = split(to->spec->name, method), *address = s->members[to->service].spec->name;
	struct sim_wire a = { 0 };
	snprintf(url, sizeof url, "http://%s:8080%s", address, route);
	shop_attr_str(&a, 9, "http.request.method", method);
	shop_attr_str(&a, 9, "server.address", address);
	shop_attr_int(&a, 9, "server.port", 8080);
	shop_attr_str(&a, 9, "url.full", url);
	shop_form_init(&e->form, method, 3, &a, NULL, false);
	sw_done(&a);
	for (int o = 0; o < SHOP_OUTCOMES; o++) {
		struct sim_wire *w = &e->metric_attributes[o];
		shop_attr_str(w, 9, "http.request.method", method);
		shop_attr_str(w, 9, "server.address", address);
		shop_attr_int(w, 9, "server.port", 8080);
		shop_attr_outcome(w, 9, (enum shop_outcome)o, NULL);
	}
}

static void db_edge_forms(struct shop *s, struct shop_edge *e, const char *statement, bool old_names) {
	char operation[16];
	const struct shop_database *db = s->dbs[e->target].spec;
	const char *table = split(statement, operation), *system = old_names ? "db.system" : "db.system.name";
	struct sim_wire a = { 0 };
	shop_attr_str(&a, 9, system, db->system);
	shop_attr_str(&a, 9, old_names ? "db.name" : "db.namespace", db->namespace_);
	shop_attr_str(&a, 9, old_names ? "db.operation" : "db.operation.name", operation);
	shop_attr_str(&a, 9, old_names ? "db.sql.table" : "db.collection.name", table);
	shop_attr_str(&a, 9, "server.address", db->name);
	shop_form_init(&e->form, statement, 3, &a, db->system, false);
	sw_done(&a);
	for (int o = 0; o < SHOP_OUTCOMES; o++) {
		struct sim_wire *w = &e->metric_attributes[o];
		shop_attr_str(w, 9, system, db->system);
		shop_attr_str(w, 9, "server.address", db->name);
		shop_attr_outcome(w, 9, (enum shop_outcome)o, db->system);
	}
}

static void publish_forms(struct shop_edge *e) {
	char name[100];
	struct sim_wire a = { 0 };
	snprintf(name, sizeof name, "send %s", e->queue);
	put_messaging(&a, e->queue, "send", "send");
	shop_form_init(&e->form, name, 4, &a, "kafka", false);
	sw_done(&a);
	for (int o = 0; o < SHOP_OUTCOMES; o++) {
		put_messaging(&e->metric_attributes[o], e->queue, "send", "send");
		shop_attr_outcome(&e->metric_attributes[o], 9, (enum shop_outcome)o, "kafka");
	}
}

static uint32_t add_edge(struct shop *s, struct shop_edge e) {
	s->edges = must_grow(s->edges, s->edge_count + 1, sizeof *s->edges);
	s->edges[s->edge_count] = e;
	return s->edge_count++;
}

static uint32_t add_call(struct shop *s, uint32_t service, const struct shop_call *c) {
	struct shop_edge e = { .service = service, .group = c->group, .retries = c->retries, .optional = c->optional };
	struct shop_member *m = &s->members[service];
	uint32_t db = find_db(s, c->to);
	e.database = db != SHOP_NONE;
	e.target = e.database ? db : find_point(s, c->to, c->endpoint);
	assert(e.target != SHOP_NONE && "a world's call leads somewhere");
	e.probability = c->probability > 0 ? c->probability : 1;
	e.queue = c->queue && *c->queue ? c->queue : NULL;
	e.cache_hits = c->cache_hits;
	e.copies = c->copies > 0 ? c->copies : 1;
	e.remote = shop_remote(
		s, service, e.database ? s->world->databases[db].region : s->members[s->points[e.target].service].spec->region);
	e.timers = shop_timer_find(s, c->timeout_ns);
	e.slot = m->edge_count;
	if (e.database) {
		e.writes = shop_statement_writes(c->endpoint);
		shop_pool_add(s, service, &e);
	}
	uint32_t index = add_edge(s, e);
	m->edges = must_grow(m->edges, m->edge_count + 1, sizeof *m->edges);
	m->edges[m->edge_count++] = index;
	if (e.database)
		db_edge_forms(s, &s->edges[index], c->endpoint, m->spec->old_names);
	else if (e.queue)
		publish_forms(&s->edges[index]);
	else
		http_edge_forms(s, &s->edges[index]);
	return index;
}

static void add_calls(struct shop *s, struct shop_point *pt) {
	pt->edges = must_array(pt->spec->call_count, sizeof *pt->edges);
	for (size_t i = 0; i < pt->spec->call_count; i++) {
		const struct shop_call *c = &pt->spec->calls[i];
		pt->edges[pt->edge_count++] = add_call(s, pt->service, c);
		if (c->group + 1 > pt->groups) pt->groups = c->group + 1;
	}
}

static void add_replicas(struct shop *s) {
	for (size_t i = 0; i < s->world->database_count; i++) {
		struct shop_db *db = &s->dbs[i];
		db->replicas = must_array((size_t)db->spec->replicas, sizeof *db->replicas);
		for (int k = 0; k < db->spec->replicas; k++) db->replicas[k] = db->station;
	}
}

/* Endpoints that take from a message queue: their spans and metrics are of another kind. */
static void mark_consumers(struct shop *s) {
	for (uint32_t i = 0; i < s->point_count; i++) {
		for (size_t k = 0; k < s->points[i].spec->call_count; k++) {
			const struct shop_call *c = &s->points[i].spec->calls[k];
			uint32_t to = c->queue && *c->queue ? find_point(s, c->to, c->endpoint) : SHOP_NONE;
			if (to != SHOP_NONE) s->points[to].queue = c->queue;
		}
	}
}

static void add_jobs(struct shop *s) {
	s->jobs = must_array(s->world->job_count, sizeof *s->jobs);
	for (size_t i = 0; i < s->world->job_count; i++) {
		const struct shop_job *j = &s->world->jobs[i];
		struct shop_edge e = { .service = SHOP_NONE, .target = find_point(s, j->service, j->endpoint), .job = true };
		assert(e.target != SHOP_NONE && "a world's job leads somewhere");
		e.timers = shop_timer_find(s, s->world->customer_timeout_ns);
		s->jobs[i].edge = add_edge(s, e);
	}
}

static void add_entries(struct shop *s) {
	s->entry_edges = must_array(s->world->entry_count, sizeof *s->entry_edges);
	for (size_t i = 0; i < s->world->entry_count; i++) {
		const struct shop_entry *e = &s->world->entries[i];
		struct shop_edge edge = { .service = SHOP_NONE, .target = find_point(s, e->service, e->endpoint) };
		edge.retries = s->world->customer_retries;
		assert(edge.target != SHOP_NONE && "a world's entry leads somewhere");
		edge.timers = shop_timer_find(s, s->world->customer_timeout_ns);
		s->entry_edges[i] = add_edge(s, edge);
		s->entry_weight += e->weight;
	}
}

static void set_sampling(struct shop *s) {
	s->threshold = s->world->sampling < 1 ? (uint64_t)((1 - s->world->sampling) * 0x1p56) : 0;
	if (s->world->no_threshold) return;
	char hex[20];
	int n = snprintf(hex, sizeof hex, "%014llx", (unsigned long long)s->threshold);
	while (n > 1 && hex[n - 1] == '0') n--;
	snprintf(s->tracestate, sizeof s->tracestate, "ot=th:%.*s", n, hex);
}

struct shop *shop_new(const struct shop_opts *o) {
	struct shop *s = must_alloc(sizeof *s);
	s->o = *o;
	s->world = o->world;
	s->queue = o->queue;
	s->rate_factor = 1;
	s->work_rng = rng_fork(&o->rng, "work");
	s->route_rng = rng_fork(&o->rng, "route");
	s->id_rng = rng_fork(&o->rng, "ids");
	s->traffic_rng = rng_fork(&o->rng, "traffic");
	s->pod_rng = rng_fork(&o->rng, "pods");
	s->export_rng = rng_fork(&o->rng, "export");
	s->people_rng = rng_fork(&o->rng, "people");
	s->fault_rng = rng_fork(&o->rng, "faults");
	s->life_rng = rng_fork(&o->rng, "life");
	s->network_rng = rng_fork(&o->rng, "network");
	s->skews = must_array((size_t)s->world->nodes, sizeof *s->skews);
	s->disk_rng = rng_fork(&o->rng, "disks");
	map_init(&s->by_uid, 0);
	s->members = must_array(s->world->service_count, sizeof *s->members);
	s->dbs = must_array(s->world->database_count, sizeof *s->dbs);
	for (size_t i = 0; i < s->world->database_count; i++) {
		const struct shop_database *db = &s->world->databases[i];
		s->dbs[i] = (struct shop_db){ db, { .workers = db->servers, .waiting_max = db->queue_max }, .slow = 1 };
	}
	add_replicas(s);
	add_points(s);
	mark_consumers(s);
	for (uint32_t i = 0; i < s->point_count; i++) {
		point_forms(s, &s->points[i]);
		add_calls(s, &s->points[i]);
	}
	add_entries(s);
	add_jobs(s);
	shop_rates(s);
	set_sampling(s);
	if (o->clients) {
		enum err e = o->clients->open(o->clients, 100000, &s->client);
		assert(!e);
	}
	return s;
}

void shop_free(struct shop *s) {
	if (!s) return;
	http_client_close(s->client);
	for (uint32_t i = 0; i < s->pod_count; i++) shop_pod_free(s, s->pods[i]);
	for (uint32_t i = 0; i < s->point_count; i++) {
		free(s->points[i].edges);
		shop_form_done(&s->points[i].form);
		for (int o = 0; o < SHOP_OUTCOMES; o++) sw_done(&s->points[i].metric_attributes[o]);
	}
	for (uint32_t i = 0; i < s->edge_count; i++) {
		shop_form_done(&s->edges[i].form);
		for (int o = 0; o < SHOP_OUTCOMES; o++) sw_done(&s->edges[i].metric_attributes[o]);
	}
	for (uint32_t i = 0; i < s->world->service_count; i++) {
		shop_pool_forms_done(&s->members[i]);
		free(s->members[i].edges);
		free(s->members[i].serving);
	}
	shop_flows_done(s);
	shop_export_done(s);
	map_done(&s->by_uid);
	free(s->storms);
	free(s->members);
	free(s->points);
	free(s->edges);
	free(s->entry_edges);
	for (size_t i = 0; i < s->world->database_count; i++) free(s->dbs[i].replicas);
	free(s->dbs);
	free(s->jobs);
	free(s->skews);
	shop_messages_done(s);
	free(s->pods);
	free(s);
}

/* ---- Deployments ---- */

/* A share goes in quotes, a number does not. */
static void put_amount(struct buf *b, const char *key, const char *amount) {
	const char *quote = strchr(amount, '%') ? "\"" : "";
	buf_printf(b, "\"%s\":%s%s%s", key, quote, amount, quote);
}

static void put_strategy(const struct shop_service *spec, struct buf *b) {
	bool surge = spec->max_surge && *spec->max_surge, unavailable = spec->max_unavailable && *spec->max_unavailable;
	if (!surge && !unavailable) return;
	buf_c(b, "\"strategy\":{\"rollingUpdate\":{");
	if (surge) put_amount(b, "maxSurge", spec->max_surge);
	if (surge && unavailable) buf_byte(b, ',');
	if (unavailable) put_amount(b, "maxUnavailable", spec->max_unavailable);
	buf_c(b, "}},");
}

static void put_deployment(const struct shop *s, const struct shop_member *m, struct buf *b) {
	const struct shop_service *spec = m->spec;
	buf_printf(
		b,
		"{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"labels\":{\"app\":\"%s\"}},\"spec\":{\"replicas\":%d,"
		"\"selector\":{\"matchLabels\":{\"app\":\"%s\"}},",
		spec->deployment, s->world->namespace_, spec->deployment, spec->replicas, spec->deployment);
	put_strategy(spec, b);
	buf_printf(
		b,
		"\"template\":{\"metadata\":{\"labels\":{\"app\":\"%s\"}},\"spec\":{\"containers\":[{\"name\":\"%s\",\"image\":"
		"\"registry.local/"
		"%s:1.%lld.0\",\"ports\":[{\"containerPort\":8080}],\"resources\":{\"limits\":{\"cpu\":\"%gm\","
		"\"memory\":\"%.0fMi\"}}}]}}}}",
		spec->deployment, spec->name, spec->name, (long long)m->revision, spec->cpu_limit * 1000, spec->memory_limit);
}

void shop_open(struct shop *s, struct sim_kube *kube, int64_t calm_ns) {
	struct buf b;
	s->kube = kube;
	buf_init(&b, 0);
	buf_printf(&b, "{\"metadata\":{\"name\":\"%s\"},\"status\":{\"phase\":\"Active\"}}", s->world->namespace_);
	enum err e = sim_kube_create(kube, KUBE_NAMESPACES, buf_get(&b), NULL);
	for (uint32_t i = 0; i < s->world->service_count && !e; i++) {
		buf_clear(&b);
		put_deployment(s, &s->members[i], &b);
		e = sim_kube_create(kube, KUBE_DEPLOYMENTS, buf_get(&b), NULL);
	}
	assert(!e && "a world's Deployments are valid");
	buf_done(&b);
	shop_traffic_start(s, calm_ns);
	shop_agents_start(s);
	shop_life_start(s, calm_ns);
	shop_disks_start(s);
}

/* ---- looking ---- */

const struct shop_counts *shop_counts(const struct shop *s) {
	return &s->counts;
}

struct shop_measure shop_measured(struct shop *s, const char *service, const char *endpoint) {
	uint32_t i = find_point(s, service, endpoint);
	if (i == SHOP_NONE) return (struct shop_measure){ 0 };
	struct shop_measure m = s->points[i].measured;
	s->points[i].measured = (struct shop_measure){ 0 };
	return m;
}

int shop_pods(const struct shop *s, const char *service, int *serving) {
	uint32_t m = find_service(s, service);
	int n = 0;
	for (uint32_t i = 0; i < s->pod_count; i++) n += s->pods[i] && s->pods[i]->service == m;
	if (serving) *serving = m == SHOP_NONE ? 0 : (int)s->members[m].serving_count;
	return n;
}
