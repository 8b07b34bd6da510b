#include "sim/host.h"

#include <stdio.h>

#include "sim/memory.h"

#define ROUNDS_MAX 100000 /* steps without time passing: a program that never rests is a bug */

/* ---- the log ---- */

static void log_write(struct log *log, enum log_level level, const char *event, struct str fields) {
	static const char letters[] = "DIWE";
	struct sim_log *l = (struct sim_log *)log;
	char *line = l->kept[l->lines++ % SIM_LOG_LINES];
	snprintf(line, TRACE_LINE_MAX, "%lld.%03d %c %s " STR_FMT, (long long)(l->queue->now_ns / NS_PER_SEC),
	         (int)(l->queue->now_ns / NS_PER_MS % 1000), letters[level], event, STR_ARG(fields));
	l->by_level[level]++;
	sim_trace_bytes(l->trace, str_of(event));
	sim_trace_bytes(l->trace, fields);
}

void sim_host_log(const struct sim_host *h, struct buf *out) {
	const struct sim_log *l = &h->log;
	for (uint64_t i = l->lines > SIM_LOG_LINES ? l->lines - SIM_LOG_LINES : 0; i < l->lines; i++) {
		buf_c(out, l->kept[i % SIM_LOG_LINES]);
		buf_byte(out, '\n');
	}
}

/* ---- TCP: there is nobody to talk to ---- */

static enum err net_connect(struct net *n, struct str host, int port, int64_t timeout_ns, uint64_t *id,
                            struct why *why) {
	(void)n, (void)timeout_ns, (void)id;
	return why_set(why, ERR_UNREACHABLE, STR_FMT ":%d: connection refused", STR_ARG(host), port);
}
static enum err net_send(struct net *n, uint64_t id, struct str bytes) {
	(void)n, (void)id, (void)bytes;
	return ERR_CLOSED;
}
static bool net_poll(struct net *n, struct net_event *out) {
	(void)n, (void)out;
	return false;
}
static void net_close(struct net *n, uint64_t id) {
	(void)n, (void)id;
}

/* ---- faults by name ---- */

static bool fault(struct world *w, const char *name) {
	struct sim_host *h = container_of(w, struct sim_host, world);
	if (h->fault <= 0 || rng_unit(&h->rng) >= h->fault) return false;
	h->counts.named++;
	sim_trace_tell(h->trace, "%s: fault %s", h->name, name);
	return true;
}

/* ---- stepping ---- */

static void alarm_rings(void *self, uint64_t generation);

static void set_alarm(struct sim_host *h) {
	struct mono due = h->program->next_due(h->self);
	int64_t at = due.ns == INT64_MAX ? INT64_MAX : due.ns - h->clock.booted_ns;
	if (at == INT64_MAX) {
		h->due_at++; /* whatever was set is void */
		h->due_ns = INT64_MAX;
		return;
	}
	if (at <= h->queue->now_ns) at = h->queue->now_ns + NS_PER_US; /* due, though it had nothing to do: time passes */
	if (at == h->due_ns) return;
	h->due_ns = at;
	sim_queue_at(h->queue, at, alarm_rings, h, ++h->due_at);
}

static void finish_crash(struct sim_host *h) {
	bool power_loss = h->fuse.power;
	h->up = false;
	h->due_at++;
	h->due_ns = INT64_MAX;
	sim_trace_tell(h->trace, "%s: %s", h->name, power_loss ? "loses power" : "is killed");
	sim_ports_die(&h->ports, !power_loss);
	h->program->stop(h->self);
	if (power_loss) {
		sim_disk_power_loss(&h->disk);
		h->counts.power_lost++;
	} else {
		h->counts.killed++;
	}
}

static void step(struct sim_host *h) {
	h->stepping = true;
	int rounds = 0;
	while (!h->fuse.blown && h->program->step(h->self)) { assert(++rounds < ROUNDS_MAX && "the program never rests"); }
	h->steps++;
	h->stepping = false;
	sim_trace_mix(h->trace, (uint64_t)rounds);
	if (h->fuse.blown)
		finish_crash(h);
	else
		set_alarm(h);
	if (h->looked) h->looked(h->looked_self, h);
}

static void asked_step(void *self, uint64_t arg) {
	struct sim_host *h = self;
	(void)arg;
	h->step_asked = false;
	if (h->up) step(h);
}

static void alarm_rings(void *self, uint64_t generation) {
	struct sim_host *h = self;
	if (!h->up || generation != h->due_at) return;
	h->due_ns = INT64_MAX;
	step(h);
}

void sim_host_wake(struct sim_host *h) {
	if (h->step_asked) return;
	h->step_asked = true;
	sim_queue_at(h->queue, h->queue->now_ns, asked_step, h, 0);
}

static void wake(void *self) {
	sim_host_wake(self);
}

/* ---- life ---- */

enum err sim_host_start(struct sim_host *h, struct why *why) {
	assert(!h->up);
	h->fuse = (struct sim_fuse){ 0 };
	h->process.id++;
	sim_ports_up(&h->ports);
	sim_trace_tell(h->trace, "%s: starts", h->name);
	enum err e = h->program->start(h->self, h, why);
	if (e) return e;
	h->up = true;
	sim_host_wake(h);
	return OK;
}

void sim_host_stop(struct sim_host *h) {
	if (!h->up) return;
	h->up = false;
	h->due_at++;
	h->due_ns = INT64_MAX;
	h->program->stop(h->self);
	sim_ports_die(&h->ports, true);
	sim_trace_tell(h->trace, "%s: stops", h->name);
}

void sim_host_crash(struct sim_host *h, bool power_loss) {
	if (!h->up) return;
	h->fuse = (struct sim_fuse){ 0, true, power_loss };
	if (!h->stepping) finish_crash(h);
}

void sim_host_crash_after(struct sim_host *h, int64_t effects, bool power_loss) {
	if (effects <= 0)
		sim_host_crash(h, power_loss);
	else if (!h->fuse.blown)
		h->fuse = (struct sim_fuse){ effects, false, power_loss };
}

void sim_host_init(struct sim_host *h, const struct sim_host_opts *o) {
	static const struct net_ops net_ops = { net_connect, net_send, net_poll, net_close };
	*h = (struct sim_host){ .queue = o->queue, .trace = o->trace, .program = o->program, .self = o->self };
	snprintf(h->name, sizeof h->name, "%s", o->name);
	struct rng rng = rng_fork(&o->rng, o->name);
	h->rng = rng_fork(&rng, "faults");
	sim_clock_init(&h->clock, o->queue, o->trace, o->epoch);
	sim_disk_init(&h->disk, &h->clock, o->trace, &h->fuse, rng_fork(&rng, "disk"));
	sim_jobs_init(&h->jobs, o->queue, &h->disk, rng_fork(&rng, "jobs"));
	sim_process_init(&h->process, o->name, rng_fork(&rng, "process"));
	sim_ports_init(&h->ports, o->web, o->number, &h->fuse);
	h->jobs.wake = h->ports.wake = wake;
	h->jobs.wake_self = h->ports.wake_self = h;
	h->net = (struct net){ &net_ops };
	h->log = (struct sim_log){ { log_write, LOG_INFO }, o->trace, o->queue, 0, NULL, { 0 } };
	h->log.kept = must_array(SIM_LOG_LINES, TRACE_LINE_MAX);
	h->due_ns = INT64_MAX;
	h->world = (struct world){
		&h->clock.clock,     &h->disk.disk, &h->jobs.jobs,           &h->net, &h->ports.servers, &h->ports.clients,
		&h->process.process, &h->log.log,   rng_fork(&rng, "world"), fault
	};
}

void sim_host_done(struct sim_host *h) {
	if (!h || !h->queue) return;
	sim_host_stop(h);
	sim_disk_done(&h->disk);
	free(h->log.kept);
	*h = (struct sim_host){ 0 };
}
