#include "world/linux/lanes.h"

#include "base/ring.h"
#include "world/linux/sys.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lanes {
	struct jobs jobs;
	struct loop *loop;
	int64_t open;
};

struct lane_linux {
	struct lane lane;
	struct lanes *lanes;
	struct ring *todo, *done; /* loop to thread, thread to loop */
	size_t depth, out;        /* the loop's: submitted and not polled */
	sem_t work;               /* one post a job, one more at the end */
	atomic_bool stop;
	struct watch wake; /* an eventfd that the thread writes */
	pthread_t thread;
	void (*ended)(void *);
	void *ended_arg;
};

static struct lane_linux *self(struct lane *l) {
	return container_of(l, struct lane_linux, lane);
}

static void *lane_main(void *arg) {
	struct lane_linux *l = arg;
	for (;;) {
		while (sem_wait(&l->work) != 0) assert(errno == EINTR);
		if (atomic_load(&l->stop)) return NULL;
		struct job *j = ring_pop(l->todo);
		assert(j); /* as many posts as jobs */
		j->run(j);
		bool room = ring_push(l->done, j);
		assert(room); /* it holds `depth`, and no more are out */
		const uint64_t one = 1;
		ssize_t n = write(l->wake.fd, &one, sizeof one);
		(void)n; /* fails only when it is ready to read already */
	}
}

static void lane_ready(struct watch *w, uint32_t events) {
	(void)events;
	struct lane_linux *l = container_of(w, struct lane_linux, wake);
	uint64_t count;
	ssize_t n = read(w->fd, &count, sizeof count);
	(void)n; /* non-blocking: nothing there is no harm */
	loop_kick(l->lanes->loop);
	if (l->ended) l->ended(l->ended_arg);
}

static enum err linux_submit(struct lane *lane, struct job *j) {
	struct lane_linux *l = self(lane);
	if (l->out == l->depth) return ERR_FULL;
	bool room = ring_push(l->todo, j);
	assert(room);
	l->out++;
	sem_post(&l->work);
	return OK;
}

static struct job *linux_poll(struct lane *lane) {
	struct lane_linux *l = self(lane);
	struct job *j = ring_pop(l->done);
	if (j) l->out--;
	return j;
}

static void lane_free(struct lane_linux *l) {
	if (l->wake.fd >= 0) close(l->wake.fd);
	ring_close(l->todo, NULL);
	ring_close(l->done, NULL);
	sem_destroy(&l->work);
	free(l);
}

static void drop_all(struct ring *r, void (*drop)(struct job *)) {
	for (struct job *j; (j = ring_pop(r));) {
		if (drop) drop(j);
	}
}

static void linux_close(struct lane *lane, void (*drop)(struct job *)) {
	struct lane_linux *l = self(lane);
	atomic_store(&l->stop, true);
	sem_post(&l->work);
	int failed = pthread_join(l->thread, NULL);
	assert(!failed);
	loop_unwatch(l->lanes->loop, &l->wake);
	drop_all(l->done, drop);
	drop_all(l->todo, drop);
	l->lanes->open--;
	lane_free(l);
}

static const struct lane_ops ops = { .submit = linux_submit, .poll = linux_poll, .close = linux_close };

/* Starts the thread with every signal blocked: the mask is inherited. */
static int start(struct lane_linux *l, const char *name) {
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&l->thread, NULL, lane_main, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) return failed;
	char shown[16]; /* what the kernel keeps */
	size_t n = 0;
	for (; name[n] && n + 1 < sizeof shown; n++) shown[n] = name[n];
	shown[n] = '\0';
	pthread_setname_np(l->thread, shown);
	return 0;
}

static enum err linux_lane(struct jobs *jobs, const char *name, size_t depth, struct lane **out) {
	struct lanes *owner = container_of(jobs, struct lanes, jobs);
	struct lane_linux *l = calloc(1, sizeof *l);
	if (!l) return ERR_NOMEM;
	l->lane.ops = &ops;
	l->lanes = owner;
	l->depth = depth;
	l->wake = (struct watch){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = lane_ready };
	sem_init(&l->work, 0, 0);
	enum err e = l->wake.fd < 0 ? sys_err(errno) : OK;
	if (!e) e = ring_open(depth, &l->todo);
	if (!e) e = ring_open(depth, &l->done);
	if (!e) e = loop_watch(owner->loop, &l->wake, EPOLLIN);
	if (!e && start(l, name) != 0) {
		loop_unwatch(owner->loop, &l->wake);
		e = ERR_NOMEM;
	}
	if (e) {
		lane_free(l);
		return e;
	}
	owner->open++;
	*out = &l->lane;
	return OK;
}

enum err lanes_open(struct loop *loop, struct lanes **out) {
	struct lanes *l = calloc(1, sizeof *l);
	if (!l) return ERR_NOMEM;
	*l = (struct lanes){ .jobs = { .lane = linux_lane }, .loop = loop };
	*out = l;
	return OK;
}

struct jobs *lanes_jobs(struct lanes *l) {
	return &l->jobs;
}

void lanes_close(struct lanes *l) {
	if (!l) return;
	assert(l->open == 0); /* a lane's thread would outlive its loop */
	free(l);
}

void lane_on_end(struct lane *lane, void (*ended)(void *), void *arg) {
	self(lane)->ended = ended;
	self(lane)->ended_arg = arg;
}
