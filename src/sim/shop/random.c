#include "sim/shop/random.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "sim/shop/graph.h"
#include "sim/shop/random_words.h"

#define CALLERS_ALPHA 1.3
#define CALLS_A_LEVEL 1.2 /* expected calls of one request to an endpoint that calls others */
#define ENDPOINTS     4
#define CALLS         12 /* of an endpoint, at most, before its statements */
#define STATEMENTS    3
#define TOTAL_RATE    2500.0

/* ---- drawing ---- */

static double draw_log(struct rng *r, double least, double most) {
	return exp(rng_between(r, log(least), log(most)));
}

static double draw_around(struct rng *r, double median, double sigma) {
	return median * exp(sigma * rng_normal(r));
}

/* A share as people write it, with so many digits of its percent: what is read back is the same. */
static double percent(double share, int digits) {
	double power = pow(10, digits), v = round(share * 100 * power) / power;
	return fmax(v, 1 / power) / 100;
}

/* One of a few by their weights. */
static size_t draw_of(struct rng *r, const double *weights, size_t n) {
	double sum = 0, u;
	for (size_t i = 0; i < n; i++) sum += weights[i];
	u = rng_unit(r) * sum;
	for (size_t i = 0; i + 1 < n; i++)
		if ((u -= weights[i]) < 0) return i;
	return n - 1;
}

/* A discrete Pareto from 1 on. */
static int draw_power(struct rng *r, double alpha, int most) {
	double v = pow(1 - rng_unit(r), -1 / alpha);
	return v < most ? (int)v : most;
}

/* Times are whole tenths of a millisecond: people write no others, and files hold them exactly. */
static double tenths(double seconds) {
	double n = fmax(1, round(seconds * 1e4));
	return n / 10 * 0.001;
}

/* The next of 1, 2, 5 times a power of ten: time-outs are such numbers. */
static int64_t round_timeout(double seconds) {
	double power = pow(10, floor(log10(seconds))), lead = seconds / power;
	double up = lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10;
	return (int64_t)llround(up * power * 1e3) * NS_PER_MS;
}

/* ---- what is made ---- */

static const struct language {
	const char *name;
	double often, work_ms, start_up_s, memory, cpu;
	int workers;
} languages[] = {
	{ "go", 30, 3, 2.5, 50, 0.5, 64 },     { "java", 25, 6, 14, 320, 0.4, 32 },  { "nodejs", 20, 5, 5, 110, 0.5, 64 },
	{ "python", 15, 10, 7, 160, 0.7, 16 }, { "dotnet", 10, 6, 7, 130, 0.4, 32 },
};
#define LANGUAGES (sizeof languages / sizeof *languages)

static const struct system {
	const char *name;
	double often, work_ms;
} systems[] = {
	{ "postgresql", 40, 3 }, { "redis", 20, 0.5 },  { "mysql", 15, 3 },
	{ "mongodb", 15, 3 },    { "cassandra", 5, 4 }, { "elasticsearch", 5, 12 },
};
#define SYSTEMS (sizeof systems / sizeof *systems)

struct made {
	struct arena *a;
	struct rng rng;
	struct shop_world w;
	struct shop_service *services;
	struct shop_endpoint (*endpoints)[ENDPOINTS]; /* by service */
	struct shop_database *databases;
	int *layer, layers, doors;
	bool *consumer; /* takes messages */
	int n;
	bool full; /* of memory */
};

static const char *join(struct made *m, const char *a, const char *b, const char *c2) {
	struct str s = str_printf(m->a, "%s%s%s", a, b, c2);
	const char *c = str_c(m->a, s);
	m->full |= !c;
	return c ? c : "";
}

static const struct language *draw_language(struct made *m) {
	double weights[LANGUAGES];
	for (size_t i = 0; i < LANGUAGES; i++) weights[i] = languages[i].often;
	return &languages[draw_of(&m->rng, weights, LANGUAGES)];
}

static struct shop_time draw_work(struct made *m, double median_ms, double sigma) {
	return (struct shop_time){ .median = tenths(draw_around(&m->rng, median_ms, sigma) / 1000),
		                       .sigma = round(rng_between(&m->rng, 0.3, 0.6) * 100) / 100,
		                       .tail = percent(rng_between(&m->rng, 0.001, 0.004), 1),
		                       .tail_alpha = round(rng_between(&m->rng, 1.5, 2.5) * 10) / 10 };
}

static void draw_service(struct made *m, int i) {
	struct shop_service *s = &m->services[i];
	const struct language *l = draw_language(m);
	double memory = round(draw_around(&m->rng, l->memory, 0.3));
	const char *noun = shop_nouns[i % SHOP_NOUNS];
	const char *role = shop_roles[i / SHOP_NOUNS];
	s->name = join(m, noun, *role ? "-" : "", role);
	s->deployment = rng_below(&m->rng, 12) ? s->name : join(m, s->name, "-app", "");
	s->language = l->name;
	s->workers = l->workers;
	s->queue_max = 4 * l->workers;
	s->start_up_s = tenths(round(draw_around(&m->rng, l->start_up_s, 0.35) * 10) / 10);
	s->memory_base = memory;
	s->memory_limit = round(memory * rng_between(&m->rng, 2, 3));
	s->cpu = l->cpu;
	s->cpu_limit = 1;
	s->max_surge = rng_below(&m->rng, 5) ? "" : "100%";
	s->max_unavailable = *s->max_surge ? "0" : "";
	s->grpc = rng_below(&m->rng, 4) == 0;
	s->old_names = rng_below(&m->rng, 10) == 0;
	s->by_pod_only = rng_below(&m->rng, 10) == 0;
	s->region = "";
	s->autoscale = (struct shop_autoscale){ .least = 2, .cpu = 0.7 };
	m->consumer[i] = m->layer[i] > 1 && rng_below(&m->rng, 8) == 0;
	s->endpoints = m->endpoints[i];
	s->endpoint_count = (size_t)(i < m->doors ? ENDPOINTS : 1 + rng_below(&m->rng, ENDPOINTS));
	for (size_t e = 0; e < s->endpoint_count; e++) {
		m->endpoints[i][e] = (struct shop_endpoint){
			.name = join(m, shop_routes[e].before, noun, shop_routes[e].after),
			.work = draw_work(m, l->work_ms, 0.5),
			.errors = percent(draw_log(&m->rng, 1e-4, 2e-3), 3),
			.calls = arena_array(m->a, struct shop_call, CALLS + STATEMENTS),
		};
		m->full |= !m->endpoints[i][e].calls;
	}
}

static void draw_database(struct made *m, int i) {
	double weights[SYSTEMS];
	for (size_t k = 0; k < SYSTEMS; k++) weights[k] = systems[k].often;
	const struct system *s = &systems[draw_of(&m->rng, weights, SYSTEMS)];
	const char *noun = shop_nouns[i % SHOP_NOUNS], *ending = i < SHOP_NOUNS ? "" : "-2";
	m->databases[i] = (struct shop_database){
		.name = join(m, noun, strcmp(s->name, "redis") ? "-db" : "-cache", ending),
		.system = s->name,
		.namespace_ = join(m, noun, ending, ""),
		.servers = 8,
		.queue_max = 400,
		.work = draw_work(m, s->work_ms, 0.4),
		.replicas = rng_below(&m->rng, 3) ? 0 : 1 + (int)rng_below(&m->rng, 3),
		.lag_ns = 200 * NS_PER_MS,
		.region = "",
	};
}

/* ---- who calls whom ---- */

static void draw_layers(struct made *m) {
	m->doors = 1 + m->n / 40;
	m->layers = 2 + (m->n > 10) + (m->n > 40) + (m->n > 150);
	for (int i = 0; i < m->n; i++)
		m->layer[i] = i < m->doors               ? 0
		              : i < m->doors + m->layers ? 1 + (i - m->doors)
		                                         : 1 + (int)rng_below(&m->rng, m->layers);
}

/* A service above: of the layer just above three times out of four. */
static int draw_caller(struct made *m, int service) {
	for (;;) {
		int i = (int)rng_below(&m->rng, m->n), above = m->layer[service] - m->layer[i];
		if (above == 1 || (above > 1 && rng_below(&m->rng, 4) == 0)) return i;
	}
}

static bool add_call(struct made *m, int caller, int service, size_t endpoint) {
	struct shop_endpoint *e = &m->endpoints[caller][rng_below(&m->rng, (int64_t)m->services[caller].endpoint_count)];
	struct shop_call *calls = (struct shop_call *)e->calls; /* our own, until it is handed out */
	const struct shop_service *s = &m->services[service];
	if (e->call_count == CALLS) return false;
	for (size_t i = 0; i < e->call_count; i++)
		if (!strcmp(calls[i].to, s->name)) return false;
	bool first = e->call_count == 0;
	calls[e->call_count] =
		(struct shop_call){ .copies = 1,
		                    .queue = m->consumer[service] ? join(m, s->name, ".", shop_topics[endpoint]) : "",
		                    .to = s->name,
		                    .endpoint = s->endpoints[endpoint].name,
		                    .group = first ? 0 : (int)rng_below(&m->rng, 3),
		                    .probability = 1,
		                    .retries = rng_below(&m->rng, 10) < 4,
		                    .optional = !first && rng_below(&m->rng, 3) == 0 };
	if (m->consumer[service]) calls[e->call_count].retries = 3;
	if (!m->consumer[service] && rng_below(&m->rng, 10) == 0)
		calls[e->call_count].cache_hits = percent(rng_between(&m->rng, 0.3, 0.9), 0);
	if (!first && rng_below(&m->rng, 25) == 0) calls[e->call_count].copies = 2 + (int)rng_below(&m->rng, 3);
	e->call_count++;
	return true;
}

/* One caller for certain: by chance, or the first above that has room. */
static void draw_first_caller(struct made *m, int service) {
	bool made = false;
	for (int tries = 0; tries < 100 && !made; tries++) made = add_call(m, draw_caller(m, service), service, 0);
	for (int i = 0; i < m->n && !made; i++)
		for (int tries = 0; m->layer[i] < m->layer[service] && tries < 8 * ENDPOINTS && !made; tries++)
			made = add_call(m, i, service, 0);
	assert(made && "doors have room for the layer below them");
}

/* Then as many as a power law says, or as chance finds room for; endpoints that nobody calls are not there. */
static void draw_more_callers(struct made *m, int service) {
	struct shop_service *s = &m->services[service];
	int most = m->n / 3 > 1 ? m->n / 3 : 1, callers = draw_power(&m->rng, CALLERS_ALPHA, most), made = 1;
	for (int tries = 0; made < callers && tries < 8 * callers; tries++)
		made += add_call(m, draw_caller(m, service), service, (size_t)made % s->endpoint_count);
	if (made < (int)s->endpoint_count) s->endpoint_count = (size_t)made;
}

/* Layer by layer, so that who calls has the endpoints that it will have. */
static void draw_callers(struct made *m, int layer) {
	for (int i = 0; i < m->n; i++)
		if (m->layer[i] == layer) draw_first_caller(m, i);
	for (int i = 0; i < m->n; i++)
		if (m->layer[i] == layer) draw_more_callers(m, i);
}

/* The first call is always made, the others so often that their sum is what it should be. */
static void draw_chances(struct made *m, struct shop_endpoint *e) {
	struct shop_call *calls = (struct shop_call *)e->calls;
	double sum = 0, want = CALLS_A_LEVEL - 1;
	for (size_t i = 1; i < e->call_count; i++) sum += calls[i].probability = draw_log(&m->rng, 0.05, 1);
	for (size_t i = 1; i < e->call_count; i++) {
		double share = calls[i].probability / sum * want;
		calls[i].probability = share > 1 ? 1 : percent(share, 1);
	}
}

static void draw_statements(struct made *m, int service, int database) {
	const struct shop_database *d = &m->databases[database];
	const char *noun = shop_nouns[service % SHOP_NOUNS];
	for (size_t k = 0; k < m->services[service].endpoint_count; k++) {
		struct shop_endpoint *e = &m->endpoints[service][k];
		struct shop_call *calls = (struct shop_call *)e->calls;
		bool writes = !strncmp(e->name, "POST", 4), redis = !strcmp(d->system, "redis");
		int n = 1 + (rng_below(&m->rng, 4) == 0);
		for (int i = 0; i < n; i++) {
			const char *verb = redis ? (writes ? "HSET " : "HGETALL ") : writes && i == 0 ? "INSERT " : "SELECT ";
			calls[e->call_count++] = (struct shop_call){ .to = d->name,
				                                         .endpoint = join(m, verb, noun, i ? "_items" : ""),
				                                         .copies = 1,
				                                         .queue = "",
				                                         .group = i,
				                                         .probability = 1,
				                                         .retries = redis };
		}
	}
}

static void draw_calls(struct made *m) {
	size_t databases = m->w.database_count;
	for (int layer = 1; layer <= m->layers; layer++) draw_callers(m, layer);
	for (int i = 0; i < m->n; i++)
		for (size_t e = 0; e < m->services[i].endpoint_count; e++) draw_chances(m, &m->endpoints[i][e]);
	/* Each database has one service at least; then two thirds of the rest have one, by a Zipf law. */
	for (int i = m->doors; i < m->n; i++) {
		size_t own = (size_t)(i - m->doors);
		if (own < databases)
			draw_statements(m, i, (int)own);
		else if (rng_below(&m->rng, 3))
			draw_statements(m, i, (int)(draw_power(&m->rng, 1, (int)databases) - 1));
	}
}

static void draw_entries(struct made *m) {
	struct shop_entry *entries = arena_array(m->a, struct shop_entry, (size_t)m->doors * ENDPOINTS);
	if (!entries) {
		m->full = true;
		return;
	}
	for (int i = 0; i < m->doors; i++)
		for (size_t e = 0; e < m->services[i].endpoint_count; e++) {
			size_t n = m->w.entry_count++;
			entries[n] = (struct shop_entry){ m->services[i].name, m->services[i].endpoints[e].name,
				                              .weight = round(1000 / (double)(n + 1)) / 10 };
		}
	m->w.entries = entries;
}

/* ---- traffic and capacity ---- */

static void draw_traffic(struct made *m) {
	static const double metric_often[] = { 40, 20, 20, 20 }, sampling_often[] = { 60, 30, 10 };
	static const int64_t metric_s[] = { 10, 15, 30, 60 };
	static const double sampling[] = { 1, 0.1, 0.01 };
	struct shop_world *w = &m->w;
	w->rate = round(draw_log(&m->rng, 10, 150));
	w->daily = percent(rng_between(&m->rng, 0.2, 0.6), 0);
	w->peak_h = (double)rng_below(&m->rng, 24);
	w->noise = round(rng_between(&m->rng, 0.02, 0.08) * 1000) / 1000;
	w->deployments_day = (double)(2 + rng_below(&m->rng, 10));
	w->span_ns = 5 * NS_PER_SEC;
	w->metric_ns = metric_s[draw_of(&m->rng, metric_often, 4)] * NS_PER_SEC;
	w->agent_ns = w->metric_ns;
	w->log_ns = NS_PER_SEC;
	w->sampling = sampling[draw_of(&m->rng, sampling_often, 3)];
	w->no_threshold = rng_below(&m->rng, 4) == 0;
	w->info_logs = 0.02;
	w->customer_timeout_ns = 15 * NS_PER_SEC;
	w->customer_retries = (int)rng_below(&m->rng, 3);
	w->weekend = round(rng_between(&m->rng, 0.5, 1.2) * 100) / 100;
	w->noise_df = rng_below(&m->rng, 2) ? 4 : 0;
	w->bursts_day = rng_below(&m->rng, 2) ? round(rng_between(&m->rng, 0.5, 4) * 10) / 10 : 0;
	w->burst_size = 0.3;
	w->burst_alpha = 2;
	w->burst_ns = 5 * NS_PER_MIN;
	w->skew_ns = rng_below(&m->rng, 2) ? 20 * NS_PER_MS : 0;
	w->gaps_day = rng_below(&m->rng, 3) ? 0 : 1;
	w->gap_ns = NS_PER_MIN;
	w->resets_day = rng_below(&m->rng, 3) ? 0 : 1;
	w->drains_day = rng_below(&m->rng, 2) ? 0.3 : 0;
	w->drain_ns = 10 * NS_PER_MIN;
	w->network_delay = tenths(draw_log(&m->rng, 0.005, 0.04));
	w->network_jitter = 0.1;
	w->network_loss = percent(draw_log(&m->rng, 1e-4, 2e-3), 2);
}

/* Half of the larger worlds have a second region, with the services that nobody waits for. */
static void draw_regions(struct made *m) {
	static const struct shop_region regions[] = { { .name = "eu-west-1" }, { .name = "us-east-1" } };
	if (m->n < 20 || rng_below(&m->rng, 2)) return;
	m->w.regions = regions;
	m->w.region_count = 2;
	for (int i = 0; i < m->n; i++)
		if (m->consumer[i]) m->services[i].region = regions[1].name;
}

/* A job at night, and a campaign one evening of the week. */
static void draw_events(struct made *m) {
	struct shop_job *job = arena_array(m->a, struct shop_job, 1);
	struct shop_campaign *campaign = arena_array(m->a, struct shop_campaign, 1);
	int any = (int)rng_below(&m->rng, m->n);
	const struct shop_service *asked = &m->services[m->consumer[any] ? 0 : any];
	m->full |= !job || !campaign;
	if (m->full) return;
	*job = (struct shop_job){ .name = "nightly",
		                      .service = asked->name,
		                      .endpoint = asked->endpoints[0].name,
		                      .every_ns = 24 * 60 * NS_PER_MIN,
		                      .first_ns = rng_below(&m->rng, 6) * 60 * NS_PER_MIN,
		                      .length_ns = (5 + rng_below(&m->rng, 20)) * NS_PER_MIN,
		                      .rate = round(draw_log(&m->rng, 1, 10)) };
	*campaign = (struct shop_campaign){ .name = "offers",
		                                .day = 1 + (int)rng_below(&m->rng, 7),
		                                .hour = 17 + (double)rng_below(&m->rng, 4),
		                                .length_ns = 60 * NS_PER_MIN,
		                                .ramp_ns = 10 * NS_PER_MIN,
		                                .factor = round(rng_between(&m->rng, 1.3, 1.6) * 10) / 10 };
	m->w.jobs = job;
	m->w.job_count = rng_below(&m->rng, 2) ? 1 : 0;
	m->w.campaigns = campaign;
	m->w.campaign_count = rng_below(&m->rng, 3) ? 0 : 1;
}

static int pods_for(double busy_workers, int workers, double share) {
	double n = ceil(busy_workers / (workers * share));
	return n < 2 ? 2 : n > 200 ? 200 : (int)n;
}

static enum err fit(struct made *m) {
	struct shop_graph g;
	struct shop_load l;
	double total = 0;
	for (int i = 0; i < m->n; i++) m->services[i].replicas = 1;
	enum err e = shop_graph_make(&m->w, m->a, "random", &g, NULL);
	if (!e) e = shop_load_make(&g, m->a, &l);
	if (e) return e;
	for (int i = 0; i < m->n; i++) total += l.service_rates[i];
	double cut = total > TOTAL_RATE ? TOTAL_RATE / total : 1;
	m->w.rate = fmax(1, floor(m->w.rate * cut));
	for (int i = 0; i < m->n; i++) {
		struct shop_service *s = &m->services[i];
		double share = rng_between(&m->rng, 0.1, 0.35), swing = 1 + m->w.daily;
		double cores = l.cpus[i] * s->cpu_limit * cut * swing; /* of all its pods; of one yet */
		int extra = rng_below(&m->rng, 4) == 0;
		s->replicas = pods_for(l.services[i] * s->workers * cut * swing, s->workers, share) + extra;
		/* Room for half again, and for code that is not yet warm; as people write it. */
		s->cpu_limit = fmax(0.5, ceil(cores / s->replicas * 6) / 2);
		if (rng_below(&m->rng, 7) == 0)
			s->autoscale = (struct shop_autoscale){ .least = s->replicas, .most = 2 * s->replicas + 1, .cpu = 0.7 };
		m->w.nodes += s->replicas;
	}
	for (size_t i = 0; i < m->w.database_count; i++) {
		double busy = l.databases[i] * m->databases[i].servers * cut * (1 + m->w.daily);
		m->databases[i].servers = 4 + (int)ceil(busy / rng_between(&m->rng, 0.1, 0.3));
	}
	m->w.nodes = 3 + m->w.nodes / 25;
	/* Ten times what it takes at the mean, and half a second at least. */
	for (size_t i = 0; i < g.point_count; i++) {
		const struct shop_graph_point *p = &g.points[i];
		struct shop_call *calls = (struct shop_call *)p->endpoint->calls;
		for (size_t c = 0; c < p->endpoint->call_count; c++) {
			const struct shop_graph_edge *x = &p->edges[c];
			double mean = x->database ? shop_time_mean(&m->databases[x->target].work) : l.means[x->target];
			calls[c].timeout_ns = round_timeout(fmax(0.5, 10 * mean));
		}
	}
	return OK;
}

/* ---- the whole ---- */

static enum err make(struct made *m, uint64_t seed) {
	size_t n = (size_t)m->n, databases = n / 5 ? n / 5 : 1;
	m->services = arena_array(m->a, struct shop_service, n);
	m->endpoints = arena_take_array(m->a, sizeof *m->endpoints, n, _Alignof(struct shop_endpoint));
	m->databases = arena_array(m->a, struct shop_database, databases);
	m->layer = arena_array(m->a, int, n);
	m->consumer = arena_array(m->a, bool, n);
	if (!m->services || !m->endpoints || !m->databases || !m->layer || !m->consumer) return ERR_NOMEM;
	char text[40];
	snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
	m->w = (struct shop_world){ .name = join(m, "random-", text, ""),
		                        .namespace_ = "shop",
		                        .services = m->services,
		                        .service_count = n,
		                        .databases = m->databases,
		                        .database_count = databases };
	draw_layers(m);
	for (int i = 0; i < m->n; i++) draw_service(m, i);
	for (int i = 0; i < (int)databases; i++) draw_database(m, i);
	if (m->full) return ERR_NOMEM;
	draw_calls(m);
	draw_entries(m);
	draw_traffic(m);
	draw_regions(m);
	draw_events(m);
	return m->full ? ERR_NOMEM : fit(m);
}

enum err shop_random(struct arena *a, uint64_t seed, int services, struct shop_world *out) {
	struct rng rng = rng_seeded(seed);
	struct made m = { .a = a, .rng = rng_fork(&rng, "world"), .n = services };
	if (!m.n) m.n = 8 + (int)rng_below(&m.rng, 33);
	assert(m.n >= SHOP_RANDOM_LEAST && m.n <= SHOP_RANDOM_MOST);
	static_assert(SHOP_NOUNS * SHOP_ROLES >= SHOP_RANDOM_MOST, "each service has a name");
	enum err e = make(&m, seed);
	if (!e) *out = m.w;
	return e;
}

bool shop_random_is(struct str text) {
	return str_starts(text, STR("random:"));
}

enum err shop_random_parse(struct str text, uint64_t *seed, int *services, struct why *why) {
	struct str number = { text.p + 7, text.n - 7 }, count = { 0 };
	int64_t s = 0, n = 0;
	bool sized = str_cut(number, ':', &number, &count);
	if (!shop_random_is(text) || !str_int(number, &s) || s < 0 || (sized && !str_int(count, &n)))
		return why_set(why, ERR_INVALID, "'" STR_FMT "' is not random:SEED or random:SEED:SERVICES", STR_ARG(text));
	if (sized && (n < SHOP_RANDOM_LEAST || n > SHOP_RANDOM_MOST))
		return why_set(why, ERR_INVALID, "a drawn world has %d to %d services, not " STR_FMT, SHOP_RANDOM_LEAST,
		               SHOP_RANDOM_MOST, STR_ARG(count));
	*seed = (uint64_t)s;
	*services = (int)n;
	return OK;
}
