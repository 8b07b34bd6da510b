#include "world/linux/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
#define READ_BYTES    (64 * 1024)

extern char **environ;

struct child {
	pid_t pid; /* 0: the place is free */
	int fd;    /* -1: its end was read */
	struct buf buf;
	size_t taken; /* bytes of the buffer handed out */
	bool too_long;
};

struct spawn {
	struct child children[SPAWN_CHILDREN_MAX];
	size_t next; /* whose lines are looked at first: nobody is kept waiting */
};

enum err spawn_open(struct spawn **out) {
	struct spawn *s = calloc(1, sizeof *s);
	if (!s) return ERR_NOMEM;
	for (size_t i = 0; i < SPAWN_CHILDREN_MAX; i++) s->children[i].fd = -1;
	*out = s;
	return OK;
}

/* The signals that the parent's loop keeps for itself are the child's again. */
static int run(pid_t *pid, int to, const char *const *arguments) {
	char *argv[ARGUMENTS_MAX + 2] = { (char[]){ "flyball" } };
	size_t n = 1;
	for (; arguments[n - 1] && n <= ARGUMENTS_MAX; n++) argv[n] = (char *)(uintptr_t)arguments[n - 1];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, usual;
	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGXFSZ);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&files, to, STDOUT_FILENO);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &usual);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int failed = posix_spawn(pid, "/proc/self/exe", &files, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return failed;
}

enum err spawn_start(struct spawn *s, const char *const *arguments, size_t *child, struct why *why) {
	size_t i = 0;
	int ends[2];
	pid_t pid = 0;
	while (i < SPAWN_CHILDREN_MAX && s->children[i].pid) i++;
	if (i == SPAWN_CHILDREN_MAX) return why_set(why, ERR_FULL, "more than %d processes", SPAWN_CHILDREN_MAX);
	if (pipe2(ends, O_CLOEXEC)) return why_set(why, ERR_IO, "pipe: %s", strerrordesc_np(errno));
	int failed = run(&pid, ends[1], arguments);
	close(ends[1]);
	if (failed) {
		close(ends[0]);
		return why_set(why, ERR_IO, "cannot start a process: %s", strerrordesc_np(failed));
	}
	s->children[i] = (struct child){ .pid = pid, .fd = ends[0] };
	buf_init(&s->children[i].buf, 0);
	*child = i;
	return OK;
}

/* A whole line that was read already; the last one may lack its newline. */
static bool line_of(struct child *c, struct str *out) {
	struct str rest = { c->buf.p + c->taken, c->buf.n - c->taken };
	const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
	if (!end && (c->fd >= 0 || !rest.n)) {
		if (c->taken) memmove(c->buf.p, rest.p, rest.n);
		c->buf.n = rest.n;
		c->taken = 0;
		return false;
	}
	*out = (struct str){ rest.p, end ? (size_t)(end - rest.p) : rest.n };
	c->taken += out->n + (end != NULL);
	return true;
}

static void read_more(struct child *c) {
	char *room = buf_room(&c->buf, READ_BYTES);
	ssize_t n = room ? read(c->fd, room, READ_BYTES) : 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
	if (n > 0) c->buf.n += (size_t)n;
	if (c->buf.n > SPAWN_LINE_MAX + READ_BYTES) c->too_long = true;
	if (n > 0 && !c->too_long) return;
	close(c->fd);
	c->fd = -1;
	if (c->too_long) c->buf.n = 0;
}

/* Its output is over: so is the process, or will be in a moment. */
static int reap(struct child *c) {
	int status = 0;
	if (c->too_long) kill(c->pid, SIGTERM);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {}
	int code = c->too_long ? -1 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	buf_done(&c->buf);
	*c = (struct child){ .fd = -1 };
	return code;
}

/* Something that needs no waiting. */
static bool ready(struct spawn *s, struct spawn_event *out) {
	for (size_t k = 0; k < SPAWN_CHILDREN_MAX; k++) {
		size_t i = (s->next + k) % SPAWN_CHILDREN_MAX;
		struct child *c = &s->children[i];
		struct str line;
		if (!c->pid) continue;
		if (line_of(c, &line)) {
			s->next = i + 1;
			*out = (struct spawn_event){ .kind = SPAWN_LINE, .child = i, .line = line };
			return true;
		}
		if (c->fd >= 0) continue;
		*out = (struct spawn_event){ .kind = SPAWN_ENDED, .child = i, .status = reap(c) };
		return true;
	}
	return false;
}

struct spawn_event spawn_next(struct spawn *s, int timeout_ms) {
	struct pollfd fds[SPAWN_CHILDREN_MAX];
	size_t who[SPAWN_CHILDREN_MAX];
	struct spawn_event event = { .kind = SPAWN_NONE };

	if (ready(s, &event)) return event;
	nfds_t n = 0;
	for (size_t i = 0; i < SPAWN_CHILDREN_MAX; i++) {
		if (!s->children[i].pid) continue;
		fds[n] = (struct pollfd){ .fd = s->children[i].fd, .events = POLLIN };
		who[n++] = i;
	}
	if (!n) return event;
	if (poll(fds, n, timeout_ms) > 0)
		for (nfds_t i = 0; i < n; i++)
			if (fds[i].revents) read_more(&s->children[who[i]]);
	if (!ready(s, &event)) event = (struct spawn_event){ .kind = SPAWN_QUIET };
	return event;
}

void spawn_close(struct spawn *s) {
	if (!s) return;
	for (size_t i = 0; i < SPAWN_CHILDREN_MAX; i++)
		if (s->children[i].pid) kill(s->children[i].pid, SIGTERM);
	for (size_t i = 0; i < SPAWN_CHILDREN_MAX; i++) {
		struct child *c = &s->children[i];
		if (!c->pid) continue;
		if (c->fd >= 0) close(c->fd);
		reap(c);
	}
	free(s);
}
