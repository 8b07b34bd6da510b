#include "base/list.h"

#include "base/test.h"

struct item {
	int id;
	struct list node;
};

#define ITEMS 20

static int id_of(const struct list *node) {
	return container_of(node, struct item, node)->id;
}

/* An array is the twin. */
TEST(a_list_keeps_order_through_any_moves, .seeds = 500) {
	struct item items[ITEMS] = { 0 };
	struct list head;
	int order[ITEMS], n = 0;
	list_init(&head);
	for (int i = 0; i < ITEMS; i++) items[i].id = i;
	for (int step = 0; step < 200; step++) {
		int i = (int)rng_below(&t->rng, ITEMS);
		if (rng_below(&t->rng, 8) == 0) {
			struct list *first = list_shift(&head);
			EXPECT((first == NULL) == (n == 0));
			if (!first) continue;
			EXPECT(id_of(first) == order[0] && !list_linked(first));
			n--;
			for (int k = 0; k < n; k++) order[k] = order[k + 1];
		} else if (list_linked(&items[i].node)) {
			list_remove(&items[i].node);
			int k = 0;
			while (order[k] != i) k++;
			n--;
			for (; k < n; k++) order[k] = order[k + 1];
		} else {
			list_remove(&items[i].node); /* in no list: nothing happens */
			list_push(&head, &items[i].node);
			order[n++] = i;
		}
		int k = 0;
		list_each(it, &head) {
			EXPECT(k < n && id_of(it) == order[k] && it->next->prev == it && it->prev->next == it);
			k++;
		}
		EXPECT(k == n && list_empty(&head) == (n == 0));
	}
}

TEST(the_current_one_may_go_while_walking) {
	struct item items[ITEMS] = { 0 };
	struct list head;
	list_init(&head);
	for (int i = 0; i < ITEMS; i++) {
		items[i].id = i;
		list_push(&head, &items[i].node);
	}
	int seen = 0, left = 0;
	list_each_safe(it, &head) {
		EXPECT(id_of(it) == seen);
		if (seen++ % 2) list_remove(it);
	}
	list_each(it, &head) {
		EXPECT(id_of(it) == 2 * left);
		left++;
	}
	EXPECT(seen == ITEMS && left == ITEMS / 2);
}

RUN(a_list_keeps_order_through_any_moves, the_current_one_may_go_while_walking)
