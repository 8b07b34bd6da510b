#include "world/linux/rig.h"

#include "world/linux/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

TEST(time_stands_still_between_two_waits) {
	struct rig r;
	rig_open(&r, t);
	struct clock *c = r.world->clock;
	struct mono mono = clock_mono(c);
	struct wall wall = clock_wall(c);
	usleep(5000);
	EXPECT(clock_mono(c).ns == mono.ns && clock_wall(c).ns == wall.ns);
	world_linux_wait(r.linux_, (struct mono){ 0 });
	EXPECT(clock_mono(c).ns - mono.ns >= 4 * NS_PER_MS);
	int64_t drift = (clock_wall(c).ns - wall.ns) - (clock_mono(c).ns - mono.ns);
	EXPECT(drift > -NS_PER_SEC && drift < NS_PER_SEC);
	EXPECT(wall.ns > INT64_C(1700000000) * NS_PER_SEC);
	rig_close(&r);
}

TEST(a_wait_ends_at_its_deadline_and_not_before) {
	struct rig r;
	rig_open(&r, t);
	for (int i = 0; i < 10; i++) {
		int64_t deadline = rig_now(&r) + rng_below(&t->rng, 20) * NS_PER_MS + 500;
		world_linux_wait(r.linux_, (struct mono){ deadline });
		EXPECT(rig_now(&r) >= deadline && rig_now(&r) < deadline + NS_PER_SEC);
	}
	rig_close(&r);
}

TEST(signals_are_seen_by_the_loop) {
	struct rig r;
	rig_open(&r, t);
	struct process *p = r.world->process;
	EXPECT(!p->ops->stopping(p) && !p->ops->reload(p));
	raise(SIGHUP);
	world_linux_wait(r.linux_, (struct mono){ rig_now(&r) + 10 * NS_PER_SEC });
	EXPECT(p->ops->reload(p) && !p->ops->reload(p) && !p->ops->stopping(p));
	raise(SIGTERM);
	world_linux_wait(r.linux_, (struct mono){ rig_now(&r) + 10 * NS_PER_SEC });
	EXPECT(p->ops->stopping(p) && p->ops->stopping(p));
	rig_close(&r);
	rig_open(&r, t); /* a new world starts anew */
	p = r.world->process;
	EXPECT(!p->ops->stopping(p));
	raise(SIGINT);
	world_linux_wait(r.linux_, (struct mono){ rig_now(&r) + 10 * NS_PER_SEC });
	EXPECT(p->ops->stopping(p));
	raise(SIGTERM); /* once more, and nobody looks */
	rig_close(&r);
	sigset_t now; /* as it was before */
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	EXPECT(!sigismember(&now, SIGINT) && !sigismember(&now, SIGTERM));
}

TEST(the_process_knows_itself) {
	struct rig r;
	rig_open(&r, t);
	struct process *p = r.world->process;
	setenv("FLYBALL_TEST_ENV", "a value", 1);
	EXPECT(str_is(p->ops->env(p, "FLYBALL_TEST_ENV"), "a value"));
	EXPECT(p->ops->env(p, "FLYBALL_TEST_NO_SUCH").p == NULL);
	EXPECT(p->ops->id(p) == getpid() && p->ops->host(p).n > 0);
	EXPECT(p->ops->privileged(p) == (geteuid() == 0));
	unsigned char a[64] = { 0 }, b[64] = { 0 };
	p->ops->entropy(p, a, sizeof a);
	p->ops->entropy(p, b, sizeof b);
	EXPECT(memcmp(a, b, sizeof a) != 0);
	EXPECT(!FAULT(r.world, "anything"));
	rig_close(&r);
}

TEST(the_seed_of_chance_is_the_given_one) {
	struct world_linux *w[3];
	uint64_t drawn[3];
	for (int i = 0; i < 3; i++) {
		EXPECT_OK(world_linux_open((struct world_linux_opts){ .log_fd = 2, .seed = i < 2 ? 42 : 0 }, &w[i], NULL));
		struct rng r = world_linux_world(w[i])->rng;
		drawn[i] = rng_next(&r);
		world_linux_close(w[i]);
	}
	EXPECT(drawn[0] == drawn[1] && drawn[0] != drawn[2]);
}

TEST(a_log_line_is_one_line_with_its_fields) {
	int ends[2];
	EXPECT(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	struct world_linux *w = NULL;
	EXPECT_OK(world_linux_open((struct world_linux_opts){ .log_level = LOG_INFO, .log_fd = ends[1] }, &w, NULL));
	struct log *log = world_linux_world(w)->log;
	log_event(log, LOG_DEBUG, "unseen", "x=%d", 1);
	log_event(log, LOG_WARN, "wal.slow", "fsync_ms=%d path=%s", 7, "two words\nlevel=error");
	char all[4096] = "";
	ssize_t n = read(ends[0], all, sizeof all - 1);
	EXPECT(n > 0 && strchr(all, '\n') == all + n - 1); /* one, at the end */
	EXPECT(strncmp(all, "time=20", 7) == 0 &&
	       strstr(all, " level=warn event=wal.slow fsync_ms=7 path=\"two words\\nlevel=error\"\n"));
	struct str fields = { all, 0 };
	char large[LOG_FIELDS_MAX];
	memset(large, 'x', sizeof large);
	fields = (struct str){ large, sizeof large };
	log->write(log, LOG_ERROR, "large", fields);
	char more[8192];
	n = read(ends[0], more, sizeof more);
	EXPECT(n > (ssize_t)sizeof large && more[n - 1] == '\n');
	close(ends[0]);
	log_event(log, LOG_ERROR, "nobody.reads", "x=%d", 1); /* and nobody dies */
	world_linux_close(w);
	close(ends[1]);
}

/* ---- the loop's own promises ---- */

struct probe {
	struct watch watch;
	struct timer timer;
	struct task task;
	struct loop *loop;
	struct probe *victim;
	int ready, fired, ran;
};

static void probe_ready(struct watch *w, uint32_t events) {
	(void)events;
	struct probe *p = (struct probe *)((char *)w - offsetof(struct probe, watch));
	p->ready++;
	if (p->victim) loop_unwatch(p->loop, &p->victim->watch);
}
static void probe_fired(struct timer *timer) {
	struct probe *p = (struct probe *)((char *)timer - offsetof(struct probe, timer));
	p->fired++;
	if (p->victim) loop_timer_stop(&p->victim->timer);
}
static void probe_ran(struct task *task) {
	struct probe *p = (struct probe *)((char *)task - offsetof(struct probe, task));
	if (++p->ran < 3) loop_task(p->loop, task); /* once more, in a turn of its own */
}

TEST(what_is_unwatched_is_not_called_any_more) {
	struct loop *l = NULL;
	EXPECT_OK(loop_open(&l));
	struct probe p[2] = { 0 };
	for (int i = 0; i < 2; i++) {
		p[i] = (struct probe){ .watch = { eventfd(1, EFD_NONBLOCK), probe_ready },
			                   .timer = { .fire = probe_fired },
			                   .loop = l,
			                   .victim = &p[1 - i] };
		EXPECT_OK(loop_watch(l, &p[i].watch, EPOLLIN));
		loop_timer(l, &p[i].timer, (struct mono){ 1 });
	}
	loop_wait(l, (struct mono){ 0 });
	EXPECT(p[0].ready + p[1].ready == 1); /* both were ready; the first stopped the other */
	EXPECT(p[0].fired + p[1].fired == 1);
	for (int i = 0; i < 2; i++) close(p[i].watch.fd);
	loop_close(l);
}

TEST(a_task_runs_once_a_turn_and_a_kick_ends_the_sleep) {
	struct loop *l = NULL;
	EXPECT_OK(loop_open(&l));
	struct probe p = { .task = { .run = probe_ran }, .loop = l };
	struct mono far = { clock_mono(loop_clock(l)).ns + 3600 * NS_PER_SEC };
	loop_task(l, &p.task);
	loop_task(l, &p.task);
	loop_kick(l);
	loop_wait(l, far);
	EXPECT(p.ran == 1);
	loop_wait(l, far); /* the task that waits does not let it sleep */
	EXPECT(p.ran == 2);
	loop_kick(l);
	loop_wait(l, far);
	EXPECT(p.ran == 3);
	loop_close(l);
}

RUN(time_stands_still_between_two_waits, a_wait_ends_at_its_deadline_and_not_before, signals_are_seen_by_the_loop,
    the_process_knows_itself, the_seed_of_chance_is_the_given_one, a_log_line_is_one_line_with_its_fields,
    what_is_unwatched_is_not_called_any_more, a_task_runs_once_a_turn_and_a_kick_ends_the_sleep)
