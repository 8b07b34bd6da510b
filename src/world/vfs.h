/* SQLite on our ports: files by struct disk, time by struct clock, randomness by struct rng.
 *
 * Every database of Flyball is opened through here, so that the simulation's disk, clock and chance
 * reach below SQLite too. SQLite keeps its VFS list in a process-wide table; each vfs registers
 * under a name of its own and takes it back. SQLite's generator of chance (it salts its logs from it)
 * is one a process as well: each vfs_open seeds it anew from its `rng`. So a run repeats itself when
 * nothing else of the process uses SQLite meanwhile; simulations side by side are processes.
 *
 * Threads: different databases of one vfs from different threads; one database from one at a time.
 * Temporary files (of statements that are undone) live in memory, at most 64 MiB each. */
#pragma once

#include "base/clock.h"
#include "base/rng.h"
#include "world/disk.h"

struct sqlite3;
struct vfs;

struct vfs_opts {
	struct disk *disk;   /* borrowed */
	struct clock *clock; /* borrowed */
	struct rng rng;
	/* Asked about a database before its file is changed in any way (not locked for writing either): ERR_INVALID and
	 * ERR_VERSION, with *why, refuse it and leave it as it is. NULL: any is taken. */
	enum err (*owned)(void *arg, struct sqlite3 *db, struct why *why);
	void *owned_arg;
};

MUST_USE enum err vfs_open(struct vfs_opts o, struct vfs **out);
void vfs_close(struct vfs *v); /* every database on it is closed */

/* WAL, synchronous=FULL, locking_mode=EXCLUSIVE (one process owns the file), foreign keys on,
 * cell-size checks on. ERR_BUSY: another process has it; ERR_CORRUPT; ERR_READONLY; ERR_NOSPACE:
 * each with path and what to do. */
MUST_USE enum err vfs_database(struct vfs *v, const char *path, struct sqlite3 **out, struct why *why);
/* Maps a SQLite result code to ours. */
enum err vfs_err(int sqlite_code);
