#include "bench/sampler.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define SAMPLES_MAX 100000
#define PERIOD_US   4000
#define DEPTH_MAX   16

extern char __executable_start, etext; /* of the linker */

static uintptr_t samples[SAMPLES_MAX]; /* offsets within the program */
static volatile size_t sample_count;
static uintptr_t stack_top; /* frames of what is measured lie below */

static int ours(uintptr_t pc) {
	return pc >= (uintptr_t)&__executable_start && pc < (uintptr_t)&etext;
}

/* The first frame, from the inside out, that is the program's own. All of it keeps frame pointers; most of libc leaves
 * them as they were, so that a leaf of libc is passed over to who called its caller at worst. */
static uintptr_t first_of_ours(uintptr_t pc, uintptr_t frame, uintptr_t stack) {
	for (int i = 0; i < DEPTH_MAX && !ours(pc); i++) {
		if (frame < stack || frame >= stack_top || frame % sizeof frame) return 0; /* no frame */
		const uintptr_t *f = (const uintptr_t *)frame;
		pc = f[1];
		stack = frame;
		frame = f[0];
	}
	return ours(pc) ? pc : 0;
}

static void look(int sig, siginfo_t *info, void *context) {
	const ucontext_t *u = context;
	(void)sig, (void)info;
#if defined(__x86_64__)
	uintptr_t pc = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
	uintptr_t frame = (uintptr_t)u->uc_mcontext.gregs[REG_RBP], stack = (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
	pc = first_of_ours(pc, frame, stack);
	if (pc && sample_count < SAMPLES_MAX) samples[sample_count++] = pc - (uintptr_t)&__executable_start;
#else
	(void)u;
#endif
}

static void every(long us) {
	struct itimerval t = { { 0, us }, { 0, us } };
	setitimer(ITIMER_PROF, &t, NULL);
}

void sampler_start(void) {
	struct sigaction a = { .sa_sigaction = look, .sa_flags = SA_SIGINFO | SA_RESTART };
	sample_count = 0;
	stack_top = (uintptr_t)__builtin_frame_address(0);
	sigaction(SIGPROF, &a, NULL);
	every(PERIOD_US);
}

void sampler_stop(void) {
	every(0);
}

/* addr2line prints a line for each address of its input: the file and line that it comes from. */
static size_t count_lines(FILE *from, const char *folder, size_t *known) {
	char line[4096];
	size_t in = 0;
	*known = 0;
	while (fgets(line, sizeof line, from)) {
		*known += line[0] != '?';
		in += strstr(line, folder) != NULL;
	}
	return in;
}

double sampler_share(const char *folder, size_t *count) {
	char list[] = "/tmp/flyball-samples-XXXXXX", program[4096], command[4300];
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	int fd = mkstemp(list);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w"), *in = NULL;
	*count = sample_count;
	if (n < 0 || !out) return -1;
	program[n] = 0;
	for (size_t i = 0; i < sample_count; i++) fprintf(out, "0x%zx\n", (size_t)samples[i]);
	fclose(out);
	snprintf(command, sizeof command, "addr2line -e '%s' <%s", program, list);
	in = popen(command, "r");
	size_t known = 0, inside = in ? count_lines(in, folder, &known) : 0;
	if (in) pclose(in);
	unlink(list);
	return known ? (double)inside / (double)known : -1;
}
