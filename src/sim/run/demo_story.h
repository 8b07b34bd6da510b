/* The demo's story: one fault told from the events that Flyball wrote down, line by line.
 *
 * What stands here as seen, named, done or verified is read from the event store; what broke, and when, is the
 * simulation's own knowledge and is told as such. Pure: events in, text out; at most 100 columns. */
#pragma once

#include "base/json.h"

struct demo_style {
	bool color;
};

struct demo_chapter {
	int number;
	const char *fault;  /* "error-burst" */
	const char *target; /* "cart" */
	const char *entity; /* "service/cart" */
	const char *alias;  /* another name of the same thing ("database/orders"); NULL: none */
	const char *causes; /* kinds that a right answer names, joined by '|' */
	const char *words;  /* "31 % of its requests fail" */
	bool curable;
	struct wall onset, end; /* the next chapter's beginning */
	double delivered_s;     /* since the onset; negative: nothing was */
	double alarm_s[2];      /* of one minute, of ten seconds; NaN: none was raised */
};

/* What the closing table says of it; seconds since the onset, NaN: never. */
struct demo_outcome {
	double detected_s, cause_s, acted_s, resolved_s;
	char cause[80]; /* what was named; empty: nothing */
	bool right, escalated;
	int incidents, actions;
	char incident[32], action[32]; /* ids, for `explain` */
};

/* `events`: an array of CloudEvents, in order. */
void demo_tell(const struct demo_chapter *c, const struct json *events, struct demo_style style, struct buf *out,
               struct demo_outcome *outcome);
void demo_table(const struct demo_chapter *c, const struct demo_outcome *o, size_t n, struct demo_style style,
                struct buf *out);
