/* The demo while it is played: what the person before the screen has seen so far, as frames to draw.
 *
 * The same teller that writes the story at the end is fed here with each event as the API gives it out. */
#pragma once

#include "base/arena.h"
#include "sim/run/demo_person.h"
#include "sim/run/demo_story.h"
#include "sim/run/demo_view.h"

#define DEMO_CHAPTERS    2
#define DEMO_WAITING_MAX 256 /* when more wait, the oldest are not waited for */

struct demo_frame;

struct demo_live {
	void (*catch_up)(void *self); /* is asked before each event whether another chapter has begun */
	void *self;
	struct demo_person person;
	struct demo_view view;
	struct demo_teller teller;
	struct demo_outcome outcome;
	struct demo_chapter now;
	int chapter;        /* from 1; 0: nothing is broken yet */
	bool arrived, over; /* the fault's first telemetry has come; the fault itself has ended */
	char fault[300];
	struct arena arena; /* of the lines' text, and of events that wait */
	bool paced;         /* events wait to be shown one by one: Flyball names a cause and acts within milliseconds */
	struct str waiting[DEMO_WAITING_MAX];
	size_t first, count;
	struct demo_line *lines;
	size_t line_count, line_cap;
};

/* Flyball begins at `begin_ns` of the world's time. */
void demo_live_init(struct demo_live *l, int64_t begin_ns, void (*catch_up)(void *self), void *self);
/* Once the run is open, before it goes on: that moment is `epoch` to people. */
void demo_live_begin(struct demo_live *l, struct wall epoch);
void demo_live_chapter(struct demo_live *l, const struct demo_chapter *c); /* borrowed until the next */
void demo_live_arrived(struct demo_live *l, double delivered_s);
/* Takes those that wait, up to one that the story tells of, or all of them. False: none waits. */
bool demo_live_next(struct demo_live *l);
void demo_live_all(struct demo_live *l);
struct demo_frame demo_live_frame(const struct demo_live *l, uint64_t seed, struct wall now, double share);
void demo_live_done(struct demo_live *l);
