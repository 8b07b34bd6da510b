/* Log lines: an event name and fields, logfmt, one line each.
 *
 * The sink is a port handed in, so that a simulated daemon's lines belong to its world. A secret
 * never gets here: callers log names of tokens, not tokens. */
#pragma once

#include "base/clock.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
	/* `fields`: "key=value key=\"quoted value\"", already escaped, no newline. */
	void (*write)(struct log *, enum log_level, const char *event, struct str fields);
	enum log_level level; /* lines below it are not made */
};

/* log_event(log, LOG_WARN, "wal.slow", "fsync_ms=%lld path=%s", ms, path): printf's conversions;
 * a bare %s is quoted and escaped when it holds spaces, quotes or control bytes, so that no value
 * can forge a field or a line. `log` may be NULL. At most 2 KiB a line. */
void log_event(struct log *log, enum log_level level, const char *event, const char *fmt, ...) PRINTF(4, 5);
