/* The test program is its own child: what it does then is its first argument. */
#include "world/linux/spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/test.h"

static int child(const char *what, const char *number) {
	if (strcmp(what, "--count") == 0)
		for (int i = 0, n = atoi(number); i < n; i++) printf("%s:%d\n", number, i);
	if (strcmp(what, "--half") == 0) fputs("no newline at the end", stdout);
	if (strcmp(what, "--endless") == 0)
		for (char line[4096] = { [0 ... 4094] = 'x' };;)
			if (fputs(line, stdout) < 0) break;
	if (strcmp(what, "--sleep") == 0) pause();
	if (strcmp(what, "--abort") == 0) abort();
	fflush(stdout);
	return strcmp(what, "--exit") == 0 ? atoi(number) : 0;
}

static size_t start(struct t *t, struct spawn *s, const char *what, const char *number) {
	size_t id = 0;
	struct why why;
	EXPECT_OK(spawn_start(s, (const char *const[]){ what, number, NULL }, &id, &why));
	return id;
}

static struct spawn_event wait_for(struct spawn *s, enum spawn_kind kind) {
	struct spawn_event e;
	do e = spawn_next(s, 1000);
	while (e.kind != kind && e.kind != SPAWN_NONE);
	return e;
}

TEST(every_line_of_every_child_comes_once_and_in_order) {
	struct spawn *s = NULL;
	int seen[64] = { 0 }, ended = 0;
	const char *numbers[64] = { NULL };
	EXPECT_OK(spawn_open(&s));
	numbers[start(t, s, "--count", "1000")] = "1000";
	numbers[start(t, s, "--count", "3")] = "3";
	numbers[start(t, s, "--count", "0")] = "0";
	for (;;) {
		struct spawn_event e = spawn_next(s, 1000);
		if (e.kind == SPAWN_NONE) break;
		if (e.kind == SPAWN_ENDED) {
			EXPECT(e.status == 0 && seen[e.child] == atoi(numbers[e.child]));
			ended++;
		}
		if (e.kind != SPAWN_LINE) continue;
		char want[32];
		snprintf(want, sizeof want, "%s:%d", numbers[e.child], seen[e.child]++);
		EXPECT(str_is(e.line, want));
	}
	EXPECT(ended == 3);
	spawn_close(s);
}

TEST(how_a_child_ended_is_told) {
	struct spawn *s = NULL;
	EXPECT_OK(spawn_open(&s));
	start(t, s, "--exit", "7");
	EXPECT(wait_for(s, SPAWN_ENDED).status == 7);
	start(t, s, "--abort", "0");
	EXPECT(wait_for(s, SPAWN_ENDED).status == 128 + 6);
	start(t, s, "--half", "0");
	EXPECT(str_is(wait_for(s, SPAWN_LINE).line, "no newline at the end"));
	EXPECT(wait_for(s, SPAWN_ENDED).status == 0);
	start(t, s, "--endless", "0");
	EXPECT(wait_for(s, SPAWN_ENDED).status == -1);
	EXPECT(spawn_next(s, 0).kind == SPAWN_NONE);
	spawn_close(s);
}

TEST(a_child_that_sleeps_is_ended_and_too_many_are_refused) {
	struct spawn *s = NULL;
	struct why why;
	size_t id;
	EXPECT_OK(spawn_open(&s));
	for (int i = 0; i < SPAWN_CHILDREN_MAX; i++) start(t, s, "--sleep", "0");
	EXPECT_ERR(spawn_start(s, (const char *const[]){ "--sleep", "0", NULL }, &id, &why), ERR_FULL);
	EXPECT(spawn_next(s, 1).kind == SPAWN_QUIET);
	spawn_close(s);
	spawn_close(NULL);
}

int main(int argc, char **argv) {
	static const struct t *const all[] = { &every_line_of_every_child_comes_once_and_in_order,
		                                   &how_a_child_ended_is_told,
		                                   &a_child_that_sleeps_is_ended_and_too_many_are_refused };
	if (argc == 3 && strncmp(argv[1], "--", 2) == 0) return child(argv[1], argv[2]);
	return test_main(all, sizeof all / sizeof *all, argc, argv);
}
