/* `flyball experiment mttd` as its user meets it: interrupted, gone on with, summed up, drawn. */
#include "rig.h"

#include <signal.h>
#include <stdio.h>

/* Half an hour of a nearly empty shop: a run takes moments. */
#define SMALL "--rate 0.5 --warm 0.1 --case dead_pod,error_burst"

/* The four runs of two seeds, kept in `dir`; `more` options. */
static struct outcome four(struct t *t, const char *dir, const char *more) {
	return rig_shell(
		t, "cd %s && $FLYBALL experiment mttd --seeds 1..2 " SMALL " --cache cache -o json --keep kept.jsonl %s", dir,
		more);
}

static size_t lines(struct str text) {
	size_t n = 0;
	for (size_t i = 0; i < text.n; i++) n += text.p[i] == '\n';
	return n;
}

/* Begins more than it can end, in the background; answers the process. */
static pid_t begin(struct t *t, const char *dir, const char *jobs) {
	int pid = 0;
	struct outcome r =
		rig_shell(t,
	              "cd %s; { $FLYBALL experiment mttd --seeds 1..100000 " SMALL
	              " --cache cache --keep kept.jsonl --jobs %s > out 2> err; echo $? > code; } > /dev/null 2>&1 & "
	              "sleep 0.2; pgrep -P $! -x flyball",
	              dir, jobs);
	EXPECT(sscanf(str_c(t->arena, r.out), "%d", &pid) == 1);
	return pid;
}

static void interrupted(struct t *t, const char *jobs) {
	const char *dir = rig_dir(t), *kept = rig_path(t, dir, "kept.jsonl"), *code = rig_path(t, dir, "code");
	pid_t pid = begin(t, dir, jobs);
	UNTIL(rig_exists(kept) && lines(rig_read(t, kept)) >= 2);
	EXPECT(kill(pid, SIGINT) == 0);
	UNTIL(rig_exists(code) && rig_read(t, code).n);
	EXPECT(str_is(str_trim(rig_read(t, code)), "1"));
	EXPECT(!rig_read(t, rig_path(t, dir, "out")).n);
	EXPECT_HAS(rig_read(t, rig_path(t, dir, "err")), "interrupted: ");
	EXPECT_HAS(rig_read(t, rig_path(t, dir, "err")), " of 200000 runs are done and kept; the same command goes on");
}

TEST(an_interruption_is_told_and_exits_1) {
	interrupted(t, "1");
	interrupted(t, "2");
}

/* Cut anywhere in its last line, the file is gone on with, and the sums are those of a time without a break. */
TEST(what_was_kept_is_gone_on_with_and_changes_no_figure) {
	const char *dir = rig_dir(t), *kept = rig_path(t, dir, "kept.jsonl");
	struct outcome whole = four(t, dir, "--plot whole.svg");
	EXPECT_INT(whole.code, 0);
	struct str text = rig_read(t, kept);
	EXPECT_INT(lines(text), 4);
	rig_write(t, kept, (struct str){ text.p, text.n - 40 });
	struct outcome again = four(t, dir, "--plot again.svg --jobs 2");
	EXPECT_INT(again.code, 0);
	EXPECT(str_eq(whole.out, again.out) && str_eq(rig_read(t, kept), text));
	EXPECT(str_eq(rig_read(t, rig_path(t, dir, "whole.svg")), rig_read(t, rig_path(t, dir, "again.svg"))));
	struct outcome sums = rig_shell(t, "cd %s && $FLYBALL experiment mttd kept.jsonl kept.jsonl -o json", dir);
	EXPECT(sums.code == 0 && str_eq(whole.out, sums.out));
	struct outcome csv = rig_shell(t, "cd %s && $FLYBALL experiment mttd kept.jsonl -o csv", dir);
	EXPECT_HAS(csv.out, "detect_fast");
	struct outcome other = four(t, dir, "--rate 1");
	EXPECT_INT(other.code, 2);
	EXPECT_HAS(other.err, "another program, world, rate or warm-up");
	EXPECT(str_eq(rig_read(t, kept), text));
}

RUN(an_interruption_is_told_and_exits_1, what_was_kept_is_gone_on_with_and_changes_no_figure)
