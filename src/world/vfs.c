#include "world/vfs.h"

#include "base/list.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 1024
#define SECTOR    4096
#define JULIAN_MS INT64_C(210866760000000) /* 1970-01-01 in milliseconds of SQLite's Julian day */
#define TEMP_MAX  ((size_t)64 << 20)

/* Databases of several lanes share one vfs: it is read-only but for the state of its chance, which is
 * drawn by one atomic step of splitmix64. */
struct vfs {
	sqlite3_vfs sqlite;
	struct disk *disk;
	struct clock *clock;
	enum err (*owned)(void *arg, struct sqlite3 *db, struct why *why);
	void *owned_arg;
	_Atomic uint64_t chance;
	char name[40];
};

struct vfs_file {
	sqlite3_file sqlite; /* first: SQLite's */
	struct vfs *vfs;
	struct file *file; /* NULL: a temporary file, which lives in `memory` */
	struct buf memory;
	char *path;   /* our copy; NULL: temporary */
	bool fresh;   /* its directory's entry is not synced yet */
	bool discard; /* removed when closed */
};

static struct vfs *vfs_of(sqlite3_vfs *v) {
	return container_of(v, struct vfs, sqlite);
}

static struct vfs_file *file_of(sqlite3_file *f) {
	return container_of(f, struct vfs_file, sqlite);
}

enum err vfs_err(int code) {
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return OK;
	case SQLITE_NOMEM: return ERR_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: return ERR_BUSY;
	case SQLITE_READONLY: return ERR_READONLY;
	case SQLITE_FULL: return ERR_NOSPACE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return ERR_CORRUPT;
	case SQLITE_CONSTRAINT: return ERR_CONFLICT;
	case SQLITE_TOOBIG: return ERR_TOO_LARGE;
	case SQLITE_PERM:
	case SQLITE_AUTH: return ERR_DENIED;
	case SQLITE_CANTOPEN:
	case SQLITE_NOTFOUND: return ERR_NOT_FOUND;
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
	case SQLITE_MISMATCH:
	case SQLITE_ERROR: return ERR_INVALID;
	default: return ERR_IO;
	}
}

/* What a port said, as the code that SQLite expects from this very method. */
static int code_of(enum err e, int otherwise) {
	switch (e) {
	case OK: return SQLITE_OK;
	case ERR_NOMEM: return SQLITE_IOERR_NOMEM;
	case ERR_NOSPACE: return SQLITE_FULL;
	case ERR_BUSY: return SQLITE_BUSY;
	case ERR_READONLY: return SQLITE_READONLY;
	default: return otherwise;
	}
}

/* ---- one file ---- */

static int x_close(sqlite3_file *sf) {
	struct vfs_file *f = file_of(sf);
	if (f->file) f->file->ops->close(f->file);
	if (f->discard && f->path) (void)f->vfs->disk->ops->remove(f->vfs->disk, f->path);
	buf_done(&f->memory);
	free(f->path);
	return SQLITE_OK;
}

static size_t memory_read(const struct buf *m, void *p, size_t n, int64_t at) {
	if (at >= (int64_t)m->n) return 0;
	size_t left = m->n - (size_t)at;
	if (n > left) n = left;
	memcpy(p, m->p + at, n);
	return n;
}

static int x_read(sqlite3_file *sf, void *p, int n, sqlite3_int64 at) {
	struct vfs_file *f = file_of(sf);
	size_t got = 0;
	enum err e = OK;
	if (f->file)
		e = f->file->ops->read(f->file, p, (size_t)n, at, &got);
	else
		got = memory_read(&f->memory, p, (size_t)n, at);
	if (e) return code_of(e, SQLITE_IOERR_READ);
	if (got == (size_t)n) return SQLITE_OK;
	memset((char *)p + got, 0, (size_t)n - got); /* SQLite relies on it */
	return SQLITE_IOERR_SHORT_READ;
}

static int memory_resize(struct buf *m, size_t size) {
	if (size <= m->n) {
		m->n = size;
		return SQLITE_OK;
	}
	char *room = buf_room(m, size - m->n);
	if (!room) return SQLITE_FULL;
	memset(room, 0, size - m->n);
	m->n = size;
	return SQLITE_OK;
}

static int memory_write(struct buf *m, const void *p, size_t n, int64_t at) {
	if (at + (int64_t)n > (int64_t)m->n) {
		int rc = memory_resize(m, (size_t)at + n);
		if (rc) return rc;
	}
	memcpy(m->p + at, p, n);
	return SQLITE_OK;
}

static int x_write(sqlite3_file *sf, const void *p, int n, sqlite3_int64 at) {
	struct vfs_file *f = file_of(sf);
	if (!f->file) return memory_write(&f->memory, p, (size_t)n, at);
	return code_of(f->file->ops->write(f->file, p, (size_t)n, at), SQLITE_IOERR_WRITE);
}

static int x_truncate(sqlite3_file *sf, sqlite3_int64 size) {
	struct vfs_file *f = file_of(sf);
	if (!f->file) return memory_resize(&f->memory, (size_t)size);
	return code_of(f->file->ops->truncate(f->file, size), SQLITE_IOERR_TRUNCATE);
}

/* The directory that holds `path`. */
static void parent_of(const char *path, char out[PATH_ROOM]) {
	const char *slash = strrchr(path, '/');
	if (!slash) {
		snprintf(out, PATH_ROOM, ".");
	} else {
		snprintf(out, PATH_ROOM, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	}
}

static enum err sync_parent(struct vfs *v, const char *path) {
	char parent[PATH_ROOM];
	parent_of(path, parent);
	return v->disk->ops->sync_dir(v->disk, parent);
}

static int x_sync(sqlite3_file *sf, int flags) {
	(void)flags; /* our ports know one kind of sync */
	struct vfs_file *f = file_of(sf);
	if (!f->file) return SQLITE_OK;
	enum err e = f->file->ops->sync(f->file);
	if (e) return code_of(e, SQLITE_IOERR_FSYNC);
	if (!f->fresh) return SQLITE_OK;
	/* A new file is durable once its name is. */
	e = sync_parent(f->vfs, f->path);
	if (!e) f->fresh = false;
	return code_of(e, SQLITE_IOERR_DIR_FSYNC);
}

static int x_file_size(sqlite3_file *sf, sqlite3_int64 *out) {
	struct vfs_file *f = file_of(sf);
	if (!f->file) {
		*out = (sqlite3_int64)f->memory.n;
		return SQLITE_OK;
	}
	int64_t size = 0;
	enum err e = f->file->ops->size(f->file, &size);
	*out = size;
	return code_of(e, SQLITE_IOERR_FSTAT);
}

static enum disk_lock level_of(int lock) {
	switch (lock) {
	case SQLITE_LOCK_SHARED: return DISK_SHARED;
	case SQLITE_LOCK_RESERVED: return DISK_RESERVED;
	case SQLITE_LOCK_PENDING: return DISK_PENDING;
	case SQLITE_LOCK_EXCLUSIVE: return DISK_EXCLUSIVE_LOCK;
	default: return DISK_UNLOCKED;
	}
}

static int x_lock(sqlite3_file *sf, int lock) {
	struct vfs_file *f = file_of(sf);
	return f->file ? code_of(f->file->ops->lock(f->file, level_of(lock)), SQLITE_IOERR_LOCK) : SQLITE_OK;
}

static int x_unlock(sqlite3_file *sf, int lock) {
	struct vfs_file *f = file_of(sf);
	return f->file ? code_of(f->file->ops->lock(f->file, level_of(lock)), SQLITE_IOERR_UNLOCK) : SQLITE_OK;
}

static int x_check_reserved(sqlite3_file *sf, int *out) {
	struct vfs_file *f = file_of(sf);
	bool reserved = false;
	enum err e = f->file ? f->file->ops->reserved(f->file, &reserved) : OK;
	*out = reserved;
	return code_of(e, SQLITE_IOERR_CHECKRESERVEDLOCK);
}

static int x_file_control(sqlite3_file *sf, int op, void *arg) {
	(void)sf, (void)op, (void)arg;
	return SQLITE_NOTFOUND; /* we understand none, and SQLite then does without */
}

static int x_sector_size(sqlite3_file *sf) {
	(void)sf;
	return SECTOR;
}

/* A write never harms bytes outside of its range (as os_unix.c assumes, and the simulation keeps). */
static int x_device(sqlite3_file *sf) {
	(void)sf;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN;
}

/* Version 1: no shared memory. A WAL without it is SQLite's own mode for locking_mode=EXCLUSIVE. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_file_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_check_reserved,
	.xFileControl = x_file_control,
	.xSectorSize = x_sector_size,
	.xDeviceCharacteristics = x_device,
};

/* ---- the file system ---- */

static int open_named(struct vfs *v, struct vfs_file *f, const char *path, int flags, int *out_flags) {
	int ours = DISK_READ;
	if (flags & SQLITE_OPEN_READWRITE) ours |= DISK_WRITE;
	if (flags & SQLITE_OPEN_CREATE) ours |= DISK_CREATE;
	if (flags & SQLITE_OPEN_EXCLUSIVE) ours |= DISK_EXCLUSIVE;
	bool there = false;
	if (ours & DISK_CREATE && v->disk->ops->exists(v->disk, path, &there) != OK) there = false;

	enum err e = v->disk->ops->open(v->disk, path, ours, &f->file, NULL);
	if ((e == ERR_DENIED || e == ERR_READONLY) && ours & DISK_WRITE && !(flags & SQLITE_OPEN_EXCLUSIVE)) {
		/* SQLite then knows what it got from the flags, and says "readonly" at the first write. */
		ours = DISK_READ;
		flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
		e = v->disk->ops->open(v->disk, path, ours, &f->file, NULL);
	}
	if (e) return e == ERR_NOSPACE ? SQLITE_FULL : SQLITE_CANTOPEN;
	f->fresh = ours & DISK_CREATE && !there;
	if (out_flags) *out_flags = flags;
	return SQLITE_OK;
}

static int x_open(sqlite3_vfs *sv, const char *path, sqlite3_file *sf, int flags, int *out_flags) {
	struct vfs_file *f = file_of(sf);
	*f = (struct vfs_file){ .vfs = vfs_of(sv), .discard = flags & SQLITE_OPEN_DELETEONCLOSE };
	buf_init(&f->memory, TEMP_MAX);
	if (path) {
		f->path = strdup(path);
		if (!f->path) return SQLITE_NOMEM;
		int rc = open_named(f->vfs, f, path, flags, out_flags);
		if (rc) {
			free(f->path);
			return rc; /* pMethods stays NULL: SQLite will not close it */
		}
	} else if (out_flags) {
		*out_flags = flags;
	}
	f->sqlite.pMethods = &methods;
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *sv, const char *path, int sync_dir) {
	struct vfs *v = vfs_of(sv);
	enum err e = v->disk->ops->remove(v->disk, path);
	if (e == ERR_NOT_FOUND) return SQLITE_IOERR_DELETE_NOENT;
	if (e) return code_of(e, SQLITE_IOERR_DELETE);
	if (!sync_dir) return SQLITE_OK;
	return code_of(sync_parent(v, path), SQLITE_IOERR_DIR_FSYNC);
}

static int x_access(sqlite3_vfs *sv, const char *path, int flags, int *out) {
	(void)flags; /* whether it may be written, the open says */
	struct vfs *v = vfs_of(sv);
	bool there = false;
	enum err e = v->disk->ops->exists(v->disk, path, &there);
	if (e) return code_of(e, SQLITE_IOERR_ACCESS);
	if (there && flags == SQLITE_ACCESS_EXISTS) {
		/* As os_unix.c: an empty file is no journal. */
		struct file *f = NULL;
		int64_t size = 0;
		if (v->disk->ops->open(v->disk, path, DISK_READ, &f, NULL) == OK) {
			there = f->ops->size(f, &size) != OK || size > 0;
			f->ops->close(f);
		}
	}
	*out = there;
	return SQLITE_OK;
}

static int x_full_pathname(sqlite3_vfs *sv, const char *path, int n, char *out) {
	(void)sv;
	/* The disk resolves a path the same way each time, so it is its own full name. */
	int need = snprintf(out, (size_t)n, "%s", path);
	return need < 0 || need >= n ? SQLITE_CANTOPEN : SQLITE_OK;
}

static uint64_t draw(struct vfs *v) {
	struct rng r = { atomic_load_explicit(&v->chance, memory_order_relaxed) }, next;
	do {
		next = r;
		rng_next(&next);
	} while (!atomic_compare_exchange_weak_explicit(&v->chance, &r.state, next.state, memory_order_relaxed,
	                                                memory_order_relaxed));
	return rng_next(&r);
}

static int x_randomness(sqlite3_vfs *sv, int n, char *out) {
	for (int i = 0; i < n; i += 8) {
		uint64_t r = draw(vfs_of(sv));
		memcpy(out + i, &r, n - i < 8 ? (size_t)(n - i) : 8);
	}
	return n;
}

/* Waiting is the caller's business: nothing in here ever sleeps. */
static int x_sleep(sqlite3_vfs *sv, int us) {
	(void)sv;
	return us;
}

static int x_time_ms(sqlite3_vfs *sv, sqlite3_int64 *out) {
	*out = JULIAN_MS + clock_wall(vfs_of(sv)->clock).ns / NS_PER_MS;
	return SQLITE_OK;
}

static int x_time(sqlite3_vfs *sv, double *out) {
	sqlite3_int64 ms;
	x_time_ms(sv, &ms);
	*out = (double)ms / 86400000.0;
	return SQLITE_OK;
}

static int x_last_error(sqlite3_vfs *sv, int n, char *out) {
	(void)sv;
	if (n > 0) out[0] = '\0';
	return 0;
}

enum err vfs_open(struct vfs_opts o, struct vfs **out) {
	if (sqlite3_initialize() != SQLITE_OK) return ERR_NOMEM;
	struct vfs *v = calloc(1, sizeof *v);
	if (!v) return ERR_NOMEM;
	v->disk = o.disk;
	v->clock = o.clock;
	v->owned = o.owned;
	v->owned_arg = o.owned_arg;
	atomic_init(&v->chance, o.rng.state);
	/* SQLite's table is the process's; no two that live have one address. */
	snprintf(v->name, sizeof v->name, "flyball-%p", (void *)v);
	v->sqlite = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = sizeof(struct vfs_file),
		.mxPathname = PATH_ROOM - 8,
		.zName = v->name,
		.xOpen = x_open,
		.xDelete = x_delete,
		.xAccess = x_access,
		.xFullPathname = x_full_pathname,
		.xRandomness = x_randomness,
		.xSleep = x_sleep,
		.xCurrentTime = x_time,
		.xGetLastError = x_last_error,
		.xCurrentTimeInt64 = x_time_ms,
	};
	/* SQLite draws from one generator a process (the salts of its logs), seeded from the default file
	 * system when it is first asked. So ours is that, and the generator begins anew. */
	if (sqlite3_vfs_register(&v->sqlite, 1) != SQLITE_OK) {
		free(v);
		return ERR_NOMEM;
	}
	sqlite3_randomness(0, NULL);
	*out = v;
	return OK;
}

void vfs_close(struct vfs *v) {
	if (!v) return;
	sqlite3_vfs_unregister(&v->sqlite);
	free(v);
}

/* ---- a database ---- */

/* locking_mode goes first: a WAL is opened without shared memory only under it. The empty transaction
 * at the end takes the lock now, recovers what a crash left, and shows a damaged file at the door. */
static const char *const settings[] = {
	"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA temp_store=MEMORY",  "PRAGMA synchronous=FULL",
	"PRAGMA foreign_keys=ON",        "PRAGMA cell_size_check=ON", "PRAGMA trusted_schema=OFF",
};
static const char *const claims[] = {
	/* these write */
	"PRAGMA journal_mode=WAL",
	"BEGIN IMMEDIATE",
	"SELECT count(*) FROM sqlite_schema",
	"COMMIT",
};

static enum err refuse(enum err e, const char *path, const char *said, struct why *why) {
	switch (e) {
	case ERR_BUSY:
		return why_set(
			why, e, "database '%s' is in use by another process; stop that one or name another state directory", path);
	case ERR_CORRUPT:
		return why_set(why, e, "database '%s' is damaged or no database (%s); restore it from a backup or move it away",
		               path, said);
	case ERR_READONLY:
		return why_set(why, e, "database '%s' cannot be written; check owner and mode of it and of its directory",
		               path);
	case ERR_NOSPACE:
		return why_set(why, e, "no space left for database '%s'; free some or name another state directory", path);
	default: return why_set(why, e, "cannot open database '%s': %s", path, said);
	}
}

/* SQLite says only that it could not open a file; the disk says why, and makes it where there is none. */
static enum err look(struct vfs *v, const char *path, struct why *why) {
	struct file *f = NULL;
	bool there = false;
	enum err e = v->disk->ops->exists(v->disk, path, &there);
	if (e) return why_set(why, e, "cannot look for database '%s': %s", path, err_text(e));
	e = v->disk->ops->open(v->disk, path, DISK_READ | DISK_WRITE | (there ? 0 : DISK_CREATE), &f, why);
	if (e) return e;
	f->ops->close(f);
	e = there ? OK : sync_parent(v, path);
	return e ? why_set(why, e, "cannot sync the directory of database '%s': %s", path, err_text(e)) : OK;
}

static int answer_is_wal(void *arg, int n, char **values, char **names) {
	(void)names;
	*(bool *)arg = n == 1 && values[0] && strcmp(values[0], "wal") == 0;
	return 0;
}

static int apply(sqlite3 *db, const char *setting) {
	bool wal = true;
	bool asks = strcmp(setting, "PRAGMA journal_mode=WAL") == 0;
	int rc = sqlite3_exec(db, setting, asks ? answer_is_wal : NULL, &wal, NULL);
	return rc == SQLITE_OK && !wal ? SQLITE_CANTOPEN : rc;
}

static int apply_all(sqlite3 *db, const char *const *list, size_t n) {
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++) rc = apply(db, list[i]);
	return rc;
}

enum err vfs_database(struct vfs *v, const char *path, struct sqlite3 **out, struct why *why) {
	enum err e = look(v, path, why);
	if (e) return e;
	sqlite3 *db = NULL;
	/* One thread at a time uses a connection (a lane), so it needs no mutex of its own. */
	int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, v->name);
	if (rc == SQLITE_OK) rc = sqlite3_extended_result_codes(db, 1);
	if (rc == SQLITE_OK) rc = apply_all(db, settings, sizeof settings / sizeof *settings);
	/* Until it is known to be ours, closing it must not move a log into it either. */
	if (rc == SQLITE_OK) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc == SQLITE_OK && v->owned) e = v->owned(v->owned_arg, db, why);
	if (rc == SQLITE_OK && !e) rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	bool others = e == ERR_INVALID || e == ERR_VERSION;
	if (rc == SQLITE_OK && !e) rc = apply_all(db, claims, sizeof claims / sizeof *claims);
	if (rc != SQLITE_OK) e = vfs_err(rc);
	if (!e) {
		*out = db;
		return OK;
	}
	if (!others) refuse(e, path, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), why);
	sqlite3_close(db);
	return e;
}
