/* Flyball on its host: started on what its disk kept, killed, and started again. */
#include <stdio.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/run/impl.h"

#define RETRY_NS (5 * NS_PER_SEC) /* as systemd would: RestartSec=5s */

/* ---- the log: the published heads of the decision log are what somebody outside remembers ---- */

static struct str field(struct str fields, const char *name) {
	size_t n = strlen(name);
	for (struct str head, tail; fields.n; fields = tail) {
		(void)str_cut(fields, ' ', &head, &tail);
		if (head.n > n && !memcmp(head.p, name, n) && head.p[n] == '=')
			return (struct str){ head.p + n + 1, head.n - n - 1 };
		if (!tail.n) break;
	}
	return (struct str){ 0 };
}

static void tap_write(struct log *log, enum log_level level, const char *event, struct str fields) {
	struct run_daemon *d = container_of(log, struct run_daemon, tap);
	struct run *r = d->run;
	struct str seq = field(fields, "seq"), hash = field(fields, "hash");
	if (!strcmp(event, "audit.head") && seq.n && hash.n && !str_is(seq, "0") && r->head_count < RUN_HEADS_MAX)
		r->heads[r->head_count++] = str_printf(&r->arena, STR_FMT ":" STR_FMT, STR_ARG(seq), STR_ARG(hash));
	d->log->write(d->log, level, event, fields);
}

/* ---- the program ---- */

static unsigned roles(const struct run *r) {
	if (r->o.broken == BREAK_API) return ROLE_ALL & ~(unsigned)ROLE_API;
	if (r->o.broken == BREAK_CONTROL) return ROLE_ALL & ~(unsigned)ROLE_CONTROL;
	return ROLE_ALL;
}

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct run_daemon *d = self;
	arena_init(&d->arena, 0);
	enum err e = config_parse(&d->arena, d->run->config, "flyball.yaml", &d->config, why);
	if (!e) e = daemon_open(&host->world, &d->config, roles(d->run), &d->daemon, why);
	if (e) arena_done(&d->arena);
	return e;
}

static bool step(void *self) {
	return daemon_step(((struct run_daemon *)self)->daemon);
}

static struct mono next_due(void *self) {
	return daemon_next_due(((struct run_daemon *)self)->daemon);
}

static void stop(void *self) {
	struct run_daemon *d = self;
	daemon_close(d->daemon);
	d->daemon = NULL;
	arena_done(&d->arena);
}

const struct sim_program run_daemon_program = { start, step, next_due, stop };

/* ---- its life ---- */

static void overwrite(struct run *r) {
	static const char junk[8192] = "this was a database once";
	struct disk *disk = &r->host[RUN_FLYBALL].disk.disk;
	struct why why;
	r->host[RUN_FLYBALL].fuse = (struct sim_fuse){ 0 };           /* the dead write nothing; somebody else does */
	(void)disk->ops->remove(disk, RUN_STATE_DIR "/state.db-wal"); /* it would mend the damage */
	(void)disk_write_file(disk, RUN_STATE_DIR "/state.db", (struct str){ junk, sizeof junk }, &why);
}

void run_daemon_start(void *run, uint64_t arg) {
	struct run *r = run;
	struct sim_host *h = &r->host[RUN_FLYBALL];
	struct why why = { "" };
	(void)arg;
	if (h->up) return;
	if (r->o.broken == BREAK_DISK && r->starts) overwrite(r);
	enum err e = sim_host_start(h, &why);
	r->starts++;
	if (!e) return;
	r->failed_starts++;
	sim_trace_tell(&r->trace, "flyball: does not start: %s: %s", err_name(e), why.text);
	sim_ports_die(&h->ports, true);
	sim_queue_in(&r->queue, RETRY_NS, run_daemon_start, r, 0);
}

void run_daemon_begin(struct run *r) {
	struct sim_host *h = &r->host[RUN_FLYBALL];
	struct disk *disk = &h->disk.disk;
	struct why why = { "" };
	r->daemon.tap = (struct log){ tap_write, LOG_INFO };
	r->daemon.log = h->world.log;
	h->world.log = &r->daemon.tap;
	enum err e = disk->ops->make_dir(disk, RUN_STATE_DIR);
	if (!e) e = disk->ops->make_dir(disk, "etc/flyball");
	if (!e) e = disk_write_file(disk, "etc/flyball/token", STR(RUN_TOKEN), &why);
	assert(!e && "an empty disk takes a file");
	run_daemon_start(r, 0);
}
