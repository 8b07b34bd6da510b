/* What every bus back end promises, run over the table in registry.c. */
#include "bus/test_rig.h"

TEST(an_event_comes_as_it_was_sent) {
	EACH_BACKEND(f) {
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		EXPECT_OK(publish(t, f.b, 1));
		struct bus_msg m = deliver(t, f.b, 1, 1);
		struct buf text;
		buf_init(&text, 0);
		struct event e = event(t, 1);
		event_write(&e, &text);
		EXPECT(str_eq(m.text, buf_get(&text)) && str_is(m.queue, "q"));
		EXPECT(str_is(m.event.subject, "service/s1") && str_is(m.event.data, "{\"i\":1}"));
		buf_done(&text);
		EXPECT_OK(settle(t, f.b, m.receipt, true, 0, ""));
		EXPECT(quiet(f.b));
		struct bus_stats s = stats(f.b, "q");
		EXPECT(s.waiting == 0 && s.in_flight == 0 && s.dead == 0 && s.archived == 1 && s.oldest_age_ns == 0);
	}
}

TEST(a_queue_gets_what_its_pattern_matches) {
	EACH_BACKEND(f) {
		subscribe(t, f.b,
		          (struct bus_queue_opts){ .name = STR("low"),
		                                   .pattern = STR("{\"data\":{\"i\":[{\"numeric\":[\"<\",3]}]}}") });
		subscribe(t, f.b, (struct bus_queue_opts){ .name = STR("all") });
		subscribe(t, f.b, (struct bus_queue_opts){ .name = STR("none"), .pattern = STR("{\"type\":[\"OTHER\"]}") });
		for (int i = 1; i <= 4; i++) {
			struct event e = event(t, i);
			EXPECT_OK(f.b->ops->publish(f.b, &e, (uint64_t)i));
		}
		int low = 0, all = 0, published = 0;
		for (struct bus_msg m; next(f.b, &m);) {
			published += m.kind == BUS_PUBLISHED;
			if (m.kind != BUS_DELIVERED) continue;
			EXPECT(!str_is(m.queue, "none"));
			if (str_is(m.queue, "low"))
				EXPECT(number(&m) == ++low);
			else
				EXPECT(number(&m) == ++all);
		}
		EXPECT(published == 4 && low == 2 && all == 4);
	}
}

/* What nobody settles comes again, counted; whoever is late hears that it is. */
TEST(what_is_not_settled_comes_again) {
	EACH_BACKEND(f) {
		subscribe(t, f.b, (struct bus_queue_opts){ .visibility_ns = 10 * NS_PER_SEC });
		EXPECT_OK(publish(t, f.b, 1));
		uint64_t first = deliver(t, f.b, 1, 1).receipt;
		fake_clock_advance(&f.w.clock, 10 * NS_PER_SEC - 1);
		EXPECT(quiet(f.b) && stats(f.b, "q").in_flight == 1);
		EXPECT(stats(f.b, "q").oldest_age_ns == 10 * NS_PER_SEC - 1);
		EXPECT(f.ops->next_due(f.b).ns == f.w.clock.mono.ns + 1);
		fake_clock_advance(&f.w.clock, 1);
		uint64_t second = deliver(t, f.b, 1, 2).receipt;
		EXPECT_ERR(settle(t, f.b, first, true, 0, ""), ERR_GONE);
		fake_clock_advance(&f.w.clock, 10 * NS_PER_SEC); /* over, though nobody has looked yet */
		EXPECT_OK(f.ops->settle(f.b, second, true, 0, (struct str){ 0 }, 98));
		EXPECT_ERR(wait_msg(t, f.b, BUS_SETTLED).err, ERR_GONE);
		second = deliver(t, f.b, 1, 3).receipt;
		EXPECT_OK(settle(t, f.b, second, true, 0, ""));
		EXPECT_ERR(settle(t, f.b, second, true, 0, ""), ERR_GONE);
		fake_clock_advance(&f.w.clock, NS_PER_DAY);
		EXPECT(quiet(f.b));
	}
}

TEST(a_receipt_that_never_was_is_gone) {
	EACH_BACKEND(f) {
		EXPECT_ERR(settle(t, f.b, 0, true, 0, ""), ERR_GONE);
		EXPECT_ERR(settle(t, f.b, UINT64_MAX, true, 0, ""), ERR_GONE);
	}
}

TEST(who_works_longer_extends) {
	EACH_BACKEND(f) {
		subscribe(t, f.b, (struct bus_queue_opts){ .visibility_ns = 10 * NS_PER_SEC });
		EXPECT_OK(publish(t, f.b, 1));
		uint64_t receipt = deliver(t, f.b, 1, 1).receipt;
		for (int i = 0; i < 5; i++) {
			fake_clock_advance(&f.w.clock, 9 * NS_PER_SEC);
			EXPECT_OK(settle(t, f.b, receipt, false, 10 * NS_PER_SEC, ""));
		}
		EXPECT_OK(settle(t, f.b, receipt, true, 0, ""));
		fake_clock_advance(&f.w.clock, NS_PER_DAY);
		EXPECT(quiet(f.b));
	}
}

TEST(what_is_given_back_comes_when_it_is_told_to) {
	EACH_BACKEND(f) {
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		EXPECT_OK(publish(t, f.b, 1));
		uint64_t receipt = deliver(t, f.b, 1, 1).receipt;
		EXPECT_OK(settle(t, f.b, receipt, false, 20 * NS_PER_SEC, "the cluster is away"));
		EXPECT_ERR(settle(t, f.b, receipt, true, 0, ""), ERR_GONE);
		EXPECT(stats(f.b, "q").waiting == 1 && stats(f.b, "q").in_flight == 0);
		EXPECT_OK(publish(t, f.b, 2)); /* others do not wait for it */
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 2, 1).receipt, true, 0, ""));
		EXPECT(f.ops->next_due(f.b).ns == f.w.clock.mono.ns + 20 * NS_PER_SEC);
		fake_clock_advance(&f.w.clock, 20 * NS_PER_SEC - 1);
		EXPECT(quiet(f.b));
		fake_clock_advance(&f.w.clock, 1);
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 1, 2).receipt, false, 0, "now"));
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 1, 3).receipt, true, 0, ""));
	}
}

/* Exponential with full jitter: within the limit that doubles with each receive, and not always alike. */
TEST(it_backs_off_further_and_further) {
	EACH_BACKEND(f) {
		int64_t most = 0, least = INT64_MAX;
		subscribe(t, f.b,
		          (struct bus_queue_opts){
					  .receives_max = 1000, .backoff_min_ns = NS_PER_SEC, .backoff_max_ns = 30 * NS_PER_SEC });
		EXPECT_OK(publish(t, f.b, 1));
		struct bus_msg m = deliver(t, f.b, 1, 1);
		for (int n = 1; n <= 60; n++) {
			EXPECT_OK(settle(t, f.b, m.receipt, false, -1, "no"));
			int64_t limit = n > 5 ? 30 * NS_PER_SEC : NS_PER_SEC << (n - 1), since = f.w.clock.mono.ns;
			while (!next(f.b, &m)) { /* woken when it says, perhaps for nothing */
				int64_t due = f.ops->next_due(f.b).ns;
				EXPECT(due > f.w.clock.mono.ns && due <= since + limit);
				fake_clock_advance(&f.w.clock, due - f.w.clock.mono.ns);
			}
			EXPECT(m.kind == BUS_DELIVERED && m.receives == n + 1);
			int64_t waited = f.w.clock.mono.ns - since;
			if (waited > most) most = waited;
			if (n > 5 && waited < least) least = waited;
		}
		EXPECT(most > 15 * NS_PER_SEC && least < 5 * NS_PER_SEC);
	}
}

static size_t list_dead(struct t *t, struct bus *b, const char *queue, struct bus_listed *out) {
	struct bus_list q = { .dead = true, .queue = str_of(queue), .limit = 10 };
	EXPECT_OK(b->admin->list(b, &q, 55));
	struct bus_msg m = wait_msg(t, b, BUS_LISTED);
	EXPECT(m.tag == 55 && !m.err && !m.more);
	for (size_t i = 0; i < m.count; i++) {
		out[i] = m.list[i];
		out[i].queue = str_copy(t->arena, out[i].queue);
		out[i].reason = str_copy(t->arena, out[i].reason);
		out[i].event = str_copy(t->arena, out[i].event);
	}
	return m.count;
}

static void change(struct t *t, struct bus *b, enum bus_admin what, const char *queue) {
	EXPECT_OK(b->admin->change(b, what, str_of(queue), 56));
	struct bus_msg m = wait_msg(t, b, BUS_SETTLED);
	EXPECT(m.tag == 56 && m.err == OK);
}

TEST(what_fails_too_often_goes_to_the_dead_letters_with_its_reason) {
	EACH_BACKEND(f) {
		struct bus_listed dead[10];
		subscribe(t, f.b, (struct bus_queue_opts){ .receives_max = 2 });
		EXPECT_OK(publish(t, f.b, 1));
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 1, 1).receipt, false, 0, "first"));
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 1, 2).receipt, false, 0, "the last straw"));
		EXPECT(quiet(f.b));
		EXPECT(stats(f.b, "q").dead == 1 && stats(f.b, "q").waiting == 0 && stats(f.b, "").dead == 1);
		EXPECT(list_dead(t, f.b, "q", dead) == 1);
		EXPECT(str_is(dead[0].queue, "q") && dead[0].receives == 2);
		EXPECT(str_is(dead[0].reason, "received 2 times: the last straw"));
		struct event e;
		EXPECT_OK(event_parse(t->arena, dead[0].event, &e, NULL));
		EXPECT(str_is(e.id, "id-1"));
		reopen(t, &f);
		subscribe(t, f.b, (struct bus_queue_opts){ .receives_max = 2 });
		EXPECT(quiet(f.b) && stats(f.b, "q").dead == 1);

		change(t, f.b, BUS_REDRIVE, "q");
		EXPECT(stats(f.b, "q").dead == 0);
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 1, 1).receipt, true, 0, ""));
		EXPECT(quiet(f.b) && list_dead(t, f.b, "", dead) == 0);
	}
}

TEST(dead_letters_are_redriven_and_purged_by_queue) {
	EACH_BACKEND(f) {
		struct bus_listed dead[10];
		subscribe(t, f.b, (struct bus_queue_opts){ .name = STR("a"), .receives_max = 1 });
		subscribe(t, f.b, (struct bus_queue_opts){ .name = STR("b"), .receives_max = 1 });
		for (int i = 1; i <= 3; i++) {
			struct event e = event(t, i);
			EXPECT_OK(f.b->ops->publish(f.b, &e, 0));
		}
		for (struct bus_msg m; next(f.b, &m);)
			if (m.kind == BUS_DELIVERED) EXPECT_OK(f.ops->settle(f.b, m.receipt, false, 0, STR("no"), 1));
		EXPECT(stats(f.b, "a").dead == 3 && stats(f.b, "b").dead == 3 && stats(f.b, "").dead == 6);
		EXPECT(list_dead(t, f.b, "b", dead) == 3 && list_dead(t, f.b, "", dead) == 6);
		change(t, f.b, BUS_PURGE, "a");
		EXPECT(stats(f.b, "a").dead == 0 && stats(f.b, "b").dead == 3);
		EXPECT(quiet(f.b));
		change(t, f.b, BUS_REDRIVE, "");
		int again = 0;
		for (struct bus_msg m; next(f.b, &m); again++) {
			EXPECT(m.kind == BUS_DELIVERED && str_is(m.queue, "b") && m.receives == 1);
		}
		EXPECT(again == 3);
		EXPECT_ERR(f.b->admin->change(f.b, BUS_PURGE, STR("c"), 1), ERR_NOT_FOUND);
	}
}

/* A crash in the middle of each handling: after as many as are allowed, nobody gets it any more. */
TEST(an_event_that_kills_its_receiver_is_buried) {
	EACH_BACKEND(f) {
		struct bus_listed dead[10];
		subscribe(t, f.b, (struct bus_queue_opts){ .receives_max = 3 });
		EXPECT_OK(publish(t, f.b, 1));
		for (int n = 1; n <= 3; n++) {
			deliver(t, f.b, 1, n);
			reopen(t, &f);
			subscribe(t, f.b, (struct bus_queue_opts){ .receives_max = 3 });
		}
		EXPECT(quiet(f.b));
		EXPECT(list_dead(t, f.b, "q", dead) == 1 && str_is(dead[0].reason, "received 3 times"));
	}
}

TEST(what_is_too_old_is_buried) {
	EACH_BACKEND(f) {
		struct bus_listed dead[10];
		struct bus_queue_opts o = { .age_max_ns = NS_PER_MIN, .name = STR("q"), .receives_max = 100 };
		subscribe(t, f.b, o);
		EXPECT_OK(publish(t, f.b, 1));
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 1, 1).receipt, false, 2 * NS_PER_MIN, "later"));
		fake_clock_advance(&f.w.clock, 2 * NS_PER_MIN);
		EXPECT(quiet(f.b));
		EXPECT(list_dead(t, f.b, "q", dead) == 1 && strncmp(dead[0].reason.p, "older than 1m", 13) == 0);

		/* Also where nobody receives. */
		EXPECT_OK(publish(t, f.b, 2));
		deliver(t, f.b, 2, 1);
		reopen(t, &f);
		fake_clock_advance(&f.w.clock, 2 * NS_PER_MIN);
		EXPECT(quiet(f.b) && stats(f.b, "q").dead == 2);
	}
}

TEST(a_second_publish_changes_nothing) {
	EACH_BACKEND(f) {
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		EXPECT_OK(publish(t, f.b, 1));
		EXPECT_OK(settle(t, f.b, deliver(t, f.b, 1, 1).receipt, true, 0, ""));
		EXPECT_OK(publish(t, f.b, 1));
		EXPECT(quiet(f.b));
		reopen(t, &f);
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		EXPECT_OK(publish(t, f.b, 1));
		EXPECT(quiet(f.b) && stats(f.b, "").archived == 1);
		struct event other = event(t, 1);
		other.source = STR("/else");
		EXPECT_OK(f.ops->publish(f.b, &other, 1));
		wait_msg(t, f.b, BUS_PUBLISHED);
		deliver(t, f.b, 1, 1);
		EXPECT(stats(f.b, "").archived == 2);
	}
}

/* What was acknowledged stays so; what was in flight is seen again at once; a delay goes on. */
TEST(a_restart_loses_nothing) {
	EACH_BACKEND(f) {
		uint64_t receipts[5];
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		for (int i = 1; i <= 4; i++) {
			EXPECT_OK(publish(t, f.b, i));
			receipts[i] = deliver(t, f.b, i, 1).receipt;
		}
		EXPECT_OK(settle(t, f.b, receipts[1], true, 0, ""));
		EXPECT_OK(settle(t, f.b, receipts[2], false, NS_PER_MIN, "later"));
		reopen(t, &f);
		EXPECT(stats(f.b, "q").waiting == 3);
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		deliver(t, f.b, 3, 2);
		deliver(t, f.b, 4, 2);
		EXPECT(quiet(f.b));
		fake_clock_advance(&f.w.clock, 20 * NS_PER_SEC);
		EXPECT(quiet(f.b));
		fake_clock_advance(&f.w.clock, 40 * NS_PER_SEC);
		int again = 0;
		for (struct bus_msg m; next(f.b, &m); again++) EXPECT(number(&m) == 2 ? m.receives == 2 : m.receives == 3);
		EXPECT(again == 3);
	}
}

/* A queue goes on filling when nobody receives from it, and over restarts. */
TEST(a_queue_outlives_its_receiver) {
	EACH_BACKEND(f) {
		subscribe(t, f.b, (struct bus_queue_opts){ .pattern = STR("{\"data\":{\"i\":[2,3]}}") });
		EXPECT_OK(publish(t, f.b, 1));
		reopen(t, &f);
		EXPECT_OK(publish(t, f.b, 2));
		EXPECT(quiet(f.b) && stats(f.b, "q").waiting == 1);
		subscribe(t, f.b, (struct bus_queue_opts){ .pattern = STR("{\"data\":{\"i\":[2,3]}}") });
		deliver(t, f.b, 2, 1);
		/* The newest pattern counts for what comes after it. */
		subscribe(t, f.b, (struct bus_queue_opts){ .pattern = STR("{\"data\":{\"i\":[4]}}") });
		EXPECT_OK(publish(t, f.b, 3));
		EXPECT_OK(publish(t, f.b, 4));
		deliver(t, f.b, 4, 1);
		EXPECT(quiet(f.b));
	}
}

TEST(what_is_in_flight_is_bounded) {
	EACH_BACKEND(f) {
		uint64_t receipts[BUS_IN_FLIGHT_MAX];
		int got = 0;
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		for (int i = 0; i < 200; i++) {
			struct event e = event(t, i);
			EXPECT_OK(f.ops->publish(f.b, &e, 0));
		}
		for (struct bus_msg m; next(f.b, &m);)
			if (m.kind == BUS_DELIVERED) {
				EXPECT(got < BUS_IN_FLIGHT_MAX);
				receipts[got++] = m.receipt;
			}
		EXPECT(got == BUS_IN_FLIGHT_MAX && stats(f.b, "q").in_flight == got && stats(f.b, "q").waiting == 200 - got);
		for (int seen = got; seen < 200; seen++) {
			struct bus_msg m = { 0 };
			EXPECT_OK(f.ops->settle(f.b, receipts[seen % BUS_IN_FLIGHT_MAX], true, 0, (struct str){ 0 }, 1));
			EXPECT(next(f.b, &m) && m.kind == BUS_SETTLED && m.err == OK);
			m = deliver(t, f.b, seen, 1);
			receipts[seen % BUS_IN_FLIGHT_MAX] = m.receipt;
		}
		EXPECT(quiet(f.b) && stats(f.b, "q").waiting == 0);
	}
}

TEST(each_handle_hears_of_its_own) {
	EACH_BACKEND(f) {
		struct bus *other = NULL;
		EXPECT_OK(f.ops->attach(f.b, &other));
		subscribe(t, other, (struct bus_queue_opts){ 0 });
		EXPECT_OK(publish(t, f.b, 1));
		EXPECT(quiet(f.b));
		deliver(t, other, 1, 1);

		/* Whoever subscribes last receives; any handle may settle. */
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		EXPECT_OK(publish(t, other, 2));
		EXPECT(quiet(other));
		uint64_t receipt = deliver(t, f.b, 2, 1).receipt;
		EXPECT_OK(settle(t, other, receipt, true, 0, ""));

		/* What the closed one had comes to the one that receives now. */
		bus_close(other);
		deliver(t, f.b, 1, 2);
		EXPECT(quiet(f.b));
	}
}

/* What one handle's poll brought for another wakes that one; what it then leaves on purpose does not. */
TEST(next_due_tells_of_what_came_meanwhile) {
	EACH_BACKEND(f) {
		struct bus *other = NULL;
		struct bus_msg m;
		EXPECT_OK(f.ops->attach(f.b, &other));
		subscribe(t, other, (struct bus_queue_opts){ 0 });
		EXPECT(quiet(f.b));
		EXPECT(f.ops->next_due(other).ns > f.w.clock.mono.ns);
		for (int i = 1; i <= 3; i++) EXPECT_OK(publish(t, f.b, i));
		EXPECT(f.ops->next_due(other).ns <= f.w.clock.mono.ns);
		EXPECT(f.ops->poll(other, &m) && m.kind == BUS_DELIVERED);
		EXPECT(f.ops->next_due(other).ns > f.w.clock.mono.ns);
		EXPECT(f.ops->poll(other, &m) && f.ops->poll(other, &m) && !f.ops->poll(other, &m));
		bus_close(other);
	}
}

TEST(a_receiver_that_closes_gives_back) {
	EACH_BACKEND(f) {
		struct bus *other = NULL;
		EXPECT_OK(f.ops->attach(f.b, &other));
		subscribe(t, other, (struct bus_queue_opts){ 0 });
		for (int i = 1; i <= 100; i++) EXPECT_OK(publish(t, f.b, i));
		deliver(t, other, 1, 1);
		bus_close(other);
		EXPECT(quiet(f.b) && stats(f.b, "q").in_flight == 0 && stats(f.b, "q").waiting == 100);
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		int got = 0;
		for (struct bus_msg m; next(f.b, &m);) {
			if (m.kind != BUS_DELIVERED) continue;
			EXPECT_OK(f.ops->settle(f.b, m.receipt, true, 0, (struct str){ 0 }, 1));
			got++;
		}
		EXPECT(got == 100 && stats(f.b, "q").waiting == 0 && stats(f.b, "q").in_flight == 0);
	}
}

TEST(what_is_wrong_is_refused_at_once) {
	EACH_BACKEND(f) {
		struct why why = { "" };
		struct event e = event(t, 1);
		static char big[EVENT_BYTES_MAX];
		e.id.n = 0;
		EXPECT_ERR(f.ops->publish(f.b, &e, 1), ERR_INVALID);
		e = event(t, 1), e.source.n = 0;
		EXPECT_ERR(f.ops->publish(f.b, &e, 1), ERR_INVALID);
		e = event(t, 1), e.type.n = 0;
		EXPECT_ERR(f.ops->publish(f.b, &e, 1), ERR_INVALID);
		e = event(t, 1), e.data = STR("{\"half\":");
		EXPECT_ERR(f.ops->publish(f.b, &e, 1), ERR_INVALID);
		memset(big, '1', sizeof big);
		e = event(t, 1), e.data = (struct str){ big, sizeof big };
		EXPECT_ERR(f.ops->publish(f.b, &e, 1), ERR_TOO_LARGE);

		static const struct bus_queue_opts bad[] = {
			{ .name = { "", 0 } },
			{ .name = { "No", 2 } },
			{ .name = { "q", 1 }, .visibility_ns = -1 },
			{ .name = { "q", 1 }, .visibility_ns = BUS_DELAY_MAX + 1 },
			{ .name = { "q", 1 }, .receives_max = 1001 },
			{ .name = { "q", 1 }, .age_max_ns = 1 },
			{ .name = { "q", 1 }, .backoff_min_ns = 2, .backoff_max_ns = 1 },
		};
		for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
			struct bus_queue_opts o = bad[i];
			o.pattern = STR(ALL);
			EXPECT_ERR(f.ops->subscribe(f.b, &o, &why), ERR_INVALID);
		}
		struct bus_queue_opts o = { .name = STR("q"), .pattern = STR("{\"a\":1}") };
		EXPECT_ERR(f.ops->subscribe(f.b, &o, &why), ERR_INVALID);
		EXPECT(strstr(why.text, "queue 'q'") && strstr(why.text, "byte 5"));
		for (int i = 0; i < BUS_QUEUES_MAX; i++)
			subscribe(t, f.b, (struct bus_queue_opts){ .name = str_printf(t->arena, "q%d", i) });
		o.pattern = STR(ALL);
		EXPECT_ERR(f.ops->subscribe(f.b, &o, &why), ERR_FULL);
		struct bus_list q = { .limit = 0 };
		EXPECT_ERR(f.b->admin->list(f.b, &q, 1), ERR_INVALID);
		q.limit = BUS_LIST_MAX + 1;
		EXPECT_ERR(f.b->admin->list(f.b, &q, 1), ERR_INVALID);
		q.limit = 1, q.queue = STR("unknown");
		EXPECT_ERR(f.b->admin->list(f.b, &q, 1), ERR_NOT_FOUND);
		f.w.fault = "bus.full";
		e = event(t, 1);
		EXPECT_ERR(f.ops->publish(f.b, &e, 1), ERR_FULL);
	}
}

/* A back end that does not keep up refuses publishes, and still takes what was received. */
TEST(too_much_that_waits_is_refused) {
	EACH_BACKEND(f) {
		uint64_t receipts[10], taken = 0;
		subscribe(t, f.b, (struct bus_queue_opts){ 0 });
		for (int i = 0; i < 10; i++) {
			EXPECT_OK(publish(t, f.b, i));
			receipts[i] = deliver(t, f.b, i, 1).receipt;
		}
		struct event e = event(t, 10);
		f.w.stalled = true;
		enum err err = OK;
		for (int i = 10; !(err = f.ops->publish(f.b, &e, 7)) && i < 1000000; i++) {
			taken++;
			e.id = str_printf(t->arena, "id-%d", i + 1);
		}
		EXPECT_ERR(err, ERR_FULL);
		for (int i = 0; i < 10; i++) EXPECT_OK(f.ops->settle(f.b, receipts[i], true, 0, (struct str){ 0 }, 8));
		f.w.stalled = false;
		uint64_t published = 0, settled = 0;
		for (struct bus_msg m; next(f.b, &m);) {
			published += m.kind == BUS_PUBLISHED && m.err == OK;
			settled += m.kind == BUS_SETTLED && m.err == OK;
		}
		EXPECT(published == taken && settled == 10);
		EXPECT_OK(f.ops->publish(f.b, &e, 7));
	}
}

/* ---- the archive ---- */

static size_t list(struct t *t, struct bus *b, struct bus_list q, int *first, int *last, bool *more) {
	EXPECT_OK(b->admin->list(b, &q, 57));
	struct bus_msg m = wait_msg(t, b, BUS_LISTED);
	EXPECT(!m.err && m.tag == 57);
	for (size_t i = 0; i < m.count; i++) {
		struct event e;
		EXPECT_OK(event_parse(t->arena, m.list[i].event, &e, NULL));
		if (i == 0) *first = atoi(e.id.p + 3);
		*last = atoi(e.id.p + 3);
		EXPECT(i == 0 || (m.list[i].position > m.list[i - 1].position) == !q.newest_first);
	}
	*more = m.more;
	return m.count;
}

TEST(the_archive_is_listed_by_type_and_time) {
	EACH_BACKEND(f) {
		struct wall times[30];
		int first = 0, last = 0;
		bool more = false;
		EXPECT(list(t, f.b, (struct bus_list){ .limit = 5 }, &first, &last, &more) == 0 && !more);
		EXPECT(list(t, f.b, (struct bus_list){ .limit = 5, .since = { 1 } }, &first, &last, &more) == 0 && !more);
		for (int i = 0; i < 30; i++) {
			struct event e = event(t, i);
			if (i % 3 == 0) e.type = STR("RARE");
			times[i] = f.w.clock.wall;
			EXPECT_OK(f.ops->publish(f.b, &e, 1));
			EXPECT_OK(wait_msg(t, f.b, BUS_PUBLISHED).err);
			fake_clock_advance(&f.w.clock, NS_PER_SEC);
		}
		static const struct {
			struct bus_list q;
			int since; /* of that event; -1: all */
			size_t count;
			int first, last;
			bool more;
		} cases[] = {
			{ { .limit = 1000 }, -1, 30, 0, 29, false },
			{ { .limit = 30 }, -1, 30, 0, 29, false },
			{ { .limit = 29 }, -1, 29, 0, 28, true },
			{ { .limit = 5, .newest_first = true }, -1, 5, 29, 25, true },
			{ { .limit = 5, .type = { "RARE", 4 } }, -1, 5, 0, 12, true },
			{ { .limit = 50, .type = { "RARE", 4 }, .newest_first = true }, -1, 10, 27, 0, false },
			{ { .limit = 50, .type = { "NONE", 4 } }, -1, 0, 0, 0, false },
			{ { .limit = 50 }, 20, 10, 20, 29, false },
			{ { .limit = 50, .newest_first = true }, 20, 10, 29, 20, false },
			{ { .limit = 50 }, 0, 30, 0, 29, false },
		};
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			struct bus_list q = cases[i].q;
			if (cases[i].since >= 0) q.since = times[cases[i].since];
			EXPECT(list(t, f.b, q, &first, &last, &more) == cases[i].count && more == cases[i].more);
			EXPECT(!cases[i].count || (first == cases[i].first && last == cases[i].last));
		}
		struct bus_list future = { .limit = 5, .since = f.w.clock.wall };
		EXPECT(list(t, f.b, future, &first, &last, &more) == 0 && !more);
	}
}

/* In pages, up or down, with a filter that most do not pass: everything once. */
TEST(a_list_goes_on_where_it_ended, .seeds = 8) {
	EACH_BACKEND(f) {
		for (int i = 0; i < 5000; i++) {
			struct event e = event(t, i);
			if (i % 1000 == 0) e.type = STR("RARE");
			EXPECT_OK(f.ops->publish(f.b, &e, 1));
		}
		for (struct bus_msg m; next(f.b, &m);) EXPECT_OK(m.err);
		struct bus_list q = { .limit = 1 + rng_below(&t->rng, 20), .newest_first = t->seed % 2 };
		if (t->seed % 4 < 2) q.type = STR("RARE");
		size_t seen = 0;
		for (bool more = true; more;) {
			EXPECT_OK(f.b->admin->list(f.b, &q, 1));
			struct bus_msg m = wait_msg(t, f.b, BUS_LISTED);
			more = m.more;
			seen += m.count;
			if (m.count) q.after = m.list[m.count - 1].position;
			if (!q.type.n && seen > 300) break;
		}
		EXPECT(q.type.n ? seen == 5 : seen > 300);
	}
}

TEST(an_unknown_scheme_lists_the_known) {
	struct test_world w;
	struct bus *b = NULL;
	struct why why = { "" };
	test_world_init(&w, 1);
	EXPECT_ERR(bus_open(&w.world, STR("aws://x"), &b, &why), ERR_UNSUPPORTED);
	EXPECT(strstr(why.text, "'aws'") && strstr(why.text, "sqlite:"));
	EXPECT_ERR(bus_open(&w.world, STR("sqlite:///x.db?ages=1d"), &b, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "age"));
	test_world_done(&w);
}

RUN(an_event_comes_as_it_was_sent, a_queue_gets_what_its_pattern_matches, what_is_not_settled_comes_again,
    a_receipt_that_never_was_is_gone, who_works_longer_extends, what_is_given_back_comes_when_it_is_told_to,
    it_backs_off_further_and_further, what_fails_too_often_goes_to_the_dead_letters_with_its_reason,
    dead_letters_are_redriven_and_purged_by_queue, an_event_that_kills_its_receiver_is_buried,
    what_is_too_old_is_buried, a_second_publish_changes_nothing, a_restart_loses_nothing, a_queue_outlives_its_receiver,
    what_is_in_flight_is_bounded, each_handle_hears_of_its_own, next_due_tells_of_what_came_meanwhile,
    a_receiver_that_closes_gives_back, what_is_wrong_is_refused_at_once, too_much_that_waits_is_refused,
    the_archive_is_listed_by_type_and_time, a_list_goes_on_where_it_ended, an_unknown_scheme_lists_the_known)
