/* State and bus on real lanes: what the loop and the lanes share, under ThreadSanitizer too. */
#include <math.h>
#include <stdlib.h>

#include "base/test.h"
#include "bus/registry.h"
#include "store/state.h"
#include "store/test_world.h"
#include "world/linux/linux.h"

#define EVENTS 400

struct run {
	struct test_world memory[2]; /* of their disks each has one, which only its lane touches while they run */
	struct world_linux *linux_world;
	struct world world[2];
	struct state *state;
	struct bus *bus;
	int sent, published, received, settled, written;
	bool seen[EVENTS];
};

static void open_all(struct t *t, struct run *r) {
	struct why why;
	EXPECT_OK(world_linux_open((struct world_linux_opts){ .log_level = LOG_ERROR, .log_fd = 2, .seed = t->seed },
	                           &r->linux_world, &why));
	for (int i = 0; i < 2; i++) {
		test_world_init(&r->memory[i], t->seed);
		r->world[i] = *world_linux_world(r->linux_world);
		r->world[i].disk = &r->memory[i].disk.disk;
	}
	EXPECT_OK(state_open(&r->world[0], STR("sqlite:///state.db"), &r->state, &why));
	EXPECT_OK(bus_open(&r->world[1], STR("sqlite:///bus.db"), &r->bus, &why));
	struct bus_queue_opts o = { .name = STR("q"),
		                        .pattern = STR("{\"source\":[\"/test\"]}"),
		                        .visibility_ns = NS_PER_MIN };
	EXPECT_OK(r->bus->ops->subscribe(r->bus, &o, &why));
}

static void send_some(struct t *t, struct run *r) {
	while (r->sent < EVENTS) {
		char id[16];
		snprintf(id, sizeof id, "id-%d", r->sent);
		struct event e = { .id = str_of(id), .source = STR("/test"), .type = STR("T"), .severity = (double)NAN };
		if (r->bus->ops->publish(r->bus, &e, 1)) return;
		r->sent++;
		if (rng_below(&t->rng, 8) == 0) return;
	}
}

/* The effect is recorded in state before the event is acknowledged. */
static void take_some(struct t *t, struct run *r) {
	struct bus_msg m;
	struct state_done d;
	while (r->bus->ops->poll(r->bus, &m)) {
		EXPECT_OK(m.err);
		r->published += m.kind == BUS_PUBLISHED;
		r->settled += m.kind == BUS_SETTLED;
		if (m.kind != BUS_DELIVERED) continue;
		int i = atoi(m.event.id.p + 3);
		EXPECT(!r->seen[i] && m.receives == 1);
		r->seen[i] = true;
		r->received++;
		struct state_write w = { .effect = STATE_PUT, .check = STATE_ABSENT, .key = m.event.id, .value = m.text };
		EXPECT_OK(state_transact(r->state, &w, 1, m.receipt));
	}
	while (state_poll(r->state, &d)) {
		EXPECT_OK(d.err);
		r->written++;
		EXPECT_OK(r->bus->ops->settle(r->bus, d.tag, true, 0, (struct str){ 0 }, 2));
	}
}

TEST(loop_and_lanes_hand_over_whole, .seeds = 3) {
	struct run r = { 0 };
	open_all(t, &r);
	while (r.settled < EVENTS) {
		int before = r.sent + r.published + r.received + r.settled + r.written;
		send_some(t, &r);
		take_some(t, &r);
		if (before == r.sent + r.published + r.received + r.settled + r.written)
			world_linux_wait(r.linux_world, r.bus->ops->next_due(r.bus));
	}
	EXPECT(r.published == EVENTS && r.received == EVENTS && r.written == EVENTS);
	/* Closing in the middle of the work. */
	struct event e = { .id = STR("last"), .source = STR("/test"), .type = STR("T"), .severity = (double)NAN };
	EXPECT_OK(r.bus->ops->publish(r.bus, &e, 1));
	bus_close(r.bus);
	state_close(r.state);
	world_linux_close(r.linux_world);
	test_world_done(&r.memory[0]);
	test_world_done(&r.memory[1]);
}

RUN(loop_and_lanes_hand_over_whole)
