/* `flyball demo`: the story on a terminal as it happens, drawn; anywhere else as text. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "cli/scene.h"
#include "cli/sim_world.h"
#include "cli/verbs.h"
#include "cli/warm.h"
#include "world/linux/terminal.h"

#define RATE       30.0
#define HOURS      2.0
#define FRAME_NS   (80 * NS_PER_MS)
#define READ_NS    (450 * NS_PER_MS) /* a person's, for a new line of the story */
#define READ_MAX   (2500 * NS_PER_MS)
#define OVER_NS    (1500 * NS_PER_MS) /* more for a good end */
#define SPEED_MIN  0.125
#define SPEED_MAX  64.0
#define COLUMNS_OK 40 /* a smaller window is not drawn on */
#define ROWS_OK    12

/* Another screen than the one with the user's own work, no cursor, no wrapping; and all of that back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[0m\033[?7h\033[?25h\033[?1049l"

struct stage {
	struct cli *c;
	struct terminal *terminal;
	struct scene scene;
	struct canvas now, before;
	struct canvas_style style;
	double speed; /* by which the usual pace is multiplied */
	bool paused, over, keys;
	enum demo_phase phase; /* of the frame before */
	size_t told;           /* lines of the story that the viewer has had time for */
};

/* ---- how fast ---- */

/* Seconds of the world in one of the viewer's: slow where something happens, fast where nothing does. */
static double usual_pace(const struct demo_frame *f) {
	switch (f->phase) {
	case DEMO_FOUND:
	case DEMO_NAMED: return 1.5;
	case DEMO_ACTING: return 6;
	case DEMO_WAITS: return 60;
	case DEMO_OVER: return 200;
	default: break;
	}
	if (isnan(f->since_s)) return 60;
	return f->since_s < 10 ? 2 : fmin(2 + (f->since_s - 10) / 4, 40); /* a leak takes its time */
}

static void key(struct stage *s, int k) {
	if (k == ' ') s->paused = !s->paused;
	if (k == TERMINAL_RIGHT || k == '+') s->speed = fmin(s->speed * 2, SPEED_MAX);
	if (k == TERMINAL_LEFT || k == '-') s->speed = fmax(s->speed / 2, SPEED_MIN);
	if (k == 'q' || k == 'Q') s->over = true;
}

static void keys(struct stage *s) {
	for (int k; (k = terminal_key(s->terminal)) != TERMINAL_NONE;) key(s, k);
}

/* ---- a frame ---- */

static bool fit_canvas(struct stage *s) {
	int columns = 0, rows = 0;
	terminal_size(s->terminal, &columns, &rows);
	if (s->now.cells && s->now.columns == columns && s->now.rows == rows) return true;
	canvas_done(&s->now);
	canvas_done(&s->before);
	return canvas_init(&s->now, columns, rows) == OK;
}

/* False: nobody sees it any more. */
static bool draw(struct stage *s, const struct demo_frame *f) {
	CLEANUP(buf_done) struct buf out = { 0 };
	struct scene_pace pace = { usual_pace(f) * s->speed, s->paused, s->keys };
	if (!fit_canvas(s)) return false;
	buf_init(&out, 0);
	scene_draw(&s->scene, &s->now, f, &pace);
	canvas_write(&s->now, s->before.cells ? &s->before : NULL, s->style, &out);
	struct canvas shown = s->now;
	s->now = s->before;
	s->before = shown;
	if (!s->now.cells && canvas_init(&s->now, shown.columns, shown.rows)) return false;
	return (!out.n || cli_print(s->c, buf_get(&out)) == EXIT_DONE) && !s->c->out_over;
}

static int64_t clock_ns(const struct stage *s) {
	return clock_mono(s->c->world->clock).ns;
}

static bool interrupted(const struct stage *s) {
	struct process *p = s->c->world->process;
	return p->ops->stopping(p);
}

/* Until `at`, frame by frame so that keys and sizes count at once; for ever while it is paused. */
static bool wait_until(struct stage *s, const struct demo_frame *f, int64_t at) {
	do {
		int64_t next = clock_ns(s) + FRAME_NS;
		world_linux_wait(s->c->real, (struct mono){ !s->paused && at < next ? at : next });
		keys(s);
		if (s->over || interrupted(s) || !draw(s, f)) return false;
	} while (s->paused || clock_ns(s) < at);
	return true;
}

/* What struct demo_opts asks of it. */
static int64_t show(void *self, const struct demo_frame *f) {
	struct stage *s = self;
	int64_t began = clock_ns(s), wait = FRAME_NS;
	double pace = usual_pace(f);
	if (f->line_count > s->told) {
		int64_t reading = (int64_t)(f->line_count - s->told) * READ_NS;
		wait += (int64_t)((double)(reading < READ_MAX ? reading : READ_MAX) / s->speed);
	}
	if (f->phase == DEMO_OVER && s->phase != DEMO_OVER) wait += (int64_t)((double)OVER_NS / s->speed);
	s->phase = f->phase;
	s->told = f->line_count;
	keys(s);
	if (s->over || !draw(s, f) || !wait_until(s, f, began + wait)) return 0;
	double step = pace * s->speed * (double)FRAME_NS;
	return step < NS_PER_MS ? NS_PER_MS : (int64_t)step;
}

/* ---- whether there is a stage ---- */

static bool says_utf8(struct str s) {
	for (size_t i = 0; i + 4 < s.n; i++) {
		struct str rest = { s.p + i, s.n - i };
		if (str_starts(rest, STR("UTF-8")) || str_starts(rest, STR("utf8")) || str_starts(rest, STR("utf-8")) ||
		    str_starts(rest, STR("UTF8")))
			return true;
	}
	return false;
}

/* The first of them that is set decides, as POSIX has it. */
static bool utf8(struct process *p) {
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct str s = p->ops->env(p, names[i]);
		if (s.n) return says_utf8(s);
	}
	return false;
}

/* A terminal that can move its cursor, large enough, and nobody who asked for less. */
static bool stage_open(struct stage *s, struct cli *c, double speed) {
	struct process *p = c->world->process;
	struct str term = p->ops->env(p, "TERM");
	struct why why;
	int columns = 0, rows = 0;
	*s = (struct stage){ .c = c, .speed = speed, .style = { c->color, utf8(p) } };
	if (!c->terminal || c->quiet || args_has(&c->args, "plain") || c->format != OUT_TABLE) return false;
	if (!term.n || str_is(term, "dumb")) return false;
	if (terminal_open(0, 1, &s->terminal, &why)) return false;
	terminal_size(s->terminal, &columns, &rows);
	if (columns < COLUMNS_OK || rows < ROWS_OK) {
		terminal_close(s->terminal);
		return false;
	}
	s->keys = isatty(0);
	scene_init(&s->scene);
	(void)cli_print(c, STR(ENTER));
	return true;
}

static void stage_close(struct stage *s) {
	(void)cli_print(s->c, STR(LEAVE));
	terminal_close(s->terminal);
	scene_done(&s->scene);
	canvas_done(&s->now);
	canvas_done(&s->before);
}

/* ---- the verb ---- */

/* --state, else a fresh directory among the temporary ones. */
static const char *directory(struct cli *c) {
	struct process *p = c->world->process;
	struct str given = args_get(&c->args, "state"), tmp = p->ops->env(p, "TMPDIR");
	unsigned char chance[5];
	char hex[11];
	if (given.n) return str_c(&c->arena, given);
	p->ops->entropy(p, chance, sizeof chance);
	hex_encode(chance, sizeof chance, hex);
	while (tmp.n > 1 && tmp.p[tmp.n - 1] == '/') tmp.n--;
	return str_c(&c->arena, str_printf(&c->arena, STR_FMT "/flyball-demo-%s", STR_ARG(tmp.n ? tmp : STR("/tmp")), hex));
}

/* Columns for the text: a terminal's, so that it breaks no line of its own. */
static int text_width(const struct cli *c) {
	struct terminal *t = NULL;
	struct why why;
	int columns = 0, rows = 0;
	if (!c->terminal || terminal_open(-1, 1, &t, &why)) return 0;
	terminal_size(t, &columns, &rows);
	terminal_close(t);
	return columns;
}

static int play(struct cli *c, struct demo_opts *o, double speed) {
	struct progress progress = progress_begin(c);
	struct run_watch w = cli_watch(&progress);
	struct why why = { "" };
	struct stage stage;
	struct buf story;
	o->watch = &w;
	bool staged = stage_open(&stage, c, speed);
	if (staged) o->show = show, o->show_self = &stage;
	buf_init(&story, 0);
	enum err e = demo_play(o, &story, &why);
	progress_end(&progress);
	if (staged) stage_close(&stage);
	int code = e == ERR_CLOSED ? EXIT_NEGATIVE : e == ERR_UNSUPPORTED ? EXIT_USAGE : EXIT_UNREACHABLE;
	code = e ? cli_fail(c, code, "%s", why.text[0] ? why.text : err_text(e)) : cli_print(c, buf_get(&story));
	buf_done(&story);
	return code;
}

int verb_demo(struct cli *c) {
	struct run_image image = { 0 };
	struct shop_world world;
	double speed;
	int code = cli_number(c, "speed", 1, SPEED_MIN, SPEED_MAX, &speed);
	if (!code) code = cli_world(c, &world);
	if (code) return code;
	double rate = cli_world_rate(c, &world, RATE);
	code = cli_warm(c, &world, rate, HOURS, &image);
	if (code) return code;
	struct demo_opts o = {
		.world = &world,
		.image = &image,
		.rate = rate,
		.seed = c->seed,
		.form = c->format == OUT_JSON || c->format == OUT_JSONL ? DEMO_JSON : DEMO_TEXT,
		.style = { .color = c->color, .width = text_width(c) },
		.disk = c->world->disk,
		.directory = directory(c),
	};
	code = play(c, &o, speed);
	run_image_done(&image);
	return code;
}
