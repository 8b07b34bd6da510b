/* The real world: one epoll for every port, so that one thread can sleep until anything happens.
 *
 * One at a time a process: it reads SIGINT, SIGTERM and SIGHUP from a descriptor (they are blocked
 * meanwhile, in lanes too) and ignores SIGPIPE and SIGXFSZ. Its disk is the whole file system. Thread: one, but for
 * the clock, the disk and the log, which lanes use as well. */
#pragma once

#include "world/world.h"

struct world_linux;

struct world_linux_opts {
	enum log_level log_level;
	int log_fd;    /* 2 */
	uint64_t seed; /* of `rng`; 0: from entropy */
};

/* ERR_NOMEM, ERR_IO. The world is `world_linux_world(w)`. */
MUST_USE enum err world_linux_open(struct world_linux_opts o, struct world_linux **out, struct why *why);
struct world *world_linux_world(struct world_linux *w);
/* Sleeps until a port has something, a signal came, or `deadline`; then reads the clocks once: they
 * stand still until the next call. What came before and was left unpolled does not end the sleep: whoever
 * stops polling on purpose (to slow a peer down) is not woken for it again and again. */
void world_linux_wait(struct world_linux *w, struct mono deadline);
/* `path` from the root on, as a process started elsewhere would have to name it. False: it does not fit. */
bool world_linux_absolute(struct world_linux *w, const char *path, char *out, size_t n);
/* Every server, client and lane is closed before. */
void world_linux_close(struct world_linux *w); /* takes NULL */
