/* The program as others meet it: a process with files, ports, signals and an exit code.
 *
 * For tests/integration alone. Whatever is started here ends with the test, however that ends: children die with
 * their parent, directories are taken away at exit. Everything handed out lies in the test's arena. */
#pragma once

#include "base/json.h"
#include "base/test.h"

#include <string.h>
#include <sys/types.h>

#define PATIENCE_S 40 /* for what takes a moment: two busy cores, and sanitizers */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* memory and time of such a build say nothing of the product's */
#else
#define SANITIZED 0
#endif

/* Ends the test with a sentence. */
void rig_fail(const struct t *t, const char *file, int line, const char *fmt, ...) PRINTF(4, 5)
	__attribute__((noreturn));
#define FAIL(...) rig_fail(t, __FILE__, __LINE__, __VA_ARGS__)
/* `text` holds `part`; shows both when it does not. */
bool rig_has(struct str text, const char *part);
#define EXPECT_INT(got, want)                                               \
	do {                                                                    \
		long long got_ = (long long)(got), want_ = (long long)(want);       \
		if (got_ != want_) FAIL("%s is %lld, not %lld", #got, got_, want_); \
	} while (0)
/* Waits for it, a look every few milliseconds. */
#define UNTIL(condition)                                                                \
	for (int64_t until_ = rig_now_ms() + PATIENCE_S * 1000; !(condition);) {            \
		if (rig_now_ms() > until_) FAIL("not within %d s: %s", PATIENCE_S, #condition); \
		rig_sleep_ms(10);                                                               \
	}

int64_t rig_now_ms(void);  /* monotonic */
int64_t rig_wall_ns(void); /* since 1970 */
void rig_sleep_ms(int64_t ms);

/* ---- files ---- */

/* An empty directory of its own, taken away at exit. */
const char *rig_dir(struct t *t);
struct str rig_read(struct t *t, const char *path);
void rig_write(struct t *t, const char *path, struct str bytes);
const char *rig_path(struct t *t, const char *dir, const char *name);
bool rig_exists(const char *path);
int rig_count_files(const char *dir); /* in it, not below */

/* ---- the program once: a verb ---- */

struct outcome {
	int code; /* exit code; 128 and the signal's number where one ended it */
	struct str out, err;
	int64_t ms;
};

struct verb_opts {
	const char *dir;       /* where it runs; NULL: here */
	const char *env[6];    /* "NAME=value", or "NAME" to take it away */
	struct str input;      /* standard input */
	const char *out;       /* file for standard output in place of `outcome.out` */
	bool unprivileged;     /* as nobody, when the test runs as root */
	int64_t file_size_max; /* RLIMIT_FSIZE; 0: none */
	int64_t files_max;     /* RLIMIT_NOFILE; 0: as here */
};

struct outcome rig_run(struct t *t, const struct verb_opts *o, const char *const *args);
/* RUN_VERB("status", "-o", "json"): nothing special about it. */
#define RUN_VERB(...)       rig_run(t, &(struct verb_opts){ 0 }, (const char *const[]){ __VA_ARGS__, NULL })
#define RUN_WITH(opts, ...) rig_run(t, &(opts), (const char *const[]){ __VA_ARGS__, NULL })
/* Any other program, or a shell line; $FLYBALL is ours. */
struct outcome rig_shell(struct t *t, const char *fmt, ...) PRINTF(2, 3);

/* ---- the program running: flyball run ---- */

struct flyball {
	struct t *t;
	pid_t pid; /* 0: it does not run */
	const char *state, *config, *log;
	const char *url; /* of its API, for --server */
	int api, otlp_http, otlp_grpc;
	struct verb_opts opts;
	bool stays_unready; /* rig_start does not wait for /readyz */
};

/* tokens: of a viewer, an approver and an operator, whose secrets are "secret-of-viewer" and so on. */
struct str rig_tokens(struct t *t);
/* Free ports, and this more. `yaml` may be NULL. */
const char *rig_config(struct t *t, const char *yaml);
/* In a new state directory with `yaml`. */
struct flyball rig_flyball(struct t *t, const char *yaml);
/* Starts it and waits until it is up and ready; ports and url are known then. */
void rig_start(struct flyball *f);
/* Starts it, though it may not come up. */
void rig_launch(struct flyball *f);
/* Waits for its end; the exit code as in struct outcome. */
int rig_wait(struct flyball *f);
/* SIGTERM, and its exit code. */
int rig_stop(struct flyball *f);
void rig_kill(struct flyball *f); /* SIGKILL, waited for */
bool rig_alive(struct flyball *f);
struct str rig_log(struct flyball *f); /* of this run and those before */
/* Fails unless a line with `part` comes. */
void rig_log_wait(struct flyball *f, const char *part);
/* The last "name=value" in the log; empty: none. */
struct str rig_log_field(struct flyball *f, const char *event, const char *name);
int64_t rig_memory_kib(const struct flyball *f, const char *what); /* "VmRSS", "VmHWM" */
