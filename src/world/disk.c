#include "world/disk.h"

#include <string.h>

#define PATH_ROOM 4096

static enum err read_all(struct file *f, struct arena *a, size_t max, struct str *out) {
	int64_t size = 0;
	enum err e = f->ops->size(f, &size);
	if (e) return e;
	/* Files of /proc say 0 and pipes know no size: one byte more than `max` tells whether it fits. */
	struct buf all;
	buf_init(&all, max + 1);
	for (size_t got = 1; got && all.n <= max;) {
		size_t left = max + 1 - all.n, step = size > (int64_t)all.n ? (size_t)size - all.n + 1 : (size_t)64 << 10;
		char *room = buf_room(&all, step < left ? step : left);
		if (!room) {
			e = ERR_NOMEM;
			break;
		}
		e = f->ops->read(f, room, step < left ? step : left, (int64_t)all.n, &got);
		if (e) break;
		all.n += got;
	}
	if (!e && all.n > max) e = ERR_TOO_LARGE;
	if (!e) {
		char *p = arena_copy(a, all.p, all.n);
		if (p) *out = (struct str){ p, all.n };
		if (!p) e = ERR_NOMEM;
	}
	buf_done(&all);
	return e;
}

enum err disk_read_file(struct disk *d, struct arena *a, const char *path, size_t max, struct str *out,
                        struct why *why) {
	struct file *f = NULL;
	enum err e = d->ops->open(d, path, DISK_READ, &f, why);
	if (e) return e;
	e = read_all(f, a, max, out);
	f->ops->close(f);
	if (e == ERR_TOO_LARGE)
		return why_set(why, e, "'%s' is larger than the %zu bytes that are allowed here", path, max);
	if (e) return why_set(why, e, "cannot read '%s': %s", path, err_text(e));
	return OK;
}

static enum err write_synced(struct disk *d, const char *path, struct str bytes, struct why *why) {
	struct file *f = NULL;
	enum err e = d->ops->open(d, path, DISK_READ | DISK_WRITE | DISK_CREATE, &f, why);
	if (e) return e;
	e = f->ops->truncate(f, 0);
	if (!e) e = f->ops->write(f, bytes.p, bytes.n, 0);
	if (!e) e = f->ops->sync(f);
	f->ops->close(f);
	if (e == ERR_NOSPACE)
		return why_set(why, e, "no space left for '%s' (%zu bytes); free some or name another path", path, bytes.n);
	if (e) return why_set(why, e, "cannot write '%s': %s", path, err_text(e));
	return OK;
}

/* The directory that holds `path`: "." or "/" where it names none. */
static void parent_of(const char *path, char out[PATH_ROOM]) {
	const char *slash = strrchr(path, '/');
	size_t n = !slash || slash == path ? 1 : (size_t)(slash - path);
	memcpy(out, slash ? path : ".", n);
	out[n] = '\0';
}

enum err disk_write_file(struct disk *d, const char *path, struct str bytes, struct why *why) {
	char beside[PATH_ROOM], parent[PATH_ROOM];
	size_t n = strlen(path);
	if (n + sizeof ".new" > sizeof beside) return why_set(why, ERR_INVALID, "a path of %zu bytes is too long", n);
	memcpy(beside, path, n);
	memcpy(beside + n, ".new", sizeof ".new");
	parent_of(path, parent);

	enum err e = write_synced(d, beside, bytes, why);
	if (!e) {
		e = d->ops->rename(d, beside, path);
		if (!e) e = d->ops->sync_dir(d, parent);
		if (e) why_set(why, e, "cannot put '%s' in its place: %s", path, err_text(e));
	}
	/* What was written halfway would only confuse; that it cannot be removed changes nothing. */
	if (e) (void)d->ops->remove(d, beside);
	return e;
}
