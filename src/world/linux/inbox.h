/* What came for a poller: the exchanges of one HTTP port and their events, in the order they happened.
 *
 * A transport (http1, http2, client) embeds a `struct exchange` in a struct of its own, fills it as bytes
 * come, and the inbox turns it into events. An exchange holds at most HTTP_PIECE_MAX bytes of body that
 * nobody polled; whether there is room for more is how a transport learns to stop reading its peer.
 * Slices of the last event stay alive until the next poll, even when the exchange ends in between.
 * Thread: the loop's. */
#pragma once

#include "base/list.h"
#include "world/http.h"
#include "world/linux/loop.h"

#define HTTP_HEADER_BYTES_MAX (16 * 1024)

struct headers {
	struct http_header at[HTTP_HEADERS_MAX];
	size_t count, bytes;
};

struct exchange {
	struct list node; /* among those with something to poll */
	uint64_t id;
	bool head, end, failed;  /* these wait to be polled; body.n > 0 is one too */
	bool known;              /* the poller has heard of it */
	bool gone;               /* out of the table; freed as soon as no slice of it is lent */
	struct http_event begin; /* REQUEST or RESPONSE; its slices lie in `arena` */
	struct arena arena;
	struct headers headers, trailers;
	struct buf body;
	enum err err;
	struct why why;
	void (*free)(struct exchange *);
};

struct inbox {
	struct loop *loop;
	struct list ready;
	struct exchange **slots; /* an id's low bits say where */
	uint32_t *free_slots;
	size_t max, used, free_count;
	uint64_t serial;
	struct exchange *lent; /* the last event's */
	struct buf lent_body;
};

/* `max` exchanges at a time, 1..2^20. */
MUST_USE enum err inbox_open(struct inbox *b, struct loop *l, size_t max);
/* Frees every exchange. */
void inbox_close(struct inbox *b);

/* Takes it up under a new id. ERR_FULL: `max` live. */
MUST_USE enum err inbox_add(struct inbox *b, struct exchange *x, void (*free)(struct exchange *));
struct exchange *inbox_find(const struct inbox *b, uint64_t id); /* NULL: dead or never born */
/* The id is dead, and no event of it follows. */
void inbox_drop(struct inbox *b, struct exchange *x);

/* Copies a header into its arena, the name in lower case. False: too many, too large, or no memory. */
bool exchange_header(struct exchange *x, struct headers *h, struct str name, struct str value);
struct str exchange_copy(struct exchange *x, struct str s);
static inline size_t exchange_room(const struct exchange *x) {
	return HTTP_PIECE_MAX - x->body.n;
}

/* The head is complete. */
void inbox_head(struct inbox *b, struct exchange *x);
/* At most exchange_room bytes. ERR_NOMEM. */
MUST_USE enum err inbox_body(struct inbox *b, struct exchange *x, struct str bytes);
void inbox_end(struct inbox *b, struct exchange *x);
/* What was not polled of its body is thrown away. Where the poller never heard of it, no event comes and
 * it is dropped at once. `why` may be NULL. */
void inbox_fail(struct inbox *b, struct exchange *x, enum err e, const char *why);
/* Nothing more is to be told of it, but it lives on (its request was answered). */
void inbox_mute(struct inbox *b, struct exchange *x);

/* Gives back the slices of the event before; then the next event and whose it is, NULL: none. A FAILED exchange is
 * dropped with it, and lives until the next poll. */
struct exchange *inbox_poll(struct inbox *b, struct http_event *out);
