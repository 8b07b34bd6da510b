#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#include "cli/jobs.h"
#include "cli/sim_world.h"
#include "cli/verbs.h"
#include "cli/warm.h"

/* simulate: seeds under drawn faults, and scenarios. demo.c and experiment.c have the other verbs on the simulated
 * world. */

#define SEEDS_MAX     1000000
#define WARM_HOURS    3.0
#define SIMULATE_RATE 10.0

static bool stop_only(void *self) {
	return cli_interrupted(self);
}

/* ---- simulate ---- */

struct simulation {
	struct cli *c;
	struct simulate_opts o;
	int64_t seeds[2], jobs, piece;
	struct str faults;
	struct buf *rows;    /* of each piece, JSON lines */
	struct buf *stories; /* likewise: what broke, for people */
	size_t pieces;
	struct progress progress;
};

static const struct out_column row_columns[] = {
	{ "seed", "seed" },     { "trace_hash", "trace_hash" }, { "virtual_s", "virtual_s" },
	{ "events", "events" }, { "incidents", "incidents" },   { "actions", "actions" },
	{ "faults", "faults" }, { "broken", "broken" },         COLUMN_END,
};

/* JSON lines as one array, printed as asked. */
static int print_lines(struct cli *c, const struct out_column *columns, const struct buf *lines, size_t count) {
	CLEANUP(buf_done) struct buf array;
	buf_init(&array, 0);
	buf_byte(&array, '[');
	bool first = true;
	for (size_t i = 0; i < count; i++) {
		struct str line, tail;
		for (struct str rest = buf_get(&lines[i]); rest.n; rest = tail) {
			(void)str_cut(rest, '\n', &line, &tail);
			if (!first) buf_byte(&array, ',');
			first = false;
			buf_str(&array, line);
		}
	}
	buf_byte(&array, ']');
	return print_made(c, columns, &array);
}

static int any_broken(const struct buf *lines, size_t count) {
	for (size_t i = 0; i < count; i++) {
		struct str line, tail;
		struct arena a;
		bool broken = false;
		arena_init(&a, 0);
		for (struct str rest = buf_get(&lines[i]); rest.n && !broken; rest = tail) {
			const struct json *row = NULL;
			(void)str_cut(rest, '\n', &line, &tail);
			broken = json_parse(&a, line, &row, NULL) == OK && json_int(json_get(row, "broken"), 0) > 0;
		}
		arena_done(&a);
		if (broken) return EXIT_NEGATIVE;
	}
	return EXIT_DONE;
}

static int64_t count_lines(const struct buf *lines, size_t count) {
	int64_t n = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < lines[i].n; k++) n += lines[i].p[k] == '\n';
	return n;
}

static int run_here(struct simulation *s) {
	struct cli *c = s->c;
	for (int64_t seed = s->seeds[0]; seed <= s->seeds[1]; seed++) {
		struct buf story;
		struct why why = { "" };
		buf_init(&story, 0);
		progress_tell(&s->progress, "simulating",
		              (double)(seed - s->seeds[0]) / (double)(s->seeds[1] - s->seeds[0] + 1));
		enum err e = simulate_seed(&s->o, (uint64_t)seed, &s->rows[0], &story, &why);
		progress_end(&s->progress);
		struct str world = args_get(&c->args, "world");
		if (story.n)
			fprintf(stderr,
			        STR_FMT "seed %lld failed; again: flyball simulate --seeds %lld --hours %g --faults " STR_FMT
			                "%s%s" STR_FMT "\n",
			        STR_ARG(buf_get(&story)), (long long)seed, (long long)seed, s->o.hours, STR_ARG(s->faults),
			        s->o.twice ? " --twice" : "", world.p ? " --world " : "", STR_ARG(world));
		buf_done(&story);
		if (e == ERR_CLOSED) break;
		if (e) return cli_fail(c, cli_code(e), "seed %lld: %s", (long long)seed, why.text[0] ? why.text : err_text(e));
	}
	return EXIT_DONE;
}

static void piece_arguments(void *self, size_t piece, const char *argv[JOBS_ARGUMENTS_MAX + 1]) {
	struct simulation *s = self;
	struct arena *a = &s->c->arena;
	int64_t from = s->seeds[0] + (int64_t)piece * s->piece, to = from + s->piece - 1;
	size_t n = 0;
	argv[n++] = "simulate";
	argv[n++] = "--seeds";
	argv[n++] =
		str_c(a, str_printf(a, "%lld..%lld", (long long)from, (long long)(to < s->seeds[1] ? to : s->seeds[1])));
	argv[n++] = "--hours";
	argv[n++] = str_c(a, str_printf(a, "%.17g", s->o.hours));
	argv[n++] = "--rate";
	argv[n++] = str_c(a, str_printf(a, "%.17g", s->o.rate));
	argv[n++] = "--faults";
	argv[n++] = str_c(a, s->faults);
	argv[n++] = "--cache";
	argv[n++] = cli_warm_directory(s->c);
	n += cli_world_arguments(s->c, argv + n);
	if (!s->o.image) argv[n++] = "--cold";
	if (s->o.twice) argv[n++] = "--twice";
	argv[n++] = "-q";
	argv[n++] = "-ojsonl";
	argv[n] = NULL;
}

static void piece_line(void *self, size_t piece, struct str line) {
	struct simulation *s = self;
	buf_str(&s->rows[piece], line);
	buf_byte(&s->rows[piece], '\n');
}

static void piece_ended(void *self, size_t done) {
	struct simulation *s = self;
	progress_tell(&s->progress, "simulating", (double)done / (double)s->pieces);
}

static int run_pieces(struct simulation *s) {
	struct jobs_work w = { s->pieces, s->jobs, piece_arguments, piece_line, piece_ended, s };
	int code = jobs_run(s->c, &w);
	progress_end(&s->progress);
	return code;
}

static int simulate_seeds(struct simulation *s) {
	struct cli *c = s->c;
	int64_t seeds = s->seeds[1] - s->seeds[0] + 1;
	s->piece = seeds / (s->jobs * 8) < 1 ? 1 : seeds / (s->jobs * 8);
	if (s->piece > 10) s->piece = 10;
	s->pieces = s->jobs > 1 ? (size_t)((seeds + s->piece - 1) / s->piece) : 1;
	s->rows = arena_array(&c->arena, struct buf, s->pieces);
	if (!s->rows) return cli_fail(c, EXIT_UNREACHABLE, "out of memory");
	for (size_t i = 0; i < s->pieces; i++) buf_init(&s->rows[i], 0);
	int code = s->jobs > 1 ? run_pieces(s) : run_here(s);
	if (code <= EXIT_NEGATIVE) {
		int printed = print_lines(c, row_columns, s->rows, s->pieces);
		int broken = any_broken(s->rows, s->pieces);
		int64_t rows = count_lines(s->rows, s->pieces);
		code = printed > code ? printed : code;
		code = broken > code ? broken : code;
		if (rows < seeds && code <= EXIT_NEGATIVE)
			code = cli_fail(c, EXIT_NEGATIVE, "interrupted: %lld of %lld seeds were run", (long long)rows,
			                (long long)seeds);
	}
	for (size_t i = 0; i < s->pieces; i++) buf_done(&s->rows[i]);
	return code;
}

/* ---- scenarios ---- */

static const struct out_column scenario_columns[] = {
	{ "scenario", "scenario" },     { "seed", "seed" },
	{ "trace_hash", "trace_hash" }, { "virtual_s", "virtual_s" },
	{ "events", "events" },         { "incidents", "incidents" },
	{ "actions", "actions" },       { "faults", "faults" },
	{ "broken", "broken" },         COLUMN_END,
};

static int one_scenario(struct cli *c, struct simulate_opts *o, struct str path, struct buf *rows) {
	struct scenario s;
	struct str text = { 0 };
	struct why why = { "" };
	struct run_image image = { 0 };
	struct shop_world world = *o->world;
	struct buf story;
	enum err e = cli_read(c, &c->arena, path, SCENARIO_BYTES_MAX, &text, &why);
	if (!e) e = scenario_parse(&c->arena, text, str_c(&c->arena, path), &s, &why);
	if (!e) e = simulate_scenario_world(&s, &c->arena, &world, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	o->world = &world;
	if (s.rate > 0) o->rate = s.rate;
	int code = s.cold ? EXIT_DONE : cli_warm(c, &world, o->rate, WARM_HOURS, &image);
	if (code) return code;
	struct progress progress = progress_begin(c);
	struct run_watch w = cli_watch(&progress);
	o->watch = &w;
	o->image = s.cold ? NULL : &image;
	buf_init(&story, 0);
	e = simulate_scenario(o, &s, rows, &story, &why);
	progress_end(&progress);
	if (story.n) fprintf(stderr, STR_FMT, STR_ARG(buf_get(&story)));
	bool placed = str_starts(str_of(why.text), path); /* it says the line too */
	if (e)
		code = cli_fail(c, e == ERR_CLOSED ? EXIT_NEGATIVE : cli_code(e), STR_FMT "%s%s",
		                STR_ARG(placed ? STR("") : path), placed ? "" : ": ", why.text[0] ? why.text : err_text(e));
	buf_done(&story);
	run_image_done(&image);
	return code;
}

/* A scenario says its own. */
static int own_options(const struct cli *c) {
	static const char *const names[] = { "seeds", "hours", "faults", "twice", "cold", "jobs" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (args_has(&c->args, names[i]))
			return cli_fail(c, EXIT_USAGE,
			                "--%s has no meaning beside a scenario, which says seed, length and faults itself",
			                names[i]);
	return EXIT_DONE;
}

static int play_scenarios(struct cli *c, const struct shop_world *world, double rate) {
	struct buf rows;
	int code = EXIT_DONE;
	buf_init(&rows, 0);
	for (size_t i = 0; i < c->args.positional_count && !code; i++) {
		struct simulate_opts o = { .world = world, .rate = rate };
		code = one_scenario(c, &o, c->args.positional[i], &rows);
	}
	if (!code) code = print_lines(c, scenario_columns, &rows, 1);
	if (!code) code = any_broken(&rows, 1);
	buf_done(&rows);
	return code;
}

static int list_faults(struct cli *c) {
	static const struct out_column columns[] = {
		{ "NAME", "name" }, { "WHERE", "where" }, { "UNIT", "unit" }, { "WHAT", "what" }, COLUMN_END,
	};
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	struct json_out o = json_out(&b);
	plan_faults_list(&o);
	return print_made(c, columns, &b);
}

int verb_simulate(struct cli *c) {
	struct why why = { "" };
	struct run_image image = { 0 };
	struct run_watch w = { NULL, stop_only, c };
	struct shop_world world;
	struct simulation s = { .c = c, .progress = progress_begin(c) };
	s.o = (struct simulate_opts){ .world = &world, .watch = &w, .twice = args_has(&c->args, "twice") };
	s.faults = args_get(&c->args, "faults");
	if (!s.faults.n) s.faults = STR("all");
	if (str_is(s.faults, "list")) return list_faults(c);
	int code = cli_world(c, &world);
	if (!code) code = cli_number(c, "rate", cli_world_rate(c, &world, SIMULATE_RATE), 0.1, 10000, &s.o.rate);
	if (!code && c->args.positional_count) code = own_options(c);
	if (!code && c->args.positional_count) return play_scenarios(c, &world, s.o.rate);
	if (!code) code = cli_number(c, "hours", 0.5, 0.01, 24 * 366, &s.o.hours);
	if (code) return code;
	int64_t one = (int64_t)c->seed;
	if (plan_faults_parse(s.faults, &s.o.faults, &why) || args_range(&c->args, "seeds", one, one, s.seeds, &why) ||
	    args_int(&c->args, "jobs", 1, 1, 64, &s.jobs, &why))
		return cli_fail(c, EXIT_USAGE, "%s", why.text);
	if (s.seeds[1] - s.seeds[0] >= SEEDS_MAX) return cli_fail(c, EXIT_USAGE, "--seeds takes at most a million");
	if (!args_has(&c->args, "cold")) {
		code = cli_warm(c, &world, s.o.rate, WARM_HOURS, &image);
		if (code) return code;
		s.o.image = &image;
	}
	code = simulate_seeds(&s);
	run_image_done(&image);
	return code;
}
