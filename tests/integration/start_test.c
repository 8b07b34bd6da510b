/* What a person meets when the daemon cannot start: what is wrong, where, what to do, and nothing half done. */
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Starts `f` and expects that it ends by itself with `code`, saying all of `words` (ended by NULL). */
static void refused(struct flyball *f, int code, const char *const *words) {
	struct t *t = f->t;
	size_t before = rig_exists(f->log) ? rig_log(f).n : 0;
	rig_launch(f);
	int got = rig_wait(f);
	struct str said = rig_log(f);
	said.p += before, said.n -= before;
	if (got != code) FAIL("exit %d, not %d:\n" STR_FMT, got, code, STR_ARG(said));
	for (; *words; words++) EXPECT_HAS(said, *words);
	EXPECT_HAS(said, "flyball: "); /* a sentence for people, after whatever was logged */
}
#define REFUSED(f, code, ...) refused(f, code, (const char *const[]){ __VA_ARGS__, NULL })

static void starts_and_ends(struct flyball *f) {
	struct t *t = f->t;
	rig_start(f);
	EXPECT_INT(rig_stop(f), 0);
}

TEST(a_port_in_use_is_named_each_of_the_three) {
	struct flyball one = rig_flyball(t, NULL), two = rig_flyball(t, NULL);
	rig_start(&one);
	const struct {
		const char *key;
		int port;
	} ports[] = { { "api", one.api }, { "otlp_http", one.otlp_http }, { "otlp_grpc", one.otlp_grpc } };
	for (size_t i = 0; i < 3; i++) {
		const char *others[] = { "api", "otlp_http", "otlp_grpc" };
		struct str yaml = STR("listen: {");
		for (size_t k = 0; k < 3; k++)
			yaml = str_printf(t->arena, STR_FMT "%s%s: %d", STR_ARG(yaml), k ? ", " : "", others[k],
			                  k == i ? ports[i].port : 0);
		rig_write(t, two.config, str_printf(t->arena, STR_FMT "}\n", STR_ARG(yaml)));
		char where[40];
		snprintf(where, sizeof where, "127.0.0.1:%d is in use", ports[i].port);
		REFUSED(&two, 3, where, "stop it", "set another port");
	}
	EXPECT(GET(one.api, "/readyz").status == 200); /* the first one never noticed */
	two.config = rig_config(t, NULL);
	starts_and_ends(&two);
	EXPECT_INT(rig_stop(&one), 0);
}

TEST(the_state_of_a_running_daemon_is_left_alone) {
	struct flyball one = rig_flyball(t, NULL), two = rig_flyball(t, NULL);
	rig_start(&one);
	two.state = one.state;
	REFUSED(&two, 3, "state.db", "in use by another process", "stop that one or name another state directory");
	EXPECT(GET(one.api, "/readyz").status == 200);
	rig_kill(&one); /* a lock that outlived its process would refuse this */
	starts_and_ends(&two);
}

TEST(a_state_directory_that_cannot_be_written_is_named) {
	struct flyball f = rig_flyball(t, NULL);
	f.opts.unprivileged = true;
	chmod(f.config, 0644);
	EXPECT(mkdir(f.state, 0755) == 0 && chmod(f.state, 0555) == 0);
	REFUSED(&f, 3, f.state, "Permission denied", "run as its owner, or change its mode");
	EXPECT_INT(rig_count_files(f.state), 0);
	EXPECT(chmod(f.state, 0777) == 0);
	starts_and_ends(&f);
	/* its files there, and the right to change them gone */
	const char *db = rig_path(t, f.state, "state.db");
	EXPECT(chmod(db, 0444) == 0);
	struct str before = rig_read(t, db);
	REFUSED(&f, 3, db, "Permission denied", "run as its owner, or change its mode");
	EXPECT(str_eq(before, rig_read(t, db)));
	EXPECT(chmod(db, 0600) == 0);
	starts_and_ends(&f);
}

TEST(a_state_directory_that_cannot_be_made_is_named) {
	struct flyball f = rig_flyball(t, NULL);
	const char *file = rig_path(t, rig_dir(t), "file");
	rig_write(t, file, STR("not a directory"));
	f.state = rig_path(t, file, "x");
	REFUSED(&f, 2, f.state, "--state DIR");
	EXPECT(str_is(rig_read(t, file), "not a directory"));
}

static void sql(struct t *t, const char *path, const char *text) {
	sqlite3 *db = NULL;
	char *wrong = NULL;
	EXPECT(sqlite3_open(path, &db) == SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &wrong) != SQLITE_OK) FAIL("%s: %s", text, wrong);
	sqlite3_close(db);
}

TEST(state_of_a_newer_schema_is_not_touched) {
	static const char *const names[] = { "state.db", "bus.db" };
	struct flyball f = rig_flyball(t, NULL);
	starts_and_ends(&f);
	for (size_t i = 0; i < 2; i++) {
		const char *db = rig_path(t, f.state, names[i]);
		struct str good = rig_read(t, db);
		sql(t, db, "PRAGMA user_version=1000");
		struct str before = rig_read(t, db);
		REFUSED(&f, 3, db, "written by a newer Flyball (schema 1000", "run that one, or name another file");
		EXPECT(str_eq(before, rig_read(t, db)));
		rig_write(t, db, good);
		starts_and_ends(&f);
	}
}

TEST(a_file_that_is_somebody_elses_is_not_touched) {
	struct flyball f = rig_flyball(t, NULL);
	EXPECT(mkdir(f.state, 0700) == 0);
	const char *db = rig_path(t, f.state, "state.db");
	sql(t, db, "CREATE TABLE photos(name TEXT); INSERT INTO photos VALUES('summer')");
	struct str before = rig_read(t, db);
	REFUSED(&f, 2, db, "no state database of Flyball");
	EXPECT(str_eq(before, rig_read(t, db)));
}

/* In WAL mode, and its program killed: what lies in the log beside it belongs to it too. */
TEST(neither_is_the_log_of_one_whose_program_was_killed) {
	struct flyball f = rig_flyball(t, NULL);
	sqlite3 *other = NULL;
	EXPECT(mkdir(f.state, 0700) == 0);
	const char *elsewhere = rig_path(t, rig_dir(t), "photos.db"), *db = rig_path(t, f.state, "state.db");
	EXPECT(sqlite3_open(elsewhere, &other) == SQLITE_OK);
	EXPECT(sqlite3_exec(other,
	                    "PRAGMA journal_mode=WAL; CREATE TABLE photos(name TEXT); PRAGMA wal_checkpoint;"
	                    "INSERT INTO photos VALUES('summer')",
	                    NULL, NULL, NULL) == SQLITE_OK);
	struct str before = rig_read(t, elsewhere),
			   log = rig_read(t, str_c(t->arena, str_printf(t->arena, "%s-wal", elsewhere)));
	EXPECT(log.n > 0);
	rig_write(t, db, before);
	rig_write(t, rig_path(t, f.state, "state.db-wal"), log);
	sqlite3_close(other);
	REFUSED(&f, 2, db, "no state database of Flyball");
	EXPECT(str_eq(before, rig_read(t, db)));
	EXPECT(str_eq(log, rig_read(t, rig_path(t, f.state, "state.db-wal"))));
}

/* Bytes in the middle, the header, the end: each is told, and left for whoever restores it. */
TEST(a_damaged_database_is_named_and_left_as_it_is, .seeds = 3) {
	static const char *const names[] = { "state.db", "bus.db" };
	struct flyball f = rig_flyball(t, NULL);
	const char *db = NULL;
	starts_and_ends(&f);
	for (size_t i = 0; i < 2; i++) {
		db = rig_path(t, f.state, names[i]);
		struct str good = rig_read(t, db);
		char *bad = arena_copy(t->arena, good.p, good.n);
		size_t n = t->seed == 2 ? 512 + (size_t)rng_below(&t->rng, 1024) : good.n; /* 2: its end is gone */
		size_t from = t->seed == 1 ? 0 : t->seed == 2 ? n : 100; /* 1: the header; 3: the first page's tree */
		for (size_t k = from; k < from + 400 && k < n; k++) bad[k] = (char)rng_next(&t->rng);
		rig_write(t, db, (struct str){ bad, n });
		struct str before = rig_read(t, db);
		REFUSED(&f, 3, db, "restore it from a backup");
		EXPECT(str_eq(before, rig_read(t, db)));
		rig_write(t, db, good);
		starts_and_ends(&f);
	}
}

/* A limit on the size of files stands in for a full disk: it needs no rights, and SQLite sees the same error.
 * Where the test runs as root a small tmpfs is filled as well. */
TEST(a_full_disk_is_named_and_the_next_start_works) {
	struct flyball f = rig_flyball(t, NULL);
	f.opts.file_size_max = 4096;
	REFUSED(&f, 3, f.state, "no space left", "free some");
	f.opts.file_size_max = 0;
	starts_and_ends(&f);
	EXPECT_INT(RUN_VERB("audit", "verify", "--state", f.state).code, 0);
}

TEST(a_disk_that_is_really_full_is_named_and_the_next_start_works) {
	struct flyball f = rig_flyball(t, NULL);
	const char *ballast = rig_path(t, f.state, "ballast");
	EXPECT(mkdir(f.state, 0700) == 0);
	if (geteuid() != 0 || mount("tmpfs", f.state, "tmpfs", 0, "size=64k") != 0) {
		printf("not as root: a limit on the size of files stands in for a full disk (the test before)\n");
		return;
	}
	char *zeros = arena_take(t->arena, 60000, 1);
	rig_write(t, ballast, (struct str){ zeros, 60000 });
	rig_launch(&f);
	int code = rig_wait(&f);
	struct str said = rig_log(&f);
	bool read_only = mount("tmpfs", f.state, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64k") == 0;
	rig_launch(&f);
	int read_only_code = rig_wait(&f);
	struct str read_only_said = rig_log(&f);
	bool writable = mount("tmpfs", f.state, "tmpfs", MS_REMOUNT, "size=8m") == 0;
	unlink(ballast);
	rig_launch(&f);
	for (int i = 0; i < 2000 && !rig_has(rig_log(&f), "event=control.ready"); i++) rig_sleep_ms(10);
	bool ready = rig_has(rig_log(&f), "event=control.ready");
	int ended = rig_stop(&f);
	umount2(f.state, MNT_DETACH); /* before anything may fail */
	EXPECT_INT(code, 3);
	EXPECT_HAS(said, "no space left");
	EXPECT(read_only && writable);
	EXPECT_INT(read_only_code, 3);
	EXPECT_HAS(read_only_said, "Read-only file system");
	EXPECT(ready && ended == 0);
}

TEST(a_target_that_is_not_there_is_named) {
	struct flyball f = rig_flyball(t, "target: 'swarm:'\n");
	REFUSED(&f, 2, "swarm", "kubernetes");
	const char *nowhere = rig_path(t, f.state, "kubeconfig");
	f = rig_flyball(t, str_c(t->arena, str_printf(t->arena, "target: 'kubernetes:?kubeconfig=%s'\n", nowhere)));
	REFUSED(&f, 2, nowhere);
}

RUN(a_port_in_use_is_named_each_of_the_three, the_state_of_a_running_daemon_is_left_alone,
    a_state_directory_that_cannot_be_written_is_named, a_state_directory_that_cannot_be_made_is_named,
    state_of_a_newer_schema_is_not_touched, a_file_that_is_somebody_elses_is_not_touched,
    neither_is_the_log_of_one_whose_program_was_killed, a_damaged_database_is_named_and_left_as_it_is,
    a_full_disk_is_named_and_the_next_start_works, a_disk_that_is_really_full_is_named_and_the_next_start_works,
    a_target_that_is_not_there_is_named)
