/* The main scenarios once more, on the real store and bus: SQLite on a disk in memory that can crash. */
#include <string.h>

#include "base/test.h"
#include "control/double.h"
#include "store/test_world.h"

#define HANDLERS "- {name: restart, kinds: [latency], action: rollout_restart, mode: auto, cooldown: 5m, attempts: 2}\n"
#define APPROVE  "- {name: restart, kinds: [latency], action: rollout_restart, mode: approve}\n"

struct fix {
	struct rig rig; /* for its events and its cluster; its own control does not run */
	struct test_world w;
	struct state *state, *own_state, *look;
	struct bus *bus, *own_bus, *observe;
	struct executor *executor;
	struct control *control;
	size_t emitted;
	int lives;
};

static void start(struct fix *f) {
	struct t *t = f->rig.t;
	struct why why = { "" };
	EXPECT_OK(state_open(&f->w.world, STR("sqlite:///state.db"), &f->state, &why));
	EXPECT_OK(bus_open(&f->w.world, STR("sqlite:///bus.db"), &f->bus, &why));
	EXPECT_OK(f->state->ops->attach(f->state, &f->own_state));
	EXPECT_OK(f->state->ops->attach(f->state, &f->look));
	EXPECT_OK(f->bus->ops->attach(f->bus, &f->own_bus));
	EXPECT_OK(f->bus->ops->attach(f->bus, &f->observe));
	f->executor = double_executor(&f->rig.cluster);
	struct control_opts o = { .clock = &f->w.clock.clock,
		                      .bus = f->own_bus,
		                      .state = f->own_state,
		                      .executor = f->executor,
		                      .log = &f->rig.log,
		                      .rng = rng_seeded(rng_next(&f->rig.rng)),
		                      .holder = str_printf(t->arena, "test/%d", ++f->lives),
		                      .policy = &f->rig.policy };
	EXPECT_OK(control_open(&o, &f->control, &why));
}

static void stop(struct fix *f, bool crash) {
	control_close(f->control);
	state_close(f->own_state), state_close(f->look), state_close(f->state);
	bus_close(f->own_bus), bus_close(f->observe), bus_close(f->bus);
	if (crash)
		double_executor_crash(f->executor);
	else
		f->executor->ops->close(f->executor);
	f->control = NULL;
	if (crash) test_world_crash(&f->w);
}

static struct fix *setup(struct t *t, const char *handlers) {
	struct fix *f = arena_new(t->arena, struct fix);
	rig_init(&f->rig, t, handlers, NULL);
	rig_crash(&f->rig);
	test_world_init(&f->w, t->seed);
	f->w.clock.mono = f->rig.clock.mono;
	f->w.clock.wall = f->rig.clock.wall;
	start(f);
	return f;
}

static void done(struct fix *f) {
	stop(f, false);
	test_world_done(&f->w);
	rig_done(&f->rig);
}

/* What the rig said as observe goes on the real bus. */
static void publish(struct fix *f) {
	struct t *t = f->rig.t;
	size_t i = 0;
	list_each(it, &f->rig.broker.events) {
		struct double_event *e = container_of(it, struct double_event, node);
		struct event ev;
		if (i++ < f->emitted) continue;
		EXPECT_OK(event_parse(t->arena, (struct str){ e->text, e->n }, &ev, NULL));
		EXPECT_OK(f->observe->ops->publish(f->observe, &ev, i));
		f->emitted = i;
	}
}

static void run(struct fix *f, int64_t ns) {
	int64_t until = f->w.clock.mono.ns + ns;
	struct bus_msg m;
	publish(f);
	while (f->w.clock.mono.ns < until) {
		for (int i = 0; i < 4; i++) {
			while (control_step(f->control)) {}
			while (f->observe->ops->poll(f->observe, &m)) {}
			while (f->bus->ops->poll(f->bus, &m)) {}
		}
		int64_t due = control_next_due(f->control).ns, e = f->executor->ops->next_due(f->executor).ns;
		int64_t now = f->w.clock.mono.ns, to = due < e ? due : e;
		if (to > now + 100 * NS_PER_MS) to = now + 100 * NS_PER_MS;
		if (to <= now) to = now + NS_PER_MS;
		fake_clock_advance(&f->w.clock, to - now);
		fake_clock_advance(&f->rig.clock, to - now);
		double_cluster_step(&f->rig.cluster);
	}
}

static const struct json *row(struct fix *f, struct str key) {
	struct t *t = f->rig.t;
	struct state_query q = { .prefix = key, .exact = true, .limit = 1 };
	struct state_done d = { 0 };
	const struct json *v = NULL;
	EXPECT_OK(state_query(f->look, &q, 1));
	for (int i = 0; i < 200 && !d.tag; i++)
		if (!state_poll(f->look, &d)) continue;
	if (!d.count) return NULL;
	EXPECT_OK(json_parse(t->arena, str_copy(t->arena, d.items->value), &v, NULL));
	return v;
}

static bool action_is(struct fix *f, const char *state) {
	struct t *t = f->rig.t;
	const struct json *in = row(f, str_printf(t->arena, "incident/%s", rig_ulid(&f->rig, 1)));
	struct str id = json_str(json_at(json_get(in, "actions"), 0));
	const struct json *act = id.n ? row(f, str_printf(t->arena, "action/" STR_FMT, STR_ARG(id))) : NULL;
	return str_is(json_str(json_get(act, "state")), state);
}

static void begin(struct fix *f) {
	rig_opened(&f->rig, 1, "payment", 0.8);
	run(f, NS_PER_SEC);
	rig_report(&f->rig, 1, "payment", "latency", 0.9, NULL);
	run(f, 2 * NS_PER_SEC);
}

TEST(on_sqlite_a_fault_is_restarted_once_and_verified) {
	struct fix *f = setup(t, HANDLERS);
	run(f, 2 * NS_PER_SEC);
	EXPECT(control_ready(f->control));
	begin(f);
	run(f, 30 * NS_PER_SEC);
	EXPECT(rig_effects(&f->rig, "payment") == 1 && action_is(f, "verifying"));
	rig_resolved(&f->rig, 1, "in_band");
	run(f, 5 * NS_PER_SEC);
	EXPECT(action_is(f, "verified"));
	struct bus_stats s;
	f->bus->admin->stats(f->bus, STR("control"), &s);
	EXPECT(s.waiting == 0 && s.in_flight == 0 && s.dead == 0);
	EXPECT(s.archived >= 3 + 1 + 5); /* observe's three, the plan, and each move */
	done(f);
}

/* Power is lost at a drawn moment of the story: once is enough, once it stays. */
TEST(on_sqlite_a_crash_at_any_moment_changes_nothing, .seeds = 40) {
	struct fix *f = setup(t, HANDLERS);
	run(f, 2 * NS_PER_SEC);
	rig_opened(&f->rig, 1, "payment", 0.8);
	rig_report(&f->rig, 1, "payment", "latency", 0.9, NULL);
	run(f, rng_below(&f->rig.rng, 100 * NS_PER_MS));
	stop(f, true);
	start(f);
	f->emitted = 0; /* observe says again what it cannot know to be durable: the bus knows it again */
	run(f, 60 * NS_PER_SEC);
	EXPECT(rig_effects(&f->rig, "payment") == 1 && action_is(f, "verifying"));
	rig_resolved(&f->rig, 1, "in_band");
	run(f, rng_below(&f->rig.rng, 30 * NS_PER_MS));
	stop(f, true);
	start(f);
	f->emitted = 0;
	run(f, 60 * NS_PER_SEC);
	EXPECT(rig_effects(&f->rig, "payment") == 1 && action_is(f, "verified"));
	done(f);
}

TEST(on_sqlite_approvals_and_pauses_are_durable) {
	struct fix *f = setup(t, APPROVE);
	run(f, 2 * NS_PER_SEC);
	struct commands *c = control_commands(f->control);
	struct command_done answer;
	EXPECT_OK(c->ops->submit(c, &(struct command){ .kind = COMMAND_PAUSE, .by = STR("anna") }, 9));
	run(f, NS_PER_SEC);
	EXPECT(c->ops->poll(c, &answer) && answer.tag == 9 && !answer.err);
	stop(f, true);
	start(f);
	run(f, 10 * NS_PER_SEC);
	begin(f);
	EXPECT(action_is(f, "waiting"));
	c = control_commands(f->control);
	EXPECT_OK(c->ops->submit(c, &(struct command){ .kind = COMMAND_RESUME, .by = STR("anna") }, 10));
	run(f, 40 * NS_PER_SEC);
	struct str id =
		json_str(json_at(json_get(row(f, str_printf(t->arena, "incident/%s", rig_ulid(&f->rig, 1))), "actions"), 0));
	EXPECT_OK(c->ops->submit(c, &(struct command){ .kind = COMMAND_APPROVE, .id = id, .by = STR("anna") }, 11));
	run(f, 5 * NS_PER_SEC);
	EXPECT(rig_effects(&f->rig, "payment") == 1);
	done(f);
}

RUN(on_sqlite_a_fault_is_restarted_once_and_verified, on_sqlite_a_crash_at_any_moment_changes_nothing,
    on_sqlite_approvals_and_pauses_are_durable)
