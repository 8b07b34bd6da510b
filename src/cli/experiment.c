/* `flyball experiment mttd`: runs it (here, or as processes), keeps what it ran, sums it up, draws it. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "cli/rows.h"
#include "cli/sim_world.h"
#include "cli/verbs.h"
#include "cli/warm.h"
#include "sim/run/plot.h"
#include "sim/shop/file.h"

#define RATE       100.0
#define WARM_HOURS 48.0
#define SEEDS_MAX  100000
#define KEEP_MAX   ((size_t)1 << 30) /* bytes of a file of runs */
#define KEY_BYTES  160

struct experiment {
	struct cli *c;
	struct mttd_opts o;
	int64_t seeds[2], jobs;
	double hours;
	size_t cases[MTTD_CASES], case_count;
	uint64_t of;      /* rows.h */
	struct str *rows; /* one of each run; empty: not run (yet) */
	size_t *todo;     /* runs that are not kept from an earlier time */
	size_t runs, todo_count;
	struct file *keep; /* NULL: nothing is kept */
	int64_t keep_end;
	struct progress progress;
};

static uint64_t run_seed(const struct experiment *x, size_t run) {
	return (uint64_t)x->seeds[0] + run / x->case_count;
}

static enum mttd_case run_case(const struct experiment *x, size_t run) {
	return (enum mttd_case)x->cases[run % x->case_count];
}

/* ---- options ---- */

static const char *case_names(struct cli *c) {
	struct str s = { NULL, 0 };
	for (int k = 0; k < MTTD_CASES; k++)
		s = str_printf(&c->arena, STR_FMT "%s%s", STR_ARG(s), k ? ", " : "", mttd_case_name((enum mttd_case)k));
	return str_c(&c->arena, s);
}

/* --case NAME[,NAME...]: runs of these only. */
static int choose_cases(struct experiment *x) {
	struct str given = args_get(&x->c->args, "case"), head, tail;
	for (size_t k = 0; !given.p && k < MTTD_USUAL; k++) x->cases[x->case_count++] = k;
	for (struct str rest = given; rest.n; rest = tail) {
		enum mttd_case k;
		(void)str_cut(rest, ',', &head, &tail);
		if (!mttd_case_parse(head, &k))
			return cli_fail(x->c, EXIT_USAGE, "--case takes %s, not '" STR_FMT "'", case_names(x->c), STR_ARG(head));
		if (x->case_count < MTTD_CASES) x->cases[x->case_count++] = k;
	}
	if (!x->case_count) return cli_fail(x->c, EXIT_USAGE, "--case takes %s", case_names(x->c));
	return EXIT_DONE;
}

/* All that a run follows from, but its seed and case. */
static uint64_t identity(struct experiment *x) {
	char text[200], world[33];
	struct hash128 says = shop_world_hash(x->o.world);
	hex_encode(says.b, sizeof says.b, world);
	int n = snprintf(text, sizeof text, "mttd %016llx %s %.17g %.17g", (unsigned long long)cli_program(x->c), world,
	                 x->o.rate, x->hours);
	return hash64((struct str){ text, (size_t)n });
}

static int options(struct experiment *x) {
	struct cli *c = x->c;
	struct why why = { "" };
	int64_t one = (int64_t)c->seed;
	int code = cli_number(c, "rate", cli_world_rate(c, x->o.world, RATE), 0.1, 10000, &x->o.rate);
	if (!code) code = cli_number(c, "warm", WARM_HOURS, 0.1, 24 * 366, &x->hours);
	if (!code) code = choose_cases(x);
	if (code) return code;
	if (args_range(&c->args, "seeds", one, one, x->seeds, &why) || args_int(&c->args, "jobs", 1, 1, 64, &x->jobs, &why))
		return cli_fail(c, EXIT_USAGE, "%s", why.text);
	if (x->seeds[1] - x->seeds[0] >= SEEDS_MAX) return cli_fail(c, EXIT_USAGE, "--seeds takes at most %d", SEEDS_MAX);
	x->of = identity(x);
	return EXIT_DONE;
}

/* ---- what is kept ---- */

/* -1: this experiment has no such run. */
static int64_t run_of(const struct experiment *x, const struct rows_run *kept) {
	if (kept->seed < x->seeds[0] || kept->seed > x->seeds[1]) return -1;
	for (size_t k = 0; k < x->case_count; k++)
		if (str_is(kept->which, mttd_case_name((enum mttd_case)x->cases[k])))
			return (kept->seed - x->seeds[0]) * (int64_t)x->case_count + (int64_t)k;
	return -1;
}

static int take_kept(struct experiment *x, struct str path, struct str text) {
	struct why why = { "" };
	struct rows_run kept;
	size_t at = 0;
	while (rows_next(&x->c->arena, text, &at, &kept, &why)) {
		if (kept.of != x->of)
			return cli_fail(x->c, EXIT_USAGE,
			                STR_FMT ": holds runs of another program, world, rate or warm-up: keep these in another "
			                        "file, and sum both up with `flyball experiment mttd FILE FILE`",
			                STR_ARG(path));
		int64_t run = run_of(x, &kept);
		if (run >= 0) x->rows[run] = kept.row;
	}
	x->keep_end = (int64_t)at;
	return why.text[0] ? cli_fail(x->c, EXIT_USAGE, STR_FMT "%s", STR_ARG(path), why.text) : EXIT_DONE;
}

/* --keep FILE: what lies there is not run again; what is run goes there as it ends. */
static int open_keep(struct experiment *x) {
	struct str path = args_get(&x->c->args, "keep"), text = { 0 };
	struct disk *disk = x->c->world->disk;
	struct why why = { "" };
	bool there = false;
	if (!path.n) return EXIT_DONE;
	const char *name = str_c(&x->c->arena, path);
	enum err e = disk->ops->exists(disk, name, &there);
	if (!e && there) e = disk_read_file(disk, &x->c->arena, name, KEEP_MAX, &text, &why);
	int code = e ? EXIT_DONE : take_kept(x, path, text);
	if (code) return code;
	if (!e) e = disk->ops->open(disk, name, DISK_READ | DISK_WRITE | DISK_CREATE, &x->keep, &why);
	if (!e) e = x->keep->ops->truncate(x->keep, x->keep_end); /* a line that was cut off */
	return e ? cli_fail(x->c, EXIT_USAGE, "%s: %s", name, why.text[0] ? why.text : err_text(e)) : EXIT_DONE;
}

static int keep(struct experiment *x, size_t run) {
	struct buf line;
	struct rows_run r = { x->of, (int64_t)run_seed(x, run), str_of(mttd_case_name(run_case(x, run))), x->rows[run] };
	if (!x->keep) return EXIT_DONE;
	buf_init(&line, 0);
	rows_put(&line, &r);
	enum err e = x->keep->ops->write(x->keep, line.p, line.n, x->keep_end);
	if (!e) e = x->keep->ops->sync(x->keep);
	x->keep_end += (int64_t)line.n;
	buf_done(&line);
	return e ? cli_fail(x->c, EXIT_UNREACHABLE, "--keep: %s", err_text(e)) : EXIT_DONE;
}

/* ---- running ---- */

static int took(struct experiment *x, size_t run, struct str row) {
	x->rows[run] = str_copy(&x->c->arena, row);
	return keep(x, run);
}

static int run_here(struct experiment *x) {
	int code = EXIT_DONE;
	for (size_t i = 0; i < x->todo_count && !code; i++) {
		struct why why = { "" };
		struct buf row;
		buf_init(&row, 0);
		progress_tell(&x->progress, "running", (double)i / (double)x->todo_count);
		enum err e = mttd_run(&x->o, run_seed(x, x->todo[i]), run_case(x, x->todo[i]), &row, &why);
		progress_end(&x->progress);
		if (!e) code = took(x, x->todo[i], buf_get(&row));
		buf_done(&row);
		if (e == ERR_CLOSED) break; /* told with how far it came */
		if (e) code = cli_fail(x->c, cli_code(e), "%s", why.text[0] ? why.text : err_text(e));
	}
	return code;
}

static void run_arguments(void *self, size_t piece, const char *argv[JOBS_ARGUMENTS_MAX + 1]) {
	struct experiment *x = self;
	struct arena *a = &x->c->arena;
	size_t n = 0, run = x->todo[piece];
	argv[n++] = "experiment";
	argv[n++] = "mttd";
	argv[n++] = "--seeds";
	argv[n++] = str_c(a, str_printf(a, "%llu", (unsigned long long)run_seed(x, run)));
	argv[n++] = "--case";
	argv[n++] = mttd_case_name(run_case(x, run));
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

static void run_line(void *self, size_t piece, struct str line) {
	struct experiment *x = self;
	(void)took(x, x->todo[piece], line);
}

static void run_ended(void *self, size_t done) {
	struct experiment *x = self;
	progress_tell(&x->progress, "running", (double)done / (double)x->todo_count);
}

static int run_pieces(struct experiment *x) {
	struct jobs_work w = { x->todo_count, x->jobs, run_arguments, run_line, run_ended, x };
	int code = jobs_run(x->c, &w);
	progress_end(&x->progress);
	return code;
}

/* The images that what is left to run needs. */
static int warm_up(struct experiment *x, struct run_image images[MTTD_PACES]) {
	bool needed[MTTD_PACES + 1] = { false };
	int code = EXIT_DONE;
	for (size_t i = 0; i < x->todo_count; i++) needed[mttd_pace_of(run_case(x, x->todo[i]))] = true;
	for (int p = 0; p < MTTD_PACES && !code; p++) {
		if (needed[p]) code = cli_warm(x->c, x->o.world, mttd_rate_of(&x->o, (enum mttd_pace)p), x->hours, &images[p]);
		x->o.images[p] = &images[p];
	}
	return code;
}

static int run_missing(struct experiment *x) {
	struct run_image images[MTTD_PACES] = { 0 };
	size_t done = 0;
	for (size_t i = 0; i < x->runs; i++)
		if (!x->rows[i].n) x->todo[x->todo_count++] = i;
	int code = warm_up(x, images);
	x->progress = progress_begin(x->c); /* its time left is the runs' */
	if (!code) code = x->jobs > 1 ? run_pieces(x) : run_here(x);
	for (int p = 0; p < MTTD_PACES; p++) run_image_done(&images[p]);
	for (size_t i = 0; i < x->runs; i++) done += x->rows[i].n > 0;
	if (code > EXIT_NEGATIVE || done == x->runs) return code;
	return cli_fail(x->c, EXIT_NEGATIVE, "interrupted: %zu of %zu runs are done%s", done, x->runs,
	                x->keep ? " and kept; the same command goes on from there" : "; --keep FILE would keep them");
}

/* ---- summing up ---- */

static enum err add_row(struct experiment *x, struct report *r, struct verdict *v, struct plot *p, struct str text,
                        struct why *why) {
	const struct json *row = NULL;
	enum err e = json_parse(&x->c->arena, text, &row, why);
	if (!e) e = report_add(r, row, why);
	if (e) return e;
	verdict_add(v, row);
	plot_add(p, row);
	return OK;
}

static int print_sums(struct experiment *x, struct report *r, struct verdict *v) {
	CLEANUP(buf_done) struct buf out;
	buf_init(&out, 0);
	if (x->c->format == OUT_TABLE) {
		report_table(r, &out);
		verdict_table(v, &out);
		return cli_print(x->c, buf_get(&out));
	}
	struct json_out o = json_out(&out);
	report_json(r, v, &o);
	return print_made(x->c, NULL, &out);
}

static int draw(struct experiment *x, struct plot *p) {
	CLEANUP(buf_done) struct buf out;
	struct str path = args_get(&x->c->args, "plot");
	struct why why = { "" };
	buf_init(&out, 0);
	if (!path.n) return EXIT_DONE;
	bool files = x->c->args.positional_count > 0; /* of whichever worlds */
	plot_svg(p,
	         str_printf(&x->c->arena, "experiment mttd: %s, seeds %lld to %lld", files ? "kept runs" : x->o.world->name,
	                    (long long)x->seeds[0], (long long)x->seeds[1]),
	         &out);
	enum err e = out.err ? out.err : disk_write_file(x->c->world->disk, str_c(&x->c->arena, path), buf_get(&out), &why);
	return e ? cli_fail(x->c, EXIT_USAGE, "--plot " STR_FMT ": %s", STR_ARG(path), why.text[0] ? why.text : err_text(e))
	         : EXIT_DONE;
}

static int sum_up(struct experiment *x) {
	struct report *r = NULL;
	struct why why = { "" };
	struct verdict *v = verdict_new();
	struct plot *p = plot_new();
	enum err e = report_open((struct report_opts){ "mttd", mttd_metrics, { x->seeds[0], x->seeds[1] } }, &r);
	for (size_t i = 0; !e && i < x->runs; i++) e = add_row(x, r, v, p, x->rows[i], &why);
	int code = e ? cli_fail(x->c, EXIT_UNREACHABLE, "a row cannot be read: %s", why.text) : print_sums(x, r, v);
	if (!code) code = draw(x, p);
	report_close(r);
	verdict_free(v);
	plot_free(p);
	return code;
}

/* ---- files of runs, summed up as one ---- */

/* `seen`: "OF SEED CASE"; a run counts once, in however many files it lies. */
static int gather(struct experiment *x, struct str path, struct str text, struct map *seen) {
	struct arena *a = &x->c->arena;
	struct why why = { "" };
	struct rows_run run;
	for (size_t at = 0; rows_next(a, text, &at, &run, &why);) {
		char key[KEY_BYTES];
		int n = snprintf(key, sizeof key, "%016llx %lld " STR_FMT, (unsigned long long)run.of, (long long)run.seed,
		                 STR_ARG(run.which));
		if (n >= KEY_BYTES || map_get(seen, (struct str){ key, (size_t)n })) continue;
		if (map_put(seen, (struct str){ key, (size_t)n }, x, NULL))
			return cli_fail(x->c, EXIT_UNREACHABLE, "out of memory");
		if (!x->runs || run.seed < x->seeds[0]) x->seeds[0] = run.seed;
		if (!x->runs || run.seed > x->seeds[1]) x->seeds[1] = run.seed;
		x->rows[x->runs++] = run.row;
	}
	return why.text[0] ? cli_fail(x->c, EXIT_USAGE, STR_FMT "%s", STR_ARG(path), why.text) : EXIT_DONE;
}

static size_t count_lines(const struct str *texts, size_t count) {
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < texts[i].n; k++) n += texts[i].p[k] == '\n';
	return n;
}

static int gather_all(struct experiment *x, const struct str *texts, struct map *seen) {
	int code = EXIT_DONE;
	for (size_t i = 0; i < x->c->args.positional_count && !code; i++)
		code = gather(x, x->c->args.positional[i], texts[i], seen);
	if (!code && !x->runs) return cli_fail(x->c, EXIT_NEGATIVE, "no run lies in there");
	return code ? code : sum_up(x);
}

/* Nothing is run: the runs that --keep left, of one world or of many. */
static int sum_files(struct experiment *x) {
	static const char *const running[] = { "seeds", "jobs", "rate", "warm", "case", "rows", "keep", "world" };
	struct cli *c = x->c;
	struct str texts[ARGS_POSITIONAL_MAX];
	struct why why = { "" };
	struct map seen;
	for (size_t i = 0; i < sizeof running / sizeof *running; i++)
		if (args_has(&c->args, running[i]))
			return cli_fail(c, EXIT_USAGE, "--%s has no meaning beside files of runs, which are only summed up",
			                running[i]);
	for (size_t i = 0; i < c->args.positional_count; i++)
		if (cli_read(c, &c->arena, c->args.positional[i], KEEP_MAX, &texts[i], &why))
			return cli_fail(c, EXIT_USAGE, "%s", why.text);
	x->rows = arena_array(&c->arena, struct str, count_lines(texts, c->args.positional_count) + 1);
	if (!x->rows) return cli_fail(c, EXIT_UNREACHABLE, "out of memory");
	map_init(&seen, 0);
	int code = gather_all(x, texts, &seen);
	map_done(&seen);
	return code;
}

/* ---- the verb ---- */

static int print_kept(struct experiment *x) {
	int code = EXIT_DONE;
	for (size_t i = 0; i < x->runs && !code; i++)
		code = cli_print(x->c, str_printf(&x->c->arena, STR_FMT "\n", STR_ARG(str_trim(x->rows[i]))));
	return code;
}

static int run_all(struct experiment *x) {
	x->runs = (size_t)(x->seeds[1] - x->seeds[0] + 1) * x->case_count;
	x->rows = arena_array(&x->c->arena, struct str, x->runs);
	x->todo = arena_array(&x->c->arena, size_t, x->runs);
	if (!x->rows || !x->todo) return cli_fail(x->c, EXIT_UNREACHABLE, "out of memory");
	int code = open_keep(x);
	if (!code) code = run_missing(x);
	if (x->keep) x->keep->ops->close(x->keep);
	if (code) return code;
	return args_has(&x->c->args, "rows") ? print_kept(x) : sum_up(x);
}

static bool stop(void *cli) {
	return cli_interrupted(cli);
}

int verb_experiment_mttd(struct cli *c) {
	struct run_watch w = { NULL, stop, c };
	struct shop_world world;
	struct experiment x = { .c = c };
	x.o = (struct mttd_opts){ .world = &world, .watch = &w };
	int code = cli_world(c, &world);
	if (!code && c->args.positional_count) return sum_files(&x);
	if (!code) code = options(&x);
	return code ? code : run_all(&x);
}
