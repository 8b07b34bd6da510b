#include "stream/hints.h"

#include <ctype.h>
#include <string.h>

#define TEXT_MAX 512

/* In lower case. Who says so stands where the words do not tell. */
static const struct {
	const char *word;
	enum hint hint;
} words[] = {
	{ "out of memory", HINT_MEMORY },
	{ "outofmemory", HINT_MEMORY },
	{ "oom", HINT_MEMORY },
	{ "connection refused", HINT_REFUSED },
	{ "connection reset", HINT_REFUSED },
	{ "no route to host", HINT_REFUSED },
	{ "timed out", HINT_TIMEOUT },
	{ "timeout", HINT_TIMEOUT },
	{ "deadline exceeded", HINT_TIMEOUT },
	{ "no space left", HINT_DISK }, /* ENOSPC */
	{ "enospc", HINT_DISK },
	{ "disk full", HINT_DISK },
	{ "disk is full", HINT_DISK },
	{ "disk quota exceeded", HINT_DISK },     /* EDQUOT */
	{ "read-only file system", HINT_DISK },   /* EROFS */
	{ "outofdiskspace", HINT_DISK },          /* MongoDB */
	{ "unable to persist to", HINT_DISK },    /* Redis, MISCONF */
	{ "too many connections", HINT_POOL },    /* MySQL */
	{ "too many clients", HINT_POOL },        /* PostgreSQL, 53300 */
	{ "connection slots are", HINT_POOL },    /* PostgreSQL: remaining ... reserved */
	{ "no more connections", HINT_POOL },     /* PgBouncer */
	{ "query_wait_timeout", HINT_POOL },      /* PgBouncer */
	{ "max number of clients", HINT_POOL },   /* Redis */
	{ "max_user_connections", HINT_POOL },    /* MySQL */
	{ "connection is not avail", HINT_POOL }, /* HikariCP: HikariPool-1 - Connection is not available */
	{ "queuepool limit", HINT_POOL },         /* SQLAlchemy */
	{ "pool exhausted", HINT_POOL },
	{ "connection pool", HINT_POOL }, /* Go's redis and mongo, ADO.NET and others */
	{ "pool timeout", HINT_POOL },
	{ "pool is full", HINT_POOL },                    /* psycopg, urllib3 */
	{ "pool is probably full", HINT_POOL },           /* Knex */
	{ "timeout exceeded when trying", HINT_POOL },    /* node-postgres: ... to connect */
	{ "waiting for a connection", HINT_POOL },        /* MongoDB's Java driver, and others */
	{ "checking out a connection", HINT_POOL },       /* MongoDB's Go driver */
	{ "timeout waiting for idle object", HINT_POOL }, /* Commons DBCP */
	{ "cannot get a connection", HINT_POOL },         /* Commons DBCP */
};

unsigned hints_of_text(struct str text) {
	char lower[TEXT_MAX];
	size_t n = text.n < TEXT_MAX ? text.n : TEXT_MAX;
	unsigned hints = 0;
	for (size_t i = 0; i < n; i++) lower[i] = (char)tolower((unsigned char)text.p[i]);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (hints >> words[i].hint & 1) continue;
		if (memmem(lower, n, words[i].word, strlen(words[i].word))) hints |= 1u << words[i].hint;
	}
	return hints;
}

/* An empty system: whatever it is. Names of errno and SQLSTATEs are told apart from others' numbers by themselves. */
static const struct {
	const char *system, *code;
	enum hint hint;
} codes[] = {
	{ "", "53100", HINT_DISK }, /* SQLSTATE disk_full */
	{ "", "53200", HINT_MEMORY },
	{ "", "53300", HINT_POOL }, /* SQLSTATE too_many_connections */
	{ "", "ENOSPC", HINT_DISK },
	{ "", "EDQUOT", HINT_DISK },
	{ "", "EROFS", HINT_DISK },
	{ "mysql", "1021", HINT_DISK }, /* ER_DISK_FULL */
	{ "mysql", "1114", HINT_DISK }, /* ER_RECORD_FILE_FULL */
	{ "mysql", "1040", HINT_POOL }, /* ER_CON_COUNT_ERROR */
	{ "mysql", "1203", HINT_POOL }, /* ER_TOO_MANY_USER_CONNECTIONS */
	{ "mariadb", "1021", HINT_DISK },
	{ "mariadb", "1114", HINT_DISK },
	{ "mariadb", "1040", HINT_POOL },
	{ "mariadb", "1203", HINT_POOL },
	{ "mongodb", "14031", HINT_DISK }, /* OutOfDiskSpace */
	{ "redis", "MISCONF", HINT_DISK },
	{ "microsoft.sql_server", "1105", HINT_DISK }, /* no space in a filegroup */
	{ "microsoft.sql_server", "9002", HINT_DISK }, /* the log is full */
	{ "oracle.db", "ORA-01653", HINT_DISK },
	{ "oracle.db", "ORA-00018", HINT_POOL }, /* maximum number of sessions */
};

enum hint hint_of_code(struct str system, struct str code) {
	for (size_t i = 0; code.n && i < sizeof codes / sizeof *codes; i++)
		if (str_is(code, codes[i].code) && (!*codes[i].system || str_is(system, codes[i].system))) return codes[i].hint;
	return HINTS;
}
