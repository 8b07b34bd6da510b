/* A terminal that a verb draws on: keys as they are pressed, its size, and everything as it was afterwards.
 *
 * Keys are not echoed and come without Enter; Ctrl-C stays a signal (struct process tells of it), Ctrl-Z and Ctrl-\
 * do nothing meanwhile, since they would leave the terminal so. What is drawn is its owner's to write and to take
 * back. Nothing here waits. Thread: the caller's. */
#pragma once

#include "base/str.h"

struct terminal;

enum terminal_key {
	TERMINAL_NONE = 0, /* nothing was pressed */
	TERMINAL_UP = 256,
	TERMINAL_DOWN,
	TERMINAL_RIGHT,
	TERMINAL_LEFT,
	TERMINAL_OTHER, /* a key of more than one byte that has no name here */
};

/* Keys come from `in` where that is a terminal, else there are none; `out` is measured. ERR_UNSUPPORTED: `out` is no
 * terminal; ERR_IO. */
MUST_USE enum err terminal_open(int in, int out, struct terminal **t, struct why *why);
/* As it is now: it may have been resized. One that does not know its size has 80 columns and 24 rows. */
void terminal_size(const struct terminal *t, int *columns, int *rows);
/* The next key, a byte or one of enum terminal_key. */
int terminal_key(struct terminal *t);
void terminal_close(struct terminal *t); /* takes NULL */
