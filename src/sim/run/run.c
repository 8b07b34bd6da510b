#include "sim/run/run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/run/impl.h"

#define CALM_NS  (45 * NS_PER_SEC) /* pods stand before customers come: start-up takes up to some 15 s */
#define DRAIN_NS (25 * NS_PER_MIN) /* longer than back-off, verification and approval take together */
/* A Monday. Far ahead: what a run leaves behind is read by today's clock, and must not have expired by it. */
#define EPOCH "2035-01-01T00:00:00Z"

/* ---- what looks after each step ---- */

static void flyball_starts_again(struct run *r) {
	r->died_ns = r->queue.now_ns;
	sim_queue_in(&r->queue, r->down_ns > 0 ? r->down_ns : NS_PER_SEC, run_daemon_start, r, 0);
	r->down_ns = 0;
}

static void look(struct run *r) {
	const struct sim_host *h = &r->host[RUN_FLYBALL];
	r->checks->betrayed |= h->disk.counts.betrayals > 0;
	r->checks->wall_ahead_ns = sim_clock_ahead(&h->clock);
	r->checks->starts = r->starts;
	invariants_look(r->checks, r->kube, r->queue.now_ns);
}

static void flyball_looked(void *self, struct sim_host *h) {
	struct run *r = self;
	look(r);
	if (!h->up && !r->stopped) flyball_starts_again(r);
}

static void kube_looked(void *self, struct sim_host *h) {
	struct run *r = self;
	(void)h;
	run_plan_served(r);
	look(r);
}

void run_flyball_dies(struct run *r, int64_t effects, bool power_loss) {
	struct sim_host *h = &r->host[RUN_FLYBALL];
	if (!h->up) return;
	sim_host_crash_after(h, effects, power_loss);
	if (!h->up) flyball_starts_again(r);
}

/* ---- putting it together ---- */

static void add_host(struct run *r, int which, const char *name, const struct sim_program *program, void *self) {
	struct sim_host_opts o = {
		.name = name,
		.queue = &r->queue,
		.trace = &r->trace,
		.web = r->web,
		.number = sim_net_add(&r->net, name),
		.epoch = r->epoch,
		.rng = r->rng,
		.program = program,
		.self = self,
	};
	sim_host_init(&r->host[which], &o);
}

static void add_hosts(struct run *r) {
	sim_net_init(&r->net, &r->queue, &r->trace, rng_fork(&r->rng, "net"));
	r->net.usual = (struct sim_link){ .delay_ns = 300 * NS_PER_US, .delay_sigma = 0.4 };
	r->link = r->net.usual;
	r->web = sim_web_new(&r->net);
	add_host(r, RUN_FLYBALL, "flyball", &run_daemon_program, &r->daemon);
	add_host(r, RUN_KUBE, "kube", &sim_kube_server_program, &r->server);
	add_host(r, RUN_SHOP, "shop", &run_shop_program, &r->exporters);
	add_host(r, RUN_PEOPLE, "people", &run_people_program, &r->people);
	if (r->o.alarms) add_host(r, RUN_RECEIVER, "alarms", &run_receiver_program, &r->receiver);
	if (r->o.guest) add_host(r, RUN_GUEST, "guest", r->o.guest, r->o.guest_self);
	r->daemon.run = r->exporters.run = r->people.run = r->receiver.run = r;
	sim_net_link(&r->net, r->host[RUN_FLYBALL].ports.host, &r->link);
	r->host[RUN_FLYBALL].looked = flyball_looked;
	r->host[RUN_FLYBALL].looked_self = r;
	r->host[RUN_KUBE].looked = kube_looked;
	r->host[RUN_KUBE].looked_self = r;
}

/* What its own server account may do: to look, or to act. */
static void add_server(struct run *r) {
	bool acts = r->o.mode != SCENARIO_OBSERVE || r->o.broken == BREAK_MODE;
	r->user = (struct sim_kube_user){
		.token = RUN_TOKEN,
		.name = "flyball",
		.rules = acts ? sim_kube_rules_act : sim_kube_rules_look,
		.rule_count = acts ? sim_kube_rules_act_count : sim_kube_rules_look_count,
	};
	r->server = (struct sim_kube_server){ .kube = r->kube, .users = &r->user, .user_count = 1, .port = 80 };
	sim_kube_mutations(r->kube)->apply_twice = r->o.broken == BREAK_APPLY_TWICE;
}

/* The shop's own chance does not hang on the run's seed alone: a resumed world draws other noise than the
 * one that was warmed, and the same shop. */
static void add_shop(struct run *r) {
	struct shop_opts s = {
		.world = &r->world,
		.queue = &r->queue,
		.trace = &r->trace,
		.epoch = r->epoch,
		.rng = rng_fork(&r->rng, "shop"),
		.clients = &r->host[RUN_SHOP].ports.clients,
		.http_url = "http://flyball:4318",
		.grpc_url = "http://flyball:4317",
		.copy_url = r->o.alarms ? "http://alarms:4318" : NULL,
	};
	r->shop = shop_new(&s);
	struct sim_kube_opts k = {
		.queue = &r->queue,
		.trace = &r->trace,
		.rng = rng_fork(&r->rng, "cluster"),
		.epoch = r->epoch,
		.nodes = r->world.nodes,
		.runtime = &shop_runtime,
		.runtime_self = r->shop,
		.history_max = 2000,
	};
	r->kube = sim_kube_new(&k);
}

static enum err resume(struct run *r, const struct run_image *image, struct why *why) {
	if (!image) return OK;
	enum err e = sim_disk_load(&r->host[RUN_FLYBALL].disk, buf_get(&image->disk), why);
	if (!e && r->o.alarms) e = run_receiver_load(r, buf_get(&image->alarms), why);
	return e;
}

static enum err start_hosts(struct run *r, struct why *why) {
	for (int i = 0; i < RUN_HOSTS; i++) {
		if (i == RUN_FLYBALL || !r->host[i].queue) continue;
		enum err e = sim_host_start(&r->host[i], why);
		if (e) return e;
	}
	return OK;
}

static void flyball_begins(void *self, uint64_t arg) {
	struct run *r = self;
	(void)arg;
	invariants_begin(r->checks, r->kube);
	run_daemon_begin(r);
	run_break_begin(r);
}

static void options(struct run *r, const struct run_opts *o) {
	struct wall epoch = { 0 };
	r->o = *o;
	r->o.image = NULL; /* borrowed for opening only */
	r->world = *o->world;
	if (o->rate > 0) r->world.rate = o->rate;
	if (o->plan) r->plan = *o->plan;
	for (size_t i = 0; i < SCENARIO_WHENS; i++) r->when[i] = o->when ? o->when[i] : (struct plan_step){ .at_ns = -1 };
	bool ok = wall_parse(EPOCH, sizeof EPOCH - 1, &epoch);
	assert(ok);
	r->died_ns = -1;
	r->begin_ns = RUN_SETTLE_NS;
	r->epoch.ns = (o->image ? o->image->end.ns : epoch.ns) - r->begin_ns;
	r->rng = rng_seeded(o->seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
}

enum err run_open(const struct run_opts *o, struct run **out, struct why *why) {
	struct run *r = must_alloc(sizeof *r);
	struct invariant_limits limits;
	arena_init(&r->arena, 0);
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	options(r, o);
	r->checks = must_alloc(sizeof *r->checks);
	enum err e = run_config(&r->arena, o, &r->config, &limits, why);
	if (!e) {
		invariants_init(r->checks, &limits);
		add_hosts(r);
		add_shop(r);
		add_server(r);
		shop_open(r->shop, r->kube, CALM_NS);
		e = resume(r, o->image, why);
	}
	if (!e) e = run_plan_begin(r, why);
	if (!e) e = start_hosts(r, why);
	if (e) {
		run_close(r);
		return e;
	}
	sim_queue_at(&r->queue, r->begin_ns, flyball_begins, r, 0);
	*out = r;
	return OK;
}

void run_close(struct run *r) {
	if (!r) return;
	r->stopped = true;
	if (r->shop) shop_free(r->shop); /* its client is a port of its host */
	for (int i = 0; i < RUN_HOSTS; i++) sim_host_done(&r->host[i]);
	sim_kube_free(r->kube);
	if (r->web) sim_web_free(r->web);
	if (r->web) sim_net_done(&r->net);
	run_receiver_done(r);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
	free(r->checks);
	arena_done(&r->arena);
	free(r);
}

/* ---- time ---- */

static bool advance(struct run *r, int64_t to_ns) {
	while (r->checks->broken < 0 && sim_queue_next(&r->queue, to_ns)) r->trace.now_ns = r->queue.now_ns;
	r->trace.now_ns = r->queue.now_ns;
	return r->checks->broken < 0;
}

bool run_until(struct run *r, int64_t at_ns) {
	return advance(r, r->begin_ns + at_ns);
}

/* The outside is whole again, nobody buys, nothing is exported any more: what is left is Flyball's own. */
bool run_drain(struct run *r) {
	struct sim_host *h = &r->host[RUN_FLYBALL];
	if (r->checks->broken >= 0) return false;
	r->draining = true;
	run_plan_calm(r);
	h->fuse = h->fuse.blown ? h->fuse : (struct sim_fuse){ 0 };
	shop_set_rate(r->shop, 0);
	if (!advance(r, r->queue.now_ns + DRAIN_NS)) return false;
	if (h->up) return true;
	invariants_break(r->checks, INVARIANT_RESTARTS, r->queue.now_ns, "it is down, though its machine is whole again");
	return false;
}

/* ---- what it was like ---- */

int64_t run_now(const struct run *r) {
	return r->queue.now_ns - r->begin_ns;
}
int64_t run_begin(const struct run *r) {
	return r->begin_ns;
}
struct wall run_epoch(const struct run *r) {
	return (struct wall){ r->epoch.ns + r->begin_ns };
}
uint64_t run_trace(const struct run *r) {
	return r->trace.hash;
}
struct invariants *run_invariants(struct run *r) {
	return r->checks;
}

void run_story(const struct run *r, struct buf *out) {
	sim_trace_story(&r->trace, out);
	buf_c(out, "--- Flyball's log\n");
	sim_host_log(&r->host[RUN_FLYBALL], out);
}

static int64_t since_begin(const struct run *r, int64_t at_ns, bool known) {
	return known ? at_ns - r->begin_ns : -1;
}

size_t run_truths(const struct run *r, struct run_truth out[RUN_TRUTHS_MAX]) {
	for (size_t i = 0; i < r->fault_count; i++) {
		const struct shop_fault *f = r->faults[i].fault;
		out[i] = (struct run_truth){
			.kind = r->faults[i].kind,
			.fault = f,
			.target = shop_target_name(r->shop, f),
			.causes = shop_fault_causes(f),
			.onset_ns = since_begin(r, f->begun_ns, f->begun),
			.touched_ns = since_begin(r, f->touched_ns, f->touched_ns > 0),
			.visible_ns = since_begin(r, f->visible_ns, f->visible_ns > 0),
			.delivered_ns = since_begin(r, f->delivered_ns, f->delivered_ns > 0),
			.over_ns = since_begin(r, f->over_ns, f->over),
		};
		snprintf(out[i].entity, sizeof out[i].entity, "%s/%s", shop_fault_at_database(f->kind) ? "database" : "service",
		         out[i].target);
	}
	return r->fault_count;
}

void run_alias(const struct run *r, const struct run_truth *truth, char *out, size_t n) {
	const struct shop_fault *f = truth->fault;
	out[0] = 0;
	if (f->kind == SHOP_SLOW_LINK) snprintf(out, n, "service/%s", r->world.services[f->source].name);
	for (size_t i = 0; shop_fault_at_database(f->kind) && i < r->world.database_count; i++)
		if (!strcmp(r->world.databases[i].name, truth->target))
			snprintf(out, n, "database/%s", r->world.databases[i].namespace_);
}

bool run_touches(const struct run *r, const struct run_truth *truth, struct str entity) {
	char name[128];
	struct str kind, rest, first, last;
	run_alias(r, truth, name, sizeof name);
	if (str_is(entity, name)) return true;
	if (!str_cut(entity, '/', &kind, &rest)) return false;
	if (str_is(kind, "pod")) { /* pod/shop/cart-7d9f8b-x2x4k */
		if (!str_cut(rest, '/', &first, &last)) last = rest;
		for (size_t i = 0; i < r->world.service_count; i++) {
			struct str deployment = str_of(r->world.services[i].deployment);
			if (!str_starts(last, deployment) || last.n <= deployment.n || last.p[deployment.n] != '-') continue;
			return shop_world_reaches(&r->world, r->world.services[i].name, truth->target);
		}
		return false;
	}
	snprintf(name, sizeof name, STR_FMT, STR_ARG(rest));
	return shop_world_reaches(&r->world, name, truth->target);
}

struct run_counts run_counted(const struct run *r) {
	struct run_counts c = {
		.events = r->queue.ran,
		.starts = r->starts,
		.failed_starts = r->failed_starts,
		.died_ns = r->died_ns < 0 ? -1 : r->died_ns - r->begin_ns,
		.shop = *shop_counts(r->shop),
		.server = r->server.counts,
	};
	memcpy(c.faults, r->came, sizeof c.faults);
	return c;
}

const struct run_alarm *run_alarms(const struct run *r, size_t *count) {
	*count = r->alarm_count;
	return r->alarms;
}
