#include "sim/run/demo_live.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/sim.h"

static void keep_line(void *self, const struct demo_line *line) {
	struct demo_live *l = self;
	if (l->line_count == l->line_cap) {
		l->line_cap = l->line_cap ? l->line_cap * 2 : 64;
		l->lines = must_grow(l->lines, l->line_cap, sizeof *l->lines);
	}
	struct demo_line *kept = &l->lines[l->line_count++];
	*kept = *line;
	kept->word = must((void *)str_c(&l->arena, str_of(line->word)));
	kept->text = must((void *)str_c(&l->arena, str_of(line->text)));
}

/* ---- what the person is told ---- */

static void saw_graph(void *self, const struct json *answer) {
	struct demo_live *l = self;
	demo_view_graph(&l->view, answer, clock_wall(l->person.host->world.clock));
}

static void saw_coverage(void *self, const struct json *answer) {
	demo_view_coverage(&((struct demo_live *)self)->view, answer);
}

static void take_event(struct demo_live *l, const struct json *event) {
	demo_view_event(&l->view, event);
	if (l->chapter) demo_teller_event(&l->teller, event);
}

static void take_first(struct demo_live *l) {
	const struct json *event = NULL;
	struct arena a;
	arena_init(&a, 0);
	if (json_parse(&a, l->waiting[l->first], &event, NULL) == OK) take_event(l, event);
	arena_done(&a);
	l->first = (l->first + 1) % DEMO_WAITING_MAX;
	l->count--;
}

static void saw_event(void *self, const struct json *event) {
	struct demo_live *l = self;
	CLEANUP(buf_done) struct buf text = { 0 };
	l->catch_up(l->self);
	if (!l->paced) {
		take_event(l, event);
		return;
	}
	buf_init(&text, 0);
	struct json_out o = json_out(&text);
	json_put_value(&o, event);
	if (l->count == DEMO_WAITING_MAX) take_first(l);
	l->waiting[(l->first + l->count++) % DEMO_WAITING_MAX] = str_copy(&l->arena, buf_get(&text));
}

bool demo_live_next(struct demo_live *l) {
	size_t lines = l->line_count, waited = l->count;
	while (l->count && l->line_count == lines) take_first(l);
	return waited > 0;
}

void demo_live_all(struct demo_live *l) {
	while (l->count) take_first(l);
}

/* ---- chapters ---- */

void demo_live_chapter(struct demo_live *l, const struct demo_chapter *c) {
	struct demo_sink sink = { keep_line, l };
	demo_live_all(l);
	if (l->chapter) demo_teller_end(&l->teller);
	l->chapter = c->number;
	l->now = *c;
	l->arrived = l->over = false;
	snprintf(l->fault, sizeof l->fault, "%s on %s: %s", c->fault, c->target, c->words);
	struct demo_line heading = { NAN, DEMO_BOLD, "fault", l->fault };
	keep_line(l, &heading);
	demo_teller_begin(&l->teller, &l->now, sink, &l->outcome);
}

void demo_live_arrived(struct demo_live *l, double delivered_s) {
	l->arrived = true;
	demo_teller_arrived(&l->teller, delivered_s);
}

/* ---- frames ---- */

/* Before the first fault. Who has not been answered yet cannot say that all is well. */
static const char *knows_at_first(const struct demo_live *l) {
	return l->view.node_count ? "nothing wrong: no incident is open" : "nothing yet: it has not been asked";
}

struct demo_frame demo_live_frame(const struct demo_live *l, uint64_t seed, struct wall now, double share) {
	struct demo_frame f = {
		.seed = seed,
		.chapter = l->chapter,
		.chapters = DEMO_CHAPTERS,
		.since_s = l->chapter ? (double)(now.ns - l->now.onset.ns) / 1e9 : (double)NAN,
		.share = share,
		.fault = l->chapter ? l->fault : "nothing yet",
		.over = l->over,
		.knows = l->chapter ? l->teller.knows : knows_at_first(l),
		.does = l->chapter ? l->teller.does : "watches",
		.phase = l->chapter ? l->teller.phase : DEMO_QUIET,
		.view = &l->view,
		.lines = l->lines,
		.line_count = l->line_count,
	};
	return f;
}

void demo_live_init(struct demo_live *l, int64_t begin_ns, void (*catch_up)(void *self), void *self) {
	*l = (struct demo_live){ .catch_up = catch_up, .self = self };
	l->person = (struct demo_person){
		.graph = saw_graph, .coverage = saw_coverage, .event = saw_event, .self = l, .begin_ns = begin_ns
	};
	demo_view_init(&l->view);
	arena_init(&l->arena, 0);
}

void demo_live_begin(struct demo_live *l, struct wall epoch) {
	struct demo_line quiet = { NAN, DEMO_DIM, "quiet",
		                       "Flyball has learned what is usual here. Now something breaks." };
	l->person.since = epoch;
	keep_line(l, &quiet);
}

void demo_live_done(struct demo_live *l) {
	demo_view_done(&l->view);
	free(l->lines);
	arena_done(&l->arena);
}
