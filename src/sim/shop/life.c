#include "sim/shop/life.h"

#include <math.h>
#include <stdio.h>

#include "sim/shop/impl.h"

#define SCRAPE_NS (15 * NS_PER_SEC) /* of the metrics server */

int64_t shop_next_in_day(struct shop *s, double times_a_day) {
	return (int64_t)(rng_exponential(&s->life_rng, 86400 / times_a_day) * 1e9);
}

static struct shop_member *member_of(const struct shop *s, const char *service) {
	for (uint32_t i = 0; i < s->world->service_count; i++)
		if (!strcmp(s->world->services[i].name, service)) return &s->members[i];
	return NULL;
}

static struct shop_member *random_member(struct shop *s) {
	return &s->members[rng_below(&s->life_rng, (int64_t)s->world->service_count)];
}

static void change(struct shop *s, const struct shop_member *m, const char *who, const char *patch) {
	enum err e =
		sim_kube_change(s->kube, KUBE_DEPLOYMENTS, s->world->namespace_, m->spec->deployment, who, str_of(patch), NULL);
	assert(!e && "a Deployment of the shop takes what its people write");
}

/* ---- deployments ---- */

/* A new version of a service, as a pipeline rolls it out. */
static void deploy(struct shop *s, struct shop_member *m) {
	char patch[400];
	snprintf(patch, sizeof patch,
	         "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"%s\",\"image\":\"registry.local/"
	         "%s:1.%lld.0\"}]}}}}",
	         m->spec->name, m->spec->name, (long long)++m->revision);
	change(s, m, "helm", patch);
	s->counts.deployments++;
	sim_trace_tell(s->o.trace, "people: %s 1.%lld.0 is rolled out", m->spec->name, (long long)m->revision);
}

bool shop_deploy(struct shop *s, const char *service) {
	struct shop_member *m = member_of(s, service);
	if (m) deploy(s, m);
	return m != NULL;
}

static int64_t next_deployment(struct shop *s) {
	double day = (double)NS_PER_DAY / 1e9;
	return (int64_t)(rng_exponential(&s->people_rng, day / s->world->deployments_day) * 1e9);
}

static void deploy_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	(void)arg;
	deploy(s, &s->members[rng_below(&s->people_rng, (int64_t)s->world->service_count)]);
	sim_queue_in(s->queue, next_deployment(s), deploy_moment, s, 0);
}

/* ---- nodes ---- */

static void uncordon_moment(void *self, uint64_t node) {
	struct shop *s = self;
	char name[32];
	snprintf(name, sizeof name, "node-%d", (int)node + 1);
	if (sim_kube_cordon(s->kube, name, false) == OK) sim_trace_tell(s->o.trace, "people: %s takes pods again", name);
}

static int node_index(const struct shop *s, const char *node) {
	int n = 0;
	if (sscanf(node, "node-%d", &n) != 1 || n < 1 || n > s->world->nodes) return -1;
	return n - 1;
}

bool shop_drain(struct shop *s, const char *node, int64_t for_ns) {
	int index = node_index(s, node);
	if (index < 0 || sim_kube_drain(s->kube, node)) return false;
	s->counts.drains++;
	sim_trace_tell(s->o.trace, "people: %s is drained", node);
	sim_queue_in(s->queue, for_ns > 0 ? for_ns : s->world->drain_ns, uncordon_moment, s, (uint64_t)index);
	return true;
}

static void drain_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	char name[32];
	(void)arg;
	snprintf(name, sizeof name, "node-%d", (int)rng_below(&s->life_rng, s->world->nodes) + 1);
	(void)shop_drain(s, name, 0);
	sim_queue_in(s->queue, shop_next_in_day(s, s->world->drains_day), drain_moment, s, 0);
}

/* ---- sleep ---- */

static void set_replicas(struct shop *s, const struct shop_member *m, int replicas) {
	char patch[64];
	snprintf(patch, sizeof patch, "{\"spec\":{\"replicas\":%d}}", replicas);
	change(s, m, "keda", patch);
	sim_trace_tell(s->o.trace, "keda: %s has %d replicas", m->spec->name, replicas);
}

static void wake_moment(void *self, uint64_t service) {
	struct shop *s = self;
	set_replicas(s, &s->members[service], s->members[service].spec->replicas);
}

bool shop_put_to_sleep(struct shop *s, const char *service, int64_t for_ns) {
	struct shop_member *m = member_of(s, service);
	if (!m) return false;
	set_replicas(s, m, 0);
	sim_queue_in(s->queue, for_ns, wake_moment, s, (uint64_t)(m - s->members));
	return true;
}

/* Time from now until that hour of the day; a whole day when it is now. */
static int64_t until_hour(const struct shop *s, double hour) {
	int64_t now = shop_wall(s, s->queue->now_ns) % NS_PER_DAY, at = (int64_t)(hour * 3600e9) % NS_PER_DAY;
	return at > now ? at - now : at - now + NS_PER_DAY;
}

static void sleep_moment(void *self, uint64_t service) {
	struct shop *s = self;
	const struct shop_service *spec = s->members[service].spec;
	set_replicas(s, &s->members[service], 0);
	sim_queue_in(s->queue, until_hour(s, spec->sleep.until), wake_moment, s, service);
	sim_queue_in(s->queue, until_hour(s, spec->sleep.from), sleep_moment, s, service);
}

static void sleep_start(struct shop *s, uint32_t i) {
	const struct shop_sleep *sleep = &s->members[i].spec->sleep;
	if (sleep->from == sleep->until) return;
	int64_t from = until_hour(s, sleep->from), until = until_hour(s, sleep->until);
	sim_queue_in(s->queue, until < from ? NS_PER_SEC : from, sleep_moment, s, i); /* it may be night already */
}

/* ---- autoscaling by others ---- */

static void scrape_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	(void)arg;
	for (uint32_t i = 0; i < s->pod_count; i++) {
		struct shop_pod *p = s->pods[i];
		if (!p) continue;
		double cpu_s = shop_pod_cpu(s, p), before = p->scraped_gen == p->gen ? p->scraped_s : cpu_s;
		int64_t window = s->queue->now_ns - p->scraped_ns;
		p->scraped_window_ns = p->scraped_gen == p->gen ? window : 0;
		p->scraped_milli = window > 0 ? (int64_t)((cpu_s - before) / ((double)window / 1e9) * 1000) : 0;
		p->scraped_s = cpu_s;
		p->scraped_ns = s->queue->now_ns;
		p->scraped_gen = p->gen;
	}
	sim_queue_in(s->queue, SCRAPE_NS, scrape_moment, s, 0);
}

static bool usage(void *self, const struct sim_kube_pod *pod, struct sim_kube_usage *out) {
	struct shop *s = self;
	uint32_t index;
	const struct shop_pod *p = shop_pod_by_uid(s, pod->uid, &index);
	if (!p || p->scraped_gen != p->gen || !p->scraped_window_ns) return false;
	*out = (struct sim_kube_usage){ .cpu_milli = p->scraped_milli,
		                            .memory_bytes = (int64_t)shop_pod_memory(s, p),
		                            .at_ns = p->scraped_ns,
		                            .window_ns = p->scraped_window_ns };
	return true;
}

static void autoscale(struct shop *s, const struct shop_service *spec) {
	char json[600];
	snprintf(
		json, sizeof json,
		"{\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"},\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/v1\","
		"\"kind\":\"Deployment\",\"name\":\"%s\"},\"minReplicas\":%d,\"maxReplicas\":%d,\"metrics\":[{\"type\":"
		"\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\",\"averageUtilization\":%d}}}]"
		"}}",
		spec->deployment, s->world->namespace_, spec->deployment, spec->autoscale.least, spec->autoscale.most,
		(int)lround(spec->autoscale.cpu * 100));
	enum err e = sim_kube_create(s->kube, KUBE_HPAS, str_of(json), NULL);
	assert(!e && "a world's autoscalers are valid");
}

static void autoscale_start(struct shop *s) {
	bool any = false;
	for (uint32_t i = 0; i < s->world->service_count; i++) {
		if (!s->world->services[i].autoscale.most) continue;
		autoscale(s, &s->world->services[i]);
		any = true;
	}
	if (!any) return;
	sim_kube_serve_metrics(s->kube, usage, s);
	sim_queue_in(s->queue, SCRAPE_NS, scrape_moment, s, 0);
}

/* ---- jobs ---- */

static void job_asks(void *self, uint64_t job) {
	struct shop *s = self;
	if (s->queue->now_ns >= s->jobs[job].until_ns) return;
	shop_job_call(s, s->jobs[job].edge);
	double gap = rng_exponential(&s->life_rng, 1 / s->world->jobs[job].rate);
	sim_queue_in(s->queue, (int64_t)(gap * 1e9), job_asks, s, job);
}

static void run_job(struct shop *s, uint64_t job) {
	const struct shop_job *spec = &s->world->jobs[job];
	bool runs = s->queue->now_ns < s->jobs[job].until_ns;
	s->jobs[job].until_ns = s->queue->now_ns + spec->length_ns;
	if (runs) return; /* it goes on for longer */
	s->counts.jobs++;
	sim_trace_tell(s->o.trace, "job: %s asks %s for %.0f s", spec->name, spec->service, (double)spec->length_ns / 1e9);
	job_asks(s, job);
}

static int64_t next_job(const struct shop *s, const struct shop_job *j) {
	int64_t since = (shop_wall(s, s->queue->now_ns) - j->first_ns) % j->every_ns;
	return j->every_ns - (since < 0 ? since + j->every_ns : since);
}

static void job_moment(void *self, uint64_t job) {
	struct shop *s = self;
	run_job(s, job);
	sim_queue_in(s->queue, next_job(s, &s->world->jobs[job]), job_moment, s, job);
}

bool shop_run_job(struct shop *s, const char *job) {
	for (size_t i = 0; i < s->world->job_count; i++) {
		if (strcmp(s->world->jobs[i].name, job) != 0) continue;
		run_job(s, i);
		return true;
	}
	return false;
}

/* ---- telemetry as it is ---- */

static void lose_telemetry(struct shop *s, struct shop_member *m, int64_t for_ns) {
	m->silent_until_ns = s->queue->now_ns + for_ns;
	s->counts.gaps++;
	sim_trace_tell(s->o.trace, "telemetry: nothing comes of %s for %.0f s", m->spec->name, (double)for_ns / 1e9);
}

bool shop_lose_telemetry(struct shop *s, const char *service, int64_t for_ns) {
	struct shop_member *m = member_of(s, service);
	if (m) lose_telemetry(s, m, for_ns);
	return m != NULL;
}

static void gap_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	(void)arg;
	lose_telemetry(s, random_member(s), (int64_t)rng_exponential(&s->life_rng, (double)s->world->gap_ns));
	sim_queue_in(s->queue, shop_next_in_day(s, s->world->gaps_day), gap_moment, s, 0);
}

static void reset_counters(struct shop *s, const struct shop_member *m) {
	for (uint32_t i = 0; i < s->pod_count; i++) {
		struct shop_pod *p = s->pods[i];
		if (!p || &s->members[p->service] != m) continue;
		p->counted_from_ns = s->queue->now_ns;
		memset(p->served, 0, m->point_count * sizeof *p->served);
		memset(p->called, 0, m->edge_count * sizeof *p->called);
		memset(p->told_points, 0, m->point_count * sizeof *p->told_points);
		memset(p->told_calls, 0, m->edge_count * sizeof *p->told_calls);
	}
	s->counts.resets++;
	sim_trace_tell(s->o.trace, "telemetry: the counters of %s begin anew", m->spec->name);
}

bool shop_reset_counters(struct shop *s, const char *service) {
	const struct shop_member *m = member_of(s, service);
	if (m) reset_counters(s, m);
	return m != NULL;
}

static void reset_moment(void *self, uint64_t arg) {
	struct shop *s = self;
	(void)arg;
	reset_counters(s, random_member(s));
	sim_queue_in(s->queue, shop_next_in_day(s, s->world->resets_day), reset_moment, s, 0);
}

bool shop_skew_clock(struct shop *s, const char *node, int64_t by_ns) {
	int index = node_index(s, node);
	if (index < 0) return false;
	s->skews[index] += by_ns;
	s->skews_any = true;
	sim_trace_tell(s->o.trace, "telemetry: the clock of %s is %.3g s off", node, (double)s->skews[index] / 1e9);
	return true;
}

int64_t shop_skew(const struct shop *s, const char *node) {
	int index = s->skews_any ? node_index(s, node) : -1;
	return index < 0 ? 0 : s->skews[index];
}

/* ---- all of it ---- */

void shop_life_start(struct shop *s, int64_t calm_ns) {
	const struct shop_world *w = s->world;
	struct sim_queue *q = s->queue;
	if (w->deployments_day > 0) sim_queue_in(q, calm_ns + next_deployment(s), deploy_moment, s, 0);
	if (w->drains_day > 0) sim_queue_in(q, calm_ns + shop_next_in_day(s, w->drains_day), drain_moment, s, 0);
	if (w->gaps_day > 0) sim_queue_in(q, calm_ns + shop_next_in_day(s, w->gaps_day), gap_moment, s, 0);
	if (w->resets_day > 0) sim_queue_in(q, calm_ns + shop_next_in_day(s, w->resets_day), reset_moment, s, 0);
	for (uint32_t i = 0; i < w->service_count; i++) sleep_start(s, i);
	for (uint64_t i = 0; i < w->job_count; i++) sim_queue_in(q, next_job(s, &w->jobs[i]), job_moment, s, i);
	s->skews_any = w->skew_ns > 0;
	for (int i = 0; i < w->nodes && w->skew_ns > 0; i++)
		s->skews[i] = (int64_t)((double)w->skew_ns * rng_normal(&s->life_rng));
	autoscale_start(s);
}
