#include "sim/disk.h"

#include "base/test.h"
#include "sim/memory.h"

#define PAGES 24
#define PAGE  1000 /* not a multiple of a sector: tears lie anywhere */

struct rig {
	struct sim_queue queue;
	struct sim_trace trace;
	struct sim_clock clock;
	struct sim_fuse fuse;
	struct sim_disk disk;
};

static void rig_init(struct rig *r, uint64_t seed) {
	sim_queue_init(&r->queue);
	sim_trace_init(&r->trace);
	sim_clock_init(&r->clock, &r->queue, &r->trace, (struct wall){ 1767600000 * NS_PER_SEC });
	r->fuse = (struct sim_fuse){ 0 };
	sim_disk_init(&r->disk, &r->clock, &r->trace, &r->fuse, rng_seeded(seed));
}

static void rig_done(struct rig *r) {
	sim_disk_done(&r->disk);
	sim_trace_done(&r->trace);
	sim_queue_done(&r->queue);
}

static struct file *open_file(const struct t *t, struct rig *r, const char *path, int flags) {
	struct file *f = NULL;
	struct why why;
	EXPECT_OK(r->disk.disk.ops->open(&r->disk.disk, path, flags, &f, &why));
	return f;
}

static void put(const struct t *t, struct file *f, unsigned char value, int page) {
	unsigned char bytes[PAGE];
	memset(bytes, value, sizeof bytes);
	EXPECT_OK(f->ops->write(f, bytes, sizeof bytes, (int64_t)page * PAGE));
}

/* Every byte of a page is the last synced value or one written since. */
static void check_page(const struct t *t, struct file *f, int page, unsigned char synced, const bool *since) {
	unsigned char bytes[PAGE];
	size_t got = 0;
	EXPECT_OK(f->ops->read(f, bytes, sizeof bytes, (int64_t)page * PAGE, &got));
	for (size_t i = 0; i < got; i++) EXPECT(bytes[i] == synced || since[bytes[i]] || bytes[i] == 0);
	bool touched = false;
	for (int v = 0; v < 256; v++) touched = touched || since[v];
	if (!touched && synced) EXPECT(got == sizeof bytes && bytes[0] == synced && bytes[PAGE - 1] == synced);
}

TEST(what_was_synced_survives_and_what_was_not_is_old_or_new, .seeds = 300) {
	struct rig r;
	rig_init(&r, t->seed);
	bool since[PAGES][256] = { 0 };
	unsigned char synced[PAGES] = { 0 }, last[PAGES] = { 0 };
	struct file *f = open_file(t, &r, "/data", DISK_READ | DISK_WRITE | DISK_CREATE);
	EXPECT_OK(f->ops->sync(f));
	for (int i = 0; i < 100; i++) {
		int page = (int)rng_below(&t->rng, PAGES);
		last[page] = (unsigned char)(1 + rng_below(&t->rng, 255));
		put(t, f, last[page], page);
		since[page][last[page]] = true;
		if (rng_below(&t->rng, 10)) continue;
		EXPECT_OK(f->ops->sync(f));
		memcpy(synced, last, sizeof synced);
		memset(since, 0, sizeof since);
	}
	r.fuse.blown = true; /* the dying process's last words change nothing */
	EXPECT_ERR(f->ops->write(f, "x", 1, 0), ERR_IO);
	f->ops->close(f);
	r.disk.tears = t->seed % 2;
	sim_disk_power_loss(&r.disk);
	r.fuse.blown = false;
	f = open_file(t, &r, "data", DISK_READ);
	for (int page = 0; page < PAGES; page++) check_page(t, f, page, synced[page], since[page]);
	f->ops->close(f);
	rig_done(&r);
}

TEST(tears_and_losses_do_happen) {
	struct rig r;
	rig_init(&r, 7);
	struct file *f = open_file(t, &r, "data", DISK_READ | DISK_WRITE | DISK_CREATE);
	EXPECT_OK(f->ops->sync(f));
	for (int i = 0; i < 60; i++) put(t, f, (unsigned char)(i + 1), i);
	f->ops->close(f);
	r.disk.tears = true;
	sim_disk_power_loss(&r.disk);
	EXPECT(r.disk.counts.betrayals == 0);
	EXPECT(r.disk.counts.writes_torn > 5 && r.disk.counts.writes_lost > 5);
	rig_done(&r);
}

TEST(a_rename_is_whole_after_the_power_went, .seeds = 50) {
	struct rig r;
	rig_init(&r, t->seed);
	struct disk *d = &r.disk.disk;
	EXPECT_OK(d->ops->make_dir(d, "/var/lib"));
	struct file *f = open_file(t, &r, "/var/lib/a", DISK_READ | DISK_WRITE | DISK_CREATE);
	put(t, f, 1, 0);
	EXPECT_OK(f->ops->sync(f));
	f->ops->close(f);
	EXPECT_OK(d->ops->sync_dir(d, "/var/lib"));
	f = open_file(t, &r, "/var/lib/a.new", DISK_READ | DISK_WRITE | DISK_CREATE);
	put(t, f, 2, 0);
	EXPECT_OK(f->ops->sync(f));
	f->ops->close(f);
	EXPECT_OK(d->ops->rename(d, "/var/lib/a.new", "/var/lib/a"));
	sim_disk_power_loss(&r.disk);
	f = open_file(t, &r, "/var/lib/a", DISK_READ);
	unsigned char bytes[PAGE];
	size_t got = 0;
	EXPECT_OK(f->ops->read(f, bytes, sizeof bytes, 0, &got));
	EXPECT(got == PAGE && (bytes[0] == 1 || bytes[0] == 2) && bytes[PAGE - 1] == bytes[0]);
	f->ops->close(f);
	rig_done(&r);
}

TEST(a_lying_sync_loses_what_a_true_one_would_have_kept) {
	struct rig r;
	rig_init(&r, 3);
	struct file *f = open_file(t, &r, "data", DISK_READ | DISK_WRITE | DISK_CREATE);
	EXPECT_OK(f->ops->sync(f));
	r.disk.sync_lost = 1;
	for (int i = 0; i < 40; i++) put(t, f, 9, i);
	EXPECT_OK(f->ops->sync(f));
	f->ops->close(f);
	sim_disk_power_loss(&r.disk);
	EXPECT(r.disk.counts.syncs_lost == 1 && r.disk.counts.writes_lost > 0);
	rig_done(&r);
}

TEST(a_full_or_read_only_disk_says_so) {
	struct rig r;
	rig_init(&r, 3);
	struct file *f = open_file(t, &r, "data", DISK_READ | DISK_WRITE | DISK_CREATE), *none = NULL;
	r.disk.bytes_max = PAGE;
	put(t, f, 1, 0);
	EXPECT_ERR(f->ops->write(f, "x", 1, PAGE), ERR_NOSPACE);
	EXPECT_OK(f->ops->write(f, "x", 1, 0));
	r.disk.readonly = true;
	EXPECT_ERR(f->ops->write(f, "x", 1, 0), ERR_READONLY);
	EXPECT_ERR(r.disk.disk.ops->open(&r.disk.disk, "new", DISK_WRITE | DISK_CREATE, &none, NULL), ERR_READONLY);
	EXPECT_ERR(r.disk.disk.ops->open(&r.disk.disk, "no/new", DISK_WRITE | DISK_CREATE, &none, NULL), ERR_NOT_FOUND);
	EXPECT_ERR(r.disk.disk.ops->open(&r.disk.disk, "none", DISK_READ, &none, NULL), ERR_NOT_FOUND);
	f->ops->close(f);
	rig_done(&r);
}

TEST(locks_follow_sqlites_table) {
	struct rig r;
	rig_init(&r, 3);
	struct file *a = open_file(t, &r, "data", DISK_READ | DISK_WRITE | DISK_CREATE);
	struct file *b = open_file(t, &r, "data", DISK_READ | DISK_WRITE);
	bool reserved = true;
	EXPECT_OK(a->ops->lock(a, DISK_SHARED));
	EXPECT_OK(b->ops->lock(b, DISK_SHARED));
	EXPECT_OK(a->ops->reserved(a, &reserved));
	EXPECT(!reserved);
	EXPECT_OK(a->ops->lock(a, DISK_RESERVED));
	EXPECT_ERR(b->ops->lock(b, DISK_RESERVED), ERR_BUSY);
	EXPECT_ERR(a->ops->lock(a, DISK_EXCLUSIVE_LOCK), ERR_BUSY);
	EXPECT_OK(b->ops->lock(b, DISK_UNLOCKED));
	EXPECT_OK(a->ops->lock(a, DISK_EXCLUSIVE_LOCK));
	EXPECT_ERR(b->ops->lock(b, DISK_SHARED), ERR_BUSY);
	a->ops->close(a);
	EXPECT_OK(b->ops->lock(b, DISK_EXCLUSIVE_LOCK));
	b->ops->close(b);
	rig_done(&r);
}

TEST(an_image_gives_the_same_disk_back) {
	struct rig a, b;
	rig_init(&a, 1);
	rig_init(&b, 2);
	struct buf image, again;
	buf_init(&image, 0);
	buf_init(&again, 0);
	EXPECT_OK(a.disk.disk.ops->make_dir(&a.disk.disk, "/x/y"));
	struct file *f = open_file(t, &a, "/x/y/z", DISK_READ | DISK_WRITE | DISK_CREATE);
	put(t, f, 5, 3);
	f->ops->close(f);
	sim_disk_save(&a.disk, &image);
	EXPECT_OK(sim_disk_load(&b.disk, buf_get(&image), NULL));
	sim_disk_power_loss(&b.disk); /* all of it is durable */
	sim_disk_save(&b.disk, &again);
	EXPECT(str_eq(buf_get(&image), buf_get(&again)));
	struct disk_entry *entries = NULL;
	size_t count = 0;
	EXPECT_OK(b.disk.disk.ops->list(&b.disk.disk, "/x", t->arena, &entries, &count));
	EXPECT(count == 1 && entries[0].directory && str_is(entries[0].name, "y"));
	image.p[image.n - 1] ^= 1;
	struct rig c;
	rig_init(&c, 3);
	EXPECT_ERR(sim_disk_load(&c.disk, buf_get(&image), NULL), ERR_CORRUPT);
	rig_done(&c);
	EXPECT_OK(sim_disk_export(&a.disk, "/x/y", &b.disk.disk, "/out", NULL));
	f = open_file(t, &b, "/out/z", DISK_READ);
	int64_t size = 0;
	EXPECT_OK(f->ops->size(f, &size));
	EXPECT(size == 4 * PAGE);
	f->ops->close(f);
	buf_done(&image);
	buf_done(&again);
	rig_done(&a);
	rig_done(&b);
}

RUN(what_was_synced_survives_and_what_was_not_is_old_or_new, tears_and_losses_do_happen,
    a_rename_is_whole_after_the_power_went, a_lying_sync_loses_what_a_true_one_would_have_kept,
    a_full_or_read_only_disk_says_so, locks_follow_sqlites_table, an_image_gives_the_same_disk_back)
