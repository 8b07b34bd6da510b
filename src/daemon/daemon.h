/* Wiring: the one place that knows every stage. The same for Linux and for a simulated world. */
#pragma once

#include "daemon/config.h"
#include "world/world.h"

struct daemon;

/* What this process is. ROLE_API alone reads what another process left behind. */
enum daemon_role {
	ROLE_INGEST = 1,
	ROLE_OBSERVE = 2,
	ROLE_CONTROL = 4,
	ROLE_API = 8,
	ROLE_ALL = 15,
	ROLE_VIEW = 16 /* what an observer saved, shown by the API as it stood then; nothing is changed */
};

/* Opens back ends, the stages of `roles` and their ports as the configuration says; it is borrowed and
 * outlives the daemon. On any error nothing stays open. */
MUST_USE enum err daemon_open(struct world *w, const struct config *c, unsigned roles, struct daemon **out,
                              struct why *why);
/* One turn of the loop: everything that is ready, then false when nothing more is. */
bool daemon_step(struct daemon *d);
struct mono daemon_next_due(const struct daemon *d);
/* A new generation, at a turn of the loop: handlers, policy and tokens take the place of those before. What else
 * differs from how the daemon was opened stays as it was, and is named in a log line (config.restart). `c` is
 * borrowed until the next reload or the close; the one that the daemon was opened with is needed throughout. */
void daemon_reload(struct daemon *d, const struct config *c);
bool daemon_ready(const struct daemon *d);
int daemon_port(const struct daemon *d, const char *what); /* "otlp_grpc" "otlp_http" "api"; the bound ones */
/* An orderly end: takes no more telemetry, decides on what was taken, saves what is worth saving, gives the lease back;
 * true while that goes on (keep stepping). */
bool daemon_flush(struct daemon *d);
/* An orderly end and a crash are the same to what is durable; memory is freed. */
void daemon_close(struct daemon *d);
