/* A disk in memory that loses what was not synced.
 *
 * A write is seen at once and durable after sync; a name is durable after sync_dir (of any directory,
 * as with a journalling file system: one journal, in order) or, for a new file, after its own sync.
 * Losing power keeps a prefix of the journal and, of each file's unsynced writes, any selection: of
 * whole writes, or (`tears`) of their sectors of 512 bytes. A killed process loses nothing: the page cache outlives it.
 * A disk may be full, read-only, slow, or lie about its syncs. `busy_ns` is how long what was done
 * took: whoever runs jobs takes it as their duration. */
#pragma once

#include "base/list.h"
#include "base/rng.h"
#include "sim/clock.h"
#include "sim/fuse.h"
#include "world/disk.h"

struct sim_disk_counts {
	int64_t writes, bytes, syncs, syncs_lost, writes_torn, writes_lost, refused_full;
	int64_t betrayals; /* power went while something was not durable that a sync had said yes to */
};

struct sim_disk {
	struct disk disk;
	struct sim_clock *clock;
	struct sim_trace *trace;
	struct sim_fuse *fuse;
	struct rng rng;
	struct sim_inode **inodes; /* of every name, live or durable */
	size_t inode_count;
	struct sim_name *live, *durable; /* names, unsorted; tens of files at most */
	size_t live_count, durable_count;
	struct sim_rename *journal; /* changes of names that are not durable yet */
	size_t journal_count;
	bool names_betrayed;
	int64_t bytes_max; /* of all files; more is ERR_NOSPACE */
	bool readonly;     /* every change is ERR_READONLY */
	double sync_lost;  /* probability that a sync says yes and does nothing */
	bool tears;        /* losing power, it may keep some sectors of a write and not others */
	double slowness;   /* multiplies the time that syncs take; 1: a usual disk */
	int64_t busy_ns;   /* grows with each write and sync; its reader sets it back */
	struct sim_disk_counts counts;
};

void sim_disk_init(struct sim_disk *d, struct sim_clock *clock, struct sim_trace *trace, struct sim_fuse *fuse,
                   struct rng rng);
void sim_disk_done(struct sim_disk *d);
/* Every file is closed before (its close came after the fuse had blown, and changed nothing). */
void sim_disk_power_loss(struct sim_disk *d);
/* Everything as it is now seen, as one record; and back, everything durable. ERR_CORRUPT, ERR_VERSION. */
void sim_disk_save(const struct sim_disk *d, struct buf *out);
MUST_USE enum err sim_disk_load(struct sim_disk *d, struct str bytes, struct why *why);
/* The files of directory `from` copied into the directory `to` of another disk. */
MUST_USE enum err sim_disk_export(struct sim_disk *d, const char *from, struct disk *other, const char *to,
                                  struct why *why);

/* ---- between disk.c and disk_image.c ---- */

struct sim_extent { /* an unsynced change of a file: bytes at a place, or a new size (bytes NULL) */
	int64_t at;
	size_t n;
	char *bytes;
};
struct sim_bytes {
	char *p;
	size_t n, cap;
};
struct sim_inode {
	bool directory;
	bool betrayed; /* a sync said yes to what is still pending */
	struct wall mtime;
	struct sim_bytes data, safe; /* as seen; as it would be after losing power */
	struct sim_extent *pending;
	size_t pending_count, pending_cap;
	struct list handles; /* open files, for the locks */
	size_t open;
};
struct sim_name {
	char *path; /* without the leading slash; "" is the root */
	struct sim_inode *inode;
};
enum sim_rename_kind { SIM_NAME_ADD, SIM_NAME_REMOVE, SIM_NAME_MOVE };
struct sim_rename {
	enum sim_rename_kind kind;
	char *path, *to;
	struct sim_inode *inode;
};

void sim_bytes_resize(struct sim_bytes *b, size_t n);
struct sim_inode *sim_disk_add(struct sim_disk *d, const char *path, bool directory); /* live and durable */
