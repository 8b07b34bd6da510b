/* Files as a port. Synchronous: only jobs (world/jobs.h) and start-up touch it, never a loop.
 *
 * In the simulation it is memory with torn writes, lost syncs and a full disk; on Linux the file
 * system below one directory. Paths are relative to the root that the port was opened on, and none with
 * ".." is taken (ERR_DENIED); opened on "/", the port takes absolute paths as they are and relative ones
 * from the working directory. What is opened for writing is not reached through a symbolic link
 * (ERR_INVALID); what is read may be. New files have mode 0600. Thread: any; one file, one at a time. */
#pragma once

#include "base/clock.h"
#include "base/str.h"

enum disk_open { DISK_READ = 1, DISK_WRITE = 2, DISK_CREATE = 4, DISK_EXCLUSIVE = 8 };
enum disk_lock { DISK_UNLOCKED, DISK_SHARED, DISK_RESERVED, DISK_PENDING, DISK_EXCLUSIVE_LOCK };

struct file {
	const struct file_ops *ops;
};

struct file_ops {
	/* Fewer bytes than asked only at the end of the file; *got says how many. */
	enum err (*read)(struct file *, void *p, size_t n, int64_t at, size_t *got);
	enum err (*write)(struct file *, const void *p, size_t n, int64_t at); /* ERR_NOSPACE, ERR_READONLY, ERR_IO */
	enum err (*sync)(struct file *); /* once it has failed it fails for ever: what was written is unknown */
	enum err (*truncate)(struct file *, int64_t size);
	enum err (*size)(struct file *, int64_t *out);
	/* SQLite's five levels, advisory, of this open file against others. ERR_BUSY. */
	enum err (*lock)(struct file *, enum disk_lock level);
	enum err (*reserved)(struct file *, bool *out); /* does anybody hold RESERVED or more? */
	void (*close)(struct file *);
};

struct disk_entry {
	struct str name;
	bool directory;
};

struct disk {
	const struct disk_ops *ops;
};

struct disk_ops {
	enum err (*open)(struct disk *, const char *path, int flags, struct file **out, struct why *);
	enum err (*remove)(struct disk *, const char *path);                 /* ERR_NOT_FOUND */
	enum err (*rename)(struct disk *, const char *from, const char *to); /* replaces, atomically */
	enum err (*exists)(struct disk *, const char *path, bool *out);
	enum err (*sync_dir)(struct disk *, const char *path);
	enum err (*make_dir)(struct disk *, const char *path); /* with parents, mode 0700; OK when it is there */
	/* Sorted by name. */
	enum err (*list)(struct disk *, const char *path, struct arena *, struct disk_entry **out, size_t *count);
	enum err (*mtime)(struct disk *, const char *path, struct wall *out);
};

/* The whole file, at most `max` bytes (ERR_TOO_LARGE); a pipe too. */
enum err disk_read_file(struct disk *d, struct arena *a, const char *path, size_t max, struct str *out,
                        struct why *why);
/* Written beside it, synced, renamed: the old one or the new one, never half. */
enum err disk_write_file(struct disk *d, const char *path, struct str bytes, struct why *why);
