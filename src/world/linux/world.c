#include "world/linux/linux.h"

#include "world/linux/client.h"
#include "world/linux/disk.h"
#include "world/linux/lanes.h"
#include "world/linux/loop.h"
#include "world/linux/net.h"
#include "world/linux/process.h"
#include "world/linux/servers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct log_linux {
	struct log log;
	struct clock *clock;
	int fd;
};

struct world_linux {
	struct world world;
	struct loop *loop;
	struct log_linux log;
	struct disk *disk;
	struct lanes *lanes;
	struct process_linux *process;
	struct net_linux *net;
	struct servers *servers;
	struct clients *clients;
};

static const char *level_name(enum log_level level) {
	static const char *const names[] = { "debug", "info", "warn", "error" };
	return names[level <= LOG_ERROR ? level : LOG_ERROR];
}

/* One write a line, so that lines of several threads and processes do not mix. What a full pipe or disk
 * refuses is lost: a log must not stop the loop. */
static void log_write(struct log *log, enum log_level level, const char *event, struct str fields) {
	struct log_linux *l = container_of(log, struct log_linux, log);
	char at[32], line[LOG_FIELDS_MAX + 256];
	wall_format(clock_wall(l->clock), at);
	int n = snprintf(line, sizeof line, "time=%s level=%s event=%s%s" STR_FMT "\n", at, level_name(level), event,
	                 fields.n ? " " : "", STR_ARG(fields));
	if (n < 0) return;
	if ((size_t)n >= sizeof line) {
		n = sizeof line - 1;
		line[n - 1] = '\n';
	}
	ssize_t written;
	do { written = write(l->fd, line, (size_t)n); } while (written < 0 && errno == EINTR);
}

static struct rng seeded(struct process *p, uint64_t seed) {
	while (seed == 0) p->ops->entropy(p, &seed, sizeof seed);
	return rng_seeded(seed);
}

static enum err open_ports(struct world_linux *w, struct why *why) {
	enum err e = loop_open(&w->loop);
	if (!e) e = process_linux_open(w->loop, &w->process);
	if (!e) e = disk_linux_open("/", &w->disk, why);
	if (!e) e = lanes_open(w->loop, &w->lanes);
	if (!e) e = net_linux_open(w->loop, lanes_jobs(w->lanes), &w->net);
	if (!e) e = servers_open(w->loop, &w->servers);
	if (!e) e = clients_open(w->loop, &w->clients);
	return e ? why_set(why, e, "cannot set up the event loop: %s", err_text(e)) : OK;
}

enum err world_linux_open(struct world_linux_opts o, struct world_linux **out, struct why *why) {
	struct world_linux *w = calloc(1, sizeof *w);
	if (!w) return why_set(why, ERR_NOMEM, "no memory for the event loop");
	enum err e = open_ports(w, why);
	if (e) {
		world_linux_close(w);
		return e;
	}
	w->log = (struct log_linux){ { log_write, o.log_level }, loop_clock(w->loop), o.log_fd };
	w->world = (struct world){
		.clock = loop_clock(w->loop),
		.disk = w->disk,
		.jobs = lanes_jobs(w->lanes),
		.net = net_linux_net(w->net),
		.servers = servers_host(w->servers),
		.clients = clients_port(w->clients),
		.process = process_linux_process(w->process),
		.log = &w->log.log,
		.rng = seeded(process_linux_process(w->process), o.seed),
	};
	*out = w;
	return OK;
}

struct world *world_linux_world(struct world_linux *w) {
	return &w->world;
}

void world_linux_wait(struct world_linux *w, struct mono deadline) {
	loop_wait(w->loop, deadline);
}

bool world_linux_absolute(struct world_linux *w, const char *path, char *out, size_t n) {
	(void)w;
	if (path[0] == '/') return (size_t)snprintf(out, n, "%s", path) < n;
	if (!getcwd(out, n)) return false;
	size_t at = strlen(out);
	return (size_t)snprintf(out + at, n - at, "/%s", path) < n - at;
}

void world_linux_close(struct world_linux *w) {
	if (!w) return;
	clients_close(w->clients);
	servers_close(w->servers);
	net_linux_close(w->net);
	lanes_close(w->lanes);
	disk_linux_close(w->disk);
	process_linux_close(w->process);
	loop_close(w->loop);
	free(w);
}
