#include "world/vfs.h"

#include "base/test.h"
#include "world/linux/lanes.h"
#include "world/linux/linux.h"

#include "base/list.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world/linux/disk.h"

struct rig {
	struct t *t;
	char root[64];
	struct disk *disk;
	struct fake_clock clock;
	struct vfs *vfs;
};

static void remove_all(struct t *t, struct rig *r) {
	struct disk_entry *all;
	size_t n;
	EXPECT_OK(r->disk->ops->list(r->disk, ".", t->arena, &all, &n));
	for (size_t i = 0; i < n; i++) (void)r->disk->ops->remove(r->disk, str_c(t->arena, all[i].name));
	rmdir(r->root);
}

static void rig_open(struct t *t, struct rig *r) {
	*r = (struct rig){ .t = t };
	snprintf(r->root, sizeof r->root, "/tmp/flyball-vfs-XXXXXX");
	EXPECT(mkdtemp(r->root));
	EXPECT_OK(disk_linux_open(r->root, &r->disk, NULL));
	fake_clock_init(&r->clock, (struct wall){ INT64_C(1767607392250) * NS_PER_MS }); /* 2026-01-05T10:03:12.250Z */
	struct vfs_opts o = { .disk = r->disk, .clock = &r->clock.clock, .rng = rng_seeded(t->seed) };
	EXPECT_OK(vfs_open(o, &r->vfs));
}

static void rig_close(struct t *t, struct rig *r) {
	vfs_close(r->vfs);
	remove_all(t, r);
	disk_linux_close(r->disk);
}

static int64_t number(struct t *t, sqlite3 *db, const char *sql) {
	sqlite3_stmt *s = NULL;
	EXPECT(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK);
	EXPECT(sqlite3_step(s) == SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

static void run(struct t *t, sqlite3 *db, const char *sql) {
	char *said = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK) {
		fprintf(stderr, "%s: %s\n", sql, said);
		test_fail(t, __FILE__, __LINE__, sql);
	}
}

TEST(what_is_committed_is_there_after_a_reopen) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	struct why why;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, &why));
	run(t, db, "CREATE TABLE a(k INTEGER PRIMARY KEY, v BLOB)");
	run(t, db,
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) INSERT INTO a SELECT i, "
	    "randomblob(200) FROM n");
	int64_t sum = number(t, db, "SELECT sum(length(v)) FROM a");
	EXPECT(sum == 5000 * 200);
	EXPECT(sqlite3_close(db) == SQLITE_OK);

	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, &why));
	EXPECT(number(t, db, "SELECT sum(length(v)) FROM a") == sum);
	EXPECT(number(t, db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	rig_close(t, &r);
}

/* As after a crash: the log is copied away while the database is open, and found by the next opener. */
TEST(a_log_that_a_crash_left_is_recovered) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, NULL));
	run(t, db, "CREATE TABLE a(k INTEGER PRIMARY KEY); INSERT INTO a VALUES(1),(2),(3)");
	struct str main_file, log;
	EXPECT_OK(disk_read_file(r.disk, t->arena, "state.db", 1 << 20, &main_file, NULL));
	EXPECT_OK(disk_read_file(r.disk, t->arena, "state.db-wal", 1 << 20, &log, NULL));
	EXPECT(log.n > 4096);
	EXPECT_OK(disk_write_file(r.disk, "copy.db", main_file, NULL));
	EXPECT_OK(disk_write_file(r.disk, "copy.db-wal", log, NULL));
	EXPECT(sqlite3_close(db) == SQLITE_OK);

	EXPECT_OK(vfs_database(r.vfs, "copy.db", &db, NULL));
	EXPECT(number(t, db, "SELECT count(*) FROM a") == 3);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	rig_close(t, &r);
}

TEST(the_settings_are_those_of_the_header) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, NULL));
	EXPECT(number(t, db, "PRAGMA synchronous") == 2);
	EXPECT(number(t, db, "PRAGMA foreign_keys") == 1);
	EXPECT(number(t, db, "PRAGMA cell_size_check") == 1);
	EXPECT(number(t, db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode") == 1);
	EXPECT(number(t, db, "SELECT locking_mode = 'exclusive' FROM pragma_locking_mode") == 1);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	rig_close(t, &r);
}

TEST(a_second_opener_is_told_that_it_is_in_use) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL, *other = NULL;
	struct why why;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, &why));
	EXPECT_ERR(vfs_database(r.vfs, "state.db", &other, &why), ERR_BUSY);
	EXPECT(other == NULL);
	EXPECT(strstr(why.text, "state.db") && strstr(why.text, "in use by another process"));
	/* SQLite's own file system keeps to the same locks. */
	char path[100];
	snprintf(path, sizeof path, "%s/state.db", r.root);
	EXPECT(sqlite3_open_v2(path, &other, SQLITE_OPEN_READWRITE, "unix") == SQLITE_OK);
	EXPECT(sqlite3_exec(other, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) == SQLITE_BUSY);
	sqlite3_close(other);
	/* And the first holds it still: nobody's close has dropped its lock. */
	EXPECT_ERR(vfs_database(r.vfs, "state.db", &other, &why), ERR_BUSY);
	run(t, db, "CREATE TABLE a(k)");
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	EXPECT_OK(vfs_database(r.vfs, "state.db", &other, &why));
	EXPECT(sqlite3_close(other) == SQLITE_OK);
	rig_close(t, &r);
}

TEST(damage_is_named, .seeds = 20) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	struct why why;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, NULL));
	run(t, db, "CREATE TABLE a(k INTEGER PRIMARY KEY, v TEXT); INSERT INTO a VALUES(1, 'x')");
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	struct file *f = NULL;
	EXPECT_OK(r.disk->ops->open(r.disk, "state.db", DISK_READ | DISK_WRITE, &f, NULL));
	unsigned char junk[100]; /* the whole header */
	for (size_t i = 0; i < sizeof junk; i++) junk[i] = (unsigned char)rng_below(&t->rng, 256);
	EXPECT_OK(f->ops->write(f, junk, sizeof junk, 0));
	f->ops->close(f);
	EXPECT_ERR(vfs_database(r.vfs, "state.db", &db, &why), ERR_CORRUPT);
	EXPECT(strstr(why.text, "state.db") && strstr(why.text, "backup"));
	rig_close(t, &r);
}

TEST(a_directory_that_is_not_there_is_named) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	struct why why;
	EXPECT_ERR(vfs_database(r.vfs, "nowhere/state.db", &db, &why), ERR_NOT_FOUND);
	EXPECT(strstr(why.text, "nowhere/state.db") && strstr(why.text, "create its directory"));
	rig_close(t, &r);
}

static void limit_files(struct t *t, rlim_t bytes) {
	struct rlimit l;
	EXPECT(getrlimit(RLIMIT_FSIZE, &l) == 0);
	l.rlim_cur = bytes == RLIM_INFINITY ? l.rlim_max : bytes;
	signal(SIGXFSZ, SIG_IGN);
	EXPECT(setrlimit(RLIMIT_FSIZE, &l) == 0);
}

/* The system's limit on a file's size answers as a full disk does. */
TEST(a_full_disk_is_named_and_costs_only_the_transaction) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	struct why why;
	limit_files(t, 2000);
	EXPECT_ERR(vfs_database(r.vfs, "small.db", &db, &why), ERR_NOSPACE);
	EXPECT(strstr(why.text, "no space left") && strstr(why.text, "small.db"));
	limit_files(t, RLIM_INFINITY);

	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, NULL));
	run(t, db, "CREATE TABLE a(k INTEGER PRIMARY KEY, v BLOB); INSERT INTO a VALUES(1, 'kept')");
	limit_files(t, 100000);
	int rc = sqlite3_exec(db, "INSERT INTO a(v) VALUES(randomblob(300000))", NULL, NULL, NULL);
	EXPECT(vfs_err(rc) == ERR_NOSPACE);
	limit_files(t, RLIM_INFINITY);
	run(t, db, "INSERT INTO a(v) VALUES('later')");
	EXPECT(number(t, db, "SELECT count(*) FROM a") == 2);
	EXPECT(number(t, db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	rig_close(t, &r);
}

/* As another user where we are root, whom no mode stops. */
TEST(a_database_without_the_right_is_named) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, NULL));
	run(t, db, "CREATE TABLE a(k)");
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	EXPECT(chmod(r.root, 0755) == 0);
	char path[100];
	snprintf(path, sizeof path, "%s/state.db", r.root);
	EXPECT(chmod(path, 0444) == 0);
	pid_t child = fork();
	if (child == 0) {
		if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
		struct why why = { "" };
		enum err e = vfs_database(r.vfs, "state.db", &db, &why);
		_exit(e == ERR_DENIED && strstr(why.text, "state.db") && strstr(why.text, "owner") ? 0 : 1);
	}
	int status = -1;
	EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	rig_close(t, &r);
}

TEST(time_and_chance_are_the_ones_handed_in) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, NULL));
	EXPECT(number(t, db, "SELECT strftime('%s', 'now')") == 1767607392);
	fake_clock_advance(&r.clock, 100 * NS_PER_SEC);
	EXPECT(number(t, db, "SELECT strftime('%s', 'now')") == 1767607492);
	EXPECT(sqlite3_close(db) == SQLITE_OK);

	/* Two of one seed draw the same, here the salts of the write-ahead log. */
	struct str logs[2];
	for (int i = 0; i < 2; i++) {
		struct vfs_opts o = { .disk = r.disk, .clock = &r.clock.clock, .rng = rng_seeded(t->seed + 7) };
		struct vfs *v = NULL;
		EXPECT_OK(vfs_open(o, &v));
		const char *name = i ? "b.db" : "a.db";
		EXPECT_OK(vfs_database(v, name, &db, NULL));
		run(t, db, "CREATE TABLE a(k)");
		EXPECT_OK(disk_read_file(r.disk, t->arena, i ? "b.db-wal" : "a.db-wal", 1 << 20, &logs[i], NULL));
		EXPECT(sqlite3_close(db) == SQLITE_OK);
		vfs_close(v);
	}
	EXPECT(logs[0].n > 32 && str_eq(logs[0], logs[1]));
	rig_close(t, &r);
}

/* A statement that is undone may need a temporary file, which has no name. */
TEST(temporary_files_need_no_disk) {
	struct rig r;
	rig_open(t, &r);
	sqlite3 *db = NULL;
	EXPECT_OK(vfs_database(r.vfs, "state.db", &db, NULL));
	run(t, db, "CREATE TABLE a(k INTEGER PRIMARY KEY, v BLOB)");
	run(t, db, "BEGIN");
	run(t, db,
	    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4000) INSERT INTO a SELECT i, "
	    "randomblob(900) FROM n");
	run(t, db, "SAVEPOINT s");
	run(t, db, "UPDATE a SET v = randomblob(900)");
	run(t, db, "ROLLBACK TO s");
	run(t, db, "COMMIT");
	EXPECT(number(t, db, "SELECT count(*) FROM a") == 4000);
	EXPECT(number(t, db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1);
	struct disk_entry *all;
	size_t n;
	EXPECT_OK(r.disk->ops->list(r.disk, ".", t->arena, &all, &n));
	EXPECT(n == 2); /* the database and its log */
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	rig_close(t, &r);
}

/* ---- two databases on two threads ---- */

struct writer {
	struct job job;
	struct vfs *vfs;
	const char *name;
	int64_t count;
	enum err err;
};

static void write_rows(struct job *j) {
	struct writer *w = container_of(j, struct writer, job);
	sqlite3 *db = NULL;
	w->err = vfs_database(w->vfs, w->name, &db, NULL);
	if (w->err) return;
	sqlite3_exec(db, "CREATE TABLE a(k INTEGER PRIMARY KEY, v BLOB)", NULL, NULL, NULL);
	for (int i = 0; i < 200; i++) {
		int rc = sqlite3_exec(db, "INSERT INTO a(v) VALUES(randomblob(500) || strftime('%s','now'))", NULL, NULL, NULL);
		if (rc == SQLITE_OK) w->count++;
	}
	sqlite3_close(db);
}

TEST(two_threads_write_two_databases_of_one_vfs) {
	struct rig r;
	rig_open(t, &r);
	struct world_linux *w = NULL;
	EXPECT_OK(
		world_linux_open((struct world_linux_opts){ .log_level = LOG_ERROR, .log_fd = 2, .seed = t->seed }, &w, NULL));
	struct world *world = world_linux_world(w);
	/* On the real clock, which the loop moves meanwhile. */
	struct vfs *v = NULL;
	EXPECT_OK(vfs_open((struct vfs_opts){ r.disk, world->clock, rng_seeded(t->seed) }, &v));
	struct writer writers[2] = { { .vfs = v, .name = "a.db" }, { .vfs = v, .name = "b.db" } };
	struct lane *lanes[2];
	for (int i = 0; i < 2; i++) {
		writers[i].job.run = write_rows;
		EXPECT_OK(world->jobs->lane(world->jobs, writers[i].name, 4, &lanes[i]));
		EXPECT_OK(lane_submit(lanes[i], &writers[i].job));
	}
	for (int done = 0; done < 2;) {
		world_linux_wait(w, (struct mono){ clock_mono(world->clock).ns + NS_PER_MS });
		for (int i = 0; i < 2; i++) done += lane_poll(lanes[i]) != NULL;
	}
	for (int i = 0; i < 2; i++) {
		lane_close(lanes[i], NULL);
		EXPECT_OK(writers[i].err);
		EXPECT(writers[i].count == 200);
	}
	vfs_close(v);
	world_linux_close(w);
	rig_close(t, &r);
}

RUN(what_is_committed_is_there_after_a_reopen, a_log_that_a_crash_left_is_recovered,
    the_settings_are_those_of_the_header, a_second_opener_is_told_that_it_is_in_use, damage_is_named,
    a_directory_that_is_not_there_is_named, a_full_disk_is_named_and_costs_only_the_transaction,
    a_database_without_the_right_is_named, time_and_chance_are_the_ones_handed_in, temporary_files_need_no_disk,
    two_threads_write_two_databases_of_one_vfs)
