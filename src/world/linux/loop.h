/* One epoll, its timers and its clock: what every real port hangs on.
 *
 * A port registers a `watch` for each descriptor, a `timer` for what time alone brings, and a `task`
 * for what shall happen once before the next sleep. Each lies in the port's own struct.
 * Thread: the one that calls loop_wait; only the clock may be read from any. */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"

#include <stdint.h>
#include <sys/epoll.h>

struct loop;

struct watch {
	int fd;
	void (*ready)(struct watch *, uint32_t events); /* may close any watch, its own included */
};

struct timer {
	struct list node;
	struct mono due;
	void (*fire)(struct timer *); /* it is stopped before */
};

struct task {
	struct list node;
	void (*run)(struct task *);
};

MUST_USE enum err loop_open(struct loop **out);
void loop_close(struct loop *l);
struct clock *loop_clock(struct loop *l); /* both times stand still between two loop_wait */

/* events: EPOLLIN and so on, EPOLLET included. ERR_NOMEM, ERR_FULL (the user's limit on watches). */
MUST_USE enum err loop_watch(struct loop *l, struct watch *w, uint32_t events);
void loop_change(struct loop *l, struct watch *w, uint32_t events);
/* The descriptor stays open. No call of `ready` follows, not even one that was due. */
void loop_unwatch(struct loop *l, struct watch *w);

void loop_timer(struct loop *l, struct timer *t, struct mono due); /* starts or moves it */
void loop_timer_stop(struct timer *t);
void loop_task(struct loop *l, struct task *t); /* once, however often it is asked for */
void loop_task_stop(struct task *t);
/* Somebody may poll something now: the next loop_wait does not sleep. */
void loop_kick(struct loop *l);

/* Runs the tasks; sleeps until a descriptor is ready, a timer is due, a kick or `deadline`; reads the
 * clocks; calls what is ready and due. */
void loop_wait(struct loop *l, struct mono deadline);
