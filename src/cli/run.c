#include <stdio.h>

#include "cli/setup.h"
#include "cli/verbs.h"

#define TURNS_MAX 10000 /* steps within one reading of the clock */

static void turn(struct daemon *d) {
	for (int i = 0; i < TURNS_MAX && daemon_step(d); i++) {}
}

/* Saves, for at most five seconds: an orderly end saves work, a crash must not need it. */
static void flush(struct cli *c, struct daemon *d) {
	int64_t until = clock_mono(c->world->clock).ns + 5 * NS_PER_SEC;
	while (daemon_flush(d) && clock_mono(c->world->clock).ns < until) {
		turn(d);
		world_linux_wait(c->real, (struct mono){ clock_mono(c->world->clock).ns + 10 * NS_PER_MS });
	}
}

static void announce(struct cli *c, const struct daemon *d, const struct config *config) {
	log_event(c->world->log, LOG_INFO, "daemon.up", "otlp_grpc=%d otlp_http=%d api=%d state=%s target=%s",
	          daemon_port(d, "otlp_grpc"), daemon_port(d, "otlp_http"), daemon_port(d, "api"),
	          str_c(&c->arena, config->state), config->target.n ? str_c(&c->arena, config->target) : "none");
}

/* ---- SIGHUP ---- */

/* A generation of settings that came after the first; two take turns. */
struct reloads {
	struct str path; /* of the file that the process began with; p NULL: none */
	struct arena arenas[2];
	struct config configs[2];
	int next;
};

static enum err reload_read(struct cli *c, struct reloads *r, struct config *out, struct why *why) {
	struct arena *a = &r->arenas[r->next];
	if (str_is(r->path, "-"))
		return why_set(why, ERR_UNSUPPORTED, "the configuration came from standard input; start anew to change it");
	if (!r->path.p) r->path = setup_path(c);
	if (!r->path.p) return why_set(why, ERR_NOT_FOUND, "there is no configuration file; start with -c FILE");
	arena_reset(a);
	enum err e = setup_read(c, a, r->path, out, why);
	return e ? e : setup_state(c, a, out, why);
}

/* What is wrong leaves everything as it is. */
static void reload(struct cli *c, struct daemon *d, struct reloads *r) {
	struct why why = { "" };
	struct config *fresh = &r->configs[r->next];
	enum err e = reload_read(c, r, fresh, &why);
	if (e) {
		log_event(c->world->log, LOG_ERROR, "config.refused", "why=%s", why.text[0] ? why.text : err_text(e));
		return;
	}
	r->next = !r->next;
	daemon_reload(d, fresh);
}

/* ---- the verb ---- */

static void serve(struct cli *c, struct daemon *d) {
	struct process *p = c->world->process;
	struct reloads r = { .path = setup_path(c) };
	arena_init(&r.arenas[0], 0), arena_init(&r.arenas[1], 0);
	while (!p->ops->stopping(p)) {
		if (p->ops->reload(p)) reload(c, d, &r);
		turn(d);
		world_linux_wait(c->real, daemon_next_due(d));
	}
	flush(c, d);
	daemon_close(d);
	arena_done(&r.arenas[0]), arena_done(&r.arenas[1]);
}

/* What a person gave, or the machine he gave it on. */
static int start_code(enum err e) {
	return e == ERR_INVALID || e == ERR_UNSUPPORTED || e == ERR_NOT_FOUND ? EXIT_USAGE : EXIT_UNREACHABLE;
}

int verb_run(struct cli *c) {
	struct config config;
	struct daemon *d = NULL;
	struct why why = { "" };

	enum err e = setup_config(c, &config, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	e = setup_state(c, &c->arena, &config, &why);
	if (!e) e = daemon_open(c->world, &config, ROLE_ALL, &d, &why);
	if (e) return cli_fail(c, start_code(e), "%s", why.text[0] ? why.text : err_text(e));
	announce(c, d, &config);
	serve(c, d);
	log_event(c->world->log, LOG_INFO, "daemon.down", "reason=%s", "signal");
	return EXIT_DONE;
}
