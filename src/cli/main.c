#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/daemon.h"
#include "daemon/version.h"

const struct option common_options[] = {
	{ "output", 'o', "FORMAT", "table, csv, json or jsonl (default: table on a terminal, else csv or json)." },
	{ "server", 0, "URL", "The daemon to ask (FLYBALL_SERVER; default http://127.0.0.1:8555)." },
	{ "token-file", 0, "FILE", "File with the bearer token (or FLYBALL_TOKEN)." },
	{ "seed", 0, "N", "Seed of every chance (default 1)." },
	{ "no-color", 0, NULL, "No colours (also NO_COLOR)." },
	{ "quiet", 'q', NULL, "Results only." },
	{ "verbose", 'v', NULL, "Say more on standard error." },
	{ "help", 'h', NULL, "This." },
	OPTION_END,
};

int cli_fail(const struct cli *c, int code, const char *fmt, ...) {
	va_list args;
	(void)c;
	fputs("flyball: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int cli_code(enum err e) {
	switch (e) {
	case OK: return EXIT_DONE;
	case ERR_NOT_FOUND:
	case ERR_INVALID:
	case ERR_UNSUPPORTED:
	case ERR_TOO_LARGE: return EXIT_USAGE;
	case ERR_DENIED: return EXIT_REFUSED;
	default: return EXIT_UNREACHABLE;
	}
}

enum err cli_read(struct cli *c, struct arena *a, struct str path, size_t max, struct str *out, struct why *why) {
	if (!str_is(path, "-")) return disk_read_file(c->world->disk, a, str_c(a, path), max, out, why);
	struct buf b;
	buf_init(&b, max);
	char piece[65536];
	for (size_t n; (n = fread(piece, 1, sizeof piece, stdin)) > 0;) buf_add(&b, piece, n);
	enum err e = b.err ? why_set(why, b.err, "standard input: %s", err_text(b.err)) : OK;
	*out = str_copy(a, buf_get(&b));
	buf_done(&b);
	return e;
}

static int usage(struct cli *c, bool asked) {
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "Flyball, a governor for cloud infrastructure: watches, finds, explains, corrects.\n\n"
	          "Usage: flyball VERB [OPTIONS]\n\n");
	for (const struct verb *v = verbs; v->name; v++) buf_printf(&b, "  %-18s %s\n", v->name, v->summary);
	buf_c(&b, "\n`flyball help VERB` shows its options and an example.\n");
	if (asked) return cli_print(c, buf_get(&b));
	fwrite(b.p, 1, b.n, stderr);
	return EXIT_USAGE;
}

static int help(struct cli *c, const struct verb *v) {
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	buf_printf(&b, "%s\n\nUsage: flyball %s%s%s\n\n", v->summary, v->name, v->usage[0] ? " " : "", v->usage);
	args_help(v->options, &b);
	args_help(common_options, &b);
	buf_printf(&b, "\nExample:\n  %s\n", v->example);
	return cli_print(c, buf_get(&b));
}

/* The verb that `words` begin with ("config check" before "config"), and how many words it took. */
static const struct verb *find(int n, char **words, int *took) {
	char two[80] = "";
	if (n > 1) snprintf(two, sizeof two, "%s %s", words[0], words[1]);
	for (const struct verb *v = verbs; v->name; v++) {
		if (n > 1 && strcmp(v->name, two) == 0) {
			*took = 2;
			return v;
		}
	}
	for (const struct verb *v = verbs; n > 0 && v->name; v++) {
		if (strcmp(v->name, words[0]) != 0) continue;
		*took = 1;
		return v;
	}
	return NULL;
}

static bool in_group(const struct verb *v, const char *word) {
	size_t n = strlen(word);
	return strncmp(v->name, word, n) == 0 && v->name[n] == ' ';
}

/* "config" alone: the verbs that begin so. False: none does. */
static bool group(struct buf *b, const char *word) {
	bool any = false;
	for (const struct verb *v = verbs; v->name; v++) {
		if (!in_group(v, word)) continue;
		buf_printf(b, "  %-18s %s\n", v->name, v->summary);
		any = true;
	}
	return any;
}

static const char *nearest(int n, char **words) {
	const char *best = "help";
	size_t least = SIZE_MAX;
	char two[80] = "";
	if (n > 1) snprintf(two, sizeof two, "%s %s", words[0], words[1]);
	for (const struct verb *v = verbs; v->name; v++) {
		size_t one = str_distance(str_of(words[0]), str_of(v->name));
		size_t d = n > 1 ? str_distance(str_of(two), str_of(v->name)) : one;
		d = d < one ? d : one;
		if (d < least) least = d, best = v->name;
	}
	return best;
}

static int unknown(struct cli *c, int n, char **words, bool helping) {
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	bool grouped = group(&b, words[0]);
	for (int i = 1; i < n; i++) helping |= strcmp(words[i], "-h") == 0 || strcmp(words[i], "--help") == 0;
	if (grouped && helping) return cli_print(c, buf_get(&b));
	if (grouped && (n == 1 || words[1][0] == '-'))
		return cli_fail(c, EXIT_USAGE, "'%s' needs one word more:\n%.*s", words[0], (int)b.n - 1, b.p);
	if (words[0][0] == '-')
		return cli_fail(c, EXIT_USAGE,
		                "options come after the verb: flyball VERB %s ...; `flyball help` lists the verbs", words[0]);
	return cli_fail(c, EXIT_USAGE, "there is no verb '%s%s%s', did you mean '%s'? `flyball help` lists them", words[0],
	                grouped ? " " : "", grouped ? words[1] : "", nearest(n, words));
}

static enum err read_token(struct cli *c, struct why *why) {
	struct process *p = c->world->process;
	struct str file = args_get(&c->args, "token-file");
	c->token = str_trim(p->ops->env(p, "FLYBALL_TOKEN"));
	if (!file.p) return OK;
	enum err e = cli_read(c, &c->arena, file, 4096, &c->token, why);
	c->token = str_trim(c->token);
	if (!e && !c->token.n) e = why_set(why, ERR_INVALID, STR_FMT ": no token is in it", STR_ARG(file));
	return e;
}

/* Dumb ones have none, nor had DEC's. */
static bool colors(struct process *p) {
	struct str term = p->ops->env(p, "TERM");
	return term.n && !str_is(term, "dumb") && !str_starts(term, STR("vt")) && !str_ends(term, STR("-m"));
}

static enum err settle_options(struct cli *c, const struct verb *v, struct why *why) {
	struct process *p = c->world->process;
	int64_t seed = 1;

	c->terminal = isatty(1);
	enum err e = cli_format(c, v, why);
	if (e) return e;
	c->color = c->terminal && !args_has(&c->args, "no-color") && !p->ops->env(p, "NO_COLOR").n && colors(p);
	c->quiet = args_has(&c->args, "quiet");
	c->verbose = args_has(&c->args, "verbose");
	c->server = args_get(&c->args, "server");
	if (!c->server.p) c->server = p->ops->env(p, "FLYBALL_SERVER");
	if (!c->server.n) c->server = STR("http://127.0.0.1:8555");
	while (c->server.n && c->server.p[c->server.n - 1] == '/') c->server.n--;
	e = args_int(&c->args, "seed", 1, 0, INT64_MAX, &seed, why);
	c->seed = (uint64_t)seed;
	return e ? e : read_token(c, why);
}

/* -q: results and errors. -v: everything. Both: everything. */
static enum log_level level_of(const struct args *a) {
	return args_has(a, "verbose") ? LOG_DEBUG : args_has(a, "quiet") ? LOG_ERROR : LOG_INFO;
}

static enum err too_many(const struct verb *v, const struct args *a, struct why *why) {
	struct str first = a->positional[v->arguments];
	if (!v->arguments) return why_set(why, ERR_INVALID, "it takes no argument, such as '" STR_FMT "'", STR_ARG(first));
	return why_set(why, ERR_INVALID, "'" STR_FMT "' is one argument too many", STR_ARG(first));
}

static int run(struct cli *c, const struct verb *v, int argc, char **argv) {
	struct why why = { "" };
	enum err e = args_parse(argc, (const char *const *)argv, v->options, common_options, &c->args, &why);
	if (!e && args_has(&c->args, "help")) return help(c, v);
	if (!e && c->args.positional_count > v->arguments) e = too_many(v, &c->args, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s: %s; `flyball help %s` shows how", v->name, why.text, v->name);
	c->verb = v;
	struct world_linux_opts o = { .log_level = level_of(&c->args), .log_fd = 2 };
	e = world_linux_open(o, &c->real, &why);
	if (e) return cli_fail(c, EXIT_UNREACHABLE, "%s", why.text[0] ? why.text : err_text(e));
	c->world = world_linux_world(c->real);
	arena_init(&c->arena, 0);
	e = settle_options(c, v, &why);
	int code = e ? cli_fail(c, cli_code(e), "%s", why.text) : v->run(c);
	daemon_close(c->local);
	arena_done(&c->arena);
	world_linux_close(c->real);
	return code > c->out_code ? code : c->out_code;
}

int main(int argc, char **argv) {
	struct cli c = { 0 };
	int took = 0;
	argc--, argv++;
	bool helping =
		argc && (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "--help") == 0);
	if (helping) argc--, argv++;
	if (argc == 0) return usage(&c, helping);
	if (strcmp(argv[0], "--version") == 0) argv[0] = (char[]){ "version" };
	const struct verb *v = find(argc, argv, &took);
	if (!v) return unknown(&c, argc, argv, helping);
	return helping ? help(&c, v) : run(&c, v, argc - took, argv + took);
}
