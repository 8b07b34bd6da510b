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

int cli_print(const struct cli *c, struct str text) {
	(void)c;
	if (text.n && fwrite(text.p, 1, text.n, stdout) != text.n) return EXIT_DONE;
	fflush(stdout);
	return EXIT_DONE;
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

static void usage(FILE *to) {
	fputs("Flyball, a governor for cloud infrastructure: watches, finds, explains, corrects.\n\nUsage: flyball VERB "
	      "[OPTIONS]\n\n",
	      to);
	for (const struct verb *v = verbs; v->name; v++) fprintf(to, "  %-18s %s\n", v->name, v->summary);
	fputs("\n`flyball help VERB` shows its options and an example.\n", to);
}

static void help(const struct verb *v, FILE *to) {
	struct buf b;
	buf_init(&b, 0);
	buf_printf(&b, "%s\n\nUsage: flyball %s%s%s\n\n", v->summary, v->name, v->usage[0] ? " " : "", v->usage);
	args_help(v->options, &b);
	args_help(common_options, &b);
	buf_printf(&b, "\nExample:\n  %s\n", v->example);
	fwrite(b.p, 1, b.n, to);
	buf_done(&b);
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

static int unknown(const char *word) {
	const char *best = "help";
	size_t least = SIZE_MAX;
	for (const struct verb *v = verbs; v->name; v++) {
		size_t d = str_distance(str_of(word), str_of(v->name));
		if (d < least) least = d, best = v->name;
	}
	return cli_fail(NULL, EXIT_USAGE, "there is no verb '%s', did you mean '%s'? `flyball help` lists them", word,
	                best);
}

static enum err read_token(struct cli *c, struct why *why) {
	struct process *p = c->world->process;
	struct str file = args_get(&c->args, "token-file");
	c->token = p->ops->env(p, "FLYBALL_TOKEN");
	if (!file.p) return OK;
	enum err e = cli_read(c, &c->arena, file, 4096, &c->token, why);
	c->token = str_trim(c->token);
	return e;
}

static enum err settle_options(struct cli *c, struct why *why) {
	struct process *p = c->world->process;
	struct str format = args_get(&c->args, "output");
	int64_t seed = 1;

	c->terminal = isatty(1);
	c->format = c->terminal ? OUT_TABLE : OUT_JSON;
	if (format.p && !out_format_parse(format, &c->format))
		return why_set(why, ERR_INVALID, "--output takes table, csv, json or jsonl, not '" STR_FMT "'",
		               STR_ARG(format));
	c->color = c->terminal && !args_has(&c->args, "no-color") && !p->ops->env(p, "NO_COLOR").n;
	c->quiet = args_has(&c->args, "quiet");
	c->verbose = args_has(&c->args, "verbose");
	c->server = args_get(&c->args, "server");
	if (!c->server.p) c->server = p->ops->env(p, "FLYBALL_SERVER");
	if (!c->server.n) c->server = STR("http://127.0.0.1:8555");
	while (c->server.n && c->server.p[c->server.n - 1] == '/') c->server.n--;
	enum err e = args_int(&c->args, "seed", 1, 0, INT64_MAX, &seed, why);
	c->seed = (uint64_t)seed;
	return e ? e : read_token(c, why);
}

static int run(struct cli *c, const struct verb *v, int argc, char **argv) {
	struct why why = { "" };
	enum err e = args_parse(argc, (const char *const *)argv, v->options, common_options, &c->args, &why);
	if (!e && args_has(&c->args, "help")) {
		help(v, stdout);
		return EXIT_DONE;
	}
	if (e) return cli_fail(c, EXIT_USAGE, "%s: %s; `flyball help %s` shows how", v->name, why.text, v->name);
	c->verb = v;
	struct world_linux_opts o = { .log_level = args_has(&c->args, "verbose") ? LOG_DEBUG : LOG_INFO, .log_fd = 2 };
	e = world_linux_open(o, &c->real, &why);
	if (e) return cli_fail(c, EXIT_UNREACHABLE, "%s", why.text[0] ? why.text : err_text(e));
	c->world = world_linux_world(c->real);
	arena_init(&c->arena, 0);
	e = settle_options(c, &why);
	int code = e ? cli_fail(c, cli_code(e), "%s", why.text) : v->run(c);
	daemon_close(c->local);
	arena_done(&c->arena);
	world_linux_close(c->real);
	return code;
}

int main(int argc, char **argv) {
	struct cli c = { 0 };
	int took = 0;
	argc--, argv++;
	if (argc == 0) {
		usage(stderr);
		return EXIT_USAGE;
	}
	bool helping = strcmp(argv[0], "help") == 0;
	if (helping || strcmp(argv[0], "-h") == 0 || strcmp(argv[0], "--help") == 0) {
		argc--, argv++;
		if (argc == 0) {
			usage(stdout);
			return EXIT_DONE;
		}
	}
	if (strcmp(argv[0], "--version") == 0) argv[0] = (char[]){ "version" };
	const struct verb *v = find(argc, argv, &took);
	if (!v) return unknown(argv[0]);
	if (helping) {
		help(v, stdout);
		return EXIT_DONE;
	}
	return run(&c, v, argc - took, argv + took);
}
