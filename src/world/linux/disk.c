#include "world/linux/disk.h"

#include "base/list.h"
#include "world/linux/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_linux {
	struct disk disk;
	int root; /* AT_FDCWD: the whole file system */
};

static struct disk_linux *self(struct disk *d) {
	return container_of(d, struct disk_linux, disk);
}

static bool climbs(const char *path) {
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') return true;
		p += n;
		p += strspn(p, "/");
	}
	return false;
}

/* The path as the system shall see it, or NULL with errno where it would leave the root. */
static const char *within(struct disk_linux *d, const char *path) {
	if (d->root == AT_FDCWD) return path;
	if (climbs(path)) {
		errno = EACCES;
		return NULL;
	}
	path += strspn(path, "/");
	return *path ? path : ".";
}

static enum err open_why(struct why *why, int number, const char *path, int flags) {
	const char *do_what = flags & DISK_CREATE ? "create" : flags & DISK_WRITE ? "write" : "read";
	enum err e = sys_err(number);
	const char *hint = e == ERR_DENIED      ? "; run as its owner, or change its mode"
	                   : e == ERR_READONLY  ? "; name a path on a writable file system"
	                   : e == ERR_NOSPACE   ? "; free some space, or name another path"
	                   : e == ERR_NOT_FOUND ? flags & DISK_CREATE ? "; create its directory first" : "; check the path"
	                   : number == ELOOP    ? " (it is a symbolic link)"
	                   : e == ERR_FULL      ? "; raise the limit on open files (ulimit -n)"
	                                        : "";
	return why_set(why, e, "cannot %s '%s': %s%s", do_what, path, sys_text(number), hint);
}

static int open_flags(int flags) {
	int f = O_CLOEXEC | O_NOCTTY;
	f |= flags & DISK_WRITE ? O_RDWR | O_NOFOLLOW : O_RDONLY;
	f |= flags & DISK_CREATE ? O_CREAT : 0;
	f |= flags & DISK_EXCLUSIVE ? O_EXCL : 0;
	return f;
}

static enum err linux_open(struct disk *d, const char *path, int flags, struct file **out, struct why *why) {
	const char *p = within(self(d), path);
	if (!p) return open_why(why, errno, path, flags);
	int fd;
	do { fd = openat(self(d)->root, p, open_flags(flags), 0600); } while (fd < 0 && errno == EINTR);
	if (fd < 0) return open_why(why, errno, path, flags);

	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return open_why(why, EISDIR, path, flags);
	}
	enum err e = disk_linux_file(fd, out);
	return e ? why_set(why, e, "cannot open '%s': %s", path, err_text(e)) : OK;
}

static enum err linux_remove(struct disk *d, const char *path) {
	const char *p = within(self(d), path);
	return p && unlinkat(self(d)->root, p, 0) == 0 ? OK : sys_err(errno);
}

static enum err linux_rename(struct disk *d, const char *from, const char *to) {
	const char *a = within(self(d), from), *b = within(self(d), to);
	return a && b && renameat(self(d)->root, a, self(d)->root, b) == 0 ? OK : sys_err(errno);
}

static enum err linux_exists(struct disk *d, const char *path, bool *out) {
	const char *p = within(self(d), path);
	struct stat st;
	bool there = p && fstatat(self(d)->root, p, &st, 0) == 0;
	if (!there && errno != ENOENT && errno != ENOTDIR) return sys_err(errno);
	*out = there;
	return OK;
}

static int open_dir(struct disk_linux *d, const char *path) {
	const char *p = within(d, path);
	return p ? openat(d->root, p, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static enum err linux_sync_dir(struct disk *d, const char *path) {
	int fd = open_dir(self(d), path);
	if (fd < 0) return sys_err(errno);
	/* File systems that cannot sync a directory say EINVAL; there is nothing more to do there. */
	enum err e = fsync(fd) == 0 || errno == EINVAL ? OK : sys_err(errno);
	close(fd);
	return e;
}

static enum err make_one(struct disk_linux *d, const char *path) {
	if (mkdirat(d->root, path, 0700) == 0 || errno == EEXIST) return OK;
	return sys_err(errno);
}

static enum err linux_make_dir(struct disk *d, const char *path) {
	const char *p = within(self(d), path);
	if (!p) return sys_err(errno);
	char so_far[4096];
	size_t n = strlen(p);
	if (n >= sizeof so_far) return ERR_INVALID;
	memcpy(so_far, p, n + 1);

	for (char *slash = so_far; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		enum err e = make_one(self(d), so_far);
		/* A parent that stands already may lie where we may not write. */
		if (e && e != ERR_READONLY && e != ERR_DENIED) return e;
		*slash = '/';
	}
	enum err e = make_one(self(d), so_far);
	if (e) return e;
	struct stat st;
	if (fstatat(self(d)->root, so_far, &st, 0) != 0) return sys_err(errno);
	return S_ISDIR(st.st_mode) ? OK : ERR_INVALID;
}

static bool is_directory(int dir, const struct dirent *e) {
	if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK) return e->d_type == DT_DIR;
	struct stat st;
	return fstatat(dir, e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int by_name(const void *a, const void *b) {
	const struct disk_entry *x = a, *y = b;
	return str_cmp(x->name, y->name);
}

static bool is_dots(const char *name) {
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Collects into a growing array, then moves it into the arena in one piece. */
static enum err read_entries(DIR *dir, struct arena *a, struct buf *all) {
	errno = 0;
	for (struct dirent *e; (e = readdir(dir)); errno = 0) {
		if (is_dots(e->d_name)) continue;
		struct disk_entry entry = { .name = str_copy(a, str_of(e->d_name)), .directory = is_directory(dirfd(dir), e) };
		if (!entry.name.p) return ERR_NOMEM;
		buf_add(all, &entry, sizeof entry);
	}
	return errno ? sys_err(errno) : all->err;
}

static enum err linux_list(struct disk *d, const char *path, struct arena *a, struct disk_entry **out, size_t *count) {
	int fd = open_dir(self(d), path);
	if (fd < 0) return sys_err(errno);
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return ERR_NOMEM;
	}
	struct buf all;
	buf_init(&all, 0);
	enum err e = read_entries(dir, a, &all);
	size_t n = all.n / sizeof(struct disk_entry);
	struct disk_entry *entries = e ? NULL : arena_array(a, struct disk_entry, n ? n : 1);
	if (!e && !entries) e = ERR_NOMEM;
	if (!e) {
		if (n) memcpy(entries, all.p, all.n);
		qsort(entries, n, sizeof *entries, by_name);
		*out = entries;
		*count = n;
	}
	buf_done(&all);
	closedir(dir);
	return e;
}

static enum err linux_mtime(struct disk *d, const char *path, struct wall *out) {
	const char *p = within(self(d), path);
	struct stat st;
	if (!p || fstatat(self(d)->root, p, &st, 0) != 0) return sys_err(errno);
	out->ns = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
	return OK;
}

static const struct disk_ops ops = {
	.open = linux_open,
	.remove = linux_remove,
	.rename = linux_rename,
	.exists = linux_exists,
	.sync_dir = linux_sync_dir,
	.make_dir = linux_make_dir,
	.list = linux_list,
	.mtime = linux_mtime,
};

enum err disk_linux_open(const char *root, struct disk **out, struct why *why) {
	struct disk_linux *d = calloc(1, sizeof *d);
	if (!d) return why_set(why, ERR_NOMEM, "no memory to open '%s'", root);
	d->disk.ops = &ops;
	d->root = strcmp(root, "/") == 0 ? AT_FDCWD : open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->root == -1) {
		enum err e = open_why(why, errno, root, DISK_READ);
		free(d);
		return e;
	}
	*out = &d->disk;
	return OK;
}

void disk_linux_close(struct disk *d) {
	if (!d) return;
	if (self(d)->root != AT_FDCWD) close(self(d)->root);
	free(self(d));
}
