/* Whatever is done, in whatever order, every back end of the table behaves as a small model in memory. */
#include "bus/test_rig.h"

#define EVENTS 40
#define QUEUES 2

enum place { NOWHERE, WAITING, DELAYED, HELD, DONE, DEAD };

struct mirror {
	enum place place;
	int64_t receives;
	uint64_t receipt;
	int64_t from, until; /* DELAYED: it may come from, it must come until; HELD: until */
};

struct model {
	struct mirror m[QUEUES][EVENTS];
	bool published[EVENTS]; /* acknowledged */
	int64_t receives_max;
};

static void subscribe_all(struct t *t, struct fix *f, const struct model *m) {
	struct bus_queue_opts o = { .visibility_ns = 30 * NS_PER_SEC,
		                        .receives_max = m->receives_max,
		                        .backoff_min_ns = NS_PER_SEC,
		                        .backoff_max_ns = NS_PER_MIN };
	o.name = STR("all");
	subscribe(t, f->b, o);
	o.name = STR("even");
	o.pattern = STR("{\"data\":{\"even\":[true]}}");
	subscribe(t, f->b, o);
}

static void model_publish(struct t *t, struct fix *f, struct model *m, int i) {
	struct event e = event(t, i);
	e.data = str_printf(t->arena, "{\"even\":%s}", i % 2 ? "false" : "true");
	EXPECT_OK(f->ops->publish(f->b, &e, (uint64_t)i));
	for (int q = 0; q < QUEUES; q++)
		if (m->m[q][i].place == NOWHERE && (q == 0 || i % 2 == 0)) m->m[q][i].place = WAITING;
}

static void took(struct t *t, struct fix *f, struct model *m, const struct bus_msg *msg) {
	int64_t now = f->w.clock.mono.ns;
	struct mirror *e = &m->m[str_is(msg->queue, "even")][number(msg)];
	bool due = e->place == WAITING || (e->place == DELAYED && now >= e->from) || (e->place == HELD && now >= e->until);
	EXPECT(due && msg->receives == e->receives + 1 && msg->receives <= m->receives_max);
	e->place = HELD;
	e->receives = msg->receives;
	e->receipt = msg->receipt;
	e->until = now + 30 * NS_PER_SEC;
}

static void drain(struct t *t, struct fix *f, struct model *m) {
	for (struct bus_msg msg; next(f->b, &msg);) {
		if (msg.kind == BUS_PUBLISHED) {
			EXPECT_OK(msg.err);
			m->published[msg.tag] = true;
		} else if (msg.kind == BUS_DELIVERED) {
			took(t, f, m, &msg);
		} else {
			EXPECT(msg.kind == BUS_SETTLED && msg.err == (msg.tag ? OK : ERR_GONE));
		}
	}
	/* What was not settled in time has come again, or is dead; nothing that is due is kept back. */
	int64_t now = f->w.clock.mono.ns, waiting = 0;
	for (int q = 0; q < QUEUES; q++)
		for (int i = 0; i < EVENTS; i++) {
			struct mirror *e = &m->m[q][i];
			if (e->place == HELD && now >= e->until) {
				EXPECT(e->receives == m->receives_max);
				e->place = DEAD;
			}
			EXPECT(e->place != WAITING && !(e->place == DELAYED && now >= e->until));
			waiting += e->place == DELAYED;
		}
	EXPECT(stats(f->b, "").waiting == waiting);
}

static void model_settle(struct t *t, struct fix *f, struct model *m, struct mirror *e) {
	int64_t now = f->w.clock.mono.ns, delay = rng_below(&t->rng, 3) * 20 * NS_PER_SEC;
	bool current = e->place == HELD && now < e->until;
	if (!e->receipt) return;
	switch (rng_below(&t->rng, 4)) {
	case 0:
	case 1:
		EXPECT_OK(f->ops->settle(f->b, e->receipt, true, 0, (struct str){ 0 }, current));
		if (current) e->place = DONE;
		return;
	case 2:
		EXPECT_OK(f->ops->settle(f->b, e->receipt, false, delay, (struct str){ 0 }, current));
		if (current) e->until = now + delay;
		return;
	default: break;
	}
	if (rng_below(&t->rng, 2)) delay = -1;
	EXPECT_OK(f->ops->settle(f->b, e->receipt, false, delay, STR("because"), current));
	if (!current) return;
	e->place = e->receives == m->receives_max ? DEAD : DELAYED;
	e->from = delay < 0 ? now : now + delay;
	e->until = delay < 0 ? now + NS_PER_MIN : now + delay;
}

static void model_restart(struct t *t, struct fix *f, struct model *m) {
	reopen(t, f);
	subscribe_all(t, f, m);
	for (int q = 0; q < QUEUES; q++)
		for (int i = 0; i < EVENTS; i++) {
			struct mirror *e = &m->m[q][i];
			if (e->place != HELD) continue;
			e->place = e->receives == m->receives_max ? DEAD : WAITING;
			e->receipt = 0;
		}
}

/* At the end everything that was published and not settled comes, once it may. */
static void model_finish(struct t *t, struct fix *f, struct model *m) {
	for (int n = 0; n < 200; n++) {
		drain(t, f, m);
		for (int q = 0; q < QUEUES; q++)
			for (int i = 0; i < EVENTS; i++) {
				struct mirror *e = &m->m[q][i];
				if (e->place != HELD) continue;
				EXPECT_OK(f->ops->settle(f->b, e->receipt, true, 0, (struct str){ 0 }, 1));
				e->place = DONE;
			}
		fake_clock_advance(&f->w.clock, 10 * NS_PER_SEC);
	}
	int64_t dead = 0;
	for (int q = 0; q < QUEUES; q++)
		for (int i = 0; i < EVENTS; i++) {
			EXPECT(m->m[q][i].place == NOWHERE || m->m[q][i].place == DONE || m->m[q][i].place == DEAD);
			dead += m->m[q][i].place == DEAD;
		}
	struct bus_stats s = stats(f->b, "");
	EXPECT(s.waiting == 0 && s.in_flight == 0 && s.dead == dead);
}

TEST(it_behaves_as_its_model, .seeds = 60) {
	EACH_BACKEND(f) {
		struct model m = { .receives_max = 1 + rng_below(&t->rng, 4) };
		subscribe_all(t, &f, &m);
		for (int n = 0; n < 60; n++) {
			for (int64_t k = rng_below(&t->rng, 4); k > 0; k--)
				model_publish(t, &f, &m, (int)rng_below(&t->rng, EVENTS));
			for (int64_t k = rng_below(&t->rng, 8); k > 0; k--)
				model_settle(t, &f, &m, &m.m[rng_below(&t->rng, QUEUES)][rng_below(&t->rng, EVENTS)]);
			drain(t, &f, &m);
			if (rng_below(&t->rng, 3) == 0) fake_clock_advance(&f.w.clock, rng_below(&t->rng, 40 * NS_PER_SEC));
			if (rng_below(&t->rng, 3) == 0) {
				int64_t due = f.ops->next_due(f.b).ns;
				if (due > f.w.clock.mono.ns && due < INT64_MAX) fake_clock_advance(&f.w.clock, due - f.w.clock.mono.ns);
			}
			drain(t, &f, &m);
			if (rng_below(&t->rng, 10) == 0) model_restart(t, &f, &m);
		}
		model_finish(t, &f, &m);
	}
}

RUN(it_behaves_as_its_model)
