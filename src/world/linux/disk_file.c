#include "world/linux/disk.h"

#include "base/list.h"
#include "world/linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* SQLite's lock bytes (its sqlite3 files format, "PENDING_BYTE"), so that the sqlite3 command and every
 * other user of the library keep out of a file that we hold. They lie at 1 GiB, where no page is. */
#define PENDING_AT  0x40000000
#define RESERVED_AT (PENDING_AT + 1)
#define SHARED_AT   (PENDING_AT + 2)
#define SHARED_SIZE 510

struct file_linux {
	struct file file;
	int fd;
	enum disk_lock held;
	enum err sync_failed; /* pages that a failed sync dropped are lost: it never succeeds again */
	int64_t piped;        /* bytes read of what cannot seek */
};

static struct file_linux *self(struct file *f) {
	return container_of(f, struct file_linux, file);
}

static ssize_t read_some(struct file_linux *f, char *p, size_t n, int64_t at) {
	ssize_t got;
	do {
		got = pread(f->fd, p, n, at);
		if (got < 0 && errno == ESPIPE && at == f->piped) {
			got = read(f->fd, p, n);
			if (got > 0) f->piped += got;
		}
	} while (got < 0 && errno == EINTR);
	return got;
}

static enum err file_read(struct file *f, void *p, size_t n, int64_t at, size_t *got) {
	size_t done = 0;
	while (done < n) {
		ssize_t some = read_some(self(f), (char *)p + done, n - done, at + (int64_t)done);
		if (some < 0) return sys_err(errno);
		if (some == 0) break;
		done += (size_t)some;
	}
	*got = done;
	return OK;
}

static enum err file_write(struct file *f, const void *p, size_t n, int64_t at) {
	for (size_t done = 0; done < n;) {
		ssize_t some = pwrite(self(f)->fd, (const char *)p + done, n - done, at + (int64_t)done);
		if (some < 0 && errno == EINTR) continue;
		if (some < 0) return sys_err(errno);
		if (some == 0) return ERR_NOSPACE; /* as os_unix.c of SQLite reads it */
		done += (size_t)some;
	}
	return OK;
}

static enum err file_sync(struct file *f) {
	if (self(f)->sync_failed) return self(f)->sync_failed;
	int failed;
	do { failed = fdatasync(self(f)->fd); } while (failed && errno == EINTR);
	if (failed)
		self(f)->sync_failed = errno == EROFS                       ? ERR_READONLY
		                       : errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE
		                                                            : ERR_IO;
	return self(f)->sync_failed;
}

static enum err file_truncate(struct file *f, int64_t size) {
	int failed;
	do { failed = ftruncate(self(f)->fd, size); } while (failed && errno == EINTR);
	return failed ? sys_err(errno) : OK;
}

static enum err file_size(struct file *f, int64_t *out) {
	struct stat st;
	if (fstat(self(f)->fd, &st) != 0) return sys_err(errno);
	*out = S_ISREG(st.st_mode) ? st.st_size : 0;
	return OK;
}

/* Locks of the open file description, not of the process: two opens in one process keep each other out,
 * and closing one leaves the other's. */
static enum err set(struct file_linux *f, short type, off_t at, off_t n) {
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = n };
	int failed;
	do { failed = fcntl(f->fd, F_OFD_SETLK, &l); } while (failed && errno == EINTR);
	if (!failed) return OK;
	return errno == EACCES || errno == EAGAIN ? ERR_BUSY : sys_err(errno);
}

/* A reader passes through PENDING, so that a writer who holds it sees readers only go. */
static enum err lock_shared(struct file_linux *f) {
	enum err e = set(f, F_RDLCK, PENDING_AT, 1);
	if (e) return e;
	e = set(f, F_RDLCK, SHARED_AT, SHARED_SIZE);
	enum err undo = set(f, F_UNLCK, PENDING_AT, 1);
	return e ? e : undo;
}

static enum err lock_up(struct file_linux *f, enum disk_lock level) {
	enum err e = OK;
	if (f->held < DISK_SHARED) e = lock_shared(f);
	if (e) return e;
	if (f->held < DISK_SHARED) f->held = DISK_SHARED;

	if (level == DISK_RESERVED && f->held < DISK_RESERVED) e = set(f, F_WRLCK, RESERVED_AT, 1);
	if (level >= DISK_PENDING && f->held < DISK_PENDING) {
		e = set(f, F_WRLCK, PENDING_AT, 1);
		if (!e) f->held = DISK_PENDING;
	}
	if (!e && level == DISK_EXCLUSIVE_LOCK && f->held < level) e = set(f, F_WRLCK, SHARED_AT, SHARED_SIZE);
	if (!e) f->held = level;
	return e;
}

static enum err lock_down(struct file_linux *f, enum disk_lock level) {
	enum err e = OK;
	if (level == DISK_SHARED) e = set(f, F_RDLCK, SHARED_AT, SHARED_SIZE);
	if (!e) e = level == DISK_SHARED ? set(f, F_UNLCK, PENDING_AT, 2) : set(f, F_UNLCK, PENDING_AT, 2 + SHARED_SIZE);
	if (!e) f->held = level;
	return e;
}

static enum err file_lock(struct file *f, enum disk_lock level) {
	struct file_linux *l = self(f);
	if (level == l->held) return OK;
	if (level > l->held) return lock_up(l, level);
	return level <= DISK_SHARED ? lock_down(l, level) : ERR_INVALID;
}

static enum err file_reserved(struct file *f, bool *out) {
	struct file_linux *l = self(f);
	if (l->held >= DISK_RESERVED) {
		*out = true;
		return OK;
	}
	struct flock look = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = RESERVED_AT, .l_len = 1 };
	if (fcntl(l->fd, F_OFD_GETLK, &look) != 0) return sys_err(errno);
	*out = look.l_type != F_UNLCK;
	return OK;
}

static void file_close(struct file *f) {
	close(self(f)->fd);
	free(self(f));
}

static const struct file_ops ops = {
	.read = file_read,
	.write = file_write,
	.sync = file_sync,
	.truncate = file_truncate,
	.size = file_size,
	.lock = file_lock,
	.reserved = file_reserved,
	.close = file_close,
};

enum err disk_linux_file(int fd, struct file **out) {
	struct file_linux *f = calloc(1, sizeof *f);
	if (!f) {
		close(fd);
		return ERR_NOMEM;
	}
	f->file.ops = &ops;
	f->fd = fd;
	*out = &f->file;
	return OK;
}
