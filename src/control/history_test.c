#include "control/history.h"

#include <string.h>

#include "base/test.h"

static struct str id(struct t *t, int n) {
	return str_printf(t->arena, "01KE00000000000000000%05d", n);
}

/* Every question against a plain list of the same entries. */
TEST(answers_are_those_of_a_plain_list, .seeds = 300) {
	struct history h;
	EXPECT_OK(history_open(&h));
	struct past list[64];
	size_t n = 1 + (size_t)rng_below(&t->rng, 60);
	int64_t window = 1 + rng_below(&t->rng, 100 * NS_PER_SEC);
	struct mono now = { 200 * NS_PER_SEC };
	for (size_t i = 0; i < n; i++) {
		struct past *p = history_entry(&h, id(t, (int)i));
		p->handler = (uint64_t)rng_below(&t->rng, 3) + 1;
		p->target = (uint64_t)rng_below(&t->rng, 3) + 1;
		p->place = (uint64_t)rng_below(&t->rng, 3) + 1;
		p->state = rng_below(&t->rng, 8) ? ACTION_VERIFIED : ACTION_ACTING;
		p->claimed = rng_below(&t->rng, 4) > 0;
		p->told = rng_below(&t->rng, 4) == 0;
		p->acted.ns = rng_below(&t->rng, 200 * NS_PER_SEC);
		p->pods = (int32_t)rng_below(&t->rng, 5);
		list[i] = *p;
	}
	bool told = rng_below(&t->rng, 2);
	struct history_query q = { now, told, id(t, 0).p };
	struct history_where where = { 1, 2 };
	int64_t actions = 0, pods = 0, since = -1;
	for (size_t i = 1; i < n; i++) {
		const struct past *p = &list[i];
		if (!p->claimed || (p->told && !told)) continue;
		int64_t age = p->state == ACTION_ACTING ? 0 : now.ns - p->acted.ns;
		actions += p->handler == 1 && age < window;
		pods += age < window ? p->pods : 0;
		if (p->target != 1 && p->place != 2) continue;
		if (since < 0 || age < since) since = age;
	}
	EXPECT(history_actions(&h, q, 1, window) == actions);
	EXPECT(history_pods(&h, q, NULL, window).pods == pods);
	EXPECT(history_since(&h, q, &where) == since);
	history_close(&h);
}

TEST(an_entry_is_found_again_and_the_oldest_goes_first) {
	struct history h;
	EXPECT_OK(history_open(&h));
	for (int i = 0; i < HISTORY_MAX + 10; i++) {
		struct past *p = history_entry(&h, id(t, i));
		EXPECT(history_entry(&h, id(t, i)) == p);
		p->claimed = true;
		p->acted.ns = i * NS_PER_SEC;
	}
	EXPECT(h.count == HISTORY_MAX && !history_find(&h, id(t, 9)) && history_find(&h, id(t, 10)));
	/* the next to go is 10, and it is young for a window that reaches back to it */
	struct mono now = { (HISTORY_MAX + 10) * NS_PER_SEC };
	EXPECT(history_full(&h, now, now.ns) && !history_full(&h, now, NS_PER_SEC));
	history_close(&h);
}

TEST(an_attempt_is_counted_for_its_incident_kind_and_target) {
	struct history h;
	EXPECT_OK(history_open(&h));
	struct history_query q = { { 10 }, false, NULL };
	for (int i = 0; i < 6; i++) {
		struct past *p = history_entry(&h, id(t, i));
		memcpy(p->incident, "01KE0000000000000000000001", 27);
		p->incident[25] = (char)('0' + i % 2);
		p->kind = i % 3 ? ACTION_SCALE : ACTION_ROLLOUT_RESTART;
		p->target = 5;
		p->claimed = i != 5;
		p->attempt = i + 1;
	}
	EXPECT(history_attempt(&h, q, STR("01KE0000000000000000000001"), ACTION_ROLLOUT_RESTART, 5) == 4);
	EXPECT(history_attempt(&h, q, STR("01KE0000000000000000000001"), ACTION_SCALE, 5) == 2);
	EXPECT(history_attempt(&h, q, STR("01KE0000000000000000000001"), ACTION_SCALE, 6) == 0);
	history_close(&h);
}

RUN(answers_are_those_of_a_plain_list, an_entry_is_found_again_and_the_oldest_goes_first,
    an_attempt_is_counted_for_its_incident_kind_and_target)
