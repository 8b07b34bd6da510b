/* SQLite, as the back ends here use it: a file opened by URL, its schema brought to the present, its
 * statements prepared once, result codes told as ours.
 *
 * For store/ and bus/ only. A struct sql belongs to one lane once it is open (see group.h); it is
 * opened and closed by the loop while no job runs. */
#pragma once

#include <sqlite3.h>

#include "base/str.h"
#include "base/url.h"
#include "world/vfs.h"
#include "world/world.h"

/* How a file came to be what it is: step i makes version i+1 of version i. Steps are only ever added. */
struct sql_schema {
	const char *what;    /* "state", for people */
	int32_t application; /* SQLite's application_id: a file of somebody else is refused */
	const char *lane;    /* forks the chance */
	const char *const *steps;
	int step_count;
	const char *const *statements; /* prepared once */
	size_t statement_count;
};

#define SQL_STATEMENTS_MAX 40

struct sql {
	struct vfs *vfs;
	sqlite3 *db;
	char *path;
	sqlite3_stmt *statements[SQL_STATEMENTS_MAX];
	size_t statement_count;
};

/* sqlite:///path, directories made. ERR_INVALID: the URL, or a file that is not ours; ERR_VERSION:
 * written by a newer program; ERR_BUSY, ERR_CORRUPT, ERR_READONLY, ERR_NOSPACE as vfs_database. The
 * caller's `s` is zeroed or closed on error. */
MUST_USE enum err sql_open(struct sql *s, struct world *w, const struct url *u, const struct sql_schema *schema,
                           struct why *why);
void sql_close(struct sql *s); /* takes what was never opened */

/* Runs statements without results. */
MUST_USE enum err sql_exec(sqlite3 *db, const char *sql);
void sql_rollback(sqlite3 *db); /* where a transaction is open */
/* A statement to its end: no rows are expected. Resets it. */
MUST_USE enum err sql_run(sqlite3_stmt *st);
/* *row: there is one more; at the end the statement is reset. After an error it is reset, too. */
MUST_USE enum err sql_row(sqlite3_stmt *st, bool *row);
/* Whatever is bound must live until the statement is reset. */
void sql_bind_str(sqlite3_stmt *st, int at, struct str s);
struct str sql_column_str(sqlite3_stmt *st, int at);
/* "state database '/x/state.db': no space left on the device (database or disk is full); ..." */
enum err sql_why(const struct sql *s, const char *what, enum err e, struct why *why);
