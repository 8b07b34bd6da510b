#include "rig.h"

#include "base/hash.h"
#include "line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DIRS_MAX     64
#define CHILDREN_MAX 64
#define NOBODY       65534

/* What must not outlive this process. */
static char dirs[DIRS_MAX][128];
static pid_t children[CHILDREN_MAX];
static int dir_count;

static void child_note(pid_t was, pid_t now) {
	for (int i = 0; i < CHILDREN_MAX; i++) {
		if (children[i] != was) continue;
		children[i] = now;
		return;
	}
}

static void clean(void) {
	char line[160];
	for (int i = 0; i < CHILDREN_MAX; i++) {
		if (children[i] <= 0) continue;
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	for (int i = 0; i < dir_count; i++) {
		snprintf(line, sizeof line, "rm -rf '%.127s'", dirs[i]);
		if (system(line) != 0) fprintf(stderr, "could not take away %s\n", dirs[i]);
	}
}

void rig_fail(const struct t *t, const char *file, int line, const char *fmt, ...) {
	char text[6000];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	test_fail(t, file, line, text);
}

bool rig_has(struct str text, const char *part) {
	return text.n && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* ---- time ---- */

static int64_t clock_ns(clockid_t id) {
	struct timespec now;
	clock_gettime(id, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

int64_t rig_now_ms(void) {
	return clock_ns(CLOCK_MONOTONIC) / NS_PER_MS;
}

int64_t rig_wall_ns(void) {
	return clock_ns(CLOCK_REALTIME);
}

void rig_sleep_ms(int64_t ms) {
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };
	while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

/* ---- files ---- */

const char *rig_path(struct t *t, const char *dir, const char *name) {
	return str_c(t->arena, str_printf(t->arena, "%s/%s", dir, name));
}

const char *rig_dir(struct t *t) {
	const char *base = getenv("TMPDIR");
	if (dir_count == DIRS_MAX) FAIL("more than %d directories", DIRS_MAX);
	char *at = dirs[dir_count];
	snprintf(at, sizeof dirs[0], "%s/flyball-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(at)) FAIL("%s: %s", at, strerror(errno));
	if (dir_count++ == 0) atexit(clean);
	chmod(at, 0755);
	return at;
}

static bool read_all(int fd, struct buf *b) {
	char piece[16384];
	ssize_t n;
	while ((n = read(fd, piece, sizeof piece)) > 0) buf_add(b, piece, (size_t)n);
	return n == 0;
}

static struct str kept(struct t *t, struct buf *b) {
	struct str s = str_copy(t->arena, buf_get(b));
	buf_done(b);
	return s.p ? s : STR("");
}

struct str rig_read(struct t *t, const char *path) {
	struct buf b;
	buf_init(&b, 0);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !read_all(fd, &b)) FAIL("%s: %s", path, strerror(errno));
	close(fd);
	return kept(t, &b);
}

void rig_write(struct t *t, const char *path, struct str bytes) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, bytes.p ? bytes.p : "", bytes.n) != (ssize_t)bytes.n) FAIL("%s: %s", path, strerror(errno));
	close(fd);
}

bool rig_exists(const char *path) {
	return access(path, F_OK) == 0;
}

int rig_count_files(const char *dir) {
	int n = 0;
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
	if (d) closedir(d);
	return n;
}

/* ---- starting ---- */

static int open_for(const char *path, int flags) {
	int fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd < 0) fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return fd;
}

/* Becomes the program; never comes back. The binary is opened before rights are given up: the folder that it
 * lies in may be closed to others. */
static void become(const struct verb_opts *o, const char *program, const char *const *argv, pid_t parent) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) _exit(126);
	int binary = open(program, O_RDONLY | O_CLOEXEC);
	struct rlimit size = { (rlim_t)o->file_size_max, (rlim_t)o->file_size_max };
	if (o->file_size_max && setrlimit(RLIMIT_FSIZE, &size) != 0) _exit(126);
	struct rlimit files = { (rlim_t)o->files_max, (rlim_t)o->files_max };
	if (o->files_max && setrlimit(RLIMIT_NOFILE, &files) != 0) _exit(126);
	for (size_t i = 0; i < sizeof o->env / sizeof *o->env && o->env[i]; i++) {
		char pair[512];
		snprintf(pair, sizeof pair, "%s", o->env[i]);
		char *value = strchr(pair, '=');
		if (value) *value++ = '\0';
		if (value)
			setenv(pair, value, 1);
		else
			unsetenv(pair);
	}
	if (o->dir && chdir(o->dir) != 0) _exit(126);
	if (o->unprivileged && geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) _exit(126);
	if (o->unprivileged) prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of identity forgets it */
	extern char **environ;
	fexecve(binary, (char *const *)(uintptr_t)argv, environ);
	fprintf(stderr, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

struct stream_fds {
	int in, out, err;
};

static pid_t start(struct t *t, const struct verb_opts *o, const char *program, const char *const *args,
                   struct stream_fds fds) {
	const char *argv[40] = { program };
	size_t n = 1;
	for (; args[n - 1]; n++) {
		if (n + 1 >= sizeof argv / sizeof *argv) FAIL("too many arguments");
		argv[n] = args[n - 1];
	}
	fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	if (pid < 0) FAIL("fork: %s", strerror(errno));
	if (pid == 0) {
		dup2(fds.in, 0), dup2(fds.out, 1), dup2(fds.err, 2);
		become(o, program, argv, parent);
	}
	child_note(0, pid);
	return pid;
}

static int exit_code(int status) {
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- a verb ---- */

/* Feeds and drains the pipes until both ends of output are closed. */
static void talk(struct t *t, pid_t pid, int in, struct str input, int out, int err, struct buf *ob, struct buf *eb) {
	int64_t until = rig_now_ms() + 2 * PATIENCE_S * 1000;
	struct pollfd p[3] = { { in, POLLOUT, 0 }, { out, POLLIN, 0 }, { err, POLLIN, 0 } };
	while (p[1].fd >= 0 || p[2].fd >= 0) {
		if (rig_now_ms() > until) {
			kill(pid, SIGKILL);
			FAIL("it did not end within %d s; so far:\n" STR_FMT "\n" STR_FMT, 2 * PATIENCE_S, STR_ARG(buf_get(ob)),
			     STR_ARG(buf_get(eb)));
		}
		poll(p, 3, 200);
		if (p[0].fd >= 0 && p[0].revents) {
			ssize_t n = input.n ? write(p[0].fd, input.p, input.n) : 0;
			if (n > 0) input.p += n, input.n -= (size_t)n;
			if (n < 0 || !input.n) close(p[0].fd), p[0].fd = -1;
		}
		for (int i = 1; i < 3; i++) {
			char piece[16384];
			if (p[i].fd < 0 || !p[i].revents) continue;
			ssize_t n = read(p[i].fd, piece, sizeof piece);
			if (n > 0) buf_add(i == 1 ? ob : eb, piece, (size_t)n);
			if (n <= 0) close(p[i].fd), p[i].fd = -1;
		}
	}
	if (p[0].fd >= 0) close(p[0].fd);
}

static struct outcome run_program(struct t *t, const struct verb_opts *o, const char *program,
                                  const char *const *args) {
	struct outcome r = { 0 };
	struct buf ob, eb;
	int in[2], out[2], err[2], status = 0;
	int64_t began = rig_now_ms();
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) FAIL("pipe: %s", strerror(errno));
	int to = o->out ? open_for(o->out, O_WRONLY | O_CREAT | O_TRUNC) : out[1];
	signal(SIGPIPE, SIG_IGN);
	pid_t pid = start(t, o, program, args, (struct stream_fds){ in[0], to, err[1] });
	close(in[0]), close(out[1]), close(err[1]);
	if (o->out) close(to);
	buf_init(&ob, 0), buf_init(&eb, 0);
	talk(t, pid, in[1], o->input, out[0], err[0], &ob, &eb);
	waitpid(pid, &status, 0);
	child_note(pid, 0);
	r.code = exit_code(status);
	r.ms = rig_now_ms() - began;
	r.out = kept(t, &ob);
	r.err = kept(t, &eb);
	return r;
}

struct outcome rig_run(struct t *t, const struct verb_opts *o, const char *const *args) {
	return run_program(t, o, FLYBALL, args);
}

struct outcome rig_shell(struct t *t, const char *fmt, ...) {
	char line[1024];
	va_list more;
	va_start(more, fmt);
	int n = vsnprintf(line, sizeof line, fmt, more);
	va_end(more);
	EXPECT(n >= 0 && (size_t)n < sizeof line);
	const char *const args[] = { "-c", line, NULL };
	return run_program(t, &(struct verb_opts){ .env = { "FLYBALL=" FLYBALL } }, "/bin/sh", args);
}

/* ---- a daemon ---- */

struct str rig_tokens(struct t *t) {
	static const char *const roles[] = { "viewer", "approver", "operator" };
	struct str yaml = STR("tokens:\n");
	for (size_t i = 0; i < 3; i++) {
		struct sha256 hash = sha256(str_printf(t->arena, "secret-of-%s", roles[i]));
		char hex[65];
		hex_encode(hash.b, sizeof hash.b, hex);
		yaml = str_printf(t->arena, STR_FMT "  - {name: the-%s, role: %s, sha256: %s}\n", STR_ARG(yaml), roles[i],
		                  roles[i], hex);
	}
	return yaml;
}

const char *rig_config(struct t *t, const char *yaml) {
	const char *path = rig_path(t, rig_dir(t), "flyball.yaml");
	rig_write(t, path, str_printf(t->arena, "listen: {otlp_grpc: 0, otlp_http: 0, api: 0}\n%s", yaml ? yaml : ""));
	return path;
}

struct flyball rig_flyball(struct t *t, const char *yaml) {
	struct flyball f = { .t = t, .config = rig_config(t, yaml) };
	const char *dir = rig_dir(t);
	f.state = rig_path(t, dir, "state");
	f.log = rig_path(t, dir, "log");
	return f;
}

void rig_launch(struct flyball *f) {
	struct t *t = f->t;
	const char *const args[] = { "run", "-c", f->config, "--state", f->state, NULL };
	const char *input = "/dev/null";
	if (f->opts.input.n) rig_write(t, input = rig_path(t, rig_dir(t), "input"), f->opts.input);
	int log = open_for(f->log, O_WRONLY | O_CREAT | O_APPEND), in = open_for(input, O_RDONLY),
		null = open_for("/dev/null", O_RDWR);
	f->pid = start(t, &f->opts, FLYBALL, args, (struct stream_fds){ in, null, log });
	close(log), close(in), close(null);
}

static int port_of(struct flyball *f, const char *name) {
	int64_t port = 0;
	return str_int(rig_log_field(f, "daemon.up", name), &port) ? (int)port : 0;
}

static bool is_ready(struct flyball *f) {
	struct t *t = f->t;
	return GET(f->api, "/readyz").status == 200;
}

void rig_start(struct flyball *f) {
	struct t *t = f->t;
	size_t before = rig_exists(f->log) ? rig_log(f).n : 0;
	rig_launch(f);
	for (int64_t until = rig_now_ms() + PATIENCE_S * 1000;; rig_sleep_ms(10)) {
		struct str log = rig_log(f);
		if (rig_has((struct str){ log.p + before, log.n - before }, "event=daemon.up")) break;
		if (!rig_alive(f)) FAIL("it ended at its start:\n" STR_FMT, STR_ARG(log));
		if (rig_now_ms() > until) FAIL("it did not come up:\n" STR_FMT, STR_ARG(log));
	}
	f->api = port_of(f, "api");
	f->otlp_http = port_of(f, "otlp_http");
	f->otlp_grpc = port_of(f, "otlp_grpc");
	f->url = str_c(t->arena, str_printf(t->arena, "http://127.0.0.1:%d", f->api));
	if (!f->stays_unready) UNTIL(is_ready(f));
}

int rig_wait(struct flyball *f) {
	struct t *t = f->t;
	int status = 0;
	for (int64_t until = rig_now_ms() + PATIENCE_S * 1000; waitpid(f->pid, &status, WNOHANG) == 0; rig_sleep_ms(5))
		if (rig_now_ms() > until) FAIL("it does not end:\n" STR_FMT, STR_ARG(rig_log(f)));
	child_note(f->pid, 0);
	f->pid = 0;
	return exit_code(status);
}

int rig_stop(struct flyball *f) {
	kill(f->pid, SIGTERM);
	return rig_wait(f);
}

void rig_kill(struct flyball *f) {
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	child_note(f->pid, 0);
	f->pid = 0;
}

bool rig_alive(struct flyball *f) {
	siginfo_t info = { 0 };
	return f->pid > 0 && waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

struct str rig_log(struct flyball *f) {
	return rig_read(f->t, f->log);
}

void rig_log_wait(struct flyball *f, const char *part) {
	struct t *t = f->t;
	for (int64_t until = rig_now_ms() + PATIENCE_S * 1000; !rig_has(rig_log(f), part); rig_sleep_ms(20))
		if (rig_now_ms() > until) FAIL("no line with '%s' in the log:\n" STR_FMT, part, STR_ARG(rig_log(f)));
}

struct str rig_log_field(struct flyball *f, const char *event, const char *name) {
	struct str rest = rig_log(f), line, found = { 0 };
	char want_event[80], want[80];
	snprintf(want_event, sizeof want_event, "event=%s ", event);
	snprintf(want, sizeof want, " %s=", name);
	for (bool more = true; more;) {
		more = str_cut(rest, '\n', &line, &rest);
		const char *at = rig_has(line, want_event) ? memmem(line.p, line.n, want, strlen(want)) : NULL;
		if (!at) continue;
		at += strlen(want);
		size_t n = 0;
		while (at + n < line.p + line.n && at[n] != ' ') n++;
		found = (struct str){ at, n };
	}
	return found;
}

int64_t rig_memory_kib(const struct flyball *f, const char *what) {
	struct t *t = f->t;
	int64_t kib = 0;
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/status", (int)f->pid);
	struct str text = rig_read(t, path);
	const char *at = memmem(text.p, text.n, what, strlen(what));
	if (!at || sscanf(at + strlen(what) + 1, " %ld", &kib) != 1) FAIL("%s has no %s", path, what);
	return kib;
}
