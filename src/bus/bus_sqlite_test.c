/* What is SQLite's own: power that goes, disks that fail, archives that are cut. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "bus/registry.h"
#include "store/test_world.h"

#define URL STR("sqlite:///dir/bus.db")
#define MAX 40

static const char *const names[] = { "one", "two" };

/* What the outside heard of each event. */
struct heard {
	bool asked, published;
	bool acked[2];   /* the ack was acknowledged */
	bool settled[2]; /* an ack was asked for: it may have been done */
	int copies[2];   /* deliveries */
};

static void subscribe(struct t *t, struct bus *b) {
	for (int q = 0; q < 2; q++) {
		struct bus_queue_opts o = { .name = str_of(names[q]),
			                        .pattern = STR("{\"source\":[\"/test\"]}"),
			                        .receives_max = 1000,
			                        .visibility_ns = NS_PER_SEC };
		EXPECT_OK(b->ops->subscribe(b, &o, NULL));
	}
}

static enum err publish(struct t *t, struct bus *b, int i, struct str data) {
	struct event e = {
		.id = str_printf(t->arena, "id-%d", i), .source = STR("/test"), .type = STR("T"), .severity = (double)NAN
	};
	e.data = data;
	return b->ops->publish(b, &e, (uint64_t)i);
}

static bool next(struct bus *b, struct bus_msg *m) {
	for (int i = 0; i < 20; i++)
		if (b->ops->poll(b, m)) return true;
	return false;
}

/* Takes what there is; acks some of what comes. */
static void listen(struct t *t, struct bus *b, struct heard heard[MAX], int64_t ack_share) {
	for (struct bus_msg m; next(b, &m);) {
		if (m.kind == BUS_PUBLISHED && !m.err) heard[m.tag].published = true;
		if (m.kind == BUS_SETTLED && !m.err && m.tag >= 1000) heard[m.tag % 1000].acked[m.tag / 1000 - 1] = true;
		if (m.kind != BUS_DELIVERED) continue;
		int i = atoi(m.event.id.p + 3), q = str_is(m.queue, names[1]);
		EXPECT(heard[i].asked && !heard[i].acked[q]);
		heard[i].copies[q]++;
		if (rng_below(&t->rng, 4) >= ack_share) continue;
		if (b->ops->settle(b, m.receipt, true, 0, (struct str){ 0 }, (uint64_t)(1000 * (q + 1) + i)) == OK)
			heard[i].settled[q] = true;
	}
}

static void work(struct t *t, struct test_world *w, struct bus *b, struct heard heard[MAX]) {
	subscribe(t, b);
	for (int i = 0; i < MAX / 2; i++) {
		if (publish(t, b, i, STR("{\"whole\":true}")) == OK) heard[i].asked = true;
		if (rng_below(&t->rng, 3)) continue;
		listen(t, b, heard, 2);
		fake_clock_advance(&w->clock, NS_PER_SEC / 2);
	}
	listen(t, b, heard, 2);
}

/* After all: every event that was acknowledged is there for each queue that did not ack it; one that was
 * not acknowledged is there whole, for both, or not at all. */
static void check(struct t *t, struct test_world *w, struct heard heard[MAX]) {
	struct bus *b = NULL;
	struct why why = { "" };
	enum err e = bus_open(&w->world, URL, &b, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	subscribe(t, b);
	for (int i = 0; i < MAX; i++) heard[i].copies[0] = heard[i].copies[1] = 0;
	for (int n = 0; n < 4; n++) {
		listen(t, b, heard, 0);
		fake_clock_advance(&w->clock, 2 * NS_PER_SEC);
	}
	bool archived[MAX] = { 0 };
	struct bus_list q = { .limit = 1000 };
	EXPECT_OK(b->admin->list(b, &q, 1));
	for (struct bus_msg m; next(b, &m);) {
		if (m.kind != BUS_LISTED) continue;
		for (size_t i = 0; i < m.count; i++) {
			struct event ev;
			EXPECT_OK(event_parse(t->arena, m.list[i].event, &ev, NULL));
			EXPECT(str_is(ev.data, "{\"whole\":true}"));
			archived[atoi(ev.id.p + 3)] = true;
		}
	}
	for (int i = 0; i < MAX; i++) {
		if (heard[i].published) EXPECT(archived[i]);
		for (int k = 0; k < 2; k++) {
			EXPECT(!(heard[i].acked[k] && heard[i].copies[k]));
			if (archived[i] && !heard[i].settled[k]) EXPECT(heard[i].copies[k] > 0);
			if (!archived[i]) EXPECT(heard[i].copies[k] == 0);
		}
	}
	/* And it goes on. */
	EXPECT_OK(publish(t, b, MAX - 1, STR("{\"whole\":true}")));
	heard[MAX - 1].asked = true;
	listen(t, b, heard, 0);
	EXPECT(heard[MAX - 1].published && heard[MAX - 1].copies[0] == 1 && heard[MAX - 1].copies[1] == 1);
	bus_close(b);
}

static bool run_dark(struct t *t, int64_t at) {
	struct test_world w;
	struct bus *b = NULL;
	struct heard heard[MAX] = { 0 };
	test_world_init(&w, t->seed);
	w.disk.crash_at = at;
	if (!bus_open(&w.world, URL, &b, NULL)) work(t, &w, b, heard);
	bus_close(b);
	bool dark = w.disk.crashed;
	test_world_crash(&w);
	check(t, &w, heard);
	test_world_done(&w);
	return dark;
}

TEST(no_moment_to_lose_power_loses_an_acknowledged_event, .seeds = 4) {
	int64_t at = 1;
	while (run_dark(t, at)) at++;
	EXPECT(at > 30);
}

static bool run_failing(struct t *t, int64_t at, enum err with, int64_t times) {
	struct test_world w;
	struct bus *b = NULL;
	struct why why = { "" };
	struct heard heard[MAX] = { 0 };
	test_world_init(&w, t->seed);
	w.disk.fail_at = at;
	w.disk.fail_with = with;
	w.disk.fail_count = times;
	enum err e = bus_open(&w.world, URL, &b, &why);
	EXPECT(!e || why.text[0]);
	if (!e) work(t, &w, b, heard);
	bool failed = w.disk.operations >= at;
	w.disk.fail_at = 0;
	/* The same process goes on once the disk is well: the next publish comes through at once, to every queue;
	 * what failed is asked for again; in the end nothing is left waiting or held. */
	if (b) {
		EXPECT_OK(publish(t, b, MAX - 2, STR("{\"whole\":true}")));
		heard[MAX - 2].asked = true;
		listen(t, b, heard, 0);
		EXPECT(heard[MAX - 2].published);
	}
	for (int n = 0; b && n < 6; n++) {
		fake_clock_advance(&w.clock, 2 * NS_PER_SEC);
		listen(t, b, heard, 4);
	}
	for (int i = 0; b && i < MAX; i++)
		if (heard[i].published) EXPECT(heard[i].copies[0] && heard[i].copies[1]);
	if (b) {
		struct bus_stats s;
		b->admin->stats(b, (struct str){ 0 }, &s);
		EXPECT(s.waiting == 0 && s.in_flight == 0 && s.dead == 0);
	}
	bus_close(b);
	check(t, &w, heard);
	test_world_done(&w);
	return failed;
}

TEST(no_failing_operation_loses_an_acknowledged_event, .seeds = 2) {
	static const enum err errors[] = { ERR_IO, ERR_NOSPACE };
	for (int i = 0; i < 4; i++) {
		int64_t at = 1;
		while (run_failing(t, at, errors[i % 2], i < 2 ? 1 : 0)) at++;
		EXPECT(at > 30);
	}
}

static struct bus *start(struct t *t, struct test_world *w, const char *url) {
	struct bus *b = NULL;
	struct why why = { "" };
	test_world_init(w, t->seed);
	enum err e = bus_open(&w->world, str_of(url), &b, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	return b;
}

static struct bus_stats stats(struct bus *b, const char *queue) {
	struct bus_stats s;
	b->admin->stats(b, str_of(queue), &s);
	return s;
}

static enum err published(struct t *t, struct bus *b, int i, struct str data) {
	EXPECT_OK(publish(t, b, i, data));
	for (struct bus_msg m; next(b, &m);)
		if (m.kind == BUS_PUBLISHED) return m.err;
	return ERR_TIMEOUT;
}

/* By age, never what a queue waits for, never the newest, whose position must not come twice. */
TEST(the_archive_lets_the_old_go) {
	struct test_world w;
	struct bus *b = start(t, &w, "sqlite:///bus.db?age=1h");
	for (int i = 0; i < 300; i++) EXPECT_OK(published(t, b, i, (struct str){ 0 }));
	EXPECT(stats(b, "").archived == 300);
	fake_clock_advance(&w.clock, 2 * 60 * NS_PER_MIN);
	for (int n = 0; n < 20; n++) {
		struct bus_msg m;
		while (next(b, &m)) {}
		fake_clock_advance(&w.clock, NS_PER_MIN);
	}
	EXPECT(stats(b, "").archived == 1);
	EXPECT_OK(published(t, b, 300, (struct str){ 0 }));
	EXPECT(stats(b, "").archived == 2 || stats(b, "").archived == 1);
	struct bus_list q = { .limit = 10, .newest_first = true };
	EXPECT_OK(b->admin->list(b, &q, 1));
	struct bus_msg m;
	EXPECT(next(b, &m) && m.kind == BUS_LISTED && m.list[0].position == 301);

	subscribe(t, b);
	for (int i = 400; i < 500; i++) EXPECT_OK(published(t, b, i, (struct str){ 0 }));
	for (int n = 0; n < 10; n++) {
		while (next(b, &m)) {}
		fake_clock_advance(&w.clock, 60 * NS_PER_MIN);
	}
	EXPECT(stats(b, "").archived >= 100 && stats(b, "one").waiting + stats(b, "one").in_flight == 100);
	bus_close(b);
	test_world_done(&w);
}

/* By bytes: what nobody waits for goes first; where all is waited for, publishers are told to wait, and
 * once somebody has taken something, they may go on. */
TEST(a_full_bus_pushes_back) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///bus.db?bytes=1MiB");
	char *text = arena_take(t->arena, 10000, 1);
	memset(text, '1', 10000);
	text[0] = text[9999] = '"';
	struct str data = { text, 10000 };
	for (int i = 0; i < 500; i++) EXPECT_OK(published(t, b, i, data));
	EXPECT(stats(b, "").archived < 150 && stats(b, "").archived > 20);

	subscribe(t, b);
	int i = 1000;
	while (published(t, b, i, data) == OK && i < 2000) i++;
	EXPECT(i > 1020 && i < 1200);
	EXPECT(stats(b, "one").waiting + stats(b, "one").in_flight == i - 1000);
	EXPECT_ERR(published(t, b, i, data), ERR_FULL);

	/* What was received is acknowledged, step by step. */
	int acked = 0;
	for (int n = 0; n < 10; n++) {
		fake_clock_advance(&w.clock, 2 * NS_PER_SEC);
		while (next(b, &m)) {
			if (m.kind != BUS_DELIVERED) continue;
			EXPECT_OK(b->ops->settle(b, m.receipt, true, 0, (struct str){ 0 }, 1));
			acked++;
		}
	}
	EXPECT(acked == 2 * (i - 1000));
	fake_clock_advance(&w.clock, 2 * NS_PER_SEC);
	(void)published(t, b, i, data); /* it looks again */
	EXPECT_OK(published(t, b, i + 1, data));
	bus_close(b);
	test_world_done(&w);
}

/* Dead letters outlive the archive, and come back even then; in the end they go, too. */
TEST(a_dead_letter_outlives_its_event) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///bus.db?age=1m&dead=10h");
	struct bus_queue_opts o = { .name = STR("q"), .pattern = STR("{\"source\":[\"/test\"]}"), .receives_max = 1 };
	EXPECT_OK(b->ops->subscribe(b, &o, NULL));
	for (int round = 0; round < 2; round++) {
		EXPECT_OK(publish(t, b, 1, STR("{\"whole\":true}")));
		EXPECT(next(b, &m) && m.kind == BUS_PUBLISHED && next(b, &m) && m.kind == BUS_DELIVERED && m.receives == 1);
		EXPECT_OK(b->ops->settle(b, m.receipt, false, 0, STR("no"), 1));
		while (next(b, &m)) {}
		EXPECT(stats(b, "q").dead == 1);
		for (int i = 0; i < 3; i++) {
			fake_clock_advance(&w.clock, 2 * NS_PER_MIN);
			EXPECT_OK(publish(t, b, 10 + 3 * round + i, STR("{}")));
			while (next(b, &m)) {
				if (m.kind == BUS_DELIVERED) EXPECT_OK(b->ops->settle(b, m.receipt, true, 0, (struct str){ 0 }, 1));
			}
		}
		EXPECT_OK(b->admin->change(b, BUS_REDRIVE, STR("q"), 2));
		EXPECT(next(b, &m) && m.kind == BUS_SETTLED && m.err == OK && next(b, &m) && m.kind == BUS_DELIVERED);
		EXPECT(str_is(m.event.id, "id-1") && str_is(m.event.data, "{\"whole\":true}") && m.receives == 1);
		/* First it is settled for good and comes anew, then it dies again. */
		EXPECT_OK(b->ops->settle(b, m.receipt, round == 0, 0, round ? STR("again") : (struct str){ 0 }, 1));
		while (next(b, &m)) {}
		for (int i = 0; i < 3; i++) {
			fake_clock_advance(&w.clock, 2 * NS_PER_MIN);
			EXPECT_OK(published(t, b, 20 + 3 * round + i, STR("{}")));
			while (next(b, &m))
				if (m.kind == BUS_DELIVERED) EXPECT_OK(b->ops->settle(b, m.receipt, true, 0, (struct str){ 0 }, 1));
		}
	}
	EXPECT(stats(b, "q").dead == 1);
	fake_clock_advance(&w.clock, 11 * 60 * NS_PER_MIN);
	while (next(b, &m)) {}
	EXPECT(stats(b, "q").dead == 0);
	bus_close(b);
	test_world_done(&w);
}

/* What is held back for longer than the archive keeps its events is kept all the same. */
TEST(what_is_held_back_is_not_let_go) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///bus.db?age=1m");
	struct bus_queue_opts o = { .name = STR("q"), .pattern = STR("{\"source\":[\"/test\"]}") };
	EXPECT_OK(b->ops->subscribe(b, &o, NULL));
	for (int i = 0; i < 20; i++) {
		EXPECT_OK(publish(t, b, i, STR("{\"whole\":true}")));
		while (next(b, &m)) {
			if (m.kind != BUS_DELIVERED) continue;
			bool later = atoi(m.event.id.p + 3) == 3 && m.receives == 1;
			EXPECT_OK(
				b->ops->settle(b, m.receipt, !later, 60 * NS_PER_MIN, later ? STR("later") : (struct str){ 0 }, 1));
		}
		fake_clock_advance(&w.clock, NS_PER_MIN);
	}
	EXPECT(stats(b, "").archived == 17 && stats(b, "q").waiting == 1);
	fake_clock_advance(&w.clock, 60 * NS_PER_MIN);
	EXPECT(next(b, &m) && m.kind == BUS_DELIVERED && str_is(m.event.id, "id-3") && m.receives == 2);
	bus_close(b);
	test_world_done(&w);
}

/* A dead letter whose event was let go, and then came a second time, does not make a third of it. */
TEST(a_redriven_event_that_came_again_is_one) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///bus.db?age=1m");
	struct bus_queue_opts o = { .name = STR("q"),
		                        .pattern = STR("{\"source\":[\"/test\"],\"id\":[\"id-1\"]}"),
		                        .receives_max = 1 };
	EXPECT_OK(b->ops->subscribe(b, &o, NULL));
	EXPECT_OK(publish(t, b, 1, STR("{}")));
	while (next(b, &m))
		if (m.kind == BUS_DELIVERED) EXPECT_OK(b->ops->settle(b, m.receipt, false, 0, STR("no"), 1));
	EXPECT(stats(b, "q").dead == 1);
	for (int i = 10; i < 13; i++) {
		fake_clock_advance(&w.clock, 2 * NS_PER_MIN);
		EXPECT_OK(published(t, b, i, STR("{}")));
	}
	EXPECT_OK(published(t, b, 1, STR("{}")));
	EXPECT(next(b, &m) && m.kind == BUS_DELIVERED && m.receives == 1);
	uint64_t receipt = m.receipt;
	EXPECT_OK(b->admin->change(b, BUS_REDRIVE, (struct str){ 0 }, 2));
	EXPECT(next(b, &m) && m.kind == BUS_SETTLED && m.err == OK && !next(b, &m));
	EXPECT_OK(b->ops->settle(b, receipt, true, 0, (struct str){ 0 }, 1));
	while (next(b, &m)) EXPECT(m.kind == BUS_SETTLED && m.err == OK);
	EXPECT(stats(b, "q").waiting == 0 && stats(b, "q").in_flight == 0 && stats(b, "q").dead == 0);
	bus_close(b);
	test_world_done(&w);
}

/* A subscription that could not be saved is asked for again, without anybody publishing. */
TEST(a_subscription_that_failed_is_repeated) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///dir/bus.db");
	subscribe(t, b);
	EXPECT_OK(published(t, b, 1, STR("{}")));
	bus_close(b);
	EXPECT_OK(bus_open(&w.world, URL, &b, NULL));
	w.disk.fail_at = 1;
	w.disk.fail_with = ERR_NOSPACE;
	subscribe(t, b);
	EXPECT(!next(b, &m));
	w.disk.fail_at = 0;
	int64_t due = b->ops->next_due(b).ns;
	EXPECT(due > w.clock.mono.ns && due <= w.clock.mono.ns + NS_PER_SEC);
	fake_clock_advance(&w.clock, due - w.clock.mono.ns);
	int got = 0;
	while (next(b, &m)) got += m.kind == BUS_DELIVERED;
	EXPECT(got == 2);
	bus_close(b);
	test_world_done(&w);
}

/* A clock that was years ahead when an event was given back holds it for no longer than may be asked for. */
TEST(a_wrong_clock_holds_nothing_back_for_ever) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///dir/bus.db");
	bus_close(b);
	struct wall right = w.clock.wall;
	w.clock.wall.ns += 3650 * NS_PER_DAY;
	EXPECT_OK(bus_open(&w.world, URL, &b, NULL));
	subscribe(t, b);
	EXPECT_OK(publish(t, b, 1, STR("{}")));
	while (next(b, &m))
		if (m.kind == BUS_DELIVERED) EXPECT_OK(b->ops->settle(b, m.receipt, false, NS_PER_MIN, STR("later"), 1));
	bus_close(b);
	w.clock.wall = right;
	EXPECT_OK(bus_open(&w.world, URL, &b, NULL));
	subscribe(t, b);
	EXPECT(!next(b, &m));
	fake_clock_advance(&w.clock, BUS_DELAY_MAX);
	int got = 0;
	while (next(b, &m)) got += m.kind == BUS_DELIVERED;
	EXPECT(got == 2);
	bus_close(b);
	test_world_done(&w);
}

/* A burst of publishes, the receives that follow and their acks: few commits, not one each. */
TEST(a_burst_is_one_commit) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///bus.db");
	struct bus_queue_opts o = { .name = STR("q"), .pattern = STR("{\"source\":[\"/test\"]}") };
	EXPECT_OK(b->ops->subscribe(b, &o, NULL));
	while (next(b, &m)) {}
	int64_t before = w.disk.operations;
	EXPECT_OK(published(t, b, 0, (struct str){ 0 }));
	int64_t single = w.disk.operations - before;
	before = w.disk.operations;
	for (int i = 1; i <= 50; i++) EXPECT_OK(publish(t, b, i, (struct str){ 0 }));
	int got = 0;
	while (next(b, &m)) {
		if (m.kind != BUS_DELIVERED) continue;
		EXPECT_OK(b->ops->settle(b, m.receipt, true, 0, (struct str){ 0 }, 1));
		got++;
	}
	EXPECT(got == 51 && w.disk.operations - before < 4 * single);
	bus_close(b);
	test_world_done(&w);
}

/* At least once means that this may happen at any time; the fault makes it happen at once. */
TEST(the_fault_delivers_twice) {
	struct test_world w;
	struct bus_msg m;
	struct bus *b = start(t, &w, "sqlite:///bus.db");
	struct bus_queue_opts o = { .name = STR("q"), .pattern = STR("{\"source\":[\"/test\"]}") };
	EXPECT_OK(b->ops->subscribe(b, &o, NULL));
	w.fault = "bus.twice";
	EXPECT_OK(publish(t, b, 1, STR("{}")));
	EXPECT(next(b, &m) && m.kind == BUS_PUBLISHED && next(b, &m) && m.kind == BUS_DELIVERED && m.receives == 1);
	w.fault = NULL;
	EXPECT(next(b, &m) && m.kind == BUS_DELIVERED && m.receives == 2);
	EXPECT_OK(b->ops->settle(b, m.receipt, true, 0, (struct str){ 0 }, 1));
	EXPECT(next(b, &m) && m.kind == BUS_SETTLED && m.err == OK && !next(b, &m));
	bus_close(b);
	test_world_done(&w);
}

RUN(no_moment_to_lose_power_loses_an_acknowledged_event, no_failing_operation_loses_an_acknowledged_event,
    the_archive_lets_the_old_go, a_full_bus_pushes_back, a_dead_letter_outlives_its_event,
    what_is_held_back_is_not_let_go, a_redriven_event_that_came_again_is_one, a_subscription_that_failed_is_repeated,
    a_wrong_clock_holds_nothing_back_for_ever, a_burst_is_one_commit, the_fault_delivers_twice)
