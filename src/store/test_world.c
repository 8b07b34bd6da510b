#include "store/test_world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"

#define SECTOR 512

/* What a file was asked since its last sync: each part of it may be lost alone. */
struct change {
	struct list link;
	int64_t at; /* of a write; the size of a truncation */
	bool truncate;
	size_t n;
	char bytes[];
};

struct node {
	struct buf now, synced;
	struct list changes;
	bool removed; /* now; `durable` says whether it comes back */
	bool durable; /* its name is on the disk */
	int opened;
	int shared; /* how many hold SHARED or more */
	struct mem_file *reserved, *exclusive;
};

struct mem_file {
	struct file file;
	struct test_disk *disk;
	struct node *node;
	bool writes;
	enum disk_lock level;
};

static struct test_disk *disk_of(struct disk *d) {
	return container_of(d, struct test_disk, disk);
}

static struct mem_file *file_of(struct file *f) {
	return container_of(f, struct mem_file, file);
}

/* ---- faults ---- */

/* Before each operation that changes something. */
static enum err operation(struct test_disk *d) {
	if (d->crashed) return ERR_IO;
	d->operations++;
	if (d->crash_at && d->operations >= d->crash_at) {
		d->crashed = true;
		return ERR_IO;
	}
	if (d->readonly) return ERR_READONLY;
	bool fails = d->fail_at && d->operations >= d->fail_at;
	if (fails && (!d->fail_count || d->operations < d->fail_at + d->fail_count)) return d->fail_with;
	return OK;
}

static void resize(struct buf *b, size_t n) {
	if (n > b->n) {
		char *p = buf_room(b, n - b->n);
		assert(p);
		memset(p, 0, n - b->n);
	}
	b->n = n;
}

static void write_to(struct buf *b, const char *p, size_t n, int64_t at) {
	if ((size_t)at + n > b->n) resize(b, (size_t)at + n);
	if (n) memcpy(b->p + at, p, n);
}

static void apply(struct buf *b, const struct change *c, size_t n) {
	if (c->truncate)
		resize(b, (size_t)c->at);
	else if (n)
		write_to(b, c->bytes, n, c->at);
}

static void remember(struct node *node, const void *p, size_t n, int64_t at, bool truncate) {
	struct change *c = calloc(1, sizeof *c + n);
	assert(c);
	c->at = at;
	c->n = n;
	c->truncate = truncate;
	if (n) memcpy(c->bytes, p, n);
	list_push(&node->changes, &c->link);
}

static void forget(struct node *node) {
	for (struct list *l; (l = list_shift(&node->changes));) free(container_of(l, struct change, link));
}

static int64_t bytes_used(const struct test_disk *d) {
	int64_t sum = 0;
	void *v;
	for (size_t i = 0; map_next(&d->files, &i, NULL, &v);) sum += (int64_t)((struct node *)v)->now.n;
	return sum;
}

/* ---- a file ---- */

static enum err f_read(struct file *f, void *p, size_t n, int64_t at, size_t *got) {
	struct mem_file *m = file_of(f);
	if (m->disk->crashed) return ERR_IO;
	const struct buf *b = &m->node->now;
	*got = 0;
	if (at >= (int64_t)b->n) return OK;
	*got = b->n - (size_t)at < n ? b->n - (size_t)at : n;
	memcpy(p, b->p + at, *got);
	return OK;
}

static enum err f_write(struct file *f, const void *p, size_t n, int64_t at) {
	struct mem_file *m = file_of(f);
	struct test_disk *d = m->disk;
	bool was = d->crashed;
	enum err e = m->writes ? operation(d) : ERR_READONLY;
	if (d->crashed && !was) remember(m->node, p, n, at, false); /* on its way when the power went */
	if (e) return e;
	int64_t grows = at + (int64_t)n - (int64_t)m->node->now.n;
	if (d->space && grows > 0 && bytes_used(d) + grows > d->space) return ERR_NOSPACE;
	write_to(&m->node->now, p, n, at);
	remember(m->node, p, n, at, false);
	return OK;
}

static enum err f_sync(struct file *f) {
	struct mem_file *m = file_of(f);
	enum err e = operation(m->disk);
	if (e) return e;
	list_each(l, &m->node->changes) {
		const struct change *c = container_of(l, struct change, link);
		apply(&m->node->synced, c, c->n);
	}
	forget(m->node);
	return OK;
}

static enum err f_truncate(struct file *f, int64_t size) {
	struct mem_file *m = file_of(f);
	enum err e = m->writes ? operation(m->disk) : ERR_READONLY;
	if (e) return e;
	resize(&m->node->now, (size_t)size);
	remember(m->node, NULL, 0, size, true);
	return OK;
}

static enum err f_size(struct file *f, int64_t *out) {
	*out = (int64_t)file_of(f)->node->now.n;
	return OK;
}

static enum err f_lock(struct file *f, enum disk_lock level) {
	struct mem_file *m = file_of(f);
	struct node *n = m->node;
	if (level > DISK_SHARED && n->reserved && n->reserved != m) return ERR_BUSY;
	if (level >= DISK_SHARED && n->exclusive && n->exclusive != m) return ERR_BUSY;
	if (level == DISK_EXCLUSIVE_LOCK && n->shared > (m->level >= DISK_SHARED)) return ERR_BUSY;
	n->shared += (level >= DISK_SHARED) - (m->level >= DISK_SHARED);
	if (level >= DISK_RESERVED) n->reserved = m;
	if (level < DISK_RESERVED && n->reserved == m) n->reserved = NULL;
	if (level >= DISK_PENDING) n->exclusive = m;
	if (level < DISK_PENDING && n->exclusive == m) n->exclusive = NULL;
	m->level = level;
	return OK;
}

static enum err f_reserved(struct file *f, bool *out) {
	*out = file_of(f)->node->reserved != NULL;
	return OK;
}

static void f_close(struct file *f) {
	struct mem_file *m = file_of(f);
	(void)f_lock(f, DISK_UNLOCKED);
	m->node->opened--;
	free(m);
}

static const struct file_ops file_ops = {
	f_read, f_write, f_sync, f_truncate, f_size, f_lock, f_reserved, f_close,
};

/* ---- the disk ---- */

static struct node *node_at(struct disk *d, const char *path) {
	struct node *n = map_get(&disk_of(d)->files, str_of(path));
	return n && !n->removed ? n : NULL;
}

static struct node *node_make(struct test_disk *d, const char *path) {
	struct node *n = map_get(&d->files, str_of(path));
	if (!n) {
		n = calloc(1, sizeof *n);
		assert(n);
		list_init(&n->changes);
		enum err e = map_put(&d->files, str_of(path), n, NULL);
		assert(!e);
	}
	n->removed = false;
	return n;
}

static enum err d_open(struct disk *disk, const char *path, int flags, struct file **out, struct why *why) {
	struct test_disk *d = disk_of(disk);
	struct node *n = node_at(disk, path);
	if (d->crashed) return ERR_IO;
	if (n && flags & DISK_EXCLUSIVE) return why_set(why, ERR_EXISTS, "%s exists", path);
	if (d->readonly && flags & (DISK_WRITE | DISK_CREATE)) return why_set(why, ERR_READONLY, "%s is read-only", path);
	if (!n) {
		if (!(flags & DISK_CREATE)) return why_set(why, ERR_NOT_FOUND, "%s is not there", path);
		enum err e = operation(d);
		if (e) return why_set(why, e, "%s cannot be made: %s", path, err_text(e));
		n = node_make(d, path);
	}
	struct mem_file *m = calloc(1, sizeof *m);
	assert(m);
	*m = (struct mem_file){ { &file_ops }, d, n, flags & DISK_WRITE, DISK_UNLOCKED };
	n->opened++;
	*out = &m->file;
	return OK;
}

static enum err d_remove(struct disk *disk, const char *path) {
	struct node *n = node_at(disk, path);
	if (!n) return ERR_NOT_FOUND;
	enum err e = operation(disk_of(disk));
	if (e) return e;
	n->removed = true;
	n->now.n = 0;
	remember(n, NULL, 0, 0, true);
	return OK;
}

static enum err d_rename(struct disk *disk, const char *from, const char *to) {
	(void)disk, (void)from, (void)to;
	return ERR_UNSUPPORTED;
}

static enum err d_exists(struct disk *disk, const char *path, bool *out) {
	*out = node_at(disk, path) != NULL;
	return disk_of(disk)->crashed ? ERR_IO : OK;
}

static enum err d_sync_dir(struct disk *disk, const char *path) {
	(void)path; /* one directory is enough here */
	struct test_disk *d = disk_of(disk);
	enum err e = operation(d);
	if (e) return e;
	void *v;
	for (size_t i = 0; map_next(&d->files, &i, NULL, &v);) ((struct node *)v)->durable = !((struct node *)v)->removed;
	return OK;
}

static enum err d_make_dir(struct disk *disk, const char *path) {
	(void)path;
	return disk_of(disk)->readonly ? ERR_READONLY : OK;
}

static enum err d_list(struct disk *d, const char *path, struct arena *a, struct disk_entry **out, size_t *count) {
	(void)d, (void)path, (void)a, (void)out, (void)count;
	return ERR_UNSUPPORTED;
}

static enum err d_mtime(struct disk *d, const char *path, struct wall *out) {
	(void)d, (void)path, (void)out;
	return ERR_UNSUPPORTED;
}

static const struct disk_ops disk_ops = {
	d_open, d_remove, d_rename, d_exists, d_sync_dir, d_make_dir, d_list, d_mtime,
};

/* ---- lanes ---- */

struct test_lane {
	struct lane lane;
	struct test_world *world;
	struct job *waiting[8];
	size_t count, depth;
};

static enum err l_submit(struct lane *l, struct job *j) {
	struct test_lane *t = container_of(l, struct test_lane, lane);
	if (t->count == t->depth) return ERR_FULL;
	t->waiting[t->count++] = j;
	return OK;
}

static struct job *l_poll(struct lane *l) {
	struct test_lane *t = container_of(l, struct test_lane, lane);
	if (t->world->stalled || !t->count) return NULL;
	struct job *j = t->waiting[0];
	t->count--;
	memmove(t->waiting, t->waiting + 1, t->count * sizeof *t->waiting);
	j->run(j);
	return j;
}

static void l_close(struct lane *l, void (*drop)(struct job *)) {
	struct test_lane *t = container_of(l, struct test_lane, lane);
	for (size_t i = 0; drop && i < t->count; i++) drop(t->waiting[i]);
	t->world->lanes--;
	free(t);
}

static const struct lane_ops lane_ops = { l_submit, l_poll, l_close };

static enum err j_lane(struct jobs *j, const char *name, size_t depth, struct lane **out) {
	struct test_world *w = container_of(j, struct test_world, jobs);
	(void)name;
	struct test_lane *t = calloc(1, sizeof *t);
	assert(t && depth >= 1 && depth <= 8);
	*t = (struct test_lane){ .lane.ops = &lane_ops, .world = w, .depth = depth };
	w->lanes++;
	*out = &t->lane;
	return OK;
}

/* ---- the world ---- */

static bool w_fault(struct world *world, const char *name) {
	struct test_world *w = container_of(world, struct test_world, world);
	if (!w->fault || strcmp(w->fault, name) != 0) return false;
	return !w->fault_share || rng_below(&w->fault_rng, w->fault_share) == 0;
}

static void no_log(struct log *l, enum log_level level, const char *event, struct str fields) {
	(void)l, (void)level, (void)event, (void)fields;
}

void test_world_init(struct test_world *w, uint64_t seed) {
	*w = (struct test_world){ 0 };
	fake_clock_init(&w->clock, (struct wall){ INT64_C(1767607392250000000) });
	map_init(&w->disk.files, 0);
	w->disk.disk.ops = &disk_ops;
	w->disk.rng = rng_seeded(seed ^ 0x6469736b);
	w->fault_rng = rng_seeded(seed ^ 0x6661756c);
	w->jobs.lane = j_lane;
	w->log = (struct log){ no_log, LOG_ERROR };
	w->world = (struct world){
		.clock = &w->clock.clock,
		.disk = &w->disk.disk,
		.jobs = &w->jobs,
		.log = &w->log,
		.rng = rng_seeded(seed),
		.fault = w_fault,
	};
}

void test_world_done(struct test_world *w) {
	void *v;
	assert(w->lanes == 0);
	for (size_t i = 0; map_next(&w->disk.files, &i, NULL, &v);) {
		struct node *n = v;
		assert(n->opened == 0);
		forget(n);
		buf_done(&n->now);
		buf_done(&n->synced);
		free(n);
	}
	map_done(&w->disk.files);
}

/* Each change since the last sync is there, not there, or there in its first sectors. */
static void settle(struct test_disk *d, struct node *n) {
	list_each(l, &n->changes) {
		const struct change *c = container_of(l, struct change, link);
		int64_t fate = rng_below(&d->rng, 3);
		size_t sectors = c->n / SECTOR, some = (size_t)rng_below(&d->rng, (int64_t)sectors + 1) * SECTOR;
		if (fate) apply(&n->synced, c, fate == 1 ? c->n : some);
	}
	forget(n);
	n->now.n = 0;
	write_to(&n->now, n->synced.p, n->synced.n, 0);
	if (n->durable == n->removed) n->removed = rng_below(&d->rng, 2);
	n->durable = !n->removed;
}

void test_world_crash(struct test_world *w) {
	void *v;
	for (size_t i = 0; map_next(&w->disk.files, &i, NULL, &v);) {
		assert(((struct node *)v)->opened == 0);
		settle(&w->disk, v);
	}
	w->disk.crashed = false;
	w->disk.crash_at = 0;
	w->disk.fail_at = 0;
}

void test_world_damage(struct test_world *w, const char *path, int64_t at) {
	struct node *n = node_at(&w->disk.disk, path);
	assert(n && at < (int64_t)n->now.n && list_empty(&n->changes));
	n->now.p[at] ^= 1;
	n->synced.p[at] ^= 1;
}
