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

int verb_run(struct cli *c) {
	struct config config;
	struct daemon *d = NULL;
	struct why why = { "" };

	enum err e = setup_config(c, &config, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	e = setup_state(c, &config, &why);
	if (!e) e = daemon_open(c->world, &config, ROLE_ALL, &d, &why);
	if (e)
		return cli_fail(c, e == ERR_INVALID || e == ERR_UNSUPPORTED ? EXIT_USAGE : EXIT_UNREACHABLE, "%s",
						why.text[0] ? why.text : err_text(e));
	announce(c, d, &config);
	struct process *p = c->world->process;
	while (!p->ops->stopping(p)) {
		turn(d);
		world_linux_wait(c->real, daemon_next_due(d));
	}
	flush(c, d);
	daemon_close(d);
	log_event(c->world->log, LOG_INFO, "daemon.down", "reason=%s", "signal");
	return EXIT_DONE;
}
