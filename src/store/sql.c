#include "store/sql.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err sql_exec(sqlite3 *db, const char *sql) {
	return vfs_err(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

void sql_rollback(sqlite3 *db) {
	/* Should it fail, the next BEGIN fails too, and is told. */
	if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
}

enum err sql_run(sqlite3_stmt *st) {
	int rc = sqlite3_step(st);
	assert(rc != SQLITE_ROW);
	sqlite3_reset(st);
	return vfs_err(rc);
}

enum err sql_row(sqlite3_stmt *st, bool *row) {
	int rc = sqlite3_step(st);
	*row = rc == SQLITE_ROW;
	if (!*row) sqlite3_reset(st);
	return vfs_err(rc);
}

void sql_bind_str(sqlite3_stmt *st, int at, struct str s) {
	sqlite3_bind_blob64(st, at, s.p ? s.p : "", s.n, SQLITE_STATIC);
}

struct str sql_column_str(sqlite3_stmt *st, int at) {
	const char *p = sqlite3_column_blob(st, at); /* before the length: SQLite's rule */
	return (struct str){ p, (size_t)sqlite3_column_bytes(st, at) };
}

static const char *advice(enum err e) {
	switch (e) {
	case ERR_NOSPACE: return "; free some space on its disk";
	case ERR_READONLY: return "; check owner and mode of it and of its directory";
	case ERR_CORRUPT: return "; stop, keep a copy, and restore it from a backup";
	case ERR_IO: return "; look at the disk's and the kernel's log";
	default: return "";
	}
}

enum err sql_why(const struct sql *s, const char *what, enum err e, struct why *why) {
	const char *said = s->db ? sqlite3_errmsg(s->db) : "";
	return why_set(why, e, "%s database '%s': %s (%s)%s", what, s->path, err_text(e), said, advice(e));
}

/* ---- opening ---- */

static enum err number(sqlite3 *db, const char *pragma, int64_t *out) {
	sqlite3_stmt *st = NULL;
	enum err e = vfs_err(sqlite3_prepare_v2(db, pragma, -1, &st, NULL));
	if (e) return e;
	bool row = false;
	e = sql_row(st, &row);
	if (!e && row) *out = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return e;
}

static enum err apply_step(sqlite3 *db, const struct sql_schema *schema, int from) {
	char mark[120];
	snprintf(mark, sizeof mark, "PRAGMA application_id=%d; PRAGMA user_version=%d", schema->application, from + 1);
	enum err e = sql_exec(db, "BEGIN IMMEDIATE");
	if (e) return e;
	e = sql_exec(db, schema->steps[from]);
	if (!e) e = sql_exec(db, mark);
	if (!e) e = sql_exec(db, "COMMIT");
	sql_rollback(db);
	return e;
}

struct owner {
	const char *path;
	const struct sql_schema *schema;
	int64_t version; /* found; 0: a new file */
};

/* Looks only: a file that is not ours, or of a newer program, stays as it is. */
static enum err owned(void *arg, sqlite3 *db, struct why *why) {
	struct owner *o = arg;
	const struct sql_schema *schema = o->schema;
	int64_t application = 0, tables = 0;
	enum err e = number(db, "PRAGMA application_id", &application);
	if (!e) e = number(db, "PRAGMA user_version", &o->version);
	if (!e) e = number(db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (e) return e;
	if (application != schema->application && (application || tables || o->version))
		return why_set(why, ERR_INVALID, "'%s' is no %s database of Flyball; name another file", o->path, schema->what);
	if (o->version < 0 || o->version > schema->step_count)
		return why_set(why, ERR_VERSION,
		               "%s database '%s' was written by a newer Flyball (schema %lld, this one knows up to %d); "
		               "run that one, or name another file",
		               schema->what, o->path, (long long)o->version, schema->step_count);
	return OK;
}

/* Each step is a transaction of its own that moves user_version with it: a crash leaves a whole version. */
static enum err migrate(struct sql *s, const struct sql_schema *schema, int64_t version, struct why *why) {
	for (int i = (int)version; i < schema->step_count; i++) {
		enum err e = apply_step(s->db, schema, i);
		if (e) return sql_why(s, schema->what, e, why);
	}
	return OK;
}

static enum err prepare(struct sql *s, const struct sql_schema *schema, struct why *why) {
	assert(schema->statement_count <= SQL_STATEMENTS_MAX);
	for (size_t i = 0; i < schema->statement_count; i++) {
		int rc =
			sqlite3_prepare_v3(s->db, schema->statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
		if (rc != SQLITE_OK) return sql_why(s, schema->what, vfs_err(rc), why);
		s->statement_count++;
	}
	return OK;
}

static enum err make_parent(struct disk *d, const char *path, struct why *why) {
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path) return OK;
	char *parent = strndup(path, (size_t)(slash - path));
	if (!parent) return ERR_NOMEM;
	enum err e = d->ops->make_dir(d, parent);
	if (e) why_set(why, e, "cannot make the directory '%s': %s", parent, err_text(e));
	free(parent);
	return e;
}

static enum err open_file(struct sql *s, struct world *w, const struct sql_schema *schema, struct why *why) {
	enum err e = make_parent(w->disk, s->path, why);
	if (e) return e;
	struct owner o = { s->path, schema, 0 };
	e = vfs_open((struct vfs_opts){ .disk = w->disk,
	                                .clock = w->clock,
	                                .rng = rng_fork(&w->rng, schema->lane),
	                                .owned = owned,
	                                .owned_arg = &o },
	             &s->vfs);
	if (e) return e;
	e = vfs_database(s->vfs, s->path, &s->db, why);
	if (!e) e = migrate(s, schema, o.version, why);
	return e ? e : prepare(s, schema, why);
}

enum err sql_open(struct sql *s, struct world *w, const struct url *u, const struct sql_schema *schema,
                  struct why *why) {
	*s = (struct sql){ 0 };
	if (u->host.n || u->port || !u->path.n || str_ends(u->path, STR("/")))
		return why_set(why, ERR_INVALID, "%s: sqlite: wants a file: sqlite:///var/lib/flyball/%s.db", schema->what,
		               schema->what);
	s->path = strndup(u->path.p, u->path.n);
	if (!s->path) return ERR_NOMEM;
	enum err e = open_file(s, w, schema, why);
	if (e) sql_close(s);
	return e;
}

void sql_close(struct sql *s) {
	for (size_t i = 0; i < s->statement_count; i++) sqlite3_finalize(s->statements[i]);
	int rc = sqlite3_close(s->db);
	assert(rc == SQLITE_OK); /* every statement is finalized */
	vfs_close(s->vfs);
	free(s->path);
	*s = (struct sql){ 0 };
}
