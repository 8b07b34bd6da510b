/* Log lines: an event name and fields, logfmt, one line each.
 *
 * The sink is a port handed in, so that a simulated daemon's lines belong to its world. A secret
 * never gets here: callers log names of tokens, not tokens. */
#pragma once

#include "base/clock.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_FIELDS_MAX 2048 /* bytes; longer ones are cut and end in " cut=true" */

struct log {
	/* `fields`: "key=value key=\"quoted value\"", already escaped, no newline. */
	void (*write)(struct log *, enum log_level, const char *event, struct str fields);
	enum log_level level; /* lines below it are not made */
};

/* log_event(log, LOG_WARN, "wal.slow", "fsync_ms=%lld path=%s", ms, path): printf's conversions (not
 * %n); a bare %s is quoted and escaped when it is empty or holds spaces, quotes, '=' or control bytes,
 * and one between quotes in the format is escaped, so that no value can forge a field or a line.
 * A NULL string is "-". `log` may be NULL. */
void log_event(struct log *log, enum log_level level, const char *event, const char *fmt, ...) PRINTF(4, 5);

/* An event without fields. */
void log_plain(struct log *log, enum log_level level, const char *event);

/* The fields alone, appended. */
void log_fields(struct buf *out, const char *fmt, va_list ap);

const char *log_level_name(enum log_level level); /* "debug" "info" "warn" "error" */
bool log_level_parse(struct str s, enum log_level *out);

/* A log of whole lines, "time=2026-01-05T10:03:12.250Z level=warn event=wal.slow fsync_ms=12\n", for whoever
 * holds a place to put them: world/ a file, a test a buffer. */
struct log_stream {
	struct log log;
	struct clock *clock;                          /* borrowed; NULL: lines without time */
	void (*put)(struct log_stream *, struct str); /* one line, its newline included */
	void *ctx;                                    /* put's */
};
void log_stream_init(struct log_stream *s, struct clock *clock, enum log_level level,
                     void (*put)(struct log_stream *, struct str), void *ctx);
