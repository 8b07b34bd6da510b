#include "cli/jobs.h"

#include <stdio.h>
#include <unistd.h>

#include "base/param.h"
#include "world/linux/spawn.h"

#define LOOK_MS  200
#define FRAME_NS (200 * NS_PER_MS)

bool cli_interrupted(struct cli *c) {
	struct process *p = c->world->process;
	world_linux_wait(c->real, clock_mono(c->world->clock)); /* that moment has come: it only looks */
	return p->ops->stopping(p);
}

/* ---- progress ---- */

struct progress progress_begin(struct cli *c) {
	return (struct progress){ .cli = c, .began_ns = clock_mono(c->world->clock).ns };
}

/* What is left, if it goes on as it went; nothing in the first two seconds. */
static void remaining(int64_t took_ns, double share, char *out, size_t n) {
	char text[32];
	out[0] = 0;
	if (took_ns < 2 * NS_PER_SEC || share <= 0.01) return;
	duration_format((int64_t)((double)took_ns / share * (1 - share)) / NS_PER_SEC * NS_PER_SEC, text);
	snprintf(out, n, ", %s left", text);
}

void progress_tell(struct progress *p, const char *what, double share) {
	char left[48];
	if (p->cli->quiet || !isatty(2)) return;
	int64_t now = clock_mono(p->cli->world->clock).ns;
	if (p->shown && now - p->last_ns < FRAME_NS) return;
	p->shown = true;
	p->last_ns = now;
	remaining(now - p->began_ns, share, left, sizeof left);
	fprintf(stderr, "\r\033[K%s: %.0f %%%s", what, share * 100, left);
	fflush(stderr);
}

void progress_end(struct progress *p) {
	if (p->shown) fputs("\r\033[K", stderr);
	p->shown = false;
}

/* ---- processes ---- */

struct pool {
	struct cli *c;
	const struct jobs_work *w;
	struct spawn *spawn;
	size_t piece[SPAWN_CHILDREN_MAX]; /* of each child */
	size_t started, done, running;
	int code;
};

static void worse(struct pool *p, int code) {
	if (code > p->code) p->code = code;
}

static bool start_next(struct pool *p) {
	const char *argv[JOBS_ARGUMENTS_MAX + 1] = { NULL };
	struct why why = { "" };
	size_t child = 0;
	p->w->arguments(p->w->self, p->started, argv);
	enum err e = spawn_start(p->spawn, argv, &child, &why);
	if (e) {
		worse(p, cli_fail(p->c, EXIT_UNREACHABLE, "%s", why.text[0] ? why.text : err_text(e)));
		return false;
	}
	p->piece[child] = p->started++;
	p->running++;
	return true;
}

static void ended(struct pool *p, const struct spawn_event *e) {
	p->running--;
	p->done++;
	worse(p, e->status < 0 || e->status > EXIT_REFUSED ? EXIT_UNREACHABLE : e->status);
	if (e->status < 0 || e->status > EXIT_REFUSED)
		(void)cli_fail(p->c, EXIT_UNREACHABLE, "a process of --jobs ended with %d", e->status);
	if (p->w->ended) p->w->ended(p->w->self, p->done);
}

static bool turn(struct pool *p) {
	while (p->started < p->w->count && (int64_t)p->running < p->w->at_once)
		if (!start_next(p)) return false;
	struct spawn_event e = spawn_next(p->spawn, LOOK_MS);
	if (e.kind == SPAWN_LINE) p->w->line(p->w->self, p->piece[e.child], e.line);
	if (e.kind == SPAWN_ENDED) ended(p, &e);
	return e.kind != SPAWN_NONE && p->code < EXIT_USAGE && !(e.kind == SPAWN_QUIET && cli_interrupted(p->c));
}

int jobs_run(struct cli *c, const struct jobs_work *w) {
	struct pool p = { .c = c, .w = w };
	enum err e = spawn_open(&p.spawn);
	if (e) return cli_fail(c, EXIT_UNREACHABLE, "%s", err_text(e));
	while (turn(&p)) {}
	spawn_close(p.spawn);
	return p.code;
}
