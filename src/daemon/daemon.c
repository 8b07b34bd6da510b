#include "daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "control/control.h"
#include "daemon/version.h"
#include "execute/execute.h"
#include "ingest/ingest.h"
#include "observe/observer.h"
#include "stream/transport.h"

/* The only struct that knows all parts. */
struct daemon {
	struct world *world;
	const struct config *config;
	unsigned roles;
	struct state *state, *observe_state, *control_state, *api_state;
	struct bus *bus, *observe_bus, *control_bus, *api_bus;
	struct cache *cache, *observe_cache, *control_cache;
	struct transport *transport;
	struct executor *executor;
	struct ingest *ingest;
	struct observer *observer;
	struct control *control;
	struct api *api;
	struct api_part parts[5];
	size_t part_count;
	char holder[160];
};

/* ---- what the API shows of each part ---- */

static bool part_observer_ready(const void *p) {
	return observer_ready(((const struct daemon *)p)->observer);
}
static void part_observer_status(const void *p, struct json_out *o) {
	observer_status(((const struct daemon *)p)->observer, o);
}
static void part_observer_graph(const void *p, struct json_out *o) {
	observer_graph(((const struct daemon *)p)->observer, o);
}
static void part_observer_metrics(const void *p, struct metrics_out *m) {
	observer_metrics(((const struct daemon *)p)->observer, m);
}

/* "acts_on": what the executor would act on for a service, or null and the reason in "acts_on_missing". */
static void tell_mapped(const struct plan *p, struct arena *a, struct json_out *o) {
	json_key(o, "acts_on");
	json_begin_object(o);
	json_kv_str(
		o, "object",
		str_printf(a, STR_FMT " " STR_FMT "/" STR_FMT, STR_ARG(p->kind), STR_ARG(p->namespace_), STR_ARG(p->name)));
	json_kv_str(o, "namespace", p->namespace_);
	json_kv_str(o, "kind", p->kind);
	json_kv_str(o, "name", p->name);
	json_kv_str(o, "mapped_by", p->mapped_by);
	json_end_object(o);
}

static enum err map_target(const struct daemon *d, const struct target *t, struct arena *a, struct plan *out,
                           struct why *why) {
	if (d->executor) return d->executor->ops->map(d->executor, t, a, out, why);
	return why_set(why, ERR_NOT_FOUND, "%s",
	               d->roles & ROLE_CONTROL ? "no target: is configured, so everything is only told"
	                                       : "this process does not act: ask the one that does");
}

static void tell_target(void *self, const struct target *t, struct json_out *o) {
	struct plan p = { 0 };
	struct why why = { "" };
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 1 << 20);
	enum err bad = map_target(self, t, &a, &p, &why);
	if (bad) {
		json_key(o, "acts_on");
		json_put_null(o);
	} else {
		tell_mapped(&p, &a, o);
	}
	if (!bad && p.owner.n)
		(void)why_set(&why, ERR_CONFLICT, STR_FMT " owns it and would write it back", STR_ARG(p.owner));
	json_kv_c(o, "acts_on_missing", why.text[0] ? why.text : bad ? err_text(bad) : NULL);
}

/* The observer knows the services, the executor what runs them: the part is the daemon. */
static void part_observer_coverage(const void *p, struct json_out *o) {
	const struct daemon *d = p;
	struct target_teller teller = { (void *)d, tell_target };
	observer_coverage(d->observer, &teller, o);
}

static bool part_control_ready(const void *p) {
	return control_ready(p);
}
static void part_control_status(const void *p, struct json_out *o) {
	control_status(p, o);
}
static void part_control_metrics(const void *p, struct metrics_out *m) {
	control_metrics(p, m);
}
static void part_ingest_metrics(const void *p, struct metrics_out *m) {
	ingest_metrics(p, m);
}

static void part_ingest_status(const void *p, struct json_out *o) {
	json_begin_object(o);
	json_kv_int(o, "otlp_grpc", ingest_grpc_port(p));
	json_kv_int(o, "otlp_http", ingest_http_port(p));
	json_end_object(o);
}

static bool part_executor_ready(const void *p) {
	struct executor *e = (struct executor *)p;
	return e->ops->ready(e, NULL);
}

static void part_executor_status(const void *p, struct json_out *o) {
	struct executor *e = (struct executor *)p;
	struct why why = { "" };
	bool ready = e->ops->ready(e, &why);
	json_begin_object(o);
	json_kv_bool(o, "ready", ready);
	json_kv_c(o, "reason", ready ? NULL : why.text);
	json_end_object(o);
}

static void part_executor_metrics(const void *p, struct metrics_out *m) {
	executor_metrics(p, m);
}

static void part_transport_metrics(const void *p, struct metrics_out *m) {
	struct transport *t = (struct transport *)p;
	char label[32];
	int64_t batches = 0, bytes = 0, high = 0;
	t->ops->depth(t, 0, &batches, &bytes, &high);
	metrics_family(m, "flyball_stream_bytes", "gauge",
	               "Telemetry that waits between ingest and observe, now and at most.");
	metrics_value(m, metrics_label(label, sizeof label, "at", STR("now")), (double)bytes);
	metrics_value(m, metrics_label(label, sizeof label, "at", STR("high_water")), (double)high);
	metrics_one(m, "flyball_stream_batches", "gauge", "Batches that wait between ingest and observe.", (double)batches);
}

static void wire_parts(struct daemon *d) {
	struct api_part all[] = {
		{ "ingest", d->ingest, NULL, part_ingest_status, NULL, NULL, part_ingest_metrics },
		{ "observe", d->observer ? d : NULL, part_observer_ready, part_observer_status, part_observer_coverage,
		  part_observer_graph, part_observer_metrics },
		{ "control", d->control, part_control_ready, part_control_status, NULL, NULL, part_control_metrics },
		{ "target", d->executor, part_executor_ready, part_executor_status, NULL, NULL, part_executor_metrics },
		{ "stream", d->transport, NULL, NULL, NULL, NULL, part_transport_metrics },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].self) d->parts[d->part_count++] = all[i];
}

/* ---- opening, in the order of the data's way ---- */

static enum err open_stores(struct daemon *d, struct why *why) {
	const struct config *c = d->config;
	enum err e = state_open(d->world, c->state, &d->state, why);
	if (!e) e = bus_open(d->world, c->bus, &d->bus, why);
	if (!e) e = cache_open(d->world, c->cache, &d->cache, why);
	if (!e) e = transport_open(d->world, c->stream, &d->transport, why);
	if (!e) e = d->state->ops->attach(d->state, &d->observe_state);
	if (!e) e = d->state->ops->attach(d->state, &d->control_state);
	if (!e) e = d->state->ops->attach(d->state, &d->api_state);
	if (!e) e = d->bus->ops->attach(d->bus, &d->observe_bus);
	if (!e) e = d->bus->ops->attach(d->bus, &d->control_bus);
	if (!e) e = d->bus->ops->attach(d->bus, &d->api_bus);
	if (!e) e = d->cache->ops->attach(d->cache, &d->observe_cache);
	if (!e) e = d->cache->ops->attach(d->cache, &d->control_cache);
	return e;
}

static enum err open_observer(struct daemon *d, struct why *why) {
	if (!(d->roles & (ROLE_OBSERVE | ROLE_VIEW))) return OK;
	struct observer_opts o = {
		.clock = d->world->clock,
		.transport = d->transport,
		.shard = 0,
		.bus = d->observe_bus,
		.state = d->observe_state,
		.cache = d->observe_cache,
		.log = d->world->log,
		.rng = rng_fork(&d->world->rng, "observe"),
		.region = d->config->region,
		.settings = d->config->observe,
		.frozen = !(d->roles & ROLE_OBSERVE),
	};
	return observer_open(&o, &d->observer, why);
}

static enum err open_executor(struct daemon *d, struct why *why) {
	struct executor_setup s = {
		.world = d->world,
		.telemetry = d->transport->ops->sink(d->transport),
		.services = d->config->services,
		.service_count = d->config->service_count,
	};
	if (!(d->roles & ROLE_CONTROL) || !d->config->target.n) return OK;
	return executor_open(&s, d->config->target, &d->executor, why);
}

static enum err open_control(struct daemon *d, struct why *why) {
	if (!(d->roles & ROLE_CONTROL)) return OK;
	struct rng rng = rng_fork(&d->world->rng, "control");
	char id[ULID_LEN + 1];
	struct process *p = d->world->process;
	struct str host = p->ops->host(p);

	ulid_make(clock_wall(d->world->clock), &rng, id);
	snprintf(d->holder, sizeof d->holder, STR_FMT "/%lld/%s", STR_ARG(host), (long long)p->ops->id(p), id);
	struct control_opts o = {
		.clock = d->world->clock,
		.bus = d->control_bus,
		.state = d->control_state,
		.cache = d->control_cache,
		.executor = d->executor,
		.log = d->world->log,
		.rng = rng,
		.holder = str_of(d->holder),
		.policy = &d->config->control,
	};
	return control_open(&o, &d->control, why);
}

static enum err open_ingest(struct daemon *d, struct why *why) {
	const struct config *c = d->config;
	if (!(d->roles & ROLE_INGEST) || (c->otlp_grpc < 0 && c->otlp_http < 0)) return OK;
	struct ingest_opts o = {
		.servers = d->world->servers,
		.next = d->transport->ops->sink(d->transport),
		.clock = d->world->clock,
		.log = d->world->log,
		.address = c->address,
		.grpc_port = (int)c->otlp_grpc,
		.http_port = (int)c->otlp_http,
		.body_max = c->body_max,
		.requests_max = c->requests_max,
		.memory_max = c->memory_max,
		.connections_max = c->connections_max,
		.assume_unsampled = c->traces_unsampled,
	};
	return ingest_open(o, &d->ingest, why);
}

static enum err open_api(struct daemon *d, struct why *why) {
	const struct config *c = d->config;
	if (!(d->roles & ROLE_API) || c->api < 0) return OK;
	struct api_opts o = {
		.servers = d->world->servers,
		.address = c->address,
		.port = (int)c->api,
		.clock = d->world->clock,
		.bus = d->api_bus,
		.state = d->api_state,
		.commands = d->control ? control_commands(d->control) : NULL,
		.tokens = c->tokens,
		.token_count = c->token_count,
		.read_needs_token = c->read_needs_token,
		.parts = d->parts,
		.part_count = d->part_count,
		.version = FLYBALL_VERSION,
		.log = d->world->log,
	};
	return api_open(&o, &d->api, why);
}

enum err daemon_open(struct world *w, const struct config *c, unsigned roles, struct daemon **out, struct why *why) {
	struct daemon *d = calloc(1, sizeof *d);
	if (!d) return ERR_NOMEM;
	d->world = w;
	d->config = c;
	d->roles = roles;
	enum err e = open_stores(d, why);
	if (!e) e = open_observer(d, why);
	if (!e) e = open_executor(d, why);
	if (!e) e = open_control(d, why);
	if (!e) e = open_ingest(d, why); /* last: nothing is taken before somebody can use it */
	if (!e) {
		wire_parts(d);
		e = open_api(d, why);
	}
	if (e) {
		daemon_close(d);
		return e;
	}
	*out = d;
	return OK;
}

/* ---- turning ---- */

bool daemon_step(struct daemon *d) {
	bool did = false;
	if (d->ingest) did |= ingest_step(d->ingest);
	if (d->observer) did |= observer_step(d->observer);
	if (d->control) did |= control_step(d->control);
	if (d->api) did |= api_step(d->api);
	return did;
}

static struct mono earlier(struct mono a, struct mono b) {
	return a.ns < b.ns ? a : b;
}

struct mono daemon_next_due(const struct daemon *d) {
	struct mono due = d->observe_bus->ops->next_due(d->observe_bus);
	if (d->observer) due = earlier(due, observer_next_due(d->observer));
	if (d->control) due = earlier(due, control_next_due(d->control));
	due = earlier(due, d->control_bus->ops->next_due(d->control_bus));
	due = earlier(due, d->api_bus->ops->next_due(d->api_bus));
	if (d->executor) due = earlier(due, d->executor->ops->next_due(d->executor));
	if (d->ingest) due = earlier(due, ingest_next_due(d->ingest));
	if (d->api) due = earlier(due, api_next_due(d->api));
	return due;
}

void daemon_reload(struct daemon *d, const struct config *c) {
	CLEANUP(buf_done) struct buf names;
	if (d->control) control_reload(d->control, &c->control);
	if (d->api) api_reload(d->api, c->tokens, c->token_count, c->read_needs_token);
	buf_init(&names, 4096);
	config_restart(d->config, c, &names);
	log_event(d->world->log, LOG_INFO, "config.reloaded", "handlers=%zu tokens=%zu", c->control.handler_count,
	          c->token_count);
	if (names.n)
		log_event(d->world->log, LOG_WARN, "config.restart", "keys=\"%.*s\" why=%s", STR_ARG(buf_get(&names)),
		          "these are changed by a restart only");
}

bool daemon_ready(const struct daemon *d) {
	for (size_t i = 0; i < d->part_count; i++)
		if (d->parts[i].ready && !d->parts[i].ready(d->parts[i].self)) return false;
	return true;
}

int daemon_port(const struct daemon *d, const char *what) {
	struct str s = str_of(what);
	if (d->ingest && str_is(s, "otlp_grpc")) return ingest_grpc_port(d->ingest);
	if (d->ingest && str_is(s, "otlp_http")) return ingest_http_port(d->ingest);
	if (d->api && str_is(s, "api")) return api_port(d->api);
	return -1;
}

/* Senders keep what was not answered, and find the next process. */
static void close_the_door(struct daemon *d) {
	for (size_t i = 0; i < d->part_count; i++)
		if (d->parts[i].self == d->ingest) d->parts[i] = (struct api_part){ .name = d->parts[i].name };
	ingest_close(d->ingest);
	d->ingest = NULL;
}

bool daemon_flush(struct daemon *d) {
	if (d->ingest) close_the_door(d);
	bool more = d->observer && observer_flush(d->observer);
	/* Control goes last: what was just found is still decided on. */
	return more || (d->control && control_flush(d->control));
}

void daemon_close(struct daemon *d) {
	if (!d) return;
	api_close(d->api);
	ingest_close(d->ingest);
	control_close(d->control);
	if (d->executor) d->executor->ops->close(d->executor);
	observer_close(d->observer);
	state_close(d->observe_state), state_close(d->control_state), state_close(d->api_state), state_close(d->state);
	bus_close(d->observe_bus), bus_close(d->control_bus), bus_close(d->api_bus), bus_close(d->bus);
	cache_close(d->observe_cache), cache_close(d->control_cache), cache_close(d->cache);
	if (d->transport) d->transport->ops->close(d->transport);
	free(d);
}
