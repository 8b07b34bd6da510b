#include "world/linux/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "world/linux/sys.h"

#define SIZE_MAX_SANE 10000 /* of a side; more is a mistake of somebody's */

struct terminal {
	int in, out;
	bool keys; /* `in` is a terminal, and was changed */
	struct termios before;
	unsigned char read[64]; /* what came at once */
	size_t n, at;
};

/* read() answers at once, with nothing where nothing was pressed. */
static enum err change(struct terminal *t) {
	if (tcgetattr(t->in, &t->before)) return sys_err(errno);
	struct termios now = t->before;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	now.c_cc[VMIN] = 0;
	now.c_cc[VTIME] = 0;
	now.c_cc[VSUSP] = _POSIX_VDISABLE;
	now.c_cc[VQUIT] = _POSIX_VDISABLE;
	return tcsetattr(t->in, TCSANOW, &now) ? sys_err(errno) : OK;
}

enum err terminal_open(int in, int out, struct terminal **result, struct why *why) {
	if (!isatty(out)) return why_set(why, ERR_UNSUPPORTED, "this is no terminal");
	struct terminal *t = calloc(1, sizeof *t);
	if (!t) return ERR_NOMEM;
	t->in = in;
	t->out = out;
	/* In the background a change would stop us: then there are no keys. */
	t->keys = isatty(in) && tcgetpgrp(in) == getpgrp();
	enum err e = t->keys ? change(t) : OK;
	if (e) {
		free(t);
		return why_set(why, e, "the terminal takes no keys: %s", sys_text(errno));
	}
	*result = t;
	return OK;
}

void terminal_size(const struct terminal *t, int *columns, int *rows) {
	struct winsize w = { 0 };
	bool known = ioctl(t->out, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row;
	*columns = !known ? 80 : w.ws_col > SIZE_MAX_SANE ? SIZE_MAX_SANE : w.ws_col;
	*rows = !known ? 24 : w.ws_row > SIZE_MAX_SANE ? SIZE_MAX_SANE : w.ws_row;
}

/* "ESC [ A" and "ESC O A", which are one key. */
static int sequence(struct terminal *t) {
	static const int arrows[] = { TERMINAL_UP, TERMINAL_DOWN, TERMINAL_RIGHT, TERMINAL_LEFT };
	if (t->at == t->n || (t->read[t->at] != '[' && t->read[t->at] != 'O')) return '\033';
	t->at++;
	while (t->at < t->n && t->read[t->at] >= 0x20 && t->read[t->at] < 0x40) t->at++;
	int last = t->at < t->n ? t->read[t->at++] : 0;
	return last >= 'A' && last <= 'D' ? arrows[last - 'A'] : TERMINAL_OTHER;
}

int terminal_key(struct terminal *t) {
	if (!t->keys) return TERMINAL_NONE;
	if (t->at == t->n) {
		ssize_t n = read(t->in, t->read, sizeof t->read);
		t->at = 0;
		t->n = n > 0 ? (size_t)n : 0;
		if (!t->n) return TERMINAL_NONE;
	}
	int key = t->read[t->at++];
	return key == '\033' ? sequence(t) : key;
}

void terminal_close(struct terminal *t) {
	if (!t) return;
	if (t->keys) (void)tcsetattr(t->in, TCSADRAIN, &t->before);
	free(t);
}
