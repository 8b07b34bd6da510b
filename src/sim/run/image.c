#include "sim/run/image.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "daemon/version.h"
#include "sim/memory.h"
#include "sim/run/impl.h"
#include "sim/shop/file.h"

#define IMAGE_KIND  "FBWW"
#define IMAGE_BYTES ((size_t)1 << 30)
#define STEP_NS     (20 * NS_PER_SEC) /* virtual, between two looks at the watch */
#define FLUSH_NS    (5 * NS_PER_MIN)
#define KEEP_NS     (14 * NS_PER_DAY) /* of images that nobody asks for */

void run_image_done(struct run_image *i) {
	buf_done(&i->disk);
	buf_done(&i->alarms);
}

/* ---- making one ---- */

static bool stopped(const struct run_watch *w) {
	return w && w->stop && w->stop(w->self);
}

static void told(const struct run_watch *w, double share) {
	if (w && w->progress) w->progress(w->self, "warming up the shop", share);
}

/* An orderly end: what is worth saving is saved. */
static bool flush(struct run *r) {
	int64_t until = r->queue.now_ns + FLUSH_NS;
	struct daemon *d = r->daemon.daemon;
	while (d && daemon_flush(d) && r->queue.now_ns < until) {
		sim_host_wake(&r->host[RUN_FLYBALL]);
		if (!run_until(r, run_now(r) + 10 * NS_PER_MS)) return false;
	}
	return d && r->queue.now_ns < until;
}

enum err run_image_take(struct run *r, struct run_image *out, struct why *why) {
	if (!flush(r)) return why_set(why, ERR_TIMEOUT, "the warmed daemon could not save what it knows");
	out->end = (struct wall){ r->epoch.ns + r->queue.now_ns };
	r->stopped = true;
	sim_host_stop(&r->host[RUN_FLYBALL]);
	buf_init(&out->disk, IMAGE_BYTES);
	buf_init(&out->alarms, IMAGE_BYTES);
	sim_disk_save(&r->host[RUN_FLYBALL].disk, &out->disk);
	run_receiver_save(r, &out->alarms);
	if (!out->disk.err && !out->alarms.err) return OK;
	run_image_done(out);
	return ERR_NOMEM;
}

enum err run_image_make(const struct run_warm *w, const struct run_watch *watch, struct run_image *out,
                        struct why *why) {
	struct run_opts o = {
		.world = w->world, .seed = w->seed, .rate = w->rate, .mode = SCENARIO_OBSERVE, .alarms = true
	};
	struct run *r = NULL;
	int64_t length = (int64_t)(w->hours * 3600e9);
	enum err e = run_open(&o, &r, why);
	for (int64_t at = 0; !e && at < length; at += STEP_NS) {
		told(watch, (double)at / (double)length);
		if (stopped(watch)) e = why_set(why, ERR_CLOSED, "interrupted");
		if (!e && !run_until(r, at + STEP_NS))
			e = why_set(why, ERR_INVALID, "the world broke an invariant while it was warmed: %s",
			            run_invariants(r)->why);
	}
	if (!e) e = run_image_take(r, out, why);
	told(watch, 1);
	run_close(r);
	return e;
}

/* ---- keeping it ---- */

static void image_name(const char *directory, uint64_t program, const struct run_warm *w, char *out, size_t n) {
	char text[300], world[33];
	struct hash128 says = shop_world_hash(w->world);
	hex_encode(says.b, sizeof says.b, world);
	int length =
		snprintf(text, sizeof text, "%s %016llx %s %.17g %.17g %llu", FLYBALL_VERSION, (unsigned long long)program,
	             world, w->rate > 0 ? w->rate : w->world->rate, w->hours, (unsigned long long)w->seed);
	struct hash128 h = hash128((struct str){ text, (size_t)length });
	char hex[33];
	hex_encode(h.b, sizeof h.b, hex);
	snprintf(out, n, "%s/warm-%s.image", directory, hex);
}

static enum err read_image(struct disk *disk, const char *path, struct run_image *out, struct why *why) {
	struct arena a;
	struct str bytes = { 0 };
	struct dec d;
	arena_init(&a, 0);
	enum err e = disk_read_file(disk, &a, path, IMAGE_BYTES, &bytes, why);
	if (!e) e = dec_begin(&d, bytes, IMAGE_KIND, 1, NULL, why);
	if (!e) {
		out->end.ns = dec_i64(&d);
		struct str image = dec_str(&d), alarms = dec_str(&d);
		e = dec_end(&d);
		buf_init(&out->disk, IMAGE_BYTES);
		buf_init(&out->alarms, IMAGE_BYTES);
		buf_str(&out->disk, image);
		buf_str(&out->alarms, alarms);
		if (!e) e = out->disk.err ? out->disk.err : out->alarms.err;
		if (e) run_image_done(out);
	}
	arena_done(&a);
	return e;
}

static void write_image(struct disk *disk, const char *directory, const char *path, const struct run_image *i) {
	struct buf b;
	struct why why;
	buf_init(&b, IMAGE_BYTES);
	struct enc e = enc_begin(&b, IMAGE_KIND, 1);
	enc_i64(&e, i->end.ns);
	enc_str(&e, buf_get(&i->disk));
	enc_str(&e, buf_get(&i->alarms));
	enc_end(&e);
	/* A cache that cannot be written costs time the next time, and nothing else. */
	if (!b.err && disk->ops->make_dir(disk, directory) == OK) (void)disk_write_file(disk, path, buf_get(&b), &why);
	buf_done(&b);
}

/* Images of other programs and worlds that were made long before this one. */
static void forget_old(struct disk *disk, const char *directory, const char *path) {
	struct arena a;
	struct disk_entry *entries = NULL;
	size_t count = 0;
	struct wall now = { 0 }, then = { 0 };
	arena_init(&a, 0);
	if (disk->ops->mtime(disk, path, &now) || disk->ops->list(disk, directory, &a, &entries, &count)) count = 0;
	for (size_t i = 0; i < count; i++) {
		if (!str_starts(entries[i].name, STR("warm-")) || !str_ends(entries[i].name, STR(".image"))) continue;
		const char *other = str_c(&a, str_printf(&a, "%s/" STR_FMT, directory, STR_ARG(entries[i].name)));
		if (disk->ops->mtime(disk, other, &then) == OK && now.ns - then.ns > KEEP_NS)
			(void)disk->ops->remove(disk, other);
	}
	arena_done(&a);
}

enum err run_image_get(struct disk *disk, const char *directory, uint64_t program, const struct run_warm *w,
                       const struct run_watch *watch, struct run_image *out, struct why *why) {
	char path[4096];
	*out = (struct run_image){ 0 };
	image_name(directory, program, w, path, sizeof path);
	if (read_image(disk, path, out, why) == OK) return OK;
	enum err e = run_image_make(w, watch, out, why);
	if (e) return e;
	write_image(disk, directory, path, out);
	forget_old(disk, directory, path);
	return OK;
}
