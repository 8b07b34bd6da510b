/* On a pseudo-terminal, whose other end the test holds: in a process of its own, since only the leader of a session
 * without a terminal can make it its own. */
#include "world/linux/terminal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/test.h"

struct pty {
	int us, them;
};

static void at_terminal(struct t *t, void (*body)(struct t *, struct pty)) {
	int status = 0;
	pid_t child = fork();
	EXPECT(child >= 0);
	if (!child) {
		struct pty p = { .us = posix_openpt(O_RDWR | O_NOCTTY) };
		EXPECT(setsid() > 0 && p.us >= 0 && grantpt(p.us) == 0 && unlockpt(p.us) == 0);
		p.them = open(ptsname(p.us), O_RDWR);
		EXPECT(p.them >= 0 && tcgetpgrp(p.them) == getpgrp());
		body(t, p);
		_exit(0);
	}
	EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static struct terminal *opened(struct t *t, struct pty p) {
	struct terminal *term = NULL;
	struct why why;
	EXPECT_OK(terminal_open(p.them, p.them, &term, &why));
	return term;
}

static void restored(struct t *t, struct pty p) {
	struct termios before, during, after;
	EXPECT(tcgetattr(p.them, &before) == 0 && before.c_lflag & ICANON && before.c_lflag & ECHO);
	struct terminal *term = opened(t, p);
	EXPECT(tcgetattr(p.them, &during) == 0 && !(during.c_lflag & (ICANON | ECHO)));
	EXPECT(during.c_lflag & ISIG); /* Ctrl-C stays one */
	terminal_close(term);
	EXPECT(tcgetattr(p.them, &after) == 0 && after.c_lflag == before.c_lflag);
	EXPECT(memcmp(after.c_cc, before.c_cc, sizeof after.c_cc) == 0);
}

TEST(everything_is_as_it_was_afterwards) {
	at_terminal(t, restored);
}

static void keys(struct t *t, struct pty p) {
	static const int want[] = { 'q', TERMINAL_RIGHT, TERMINAL_LEFT, ' ', TERMINAL_OTHER, '+', '\033', TERMINAL_NONE };
	static const char pressed[] = "q\033[C\033OD \033[15~+\033";
	struct terminal *term = opened(t, p);
	EXPECT(terminal_key(term) == TERMINAL_NONE);
	EXPECT(write(p.us, pressed, sizeof pressed - 1) == (ssize_t)sizeof pressed - 1);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) EXPECT(terminal_key(term) == want[i]);
	terminal_close(term);
}

TEST(keys_come_one_by_one_and_none_is_no_wait) {
	at_terminal(t, keys);
}

static void sizes(struct t *t, struct pty p) {
	struct terminal *term = opened(t, p);
	int columns = 0, rows = 0;
	terminal_size(term, &columns, &rows); /* a new one knows none */
	EXPECT(columns == 80 && rows == 24);
	for (unsigned short n = 1; n < 300; n = (unsigned short)(n * 3)) {
		struct winsize w = { .ws_col = n, .ws_row = (unsigned short)(n + 1) };
		EXPECT(ioctl(p.us, TIOCSWINSZ, &w) == 0);
		terminal_size(term, &columns, &rows);
		EXPECT(columns == n && rows == n + 1);
	}
	terminal_close(term);
}

TEST(its_size_is_what_it_is_now) {
	at_terminal(t, sizes);
}

TEST(what_is_no_terminal_is_refused) {
	int ends[2];
	struct terminal *term = NULL;
	struct why why;
	EXPECT(pipe(ends) == 0);
	EXPECT_ERR(terminal_open(ends[0], ends[1], &term, &why), ERR_UNSUPPORTED);
	terminal_close(NULL);
	close(ends[0]);
	close(ends[1]);
}

RUN(everything_is_as_it_was_afterwards, keys_come_one_by_one_and_none_is_no_wait, its_size_is_what_it_is_now,
    what_is_no_terminal_is_refused)
