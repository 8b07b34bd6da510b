#include "sim/disk.h"

#include <math.h>

#include "sim/memory.h"

#define SECTOR        512
#define FILE_MAX      (INT64_C(1) << 32)
#define WRITE_NS      (4 * NS_PER_US)   /* a write to the page cache */
#define WRITE_NS_BYTE 0.5               /* 2 GB/s */
#define SYNC_NS       (400 * NS_PER_US) /* median of a sync on a cloud volume; sigma 0.6 */

struct handle {
	struct file file;
	struct sim_disk *disk;
	struct sim_inode *inode;
	struct list link; /* among the inode's handles */
	int flags;
	enum disk_lock level;
};

/* ---- bytes and names ---- */

void sim_bytes_resize(struct sim_bytes *b, size_t n) {
	if (n > b->cap) {
		b->cap = n > 2 * b->cap ? n : 2 * b->cap;
		b->p = must_grow(b->p, b->cap, 1);
	}
	if (n > b->n) memset(b->p + b->n, 0, n - b->n);
	b->n = n;
}

static void bytes_put(struct sim_bytes *b, int64_t at, const char *p, size_t n) {
	if ((size_t)at + n > b->n) sim_bytes_resize(b, (size_t)at + n);
	if (n) memcpy(b->p + at, p, n);
}

static const char *relative(const char *path) {
	while (*path == '/') path++;
	return path;
}

static struct sim_name *find(struct sim_name *names, size_t count, const char *path) {
	path = relative(path);
	size_t n = strlen(path);
	while (n && path[n - 1] == '/') n--;
	for (size_t i = 0; i < count; i++)
		if (!strncmp(names[i].path, path, n) && !names[i].path[n]) return &names[i];
	return NULL;
}

static struct sim_inode *look_up(const struct sim_disk *d, const char *path) {
	struct sim_name *name = find(d->live, d->live_count, path);
	return name ? name->inode : NULL;
}

static void name_put(struct sim_name **names, size_t *count, const char *path, struct sim_inode *inode) {
	struct sim_name *there = find(*names, *count, path);
	if (there) {
		there->inode = inode;
		return;
	}
	*names = must_grow(*names, *count + 1, sizeof **names);
	(*names)[(*count)++] = (struct sim_name){ must_copy(relative(path), strlen(relative(path))), inode };
}

static void name_drop(struct sim_name *names, size_t *count, const char *path) {
	struct sim_name *there = find(names, *count, path);
	if (!there) return;
	free(there->path);
	*there = names[--*count];
}

static struct sim_inode *inode_new(struct sim_disk *d, bool directory) {
	struct sim_inode *node = must_alloc(sizeof *node);
	node->directory = directory;
	list_init(&node->handles);
	d->inodes = must_grow(d->inodes, d->inode_count + 1, sizeof *d->inodes);
	d->inodes[d->inode_count++] = node;
	return node;
}

struct sim_inode *sim_disk_add(struct sim_disk *d, const char *path, bool directory) {
	struct sim_inode *node = inode_new(d, directory);
	name_put(&d->live, &d->live_count, path, node);
	name_put(&d->durable, &d->durable_count, path, node);
	return node;
}

/* ---- the journal of names ---- */

static void name_do(struct sim_name **names, size_t *count, const struct sim_rename *r) {
	if (r->kind == SIM_NAME_REMOVE || r->kind == SIM_NAME_MOVE) name_drop(*names, count, r->path);
	if (r->kind == SIM_NAME_ADD) name_put(names, count, r->path, r->inode);
	if (r->kind == SIM_NAME_MOVE) name_put(names, count, r->to, r->inode);
}

static void journal_add(struct sim_disk *d, enum sim_rename_kind kind, const char *path, const char *to,
                        struct sim_inode *inode) {
	struct sim_rename r = { kind, must_copy(path, strlen(path)), to ? must_copy(to, strlen(to)) : NULL, inode };
	d->journal = must_grow(d->journal, d->journal_count + 1, sizeof *d->journal);
	d->journal[d->journal_count++] = r;
	name_do(&d->live, &d->live_count, &r);
}

/* The first `n` changes of names become durable. */
static void journal_commit(struct sim_disk *d, size_t n) {
	for (size_t i = 0; i < n; i++) {
		name_do(&d->durable, &d->durable_count, &d->journal[i]);
		free(d->journal[i].path);
		free(d->journal[i].to);
	}
	d->journal_count -= n;
	if (d->journal_count) memmove(d->journal, d->journal + n, d->journal_count * sizeof *d->journal);
}

static void journal_drop(struct sim_disk *d) {
	for (size_t i = 0; i < d->journal_count; i++) {
		free(d->journal[i].path);
		free(d->journal[i].to);
	}
	d->journal_count = 0;
}

/* ---- inodes ---- */

static void pending_drop(struct sim_inode *node) {
	for (size_t i = 0; i < node->pending_count; i++) free(node->pending[i].bytes);
	node->pending_count = 0;
}

static void pending_add(struct sim_inode *node, int64_t at, const void *p, size_t n) {
	if (node->pending_count == node->pending_cap) {
		node->pending_cap = node->pending_cap ? node->pending_cap * 2 : 16;
		node->pending = must_grow(node->pending, node->pending_cap, sizeof *node->pending);
	}
	node->pending[node->pending_count++] = (struct sim_extent){ at, n, p ? must_copy(p, n) : NULL };
}

static void extent_do(struct sim_bytes *b, const struct sim_extent *x) {
	if (x->bytes)
		bytes_put(b, x->at, x->bytes, x->n);
	else
		sim_bytes_resize(b, (size_t)x->at);
}

static void inode_free(struct sim_inode *node) {
	pending_drop(node);
	free(node->pending);
	free(node->data.p);
	free(node->safe.p);
	free(node);
}

static bool named(const struct sim_name *names, size_t count, const struct sim_inode *node) {
	for (size_t i = 0; i < count; i++)
		if (names[i].inode == node) return true;
	return false;
}

/* Inodes without a name that nobody has open are gone. */
static void collect(struct sim_disk *d) {
	for (size_t i = 0; i < d->inode_count;) {
		struct sim_inode *node = d->inodes[i];
		bool wanted = node->open || named(d->live, d->live_count, node) || named(d->durable, d->durable_count, node);
		for (size_t j = 0; !wanted && j < d->journal_count; j++) wanted = d->journal[j].inode == node;
		if (wanted) {
			i++;
			continue;
		}
		inode_free(node);
		d->inodes[i] = d->inodes[--d->inode_count];
	}
}

/* ---- files ---- */

static enum err file_read(struct file *file, void *p, size_t n, int64_t at, size_t *got) {
	const struct sim_bytes *b = &((struct handle *)file)->inode->data;
	size_t start = at < 0 || (size_t)at > b->n ? b->n : (size_t)at;
	*got = n < b->n - start ? n : b->n - start;
	if (*got) memcpy(p, b->p + start, *got);
	return OK;
}

static int64_t bytes_held(const struct sim_disk *d) {
	int64_t sum = 0;
	for (size_t i = 0; i < d->inode_count; i++) sum += (int64_t)d->inodes[i]->data.n;
	return sum;
}

/* May the file change, and grow to `size`? */
static enum err may_change(struct handle *h, int64_t size) {
	struct sim_disk *d = h->disk;
	if (sim_fuse_blown(d->fuse)) return ERR_IO;
	if (d->readonly || !(h->flags & DISK_WRITE)) return ERR_READONLY;
	if (size > FILE_MAX) return ERR_TOO_LARGE;
	int64_t growth = size - (int64_t)h->inode->data.n;
	if (growth > 0 && bytes_held(d) + growth > d->bytes_max) {
		d->counts.refused_full++;
		return ERR_NOSPACE;
	}
	return OK;
}

static enum err file_write(struct file *file, const void *p, size_t n, int64_t at) {
	struct handle *h = (struct handle *)file;
	struct sim_disk *d = h->disk;
	enum err e = at < 0 ? ERR_INVALID : may_change(h, at + (int64_t)n);
	if (e) return e;
	bytes_put(&h->inode->data, at, p, n);
	pending_add(h->inode, at, p, n);
	h->inode->mtime = sim_clock_truth(d->clock, d->clock->queue->now_ns);
	d->counts.writes++;
	d->counts.bytes += (int64_t)n;
	d->busy_ns += WRITE_NS + (int64_t)(WRITE_NS_BYTE * (double)n);
	sim_trace_mix(d->trace, (uint64_t)at);
	sim_trace_bytes(d->trace, (struct str){ p, n });
	return OK;
}

static enum err file_truncate(struct file *file, int64_t size) {
	struct handle *h = (struct handle *)file;
	enum err e = size < 0 ? ERR_INVALID : may_change(h, size);
	if (e) return e;
	sim_bytes_resize(&h->inode->data, (size_t)size);
	pending_add(h->inode, size, NULL, 0);
	sim_trace_mix(h->disk->trace, (uint64_t)size);
	return OK;
}

static void sync_takes_time(struct sim_disk *d) {
	d->busy_ns += (int64_t)((double)SYNC_NS * d->slowness * exp(0.6 * rng_normal(&d->rng)));
}

/* True: the disk says yes to this sync and forgets it. */
static bool sync_is_lost(struct sim_disk *d) {
	d->counts.syncs++;
	sync_takes_time(d);
	if (d->sync_lost <= 0 || rng_unit(&d->rng) >= d->sync_lost) return false;
	d->counts.syncs_lost++;
	return true;
}

/* A new file's own sync makes its name durable too, and with it all that the journal holds before. */
static void commit_name_of(struct sim_disk *d, const struct sim_inode *node) {
	for (size_t i = d->journal_count; i > 0; i--)
		if (d->journal[i - 1].inode == node && d->journal[i - 1].kind == SIM_NAME_ADD) {
			journal_commit(d, i);
			return;
		}
}

static enum err file_sync(struct file *file) {
	struct handle *h = (struct handle *)file;
	struct sim_disk *d = h->disk;
	if (sim_fuse_blown(d->fuse)) return ERR_IO;
	sim_trace_mix(d->trace, 0x73796e63);
	if (sync_is_lost(d)) {
		h->inode->betrayed |= h->inode->pending_count > 0;
		return OK;
	}
	h->inode->betrayed = false;
	for (size_t i = 0; i < h->inode->pending_count; i++) extent_do(&h->inode->safe, &h->inode->pending[i]);
	pending_drop(h->inode);
	commit_name_of(d, h->inode);
	return OK;
}

static enum err file_size(struct file *file, int64_t *out) {
	*out = (int64_t)((struct handle *)file)->inode->data.n;
	return OK;
}

static enum disk_lock strongest_other(const struct handle *h) {
	enum disk_lock most = DISK_UNLOCKED;
	list_each(it, &h->inode->handles) {
		const struct handle *other = container_of(it, struct handle, link);
		if (other != h && other->level > most) most = other->level;
	}
	return most;
}

/* SQLite's table: readers share until one has announced itself; one alone may intend to write. */
static enum err file_lock(struct file *file, enum disk_lock level) {
	struct handle *h = (struct handle *)file;
	enum disk_lock other = strongest_other(h);
	bool busy = level > h->level && ((level == DISK_SHARED && other >= DISK_PENDING) ||
	                                 (level >= DISK_RESERVED && other >= DISK_RESERVED) ||
	                                 (level == DISK_EXCLUSIVE_LOCK && other >= DISK_SHARED));
	if (busy) return ERR_BUSY;
	h->level = level;
	return OK;
}

static enum err file_reserved(struct file *file, bool *out) {
	struct handle *h = (struct handle *)file;
	*out = h->level >= DISK_RESERVED || strongest_other(h) >= DISK_RESERVED;
	return OK;
}

static void file_close(struct file *file) {
	if (!file) return;
	struct handle *h = (struct handle *)file;
	list_remove(&h->link);
	h->inode->open--;
	collect(h->disk);
	free(h);
}

static const struct file_ops file_ops = {
	file_read, file_write, file_sync, file_truncate, file_size, file_lock, file_reserved, file_close,
};

/* ---- the directory ---- */

static bool parent_is_there(const struct sim_disk *d, const char *path) {
	const char *slash = strrchr(relative(path), '/');
	if (!slash) return true;
	char *parent = must_copy(relative(path), (size_t)(slash - relative(path)));
	struct sim_inode *node = look_up(d, parent);
	free(parent);
	return node && node->directory;
}

static enum err may_rename(struct sim_disk *d) {
	if (sim_fuse_blown(d->fuse)) return ERR_IO;
	return d->readonly ? ERR_READONLY : OK;
}

static enum err make_file(struct sim_disk *d, const char *path, struct sim_inode **out, struct why *why) {
	if (!parent_is_there(d, path)) return why_set(why, ERR_NOT_FOUND, "%s: its directory does not exist", path);
	enum err e = may_rename(d);
	if (e) return why_set(why, e, "%s: cannot be created: %s", path, err_text(e));
	*out = inode_new(d, false);
	(*out)->mtime = sim_clock_truth(d->clock, d->clock->queue->now_ns);
	journal_add(d, SIM_NAME_ADD, path, NULL, *out);
	sim_trace_bytes(d->trace, str_of(path));
	return OK;
}

static enum err disk_open(struct disk *disk, const char *path, int flags, struct file **out, struct why *why) {
	struct sim_disk *d = (struct sim_disk *)disk;
	struct sim_inode *node = look_up(d, path);
	if (node && (flags & DISK_CREATE) && (flags & DISK_EXCLUSIVE))
		return why_set(why, ERR_EXISTS, "%s: is there already", path);
	if (node && node->directory) return why_set(why, ERR_INVALID, "%s: is a directory", path);
	if (!node && !(flags & DISK_CREATE)) return why_set(why, ERR_NOT_FOUND, "%s: no such file", path);
	if (node && d->readonly && (flags & DISK_WRITE))
		return why_set(why, ERR_READONLY, "%s: the file system is read-only", path);
	if (!node) {
		enum err e = make_file(d, path, &node, why);
		if (e) return e;
	}
	struct handle *h = must_alloc(sizeof *h);
	*h = (struct handle){ { &file_ops }, d, node, { NULL, NULL }, flags, DISK_UNLOCKED };
	list_push(&node->handles, &h->link);
	node->open++;
	*out = &h->file;
	return OK;
}

static enum err disk_remove(struct disk *disk, const char *path) {
	struct sim_disk *d = (struct sim_disk *)disk;
	struct sim_inode *node = look_up(d, path);
	enum err e = node ? may_rename(d) : ERR_NOT_FOUND;
	if (e) return e;
	journal_add(d, SIM_NAME_REMOVE, path, NULL, node);
	sim_trace_bytes(d->trace, str_of(path));
	return OK;
}

static enum err disk_rename(struct disk *disk, const char *from, const char *to) {
	struct sim_disk *d = (struct sim_disk *)disk;
	struct sim_inode *node = look_up(d, from);
	enum err e = node && parent_is_there(d, to) ? may_rename(d) : ERR_NOT_FOUND;
	if (e) return e;
	journal_add(d, SIM_NAME_MOVE, from, to, node);
	sim_trace_bytes(d->trace, str_of(to));
	return OK;
}

static enum err disk_exists(struct disk *disk, const char *path, bool *out) {
	*out = !*relative(path) || look_up((struct sim_disk *)disk, path);
	return OK;
}

static enum err disk_sync_dir(struct disk *disk, const char *path) {
	struct sim_disk *d = (struct sim_disk *)disk;
	(void)path;
	if (sim_fuse_blown(d->fuse)) return ERR_IO;
	if (sync_is_lost(d)) {
		d->names_betrayed |= d->journal_count > 0;
		return OK;
	}
	d->names_betrayed = false;
	journal_commit(d, d->journal_count);
	return OK;
}

static enum err disk_make_dir(struct disk *disk, const char *path) {
	struct sim_disk *d = (struct sim_disk *)disk;
	path = relative(path);
	for (size_t n = 1; *path && n <= strlen(path); n++) {
		if (path[n] && path[n] != '/') continue;
		char *prefix = must_copy(path, n);
		struct sim_inode *node = look_up(d, prefix);
		enum err e = node ? (node->directory ? OK : ERR_EXISTS) : may_rename(d);
		if (!e && !node) journal_add(d, SIM_NAME_ADD, prefix, NULL, inode_new(d, true));
		free(prefix);
		if (e) return e;
	}
	return OK;
}

static int by_name(const void *a, const void *b) {
	return str_cmp(((const struct disk_entry *)a)->name, ((const struct disk_entry *)b)->name);
}

/* The name's part below `dir`, when it lies directly in it. */
static struct str entry_of(const char *path, const char *dir) {
	size_t n = strlen(dir);
	while (n && dir[n - 1] == '/') n--;
	if (n && (strncmp(path, dir, n) || path[n] != '/')) return (struct str){ NULL, 0 };
	const char *rest = path + n + (n ? 1 : 0);
	return *rest && !strchr(rest, '/') ? str_of(rest) : (struct str){ NULL, 0 };
}

static enum err disk_list(struct disk *disk, const char *path, struct arena *a, struct disk_entry **out,
                          size_t *count) {
	struct sim_disk *d = (struct sim_disk *)disk;
	struct sim_inode *dir = look_up(d, path);
	if (*relative(path) && (!dir || !dir->directory)) return ERR_NOT_FOUND;
	*out = arena_array(a, struct disk_entry, d->live_count ? d->live_count : 1);
	if (!*out) return ERR_NOMEM;
	*count = 0;
	for (size_t i = 0; i < d->live_count; i++) {
		struct str name = entry_of(d->live[i].path, relative(path));
		if (name.n) (*out)[(*count)++] = (struct disk_entry){ str_copy(a, name), d->live[i].inode->directory };
	}
	qsort(*out, *count, sizeof **out, by_name);
	return OK;
}

static enum err disk_mtime(struct disk *disk, const char *path, struct wall *out) {
	struct sim_inode *node = look_up((struct sim_disk *)disk, path);
	if (!node) return ERR_NOT_FOUND;
	*out = node->mtime;
	return OK;
}

static const struct disk_ops disk_ops = {
	disk_open, disk_remove, disk_rename, disk_exists, disk_sync_dir, disk_make_dir, disk_list, disk_mtime,
};

void sim_disk_init(struct sim_disk *d, struct sim_clock *clock, struct sim_trace *trace, struct sim_fuse *fuse,
                   struct rng rng) {
	*d = (struct sim_disk){ .disk = { &disk_ops }, .clock = clock, .trace = trace, .fuse = fuse, .rng = rng };
	d->bytes_max = INT64_C(1) << 40;
	d->slowness = 1;
}

static void names_drop(struct sim_name *names, size_t count) {
	for (size_t i = 0; i < count; i++) free(names[i].path);
	free(names);
}

void sim_disk_done(struct sim_disk *d) {
	if (!d) return;
	journal_drop(d);
	names_drop(d->live, d->live_count);
	names_drop(d->durable, d->durable_count);
	for (size_t i = 0; i < d->inode_count; i++) inode_free(d->inodes[i]);
	free(d->journal);
	free(d->inodes);
	*d = (struct sim_disk){ 0 };
}

/* ---- losing power ---- */

/* A write that was not synced: whole, gone, or some of its sectors. */
static void maybe_extent(struct sim_disk *d, struct sim_bytes *b, const struct sim_extent *x) {
	int64_t fate = rng_below(&d->rng, d->tears ? 3 : 2);
	if (fate == 0) {
		d->counts.writes_lost++;
		return;
	}
	if (fate == 1 || !x->bytes) {
		extent_do(b, x);
		return;
	}
	d->counts.writes_torn++;
	for (size_t done = 0; done < x->n;) {
		size_t n = SECTOR - (size_t)(x->at + (int64_t)done) % SECTOR;
		if (n > x->n - done) n = x->n - done;
		if (rng_below(&d->rng, 2)) bytes_put(b, x->at + (int64_t)done, x->bytes + done, n);
		done += n;
	}
}

static void inode_power_loss(struct sim_disk *d, struct sim_inode *node) {
	assert(!node->open && "files are closed before the power goes");
	for (size_t i = 0; i < node->pending_count; i++) maybe_extent(d, &node->safe, &node->pending[i]);
	pending_drop(node);
	d->counts.betrayals += node->betrayed;
	node->betrayed = false;
	sim_bytes_resize(&node->data, node->safe.n);
	if (node->safe.n) memcpy(node->data.p, node->safe.p, node->safe.n);
}

void sim_disk_power_loss(struct sim_disk *d) {
	d->counts.betrayals += d->names_betrayed;
	d->names_betrayed = false;
	journal_commit(d, (size_t)rng_below(&d->rng, (int64_t)d->journal_count + 1));
	journal_drop(d);
	for (size_t i = 0; i < d->inode_count; i++) inode_power_loss(d, d->inodes[i]);
	names_drop(d->live, d->live_count);
	d->live = NULL;
	d->live_count = 0;
	for (size_t i = 0; i < d->durable_count; i++)
		name_put(&d->live, &d->live_count, d->durable[i].path, d->durable[i].inode);
	collect(d);
}
