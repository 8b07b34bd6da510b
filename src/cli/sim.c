#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "cli/jobs.h"
#include "cli/sim_world.h"
#include "cli/verbs.h"
#include "cli/warm.h"

/* Verbs on the simulated world: simulate, experiment; demo.c has one of its own. */

#define SEEDS_MAX     1000000
#define WARM_HOURS    3.0
#define SIMULATE_RATE 10.0

static bool stop_only(void *self) {
	return cli_interrupted(self);
}

static int number(struct cli *c, const char *name, double fallback, double least, double most, double *out) {
	struct str s = args_get(&c->args, name);
	*out = fallback;
	if (!s.p || (str_double(s, out) && *out >= least && *out <= most)) return EXIT_DONE;
	return cli_fail(c, EXIT_USAGE, "--%s takes a number from %g to %g, not '" STR_FMT "'", name, least, most,
	                STR_ARG(s));
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
	if (e)
		code = cli_fail(c, e == ERR_CLOSED ? EXIT_NEGATIVE : cli_code(e), STR_FMT ": %s", STR_ARG(path),
		                why.text[0] ? why.text : err_text(e));
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
	if (!code) code = number(c, "rate", cli_world_rate(c, &world, SIMULATE_RATE), 0.1, 10000, &s.o.rate);
	if (!code && c->args.positional_count) code = own_options(c);
	if (!code && c->args.positional_count) return play_scenarios(c, &world, s.o.rate);
	if (!code) code = number(c, "hours", 0.5, 0.01, 24 * 366, &s.o.hours);
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

/* ---- experiment mttd ---- */

#define MTTD_RATE       100.0
#define MTTD_WARM_HOURS 6.0

struct experiment {
	struct cli *c;
	struct mttd_opts o;
	int64_t seeds[2], jobs;
	double hours;
	size_t cases[MTTD_CASES], case_count;
	struct buf *rows; /* one of each run */
	size_t runs;
	struct progress progress;
};

static const char *case_names(struct cli *c) {
	struct str s = { NULL, 0 };
	for (int k = 0; k < MTTD_CASES; k++)
		s = str_printf(&c->arena, STR_FMT "%s%s", STR_ARG(s), k ? ", " : "", mttd_case_name((enum mttd_case)k));
	return str_c(&c->arena, s);
}

/* --case NAME[,NAME...]: runs of these only. */
static int experiment_cases(struct experiment *x) {
	struct str given = args_get(&x->c->args, "case"), head, tail;
	for (size_t k = 0; !given.p && k < MTTD_CASES; k++) x->cases[x->case_count++] = k;
	for (struct str rest = given; rest.n; rest = tail) {
		enum mttd_case k;
		(void)str_cut(rest, ',', &head, &tail);
		if (!mttd_case_parse(head, &k))
			return cli_fail(x->c, EXIT_USAGE, "--case takes %s, not '" STR_FMT "'", case_names(x->c), STR_ARG(head));
		if (x->case_count < MTTD_CASES) x->cases[x->case_count++] = k;
	}
	return EXIT_DONE;
}

static uint64_t run_seed(const struct experiment *x, size_t run) {
	return (uint64_t)x->seeds[0] + run / x->case_count;
}

static int experiment_here(struct experiment *x) {
	for (size_t i = 0; i < x->runs; i++) {
		struct why why = { "" };
		progress_tell(&x->progress, "running", (double)i / (double)x->runs);
		enum err e = mttd_run(&x->o, run_seed(x, i), (enum mttd_case)x->cases[i % x->case_count], &x->rows[i], &why);
		progress_end(&x->progress);
		if (e)
			return cli_fail(x->c, e == ERR_CLOSED ? EXIT_NEGATIVE : cli_code(e), "%s",
			                why.text[0] ? why.text : err_text(e));
	}
	return EXIT_DONE;
}

static void run_arguments(void *self, size_t run, const char *argv[JOBS_ARGUMENTS_MAX + 1]) {
	struct experiment *x = self;
	struct arena *a = &x->c->arena;
	size_t n = 0;
	argv[n++] = "experiment";
	argv[n++] = "mttd";
	argv[n++] = "--seeds";
	argv[n++] = str_c(a, str_printf(a, "%llu", (unsigned long long)run_seed(x, run)));
	argv[n++] = "--case";
	argv[n++] = mttd_case_name((enum mttd_case)x->cases[run % x->case_count]);
	argv[n++] = "--rate";
	argv[n++] = str_c(a, str_printf(a, "%.17g", x->o.rate));
	argv[n++] = "--warm";
	argv[n++] = str_c(a, str_printf(a, "%.17g", x->hours));
	argv[n++] = "--cache";
	argv[n++] = cli_warm_directory(x->c);
	n += cli_world_arguments(x->c, argv + n);
	argv[n++] = "--rows";
	argv[n++] = "-q";
	argv[n] = NULL;
}

static void run_line(void *self, size_t run, struct str line) {
	struct experiment *x = self;
	buf_str(&x->rows[run], line);
	buf_byte(&x->rows[run], '\n');
}

static void run_ended(void *self, size_t done) {
	struct experiment *x = self;
	progress_tell(&x->progress, "running", (double)done / (double)x->runs);
}

static int experiment_all(struct experiment *x) {
	if (x->jobs == 1) return experiment_here(x);
	struct jobs_work w = { x->runs, x->jobs, run_arguments, run_line, run_ended, x };
	int code = jobs_run(x->c, &w);
	progress_end(&x->progress);
	return code;
}

static int experiment_report(struct experiment *x) {
	struct report *r = NULL;
	struct why why = { "" };
	struct buf out;
	enum err e = report_open((struct report_opts){ "mttd", mttd_metrics, { x->seeds[0], x->seeds[1] } }, &r);
	for (size_t i = 0; !e && i < x->runs; i++) {
		const struct json *row = NULL;
		e = json_parse(&x->c->arena, buf_get(&x->rows[i]), &row, &why);
		if (!e) e = report_add(r, row, &why);
	}
	buf_init(&out, 0);
	if (!e && x->c->format == OUT_TABLE) report_table(r, &out);
	if (!e && x->c->format != OUT_TABLE) {
		struct json_out o = json_out(&out);
		report_json(r, &o);
	}
	int code = e                           ? cli_fail(x->c, EXIT_UNREACHABLE, "a row cannot be read: %s", why.text)
	           : x->c->format == OUT_TABLE ? cli_print(x->c, buf_get(&out))
	                                       : print_made(x->c, NULL, &out);
	buf_done(&out);
	report_close(r);
	return code;
}

static int experiment_run(struct experiment *x) {
	x->runs = (size_t)(x->seeds[1] - x->seeds[0] + 1) * x->case_count;
	x->rows = arena_array(&x->c->arena, struct buf, x->runs);
	if (!x->rows) return cli_fail(x->c, EXIT_UNREACHABLE, "out of memory");
	for (size_t i = 0; i < x->runs; i++) buf_init(&x->rows[i], 0);
	int code = experiment_all(x);
	for (size_t i = 0; !code && i < x->runs; i++)
		if (!x->rows[i].n)
			code = cli_fail(x->c, EXIT_NEGATIVE, "interrupted: run %zu of %zu is missing", i + 1, x->runs);
	if (!code && args_has(&x->c->args, "rows"))
		for (size_t i = 0; i < x->runs; i++) cli_print(x->c, buf_get(&x->rows[i]));
	else if (!code)
		code = experiment_report(x);
	for (size_t i = 0; i < x->runs; i++) buf_done(&x->rows[i]);
	return code;
}

/* The images that its cases need. */
static int experiment_warm(struct experiment *x, struct run_image *fast, struct run_image *slow) {
	bool needs_fast = false, needs_slow = false;
	for (size_t i = 0; i < x->case_count; i++) {
		bool is_slow = x->cases[i] == MTTD_LEAK || x->cases[i] == MTTD_QUIET;
		needs_slow |= is_slow;
		needs_fast |= !is_slow && x->cases[i] != MTTD_COLD;
	}
	int code = needs_slow ? cli_warm(x->c, x->o.world, MTTD_SLOW_RATE, x->hours, slow) : EXIT_DONE;
	if (!code && needs_fast) code = cli_warm(x->c, x->o.world, x->o.rate, x->hours, fast);
	return code;
}

int verb_experiment_mttd(struct cli *c) {
	struct why why = { "" };
	struct run_image fast = { 0 }, slow = { 0 };
	struct run_watch w = { NULL, stop_only, c };
	struct shop_world world;
	struct experiment x = { .c = c, .progress = progress_begin(c) };
	x.o = (struct mttd_opts){ .world = &world, .fast = &fast, .slow = &slow, .watch = &w };
	int64_t one = (int64_t)c->seed;
	int code = cli_world(c, &world);
	if (!code) code = number(c, "rate", cli_world_rate(c, &world, MTTD_RATE), 0.1, 10000, &x.o.rate);
	if (!code) code = number(c, "warm", MTTD_WARM_HOURS, 0.1, 24 * 366, &x.hours);
	if (!code) code = experiment_cases(&x);
	if (code) return code;
	if (args_range(&c->args, "seeds", one, one, x.seeds, &why) || args_int(&c->args, "jobs", 1, 1, 64, &x.jobs, &why))
		return cli_fail(c, EXIT_USAGE, "%s", why.text);
	if (x.seeds[1] - x.seeds[0] >= 100000) return cli_fail(c, EXIT_USAGE, "--seeds takes at most 100000");
	code = experiment_warm(&x, &fast, &slow);
	if (!code) code = experiment_run(&x);
	run_image_done(&fast);
	run_image_done(&slow);
	return code;
}
