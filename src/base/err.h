/* What the world may do to us, as one enum; and the words for people.
 *
 * A function that can fail for a reason outside the program returns `enum err`. Expected answers
 * have a code of their own and are named in the function's header; anything else is returned
 * unread. What only a bug may do is an assert, kept in release builds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define ERR_TABLE(X)                                         \
	X(OK, "success")                                         \
	X(ERR_NOMEM, "out of memory")                            \
	X(ERR_INVALID, "invalid argument or malformed input")    \
	X(ERR_AGAIN, "not now, try later")                       \
	X(ERR_FULL, "a bounded queue or table is full")          \
	X(ERR_NOT_FOUND, "not found")                            \
	X(ERR_EXISTS, "exists already")                          \
	X(ERR_CONFLICT, "a condition did not hold")              \
	X(ERR_DENIED, "permission denied")                       \
	X(ERR_UNREACHABLE, "peer could not be reached")          \
	X(ERR_TIMEOUT, "no answer in time")                      \
	X(ERR_CLOSED, "closed by the peer or by us")             \
	X(ERR_TOO_LARGE, "larger than the limit")                \
	X(ERR_UNSUPPORTED, "not supported")                      \
	X(ERR_CORRUPT, "stored data is damaged")                 \
	X(ERR_VERSION, "written by another version")             \
	X(ERR_GONE, "history expired; start from the beginning") \
	X(ERR_BUSY, "in use by another process")                 \
	X(ERR_NOSPACE, "no space left on the device")            \
	X(ERR_READONLY, "read-only")                             \
	X(ERR_IO, "input/output error")

enum err {
#define X(name, text) name,
	ERR_TABLE(X)
#undef X
};

/* The code's sentence, for example "not found". Never NULL. */
const char *err_text(enum err e);
/* The code's own name, for example "ERR_NOT_FOUND". Never NULL. */
const char *err_name(enum err e);

/* One sentence for people, owned by the caller: what is wrong, where, and what to do next. */
struct why {
	char text[240];
};

/* Writes the sentence (cut to fit) and returns `e`, so that `return why_set(why, ERR_INVALID, ...)`
 * reads as one step. `why` may be NULL. */
enum err why_set(struct why *why, enum err e, const char *fmt, ...) PRINTF(3, 4);
/* Puts "prefix: " before what stands there. */
enum err why_prefix(struct why *why, enum err e, const char *fmt, ...) PRINTF(3, 4);

/* Names the file of a sentence that begins with its line: "line 3: no such key" becomes "FILE:3: no such key", as
 * compilers say it; any other sentence "FILE: ...". */
enum err why_file(struct why *why, enum err e, const char *file);

/* Hands on ownership from a CLEANUP variable. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define TAKE(p)                    \
	({                             \
		__typeof__(p) took_ = (p); \
		(p) = NULL;                \
		took_;                     \
	})
