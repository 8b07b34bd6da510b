/* The demo's story: one fault told from the events that Flyball wrote down, line by line.
 *
 * What stands here as seen, named, done or verified is read from the event store; what broke, and when, is the
 * simulation's own knowledge and is told as such. The teller takes events one by one, so that a story can be
 * watched as it happens, and read again at its end. Pure: events in, lines out. */
#pragma once

#include "base/json.h"
#include "sim/run/demo_text.h"

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
	double over_s;  /* every signal is within its band again, whoever mended it */
	double told_s;  /* people were told */
	char cause[80]; /* what was named; empty: nothing */
	bool right, escalated;
	int incidents, actions;
	char incident[32], action[32]; /* ids, for `explain` */
};

/* Where the story stands: how interesting the next seconds are. */
enum demo_phase {
	DEMO_QUIET,  /* nothing is known to be wrong */
	DEMO_FOUND,  /* an incident is open, its cause not named */
	DEMO_NAMED,  /* the cause is */
	DEMO_ACTING, /* an action runs */
	DEMO_WAITS,  /* nothing of Flyball's runs: people were told, or the action has ended */
	DEMO_OVER,
};

struct demo_teller {
	const struct demo_chapter *c;
	struct demo_sink sink;
	struct demo_outcome *o;
	enum demo_phase phase;
	char knows[240], does[240]; /* one sentence each, from the events so far */
	char act[200];              /* what it is doing, while it does */
	bool seen;                  /* the incident's own signals were told */
	bool cause_told;
	char others[400]; /* what else left its band, one cascade: told in one line later */
};

/* Everything is borrowed until the end. */
void demo_teller_begin(struct demo_teller *t, const struct demo_chapter *c, struct demo_sink sink,
                       struct demo_outcome *outcome);
/* The first telemetry that the fault touched came so long after its onset. */
void demo_teller_arrived(struct demo_teller *t, double delivered_s);
/* Events before the chapter's onset, or from its end on, are none of its. */
void demo_teller_event(struct demo_teller *t, const struct json *event);
void demo_teller_end(struct demo_teller *t);

/* "1. error-burst on cart at 02:09:12: 18 % of its requests fail" */
void demo_heading(const struct demo_chapter *c, char *out, size_t n);
/* The whole chapter as text. `events`: an array of CloudEvents, in order. */
void demo_tell(const struct demo_chapter *c, const struct json *events, struct demo_style style, struct buf *out,
               struct demo_outcome *outcome);
