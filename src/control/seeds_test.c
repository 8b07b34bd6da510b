/* Whatever the outside does - crashes at every step, events twice and out of order, answers that are lost
 * after the effect, other writers, two processes that both think they lead - these hold:
 *
 *   one effect    at most one for each (incident, action, target, attempt), and none without its durable intent
 *   cooldown      two effects on one target are a cooldown apart
 *   budget        no window sees more pods replaced than the budget
 *   observe       in observe mode nothing but planning is called
 *   chain         the decision log is whole
 *   handled       every event is acknowledged or lies with the dead letters
 *   ended         every incident that ended is resolved or handed to a person; no action is left on its way
 *
 * And each of them is proved to look: a double that is broken on purpose makes a seed find it. */
#include <stdio.h>
#include <string.h>

#include "base/test.h"
#include "control/double.h"
#include "model/audit.h"

#define COOLDOWN (2 * NS_PER_MIN)
#define WINDOW   (10 * NS_PER_MIN)
#define PODS     8

#define HANDLERS(mode)                                                                                          \
	"- {name: restart, kinds: [latency, errors], action: rollout_restart, mode: " mode                          \
	", cooldown: 2m, attempts: 2}\n"                                                                            \
	"- {name: grow, kinds: [saturation, latency], action: scale, replicas: +1, mode: " mode ", cooldown: 2m}\n" \
	"- {name: back, kinds: [deployment], action: rollout_undo, mode: " mode ", cooldown: 2m}\n"
#define POLICY "budget: {pods: 8, window: 10m}\nverify_timeout: 90s\napproval: {ttl: 2m}\n"

struct life { /* one process */
	struct control *control;
	struct state *state;
	struct bus *bus;
	struct executor *executor;
	int64_t frozen_until; /* it does not get a turn */
};

struct fault {
	const char *service, *kind;
	int64_t open_at, report_at, end_at;
	const char *how;
	int stage;
};

struct run {
	struct rig rig;
	struct life lives[2];
	struct fault faults[6];
	int fault_count;
	int64_t effects_checked;
	double crashes, freezes, touches; /* chance at each turn */
	const char *mode;
	char broken[256]; /* the first invariant that did not hold */
};

static void broke(struct run *x, const char *name, const char *what) {
	if (!x->broken[0]) snprintf(x->broken, sizeof x->broken, "%s: %s", name, what);
}

/* ---- processes ---- */

static void life_start(struct run *x, struct life *l) {
	struct rig *r = &x->rig;
	struct t *t = r->t;
	struct why why;
	struct str holder = str_printf(t->arena, "test/%llu", (unsigned long long)++r->lives);
	*l = (struct life){ .state = double_state(&r->store),
		                .bus = double_bus(&r->broker),
		                .executor = double_executor(&r->cluster) };
	struct control_opts o = { .clock = &r->clock.clock,
		                      .bus = l->bus,
		                      .state = l->state,
		                      .executor = l->executor,
		                      .log = &r->log,
		                      .rng = rng_seeded(rng_next(&r->rng)),
		                      .holder = holder,
		                      .policy = &r->policy };
	EXPECT_OK(control_open(&o, &l->control, &why));
}

static void life_end(struct life *l) {
	if (!l->control) return;
	control_close(l->control);
	double_state_crash(l->state);
	bus_close(l->bus);
	double_executor_crash(l->executor);
	*l = (struct life){ 0 };
}

/* ---- what is checked at the moment of an effect ---- */

static const struct json *parsed(struct run *x, struct arena *a, const char *key) {
	const struct double_item *it = double_get(&x->rig.store, key);
	const struct json *v = NULL;
	if (!it || json_parse(a, (struct str){ it->value, it->n }, &v, NULL)) return NULL;
	return v;
}

/* The intent and its key are durable before anything happens; the same four are never done twice. */
static void check_one(struct run *x, const struct double_effect *e) {
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 0);
	char key[80];
	snprintf(key, sizeof key, "key/%s", e->key);
	const struct json *claim = parsed(x, &a, key);
	struct str id = json_str(json_get(claim, "action"));
	snprintf(key, sizeof key, "action/%.*s", STR_ARG(id));
	const struct json *act = claim ? parsed(x, &a, key) : NULL;
	if (!act) {
		broke(x, "one effect", "an effect without a durable intent");
		return;
	}
	if (!str_is(json_str(json_get(act, "key")), e->key)) broke(x, "one effect", "an effect under another action's key");
	struct double_cluster *k = &x->rig.cluster;
	for (size_t i = 0; i + 1 < k->effect_count; i++)
		if (!e->undo && !k->effects[i].undo && strcmp(k->effects[i].key, e->key) == 0)
			broke(x, "one effect", "twice under one key");
	bool undone = false;
	for (size_t i = 0; i < k->effect_count; i++)
		undone = undone || (!k->effects[i].undo && strcmp(k->effects[i].key, e->key) == 0);
	if (e->undo && !undone) broke(x, "one effect", "an undo of what was never done");
}

static void check_pace(struct run *x, const struct double_effect *e) {
	struct double_cluster *k = &x->rig.cluster;
	int64_t pods = e->pods;
	for (size_t i = 0; i + 1 < k->effect_count; i++) {
		const struct double_effect *b = &k->effects[i];
		if (b->undo || e->undo) continue;
		if (strcmp(b->uid, e->uid) == 0 && e->at_ns - b->at_ns < COOLDOWN) broke(x, "cooldown", b->uid);
		if (e->at_ns - b->at_ns < WINDOW) pods += b->pods;
	}
	if (!e->undo && pods > PODS) broke(x, "budget", "too many pods in a window");
}

static void on_effect(void *arg, const struct double_effect *e) {
	struct run *x = arg;
	if (strcmp(x->mode, "observe") == 0) broke(x, "observe", "an effect");
	check_one(x, e);
	check_pace(x, e);
	x->effects_checked++;
}

/* ---- what is checked at the end ---- */

static void check_chain(struct run *x) {
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 0);
	struct audit_verifier v = audit_verifier((struct audit_head){ 0 });
	struct audit_head head = { 0 };
	struct why why = { "" };
	const struct double_item *it = double_get(&x->rig.store, "audit/head");
	if (!it || audit_head_read(&a, (struct str){ it->value, it->n }, &head, &why)) return;
	for (uint64_t seq = 1; seq <= head.seq; seq++) {
		char key[AUDIT_KEY_LEN + 1];
		audit_key(seq, key);
		it = double_get(&x->rig.store, key);
		if (!it || audit_verify_next(&v, &a, (struct str){ it->value, it->n }, &why)) {
			broke(x, "chain", it ? why.text : "an entry is missing");
			return;
		}
	}
	if (audit_verify_end(&v, &head, &why)) broke(x, "chain", why.text);
}

static void check_handled(struct run *x) {
	list_each(it, &x->rig.broker.events) {
		const struct double_event *e = container_of(it, struct double_event, node);
		if (e->wanted && !e->done) broke(x, "handled", e->text);
	}
}

static void check_ended(struct run *x) {
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 0);
	size_t i = 0;
	struct str key;
	void *value;
	while (map_next(&x->rig.store.items, &i, &key, &value)) {
		const struct double_item *it = value;
		const struct json *v = NULL;
		enum action_state s;
		bool in = str_starts(key, STR("incident/")), act = str_starts(key, STR("action/"));
		if ((!in && !act) || json_parse(&a, (struct str){ it->value, it->n }, &v, NULL)) continue;
		struct str state = json_str(json_get(v, "state"));
		bool cured = str_is(json_str(json_get(v, "how")), "in_band");
		if (in && !str_is(state, "resolved") && (cured || !str_is(state, "escalated"))) broke(x, "ended", it->value);
		if (act && action_state_parse(state, &s) && !action_state_terminal(s)) broke(x, "ended", it->value);
	}
}

/* ---- the world ---- */

static const char *pick(struct run *x, const char *const *list, int64_t n) {
	return list[rng_below(&x->rig.rng, n)];
}

static void script(struct run *x, int64_t minutes) {
	static const char *const services[] = { "payment", "cart", "orders" };
	static const char *const kinds[] = { "latency", "errors", "saturation", "deployment", "network" };
	static const char *const hows[] = { "in_band", "in_band", "in_band", "no_data", "adopted" };
	struct rng *g = &x->rig.rng;
	int64_t now = x->rig.clock.mono.ns;
	x->fault_count = 2 + (int)rng_below(g, 5);
	for (int i = 0; i < x->fault_count; i++) {
		struct fault *f = &x->faults[i];
		f->service = pick(x, services, 3);
		f->kind = pick(x, kinds, 5);
		f->how = pick(x, hows, 5);
		f->open_at = now + rng_below(g, minutes * NS_PER_MIN / 2);
		f->report_at = f->open_at + rng_below(g, 20 * NS_PER_SEC);
		f->end_at = f->open_at + rng_below(g, minutes * NS_PER_MIN * 3 / 4);
	}
}

static int64_t play(struct run *x, bool end) {
	struct rig *r = &x->rig;
	int64_t now = r->clock.mono.ns, next = INT64_MAX;
	for (int i = 0; i < x->fault_count; i++) {
		struct fault *f = &x->faults[i];
		if (f->stage == 0 && now >= f->open_at) rig_opened(r, i, f->service, 0.8), f->stage = 1;
		if (f->stage == 1 && now >= f->report_at) rig_report(r, i, f->service, f->kind, 0.9, NULL), f->stage = 2;
		if (f->stage == 2 && (now >= f->end_at || end)) rig_resolved(r, i, f->how), f->stage = 3;
		int64_t at = f->stage == 0 ? f->open_at : f->stage == 1 ? f->report_at : f->stage == 2 ? f->end_at : INT64_MAX;
		if (at < next) next = at;
	}
	return next;
}

/* People approve, reject, pause, resume and undo as they like. */
static void people(struct run *x, struct life *l) {
	struct rig *r = &x->rig;
	static const enum command_kind kinds[] = { COMMAND_APPROVE, COMMAND_APPROVE, COMMAND_APPROVE,
		                                       COMMAND_REJECT,  COMMAND_UNDO,    COMMAND_PAUSE,
		                                       COMMAND_RESUME,  COMMAND_RESUME,  COMMAND_ACK };
	struct commands *c = control_commands(l->control);
	struct command_done done;
	while (c->ops->poll(c, &done)) {}
	if (rng_below(&r->rng, 40)) return;
	struct command cmd = { .kind = kinds[rng_below(&r->rng, 9)], .by = STR("anna"), .for_ns = 30 * NS_PER_SEC };
	const char *prefix = cmd.kind == COMMAND_ACK ? "incident/" : "action/";
	size_t i = 0;
	struct str key;
	void *v;
	while (map_next(&r->store.items, &i, &key, &v))
		if (str_starts(key, str_of(prefix)) && (!cmd.id.n || rng_below(&r->rng, 2)))
			cmd.id = (struct str){ key.p + strlen(prefix), key.n - strlen(prefix) };
	(void)!c->ops->submit(c, &cmd, 1);
}

static int64_t earliest(struct run *x, int64_t due) {
	for (int i = 0; i < 2; i++) {
		struct life *l = &x->lives[i];
		if (!l->control) continue;
		int64_t at[] = { control_next_due(l->control).ns, double_state_due(l->state),
			             l->executor->ops->next_due(l->executor).ns };
		for (int k = 0; k < 3; k++) {
			int64_t when = at[k] > l->frozen_until ? at[k] : l->frozen_until;
			if (when < due) due = when;
		}
	}
	return due;
}

static void chance(struct run *x) {
	struct rig *r = &x->rig;
	struct life *l = &x->lives[rng_below(&r->rng, 2)];
	if (rng_unit(&r->rng) < x->crashes) {
		life_end(l);
		if (rng_below(&r->rng, 4)) life_start(x, l);
	}
	if (!l->control && rng_below(&r->rng, 50) == 0) life_start(x, l);
	if (l->control && rng_unit(&r->rng) < x->freezes)
		l->frozen_until = r->clock.mono.ns + rng_below(&r->rng, 20 * NS_PER_SEC);
	if (rng_unit(&r->rng) < x->touches) double_touch(&r->store, "audit/head");
}

static void turns(struct run *x, int64_t until, bool calm) {
	struct rig *r = &x->rig;
	struct t *t = r->t;
	for (int64_t n = 0; r->clock.mono.ns < until && !x->broken[0]; n++) {
		EXPECT(n < 400000);
		bool did = false;
		int64_t next = play(x, calm);
		for (int i = 0; i < 2; i++) {
			struct life *l = &x->lives[i];
			if (!l->control || r->clock.mono.ns < l->frozen_until) continue;
			did |= control_step(l->control);
			if (!calm) people(x, l);
		}
		if (!calm) chance(x);
		if (did) continue;
		int64_t now = r->clock.mono.ns, due = earliest(x, next < until ? next : until);
		fake_clock_advance(&r->clock, due > now ? due - now : NS_PER_MS);
		double_cluster_step(&r->cluster);
	}
}

struct breakage {
	bool forgets_keys, forgets_writes, plan_acts, ignores_conditions, cuts_log;
	const char *hides, *withholds;
};

static void set_up(struct run *x, struct t *t, const char *mode, const struct breakage *b) {
	struct rig *r = &x->rig;
	static const struct {
		const char *name, *handlers;
	} modes[] = { { "observe", HANDLERS("observe") },
		          { "approve", HANDLERS("approve") },
		          { "auto", HANDLERS("auto") } };
	const char *handlers = NULL;
	for (int i = 0; i < 3; i++)
		if (strcmp(modes[i].name, mode) == 0) handlers = modes[i].handlers;
	rig_init(r, t, handlers, POLICY);
	rig_crash(r);
	x->mode = mode;
	r->cluster.on_effect = on_effect;
	r->cluster.arg = x;
	r->cluster.lost_answers = rng_unit(&r->rng) * 0.3;
	r->cluster.unreachable = rng_unit(&r->rng) * 0.1;
	r->broker.duplicates = rng_unit(&r->rng) * 0.2;
	r->broker.reorder = rng_unit(&r->rng) * 0.2;
	r->store.io_errors = rng_below(&r->rng, 2) ? 0.01 : 0;
	r->cluster.forgets_keys = b->forgets_keys;
	r->cluster.plan_acts = b->plan_acts;
	r->store.forgets = b->forgets_writes;
	r->store.hides = b->hides;
	r->store.ignores_conditions = b->ignores_conditions;
	r->broker.withholds = b->withholds;
	x->crashes = rng_below(&r->rng, 2) ? 0.01 : 0.002;
	x->freezes = rng_below(&r->rng, 2) ? 0.003 : 0;
	x->touches = rng_below(&r->rng, 2) ? 0.002 : 0;
}

/* One seed: minutes of trouble, then a quiet end of twice as many; `broken` says what did not hold. */
static void run(struct run *x, struct t *t, const char *mode, const struct breakage *b, int64_t minutes) {
	struct rig *r = &x->rig;
	*x = (struct run){ 0 };
	set_up(x, t, mode, b);
	script(x, minutes);
	life_start(x, &x->lives[0]);
	if (rng_below(&r->rng, 2)) life_start(x, &x->lives[1]);
	turns(x, r->clock.mono.ns + minutes * NS_PER_MIN, false);
	/* the outside is kind again, and everything comes to its end */
	r->cluster.lost_answers = r->cluster.unreachable = 0;
	r->broker.duplicates = r->broker.reorder = 0;
	r->store.io_errors = 0;
	for (int i = 0; i < 2; i++) {
		x->lives[i].frozen_until = 0;
		if (!x->lives[i].control) life_start(x, &x->lives[i]);
	}
	if (b->cuts_log) double_put(&r->store, "audit/00000000000000000001", "{}");
	(void)play(x, true);
	turns(x, r->clock.mono.ns + 2 * minutes * NS_PER_MIN, true);
	check_chain(x);
	check_handled(x);
	check_ended(x);
	if (strcmp(mode, "observe") == 0 && (r->cluster.applies || r->cluster.undos || r->cluster.settles))
		broke(x, "observe", "a call");
	for (int i = 0; i < 2; i++) life_end(&x->lives[i]);
	rig_done(r);
}

static void holds(struct t *t, const char *mode, int64_t minutes) {
	struct run x;
	run(&x, t, mode, &(struct breakage){ 0 }, minutes);
	if (x.broken[0]) test_fail(t, __FILE__, __LINE__, x.broken);
}

TEST(in_auto_every_promise_holds, .seeds = 100) {
	holds(t, "auto", 20);
}

TEST(with_approvals_every_promise_holds, .seeds = 60) {
	holds(t, "approve", 20);
}

TEST(in_observe_mode_nothing_is_ever_called, .seeds = 2000) {
	holds(t, "observe", 3);
}

/* The simple story, with a crash after each of its steps in turn: one restart, verified. */
TEST(a_crash_at_every_step_changes_nothing) {
	int64_t steps = 1;
	for (int64_t at = 0; at < steps; at++) {
		struct rig r;
		rig_init(&r, t, HANDLERS("auto"), POLICY);
		rig_opened(&r, 1, "payment", 0.8);
		rig_report(&r, 1, "payment", "latency", 0.9, NULL);
		int64_t until = r.clock.mono.ns + 40 * NS_PER_SEC, n = 0;
		for (; rig_turn(&r, until); n++) {
			if (n != at) continue;
			rig_crash(&r);
			rig_start(&r);
		}
		if (n > steps) steps = n;
		rig_run(&r, 20 * NS_PER_SEC);
		EXPECT(rig_effects(&r, "payment") == 1);
		rig_resolved(&r, 1, "in_band");
		for (n = 0; rig_turn(&r, r.clock.mono.ns + 10 * NS_PER_SEC) && n < 10000; n++) {
			if (n != at) continue;
			rig_crash(&r);
			rig_start(&r);
		}
		rig_run(&r, 30 * NS_PER_SEC);
		EXPECT(rig_action_is(&r, 1, 0, "verified") && rig_effects(&r, "payment") == 1);
		rig_audit(&r);
		rig_done(&r);
	}
	EXPECT(steps > 20);
}

/* ---- each promise is really looked at ---- */

static void caught(struct t *t, const char *mode, const struct breakage *b, const char *promise) {
	struct rng mine = t->rng;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct run x;
		t->rng = rng_seeded(seed * 7919 + 11);
		run(&x, t, mode, b, 20);
		arena_reset(t->arena);
		if (strncmp(x.broken, promise, strlen(promise)) != 0) continue;
		t->rng = mine;
		return;
	}
	test_fail(t, __FILE__, __LINE__, promise);
}

TEST(a_target_that_forgets_keys_is_caught) {
	caught(t, "auto", &(struct breakage){ .forgets_keys = true }, "one effect: twice");
}

TEST(a_store_that_forgets_is_caught) {
	caught(t, "auto", &(struct breakage){ .forgets_writes = true }, "one effect: ");
}

TEST(a_forgotten_history_is_caught_by_the_cooldown) {
	caught(t, "auto", &(struct breakage){ .hides = "action/" }, "cooldown");
}

TEST(a_forgotten_history_is_caught_by_the_budget) {
	caught(t, "auto", &(struct breakage){ .hides = "action/" }, "budget");
}

TEST(an_effect_while_observing_is_caught) {
	caught(t, "observe", &(struct breakage){ .plan_acts = true }, "observe");
}

TEST(two_leaders_on_a_store_without_conditions_are_caught_by_the_chain) {
	caught(t, "auto", &(struct breakage){ .ignores_conditions = true }, "chain");
}

TEST(a_changed_log_is_caught_by_the_chain) {
	caught(t, "auto", &(struct breakage){ .cuts_log = true }, "chain");
}

TEST(an_event_that_is_never_delivered_is_caught) {
	caught(t, "auto", &(struct breakage){ .withholds = "INCIDENT_RESOLVED" }, "handled");
}

TEST(an_incident_that_never_ends_is_caught) {
	caught(t, "auto", &(struct breakage){ .hides = "incident/" }, "ended");
}

RUN(in_auto_every_promise_holds, with_approvals_every_promise_holds, in_observe_mode_nothing_is_ever_called,
    a_crash_at_every_step_changes_nothing, a_target_that_forgets_keys_is_caught, a_store_that_forgets_is_caught,
    a_forgotten_history_is_caught_by_the_cooldown, a_forgotten_history_is_caught_by_the_budget,
    an_effect_while_observing_is_caught, two_leaders_on_a_store_without_conditions_are_caught_by_the_chain,
    a_changed_log_is_caught_by_the_chain, an_event_that_is_never_delivered_is_caught,
    an_incident_that_never_ends_is_caught)
