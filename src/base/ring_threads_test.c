/* The ring between two real threads: run it under ThreadSanitizer. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/ring.h"
#include "base/test.h"

#define MESSAGES 50000

struct message {
	uint64_t number, twice; /* plain memory: only the ring orders it between the threads */
};

struct side {
	struct ring *ring;
	uint64_t wrong;
};

static void *produce(void *arg) {
	struct side *s = arg;
	for (uint64_t i = 1; i <= MESSAGES; i++) {
		struct message *m = malloc(sizeof *m);
		if (!m) abort();
		*m = (struct message){ i, 2 * i };
		while (!ring_push(s->ring, m)) sched_yield();
		s->wrong += ring_count(s->ring) > ring_capacity(s->ring);
	}
	return NULL;
}

static void *consume(void *arg) {
	struct side *s = arg;
	for (uint64_t i = 1; i <= MESSAGES;) {
		struct message *m = ring_pop(s->ring);
		s->wrong += ring_count(s->ring) > ring_capacity(s->ring);
		if (!m) {
			sched_yield();
			continue;
		}
		s->wrong += m->number != i || m->twice != 2 * i;
		free(m);
		i++;
	}
	return NULL;
}

TEST(every_message_arrives_once_whole_and_in_order, .seeds = 4) {
	struct ring *r = NULL;
	EXPECT_OK(ring_open((size_t)1 << rng_below(&t->rng, 8), &r));
	struct side from = { r, 0 }, to = { r, 0 };
	pthread_t threads[2];
	EXPECT(pthread_create(&threads[0], NULL, produce, &from) == 0);
	EXPECT(pthread_create(&threads[1], NULL, consume, &to) == 0);
	for (int i = 0; i < 2; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
	EXPECT(from.wrong == 0 && to.wrong == 0 && ring_count(r) == 0);
	ring_close(r, free);
}

RUN(every_message_arrives_once_whole_and_in_order)
