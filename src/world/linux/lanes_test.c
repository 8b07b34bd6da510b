#include "world/linux/rig.h"

#include "base/list.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

struct work {
	struct job job;
	int number;
	int *log; /* of its lane's thread, then the loop's */
	int *count;
	pthread_t thread;
	bool ran, dropped, signals_open;
	char name[16];
	atomic_bool *gate; /* waits for it */
};

static void work_run(struct job *j) {
	struct work *w = container_of(j, struct work, job);
	while (w->gate && !atomic_load(w->gate)) sched_yield();
	sigset_t now;
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	w->signals_open = !sigismember(&now, SIGINT) || !sigismember(&now, SIGHUP) || !sigismember(&now, SIGTERM);
	pthread_getname_np(pthread_self(), w->name, sizeof w->name);
	w->thread = pthread_self();
	w->ran = true;
	if (w->log) w->log[(*w->count)++] = w->number;
}

static void work_drop(struct job *j) {
	container_of(j, struct work, job)->dropped = true;
}

static struct lane *lane(struct rig *r, const char *name, size_t depth) {
	struct t *t = r->t;
	struct lane *l = NULL;
	EXPECT_OK(r->world->jobs->lane(r->world->jobs, name, depth, &l));
	return l;
}

/* Without a lock in the jobs: the lane's own order makes it safe. */
TEST(jobs_of_a_lane_run_in_order_and_end_in_order, .seeds = 20) {
	struct rig r;
	rig_open(&r, t);
	enum { LANES = 3, JOBS = 400, DEPTH = 16 };
	struct lane *lanes[LANES];
	struct work *work = calloc(LANES * JOBS, sizeof *work);
	static int log[LANES][JOBS];
	int count[LANES] = { 0 }, submitted[LANES] = { 0 }, ended[LANES] = { 0 };
	for (int i = 0; i < LANES; i++) lanes[i] = lane(&r, "worker", DEPTH);
	for (int left = LANES * JOBS; left;) {
		for (int i = 0; i < LANES; i++) {
			struct work *mine = work + i * JOBS;
			for (int64_t k = rng_below(&t->rng, 2 * DEPTH); k > 0 && submitted[i] < JOBS; k--) {
				struct work *w = &mine[submitted[i]];
				*w = (struct work){
					.job = { .run = work_run }, .number = submitted[i], .log = log[i], .count = &count[i]
				};
				enum err e = lane_submit(lanes[i], &w->job);
				EXPECT(e == (submitted[i] - ended[i] == DEPTH ? ERR_FULL : OK));
				if (e) break;
				submitted[i]++;
			}
			for (struct job *j; (j = lane_poll(lanes[i])); left--) EXPECT(j == &mine[ended[i]++].job);
		}
		rig_turn(&r);
	}
	for (int i = 0; i < LANES; i++) {
		lane_close(lanes[i], NULL);
		EXPECT(count[i] == JOBS);
		for (int k = 0; k < JOBS; k++)
			EXPECT(log[i][k] == k && pthread_equal(work[i * JOBS + k].thread, work[i * JOBS].thread));
	}
	EXPECT(!pthread_equal(work[0].thread, work[JOBS].thread) && !pthread_equal(work[0].thread, pthread_self()));
	free(work);
	rig_close(&r);
}

TEST(the_loop_wakes_when_a_job_ends) {
	struct rig r;
	rig_open(&r, t);
	struct lane *l = lane(&r, "waker", 4);
	struct work w = { .job = { .run = work_run } };
	EXPECT_OK(lane_submit(l, &w.job));
	int64_t begun = rig_now(&r);
	while (!lane_poll(l)) world_linux_wait(r.linux_, (struct mono){ begun + 10 * NS_PER_SEC });
	EXPECT(rig_now(&r) - begun < 5 * NS_PER_SEC);
	EXPECT(strcmp(w.name, "waker") == 0 && !w.signals_open);
	lane_close(l, NULL);
	/* A long name is cut as the kernel wants it. */
	l = lane(&r, "a-name-of-twenty-bytes", 4);
	EXPECT_OK(lane_submit(l, &w.job));
	RIG_UNTIL(&r, lane_poll(l));
	EXPECT(strcmp(w.name, "a-name-of-twent") == 0);
	lane_close(l, NULL);
	rig_close(&r);
}

TEST(closing_waits_for_the_running_job_and_drops_the_rest, .seeds = 20) {
	struct rig r;
	rig_open(&r, t);
	struct lane *l = lane(&r, "closing", 8);
	struct work w[5] = { 0 };
	atomic_bool gate = false;
	for (int i = 0; i < 5; i++) {
		w[i].job.run = work_run;
		w[i].gate = i == 0 ? NULL : &gate;
		EXPECT_OK(lane_submit(l, &w[i].job));
	}
	RIG_UNTIL(&r, lane_poll(l) == &w[0].job);
	if (rng_below(&t->rng, 2)) sched_yield();
	atomic_store(&gate, true);
	lane_close(l, work_drop);
	for (int i = 1; i < 5; i++) EXPECT(w[i].dropped); /* ended and not polled, or never begun */
	for (int i = 1; i < 4; i++) EXPECT(w[i].ran || !w[i + 1].ran);
	EXPECT(!w[0].dropped);
	rig_close(&r);
}

RUN(jobs_of_a_lane_run_in_order_and_end_in_order, the_loop_wakes_when_a_job_ends,
    closing_waits_for_the_running_job_and_drops_the_rest)
