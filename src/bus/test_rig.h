/* What the tests over the table of bus back ends stand on. */
#pragma once

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "bus/registry.h"
#include "store/test_world.h"

/* A new back end gets a line here. */
static inline const char *url_of(const struct bus_ops *ops) {
	return strcmp(ops->scheme, "sqlite") == 0 ? "sqlite:///bus.db" : NULL;
}

struct fix {
	struct test_world w;
	const struct bus_ops *ops;
	struct bus *b;
};

static inline void reopen(struct t *t, struct fix *f) {
	struct why why = { "" };
	bus_close(f->b);
	enum err e = bus_open(&f->w.world, str_of(url_of(f->ops)), &f->b, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
}

static inline void start(struct t *t, struct fix *f, size_t backend) {
	*f = (struct fix){ .ops = bus_backends[backend] };
	test_world_init(&f->w, t->seed);
	EXPECT(url_of(f->ops));
	reopen(t, f);
}

static inline void stop(struct fix *f) {
	bus_close(f->b);
	test_world_done(&f->w);
}

#define EACH_BACKEND(f)                                                 \
	for (size_t backend_ = 0; backend_ < bus_backend_count; backend_++) \
		for (struct fix f, *once_ = (start(t, &f, backend_), &f); once_; stop(&f), once_ = NULL)

#define ALL "{\"source\":[{\"prefix\":\"\"}]}"

static inline void subscribe(struct t *t, struct bus *b, struct bus_queue_opts o) {
	struct why why = { "" };
	if (!o.name.n) o.name = STR("q");
	if (!o.pattern.n) o.pattern = STR(ALL);
	enum err e = b->ops->subscribe(b, &o, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
}

static inline struct event event(struct t *t, int i) {
	return (struct event){ .id = str_printf(t->arena, "id-%d", i),
		                   .source = STR("/test"),
		                   .type = STR("INCIDENT_OPENED"),
		                   .subject = str_printf(t->arena, "service/s%d", i),
		                   .severity = (double)NAN,
		                   .data = str_printf(t->arena, "{\"i\":%d}", i) };
}

/* The next message, or false when there is none now. */
static inline bool next(struct bus *b, struct bus_msg *m) {
	for (int i = 0; i < 50; i++)
		if (b->ops->poll(b, m)) return true;
	return false;
}

static inline struct bus_msg wait_msg(struct t *t, struct bus *b, enum bus_msg_kind kind) {
	struct bus_msg m = { 0 };
	EXPECT(next(b, &m));
	EXPECT(m.kind == kind);
	return m;
}

static inline enum err publish(struct t *t, struct bus *b, int i) {
	struct event e = event(t, i);
	EXPECT_OK(b->ops->publish(b, &e, (uint64_t)i));
	struct bus_msg m = wait_msg(t, b, BUS_PUBLISHED);
	EXPECT(m.tag == (uint64_t)i);
	return m.err;
}

static inline int number(const struct bus_msg *m) {
	return atoi(m->event.id.p + 3);
}

static inline struct bus_msg deliver(struct t *t, struct bus *b, int i, int64_t receives) {
	struct bus_msg m = wait_msg(t, b, BUS_DELIVERED);
	EXPECT(number(&m) == i && m.receives == receives && m.receipt);
	return m;
}

static inline enum err settle(struct t *t, struct bus *b, uint64_t receipt, bool ack, int64_t delay,
                              const char *reason) {
	EXPECT_OK(b->ops->settle(b, receipt, ack, delay, str_of(reason), 99));
	struct bus_msg m = wait_msg(t, b, BUS_SETTLED);
	EXPECT(m.tag == 99);
	return m.err;
}

static inline bool quiet(struct bus *b) {
	struct bus_msg m;
	return !next(b, &m);
}

static inline struct bus_stats stats(struct bus *b, const char *queue) {
	struct bus_stats s;
	b->admin->stats(b, str_of(queue), &s);
	return s;
}
