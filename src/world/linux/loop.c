#include "world/linux/loop.h"

#include "world/linux/sys.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64

/* Lanes read the time too (SQLite's VFS), hence atomics. */
struct loop_time {
	struct clock clock;
	_Atomic int64_t mono_ns, wall_ns;
};

struct loop {
	int epoll;
	struct loop_time time;
	struct list timers, tasks;
	bool kicked;
	struct epoll_event batch[BATCH];
	int batch_count, batch_at;
};

static int64_t read_clock(clockid_t which) {
	struct timespec t;
	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void time_read(struct loop_time *t) {
	atomic_store_explicit(&t->mono_ns, read_clock(CLOCK_MONOTONIC), memory_order_relaxed);
	atomic_store_explicit(&t->wall_ns, read_clock(CLOCK_REALTIME), memory_order_relaxed);
}

static struct mono time_mono(struct clock *c) {
	struct loop_time *t = container_of(c, struct loop_time, clock);
	return (struct mono){ atomic_load_explicit(&t->mono_ns, memory_order_relaxed) };
}

static struct wall time_wall(struct clock *c) {
	struct loop_time *t = container_of(c, struct loop_time, clock);
	return (struct wall){ atomic_load_explicit(&t->wall_ns, memory_order_relaxed) };
}

enum err loop_open(struct loop **out) {
	struct loop *l = calloc(1, sizeof *l);
	if (!l) return ERR_NOMEM;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		enum err e = sys_err(errno);
		free(l);
		return e;
	}
	l->time.clock = (struct clock){ .mono = time_mono, .wall = time_wall };
	list_init(&l->timers);
	list_init(&l->tasks);
	time_read(&l->time);
	*out = l;
	return OK;
}

void loop_close(struct loop *l) {
	if (!l) return;
	close(l->epoll);
	free(l);
}

struct clock *loop_clock(struct loop *l) {
	return &l->time.clock;
}

enum err loop_watch(struct loop *l, struct watch *w, uint32_t events) {
	struct epoll_event e = { .events = events, .data.ptr = w };
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, w->fd, &e) == 0) return OK;
	return errno == ENOSPC ? ERR_FULL : sys_err(errno);
}

void loop_change(struct loop *l, struct watch *w, uint32_t events) {
	struct epoll_event e = { .events = events, .data.ptr = w };
	int failed = epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &e);
	assert(!failed); /* only a descriptor that is not watched fails here */
}

void loop_unwatch(struct loop *l, struct watch *w) {
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = l->batch_at; i < l->batch_count; i++) {
		if (l->batch[i].data.ptr == w) l->batch[i].data.ptr = NULL;
	}
}

void loop_timer(struct loop *l, struct timer *t, struct mono due) {
	t->due = due;
	if (!list_linked(&t->node)) list_push(&l->timers, &t->node);
}

void loop_timer_stop(struct timer *t) {
	list_remove(&t->node);
}

void loop_task(struct loop *l, struct task *t) {
	if (!list_linked(&t->node)) list_push(&l->tasks, &t->node);
}

void loop_task_stop(struct task *t) {
	list_remove(&t->node);
}

void loop_kick(struct loop *l) {
	l->kicked = true;
}

/* Those that ask for another turn while they run get it before the next sleep. */
static void run_tasks(struct loop *l) {
	struct list now;
	list_init(&now);
	for (struct list *n; (n = list_shift(&l->tasks));) list_push(&now, n);
	for (struct list *n; (n = list_shift(&now));) {
		struct task *t = container_of(n, struct task, node);
		t->run(t);
	}
}

/* Few ports hold few timers, so that a list does. */
static struct timer *first_due(struct loop *l) {
	struct timer *first = NULL;
	list_each(n, &l->timers) {
		struct timer *t = container_of(n, struct timer, node);
		if (!first || t->due.ns < first->due.ns) first = t;
	}
	return first;
}

static int sleep_ms(struct loop *l, struct mono deadline) {
	if (l->kicked || !list_empty(&l->tasks)) return 0;
	const struct timer *first = first_due(l);
	int64_t until = first && first->due.ns < deadline.ns ? first->due.ns : deadline.ns;
	int64_t now = read_clock(CLOCK_MONOTONIC);
	if (until <= now) return 0;
	/* Rounded up: waking a moment early would only turn the loop for nothing. */
	int64_t ms = (until - now - 1) / NS_PER_MS + 1;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void fire_timers(struct loop *l) {
	int64_t now = time_mono(&l->time.clock).ns;
	for (struct timer *t; (t = first_due(l)) && t->due.ns <= now;) {
		loop_timer_stop(t);
		t->fire(t);
	}
}

void loop_wait(struct loop *l, struct mono deadline) {
	run_tasks(l);
	int n = epoll_wait(l->epoll, l->batch, BATCH, sleep_ms(l, deadline));
	time_read(&l->time);

	l->batch_count = n < 0 ? 0 : n; /* EINTR: a turn for nothing */
	for (l->batch_at = 0; l->batch_at < l->batch_count;) {
		const struct epoll_event *e = &l->batch[l->batch_at++];
		struct watch *w = e->data.ptr;
		if (w) w->ready(w, e->events);
	}
	l->batch_count = l->batch_at = 0;
	fire_timers(l);
	l->kicked = false; /* whoever woke us polls everything now */
}
