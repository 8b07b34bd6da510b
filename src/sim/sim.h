/* What the command line asks of the simulation: seeds that check invariants, experiments, the demo,
 * scenarios. Each answers with JSON or text; none knows of files, terminals or processes.
 *
 * A row of `simulate` and of an experiment is one JSON object on one line, so that it may come from
 * another process: whoever runs many seeds at once sums the lines up in the order of seeds. */
#pragma once

#include "sim/run/demo_story.h"
#include "sim/run/demo_view.h"
#include "sim/run/plan.h"
#include "sim/run/report.h"
#include "sim/run/run.h"
#include "sim/run/scenario.h"

/* An assumption, told as one: from an alarm to the right action, by a person on call. */
#define SIM_PEOPLE_S 900.0

/* ---- simulate ---- */

struct simulate_opts {
	const struct shop_world *world;
	const struct run_image *image; /* warmed; NULL: cold */
	double rate;                   /* as the image's */
	double hours;
	plan_mask faults;      /* a bit for each enum plan_kind below PLAN_FAULTS */
	bool twice;            /* each seed two times: unequal hashes are a broken promise */
	enum run_break broken; /* BREAK_NOTHING but in tests of the checkers */
	const struct run_watch *watch;
};
/* One seed: the row to `out`, the story of what broke (if anything) to `story`. ERR_CLOSED: interrupted. */
MUST_USE enum err simulate_seed(const struct simulate_opts *o, uint64_t seed, struct buf *out, struct buf *story,
                                struct why *why);

/* ---- scenarios ---- */

/* What the scenario changes of a world ("set world telemetry.sampling 10%"), before that is warmed. */
MUST_USE enum err simulate_scenario_world(const struct scenario *s, struct arena *a, struct shop_world *w,
                                          struct why *why);
/* Plays it; the row to `out`, what did not hold to `story`. `image` must be of the scenario's rate, or NULL. */
MUST_USE enum err simulate_scenario(const struct simulate_opts *o, const struct scenario *s, struct buf *out,
                                    struct buf *story, struct why *why);

/* ---- experiment mttd ---- */

extern const struct report_metric mttd_metrics[];

/* How much goes on in a run: at the experiment's rate, as slowly as a leak of a day can be watched, or as days and
 * weeks can; and one that nobody warmed. */
enum mttd_pace { MTTD_FAST, MTTD_SLOW, MTTD_QUIET_PACE, MTTD_PACES, MTTD_UNWARMED = MTTD_PACES };
#define MTTD_SLOW_RATE  10.0
#define MTTD_QUIET_RATE 5.0

struct mttd_opts {
	const struct shop_world *world;
	const struct run_image *images[MTTD_PACES]; /* warmed at that pace's rate; those that the cases need */
	double rate;                                /* the slower ones are never faster than this */
	const struct run_watch *watch;
};

/* The runs of a seed, in order: one for each fault, one cold, one day without any fault; the week is asked for by
 * name. */
enum mttd_case {
	MTTD_LEAK,
	MTTD_CPU_HOG,
	MTTD_SLOW_DATABASE,
	MTTD_ERROR_BURST,
	MTTD_POOL_EXHAUSTED,
	MTTD_DEAD_POD,
	MTTD_BAD_DEPLOYMENT,
	MTTD_SLOW_LINK,
	MTTD_FULL_DISK,
	MTTD_RETRY_STORM,
	MTTD_COLD,
	MTTD_QUIET,
	MTTD_WEEK,
	MTTD_CASES
};
#define MTTD_USUAL MTTD_WEEK /* cases of a seed where nobody named any: those before this one */
enum mttd_pace mttd_pace_of(enum mttd_case c);
double mttd_rate_of(const struct mttd_opts *o, enum mttd_pace pace);
const char *mttd_case_name(enum mttd_case c);
bool mttd_case_parse(struct str name, enum mttd_case *out);
/* One run: its row (sim/run/report.h) to `out`. */
MUST_USE enum err mttd_run(const struct mttd_opts *o, uint64_t seed, enum mttd_case c, struct buf *out,
                           struct why *why);

/* ---- demo ---- */

/* The play at a moment, for whoever draws it. What Flyball knows and does, each service's state: as its API said. */
struct demo_frame {
	uint64_t seed;
	int chapter, chapters; /* from 1; 0: nothing is broken yet */
	double since_s;        /* since the chapter's fault began; NaN: nothing is broken yet */
	double share;          /* of the play that is over, 0..1 */
	const char *fault;     /* what the simulation broke: "error-burst on cart: 18 % of its requests fail" */
	bool over;             /* and that is whole again */
	const char *knows, *does;
	enum demo_phase phase;
	const struct demo_view *view;
	const struct demo_line *lines; /* the story so far; its first lines never change */
	size_t line_count;
};

enum demo_form { DEMO_TEXT, DEMO_JSON };

struct demo_opts {
	const struct shop_world *world;
	const struct run_image *image;
	double rate;
	uint64_t seed;
	enum demo_form form;
	struct demo_style style; /* of the text */
	struct disk *disk;       /* where the daemon's files go ... */
	const char *directory;   /* ... a directory of it */
	const struct run_watch *watch;
	/* Draws the frame, waits as long as it likes, and says how much of the world's time is to pass before the next;
	 * 0: nobody looks any more. NULL: nobody looks. */
	int64_t (*show)(void *self, const struct demo_frame *f);
	void *show_self;
};
/* The story to `out`, or one JSON object. What is shown and how fast changes neither. */
MUST_USE enum err demo_play(const struct demo_opts *o, struct buf *out, struct why *why);
