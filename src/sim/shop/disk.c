/* The disks of databases: what their hosts' agents tell, and what a statement is told when nothing fits any more.
 *
 * Each database's host runs a Collector with the hostmetrics receiver: system.filesystem.usage by state and
 * system.filesystem.utilization of the volume that holds the data. A full volume refuses what needs room; what is
 * there can still be read. */
#include <stdio.h>

#include "sim/shop/impl.h"

#define VOLUME_BYTES (100.0 * 1024 * 1024 * 1024)
#define USED         0.55   /* of the volume, at rest */
#define NOISE        0.0005 /* sd of a reading: logs that are written, and rotated */

static const char *const mounts[][3] = {
	/* system, where its data lies, what a client is told */
	{ "postgresql", "/var/lib/postgresql",
	  "ERROR: could not extend file \"base/16384/24591\": No space left on device (SQLSTATE 53100)" },
	{ "mysql", "/var/lib/mysql", "Error 1114 (HY000): The table is full: No space left on device" },
	{ "mongodb", "/var/lib/mongodb",
	  "(OutOfDiskSpace) available disk space is less than the required minimum: No space left on device" },
	{ "redis", "/var/lib/redis",
	  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk" },
};

static const char *const *mount_of(const struct shop_db *db) {
	for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
		if (!strcmp(db->spec->system, mounts[i][0])) return mounts[i];
	return mounts[0];
}

void shop_disk_text(const struct shop *s, uint32_t edge, char *out, size_t n) {
	snprintf(out, n, "%s", mount_of(&s->dbs[s->edges[edge].target])[2]);
}

/* ---- the agents ---- */

static void attributes(const struct shop_db *db, const char *state, struct sim_wire *w) {
	shop_attr_str(w, 7, "system.device", "/dev/nvme1n1");
	shop_attr_str(w, 7, "system.filesystem.mode", "rw");
	shop_attr_str(w, 7, "system.filesystem.mountpoint", mount_of(db)[1]);
	shop_attr_str(w, 7, "system.filesystem.type", "ext4");
	if (state) shop_attr_str(w, 7, "system.filesystem.state", state);
}

static void put_metric(struct sim_wire *metrics, const char *name, const char *unit, const struct shop_db *db,
                       double used, int64_t at_ns) {
	static const char *const states[] = { "used", "free" };
	struct sim_wire points = { 0 };
	bool bytes = !strcmp(unit, "By");
	for (int i = 0; i < (bytes ? 2 : 1); i++) {
		struct sim_wire a = { 0 };
		attributes(db, bytes ? states[i] : NULL, &a);
		shop_put_number(&points, bytes ? VOLUME_BYTES * (i ? 1 - used : used) : used, bytes, 0, at_ns, &a);
		sw_done(&a);
	}
	shop_put_metric(metrics, name, unit, bytes ? SHOP_UPDOWN : SHOP_GAUGE, &points);
	sw_done(&points);
}

static void disk_moment(void *self, uint64_t database) {
	struct shop *s = self;
	struct shop_db *db = &s->dbs[database];
	struct sim_wire resource = { 0 }, metrics = { 0 }, body = { 0 };
	double used = db->full_mask ? 1 : USED + NOISE * rng_normal(&s->disk_rng);
	int64_t at_ns = shop_wall(s, s->queue->now_ns);
	shop_attr_str(&resource, 1, "host.name", db->spec->name);
	shop_attr_str(&resource, 1, "os.type", "linux");
	put_metric(&metrics, "system.filesystem.usage", "By", db, used, at_ns);
	put_metric(&metrics, "system.filesystem.utilization", "1", db, used, at_ns);
	shop_put_request(&body, &resource,
	                 "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver/internal/"
	                 "scraper/filesystemscraper",
	                 &metrics);
	s->counts.points += 3;
	for (int bit = 0; db->full_mask >> bit; bit++)
		if (db->full_mask >> bit & 1) shop_visible(s, shop_fault_of_bit(s, bit));
	shop_send_agent(s, &body, db->full_mask);
	sw_done(&resource);
	sw_done(&metrics);
	sim_queue_in(s->queue, s->world->agent_ns, disk_moment, s, database);
}

void shop_disks_start(struct shop *s) {
	for (size_t i = 0; i < s->world->database_count; i++)
		sim_queue_in(s->queue, (int64_t)(rng_unit(&s->disk_rng) * (double)s->world->agent_ns), disk_moment, s, i);
}
