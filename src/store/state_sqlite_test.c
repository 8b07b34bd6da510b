/* What is SQLite's own: files that are not ours, disks that fail, power that goes. */
#include <stdlib.h>
#include <string.h>

#include "base/test.h"
#include "store/registry.h"
#include "store/sql.h"
#include "store/test_world.h"

#define URL STR("sqlite:///dir/state.db")

static bool next(struct state *s, struct state_done *d) {
	for (int i = 0; i < 20; i++)
		if (state_poll(s, d)) return true;
	return false;
}

static enum err put(struct state *s, struct str key, struct str value) {
	struct state_write w = { .effect = STATE_PUT, .key = key, .value = value };
	struct state_done d = { 0 };
	enum err e = state_transact(s, &w, 1, 1);
	if (e) return e;
	return next(s, &d) ? d.err : ERR_TIMEOUT;
}

static size_t count(struct t *t, struct state *s) {
	struct state_query q = { .limit = 1000 };
	struct state_done d = { 0 };
	EXPECT_OK(state_query(s, &q, 1));
	EXPECT(next(s, &d) && d.err == OK);
	return d.count;
}

/* ---- power ---- */

#define PAIRS 6

/* Pairs of items are written together, over and over, value by value; whatever was acknowledged is there
 * after the power came back, no pair is torn, and nothing is from later than what was asked. */
static void write_until_dark(struct t *t, struct state *s, int64_t acknowledged[PAIRS], int64_t asked[PAIRS]) {
	struct state_done d;
	for (int64_t n = 1; n <= 24; n++) {
		int pair = (int)rng_below(&t->rng, PAIRS);
		char text[16];
		snprintf(text, sizeof text, "%lld", (long long)n);
		struct str a = str_printf(t->arena, "a/%d", pair), b = str_printf(t->arena, "b/%d", pair);
		struct state_write w[] = { { .effect = STATE_PUT, .key = a, .value = str_of(text) },
			                       { .effect = STATE_PUT, .key = b, .value = str_of(text) } };
		if (state_transact(s, w, 2, (uint64_t)(n * PAIRS + pair))) return;
		asked[pair] = n;
		if (rng_below(&t->rng, 3)) continue; /* some wait for one another */
		while (next(s, &d))
			if (!d.err) acknowledged[d.tag % PAIRS] = (int64_t)d.tag / PAIRS;
	}
	while (next(s, &d))
		if (!d.err) acknowledged[d.tag % PAIRS] = (int64_t)d.tag / PAIRS;
}

static int64_t value(struct t *t, struct state *s, const char *half, int pair) {
	char key[16];
	snprintf(key, sizeof key, "%s/%d", half, pair);
	struct state_query q = { .prefix = str_of(key), .exact = true, .limit = 1 };
	struct state_done d = { 0 };
	EXPECT_OK(state_query(s, &q, 1));
	EXPECT(next(s, &d) && d.err == OK);
	return d.count ? atoll(str_copy(t->arena, d.items->value).p) : 0;
}

static void check_pairs(struct t *t, struct test_world *w, const int64_t acknowledged[PAIRS],
                        const int64_t asked[PAIRS]) {
	struct state *s = NULL;
	struct why why = { "" };
	enum err e = state_open(&w->world, URL, &s, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT_OK(e);
	for (int i = 0; i < PAIRS; i++) {
		int64_t a = value(t, s, "a", i), b = value(t, s, "b", i);
		EXPECT(a == b && a >= acknowledged[i] && a <= asked[i]);
	}
	EXPECT_OK(put(s, STR("alive"), STR("1")));
	state_close(s);
}

/* The power goes at operation `at` of the disk; false: it lived to the end. */
static bool run_dark(struct t *t, int64_t at) {
	struct test_world w;
	struct state *s = NULL;
	int64_t acknowledged[PAIRS] = { 0 }, asked[PAIRS] = { 0 };
	test_world_init(&w, t->seed);
	w.disk.crash_at = at;
	if (!state_open(&w.world, URL, &s, NULL)) write_until_dark(t, s, acknowledged, asked);
	state_close(s);
	bool dark = w.disk.crashed;
	test_world_crash(&w);
	check_pairs(t, &w, acknowledged, asked);
	test_world_done(&w);
	return dark;
}

TEST(no_moment_to_lose_power_loses_what_was_acknowledged, .seeds = 6) {
	int64_t at = 1;
	while (run_dark(t, at)) at++;
	EXPECT(at > 20);
}

/* ---- disks that fail ---- */

static bool run_failing(struct t *t, int64_t at, enum err with, int64_t times) {
	struct test_world w;
	struct state *s = NULL;
	struct why why = { "" };
	int64_t acknowledged[PAIRS] = { 0 }, asked[PAIRS] = { 0 };
	test_world_init(&w, t->seed);
	w.disk.fail_at = at;
	w.disk.fail_with = with;
	w.disk.fail_count = times;
	enum err e = state_open(&w.world, URL, &s, &why);
	EXPECT(!e || why.text[0]);
	if (!e) write_until_dark(t, s, acknowledged, asked);
	bool failed = w.disk.operations >= at;
	/* Without a restart: once the disk is well again, so are we. */
	w.disk.fail_at = 0;
	for (int i = 0; s && i < PAIRS; i++) {
		int64_t a = value(t, s, "a", i), b = value(t, s, "b", i);
		EXPECT(a == b && a >= acknowledged[i] && a <= asked[i]);
	}
	if (s) EXPECT_OK(put(s, STR("alive"), STR("1")));
	state_close(s);
	check_pairs(t, &w, acknowledged, asked);
	test_world_done(&w);
	return failed;
}

TEST(no_failing_operation_loses_or_tears, .seeds = 3) {
	static const enum err errors[] = { ERR_IO, ERR_NOSPACE };
	for (int i = 0; i < 4; i++) {
		int64_t at = 1;
		while (run_failing(t, at, errors[i % 2], i < 2 ? 1 : 0)) at++;
		EXPECT(at > 20);
	}
}

TEST(a_full_disk_is_told_and_got_over) {
	struct test_world w;
	struct state *s = NULL;
	static char big[STATE_VALUE_MAX];
	test_world_init(&w, 1);
	EXPECT_OK(state_open(&w.world, URL, &s, NULL));
	EXPECT_OK(put(s, STR("a"), STR("1")));
	w.disk.space = 200 * 1024;
	struct state_write write = { .effect = STATE_PUT, .key = STR("b"), .value = { big, sizeof big } };
	struct state_done d = { 0 };
	EXPECT_OK(state_transact(s, &write, 1, 1));
	EXPECT(next(s, &d) && d.err == ERR_NOSPACE);
	EXPECT(strstr(d.why, "/dir/state.db") && strstr(d.why, "free some space"));
	EXPECT(count(t, s) == 1);
	w.disk.space = 0;
	EXPECT_OK(state_transact(s, &write, 1, 1));
	EXPECT(next(s, &d) && d.err == OK);
	state_close(s);
	test_world_done(&w);
}

TEST(a_readonly_disk_is_told_at_the_door) {
	struct test_world w;
	struct state *s = NULL;
	struct why why = { "" };
	test_world_init(&w, 1);
	EXPECT_OK(state_open(&w.world, URL, &s, NULL));
	state_close(s);
	w.disk.readonly = true;
	EXPECT_ERR(state_open(&w.world, URL, &s, &why), ERR_READONLY);
	EXPECT(strstr(why.text, "/dir"));
	w.disk.readonly = false;
	test_world_done(&w);
}

/* ---- whose file it is ---- */

TEST(a_file_has_one_owner) {
	struct test_world w;
	struct state *s = NULL, *second = NULL;
	struct why why = { "" };
	test_world_init(&w, 1);
	EXPECT_OK(state_open(&w.world, URL, &s, NULL));
	EXPECT_ERR(state_open(&w.world, URL, &second, &why), ERR_BUSY);
	EXPECT(strstr(why.text, "/dir/state.db"));
	state_close(s);
	EXPECT_OK(state_open(&w.world, URL, &second, &why));
	state_close(second);
	test_world_done(&w);
}

/* Runs `sql` on the file, as another program would. */
static void meddle(struct t *t, struct test_world *w, const char *sql) {
	struct vfs *v = NULL;
	struct sqlite3 *db = NULL;
	EXPECT_OK(vfs_open((struct vfs_opts){ w->world.disk, w->world.clock, rng_seeded(1) }, &v));
	EXPECT_OK(vfs_database(v, "/dir/state.db", &db, NULL));
	EXPECT_OK(sql_exec(db, sql));
	sqlite3_close(db);
	vfs_close(v);
}

TEST(a_newer_schema_is_refused_and_left_alone) {
	struct test_world w;
	struct state *s = NULL;
	struct why why = { "" };
	test_world_init(&w, 1);
	EXPECT_OK(state_open(&w.world, URL, &s, NULL));
	EXPECT_OK(put(s, STR("a"), STR("1")));
	state_close(s);
	meddle(t, &w, "PRAGMA user_version = 7");
	EXPECT_ERR(state_open(&w.world, URL, &s, &why), ERR_VERSION);
	EXPECT(strstr(why.text, "newer") && strstr(why.text, "schema 7"));
	meddle(t, &w, "PRAGMA user_version = 1");
	EXPECT_OK(state_open(&w.world, URL, &s, &why));
	EXPECT(count(t, s) == 1);
	state_close(s);
	test_world_done(&w);
}

TEST(a_file_of_somebody_else_is_refused) {
	struct test_world w;
	struct state *s = NULL;
	struct why why = { "" };
	test_world_init(&w, 1);
	meddle(t, &w, "CREATE TABLE theirs(x)");
	EXPECT_ERR(state_open(&w.world, URL, &s, &why), ERR_INVALID);
	EXPECT(strstr(why.text, "no state database"));
	test_world_done(&w);
}

TEST(a_damaged_file_is_told) {
	struct test_world w;
	struct state *s = NULL;
	struct why why = { "" };
	test_world_init(&w, 1);
	EXPECT_OK(state_open(&w.world, URL, &s, NULL));
	EXPECT_OK(put(s, STR("a"), STR("1")));
	state_close(s);
	test_world_damage(&w, "/dir/state.db", 3); /* in "SQLite format 3" */
	EXPECT_ERR(state_open(&w.world, URL, &s, &why), ERR_CORRUPT);
	EXPECT(strstr(why.text, "/dir/state.db"));
	test_world_done(&w);
}

static const char *const old_steps[] = { "CREATE TABLE a(x); INSERT INTO a VALUES(1)" };
static const char *const new_steps[] = { "CREATE TABLE a(x); INSERT INTO a VALUES(1)", "CREATE TABLE b(y)",
	                                     "INSERT INTO b SELECT x + 1 FROM a" };
static const char *const reads[] = { "SELECT y FROM b" };

static enum err open_steps(struct sql *s, struct test_world *w, const char *const *steps, int n, size_t statements) {
	struct url u = { .scheme = STR("sqlite"), .path = STR("/dir/state.db") };
	struct sql_schema schema = { "state", 0x1234, "x", steps, n, reads, statements };
	return sql_open(s, &w->world, &u, &schema, NULL);
}

/* An older file is brought forward, step by step, also when the power goes at any moment in between. */
TEST(an_older_schema_is_brought_forward) {
	for (int64_t at = 1, dark = 1; dark; at++) {
		struct test_world w;
		struct sql s;
		bool row = false;
		test_world_init(&w, (uint64_t)at);
		EXPECT_OK(open_steps(&s, &w, old_steps, 1, 0));
		sql_close(&s);
		w.disk.crash_at = w.disk.operations + at;
		if (!open_steps(&s, &w, new_steps, 3, 1)) sql_close(&s);
		dark = w.disk.crashed;
		test_world_crash(&w);
		EXPECT_OK(open_steps(&s, &w, new_steps, 3, 1));
		EXPECT(!sql_row(s.statements[0], &row) && row && sqlite3_column_int(s.statements[0], 0) == 2);
		EXPECT(!sql_row(s.statements[0], &row) && !row);
		sql_close(&s);
		test_world_done(&w);
	}
}

TEST(a_wrong_url_is_told) {
	static const char *const urls[] = { "sqlite:",
		                                "sqlite:///",
		                                "sqlite:///dir/",
		                                "sqlite://host/x.db",
		                                "sqlite:///x.db?que=1",
		                                "sqlite:///x.db?queue=1" };
	struct test_world w;
	struct state *s = NULL;
	test_world_init(&w, 1);
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct why why = { "" };
		EXPECT_ERR(state_open(&w.world, str_of(urls[i]), &s, &why), ERR_INVALID);
		EXPECT(why.text[0]);
	}
	test_world_done(&w);
}

/* ---- what it costs ---- */

/* A burst is one transaction: it costs the disk about what a single write costs. */
TEST(a_burst_is_one_commit) {
	struct test_world w;
	struct state *s = NULL;
	struct state_done d;
	test_world_init(&w, 1);
	EXPECT_OK(state_open(&w.world, URL, &s, NULL));
	EXPECT_OK(put(s, STR("warm"), STR("1")));
	int64_t before = w.disk.operations;
	EXPECT_OK(put(s, STR("one"), STR("1")));
	int64_t single = w.disk.operations - before;
	before = w.disk.operations;
	for (int i = 0; i < 200; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", i);
		struct state_write write = { .effect = STATE_PUT, .key = str_of(key), .value = STR("v") };
		EXPECT_OK(state_transact(s, &write, 1, 1));
	}
	for (int i = 0; i < 200; i++) EXPECT(next(s, &d) && d.err == OK);
	EXPECT(w.disk.operations - before < 4 * single + 20);
	state_close(s);
	test_world_done(&w);
}

/* What has expired leaves the file too, a little with each write. */
TEST(expired_items_leave_the_file) {
	struct test_world w;
	struct state *s = NULL;
	struct state_done d;
	test_world_init(&w, 1);
	EXPECT_OK(state_open(&w.world, URL, &s, NULL));
	struct wall at = { w.clock.wall.ns + NS_PER_SEC };
	for (int i = 0; i < 100; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", i);
		struct state_write write = { .effect = STATE_PUT, .key = str_of(key), .value = STR("v"), .expires = at };
		EXPECT_OK(state_transact(s, &write, 1, 1));
		EXPECT(next(s, &d) && d.err == OK);
	}
	fake_clock_advance(&w.clock, 2 * NS_PER_SEC);
	for (int i = 0; i < 4; i++) EXPECT_OK(put(s, STR("other"), STR("1")));
	state_close(s);
	meddle(t, &w, "CREATE TABLE check_(n CHECK(n = 1)); INSERT INTO check_ SELECT count(*) FROM item");
	test_world_done(&w);
}

RUN(no_moment_to_lose_power_loses_what_was_acknowledged, no_failing_operation_loses_or_tears,
    a_full_disk_is_told_and_got_over, a_readonly_disk_is_told_at_the_door, a_file_has_one_owner,
    a_newer_schema_is_refused_and_left_alone, a_file_of_somebody_else_is_refused, a_damaged_file_is_told,
    an_older_schema_is_brought_forward, a_wrong_url_is_told, a_burst_is_one_commit, expired_items_leave_the_file)
