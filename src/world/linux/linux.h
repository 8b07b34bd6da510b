/* The real world: one epoll for every port, so that one thread can sleep until anything happens. */
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
 * stand still until the next call. */
void world_linux_wait(struct world_linux *w, struct mono deadline);
/* `path` from the root on, as a process started elsewhere would have to name it. False: it does not fit. */
bool world_linux_absolute(struct world_linux *w, const char *path, char *out, size_t n);
/* Every server, client and lane is closed before. */
void world_linux_close(struct world_linux *w);
