#include "cli/setup.h"

#define CONFIG_MAX (4 << 20)

static const char *const usual[] = { "flyball.yaml", "/etc/flyball/flyball.yaml" };

struct str setup_path(struct cli *c) {
	struct str path = args_get(&c->args, "config");
	struct disk *disk = c->world->disk;

	for (size_t i = 0; !path.p && i < sizeof usual / sizeof *usual; i++) {
		bool there = false;
		if (disk->ops->exists(disk, usual[i], &there) == OK && there) path = str_of(usual[i]);
	}
	return path;
}

enum err setup_read(struct cli *c, struct arena *a, struct str path, struct config *out, struct why *why) {
	struct str text = { 0 };
	enum err e = path.p ? cli_read(c, a, path, CONFIG_MAX, &text, why) : OK;
	if (e) return e;
	return config_parse(a, text, path.p ? str_c(a, path) : "(defaults)", out, why);
}

enum err setup_config(struct cli *c, struct config *out, struct why *why) {
	return setup_read(c, &c->arena, setup_path(c), out, why);
}

static struct str usual_state(struct cli *c, struct arena *a) {
	struct process *p = c->world->process;
	struct str xdg = p->ops->env(p, "XDG_STATE_HOME"), home = p->ops->env(p, "HOME");
	if (p->ops->privileged(p)) return STR("/var/lib/flyball");
	if (xdg.n) return str_printf(a, STR_FMT "/flyball", STR_ARG(xdg));
	return str_printf(a, STR_FMT "/.local/state/flyball", STR_ARG(home));
}

/* "sqlite://" and an absolute path. */
static struct str database(struct arena *a, struct str dir, const char *name) {
	return str_printf(a, "sqlite://" STR_FMT "/%s", STR_ARG(dir), name);
}

enum err setup_state(struct cli *c, struct arena *a, struct config *out, struct why *why) {
	struct str dir = args_get(&c->args, "state");
	char full[4096];
	if (!dir.n) dir = usual_state(c, a);
	enum err e = c->world->disk->ops->make_dir(c->world->disk, str_c(a, dir));
	if (e)
		return why_set(why, e, "state directory " STR_FMT ": %s; give another with --state DIR", STR_ARG(dir),
		               e == ERR_INVALID ? "a part of this path is not a directory" : err_text(e));
	if (!world_linux_absolute(c->real, str_c(a, dir), full, sizeof full))
		return why_set(why, ERR_INVALID, "state directory " STR_FMT ": the path is too long", STR_ARG(dir));
	dir = str_copy(a, str_of(full));
	if (!out->state.n) out->state = database(a, dir, "state.db");
	if (!out->bus.n) out->bus = database(a, dir, "bus.db");
	return OK;
}
