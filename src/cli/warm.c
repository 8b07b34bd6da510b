#include "cli/warm.h"

#include "base/hash.h"
#include "base/param.h"

#define PROGRAM_MAX ((size_t)256 << 20)
#define WARM_SEED   1

static void warming(void *self, const char *what, double share) {
	progress_tell(self, what, share);
}

static bool stop(void *self) {
	return cli_interrupted(((struct progress *)self)->cli);
}

struct run_watch cli_watch(struct progress *p) {
	return (struct run_watch){ warming, stop, p };
}

const char *cli_warm_directory(struct cli *c) {
	struct process *p = c->world->process;
	struct str given = args_get(&c->args, "cache"), xdg = p->ops->env(p, "XDG_CACHE_HOME"),
			   home = p->ops->env(p, "HOME");
	if (given.n) return str_c(&c->arena, given);
	if (xdg.n) return str_c(&c->arena, str_printf(&c->arena, STR_FMT "/flyball", STR_ARG(xdg)));
	if (home.n) return str_c(&c->arena, str_printf(&c->arena, STR_FMT "/.cache/flyball", STR_ARG(home)));
	return "/var/cache/flyball";
}

uint64_t cli_program(struct cli *c) {
	struct str bytes = { 0 };
	struct arena a;
	arena_init(&a, 0);
	uint64_t hash = disk_read_file(c->world->disk, &a, "/proc/self/exe", PROGRAM_MAX, &bytes, NULL) ? 0 : hash64(bytes);
	arena_done(&a);
	return hash;
}

int cli_warm(struct cli *c, const struct shop_world *world, double rate, double hours, struct run_image *out) {
	struct progress progress = progress_begin(c);
	struct run_watch w = cli_watch(&progress);
	struct run_warm what = { .world = world, .rate = rate, .hours = hours, .seed = WARM_SEED };
	struct why why = { "" };
	enum err e = run_image_get(c->world->disk, cli_warm_directory(c), cli_program(c), &what, &w, out, &why);
	progress_end(&progress);
	return e ? cli_fail(c, e == ERR_CLOSED ? EXIT_NEGATIVE : EXIT_UNREACHABLE, "%s",
	                    why.text[0] ? why.text : err_text(e))
	         : EXIT_DONE;
}

int cli_number(struct cli *c, const char *name, double fallback, double least, double most, double *out) {
	struct str s = args_get(&c->args, name);
	*out = fallback;
	if (!s.p || (str_double(s, out) && *out >= least && *out <= most)) return EXIT_DONE;
	return cli_fail(c, EXIT_USAGE, "--%s takes a number from %g to %g, not '" STR_FMT "'", name, least, most,
	                STR_ARG(s));
}
