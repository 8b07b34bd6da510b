/* How fast the simulated world runs: virtual seconds for each second of CPU time, at several rates of requests, the
 * share of that CPU time that is the world itself (src/sim) and not the daemon under test, and the memory it took.
 *
 * Cold worlds without faults: some virtual time unmeasured, then a spell of it measured. Each runs in a process of its
 * own, so that its memory (the most it ever held) is its own. "day" is what 24 hours would take. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/sampler.h"
#include "sim/run/invariant.h"
#include "sim/run/run.h"
#include "sim/shop/random.h"

#define SETTLE (20 * NS_PER_MIN) /* the shop is up, the daemon has its tables */

static double cpu_s(void) {
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double memory_mib(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_maxrss / 1024;
}

static int broke(struct run *r) {
	const struct invariants *v = run_invariants(r);
	fprintf(stderr, "world: broken at %.0f s: %s\n", (double)run_now(r) / 1e9, v->why);
	return 1;
}

static int measure(const struct shop_world *world, double rate, int64_t settle_ns, int64_t spell_ns) {
	struct run_opts o = { .world = world, .seed = 1, .rate = rate };
	struct run *r = NULL;
	struct why why = { "" };
	size_t samples = 0;
	if (run_open(&o, &r, &why)) {
		fprintf(stderr, "world: %s\n", why.text);
		return 1;
	}
	if (!run_until(r, settle_ns)) return broke(r);
	double begin = cpu_s();
	sampler_start();
	bool whole = run_until(r, settle_ns + spell_ns);
	sampler_stop();
	double used = cpu_s() - begin, virtual_s = (double)spell_ns / 1e9, share = sampler_share("src/sim/", &samples);
	if (!whole) return broke(r);
	printf("%3zu services %5.0f requests/s  %6.0f virtual s a CPU s  day %6.1f s  src/sim %4.1f %% of %zu samples  "
	       "%5.0f MiB\n",
	       world->service_count, rate, virtual_s / used, 86400 * used / virtual_s, 100 * share, samples, memory_mib());
	run_close(r);
	return share < 0;
}

/* An argument names one run by its place from 1, for a profiler. */
int main(int argc, char **argv) {
	struct arena a;
	size_t only = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	struct shop_world many;
	arena_init(&a, 0);
	if (shop_random(&a, 1, SHOP_RANDOM_MOST, &many)) return 1;
	const struct {
		const struct shop_world *world;
		double rate;
		int64_t settle_ns, spell_ns;
	} runs[] = { { &shop_builtin, 5, SETTLE, 120 * NS_PER_MIN },
		         { &shop_builtin, 100, SETTLE, 10 * NS_PER_MIN },
		         { &many, 100, NS_PER_MIN, 5 * NS_PER_MIN } };
	int failed = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		int status = 0;
		if (only && only != i + 1) continue;
		pid_t child = fork();
		if (child == 0) exit(measure(runs[i].world, runs[i].rate, runs[i].settle_ns, runs[i].spell_ns));
		failed += child < 0 || waitpid(child, &status, 0) != child || status != 0;
	}
	arena_done(&a);
	return failed != 0;
}
