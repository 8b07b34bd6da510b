#include "store/lease.h"

#include <string.h>

#include "base/json.h"
#include "base/test.h"
#include "store/test_world.h"

#define TERM (10 * NS_PER_SEC)
#define MAX  3

struct fix {
	struct test_world w;
	struct state *s[MAX]; /* a handle for each contender */
	struct lease *l[MAX];
};

static struct lease *contender(struct t *t, struct fix *f, int i) {
	struct lease *l = NULL;
	struct lease_opts o = {
		.state = f->s[i], .clock = &f->w.clock.clock, .name = STR("control"), .term_ns = TERM, .tag = 9
	};
	o.holder = str_printf(t->arena, "host/%d", i);
	EXPECT_OK(lease_new(t->arena, o, &l));
	return l;
}

static void start(struct t *t, struct fix *f) {
	*f = (struct fix){ 0 };
	test_world_init(&f->w, t->seed);
	EXPECT_OK(state_open(&f->w.world, STR("sqlite:///state.db"), &f->s[0], NULL));
	for (int i = 1; i < MAX; i++) EXPECT_OK(f->s[0]->ops->attach(f->s[0], &f->s[i]));
	for (int i = 0; i < MAX; i++) f->l[i] = contender(t, f, i);
}

static void stop(struct fix *f) {
	for (int i = 0; i < MAX; i++) state_close(f->s[i]);
	test_world_done(&f->w);
}

static void turn(struct t *t, struct fix *f, int i) {
	struct state_done d;
	lease_step(f->l[i]);
	while (state_poll(f->s[i], &d)) EXPECT(lease_take(f->l[i], &d));
}

static void settle(struct t *t, struct fix *f, int i) {
	for (int n = 0; n < 4; n++) turn(t, f, i);
}

/* A write of contender i under `guard`; whether it came through. */
static bool guarded(struct t *t, struct fix *f, int i, struct state_write guard) {
	struct state_write w[] = { { .effect = STATE_PUT, .key = STR("effect"), .value = STR("x") }, guard };
	struct state_done d = { 0 };
	EXPECT_OK(state_transact(f->s[i], w, 2, 1));
	for (int n = 0; n < 100; n++) {
		if (!state_poll(f->s[i], &d)) continue;
		if (lease_take(f->l[i], &d)) continue;
		EXPECT(d.tag == 1 && (d.err == OK || d.err == ERR_IO || (d.err == ERR_CONFLICT && d.failed == 1)));
		return d.err == OK;
	}
	EXPECT(!"an answer");
	return false;
}

TEST(the_first_takes_it_and_keeps_it) {
	struct fix f;
	start(t, &f);
	EXPECT(!lease_held(f.l[0]) && lease_token(f.l[0]) == 0);
	EXPECT(!guarded(t, &f, 0, lease_guard(f.l[0])));
	for (int n = 0; n < 100; n++) {
		settle(t, &f, 0);
		settle(t, &f, 1);
		EXPECT(lease_held(f.l[0]) && lease_token(f.l[0]) == 1 && !lease_held(f.l[1]));
		EXPECT(guarded(t, &f, 0, lease_guard(f.l[0])));
		int64_t due = lease_next_due(f.l[0]).ns;
		EXPECT(due > f.w.clock.mono.ns && due <= f.w.clock.mono.ns + TERM / 3);
		fake_clock_advance(&f.w.clock, due - f.w.clock.mono.ns);
	}
	stop(&f);
}

/* A paused holder is followed after its term, not before; what it sends after that is refused, also
 * when it looked at the lease before the pause. */
TEST(a_paused_holder_is_followed_and_fenced) {
	struct fix f;
	start(t, &f);
	settle(t, &f, 0);
	settle(t, &f, 1);
	struct state_write guard = lease_guard(f.l[0]);
	fake_clock_advance(&f.w.clock, TERM - 1);
	settle(t, &f, 1);
	EXPECT(!lease_held(f.l[0]) && !lease_held(f.l[1]));
	EXPECT(guarded(t, &f, 0, guard)); /* nobody else has it yet */
	fake_clock_advance(&f.w.clock, 1);
	settle(t, &f, 1);
	EXPECT(lease_held(f.l[1]) && lease_token(f.l[1]) == 2);
	EXPECT(!guarded(t, &f, 0, guard));
	EXPECT(!lease_held(f.l[0]));
	settle(t, &f, 0);
	EXPECT(!lease_held(f.l[0]) && guarded(t, &f, 1, lease_guard(f.l[1])));
	stop(&f);
}

TEST(a_renewal_does_not_disturb_what_is_on_its_way) {
	struct fix f;
	start(t, &f);
	settle(t, &f, 0);
	struct state_write guard = lease_guard(f.l[0]);
	for (int i = 0; i < 5; i++) {
		fake_clock_advance(&f.w.clock, TERM / 3);
		settle(t, &f, 0);
	}
	EXPECT(guarded(t, &f, 0, guard));
	stop(&f);
}

TEST(a_lease_given_back_is_taken_at_once) {
	struct fix f;
	start(t, &f);
	settle(t, &f, 0);
	settle(t, &f, 1);
	lease_release(f.l[0]);
	EXPECT(!lease_held(f.l[0]));
	settle(t, &f, 0);
	EXPECT(lease_next_due(f.l[0]).ns == INT64_MAX);
	fake_clock_advance(&f.w.clock, TERM / 3);
	settle(t, &f, 1);
	EXPECT(lease_held(f.l[1]) && lease_token(f.l[1]) == 2);
	settle(t, &f, 0);
	EXPECT(!lease_held(f.l[0]));
	stop(&f);
}

/* A disk that fails: the holder keeps what it has until its time is over, and no longer. */
TEST(a_holder_that_cannot_renew_stops_in_time) {
	struct fix f;
	start(t, &f);
	settle(t, &f, 0);
	f.w.disk.fail_at = 1;
	f.w.disk.fail_with = ERR_IO;
	fake_clock_advance(&f.w.clock, TERM / 2);
	settle(t, &f, 0);
	EXPECT(lease_held(f.l[0]));
	fake_clock_advance(&f.w.clock, TERM / 10 * 4);
	EXPECT(!lease_held(f.l[0]) && lease_token(f.l[0]) == 0);
	f.w.disk.fail_at = 0;
	for (int i = 0; i < 3; i++) {
		settle(t, &f, 0);
		fake_clock_advance(&f.w.clock, TERM / 3);
	}
	settle(t, &f, 0);
	EXPECT(lease_held(f.l[0]) && lease_token(f.l[0]) == 1);
	stop(&f);
}

TEST(options_out_of_range_are_refused) {
	struct fix f;
	struct lease *l = NULL;
	start(t, &f);
	struct lease_opts o = {
		.state = f.s[0], .clock = &f.w.clock.clock, .name = STR("n"), .holder = STR("h"), .term_ns = TERM
	};
	struct lease_opts p = o;
	p.name.n = 0;
	EXPECT_ERR(lease_new(t->arena, p, &l), ERR_INVALID);
	p = o, p.holder.n = 0;
	EXPECT_ERR(lease_new(t->arena, p, &l), ERR_INVALID);
	p = o, p.term_ns = NS_PER_SEC - 1;
	EXPECT_ERR(lease_new(t->arena, p, &l), ERR_INVALID);
	p = o, p.term_ns = 60 * NS_PER_MIN + 1;
	EXPECT_ERR(lease_new(t->arena, p, &l), ERR_INVALID);
	stop(&f);
}

/* Whoever steps when, however long each pauses, and whatever the disk refuses: never two hold it, the
 * token of what comes through never falls, and somebody gets it again. */
TEST(never_two_hold_it, .seeds = 60) {
	struct fix f;
	start(t, &f);
	uint64_t highest = 0, writes = 0;
	for (int n = 0; n < 400; n++) {
		int i = (int)rng_below(&t->rng, MAX);
		if (rng_below(&t->rng, 3)) turn(t, &f, i);
		int holders = 0;
		for (int k = 0; k < MAX; k++) {
			holders += lease_held(f.l[k]);
			if (!lease_held(f.l[k])) continue;
			EXPECT(lease_token(f.l[k]) >= highest);
			highest = lease_token(f.l[k]);
		}
		EXPECT(holders <= 1);
		struct state_write guard = lease_guard(f.l[i]);
		if (rng_below(&t->rng, 4) == 0 && guarded(t, &f, i, guard)) {
			EXPECT(guard.version >= highest);
			highest = guard.version;
			writes++;
		}
		f.w.disk.fail_at = rng_below(&t->rng, 10) == 0 ? 1 : 0;
		f.w.disk.fail_with = ERR_IO;
		fake_clock_advance(&f.w.clock,
		                   rng_below(&t->rng, 4) ? rng_below(&t->rng, NS_PER_SEC) : rng_below(&t->rng, 2 * TERM));
	}
	f.w.disk.fail_at = 0;
	for (int n = 0; n < 12; n++) {
		settle(t, &f, 1);
		fake_clock_advance(&f.w.clock, TERM / 3);
	}
	settle(t, &f, 1);
	EXPECT(lease_held(f.l[1]) && highest > 0);
	stop(&f);
}

RUN(the_first_takes_it_and_keeps_it, a_paused_holder_is_followed_and_fenced,
    a_renewal_does_not_disturb_what_is_on_its_way, a_lease_given_back_is_taken_at_once,
    a_holder_that_cannot_renew_stops_in_time, options_out_of_range_are_refused, never_two_hold_it)
