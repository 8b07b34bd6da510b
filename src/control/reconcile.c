/* One turn of the control loop: what came, then each row's step, then what became durable.
 *
 * It only orders. What to do is decided in decide.c and gates.c, what happens to a row in act.c and
 * propose.c, what reaches the store in commit.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_impl.h"

/* ---- tags: kind, generation of the image, serial of the row ---- */

uint64_t tag_make(const struct control *c, enum tag_kind kind, uint32_t serial) {
	return (uint64_t)kind << 56 | (uint64_t)(c->generation & 0xffffff) << 32 | serial;
}

enum tag_kind tag_kind(uint64_t tag) {
	return (enum tag_kind)(tag >> 56);
}

uint32_t tag_serial(uint64_t tag) {
	return (uint32_t)tag;
}

bool tag_current(const struct control *c, uint64_t tag) {
	return (tag >> 32 & 0xffffff) == (c->generation & 0xffffff);
}

int64_t retry_ns(int tries) {
	int64_t ns = RETRY_NS_MIN << (tries < 5 ? tries : 5);
	return ns < RETRY_NS_MAX ? ns : RETRY_NS_MAX;
}

struct mono control_deadline(const struct control *c, struct wall since, int64_t timeout_ns) {
	int64_t gone = c->wall.ns - since.ns;
	if (gone < 0) gone = 0;
	if (gone > timeout_ns) gone = timeout_ns;
	return (struct mono){ c->now.ns + timeout_ns - gone };
}

const struct handler *control_handler(const struct control *c, struct str name) {
	for (size_t i = 0; i < c->policy->handler_count; i++)
		if (str_eq(c->policy->handlers[i].name, name)) return &c->policy->handlers[i];
	return NULL;
}

bool control_paused(const struct control *c, const struct action_row *act) {
	if (c->policy->paused) return true;
	struct str ns = act->planned ? act->plan.namespace_ : act->telemetry.namespace_;
	for (size_t i = 0; i < c->pause_count; i++)
		if (pause_covers(&c->pauses[i].pause, c->wall, act->handler, ns, act->telemetry.service)) return true;
	return false;
}

/* ---- the image ---- */

static void image_clear(struct control *c) {
	commit_drop(c);
	control_inbox_drop(c);
	rows_clear(&c->rows);
	history_clear(&c->history);
	while (c->pause_count) pause_clear(c, c->pauses[0].pause.scope);
	map_done(&c->stale);
	map_init(&c->stale, STALE_MAX);
	c->head = (struct audit_head){ 0 };
	c->head_version = 0;
	c->generation++;
	c->load_step = 0;
	c->load_after[0] = '\0';
	c->load_waits = false;
}

void control_forget(struct control *c, int64_t delay_ns, const char *why) {
	log_event(c->log, LOG_WARN, "control.reload", "why=%s", why);
	image_clear(c);
	c->n.reloads++;
	c->phase = PHASE_LOADING;
	c->load_at.ns = c->now.ns + delay_ns;
}

/* ---- one turn ---- */

static void take_key(struct control *c, const struct state_done *done) {
	struct action_row *act = rows_serial(&c->rows, tag_serial(done->tag));
	if (!act || act->call != CALL_KEY) return;
	act->call = CALL_NONE;
	propose_key(c, act, done);
}

static bool poll_state(struct control *c) {
	struct state_done done;
	bool did = false;
	while (state_poll(c->state, &done)) {
		did = true;
		if (lease_take(c->lease, &done)) continue;
		if (!tag_current(c, done.tag)) continue; /* of an image that was thrown away */
		switch (tag_kind(done.tag)) {
		case TAG_COMMIT: commit_take(c, &done); break;
		case TAG_LOAD: load_take(c, &done); break;
		case TAG_FETCH: control_inbox_fetched(c, &done); break;
		case TAG_KEY: take_key(c, &done); break;
		default: break;
		}
	}
	return did;
}

static bool poll_executor(struct control *c) {
	struct exec_done done;
	bool did = false;
	while (c->executor && c->executor->ops->poll(c->executor, &done)) {
		did = true;
		action_done(c, &done);
	}
	return did;
}

static bool step_rows(struct control *c) {
	bool did = false;
	uint32_t generation = c->generation;
	list_each_safe(it, &c->rows.actions) {
		did |= action_step(c, container_of(it, struct action_row, node));
		if (generation != c->generation) return true;
	}
	list_each_safe(it, &c->rows.incidents) {
		did |= incident_step(c, container_of(it, struct incident_row, node));
		if (generation != c->generation) return true;
	}
	return did;
}

/* An action that is over hands its incident back, and is let go once all of it was told. */
static bool sweep_action(struct control *c, struct action_row *act) {
	if (act->fresh || act->changes || !action_state_terminal(act->state)) return false;
	struct incident_row *in = rows_incident(&c->rows, str_of(act->incident));
	bool did = in && in->live == act;
	if (did) {
		in->live = NULL;
		in->look = true;
	}
	if (act->in_flight || act->published < act->log_count) return did;
	if (act->published_stored < act->published) {
		if (!change_new(c, NULL, act)) return did; /* remembers that it was told */
		return true;
	}
	rows_action_drop(&c->rows, act);
	return true;
}

static bool sweep_incident(struct control *c, struct incident_row *in) {
	bool over = in->closed;
	bool crowded = in->state == INCIDENT_ESCALATED && c->rows.incident_count > INCIDENTS_MAX / 2;
	if (in->changes || in->live || in->publishing || in->escalations_published < in->escalations) return false;
	if (!over && !crowded) return false;
	list_each(it, &c->rows.actions)
		if (strcmp(container_of(it, struct action_row, node)->incident, in->id) == 0) return false;
	rows_incident_drop(&c->rows, in);
	return true;
}

static bool sweep(struct control *c) {
	bool did = false;
	list_each_safe(it, &c->rows.actions) did |= sweep_action(c, container_of(it, struct action_row, node));
	list_each_safe(it, &c->rows.incidents) did |= sweep_incident(c, container_of(it, struct incident_row, node));
	return did;
}

/* Outside the store, so that a rewritten log can be found: at least once a minute while it changes. */
static void say_head(struct control *c) {
	char hex[65];
	if (c->head.seq == c->head_said) return;
	hex_encode(c->head.hash.b, sizeof c->head.hash.b, hex);
	log_event(c->log, LOG_INFO, "audit.head", "seq=%lld hash=%s", (long long)c->head.seq, hex);
	c->head_said = c->head.seq;
	c->head_said_at = c->now;
}

static bool head_is_due(const struct control *c) {
	return !c->head_said || c->now.ns - c->head_said_at.ns >= HEAD_LOG_NS;
}

static bool turn(struct control *c) {
	bool did = control_inbox_poll(c);
	did |= control_inbox_step(c);
	if (c->phase == PHASE_LIVE) did |= step_rows(c);
	if (c->phase == PHASE_LIVE) did |= outbox_step(c);
	if (c->phase == PHASE_LIVE) did |= sweep(c);
	if (c->phase == PHASE_LIVE) did |= commit_step(c);
	if (c->phase == PHASE_LIVE && head_is_due(c)) say_head(c);
	return did;
}

/* Who does not lead takes nothing from the queue: what the handle held is seen again by the next leader. */
static void bus_leave(struct control *c) {
	bus_close(c->bus);
	c->bus = NULL;
	c->subscribed = false;
}

bool control_step(struct control *c) {
	c->now = clock_mono(c->clock);
	c->wall = clock_wall(c->clock);
	lease_step(c->lease);
	bool did = poll_state(c);
	did |= poll_executor(c); /* in every phase: it also watches, and its answers must not pile up */
	bool held = lease_held(c->lease);
	if (!held && c->phase != PHASE_STANDBY) {
		if (!c->leaving)
			log_event(c->log, LOG_WARN, "control.standby", "why=%s", "the lease is another's or could not be renewed");
		image_clear(c);
		bus_leave(c);
		c->phase = PHASE_STANDBY;
	}
	if (held && c->phase == PHASE_STANDBY) {
		log_event(c->log, LOG_INFO, "control.leader", "token=%lld", (long long)lease_token(c->lease));
		c->phase = PHASE_LOADING;
		c->load_at = c->now;
		did = true;
	}
	if (c->phase == PHASE_LOADING) did |= load_step(c);
	if (c->phase == PHASE_LIVE) did |= turn(c);
	return did;
}

/* ---- time ---- */

static void earlier(struct mono *due, int64_t ns) {
	if (ns < due->ns) due->ns = ns;
}

static void due_action(const struct control *c, const struct action_row *act, struct mono *due) {
	if (act->published < act->log_count && !act->in_flight && !act->changes) earlier(due, act->publish_again.ns);
	if (act->changes || act->call == CALL_PLAN || act->call == CALL_KEY) return;
	if (act->fresh || !action_state_terminal(act->state)) {
		earlier(due, act->deadline.ns);
		if (act->call == CALL_NONE && act->again.ns > c->now.ns) earlier(due, act->again.ns);
	}
}

static void due_incident(const struct control *c, const struct incident_row *in, struct mono *due) {
	if (in->escalations_published < in->escalations && !in->publishing && !in->changes)
		earlier(due, in->publish_again.ns);
	if (in->live || in->changes || !in->look || in->state != INCIDENT_OPEN) return;
	earlier(due, in->has_report ? in->plan_again.ns : in->patience_until.ns);
	if (in->muted.until.ns > c->wall.ns) earlier(due, c->now.ns + in->muted.until.ns - c->wall.ns);
}

struct mono control_next_due(const struct control *c) {
	struct mono due = lease_next_due(c->lease);
	if (c->phase == PHASE_LOADING && !c->load_waits) earlier(&due, c->load_at.ns);
	if (c->phase != PHASE_LIVE) return due;
	list_each(it, &c->rows.actions) due_action(c, container_of(it, struct action_row, node), &due);
	list_each(it, &c->rows.incidents) due_incident(c, container_of(it, struct incident_row, node), &due);
	list_each(it, &c->inbox) {
		const struct work *w = container_of(it, struct work, node);
		if (!w->fetching) earlier(&due, w->again.ns > c->now.ns ? w->again.ns : c->now.ns + 10 * NS_PER_MS);
	}
	if (!c->flying && (!list_empty(&c->changes) || !list_empty(&c->flight))) earlier(&due, c->commit_again.ns);
	if (c->subscribed) earlier(&due, c->bus->ops->next_due(c->bus).ns);
	if (!c->subscribed) earlier(&due, c->bus_again.ns);
	if (c->head.seq != c->head_said) earlier(&due, c->head_said_at.ns + HEAD_LOG_NS);
	return due;
}

/* ---- its own life ---- */

static enum err make_lease(struct control *c, struct str holder) {
	struct lease_opts o = { .state = c->state,
		                    .clock = c->clock,
		                    .name = STR("control"),
		                    .holder = holder,
		                    .term_ns = LEASE_TERM_NS,
		                    .tag = (uint64_t)TAG_LEASE << 56 };
	return lease_new(&c->arena, o, &c->lease);
}

enum err control_open(const struct control_opts *o, struct control **out, struct why *why) {
	struct control *c = calloc(1, sizeof *c);
	if (!c) return why_set(why, ERR_NOMEM, "control: out of memory");
	c->commands.ops = &control_commands_ops;
	c->clock = o->clock;
	c->bus_of = o->bus;
	c->state = o->state;
	c->executor = o->executor;
	c->log = o->log;
	c->rng = o->rng;
	c->policy = o->policy;
	c->now = clock_mono(c->clock);
	c->wall = clock_wall(c->clock);
	arena_init(&c->arena, 64 * 1024);
	arena_init(&c->batch, 0);
	rows_init(&c->rows);
	list_init(&c->changes);
	list_init(&c->flight);
	list_init(&c->inbox);
	map_init(&c->stale, STALE_MAX);
	enum err e = history_open(&c->history);
	if (!e) e = make_lease(c, o->holder);
	if (e) {
		control_close(c);
		return why_set(why, e, "control: %s", err_text(e));
	}
	*out = c;
	return OK;
}

bool control_ready(const struct control *c) {
	return c->phase == PHASE_LIVE;
}

void control_reload(struct control *c, const struct control_policy *policy) {
	c->policy = policy;
	list_each(it, &c->rows.actions) container_of(it, struct action_row, node)->again.ns = 0;
}

bool control_flush(struct control *c) {
	if (c->leaving) return lease_leaving(c->lease);
	bool writing = c->flying || !list_empty(&c->changes) || !list_empty(&c->flight);
	if (c->phase == PHASE_LIVE && writing) return true;
	if (c->phase == PHASE_LIVE) say_head(c);
	c->leaving = true;
	lease_release(c->lease);
	return true;
}

struct commands *control_commands(struct control *c) {
	return &c->commands;
}

/* What is durable needs nothing from here; the rest is forgotten, as in a crash. */
void control_close(struct control *c) {
	if (!c) return;
	while (!list_empty(&c->flight)) list_push(&c->changes, list_shift(&c->flight));
	list_each_safe(it, &c->changes) {
		struct change *ch = container_of(it, struct change, node);
		arena_done(&ch->arena);
		free(ch);
	}
	list_each_safe(it, &c->inbox) {
		struct work *w = container_of(it, struct work, node);
		arena_done(&w->arena);
		free(w);
	}
	bus_leave(c);
	rows_done(&c->rows);
	history_close(&c->history);
	while (c->pause_count) pause_clear(c, c->pauses[0].pause.scope);
	map_done(&c->stale);
	arena_done(&c->batch);
	arena_done(&c->arena);
	free(c);
}
